"""Putting files in place: those that people keep and commit are there whole, or as they were before."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from pathlib import Path

from sources.errors import UserError


def write_whole(path: Path, content: bytes, fix: str = "name another place") -> None:
    """Put a file in place by one rename, once its content is on the disk.

    :param fix: what to tell if it cannot be.
    :raises UserError: the folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=path, fix=fix) from None
    finally:
        aside.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A file under another name too; a copy of it on another device, or where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOENT, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
            raise
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """As ``shutil.copyfile``, which of a full disk says the source's name."""
    with source.open("rb") as read, target.open("wb") as write:
        shutil.copyfileobj(read, write, 1 << 20)
