"""Connected components in parts: the same stars however many parts, and it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup.components import compress, large_star, owner, settled, small_star, star_round
from pipeline.dedup.exchange import Exchange, distinct
from pipeline.store import Store


def components(edges: np.ndarray) -> dict[int, int]:
    """{node: smallest node of its component} of all nodes that are not the smallest, by search."""
    neighbours: dict[int, list[int]] = {}
    for a, b in edges.tolist():
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    found: dict[int, int] = {}
    for node in sorted(neighbours):
        todo = [] if node in found else [node]
        while todo:
            other = todo.pop()
            if other not in found:
                found[other] = node
                todo += neighbours[other]
    return {node: smallest for node, smallest in found.items() if node != smallest}


def in_parts(edges: np.ndarray, parts: int) -> tuple[dict[int, int], int]:
    """The same by rounds over parts, passing edges on as the steps do; and how many rounds it took."""
    larger, smaller = edges.max(axis=1), edges.min(axis=1)
    keep = larger != smaller
    larger, smaller = distinct(larger[keep], smaller[keep])
    number = still = 0
    while still < 2:
        number += 1
        assert number < 100
        kind = "large" if number % 2 else "small"
        results, quiet = [], True
        for part in range(parts):
            mine = owner(larger, parts) == part
            if kind == "large":
                mine |= owner(smaller, parts) == part
            before = larger[mine], smaller[mine]
            after = star_round(kind, *before, part, parts)
            quiet &= settled(kind, before, after, part, parts)
            results.append(after)
        larger, smaller = distinct(*(np.concatenate([result[i] for result in results]) for i in (0, 1)))
        still = still + 1 if quiet else 0
    return dict(zip(larger.tolist(), smaller.tolist(), strict=True)), number


def chain(n: int) -> np.ndarray:
    nodes = np.random.default_rng(1).permutation(n)
    return np.stack([nodes[:-1], nodes[1:]], axis=1)


GRAPHS = {
    "chain": chain(2000),
    "chain in order": np.stack([np.arange(1999), np.arange(1, 2000)], axis=1),
    "star around the largest": np.stack([np.full(1000, 1000), np.arange(1000)], axis=1),
    "stars in a chain": np.concatenate(
        [np.stack([np.full(50, 50 * i), 50 * i + 1 + np.arange(50)], 1) for i in range(40)]
    ),
    "random": np.random.default_rng(2).integers(0, 3000, (2000, 2)) << 32,
    "nothing": np.empty((0, 2), np.int64),
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("parts", [1, 3, 17])
def test_parts_find_the_components(name: str, parts: int) -> None:
    found, rounds = in_parts(GRAPHS[name], parts)
    edges = GRAPHS[name]
    assert found == components(edges[edges[:, 0] != edges[:, 1]])
    assert rounds <= 2 * np.log2(len(edges) + 2) + 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.integers(2, 5))
def test_any_graph_in_any_parts(pairs: list[tuple[int, int]], parts: int) -> None:
    edges = np.array([pair for pair in pairs if pair[0] != pair[1]], np.int64).reshape(-1, 2)
    assert in_parts(edges, parts)[0] == components(edges)


def test_compress_gives_stars_around_the_smallest() -> None:
    node, cluster = compress(np.array([9, 5, 7, 20]), np.array([7, 9, 3, 30]))
    assert dict(zip(node.tolist(), cluster.tolist(), strict=True)) == {5: 3, 7: 3, 9: 3, 30: 20}
    assert node.tolist() == sorted(node.tolist())


def test_star_operations_are_those_of_the_paper() -> None:
    # node 5 knows 2, 7 and 9; node 1 knows 4
    nodes, neighbours = np.array([5, 5, 1, 5]), np.array([7, 2, 4, 9])
    assert set(zip(*map(np.ndarray.tolist, large_star(nodes, neighbours)), strict=True)) == {(7, 2), (9, 2), (4, 1)}
    nodes, neighbours = np.array([9, 9, 9]), np.array([7, 2, 4])
    assert set(zip(*map(np.ndarray.tolist, small_star(nodes, neighbours)), strict=True)) == {(9, 2), (7, 2), (4, 2)}


def test_rows_reach_any_number_of_receivers(tmp_path: Path) -> None:
    exchange, store = Exchange("shuffle", "run", 1), Store(tmp_path)
    receivers = np.array([70_000, 3, 70_000 - (1 << 16)])
    with exchange.outbox(store, 0, 1 << 20) as box:
        box.put(receivers, value=receivers)
    for receiver in receivers.tolist():
        assert [batch["value"].to_pylist() for batch in exchange.receive(store, receiver)] == [[receiver]]
