"""All models by name, and the ensemble of them.

:data:`MODELS` goes from simple to rich. None is best everywhere: see :mod:`pipeline.fit.validate`, which chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from pipeline.fit.base import Fitted, Regressor, folds_of
from pipeline.fit.gaussian import GaussianProcess
from pipeline.fit.laws import Linear, LogLinear, PowerLaw
from pipeline.fit.trees import LightGBM

#: Weights of less are not worth their model.
_LEAST_WEIGHT = 0.02
_INNER_FOLDS = 5

SINGLE: dict[str, Regressor] = {
    model.name: model for model in (Linear(), LogLinear(), PowerLaw(), LightGBM(), GaussianProcess())
}


@dataclass(frozen=True)
class Ensemble:
    """A mean of models, weighted by what out-of-fold predictions say (stacking: Wolpert 1992; with weights that are not negative: Breiman
    1996).

    :param weights: use these, by name of the model; learned where empty.
    """

    name: str = "ensemble"
    weights: Mapping[str, float] = field(default_factory=dict)

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        weights = dict(self.weights)
        if not weights:
            fold = folds_of(ratios, _INNER_FOLDS, seed)
            guesses = np.stack([out_of_fold(model, ratios, y, fold, seed) for model in SINGLE.values()])
            weights = {
                name: float(weight) for name, weight in zip(SINGLE, stack(guesses, y), strict=True) if weight > 0
            }
        return Mean([(weight, SINGLE[name].fit(ratios, y, seed)) for name, weight in weights.items()])


class Mean(Fitted):
    """A weighted mean of fitted models, which were fitted on the same runs.

    :param members: weights, which sum to 1, and models.
    """

    name = "ensemble"

    def __init__(self, members: list[tuple[float, Fitted]]) -> None:
        first = members[0][1]
        super().__init__(first.ratios, first.y, first.seed)
        self.members = members
        self.smooth = all(model.smooth for _, model in members)

    def predict(self, ratios: np.ndarray) -> np.ndarray:
        """See :class:`pipeline.fit.base.Fitted`."""
        return np.sum([weight * model.predict(ratios) for weight, model in self.members], axis=0)

    def refit(self, counts: np.ndarray) -> Fitted:
        """See :class:`pipeline.fit.base.Fitted`."""
        return Mean([(weight, model.refit(counts)) for weight, model in self.members])

    def deviation(self, ratios: np.ndarray) -> np.ndarray:
        """As if the members erred together, which is the most it can be."""
        return np.sum([weight * model.deviation(ratios) for weight, model in self.members], axis=0)

    def difference(self, a: np.ndarray, b: np.ndarray) -> float:
        """As if the members erred together, which is the most it can be."""
        return float(sum(weight * model.difference(a, b) for weight, model in self.members))


def out_of_fold(model: Regressor, ratios: np.ndarray, y: np.ndarray, fold: np.ndarray, seed: int) -> np.ndarray:
    """Prediction (R,) of each run by a model that has not seen its fold (R,)."""
    predicted = np.empty(len(y))
    for k in np.unique(fold):
        predicted[fold == k] = model.fit(ratios[fold != k], y[fold != k], seed).predict(ratios[fold == k])
    return predicted


def stack(guesses: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights (M,) of models, not negative and with sum 1, that bring the mean of their guesses (M, R) nearest to ``y`` (R,)."""
    scale = max(float(y.std()), 1e-300)
    # the last row holds the sum at 1: a thousand times as heavy as all runs together
    heavy = 1e3 * np.sqrt(len(y))
    rows = np.vstack([(guesses - y).T / scale, np.full(len(guesses), heavy)])
    weights = nnls(rows, np.concatenate([np.zeros(len(y)), [heavy]]))[0]
    weights[weights < _LEAST_WEIGHT * weights.sum()] = 0.0
    return weights / weights.sum()


#: Every model, by name.
MODELS: dict[str, Regressor] = {**SINGLE, "ensemble": Ensemble()}
