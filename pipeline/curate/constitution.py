"""A constitution: the principles a set should teach, where each comes from, and how to see that an example exercises it.

A community can write its own: a YAML file of principles, each with its sources and an SQL condition over the columns of a
candidate. A principle no column can see says ``when: false``; it is kept for people who review by it, and tags nothing.
What can be checked without a corpus is checked on loading; an error names the line, the field and the fix.
"""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from pipeline.conditions import check_condition
from pipeline.recipe import Located, read_yaml, validated
from sources.errors import UserError

#: Where the shipped ones lie.
CONSTITUTIONS = Path(__file__).resolve().parents[2] / "recipes" / "constitutions"

#: A line of words; an empty one says nothing and is a mistake.
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """What a principle rests on.

    :param title: of the work, the study, or the meeting that agreed on it.
    :param by: authors, organisation or circle.
    :param year: when; negative before the common era. Left out for what is handed down.
    :param url: where to read it.
    :param license: SPDX id or words, where known.
    :param note: which part, and how strong it is: shares of agreement, for example.
    """

    title: Words
    by: Words
    year: int | None = Field(default=None, ge=-3000, le=2100)
    url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    license: Words | None = None
    note: str = ""


class Principle(_Strict):
    """One thing a set should teach.

    :param id: the tag examples carry.
    :param text: the principle, in words for people.
    :param sources: what it rests on, at least one.
    :param axis: free word to group principles by, for example ``autonomy``.
    :param when: SQL condition (DuckDB) over the columns of a candidate: when an example exercises the principle; false if no
        column can tell.
    :param unless: condition under which it does not, whatever ``when`` says.
    :param about: what ``when`` can and cannot see.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)
    text: Words
    sources: list[Source] = Field(min_length=1)
    axis: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    when: str | Literal[False]
    unless: Words | None = None
    about: Words

    @field_validator("when", mode="before")
    @classmethod
    def _when(cls, value: Any) -> Any:
        if value is not False and not (isinstance(value, str) and value.strip()):
            raise ValueError("give an SQL condition, or false if no column can tell")
        return value

    @property
    def visible(self) -> bool:
        """Whether columns can tell; if not, only people can say where it is exercised."""
        return self.when is not False

    @property
    def sql(self) -> str:
        """True where an example exercises the principle, else false: a condition that is null does not hold."""
        if not self.visible:
            return "false"
        holds = f"coalesce(CAST(({self.when}\n) AS BOOLEAN), false)"
        return f"{holds} AND NOT coalesce(CAST(({self.unless}\n) AS BOOLEAN), false)" if self.unless else holds


class Constitution(Located):
    """Principles a community stands by.

    :param name: short name; manifests carry it.
    :param version: of the text, in the community's own counting.
    :param description: whose it is and what it is for.
    :param by: who wrote it.
    :param license: of this file.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: Annotated[Words, Field(coerce_numbers_to_str=True)]
    description: Words
    by: Words
    license: Words
    principles: list[Principle] = Field(min_length=1)
    _sha256: str = ""

    @property
    def sha256(self) -> str:
        """Of the file it was read from."""
        return self._sha256

    def sql(self) -> str:
        """An expression over a candidate's columns: VARCHAR[] of the ids of the principles it exercises, in file order."""
        tags = ", ".join(f"CASE WHEN {p.sql} THEN '{p.id}' END" for p in self.principles if p.visible)
        return f"CAST(list_filter([{tags}], lambda tag: tag IS NOT NULL) AS VARCHAR[])"


def find_constitution(name_or_path: str, base: Path) -> Path:
    """Where a constitution lies: the name of a shipped one, or a path relative to ``base``.

    :param base: folder of the recipe that names it.
    :raises UserError: there is none.
    """
    shipped = {path.stem: path for path in sorted(CONSTITUTIONS.glob("*.yaml"))}
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = base / name_or_path
    if path.is_file():
        return path
    close = difflib.get_close_matches(name_or_path, shipped, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(
        f"there is no constitution {name_or_path!r}",
        where=path,
        fix=f"{hint}name one of {', '.join(shipped)}, or a YAML file relative to the recipe",
    )


def load_constitution(path: Path, columns: dict[str, str]) -> Constitution:
    """Read a constitution and check it, each condition bound to the columns of a candidate.

    :param columns: name -> SQL type of what a condition can name.
    :raises UserError: anything wrong, with line, field and fix.
    """
    raw, lines = read_yaml(path, "constitution", "recipes/constitutions/README.md")
    constitution = validated(Constitution, raw, path, lines, (Constitution, Principle, Source))
    constitution._sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    seen: dict[str, int] = {}
    for i, principle in enumerate(constitution.principles):
        if principle.id in seen:
            raise UserError(
                f"two principles have the id {principle.id!r}",
                where=constitution.place("principles", i, "id"),
                fix=f"give one of them another; the first is at {constitution.place('principles', seen[principle.id], 'id')}",
            )
        seen[principle.id] = i
        for field in ("when", "unless"):
            if condition := getattr(principle, field):
                where = f"{constitution.place('principles', i, field)} ({principle.id})"
                check_condition(condition, where, columns)
    return constitution
