"""JSON files that hold records in an array, in an object, or are one record; streamed with ijson."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import ijson

from sources.document import Bad, Record
from sources.readers.base import FileRef, Reader, Split
from sources.readers.fields import Fields, Mapper, Row
from sources.readers.rows import group_splits, read_rows
from sources.readers.streams import Broken, blocks


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
        stream = _Stream(file)
        try:
            for item in self._items(stream):
                number += 1
                where = file.name if self.options.records == "file" else f"{file.name}#item={number}"
                if isinstance(item, dict) or (isinstance(item, list) and self.options.turn_list):
                    yield where, item  # type: ignore[misc]
                else:
                    yield where, Bad(where, "wrong_type", "the item is not an object")
        except Broken as error:
            yield where, error.bad(f"{file.name}#item={number + 1}")
        except UnicodeDecodeError as error:
            yield where, Bad(f"{file.name}#item={number + 1}", "invalid_utf8", error.reason)
        except ijson.IncompleteJSONError as error:
            if stream.size:
                yield where, _why(f"{file.name}#item={number + 1}", error, "truncated")
        except ijson.JSONError as error:
            yield where, _why(f"{file.name}#item={number + 1}", error, "invalid_json")

    def _items(self, stream: _Stream) -> Iterator[Any]:
        path, how = self.options.path, self.options.records
        if how == "object":
            for name, item in ijson.kvitems(stream, path, use_float=True):
                yield {**item, "_name": name} if isinstance(item, dict) else item
        elif how == "file":
            yield from ijson.items(stream, path, use_float=True)
        else:
            yield from ijson.items(stream, f"{path}.item" if path else "item", use_float=True)


def _why(origin: str, error: Exception, reason: str) -> Bad:
    # yajl's message goes on to quote the text around the error; only its first line, without the quotation, may be kept.
    detail = str(error).split("\n")[0].strip()
    for code in ("lexical error: invalid bytes in UTF8", "invalid bytes in UTF8"):
        if code in detail:
            return Bad(origin, "invalid_utf8", "the file is not valid UTF-8 from here on")
    if reason == "truncated" and "parse error" in detail and "premature" not in detail:
        reason = "invalid_json"
    return Bad(origin, reason, detail.partition(".")[0][:120] + "; the rest of the file is not read")


class _Stream:
    """A file object for ijson over :func:`blocks`."""

    def __init__(self, file: FileRef) -> None:
        self._blocks = blocks(file)
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
        out, self._held = (self._held, b"") if count < 0 else (self._held[:count], self._held[count:])
        return out
