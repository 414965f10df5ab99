"""Canaries: made-up records that say what leaked, and whether they arrived at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline import deidentify
from pipeline.audit.canaries import canaries, load_key, make_canaries
from pipeline.audit.make import Audit, audit
from pipeline.ingest import ingest_key, run_ingest
from pipeline.recipe import Ingest
from pipeline.store import Store
from sources.card import load_card
from sources.errors import UserError
from sources.files import resolve

COUNT = 72


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canaries") / "c"
    made = make_canaries(folder, COUNT, seed=4)
    assert sum(made["secrets"].values()) == 3 * COUNT
    return folder


def _ingested(planted: Path, root: Path) -> Audit:
    """An audit of the store into which the canaries were ingested."""
    card, store = load_card(planted / "canaries.yaml"), Store(root)
    for split in card.make_reader.splits(resolve(card, lambda _: "x"), 1 << 20):
        run_ingest(store, card, split, Ingest(), ingest_key(card, split, Ingest()))
    return audit([root], canaries=planted, workers=1)


def test_nothing_that_is_promised_leaks_and_all_controls_arrive(planted: Path, tmp_path: Path) -> None:
    found = _ingested(planted, tmp_path)
    rows = {row["kind"]: row for row in found.canaries()}
    assert {kind: row["leaked"] for kind, row in rows.items() if row["promised"]} == dict.fromkeys(
        ("AUTHOR", "EMAIL", "PHONE", "IP", "PROFILE", "USER", "CARD", "IBAN", "ID", "ADDRESS", "SECRET"), 0
    )
    assert all(row["arrived"] == row["planted"] for row in rows.values())
    # what is not promised is seen, so the search works
    assert rows["OTHER_NAME"]["leaked"] == rows["OTHER_NAME"]["planted"] > 0
    assert found.problems() == []


def test_a_hole_in_the_net_is_seen(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [
        (flags, finder) for flags, finder in deidentify._FINDERS if finder.__name__ not in ("_phones", "_addresses")
    ]
    monkeypatch.setattr(deidentify, "_FINDERS", tuple(whole))
    found = _ingested(planted, tmp_path)
    leaked = {row["kind"]: row for row in found.canaries() if row["promised"] and row["leaked"]}
    assert set(leaked) == {"PHONE", "ADDRESS"}
    assert leaked["PHONE"]["share"] == 1.0 and leaked["PHONE"]["low"] > 0.7
    assert any("class PHONE leaked" in problem for problem in found.problems())
    assert {place["surface"] for place in leaked["PHONE"]["places"]} == {"documents"}


def test_leaks_are_seen_in_by_products_and_bytes(planted: Path, tmp_path: Path) -> None:
    key = load_key(planted)
    (tmp_path / "run.log").write_text(f"ValueError: {key[0].secrets[1].traces[0].upper()}\n")
    # across the border of two blocks, in a file that is no text
    (tmp_path / "spool.db").write_bytes(b"\0" * ((4 << 20) - 5) + key[1].secrets[0].traces[0].encode() + b"\0")
    found = audit([tmp_path], canaries=planted / "canaries.key.json", workers=1)
    assert set(found.seen.leaks) == {(0, 1), (1, 0)}
    assert {row["kind"]: row["in_by_products"] for row in found.canaries() if row["leaked"]} == {
        "AUTHOR": 1,
        key[0].secrets[1].kind: 1,
    }
    assert any("no canary arrived" in problem for problem in found.problems())


def test_records_are_seeded_unique_and_of_no_corpus(planted: Path) -> None:
    assert list(canaries(20, 4)) == list(canaries(COUNT, 4))[:20]
    assert next(canaries(1, 4)) != next(canaries(1, 5))
    records = [json.loads(line) for line in (planted / "canaries.jsonl").read_text().splitlines()]
    for (canary, record), written in zip(canaries(COUNT, 4), records, strict=True):
        assert record == written
        lower = f"{record['text']} {record['author']}".lower()
        for secret in canary.secrets:
            assert any(trace in lower for trace in secret.traces), (secret.kind, secret.form)
            others = [
                one
                for one in records
                if one["id"] != record["id"] and any(t in one["text"].lower() for t in secret.traces)
            ]
            assert others == []
        assert lower.count(canary.control) == 1
    assert load_card(planted / "canaries.yaml").refusal("publish")


def test_a_key_is_never_overwritten(planted: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="already"):
        make_canaries(planted, 3)
    with pytest.raises(UserError, match="cannot read the key"):
        load_key(tmp_path / "nothing.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match="no key"):
        load_key(tmp_path / "other.json")
