"""Running tasks: each stage is a datatrove pipeline step whose rank r does task r, under a datatrove executor.

Nothing here schedules. The local executor runs today; another of datatrove's executors takes the same steps, because a step needs
no more than a folder that all ranks can read: the tasks are a file in it, results are artifacts in the store.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import multiprocess
import multiprocess.connection
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from loguru import logger

from pipeline import interrupt
from pipeline.console import Progress
from pipeline.server import start_server
from pipeline.store import Store

# Its log repeats what our progress shows; what went wrong comes back as an exception.
logger.disable("datatrove")

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

    :param store: root of the store.
    :param tasks: JSON-lines file, one task a line.
    """

    type = "wellmix"
    name = "step"

    def __init__(self, store: Path, tasks: Path) -> None:
        super().__init__()
        self.store_root, self.tasks_file = store, tasks

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> None:
        """Do task ``rank``."""
        _follow_main()
        with self.tasks_file.open() as file:
            line = next(line for i, line in enumerate(file) if i == rank)
        self.run_task(Store(self.store_root), json.loads(line))

    @abstractmethod
    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        """Do one task and commit its result to the store (or where the task says)."""


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
    """Run one step over its tasks.

    :param workers: processes; 1 runs in this one.
    :param weight: how much of the progress bar a task is worth.
    :param group: name of a task's own bar (its source), shown while it is under way.
    """
    if not tasks:
        return
    with store.scratch(f"run-{step.name}") as folder:
        file = folder / "tasks.jsonl"
        file.write_text("".join(json.dumps(task) + "\n" for task in tasks), "utf-8")
        workers = min(workers, len(tasks))
        if workers > 1:
            start_server()
        executor = LocalPipelineExecutor(
            pipeline=[step(store.root, file)],
            tasks=len(tasks),
            workers=workers,
            logging_dir=str(folder),
            skip_completed=True,
        )
        with _watch(folder / "completions", tasks, progress, label, weight, group), _as_running():
            executor.run()


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
        folder: Path,
        tasks: Sequence[dict],
        progress: Progress,
        label: str,
        weight: Callable,
        group: Callable | None,
    ) -> None:
        self._folder, self._progress, self._label = folder, progress, label
        self._weights = [max(1, weight(task)) for task in tasks]
        self._groups = [group(task) for task in tasks] if group else [None] * len(tasks)
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
        try:
            return [int(name) for name in os.listdir(self._folder)]
        except OSError:
            return []

    def _follow(self) -> None:
        workers: set[Any] = set()
        while not self._stop.wait(0.05):  # often, for a pool forgets a dead worker at once
            self._progress.update(self._label, self._done())
            workers.update(multiprocess.active_children())
            # a pool ends workers with SIGTERM; 255 is said where the process they are forked from was killed
            ended = any(w.exitcode not in (None, 0, -signal.SIGTERM) for w in workers)
            if ended and not self._lost and not interrupt.requested():
                self._lost = True
                interrupt.stop_main(f"error: {_LOST}; the same command goes on from here")
