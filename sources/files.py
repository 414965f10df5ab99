"""From a card's ``where`` to the files it names, with sizes and fingerprints; and opening them whatever their compression."""

from __future__ import annotations

import errno
import fnmatch
import gzip
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from sources.card import SAMPLE_DIR, Card, Where, data_root
from sources.errors import UserError
from sources.readers.base import FileRef
from sources.remote import filesystem, open_remote, patiently

#: Scheme of local files named by URL.
_LOCAL = "file://"


def content_hash(path: Path) -> str:
    """BLAKE2b-128 of a file's content, 32 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def stamp(path: Path) -> tuple[int, int, int, int]:
    """What tells a changed local file without reading it: size, times of change of its content and of its inode, inode. The last two show
    what a program hid by setting back the first time.
    """
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def check_unchanged(files: Iterable[FileRef]) -> None:
    """What was read of local files is what was fingerprinted: they are still as when they were listed.

    :raises UserError: a file changed, or went away.
    """
    for file in files:
        if file.stamp is None:
            continue
        path = Path(file.url.removeprefix(_LOCAL))
        try:
            # a touched file has another stamp and the same content
            same = stamp(path) == file.stamp or content_hash(path) == file.fingerprint
        except OSError:
            same = False
        if not same:
            raise UserError(
                "a raw file was changed or removed while it was being read",
                where=path,
                fix="run the same command again when nothing writes there any more",
            )


def resolve(card: Card, fingerprint: Callable[[Path], str] = content_hash) -> list[FileRef]:
    """The raw files of a card, sorted by name.

    Hub datasets have no files: the huggingface reader gets one reference that names repository, config, split and revision.

    :param fingerprint: how a local file's content is identified; a cache of :func:`content_hash` saves reading it again.
    :raises UserError: WELLMIX_DATA is not set, a folder cannot be read, or nothing matches.
    """
    where = card.where
    if where.hub:
        name = f"{where.hub}/{where.config or 'default'}/{where.split}@{where.revision or 'main'}"
        return [
            FileRef(
                f"hub://{name}{'' if where.streaming else '?streaming=0'}",
                name,
                0,
                hashlib.blake2b(f"{name}:{_hub_commit(where)}".encode()).hexdigest()[:32],
            )
        ]
    refs = _local(card, fingerprint) if where.path is not None else _remote(card)
    refs = [ref for ref in refs if not any(fnmatch.fnmatch(ref.name, glob) for glob in where.exclude)]
    if not refs:
        if where.url is not None:
            place, fix = f"card {card.name}: where.url", "check the card's `where`"
        elif where.root == "sample":
            place, fix = f"{SAMPLE_DIR}", "check the card's `where`"
        else:
            place, fix = f"{data_root()}", "check the card's `where`, or set WELLMIX_DATA to the folder of the corpora"
        raise UserError(f"source {card.name!r}: no file matches {where.path or where.url}", where=place, fix=fix)
    return sorted(refs, key=lambda ref: ref.name)


def _hub_commit(where: Where) -> str:
    """The commit a hub dataset's revision stands at, so that a dataset that moved on is read again; empty offline."""
    from huggingface_hub import HfApi

    if where.hub is None or Path(where.hub).exists():
        return ""
    try:
        return HfApi().dataset_info(where.hub, revision=where.revision, timeout=20).sha or ""
    except Exception:
        # What cannot be reached cannot be read either; the reader says so with the place and the fix. Which error it is depends on
        # the HTTP library that this version of huggingface_hub happens to use.
        return ""


def _local(card: Card, fingerprint: Callable[[Path], str]) -> list[FileRef]:
    root = SAMPLE_DIR if card.where.root == "sample" else data_root()
    if root is None or not root.is_dir():
        raise UserError(
            f"source {card.name!r} needs the real corpora, and their folder is not there",
            where=f"WELLMIX_DATA={root or 'not set'}",
            fix="export WELLMIX_DATA=/folder/of/the/corpora",
        )
    globs = [card.where.path] if isinstance(card.where.path, str) else card.where.path or []
    refs: dict[str, FileRef] = {}
    for glob in globs:
        for path in root.glob(glob):
            if path.is_file():
                name = path.relative_to(root).as_posix()
                if not os.access(path, os.R_OK):
                    raise UserError(
                        f"source {card.name!r}: a file cannot be read", where=path, fix="check its permissions"
                    )
                # before the content is read, so that a change during that shows
                found = stamp(path)
                refs[name] = FileRef(str(path), name, found[0], fingerprint(path), found)
    return list(refs.values())


def _remote(card: Card) -> list[FileRef]:
    urls = [card.where.url] if isinstance(card.where.url, str) else card.where.url or []
    found_files: dict[str, tuple[str, str, int, str]] = {}
    for url in urls:
        try:
            fs, path = filesystem(url)
            web = url.startswith(("http://", "https://"))
            pattern = any(c in path for c in ("*[" if web else "*?["))
            found = patiently(url, fs.glob, path, detail=True) if pattern else {path: None}
            # Names are relative to the folder before the first wildcard, so that a/index.xml and b/index.xml stay two files.
            folder = re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0]
            # What stands before the path (scheme, and for github also repository and commit) is needed to open a file.
            scheme = url.removesuffix(path) if url.endswith(path) else None
            for item, listed in found.items():
                # a listing of objects tells all; elsewhere each file is asked
                info = listed if listed and "ETag" in listed else patiently(url, fs.info, item)
                if info.get("type") == "file":
                    full = fs.unstrip_protocol(item) if scheme is None else scheme + item
                    size = int(info.get("size") or 0)
                    found_files[full] = (item, folder, size, _version(fs, item, info, web))
        except (OSError, ValueError, ImportError) as error:
            raise UserError(
                f"source {card.name!r}: cannot list {url}: {getattr(error, 'strerror', None) or error}",
                where=f"card {card.name}: where.url",
                fix="check the address, that you may read it, and that the library for it is installed",
            ) from None
    # Of several URLs, names start below the folder they share, so that a/posts.jsonl and b/posts.jsonl stay two files.
    folders = {folder for _, folder, _, _ in found_files.values()}
    shared = os.path.commonpath(folders) if len(folders) > 1 and len({f[:1] for f in folders}) == 1 else None
    return [
        FileRef(
            full,
            item.removeprefix(folder if shared is None else shared).strip("/"),
            size,
            fingerprint,
            stamp(Path(item)) if full.startswith(_LOCAL) else None,
        )
        for full, (item, folder, size, fingerprint) in found_files.items()
    ]


def _version(fs: Any, item: str, info: dict[str, Any], web: bool) -> str:
    """What changes when a remote file does, 32 hex digits."""
    if "ETag" in info and not web:
        # of an object store: the same object listed, asked for, or copied elsewhere
        state = [info["ETag"].strip('"'), str(info.get("size"))]
    else:
        # fsspec takes web files for static: what the server says of a version goes into the fingerprint
        state = [str(fs.ukey(item)), *(str(info.get(key)) for key in ("ETag", "Last-Modified", "Digest"))]
    return hashlib.blake2b(repr(state).encode()).hexdigest()[:32]


def open_binary(ref: FileRef) -> BinaryIO:
    """Open a raw file as a stream of decompressed bytes (``.gz``, ``.zst`` with long windows, ``.bz2``, ``.xz``, or plain).

    Decoding errors of a truncated stream surface while reading: EOFError, zstandard.ZstdError or OSError.
    """
    path = ref.url.removeprefix(_LOCAL)
    raw = open_remote(ref.url, ref.size) if "://" in path else io.BufferedReader(_LocalFile(path), 1 << 20)
    suffix = ref.name.rsplit(".", 1)[-1].lower()
    if suffix == "gz":
        return gzip.open(raw, "rb")  # type: ignore[return-value]
    if suffix == "zst":
        return io.BufferedReader(_ZstdStream(raw), 1 << 20)
    if suffix == "bz2":
        import bz2

        return bz2.open(raw, "rb")  # type: ignore[return-value]
    if suffix == "xz":
        import lzma

        return lzma.open(raw, "rb")  # type: ignore[return-value]
    return io.BufferedReader(raw, 1 << 20) if not isinstance(raw, io.BufferedReader) else raw  # type: ignore[return-value,arg-type,type-var]


class _LocalFile(io.FileIO):
    """A local file. What goes wrong with it is the system's fault (a failing disk, too many open files), not its content's: readers would
    quarantine it as they do bad content, and what is quarantined stays so.
    """

    def __init__(self, path: str) -> None:
        try:
            super().__init__(path, "rb")
        except OSError as error:
            raise _cannot_read(path, error) from None

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        try:
            return super().readinto(buffer)  # type: ignore[return-value]
        except OSError as error:
            raise _cannot_read(str(self.name), error) from None


def _cannot_read(path: str, error: OSError) -> UserError:
    fix = "raise the limit of open files (ulimit -n)" if error.errno == errno.EMFILE else "see that it can be read"
    return UserError(f"cannot read a file: {error.strerror}", where=path, fix=f"{fix}, and run the command again")


class _ZstdStream(io.RawIOBase):
    """Decompressed bytes of a zstd file, frame after frame.

    zstandard's own ``stream_reader`` ends quietly where a file was cut short; here that is an EOFError, so that a half-downloaded
    dump is never taken for a whole one.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        # Reddit dumps are written with --long=31; the window is a ceiling, memory is used only if a frame asks for it.
        self._context = zstandard.ZstdDecompressor(max_window_size=2**31)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._pending = b""
        self._out = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        while not self._out:
            data = self._pending or self._raw.read(1 << 17)
            self._pending = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the zstd stream ends in the middle of a frame")
                return 0
            if self._frame is None:
                self._frame = self._context.decompressobj()
            self._out = memoryview(self._frame.decompress(data))
            if self._frame.eof:
                self._pending, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
