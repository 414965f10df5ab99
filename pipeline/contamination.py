"""Decontamination: which documents hold items of evaluation sets, found by overlap of word n-grams.

A benchmark is known here only by a *hash list*: 64-bit hashes of its items' n-grams, never their text, so that lists can
be shipped (``pipeline/evals``) without publishing or leaking the test. ``build_hash_list`` makes one from texts,
:class:`ContaminationIndex` finds its items in documents. Words are those of :mod:`pipeline.words`: case, punctuation and
white space do not matter.

What counts as a hit, and why not any shared n-gram (GPT-3's rule, arXiv 2005.14165, appendix C, also datatrove's default):
on books and textbooks one shared 13-gram is mostly a quotation both took from elsewhere, or the test's own boilerplate.

1. An item of at least :data:`NGRAM` words is the set of its 13-grams; one of :data:`SHORTEST` to 12 words is a single
   n-gram of its own length; a shorter one cannot be told from ordinary speech and is left out (the list says how many).
2. N-grams that occur in many items of a benchmark (more than :data:`COMMON_SHARE` of them, and at least
   :data:`COMMON_ITEMS`) are its instructions ("for which of these two scenarios ...") and are left out.
3. A document is contaminated by a benchmark if it holds at least :data:`COVERAGE` of the n-grams of one of its items, or
   :data:`ENOUGH` of them (a run of some thirty words) when the item is long.

The share of the best covered item and the number of n-grams found are reported for every document, so a recipe may be
stricter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.words import WORDS_VERSION, hash_words
from sources.errors import UserError

NGRAM = 8
SHORTEST = 7
COMMON_SHARE = 0.02
COMMON_ITEMS = 5
COVERAGE = 0.5
ENOUGH = 20

#: Raise when a scan may answer differently for the same hash lists.
CONTAMINATION_VERSION = 1

#: A bit of the mask stands for a benchmark.
_MOST_BENCHMARKS = 64

#: Multiplier of the polynomial hash of word hashes (odd; the golden ratio in 64 bits).
_BASE = np.uint64(0x9E3779B97F4A7C15)

#: Shipped hash lists.
EVALS = Path(__file__).parent / "evals"


@dataclass(frozen=True)
class HashList:
    """A benchmark as hashes.

    An item may have several forms (a question with and without lettered choices); finding one is finding the item.

    :param name: of the benchmark; the file name without extension.
    :param hashes: uint64, the n-grams of all forms one after another.
    :param lengths: uint32 (forms,), n-grams of each form.
    :param words: uint8 (forms,), words in each n-gram of a form: :data:`NGRAM`, or the whole form's if it is shorter.
    :param items: number of items given; ``indexed`` of them have a form here, the others are too short or all boilerplate.
    """

    name: str
    hashes: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.uint32]
    words: npt.NDArray[np.uint8]
    items: int
    indexed: int

    def save(self, path: Path) -> None:
        """Write an ``.npz`` of the same bytes for the same list."""
        facts = {"version": WORDS_VERSION, "items": self.items, "indexed": self.indexed}
        with path.open("wb") as file:
            np.savez(
                file, hashes=self.hashes, lengths=self.lengths, words=self.words, facts=np.array(json.dumps(facts))
            )

    @classmethod
    def open(cls, path: Path) -> HashList:
        """Read one.

        :raises UserError: unreadable, not a hash list, or made with another word hash.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                arrays = file["hashes"], file["lengths"], file["words"]
        except OSError as error:
            raise UserError(f"cannot read the hash list: {error.strerror or error}", where=path) from None
        except (KeyError, ValueError) as error:
            raise UserError(f"not a hash list: {error}", where=path, fix="make one with `wellmix hashlist`") from None
        if facts["version"] != WORDS_VERSION:
            raise UserError(
                "the hash list was made by another version of wellmix", where=path, fix="make it again from its texts"
            )
        return cls(path.stem, *arrays, items=facts["items"], indexed=facts["indexed"])


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
    hashes, offsets = hash_words(pa.array(forms, pa.large_string()))
    grams, widths = [], []
    for i in range(len(forms)):
        words = hashes[offsets[i] : offsets[i + 1]]
        width = min(len(words), NGRAM)
        found = _ngrams(words, width) if width >= SHORTEST else np.empty(0, np.uint64)
        grams.append(np.unique(found))
        widths.append(width)
    common = _common(grams, owners, count)
    grams = [found[~np.isin(found, common)] for found in grams]
    kept = [i for i, found in enumerate(grams) if len(found)]
    return HashList(
        name=name,
        hashes=np.concatenate([grams[i] for i in kept]) if kept else np.empty(0, np.uint64),
        lengths=np.array([len(grams[i]) for i in kept], np.uint32),
        words=np.array([widths[i] for i in kept], np.uint8),
        items=count,
        indexed=len({owners[i] for i in kept}),
    )


def _common(grams: list[np.ndarray], owners: list[int], items: int) -> np.ndarray:
    """N-grams in too many items to be anyone's own."""
    pairs = [np.stack([found, np.full(len(found), owner, np.uint64)], 1) for found, owner in zip(grams, owners)]  # noqa: B905
    if not pairs:
        return np.empty(0, np.uint64)
    values, counts = np.unique(np.unique(np.concatenate(pairs), axis=0)[:, 0], return_counts=True)
    return values[counts > max(COMMON_ITEMS, COMMON_SHARE * items)]


def shipped() -> list[str]:
    """Names of the hash lists that come with the project, sorted."""
    return sorted(path.stem for path in EVALS.glob("*.npz"))


class ContaminationIndex:
    """Hash lists of up to 64 benchmarks, ready to scan with.

    :ivar benchmarks: names; bit i of a document's mask is ``benchmarks[i]``.
    :ivar version: changes whenever a scan may answer differently; goes into cache keys.
    :ivar schema: of what :meth:`scan` returns; its metadata ``benchmarks`` is the JSON list of names in the order of the bits.
    """

    def __init__(self, lists: Sequence[HashList]) -> None:
        if len(lists) > _MOST_BENCHMARKS:
            raise UserError(f"at most {_MOST_BENCHMARKS} benchmarks at once", fix="join some of their hash lists")
        self.benchmarks = [each.name for each in lists]
        self.schema = pa.schema(
            [("contamination", pa.uint64()), ("contamination_ngrams", pa.int32()), ("contamination_cover", pa.float32())],
            metadata={"benchmarks": json.dumps(self.benchmarks)},
        )
        lengths = np.concatenate([np.empty(0, np.uint32), *(each.lengths for each in lists)]).astype(np.int64)
        hashes = np.concatenate([np.empty(0, np.uint64), *(each.hashes for each in lists)])
        words = np.concatenate([np.empty(0, np.uint8), *(each.words for each in lists)]).astype(np.int64)
        benchmark = np.repeat(np.arange(len(lists), dtype=np.uint64), [len(each.lengths) for each in lists])
        state = [CONTAMINATION_VERSION, WORDS_VERSION, NGRAM, COVERAGE, ENOUGH, self.benchmarks]
        digest = hashlib.blake2b(json.dumps(state).encode(), digest_size=12)
        for array in (lengths, hashes, words, benchmark):
            digest.update(array.tobytes())
        self.version = digest.hexdigest()
        # An n-gram may be of several items: sorted by hash, those of one stand together.
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._forms = np.repeat(np.arange(len(lengths)), lengths)[order]
        self._totals = lengths
        self._needs = np.minimum(np.ceil(lengths * COVERAGE), np.where(words == NGRAM, ENOUGH, 1)).astype(np.int64)
        self._bits = np.uint64(1) << benchmark
        self._widths = np.unique(words)
        # 64 bits an n-gram, so that one probe of 64 finds a neighbour's bit by chance.
        size = max(16, int(np.ceil(np.log2(len(hashes) + 1))) + 6)
        self._shift = np.uint64(64 - size)
        self._bloom = np.zeros(1 << (size - 6), np.uint64)
        slots = self._hashes >> self._shift
        np.bitwise_or.at(self._bloom, slots >> np.uint64(6), np.uint64(1) << (slots & np.uint64(63)))

    @classmethod
    def load(cls, names: Sequence[str | Path] | None = None) -> ContaminationIndex:
        """Open hash lists.

        :param names: names of shipped lists (``mmlu`` stands for all ``mmlu_*``) and paths of own ``.npz`` files; None for
            all shipped.
        :raises UserError: no such list, or unreadable.
        """
        known = shipped()
        paths: dict[str, Path] = {}
        for name in known if names is None else names:
            found = [each for each in known if each == str(name) or each.startswith(f"{name}_")]
            if not found and Path(name).suffix != ".npz":
                raise UserError(
                    f"no evaluation hash list is called {str(name)!r}",
                    fix=f"use one of {', '.join(known)}, or make one with `wellmix hashlist`",
                )
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
            words, offsets, self._widths, _powers(), self._bloom, self._shift, self._hashes, self._forms,
            self._totals, self._needs, self._bits, mask, count, cover,
        )  # fmt: skip
        return pa.RecordBatch.from_arrays([pa.array(mask), pa.array(count), pa.array(cover)], schema=self.schema)

    def names(self, mask: int) -> list[str]:
        """The benchmarks of a mask."""
        return [name for bit, name in enumerate(self.benchmarks) if mask >> bit & 1]


def _powers() -> npt.NDArray[np.uint64]:
    """``_BASE ** i`` modulo 2**64 for i up to :data:`NGRAM`."""
    return np.array([pow(int(_BASE), i, 1 << 64) for i in range(NGRAM + 1)], np.uint64)


def _ngrams(words: npt.NDArray[np.uint64], width: int) -> npt.NDArray[np.uint64]:
    """Hashes of all n-grams of ``width`` words, in order: the polynomial of their word hashes modulo 2**64.

    Word hashes are uniform 64-bit numbers and the multiplier is odd, so sums are uniform too and need no more mixing.
    """
    powers = _powers()
    total = np.zeros(len(words) - width + 1, np.uint64)
    for i in range(width):
        total += words[i : i + len(total)] * powers[width - 1 - i]
    return total


@njit(cache=True, nogil=True)
def _scan(words, offsets, widths, powers, bloom, shift, hashes, forms, totals, needs, bits, mask, count, cover):
    """Slide over each text's words; see :meth:`ContaminationIndex.scan`.

    ``prefix[i]`` is the polynomial of the last words up to i, kept for as many words back as the widest n-gram has, so an
    n-gram of any width is one multiplication away: ``prefix[i] - prefix[i - width] * base ** width``.
    """
    seen = np.full(len(hashes), -1, np.int64)
    stamp = np.full(len(totals), -1, np.int64)
    covered = np.zeros(len(totals), np.int64)
    touched = np.empty(len(totals), np.int64)
    ring = np.zeros(16, np.uint64)
    for doc in range(len(offsets) - 1):
        n_touched = 0
        prefix = np.uint64(0)
        ring[0] = np.uint64(0)
        start = offsets[doc]
        for i in range(start, offsets[doc + 1]):
            prefix = prefix * powers[1] + words[i]
            done = i - start + 1
            ring[done & 15] = prefix
            for w in range(len(widths)):
                width = widths[w]
                if width > done:
                    break
                gram = prefix - ring[(done - width) & 15] * powers[width]
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
            share = np.float32(covered[form] / totals[form])
            cover[doc] = max(cover[doc], share)
            if covered[form] >= needs[form]:
                mask[doc] |= bits[form]
