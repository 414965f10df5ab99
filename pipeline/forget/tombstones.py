"""Tombstones: what is forgotten, in a file of JSON lines that a team keeps beside its cards and commits.

A line holds hashes, a date and a reason, never a text or a handle. It is known by its id, a hash of what it matches: the file is a set, so
order and repeats do not matter, and two branches merge by keeping the lines of both. Hashes of people and texts are keyed
(:mod:`pipeline.authors`): who has the file alone can check no guess against it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.authors import Keyring
from pipeline.store import lock, make_key
from pipeline.whole import write_whole
from sources.card import CARDS_DIR
from sources.errors import UserError

VARIABLE = "WELLMIX_TOMBSTONES"

_Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class _Tombstone(BaseModel):
    """What all kinds have.

    :param id: 16 hex digits, a hash of what is matched; date and reason may be mended.
    :param date: ISO date of the request.
    :param of: id of the tombstone that this one was recorded with: what a person's texts look like, or which documents they were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: _Hex16
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    reason: str
    of: _Hex16 | None = None

    def matched(self) -> dict[str, object]:
        """The fields that say what is matched."""
        return self.model_dump(mode="json", exclude={"id", "date", "reason", "of"}, exclude_none=True)

    @property
    def key_ids(self) -> frozenset[str]:
        """Ids of the author keys this one can be read with, any of them; empty where it needs none."""
        return frozenset()


class AuthorTombstone(_Tombstone):
    """All documents that a person wrote or spoke in.

    :param source: only those of this source.
    :param hashes: author key's id -> hash of the person; with a source, of the author in it.
    """

    kind: Literal["author"] = "author"
    source: str | None = None
    hashes: Annotated[dict[_Hex16, _Hex32], Field(min_length=1)]

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self.hashes)


class IdTombstone(_Tombstone):
    """Documents by id, with all other pieces of their raw records."""

    kind: Literal["id"] = "id"
    ids: Annotated[list[_Hex32], Field(min_length=1)]


class SourceTombstone(_Tombstone):
    """A whole source."""

    kind: Literal["source"] = "source"
    source: str


class TextTombstone(_Tombstone):
    """A text and its copies.

    :param key: id of the author key its hashes are made with.
    :param words: of the text.
    :param shingles: distinct runs of five words, of which ``sketch`` holds the least; 0 where only the whole text is matched.
    :param sketch: see :class:`pipeline.forget.texts.Sketch`; base64.
    """

    kind: Literal["text"] = "text"
    key: _Hex16
    words: int
    shingles: int
    sketch: str

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset((self.key,))


Tombstone = Annotated[Union[AuthorTombstone, IdTombstone, SourceTombstone, TextTombstone], Field(discriminator="kind")]  # noqa: UP007
_ADAPTER: TypeAdapter[Tombstone] = TypeAdapter(Tombstone)
_KINDS = {"author": AuthorTombstone, "id": IdTombstone, "source": SourceTombstone, "text": TextTombstone}


def tombstone(
    kind: Literal["author", "id", "source", "text"], date: str, reason: str, of: str | None = None, **matched
):
    """A new tombstone; its id follows from ``kind`` and ``matched``."""
    made = _KINDS[kind](id="0" * 16, date=date, reason=reason, of=of, **matched)
    return made.model_copy(update={"id": _id(made)})


def _id(one: _Tombstone) -> str:
    return make_key("tombstone", 1, **one.matched())[:16]


def tombstones_file() -> Path:
    """The file: ``WELLMIX_TOMBSTONES``, or ``tombstones.jsonl`` beside the cards."""
    return Path(os.environ.get(VARIABLE) or CARDS_DIR.parent / "tombstones.jsonl")


def load_tombstones(path: Path | None = None) -> dict[str, Tombstone]:
    """Tombstones by id, in order of id; none where there is no file.

    :raises UserError: the file cannot be read, or a line is damaged. Nothing is made while it is not known what must stay out.
    """
    path = path or tombstones_file()
    try:
        stat = path.stat()
    except FileNotFoundError:
        _check_folder(path)
        return {}
    except OSError as error:
        raise UserError(
            f"cannot read the tombstones: {error.strerror}", where=path, fix="check its permissions"
        ) from None
    return dict(_load(path.absolute(), stat.st_size, stat.st_mtime_ns))


def _check_folder(path: Path) -> None:
    if os.environ.get(VARIABLE) and not path.parent.is_dir():
        raise UserError("no such folder of tombstones", where=path.parent, fix=f"make it, or mend {VARIABLE}") from None


@lru_cache(maxsize=4)
def _load(path: Path, size: int, modified: int) -> dict[str, Tombstone]:
    found: dict[str, Tombstone] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(
            f"cannot read the tombstones: {error.strerror}", where=path, fix="check its permissions"
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        one = _parse(line, f"{path}:{number}")
        # The same request twice: the earlier date stands, whichever line comes first.
        if one.id not in found or _rank(one) < _rank(found[one.id]):
            found[one.id] = one
    return dict(sorted(found.items()))


def _rank(one: Tombstone) -> tuple[str, str, str]:
    return one.date, one.reason, one.of or ""


def _parse(line: bytes, where: str) -> Tombstone:
    if line.startswith((b"<<<<<<<", b"=======", b">>>>>>>")):
        raise UserError(
            "a merge left its marks", where=where, fix="keep the lines of both sides, and take the marks out"
        )
    fix = "restore the line from version control; a line that is lost lets in what it kept out"
    try:
        one = _ADAPTER.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise UserError(
            f"a damaged tombstone: {place + ': ' if place else ''}{problem['msg']}", where=where, fix=fix
        ) from None
    if one.id != _id(one):
        raise UserError("a damaged tombstone: its id is not that of what it matches", where=where, fix=fix)
    return one


def dump(tombstones: Iterable[Tombstone]) -> bytes:
    """Tombstones as JSON lines."""
    rows = (one.model_dump(mode="json", exclude_none=True) for one in tombstones)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def add_tombstones(new: Iterable[Tombstone], path: Path | None = None) -> list[Tombstone]:
    """Add lines to the file, whole or not at all.

    :returns: those that were not there yet.
    :raises UserError: the file is damaged or cannot be written.
    """
    path, wanted = path or tombstones_file(), list(new)
    known = load_tombstones(path)
    if all(one.id in known for one in wanted):
        return []
    with _alone(path):
        known = load_tombstones(path)
        added = list({one.id: one for one in wanted if one.id not in known}.values())
        if added:
            before = path.read_bytes() if path.exists() else b""
            between = b"\n" if before and not before.endswith(b"\n") else b""
            write_whole(path, before + between + dump(added), f"name another file in {VARIABLE}")
    return added


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other commands from adding lines: of two that read the same file, the later would take out what the earlier added."""
    held = path.with_name(f".{path.name}.lock")
    _check_folder(path)
    try:
        release = lock(held, "another command is adding tombstones", path, "run the command again")
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=path, fix=f"name another file in {VARIABLE}") from None
    try:
        yield
    finally:
        held.unlink(missing_ok=True)
        release()


def check_keys(tombstones: Iterable[Tombstone], ring: Keyring) -> None:
    """Whether every tombstone can be read.

    :raises UserError: some need an author key that is not in the ring: whom they are about would come in again, unseen.
    """
    lost: dict[str, int] = {}
    for one in tombstones:
        if one.key_ids and not any(key in ring for key in one.key_ids):
            name = " or ".join(sorted(one.key_ids))
            lost[name] = lost.get(name, 0) + 1
    if lost:
        told = "; ".join(f"{n:,} made with {key}" for key, n in sorted(lost.items()))
        raise UserError(
            f"tombstones need an author key that is not in the keyring: {told}",
            where=tombstones_file(),
            fix="get the key from the machine they were made on, or from a backup (`wellmix author-key` says where keys live);"
            " if it is lost, ask for those requests again, record them anew, and take these lines out",
        )


def forgotten_source(name: str) -> SourceTombstone | None:
    """The tombstone of a source, if it is forgotten."""
    for one in load_tombstones().values():
        if isinstance(one, SourceTombstone) and one.source == name:
            return one
    return None
