"""The file of tombstones: a set, whole or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.authors import AuthorKey, Keyring
from pipeline.forget.tombstones import add_tombstones, check_keys, load_tombstones, tombstone, tombstones_file
from pipeline.store import lock
from sources.errors import UserError

KEY = AuthorKey(bytes(range(32)), "test")


def lines() -> list[str]:
    """One tombstone of each kind, as lines."""
    add_tombstones(
        [
            tombstone("author", "2026-01-02", "request 1", hashes={KEY.id: KEY.person("heron")}),
            tombstone("id", "2026-01-02", "request 2", ids=["ab" * 16]),
            tombstone("source", "2026-01-02", "request 3", source="circle"),
            tombstone("text", "2026-01-02", "request 4", key=KEY.id, words=9, shingles=0, sketch="AAAAAAAAAAA="),
        ]
    )
    return tombstones_file().read_text().splitlines()


def test_order_repeats_and_unions_do_not_matter() -> None:
    there = lines()
    known = load_tombstones()
    assert len(known) == 4
    later = json.dumps(json.loads(there[0]) | {"date": "2026-03-04", "reason": "asked again"})
    tombstones_file().write_text("\n".join([later, *reversed(there), "", there[1]]))
    assert load_tombstones() == known and list(load_tombstones()) == list(known), "the earlier date stands"
    assert add_tombstones(known.values()) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda line: line[:-9], "damaged"),
        (
            lambda line: line.replace("request 2", "request 2").replace("abab", "abac", 1),
            "id is not that of what it matches",
        ),
        (lambda line: json.dumps(json.loads(line) | {"text": "words"}), "text"),
        (lambda line: "<<<<<<< HEAD", "merge"),
    ],
)
def test_a_damaged_line_is_named_and_refused(damage, told: str) -> None:
    there = lines()
    there[1] = damage(there[1])
    tombstones_file().write_text("\n".join(there))
    with pytest.raises(UserError, match=told) as error:
        load_tombstones()
    assert str(error.value.where).endswith("tombstones.jsonl:2") and "words" not in str(error.value)


def test_a_mended_reason_is_no_damage() -> None:
    there = lines()
    tombstones_file().write_text("\n".join(line.replace("request 1", "ticket 17") for line in there))
    assert {one.reason for one in load_tombstones().values()} >= {"ticket 17"}


def test_a_missing_key_is_an_error_with_what_to_do() -> None:
    lines()
    known = load_tombstones().values()
    check_keys(known, Keyring(AuthorKey(bytes(32), "new"), (KEY,)))
    with pytest.raises(UserError, match=f"2 made with {KEY.id}") as error:
        check_keys(known, Keyring(AuthorKey(bytes(32), "new")))
    assert "backup" in (error.value.fix or "")


def test_an_unknown_folder_is_an_error_and_no_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_tombstones() == {}
    monkeypatch.setenv("WELLMIX_TOMBSTONES", str(tmp_path / "gone" / "tombstones.jsonl"))
    with pytest.raises(UserError, match="folder"):
        load_tombstones()
    with pytest.raises(UserError, match="folder"):
        add_tombstones([tombstone("source", "2026-01-02", "request 3", source="circle")])


def test_lines_are_added_by_one_command_at_a_time() -> None:
    # of two that read the same file, the later would take out what the earlier added
    path = tombstones_file()
    release = lock(path.with_name(f".{path.name}.lock"), "taken", path, "")
    new = tombstone("source", "2026-01-02", "request 3", source="circle")
    with pytest.raises(UserError, match="another command"):
        add_tombstones([new])
    release()
    assert add_tombstones([new]) == [new]
    assert [file.name for file in path.parent.iterdir() if "tombstones" in file.name] == [path.name]
