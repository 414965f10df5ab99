"""The ceiling: what another reader makes of the same texts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from classifiers import corpora
from classifiers.corpora import HEAD_INDEX, HEADS
from classifiers.evaluate import HEADLINES, expected, f1, macro, spearman
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import number, table
from classifiers.evaluation.measures import MEASURES, measure_of
from classifiers.evaluation.study import Model, Study
from classifiers.taxonomy import BEHAVIOURS, FACETS


@dataclass(frozen=True)
class Pair:
    """A text read by two annotators.

    :param first: targets by head, as the text is labelled; ``second``: as the other read it.
    :param strength: ``second``, but facets as strong as it named them: 0, 1 or 2.
    :param row: the text's row among the annotated, -1 where it is none of them.
    """

    first: list[float]
    second: list[float]
    strength: list[float]
    row: int


def second_readings(data: Path, texts: Sequence[str]) -> dict[str, list[Pair]]:
    """The founders' texts that were read again, by who did it.

    :param data: root of the corpora, with ``annotations/``.
    :param texts: the annotated texts as models see them.
    """
    path = data / "annotations/annotations.jsonl"
    if not path.is_file():
        return {}
    labelled = {row["id"]: row for row in _json_lines(path)}
    places = {text: row for row, text in enumerate(texts)}
    found: dict[str, list[Pair]] = {}
    for name, again in (
        ("the founders' second annotator", data / "annotations/second_annotator.jsonl"),
        ("our own second reading, blind", corpora.LABELS / "second.jsonl"),
    ):
        for row in _json_lines(again) if again.is_file() else []:
            if row["id"] in labelled:
                other = labelled[row["id"]]
                place = places.get(corpora.learning_text(other["text"]), -1)
                found.setdefault(name, []).append(_pair(other, row, place))
    return found


def _pair(one: dict[str, Any], two: dict[str, Any], row: int) -> Pair:
    first, second = corpora.rubric_targets(one), corpora.rubric_targets(two)
    strength = second | {f"facet_{name}": float(value) for name, value in two["facets"].items()}
    return Pair([first[h] for h in HEADS], [second[h] for h in HEADS], [strength[h] for h in HEADS], row)


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Cohen's kappa of two binary labels; NaN where both always say the same one thing."""
    one, other = one > 0.5, other > 0.5
    chance = one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean())
    return math.nan if chance == 1 else float(((one == other).mean() - chance) / (1 - chance))


def agreement(pairs: list[Pair]) -> dict[str, float]:
    """How far a second reading agrees with the first; ``*_auroc`` takes it for a model's scores."""
    first, second, strength = (np.array([getattr(p, part) for p in pairs]) for part in ("first", "second", "strength"))

    def mean_kappa(names: list[str]) -> float:
        values = [kappa(first[:, HEAD_INDEX[name]], second[:, HEAD_INDEX[name]]) for name in names]
        return float(np.nanmean(values)) if not all(map(math.isnan, values)) else math.nan

    facets, behaviours = [f"facet_{name}" for name in FACETS], [f"behaviour_{name}" for name in BEHAVIOURS]
    relevance = expected(first)
    return {
        "texts": float(len(first)),
        "relevance_spearman": spearman(relevance, expected(second)),
        "relevance_f1": f1(relevance >= 3, expected(second) >= 3),
        "facets_kappa": mean_kappa(facets),
        "behaviours_kappa": mean_kappa(behaviours),
        "disclosure_kappa": mean_kappa(["safety_disclosure"]),
        "harm_kappa": mean_kappa(["safety_harm"]),
        "facets_auroc": macro(first, strength, facets),
        "behaviours_auroc": macro(first, strength, behaviours),
        "harm_auroc": macro(first, strength, ["safety_harm"]),
    }


def ceiling_section(study: Study, report: EvaluationReport) -> list[str]:
    """The end of section 1: two readers of the same texts."""
    pairs = second_readings(study.data, study.texts)
    if not pairs:
        report.missing.append("no text read twice was found, so there is no ceiling")
        return []
    for name, found in pairs.items():
        report.ceiling[name] = agreement(found)
        rows = np.array([pair.row for pair in found if pair.row >= 0], dtype=int)
        if len(rows):
            report.ceiling[f"encoder on those texts but HateCheck's: {name}"] = _on_rows(study, rows)
    names = list(dict.fromkeys(chain.from_iterable(report.ceiling.values())))
    shown = {name: HEADLINES.get(name, name.replace("_", ", ")) for name in names}
    cells = [
        (name, *(f"{found[key]:.0f}" if key == "texts" else number(found.get(key, math.nan)) for key in shown))
        for name, found in report.ceiling.items()
    ]
    return [
        "**The ceiling: two readings of the same texts.** The second is taken for a model of the first. An AUROC of its labels "
        "(facets: 0, 1 or 2) is no strict ceiling, since scores can be finer than labels.",
        "",
        *table(("", *shown.values()), cells),
    ]


def _on_rows(study: Study, rows: np.ndarray) -> dict[str, float]:
    model = Model.of_tier(study, "encoder")
    found = {"texts": float(len(rows))}
    for name in MEASURES:
        measure = measure_of(model, study.truth, name)
        found[name] = measure(rows) if measure else math.nan
    return found
