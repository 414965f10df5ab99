"""Threads become conversations: what candidates are made of turns, labels and a card."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from pipeline.curate.shape import shape
from sources.card import load_cards

CARDS = load_cards()


def document(turns: list[tuple[str, str] | tuple[str, str, dict]], extra: dict | None = None, **more: Any) -> dict:
    return {
        "id": "0" * 32,
        "text": "",
        "source": "made-up",
        "kind": "forum",
        "language": "en",
        "license": "CC0-1.0",
        "origin": "made-up#1",
        "author": None,
        "created": None,
        "turns": [
            {"role": turn[0], "text": turn[1], "author": None, "labels": json.dumps(turn[2]) if len(turn) > 2 else None}
            for turn in turns
        ],
        "extra": json.dumps(extra) if extra else None,
    } | more


def made(card: str, turns, extra=None, **skill) -> tuple[list[dict], Counter]:
    found = CARDS[card]
    if skill:
        found = found.model_copy(update={"skill": found.skill.model_copy(update=skill)})
    counts: Counter = Counter()
    return list(shape(document(turns, extra), found.skill, found.origin, counts)), counts


def roles(row: dict) -> list[str]:
    return [message["role"] for message in row["context"]]


def test_a_conversation_gives_a_candidate_for_each_reply():
    rows, counts = made(
        "sample-transcripts", [("seeker", "a"), ("supporter", "b"), ("seeker", "c"), ("supporter", "d")]
    )
    assert [(row["prompt"], row["reply"]) for row in rows] == [("a", "b"), ("c", "d")]
    assert [roles(row) for row in rows] == [["user"], ["user", "assistant", "user"]]
    assert [row["last"] for row in rows] == [False, True]
    assert len({row["id"] for row in rows}) == 2 == len({row["prompt_id"] for row in rows})
    assert len({row["thread"] for row in rows}) == 1
    assert counts == {"documents": 1, "candidates": 2}


def test_neighbours_of_one_role_are_joined_and_the_user_begins():
    rows, _ = made(
        "sample-transcripts",
        [("supporter", "hello"), ("seeker", "a"), ("seeker", "b"), ("supporter", "c"), ("supporter", "d")],
    )
    assert [(row["prompt"], row["reply"]) for row in rows] == [("a\n\nb", "c\n\nd")]
    assert roles(rows[0]) == ["user"]


def test_alternatives_answer_the_same_prompt_each_for_itself():
    rows, _ = made(
        "sample-counsel",
        [("seeker", "why?"), ("supporter", "x", {"upvotes": 5}), ("supporter", "y", {"upvotes": 1})],
    )
    assert [row["reply"] for row in rows] == ["x", "y"]
    assert rows[0]["prompt_id"] == rows[1]["prompt_id"]
    assert rows[0]["thread"] != rows[1]["thread"]
    assert [(row["why"], row["raw"], row["merit"]) for row in rows] == [("votes", 5.0, None), ("votes", 1.0, None)]


def test_coded_moves_are_kept_and_what_is_not_coded_is_not_said_to_be_absent():
    rows, _ = made(
        "esconv-strategies",
        [("seeker", "a"), ("supporter", "b", {"strategy": "Question"}), ("seeker", "c"), ("supporter", "d")],
    )
    assert rows[0]["moves"] == ["asks"] and "reflects" in rows[0]["coded"]
    assert rows[1]["moves"] == [] == rows[1]["coded"]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "no_turns"),
        ([("seeker", "a")], "no_reply"),
        ([("supporter", "a")], "no_reply"),
        ([("seeker", "a"), ("nobody knows", "b"), ("supporter", "c")], "third_party"),
    ],
)
def test_documents_without_candidates_say_why(turns, reason):
    rows, counts = made("sample-transcripts", turns)
    assert not rows and counts[reason] == 1


def test_a_system_turn_becomes_the_system_prompt_and_goes_before_the_cards():
    turns = [("system", "be kind"), ("seeker", "a"), ("supporter", "b")]
    assert made("sample-transcripts", turns, system="other")[0][0]["system"] == "be kind"
    assert made("sample-transcripts", turns[1:], system="other")[0][0]["system"] == "other"


def test_the_same_document_gives_the_same_ids():
    turns = [("seeker", "a"), ("supporter", "b")]
    assert made("sample-transcripts", turns)[0] == made("sample-transcripts", turns)[0]
