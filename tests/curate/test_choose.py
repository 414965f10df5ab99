"""Choosing: near-duplicate prompts, quotas and spread, on arrays whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.choose import Limit, best_of_each, groups, near_pairs, pick, promising, spread, without_repeats


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_near_pairs_are_those_of_the_whole_matrix():
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(9000, 8)))[:9000]  # more than a block
    found = {tuple(pair) for pair in near_pairs(vectors, 0.97).tolist()}
    rows, columns = np.nonzero(np.triu(vectors @ vectors.T >= 0.97, 1))
    assert found == set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert found


def test_of_near_duplicates_the_better_stay_and_chains_do_not_fall_as_one():
    # a chain 0-1-2-3: neighbours are alike, the ends are not
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    kept = without_repeats(pairs, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), per_prompt=1)
    assert kept.tolist() == [True, False, True, False, True]
    kept = without_repeats(pairs, np.array([0.1, 0.8, 0.7, 0.6, 0.5]), per_prompt=1)
    assert kept.tolist() == [False, True, False, True, True]


def test_the_best_of_each_conversation_stay():
    names, quality = ["b", "a", "b", "a", "c"], np.array([0.1, 0.5, 0.9, 0.5, 0.0])
    assert best_of_each(names, quality, 1).tolist() == [False, True, True, False, True]
    assert best_of_each(names, quality, 2).all()


def test_per_prompt_lets_as_many_stay():
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert without_repeats(pairs, np.array([0.1, 0.3, 0.2]), per_prompt=2).tolist() == [False, True, True]


def test_groups_are_named_by_their_smallest_row():
    assert groups(np.array([[3, 1], [4, 3]]), 6).tolist() == [0, 1, 2, 1, 1, 5]


def test_promising_keeps_what_a_quota_needs_even_if_it_is_poor():
    quality = np.linspace(1, 0, 100)
    rare = np.zeros(100, dtype=bool)
    rare[90:] = True
    keep = promising(quality, [Limit("rare", rare, 0.5, 1.0)], size=10, factor=1.0)
    assert set(range(10)) <= set(keep.tolist())
    assert rare[keep].sum() == 5


@pytest.mark.parametrize("strategy", ["mmr", "msd", "ssd", "dpp", "cover"])
def test_spread_takes_one_of_each_kind_before_seconds(strategy):
    kinds = unit(np.eye(4, 16))
    vectors = unit(np.repeat(kinds, 5, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(20, 16)))
    first = spread(vectors, np.ones(20), strategy, 0.9, 20)[:4]
    assert {int(row) // 5 for row in first} == {0, 1, 2, 3}


def test_without_spread_quality_alone_ranks():
    quality = np.array([0.2, 0.9, 0.5])
    assert spread(unit(np.eye(3)), quality, "mmr", 0.0, 3).tolist() == [1, 2, 0]


def test_spread_ranks_every_row_once():
    vectors = unit(np.random.default_rng(1).normal(size=(50, 16)))
    assert sorted(spread(vectors, np.linspace(0, 1, 50), "mmr", 0.5, 10).tolist()) == list(range(50))


def test_quotas_hold():
    ranking = np.arange(100)
    common, rare = np.arange(100) < 80, np.arange(100) >= 90
    limits = [Limit("common", common, 0.0, 0.5), Limit("rare", rare, 0.2, 1.0)]
    chosen = pick(ranking, limits, 20, np.zeros(100, dtype=bool))
    assert chosen.sum() == 20
    assert chosen[common].sum() <= 10
    assert chosen[rare].sum() >= 4


def test_caps_shrink_with_the_set_when_there_is_not_enough():
    members = np.arange(100) < 95  # only five others
    chosen = pick(np.arange(100), [Limit("one source", members, 0.0, 0.5)], 60, np.zeros(100, dtype=bool))
    assert chosen[members].sum() <= 0.5 * chosen.sum()
    assert chosen.sum() == 10


def test_the_largest_set_is_found_where_two_caps_overlap():
    # 60 of a, 60 of b, of which 40 are both; 10 are neither: the largest set with at most half of each
    a, b = np.arange(90) < 60, (np.arange(90) >= 20) & (np.arange(90) < 80)
    chosen = pick(np.arange(90), [Limit("a", a, 0.0, 0.5), Limit("b", b, 0.0, 0.5)], 90, np.zeros(90, dtype=bool))
    # all 10 that are neither, the 20 of b alone, and the 20 of a alone: a further row of both would break a cap
    assert chosen.sum() >= 50
    assert chosen[a].sum() <= chosen.sum() / 2 and chosen[b].sum() <= chosen.sum() / 2


def test_the_earliest_rows_that_quotas_allow_are_taken():
    rare = np.arange(20) >= 18
    chosen = pick(np.arange(20), [Limit("rare", rare, 0.2, 1.0)], 10, np.zeros(20, dtype=bool))
    assert np.flatnonzero(chosen).tolist() == [*range(8), 18, 19]


def test_what_a_reviewer_kept_comes_first_whatever_the_caps():
    kept = np.zeros(10, dtype=bool)
    kept[9] = True
    chosen = pick(np.arange(10), [Limit("none of it", kept, 0.0, 0.0)], 3, kept)
    assert chosen.tolist() == [True, True, *[False] * 7, True]


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 2**60), st.floats(0, 0.6), st.floats(0.3, 1)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_caps_always_hold_and_nothing_is_chosen_twice(rows, size, quotas):
    limits = [
        Limit(f"quota {n}", np.random.default_rng(seed).random(rows) < 0.5, least, max(least, most))
        for n, (seed, least, most) in enumerate(quotas)
    ]
    chosen = pick(np.random.default_rng(0).permutation(rows), limits, size, np.zeros(rows, dtype=bool))
    assert chosen.sum() <= size
    for limit in limits:
        if limit.at_most < 1:
            assert chosen[limit.members].sum() <= max(
                1, limit.at_most * chosen.sum() + 1e-6
            )  # as exact as the solver is
    if not limits:
        assert chosen.sum() == min(rows, size)


def test_a_share_of_nothing_lets_nothing_in_and_a_balance_may_lean_as_far_as_it_may():
    members = np.arange(100) < 10
    chosen = pick(np.arange(100), [Limit("none", members, 0.0, 0.0)], 20, np.zeros(100, dtype=bool))
    assert chosen.sum() == 20 and not chosen[members].any()
    more = np.array([1] * 45 + [-1] * 30 + [0] * 5)
    limits = [Limit("more", more, -1.0, 0.04), Limit("less", -more, -1.0, 0.04)]
    chosen = pick(np.arange(80), limits, 100, np.zeros(80, dtype=bool))
    assert (chosen.sum(), more[chosen].sum()) == (67, 2)
