"""A recipe: what a mix is for, how big it is, and how much of what goes into it. YAML in, checked models out.

Everything that can be checked without reading a corpus is checked when the recipe is loaded, and an error names the line, the
field and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from classifiers.taxonomy import FACETS, STANCE, Effort
from classifiers.taxonomy import Field as ScoreField
from pipeline.catalog import facet_cuts
from pipeline.conditions import check_condition
from pipeline.forget.tombstones import forgotten_source
from sources.card import CARDS_DIR, Card, find_cards, load_card
from sources.document import Family
from sources.errors import UserError
from sources.licenses import Purpose
from sources.yaml_text import NotYaml, load_yaml, read_yaml_file


class Strict(BaseModel):
    """What people write in a file: no field but those there are, no NaN, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Located(Strict):
    """A file's top level, which knows where its fields are written."""

    _path: Path | None = None
    _lines: dict[tuple, int] = {}

    def place(self, *loc: str | int) -> str:
        """Where a field is written, for messages: file, line and the field's path."""
        field = ".".join(map(str, loc))
        return f"{self._path}:{line_of(self._lines, loc)} {field}" if self._path else field


L = TypeVar("L", bound=Located)


class Amount(Strict):
    """How much of something goes into the mix: exactly one of the three.

    :param weight: share of the budget (relative to the recipe's ``weight_basis``).
    :param tokens: a number of tokens.
    :param epochs: passes over everything eligible; 0.5 is half of it.
    :param max_epochs: how often a document may repeat here; default is the recipe's ``max_epochs``.
    """

    weight: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    epochs: float | None = Field(default=None, ge=0)
    max_epochs: float | None = Field(default=None, gt=0, le=255)

    @model_validator(mode="after")
    def _one(self) -> Amount:
        given = [name for name in ("weight", "tokens", "epochs") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of weight, tokens and epochs (found: {', '.join(given) or 'none'})")
        return self


class Selector(Strict):
    """Which documents a group or an upweight rule is about; several fields mean all of them.

    :param family: forum, biography, psychology, transcript or general.
    :param source: name of a source.
    :param facet: a facet that is present: its probability reaches the classifiers' threshold.
    :param stance: the likeliest stance.
    :param quality: ``[low, high)`` band of the 0-1 quality score.
    :param relevance: ``[low, high)`` band of the 0-5 relevance.
    :param cluster_size: ``[low, high)`` number of near-duplicates found of a document (1: none).
    :param where: an SQL condition over the attributes (DuckDB; ``wellmix columns`` lists them).
    """

    family: Family | None = None
    source: str | None = None
    facet: str | None = None
    stance: str | None = None
    quality: tuple[float, float] | None = None
    relevance: tuple[float, float] | None = None
    cluster_size: tuple[int, int] | None = None
    where: str | None = None

    @field_validator("facet")
    @classmethod
    def _facet(cls, value: str | None) -> str | None:
        if value is not None and value not in FACETS:
            raise ValueError(f"no facet is called {value!r}; use one of {', '.join(FACETS)}")
        return value

    @field_validator("stance")
    @classmethod
    def _stance(cls, value: str | None) -> str | None:
        if value is not None and value not in STANCE:
            raise ValueError(f"no stance is called {value!r}; use one of {', '.join(STANCE)}")
        return value

    @property
    def sql(self) -> str:
        """The condition over the attribute columns."""
        parts = []
        if self.family:
            parts.append(f"kind = '{self.family}'")
        if self.source:
            parts.append(f"source = '{self.source.replace(chr(39), chr(39) * 2)}'")
        if self.facet:
            parts.append(f"facet_{self.facet} >= {facet_cuts()[self.facet]}")
        if self.stance:
            parts.append(f"stance = '{self.stance}'")
        for column in ("quality", "relevance", "cluster_size"):
            if (band := getattr(self, column)) is not None:
                parts.append(f"{column} >= {band[0]} AND {column} < {band[1]}")
        if self.where:
            parts.append(f"({self.where}\n)")
        return "coalesce(" + (" AND ".join(parts) or "true") + ", false)"


class Group(Selector, Amount):
    """Documents that get an amount of their own, taken out of their sources' entries; the first matching group has them."""

    name: str


class Upweight(Selector):
    """Inside their entry, matching documents are repeated ``multiply`` times as often (0 leaves them out)."""

    multiply: float = Field(ge=0)


class DropRule(Strict):
    """Documents a recipe does not want, and the reason the ledger gives."""

    where: str
    reason: str = Field(pattern=r"^[a-z0-9_]+$")

    @field_validator("reason")
    @classmethod
    def _own(cls, value: str) -> str:
        taken = (
            "selected",
            "held_out",
            "not_drawn",
            "repeated_id",
            "language",
            "duplicate",
            "quality",
            "safety",
            "contaminated",
        )
        if value.startswith(taken):
            raise ValueError(f"the ledger uses {value!r} itself; choose another reason, e.g. my_{value}")
        return value


class Filters(Strict):
    """What keeps a document out of the mix.

    :param language: drop documents in a language the card does not expect.
    :param quality: thresholds by family over the defaults, or false for none.
    :param safety: probability at which a document is dropped, by label: ``harm`` (any harm; the classifiers ship its threshold),
        ``harm_short`` and ``harm_long`` (the same for texts of fewer than 30 words, of more than 1,800 bytes), or a single one
        such as ``hate``; false for none.
    :param contamination: benchmarks whose items must not occur: ``all``, a list of names or of hash-list files, or false.
    :param near_duplicates: similarity (Jaccard over 5-word shingles) from which documents count as one; false keeps them,
        exact ones are dropped all the same.
    :param drop: further conditions.
    """

    language: bool = True
    quality: dict[Family, dict[str, float | None]] | Literal[False] = {}
    safety: dict[str, float] | Literal[False] = {}
    contamination: Literal["all", False] | list[str] = "all"
    near_duplicates: float | Literal[False] = Field(default=0.75)
    drop: list[DropRule] = []

    @field_validator("safety")
    @classmethod
    def _probabilities(cls, value: dict[str, float] | Literal[False]) -> dict[str, float] | Literal[False]:
        for label, cut in (value or {}).items():
            if not 0 <= cut <= 1:
                raise ValueError(f"{label}: {cut:g} is no probability; give a number from 0 to 1, or `safety: false`")
        return value

    @field_validator("near_duplicates")
    @classmethod
    def _similarity(cls, value: float | Literal[False]) -> float | Literal[False]:
        if value is not False and not 0.5 <= value <= 1:
            raise ValueError("a similarity is between 0.5 and 1, or false")
        return value


class Ingest(Strict):
    """How raw records become documents.

    :param max_chars: longer records are cut at paragraph ends into documents of at most this many characters.
    :param shard_bytes: raw bytes one task reads.
    :param names: replace names of private persons with the ``ner`` extra.
    """

    max_chars: int = Field(default=20_000, ge=1_000)
    shard_bytes: int = Field(default=32 << 20, ge=1 << 16)
    names: bool = False


class Shards(Strict):
    """What is written.

    :param formats: any of parquet, jsonl, megatron, mds, datatrove.
    :param size: bytes of text a shard aims at.
    """

    formats: list[Literal["parquet", "jsonl", "megatron", "mds", "datatrove"]] = ["parquet"]
    size: int = Field(default=128 << 20, ge=1 << 16, le=1 << 30)

    @field_validator("formats")
    @classmethod
    def _any(cls, value: list[str]) -> list[str]:
        if not value or len(set(value)) != len(value):
            raise ValueError("list at least one format, each once")
        return value


class Recipe(Located):
    """A data mix.

    :param purpose: ``research`` (internal, nothing leaves), ``publish`` or ``commercial``; a source whose card does not allow it is
        refused.
    :param budget: tokens of the training split; what is held out for validation comes on top.
    :param sources: amount by source name.
    :param groups: amounts for documents chosen by what they are rather than by where they come from.
    :param weight_basis: what weights add up to. Default: 1 if the weights in the file add up to about 1 (0.8 to 1.25), else their
        sum. ``--set`` does not move it: another weight for one source leaves the others' documents where they were.
    :param temperature: weights are raised to 1/temperature (and scaled back to their sum); above 1 flattens them.
    :param max_epochs: how often a document may repeat.
    :param validation: share of the documents (by duplicate cluster) held out.
    :param tokenizer: ``o200k_base``, ``cl100k_base`` or the path of a Hugging Face ``tokenizer.json``.
    :param effort: how far the classifiers' cascade goes: ``fast``, ``balanced`` or ``best`` (see :mod:`classifiers.scorer`).
    :param effort_about: what a balanced cascade may be in doubt about (null: all); what the recipe does not use costs nothing then.
    :param cards: folders with further source cards, relative to the recipe.
    :param memory: memory limit of the joins, e.g. ``2GB``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    purpose: Purpose
    budget: int = Field(gt=0)
    seed: int = Field(default=0, ge=-(2**53), le=2**53)
    sources: dict[str, Amount] = Field(min_length=1)
    groups: list[Group] = []
    upweight: list[Upweight] = []
    weight_basis: float | None = Field(default=None, gt=0)
    temperature: float = Field(default=1.0, ge=0.05)
    max_epochs: float = Field(default=4.0, gt=0, le=255)
    validation: float = Field(default=0.005, ge=0, lt=0.5)
    tokenizer: str = "o200k_base"
    effort: Effort = "balanced"
    effort_about: list[ScoreField] | None = Field(default=None, min_length=1)
    filters: Filters = Filters()
    ingest: Ingest = Ingest()
    shards: Shards = Shards()
    cards: list[str] = []
    memory: str = Field(default="2GB", pattern=r"^\d+(\.\d+)?\s*(MB|GB)$")

    @field_validator("groups")
    @classmethod
    def _names(cls, value: list[Group], info: ValidationInfo) -> list[Group]:
        taken = set(info.data.get("sources", ()))
        for group in value:
            if group.name in taken:
                raise ValueError(f"{group.name!r} names more than one source or group")
            taken.add(group.name)
        return value


_MODELS: tuple[type[BaseModel], ...] = (Recipe, Group, Upweight, Filters, DropRule, Ingest, Shards)


def load_recipe(path: Path, overrides: list[str] | None = None) -> tuple[Recipe, dict[str, Card]]:
    """Read a recipe, apply ``--set`` overrides and check it against the cards.

    :param overrides: ``path.to.field=value`` texts; the value is read as YAML.
    :returns: the recipe with ``weight_basis`` filled in, and the card of each of its sources.
    :raises UserError: anything wrong, with line, field and fix.
    """
    raw, lines = read_yaml(path)
    if is_set(raw):
        raise UserError("this is a recipe of a set, not of a mix", where=path, fix=f"wellmix curate {path}")
    if is_ablation(raw):
        raise UserError("this is an ablation, not a recipe of a mix", where=path, fix=f"wellmix ablate {path}")
    raw.setdefault("name", path.stem)
    declared = _declared_basis(raw)
    if declared:
        raw.setdefault("weight_basis", declared)
    for override in overrides or []:
        apply_override(raw, override)
    recipe = validated(Recipe, raw, path, lines, _MODELS)
    cards = cards_of(recipe, recipe.sources, recipe.purpose, recipe.cards, path.parent)
    for i, group in enumerate(recipe.groups):
        if group.source and group.source not in recipe.sources:
            raise UserError(
                f"group {group.name!r} is about source {group.source!r}, which the recipe does not take",
                where=recipe.place("groups", i, "source"),
                fix="add the source under `sources`",
            )
    conditions: dict[str, list[str | None]] = {
        "groups": [group.where for group in recipe.groups],
        "upweight": [rule.where for rule in recipe.upweight],
        "filters.drop": [rule.where for rule in recipe.filters.drop],
    }
    for kind, wheres in conditions.items():
        for i, where_sql in enumerate(wheres):
            if where_sql:
                check_condition(where_sql, recipe.place(*kind.split("."), i, "where"))
    return recipe, cards


def is_set(raw: dict[str, Any]) -> bool:
    """Whether a file looks like a recipe of a set (:mod:`pipeline.curate.recipe`) rather than of a mix."""
    return "budget" not in raw and "formats" in raw and "size" in raw


def is_ablation(raw: dict[str, Any]) -> bool:
    """Whether a file looks like an ablation (:mod:`pipeline.ablate.recipe`)."""
    return "base" in raw and "design" in raw


_EXAMPLES = {
    "recipe": "recipes/sample.yaml",
    "executor": "one that pipeline/README.md shows",
    "ablation": "recipes/ablation/sample.yaml",
    "constitution": "recipes/constitutions/wellmix.yaml",
}


def read_yaml(
    path: Path, what: str = "recipe", guide: str = "recipes/README.md"
) -> tuple[dict[str, Any], dict[tuple, int]]:
    """The mapping in a YAML file, and the line of each of its fields.

    :param what: the file is called in messages.
    :param guide: the page that tells what it may hold.
    :raises UserError: it cannot be read, is no YAML, names a key twice or is no mapping.
    """
    raw, lines = read_yaml_file(path, what, f"name a file such as {_EXAMPLES[what]}")
    if not isinstance(raw, dict):
        raise UserError(f"a {what} is a mapping of fields", where=path, fix=f"{guide} lists them")
    return raw, lines


def validated(
    model: type[L], raw: dict[str, Any], path: Path, lines: dict[tuple, int], parts: tuple[type[BaseModel], ...]
) -> L:
    """The checked model of a file.

    :param parts: the models inside it, whose fields are offered when one is misspelt.
    :raises UserError: a field is wrong, with its line.
    """
    try:
        made = model.model_validate(raw)
    except ValidationError as error:
        raise _user_error(error, path, lines, parts) from None
    made._path, made._lines = path, lines
    return made


def cards_of(
    recipe: Located, names: Iterable[str], purpose: Purpose, folders: list[str], base: Path
) -> dict[str, Card]:
    """The card of each source a recipe names; each allows the purpose.

    :param folders: with further cards, relative to ``base``.
    :raises UserError: no such folder or source, or its card refuses.
    """
    directories = [CARDS_DIR]
    for directory in folders:
        if not (base / directory).is_dir():
            raise UserError(f"no folder of cards at {directory!r}", where=recipe.place("cards"))
        directories.append(base / directory)
    known = find_cards(*directories)
    cards: dict[str, Card] = {}
    for name in names:
        where = recipe.place("sources", name)
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(f"unknown source {name!r}", where=where, fix=f"{hint}`wellmix sources` lists all cards")
        card = load_card(known[name])
        if gone := forgotten_source(name):
            raise UserError(
                f"source {name!r} was forgotten on {gone.date}: {gone.reason}",
                where=where,
                fix=f"take it out of the recipe; `wellmix forget --status` tells more (tombstone {gone.id})",
            )
        if reason := card.refusal(purpose):
            raise UserError(
                f"source {name!r} may not serve purpose {purpose!r}: {reason}",
                where=where,
                fix="remove the source, or change the purpose if the text stays inside",
            )
        cards[name] = card
    return cards


def line_of(lines: dict[tuple, int], loc: tuple) -> int:
    loc = tuple(map(str, loc))
    while loc and loc not in lines:
        loc = loc[:-1]
    return lines.get(loc, 1)


def _user_error(
    error: ValidationError, path: Path, lines: dict[tuple, int], parts: tuple[type[BaseModel], ...]
) -> UserError:
    # Of the branches of a union pydantic reports each; the deepest location is the one the user wrote.
    problem = max(error.errors(), key=lambda e: len(e["loc"]) if e["type"] != "literal_error" else 0)
    loc = tuple(problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    fix = "recipes/README.md lists the fields and what they take"
    if problem["type"] == "extra_forbidden":
        message = f"unknown field {loc[-1]!r}"
        known = {field for model in parts for field in model.model_fields}
        if close := difflib.get_close_matches(str(loc[-1]), known, n=1):
            fix = f"did you mean {close[0]!r}? {fix}"
    elif problem["type"] == "missing":
        message = f"field {loc[-1]!r} is missing"
    return UserError(message, where=f"{path}:{line_of(lines, loc)} {'.'.join(map(str, loc))}", fix=fix)


def _declared_basis(raw: dict[str, Any]) -> float | None:
    sources, groups = raw.get("sources"), raw.get("groups")
    entries = [
        *(sources.values() if isinstance(sources, dict) else ()),
        *(groups if isinstance(groups, list) else ()),
    ]
    weights = [e["weight"] for e in entries if isinstance(e, dict) and isinstance(e.get("weight"), int | float)]
    total = float(sum(weights))
    if total <= 0:
        return None
    return 1.0 if 0.8 <= total <= 1.25 else total


def apply_override(raw: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise UserError(
            f"cannot read --set {override!r}", fix="write --set path.to.field=value, e.g. sources.happydb.weight=0.1"
        )
    # Source names may hold dots; take the longest known key at each level.
    parts = path.split(".")
    node: Any = raw
    try:
        value = load_yaml(text)[0]
    except NotYaml:
        raise UserError(f"the value in --set {override!r} is not valid YAML") from None
    while parts:
        if isinstance(node, list):
            if not parts[0].isdigit() or int(parts[0]) >= len(node):
                raise UserError(f"--set {override!r}: the list has {len(node)} entries, {parts[0]!r} is none of them")
            key: Any = int(parts.pop(0))
        else:
            n = next((n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in node), 1)
            key, parts = ".".join(parts[:n]), parts[n:]
        if not parts:
            if isinstance(node, dict) and key in ("weight", "tokens", "epochs"):
                # setting one of the three replaces the one that was there
                for other in ("weight", "tokens", "epochs"):
                    node.pop(other, None)
            node[key] = value
            return
        child = node[key] if isinstance(node, list) else node.setdefault(key, {})
        if child is None:
            child = node[key] = {}
        if not isinstance(child, dict | list):
            raise UserError(f"--set {override!r}: {key!r} is a value, it has no field {parts[0]!r}")
        node = child
