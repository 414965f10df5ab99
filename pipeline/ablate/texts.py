"""The texts proxies read, as tokens of a small vocabulary: those of the pool and of the held-out documents, and no others.

They are tokenised once, a shard of documents at a time, and every mix reads through its positions: no mix has a copy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa

from pipeline.ablate.draws import Draws
from pipeline.attributes import read_documents
from pipeline.console import Progress
from pipeline.execute import Step, run_step
from pipeline.store import Store, make_key
from pipeline.tokens import load_tokenizer

TEXTS_VERSION = 1


class TokeniseStep(Step):
    """Tokenises some rows of one shard of documents."""

    name = "proxy-tokens"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        rows = np.load(task["rows"], allow_pickle=False)
        tokenizer = load_tokenizer(task["tokenizer"])
        ids: list[np.ndarray] = []
        lengths: list[np.ndarray] = []
        at = 0
        for batch in read_documents(store, task["documents"], ["text"]):
            low, high = np.searchsorted(rows, [at, at + batch.num_rows])
            if high > low:
                part, counts = tokenizer.encode(batch["text"].take(pa.array(rows[low:high] - at)))
                ids.append(part.astype(np.uint16))
                lengths.append(counts)
            at += batch.num_rows
        with store.write("proxy-tokens", task["key"]) as (folder, meta):
            np.save(folder / "ids.npy", np.concatenate(ids))
            np.save(folder / "lengths.npy", np.concatenate(lengths))
            meta.update(rows=len(rows))


@dataclass(frozen=True)
class Texts:
    """Tokenised documents, one after another, each ended by the end-of-document token.

    :param codes: shard << 32 | row of each, ascending; shape (documents,).
    :param ids: uint16, shape (tokens,).
    :param starts: int64, shape (documents + 1,).
    """

    codes: np.ndarray
    ids: np.ndarray
    starts: np.ndarray

    def gather(self, shard: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of some documents, one after another.

        :returns: ids (uint16) and starts (int64, one more than documents).
        """
        at = np.searchsorted(self.codes, codes(shard, row))
        lengths = self.starts[at + 1] - self.starts[at]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        out = np.empty(starts[-1], dtype=np.uint16)
        _copy(self.ids, self.starts, at, starts, out)
        return out, starts


def codes(shard: np.ndarray, row: np.ndarray) -> np.ndarray:
    """One number a document, ascending by shard and row."""
    return (shard.astype(np.int64) << 32) | row.astype(np.int64)


def documents_of(draws: Draws) -> np.ndarray:
    """Codes of the documents of some copies, ascending, each once."""
    first = draws.epoch == 0
    return np.sort(codes(draws.shard[first], draws.row[first]))


@numba.njit(cache=True)
def _copy(ids, starts, at, out_starts, out):
    for i in range(len(at)):
        low, high = starts[at[i]], starts[at[i] + 1]
        out[out_starts[i] : out_starts[i] + high - low] = ids[low:high]


def texts_keys(documents: list[str], wanted: np.ndarray, tokenizer: str) -> dict[int, tuple[str, np.ndarray]]:
    """Shard -> (key of its tokens, rows) of each shard that documents are wanted of.

    :param documents: key of each shard's documents.
    :param wanted: :func:`codes`, ascending and without repeats.
    """
    version = load_tokenizer(tokenizer).version
    bounds = np.searchsorted(wanted >> 32, np.arange(len(documents) + 1))
    keys: dict[int, tuple[str, np.ndarray]] = {}
    for shard, (low, high) in enumerate(pairwise(bounds)):
        if high > low:
            rows = (wanted[low:high] & 0xFFFFFFFF).astype(np.int64)
            digest = hashlib.blake2b(rows.tobytes(), digest_size=16).hexdigest()
            keys[shard] = (
                make_key("proxy-tokens", TEXTS_VERSION, documents=documents[shard], tokenizer=version, rows=digest),
                rows,
            )
    return keys


def run_texts(
    store: Store, documents: list[str], wanted: np.ndarray, tokenizer: str, *, workers: int, progress: Progress
) -> dict[int, str]:
    """Tokenise what is not there yet.

    :returns: shard -> key of its tokens, for :func:`load_texts`.
    """
    load_tokenizer(tokenizer).count(pa.array(["x"]))  # compiled here, once, before workers ask for it
    keys = texts_keys(documents, wanted, tokenizer)
    with store.scratch("rows") as folder:
        tasks = []
        for shard, (key, rows) in keys.items():
            if not store.has("proxy-tokens", key):
                path = folder / f"{shard}.npy"
                np.save(path, rows)
                tasks.append({"documents": documents[shard], "rows": str(path), "tokenizer": tokenizer, "key": key})
        run_step(TokeniseStep, store, tasks, workers=workers, progress=progress, label="tokenise for proxies")
    return {shard: key for shard, (key, _) in keys.items()}


def load_texts(store: Store, keys: dict[int, str], wanted: np.ndarray, eos: int) -> Texts:
    """Read tokenised documents, and end each.

    :param keys: of :func:`run_texts`.
    :param wanted: the same as there.
    """
    folders = [store.path("proxy-tokens", keys[shard]) for shard in sorted(keys)]
    lengths = np.concatenate(
        [np.load(folder / "lengths.npy", allow_pickle=False) for folder in folders] or [np.empty(0, np.int64)]
    )
    starts = np.concatenate([[0], np.cumsum(lengths + 1)])
    ids = np.full(starts[-1], eos, dtype=np.uint16)
    at = 0
    for folder in folders:
        part, counts = _load(folder)
        own = np.repeat(np.arange(len(counts)), counts)
        ids[starts[at] + np.arange(len(part)) + own] = part
        at += len(counts)
    return Texts(wanted, ids, starts)


def _load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / "ids.npy", allow_pickle=False), np.load(folder / "lengths.npy", allow_pickle=False)
