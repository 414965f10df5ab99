"""Honest figures: models judged on corpora they never saw.

Random splits flatter a text classifier, since it learns what a corpus looks like. Here whole groups of corpora are held
out in turn (corpora that share texts form one group), a training text that shares ten running words with a held-out
text is left out, and teacher and student are fitted without the held-out fold. Calibration (two numbers a label) and
thresholds are fitted on the pooled held-out scores themselves: rank figures hardly depend on them, rates at a
threshold do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from classifiers.corpora import HEAD_INDEX, Example, group_of
from classifiers.taxonomy import FACETS

#: Running words two texts may not share across a split.
SHARED_WORDS = 10


@dataclass(frozen=True)
class Rate:
    """A rate with its 95 % Wilson interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """Hits over total, NaN for no total."""
        return self.hits / self.total if self.total else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval at 95 %."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.959964, self.total, self.value
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return float(max(0.0, middle - half)), float(min(1.0, middle + half))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f}-{100 * high:.1f}; {self.hits} of {self.total})"


def folds_of(examples: list[Example], folds: int) -> dict[str, int]:
    """Which fold each group of annotated corpora is held out in: largest groups first, each to the smallest fold."""
    sizes = Counter(group_of(example.corpus) for example in examples if example.annotated)
    filled = [0] * folds
    chosen: dict[str, int] = {}
    for group, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        chosen[group] = int(np.argmin(filled))
        filled[chosen[group]] += size
    return chosen


def tainted(lines: list[str], held_out: np.ndarray, fold: np.ndarray, folds: int) -> np.ndarray:
    """Which lines share :data:`SHARED_WORDS` running words with a held-out line of which fold.

    :param held_out: bool, shape (lines,): the lines that are evaluated on.
    :param fold: int, shape (lines,): the fold of each line, -1 for none.
    :return: bool, shape (lines, folds).
    """
    owners: dict[int, int] = {}  # hash of a shingle -> bit mask of the folds that hold it out
    for row in np.flatnonzero(held_out).tolist():
        for shingle in _shingles(lines[row]):
            owners[shingle] = owners.get(shingle, 0) | (1 << int(fold[row]))
    found = np.zeros((len(lines), folds), dtype=bool)
    for row, line in enumerate(lines):
        mask = 0
        for shingle in _shingles(line):
            mask |= owners.get(shingle, 0)
        if mask:
            found[row] = [bool(mask >> k & 1) for k in range(folds)]
    return found


def _shingles(line: str) -> list[int]:
    words = line.split(" ")
    return [hash(tuple(words[at : at + SHARED_WORDS])) for at in range(len(words) - SHARED_WORDS + 1)]


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties shared."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2.0)[inverse]


def spearman(truth: np.ndarray, scores: np.ndarray) -> float:
    """Rank correlation; NaN where one side is constant."""
    if len(truth) < 2 or np.ptp(truth) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(truth), _ranks(scores))[0, 1])


def auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; NaN unless both classes are there."""
    truth = np.asarray(truth, dtype=bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return float("nan")
    return float((_ranks(scores)[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def f1(truth: np.ndarray, chosen: np.ndarray) -> float:
    """F1 of a choice."""
    both = int((truth & chosen).sum())
    return 2 * both / max(1, int(truth.sum()) + int(chosen.sum()))


def annotated_relevance(targets: np.ndarray) -> np.ndarray:
    """Relevance 0-5 from its cumulative targets (or probabilities)."""
    return targets[:, [HEAD_INDEX[f"relevance_{k}"] for k in range(1, 6)]].sum(axis=1)


def lived_experience(targets: np.ndarray) -> np.ndarray:
    """Texts a toxicity filter must not take: no harm, and a disclosure or a theme (relevance >= 3) of adversity."""
    column = {name: targets[:, i] > 0.5 for name, i in HEAD_INDEX.items()}
    about = column["relevance_3"] & column["facet_adversity"]
    return ~column["safety_harm"] & (column["safety_disclosure"] | about)


def figures(targets: np.ndarray, scores: np.ndarray, thresholds: dict[str, float]) -> dict[str, float]:
    """Ranking and decision figures of calibrated scores against annotations.

    :param targets: shape (texts, heads), the annotators' labels.
    :param scores: shape (texts, heads), calibrated probabilities of held-out texts.
    :return: figure by name; those that cannot be computed, for want of one class, are left out.
    """
    relevance, expected = annotated_relevance(targets), annotated_relevance(scores)
    result = {
        "relevance_spearman": spearman(relevance, expected),
        "relevance_auroc_3": auroc(relevance >= 3, expected),
        "relevance_f1_3": f1(relevance >= 3, expected >= thresholds["relevance"]),
        "relevance_mae": float(np.abs(relevance - expected).mean()),
        "facets_macro_auroc": float(np.mean([_head_auroc(targets, scores, f"facet_{name}") for name in FACETS])),
    }
    for name in HEAD_INDEX:
        if not name.startswith(("relevance_", "support_")):
            result[f"auroc_{name}"] = _head_auroc(targets, scores, name)
    steps = [HEAD_INDEX[f"support_{k}"] for k in range(1, 4)]
    support, guessed = targets[:, steps].sum(axis=1), scores[:, steps].sum(axis=1)
    result["support_spearman"] = spearman(support, guessed)
    answered = targets[:, HEAD_INDEX["responds"]] > 0.5
    result["support_spearman_of_answered"] = spearman(support[answered], guessed[answered])
    return {name: round(value, 4) for name, value in result.items() if not np.isnan(value)}


def _head_auroc(targets: np.ndarray, scores: np.ndarray, name: str) -> float:
    column = HEAD_INDEX[name]
    known = ~np.isnan(targets[:, column])
    return auroc(targets[known, column] > 0.5, scores[known, column])


def safety_errors(targets: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray) -> tuple[Rate, Rate]:
    """Benign lived experience wrongly removed, and harmful texts missed, at a ``threshold`` of ``safety_harm``.

    :param threshold: one for all texts, or one for each.
    """
    removed = scores[:, HEAD_INDEX["safety_harm"]] >= threshold
    lived, harmful = lived_experience(targets), targets[:, HEAD_INDEX["safety_harm"]] > 0.5
    return (
        Rate(int((lived & removed).sum()), int(lived.sum())),
        Rate(int((harmful & ~removed).sum()), int(harmful.sum())),
    )


def platt(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Scale and offset that make logits probabilities (Platt 1999, with his smoothed targets), by Newton's method.

    The scale is drawn to 1 by a weak prior and kept positive, so that a head with few positives keeps its order.
    """
    positives, negatives = float((truth > 0.5).sum()), float((truth <= 0.5).sum())
    if positives < 5 or negatives < 5:
        return 1.0, 0.0
    goal = np.where(truth > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale, offset = 1.0, 0.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(scale * logits + offset)))
        w = np.maximum(p * (1 - p), 1e-9)
        gradient = np.array([((p - goal) * logits).sum() + (scale - 1.0), (p - goal).sum()])
        curvature = np.array([[(w * logits**2).sum() + 1.0, (w * logits).sum()], [(w * logits).sum(), w.sum() + 1e-6]])
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 1.0 / float(np.abs(step).max()))
        scale, offset = max(0.1, scale - step[0]), offset - step[1]
        if np.abs(step).max() < 1e-6:
            break
    return float(scale), float(offset)
