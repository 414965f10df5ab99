"""Dividing the budget, and coupled sampling, on plans made of bare numbers."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.database import connect
from pipeline.plan import _allot, _place, allot
from pipeline.recipe import Recipe
from sources.errors import UserError


def recipe(budget: int, sources: dict, **fields) -> Recipe:
    fields.setdefault("weight_basis", sum(s.get("weight", 0) for s in sources.values()) or None)
    return Recipe(name="t", purpose="research", budget=budget, sources=sources, **fields)


def test_weights_share_what_fixed_amounts_leave() -> None:
    r = recipe(1000, {"a": {"weight": 3}, "b": {"weight": 1}, "c": {"tokens": 200}, "d": {"epochs": 2}})
    asked, targets, notes = allot(r, dict.fromkeys("abcd", 4000), dict.fromkeys("abcd", 100))
    assert targets == {"a": 450, "b": 150, "c": 200, "d": 200}
    assert asked == targets
    assert notes == []


def test_capped_source_gives_the_rest_to_the_others_and_says_so() -> None:
    r = recipe(1000, {"a": {"weight": 0.5}, "b": {"weight": 0.3}, "c": {"weight": 0.2}})
    _, targets, notes = allot(r, {"a": 100, "b": 2000, "c": 2000}, {"a": 25, "b": 500, "c": 500})
    assert targets["a"] == 100
    assert targets["b"] == pytest.approx(540)
    assert targets["c"] == pytest.approx(360)
    assert len(notes) == 1
    assert notes[0].startswith("a can give 100 of 500 tokens")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.integers(1, 10_000)), min_size=1, max_size=8),
    st.integers(1, 20_000),
)
def test_water_filling(entries: list[tuple[float, int]], budget: int) -> None:
    r = recipe(budget, {f"s{i}": {"weight": w} for i, (w, _) in enumerate(entries)})
    capacity = {f"s{i}": c for i, (_, c) in enumerate(entries)}
    if sum(capacity.values()) + 0.5 < budget:
        with pytest.raises(UserError, match="cannot be filled"):
            allot(r, capacity, capacity)
        return
    _, targets, _ = allot(r, capacity, capacity)
    assert sum(targets.values()) == pytest.approx(min(budget, sum(capacity.values())), abs=0.6)
    level = {n: targets[n] / r.sources[n].weight for n in targets}
    free = [level[n] for n in targets if targets[n] < capacity[n] - 1e-6]
    # whoever is not full stands at one level, and nobody full stands above it
    for n in targets:
        assert targets[n] <= capacity[n] + 1e-6
        if free:
            assert level[n] <= max(free) * (1 + 1e-9)


def test_a_fraction_of_an_epoch_at_its_cap_gives_what_there_is() -> None:
    asked, targets, _ = allot(recipe(10_000, {"a": {"epochs": 0.5, "max_epochs": 0.5}}), {"a": 48}, {"a": 100})
    assert asked == targets == {"a": 48}


@pytest.mark.parametrize(
    ("amount", "message"),
    [({"tokens": 900}, "asked for 900 tokens but can give 400"), ({"epochs": 5}, "at most 4 epochs")],
)
def test_fixed_amount_beyond_capacity(amount: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        allot(recipe(10_000, {"a": amount}), {"a": 400}, {"a": 100})


def test_budget_smaller_than_fixed_amounts() -> None:
    with pytest.raises(UserError, match="more than the budget"):
        allot(recipe(100, {"a": {"tokens": 300}, "b": {"weight": 1}}), {"a": 400, "b": 400}, {"a": 100, "b": 100})


def draw(
    tmp_path, r: Recipe, n: int = 400, multiplier: float = 1.0
) -> tuple[dict[str, dict[tuple[int, int], int]], list]:
    """Run drawing and placing on n made-up documents a source: {source: {(uid, epoch): position}}, shares."""
    rng = np.random.default_rng(7)
    with connect(tmp_path, "1GB", 1) as con:
        con.execute(
            "CREATE TABLE judged (shard INTEGER, row INTEGER, uid UBIGINT, source VARCHAR, tokens INTEGER, bytes INTEGER, entry VARCHAR,"
            " multiplier DOUBLE, cluster_size INTEGER, reason VARCHAR, split VARCHAR, u DOUBLE, content UBIGINT)"
        )
        for shard, source in enumerate(r.sources):
            uids = rng.integers(1, 2**63, n)
            tokens = rng.integers(5, 400, n)
            rows = [
                [
                    shard,
                    i,
                    int(uids[i]),
                    source,
                    int(tokens[i]),
                    int(tokens[i]) * 4,
                    source,
                    multiplier if i % 2 else 1.0,
                    1,
                    None,
                    "train",
                ]
                for i in range(n)
            ]
            con.executemany(
                f"INSERT INTO judged SELECT *, (mix(x.uid, {r.seed * 16}) >> 11)::DOUBLE / 9007199254740992.0, x.uid"
                " FROM (SELECT ?::INTEGER, ?::INTEGER, ?::UBIGINT AS uid, ?, ?::INTEGER, ?::INTEGER, ?, ?::DOUBLE, ?::INTEGER, ?, ?) x",
                rows,
            )
        shares, _ = _allot(con, r)
        _place(con, r)
        return _placed(con), shares


def _placed(con: duckdb.DuckDBPyConnection) -> dict[str, dict[tuple[int, int], int]]:
    found: dict[str, dict[tuple[int, int], int]] = {}
    for source, uid, epoch, position in con.execute(
        "SELECT j.source, p.uid, p.epoch, p.position FROM placed p JOIN judged j USING (shard, row)"
    ).fetchall():
        found.setdefault(source, {})[uid, epoch] = position
    return found


def test_a_shard_is_a_range_of_the_shuffle(tmp_path) -> None:
    """So that a document that comes or goes leaves every other one in its shard."""
    r = recipe(10**9, {"a": {"epochs": 1}, "b": {"epochs": 1}})
    r = r.model_copy(update={"shards": r.shards.model_copy(update={"size": 65_536})})
    outs = {}
    for n in (400, 399):
        with connect(tmp_path, "1GB", 1) as con:
            con.execute("CREATE TABLE drawn (shard INTEGER, row INTEGER, uid UBIGINT, tokens INTEGER, epoch INTEGER)")
            con.execute("CREATE TABLE rates (entry VARCHAR, rate DOUBLE)")
            con.execute(f"""
                CREATE TABLE judged AS
                SELECT 0 AS shard, i::INTEGER AS row, mix(i::UBIGINT, 99) AS uid, 2000 AS bytes, 500 AS tokens, 1 AS cluster_size,
                       0::UBIGINT AS content, 'a' AS entry, NULL AS reason, 'train' AS split, 1.0 AS multiplier, 0.5 AS u
                FROM range({n}) r(i)
            """)
            con.execute("INSERT INTO drawn SELECT shard, row, uid, 500, 0 FROM judged")
            _place(con, r)
            outs[n] = dict(con.execute("SELECT uid, out FROM placed").fetchall())
            bytes_of = dict(con.execute("SELECT out, count(*) * 2000 FROM placed GROUP BY out").fetchall())
    assert all(outs[400][uid] == out for uid, out in outs[399].items())
    assert sorted(bytes_of) == list(range(13))
    assert max(bytes_of.values()) < 2 * 65_536


def test_tokens_meet_the_target_within_a_document(tmp_path) -> None:
    _, shares = draw(tmp_path, recipe(50_000, {"a": {"weight": 0.7}, "b": {"weight": 0.3}}))
    for share in shares:
        assert abs(share.tokens - share.target) <= 400


def test_bigger_budget_is_a_superset(tmp_path) -> None:
    smaller, _ = draw(tmp_path, recipe(40_000, {"a": {"weight": 0.7}, "b": {"weight": 0.3}}))
    bigger, _ = draw(tmp_path, recipe(200_000, {"a": {"weight": 0.7}, "b": {"weight": 0.3}}))
    for source in "ab":
        assert set(smaller[source]) < set(bigger[source])
    # and the documents keep their order
    keys = sorted(smaller["a"], key=smaller["a"].__getitem__)
    assert keys == sorted(keys, key=bigger["a"].__getitem__)


def test_another_weight_leaves_the_other_source_alone(tmp_path) -> None:
    before, _ = draw(tmp_path, recipe(60_000, {"a": {"weight": 0.7}, "b": {"weight": 0.3}}, weight_basis=1))
    after, _ = draw(tmp_path, recipe(60_000, {"a": {"weight": 0.7}, "b": {"weight": 0.6}}, weight_basis=1))
    assert set(before["a"]) == set(after["a"])
    assert set(before["b"]) < set(after["b"])


def test_copies_differ_by_at_most_one_without_multipliers(tmp_path) -> None:
    placed, shares = draw(tmp_path, recipe(200_000, {"a": {"weight": 1}}))
    assert 2 < shares[0].rate < 3
    copies: dict[int, int] = {}
    for uid, _ in placed["a"]:
        copies[uid] = copies.get(uid, 0) + 1
    assert set(copies.values()) == {2, 3}


def test_multiplier_repeats_in_proportion(tmp_path) -> None:
    placed, _ = draw(tmp_path, recipe(60_000, {"a": {"weight": 1}}, seed=3), n=2000, multiplier=3.0)
    rng = np.random.default_rng(7)
    uids = rng.integers(1, 2**63, 2000)
    boosted = {int(u) for u in uids[1::2]}
    n_boosted = sum(uid in boosted for uid, _ in placed["a"])
    ratio = n_boosted / (len(placed["a"]) - n_boosted)
    assert 2.3 < ratio < 3.9


def test_seed_changes_the_draw(tmp_path) -> None:
    one, _ = draw(tmp_path, recipe(40_000, {"a": {"weight": 1}}, seed=1))
    two, _ = draw(tmp_path, recipe(40_000, {"a": {"weight": 1}}, seed=2))
    assert set(one["a"]) != set(two["a"])
