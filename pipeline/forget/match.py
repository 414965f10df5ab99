"""Documents held against tombstones: one function, used where documents are ingested and where they lie in the store, so that a store that
forgot and one that never knew hold the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.authors import Keyring, author_of
from pipeline.forget.texts import Sketch, TextIndex
from pipeline.forget.tombstones import AuthorTombstone, IdTombstone, SourceTombstone, TextTombstone, Tombstone
from pipeline.store import make_key

FORGOTTEN_VERSION = 1

#: Columns that matching reads; the second list only where texts are forgotten.
COLUMNS = ["id", "origin", "author", "turns.list.element.author"]
TEXT_COLUMNS = ["text", "turns.list.element.text"]


@dataclass
class Dropped:
    """What of a shard of documents is forgotten.

    :param rows: how many.
    :param digest: sum of hashes of their ids, modulo 2^128: the same for the same set, whatever tombstones dropped it in whatever order.
    :param by: tombstone -> rows it matches itself; the other pieces of their records go with them.
    """

    rows: int = 0
    digest: int = 0
    by: Counter[str] = field(default_factory=Counter)

    def add(self, ids: Iterable[str], by: Mapping[str, int]) -> None:
        """Count more rows."""
        for value in ids:
            self.rows += 1
            # of a hash of the id: the sum over one document would be its id, and stand in the store
            hashed = hashlib.blake2b(value.encode(), digest_size=16).digest()
            self.digest = (self.digest + int.from_bytes(hashed, "big")) % (1 << 128)
        self.by.update(by)

    def facts(self) -> dict[str, Any]:
        """As the meta of documents keeps it."""
        return {"rows": self.rows, "digest": f"{self.digest:032x}"}

    @classmethod
    def of(cls, facts: dict[str, Any] | None) -> Dropped:
        """Inverse of :meth:`facts`; without who dropped it."""
        return cls(facts["rows"], int(facts["digest"], 16)) if facts else cls()


def forgotten_key(base: str, dropped: Dropped) -> str:
    """Key of a shard's documents without what is forgotten.

    :param base: key of the documents if nothing were forgotten.
    """
    return make_key("forgotten", FORGOTTEN_VERSION, documents=base, **dropped.facts()) if dropped.rows else base


class Matcher:
    """Tombstones, ready to look at documents.

    :param ring: has the keys that they need (:func:`pipeline.forget.tombstones.check_keys`).
    """

    def __init__(self, tombstones: Iterable[Tombstone], ring: Keyring) -> None:
        self._ring = ring
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._authors: list[AuthorTombstone] = []
        # retired key -> (person -> tombstones, (source, author) -> tombstones), of those whom the current key does not know
        self._retired: dict[str, tuple[dict[str, set[str]], dict[tuple[str, str], set[str]]]] = {}
        self.sources: dict[str, str] = {}
        texts: dict[str, list[TextTombstone]] = defaultdict(list)
        for one in tombstones:
            match one:
                case IdTombstone():
                    for name in one.ids:
                        self._ids[name].add(one.id)
                case AuthorTombstone():
                    self._authors.append(one)
                    self._add_retired(one)
                case SourceTombstone():
                    self.sources[one.source] = one.id
                case TextTombstone():
                    texts[one.key].append(one)
        self._id_set = pa.array(sorted(self._ids), pa.string())
        self._texts = [
            (
                TextIndex(ring.get(key), [Sketch.decoded(one.words, one.shingles, one.sketch) for one in group]),
                [one.id for one in group],
            )
            for key, group in texts.items()
        ]

    @property
    def columns(self) -> list[str]:
        """What :meth:`match` needs of documents."""
        return [*COLUMNS, *(TEXT_COLUMNS if self._texts else [])]

    def blind_to(self, key: str, source: str) -> bool:
        """Whether a person is forgotten whom documents made with an author key cannot show: hashed under another one only.

        :param key: id of the author key of the documents.
        """
        return any(key not in one.hashes and one.source in (None, source) for one in self._authors)

    def authors(self, source: str, key: str) -> dict[str, set[str]]:
        """Author of documents of a source made with a key -> tombstones."""
        found: dict[str, set[str]] = defaultdict(set)
        for one in self._authors:
            if key in one.hashes and one.source in (None, source):
                found[one.hashes[key] if one.source else author_of(one.hashes[key], source)].add(one.id)
        return found

    def aliases(self, handles: Iterable[str], source: str) -> dict[str, set[str]]:
        """The same for raw handles, where only a retired key knows the person.

        :returns: author under the current key -> tombstones.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for key, (persons, authors) in self._retired.items():
            old = self._ring.get(key)
            for handle in handles:
                person = old.person(handle)
                for one in persons.get(person, set()) | authors.get((source, author_of(person, source)), set()):
                    found[self._ring.current.author(handle, source)].add(one)
        return found

    def _add_retired(self, one: AuthorTombstone) -> None:
        if self._ring.current.id in one.hashes:
            return
        for key, value in one.hashes.items():
            if key in self._ring:
                persons, authors = self._retired.setdefault(key, ({}, {}))
                if one.source is None:
                    persons.setdefault(value, set()).add(one.id)
                else:
                    authors.setdefault((one.source, value), set()).add(one.id)

    def match(self, documents: pa.Table, authors: Mapping[str, set[str]]) -> tuple[npt.NDArray[np.bool_], Counter[str]]:
        """Which rows are forgotten.

        :param documents: whole records, with :attr:`columns`.
        :param authors: forgotten ones, of :meth:`authors` and :meth:`aliases`.
        :returns: a mask of rows, and how many rows each tombstone matches; all pieces of a record that one matches are in the mask.
        """
        hits: set[tuple[int, str]] = set()
        if len(self._id_set):
            ids = documents["id"]
            rows = np.flatnonzero(pc.is_in(ids, self._id_set))
            for row, name in zip(rows.tolist(), ids.take(pa.array(rows)).to_pylist(), strict=True):
                hits |= {(row, one) for one in self._ids[name]}
        turns = documents["turns"].combine_chunks()
        parents, flat = pc.list_parent_indices(turns).to_numpy(), turns.flatten()
        if authors:
            wanted = pa.array(sorted(authors), pa.string())
            columns = [(documents["author"].combine_chunks(), None), (pc.struct_field(flat, "author"), parents)]
            for column, of in columns:
                for at in np.flatnonzero(pc.is_in(column, wanted)).tolist():
                    row = at if of is None else int(of[at])
                    hits |= {(row, one) for one in authors[column[at].as_py()]}
        for index, names in self._texts:
            hits |= {(row, names[number]) for row, number in index.match(documents["text"].combine_chunks())}
            hits |= {(int(parents[at]), names[number]) for at, number in index.match(pc.struct_field(flat, "text"))}
        mask = np.zeros(documents.num_rows, dtype=np.bool_)
        if hits:
            mask[[row for row, _ in hits]] = True
            mask = whole_records(mask, documents["origin"])
        return mask, Counter(one for _, one in hits)


def whole_records(mask: npt.NDArray[np.bool_], origins: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Extend a mask of rows to all pieces of the records they were cut from; a record's pieces are neighbours, the first is part 1."""
    number = pc.struct_field(pc.extract_regex(origins.combine_chunks(), r"&part=(?P<part>\d+)/\d+$"), "part")
    starts = np.asarray(pc.fill_null(pc.not_equal(number, "1"), False)) == 0
    record = np.cumsum(starts)
    return np.isin(record, record[mask])
