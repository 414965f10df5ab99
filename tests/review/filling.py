"""Filling in what was exported, as reviewers do."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from pipeline.review.sample import row_id
from tests.review.conftest import hex_id


def read(path: Path) -> list[dict[str, str]]:
    """Rows of an exported table."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def write(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8-sig", delimiter: str = ",") -> Path:
    """A table as a spreadsheet saves it."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(out.getvalue().encode(encoding, "replace"))
    return path


def fill(path: Path, decide: Callable[[dict[str, str]], dict[str, str]]) -> Path:
    """Put answers into every row of an exported table."""
    return write(path, [row | decide(row) for row in read(path)])


def ids(rows: list[dict[str, str]], *names: str) -> set[str]:
    """Which of the examples ``names`` (``single7``) are among the rows."""
    called = {row_id(int(row["seed"]), row["kind"], hex_id(name)): name for row in rows[:1] for name in names}
    return {called[row["id"]] for row in rows if row["id"] in called}
