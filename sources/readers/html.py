"""HTML pages: the main text by trafilatura, one record a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import trafilatura
from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import decode, slurp
from sources.readers._xml import parse_html, squeeze, to_text
from sources.readers.base import Options, Reader, Split


class HtmlOptions(Options):
    """Options of the html reader.

    :param extract: ``main`` finds the main text (web pages), ``all`` keeps every paragraph (chapters of a book).
    :param favor: what trafilatura leans to where it is unsure.
    :param tables: keep tables.
    :param min_chars: a page with less text is quarantined as ``no_text``.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    extract: Literal["main", "all"] = "main"
    favor: Literal["precision", "balance", "recall"] = "balance"
    tables: bool = True
    min_chars: int = Field(100, ge=0)
    max_bytes: int = Field(16 << 20, gt=0)


class HtmlReader(Reader):
    """Reads ``.html`` files."""

    name = "html"
    Options = HtmlOptions
    options: HtmlOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            data = slurp(file, self.options.max_bytes)
            if isinstance(data, Bad):
                yield data
                continue
            found = extract(data, self.options)
            yield Record(file.name, file.name, found[0], extra=found[1]) if found else Bad(file.name, "no_text")


def extract(page: bytes, options: HtmlOptions, url: str | None = None) -> tuple[str, dict[str, Any]] | None:
    """Text of a page and what it says of itself (title, language, licence); None if there is no text worth the name.

    The page's author is not kept: on the open web that is more often a private person than a published one.
    """
    text = decode(page)
    root = parse_html(text) if text else None
    if root is None:
        return None
    # trafilatura's own metadata would search the whole page for dates, which takes longer than the text.
    title = squeeze("".join(root.xpath("string(//title)")))
    language = (root.get("lang") or "").partition("-")[0].lower()
    license_url = next(
        (link.get("href") for link in root.iter("a", "link") if "license" in (link.get("rel") or "").split()), None
    )
    if options.extract == "all":
        found = to_text(root)
    else:
        try:
            document = trafilatura.bare_extraction(
                root,
                url=url,
                include_comments=False,
                include_tables=options.tables,
                favor_precision=options.favor == "precision",
                favor_recall=options.favor == "recall",
                with_metadata=False,
            )
        except (ValueError, RecursionError, AttributeError, TypeError):
            # trafilatura raises these from deep inside on some malformed pages.
            return None
        found = _spaced(getattr(document, "text", None) or "")
    if len(found) < options.min_chars:
        return None
    extra = {"title": title, "language": language, "license_url": license_url}
    return found, {key: value for key, value in extra.items() if value}


def _spaced(text: str) -> str:
    """trafilatura's lines as paragraphs; list items and table rows stay together."""
    out = ""
    above = ""
    for line in filter(str.strip, text.split("\n")):
        together = out and line[:2] in ("- ", "| ") and above[:2] == line[:2]
        out += ("\n" if together else "\n\n" if out else "") + line.rstrip()
        above = line
    return out
