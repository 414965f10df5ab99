"""Markdown and Quarto: front matter into ``extra``, executable chunks, divs, shortcodes and citations off, one record a file.

CommonMark and tables are parsed by markdown-it-py; what Quarto and R Markdown add is taken off before. ``wrapped`` restores
paragraphs of text that was extracted from a PDF and saved as Markdown.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt
from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import decode, slurp
from sources.readers._prose import paragraphs
from sources.readers._xml import parse_html, squeeze, to_text, visible
from sources.readers.base import FileRef, Options, Reader, Split
from sources.yaml_text import NotYaml, load_yaml

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*(\{[^}]*\}|[\w.+-]*)")
_COMMENT = re.compile(r"<!--.*?-->|^[ \t]*-->[ \t]*$", re.DOTALL | re.MULTILINE)
_WIKILINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]+)\]\]")
_SHORTCODE = re.compile(r"\{\{[<%].*?[>%]\}\}", re.DOTALL)
_ATTRIBUTES = re.compile(r"(?<=[\])\w`\"*])[ \t]*\{[.#][^{}\n]*\}|(?<=[\])])\{[^{}\n]*\}")
_HEADING_ATTRIBUTES = re.compile(r"^(#{1,6} .*?)[ \t]*\{[^{}\n]*\}[ \t]*$", re.MULTILINE)
_CITATION = re.compile(r" ?\[[^\[\]\n]{0,200}?-?@[\w:.-]+[^\[\]\n]*\](?!\()")
_INTEXT_CITATION = re.compile(r"(?<![\w@/])-?@(?:[A-Za-z][\w:-]*\d{4}\w*|(?:fig|tbl|sec|eq)-[\w-]+)")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\](?!:)")
_FOOTNOTE_TEXT = re.compile(r"^\[\^[^\]\s]+\]:.*(?:\n(?: {2,}|\t).*)*", re.MULTILINE)
_INLINE_R = re.compile(r"`\{?r\}? [^`\n]*`")
_LATEX = re.compile(r"^\\(?:newpage|pagebreak|clearpage|bigskip|noindent|mainmatter|frontmatter)\b.*$", re.MULTILINE)
_PAGE_NUMBER = re.compile(r"\s*(?:page )?\d{1,4}\s*", re.IGNORECASE)
#: Also what a symbol font leaves of a bullet: a control character, or an ``o`` on a line of its own.
_BULLET = re.compile(r"\s*(?:[•▪●◦‣·□\uf0b7\x01-\x03]|o(?=\s*$))\s*")
_RUNNING_TITLE = re.compile(r"(?:module|chapter|appendix|section)\s+\w+:")
_MARKDOWN = re.compile(r"\s*(?:[-*+]|#{1,6}|\||>)\s")
_NUMBERED = re.compile(r"\s*\d{1,2}[.)]\s+\S")
_ENDS = re.compile(r"[.!?:;”\"')\]]\s*$")


class MarkdownOptions(Options):
    """Options of the markdown reader.

    :param code: keep fenced code; ``{r}``-like executable chunks are never text.
    :param wrapped: the text was extracted from a PDF: drop page numbers and running titles, join lines into paragraphs.
    :param front_matter: the front matter's fields to keep in ``extra``.
    :param skip_headings: sections to leave out, by their heading in lower case.
    :param min_chars: shorter files are not records.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    code: bool = True
    wrapped: bool = False
    front_matter: tuple[str, ...] = (
        "title",
        "subtitle",
        "author",
        "date",
        "abstract",
        "tags",
        "license",
        "parent",
        "source",
    )
    skip_headings: frozenset[str] = frozenset({"references", "bibliography", "license", "copyright", "session info"})
    min_chars: int = Field(200, ge=0)
    max_bytes: int = Field(16 << 20, gt=0)


class MarkdownReader(Reader):
    """Reads ``.md``, ``.qmd``, ``.Rmd`` files."""

    name = "markdown"
    Options = MarkdownOptions
    options: MarkdownOptions

    def __init__(self, options: MarkdownOptions) -> None:
        super().__init__(options)
        self._markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._file(file)

    def _file(self, file: FileRef) -> Iterator[Record | Bad]:
        data = slurp(file, self.options.max_bytes)
        text = data if isinstance(data, Bad) else decode(data)
        if isinstance(text, Bad):
            yield text
            return
        if text is None:
            yield Bad(file.name, "not_text", "binary content")
            return
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        extra: dict[str, Any] = {}
        if match := _FRONT.match(text):
            text = text[match.end() :]
            try:
                fields, _ = load_yaml(match[1], unique=False)
            except NotYaml:
                # The page is still good; that its metadata is not is said in the document itself.
                extra["front_matter_error"] = True
                fields = None
            if isinstance(fields, dict):
                extra |= {k: _json(fields[k]) for k in self.options.front_matter if fields.get(k) not in (None, "", [])}
        prose = self.prose(text)
        if len(prose) >= self.options.min_chars:
            title = extra.get("title")
            if isinstance(title, str) and title not in prose[: len(title) + 20]:
                prose = f"{title}\n\n{prose}"
            yield Record(file.name, file.name, prose, extra=extra)

    def prose(self, text: str) -> str:
        """Plain text of a Markdown body."""
        text = strip_quarto(text, self.options.code)
        if self.options.wrapped:
            text = rewrap(text)
        root = parse_html(self._markdown.render(text))
        if root is None:
            return ""
        self._drop_sections(root)
        return to_text(root)

    def _drop_sections(self, root: Any) -> None:
        """Remove unwanted headings with all that follows up to the next heading of the same or a higher level."""
        for parent in {
            heading.getparent(): None for heading in root.iter(*_HEADINGS) if heading.getparent() is not None
        }:
            level: int | None = None
            for child in list(parent):
                depth = _HEADINGS.index(child.tag) if child.tag in _HEADINGS else None
                if depth is not None and (level is None or depth <= level):
                    level = depth if squeeze(visible(child)).lower() in self.options.skip_headings else None
                if level is not None:
                    parent.remove(child)
            # What a heading stood over may have been code or a bibliography.
            below: int | None = 0
            for child in reversed(list(parent)):
                depth = _HEADINGS.index(child.tag) if child.tag in _HEADINGS else None
                if depth is not None and below is not None and depth >= below:
                    parent.remove(child)
                elif depth is not None or squeeze(visible(child)):
                    below = depth


def strip_quarto(text: str, code: bool = True) -> str:
    """Take off what Quarto, R Markdown and wikis add to Markdown; fenced code passes untouched."""
    # Comments first: authors comment out whole chunks.
    text = _COMMENT.sub("", text)
    out: list[str] = []
    prose: list[str] = []
    fence: str | None = None
    keep = True

    def flush() -> None:
        if prose:
            out.append(_strip_inline("\n".join(prose)))
            prose.clear()

    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence is None and match:
            flush()
            fence = match[1]
            # ```{r} runs, ```{=html} is raw markup; ```python and ```{.python} are shown.
            keep = code and (not match[2].startswith("{") or match[2].startswith("{."))
            line = fence if keep else line
        elif fence is not None and match and match[1].startswith(fence) and not match[2]:
            if keep:
                out.append(line)
            fence = None
            continue
        if fence is None:
            if not re.match(r"^\s*:{3,}", line):
                prose.append(line)
        elif keep:
            out.append(line)
    flush()
    return "\n".join(out)


def _strip_inline(text: str) -> str:
    text = _SHORTCODE.sub("", text)
    text = _LATEX.sub("", _INLINE_R.sub("", text))
    text = _FOOTNOTE.sub("", _FOOTNOTE_TEXT.sub("", text))
    text = _INTEXT_CITATION.sub(_named, _CITATION.sub("", text))
    text = _WIKILINK.sub(r"\1", text)
    return _ATTRIBUTES.sub("", _HEADING_ATTRIBUTES.sub(r"\1", text))


def _named(match: re.Match[str]) -> str:
    """An author named in the sentence by a key such as ``@freudDreams1900``: ``Freud (1900)``; a cross-reference by its kind."""
    key = match[0].lstrip("-@")
    if kind := {"fig": "the figure", "tbl": "the table", "sec": "the section", "eq": "the equation"}.get(
        key.split("-")[0]
    ):
        return kind
    name, year = re.match(r"[A-Za-z][a-z]*", key), re.search(r"\d{4}", key)
    return f"{name[0].capitalize()} ({year[0]})" if name and year else ""


def rewrap(text: str) -> str:
    """Markdown again from lines of a PDF: bullets joined to their text, page numbers and running titles gone, lines joined.

    Blocks that are Markdown already (headings, lists, tables, fenced code) pass as they are.
    """
    seen: set[str] = set()
    out: list[str] = []
    for piece in re.split(r"(^```.*?^```[ \t]*$)", text, flags=re.MULTILINE | re.DOTALL):
        if piece.startswith("```"):
            out.append(piece)
            continue
        for lines in paragraphs(piece):
            if any(_MARKDOWN.match(line) for line in lines):
                seen.update(line.lstrip("# ").strip().lower() for line in lines if line.startswith("#"))
                out.append("\n".join(lines))
            else:
                out += _bullets(list(_unpaged(lines, seen)))
    return "\n\n".join(_joined(out))


def _unpaged(lines: list[str], seen: set[str]) -> Iterator[str]:
    """Lines without page numbers, and without running titles beyond the first."""
    for index, line in enumerate(lines):
        if index == 0 and _PAGE_NUMBER.fullmatch(line):
            continue
        title = line.strip().lower()
        if len(title) < 80 and _RUNNING_TITLE.match(title):
            if title in seen:
                continue
            seen.add(title)
        yield line.strip()


def _bullets(lines: list[str]) -> list[str]:
    """Split a block at its bullets and numbers: each becomes a list item, the lines before and between are joined."""
    items: list[str] = []
    current: list[str] = []
    bullet = False
    for line in lines:
        if match := _BULLET.match(line):
            if current:
                items.append(("- " if bullet else "") + " ".join(current))
            bullet, rest = True, line[match.end() :]
            current = [rest] if rest else []
        elif _NUMBERED.match(line):
            if current:
                items.append(("- " if bullet else "") + " ".join(current))
            bullet, current = False, [line]
        else:
            current.append(line)
    if current:
        items.append(("- " if bullet else "") + " ".join(current))
    return items


def _joined(blocks: list[str]) -> Iterator[str]:
    """Join a block to the one before where a page break cut a sentence."""
    held: str | None = None
    for block in blocks:
        if (
            held is not None
            and block[:1].islower()
            and not held.startswith(("#", "|", "```"))
            and not _ENDS.search(held)
        ):
            held = f"{held} {block}"
            continue
        if held is not None:
            yield held
        held = block
    if held is not None:
        yield held


def _json(value: Any) -> Any:
    """YAML dates become ISO strings, so that ``extra`` is JSON."""
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_json(item) for item in value]
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
