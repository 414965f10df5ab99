"""An ablation: whose weights vary, over which domains, which mixes are tried, with what proxy, and what is wanted of the best one.

YAML in, checked models out, as for a mix (:mod:`pipeline.recipe`), on whose recipe an ablation stands.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from classifiers.taxonomy import FACETS, STANCE
from pipeline.ablate.design import DESIGN_MODELS, Design, check_domains
from pipeline.plan import amounts_of
from pipeline.recipe import (
    Group,
    Located,
    Recipe,
    Selector,
    Strict,
    apply_override,
    check_condition,
    is_ablation,
    load_recipe,
    read_yaml,
    validated,
)
from sources.card import Card
from sources.document import FAMILIES
from sources.errors import UserError

#: Mixes that proposals are compared with, and what the first proposal is called beside them.
ANCHORS, PROPOSED = ("prior", "proportional", "uniform"), "proposed"

#: What documents that no domain names belong to.
REST = "rest"

Over = Literal["source", "family", "facet", "stance", "quality"]


class Domain(Selector):
    """What has one weight. Either whole entries of the base recipe, or the documents a condition is about.

    A domain of entries keeps their amounts in the base recipe's proportions to each other. Documents under a condition are taken out
    of their sources; of several conditions, the first that holds has the document.

    :param entries: names of sources or groups of the base recipe.
    :param title: for the report.
    """

    entries: list[str] | None = Field(default=None, min_length=1)
    title: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Domain:
        conditions = [name for name in Selector.model_fields if getattr(self, name) is not None]
        if bool(conditions) == (self.entries is not None):
            raise ValueError("give either `entries`, or conditions (family, source, facet, stance, quality, where ...)")
        return self

    @property
    def whole(self) -> bool:
        """Whether it is made of whole entries."""
        given = {name for name in Selector.model_fields if getattr(self, name) is not None}
        return self.entries is not None or given in ({"family"}, {"source"})


#: Size of a transformer -> hidden size, layers, heads, inner size. With 2,048 tokens these have about as many parameters.
SIZES: dict[str, tuple[int, int, int, int]] = {
    "0.25M": (64, 2, 4, 192),
    "0.5M": (96, 3, 4, 256),
    "1M": (128, 4, 4, 344),
    "2M": (176, 5, 4, 472),
    "5M": (256, 6, 4, 688),
}


class Transformer(Strict):
    """A small Llama trained from scratch on each mix, on CPU, one process a run.

    :param size: about so many parameters.
    :param tokens: it trains on, in its own vocabulary; a shorter mix is read again, a longer one not to its end.
    :param vocabulary: tokens of its vocabulary: the first of cl100k_base, and one that ends a document.
    :param sequence: tokens it sees at once.
    :param batch: sequences a step.
    :param learning_rate: peak, after a warm-up of a tenth; then a cosine down to a tenth of it.
    :param points: compare on this many points only (for a proxy under ``compare``).
    """

    kind: Literal["transformer"] = "transformer"
    size: Literal["0.25M", "0.5M", "1M", "2M", "5M"] = "0.5M"
    tokens: int = Field(default=1_000_000, ge=10_000)
    vocabulary: int = Field(default=2_048, ge=257, le=65_536)
    sequence: int = Field(default=128, ge=16, le=4_096)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    points: int | None = Field(default=None, ge=4)


class Ngram(Strict):
    """An interpolated n-gram model, counted once a domain and mixed by weight (:mod:`pipeline.ablate.ngram`).

    :param tokens: of the mix it stands for, in its own vocabulary; sets the pool, as for a transformer.
    :param vocabulary: as for a transformer.
    :param order: longest n-gram.
    :param points: compare on this many points only (for a proxy under ``compare``).
    """

    kind: Literal["ngram"] = "ngram"
    tokens: int = Field(default=1_000_000, ge=10_000)
    vocabulary: int = Field(default=2_048, ge=257, le=65_536)
    order: int = Field(default=5, ge=1, le=6)
    points: int | None = Field(default=None, ge=4)


class External(Strict):
    """The user's own trainer: points are written as recipes and tables, results are read back.

    :param results: a CSV of metrics by run, or a folder with one folder of lm-evaluation-harness results a run; relative to the recipe.
    :param lower_is_better: by metric, where its name does not tell.
    :param points: compare on this many points only (for a proxy under ``compare``).
    """

    kind: Literal["external"] = "external"
    results: str
    lower_is_better: dict[str, bool] = {}
    points: int | None = Field(default=None, ge=4)


Proxy = Annotated[Transformer | Ngram | External, Field(discriminator="kind")]


class QuestionSet(Strict):
    """Questions with known answers: bits per byte of the answer after the question (``bpb/set/NAME``), a smooth stand-in for accuracy
    that tiny models can already tell mixes apart by (Olmix; Heineman et al. 2025).

    :param file: JSON lines or CSV (with a header), below WELLMIX_DATA or relative to the recipe.
    :param prompt: text with ``{field}`` in it.
    :param answer: likewise.
    :param limit: use the first so many.
    """

    file: str
    prompt: str
    answer: str
    limit: int = Field(default=500, ge=1)


class Evaluation(Strict):
    """What a trained proxy is measured by, beside held-out loss of each source, family and facet.

    :param tokens: of held-out documents, shared out over the sources as evenly as they allow.
    :param sets: question sets by name.
    :param results, lower_is_better: metrics from outside, as for an external proxy.
    """

    tokens: int = Field(default=200_000, ge=1_000)
    sets: dict[str, QuestionSet] = {}
    results: str | None = None
    lower_is_better: dict[str, bool] = {}


class Limits(Strict):
    """What a proposal must hold to.

    :param minimum, maximum: share by domain.
    :param fixed: share by domain that is not to be touched.
    :param max_distance: most total-variation distance from the prior (the share of tokens that may move).
    """

    minimum: dict[str, float] = {}
    maximum: dict[str, float] = {}
    fixed: dict[str, float] = {}
    max_distance: float | None = Field(default=None, gt=0, le=1)

    @field_validator("minimum", "maximum", "fixed")
    @classmethod
    def _shares(cls, value: dict[str, float]) -> dict[str, float]:
        for name, share in value.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: a share is between 0 and 1, not {share:g}")
        return value


class Ablation(Located):
    """An ablation over mix weights.

    :param base: recipe of the mix, relative to this file.
    :param set: ``path=value`` changes to it, as ``--set`` takes them.
    :param over: make the domains: each source, family, facet, stance, or band of quality.
    :param domains: or name them. What no domain names is called ``rest``.
    :param design: the points.
    :param budget: tokens of the run the ablation is for (default: the base's budget): sets what supply allows, and how often proxies
        repeat their data.
    :param proxy: what is trained at every point.
    :param compare: further proxies, to see whether they rank the points alike.
    :param targets: metrics that are wanted low (or high, where higher is better); they stand side by side.
    :param objectives: by name, weights of several targets that make one score. Each target alone always gives a proposal.
    :param constraints: of proposals.
    :param verify: seeds with which proposals and anchors are trained in the end; 0 trains none.
    :param rounds: how often to propose; before each further round what was trained is fitted, too.
    :param reuse: folder of an earlier ablation: domains that did not change since keep its proportions, and only the others are searched.
    :param seed: of designs, training and fits. The draw of documents has the base recipe's.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    base: str
    set: list[str] = []
    over: Over | None = None
    domains: dict[str, Domain] | None = Field(default=None, min_length=1)
    design: Design
    budget: int | None = Field(default=None, gt=0)
    proxy: Proxy = Transformer()
    compare: list[Proxy] = []
    evaluation: Evaluation = Evaluation()
    targets: list[str] = Field(default=["bpb/all"], min_length=1)
    objectives: dict[str, dict[str, float]] = {}
    constraints: Limits = Limits()
    verify: int = Field(default=3, ge=0, le=20)
    rounds: int = Field(default=1, ge=1, le=10)
    reuse: str | None = None
    seed: int = Field(default=0, ge=0, le=2**31)

    @model_validator(mode="after")
    def _one(self) -> Ablation:
        if (self.over is None) == (self.domains is None):
            raise ValueError("give either `over` (source, family, facet, stance, quality) or `domains`")
        return self

    @field_validator("objectives")
    @classmethod
    def _weights(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for name, weights in value.items():
            if not weights or any(weight <= 0 for weight in weights.values()):
                raise ValueError(f"{name}: give each of its targets a weight above 0")
        return value


@dataclass(frozen=True)
class Resolved:
    """An ablation and the mix it varies.

    :param recipe: the base recipe as it stands.
    :param varied: the base recipe with the groups that domains under conditions need; its amounts mean nothing.
    :param domains: name -> (title, entries of ``varied``).
    :param folder: of the ablation's file.
    :param base_folder: of the base recipe's file.
    """

    ablation: Ablation
    recipe: Recipe
    varied: Recipe
    cards: dict[str, Card]
    domains: dict[str, tuple[str, list[str]]]
    folder: Path
    base_folder: Path

    @property
    def budget(self) -> int:
        """Tokens of the run the ablation is for."""
        return self.ablation.budget or self.recipe.budget


_MODELS: tuple[type[BaseModel], ...] = (
    Ablation,
    Domain,
    Transformer,
    Ngram,
    External,
    Evaluation,
    QuestionSet,
    Limits,
    *DESIGN_MODELS,
)


def load_ablation(path: Path, overrides: list[str] | None = None) -> Resolved:
    """Read an ablation and the recipe it stands on.

    :param overrides: ``path=value`` changes to the ablation.
    :raises UserError: anything wrong in either, with line, field and fix.
    """
    raw, lines = read_yaml(path, "ablation")
    if not is_ablation(raw):
        raise UserError(
            "this is not an ablation: it needs `base` and `design`",
            where=path,
            fix=f"wellmix {'mix' if 'budget' in raw else 'curate'} {path}",
        )
    raw.setdefault("name", path.stem)
    for override in overrides or []:
        apply_override(raw, override)
    ablation = validated(Ablation, raw, path, lines, _MODELS)
    base = (path.parent / ablation.base).resolve()
    if not base.is_file():
        raise UserError(f"no recipe at {ablation.base!r}", where=ablation.place("base"))
    recipe, cards = load_recipe(base, ablation.set)
    domains, groups = _domains(ablation, recipe, cards)
    varied = recipe
    if groups:
        names = [name for name in amounts_of(recipe) if name in {group.name for group in groups}]
        if names:
            raise UserError(
                f"domain {names[0]!r} has the name of an entry of the base recipe but is a condition of its own",
                where=ablation.place("domains", names[0]),
                fix="give the domain another name",
            )
        varied = recipe.model_copy(update={"groups": [*groups, *recipe.groups]})
    _check_names(ablation, domains)
    if ablation.reuse is None:  # with reuse the design is over fewer parts
        check_domains(ablation.design, list(domains), place=lambda *loc: ablation.place("design", *loc))
    return Resolved(ablation, recipe, varied, cards, domains, path.parent, base.parent)


def _made(over: Over, recipe: Recipe, cards: dict[str, Card]) -> dict[str, Domain]:
    if over == "source":
        return {name: Domain(entries=[name]) for name in [*recipe.sources, *(group.name for group in recipe.groups)]}
    if over == "family":
        present = {card.family for card in cards.values()}
        return {name: Domain(family=name) for name in FAMILIES if name in present}  # type: ignore[arg-type]
    if over == "facet":
        return {name: Domain(facet=name) for name in FACETS}
    if over == "stance":
        return {name: Domain(stance=name) for name in STANCE}
    bands = {"low-quality": (0.0, 0.5), "middling-quality": (0.5, 0.8), "high-quality": (0.8, 1.01)}
    return {name: Domain(quality=band) for name, band in bands.items()}


def _domains(
    ablation: Ablation, recipe: Recipe, cards: dict[str, Card]
) -> tuple[dict[str, tuple[str, list[str]]], list[Group]]:
    """Domains by name, and the groups that those under conditions need."""
    wanted = ablation.domains or _made(ablation.over, recipe, cards)  # type: ignore[arg-type]
    free = list(amounts_of(recipe))
    found: dict[str, tuple[str, list[str]]] = {}
    groups: list[Group] = []
    for name, domain in wanted.items():
        place = ablation.place("domains", name) if ablation.domains else ablation.place("over")
        if domain.whole:
            entries = domain.entries or [
                entry
                for entry in recipe.sources
                if entry == domain.source or (domain.family is not None and cards[entry].family == domain.family)
            ]
            for entry in entries:
                if entry not in free:
                    known = entry in amounts_of(recipe)
                    close = difflib.get_close_matches(entry, free, n=1)
                    raise UserError(
                        f"{entry!r} is in two domains"
                        if known
                        else f"the base recipe has no source or group {entry!r}",
                        where=place,
                        fix=f"did you mean {close[0]!r}?" if close else "name sources and groups of the base recipe",
                    )
                free.remove(entry)
            if not entries:
                raise UserError("no source of the base recipe is in this domain", where=place, fix="take it out")
        else:
            if domain.where:
                check_condition(domain.where, f"{place}.where")
            entries = [name]
            conditions = {field: getattr(domain, field) for field in Selector.model_fields}
            groups.append(Group(name=name, weight=1.0, **conditions))
        found[name] = (domain.title or name.replace("_", " "), entries)
    if free:
        if REST in found:
            raise UserError(
                f"a domain is called {REST!r}, and there are entries that no domain names: {', '.join(free[:5])}",
                where=ablation.place("domains", REST),
                fix="give it another name",
            )
        found[REST] = ("the rest", free)
    if len(found) < 2:
        raise UserError(
            "there is only one domain, so no weight can vary", where=ablation.place("domains"), fix="name several"
        )
    return found, groups


def _check_names(ablation: Ablation, domains: dict[str, tuple[str, list[str]]]) -> None:
    for field in ("minimum", "maximum", "fixed"):
        for name in getattr(ablation.constraints, field):
            if name not in domains:
                close = difflib.get_close_matches(name, domains, n=1)
                raise UserError(
                    f"no domain is called {name!r}",
                    where=ablation.place("constraints", field, name),
                    fix=f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(domains)}",
                )
    for name, weights in ablation.objectives.items():
        if name in (*ANCHORS, PROPOSED, *ablation.targets):
            raise UserError(
                f"an objective is called {name!r}, as something else is",
                where=ablation.place("objectives", name),
                fix="give it another name",
            )
        for metric in weights:
            if metric not in ablation.targets:
                raise UserError(
                    f"objective {name!r} weighs {metric!r}, which is no target",
                    where=ablation.place("objectives", name, metric),
                    fix="list it under `targets`",
                )
    if isinstance(ablation.proxy, External) and any(p.kind == "external" for p in ablation.compare):
        raise UserError("an external proxy is compared with itself", where=ablation.place("compare"), fix="remove one")
