"""Plain text and reStructuredText files, one record a file. Code files are text too: negatives and documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import decode, slurp
from sources.readers._prose import paragraphs, unwrap
from sources.readers.base import Encoding, Options, Reader, Split

_UNDERLINE = re.compile(r"^([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"^(\s*)\.\. +(?:\|[^|]+\| +)?([\w:.-]+)::(?: +(.*))?$")
_COMMENT = re.compile(r"^(\s*)\.\.(?: |$)(?!.*::)")
_TARGET = re.compile(r"^\s*\.\. (?:_[^:]+:|__|\[[^\]]+\]).*$")
_FIELD = re.compile(r"^\s+:[\w -]+:(?: .*)?$")
_LIST = re.compile(r"(?:[-*+|]|\d+\.|#\.)\s|[=-]{3,}|\+-")
_ROLE = re.compile(r":[\w.+:-]+:`~?!?([^`<]+?)(?:\s*<[^`>]*>)?`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?")
_NAMED_LINK = re.compile(r"`([^`]+)`__?(?!\w)")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
_STRONG = re.compile(r"(?<![\w*])\*\*(?=\S)(.+?)(?<=\S)\*\*(?!\w)", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\w)")
#: Directives whose body is prose or code to be read; the body of others (toctree, autoclass options, images) is not text.
_PROSE = frozenset(
    {
        *(
            "note",
            "warning",
            "admonition",
            "tip",
            "hint",
            "important",
            "caution",
            "danger",
            "seealso",
            "topic",
            "epigraph",
            "rubric",
        ),
        *("versionchanged", "versionadded", "deprecated"),
    }
)
_CODE = frozenset({"code-block", "code", "sourcecode", "parsed-literal", "literalinclude", "prompt"})


class TextOptions(Options):
    """Options of the text reader.

    :param markup: ``plain`` as it is, ``wrapped`` plain text whose lines are joined into paragraphs, ``rst`` with directives,
        roles and underlines taken off.
    :param encoding: tried when the file is not UTF-8, before detection.
    :param min_chars: shorter files are not records.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    markup: Literal["plain", "wrapped", "rst"] = "plain"
    encoding: Encoding | None = None
    min_chars: int = Field(1, ge=0)
    max_bytes: int = Field(16 << 20, gt=0)


class TextReader(Reader):
    """Reads ``.txt``, ``.rst`` and source files."""

    name = "text"
    Options = TextOptions
    options: TextOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            data = slurp(file, self.options.max_bytes)
            if isinstance(data, Bad):
                yield data
                continue
            text = decode(data, self.options.encoding)
            if text is None:
                yield Bad(file.name, "not_text", "binary content")
                continue
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            # A card may mix documentation and code; markup is only in the former.
            if self.options.markup == "rst" and file.name.endswith((".rst", ".rst.gz")):
                text = strip_rst(text)
            elif self.options.markup == "wrapped":
                text = "\n\n".join(unwrap(lines) for lines in paragraphs(text))
            if len(text.strip()) >= self.options.min_chars:
                yield Record(file.name, file.name, text.strip("\n"))


def strip_rst(text: str) -> str:
    """Readable text of reStructuredText. Light on purpose: docutils knows none of the directives a Sphinx project defines."""
    kept: list[str] = []
    skip_below: int | None = None
    for line in text.expandtabs(8).split("\n"):
        indent = len(line) - len(line.lstrip())
        if skip_below is not None:
            if not line.strip() or indent > skip_below:
                continue
            skip_below = None
        if _UNDERLINE.match(line) or _TARGET.match(line):
            # A heading is a paragraph of its own.
            kept.append("")
        elif match := _DIRECTIVE.match(line):
            kind, argument = match[2].rsplit(":", 1)[-1], match[3] or ""
            if kind in _PROSE:
                if argument and kind not in ("versionchanged", "versionadded", "deprecated"):
                    kept.append(match[1] + argument)
            elif kind not in _CODE:
                skip_below = len(match[1])
        elif match := _COMMENT.match(line):
            skip_below = len(match[1])
        elif not _FIELD.match(line):
            kept.append(line)
    return "\n\n".join(_paragraph(lines) for lines in paragraphs("\n".join(kept)))


def _paragraph(lines: list[str]) -> str:
    """Prose unwrapped and without inline markup; indented lines are code and stay."""
    if lines[0].startswith("    "):
        return "\n".join(lines)
    # Lists, line blocks and tables keep their lines; in reStructuredText all other lines of a block are one paragraph.
    kept = any(line[:1].isspace() or _LIST.match(line) for line in lines)
    text = "\n".join(lines) if kept else " ".join(line.strip() for line in lines)
    text = _NAMED_LINK.sub(r"\1", _LINK.sub(r"\1", _ROLE.sub(r"\1", text)))
    text = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\1", _LITERAL.sub(r"\1", text)))
    return re.sub(r"\s*::$", ":", text)
