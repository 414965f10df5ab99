"""What is learnt about candidates, in tables beside them with the same rows in the same order, and the pool made of both.

As with documents (:mod:`pipeline.attributes`) each table has a key of its own, so a new classifier scores again and nothing else.
When all are there, the *pool* of a shard is written: one row a candidate with everything that selection looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.conduct import CONDUCT_VERSION
from classifiers.conduct import SCHEMA as CONDUCT
from classifiers.conduct import examine as conduct_of
from classifiers.scorer import FIELDS, Scorer
from classifiers.taxonomy import Effort
from pipeline.attributes import Attribute, Contamination
from pipeline.curate.columns import ASPECTS, derived_columns
from pipeline.database import files
from pipeline.quality import MEASURES, QUALITY_VERSION, measure
from pipeline.store import Store, make_key
from pipeline.tables import opened, read
from pipeline.tokens import load_tokenizer
from sources.document import spoken

POOL_VERSION = 1

#: Candidates examined at once.
BATCH_ROWS = 1_000

#: Most messages and characters of a context that are scored with the reply as an exchange: as long as the texts the classifiers learnt
#: support from.
_EXCHANGE_MESSAGES = 5
_EXCHANGE_CHARS = 1_500

#: Of what the user said before, this much is looked at for risk; the last turn is looked at whole.
_BEFORE_CHARS = 4_000


class Scores:
    """The classifiers' columns for the prompt, the reply, and both as an exchange.

    :param effort: how far the cascade goes (:mod:`classifiers.scorer`).
    """

    name = "candidate-scores"

    def __init__(self, effort: Effort) -> None:
        self._scorer = Scorer.load(effort=effort, fields=FIELDS)
        self.version = f"{self._scorer.version}-2"
        fields = [field for field in self._scorer.schema if field.name != "tier"]
        self.schema = pa.schema([field.with_name(f"{aspect}_{field.name}") for aspect in ASPECTS for field in fields])

    def compute(self, candidates: pa.RecordBatch) -> pa.RecordBatch:
        pairs = zip(candidates["context"].to_pylist(), candidates["reply"].to_pylist(), strict=True)
        exchanges = [exchange(context, reply) for context, reply in pairs]
        texts = pa.concat_arrays([candidates["prompt"], candidates["reply"], pa.array(exchanges, pa.string())])
        languages = pa.concat_arrays([candidates["language"]] * len(ASPECTS))
        # a prompt that several replies answer is scored once
        together = pc.binary_join_element_wise(languages, texts, "\x1f").dictionary_encode()
        codes = together.indices.to_numpy()
        _, firsts = np.unique(codes, return_index=True)
        scored = self._scorer.score(texts.take(pa.array(firsts)), languages.take(pa.array(firsts)))
        rows = pa.table(scored).drop_columns(["tier"]).take(pa.array(codes)).combine_chunks()
        n = candidates.num_rows
        columns = [
            column.slice(i * n, n)
            for i in range(len(ASPECTS))
            for column in (rows.column(name).combine_chunks() for name in rows.column_names)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def exchange(context: list[dict[str, str]], reply: str) -> str:
    """A reply with the end of what came before it, as the classifiers know dialogues. The last turn of the user is always whole."""
    lines = [spoken("supporter", reply)]
    size = 0
    for number, message in enumerate(reversed(context)):
        size += len(message["content"])
        if number and (number >= _EXCHANGE_MESSAGES or size > _EXCHANGE_CHARS):
            break
        lines.append(spoken("seeker" if message["role"] == "user" else "supporter", message["content"]))
    return "\n\n".join(reversed(lines))


class ConductOf:
    """Risk, help and conduct by rules (:mod:`classifiers.conduct`).

    ``risk`` is of all the user said so far, not of the last turn alone, and ``helped_before`` tells that an earlier reply
    pointed to help.
    """

    name = "candidate-conduct"
    version = f"{CONDUCT_VERSION}-1"
    schema = pa.schema([*CONDUCT, pa.field("helped_before", pa.bool_())])

    def compute(self, candidates: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of ``candidates``, which have the column ``disclosure`` of their scores beside their own."""
        users, assistants = [], []
        for context in candidates["context"].to_pylist():
            earlier = [message["content"] for message in context[:-1]]
            # the first message is the user's, roles alternate, and the last is the user's again
            users.append("\n".join(["\n".join(earlier[0::2])[-_BEFORE_CHARS:], context[-1]["content"]]))
            assistants.append("\n".join(earlier[1::2])[-_BEFORE_CHARS:])
        told, language = candidates["disclosure"], candidates["language"]
        found = conduct_of(pa.array(users, pa.string()), candidates["reply"], told, language)
        # only what those replies point to is asked here, so there is no prompt to read again
        nobody = pa.nulls(len(candidates), pa.string())
        before = conduct_of(nobody, pa.array(assistants, pa.string()), None, language)
        return pa.RecordBatch.from_arrays([*found.columns, before["points_to_help"]], schema=self.schema)


class Lengths:
    """Words, tokens and the language quality of the reply.

    :param tokenizer: see :func:`pipeline.tokens.load_tokenizer`.
    """

    name = "candidate-lengths"
    schema = pa.schema(
        [
            *(pa.field(name, pa.int32()) for name in ("prompt_words", "reply_words", "reply_tokens", "tokens")),
            MEASURES.field("quality").with_name("reply_quality"),
        ]
    )

    def __init__(self, tokenizer: str) -> None:
        self._tokenizer = load_tokenizer(tokenizer)
        self.version = f"{self._tokenizer.version}-{QUALITY_VERSION}"

    def compute(self, candidates: pa.RecordBatch) -> pa.RecordBatch:
        prompts, replies = measure(candidates["prompt"]), measure(candidates["reply"])
        context = candidates["context"]
        inside = self._tokenizer.count(pc.struct_field(context.flatten(), "content"))
        edges = np.concatenate([[0], np.cumsum(inside)])[np.asarray(context.offsets) - context.offsets[0].as_py()]
        reply = self._tokenizer.count(candidates["reply"])
        columns = [
            prompts["n_words"],
            replies["n_words"],
            pa.array(reply, pa.int32()),
            pa.array(np.diff(edges) + reply, pa.int32()),
            replies["quality"],
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


class Overlap(Contamination):
    """Items of evaluation sets in the prompt or the reply."""

    name = "candidate-contamination"

    def compute(self, candidates: pa.RecordBatch) -> pa.RecordBatch:
        return self._index.scan(pc.binary_join_element_wise(candidates["prompt"], candidates["reply"], "\n\n"))


@lru_cache(maxsize=2)
def _examinations(tokenizer: str, contamination: str, effort: Effort) -> tuple[Attribute, ...]:
    benchmarks = [name for name in contamination.split("\n") if name]
    return (Scores(effort), ConductOf(), Lengths(tokenizer), *([Overlap(benchmarks)] if benchmarks else []))


def examinations(tokenizer: str, contamination: list[str], effort: Effort) -> tuple[Attribute, ...]:
    """What a recipe's candidates are examined for; loaded once a process.

    :param contamination: names or files of hash lists; empty for none.
    """
    return _examinations(tokenizer, "\n".join(contamination), effort)


#: Tables of candidates in the order they are computed and joined in.
TABLES = (Scores.name, ConductOf.name, Lengths.name, Overlap.name)


def pool_keys(stages: tuple[Attribute, ...], candidates: str) -> tuple[dict[str, str], str]:
    """Key of each stage's table for one shard of candidates, and of its pool."""
    keys: dict[str, str] = {}
    for stage in stages:
        keys[stage.name] = table_key(stage.name, stage.version, candidates, keys)
    return keys, pool_key(candidates, keys)


def table_key(stage: str, version: str, candidates: str, keys: dict[str, str]) -> str:
    """Key of one stage's table.

    :param keys: of the stages before it.
    """
    # risk is judged with the probability of a disclosure
    needs = {"scores": keys[Scores.name]} if stage == ConductOf.name else {}
    return make_key(stage, version, candidates=candidates, **needs)


def pool_key(candidates: str, keys: dict[str, str]) -> str:
    """Key of a pool.

    :param keys: of its tables, by stage.
    """
    return make_key("pool", POOL_VERSION, candidates=candidates, tables=keys)


def run_examine(store: Store, candidates: str, stages: tuple[Attribute, ...]) -> None:
    """Compute what is missing for one shard of candidates, and its pool."""
    keys, _ = pool_keys(stages, candidates)
    missing = [stage for stage in stages if not store.has(stage.name, keys[stage.name])]
    # scores first: conduct looks at them
    first: list[Attribute] = [stage for stage in missing if isinstance(stage, Scores)]
    for together in (first, [stage for stage in missing if stage not in first]):
        if together:
            _compute(store, candidates, together, keys)
    write_pool(store, candidates, keys)


def write_pool(store: Store, candidates: str, keys: dict[str, str]) -> None:
    """Write the pool of a shard of candidates whose tables are there.

    :param keys: of its tables, by stage.
    """
    if store.has("pool", key := pool_key(candidates, keys)):
        return
    with store.write("pool", key, [candidates, *keys.values()]) as (folder, meta):
        rows = _write_pool(store, candidates, keys, str(folder / "pool.parquet"))
        meta.update(candidates=candidates, tables=keys, rows=rows)


def _compute(store: Store, candidates: str, stages: list[Attribute], keys: dict[str, str]) -> None:
    disclosure: pa.ChunkedArray | None = None
    if any(isinstance(stage, ConductOf) for stage in stages):
        scores = read(store.path(Scores.name, keys[Scores.name]) / "data.parquet", ["prompt_safety_disclosure"])
        disclosure = scores["prompt_safety_disclosure"]
    with ExitStack() as stack:
        writers = []
        for stage in stages:
            folder, meta = stack.enter_context(store.write(stage.name, keys[stage.name], [candidates]))
            meta.update(candidates=candidates, version=stage.version)
            path = folder / "data.parquet"
            writers.append((stage, stack.enter_context(pq.ParquetWriter(path, stage.schema, compression="zstd"))))
        at = 0
        for batch in read_candidates(store, candidates):
            if disclosure is not None:
                told = disclosure.slice(at, batch.num_rows)
                batch = batch.append_column("disclosure", pa.concat_arrays(told.chunks))
            at += batch.num_rows
            for stage, writer in writers:
                writer.write_batch(stage.compute(batch))


def read_candidates(store: Store, key: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Stream a shard's candidates, at most :data:`BATCH_ROWS` at once."""
    with opened(store.path("candidates", key) / "candidates.parquet") as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns, use_threads=False)
            yield from table.combine_chunks().to_batches(BATCH_ROWS)


def _write_pool(store: Store, candidates: str, keys: dict[str, str], out: str) -> int:
    """Everything but the context, with the merged columns."""
    paths = [store.path("candidates", candidates) / "candidates.parquet"]
    paths += [store.path(name, key) / "data.parquet" for name, key in keys.items()]
    tables = " POSITIONAL JOIN ".join(f"read_parquet({files([path])})" for path in paths)
    derived = ", ".join(f"{sql} AS {name}" for name, (sql, _) in derived_columns().items())
    con = duckdb.connect(config={"threads": 1})
    try:
        # file_row_number would be per file, and so is this: a shard is one file
        con.execute(f"""
            COPY (SELECT row_number() OVER () - 1 AS row, * EXCLUDE (context), {derived} FROM {tables})
            TO '{out.replace("'", "''")}' (FORMAT parquet, COMPRESSION zstd)
        """)
        return con.execute(f"SELECT count(*) FROM read_parquet('{out.replace(chr(39), chr(39) * 2)}')").fetchall()[0][0]
    finally:
        con.close()
