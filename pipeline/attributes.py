"""Attributes: what we learn about documents, in tables beside them with the same rows in the same order.

Each attribute stage has a key of its own, so a new classifier recomputes scores and nothing else; but all stages missing for a
shard are computed in one pass over its text. When a shard's attributes are complete they are gathered, with the documents' own
short columns, into its ``catalog``: one row a document, everything but the text. Planning reads catalogs only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.scorer import Scorer
from classifiers.taxonomy import Effort
from pipeline.contamination import ContaminationIndex
from pipeline.minhash import BANDS, MINHASH_VERSION, signatures
from pipeline.quality import MEASURES, QUALITY_VERSION, measure
from pipeline.store import Store, make_key
from pipeline.tables import opened, read
from pipeline.tokens import Tokenizer, load_tokenizer
from pipeline.words import hash_rows

#: Rows computed at once.
BATCH_ROWS = 2_000

CATALOG_VERSION = 3

SIGNATURE_SCHEMA = pa.schema([("exact", pa.uint64()), ("words", pa.int32()), ("bands", pa.list_(pa.uint64(), BANDS))])
TOKENS_SCHEMA = pa.schema([("tokens", pa.int32())])

#: The fields of a document that are in a shard.
SHARD_FIELDS = ["id", "text", "source", "kind", "language", "license", "origin"]

#: The catalog's own columns: taken from the documents. ``content`` is a hash of :data:`SHARD_FIELDS`.
DOCUMENT_COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("uid", pa.uint64()),
        ("record", pa.uint64()),
        ("content", pa.uint64()),
        ("row", pa.int32()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("language", pa.string()),
        ("license", pa.string()),
        ("bytes", pa.int32()),
        ("turns", pa.int32()),
    ]
)


class Attribute(Protocol):
    """A stage that computes columns from documents."""

    name: str
    version: str
    schema: pa.Schema

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        """Columns of :attr:`schema` for each row of ``documents`` (:data:`sources.document.SCHEMA`), in order.

        A row's values depend on that row only, so that they do not depend on batches or workers.
        """
        ...


class Quality:
    """Gopher and C4 measures (see :mod:`pipeline.quality`); thresholds are the recipe's."""

    name = "quality"
    version = QUALITY_VERSION
    schema = MEASURES

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        return measure(documents["text"])


class Scores:
    """The classifiers' probabilities (see :mod:`classifiers.scorer`).

    :param effort: how far the cascade goes, ``about`` which fields.
    """

    name = "scores"

    def __init__(self, effort: Effort, about: tuple[str, ...]) -> None:
        self._scorer = Scorer.load(effort=effort, fields=about)
        self.version = self._scorer.version
        self.schema = self._scorer.schema
        self.thresholds = self._scorer.thresholds

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        return self._scorer.score(documents["text"], documents["language"])


class Signature:
    """MinHash band keys and the hash of the normalised text (see :mod:`pipeline.minhash`)."""

    name = "signature"
    version = MINHASH_VERSION
    schema = SIGNATURE_SCHEMA

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        bands, exact, words = signatures(documents["text"])
        flat = pa.FixedSizeListArray.from_arrays(pa.array(bands.reshape(-1)), BANDS)
        return pa.RecordBatch.from_arrays([pa.array(exact), pa.array(words), flat], schema=self.schema)


class Tokens:
    """Number of tokens, without special ones.

    :param tokenizer: see :func:`pipeline.tokens.load_tokenizer`.
    """

    name = "tokens"
    schema = TOKENS_SCHEMA

    def __init__(self, tokenizer: str) -> None:
        self._tokenizer: Tokenizer = load_tokenizer(tokenizer)
        self.version = self._tokenizer.version

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [pa.array(self._tokenizer.count(documents["text"]), pa.int32())], schema=self.schema
        )


class Contamination:
    """Overlap with evaluation sets (see :mod:`pipeline.contamination`).

    :param benchmarks: names of shipped hash lists, or files.
    """

    name = "contamination"

    def __init__(self, benchmarks: list[str]) -> None:
        self._index = ContaminationIndex.load(benchmarks)
        self.benchmarks = self._index.benchmarks
        self.version = self._index.version
        self.schema = self._index.schema

    def compute(self, documents: pa.RecordBatch) -> pa.RecordBatch:
        return self._index.scan(documents["text"])


@lru_cache(maxsize=4)
def _attributes(tokenizer: str, contamination: str, effort: Effort, about: tuple[str, ...]) -> tuple[Attribute, ...]:
    benchmarks = [name for name in contamination.split("\n") if name]
    return (
        Quality(),
        Scores(effort, about),
        Signature(),
        Tokens(tokenizer),
        *([Contamination(benchmarks)] if benchmarks else []),
    )


def attributes(tokenizer: str, contamination: list[str], effort: Effort, about: list[str]) -> tuple[Attribute, ...]:
    """The attribute stages of a recipe; loaded once a process.

    :param contamination: names or files of hash lists; empty for none.
    :param effort: how far the classifiers' cascade goes, ``about`` which fields of :data:`classifiers.scorer.FIELDS`.
    """
    return _attributes(tokenizer, "\n".join(contamination), effort, tuple(about))


def attribute_keys(stages: tuple[Attribute, ...], documents: str) -> dict[str, str]:
    """Key of each stage's table for one shard of documents."""
    return {stage.name: make_key(stage.name, stage.version, documents=documents) for stage in stages}


def catalog_key(documents: str, keys: dict[str, str]) -> str:
    """Key of a shard's catalog."""
    return make_key("catalog", CATALOG_VERSION, documents=documents, attributes=keys)


def catalog_schema(stages: tuple[Attribute, ...]) -> pa.Schema:
    """Columns of a catalog."""
    return pa.schema([*DOCUMENT_COLUMNS, *(field for stage in stages for field in stage.schema)])


def run_attributes(store: Store, documents: str, stages: tuple[Attribute, ...]) -> list[str]:
    """Compute what is missing for one shard, in one pass over its text, and its catalog.

    :param documents: key of the shard's documents, which are in the store.
    :returns: names of the stages that ran.
    """
    keys = attribute_keys(stages, documents)
    missing = [stage for stage in stages if not store.has(stage.name, keys[stage.name])]
    if missing:
        _compute(store, documents, missing, keys)
    key = catalog_key(documents, keys)
    if not store.has("catalog", key):
        with store.write("catalog", key, [documents, *keys.values()]) as (folder, meta):
            rows = _write_catalog(store, documents, stages, keys, folder / "catalog.parquet")
            meta.update(documents=documents, attributes=keys, rows=rows)
    return [stage.name for stage in missing]


def read_documents(store: Store, key: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Stream a shard's documents, at most :data:`BATCH_ROWS` at once, row group by row group."""
    with opened(store.path("documents", key) / "documents.parquet") as file:
        for group in range(file.num_row_groups):
            yield from (
                file.read_row_group(group, columns=columns, use_threads=False).combine_chunks().to_batches(BATCH_ROWS)
            )


def _compute(store: Store, documents: str, stages: list[Attribute], keys: dict[str, str]) -> None:
    with ExitStack() as stack:
        writers: list[tuple[Attribute, pq.ParquetWriter, dict[str, Any]]] = []
        for stage in stages:
            folder, meta = stack.enter_context(store.write(stage.name, keys[stage.name], [documents]))
            meta.update(documents=documents, version=stage.version, rows=0)
            writer = pq.ParquetWriter(
                folder / "data.parquet", stage.schema, compression="zstd", use_dictionary=False, write_statistics=False
            )
            writers.append((stage, stack.enter_context(writer), meta))
        for batch in read_documents(store, documents, ["text", "language"]):
            for stage, writer, meta in writers:
                writer.write_batch(stage.compute(batch))
                meta["rows"] += batch.num_rows


def _write_catalog(store: Store, documents: str, stages: tuple[Attribute, ...], keys: dict[str, str], path: Any) -> int:
    tables = [read(store.path(stage.name, keys[stage.name]) / "data.parquet") for stage in stages]
    own: list[pa.RecordBatch] = []
    row = 0
    for batch in read_documents(store, documents, [*SHARD_FIELDS, "turns"]):
        uid = uids(batch["id"])
        own.append(
            pa.RecordBatch.from_arrays(
                [
                    batch["id"],
                    pa.array(uid),
                    _records(batch),
                    pa.array(hash_rows([batch[name] for name in SHARD_FIELDS])),
                    pa.array(np.arange(row, row + batch.num_rows, dtype=np.int32)),
                    *(batch[name] for name in ("source", "kind", "language", "license")),
                    pc.binary_length(batch["text"]).cast(pa.int32()),
                    pc.fill_null(pc.list_value_length(batch["turns"]), 0),
                ],
                schema=DOCUMENT_COLUMNS,
            )
        )
        row += batch.num_rows
    table = pa.Table.from_batches(own, schema=DOCUMENT_COLUMNS)
    for part in tables:
        for field in part.schema:
            table = table.append_column(field, part[field.name])
    write_catalog(table, path)
    return row


def write_catalog(table: pa.Table, path: Path) -> None:
    """Write the rows of a catalog."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=["source", "kind", "language", "license"],
        write_statistics=False,
    )


def _records(documents: pa.RecordBatch) -> pa.Array:
    """A hash of the raw record each document was cut from: pieces of one book belong on one side of the validation split."""
    origins = pc.replace_substring_regex(documents["origin"], r"&part=\d+/\d+$", "").to_pylist()
    names = (f"{source}\x1f{origin}" for source, origin in zip(documents["source"].to_pylist(), origins, strict=True))
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return pa.array(np.frombuffer(digests, dtype="<u8"))


def uids(ids: pa.Array) -> np.ndarray:
    """The first 64 bits of 128-bit hex ids, as uint64 (n): short keys for joins and sampling."""
    return np.frombuffer(bytes.fromhex("".join(value[:16] for value in ids.to_pylist())), dtype=">u8").astype(np.uint64)
