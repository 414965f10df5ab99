"""Benign texts that an ordinary toxicity filter tends to remove: ``classifiers/guard.jsonl``, written for us, of nobody."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import classifiers

GUARD = Path(classifiers.__file__).with_name("guard.jsonl")
#: Texts of each kind.
EACH = 24
KINDS = {
    "disclosure": "somebody tells of their own suicidal thoughts, self-harm, abuse, eating disorder or addiction",
    "recovery": "somebody tells how it got better",
    "support": "a reply that helps; some point to help",
    "counter_speech": "condemns or answers hate or abuse",
    "quoted": "reports harm: news, history, education, safe messaging",
    "reclaimed": "warm use of a reclaimed word within the group, or talk about such words",
    "scary_question": "a safe question with alarming words",
    "profanity": "swearing at things, among friends, or at one's own luck",
    "identity": "neutral or good words about who people are, disability and mental illness among it",
    "medical": "clinical or sexual-health information, or a question",
}
#: Numbers of help lines, which anybody may be told.
HELP_LINES = {"116 123", "13 11 14", "1800 341 900", "0800 1111"}


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return [json.loads(line) for line in GUARD.read_text("utf-8").splitlines()]


def test_the_file_is_what_it_says(rows: list[dict]):
    assert all(list(row) == ["text", "kind", "synthetic"] and row["synthetic"] is True for row in rows)
    assert Counter(row["kind"] for row in rows) == dict.fromkeys(KINDS, EACH)
    lengths = [len(row["text"].split()) for row in rows]
    assert all(row["text"] == row["text"].strip() for row in rows)
    assert min(lengths) >= 3 and max(lengths) <= 130
    assert sum(length <= 20 for length in lengths) >= 30 and sum(length > 70 for length in lengths) >= 20


def test_no_two_are_alike(rows: list[dict]):
    seen: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows):
        words = re.findall(r"[^\W_]+", row["text"].lower())
        for run in {tuple(words[i : i + 8]) for i in range(max(1, len(words) - 7))}:
            assert seen.setdefault(run, number) == number, f"{run} in lines {seen[run] + 1} and {number + 1}"


def test_nobody_is_named_by_address_or_number(rows: list[dict]):
    for row in rows:
        assert not re.search(r"@|https?:|www\.|\bu/\w|\br/\w", row["text"]), row["text"]
        numbers = re.findall(r"\+?\d[\d ().-]{4,}\d", row["text"])
        assert set(numbers) <= HELP_LINES, numbers
