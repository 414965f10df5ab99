"""What many people posted: a prayer, a pledge, a chain letter, the answer of a bot. It is no one's own, so no request takes it from all."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.authors import AuthorKey
from pipeline.forget.texts import LEAST_SHINGLES, SKETCH, Sketch, TextIndex, sketches, whole_sketch
from pipeline.store import Store
from pipeline.tables import opened

#: Authors of one source who posted a passage, beyond whom it is nobody's own. Where no author is named nobody is counted.
MANY = 50
#: Texts sketched at once, and pairs of a place and an author held until they are made distinct.
_BATCH, _PAIRS = 1_000, 1 << 18

_COLUMNS = ["id", "author", "text", "turns.list.element.author", "turns.list.element.text"]
#: Lines that quote, as mail and forums mark them.
_QUOTED = r"(?m)^[ \t]*(?:>|&gt;).*$"


def own_sketches(store: Store, texts: Sequence[str], threads: set[str], key: AuthorKey) -> tuple[list[Sketch], int]:
    """Sketches of what is somebody's own in some texts, long enough to be told from others.

    What more than :data:`MANY` authors have is left out of a sketch, if they have it in passages of at least
    :data:`pipeline.forget.texts.LEAST_SHINGLES` runs of words; so is what recurs in the texts themselves (a signature) but for the first
    :data:`MANY` of them. Where little remains the text is matched whole. Quotes do not count: not those marked, and none in a thread
    that the person spoke in.

    :param threads: ids of the documents the texts are from.
    :returns: the sketches; how many texts are left out because nothing in them is anybody's own.
    """
    known: dict[bytes, tuple[str, Sketch]] = {}
    for start in range(0, len(texts), _BATCH):
        some = texts[start : start + _BATCH]
        for text, one in zip(some, sketches(pa.array(some, pa.string()), key, None), strict=True):
            if one is not None and one.shingles:
                known[one.values.tobytes()] = text, one
    if not known:
        return [], 0
    values = np.unique(np.concatenate([one.values for _, one in known.values()]))
    common = _common(store, TextIndex(key, [Sketch(0, len(values), values)]), len(values), threads)
    times = np.zeros(len(values), np.int64)
    made: list[Sketch] = []
    shared = 0
    for text, one in known.values():
        at = np.searchsorted(values, one.values)
        own = ~common[at]
        left = one.values[own & (times[at] < MANY)]
        times[at] += 1
        if len(left) >= LEAST_SHINGLES:
            made.append(Sketch(one.words, len(left), left[:SKETCH]))
        elif own.any():
            made.append(whole_sketch(text, key))
        else:
            shared += 1
    return made, shared


def _common(store: Store, index: TextIndex, size: int, threads: set[str]) -> npt.NDArray[np.bool_]:
    """Which of so many values of an index stand in passages of too many authors of a source."""
    # one person has another name in another source, and under another key
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for _, key, meta in store.artifacts("documents"):
        groups[meta["source"], meta.get("author_key", "")].append(key)
    found = np.zeros(size, np.bool_)
    skipped = pa.array(sorted(threads), pa.string())
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for keys in groups.values():
            pairs = np.empty((0, 2), np.uint64)
            paths = [folder / "documents.parquet" for folder in store.paths("documents", keys)]
            for here in pool.map(partial(_authors, index=index, skipped=skipped, common=found), paths):
                pairs = _enough(np.concatenate([pairs, here]))
            found |= _decided(pairs, size)
    return found


def _authors(path: Path, index: TextIndex, skipped: pa.Array, common: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Places in the index and hashes of authors, of the passages in a shard of documents.

    :param common: places of which no more has to be known.
    """
    pairs = np.empty((0, 2), np.uint64)
    full, held, size = common.copy(), [pairs], 0
    with opened(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=_COLUMNS, use_threads=False)
            for author, places in _posts(table.filter(pc.invert(pc.is_in(table["id"], skipped))), index):
                places = places[~full[places]]
                held.append(np.stack([places.astype(np.uint64), np.full(len(places), author)], axis=1))
                size += len(places)
                if size >= _PAIRS:
                    pairs = _enough(np.concatenate(held))
                    full |= _decided(pairs, len(full))
                    held, size = [pairs], 0
    return _enough(np.concatenate(held))


def _decided(pairs: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.bool_]:
    """Which places have too many authors."""
    return np.bincount(pairs[:, 0].astype(np.int64), minlength=size) > MANY


def _enough(pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Distinct pairs, of each place no more than decide."""
    pairs = np.unique(pairs, axis=0)
    first = np.searchsorted(pairs[:, 0], pairs[:, 0])
    return pairs[np.arange(len(pairs)) - first <= MANY]


def _posts(documents: pa.Table, index: TextIndex) -> Iterator[tuple[np.uint64, npt.NDArray[np.int64]]]:
    """Author, and places in the index, of each passage that somebody posted: in turns, and in documents that have none."""
    turns = documents["turns"].combine_chunks()
    flat, said = turns.flatten(), pc.fill_null(pc.list_value_length(turns), 0)
    alone = documents.filter(pc.equal(said, 0))
    for texts, authors in (
        (alone["text"].combine_chunks(), alone["author"].combine_chunks()),
        (pc.struct_field(flat, "text"), pc.struct_field(flat, "author")),
    ):
        named = pc.is_valid(authors)
        texts, authors = texts.filter(named), authors.filter(named)
        found = list(index.passages(texts))
        rows = np.array([row for row, _ in found], np.int64)
        met = texts.take(pa.array(rows))
        own = pc.replace_substring_regex(met, _QUOTED, "")
        if not own.equals(met):
            found = list(index.passages(own))
            rows = rows[[row for row, _ in found]]
        for row, (_, places) in zip(rows.tolist(), found, strict=True):
            # hex digits of a hash
            yield np.uint64(int(authors[row].as_py()[-16:], 16)), places
