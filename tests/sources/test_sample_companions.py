"""The shipped conversations on autonomy, choices and helping others: read through their cards, complete, and each in its own words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cache

import pytest

from classifiers.taxonomy import BEHAVIOURS
from sources.card import CARDS_DIR, Card, load_card
from sources.document import Record, Turn
from sources.files import resolve

SETS = ("autonomy", "choices", "prosocial")

#: Records of each card.
COUNTS = {"autonomy": 60, "choices": 40, "prosocial": 50, "alternatives": 45}

STRANDS = {
    "autonomy": {"socratic", "own_wisdom", "frontier", "selective_help", "relationships"},
    "choices": {"values", "future_self", "reversible", "others_affected", "already_known", "evidence", "joy"},
    "prosocial": {"study", "work", "neighbourhood", "home", "everyday"},
}

#: Fewest records for what becomes of the thought of helping others.
MOMENTS = {"offered": 20, "withheld": 15, "declined": 8, "conflict": 6}

#: Moves that good help never makes; a reply of a model to learn from that carries one is mislabelled or badly written.
POOR = {"judges", "directs", "dismisses", "self_discloses"}

#: What a model says when it has nothing to say.
BANNED = (
    "as an ai language model",
    "i'm so sorry to hear that",
    "it's important to remember",
    "it is important to remember",
    "delve",
    "remember,",
    "i hear you",
    "that sounds really",
    "great question",
    "you've got this",
    "be kind to yourself",
    "\N{EM DASH}",
)

#: Words in a row that two replies may not share.
SHINGLE = 8


def card(name: str) -> Card:
    return load_card(CARDS_DIR / f"sample-{name}.yaml")


@cache
def records(name: str) -> tuple[Record, ...]:
    """Everything the card's own reader yields; a record that cannot be read fails the test that asks."""
    made = card(name)
    reader = made.make_reader
    found = [item for split in reader.splits(resolve(made), 1 << 20) for item in reader.read(split)]
    assert [item for item in found if not isinstance(item, Record)] == []
    return tuple(item for item in found if isinstance(item, Record))


def turns(record: Record) -> list[Turn]:
    """The turns without the system prompt."""
    assert record.turns
    return [turn for turn in record.turns if turn.role != "system"]


def replies(name: str) -> list[tuple[str, Turn]]:
    return [(record.key, turn) for record in records(name) for turn in turns(record) if turn.role == "assistant"]


def system(record: Record) -> str | None:
    assert record.turns
    assert [turn.role for turn in record.turns[1:]].count("system") == 0, record.key
    return record.turns[0].text if record.turns[0].role == "system" else None


@pytest.mark.parametrize("name", COUNTS)
def test_every_record_is_read_and_known_by_an_id(name: str) -> None:
    found = records(name)
    assert len(found) == COUNTS[name]
    assert len({record.key for record in found}) == len(found)
    for record in found:
        assert record.extra["synthetic"] is True, record.key
        assert record.extra["situation"], record.key
        assert record.extra["strand"] in STRANDS[record.key.split("-")[0]], record.key


@pytest.mark.parametrize("name", COUNTS)
def test_the_cards_say_what_the_texts_are(name: str) -> None:
    made = card(name)
    assert (made.origin, made.license.id, made.consent.basis) == ("simulated", "CC0-1.0", "synthetic")
    assert made.refusal("publish") is None and made.refusal("commercial") is None


@pytest.mark.parametrize("name", SETS)
def test_conversations_take_turns_and_end_with_the_reply(name: str) -> None:
    for record in records(name):
        roles = [turn.role for turn in turns(record)]
        assert roles == ["user", "assistant"] * (len(roles) // 2), record.key
        assert 2 <= len(roles) <= 10, record.key


def test_alternatives_end_with_a_good_and_a_bad_reply_to_the_same_turn() -> None:
    first: Counter[str] = Counter()
    for record in records("alternatives"):
        talk = turns(record)
        *before, one, other = talk
        assert [turn.role for turn in before] == (["user", "assistant"] * len(before))[: len(before)], record.key
        assert before[-1].role == "user" and one.role == other.role == "assistant", record.key
        assert {one.labels["verdict"], other.labels["verdict"]} == {"good", "bad"}, record.key
        assert one.labels["reason"] != other.labels["reason"], record.key
        assert all("verdict" not in turn.labels for turn in before), record.key
        first[one.labels["verdict"]] += 1
    assert min(first.values()) >= 15, "which comes first must not tell which is better"


def test_the_better_reply_cannot_be_told_by_its_length() -> None:
    longer = 0
    for record in records("alternatives"):
        by_verdict = {turn.labels["verdict"]: len(turn.text) for turn in turns(record)[-2:]}
        longer += by_verdict["good"] > by_verdict["bad"]
    assert 0.3 <= longer / COUNTS["alternatives"] <= 0.7


@pytest.mark.parametrize("name", COUNTS)
def test_moves_are_the_taxonomys_and_the_card_reads_them(name: str) -> None:
    skill = card(name).skill
    assert skill and skill.behaviours and skill.behaviours.coded == frozenset(BEHAVIOURS)
    for key, turn in replies(name):
        moves = turn.labels["moves"]
        assert moves and len(set(moves)) == len(moves), key
        assert skill.behaviours.read(turn.labels) == frozenset(moves), key
        if turn.labels.get("verdict") != "bad":
            assert not POOR & set(moves), (key, turn.text)


def test_the_verdict_is_evidence() -> None:
    skill = card("alternatives").skill
    assert skill and skill.answers == "alternatives"
    for record in records("alternatives"):
        one, other = (skill.judged(turn.labels, record.extra) for turn in turns(record)[-2:])
        assert one and other
        assert {one[2], other[2]} == {0.0, 1.0}, record.key
        assert one[0].better(max(one[1], other[1]), min(one[1], other[1])), record.key


@pytest.mark.parametrize("name", SETS)
def test_every_strand_has_its_share(name: str) -> None:
    strands = Counter(record.extra["strand"] for record in records(name))
    assert set(strands) == STRANDS[name]
    assert min(strands.values()) >= {"autonomy": 12, "choices": 3, "prosocial": 8}[name]
    alternatives = Counter(record.key.split("-")[0] for record in records("alternatives"))
    assert alternatives[name] == 15


def test_helping_others_is_licensed_by_an_own_system_prompt_each_time() -> None:
    prompts = []
    for name in (*SETS, "alternatives"):
        for record in records(name):
            assert (system(record) is not None) == record.key.startswith("prosocial"), record.key
            if text := system(record):
                prompts.append(text)
                # open about it, and honesty, the law and the user before it
                assert re.search(r"\b(?:law|lawful|unlawful|illegal|rules)\b", text), record.key
                assert re.search(r"honest|truth|true|facts|right|correct|accuracy|nothing untrue", text, re.I), (
                    record.key
                )
    assert len(set(prompts)) == len(prompts) == 65


def test_moments_are_marked_and_saying_nothing_is_common() -> None:
    moments = Counter(record.extra["moment"] for record in records("prosocial"))
    assert set(moments) == set(MOMENTS)
    assert {moment: n for moment, n in moments.items() if n < MOMENTS[moment]} == {}
    for record in records("alternatives"):
        marked = record.extra.get("moment")
        assert marked in MOMENTS if record.key.startswith("prosocial") else marked is None, record.key
    assert all("moment" not in record.extra for name in ("autonomy", "choices") for record in records(name))


def test_who_speaks_of_dying_is_asked_and_pointed_to_help() -> None:
    """The few gentle cases of risk: the reply stays with them and points to help, and no method is named anywhere."""
    cases = []
    for name in SETS:
        for record in records(name):
            said = " ".join(turn.text for turn in turns(record) if turn.role == "assistant")
            if re.search(r"killing yourself|thinking about dying", said):
                cases.append(record.key)
                assert re.search(r"\b988\b|crisis line", said), record.key
                asked = next(t for t in turns(record) if re.search(r"killing yourself|thinking about dying", t.text))
                assert "refers" in asked.labels["moves"] and "asks" in asked.labels["moves"], record.key
                assert turns(record)[-1].text != asked.text, f"{record.key} leaves the person with a number"
    assert 3 <= len(cases) <= 4


def test_no_two_replies_share_their_words() -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for name in COUNTS:
        for number, (key, turn) in enumerate(replies(name)):
            words = re.findall(r"[\w']+", turn.text.lower())
            for start in range(len(words) - SHINGLE + 1):
                # a draft may be given again with a change inside its own conversation
                place = f"{key}#{number}" if turn.labels.get("verdict") else key
                seen[" ".join(words[start : start + SHINGLE])].add(place)
    assert {words: places for words, places in seen.items() if len(places) > 1} == {}


@pytest.mark.parametrize("name", COUNTS)
def test_no_worn_phrases(name: str) -> None:
    found = [
        (key, phrase)
        for key, turn in replies(name)
        if turn.labels.get("verdict") != "bad"
        for phrase in BANNED
        if phrase in turn.text.lower()
    ]
    assert found == []


def test_replies_are_short_and_differ_in_length() -> None:
    words = sorted(len(turn.text.split()) for name in SETS for _, turn in replies(name))
    assert words[len(words) // 2] <= 40 and words[-1] <= 150
    for name in SETS:
        assert len({len(turns(record)) for record in records(name)}) >= 3
    openings = Counter(turn.text.split()[0] for name in SETS for _, turn in replies(name))
    assert max(openings.values()) <= 0.08 * len(words), openings.most_common(3)


def test_hardly_a_reply_is_a_list() -> None:
    listed = {key for name in SETS for key, turn in replies(name) if re.search(r"(?m)^\s*(?:[-*]|\d+\.)\s", turn.text)}
    assert len(listed) <= 3, listed


def test_nobody_is_named_who_could_be_reached() -> None:
    for name in COUNTS:
        for record in records(name):
            for turn in record.turns or []:
                assert not re.search(r"@|https?:|www\.|\b\d{7,}\b", turn.text), record.key
