"""What an evaluation found: figures as values, for the page and for ``--json``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from classifiers.evaluate import Rate
from classifiers.evaluation.markdown import number


@dataclass(frozen=True)
class Figure:
    """A measure with its 95 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        return number(self.value) + ("" if math.isnan(self.low) else f" ({self.low:.2f}-{self.high:.2f})")


@dataclass(frozen=True)
class Speed:
    """How fast one process scores.

    :param texts: texts a second; ``megabytes``: millions of bytes of UTF-8 a second.
    :param ratio: time for a text over the time of the bare fastText kernel.
    """

    texts: float
    megabytes: float
    ratio: float


@dataclass
class EvaluationReport:
    """What an evaluation found.

    :param out: the page; ``reliability.svg`` stands beside it.
    :param seconds: wall time.
    :param texts: annotated texts, those of the founders, groups of corpora.
    :param headlines: ``founders`` or ``all`` -> model or baseline -> measure -> figure, None where it has no answer.
    :param further: the same, measures without interval, models only.
    :param ceiling: which pair of readers -> measure -> value.
    :param heads: head -> measure -> value.
    :param safety: model or filter -> ``lived_removed``, ``harm_missed`` and ``benign_removed``, each also ``_short`` and
        ``_usual`` by length.
    :param unseen_cuts: effort -> the two errors at thresholds set without the text's own fold.
    :param kinds: kind of text -> model or filter -> share removed.
    :param hatecheck: effort or filter -> AUROC of HateCheck's own labels.
    :param asked: tier -> share of texts asked about, of the annotated texts and of excerpts of all corpora.
    :param speeds: effort, ``kernel`` or ``teacher`` -> speed.
    :param calibration: tier -> field -> expected calibration error.
    :param gaps: differences between slices larger than their interval, in words; ``compared`` counts all comparisons.
    :param worst: the largest disagreements between label and score, without their texts.
    :param missing: what could not be measured, and why.
    """

    out: Path
    seconds: float = 0.0
    texts: dict[str, int] = field(default_factory=dict)
    headlines: dict[str, dict[str, dict[str, Figure | None]]] = field(default_factory=dict)
    further: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    ceiling: dict[str, dict[str, float]] = field(default_factory=dict)
    heads: dict[str, dict[str, float]] = field(default_factory=dict)
    safety: dict[str, dict[str, Rate]] = field(default_factory=dict)
    unseen_cuts: dict[str, dict[str, Rate]] = field(default_factory=dict)
    kinds: dict[str, dict[str, Rate]] = field(default_factory=dict)
    hatecheck: dict[str, float] = field(default_factory=dict)
    asked: dict[str, dict[str, float]] = field(default_factory=dict)
    speeds: dict[str, Speed] = field(default_factory=dict)
    calibration: dict[str, dict[str, float]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    compared: int = 0
    worst: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The figures as plain values for ``--json``; NaN becomes null."""
        left_out = ("compared", "worst")
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self) if item.name not in left_out}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case Rate():
            return {"rate": _plain(value.value), "interval": _plain(value.interval), "of": value.total}
        case Figure():
            return {"value": _plain(value.value), "interval": _plain((value.low, value.high))}
        case Speed():
            return {"texts_s": value.texts, "mb_s": value.megabytes, "kernel_ratio": value.ratio}
        case Path():
            return str(value)
        case float():
            return None if math.isnan(value) else round(value, 5)
    return value
