"""Measures of agreement against numbers worked out by hand or published."""

from __future__ import annotations

import pytest

from pipeline.review.agreement import Tags, agree, alpha


def test_cohens_kappa_of_two() -> None:
    # 50 examples: 20 both keep, 15 both drop, 5 and 10 apart. Observed .7; by chance .5 * .6 + .5 * .4 = .5; kappa .2 / .5 = .4
    cells = {("keep", "keep"): 20, ("keep", "drop"): 5, ("drop", "keep"): 10, ("drop", "drop"): 15}
    votes = [{"x": a, "y": b} for (a, b), n in cells.items() for _ in range(n)]
    found = agree([*votes, {"x": "keep"}])
    assert found is not None
    assert (found.examples, found.reviewers, found.measure) == (50, 2, "cohen_kappa")
    assert found.observed == pytest.approx(0.7) and found.value == pytest.approx(0.4)


#: The example of three coders with gaps in the article on Krippendorff's alpha; nominal alpha is given as .691.
CODERS = ["*****34121133*3", "1*213343*******", "**21344*21133*4"]


def test_krippendorffs_alpha_of_three_with_gaps() -> None:
    assert [len(coder) for coder in CODERS] == [15, 15, 15]
    units = [{name: coder[i] for name, coder in zip("abc", CODERS, strict=True) if coder[i] != "*"} for i in range(15)]
    assert alpha([list(unit.values()) for unit in units]) == pytest.approx(0.691, abs=0.0005)
    found = agree(units)
    assert (
        found is not None and found.measure == "krippendorff_alpha" and found.value == pytest.approx(0.691, abs=0.0005)
    )


def test_alpha_by_hand() -> None:
    # kkk, kkd, dd: n = 8, k 5, d 3. Disagreeing pairs: (9 - 5) / 2 = 2. 1 - 7 * 2 / (64 - 34) = 1 - 14 / 30
    assert alpha([["k", "k", "k"], ["k", "k", "d"], ["d", "d"], ["k"]]) == pytest.approx(1 - 14 / 30)


def test_where_chance_cannot_be_told_there_is_no_number() -> None:
    same = agree([{"x": "keep", "y": "keep"}] * 3)
    assert same is not None and same.observed == 1 and same.value is None
    assert alpha([["keep", "keep"]]) is None
    assert agree([{"x": "keep"}, {"y": "drop"}]) is None


def test_tags_count_who_names_a_label() -> None:
    tags = Tags(0, {})
    tags.add(["asks"], ["asks", "informs"])
    tags.add(["validates"], [])
    assert tags.summary() == {
        "replies": 2,
        "labels": {
            "asks": {"both": 1, "people": 0, "set": 0},
            "informs": {"both": 0, "people": 0, "set": 1},
            "validates": {"both": 0, "people": 1, "set": 0},
        },
    }
