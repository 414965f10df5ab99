"""Ingest: cutting, rendering, keyed authors, what is never written."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest import _Writer, cut, render_turns
from pipeline.recipe import Ingest
from sources.card import CARDS_DIR, Card, load_card
from sources.document import SCHEMA, Bad, Record, Turn


@pytest.fixture
def card() -> Card:
    return load_card(CARDS_DIR / "sample-forum.yaml")


def ingest(folder: Path, card: Card, items: list[Record | Bad], **settings_) -> tuple[list[dict], dict, list[dict]]:
    writer = _Writer(folder, card, Ingest(**settings_))
    for item in items:
        writer.add(item)
    meta = writer.close()
    return (
        pq.read_table(folder / "documents.parquet").to_pylist(),
        meta,
        pq.read_table(folder / "quarantine.parquet").to_pylist(),
    )


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab \n", max_size=400), st.integers(10, 60))
def test_cut_loses_nothing_and_stays_short(text: str, size: int) -> None:
    pieces = list(cut(text, size))
    assert all(len(piece) <= size for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_cut_prefers_paragraphs() -> None:
    text = "\n\n".join("word " * 19 + "end." for _ in range(10))
    pieces = list(cut(text, 400))
    assert all(piece.endswith("end.") for piece in pieces)
    assert len(pieces) <= 4


def test_render() -> None:
    turns = [{"role": "speaker_1", "text": "Hi."}, {"role": "supporter", "text": "Hello."}]
    assert render_turns(turns) == "Speaker 1: Hi.\n\nSupporter: Hello."
    assert render_turns(turns[:1]) == "Hi."


def test_nothing_identifying_is_written(tmp_path: Path, card: Card) -> None:
    record = Record(
        key="k",
        origin="f#1",
        author="walking_dog_77",
        created=datetime(2024, 5, 1),
        turns=[
            Turn(
                "poster",
                "I am walking_dog_77, write to me at pat.lee@example.org or +1 202-555-0143.",
                "walking_dog_77",
            ),
            Turn("commenter", "Hello walking_dog_77! pat.lee@example.org, is that right?", "kind_otter", {"score": 3}),
        ],
    )
    rows, meta, _ = ingest(tmp_path, card, [record])
    stored = (tmp_path / "documents.parquet").read_bytes() + str(rows).encode()
    for secret in (b"walking_dog_77", b"kind_otter", b"pat.lee", b"555-0143"):
        assert secret not in stored
    turns = rows[0]["turns"]
    assert turns[0]["author"] == rows[0]["author"] != turns[1]["author"]
    assert len(rows[0]["author"]) == 32
    assert json.loads(turns[1]["labels"]) == {"score": 3}
    assert "[EMAIL_1]" in turns[0]["text"]
    assert "[EMAIL_1]" in turns[1]["text"], "one value, one number in all turns of a document"
    assert meta["deidentified"] == 1
    assert meta["redactions"]["email"] == 2


def test_titles_links_and_notes_are_deidentified_too(tmp_path: Path, card: Card) -> None:
    shared = {
        "title": "I'm u/jane_doe99, mail jane.doe@example.org",
        "tags": ["sleep", "call +1 202-555-0143"],
        "score": 4,
    }
    records = [
        Record("a", "f#a", "Write to jane.doe@example.org.", extra=shared),
        Record(
            "b",
            "f#b",
            turns=[Turn("poster", "Hello.", None, {"note": "she is jane.doe@example.org", "votes": 2})],
            extra=shared,
        ),
    ]
    rows, _, _ = ingest(tmp_path, card, records)
    stored = str(rows)
    for secret in ("jane_doe99", "jane.doe@", "555-0143"):
        assert secret not in stored
    assert rows[0]["text"] == "Write to [EMAIL_1]."
    assert json.loads(rows[0]["extra"])["title"] == "I'm [USER_1], mail [EMAIL_1]"
    assert json.loads(rows[0]["extra"])["tags"][0] == "sleep"
    assert json.loads(rows[1]["turns"][0]["labels"]) == {"note": "she is [EMAIL_1]", "votes": 2}
    assert "jane_doe99" in shared["title"], "what a reader shares between records is not changed under it"


def test_a_bare_handle_of_the_author_is_no_label(tmp_path: Path, card: Card) -> None:
    extra = {"posted_by": "walkingdog77", "topic": "sleep"}
    rows, _, _ = ingest(tmp_path, card, [Record("a", "f#a", "A long day.", author="walkingdog77", extra=extra)])
    assert "walkingdog77" not in str(rows)
    assert json.loads(rows[0]["extra"])["topic"] == "sleep"


def test_labels_of_any_type_are_kept(tmp_path: Path, card: Card) -> None:
    labels = {"price": Decimal("1.5"), "day": datetime(2024, 5, 1), "big": 2**70}
    rows, _, _ = ingest(tmp_path, card, [Record("a", "f#a", turns=[Turn("poster", "Hello there.", None, labels)])])
    assert json.loads(rows[0]["turns"][0]["labels"]) == {"price": "1.5", "day": "2024-05-01 00:00:00", "big": 2**70}


def test_counts_reconcile(tmp_path: Path, card: Card) -> None:
    long = "\n\n".join("A sentence that says something. " * 10 for _ in range(12))
    items = [
        Record("a", "f#a", "Some text that stays as it is."),
        Record("a", "f#a2", "The same key again."),
        Record("b", "f#b", " \n "),
        Record("c", "f#c", long),
        Bad("f#d", "invalid_json", "line 4"),
    ]
    rows, meta, quarantine = ingest(tmp_path, card, items, max_chars=1000)
    assert meta["records_in"] + meta["split_off"] == meta["documents"] + 1 + 2
    assert meta["dropped"] == {"empty": 1}
    assert meta["quarantined"] == {"repeated_key": 1, "invalid_json": 1}
    assert {q["reason"] for q in quarantine} == {"repeated_key", "invalid_json"}
    assert len(rows) == meta["documents"] > 3
    assert len({row["id"] for row in rows}) == len(rows)
    assert rows[-1]["origin"].startswith("f#c&part=")
    assert pq.read_schema(tmp_path / "documents.parquet").equals(SCHEMA)


def test_language_of_short_texts_is_the_cards(tmp_path: Path, card: Card) -> None:
    german = "Heute war ein langer Tag, aber am Abend haben wir zusammen gekocht und viel gelacht."
    rows, _, _ = ingest(tmp_path, card, [Record("a", "f#a", "Ja, danke."), Record("b", "f#b", german)])
    assert [row["language"] for row in rows] == ["en", "de"]
