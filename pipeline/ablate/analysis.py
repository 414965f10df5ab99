"""What a swarm says: fits of every target, proposals, the front between targets, and how well proxies agree."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from pipeline.ablate.design import UNCHANGED, Collapsed
from pipeline.ablate.mixes import Mixes
from pipeline.console import Progress
from pipeline.fit.constraints import Constraints
from pipeline.fit.optimum import Proposal
from pipeline.fit.pareto import side_by_side
from pipeline.fit.validate import Judged, judged
from sources.errors import UserError

#: A version of what is found from the same numbers.
ANALYSIS_VERSION = 2


@dataclass(frozen=True)
class Space:
    """What is searched: the domains, or fewer parts where some keep their proportions.

    :param names: of the parts.
    :param prior: weights of the parts.
    :param collapsed: how parts become domains; None where they are the domains.
    """

    names: list[str]
    prior: np.ndarray
    constraints: Constraints
    collapsed: Collapsed | None

    def parts(self, weights: np.ndarray) -> np.ndarray:
        """Weights over the domains, as weights over the parts; shape (..., parts)."""
        return self.collapsed.reduce(weights) if self.collapsed else np.asarray(weights)

    def whole(self, weights: np.ndarray) -> np.ndarray:
        """The other way."""
        return self.collapsed.expand(weights) if self.collapsed else np.asarray(weights)


def covered(space: Space, weights: np.ndarray) -> Space:
    """The space as far as the points cover it.

    :param weights: of the points over the domains, shape (points, D).
    """
    tried = np.vstack([space.parts(weights), space.prior])
    return replace(space, constraints=space.constraints.covered(space.names, tried))


def space_of(mixes: Mixes, collapsed: Collapsed | None) -> Space:
    """The space of an ablation with its constraints: the user's, and what the supply allows at the epoch caps."""
    ablation, domains = mixes.resolved.ablation, mixes.domains
    limits = ablation.constraints
    names, caps = domains, mixes.caps
    minimum, maximum, fixed = dict(limits.minimum), dict(limits.maximum), dict(limits.fixed)
    prior = mixes.prior
    if collapsed:
        names, caps, prior = collapsed.parts, collapsed.caps(mixes.caps), collapsed.reduce(mixes.prior)
        changed = set(collapsed.parts)
        held = {name: ratio for name, ratio in zip(domains, collapsed.ratios, strict=True) if name not in changed}
        for field, given in (("minimum", minimum), ("fixed", fixed)):
            for name, share in given.items():
                if held.get(name, 1.0) < share:
                    raise UserError(
                        f"{name} must have {share:g} of the mix, but the ratios that are kept give it at most {held[name]:g}",
                        where=ablation.place("constraints", field, name),
                        fix="leave `reuse` out, or loosen it",
                    )
        held = {name: ratio for name, ratio in held.items() if ratio > 0}
        low = [minimum[name] / held[name] for name in held if name in minimum]
        high = [maximum[name] / held[name] for name in held if name in maximum]
        fix = [fixed[name] / held[name] for name in held if name in fixed]
        gone = set(domains) - set(collapsed.parts)
        minimum, maximum, fixed = (
            {name: share for name, share in one.items() if name not in gone} for one in (minimum, maximum, fixed)
        )
        if low or fix:
            minimum[UNCHANGED] = max([*low, *fix])
        if high or fix:
            maximum[UNCHANGED] = min([*high, *fix, 1.0])
    budget = mixes.resolved.budget
    epochs = mixes.resolved.recipe.max_epochs
    return Space(
        names,
        prior,
        Constraints(
            # the caps count each entry's own epochs and multipliers; put as a supply they are named for what they are
            supply={name: float(cap) * budget / epochs for name, cap in zip(names, caps, strict=True)},
            budget=float(budget),
            max_epochs=epochs,
            minimum=minimum,
            maximum=maximum,
            fixed=fixed,
            max_distance=limits.max_distance,
        ),
        collapsed,
    )


def check_targets(mixes: Mixes, metrics: Collection[str]) -> None:
    """Every target is a metric.

    :param metrics: names.
    :raises UserError: one is not.
    """
    ablation = mixes.resolved.ablation
    for i, target in enumerate(ablation.targets):
        if target not in metrics:
            close = difflib.get_close_matches(target, metrics, n=3, cutoff=0.5)
            raise UserError(
                f"no metric is called {target!r}",
                where=ablation.place("targets", i),
                fix=f"did you mean {' or '.join(close)}?"
                if close
                else f"there are {', '.join(sorted(metrics)[:20])} ...",
            )


@dataclass(frozen=True)
class Found:
    """What the fits say.

    :param judged: by target.
    :param proposals: objectives first, then each target alone; weights over the parts.
    :param front: between targets, weights over the parts; None with fewer than two.
    """

    judged: dict[str, Judged]
    proposals: list[Proposal]
    front: dict[str, Any] | None


def analyse(
    mixes: Mixes,
    space: Space,
    weights: np.ndarray,
    metrics: dict[str, np.ndarray],
    higher_is_better: frozenset[str],
    progress: Progress,
) -> Found:
    """Fit every target and propose mixes.

    :param weights: of the swarm's points over the domains, shape (runs, D).
    :param metrics: by name, shape (runs,); NaN where missing.
    """
    ablation = mixes.resolved.ablation
    ratios = space.parts(weights)
    found: dict[str, Judged] = {}
    steps = 2 * len(ablation.targets) + len(ablation.objectives) + 1
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress.count("fit", done, steps)

    for target in ablation.targets:
        there = np.isfinite(metrics[target])
        x, y = ratios[there], metrics[target][there]
        found[target] = judged(x, y, seed=ablation.seed)
        step()
    proposals, front = side_by_side(
        found,
        ablation.objectives | {target: {target: 1.0} for target in ablation.targets},
        space.prior,
        space.constraints,
        domains=space.names,
        higher_is_better=higher_is_better,
        units={target: "bits per byte" for target in ablation.targets if target.startswith("bpb/")},
        seed=ablation.seed,
        told=step,
    )
    step()
    return Found(found, proposals, front.summary() if front else None)


def agreement(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], metrics: list[str]) -> list[dict[str, Any]]:
    """Spearman's rank correlation of two proxies over the same points, by metric."""
    rows = []
    for name in metrics:
        if name not in ours or name not in theirs:
            continue
        both = np.isfinite(ours[name]) & np.isfinite(theirs[name])
        if both.sum() >= 4:
            rho = float(spearmanr(ours[name][both], theirs[name][both]).statistic)
            rows.append({"metric": name, "spearman": rho, "n": int(both.sum())})
    return rows
