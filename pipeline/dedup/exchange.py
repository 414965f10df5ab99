"""How rows go from the tasks of one step to those of the next: a shuffle through the store.

A sender sorts its rows by receiver and writes each receiver's as an artifact of its own, an Arrow file with one batch that is read
through a memory map, so a machine fetches only what its tasks need. It holds no more than a limit: when that is reached it
writes what it has and goes on. Last it writes which receivers got what; only then has it sent. All are artifacts of a stage
``work/...``, so a run that was killed goes on after the last sender that finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.dedup.division import WORK_VERSION
from pipeline.store import Store, make_key


class Exchange:
    """Tables from numbered senders to numbered receivers.

    :param name: of the stage, below ``work/``.
    :param run: prefix of its keys.
    :param senders: how many.
    """

    def __init__(self, name: str, run: str, senders: int) -> None:
        self.stage, self.senders = f"work/{name}", senders
        self._run = run

    def _key(self, sender: int, *part: int) -> str:
        return make_key(self.stage, WORK_VERSION, run=self._run, sender=sender, part=part)

    def sent(self, store: Store, sender: int) -> bool:
        """Whether a sender has sent everything."""
        return store.has(self.stage, self._key(sender))

    def told(self, store: Store, sender: int) -> dict[str, Any]:
        """What a sender says of itself besides."""
        return store.meta(self.stage, self._key(sender))

    @contextmanager
    def outbox(self, store: Store, sender: int, limit: int) -> Iterator[Outbox]:
        """Where a sender puts its rows; they are sent when the block ends without an error.

        :param limit: bytes it may hold; about three times as much while it sorts.
        """
        box = Outbox(self, store, sender, limit)
        yield box
        box.flush()
        with store.write(self.stage, self._key(sender)) as (_, meta):
            meta.update(box.told, chunks=box.chunks)

    def receive(self, store: Store, receiver: int) -> Iterator[pa.RecordBatch]:
        """What was sent to a receiver, in order of the senders and of what each put."""
        for sender in range(self.senders):
            for chunk, receivers in enumerate(self.told(store, sender)["chunks"]):
                if receiver in receivers:
                    path = store.path(self.stage, self._key(sender, chunk, receiver)) / "data.arrow"
                    with pa.memory_map(str(path)) as source:
                        yield pa.ipc.open_file(source).get_batch(0)

    def write_part(self, store: Store, sender: int, chunk: int, receiver: int, batch: pa.RecordBatch) -> None:
        """Write one receiver's rows."""
        with (
            store.write(self.stage, self._key(sender, chunk, receiver)) as (folder, _),
            pa.OSFile(str(folder / "data.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, batch.schema) as writer,
        ):
            writer.write_batch(batch)


class Outbox:
    """What one sender has not sent yet.

    :ivar told: anything it says of itself, as JSON.
    :ivar chunks: receivers of each part that was written.
    """

    def __init__(self, exchange: Exchange, store: Store, sender: int, limit: int) -> None:
        self._exchange, self._store, self._sender, self._limit = exchange, store, sender, limit
        self._tables: list[pa.RecordBatch] = []
        self._receivers: list[npt.NDArray[np.integer]] = []
        self._bytes = 0
        self.told: dict[str, Any] = {}
        self.chunks: list[list[int]] = []

    def put(self, receivers: npt.NDArray[np.integer], **columns: Any) -> None:
        """Add rows.

        :param receivers: of each row.
        :param columns: arrays, always the same ones.
        """
        if len(receivers) == 0:
            return
        batch = pa.RecordBatch.from_pydict({name: pa.array(column) for name, column in columns.items()})
        self._tables.append(batch)
        # integers of 16 bits are sorted by radix
        self._receivers.append(receivers.astype(np.uint16) if receivers.max() < 1 << 16 else receivers)
        self._bytes += batch.nbytes
        if self._bytes >= self._limit:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._tables:
            return
        receivers = np.concatenate(self._receivers)
        table = pa.Table.from_batches(self._tables).combine_chunks()
        self._tables, self._receivers, self._bytes = [], [], 0
        if (receivers[1:] < receivers[:-1]).any():
            order = np.argsort(receivers, kind="stable")
            table, receivers = table.take(pa.array(order)), receivers[order]
        batch = table.combine_chunks().to_batches()[0]
        starts = np.flatnonzero(np.concatenate([[True], receivers[1:] != receivers[:-1]]))
        for start, stop in zip(starts, [*starts[1:], len(receivers)], strict=True):
            part = batch.slice(start, stop - start)
            self._exchange.write_part(self._store, self._sender, len(self.chunks), int(receivers[start]), part)
        self.chunks.append(receivers[starts].tolist())


def columns(batches: Iterator[pa.RecordBatch], *names: str, dtype: Any = np.int64) -> list[np.ndarray]:
    """Columns of some batches, joined: an array of ``dtype`` for each name."""
    parts: list[list[np.ndarray]] = [[np.empty(0, dtype)] for _ in names]
    for batch in batches:
        for column, name in zip(parts, names, strict=True):
            column.append(np.asarray(batch[name]))
    return [np.concatenate(column, dtype=dtype) for column in parts]


def distinct(*arrays: np.ndarray) -> list[np.ndarray]:
    """Distinct rows of some columns of equal length, sorted by the first, then the next."""
    if len(arrays[0]) == 0:
        return list(arrays)
    order = np.lexsort(arrays[::-1])
    arrays = tuple(array[order] for array in arrays)
    new = np.zeros(len(order), bool)
    new[0] = True
    for array in arrays:
        new[1:] |= array[1:] != array[:-1]
    return [array[new] for array in arrays]
