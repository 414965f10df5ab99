"""DuckDB as the stages use it: bounded memory, a folder to spill to, and functions that hash as the rest of the pipeline does."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.store import damaged
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
    :param threads: of the database, at most the cores here: the workers of a cluster are elsewhere.
    :param reach: the only folders it may read and write, beside ``scratch``. Give it where people's conditions are run: they are
        checked (:mod:`pipeline.conditions`), and this holds should the check be wrong.
    :raises UserError: the memory limit is too small, or a file is damaged.
    :raises OSError: a file cannot be read or written, or the disk is full.
    """
    con = duckdb.connect(
        config={
            **SEALED,
            "memory_limit": memory,
            "temp_directory": str(scratch),
            "threads": min(threads, os.cpu_count() or 1),
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
    except duckdb.OutOfMemoryException as error:
        if "max_temp_directory_size" in str(error):  # it takes what is free, and that was not enough
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch)) from None
        raise UserError(
            f"the memory limit of the joins is too small: {memory}", where="memory", fix="raise `memory` in the recipe"
        ) from None
    except duckdb.InvalidInputException as error:
        raise (of_file(error) or error) from None
    except duckdb.IOException as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch)) from None
        raise (of_file(error) or OSError(str(error).splitlines()[0])) from None
    finally:
        con.close()


def of_file(error: duckdb.Error) -> UserError | None:
    """What to say if the error is a file that is damaged or not there; None if it is another one."""
    found = re.search(
        r"""at end of file '(.+)'|File '(.+)' too small to be|No files found that match .* "(.+)\"""", str(error)
    )
    return damaged(Path(next(filter(None, found.groups())))) if found else None


def _mix(ids: pa.Array, salts: pa.Array) -> pa.Array:
    # the salt is a constant of the query: one value however many rows
    ids, salts = (a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in (ids, salts))
    if len(ids) == 0:
        return pa.array([], pa.uint64())
    return pa.array(mix_ids(np.asarray(ids), salts[0].as_py()))


def memory_bytes(limit: str) -> int:
    """Bytes of a memory limit as recipes state it, e.g. ``2GB`` (decimal, as DuckDB takes it)."""
    return int(float(limit[:-2]) * {"MB": 10**6, "GB": 10**9}[limit[-2:]])


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
