"""Where workers are forked from, and what they load there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import multiprocess
import pytest

from pipeline.cluster import Children
from pipeline.threads import NAMES

ROOT = Path(__file__).parents[2]


def test_what_workers_are_forked_from_starts_no_pools() -> None:
    """A thread of the server is not there in the fork, and whoever waits for it waits for ever."""
    code = (
        "import os, pipeline.worker;"
        "print(*sorted({open(f'/proc/self/task/{t}/comm').read().strip() for t in os.listdir('/proc/self/task')}), sep=chr(10))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | dict.fromkeys(NAMES, "1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    # jemalloc's cleaners know of forks; polars starts its spill cleaner on import, and nothing here spills
    harmless = ("python", "jemalloc", "polars-ooc")
    assert [name for name in found.stdout.split("\n") if name and not name.startswith(harmless)] == []


def test_the_command_line_is_light_until_a_command_runs() -> None:
    code = "import sys, pipeline.cli, pipeline.server; print([m for m in ('numba', 'polars', 'datatrove') if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "[]"


def _look(children: Children, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if children.lost():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_lost_child_is_told_from_the_end_of_a_pool(how: signal.Signals) -> None:
    children = Children()
    with multiprocess.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2] and not _look(children, 0.2)
    assert not _look(children, 0.2), "a pool ends its own by SIGTERM"
    with multiprocess.get_context("fork").Pool(2) as pool:
        others = Children()
        pool.map_async(time.sleep, [30, 30])
        assert not _look(others, 0.3)
        os.kill(multiprocess.active_children()[0].pid, how)
        assert _look(others, 5)
