"""The store: every intermediate result under a key made of what it was made from.

An artifact is a folder ``<store>/<stage>/<key[:2]>/<key>/``. It is written beside its place and moved there by one rename, so it is
there whole or not at all; ``meta.json`` inside it says what it is and what was counted. The key is a hash of the stage's name and
version, its parameters and the keys of its inputs: nothing is computed twice, and nothing stale is ever read.
"""

from __future__ import annotations

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
from sources.files import content_hash
from sources.readers.base import FileRef


def make_key(stage: str, version: str | int, **inputs: Any) -> str:
    """Key of an artifact: 32 hex digits of a hash over everything it depends on.

    :param inputs: JSON-serialisable; order of mappings does not matter.
    """
    text = json.dumps([stage, str(version), inputs], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Store:
    """A folder of artifacts.

    :param root: created if it is not there.
    :raises UserError: it cannot be created or written.
    """

    #: Key of the tombstones that this run works under (:func:`pipeline.forget.apply.begin`); None where nothing is forgotten.
    tombstones: str | None = None

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            (root / "tmp").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot use the store: {error.strerror}", where=root, fix="choose a writable folder with --store"
            ) from None
        if not os.access(root / "tmp", os.W_OK):
            raise UserError("cannot write to the store", where=root, fix="choose a writable folder with --store")

    def path(self, stage: str, key: str) -> Path:
        """Where an artifact is, or will be."""
        return self.root / stage / key[:2] / key

    def has(self, stage: str, key: str) -> bool:
        """Whether an artifact is there, whole."""
        return (self.path(stage, key) / "meta.json").is_file()

    def meta(self, stage: str, key: str) -> dict[str, Any]:
        """What an artifact says of itself."""
        return json.loads((self.path(stage, key) / "meta.json").read_text("utf-8"))

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
        (aside / "meta.json").write_text(_json(meta), "utf-8")
        place = self.path(stage, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(aside, place)
        except OSError:
            if not self.has(stage, key):
                raise

    def point(self, stage: str, key: str, meta: dict[str, Any]) -> None:
        """Write or replace an artifact that is its meta alone: what is known of another key, and may change."""
        place = self.path(stage, key)
        place.mkdir(parents=True, exist_ok=True)
        aside = self.root / "tmp" / f"point-{uuid.uuid4().hex[:8]}"
        aside.write_text(_json(meta), "utf-8")
        os.replace(aside, place / "meta.json")

    def remove(self, stage: str, key: str) -> int:
        """Take an artifact out: out of its place by one rename, then from the disk.

        :returns: bytes of its files.
        """
        aside = self.root / "tmp" / f"removed-{key[:8]}-{uuid.uuid4().hex[:8]}"
        try:
            os.rename(self.path(stage, key), aside)
        except FileNotFoundError:
            return 0
        size = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):  # others are there
            self.path(stage, key).parent.rmdir()
        return size

    def artifacts(self, stage: str = "*") -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Stage, key and meta of everything in the store, or of one stage; but for tables between steps."""
        for meta in sorted(self.root.glob(f"{stage}/??/*/meta.json")):
            name = meta.parents[2].name
            if name not in ("tmp", "work"):
                yield name, meta.parent.name, json.loads(meta.read_text("utf-8"))

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder that is gone when the block ends."""
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

    def fingerprints(self) -> FingerprintCache:
        """The cache of content hashes of raw files."""
        return FingerprintCache(self.root / "fingerprints.json")

    def lock(self) -> Callable[[], None]:
        """Take the store for one run.

        :returns: the function that gives it back.
        :raises UserError: another run has it.
        """
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
                "another run is using this store", where=self.root, fix="wait for it, or give --store another folder"
            ) from None
        # What an earlier run that was killed left half-written.
        for left in (self.root / "tmp").iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        return file.close


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


def _json(meta: dict[str, Any]) -> str:
    return json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False)


def split_key(ref: FileRef) -> list[Any]:
    """What of a raw file goes into keys: its name in the corpus and its content, not where it lies."""
    return [ref.name, ref.size, ref.fingerprint]
