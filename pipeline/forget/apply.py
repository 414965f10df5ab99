"""Taking what is forgotten out of a store.

Shards in which a tombstone matches are written again without those rows, with everything known about the rows that stay; then the old
ones go, and all that was made of them. ``forgotten/<base>`` points from the key that a split's documents would have to the one they have.
It can be stopped anywhere and done again: new artifacts are there whole before an old one goes, and what hangs on one goes before it.

``forgotten.json`` in the store names the tombstones it is rid of. Lines that came into the file since, by a colleague's commit, are applied
when the next run begins; where a line was taken out, what it had dropped is ingested again.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.markup import escape

from pipeline.authors import keyring
from pipeline.console import console
from pipeline.forget.lineage import Artifact, Graph
from pipeline.forget.match import Dropped, Matcher
from pipeline.forget.tombstones import VARIABLE, Tombstone, check_keys, dump, load_tombstones, tombstones_file
from pipeline.store import Store
from pipeline.tables import opened
from sources.errors import UserError

_STATE = "forgotten"


@dataclass
class Applied:
    """What was done to a store.

    :param tombstones: ids of those that were new to it.
    :param rows: documents that left, by tombstone; one that several match is counted for each.
    :param documents: that left.
    :param shards: written again.
    :param again: shards that the next run ingests again: whole sources that left, or documents that do not show a person who is forgotten.
    :param removed: artifacts that left, by stage.
    :param bytes_removed, bytes_written: of artifacts.
    """

    tombstones: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    documents: int = 0
    shards: int = 0
    again: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    bytes_removed: int = 0
    bytes_written: int = 0


@dataclass
class State:
    """What a store remembers.

    :param applied: ids of tombstones.
    :param gone: documents key -> tombstones for which it was rewritten or removed.
    """

    applied: set[str]
    gone: dict[str, list[str]]

    @classmethod
    def read(cls, store: Store) -> State:
        """The state of a store; an unknown one is that nothing was applied."""
        told = store.note(_STATE) or {}
        return cls(set(told.get("applied", ())), told.get("gone", {}))

    def write(self, store: Store) -> None:
        """Replace it."""
        store.write_note(_STATE, {"applied": sorted(self.applied), "gone": self.gone})


def begin(store: Store) -> Applied:
    """Before a run, under the store's lock: make the store fit the tombstones, and say which are in force.

    :raises UserError: the file of tombstones is damaged, or needs an author key that is not here.
    """
    tombstones, state = load_tombstones(), State.read(store)
    done = Applied()
    if back := state.applied - tombstones.keys():
        _check_taken_back(len(back))
    if tombstones or state.applied:
        check_keys(tombstones.values(), keyring())
        _take_back(store, set(tombstones), done)
        new = [one for name, one in tombstones.items() if name not in state.applied]
        if new:
            _apply(store, new, state, done)
        if state.applied != tombstones.keys():
            state.applied = set(tombstones)
            state.write(store)
    store.tombstones = _snapshot(store, tombstones) if tombstones else None
    return done


def _check_taken_back(n: int) -> None:
    """Say that tombstones this store knew are gone; a file that is gone was hardly meant to be.

    :raises UserError: there is no file.
    """
    path = tombstones_file()
    if not path.exists():
        raise UserError(
            f"the tombstones are not there, of which this store knows {n:,}: what they keep out would come in again",
            where=path,
            fix=f"restore the file, or name it in {VARIABLE}; to take everything back, leave an empty one",
        )
    console.print(
        f"[yellow]note:[/] {n:,} tombstones that this store knew are no longer in {escape(str(path))}:"
        " what they kept out comes in again",
        soft_wrap=True,
    )


def _snapshot(store: Store, tombstones: dict[str, Tombstone]) -> str:
    """The tombstones as the workers of this run read them: the file may change while they work."""
    content = dump(tombstones.values())
    key = hashlib.blake2b(content, digest_size=16).hexdigest()
    if not store.has("work/tombstones", key):
        with store.write("work/tombstones", key, []) as (folder, _):
            (folder / "tombstones.jsonl").write_bytes(content)
    return key


@lru_cache(maxsize=2)
def in_force(store: Store, key: str) -> Matcher:
    """The tombstones of a run, read once a process.

    :param key: :attr:`pipeline.store.Store.tombstones`.
    """
    tombstones = load_tombstones(store.path("work/tombstones", key) / "tombstones.jsonl")
    ring = keyring()
    check_keys(tombstones.values(), ring)
    return Matcher(tombstones.values(), ring)


def _take_back(store: Store, present: set[str], done: Applied) -> None:
    """Remove documents from which something was dropped that is no longer forgotten."""
    pointers = store.artifacts("forgotten")
    stale = {key: meta["documents"] for _, key, meta in pointers if not set(meta["by"]) <= present}
    if stale:
        _remove(store, Graph(store), set(stale.values()), {}, done)
        for base in stale:
            store.remove("forgotten", [base])


@dataclass
class _Found:
    """What a scan found in a shard.

    :param gone: rows.
    :param again: whether the whole shard has to be ingested again.
    """

    gone: npt.NDArray[np.bool_]
    ids: list[str]
    by: Counter[str]
    again: bool = False


def _scan(store: Store, one: Artifact, matcher: Matcher) -> _Found:
    source, key = one.meta["source"], one.meta.get("author_key", "")
    found = _Found(np.zeros(0, np.bool_), [], Counter())
    if source in matcher.sources:
        found.by[matcher.sources[source]] = one.meta["documents"]
        found.again = True
        return found
    authors, blind = matcher.authors(source, key), matcher.blind_to(key, source)
    masks = []
    with opened(store.path("documents", one.key) / "documents.parquet") as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=matcher.columns, use_threads=False)
            if blind and _has_authors(table):
                # the whole shard goes, so none of it is written again
                return _Found(found.gone, [], found.by, again=True)
            mask, by = matcher.match(table, authors)
            masks.append(mask)
            found.by.update(by)
            found.ids += table["id"].filter(pa.array(mask)).to_pylist()
    found.gone = np.concatenate(masks) if masks else found.gone
    return found


def _has_authors(table: pa.Table) -> bool:
    turns = table["turns"].combine_chunks().flatten()
    speakers = turns.field("author") if len(turns) else turns
    return table["author"].null_count < len(table) or speakers.null_count < len(speakers)


def _apply(store: Store, new: list[Tombstone], state: State, done: Applied) -> None:
    graph = Graph(store)
    documents = graph.of_stage("documents")
    matcher = Matcher(new, keyring())
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = dict(
            zip(
                (one.key for one in documents), pool.map(lambda one: _scan(store, one, matcher), documents), strict=True
            )
        )
        touched = [one for one in documents if found[one.key].ids]
        before = set(graph.artifacts)
        list(pool.map(lambda one: _rewrite(store, graph, one, found[one.key]), touched))
    again = [one for one in documents if found[one.key].again]
    done.tombstones = [one.id for one in new]
    done.shards, done.again = len(touched), len(again)
    done.documents += sum(len(found[one.key].ids) for one in touched)
    for one in (*touched, *again):
        done.rows.update(found[one.key].by)
        state.gone[one.key] = sorted(found[one.key].by)
    done.documents += sum(one.meta["documents"] for one in again if one.meta["source"] in matcher.sources)
    if touched or again:
        done.bytes_written += _sizes(store, before)
        # Before anything goes, so that outputs made of it are found even if this stops here.
        state.write(store)
        keys = {one.key for one in (*touched, *again)}
        _remove(store, graph, keys, {one.key: found[one.key].gone for one in touched}, done)
        for one in again:
            store.remove("forgotten", [one.meta.get("base", one.key)])


def _rewrite(store: Store, graph: Graph, one: Artifact, found: _Found) -> None:
    # here, because it brings in what sets are made with, and most runs have nothing new to forget
    from pipeline.forget.carry import carry

    base = one.meta.get("base", one.key)
    dropped = Dropped.of(one.meta.get("forgotten"))
    dropped.add(found.ids, {})
    known = store.meta("forgotten", base)["by"] if store.has("forgotten", base) else {}
    new = carry(store, graph, one, dropped, found.gone)
    store.point("forgotten", base, {"documents": new, "by": known | dict(found.by)})


def _remove(store: Store, graph: Graph, keys: set[str], gone: dict[str, npt.NDArray[np.bool_]], done: Applied) -> None:
    """Remove documents and all that was made of them, what was made last first.

    :param gone: rows that are forgotten, of shards that were written again.
    """

    def spared(one: Artifact) -> bool:
        # Models that read no forgotten document are those that the rest would make; their key is a hash of what they read.
        if one.stage != "proxy-tokens" or not one.inputs or one.inputs[0] not in gone:
            return False
        rows = store.path(one.stage, one.key) / "rows.npy"
        return rows.is_file() and not gone[one.inputs[0]][np.load(rows, allow_pickle=False)].any()

    store.sweep_work()
    for one in graph.dependents(keys, spared):
        done.bytes_removed += store.remove(one.stage, [one.key])
        done.removed[one.stage] += 1


def _sizes(store: Store, before: set[str]) -> int:
    """Bytes of the artifacts that were not there before."""
    new = [(stage, key) for stage, key, _ in store.artifacts() if key not in before and stage != "forgotten"]
    return sum(file.stat().st_size for name in new for file in store.path(*name).iterdir())


def facts(done: Applied) -> dict[str, Any]:
    """What was done, as ``--json`` prints it."""
    return {
        "documents": done.documents,
        "shards": done.shards,
        "shards_to_ingest_again": done.again,
        "artifacts_removed": dict(done.removed),
        "bytes_removed": done.bytes_removed,
        "bytes_written": done.bytes_written,
    }
