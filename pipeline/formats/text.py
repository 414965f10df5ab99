"""Shards that hold the text: Parquet and JSONL.zst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from pipeline.formats.base import Written, total_tokens

#: Columns whose values hardly repeat or are long get no dictionary; of those, only ``id`` has minima and maxima kept.
_UNIQUE = frozenset({"id", "text", "origin", "author", "extra"})

#: Rows turned into Python objects at once when writing JSON.
_JSON_ROWS = 1_000


@dataclass(frozen=True)
class ParquetWriter:
    """``STEM.parquet``: zstd, small row groups, page index.

    A row group holds at most ``rows`` rows and about ``group_bytes`` of text, so a reader that goes by row group needs
    little memory, and the Hugging Face viewer, which wants to open less than 300 MB for a page, needs less than one.
    Pages are cut by content (Xet chunking), so publishing a slightly changed mix uploads only what changed.

    :param level: zstd level; 3 is within a few per cent of the smallest size at several times the speed.
    :param rows: most rows in a row group.
    :param group_bytes: most bytes of text in a row group of more than one row.
    """

    level: int = 3
    rows: int = 2_000
    group_bytes: int = 32 << 20
    name: str = "parquet"

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """See :class:`pipeline.formats.base.ShardWriter`."""
        short = [f.name for f in table.schema if not pa.types.is_nested(f.type) and f.name not in _UNIQUE]
        path = directory / f"{stem}.parquet"
        with pq.ParquetWriter(
            path,
            table.schema,
            compression="zstd",
            compression_level=self.level,
            use_dictionary=[name for name in short if pa.types.is_string(table.schema.field(name).type)],
            write_statistics=["id", *short],
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as file:
            for group in self._groups(table):
                file.write_table(group, row_group_size=max(1, len(group)))
        return [Written(path.name, len(table), total_tokens(table))]

    def finish(self, directory: Path, written: Sequence[Written]) -> list[Written]:
        """Nothing to add."""
        return []

    def _groups(self, table: pa.Table) -> Iterator[pa.Table]:
        # rows of conversations have no one text: their table's size is spread evenly over them
        sizes = pc.binary_length(table["text"]) if "text" in table.schema.names else None
        even = np.full(len(table), table.nbytes // max(1, len(table)))
        ends = np.cumsum(even if sizes is None else sizes.to_numpy(), dtype=np.int64)
        start = 0
        while start < len(table):
            full = (int(ends[start - 1]) if start else 0) + self.group_bytes
            stop = min(start + self.rows, max(start + 1, int(np.searchsorted(ends, full, side="right"))))
            yield table.slice(start, stop - start)
            start = stop


@dataclass(frozen=True)
class JsonlWriter:
    """``STEM.jsonl.zst``: one JSON object a row, columns in the table's order, times in ISO 8601.

    :param level: zstd level.
    """

    level: int = 3
    name: str = "jsonl"

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """See :class:`pipeline.formats.base.ShardWriter`."""
        path = directory / f"{stem}.jsonl.zst"
        with (
            path.open("wb") as raw,
            zstandard.ZstdCompressor(level=self.level, write_checksum=True).stream_writer(raw) as file,
        ):
            for start in range(0, len(table), _JSON_ROWS):
                rows = table.slice(start, _JSON_ROWS).to_pylist()
                file.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        return [Written(path.name, len(table), total_tokens(table))]

    def finish(self, directory: Path, written: Sequence[Written]) -> list[Written]:
        """Nothing to add."""
        return []
