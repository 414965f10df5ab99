"""What goes wrong around a run: disks, files that change under it, damage, other runs. Each fault has one outcome and one message, and
where it can be mended the same command comes to the same bytes. ``tests/README.md`` has the table.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import pipeline.mix
from pipeline.database import connect
from pipeline.ingest import _Writer
from pipeline.output import held
from pipeline.store import FingerprintCache, Store
from sources.errors import UserError
from sources.readers._io import slurp
from sources.readers.base import FileRef
from tests.faults.conftest import Disk
from tests.faults.corpus import Tiny, invoke
from tests.faults.runs import ROOT, Place, contents

Wanted = dict[str, str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Looks at what the command said since the last look: each part is there, and nothing a user cannot read."""

    def look(*parts: object) -> None:
        err = capsys.readouterr().err
        assert "Traceback" not in err
        for part in parts:
            assert str(part) in err, err

    return look


def whole(tiny: Tiny, wanted: Wanted) -> None:
    """The same command goes on, comes to the same bytes and leaves nothing."""
    assert tiny.run() == 0
    assert contents("mix", tiny.out) == wanted
    assert Place(tiny.folder).left() == []


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something once during the next run, after the plan and before shards are written."""
    emit = pipeline.mix.run_emit

    def changed(*args, **kwargs):
        monkeypatch.setattr(pipeline.mix, "run_emit", emit)
        what()
        return emit(*args, **kwargs)

    monkeypatch.setattr(pipeline.mix, "run_emit", changed)


def while_read(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do something once while the first split is read."""
    add = _Writer.add

    def first(self, item):
        monkeypatch.setattr(_Writer, "add", add)
        what()
        return add(self, item)

    monkeypatch.setattr(_Writer, "add", first)


# Disks.


@pytest.mark.parametrize("size", ["64k", "128k", "256k"])
def test_store_on_a_full_disk(tiny: Tiny, wanted: Wanted, disk: Disk, told, size: str) -> None:
    store = disk(tiny.store, f"size={size}")
    assert tiny.run() == 1
    told("error: No space left on device", store, "free some space", "the same command goes on from here")
    subprocess.run(["mount", "-o", "remount,size=64m", store], check=True)
    whole(tiny, wanted)


def test_output_on_a_full_disk(tiny: Tiny, wanted: Wanted, disk: Disk, told) -> None:
    full = disk(tiny.folder / "full", "size=16k")
    tiny.out = full / "out"
    assert tiny.run() == 1
    told("error: No space left on device", full, "free some space")
    assert sorted(path.name for path in full.iterdir()) == [], "what was half-written is gone"
    subprocess.run(["mount", "-o", "remount,size=64m", full], check=True)
    whole(tiny, wanted)


def test_joins_that_have_no_room_to_spill(disk: Disk, tmp_path: Path) -> None:
    """DuckDB takes what is free for its limit, and speaks of memory."""
    query = "CREATE TABLE x AS SELECT range AS a, repeat('x', 50) AS b FROM range(3_000_000)"
    small = disk(tmp_path / "small", "size=4m")
    with pytest.raises(OSError) as full, connect(small, "40MB", 1) as con:
        con.execute(query)
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(small))
    with (
        pytest.raises(UserError, match="the memory limit of the joins is too small: 1MB"),
        connect(tmp_path, "1MB", 1) as con,
    ):
        con.execute("SELECT * FROM (SELECT range AS a, repeat('x', 50) AS b FROM range(3_000_000)) ORDER BY b, a DESC")


def test_read_only_disks(tiny: Tiny, wanted: Wanted, disk: Disk, told) -> None:
    fixed = disk(tiny.folder / "fixed", "ro")
    assert tiny.run(out=fixed / "out") == 2
    told("cannot write the output folder", fixed / "out", "choose a writable place with --out")
    assert tiny.run(store=fixed / "store") == 2
    told("cannot use the store: Read-only file system", fixed / "store", "--store")
    assert not tiny.store.joinpath("documents").exists(), "no work was done"
    assert tiny.run(out=fixed) == 2
    told("the output folder is where a disk is mounted", fixed, "name a folder within it")
    whole(tiny, wanted)


# The output, while a run is under way.


def test_output_that_became_a_link(tiny: Tiny, wanted: Wanted, monkeypatch: pytest.MonkeyPatch, told) -> None:
    other = tiny.folder / "other"
    other.mkdir()
    (other / "mine").write_text("mine")
    meanwhile(monkeypatch, lambda: tiny.out.symlink_to(other))
    assert tiny.run() == 2
    told("the output became a link", tiny.out)
    assert (other / "mine").read_text() == "mine"
    tiny.out.unlink()
    whole(tiny, wanted)


def test_somebody_puts_files_where_the_output_goes(
    tiny: Tiny, wanted: Wanted, monkeypatch: pytest.MonkeyPatch, told
) -> None:
    def put() -> None:
        tiny.out.mkdir()
        (tiny.out / "thesis.txt").write_text("mine")

    meanwhile(monkeypatch, put)
    assert tiny.run() == 2
    told("the output folder holds something that wellmix did not write", tiny.out)
    assert (tiny.out / "thesis.txt").read_text() == "mine"
    shutil.rmtree(tiny.out)
    whole(tiny, wanted)


def test_store_removed_during_the_run(tiny: Tiny, wanted: Wanted, monkeypatch: pytest.MonkeyPatch, told) -> None:
    meanwhile(monkeypatch, lambda: shutil.rmtree(tiny.store))
    assert tiny.run() in (1, 2)
    told("error: ", tiny.store)
    assert not tiny.out.exists()
    whole(tiny, wanted)


# Other runs.


def test_two_runs_into_one_output(tiny: Tiny, wanted: Wanted, told) -> None:
    """Each would sweep the other's half-written folder away, taking it for one that was left by a kill."""
    with held(tiny.out):
        assert tiny.run(store=tiny.folder / "another store") == 2
    told("another run is writing this output", tiny.out, "wait for it")
    whole(tiny, wanted)


def test_locks_of_a_run_that_was_killed_are_no_obstacle(tiny: Tiny, wanted: Wanted) -> None:
    tiny.store.mkdir()
    (tiny.store / "lock").write_text("")
    tiny.out.with_name(f".{tiny.out.name}.lock").write_text("")
    whole(tiny, wanted)


def test_file_system_without_locks(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, told) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", none)
    assert tiny.run() == 2
    told("the file system knows no locks: No locks available", tiny.store, "a local disk")


# Raw files.


@pytest.mark.parametrize("how", ["grown", "same size and time", "removed"])
def test_raw_file_changed_while_it_is_read(
    tiny: Tiny, wanted: Wanted, monkeypatch: pytest.MonkeyPatch, told, how: str
) -> None:
    """Its fingerprint is in the key of what is made of it; that would be a lie for ever."""
    raw = tiny.raw / "0.jsonl"
    before, stat = raw.read_bytes(), raw.stat()

    def change() -> None:
        if how == "removed":
            raw.unlink()
        elif how == "grown":
            raw.write_bytes(before + before.replace(b"0-", b"9-"))
        else:
            raw.write_bytes(before.replace(b"sister", b"doctor"))
            os.utime(raw, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    while_read(monkeypatch, change)
    assert tiny.run() == 2
    told("a raw file was changed or removed while it was being read", raw, "run the same command again")
    raw.write_bytes(before)
    whole(tiny, wanted)


def test_raw_file_touched_while_it_is_read(tiny: Tiny, wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    while_read(monkeypatch, lambda: os.utime(tiny.raw / "0.jsonl"))
    whole(tiny, wanted)


def test_raw_file_changed_between_runs_with_its_size_and_time_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    cache = FingerprintCache(tmp_path / "f.json")
    first, stat = cache(path), path.stat()
    cache.save()
    path.write_text("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FingerprintCache(tmp_path / "f.json")(path) != first


def test_a_disk_that_fails_is_not_a_bad_record() -> None:
    """Quarantined, it would be the file's own fault for ever. (The memory of a process cannot be read from its beginning.)"""
    with pytest.raises(UserError, match="cannot read a file: Input/output error"):
        slurp(FileRef("/proc/self/mem", "mem", 1, ""), 100)


def test_too_many_open_files_are_not_a_bad_record(tiny: Tiny) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(UserError, match="cannot read a file: Too many open files") as caught:
            slurp(FileRef(str(tiny.raw / "0.jsonl"), "0.jsonl", 1, ""), 100)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit -n" in str(caught.value)


# The store.


def _artifacts(store: Path) -> list[Path]:
    return sorted(path.parent for path in store.glob("*/??/*/meta.json"))


def test_times_of_the_store_mean_nothing(tiny: Tiny, wanted: Wanted, capsys: pytest.CaptureFixture[str]) -> None:
    """As after a clock that was set back or forward, or a copy."""
    assert tiny.run() == 0
    for number, path in enumerate(sorted(tiny.store.rglob("*"))):
        os.utime(path, (number * 1e6, 4e9 - number * 1e7))
    capsys.readouterr()
    assert tiny.run() == 0
    assert "nothing had to run" in capsys.readouterr().err
    shutil.rmtree(tiny.out)
    whole(tiny, wanted)


@pytest.mark.parametrize(
    ("stage", "damage"),
    [
        ("documents", "cut short"),
        ("signature", "cut short"),
        ("signature", "missing"),
        ("catalog", "cut short"),
        ("clusters", "cut short"),
        ("clusters", "missing"),
        ("plan", "cut short"),
    ],
)
def test_damaged_tables(tiny: Tiny, wanted: Wanted, told, stage: str, damage: str) -> None:
    """As after a disk error. The message names the folder to delete; then all is made again that is needed."""
    assert tiny.run() == 0
    shutil.rmtree(tiny.out)
    # what is made of it has to be made again, so that it is read
    for later in {"documents": ["signature"], "signature": ["clusters"], "catalog": ["plan"], "clusters": ["plan"]}.get(
        stage, []
    ):
        shutil.rmtree(tiny.store / later)
    artifact = next(path for path in _artifacts(tiny.store) if path.parents[1].name == stage)
    table = next(artifact.glob("[!q]*.parquet"))
    if damage == "missing":
        table.unlink()
    else:
        table.write_bytes(table.read_bytes()[:-20])
    assert tiny.run() == 2
    told("a file of the store is damaged", table, f"delete the folder {artifact}", "the same command makes it again")
    shutil.rmtree(artifact)
    whole(tiny, wanted)


def test_damaged_meta(tiny: Tiny, wanted: Wanted, told) -> None:
    assert tiny.run() == 0
    shutil.rmtree(tiny.out)
    artifacts = _artifacts(tiny.store)
    # empty, as a power cut leaves a file that did not reach the disk: not there
    for artifact in artifacts[::2]:
        (artifact / "meta.json").write_text("")
    for artifact in artifacts[1::4]:
        (artifact / "meta.json").unlink()
    whole(tiny, wanted)
    shutil.rmtree(tiny.out)
    meta = next(tiny.store.glob("plan/??/*/meta.json"))
    meta.write_text(meta.read_text()[:40])
    assert tiny.run() == 2
    told("a file of the store is damaged", meta, f"delete the folder {meta.parent}")
    shutil.rmtree(meta.parent)
    whole(tiny, wanted)


def test_everything_is_on_the_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not show an artifact whose files are empty."""
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(Path(f"/proc/self/fd/{fd}").readlink().name), fsync(fd)))
    monkeypatch.setattr(os, "rename", lambda a, b: (calls.append("rename"), rename(a, b)))
    with Store(tmp_path).write("stage", "ab" * 16) as (folder, _):
        (folder / "below").mkdir()
        (folder / "below/x").write_text("1")
    assert calls[-1] == "rename"
    assert {"x", "below", "meta.json"} <= set(calls[:-1])


def test_reading_what_was_written(tiny: Tiny) -> None:
    """The corpus of these tests is what they take it for: three shards, in two formats."""
    assert tiny.run() == 0
    assert len(list(tiny.store.glob("documents/??/*"))) == 3
    assert pq.read_metadata(tiny.out / "parquet/train/00000.parquet").num_rows > 10
    assert invoke("mix", tiny.recipe, "--store", tiny.store, "--out", tiny.out) == 0


_KILLED_AT_RENAME = """
import os, signal, sys
import pipeline.output
from pipeline import cli
seen, rename = [0], os.rename
def counted(source, target):
    if os.path.dirname(target) == os.environ["BESIDE"]:
        seen[0] += 1
        if seen[0] == int(os.environ["AT"]):
            os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = counted
cli.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2])
def test_killed_while_the_output_is_replaced(tiny: Tiny, wanted: Wanted, at: int) -> None:
    """Too short a moment for random kills: before the old folder is moved away, and between that and the new one's coming."""
    arguments = ["mix", tiny.recipe, "--store", tiny.store, "--out", tiny.out, "--workers", "1"]
    assert invoke(*arguments, "--set", "budget=9_000") == 0
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_RENAME, *map(str, arguments)],
        env=os.environ | {"BESIDE": str(tiny.folder), "AT": str(at), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert tiny.out.exists() == (at == 1)
    assert Place(tiny.folder).left() != []
    whole(tiny, wanted)
