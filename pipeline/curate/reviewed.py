"""Decisions of reviewers, applied: which of them are about examples as they stand now.

A decision carries a hash of the text it is about. Here the text is put together again from the candidates, so that a decision about a
text that has changed since (another system prompt, better de-identification) has no effect, and the manifest says how many those are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipeline.curate.write import Bodies, messages_of, read_bodies
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


def reviewed(con: duckdb.DuckDBPyConnection, store: Store, candidates: list[str], decisions: Decisions) -> Reviewed:
    """Look up what was decided about candidates.

    :param con: has the table ``units`` (:func:`pipeline.curate.judge.gather`).
    :param candidates: key of each shard's candidates, in the selection's order.
    """
    found = Reviewed(facts=decisions.facts() | {"stale": 0, "not_found": 0})
    if not len(decisions):
        return found
    places = _places(con, decisions)
    bodies = read_bodies(store, candidates, [(shard, row) for at in places.values() for shard, row, *_ in at])
    kinds: tuple[Kind, ...] = ("single", "pair", "unpaired")
    for kind in kinds:
        for id_ in sorted(decisions.ids(kind)):
            at = places.get(id_, [])
            if len(at) < (2 if kind == "pair" else 1):
                found.facts["not_found"] += 1
                continue
            verdict = decisions.find(kind, id_, _text(at, bodies))
            if verdict is None:
                continue
            if verdict.decision == "stale":
                found.facts["stale"] += 1
            else:
                getattr(found, kind)[id_] = verdict.decision
    return found


#: Shard, row, skip and system prompt of a unit.
Place = tuple[int, int, int, str | None]


def _places(con: duckdb.DuckDBPyConnection, decisions: Decisions) -> dict[str, list[Place]]:
    """Where the replies of each reviewed example are; of a pair, named by half of each reply's id, the better one first."""
    con.execute("CREATE TABLE wanted (example VARCHAR, side INTEGER, half VARCHAR)")
    rows = [[id_, 0, id_] for id_ in sorted(decisions.ids("single") | decisions.ids("unpaired"))]
    rows += [[id_, side, id_[16 * side : 16 * side + 16]] for id_ in sorted(decisions.ids("pair")) for side in (0, 1)]
    con.executemany("INSERT INTO wanted VALUES (?, ?, ?)", rows)
    hits = con.execute("""
        SELECT w.example, u.shard, u.row, u.skip, u.system
        FROM units u JOIN wanted w ON w.half = CASE WHEN len(w.half) = 32 THEN u.id ELSE left(u.id, 16) END
        ORDER BY w.example, w.side, u.shard, u.row
    """).fetchall()
    places: dict[str, list[Place]] = {}
    for example, *place in hits:
        places.setdefault(example, []).append(tuple(place))
    return places


def _text(at: list[Place], bodies: Bodies) -> str:
    sides = [messages_of(bodies[shard, row], system, skip) for shard, row, skip, system in at[:2]]
    prompt, reply = sides[0]
    return text_sha256([*prompt, *reply, *(message for _, rejected in sides[1:] for message in rejected)])
