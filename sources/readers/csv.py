"""CSV and TSV, plain or compressed, with embedded newlines, mixed encodings, and rows that belong together."""

from __future__ import annotations

import csv
import fnmatch
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, model_validator

from sources.document import Bad, Record
from sources.errors import UserError
from sources.readers.base import Encoding, FileRef, Options, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import Spool, check_columns, group_splits, read_rows
from sources.readers.streams import Broken, text_lines


class Join(Options):
    """Files that describe the same items in columns of their own, e.g. one file for each thing that was rated.

    :param by: columns with the same values in all files.
    :param files: alias -> glob of file names. Columns of a file are called ``alias.column`` then; the columns of the first file
        also keep their own names. An item that a file lacks simply has no columns of it.
    """

    by: list[str]
    files: dict[str, str]


class CsvOptions(Fields):
    """Options of the ``csv`` reader, beside the field mapping.

    :param delimiter: default: a tab for ``.tsv`` files, else a comma.
    :param quoting: ``none`` where quote marks are ordinary characters.
    :param encoding: encoding of the file.
    :param fallback_encoding: for fields that are not valid ``encoding`` (e.g. cp1252); without it they are ``invalid_utf8``.
    :param columns: names of the columns of a file without header.
    :param join: files to be joined into one table.
    :param max_field_bytes: a longer field ends the file (usually a quote mark that is never closed).
    """

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: Encoding = "utf-8"
    fallback_encoding: Encoding | None = None
    columns: list[str] | None = None
    join: Join | None = None
    max_field_bytes: int = Field(default=16 << 20, ge=1 << 10, le=1 << 30)

    @model_validator(mode="after")
    def _one_grouping(self) -> CsvOptions:
        if self.join and self.group:
            raise ValueError("give join or group, not both")
        return self


class CsvReader(Reader):
    """One row a record, or one group of rows.

    The locator is the number of the row, header not counted: ``answers.csv#row=17``; of a group it is that of its first row.
    """

    name = "csv"
    Options = CsvOptions

    def __init__(self, options: CsvOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        if self.options.join:
            return [Split(tuple(files))]
        return group_splits(self.options.group, files, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        if self.options.join:
            yield from self._joined(split.files, self.options.join)
        else:
            wanted = self._mapper.columns()
            yield from read_rows(self._mapper, split.files, lambda file: self._rows(file, wanted))

    def _joined(self, files: Sequence[FileRef], join: Join) -> Iterator[Record | Bad]:
        mapper, main = self._mapper, next(iter(join.files))
        wanted = mapper.columns()
        with Spool() as spool:
            for number, (alias, glob) in enumerate(join.files.items()):
                found = [file for file in files if fnmatch.fnmatch(file.name.rsplit("/", 1)[-1], glob)]
                if not found:
                    raise UserError(
                        f"no file of the source matches {glob!r}", where="reader.join.files", fix="check the card"
                    )
                for file in found:
                    columns = {name.removeprefix(f"{alias}.") for name in wanted if name.startswith(f"{alias}.")}
                    if alias == main:
                        columns |= {name for name in wanted if name.partition(".")[0] not in join.files}
                    for origin, row in self._rows(file, columns | set(join.by)):
                        if isinstance(row, Bad):
                            yield row
                            continue
                        item = "\x1f".join(str(row[name]) for name in join.by)
                        named = {f"{alias}.{name}": value for name, value in row.items()}
                        spool.add(item, [number], origin, {**row, **named} if alias == main else named)
            for _, origin, rows in spool.groups():
                if f"{main}.{join.by[0]}" not in rows[0]:
                    yield Bad(origin, "not_joined", f"the file of {main!r} has no such item")
                    continue
                made = mapper.record(
                    {k: v for row in reversed(rows) for k, v in row.items()}, origin.partition("#")[0], origin
                )
                if made is not None:
                    yield made

    def _rows(self, file: FileRef, wanted: set[str]) -> Iterator[tuple[str, Row | Bad]]:
        """Each row of a file with its locator, as a mapping of the wanted columns."""
        options: CsvOptions = self.options
        name = file.name
        limit = csv.field_size_limit(options.max_field_bytes)
        delimiter = options.delimiter or ("\t" if stem_suffix(name) in ("tsv", "tab") else ",")
        rows = csv.reader(
            text_lines(file, options.encoding, options.max_ratio),
            delimiter=delimiter,
            quoting=csv.QUOTE_NONE if options.quoting == "none" else csv.QUOTE_MINIMAL,
        )
        number = 0
        places: list[tuple[str, int]] | None = None
        width = 0
        try:
            if options.columns is not None:
                places, width = self._places(file, options.columns, wanted), len(options.columns)
            for cells in rows:
                if not cells:
                    continue
                if places is None:
                    places, width = self._places(file, cells, wanted), len(cells)
                    continue
                number += 1
                origin = f"{name}#row={number}"
                if len(cells) != width:
                    yield origin, Bad(origin, "wrong_columns", f"{len(cells)} columns instead of {width}")
                    continue
                row = {column: cells[place] for column, place in places}
                yield origin, row if all(map(str.isascii, row.values())) else self._decoded(row, origin)
        except Broken as error:
            origin = f"{name}#row={number + 1}"
            yield origin, error.bad(origin)
        except csv.Error as error:
            origin = f"{name}#row={number + 1}"
            yield origin, Bad(origin, "invalid_csv", f"{error}; the rest of the file is not read")
        finally:
            csv.field_size_limit(limit)

    def _places(self, file: FileRef, columns: list[str], wanted: set[str]) -> list[tuple[str, int]]:
        places: dict[str, int] = {}
        for place, column in enumerate(columns):
            places.setdefault(column.strip(), place)
        # What files are joined by must be in each of them.
        optional = set(self.options.optional) - set(self.options.join.by if self.options.join else ())
        check_columns(wanted, list(places), file, optional)
        return [(column, place) for column, place in places.items() if column in wanted]

    def _decoded(self, row: Row, origin: str) -> Row | Bad:
        """Mend or refuse fields whose bytes are not in the file's encoding."""
        for column, value in row.items():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                if self.options.fallback_encoding is None:
                    return Bad(origin, "invalid_utf8", f"column {column!r} is not valid {self.options.encoding}")
                raw = value.encode(self.options.encoding, "surrogateescape")
                row[column] = raw.decode(self.options.fallback_encoding, "replace")
        return row


def stem_suffix(name: str) -> str:
    """The format suffix below a compression suffix: ``a.tsv.gz`` -> ``tsv``."""
    parts = name.rsplit("/", 1)[-1].lower().split(".")
    while len(parts) > 1 and parts[-1] in ("gz", "zst", "bz2", "xz"):
        parts.pop()
    return parts[-1]
