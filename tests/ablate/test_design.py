"""Designs: points are mixes that can be had, the same whenever they are made, and errors say what to do."""

from __future__ import annotations

import re

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.ablate.design import (
    UNCHANGED,
    Design,
    Point,
    check_domains,
    collapse,
    describe,
    make_points,
    runs_needed,
    water_fill,
)
from sources.errors import UserError

DOMAINS = ["forum", "psychology", "biography", "transcript"]
PRIOR = np.array([0.4, 0.3, 0.2, 0.1])
PROPORTIONAL = np.array([0.7, 0.1, 0.15, 0.05])
PLENTY = np.full(4, 5.0)
SCARCE = np.array([3.0, 0.35, 0.5, 0.12])


def design(text: str) -> Design:
    return Design.model_validate(yaml.safe_load(text))


def points(text: str, caps: np.ndarray = PLENTY, seed: int = 0, prior: np.ndarray = PRIOR) -> list[Point]:
    return make_points(design(text), DOMAINS, prior, PROPORTIONAL, caps, seed)


def swarm(text: str, caps: np.ndarray = PLENTY, seed: int = 0) -> np.ndarray:
    return np.stack([point.weights for point in points(f"{{{text}, always: []}}", caps, seed)])


def by_name(made: list[Point]) -> dict[str, Point]:
    return {point.name: point for point in made}


def units(weights: np.ndarray) -> np.ndarray:
    whole = np.rint(weights * 1e6)
    assert (whole / 1e6 == weights).all()
    return whole.astype(int)


# What holds of every point


@st.composite
def spaces(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior, shares and caps of 2 to 8 domains, some without weight, from plenty to hardly enough."""
    d = draw(st.integers(2, 8))
    amounts = st.lists(st.one_of(st.just(0.0), st.floats(1e-4, 1)), min_size=d, max_size=d)
    prior, shares = (np.array(draw(amounts.filter(any))) for _ in range(2))
    caps = np.array(draw(st.lists(st.floats(0.001, 2), min_size=d, max_size=d)))
    caps *= draw(st.floats(1.0001, 4)) / caps.sum()
    if np.minimum(caps, 1).sum() < 1.0001:  # nearly all of it in one domain
        caps += 0.5
    return prior, shares, caps


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    spaces(),
    st.sampled_from(
        [
            "dirichlet: {runs: 6}",
            "dirichlet: {runs: 6, concentration: [0.05, 3], temperature: 1, minimum_weight: 0.02}",
            "dirichlet: {runs: 6, sparse: 0.4}",
            "sobol: {runs: 6}",
            "one_at_a_time: {multiply: [0, 0.5, 3]}",
        ]
    ),
    st.integers(0, 2**31),
)
def test_a_point_is_a_mix_that_can_be_had(
    space: tuple[np.ndarray, np.ndarray, np.ndarray], text: str, seed: int
) -> None:
    prior, shares, caps = space
    names = [f"d{i}" for i in range(len(prior))]
    made = make_points(design(text), names, prior, shares, caps, seed)
    assert made
    for point in made:
        assert units(point.weights).sum() == 1_000_000
        assert (point.weights >= 0).all()
        assert (point.weights <= caps).all()
    assert len({point.weights.tobytes() for point in made}) == len(made)
    assert len(by_name(made)) == len(made)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 0.2), min_size=4, max_size=4), st.lists(st.floats(0.28, 1), min_size=4, max_size=4))
@pytest.mark.parametrize("kind", ["dirichlet", "sobol"])
def test_bounds_hold_exactly(kind: str, low: list[float], high: list[float]) -> None:
    bounds = {name: [lo, hi] for name, lo, hi in zip(DOMAINS, low, high, strict=True)}
    made = make_points(
        Design.model_validate({kind: {"runs": 5, "bounds": bounds}, "always": []}), DOMAINS, PRIOR, PRIOR, PLENTY, 3
    )
    for point in made:
        assert units(point.weights).sum() == 1_000_000
        assert (point.weights >= low).all()
        assert (point.weights <= high).all()


@pytest.mark.parametrize("text", ["dirichlet: {runs: %d, sparse: 0.3}", "sobol: {runs: %d}"])
@pytest.mark.parametrize("caps", [PLENTY, SCARCE, np.array([0.251, 0.25, 0.25, 0.25])])
def test_more_runs_keep_the_points_there_were(text: str, caps: np.ndarray) -> None:
    few, many = by_name(points(text % 24, caps, seed=9)), by_name(points(text % 40, caps, seed=9))
    assert set(few) < set(many)
    for name, point in few.items():
        assert point.weights.tobytes() == many[name].weights.tobytes()


@pytest.mark.parametrize("text", ["dirichlet: {runs: 5}", "sobol: {runs: 5}"])
def test_the_seed_decides(text: str) -> None:
    assert (swarm(text, seed=4) == swarm(text, seed=4)).all()
    assert not (swarm(text, seed=4) == swarm(text, seed=5)).any()


def test_points_are_read_back_as_written() -> None:
    made = points("dirichlet: {runs: 12}", SCARCE)
    text = yaml.safe_dump({"points": [point.by_domain(DOMAINS) for point in made], "always": []})
    again = points(text, SCARCE)
    assert [p.weights.tolist() for p in again] == [p.weights.tolist() for p in made]
    assert [point.name for point in again] == [f"{i:04d}" for i in range(1, len(made) + 1)]


# Anchors


def test_anchors_are_always_there() -> None:
    made = points("dirichlet: {runs: 2}")
    assert [(p.name, p.kind) for p in made] == [
        ("prior", "prior"),
        ("uniform", "uniform"),
        ("proportional", "proportional"),
        ("0001", "swarm"),
        ("0002", "swarm"),
    ]
    assert made[0].weights.tolist() == [0.4, 0.3, 0.2, 0.1]
    assert made[1].weights.tolist() == [0.25] * 4
    assert made[2].weights.tolist() == [0.7, 0.1, 0.15, 0.05]
    assert not any(point.note for point in made)
    assert [p.name for p in points("{dirichlet: {runs: 1}, always: [uniform]}")] == ["uniform", "0001"]


def test_an_anchor_takes_what_there_is_and_says_so() -> None:
    uniform = by_name(points("sobol: {runs: 1}", SCARCE))["uniform"]
    # transcript ends at 0.12; the others share the rest evenly
    assert uniform.weights == pytest.approx([0.293333, 0.293333, 0.293333, 0.12], abs=1e-6)
    assert uniform.note == "uniform as far as the tokens go: transcript 0.12 instead of 0.25"


def test_the_same_mix_is_made_once() -> None:
    made = make_points(
        design("points: [{forum: 0.25, psychology: 0.25}, {forum: 0.5}]"),
        DOMAINS,
        np.full(4, 1.0),
        np.full(4, 7.0),
        PLENTY,
        0,
    )
    assert [point.name for point in made] == ["prior", "0002"]
    assert [f"the same mix as {name}" in made[0].note for name in ("uniform", "proportional", "0001")] == [True] * 3


def test_water_fill() -> None:
    assert water_fill(np.array([0.5, 0.3, 0.2]), np.array([0.4, 1, 1])) == pytest.approx([0.4, 0.36, 0.24])
    # a domain of no base takes part only when the others cannot fill the mix
    assert water_fill(np.array([0.6, 0.4, 0]), np.array([0.3, 0.3, 1])) == pytest.approx([0.3, 0.3, 0.4])
    assert water_fill(np.array([0.9, 0.1]), np.ones(2), np.array([0, 0.25])) == pytest.approx([0.75, 0.25])


# Written points


def test_the_rest_is_shared_as_the_prior() -> None:
    made = by_name(points("points: [{forum: 0.1}, {psychology: 0.5, forum: 0.5}, {}]"))
    assert made["0001"].weights == pytest.approx([0.1, 0.45, 0.3, 0.15])
    assert made["0002"].weights.tolist() == [0.5, 0.5, 0, 0]
    assert "0003" not in made, "nothing named is the prior"
    thirds = by_name(points("points: [{forum: 0.3333333, psychology: 0.3333333, biography: 0.3333333}]"))["0001"]
    assert sorted(units(thirds.weights)) == [0, 333333, 333333, 333334]
    full = points("{points: [{forum: 0.5, psychology: 0.499999}], always: []}", np.array([0.5, 0.499999, 1, 1]))[0]
    assert units(full.weights).tolist() == [500000, 499999, 1, 0]


def test_the_rest_goes_as_far_as_the_tokens() -> None:
    point = by_name(points("points: [{forum: 0.1}]", SCARCE))["0001"]
    assert point.weights == pytest.approx([0.1, 0.35, 0.43, 0.12])
    assert "psychology 0.35 instead of 0.45" in point.note
    assert "transcript 0.12 instead of 0.15" in point.note


def test_a_grid_is_every_combination() -> None:
    made = points("{grid: {forum: [0.2, 0.4], psychology: [0.1, 0.3]}, always: []}")
    assert [point.weights[:2].tolist() for point in made] == [[0.2, 0.1], [0.2, 0.3], [0.4, 0.1], [0.4, 0.3]]
    assert made[0].weights[2:] == pytest.approx([0.7 * 2 / 3, 0.7 / 3], abs=1e-6)


def test_one_at_a_time() -> None:
    made = points("{one_at_a_time: {multiply: [0.5, 2], domains: [psychology]}, always: []}")
    assert [point.note for point in made] == ["psychology times 0.5", "psychology times 2"]
    assert made[0].weights == pytest.approx([0.85 * 4 / 7, 0.15, 0.85 * 2 / 7, 0.85 / 7], abs=1e-6)
    assert made[1].weights[1] == 0.6
    assert len(points("{one_at_a_time: {}, always: []}")) == 8


def test_one_at_a_time_stops_at_the_supply() -> None:
    made = points("{one_at_a_time: {multiply: [2], domains: [psychology, biography]}, always: []}", SCARCE)
    assert made[0].weights[1] == 0.35
    assert "psychology times 2, which would be 0.6: 0.35 by the tokens there are" in made[0].note
    assert made[1].weights[2] == 0.4


# Swarms


def test_the_concentration_decides_how_far_a_swarm_goes() -> None:
    def distance(text: str) -> float:
        return float(np.abs(swarm(f"dirichlet: {{runs: 60, temperature: 1, {text}}}") - PRIOR).sum(axis=1).mean())

    near, far = distance("concentration: 200"), distance("concentration: 2")
    assert near < 0.15
    assert far > 0.4
    assert near < distance("concentration: [2, 200]") < far


def test_a_dirichlet_swarm_is_around_the_prior() -> None:
    weights = swarm("dirichlet: {runs: 400, temperature: 1, concentration: 30, minimum_weight: 0}")
    assert weights.mean(axis=0) == pytest.approx(PRIOR, abs=0.015)
    # var of a Dirichlet: m (1 - m) / (strength + 1)
    assert weights.var(axis=0) == pytest.approx(PRIOR * (1 - PRIOR) / 31, rel=0.25)
    flat = swarm("dirichlet: {runs: 400, temperature: 2, concentration: 30, minimum_weight: 0}").mean(axis=0)
    assert flat == pytest.approx(np.sqrt(PRIOR) / np.sqrt(PRIOR).sum(), abs=0.015)


def test_a_sobol_swarm_is_uniform() -> None:
    weights = swarm("sobol: {runs: 512}")
    # of a uniform mix of 4, P(weight > 1/4) = (3/4)^3
    assert weights.mean(axis=0) == pytest.approx(np.full(4, 0.25), abs=0.01)
    assert (weights > 0.25).mean(axis=0) == pytest.approx(np.full(4, 0.75**3), abs=0.02)


def test_domains_are_left_out() -> None:
    assert (swarm("dirichlet: {runs: 40, concentration: 40}") > 0).all(axis=1).mean() > 0.9
    weights = swarm("dirichlet: {runs: 200, concentration: 40, sparse: 0.3}")
    # a point of no domain at all is drawn again
    assert (weights == 0).mean() == pytest.approx(0.3, abs=0.05)
    bound = swarm("dirichlet: {runs: 50, concentration: 40, sparse: 0.9, bounds: {forum: [0.1, 0.5]}}")
    assert bound[:, 0].min() >= 0.1
    assert (bound[:, 1:] == 0).any()


def test_crumbs_are_left_out() -> None:
    weights = swarm("dirichlet: {runs: 60, concentration: 3, minimum_weight: 0.05}")
    assert ((weights == 0) | (weights >= 0.05)).all()
    assert (weights == 0).any()


def test_a_new_domain_takes_part() -> None:
    made = points("{dirichlet: {runs: 30}, always: []}", prior=np.array([0.6, 0.4, 0, 0]))
    assert (np.stack([point.weights for point in made]).mean(axis=0) > 0.05).all()


def test_a_domain_can_be_fixed() -> None:
    assert (swarm("dirichlet: {runs: 5, bounds: {forum: 0.3}}")[:, 0] == 0.3).all()
    assert (swarm("sobol: {runs: 5, bounds: {forum: 0.3}}")[:, 0] == 0.3).all()


def test_tight_bounds_still_give_different_points() -> None:
    tight = np.array([0.26, 0.26, 0.26, 0.26])
    for text in ("dirichlet: {runs: 20, concentration: 0.2}", "sobol: {runs: 20}"):
        weights = swarm(text, tight)
        assert len(weights) == 20
        assert (weights <= 0.26).all()
        assert (weights.std(axis=0) > 0.001).all()


# Errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("points: [{forun: 0.5}]", ["'forun'", "design.points.0.forun", "did you mean 'forum'", "transcript"]),
        ("grid: {forun: [0.5]}", ["'forun'", "design.grid.forun"]),
        ("one_at_a_time: {domains: [forum, biografy]}", ["'biografy'", "one_at_a_time.domains.1", "'biography'"]),
        ("sobol: {runs: 2, bounds: {zzz: 0.1}}", ["'zzz'", "sobol.bounds.zzz", "the domains are"]),
        ("points: [{forum: 0.6}, {psychology: 0.5}]", ["point 0002", "psychology", "at most 0.35", "points.1.psych"]),
        ("grid: {psychology: [0.1, 0.36]}", ["point 0002", "at most 0.35", "grid.psychology", "max_epochs"]),
        ("points: [{forum: 0.9, biography: 0.2}]", ["point 0001", "sum to 1.1", "more than 1"]),
        ("grid: {forum: [0.6], biography: [0.5]}", ["sum to 1.1", "as `points`"]),
        (
            "points: [{forum: 0.5, psychology: 0.1, biography: 0.1, transcript: 0.1}]",
            ["sum to 0.8, not 1", "takes the rest"],
        ),
        ("points: [{forum: 0}]", ["leaves 1 to psychology, biography, transcript", "at most 0.97"]),
        ("dirichlet: {runs: 2, bounds: {psychology: [0.4, 0.6]}}", ["at least 0.4", "at most 0.35", "bounds.psych"]),
        ("sobol: {runs: 2, bounds: {forum: [0.8, 1], biography: [0.3, 0.4]}}", ["lower bounds sum to 1.1"]),
        ("sobol: {runs: 2, bounds: {forum: [0, 0.02]}}", ["upper bounds", "sum to 0.99", "no mix"]),
        (f"grid: {{forum: {[i / 20000 for i in range(10_000)]}}}", ["10,000 points"]),
    ],
)
def test_what_cannot_be_had(text: str, expected: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        points(text, SCARCE)
    for part in expected:
        assert part in str(caught.value)
    assert caught.value.fix


def test_too_few_tokens_for_any_mix() -> None:
    with pytest.raises(UserError, match=re.escape("sum to 0.9, not 1 (forum 0.5, psychology 0.2")):
        points("sobol: {runs: 2}", np.array([0.5, 0.2, 0.1, 0.1]))
    with pytest.raises(UserError, match="there is 1"):
        make_points(design("sobol: {runs: 2}"), ["a"], np.ones(1), np.ones(1), np.ones(1), 0)
    with pytest.raises(UserError, match="weight 0 in the prior"):
        points("one_at_a_time: {domains: [transcript]}", prior=np.array([0.5, 0.3, 0.2, 0]))


def test_errors_say_where_the_recipe_has_it() -> None:
    def place(*loc: str | int) -> str:
        return f"a.yaml:7 {loc}"

    with pytest.raises(UserError, match=re.escape("a.yaml:7 ('grid', 'forun')")):
        check_domains(design("grid: {forun: [0.5]}"), DOMAINS, place=place)
    with pytest.raises(UserError, match=re.escape("a.yaml:7 ('points', 0, 'psychology')")):
        make_points(design("points: [{psychology: 0.9}]"), DOMAINS, PRIOR, PRIOR, SCARCE, 0, place=place)
    check_domains(design("grid: {forum: [0.5]}"), DOMAINS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "exactly one of points, grid.*found: none"),
        ("{grid: {a: [0.5]}, sobol: {runs: 3}}", "found: grid, sobol"),
        ("{sobol: {runs: 0}}", "greater than or equal to 1"),
        ("{sobol: {runs: 3, spread: true}}", "Extra inputs"),
        ("{dirichlet: {runs: 3, concentration: [5, 1]}}", "5 is more than 1"),
        ("{dirichlet: {runs: 3, concentration: 0}}", "greater than 0"),
        ("{dirichlet: {runs: 3, concentration: [1, 2, 3]}}", "a range"),
        ("{dirichlet: {runs: 3, bounds: {a: [0.5, 0.2]}}}", "0.5 is more than 0.2"),
        ("{dirichlet: {runs: 3, bounds: {a: [0.5, 2]}}}", "less than or equal to 1"),
        ("{dirichlet: {runs: 3, bounds: {a: [0.5]}}}", "lowest, highest"),
        ("{points: [{a: yes}]}", "a number, not yes"),
        ("{sobol: {runs: on}}", "a number, not yes"),
        ("{dirichlet: {runs: 3, concentration: [no, 2]}}", "a number, not no"),
        ("{points: [{a: half}]}", "valid number"),
        ("{points: [{a: .nan}]}", "finite"),
        ("{points: []}", "at least 1"),
        ("{grid: {a: []}}", "at least 1"),
        ("{grid: {a: [-0.1]}}", "greater than or equal to 0"),
        ("{sobol: {runs: 3}, always: [prior, prior]}", "once"),
        ("{sobol: {runs: 3}, always: [median]}", "'prior', 'uniform' or 'proportional'"),
    ],
)
def test_what_is_no_design(text: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        design(text)


# Coverage


def test_a_good_swarm_covers_every_direction() -> None:
    facts = describe(points("sobol: {runs: 32}"), DOMAINS)
    assert facts["points"] == 35
    assert facts["notes"] == []
    assert 1 <= facts["condition"] < 5
    assert 2.5 < facts["effective_rank"] <= 3
    assert [domain["fitted"] for domain in facts["domains"]] == [True] * 4
    assert 0 < facts["nearest_distance"] < facts["mean_distance"] < 1


def test_coverage_is_computed_as_said() -> None:
    made = [Point(str(i), "swarm", np.array(w)) for i, w in enumerate([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])]
    facts = describe(made, ["a", "b", "c"])
    assert facts["mean_distance"] == facts["nearest_distance"] == 1
    assert facts["condition"] == pytest.approx(1)
    assert facts["effective_rank"] == pytest.approx(2)
    assert facts["domains"][0] == {
        "name": "a",
        "min": 0.0,
        "max": 1.0,
        "mean": pytest.approx(1 / 3),
        "deviation": pytest.approx(np.sqrt(2) / 3),
        "fitted": True,
    }


def test_what_cannot_be_fitted_is_said() -> None:
    facts = describe(points("{dirichlet: {runs: 20, bounds: {transcript: [0.1, 0.101]}}, always: [prior]}"), DOMAINS)
    assert [domain["fitted"] for domain in facts["domains"]] == [True, True, True, False]
    assert any(note.startswith("transcript hardly varies (0.100 to 0.10") for note in facts["notes"])
    # biography and transcript always share the rest two to one
    grid = describe(points("{grid: {forum: [0.1, 0.3, 0.5], psychology: [0.1, 0.3]}, always: []}"), DOMAINS)
    assert grid["condition"] is None
    assert any("2 independent ways" in note for note in grid["notes"])
    assert any("biography rises and falls with transcript (correlation 1.00)" in note for note in grid["notes"])
    few = describe(points("{sobol: {runs: 2}, always: [prior]}"), DOMAINS)
    assert "3 points for 4 domains" in few["notes"][0]
    alone = describe(points("{sobol: {runs: 1}, always: []}"), DOMAINS)
    assert alone["mean_distance"] == alone["effective_rank"] == 0
    assert alone["condition"] is None


# Reuse


def test_unchanged_domains_are_one() -> None:
    kept = collapse(DOMAINS, [0.45, 0.3, 0.1, 0.15], {"biography"})
    assert kept.parts == [UNCHANGED, "biography"]
    assert kept.ratios == pytest.approx([0.5, 1 / 3, 0, 1 / 6])
    full = kept.expand(np.array([[0.9, 0.1], [0.3, 0.7]]))
    assert full.tolist() == [[0.45, 0.3, 0.1, 0.15], [0.15, 0.1, 0.7, 0.05]]
    assert kept.reduce(full) == pytest.approx(np.array([[0.9, 0.1], [0.3, 0.7]]))
    assert kept.reduce(PRIOR) == pytest.approx([0.8, 0.2])


def test_a_swarm_over_what_changed() -> None:
    kept = collapse(DOMAINS, [0.45, 0.3, 0.1, 0.15], {"biography"})
    caps = kept.caps(SCARCE)
    # transcript ends first: 0.12 / (1/6), less a millionth for rounding
    assert caps == pytest.approx([0.72, 0.5], abs=1e-5)
    small = make_points(
        design("sobol: {runs: 20}"), kept.parts, kept.reduce(PRIOR), kept.reduce(PROPORTIONAL), caps, seed=1
    )
    made = kept.expand_points(small)
    assert [point.name for point in made] == [point.name for point in small]
    for point, part in zip(made, small, strict=True):
        assert units(point.weights).sum() == 1_000_000
        assert (point.weights <= SCARCE).all()
        assert point.weights[2] == part.weights[1]
        unchanged = point.weights[[0, 1, 3]]
        assert unchanged / unchanged.sum() == pytest.approx([0.5, 1 / 3, 1 / 6], abs=3e-6)


def test_runs_a_reuse_saves() -> None:
    names = [f"d{i}" for i in range(20)]
    saving = collapse(names, np.ones(20), {"d3", "d7"}).saving(per_domain=4)
    assert (saving["runs_needed"], saving["runs_full"], saving["runs_saved"]) == (12, 80, 68)
    assert "18 of 20 domains keep their ratios" in saving["statement"]
    assert "12 runs instead of 80" in saving["statement"]
    assert runs_needed(5, 0.5) == 6, "a linear model needs a run more than there are domains"


def test_nothing_to_reuse() -> None:
    with pytest.raises(UserError, match="did you mean 'forum'"):
        collapse(DOMAINS, PRIOR, {"forums"})
    with pytest.raises(UserError, match="no ratios to keep"):
        collapse(DOMAINS, [0.5, 0.5, 0, 0], {"forum"})
