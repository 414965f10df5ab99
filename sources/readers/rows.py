"""From the rows of a file to records, one a row or one a group of rows.

Groups are made out of core, in a temporary DuckDB table.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from sources.document import Bad, Record
from sources.errors import UserError
from sources.readers.base import FileRef, Split, pack
from sources.readers.fields import Group
from sources.readers.mapper import Mapper, Missing, Row

_BATCH_BYTES = 8 << 20
_DIGITS = re.compile(r"\d+")
_SCHEMA = pa.schema(
    [("grp", pa.string()), ("ord", pa.string()), ("n", pa.int64()), ("origin", pa.string()), ("row", pa.binary())]
)


def read_rows(
    mapper: Mapper, files: Iterable[FileRef], rows_of: Callable[[FileRef], Iterator[tuple[str, Row | Bad]]]
) -> Iterator[Record | Bad]:
    """Records of the rows of some files, grouped if the card says so.

    :param rows_of: gives the rows of a file with their locators.
    """
    group = mapper.fields.group
    if group is None:
        record = mapper.record
        tree = mapper.fields.turn_tree
        several = tree is not None and tree.siblings is not None
        for file in files:
            name = file.name
            for origin, row in rows_of(file):
                if several and not isinstance(row, Bad):
                    yield from mapper.records(row, name, origin)
                    continue
                made = row if isinstance(row, Bad) else record(row, name, origin)
                if made is not None:
                    yield made
    elif group.across_files:
        yield from _grouped(mapper, group, files, rows_of)
    else:
        for file in files:
            yield from _grouped(mapper, group, (file,), rows_of)


def _grouped(
    mapper: Mapper,
    group: Group,
    files: Iterable[FileRef],
    rows_of: Callable[[FileRef], Iterator[tuple[str, Row | Bad]]],
) -> Iterator[Record | Bad]:
    with Spool() as spool:
        for file in files:
            for origin, row in rows_of(file):
                if isinstance(row, Bad):
                    yield row
                    continue
                try:
                    row = mapper.prepare(row)
                    if mapper.kept(row):
                        spool.add(
                            mapper.group_key(row, file.name), [row.get(name) for name in group.order], origin, row
                        )
                except Missing as missing:
                    yield Bad(origin, missing.reason, missing.detail)
        for key, origin, rows in spool.groups():
            yield mapper.grouped(key, rows, origin.partition("#")[0], origin)


def group_splits(group: Group | None, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
    """Whole files; all of them together if groups go across files."""
    return [Split(tuple(files))] if group and group.across_files and files else pack(files, target_bytes)


def check_columns(wanted: Iterable[str], columns: Sequence[str], file: FileRef, optional: Iterable[str] = ()) -> None:
    """See that a file has the columns a card maps.

    :param optional: columns it may lack.

    :raises UserError: it has not; names file, columns and what there is.
    """
    if missing := sorted(set(wanted) - set(columns) - set(optional)):
        raise UserError(
            f"the card maps {'columns' if len(missing) > 1 else 'a column'} the file does not have: {', '.join(missing)}",
            where=file.url,
            fix=f"the file has: {', '.join(columns[:40])}{' ...' if len(columns) > 40 else ''}",
        )


class Spool:
    """Collects rows, then gives them back by group, whatever their number.

    Groups come in the order in which their first rows were added; inside a group rows go by ``order`` and then as added. So
    the result depends on the rows alone.

    :param memory: DuckDB's memory limit; the rest spills into a temporary folder.
    """

    def __init__(self, memory: str = "256MB") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wellmix-rows-")
        path = Path(self._folder.name)
        self._con = duckdb.connect(
            str(path / "rows.db"), config={"memory_limit": memory, "temp_directory": str(path), "threads": 1}
        )
        self._con.execute("CREATE TABLE rows (grp VARCHAR, ord VARCHAR, n BIGINT, origin VARCHAR, row BLOB)")
        self._held: list[tuple[str, str, int, str, bytes]] = []
        self._size = 0
        self._count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()
        self._folder.cleanup()

    def add(self, group: str, order: list[Any], origin: str, row: dict[str, Any]) -> None:
        """Add a row; ``row`` must be JSON-serialisable."""
        try:
            payload = orjson.dumps(row, default=str)
        except TypeError:  # a number of more than 64 bits
            payload = json.dumps(row, default=str).encode()
        # Digits are padded so that turn 10 follows turn 9 although both are compared as text.
        position = "\x1f".join(_DIGITS.sub(lambda m: m[0].zfill(18), str(value)) for value in order)
        self._held.append((group, position, self._count, origin, payload))
        self._count += 1
        self._size += len(payload)
        if self._size > _BATCH_BYTES:
            self._flush()

    def groups(self) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        """Each group: its name, the locator of its first row, its rows."""
        self._flush()
        cursor = self._con.execute(
            "SELECT grp, origin, row FROM rows JOIN (SELECT grp, min(n) AS first FROM rows GROUP BY grp) USING (grp) "
            "ORDER BY first, ord, n"
        )
        name: str | None = None
        origin = ""
        rows: list[dict[str, Any]] = []
        while batch := cursor.fetchmany(1000):
            for group, where, payload in batch:
                if group != name:
                    if name is not None:
                        yield name, origin, rows
                    name, origin, rows = group, where, []
                rows.append(orjson.loads(payload))
        if name is not None:
            yield name, origin, rows

    def _flush(self) -> None:
        if not self._held:
            return
        columns = [
            pa.array(column, field.type) for column, field in zip(zip(*self._held, strict=True), _SCHEMA, strict=True)
        ]
        self._con.register("batch", pa.table(columns, schema=_SCHEMA))
        self._con.execute("INSERT INTO rows SELECT * FROM batch")
        self._con.unregister("batch")
        self._held, self._size = [], 0
