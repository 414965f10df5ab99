"""The store: whole artifacts or none."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pipeline.store import FingerprintCache, Store, make_key
from sources.errors import UserError


def test_key_depends_on_everything_but_order() -> None:
    assert make_key("s", 1, a=1, b={"x": 1, "y": 2}) == make_key("s", 1, b={"y": 2, "x": 1}, a=1)
    assert len({make_key("s", 1, a=1), make_key("s", 2, a=1), make_key("t", 1, a=1), make_key("s", 1, a=2)}) == 4


def test_commit_and_failure(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.write("stage", "ab" * 16) as (folder, meta):
        (folder / "x").write_text("1")
        meta["rows"] = 1
    assert store.meta("stage", "ab" * 16) == {"rows": 1}
    with pytest.raises(RuntimeError), store.write("stage", "cd" * 16) as (folder, _):
        (folder / "x").write_text("1")
        raise RuntimeError
    assert not store.has("stage", "cd" * 16)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_first_of_two_writers_wins(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.write("stage", "ab" * 16) as (_, outer):
        outer["who"] = "late"
        with store.write("stage", "ab" * 16) as (_, inner):
            inner["who"] = "early"
    assert store.meta("stage", "ab" * 16) == {"who": "early"}


def test_half_an_artifact_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.path("stage", "ab" * 16).mkdir(parents=True)
    assert not store.has("stage", "ab" * 16)


def test_two_runs_exclude_each_other_and_leftovers_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "tmp" / "left").mkdir()
    release = store.lock()
    assert not (tmp_path / "tmp" / "left").exists()
    with pytest.raises(UserError, match="another run"):
        Store(tmp_path).lock()
    release()
    Store(tmp_path).lock()()


def test_unwritable_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot use the store"):
        Store(tmp_path / "file" / "store")


def test_fingerprints_follow_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    cache = FingerprintCache(tmp_path / "f.json")
    first = cache(path)
    cache.save()
    assert json.loads((tmp_path / "f.json").read_text())
    path.write_text("two")
    os.utime(path, ns=(time.time_ns() + 10**9,) * 2)
    assert FingerprintCache(tmp_path / "f.json")(path) != first
