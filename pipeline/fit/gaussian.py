"""A Gaussian process on warped shares: the model of our own.

Kernel: Matern 5/2 with a length scale for each domain, plus a linear one, plus noise. Shares are warped first,
``log(1 + r/e) / log(1 + 1/e)``: what the first per cent of a domain does is far more than what the fiftieth does, and how much more
(``e``, one for all domains) is learned with the rest. Everything is found by maximum a posteriori: the marginal likelihood with wide normal
priors on the logarithms of all hyperparameters, so that a swarm of 24 runs neither takes noise for signal nor runs to a bound.

Written out rather than taken from scikit-learn, whose process has no priors and no learned warp, and holds an (R, R, D) array for its
gradient: the gradient here is a few matrix products, and a fit on 512 runs of 17 domains takes about a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from pipeline.fit.base import Fitted, chunks

#: Hyperparameters before the length scales, all logarithms, for a metric of variance 1: variance of the Matern part, of the noise, of the
#: linear part, and the warp's e. Prior means and standard deviations.
_HEAD = np.array([[0.0, 2.0], [-3.0, 2.0], [-2.0, 2.0], [np.log(1e-2), 1.0]])
#: Of each length scale, in units of a whole domain's warped range.
_LENGTH = (np.log(2.0), 1.2)
_AMPLITUDE, _NOISE, _LINEAR, _WARP, _LENGTHS = 0, 1, 2, 3, 4
_JITTER = 1e-8
#: Hyperparameters are learned on so many runs at most (the cost grows with the cube); all runs are used to predict.
_MOST_RUNS = 1024
#: Up to so many runs a bootstrap replicate learns its hyperparameters anew: there their uncertainty is not small.
_FEW_RUNS = 100
#: Rows predicted at a time.
_CHUNK = 4096


@dataclass(frozen=True)
class GaussianProcess:
    """See the head of this module."""

    name: str = "gp"

    def fit(self, ratios: np.ndarray, y: np.ndarray, seed: int = 0) -> Fitted:
        """See :class:`pipeline.fit.base.Regressor`."""
        level, scale = float(y.mean()), max(float(y.std()), 1e-12 * max(1.0, abs(float(y.mean()))))
        z, counts = (y - level) / scale, np.ones(len(y))
        chosen = np.arange(len(y))
        if len(y) > _MOST_RUNS:
            chosen = np.sort(np.random.default_rng([seed, 3]).choice(len(y), _MOST_RUNS, replace=False))
        theta = _learn(ratios[chosen], z[chosen], counts[chosen], _starts(ratios.shape[1], len(y)), 80)
        return _Process(ratios, y, seed, (level, scale), theta, counts)


def _prior(domains: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of all hyperparameters, each (4 + D,)."""
    return (
        np.concatenate([_HEAD[:, 0], np.full(domains, _LENGTH[0])]),
        np.concatenate([_HEAD[:, 1], np.full(domains, _LENGTH[1])]),
    )


def _starts(domains: int, runs: int) -> list[np.ndarray]:
    mean, _ = _prior(domains)
    if runs > 4 * _FEW_RUNS:
        return [mean]
    # few runs may be explained by noise or by signal, each a hill of its own
    noisy = mean.copy()
    noisy[[_NOISE, _AMPLITUDE]] = [-0.3, -1.5]
    return [mean, noisy]


def _learn(
    ratios: np.ndarray, z: np.ndarray, counts: np.ndarray, starts: list[np.ndarray], iterations: int
) -> np.ndarray:
    """The best hyperparameters found from these starts."""
    found = [
        minimize(
            _objective, start, args=(ratios, z, counts), jac=True, method="L-BFGS-B",
            bounds=[(-14.0, 8.0)] * len(start), options={"maxiter": iterations},
        )
        for start in starts
    ]  # fmt: skip
    return min(found, key=lambda one: one.fun).x


def _warp(ratios: np.ndarray, log_e: float) -> np.ndarray:
    e = np.exp(log_e)
    return np.log1p(ratios / e) / np.log1p(1 / e)


def _warp_slope(ratios: np.ndarray, log_e: float) -> np.ndarray:
    """Derivative of :func:`_warp` in ``log_e``."""
    e = np.exp(log_e)
    top, bottom = np.log1p(ratios / e), np.log1p(1 / e)
    return (-ratios / (ratios + e) * bottom + top / (1 + e)) / bottom**2


def _matern(a: np.ndarray, b: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matern 5/2 between warped shares (n, D) and (m, D), and its derivative in the squared distance."""
    length = np.exp(theta[_LENGTHS:])
    a, b = a / length, b / length
    squared = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * a @ b.T, 0.0)
    r = np.sqrt(5 * squared)
    fall = np.exp(theta[_AMPLITUDE] - r)
    return (1 + r + r * r / 3) * fall, -5 / 6 * (1 + r) * fall


def _objective(theta: np.ndarray, ratios: np.ndarray, z: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log posterior of the hyperparameters (but for a constant), and its gradient.

    The gradient in a length scale or a warped share needs sums over pairs of ``H_ij (u_ik - u_jk)^2``, with H symmetric; these are
    ``2 (h . u_k^2 - u_k' H u_k)`` with h the row sums, so no (R, R, D) array is made.
    """
    warped = _warp(ratios, theta[_WARP])
    matern, slope = _matern(warped, warped, theta)
    plane = np.exp(theta[_LINEAR]) * warped @ warped.T
    kernel = matern + plane
    noise = np.exp(theta[_NOISE]) / counts
    kernel[np.diag_indices_from(kernel)] += noise + _JITTER
    try:
        factor = cho_factor(kernel, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(theta)
    alpha = cho_solve(factor, z, check_finite=False)
    value = 0.5 * float(z @ alpha) + float(np.log(np.diag(factor[0])).sum())
    by_kernel = 0.5 * (cho_solve(factor, np.eye(len(z)), check_finite=False) - np.outer(alpha, alpha))
    gradient = np.zeros_like(theta)
    gradient[_AMPLITUDE] = (by_kernel * matern).sum()
    gradient[_NOISE] = np.diag(by_kernel) @ noise
    gradient[_LINEAR] = (by_kernel * plane).sum()
    pairs = by_kernel * slope
    row = pairs.sum(1)
    through = pairs @ warped
    inverse = np.exp(-2 * theta[_LENGTHS:])
    gradient[_LENGTHS:] = -4 * inverse * (row @ warped**2 - (warped * through).sum(0))
    by_warped = 4 * (row[:, None] * warped - through) * inverse + 2 * np.exp(theta[_LINEAR]) * by_kernel @ warped
    gradient[_WARP] = (by_warped * _warp_slope(ratios, theta[_WARP])).sum()
    mean, deviation = _prior(ratios.shape[1])
    off = (theta - mean) / deviation
    return value + 0.5 * float(off @ off), gradient + off / deviation


class _Process(Fitted):
    name = "gp"

    def __init__(
        self,
        ratios: np.ndarray,
        y: np.ndarray,
        seed: int,
        frame: tuple[float, float],
        theta: np.ndarray,
        counts: np.ndarray,
    ) -> None:
        super().__init__(ratios, y, seed)
        self._frame, self.theta = frame, theta
        # a run drawn twice is one observation with half the noise, not two that agree by wonder
        used = counts > 0
        self._warped = _warp(ratios[used], theta[_WARP])
        kernel = self._kernel(self._warped, self._warped)
        kernel[np.diag_indices_from(kernel)] += np.exp(theta[_NOISE]) / counts[used] + _JITTER
        self._factor = cho_factor(kernel, lower=True)
        self._alpha = cho_solve(self._factor, (y[used] - frame[0]) / frame[1])

    @property
    def noise(self) -> float:  # type: ignore[override]
        """Standard deviation of one run about the expected metric, as learned."""
        return float(self._frame[1] * np.exp(0.5 * self.theta[_NOISE]))

    def predict(self, ratios: np.ndarray) -> np.ndarray:
        level, scale = self._frame
        return level + scale * np.concatenate(
            [self._kernel(self._warp(part), self._warped) @ self._alpha for part in chunks(ratios, _CHUNK)]
        )

    def covariance(self, ratios: np.ndarray) -> np.ndarray:
        """Of the joint posterior."""
        warped = self._warp(ratios)
        half = solve_triangular(self._factor[0], self._kernel(self._warped, warped), lower=True)
        return self._frame[1] ** 2 * (self._kernel(warped, warped) - half.T @ half)

    def refit(self, counts: np.ndarray) -> Fitted:
        theta = self.theta
        used = counts > 0
        if len(self.y) <= _FEW_RUNS:
            z = (self.y[used] - self._frame[0]) / self._frame[1]
            theta = _learn(self.ratios[used], z, counts[used], [theta], 15)
        return _Process(self.ratios, self.y, self.seed, self._frame, theta, counts)

    def _warp(self, ratios: np.ndarray) -> np.ndarray:
        return _warp(ratios, self.theta[_WARP])

    def _kernel(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return _matern(a, b, self.theta)[0] + np.exp(self.theta[_LINEAR]) * a @ b.T
