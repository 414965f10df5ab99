"""Decisions: what people settled about examples, one JSON line each, without a word of the texts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from pipeline.whole import write_whole
from sources.errors import UserError

#: What is judged: one reply, which of two is the better, or one reply that counts as good or bad.
Kind = Literal["single", "pair", "unpaired"]

#: What can come of a review, by kind.
OUTCOMES: dict[Kind, tuple[str, ...]] = {
    "single": ("keep", "drop"),
    "pair": ("confirm", "swap", "tie", "drop"),
    "unpaired": ("good", "bad", "drop"),
}

#: Reviewed, and without effect: the reviewers do not know, or disagree.
UNSURE = "unsure"

#: The same preference, seen after the two replies changed places.
_TURNED = {"confirm": "swap", "swap": "confirm"}

#: Of a reviewer's name.
NAME_LENGTH = 80

_Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)]


def text_sha256(messages: Iterable[Mapping[str, Any]]) -> str:
    """What a decision is about: SHA-256 over role and content of all messages, in order.

    :param messages: of a conversation; for a prompt and its completion both; for a pair prompt, chosen and rejected.
    :returns: 64 hex digits. Escaped JSON is hashed, so that no content can pass for a boundary between messages.
    """
    parts = [[message["role"], message["content"] or ""] for message in messages]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()


def majority(votes: Iterable[str]) -> str:
    """The outcome that more than half of all votes are for, those who are unsure counted in; else unsure."""
    counted = Counter(votes)
    if not counted:
        return UNSURE
    outcome, n = counted.most_common(1)[0]
    return outcome if 2 * n > counted.total() else UNSURE


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Answers(_Strict):
    """What a reviewer said beside the decision; None is not answered.

    :param support: 0-3, as in :data:`classifiers.taxonomy.SUPPORT`.
    :param behaviours: what the reply does, names of :data:`classifiers.taxonomy.BEHAVIOURS`.
    :param principles: ids of the principles it exercises.
    """

    support: int | None = Field(default=None, ge=0, le=3)
    behaviours: list[str] | None = None
    principles: list[str] | None = None

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return self != Answers()


class Decision(_Strict):
    """One line of a decisions file.

    :param id: of the example.
    :param text: :func:`text_sha256` of what was reviewed; of a pair prompt, chosen and rejected as they stood.
    :param swapped: of a pair: the same with chosen and rejected exchanged, so that the decision is known again after a swap.
    :param decision: what the votes come to (:func:`majority`); of a pair, about the order of ``text``.
    :param reviewers: who voted, sorted.
    :param votes: reviewer -> outcome, or unsure.
    :param answers: reviewer -> what else they said.
    :param note: reviewer -> their remark.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    kind: Kind
    decision: str
    text: _Sha
    swapped: _Sha | None = None
    reviewers: list[_Name]
    votes: dict[_Name, str] = Field(min_length=1)
    answers: dict[_Name, Answers] = {}
    note: dict[_Name, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Decision:
        known = (*OUTCOMES[self.kind], UNSURE)
        for word in (self.decision, *self.votes.values()):
            if word not in known:
                raise ValueError(f"{word!r} decides nothing about a {self.kind}; use one of {', '.join(known)}")
        if self.swapped is not None and self.kind != "pair":
            raise ValueError("only a pair has `swapped`")
        if self.decision != majority(self.votes.values()):
            raise ValueError(
                f"the decision is {self.decision!r}, but the votes come to {majority(self.votes.values())!r}"
            )
        if self.reviewers != sorted(self.votes):
            raise ValueError("`reviewers` are not those who voted, sorted by name")
        if stray := (self.answers.keys() | self.note.keys()) - self.votes.keys():
            raise ValueError(f"{', '.join(sorted(stray))} did not vote")
        return self

    def about(self, text: str) -> str | None:
        """What it decides about a text: of a pair that was turned round since, confirm and swap are exchanged.

        :returns: None if it is about another text.
        """
        if text == self.text:
            return self.decision
        if text == self.swapped:
            return _TURNED.get(self.decision, self.decision)
        return None

    def line(self) -> str:
        """The line of a decisions file, without its end."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)


@dataclass(frozen=True)
class Verdict:
    """What people decided about an example as it stands.

    :param decision: an outcome of its kind (:data:`OUTCOMES`), or ``stale``: decided about a text that has changed since.
    """

    decision: str
    reviewers: tuple[str, ...]


@dataclass
class Decisions:
    """Decisions of one or more files, by kind and id.

    :param files: name, sha256 and number of decisions of each file.
    """

    files: list[dict[str, Any]] = field(default_factory=list)
    _by_id: dict[tuple[str, str], list[Decision]] = field(default_factory=lambda: defaultdict(list))

    def find(self, kind: Kind, id: str, text: str) -> Verdict | None:
        """What was decided about an example.

        :param text: :func:`text_sha256` of it as it stands now.
        :returns: None if nobody reviewed it, or the reviewers are unsure.
        """
        decided = [one for one in self._by_id.get((kind, id), ()) if one.decision != UNSURE]
        for one in decided:
            if (outcome := one.about(text)) is not None:
                return Verdict(outcome, tuple(one.reviewers))
        return Verdict("stale", tuple(decided[0].reviewers)) if decided else None

    def reviewed(self, kind: Kind, id: str, text: str) -> bool:
        """Whether somebody reviewed the example as it stands, whatever came of it."""
        return any(one.about(text) is not None for one in self._by_id.get((kind, id), ()))

    def ids(self, kind: Kind | None = None) -> set[str]:
        """Ids somebody reviewed: only for these need a text be hashed."""
        return {id for found, id in self._by_id if kind in (None, found)}

    def facts(self) -> dict[str, Any]:
        """For a manifest: which files, and how many decisions of each kind and outcome. No names."""
        every = [one for found in self._by_id.values() for one in found]
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for one in every:
            counts[one.kind][one.decision] += 1
        return {
            "files": self.files,
            "decisions": {kind: dict(sorted(counts[kind].items())) for kind in sorted(counts)},
            "reviewers": len({name for one in every for name in one.reviewers}),
        }

    def __len__(self) -> int:
        return sum(map(len, self._by_id.values()))

    def __iter__(self) -> Iterator[Decision]:
        return (one for found in self._by_id.values() for one in found)


def load_decisions(paths: list[Path]) -> Decisions:
    """Read decisions files.

    :raises UserError: one cannot be read, a line is not a decision, or two lines decide differently about the same text.
    """
    decisions = Decisions()
    places: dict[int, str] = {}
    for path in paths:
        lines = read_file(path)
        content = path.read_bytes()
        decisions.files.append(
            {"name": path.name, "sha256": hashlib.sha256(content).hexdigest(), "decisions": len(lines)}
        )
        for number, one in lines:
            here = f"{path}:{number}"
            others = decisions._by_id[one.kind, one.id]
            for other in others:
                said = other.about(one.text)
                if said is None or UNSURE in (said, one.decision):
                    continue
                if said != one.decision:
                    raise UserError(
                        f"two decisions about {one.kind} {one.id} differ: {said} and {one.decision}",
                        where=f"{places[id(other)]} and {here}",
                        fix="settle it with the reviewers and delete one of the lines",
                    )
            others.append(one)
            places[id(one)] = here
    return decisions


def read_file(path: Path) -> list[tuple[int, Decision]]:
    """The lines of a decisions file with their numbers.

    :raises UserError: it cannot be read, or a line is not a decision.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(
            f"cannot read the decisions: {reason}", where=path, fix="name a file that `wellmix review` wrote"
        ) from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append((number, Decision.model_validate_json(line)))
        except ValidationError as error:
            problem = error.errors()[0]
            at = ".".join(map(str, problem["loc"]))
            what = problem["msg"].removeprefix("Value error, ")
            raise UserError(
                f"not a decision: {at + ': ' if at else ''}{what}",
                where=f"{path}:{number}",
                fix="mend or delete the line, or import the reviews again",
            ) from None
    return found


def write_file(path: Path, decisions: Iterable[Decision]) -> bool:
    """Write a decisions file, in order of kind and id, whole or not at all.

    :returns: whether anything changed; a file that says the same already is not touched.
    """
    ordered = sorted(decisions, key=lambda one: (one.kind, one.id, one.text))
    content = "".join(one.line() + "\n" for one in ordered).encode("utf-8")
    if (path.read_bytes() if path.exists() else b"") == content:
        return False
    write_whole(path, content)
    return True


@dataclass(frozen=True)
class Vote:
    """What one reviewer decided about one example.

    :param outcome: of the example's kind, or unsure; of a pair, about the order of ``text``.
    :param where: file and line it was read from.
    """

    kind: Kind
    id: str
    text: str
    swapped: str | None
    reviewer: str
    outcome: str
    answers: Answers
    note: str
    where: str


@dataclass
class Merged:
    """What became of votes.

    :param decisions: old and new.
    :param touched: decisions the votes are about, by kind and id.
    :param refused: votes that contradict what the same reviewer said before, with that vote.
    :param new: votes that were added or changed something.
    :param replaced: decisions about an earlier text that made way.
    """

    decisions: dict[tuple[str, str], Decision]
    touched: set[tuple[str, str]] = field(default_factory=set)
    refused: list[tuple[Vote, str]] = field(default_factory=list)
    new: int = 0
    replaced: int = 0


def merge(old: Iterable[Decision], votes: Iterable[Vote], *, replace: bool) -> Merged:
    """Add votes to decisions. What was said about a text that has changed since makes way for what is said now.

    :param replace: a reviewer's later vote replaces an earlier one that differs; else it is refused.
    """
    merged = Merged({(one.kind, one.id): one for one in old})
    for vote in votes:
        at = (vote.kind, vote.id)
        one = merged.decisions.get(at)
        if one is not None and one.about(vote.text) is None:
            merged.replaced += 1
            one = None
        turned = one is not None and vote.text != one.text
        outcome = _TURNED.get(vote.outcome, vote.outcome) if turned else vote.outcome
        said = one.votes.get(vote.reviewer) if one is not None else None
        if said not in (None, outcome) and not replace:
            merged.refused.append((vote, _TURNED.get(said, said) if turned else said))
            continue
        votes_now = (one.votes if one else {}) | {vote.reviewer: outcome}
        after = Decision(
            id=vote.id,
            kind=vote.kind,
            decision=majority(votes_now.values()),
            text=one.text if one else vote.text,
            swapped=one.swapped if one else vote.swapped,
            reviewers=sorted(votes_now),
            votes=dict(sorted(votes_now.items())),
            answers=_with(one.answers if one else {}, vote.reviewer, vote.answers if vote.answers.given else None),
            note=_with(one.note if one else {}, vote.reviewer, vote.note or None),
        )
        merged.new += after != merged.decisions.get(at)
        merged.decisions[at] = after
        merged.touched.add(at)
    return merged


def _with(said: dict[str, Any], reviewer: str, value: Any) -> dict[str, Any]:
    """What reviewers said, with one reviewer's part put in or, if None, left out; sorted by name."""
    others = {name: part for name, part in said.items() if name != reviewer}
    return dict(sorted((others if value is None else others | {reviewer: value}).items()))
