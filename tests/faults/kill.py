"""Promise 3: kill a run anywhere, run it again, and the bytes are those of a run nobody disturbed.

    python -m tests.faults.kill --kills 100 --command mix --seed 0

Each trial starts from an empty store, or from one that holds a random half of its artifacts, and runs the real command with two workers. It
is killed with SIGKILL: the whole process group, or the main process alone, so that its workers are orphans while it is resumed. Every
other trial is killed at a moment drawn uniformly over the run, the rest in a stage whose turn it is, so that short ones are met, too. Some
resumed runs are killed again. In the end every file must be that of the undisturbed run, and nothing be left: no temporary folder, no
process.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.runs import (
    BETWEEN,
    COMMANDS,
    MIX,
    Command,
    Place,
    Run,
    contents,
    finish,
    publish,
    trial,
)


@dataclass
class Kill:
    """One kill.

    :param turn: 1 in the first run, 2 and 3 in resumed ones.
    :param orphans: whether only the main process was killed.
    """

    turn: int
    stage: str
    orphans: bool


@dataclass
class Outcome:
    """One trial.

    :param filled: whether it started from a half-filled store.
    :param wrong: what was not as it should be; empty if all was.
    """

    filled: bool
    kills: list[Kill] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Undisturbed:
    """The run to compare with: its output, how long it takes, and how long each stage.

    :param start: what a half-filled trial starts from; its own bytes are what that one has to come to.
    """

    def __init__(self, command: Command, folder: Path, start: Place | None = None) -> None:
        self.place = Place(folder)
        folder.mkdir()
        if start is not None:
            shutil.copytree(start.out, self.place.out)
        run = Run(self.place, command.line(self.place))
        seen: dict[str, list[float]] = {}
        while run.runs():
            seen.setdefault(self.place.stage(), []).append(run.seconds)
            time.sleep(0.01)
        code = run.end()
        if code:
            raise SystemExit(f"the undisturbed run failed with {code}: {run.err()}")
        self.seconds = run.seconds
        self.stages = {stage: max(times) - min(times) for stage, times in seen.items()}
        self.contents = contents(command.name, self.place.out)
        if left := self.place.left():
            raise SystemExit(f"the undisturbed run left {left}")


class Killer:
    """Kills one command again and again.

    :param folder: everything happens below it.
    """

    def __init__(self, name: str, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        before = None
        if name == "publish":
            finish(MIX, source := Place(_new(folder / "source")))
            smaller = Place(_new(folder / "smaller"))
            finish(Command("mix", [*MIX.arguments, "--set", "budget=20_000"]), smaller)
            self.command = publish(source.out)
            before = Place(_new(folder / "before"))
            finish(publish(smaller.out), before)
        else:
            self.command = COMMANDS[name]
        self.before = before
        self.empty = Undisturbed(self.command, folder / "undisturbed")
        self.filled = Undisturbed(self.command, folder / "undisturbed-update", before) if before else self.empty

    @property
    def stages(self) -> list[str]:
        """What a run goes through, in order; the gaps between them are met by chance."""
        return [stage for stage in self.empty.stages if stage != BETWEEN]

    def trial(self, number: int, kills: int | None = None) -> Outcome:
        """Kill, resume and compare once.

        :param kills: how often, if every run lives long enough; default one to three times.
        """
        draw = random.Random(f"{self.seed}-{number}")
        outcome = Outcome(filled=number % 2 == 1)
        wanted = self.filled if outcome.filled else self.empty
        kills = kills or draw.choice([1, 1, 1, 2, 3])
        aimed = self.stages[number // 2 % len(self.stages)] if number % 4 >= 2 else None
        with trial(self.folder, f"trial-{number}") as at:
            if outcome.filled:
                self._fill(at, draw)
            runs: list[Run] = []
            while len(outcome.kills) < kills:
                run = Run(at, self.command.line(at))
                runs.append(run)
                stage = self._kill(run, draw, aimed if not outcome.kills else None, orphans := draw.random() < 0.5)
                if stage is None:  # it had ended
                    if outcome.kills:
                        break
                    self._again(at, outcome.filled, draw)
                    aimed = None
                    continue
                outcome.kills.append(Kill(len(outcome.kills) + 1, stage, orphans))
            if runs[-1].process.returncode != 0:
                runs.append(run := Run(at, self.command.line(at)))
                if code := run.end():
                    outcome.wrong.append(f"the resumed run ended with {code}: {run.err()[-2_000:]}")
            self._compare(at, runs, wanted, outcome)
            if outcome.wrong:
                shutil.copytree(at.folder, self.folder / f"wrong-{number}", symlinks=True)
        return outcome

    def _kill(self, run: Run, draw: random.Random, aimed: str | None, orphans: bool) -> str | None:
        """Kill a run; what it was doing then, None if it had ended."""
        if aimed is None:
            moment = draw.uniform(0, self.empty.seconds)
            run.until(lambda: run.seconds >= moment)
        elif run.until(lambda: run.at.stage() == aimed):
            time.sleep(draw.uniform(0, self.empty.stages[aimed]))
        if not run.runs():
            run.end()
            return None
        stage = run.at.stage()
        run.signal(signal.SIGKILL, group=not orphans)
        run.process.wait()
        return stage if run.process.returncode == -signal.SIGKILL else None

    def _fill(self, at: Place, draw: random.Random) -> None:
        if self.before is not None:
            shutil.copytree(self.before.out, at.out)
            return
        shutil.copytree(self.empty.place.store, at.store)
        for artifact in sorted(at.store.glob("*/??/*")):
            if draw.random() < 0.5:
                shutil.rmtree(artifact)

    def _again(self, at: Place, filled: bool, draw: random.Random) -> None:
        """Begin anew: the run had ended before the moment drawn."""
        for place in (at.store, at.out):
            shutil.rmtree(place, ignore_errors=True)
        if filled:
            self._fill(at, draw)

    def _compare(self, at: Place, runs: list[Run], wanted: Undisturbed, outcome: Outcome) -> None:
        if not at.out.is_dir():
            outcome.wrong.append("there is no output")
            return
        found = contents(self.command.name, at.out)
        outcome.wrong += [f"differs: {n}" for n in {*found, *wanted.contents} if found.get(n) != wanted.contents.get(n)]
        if left := at.left():
            outcome.wrong.append(f"left: {left}")
        for run in runs:
            if run.gone(within=60) is None:
                outcome.wrong.append(f"alive: {[' '.join(p.cmdline())[:80] for p in run.others()]}")
                run.clear()
            run.log.unlink()


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def table(outcomes: list[Outcome], stages: list[str]) -> str:
    """Kills by stage: in the first run, in resumed ones, and how many left orphans."""
    kills = [kill for outcome in outcomes for kill in outcome.kills]
    first = Counter(kill.stage for kill in kills if kill.turn == 1)
    again = Counter(kill.stage for kill in kills if kill.turn > 1)
    orphans = Counter(kill.stage for kill in kills if kill.orphans)
    order = [*stages, *sorted({kill.stage for kill in kills} - {*stages})]
    lines = [f"| {'stage':<15} | first run | resumed | main process alone |", "|---|---|---|---|"]
    lines += [f"| {stage:<15} | {first[stage]:>9} | {again[stage]:>7} | {orphans[stage]:>18} |" for stage in order]
    lines.append(f"| {'all':<15} | {first.total():>9} | {again.total():>7} | {orphans.total():>18} |")
    return "\n".join(lines)


def main() -> int:
    """Kill, print the table, and exit with 1 if a trial went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="trials, each with one to three kills")
    parser.add_argument("--command", choices=[*COMMANDS, "publish"], default="mix")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="work below this folder [default: a temporary one]")
    options = parser.parse_args()
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="wellmix-kill-", dir=options.folder))
    killer = Killer(options.command, folder, options.seed)
    print(f"undisturbed: {killer.empty.seconds:.1f} s; {', '.join(killer.empty.stages)}", flush=True)
    outcomes = []
    for number in range(options.first, options.first + options.kills):
        outcome = killer.trial(number)
        outcomes.append(outcome)
        told = ", ".join(f"{kill.stage}{' (orphans)' if kill.orphans else ''}" for kill in outcome.kills)
        print(f"{number}: {told}: {'; '.join(outcome.wrong) or 'equal'}", flush=True)
    equal = sum(not outcome.wrong for outcome in outcomes)
    print(f"\n{equal} of {len(outcomes)} equal, {sum(len(o.kills) for o in outcomes)} kills\n")
    print(table(outcomes, killer.stages))
    if equal == len(outcomes):
        shutil.rmtree(folder)
    return 0 if equal == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
