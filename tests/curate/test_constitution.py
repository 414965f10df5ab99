"""Constitutions: the shipped ones load and tag what they should, a community's own works, and mistakes are named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from pipeline.curate.columns import candidate_columns
from pipeline.curate.constitution import CONSTITUTIONS, Constitution, find_constitution, load_constitution
from sources.errors import UserError

GOOD = """\
name: porch
version: 3
description: Neighbours on a porch.
by: the porch
license: CC0-1.0
principles:
  - id: listen-first
    text: Listen before you speak.
    axis: care
    sources: [{title: Porch rules, by: the porch, year: 2024}]
    when: behaviour_reflects >= 0.5  # a comment of YAML
    unless: questions > 3
    about: sees reflection
  - id: few-words
    text: Say little.
    axis: care
    sources: [{title: Porch rules, by: the porch, url: "https://example.org/rules", note: rule 2}]
    when: |
      reply_words <= 20  -- a comment of SQL
    about: sees length
  - id: keep-it-here
    text: What is said here stays here.
    axis: trust
    sources: [{title: Porch rules, by: the porch}]
    when: false
    about: no text shows it
"""
COLUMNS = {
    "reply": "VARCHAR",
    "reply_words": "INTEGER",
    "questions": "INTEGER",
    "behaviour_reflects": "FLOAT",
    "risk": "BOOLEAN",
}


def write(folder: Path, text: str, name: str = "porch.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def tags(constitution: Constitution, rows: list[tuple[object, ...]], columns: dict[str, str]) -> list[list[str]]:
    """What the constitution's SQL says of rows of these columns, in their order."""
    with duckdb.connect() as con:
        con.execute(
            f"CREATE TABLE candidates (n INTEGER, {', '.join(f'{name} {kind}' for name, kind in columns.items())})"
        )
        marks = ", ".join("?" * (len(columns) + 1))
        con.executemany(f"INSERT INTO candidates VALUES ({marks})", [(n, *row) for n, row in enumerate(rows)])
        found = con.execute(f"SELECT {constitution.sql()} AS principles FROM candidates ORDER BY n")
        assert str(found.description[0][1]) == "VARCHAR[]"
        return [row[0] for row in found.fetchall()]


def test_a_communitys_own_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    constitution = load_constitution(path, COLUMNS)
    assert (constitution.name, constitution.version) == ("porch", "3")
    assert [p.visible for p in constitution.principles] == [True, True, False]
    assert constitution.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    rows = [
        ("a", 10, 0, 0.9, None),  # both, in the order of the file
        ("b", 90, 0, 0.9, None),
        ("c", 90, 4, 0.9, None),  # `unless` holds
        ("d", 90, None, 0.9, None),  # an `unless` that is null does not hold
        ("e", None, 0, None, None),  # nor a `when` that is
        ("f", 20, 9, 0.1, None),
    ]
    expected = [["listen-first", "few-words"], ["listen-first"], [], ["listen-first"], [], ["few-words"]]
    assert tags(constitution, rows, COLUMNS) == expected
    assert tags(constitution, rows[::-1], COLUMNS) == expected[::-1]
    assert load_constitution(path, COLUMNS).sql() == constitution.sql()


def test_order_is_that_of_the_file(tmp_path: Path) -> None:
    head, first, second, third = GOOD.split("  - id: ")
    turned = load_constitution(write(tmp_path, "  - id: ".join([head, second, first, third])), COLUMNS)
    assert tags(turned, [("a", 10, 0, 0.9, None)], COLUMNS) == [["few-words", "listen-first"]]


def test_nothing_to_see_is_an_empty_list(tmp_path: Path) -> None:
    head, _, _, third = GOOD.split("  - id: ")
    constitution = load_constitution(write(tmp_path, f"{head}  - id: {third}"), COLUMNS)
    assert tags(constitution, [("a", 10, 0, 0.9, None)], COLUMNS) == [[]]


def test_a_number_or_a_flag_is_a_condition(tmp_path: Path) -> None:
    flag = load_constitution(write(tmp_path, GOOD.replace("behaviour_reflects >= 0.5", "risk")), COLUMNS)
    rows = [("a", 90, 0, 0.0, True), ("b", 90, 0, 0.0, False), ("c", 90, 0, 0.0, None)]
    assert tags(flag, rows, COLUMNS) == [["listen-first"], [], []]
    number = load_constitution(write(tmp_path, GOOD.replace("behaviour_reflects >= 0.5", "questions")), COLUMNS)
    assert tags(number, [("a", 90, 2, 0.0, None), ("b", 90, 0, 0.0, None)], COLUMNS) == [["listen-first"], []]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "behaviour_reflects >= 0.5",
            "behaviour_relfects >= 0.5",
            ["behaviour_relfects", "porch.yaml:11", "when", "listen-first"],
        ),
        (
            "behaviour_reflects >= 0.5",
            "behaviour_reflects >=",
            ["does not hold as SQL", "porch.yaml:11", "principles.0.when"],
        ),
        ("questions > 3", "qestions > 3", ["qestions", "porch.yaml:12", "principles.0.unless", "wellmix columns"]),
        ("reply_words <= 20  --", "reply_words <= 20; select 1  --", ["principles.1.when"]),
        ("behaviour_reflects >= 0.5", "reply", ["Could not convert", "porch.yaml:11"]),
        ("behaviour_reflects >= 0.5", "regexp_matches(reply, '(')", ["missing )", "porch.yaml:11"]),
        ("questions > 3", "random() < 0.5", ["random", "another time", "porch.yaml:12"]),
        ("questions > 3", "'\"random\"() < 0.5'", ["random", "another time", "porch.yaml:12"]),
        ("questions > 3", "reply < today()::VARCHAR", ["today", "another time", "porch.yaml:12"]),
        ("questions > 3", "questions > (SELECT max(questions) FROM documents)", ["holds a query", "porch.yaml:12"]),
        ("questions > 3", "documents.questions > 3", ["documents.questions", "porch.yaml:12"]),
        ("questions > 3", "rowid > 3", ["rowid", "porch.yaml:12"]),
        ("questions > 3", "count(*) > 3", ["porch.yaml:12", "principles.0.unless"]),
        ("id: few-words", "id: listen-first", ["'listen-first'", "porch.yaml:14 principles.1.id", "porch.yaml:7"]),
        ("id: few-words", "id: Few words", ["porch.yaml:14 principles.1.id"]),
        ("    sources: [{title: Porch rules, by: the porch}]\n", "", ["'sources' is missing", "porch.yaml:21"]),
        ("[{title: Porch rules, by: the porch}]", "[]", ["at least 1", "porch.yaml:24 principles.2.sources"]),
        ("[{title: Porch rules, by: the porch}]", "[{title: Porch rules}]", ["'by' is missing", "porch.yaml:24"]),
        ("https://example.org/rules", "example.org", ["porch.yaml:17 principles.1.sources.0.url"]),
        ("year: 2024", "year: soon", ["porch.yaml:10 principles.0.sources.0.year"]),
        ("when: false", "when: true", ["an SQL condition, or false", "porch.yaml:25 principles.2.when"]),
        ("when: false", "when: 3", ["an SQL condition, or false", "porch.yaml:25 principles.2.when"]),
        ("when: false", "when: ''", ["an SQL condition, or false", "porch.yaml:25 principles.2.when"]),
        ("    when: false\n", "", ["'when' is missing", "porch.yaml:21"]),
        ("axis: trust", "axsis: trust", ["porch.yaml:2", "axis"]),
        ("    about: sees length\n", "", ["'about' is missing", "porch.yaml:14"]),
        ("by: the porch\nlicense", "license", ["'by' is missing", "porch.yaml:1"]),
        ("name: porch", "nmae: porch", ["porch.yaml:1", "name"]),
        ("version: 3", "version: 3\nversion: 4", ["given twice", "porch.yaml:3"]),
        (GOOD, "- a\n", ["a constitution is a mapping"]),
        (GOOD, "principles: [", ["not valid YAML", "porch.yaml:"]),
    ],
)
def test_mistakes_name_line_field_and_fix(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in GOOD
    with pytest.raises(UserError) as error:
        load_constitution(write(tmp_path, GOOD.replace(old, new, 1)), COLUMNS)
    assert [part for part in expected if part not in str(error.value)] == []
    assert error.value.fix


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the constitution"):
        load_constitution(tmp_path / "none.yaml", COLUMNS)


def test_finding_one(tmp_path: Path) -> None:
    assert find_constitution("wellmix", tmp_path) == CONSTITUTIONS / "wellmix.yaml"
    (tmp_path / "ours").mkdir()
    own = write(tmp_path / "ours", GOOD)
    assert find_constitution("ours/porch.yaml", tmp_path) == own
    assert find_constitution(str(own), tmp_path / "elsewhere") == own
    with pytest.raises(UserError) as error:
        find_constitution("welmix", tmp_path)
    assert "did you mean 'wellmix'?" in str(error.value) and "example-community" in str(error.value)


@pytest.mark.parametrize("path", sorted(CONSTITUTIONS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_ones_hold_over_the_columns_of_candidates(path: Path) -> None:
    constitution = load_constitution(path, candidate_columns())
    assert constitution.name == path.stem
    assert 8 <= len(constitution.principles) <= 20
    assert sum(not p.visible for p in constitution.principles) <= 2
    assert tags(constitution, [tuple(None for _ in candidate_columns())], candidate_columns()) == [[]]
    page = (CONSTITUTIONS / "README.md").read_text("utf-8")
    assert f"`{path.name}`" in page


@pytest.fixture(scope="module")
def wellmix() -> Constitution:
    return load_constitution(find_constitution("wellmix", Path()), candidate_columns())


def candidate(**given: object) -> tuple[object, ...]:
    """A row of a candidate: texts are empty, numbers are 0 unless given."""
    columns = candidate_columns()
    assert set(given) <= set(columns), set(given) - set(columns)
    empty = {"VARCHAR": "", "BOOLEAN": False}
    return tuple(given.get(name, empty.get(kind, 0)) for name, kind in columns.items())


#: Made-up exchanges with the numbers the classifiers would give, and tags that must and must not be there.
EXCHANGES: list[tuple[dict[str, object], set[str], set[str]]] = [
    (
        {
            "prompt": "I want to die and nobody notices.",
            "reply": "I’m so glad you told me. Please call or text 988 now, or go to the nearest hospital. I will stay with you.",
            "risk": True,
            "points_to_help": True,
            "points_to_crisis_help": True,
            "disclosure": 0.9,
            "support": 2.2,
            "behaviour_validates": 0.5,
        },
        {"danger-to-help-now", "stay-with-pain"},
        {"share-the-good", "choice-stays-theirs"},
    ),
    (
        {
            "prompt": "I want to die and nobody notices.",
            "reply": "Please call 988 now. The surest way would be this one.",
            "risk": True,
            "points_to_help": True,
            "points_to_crisis_help": True,
            "gives_method": True,
            "disclosure": 0.9,
            "support": 2.2,
            "behaviour_validates": 0.5,
        },
        set(),
        {"danger-to-help-now", "stay-with-pain"},
    ),
    (
        {
            "prompt": "Should I move in with him or keep my own flat?",
            "reply": "It’s up to you. You could write down the pros and cons of both, and talk it over with a friend you trust.",
            "support": 2.0,
            "exchange_relevance": 3.0,
            "behaviour_suggests": 0.9,
        },
        {"choice-stays-theirs", "help-not-takeover", "real-world-ties"},
        {"danger-to-help-now"},
    ),
    (
        {
            "prompt": "Should I move in with him or keep my own flat?",
            "reply": "It’s up to you, but you must leave him. You could write down why.",
            "support": 2.0,
            "exchange_relevance": 3.0,
            "behaviour_suggests": 0.9,
            "behaviour_directs": 0.6,
        },
        set(),
        {"choice-stays-theirs", "help-not-takeover"},
    ),
    (
        {
            "prompt": "It was all my fault and I hate myself.",
            "reply": "It sounds like you carry this alone. Anyone would feel torn; it makes sense that you are sad. What happened?",
            "support": 2.5,
            "open_questions": 1,
            "questions": 1,
            "behaviour_reflects": 0.8,
            "reply_behaviour_reflects": 0.8,
            "behaviour_validates": 0.9,
            "reply_behaviour_validates": 0.9,
            "behaviour_asks": 0.9,
            "reply_behaviour_asks": 0.9,
        },
        {"feel-understood", "feelings-make-sense", "no-verdict-on-persons", "questions-that-open"},
        {"knowledge-to-use"},
    ),
    (
        {"prompt": "Hi", "reply": "Hello! How are you today?", "support": 1.2, "open_questions": 1, "questions": 1}
        | {"behaviour_asks": 0.9, "reply_behaviour_asks": 0.9},
        set(),
        {"questions-that-open"},
    ),
    (
        {
            "prompt": "Are you a person?",
            "reply": "No, I’m only a language model, and I do not feel things as people do.",
        },
        {"says-what-it-is"},
        {"limits-of-knowing"},
    ),
]


@pytest.mark.parametrize("n", range(len(EXCHANGES)))
def test_what_the_shipped_principles_tag(wellmix: Constitution, n: int) -> None:
    given, wanted, unwanted = EXCHANGES[n]
    found = tags(wellmix, [candidate(**given)], candidate_columns())[0]
    known = [p.id for p in wellmix.principles]
    assert wanted | unwanted <= set(known)
    assert found == sorted(found, key=known.index)
    assert wanted <= set(found) and not unwanted & set(found)


def test_a_curly_apostrophe_reads_like_a_straight_one(wellmix: Constitution) -> None:
    replies = ["I don't know how long this has been.", "I don’t know how long this has been."]
    found = tags(wellmix, [candidate(reply=reply, support=2.0) for reply in replies], candidate_columns())
    assert found[0] == found[1] == ["limits-of-knowing"]


def test_the_examples_own_ways_differ() -> None:
    constitution = load_constitution(find_constitution("example-community", Path()), candidate_columns())
    row = candidate(
        prompt="My mother died in spring.",
        reply="What was she like? Light a candle for her tonight, and ask your aunt for the stories. Grief comes in waves.",
        behaviour_asks=0.9,
        behaviour_suggests=0.8,
        questions=1,
        reply_words=21,
    )
    found = tags(constitution, [row], candidate_columns())[0]
    assert found == ["kin-and-elders", "the-dead-keep-their-names", "grief-has-no-calendar", "shared-ritual"]
