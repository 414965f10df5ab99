"""Files that people keep and commit: there whole, or as they were before."""

from __future__ import annotations

import os
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
