"""Excerpts of a corpus, on the synthetic sample."""

from __future__ import annotations

from classifiers.excerpts import EXCERPT, excerpts, local_cards, text_key
from sources.card import load_cards


def test_excerpts_are_chosen_by_hash_and_a_smaller_quota_is_part_of_a_larger(tmp_path):
    card = load_cards()["sample-transcripts"]
    every = excerpts(card, 10**6)
    some = excerpts(card, 7)
    assert len(some) == 7 and some == every[:7] and some == excerpts(card, 7)
    assert excerpts(card, 7, seed=1) != some
    assert all(name == "sample-transcripts" and 15 <= len(text) <= EXCERPT for name, text in every)
    assert len({text_key(text) for _, text in every}) == len(every)


def test_dialogues_keep_their_speakers_and_are_cut_between_turns():
    texts = [text for _, text in excerpts(load_cards()["sample-transcripts"], 10**6)]
    spoken = [text for text in texts if "Supporter: " in text]
    assert len(spoken) > 10
    assert all(
        line.split(": ")[0] in ("Seeker", "Supporter")
        for text in spoken
        for line in text.split("\n")
        if ": " in line[:11]
    )


def test_a_text_is_found_again_whatever_its_white_space():
    assert text_key("a  b\n c") == text_key("a b c") != text_key("a b d")
    assert len(text_key("")) == 16


def test_cards_of_other_languages_and_of_the_sample_are_not_learnt_from():
    names = {card.name for card in local_cards()}
    assert "counsel-chat" in names and not names & {"smile-zh", "cpsycoun-zh", "sample-forum", "hub-soda"}
