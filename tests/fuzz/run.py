"""Fuzz for a time: ``python -m tests.fuzz.run --minutes 10 [--only jsonl,recipe]``.

Every target gets the same share of the time, in processes of their own, so that a crash or a hang in C code is a finding too.
Inputs come from hypothesis, which makes a failing one as small as it can; that is kept in ``corpus/`` with the error it caused, and
every later run of the tests tries it again. Each way to fail (the kind of error and the function it came out of) is kept once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.cases import CORPUS, Case, keep
from tests.fuzz.targets import ROOT, TARGETS, Hang, run

_SLICE = 60.0
#: A process that has not begun a new input for so long is taken to hang where no signal reaches it.
_SILENT = 600.0


class _OverError(BaseException):
    """The time is over; hypothesis lets it through."""


def signature(error: BaseException) -> str:
    """What failed and where: the error's type and message's start, and the innermost functions of this project."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith(str(ROOT)) and "/tests/" not in f.filename
    ]
    place = " < ".join(f"{Path(f.filename).relative_to(ROOT)}:{f.name}" for f in reversed(frames[-2:]))
    kind = f"{type(error).__name__}: {error}" if type(error).__name__ == "Broken" else type(error).__name__
    return f"{kind.split(chr(10))[0][:80]} in {place or 'the test'}"


def work(target: str, seconds: float, start: int, current: Path, known: set[str]) -> dict:
    """Fuzz one target in this process."""
    end = time.monotonic() + seconds
    executions = 0
    found: dict[str, Case] = {}

    def attempt(case: Case) -> None:
        nonlocal executions
        if time.monotonic() > end + 10:
            raise _OverError
        executions += 1
        current.write_text(case.dump(), "utf-8")
        try:
            run(case)
        except (Exception, Hang) as error:
            name = signature(error)
            if name in known:
                return
            found[name] = Case(case.target, case.files, case.options, name)
            if isinstance(error, Hang):
                known.add(name)  # making it smaller would take hours
                return
            raise

    n = start
    while time.monotonic() < end:
        n += 1
        test = given(TARGETS[target].cases())(attempt)
        test = settings(
            max_examples=300, deadline=None, database=None, print_blob=False, suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink), report_multiple_bugs=False,
        )(seed(n)(test))  # fmt: skip
        try:
            test()
        except _OverError:
            break
        except Exception as error:  # hypothesis raises what the test raised
            if not known.issuperset(found):
                known |= found.keys()
            else:
                found.setdefault(signature(error), Case(target, {}, {}, signature(error)))
                break
    return {"executions": executions, "found": [case.dump() for case in found.values()]}


def _one(
    target: str, seconds: float, start: int, known: set[str], environment: dict[str, str]
) -> tuple[int, list[Case]]:
    """One slice in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="wellmix-fuzz-run-") as folder:
        current, out = Path(folder) / "current.json", Path(folder) / "out.json"
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.run",
            "--work",
            target,
            str(seconds),
            str(start),
            str(current),
            str(out),
        ]
        heard = Path(folder) / "stderr"
        with heard.open("w") as stderr:  # a pipe that nobody reads would fill, and look like a hang
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr, text=True)  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(sorted(known)))
        process.stdin.close()
        silent = False
        while process.poll() is None:
            time.sleep(0.5)
            if current.exists() and time.time() - current.stat().st_mtime > _SILENT:
                silent = True
                process.kill()
        said = heard.read_text("utf-8", "replace")
        if process.returncode == 0 and out.exists():
            result = json.loads(out.read_text())
            return result["executions"], [Case.load(text) for text in result["found"]]
        case = Case.load(current.read_text("utf-8")) if current.exists() else Case(target)
        once = (
            "hangs in C code"
            if silent
            else f"process ended with {process.returncode}: {said.strip().splitlines()[-1:]}"
        )
        return 0, [Case(target, case.files, case.options, once[:160])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", help="targets, by comma", default="")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10_000 * 100_000)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where to keep what broke")
    parser.add_argument("--json", type=Path, help="write the counts there, too")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        target, seconds, start, current, out = options.work
        known = set(json.loads(sys.stdin.read()))
        Path(out).write_text(json.dumps(work(target, float(seconds), int(start), Path(current), known)))
        return

    names = options.only.split(",") if options.only else list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "WELLMIX_AUTHOR_KEY": "tests-only-key-of-thirty-two-bytes!",
        "POLARS_MAX_THREADS": "1",
    }
    end = time.monotonic() + options.minutes * 60
    rounds = max(1, round(options.minutes * 60 / len(names) / _SLICE))
    share = options.minutes * 60 / len(names) / rounds
    executions = dict.fromkeys(names, 0)
    findings: dict[str, list[Case]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names:
            if time.monotonic() > end:
                break
            known = {case.once for case in findings[name]}
            ran, found = _one(name, max(3.0, share - 3), options.seed + turn * 1000, known, environment)
            executions[name] += ran
            for case in found:
                findings[name].append(case)
                place = keep(case, options.corpus)
                print(f"{name}: {case.once} -> {place.name}", flush=True)
            if options.json:
                counts = {n: {"executions": executions[n], "findings": [c.once for c in findings[n]]} for n in names}
                options.json.write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    print(f"\n{'target':<20}{'executions':>12}{'findings':>10}")
    for name in names:
        print(f"{name:<20}{executions[name]:>12,}{len(findings[name]):>10}")
    print(f"{'all':<20}{sum(executions.values()):>12,}{sum(map(len, findings.values())):>10}")


if __name__ == "__main__":
    main()
