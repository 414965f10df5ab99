"""Reading Parquet files one at a time. (pyarrow's dataset reader does more, and takes a third of a second to import.)"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store import damaged


def opened(path: Path) -> pq.ParquetFile:
    """A file of the store, open.

    :raises UserError: it is damaged.
    """
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, FileNotFoundError):
        raise damaged(path) from None


def read(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A whole small file."""
    with opened(path) as file:
        return file.read(columns=columns, use_threads=False)


def read_between(path: Path, column: str, low: int, high: int) -> pa.Table:
    """The rows whose integer ``column`` lies in [low, high], passing over row groups whose statistics rule them out."""
    with opened(path) as file:
        at = file.schema_arrow.get_field_index(column)
        kind = file.schema_arrow.field(column).type
        parts = [file.schema_arrow.empty_table()]
        for group in range(file.num_row_groups):
            facts = file.metadata.row_group(group).column(at).statistics
            if facts is not None and facts.has_min_max and (facts.max < low or facts.min > high):
                continue
            table = file.read_row_group(group, use_threads=False)
            inside = pc.and_(
                pc.greater_equal(table[column], pa.scalar(low, kind)),
                pc.less_equal(table[column], pa.scalar(high, kind)),
            )
            parts.append(table.filter(inside))
        return pa.concat_tables(parts)
