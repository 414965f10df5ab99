"""Shards as the hub likes them: Parquet with small row groups, a page index and pages cut by content, one row group in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.publish.folder import sha256
from sources.errors import UserError

#: The viewer opens whole row groups, and refuses more than 300 MB at once.
GROUP_ROWS = 5_000
GROUP_BYTES = 64 << 20
#: Uncompressed bytes a file aims at; the hub's own default.
SHARD_BYTES = 500 << 20
#: Rows read, checked and cut at once.
_SLICE_ROWS = 1_000
_JSON_BYTES = 8 << 20

#: Short, repeating columns that dictionaries make small, in mixes and in sets.
_REPEATING = frozenset(
    {"source", "kind", "language", "license", "stance", "author_kind", "situation", "why.kind", "why.detail"}
)
_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SHAREGPT = pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
#: Columns of a set's examples (shards/README.md), for the formats that are JSON lines and carry no types.
_EXAMPLE = {
    "id": pa.string(), "messages": _MESSAGES, "prompt": _MESSAGES, "completion": _MESSAGES, "chosen": _MESSAGES, "rejected": _MESSAGES,
    "conversations": _SHAREGPT, "label": pa.bool_(), "source": pa.string(), "license": pa.string(), "origin": pa.string(),
    "author_kind": pa.string(), "simulated": pa.bool_(), "why": pa.struct([("kind", pa.string()), ("detail", pa.string())]),
    "principles": pa.list_(pa.string()), "situation": pa.string(), "facets": pa.list_(pa.string()), "behaviours": pa.list_(pa.string()),
    "risk": pa.bool_(), "tokens": pa.int32(), "support": pa.float32(), "system": pa.string(), "tools": pa.string(),
}  # fmt: skip

#: Locators begin with a file's name below its corpus; one read by an absolute path or file: URL would tell of this machine.
_MACHINE_ORIGIN = r"^(?:file:/{0,3}|/|~|[A-Za-z]:[\\/])(?:[^#]*[/\\])?"


@dataclass(frozen=True)
class DataFile:
    """One published file of rows.

    :param path: in the publication, with forward slashes.
    :param bytes: on disk.
    :param memory: of its rows as Arrow holds them.
    """

    path: str
    config: str
    split: str
    rows: int
    bytes: int
    memory: int
    sha256: str


def rewrite(config: str, split: str, sources: list[Path], schema: pa.Schema, to: Path) -> list[DataFile]:
    """Write ``to/data/<config>/<split>-00000-of-00001.parquet``.

    The bytes depend on rows and schema only. Memory: two row groups, whatever the size of the split.

    :param sources: Parquet or JSON lines, read in this order.
    :param schema: what all of them have (:func:`published_schema`).
    """
    folder = to / "data" / config
    folder.mkdir(parents=True, exist_ok=True)
    sizes: list[list[int]] = []  # rows and bytes in memory of each file
    writer: pq.ParquetWriter | None = None
    try:
        for group in _groups(_slices(sources, schema)):
            if writer is not None and sizes[-1][1] + group.nbytes > SHARD_BYTES:
                writer.close()
                writer = None
            if writer is None:
                writer = _writer(folder / f"{split}-{len(sizes):05d}", schema)
                sizes.append([0, 0])
            writer.write_table(group, row_group_size=len(group))
            sizes[-1][0] += len(group)
            sizes[-1][1] += group.nbytes
    finally:
        if writer is not None:
            writer.close()
    files = []
    for number, (rows, memory) in enumerate(sizes):
        path = folder / f"{split}-{number:05d}-of-{len(sizes):05d}.parquet"
        os.rename(folder / f"{split}-{number:05d}", path)
        place = path.relative_to(to).as_posix()
        files.append(DataFile(place, config, split, rows, path.stat().st_size, memory, sha256(path)))
    return files


def published_schema(sources: Iterable[Path]) -> pa.Schema:
    """The columns of a config: plain types (no dictionaries, no large ones), the same in all of its files.

    :raises UserError: two files differ, or a file cannot be read.
    """
    schema: pa.Schema | None = None
    for path in sources:
        found = _json_schema(path) if path.suffix == ".jsonl" else _parquet_schema(path)
        if schema is not None and not found.equals(schema):
            raise UserError("files of one format have different columns", where=path, fix="make the output again")
        schema = found
    assert schema is not None
    return schema


def _parquet_schema(path: Path) -> pa.Schema:
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"not a Parquet file: {str(error).splitlines()[0]}", where=path, fix="make the output again"
        ) from None
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return kind


def _json_schema(path: Path) -> pa.Schema:
    with path.open("rb") as file:
        first = orjson.loads(file.readline())
    fields = []
    for name in first:
        if name not in _EXAMPLE:
            raise UserError(
                f"column {name!r} of a JSON lines file has no known type",
                where=path,
                fix="write the set as parquet, too",
            )
        fields.append(pa.field(name, _EXAMPLE[name]))
    return pa.schema(fields)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    names = [f"{field.name}.{child.name}" for field in schema if pa.types.is_struct(field.type) for child in field.type]
    short = [name for name in (*schema.names, *names) if name in _REPEATING]
    flat = [
        field.name for field in schema if not pa.types.is_nested(field.type) and field.name not in ("text", "origin")
    ]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=short,
        write_statistics=flat,
        write_page_index=True,
        use_content_defined_chunking=True,
    )


def _groups(slices: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Row groups of at most ``GROUP_ROWS`` rows and about ``GROUP_BYTES``."""
    waiting: list[pa.Table] = []
    rows = memory = 0
    for piece in slices:
        while len(piece):
            head = _head(piece, GROUP_ROWS - rows, GROUP_BYTES - memory, force=not waiting)
            if len(head):
                waiting.append(head)
                rows, memory = rows + len(head), memory + head.nbytes
            if len(head) < len(piece) or rows == GROUP_ROWS:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting, rows, memory = [], 0, 0
            piece = piece.slice(len(head))
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _head(table: pa.Table, rows: int, room: int, *, force: bool) -> pa.Table:
    """As many first rows as fit; at least one if ``force``."""
    head = table.slice(0, rows)
    while len(head) > force and head.nbytes > room:
        head = head.slice(0, max(int(force), min(len(head) - 1, int(len(head) * room / head.nbytes))))
    return head


def _slices(sources: list[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    for path in sources:
        for table in _json_tables(path, schema) if path.suffix == ".jsonl" else _parquet_tables(path):
            yield _portable(table.select(schema.names).cast(schema))


def _parquet_tables(path: Path) -> Iterator[pa.Table]:
    # By batch of one row group at a time: a dataset's scanner reads far ahead of who takes its batches.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            for batch in file.iter_batches(batch_size=_SLICE_ROWS, row_groups=[number], use_threads=False):
                yield pa.Table.from_batches([batch])


def _json_tables(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    known = set(schema.names)
    with path.open("rb") as file:
        at = 0
        while lines := file.readlines(_JSON_BYTES):
            rows: list[dict[str, Any]] = []
            for number, line in enumerate(lines, at + 1):
                row = orjson.loads(line)
                if row.keys() != known:
                    raise UserError(
                        "a row has other columns than the first", where=f"{path}:{number}", fix="make the output again"
                    )
                rows.append(row)
            at += len(lines)
            yield pa.Table.from_pylist(rows, schema=schema)


def _portable(table: pa.Table) -> pa.Table:
    """Locators without folders of this machine."""
    if "origin" not in table.schema.names:
        return table
    origin = table["origin"]
    if not pc.any(pc.match_substring_regex(origin, _MACHINE_ORIGIN)).as_py():
        return table
    at = table.schema.get_field_index("origin")
    return table.set_column(at, table.schema.field(at), pc.replace_substring_regex(origin, _MACHINE_ORIGIN, ""))
