"""Parquet and Arrow IPC files, cut by row group (record batch)."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc
from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken, of_content, open_binary
from sources.readers.base import FileRef, Reader, Split, pack
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import check_columns, group_splits, read_rows
from sources.readers.streams import BLOCK, COMPRESSED, refuse_pointer, seekable

_ARROW = (".arrow", ".feather", ".ipc")
#: Starts an Arrow IPC file; without its padding it also ends it.
_MAGIC = b"ARROW1\0\0"
#: What pyarrow raises on damaged files.
_DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError, IndexError, RuntimeError)


class ParquetOptions(Fields):
    """Options of the ``parquet`` reader, beside the field mapping.

    :param batch_rows: rows held at a time.
    """

    batch_rows: int = Field(default=1024, ge=1)


class ParquetReader(Reader):
    """One row a record; only the mapped columns are read. The locator is the row's number in the file, ``part.parquet#row=17``.

    Row groups are read one after another: reading a whole dataset at once holds ever more of it in memory. They are read by the calling
    thread alone where Python opened the file (see :meth:`_native`).
    """

    name = "parquet"
    Options = ParquetOptions

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        if self.options.group:
            return group_splits(self.options.group, files, target_bytes)
        splits: list[Split] = []
        whole: list[FileRef] = []
        for file in files:
            if file.size <= target_bytes * 3 // 2 or _is_arrow(file.name):
                whole.append(file)
                continue
            splits += pack(whole, target_bytes)
            whole = []
            try:
                with pq.ParquetFile(self._open(file), pre_buffer=False) as parquet:
                    sizes = [parquet.metadata.row_group(i).total_byte_size for i in range(parquet.num_row_groups)]
            except (Broken, *_DAMAGE) as error:
                if isinstance(error, OSError) and not of_content(error):
                    raise
                whole.append(file)  # reading it will say what is wrong
                continue
            # Sizes in the footer are uncompressed; the target speaks of bytes in the file.
            share = target_bytes * sum(sizes) / max(file.size, 1)
            start, held = 0, 0
            for i, size in enumerate(sizes):
                if held and held + size > share:
                    splits.append(Split((file,), start, i))
                    start, held = i, 0
                held += size
            splits.append(Split((file,), start, None))
        return splits + pack(whole, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, lambda file: self._rows(file, split.start, split.stop))

    def _rows(self, file: FileRef, start: int, stop: int | None) -> Iterator[tuple[str, Row | Bad]]:
        number = 0
        try:
            for number, batch in self._arrow(file) if _is_arrow(file.name) else self._parquet(file, start, stop):
                yield from self._batch(file, number, batch)
        except Broken as error:
            yield file.name, error.bad(file.name)
        except _DAMAGE as error:
            # pyarrow says OSError for much that is wrong in a file.
            if isinstance(error, OSError) and not of_content(error):
                raise
            origin = f"{file.name}#row={number + 1}"
            yield origin, Bad(origin, "invalid_parquet", type(error).__name__)

    def _parquet(self, file: FileRef, start: int, stop: int | None) -> Iterator[tuple[int, pa.RecordBatch]]:
        with pq.ParquetFile(self._open(file), pre_buffer=False) as parquet:
            columns = self._columns(file, parquet.schema_arrow)
            number = sum(parquet.metadata.row_group(i).num_rows for i in range(start))
            for group in range(start, parquet.num_row_groups if stop is None else stop):
                for batch in parquet.iter_batches(
                    self.options.batch_rows, row_groups=[group], columns=columns, use_threads=False
                ):
                    yield number, batch
                    number += batch.num_rows

    def _arrow(self, file: FileRef) -> Iterator[tuple[int, pa.RecordBatch]]:
        with self._native(file) as path, pa.OSFile(path) as source:
            magic, length = source.read(len(_MAGIC)), source.size()
            source.seek(max(length - 6, 0))
            whole = magic != _MAGIC or source.read() == _MAGIC[:6]
            options = ipc.IpcReadOptions(use_threads=False)
            batches: Iterable[pa.RecordBatch]
            if magic == _MAGIC and whole:
                opened = ipc.open_file(source, options=options)
                batches = (opened.get_batch(i) for i in range(opened.num_record_batches))
            else:
                # of a file without its end the batches before, which most writers let follow each other as in a stream
                source.seek(len(_MAGIC) if magic == _MAGIC else 0)
                batches = opened = ipc.open_stream(source, options=options)
            columns = self._columns(file, opened.schema)
            number = 0
            for batch in batches:
                for offset in range(0, batch.num_rows, self.options.batch_rows):
                    yield number + offset, batch.slice(offset, self.options.batch_rows).select(columns)
                number += batch.num_rows
            if not whole:
                raise Broken("invalid_parquet", "the file is cut off: what follows is lost")

    @contextmanager
    def _native(self, file: FileRef) -> Iterator[str]:
        """Where on this machine a file lies that Arrow can open itself: a thread it reads the end of an Arrow file with may hold a
        buffer yet when Python ends. Where that is Python's, Python then ends the thread, and so the process.
        """
        with open_binary(file, self.options.max_ratio) as stream:
            head = stream.read(64)
            refuse_pointer(head)
            raw = stream.raw if isinstance(stream, io.BufferedReader) else stream
            if isinstance(raw, io.FileIO):
                yield str(raw.name)
                return
            with tempfile.NamedTemporaryFile() as spool:
                spool.write(head)
                shutil.copyfileobj(stream, spool, BLOCK)
                spool.flush()
                yield spool.name

    def _batch(self, file: FileRef, before: int, batch: pa.RecordBatch) -> Iterator[tuple[str, Row | Bad]]:
        rows: list[Row | str]
        try:
            # Arrow trusts a file's offsets: those of a damaged one lead out of its buffers, and end the process.
            batch.validate(full=True)
            rows = batch.to_pylist()
        except (UnicodeDecodeError, pa.ArrowException):
            # One broken value spoils the whole conversion: find its row.
            rows = [_row(batch, i) for i in range(batch.num_rows)]
        for number, row in enumerate(rows, before + 1):
            origin = f"{file.name}#row={number}"
            if isinstance(row, str):
                yield origin, Bad(origin, row, "a value of the row cannot be read")
            else:
                yield origin, row

    def _columns(self, file: FileRef, schema: pa.Schema) -> list[str]:
        wanted = {name if name in schema.names else name.partition(".")[0] for name in self._mapper.columns()}
        check_columns(wanted, schema.names, file, self.options.optional)
        return [name for name in schema.names if name in wanted]

    def _open(self, file: FileRef) -> BinaryIO:
        stream = seekable(open_binary(file, self.options.max_ratio))
        refuse_pointer(stream.read(64))
        stream.seek(0)
        return stream


def _is_arrow(name: str) -> bool:
    name = name.lower()
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_ARROW)


def _row(batch: pa.RecordBatch, position: int) -> Row | str:
    """A row, or the reason why it cannot be had."""
    try:
        one = batch.slice(position, 1)
        one.validate(full=True)
        return one.to_pylist()[0]
    except UnicodeDecodeError:
        return "invalid_utf8"
    except pa.ArrowException as error:
        return "invalid_utf8" if "UTF8" in str(error) else "invalid_parquet"
