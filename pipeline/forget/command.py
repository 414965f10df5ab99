"""``wellmix forget``: record a request and take it out of the store at once; tell what is forgotten; look for traces."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.authors import current_key, keyring
from pipeline.forget.apply import Applied, State, begin, facts
from pipeline.forget.outputs import Known, outdated, registered
from pipeline.forget.prove import Proof, prove
from pipeline.forget.record import read_texts, record_author, record_ids, record_source, record_texts
from pipeline.forget.tombstones import Tombstone, add_tombstones, check_keys, load_tombstones, tombstones_file
from pipeline.output import local_copy
from pipeline.store import Store, open_store, there_is_a_store
from sources.errors import UserError


@dataclass(frozen=True)
class Forgotten:
    """What a request did.

    :param tombstones: ids of the lines added to ``file``; empty if the request had been made before.
    :param known: documents of the request that were in the store.
    :param shared: its texts that stay where others posted them, too (:mod:`pipeline.forget.shared`).
    :param applied: what was done to the store, copies included.
    :param outputs: folders made with what is gone; they still hold it.
    """

    file: Path
    tombstones: list[str]
    known: int
    shared: int
    applied: Applied
    outputs: list[Known]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """The object ``--json`` prints."""
        return {
            "tombstones_file": str(self.file),
            "tombstones": self.tombstones,
            "known": self.known,
            "texts_of_many": self.shared,
            **facts(self.applied),
            "outputs": [{"folder": str(one.folder), "what": one.what, "fix": one.fix} for one in self.outputs],
            "seconds": round(self.seconds, 3),
        }


def forget(
    store_root: Path | str,
    *,
    author: str | None = None,
    source: str | None = None,
    ids: Sequence[str] = (),
    matching: Sequence[Path] = (),
    reason: str,
    date: str | None = None,
) -> Forgotten:
    """Record what is to be forgotten, and take it out of a store.

    :param author: raw handle; with ``source`` in that source only.
    :param source: without ``author``: the whole source.
    :param ids: of documents.
    :param matching: files of texts.
    :param reason: for the record; names nobody.
    :param date: ISO date, default today.
    :raises UserError: anything the user can mend; nothing is recorded then.
    """
    started = monotonic()
    if sum((author is not None or source is not None, bool(ids), bool(matching))) != 1:
        raise UserError(
            "say what to forget", where="forget", fix="give one of --author (and --source), --id, --source, --matching"
        )
    _check_reason(reason, author)
    date = date or datetime.date.today().isoformat()
    with _opened(store_root) as store:
        ring = keyring()
        check_keys(load_tombstones().values(), ring)
        if author is not None:
            made = record_author(store, author, source, ring, date, reason)
        elif source is not None:
            made = record_source(store, source, date, reason)
        elif ids:
            made = record_ids(store, ids, ring, date, reason)
        else:
            made = record_texts(matching, ring, date, reason)
        added = add_tombstones([*made.main, *made.tied])
        applied = begin(store) if store else Applied()
        outputs = outdated(registered(store), set(State.read(store).gone)) if store else []
    return Forgotten(
        tombstones_file(),
        [one.id for one in added],
        made.documents,
        made.shared,
        applied,
        outputs,
        monotonic() - started,
    )


def _check_reason(reason: str, author: str | None) -> None:
    if not reason.strip():
        raise UserError("a tombstone needs a reason", where="--reason", fix="say who asked, or why; name nobody")
    handle = (author or "").strip()
    if handle and re.search(rf"(?<!\w){re.escape(handle)}(?!\w)", reason, re.IGNORECASE):
        raise UserError(
            "the reason names the author",
            where="--reason",
            fix="the file is shared: refer to the request, e.g. by its number",
        )


@contextmanager
def _opened(root: Path | str) -> Iterator[Store | None]:
    """A store under its lock; None where there is none, which then has nothing to forget."""
    if not there_is_a_store(root):
        yield None
        return
    store = open_store(root)
    release = store.lock()
    try:
        yield store
    finally:
        release()


def status(store_root: Path | str) -> dict[str, Any]:
    """What is forgotten: a row a request, what it dropped from this store, and outputs that still hold what is gone."""
    tombstones = load_tombstones()
    dropped: Counter[str] = Counter()
    store = open_store(store_root) if there_is_a_store(store_root) else None
    for _, _, meta in store.artifacts("forgotten") if store else ():
        dropped.update(meta["by"])
    state = State.read(store) if store else State(set(), {})
    parents = {name: one.of if one.of in tombstones else name for name, one in tombstones.items()}
    rows: dict[str, dict[str, Any]] = {}
    for name, one in tombstones.items():
        if parents[name] == name:
            rows[name] = _row(one) | {"dropped": dropped[name], "applied": name in state.applied}
    for name, one in tombstones.items():
        row = rows[parents[name]]  # type: ignore[index]
        if parents[name] != name:
            row["tied"][one.kind] = row["tied"].get(one.kind, 0) + 1
            row["dropped_by_tied"] += dropped[name]
    ring = keyring()
    return {
        "file": str(tombstones_file()),
        "tombstones": list(rows.values()),
        "keys_missing": sorted(
            {key for one in tombstones.values() if not any(k in ring for k in one.key_ids) for key in one.key_ids}
        ),
        "outputs": [
            {"folder": str(one.folder), "what": one.what, "fix": one.fix}
            for one in (outdated(registered(store), set(state.gone)) if store else ())
        ],
    }


def prove_all(
    store_root: Path | str, folders: Sequence[Path], *, texts: Sequence[Path], handles: Sequence[str]
) -> Proof:
    """Look for traces in a store, in the folders that its runs wrote and in further ones.

    :param texts: files of texts to look for, besides what the tombstones say.
    :raises UserError: a folder or file is not there, or an author key is missing.
    """
    for path in folders:
        if not path.exists():
            raise UserError("nothing to look through", where=path, fix="name a folder or file that is there")
    tombstones, ring = load_tombstones(), keyring()
    check_keys(tombstones.values(), ring)
    wanted = [text for path in texts for text in read_texts(path)]
    if not tombstones and not wanted and not handles:
        raise UserError("nothing is forgotten", where=tombstones_file(), fix="give --text or --handle to look for")
    store = open_store(store_root) if there_is_a_store(store_root) else None
    known = [local_copy(place) for place in registered(store)] if store else []
    if store is not None:
        store.fetch()
    place = store.root if store else Path(store_root)
    return prove(place, [*known, *folders], tombstones.values(), ring, handles=handles, texts=wanted)


def _row(one: Tombstone) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "source": getattr(one, "source", None),
        "date": one.date,
        "reason": one.reason,
        "tied": {},
        "dropped_by_tied": 0,
    }


def key_facts() -> dict[str, Any]:
    """The author keys, where they live, and how many tombstones each can read."""
    ring, tombstones = keyring(), load_tombstones()
    used = Counter(key for one in tombstones.values() for key in one.key_ids)
    return {
        "current": {"id": current_key().id, "where": ring.current.where, "tombstones": used[ring.current.id]},
        "retired": [{"id": key.id, "where": key.where, "tombstones": used[key.id]} for key in ring.retired],
        "missing": {key: n for key, n in sorted(used.items()) if key not in ring},
    }
