"""Recognising copies of a forgotten text without keeping it.

A text is its set of *shingles*, runs of five words as duplicates are found by (:mod:`pipeline.minhash`), each put through SipHash under
a secret: who has no key can neither check a guess nor spell the text from its shingles. Kept of the set are its least 256 values (the
bottom-k sketch of Broder 1997; Cohen and Kaplan 2007), which is the whole set for a text of up to about 260 words.

Two texts are copies if most of the smaller one stands in the larger: overlap coefficient |A & B| / min(|A|, |B|) of at least .8. So a post
is found inside a thread that quotes it, and so is an excerpt. Below every value of a sketch the larger set is known, too, so both
directions are unbiased estimates, and exact for texts that the sketch holds whole.

A sentence belongs to nobody: a text with fewer than 16 different shingles is only met by the same words from beginning to end, and one of
fewer than 8 words cannot be forgotten by its words at all. What many people posted is nobody's either (:mod:`pipeline.forget.shared`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.authors import AuthorKey
from pipeline.minhash import SHINGLE, _shingle_hash, shingle_sets
from pipeline.words import hash_words

#: Values of a sketch.
SKETCH = 256
#: Overlap coefficient of a copy.
OVERLAP = 0.8
#: A text with fewer different shingles (20 words, if none repeats) is matched whole only.
LEAST_SHINGLES = 16
#: A text of fewer words is not matched at all.
LEAST_WORDS = 8

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Sketch:
    """What is kept of a text.

    :param words: of the text.
    :param shingles: distinct ones that are its own; 0 if the text is matched whole only.
    :param values: the least of their hashes, ascending, uint64, at most :data:`SKETCH`; of a text that is matched whole its one hash.
    """

    words: int
    shingles: int
    values: npt.NDArray[np.uint64]

    @property
    def bound(self) -> np.uint64:
        """The largest value up to which the set is known."""
        return self.values[-1] if self.shingles > len(self.values) else _ALL

    def encoded(self) -> str:
        """The values as base64."""
        return base64.b64encode(self.values.astype("<u8").tobytes()).decode()

    @classmethod
    def decoded(cls, words: int, shingles: int, values: str) -> Sketch:
        """Inverse of :meth:`encoded`."""
        return cls(words, shingles, np.frombuffer(base64.b64decode(values), "<u8").astype(np.uint64))


def _secrets(key: AuthorKey) -> tuple[np.uint64, np.uint64]:
    low, high = np.frombuffer(key.derived("sketches", 16), "<u8").astype(np.uint64)
    return low, high


@njit(cache=True, nogil=True, inline="always")
def _rotate(x, n):
    return (x << np.uint64(n)) | (x >> np.uint64(64 - n))


@njit(cache=True, nogil=True, inline="always")
def _round(v0, v1, v2, v3):
    v0 += v1
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 += v3
    v3 = _rotate(v3, 16) ^ v2
    v0 += v3
    v3 = _rotate(v3, 21) ^ v0
    v2 += v1
    v1 = _rotate(v1, 17) ^ v2
    return v0, v1, _rotate(v2, 32), v3


@njit(cache=True, nogil=True)
def _siphash(value, k0, k1):
    """SipHash-1-3 (Aumasson and Bernstein 2012) of eight bytes."""
    v0 = k0 ^ np.uint64(0x736F6D6570736575)
    v1 = k1 ^ np.uint64(0x646F72616E646F6D)
    v2 = k0 ^ np.uint64(0x6C7967656E657261)
    v3 = k1 ^ np.uint64(0x7465646279746573) ^ value
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= value
    last = np.uint64(8) << np.uint64(56)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ last)
    v0, v1, v2, v3 = _round(v0 ^ last, v1, v2 ^ np.uint64(0xFF), v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True, nogil=True)
def _siphash_all(values, k0, k1):
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = _siphash(values[i], k0, k1)
    return out


@njit(cache=True, nogil=True)
def _whole(words, offsets, rows, k0, k1):
    """Hash of all words of some texts."""
    out = np.empty(len(rows), dtype=np.uint64)
    for i in range(len(rows)):
        start, stop = offsets[rows[i]], offsets[rows[i] + 1]
        out[i] = _siphash(_shingle_hash(words, start, stop - start), k0, k1)
    return out


@njit(cache=True, nogil=True, inline="always")
def holds(table, mask, value):
    """Whether a :func:`hash_table` has a value."""
    at = value & mask
    while table[at] != 0 and table[at] != value:
        at = (at + np.uint64(1)) & mask
    return table[at] == value and value != 0


@njit(cache=True, nogil=True)
def _hits(words, offsets, k0, k1, table, mask, out):
    """How many of each text's shingles are in the table, repeats counted: at least as many as distinct ones."""
    for doc in range(len(offsets) - 1):
        n = 0
        for start in range(offsets[doc], offsets[doc + 1] - SHINGLE + 1):
            n += holds(table, mask, _siphash(_shingle_hash(words, start, SHINGLE), k0, k1))
        out[doc] = n


def hash_table(values: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], np.uint64]:
    """An open-addressing hash table of distinct values, and its mask; 0 is an empty place (and the one value it cannot hold)."""
    size = 1 << max(4, int(4 * max(len(values), 1)).bit_length())
    table = np.zeros(size, dtype=np.uint64)
    _fill(table, values, np.uint64(size - 1))
    return table, np.uint64(size - 1)


@njit(cache=True, nogil=True)
def _fill(table, values, mask):
    for i in range(len(values)):
        at = values[i] & mask
        while table[at] != 0 and table[at] != values[i]:
            at = (at + np.uint64(1)) & mask
        table[at] = values[i]


def sketches(texts: pa.Array, key: AuthorKey, size: int | None = SKETCH) -> list[Sketch | None]:
    """The sketch of each text; None for one of fewer than :data:`LEAST_WORDS` words.

    :param size: values of a sketch; None: the whole set.
    """
    k0, k1 = _secrets(key)
    words, offsets = hash_words(texts)
    flat, bounds = shingle_sets(texts)
    counts = np.diff(offsets)
    whole = _whole(words, offsets, np.arange(len(texts)), k0, k1)
    made: list[Sketch | None] = []
    for i, n_words in enumerate(counts.tolist()):
        values = np.unique(_siphash_all(flat[bounds[i] : bounds[i + 1]], k0, k1))
        if n_words < LEAST_WORDS:
            made.append(None)
        elif len(values) < LEAST_SHINGLES:
            made.append(Sketch(n_words, 0, whole[i : i + 1]))
        else:
            made.append(Sketch(n_words, len(values), values[:size]))
    return made


def whole_sketch(text: str, key: AuthorKey) -> Sketch:
    """The sketch of a text that is matched whole only."""
    words, offsets = hash_words(pa.array([text]))
    return Sketch(int(offsets[1]), 0, _whole(words, offsets, np.arange(1), *_secrets(key)))


class TextIndex:
    """Sketches under one key, to look texts up in.

    :param key: they were made with.
    """

    def __init__(self, key: AuthorKey, known: Sequence[Sketch]) -> None:
        self._k0, self._k1 = _secrets(key)
        self._known = list(known)
        parts = [i for i, one in enumerate(known) if one.shingles]
        self._values = np.concatenate([known[i].values for i in parts] or [np.empty(0, np.uint64)])
        self._owners = np.repeat(np.array(parts, np.int64), [len(known[i].values) for i in parts])
        order = np.argsort(self._values, kind="stable")
        self._values, self._owners = self._values[order], self._owners[order]
        self._table, self._mask = hash_table(np.unique(self._values))
        self._least = min((self._needed(known[i]) for i in parts), default=0)
        self._whole: dict[tuple[int, int], int] = {
            (one.words, int(one.values[0])): i for i, one in enumerate(known) if not one.shingles
        }
        self._lengths = np.array(sorted({words for words, _ in self._whole}), np.int64)

    @staticmethod
    def _needed(one: Sketch) -> int:
        """The fewest shared values of a copy: of this sketch, or of an excerpt of :data:`LEAST_SHINGLES`."""
        return int(np.ceil(OVERLAP * min(len(one.values), LEAST_SHINGLES)))

    def match(self, texts: pa.Array) -> list[tuple[int, int]]:
        """(row, number of the sketch) of each text that is a copy; a text may be one of several."""
        words, offsets = hash_words(texts)
        found: list[tuple[int, int]] = []
        if len(self._lengths):
            counts = np.diff(offsets)
            rows = np.flatnonzero(np.isin(counts, self._lengths))
            hashes = _whole(words, offsets, rows, self._k0, self._k1)
            for row, value in zip(rows.tolist(), hashes.tolist(), strict=True):
                if (number := self._whole.get((int(counts[row]), value))) is not None:
                    found.append((row, number))
        for row, mine in self._near(texts, words, offsets, self._least):
            found += [(row, number) for number in self._copies(mine)]
        return sorted(found)

    def passages(self, texts: pa.Array) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """What texts have in common with all that is known, beyond turns of phrase.

        :returns: row, and the places of what it has among the sketches' values in ascending order, of each text that has at least
            :data:`LEAST_SHINGLES` of them.
        """
        for row, mine in self._near(texts, *hash_words(texts), LEAST_SHINGLES):
            at = self._shared(mine)
            if len(at) >= LEAST_SHINGLES:
                yield row, at

    def _near(
        self, texts: pa.Array, words: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64], least: int
    ) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
        """Row and shingles of each text of which at least so many are in a sketch."""
        if not len(self._values):
            return
        hits = np.empty(len(texts), dtype=np.int64)
        _hits(words, offsets, self._k0, self._k1, self._table, self._mask, hits)
        rows = np.flatnonzero(hits >= least)
        if len(rows):
            flat, bounds = shingle_sets(texts.take(pa.array(rows)))
            for i, row in enumerate(rows.tolist()):
                mine = np.unique(_siphash_all(flat[bounds[i] : bounds[i + 1]], self._k0, self._k1))
                if len(mine) >= LEAST_SHINGLES:
                    yield row, mine

    def _shared(self, mine: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Places of some shingles among the values."""
        low, high = np.searchsorted(self._values, mine, "left"), np.searchsorted(self._values, mine, "right")
        return np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low) + np.arange(
            (high - low).sum()
        )

    def _copies(self, mine: npt.NDArray[np.uint64]) -> list[int]:
        """Numbers of the sketches that a text's shingles are a copy of."""
        numbers, shared = np.unique(self._owners[self._shared(mine)], return_counts=True)
        copies = []
        for number, n in zip(numbers.tolist(), shared.tolist(), strict=True):
            one = self._known[number]
            inside = int(np.searchsorted(mine, one.bound, "right"))
            # all of the forgotten text in this one, or this one in it; the latter only where enough of it is known
            if n >= OVERLAP * len(one.values) or (inside >= LEAST_SHINGLES and n >= OVERLAP * inside):
                copies.append(number)
        return copies
