"""How the work of finding duplicates is divided into tasks, from the number of documents and the memory a task may take.

Results do not depend on it; what a task holds does. A document is known by one number, ``shard << 32 | row``, so the documents of a
group of neighbouring shards are a range of numbers, and sorting by number is sorting by place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.minhash import BANDS
from pipeline.store import make_key

#: Raise when what goes from step to step changes.
WORK_VERSION = 1

#: A bucket member is paired with this many members before it, besides the first.
NEIGHBOURS = 3

#: A table reads from as many files as there are groups of shards, so there are never more groups than this.
MAX_GROUPS = 256
#: Below this many documents another group costs more than it saves.
GROUP_DOCUMENTS = 100_000
#: The same of a task of the band join, and of a range of hashes.
JOIN_DOCUMENTS, RANGE_DOCUMENTS = 50_000, 4_000_000

#: Bytes a task holds at its peak for a row that it sorts by key, if all keys are shared: columns, order, sorted copies.
SORT_BYTES = 100
#: The same for a candidate pair, and how many of these a document can have at worst: other partners in every band.
PAIR_BYTES = 100
MOST_PAIRS = BANDS * (NEIGHBOURS + 1)


@dataclass(frozen=True)
class Shard:
    """One shard of documents.

    :param number: its place among the shards.
    :param rows: how many documents.
    :param documents, signature: keys of its artifacts.
    """

    number: int
    rows: int
    documents: str
    signature: str


@dataclass(frozen=True)
class Division:
    """Into how many parts each step is cut.

    :param starts: number of the first shard of each group of shards, the first being 0.
    :param hashes: ranges of the exact hash.
    :param joins: parts of the band join: blocks of bands up to :data:`BANDS`, beyond that a multiple of it, ranges of each band's keys.
    :param budget: bytes a task may hold besides the program itself: half of it rows it works on, half rows it is about to send.
    :param clusters: parts of the graph of verified pairs; None to find out from their number.
    """

    starts: list[int]
    hashes: int
    joins: int
    budget: int
    clusters: int | None = None

    @classmethod
    def of(cls, rows: list[int], budget: int) -> Division:
        """The division for shards of so many documents.

        :param budget: bytes a task may hold.
        """
        total = sum(rows)
        size = max(GROUP_DOCUMENTS, -(-total // MAX_GROUPS))
        ends = np.cumsum(rows)
        # a shard belongs to the group that its last document falls into
        group = np.maximum(ends - 1, 0) // size
        starts = [i for i in range(len(rows)) if i == 0 or group[i] != group[i - 1]]
        ranges = -(-max(total, 1) // min(RANGE_DOCUMENTS, max(1, budget // 2 // SORT_BYTES)))
        blocks = min(BANDS, -(-max(total, 1) // JOIN_DOCUMENTS))
        return cls(starts, ranges, blocks if ranges == 1 else BANDS * ranges, budget)

    def __post_init__(self) -> None:
        if self.joins > BANDS and self.joins % BANDS:
            raise ValueError(f"joins is neither at most {BANDS} nor a multiple of it: {self.joins}")

    def to_json(self) -> dict[str, Any]:
        """For a task."""
        return asdict(self)

    @property
    def held(self) -> int:
        """Bytes of rows a task may work on at once."""
        return self.budget // 2

    @property
    def outbox(self) -> int:
        """Bytes of rows a task may have ready to send, all its outboxes together: three times as much while they are sorted."""
        return self.budget // 6

    def key(self, clusters: str) -> str:
        """Prefix of what goes from step to step: another division passes other tables.

        :param clusters: key of the result.
        """
        return make_key("dedup", WORK_VERSION, clusters=clusters, division=self.to_json())

    @property
    def groups(self) -> int:
        """How many groups of shards."""
        return len(self.starts)

    def members(self, shards: list[Shard], group: int) -> list[Shard]:
        """The shards of a group."""
        bounds = [*self.starts, len(shards)]
        return shards[bounds[group] : bounds[group + 1]]

    def group_of(self, docs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The group of each document."""
        return np.searchsorted(np.asarray(self.starts) << 32, docs, side="right") - 1

    def hash_range(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The range each exact hash lies in."""
        return _range_of(hashes, self.hashes)

    def join_of(self, bands: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The part of the band join where keys of bands meet."""
        if self.joins <= BANDS:
            return bands * self.joins // BANDS
        ranges = self.joins // BANDS
        return bands * ranges + _range_of(keys, ranges)

    def bands_of(self, join: int) -> list[int]:
        """The bands of a part of the join."""
        if self.joins <= BANDS:
            return [band for band in range(BANDS) if band * self.joins // BANDS == join]
        return [join // (self.joins // BANDS)]


def _range_of(hashes: npt.NDArray[np.uint64], ranges: int) -> npt.NDArray[np.int64]:
    """Which of equal ranges of 64-bit hashes each lies in."""
    return (((hashes >> np.uint64(32)) * np.uint64(ranges)) >> np.uint64(32)).astype(np.int64)


def windows(shards: list[Shard], pairs: int, held: int) -> Iterator[tuple[int, int]]:
    """Cut the documents of a group into runs whose candidate pairs fit, whichever documents have them.

    :param pairs: how many there are.
    :param held: bytes they may take.
    :returns: first document of each run, and the first after it.
    """
    most = max(1, held // (PAIR_BYTES * MOST_PAIRS))
    low, count = shards[0].number << 32, 0
    for shard in shards if pairs * PAIR_BYTES > held else ():
        first = shard.number << 32
        for row in range(0, shard.rows, most):
            more = min(most, shard.rows - row)
            if count + more > most:
                yield low, first + row
                low, count = first + row, 0
            count += more
    yield low, (shards[-1].number + 1) << 32
