"""Where tasks run: on this machine, on a Ray cluster or on a Slurm cluster, by datatrove's executors.

Nothing of ours schedules. What is added here is what a run must know about them: when they are at an end, which tasks were lost with a
worker or a node (those alone run again), and what a task that failed has to say to the user.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from pipeline.recipe import Located, Strict, read_yaml, validated
from sources.errors import UserError

Kind = Literal["local", "ray", "slurm"]

#: A task that is lost with its worker or node runs again, this many times in all.
ATTEMPTS = 3


class RayOptions(Strict):
    """A Ray cluster.

    :param address: of its head, as ``ray.init`` takes it; default ``RAY_ADDRESS``, and without it a cluster on this machine.
    :param cpus_per_task: reserved for each task.
    :param mem_per_cpu_gb: memory reserved for each of them.
    :param jobs_per_worker: a job does several tasks one after another, so that starting Python does not cost more than the work: so many
        jobs for each worker. More of them divide the work more evenly, and less is done again where one is lost.
    """

    address: str | None = None
    cpus_per_task: int = Field(default=1, ge=1)
    mem_per_cpu_gb: float = Field(default=2, gt=0)
    jobs_per_worker: int = Field(default=4, ge=1)


class SlurmOptions(Strict):
    """A Slurm cluster; the command runs where ``sbatch`` does, and the store lies where every node sees it.

    :param partition: default the cluster's own default.
    :param time: limit of a job, ``HH:MM:SS``.
    :param cpus_per_task: reserved for each job.
    :param mem_per_cpu_gb: memory reserved for each of them.
    :param jobs_per_worker: as of :class:`RayOptions`.
    :param qos: quality of service.
    :param sbatch: further options of ``sbatch``, e.g. ``{account: lab}``; ``{output: /shared/%A_%a.out}`` keeps what jobs print.
    :param setup: shell command that a job begins with; default puts the environment of this Python on its path.
    """

    partition: str | None = None
    time: str = "12:00:00"
    cpus_per_task: int = Field(default=1, ge=1)
    mem_per_cpu_gb: int = Field(default=4, ge=1)
    jobs_per_worker: int = Field(default=4, ge=1)
    qos: str | None = None
    sbatch: dict[str, str] = {}
    setup: str | None = None


class Cluster(Located):
    """What ``--executor`` names: ``local``, ``ray``, ``slurm``, or a YAML file with one of these and its options.

    It is no part of a recipe, because it changes no byte of what a recipe makes.
    """

    local: None = None
    ray: RayOptions | None = None
    slurm: SlurmOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        # `ray:` with nothing after it means its defaults
        if isinstance(value, dict):
            return {kind: {} if options is None and kind != "local" else options for kind, options in value.items()}
        return value

    @model_validator(mode="after")
    def _one(self) -> Cluster:
        if len(self.model_fields_set) != 1:
            raise ValueError("name exactly one of local, ray and slurm")
        return self

    @property
    def kind(self) -> Kind:
        """Which of the three."""
        return next(kind for kind in get_args(Kind) if kind in self.model_fields_set)

    def jobs(self, tasks: int, workers: int) -> int:
        """How many jobs ``tasks`` are divided into."""
        options = self.ray or self.slurm
        return tasks if options is None else min(tasks, max(1, workers) * options.jobs_per_worker)


LOCAL = Cluster.model_validate({"local": None})

_current: ContextVar[Cluster] = ContextVar("cluster", default=LOCAL)


def load_cluster(name: str | None) -> Cluster:
    """What ``--executor`` names.

    :param name: ``local``, ``ray``, ``slurm`` or a YAML file; None is ``local``.
    :raises UserError: it is none of them, or what runs it is not installed.
    """
    if name is None or name == "local":
        return LOCAL
    if name in get_args(Kind):
        made = Cluster.model_validate({name: None})
    elif Path(name).suffix in (".yaml", ".yml"):
        path = Path(name)
        raw, lines = read_yaml(path, "executor", "pipeline/README.md")
        made = validated(Cluster, raw, path, lines, (Cluster, RayOptions, SlurmOptions))
    else:
        raise UserError(f"no executor is called {name!r}", where="--executor", fix="local, ray, slurm or a YAML file")
    _check_installed(made)
    return made


def _check_installed(cluster: Cluster) -> None:
    if cluster.kind == "ray" and find_spec("ray") is None:
        raise UserError("Ray is not installed", where="--executor", fix="pip install 'wellmix[ray]'")
    if cluster.kind == "slurm" and which("sbatch") is None:
        raise UserError("sbatch is not here", where="--executor", fix="run this on a login node of the Slurm cluster")


@contextmanager
def running_on(cluster: Cluster) -> Iterator[None]:
    """Let the steps of a run be executed there."""
    token = _current.set(cluster)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Cluster:
    """Where the steps of this run are executed."""
    return _current.get()


class Children:
    """The processes of a pool that was started by this one, as one keeps looking at them."""

    def __init__(self) -> None:
        self._seen: set[Any] = set()

    def lost(self) -> bool:
        """Whether one has ended as none does by itself. A pool ends its own with SIGTERM when it is done or has failed, and fills the place
        of one that somebody else ended so; 255 is said where the process they are forked from was killed.
        """
        import multiprocess

        there = set(multiprocess.active_children())
        new = there - self._seen
        terminated = any(one.exitcode == -signal.SIGTERM for one in self._seen)
        self._seen |= there
        return (terminated and bool(new)) or any(one.exitcode not in (None, 0, -signal.SIGTERM) for one in self._seen)


class LostTasksError(ChildProcessError):
    """Jobs were lost with their workers again and again."""


def run_on_cluster(
    cluster: Cluster, step: Any, jobs: int, folder: str, *, workers: int, label: str, failures: Callable[[], None]
) -> None:
    """Run a step's jobs on Ray or Slurm until all are done.

    :param step: a :class:`pipeline.execute.Step`.
    :param folder: of this step's run, seen by all workers: datatrove keeps its completion markers there.
    :param failures: raises what a task that failed has left to say.
    :raises LostTasksError: a job was lost :data:`ATTEMPTS` times.
    """
    for _ in range(ATTEMPTS):
        executor = _executor(cluster, step, jobs, folder, workers, label)
        executor.run()
        failures()
        if not (lost := executor.get_incomplete_ranks()):
            return
    raise LostTasksError(
        f"{len(lost)} of {jobs} jobs of {label!r} were lost {ATTEMPTS} times with their workers or nodes, most likely for want of"
        " memory: raise mem_per_cpu_gb, or take a smaller ingest.shard_bytes"
        + ("; `slurm: {sbatch: {output: /shared/%A_%a.out}}` keeps what they print" if cluster.slurm else "")
    )


def _executor(cluster: Cluster, step: Any, jobs: int, folder: str, workers: int, label: str) -> Any:
    if cluster.ray is not None:
        from pipeline.on_ray import RayExecutor

        return RayExecutor.of(cluster.ray, step, jobs, folder, workers)
    from pipeline.on_slurm import SlurmExecutor

    return SlurmExecutor.of(cluster.slurm or SlurmOptions(), step, jobs, folder, workers, label)
