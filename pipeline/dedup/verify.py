"""Verification: exact Jaccard similarity of the full shingle sets of candidates.

Two steps. A task a group of shards makes the shingle set of each of its documents that some group compares, and sends it once to each of
those; a task a group compares the pairs whose later document it holds. About half of all candidates are false; merged unverified,
they grow giant clusters.

Both go through the documents in runs short enough that their pairs fit, and sets are loaded for as many pairs at a time as fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.attributes import read_documents
from pipeline.dedup.components import EDGES_SCHEMA, compress, edges_key, to_table
from pipeline.dedup.division import Division, Shard, windows
from pipeline.dedup.exchange import Exchange, Outbox, columns, distinct
from pipeline.dedup.join import asked, candidates
from pipeline.execute import Step
from pipeline.minhash import jaccard, shingle_sets
from pipeline.store import Store

Sets = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]


def shingles(run: str, division: Division) -> Exchange:
    """``doc``, ``shingles``: from a document's group to the groups that compare it, in order of the documents."""
    return Exchange("dedup-shingles", run, division.groups)


class ShingleStep(Step):
    """Sends the shingle sets of one group's candidates to where they are compared."""

    name = "dedup-shingles"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division, run, part = Division(**task["division"]), task["run"], task["part"]
        shards = [Shard(*shard) for shard in task["shards"]]
        with shingles(run, division).outbox(store, part, division.outbox) as outbox:
            compared, requests = candidates(run, division), asked(run, division)
            rows = 2 * _count(store, compared, part) + _count(store, requests, part)
            for low, high in windows(shards, rows, division.held):
                docs, groups = _wanted(store, compared, requests, part, low, high)
                for shard in shards:
                    first = shard.number << 32
                    start, stop = np.searchsorted(docs, [first, first + shard.rows])
                    if stop > start:
                        _send(store, shard.documents, docs[start:stop] - first, groups[start:stop], first, outbox)


def _count(store: Store, exchange: Exchange, part: int) -> int:
    """Rows a part was sent."""
    return sum(len(batch) for batch in exchange.receive(store, part))


def _wanted(
    store: Store, compared: Exchange, requests: Exchange, part: int, low: int, high: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Documents in [low, high) that are compared, and by which group; one that several compare is there as often."""
    docs, groups = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in compared.receive(store, part):
        for column in (batch["a"], batch["b"]):
            here = _between(np.asarray(column), low, high)
            docs.append(here)
            groups.append(np.full(len(here), part))
    for batch in requests.receive(store, part):
        doc = np.asarray(batch["doc"])
        inside = (doc >= low) & (doc < high)
        docs.append(doc[inside])
        groups.append(np.asarray(batch["group"])[inside])
    doc, group = distinct(np.concatenate(docs), np.concatenate(groups))
    return doc, group


def _between(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return values[(values >= low) & (values < high)]


def _send(store: Store, key: str, rows: np.ndarray, groups: np.ndarray, first: int, outbox: Outbox) -> None:
    at = 0
    for batch in read_documents(store, key, ["text"]):
        start, stop = np.searchsorted(rows, [at, at + batch.num_rows])
        if stop > start:
            here, copy = np.unique(rows[start:stop], return_inverse=True)
            flat, offsets = shingle_sets(batch["text"].take(pa.array(here - at)))
            sets = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat))
            outbox.put(groups[start:stop], doc=rows[start:stop] + first, shingles=sets.take(pa.array(copy)))
        at += batch.num_rows


class VerifyStep(Step):
    """Compares the pairs of one group."""

    name = "dedup-verify"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division, run, part = Division(**task["division"]), task["run"], task["part"]
        sets = _Received(shingles(run, division).receive(store, part))
        n_candidates = n_verified = n_edges = 0
        with (
            store.write("work/dedup-edges", edges_key(run, part)) as (folder, meta),
            pa.OSFile(str(folder / "data.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, EDGES_SCHEMA) as writer,
        ):
            compared = candidates(run, division)
            shards = [Shard(*shard) for shard in task["shards"]]
            for low, high in windows(shards, _count(store, compared, part), division.held):
                a, b = _pairs(store, compared, part, low, high)
                # sets are held three times for a moment, and take the place of what others have ready to send
                good = sets.similarity(a, b, division.outbox) >= task["threshold"]
                # only who belongs together goes on, not every pair that says so
                edges = compress(a[good], b[good])
                n_candidates, n_verified, n_edges = (
                    n_candidates + len(a),
                    n_verified + int(good.sum()),
                    n_edges + len(edges[0]),
                )
                writer.write_table(to_table(*edges))
            meta.update(candidates=n_candidates, verified=n_verified, edges=n_edges)


def _pairs(store: Store, exchange: Exchange, part: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidate pairs whose later document is in [low, high), in its order, each once."""
    a, b = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batch in exchange.receive(store, part):
        later = np.asarray(batch["b"])
        inside = (later >= low) & (later < high)
        a.append(np.asarray(batch["a"])[inside])
        b.append(later[inside])
    later, earlier = distinct(np.concatenate(b), np.concatenate(a))
    return earlier, later


class _Received:
    """The shingle sets a group was sent, in memory maps.

    :param batches: in order of the documents.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._parts = list(batches)
        (self._docs,) = columns(iter(self._parts), "doc")
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])
        lengths = [np.diff(np.asarray(part["shingles"].offsets)) for part in self._parts]
        self._lengths = np.concatenate([np.empty(0, np.int64), *lengths])

    def similarity(self, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.float64]:
        """Jaccard similarity of pairs.

        :param a, b: int64 (m) documents of each pair, sorted by ``b``.
        :param limit: bytes of sets held at once; a single pair may have more.
        """
        left, right = np.searchsorted(self._docs, a), np.searchsorted(self._docs, b)
        # sets of a block are counted as if no two pairs shared one
        total = np.cumsum((self._lengths[left] + self._lengths[right]) * 8)
        out = np.empty(len(a))
        start = 0
        while start < len(a):
            before = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, before + limit, side="right")))
            i, j = left[start:stop], right[start:stop]
            used = np.unique(np.concatenate([i, j]))
            sets = self._load(used)
            out[start:stop] = jaccard(sets, sets, np.searchsorted(used, i), np.searchsorted(used, j))
            start = stop
        return out

    def _load(self, used: npt.NDArray[np.int64]) -> Sets:
        """The sets at some positions, which are sorted, as :func:`pipeline.minhash.shingle_sets` gives them."""
        flat = [np.empty(0, np.uint64)]
        bounds = np.searchsorted(used, self._starts)
        for part, at, low, high in zip(self._parts, self._starts, bounds, bounds[1:], strict=False):
            if high > low:
                flat.append(np.asarray(part["shingles"].take(pa.array(used[low:high] - at)).flatten()))
        return np.concatenate(flat), np.concatenate([[0], np.cumsum(self._lengths[used])])
