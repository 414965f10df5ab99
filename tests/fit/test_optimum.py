"""Proposals keep to their constraints, find what there is, and claim nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.fit.constraints import Constraints, distance
from pipeline.fit.models import SINGLE
from pipeline.fit.optimum import propose, trades
from pipeline.fit.pareto import non_dominated, pareto
from pipeline.fit.validate import choose, cross_validate, fit_chosen, rivals
from sources.errors import UserError
from tests.fit.conftest import mixes, power

NAMES = list("abcde")
UNIFORM = np.full(5, 0.2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_projected_mixes_keep_to_all_constraints(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = rng.dirichlet(np.ones(5))
    low, high = inside * rng.random(5), inside + (1 - inside) * rng.random(5)
    prior = rng.dirichlet(np.ones(5))
    nearest = max(np.maximum(prior - high, 0).sum(), np.maximum(low - prior, 0).sum())
    constraints = Constraints(
        minimum=dict(zip(NAMES, low.tolist(), strict=True)),
        maximum=dict(zip(NAMES, high.tolist(), strict=True)),
        max_distance=min(1.0, float(nearest) + 0.1 * rng.random()),
    )
    allowed = constraints.allowed(NAMES, prior)
    assert distance(allowed.centre, prior) == pytest.approx(nearest, abs=1e-9)
    found = allowed.project(np.vstack([rng.normal(size=(50, 5)), np.eye(5)]))
    assert np.abs(found.sum(1) - 1).max() < 1e-12
    assert (found >= low - 1e-12).all() and (found <= high + 1e-12).all()
    assert (distance(found, prior) <= constraints.max_distance + 1e-9).all()
    again = allowed.project(found)
    assert np.abs(again - found).max() < 1e-6


@pytest.mark.parametrize(
    ("constraints", "told"),
    [
        (Constraints(minimum={"a": 0.7, "b": 0.6}), "minimum shares add up to 1.3000"),
        (Constraints(maximum=dict.fromkeys(NAMES, 0.1)), "adds up to 0.5000"),
        (Constraints(minimum={"a": 0.5}, maximum={"a": 0.2}), "at least 0.5000 of the mix, but its maximum share"),
        (
            Constraints(minimum={"a": 0.5}, supply={"a": 100}, budget=1000, max_epochs=2),
            "but its supply, at 2 epochs allows 0.2000",
        ),
        (Constraints(supply=dict.fromkeys(NAMES, 10.0), budget=1000), "its supply, at 4 epochs"),
        (Constraints(fixed={"a": 0.9}, max_distance=0.2), "the nearest mix .* is 0.7000 from the prior"),
        (Constraints(fixed={"a": 0.9}, maximum={"a": 0.5}), "a is fixed at 0.9, which is more than its maximum"),
        (Constraints(fixed={"q": 0.9}), "'q', which is no domain"),
        (Constraints(maximum={"a": 1.2}), "maximum of a is 1.2"),
        (Constraints(supply={"a": 5}), "only together"),
        (Constraints(max_distance=2), "max_distance is 2"),
    ],
)
def test_what_cannot_be_says_what_conflicts(constraints: Constraints, told: str) -> None:
    with pytest.raises(UserError, match=told):
        constraints.allowed(NAMES, UNIFORM)


@pytest.mark.parametrize("name", ["gp", "lightgbm", "power_law"])
def test_the_best_mix_is_found_and_allowed(name: str) -> None:
    best = np.array([0.4, 0.3, 0.2, 0.1, 0.0])

    def truth(r: np.ndarray) -> np.ndarray:
        return 1 - 0.3 * np.log(r + 0.05) @ np.array([0.4, 0.3, 0.2, 0.1, 0.0])

    ratios = mixes(80)
    model = SINGLE[name].fit(ratios, truth(ratios))
    constraints = Constraints(
        supply={"a": 90.0}, budget=1000, max_epochs=3, minimum={"e": 0.05}, fixed={"d": 0.1}, max_distance=0.35
    )
    proposal = propose({"loss": model}, {"loss": 1.0}, UNIFORM, constraints, domains=NAMES)
    mix = proposal.weights
    assert abs(mix.sum() - 1) < 1e-12 and mix.min() >= 0
    assert mix[0] * 1000 <= 90 * 3 + 1e-9 and mix[4] >= 0.05 - 1e-12 and mix[3] == pytest.approx(0.1, abs=1e-12)
    assert distance(mix, UNIFORM) <= 0.35 + 1e-9
    assert proposal.epochs is not None and proposal.epochs[0] == pytest.approx(mix[0] * 1000 / 90)
    grid = constraints.allowed(NAMES, UNIFORM).project(np.vstack([mixes(20_000, seed=3), best]))
    mine, others = model.predict(mix[None])[0], model.predict(grid)
    if name == "lightgbm":
        # a mean of the best candidates, so not the very best
        assert (others < mine).mean() < 0.02
        return
    assert mine <= others.min() + 1e-3 * others.std()
    assert any("supply" in one for one in proposal.binding) and any(one.startswith("e:") for one in proposal.binding)
    if name == "gp":
        gap = truth(mix[None])[0] - truth(grid).min()
        assert gap < 0.05 * (truth(UNIFORM[None])[0] - truth(grid).min())


def test_metrics_that_are_better_high_are_raised() -> None:
    ratios = mixes(40)
    model = SINGLE["linear"].fit(ratios, ratios[:, 2] + 0.01 * ratios[:, 0])
    up = propose({"acc": model}, {"acc": 1}, UNIFORM, Constraints(), domains=NAMES, higher_is_better=frozenset({"acc"}))
    down = propose({"acc": model}, {"acc": 1}, UNIFORM, Constraints(), domains=NAMES)
    assert up.weights[2] == pytest.approx(1, abs=1e-3) and up.gain > 0
    assert down.weights[2] == pytest.approx(0, abs=1e-3) and down.gain > 0


def verdict(y: np.ndarray, ratios: np.ndarray, seed: int, models: list[str]):
    validations = cross_validate(ratios, y, models, seed=seed)
    chosen = choose(validations)
    return propose(
        {"loss": fit_chosen(chosen, ratios, y, seed)},
        {"loss": 1.0},
        UNIFORM,
        Constraints(max_distance=0.3),
        domains=NAMES,
        validations={"loss": chosen},
        rivals={"loss": [fit_chosen(one, ratios, y, seed) for one in rivals(validations, chosen)]},
        units={"loss": "bits per byte"},
        seed=seed,
    )


def test_a_clear_effect_is_distinguished_and_told() -> None:
    ratios = mixes(32)
    proposal = verdict(power(ratios) + np.random.default_rng(0).normal(0, 0.01, 32), ratios, 0, ["linear", "gp"])
    gain = power(UNIFORM[None])[0] - power(proposal.weights[None])[0]
    assert proposal.distinguishable and proposal.gain_low > 0
    assert proposal.gain_low < gain < proposal.gain_high
    assert proposal.statement.startswith("The proposal is better than the prior")
    assert "bits per byte" in proposal.statement


@pytest.mark.slow
def test_noise_alone_is_not_distinguished_and_an_effect_is() -> None:
    """Twenty swarms without any effect and twenty with a clear one, under all quick models."""
    models = [name for name in SINGLE if name != "lightgbm"]
    claimed, found = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        ratios = mixes(32, seed=seed)
        nothing = verdict(2 + rng.normal(0, 0.05, 32), ratios, seed, models)
        claimed += nothing.distinguishable
        if not nothing.distinguishable:
            assert "Keep the prior" in nothing.statement
        found += verdict(power(ratios) + rng.normal(0, 0.02, 32), ratios, seed, models).distinguishable
    assert claimed <= 2
    assert found >= 18


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 600), st.integers(1, 4), st.integers(0, 1000))
def test_the_front_is_that_of_brute_force(n: int, targets: int, seed: int) -> None:
    # few distinct values, so that there are ties and repeated rows
    values = np.random.default_rng(seed).integers(0, 12, (n, targets)).astype(float)
    no_worse = (values[None] <= values[:, None]).all(2)
    better = (values[None] < values[:, None]).any(2)
    assert np.array_equal(non_dominated(values), ~(no_worse & better).any(1))


def test_a_front_between_two_targets_and_what_a_proposal_gives_away() -> None:
    ratios = mixes(40)
    models = {
        "left": SINGLE["power_law"].fit(ratios, power(ratios)),
        "right": SINGLE["power_law"].fit(ratios, power(ratios[:, ::-1])),
    }
    constraints = Constraints(maximum={"a": 0.6})
    proposals = {name: propose(models, {name: 1.0}, UNIFORM, constraints, domains=NAMES) for name in models}
    front = pareto(
        models, UNIFORM, constraints, domains=NAMES, include=np.stack([one.weights for one in proposals.values()])
    )
    left, right = front.predicted["left"], front.predicted["right"]
    assert 20 < len(left) <= 60 and len(front.others) <= 300
    assert (np.diff(left) > 0).all() and (np.diff(right) < 0).all()
    assert (front.weights[:, 0] <= 0.6 + 1e-12).all() and np.allclose(front.weights.sum(1), 1)
    assert left.min() <= proposals["left"].predicted["left"] + 1e-9
    best = {name: one.predicted[name] for name, one in proposals.items()}
    told = trades(proposals["left"], best)
    assert len(told) == 1 and told[0].startswith("right: ") and "short of the best possible" in told[0]
    assert "worse than the prior" in told[0]
    both = propose(models, {"left": 1.0, "right": 1.0}, UNIFORM, constraints, domains=NAMES)
    assert len(trades(both, best)) == 2
    summary = front.summary()
    assert set(summary["front"][0]) == {"weights", "predicted", "deviation"}


def test_an_objective_must_make_sense() -> None:
    model = SINGLE["linear"].fit(mixes(20), np.arange(20.0))
    with pytest.raises(UserError, match="no target"):
        propose({"loss": model}, {"acc": 1.0}, UNIFORM, Constraints(), domains=NAMES)
    with pytest.raises(UserError, match="not negative"):
        propose({"loss": model}, {"loss": -1.0}, UNIFORM, Constraints(), domains=NAMES)
