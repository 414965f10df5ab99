"""What the shipped cards say of help: the samples in full, and the real corpora where they are at hand."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest

from sources.card import CARDS_DIR, Card, load_card, load_cards
from sources.document import Bad, Record
from sources.files import resolve

CARDS = load_cards()
SKILLED = sorted(name for name, card in CARDS.items() if card.skill is not None)


def load(name: str) -> tuple[Card, list[Record], list[Bad]]:
    card = load_card(CARDS_DIR / f"{name}.yaml")
    reader = card.make_reader
    items = [item for split in reader.splits(resolve(card), 64 << 20) for item in reader.read(split)]
    return card, [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Bad)]


def parts(card: Card, records: list[Record]) -> Counter[str]:
    return Counter(card.skill.role(turn.role) for record in records for turn in record.turns)


def helps(card: Card, record: Record) -> list:
    return [turn for turn in record.turns if card.skill.role(turn.role) == "assistant"]


def judged(card: Card, records: list[Record]) -> Counter:
    """Replies by kind of evidence and merit."""
    found = [card.skill.judged(turn.labels, record.extra) for record in records for turn in helps(card, record)]
    return Counter((f[0].kind, f[2]) if f else None for f in found)


def decided(card: Card, records: list[Record]) -> int:
    """Pairs of replies of a record of which the evidence says that one is better."""
    count = 0
    for record in records:
        found = [f for turn in helps(card, record) if (f := card.skill.judged(turn.labels, record.extra))]
        count += sum(a[0].better(a[1], b[1]) or a[0].better(b[1], a[1]) for a, b in combinations(found, 2))
    return count


def test_cards_with_skill():
    assert {"counsel-chat", "esconv", "openassistant-replies", "model-spec", "sample-critiques"} <= set(SKILLED)
    # Film lines, subtitles, posts without an answer and books hold no help that a model could learn to give.
    assert not {"edos", "webvtt-samples", "srt-samples", "rmhd", "happydb", "openstax-psychology"} & set(SKILLED)


@pytest.mark.parametrize("name", [name for name in SKILLED if CARDS[name].skill.evidence])
def test_evidence_names_labels_that_the_reader_delivers(name):
    """A label that no turn can have would be silent: nothing would ever be judged."""
    card = CARDS[name]
    if card.reader.name in ("comparisons", "stackexchange"):
        pytest.skip("this reader's labels are its own")
    options = card.make_reader.options
    turns = [*options.turns, *options.then]
    specs = [spec.labels for spec in (*turns, options.turn_list, options.turn_tree) if spec] + [options.last]
    labels = {name for spec in specs for name in spec} | {name for turn in turns for name in turn.set}
    for evidence in card.skill.evidence:
        if evidence.label is not None:
            assert {evidence.label} if isinstance(evidence.label, str) else set(evidence.label) <= labels
        if evidence.extra is not None:
            assert evidence.extra in set(options.extra)


@pytest.mark.parametrize("name", [n for n in SKILLED if CARDS[n].skill.situation])
def test_situation_names_fields_that_are_kept(name):
    card = CARDS[name]
    if card.reader.name in ("comparisons", "stackexchange"):
        pytest.skip("this reader's fields are its own")
    assert set(card.skill.situation) <= set(card.make_reader.options.extra)


@pytest.mark.parametrize(
    "name", ["smile-zh", "cpsycoun-zh", "hub-soda", "coconot-preferences", "hub-counseling-critiques"]
)
def test_what_models_wrote_is_simulated(name):
    assert CARDS[name].origin == "simulated"


@pytest.mark.parametrize("name", ["remote-annomi", "diasafety-risk", "epitome", "counseling-feedback"])
def test_words_nobody_licensed_are_not_republished(name):
    assert CARDS[name].refusal("publish")
    assert CARDS[name].refusal("research") is None


def test_annomi_is_pinned_and_read_like_its_sample():
    real, sample = CARDS["remote-annomi"], CARDS["sample-mi"]
    commit = real.where.url.split("/AnnoMI/")[1].split("/")[0]
    assert len(commit) == 40
    assert (real.reader, real.skill) == (sample.reader, sample.skill)


def test_sample_mi():
    card, records, bad = load("sample-mi")
    assert not bad
    assert len(records) == 12
    assert Counter(record.extra["mi_quality"] for record in records) == {"high": 8, "low": 4}
    assert parts(card, records) == {"assistant": 57, "user": 56}
    assert judged(card, records) == {("code", 1.0): 41, ("code", 0.0): 16}
    # The session that two annotators labelled has each line once, with the first one's code.
    twice = next(record for record in records if record.key == "2")
    assert len(twice.turns) == 10
    assert card.skill.behaviours.read(twice.turns[2].labels) == {"asks"}
    moves = Counter(
        move for record in records for turn in helps(card, record) for move in card.skill.behaviours.read(turn.labels)
    )
    assert moves == {"reflects": 24, "asks": 22, "suggests": 6, "informs": 2}
    both = records[0].turns[8].labels
    assert card.skill.behaviours.read(both) == {"reflects", "asks"}


def test_sample_critiques():
    card, records, bad = load("sample-critiques")
    assert not bad
    assert len(records) == 20
    assert len({card.skill.situated(record.extra) for record in records}) == 20
    for record in records:
        first, again = record.turns[-2:]
        assert first.labels["critique"]
        assert first.labels["areas"]
        assert card.skill.judged(first.labels, record.extra)[1:] == (0.0, 0.0)
        assert card.skill.judged(again.labels, record.extra)[1:] == (1.0, 1.0)
        # The second reply asks and leaves the choice with the person; none of the first ones is a copy of it.
        assert "?" in again.text
        assert first.text != again.text
    assert decided(card, records) == 20


def test_samples_made_before():
    card, records, _ = load("sample-counsel")
    assert decided(card, records) == 20
    assert judged(card, records) == {("votes", None): 45}
    card, records, _ = load("sample-transcripts")
    assert judged(card, records) == {("code", 1.0): 174, ("code", 0.0): 17}
    assert all(
        card.skill.behaviours.read(turn.labels) is not None for record in records for turn in helps(card, record)
    )


@pytest.mark.real
@pytest.mark.parametrize("name", [n for n in SKILLED if isinstance(CARDS[n].where.path, str)])
def test_real_roles_are_all_known(real_data, name):
    """Every role of a corpus was thought of; only those that the card says so are left out."""
    card, records, _ = load(name)
    found = parts(card, records)
    assert found["user"]
    assert found["assistant"]
    assert ("refuse" in found) == ("refuse" in card.skill.roles.values())
    if moves := card.skill.behaviours:
        replies = [turn for record in records for turn in helps(card, record)]
        assert sum(moves.read(turn.labels) is not None for turn in replies) == len(replies)


@pytest.mark.real
def test_real_failed_support(real_data):
    card, records, _ = load("esconv-failed")
    found = judged(card, records)
    # Nine of ten replies were rated by the seeker; only the one star says that a reply was poor.
    assert found[("outcome", 0.0)] == 253
    assert found[("code", 0.5)] + found[("code", 0.0)] == 2124
    assert 0 < found[("code", 0.0)] < 743
    assert ("code", 1.0) not in found


@pytest.mark.real
def test_real_ranked_replies(real_data):
    card, records, bad = load("openassistant-replies")
    assert not bad
    assert len(records) == 212
    ranked = [[turn for turn in record.turns if "rank" in turn.labels][-2:] for record in records]
    assert all(len(pair) == 2 for pair in ranked)
    assert decided(card, records) == 970
    assert len({record.key for record in records}) == 212


@pytest.mark.real
def test_real_model_spec(real_data):
    _, records, bad = load("model-spec")
    assert Counter(item.reason for item in bad) == {"tool_call": 3, "no_comparison": 1}
    assert len(records) == 187
    assert (
        Counter(turn.labels["verdict"] for r in records for turn in r.turns if "verdict" in turn.labels)["bad"] == 194
    )
    assert {turn.role for record in records for turn in record.turns} == {"system", "user", "assistant"}
    assert all(record.extra["section_id"] for record in records)
    assert not any("<assistant" in turn.text or "<!--" in turn.text for record in records for turn in record.turns)


@pytest.mark.real
def test_real_preferences_and_risk(real_data):
    card, records, bad = load("coconot-preferences")
    assert (len(records), len(bad), decided(card, records)) == (927, 0, 927)
    card, records, bad = load("diasafety-risk")
    assert (len(records), len(bad)) == (1199, 0)
    # Nothing of it is ever taken for good help.
    assert judged(card, records) == {("code", 0.5): 798, ("code", 0.0): 753}


@pytest.mark.real
def test_real_counsel_chat_has_no_votes(real_data):
    """Why its card names no evidence: should a later copy have votes, this fails and the card can say so."""
    _, records, _ = load("counsel-chat")
    assert {turn.labels.get("upvotes") for record in records for turn in record.turns[1:]} == {0}
