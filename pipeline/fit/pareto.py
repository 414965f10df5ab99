"""Several metrics side by side: mixes that nothing beats on all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.fit.base import Fitted
from pipeline.fit.constraints import Constraints
from pipeline.fit.optimum import Proposal, evolve, propose, sample, trades
from pipeline.fit.validate import Judged

#: Mixes of the first sample, directions searched, mixes and rounds of each.
_SAMPLE = 4000
_DIRECTIONS = 14
_KEPT = 120
_ROUNDS = 12


@dataclass(frozen=True)
class Front:
    """Mixes that are predicted to be beaten by none on all targets, and some that are.

    :param weights: (F, D), along the front.
    :param predicted, deviation: (F,) by target.
    :param others, others_predicted, others_deviation: of mixes that are beaten, to show what there is.
    """

    targets: list[str]
    weights: np.ndarray
    predicted: dict[str, np.ndarray]
    deviation: dict[str, np.ndarray]
    others: np.ndarray
    others_predicted: dict[str, np.ndarray]
    others_deviation: dict[str, np.ndarray]

    def summary(self) -> dict[str, Any]:
        """As plain values, a mix an entry."""
        return {
            "targets": self.targets,
            "front": _entries(self.weights, self.predicted, self.deviation),
            "others": _entries(self.others, self.others_predicted, self.others_deviation),
        }


def side_by_side(
    judged: Mapping[str, Judged],
    wanted: Mapping[str, Mapping[str, float]],
    prior: np.ndarray,
    constraints: Constraints,
    *,
    domains: list[str],
    higher_is_better: frozenset[str] = frozenset(),
    units: Mapping[str, str] | None = None,
    seed: int = 0,
    told: Callable[[], None] = lambda: None,
) -> tuple[list[Proposal], Front | None]:
    """A proposal for each objective, with what it trades away against the best possible for each target, and the front between targets.

    :param judged: by target.
    :param wanted: objectives by name; one that is a target's name and asks for that target alone is the best possible for it.
    :param units: of the targets, for sentences.
    :param told: called after each proposal.
    :returns: proposals in the order of ``wanted``; no front where there is one target.
    :raises UserError: constraints conflict.
    """
    models = {name: one.model for name, one in judged.items()}
    proposals = []
    for name, objective in wanted.items():
        proposals.append(
            propose(
                models,
                objective,
                prior,
                constraints,
                domains=domains,
                higher_is_better=higher_is_better,
                validations={target: one.chosen for target, one in judged.items()},
                rivals={target: one.rivals for target, one in judged.items()},
                units=units,
                name=name,
                seed=seed,
            )
        )
        told()
    best = {one.name: one.predicted[one.name] for one in proposals if list(one.objective) == [one.name]}
    proposals = [replace(one, trades=trades(one, best, higher_is_better, units)) for one in proposals]
    if len(models) < 2:
        return proposals, None
    front = pareto(
        models,
        prior,
        constraints,
        domains=domains,
        higher_is_better=higher_is_better,
        include=np.stack([one.weights for one in proposals]),
        seed=seed,
    )
    return proposals, front


def pareto(
    targets: Mapping[str, Fitted],
    prior: np.ndarray,
    constraints: Constraints,
    *,
    domains: list[str],
    higher_is_better: frozenset[str] = frozenset(),
    include: np.ndarray | None = None,
    keep: int = 60,
    others: int = 300,
    seed: int = 0,
) -> Front:
    """The front over two or more targets.

    A wide sample of allowed mixes is improved in several directions (each target alone, and random weights of all, in units of their
    spread); all mixes tried are compared.

    :param include: (n, D), allowed mixes that are to be compared, too, such as proposals.
    :param keep, others: how many to keep of the front and of the rest.
    :raises UserError: constraints conflict.
    """
    allowed = constraints.allowed(domains, prior)
    names = list(targets)
    signs = np.array([-1.0 if name in higher_is_better else 1.0 for name in names])
    rng = np.random.default_rng([seed, 31])
    observed = np.concatenate([model.ratios for model in targets.values()])
    mixes = sample(allowed, observed, rng, _SAMPLE)
    if include is not None:
        mixes = np.vstack([mixes, include])

    def values_of(some: np.ndarray) -> np.ndarray:
        return np.column_stack([sign * targets[name].predict(some) for sign, name in zip(signs, names, strict=True)])

    values = values_of(mixes)
    scale = np.maximum(values.std(0), 1e-12)
    directions = np.vstack([np.eye(len(names)), rng.dirichlet(np.ones(len(names)), _DIRECTIONS)]) / scale
    every, every_value = [mixes], [values]
    for direction in directions:

        def value(some: np.ndarray, direction: np.ndarray = direction) -> np.ndarray:
            found = values_of(some)
            every.append(some)
            every_value.append(found)
            return found @ direction

        start = values @ direction
        order = np.argsort(start, kind="stable")[:_KEPT]
        kept, kept_value = mixes[order], start[order]
        for _ in range(_ROUNDS):
            kept, kept_value = evolve(value, allowed, kept, kept_value, rng)
    mixes, values = np.vstack(every), np.vstack(every_value)
    best = non_dominated(values)
    front = _thin(values[best] / scale, keep)
    chosen = np.flatnonzero(best)[front]
    rest = np.flatnonzero(~best[: len(every[0])])
    rest = np.sort(rng.choice(rest, min(others, len(rest)), replace=False))
    predicted, deviation = _told(targets, mixes[chosen])
    rest_predicted, rest_deviation = _told(targets, mixes[rest])
    return Front(names, mixes[chosen], predicted, deviation, mixes[rest], rest_predicted, rest_deviation)


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Whether each row of (n, T) is beaten by no other: none is as good in every column and better in one. Less is better."""
    n = len(values)
    best = np.ones(n, dtype=bool)
    # in order of the first column, then the second and so on, a row can only be beaten by those before it, and of these only by ones that
    # are not beaten themselves
    order = np.lexsort(values.T[::-1])
    ordered = values[order]
    front = np.empty_like(ordered)
    size, start = 0, 0
    while start < n:
        block = ordered[start : start + 256]
        alive = ~_beaten(block, front[:size])
        # within the block each is compared with those that are left
        left = np.flatnonzero(alive)
        alive[left] = ~_beaten(block[left], block[left])
        best[order[start : start + len(block)]] = alive
        added = block[alive]
        front[size : size + len(added)] = added
        size += len(added)
        start += len(block)
    return best


def _beaten(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Whether each of (n, T) is beaten by any of (m, T)."""
    if not len(by) or not len(rows):
        return np.zeros(len(rows), dtype=bool)
    no_worse = np.all(by[None, :, :] <= rows[:, None, :], axis=2)
    better = np.any(by[None, :, :] < rows[:, None, :], axis=2)
    return np.any(no_worse & better, axis=1)


def _thin(values: np.ndarray, keep: int) -> np.ndarray:
    """Rows (k,) of (n, T), spread evenly: the best of each target, then always the one farthest from those kept; in order of the first."""
    if len(values) <= keep:
        chosen = np.arange(len(values))
    else:
        picked = list(dict.fromkeys(values.argmin(0).tolist()))
        near = np.min([((values - values[i]) ** 2).sum(1) for i in picked], axis=0)
        while len(picked) < keep:
            picked.append(int(near.argmax()))
            near = np.minimum(near, ((values - values[picked[-1]]) ** 2).sum(1))
        chosen = np.array(picked)
    return chosen[np.argsort(values[chosen, 0], kind="stable")]


def _told(targets: Mapping[str, Fitted], mixes: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    return (
        {name: model.predict(mixes) for name, model in targets.items()},
        {name: model.deviation(mixes) for name, model in targets.items()},
    )


def _entries(
    mixes: np.ndarray, predicted: dict[str, np.ndarray], deviation: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    return [
        {
            "weights": mix.tolist(),
            "predicted": {name: float(value[i]) for name, value in predicted.items()},
            "deviation": {name: float(value[i]) for name, value in deviation.items()},
        }
        for i, mix in enumerate(mixes)
    ]
