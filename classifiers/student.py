"""Training of the student: fastText's model and update rule, with soft and missing labels.

The model is fastText's (Joulin et al. 2016): averaged rows of words and hashed bigrams, then a linear layer with one
logistic output a label (``loss='ova'``). The ``fasttext`` library itself cannot train it here: it takes hard labels
only, reads a label that is not named as false, and with ``thread=1``, the only way to the same weights twice, leaves
nine tenths of the input matrix uninitialised (``DenseMatrix::uniform`` fills one block of ten).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numba
import numpy as np

from classifiers.features import Tables, line_rows

#: Bytes of the longest word kept.
LONGEST_WORD = 30


@dataclass(frozen=True)
class Settings:
    """How a student is trained.

    :param dim: length of a row.
    :param bucket: hashed bigrams.
    :param vocabulary: most words kept.
    :param min_count: fewest texts that hold a word for it to be kept.
    :param epochs: passes over the examples.
    :param rate: learning rate, falling linearly to zero.
    :param dropout: part of a text's rows left out at each visit; the student must not lean on single words.
    :param prior: rows of zeros averaged with each text's own, see :class:`classifiers.features.Tables`.
    """

    dim: int = 48
    bucket: int = 65_536
    vocabulary: int = 40_000
    min_count: int = 5
    epochs: int = 16
    rate: float = 0.7
    dropout: float = 0.3
    prior: float = 20.0


@dataclass
class Student:
    """A trained model: ``tables`` (rows), ``output`` float32 (dim, heads) and ``bias`` float32 (heads,)."""

    tables: Tables
    output: np.ndarray
    bias: np.ndarray

    def logits(self, lines: list[str]) -> np.ndarray:
        """Uncalibrated scores of normalised lines, float32, shape (lines, heads)."""
        rows, bounds = line_rows(lines, self.tables)
        return _forward(rows, bounds, self.tables.matrix, self.tables.prior, self.output, self.bias)


def vocabulary_of(lines: list[str], settings: Settings) -> list[str]:
    """The commonest words of normalised lines, commonest first; ties in alphabetical order."""
    # A word that few texts hold may be somebody's name; a very long one is a key, a link or noise.
    counts = Counter(word for line in lines for word in set(line.split(" ")) if 0 < len(word.encode()) <= LONGEST_WORD)
    common = [(word, count) for word, count in counts.items() if count >= settings.min_count]
    common.sort(key=lambda pair: (-pair[1], pair[0]))
    return [word for word, _ in common[: settings.vocabulary]]


def train_student(
    lines: list[str],
    targets: np.ndarray,
    weights: np.ndarray,
    settings: Settings,
    seed: int,
    vocabulary: list[str],
    start: np.ndarray | None = None,
) -> Student:
    """Stochastic gradient descent over the examples, one thread, reproducible.

    :param lines: normalised texts.
    :param targets: float32 probabilities, shape (lines, heads); NaN where unknown.
    :param weights: float32, shape (lines,): how much each example counts.
    :param start: float32 initial rows of the vocabulary, shape (words, dim); random when None.
    """
    tables = Tables.untrained(vocabulary, settings.dim, settings.bucket, settings.prior)
    random = np.random.default_rng(seed)
    words = len(vocabulary)
    if start is None:
        start = random.uniform(-1.0 / settings.dim, 1.0 / settings.dim, (words, settings.dim))
    tables.matrix[1 : words + 1] = start  # row 0 is the end of the line; bigrams start at nothing
    output = np.zeros((settings.dim, targets.shape[1]), dtype=np.float32)
    known = np.maximum((~np.isnan(targets)).sum(axis=0), 1)
    means = np.clip(np.nansum(targets, axis=0) / known, 0.01, 0.99)
    bias = np.log(means / (1.0 - means)).astype(np.float32)
    rows, bounds = line_rows(lines, tables)
    order = np.concatenate([random.permutation(len(lines)) for _ in range(settings.epochs)])
    _descend(
        rows, bounds, order, targets, weights, tables.matrix, output, bias,
        settings.rate, settings.dropout, settings.prior, int(random.integers(1, 2**62)),
    )  # fmt: skip
    return Student(tables, output, bias)


# Sums may be reordered so that they vectorise: weights are reproducible on one kind of processor, scores on all.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc"})
def _descend(rows, bounds, order, targets, weights, matrix, output, bias, rate, dropout, prior, seed):
    dim, heads = output.shape
    hidden = np.empty(dim, dtype=np.float32)
    slope = np.empty(dim, dtype=np.float32)
    values = np.empty(heads, dtype=np.float32)
    errors = np.empty(heads, dtype=np.float32)
    kept = np.empty(np.max(bounds[1:] - bounds[:-1]), dtype=np.int32)
    limit = np.uint64(dropout * 4294967296.0)
    state = np.uint64(seed)
    for step in range(len(order)):
        example = order[step]
        speed = np.float32(rate * (1.0 - step / len(order))) * weights[example]
        count = 0
        for i in range(bounds[example], bounds[example + 1]):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            if (state >> np.uint64(32)) >= limit:
                kept[count] = rows[i]
                count += 1
        if count == 0:
            continue
        hidden[:] = np.float32(0)
        for i in range(count):
            for d in range(dim):
                hidden[d] += matrix[kept[i], d]
        for d in range(dim):
            hidden[d] /= np.float32(count + prior)
        values[:] = bias
        for d in range(dim):
            for head in range(heads):
                values[head] += hidden[d] * output[d, head]
        for head in range(heads):
            target = targets[example, head]
            errors[head] = np.float32(0)
            if not np.isnan(target):
                errors[head] = speed * (target - np.float32(1.0) / (np.float32(1.0) + np.exp(-values[head])))
            bias[head] += errors[head] * np.float32(0.1)
        for d in range(dim):
            total = np.float32(0)
            for head in range(heads):
                total += errors[head] * output[d, head]
                output[d, head] += errors[head] * hidden[d]
            slope[d] = total
        for d in range(dim):
            slope[d] /= np.float32(count + prior)
        for i in range(count):
            for d in range(dim):
                matrix[kept[i], d] += slope[d]


@numba.njit(cache=True, nogil=True)
def _forward(rows, bounds, matrix, prior, output, bias):
    logits = np.empty((len(bounds) - 1, output.shape[1]), dtype=np.float32)
    hidden = np.empty(matrix.shape[1], dtype=np.float32)
    for text in range(len(bounds) - 1):
        hidden[:] = np.float32(0)
        count = bounds[text + 1] - bounds[text]
        for i in range(bounds[text], bounds[text + 1]):
            for d in range(len(hidden)):
                hidden[d] += matrix[rows[i], d]
        logits[text] = bias
        for d in range(len(hidden)):
            value = hidden[d] / np.float32(max(count + prior, 1))
            for head in range(output.shape[1]):
                logits[text, head] += value * output[d, head]
    return logits
