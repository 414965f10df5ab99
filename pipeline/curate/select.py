"""Selection: from the pools of all sources to the rows of a set. The judging is SQL (:mod:`pipeline.curate.judge`), the choosing arrays
(:mod:`pipeline.curate.choose`); this is where they meet, with an embedding of what each user says between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classifiers.scorer import Scorer
from pipeline.catalog import facet_cuts
from pipeline.console import Progress
from pipeline.curate.baselines import Baselines, baselines
from pipeline.curate.choose import Limit, best_of_each, groups, near_pairs, pick, promising, spread, without_repeats
from pipeline.curate.columns import behaviour_cuts
from pipeline.curate.constitution import Constitution
from pipeline.curate.judge import gather, judge
from pipeline.curate.material import Judged, material, subjects, with_said
from pipeline.curate.recipe import SetRecipe
from pipeline.curate.reviewed import reviewed
from pipeline.database import connect, of_file, text
from pipeline.execute import Step, run_step
from pipeline.review import Decisions
from pipeline.store import Store, make_key
from pipeline.tokens import load_tokenizer
from pipeline.words import mix_ids
from sources.errors import UserError

SELECT_VERSION = 2

#: A user's message of this many words is nobody else's: two documents that hold it are one conversation.
_OWN_WORDS = 8
#: Texts one task embeds.
_EMBED_ROWS = 400
#: What the random numbers of a set are for; each use hashes with its own salt.
_HOLD_OUT = 1

#: One row an example. ``row`` of ``shard`` is the (chosen) reply, ``other`` the rejected one; ``skip`` messages of the context are
#: left out; ``label`` of a single reply.
CHOSEN = pa.schema(
    [
        ("form", pa.string()),
        ("id", pa.string()),
        ("shard", pa.int32()),
        ("row", pa.int64()),
        ("other", pa.int64()),
        ("skip", pa.int32()),
        ("label", pa.bool_()),
        ("split", pa.string()),
        ("why", pa.string()),
        ("gap", pa.float32()),
        ("quality", pa.float32()),
        ("principles", pa.list_(pa.string())),
        ("facets", pa.list_(pa.string())),
        ("behaviours", pa.list_(pa.string())),
        ("risk", pa.bool_()),
        ("support", pa.float32()),
        ("tokens", pa.int32()),
        ("system", pa.string()),
        ("cluster", pa.string()),
    ]
)


def select_key(
    recipe: SetRecipe, constitution: Constitution, pools: list[str], benchmarks: list[str], reviews: dict[str, Any]
) -> str:
    """Key of a selection."""
    used = recipe.model_dump(
        mode="json", exclude={"name", "description", "purpose", "shards", "cards", "memory", "formats"}
    )
    return make_key(
        "selection",
        SELECT_VERSION,
        recipe=used,
        forms=forms_of(recipe),
        constitution=constitution.sha256,
        pools=pools,
        benchmarks=benchmarks,
        reviews=reviews,
        encoder=Scorer.load().version,
        # conditions compare with these, and they may be set anew without a new score
        cuts=[Scorer.load(effort=recipe.effort).thresholds, facet_cuts(), behaviour_cuts()],
        libraries={name: version(name) for name in ("pyversity", "scipy")},
    )


def forms_of(recipe: SetRecipe) -> list[str]:
    """What is selected: ``sft`` examples, ``pair``s or ``single`` replies with a label."""
    if recipe.task == "sft":
        return ["sft"]
    return [form for form, name in (("pair", "preference"), ("single", "unpaired")) if name in recipe.formats]


def run_select(
    store: Store,
    recipe: SetRecipe,
    constitution: Constitution,
    candidates: list[str],
    pools: list[str],
    benchmarks: list[str],
    tokenizer: str,
    decisions: Decisions,
    key: str,
    *,
    workers: int,
    progress: Progress,
) -> None:
    """Select the examples of a set and commit them: ``chosen.parquet`` (:data:`CHOSEN`), ``decisions.parquet`` (a row a candidate and
    what became of it) and, in its meta, quotas, baselines and the ledger.

    :param candidates, pools: keys of each shard, in order.
    :param tokenizer: name, or absolute path.
    :param decisions: of reviewers.
    :raises UserError: nothing is left to choose from.
    """
    places = [folder / "pool.parquet" for folder in store.paths("pool", pools)]
    with (
        store.write("selection", key, [*candidates, *pools]) as (folder, meta),
        store.scratch("select") as scratch,
        connect(scratch, recipe.memory, workers, reach=[store.root]) as con,
    ):
        with _computing(recipe):
            sheets = [folder / "candidates.parquet" for folder in store.paths("candidates", candidates)]
            gather(con, recipe, places, sheets, load_tokenizer(tokenizer), benchmarks)
            people = reviewed(con, store, candidates, decisions)
            judge(con, recipe, constitution, benchmarks, people.single)
        looked: list[Looked] = []
        for form in forms_of(recipe):
            with _computing(recipe):
                judged = material(con, recipe, form, people)
            if not len(judged):
                raise UserError(
                    f"no {_NAMES[form]} is left to choose from: {_reasons(con)}",
                    where=recipe.place("filters"),
                    fix="loosen the filters, or add sources; ledger columns are explained in shards/README.md",
                )
            looked.append(_look(con, store, recipe, form, judged, pools, workers, progress))
        chosen: list[pa.Table] = []
        report: dict[str, Any] = {"forms": {}, "notes": [], "reviews": people.facts}
        for part, (clusters, splits) in zip(looked, _splits(looked, recipe), strict=True):
            taken, facts = _choose(recipe, part, clusters, splits)
            if not len(taken):
                raise UserError(
                    f"no {_NAMES[part.form]} can be chosen: {len(part.judged):,} are fit, but the quotas let none of them in",
                    where=recipe.place("quotas"),
                    fix="raise at_most, or `simulated` where all sources are simulated",
                )
            report["forms"][part.form] = facts
            report["notes"] += facts.pop("notes")
            chosen.append(taken)
            con.register(f"chosen_{part.form}", taken)
        table = pa.concat_tables(chosen)
        pq.write_table(table, folder / "chosen.parquet", compression="zstd")
        report["principles"] = _count_principles(table, constitution)
        _outcomes(con, forms_of(recipe), str(folder / "decisions.parquet"))
        report["ledger"] = _ledger(con, str(folder / "decisions.parquet"))
        if "pair" in forms_of(recipe):
            report["baselines"] = _baselines(con, recipe).summary()
        meta.update(report)


@contextmanager
def _computing(recipe: SetRecipe) -> Iterator[None]:
    try:
        yield
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
        raise of_file(error) or UserError(
            f"a condition cannot be computed for every candidate: {str(error).splitlines()[0]}",
            where=recipe.place("filters", "drop"),
            fix="look at the conditions, also of `quotas`, and at `order`; try_cast gives null instead of an error",
        ) from None


_NAMES = {"sft": "example", "pair": "pair", "single": "single reply"}


def _reasons(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "SELECT coalesce(never, unfit, 'fit, but nothing to compare with') AS why, count(*) FROM judged GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
    ).fetchall()
    return ", ".join(f"{n:,} {why}" for why, n in rows) or "there are no candidates"


@dataclass
class Looked:
    """What of one form is worth looking at.

    :param keep: its rows in what was judged.
    :param vectors: unit vectors of what the user says.
    :param alike: pairs of rows that ask the same.
    """

    form: str
    judged: Judged
    keep: np.ndarray
    rows: pa.Table
    quality: np.ndarray
    vectors: np.ndarray
    alike: np.ndarray


def _size(recipe: SetRecipe, form: str) -> int:
    return recipe.pairs.unpaired if form == "single" else recipe.size


def _look(
    con: duckdb.DuckDBPyConnection,
    store: Store,
    recipe: SetRecipe,
    form: str,
    judged: Judged,
    pools: list[str],
    workers: int,
    progress: Progress,
) -> Looked:
    quality = judged.rows["quality"].to_numpy().astype(np.float64)
    keep = promising(quality, judged.limits, _size(recipe, form), recipe.diversity.pool)
    # texts of these alone: there may be a million others
    rows = with_said(con, judged.rows.take(pa.array(keep)))
    vectors = embeddings(store, subjects(rows), pools, workers, progress)
    pairs = near_pairs(vectors, recipe.duplicates.similarity)
    return Looked(form, judged, keep, rows, quality[keep], vectors, np.concatenate([pairs, same_prompt(rows)]))


def _splits(looked: list[Looked], recipe: SetRecipe) -> list[tuple[list[str], list[str]]]:
    """Cluster and split of each row of each form: whoever asks the same, or is the same conversation, is on one side in all of them."""
    rows = pa.concat_tables([part.rows.select(["item", "document", "prompt_id", "said"]) for part in looked])
    vectors = np.concatenate([part.vectors for part in looked])
    edges = np.concatenate(
        [near_pairs(vectors, recipe.duplicates.similarity), same_conversation(rows), same_prompt(rows)]
    )
    items = np.array(rows["item"].to_pylist(), dtype=object)
    names = items[groups(edges, len(rows))]
    mixed = mix_ids(np.array([int(name[:16], 16) for name in names], dtype=np.uint64), recipe.seed * 16 + _HOLD_OUT)
    draw = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    split = np.where(draw < recipe.validation, "validation", "train")
    ends = np.cumsum([0, *(len(part.rows) for part in looked)])
    return [(names[start:stop].tolist(), split[start:stop].tolist()) for start, stop in pairwise(ends)]


def _choose(
    recipe: SetRecipe, looked: Looked, clusters: list[str], splits: list[str]
) -> tuple[pa.Table, dict[str, Any]]:
    size, judged, quality, vectors = _size(recipe, looked.form), looked.judged, looked.quality, looked.vectors
    first = best_of_each(looked.rows["thread"].to_pylist(), quality, recipe.duplicates.per_conversation)
    # who is not taken for its conversation's sake must not push out another that asks the same
    alike = looked.alike[first[looked.alike].all(axis=1)]
    left = np.flatnonzero(first & without_repeats(alike, quality, recipe.duplicates.per_prompt))
    limits = [
        Limit(limit.name, limit.members[looked.keep][left], limit.at_least, limit.at_most) for limit in judged.limits
    ]
    ranking = spread(vectors[left], quality[left], recipe.diversity.strategy, recipe.diversity.weight, 2 * size)
    chosen = left[pick(ranking, limits, size, quality[left] > 1.5)]
    taken = looked.rows.take(pa.array(chosen))
    own = {name: taken[name] for name in CHOSEN.names if name not in ("form", "split", "cluster")}
    own |= {
        "form": pa.array([looked.form] * len(chosen), pa.string()),
        "split": pa.array([splits[i] for i in chosen], pa.string()),
        "cluster": pa.array([clusters[i] for i in chosen], pa.string()),
    }
    quotas = _quotas(judged, looked.keep[chosen])
    best = left[np.argsort(-quality[left], kind="stable")[: len(chosen)]]
    facts = {
        "fit": len(judged),
        "looked_at": len(looked.keep),
        "different_prompts": len(left),
        "chosen": len(chosen),
        "wanted": size,
        "nearest_prompt": _nearest(vectors[chosen]),
        "nearest_prompt_by_quality": _nearest(vectors[best]),
        "quotas": quotas,
        "notes": _notes(looked.form, size, len(chosen), len(judged), len(left), quotas),
    }
    return pa.table({name: own[name] for name in CHOSEN.names}).cast(CHOSEN), facts


def _quotas(judged: Judged, chosen: np.ndarray) -> list[dict[str, Any]]:
    quotas = []
    slack = 0.5 / max(1, len(chosen))
    for limit in judged.limits:
        share = float(limit.members[chosen].mean()) if len(chosen) else 0.0
        quotas.append(
            {
                "name": limit.name,
                "at_least": limit.at_least,
                "at_most": limit.at_most,
                "available": int((limit.members > 0).sum()),
                "chosen": int((limit.members[chosen] > 0).sum()),
                "share": share,
                "met": limit.at_least - slack <= share <= limit.at_most + slack,
            }
        )
    return quotas


def _notes(form: str, size: int, chosen: int, fit: int, different: int, quotas: list[dict[str, Any]]) -> list[str]:
    notes = []
    if chosen < size:
        held = ", and quotas held the others back" if different > chosen else ""
        notes.append(
            f"{chosen:,} of {size:,} {_NAMES[form]}s wanted: {fit:,} were fit, {different:,} of those looked at ask different things{held}"
        )
    return notes + [
        f"quota {q['name']}: {q['share']:.1%} instead of {q['at_least']:.1%} to {q['at_most']:.1%} ({q['available']:,} there were)"
        for q in quotas
        if not q["met"]
    ]


def _nearest(vectors: np.ndarray) -> float | None:
    """Mean cosine of an example to its nearest neighbour in the set: the less, the more it spreads."""
    if len(vectors) < 2:
        return None
    best = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(vectors), 2_048):
        block = vectors[start : start + 2_048] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1.0
        best[start : start + len(block)] = block.max(axis=1)
    return round(float(best.mean()), 4)


def same_conversation(rows: pa.Table) -> np.ndarray:
    """Edges between rows of one document, and of documents that share a long message of the user's."""
    con = duckdb.connect()
    try:
        con.register(
            "rows", rows.select(["document", "said"]).append_column("n", pa.array(range(len(rows)), pa.int64()))
        )
        return _edges(
            con,
            f"""
            SELECT n, 'document ' || document AS name FROM rows UNION ALL
            SELECT n, md5(regexp_replace(lower(message), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g')) AS name
            FROM (SELECT n, unnest(said) AS message FROM rows)
            WHERE len(string_split(trim(message), ' ')) >= {_OWN_WORDS}
            """,
        )
    finally:
        con.close()


def same_prompt(rows: pa.Table) -> np.ndarray:
    """Edges between rows that answer one context, or the same words of the user."""
    con = duckdb.connect()
    try:
        con.register(
            "rows", rows.select(["prompt_id", "said"]).append_column("n", pa.array(range(len(rows)), pa.int64()))
        )
        return _edges(
            con,
            """
            SELECT n, prompt_id AS name FROM rows UNION ALL
            SELECT n, md5(regexp_replace(lower(array_to_string(said, ' ')), '[^\\p{L}\\p{N}]+', ' ', 'g')) AS name FROM rows
            """,
        )
    finally:
        con.close()


def _edges(con: duckdb.DuckDBPyConnection, named: str) -> np.ndarray:
    """Edges from each row to the first of its name: int64, shape (edges, 2)."""
    table = con.sql(f"""
        SELECT DISTINCT first, n FROM (SELECT n, min(n) OVER (PARTITION BY name) AS first FROM ({named})) WHERE first <> n ORDER BY ALL
    """).to_arrow_table()
    return np.stack([table["first"].to_numpy(), table["n"].to_numpy()], axis=1).astype(np.int64)


#: Stage of vectors of some of the texts, before they are put together.
EMBEDDED = "work/embedded"


class EmbedStep(Step):
    """Sentence embeddings of some texts."""

    name = "embed"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        if store.has(EMBEDDED, task["key"]):
            return
        vectors = Scorer.load().embed(task["texts"])
        with store.write(EMBEDDED, task["key"]) as (folder, _):
            np.save(folder / "vectors.npy", vectors.astype(np.float32))


def embeddings(store: Store, texts: list[str], pools: list[str], workers: int, progress: Progress) -> np.ndarray:
    """Unit vectors of texts, float32, shape (texts, 384), kept in the store.

    :param pools: keys of what the texts come from.
    """
    key = make_key("vectors", 1, texts=texts, encoder=Scorer.load().version)
    if not store.has("vectors", key):
        parts = [texts[i : i + _EMBED_ROWS] for i in range(0, len(texts), _EMBED_ROWS)]
        tasks = [{"texts": part, "key": make_key("embedded", 1, vectors=key, part=i)} for i, part in enumerate(parts)]
        run_step(EmbedStep, store, tasks, workers=workers, progress=progress, label="embed prompts")
        folders = store.paths(EMBEDDED, [str(task["key"]) for task in tasks])
        with store.write("vectors", key, pools) as (folder, meta):
            np.save(
                folder / "vectors.npy",
                np.concatenate([np.load(part / "vectors.npy", allow_pickle=False) for part in folders])
                if folders
                else np.zeros((0, 384), np.float32),
            )
            meta.update(texts=len(texts))
    return np.load(store.path("vectors", key) / "vectors.npy", allow_pickle=False)


def _count_principles(table: pa.Table, constitution: Constitution) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for tags in table["principles"].to_pylist():
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + 1
    return [
        {
            "id": principle.id,
            "text": principle.text,
            "sources": [source.model_dump(exclude_none=True) for source in principle.sources],
            "examples": counts.get(principle.id, 0),
        }
        for principle in constitution.principles
    ]


def _outcomes(con: duckdb.DuckDBPyConnection, forms: list[str], out: str) -> None:
    """What became of each candidate: a row each, written to ``out``."""
    uses = []
    if "sft" in forms:
        uses.append("SELECT shard, row, 'selected' AS outcome, id AS example FROM chosen_sft")
    if "pair" in forms:
        uses.append("SELECT shard, row, 'chosen' AS outcome, id AS example FROM chosen_pair")
        uses.append("SELECT shard, other AS row, 'rejected' AS outcome, id AS example FROM chosen_pair")
    if "single" in forms:
        uses.append(
            "SELECT shard, row, CASE WHEN label THEN 'good' ELSE 'poor' END AS outcome, id AS example FROM chosen_single"
        )
    con.execute(f"""
        CREATE TABLE outcomes AS
        SELECT j.shard, j.row, j.id, j.source, j.document, j.never, j.unfit, r.quality,
               coalesce(u.outcome, CASE WHEN j.never IS NOT NULL THEN 'never' WHEN j.unfit IS NOT NULL THEN 'unfit'
                                   ELSE 'not_chosen' END) AS outcome,
               coalesce(j.never, j.unfit) AS reason, u.examples
        FROM judged j LEFT JOIN ranked r USING (shard, row)
        LEFT JOIN (SELECT shard, row, min(outcome) AS outcome, list(DISTINCT example ORDER BY example) AS examples
                   FROM ({" UNION ALL ".join(uses)}) GROUP BY shard, row) u USING (shard, row)
        ORDER BY j.shard, j.row
    """)
    con.execute(f"COPY (SELECT * FROM outcomes ORDER BY shard, row) TO {text(out)} (FORMAT parquet, COMPRESSION zstd)")


def _ledger(con: duckdb.DuckDBPyConnection, decisions: str) -> list[dict[str, Any]]:
    rows = con.execute(f"""
        SELECT source, outcome, CASE WHEN outcome IN ('never', 'unfit') THEN reason END AS reason, count(*)
        FROM read_parquet({text(decisions)}) GROUP BY ALL ORDER BY ALL
    """).fetchall()
    return [dict(zip(("source", "outcome", "reason", "candidates"), row, strict=True)) for row in rows]


def _baselines(con: duckdb.DuckDBPyConnection, recipe: SetRecipe) -> Baselines:
    pairs = con.sql("""
        SELECT m.item, m.why, m.chosen_reply, m.rejected_reply, m.chosen_support, m.rejected_support, m.chosen_id AS chosen,
               m.rejected_id AS rejected
        FROM material_pair m JOIN chosen_pair c ON c.id = m.item ORDER BY m.item
    """).to_arrow_table()
    votes = con.sql("""
        SELECT id, prompt_id, CASE WHEN higher THEN raw ELSE -raw END AS score FROM judged
        WHERE never IS NULL AND raw IS NOT NULL
          AND prompt_id IN (SELECT m.prompt_id FROM material_pair m JOIN chosen_pair c ON c.id = m.item) ORDER BY id
    """).to_arrow_table()
    return baselines(pairs, votes, recipe.seed)
