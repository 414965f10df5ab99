"""What the pipeline costs over the calls it cannot do without.

Both sides run in this process on one thread, after a small run that imports, compiles and loads everything, and on
the same files.

*Ours* is ``run_mix`` with one worker and a fresh store: all of a user's run but the start of the interpreter.

*Kernels* is the sum of the bare batch calls, each with its input ready in memory, nothing stored between them, no
ledger, no keys, no ids, no resume:

===========  ==========================================================================================================
read         zstandard's stream and ``orjson.loads`` of each line; the Arrow array of a batch
clean        ``pipeline.clean.clean`` (polars and ftfy where a text needs it, one compiled pass)
deidentify   the compiled scan, and the finders on the texts it marks
language     fastText's ``predict`` of a list of 400-character heads
quality      the compiled measures
scores       the compiled classifier
signature    the compiled MinHash
tokens       tokie's count
write        documents as zstd Parquet, attributes as zstd Parquet, and all texts once as zstd JSON lines
duplicates   DuckDB's self join of the bands, and the Jaccard similarity of the pairs it finds
===========  ==========================================================================================================

Where no library does a step at such a speed (cleaning, de-identification, quality, scores, MinHash) the kernel is our
own compiled function, called as bare as a library's; were slower libraries put there, the ratio would look better
than it is. ``libraries`` is the sum over those steps alone that a library does: read, language, tokens, write,
duplicates.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from classifiers.language import HEAD_CHARS
from classifiers.scorer import Scorer
from pipeline.clean import clean
from pipeline.deidentify import Deidentifier
from pipeline.ingest import BATCH_RECORDS, language_id
from pipeline.minhash import BANDS, jaccard, shingle_sets, signatures
from pipeline.mix import run_mix
from pipeline.quality import measure
from pipeline.recipe import Recipe
from pipeline.tokens import load_tokenizer
from tests.benchmarks import ours
from tests.benchmarks.corpus import Corpus, build

LIBRARIES = ("read", "language", "tokens", "write", "duplicates")


def run(folder: Path, corpus: Corpus, small: Corpus, runs: int) -> dict[str, Any]:
    """Seconds of both sides (medians of alternating runs) and their ratio."""
    _ours(folder, small)
    kernels = _Kernels(folder)
    kernels.run(small)
    whole, parts = [], []
    for _ in range(runs):
        whole.append(_ours(folder, corpus))
        parts.append(kernels.run(corpus))
    middle = {name: median(part[name] for part in parts) for name in parts[0]}
    total = sum(middle.values())
    libraries = sum(middle[name] for name in LIBRARIES)
    return {
        "ours_s": median(whole),
        "all_runs": whole,
        "kernels_s": total,
        "kernels": middle,
        # Of each pair of neighbouring runs, for the machine's speed changes between pairs.
        "ratio": median(mine / sum(part.values()) for mine, part in zip(whole, parts, strict=True)),
        "libraries_s": libraries,
    }


def _ours(folder: Path, corpus: Corpus) -> float:
    recipe = ours.write_recipe(folder / "recipe", corpus)
    for name in ("store", "out"):
        shutil.rmtree(folder / name, ignore_errors=True)
    started = perf_counter()
    run_mix(recipe, out=folder / "out", store_root=folder / "store", workers=1, show_progress=False)
    return perf_counter() - started


class _Kernels:
    """The bare calls, with their models loaded."""

    def __init__(self, folder: Path) -> None:
        self._out = folder / "kernels"
        self._out.mkdir(parents=True, exist_ok=True)
        self._language = language_id()._model
        self._scorer = Scorer.load(effort="fast")
        self._tokenizer = load_tokenizer(Recipe.model_fields["tokenizer"].default)
        self._deidentifier = Deidentifier()
        self._seconds: dict[str, float] = defaultdict(float)

    def run(self, corpus: Corpus) -> dict[str, float]:
        """Seconds of each kernel over a corpus."""
        self._seconds = defaultdict(float)
        bands, texts = [], []
        with zstandard.ZstdCompressor(level=3).stream_writer((self._out / "out.jsonl.zst").open("wb")) as lines:
            for number, path in enumerate(corpus.paths):
                batches, attributes = [], []
                for raw in self._read(path):
                    batch, attribute, keys = self._batch(raw)
                    batches.append(batch)
                    attributes.append(attribute)
                    bands.append(keys)
                self._timed("write", lambda b=batches, a=attributes, n=number: self._parquet(b, a, n))
                self._timed("write", lambda b=batches, out=lines: self._lines(b, out))
                texts += [batch["text"] for batch in batches]
        self._timed("duplicates", lambda: self._duplicates(np.concatenate(bands), pa.chunked_array(texts)))
        return dict(self._seconds)

    def _timed(self, name: str, call: Any) -> Any:
        started = perf_counter()
        value = call()
        self._seconds[name] += perf_counter() - started
        return value

    def _read(self, path: Path):
        with path.open("rb") as raw:
            stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw), 1 << 20)
            while True:
                batch = self._timed("read", lambda: _rows(stream))
                if not len(batch):
                    return
                yield batch

    def _batch(self, raw: pa.Array) -> tuple[pa.RecordBatch, pa.RecordBatch, np.ndarray]:
        cleaned = self._timed("clean", lambda: clean(raw, "general"))
        texts = self._timed("deidentify", lambda: self._deidentifier.deidentify(cleaned)[0])
        heads = pc.replace_substring(pc.utf8_slice_codeunits(texts, 0, HEAD_CHARS), "\n", " ").to_pylist()
        found = self._timed("language", lambda: self._language.predict(heads, k=1))[0]
        languages = pa.array([labels[0].removeprefix("__label__") if labels else "und" for labels in found])
        quality = self._timed("quality", lambda: measure(texts))
        scores = self._timed("scores", lambda: self._scorer.score(texts, languages))
        keys, exact, words = self._timed("signature", lambda: signatures(texts))
        rows = texts.to_pylist()
        counts = self._timed("tokens", lambda: self._tokenizer._fast.count_tokens_batch(rows))
        documents = pa.RecordBatch.from_arrays([texts, languages], names=["text", "language"])
        attributes = pa.RecordBatch.from_arrays(
            [
                *quality.columns,
                *scores.columns,
                pa.array(exact),
                pa.array(words),
                pa.FixedSizeListArray.from_arrays(pa.array(keys.reshape(-1)), BANDS),
                pa.array(counts, pa.int32()),
            ],
            names=[*quality.schema.names, *scores.schema.names, "exact", "words", "bands", "tokens"],
        )
        return documents, attributes, keys

    def _parquet(self, documents: list[pa.RecordBatch], attributes: list[pa.RecordBatch], number: int) -> None:
        for name, batches, level in (("documents", documents, 1), ("attributes", attributes, None)):
            pq.write_table(
                pa.Table.from_batches(batches),
                self._out / f"{name}-{number}.parquet",
                compression="zstd",
                compression_level=level,
                use_dictionary=False,
                write_statistics=False,
            )

    @staticmethod
    def _lines(batches: list[pa.RecordBatch], out: Any) -> None:
        for batch in batches:
            out.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist()))

    @staticmethod
    def _duplicates(bands: np.ndarray, texts: pa.ChunkedArray) -> int:
        table = pa.table({"row": np.repeat(np.arange(len(bands)), BANDS), "key": bands.reshape(-1)})
        con = duckdb.connect(config={"threads": 1})
        con.register("bands", table)
        pairs = con.execute("""
            SELECT DISTINCT first, row FROM (SELECT row, min(row) OVER (PARTITION BY key) AS first FROM bands) WHERE row > first
        """).fetchnumpy()
        con.close()
        if not len(pairs["row"]):
            return 0
        named = np.unique(np.concatenate([pairs["first"], pairs["row"]]))
        sets = shingle_sets(texts.take(pa.array(named)).combine_chunks())
        similar = jaccard(sets, sets, np.searchsorted(named, pairs["first"]), np.searchsorted(named, pairs["row"]))
        return int((similar >= 0.75).sum())


def _rows(stream: io.BufferedReader) -> pa.Array:
    texts = []
    for line in stream:
        texts.append(orjson.loads(line)["text"])
        if len(texts) == BATCH_RECORDS:
            break
    return pa.array(texts, pa.string())


if __name__ == "__main__":
    root, (size, small, runs) = Path(sys.argv[1]), sys.argv[2:]
    print(json.dumps(run(root / "kernels", build(root, float(size)), build(root, float(small)), int(runs))))
