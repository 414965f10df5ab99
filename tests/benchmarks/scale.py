"""One mix at growing sizes: time, memory and disk of the real command. The one command of a measurement is

    python -m tests.benchmarks.scale --documents 10000,100000,1000000 --workers 2

Each size is a corpus of :mod:`tests.benchmarks.multiply` below ``--root``, and a run of ``wellmix mix`` over it in a fresh store. Results
are added to ``.bench/scale.json`` as they come: what is there is not measured again (``--again`` does), so a call that was ended goes on
with the size it was at. Disk: about 4 KB a document of the largest size for corpus, store, what passes between steps and output; it is
asked for before the work begins. ``python -m tests.benchmarks.sizing`` makes of the results what other sizes would take.

What is measured, and how

- seconds: of the whole process, and by stage as ``--json`` tells them (``seconds_by_stage``);
- CPU seconds by stage, of the main process and of all others, from samples of the process tree. On a machine that does other things they
  say more than the clock. Stages follow each other from the moment the store is there; before it is the start, after them the end;
- memory: the kernel's high-water mark of the main process and of the largest other one, with the pages they map from files; and the
  largest sampled sum of the tree with shared pages divided (PSS);
- disk: bytes and files of each kind of artifact at the end, and the peaks of the whole store and of what passes between steps (``work/``,
  ``tmp/``, where DuckDB spills).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.measure import ROOT, ProgramError
from tests.benchmarks.multiply import MULTIPLY_VERSION, multiply

#: Raise it when rows measured before cannot be compared with new ones.
SCALE_VERSION = 2
INTERVAL = 0.2
#: Folders of the store that hold what is gone when a run has ended.
PASSING = ("work", "tmp")
#: Bytes on disk a document needs while it is measured.
DISK = 4_000
#: In the order they run.
STAGES = ("start", "prepare", "documents", "dedup", "plan", "emit", "output", "end")


@dataclass
class Samples:
    """What was seen of a run from outside.

    :ivar times: seconds since its start; ``main`` and ``others`` the CPU seconds until then.
    :ivar begun: when its store was there.
    :ivar peaks: MB: high-water marks ``main`` and ``worker``, ``tree_pss``; bytes: ``store``, ``passing``.
    """

    begun: float = 0.0
    times: list[float] = field(default_factory=lambda: [0.0])
    main: list[float] = field(default_factory=lambda: [0.0])
    others: list[float] = field(default_factory=lambda: [0.0])
    peaks: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("main", "worker", "tree_pss", "store", "passing"), 0.0)
    )

    def high(self, name: str, value: float) -> None:
        """Raise a peak."""
        self.peaks[name] = max(self.peaks[name], value)


def sizes(folder: Path) -> dict[str, dict[str, int]]:
    """Bytes on disk and number of files of each folder in a store."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"bytes": 0, "files": 0})
    for top, _, names in os.walk(folder):
        kind = Path(top).relative_to(folder).parts[:1]
        for name in names:
            try:
                size = os.stat(os.path.join(top, name)).st_blocks * 512  # noqa: PTH116, PTH118 - thousands of them, often
            except OSError:  # moved or removed meanwhile
                continue
            entry = found[kind[0] if kind else "."]
            entry["bytes"] += size
            entry["files"] += 1
    return dict(found)


def _status(pid: int, file: str, name: str) -> float:
    """A line of ``/proc/pid/...`` in MB."""
    for line in Path(f"/proc/{pid}/{file}").read_text("utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1.024 / 1e3
    return 0.0


def _watch(pid: int, store: Path, samples: Samples, stop: threading.Event) -> None:
    began, next_disk = time.perf_counter(), 0.0
    top = psutil.Process(pid)
    while not stop.wait(INTERVAL):
        others = pss = 0.0
        try:
            own = top.cpu_times()
            children = top.children(recursive=True)
        except psutil.Error:
            return
        for process in (top, *children):
            try:
                used, who = process.cpu_times(), "main" if process is top else "worker"
                # what children used that have ended is in the time of their parent
                others += (
                    used.children_user + used.children_system + (used.user + used.system if process is not top else 0)
                )
                samples.high(who, _status(process.pid, "status", "VmHWM:"))
                pss += _status(process.pid, "smaps_rollup", "Pss:")
            except (psutil.Error, OSError):
                continue
        now = time.perf_counter() - began
        if not samples.begun and store.is_dir():
            samples.begun = now
        samples.times.append(now)
        samples.main.append(own.user + own.system)
        # a process that ended between two looks is not yet in its parent's time
        samples.others.append(max(others, samples.others[-1]))
        samples.high("tree_pss", pss)
        if now >= next_disk:
            there = sizes(store)
            samples.high("store", sum(entry["bytes"] for entry in there.values()))
            samples.high("passing", sum(there[kind]["bytes"] for kind in PASSING if kind in there))
            # looking costs at most a twentieth of the time
            next_disk = now + max(2.0, 20 * (time.perf_counter() - began - now))


def by_stage(samples: Samples, seconds: dict[str, float], whole: float) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds of each stage: CPU interpolated at the times where stages end.

    :param seconds: as ``--json`` tells them; steps inside a stage are left out.
    :param whole: seconds of the process.
    """
    walls = {stage: seconds.get(stage, 0.0) for stage in STAGES}
    walls["start"] = samples.begun
    walls["end"] = max(0.0, whole - sum(walls.values()))
    result, at = {}, 0.0
    for stage in STAGES:
        ends = [at, at + walls[stage]]
        cpu = {
            name: float(np.diff(np.interp(ends, samples.times, getattr(samples, name)))[0])
            for name in ("main", "others")
        }
        result[stage] = {
            "wall": round(walls[stage], 3),
            "main": round(cpu["main"], 3),
            "others": round(cpu["others"], 3),
        }
        at = ends[1]
    return result


def measure(root: Path, documents: int, *, effort: str, workers: int, executor: str, keep: bool) -> dict[str, Any]:
    """Make a corpus, mix it, and tell what it took.

    :raises ProgramError: the command failed.
    """
    corpus = multiply(root, documents, workers=workers, effort=effort)
    rate = corpus.text_bytes / corpus.seconds / 1e6
    _say(
        f"{documents:,} documents: {corpus.text_bytes / 1e6:,.0f} MB of text in {corpus.files} files, made at {rate:,.0f} MB/s"
    )
    store, out = Path(corpus.folder) / "store", Path(corpus.folder) / "out"
    for folder in (store, out):
        shutil.rmtree(folder, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "mix",
        str(corpus.recipe),
        "--store",
        str(store),
        "--out",
        str(out),
    ]
    command += ["--workers", str(workers), "--json", *([] if executor == "local" else ["--executor", executor])]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    load, samples, stop = os.getloadavg()[0], Samples(), threading.Event()
    log = Path(corpus.folder) / "mix.log"
    with log.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=err, env=inherited)
        watcher = threading.Thread(target=_watch, args=(process.pid, store, samples, stop), daemon=True)
        watcher.start()
        told, _ = process.communicate()
        whole = time.perf_counter() - began
    stop.set()
    watcher.join()
    if process.returncode:
        raise ProgramError(f"wellmix mix exited with {process.returncode}; its messages are in {log}")
    summary = json.loads(told)
    ledger = json.loads((out / "ledger.json").read_text("utf-8"))
    written = sizes(out)
    row = {
        "version": [SCALE_VERSION, MULTIPLY_VERSION],
        "documents": documents,
        "input": {
            "text_bytes": corpus.text_bytes,
            "file_bytes": corpus.file_bytes,
            "files": corpus.files,
            "mb_per_second": round(rate, 1),
        },
        "seconds": round(whole, 2),
        "stages": by_stage(samples, summary["seconds_by_stage"], whole),
        "seconds_by_stage": summary["seconds_by_stage"],
        "peaks": {name: round(value, 1) for name, value in samples.peaks.items()},
        "store": {kind: entry for kind, entry in sorted(sizes(store).items()) if kind not in (*PASSING, ".")},
        "output": {
            "documents": summary["documents"],
            "bytes": sum(entry["bytes"] for entry in written.values()),
            "files": sum(entry["files"] for entry in written.values()),
        },
        "dedup": ledger["dedup"],
        "load_before": round(load, 1),
    }
    if not keep:
        for folder in (store, out):
            shutil.rmtree(folder, ignore_errors=True)
    return row


def slope(rows: list[dict[str, Any]], value: Any) -> float:
    """Exponent of growth between the two largest sizes: 1 is linear.

    :param value: of a row.
    """
    if len(rows) < 2 or min(value(rows[-2]), value(rows[-1])) <= 0:
        return math.nan
    return math.log(value(rows[-1]) / value(rows[-2])) / math.log(rows[-1]["documents"] / rows[-2]["documents"])


def table(rows: list[dict[str, Any]]) -> str:
    """What was measured, in Markdown: a column a size, and how it grows."""
    first = rows[0]
    lines = [
        "| | " + " | ".join(f"{row['documents']:,}" for row in rows) + " | last to first | slope |",
        "|---|" + "---|" * (len(rows) + 2),
    ]

    def line(label: str, value: Any, shown: str = ",.1f") -> None:
        cells = " | ".join(format(value(row), shown) for row in rows)
        ratio = value(rows[-1]) / value(first) if value(first) else math.nan
        lines.append(f"| {label} | {cells} | {ratio:,.2f} | {slope(rows, value):.2f} |")

    line("seconds", lambda row: row["seconds"])
    line("us a document, wall", lambda row: row["seconds"] / row["documents"] * 1e6)
    line("MB/s of text", lambda row: row["input"]["text_bytes"] / row["seconds"] / 1e6, ",.2f")
    for stage in STAGES:
        for who in ("main", "others"):
            if max(row["stages"][stage][who] for row in rows) >= 0.5:
                label = f"CPU us a document, {stage}, {'main process' if who == 'main' else 'workers'}"
                line(label, lambda row, s=stage, w=who: row["stages"][s][w] / row["documents"] * 1e6)
    line("peak MB, main process", lambda row: row["peaks"]["main"], ",.0f")
    line("peak MB, largest worker", lambda row: row["peaks"]["worker"], ",.0f")
    line("peak MB, all, shared pages divided", lambda row: row["peaks"]["tree_pss"], ",.0f")
    line("peak MB between steps (work, spill)", lambda row: row["peaks"]["passing"] / 1e6)
    line("peak MB of the store", lambda row: row["peaks"]["store"] / 1e6)
    line("MB of the output", lambda row: row["output"]["bytes"] / 1e6)
    line("files in the store", lambda row: sum(kind["files"] for kind in row["store"].values()), ",.0f")
    return "\n".join(lines)


def load(path: Path) -> dict[str, Any]:
    """Results so far; those of another version are left out."""
    if not path.is_file():
        return {"machine": {}, "rows": []}
    found = json.loads(path.read_text("utf-8"))
    found["rows"] = [row for row in found["rows"] if row["version"] == [SCALE_VERSION, MULTIPLY_VERSION]]
    return found


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    """Measure what is asked for and not there yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", default="10000,100000,1000000")
    parser.add_argument("--effort", default="fast", choices=["fast", "balanced", "best"])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--executor", default="local")
    parser.add_argument("--root", type=Path, default=ROOT / ".bench" / "scale", help="where corpora and stores go")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / "scale.json")
    parser.add_argument("--again", action="store_true", help="measure sizes that are there, too")
    parser.add_argument("--keep", action="store_true", help="leave stores and outputs")
    given = parser.parse_args()
    args = {"effort": given.effort, "workers": given.workers, "executor": given.executor}
    given.root.mkdir(parents=True, exist_ok=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    results = load(given.out)
    results["machine"] = {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "processor": platform.machine(),
    }
    for documents in sorted({int(size) for size in given.documents.split(",")}):
        same = [row for row in results["rows"] if row["documents"] == documents and row["arguments"] == args]
        if same and not given.again:
            _say(f"{documents:,} documents: measured before")
            continue
        free = shutil.disk_usage(given.root).free
        if free < documents * DISK:
            sys.exit(
                f"{documents:,} documents need about {documents * DISK / 1e9:,.0f} GB below {given.root}; {free / 1e9:,.0f} are free"
            )
        row = measure(given.root, documents, **args, keep=given.keep) | {"arguments": args}
        results["rows"] = sorted(
            [*(other for other in results["rows"] if other not in same), row], key=lambda row: row["documents"]
        )
        aside = given.out.with_suffix(".part")
        aside.write_text(json.dumps(results, indent=1), "utf-8")
        aside.replace(given.out)
        _say(f"{documents:,} documents: {row['seconds']:,.1f} s")
    rows = [row for row in results["rows"] if row["arguments"] == args]
    print(table(rows))


if __name__ == "__main__":
    main()
