"""Exact duplicates: documents whose normalised words are the same, by hash and length.

Two steps. Tasks over groups of shards send (hash, words, document) to ranges of the hash; a task a range finds the groups of equal
documents. The smallest document of a group stands for it, the others are its copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dedup.division import WORK_VERSION, Division, Shard
from pipeline.dedup.exchange import Exchange, columns
from pipeline.execute import Step
from pipeline.store import Store, make_key
from pipeline.tables import opened

#: Rows of a signature table read at once.
BATCH_ROWS = 65_536

COPIES_SCHEMA = pa.schema([("doc", pa.int64()), ("exact_group", pa.int64())])


def hashes(run: str, division: Division) -> Exchange:
    """``exact``, ``words``, ``doc`` of documents with words: from groups of shards to ranges of the hash."""
    return Exchange("dedup-hashes", run, division.groups)


def copies(run: str, division: Division) -> Exchange:
    """``doc`` of documents that another stands for: from ranges of the hash to groups of shards."""
    return Exchange("dedup-copies", run, division.hashes)


def copies_key(run: str, part: int) -> str:
    """Key of ``work/dedup-exact``: the copies of one range with their groups (:data:`COPIES_SCHEMA`)."""
    return make_key("dedup-exact", WORK_VERSION, run=run, part=part)


def read_signatures(
    store: Store, shards: list[Shard], names: list[str]
) -> Iterator[tuple[npt.NDArray[np.int64], pa.RecordBatch]]:
    """Stream signature tables: document numbers, and the columns asked for."""
    for shard in shards:
        at = shard.number << 32
        with opened(store.path("signature", shard.signature) / "data.parquet") as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
                yield np.arange(at, at + batch.num_rows), batch
                at += batch.num_rows


class HashStep(Step):
    """Sends the hashes of a group of shards to their ranges."""

    name = "dedup-hashes"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division = Division(**task["division"])
        with hashes(task["run"], division).outbox(store, task["part"], division.outbox) as outbox:
            for docs, batch in read_signatures(store, [Shard(*shard) for shard in task["shards"]], ["exact", "words"]):
                exact, words = (np.asarray(batch[name]) for name in ("exact", "words"))
                # A document without words (symbols only) has nothing to compare: it is its own group.
                some = words > 0
                exact, words, docs = exact[some], words[some], docs[some]
                outbox.put(division.hash_range(exact), exact=exact, words=words, doc=docs)


class CopiesStep(Step):
    """Finds the groups of equal documents in one range of hashes."""

    name = "dedup-copies"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division, run, part = Division(**task["division"]), task["run"], task["part"]
        received = list(hashes(run, division).receive(store, part))
        (exact,) = columns(iter(received), "exact", dtype=np.uint64)
        (words,) = columns(iter(received), "words", dtype=np.int32)
        (docs,) = columns(iter(received), "doc")
        doc, group = find_copies(exact, words, docs)
        with store.write("work/dedup-exact", copies_key(run, part)) as (folder, meta):
            pq.write_table(pa.table([doc, group], schema=COPIES_SCHEMA), folder / "copies.parquet")
            meta.update(copies=len(doc))
        with copies(run, division).outbox(store, part, division.outbox) as outbox:
            outbox.put(division.group_of(doc), doc=doc)


def find_copies(
    exact: npt.NDArray[np.uint64], words: npt.NDArray[np.int32], docs: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Documents equal to a smaller one.

    :param exact, words, docs: (n) hash, length and number of each document.
    :returns: int64 (m), the copies in order, and int64 (m), the smallest document equal to each.
    """
    shared = with_equals(exact)
    exact, words, docs = exact[shared], words[shared], docs[shared]
    order = np.lexsort((docs, words, exact))
    exact, words, docs = exact[order], words[order], docs[order]
    new = np.ones(len(docs), bool)
    new[1:] = (exact[1:] != exact[:-1]) | (words[1:] != words[:-1])
    group = docs[first_of_run(new)]
    order = np.argsort(docs[~new])
    return docs[~new][order], group[~new][order]


def with_equals(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Positions, in no particular order, of the values that occur more than once: few, so all that follows is done with few."""
    order = np.argsort(values)
    ordered = values[order]
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(values), bool)
    shared[1:] = same
    shared[:-1] |= same
    return order[shared]


def first_of_run(new: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Position of the first of the run each row is in, where ``new`` marks the first of each."""
    return np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
