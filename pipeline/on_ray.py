"""Tasks on Ray, by datatrove's executor, and what it does not see: a process that was killed inside a worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from datatrove.executor.ray import RayPipelineExecutor

from pipeline.cluster import Children, RayOptions
from pipeline.threads import one_thread
from sources.errors import UserError


class RayExecutor(RayPipelineExecutor):
    """datatrove's executor; a worker whose own process was killed dies, so that its job is run again."""

    @classmethod
    def of(cls, options: RayOptions, step: Any, jobs: int, folder: str, workers: int) -> RayExecutor:
        """For the jobs of one step.

        :param workers: jobs at once.
        """
        connect(options, workers)
        return cls(
            pipeline=[step],
            tasks=jobs,
            workers=workers,
            logging_dir=folder,
            cpus_per_task=options.cpus_per_task,
            mem_per_cpu_gb=options.mem_per_cpu_gb,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Ray hands the executor to its workers: this runs in each, before its first task.
        self.__dict__.update(state)
        # Ray's own handler, which children would inherit, makes of a SIGTERM an exit like that of a defect.
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
        threading.Thread(target=_die_with_children, daemon=True).start()


def connect(options: RayOptions, workers: int) -> None:
    """Join the Ray cluster, or start one on this machine.

    :raises UserError: there is none at the address.
    """
    import ray

    if ray.is_initialized():
        return
    address = options.address or os.environ.get("RAY_ADDRESS")
    try:
        ray.init(
            address=address,
            num_cpus=None if address else workers * options.cpus_per_task,
            include_dashboard=False if not address else None,
            configure_logging=False,
            log_to_driver=False,
            runtime_env={"env_vars": one_thread()},
        )
    except ConnectionError as error:
        raise UserError(
            f"no Ray cluster answers at {address}: {str(error).splitlines()[0]}",
            where="--executor",
            fix="start it with `ray start --head`, or leave out the address for one on this machine",
        ) from None


def _die_with_children() -> None:
    """datatrove's worker waits in a pool of processes. A pool replaces a process that was killed, but waits for its task for ever;
    Ray sees only that the worker lives. So it goes too, and datatrove gives its job to another.
    """
    children = Children()
    while not children.lost():
        # often: the pool forgets a dead process within a tenth of a second
        time.sleep(0.02)
    os._exit(1)
