"""A store on an object store (any fsspec URL), behind a cache on this machine's disk.

Everything is written and read as local files, so DuckDB, memory maps and Parquet readers need not know. An artifact is written aside,
its files are uploaded, then its ``meta.json``: where that is, the artifact is there, whole; where it is not, it is not. (Object stores
have no rename.) A file lies under a digest of its content, ``<stage>/<key[:2]>/<key>/<digest>/<name>``, and ``meta.json`` lists digests and
sizes: two writers of one key cannot mix their files, and what is fetched is compared with what was written.

What is there is always asked of the remote store, one by one at first and by a listing where many are asked; the cache only saves
fetching. When artifacts were removed (a text was forgotten), the store's ``generation`` changes and every cache of it is emptied.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem

from pipeline.cache import Cache
from pipeline.lease import Lease
from pipeline.store import Store, as_json
from sources.errors import UserError
from sources.files import content_hash
from sources.remote import filesystem, patiently

#: Bytes of a part of a multi-part upload, and how many are under way at once (S3 takes 10,000 parts of a file).
PART_BYTES, PARTS_AT_ONCE = 16 << 20, 4
#: Transfers and requests under way at once where many artifacts are asked for together.
AT_ONCE = 16
#: After so many questions about a stage that is listed no longer, it is listed.
_ASK_SINGLY = 8
#: Seconds for which a listing's "not there" is believed. ("There" is always true: artifacts go only when no run is under way.)
_LISTING_SECONDS = 60
#: Files without a ``meta.json`` that are older than this many seconds are of a writer that is gone.
_ORPHAN_SECONDS = 3600
#: The folder of an artifact.
_ARTIFACT = re.compile(r"^.*/([0-9a-f]{2})/\1[0-9a-f]{30}/")


class RemoteFolder:
    """Objects below a URL. Requests are repeated while they fail for a passing reason.

    :param url: any of fsspec.
    :raises UserError: fsspec does not know the protocol, or the library for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._fs, path = filesystem(self.url)
        except (ImportError, ValueError) as error:
            fix = (
                "pip install 'wellmix[s3]'" if url.startswith("s3") else "check the address; fsspec lists its protocols"
            )
            raise UserError(f"cannot use this address: {error}", where=url, fix=fix) from None
        self._base = path.rstrip("/")
        # object stores have no folders; to make one may ask for a bucket
        self._has_folders = not isinstance(self._fs, AsyncFileSystem)
        self._is_s3 = "s3" in ((self._fs.protocol,) if isinstance(self._fs.protocol, str) else self._fs.protocol)

    def place(self, name: str) -> str:
        """The URL of an object."""
        return f"{self.url}/{name}"

    def read(self, name: str) -> bytes:
        """The content of a small object.

        :raises FileNotFoundError: it is not there.
        """
        # a range, because s3fs asks for the size first where all of a file is wanted
        return patiently(self.place(name), self._fs.cat_file, self._path(name), start=0)

    def write(self, name: str, data: bytes) -> None:
        """Make or replace a small object."""
        patiently(self.place(name), self._pipe, name, data, "overwrite")

    def create(self, name: str, data: bytes) -> bool:
        """Make a small object unless it is there.

        :returns: whether it was made. Where the store cannot tell (an unusual one), the last writer wins.
        """
        try:
            patiently(self.place(name), self._pipe, name, data, "create")
        except FileExistsError:
            return False
        except (NotImplementedError, TypeError):
            self.write(name, data)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            self.write(name, data)
        return True

    def put(self, name: str, local: Path) -> None:
        """Upload a file, a large one in parts. What S3 takes is checked by checksums that go with each part."""
        patiently(self.place(name), self._put, name, local)

    def get(self, name: str, local: Path, size: int, digest: str | None = None) -> None:
        """Fetch a file.

        :param digest: BLAKE2b of its content, or as many of its digits as are known.
        :raises OSError: what came is not what was written.
        """
        local.parent.mkdir(parents=True, exist_ok=True)
        patiently(self.place(name), self._get, name, local, size, digest)

    def find(self, below: str = "") -> dict[str, dict[str, Any]]:
        """Name and facts of every object below a folder."""
        start = f"{self._base}/{below}" if below else self._base
        found = patiently(self.place(below), self._fs.find, start, detail=True)
        cut = len(self._fs._strip_protocol(self._base)) + 1
        return {name[cut:]: facts for name, facts in sorted(found.items()) if facts.get("type") == "file"}

    def stamps(self, below: str) -> dict[str, datetime]:
        """When each object below a folder was last written, by the store's clock."""
        stamps = {}
        for name, facts in self.find(below).items():
            value = next(facts[key] for key in ("LastModified", "last_modified", "mtime", "created") if facts.get(key))
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
            stamps[name] = value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
        return stamps

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        names = list(names)
        for at in range(0, len(names), 1000):
            patiently(self.url, self._remove, names[at : at + 1000])

    def forget(self, name: str) -> None:
        """Remove an object, trying once."""
        self._fs.rm_file(self._path(name))

    def abort_uploads(self, ours: re.Pattern[str]) -> int:
        """End multi-part uploads that somebody began and did not finish; S3 keeps, and bills, their parts.

        :param ours: matches the names of objects that nobody else can be uploading now.
        :returns: how many.
        """
        if not self._is_s3:
            return 0
        bucket, prefix, _ = self._fs.split_path(self._base + "/")
        aborted = 0
        marker: dict[str, str] = {}
        while True:
            page = patiently(
                self.url, self._fs.call_s3, "list_multipart_uploads", Bucket=bucket, Prefix=prefix, **marker
            )
            for upload in page.get("Uploads") or []:
                if upload["Key"].startswith(prefix) and ours.search(upload["Key"].removeprefix(prefix)):
                    self._abort(bucket, upload)
                    aborted += 1
            if not page.get("IsTruncated"):
                return aborted
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def _abort(self, bucket: str, upload: dict[str, Any]) -> None:
        call = partial(self._fs.call_s3, Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        with suppress(FileNotFoundError):  # ended meanwhile
            patiently(self.url, call, "abort_multipart_upload")

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _pipe(self, name: str, data: bytes, mode: str) -> None:
        self._make_folder(name)
        self._fs.pipe_file(self._path(name), data, mode=mode)

    def _put(self, name: str, local: Path) -> None:
        self._make_folder(name)
        if not self._is_s3:
            self._fs.put_file(str(local), self._path(name))
            return
        size = local.stat().st_size
        part = max(PART_BYTES, -(-size // 9_000))
        self._fs.put_file(str(local), self._path(name), chunksize=part, max_concurrency=PARTS_AT_ONCE)
        if size >= 2 * part and (there := self._fs.info(self._path(name))["size"]) != size:
            raise OSError(errno.EIO, f"{there:,} of {size:,} bytes arrived", self.place(name))

    def _make_folder(self, name: str) -> None:
        if self._has_folders:
            self._fs.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def _get(self, name: str, local: Path, size: int, digest: str | None) -> None:
        self._fs.get_file(self._path(name), str(local))
        if (got := local.stat().st_size) != size:
            raise OSError(errno.EIO, f"{got:,} of {size:,} bytes came", self.place(name))
        if digest is not None and not content_hash(local).startswith(digest):
            raise OSError(errno.EIO, "the content is not what was written", self.place(name))

    def _remove(self, names: list[str]) -> None:
        if self._has_folders:
            for name in names:
                try:
                    self._fs.rm_file(self._path(name))
                except FileNotFoundError:
                    continue
        else:
            self._fs.rm([self._path(name) for name in names])


@contextmanager
def in_reach(what: str, where: str, *, may: str, exist: str = "used") -> Iterator[None]:
    """Tell what keeps a place at a URL from being used.

    :param may: what is asked of it: read or written.
    :param exist: what cannot be done with one that is not there.
    :raises UserError: it is not there, or may not be.
    """
    try:
        yield
    except PermissionError as error:
        raise UserError(
            f"{what} may not be {may}: {error.strerror}", where=where, fix="check the credentials, and what they allow"
        ) from None
    except FileNotFoundError as error:
        raise UserError(
            f"{what} cannot be {exist}: {error.strerror}", where=where, fix="make its bucket, or check the address"
        ) from None


def many(call: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """Call a function that waits for the network for many arguments at once; results in order.

    :raises Exception: the first that a call raised.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, *arguments))


def cache_folder(url: str) -> Path:
    """Where what lies at ``url`` is kept on this machine: a folder named by a digest of the URL.

    It lies in the folder of ``WELLMIX_CACHE``, or in ``wellmix`` in the user's cache folder.
    """
    named = os.environ.get("WELLMIX_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wellmix"
    return Path(named or home).absolute() / hashlib.blake2b(url.rstrip("/").encode(), digest_size=8).hexdigest()


def cache_limit() -> int | None:
    """Bytes the cache may take (``WELLMIX_CACHE_SIZE``, such as 500GB); None for no limit.

    :raises UserError: it is no size.
    """
    text = os.environ.get("WELLMIX_CACHE_SIZE", "").strip()
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", text, re.IGNORECASE)
    if not found:
        raise UserError(f"{text!r} is no size", where="WELLMIX_CACHE_SIZE", fix="for example 500GB")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2].lower() or " "))


@lru_cache(maxsize=8)
def remote_store(url: str, root: Path, limit: int | None) -> RemoteStore:
    """The store at a URL, once a process: a worker does many tasks, and what is known of the store serves them all."""
    return RemoteStore(url, root, limit)


class RemoteStore(Store):
    """A store at a URL.

    :param url: any of fsspec.
    :param root: the cache's folder, created if it is not there; one store each.
    :param limit: bytes of artifacts the cache may hold; None for no limit.
    :raises UserError: the URL or the cache cannot be used.
    """

    def __init__(self, url: str, root: Path, limit: int | None = None) -> None:
        super().__init__(root)
        root.chmod(0o700)
        self.location, self.limit = url.rstrip("/"), limit
        self._remote = RemoteFolder(url)
        self._cache = Cache(root, limit)
        self._there: dict[str, set[str]] = {}
        self._listed: dict[str, float] = {}
        self._asked: dict[str, int] = {}
        self._lease: Lease | None = None
        self._process = (root / "processes").open("a")
        self._sweep_if_alone()
        # not asked here: workers are handed stores, and must not fail before they have a task
        self._followed = False

    def __reduce__(self) -> tuple:
        return remote_store, (self.location, self.root, self.limit)

    def path(self, stage: str, key: str) -> Path:
        """Where an artifact is on this machine; fetched if it is not.

        :raises FileNotFoundError: there is no such artifact.
        :raises OSError: the store is out of reach, or what came is not what was written.
        """
        self._follow()
        place = super().path(stage, key)
        # again, because others that share the cache may make room before this one has said that it uses it
        while not self._cache.use(place):
            self._fetch(stage, key, place)
        return place

    def paths(self, stage: str, keys: Iterable[str]) -> list[Path]:
        """Where artifacts are on this machine, many fetched at once."""
        return many(lambda key: self.path(stage, key), keys)

    def has(self, stage: str, key: str) -> bool:
        """Whether an artifact is there, whole."""
        self._follow()
        there = self._there.setdefault(stage, set())
        if key in there:
            return True
        if time.monotonic() - self._listed.get(stage, -_LISTING_SECONDS) < _LISTING_SECONDS:
            return False
        self._asked[stage] = self._asked.get(stage, 0) + 1
        if self._asked[stage] <= _ASK_SINGLY:
            if found := self._record(stage, key, fresh=True) is not None:
                there.add(key)
            return found
        self._asked[stage] = 0
        self._listed[stage] = time.monotonic()
        there.update(name.split("/")[-2] for name in self._remote.find(stage) if name.endswith("/meta.json"))
        return key in there

    def meta(self, stage: str, key: str) -> dict[str, Any]:
        """What an artifact says of itself.

        :raises FileNotFoundError: there is no such artifact.
        """
        self._follow()
        record = self._record(stage, key)
        if record is None:
            raise FileNotFoundError(errno.ENOENT, "no such artifact", self._remote.place(_folder(stage, key)))
        record.pop("stored", None)
        return record

    def metas(self, stage: str, keys: Iterable[str]) -> list[dict[str, Any]]:
        """What artifacts say of themselves, many asked at once."""
        return many(lambda key: self.meta(stage, key), keys)

    def remove(self, stage: str, keys: Iterable[str]) -> int:
        """Remove artifacts, here and from every cache of the store.

        :returns: bytes of their files.
        """
        keys = list(keys)
        size = 0
        self.check_held()
        # first, so that a cache that was filled between being killed and starting again is emptied then
        self._generation(uuid.uuid4().hex)
        for key in keys:
            if (record := self._record(stage, key)) is not None:
                size += sum(length for length, _ in record.get("stored", {}).values())
            self._forget(stage, key)
            self._remove_below(_folder(stage, key))
        return size

    def point(self, stage: str, key: str, meta: dict[str, Any]) -> None:
        """Write or replace an artifact that is its meta alone."""
        data = as_json(meta | {"stored": {}}).encode()
        self._remote.write(f"{_folder(stage, key)}/meta.json", data)
        self._keep_record(stage, key, data)
        self._there.setdefault(stage, set()).add(key)

    def artifacts(self, stage: str = "*") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Stage, key and meta of everything in the store, or of one stage; but for tables between steps."""
        found = [pair for pair in self._pairs("" if stage == "*" else stage) if not pair[0].startswith("work/")]
        metas = many(lambda pair: self.meta(*pair), found)
        yield from ((name, key, meta) for (name, key), meta in zip(found, metas, strict=True))

    def _pairs(self, below: str) -> list[tuple[str, str]]:
        """Stage and key of every artifact below a folder."""
        names = [name.split("/") for name in self._remote.find(below)]
        return sorted(("/".join(name[:-3]), name[-2]) for name in names if len(name) >= 4 and name[-1] == "meta.json")

    def fetch(self) -> None:
        """Bring everything to this machine, tables between steps, too."""
        many(lambda pair: self.path(*pair), self._pairs(""))

    def note(self, name: str) -> dict[str, Any] | None:
        """A small file of the store's own, by name; None where there is none, or it is damaged."""
        try:
            return json.loads(self._remote.read(f"{name}.json"))
        except (FileNotFoundError, ValueError):
            return None

    def write_note(self, name: str, value: dict[str, Any]) -> None:
        """Write or replace it."""
        self._remote.write(f"{name}.json", as_json(value).encode())

    def discard(self, stage: str, keys: Iterable[str]) -> None:
        """Remove artifacts that nobody will ask for again; copies in other caches do not matter."""
        for key in keys:
            self._forget(stage, key)
            self._remove_below(_folder(stage, key))

    def sweep_work(self) -> None:
        """Remove what went from one step to the next."""
        self.check_held()
        self._remove_below("work")
        for stage in [stage for stage in self._there if stage.startswith("work/")]:
            del self._there[stage]
        super().sweep_work()
        shutil.rmtree(self.root / "metas" / "work", ignore_errors=True)

    def shared(self, name: str) -> str:
        """The URL of a folder in the store that all workers see, for files that are no artifacts."""
        return self._remote.place(name)

    @contextmanager
    def using(self) -> Iterator[None]:
        """A task: what is first fetched inside the block may leave the cache when it has ended."""
        with self._cache.using():
            yield

    def lock(self) -> Callable[[], None]:
        """Take the store for one run; see :mod:`pipeline.lease` for what that guarantees.

        Also removes what runs that were killed left: multi-part uploads, files whose ``meta.json`` never came.

        :returns: the function that gives it back.
        :raises UserError: another run has it, it does not exist, or it may not be written.
        """
        release_folder = self._take_folder()
        try:
            lease = Lease(self._remote, self._cache_id())
            with in_reach("the store", self.location, may="written"):
                broken = lease.take()
        except BaseException:
            release_folder()
            raise

        def release() -> None:
            self._lease = None
            lease.release()
            release_folder()

        self._lease = lease
        try:
            self._sweep_tmp()
            self._there.clear()
            self._listed.clear()
            self._asked.clear()
            self._followed = False
            self._follow()
            self._remote.abort_uploads(_ARTIFACT)
            if broken:
                self._sweep_orphans()
        except BaseException:
            release()
            raise
        return release

    def commit(self, aside: Path, stage: str, key: str, meta: dict[str, Any]) -> None:
        """Upload a folder, its ``meta.json`` last, and move it to its place in the cache."""
        self._follow()
        folder = _folder(stage, key)
        stored: dict[str, list[Any]] = {}
        for path in sorted(path for path in aside.rglob("*") if path.is_file()):
            name, digest = path.relative_to(aside).as_posix(), content_hash(path)
            stored[name] = [path.stat().st_size, digest]
            self._remote.put(f"{folder}/{_object(name, digest)}", path)
        record = meta | {"stored": stored}
        data = as_json(record).encode()
        first = self._remote.create(f"{folder}/meta.json", data)
        theirs = record if first else self._record(stage, key, fresh=True)
        if theirs is None:
            self._remote.write(f"{folder}/meta.json", data)  # one that was cut short, on a plain file system
        elif theirs["stored"] != stored:
            # somebody else wrote the same with other bytes, and was first
            kept = {_object(name, digest) for name, (_, digest) in theirs["stored"].items()}
            mine = {_object(name, digest) for name, (_, digest) in stored.items()}
            self._remote.remove(f"{folder}/{name}" for name in sorted(mine - kept))
            self._there.setdefault(stage, set()).add(key)
            return
        self._keep_record(stage, key, data)
        super().commit(aside, stage, key, meta)
        self._there.setdefault(stage, set()).add(key)
        self._cache.grew(sum(size for size, _ in stored.values()))

    def _record(self, stage: str, key: str, *, fresh: bool = False) -> dict[str, Any] | None:
        """An artifact's ``meta.json`` as it lies in the store; None where there is none.

        :param fresh: ask the store, whatever is kept here.
        """
        kept = self.root / "metas" / _folder(stage, key)
        if not fresh:
            try:
                return json.loads(kept.read_bytes())
            except (OSError, ValueError):
                pass
        try:
            data = self._remote.read(f"{_folder(stage, key)}/meta.json")
            record = json.loads(data)
        except (FileNotFoundError, ValueError):
            return None
        self._keep_record(stage, key, data)
        return record

    def _keep_record(self, stage: str, key: str, data: bytes) -> None:
        kept = self.root / "metas" / _folder(stage, key)
        kept.parent.mkdir(parents=True, exist_ok=True)
        self._replace(kept, data.decode())

    def _fetch(self, stage: str, key: str, place: Path) -> None:
        record = self._record(stage, key)
        if record is None:
            raise FileNotFoundError(errno.ENOENT, "no such artifact", self._remote.place(_folder(stage, key)))
        stored = record.pop("stored")
        with self.scratch(f"{stage.replace('/', '-')}-{key[:8]}") as aside:
            for name, (size, digest) in stored.items():
                self._remote.get(f"{_folder(stage, key)}/{_object(name, digest)}", aside / name, size, digest)
            super().commit(aside, stage, key, record)
        self._cache.grew(sum(size for size, _ in stored.values()))

    def _forget(self, stage: str, key: str) -> None:
        self._there.get(stage, set()).discard(key)
        (self.root / "metas" / _folder(stage, key)).unlink(missing_ok=True)
        shutil.rmtree(super().path(stage, key), ignore_errors=True)

    def _remove_below(self, folder: str) -> None:
        """Remove everything below a folder, ``meta.json`` first."""
        names = self._remote.find(folder)
        last = [name for name in names if not name.endswith("/meta.json")]
        self._remote.remove(name for name in names if name.endswith("/meta.json"))
        self._remote.remove(last)
        if left := self._remote.find(folder):
            raise OSError(errno.EIO, f"{len(left)} objects could not be removed", self._remote.place(folder))

    def _sweep_orphans(self) -> None:
        """Remove files whose ``meta.json`` never came: their writer was killed."""
        stamps = self._remote.stamps("")
        whole = {name.removesuffix("meta.json") for name in stamps if name.endswith("/meta.json")}
        parts = {name: found[0] for name in stamps if (found := _ARTIFACT.search(name))}
        newest = max(stamps.values(), default=datetime.now(UTC))
        self._remote.remove(
            name
            for name, folder in parts.items()
            if folder not in whole and (newest - stamps[name]).total_seconds() > _ORPHAN_SECONDS
        )

    def check_held(self) -> None:
        """Whether this run still has the store; another may take it after a long silence.

        :raises UserError: it has not.
        """
        if self._lease is not None:
            self._lease.check()

    def _generation(self, new: str | None = None) -> str:
        if new is not None:
            self._remote.write("generation", new.encode())
            (self.root / "generation").write_text(new)
            return new
        try:
            return self._remote.read("generation").decode()
        except FileNotFoundError:
            return ""

    def _follow(self) -> None:
        """Empty the cache if artifacts were removed from the store since it was last used; asked once a process and run."""
        if self._followed:
            return
        own = self.root / "generation"
        with in_reach("the store", self.location, may="read"):
            now = self._generation()
        if now != (own.read_text() if own.exists() else ""):
            for path in self.root.iterdir():
                if path.is_dir() and path.name not in ("tmp", "uses"):
                    shutil.rmtree(path, ignore_errors=True)
            own.write_text(now)
        self._followed = True

    def _cache_id(self) -> str:
        own = self.root / "id"
        if not own.exists():
            own.write_text(uuid.uuid4().hex)
        return own.read_text()

    def _sweep_if_alone(self) -> None:
        """Remove what processes that were killed left half-written here, if no other uses the cache."""
        try:
            fcntl.flock(self._process, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sweep_tmp()
        except BlockingIOError:
            pass
        fcntl.flock(self._process, fcntl.LOCK_SH)


def _folder(stage: str, key: str) -> str:
    return f"{stage}/{key[:2]}/{key}"


def _object(name: str, digest: str) -> str:
    return f"{digest[:16]}/{name}"
