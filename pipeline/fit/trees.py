"""Gradient-boosted trees, as RegMix uses them (Liu et al. 2024, arXiv 2407.01492)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from pipeline.fit.base import Fitted, folds_of

#: RegMix's own: 1,000 rounds at a rate of .01, all else LightGBM's default.
REGMIX = {"rounds": 1000, "learning_rate": 0.01}
#: What a fit chooses from by cross-validation: RegMix's, and many small trees, each on some of the domains, which
#: follow a smooth surface more closely: effects add up instead of standing in for each other. It also takes half the time.
_SETTINGS: tuple[dict[str, Any], ...] = (
    REGMIX,
    {"rounds": 600, "learning_rate": 0.06, "num_leaves": 8, "min_data_in_leaf": 8, "feature_fraction": 0.7},
)
#: For a swarm too small to choose on.
_FEW: dict[str, Any] = {"rounds": 200, "learning_rate": 0.05, "num_leaves": 6}
_FEW_RUNS = 100
_INNER_FOLDS = 3


@dataclass(frozen=True)
class LightGBM:
    """Boosted trees, one thread, the same result every time. The settings are the better of two by cross-validation inside of the
    runs it is given, so an outer cross-validation stays honest.

    :param settings: use these and choose nothing.
    """

    name: str = "lightgbm"
    settings: tuple[tuple[str, Any], ...] | None = None

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        everything = np.ones(len(y))
        if self.settings is not None:
            return _Trees(ratios, y, seed, dict(self.settings), everything, self.name)
        if len(y) <= _FEW_RUNS:
            return _Trees(ratios, y, seed, _FEW, everything, self.name)
        fold = folds_of(ratios, _INNER_FOLDS, seed)
        errors = [
            sum(
                float(((_Trees(ratios, y, seed, one, fold != k).predict(ratios[fold == k]) - y[fold == k]) ** 2).sum())
                for k in range(_INNER_FOLDS)
            )
            for one in _SETTINGS
        ]
        return _Trees(ratios, y, seed, _SETTINGS[int(np.argmin(errors))], everything, self.name)


class _Trees(Fitted):
    smooth = False

    def __init__(
        self, ratios: np.ndarray, y: np.ndarray, seed: int, settings: dict[str, Any], counts: np.ndarray, name: str = ""
    ) -> None:
        super().__init__(ratios, y, seed)
        self.name = name
        self._settings = settings
        used = counts > 0
        n = int(used.sum())
        parameters = {"objective": "regression"} | settings
        rounds = parameters.pop("rounds")
        # LightGBM's 20 runs a leaf would leave a swarm of 30 without a single split
        parameters["min_data_in_leaf"] = max(2, min(parameters.get("min_data_in_leaf", 20), n // 8))
        parameters |= {
            "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": seed, "verbosity": -1,
            "min_data_in_bin": 1 if n < 200 else 3,
        }  # fmt: skip
        data = lightgbm.Dataset(ratios[used], y[used], weight=counts[used].astype(np.float64), params=parameters)
        # lightgbm.train would take twice as long for what it can do between rounds
        self._booster = lightgbm.Booster(parameters, data)
        for _ in range(rounds):
            self._booster.update()

    def predict(self, ratios: np.ndarray) -> np.ndarray:
        return np.asarray(self._booster.predict(ratios, num_threads=1))

    def refit(self, counts: np.ndarray) -> Fitted:
        return _Trees(self.ratios, self.y, self.seed, self._settings, counts, self.name)
