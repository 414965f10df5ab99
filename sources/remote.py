"""Files on object stores and web servers, through fsspec: patience with what passes, clear words for what does not.

Connections drop, servers ask to slow down, bodies end early. Retries of single requests are botocore's, with exponential backoff, where
it is asked (``s3://``). What no client library does is done here: a body that broke off is read again from where it broke, whatever
the protocol, what came is compared with what was announced, and all of it ends after :func:`patience` seconds.
"""

from __future__ import annotations

import errno
import io
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem

from sources.errors import UserError

T = TypeVar("T")

#: Bytes of the first request at a place, and of the largest one: requests grow while reading goes straight on.
FIRST_BLOCK, LAST_BLOCK = 256 << 10, 8 << 20

#: What answers a request that is not worth repeating.
_FINAL = (
    FileNotFoundError,
    PermissionError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
)
#: Numbers of errors that pass: s3fs says EBUSY for 409 and 503, EREMOTEIO for 500, EIO for codes it does not know.
_PASSING = {
    errno.EBUSY,
    errno.EREMOTEIO,
    errno.EIO,
    errno.ETIMEDOUT,
    errno.EPIPE,
    errno.EAGAIN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
}
#: S3's codes for a body that was damaged on its way.
_DAMAGED = {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "RequestTimeout", "XAmzContentChecksumMismatch"}


def is_url(place: object) -> bool:
    """Whether a place is an fsspec URL and no local path."""
    return isinstance(place, str) and "://" in place


def patience() -> float:
    """Seconds after which a request that keeps failing is given up (``WELLMIX_PATIENCE``).

    :raises UserError: it is no number.
    """
    text = os.environ.get("WELLMIX_PATIENCE", "120")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{text!r} is no number of seconds", where="WELLMIX_PATIENCE", fix="for example 120") from None


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path on it.

    Listings are never kept (another machine may write), and botocore repeats a request up to three times with exponential backoff.
    Anything fsspec's configuration says of ``config_kwargs`` wins.

    :raises ValueError: fsspec does not know the protocol.
    :raises ImportError: the library for it is not installed.
    """
    options: dict[str, Any] = {}
    if url.startswith(("s3://", "s3a://")):
        config = {"retries": {"mode": "standard", "max_attempts": 4}, "connect_timeout": 10, "read_timeout": 30}
        options["config_kwargs"] = config | fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    fs, path = fsspec.url_to_fs(url, use_listings_cache=False, **options)
    if "config_kwargs" in options:
        fs.retries = 1  # s3fs would repeat what botocore has given up
    return fs, path


def passing(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, FileNotFoundError) and _status(error.__cause__) != 404 and _of(error.__cause__, "aiohttp"):
        return passing(error.__cause__)  # type: ignore[arg-type]
    if isinstance(error, _FINAL):
        return False
    if (status := _status(error)) is not None:
        return status >= 500 or status in (408, 429)
    if isinstance(error, TimeoutError | ConnectionError | EOFError) or _of(error, "aiohttp", "urllib3", "http.client"):
        return True
    if _of(error, "botocore", "aiobotocore"):
        # not: no credentials, an invalid parameter
        return any(
            base.__name__ in ("HTTPClientError", "ConnectionError", "ResponseParserError")
            for base in type(error).__mro__
        )
    if isinstance(error, OSError):
        response = getattr(error.__cause__, "response", None) or {}
        return error.errno in _PASSING or response.get("Error", {}).get("Code") in _DAMAGED
    return False


def _of(error: BaseException | None, *libraries: str) -> bool:
    return error is not None and type(error).__module__.startswith(libraries)


def _status(error: BaseException | None) -> int | None:
    status = getattr(error, "status", None)
    return status if isinstance(status, int) and _of(error, "aiohttp") else None


def patiently(url: str, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Make a request that can be made twice; repeat it, with exponential backoff and jitter, while it fails for a passing reason.

    :param url: what it is about, for the message.
    :param call: called with the rest.
    :raises OSError: with number, text and ``url``: it was refused for good, or :func:`patience` ran out.
    """
    until = time.monotonic() + patience()
    wait = 0.1
    while True:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if not passing(error):
                raise _plain(error, url) from error
            if time.monotonic() + wait > until:
                said = str(error) or type(error).__name__
                raise OSError(
                    errno.EHOSTUNREACH, f"no answer after {patience():g} s of trying again: {said}", url
                ) from error
            time.sleep(wait * random.uniform(0.5, 1))
            wait = min(2 * wait, 15)


def _plain(error: Exception, url: str) -> Exception:
    """An error as the rest of the program knows it: one of the file system's with number, text and place."""
    if isinstance(error, OSError):
        said = error.strerror or str(error) or type(error).__name__
        for kind, number in (
            (FileNotFoundError, errno.ENOENT),
            (PermissionError, errno.EACCES),
            (FileExistsError, errno.EEXIST),
        ):
            if isinstance(error, kind):
                # of a missing object, libraries give its path for a reason
                return kind(number, "not found" if said in url else said, url)
        return OSError(error.errno or errno.EIO, said, url)
    if _of(error, "botocore", "aiobotocore"):
        denied = "Credentials" in type(error).__name__
        return (PermissionError(errno.EACCES, str(error), url)) if denied else OSError(errno.EIO, str(error), url)
    if (status := _status(error)) is not None:
        return PermissionError(errno.EACCES, f"the server says {status}", url) if status in (401, 403) else OSError(
            errno.EIO, f"the server says {status}", url
        )  # fmt: skip
    return error


def open_remote(url: str, size: int) -> BinaryIO:
    """Open a remote file for reading, as bytes.

    Read by ranges where the server can (each is asked for again alone); otherwise fetched whole into a temporary file first.

    :param size: bytes, as listed; 0 where it is not known.
    :raises OSError: it cannot be opened or, later, read.
    """
    fs, path = filesystem(url)
    if not isinstance(fs, AsyncFileSystem):
        return patiently(url, fs.open, path, "rb")
    if size and (not url.startswith("http") or _takes_ranges(fs, path, url)):
        return RangeReader(fs, path, url, size)  # type: ignore[return-value]
    return _fetched(fs, path, url, size)


def _takes_ranges(fs: Any, path: str, url: str) -> bool:
    return patiently(url, fs.info, path).get("partial", False)


def _fetched(fs: Any, path: str, url: str, size: int) -> BinaryIO:
    file = tempfile.NamedTemporaryFile(prefix="fetched-")  # noqa: SIM115 - handed out
    # compressed on the way, a file would be longer or shorter than announced
    options = {"headers": {"Accept-Encoding": "identity"}} if url.startswith("http") else {}

    def fetch() -> None:
        fs.get_file(path, file.name, **options)
        if size and (got := Path(file.name).stat().st_size) != size:
            raise OSError(errno.EIO, f"{got:,} of {size:,} bytes came", url)

    try:
        patiently(url, fetch)
        return open(file.name, "rb")
    finally:
        file.close()  # the opened file lives on without its name


class RangeReader(io.RawIOBase):
    """A remote file, read by requests for ranges of bytes; a request that broke off is made again.

    :param size: of the file in bytes.
    """

    def __init__(self, fs: Any, path: str, url: str, size: int) -> None:
        self._fs, self._path, self._url, self._size = fs, path, url, size
        self._at = self._start = 0
        self._held = b""
        self._block = FIRST_BLOCK

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def,override]
        if self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            straight_on = self._at == self._start + len(self._held)
            self._block = min(2 * self._block, LAST_BLOCK) if straight_on else FIRST_BLOCK
            end = min(self._at + max(self._block, len(buffer)), self._size)
            self._held = patiently(self._url, self._range, self._at, end)
            self._start = self._at
        low = self._at - self._start
        count = min(len(buffer), len(self._held) - low)
        buffer[:count] = memoryview(self._held)[low : low + count]
        self._at += count
        return count

    def _range(self, start: int, end: int) -> bytes:
        data = self._fs.cat_file(self._path, start=start, end=end)
        if len(data) != end - start:
            raise OSError(errno.EIO, f"{len(data):,} of {end - start:,} bytes came", self._url)
        return data
