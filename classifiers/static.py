"""The static tier: a table of word-piece vectors, averaged, with a small perceptron behind it.

The table is what sentence-transformers calls a ``StaticEmbedding`` (one vector a word piece, no attention; the idea of
model2vec, Tulkens and van Dongen 2024): it starts as MiniLM's own vectors of single word pieces and is then trained
further on the teacher's labels (:mod:`classifiers.distil`). Beside the mean goes the highest value of each dimension,
so that one word can speak out of a long window. Kept in eight bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from classifiers.encoder import Perceptron


@dataclass(frozen=True)
class Static:
    """A trained static model.

    :param table: int8, shape (word pieces, dim).
    :param scale: float32, shape (word pieces,): what a row of the table is multiplied by.
    :param heads: on ``2 * dim + 1`` features: mean, maximum, and the logarithm of the number of word pieces.
    """

    table: np.ndarray
    scale: np.ndarray
    heads: Perceptron

    def logits(self, ids: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        """Logits of windows, float32, shape (windows, heads); a row depends on its own window alone.

        :param ids: uint32 word pieces of all windows, without special ones.
        :param bounds: int64, shape (windows + 1,).
        """
        heads = self.heads
        return _logits(
            ids, bounds, self.table, self.scale, heads.direct, heads.hidden, heads.hidden_bias, heads.output, heads.bias
        )


def quantised(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A float table as int8 rows and their scales."""
    scale = np.maximum(np.abs(table).max(axis=1), 1e-8).astype(np.float32) / 127
    return np.round(table / scale[:, None]).astype(np.int8), scale


@numba.njit(cache=True, nogil=True)
def _logits(ids, bounds, table, scale, direct, hidden, hidden_bias, output, bias):
    dim, size, heads = table.shape[1], hidden.shape[1], output.shape[1]
    result = np.empty((len(bounds) - 1, heads), dtype=np.float32)
    features = np.empty(2 * dim + 1, dtype=np.float32)
    inner = np.empty(size, dtype=np.float32)
    for window in range(len(bounds) - 1):
        count = bounds[window + 1] - bounds[window]
        features[:] = np.float32(0)
        if count > 0:
            features[dim : 2 * dim] = np.float32(-1e30)
        for i in range(bounds[window], bounds[window + 1]):
            row = ids[i]
            factor = scale[row]
            for d in range(dim):
                value = factor * np.float32(table[row, d])
                features[d] += value
                features[dim + d] = max(features[dim + d], value)
        if count > 0:
            share = np.float32(1.0 / count)
            for d in range(dim):
                features[d] *= share
        features[2 * dim] = np.float32(np.log(1.0 + count) / 6.0)
        inner[:] = hidden_bias
        result[window] = bias
        for d in range(2 * dim + 1):
            value = features[d]
            for k in range(size):
                inner[k] += value * hidden[d, k]
            for head in range(heads):
                result[window, head] += value * direct[d, head]
        for k in range(size):
            if inner[k] > 0:
                for head in range(heads):
                    result[window, head] += inner[k] * output[k, head]
    return result
