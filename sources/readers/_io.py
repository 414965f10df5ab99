"""Whole small files, safely: size limits, encodings, and files that are not data. Shared by the readers of documents."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from charset_normalizer import from_bytes

from sources.document import Bad
from sources.files import Broken, open_binary
from sources.readers.base import FileRef, Split

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CP1252_HOLES = frozenset(b"\x81\x8d\x8f\x90\x9d")


def slurp(ref: FileRef, limit: int) -> bytes | Bad:
    """The decompressed content of a file, or why it cannot be had.

    :param limit: bytes after decompression; a larger file is ``too_large``, so a compressed bomb cannot fill memory.
    :raises OSError: it could not be fetched, which says nothing of its content.
    """
    try:
        with open_binary(ref) as file:
            data = file.read(limit + 1)
    except Broken as error:
        return Bad(ref.name, "too_large" if error.reason == "too_large" else "unreadable", error.detail)
    if len(data) > limit:
        return Bad(ref.name, "too_large", f"more than {limit} bytes")
    if not data.strip():
        return Bad(ref.name, "empty")
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return Bad(ref.name, "lfs_pointer", "a Git LFS pointer, not the file: fetch it with `git lfs pull`")
    return data


def decode(data: bytes, hint: str | None = None) -> str | None:
    """Text of ``data``: by byte order mark, else UTF-8, else ``hint``, else Latin letters, else by statistics; None if binary.

    Windows-1252 is tried before statistics because nearly all legacy English text is in it and short texts fool a detector;
    it is taken only where no more than one byte in ten is above ASCII, as in Western languages.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if hint:
        try:
            return data.decode(hint)
        except (UnicodeDecodeError, LookupError):
            pass
    if b"\x00" in data[:4096]:
        return None
    sample = data[: 1 << 20]
    high = len(sample.translate(None, bytes(range(128))))
    if high <= len(sample) / 10 and not _CP1252_HOLES.intersection(data):
        return data.decode("cp1252")
    best = from_bytes(sample).best()
    return data.decode(best.encoding, "replace") if best else None


def group_splits(files: Sequence[FileRef], key: Callable[[FileRef], Hashable], target_bytes: int) -> list[Split]:
    """Like :func:`sources.readers.base.pack`, but files with the same ``key`` (one book) are never parted."""
    groups: dict[Hashable, list[FileRef]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    splits: list[Split] = []
    held: list[FileRef] = []
    for group in groups.values():
        if held and sum(f.size for f in held) + sum(f.size for f in group) > target_bytes:
            splits.append(Split(tuple(held)))
            held = []
        held.extend(group)
    if held:
        splits.append(Split(tuple(held)))
    return splits


def folder(ref: FileRef) -> str:
    """The folder of a file, as its name tells it."""
    return ref.name.rpartition("/")[0]
