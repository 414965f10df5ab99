"""Reading whatever a run writes, as strings and numbers: Parquet, Arrow, JSON, token files, arrays, and any other file as bytes.

A piece is a column of a row group, a block of lines, the decoded documents of a token file. No more than a few of them are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.formats.reading import TokenFile, is_token_file, tokenizer_of
from pipeline.tokens import decoded
from sources.files import open_binary
from sources.readers.base import FileRef

#: Bytes of a file of no known format, and lines of JSON, that are looked at together; blocks of bytes overlap.
_BLOCK = 1 << 24
_LINES = 5_000
_OVERLAP = 1 << 14
#: Documents decoded together.
_DOCUMENTS = 5_000


@dataclass(frozen=True)
class Piece:
    """Some values of a file.

    :param place: where in the file, for a person to find.
    :param strings: large or small string array, or None.
    :param numbers: 64-bit integers, or None.
    :param rows: records that the piece is the first of to show.
    """

    place: str
    strings: pa.Array | None = None
    numbers: npt.NDArray[np.uint64] | None = None
    rows: int = 0


def pieces(path: Path) -> Iterator[Piece]:
    """All values of a file.

    :raises ValueError: it is not what its name says, or nothing says with which tokenizer its ids were made.
    :raises Broken: its compressed stream breaks.
    """
    names = path.name.removesuffix(".gz").removesuffix(".zst")
    suffix = Path(names).suffix
    if suffix == ".parquet":
        yield from _parquet(path)
    elif suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            for n in range(reader.num_record_batches):
                yield from _columns(pa.Table.from_batches([reader.get_batch(n)]), f"batch {n}")
    elif suffix in (".jsonl", ".json"):
        yield from _json(path, lines=suffix == ".jsonl")
    elif suffix == ".npy" and path.with_name("lengths.npy").is_file() and path.name == "ids.npy":
        lengths = np.load(path.with_name("lengths.npy"), allow_pickle=False)
        yield from _decoded(np.load(path, mmap_mode="r", allow_pickle=False), lengths)
    elif suffix == ".npy" and path.with_name("starts.npy").is_file() and path.name == "ids.npy":
        lengths = np.diff(np.load(path.with_name("starts.npy"), allow_pickle=False))
        yield from _decoded(np.load(path, mmap_mode="r", allow_pickle=False), lengths)
    elif suffix in (".npy", ".npz"):
        yield from _arrays(path)
    elif is_token_file(path):
        yield from _token_file(path)


def blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file: offset and content, each block with the end of the one before."""
    before, at = b"", 0
    while block := file.read(_BLOCK):
        yield at - len(before), before + block
        at += len(block)
        before = block[-_OVERLAP:]


def _parquet(path: Path) -> Iterator[Piece]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            for start, table in _batches(file, group):
                yield from _columns(table, f"row group {group}, from row {start}")
            yield Piece(f"row group {group}", rows=rows)


def _batches(file: pq.ParquetFile, group: int) -> Iterator[tuple[int, pa.Table]]:
    at = 0
    for batch in file.iter_batches(batch_size=20_000, row_groups=[group], use_threads=False):
        yield at, pa.Table.from_batches([batch])
        at += batch.num_rows


def _columns(table: pa.Table, place: str) -> Iterator[Piece]:
    for name, column in zip(table.column_names, table.columns, strict=True):
        for chunk in column.chunks:
            for inner, array in _flat(name, chunk):
                yield _piece(f"{place}, {inner}", array)


def _flat(name: str, array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """Strings and 64-bit integers of a column, however nested."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _flat(name, array.dictionary)
    elif pa.types.is_struct(kind):
        for i, field in enumerate(kind):
            yield from _flat(f"{name}.{field.name}", array.flatten()[i])
    elif (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_map(kind)
    ):
        yield from _flat(name, array.flatten() if not pa.types.is_map(kind) else array.items)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind in (pa.uint64(), pa.int64()):
        yield name, array


def _piece(place: str, array: pa.Array) -> Piece:
    if pa.types.is_integer(array.type):
        return Piece(place, numbers=array.drop_null().to_numpy(zero_copy_only=False).view(np.uint64))
    return Piece(place, strings=array)


def _json(path: Path, lines: bool) -> Iterator[Piece]:
    with open_binary(FileRef(str(path), path.name, 0, "")) as file:
        if not lines:
            yield _values([file.read()], "")
            return
        held: list[bytes] = []
        first = 1
        for number, line in enumerate(file, 1):
            held.append(line)
            if len(held) == _LINES:
                yield _values(held, f"from line {first}")
                held, first = [], number + 1
        if held:
            yield _values(held, f"from line {first}")


def _values(lines: list[bytes], place: str) -> Piece:
    strings: list[str] = []
    numbers: list[int] = []
    for line in lines:
        if line.strip():
            _walk(orjson.loads(line), strings, numbers)
    inside = [n for n in numbers if 0 <= n < 1 << 64]
    return Piece(place, pa.array(strings, pa.large_string()), np.array(inside, np.uint64), len(lines))


def _walk(value: Any, strings: list[str], numbers: list[int]) -> None:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            strings.append(one)
        elif isinstance(one, dict):
            strings += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, int):
            numbers.append(one)


def _arrays(path: Path) -> Iterator[Piece]:
    loaded = (
        np.load(path, mmap_mode="r", allow_pickle=False) if path.suffix == ".npy" else np.load(path, allow_pickle=False)
    )
    for name, array in [("", loaded)] if path.suffix == ".npy" else loaded.items():
        if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
            yield Piece(name, numbers=np.ascontiguousarray(array).reshape(-1).view(np.uint64))
        elif array.dtype.kind in "U":
            yield Piece(name, pa.array(array.reshape(-1).tolist(), pa.large_string()))


#: The vocabularies of proxies are the first ranks of this one (:class:`pipeline.tokens.SmallTokenizer`).
_SMALL = "cl100k_base"


def _token_file(path: Path) -> Iterator[Piece]:
    """Decoded documents of a Megatron, datatrove or MDS file, and their ids where it has them."""
    file, tokenizer = TokenFile(path), tokenizer_of(path)
    if tokenizer is None:
        raise ValueError("no manifest says with which tokenizer these ids were made")
    for rows in _groups(len(file)):
        batch = file.read(rows)
        if batch.labels:
            yield Piece("ids", pa.array(batch.labels, pa.large_string()))
        yield _documents(batch.ids, batch.lengths, tokenizer, rows)


def _decoded(ids: npt.NDArray[Any], lengths: npt.NDArray[np.int64]) -> Iterator[Piece]:
    """Decoded documents of a proxy's tokens."""
    ends = np.cumsum(lengths)
    for rows in _groups(len(lengths)):
        part = np.asarray(ids[int(ends[rows[0]] - lengths[rows[0]]) : int(ends[rows[-1]])]).astype(np.int64)
        yield _documents(part, lengths[rows], _SMALL, rows)


def _groups(count: int) -> Iterator[npt.NDArray[np.int64]]:
    """Numbers of documents that are decoded together."""
    for first in range(0, count, _DOCUMENTS):
        yield np.arange(first, min(first + _DOCUMENTS, count))


def _documents(
    ids: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], tokenizer: str, rows: npt.NDArray[np.int64]
) -> Piece:
    texts = decoded(ids, lengths, tokenizer).view(pa.large_string())
    return Piece(f"documents from {rows[0]}", texts, rows=len(rows))
