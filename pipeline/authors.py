"""Who wrote what, without saying who: pseudonyms of authors, and the keys they are made with.

A pseudonym is made in two steps. The *person* is a keyed hash of the handle alone; the *author* that documents carry is a hash of person
and source. So one person can be found in every source by who holds the person's hash (:mod:`pipeline.forget`), and two sources' documents
cannot be joined by who does not.

The keys are a ring: the *current* one, which documents are made with, and *retired* ones, kept to recognise whom earlier requests to be
forgotten were about.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sources.errors import UserError

CURRENT = "WELLMIX_AUTHOR_KEY"
RETIRED = "WELLMIX_RETIRED_AUTHOR_KEYS"

_HEX = re.compile(r"hex:([0-9a-f]{64})")


@dataclass(frozen=True)
class AuthorKey:
    """A secret that pseudonyms are made with.

    :param secret: 32 bytes.
    :param where: the file or variable it came from.
    """

    secret: bytes = field(repr=False)
    where: str

    @property
    def id(self) -> str:
        """Names the key without giving it away: 16 hex digits."""
        return hashlib.blake2b(b"id", digest_size=8, key=self.secret).hexdigest()

    def person(self, handle: str) -> str:
        """Pseudonym of a person, the same in every source: 32 hex digits (keyed BLAKE2b, RFC 7693).

        :param handle: raw handle or name; white space around it does not matter, case does.
        """
        message = handle.strip().encode("utf-8", "surrogatepass")
        return hashlib.blake2b(message, digest_size=16, key=self.secret, person=b"person").hexdigest()

    def author(self, handle: str, source: str) -> str:
        """Pseudonym of a person in one source: what documents and turns carry, 32 hex digits."""
        return author_of(self.person(handle), source)

    def derived(self, purpose: str, size: int) -> bytes:
        """Another secret of ``size`` bytes, which tells nothing of this one."""
        return hashlib.blake2b(purpose.encode(), digest_size=size, key=self.secret, person=b"derived").digest()


def author_of(person: str, source: str) -> str:
    """The author a person is in a source.

    :param person: 32 hex digits, see :meth:`AuthorKey.person`.
    :returns: 32 hex digits.
    """
    return hashlib.blake2b(source.encode(), digest_size=16, key=bytes.fromhex(person)).hexdigest()


@dataclass(frozen=True)
class Keyring:
    """The current key and the retired ones.

    :param retired: newest first where they are files.
    """

    current: AuthorKey
    retired: tuple[AuthorKey, ...] = ()

    def __iter__(self):
        return iter((self.current, *self.retired))

    def __contains__(self, key: str) -> bool:
        return any(one.id == key for one in self)

    def get(self, key: str) -> AuthorKey:
        """The key of an id.

        :raises KeyError: it is not in the ring.
        """
        for one in self:
            if one.id == key:
                return one
        raise KeyError(key)


def config_folder() -> Path:
    """Where keys that are files live: ``wellmix`` under ``XDG_CONFIG_HOME``, or under ``~/.config``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "wellmix"


def current_key() -> AuthorKey:
    """The key that documents are made with.

    Taken from ``WELLMIX_AUTHOR_KEY`` (``hex:`` and 64 hex digits, or any text of 16 characters or more) or else from ``author.key`` in
    :func:`config_folder`, which is made on first use, readable by its owner only. All machines of a team, and all workers of a cluster,
    need the same one.

    :raises UserError: the variable is too short, or the file cannot be read, made or holds something else.
    """
    if value := os.environ.get(CURRENT):
        return AuthorKey(_from_text(value, CURRENT), CURRENT)
    path = config_folder() / "author.key"
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise _unusable(path, error) from None


def keyring() -> Keyring:
    """The current key, and the retired ones: those of ``WELLMIX_RETIRED_AUTHOR_KEYS`` (separated by white space) and the files
    ``retired/*.key`` in :func:`config_folder`.

    :raises UserError: a key cannot be read.
    """
    current = current_key()
    retired = [AuthorKey(_from_text(value, RETIRED), RETIRED) for value in os.environ.get(RETIRED, "").split()]
    folder = config_folder() / "retired"
    try:
        files = sorted(folder.glob("*.key"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        retired += [_read(path) for path in files]
    except OSError as error:
        raise _unusable(folder, error) from None
    others = {key.id: key for key in reversed(retired) if key.id != current.id}
    return Keyring(current, tuple(reversed(others.values())))


def rotate() -> Keyring:
    """Make a new current key, and keep the old one as a retired one.

    :raises UserError: the current key comes from the environment, which only its owner can change.
    """
    if os.environ.get(CURRENT):
        raise UserError(
            "the current key comes from the environment",
            where=CURRENT,
            fix=f"add its value to {RETIRED}, then give {CURRENT} a new one: echo hex:$(openssl rand -hex 32)",
        )
    path = config_folder() / "author.key"
    try:
        old = current_key()
        # The old one is safe in its new place before it leaves the one it has.
        _write(path.parent / "retired" / f"{old.id}.key", old.secret)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        _write(aside, secrets.token_bytes(32))
        os.replace(aside, path)
    except OSError as error:
        raise _unusable(path, error) from None
    return keyring()


def _from_text(value: str, where: str) -> bytes:
    if found := _HEX.fullmatch(value):
        return bytes.fromhex(found[1])
    if len(value) < 16:
        raise UserError(
            "the author key is too short",
            where=where,
            fix="use 16 characters or more, best: hex:$(openssl rand -hex 32)",
        )
    return _stretched(value)


@lru_cache(maxsize=16)
def _stretched(value: str) -> bytes:
    # The id of a key and hashes made with it stand in files that a team shares: a text that people thought of must be dear to guess.
    return hashlib.scrypt(value.encode(), salt=b"wellmix author key", n=1 << 14, r=8, p=1, dklen=32)


def _make(path: Path) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    _write(aside, secrets.token_bytes(32))
    try:
        os.link(aside, path)  # unlike a rename it fails where another process was first, whose key then holds
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _write(path: Path, secret: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> AuthorKey:
    secret = path.read_bytes()
    if len(secret) != 32:
        raise UserError(f"the author key has {len(secret)} bytes, not 32", where=path, fix="restore it from a backup")
    return AuthorKey(secret, str(path))


def _unusable(path: Path, error: OSError) -> UserError:
    fix = f"make it readable and writable, or set {CURRENT}"
    return UserError(f"the author key cannot be used: {error.strerror}", where=error.filename or path, fix=fix)
