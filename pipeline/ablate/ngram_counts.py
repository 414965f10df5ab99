"""Counting for the n-gram proxy: which n-grams of held-out text occur in a pool of documents, how often, and how early.

Only n-grams of the held-out text are counted, because no others are ever asked for. They form a trie that is read from right to left:
the row of an n-gram is found from the row of its last n - 1 tokens and the one token before them. That pair is a 48-bit key, so
look-ups are exact: no two n-grams collide. While a pool is scanned, the walk for a position ends at the first n-gram that the held-out
text does not have.

A mix takes a prefix of a pool, so a count is kept as a step function of that prefix: the bins of :func:`cuts`, closer together the
shorter the prefix, in which the n-gram occurs, and how often there. An n-gram seen once is one step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.words import mix64

#: Cuts of a pool: bin b is a prefix of 2^(-(BINS - b) / BINS_PER_OCTAVE) of its tokens, bin 0 is nothing, bin BINS is all of it.
BINS = 192
BINS_PER_OCTAVE = 16

_EMPTY = np.uint64(0)
_NO_ROW = np.int32(-1)
#: Share of a hash table that may be full.
_FULL = 0.6


@dataclass(frozen=True, eq=False)
class Trie:
    """The n-grams of held-out text, n = 0 (the empty one, row 0) to the order. Rows of a shorter n-gram come before those of a longer one.

    :param suffix: (rows,) int32, the row without the first token; row 0 for one token.
    :param context: (rows,) int32, the row without the last token.
    :param length: (rows,) int8.
    :param at: (positions, order) int32, the row of the n-gram that ends at each position of :func:`with_starts`, -1 where
        the document is too short for one.
    :param first: (vocabulary,) int32, the row of a single token, -1 where the held-out text lacks it.
    :param keys, values: hash table from ``suffix row << 16 | token before`` (plus one) to a row.
    """

    suffix: npt.NDArray[np.int32]
    context: npt.NDArray[np.int32]
    length: npt.NDArray[np.int8]
    at: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]
    values: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Steps:
    """Occurrences of rows in a pool, in the order in which they are found.

    :param row: (steps,) int32.
    :param bin: (steps,) uint8, the first cut whose prefix has them; for each row ascending, and no bin twice.
    :param count: (steps,) float32, occurrences between the cut before and this one.
    """

    row: npt.NDArray[np.int32]
    bin: npt.NDArray[np.uint8]
    count: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Followers:
    """Distinct tokens after each context in a pool.

    :param context: (pairs,) int32, a row.
    :param token: (pairs,) uint16; each pair once.
    :param bin: (pairs,) uint8, the first cut whose prefix has the pair.
    """

    context: npt.NDArray[np.int32]
    token: npt.NDArray[np.uint16]
    bin: npt.NDArray[np.uint8]


def with_starts(
    tokens: npt.NDArray[np.uint16], starts: npt.NDArray[np.int64], eos: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Documents with the end token before each as well: what the first token of a document is predicted from.

    :returns: tokens (tokens + documents,) and offsets (documents + 1,).
    """
    offsets = starts + np.arange(len(starts), dtype=np.int64)
    out = np.full(int(offsets[-1]), eos, dtype=np.uint16)
    inside = np.ones(len(out), dtype=bool)
    inside[offsets[:-1]] = False
    out[inside] = tokens
    return out, offsets


def build_trie(tokens: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64], order: int, vocab_size: int) -> Trie:
    """The n-grams of documents as :func:`with_starts` lays them out.

    :param order: length of the longest n-grams, at least 1.
    """
    n = len(tokens)
    depth = np.arange(n, dtype=np.int64) - np.repeat(offsets[:-1], np.diff(offsets)) + 1
    at = np.full((n, order), _NO_ROW, dtype=np.int32)
    suffix, context, length = [np.zeros(1, np.int32)], [np.full(1, _NO_ROW)], [np.zeros(1, np.int8)]
    keys: list[npt.NDArray[np.uint64]] = []
    rows = 1
    first = np.full(vocab_size, _NO_ROW, dtype=np.int32)
    for k in range(order):
        here = np.flatnonzero(depth > k)
        shorter = at[here, k - 1].astype(np.int64) if k else np.zeros(len(here), np.int64)
        unique, where, row = np.unique(
            (shorter << 16) | tokens[here - k].astype(np.int64), return_index=True, return_inverse=True
        )
        at[here, k] = rows + row
        suffix.append((unique >> 16).astype(np.int32))
        # The virtual end token before a document is a context and has none itself: only single tokens can end there.
        before = at[here[where] - 1, k - 1] if k else np.zeros(len(unique), np.int32)
        context.append(before.astype(np.int32))
        length.append(np.full(len(unique), k + 1, np.int8))
        if k:
            keys.append((unique + 1).astype(np.uint64))
        else:
            first[unique] = rows + np.arange(len(unique))
        rows += len(unique)
    all_keys = np.concatenate(keys) if keys else np.zeros(0, np.uint64)
    table = np.zeros(_table_size(len(all_keys)), np.uint64)
    values = np.full(len(table), _NO_ROW, np.int32)
    _fill(all_keys, np.int32(rows - len(all_keys)), table, values)
    return Trie(np.concatenate(suffix), np.concatenate(context), np.concatenate(length), at, first, table, values)


def drawn(starts: npt.NDArray[np.int64], part: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Documents in prefixes of a pool. One is in if its middle is, so the tokens are as near to what was asked as whole documents can be.

    :param starts: (documents + 1,) offsets.
    :param part: shares of the pool's tokens, 0 to 1, any shape.
    :returns: as many documents from the first on; of the shape of ``part``.
    """
    middles = (starts[:-1] + starts[1:]) / 2.0
    return np.searchsorted(middles, part * float(starts[-1]), side="left").astype(np.int64)


def cuts(starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Documents in the prefix of each bin: (BINS + 1,) int64."""
    share = 2.0 ** ((np.arange(BINS + 1) - BINS) / BINS_PER_OCTAVE)
    share[0] = 0.0
    return drawn(starts, share)


class Counter:
    """Counts the n-grams of a trie in one pool after another.

    :param trie: from :func:`build_trie`.
    """

    def __init__(self, trie: Trie) -> None:
        self._trie = trie
        self._is_context = np.zeros(len(trie.suffix), dtype=np.bool_)
        self._is_context[trie.context[1:]] = True
        # A context and a token that the held-out text never has after it, with the last pool that had both.
        self._followers = np.zeros(1 << 16, dtype=np.uint64)
        self._stored = 0
        self._pool = 0

    def count(
        self, tokens: npt.NDArray[np.uint16], offsets: npt.NDArray[np.int64], cut: npt.NDArray[np.int64]
    ) -> tuple[Steps, Followers]:
        """Count one pool, laid out as :func:`with_starts` does; its documents in the order of the draw.

        :param cut: from :func:`cuts`.
        """
        self._pool += 1
        documents = len(offsets) - 1
        bins = np.searchsorted(cut, np.arange(documents), side="right").astype(np.uint8)
        rows, order = len(self._trie.suffix), self._trie.at.shape[1]
        seen = np.zeros(rows, dtype=np.bool_)
        last = np.full(rows, -1, dtype=np.int64)
        longest = int(np.diff(offsets).max(initial=0)) * (order + 1)
        steps = _Buffer([np.int32, np.uint8, np.float32])
        followers = _Buffer([np.int32, np.uint16, np.uint8])
        document = 0
        while document < documents:
            steps.reserve(longest)
            followers.reserve(longest)
            if self._stored + longest > _FULL * len(self._followers):
                larger = np.zeros(_table_size(max(2 * self._stored, self._stored + longest)), dtype=np.uint64)
                _rehash(self._followers, larger)
                self._followers = larger
            document, steps.used, followers.used, self._stored = _scan(
                tokens,
                offsets,
                bins,
                document,
                np.uint64(self._pool),
                order,
                self._trie.first,
                self._trie.keys,
                self._trie.values,
                self._is_context,
                seen,
                last,
                self._followers,
                self._stored,
                int(_FULL * len(self._followers)),
                steps.columns[0],
                steps.columns[1],
                steps.columns[2],
                steps.used,
                followers.columns[0],
                followers.columns[1],
                followers.columns[2],
                followers.used,
            )
        return Steps(*steps.filled()), Followers(*followers.filled())


class _Buffer:
    """Columns that grow together."""

    def __init__(self, types: list[type]) -> None:
        self.columns: list[npt.NDArray] = [np.empty(1 << 16, kind) for kind in types]
        self.used = 0

    def reserve(self, more: int) -> None:
        """Make room for ``more`` rows."""
        if self.used + more > len(self.columns[0]):
            size = 2 * (self.used + more)
            self.columns = [
                np.concatenate([old[: self.used], np.empty(size - self.used, old.dtype)]) for old in self.columns
            ]

    def filled(self) -> list[npt.NDArray]:
        return [column[: self.used] for column in self.columns]


def _table_size(entries: int) -> int:
    return 1 << max(4, int(entries / _FULL).bit_length())


@njit(cache=True, nogil=True)
def _fill(keys, first_value, table, values):
    mask = np.uint64(len(table) - 1)
    for i in range(len(keys)):
        slot = mix64(keys[i]) & mask
        while table[slot] != _EMPTY:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = keys[i]
        values[slot] = first_value + i


@njit(cache=True, nogil=True)
def _rehash(old, new):
    mask = np.uint64(len(new) - 1)
    for i in range(len(old)):
        if old[i] != _EMPTY:
            slot = mix64(old[i] >> np.uint64(16)) & mask
            while new[slot] != _EMPTY:
                slot = (slot + np.uint64(1)) & mask
            new[slot] = old[i]


@njit(cache=True, nogil=True)
def _scan(
    tokens,
    offsets,
    bins,
    document,
    pool,
    order,
    first,
    keys,
    values,
    is_context,
    seen,
    last,
    followers,
    stored,
    room,
    c_row,
    c_bin,
    c_value,
    c_used,
    f_context,
    f_token,
    f_bin,
    f_used,
):
    """Scan documents from ``document`` on until all are done or a buffer might overflow.

    :returns: the document it stopped before, and how much of the three buffers is used.
    """
    mask = np.uint64(len(keys) - 1)
    follower_mask = np.uint64(len(followers) - 1)
    chain = np.zeros(order + 1, np.int32)  # rows that end at this position, by length; the empty n-gram first
    before = np.zeros(order + 1, np.int32)  # the same of the position before it
    while document < len(offsets) - 1:
        start, stop = offsets[document], offsets[document + 1]
        most = (stop - start) * (order + 1)
        if c_used + most > len(c_row) or f_used + most > len(f_context) or stored + most > room:
            break
        bin_ = bins[document]
        before[1] = first[tokens[start]]
        reach = 1 if before[1] >= 0 else 0  # length of the longest row that ends before this position
        for i in range(start + 1, stop):
            token = tokens[i]
            # The walk from right to left: the last token, the two last tokens, ...
            depth = 0
            row = first[token]
            while row >= 0:
                depth += 1
                chain[depth] = row
                if depth == order or i - depth < start:
                    break
                key = ((np.uint64(row) << np.uint64(16)) | np.uint64(tokens[i - depth])) + np.uint64(1)
                slot = mix64(key) & mask
                while keys[slot] != _EMPTY and keys[slot] != key:
                    slot = (slot + np.uint64(1)) & mask
                row = values[slot] if keys[slot] == key else np.int32(-1)
            # Is the token new after each of its contexts? The row of length n before it is the context of the row of length n + 1.
            for n in range(min(reach, order - 1) + 1):
                context = before[n]
                if not is_context[context]:
                    continue
                if n < depth:
                    new = not seen[chain[n + 1]]
                else:
                    pair = ((np.uint64(context) << np.uint64(16)) | np.uint64(token)) + np.uint64(1)
                    slot = mix64(pair) & follower_mask
                    while followers[slot] != _EMPTY and (followers[slot] >> np.uint64(16)) != pair:
                        slot = (slot + np.uint64(1)) & follower_mask
                    mark = (pair << np.uint64(16)) | pool
                    new = followers[slot] != mark
                    if followers[slot] == _EMPTY:
                        stored += 1
                    followers[slot] = mark
                if new:
                    f_context[f_used] = context
                    f_token[f_used] = token
                    f_bin[f_used] = bin_
                    f_used += 1
            for n in range(depth + 1):
                row = chain[n]
                seen[row] = True
                at = last[row]
                if at >= 0 and c_bin[at] == bin_:
                    c_value[at] += np.float32(1)
                else:
                    last[row] = c_used
                    c_row[c_used] = row
                    c_bin[c_used] = bin_
                    c_value[c_used] = 1
                    c_used += 1
            chain, before = before, chain
            reach = depth
        document += 1
    return document, c_used, f_used, stored
