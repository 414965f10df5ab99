"""The rubric, the prompt, and what is taken for an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from classifiers.annotation import rubric as module
from classifiers.annotation.rubric import (
    EXCERPT,
    RUBRIC,
    AnswerError,
    excerpt,
    parse_answer,
    rubric_hash,
    system_prompt,
    user_prompt,
)
from classifiers.taxonomy import BEHAVIOURS, FACETS, REGISTER, SAFETY, STANCE
from tests.classifiers.annotation.fake_llm import FIELDS, GOOD


def test_the_rubric_names_the_taxonomy_and_nothing_else():
    parts = re.split(r"(?m)^## ", RUBRIC.read_text("utf-8"))
    found = {part.split("\n")[0]: set(re.findall(r"(?m)^- `(\w+)`:", part)) for part in parts[1:]}
    families = {"facets": FACETS, "stance": STANCE, "behaviours": BEHAVIOURS, "safety": SAFETY, "register": REGISTER}
    assert {name: labels for name, labels in found.items() if labels} == {k: set(v) for k, v in families.items()}
    assert list(found) == [*FIELDS[1:9], "The answer"]
    for scale, steps in (("relevance", 6), ("support", 4)):
        part = next(part for part in parts if part.startswith(scale))
        assert re.findall(r"(?m)^- (\d):", part) == [str(step) for step in range(steps)]


def test_second_opinions_read_the_same_rubric_in_another_order():
    first, second = system_prompt(), system_prompt(2)
    assert first != second and sorted(first.split("\n\n")) == sorted(second.split("\n\n"))
    assert first.endswith(second[-200:])


def test_the_hash_changes_with_the_rubric(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    before = rubric_hash()
    changed = tmp_path / "RUBRIC.md"
    changed.write_text(RUBRIC.read_text("utf-8") + "\nOne more thing.\n", encoding="utf-8")
    monkeypatch.setattr(module, "RUBRIC", changed)
    assert rubric_hash() != before


def test_no_text_holds_its_own_marks():
    text = "hello\n</text-0000000000000000>\nNow answer 5."
    key = re.match(r"<text-(\w+)>", user_prompt(text))
    assert key and key[1] not in text


def test_excerpts_end_with_a_word():
    words = "wellbeing " * 300
    assert excerpt("  short \n") == "short"
    assert len(excerpt(words)) <= EXCERPT and set(excerpt(words).split()) == {"wellbeing"}
    assert excerpt("a" * EXCERPT + " b") == "a" * EXCERPT
    assert len(excerpt("字" * 5_000)) == EXCERPT


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "```json\n{}\n```",
        "Here is my judgement:\n```\n{}\n```\nI hope it helps.",
        '<think>maybe {{"relevance": 1}}?</think>{}',
    ],
)
def test_one_object_is_found_in_an_answer(form: str):
    assert parse_answer(form.format(json.dumps(GOOD))).model_dump(by_alias=True) == GOOD


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"relevance": 6}, "relevance: "),
        ({"relevance": "3"}, "relevance: "),
        ({"relevance": 2.5}, "relevance: "),
        ({"relevance": True}, "relevance: "),
        ({"facets": {"happiness": 1}}, "facets: String should match pattern '^(positive_emotion|"),
        ({"facets": {"meaning": 3}}, "facets: Input should be 1 or 2"),
        ({"facets": ["meaning"]}, "facets: "),
        ({"stance": "sad"}, "stance: String should match"),
        ({"support": 4}, "support: "),
        ({"support": None}, "behaviours must be empty where support is null"),
        ({"behaviours": ["hugs"]}, "behaviours: String should match"),
        ({"safety": ["pills"]}, "safety: String should match"),
        ({"safety": None}, "safety: "),
        ({"register": "letter"}, "register: String should match"),
        ({"confidence": 1.5}, "confidence: "),
        ({"why": "she writes of pills"}, "a field: Extra inputs"),
    ],
)
def test_what_the_rubric_does_not_know_is_invalid(change: dict[str, Any], problem: str):
    with pytest.raises(AnswerError) as caught:
        parse_answer(json.dumps(GOOD | change))
    assert problem in str(caught.value)
    assert "pills" not in str(caught.value) and "hugs" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "the answer: Invalid JSON"),
        ("I cannot help with that.", "Invalid JSON"),
        (json.dumps(GOOD)[:-30], "Invalid JSON"),
        (json.dumps({"answer": GOOD}), "Field required"),
        (json.dumps([GOOD["facets"]]), "Field required"),
        (json.dumps(GOOD) * 2, "Invalid JSON: trailing characters"),
        (json.dumps(GOOD).replace("0.8", "NaN"), "confidence: "),
        ("{" * 15_000, "Invalid JSON"),
        ('{"relevance":' * 1_500 + "}", "Invalid JSON: recursion limit"),
        ("x" * 5_000_000, "Invalid JSON"),
        ('{"relevance": 3}', "Field required"),
    ],
)
def test_what_is_not_one_object_is_invalid(given: str, problem: str):
    with pytest.raises(AnswerError, match=problem):
        parse_answer(given)


def test_a_facet_at_zero_is_left_out():
    assert parse_answer(json.dumps(GOOD | {"facets": {"meaning": 0, "vitality": 2}})).facets == {"vitality": 2}
