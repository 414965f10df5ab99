"""Clusters: connected components of verified pairs, each named by its smallest document.

Pairs come as star forests, compressed by a union-find for each group of shards. If what is left fits into one task, that one joins them.
If not, no task ever holds all of it: the edges are spread over parts by the hash of their ends, and two operations are alternated
until nothing changes (Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii, *Connected Components in MapReduce and Beyond*, SoCC 2014):

- *large star*: each node links its larger neighbours to the smallest node it knows, itself included;
- *small star*: each node links itself and its smaller neighbours to the smallest of them.

Both keep components connected. The number of edges and the sum of their ends never grow, and one of them shrinks whenever an edge
changes, so it ends; what it ends with are stars around the smallest node of each component. Parts compress their own edges each time,
which keeps the same two promises.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from pipeline.console import Progress
from pipeline.dedup.division import WORK_VERSION, Division
from pipeline.dedup.exchange import Exchange, Outbox, columns, distinct
from pipeline.execute import Step, run_step
from pipeline.store import Store, make_key
from pipeline.words import mix_ids

#: Bytes a task holds at its peak for an edge it was sent: both directions, order and sorted copies, and those of the new ones.
EDGE_BYTES = 200

EDGES_SCHEMA = pa.schema([("node", pa.int64()), ("cluster", pa.int64())])

#: Two int64 (m): larger and smaller end of each edge.
Edges = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def edges_key(run: str, part: int) -> str:
    """Key of ``work/dedup-edges``: the verified pairs of one group of shards, as stars."""
    return make_key("dedup-edges", WORK_VERSION, run=run, part=part)


def labels_key(run: str, part: int, parts: int) -> str:
    """Key of ``work/dedup-labels``: a node and its cluster, for nodes that are not the smallest of theirs."""
    return make_key("dedup-labels", WORK_VERSION, run=run, part=part, parts=parts)


def to_table(larger: npt.NDArray[np.int64], smaller: npt.NDArray[np.int64]) -> pa.Table:
    """Edges as a table of :data:`EDGES_SCHEMA`."""
    return pa.table([larger, smaller], schema=EDGES_SCHEMA)


@njit(cache=True, nogil=True)
def _union(parent, left, right):
    """Join the trees of each pair; a root is the smallest of its tree. Leaves every node with its root."""
    for e in range(len(left)):
        i, j = left[e], right[e]
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        while parent[j] != j:
            parent[j] = parent[parent[j]]
            j = parent[j]
        if i < j:
            parent[j] = i
        elif j < i:
            parent[i] = j
    for i in range(len(parent)):
        # parents are smaller than their children, so they have their root already
        parent[i] = parent[parent[i]]


def compress(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> Edges:
    """The same components with the fewest edges: stars around the smallest node of each.

    :param a, b: int64 (m) the ends of each edge.
    :returns: each node that is not the smallest of its component, in order, and the smallest.
    """
    nodes = np.unique(np.concatenate([a, b]))
    parent = np.arange(len(nodes))
    _union(parent, np.searchsorted(nodes, a), np.searchsorted(nodes, b))
    leaf = parent != np.arange(len(nodes))
    return nodes[leaf], nodes[parent[leaf]]


def large_star(nodes: npt.NDArray[np.int64], neighbours: npt.NDArray[np.int64]) -> Edges:
    """Link the larger neighbours of each node to the smallest node it knows, itself included.

    :param nodes, neighbours: int64 (m), all neighbours of each node.
    """
    nodes, neighbours, smallest = _smallest_neighbour(nodes, neighbours)
    larger = neighbours > nodes
    return neighbours[larger], np.minimum(smallest, nodes)[larger]


def small_star(nodes: npt.NDArray[np.int64], neighbours: npt.NDArray[np.int64]) -> Edges:
    """Link each node and its smaller neighbours to the smallest of them.

    :param nodes, neighbours: int64 (m), the smaller neighbours of each node.
    """
    nodes, neighbours, smallest = _smallest_neighbour(nodes, neighbours)
    other = neighbours != smallest
    return np.concatenate([nodes, neighbours[other]]), np.concatenate([smallest, smallest[other]])


def _smallest_neighbour(
    nodes: npt.NDArray[np.int64], neighbours: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sort by node, and find the smallest neighbour of each row's node."""
    if len(nodes) == 0:
        return nodes, neighbours, neighbours
    order = np.argsort(nodes)
    nodes, neighbours = nodes[order], neighbours[order]
    new = np.concatenate([[True], nodes[1:] != nodes[:-1]])
    starts = np.flatnonzero(new)
    return nodes, neighbours, np.minimum.reduceat(neighbours, starts)[np.cumsum(new) - 1]


def owner(nodes: npt.NDArray[np.int64], parts: int) -> npt.NDArray[np.int64]:
    """The part that each node belongs to."""
    return (mix_ids(nodes.astype(np.uint64), 0) % np.uint64(parts)).astype(np.int64)


def star_round(
    kind: str, larger: npt.NDArray[np.int64], smaller: npt.NDArray[np.int64], part: int, parts: int
) -> Edges:
    """One operation on the nodes of one part.

    :param kind: ``large`` or ``small``.
    :param larger, smaller: int64 (m) the edges it was sent: for ``large`` all that have an end in the part, for ``small`` those whose
        larger end is.
    :returns: the edges that come of it, compressed.
    """
    if kind == "small":
        return compress(*small_star(larger, smaller))
    nodes, neighbours = np.concatenate([larger, smaller]), np.concatenate([smaller, larger])
    own = owner(nodes, parts) == part
    return compress(*large_star(nodes[own], neighbours[own]))


def settled(kind: str, before: Edges, after: Edges, part: int, parts: int) -> bool:
    """Whether an operation left its part as it was.

    In the end a large star gives back the edges around the part's own centres, and a small star everything.
    """
    if kind == "large":
        own = owner(before[1], parts) == part
        before = before[0][own], before[1][own]
    return all(np.array_equal(x, y) for x, y in zip(distinct(*before), after, strict=True))


def stars(run: str, number: int, senders: int, parts: int) -> Exchange:
    """``node``, ``cluster``: the edges between two rounds, to the parts that go on with them."""
    return Exchange("dedup-stars", f"{run}/{parts}/{number}", senders)


def _put(outbox: Outbox, larger: npt.NDArray[np.int64], smaller: npt.NDArray[np.int64], parts: int, both: bool) -> None:
    """Send edges to the owner of the larger end, or of both."""
    to = owner(larger, parts)
    outbox.put(to, node=larger, cluster=smaller)
    if both:
        other = owner(smaller, parts)
        apart = other != to
        outbox.put(other[apart], node=larger[apart], cluster=smaller[apart])


def _read(store: Store, run: str, part: int) -> Edges:
    """The verified pairs of one group."""
    with pa.memory_map(str(store.path("work/dedup-edges", edges_key(run, part)) / "data.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    return np.asarray(table["node"]), np.asarray(table["cluster"])


class JoinStep(Step):
    """Joins the verified pairs of all groups, when they fit into one task."""

    name = "dedup-join"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        parts = [_read(store, task["run"], group) for group in range(task["groups"])]
        _write_labels(store, task, *compress(*(np.concatenate([part[i] for part in parts]) for i in (0, 1))))


class SpreadStep(Step):
    """Sends the verified pairs of one group to the owners of both ends."""

    name = "dedup-spread"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        exchange = stars(task["run"], 0, task["groups"], task["parts"])
        with exchange.outbox(store, task["part"], task["limit"]) as outbox:
            _put(outbox, *_read(store, task["run"], task["part"]), task["parts"], both=True)


class StarStep(Step):
    """One round of one part; says whether it changed anything."""

    name = "dedup-star"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        run, number, part, parts = task["run"], task["round"], task["part"], task["parts"]
        # large stars are rounds 1, 3, ..., small ones 2, 4, ...
        kind = "large" if number % 2 else "small"
        senders = task["groups"] if number == 1 else parts
        larger, smaller = columns(stars(run, number - 1, senders, parts).receive(store, part), "node", "cluster")
        new = star_round(kind, larger, smaller, part, parts)
        with stars(run, number, parts, parts).outbox(store, part, task["limit"]) as outbox:
            _put(outbox, *new, parts, both=kind == "small")
            outbox.told.update(settled=settled(kind, (larger, smaller), new, part, parts))


class LabelStep(Step):
    """Writes what the last round left of one part."""

    name = "dedup-labels"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        run, part, parts = task["run"], task["part"], task["parts"]
        node, cluster = columns(stars(run, task["round"], parts, parts).receive(store, part), "node", "cluster")
        own = owner(node, parts) == part
        _write_labels(store, task, *distinct(node[own], cluster[own]))


def _write_labels(store: Store, task: dict[str, Any], node: np.ndarray, cluster: np.ndarray) -> None:
    with store.write("work/dedup-labels", labels_key(task["run"], task["part"], task["parts"])) as (folder, _):
        pq.write_table(to_table(node, cluster), folder / "labels.parquet")


def run_components(store: Store, run: str, division: Division, *, workers: int, progress: Progress) -> list[str]:
    """Join verified pairs into clusters.

    :param run: prefix of the keys.
    :returns: keys of ``work/dedup-labels``, which together hold each node once.
    """
    groups = division.groups
    edges = sum(store.meta("work/dedup-edges", edges_key(run, group))["edges"] for group in range(groups))
    parts = division.clusters or -(-max(edges, 1) * EDGE_BYTES // division.held)
    shared = {"run": run, "groups": groups, "parts": parts, "limit": division.outbox}
    keys = [labels_key(run, part, parts) for part in range(parts)]

    def do(step: type[Step], todo: list[dict[str, Any]], label: str) -> None:
        run_step(step, store, [shared | task for task in todo], workers=workers, progress=progress, label=label)

    missing = [{"part": part} for part, key in enumerate(keys) if not store.has("work/dedup-labels", key)]
    if parts == 1:
        do(JoinStep, missing, "join clusters")
        return keys
    if not missing:
        return keys
    spread = stars(run, 0, groups, parts)
    do(SpreadStep, [{"part": part} for part in range(groups) if not spread.sent(store, part)], "spread pairs")
    number = still = 0
    while still < 2:  # both operations in turn left everything as it was
        number += 1
        sent = stars(run, number, parts, parts)
        todo = [{"part": part, "round": number} for part in range(parts) if not sent.sent(store, part)]
        do(StarStep, todo, f"join clusters, round {number}")
        still = still + 1 if all(sent.told(store, part)["settled"] for part in range(parts)) else 0
    do(LabelStep, [task | {"round": number} for task in missing], "name clusters")
    return keys
