"""The store: every intermediate result under a key made of what it was made from.

An artifact is a folder ``<store>/<stage>/<key[:2]>/<key>/``. It is written beside its place and moved there by one rename, so it is
there whole or not at all; ``meta.json`` inside it says what it is and what was counted. The key is a hash of the stage's name and
version, its parameters and the keys of its inputs: nothing is computed twice, and nothing stale is ever read.

A store may also lie at a URL (:mod:`pipeline.remote`): the same artifacts, and the same methods.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sources.errors import UserError
from sources.files import content_hash, stamp
from sources.readers.base import FileRef
from sources.remote import is_url


def make_key(stage: str, version: str | int, **inputs: Any) -> str:
    """Key of an artifact: 32 hex digits of a hash over everything it depends on.

    :param inputs: JSON-serialisable; order of mappings does not matter.
    """
    text = json.dumps([stage, str(version), inputs], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def open_store(location: Path | str) -> Store:
    """The store at a path or an fsspec URL.

    :raises UserError: it cannot be used.
    """
    if not is_url(location):
        return Store(Path(location))
    from pipeline.remote import cache_folder, cache_limit, remote_store

    url = str(location).rstrip("/")
    return remote_store(url, cache_folder(url), cache_limit())


def there_is_a_store(location: Path | str) -> bool:
    """Whether a place can hold a store that was used before; asks no network."""
    return is_url(location) or Path(location).is_dir()


class Store:
    """A folder of artifacts.

    Workers get it pickled.

    :param root: created if it is not there.
    :raises UserError: it cannot be created or written.
    """

    #: Key of the tombstones that this run works under (:func:`pipeline.forget.apply.begin`); None where nothing is forgotten.
    tombstones: str | None = None

    def __init__(self, root: Path) -> None:
        self.root = root
        #: Names it: what ``--store`` takes.
        self.location = str(root)
        try:
            (root / "tmp").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot use the store: {error.strerror}", where=root, fix="choose a writable folder with --store"
            ) from None
        if not os.access(root / "tmp", os.W_OK):
            raise UserError("cannot write to the store", where=root, fix="choose a writable folder with --store")

    def __eq__(self, other: object) -> bool:
        # a worker gets a copy with each task, and keeps by its store what it has loaded
        return isinstance(other, Store) and self.location == other.location

    def __hash__(self) -> int:
        return hash(self.location)

    def __repr__(self) -> str:
        return self.location

    def path(self, stage: str, key: str) -> Path:
        """Where an artifact is, or will be."""
        return self.root / stage / key[:2] / key

    def paths(self, stage: str, keys: Iterable[str]) -> list[Path]:
        """Where several artifacts are; a remote store fetches them at once, so ask for all together."""
        return [self.path(stage, key) for key in keys]

    def has(self, stage: str, key: str) -> bool:
        """Whether an artifact is there, whole."""
        return _is_whole(self.path(stage, key))

    def meta(self, stage: str, key: str) -> dict[str, Any]:
        """What an artifact says of itself.

        :raises UserError: it is damaged.
        """
        path = self.path(stage, key) / "meta.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except ValueError:
            raise damaged(path) from None

    def metas(self, stage: str, keys: Iterable[str]) -> list[dict[str, Any]]:
        """What several artifacts say of themselves."""
        return [self.meta(stage, key) for key in keys]

    def remove(self, stage: str, keys: Iterable[str]) -> int:
        """Remove artifacts for good: no copy of them is used again, on any machine.

        Each leaves its place by one rename, and then the disk.

        :returns: bytes of their files.
        """
        size = 0
        for key in keys:
            place = Store.path(self, stage, key)
            aside = self.root / "tmp" / f"removed-{key[:8]}-{uuid.uuid4().hex[:8]}"
            try:
                os.rename(place, aside)
            except FileNotFoundError:
                continue
            size += sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
            shutil.rmtree(aside, ignore_errors=True)
            with suppress(OSError):  # others are there
                place.parent.rmdir()
        return size

    def discard(self, stage: str, keys: Iterable[str]) -> None:
        """Remove artifacts that are of no more use."""
        self.remove(stage, keys)

    @contextmanager
    def write(self, stage: str, key: str, inputs: Iterable[str] | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
        """A folder to write an artifact into, and its meta; both are committed when the block ends without an error.

        Of two writers of one key the first wins; both wrote the same.

        :param inputs: keys of the artifacts it is made from, so that what was made of something can be found and removed. One that
            does not say is removed whenever anything is.
        """
        with self.scratch(f"{stage.replace('/', '-')}-{key[:8]}") as aside:
            meta: dict[str, Any] = {}
            yield aside, meta
            if inputs is not None:
                meta["inputs"] = sorted(set(inputs))
            self.commit(aside, stage, key, meta)

    def commit(self, aside: Path, stage: str, key: str, meta: dict[str, Any]) -> None:
        """Move a folder, written in a :meth:`scratch`, to the place of an artifact; for what knows its key only at the end."""
        (aside / "meta.json").write_text(as_json(meta), "utf-8")
        flush(aside)
        place = Store.path(self, stage, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(aside, place)
        except OSError:
            if _is_whole(place):
                return
            # what is in the way is no artifact
            shutil.rmtree(place, ignore_errors=True)
            os.rename(aside, place)

    def point(self, stage: str, key: str, meta: dict[str, Any]) -> None:
        """Write or replace an artifact that is its meta alone: what is known of another key, and may change."""
        place = self.path(stage, key)
        place.mkdir(parents=True, exist_ok=True)
        self._replace(place / "meta.json", as_json(meta))

    def artifacts(self, stage: str = "*") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Stage, key and meta of everything in the store, or of one stage; but for tables between steps."""
        for meta in sorted(self.root.glob(f"{stage}/??/*/meta.json")):
            name = meta.parents[2].name
            if name not in ("tmp", "work"):
                yield name, meta.parent.name, json.loads(meta.read_text("utf-8"))

    def fetch(self) -> None:
        """Bring everything to this machine, where it is."""

    def note(self, name: str) -> dict[str, Any] | None:
        """A small file of the store's own, by name; None where there is none, or it is damaged."""
        try:
            return json.loads((self.root / f"{name}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def write_note(self, name: str, value: dict[str, Any]) -> None:
        """Write or replace it."""
        self._replace(self.root / f"{name}.json", as_json(value))

    def _replace(self, path: Path, text: str) -> None:
        aside = self.root / "tmp" / f"replacing-{uuid.uuid4().hex[:8]}"
        aside.write_text(text, "utf-8")
        os.replace(aside, path)

    @contextmanager
    def using(self) -> Iterator[None]:
        """A task: artifacts it read are no longer needed on this machine when the block ends."""
        yield

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder on this machine that is gone when the block ends; other processes may be elsewhere and not see it."""
        path = self.root / "tmp" / f"{name}-{uuid.uuid4().hex[:8]}"
        path.mkdir(parents=True)
        try:
            with writing(path):
                yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def sweep_work(self) -> None:
        """Remove what went from one step to the next.

        Such tables are artifacts, too, of stages named ``work/...``: a run that was killed finds them again. When a run has ended
        well nothing needs them any more.
        """
        shutil.rmtree(self.root / "work", ignore_errors=True)

    def shared(self, name: str) -> str:
        """A folder in the store, or its URL, that all workers see, for files that are no artifacts."""
        return str(self.root / name)

    def fingerprints(self) -> FingerprintCache:
        """The cache of content hashes of raw files."""
        return FingerprintCache(self.root / "fingerprints.json")

    def lock(self) -> Callable[[], None]:
        """Take the store for one run.

        :returns: the function that gives it back.
        :raises UserError: another run has it.
        """
        release = self._take_folder()
        self._sweep_tmp()
        return release

    def check_held(self) -> None:
        """Whether this run still has the store; the lock of a folder lasts as long as the run."""

    def _take_folder(self) -> Callable[[], None]:
        try:
            return lock(
                self.root / "lock",
                "another run is using this store",
                self.location,
                "wait for it, or give --store another folder",
            )
        except OSError as error:
            raise UserError(
                f"cannot use the store: {error.strerror}",
                where=error.filename,
                fix="choose another folder with --store",
            ) from None

    def _sweep_tmp(self) -> None:
        """Remove what an earlier run that was killed left half-written."""
        for left in (self.root / "tmp").iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def as_json(meta: dict[str, Any]) -> str:
    """As the store writes what an artifact says of itself."""
    return json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False)


def _is_whole(place: Path) -> bool:
    # an empty meta.json is what a power cut may leave where nothing reached the disk
    try:
        return (place / "meta.json").stat().st_size > 0
    except OSError:
        return False


def lock(path: Path, taken: str, where: Path | str, fix: str) -> Callable[[], None]:
    """Take a lock that ends with the process that holds it, however that ends.

    :param path: the lock's file; made, and after :meth:`Path.unlink` by its holder made anew.
    :param taken, where, fix: what to say if another process holds it.
    :returns: the function that gives it back.
    :raises UserError: it is held, or the file system knows no locks.
    :raises OSError: its file cannot be made.
    """
    import fcntl

    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UserError(taken, where=where, fix=fix) from None
        except OSError as error:
            file.close()
            raise UserError(
                f"the file system knows no locks: {error.strerror}",
                where=where,
                fix="choose a folder on a local disk",
            ) from None
        try:
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file.close
        except FileNotFoundError:
            pass
        file.close()  # its last holder removed it between our two calls


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Let a write for which there is no room say where that was; Arrow does not."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            # semaphores of a pool of workers lie in memory
            shared = Path("/dev/shm")
            full = shared.is_dir() and os.statvfs(shared).f_bavail == 0
            error.filename = str(shared if full else folder)
        raise


def flush(folder: Path) -> None:
    """Have all of a folder on the disk itself. A rename that follows may survive a power cut that what it moved would not."""
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            descriptor = os.open(os.path.join(place, name), os.O_RDONLY)  # noqa: PTH118
            try:
                os.fsync(descriptor)
            except OSError as error:
                # some file systems cannot do it to a folder; of a file it is a failed write
                if name != "." or error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
            finally:
                os.close(descriptor)


class DamagedError(UserError):
    """A file that is not what was written."""


def damaged(path: Path) -> DamagedError:
    """The error of a file of the store that is not what was written."""
    return DamagedError(
        "a file of the store is damaged",
        where=path,
        fix=f"delete the folder {path.parent}; the same command makes it again",
    )


class FingerprintCache:
    """Content hashes of raw files by path and :func:`sources.files.stamp`, so that an unchanged file is hashed once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, list] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._known = {}
        self._changed = False

    def __call__(self, path: Path) -> str:
        """BLAKE2b-128 of the file's content, 32 hex digits."""
        now = list(stamp(path))
        entry = self._known.get(str(path))
        if entry is None or entry[:-1] != now:
            entry = self._known[str(path)] = [*now, content_hash(path)]
            self._changed = True
        return entry[-1]

    def save(self) -> None:
        """Write the cache if something new was hashed."""
        if self._changed:
            aside = self._path.parent / "tmp" / f"{self._path.name}-{uuid.uuid4().hex[:8]}"
            aside.parent.mkdir(exist_ok=True)
            aside.write_text(json.dumps(self._known), "utf-8")
            os.replace(aside, self._path)


def split_key(ref: FileRef) -> list[Any]:
    """What of a raw file goes into keys: its name in the corpus and its content, not where it lies."""
    return [ref.name, ref.size, ref.fingerprint]
