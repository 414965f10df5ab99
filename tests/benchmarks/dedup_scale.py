"""Finding duplicates at scale: seconds, memory and disk as the number of documents grows.

    python -m tests.benchmarks.dedup_scale --documents 100000 1000000 --workers 2 --memory 2GB

Signature tables and documents are made directly, without ingest. A fifth of the documents are near-duplicates or copies of another
(clusters of three on average, spread over all shards, some of whose pairs are below the threshold), two buckets hold a tenth each, at
most 100,000: one of the same text, one of a text with one word changed. The other documents have band keys that nobody shares, and
one word as their text: it is never compared. Every process's resident memory is sampled; memory-mapped pages count.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.attributes import SIGNATURE_SCHEMA, Signature
from pipeline.console import Progress
from pipeline.dedup import run_dedup
from pipeline.minhash import BANDS
from pipeline.server import start_server
from pipeline.store import Store
from pipeline.words import mix_ids

SHARD_ROWS = 20_000
WORDS = 100
VOCABULARY = pa.array([f"{a}{b}{c}{d}" for a in "bdfgklmn" for b in "aeiou" for c in "nrstl" for d in "aeiouy"])
BUCKET = 100_000


def make_corpus(store: Store, documents: int, seed: int = 1) -> list[str]:
    """Write documents and signatures; returns the keys of the shards, the same for both."""
    bucket = min(BUCKET, documents // 10)
    order = np.random.default_rng(seed).permutation(documents)
    keys = []
    for n, start in enumerate(range(0, documents, SHARD_ROWS)):
        numbers = order[start : start + SHARD_ROWS].astype(np.uint64)
        key = f"{n:032x}"
        edits = mix_ids(numbers, seed + 1) % np.uint64(3)
        base = np.uint64(2) + mix_ids(numbers, seed + 2) % np.uint64(max(1, documents // 15))
        same, near = numbers < bucket, (numbers >= bucket) & (numbers < 2 * bucket)
        base[same], edits[same] = 0, 0
        base[near], edits[near] = 1, 1
        written = numbers < 2 * bucket + documents // 5
        texts = np.full(len(numbers), "alone", dtype=object)
        texts[written] = _texts(base[written], edits[written], numbers[written], seed).to_pylist()
        bands = np.stack([mix_ids(numbers, seed + 10 + band) for band in range(BANDS)], axis=1)
        table = pa.RecordBatch.from_pydict(
            {
                "exact": mix_ids(numbers, seed + 3),
                "words": np.full(len(numbers), WORDS, np.int32),
                "bands": pa.FixedSizeListArray.from_arrays(pa.array(bands.reshape(-1)), BANDS),
            },
            schema=SIGNATURE_SCHEMA,
        )
        signed = Signature().compute(pa.RecordBatch.from_pydict({"text": pa.array(texts[written], pa.string())}))
        at = np.arange(len(numbers))
        at[written] = len(numbers) + np.arange(written.sum())
        table = pa.Table.from_batches([table, signed]).take(pa.array(at))
        with store.write("documents", key) as (folder, meta):
            meta.update(documents=len(numbers))
            pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "documents.parquet")
        with store.write("signature", key) as (folder, _):
            pq.write_table(
                table, folder / "data.parquet", compression="zstd", use_dictionary=False, write_statistics=False
            )
        keys.append(key)
    return keys


def _texts(base: np.ndarray, edits: np.ndarray, numbers: np.ndarray, seed: int) -> pa.Array:
    """A text for each document: its base's words, some of them changed."""
    place = base[:, None] * np.uint64(WORDS) + np.arange(WORDS, dtype=np.uint64)
    words = mix_ids(place.ravel(), seed + 4).reshape(place.shape) % np.uint64(len(VOCABULARY))
    for edit in range(2):
        changed = np.flatnonzero(edits > edit)
        at = mix_ids(numbers[changed], seed + 5 + edit) % np.uint64(WORDS)
        words[changed, at.astype(np.int64)] = mix_ids(numbers[changed], seed + 7 + edit) % np.uint64(len(VOCABULARY))
    flat = VOCABULARY.take(pa.array(words.ravel()))
    return pc.binary_join(pa.ListArray.from_arrays(np.arange(0, words.size + 1, WORDS, dtype=np.int32), flat), " ")


class Memory(threading.Thread):
    """Samples the resident memory of this process and its children; ``stop`` gives the peaks in MB, of this one and the largest other."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._peaks: dict[int, int] = {}
        self._end = threading.Event()
        self._me = psutil.Process()

    def run(self) -> None:
        while not self._end.wait(0.05):
            for process in [self._me, *self._me.children(recursive=True)]:
                try:
                    rss = process.memory_info().rss
                except psutil.Error:
                    continue
                self._peaks[process.pid] = max(rss, self._peaks.get(process.pid, 0))

    def stop(self) -> tuple[int, int]:
        self._end.set()
        self.join()
        main = self._peaks.pop(self._me.pid, 0)
        return main // 10**6, max(self._peaks.values(), default=0) // 10**6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--work", type=Path, help="folder for the stores; default a temporary one")
    args = parser.parse_args()
    start_server()
    points = []
    with tempfile.TemporaryDirectory() as temporary:
        for documents in args.documents:
            store = Store((args.work or Path(temporary)) / f"scale-{documents}")
            keys = make_corpus(store, documents)
            clock, memory = Progress(False), Memory()
            before = memory._me.memory_info().rss // 10**6
            memory.start()
            began = time.perf_counter()
            made = run_dedup(store, keys, keys, 0.75, memory=args.memory, workers=args.workers, progress=clock)
            seconds = time.perf_counter() - began
            main_mb, worker_mb = memory.stop()
            work = [path for path in (store.root / "work").rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in work)
            meta = store.meta("clusters", made)
            print(f"\n{documents:,} documents, {args.workers} workers, {args.memory}")
            for label, spent in clock.seconds.items():
                print(f"  {label:<28}{spent:8.1f} s")
            print(f"  {'all':<28}{seconds:8.1f} s   {seconds / documents * 1e6:.1f} us a document")
            print(f"  peak of the main process {main_mb} MB (before: {before}), of the largest other {worker_mb} MB")
            print(f"  work/: {size / 1e6:,.0f} MB in {len(work):,} files, {size / documents:.0f} bytes a document")
            print("  " + ", ".join(f"{name} {value:,}" for name, value in meta.items()))
            points.append((documents, seconds))
            store.sweep_work()
    for (n, s), (m, t) in pairwise(points):
        print(f"slope from {n:,} to {m:,} documents: {math.log(t / s) / math.log(m / n):.2f} (1 is linear)")


if __name__ == "__main__":
    main()
