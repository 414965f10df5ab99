"""An n-gram language model as the proxy of an ablation: trained once, it scores a thousand mixes in seconds.

Every domain's pool is counted once. A mix takes ``r`` epochs of each pool: whole copies and a prefix, documents in their order there.
The counts of the mix are then sums over pools, and the loss on held-out text follows for any ``r`` without another look at a text.

**Model.** Interpolation after Witten and Bell (1991, method C; Chen and Goodman 1999, section 2.5), with a factor by order::

    P_n(w | h) = (1 - L) c(hw) / c(h) + L P_{n-1}(w | h'),   L = g_n T(h) / (u(h) + g_n T(h)),   P_0 = 1 / vocabulary

``c`` counts occurrences, ``T(h)`` the distinct tokens after context ``h``; ``h'`` is ``h`` without its first token. Where ``c(h)`` is 0,
``L`` is 1. ``u`` is ``c`` with repeated text discounted (below). An end token stands before each document as well, the context of its
first token; n-grams do not cross documents. With ``g`` = 1, 2, 4, 8, 8, ... the model is as good as interpolated Kneser-Ney of discount
.75; plain Witten-Bell (all 1) needs 8 % more bits. Kneser-Ney itself will not do: its lower orders count types, no sums over pools.

**Counts of a mix are exact, not expected.** In expectation they are linear in ``r``, but the loss is not linear in counts: an n-gram
that is in one of ten mixes would be in each of them, a tenth of it. So what is kept is when in its pool each n-gram occurs (see
:mod:`pipeline.ablate.ngram_counts`). The prefix a mix draws is taken to the nearest of 192 cuts, a ratio of 2.2 % at most unless
documents are longer than that, and its counts are scaled back. Which tokens follow a context in a mix is exact as well, because for
tokens that several pools have there the first cut in each is kept.

**Repeated text.** Copies count in ``c``: they shift the model towards their domain. How much surer they make it is ``repeats``, the R*
of Muennighoff et al. (2023, *Scaling Data-Constrained Language Models*): ``r`` epochs count in ``u`` as
``1 + R* (1 - exp(-(r - 1) / R*))``. At 0, the default, a copy is no evidence. At infinity it is as good as new text: that is the model
counted on the mix itself, copies and all. It trusts what it has seen four times far too much, which a network hardly does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import sparse

from pipeline.ablate.ngram_counts import BINS, Counter, Followers, Steps, Trie, build_trie, cuts, drawn, with_starts

#: Raise when bits of the same texts change, or the files.
NGRAM_VERSION = 1

#: Mixes that are evaluated together: wide enough for vector instructions, and arrays of a level stay small.
_TOGETHER = 64
_FILE = "ngram.npz"
#: So that a pool's number fits beside a 48-bit key (:class:`pipeline.ablate.ngram_counts.Counter`).
_MOST_POOLS = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class TokenPool:
    """Documents as token ids.

    :param tokens: (n,) uint16, documents one after another; each ends with the end token and has no other.
    :param starts: (documents + 1,) int64 offsets.
    """

    tokens: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]

    def shuffled(self, seed: int) -> TokenPool:
        """The documents in a random order: what a pool needs whose order means something."""
        lengths = np.diff(self.starts)
        order = np.random.default_rng(seed).permutation(len(lengths))
        starts = np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64)
        source = np.repeat(self.starts[:-1][order] - starts[:-1], lengths[order]) + np.arange(starts[-1])
        return TokenPool(self.tokens[source], starts)


def draw(pools: Sequence[TokenPool], epochs: npt.NDArray[np.floating]) -> TokenPool:
    """The documents of a mix, as the proxy means it: for each pool whole copies and a prefix. A document is in if its middle is.

    :param epochs: (pools,) epochs of each.
    """
    parts, lengths = [np.zeros(0, np.uint16)], [np.zeros(0, np.int64)]
    for pool, amount in zip(pools, _checked(epochs, len(pools))[0], strict=True):
        whole, part = _split(amount)
        for stop in [len(pool.starts) - 1] * int(whole) + [int(drawn(pool.starts, part))]:
            parts.append(pool.tokens[: pool.starts[stop]])
            lengths.append(np.diff(pool.starts[: stop + 1]))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return TokenPool(np.concatenate(parts), starts)


def direct_bits(
    stream: TokenPool, held_out: TokenPool, *, order: int = 5, vocab_size: int, eos: int
) -> npt.NDArray[np.float32]:
    """Bits of held-out documents under the model counted on the documents of one mix: what :meth:`NgramProxy.bits` must come to.

    :param stream: what was drawn; copies are there as often as they were drawn.
    :returns: (held-out documents,) bits.
    """
    proxy = NgramProxy.train([stream], held_out, order=order, vocab_size=vocab_size, eos=eos)
    return proxy.bits(np.ones((1, 1)))[0]


@dataclass(frozen=True, eq=False)
class NgramProxy:
    """Counts of the n-grams of some held-out text in the pools of some domains; no token and no text.

    Rows are the held-out text's n-grams whose context occurs in a pool, by length, and within a length by context. Row 0 is the empty one.
    Make one with :meth:`train` or :meth:`load`.

    :param vocab_size: tokens there are.
    :param pool_start, starts: (domains + 1,) and (documents of all pools + domains,) the offsets of each pool's documents.
    :param cut: (domains, BINS + 1) int64, documents of each prefix of a pool.
    :param level: (order + 2,) int64, rows of length n are ``level[n]`` to ``level[n + 1]``.
    :param suffix: (rows,) int32, row of the n-gram without its first token.
    :param child: (rows + 1,) int64, rows with row h as their context are ``child[h]`` to ``child[h + 1]``.
    :param count_start, count_column, count: (rows + 1,), (steps,), (steps,) occurrences, CSR by row. A column is domain * BINS + bin - 1.
    :param own_start, own_column, own: the same for distinct tokens that follow a row in one domain alone.
    :param shared_start: (rows + 1,) int64, which distinct tokens follow a row in several domains.
    :param shared_column_start, shared_column: (shared + 1,), (pairs,) the column of each of these domains.
    :param use_start, use_document, use: (rows + 1,), (uses,), (uses,) how often a row is the longest one at a position of a document.
    :param documents: held-out documents.
    """

    vocab_size: int
    documents: int
    pool_start: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    cut: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    suffix: npt.NDArray[np.int32]
    child: npt.NDArray[np.int64]
    count_start: npt.NDArray[np.int64]
    count_column: npt.NDArray[np.unsignedinteger]
    count: npt.NDArray[np.float32]
    own_start: npt.NDArray[np.int64]
    own_column: npt.NDArray[np.unsignedinteger]
    own: npt.NDArray[np.float32]
    shared_start: npt.NDArray[np.int64]
    shared_column_start: npt.NDArray[np.int64]
    shared_column: npt.NDArray[np.unsignedinteger]
    use_start: npt.NDArray[np.int64]
    use_document: npt.NDArray[np.int32]
    use: npt.NDArray[np.float32]

    @classmethod
    def train(
        cls,
        pools: Sequence[TokenPool],
        held_out: TokenPool,
        *,
        order: int = 5,
        vocab_size: int,
        eos: int,
        counted: npt.NDArray[np.bool_] | None = None,
    ) -> NgramProxy:
        """Count the pools of all domains.

        :param pools: one a domain, in the order in which a mix draws its documents (:meth:`TokenPool.shuffled` if there is none).
        :param order: length of the longest n-grams.
        :param eos: id of the end token.
        :param counted: (held-out tokens,) whose bits count; default all.
        :raises ValueError: tokens or documents are not as :class:`TokenPool` says.
        """
        if not 1 <= order <= 16:
            raise ValueError(f"order is {order}; it can be 1 to 16")
        if not 1 <= len(pools) <= _MOST_POOLS:
            raise ValueError(f"{len(pools)} pools; there can be 1 to {_MOST_POOLS:,}")
        for name, pool in [("held_out", held_out), *((f"pools[{i}]", pool) for i, pool in enumerate(pools))]:
            _check(pool, name, vocab_size, eos)
        if counted is None:
            counted = np.ones(len(held_out.tokens), dtype=bool)
        if counted.dtype != np.bool_ or counted.shape != held_out.tokens.shape:
            raise ValueError("counted must have one truth value for each held-out token")
        tokens, offsets = with_starts(held_out.tokens, held_out.starts, eos)
        trie = build_trie(tokens, offsets, order, vocab_size)
        counter = Counter(trie)
        steps, followers, cut = [], [], [cuts(pool.starts) for pool in pools]
        for pool, prefix in zip(pools, cut, strict=True):
            found, after = counter.count(*with_starts(pool.tokens, pool.starts, eos), prefix)
            steps.append(found)
            followers.append(after)
        occurs = np.zeros(len(trie.suffix), dtype=bool)
        for part in steps:
            occurs[part.row] = True
        old, new, level = _numbered(trie, occurs)
        n = len(old)
        context = new[trie.context[old[1:]]]
        child = np.searchsorted(context, np.arange(n + 1)).astype(np.int64) + 1
        return cls(
            vocab_size,
            len(offsets) - 1,
            np.cumsum([0, *(len(pool.starts) for pool in pools)]),
            np.concatenate([pool.starts for pool in pools]),
            np.array(cut),
            level,
            np.concatenate([np.zeros(1, np.int32), new[trie.suffix[old[1:]]]]),
            child,
            *_count_table(steps, new, n),
            *_follower_tables(followers, new, n),
            *_use_table(trie, offsets, counted, new, n),
        )

    def bits(
        self,
        epochs: npt.ArrayLike,
        groups: npt.NDArray[np.floating] | sparse.sparray | sparse.spmatrix | None = None,
        *,
        repeats: float = 0.0,
    ) -> npt.NDArray[np.float32]:
        """Bits the model of each mix needs for the held-out documents, end tokens included.

        :param epochs: (mixes, domains) epochs of each pool; 0.3 is the first three tenths of its tokens, as whole documents (:func:`draw`).
        :param groups: (documents, groups) what of each document to sum up; default each document by itself.
        :param repeats: R* of the head of this module, 0 to infinity. No matter where no pool has more than one epoch.
        :returns: (mixes, documents or groups).
        :raises ValueError: epochs of another shape, negative or not finite; negative ``repeats``.
        """
        amounts = _checked(epochs, len(self.cut))
        if not repeats >= 0:
            raise ValueError(f"repeats is {repeats}; it can be 0 to infinity")
        width = self.documents if groups is None else groups.shape[1]
        out = np.empty((len(amounts), width), dtype=np.float32)
        room = np.empty((6, int(np.diff(self.level).max()), min(_TOGETHER, len(amounts))), dtype=np.float32)
        for start in range(0, len(amounts), _TOGETHER):
            some = amounts[start : start + _TOGETHER]
            # The last few go with as many of nothing: the arrays then stay as they are.
            filled = np.concatenate([some, np.zeros((room.shape[2] - len(some), some.shape[1]))])
            found = self._bits(filled, repeats, room)[:, : len(some)]
            out[start : start + _TOGETHER] = (found if groups is None else groups.T @ found).T
        return out

    def _bits(self, epochs: npt.NDArray[np.float64], repeats: float, room: npt.NDArray) -> npt.NDArray[np.float64]:
        """Bits of few mixes: (documents, mixes).

        :param room: (6, rows of the largest level, mixes) float32 to work in. New arrays for each level would cost a third of the time.
        """
        emphasis, evidence, present = self._weights(epochs, repeats)
        everywhere = present.astype(np.float32)
        out = np.zeros((self.documents, len(epochs)))
        counts, child_counts, shorter, longer, types, sure = room
        count = (self.count_start, self.count_column, self.count)
        shorter[0] = 1.0 / self.vocab_size
        _product(0, 1, *count, emphasis, counts)
        for n in range(1, len(self.level) - 1):
            first, stop = self.level[n - 1], self.level[n]
            _product(first, stop, self.own_start, self.own_column, self.own, everywhere, types)
            _add_shared(first, stop, self.shared_start, self.shared_column_start, self.shared_column, present, types)
            if evidence is not None:
                _product(first, stop, *count, evidence, sure)
            _product(stop, self.level[n + 1], *count, emphasis, child_counts)
            _level(
                first,
                stop,
                np.float32(_factor(n)),
                self.child,
                self.suffix,
                self.use_start,
                self.use_document,
                self.use,
                counts,
                counts if evidence is None else sure,
                types,
                child_counts,
                shorter,
                longer,
                out,
            )
            counts, child_counts, shorter, longer = child_counts, counts, longer, shorter
        return out

    def _weights(
        self, epochs: npt.NDArray[np.float64], repeats: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None, npt.NDArray[np.uint8]]:
        """What one occurrence in each column adds to ``c`` and to ``u`` of each mix (None: the same), and whether the mix has it at all.

        Each has the shape (domains * BINS, mixes).
        """
        whole, part = _split(epochs)
        mixes, domains = epochs.shape
        bin_ = np.zeros((mixes, domains), dtype=np.int64)
        scale = np.zeros((mixes, domains))
        for d in range(domains):
            starts = self.starts[self.pool_start[d] : self.pool_start[d + 1]]
            asked = starts[drawn(starts, part[:, d])]
            prefix = starts[self.cut[d]]
            some = np.flatnonzero(prefix)
            any_ = np.flatnonzero(asked)
            if len(any_):
                edges = np.sqrt(prefix[some[1:]] * prefix[some[:-1]].astype(np.float64))
                bin_[any_, d] = some[np.searchsorted(edges, asked[any_])]
                scale[any_, d] = asked[any_] / prefix[bin_[any_, d]]
        inside = bin_.T[:, None, :] >= np.arange(1, BINS + 1)[None, :, None]

        def columns(copies: npt.NDArray[np.float64], last: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
            table = copies.T[:, None, :] + inside * (last * scale).T[:, None, :]
            return table.reshape(-1, mixes).astype(np.float32)

        present = (inside | (whole.T[:, None, :] >= 1)).reshape(-1, mixes).astype(np.uint8)
        emphasis = columns(whole, np.ones_like(whole))
        if np.isinf(repeats) or not (epochs > 1).any():
            return emphasis, None, present
        value = _worth(whole, repeats)
        return emphasis, columns(value, _worth(whole + 1, repeats) - value), present

    def save(self, folder: Path) -> None:
        """Write everything to a folder (made if missing)."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(folder / _FILE, version=NGRAM_VERSION, **arrays)

    @classmethod
    def load(cls, folder: Path) -> NgramProxy:
        """Read what :meth:`save` wrote.

        :raises ValueError: another version wrote it.
        """
        with np.load(folder / _FILE, allow_pickle=False) as arrays:
            if int(arrays["version"]) != NGRAM_VERSION:
                raise ValueError(f"{folder / _FILE} is of version {arrays['version']}, not {NGRAM_VERSION}")
            read: dict[str, Any] = {field.name: arrays[field.name] for field in fields(cls)}
        read.update(vocab_size=int(read["vocab_size"]), documents=int(read["documents"]))
        return cls(**read)


def _factor(n: int) -> float:
    """How many times Witten-Bell's share goes to the shorter context, for n-grams of length n."""
    # Fitted on held-out text of eight kinds at 1.2 and 5 million tokens; flat around these values.
    return float(min(8, 2 ** (n - 1)))


def _worth(copies: npt.NDArray[np.float64], repeats: float) -> npt.NDArray[np.float64]:
    """Copies as so many of new text (Muennighoff et al. 2023, equation 5)."""
    more = np.maximum(copies - 1.0, 0.0)
    return np.minimum(copies, 1.0) + (repeats * -np.expm1(-more / repeats) if repeats else 0.0)


def _split(epochs: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Whole copies and the part of one more. A sum that misses a whole number by rounding is that number."""
    whole = np.floor(epochs + 1e-9)
    part = epochs - whole
    return whole, np.where(part > 1e-9, part, 0.0)


def _checked(epochs: npt.ArrayLike, domains: int) -> npt.NDArray[np.float64]:
    amounts = np.atleast_2d(np.asarray(epochs, dtype=np.float64))
    if amounts.ndim != 2 or amounts.shape[1] != domains:
        raise ValueError(f"epochs has the shape {np.shape(epochs)}; {domains} domains are known")
    if not (np.isfinite(amounts) & (amounts >= 0)).all():
        raise ValueError("epochs must be finite and not negative")
    return amounts


def _check(pool: TokenPool, name: str, vocab_size: int, eos: int) -> None:
    starts = pool.starts
    if pool.tokens.dtype != np.uint16 or starts.dtype != np.int64:
        raise ValueError(f"{name}: tokens are {pool.tokens.dtype} and starts {starts.dtype}, not uint16 and int64")
    if not len(starts) or starts[0] != 0 or starts[-1] != len(pool.tokens) or (np.diff(starts) < 1).any():
        raise ValueError(f"{name}: starts must rise from 0 to the number of tokens, and no document be empty")
    if int(pool.tokens.max(initial=0)) >= vocab_size or not 0 <= eos < vocab_size:
        raise ValueError(f"{name}: a token is not of a vocabulary of {vocab_size}")
    if not np.array_equal(np.flatnonzero(pool.tokens == eos), starts[1:] - 1):
        raise ValueError(f"{name}: each document must end with the end token {eos} and have no other")


def _numbered(
    trie: Trie, occurs: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Rows whose context occurs, in the order of :class:`NgramProxy`: the old row of each, the new row of each old one (-1), and levels."""
    keep = trie.length == 1
    keep[1:] |= occurs[trie.context[1:]]
    new = np.full(len(keep), -1, dtype=np.int32)
    new[0] = 0
    old, level = [np.zeros(1, np.int64)], [0, 1]
    for n in range(1, trie.at.shape[1] + 1):
        rows = np.flatnonzero(keep & (trie.length == n))
        rows = rows[np.argsort(new[trie.context[rows]], kind="stable")]
        new[rows] = level[-1] + np.arange(len(rows), dtype=np.int32)
        old.append(rows)
        level.append(level[-1] + len(rows))
    return np.concatenate(old), new, np.array(level, dtype=np.int64)


def _starts(ascending: npt.NDArray, n: int) -> npt.NDArray[np.int64]:
    """CSR offsets of n rows whose elements have these row numbers."""
    return np.searchsorted(ascending, np.arange(n + 1)).astype(np.int64)


def _columns(bins: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.unsignedinteger]:
    """Columns of elements of each domain, one domain after another: domain * BINS + bin - 1."""
    kind = np.uint16 if len(bins) * BINS <= 1 << 16 else np.uint32
    return np.concatenate([(d * BINS + part.astype(np.int64) - 1).astype(kind) for d, part in enumerate(bins)])


def _count_table(
    steps: list[Steps], new: npt.NDArray[np.int32], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.unsignedinteger], npt.NDArray[np.float32]]:
    row = np.concatenate([new[part.row] for part in steps])
    order = np.argsort(row, kind="stable")
    return (
        _starts(row[order], n),
        _columns([part.bin for part in steps])[order],
        np.concatenate([part.count for part in steps])[order],
    )


def _follower_tables(
    followers: list[Followers], new: npt.NDArray[np.int32], n: int
) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray]:
    """The tables of tokens that follow a row in one domain alone (three arrays) and in several (three)."""
    key = np.concatenate([(new[part.context].astype(np.int64) << 16) | part.token for part in followers])
    column = _columns([part.bin for part in followers])
    order = np.argsort(key, kind="stable")
    key, column = key[order], column[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    size = np.diff(first, append=len(key))
    alone, shared = first[size == 1], first[size > 1]
    pair, own = np.unique((key[alone] >> 16 << 32) | column[alone], return_counts=True)
    return (
        _starts(pair >> 32, n),
        (pair & 0xFFFFFFFF).astype(column.dtype),
        own.astype(np.float32),
        _starts(key[shared] >> 16, n),
        np.concatenate([[0], np.cumsum(size[size > 1])]).astype(np.int64),
        column[np.repeat(size > 1, size)],
    )


def _use_table(
    trie: Trie, offsets: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], new: npt.NDArray[np.int32], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    predicted = np.ones(len(trie.at), dtype=bool)
    predicted[offsets[:-1]] = False
    predicted[predicted] = counted
    at = trie.at[predicted]
    rows = np.where(at >= 0, new[at], -1).max(axis=1)  # longer n-grams have larger numbers
    documents = len(offsets) - 1
    document = np.repeat(np.arange(documents), np.diff(offsets))[predicted]
    pair, times = np.unique(rows.astype(np.int64) * documents + document, return_counts=True)
    row, where = np.divmod(pair, max(1, documents))
    return _starts(row, n), where.astype(np.int32), times.astype(np.float32)


# Arrays are indexed and never sliced or passed on within the kernels: either costs more than the arithmetic of a row.


@njit(cache=True, nogil=True)
def _product(first, stop, start, column, value, weights, out):
    """Sparse rows ``first`` to ``stop`` times ``weights`` (columns, mixes), to ``out`` (rows, mixes)."""
    mixes = weights.shape[1]
    for row in range(first, stop):
        r = row - first
        if mixes == 1:  # an inner loop of one turn costs more than the turn
            total = np.float32(0)
            for e in range(start[row], start[row + 1]):
                total += value[e] * weights[column[e], 0]
            out[r, 0] = total
            continue
        for m in range(mixes):
            out[r, m] = 0
        for e in range(start[row], start[row + 1]):
            x = value[e]
            c = column[e]
            for m in range(mixes):
                out[r, m] += x * weights[c, m]


@njit(cache=True, nogil=True)
def _add_shared(first, stop, start, column_start, column, present, types):
    """Add the tokens that follow in several domains: for rows ``first`` to ``stop``, how many each mix has, to ``types`` (rows, mixes)."""
    mixes = present.shape[1]
    one = np.empty(mixes, np.uint8)
    few = np.zeros(mixes, np.uint8)
    for row in range(first, stop):
        begin, end = start[row], start[row + 1]
        if mixes == 1:
            n = 0
            for k in range(begin, end):
                has = 0
                for e in range(column_start[k], column_start[k + 1]):
                    has |= present[column[e], 0]
                n += has
            types[row - first, 0] += np.float32(n)
            continue
        for k in range(begin, end):
            c = column[column_start[k]]
            for m in range(mixes):
                one[m] = present[c, m]
            for e in range(column_start[k] + 1, column_start[k + 1]):
                c = column[e]
                for m in range(mixes):
                    one[m] |= present[c, m]
            for m in range(mixes):
                few[m] += one[m]
            if (k - begin) % 255 == 254 or k + 1 == end:  # before a byte overflows
                for m in range(mixes):
                    types[row - first, m] += np.float32(few[m])
                    few[m] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _level(
    first,
    stop,
    factor,
    child,
    suffix,
    use_start,
    use_document,
    use,
    counts,
    sure,
    types,
    child_counts,
    shorter,
    longer,
    out,
):
    """One length of n-grams: from ``P_{n-1}`` of rows ``first`` to ``stop`` (their contexts and suffixes) to ``P_n`` of their children.

    :param counts, sure, types: (contexts, mixes) ``c``, ``u`` and ``T``.
    :param child_counts: (children, mixes).
    :param shorter, longer: (contexts, mixes) and (children, mixes) probabilities; ``longer`` is written.
    :param out: (documents, mixes) bits so far; added to.
    """
    mixes = counts.shape[1]
    lower = np.empty(mixes, np.float32)
    upper = np.empty(mixes, np.float32)
    bits = np.empty(mixes, np.float32)
    for context in range(first, stop):
        if child[context] == child[context + 1]:
            continue
        c = context - first
        for m in range(mixes):
            mass = factor * types[c, m]
            known = counts[c, m] > 0
            share = mass / (sure[c, m] + mass)
            lower[m] = share if known else np.float32(1)
            upper[m] = (np.float32(1) - share) / counts[c, m] if known else np.float32(0)
        for row in range(child[context], child[context + 1]):
            r = row - stop
            q = suffix[row] - first
            for m in range(mixes):
                longer[r, m] = child_counts[r, m] * upper[m] + lower[m] * shorter[q, m]
            if use_start[row] < use_start[row + 1]:
                for m in range(mixes):
                    bits[m] = -np.log2(longer[r, m])
                for e in range(use_start[row], use_start[row + 1]):
                    times = use[e]
                    document = use_document[e]
                    for m in range(mixes):
                        out[document, m] += times * bits[m]
