"""EPUB books, one record a chapter in reading order.

Read with ``zipfile`` and ``lxml`` and not with ebooklib: ebooklib is AGPL-3.0, which would bind whoever ships wellmix, and it
unpacks every member into memory without a limit.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree
from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken
from sources.readers._book import BookOptions, part_title, read_package, sections
from sources.readers._io import decode, slurp
from sources.readers._xml import local, parse_html, parse_xml
from sources.readers._zip import member, opened
from sources.readers.base import FileRef, Reader, Split


class EpubOptions(BookOptions):
    """Options of the epub reader.

    :param max_member: a member of the archive that unpacks to more bytes is refused as ``too_large``.
    :param max_ratio: a member that unpacks to more than this many times its packed size is refused as ``too_large``.
    """

    max_member: int = Field(16 << 20, gt=0)
    max_ratio: int = Field(200, gt=0)


class EpubReader(Reader):
    """Reads ``.epub`` files (2 and 3), without decryption."""

    name = "epub"
    Options = EpubOptions
    options: EpubOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._book(file)

    def _book(self, file: FileRef) -> Iterator[Record | Bad]:
        data = slurp(file, self.options.max_bytes)
        if isinstance(data, Bad):
            yield data
            return
        try:
            with opened(io.BytesIO(data), self.options.max_ratio) as archive:
                yield from self._chapters(archive, file)
        except Broken as error:
            yield Bad(file.name, "invalid_zip" if error.reason == "truncated" else error.reason, error.detail)

    def _chapters(self, archive: zipfile.ZipFile, file: FileRef) -> Iterator[Record | Bad]:
        container = self._member(archive, file, "META-INF/container.xml")
        path = container if isinstance(container, Bad) else package_path(container, file)
        if isinstance(path, Bad):
            yield path
            return
        found = self._member(archive, file, path)
        package = found if isinstance(found, Bad) else read_package(found, f"{file.name}#{path}")
        if isinstance(package, Bad):
            yield package
            return
        part: str | None = None
        for position, href in enumerate(package.spine, 1):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), href.partition("#")[0]))
            chapter = self._member(archive, file, place)
            root = chapter if isinstance(chapter, Bad) else parse_chapter(chapter)
            if isinstance(root, Bad):
                yield root
            elif root is None:
                yield Bad(f"{file.name}#{place}", "invalid_xml")
            else:
                extra: dict[str, Any] = {**package.extra, "position": position}
                yield from sections(f"{file.name}#{place}", root, self.options, extra, part)
                part = part_title(root) or part

    def _member(self, archive: zipfile.ZipFile, file: FileRef, name: str) -> bytes | Bad:
        """Content of a member. What the directory says of its size is checked, and not trusted."""
        where = f"{file.name}#{name}"
        try:
            info = archive.getinfo(name)
        except KeyError:
            return Bad(where, "missing_member")
        if info.file_size > self.options.max_ratio * max(1, info.compress_size):
            return Bad(where, "too_large", f"unpacks to more than {self.options.max_ratio} times its packed size")
        try:
            return member(archive, info, self.options.max_member)
        except Broken as error:
            return error.bad(where)


def package_path(container: bytes, file: FileRef) -> str | Bad:
    """Where ``META-INF/container.xml`` says the package file is."""
    try:
        root = parse_xml(container)
    except etree.XMLSyntaxError as error:
        return Bad(f"{file.name}#META-INF/container.xml", "invalid_xml", f"line {error.lineno}")
    path = next((e.get("full-path") for e in root.iter() if local(e) == "rootfile" and e.get("full-path")), None)
    return path or Bad(f"{file.name}#META-INF/container.xml", "missing_field", "rootfile")


def parse_chapter(data: bytes) -> etree._Element | None:
    """Parse XHTML; where it is not well formed, as HTML."""
    try:
        return parse_xml(data)
    except etree.XMLSyntaxError:
        text = decode(data)
        return parse_html(text) if text else None
