"""Known truths are recovered; cross-validation keeps points together and chooses what predicts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from pipeline.fit.base import folds_of, points, resamples
from pipeline.fit.gaussian import _objective
from pipeline.fit.models import MODELS, SINGLE, stack
from pipeline.fit.validate import choose, cross_validate, fit_chosen, rivals, seed_noise, spearman
from sources.errors import UserError
from tests.fit.conftest import mixes, power


def error(name: str, truth, n: int = 60, seed: int = 0) -> float:
    """Share of the variance of unseen mixes a model does not explain."""
    ratios, unseen = mixes(n, seed=seed), mixes(200, seed=seed + 1)
    predicted = SINGLE[name].fit(ratios, truth(ratios)).predict(unseen)
    return float(((predicted - truth(unseen)) ** 2).mean() / truth(unseen).var())


def test_a_plane_is_recovered() -> None:
    slope = np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    assert error("linear", lambda r: 2 + r @ slope) < 1e-9


@pytest.mark.parametrize("sign", [1, -1])
def test_an_exponential_law_is_recovered(sign: int) -> None:
    t = np.array([-1.0, 0.3, 0.8, -0.4, 0.1])
    assert error("log_linear", lambda r: sign * (1.5 + 0.7 * np.exp(r @ t))) < 1e-4
    assert error("linear", lambda r: sign * (1.5 + 0.7 * np.exp(r @ t))) > 1e-3


@pytest.mark.parametrize("sign", [1, -1])
def test_a_power_law_is_recovered(sign: int) -> None:
    assert error("power_law", lambda r: sign * power(r)) < 1e-3


def test_the_process_follows_what_no_law_has() -> None:
    def truth(r: np.ndarray) -> np.ndarray:
        return np.cos(6 * r[:, 0]) + r[:, 1] * r[:, 2]

    assert error("gp", truth, 120) < 0.01 < error("power_law", truth, 120)


def test_gradient_of_the_process() -> None:
    ratios, z = mixes(25, 4), np.random.default_rng(3).normal(size=25)
    counts = np.random.default_rng(4).integers(1, 4, 25).astype(float)
    theta = np.random.default_rng(5).normal(-1, 0.3, 8)
    _, gradient = _objective(theta, ratios, z, counts)
    numeric = approx_fprime(theta, lambda t: _objective(t, ratios, z, counts)[0], 1e-6)
    assert np.abs(gradient - numeric).max() < 1e-4 * np.abs(numeric).max()


@pytest.mark.parametrize("name", [*SINGLE])
def test_every_model_is_deterministic_quiet_and_finite(name: str) -> None:
    ratios = mixes(24)
    y = power(ratios) + np.random.default_rng(0).normal(0, 0.05, 24)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = SINGLE[name].fit(ratios, y, 3), SINGLE[name].fit(ratios, y, 3)
        unseen = np.vstack([mixes(50, seed=9), np.eye(5)])
        assert np.array_equal(one.predict(unseen), two.predict(unseen))
        assert np.isfinite(one.predict(unseen)).all()
        deviation = one.deviation(unseen)
    assert np.isfinite(deviation).all() and (deviation > 0).all()
    assert one.difference(ratios[0], ratios[0]) == pytest.approx(0, abs=1e-6)
    assert one.difference(ratios[0], ratios[1]) > 0


@pytest.mark.parametrize("name", [*SINGLE])
def test_a_metric_that_does_not_move_is_predicted(name: str) -> None:
    predicted = SINGLE[name].fit(mixes(20), np.full(20, 3.25)).predict(mixes(5, seed=1))
    assert np.allclose(predicted, 3.25)


def test_predictive_deviation_covers_unseen_runs() -> None:
    rng = np.random.default_rng(0)
    ratios, unseen = mixes(48), mixes(400, seed=1)
    fitted = SINGLE["gp"].fit(ratios, power(ratios) + rng.normal(0, 0.03, 48))
    off = power(unseen) + rng.normal(0, 0.03, 400) - fitted.predict(unseen)
    covered = (np.abs(off) < 1.96 * fitted.deviation(unseen)).mean()
    assert 0.85 < covered < 0.995


def test_runs_of_one_point_are_never_on_both_sides() -> None:
    ratios = np.repeat(mixes(12), 3, axis=0)
    fold = folds_of(ratios, 5, 0)
    assert all(len(set(fold[points(ratios) == point])) == 1 for point in range(12))
    assert set(fold) == set(range(5))
    counts = resamples(ratios, 20, 0)
    assert (counts.reshape(20, 12, 3).std(2) == 0).all()
    assert (counts.sum(1) == 36).all()


def test_repeated_points_do_not_flatter() -> None:
    """A metric that is noise of its point: who sees another run of the point knows it, who does not cannot."""
    ratios = np.repeat(mixes(20), 3, axis=0)
    y = np.repeat(np.random.default_rng(1).normal(size=20), 3)
    assert all(one.r2 < 0.3 for one in cross_validate(ratios, y, ["lightgbm", "gp"]))


def test_cross_validation_chooses_the_law_that_holds() -> None:
    ratios = mixes(40)
    y = power(ratios) + np.random.default_rng(0).normal(0, 0.005, 40)
    validations = cross_validate(ratios, y)
    assert [one.model for one in validations] == list(MODELS)
    chosen = choose(validations)
    assert chosen.model in ("power_law", "log_linear", "gp")
    assert chosen.spearman_low < chosen.spearman < chosen.spearman_high and chosen.spearman > 0.98
    assert chosen.r2 > 0.99
    assert chosen.model not in [one.model for one in rivals(validations, chosen)]
    assert "linear" not in [one.model for one in rivals(validations, chosen)]
    ensemble = validations[-1]
    assert sum(ensemble.weights.values()) == pytest.approx(1)
    unseen = mixes(100, seed=5)
    both = fit_chosen(ensemble, ratios, y).predict(unseen)
    assert spearman(both, power(unseen)) > 0.98


def test_stacking_finds_the_weights() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    guesses = np.stack([y + rng.normal(0, 0.3, 400), y + rng.normal(0, 0.3, 400), rng.normal(size=400)])
    weights = stack(guesses, y)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert weights[:2] == pytest.approx([0.5, 0.5], abs=0.1)
    assert weights[2] < 0.1


def test_noise_of_seeds_is_pooled() -> None:
    ratios = np.repeat(mixes(200), 2, axis=0)
    y = np.repeat(np.arange(200.0), 2) + np.random.default_rng(0).normal(0, 0.5, 400)
    assert seed_noise(ratios, y) == pytest.approx(0.5, rel=0.15)
    assert seed_noise(mixes(10), np.arange(10.0)) is None


@pytest.mark.parametrize(("runs", "folds", "told"), [(4, None, "too few to fit"), (8, 10, "too few for 10 folds")])
def test_too_few_runs_are_told(runs: int, folds: int | None, told: str) -> None:
    with pytest.raises(UserError, match=told):
        cross_validate(mixes(runs), np.arange(runs, dtype=float), folds=folds)
    with pytest.raises(UserError, match="no model 'forest'"):
        cross_validate(mixes(10), np.arange(10.0), ["forest"])
