"""The design of an ablation: which mixes are tried. A recipe's ``design:`` field, and the points it makes.

A point is one mix: a weight for each domain, in millionths that sum to one million, so that it can be written down and read back as
the same numbers. No point asks for more of a domain than there is (``caps``). Each point of a swarm is drawn from random numbers of
its own, so more runs add points and leave the ones before as they were.

Sources: swarms of Dirichlet draws around the token distribution, of many strengths and flattened by a temperature, RegMix
(arXiv:2407.01492, ``mixture_config/synthesize_mixture.py``) and Olmix (arXiv:2602.12237); reuse of a mix whose domains changed, Olmix
(mixture reuse); Sobol sequences, scipy's, mapped to the simplex by exponential spacings.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, BeforeValidator, Field, model_validator
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from scipy.special import betainc, betaincinv
from scipy.stats import qmc

from pipeline.recipe import Strict
from sources.errors import UserError

#: Weights are whole numbers of these.
_UNITS = 1_000_000
#: Candidates tried for a point of a Dirichlet swarm before it is drawn inside the bounds coordinate by coordinate.
_TRIES = 512
#: Points of the Sobol sequence that are looked through for ones inside the bounds.
_SEQUENCE = 1 << 14
#: Most points of a grid.
_MOST_POINTS = 9_999
#: What the random numbers of a point are for.
_SALT_DIRICHLET, _SALT_SOBOL = 1, 2
#: A domain whose weight varies by less than this (standard deviation over the points) tells nothing about its effect.
_HARDLY_VARIES = 0.01
#: Two domains correlated beyond this cannot be told apart.
_TOGETHER = 0.95
#: What domains that did not change are together; no source or family is called so.
UNCHANGED = "(unchanged)"

Kind = Literal["prior", "uniform", "proportional", "swarm"]
Anchor = Literal["prior", "uniform", "proportional"]
#: Where a field is written, for messages (:meth:`pipeline.recipe.Located.place`).
Place = Callable[..., str]


def _pair(value: Any) -> Any:
    """One number stands for a range that is that number."""
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"give [lowest, highest]; {value[0]:g} is more than {value[1]:g}")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"give a number, not {'yes' if value else 'no'}")
    return value


#: No truth value, which would count as 0 or 1. Texts that are numbers will do: YAML takes 5e-05 for a text.
_Number = BeforeValidator(_number)
Weight = Annotated[float, _Number, Field(ge=0, le=1)]
Runs = Annotated[int, _Number, Field(ge=1, le=_MOST_POINTS)]
_Strength = Annotated[float, _Number, Field(gt=0, le=1e6)]


class Bounds(Strict):
    """Lowest and highest weight of one domain, written ``[0.1, 0.6]``, or one number that fixes it."""

    low: Weight
    high: Weight

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        value = _pair(value)
        if not isinstance(value, list | tuple):
            return value
        if len(value) != 2:
            raise ValueError("give [lowest, highest], e.g. [0.1, 0.6]")
        return {"low": value[0], "high": value[1]}

    @model_validator(mode="after")
    def _order(self) -> Bounds:
        _ordered((self.low, self.high))
        return self


def _range(value: Any) -> Any:
    value = _pair(value)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("give a number, or a range [lowest, highest]")
    return value


#: A strength, or the range they are taken from.
Concentration = Annotated[tuple[_Strength, _Strength], BeforeValidator(_range)]


class OneAtATime(Strict):
    """Each domain alone is given more or less; the others keep their ratios and make room.

    :param multiply: factors of the domain's weight in the prior; a point each. Where the supply does not allow it, the domain gets
        what there is, and the point's note says so.
    :param domains: null: all.
    """

    multiply: list[Annotated[float, _Number, Field(ge=0)]] = Field(default=[0.5, 2.0], min_length=1)
    domains: list[str] | None = Field(default=None, min_length=1)


class Dirichlet(Strict):
    """A swarm around the prior: Dirichlet draws of varying strength, as RegMix and Olmix sample theirs.

    :param runs: number of points.
    :param concentration: strength, the sum of the Dirichlet's parameters: low ones give a few domains nearly everything, high ones
        stay near the prior. A range is gone through evenly on a log scale. (RegMix takes 0.1 to 5 with 512 runs; with a few dozen,
        such far-flung points cost more than they tell.)
    :param temperature: the prior is flattened before: its weights to the power 1/temperature (2 is RegMix's ``TEMP`` of 0.5).
    :param minimum_weight: a weight below it becomes 0 (unless the domain has a lower bound): a handful of documents tells nothing.
    :param sparse: chance that a domain without a lower bound is left out of a point altogether.
    :param bounds: lowest and highest weight by domain; what the supply allows always holds.
    """

    runs: Runs
    concentration: Concentration = (2.0, 40.0)
    temperature: Annotated[float, _Number] = Field(default=2.0, ge=1, le=100)
    minimum_weight: Annotated[float, _Number] = Field(default=0.002, ge=0, le=0.2)
    sparse: Annotated[float, _Number] = Field(default=0.0, ge=0, lt=1)
    bounds: dict[str, Bounds] = {}

    @model_validator(mode="after")
    def _order(self) -> Dirichlet:
        _ordered(self.concentration)
        return self


class Sobol(Strict):
    """A swarm spread evenly over all mixes inside the bounds, whatever the prior: a scrambled Sobol sequence.

    :param runs: number of points.
    :param bounds: lowest and highest weight by domain; what the supply allows always holds.
    """

    runs: Runs
    bounds: dict[str, Bounds] = {}


class Design(Strict):
    """Which mixes are tried: exactly one of ``points``, ``grid``, ``one_at_a_time``, ``dirichlet`` and ``sobol``.

    :param points: mixes written out; domains not named share the rest in proportion to the prior.
    :param grid: weights by domain; every combination is a point, the other domains share the rest in proportion to the prior.
    :param always: points that are added to any design.
    """

    points: list[dict[str, Weight]] | None = Field(default=None, min_length=1, max_length=_MOST_POINTS)
    grid: dict[str, Annotated[list[Weight], Field(min_length=1)]] | None = Field(default=None, min_length=1)
    one_at_a_time: OneAtATime | None = None
    dirichlet: Dirichlet | None = None
    sobol: Sobol | None = None
    always: list[Anchor] = ["prior", "uniform", "proportional"]

    @model_validator(mode="after")
    def _one(self) -> Design:
        kinds = ("points", "grid", "one_at_a_time", "dirichlet", "sobol")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(kinds)} (found: {', '.join(given) or 'none'})")
        if len(set(self.always)) != len(self.always):
            raise ValueError("always: name each point once")
        return self


#: The models a design is made of, whose fields are offered when one is misspelt.
DESIGN_MODELS: tuple[type[BaseModel], ...] = (Design, OneAtATime, Dirichlet, Sobol)


@dataclass(frozen=True, eq=False)
class Point:
    """One mix.

    :param name: ``prior``, ``uniform``, ``proportional``, or the place in the design from ``0001``; more runs change no name.
    :param weights: (D,) float64, whole millionths that sum to one million, each at most the domain's cap; read-only.
    :param note: what is to be said about it: where the supply bent it, or what else would have been the same mix.
    """

    name: str
    kind: Kind
    weights: np.ndarray
    note: str = ""

    def by_domain(self, domains: Sequence[str]) -> dict[str, float]:
        """Weights by domain, as a recipe's ``points`` take them."""
        return dict(zip(domains, self.weights.tolist(), strict=True))


def make_points(
    design: Design,
    domains: list[str],
    prior: np.ndarray,
    proportional: np.ndarray,
    caps: np.ndarray,
    seed: int,
    *,
    place: Place | None = None,
) -> list[Point]:
    """The points of a design: first those it always has, then its own. Mixes that are the same are made once.

    :param domains: D names, in order.
    :param prior: (D,) weights of the base recipe.
    :param proportional: (D,) shares of the eligible tokens.
    :param caps: (D,) largest weight of each domain: its tokens times the epoch cap over the budget; may be above 1.
    :param place: tells where a field inside ``design`` is written.
    :raises UserError: a domain is unknown, a point cannot be had (with the point, the domain and the cap), or the domains together
        do not have the tokens for any mix.
    """
    place = place or _inside_design
    check_domains(design, domains, place=place)
    space = _Space.of(domains, prior, caps, place)
    anchors: dict[Anchor, np.ndarray] = {
        "prior": space.prior,
        "uniform": np.full(len(domains), 1 / len(domains)),
        "proportional": _shares(proportional),
    }
    made = [space.anchor(name, anchors[name]) for name in design.always]
    if design.points is not None:
        made += _listed(space, [(("points", i), point) for i, point in enumerate(design.points)])
    elif design.grid is not None:
        made += _listed(space, _combinations(space, design.grid))
    elif design.one_at_a_time is not None:
        made += _one_at_a_time(space, design.one_at_a_time)
    elif design.dirichlet is not None:
        made += _swarm(_dirichlet(space, design.dirichlet, seed))
    elif design.sobol is not None:
        made += _swarm(_sobol(space, design.sobol, seed))
    return _once(made)


def check_domains(design: Design, domains: Sequence[str], *, place: Place | None = None) -> None:
    """Check that a design names only domains there are; no corpus is needed for it.

    :param place: tells where a field inside ``design`` is written.
    :raises UserError: it does not, with the names that come close.
    """
    named: list[tuple[str | int, ...]] = []
    for i, point in enumerate(design.points or ()):
        named += [("points", i, name) for name in point]
    named += [("grid", name) for name in design.grid or ()]
    if design.dirichlet is not None:
        named += [("dirichlet", "bounds", name) for name in design.dirichlet.bounds]
    if design.sobol is not None:
        named += [("sobol", "bounds", name) for name in design.sobol.bounds]
    for loc in named:
        if loc[-1] not in domains:
            raise _unknown(str(loc[-1]), domains, (place or _inside_design)(*loc))
    chosen = design.one_at_a_time.domains if design.one_at_a_time is not None else None
    for i, name in enumerate(chosen or ()):
        if name not in domains:
            raise _unknown(name, domains, (place or _inside_design)("one_at_a_time", "domains", i))


def _inside_design(*loc: str | int) -> str:
    return ".".join(map(str, ("design", *loc)))


def water_fill(base: np.ndarray, high: np.ndarray, low: np.ndarray | None = None) -> np.ndarray:
    """Weights as near to ``base`` as bounds allow: every domain gets the same multiple of its base, but no more than its highest and
    no less than its lowest weight. If that is not enough, domains whose base is 0 share the rest in proportion to their room.

    :param base: (D,) non-negative, not all 0 unless the rest can be shared.
    :param high, low: (D,) bounds; ``low.sum() <= 1 <= high.sum()``.
    :returns: (D,) weights that sum to 1 within rounding.
    """
    low = np.zeros_like(high) if low is None else low
    positive = base > 0
    most = np.where(positive, high, low).sum()
    if most <= 1:
        weights = np.where(positive, high, low)
        room = np.where(positive, 0, high - low)
        return weights + (room * ((1 - most) / room.sum()) if room.sum() > 0 else 0)
    small, large = 0.0, float((high[positive] / base[positive]).max())
    for _ in range(200):
        middle = (small + large) / 2
        if middle in (small, large):
            break
        if np.clip(middle * base, low, high).sum() < 1:
            small = middle
        else:
            large = middle
    return np.clip(large * base, low, high)


@dataclass(frozen=True, eq=False)
class _Space:
    """The domains and what can be had of them.

    :param caps: (D,) at most 1 each.
    :param units: (D,) the same in whole millionths, rounded down.
    """

    domains: list[str]
    prior: np.ndarray
    caps: np.ndarray
    units: np.ndarray
    place: Place

    @classmethod
    def of(cls, domains: list[str], prior: np.ndarray, caps: np.ndarray, place: Place) -> _Space:
        if len(domains) < 2:
            raise UserError(
                f"a design weighs domains against each other; there is {len(domains)}",
                where=place(),
                fix="take domains of which the recipe has at least two",
            )
        caps = np.minimum(np.asarray(caps, dtype=np.float64), 1.0)
        units = _at_most(caps)
        if units.sum() < _UNITS:
            scarce = ", ".join(f"{name} {cap:.3g}" for name, cap in zip(domains, caps, strict=True))
            raise UserError(
                f"the domains do not have the tokens for any mix: their largest weights sum to {caps.sum():.4g}, not 1 ({scarce})",
                where=place(),
                fix="lower the budget, raise max_epochs, or add sources",
            )
        return cls(domains, _shares(prior), caps, units, place)

    def anchor(self, name: Anchor, weights: np.ndarray) -> Point:
        filled = water_fill(weights, self.caps)
        held = np.flatnonzero(weights > self.caps + 0.5 / _UNITS)
        note = ""
        if len(held):
            parts = ", ".join(f"{self.domains[d]} {self.caps[d]:.3g} instead of {weights[d]:.3g}" for d in held)
            note = f"{name} as far as the tokens go: {parts}"
        return Point(name, name, self.rounded(filled), note)

    def rounded(
        self, weights: np.ndarray, least: np.ndarray | None = None, most: np.ndarray | None = None
    ) -> np.ndarray:
        """Weights of whole millionths inside the caps.

        :param least, most: (D,) narrower bounds, in millionths.
        """
        return _round(
            weights * _UNITS,
            np.zeros_like(self.units) if least is None else least,
            self.units if most is None else most,
        )


def _at_most(weights: np.ndarray) -> np.ndarray:
    """Most millionths that are no more than each weight."""
    units = np.floor(np.clip(weights, 0, 1) * _UNITS).astype(np.int64)
    units += (units + 1) / _UNITS <= weights
    return np.where(units / _UNITS > weights, units - 1, units)


def _at_least(weights: np.ndarray) -> np.ndarray:
    """Fewest millionths that are no less than each weight."""
    units = np.ceil(np.clip(weights, 0, 1) * _UNITS).astype(np.int64)
    units -= (units - 1) / _UNITS >= weights
    return np.where(units / _UNITS < weights, units + 1, units)


def _round(wanted: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Weights of whole millionths that sum to one million: rounded down, and the largest remainders rounded up.

    :param wanted: (D,) in millionths, with fractions.
    :param least, most: (D,) whole millionths; ``least.sum() <= 1_000_000 <= most.sum()``.
    :returns: (D,) float64: division by a million is what a reader of six decimals gets as well.
    """
    units = np.clip(np.floor(wanted), least, most).astype(np.int64)
    while (missing := _UNITS - int(units.sum())) != 0:
        step = 1 if missing > 0 else -1
        movable = np.flatnonzero(units < most if step > 0 else units > least)
        # Furthest from what was wanted first; equal ones in the domains' order.
        order = movable[np.argsort(-step * (wanted - units)[movable], kind="stable")]
        units[order[: abs(missing)]] += step
    return units / _UNITS


def _shares(amounts: np.ndarray) -> np.ndarray:
    """Amounts over their sum; all equal if there are none."""
    amounts = np.asarray(amounts, dtype=np.float64)
    return amounts / amounts.sum() if amounts.sum() > 0 else np.full(len(amounts), 1 / len(amounts))


def _plain(units: int | np.integer) -> str:
    """Millionths as people write them: 0.25."""
    return f"{int(units) / _UNITS:.6f}".rstrip("0").rstrip(".")


def _some(domains: Sequence[str], which: np.ndarray) -> str:
    names = [name for name, chosen in zip(domains, which, strict=True) if chosen]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _unknown(name: str, domains: Sequence[str], where: str) -> UserError:
    close = difflib.get_close_matches(name, domains, n=2)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return UserError(f"no domain is called {name!r}", where=where, fix=f"{hint}the domains are {', '.join(domains)}")


def _swarm(drawn: Iterable[np.ndarray]) -> Iterator[Point]:
    for i, weights in enumerate(drawn, start=1):
        yield Point(f"{i:04d}", "swarm", weights)


def _once(made: list[Point]) -> list[Point]:
    """Each mix once; the one that stays tells what else it is."""
    seen: dict[bytes, int] = {}
    kept: list[Point] = []
    for point in made:
        point.weights.flags.writeable = False
        # Weights are whole millionths: the same mix is the same bytes.
        key = point.weights.tobytes()
        if key in seen:
            first = kept[seen[key]]
            also = f"the same mix as {point.name}" + (f" ({point.note})" if point.note else "")
            kept[seen[key]] = replace(first, note="; ".join(filter(None, (first.note, also))))
        else:
            seen[key] = len(kept)
            kept.append(point)
    return kept


# Written points


def _listed(space: _Space, wanted: Iterable[tuple[tuple[str | int, ...], Mapping[str, float]]]) -> Iterator[Point]:
    for i, (loc, given) in enumerate(wanted, start=1):
        name = f"{i:04d}"
        weights, note = _complete(space, name, given, loc)
        yield Point(name, "swarm", weights, note)


def _combinations(
    space: _Space, grid: Mapping[str, list[float]]
) -> Iterator[tuple[tuple[str | int, ...], dict[str, float]]]:
    count = math.prod(len(values) for values in grid.values())
    if count > _MOST_POINTS:
        raise UserError(
            f"the grid has {count:,} points; {_MOST_POINTS:,} is the most",
            where=space.place("grid"),
            fix="give fewer weights, or take a swarm: `dirichlet: {runs: 64}`",
        )
    for values in itertools.product(*grid.values()):
        yield ("grid",), dict(zip(grid, values, strict=True))


def _complete(
    space: _Space, name: str, given: Mapping[str, float], loc: tuple[str | int, ...]
) -> tuple[np.ndarray, str]:
    """The weights of a point of which some domains are given; and what the supply did to the others.

    :raises UserError: a domain has not the tokens, or the weights do not sum to 1.
    """
    written = "{" + ", ".join(f"{domain}: {weight:g}" for domain, weight in given.items()) + "}"
    units, named = np.zeros(len(space.domains), dtype=np.int64), np.zeros(len(space.domains), dtype=bool)
    for domain, weight in given.items():
        d = space.domains.index(domain)
        units[d], named[d] = round(weight * _UNITS), True
        if units[d] > space.units[d]:
            most = _plain(space.units[d])
            raise UserError(
                f"point {name} {written} gives {domain} a weight of {weight:g}, but its tokens allow at most {most}",
                where=space.place(*loc, domain),
                fix=f"give {domain} at most {most}, lower the budget or raise max_epochs",
            )
    rest, slack = _UNITS - int(units.sum()), len(given)
    if rest < -slack:
        raise UserError(
            f"point {name} {written}: the weights sum to {_plain(units.sum())}, which is more than 1",
            where=space.place(*loc),
            fix="lower a weight" + ("; or write the combinations you want as `points`" if loc[0] == "grid" else ""),
        )
    if rest <= slack and units.any():
        # What is missing is rounding: thirds, say. It goes to the named domains, if they have the tokens.
        alone = np.where(named, space.units, 0)
        return space.rounded(units / units.sum(), most=alone if alone.sum() >= _UNITS else None), ""
    if named.all():
        raise UserError(
            f"point {name} {written}: the weights sum to {_plain(units.sum())}, not 1",
            where=space.place(*loc),
            fix="leave a domain out: it takes the rest",
        )
    room = int(space.units[~named].sum())
    if room < rest:
        raise UserError(
            f"point {name} {written} leaves {_plain(rest)} to {_some(space.domains, ~named)}, whose tokens fill at most {_plain(room)}",
            where=space.place(*loc),
            fix="give the named domains more, lower the budget or raise max_epochs",
        )
    weights = units / _UNITS
    weights[~named], note = _rest(space, ~named, rest / _UNITS)
    return space.rounded(weights, np.where(named, units, 0), np.where(named, units, space.units)), note


def _rest(space: _Space, which: np.ndarray, total: float) -> tuple[np.ndarray, str]:
    """What some domains get of ``total``: in proportion to the prior, as far as the tokens go.

    :param which: (D,) bool.
    """
    base, caps = space.prior[which], space.caps[which]
    if total <= 0:
        return np.zeros(len(caps)), ""
    if not base.any():
        base = caps
    weights = water_fill(base, caps / total) * total
    wanted = base / base.sum() * total
    held = [
        f"{domain} {cap:.3g} instead of {want:.3g}"
        for domain, cap, want in zip(np.asarray(space.domains)[which], caps, wanted, strict=True)
        if want > cap + 0.5 / _UNITS
    ]
    return weights, f"the rest as far as the tokens go: {', '.join(held)}" if held else ""


def _one_at_a_time(space: _Space, design: OneAtATime) -> Iterator[Point]:
    chosen = space.domains if design.domains is None else design.domains
    for i, domain in enumerate(chosen):
        d = space.domains.index(domain)
        if design.domains is not None and space.prior[d] == 0:
            raise UserError(
                f"{domain} has weight 0 in the prior: no factor gives it more",
                where=space.place("one_at_a_time", "domains", i),
                fix=f"give its weights themselves: `grid: {{{domain}: [0.05, 0.1]}}`",
            )
    number = 0
    for domain in chosen:
        d = space.domains.index(domain)
        others = np.arange(len(space.domains)) != d
        # The others must be able to fill what is left.
        least = max(0.0, 1 - space.caps[others].sum())
        for factor in design.multiply:
            number += 1
            wanted = space.prior[d] * factor
            weight = min(max(wanted, least), space.caps[d])
            weights = np.zeros(len(space.domains))
            weights[d] = weight
            weights[others], held = _rest(space, others, 1 - weight)
            note = f"{domain} times {factor:g}"
            if abs(weight - wanted) > 0.5 / _UNITS:
                note += f", which would be {wanted:.3g}: {weight:.3g} by the tokens there are"
            yield Point(f"{number:04d}", "swarm", space.rounded(weights), "; ".join(filter(None, (note, held))))


# Swarms


def _bounds(space: _Space, bounds: Mapping[str, Bounds], kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest weight of each domain, the caps included.

    :returns: (D,), (D,) whole millionths.
    :raises UserError: nothing is inside.
    """
    least, most = np.zeros_like(space.units), space.units.copy()
    for domain, given in bounds.items():
        d = space.domains.index(domain)
        least[d] = _at_least(np.array([given.low]))[0]
        if least[d] > space.units[d]:
            raise UserError(
                f"{domain} shall have at least {given.low:g}, but its tokens allow at most {_plain(space.units[d])}",
                where=space.place(kind, "bounds", domain),
                fix=f"let it start at {_plain(space.units[d])} or less, lower the budget or raise max_epochs",
            )
        # Bounds closer than a millionth are one number.
        most[d] = min(most[d], max(least[d], _at_most(np.array([given.high]))[0]))
    if least.sum() > _UNITS:
        raise UserError(
            f"the lower bounds sum to {_plain(least.sum())}, which is more than 1",
            where=space.place(kind, "bounds"),
            fix="lower some",
        )
    if most.sum() < _UNITS:
        raise UserError(
            f"the upper bounds (and what the tokens allow) sum to {_plain(most.sum())}: no mix can be made",
            where=space.place(kind, "bounds"),
            fix="raise some, lower the budget or raise max_epochs",
        )
    return least, most


def _dirichlet(space: _Space, design: Dirichlet, seed: int) -> Iterator[np.ndarray]:
    least, most = _bounds(space, design.bounds, "dirichlet")
    centre = water_fill(space.prior ** (1 / design.temperature), most / _UNITS, least / _UNITS)
    weak, strong = design.concentration
    for i in range(design.runs):
        rng = np.random.default_rng([seed % 2**64, _SALT_DIRICHLET, i])
        # The strengths of the range, evenly on a log scale whatever the number of runs.
        strength = weak * (strong / weak) ** _van_der_corput(i)
        top = _left_out(rng, design.sparse, least, most)
        drawn = space.rounded(_inside(rng, centre, strength, least / _UNITS, top / _UNITS), least, top)
        yield _without_crumbs(drawn, design.minimum_weight, least, top)


def _van_der_corput(i: int) -> float:
    """The i-th number of the base-2 van der Corput sequence, in (0, 1)."""
    return int(f"{i + 1:032b}"[::-1], 2) / 2**32


def _left_out(rng: np.random.Generator, chance: float, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Highest weights (millionths) of a point from which domains are left out at random, if the others make a mix."""
    if chance > 0:
        for _ in range(100):
            top = np.where((least == 0) & (rng.random(len(most)) < chance), 0, most)
            if top.sum() >= _UNITS:
                return top
    return most


def _inside(
    rng: np.random.Generator, centre: np.ndarray, strength: float, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """A Dirichlet draw around a centre, inside the bounds.

    What the lower bounds leave is divided; draws beyond an upper bound are rejected. Where bounds are so tight that none of
    :data:`_TRIES` draws is inside, the weights are drawn one domain after another, in random order, each from its Beta
    distribution cut to what the bounds and the domains to come leave.

    :param centre, low, high: (D,)
    :returns: (D,)
    """
    share, alive = 1 - low.sum(), high > 0
    if share <= 0 or alive.sum() == 1:
        return water_fill(np.where(alive, centre, 0.0), high, low)
    base = np.maximum(centre - low, 0.0)
    # A domain that the prior does not have takes part like the smallest one that it has.
    positive = base[alive & (base > 1e-9)]
    base = np.where(alive, np.maximum(base, positive.min() if len(positive) else 1.0), 0.0)
    alpha = strength * base / base.sum()
    drawn = np.tile(low, (_TRIES, 1))
    drawn[:, alive] += share * rng.dirichlet(alpha[alive], _TRIES)
    inside = (drawn <= high).all(axis=1)
    if inside.any():
        return drawn[inside.argmax()]
    order = rng.permutation(np.flatnonzero(alive))
    return _stick_breaking(alpha, low, high, order, rng.random(len(order)))


def _stick_breaking(
    alpha: np.ndarray, low: np.ndarray, high: np.ndarray, order: np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """A Dirichlet draw cut to bounds, one coordinate after another (inverse Rosenblatt transform).

    :param order: domains that take part, in the order they are drawn; the others get 0.
    :param uniform: (len(order),) numbers in [0, 1), one for each domain of the order.
    """
    weights = np.zeros_like(low)
    rest = 1.0
    for j, d in enumerate(order):
        later = order[j + 1 :]
        least = max(low[d], rest - high[later].sum())
        most = max(least, min(high[d], rest - low[later].sum()))
        weight = least
        if most > least and rest > 0:
            a, b = alpha[d], alpha[later].sum()
            left, right = betainc(a, b, min(1.0, least / rest)), betainc(a, b, min(1.0, most / rest))
            # Far in a tail nothing tells the bounds apart: anywhere between.
            weight = (
                rest * betaincinv(a, b, left + uniform[j] * (right - left))
                if right - left > 1e-12
                else least + uniform[j] * (most - least)
            )
        weights[d] = min(max(weight, least), most)
        rest -= weights[d]
    return weights


def _without_crumbs(weights: np.ndarray, minimum: float, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Weights below a minimum become 0, where there is no lower bound and the other domains can take them."""
    small = (weights < minimum) & (least == 0)
    top = np.where(small, 0, most)
    if not weights[small].any() or top.sum() < _UNITS:
        return weights
    return _round(water_fill(weights, top / _UNITS, least / _UNITS) * _UNITS, least, top)


def _sobol(space: _Space, design: Sobol, seed: int) -> Iterator[np.ndarray]:
    """Uniform over the simplex: exponential spacings of a Sobol sequence; those beyond an upper bound are passed over. Where the bounds
    are so tight that the sequence runs out, the weights follow one domain after another as for a Dirichlet of ones.
    """
    least, most = _bounds(space, design.bounds, "sobol")
    low, high = least / _UNITS, most / _UNITS
    rng = np.random.default_rng([seed % 2**64, _SALT_SOBOL])
    uniform = np.clip(qmc.Sobol(len(low), scramble=True, rng=rng).random(_SEQUENCE), 1e-12, 1 - 1e-12)
    spacings = -np.log(uniform)
    drawn = low + (1 - low.sum()) * spacings / spacings.sum(axis=1, keepdims=True)
    inside = (drawn <= high).all(axis=1)
    first = drawn[inside][: design.runs]
    for weights in first:
        yield space.rounded(weights, least, most)
    for i, numbers in enumerate(uniform[~inside][: design.runs - len(first)]):
        order = np.random.default_rng([seed % 2**64, _SALT_SOBOL, i]).permutation(len(low))
        yield space.rounded(_stick_breaking(np.ones(len(low)), low, high, order, numbers), least, most)


# What a design covers


def describe(points: Sequence[Point], domains: Sequence[str]) -> dict[str, Any]:
    """What a design lets one learn, as facts for a report.

    - ``points``: how many.
    - ``domains``: of each its ``name`` and the ``min``, ``max``, ``mean`` and ``deviation`` (standard) of its weights, and whether it is
      ``fitted``, that is, varies enough.
    - ``mean_distance``, ``nearest_distance``: total variation (half the sum of absolute differences: the share of tokens that moves)
      between two points, on average, and on average to the nearest other one.
    - ``condition``: largest over smallest singular value of the centred weights; of the D - 1 directions there are, as weights
      sum to 1. Null: some direction does not vary at all.
    - ``effective_rank``: of D - 1; the exponential of the singular values' entropy (Roy and Vetterli 2007).
    - ``notes``: what cannot be fitted, in sentences.
    """
    weights = np.stack([point.weights for point in points])
    n, d = weights.shape
    spread = weights.std(axis=0)
    values = np.linalg.svd(weights - weights.mean(axis=0), compute_uv=False)[: d - 1]
    values = np.concatenate([values, np.zeros(d - 1 - len(values))])
    # Rounding to millionths moves weights in every direction; that is no variation.
    directions = int((values > 2 * math.sqrt(n) / _UNITS).sum())
    # the tree holds n rows; all pairs at once would be n times as many
    nearest = cKDTree(weights).query(weights, k=2, p=1)[0][:, 1] / 2 if n > 1 else np.zeros(1)
    distances = pdist(weights, "cityblock") / 2
    notes = []
    if n < d + 1:
        notes.append(
            f"{n} points for {d} domains: not even a linear model can be fitted and checked; take {runs_needed(d)} or more"
        )
    for name, deviation, low, high in zip(domains, spread, weights.min(axis=0), weights.max(axis=0), strict=True):
        if deviation < _HARDLY_VARIES:
            notes.append(
                f"{name} hardly varies ({low:.3f} to {high:.3f}, deviation {deviation:.4f}): its effect cannot be fitted"
            )
    if n > d and directions < d - 1:
        notes.append(
            f"the mixes vary in {directions} independent ways, {d} domains could in {d - 1}: not every effect can be told from the others"
        )
    moving = np.flatnonzero(spread >= _HARDLY_VARIES)
    if d > 2 and n > d and len(moving) > 1:  # of two domains, one is always what the other leaves
        correlation = np.corrcoef(weights[:, moving].T)
        for i, j in zip(*np.triu_indices(len(moving), 1), strict=True):
            if abs(correlation[i, j]) > _TOGETHER:
                how = "rises and falls with" if correlation[i, j] > 0 else "falls as"
                tail = "" if correlation[i, j] > 0 else " rises"
                notes.append(
                    f"{domains[moving[i]]} {how} {domains[moving[j]]}{tail} (correlation {correlation[i, j]:.2f}): "
                    "their effects cannot be told apart"
                )
    return {
        "points": n,
        "domains": [
            {
                "name": name,
                "min": float(weights[:, i].min()),
                "max": float(weights[:, i].max()),
                "mean": float(weights[:, i].mean()),
                "deviation": float(spread[i]),
                "fitted": bool(spread[i] >= _HARDLY_VARIES),
            }
            for i, name in enumerate(domains)
        ],
        "mean_distance": float(distances.mean()) if n > 1 else 0.0,
        "nearest_distance": float(nearest.mean()),
        "condition": float(values[0] / values[-1]) if directions == d - 1 else None,
        "effective_rank": _effective_rank(values),
        "notes": notes,
    }


def _effective_rank(values: np.ndarray) -> float:
    if values.sum() <= 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


# Reuse of a mix


def runs_needed(n_domains: int, per_domain: float = 3.0) -> int:
    """Runs a swarm needs: in proportion to the domains, as Olmix sizes its swarms, and at least one more than a linear model has weights.

    :param per_domain: more where a metric is noisy.
    """
    return max(math.ceil(per_domain * n_domains), n_domains + 1)


@dataclass(frozen=True, eq=False)
class Collapsed:
    """Domains of which those that did not change are one virtual domain (Olmix's mixture reuse): their ratios among each other stay as an
    earlier proposal found them, and a swarm is over the virtual domain and the changed ones alone.

    :param domains: D names, in order.
    :param parts: 1 + C names: :data:`UNCHANGED`, then the changed domains in order.
    :param ratios: (D,) shares of the unchanged domains in the virtual one, sum 1; 0 for changed ones.
    """

    domains: list[str]
    parts: list[str]
    ratios: np.ndarray

    @property
    def changed(self) -> np.ndarray:
        """(C,) places of the changed domains among ``domains``."""
        return np.array([self.domains.index(name) for name in self.parts[1:]], dtype=np.int64)

    def reduce(self, weights: ArrayLike) -> np.ndarray:
        """Weights over all domains, (n, D) or (D,), as weights over the parts, (n, 1 + C) or (1 + C,). So with a prior or shares."""
        weights = np.asarray(weights, dtype=np.float64)
        changed = weights[..., self.changed]
        return np.concatenate(
            [weights.sum(axis=-1, keepdims=True) - changed.sum(axis=-1, keepdims=True), changed], axis=-1
        )

    def expand(self, weights: ArrayLike) -> np.ndarray:
        """Weights over the parts, (n, 1 + C) or (1 + C,), as weights over all domains, (n, D) or (D,), of whole millionths."""
        weights = np.asarray(weights, dtype=np.float64)
        full = weights[..., :1] * self.ratios
        full[..., self.changed] = weights[..., 1:]
        if full.ndim == 1:
            return self._whole(full)
        return np.stack([self._whole(row) for row in full]) if len(full) else full

    def _whole(self, weights: np.ndarray) -> np.ndarray:
        # The changed domains' weights are whole already; what is rounded goes to the unchanged ones.
        units = np.rint(weights * _UNITS).astype(np.int64)
        virtual = self.ratios > 0
        return _round(weights * _UNITS, np.where(virtual, 0, units), np.where(virtual, _UNITS, units))

    def expand_points(self, points: Iterable[Point]) -> list[Point]:
        """Points over the parts as points over all domains, of the same names."""
        made = [replace(point, weights=self.expand(point.weights)) for point in points]
        for point in made:
            point.weights.flags.writeable = False
        return made

    def caps(self, caps: ArrayLike) -> np.ndarray:
        """Largest weights of the parts, (1 + C,), from those of all domains, (D,): the virtual domain ends where the first of its own
        does."""
        caps = np.asarray(caps, dtype=np.float64)
        virtual = self.ratios > 0
        # A millionth less, as rounding may give a domain that much more than its share.
        most = ((caps[virtual] - 1 / _UNITS) / self.ratios[virtual]).min()
        return np.concatenate([[max(0.0, most)], caps[self.changed]])

    def saving(self, per_domain: float = 3.0) -> dict[str, Any]:
        """Runs the smaller swarm needs, runs one over all domains would need, the difference, and a sentence about it.

        :returns: ``runs_needed``, ``runs_full``, ``runs_saved``, ``statement``.
        """
        few, full = runs_needed(len(self.parts), per_domain), runs_needed(len(self.domains), per_domain)
        return {
            "runs_needed": few,
            "runs_full": full,
            "runs_saved": full - few,
            "statement": (
                f"{len(self.domains) - len(self.parts) + 1} of {len(self.domains)} domains keep their ratios and count as one: "
                f"{few} runs instead of {full}, {full - few} fewer."
            ),
        }


def collapse(
    domains: Sequence[str], weights: ArrayLike, changed: Iterable[str], *, place: Place | None = None
) -> Collapsed:
    """Make one virtual domain of all that did not change since a mix was proposed (Olmix, mixture reuse).

    :param domains: D names of today, in order; those that are gone need no mention, and no new run.
    :param weights: (D,) of the earlier proposal; what it has for changed domains does not matter.
    :param changed: domains that were added, or whose documents are others than before.
    :raises UserError: a changed domain is unknown, or the others have no weight to keep.
    """
    where = (place or (lambda *loc: ".".join(map(str, ("reuse", *loc)))))("changed")
    wanted = set(changed)
    for name in sorted(wanted):
        if name not in domains:
            raise _unknown(name, domains, where)
    kept = np.where([name in wanted for name in domains], 0.0, np.asarray(weights, dtype=np.float64))
    with_weight = int((kept > 0).sum())
    if with_weight < 2:
        raise UserError(
            f"there are no ratios to keep: of the domains that did not change, {with_weight} has a weight",
            where=where,
            fix="make a full swarm: leave `reuse` out",
        )
    return Collapsed(list(domains), [UNCHANGED, *(name for name in domains if name in wanted)], kept / kept.sum())
