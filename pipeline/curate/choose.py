"""Choosing a set from what is fit: near-duplicate prompts go, then quality and spread rank, then quotas are met.

Pure functions of arrays; nothing here knows files or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Numbers of a similarity matrix at once (200 MB).
_CELLS = 50_000_000


@dataclass(frozen=True)
class Limit:
    """A quota as numbers: bounds on the mean of ``members`` over what is chosen.

    :param members: shape (items,): bool, and the mean is a share; or 1, 0 and -1, and it is a balance that ``at_most`` bounds.
    :param at_least, at_most: of that mean.
    """

    name: str
    members: np.ndarray
    at_least: float
    at_most: float


def near_pairs(vectors: np.ndarray, similarity: float) -> np.ndarray:
    """Pairs of rows (unit vectors) whose cosine reaches ``similarity``: int64, shape (pairs, 2), first < second."""
    found = []
    step = max(1, _CELLS // max(1, len(vectors)))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        rows, columns = np.nonzero(block @ vectors[start:].T >= similarity)
        keep = columns > rows
        found.append(np.stack([rows[keep] + start, columns[keep] + start], axis=1))
    return np.concatenate(found).astype(np.int64) if found else np.empty((0, 2), np.int64)


def best_of_each(names: list[str], quality: np.ndarray, most: int) -> np.ndarray:
    """Which rows are among the ``most`` best of their name: bool, shape (rows,)."""
    _, codes = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    order = np.lexsort((np.arange(len(codes)), -quality, codes))
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0]) if len(codes) else np.zeros(0, dtype=np.int64)
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.r_[starts, len(codes)]))
    kept = np.zeros(len(codes), dtype=bool)
    kept[order[place < most]] = True
    return kept


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
    """Rows chosen so that quotas hold and early rows of the ranking are preferred: bool, shape (rows,).

    Shares are of what is chosen in the end. First a linear programme over the kinds of rows (which quotas they count for) finds the largest
    set whose caps hold and, with it, how near its minima can come; then one over rows fills it with the best of the ranking. What the
    second leaves fractional, a handful of rows, is settled along the ranking.

    :param first: bool, shape (rows,): rows a reviewer kept; they are taken whatever the caps say.
    """
    if not len(ranking) or size <= 0:
        return np.zeros(len(first), dtype=bool)
    members = np.zeros((len(limits), len(first)), dtype=np.int64)
    for number, limit in enumerate(limits):
        members[number] = limit.members
    most = np.array([limit.at_most for limit in limits])
    least = np.array([limit.at_least for limit in limits])
    target = min(size, len(ranking))
    while True:
        wanted, floors = _largest(members[:, ranking], most, least, target, first[ranking])
        caps = _caps(most, wanted).astype(np.int64)
        caps = np.maximum(caps, (members * first).sum(axis=1))
        chosen = np.zeros(len(first), dtype=bool)
        chosen[ranking[_best(members[:, ranking], caps, floors, wanted, first[ranking])]] = True
        count = int(chosen.sum())
        allowed = np.maximum(_caps(most, count), (members * first).sum(axis=1))
        if count >= wanted or np.all(members[:, chosen].sum(axis=1) <= allowed) or count <= 1:
            return chosen
        target = min(count, wanted - 1)


def _caps(most: np.ndarray, count: int) -> np.ndarray:
    """Most rows of each quota in ``count``. One may be there where a share comes to less than one row, but none of a share of 0."""
    return np.where(most < 1, np.maximum(np.floor(most * count + 1e-6), most > 0), count)


def _largest(
    members: np.ndarray, most: np.ndarray, least: np.ndarray, size: int, first: np.ndarray
) -> tuple[int, np.ndarray]:
    """How many rows can be had with all caps holding, and how many of each quota at least then.

    :param members: int64, shape (quotas, rows).
    """
    from scipy.optimize import linprog

    kinds, supply = np.unique(np.vstack([members, first]).T, axis=0, return_counts=True)
    inside, kept = kinds[:, :-1].T.astype(float), kinds[:, -1]
    quotas, n = members.shape[0], len(supply)
    # unknowns: rows of each kind, the size, and what each minimum lacks
    goal = np.concatenate([np.zeros(n), [-1.0], np.full(quotas, 0.1 / max(1, quotas))])
    spare = (members * first).sum(axis=1).astype(float)
    upper = np.hstack([inside, -most[:, None], np.zeros((quotas, quotas))])
    lower = np.hstack([-inside, least[:, None], -np.eye(quotas)])
    bounds = [(float(have) if keep else 0.0, float(have)) for have, keep in zip(supply, kept, strict=True)]
    solved = linprog(
        goal,
        A_ub=np.vstack([upper, lower]),
        b_ub=np.concatenate([np.where(most < 1, np.maximum(spare, 0.0), 0.0), np.zeros(quotas)]),
        A_eq=np.concatenate([np.ones(n), [-1.0], np.zeros(quotas)])[None],
        b_eq=[0.0],
        bounds=[*bounds, (0.0, float(max(size, int(first.sum())))), *([(0.0, None)] * quotas)],
        method="highs",
    )
    if solved.x is None:  # cannot be: nothing at all is a solution but for what reviewers kept
        return int(first.sum()), np.full(quotas, -len(first), dtype=np.int64)
    wanted = int(np.floor(solved.x[n] + 1e-6))
    # a balance has no minimum: below, too, `at_most` of its negative bounds it
    floors = np.floor(least * wanted - solved.x[n + 1 :] + 1e-6)
    return wanted, np.where(least > 0, np.maximum(0, floors), -wanted).astype(np.int64)


def _best(members: np.ndarray, caps: np.ndarray, floors: np.ndarray, wanted: int, first: np.ndarray) -> np.ndarray:
    """Numbers in the ranking of ``wanted`` rows, as early as caps and floors let them be."""
    from scipy.optimize import linprog

    rows = members.shape[1]
    if wanted >= rows and np.all(members.sum(axis=1) <= caps):
        return np.arange(rows)
    place = np.arange(rows) / rows
    matrix = members.astype(float)
    solved = linprog(
        place - 1.0,
        A_ub=np.vstack([matrix, -matrix]) if len(caps) else None,
        b_ub=np.concatenate([caps, -floors]).astype(float) if len(caps) else None,
        A_eq=np.ones((1, rows)),
        b_eq=[float(wanted)],
        bounds=[(1.0 if keep else 0.0, 1.0) for keep in first],
        method="highs",
    )
    share = np.round(solved.x, 6) if solved.x is not None else first.astype(float)
    order = np.lexsort((place, -share))
    have = np.zeros(len(caps), dtype=np.int64)
    taken: list[int] = []
    for row in order.tolist():
        if len(taken) >= wanted:
            break
        if share[row] >= 1 or np.all((have + members[:, row] <= caps) | (members[:, row] <= 0)):
            taken.append(row)
            have = have + members[:, row]
    return np.array(taken, dtype=np.int64)
