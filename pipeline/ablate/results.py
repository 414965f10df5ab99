"""Metrics from outside: what a user's own evaluation found for the runs of an ablation.

Read are results of lm-evaluation-harness (EleutherAI), a folder or file a run, and CSV tables: wide ones, a column a metric, as Olmix
writes its ``metrics.csv``, and long ones with the columns ``run``, ``metric``, ``value``.

A metric of lm-evaluation-harness is called ``lm_eval/TASK/METRIC``, e.g. ``lm_eval/arc_easy/acc``; where its answers went through a filter,
``lm_eval/gsm8k/exact_match/strict-match``. A metric of a table is called as its column is.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.fit.direction import better
from sources.errors import UserError

#: Columns of a table that number or name its rows (Olmix's has ``run``, ``name`` and ``index``).
_ROW_NAMES = ("run", "name", "index")
#: Entries of a task in lm-evaluation-harness that are no metrics. (``bypass`` is written when answers are only collected.)
_NOT_METRICS = {"", "alias", "name", "samples", "sample_len", "sample_count", "bypass"}
#: What lm-evaluation-harness writes for a standard error it did not estimate.
_MISSING = {"N/A", "", " "}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}[-:]\d{2}[-:]\d{2}(?:\.\d+)?")


@dataclass(frozen=True, eq=False)
class Results:
    """Metrics by run.

    :param runs: R ids, in order.
    :param metrics: name -> (R,) float64, NaN where a run has no value; sorted by name.
    :param lower_is_better: of every metric.
    :param stderr: name -> (R,) standard errors of the metrics that come with some, NaN where not.
    :param notes: what should be known about them, in sentences.
    """

    runs: list[str]
    metrics: dict[str, np.ndarray]
    lower_is_better: dict[str, bool]
    stderr: dict[str, np.ndarray]
    notes: list[str]


@dataclass
class _Found:
    """What was read so far.

    :param values: metric -> run -> (value, where it is written).
    :param errors: the same of standard errors.
    :param stated: metric -> lower is better, as the user says, over anything else.
    :param lower: metric -> (lower is better, where it is written).
    """

    wanted: Sequence[str] | None
    stated: Mapping[str, bool]
    values: dict[str, dict[str, tuple[float, str]]] = field(default_factory=dict)
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    lower: dict[str, tuple[bool, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def wants(self, metric: str) -> bool:
        return self.wanted is None or any(fnmatchcase(metric, pattern) for pattern in self.wanted)


def read_results(
    paths: Mapping[str, Path] | Path,
    runs: list[str],
    *,
    lower_is_better: Mapping[str, bool] | None = None,
    metrics: Sequence[str] | None = None,
    targets: Sequence[str] = (),
) -> Results:
    """Read metrics from outside.

    :param paths: a CSV (or .tsv) of all runs; or a folder with, for each run, a folder or a JSON file of its name; or run -> folder or
        JSON file. Folders are searched to their bottom, as lm-evaluation-harness puts results in a folder named after the model.
    :param runs: R ids there are.
    :param lower_is_better: by metric, over what the results or the names say.
    :param metrics: read only these; names, or patterns such as ``lm_eval/arc_*/acc``.
    :param targets: metrics of which the way must be known; others of no known way are left out, with a note.
    :raises UserError: what is wrong, with file, line and field: an unknown or repeated run, no number, no results, or a target that
        does not tell which way is better.
    """
    found = _Found(metrics, lower_is_better or {})
    if isinstance(paths, Mapping):
        for run, path in paths.items():
            _check_run(run, runs, f"results of {run!r}")
            if not path.exists():
                raise UserError(f"no results of run {run!r} here", where=path, fix="correct the path")
            _read_run(found, run, path)
        source: str | Path = "the results"
    elif paths.is_dir():
        _read_folder(found, paths, runs)
        source = paths
    elif paths.suffix.lower() == ".json":
        raise UserError(
            "a JSON file of lm-evaluation-harness is about one run",
            where=paths,
            fix="name the folder that holds a folder for each run, e.g. results/0001/results_*.json",
        )
    else:
        _read_table(found, paths, runs)
        source = paths
    return _gathered(found, runs, source, targets)


def _gathered(found: _Found, runs: list[str], source: str | Path, targets: Sequence[str]) -> Results:
    for name in found.stated:
        if name not in found.values:
            raise UserError(
                f"there is no metric {name!r} to say of which way is better",
                where=source,
                fix=_hint(name, sorted(found.values), "the results have"),
            )
    table = {
        name: np.array([values[run][0] if run in values else np.nan for run in runs])
        for name, values in sorted(found.values.items())
    }
    metrics = {name: values for name, values in table.items() if not np.isnan(values).all()}
    if not metrics:
        raise UserError(
            "there is no value of any run" + (f" of {' or '.join(found.wanted)}" if found.wanted else ""),
            where=source,
            fix="name a CSV with a column `run`, or a folder with results of lm-evaluation-harness for each run",
        )
    stderr: dict[str, np.ndarray] = {}
    lower: dict[str, bool] = {}
    unclear: list[str] = []
    for name in metrics:
        errors = np.array([found.errors.get(name, {}).get(run, np.nan) for run in runs])
        if not np.isnan(errors).all():
            stderr[name] = errors
        way = (
            found.stated[name]
            if name in found.stated
            else found.lower[name][0]
            if name in found.lower
            else better(name)
        )
        if way is None:
            unclear.append(name)
        else:
            lower[name] = way
    needed = [name for name in unclear if name in targets]
    if needed:
        raise UserError(
            f"whether lower or higher is better is not known of {_few(needed)}",
            where=next(iter(found.values[needed[0]].values()))[1],
            fix=f"say so: `lower_is_better: {{{needed[0]}: false}}`",
        )
    notes = list(found.notes)
    if unclear:
        metrics = {name: values for name, values in metrics.items() if name in lower}
        notes.append(f"left out, as it is not known whether lower or higher is better: {_few(unclear)}")
    return Results(list(runs), metrics, lower, stderr, notes + _gaps(runs, metrics, list(table)))


def _gaps(runs: Sequence[str], metrics: Mapping[str, np.ndarray], names: Sequence[str]) -> list[str]:
    """What is missing, in sentences.

    :param names: of all metrics that were read, those without any value as well.
    """
    notes = []
    absent = np.isnan(np.stack(list(metrics.values())))  # (M, R)
    never = absent.all(axis=0)
    if never.any():
        notes.append(f"there are no results of {_few([run for run, gone in zip(runs, never, strict=True) if gone])}")
    by_runs: dict[tuple[str, ...], list[str]] = {}
    for name, row in zip(metrics, absent & ~never, strict=True):
        if row.any():
            by_runs.setdefault(tuple(run for run, gone in zip(runs, row, strict=True) if gone), []).append(name)
    for gone, which in by_runs.items():
        notes.append(f"{_few(which)} {'is' if len(which) == 1 else 'are'} missing for {_few(gone)}")
    if empty := [name for name in names if name not in metrics]:
        notes.append(f"without any value, and left out: {_few(empty)}")
    return notes


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _hint(name: str, known: Sequence[str], intro: str) -> str:
    close = difflib.get_close_matches(name, known, n=2)
    # A spreadsheet makes 7 of 0007.
    close = [k for k in known if name.isdigit() and k.isdigit() and int(k) == int(name)] or close
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}{intro} {_few(known) or 'none'}"


def _check_run(run: str, runs: Sequence[str], where: str | Path) -> None:
    if run not in runs:
        raise UserError(f"there is no run {run!r}", where=where, fix=_hint(run, runs, "the runs are"))


def _number(text: str, where: str) -> float:
    """A cell's number; NaN for an empty one.

    :raises UserError: it is none, or not finite.
    """
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{text!r} is no number", where=where, fix="leave the cell empty where there is none") from None
    return _finite(value, text, where)


def _finite(value: float, shown: str, where: str) -> float:
    if not math.isfinite(value):
        raise UserError(
            f"{shown} is no value that can be fitted", where=where, fix="leave it out where a run has no value"
        )
    return value


# Tables


def _read_table(found: _Found, path: Path, runs: Sequence[str]) -> None:
    text = _text(path)
    rows = csv.reader(io.StringIO(text), delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        lines = [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(
            f"not a CSV table: {error}", where=f"{path}:{rows.line_num}", fix="quote cells that hold quotes"
        ) from None
    if not any(header):
        raise UserError("the file is empty", where=path, fix="give it a header, `run` and the metrics, and a row a run")
    if repeated := {name for name in header if name and header.count(name) > 1}:
        raise UserError(f"the column {min(repeated)!r} is there twice", where=f"{path}:1", fix="remove one")
    key = next((name for name in ("run", "name") if name in header), None)
    if key is None:
        raise UserError(
            f"there is no column `run` (found: {_few(header)})",
            where=f"{path}:1",
            fix="separate columns by commas" if ";" in header[0] else "name the column that holds the runs' ids `run`",
        )
    if not lines:
        raise UserError("there is no row", where=path, fix="give it a row for each run")
    long = {"metric", "value"} <= set(header)
    seen: dict[tuple[str, str], int] = {}
    for line, row in lines:
        where = f"{path}:{line}"
        if len(row) != len(header):
            raise UserError(
                f"the row has {len(row)} cells, the header {len(header)}", where=where, fix="correct the row"
            )
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        run = cells[key]
        _check_run(run, runs, f"{where} {key}")
        metric = cells["metric"] if long else ""
        if (run, metric) in seen:
            what = f"{metric} of run {run!r}" if long else f"run {run!r}"
            raise UserError(f"{what} is there twice, first in line {seen[run, metric]}", where=where, fix="remove one")
        seen[run, metric] = line
        for name, value, deviation, column in _entries(cells, long, where):
            if found.wants(name):
                found.values.setdefault(name, {})[run] = (_number(value, f"{where} {column}"), f"{where} {column}")
                if deviation:
                    found.errors.setdefault(name, {})[run] = _number(deviation, f"{where} standard error of {name}")


def _entries(cells: Mapping[str, str], long: bool, where: str) -> Iterator[tuple[str, str, str, str]]:
    """Metric, value, standard error (or nothing) and column of what stands in a row."""
    if long:
        if not cells["metric"]:
            raise UserError("the row names no metric", where=f"{where} metric", fix="name it")
        yield cells["metric"], cells["value"], cells.get("stderr", ""), "value"
        return
    for column, value in cells.items():
        if column and column not in _ROW_NAMES and not (column.endswith("_stderr") and column[:-7] in cells):
            yield column, value, cells.get(f"{column}_stderr", ""), column


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(
            f"cannot read the results: {reason}", where=path, fix="name a CSV, or a folder of results"
        ) from None


# lm-evaluation-harness


def _read_folder(found: _Found, folder: Path, runs: Sequence[str]) -> None:
    """A folder with a folder or a JSON file (``RUN.json``, or ``RUN_DATE.json`` as lm-evaluation-harness names it) for each run."""
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.name in runs:
                places.setdefault(path.name, []).append(path)
            elif _result_files(path):
                _check_run(path.name, runs, path)
        elif path.suffix == ".json":
            run = _DATE.sub("", path.stem).rstrip("_")
            if run == "results":
                raise UserError(
                    "these results are not in a folder of a run",
                    where=path,
                    fix=f"move them into one, e.g. {folder / runs[0] / path.name}",
                )
            if run not in runs and _load(path)[0] is None:
                continue  # of something else
            _check_run(run, runs, path)
            places.setdefault(run, []).append(path)
    if not places:
        raise UserError(
            "there are no results of any run here",
            where=folder,
            fix=f"put those of each run in a folder of its name, e.g. {folder / runs[0]}; or name a CSV with a column `run`",
        )
    for run, paths in places.items():
        _read_run(found, run, *paths)


def _result_files(folder: Path) -> list[Path]:
    """JSON files of results below a folder: those called so, else those that look so."""
    files = [
        path
        for path in sorted(folder.rglob("*.json"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return [path for path in files if path.name.startswith("results")] or [
        path for path in files if _load(path)[0] is not None
    ]


def _load(path: Path) -> tuple[dict[str, Any] | None, str]:
    """A file of results and its text; None if it holds something else."""
    text = _text(path)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return None, text
    return (raw if isinstance(raw, dict) and isinstance(raw.get("results"), dict) else None), text


def _read_run(found: _Found, run: str, *paths: Path) -> None:
    """Read all results of a run; of those that clash the newer ones, by the dates in their names, count."""
    files = [file for path in paths for file in (_result_files(path) if path.is_dir() else [path])]
    taken: dict[str, tuple[float, str, Path]] = {}
    older: dict[tuple[Path, Path], int] = {}
    for path in sorted(files, key=lambda path: (_dated(path), str(path))):
        for name, value, error, where in _harness(found, path):
            before = taken.get(name)
            if before is not None and before[0] != value and not (math.isnan(before[0]) or math.isnan(value)):
                if _dated(before[2]) == _dated(path):
                    raise UserError(
                        f"{name} of run {run!r} is {before[0]:g} in one file and {value:g} in another, and their names do not tell "
                        f"which is newer ({before[2].name}, {path.name})",
                        where=where,
                        fix="remove the file that does not count",
                    )
                older[before[2], path] = older.get((before[2], path), 0) + 1
            if before is None or not math.isnan(value):
                taken[name] = (value, where, path)
                found.errors.setdefault(name, {})[run] = error
    for (old, new), count in older.items():
        found.notes.append(
            f"run {run}: {count} {'value' if count == 1 else 'values'} of {old.name} {'is' if count == 1 else 'are'} "
            f"replaced by those of the newer {new.name}"
        )
    for name, (value, where, _) in taken.items():
        found.values.setdefault(name, {})[run] = (value, where)


def _dated(path: Path) -> str:
    """The date in a file's name, as texts sort; an undated file is the oldest."""
    date = _DATE.search(path.name)
    return date.group().replace(":", "-") if date else ""


def _harness(found: _Found, path: Path) -> Iterator[tuple[str, float, float, str]]:
    """Metric, value, standard error and place of what a file of lm-evaluation-harness holds. Which way is better goes to ``found``.

    Both layouts are read: ``"acc,none": 0.3`` (since 0.4; metric and filter) and ``"acc": 0.3``.
    """
    raw, text = _load(path)
    if raw is None:
        raise _not_results(path, text)
    tasks = {**(raw.get("groups") or {}), **raw["results"]}
    ways = raw.get("higher_is_better") or {}
    for task, entries in tasks.items():
        if not isinstance(entries, dict):
            raise UserError(
                f"the results of {task!r} are no mapping of metrics",
                where=f"{path}:{_line(text, task)} results.{task}",
                fix="use the file as lm-evaluation-harness wrote it",
            )
        for key, given in entries.items():
            metric, _, filtered = key.partition(",")
            if metric.strip() in _NOT_METRICS or metric.endswith("_stderr") or isinstance(given, dict):
                continue
            name = "/".join(["lm_eval", task, metric, *([filtered] if filtered not in ("", "none") else [])])
            if not found.wants(name):
                continue
            where = f"{path}:{_line(text, task, key)} results.{task}.{key}"
            error = entries.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr")
            yield name, _value(given, where), _error(error), where
            way = ways[task].get(metric) if isinstance(ways.get(task), dict) else None
            if not isinstance(way, bool):
                # Of the metric alone: a task may be called after something else that is measured.
                lower = better(metric)
                way = None if lower is None else not lower
            if way is not None and name not in found.stated:
                said = found.lower.setdefault(name, (not way, str(path)))
                if said[0] == way:
                    raise UserError(
                        f"{name}: here {'higher' if way else 'lower'} is better, in {said[1]} it is the other way round",
                        where=f"{path} higher_is_better.{task}.{metric}",
                        fix="evaluate all runs with the same version of the task",
                    )


def _not_results(path: Path, text: str) -> UserError:
    fix = "name results of lm-evaluation-harness: a JSON object with `results`"
    if not text.strip():
        return UserError("the file is empty", where=path, fix=fix)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return UserError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}", fix=fix)
    except RecursionError:
        return UserError("not JSON that can be read: it is nested too deeply", where=path, fix=fix)
    return UserError("these are no results of lm-evaluation-harness", where=path, fix=fix)


def _value(given: Any, where: str) -> float:
    if given is None or (isinstance(given, str) and given in _MISSING):
        return math.nan
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise UserError(f"{json.dumps(given)} is no number", where=where, fix="leave it out where a run has no value")
    return _finite(float(given), str(given), where)


def _error(given: Any) -> float:
    """A standard error; NaN where there is none (lm-evaluation-harness writes "N/A")."""
    usable = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
    return float(given) if usable else math.nan


def _line(text: str, *keys: str) -> int:
    """The line where a field of ``results`` stands, found by its keys."""
    at = max(0, text.find('"results"'))
    for key in keys:
        for written in (json.dumps(key), json.dumps(key, ensure_ascii=False)):
            if (next_at := text.find(f"{written}:", at)) >= 0:
                at = next_at
                break
    return text.count("\n", 0, at) + 1
