"""Where workers are forked from, and what they load there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_workers_are_forked_from_starts_no_threads() -> None:
    """A thread of the server is not there in the fork, and whoever waits for it waits for ever."""
    code = (
        "import os, pyarrow, numpy; threads = lambda: len(os.listdir('/proc/self/task')); before = threads();"
        "import pipeline.worker; print(before, threads())"
    )
    names = ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKIE_NUM_THREADS")
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | dict.fromkeys(names, "1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    before, after = map(int, found.stdout.split())
    assert after <= before


def test_the_command_line_is_light_until_a_command_runs() -> None:
    code = "import sys, pipeline.cli, pipeline.server; print([m for m in ('numba', 'polars', 'datatrove') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
