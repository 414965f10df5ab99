"""The multiplied corpora are what they say, whatever the division into files; and figures of other sizes follow from those measured."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zstandard

from pipeline.recipe import load_recipe
from tests.benchmarks import multiply as module
from tests.benchmarks.multiply import SOURCES, multiply
from tests.benchmarks.scale import STAGES, Samples, by_stage, slope, table
from tests.benchmarks.sizing import Model, figures


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Every document, in order of its number."""
    found = []
    for path in folder.glob("*/*.jsonl.zst"):
        with path.open("rb") as raw:
            found += [json.loads(line) for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw))]
    return sorted(found, key=lambda row: row["key"])


@pytest.mark.slow
def test_documents_are_new_near_and_exact_in_the_shares_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(3_000)] + ['"quoted"', "back\\slash", "accentué"]
    texts = [" ".join(" ".join(rng.choice(words, 12)) + "." for _ in range(rng.integers(4, 12))) for _ in range(300)]
    families = [family for names, _ in SOURCES.values() for family in names]
    pieces = [(families[n % len(families)], text) for n, text in enumerate(texts)]
    monkeypatch.setattr(module, "real_pieces", lambda root: pieces)
    monkeypatch.setattr(module, "BLOCK", 50)
    monkeypatch.setattr(module, "BLOCK_FROM", 1_000)
    corpus = multiply(tmp_path / "a", 1_000, workers=1)
    rows = rows_of(Path(corpus.folder))
    assert [row["key"] for row in rows] == [f"d{n:011d}" for n in range(1_000)]
    assert all(set(row) == {"key", "author", "created", "text"} for row in rows)
    held = Counter(row["text"] for row in rows)
    block = [row["text"] for row in rows[::20]]
    assert len(set(block)) == 1 and held[block[0]] >= 50
    copies = sum(count - 1 for text, count in held.items() if text != block[0]) / 950
    assert 0.02 < copies < 0.08

    def shingles(text: str) -> set[tuple[str, ...]]:
        tokens = text.split()
        return {tuple(tokens[n : n + 5]) for n in range(len(tokens) - 4)}

    sets = [shingles(text) for text in held]
    table = pl.DataFrame(
        {"shingle": [hash(s) for own in sets for s in own], "text": [n for n, own in enumerate(sets) for _ in own]}
    )
    shared = (
        table.join(table, on="shingle")
        .filter(pl.col("text") < pl.col("text_right"))
        .group_by("text", "text_right")
        .len()
    )
    jaccard = np.array([n / (len(sets[a]) + len(sets[b]) - n) for a, b, n in shared.iter_rows()])
    assert 0.08 < len(set(shared.filter(pl.Series(jaccard > 0.3))["text_right"])) / 1_000 < 0.22
    # what is not planned as a duplicate shares a sentence at most here and there
    assert np.quantile(jaccard, 0.5) < 0.2

    monkeypatch.setattr(module, "FILE_DOCUMENTS", 70)
    assert rows_of(Path(multiply(tmp_path / "b", 1_000, workers=1).folder)) == rows
    recipe, cards = load_recipe(corpus.recipe)
    assert set(cards) == set(SOURCES) and recipe.budget == corpus.text_bytes // 10


def row(documents: int) -> dict[str, Any]:
    """A made-up measurement: the plan grows as the square, everything else linearly."""
    stages = {stage: {"wall": 1.0, "main": 1.0, "others": documents / 1e3} for stage in STAGES}
    stages["plan"] = {"wall": 1.0, "main": (documents / 1e3) ** 2, "others": 0.0}
    return {
        "documents": documents,
        "arguments": {"effort": "fast", "workers": 2, "executor": "local"},
        "input": {"text_bytes": documents * 1_000, "file_bytes": documents * 400, "files": 4},
        "seconds": documents / 100,
        "stages": stages,
        "peaks": {
            "main": 300 + documents / 1e3,
            "worker": 500.0,
            "tree_pss": 900.0,
            "store": documents * 2e3,
            "passing": documents * 300.0,
        },
        "store": {"documents": {"bytes": documents * 500, "files": 4}},
        "output": {"documents": documents // 2, "bytes": documents * 250, "files": 3},
        "load_before": 0.1,
    }


def test_other_sizes_follow_from_those_measured() -> None:
    rows = [row(10_000), row(100_000)]
    model = Model(rows)
    assert slope(rows, lambda r: r["stages"]["plan"]["main"]) == pytest.approx(2)
    assert model.exponent("plan", "main") == 1.2 and model.exponent("prepare", "main") == 1
    assert model.cpu("documents", "others", 1_000_000) == pytest.approx(1_000)
    # what does not grow with documents does not grow
    assert model.cpu("prepare", "main", 10**10) == pytest.approx(1)
    assert model.at(lambda r: r["peaks"]["main"], 1_000_000) == pytest.approx(1_300)
    assert model.artifact("documents") == 500 and model.artifact("passing") == 300
    text = figures({"machine": {"cores": 2, "memory_gb": 25.0}, "rows": rows})
    assert "| seconds | 100.0 | 1,000.0 | 10.00 | 1.00 |" in table(rows) and table(rows) in text
    assert "**plan, main process** takes longest" in text
    assert "| text, TB | 0.10 | 10.00 |" in text


def test_cpu_is_given_to_the_stage_in_which_it_was_used() -> None:
    samples = Samples(begun=2, times=[0, 2, 6, 10, 11], main=[0, 2, 2, 6, 7], others=[0, 0, 8, 8, 8])
    found = by_stage(samples, {"documents": 4.0, "dedup": 4.0, "dedup/shingles": 1.0}, 11.0)
    assert {stage: tuple(found[stage].values()) for stage in ("start", "documents", "dedup", "end")} == {
        "start": (2.0, 2.0, 0.0),
        "documents": (4.0, 0.0, 8.0),
        "dedup": (4.0, 4.0, 0.0),
        "end": (1.0, 1.0, 0.0),
    }
