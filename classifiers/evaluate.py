"""Honest figures: models judged on corpora they never saw.

Random splits flatter a text classifier, since it learns what a corpus looks like. Here whole groups of corpora are held
out in turn (corpora that share texts form one group), a training text that shares ten running words with a held-out
text is left out, and teacher and students are fitted without the held-out fold. Calibration (two to four numbers a label)
and thresholds are fitted on the pooled held-out scores themselves: rank figures hardly depend on them, rates at a
threshold do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from classifiers.calibrate import ece
from classifiers.corpora import HEAD_INDEX, HEADS, Example, group_of
from classifiers.taxonomy import BEHAVIOURS, FACETS

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
    """Which fold each group of corpora is held out in: largest groups first, each to the smallest fold."""
    sizes = Counter(group_of(example.corpus) for example in examples)
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
    if len(words) < SHARED_WORDS:
        return [hash(line)] if line else []
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


def lived_experience(targets: np.ndarray) -> np.ndarray:
    """Texts a toxicity filter must not take: no harm, and a disclosure or a theme (relevance >= 3) of adversity."""
    column = {name: targets[:, i] > 0.5 for name, i in HEAD_INDEX.items()}
    about = column["relevance_3"] & column["facet_adversity"]
    return ~column["safety_harm"] & (column["safety_disclosure"] | about)


#: Resamples of a bootstrap interval.
RESAMPLES = 200

#: The measures of the goals: name -> what it is.
HEADLINES: dict[str, str] = {
    "relevance_spearman": "relevance, Spearman",
    "relevance_f1": "relevance at 3 or more, F1",
    "relevance_auroc": "relevance at 3 or more, AUROC",
    "relevance_mae": "relevance, mean absolute error (of 5)",
    "facets_auroc": "facets, macro AUROC",
    "behaviours_auroc": "behaviours, macro AUROC",
    "support_spearman": "support where somebody responds, Spearman",
    "disclosure_auroc": "disclosure, AUROC",
    "harm_auroc": "any harm, AUROC",
    "harm_ap": "any harm, average precision",
    "ece": "calibration error, mean of all labels",
}


def expected(scores: np.ndarray, scale: str = "relevance", steps: int = 5) -> np.ndarray:
    """Expected value of a scale from the probabilities of its steps, shape (texts,)."""
    return scores[:, [HEAD_INDEX[f"{scale}_{k}"] for k in range(1, steps + 1)]].sum(axis=1)


def headlines(truth: np.ndarray, scores: np.ndarray, cut: float) -> dict[str, float]:
    """The measures of :data:`HEADLINES`.

    :param truth: 0 or 1, shape (texts, heads).
    :param scores: calibrated probabilities of held-out texts, same shape.
    :param cut: relevance from which a text counts as 3 or more.
    """
    relevance, guessed = expected(truth), expected(scores)
    harm = HEAD_INDEX["safety_harm"]
    answered = truth[:, HEAD_INDEX["responds"]] > 0.5
    return {
        "relevance_spearman": spearman(relevance, guessed),
        "relevance_f1": f1(relevance >= 3, guessed >= cut),
        "relevance_auroc": auroc(relevance >= 3, guessed),
        "relevance_mae": float(np.abs(relevance - guessed).mean()),
        "facets_auroc": macro(truth, scores, [f"facet_{name}" for name in FACETS]),
        "behaviours_auroc": macro(truth, scores, [f"behaviour_{name}" for name in BEHAVIOURS]),
        "support_spearman": spearman(expected(truth, "support", 3)[answered], expected(scores, "support", 3)[answered]),
        "disclosure_auroc": macro(truth, scores, ["safety_disclosure"]),
        "harm_auroc": auroc(truth[:, harm], scores[:, harm]),
        "harm_ap": average_precision(truth[:, harm], scores[:, harm]),
        "ece": float(np.mean([ece(truth[:, i], scores[:, i]) for i in range(len(HEADS))])),
    }


def macro(truth: np.ndarray, scores: np.ndarray, names: list[str]) -> float:
    """Mean AUROC of labels, those without both classes left out."""
    values = [auroc(truth[:, HEAD_INDEX[name]], scores[:, HEAD_INDEX[name]]) for name in names]
    return float(np.nanmean(values)) if not np.all(np.isnan(values)) else float("nan")


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall curve, ties counted at the lower precision; NaN without positives."""
    truth = np.asarray(truth) > 0.5
    if not truth.any():
        return float("nan")
    order = np.lexsort((truth, -scores))  # among equal scores, negatives first
    hits = np.cumsum(truth[order])
    precision = hits / np.arange(1, len(order) + 1)
    return float(precision[truth[order]].mean())


def best_f1(truth: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Highest F1 over cuts and the lowest cut that reaches it."""
    cuts = np.round(np.arange(0.02, 0.98, 0.02), 2)
    values = [f1(truth > 0.5, scores >= cut) for cut in cuts]
    return max(values), float(cuts[int(np.argmax(values))])


def interval(measure: Callable[[np.ndarray], float], groups: list[str], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of a measure of chosen rows.

    Texts of one corpus are alike, so corpora are drawn, not texts (cluster bootstrap, Field and Welsh 2007): the interval
    says what another choice of corpora might have given.
    """
    random = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        places.setdefault(group, []).append(row)
    members = [np.array(rows) for rows in places.values()]
    values = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        values.append(measure(rows))
    values = [value for value in values if not np.isnan(value)]
    return (float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))) if values else (np.nan, np.nan)


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
