"""Helpers of the tests of tabular readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sources.document import Bad, Record
from sources.readers import get_reader
from sources.readers.base import FileRef, Reader, Split


def ref(path: Path) -> FileRef:
    """A reference to a file, named as in a card whose root is the file's folder."""
    return FileRef(str(path), path.name, path.stat().st_size, "0" * 32)


def reader(name: str, **options: Any) -> Reader:
    """A configured reader."""
    cls = get_reader(name)
    return cls(cls.Options(**options))


def read(name: str, *paths: Path, target: int = 64 << 20, **options: Any) -> tuple[list[Record], list[Bad]]:
    """Records and bad records of some files, read split by split."""
    made = reader(name, **options)
    items = [item for split in made.splits([ref(path) for path in paths], target) for item in made.read(split)]
    return [item for item in items if isinstance(item, Record)], [item for item in items if isinstance(item, Bad)]


def read_split(name: str, split: Split, **options: Any) -> list[Record | Bad]:
    """What one split gives."""
    return list(reader(name, **options).read(split))


def reasons(bad: list[Bad]) -> list[str]:
    """Why records are bad."""
    return [item.reason for item in bad]
