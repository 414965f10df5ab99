"""Words of a batch of texts as 64-bit hashes: the common ground of MinHash, exact duplicates and n-gram overlap.

The kernel walks the UTF-8 bytes of an Arrow string array once. A word is a run of letters, digits and marks; everything else
separates. Han, Hiragana, Katakana and Thai characters, which no space separates, are a word each. Case is folded for ASCII,
Latin-1, Greek and Cyrillic. Punctuation, case and white space therefore do not matter to anything built on these hashes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

#: Raise when the hash of a text may change: signatures, clusters and hash lists are keyed by it.
WORDS_VERSION = 1

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)


def utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Bytes and offsets of a string array, without copying the bytes.

    :param texts: ``pa.string()`` or ``pa.large_string()``, n values; null counts as empty.
    :returns: uint8 (total bytes), int64 (n + 1) offsets into it.
    """
    wide = pa.types.is_large_string(texts.type)
    _, offsets_buffer, data_buffer = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64 if wide else np.int32)[
        texts.offset : texts.offset + len(texts) + 1
    ]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    return data, offsets.astype(np.int64)


@njit(cache=True, nogil=True, inline="always")
def mix64(x):
    """Final mixer of MurmurHash3 (Appleby): every input bit reaches every output bit."""
    x ^= x >> np.uint64(33)
    x *= MIX_1
    x ^= x >> np.uint64(33)
    x *= MIX_2
    x ^= x >> np.uint64(33)
    return x


@njit(cache=True, nogil=True)
def _classify(c):
    """0 separates, 1 is part of a word, 2 is a word by itself."""
    if c < 0x80:
        return 1 if (0x61 <= c <= 0x7A) or (0x30 <= c <= 0x39) or (0x41 <= c <= 0x5A) else 0
    if c < 0xC0:
        return 1 if c == 0xAA or c == 0xB5 or c == 0xBA else 0
    if c == 0xD7 or c == 0xF7:
        return 0
    if c < 0x0E00:
        return 1
    if (
        c <= 0x0E7F
        or 0x3041 <= c <= 0x30FF
        or 0x3400 <= c <= 0x4DBF
        or 0x4E00 <= c <= 0x9FFF
        or 0x20000 <= c <= 0x3FFFF
    ):
        return 2
    if 0x2000 <= c <= 0x2BFF or 0x2E00 <= c <= 0x2E7F or 0x3000 <= c <= 0x3040 or 0xFE00 <= c <= 0xFE6F:
        return 0
    if 0xFF00 <= c <= 0xFF0F or 0xFF1A <= c <= 0xFF20 or c == 0xFEFF or c == 0xFFFD or 0x1F000 <= c <= 0x1FAFF:
        return 0
    return 1


@njit(cache=True, nogil=True)
def _fold(c):
    if 0x41 <= c <= 0x5A or (0xC0 <= c <= 0xDE and c != 0xD7) or 0x391 <= c <= 0x3A9 or 0x410 <= c <= 0x42F:
        return c + 0x20
    if 0x400 <= c <= 0x40F:
        return c + 0x50
    return c


#: For each ASCII byte its folded letter or digit, 0 for a separator, 1 for the apostrophe.
_ASCII = np.array(
    [1 if c == 0x27 else _fold.py_func(c) if _classify.py_func(c) == 1 else 0 for c in range(0x80)], dtype=np.uint8
)


@njit(cache=True, nogil=True)
def _hash_words(data, offsets, hashes, word_offsets):
    n = 0
    for doc in range(len(offsets) - 1):
        word_offsets[doc] = n
        h = FNV_OFFSET
        inside = False
        i = offsets[doc]
        end = offsets[doc + 1]
        while i < end:
            byte = data[i]
            if byte < 0x80:  # nearly every byte of most texts: one look-up, no decoding
                folded = _ASCII[byte]
                i += 1
                if folded > 1:
                    h = (h ^ np.uint64(folded)) * FNV_PRIME
                    inside = True
                elif inside and folded == 0:
                    hashes[n] = mix64(h)
                    n += 1
                    h = FNV_OFFSET
                    inside = False
                continue
            c = np.int64(byte)
            step = 1
            if c >= 0xF0 and i + 3 < end:
                c = (
                    ((c & 0x07) << 18)
                    | ((np.int64(data[i + 1]) & 0x3F) << 12)
                    | ((np.int64(data[i + 2]) & 0x3F) << 6)
                    | (np.int64(data[i + 3]) & 0x3F)
                )
                step = 4
            elif 0xE0 <= c < 0xF0 and i + 2 < end:
                c = ((c & 0x0F) << 12) | ((np.int64(data[i + 1]) & 0x3F) << 6) | (np.int64(data[i + 2]) & 0x3F)
                step = 3
            elif 0xC0 <= c < 0xE0 and i + 1 < end:
                c = ((c & 0x1F) << 6) | (np.int64(data[i + 1]) & 0x3F)
                step = 2
            # An apostrophe between letters belongs to neither side and does not separate: don't = dont = don’t.
            if inside and c == 0x2019:
                i += step
                continue
            kind = _classify(c)
            if kind == 1:
                h = (h ^ np.uint64(_fold(c))) * FNV_PRIME
                inside = True
            else:
                if inside:
                    hashes[n] = mix64(h)
                    n += 1
                    h = FNV_OFFSET
                    inside = False
                if kind == 2:
                    hashes[n] = mix64((FNV_OFFSET ^ np.uint64(c)) * FNV_PRIME)
                    n += 1
            i += step
        if inside:
            hashes[n] = mix64(h)
            n += 1
    word_offsets[len(offsets) - 1] = n
    return n


def hash_words(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hash every word of every text.

    :param texts: n strings.
    :returns: uint64 hashes of all words in order, and int64 (n + 1) offsets: text i has ``hashes[offsets[i]:offsets[i+1]]``.
    """
    data, offsets = utf8(texts)
    # A word takes at least two bytes (itself and a separator), but for the last of each text.
    hashes = np.empty((int(offsets[-1] - offsets[0]) // 2 + len(texts) + 1), dtype=np.uint64)
    word_offsets = np.empty(len(texts) + 1, dtype=np.int64)
    n = _hash_words(data, offsets, hashes, word_offsets)
    return hashes[:n], word_offsets


@njit(cache=True, nogil=True)
def _mix_texts(data, offsets, out):
    for doc in range(len(offsets) - 1):
        start, stop = offsets[doc], offsets[doc + 1]
        h = mix64(out[doc] ^ np.uint64(stop - start))
        i = start
        while i < stop:
            part = np.uint64(0)
            for k in range(min(8, stop - i)):
                part |= np.uint64(data[i + k]) << np.uint64(8 * k)
            h = mix64(h ^ part) + MIX_1
            i += 8
        out[doc] = h


def hash_rows(columns: list[pa.Array]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each row over string columns, of every byte: tells whether a row changed, and is no defence against forgery.

    :param columns: n strings each, of one length.
    :returns: uint64 (n).
    """
    out = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        data, offsets = utf8(column)
        _mix_texts(data, offsets, out)
    return out


@njit(cache=True, nogil=True)
def _mix_array(x, salt, out):
    for i in range(len(x)):
        out[i] = mix64(mix64(x[i] ^ salt) + salt)


def mix_ids(ids: npt.NDArray[np.uint64], salt: int) -> npt.NDArray[np.uint64]:
    """A second, independent 64-bit hash of 64-bit ids: what sampling and shuffling compare with rates.

    :param salt: any integer; different salts give independent hashes.
    """
    seed = np.uint64(int.from_bytes(hashlib.blake2b(str(salt).encode(), digest_size=8).digest(), "little"))
    out = np.empty(len(ids), dtype=np.uint64)
    _mix_array(np.ascontiguousarray(ids, dtype=np.uint64), seed, out)
    return out
