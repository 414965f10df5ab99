"""What every regression of a metric on a mix has in common, and the bootstrap that stands for the uncertainty of those without a posterior.

Shapes: R runs, D domains. Ratios are (R, D), rows non-negative with sum 1; a metric is (R,).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Protocol

import numpy as np

#: Bootstrap resamples behind a standard deviation: it is then known to about 12 %.
REPLICATES = 40


class Regressor(Protocol):
    """A kind of model, not yet fitted."""

    @property
    def name(self) -> str:
        """As :data:`pipeline.fit.models.MODELS` has it."""

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """Fit it.

        :param ratios: (R, D).
        :param y: (R,), no NaN.
        """


class Fitted(ABC):
    """A model of one metric.

    :ivar ratios: (R, D) it was fitted on.
    :ivar y: (R,).
    :ivar smooth: whether it can be followed downhill; trees are flat almost everywhere.
    """

    name: str
    smooth = True

    def __init__(self, ratios: np.ndarray, y: np.ndarray, seed: int) -> None:
        self.ratios, self.y, self.seed = ratios, y, seed

    @abstractmethod
    def predict(self, ratios: np.ndarray) -> np.ndarray:
        """The expected metric of mixes (n, D), shape (n,)."""

    @abstractmethod
    def refit(self, counts: np.ndarray) -> Fitted:
        """The same kind of model, settings kept, on a resample.

        :param counts: (R,), how many times each run was drawn.
        """

    @cached_property
    def replicates(self) -> list[Fitted]:
        """Models of :data:`REPLICATES` bootstrap resamples of the points (runs of one point, which differ by seed, go together)."""
        return [self.refit(counts) for counts in resamples(self.ratios, REPLICATES, self.seed)]

    @cached_property
    def noise(self) -> float:
        """Standard deviation of one run about the expected metric: what the errors of out-of-bag predictions leave when the spread of
        the replicates is taken off. Not the noise between seeds alone: what the model cannot follow is in it, too."""
        counts = resamples(self.ratios, REPLICATES, self.seed)
        predicted = np.stack([one.predict(self.ratios) for one in self.replicates])
        left_out = counts == 0
        error = float(((predicted - self.y) ** 2)[left_out].mean()) if left_out.any() else 0.0
        return float(np.sqrt(max(error - predicted.var(0).mean(), 0.05 * error)))

    def covariance(self, ratios: np.ndarray) -> np.ndarray:
        """What is not known of the expected metric of mixes (n, D), shape (n, n). Here the covariance of bootstrap replicates; far from all
        runs, where every replicate extrapolates alike, it is too small."""
        values = np.stack([one.predict(ratios) for one in self.replicates])
        off = values - values.mean(0)
        return off.T @ off / len(values)

    def deviation(self, ratios: np.ndarray) -> np.ndarray:
        """Predictive standard deviation of one run on each mix (n, D), shape (n,): of the model and of the run (:attr:`noise`) together."""
        variance = np.concatenate([np.diag(self.covariance(part)) for part in chunks(ratios, 256)])
        return np.sqrt(np.maximum(variance, 0.0) + self.noise**2)

    def difference(self, a: np.ndarray, b: np.ndarray) -> float:
        """Standard deviation of what is known of mix ``a`` less mix ``b``, both (D,): noise of runs is not in it."""
        known = self.covariance(np.stack([a, b]))
        return float(np.sqrt(max(known[0, 0] + known[1, 1] - 2 * known[0, 1], 0.0)))


def chunks(ratios: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows in parts of at most ``size``; at least one part, which may be empty."""
    return [ratios[start : start + size] for start in range(0, len(ratios), size)] or [ratios]


def points(ratios: np.ndarray) -> np.ndarray:
    """Number of the point each run is of (equal ratios, but for rounding), shape (R,)."""
    return np.unique(np.round(ratios, 9), axis=0, return_inverse=True)[1].reshape(-1)


def resamples(ratios: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Counts (n, R) of bootstrap resamples of points. At least three points are in each, or a plane cannot be told from a constant."""
    group = points(ratios)
    k = int(group.max()) + 1
    rng = np.random.default_rng([seed, 17])
    counts = np.zeros((n, k))
    for row in counts:
        while np.count_nonzero(row) < min(3, k):
            row[:] = np.bincount(rng.integers(k, size=k), minlength=k)
    return counts[:, group]


def folds_of(ratios: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each run, shape (R,): points are dealt out whole, in random order, each to the fold with the fewest runs."""
    group = points(ratios)
    sizes = np.bincount(group)
    fold_of_point, load = np.zeros(len(sizes), dtype=np.int64), np.zeros(folds)
    for point in np.random.default_rng([seed, 5]).permutation(len(sizes)):
        fold_of_point[point] = load.argmin()
        load[fold_of_point[point]] += sizes[point]
    return fold_of_point[group]
