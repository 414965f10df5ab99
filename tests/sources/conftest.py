"""Reading made-up files through a reader, as ingest would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sources.document import Bad, Record
from sources.readers import get_reader
from sources.readers.base import FileRef

Load = Callable[..., list[Record | Bad]]


def make_refs(folder: Path, files: dict[str, bytes | str]) -> list[FileRef]:
    """Write files below ``folder`` and return their references, sorted by name."""
    refs = []
    for name, content in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        refs.append(FileRef(str(path), name, len(data), f"fingerprint of {name}"))
    return refs


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """``load(reader, files, target_bytes=..., **options)``: everything a reader yields over all its splits."""

    def load(reader: str, files: dict[str, bytes | str], target_bytes: int = 1 << 20, **options) -> list[Record | Bad]:
        cls = get_reader(reader)
        made = cls(cls.Options(**options))
        found = [item for split in made.splits(make_refs(tmp_path, files), target_bytes) for item in made.read(split)]
        keys = [item.key for item in found if isinstance(item, Record)]
        assert len(keys) == len(set(keys)), "keys are unique within a source"
        return found

    return load
