"""MinHash signatures of a batch, and the exact Jaccard similarity that verifies what they propose.

Signature: 112 minima of multiply-shift hashes over the set of 5-word shingles, cut into 16 bands of 7 (Broder 1997; Leskovec,
Rajaraman, Ullman, *Mining of Massive Datasets*, ch. 3). A pair of similarity s shares a band with probability
1 - (1 - s^7)^16: .98 at .8, .75 at .7, .12 at .5. The many false candidates of that choice are cheap, because every candidate is
verified on the full shingle sets before anything is merged.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.words import WORDS_VERSION, hash_words, mix64

SHINGLE = 5
BANDS = 16
ROWS = 7
PERMUTATIONS = BANDS * ROWS
#: Raise when signatures of the same text change.
MINHASH_VERSION = f"1.{WORDS_VERSION}"

_seed = np.frombuffer(hashlib.shake_128(b"wellmix-minhash-1").digest(PERMUTATIONS * 16), dtype=np.uint64)
_A = _seed[:PERMUTATIONS] | np.uint64(1)
_B = _seed[PERMUTATIONS:].copy()
_ROLL = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _shingle_hash(words, start, length):
    h = np.uint64(length)
    for k in range(length):
        h = (h ^ words[start + k]) * _ROLL
        h ^= h >> np.uint64(29)
    return mix64(h)


@njit(cache=True, nogil=True)
def _shingles(words, start, stop, out):
    """Write the shingle hashes of one text to ``out``; a text shorter than a shingle is one shingle. Returns how many."""
    n_words = stop - start
    if n_words == 0:
        return 0
    if n_words < SHINGLE:
        out[0] = _shingle_hash(words, start, n_words)
        return 1
    n = n_words - SHINGLE + 1
    for j in range(n):
        out[j] = _shingle_hash(words, start + j, SHINGLE)
    return n


@njit(cache=True, nogil=True)
def _signatures(words, offsets, a, b, bands, exact, scratch):
    minima = np.empty(PERMUTATIONS, dtype=np.uint32)
    for doc in range(len(offsets) - 1):
        start, stop = offsets[doc], offsets[doc + 1]
        n = _shingles(words, start, stop, scratch)
        whole = np.uint64(stop - start)
        for j in range(start, stop):
            whole = mix64(whole ^ words[j]) + _ROLL
        exact[doc] = whole
        for p in range(PERMUTATIONS):
            minima[p] = np.uint32(0xFFFFFFFF)
        for j in range(n):
            x = scratch[j]
            for p in range(PERMUTATIONS):
                h = np.uint32((a[p] * x + b[p]) >> np.uint64(32))
                minima[p] = min(minima[p], h)
        for band in range(BANDS):
            key = np.uint64(band + 1)
            for r in range(ROWS):
                key = mix64(key ^ np.uint64(minima[band * ROWS + r])) + _ROLL
            bands[doc, band] = key


def signatures(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Sign a batch.

    :param texts: n strings.
    :returns: ``bands`` uint64 (n, 16), LSH keys; ``exact`` uint64 (n), hash of the word sequence, equal for texts that differ
        only in case, punctuation and spacing; ``n_words`` int32 (n).
    """
    words, offsets = hash_words(texts)
    counts = np.diff(offsets)
    n = len(texts)
    bands = np.empty((n, BANDS), dtype=np.uint64)
    exact = np.empty(n, dtype=np.uint64)
    scratch = np.empty(max(1, int(counts.max(initial=0))), dtype=np.uint64)
    _signatures(words, offsets, _A, _B, bands, exact, scratch)
    return bands, exact, counts.astype(np.int32)


@njit(cache=True, nogil=True)
def _all_shingles(words, offsets, out, out_offsets):
    n = 0
    for doc in range(len(offsets) - 1):
        out_offsets[doc] = n
        m = _shingles(words, offsets[doc], offsets[doc + 1], out[n:])
        # sorted and unique, so that two sets intersect by one merge
        part = np.sort(out[n : n + m])
        k = 0
        for j in range(m):
            if j == 0 or part[j] != part[j - 1]:
                out[n + k] = part[j]
                k += 1
        n += k
    out_offsets[len(offsets) - 1] = n
    return n


def shingle_sets(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Sorted unique shingle hashes of each text: flat uint64, and int64 (n + 1) offsets."""
    words, offsets = hash_words(texts)
    out = np.empty(len(words) + len(texts) + 1, dtype=np.uint64)
    out_offsets = np.empty(len(texts) + 1, dtype=np.int64)
    n = _all_shingles(words, offsets, out, out_offsets)
    return out[:n], out_offsets


@njit(cache=True, nogil=True)
def _jaccard(left, left_offsets, right, right_offsets, a, b, out):
    for e in range(len(a)):
        i, i_end = left_offsets[a[e]], left_offsets[a[e] + 1]
        j, j_end = right_offsets[b[e]], right_offsets[b[e] + 1]
        total = (i_end - i) + (j_end - j)
        shared = 0
        while i < i_end and j < j_end:
            x, y = left[i], right[j]
            if x == y:
                shared += 1
                i += 1
                j += 1
            elif x < y:
                i += 1
            else:
                j += 1
        out[e] = shared / (total - shared) if total > shared else 0.0


def jaccard(
    left: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]],
    right: tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Exact Jaccard similarity of pairs of shingle sets.

    :param left, right: as :func:`shingle_sets` returns them (they may be the same).
    :param a, b: int64 (m) positions in ``left`` and in ``right``.
    :returns: float64 (m), 0 to 1; two empty sets have 0.
    """
    out = np.empty(len(a), dtype=np.float64)
    _jaccard(left[0], left[1], right[0], right[1], a, b, out)
    return out
