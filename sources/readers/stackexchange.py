"""Stack Exchange ``Posts.xml``: a question with its answers as one record, votes and acceptance on the turns.

Rows are parsed one by one, so a broken row costs a row and not the file, and no row can refer to an entity. Answers are joined
to their question out of core: in a real dump they may be years and gigabytes away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lxml import etree
from pydantic import Field

from sources.document import Bad, Record, Turn
from sources.files import Broken, open_binary
from sources.readers._threads import Post, ThreadJoin, piles_for
from sources.readers._xml import parse_html, parse_xml, squeeze, to_text
from sources.readers.base import FileRef, Reader, Split, StreamOptions

_LINE = 8 << 20
_ID = re.compile("[0-9]{1,18}")
_TAGS = re.compile(r"<([^<>]+)>|\|?([^|<>]+)\|")


class StackExchangeOptions(StreamOptions):
    """Options of the stackexchange reader.

    :param min_score: questions and answers with fewer votes are left out; None keeps all.
    :param max_answers: the best-voted answers are kept, in the order accepted, votes, time.
    :param tags: take only questions with one of these tags; None takes all.
    :param unanswered: keep questions that nobody answered, as prose.
    :param pile_bytes: text held in memory at once while answers are joined to questions.
    """

    min_score: int | None = None
    max_answers: int = Field(20, ge=1)
    tags: frozenset[str] | None = None
    unanswered: bool = True
    pile_bytes: int = Field(64 << 20, gt=0)


class StackExchangeReader(Reader):
    """Reads the ``Posts.xml`` of a data dump (unpacked from its ``.7z``; ``.gz`` and ``.zst`` are read as they are)."""

    name = "stackexchange"
    Options = StackExchangeOptions
    options: StackExchangeOptions

    def splits(self, files: Any, target_bytes: int) -> list[Split]:
        """One site is one split: its answers lie anywhere in its file."""
        return [Split((file,)) for file in files]

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            with ThreadJoin(piles_for([file], self.options.pile_bytes)) as join:
                for item in self._posts(file):
                    if isinstance(item, Bad):
                        yield item
                    else:
                        join.add(item)
                for thread, fields in join.threads():
                    if (record := self._record(file, thread, fields)) is not None:
                        yield record

    def _posts(self, file: FileRef) -> Iterator[Post | Bad]:
        """Questions and answers of a file, and what cannot be read."""
        found = False
        for origin, row in self._rows(file):
            found = True
            if isinstance(row, Bad):
                yield row
                continue
            kind, native = row.get("PostTypeId"), row.get("Id") or ""
            parent = native if kind == "1" else row.get("ParentId") if kind == "2" else None
            if kind in ("1", "2") and not (_ID.fullmatch(native) and _ID.fullmatch(parent or "") and row.get("Body")):
                yield Bad(origin, "missing_field", "Id, ParentId or Body")
            elif parent:
                fields = {key: row.get(name) for key, name in _FIELDS.items() if row.get(name)}
                created = _date(row.get("CreationDate"))
                yield Post(parent, int(kind == "2"), created.timestamp() if created else 0.0, native, fields)
        if not found:
            yield Bad(file.name, "empty", "no <row> elements")

    def _rows(self, file: FileRef) -> Iterator[tuple[str, etree._Element | Bad]]:
        held, start, number = b"", 0, 0

        def bad(line: int, reason: str, detail: str = "") -> tuple[str, Bad]:
            origin = f"{file.name}#line={line}"
            return origin, Bad(origin, reason, detail)

        try:
            with open_binary(file, self.options.max_ratio) as stream:
                while line := stream.readline(_LINE):
                    number += 1
                    line = line.strip()
                    if line.startswith(b"<row"):
                        if held:
                            yield bad(start, "invalid_xml", "row without an end")
                        held, start = line, number
                    elif held:
                        held += b"\n" + line
                    else:
                        continue
                    if held.endswith(b"/>"):
                        try:
                            yield f"{file.name}#line={start}", parse_xml(held)
                        except (etree.XMLSyntaxError, ValueError):
                            yield bad(start, "invalid_xml")
                        held = b""
                    elif len(held) > _LINE:
                        yield bad(start, "too_large")
                        held = b""
        except Broken as error:
            yield bad(number + 1, error.reason, error.detail)
            return
        if held:
            yield bad(start, "truncated", "row without an end")

    def _record(self, file: FileRef, thread: str, posts: list[dict[str, Any]]) -> Record | None:
        question = posts[0] if posts[0]["type"] == "1" else None
        answers = [post for post in posts if post["type"] == "2" and self._wanted(post)]
        tags = [a or b for a, b in _TAGS.findall((question or {}).get("tags", ""))]
        # An answer whose question is not in the dump has lost what it answers.
        if question is None or not self._wanted(question):
            return None
        if self.options.tags is not None and not self.options.tags.intersection(tags):
            return None
        if not answers and not self.options.unanswered:
            return None
        accepted = question.get("accepted")
        answers.sort(key=lambda a: (a["id"] != accepted, -_int(a.get("score")), a.get("created", ""), int(a["id"])))
        title = squeeze(question.get("title", ""))
        asked = f"{title}\n\n{body_text(question['body'])}".strip()
        extra: dict[str, Any] = {
            "title": title,
            "tags": tags,
            "score": _int(question.get("score")),
            "views": _int(question.get("views")),
        }
        if question.get("license"):
            extra["license"] = question["license"]
        key, origin, created = f"{file.name}#{thread}", f"{file.name}#Id={thread}", _date(question.get("created"))
        if not answers:
            return Record(key, origin, asked, author=_author(question), created=created, extra=extra)
        turns = [Turn("seeker", asked, _author(question), {"votes": extra["score"]})]
        for answer in answers[: self.options.max_answers]:
            labels: dict[str, Any] = {"votes": _int(answer.get("score"))} | (
                {"accepted": True} if answer["id"] == accepted else {}
            )
            if text := body_text(answer["body"]):
                turns.append(Turn("supporter", text, _author(answer), labels))
        return Record(key, origin, author=_author(question), created=created, turns=turns, extra=extra)

    def _wanted(self, post: dict[str, Any]) -> bool:
        return self.options.min_score is None or _int(post.get("score")) >= self.options.min_score


_FIELDS = {
    "id": "Id",
    "type": "PostTypeId",
    "title": "Title",
    "body": "Body",
    "score": "Score",
    "views": "ViewCount",
    "tags": "Tags",
    "accepted": "AcceptedAnswerId",
    "created": "CreationDate",
    "user": "OwnerUserId",
    "name": "OwnerDisplayName",
    "license": "ContentLicense",
}


def body_text(body: str) -> str:
    """Readable text of a post's HTML."""
    root = parse_html(body)
    return to_text(root) if root is not None else ""


def _author(post: dict[str, Any]) -> str | None:
    """A handle that is the same for all posts of a user of the site."""
    return f"user:{post['user']}" if post.get("user") else post.get("name")


def _int(value: str | None) -> int:
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _date(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None
    except ValueError:
        return None
