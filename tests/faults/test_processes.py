"""Processes that are killed and stopped: a few of what ``kill.py`` and ``signals.py`` do by the hundred."""

from __future__ import annotations

import signal

import pytest

from tests.faults.kill import Killer
from tests.faults.runs import MIX, Run, contents, finish, trial
from tests.faults.signals import kill_worker, stop

pytestmark = pytest.mark.slow

#: Seconds; a test machine may be busy, and the scripts are stricter.
LIMIT = 20.0


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Killer:
    return Killer("mix", tmp_path_factory.mktemp("killed"), seed=0)


@pytest.mark.parametrize("number", [0, 3])
def test_killed_anywhere_it_comes_to_the_same_bytes(killer: Killer, number: int) -> None:
    """Three kills each: from an empty store at any moment, from a half-filled one in a given stage."""
    outcome = killer.trial(number, kills=3)
    assert outcome.kills
    assert outcome.wrong == []


def test_stopped_and_killed_workers(killer: Killer) -> None:
    """A pool would wait for both: for one that knows of no signal but SIGKILL, and for the lock that one took with it."""
    with trial(killer.folder, "stopped") as at:
        run = Run(at, MIX.line(at))
        assert run.until(lambda: len(run.workers()) == 2, pause=0.1)
        run.workers()[0].suspend()
        assert stop(run, signal.SIGTERM, limit=LIMIT)[1] == []
        run = Run(at, MIX.line(at))
        assert run.until(lambda: at.stage() in ("ingest", "attributes"))
        victim = run.workers()[0]
        assert kill_worker(run, victim, limit=LIMIT)[1] == []
        finish(MIX, at)
        assert contents("mix", at.out) == killer.empty.contents
        assert at.left() == []
