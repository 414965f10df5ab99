"""Running a program as a user would, and what it took: wall time of the whole process, and memory of its process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
#: Often enough for a batch; a process's own high-water mark is exact however seldom it is read.
INTERVAL = 0.05


@dataclass
class Memory:
    """Peaks in MB.

    :param largest_process: high-water mark of the resident set of the largest process (the kernel's own count, VmHWM).
    :param tree_rss: sampled sum of the resident sets of all processes; pages they share count once for each.
    :param tree_pss: the same with shared pages divided among those that share them: what the run really occupies.
    """

    largest_process: float = 0.0
    tree_rss: float = 0.0
    tree_pss: float = 0.0


@dataclass
class Run:
    """One finished process."""

    seconds: float
    stdout: str
    memory: Memory = field(default_factory=Memory)


class ProgramError(RuntimeError):
    """A measured program did not exit with 0."""


def run(command: list[str], env: dict[str, str] | None = None, *, memory: bool = False) -> Run:
    """Run a program to its end.

    :param memory: follow the memory of it and its children (costs it a little time: do not use both figures of one run).
    :raises ProgramError: it exited with another code than 0; the message holds the end of its stderr.
    """
    # Where it is set, each process compiles every module of ours again, which a user's machine does once.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=ROOT, env={**inherited, **(env or {})})
        peaks, stop = Memory(), threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, stop), daemon=True)
        if memory:
            watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - started
        stop.set()
        if memory:
            watcher.join()
        out.seek(0)
        err.seek(0)
        if code:
            raise ProgramError(
                f"{' '.join(command[:4])} ... exited with {code}:\n{err.read().decode(errors='replace')[-2000:]}"
            )
        return Run(seconds, out.read().decode(errors="replace"), peaks)


def python(*arguments: object) -> list[str]:
    """A command line for this interpreter."""
    return [sys.executable, *map(str, arguments)]


def _watch(pid: int, peaks: Memory, stop: threading.Event) -> None:
    try:
        top = psutil.Process(pid)
    except psutil.Error:
        return
    while not stop.wait(INTERVAL):
        rss = pss = 0.0
        try:
            family = [top, *top.children(recursive=True)]
        except psutil.Error:
            return
        for process in family:
            try:
                rss += process.memory_info().rss / 1e6
                pss += _kilobytes(process.pid, "smaps_rollup", "Pss:") / 1e3
                peaks.largest_process = max(
                    peaks.largest_process, _kilobytes(process.pid, "status", "VmHWM:") * 1.024 / 1e3
                )
            except (psutil.Error, OSError):  # it has just ended
                continue
        peaks.tree_rss, peaks.tree_pss = max(peaks.tree_rss, rss), max(peaks.tree_pss, pss * 1.024)


def _kilobytes(pid: int, file: str, field_name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field_name):
            return int(line.split()[1])
    return 0
