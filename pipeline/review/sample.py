"""Which examples people see: drawn by hashes of seed and id, so that every stratum is seen and the same call draws the same."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.review.decisions import Kind
from pipeline.review.examples import Entry


def place(seed: int, purpose: str, id: str) -> int:
    """A number from 0 to 2^64 - 1 that depends on nothing else; each purpose has draws of its own."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\x1f{purpose}\x1f{id}".encode(), digest_size=8).digest(), "big")


def row_id(seed: int, kind: str, id: str) -> str:
    """What a file for reviewers calls an example, 32 hex digits. Its own id would tell too much: a pair's is made of its replies' ids in
    the order of the set's choice. Without the set nobody can work back to it, and so nobody can work out the order of A and B."""
    return hashlib.blake2b(f"{seed}\x1f{kind}\x1f{id}".encode(), digest_size=16).hexdigest()


def reply_order(seed: int, id: str) -> tuple[int, int]:
    """Which reply of a pair is shown as A and which as B: 0 is the chosen one, 1 the rejected."""
    return (0, 1) if place(seed, "order", id) % 2 == 0 else (1, 0)


def allot(
    sizes: dict[str, int], n: int, rank: Callable[[str], int], least: dict[str, int] | None = None
) -> dict[str, int]:
    """Divide ``n`` places among groups: some each, the rest by the root of their sizes, none more than it has.

    By the root, because by size rare groups would hardly be seen, and evenly the large ones would be known too badly.

    :param rank: order in which groups come where there are fewer places than groups; none is favoured for its size.
    :param least: places each has before the rest is divided, where there are so many; else one.
    """
    if least is None or sum(least.values()) > n:
        ranks = {name: rank(name) for name in sizes}
        least = dict.fromkeys(sorted(sizes, key=ranks.__getitem__)[:n], 1)
    got = dict(least)
    for _ in range(min(n, sum(sizes.values())) - sum(got.values())):
        # highest averages: the group that is furthest below its part is next
        open_ = [name for name in got if got[name] < sizes[name]]
        got[max(open_, key=lambda name: (math.sqrt(sizes[name]) / (got[name] + 1), name))] += 1
    return got


@dataclass(frozen=True)
class Sample:
    """What was drawn.

    :param entries: drawn examples, in no order that means anything.
    :param strata: strata there are, and those of which something was drawn.
    """

    entries: list[Entry]
    strata: tuple[int, int]


def draw(entries: list[Entry], n: int, seed: int) -> Sample:
    """Draw up to ``n`` examples over kind, then over the columns of :attr:`Entry.values` one inside the other.

    An example with several principles (or facets, ...) counts as its rarest, so that it is in one stratum; an id that stands
    in the set as several kinds is one of them.
    """
    kinds: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        kinds[entry.id].append(entry)
    single = [
        sorted(found, key=lambda one: one.kind)[place(seed, "kind", id) % len(found)] for id, found in kinds.items()
    ]
    common = Counter(
        (entry.kind, i, value) for entry in single for i, many in enumerate(entry.values) for value in many
    )
    strata: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in single:
        rarest = (
            min(many, key=lambda value: (common[entry.kind, i, value], value), default="")
            for i, many in enumerate(entry.values)
        )
        strata[entry.kind, *rarest].append(entry)
    drawn = _draw(strata, n, seed, 0)
    seen = {id(entry) for entry in drawn}
    return Sample(drawn, (len(strata), sum(any(id(one) in seen for one in found) for found in strata.values())))


def _draw(strata: dict[tuple[str, ...], list[Entry]], n: int, seed: int, level: int) -> list[Entry]:
    """Draw from strata that share the first ``level`` parts of their names."""
    names = list(strata)
    if n <= 0 or not names:
        return []
    if level == len(names[0]):
        return sorted(strata[names[0]], key=lambda entry: place(seed, "draw", entry.id))[:n]
    groups: dict[str, dict[tuple[str, ...], list[Entry]]] = defaultdict(dict)
    for name in names:
        groups[name[level]][name] = strata[name]
    sizes = {part: sum(map(len, group.values())) for part, group in groups.items()}
    above = "\x1f".join(names[0][:level])
    strata_in = {part: len(group) for part, group in groups.items()}
    places = allot(sizes, n, lambda part: place(seed, f"stratum\x1f{above}", part), strata_in)
    return [entry for part, k in places.items() for entry in _draw(groups[part], k, seed, level + 1)]


def deal(entries: list[Entry], reviewers: int, overlap: float, seed: int) -> tuple[list[list[Entry]], int]:
    """Divide the examples of one kind among reviewers: a share goes to all of them, to see how far they agree; the rest to one each.

    :returns: the examples of each reviewer, each in an order of its own; how many are shared.
    """
    ordered = sorted(entries, key=lambda entry: place(seed, "deal", entry.id))
    shared = len(ordered) if reviewers == 1 else math.ceil(overlap * len(ordered))
    hands = [ordered[:shared] + ordered[shared + i :: reviewers] for i in range(reviewers)]
    for i, hand in enumerate(hands):
        hand.sort(key=lambda entry: place(seed, f"row{i}", entry.id))
    return hands, 0 if reviewers == 1 else shared


def of_kind(entries: list[Entry], kind: Kind) -> list[Entry]:
    """Those of one kind."""
    return [entry for entry in entries if entry.kind == kind]
