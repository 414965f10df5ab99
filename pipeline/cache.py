"""A folder of artifacts that other places hold too, kept below a size: the least recently used go first, never one in use.

What a process has been handed it may open later, or again (DuckDB does), so it stays until the process says that it is done with it
(:meth:`Cache.using`) or ends. Processes of one machine that share the folder tell each other what they use by files in ``uses/``, each
locked by its owner: a lock dies with its process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: A folder over its limit is trimmed to this share of it, so that it is not trimmed at every turn.
_TRIM_TO = 0.8
#: What lies in the folder beside artifacts.
_OWN = ("tmp", "uses", "metas")


class Cache:
    """Bounds a folder of artifacts.

    :param root: the folder; an artifact is any folder below it with a ``meta.json``.
    :param limit: bytes of artifacts; None for no limit. What is in use stays even beyond it.
    """

    def __init__(self, root: Path, limit: int | None) -> None:
        self.root, self.limit = root, limit
        self._used: set[str] = set()
        self._uses: int | None = None
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._added: int | None = None

    def use(self, place: Path) -> bool:
        """Say that an artifact is used from now on.

        :returns: whether it is there.
        """
        if self.limit is None:
            return (place / "meta.json").is_file()
        with self._lock(fcntl.LOCK_SH):
            if str(place) not in self._used:
                self._used.add(str(place))
                os.write(self._file(), f"{place}\n".encode())
            try:
                os.utime(place / "meta.json")
            except OSError:
                return False
            return True

    @contextmanager
    def using(self) -> Iterator[None]:
        """What is first used inside the block may go when it ends."""
        before = set(self._used)
        try:
            yield
        finally:
            if self._used != before:
                self._used = before
                with self._lock(fcntl.LOCK_SH):
                    os.ftruncate(self._file(), 0)
                    os.write(self._file(), "".join(f"{place}\n" for place in sorted(before)).encode())

    def grew(self, size: int) -> None:
        """Say that an artifact of ``size`` bytes came; removes others where they are too many."""
        if self.limit is None:
            return
        # at first nobody knows what earlier runs left
        if self._added is None or self._added + size > self.limit // 20:
            self.trim()
            self._added = 0
        else:
            self._added += size

    def trim(self) -> None:
        """Remove artifacts, the least recently used first, until what is left keeps to the limit."""
        gone = self.root / "tmp" / f"gone-{uuid.uuid4().hex[:8]}"
        with self._lock(fcntl.LOCK_EX):
            found = sorted(self._artifacts())
            total = sum(size for _, size, _ in found)
            if self.limit is None or total <= self.limit:
                return
            used = self._in_use()
            gone.mkdir(parents=True)
            for number, (_, size, place) in enumerate(found):
                if total <= self.limit * _TRIM_TO:
                    break
                if place not in used:
                    os.rename(place, gone / str(number))
                    total -= size
        shutil.rmtree(gone, ignore_errors=True)

    def _artifacts(self) -> Iterator[tuple[int, int, str]]:
        """Last use, bytes and place of each."""
        for folder, folders, files in os.walk(self.root):
            if folder == str(self.root):
                folders[:] = [name for name in folders if name not in _OWN]
            if "meta.json" in files:
                folders.clear()
                size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
                yield (Path(folder) / "meta.json").stat().st_mtime_ns, size, folder

    def _in_use(self) -> set[str]:
        used = set(self._used)
        for path in (self.root / "uses").iterdir():
            if path.name == self._name:
                continue
            with path.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    used.update(file.read().splitlines())
                else:
                    path.unlink(missing_ok=True)  # its owner is gone
        return used

    def _file(self) -> int:
        if self._uses is None:
            (self.root / "uses").mkdir(exist_ok=True)
            self._uses = os.open(self.root / "uses" / self._name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            fcntl.flock(self._uses, fcntl.LOCK_EX)
        return self._uses

    @contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        with (self.root / "trim").open("a") as file:
            fcntl.flock(file, kind)
            if kind == fcntl.LOCK_EX:
                (self.root / "uses").mkdir(exist_ok=True)
            yield
