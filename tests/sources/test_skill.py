"""What a card's ``skill`` says of roles, coded moves and evidence, and how mistakes in it are told."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from sources.card import CARDS_DIR, Card, Evidence, Moves, Skill, load_card
from sources.errors import UserError
from sources.skill import MOVES


def evidence(**fields) -> Evidence:
    return Evidence.model_validate(fields)


def test_moves_are_those_of_the_taxonomy():
    from classifiers.taxonomy import BEHAVIOURS

    assert tuple(BEHAVIOURS) == MOVES


@pytest.mark.parametrize(
    ("role", "part"),
    [
        *(("seeker", "user"), ("poster", "user"), ("user", "user"), ("patient", "user"), ("original", "user")),
        *(("supporter", "assistant"), ("commenter", "assistant"), ("assistant", "assistant")),
        *(("clinician", "assistant"), ("reframed", "assistant"), ("system", "system")),
        *(("family", "refuse"), ("speaker_1", "refuse"), ("", "refuse")),
    ],
)
def test_roles_known_without_saying(role, part):
    assert Skill().role(role) == part


def test_a_card_s_roles_come_first():
    skill = Skill(roles={"speaker_1": "user", "speaker_2": "assistant", "clinician": "drop"})
    assert [skill.role(r) for r in ("speaker_1", "speaker_2", "clinician", "supporter", "speaker_3")] == [
        "user",
        "assistant",
        "drop",
        "assistant",
        "refuse",
    ]


def test_votes_are_numbers_without_merit():
    votes = evidence(kind="votes", label="up", margin=2)
    assert votes.read({"up": 5}, {}) == (5.0, None)
    assert votes.read({"up": "5"}, {}) == (5.0, None)
    assert [votes.better(a, b) for a, b in ((5, 3), (4, 3), (3, 5))] == [True, False, False]


@pytest.mark.parametrize("value", [None, "many", True, [3], float("nan")])
def test_what_is_no_number_is_no_evidence(value):
    assert evidence(kind="votes", label="up").read({"up": value}, {}) is None
    assert evidence(kind="votes", label="up").read({}, {"up": 3}) is None


def test_ranks_are_better_when_lower():
    rank = evidence(kind="rank", label="rank", higher=False)
    assert rank.read({"rank": 0}, {}) == (0.0, None)
    assert [rank.better(a, b) for a, b in ((0, 1), (1, 0), (1, 1))] == [True, False, False]


def test_a_margin_met_exactly_is_enough():
    assert evidence(kind="outcome", label="x", scale=[0, 1], margin=0.1).better(0.3, 0.2)


def test_levels_are_added_and_put_on_their_scale():
    levels = evidence(kind="levels", label=["er", "ip", "ex"], scale=[0, 6])
    assert levels.read({"er": 1, "ip": 2, "ex": 0}, {}) == (3.0, 0.5)
    # Two of three would be read as little empathy, where it is little knowledge.
    assert levels.read({"er": 1, "ip": 2}, {}) is None
    assert levels.read({"er": 9, "ip": 2, "ex": 0}, {}) is None


def test_scale_where_less_is_better():
    distress = evidence(kind="outcome", extra="final", scale=[1, 5], higher=False)
    assert distress.read({"final": 1}, {"final": 2}) == (2.0, 0.75)


def test_words_and_numbers_count_as_said():
    code = evidence(kind="code", label="stars", good=[4, 5, "great"], middle=[3], bad=[1, 2])
    assert [code.read({"stars": v}, {}) for v in ("5", 4.0, " Great", 3, "1")] == [
        *((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.0, 0.0)),
    ]
    assert code.read({"stars": "poor"}, {}) is None
    assert code.read({"stars": None}, {}) is None


def test_true_and_false_are_words_and_not_numbers():
    perfect = Evidence.model_validate(yaml.safe_load("{kind: critique, label: perfect, good: [true], bad: [false]}"))
    assert perfect.read({"perfect": True}, {}) == (1.0, 1.0)
    assert perfect.read({"perfect": False}, {}) == (0.0, 0.0)
    assert perfect.read({"perfect": 1}, {}) is None


def test_a_value_holds_for_every_reply():
    assert evidence(kind="outcome", value=0.0).read({}, {}) == (0.0, 0.0)


def test_the_first_evidence_with_a_value_counts():
    skill = Skill.model_validate(
        {
            "evidence": [
                {"kind": "code", "label": "stars", "good": [5], "bad": [1]},
                {"kind": "outcome", "value": 0.0},
            ]
        }
    )
    assert skill.judged({"stars": 5}, {}) == (skill.evidence[0], 1.0, 1.0)
    assert skill.judged({"stars": 3}, {}) == (skill.evidence[1], 0.0, 0.0)
    assert Skill().judged({"stars": 5}, {}) is None


def test_moves():
    moves = Moves.model_validate(
        {"label": ["main", "sub"], "map": {"Question": "asks", "Mixed": ["asks", "reflects"], "Other": []}}
    )
    assert moves.coded == {"asks", "reflects"}
    assert moves.read({"main": "question "}) == {"asks"}
    assert moves.read({"main": ["Other", "Mixed"]}) == {"asks", "reflects"}
    assert moves.read({"main": "Other", "sub": "Question"}) == {"asks"}
    assert moves.read({"main": "Other"}) == frozenset()
    # Not coded, or a code the card does not know: nothing is known of what the reply does.
    assert moves.read({"main": "Whistles"}) is None
    assert moves.read({}) is None


def test_situation_is_the_first_field_with_a_value():
    skill = Skill.model_validate({"situation": ["problem", "topics"]})
    assert skill.situated({"problem": " ", "topics": ["grief", "work"]}) == "grief, work"
    assert skill.situated({"problem": "job crisis", "topics": ["grief"]}) == "job crisis"
    assert skill.situated({}) is None
    assert Skill.model_validate({"situation": "topic"}).situation == ["topic"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "votes"}, "exactly one of label, extra and value"),
        ({"kind": "votes", "label": []}, "exactly one of label, extra and value"),
        ({"kind": "code", "label": "a", "extra": "b", "good": ["x"]}, "found: label, extra"),
        ({"kind": "code", "label": "a"}, "say what the code mean"),
        ({"kind": "levels", "label": "a"}, "scale: [lowest, highest]"),
        ({"kind": "votes", "label": "a", "scale": [0, 5]}, "only compare replies"),
        ({"kind": "rank", "value": 1}, "only compare replies"),
        ({"kind": "levels", "label": "a", "scale": [5, 0]}, "[lowest, highest]"),
        ({"kind": "code", "label": "a", "good": ["x"], "bad": ["X"]}, "two of good, bad and middle"),
        ({"kind": "code", "label": "a", "good": [1], "scale": [0, 1]}, "either good, bad and middle"),
        ({"kind": "code", "label": ["a", "b"], "good": [1]}, "a single label"),
        ({"kind": "outcome", "value": 0.5, "higher": False}, "value is the merit itself"),
        ({"kind": "outcome", "value": 2}, "less than or equal to 1"),
        ({"kind": "votes", "label": "a", "margin": 0}, "greater than 0"),
        ({"kind": "likes", "label": "a"}, "'votes'"),
    ],
)
def test_wrong_evidence_is_told(fields, says):
    with pytest.raises(ValidationError) as error:
        Evidence.model_validate(fields)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("skill", "where", "says"),
    [
        ({"answer": "alternatives"}, "skill.answer", "unknown field 'answer'"),
        ({"roles": {"family": "leave"}}, "skill.roles.family", "'drop' or 'refuse'"),
        (
            {"behaviours": {"label": "s", "map": {"Question": "questions"}}},
            "skill.behaviours.map.Question",
            "'reflects'",
        ),
        ({"behaviours": {"label": "s", "map": {"A": []}}}, "skill.behaviours", "no behaviour at all"),
        ({"behaviours": {"label": "s", "map": {"A": "asks", "a": []}}}, "skill.behaviours", "twice"),
        ({"evidence": [{"kind": "code", "label": "x"}]}, "skill.evidence.0", "good: [...]"),
        (
            {"roles": dict.fromkeys(("supporter", "commenter", "assistant", "clinician", "reframed"), "drop")},
            "skill",
            "some role must be assistant",
        ),
    ],
)
def test_a_card_with_a_wrong_skill_names_the_field(tmp_path, skill, where, says):
    raw = yaml.safe_load((CARDS_DIR / "sample-counsel.yaml").read_text("utf-8")) | {"skill": skill}
    path = tmp_path / "sample-counsel.yaml"
    path.write_text(yaml.safe_dump(raw), "utf-8")
    with pytest.raises(UserError) as error:
        load_card(path)
    assert where in str(error.value.where)
    assert says in error.value.what


@pytest.mark.parametrize("name", ["esconv-failed", "sample-mi", "model-spec", "hub-counseling-critiques", "ag-news"])
def test_a_card_survives_the_way_to_a_worker(name):
    card = load_card(CARDS_DIR / f"{name}.yaml")
    again = Card.model_validate(card.model_dump(mode="json"))
    assert again.skill == card.skill
    assert (again.skill is None) == (name == "ag-news")
