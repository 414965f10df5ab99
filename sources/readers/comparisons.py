"""Worked examples in Markdown: a conversation in a fenced block and answers to it, each with a verdict and a remark.

Specifications of how an assistant should behave are written so: messages as ``<user> ... </user>``, then
``<comparison>`` with one ``<assistant> <!-- GOOD: why -->`` after the other. What the page says around them is not read.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from sources.document import Bad, Record, Turn
from sources.readers.base import Encoding, FileRef, Reader, Split, StreamOptions
from sources.readers.streams import Broken, text_lines

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([\w.+-]*)")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*(?:\{([^{}]*)\}\s*)?$")
_CAPTION = re.compile(r"\*\*Example\*\*\s*:?\s*(.+)", re.IGNORECASE)
_TAG = re.compile(r"^[ \t]*<(/?)(\w+)([^<>]*)>[ \t]*(?:<!--\s*(.*?)\s*-->)?[ \t]*$", re.MULTILINE | re.DOTALL)
_VERDICT = re.compile(r"([A-Za-z]+)\s*(?:\[#?([^\]]*)\])?\s*(?:[:,;]\s*(.*))?", re.DOTALL)
#: Something that stands for text left out, ``[...]`` or ``[... and so on]``, or a whole line in brackets that says what happens.
_ELIDED = re.compile(r"\[\s*(?:\.\.\.|…)|(?:\.\.\.|…)\s*\]|^\s*\[[^\[\]]+\]\s*$", re.MULTILINE)


class ComparisonsOptions(StreamOptions):
    """Options of the ``comparisons`` reader.

    :param fence: language of the fenced blocks that hold examples.
    :param roles: tag of a message -> role of the turn. A message with any other tag, or to a tool, refuses its example.
    :param verdicts: word in the comment of an answer -> the label ``verdict``.
    :param encoding: of the files.
    :param max_block_bytes: longer blocks are refused (``too_large``).
    """

    fence: str = "xml"
    roles: dict[str, str] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
    verdicts: dict[str, str] = {"GOOD": "good", "OK": "ok", "BAD": "bad"}
    encoding: Encoding = "utf-8"
    max_block_bytes: int = Field(default=1 << 20, ge=1 << 10)


@dataclass(slots=True)
class _Section:
    """Where in the page a block stands, and what the line before it calls it."""

    title: str = ""
    id: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    caption: str = ""


class _Refused(Exception):  # noqa: N818 - it becomes a Bad
    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail


class ComparisonsReader(Reader):
    """One record a comparison: the turns before it, then its answers as neighbouring turns.

    Labels of an answer are ``verdict``, ``remark`` (what follows the verdict), ``section`` (another section it is judged by) and
    ``elided`` where brackets stand for text that is not there. Where a block goes on after a comparison, the next record
    has the first good answer in its context. A block that shows a tool call, or no comparison, goes to quarantine.

    The key is section and number of the block in it, so an example keeps its id when others are written elsewhere on the page.
    """

    name = "comparisons"
    Options = ComparisonsOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            counts: Counter[str] = Counter()
            try:
                for line, section, block in self._blocks(file):
                    counts[section.id] += 1
                    origin = f"{file.name}#line={line}"
                    if block is None:
                        yield Bad(origin, "too_large", f"a block of more than {self.options.max_block_bytes} bytes")
                    else:
                        yield from self._records(
                            f"{file.name}#{section.id}/{counts[section.id]}", origin, section, block
                        )
                    section.caption = ""
            except Broken as error:
                yield error.bad(file.name)

    def _blocks(self, file: FileRef) -> Iterator[tuple[int, _Section, str | None]]:
        """The fenced blocks with examples: number of the first line, the section, the text (None if it is too long)."""
        section = _Section()
        fence, wanted, start, size = "", False, 0, 0
        held: list[str] = []
        for number, line in enumerate(text_lines(file, self.options.encoding, self.options.max_ratio), 1):
            if fence:
                if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                    if wanted:
                        yield start, section, "".join(held) if size <= self.options.max_block_bytes else None
                    fence, held = "", []
                elif wanted:
                    size += len(line)
                    if size <= self.options.max_block_bytes:
                        held.append(line)
            elif opened := _FENCE.match(line):
                fence, wanted, start, size = opened[1], opened[2] == self.options.fence, number + 1, 0
            elif heading := _HEADING.match(line):
                section = _heading(heading[2], heading[3] or "")
            elif caption := _CAPTION.match(line.strip()):
                section.caption = caption[1].strip()
        if fence and wanted:
            raise Broken("truncated", f"the block of line {start} has no end")

    def _records(self, key: str, origin: str, section: _Section, block: str) -> Iterator[Record | Bad]:
        extra = {"section": section.title, "section_id": section.id} | section.attributes
        if section.caption:
            extra["example"] = section.caption
        number = 0
        try:
            for turns, cut in self._comparisons(block):
                number += 1
                more = "" if number == 1 else f".{number}"
                # Text left out between the messages makes the context, not an answer, incomplete.
                yield Record(key + more, origin + more, turns=turns, extra=extra | ({"elided": True} if cut else {}))
            if not number:
                raise _Refused("no_comparison", "messages, but no answers to compare")
        except _Refused as refused:
            yield Bad(origin, refused.reason, refused.detail)

    def _comparisons(self, block: str) -> Iterator[tuple[list[Turn], bool]]:
        """Context and answers of each comparison of a block; whether text stands left out between messages."""
        context: list[Turn] = []
        answers: list[Turn] | None = None
        cut = False
        for tag, attributes, comment, text in _messages(block):
            if tag == "":
                if not _ELIDED.fullmatch(text.strip()) and text.strip() not in ("...", "…"):
                    raise _Refused("stray_text", "text outside of the messages")
                cut = True
            elif tag == "comparison":
                answers = []
            elif tag == "/comparison":
                if not answers:
                    raise _Refused("no_comparison", "a comparison without answers")
                yield [*context, *answers], cut
                good = next((turn for turn in answers if turn.labels["verdict"] == "good"), None)
                context.append(good or answers[0])
                answers = None
            elif "recipient" in attributes or tag == "tool":
                raise _Refused("tool_call", "a message to or from a tool")
            elif tag not in self.options.roles:
                raise _Refused("unknown_role", "the tag of a message is not in roles")
            else:
                labels: dict[str, Any] = self._verdict(comment) if answers is not None else {}
                if _ELIDED.search(text):
                    labels["elided"] = True
                (context if answers is None else answers).append(Turn(self.options.roles[tag], text, None, labels))
        if answers is not None:
            raise _Refused("truncated", "a comparison has no end")

    def _verdict(self, comment: str) -> dict[str, Any]:
        found = _VERDICT.fullmatch(comment)
        verdict = found and self.options.verdicts.get(found[1].upper())
        if not found or verdict is None:
            raise _Refused("no_verdict", "an answer of a comparison has no verdict")
        labels = {"verdict": verdict, "remark": (found[3] or "").strip(), "section": found[2]}
        return {name: value for name, value in labels.items() if value}


def _heading(title: str, attributes: str) -> _Section:
    """A heading with ``{#its_id authority=root}`` behind it."""
    words = attributes.split()
    named = next((word[1:] for word in words if word.startswith("#")), "")
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    return _Section(title, named or re.sub(r"\W+", "-", title.lower()).strip("-"), pairs)


def _messages(block: str) -> Iterator[tuple[str, str, str, str]]:
    """Messages as tag, attributes, comment and text; ``comparison`` and ``/comparison`` as they come; other text with tag ``""``.

    A message ends at the closing tag of its own name, so tags inside it are part of its text.
    """
    place = 0
    while found := _TAG.search(block, place):
        if between := block[place : found.start()].strip():
            yield "", "", "", between
        closing, tag, attributes, comment = found[1], found[2], found[3].strip(), found[4] or ""
        place = found.end()
        if tag == "comparison" or closing:
            if closing and tag != "comparison":
                raise _Refused("invalid_markup", "a tag closes nothing")
            yield f"{closing}{tag}", attributes, comment, ""
            continue
        end = re.compile(rf"^[ \t]*</{tag}>[ \t]*$", re.MULTILINE).search(block, place)
        if end is None:
            raise _Refused("truncated", "a message has no end")
        yield tag, attributes, comment, html.unescape(block[place : end.start()]).strip()
        place = end.end()
    if rest := block[place:].strip():
        yield "", "", "", rest
