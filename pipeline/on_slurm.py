"""Tasks on Slurm, by datatrove's executor, which submits and returns; here the run waits until the jobs have left the queue."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datatrove.executor.slurm import SlurmPipelineExecutor

from pipeline.cluster import SlurmOptions
from pipeline.threads import one_thread
from sources.errors import UserError
from sources.remote import is_url

#: Seconds between two looks at the queue; they grow to this.
_LOOK = 5.0


class SlurmExecutor(SlurmPipelineExecutor):
    """datatrove's executor, waiting."""

    @classmethod
    def of(cls, options: SlurmOptions, step: Any, jobs: int, folder: str, workers: int, label: str) -> SlurmExecutor:
        """For the jobs of one step.

        :param workers: jobs at once.
        :param label: names the jobs in Slurm's queue.
        """
        sbatch = dict(options.sbatch)
        if "output" in sbatch:
            sbatch.setdefault("error", sbatch["output"])
        elif is_url(folder):
            # nodes may share no folder, and a job whose output has no place does not start
            sbatch = {"output": "/dev/null", "error": "/dev/null"} | sbatch
        return cls(
            pipeline=[step],
            tasks=jobs,
            workers=workers,
            logging_dir=folder,
            job_name=f"wellmix {label}".replace(" ", "-"),
            partition=options.partition or _default_partition(),
            time=options.time,
            cpus_per_task=options.cpus_per_task,
            mem_per_cpu_gb=options.mem_per_cpu_gb,
            qos=options.qos,
            sbatch_args=sbatch,
            # datatrove makes this folder; else, of a store at a URL, one in the folder where the user happens to be
            slurm_logs_folder=tempfile.gettempdir() if is_url(folder) else None,
            env_command=options.setup or _setup(),
        )

    def run(self) -> None:
        """Inside a job: do its task. Outside: submit, and wait until all have ended, well or not."""
        super().run()
        if "SLURM_ARRAY_TASK_ID" in os.environ or self.job_id in (None, -1):
            return
        try:
            wait = 0.2
            while _queued(self.job_id):
                time.sleep(wait)
                wait = min(_LOOK, wait * 1.3)
        except BaseException:
            subprocess.run(["scancel", str(self.job_id)], check=False, capture_output=True)
            raise

    def launch_job(self) -> None:
        """Submit.

        :raises UserError: Slurm refuses.
        """
        try:
            super().launch_job()
        except subprocess.CalledProcessError as error:
            raise UserError(
                f"sbatch refused the job (exit code {error.returncode}); its reason stands above",
                where="--executor",
                fix="give partition, time, mem_per_cpu_gb or sbatch options in a file: pipeline/README.md",
            ) from None

    def launch_merge_stats(self) -> None:
        """No job for datatrove's statistics: the ledger counts, and after a lost task it would wait in the queue for ever."""


def _setup() -> str:
    """Shell command that puts this Python, and nothing else of this shell, in front."""
    threads = " ".join(f"{name}={value}" for name, value in one_thread().items())
    return f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH {threads}"


def _default_partition() -> str:
    found = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, check=False)
    names = found.stdout.split()
    if not names:
        raise UserError(
            f"Slurm does not answer: {(found.stderr.strip().splitlines() or ['sinfo names no partition'])[0]}",
            where="--executor",
            fix="look at `sinfo`",
        )
    return next((name for name in names if name.endswith("*")), names[0]).rstrip("*")


def _queued(job: str) -> bool:
    """Whether Slurm still has a job, waiting or running."""
    found = subprocess.run(["squeue", "-h", "-j", str(job), "-o", "%T"], capture_output=True, text=True, check=False)
    # A job that has left Slurm's memory is an "Invalid job id"; a controller that does not answer is neither.
    return bool(found.stdout.strip()) or (found.returncode != 0 and "Invalid job id" not in found.stderr)
