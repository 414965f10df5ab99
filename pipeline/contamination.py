"""Decontamination: which documents hold items of evaluation sets, found by overlap of word n-grams.

A benchmark is known here only by a *hash list*: 64-bit hashes of its items' n-grams, never their text, so that lists
can be shipped (``pipeline/evals``) without publishing or leaking the test. ``build_hash_list`` makes one from texts,
:class:`ContaminationIndex` finds its items in documents. Words are those of :mod:`pipeline.words`: case, punctuation
and white space do not matter.

What counts as a hit, and why not any shared n-gram (GPT-3's rule, arXiv 2005.14165 appendix C, datatrove's default): in
books and textbooks a shared n-gram is mostly a quotation both took from elsewhere, or the way all tests ask.

1. An item is the set of its n-grams of :data:`NGRAM` words (so Tulu 3, arXiv 2411.15124; with 13 words, GPT-3's length,
   one changed word loses an item of twenty). A shorter item cannot be told from ordinary speech and is left out, unless
   it is given together with its answers; the list says how many were.
2. N-grams in many items of a benchmark, more than :data:`COMMON_ITEMS` and more than :data:`COMMON_SHARE` of them, are
   its instructions ("for which of these two scenarios ...") and are left out, with those that overlap them.
3. A document is contaminated by a benchmark if it holds :data:`COVERAGE` of the n-grams of one of its items, and at
   least :data:`FEW` (13 words in a row), or all if it has fewer; of a long item :data:`ENOUGH` (27 words) will do.

So a sentence everybody quotes and "which of the following is an example of" are no hits. The share of the best covered
item and the number of n-grams found are given for every document, so that a recipe may be stricter.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.words import WORDS_VERSION, hash_words
from sources import digests
from sources.errors import UserError

NGRAM = 8
COMMON_SHARE = 0.02
COMMON_ITEMS = 5
COVERAGE = 0.8
FEW = 6
ENOUGH = 20

#: Raise when a scan may answer differently for the same hash lists.
CONTAMINATION_VERSION = 1

#: A bit of the mask stands for a benchmark.
_MOST_BENCHMARKS = 64

#: Multiplier of the polynomial hash of word hashes (odd; the golden ratio in 64 bits).
_BASE = np.uint64(0x9E3779B97F4A7C15)

#: What the word that leaves a sliding n-gram was multiplied with.
_LEAVING = np.uint64(pow(int(_BASE), NGRAM, 1 << 64))

#: Hash lists of another version do not fit these n-grams.
_LIST_VERSION = f"{WORDS_VERSION}-{NGRAM}"

#: Shipped hash lists, and their digests.
EVALS = Path(__file__).parent / "evals"
SUMS = EVALS / "SHA256SUMS"


@dataclass(frozen=True)
class HashList:
    """A benchmark as hashes.

    An item may have several forms (a question with its choices, plain and lettered); finding one is finding the item.

    :param name: of the benchmark; the file name without extension.
    :param hashes: uint64, the n-grams of all forms one after another.
    :param lengths: uint32 (forms,), number of n-grams of each form.
    :param items: number of items given.
    :param indexed: those that have a form here; the others are too short or nothing but instructions.
    """

    name: str
    hashes: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.uint32]
    items: int
    indexed: int

    def save(self, path: Path) -> None:
        """Write an ``.npz``, the same bytes for the same list."""
        facts = {"version": _LIST_VERSION, "items": self.items, "indexed": self.indexed}
        with path.open("wb") as file:
            np.savez(file, hashes=self.hashes, lengths=self.lengths, facts=np.array(json.dumps(facts)))

    @classmethod
    def open(cls, path: Path) -> HashList:
        """Read one.

        :raises UserError: unreadable, not a hash list, or made with other n-grams.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                hashes, lengths = file["hashes"], file["lengths"]
            version, items, indexed = facts["version"], int(facts["items"]), int(facts["indexed"])
            if hashes.dtype != np.uint64 or lengths.dtype != np.uint32 or hashes.ndim != 1 or lengths.ndim != 1:
                raise ValueError("other arrays")
        except OSError as error:
            raise UserError(f"cannot read the hash list: {error.strerror or error}", where=path) from None
        except (KeyError, TypeError, ValueError, EOFError, MemoryError, RecursionError, zipfile.BadZipFile, zlib.error):
            raise UserError("not a hash list", where=path, fix="make one with `wellmix hashlist`") from None
        if version != _LIST_VERSION:
            raise UserError(
                "the hash list was made by another version of wellmix", where=path, fix="make it again from its texts"
            )
        return cls(path.stem, hashes, lengths, items=items, indexed=indexed)


def build_hash_list(name: str, items: Iterable[str | Sequence[str]]) -> HashList:
    """Hash a benchmark's items.

    :param items: the text of each, or several forms of it (see :class:`HashList`).
    """
    forms: list[str] = []
    owners: list[int] = []
    count = 0
    for item in items:
        versions = [item] if isinstance(item, str) else list(dict.fromkeys(item))
        forms += versions
        owners += [count] * len(versions)
        count += 1
    words, offsets = hash_words(pa.array(forms, pa.large_string()))
    grams = [_ngrams(words[offsets[i] : offsets[i + 1]]) for i in range(len(forms))]
    common = _common(grams, owners, count)
    grams = [_own(found, common) for found in grams]
    kept = [i for i, found in enumerate(grams) if len(found)]
    return HashList(
        name=name,
        hashes=np.concatenate([np.empty(0, np.uint64), *(grams[i] for i in kept)]),
        lengths=np.array([len(grams[i]) for i in kept], np.uint32),
        items=count,
        indexed=len({owners[i] for i in kept}),
    )


def _common(grams: list[npt.NDArray[np.uint64]], owners: list[int], items: int) -> npt.NDArray[np.uint64]:
    """N-grams in too many items to be anyone's own.

    :param grams: n-grams of each form.
    :param owners: the item of each form.
    """
    hashes = np.concatenate([np.empty(0, np.uint64), *grams])
    owner = np.repeat(np.array(owners, np.uint64), [len(found) for found in grams])
    distinct = np.unique(np.stack([hashes, owner], axis=1), axis=0)[:, 0]
    values, counts = np.unique(distinct, return_counts=True)
    return values[counts > max(COMMON_ITEMS, COMMON_SHARE * items)]


def _own(grams: npt.NDArray[np.uint64], common: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The distinct n-grams of a form that are its own.

    An n-gram that shares a word with a common one straddles the instruction and is met only together with it: left out,
    unless nothing else is left.

    :param grams: all n-grams of the form in order.
    """
    is_common = np.isin(grams, common)
    if not is_common.any():
        return np.unique(grams)
    near = np.convolve(is_common, np.ones(2 * NGRAM - 1, np.int64))[NGRAM - 1 : NGRAM - 1 + len(grams)]
    own = grams[near == 0]
    return np.unique(own if len(own) else grams[~is_common])


def shipped() -> list[str]:
    """Names of the hash lists that come with the project, sorted."""
    return sorted(path.stem for path in EVALS.glob("*.npz"))


class ContaminationIndex:
    """Hash lists of up to 64 benchmarks, ready to scan with.

    :ivar benchmarks: names; bit i of a document's mask is ``benchmarks[i]``.
    :ivar version: changes whenever a scan may answer differently; goes into cache keys.
    :ivar schema: of what :meth:`scan` returns; its metadata ``benchmarks`` is the JSON list of names, in the order of
        the bits.
    """

    def __init__(self, lists: Sequence[HashList]) -> None:
        if len(lists) > _MOST_BENCHMARKS:
            raise UserError(f"at most {_MOST_BENCHMARKS} benchmarks at once", fix="join some of their hash lists")
        self.benchmarks = [each.name for each in lists]
        self.schema = pa.schema(
            [
                ("contamination", pa.uint64()),
                ("contamination_ngrams", pa.int32()),
                ("contamination_cover", pa.float32()),
            ],
            metadata={"benchmarks": json.dumps(self.benchmarks)},
        )
        lengths = np.concatenate([np.empty(0, np.uint32), *(each.lengths for each in lists)]).astype(np.int64)
        hashes = np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in lists)])
        benchmark = np.repeat(np.arange(len(lists), dtype=np.uint64), [len(each.lengths) for each in lists])
        state = [CONTAMINATION_VERSION, _LIST_VERSION, COVERAGE, FEW, ENOUGH, self.benchmarks]
        digest = hashlib.blake2b(json.dumps(state).encode(), digest_size=12)
        for array in (lengths, hashes, benchmark):
            digest.update(array.tobytes())
        self.version = digest.hexdigest()
        # An n-gram may be of several items: sorted by hash, those of one stand together.
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._forms = np.repeat(np.arange(len(lengths)), lengths)[order]
        self._totals = lengths
        share = np.clip(np.ceil(lengths * COVERAGE), FEW, ENOUGH)
        self._needs = np.minimum(share, lengths).astype(np.int64)
        self._bits = np.uint64(1) << benchmark
        # 64 bits an n-gram, so that one probe of 64 finds a neighbour's bit by chance.
        size = max(16, int(np.ceil(np.log2(len(hashes) + 1))) + 6)
        self._shift = np.uint64(64 - size)
        self._bloom = np.zeros(1 << (size - 6), np.uint64)
        slots = self._hashes >> self._shift
        np.bitwise_or.at(self._bloom, slots >> np.uint64(6), np.uint64(1) << (slots & np.uint64(63)))

    @classmethod
    def load(cls, names: Sequence[str | Path] | None = None) -> ContaminationIndex:
        """Open hash lists.

        :param names: names of shipped lists (``mmlu`` stands for all ``mmlu_*``) and paths of own ``.npz`` files;
            None for all shipped.
        :raises UserError: no such list, unreadable, or a shipped one that is not as it was shipped.
        """
        known = shipped()
        fix = "Restore the folder from the repository, or reinstall wellmix."
        sums = digests.read_sums(SUMS, fix)
        paths: dict[str, Path] = {}
        for name in known if names is None else names:
            found = [each for each in known if each == str(name) or each.startswith(f"{name}_")]
            if not found and Path(name).suffix != ".npz":
                raise UserError(
                    f"no evaluation hash list is called {str(name)!r}",
                    fix=f"use one of {', '.join(known)}, or make one with `wellmix hashlist`",
                )
            for each in found:
                digests.require(EVALS / f"{each}.npz", sums.get(f"{each}.npz"), fix)
            for path in [EVALS / f"{each}.npz" for each in found] or [Path(name)]:
                paths[path.stem] = path
        return cls([HashList.open(paths[stem]) for stem in sorted(paths)])

    def scan(self, texts: pa.Array) -> pa.RecordBatch:
        """Look for the benchmarks' items in texts.

        :param texts: n strings.
        :returns: n rows of :attr:`schema`: ``contamination``, a bit for each benchmark of which the text holds an item;
            ``contamination_ngrams``, how many different n-grams of any item it holds, and ``contamination_cover``, the
            largest share of one item's n-grams, both whether or not it is enough for a hit.
        """
        mask = np.zeros(len(texts), np.uint64)
        count = np.zeros(len(texts), np.int32)
        cover = np.zeros(len(texts), np.float32)
        words, offsets = hash_words(texts)
        _scan(
            words, offsets, self._bloom, self._shift, self._hashes, self._forms, self._totals, self._needs, self._bits,
            mask, count, cover,
        )  # fmt: skip
        return pa.RecordBatch.from_arrays([pa.array(mask), pa.array(count), pa.array(cover)], schema=self.schema)

    def names(self, mask: int) -> list[str]:
        """The benchmarks of a mask."""
        return [name for bit, name in enumerate(self.benchmarks) if mask >> bit & 1]


def _ngrams(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Hashes of all n-grams of :data:`NGRAM` words, in order: polynomials of their word hashes modulo 2**64.

    Word hashes are uniform 64-bit numbers and the multiplier is odd, so the sums are uniform too without more mixing.
    """
    total = np.zeros(max(0, len(words) - NGRAM + 1), np.uint64)
    for i in range(NGRAM):
        total = total * _BASE + words[i : i + len(total)]
    return total


@njit(cache=True, nogil=True)
def _scan(words, offsets, bloom, shift, hashes, forms, totals, needs, bits, mask, count, cover):
    """Slide over each text's words; see :meth:`ContaminationIndex.scan`.

    ``seen`` and ``stamp`` hold the last text that met an n-gram or a form, so that nothing is cleared between texts.
    """
    seen = np.full(len(hashes), -1, np.int32)
    stamp = np.full(len(totals), -1, np.int32)
    covered = np.zeros(len(totals), np.int32)
    touched = np.empty(len(totals), np.int32)
    for doc in range(len(offsets) - 1):
        n_touched = 0
        gram = np.uint64(0)
        start = offsets[doc]
        for i in range(start, offsets[doc + 1]):
            gram = gram * _BASE + words[i]
            if i - start >= NGRAM:
                gram -= words[i - NGRAM] * _LEAVING
            elif i - start < NGRAM - 1:
                continue
            slot = gram >> shift
            if not (bloom[slot >> np.uint64(6)] >> (slot & np.uint64(63))) & np.uint64(1):
                continue
            at = np.searchsorted(hashes, gram)
            if at == len(hashes) or hashes[at] != gram or seen[at] == doc:
                continue
            seen[at] = doc
            count[doc] += 1
            while at < len(hashes) and hashes[at] == gram:
                form = forms[at]
                if stamp[form] != doc:
                    stamp[form] = doc
                    covered[form] = 0
                    touched[n_touched] = form
                    n_touched += 1
                covered[form] += 1
                at += 1
        for t in range(n_touched):
            form = touched[t]
            cover[doc] = max(cover[doc], np.float32(covered[form] / totals[form]))
            if covered[form] >= needs[form]:
                mask[doc] |= bits[form]
