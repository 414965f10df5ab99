"""The same work by stock datatrove 0.10.1 blocks, laid out as its own FineWeb example is (``examples/fineweb.py``).

Run as a process of its own: ``python -m tests.benchmarks.datatrove_pipeline INPUT WORK --workers 2 --models FOLDER``.

Every block is datatrove's, with its defaults. What is set, and why:

* ``LanguageFilter`` downloads lid.176.bin from a server; its model class gets the path of the ``lid.176.ftz`` that
  wellmix ships instead. Loading and prediction are its own. The quantised file may be
  slower or faster than the one it would download; the block takes some 6 % of the whole.
* ``FastTextClassifierFilter``: ``remove_labels=[]`` (the block cannot do without either list) and
  ``newline_replacement=" "`` (its default glues lines together): it annotates, as our classifiers do.
* words are cut by datatrove's default for English, a blank spaCy pipeline.
* MinHash: the default configuration, 5-grams, 14 buckets of 8 hashes.
* tokens are counted with the ``tokenizers`` library on the vocabulary that wellmix counts with, after deduplication,
  as in the example. The vocabulary is loaded once a task, 1 to 2 s each, which a smaller one would not take.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
from datatrove.pipeline.filters import (
    FastTextClassifierFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import TokensCounter
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.lid import FT176LID
from loguru import logger


class LocalLID(FT176LID):
    """datatrove's language model, from a local file."""

    path: str = ""

    @property
    def model(self):
        if self._model is None:
            from fasttext.FastText import _FastText

            self._model = _FastText(self.path)
        return self._model


def language_filter(weights: Path) -> LanguageFilter:
    """datatrove's language filter on local weights."""
    block = LanguageFilter(languages=["en"])
    block.model = LocalLID(["en"])
    block.model.path = str(weights)
    return block


def steps(corpus: Path, work: Path, models: Path, lid: Path) -> list[tuple[str, list[PipelineStep], int | None]]:
    """Name, blocks and number of tasks (None: one a file) of each stage."""
    config = MinhashConfig()
    classifiers = [
        FastTextClassifierFilter(str(path), remove_labels=[], newline_replacement=" ")
        for path in sorted(models.glob("*.bin"))
    ]
    return [
        (
            "filter and classify",
            [
                JsonlReader(str(corpus), glob_pattern="*.jsonl.zst"),
                language_filter(lid),
                GopherRepetitionFilter(),
                GopherQualityFilter(),
                PIIFormatter(),
                *classifiers,
                JsonlWriter(str(work / "filtered"), "${rank}.jsonl.zst", compression="zstd"),
            ],
            None,
        ),
        (
            "signatures",
            [JsonlReader(str(work / "filtered")), MinhashDedupSignature(str(work / "signatures"), config)],
            None,
        ),
        (
            "buckets",
            [MinhashDedupBuckets(str(work / "signatures"), str(work / "buckets"), config=config)],
            config.num_buckets,
        ),
        ("cluster", [MinhashDedupCluster(str(work / "buckets"), str(work / "remove"), config=config)], 1),
        (
            "deduplicate and count",
            [
                JsonlReader(str(work / "filtered")),
                MinhashDedupFilter(str(work / "remove")),
                TokensCounter(str(models / "tokenizer.json")),
                JsonlWriter(str(work / "output"), "${rank}.jsonl.zst", compression="zstd"),
            ],
            None,
        ),
    ]


def main() -> None:
    """Run all stages; the last line on stdout is JSON with seconds by stage and by block."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--models", type=Path, required=True, help="two fastText models and tokenizer.json")
    parser.add_argument("--lid", type=Path, required=True, help="language model")
    args = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")

    files = len(list(args.corpus.glob("*.jsonl.zst")))
    stages: dict[str, float] = {}
    blocks: dict[str, float] = {}
    for name, pipeline, tasks in steps(args.corpus, args.work, args.models, args.lid):
        started = perf_counter()
        logs = args.work / "logs" / name.replace(" ", "-")
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks or files, workers=args.workers, logging_dir=str(logs)
        ).run()
        stages[name] = perf_counter() - started
        for block in json.loads((logs / "stats.json").read_text()):
            label = f"{name}: {block['name']}"
            blocks[label] = blocks.get(label, 0.0) + (block.get("time_stats") or {}).get("total", 0.0)
    stats = json.loads((args.work / "logs" / "deduplicate-and-count" / "stats.json").read_text())
    print(json.dumps({"stages": stages, "blocks": blocks, "documents": _written(stats)}))


def _written(stats: list[dict]) -> int:
    total = stats[-1]["stats"].get("total", 0)
    return int(total["total"] if isinstance(total, dict) else total)


if __name__ == "__main__":
    main()
