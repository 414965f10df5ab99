"""wellmix on the benchmarks' input: a recipe, a card, and a run in a fresh store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from tests.benchmarks.corpus import Corpus
from tests.benchmarks.measure import Run, python, run

#: The same work as the peers': everything in once, fastText classifiers, no contamination check (they have none), JSON lines out.
RECIPE = {
    "purpose": "research",
    "budget": 10**12,
    "seed": 0,
    "sources": {"bench": {"epochs": 1}},
    "validation": 0,
    "effort": "fast",
    "filters": {"contamination": False},
    "shards": {"formats": ["jsonl"]},
    "cards": ["cards"],
}

CARD = {
    "name": "bench",
    "title": "Input of the benchmarks",
    "family": "general",
    "reader": {"name": "jsonl", "text": "text", "key": "id"},
    "license": {"id": "LicenseRef-bench", "allows": ["pretraining"]},
    "consent": {"basis": "unknown"},
    "sensitivity": "high",
    "language": ["en"],
    "citation": "none: measured and thrown away",
    "takedown": "none: measured and thrown away",
}


def write_recipe(folder: Path, corpus: Corpus) -> Path:
    """The recipe and its card, in a folder.

    A task takes whole compressed files up to ``shard_bytes``; it is set so that one file is one task, as for the peers.
    """
    (folder / "cards").mkdir(parents=True, exist_ok=True)
    url = f"file://{Path(corpus.folder).resolve()}/*.jsonl.zst"
    (folder / "cards" / "bench.yaml").write_text(yaml.safe_dump({**CARD, "where": {"url": url}}))
    largest = max(path.stat().st_size for path in corpus.paths)
    recipe = folder / "bench.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPE, "ingest": {"shard_bytes": max(1 << 16, largest)}}))
    return recipe


def mix(
    folder: Path, corpus: Corpus, workers: int, *, cache: Path | None = None, memory: bool = False
) -> tuple[Run, dict]:
    """``wellmix mix`` in a fresh store.

    :param cache: folder for numba's compiled code; default the usual one beside the sources, which is warm after one run.
    :returns: the run and what ``--json`` printed.
    """
    recipe = write_recipe(folder / "recipe", corpus)
    store, out = folder / "store", folder / "out"
    for path in (store, out):
        shutil.rmtree(path, ignore_errors=True)
    env = {"NUMBA_CACHE_DIR": str(cache)} if cache else {}
    command = python(
        "-m", "pipeline.cli", "mix", recipe, "--out", out, "--store", store, "--workers", workers, "--json"
    )
    finished = run(command, env, memory=memory)
    summary = json.loads(finished.stdout)
    shutil.rmtree(store, ignore_errors=True)
    return finished, summary
