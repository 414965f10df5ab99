"""The shipped cards: all load, and the corpora they name, where they lie at hand, read as the cards say."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice

import pytest

from sources.card import CARDS_DIR, load_card, load_cards
from sources.document import Bad
from sources.files import resolve
from sources.licenses import SPDX

CARDS = sorted(path.stem for path in CARDS_DIR.glob("*.yaml"))
TABULAR = ("csv", "jsonl", "json", "parquet", "xlsx", "lines", "archive", "dialogue_text", "esconv_tsv")


def card(name: str):
    return load_card(CARDS_DIR / f"{name}.yaml")


LOCAL = [name for name in CARDS if card(name).reader.name in TABULAR and card(name).where.path is not None]


def test_all_cards_load():
    assert sorted(load_cards()) == CARDS


@pytest.mark.parametrize("name", CARDS)
def test_card_is_complete(name):
    made = card(name)
    assert made.citation
    assert made.takedown
    if made.license.id not in SPDX:
        assert made.license.note or made.license.url or made.license.id == "none-stated"
    # A corpus nobody licensed must not leave the house, whatever its card says elsewhere.
    if made.license.id == "none-stated":
        assert made.refusal("publish")
        assert made.refusal("commercial")


@pytest.mark.parametrize(
    "name", [name for name in CARDS if card(name).family == "forum" and card(name).consent.basis == "public_post"]
)
def test_posts_of_people_are_at_least_medium_sensitive(name):
    assert card(name).sensitivity in ("medium", "high")


@pytest.mark.parametrize("name", ["rmhd", "rmhd-labeled", "offmychest", "goemotions"])
def test_reddit_posts_are_not_republished_whatever_the_licence(name):
    assert "publishing" in card(name).refuse
    assert card(name).refusal("publish")
    assert card(name).refusal("research") is None


@pytest.mark.parametrize("name", [name for name in CARDS if name.startswith("hub-")])
def test_hub_cards_use_the_hub(name):
    made = card(name)
    assert made.reader.name == "huggingface"
    assert made.where.hub.count("/") == 1
    assert resolve(made)[0].url.startswith(f"hub://{made.where.hub}/")


@pytest.mark.skipif(not os.environ.get("WELLMIX_DATA"), reason="the real corpora are not at hand (WELLMIX_DATA)")
@pytest.mark.parametrize("name", LOCAL)
def test_card_reads_its_corpus(name):
    made = card(name)
    if made.where.root == "sample":
        pytest.skip("the sample has tests of its own")
    reader = made.make_reader
    items = [item for split in reader.splits(resolve(made), 64 << 20) for item in islice(reader.read(split), 5000)]
    bad = [item for item in items if isinstance(item, Bad)]
    records = [item for item in items if not isinstance(item, Bad)]
    assert records
    assert len(bad) <= len(items) // 100
    assert not [key for key, count in Counter(record.key for record in records).items() if count > 1]
    assert all(record.text or record.turns for record in records)
    assert not any(record.text and record.turns for record in records)
