"""Excerpts of every corpus a card names: the unlabelled texts that teachers label and annotators read.

Each is read the way a mix reads it (the card's own reader, a dialogue rendered with its roles), cut to the length of an
annotated text, and chosen by hash, so the choice does not move when a corpus grows. Nothing is written: a label refers
to its text by :func:`text_key`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sources.card import Card, load_cards
from sources.document import Bad, Record, spoken
from sources.errors import UserError
from sources.files import resolve

#: Longest excerpt, characters: as long as an annotated text.
EXCERPT = 1100
#: Shortest, characters.
SHORTEST = 15

#: Most records of a corpus that are looked at, and most pieces of one record.
RECORDS = 20_000
PIECES = 400


def text_key(text: str) -> str:
    """What a label without its text is filed under: 16 hex digits of the text without regard to white space."""
    return hashlib.blake2b(" ".join(text.split()).encode("utf-8", "replace"), digest_size=8).hexdigest()


def rank(*key: object) -> int:
    """A number that orders texts at random, always the same way for the same key."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def local_cards() -> Iterator[Card]:
    """The shipped cards of English corpora whose files lie under ``WELLMIX_DATA``."""
    for card in load_cards().values():
        if card.where.path is not None and card.where.root != "sample" and card.language[0] == "en":
            yield card


def excerpts(card: Card, quota: int, seed: int = 0) -> list[tuple[str, str]]:
    """Up to ``quota`` different excerpts of a corpus, with the name of the work or corpus each is from.

    :return: (name, text); the name is ``card`` or, for books, ``card:file``.
    :raises UserError: when the corpus is not there.
    """
    found: dict[str, tuple[int, str, str]] = {}
    files = resolve(card, lambda path: "")
    for split in card.make_reader.splits(files, 64 << 20):
        for number, item in enumerate(card.make_reader.read(split)):
            if number >= RECORDS:
                break
            if isinstance(item, Bad):
                continue
            name = _name(card, item)
            for text in _pieces(item):
                if len(text) >= SHORTEST:
                    found.setdefault(text_key(text), (rank(seed, card.name, text), name, text))
    chosen = sorted(found.values())[:quota]
    return [(name, text) for _, name, text in chosen]


def every_excerpt(
    quota: int, seed: int = 0, log: Callable[[str], None] = lambda message: None
) -> list[tuple[str, str]]:
    """Excerpts of all local English corpora; one that is not there is passed over and said."""
    found: list[tuple[str, str]] = []
    for card in local_cards():
        try:
            found += excerpts(card, quota, seed)
        except UserError:
            log(f"{card.name} is not there and is passed over")
    return found


def _name(card: Card, record: Record) -> str:
    """Books of one card are works of their own: evaluation may hold out one of them."""
    if card.name.startswith(("standardebooks", "gutenberg")):
        parts = record.origin.split("#")[0].split("/")
        if card.family == "general":
            return f"{card.name}:{Path(parts[-1]).stem}"
        return f"{card.name.split('-')[0]}:{parts[2].split('_')[-1] if parts[1] == 'standardebooks' else parts[2]}"
    return card.name


def _pieces(record: Record) -> Iterator[str]:
    """A record as excerpts; a thread or dialogue is cut between its turns."""
    if record.turns:
        texts = [turn.text.strip() for turn in record.turns]
        lines = texts if len(texts) == 1 else [spoken(turn.role, turn.text.strip()) for turn in record.turns]
    else:
        lines = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", record.text)]
    page: list[str] = []
    size = pieces = 0
    for line in filter(None, lines):
        if size and size + len(line) > EXCERPT:
            yield "\n".join(page)[:EXCERPT]
            page, size, pieces = [], 0, pieces + 1
            if pieces >= PIECES:
                return
        page.append(line)
        size += len(line) + 1
    if page and (size > 200 or not pieces):
        yield "\n".join(page)[:EXCERPT]
