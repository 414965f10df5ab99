"""Stop a run at random moments, as a terminal, a scheduler or a container does, and look how it leaves.

    python -m tests.faults.signals --stops 10 --seed 0

For each of SIGINT, SIGTERM and SIGHUP, sent to the main process and to the whole group: the process must end within five seconds with exit
code 1, say in one line that the same command goes on, show no traceback and leave no worker. Then workers are killed, as the kernel does
for want of memory. A stopped run is resumed and stopped again until it comes to its end; the bytes must be those of a run nobody disturbed.
"""

from __future__ import annotations

import argparse
import functools
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from pipeline.interrupt import STOPPED
from tests.faults.runs import LEAVING, MIX, Place, Run, contents, finish, trial

#: Seconds within which a run has to end.
LIMIT = 5.0
#: Before this moment Python itself answers: the command line is not loaded.
FIRST = 1.0


def stop(run: Run, number: signal.Signals, *, group: bool = False, limit: float = LIMIT) -> tuple[float, list[str]]:
    """Send a signal to a run that is under way.

    :param limit: seconds it has to end.
    :returns: seconds until it ended, and what was not as it should be.
    """
    run.signal(number, group=group)
    sent = run.seconds
    code = run.end(timeout=60)
    took = run.seconds - sent
    wrong = [f"ended after {took:.1f} s"] if took > limit else []
    # Python itself ends by SIGINT if that came while an extension was being loaded
    if code not in (1, -signal.SIGINT) or run.err().strip() != STOPPED:
        wrong.append(f"exit code {code}, said {run.err()!r}")
    if run.gone() is None:
        wrong.append("left " + ", ".join(" ".join(process.cmdline())[:60] for process in run.others()))
        run.clear()
    return took, wrong


def kill_worker(run: Run, victim: psutil.Process, limit: float = LIMIT) -> tuple[float, list[str]]:
    """Kill a worker, as the kernel does when memory runs out. As :func:`stop`."""
    victim.kill()
    sent = run.seconds
    code = run.end(timeout=60)
    took = run.seconds - sent
    wrong = [f"ended after {took:.1f} s"] if took > limit else []
    if code != 1 or not run.err().startswith("error: a worker was killed") or "Traceback" in run.err():
        wrong.append(f"exit code {code}, said {run.err()!r}")
    if run.gone() is None:
        wrong.append("left processes")
        run.clear()
    return took, wrong


class Stops:
    """Stops runs again and again, each time resuming until one comes to its end."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.draw, self.bad = folder, random.Random(seed), 0
        (folder / "undisturbed").mkdir()
        whole = finish(MIX, Place(folder / "undisturbed"))
        self.seconds, self.wanted = whole.seconds, contents("mix", whole.at.out)

    def series(self, name: str, stops: int, act: Callable[[Run], tuple[float, list[str]] | None]) -> None:
        """Act on ``stops`` runs at random moments.

        :param act: stops a run; None if it cannot at this moment.
        """
        times: list[float] = []
        while len(times) < stops:
            with trial(self.folder, "trial") as at:
                run = Run(at, MIX.line(at))
                while len(times) < stops and self._wait(run):
                    stage = at.stage()
                    # what is leaving has done its work
                    done = act(run) if stage != LEAVING else None
                    if done is None:
                        break
                    times.append(done[0])
                    self.bad += bool(done[1])
                    print(f"{name} {stage}: {done[0]:.2f} s {'; '.join(done[1])}", flush=True)
                    run = Run(at, MIX.line(at))
                code = run.end()
                if code or contents("mix", at.out) != self.wanted or at.left():
                    print(f"resumed: exit code {code}, left {at.left()}: {run.err()}", flush=True)
                    self.bad += 1
        print(f"{name}: {len(times)} stops, at most {max(times):.1f} s", flush=True)

    def _wait(self, run: Run) -> bool:
        moment = self.draw.uniform(FIRST, self.seconds)
        return run.until(lambda: run.seconds >= moment)


def main() -> int:
    """Stop, print a line for each, and exit with 1 if one was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=10, help="of each kind")
    parser.add_argument("--only", choices=["SIGINT", "SIGTERM", "SIGHUP", "worker"], help="one kind")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds within which a run has to end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="work below this folder [default: a temporary one]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wellmix-signals-", dir=options.folder) as name:
        stops = Stops(Path(name), options.seed)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for group in (False, True) if options.only in (None, number.name) else ():
                to = "the group" if group else "the main process"
                act = functools.partial(stop, number=number, group=group, limit=options.limit)
                stops.series(f"{number.name} to {to}", options.stops, act)
        if options.only in (None, "worker"):

            def act_on_worker(run: Run) -> tuple[float, list[str]] | None:
                workers = run.workers()
                return kill_worker(run, stops.draw.choice(workers), options.limit) if workers else None

            stops.series("SIGKILL to a worker", options.stops, act_on_worker)
    print("all as it should be" if not stops.bad else f"{stops.bad} wrong")
    return 1 if stops.bad else 0


if __name__ == "__main__":
    sys.exit(main())
