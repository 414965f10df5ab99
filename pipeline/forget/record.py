"""From a request to tombstones: who or what is meant, and how its copies are recognised.

A person or document is looked up in the store, and what is found there is remembered with it: the ids of the documents (a later dump may
hold them under no name or another one) and sketches of the texts (so that a copy is known in any source). Only what the person wrote is
sketched of a thread they took part in: the others' words are not theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.authors import AuthorKey, Keyring
from pipeline.clean import clean
from pipeline.deidentify import Deidentifier
from pipeline.forget.match import COLUMNS, whole_records
from pipeline.forget.shared import own_sketches
from pipeline.forget.texts import LEAST_WORDS, Sketch, sketches
from pipeline.forget.tombstones import TextTombstone, Tombstone, tombstone
from pipeline.store import Store
from pipeline.tables import opened
from sources.errors import UserError
from sources.files import open_named


@dataclass
class Recorded:
    """Tombstones of a request.

    :param main: what was asked for.
    :param tied: ids and sketches recorded with it.
    :param documents: in the store now.
    :param shared: texts of the request that stay where others posted them, too.
    """

    main: list[Tombstone]
    tied: list[Tombstone] = field(default_factory=list)
    documents: int = 0
    shared: int = 0


def record_author(
    store: Store | None, handle: str, source: str | None, ring: Keyring, date: str, reason: str
) -> Recorded:
    """Tombstones of a person.

    :param store: is looked through for what is theirs.
    :param handle: raw, as the corpus has it.
    :param source: forget them there only.
    """
    if not handle.strip():
        raise UserError("no handle was given", where="--author")
    hashes = {key.id: key.author(handle, source) if source else key.person(handle) for key in ring}
    main = tombstone("author", date, reason, source=source, hashes=hashes)
    made = Recorded([main])
    if store is None:
        return made
    ids: set[str] = set()
    texts: list[str] = []
    for _, key, meta in store.artifacts("documents"):
        if (source not in (None, meta["source"])) or meta.get("author_key") not in ring:
            continue
        author = ring.get(meta["author_key"]).author(handle, meta["source"])
        for documents, mask in _by_author(store, key, author):
            ids.update(documents["id"].filter(pa.array(mask)).to_pylist())
            texts += _own_texts(documents.filter(pa.array(mask)), author)
    made.documents = len(ids)
    made.tied = [tombstone("id", date, reason, main.id, ids=sorted(ids))] if ids else []
    _tie_texts(made, store, texts, ids, ring.current)
    return made


def _by_author(store: Store, key: str, author: str) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Row groups of documents in which an author wrote or spoke, and which rows."""
    wanted = pa.array([author])
    with opened(store.path("documents", key) / "documents.parquet") as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=COLUMNS, use_threads=False)
            mask = np.array(pc.is_in(table["author"].combine_chunks(), wanted))
            turns = table["turns"].combine_chunks()
            speakers = pc.is_in(pc.struct_field(turns.flatten(), "author"), wanted)
            mask[pc.list_parent_indices(turns).filter(speakers).to_numpy()] = True
            if mask.any():
                yield file.read_row_group(group, use_threads=False), whole_records(mask, table["origin"])


def _own_texts(documents: pa.Table, author: str) -> Iterator[str]:
    """What an author wrote in some documents: their turns, or the whole text where no turn says who speaks."""
    for row in documents.to_pylist():
        turns = [turn for turn in row["turns"] or [] if turn["author"]]
        if turns:
            yield from (turn["text"] for turn in turns if turn["author"] == author)
        elif row["author"] == author:
            yield row["text"]


def record_ids(store: Store | None, ids: Sequence[str], ring: Keyring, date: str, reason: str) -> Recorded:
    """Tombstones of documents.

    :param ids: 32 hex digits each; one that the store does not hold is kept as it is.
    :raises UserError: something else than an id.
    """
    for name in ids:
        if len(name) != 32 or set(name) - set("0123456789abcdef"):
            raise UserError(
                "not a document id",
                where=f"--id {name}",
                fix="give all 32 hex digits, as `wellmix explain` prints them",
            )
    found: dict[str, set[str]] = {name: {name} for name in ids}
    texts: list[str] = []
    there: set[str] = set()
    wanted = pa.array(sorted(ids))
    for _, key, _ in store.artifacts("documents") if store else ():
        with opened(store.path("documents", key) / "documents.parquet") as file:  # type: ignore[union-attr]
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["id", "origin"], use_threads=False)
                mask = np.array(pc.is_in(table["id"].combine_chunks(), wanted))
                if not mask.any():
                    continue
                documents = file.read_row_group(group, use_threads=False)
                for row in np.flatnonzero(mask).tolist():
                    one = np.zeros(len(mask), np.bool_)
                    one[row] = True
                    pieces = documents.filter(pa.array(whole_records(one, table["origin"])))
                    found[table["id"][row].as_py()].update(pieces["id"].to_pylist())
                    there.update(pieces["id"].to_pylist())
                    for piece in pieces.to_pylist():
                        texts += [piece["text"], *(turn["text"] for turn in piece["turns"] or [])]
    made = Recorded([tombstone("id", date, reason, ids=sorted(set().union(*found.values())))], documents=len(there))
    if store is not None:
        _tie_texts(made, store, texts, there, ring.current)
    return made


def record_source(store: Store | None, source: str, date: str, reason: str) -> Recorded:
    """The tombstone of a source."""
    there = (
        [meta["documents"] for _, _, meta in store.artifacts("documents") if meta["source"] == source] if store else []
    )
    return Recorded([tombstone("source", date, reason, source=source)], documents=sum(there))


def record_texts(files: Sequence[Path], ring: Keyring, date: str, reason: str) -> Recorded:
    """Tombstones of texts.

    :raises UserError: a file cannot be read, holds no text, or a text is too short to be anybody's.
    """
    made = Recorded([])
    for path in files:
        texts = read_texts(path)
        for number, one in enumerate(sketches(prepared(texts), ring.current), 1):
            if one is None:
                raise UserError(
                    f"text {number} has fewer than {LEAST_WORDS} words: as many people wrote the same",
                    where=path,
                    fix="forget the document by --id",
                )
            made.main.append(_text(one, None, ring.current, date, reason))
    return made


def prepared(texts: list[str]) -> pa.Array:
    """Texts as ingest would store them, so that they can be compared with what is stored."""
    return Deidentifier().deidentify(clean(pa.array(texts, pa.string()), "general"))[0]


def read_texts(path: Path) -> list[str]:
    """The texts of a file: a line's ``text`` each where its name has ``.jsonl``, else the whole file is one.

    :raises UserError: it cannot be read, or holds none.
    """
    try:
        with open_named(path) as file:
            if ".jsonl" not in path.suffixes:
                texts = [file.read().decode("utf-8")]
            else:
                texts = []
                for number, line in enumerate(file, 1):
                    if line.strip():
                        texts.append(_text_of(line, f"{path}:{number}"))
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text", where=path, fix="save it as UTF-8") from None
    if not any(text.strip() for text in texts):
        raise UserError("the file holds no text", where=path, fix="one text, or JSON lines with a field `text`")
    return texts


def _text_of(line: bytes, where: str) -> str:
    try:
        text: Any = orjson.loads(line)["text"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise UserError("not a JSON object with a string in field 'text'", where=where)
    return text


def _tie_texts(made: Recorded, store: Store, texts: Sequence[str], documents: set[str], key: AuthorKey) -> None:
    """Add sketches of the texts of a request, as far as they are somebody's own."""
    own, made.shared = own_sketches(store, texts, documents, key)
    of = made.main[0]
    made.tied += list({one.id: one for one in (_text(one, of.id, key, of.date, of.reason) for one in own)}.values())


def _text(one: Sketch, of: str | None, key: AuthorKey, date: str, reason: str) -> TextTombstone:
    return tombstone("text", date, reason, of, key=key.id, words=one.words, shingles=one.shingles, sketch=one.encoded())
