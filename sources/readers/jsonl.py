"""JSON Lines, plain or compressed (gz, zst, bz2, xz). Plain files are cut by byte range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
from pydantic import Field

from sources.document import Bad, Record
from sources.readers.base import MAX_RATIO, FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import group_splits, read_rows
from sources.readers.streams import Broken, blocks, byte_ranges


class JsonlOptions(Fields):
    """Options of the ``jsonl`` reader, beside the field mapping.

    :param max_line_bytes: longer lines are refused (``line_too_long``); memory stays below about twice this.
    """

    max_line_bytes: int = Field(default=64 << 20, ge=1 << 10)


class JsonlReader(Reader):
    """One JSON object a line.

    The locator is the byte at which the line starts in the decompressed file, ``posts.jsonl#byte=1234``: it is the same
    whichever range of the file a task reads. Empty lines are skipped.
    """

    name = "jsonl"
    Options = JsonlOptions

    def __init__(self, options: JsonlOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        if self.options.group:
            return group_splits(self.options.group, files, target_bytes)
        return byte_ranges(files, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, lambda file: self._rows(file, split.start, split.stop))

    def _rows(self, file: FileRef, start: int, stop: int | None) -> Iterator[tuple[str, Row | Bad]]:
        name, loads = file.name, orjson.loads
        for offset, line in lines(file, start, stop, self.options.max_line_bytes, self.options.max_ratio):
            origin = f"{name}#byte={offset}"
            if isinstance(line, Bad):
                yield origin, line
                continue
            try:
                row = loads(line)
            except orjson.JSONDecodeError:
                if not line.strip():
                    continue
                yield origin, _why(line, origin)
                continue
            if type(row) is not dict and not (isinstance(row, list) and self.options.turn_list):
                yield origin, Bad(origin, "invalid_json", "the line is JSON but not an object")
                continue
            yield origin, row  # type: ignore[misc]  # a list only where turn_list takes it


def lines(
    file: FileRef, start: int, stop: int | None, limit: int, max_ratio: int = MAX_RATIO
) -> Iterator[tuple[int, bytes | Bad]]:
    """The lines that start in ``[start, stop)``, each with the byte it starts at.

    A line belongs to the range its first byte is in, so ranges that cover a file give each line once. Lines longer than
    ``limit`` and a broken compressed stream come as :class:`Bad`.
    """
    # From one byte earlier: if that is a line end, the line at ``start`` is ours; if not, the range before has it.
    position = max(start - 1, 0)
    held: list[bytes] = []
    size = 0
    skipping, too_long = start > 0, False
    try:
        for block in blocks(file, position, max_ratio):
            begin = 0
            if skipping or too_long or held:
                end = block.find(b"\n")
                if end < 0:
                    size += len(block)
                    if not (skipping or too_long):
                        held.append(block)
                        if size > limit:
                            held, too_long = [], True
                    elif skipping:
                        position, size = position + len(block), 0
                    continue
                if skipping:
                    position += end + 1
                elif stop is not None and position >= stop:
                    return
                elif too_long or size + end > limit:
                    yield position, _too_long(file, position, limit)
                    position += size + end + 1
                else:
                    held.append(block[:end])
                    yield position, b"".join(held)
                    position += size + end + 1
                held, size, skipping, too_long = [], 0, False, False
                begin = end + 1
            cut = block.rfind(b"\n") + 1
            if cut > begin:
                whole = block[begin:cut] if begin or cut < len(block) else block
                if len(whole) <= limit:
                    for line in whole.split(b"\n")[:-1]:
                        if stop is not None and position >= stop:
                            return
                        yield position, line
                        position += len(line) + 1
                else:
                    for line in whole.split(b"\n")[:-1]:
                        if stop is not None and position >= stop:
                            return
                        yield position, line if len(line) <= limit else _too_long(file, position, limit)
                        position += len(line) + 1
                begin = cut
            if begin < len(block):
                held, size = [block[begin:]], len(block) - begin
                if size > limit:
                    held, too_long = [], True
            if stop is not None and position >= stop:
                return
    except Broken as error:
        yield position, error.bad(f"{file.name}#byte={position}")
        return
    if skipping or (stop is not None and position >= stop):
        return
    if too_long:
        yield position, _too_long(file, position, limit)
    elif held:
        yield position, b"".join(held)


def _too_long(file: FileRef, position: int, limit: int) -> Bad:
    return Bad(f"{file.name}#byte={position}", "line_too_long", f"longer than max_line_bytes={limit}")


def _why(line: bytes, origin: str) -> Bad:
    """Tell bytes that are not UTF-8 from text that is not JSON."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Bad(origin, "invalid_utf8", f"byte {error.start} of the line: {error.reason}")
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Bad(origin, "invalid_json", f"{error.msg.split(':')[0]} at character {error.pos} of the line")
    return Bad(origin, "invalid_json")
