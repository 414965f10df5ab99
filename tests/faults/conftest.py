"""A tiny corpus for each test, what a run of it gives, and a small disk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.corpus import Tiny
from tests.faults.runs import contents


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setenv("WELLMIX_DATA", str(tmp_path / "tiny/raw"))
    return Tiny(tmp_path / "tiny")


@pytest.fixture(scope="session")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """sha256 of each file of an undisturbed run."""
    with pytest.MonkeyPatch.context() as patch:
        corpus = Tiny(tmp_path_factory.mktemp("undisturbed") / "tiny")
        patch.setenv("WELLMIX_DATA", str(corpus.raw))
        assert corpus.run() == 0
        return contents("mix", corpus.out)


#: Mounts a new file system in memory: (folder, its options, as ``size=1m``).
Disk = Callable[[Path, str], Path]


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Makes small disks; a test that cannot have one is skipped."""
    mounted: list[Path] = []

    def mount(folder: Path, options: str) -> Path:
        folder.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip("may not mount a file system")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
