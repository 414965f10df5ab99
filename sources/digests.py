"""What a file must be before it is used: models, tokenizers and hash lists are compared with the sha256 that the project carries.

A changed byte in a weight gives plausible nonsense, not an error. Lists of digests are in the format of ``sha256sum``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from sources.errors import UserError


def sha256(path: Path) -> str:
    """sha256 of a file's content, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(folder: Path, names: Iterable[str] | None = None) -> str:
    """One sha256 of several files: of the list of their digests and names, sorted by name.

    :param names: relative to the folder; default every file below it, but compiled Python.
    """
    if names is None:
        files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        names = (path.relative_to(folder).as_posix() for path in files)
    lines = [f"{sha256(folder / name)}  {name}\n" for name in sorted(names)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_sums(sums: Path, files: Iterable[Path]) -> None:
    """Write the digests of files that lie beside the list."""
    sums.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in sorted(files)), "utf-8")


def read_sums(sums: Path, fix: str) -> dict[str, str]:
    """Digest by name.

    :raises UserError: the list is missing, or is none.
    """
    try:
        lines = sums.read_text("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError):
        raise UserError("The list of digests is missing or cannot be read.", where=sums, fix=fix) from None
    found = [re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines]
    if not all(found):
        raise UserError("Not a list of sha256 digests.", where=sums, fix=fix)
    return {match[2]: match[1] for match in found if match}


def require(path: Path, expected: str | None, fix: str, names: Iterable[str] | None = None) -> None:
    """Refuse a file, or a folder of files, that is not the one expected.

    :param expected: its :func:`sha256`, for a folder :func:`tree_sha256`; None where no list names it.
    :param names: of a folder's files, those that are used.
    :raises UserError: it is missing, or differs.
    """
    if expected is None:
        raise UserError("The file has no digest to be checked by.", where=path, fix=fix)
    try:
        found = tree_sha256(path, names) if path.is_dir() else sha256(path)
    except OSError as error:
        raise UserError("A file is missing or cannot be read.", where=error.filename or path, fix=fix) from None
    if found != expected:
        raise UserError(
            f"Not the file that is expected (its sha256 differs: {found[:12]}..., not {expected[:12]}...).",
            where=path,
            fix=fix,
        )
