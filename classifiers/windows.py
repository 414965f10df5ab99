"""A batch of texts as windows: what every tier reads, so that their scores can be put side by side.

An average over a whole chapter drowns the page that matters, and an encoder reads a few hundred tokens at most. Texts
of up to :data:`WHOLE` bytes are one window, longer ones are cut at spaces into windows of about :data:`WINDOW` bytes.
Annotated texts, from which models learn, are about that long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

#: Part of the version of every score: raise it when the same text would be cut otherwise.
VERSION = "3"
WHOLE = 1800
WINDOW = 1300
#: How far after its share of the text a window may end, to end at a space.
_LOOK = 200


@dataclass(frozen=True)
class Windows:
    """Windows of a batch of texts.

    :param data: uint8, UTF-8 bytes of all texts.
    :param bounds: int64, shape (windows, 2): first byte of each window and the byte after its last.
    :param firsts: int64, shape (texts + 1,): the first window of each text; every text has at least one.
    """

    data: np.ndarray
    bounds: np.ndarray
    firsts: np.ndarray

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def longest(self) -> int:
        """Bytes of the longest window."""
        return int((self.bounds[:, 1] - self.bounds[:, 0]).max(initial=0))

    def strings(self, chosen: np.ndarray) -> list[str]:
        """The text of the chosen windows (their numbers)."""
        data = self.data
        return [data[a:b].tobytes().decode("utf-8", "replace") for a, b in self.bounds[chosen].tolist()]


def windows_of(texts: pa.Array, skip: np.ndarray | None = None) -> Windows:
    """Cut texts into windows; how one is cut depends on it alone.

    :param texts: string or large_string array; null counts as empty.
    :param skip: bool, shape (texts,): texts not worth reading; they have one empty window.
    """
    texts = texts.cast(pa.large_string())
    count = len(texts)
    _, offset_buffer, data_buffer = texts.buffers()
    if offset_buffer is None or count == 0:
        edges = np.zeros(count + 1, dtype=np.int64)
    else:
        edges = np.frombuffer(offset_buffer, dtype=np.int64)[texts.offset : texts.offset + count + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer else np.zeros(1, dtype=np.uint8)
    begins, ends = edges[:-1], edges[1:].copy()
    if texts.null_count:
        empty = texts.is_null().to_numpy(zero_copy_only=False)
        ends[empty] = begins[empty]
    if skip is not None:
        ends[skip] = begins[skip]
    lengths = ends - begins
    counts = np.where(lengths > WHOLE, -(-lengths // WINDOW), 1)
    firsts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Windows(data, _cut(data, begins, ends, firsts), firsts)


@numba.njit(cache=True, nogil=True)
def _cut(data, begins, ends, firsts):
    bounds = np.empty((firsts[-1], 2), dtype=np.int64)
    for text in range(len(begins)):
        count = firsts[text + 1] - firsts[text]
        length = ends[text] - begins[text]
        start = begins[text]
        for window in range(count):
            stop = ends[text]
            if window + 1 < count:
                stop = max(start, _boundary(data, begins[text] + length * (window + 1) // count, ends[text]))
            bounds[firsts[text] + window, 0] = start
            bounds[firsts[text] + window, 1] = stop
            start = stop
    return bounds


@numba.njit(cache=True, nogil=True)
def _boundary(data, at, end):
    """First byte after the next space at or after ``at``; where there is none near, the start of a character."""
    for i in range(at, min(at + _LOOK, end)):
        if data[i] == 32 or data[i] == 10:
            return i + 1
    while at < end and (data[at] & 0xC0) == 0x80:
        at += 1
    return at
