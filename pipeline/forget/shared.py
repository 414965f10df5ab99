"""What many people posted: a prayer, a pledge, a chain letter, the answer of a bot. It is no one's own, so no request takes it from all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.authors import AuthorKey
from pipeline.forget.texts import LEAST_SHINGLES, SKETCH, Sketch, TextIndex, sketches, whole_sketch
from pipeline.store import Store
from pipeline.tables import opened

#: Authors who posted a passage, beyond whom it is nobody's own. Sources that name no author do not count.
MANY = 20

_COLUMNS = ["author", "text", "turns.list.element.author", "turns.list.element.text"]


def own_sketches(store: Store, texts: Sequence[str], key: AuthorKey) -> tuple[list[Sketch], int]:
    """Sketches of what is somebody's own in some texts, long enough to be told from others.

    A passage is at least :data:`pipeline.forget.texts.LEAST_SHINGLES` runs of words of one text that stand together in another. What more
    than :data:`MANY` authors of the store have in such passages is left out of the sketch; where little remains, the text is matched whole.

    :returns: the sketches; how many texts are left out because nothing in them is anybody's own.
    """
    known = {
        one.values.tobytes(): (text, one)
        for text, one in zip(texts, sketches(pa.array(texts, pa.string()), key, None), strict=True)
        if one is not None and one.shingles
    }
    if not known:
        return [], 0
    index = TextIndex(key, [one for _, one in known.values()])
    places = index.places()
    common = _common(store, index, sum(map(len, places)))
    made: list[Sketch] = []
    for at, (text, one) in zip(places, known.values(), strict=True):
        left = one.values[~common[at]]
        if len(left) >= LEAST_SHINGLES:
            made.append(Sketch(one.words, len(left), left[:SKETCH]))
        elif len(left):
            made.append(whole_sketch(text, key))
    return made, len(known) - len(made)


def _common(store: Store, index: TextIndex, size: int) -> npt.NDArray[np.bool_]:
    """Which values of an index, of so many, stand in passages of too many authors."""
    paths = [store.path("documents", key) / "documents.parquet" for _, key, _ in store.artifacts("documents")]
    found: list[set[str]] = [set() for _ in range(size)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for here in pool.map(lambda path: _authors(path, index, size), paths):
            for place, authors in here.items():
                found[place] |= authors
    return np.array([len(authors) > MANY for authors in found], np.bool_)


def _authors(path: Path, index: TextIndex, size: int) -> dict[int, set[str]]:
    """Authors of the passages in a shard of documents, by place in the index; no more of each than count."""
    found: dict[int, set[str]] = {}
    full = np.zeros(size, np.bool_)
    with opened(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=_COLUMNS, use_threads=False)
            for texts, authors in _posts(table):
                for row, places in index.passages(texts):
                    name = authors[row].as_py()
                    for place in places[~full[places]].tolist() if name is not None else ():
                        here = found.setdefault(place, set())
                        here.add(name)
                        full[place] = len(here) > MANY
    return found


def _posts(documents: pa.Table) -> list[tuple[pa.Array, pa.Array]]:
    """Texts and their authors, of what somebody posted: turns, and documents that have none."""
    turns = documents["turns"].combine_chunks()
    flat, said = turns.flatten(), pc.fill_null(pc.list_value_length(turns), 0)
    alone = documents.filter(pc.equal(said, 0))
    return [
        (alone["text"].combine_chunks(), alone["author"].combine_chunks()),
        (pc.struct_field(flat, "text"), pc.struct_field(flat, "author")),
    ]
