"""Make the shipped hash lists from the evaluation sets' own files: ``WELLMIX_DATA=... python -m pipeline.evals.build``.

The sets lie under ``$WELLMIX_DATA/evals`` as their repositories publish them (layouts below). Only hashes are written.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.contamination import EVALS, NGRAM, SUMS, build_hash_list
from sources.digests import write_sums

Items = list[list[str]]


def _question(question: str, choices: list[str]) -> list[str]:
    """Forms of a question: itself, or when it is too short to be told apart with its choices, plain and lettered."""
    if len(question.split()) >= NGRAM:
        return [question]
    lettered = " ".join(f"{letter} {choice}" for letter, choice in zip("ABCDEFGH", choices, strict=False))
    return [f"{question} {' '.join(choices)}", f"{question} {lettered}"]


def _jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def humanebench(root: Path) -> Items:
    """buildinghumanetech/humanebench: prompts, and the golden set's prompts with rated answers."""
    prompts = [[row["input"]] for row in _jsonl(root / "humane_bench.jsonl")]
    golden = _jsonl(root / "golden_questions.jsonl")
    return [*prompts, *([row["input"]] for row in golden), *([row["metadata"]["ai_output"]] for row in golden)]


def eqbench(root: Path) -> Items:
    """EQ-bench/EQ-Bench v2: the dialogue; what follows it is the same instruction for all."""
    questions = json.loads((root / "eq_bench_v2_questions_171.json").read_text(encoding="utf-8"))
    return [[row["prompt"].split("[End dialogue]")[0].partition("dialogue:")[2]] for row in questions.values()]


def eqbench3(root: Path) -> Items:
    """EQ-bench/eqbench3: each prompt of each scenario."""
    text = (root / "scenario_prompts.txt").read_text(encoding="utf-8")
    return [[part.strip()] for part in re.split(r"(?m)^#{6,}.*$", text) if part.strip()]


def emobench(root: Path) -> Items:
    """Sahandfer/EmoBench: the scenario, in English and Chinese."""
    return [[row["scenario"]] for name in ("EA", "EU") for row in _jsonl(root / f"{name}.jsonl")]


def mmlu(path: Path) -> Items:
    """hendrycks/test, one subject: rows of question, four choices, answer."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_question(row[0], row[1:5]) for row in csv.reader(file)]


def truthfulqa(root: Path) -> Items:
    """TruthfulQA: the question, if short with its best answer."""
    with (root / "TruthfulQA.csv").open(encoding="utf-8", newline="") as file:
        return [_question(row["Question"], [row["Best Answer"]]) for row in csv.DictReader(file)]


def main() -> None:
    """Write ``pipeline/evals/NAME.npz`` for every set, and their digests."""
    if "WELLMIX_DATA" not in os.environ:
        sys.exit("set WELLMIX_DATA to the folder that has evals/ in it")
    root = Path(os.environ["WELLMIX_DATA"]) / "evals"
    readers: dict[str, Callable[[Path], Items]] = {
        reader.__name__: reader for reader in (humanebench, eqbench, eqbench3, emobench, truthfulqa)
    }
    sets = {name: reader(root / name) for name, reader in readers.items()}
    sets |= {f"mmlu_{path.stem.removesuffix('_test')}": mmlu(path) for path in sorted((root / "mmlu").glob("*.csv"))}
    for name, items in sorted(sets.items()):
        made = build_hash_list(name, items)
        made.save(EVALS / f"{name}.npz")
        print(f"{name}: {made.indexed} of {made.items} items, {len(made.hashes)} n-grams", file=sys.stderr)
    write_sums(SUMS, EVALS.glob("*.npz"))


if __name__ == "__main__":
    main()
