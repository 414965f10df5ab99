"""Zip archives from strangers: what their directory says is checked before a member is unpacked, and not trusted after that.

Python's ``zipfile`` reads a whole directory into memory, lets members lie over each other (so that a few kilobytes hold terabytes), and
raises half a dozen kinds of errors on damaged archives.
"""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sources.files import Broken, of_content

#: What zipfile and the decoders under it raise on damaged archives; an OSError counts only where it is about the content.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
    OverflowError,
    AttributeError,
    struct.error,
)
#: Bytes of a directory; zipfile takes about ten times as much memory for it.
_MAX_DIRECTORY = 32 << 20
_END = b"PK\x05\x06"


@contextmanager
def opened(stream: BinaryIO, max_ratio: int) -> Iterator[zipfile.ZipFile]:
    """A zip archive whose directory can be believed as far as that goes.

    :param stream: seekable.
    :param max_ratio: all members together may unpack to this many times the size of the archive (64 MB are free).
    :raises Broken: ``truncated`` for what is no whole zip archive, ``too_large`` for a bomb.
    """
    size = stream.seek(0, os.SEEK_END)
    try:
        _check_end(stream, size)
        archive = zipfile.ZipFile(stream)
    except _DAMAGE as error:
        raise Broken("truncated", f"not a whole zip archive: {_said(error)}") from None
    except OSError as error:
        if of_content(error):
            raise Broken("truncated", "not a whole zip archive") from None
        raise
    with archive:
        infos = archive.infolist()
        if sum(info.compress_size for info in infos) > size:
            raise Broken("too_large", "members of the archive lie over each other")
        if (unpacked := sum(info.file_size for info in infos)) > max(64 << 20, max_ratio * size):
            raise Broken("too_large", f"{unpacked:,} bytes, more than {max_ratio} times the size of the archive")
        yield archive


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """The content of a member.

    :param limit: bytes of it at most.
    :raises Broken: ``encrypted``, ``too_large`` or ``unreadable``.
    """
    if info.flag_bits & 1:
        raise Broken("encrypted", "")
    if info.file_size > limit:
        raise Broken("too_large", f"more than {limit} bytes")
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)
    except _DAMAGE as error:
        raise Broken("unreadable", type(error).__name__) from None
    except OSError as error:
        if of_content(error):
            raise Broken("unreadable", "damaged") from None
        raise
    if len(data) > limit:
        raise Broken("too_large", f"more than {limit} bytes")
    return data


def _check_end(stream: BinaryIO, size: int) -> None:
    """Refuse an archive whose directory alone would fill memory."""
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    at = tail.rfind(_END)
    if at >= 0 and len(tail) >= at + 16:
        (directory,) = struct.unpack("<L", tail[at + 12 : at + 16])
        # A directory of 4 GB and more says so in another place.
        if directory > _MAX_DIRECTORY:
            raise Broken("too_large", f"the directory of the archive has {directory:,} bytes or more")
    stream.seek(0)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, zipfile.BadZipFile) else type(error).__name__
