"""Project Gutenberg books: header, licence and credits off, lines unwrapped, one record a chapter.

A folder often holds one book in several encodings. One edition is read, the one that lost least: UTF-8 (``202-0.txt``), then
Latin-1 (``202-8.txt``), then ASCII (``202.txt``), then HTML (``202-h.htm``), whose text lost the least but whose chapters and
notes are marked in too many ways to be split as well as plain text is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import decode, folder, group_splits, slurp
from sources.readers._prose import paragraphs, unwrap
from sources.readers._xml import parse_html, to_text
from sources.readers.base import FileRef, Options, Reader, Split

_FILE = re.compile(
    r"(?:pg)?(\d+)(?:[-.](0|8|h|utf-?8))?(?:-\d+)?\.(txt|html?)(?:\.(?:utf-?8|gz|zst|bz2|xz))?$", re.IGNORECASE
)
_START = re.compile(
    r"^\s*\*{2,3} ?START OF (?:THE|THIS) PROJECT GUTENBERG.*|^.*\*END[ *]+THE SMALL PRINT!.*|"
    r"^\s*\*{3} START OF THE COPYRIGHTED PROJECT.*",
    re.IGNORECASE,
)
_END = re.compile(
    r"^\s*(?:\*{2,3} ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the |this )?Project Gutenberg|"
    r"\*{3} START: FULL LICENSE|\*{5,} ?This file should be named|\*{3} END OF THE COPYRIGHTED PROJECT|"
    r"<<THIS ELECTRONIC VERSION)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^(Title|Author|Editor|Translator|Language|Release Date|Illustrator): +(\S.*)$")
_CREDITS = re.compile(
    r"\s*(?:\[?(?:E-?text|This e-?text|This eBook|HTML version|Transcribed|Scanned|Digitized|Proofread)\b"
    r".*(?:prepared|produced|by|from)|Produced by|Credits?:|Updated editions|"
    r"\[?Note: (?:Project Gutenberg|Images of|The html version)|\(?This file was (?:made|produced)|"
    r"\[?Transcriber'?s?'? note|\[?Editor'?s note: This e-?text|\*{3}|<?https?://|www\.\S+$|Project Gutenberg|"
    r"The Project Gutenberg|Internet Archive|from images|and the (?:Online|Project|PG) |.*Online Distributed Proofread)",
    re.IGNORECASE,
)
_NUMERAL = (
    r"(?:[IVXLCDM]+|\d{1,3}|(?:THE )?(?:FIRST|SECOND|THIRD|FOURTH|FIFTH|SIXTH|SEVENTH|EIGHTH|NINTH|TENTH|LAST|ONE|TWO|"
    r"THREE|FOUR|FIVE|SIX|SEVEN|EIGHT|NINE|TEN|ELEVEN|TWELVE|THIRTEEN|FOURTEEN|FIFTEEN|SIXTEEN|SEVENTEEN|EIGHTEEN|"
    r"NINETEEN|(?:TWENTY|THIRTY)(?:[- ][A-Z]+)?))"
)
_KEYWORD = re.compile(
    r"(?:THE )?(CHAPTER|CHAP\.|BOOK|PART|LETTER|SECTION|LECTURE|ESSAY|ACT|CANTO|VOLUME|STAVE)\s+"
    rf"({_NUMERAL})\b[.:]?(?=\s|$|[-—_])(.*)",
    re.IGNORECASE,
)
#: What surrounds the chapters and is not text.
_APPARATUS = (
    r"FOOTNOTES?|NOTES|INDEX|(?:TABLE OF )?CONTENTS|(?:LIST OF )?ILLUSTRATIONS|ERRATA|ADVERTISEMENTS?|BIBLIOGRAPHY|"
    r"TRANSCRIBER'?S NOTES?"
)
_NAMED = re.compile(
    r"(?:THE )?(?:(?:AUTHOR'S |EDITOR'S |TRANSLATOR'S |GENERAL )?(?:PREFACE|INTRODUCTION|INTRODUCTORY)|FOREWORD|"
    rf"PROLOGUE|EPILOGUE|APPENDIX|APPENDICES|CONCLUSION|AFTERWORD|POSTSCRIPT|{_APPARATUS})\b[.:]?.*",
    re.IGNORECASE,
)
_NOT_TEXT = re.compile(rf"(?:THE )?(?:{_APPARATUS})\b", re.IGNORECASE)
_ROMAN_TITLE = re.compile(r"([IVXLC]+)\.?[ —-]+([A-Z\"'“_].*)")
_ROMAN = re.compile(r"([IVXLC]+)\.?")
_ILLUSTRATION = re.compile(r"\[(?:Illustrations?|Frontispiece|Blank Page|Music)\b[^\]]*\]", re.IGNORECASE)
_TRANSCRIBER = re.compile(r"\[Transcriber'?s?'? notes?\b[^\]]*\]", re.IGNORECASE)
_MARKUP = re.compile(r"</?(?:b|i|em|strong|p|br|small|center|hr|a|h\d)\b[^<>]{0,80}>", re.IGNORECASE)
_FOOTNOTE = re.compile(r"\s*\[Footnote\b", re.IGNORECASE)
_INLINE_NOTE = re.compile(r"\s*\[Footnote\b(?:[^\[\]]|\[[^\[\]]*\])*\]", re.IGNORECASE)
_NOTE_MARK = re.compile(r" ?\[(?:\d{1,3}|[A-Z*]|Pg \d+|Page \d+|p\. \d+)\]|\{\d{1,3}\}", re.IGNORECASE)
_ITALIC = re.compile(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)")
_BOLD = re.compile(r"(?<![\w=])=(?=\S)([^=\n]{1,80}?)(?<=\S)=(?![\w=])")
#: Emphasis that opens in one paragraph and closes in another leaves single marks.
_STRAY = re.compile(r"(?<!\w)_+|_+(?!\w)")
_LONGEST_NOTE = 12
_RULE = re.compile(r"[\s*_=#~.·•-]+")


class GutenbergOptions(Options):
    """Options of the gutenberg reader.

    :param chapters: one record a chapter where headings are found; else the whole book is one record.
    :param min_chapter: a section with fewer characters is front matter or an entry of the contents, not a chapter.
    :param footnotes: keep ``[Footnote ...]`` paragraphs.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    chapters: bool = True
    min_chapter: int = Field(1500, ge=0)
    footnotes: bool = False
    max_bytes: int = Field(64 << 20, gt=0)


class GutenbergReader(Reader):
    """Reads Project Gutenberg ``.txt`` and ``.htm`` files, one edition of each book."""

    name = "gutenberg"
    Options = GutenbergOptions
    options: GutenbergOptions

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        """Editions of a book stay together, so that one of them can be chosen."""
        return group_splits(files, _book, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        books: dict[Hashable, list[FileRef]] = {}
        for file in split.files:
            books.setdefault(_book(file), []).append(file)
        for editions in books.values():
            yield from self._read_book(sorted(editions, key=_rank))

    def _read_book(self, editions: list[FileRef]) -> Iterator[Record | Bad]:
        """Read the best edition; a damaged one is reported and the next best read."""
        for file in editions:
            data = slurp(file, self.options.max_bytes)
            if isinstance(data, Bad):
                yield data
                continue
            text = decode(data)
            if text is None:
                yield Bad(file.name, "not_text", "binary content")
                continue
            if (match := _FILE.search(file.name)) and match[3].lower().startswith("htm"):
                root = parse_html(text)
                text = to_text(root) if root is not None else ""
            yield from self._chapters(file, text)
            return

    def _chapters(self, file: FileRef, text: str) -> Iterator[Record | Bad]:
        header, body = strip_boilerplate(text)
        sections = split_chapters(blocks(body, self.options.footnotes), self.options) if self.options.chapters else []
        match = _FILE.search(file.name)
        extra = {**header, "gutenberg_id": match[1] if match else None, "edition": file.name.rsplit("/", 1)[-1]}
        extra = {key: value for key, value in extra.items() if value}
        # The key names the book and not the edition: a better copy added later replaces the text under the same id.
        book = f"{folder(file)}/{match[1]}" if match else file.name
        if not sections:
            whole = "\n\n".join(block.text for block in blocks(body, self.options.footnotes))
            if whole:
                yield Record(book, file.name, whole, extra=extra)
            else:
                yield Bad(file.name, "empty", "nothing between the Project Gutenberg header and footer")
            return
        for number, section in enumerate(sections, 1):
            place = {"chapter": section.heading, "position": number}
            yield Record(f"{book}#{number}", f"{file.name}#chapter={number}", section.text, extra=extra | place)


def _book(ref: FileRef) -> Hashable:
    """Folder and number of the book; a file that is not named by number stands alone."""
    match = _FILE.search(ref.name)
    # An HTML edition often lies in its own folder 202-h/ beside the text.
    return (re.sub(r"/\d+-h$", "", folder(ref)), match[1]) if match else ref.name


def _rank(ref: FileRef) -> tuple[int, str]:
    match = _FILE.search(ref.name)
    if match is None:
        return 9, ref.name
    if match[3].lower().startswith("htm"):
        return 3, ref.name
    return {"0": 0, "8": 1}.get(match[2] or "", 0 if (match[2] or "").lower().startswith("utf") else 2), ref.name


def strip_boilerplate(text: str) -> tuple[dict[str, Any], str]:
    """Take off Project Gutenberg's header and licence.

    :return: what the header says (title, author, ...) and the text between. Text without markers is returned whole.
    """
    # Old files end lines with CR LF, some with CR CR LF.
    lines = re.sub(r"\r+\n?", "\n", text.lstrip("\ufeff")).split("\n")
    start = end = None
    for number, line in enumerate(lines[:1200]):
        if _START.match(line):
            start = number + 1
            # The title in the marker may run over the line.
            while (
                "***" not in lines[start - 1].split("START OF", 1)[-1]
                and "SMALL PRINT" not in lines[start - 1]
                and start < min(number + 4, len(lines))
            ):
                start += 1
    for number in range(start or 0, len(lines)):
        if _END.match(lines[number]):
            end = number
            break
    header: dict[str, Any] = {}
    for line in lines[: start or 0]:
        if (match := _HEADER.match(line)) and (key := match[1].lower().replace(" ", "_")) not in header:
            header[key] = re.sub(r"\s*\[(?:eBook|EBook|Etext) #?\d+\]", "", match[2]).strip()
    return header, "\n".join(lines[start or 0 : end])


@dataclass(slots=True)
class Block:
    """A paragraph, with the white space that sets headings apart.

    :param lines: as in the file.
    :param text: unwrapped and cleaned.
    """

    lines: list[str]
    text: str


def blocks(body: str, footnotes: bool = False) -> list[Block]:
    """Paragraphs of a book without illustrations, note marks, rules, contents lines and transcribers' credits."""
    body = _TRANSCRIBER.sub("", _ILLUSTRATION.sub("", body))
    out: list[Block] = []
    depth = left = 0
    for index, lines in enumerate(paragraphs(body)):
        if index < 12 and len(lines) <= 8 and any(_CREDITS.match(line) for line in lines):
            continue
        if not footnotes and (depth or _FOOTNOTE.match(lines[0])):
            joined = "\n".join(lines)
            # A note may run over paragraphs; one that is never closed must not swallow the book.
            left = left - 1 if depth else _LONGEST_NOTE
            depth = max(0, depth + joined.count("[") - joined.count("]")) if left else 0
            continue
        if all(_RULE.fullmatch(line) for line in lines) or is_contents(lines):
            continue
        text = _clean(unwrap(lines), footnotes)
        if text:
            out.append(Block(lines, text))
    while out and re.match(r"\[?Transcriber'?s?'? notes?\b", out[-1].text, re.IGNORECASE):
        out.pop()
    return out


def _clean(text: str, footnotes: bool) -> str:
    """A paragraph without note marks, emphasis marks and what an HTML edition left of itself."""
    if "&" in text or "<" in text:
        text = _MARKUP.sub("", html.unescape(html.unescape(text)))
    if "[" in text or "{" in text:
        text = _NOTE_MARK.sub("", text)
    if not footnotes and "[Footnote" in text:
        text = _INLINE_NOTE.sub("", text)
    if "_" in text:
        text = _STRAY.sub("", _ITALIC.sub(r"\1", text))
    if "=" in text:
        text = _BOLD.sub(r"\1", text)
    # Verse and tables keep their spaces, prose does not need them.
    return text.strip("\n").rstrip() if "\n" in text else " ".join(text.split())


def is_contents(lines: list[str]) -> bool:
    """Whether the lines are a table of contents: most end in a page number."""
    if len(lines) < 3:
        return False
    return sum(map(_ends_in_page, lines)) / len(lines) > 0.6


def _ends_in_page(line: str) -> bool:
    """``Childhood . . . . 12`` or ``Preface        ix``, but not a sentence that happens to end in a year."""
    if "..." in line or ". . ." in line:
        return True
    text, _, page = line.rpartition(" ")
    if page.isdigit():
        return len(page) <= 3
    return bool(page) and text.endswith(" ") and not page.strip("ivxlc")


@dataclass(slots=True)
class Section:
    """A chapter.

    :param label: what is counted, e.g. ``chapter iv``; equal for an entry in the contents and the chapter itself.
    """

    heading: str
    label: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(block.text) for block in self.blocks)

    @property
    def text(self) -> str:
        return (
            "\n\n".join([self.heading, *(block.text for block in self.blocks)])
            if self.heading
            else "\n\n".join(b.text for b in self.blocks)
        )


def split_chapters(found: list[Block], options: GutenbergOptions) -> list[Section]:
    """Cut at chapter headings of the one kind the book uses; empty if it has fewer than three chapters."""
    for kind in ("keyword", "roman_title", "roman"):
        sections = _cut(found, kind)
        chapters = _drop_front(sections, options.min_chapter)
        labels = [section.label for section in chapters if section.label.startswith("chapter ")]
        # Numerals count from one; the letters of a dictionary do not.
        if len(labels) >= 3 and (kind == "keyword" or {"chapter i", "chapter ii"}.issubset(labels)):
            return chapters
    return []


def _cut(found: list[Block], kind: str) -> list[Section]:
    sections = [Section("", "")]
    for block in found:
        label = heading(block, kind)
        if label:
            sections.append(Section(block.text.replace("\n", " "), label))
        else:
            sections[-1].blocks.append(block)
    return sections


def heading(block: Block, kind: str) -> str | None:
    """The label of a block that is a heading of this kind, else None."""
    first = block.lines[0].strip()
    if len(block.lines) > 4 or len(block.text) > 160 or len(first) > 90:
        return None
    if match := _KEYWORD.fullmatch(first):
        rest = match[3].strip()
        # "Chapter two was read aloud": a sentence, not a heading.
        if rest and rest[0].islower():
            return None
        unit = match[1].lower().rstrip(".")
        unit = {"chap": "chapter"}.get(unit, unit)
        return f"chapter {unit} {match[2].lower()}" if kind == "keyword" else f"named {first.lower()}"
    if (
        _NAMED.fullmatch(first)
        and len(first) < 60
        and (first.isupper() or first.istitle() or len(first.split()) <= 5)
        and first[0].isupper()
        and not first.endswith(",")
    ):
        return f"named {first.lower().strip(' .:')}"
    if (
        len(block.lines) == 1
        and kind == "roman_title"
        and (match := _ROMAN_TITLE.fullmatch(first))
        and len(first) <= 80
    ):
        return f"chapter {match[1].lower()}"
    if len(block.lines) <= 3 and len(block.text) <= 120 and kind == "roman" and (match := _ROMAN.fullmatch(first)):
        return f"chapter {match[1].lower()}"
    return None


def _drop_front(sections: list[Section], minimum: int) -> list[Section]:
    """Drop contents, indexes and title pages; join a bare part heading to the chapter it opens."""
    kept: list[Section] = []
    opening: list[str] = []
    in_contents = False
    for index, section in enumerate(sections):
        if section.heading and _NOT_TEXT.match(section.heading):
            continue
        if not section.heading:
            # Title page and dedication; a book that begins without a heading has more.
            if section.size >= 4 * minimum:
                kept.append(section)
            continue
        if not section.blocks:
            opening.append(section.heading)
            continue
        # A contents list is entries that come again longer; its last entry holds whatever stands before the first chapter.
        again = any(later.label == section.label and later.size > section.size for later in sections[index + 1 :])
        if again and (section.size < minimum or in_contents):
            in_contents = True
            opening.clear()
            continue
        in_contents = False
        # One or two headings in a row are a part and its chapter; more are a contents list.
        if len(opening) <= 2 and opening:
            section.heading = "\n\n".join([*opening, section.heading])
        opening.clear()
        kept.append(section)
    return kept
