"""Choosing a set from what is fit: near-duplicate prompts go, then quality and spread rank, then quotas are met.

Pure functions of arrays; nothing here knows files or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Rows of a similarity matrix at once.
_BLOCK = 2_048


@dataclass(frozen=True)
class Limit:
    """A quota as numbers.

    :param members: bool, shape (items,).
    :param at_least, at_most: share of what is chosen.
    """

    name: str
    members: np.ndarray
    at_least: float
    at_most: float


def near_pairs(vectors: np.ndarray, similarity: float) -> np.ndarray:
    """Pairs of rows (unit vectors) whose cosine reaches ``similarity``: int64, shape (pairs, 2), first < second."""
    found = []
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        rows, columns = np.nonzero(block @ vectors[start:].T >= similarity)
        keep = columns > rows
        found.append(np.stack([rows[keep] + start, columns[keep] + start], axis=1))
    return np.concatenate(found).astype(np.int64) if found else np.empty((0, 2), np.int64)


def without_repeats(pairs: np.ndarray, quality: np.ndarray, per_prompt: int) -> np.ndarray:
    """Which rows stay when at most ``per_prompt`` of those that ask the same may: bool, shape (rows,); the better ones stay.

    Rows are taken from the best down (ties: the earlier), and one is left out when ``per_prompt`` of its neighbours were taken. So
    chains of similar prompts do not fall as one cluster.
    """
    order = np.argsort(-quality, kind="stable")
    starts, neighbours = _adjacency(pairs, len(quality))
    taken = np.zeros(len(quality), dtype=bool)
    # Python, but over rows that have neighbours only: the others are all taken
    lonely = np.diff(starts) == 0
    taken[lonely] = True
    for row in order[~lonely[order]].tolist():
        taken[row] = taken[neighbours[starts[row] : starts[row + 1]]].sum() < per_prompt
    return taken


def _adjacency(pairs: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    both = np.concatenate([pairs, pairs[:, ::-1]]) if len(pairs) else np.empty((0, 2), np.int64)
    both = both[np.argsort(both[:, 0], kind="stable")]
    return np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=rows))]), both[:, 1]


def groups(edges: np.ndarray, rows: int) -> np.ndarray:
    """The smallest row connected with each row: int64, shape (rows,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(rows, rows))
    _, component = connected_components(graph, directed=False)
    smallest = np.full(rows, rows, np.int64)
    np.minimum.at(smallest, component, np.arange(rows))
    return smallest[component]


def promising(quality: np.ndarray, limits: list[Limit], size: int, factor: float) -> np.ndarray:
    """Row numbers worth looking at, in order: the best ``factor * size``, and as many times what each quota wants at least."""
    order = np.argsort(-quality, kind="stable")
    keep = np.zeros(len(quality), dtype=bool)
    keep[order[: round(factor * size)]] = True
    for limit in limits:
        if limit.at_least > 0:
            members = order[limit.members[order]]
            keep[members[: round(factor * limit.at_least * size)]] = True
    return np.flatnonzero(keep)


def spread(vectors: np.ndarray, quality: np.ndarray, strategy: str, weight: float, count: int) -> np.ndarray:
    """Row numbers from the first choice on, by quality and by how much a row adds to those before it (pyversity, van Dongen and Tulkens).

    :param count: how many to rank; the rest follow by quality.
    """
    order = np.argsort(-quality, kind="stable")
    if weight == 0 or len(quality) <= 1:
        return order
    from pyversity import diversify

    chosen = diversify(vectors, quality.astype(np.float32), min(count, len(quality)), strategy, weight).indices
    rest = np.ones(len(quality), dtype=bool)
    rest[chosen] = False
    return np.concatenate([chosen.astype(np.int64), order[rest[order]]])


def pick(ranking: np.ndarray, limits: list[Limit], size: int, first: np.ndarray) -> np.ndarray:
    """Rows chosen along a ranking so that quotas hold: bool, shape (rows,).

    Shares are of what is chosen in the end. Where less than ``size`` can be had, the caps shrink with it until they hold.

    :param first: bool, shape (rows,): rows a reviewer kept; taken before quotas are looked at.
    """
    target = size
    while True:
        chosen = _pick(ranking, limits, target, first)
        count = int(chosen.sum())
        if count >= target or all(_keeps(limit, chosen, count, first) for limit in limits):
            return chosen
        target = max(1, min(count, target - 1))


def _keeps(limit: Limit, chosen: np.ndarray, count: int, first: np.ndarray) -> bool:
    """Whether a cap holds for what is chosen; what a reviewer kept is above it."""
    most = max(1, int(limit.at_most * count), int((chosen & limit.members & first).sum()))
    return limit.at_most >= 1 or chosen[limit.members].sum() <= most


def _pick(ranking: np.ndarray, limits: list[Limit], size: int, first: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(first), dtype=bool)
    members = np.stack([limit.members for limit in limits]) if limits else np.zeros((0, len(first)), dtype=bool)
    most = np.array([int(limit.at_most * size) if limit.at_most < 1 else size for limit in limits], dtype=np.int64)
    least = np.array([min(round(limit.at_least * size), size) for limit in limits], dtype=np.int64)
    have = np.zeros(len(limits), dtype=np.int64)
    count = 0

    def take(rows: np.ndarray, enough: int, quota: int | None, capped: bool = True) -> None:
        nonlocal count, have
        for row in rows.tolist():
            if count >= size or (quota is not None and have[quota] >= enough):
                return
            if not chosen[row] and (not capped or np.all(have[members[:, row]] < most[members[:, row]])):
                chosen[row] = True
                have = have + members[:, row]
                count += 1

    take(ranking[first[ranking]], size, None, capped=False)
    # the scarcest minimum is served first: what is rare is not used up by what is common
    supply = members[:, ranking].sum(axis=1)
    scarcity = np.where(least > 0, supply / np.maximum(least, 1), np.inf)
    for number in np.argsort(scarcity, kind="stable").tolist():
        if least[number]:
            take(ranking[members[number, ranking]], int(least[number]), number)
    take(ranking, size, None)
    return chosen
