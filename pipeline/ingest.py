"""Ingest: raw records in, clean and de-identified documents out. Nothing identifying is written.

(Readers that must join distant records spool them, raw, into the store's ``tmp`` while they run; it is swept even after a kill.)

One task reads one split of one source and writes one artifact: ``documents.parquet`` (:data:`sources.document.SCHEMA`),
``quarantine.parquet`` (locator and reason of each record that could not be read, never its text) and the counts for the ledger.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.language import LanguageId
from pipeline.authors import AuthorKey, current_key
from pipeline.clean import CLEAN_VERSION, clean
from pipeline.deidentify import DEIDENTIFY_VERSION, Deidentifier
from pipeline.forget.match import Dropped, Matcher, forgotten_key
from pipeline.names import NAMES_VERSION, PRIVATE_FAMILIES, NameFinder
from pipeline.recipe import Ingest
from pipeline.store import Store, make_key, split_key
from pipeline.tables import read
from sources.card import Card
from sources.document import SCHEMA, Bad, Record, document_id, spoken
from sources.files import check_unchanged
from sources.readers.base import FileRef, Split

INGEST_VERSION = 4

#: Records are processed together until they reach one of these.
BATCH_RECORDS = 2_000
BATCH_CHARS = 4_000_000

#: A detected language overrules the card's only if the model is this sure and the text this long: short texts fool it.
LANGUAGE_SURE = 0.65
LANGUAGE_MIN_CHARS = 60

QUARANTINE_SCHEMA = pa.schema([("origin", pa.string()), ("reason", pa.string()), ("detail", pa.string())])


def ingest_key(card: Card, split: Split, settings: Ingest) -> str:
    """Key of the documents made from one split where nothing of it is forgotten; :func:`documents_key` is where they lie."""
    return make_key(
        "ingest",
        INGEST_VERSION,
        clean=CLEAN_VERSION,
        deidentify=DEIDENTIFY_VERSION,
        language=language_id().version,
        author_key=current_key().id,
        reader=[card.reader.name, card.make_reader.version, card.reader.options],
        card=[card.name, card.family, card.license.id, card.language, card.names, card.consent.basis],
        files=[split_key(file) for file in split.files],
        range=[split.start, split.stop],
        max_chars=settings.max_chars,
        names=NAMES_VERSION if _finds_names(card, settings) else None,
    )


def _finds_names(card: Card, settings: Ingest) -> bool:
    return settings.names and card.names == "private" and card.family in PRIVATE_FAMILIES


@lru_cache(maxsize=1)
def language_id() -> LanguageId:
    """The language model of this process."""
    return LanguageId()


#: In published works these are letterheads, historic places and decorators in code, not private data.
PUBLISHED_KEEP = frozenset({"ADDRESS", "USER"})


@lru_cache(maxsize=4)
def _deidentifier(published: bool, keep_names: bool, find_names: bool) -> Deidentifier:
    return Deidentifier(
        keep_names=keep_names,
        ner=NameFinder() if find_names else None,
        skip=PUBLISHED_KEEP if published and keep_names else frozenset(),
    )


def run_ingest(
    store: Store, card: Card, split: Split, settings: Ingest, base: str, forgotten: Matcher | None = None
) -> str:
    """Ingest one split and commit its artifact.

    :param base: :func:`ingest_key` of the split.
    :param forgotten: what may not come in.
    :returns: key of the documents: ``base``, or another if some of them are forgotten; ``forgotten/<base>`` then points there.
    """
    with store.scratch(f"documents-{base[:8]}") as folder:
        writer = _Writer(folder, card, settings, forgotten)
        for item in card.make_reader.read(split):
            writer.add(item)
        # the key says what was fingerprinted when the run began
        check_unchanged(split.files)
        meta = writer.close()
        key = forgotten_key(base, writer.dropped)
        store.commit(folder, "documents", key, meta | forgotten_facts(base, writer.dropped))
    if writer.dropped.rows:
        store.point("forgotten", base, {"documents": key, "by": dict(writer.dropped.by)})
    return key


def forgotten_facts(base: str, dropped: Dropped) -> dict[str, Any]:
    """What the meta of documents says of those that are not there."""
    return {"inputs": []} | ({"base": base, "forgotten": dropped.facts()} if dropped.rows else {})


def documents_key(store: Store, base: str) -> str:
    """Where the documents of a split lie: under their own key, or where its pointer says, if some of them are forgotten.

    :param base: :func:`ingest_key` of the split.
    """
    return store.meta("forgotten", base)["documents"] if store.has("forgotten", base) else base


def quarantined(store: Store, key: str) -> list[dict[str, str]]:
    """``origin``, ``reason`` and ``detail`` of each record of a shard that could not be read."""
    return read(store.path("documents", key) / "quarantine.parquet").to_pylist()


def documents_writer(path: Path) -> pq.ParquetWriter:
    """Writes documents as row groups: one a batch of records."""
    return pq.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=["source", "kind", "language", "license"],
        write_statistics=False,
    )


class _Writer:
    """Collects records into batches, processes each batch and appends it as row groups."""

    def __init__(self, folder: Path, card: Card, settings: Ingest, forgotten: Matcher | None = None) -> None:
        self.card, self.settings = card, settings
        self.dropped = Dropped()
        self.ledger: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.redactions: Counter[str] = Counter()
        self._records: list[Record] = []
        self._chars = 0
        self._bad: list[Bad] = []
        self._keys: set[str] = set()
        self._documents = documents_writer(folder / "documents.parquet")
        self._quarantine = folder / "quarantine.parquet"
        self._author_key: AuthorKey = current_key()
        self._forgotten = forgotten
        self._authors = forgotten.authors(card.name, self._author_key.id) if forgotten else {}
        # Names are left where the card says so (published authors), whatever the recipe wants elsewhere.
        self._deidentifier = _deidentifier(
            card.consent.basis in ("published", "public_domain"), card.names == "keep", _finds_names(card, settings)
        )

    def add(self, item: Record | Bad) -> None:
        """Take one item of the reader."""
        self.ledger["records_in"] += 1
        if isinstance(item, Bad):
            self._bad.append(item)
            self.quarantined[item.reason] += 1
            return
        if item.key in self._keys:
            self._bad.append(Bad(item.origin, "repeated_key", "another record of this file has the same native key"))
            self.quarantined["repeated_key"] += 1
            return
        self._keys.add(item.key)
        self._records.append(item)
        size = len(item.text) if not item.turns else sum(len(turn.text) for turn in item.turns)
        self._chars += size
        self.ledger["chars_in"] += size
        if len(self._records) >= BATCH_RECORDS or self._chars >= BATCH_CHARS:
            self._flush()

    def close(self) -> dict[str, Any]:
        """Write what is left.

        :returns: the counts for the ledger.
        """
        self._flush()
        self._documents.close()
        lost = {"empty": self.ledger["empty"], "forgotten": self.dropped.rows}
        bad = [{"origin": b.origin, "reason": b.reason, "detail": b.detail} for b in self._bad]
        pq.write_table(pa.Table.from_pylist(bad, schema=QUARANTINE_SCHEMA), self._quarantine)
        return {
            "source": self.card.name,
            "author_key": self._author_key.id,
            "records_in": self.ledger["records_in"],
            "chars_in": self.ledger["chars_in"],
            "split_off": self.ledger["split_off"],
            "documents": self.ledger["documents"],
            "chars_out": self.ledger["chars_out"],
            "cleaned": self.ledger["cleaned"],
            "deidentified": self.ledger["deidentified"],
            "redactions": dict(self.redactions),
            "dropped": {reason: n for reason, n in lost.items() if n},
            "quarantined": dict(self.quarantined),
        }

    def _flush(self) -> None:
        if not self._records:
            return
        records, self._records, self._chars = self._records, [], 0
        flat: list[str] = []
        groups: list[int] = []
        known: list[list[str]] = []
        for i, record in enumerate(records):
            parts = [turn.text for turn in record.turns] if record.turns else [record.text]
            flat += parts
            groups += [i] * len(parts)
            handles = [record.author, *(turn.author for turn in record.turns or [])]
            known.append([handle for handle in handles if handle])
        raw = pa.array(flat, pa.string())
        texts = clean(raw, self.card.family)
        # What readers leave in labels and extra (titles, links, notes) is people's text too, numbered as the document's.
        leaves = [(i, *leaf) for i, record in enumerate(records) for leaf in _free_text(record)]
        everything = pa.concat_arrays([texts, pa.array([holder[at] for _, holder, at in leaves], pa.string())])
        masked, found = self._deidentifier.deidentify(
            everything, np.asarray(groups + [i for i, _, _ in leaves], np.int64), known
        )
        self._count(groups, raw, texts, masked.slice(0, len(texts)), found)

        pieces = masked.to_pylist()
        for (_, holder, key), value in zip(leaves, pieces[len(texts) :], strict=True):
            holder[key] = value
        rows: list[dict[str, Any]] = []
        at = 0
        for record in records:
            n = len(record.turns) if record.turns else 1
            turns, text = self._render(record, pieces[at : at + n])
            at += n
            if not text:
                self.ledger["empty"] += 1
                continue
            rows += self._rows(record, text, turns)
        if not rows:
            return
        languages = self._languages(pa.array([row["text"] for row in rows], pa.string()))
        for row, language in zip(rows, languages, strict=True):
            row["language"] = language
        documents = pa.Table.from_pylist(rows, schema=SCHEMA)
        if self._forgotten is not None:
            documents = self._remembered(documents, {handle for handles in known for handle in handles})
        self.ledger["documents"] += len(documents)
        self.ledger["chars_out"] += pc.sum(pc.utf8_length(documents["text"])).as_py() or 0
        if len(documents):
            self._documents.write_table(documents)

    def _remembered(self, documents: pa.Table, handles: set[str]) -> pa.Table:
        """The rows that no tombstone matches. Cleaning and redactions of the others stay counted: they were read."""
        assert self._forgotten is not None
        authors = {name: set(ids) for name, ids in self._authors.items()}
        for name, ids in self._forgotten.aliases(handles, self.card.name).items():
            authors.setdefault(name, set()).update(ids)
        mask, by = self._forgotten.match(documents, authors)
        if not mask.any():
            return documents
        self.dropped.add(documents["id"].filter(pa.array(mask)).to_pylist(), by)
        return documents.filter(pa.array(~mask))

    def _count(
        self,
        groups: list[int],
        raw: pa.Array,
        cleaned: pa.Array,
        masked: pa.Array,
        found: pa.RecordBatch,
    ) -> None:
        # per document, not per turn: a document counts once however many of its turns changed
        group = np.asarray(groups)
        for name, before, after in (("cleaned", raw, cleaned), ("deidentified", cleaned, masked)):
            changed = pc.fill_null(pc.not_equal(before, after), False).to_numpy(zero_copy_only=False)
            self.ledger[name] += len(np.unique(group[changed]))
        for column in found.schema.names:
            if n := pc.sum(found[column]).as_py():
                self.redactions[column] += n

    def _render(self, record: Record, pieces: list[str | None]) -> tuple[list[dict[str, Any]] | None, str]:
        if not record.turns:
            return None, (pieces[0] or "").strip()
        turns = [
            {
                "role": turn.role,
                "text": piece.strip(),
                "author": self._author_key.author(turn.author, self.card.name) if turn.author else None,
                "labels": _json(turn.labels),
            }
            for turn, piece in zip(record.turns, pieces, strict=True)
            if piece and piece.strip()
        ]
        return turns, render_turns(turns)

    def _rows(self, record: Record, text: str, turns: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
        parts = list(cut(text, self.settings.max_chars))
        self.ledger["split_off"] += len(parts) - 1
        for part, piece in enumerate(parts):
            yield {
                "id": document_id(self.card.name, record.key, part),
                "text": piece,
                "source": self.card.name,
                "kind": self.card.family,
                "license": self.card.license.id,
                "origin": record.origin if len(parts) == 1 else f"{record.origin}&part={part + 1}/{len(parts)}",
                "author": self._author_key.author(record.author, self.card.name) if record.author else None,
                "created": record.created.replace(tzinfo=record.created.tzinfo or UTC)
                if isinstance(record.created, datetime)
                else None,
                # the turns of a dialogue that was cut stay with its first piece
                "turns": turns if part == 0 else None,
                "extra": _json(record.extra) if part == 0 else None,
            }

    def _languages(self, texts: pa.Array) -> list[str]:
        codes, probabilities = language_id().detect(texts)
        expected = self.card.language
        lengths = pc.utf8_length(texts).to_numpy()
        return [
            code if code in expected or (probability >= LANGUAGE_SURE and length >= LANGUAGE_MIN_CHARS) else expected[0]
            for code, probability, length in zip(codes, probabilities, lengths, strict=True)
        ]


def _json(value: dict[str, Any]) -> str | None:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str) if value else None


def _free_text(record: Record) -> Iterator[tuple[Any, Any]]:
    """(container, key) of each text in a record's labels and extra that could name a person. A single plain word cannot, unless
    it is a handle of the record's own authors.

    The containers are the record's own: what a reader shares between records is copied first.
    """
    handles = {record.author, *(turn.author for turn in record.turns or [])}
    record.extra = copy.deepcopy(record.extra)
    waiting: list[Any] = [record.extra]
    for turn in record.turns or []:
        turn.labels = copy.deepcopy(turn.labels)
        waiting.append(turn.labels)
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, dict | list):
                waiting.append(value)
            elif isinstance(value, str) and (not value.isalnum() or value in handles):
                yield holder, key


def render_turns(turns: list[dict[str, Any]]) -> str:
    """A dialogue as text: ``Role: what was said``, a blank line between turns; a single turn is just its text."""
    if len(turns) == 1:
        return turns[0]["text"]
    return "\n\n".join(spoken(turn["role"], turn["text"]) for turn in turns)


def cut(text: str, max_chars: int) -> Iterator[str]:
    """Cut a long text at paragraph ends, else line ends, else spaces, into pieces of at most ``max_chars``.

    The pieces are about equally long, so that no crumb is left at the end.
    """
    if len(text) <= max_chars:
        yield text
        return
    n = -(-len(text) // max_chars)
    start = 0
    while n > 1:
        aim = start - (start - len(text)) // n
        low, high = start + (aim - start) // 2, min(start + max_chars, len(text))
        end = next(
            (
                at + len(mark)
                for mark in ("\n\n", "\n", " ")
                # nearest boundary before the aim, or just after it where the piece may still grow
                if (at := _nearest(text, mark, low, aim, high)) >= 0
            ),
            aim,
        )
        if piece := text[start:end].strip():
            yield piece
        start = end
        n = max(n - 1, -(-(len(text) - start) // max_chars))
    if piece := text[start:].strip():
        yield piece


def _nearest(text: str, mark: str, low: int, aim: int, high: int) -> int:
    before = text.rfind(mark, low, aim)
    after = text.find(mark, aim, high - len(mark) + 1)
    if before < 0 or after < 0:
        return max(before, after)
    return before if aim - before <= after - aim else after


def split_to_json(split: Split) -> dict[str, Any]:
    """JSON form of a split, for task files."""
    return {
        "files": [
            {"url": f.url, "name": f.name, "size": f.size, "fingerprint": f.fingerprint, "stamp": f.stamp}
            for f in split.files
        ],
        "start": split.start,
        "stop": split.stop,
    }


def split_from_json(raw: dict[str, Any]) -> Split:
    """Inverse of :func:`split_to_json`."""
    files = (FileRef(**file | {"stamp": file["stamp"] and tuple(file["stamp"])}) for file in raw["files"])
    return Split(tuple(files), raw["start"], raw["stop"])
