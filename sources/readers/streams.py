"""What line and row readers share: bytes of a raw file block by block, its lines, and cutting files into byte ranges."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from sources.files import Broken, open_binary
from sources.readers.base import MAX_RATIO, FileRef, Split, pack

BLOCK = 1 << 20
#: Longest line of a text file that is held in memory.
MAX_LINE = 64 << 20
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
_LFS = b"version https://git-lfs.github.com/spec/"


def blocks(file: FileRef, start: int = 0, max_ratio: int = MAX_RATIO) -> Iterator[bytes]:
    """The decompressed bytes of ``file`` from ``start`` on, in blocks of about 1 MB.

    :param max_ratio: see :func:`sources.files.open_binary`.
    :raises Broken: after the last readable block of a damaged compressed stream, or at once for a git-LFS pointer.
    :raises OSError: the file could not be fetched.
    """
    with open_binary(file, max_ratio) as stream:
        if start:
            stream.seek(start)
        # read1 and not read: one raw read at a time, so that a stream that breaks loses nothing decoded before the break.
        read = getattr(stream, "read1", stream.read)
        first = start == 0
        while block := read(BLOCK):
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


def text_lines(file: FileRef, encoding: str, max_ratio: int = MAX_RATIO) -> Iterator[str]:
    """Lines with their ends kept, as the csv module wants them. Bytes that do not decode become lone surrogates.

    :raises Broken: see :func:`blocks`.
    """
    codec = codecs.lookup(encoding).name
    if codec.startswith(("utf-16", "utf-32")):
        yield from _wide_lines(file, encoding, max_ratio)
        return
    decode = codecs.getdecoder(codec)
    held = b""
    for number, block in enumerate(blocks(file, 0, max_ratio)):
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


def _wide_lines(file: FileRef, encoding: str, max_ratio: int) -> Iterator[str]:
    # A line end is no single byte here, so text is decoded before it is cut.
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    held = ""
    try:
        for block in blocks(file, 0, max_ratio):
            text = held + decoder.decode(block)
            cut = text.rfind("\n") + 1
            yield from io.StringIO(text[:cut], newline="")
            held = text[cut:]
            if len(held) > MAX_LINE:
                raise Broken(
                    "line_too_long", f"no line end within {MAX_LINE} characters; the rest of the file is not read"
                )
        yield from io.StringIO(held + decoder.decode(b"", True), newline="")
    except UnicodeError as error:
        raise Broken("invalid_encoding", f"not {encoding}: {getattr(error, 'reason', error)}") from None


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
