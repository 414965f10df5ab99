"""Swarms as tables: two CSV files, ratios and metrics, one row a run, joined by its id.

As Olmix has them (https://github.com/allenai/olmix): ``run`` (or ``run_id``), optionally ``name`` and ``index``, then a column for each
domain or metric. RegMix's tables (https://github.com/sail-sg/regmix) have ``index`` alone for an id, and are read, too.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from pipeline.cells import escape, unescape
from sources.errors import UserError

#: Columns that hold ids, the first that is there; none of these is a domain or metric.
_IDS = ("run", "run_id", "index")
_OTHER = ("name",)
#: How far a sum of shares may be from 1 (published tables are rounded); within, rows are normalised.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Swarm:
    """Runs, their mixes and what was measured.

    :param domains: D names.
    :param runs: R ids.
    :param ratios: (R, D), rows sum to 1.
    :param metrics: (R,) by name, NaN where nothing was measured.
    :param notes: what was left out in reading.
    """

    domains: list[str]
    runs: list[str]
    ratios: np.ndarray
    metrics: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Sheet:
    """A CSV file: ids, columns of numbers (n, C), the line of each row."""

    path: Path
    ids: list[str]
    columns: list[str]
    values: np.ndarray
    lines: list[int]


def read_swarm(ratios: Path, metrics: Path) -> Swarm:
    """Read two tables and join them, in the order of the first.

    :raises UserError: a file is no such table; says which line and why.
    """
    shares, measured = _read(ratios, missing=False), _read(metrics, missing=True)
    for row, line in zip(shares.values, shares.lines, strict=True):
        if row.min() < 0:
            raise UserError(
                f"{shares.columns[int(row.argmin())]} has the share {row.min():g}",
                where=f"{ratios}, line {line}",
                fix="shares are from 0 to 1",
            )
        if abs(row.sum() - 1) > _TOLERANCE:
            raise UserError(
                f"the shares add up to {row.sum():.4f}",
                where=f"{ratios}, line {line}",
                fix="shares of a run must add up to 1; are there columns that are no domain?",
            )
    at = {run: i for i, run in enumerate(measured.ids)}
    both = [(i, at[run]) for i, run in enumerate(shares.ids) if run in at]
    if not both:
        raise UserError(
            f"no run is in both tables: {shares.ids[0]!r} and others here, {measured.ids[0]!r} and others there",
            where=f"{ratios} and {metrics}",
            fix="the two are joined by the column run (or run_id, or index)",
        )
    notes = []
    for here, there, sheet in ((shares, measured, ratios), (measured, shares, metrics)):
        known = set(there.ids)
        if alone := [run for run in here.ids if run not in known]:
            notes.append(f"{len(alone)} runs are only in {sheet.name} and left out, such as {alone[0]}")
    rows, others = [i for i, _ in both], [j for _, j in both]
    chosen = shares.values[rows]
    return Swarm(
        domains=shares.columns,
        runs=[shares.ids[i] for i in rows],
        ratios=chosen / chosen.sum(1, keepdims=True),
        metrics={name: measured.values[others, j] for j, name in enumerate(measured.columns)},
        notes=notes,
    )


def write_swarm(folder: Path, swarm: Swarm) -> None:
    """Write ``ratios.csv`` and ``metrics.csv`` as Olmix reads them: ``run``, ``name``, ``index``, then the columns; every digit is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in (
        ("ratios.csv", dict(zip(swarm.domains, swarm.ratios.T, strict=True))),
        ("metrics.csv", swarm.metrics),
    ):
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["run", "name", "index", *map(escape, columns)])
            for i, run in enumerate(swarm.runs):
                writer.writerow(
                    [escape(run), escape(run), i, *(_cell(float(values[i])) for values in columns.values())]
                )


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _read(path: Path, *, missing: bool) -> _Sheet:
    """Read one table.

    :param missing: whether a cell may be empty.
    """
    if not path.is_file():
        raise UserError("there is no such file", where=path)
    ids: list[str] = []
    lines: list[int] = []
    rows: list[list[float]] = []
    first: dict[str, int] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [unescape(cell.strip()) for cell in next(reader, [])]
            key, kept = _layout(path, header)
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                where = f"{path}, line {reader.line_num}"
                if len(row) != len(header):
                    raise UserError(f"the header has {len(header)} columns, this row {len(row)}", where=where)
                run = unescape(row[key].strip())
                if not run:
                    raise UserError(f"the row has no {header[key] or 'id'}", where=where)
                if run in first:
                    raise UserError(
                        f"the run {run!r} is there twice, first in line {first[run]}",
                        where=where,
                        fix="each run has one row; runs of one mix with other seeds need ids of their own",
                    )
                first[run] = reader.line_num
                ids.append(run)
                lines.append(reader.line_num)
                rows.append([_number(row[j], header[j], where, missing) for j in kept])
    except UnicodeDecodeError as error:
        raise UserError("this is not text in UTF-8", where=path, fix="give a CSV file") from error
    except csv.Error as error:
        raise UserError(f"this is not CSV: {error}", where=path) from error
    if not rows:
        raise UserError("the table has no rows", where=path)
    return _Sheet(path, ids, [header[j] for j in kept], np.array(rows, dtype=np.float64), lines)


def _layout(path: Path, header: list[str]) -> tuple[int, list[int]]:
    """The column of ids, and those of domains or metrics."""
    if not any(header):
        raise UserError("the file is empty", where=path, fix="a CSV file with a header")
    unnamed = [j for j, name in enumerate(header) if not name or name.startswith("Unnamed")]
    key = next((header.index(name) for name in _IDS if name in header), unnamed[0] if unnamed else None)
    if key is None:
        raise UserError(
            "no column tells the runs apart",
            where=f"{path}, line 1: {', '.join(header[:4])} ...",
            fix="name it run (or run_id, or index)",
        )
    kept = [j for j, name in enumerate(header) if j not in unnamed and name not in (*_IDS, *_OTHER)]
    if not kept:
        raise UserError("there are no columns beside the id", where=f"{path}, line 1")
    names = [header[j] for j in kept]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"the column {twice[0]!r} is there twice", where=f"{path}, line 1")
    return key, kept


def _number(cell: str, column: str, where: str, missing: bool) -> float:
    text = cell.strip()
    if text.lower() in ("", "nan", "na", "null", "none"):
        if missing:
            return math.nan
        raise UserError(f"{column} is empty", where=where, fix="write 0 for a domain that is not in the mix")
    try:
        value = float(text)
    except ValueError as error:
        raise UserError(f"{column} is {text!r}, not a number", where=where) from error
    if not math.isfinite(value):
        raise UserError(f"{column} is {text}", where=where, fix="leave the cell of a metric empty if it is missing")
    return value


def find_column(wanted: str, columns: Sequence[str], kind: str) -> str:
    """The column a user means: its whole name, or a part of it (whole words, the end before others) that no other column has.

    ``pile_cc`` finds ``metric/the_pile_pile_cc_val_loss``.

    :param kind: what it is, for the message: target, domain.
    :raises UserError: none fits, or several do.
    """
    if wanted in columns:
        return wanted
    part = re.escape(wanted)
    for pattern in (rf"(?:^|[/_.:\s-]){part}$", rf"(?:^|[/_.:\s-]){part}(?:$|[/_.:\s-])"):
        found = [column for column in columns if re.search(pattern, column, re.IGNORECASE)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{wanted!r} may be any of {len(found)} columns: {', '.join(found[:6])}",
                where=kind,
                fix="give the whole name",
            )
    close = get_close_matches(wanted, columns, n=3, cutoff=0.4) or list(columns[:6])
    raise UserError(f"there is no column {wanted!r}", where=kind, fix=f"such as {', '.join(close)}")
