"""Which mixes are allowed: bounds on shares from supply and wishes, and a distance from the prior. The set is convex and everything here
is exact, so whatever the search proposes can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sources.errors import UserError

#: How near a bound counts as at it.
_NEAR = 1e-6


@dataclass(frozen=True)
class Constraints:
    """What a mix must keep to.

    :param supply: tokens there are, by domain; a domain that is not named has as many as needed.
    :param budget: tokens of the run the mix is for.
    :param max_epochs: how often a token may be repeated: ``share * budget <= supply * max_epochs``. Up to 4 epochs cost little (Muennighoff
        et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264).
    :param minimum, maximum: shares, by domain.
    :param max_distance: of the mix from the prior, in total variation (half the sum of absolute differences: the share of the mix that
        moves).
    :param fixed: shares that stand, by domain.
    """

    supply: Mapping[str, float] | None = None
    budget: float | None = None
    max_epochs: float = 4.0
    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    max_distance: float | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)

    def covered(self, domains: list[str], tried: np.ndarray) -> Constraints:
        """With shares only as far as some run had them: a fit says nothing of what no run tried. What the user asks for stands.

        :param tried: (n, D) mixes of the runs, and the prior.
        """
        maximum, minimum = dict(self.maximum), dict(self.minimum)
        _, high = self.bounds(domains)
        for j, name in enumerate(domains):
            if name not in self.fixed:
                most = min(float(tried[:, j].max()), maximum.get(name, 1.0))
                maximum[name] = max(most, minimum.get(name, 0.0))
                minimum.setdefault(name, min(float(tried[:, j].min()), maximum[name], float(high[j])))
        return replace(self, minimum=minimum, maximum=maximum)

    def allowed(self, domains: list[str], prior: np.ndarray) -> Allowed:
        """The set of mixes that keep to it.

        :param prior: (D,).
        :raises UserError: none do, or a name or number makes no sense; tells which demands conflict.
        """
        self._check(domains)
        low, high = self.bounds(domains)
        why = ["its maximum share" if name in self.maximum else "" for name in domains]
        for j, name in enumerate(domains):
            if high[j] < self.maximum.get(name, 1.0):
                why[j] = f"its supply, at {self.max_epochs:g} epochs"
        for name, share in self.fixed.items():
            j = domains.index(name)
            if share > high[j] + _NEAR or share < low[j] - _NEAR:
                bound = (
                    f"more than {why[j]} allows, {high[j]:.4f}"
                    if share > high[j]
                    else f"less than its minimum {low[j]}"
                )
                raise UserError(
                    f"{name} is fixed at {share}, which is {bound}", where="constraints", fix="change one of the two"
                )
            low[j] = high[j] = share
        for j, name in enumerate(domains):
            if low[j] > high[j]:
                raise UserError(
                    f"{name} must have at least {low[j]:.4f} of the mix, but {why[j]} allows {high[j]:.4f}",
                    where="constraints",
                    fix="lower its minimum share, or raise the bound",
                )
        if low.sum() > 1 + 1e-9:
            named = ", ".join(f"{name} {share:.4f}" for name, share in zip(domains, low, strict=True) if share > 0)
            raise UserError(
                f"minimum shares add up to {low.sum():.4f}, more than the whole mix: {named}",
                where="constraints",
                fix="lower some of them",
            )
        if high.sum() < 1 - 1e-9:
            named = ", ".join(
                f"{name} {share:.4f} ({reason or 'fixed'})"
                for name, share, reason in zip(domains, high, why, strict=True)
            )
            raise UserError(
                f"what the domains may have adds up to {high.sum():.4f} of the mix, less than the whole: {named}",
                where="constraints",
                fix="raise max_epochs or maximum shares, or lower the budget",
            )
        return self._near(domains, prior, low, high, why)

    def bounds(self, domains: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest share of each domain by wishes and supply, each (D,); what is fixed is not in them."""
        low = np.array([self.minimum.get(name, 0.0) for name in domains])
        high = np.array([self.maximum.get(name, 1.0) for name in domains])
        if self.supply is not None and self.budget is not None:
            high = np.minimum(high, [self.supply.get(name, np.inf) * self.max_epochs / self.budget for name in domains])
        return low, high

    def _near(
        self, domains: list[str], prior: np.ndarray, low: np.ndarray, high: np.ndarray, why: list[str]
    ) -> Allowed:
        """With the distance; finds the allowed mix that is nearest to the prior."""
        clipped = np.clip(prior, low, high)
        # what is cut off is given to those with room (or taken from those above their minimum), in proportion to it: no other mix is nearer
        room = high - clipped if clipped.sum() < 1 else clipped - low
        left = 1 - clipped.sum()
        centre = clipped + (left * room / room.sum() if abs(left) > 0 and room.sum() > 0 else 0.0)
        nearest = distance(centre, prior)
        if self.max_distance is not None and nearest > self.max_distance + 1e-9:
            moved = ", ".join(
                f"{name} from {a:.4f} to {b:.4f}"
                for name, a, b in zip(domains, prior, clipped, strict=True)
                if abs(a - b) > _NEAR
            )
            raise UserError(
                f"the nearest mix that shares and supply allow is {nearest:.4f} from the prior, more than {self.max_distance}: {moved}",
                where="max_distance",
                fix="raise it, or loosen what moves these domains",
            )
        return Allowed(domains, prior, low, high, why, self.max_distance, centre)

    def _check(self, domains: list[str]) -> None:
        for what in ("supply", "minimum", "maximum", "fixed"):
            for name, value in (getattr(self, what) or {}).items():
                if name not in domains:
                    raise UserError(
                        f"{what} names {name!r}, which is no domain",
                        where="constraints",
                        fix=f"one of {', '.join(domains)}",
                    )
                if not np.isfinite(value) or value < 0 or (what != "supply" and value > 1):
                    raise UserError(
                        f"{what} of {name} is {value}", where="constraints",
                        fix="a number of tokens" if what == "supply" else "a share from 0 to 1",
                    )  # fmt: skip
        if (self.supply is None) != (self.budget is None):
            raise UserError(
                "supply and budget make a limit only together",
                where="constraints",
                fix="give both: tokens there are by domain, and tokens of the run",
            )
        if self.budget is not None and not self.budget > 0:
            raise UserError(f"a budget of {self.budget} tokens", where="constraints", fix="a positive number")
        if not self.max_epochs > 0:
            raise UserError(f"max_epochs is {self.max_epochs}", where="constraints", fix="a positive number")
        if self.max_distance is not None and not 0 <= self.max_distance <= 1:
            raise UserError(f"max_distance is {self.max_distance}", where="constraints", fix="from 0 to 1")


@dataclass(frozen=True)
class Allowed:
    """The mixes that are allowed: ``low <= w <= high``, sum 1, and not farther than ``max_distance`` from the prior.

    :param prior, low, high: (D,).
    :param why: what sets each upper bound.
    :param centre: (D,), an allowed mix; none is nearer to the prior.
    """

    domains: list[str]
    prior: np.ndarray
    low: np.ndarray
    high: np.ndarray
    why: list[str]
    max_distance: float | None
    centre: np.ndarray

    def project(self, mixes: np.ndarray) -> np.ndarray:
        """Allowed mixes (n, D) near these (n, D): the nearest within the bounds (Euclidean), then drawn toward the centre as far as the
        distance asks."""
        inside = self._bounded(np.asarray(mixes, dtype=np.float64))
        if self.max_distance is None:
            return inside
        # along a line the distance is convex, and the line starts within: halve to the last point within
        step = inside - self.centre
        near, far = np.zeros(len(inside)), np.ones(len(inside))
        within = distance(inside, self.prior) <= self.max_distance
        for _ in range(50):
            middle = (near + far) / 2
            good = distance(self.centre + middle[:, None] * step, self.prior) <= self.max_distance
            near, far = np.where(good, middle, near), np.where(good, far, middle)
        near[within] = 1.0
        return np.clip(self.centre + near[:, None] * step, self.low, self.high)

    def _bounded(self, mixes: np.ndarray) -> np.ndarray:
        """Nearest mixes in the simplex cut by the bounds: one shift for all free domains, found by halving."""
        lower = (mixes - self.high).min(1) - 1.0
        upper = (mixes - self.low).max(1) + 1.0
        for _ in range(60):
            shift = (lower + upper) / 2
            over = np.clip(mixes - shift[:, None], self.low, self.high).sum(1) > 1
            lower, upper = np.where(over, shift, lower), np.where(over, upper, shift)
        found = np.clip(mixes - upper[:, None], self.low, self.high)
        # what rounding leaves goes to the domain with the most room
        left = 1 - found.sum(1)
        room = np.where(left[:, None] >= 0, self.high - found, found - self.low)
        rows, most = np.arange(len(found)), room.argmax(1)
        found[rows, most] += left
        return found

    def has(self, mix: np.ndarray) -> bool:
        """Whether a mix (D,) is one of them, to the last digits."""
        within = (mix >= self.low - 1e-12).all() and (mix <= self.high + 1e-12).all() and abs(mix.sum() - 1) < 1e-12
        near = self.max_distance is None or distance(mix, self.prior) <= self.max_distance + 1e-12
        return bool(within and near)

    def binding(self, mix: np.ndarray) -> list[str]:
        """What keeps a mix (D,) from going on, in words."""
        told = []
        for name, share, low, high, why in zip(self.domains, mix, self.low, self.high, self.why, strict=True):
            if high - low < _NEAR:
                continue
            if high < 1 and share >= high - _NEAR:
                told.append(f"{name}: {why} ({high:.4f})")
            elif low > 0 and share <= low + _NEAR:
                told.append(f"{name}: its minimum share ({low:.4f})")
        if self.max_distance is not None and distance(mix, self.prior) >= self.max_distance - _NEAR:
            told.append(f"the distance from the prior ({self.max_distance:g})")
        return told


def distance(mixes: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Total variation of mixes (n, D) or one (D,) from the prior (D,): the share that has to move."""
    return 0.5 * np.abs(mixes - prior).sum(-1)
