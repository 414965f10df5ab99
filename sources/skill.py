"""How a corpus's own labels speak of the quality of help: what ``skill:`` in a card says, and how its labels are read.

Whether one reply is better than another is known best where somebody said so: readers who voted, a coder, the person who was
helped. Corpora say it in votes, ranks, levels, codes and outcomes; here each becomes a number, and, where the scale is an
absolute one, a merit from 0 to 1. Nothing is guessed: a label that does not say is no evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: What a turn is to a model that learns to help; ``drop`` leaves out the turn, ``refuse`` the whole conversation.
Part = Literal["user", "assistant", "system", "drop", "refuse"]

#: Kinds of native evidence that a reply is good or poor.
EvidenceKind = Literal["votes", "rank", "levels", "code", "outcome", "critique", "expert"]

#: The moves of :data:`classifiers.taxonomy.BEHAVIOURS` (nothing in this room imports the classifiers; a test holds them equal).
Behaviour = Literal[
    "reflects",
    "validates",
    "asks",
    "empowers",
    "informs",
    "suggests",
    "refers",
    "self_discloses",
    "judges",
    "directs",
    "dismisses",
]
MOVES: tuple[str, ...] = get_args(Behaviour)

#: Roles of :class:`sources.document.Turn` that are the same part everywhere; a card adds its own.
ROLES: dict[str, Part] = {
    "seeker": "user",
    "poster": "user",
    "user": "user",
    "patient": "user",
    "original": "user",
    "supporter": "assistant",
    "commenter": "assistant",
    "assistant": "assistant",
    "clinician": "assistant",
    "reframed": "assistant",
    "system": "system",
}

#: Kinds whose numbers compare replies to one prompt only: nobody says how many votes a good reply has.
_RELATIVE = ("votes", "rank")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Moves(_Strict):
    """What a coder says a reply does.

    :param label: turn label with the code, or a list of labels whose codes count together. A label may hold a list.
    :param map: code -> behaviour(s) of the taxonomy; ``[]`` for a code that is none of them. Codes are matched without case.
    """

    label: str | list[str]
    map: dict[str, Behaviour | list[Behaviour]] = Field(min_length=1)

    @model_validator(mode="after")
    def _apart(self) -> Moves:
        if len({code.strip().lower() for code in self.map}) < len(self.map):
            raise ValueError("map names one code twice (codes are matched without case)")
        if not self.coded:
            raise ValueError("map leads to no behaviour at all")
        return self

    @cached_property
    def coded(self) -> frozenset[str]:
        """The behaviours this corpus codes; of others it says nothing."""
        return frozenset(move for moves in self._known.values() for move in moves)

    def read(self, labels: Mapping[str, Any]) -> frozenset[str] | None:
        """The behaviours of a turn; None where it has no code, or none that the map knows."""
        found: set[str] = set()
        coded = False
        for name in [self.label] if isinstance(self.label, str) else self.label:
            value = labels.get(name)
            for code in value if isinstance(value, list) else [value]:
                moves = None if code is None else self._known.get(str(code).strip().lower())
                if moves is not None:
                    coded = True
                    found.update(moves)
        return frozenset(found) if coded else None

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        return {
            code.strip().lower(): [moves] if isinstance(moves, str) else list(moves) for code, moves in self.map.items()
        }


class Evidence(_Strict):
    """One way in which a corpus says how good a reply is; exactly one of ``label``, ``extra`` and ``value``.

    :param kind: ``votes``, ``rank``, ``levels``, ``code``, ``outcome``, ``critique`` or ``expert``.
    :param label: turn label with the number or word; of several labels the numbers are added, and all must be there.
    :param extra: field of the document's ``extra`` instead.
    :param value: a merit from 0 to 1 that holds for every reply of the source.
    :param higher: whether more is better.
    :param scale: lowest and highest number there can be; they become merit 0 and 1,
        and a number outside is no evidence.
    :param good, bad, middle: words or numbers that count 1, 0 and .5; any other is no evidence.
    :param margin: by how much, in the label's own units, one of two replies must differ to be the better; less is a tie.
    """

    kind: EvidenceKind
    label: str | list[str] | None = None
    extra: str | None = None
    value: float | None = Field(default=None, ge=0, le=1)
    higher: bool = True
    scale: tuple[float, float] | None = None
    good: list[bool | str | float] = []
    bad: list[bool | str | float] = []
    middle: list[bool | str | float] = []
    margin: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> Evidence:
        given = [name for name in ("label", "extra", "value") if getattr(self, name) is not None]
        if len(given) != 1 or self.label == []:
            raise ValueError(f"give exactly one of label, extra and value (found: {', '.join(given) or 'none'})")
        words = [_word(word) for word in (*self.good, *self.bad, *self.middle)]
        if len(set(words)) < len(words):
            raise ValueError("a word stands in two of good, bad and middle, or twice in one")
        if self.value is not None and (words or self.scale or not self.higher):
            raise ValueError("value is the merit itself; scale, higher, good, bad and middle go with label or extra")
        if words and (self.scale or not self.higher):
            raise ValueError("give either good, bad and middle (words) or scale and higher (a number)")
        if words and isinstance(self.label, list) and len(self.label) > 1:
            raise ValueError("good, bad and middle read a single label; several labels are added as numbers")
        if self.scale and not self.scale[0] < self.scale[1]:
            raise ValueError("scale is [lowest, highest], such as [0, 6]")
        if self.kind in _RELATIVE and (words or self.scale or self.value is not None):
            raise ValueError(f"{self.kind} only compare replies to one prompt: they have a label or extra and no scale")
        if self.kind not in _RELATIVE and self.value is None and not words and not self.scale:
            raise ValueError(f"say what the {self.kind} mean: scale: [lowest, highest], or good: [...] and bad: [...]")
        return self

    def read(self, labels: Mapping[str, Any], extra: Mapping[str, Any]) -> tuple[float, float | None] | None:
        """What the labels of a reply say.

        :param labels: of the turn.
        :param extra: of its document.
        :return: the number in the label's own units (1, .5 or 0 for a word) and its merit, which is None for votes and ranks;
            or None where there is no evidence.
        """
        if self.value is not None:
            return self.value, self.value
        if self.extra is not None:
            values = [extra.get(self.extra)]
        else:
            values = [labels.get(name) for name in ([self.label] if isinstance(self.label, str) else self.label or [])]
        if self.good or self.bad or self.middle:
            word = _word(values[0])
            for merit, words in ((1.0, self.good), (0.0, self.bad), (0.5, self.middle)):
                if word is not None and word in map(_word, words):
                    return merit, merit
            return None
        numbers = [_number(value) for value in values]
        if any(number is None for number in numbers):
            return None
        total = sum(number for number in numbers if number is not None)
        if self.scale is None:
            return total, None
        low, high = self.scale
        if not low <= total <= high:
            return None
        merit = (total - low) / (high - low)
        return total, merit if self.higher else 1.0 - merit

    def better(self, one: float, other: float) -> bool:
        """Whether a reply with the number ``one`` beats a reply with ``other`` by the margin."""
        # The grain of floating point must not turn a difference of exactly the margin into a tie.
        return (one - other if self.higher else other - one) >= self.margin - 1e-9


class Skill(_Strict):
    """What a corpus's conversations can teach of helping, and what its labels say of how good the help is.

    :param answers: ``conversation``, or ``alternatives`` where neighbouring assistant turns each answer the same context.
    :param roles: role of a turn -> user, assistant, system, drop or refuse; over :data:`ROLES`.
    :param system: system prompt of every example, where the exchange would make no sense without one.
    :param situation: fields of ``extra`` that name what troubles the person; the first that has a value.
    :param behaviours: moves that the corpus codes.
    :param evidence: what its labels say of quality; the first that has a value counts.
    """

    answers: Literal["conversation", "alternatives"] = "conversation"
    roles: dict[str, Part] = {}
    system: str | None = Field(default=None, min_length=1)
    situation: list[str] = []
    behaviours: Moves | None = None
    evidence: list[Evidence] = []

    @field_validator("situation", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _helps(self) -> Skill:
        if "assistant" not in {**ROLES, **self.roles}.values():
            raise ValueError("roles leave nobody who helps: some role must be assistant")
        return self

    def role(self, role: str) -> Part:
        """What a turn of this role is; a role that nobody named refuses the conversation."""
        return self.roles.get(role) or ROLES.get(role, "refuse")

    def situated(self, extra: Mapping[str, Any]) -> str | None:
        """What troubles the person, in the corpus's own words: the first situation field with a value."""
        for name in self.situation:
            value = extra.get(name)
            said = [str(item).strip() for item in (value if isinstance(value, list) else [value]) if item is not None]
            if any(said):
                return ", ".join(part for part in said if part)
        return None

    def judged(
        self, labels: Mapping[str, Any], extra: Mapping[str, Any]
    ) -> tuple[Evidence, float, float | None] | None:
        """The first evidence that has a value, with its number and merit."""
        for evidence in self.evidence:
            if (found := evidence.read(labels, extra)) is not None:
                return evidence, *found
        return None


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool | list | dict):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _word(value: Any) -> str | float | None:
    """A word without case, a number as a number: ``"4"``, 4 and 4.0 are one."""
    if isinstance(value, bool):
        return str(value).lower()
    number = _number(value)
    if number is not None:
        return number
    return value.strip().lower() if isinstance(value, str) and value.strip() else None
