"""Putting the posts of a thread together when they lie far apart in files larger than memory.

Posts are dealt into temporary files by a hash of their thread, so that each file holds whole threads and fits in memory; then
one file after the other is grouped. That reads and writes every post once, where a sort on disk does so several times.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

from sources.readers.base import FileRef

#: Open files are limited by the system, commonly to 1024 a process.
_MOST_PILES = 256
_COMPRESSED = ("zst", "gz", "bz2", "xz")


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


class ThreadJoin:
    """Collects posts with :meth:`add`, then gives them back by thread.

    :param piles: temporary files to deal into; see :func:`piles_for`.
    :param longest: posts of one thread beyond this number are left out, so that one huge thread cannot fill memory.
    """

    def __init__(self, piles: int, longest: int = 20_000) -> None:
        self._piles, self._longest = piles, longest
        self._folder = tempfile.TemporaryDirectory(prefix="wellmix-threads-")
        self._files: list[BinaryIO] = [(Path(self._folder.name) / f"{n}").open("wb", 1 << 16) for n in range(piles)]

    def __enter__(self) -> ThreadJoin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close()
        self._folder.cleanup()

    def add(self, post: Post) -> None:
        """Put a post on the pile of its thread."""
        key = orjson.dumps([post.thread, post.first, post.created, post.id])
        self._files[_hash(post.thread, 4) % self._piles].write(b"%b\t%b\n" % (key, orjson.dumps(post.fields)))

    def threads(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Threads with their posts in the order (opening post, time, id), always in the same order.

        A post that was added twice (overlapping dumps) is given once.
        """
        for file in self._files:
            file.close()
            threads: dict[str, dict[str, tuple[tuple[int, float, str], bytes]]] = {}
            with Path(file.name).open("rb") as pile:
                for line in pile:
                    key, _, body = line.partition(b"\t")
                    thread, first, created, native = orjson.loads(key)
                    posts = threads.setdefault(thread, {})
                    # Of two versions the lesser is kept: which came first depends on how the files lie.
                    if native not in posts or body < posts[native][1]:
                        posts[native] = ((first, created, native), body)
                    if len(posts) > 2 * self._longest:
                        # What comes after this many stays after them, whatever else is read.
                        threads[thread] = {post[0][2]: post for post in sorted(posts.values())[: self._longest]}
            # Ids are numbers, decimal or in base 36: shorter is smaller.
            for thread in sorted(threads, key=lambda name: (len(name), name)):
                ordered = sorted(threads.pop(thread).values())[: self._longest]
                yield thread, [orjson.loads(body) for _, body in ordered]
            Path(file.name).unlink()


def piles_for(files: Sequence[FileRef], pile_bytes: int, parts: int = 1) -> int:
    """How many piles keep each near ``pile_bytes``. Depends on the files only, so that the order of threads does too.

    :param parts: over how many tasks the threads are spread.
    """
    # Text of posts packs to about a tenth.
    size = sum(f.size * (10 if f.name.rsplit(".", 1)[-1].lower() in _COMPRESSED else 1) for f in files)
    return max(1, min(_MOST_PILES, -(-size // (pile_bytes * parts))))


def partition(thread: str, count: int) -> int:
    """Which of ``count`` parts a thread belongs to; stable across runs and machines."""
    return _hash(thread, 0) % count


def _hash(thread: str, offset: int) -> int:
    # Parts and piles use different bytes, else the threads of one part would all fall on a few piles.
    digest = hashlib.blake2b(thread.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest[offset : offset + 4])
