"""The cards of books, textbooks, dumps and archives say what may be done with them, and their readers start."""

import fsspec
import pytest

from sources.card import CARDS_DIR, Card, load_card, load_cards
from sources.files import open_binary, resolve

OURS = [
    *(
        "gutenberg-biographies",
        "gutenberg-psychology",
        "gutenberg-general",
        "standardebooks-biographies",
        "standardebooks-psychology",
    ),
    *(
        "openstax-psychology",
        "openstax-sociology",
        "openstax-philosophy",
        "openstax-college-success",
        "crump-cognition",
    ),
    *(
        "brief-cbt",
        "flask-docs",
        "mediawiki-biographies",
        "stackexchange-3dprinting-meta",
        "jats-samples",
        "epub-sample",
    ),
    *("webvtt-samples", "srt-samples", "warc-samples", "remote-gutenberg-lives", "remote-openstax-psychology"),
    *("remote-pmc-oa-commercial", "remote-reddit-dump", "remote-stackexchange-support", "remote-wikipedia-biographies"),
]


@pytest.mark.parametrize("name", OURS)
def test_card(name):
    card = load_card(CARDS_DIR / f"{name}.yaml")
    assert card.make_reader.name == card.reader.name
    assert card.citation
    assert "http" in card.takedown
    assert card.license.url
    assert card.license.note or card.license.id in ("MIT", "BSD-3-Clause")


@pytest.mark.parametrize(
    "name", ["openstax-psychology", "openstax-sociology", "openstax-philosophy", "remote-openstax-psychology"]
)
def test_openstax_is_pinned(name):
    card = load_card(CARDS_DIR / f"{name}.yaml")
    assert card.license.id == "CC-BY-4.0"
    commit = card.license.url.split("/blob/")[1].split("/")[0]
    assert len(commit) == 40
    assert commit in card.citation


@pytest.mark.parametrize(
    "name",
    [
        "brief-cbt",
        "stackexchange-3dprinting-meta",
        "jats-samples",
        "warc-samples",
        "webvtt-samples",
        "remote-reddit-dump",
    ],
)
def test_what_must_not_be_published_is_refused(name):
    assert load_cards()[name].refusal("publish")
    assert load_cards()[name].refusal("research") is None


def test_remote_files_of_one_name_stay_apart():
    memory = fsspec.filesystem("memory")
    for number in (1, 2):
        memory.pipe(f"/shelf/m{number}/index.cnxml", f"module {number}".encode())
    fields = load_cards()["remote-openstax-psychology"].model_dump(exclude={"where"}, exclude_unset=True)
    refs = resolve(Card(**fields, where={"url": "memory://shelf/*/index.cnxml"}))
    assert [ref.name for ref in refs] == ["m1/index.cnxml", "m2/index.cnxml"]
    assert [open_binary(ref).read() for ref in refs] == [b"module 1", b"module 2"]
