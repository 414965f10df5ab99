"""The score stage by effort, in one process with one thread, against the fastText call alone.

``python -m tests.benchmarks.scores FOLDER MB SMALL_MB RUNS``: prints JSON. The peer is ``fasttext``'s own ``predict`` with a
model of the usual size for filters (see :mod:`tests.benchmarks.models`), on lists of lines; ``kernel`` is our compiled
reading of our own fastText tier alone. Every effort is timed on the whole input but ``best`` on a part of about
``SMALL_MB``, since it takes minutes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import fasttext
import numpy as np
import pyarrow as pa

from classifiers import features
from classifiers.scorer import EFFORTS, Scorer
from classifiers.windows import windows_of
from tests.benchmarks.corpus import build
from tests.benchmarks.models import prepare

ROWS = 1000


def main() -> None:
    """Measure and print."""
    folder, megabytes, small, runs = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    texts = list(build(folder, megabytes).texts())
    batches = [pa.array(texts[at : at + ROWS]) for at in range(0, len(texts), ROWS)]
    size = sum(len(text.encode()) for text in texts)
    share = min(1.0, small / megabytes)
    fewer = batches[: max(1, round(len(batches) * share))]
    part = sum(len(text.encode()) for batch in fewer for text in batch.to_pylist())

    model = fasttext.load_model(str(prepare(folder) / "forum.bin"))
    lines = [[" ".join(text.split()) for text in batch.to_pylist()] for batch in batches]
    scorers = {effort: Scorer.load(effort=effort) for effort in EFFORTS}
    plain = scorers["fast"]

    def kernel() -> None:
        for batch in batches:
            features.score_windows(windows_of(batch), plain._tables, plain._output, plain._bias)

    def peer() -> None:
        for batch in lines:
            model.predict(batch, k=-1)

    asked: dict[str, dict[str, float]] = {}

    def stage(effort: str, which: list[pa.Array]) -> None:
        tiers: list[str] = []
        for batch in which:
            rows = scorers[effort].score(batch, pa.array(["en"] * len(batch)))
            tiers += rows.column("tier").drop_null().to_pylist()
        asked[effort] = {name: round(count / len(tiers), 3) for name, count in zip(*_counts(tiers), strict=True)}

    sides = {"kernel": (kernel, size), "fasttext": (peer, size)}
    sides |= {
        effort: (lambda effort=effort: stage(effort, fewer if effort == "best" else batches),
                 part if effort == "best" else size)
        for effort in EFFORTS
    }  # fmt: skip
    stage("best", [batches[0][:20]])  # sessions are made, kernels called up
    plain.warm_up()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, (work, done) in sides.items():
            started = perf_counter()
            work()
            times[name].append(done / 1e6 / (perf_counter() - started))
    speed = {name: median(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "mb_a_second": speed,
                "times_the_fasttext_call": {name: speed["kernel"] / speed[name] for name in speed},
                "documents_a_second": {name: value * 1e6 / (size / len(texts)) for name, value in speed.items()},
                "decided_by": asked,
            }
        )
    )


def _counts(tiers: list[str]) -> tuple[list[str], list[int]]:
    names, counts = np.unique(tiers, return_counts=True)
    return names.tolist(), counts.tolist()


if __name__ == "__main__":
    main()
