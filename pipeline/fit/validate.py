"""Which model to believe, and how much: cross-validation over points of the swarm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import rankdata

from pipeline.fit.base import Fitted, folds_of, points
from pipeline.fit.models import MODELS, SINGLE, Ensemble, Mean, out_of_fold, stack
from sources.errors import UserError

#: Points a fit needs at least.
LEAST_POINTS = 6
#: With fewer runs, more folds: each model then sees nearly as much as the one that is used in the end.
_FEW_RUNS = 100
#: Bootstrap resamples behind an interval of a rank correlation.
_RESAMPLES = 1000


@dataclass(frozen=True)
class Validation:
    """How well a model predicts runs it has not seen.

    :param spearman_low, spearman_high: 95 % interval, by bootstrap over points.
    :param mse: mean squared error, in squared units of the metric.
    :param r2: share of the variance explained; below 0 the mean of the runs would have been the better guess.
    :param predicted: (R,), out of fold.
    :param error: (R,), squared errors of these.
    :param weights: of the ensemble's members.
    """

    model: str
    spearman: float
    spearman_low: float
    spearman_high: float
    mse: float
    r2: float
    predicted: np.ndarray
    error: np.ndarray
    weights: dict[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Without what is by run."""
        facts = {name: value for name, value in vars(self).items() if name not in ("predicted", "error", "weights")}
        return facts | ({"weights": self.weights} if self.weights else {})


def cross_validate(
    ratios: np.ndarray,
    y: np.ndarray,
    models: Iterable[str] | None = None,
    folds: int | None = None,
    seed: int = 0,
) -> list[Validation]:
    """Judge models on runs they have not seen. Runs of one point are never on both sides.

    The ensemble's weights for a fold are learned from the other folds' out-of-fold predictions, so no run has a part in its own.

    :param ratios: (R, D).
    :param y: (R,), no NaN.
    :param models: names [default: all]; their order is that of the answer.
    :param folds: [default: 10 for up to 100 runs, then 5].
    :raises UserError: there are too few points, or no such model.
    """
    names = list(models or MODELS)
    if unknown := [name for name in names if name not in MODELS]:
        raise UserError(f"there is no model {unknown[0]!r}", where="model", fix=f"one of {', '.join(MODELS)}")
    k = int(points(ratios).max()) + 1 if len(ratios) else 0
    folds = folds or min(10 if len(y) <= _FEW_RUNS else 5, max(k, 2))
    if k < max(LEAST_POINTS, folds):
        raise UserError(
            f"{k} different mixes are too few for {folds} folds"
            if k >= LEAST_POINTS
            else f"{k} different mixes are too few to fit a model",
            where=f"{len(y)} runs",
            fix=f"at least {max(LEAST_POINTS, folds)}" + (", or fewer folds" if k >= LEAST_POINTS else ""),
        )
    fold = folds_of(ratios, folds, seed)
    single = list(SINGLE) if "ensemble" in names else [name for name in names if name in SINGLE]
    guesses = {name: out_of_fold(SINGLE[name], ratios, y, fold, seed) for name in single}
    found = {name: judge(name, ratios, y, guess, seed) for name, guess in guesses.items()}
    if "ensemble" in names:
        every = np.stack(list(guesses.values()))
        guess = np.empty(len(y))
        for one in np.unique(fold):
            guess[fold == one] = stack(every[:, fold != one], y[fold != one]) @ every[:, fold == one]
        weights = {name: float(weight) for name, weight in zip(guesses, stack(every, y), strict=True) if weight > 0}
        found["ensemble"] = judge("ensemble", ratios, y, guess, seed, weights)
    return [found[name] for name in names]


def choose(validations: list[Validation]) -> Validation:
    """The one with the smallest error; of equals the first, which is the simpler. The ensemble costs all its members and is harder to
    follow downhill, so it must be better than the best of them by more than a standard error of the difference."""
    single = [one for one in validations if one.model != "ensemble"]
    together = next((one for one in validations if one.model == "ensemble"), None)
    if not single:
        return validations[0]
    best = min(single, key=lambda one: one.mse)
    if together is None:
        return best
    gain = best.error - together.error
    return together if gain.mean() > gain.std() / np.sqrt(len(gain)) else best


@dataclass(frozen=True)
class Judged:
    """What runs say of one metric.

    :param validations: of every model that was tried.
    :param chosen: the one that is used.
    :param model: it, fitted to all runs.
    :param rivals: others that the runs cannot tell from it, fitted.
    :param fitted: single models that were fitted on the way, by name.
    """

    validations: list[Validation]
    chosen: Validation
    model: Fitted
    rivals: list[Fitted]
    fitted: dict[str, Fitted]


def judged(
    ratios: np.ndarray, y: np.ndarray, models: Iterable[str] | None = None, folds: int | None = None, seed: int = 0
) -> Judged:
    """Cross-validate, choose, and fit what was chosen and its rivals to all runs. Parameters as of :func:`cross_validate`."""
    validations = cross_validate(ratios, y, models, folds, seed)
    chosen = choose(validations)
    fitted: dict[str, Fitted] = {}
    model = fit_chosen(chosen, ratios, y, seed, fitted)
    others = [fit_chosen(one, ratios, y, seed, fitted) for one in rivals(validations, chosen)]
    return Judged(validations, chosen, model, others, fitted)


def rivals(validations: list[Validation], chosen: Validation) -> list[Validation]:
    """Single models that the runs cannot tell from the chosen one: their error is not larger by more than a standard error of the
    difference. Where they see another mix in another light, nobody knows which is right."""
    found = []
    for one in validations:
        worse = one.error - chosen.error
        if one.model not in ("ensemble", chosen.model) and worse.mean() <= worse.std() / np.sqrt(len(worse)):
            found.append(one)
    return found


def fit_chosen(
    validation: Validation, ratios: np.ndarray, y: np.ndarray, seed: int = 0, fitted: dict[str, Fitted] | None = None
) -> Fitted:
    """The model a validation is of, on all runs; an ensemble with the weights found.

    :param fitted: single models that are fitted already; those fitted here are added.
    """
    fitted = {} if fitted is None else fitted
    names = list(validation.weights) if validation.model == "ensemble" else [validation.model]
    for name in names:
        if name not in fitted:
            fitted[name] = SINGLE[name].fit(ratios, y, seed)
    if validation.model != "ensemble":
        return fitted[validation.model]
    if not validation.weights:
        return Ensemble().fit(ratios, y, seed)
    return Mean([(weight, fitted[name]) for name, weight in validation.weights.items()])


def judge(
    model: str,
    ratios: np.ndarray,
    y: np.ndarray,
    predicted: np.ndarray,
    seed: int,
    weights: dict[str, float] | None = None,
) -> Validation:
    """Measures of predictions (R,) of runs (R,) that were not seen."""
    low, high = spearman_interval(ratios, y, predicted, seed)
    error = (predicted - y) ** 2
    mse, variance = float(error.mean()), float(y.var())
    return Validation(
        model,
        spearman(y, predicted),
        low,
        high,
        mse,
        1 - mse / variance if variance > 0 else 0.0,
        predicted,
        error,
        weights or {},
    )


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; 0 where one of them is constant."""
    return float(_correlation(rankdata(a)[None], rankdata(b)[None])[0])


def spearman_interval(ratios: np.ndarray, y: np.ndarray, predicted: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % interval (percentiles) of the rank correlation, by bootstrap over points."""
    group = points(ratios)
    k = int(group.max()) + 1
    members = [np.flatnonzero(group == one) for one in range(k)]
    rng = np.random.default_rng([seed, 11])
    found = []
    # resamples of points may differ in runs, so only those of one run a point go as one array
    if k == len(y):
        drawn = rng.integers(k, size=(_RESAMPLES, k))
        found = _correlation(rankdata(y[drawn], axis=1), rankdata(predicted[drawn], axis=1)).tolist()
    else:
        for _ in range(_RESAMPLES):
            rows = np.concatenate([members[one] for one in rng.integers(k, size=k)])
            found.append(spearman(y[rows], predicted[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = a - a.mean(1, keepdims=True)
    b = b - b.mean(1, keepdims=True)
    size = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.divide((a * b).sum(1), size, out=np.zeros(len(a)), where=size > 0)


def seed_noise(ratios: np.ndarray, y: np.ndarray) -> float | None:
    """Standard deviation between runs of one point, pooled over points that have several; None where there are none."""
    group = points(ratios)
    sizes = np.bincount(group)
    free = int((sizes - 1).sum())
    if free == 0:
        return None
    means = np.bincount(group, y) / sizes
    return float(np.sqrt(((y - means[group]) ** 2).sum() / free))
