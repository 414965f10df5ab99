"""Reading made-up files as ingest would, and how much memory that takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sources.document import Bad, Record
from sources.readers import get_reader
from sources.readers.base import FileRef

ROOT = Path(__file__).parents[2]


def read(folder: Path, reader: str, files: dict[str, bytes], **options: Any) -> list[Record | Bad]:
    """Everything a reader yields of some files."""
    refs = []
    for name, data in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        refs.append(FileRef(str(path), name, len(data), name))
    cls = get_reader(reader)
    made = cls(cls.Options(**options))
    return [item for split in made.splits(refs, 1 << 20) for item in made.read(split)]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[Record | Bad]]:
    """``load(reader, {name: content}, **options)``."""
    return lambda reader, files, **options: read(tmp_path, reader, files, **options)


_PROBE = """
import json, resource, sys
from pathlib import Path
from tests.hostile.conftest import read
reader, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
read(folder / "warm", reader, {"nothing": b""}, **options)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = read(folder / "out", reader, {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}, **options)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([[getattr(i, "reason", "record") for i in found][-60:], grown >> 10]))
"""


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., tuple[list[str], int]]:
    """Like ``load`` in a process of its own: the reasons (``record`` for a good one), and by how many MB the process grew."""

    def measured(reader: str, files: dict[str, bytes], **options: Any) -> tuple[list[str], int]:
        import json

        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        command = [sys.executable, "-c", _PROBE, reader, str(tmp_path), json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        reasons, grown = json.loads(done.stdout.splitlines()[-1])
        return reasons, grown

    return measured
