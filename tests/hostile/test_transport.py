"""What could not be fetched is not broken: transport errors stop the run, and only what is wrong in a file is quarantined."""

from __future__ import annotations

import errno
import gzip
import io
import itertools

import fsspec
import pytest
import zstandard
from fsspec.implementations.memory import MemoryFileSystem

from sources.document import Bad
from sources.errors import UserError
from sources.files import TransportError, open_binary
from sources.readers import READERS, get_reader
from sources.readers.base import FileRef, Split

LINES = b"".join(b'{"t": "line %d"}\n' % i for i in range(20_000))
FORMATS = {
    "archive": b"PK\x03\x04" + b"\0" * 500_000, "parquet": b"PAR1" + b"\0" * 500_000, "xlsx": b"PK\x03\x04" + b"\0" * 500_000,
    "mediawiki": b"<mediawiki>" + b"<page/>" * 90_000, "jats": b"<a>" + b"<b/>" * 90_000, "json": b"[" + b"{},\n" * 90_000,
    "warc": b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 900000\r\n\r\n" + b"a" * 500_000,
}  # fmt: skip
OPTIONS = (
    {"dialogue_text": {"turn_lines": {"roles": {"a": "user"}}}}
    | {name: {"text": "t"} for name in ("archive", "json", "jsonl", "lines", "parquet", "xlsx")}
    | {"csv": {"text": "t", "columns": ["t"]}}
)


class _Failing(io.BytesIO):
    """Fails once its first bytes are read, as a connection does that is cut."""

    def __init__(self, data: bytes, error: Exception | None) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int = -1) -> bytes:
        if self.tell() >= 65_536:
            if self._error is None:
                return b""
            raise self._error
        return super().read(min(size, 65_536) if size >= 0 else 65_536)


@pytest.fixture
def failing(monkeypatch):
    """``failing(name, data, error)``: the reference of a remote file that breaks after 64 KB (without an error: that ends there)."""
    numbers = itertools.count()

    def make(name: str, data: bytes, error: Exception | None) -> FileRef:
        place = f"memory://failing/{next(numbers)}/{name}"
        fsspec.filesystem("memory").pipe(place, data)
        monkeypatch.setattr(MemoryFileSystem, "_open", lambda self, path, **kw: _Failing(data, error))
        return FileRef(place, name, len(data), "x")

    return make


@pytest.mark.parametrize("reader", sorted(set(READERS) - {"huggingface"}))
@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, "reset"), TimeoutError(), ValueError("odd"), EOFError(), None]
)
def test_no_reader_takes_a_lost_connection_for_a_broken_file(failing, reader, error):
    data = FORMATS.get(reader, LINES)
    cls = get_reader(reader)
    made = cls(cls.Options(**OPTIONS.get(reader, {})))
    with pytest.raises(OSError) as raised:
        found = list(
            made.read(
                Split(
                    (failing("a.opf" if reader == "standardebooks" else "a.txt", data, error),),
                    0,
                    1 if reader == "reddit" else None,
                )
            )
        )
        assert not [item for item in found if isinstance(item, Bad)]
    assert isinstance(raised.value, TransportError)
    assert raised.value.filename.startswith("memory://")


@pytest.mark.parametrize("suffix,pack", [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_a_compressed_stream_tells_a_lost_connection_from_damage(failing, suffix, pack):
    import random

    data = pack(random.Random(1).randbytes(300_000))
    cls = get_reader("lines")
    made = cls(cls.Options())
    with pytest.raises(TransportError):
        list(made.read(Split((failing(f"a.{suffix}", data, None),))))
    # The same file, cut short before it was put there, is damaged.
    short = data[:60_000]
    found = list(made.read(Split((failing(f"a.{suffix}", short, None),))))
    assert found[-1].reason == "truncated"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_disk_that_fails_is_no_broken_file(name: str) -> None:
    cls = get_reader("jsonl")
    # its first page cannot be read by anybody, as a bad block cannot
    with pytest.raises(UserError, match="Input/output error"):
        list(cls(cls.Options(text="t")).read(Split((FileRef("/proc/self/mem", name, 9, "x"),))))


def test_an_error_says_which_file_and_survives_the_way_from_a_worker(failing):
    import pickle

    with (
        pytest.raises(TransportError) as raised,
        open_binary(failing("a.txt", LINES, ConnectionResetError(104, "reset"))) as file,
    ):
        file.read()
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.filename, again.strerror) == (raised.value.filename, "cannot read the file to its end: reset")
