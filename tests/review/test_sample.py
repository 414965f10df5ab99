"""The draw: every stratum is seen, nothing twice, the same call the same sample."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.review.examples import Entry
from pipeline.review.sample import allot, deal, draw, reply_order


def entries(counts: dict[tuple[str, str], int]) -> list[Entry]:
    return [
        Entry(f"{source}-{principle}-{i}", "single", ((source,), (principle,)))
        for (source, principle), k in counts.items()
        for i in range(k)
    ]


def test_one_place_each_then_by_the_root_of_the_size() -> None:
    sizes = {"large": 10_000, "middle": 100, "rare": 1}
    got = allot(sizes, 23, rank=len)
    assert got == {"large": 20, "middle": 2, "rare": 1}


@pytest.mark.parametrize("n", [1, 5, 40, 10_000])
def test_places_are_filled_and_no_stratum_gives_more_than_it_has(n: int) -> None:
    sizes = {"a": 30, "b": 3, "c": 1}
    got = allot(sizes, n, rank=len)
    assert sum(got.values()) == min(n, 34)
    assert all(got[name] <= sizes[name] for name in got)


def test_rare_strata_are_seen() -> None:
    found = draw(entries({("big", "p"): 5_000, ("big", "rare"): 2, ("small", "p"): 3, ("small", "q"): 1}), 12, seed=3)
    seen = Counter(tuple(part[0] for part in entry.values) for entry in found.entries)
    assert set(seen) == {("big", "p"), ("big", "rare"), ("small", "p"), ("small", "q")}
    assert len(found.entries) == 12 and found.strata == (4, 4)


def test_with_fewer_places_than_strata_size_decides_nothing() -> None:
    many = entries({(f"s{i}", "p"): 1000 if i == 0 else 1 for i in range(10)})
    hits = Counter(entry.values[0][0] for seed in range(200) for entry in draw(many, 3, seed).entries)
    # 600 places for ten sources: 60 each by chance; the large one has no more
    assert set(hits) == {f"s{i}" for i in range(10)}
    assert all(35 < count < 90 for count in hits.values())


def test_an_example_with_several_principles_counts_once_as_its_rarest() -> None:
    common = [Entry(f"c{i}", "single", (("s",), ("common",))) for i in range(50)]
    both = Entry("both", "single", (("s",), ("common", "rare")))
    found = draw([*common, both], 2, seed=0)
    assert "both" in {entry.id for entry in found.entries}
    assert found.strata == (2, 2)


def test_an_id_of_several_kinds_is_drawn_once() -> None:
    twice = [Entry(f"{i}", kind, (("s",), ())) for i in range(100) for kind in ("pair", "unpaired")]  # type: ignore[arg-type]
    found = draw(twice, 1000, seed=1).entries
    assert len(found) == len({entry.id for entry in found}) == 100
    assert 30 < sum(entry.kind == "pair" for entry in found) < 70


def test_the_draw_depends_on_seed_and_ids_alone() -> None:
    some = entries({("a", "p"): 100, ("b", "q"): 100})
    first = {entry.id for entry in draw(some, 20, seed=5).entries}
    assert {entry.id for entry in draw(some[::-1], 20, seed=5).entries} == first
    assert {entry.id for entry in draw(some, 20, seed=6).entries} != first


def test_the_order_of_replies_is_balanced_and_reproducible() -> None:
    ids = [f"{i:032x}" for i in range(4000)]
    orders = [reply_order(9, id) for id in ids]
    assert orders == [reply_order(9, id) for id in ids]
    # standard deviation of the share is .008
    assert abs(sum(order == (0, 1) for order in orders) / 4000 - 0.5) < 0.03
    # another seed turns about half of them round
    assert abs(sum(reply_order(10, id) != order for id, order in zip(ids, orders, strict=True)) / 4000 - 0.5) < 0.03


def test_work_is_shared_with_an_overlap() -> None:
    some = entries({("a", "p"): 50})
    hands, shared = deal(some, 3, 0.2, seed=0)
    ids = [{entry.id for entry in hand} for hand in hands]
    assert shared == 10 and len(set.intersection(*ids)) == 10
    assert set.union(*ids) == {entry.id for entry in some}
    assert sorted(map(len, ids)) == [23, 23, 24]
    assert [entry.id for entry in hands[0] if entry in hands[1]] != [
        entry.id for entry in hands[1] if entry in hands[0]
    ]
