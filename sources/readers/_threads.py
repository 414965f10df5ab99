"""Putting the posts of a thread together when they lie far apart in files larger than memory.

Posts go into a temporary DuckDB table and come back sorted by thread. DuckDB sorts on disk beyond its memory limit, so the
memory used is the same for a megabyte and for a terabyte.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Post:
    """A post on its way to its thread.

    :param thread: native id of the thread.
    :param first: 0 for what opens the thread, 1 for what answers.
    :param created: seconds since 1970, to order by.
    :param id: native id; breaks ties, so that the order never depends on how the files lie.
    :param fields: what the reader needs to build the turn; JSON values.
    """

    thread: str
    first: int
    created: float
    id: str
    fields: dict[str, Any]


def join_threads(
    posts: Iterable[Post], memory_limit: str = "1GB", longest: int = 20_000
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Group posts by thread, each thread in the order (opening post, time, id); threads in the order of their ids.

    A post that occurs twice (overlapping dumps) is given once. All ``posts`` are read before the first thread comes out.

    :param memory_limit: of the sort, as DuckDB writes it.
    :param longest: posts of one thread beyond this number are left out, so one huge thread cannot fill memory.
    """
    with tempfile.TemporaryDirectory(prefix="wellmix-threads-") as folder:
        # One thread: shards are read in parallel already, and the order of insertion stays the order of reading.
        config = {"memory_limit": memory_limit, "threads": 1, "temp_directory": folder}
        with duckdb.connect(str(Path(folder) / "posts.duckdb"), config=config) as db:
            db.execute("CREATE TABLE posts (thread VARCHAR, first UTINYINT, created DOUBLE, id VARCHAR, body BLOB)")
            for batch in _batches(posts):
                db.register("batch", batch)
                db.execute("INSERT INTO posts SELECT * FROM batch")
                db.unregister("batch")
            rows = db.sql(
                "SELECT thread, id, body FROM posts ORDER BY thread, first, created, id, body"
            ).to_arrow_reader(2000)
            yield from _groups(rows, longest)


def _batches(posts: Iterable[Post]) -> Iterator[pa.Table]:
    held: list[Post] = []
    size = 0
    for post in posts:
        held.append(post)
        size += sum(len(v) for v in post.fields.values() if isinstance(v, str))
        if len(held) >= _BATCH or size > 16 << 20:
            yield _table(held)
            held, size = [], 0
    if held:
        yield _table(held)


def _table(posts: list[Post]) -> pa.Table:
    return pa.table(
        {
            "thread": [p.thread for p in posts],
            "first": pa.array([p.first for p in posts], pa.uint8()),
            "created": pa.array([p.created for p in posts], pa.float64()),
            "id": [p.id for p in posts],
            "body": pa.array([orjson.dumps(p.fields) for p in posts], pa.binary()),
        }
    )


def _groups(rows: pa.RecordBatchReader, longest: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    thread: str | None = None
    held: dict[str, dict[str, Any]] = {}
    for batch in rows:
        columns = (batch.column(name).to_pylist() for name in ("thread", "id", "body"))
        for key, post, body in zip(*columns, strict=True):
            if key != thread:
                if thread is not None:
                    yield thread, list(held.values())
                thread, held = key, {}
            if post not in held and len(held) < longest:
                held[post] = orjson.loads(body)
    if thread is not None:
        yield thread, list(held.values())


def partition(thread: str, count: int) -> int:
    """Which of ``count`` partitions a thread belongs to; stable across runs and machines."""
    return int.from_bytes(hashlib.blake2b(thread.encode(), digest_size=4).digest()) % count
