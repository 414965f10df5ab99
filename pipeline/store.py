"""The store: every intermediate result under a key made of what it was made from.

An artifact is a folder ``<store>/<stage>/<key[:2]>/<key>/``. It is written beside its place and moved there by one rename, so it is
there whole or not at all; ``meta.json`` inside it says what it is and what was counted. The key is a hash of the stage's name and
version, its parameters and the keys of its inputs: nothing is computed twice, and nothing stale is ever read.

A store may also lie at a URL (:mod:`pipeline.remote`): the same artifacts, and the same methods.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sources.errors import UserError
from sources.files import content_hash
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
        return (self.path(stage, key) / "meta.json").is_file()

    def meta(self, stage: str, key: str) -> dict[str, Any]:
        """What an artifact says of itself."""
        return json.loads((self.path(stage, key) / "meta.json").read_text("utf-8"))

    def metas(self, stage: str, keys: Iterable[str]) -> list[dict[str, Any]]:
        """What several artifacts say of themselves."""
        return [self.meta(stage, key) for key in keys]

    def remove(self, stage: str, keys: Iterable[str]) -> None:
        """Remove artifacts for good: no copy of them is used again, on any machine."""
        for key in keys:
            shutil.rmtree(self.path(stage, key), ignore_errors=True)

    def discard(self, stage: str, keys: Iterable[str]) -> None:
        """Remove artifacts that are of no more use."""
        self.remove(stage, keys)

    @contextmanager
    def write(self, stage: str, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """A folder to write an artifact into, and its meta; both are committed when the block ends without an error.

        Of two writers of one key the first wins; both wrote the same.
        """
        aside = self.root / "tmp" / f"{stage.replace('/', '-')}-{key[:8]}-{uuid.uuid4().hex[:8]}"
        aside.mkdir(parents=True)
        meta: dict[str, Any] = {}
        try:
            yield aside, meta
            self._commit(stage, key, aside, meta)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _commit(self, stage: str, key: str, aside: Path, meta: dict[str, Any]) -> None:
        (aside / "meta.json").write_text(json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False), "utf-8")
        place = Store.path(self, stage, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(aside, place)
        except OSError:
            if not (place / "meta.json").is_file():
                raise

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
        file = self._take_folder()
        self._sweep_tmp()
        return file.close

    def _take_folder(self) -> IO[str]:
        import fcntl

        try:
            file = (self.root / "lock").open("a+")
        except OSError as error:
            raise UserError(
                f"cannot use the store: {error.strerror}",
                where=error.filename,
                fix="choose another folder with --store",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise UserError(
                "another run is using this store",
                where=self.location,
                fix="wait for it, or give --store another folder",
            ) from None
        return file

    def _sweep_tmp(self) -> None:
        """Remove what an earlier run that was killed left half-written."""
        for left in (self.root / "tmp").iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


class FingerprintCache:
    """Content hashes of raw files by path, size and modification time, so that an unchanged file is hashed once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, list] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._known = {}
        self._changed = False

    def __call__(self, path: Path) -> str:
        """BLAKE2b-128 of the file's content, 32 hex digits."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        entry = self._known.get(str(path))
        if entry is None or entry[:2] != stamp:
            entry = self._known[str(path)] = [*stamp, content_hash(path)]
            self._changed = True
        return entry[2]

    def save(self) -> None:
        """Write the cache if something new was hashed."""
        if self._changed:
            aside = self._path.with_suffix(f".{uuid.uuid4().hex[:8]}")
            aside.write_text(json.dumps(self._known), "utf-8")
            os.replace(aside, self._path)


def split_key(ref: FileRef) -> list[Any]:
    """What of a raw file goes into keys: its name in the corpus and its content, not where it lies."""
    return [ref.name, ref.size, ref.fingerprint]
