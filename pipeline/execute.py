"""Running tasks: each stage is a datatrove pipeline step whose rank r does task r, under a datatrove executor.

Nothing here schedules. Each of datatrove's executors (:mod:`pipeline.cluster`) takes the same steps, because a step needs no more than a
folder that all ranks can read: the tasks are a file in it, results are artifacts in the store.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import threading
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import multiprocess
import multiprocess.connection
from datatrove.executor import LocalPipelineExecutor
from datatrove.io import get_datafolder
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from pipeline import interrupt
from pipeline.cluster import Children, Cluster, current, run_on_cluster
from pipeline.console import Progress
from pipeline.server import start_server
from pipeline.store import Store
from sources.errors import DefectError, UserError, told, wants_messages
from sources.remote import is_url

# Its log repeats what our progress shows; what went wrong comes back as an exception.
logger.disable("datatrove")
# Libraries that readers use quote what they warn of; who configures logging gets to see it, nobody else does.
logging.lastResort = logging.NullHandler()  # type: ignore[assignment]

_LOST = "a worker was killed, most likely for want of memory: use fewer --workers, or a smaller ingest.shard_bytes"

#: Whether a run is under way: what is forked then belongs to it.
_running = False


def _die_with_parent() -> None:
    """Let a forked helper (multiprocessing's manager) not outlive a run that was killed: it would hold the store's lock for ever."""
    if _running and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


os.register_at_fork(after_in_child=_die_with_parent)


@lru_cache(maxsize=1)
def _follow_main() -> None:
    """Let a worker not outlive a main process that was killed: it would write beside the run that takes over, or what was removed since."""
    main = multiprocess.parent_process()
    if main is not None:
        threading.Thread(target=_end_with, args=(main.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocess.connection.wait([sentinel])
    os._exit(1)


class Step(PipelineStep):
    """A stage as datatrove runs it.

    :param store: where results go; workers get it pickled.
    :param folder: of this run of the step, which all workers see: ``tasks.jsonl`` holds one job a line, each a list of tasks.
    """

    type = "wellmix"
    name = "step"

    def __init__(self, store: Store, folder: str) -> None:
        super().__init__()
        self.store, self.folder = store, folder

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        """Do the tasks of job ``rank``.

        :raises DefectError: in place of an error whose message may quote a text, and which would be logged and printed on its way up.
        """
        _follow_main()
        try:
            for task in json.loads(_jobs(self.folder)[rank]):
                with self.store.using():
                    self.run_task(self.store, task)
            return
        except Exception as error:
            failed = _safe(error, f"job {rank} of step {self.name}")
        with get_datafolder(self.folder).open(f"failures/{rank:05d}.json", "w") as file:
            json.dump(_as_json(failed), file)
        # out of the handler, so that the first error is no part of this one
        raise failed

    @abstractmethod
    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        """Do one task and commit its result to the store."""


@lru_cache(maxsize=1)
def _jobs(folder: str) -> list[str]:
    with get_datafolder(folder).open("tasks.jsonl", "r") as file:
        return file.read().splitlines()


def _safe(error: Exception, what: str) -> Exception:
    """The error, where its message is ours or speaks of files and memory; else one that says where it was."""
    if isinstance(error, UserError | DefectError | OSError | MemoryError) or wants_messages():
        return error
    return DefectError(f"{what}: {told(error)}")


def _as_json(error: Exception) -> dict[str, Any]:
    """An error for the main process, which may be on another machine."""
    if isinstance(error, UserError):
        return {"kind": "user", "what": error.what, "where": error.where, "fix": error.fix}
    if isinstance(error, OSError):
        said = error.strerror or type(error).__name__
        return {"kind": "os", "errno": error.errno, "what": said, "where": error.filename}
    return {"kind": "defect", "what": str(error) or type(error).__name__}


def _raise_failures(folder: str) -> None:
    """Raise the first failure that a job of a cluster has left."""
    files = get_datafolder(folder)
    for name in sorted(files.list_files("failures")):
        with files.open(name, "r") as file:
            failure = json.load(file)
        if failure["kind"] == "user":
            raise UserError(failure["what"], where=failure["where"], fix=failure["fix"])
        if failure["kind"] == "os":
            raise OSError(failure["errno"], failure["what"], failure["where"])
        raise DefectError(failure["what"])


def run_step(
    step: type[Step],
    store: Store,
    tasks: Sequence[dict[str, Any]],
    *,
    workers: int,
    progress: Progress,
    label: str,
    weight: Callable[[dict[str, Any]], int] = lambda task: 1,
    group: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Run one step over its tasks, where :func:`pipeline.cluster.running_on` says.

    :param workers: processes, or jobs of a cluster, at once; 1 runs in this process.
    :param weight: how much of the progress bar a task is worth.
    :param group: name of a task's own bar (its source), shown while it is under way.
    :raises UserError: what a task says that the user can mend.
    """
    if not tasks:
        return
    cluster = current()
    n = cluster.jobs(len(tasks), workers)
    # neighbours together: they are of one source, and a bar shows them
    jobs = [tasks[len(tasks) * i // n : len(tasks) * (i + 1) // n] for i in range(n)]
    weights = [sum(max(1, weight(task)) for task in job) for job in jobs]
    groups = [group(job[0]) if group else None for job in jobs]
    with _folder(store, cluster, step.name) as folder:
        with get_datafolder(folder).open("tasks.jsonl", "w") as file:
            file.write("".join(json.dumps(job) + "\n" for job in jobs))
        made = step(store if is_url(store.location) else Store(store.root.absolute()), folder)
        with progress.timed(step.name), _watch(folder, weights, groups, progress, label), _as_running():
            # one task alone is not worth a job: it is done where planning is
            if cluster.kind == "local" or n == 1:
                _run_here(made, n, folder, min(workers, n))
            else:
                run_on_cluster(
                    cluster,
                    made,
                    n,
                    folder,
                    workers=workers,
                    label=label,
                    failures=lambda: _raise_failures(folder),
                )


@contextmanager
def _folder(store: Store, cluster: Cluster, name: str) -> Iterator[str]:
    """The folder of a run of a step, which all its workers see."""
    if cluster.kind == "local" or not is_url(store.location):
        with store.scratch(f"run-{name}") as scratch:
            yield str(scratch.absolute())
    else:
        # swept with the other tables between steps
        yield store.shared(f"work/run-{name}-{uuid.uuid4().hex[:8]}")


def _run_here(step: Step, jobs: int, folder: str, workers: int) -> None:
    if workers > 1:
        start_server()
    LocalPipelineExecutor(pipeline=[step], tasks=jobs, workers=workers, logging_dir=folder, skip_completed=True).run()


@contextmanager
def _as_running() -> Iterator[None]:
    global _running
    _running = True
    try:
        yield
    finally:
        _running = False


class _watch:  # noqa: N801 - used as a with-statement
    """Follows datatrove's completion markers and moves the progress bars; ends the run when a worker was killed.

    :raises ChildProcessError: a worker was killed. A pool replaces it but waits for its task for ever.
    """

    def __init__(
        self,
        folder: str,
        weights: list[int],
        groups: list[str | None],
        progress: Progress,
        label: str,
    ) -> None:
        self._folder, self._progress, self._label = folder, progress, label
        self._far = is_url(folder)
        self._weights, self._groups = weights, groups
        self._stop = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._progress.start(self._label, self._weights, self._groups)
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._progress.update(self._label, self._done())
        self._progress.finish(self._label, failed=error[0] is not None)
        if interrupt.requested():  # whatever came up is of the unwinding, as a pool's helper that is gone
            raise KeyboardInterrupt from None
        if self._lost:
            raise ChildProcessError(_LOST) from None

    def _done(self) -> list[int]:
        if self._far:
            return [int(name.rsplit("/", 1)[-1]) for name in get_datafolder(self._folder).list_files("completions")]
        try:
            return [int(name) for name in os.listdir(f"{self._folder}/completions")]
        except OSError:
            return []

    def _follow(self) -> None:
        workers = Children()
        # often, for a pool forgets a dead worker at once
        while not self._stop.wait(5.0 if self._far else 0.05):
            done = self._done()
            self._progress.update(self._label, done)
            # once all is done the pool and its manager are ended, on a busy machine by SIGKILL, and that is no loss
            if workers.lost() and len(done) < len(self._weights) and not self._lost and not interrupt.requested():
                self._lost = True
                interrupt.stop_main(f"error: {_LOST}; the same command goes on from here")
