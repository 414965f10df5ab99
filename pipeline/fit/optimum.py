"""The best mix the models know, under constraints; and whether it can be told from the prior.

*Search.* Any model can be asked, so the search asks for values only. A wide sample (Dirichlet mixes around the prior and of all shapes,
corners, the runs, blends), then differential evolution (Storn and Price 1997) inside the constraints. Of a smooth model the best is
followed downhill by moving share between pairs of domains, in steps that halve; where no pair improves a smooth function has an optimum,
as these moves span the simplex. Trees are flat between their splits and their lowest cells are narrow, so of them the mean of the best
candidates is taken, as RegMix does (arXiv 2407.01492); the set is convex, so a mean is allowed.

*Is it better?* What a model says of the mix it likes best is too good: the minimum over many mixes also picks errors (the winner's curse).
How much is measured by bootstrap (Efron 1983): models of resampled runs choose their own best candidate, and what they promise is compared
with what the model of all runs says of that candidate; the mean excess is taken off the gain. The interval about it has the larger of two
standard deviations of the difference between both mixes: that of bootstrap replicates, and that of the model's posterior where it has one
(of a Gaussian process it also knows where no run has been). Models that cross-validation cannot tell from the chosen one may see the same
two mixes otherwise; how far their gains are from its own is added. A model whose out-of-fold predictions do not rank the runs supports no
claim at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.fit.base import Fitted
from pipeline.fit.constraints import Allowed, Constraints, distance
from pipeline.fit.validate import Validation
from sources.errors import UserError

#: Mixes of the wide sample; kept for evolution; rounds of it.
_SAMPLE = 12_000
_KEPT = 400
_ROUNDS = 25
#: Of a model that is not smooth: how many of the best are averaged (RegMix: 100).
_BEST = 100
#: Where halving a step ends.
_LAST_STEP = 1e-5
#: A share of less is not worth a line in a recipe.
_CRUMB = 1e-3
#: Candidates replicates choose from.
_CHOICES = 1500


@dataclass(frozen=True)
class Proposal:
    """A mix that is proposed for an objective.

    :param weights: (D,).
    :param predicted, deviation, prior_predicted: by target; the deviation is that of one run.
    :param apparent_gain: how much better than the prior the model says it is, in units of the objective; more is better, whichever way the
        metrics go.
    :param gain: less what choosing the best adds by chance.
    :param gain_low, gain_high: 95 % interval of it.
    :param distinguishable: whether that is above 0 and the models rank unseen runs.
    :param statement: the same in plain words.
    :param distance: total variation from the prior.
    :param epochs: (D,), where supply and budget are known.
    :param binding: constraints that keep it from going on.
    :param trades: what other targets lose by it.
    """

    name: str
    objective: dict[str, float]
    weights: np.ndarray
    predicted: dict[str, float]
    deviation: dict[str, float]
    prior_predicted: dict[str, float]
    apparent_gain: float
    gain: float
    gain_low: float
    gain_high: float
    distinguishable: bool
    statement: str
    distance: float
    epochs: np.ndarray | None = None
    binding: list[str] = field(default_factory=list)
    trades: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """As plain values."""
        return vars(self) | {
            "weights": self.weights.tolist(),
            "epochs": None if self.epochs is None else self.epochs.tolist(),
        }


@dataclass(frozen=True)
class Goal:
    """What is minimised: a weighted sum of targets, with the sign of those that are better high.

    :param models: by target.
    :param weights: by target; targets without one have no part.
    """

    models: Mapping[str, Fitted]
    weights: Mapping[str, float]
    higher_is_better: frozenset[str] = frozenset()

    def signed(self) -> list[tuple[float, Fitted]]:
        """Weight with sign, and model, of each that has a part."""
        return [
            (-weight if name in self.higher_is_better else weight, self.models[name])
            for name, weight in self.weights.items()
            if weight
        ]

    def __call__(self, mixes: np.ndarray) -> np.ndarray:
        """Value (n,) of mixes (n, D); less is better."""
        return np.sum([weight * model.predict(mixes) for weight, model in self.signed()], axis=0)

    def replicate(self, i: int, mixes: np.ndarray) -> np.ndarray:
        """The same by the ``i``-th bootstrap replicate of all models."""
        return np.sum([weight * model.replicates[i].predict(mixes) for weight, model in self.signed()], axis=0)

    @property
    def smooth(self) -> bool:
        """Whether it can be followed downhill."""
        return all(model.smooth for _, model in self.signed())


def propose(
    targets: Mapping[str, Fitted],
    objective: Mapping[str, float],
    prior: np.ndarray,
    constraints: Constraints,
    *,
    domains: list[str],
    higher_is_better: frozenset[str] = frozenset(),
    validations: Mapping[str, Validation] | None = None,
    rivals: Mapping[str, list[Fitted]] | None = None,
    units: Mapping[str, str] | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Proposal:
    """The best mix for an objective, and what can honestly be said of it.

    :param targets: a fitted model by metric.
    :param objective: weights by metric, not negative.
    :param prior: (D,), what it is compared with.
    :param domains: names, in the order of the shares.
    :param validations: of the models; without them nothing tells whether they rank unseen runs.
    :param rivals: by target, models that do as well by cross-validation (:func:`pipeline.fit.validate.rivals`).
    :param units: of the metrics, such as "bits per byte", for the statement.
    :param name: of the proposal [default: of the objective].
    :raises UserError: constraints conflict, or the objective names what is no target.
    """
    if unknown := [target for target in objective if target not in targets]:
        raise UserError(f"the objective names {unknown[0]!r}, which is no target", fix=f"one of {', '.join(targets)}")
    if not any(objective.values()) or min(objective.values()) < 0:
        raise UserError(
            "an objective needs weights that are not negative, and one above 0",
            where="objective",
            fix="the sign of a metric follows from which way is better",
        )
    allowed = constraints.allowed(domains, prior)
    goal = Goal(targets, objective, higher_is_better)
    observed = np.concatenate([model.ratios for _, model in goal.signed()])
    mix, population = search(goal, allowed, observed, goal.smooth, seed)
    if goal(mix[None])[0] >= goal(prior[None])[0] and allowed.has(prior):
        # nothing is better than what is there
        mix = prior
    both = np.stack([mix, prior])
    values = goal(both)
    apparent = float(values[1] - values[0])
    excess, deviation = _doubts(goal, mix, prior, population, seed)
    gain = apparent - excess if distance(mix, prior) > 0 else 0.0
    deviation = float(np.hypot(deviation, _disagreement(goal, rivals or {}, mix, prior)))
    low, high = gain - 1.96 * deviation, gain + 1.96 * deviation
    blind = _blind(goal, validations or {})
    shares = {target: model.predict(both) for target, model in targets.items()}
    proposal = Proposal(
        name=name or " + ".join(target for target, weight in objective.items() if weight),
        objective={target: float(weight) for target, weight in objective.items()},
        weights=mix,
        predicted={target: float(value[0]) for target, value in shares.items()},
        deviation={target: float(model.deviation(mix[None])[0]) for target, model in targets.items()},
        prior_predicted={target: float(value[1]) for target, value in shares.items()},
        apparent_gain=apparent,
        gain=gain,
        gain_low=low,
        gain_high=high,
        distinguishable=low > 0 and not blind,
        statement="",
        distance=float(distance(mix, prior)),
        epochs=_epochs(mix, domains, constraints),
        binding=allowed.binding(mix),
    )
    possible = allowed.has(prior)
    return replace(proposal, statement=_statement(proposal, blind, units or {}, possible))


def search(
    value: Callable[[np.ndarray], np.ndarray], allowed: Allowed, observed: np.ndarray, smooth: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best allowed mix (D,), and a sample (n, D) of allowed mixes: wide, and dense near the best.

    :param value: of mixes (n, D), shape (n,); less is better.
    :param observed: (R, D), mixes of runs, to start from.
    """
    rng = np.random.default_rng([seed, 23])
    wide = sample(allowed, observed, rng, _SAMPLE)
    values = value(wide)
    order = np.argsort(values, kind="stable")[:_KEPT]
    kept, kept_values = wide[order], values[order]
    for _ in range(_ROUNDS):
        kept, kept_values = evolve(value, allowed, kept, kept_values, rng)
    order = np.argsort(kept_values, kind="stable")
    kept, kept_values = kept[order], kept_values[order]
    best = _downhill(value, allowed, kept[0]) if smooth else allowed.project(kept[:_BEST].mean(0)[None])[0]
    tidy = _tidy(best, allowed)
    if value(tidy[None])[0] <= value(best[None])[0] + 1e-3 * values.std():
        best = tidy
    return best, np.vstack([best[None], kept, wide])


def _tidy(mix: np.ndarray, allowed: Allowed) -> np.ndarray:
    """The mix (D,) without crumbs: domains hardly above their least share go down to it, where the others may take what is left."""
    crumbs = mix - allowed.low < _CRUMB
    free = mix[~crumbs].sum()
    if free <= 0:
        return mix
    tidy = np.where(crumbs, allowed.low, mix * (1 - allowed.low[crumbs].sum()) / free)
    return tidy if allowed.has(tidy) else mix


def sample(allowed: Allowed, observed: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """About ``n`` allowed mixes (m, D) of all shapes: near the prior and far from it, corners, the runs, blends of runs with the prior."""
    domains = len(allowed.prior)
    floor = np.maximum(allowed.prior, 1e-3)
    around = [rng.dirichlet(floor * size, n // 6) for size in (4.0, 32.0, 256.0)]
    spread = [rng.dirichlet(np.full(domains, size), n // 8) for size in (0.3, 1.0, 4.0)]
    runs = observed[rng.integers(len(observed), size=n // 8)]
    part = rng.random((len(runs), 1))
    blends = part * runs + (1 - part) * allowed.prior
    every = np.vstack([allowed.centre, allowed.prior, np.eye(domains), observed, *around, *spread, blends])
    return allowed.project(np.nan_to_num(every, nan=1 / domains))


def evolve(
    value: Callable[[np.ndarray], np.ndarray],
    allowed: Allowed,
    mixes: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """One round of differential evolution: each mix (n, D) tries to be replaced by one moved toward the better and along the difference of
    two others; the moves shrink as the population does."""
    n = len(mixes)
    first, second = rng.integers(n, size=(2, n))
    better = np.argsort(values, kind="stable")[rng.integers(max(n // 10, 1), size=n)]
    size = rng.uniform(0.2, 1.0, (n, 1))
    tried = allowed.project(mixes + size * (mixes[better] - mixes) + size * (mixes[first] - mixes[second]))
    found = value(tried)
    good = found < values
    return np.where(good[:, None], tried, mixes), np.where(good, found, values)


def _downhill(value: Callable[[np.ndarray], np.ndarray], allowed: Allowed, start: np.ndarray) -> np.ndarray:
    """From a mix (D,) to a local optimum: the best move of share from one domain to another, while one helps; then half the step."""
    domains = len(start)
    pairs = np.array([(i, j) for i in range(domains) for j in range(domains) if i != j])
    if not len(pairs):
        return start
    moves = np.zeros((len(pairs), domains))
    rows = np.arange(len(pairs))
    moves[rows, pairs[:, 0]], moves[rows, pairs[:, 1]] = 1.0, -1.0
    best, best_value, step = start, float(value(start[None])[0]), 0.05
    while step > _LAST_STEP:
        # also the sum of all moves that help, which follows a narrow valley
        tried = allowed.project(best + step * moves)
        found = value(tried)
        helps = np.minimum(found - best_value, 0.0)
        if helps.any():
            along = helps / np.abs(helps).max() @ (best - tried)
            tried = np.vstack([tried, allowed.project((best + along)[None])])
            found = np.append(found, value(tried[-1:]))
        if found.min() < best_value - 1e-12 * max(1.0, abs(best_value)):
            best, best_value = tried[found.argmin()], float(found.min())
        else:
            step /= 2
    return best


def _doubts(goal: Goal, mix: np.ndarray, prior: np.ndarray, population: np.ndarray, seed: int) -> tuple[float, float]:
    """How much the gain is too good by being the best, and the standard deviation of the difference between both mixes."""
    rng = np.random.default_rng([seed, 29])
    extra = population[rng.choice(len(population), min(_CHOICES, len(population)), replace=False)]
    choices = np.vstack([mix, prior, extra])
    values = goal(choices)
    promised, difference = [], []
    for i in range(len(goal.signed()[0][1].replicates)):
        again = goal.replicate(i, choices)
        best = int(again.argmin())
        promised.append((again[1] - again[best]) - (values[1] - values[best]))
        difference.append(again[1] - again[0])
    joint = sum(abs(weight) * model.difference(mix, prior) for weight, model in goal.signed())
    return max(0.0, float(np.mean(promised))), max(float(np.std(difference)), float(joint))


def _disagreement(goal: Goal, rivals: Mapping[str, list[Fitted]], mix: np.ndarray, prior: np.ndarray) -> float:
    """Root mean square of how far the gain is from what other models make of it, one target's model exchanged at a time."""
    both = np.stack([prior, mix])
    off = [0.0]
    for name, weight in goal.weights.items():
        mine = goal.models[name].predict(both)
        for other in rivals.get(name, []) if weight else []:
            theirs = other.predict(both)
            off.append(weight * float((theirs[0] - theirs[1]) - (mine[0] - mine[1])))
    return float(np.sqrt(np.mean(np.square(off))))


def _blind(goal: Goal, validations: Mapping[str, Validation]) -> list[Validation]:
    """Models of the objective that may well not rank unseen runs at all."""
    return [
        validations[name]
        for name, weight in goal.weights.items()
        if weight and name in validations and validations[name].spearman_low <= 0
    ]


def _epochs(mix: np.ndarray, domains: list[str], constraints: Constraints) -> np.ndarray | None:
    if constraints.supply is None or constraints.budget is None:
        return None
    supply = np.array([constraints.supply.get(name, np.inf) for name in domains])
    return np.divide(mix * constraints.budget, supply, out=np.zeros(len(mix)), where=supply > 0)


def _statement(proposal: Proposal, blind: list[Validation], units: Mapping[str, str], possible: bool) -> str:
    """In plain words.

    :param possible: whether the prior keeps to the constraints.
    """
    keep = (
        "Keep the prior."
        if possible
        else "The prior breaks the constraints, so the allowed mix nearest to it would do as well."
    )
    used = [target for target, weight in proposal.objective.items() if weight]
    unit = units.get(used[0], f"of {used[0]}") if len(used) == 1 else "of the objective"
    interval = (
        f"predicted gain {proposal.gain:.4g} {unit}, 95 % interval {proposal.gain_low:.4g} to {proposal.gain_high:.4g}"
    )
    if proposal.distance == 0:
        return "No allowed mix is predicted to be better than the prior. Keep the prior."
    if blind:
        one = blind[0]
        return (
            f"The proposal is not distinguishable from the prior: the best model ({one.model}) does not rank runs it has not seen"
            f" (Spearman {one.spearman:.2f}, 95 % interval {one.spearman_low:.2f} to {one.spearman_high:.2f}). {keep}"
        )
    if not proposal.distinguishable:
        return f"The proposal is not distinguishable from the prior: {interval}. {keep}"
    return f"The proposal is better than the prior by what the runs tell: {interval}."


def trades(
    proposal: Proposal,
    best: Mapping[str, float],
    higher_is_better: frozenset[str] = frozenset(),
    units: Mapping[str, str] | None = None,
) -> list[str]:
    """What a proposal gives away on the other targets, one sentence each; on all of them where its objective has several.

    :param best: the best predicted value of each target under the same constraints.
    """
    used = [target for target, weight in proposal.objective.items() if weight]
    told = []
    for target, value in best.items():
        if len(used) == 1 and target == used[0]:
            continue
        sign = -1 if target in higher_is_better else 1
        mine, prior = proposal.predicted[target], proposal.prior_predicted[target]
        unit = (units or {}).get(target, "")
        lost = max(0.0, sign * (mine - value))
        moved = sign * (prior - mine)
        told.append(
            f"{target}: {mine:.4g}{' ' + unit if unit else ''}, {lost:.4g} short of the best possible for it ({value:.4g}) and"
            f" {abs(moved):.4g} {'better' if moved >= 0 else 'worse'} than the prior ({prior:.4g})."
        )
    return told
