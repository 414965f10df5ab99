"""JSON files that hold records in an array, in an object, or are one record; streamed with ijson."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import ijson
import numpy as np

from sources.document import Bad, Record
from sources.files import Broken
from sources.readers.base import FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import group_splits, read_rows
from sources.readers.streams import blocks

#: How deep a file may be nested; orjson, which reads JSON lines, has a like limit.
_DEPTH = 1000


class JsonOptions(Fields):
    """Options of the ``json`` reader, beside the field mapping.

    :param records: where records are: ``array`` its items, ``object`` its values (the name is in ``_name``), ``file`` the whole
        file is one record.
    :param path: dotted path of that array or object inside the file; empty for the top.
    """

    records: Literal["array", "object", "file"] = "array"
    path: str = ""


class JsonReader(Reader):
    """Reads JSON item by item, so a large array needs no more memory than its largest item.

    The locator is the number of the item, ``talks.json#item=17``; a file that is one record has none.
    """

    name = "json"
    Options = JsonOptions

    def __init__(self, options: JsonOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        return group_splits(self.options.group, files, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, self._rows)

    def _rows(self, file: FileRef) -> Iterator[tuple[str, Row | Bad]]:
        number = 0
        where = file.name
        stream = _Stream(file, self.options.max_ratio)
        try:
            for item in self._items(stream):
                number += 1
                where = file.name if self.options.records == "file" else f"{file.name}#item={number}"
                if isinstance(item, dict) or (isinstance(item, list) and self.options.turn_list):
                    yield where, item  # type: ignore[misc]
                else:
                    yield where, Bad(where, "wrong_type", "the item is not an object")
            if stream.size and not number:
                place = f"path {self.options.path!r}" if self.options.path else "the top"
                yield (
                    where,
                    Bad(where, "missing_field", f"no {self.options.records} with records at {place} of the file"),
                )
        except Broken as error:
            yield where, error.bad(f"{file.name}#item={number + 1}")
        except (UnicodeDecodeError, ijson.JSONError) as error:
            if stream.size:
                yield where, _why(f"{file.name}#item={number + 1}", error)

    def _items(self, stream: _Stream) -> Iterator[Any]:
        path, how = self.options.path, self.options.records
        if how == "object":
            for name, item in ijson.kvitems(stream, path, use_float=True):
                yield {**item, "_name": name} if isinstance(item, dict) else item
        elif how == "file":
            yield from ijson.items(stream, path, use_float=True)
        else:
            yield from ijson.items(stream, f"{path}.item" if path else "item", use_float=True)


def _why(origin: str, error: Exception) -> Bad:
    # The parsers' messages quote the text around the error, so only their kind may be kept.
    message = str(error)
    rest = "the rest of the file is not read"
    if isinstance(error, UnicodeDecodeError) or "UTF8" in message:
        return Bad(origin, "invalid_utf8", f"not valid UTF-8; {rest}")
    if isinstance(error, ijson.IncompleteJSONError) and ("premature" in message or "ncomplete" in message):
        return Bad(origin, "truncated", "the file ends in the middle of the JSON text")
    return Bad(origin, "invalid_json", f"not valid JSON; {rest}")


class _Nesting:
    """Counts how deep arrays and objects stand inside each other, block by block.

    ijson names the way to every value: 200 KB of brackets would take it 20 GB.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False
        self._held = b""

    def check(self, block: bytes) -> None:
        """Take the next block.

        :raises Broken: it goes deeper than :data:`_DEPTH`.
        """
        block = self._held + block
        # A backslash at the end escapes what comes next.
        tail = len(block) - len(block.rstrip(b"\\"))
        self._held, block = (block[-1:], block[:-1]) if tail % 2 else (b"", block)
        pieces = block.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = np.frombuffer(b"".join(pieces[int(self._quoted) :: 2]), np.uint8)
        self._quoted ^= len(pieces) % 2 == 0
        if not len(outside):
            return
        opened = (outside == ord("[")) | (outside == ord("{"))
        closed = (outside == ord("]")) | (outside == ord("}"))
        depths = self._depth + np.cumsum(opened.astype(np.int64) - closed)
        self._depth = int(depths[-1])
        if depths.max() > _DEPTH:
            raise Broken("invalid_json", f"nested more than {_DEPTH} levels deep; the rest of the file is not read")


class _Stream:
    """A file object for ijson over :func:`blocks`."""

    def __init__(self, file: FileRef, max_ratio: int) -> None:
        self._blocks = blocks(file, 0, max_ratio)
        self._nesting = _Nesting()
        self._held = b""
        self.size = 0

    def read(self, count: int = -1) -> bytes:
        if count == 0:
            return b""
        if not self._held:
            self._held = next(self._blocks, b"")
            if not self.size:
                self._held = self._held.removeprefix(b"\xef\xbb\xbf")
            self.size += len(self._held)
            self._nesting.check(self._held)
        out, self._held = (self._held, b"") if count < 0 else (self._held[:count], self._held[count:])
        return out
