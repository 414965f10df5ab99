"""XHTML books (EPUB and Standard Ebooks): the package file (``content.opf``), and chapters as records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lxml import etree
from pydantic import Field

from sources.document import Bad, Record
from sources.readers._xml import epub_type, local, parse_xml, squeeze, to_text, visible
from sources.readers.base import Options

_DC = "{http://purl.org/dc/elements/1.1/}"
_OPF = "{http://www.idpf.org/2007/opf}"
#: Parts of a book that are about the edition, not the book.
NOT_TEXT = frozenset(
    {
        *(
            "titlepage",
            "halftitlepage",
            "imprint",
            "copyright-page",
            "colophon",
            "uncopyright",
            "toc",
            "landmarks",
            "loi",
            "lot",
            "cover",
        ),
        *(
            "endnotes",
            "footnotes",
            "rearnotes",
            "bibliography",
            "index",
            "frontispiece",
            "dedication",
            "epigraph",
            "fulltitle",
        ),
    }
)
_ORDINAL = re.compile(r"(?:(?:chapter|book|part|section|letter)\s+)?(?:[ivxlcdm]+|\d+)\.?", re.IGNORECASE)


class BookOptions(Options):
    """Options of the readers of XHTML books.

    :param skip: ``epub:type`` values (or file stems) of sections to leave out.
    :param split_sections: mean characters of nested sections from which each becomes its own record; 0 never splits. A file
        that holds many essays is cut into them, one of short numbered thoughts is not.
    :param min_chars: shorter sections (a part's title page) are not records.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    skip: frozenset[str] = NOT_TEXT
    split_sections: int = Field(1500, ge=0)
    min_chars: int = Field(200, ge=0)
    max_bytes: int = Field(32 << 20, gt=0)


@dataclass(slots=True)
class Package:
    """What a package file says.

    :param spine: hrefs of the documents in reading order, relative to the package file.
    :param extra: title, author (of the published book), translator, subjects, language, published rights.
    """

    spine: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


def read_package(data: bytes, name: str) -> Package | Bad:
    """Parse a package file.

    :param name: its locator, for the error.
    """
    try:
        root = parse_xml(data)
    except etree.XMLSyntaxError as error:
        return Bad(name, "invalid_xml", f"line {error.lineno}")
    roles = {
        (m.get("refines") or "").lstrip("#"): m.text
        for m in root.iter(f"{_OPF}meta")
        if m.get("property") == "role" and m.text in ("aut", "trl")
    }
    items = {item.get("id"): item for item in root.iter(f"{_OPF}item")}
    spine = []
    for ref in root.iter(f"{_OPF}itemref"):
        item = items.get(ref.get("idref"))
        if item is not None and item.get("href") and "nav" not in (item.get("properties") or "").split():
            spine.append(unquote(item.get("href")))
    extra: dict[str, Any] = {
        "title": _first(root, "title"),
        "author": _all(root, "creator"),
        "language": _first(root, "language"),
    }
    extra["translator"] = [
        squeeze(c.text or "") for c in root.iter(f"{_DC}contributor") if roles.get(c.get("id")) == "trl"
    ]
    extra["subjects"] = _all(root, "subject") + [
        squeeze(m.text or "") for m in root.iter(f"{_OPF}meta") if m.get("property") == "se:subject"
    ]
    extra["book"] = _first(root, "identifier")
    # A book that lists a chapter a million times has it once.
    return Package(list(dict.fromkeys(spine)), {key: value for key, value in extra.items() if value})


def _all(root: etree._Element, tag: str) -> list[str]:
    return [squeeze(e.text) for e in root.iter(_DC + tag) if e.text and e.text.strip()]


def _first(root: etree._Element, tag: str) -> str | None:
    return next(iter(_all(root, tag)), None)


def part_title(root: etree._Element) -> str | None:
    """Title of a part's title page, to which the chapters after it belong."""
    for section in root.iter("{*}section"):
        types = epub_type(section)
        if types & {"part", "division", "volume"}:
            return _heading(section)
        if types:
            return None
    return None


def sections(
    name: str, root: etree._Element, options: BookOptions, extra: dict, part: str | None = None
) -> Iterator[Record]:
    """Records of one XHTML file: the whole, or its nested sections where they are long enough to stand alone."""
    body = next((e for e in root.iter() if local(e) == "body"), root)
    top = next((e for e in body if local(e) in ("section", "article")), body)
    if epub_type(top) & options.skip or epub_type(body) & options.skip:
        return
    title = _heading(top) or squeeze(next((e.text or "" for e in root.iter() if local(e) == "title"), ""))
    base = {**extra, "chapter": title} | ({"part": part} if part else {})
    pieces = [e for e in top if local(e) in ("section", "article")]
    texts = [text_of(e) for e in pieces]
    if options.split_sections and len(pieces) > 1 and sum(map(len, texts)) / len(texts) >= options.split_sections:
        before = text_of(top, frozenset(pieces))
        if len(before) >= options.min_chars:
            yield Record(name, name, before, extra=base)
        for index, (piece, text) in enumerate(zip(pieces, texts, strict=True), 1):
            if len(text) >= options.min_chars and not epub_type(piece) & options.skip:
                anchor = piece.get("id") or f"section={index}"
                yield Record(
                    f"{name}#{anchor}",
                    f"{name}#{anchor}",
                    text,
                    extra={**base, "section": _heading(piece) or str(index)},
                )
        return
    text = text_of(top)
    if len(text) >= options.min_chars:
        yield Record(name, name, text, extra=base)


def text_of(element: etree._Element, without: frozenset[etree._Element] = frozenset()) -> str:
    """Text without note marks, and without a heading that is only a number."""

    def skip(node: etree._Element) -> bool:
        if node in without or epub_type(node) & {"noteref", "backlink", "pagebreak"}:
            return True
        return local(node) in ("h1", "h2", "h3", "h4", "h5", "h6") and bool(_ORDINAL.fullmatch(squeeze(visible(node))))

    return to_text(element, skip)


def _heading(section: etree._Element) -> str | None:
    """The section's own heading, e.g. ``Book II: Of Tranquillity``."""
    for child in section:
        tag = local(child)
        if tag in ("header", "hgroup"):
            lines = [
                squeeze(visible(line)) for line in child if local(line) in ("h1", "h2", "h3", "h4", "h5", "h6", "p")
            ]
            return ": ".join(line for line in lines[:2] if line) or None
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            return squeeze(visible(child)) or None
    return None
