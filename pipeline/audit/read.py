"""Whatever wellmix writes, as batches of texts with where they stand: outputs in every format, publications, reports, stores, logs.

A folder is read by what its files are, not by what a manifest says should be there: a file nobody lists can leak, too. Files of rows
(Parquet, JSON lines, token ids) are *documents*; everything else is a *by-product*: JSON by its string values, other text by its
lines, and what is neither as bytes, in which only canaries are looked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.formats.reading import TokenFile, is_token_file, tokenizer_of
from pipeline.tokens import decoded
from sources.errors import UserError
from sources.files import open_named

Layout = Literal["parquet", "jsonl", "tokens", "json", "lines", "bytes"]

#: Texts handed out at once: at most so many rows, or about so many bytes.
BATCH_ROWS = 2_000
BATCH_BYTES = 16 << 20
#: A JSON file above this size is read by its lines.
JSON_BYTES = 64 << 20
#: Bytes of a binary file looked at together, and how far the next ones reach back.
BLOCK, OVERLAP = 4 << 20, 512

BY_PRODUCTS = "by-products"


@dataclass(frozen=True)
class Part:
    """A file to audit.

    :param surface: what it belongs to: ``parquet/train``, a stage of a store, or ``by-products``.
    :param name: relative to the audited folder.
    :param tokenizer: of token ids.
    """

    surface: str
    path: Path
    name: str
    layout: Layout
    tokenizer: str | None = None


class Column(NamedTuple):
    """Texts of one column.

    :param rows: of each text, its row in the batch, ascending.
    """

    name: str
    texts: pa.Array
    rows: np.ndarray


@dataclass
class Batch:
    """Rows of a part.

    :param numbers: of each row in the part.
    :param labels: of each row: its id, or its place in a JSON file; empty where rows have none.
    :param sources: of each row, where there is such a column.
    """

    numbers: np.ndarray
    columns: list[Column] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Rows in the batch."""
        return len(self.numbers)


def parts(root: Path, tokenizer: str | None = None) -> list[Part]:
    """The files of a folder (or one file), in order of their names.

    :param tokenizer: of token ids; None: the one that the manifest above each file names.
    :raises UserError: nothing is there.
    """
    if root.is_file():
        return [_part(root, root.name, tokenizer)]
    if not root.is_dir():
        raise UserError("there is nothing to audit", where=root, fix="name an output folder, a store, or a log file")
    found = [
        _part(path, path.relative_to(root).as_posix(), tokenizer)
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    if not found:
        raise UserError("there is nothing to audit", where=root, fix="name an output folder, a store, or a log file")
    return found


def _part(path: Path, name: str, tokenizer: str | None) -> Part:
    suffixes = "".join(path.suffixes[-2:]).lower()
    deep = name.count("/") > 0
    if path.suffix == ".parquet":
        return Part(_surface(name), path, name, "parquet")
    # At the top of an output lie its lists (quarantine.jsonl), below it the rows.
    if suffixes.endswith((".jsonl", ".jsonl.zst", ".jsonl.gz")):
        return Part(_surface(name) if deep else BY_PRODUCTS, path, name, "jsonl")
    if is_token_file(path):
        return Part(_surface(name), path, name, "tokens", tokenizer or tokenizer_of(path))
    if path.suffix == ".json" and path.stat().st_size <= JSON_BYTES:
        return Part(BY_PRODUCTS, path, name, "json")
    return Part(BY_PRODUCTS, path, name, "lines" if _is_text(path) else "bytes")


def _surface(name: str) -> str:
    """``parquet/train`` of ``parquet/train/00000.parquet``; the stage of an artifact of a store (``documents/0a/0a1b.../...``)."""
    folders = name.split("/")[:-1]
    if len(folders) >= 3 and len(folders[-1]) == 32 and folders[-1].startswith(folders[-2]):
        return "/".join(folders[:-2])
    return "/".join(folders[:2]) or "rows"


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4
    return True


# --- rows ------------------------------------------------------------------------------------------------------------


def count_rows(part: Part) -> int:
    """Rows of a part of documents, without decoding them."""
    if part.layout == "parquet":
        with pq.ParquetFile(part.path) as file:
            return file.metadata.num_rows
    if part.layout == "jsonl":
        return sum(1 for _ in raw_lines(part.path))
    return len(TokenFile(part.path))


def batches(part: Part, wanted: np.ndarray | None = None) -> Iterator[Batch]:
    """The rows of a part, a bounded number at once.

    :param wanted: numbers of the rows to read, ascending; None: all.
    """
    if part.layout == "parquet":
        yield from _parquet(part, wanted)
    elif part.layout == "jsonl":
        yield from _jsonl(part, wanted)
    elif part.layout == "tokens":
        yield from _tokens(part, wanted)
    elif part.layout == "json":
        yield from _json(part)
    elif part.layout == "lines":
        yield from _text(part)


def blocks(part: Part) -> Iterator[tuple[int, str]]:
    """A file's bytes as Latin-1 text with the offset of each block; blocks overlap."""
    with part.path.open("rb") as file:
        held, at = b"", 0
        while new := file.read(BLOCK):
            yield at - len(held), (held + new).decode("latin-1")
            held, at = new[-OVERLAP:], at + len(new)


def _parquet(part: Part, wanted: np.ndarray | None) -> Iterator[Batch]:
    with pq.ParquetFile(part.path) as file:
        strings = [f.name for f in file.schema_arrow if _holds_text(f.type)]
        start = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            numbers = np.arange(start, start + rows)
            start += rows
            if wanted is not None:
                low, high = np.searchsorted(wanted, [start - rows, start])
                numbers = wanted[low:high]
            if not len(numbers):
                continue
            if not strings:
                yield Batch(numbers)
                continue
            table = file.read_row_group(group, columns=strings, use_threads=False)
            if len(numbers) < rows:
                table = table.take(pa.array(numbers - (start - rows)))
            at = 0
            for batch in table.combine_chunks().to_batches(BATCH_ROWS):
                yield _of_table(batch, numbers[at : at + batch.num_rows])
                at += batch.num_rows


def _of_table(batch: pa.RecordBatch, numbers: np.ndarray) -> Batch:
    made = Batch(numbers)
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        made.columns += _leaves(name, array, np.arange(batch.num_rows))
    names = batch.schema.names
    if "id" in names and pa.types.is_string(batch["id"].type):
        made.labels = batch["id"].fill_null("").to_pylist()
    if "source" in names and pa.types.is_string(batch["source"].type):
        made.sources = batch["source"].fill_null("").to_pylist()
    return made


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_text(kind.field(i).type) for i in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_text(kind.value_type)
    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _leaves(name: str, array: pa.Array, rows: np.ndarray) -> Iterator[Column]:
    """The string columns inside a column, whatever lists and structs are around them."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array, kind = array.dictionary_decode(), kind.value_type
    if pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            field_ = kind.field(i)
            yield from _leaves(f"{name}.{field_.name}", pc.struct_field(array, [i]), rows)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        parents = pc.list_parent_indices(array).to_numpy(zero_copy_only=False)
        yield from _leaves(name, pc.list_flatten(array), rows[parents])
    elif (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and array.null_count < len(array):
        yield Column(name, array.cast(pa.string()), rows)


def raw_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that may be compressed.

    :raises UserError: it is damaged or cut short: nobody can say what the rest of it holds.
    """
    with open_named(path) as file:
        yield from file


def _jsonl(part: Part, wanted: np.ndarray | None) -> Iterator[Batch]:
    chosen = None if wanted is None else set(wanted.tolist())
    held: list[tuple[int, bytes]] = []
    size = 0
    for number, line in enumerate(raw_lines(part.path)):
        if chosen is not None and number not in chosen:
            continue
        held.append((number, line))
        size += len(line)
        if len(held) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _of_lines(held)
            held, size = [], 0
    if held:
        yield _of_lines(held)


def _of_lines(lines: list[tuple[int, bytes]]) -> Batch:
    columns: dict[str, tuple[list[str], list[int]]] = defaultdict(lambda: ([], []))
    made = Batch(np.array([number for number, _ in lines]))
    for row, (_, line) in enumerate(lines):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = line.decode("utf-8", "replace")
        for name, text in _strings(value):
            texts, rows = columns[name]
            texts.append(text)
            rows.append(row)
        known = value if isinstance(value, dict) else {}
        made.labels.append(str(known.get("id", "")))
        made.sources.append(str(known.get("source", "")))
    made.columns = [Column(n, pa.array(texts, pa.string()), np.array(rows)) for n, (texts, rows) in columns.items()]
    return made


def _strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(path without list positions, text) of the strings in a JSON value, its keys included."""
    if isinstance(value, str):
        yield name or "line", value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{name}.{key}" if name else key)


def _json(part: Part) -> Iterator[Batch]:
    data = part.path.read_bytes()
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        yield from _text(part)
        return
    places: list[str] = []
    texts: list[str] = []
    for place, text in _places(value, ""):
        places.append(place)
        texts.append(text)
    for start in range(0, len(texts), BATCH_ROWS):
        some = texts[start : start + BATCH_ROWS]
        column = Column("value", pa.array(some, pa.string()), np.arange(len(some)))
        yield Batch(np.arange(start, start + len(some)), [column], places[start : start + BATCH_ROWS])


def _places(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """(JSON pointer, text) of every string and key of a JSON value."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _places(item, f"{place}/{i}")
    elif isinstance(value, dict):
        for i, (key, item) in enumerate(value.items()):
            # a key may itself be a leak, so a place names it by its number
            yield f"{place}/#{i}", key
            yield from _places(item, f"{place}/#{i}" if len(key) > 40 else f"{place}/{key}")


def _text(part: Part) -> Iterator[Batch]:
    held: list[str] = []
    first = size = 0
    for number, line in enumerate(raw_lines(part.path)):
        held.append(line.decode("utf-8", "replace"))
        size += len(line)
        if len(held) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield _of_text(held, first)
            held, first, size = [], number + 1, 0
    if held:
        yield _of_text(held, first)


def _of_text(lines: list[str], first: int) -> Batch:
    return Batch(
        np.arange(first, first + len(lines)), [Column("line", pa.array(lines, pa.string()), np.arange(len(lines)))]
    )


# --- token ids -------------------------------------------------------------------------------------------------------


def _tokens(part: Part, wanted: np.ndarray | None) -> Iterator[Batch]:
    if part.tokenizer is None:
        raise UserError(
            "nothing says with which tokenizer these ids were made",
            where=part.path,
            fix="audit the whole output folder, or give --tokenizer",
        )
    file = TokenFile(part.path)
    numbers = np.arange(len(file)) if wanted is None else wanted
    for start in range(0, len(numbers), BATCH_ROWS):
        some = numbers[start : start + BATCH_ROWS]
        read = file.read(some)
        texts = [
            text.decode("utf-8", "replace") for text in decoded(read.ids, read.lengths, part.tokenizer).to_pylist()
        ]
        yield Batch(
            some, [Column("tokens", pa.array(texts, pa.string()), np.arange(len(some)))], read.labels, read.sources
        )
