"""Decisions of reviewers, applied: which of them are about examples as they stand now.

A decision carries a hash of the text it is about. Here the text is put together again from the candidates, so that a decision about a
text that has changed since (another system prompt, better de-identification) has no effect, and the manifest says how many those are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipeline.curate.recipe import SetRecipe
from pipeline.curate.write import Bodies, messages_of, read_bodies
from pipeline.database import files
from pipeline.review import Decisions, text_sha256
from pipeline.review.decisions import Kind
from pipeline.store import Store


@dataclass
class Reviewed:
    """Decisions that hold, and what the manifest says of all of them.

    :param single: id of a reply -> keep or drop.
    :param pair: id of a pair -> confirm, swap, tie or drop, about the order native evidence gives it.
    :param unpaired: id of a reply -> good, bad or drop.
    """

    single: dict[str, str] = field(default_factory=dict)
    pair: dict[str, str] = field(default_factory=dict)
    unpaired: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def key(self) -> list[Any]:
        """For the key of a selection."""
        return [sorted(part.items()) for part in (self.single, self.pair, self.unpaired)]


def reviewed(store: Store, recipe: SetRecipe, shards: list[dict[str, str]], decisions: Decisions) -> Reviewed:
    """Look up what was decided about candidates.

    :param shards: the keys of each shard, in the selection's order.
    """
    found = Reviewed(facts=decisions.facts() | {"stale": 0, "not_found": 0})
    if not len(decisions):
        return found
    places = _places(store, shards, decisions)
    wanted = [place for places_ in places.values() for place in places_]
    bodies = read_bodies(store, [shard["candidates"] for shard in shards], wanted)
    kinds: tuple[Kind, ...] = ("single", "pair", "unpaired")
    for kind in kinds:
        for id_ in sorted(decisions.ids(kind)):
            at = places.get(id_, [])
            if len(at) < (2 if kind == "pair" else 1):
                found.facts["not_found"] += 1
                continue
            verdict = decisions.find(kind, id_, _text(at, bodies, recipe))
            if verdict is None:
                continue
            if verdict.decision == "stale":
                found.facts["stale"] += 1
            else:
                getattr(found, kind)[id_] = verdict.decision
    return found


def _places(store: Store, shards: list[dict[str, str]], decisions: Decisions) -> dict[str, list[tuple[int, int]]]:
    """Where the replies of each reviewed example are; of a pair, named by half of each reply's id, the better one first."""
    singles = sorted(decisions.ids("single") | decisions.ids("unpaired"))
    pairs = sorted(decisions.ids("pair"))
    con = duckdb.connect(config={"threads": 1})
    try:
        paths = [store.path("pool", shard["pool"]) / "pool.parquet" for shard in shards]
        con.execute("CREATE TABLE shards (shard INTEGER, path VARCHAR)")
        con.executemany("INSERT INTO shards VALUES (?, ?)", [[i, str(path)] for i, path in enumerate(paths)])
        con.execute("CREATE TABLE wanted (example VARCHAR, side INTEGER, half VARCHAR)")
        rows = [[id_, 0, id_] for id_ in singles] + [
            [id_, side, id_[16 * side : 16 * side + 16]] for id_ in pairs for side in (0, 1)
        ]
        con.executemany("INSERT INTO wanted VALUES (?, ?, ?)", rows)
        hits = con.execute(f"""
            SELECT w.example, w.side, s.shard, p.row
            FROM read_parquet({files(paths)}, filename = true) p JOIN shards s ON s.path = p.filename
            JOIN wanted w ON w.half = CASE WHEN len(w.half) = 32 THEN p.id ELSE left(p.id, 16) END
            ORDER BY ALL
        """).fetchall()
    finally:
        con.close()
    places: dict[str, list[tuple[int, int]]] = {}
    for example, _, shard, row in hits:
        places.setdefault(example, []).append((shard, row))
    return places


def _text(at: list[tuple[int, int]], bodies: Bodies, recipe: SetRecipe) -> str:
    prompt, reply = messages_of(bodies[at[0]], recipe)
    rejected = [messages_of(bodies[place], recipe)[1] for place in at[1:2]]
    return text_sha256([*prompt, *reply, *(message for side in rejected for message in side)])
