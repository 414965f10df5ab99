"""HTML pages: the main text by trafilatura, one record a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import trafilatura
from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import decode, slurp
from sources.readers._xml import parse_html, to_text
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
    """Text of a page and what it says of itself (title, date, site); None if there is no text worth the name.

    The page's author is not kept: on the open web that is more often a private person than a published one.
    """
    text = decode(page)
    if text is None or not text.strip():
        return None
    if options.extract == "all":
        root = parse_html(text)
        found = to_text(root) if root is not None else ""
        title = "".join(root.xpath("string(//title)")).strip() if root is not None else ""
        extra: dict[str, Any] = {"title": title}
    else:
        try:
            document = trafilatura.bare_extraction(
                text,
                url=url,
                include_comments=False,
                include_tables=options.tables,
                favor_precision=options.favor == "precision",
                favor_recall=options.favor == "recall",
                with_metadata=True,
            )
        except (ValueError, RecursionError, AttributeError, TypeError):
            # trafilatura raises these from deep inside on some malformed pages.
            return None
        if document is None:
            return None
        found = document.text or ""
        extra = {"title": document.title, "date": document.date, "site": document.sitename, "language": document.language, "license": document.license}
    if len(found) < options.min_chars:
        return None
    return found, {key: value for key, value in extra.items() if value}
