"""A store at a URL: whole artifacts or none, the right bytes, few questions, one run at a time, a bounded cache."""

from __future__ import annotations

import errno
import os
import pickle
import time
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline import lease, remote
from pipeline.output import UNFINISHED, is_current, local_copy, read_manifest, upload
from pipeline.remote import RemoteFolder, RemoteStore, cache_limit
from pipeline.store import open_store
from sources.errors import UserError

KEY, OTHER = "ab" * 16, "cd" * 16


@pytest.fixture
def url(tmp_path: Path) -> str:
    (tmp_path / "there").mkdir()
    return f"file://{tmp_path}/there/store"


@pytest.fixture
def machine(url: str, tmp_path: Path):
    """``machine(name)``: the store as a machine with a cache of its own sees it."""
    return lambda name, **options: RemoteStore(url, tmp_path / name, **options)


def write(store: RemoteStore, key: str = KEY, text: str = "content", stage: str = "stage", **facts: object) -> None:
    with store.write(stage, key) as (folder, meta):
        (folder / "deep").mkdir()
        (folder / "deep/file").write_text(text)
        meta.update(facts)


def files(tmp_path: Path) -> set[str]:
    root = tmp_path / "there/store"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_what_one_machine_writes_another_reads(machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    assert not other.has("stage", KEY)
    write(one, rows=3)
    assert other.has("stage", KEY) and other.meta("stage", KEY) == {"rows": 3} == one.meta("stage", KEY)
    for store in (one, other):
        place = store.path("stage", KEY)
        assert place.is_relative_to(store.root) and (place / "deep/file").read_text() == "content"
        # what lies in a cache is what lies in a store on a disk
        assert (place / "meta.json").read_text() == '{\n "rows": 3\n}'
    assert other.paths("stage", [KEY]) == [place] and other.metas("stage", [KEY]) == [{"rows": 3}]
    assert list((tmp_path / "one/tmp").iterdir()) == list((tmp_path / "other/tmp").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        other.path("stage", OTHER)


def test_workers_get_the_store_with_its_cache(machine, tmp_path: Path) -> None:
    store = machine("one", limit=5)
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store and (copy.root, copy.limit) == (tmp_path / "one", 5)
    assert pickle.loads(pickle.dumps(store)) is copy  # once a process


@pytest.mark.parametrize("step", ["put", "create"])
def test_half_an_artifact_is_not_there(machine, tmp_path: Path, monkeypatch, step: str) -> None:
    one = machine("one")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RemoteFolder, step, killed)
        write(one)
    assert not machine("other").has("stage", KEY) and not one.has("stage", KEY)
    assert not any(name.endswith("meta.json") for name in files(tmp_path))
    with pytest.raises(RuntimeError), one.write("stage", KEY):
        raise RuntimeError
    write(one)
    assert len(files(tmp_path)) == 2


def test_two_writers_cannot_mix_their_files(machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    with one.write("stage", KEY) as (folder, meta):
        (folder / "file").write_text("late")
        meta["who"] = "late"
        with other.write("stage", KEY) as (inner, facts):
            (inner / "file").write_text("early")
            facts["who"] = "early"
    for store in (one, other, machine("third")):
        assert store.meta("stage", KEY)["who"] == "early"
        assert (store.path("stage", KEY) / "file").read_text() == "early"
    assert len(files(tmp_path)) == 2, "nothing of the late one is left"


def test_damage_is_noticed(machine, tmp_path: Path, monkeypatch) -> None:
    write(machine("one"))
    stored = next(path for path in (tmp_path / "there").rglob("file") if path.is_file())
    monkeypatch.setenv("WELLMIX_PATIENCE", "0")
    for damage, said in (("c0ntent", "not what was written"), ("short", "5 of 7 bytes")):
        stored.write_text(damage)
        with pytest.raises(OSError, match=said):
            machine("other").path("stage", KEY)
    assert not (tmp_path / "other/stage").exists()


def test_many_questions_are_one_listing_and_yes_is_always_true(machine, monkeypatch) -> None:
    one, other = machine("one"), machine("other")
    write(one)
    asked: list[str] = []
    for name in ("read", "find"):
        real = getattr(RemoteFolder, name)
        monkeypatch.setattr(RemoteFolder, name, lambda *a, real=real, name=name: asked.append(name) or real(*a))
    keys = [f"{number:032x}" for number in range(1000)]
    assert [key for key in [*keys, KEY] if other.has("stage", key)] == [KEY]
    assert asked.count("find") == 1 and asked.count("read") <= 9
    # what came after the listing is seen after a while
    write(one, OTHER)
    now = time.monotonic()
    monkeypatch.setattr(remote.time, "monotonic", lambda: now + 61)
    assert other.has("stage", OTHER)
    # and what was removed is not said to be there by another run
    one.remove("stage", [KEY])
    release = other.lock()
    assert not other.has("stage", KEY)
    release()


def test_what_was_removed_leaves_every_cache(machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    write(one, text="to be forgotten")
    write(one, OTHER)
    other.path("stage", KEY)
    one.remove("stage", [KEY])
    assert not any(KEY in name for name in files(tmp_path))
    again = machine("other")
    for store in (one, again):
        with pytest.raises(FileNotFoundError):
            store.path("stage", KEY)
        assert not any(KEY in str(path) for path in store.root.rglob("*"))
        assert store.path("stage", OTHER).is_dir()


def test_the_cache_keeps_to_its_size_but_not_at_the_cost_of_who_reads(machine) -> None:
    writer, store = machine("one"), machine("other", limit=60_000)
    keys = [f"{number:02x}" * 16 for number in range(10)]
    for key in keys:
        write(writer, key, "x" * 10_000)
    with store.using():
        held = [store.path("stage", key) for key in keys[:8]]
        assert all((place / "deep/file").is_file() for place in held), "in use, beyond the limit"
    store.path("stage", keys[0])
    neighbour = machine("other", limit=60_000)  # another process of this machine
    neighbour.path("stage", keys[1])
    for key in keys[:2]:  # by age they would be the first to go
        os.utime(store.root / "stage" / key[:2] / key / "meta.json", (0, 0))
    for key in keys[8:]:
        store.path("stage", key)
    there = {place.name for place in (store.root / "stage").glob("*/*")}
    assert {keys[0], keys[1], *keys[8:]} <= there and len(there) <= 6
    assert (store.path("stage", keys[5]) / "deep/file").stat().st_size == 10_000, "fetched again"


def test_sizes_of_caches(monkeypatch) -> None:
    for text, size in (("", None), ("500GB", 500 << 30), ("1.5 TiB", 3 << 39), ("100", 100)):
        monkeypatch.setenv("WELLMIX_CACHE_SIZE", text)
        assert cache_limit() == size
    monkeypatch.setenv("WELLMIX_CACHE_SIZE", "much")
    with pytest.raises(UserError, match="'much' is no size"):
        cache_limit()


def test_work_is_swept_everywhere(machine, tmp_path: Path) -> None:
    one = machine("one")
    write(one, stage="work/scatter")
    write(one)
    one.sweep_work()
    assert not one.has("work/scatter", KEY) and one.has("stage", KEY)
    assert not any("work" in name for name in files(tmp_path)) and not (tmp_path / "one/work").exists()


def test_tables_between_steps_are_no_artifacts_but_are_fetched_with_all(machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    write(one, stage="work/scatter", text="between")
    write(one, OTHER)
    assert (
        [pair[:2] for pair in other.artifacts()]
        == [("stage", OTHER)]
        == [pair[:2] for pair in other.artifacts("stage")]
    )
    other.fetch()
    assert sorted(path.read_text() for path in (tmp_path / "other").rglob("deep/file")) == ["between", "content"]


def test_one_run_at_a_time(machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    release = one.lock()
    with pytest.raises(UserError, match=r"another run is using this store: a run on .*, process"):
        other.lock()
    with pytest.raises(UserError, match="another run is using this store"):
        machine("one").lock()
    one.sweep_work()
    release()
    other.lock()()
    assert not any(name.startswith("locks/") for name in files(tmp_path))


def test_a_dead_run_gives_way(machine, tmp_path: Path, monkeypatch) -> None:
    one, other = machine("one"), machine("other")
    one.lock()
    write(one)
    (tmp_path / "there/store" / f"stage/ef/{'ef' * 16}/0123").mkdir(parents=True)
    (tmp_path / "there/store" / f"stage/ef/{'ef' * 16}/0123/orphan").write_text("")
    real = RemoteFolder.stamps

    def much_later(folder: RemoteFolder, below: str):
        stamps = real(folder, below)
        newest = max(stamps, key=stamps.__getitem__)
        return stamps | {newest: stamps[newest] + timedelta(hours=2)}

    monkeypatch.setattr(RemoteFolder, "stamps", much_later)
    release = other.lock()
    assert not any("orphan" in name for name in files(tmp_path)), "what the dead run left is gone"
    assert other.has("stage", KEY)
    # the first was only cut off: it learns of it before it removes anything
    monkeypatch.setattr(RemoteFolder, "stamps", real)
    monkeypatch.setattr(lease, "RENEW", 0)
    one._lease._renew()
    with pytest.raises(UserError, match="cut off from its store"):
        one.sweep_work()
    release()


def test_on_the_same_machine_a_killed_run_is_known_dead_at_once(machine, tmp_path: Path) -> None:
    first = machine("one")
    held = first._take_folder()
    lease.Lease(first._remote, first._cache_id()).take()
    held()  # as the kernel does for a process that was killed
    machine("one").lock()()
    assert not any(name.startswith("locks/") for name in files(tmp_path))


def test_mistakes_in_a_url(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot use this address"):
        open_store("nonsense://bucket/x")


# -- outputs ------------------------------------------------------------------------------------------------------------------


def output(folder: Path, key: str, **content: str) -> Path:
    import hashlib
    import json

    folder.mkdir()
    entries = []
    for name, text in content.items():
        (folder / name).write_text(text)
        entries.append(
            {"path": name, "bytes": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest(), "format": "x"}
        )
    (folder / "ledger.json").write_text("{}")
    (folder / "quarantine.jsonl").write_text("")
    manifest = {"schema_version": 2, "key": key, "lineage": {}, "kind": "mix", "files": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_manifest_never_names_what_is_not_there(tmp_path: Path, monkeypatch) -> None:
    """Whatever request a writer dies at, a reader finds no manifest or a whole output; and the next run completes it."""
    old = output(tmp_path / "old", "old", a="1", b="22")
    new = output(tmp_path / "new", "new", a="333", c="4444")
    requests = ("write", "remove", "put", "find")
    for dies_at in range(20):
        place = f"memory://outputs-{dies_at}/mix"
        folder = RemoteFolder(place)
        upload(old, folder)
        assert is_current(place, "old") and local_copy(place).joinpath("b").read_text() == "22"
        left = dies_at

        def dying(name: str, real):
            def call(*arguments: object):
                nonlocal left
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
                return real(*arguments)

            return call

        with monkeypatch.context() as patch:
            for name in requests:
                patch.setattr(RemoteFolder, name, dying(name, getattr(RemoteFolder, name)))
            try:
                upload(new, folder)
                died = False
            except KeyboardInterrupt:
                died = True
        manifest = read_manifest(place)
        if manifest is not None:
            for file in manifest["files"]:
                assert folder.find()[file["path"]]["size"] == file["bytes"], (dies_at, manifest["key"])
        elif died:
            assert UNFINISHED in folder.find(), "a later run must know that this is ours"
        upload(new, folder)
        assert is_current(place, "new") and "b" not in folder.find() and UNFINISHED not in folder.find()
        if not died:
            assert dies_at > 6
            break
    else:
        pytest.fail("an upload takes fewer than 20 requests")


def test_a_copy_of_an_output_is_compared_with_its_manifest(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WELLMIX_CACHE", str(tmp_path / "cache"))
    folder = RemoteFolder("memory://copied/mix")
    upload(output(tmp_path / "made", "k", a="1"), folder)
    folder.write("a", b"2")
    with pytest.raises(OSError, match="not what the manifest says") as caught:
        local_copy(folder.url)
    assert caught.value.errno == errno.EIO
    with pytest.raises(UserError, match="there is no output here"):
        local_copy("memory://copied/nothing")
