"""The document: the one Arrow schema every stage reads, and the records readers hand to ingest.

A reader yields :class:`Record` (a raw document, still identifying) or :class:`Bad` (a record it could not read). Ingest
cleans and de-identifies records and writes them as rows of :data:`SCHEMA`. Nothing downstream sees a ``Record``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import pyarrow as pa

Family = Literal["forum", "biography", "psychology", "transcript", "general"]
FAMILIES: tuple[str, ...] = get_args(Family)

TURN = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("author", pa.string()),
        pa.field("labels", pa.string()),
    ]
)

#: One row a document. ``id`` is 32 hex digits; ``author`` a keyed hash; ``turns[].labels`` and ``extra`` JSON objects.
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("author", pa.string()),
        pa.field("created", pa.timestamp("ms", tz="UTC")),
        pa.field("turns", pa.list_(TURN)),
        pa.field("extra", pa.string()),
    ]
)


@dataclass(slots=True)
class Turn:
    """One utterance of a dialogue or thread.

    :param role: ``seeker`` or ``supporter`` where one asks and the other helps; ``poster`` and ``commenter`` in a thread
        without such roles; ``system``, ``user`` and ``assistant`` in model chats; ``clinician``, ``patient`` and
        ``family`` in clinical talk; ``original`` and ``reframed`` for a rewritten thought; ``speaker_1`` ... otherwise.
    :param author: the raw handle, if the corpus has one. Ingest replaces it with a keyed hash.
    :param labels: what the corpus itself says of the turn (votes, strategy, empathy level, ...).
    """

    role: str
    text: str
    author: str | None = None
    labels: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """A raw document as a reader found it.

    :param key: native key, unique within the source and stable when files are added (native id, or file and row).
    :param origin: locator back to the raw record, e.g. ``labeled_10k.csv#hmid=27674`` (never a person's name).
    :param text: the prose; leave empty for a dialogue, ingest renders it from ``turns``.
    :param author: raw handle of a private author (hashed by ingest), or None.
    :param extra: native labels and metadata of the whole document; JSON-serialisable values only.
    """

    key: str
    origin: str
    text: str = ""
    author: str | None = None
    created: datetime | None = None
    turns: list[Turn] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Bad:
    """A record that could not be read; goes to quarantine.

    :param origin: locator of the record, e.g. ``posts.jsonl#line=17``.
    :param reason: short code, e.g. ``invalid_json``, ``invalid_utf8``, ``truncated``, ``missing_field``.
    :param detail: for the user; names the field or byte, never quotes the record's text.
    """

    origin: str
    reason: str
    detail: str = ""


def spoken(role: str, text: str) -> str:
    """A turn as a line of a dialogue: ``Role: what was said``."""
    return f"{role.replace('_', ' ').capitalize()}: {text}"


def document_id(source: str, key: str, part: int = 0) -> str:
    """Stable 128-bit id (32 hex digits) of a document.

    :param part: number of the piece when a long record was cut into several documents; 0 for the first or only one.
    """
    name = f"{source}\x1f{key}" if part == 0 else f"{source}\x1f{key}\x1f{part}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
