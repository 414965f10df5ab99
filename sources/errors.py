"""Errors that speak to the user. The CLI prints them without a traceback and exits with code 2."""

from __future__ import annotations

import os
import traceback
from pathlib import Path


class UserError(Exception):
    """Something the user can mend.

    :param what: what is wrong, one sentence.
    :param where: file, line or field it concerns.
    :param fix: how to mend it.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, str(where) if where is not None else None, fix
        super().__init__(self.what, self.where, self.fix)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple:
        # Workers hand errors to the main process; the default would lose the keyword arguments.
        return _rebuild, (self.what, self.where, self.fix)


def _rebuild(what: str, where: str | None, fix: str | None) -> UserError:
    return UserError(what, where=where, fix=fix)


class DefectError(RuntimeError):
    """Something that should not have happened, in words that quote no text of a document."""


def told(error: BaseException) -> str:
    """What kind of error it is and where in the code it came up, without its message: libraries quote values in theirs.

    :returns: ``ArrowInvalid at pipeline/ingest.py:120 (_flush), pipeline/emit.py:80 (run_task)``, innermost first.
    """
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = [f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} ({frame.name})" for frame in frames]
    return type(error).__name__ + (f" at {', '.join(places[:6])}" if places else "")


def wants_messages() -> bool:
    """Whether the user asked for errors as they are, texts and all: ``WELLMIX_TRACEBACK=1``."""
    return os.environ.get("WELLMIX_TRACEBACK", "") not in ("", "0")
