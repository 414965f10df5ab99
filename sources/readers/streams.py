"""What line and row readers share: bytes of a raw file block by block, its lines, and cutting files into byte ranges."""

from __future__ import annotations

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import zstandard

from sources.document import Bad
from sources.files import open_binary
from sources.readers.base import FileRef, Split, pack

BLOCK = 1 << 20
#: Longest line of a text file that is held in memory.
MAX_LINE = 64 << 20
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_LFS = b"version https://git-lfs.github.com/spec/"
#: What the standard library and zstandard raise for a compressed stream that is cut short or damaged.
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile)


class Broken(Exception):  # noqa: N818 - it is caught inside the readers and becomes a Bad
    """A file cannot be read further; what came before is whole.

    :param reason: ``truncated``, ``line_too_long`` or ``lfs_pointer``, see :class:`sources.document.Bad`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail

    def bad(self, origin: str) -> Bad:
        """As a record for quarantine."""
        return Bad(origin, self.reason, self.detail)


def blocks(file: FileRef, start: int = 0) -> Iterator[bytes]:
    """The decompressed bytes of ``file`` from ``start`` on, in blocks of about 1 MB.

    :raises Broken: after the last readable block of a damaged compressed stream, or at once for a git-LFS pointer.
    """
    compressed = file.name.lower().endswith(COMPRESSED)
    with open_binary(file) as stream:
        if start:
            stream.seek(start)
        # read1 and not read: one raw read at a time, so that a stream that breaks loses nothing decoded before the break.
        read = getattr(stream, "read1", stream.read)
        first = start == 0
        while True:
            try:
                block = read(BLOCK)
            except BROKEN as error:
                raise Broken("truncated", f"the compressed stream breaks: {error}") from None
            except OSError as error:
                # bz2 says OSError for bad data; of an uncompressed file it is a real input/output error.
                if compressed and error.errno is None:
                    raise Broken("truncated", f"the compressed stream breaks: {error}") from None
                raise
            if not block:
                return
            if first:
                refuse_pointer(block)
                first = False
            yield block


def refuse_pointer(head: bytes) -> None:
    """Stop at a git-LFS pointer: the corpus was cloned without its data.

    :raises Broken: ``head`` starts a pointer file.
    """
    if head.startswith(_LFS):
        raise Broken("lfs_pointer", "a Git LFS pointer, not the file: fetch it with `git lfs pull`")


def text_lines(file: FileRef, encoding: str) -> Iterator[str]:
    """Lines with their ends kept, as the csv module wants them. Bytes that do not decode become lone surrogates.

    :raises Broken: see :func:`blocks`.
    """
    codec = codecs.lookup(encoding).name
    if codec.startswith(("utf-16", "utf-32")):
        yield from _wide_lines(file, encoding)
        return
    decode = codecs.getdecoder(codec)
    held = b""
    for number, block in enumerate(blocks(file)):
        data = held + block if held else block
        if number == 0:
            data = data.removeprefix(codecs.BOM_UTF8)
        # An old Mac file has only carriage returns; one at the very end may be half of a \r\n, so it waits.
        cut = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
        for line in data[:cut].splitlines(keepends=True):
            yield decode(line, "surrogateescape")[0]
        held = data[cut:]
        if len(held) > MAX_LINE:
            raise Broken("line_too_long", f"no line end within {MAX_LINE} bytes; the rest of the file is not read")
    for line in held.splitlines(keepends=True):
        yield decode(line, "surrogateescape")[0]


def _wide_lines(file: FileRef, encoding: str) -> Iterator[str]:
    # A line end is no single byte here, so text is decoded before it is cut.
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    held = ""
    for block in blocks(file):
        text = held + decoder.decode(block)
        cut = text.rfind("\n") + 1
        yield from io.StringIO(text[:cut], newline="")
        held = text[cut:]
    yield from io.StringIO(held + decoder.decode(b"", True), newline="")


def byte_ranges(files: Sequence[FileRef], target_bytes: int) -> list[Split]:
    """Cut large uncompressed files into byte ranges; other files stay whole and small ones go together."""
    splits: list[Split] = []
    whole: list[FileRef] = []
    for file in files:
        if file.size <= target_bytes * 3 // 2 or file.name.lower().endswith(COMPRESSED):
            whole.append(file)
            continue
        splits += pack(whole, target_bytes)
        whole = []
        count = -(-file.size // target_bytes)
        bounds = [file.size * i // count for i in range(count + 1)]
        splits += [Split((file,), bounds[i], bounds[i + 1] if i + 1 < count else None) for i in range(count)]
    return splits + pack(whole, target_bytes)


def seekable(stream: BinaryIO) -> BinaryIO:
    """``stream`` itself if it can seek, else a temporary file with its bytes (zip and Parquet need their end first)."""
    if stream.seekable():
        return stream
    import shutil
    import tempfile

    spool = tempfile.SpooledTemporaryFile(max_size=8 << 20)  # noqa: SIM115 - the caller closes it
    with stream:
        shutil.copyfileobj(stream, spool, BLOCK)
    spool.seek(0)
    return spool  # type: ignore[return-value]
