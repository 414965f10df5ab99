"""The process that workers are forked from. Importing this module costs next to nothing, so it can be started first of all."""

from __future__ import annotations

import os
import signal

import multiprocess
import multiprocess.forkserver


def start_server() -> None:
    """Start the process, if it is not there yet; it loads :mod:`pipeline.worker` while this one goes on."""
    multiprocess.set_forkserver_preload(["pipeline.worker"])
    # A run that was killed leaves semaphores, which the process that watches them removes; it need not say so.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    # Born with it blocked, it is deaf to Ctrl-C even before its first line runs.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        multiprocess.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
