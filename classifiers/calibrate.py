"""Calibration: from logits of one or several tiers to probabilities, fitted on corpora the tiers never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Fewest positives and negatives to fit a head by; with fewer it keeps the average of its tiers.
FEWEST = 12


@dataclass(frozen=True)
class Stack:
    """Logistic combination of tiers, head by head (Platt 1999; stacking, Wolpert 1992).

    :param weights: float64, shape (tiers, heads), none negative, so that no tier's order is turned round.
    :param offset: float64, shape (heads,).
    """

    weights: np.ndarray
    offset: np.ndarray

    def probabilities(self, logits: list[np.ndarray]) -> np.ndarray:
        """float32, shape (texts, heads), from each tier's logits of that shape. One text's row depends on it alone."""
        total = np.broadcast_to(self.offset, logits[0].shape).astype(np.float64)
        for weight, part in zip(self.weights, logits, strict=True):
            total = total + weight * part
        return (1.0 / (1.0 + np.exp(-np.clip(total, -30, 30)))).astype(np.float32)

    @classmethod
    def fit(cls, logits: list[np.ndarray], truth: np.ndarray, weights: np.ndarray | None = None) -> Stack:
        """Fit on held-out logits.

        :param truth: 0 or 1, shape (texts, heads).
        :param weights: how much each text counts.
        """
        fitted = [
            _fit_head(np.stack([part[:, head] for part in logits], 1), truth[:, head], weights)
            for head in range(truth.shape[1])
        ]
        return cls(np.array([row[:-1] for row in fitted]).T, np.array([row[-1] for row in fitted]))


def _fit_head(logits: np.ndarray, truth: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    from scipy.optimize import minimize

    tiers = logits.shape[1]
    start = np.append(np.full(tiers, 1.0 / tiers), 0.0)
    positives, negatives = float((truth > 0.5).sum()), float((truth <= 0.5).sum())
    if min(positives, negatives) < FEWEST:
        return start
    goal = np.where(truth > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))  # Platt's smoothed targets
    x = np.concatenate([logits, np.ones((len(logits), 1))], 1).astype(np.float64)
    share = np.ones(len(x)) if weights is None else weights / weights.mean()

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ theta
        value = float((share * (np.logaddexp(0, z) - goal * z)).sum())
        slope = x.T @ (share * (1.0 / (1.0 + np.exp(-np.clip(z, -30, 30))) - goal))
        pull = theta[:-1] - start[:-1]  # a weak prior: the average of the tiers
        return value + 0.5 * float(pull @ pull), slope + np.append(pull, 0.0)

    bounds = [(0.0, None)] * tiers + [(None, None)]
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x


def ece(truth: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015), equal-mass bins: mean gap between stated and found rates."""
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, bins)
    gaps = [len(part) * abs(truth[part].mean() - probabilities[part].mean()) for part in parts if len(part)]
    return float(sum(gaps) / max(1, len(order)))


def reliability(truth: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Points of a reliability diagram: mean probability, rate found and number of texts of each equal-width bin."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return [
        (float(probabilities[place == k].mean()), float(truth[place == k].mean()), int((place == k).sum()))
        for k in range(bins)
        if (place == k).any()
    ]
