"""DuckDB as the stages use it: bounded memory, a folder to spill to, and functions that hash as the rest of the pipeline does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.words import mix_ids
from sources.errors import UserError

#: No extension is fetched or loaded, whatever a query names; nothing is read from or written to the user's DuckDB folder.
SEALED: dict[str, str | int] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}


@contextmanager
def connect(
    scratch: Path, memory: str, threads: int, reach: Sequence[Path] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database that spills. Its settings cannot be changed from a query.

    :param scratch: folder it may spill to.
    :param memory: limit, e.g. ``2GB``.
    :param threads: of the database.
    :param reach: the only folders it may read and write, beside ``scratch``. Give it where people's conditions are run: they are
        checked (:mod:`pipeline.conditions`), and this holds should the check be wrong.
    :raises UserError: the memory limit is too small.
    :raises OSError: a file cannot be read or written, or the disk is full.
    """
    con = duckdb.connect(
        config={
            **SEALED,
            "memory_limit": memory,
            "temp_directory": str(scratch),
            "threads": threads,
            # results come in the order the query asks for; insertion order would cost memory
            "preserve_insertion_order": "false",
        }
    )
    try:
        con.create_function(  # the stubs spell the string values of its options as enums
            "mix",
            _mix,
            ["UBIGINT", "BIGINT"],
            "UBIGINT",
            type="arrow",
            null_handling="special",  # type: ignore[call-overload]
        )
        if reach is not None:
            allowed = ", ".join(text(str(folder.resolve())) for folder in reach)
            con.execute(f"SET allowed_directories = [{allowed}]")
            con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    except duckdb.OutOfMemoryException:
        raise UserError(
            f"the memory limit of the joins is too small: {memory}", where="memory", fix="raise `memory` in the recipe"
        ) from None
    except duckdb.IOException as error:
        raise OSError(str(error).splitlines()[0]) from None
    finally:
        con.close()


def _mix(ids: pa.Array, salts: pa.Array) -> pa.Array:
    # the salt is a constant of the query: one value however many rows
    ids, salts = (a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in (ids, salts))
    if len(ids) == 0:
        return pa.array([], pa.uint64())
    return pa.array(mix_ids(np.asarray(ids), salts[0].as_py()))


def text(value: str) -> str:
    """A SQL text."""
    return "'" + value.replace("'", "''") + "'"


def files(paths: list[Path]) -> str:
    """A SQL list of file names."""
    return "[" + ", ".join(text(str(path)) for path in paths) + "]"


def number_files(con: duckdb.DuckDBPyConnection, table: str, paths: list[Path]) -> None:
    """Make ``table`` of (shard, path): a file's place in ``paths``, joined to the name that ``read_parquet`` gives."""
    con.execute(f"CREATE TABLE {table} (shard INTEGER, path VARCHAR)")
    con.executemany(f"INSERT INTO {table} VALUES (?, ?)", [[i, str(path)] for i, path in enumerate(paths)])
