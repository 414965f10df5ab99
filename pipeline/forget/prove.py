"""The proof: everything that was made is gone through, value by value, for what is forgotten.

Looked for are ids of forgotten documents, as hex digits anywhere and as 64-bit numbers; hashes of forgotten authors, in every source;
copies of forgotten texts in every text there is, decoded from tokens where need be; and, given at the time and never stored, handles and
texts as they were written. What is found is named by its place and its tombstone, never quoted.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.authors import Keyring, author_of
from pipeline.forget.pieces import Piece, blocks, pieces
from pipeline.forget.record import prepared
from pipeline.forget.texts import Sketch, TextIndex, hash_table, holds, sketches
from pipeline.forget.tombstones import AuthorTombstone, IdTombstone, TextTombstone, Tombstone
from pipeline.store import Store
from pipeline.words import utf8
from sources.card import find_cards
from sources.files import Broken, open_binary
from sources.readers.base import FileRef

#: Traces that are listed; all are counted.
LISTED = 1_000


@dataclass(frozen=True)
class Trace:
    """A place where something forgotten still stands.

    :param what: id, author, text or handle.
    :param tombstone: its id, or where in the command the needle was given.
    :param times: at this place.
    """

    file: str
    place: str
    what: str
    tombstone: str
    times: int = 1


@dataclass
class Proof:
    """What was looked at, and what was found.

    :param needles: how many of each kind were looked for.
    :param rows: records, documents and lines.
    :param unread: files that could not be read as what they are, and were looked at as bytes only.
    """

    needles: dict[str, int]
    files: int = 0
    bytes: int = 0
    rows: int = 0
    seconds: float = 0.0
    traces: list[Trace] = field(default_factory=list)
    found: int = 0
    unread: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The object ``--json`` prints."""
        return {
            "traces": self.found,
            "files": self.files,
            "documents": self.rows,
            "bytes": self.bytes,
            "needles": self.needles,
            "unread": self.unread,
            "seconds": round(self.seconds, 3),
            "places": [vars(trace) for trace in self.traces],
        }


class Needles:
    """What is looked for.

    :param handles, texts: given for this proof.
    :param sources: names of all sources that an author may be in.
    """

    def __init__(
        self,
        tombstones: Iterable[Tombstone],
        ring: Keyring,
        *,
        handles: Sequence[str] = (),
        texts: Sequence[str] = (),
        sources: Iterable[str] = (),
    ) -> None:
        sources = list(sources)
        hexes: dict[int, tuple[str, str]] = {}
        self._uids: dict[int, str] = {}
        known: dict[str, tuple[list[Sketch], list[str]]] = {}

        def add(value: str, what: str, name: str) -> None:
            hexes[int(value[:16], 16)] = (what, name)

        for one in tombstones:
            match one:
                case IdTombstone():
                    for value in one.ids:
                        add(value, "id", one.of or one.id)
                        self._uids[int(value[:16], 16)] = one.of or one.id
                case AuthorTombstone():
                    for value in one.hashes.values():
                        add(value, "author", one.id)
                        if one.source is None:
                            for source in sources:
                                add(author_of(value, source), "author", one.id)
                case TextTombstone():
                    group = known.setdefault(one.key, ([], []))
                    group[0].append(Sketch.decoded(one.words, one.shingles, one.sketch))
                    group[1].append(one.of or one.id)
        self._raw: list[tuple[re.Pattern[bytes], str, str]] = []
        for n, handle in enumerate(handles, 1):
            for key in ring:
                add(key.person(handle), "author", f"--handle {n}")
                for source in sources:
                    add(key.author(handle, source), "author", f"--handle {n}")
            word = re.escape(handle.strip().encode())
            self._raw.append((re.compile(rb"(?<![\w-])" + word + rb"(?![\w-])"), "handle", f"--handle {n}"))
        group = known.setdefault(ring.current.id, ([], []))
        for n, text in enumerate(texts, 1):
            self._raw.append((re.compile(re.escape(text.strip().encode())), "text", f"--text {n}"))
        for n, sketch in enumerate(sketches(prepared(list(texts)), ring.current) if texts else [], 1):
            if sketch is not None:
                group[0].append(sketch)
                group[1].append(f"--text {n}")
        self._texts = [(TextIndex(ring.get(key), group[0]), group[1]) for key, group in known.items() if group[0]]
        self._hexes = hexes
        self._table, self._mask = hash_table(np.array(sorted(hexes), np.uint64))
        self._uid_table, self._uid_mask = hash_table(np.array(sorted(self._uids), np.uint64))
        self.counts = {
            "ids": len(self._uids),
            "author_hashes": len(hexes) - len(self._uids),
            "texts": sum(len(names) for _, names in self._texts),
            "raw": len(self._raw),
        }

    def in_bytes(self, data: bytes | npt.NDArray[np.uint8]) -> Counter[tuple[str, str]]:
        """(what, tombstone) -> times, of hashes in hex digits and of needles as they were written."""
        array = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        found: Counter[tuple[str, str]] = Counter()
        if self._hexes:
            for value in _hex_windows(array, self._table, self._mask).tolist():
                found[self._hexes[value]] += 1
        if self._raw:
            whole = bytes(data)
            for pattern, what, name in self._raw:
                if n := sum(1 for _ in pattern.finditer(whole)):
                    found[what, name] += n
        return found

    def in_piece(self, piece: Piece) -> Counter[tuple[str, str]]:
        """The same of values, with copies of texts and ids that are numbers."""
        found: Counter[tuple[str, str]] = Counter()
        if piece.numbers is not None and self._uids:
            for value in _members(piece.numbers, self._uid_table, self._uid_mask).tolist():
                found["id", self._uids[value]] += 1
        if piece.strings is not None and len(piece.strings):
            data, offsets = utf8(piece.strings)
            found += self.in_bytes(data[offsets[0] : offsets[-1]])
            for index, names in self._texts:
                for _, number in index.match(piece.strings):
                    found["text", names[number]] += 1
        return found


@njit(cache=True, nogil=True)
def _hex_windows(data, table, mask):
    """Every run of 16 hex digits, also inside a longer one, whose value is in the table."""
    found = []
    value, run = np.uint64(0), 0
    for i in range(len(data)):
        c = data[i]
        if 0x30 <= c <= 0x39:
            digit = c - 0x30
        elif 0x61 <= c <= 0x66 or 0x41 <= c <= 0x46:
            digit = (c | 0x20) - 0x57
        else:
            run = 0
            continue
        value = (value << np.uint64(4)) | np.uint64(digit)
        run += 1
        if run >= 16 and holds(table, mask, value):
            found.append(value)
    out = np.empty(len(found), np.uint64)
    for i in range(len(found)):
        out[i] = found[i]
    return out


@njit(cache=True, nogil=True)
def _members(values, table, mask):
    inside = np.empty(len(values), np.bool_)
    for i in range(len(values)):
        inside[i] = holds(table, mask, values[i])
    return values[inside]


def prove(
    store_root: Path,
    folders: Sequence[Path],
    tombstones: Iterable[Tombstone],
    ring: Keyring,
    *,
    handles: Sequence[str] = (),
    texts: Sequence[str] = (),
) -> Proof:
    """Look for traces in a store and in some folders.

    :param folders: or files.
    :param handles, texts: also looked for; neither is written anywhere.
    """
    started = monotonic()
    sources = set(find_cards())
    if store_root.is_dir():
        sources |= {meta["source"] for _, _, meta in Store(store_root).artifacts("documents")}
    needles = Needles(tombstones, ring, handles=handles, texts=texts, sources=sorted(sources))
    proof = Proof(needles.counts)
    paths = _files([*([store_root] if store_root.is_dir() else []), *folders])
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        for path, (found, rows, unread) in zip(paths, pool.map(lambda path: _look(path, needles), paths), strict=True):
            proof.files += 1
            proof.rows += rows
            proof.bytes += path.stat().st_size
            proof.unread += [str(path)] if unread else []
            for (place, what, name), times in found.items():
                proof.found += times
                if len(proof.traces) < LISTED:
                    proof.traces.append(Trace(str(path), place, what, name, times))
    proof.seconds = monotonic() - started
    return proof


def _files(roots: Sequence[Path]) -> list[Path]:
    """All files, each once; but for the tombstones that a run reads, which are what is looked for."""
    found: dict[tuple[int, int], Path] = {}
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and not path.is_symlink() and path.name != "tombstones.jsonl":
                stat = path.stat()
                found.setdefault((stat.st_dev, stat.st_ino), path)
    return list(found.values())


def _look(path: Path, needles: Needles) -> tuple[Counter[tuple[str, str, str]], int, bool]:
    found: Counter[tuple[str, str, str]] = Counter()
    rows, read, unread = 0, False, False
    try:
        for piece in pieces(path):
            read = True
            rows += piece.rows
            for (what, name), times in needles.in_piece(piece).items():
                found[piece.place, what, name] += times
    except Exception:  # whatever a broken file makes its reader raise: it is looked at as bytes, and told of
        unread = True
    as_text = unread or not read
    # what the values showed is not told of again
    known = {(what, name) for _, what, name in found}

    def in_blocks(file: BinaryIO) -> None:
        for at, block in blocks(file):
            told = needles.in_bytes(block)
            if as_text:
                # pages, logs, tables of any kind: the block is looked at as one text, and so are its lines
                text = block.decode("utf-8", "replace")
                if path.suffix in (".html", ".htm", ".xml", ".svg"):
                    text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
                for strings in ([text], text.splitlines()):
                    values = needles.in_piece(Piece("", pa.array(strings, pa.large_string())))
                    told += Counter({key: times for key, times in values.items() if key[0] == "text"})
            for (what, name), times in told.items():
                if (what, name) not in known:
                    found[f"byte {at:,} and on", what, name] += times

    try:
        with open_binary(FileRef(str(path), path.name, 0, "")) as file:
            in_blocks(file)
    except Broken:
        # as far as it unpacks it was looked at; now all of it, as it lies
        unread = True
        with path.open("rb") as file:
            in_blocks(file)
    return found, rows, unread
