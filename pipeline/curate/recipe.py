"""A recipe of a set: what a fine-tuning or preference set is for, where its examples come from and which of them it wants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field, field_validator, model_validator

from classifiers.taxonomy import BEHAVIOURS, FACETS, Effort
from pipeline.catalog import facet_cuts
from pipeline.conditions import check_condition
from pipeline.curate.columns import candidate_columns, present
from pipeline.curate.constitution import Constitution, find_constitution, load_constitution
from pipeline.recipe import (
    DropRule,
    Ingest,
    Located,
    Strict,
    apply_override,
    cards_of,
    read_yaml,
    validated,
)
from sources.card import Card
from sources.errors import UserError
from sources.licenses import Purpose
from sources.skill import EvidenceKind

#: What a set is made of: replies and conversations to imitate, or comparisons to prefer by.
Task = Literal["sft", "preference"]
Format = Literal["messages", "prompt_completion", "sharegpt", "preference", "unpaired"]
FORMATS_OF: dict[Task, tuple[Format, ...]] = {
    "sft": ("messages", "prompt_completion", "sharegpt"),
    "preference": ("preference", "unpaired"),
}

#: Strategies of pyversity that a recipe can name.
Strategy = Literal["mmr", "msd", "ssd", "dpp", "cover"]

#: Conduct that a reply to imitate must not show (columns of :mod:`classifiers.conduct`).
Conduct = Literal["poses_as_person", "platform_talk", "promotes", "task_talk"]


class Take(Strict):
    """What is taken from a source.

    :param at_least, at_most: share of the set's examples.
    :param where: condition its candidates must meet.
    :param system: system prompt of its examples, over the recipe's and the card's.
    :param reviewed: take only what a reviewer kept (of pairs: confirmed or swapped; of single replies: called good or bad).
    :param conduct: conduct its replies must not show, instead of the recipe's: a thought rewritten for somebody says "I" for them.
    """

    at_least: float = Field(default=0.0, ge=0, le=1)
    at_most: float = Field(default=1.0, ge=0, le=1)
    where: str | None = Field(default=None, min_length=1)
    system: str | None = None
    reviewed: bool = False
    conduct: list[Conduct] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Take:
        if self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        return self


class Quota(Strict):
    """A share of the set that examples of one kind must or may have: of a source, facet, behaviour, principle, situation, or a
    condition (exactly one).

    :param at_least, at_most: share of the examples.
    """

    source: str | None = Field(default=None, min_length=1)
    facet: str | None = None
    behaviour: str | None = None
    principle: str | None = Field(default=None, min_length=1)
    situation: str | None = Field(default=None, min_length=1)
    where: str | None = Field(default=None, min_length=1)
    at_least: float = Field(default=0.0, ge=0, le=1)
    at_most: float = Field(default=1.0, ge=0, le=1)
    name: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Quota:
        kinds = ("source", "facet", "behaviour", "principle", "situation", "where")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(kinds)} (found: {', '.join(given) or 'none'})")
        for kind, known in (("facet", FACETS), ("behaviour", BEHAVIOURS)):
            if (value := getattr(self, kind)) is not None and value not in known:
                raise ValueError(f"no {kind} is called {value!r}; use one of {', '.join(known)}")
        if self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        if self.at_least == 0 and self.at_most == 1:
            raise ValueError("a quota says at_least, at_most or both")
        return self

    @property
    def label(self) -> str:
        """How reports call it."""
        if self.name:
            return self.name
        kind = next(k for k in ("source", "facet", "behaviour", "principle", "situation", "where") if getattr(self, k))
        return f"{kind} {getattr(self, kind)}"

    @property
    def sql(self) -> str:
        """The condition over the judged candidates, which have ``principles`` beside their columns."""
        if self.source or self.situation:
            column = "source" if self.source else "situation"
            value = (self.source or self.situation or "").replace("'", "''")
            return f"coalesce({column} = '{value}', false)"
        if self.facet:
            return f"coalesce(facet_{self.facet} >= {facet_cuts()[self.facet]}, false)"
        if self.behaviour:
            return f"coalesce({present(self.behaviour)}, false)"
        if self.principle:
            return f"list_contains(principles, '{self.principle.replace(chr(39), chr(39) * 2)}')"
        return f"coalesce(({self.where}\n), false)"


class Lengths(Strict):
    """Bounds of an example.

    :param tokens: most tokens of all messages together.
    :param turns: most messages before the reply.
    :param prompt_words, reply_words: fewest and most words of the last user turn and of the reply.
    """

    tokens: int = Field(default=2_048, ge=16)
    turns: int = Field(default=32, ge=2)
    prompt_words: tuple[int, int] = (4, 800)
    reply_words: tuple[int, int] = (8, 600)

    @field_validator("prompt_words", "reply_words")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] <= value[1]:
            raise ValueError("give [fewest, most]")
        return value


class SetFilters(Strict):
    """What keeps a candidate out.

    :param languages: of the document.
    :param harm: probability of any harm in a reply from which a candidate is nothing at all, not even a rejected reply; null: the
        classifiers' own thresholds, by length.
    :param prompt_harm: the same for prompts, which tell of pain and hurt: higher.
    :param conduct: conduct that a reply to imitate or choose must not show.
    :param placeholders: most placeholders of de-identification in a reply to imitate.
    :param contamination: benchmarks whose items must not occur, as in a mix.
    :param drop: further conditions with the reason the ledger gives; judged for replies to imitate or choose.
    """

    languages: list[str] = Field(default=["en"], min_length=1)
    harm: float | None = Field(default=None, ge=0, le=1)
    prompt_harm: float = Field(default=0.5, ge=0, le=1)
    conduct: list[Conduct] = list(get_args(Conduct))
    placeholders: int = Field(default=0, ge=0)
    contamination: Literal["all", False] | list[str] = "all"
    drop: list[DropRule] = []


class Duplicates(Strict):
    """When two prompts are one.

    :param similarity: cosine of sentence embeddings of what the user says from which prompts are near-duplicates.
    :param per_prompt: how many examples may answer one prompt.
    :param per_conversation: how many examples one conversation may give; a longer one holds the turns of a shorter.
    """

    similarity: float = Field(default=0.92, ge=0.5, le=1)
    per_prompt: int = Field(default=1, ge=1)
    per_conversation: int = Field(default=1, ge=1)


class Diversity(Strict):
    """How the set spreads over situations (pyversity).

    :param strategy: ``mmr`` (maximal marginal relevance), ``msd`` (max-sum), ``ssd`` (sliding spectrum), ``dpp`` (determinantal point
        process), ``cover`` (facility location).
    :param weight: 0 is quality alone, 1 is spread alone.
    :param pool: how many times the size is looked at; the best by quality.
    """

    strategy: Strategy = "mmr"
    weight: float = Field(default=0.5, ge=0, le=1)
    pool: float = Field(default=4.0, ge=1)


class Pairs(Strict):
    """How comparisons are made (task ``preference``).

    :param reasons: kinds of native evidence a pair may rest on.
    :param per_prompt: most pairs of one prompt; those furthest apart first.
    :param max_length_ratio: of the longer to the shorter reply, in words.
    :param balance: features of style that must not tell which reply is chosen; further pairs are left out.
    :param tolerance: how far from a half the accuracy of each of them may be.
    :param unpaired: how many single replies with a label there are beside the pairs (format ``unpaired``): half good, half poor.
    :param good, poor: merit from which a single reply is good, to which it is poor.
    """

    reasons: list[EvidenceKind] = Field(default=list(get_args(EvidenceKind)), min_length=1)
    per_prompt: int = Field(default=1, ge=1)
    max_length_ratio: float = Field(default=4.0, ge=1)
    balance: list[Literal["length", "questions", "exclamations", "lists", "paragraphs", "first_person"]] = ["length"]
    tolerance: float = Field(default=0.02, ge=0, le=0.5)
    unpaired: int = Field(default=0, ge=0)
    good: float = Field(default=0.75, ge=0, le=1)
    poor: float = Field(default=0.25, ge=0, le=1)


class SetShards(Strict):
    """What is written.

    :param files: ``parquet``, and ``jsonl`` for trainers that read JSON lines (axolotl, LLaMA-Factory).
    :param rows: examples in a file.
    """

    files: list[Literal["parquet", "jsonl"]] = Field(default=["parquet"], min_length=1)
    rows: int = Field(default=100_000, ge=1)


class SetRecipe(Located):
    """A fine-tuning or preference set.

    :param task: ``sft`` (replies to imitate) or ``preference`` (comparisons, and single replies with a label).
    :param unit: ``reply``: every reply is an example, with what came before as its prompt; ``conversation``: a conversation is one.
    :param formats: of sft: messages, prompt_completion, sharegpt; of preference: preference, unpaired.
    :param size: examples (pairs) wanted, validation included.
    :param system: system prompt of examples that have none; of several, a hash of the id chooses.
    :param order: measure (an SQL expression) -> weight; candidates rank by the weighted mean of their percentiles in each. Several
        measures side by side: a candidate without a value counts as the middle.
    :param simulated: largest share of examples that a model or we wrote.
    :param constitution: ``wellmix``, another shipped one, or a file relative to the recipe.
    :param reviews: files of decisions people made (``wellmix review``), relative to the recipe; they win over every score.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    purpose: Purpose
    task: Task = "sft"
    unit: Literal["reply", "conversation"] = "reply"
    formats: list[Format] = Field(min_length=1)
    size: int = Field(gt=0)
    seed: int = Field(default=0, ge=-(2**53), le=2**53)
    sources: dict[str, Take] = Field(min_length=1)
    system: str | list[str] | None = None
    filters: SetFilters = SetFilters()
    lengths: Lengths = Lengths()
    order: dict[str, Annotated[float, Field(gt=0)]] = Field(default={"support": 1.0}, min_length=1)
    quotas: list[Quota] = []
    simulated: float = Field(default=0.2, ge=0, le=1)
    duplicates: Duplicates = Duplicates()
    diversity: Diversity = Diversity()
    pairs: Pairs = Pairs()
    validation: float = Field(default=0.05, ge=0, lt=0.5)
    constitution: str = "wellmix"
    reviews: list[str] = []
    tokenizer: str = "o200k_base"
    effort: Effort = "best"
    ingest: Ingest = Ingest()
    shards: SetShards = SetShards()
    cards: list[str] = []
    memory: str = Field(default="2GB", pattern=r"^\d+(\.\d+)?\s*(MB|GB)$")

    @model_validator(mode="after")
    def _fits(self) -> SetRecipe:
        allowed = FORMATS_OF[self.task]
        for name in self.formats:
            if name not in allowed:
                raise ValueError(f"task {self.task} makes {', '.join(allowed)}, not {name}")
        if len(set(self.formats)) != len(self.formats):
            raise ValueError("list each format once")
        if self.task == "preference" and self.unit != "reply":
            raise ValueError("task preference compares replies: unit must be reply")
        if "unpaired" in self.formats and not self.pairs.unpaired:
            raise ValueError("format unpaired needs pairs.unpaired, the number of single replies wanted")
        return self

    def all_quotas(self) -> Iterator[Quota]:
        """The quotas in the order they are served: the sources' own, then the recipe's, then the cap on simulated examples."""
        for name, take in self.sources.items():
            if take.at_least > 0 or take.at_most < 1:
                yield Quota(source=name, at_least=take.at_least, at_most=take.at_most)
        yield from self.quotas
        if self.simulated < 1:
            yield Quota(where="author_kind = 'simulated'", at_most=self.simulated, name="simulated")


_PARTS: tuple[type[BaseModel], ...] = (
    SetRecipe, Take, Quota, SetFilters, DropRule, Lengths, Duplicates, Diversity, Pairs, SetShards, Ingest,
)  # fmt: skip


def load_set_recipe(path: Path, overrides: list[str] | None = None) -> tuple[SetRecipe, dict[str, Card], Constitution]:
    """Read a recipe of a set, apply ``--set`` overrides and check it against cards, columns and constitution.

    :param overrides: ``path.to.field=value`` texts; the value is read as YAML.
    :raises UserError: anything wrong, with line, field and fix.
    """
    raw, lines = read_yaml(path)
    if "budget" in raw:
        raise UserError("this is a recipe of a mix, not of a set", where=path, fix=f"wellmix mix {path}")
    raw.setdefault("name", path.stem)
    for override in overrides or []:
        apply_override(raw, override)
    if isinstance(sources := raw.get("sources"), dict):
        # `counsel-chat:` alone takes whatever is good of it
        raw["sources"] = {name: {} if take is None else take for name, take in sources.items()}
    recipe = validated(SetRecipe, raw, path, lines, _PARTS)
    cards = cards_of(recipe, recipe.sources, recipe.purpose, recipe.cards, path.parent)
    for name, card in cards.items():
        if card.skill is None:
            raise UserError(
                f"source {name!r} holds no conversations to learn helping from: its card has no `skill`",
                where=recipe.place("sources", name),
                fix="take it out, or say in its card how its turns and labels are to be read (sources/README.md)",
            )
    columns = candidate_columns()
    constitution = load_constitution(find_constitution(recipe.constitution, path.parent), columns)
    known = {principle.id for principle in constitution.principles if principle.visible}
    for i, quota in enumerate(recipe.quotas):
        if quota.principle and quota.principle not in known:
            raise UserError(
                f"the constitution {constitution.name} has no principle {quota.principle!r} that columns can see",
                where=recipe.place("quotas", i, "principle"),
                fix=f"use one of: {', '.join(sorted(known))}",
            )
        if quota.source and quota.source not in recipe.sources:
            raise UserError(
                f"the quota is about source {quota.source!r}, which the recipe does not take",
                where=recipe.place("quotas", i, "source"),
                fix="add the source under `sources`",
            )
        if quota.where:
            check_condition(quota.where, recipe.place("quotas", i, "where"), columns)
    for name, take in recipe.sources.items():
        if take.where:
            check_condition(take.where, recipe.place("sources", name, "where"), columns)
    for i, rule in enumerate(recipe.filters.drop):
        check_condition(rule.where, recipe.place("filters", "drop", i, "where"), columns)
    for measure in recipe.order:
        check_condition(f"({measure}) >= 0", recipe.place("order", measure), columns)
    return recipe, cards, constitution
