"""What the tests of faults share: a real command on the embedded sample as a process of its own, what it is doing at a moment, and what it
left behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]

#: Marks every process of a run: children inherit it, wherever they hang.
_MARK = "WELLMIX_FAULTS_RUN"

#: What lies in the store's ``tmp`` while something is under way, in the order of a run: the last that is there counts.
_STAGES = {
    "ablation": "design",
    "run-documents": "workers start",
    "run-candidates": "workers start",
    "ingest": "ingest",
    "documents": "ingest",
    "candidates": "shape",
    "quality": "attributes",
    "scores": "attributes",
    "candidate-scores": "examine",
    "candidate-conduct": "examine",
    "catalog": "catalog",
    "pool": "pool",
    "clusters": "dedup",
    "run-shingles": "dedup: compare",
    "selection": "select",
    "vectors": "embed",
    "plan": "plan",
    "draws": "draws",
    "proxy-tokens": "proxy tokens",
    "ngram": "n-gram proxy",
    "run-scatter": "scatter",
    "run-gather": "gather",
}
LOADING, BETWEEN, OUTPUT, LEAVING = "loading", "between steps", "output", "leaving"


@dataclass
class Place:
    """A folder of one trial."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def left(self) -> list[str]:
        """What a run that has ended well must not leave: temporary folders, tables between steps, folders beside the output."""
        tmp = self.store / "tmp"
        found = [f"tmp/{path.name}" for path in tmp.iterdir()] if tmp.is_dir() else []
        found += ["work"] if (self.store / "work").exists() else []
        found += [path.name for path in self.store.glob("fingerprints.*") if path.name != "fingerprints.json"]
        return sorted(found + [path.name for path in self.folder.iterdir() if path.name.startswith(".")])

    def stage(self) -> str:
        """What a run is doing, by what it has in hand."""
        if any(re.fullmatch(r"\.out\.[0-9a-f]{8}(\.old)?", name) for name in _names(self.folder)):
            return OUTPUT
        if not self.store.is_dir() or not (self.store / "lock").exists():
            return LEAVING if self.out.exists() else LOADING
        there = {re.sub(r"(-[0-9a-f]{8})+$", "", name) for name in _names(self.store / "tmp")}
        found = [label for name, label in _STAGES.items() if name in there]
        return found[-1] if found else LEAVING if self.out.exists() else BETWEEN


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


@dataclass
class Command:
    """One of the commands, but for where it reads and writes.

    :param arguments: of ``wellmix``, without its places.
    :param place: the options that name a place's store and output.
    """

    name: str
    arguments: list[str]
    place: Callable[[Place], list[str]] = lambda at: ["--store", str(at.store), "--out", str(at.out), "--workers", "2"]

    def line(self, at: Place) -> list[str]:
        return [sys.executable, "-m", "pipeline.cli", self.name, *self.arguments, *self.place(at)]


#: The cascade of classifiers has nothing to do with crashes: fast.
MIX = Command(
    "mix", ["recipes/sample.yaml", "--set", "shards.formats=[parquet, jsonl, megatron]", "--set", "effort=fast"]
)
COMMANDS = {
    "mix": MIX,
    "curate": Command(
        "curate", ["recipes/sample-set.yaml", "--set", "shards.files=[parquet, jsonl]", "--set", "effort=fast"]
    ),
    "ablate": Command("ablate", ["recipes/ablation/sample.yaml"]),
}


def publish(output: Path) -> Command:
    """Publish ``output`` to the place's ``out``."""
    return Command("publish", [str(output)], lambda at: ["--to", str(at.out), "--contact", "data@example.org"])


@dataclass
class Run:
    """A command that is under way, in a process group of its own.

    :param at: where it writes.
    """

    at: Place
    line: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    stdout: int = subprocess.PIPE

    def __post_init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self.log = self.at.folder.parent / f"{self.at.folder.name}-{self.mark[:8]}.err"
        self._err = self.log.open("wb")
        self.process = subprocess.Popen(
            self.line,
            cwd=self.cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT), _MARK: self.mark} | self.env,
            stdout=self.stdout,
            stderr=self._err,
            start_new_session=True,
        )
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it started."""
        return time.monotonic() - self.started

    def runs(self) -> bool:
        return self.process.poll() is None

    def until(self, met: Callable[[], object], timeout: float = 600, pause: float = 0.01) -> bool:
        """Wait until something is so; False if the run ended first.

        :param pause: seconds between looks.
        :raises TimeoutError: neither happened.
        """
        while not met():
            if not self.runs():
                return False
            if self.seconds > timeout:
                raise TimeoutError(f"{self.line[3]} for {timeout} s: {self.err()}")
            time.sleep(pause)
        return True

    def signal(self, number: int, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.process.pid, number)

    def end(self, timeout: float = 600) -> int:
        """Wait for the main process; its exit code."""
        try:
            self.process.communicate(timeout=timeout)
        finally:
            if self.runs():
                self.signal(signal.SIGKILL, group=True)
            self._err.close()
        return self.process.returncode

    def err(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def others(self) -> list[psutil.Process]:
        """Its processes but the main one."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != self.process.pid and process.environ().get(_MARK) == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def workers(self) -> list[psutil.Process]:
        """The processes that do tasks: children of the process they are forked from."""
        others = self.others()
        servers = {process.pid for process in others if "forkserver" in " ".join(process.cmdline())}
        return [process for process in others if process.ppid() in servers]

    def gone(self, within: float = 5) -> float | None:
        """Seconds until the last of its processes was gone; None if some live longer than ``within``."""
        began = time.monotonic()
        while self.others():
            if time.monotonic() - began > within:
                return None
            time.sleep(0.05)
        return time.monotonic() - began

    def clear(self) -> None:
        """Kill what is left of it."""
        for process in self.others():
            with contextlib.suppress(psutil.Error):
                process.kill()


def finish(command: Command, at: Place, **options: object) -> Run:
    """Run a command to its end.

    :raises AssertionError: it failed.
    """
    run = Run(at, command.line(at), **options)  # type: ignore[arg-type]
    code = run.end()
    assert code == 0, f"{command.name} ended with {code}: {run.err()}"
    return run


def contents(command: str, out: Path) -> dict[str, str]:
    """sha256 of each file of an output. What an ablation says of the run itself (seconds, what was reused) is left out."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name, data = path.relative_to(out).as_posix(), path.read_bytes()
        if command == "ablate" and name in ("report.html", "manifest.json"):
            continue
        if command == "ablate" and name == "report.json":
            data = json.dumps(_without_run(json.loads(data)), sort_keys=True).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def _without_run(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_run(v) for k, v in value.items() if k not in ("seconds", "reused", "lineage")}
    return [_without_run(one) for one in value] if isinstance(value, list) else value


@contextlib.contextmanager
def trial(parent: Path, name: str) -> Iterator[Place]:
    """A place of its own, removed afterwards if all went well."""
    folder = parent / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield Place(folder)
    shutil.rmtree(folder)
