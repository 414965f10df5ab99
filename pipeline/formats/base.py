"""What every shard writer promises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa

#: Raise when the bytes a writer makes of the same table change.
FORMATS_VERSION = 1


class Written(NamedTuple):
    """A file a writer made.

    Documents and tokens are counted once: companion files (an index, metadata) have 0 of both, so sums over the files
    of a shard are the shard's own.

    :param path: relative to the folder given to the writer, with forward slashes.
    :param tokens: of the documents' texts; the end-of-document token a tokenized format adds to each is not counted.
    """

    path: str
    documents: int
    tokens: int


class ShardWriter(Protocol):
    """Writes shards of one format into a folder. The caller writes aside, hashes and renames.

    :ivar name: the format's name in recipes.
    """

    @property
    def name(self) -> str: ...

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """Write one shard.

        :param table: the rows in final order, with at least ``id``, ``text``, ``source`` and ``tokens``.
        :param stem: file name without extension; a format adds its own.
        """
        ...

    def finish(self, directory: Path, written: Sequence[Written]) -> list[Written]:
        """Write what describes all shards of a folder (an index of files), after the last :meth:`write`.

        :param written: every file this format wrote into ``directory``, in any order.
        :returns: the files added; for most formats none.
        """
        ...


def total_tokens(table: pa.Table) -> int:
    """Sum of the ``tokens`` column."""
    return int(table["tokens"].to_numpy().sum(dtype="int64"))
