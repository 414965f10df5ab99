"""MinHash signatures alone: time per document, and how good an estimate of the Jaccard similarity they are.

Three ways, one thread each, on the same texts with everything loaded and compiled before the clock starts:

* datatrove's ``MinhashDedupSignature`` with its defaults (5-grams of spaCy words, 14 x 8 = 112 hashes), the whole
  block as a pipeline runs it, files included;
* ``pipeline.minhash.signatures`` (5-grams, 16 x 7 = 112 hashes), and the Arrow array made from the texts;
* polars for the hashes of shingles and ``rensa`` 0.5 for 112 minima: the fastest that well-kept libraries give."""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from loguru import logger

from pipeline import minhash
from pipeline.words import mix64
from tests.benchmarks.corpus import build

#: Enough for a mean; datatrove takes some 5 s for as many.
TEXTS = 600
PAIRS = 400


def run(texts: list[str], runs: int) -> dict[str, Any]:
    """Microseconds per document of each way (median of runs) and their ratios, then the quality of the estimators."""
    texts = texts[:TEXTS]
    logger.disable("datatrove")
    ways = {
        "datatrove": _datatrove(texts),
        "wellmix": lambda: minhash.signatures(pa.array(texts)),
        "rensa": lambda: rensa(texts),
    }
    # The fast ones are over in milliseconds, where a single run would measure the machine's mood.
    repeats = {"datatrove": 1, "wellmix": 20, "rensa": 5}
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            started = perf_counter()
            for _ in range(repeats[name]):
                way()
            times[name].append((perf_counter() - started) / repeats[name] / len(texts) * 1e6)
    micros = {name: median(values) for name, values in times.items()}
    return {
        "texts": len(texts),
        "mean_bytes": sum(len(text.encode()) for text in texts) / len(texts),
        "us_per_document": micros,
        "all_runs": times,
        "vs_datatrove": micros["datatrove"] / micros["wellmix"],
        "rensa_vs_datatrove": micros["datatrove"] / micros["rensa"],
        "estimators": estimators(texts),
    }


def _datatrove(texts: list[str]):
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]

    def sign() -> None:
        with tempfile.TemporaryDirectory() as folder:
            MinhashDedupSignature(folder).run(documents)

    return sign


def rensa(texts: list[str]) -> Any:
    """Signatures by polars and rensa."""
    from rensa import RMinHash

    words = (
        pl.DataFrame({"text": texts})
        .with_row_index("doc")
        .select("doc", pl.col("text").str.to_lowercase().str.extract_all(r"\w+").alias("word"))
        .explode("word")
        .with_columns(pl.col("word").hash(1))
    )
    shingles = words.select(
        "doc",
        pl.struct(*(pl.col("word").shift(-k).alias(f"w{k}") for k in range(5))).hash(2).alias("shingle"),
        whole=pl.col("doc").shift(-4) == pl.col("doc"),
    ).filter("whole")
    counts = np.bincount(shingles["doc"].to_numpy(), minlength=len(texts))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
    return RMinHash.digest_matrix_from_flat_token_hashes(
        shingles["shingle"].to_numpy(), offsets, minhash.PERMUTATIONS, 1
    )


def estimators(texts: list[str], seed: int = 0) -> dict[str, Any]:
    """How far the share of equal minima is from the exact Jaccard similarity, for pairs of a text and an edited copy.

    For an unbiased estimator of n independent hashes the error has mean 0 and standard deviation sqrt(s (1 - s) / n);
    ``spread`` is the measured one over that (1 is ideal). ``recall`` is the share of the pairs of at least .8 that meet in a
    band, ``expected`` what the bands' formula gives for their similarities.
    """
    rng = np.random.default_rng(seed)
    vocabulary = np.array([word for text in texts[:100] for word in text.split()], dtype=object)
    long = [text for text in texts if len(text.split()) >= 100]
    left = [long[i % len(long)] for i in range(PAIRS)]
    right = []
    for i, text in enumerate(left):
        words = np.array(text.split(" "), dtype=object)
        # From hardly an edit to one word in seven: similarities spread over .2 to 1.
        chosen = np.flatnonzero(rng.random(len(words)) < 0.15 * (i % 40) / 40)
        words[chosen] = vocabulary[rng.integers(len(vocabulary), size=len(chosen))]
        right.append(" ".join(words))
    return {
        "wellmix": _judge(*_our_pairs(left, right), bands=minhash.BANDS, rows=minhash.ROWS),
        "datatrove": _judge(*_datatrove_pairs(left, right), bands=14, rows=8),
    }


def _judge(exact: np.ndarray, a: np.ndarray, b: np.ndarray, *, bands: int, rows: int) -> dict[str, float]:
    equal = a == b
    error = equal.mean(axis=1) - exact
    ideal = np.sqrt(exact * (1 - exact) / equal.shape[1])
    inner = ideal > 0
    met = equal.reshape(-1, bands, rows).all(axis=2).any(axis=1)
    alike = exact >= 0.8
    return {
        "pairs": len(exact),
        "bias": float(error.mean()),
        "bias_standard_error": float(error.std() / np.sqrt(len(error))),
        "rmse": float(np.sqrt((error**2).mean())),
        "spread": float(np.sqrt(((error[inner] / ideal[inner]) ** 2).mean())),
        "pairs_from_.8": int(alike.sum()),
        "recall": float(met[alike].mean()),
        "expected": float((1 - (1 - exact[alike] ** rows) ** bands).mean()),
    }


def _our_pairs(left: list[str], right: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sets = [minhash.shingle_sets(pa.array(side)) for side in (left, right)]
    order = np.arange(len(left))
    exact = minhash.jaccard(sets[0], sets[1], order, order)
    minima = [_minima(*side) for side in sets]
    # signatures() gives band keys only; that the minima worked out here are its own, their keys must show.
    keys = minhash.signatures(pa.array(left))[0]
    for document in (0, len(left) // 2):
        assert (_band_keys(minima[0][document]) == keys[document]).all(), (
            "the benchmark's minima are not the signature's"
        )
    return exact, minima[0], minima[1]


def _minima(shingles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    rows = []
    for start, stop in pairwise(offsets):
        hashed = (shingles[start:stop, None] * minhash._A + minhash._B) >> np.uint64(32)
        rows.append(hashed.astype(np.uint32).min(axis=0))
    return np.array(rows)


def _band_keys(minima: np.ndarray) -> np.ndarray:
    keys = []
    with np.errstate(over="ignore"):
        for band, part in enumerate(minima.reshape(minhash.BANDS, minhash.ROWS)):
            key = np.uint64(band + 1)
            for value in part:
                key = np.uint64(mix64(key ^ np.uint64(value))) + minhash._ROLL
            keys.append(key)
    return np.array(keys, dtype=np.uint64)


def _datatrove_pairs(left: list[str], right: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        block = MinhashDedupSignature(folder, MinhashConfig())
        exact, minima = [], ([], [])
        for pair in zip(left, right, strict=True):
            shingles = [block.get_shingles(text) for text in pair]
            a, b = (set(part.ravel().tolist()) for part in shingles)
            exact.append(len(a & b) / len(a | b))
            for side, part in zip(minima, shingles, strict=True):
                side.append(np.concatenate(block.get_signature(part)))
    return np.array(exact), np.array(minima[0]), np.array(minima[1])


if __name__ == "__main__":
    folder, size, runs = sys.argv[1:]
    print(json.dumps(run(list(build(Path(folder), float(size)).texts()), int(runs))))
