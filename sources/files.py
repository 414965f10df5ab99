"""From a card's ``where`` to the files it names, with sizes and fingerprints; and opening them whatever their compression."""

from __future__ import annotations

import bz2
import errno
import fnmatch
import gzip
import hashlib
import io
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from sources.card import SAMPLE_DIR, Card, Where, data_root
from sources.document import Bad
from sources.errors import UserError
from sources.readers.base import MAX_RATIO, FileRef
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
    refs = _local(card, fingerprint) if where.path is not None else _remote(card, fingerprint)
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
                _check_link(card, root, path)
                if not os.access(path, os.R_OK):
                    raise UserError(
                        f"source {card.name!r}: a file cannot be read", where=path, fix="check its permissions"
                    )
                # before the content is read, so that a change during that shows
                found = stamp(path)
                refs[name] = FileRef(str(path), name, found[0], fingerprint(path), found)
    return list(refs.values())


def _check_link(card: Card, root: Path, path: Path) -> None:
    """A corpus may lie elsewhere, through a link in the data root; a link inside of it may not lead out of it.

    :raises UserError: it does. Corpora are cloned and unpacked from strangers, and a link in one can name any file of this machine.
    """
    corpus = root / path.relative_to(root).parts[0]
    if not path.resolve().is_relative_to(corpus.resolve()):
        raise UserError(
            f"source {card.name!r}: a link leads out of the corpus",
            where=path,
            fix="put the file itself there, or leave it out with `exclude`",
        )


def _remote(card: Card, fingerprint: Callable[[Path], str]) -> list[FileRef]:
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
                    version = fingerprint(Path(item)) if full.startswith(_LOCAL) else _version(fs, item, info, web)
                    found_files[full] = (item, folder, size, version)
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
            version,
            stamp(Path(item)) if full.startswith(_LOCAL) else None,
        )
        for full, (item, folder, size, version) in found_files.items()
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


class Broken(Exception):  # noqa: N818 - it is caught inside the readers and becomes a Bad
    """The content of a file cannot be read further; what came before is whole.

    :param reason: a short code, see :class:`sources.document.Bad`.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def bad(self, origin: str) -> Bad:
        """As a record for quarantine."""
        return Bad(origin, self.reason, self.detail)


class TransportError(OSError):
    """A remote file could not be fetched to its end. That says nothing of its content, so it stops the run
    and is never a reason for quarantine; the same command goes on from here when the cause is gone."""


#: What the decoders raise for a compressed stream that is cut short or damaged. bz2 says OSError, without a number.
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError)

#: A compressed file may unpack to this many bytes whatever its ratio.
_RATIO_FREE = 64 << 20


def of_content(error: OSError) -> bool:
    """Whether an OSError was raised by a library over what it read (they give no number, or seek to where nothing is), and not by the
    system or the network."""
    return not isinstance(error, TransportError) and error.errno in (None, errno.EINVAL)


def open_binary(ref: FileRef, max_ratio: int = MAX_RATIO) -> BinaryIO:
    """Open a raw file as a stream of decompressed bytes (``.gz``, ``.zst`` with long windows, ``.bz2``, ``.xz``, or plain).

    Reading raises :class:`Broken` where a compressed stream is damaged, cut short or a bomb, and :class:`TransportError` (or another
    OSError) where the file cannot be fetched. The memory it takes does not depend on what the file unpacks to.

    :param max_ratio: a compressed file that has unpacked to more than 64 MB and to more than this many times what was read of it is
        refused (``too_large``).
    """
    path = ref.url.removeprefix(_LOCAL)
    remote = "://" in path
    raw: Any = _Remote(_opened(ref), ref) if remote else io.BufferedReader(_LocalFile(path), 1 << 20)
    decoder = _DECODERS.get(ref.name.rsplit(".", 1)[-1].lower())
    if decoder is None:
        return io.BufferedReader(raw, 1 << 20) if remote else raw
    return io.BufferedReader(_Decoded(raw, decoder, max_ratio), 1 << 20)  # type: ignore[return-value]


@contextmanager
def open_named(path: Path) -> Iterator[BinaryIO]:
    """A file that a user names, as :func:`open_binary` gives it.

    :raises UserError: it cannot be read, or its compressed stream is damaged, cut short or a bomb.
    """
    try:
        with open_binary(FileRef(str(path), path.name, 0, "")) as file:
            yield file
    except Broken as error:
        raise UserError(f"the compressed file is broken: {error.detail}", where=path, fix="get it whole") from None


def _opened(ref: FileRef) -> BinaryIO:
    try:
        return open_remote(ref.url, ref.size)
    except OSError as error:
        raise _transport(error, ref) from None


class _LocalFile(io.FileIO):
    """A local file. What goes wrong with it is the system's fault (a failing disk, too many open files), not its content's: readers would
    quarantine it as they do bad content, and what is quarantined stays so.
    """

    def __init__(self, path: str) -> None:
        try:
            super().__init__(path, "rb")
        except OSError as error:
            raise _cannot_read(path, error) from None

    # FileIO's own do not call each other.

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except OSError as error:
            raise _cannot_read(str(self.name), error) from None

    def readall(self) -> bytes:
        try:
            return super().readall()
        except OSError as error:
            raise _cannot_read(str(self.name), error) from None

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        try:
            return super().readinto(buffer)  # type: ignore[return-value]
        except OSError as error:
            raise _cannot_read(str(self.name), error) from None


def _cannot_read(path: str, error: OSError) -> UserError:
    fix = "raise the limit of open files (ulimit -n)" if error.errno == errno.EMFILE else "see that it can be read"
    return UserError(f"cannot read a file: {error.strerror}", where=path, fix=f"{fix}, and run the command again")


def _transport(error: Exception, ref: FileRef) -> TransportError:
    if isinstance(error, TransportError):
        return error
    said = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
    return TransportError(getattr(error, "errno", None), f"cannot read the file to its end: {said}", ref.url)


class _Remote(io.RawIOBase):
    """A file of fsspec. Whatever goes wrong in fetching it is a :class:`TransportError`, also an end that comes too soon."""

    def __init__(self, raw: Any, ref: FileRef) -> None:
        self._raw, self._ref = raw, ref

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._raw.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        try:
            data = self._raw.read(len(buffer))
            place = self._raw.tell()
        except Exception as error:
            raise _transport(error, self._ref) from None
        if not data and len(buffer) and place < self._ref.size:
            raise TransportError(None, f"it ends after {place:,} of {self._ref.size:,} bytes", self._ref.url)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Counted:
    """The compressed bytes, for a decoder: counts them."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self.count += len(data)
        return data

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._raw.close()


class _Decoded(io.RawIOBase):
    """The decompressed bytes of a file.

    :raises Broken: while reading, where the stream is damaged or unpacks to too much.
    """

    def __init__(self, raw: BinaryIO, decoder: Callable[[Any], Any], max_ratio: int) -> None:
        self._source = _Counted(raw)
        self._decoder = decoder(self._source)
        self._max_ratio = max_ratio
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        try:
            data = self._decoder.read1(len(buffer))
        except _DAMAGE as error:
            if isinstance(error, OSError) and not of_content(error):
                raise
            raise Broken("truncated", f"the compressed stream breaks: {error}") from None
        self._given += len(data)
        if self._given > _RATIO_FREE and self._given > self._max_ratio * self._source.count:
            raise Broken("too_large", f"it unpacks to more than {self._max_ratio} times its size (max_ratio)")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._decoder.close()
            self._source.close()
        super().close()


class _Zstd:
    """Decompressed bytes of a zstd file, frame after frame.

    zstandard's own ``stream_reader`` ends quietly where a file was cut short; here that is an EOFError, so that a half-downloaded
    dump is never taken for a whole one.
    """

    #: A block of four bytes can stand for 128 KB, and what one call unpacks is in memory at once: at most 128 MB of so many bytes.
    _BITE = 1 << 12
    _BLOCK = 1 << 18

    def __init__(self, source: _Counted) -> None:
        self._source = source
        # Reddit dumps are written with --long=31; the window is a ceiling, memory is used only as far as a frame fills it.
        self._context = zstandard.ZstdDecompressor(max_window_size=2**31)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._pending = memoryview(b"")
        self._out = memoryview(b"")
        self._error: Exception | None = None

    def read1(self, size: int) -> memoryview:
        if not self._out and self._error is None:
            held: list[bytes] = []
            length = 0
            try:
                while length < self._BLOCK and (piece := self._piece()) is not None:
                    held.append(piece)
                    length += len(piece)
            except Exception as error:
                # What came before is whole, and is given first.
                self._error = error
            self._out = memoryview(b"".join(held))
        if not self._out and self._error is not None:
            raise self._error
        data, self._out = self._out[:size], self._out[size:]
        return data

    def _piece(self) -> bytes | None:
        """What the next compressed bytes stand for, maybe nothing; None at the end."""
        if not self._pending:
            self._pending = memoryview(self._source.read(1 << 17))
        if not self._pending:
            if self._frame is not None:
                raise EOFError("the zstd stream ends in the middle of a frame")
            return None
        bite, self._pending = self._pending[: self._BITE], self._pending[self._BITE :]
        if self._frame is None:
            self._frame = self._context.decompressobj()
        piece = self._frame.decompress(bite)
        if self._frame.eof:
            if left := len(self._frame.unused_data):
                self._pending = memoryview(bytes(bite[len(bite) - left :]) + bytes(self._pending))
            self._frame = None
        return piece

    def close(self) -> None:
        self._out = memoryview(b"")


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "gz": lambda source: gzip.GzipFile(fileobj=source, mode="rb"),
    "zst": _Zstd,
    "bz2": lambda source: bz2.BZ2File(source, "rb"),
    "xz": lambda source: lzma.LZMAFile(source, "rb"),  # noqa: SIM115
}
