"""Web archives: WARC and ARC responses through trafilatura, WET conversions as they are; one record a page.

warcio is used directly. datatrove's WARC reader sits on it too, but logs and loses what it cannot read, where every bad
record here is quarantined with its place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from pydantic import Field
from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord

from sources.document import Bad, Record
from sources.files import Broken, open_binary
from sources.readers._xml import parse_html
from sources.readers.base import FileRef, Reader, Split, StreamOptions
from sources.readers.html import HtmlOptions, extract

# It warns of odd addresses by printing them, and anything may stand in their place.
logging.getLogger("warcio").setLevel(logging.CRITICAL)

_HTML = ("text/html", "application/xhtml+xml")
_TEXT = ("text/plain",)
#: Longest line between records, in bytes.
_HEADER = 1 << 20
#: Words by which a page says that it is not to be indexed or used to train models.
_OPT_OUT = frozenset({"noindex", "none", "noai", "noimageai", "noml"})


class WarcOptions(HtmlOptions, StreamOptions):
    """Options of the warc reader.

    :param opt_out: quarantine as ``opted_out`` pages that say noindex or noai in their headers or ``<meta name=robots>``.
    :param max_bytes: a larger page is quarantined as ``too_large``.
    """

    opt_out: bool = True
    max_bytes: int = Field(8 << 20, gt=0)


class WarcReader(Reader):
    """Reads ``.warc``, ``.arc`` and ``.wet`` files, plain, gzip (also as one member) or zstd."""

    name = "warc"
    Options = WarcOptions
    options: WarcOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._file(file)

    def _file(self, file: FileRef) -> Iterator[Record | Bad]:
        number = 0
        try:
            # Decompressed here and not by warcio, which refuses files that were gzipped as a whole.
            with open_binary(file, self.options.max_ratio) as stream:
                source = _Source(stream)
                archive = _Archive(source, arc2warc=True)
                told = False
                for record in archive:
                    number += 1
                    found = self._record(file, record, number)
                    if source.error or _is_short(file, record, found):
                        found = Bad(f"{file.name}#record={number}", source.reason, source.error)
                        told = bool(source.error)
                    if found is not None:
                        yield found
                if source.error and number and not told:
                    # The stream broke after the last page; nobody knows what would have come.
                    yield Bad(f"{file.name}#record={number + 1}", source.reason, source.error)
                if archive.err_count:
                    yield Bad(file.name, "invalid_warc", "bytes between records; a record's length is wrong")
        except (ArchiveLoadFailed, AttributeError, KeyError, IndexError, TypeError):
            # The latter four come out of warcio on some malformed headers.
            yield Bad(f"{file.name}#record={number + 1}", "invalid_warc")
            return
        except (EOFError, ValueError) as error:
            yield Bad(f"{file.name}#record={number + 1}", "truncated", type(error).__name__)
            return
        if number == 0:
            yield Bad(
                file.name,
                "empty"
                if file.size == 0
                else "too_large"
                if source.reason == "too_large"
                else "unreadable"
                if source.error
                else "invalid_warc",
                source.error,
            )

    def _record(self, file: FileRef, record: ArcWarcRecord, number: int) -> Record | Bad | None:
        """One page, or None for records that hold no page (requests, metadata, images, errors, redirects)."""
        origin = f"{file.name}#record={number}"
        url = record.rec_headers.get_header("WARC-Target-URI") or ""
        created = _date(record.rec_headers.get_header("WARC-Date"))
        if record.rec_type == "conversion":
            body = self._body(record)
            if body is None:
                return Bad(origin, "too_large")
            text = body.decode("utf-8", "replace").strip()
            if len(text) < self.options.min_chars:
                return Bad(origin, "no_text")
            return Record(origin, origin, text, created=created, extra={"url": url})
        # Crawlers keep their logs as resources with a URI of their own making.
        if record.rec_type not in ("response", "resource") or not url.startswith("http") or url.endswith("/robots.txt"):
            return None
        headers = record.http_headers
        if headers is not None and not (headers.get_statuscode() or "").startswith("2"):
            return None
        kind = (
            ((headers.get_header("Content-Type") if headers else record.rec_headers.get_header("Content-Type")) or "")
            .partition(";")[0]
            .strip()
            .lower()
        )
        if kind not in (*_HTML, *_TEXT):
            return None
        body = self._body(record)
        if body is None:
            return Bad(origin, "too_large")
        if self.options.opt_out and (_header_opts_out(headers) or (kind in _HTML and _page_opts_out(body))):
            return Bad(origin, "opted_out")
        if kind in _TEXT:
            text = body.decode("utf-8", "replace").strip()
            found: tuple[str, dict[str, Any]] | None = (text, {}) if len(text) >= self.options.min_chars else None
        else:
            found = extract(body, self.options, url)
        if found is None:
            return Bad(origin, "no_text")
        return Record(origin, origin, found[0], created=created, extra={**found[1], "url": url})

    def _body(self, record: ArcWarcRecord) -> bytes | None:
        data = record.content_stream().read(self.options.max_bytes + 1)
        return data if len(data) <= self.options.max_bytes else None


class _Archive(ArchiveIterator):
    """warcio's iterator without its messages on stderr; what they say is in ``err_count``."""

    INC_RECORD = ""

    def __init__(self, source: _Source, **options: Any) -> None:
        super().__init__(source, **options)
        # warcio reads a header's line however long it is, and copies what it has with every block it adds.
        self._read_line = self.reader.readline
        self.reader.readline = self._bounded

    def _bounded(self, length: int | None = None) -> bytes:
        line = self._read_line(min(length or _HEADER, _HEADER))
        if len(line) > _HEADER // 16 and not line.endswith(b"\n"):
            raise ArchiveLoadFailed("a line of a header has no end")
        return line


class _Source:
    """The decompressed bytes for warcio, which takes an EOFError of a truncated stream for the end of the file.

    :param error: what ended the stream early, if anything did; ``reason`` is its code.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._offset = 0
        self.error = ""
        self.reason = "truncated"

    def read(self, size: int) -> bytes:
        # read1 gives what is there, where read would lose it to the error behind it.
        try:
            data = self._stream.read1(size) if hasattr(self._stream, "read1") else self._stream.read(size)
        except Broken as error:
            self.error, self.reason = error.detail, error.reason
            return b""
        self._offset += len(data)
        return data

    def tell(self) -> int:
        return self._offset


def _is_short(file: FileRef, record: ArcWarcRecord, found: Record | Bad | None) -> bool:
    """Whether the file ended before a page's stated length was read. The lengths in ARC files are not to be relied on."""
    return isinstance(found, Record) and ".arc" not in file.name and getattr(record.raw_stream, "limit", 0) > 0


def _header_opts_out(headers: Any) -> bool:
    if headers is None:
        return False
    words = (headers.get_header("X-Robots-Tag") or "").lower().replace(",", " ").split()
    return bool(_OPT_OUT.intersection(words)) or (headers.get_header("tdm-reservation") or "").strip() == "1"


def _page_opts_out(body: bytes) -> bool:
    # Only the head can hold the tag; a cut page still parses.
    root = (
        parse_html(body[:65536].decode("utf-8", "replace"))
        if b"robots" in body[:65536] or b"tdm-reservation" in body[:65536]
        else None
    )
    if root is None:
        return False
    for meta in root.iter("meta"):
        name, content = (meta.get("name") or "").lower(), (meta.get("content") or "").lower()
        if name == "robots" and _OPT_OUT.intersection(content.replace(",", " ").split()):
            return True
        if name == "tdm-reservation" and content.strip() == "1":
            return True
    return False


def _date(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
