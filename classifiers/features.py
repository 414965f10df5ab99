"""From text bytes to linear scores: a compiled reading of fastText models.

fastText averages the rows of a matrix that a line's words and word n-grams point at, and multiplies by a second matrix.
Its Python binding builds a list of labels for every text, which costs more than the arithmetic. Here one kernel walks
the UTF-8 bytes of an Arrow buffer and does the same sums (``tests/classifiers/test_features.py`` holds it to
``fasttext``'s own answers), so scoring cost does not grow with the number of labels.

Hashing follows fastText's ``dictionary.cc`` (FNV-1a over *signed* chars, n-gram hashes sign-extended to 64 bits).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import fasttext
import numba
import numpy as np

from classifiers.windows import Windows

#: Goes into the version of a Scorer: change it whenever :func:`normalise_into` changes.
VERSION = "2"

_DROP, _SPACE, _ALONE = 0, 1, 2


def _byte_classes() -> np.ndarray:
    """What the normaliser does with each byte: drop it, make it a space, set it apart as a word, or write this byte."""
    table = np.arange(256, dtype=np.uint8)
    for byte in range(128):
        char = chr(byte)
        if char.isupper():
            table[byte] = ord(char.lower())
        elif char.isdigit():
            table[byte] = ord("0")
        elif not char.isalnum():
            table[byte] = _SPACE
    table[ord("'")] = _DROP
    table[ord("*")] = ord("*")  # masked swear words stay one word
    for char in "!?":
        table[ord(char)] = _ALONE
    return table


_CLASSES = _byte_classes()


@numba.njit(cache=True, nogil=True)
def normalise_into(source, start, end, target):
    """Write the normal form of ``source[start:end]`` (UTF-8) into ``target``; return the number of bytes written.

    ASCII letters become lower case, digits ``0``, ``!`` and ``?`` words of their own, other ASCII punctuation spaces.
    Apostrophes, straight or curly, vanish (``don't`` is ``dont``); other general punctuation (U+2000-U+203F) and the
    no-break space are spaces. ``target`` needs ``3 * (end - start)`` bytes.
    """
    size = 0
    i = start
    while i < end:
        byte = source[i]
        if byte < 128:
            kind = _CLASSES[byte]
            if kind > 2:
                target[size] = kind
                size += 1
            elif kind == _SPACE:
                target[size] = 32
                size += 1
            elif kind == _ALONE:
                target[size] = 32
                target[size + 1] = byte
                target[size + 2] = 32
                size += 3
            i += 1
        elif byte == 0xE2 and i + 2 < end and source[i + 1] == 0x80:
            if source[i + 2] != 0x98 and source[i + 2] != 0x99:
                target[size] = 32
                size += 1
            i += 3
        elif byte == 0xC2 and i + 1 < end and source[i + 1] == 0xA0:
            target[size] = 32
            size += 1
            i += 2
        else:
            target[size] = byte
            size += 1
            i += 1
    return size


def normalise(text: str) -> str:
    """The line fastText is trained on for this text; see :func:`normalise_into`. Words are set apart by one space."""
    raw = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8)
    target = np.empty(3 * len(raw) + 1, dtype=np.uint8)
    size = normalise_into(raw, 0, len(raw), target)
    return " ".join(filter(None, target[:size].tobytes().decode("utf-8", "replace").split(" ")))


@dataclass(frozen=True)
class Tables:
    """A fastText model laid out for the kernel.

    :param words: UTF-8 bytes of all vocabulary words, one after the other.
    :param offsets: int64, shape (words + 1,): where each word starts in ``words``.
    :param matrix: float32, shape (words + bucket, dim): the row of each word, then of each n-gram bucket.
    :param bucket: number of n-gram buckets.
    :param ngrams: longest word n-gram, 1 or 2.
    :param prior: rows of zeros averaged with a text's own, so that three words say less than three hundred. fastText
        itself has none, and calls a one-line fragment the most extreme text of all.
    """

    words: np.ndarray
    offsets: np.ndarray
    matrix: np.ndarray
    bucket: int
    ngrams: int
    prior: float = 0.0
    slots: np.ndarray = field(init=False, repr=False)
    hashes: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        slots, hashes = _index_words(self.words, self.offsets)
        object.__setattr__(self, "slots", slots)
        object.__setattr__(self, "hashes", hashes)

    @classmethod
    def from_fasttext(cls, model: fasttext.FastText._FastText) -> Tables:
        """Take over a supervised model with whole words (``maxn=0``) and ``wordNgrams`` 1 or 2."""
        arguments = model.f.getArgs()
        if arguments.maxn != 0 or arguments.wordNgrams not in (1, 2) or model.is_quantized():
            raise ValueError("needs an unquantized model with maxn=0 and wordNgrams 1 or 2")
        encoded = [word.encode("utf-8") for word in model.get_words(on_unicode_error="replace")]
        matrix = np.ascontiguousarray(model.get_input_matrix(), dtype=np.float32)
        bucket = len(matrix) - len(encoded)
        return cls(_join(encoded), _offsets(encoded), matrix, bucket, arguments.wordNgrams)

    @classmethod
    def untrained(cls, vocabulary: list[str], dim: int, bucket: int, prior: float) -> Tables:
        """Tables of zeros over a vocabulary (fastText's end of line added), with word bigrams."""
        encoded = [b"</s>", *(word.encode("utf-8") for word in vocabulary)]
        matrix = np.zeros((len(encoded) + bucket, dim), dtype=np.float32)
        return cls(_join(encoded), _offsets(encoded), matrix, bucket, 2, prior)

    @property
    def dim(self) -> int:
        """Length of a row."""
        return self.matrix.shape[1]


def _join(encoded: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(encoded), dtype=np.uint8)


def _offsets(encoded: list[bytes]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _hash(data, start, end):
    """FNV-1a as fastText has it: bytes are signed, so those above 127 flip the high bits too. A uint32 in a uint64."""
    value = np.uint64(2166136261)
    for i in range(start, end):
        byte = np.uint64(data[i])
        if byte > np.uint64(127):
            byte |= np.uint64(0xFFFFFF00)
        value = ((value ^ byte) * np.uint64(16777619)) & np.uint64(0xFFFFFFFF)
    return value


@numba.njit(cache=True, nogil=True)
def _index_words(words, offsets):
    """Open-addressing table from a word's hash to its number (or -1), at most half full."""
    count = len(offsets) - 1
    size = 16
    while size < 2 * count:
        size *= 2
    slots = np.full(size, -1, dtype=np.int32)
    hashes = np.empty(count, dtype=np.uint32)
    for word in range(count):
        value = _hash(words, offsets[word], offsets[word + 1])
        hashes[word] = value
        slot = np.int64(value) & (size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = word
    return slots, hashes


@numba.njit(cache=True, nogil=True)
def _find(data, start, end, value, words, offsets, slots, hashes):
    """Number of the word ``data[start:end]`` whose hash is ``value``, or -1."""
    mask = len(slots) - 1
    slot = np.int64(value) & mask
    while slots[slot] >= 0:
        word = slots[slot]
        if hashes[word] == value and offsets[word + 1] - offsets[word] == end - start:
            at = offsets[word]
            same = True
            for k in range(end - start):
                if words[at + k] != data[start + k]:
                    same = False
                    break
            if same:
                return np.int64(word)
        slot = (slot + 1) & mask
    return np.int64(-1)


_EOS = np.frombuffer(b"</s>", dtype=np.uint8)


@numba.njit(cache=True, nogil=True)
def rows_of_line(line, size, words, offsets, slots, hashes, bucket, ngrams, rows):
    """Matrix rows that the normalised line ``line[:size]`` points at, as fastText's ``Dictionary::getLine`` finds them.

    :param rows: int32 array to write into, with room for ``size + 3``.
    :return: how many rows, and how many of them are vocabulary words.
    """
    count = 0
    known = 0
    previous = np.uint64(0)
    first = True
    at = 0
    while True:
        while at < size and line[at] == 32:
            at += 1
        start = at
        while at < size and line[at] != 32:
            at += 1
        last = start == at
        if last:  # the end of the line is a word of its own
            value = _hash(_EOS, 0, len(_EOS))
            word = _find(_EOS, 0, len(_EOS), value, words, offsets, slots, hashes)
        else:
            value = _hash(line, start, at)
            word = _find(line, start, at, value, words, offsets, slots, hashes)
        if word >= 0:
            rows[count] = word
            count += 1
            if not last:
                known += 1
        extended = value
        if value >= np.uint64(0x80000000):
            extended = value | np.uint64(0xFFFFFFFF00000000)
        if ngrams > 1 and bucket > 0 and not first:
            mixed = previous * np.uint64(116049371) + extended
            rows[count] = len(offsets) - 1 + np.int64(mixed % np.uint64(bucket))
            count += 1
        previous = extended
        first = False
        if last:
            return count, known


@numba.njit(cache=True, nogil=True)
def _mean_of_rows(matrix, rows, count, prior, hidden):
    """Mean of ``matrix[rows[:count]]`` and ``prior`` rows of zeros, summed in order, into ``hidden``."""
    hidden[:] = np.float32(0)
    for i in range(count):
        row = rows[i]
        for d in range(hidden.shape[0]):
            hidden[d] += matrix[row, d]
    if count > 0:
        scale = np.float32(1.0 / (count + prior))
        for d in range(hidden.shape[0]):
            hidden[d] *= scale


@numba.njit(cache=True, nogil=True)
def _score(data, bounds, words, offsets, slots, hashes, matrix, bucket, ngrams, prior, output, bias, longest):
    """Logits of every window; see :func:`score_windows`."""
    heads = output.shape[1]
    logits = np.empty((len(bounds), heads), dtype=np.float32)
    known = np.zeros(len(bounds), dtype=np.int64)
    line = np.empty(longest, dtype=np.uint8)
    rows = np.empty(longest + 3, dtype=np.int32)
    hidden = np.empty(matrix.shape[1], dtype=np.float32)
    for window in range(len(bounds)):
        size = normalise_into(data, bounds[window, 0], bounds[window, 1], line)
        found, known[window] = rows_of_line(line, size, words, offsets, slots, hashes, bucket, ngrams, rows)
        _mean_of_rows(matrix, rows, found, prior, hidden)
        for head in range(heads):
            logits[window, head] = bias[head]
        for d in range(hidden.shape[0]):
            value = hidden[d]
            for head in range(heads):
                logits[window, head] += value * output[d, head]
    return logits, known


def line_rows(lines: list[str], tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    """Matrix rows of normalised lines (:func:`normalise`): int32 rows of all lines, and int64 bounds, (lines + 1,)."""
    found: list[np.ndarray] = []
    for line in lines:
        raw = np.frombuffer(line.encode("utf-8"), dtype=np.uint8)
        rows = np.empty(len(raw) + 3, dtype=np.int32)
        count, _ = rows_of_line(
            raw, len(raw), tables.words, tables.offsets, tables.slots, tables.hashes, tables.bucket, tables.ngrams, rows
        )
        found.append(rows[:count])
    bounds = np.concatenate([[0], np.cumsum([len(rows) for rows in found])]).astype(np.int64)
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int32), bounds


def score_windows(
    windows: Windows, tables: Tables, output: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear scores of windows. Each depends on its own bytes alone.

    :param output: float32, shape (dim, heads).
    :param bias: float32, shape (heads,).
    :return: float32 logits of shape (windows, heads); int64 number of vocabulary words met in each window.
    """
    longest = 3 * windows.longest + 1  # normalising at most triples it
    return _score(
        windows.data, windows.bounds, tables.words, tables.offsets, tables.slots, tables.hashes, tables.matrix,
        tables.bucket, tables.ngrams, tables.prior, output, bias, longest,
    )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def pool(probabilities, firsts, take_max):
    """Probabilities of each text from those of its windows, float32, shape (texts, heads).

    ``take_max`` heads (safety) get their highest window: one harmful page is harm. The others get the mean of the upper
    half of their windows: a chapter is as rich as its rich pages, but not as its one richest line.
    """
    texts, heads = len(firsts) - 1, probabilities.shape[1]
    result = np.empty((texts, heads), dtype=np.float32)
    for text in range(texts):
        count = firsts[text + 1] - firsts[text]
        upper = (count + 1) // 2
        values = np.empty(count, dtype=np.float64)
        for head in range(heads):
            for window in range(count):
                values[window] = probabilities[firsts[text] + window, head]
            if take_max[head]:
                result[text, head] = values.max()
            elif count == 1:
                result[text, head] = values[0]
            else:
                values.sort()
                total = 0.0
                for window in range(count - upper, count):
                    total += values[window]
                result[text, head] = total / upper
    return result
