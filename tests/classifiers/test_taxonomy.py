"""The taxonomy holds together, and the models speak it."""

from __future__ import annotations

from classifiers.card import LICENCES
from classifiers.corpora import HEADS, LEARNED_HARM
from classifiers.taxonomy import (
    BEHAVIOURS,
    FACETS,
    HARMFUL,
    POLICY,
    REGISTER,
    RELEVANCE,
    SAFETY,
    SENSITIVE,
    STANCE,
    SUPPORT,
)


def test_sensitive_is_never_harmful():
    assert not SENSITIVE.keys() & HARMFUL.keys()
    assert SAFETY.keys() == SENSITIVE.keys() | HARMFUL.keys()
    assert set(SENSITIVE) == {"disclosure", "discusses_harm"}


def test_every_label_has_a_definition():
    for scale in (RELEVANCE, SUPPORT):
        assert list(scale) == list(range(len(scale)))
    for labels in (RELEVANCE, FACETS, STANCE, REGISTER, SUPPORT, BEHAVIOURS, SAFETY):
        assert all(text and "\n" not in text for text in labels.values())


def test_harm_is_dropped_and_pain_is_kept():
    assert POLICY["gives_method_or_encourages"] == ("drop", "never")
    assert all(
        actions[0] not in ("drop", "never") for name, actions in POLICY.items() if name != "gives_method_or_encourages"
    )


def test_heads_are_unique_and_of_the_taxonomy():
    assert len(set(HEADS)) == len(HEADS)
    assert set(LEARNED_HARM) <= HARMFUL.keys()
    families = {"facet": FACETS, "stance": STANCE, "register": REGISTER, "behaviour": BEHAVIOURS, "safety": SAFETY}
    for head in HEADS:
        family, _, label = head.partition("_")
        assert family not in families or head == "safety_harm" or label in families[family]


def test_licences_are_named():
    assert all(LICENCES.values())
