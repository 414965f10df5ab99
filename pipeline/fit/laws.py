"""Models with a formula: linear, the exponential mixing law, and a power law of effective data. All are smooth, quick and have few
parameters, which is what a swarm of a few dozen runs can pay for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, nnls

from pipeline.fit.base import Fitted


@dataclass(frozen=True)
class Linear:
    """A plane, ``b + t . r``, by ridge regression on centred shares; its penalty is the one with the smallest leave-one-out error, which is
    nearly none where runs are many. (The linear baseline of RegMix, arXiv 2407.01492, is this without a penalty.)"""

    name: str = "linear"

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        centred = ratios - ratios.mean(0)
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        penalties = max(float(size[0]) ** 2, 1e-12) * np.logspace(-9, 1, 41)
        shrink = size**2 / (size**2 + penalties[:, None])
        # of each penalty: residuals and leverages in closed form
        predicted = (shrink * (left.T @ (y - y.mean()))) @ left.T
        leverage = 1 / len(y) + shrink @ (left**2).T
        errors = (((y - y.mean() - predicted) / np.maximum(1 - leverage, 1e-6)) ** 2).mean(1)
        return _Plane(ratios, y, seed, float(penalties[errors.argmin()]), np.ones(len(y)))


class _Plane(Fitted):
    name = "linear"

    def __init__(self, ratios: np.ndarray, y: np.ndarray, seed: int, penalty: float, counts: np.ndarray) -> None:
        super().__init__(ratios, y, seed)
        self._penalty = penalty
        self._centre, self._level = counts @ ratios / counts.sum(), float(counts @ y / counts.sum())
        centred = ratios - self._centre
        self._gram = (centred * counts[:, None]).T @ centred + penalty * np.eye(ratios.shape[1])
        self.slope = np.linalg.solve(self._gram, (centred * counts[:, None]).T @ (y - self._level))

    def predict(self, ratios: np.ndarray) -> np.ndarray:
        return self._level + (ratios - self._centre) @ self.slope

    @property
    def noise(self) -> float:  # type: ignore[override]
        """Standard deviation of residuals."""
        return _residual(self.y - self.predict(self.ratios), self.ratios.shape[1])

    def covariance(self, ratios: np.ndarray) -> np.ndarray:
        """Of the posterior that ridge regression is the mean of."""
        centred = ratios - self._centre
        return self.noise**2 * (1 / len(self.y) + centred @ np.linalg.solve(self._gram, centred.T))

    def refit(self, counts: np.ndarray) -> Fitted:
        return _Plane(self.ratios, self.y, self.seed, self._penalty, counts)


#: How far the coefficients of domains are apart, as a prior standard deviation (of the logarithm of a worth; of an exponent, for a metric
#: of variance 1). With noise of standard deviation s the penalty of ridge regression is then s over this: it decides where runs are few
#: or a domain is hardly used, and nowhere else.
_SPREAD = 1.5
#: Noise to begin with, and the least there is taken to be, in standard deviations of the metric.
_FIRST_NOISE, _LEAST_NOISE = 0.3, 0.02
#: Where a law's asymptote starts, in ranges of the metric beyond its best value.
_STARTS = (0.05, 0.3, 1.0, 4.0)


@dataclass(frozen=True)
class LogLinear:
    """The exponential mixing law, ``c + k exp(t . r)`` (Ye et al. 2024, Data Mixing Laws, arXiv 2403.16952; Olmix's ``log_linear``).

    Shares sum to 1, so ``k`` is in ``t``. Metrics that saturate upward take the other sign. Least squares (Levenberg-Marquardt with the
    exact Jacobian) from several asymptotes ``c``; with ``c`` fixed the law is linear in logarithms, which gives each start its ``t``, so
    no start is random.
    """

    name: str = "log_linear"

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        return _fit_law(_LogLinear, ratios, y, seed)


@dataclass(frozen=True)
class PowerLaw:
    """A power law of effective data, ``c + (a . r)^-b`` with all ``a > 0``: a token of domain j is worth ``a_j`` tokens of what the metric
    measures (as effective data transferred in Hernandez et al. 2021, Scaling Laws for Transfer, arXiv 2102.01293, here with one worth a
    domain; ``b`` is the exponent of the loss in data). Metrics that saturate upward take the other sign.

    The first token of a domain that nothing replaces matters most in it, which an exponential cannot say. Fitted as :class:`LogLinear` is;
    starts come from non-negative least squares.
    """

    name: str = "power_law"

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        return _fit_law(_PowerLaw, ratios, y, seed)


class _Law(Fitted):
    """``level + scale * sign * (c + shape(r))`` with parameters ``theta`` = (c, coefficients by domain, further)."""

    def __init__(
        self,
        ratios: np.ndarray,
        y: np.ndarray,
        seed: int,
        frame: tuple[float, float, int],
        theta: np.ndarray,
        penalty: float,
    ) -> None:
        super().__init__(ratios, y, seed)
        self._frame, self.theta, self._penalty = frame, theta, penalty

    def predict(self, ratios: np.ndarray) -> np.ndarray:
        level, scale, sign = self._frame
        return level + sign * scale * (self.theta[0] + self.shape(self.theta, ratios)[0])

    def refit(self, counts: np.ndarray) -> Fitted:
        level, scale, sign = self._frame
        z = sign * (self.y - level) / scale
        theta, _ = self.solve(self.theta, self.ratios, z, counts, self._penalty, 40)
        return type(self)(self.ratios, self.y, self.seed, self._frame, theta, self._penalty)

    @property
    def noise(self) -> float:  # type: ignore[override]
        """Standard deviation of residuals."""
        return _residual(self.y - self.predict(self.ratios), len(self.theta))

    def covariance(self, ratios: np.ndarray) -> np.ndarray:
        """Of the posterior, by Laplace's approximation: the curvature of the penalised squares at the optimum."""
        _, slopes = self.shape(self.theta, self.ratios)
        pull = self.pull(len(self.theta), ratios.shape[1], self._penalty)
        _, here = self.shape(self.theta, ratios)
        curvature = slopes.T @ slopes + pull.T @ pull
        return self.noise**2 * here @ np.linalg.pinv(curvature, hermitian=True) @ here.T

    @staticmethod
    def pull(parameters: int, domains: int, penalty: float) -> np.ndarray:
        """Rows (k, parameters) whose squares are the penalty."""
        rows = np.zeros((domains + 1, parameters))
        rows[:domains, 1 : 1 + domains] = penalty * (np.eye(domains) - 1 / domains)
        # nothing in the data may tell c from -infinity (a plane): a hair's pull back keeps the arithmetic in range
        rows[domains, 0] = 0.1 * penalty
        return rows

    @staticmethod
    def shape(theta: np.ndarray, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n,) without the asymptote and their derivatives (n, parameters) with it."""
        raise NotImplementedError

    @staticmethod
    def starts(ratios: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
        """Parameters to start from, for a metric standardised so that less is nearer to the asymptote."""
        raise NotImplementedError

    @classmethod
    def solve(
        cls, theta: np.ndarray, ratios: np.ndarray, z: np.ndarray, counts: np.ndarray, penalty: float, steps: int
    ) -> tuple[np.ndarray, float]:
        """Penalised least squares from a start: parameters and cost."""
        weight, pull = np.sqrt(counts), cls.pull(len(theta), ratios.shape[1], penalty)

        def errors(t: np.ndarray) -> np.ndarray:
            return np.concatenate([weight * (t[0] + cls.shape(t, ratios)[0] - z), pull @ t])

        def slopes(t: np.ndarray) -> np.ndarray:
            return np.vstack([weight[:, None] * cls.shape(t, ratios)[1], pull])

        found = least_squares(errors, theta, jac=slopes, method="lm", max_nfev=steps, ftol=1e-7, xtol=1e-7)
        return found.x, float(found.cost)


class _LogLinear(_Law):
    name = "log_linear"

    @staticmethod
    def shape(theta: np.ndarray, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value = np.exp(np.clip(ratios @ theta[1:], -50, 50))
        return value, np.column_stack([np.ones(len(ratios)), value[:, None] * ratios])

    @staticmethod
    def starts(ratios: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
        found = []
        for beyond in _STARTS:
            c = float(z.min() - beyond * np.ptp(z))
            gram = ratios.T @ ratios + 1e-3 * np.eye(ratios.shape[1])
            found.append(np.concatenate([[c], np.linalg.solve(gram, ratios.T @ np.log(z - c))]))
        return found


class _PowerLaw(_Law):
    name = "power_law"

    @staticmethod
    def shape(theta: np.ndarray, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        worth, power = np.exp(np.clip(theta[1:-1], -30, 30)), np.exp(np.clip(theta[-1], -6, 2))
        effective = ratios @ worth
        value = np.exp(np.clip(-power * np.log(effective), -50, 50))
        by_worth = (-power * value / effective)[:, None] * ratios * worth
        return value, np.column_stack([np.ones(len(ratios)), by_worth, -value * np.log(effective) * power])

    @staticmethod
    def starts(ratios: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
        found = []
        for beyond in _STARTS:
            for power in (0.2, 0.6):
                c = float(z.min() - beyond * np.ptp(z))
                # solved in proportion to its size, or the few best runs would decide
                effective = (z - c) ** (-1 / power)
                worth = nnls(ratios / effective[:, None], np.ones(len(z)))[0]
                least = 1e-2 * worth.max()
                found.append(np.concatenate([[c], np.log(np.maximum(worth, least)), [np.log(power)]]))
        return found


def _fit_law(kind: type[_Law], ratios: np.ndarray, y: np.ndarray, seed: int) -> Fitted:
    level, scale = float(y.mean()), float(y.std())
    if scale < 1e-12 * max(1.0, abs(level)):
        # every run measured the same: nothing to fit
        return Linear().fit(ratios, y, seed)
    counts, penalty = np.ones(len(y)), _FIRST_NOISE / _SPREAD
    tried: list[tuple[float, int, np.ndarray]] = []
    for sign in (1, -1):
        z = sign * (y - level) / scale
        for start in kind.starts(ratios, z):
            theta, cost = kind.solve(start, ratios, z, counts, penalty, 8)
            tried.append((cost, sign, theta))
    # a few steps tell which starts are worth following
    best: list[tuple[float, int, np.ndarray]] = []
    for _, sign, theta in sorted(tried, key=lambda one: one[0])[:3]:
        theta, cost = kind.solve(theta, ratios, sign * (y - level) / scale, counts, penalty, 40)
        best.append((cost, sign, theta))
    _, sign, theta = min(best, key=lambda one: one[0])
    z = sign * (y - level) / scale
    for _ in range(3):
        # the noise is what the law leaves, and the penalty follows from it
        left = _residual(theta[0] + kind.shape(theta, ratios)[0] - z, len(theta))
        penalty = max(left, _LEAST_NOISE) / _SPREAD
        theta, _ = kind.solve(theta, ratios, z, counts, penalty, 100)
    return kind(ratios, y, seed, (level, scale, sign), theta, penalty)


def _residual(errors: np.ndarray, parameters: int) -> float:
    """Standard deviation of errors (R,) that a fit with so many parameters left."""
    return float(np.sqrt((errors**2).sum() / max(len(errors) - parameters, len(errors) / 3)))
