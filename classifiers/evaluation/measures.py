"""The headline measures as functions of rows, fast enough to be drawn again and again, and their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from classifiers.corpora import HEAD_INDEX
from classifiers.evaluate import expected, f1, interval
from classifiers.evaluation.findings import Figure
from classifiers.evaluation.study import Model
from classifiers.taxonomy import BEHAVIOURS, FACETS

#: Measures with an interval.
MEASURES = ("relevance_spearman", "relevance_f1", "facets_auroc", "behaviours_auroc", "harm_auroc")
_HEADS_OF = {
    "facets_auroc": tuple(f"facet_{name}" for name in FACETS),
    "behaviours_auroc": tuple(f"behaviour_{name}" for name in BEHAVIOURS),
    "harm_auroc": ("safety_harm",),
}


def figures(
    model: Model, truth: np.ndarray, chosen: np.ndarray, clusters: list[str], seed: int
) -> dict[str, Figure | None]:
    """The measures of :data:`MEASURES` of chosen texts (bool), each with its cluster-bootstrap interval."""
    rows = np.flatnonzero(chosen)
    groups = [clusters[row] for row in rows]

    def figure(measure: Callable[[np.ndarray], float]) -> Figure:
        return Figure(measure(rows), *interval(lambda drawn: measure(rows[drawn]), groups, seed))

    measures = {name: measure_of(model, truth, name) for name in MEASURES}
    return {name: figure(measure) if measure else None for name, measure in measures.items()}


def measure_of(model: Model, truth: np.ndarray, measure: str) -> Callable[[np.ndarray], float] | None:
    """A measure of :data:`MEASURES` as a function of chosen rows; None where the model has no answer."""
    if measure.startswith("relevance"):
        if model.relevance is None:
            return None
        wanted = expected(truth)
        if measure == "relevance_f1":
            high, chosen = wanted >= 3, model.relevance >= model.cut
            return lambda rows: f1(high[rows], chosen[rows])
        levels, places = places_of(wanted), places_of(model.relevance)
        return lambda rows: correlation(midranks(levels[rows]), midranks(places[rows]))
    names = [name for name in _HEADS_OF[measure] if name in model.heads]
    if not names:
        return None
    labels = np.stack([truth[:, HEAD_INDEX[name]] > 0.5 for name in names])
    ranked = np.stack([places_of(model.heads[name]) for name in names])

    def areas(rows: np.ndarray) -> float:
        values = [area(label[rows], places[rows]) for label, places in zip(labels, ranked, strict=True)]
        values = [value for value in values if not math.isnan(value)]
        return float(np.mean(values)) if values else math.nan

    return areas


def midranks(places: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties shared, of values given by their place in the order of all (counting, not sorting)."""
    counts = np.bincount(places)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[places]


def places_of(values: np.ndarray) -> np.ndarray:
    """Place of each value in the order of all distinct ones."""
    return np.unique(values, return_inverse=True)[1].astype(np.int32)


def area(truth: np.ndarray, places: np.ndarray) -> float:
    """AUROC from places; as :func:`classifiers.evaluate.auroc`, ten times as fast in a bootstrap."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return math.nan
    return float((midranks(places)[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation; NaN where one side is constant."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])
