"""Pseudonyms and the keyring they hang on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import authors
from pipeline.authors import AuthorKey, author_of
from sources.errors import UserError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of keys, of which there are none yet."""
    monkeypatch.delenv(authors.CURRENT, raising=False)
    monkeypatch.delenv(authors.RETIRED, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "wellmix"


def test_authors_are_keyed_and_by_source_and_follow_from_the_person() -> None:
    key = AuthorKey(bytes(range(32)), "test")
    author = key.author("heron", "forum-a")
    assert len(author) == 32 and author == key.author(" heron ", "forum-a") == author_of(key.person("heron"), "forum-a")
    others = {key.author("Heron", "forum-a"), key.author("heron", "forum-b"), key.person("heron")}
    assert author not in others | {AuthorKey(bytes(32), "test").author("heron", "forum-a")}
    assert "0001" not in repr(key) and key.id not in key.secret.hex()


def test_the_key_is_made_once_and_private(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = authors.current_key()
    path = config / "author.key"
    assert authors.current_key() == key and path.read_bytes() == key.secret and key.where == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in config.iterdir()] == ["author.key"]
    # a key that is a file can be handed to workers as text
    monkeypatch.setenv(authors.CURRENT, f"hex:{key.secret.hex()}")
    assert authors.current_key().id == key.id
    monkeypatch.setenv(authors.CURRENT, "a long enough secret")
    assert authors.current_key().id != key.id
    monkeypatch.setenv(authors.CURRENT, "short")
    with pytest.raises(UserError, match="too short"):
        authors.current_key()
    monkeypatch.delenv(authors.CURRENT)
    path.write_bytes(b"short")
    with pytest.raises(UserError, match="5 bytes"):
        authors.current_key()


def test_a_rotated_key_stays_in_the_ring(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = authors.current_key()
    second = authors.rotate().current
    ring = authors.rotate()
    assert len({first.id, second.id, ring.current.id}) == 3
    assert [key.id for key in ring][1:] == [second.id, first.id]
    assert ring.get(first.id).secret == first.secret and first.id in ring and "0" * 16 not in ring
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (config / "retired").iterdir())
    monkeypatch.setenv(authors.CURRENT, "a long enough secret")
    with pytest.raises(UserError, match="environment"):
        authors.rotate()
    monkeypatch.setenv(
        authors.RETIRED, f"hex:{bytes(32).hex()} another long enough one".replace(" long enough ", "-long-enough-")
    )
    assert len(list(authors.keyring())) == 1 + 2 + 2
