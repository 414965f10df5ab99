"""Text files inside a zip archive: a member, a paragraph or a line a record."""

from __future__ import annotations

import fnmatch
import zipfile
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken, open_binary
from sources.readers._io import decode
from sources.readers._zip import member, opened
from sources.readers.base import Encoding, FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.patterns import Pattern, compiled
from sources.readers.rows import read_rows
from sources.readers.streams import refuse_pointer, seekable


class ArchiveOptions(Fields):
    """Options of the ``archive`` reader, beside the field mapping.

    Its fields are ``text``, ``member`` (path in the archive) and ``line``.

    :param text: default: the text as it is.
    :param members: globs of the members to read; others are not part of the source.
    :param exclude: globs of members to leave out.
    :param records: what a record is: ``member``, ``line``, or ``block`` (from one line that matches ``block_start`` to the next).
    :param block_start: regular expression of a line that starts a block; what stands before the first one is no record.
    :param substitute: regular expressions and what they are replaced by, applied to the text in order.
    :param encoding: tried when a member is not UTF-8.
    :param max_member_bytes: a larger member is refused (``too_large``).
    """

    text: str | None = "text"
    members: list[str] = ["*"]
    exclude: list[str] = []
    records: Literal["member", "line", "block"] = "member"
    block_start: Pattern | None = None
    substitute: list[tuple[Pattern, str]] = []
    encoding: Encoding | None = None
    max_member_bytes: int = Field(default=64 << 20, ge=1)


class ArchiveReader(Reader):
    """Reads zip archives without unpacking them. The locator is archive, member and line: ``b.zip#pos/c1.txt&line=3``."""

    name = "archive"
    Options = ArchiveOptions

    def __init__(self, options: ArchiveOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)
        self._substitute = [(compiled(pattern, multiline=True), new) for pattern, new in options.substitute]
        self._block = compiled(options.block_start or "^")

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, self._rows)

    def _rows(self, file: FileRef) -> Iterator[tuple[str, Row | Bad]]:
        try:
            with seekable(open_binary(file, self.options.max_ratio)) as stream:
                refuse_pointer(stream.read(64))
                with opened(stream, self.options.max_ratio) as archive:
                    for info in sorted(archive.infolist(), key=lambda info: info.filename):
                        if not info.is_dir() and self._wanted(info.filename):
                            try:
                                yield from self._member(file, archive, info)
                            except Broken as error:
                                origin = f"{file.name}#{info.filename}"
                                yield origin, error.bad(origin)
        except Broken as error:
            yield file.name, error.bad(file.name)

    def _wanted(self, member: str) -> bool:
        options: ArchiveOptions = self.options
        return any(fnmatch.fnmatch(member, glob) for glob in options.members) and not any(
            fnmatch.fnmatch(member, glob) for glob in options.exclude
        )

    def _member(
        self, file: FileRef, archive: zipfile.ZipFile, info: zipfile.ZipInfo
    ) -> Iterator[tuple[str, Row | Bad]]:
        origin = f"{file.name}#{info.filename}"
        data = member(archive, info, self.options.max_member_bytes)
        text = decode(data, self.options.encoding)
        if text is None:
            yield origin, Bad(origin, "not_text", "binary content")
            return
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self.options.records == "member":
            if row := self._row(text, info.filename, 1):
                yield origin, row
            return
        held: list[str] = []
        first = 0
        for number, line in enumerate(text.split("\n"), 1):
            if self.options.records == "line":
                if row := self._row(line, info.filename, number):
                    yield f"{origin}&line={number}", row
            elif self._block.match(line):
                if first and (row := self._row("\n".join(held), info.filename, first)):
                    yield f"{origin}&line={first}", row
                held, first = [line], number
            elif first:
                held.append(line)
        if first and (row := self._row("\n".join(held), info.filename, first)):
            yield f"{origin}&line={first}", row

    def _row(self, text: str, member: str, line: int) -> Row | None:
        for pattern, new in self._substitute:
            text = pattern.sub(new, text)
            if len(text) > self.options.max_member_bytes:
                raise Broken("too_large", "the card's `substitute` makes a text longer than max_member_bytes")
        return {"text": text.strip("\n"), "member": member, "line": line} if text.strip() else None
