"""Candidates: documents that share an LSH band key.

Two steps. Tasks over groups of shards send (band, key, document) of the documents that stand for their exact copies to the parts of the
join; a task a part sorts each band's keys and pairs every document with the first of its bucket and the few before it, never all with
all, so a bucket of 100,000 costs 100,000 times a constant.

A pair goes to the group of its *later* document: of that one there are few pairs a band, while the first of a large bucket is in
all its pairs and would make one part grow with it. The group of the earlier document is told who asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dedup.division import NEIGHBOURS, Division, Shard
from pipeline.dedup.exact import copies, first_of_run, read_signatures, with_equals
from pipeline.dedup.exchange import Exchange, Outbox, columns, distinct
from pipeline.execute import Step
from pipeline.minhash import BANDS
from pipeline.store import Store


def band_keys(run: str, division: Division) -> Exchange:
    """``band``, ``key``, ``doc``: from groups of shards to parts of the join."""
    return Exchange("dedup-keys", run, division.groups)


def candidates(run: str, division: Division) -> Exchange:
    """``a``, ``b`` with a < b, a pair perhaps more than once: from parts of the join to the group of ``b``."""
    return Exchange("dedup-candidates", run, division.joins)


def asked(run: str, division: Division) -> Exchange:
    """``doc``, and ``group`` that compares it: from parts of the join to the document's own group, if that is another."""
    return Exchange("dedup-asked", run, division.joins)


class KeyStep(Step):
    """Sends the band keys of a group of shards to the parts of the join."""

    name = "dedup-keys"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division, run, part = Division(**task["division"]), task["run"], task["part"]
        (known,) = columns(copies(run, division).receive(store, part), "doc")
        known.sort()
        shards = [Shard(*shard) for shard in task["shards"]]
        with band_keys(run, division).outbox(store, part, division.outbox) as outbox:
            for docs, batch in read_signatures(store, shards, ["words", "bands"]):
                here = known[np.searchsorted(known, docs[0]) : np.searchsorted(known, docs[-1], side="right")]
                stands = np.asarray(batch["words"]) > 0
                stands[here - docs[0]] = False
                keys = np.asarray(batch["bands"].flatten()).reshape(-1, BANDS)[stands].T.ravel()
                bands = np.repeat(np.arange(BANDS), stands.sum())
                outbox.put(
                    division.join_of(bands, keys),
                    band=bands.astype(np.uint8),
                    key=keys,
                    doc=np.tile(docs[stands], BANDS),
                )


class CandidateStep(Step):
    """Pairs documents that share a key in one part of the join, one band after another."""

    name = "dedup-candidates"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        division, run, part = Division(**task["division"]), task["run"], task["part"]
        limit = division.outbox // 2
        with (
            candidates(run, division).outbox(store, part, limit) as pairs,
            asked(run, division).outbox(store, part, limit) as requests,
        ):
            found: list[tuple[np.ndarray, np.ndarray]] = []
            for band in division.bands_of(part):
                for a, b in bucket_pairs(*_of_band(store, band_keys(run, division), part, band), limit // 256):
                    found.append((a, b))
                    if sum(a.nbytes + b.nbytes for a, b in found) >= limit // 4:
                        _send(division, found, pairs, requests)
                        found = []
            if found:
                _send(division, found, pairs, requests)


def _of_band(store: Store, exchange: Exchange, part: int, band: int) -> tuple[np.ndarray, np.ndarray]:
    keys, docs = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for batch in exchange.receive(store, part):
        here = np.asarray(batch["band"]) == band
        keys.append(np.asarray(batch["key"])[here])
        docs.append(np.asarray(batch["doc"])[here])
    return np.concatenate(keys), np.concatenate(docs)


def _send(division: Division, found: list[tuple[np.ndarray, np.ndarray]], pairs: Outbox, requests: Outbox) -> None:
    """Send the pairs of some bands, each once."""
    b, a = distinct(*(np.concatenate([pair[i] for pair in found]) for i in (1, 0)))
    home = division.group_of(b)
    pairs.put(home, a=a, b=b)
    other = division.group_of(a) != home
    docs, groups = distinct(a[other], home[other])
    requests.put(division.group_of(docs), doc=docs, group=groups)


def bucket_pairs(
    keys: npt.NDArray[np.uint64], docs: npt.NDArray[np.int64], rows: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Pairs of documents with the same key.

    :param keys, docs: (n) key and number of each document.
    :param rows: how many documents' pairs to give at once, at least.
    :returns: int64 (m) earlier and int64 (m) later document of pairs, a pair once: in the order of a bucket each document with the first
        and with the :data:`NEIGHBOURS` before it.
    """
    shared = with_equals(keys)
    keys, docs = keys[shared], docs[shared]
    order = np.lexsort((docs, keys))
    keys, docs = keys[order], docs[order]
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    first = first_of_run(new)
    for start in range(0, len(docs), max(1000, rows)):
        at = np.arange(start, min(start + max(1000, rows), len(docs)))
        a, b = [], []
        # the first of a bucket has none before it; the first is not given again as one of the few before
        for before, has in ((first[at], ~new[at]), *((at - n, at - n > first[at]) for n in range(1, NEIGHBOURS + 1))):
            a.append(docs[before[has]])
            b.append(docs[at[has]])
        yield np.concatenate(a), np.concatenate(b)
