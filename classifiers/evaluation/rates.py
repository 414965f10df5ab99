"""Rates of chosen texts, and whether two of them, or two means, differ by more than chance."""

from __future__ import annotations

import numpy as np

from classifiers.evaluate import Rate


def rate(chosen: np.ndarray, of: np.ndarray) -> Rate:
    """Share of the texts in ``of`` that are ``chosen``; both bool, shape (texts,)."""
    return Rate(int((chosen & of).sum()), int(of.sum()))


def difference(one: Rate, other: Rate) -> tuple[float, float, float]:
    """Difference of two rates and its 95 % interval (Newcombe 1998, method 10: from the two Wilson intervals)."""
    (low, high), (other_low, other_high) = one.interval, other.interval
    gap = one.value - other.value
    down = np.hypot(one.value - low, other_high - other.value)
    up = np.hypot(high - one.value, other.value - other_low)
    return gap, gap - float(down), gap + float(up)


def mean_difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Difference of two means and its 95 % interval (Welch's standard error, normal quantile)."""
    if len(one) < 2 or len(other) < 2:
        return (float("nan"),) * 3
    gap = float(one.mean() - other.mean())
    half = 1.96 * float(np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)))
    return gap, gap - half, gap + half


def real(gap: tuple[float, float, float]) -> bool:
    """Whether a difference is larger than its interval is wide: the interval does not hold zero."""
    return gap[1] > 0 or gap[2] < 0
