"""Detectors: what is planted is found by others than our own de-identifier, and ordinary texts are not called certain."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa

from pipeline.audit.detectors import find
from pipeline.audit.make import shape
from tests.hygiene.planted import negatives, planted

#: Kind of the planted set -> kinds by which it may be found, and the least share found by others than ``wellmix``. Others know no
#: streets without a number's company, and of handles, profiles and national numbers only the commoner forms.
FOUND = {
    "EMAIL": ({"EMAIL", "USER"}, 0.8),
    "PHONE": ({"PHONE"}, 0.75),
    "IP": ({"IP"}, 0.6),
    "PROFILE": ({"PROFILE", "USER"}, 0.6),
    "CARD": ({"CARD", "PHONE"}, 0.8),
    "ID": ({"ID", "IBAN", "PHONE"}, 0.6),
    "USER": ({"USER", "EMAIL"}, 0.7),
    "ADDRESS": ({"ADDRESS"}, 0.4),
    "SECRET": ({"SECRET"}, 0.7),
}


def test_others_find_most_of_what_is_planted() -> None:
    texts = [item for item in planted() if item.spans[0][2] in FOUND]
    hits = defaultdict(list)
    for hit in find(pa.array([item.text for item in texts])):
        if hit.detector != "wellmix":
            hits[hit.row].append(hit)
    counts: dict[str, list[bool]] = defaultdict(list)
    for row, item in enumerate(texts):
        start, end, kind = item.spans[0]
        counts[kind].append(any(h.kind in FOUND[kind][0] and h.start < end and h.end > start for h in hits[row]))
    shares = {kind: sum(found) / len(found) for kind, found in counts.items()}
    assert {kind: share for kind, share in shares.items() if share < FOUND[kind][1]} == {}, shares


def test_ordinary_texts_have_no_certain_hits() -> None:
    texts = [item.text for item in negatives()]
    wrong = [(hit.detector, hit.kind, texts[hit.row]) for hit in find(pa.array(texts)) if hit.grade == "certain"]
    assert wrong == []


def test_placeholders_and_help_are_no_hits() -> None:
    texts = [
        "[EMAIL_1] or [USER_2], call [PHONE_1], see [PROFILE_3] and [NAME]",
        "@[USER_1] wrote to [EMAIL_2].com",
        "Call 988, 1-800-273-8255 or 116 123; mail jo@samaritans.org",
        None,
        "",
    ]
    assert find(pa.array(texts)) == []


def test_a_shape_keeps_nothing_of_the_value() -> None:
    text = "Write jo.maple7@example.org or call 07700 900 123. See linkedin.com/in/x.lee"
    shapes = {hit.kind: shape(text, hit) for hit in find(pa.array([text])) if hit.detector == "wellmix"}
    assert shapes == {"EMAIL": "a*.a*9@a*.org", "PHONE": "99999 999 999", "PROFILE": "a*.a*/a*/a*.a*"}
