"""Recipes: what is refused, and how the message helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.recipe import load_recipe
from sources.errors import UserError

GOOD = """\
purpose: research
budget: 1000
sources:
  sample-forum: {weight: 0.6}
  sample-counsel: {weight: 0.4}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "r.yaml"
    path.write_text(text)
    return path


def test_defaults(tmp_path: Path) -> None:
    recipe, cards = load_recipe(write(tmp_path, GOOD))
    assert recipe.name == "r"
    assert recipe.max_epochs == 4
    assert recipe.weight_basis == 1
    assert list(cards) == ["sample-forum", "sample-counsel"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("sample-forum", "sample-forun"), ["unknown source 'sample-forun'", "r.yaml:4", "sample-forum"]),
        (
            GOOD.replace("{weight: 0.6}", "{weight: 0.6, tokens: 5}"),
            ["exactly one of", "r.yaml:4", "sources.sample-forum"],
        ),
        (GOOD.replace("{weight: 0.6}", "{}"), ["exactly one of", "found: none"]),
        (GOOD.replace("budget: 1000", "budget: -1"), ["greater than 0", "r.yaml:2 budget"]),
        (GOOD.replace("budget: 1000\n", ""), ["'budget' is missing"]),
        (GOOD.replace("research", "anything"), ["r.yaml:1 purpose", "research"]),
        (GOOD + "wieghts: 3\n", ["unknown field 'wieghts'", "r.yaml:6"]),
        (GOOD + "  sample-forum: {weight: 1}\n", ["given twice", "r.yaml:6"]),
        (GOOD + "upweight:\n  - {where: 'no_such > 1', multiply: 2}\n", ["no_such", "r.yaml:7", "wellmix columns"]),
        (GOOD + "upweight:\n  - {where: 'tokens > 1; select 1', multiply: 2}\n", ["upweight.0.where"]),
        (GOOD + "groups:\n  - {name: g, facet: joy, weight: 1}\n", ["no facet is called 'joy'", "r.yaml:7"]),
        (GOOD + "upweight:\n  - {where: 'random() < 0.5', multiply: 2}\n", ["random", "another time"]),
        (GOOD + "upweight:\n  - {where: 'source::INTEGER > 1', multiply: 2}\n", ["Could not convert"]),
        (GOOD + "filters: {drop: [{where: 'tokens > 5', reason: selected}]}\n", ["the ledger uses 'selected' itself"]),
        (GOOD + "filters: {safety: {harm: 50}}\n", ["no probability"]),
        (GOOD + "max_epochs: 300\n", ["255"]),
        (GOOD + "filters: {near_duplicates: 3}\n", ["between 0.5 and 1", "r.yaml:6"]),
        ("sources: [", ["not valid YAML", "r.yaml:"]),
        ("- a\n", ["a recipe is a mapping"]),
    ],
)
def test_mistakes_name_place_and_fix(tmp_path: Path, text: str, expected: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(write(tmp_path, text))
    for part in expected:
        assert part in str(caught.value)


def test_a_comment_in_a_condition_ends_with_its_line(tmp_path: Path) -> None:
    recipe, _ = load_recipe(
        write(tmp_path, GOOD + "upweight:\n  - {where: 'relevance > 3 -- good ones', family: forum, multiply: 2}\n")
    )
    assert recipe.upweight[0].sql.count("\n") == 1


def test_conditions_reach_no_files(tmp_path: Path) -> None:
    for attack in (
        "exists(select 1 from read_csv('/etc/passwd'))",
        "tokens > (select count(*) from '/etc/passwd')",
        "exists(select 1 from read_text('/etc/hostname'))",
    ):
        with pytest.raises(UserError):
            load_recipe(write(tmp_path, GOOD + f'upweight:\n  - {{where: "{attack}", multiply: 2}}\n'))


def test_licence_gate(tmp_path: Path) -> None:
    text = GOOD.replace("sample-forum", "dreaddit")
    assert load_recipe(write(tmp_path, text))[0].purpose == "research"
    with pytest.raises(UserError) as caught:
        load_recipe(write(tmp_path, text.replace("research", "publish")))
    assert "dreaddit" in str(caught.value)
    assert "publish" in str(caught.value)


def test_set_replaces_one_amount_and_keeps_the_basis(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    recipe, _ = load_recipe(path, ["sources.sample-forum.tokens=77", "budget=2000"])
    assert recipe.sources["sample-forum"].tokens == 77
    assert recipe.sources["sample-forum"].weight is None
    assert recipe.budget == 2000
    recipe, _ = load_recipe(path, ["sources.sample-forum.weight=3"])
    assert recipe.weight_basis == 1
    relative, _ = load_recipe(write(tmp_path, GOOD.replace("0.6", "2").replace("0.4", "6")))
    assert relative.weight_basis == 8


@pytest.mark.parametrize("override", ["budget", "=3", "sources.nope.weight=1", "budget.deep=1", "budget=[", "seeed=1"])
def test_bad_overrides(tmp_path: Path, override: str) -> None:
    with pytest.raises(UserError):
        load_recipe(write(tmp_path, GOOD), [override])


@pytest.mark.parametrize("name", ["sample", "wellbeing", "wellbeing-open"])
def test_shipped_recipes_load(name: str) -> None:
    recipe, _ = load_recipe(Path(__file__).parents[2] / "recipes" / f"{name}.yaml")
    assert recipe.name == name
    total = sum(amount.weight or 0 for amount in recipe.sources.values())
    assert total == pytest.approx(1, abs=1e-6)
