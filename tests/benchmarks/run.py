"""``make bench``: speed and memory against datatrove, dolma and the bare kernels, on real text, in one run.

``python -m tests.benchmarks.run --mb 20 --runs 3 --workers 2 --only datatrove,minhash,dolma,kernels,scores,rss``

Prints a table and writes ``.bench/results.json``: the ratios (above 1 is faster than the peer;
``overhead_over_kernels`` is ours over the kernels), ``peak_rss_mb`` by input size, the machine, the input, and under
``details`` every single time. What was not run is null. What each comparison is made of stands at the head of its
module. All processes are timed whole, start-up included, one after another in alternating order, with files and
compiled code in their caches for every side.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from classifiers.language import WEIGHTS as LID
from classifiers.scorer import EFFORTS
from pipeline.threads import NAMES
from sources.errors import UserError
from tests.benchmarks import dolma_peer, models, ours
from tests.benchmarks.corpus import Corpus, build
from tests.benchmarks.measure import ROOT, ProgramError, Run, python, run

PARTS = ("datatrove", "minhash", "dolma", "kernels", "scores", "rss")
#: Warms caches and compiled code before anything is timed.
SMALL_MB = 0.3
#: What the encoder reads when it reads everything: it would take minutes for more.
BEST_MB = 1
#: Sizes whose memory is measured, in multiples of ``--mb``: 20, 100 and 400 MB.
RSS_SIZES = (1, 5, 20)
#: One thread, as in a worker: for what is measured inside one process.
ONE_THREAD = dict.fromkeys(NAMES, "1")
GOALS = {
    "end_to_end_vs_datatrove": 20,
    "minhash_vs_datatrove": 50,
    "end_to_end_vs_dolma": 3,
    "overhead_over_kernels": 1.5,
}
PACKAGES = (
    "datatrove",
    "fasttext-numpy2-wheel",
    "numba",
    "numpy",
    "polars",
    "duckdb",
    "pyarrow",
    "tokie",
    "rensa",
    "spacy",
)

console = Console(stderr=True)


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=float, default=20, help="size of the input, in MB of text")
    parser.add_argument("--runs", type=int, default=3, help="runs whose median counts")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default=",".join(PARTS), help=f"any of {','.join(PARTS)}")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench", help="folder of inputs and results")
    args = parser.parse_args()
    parts = args.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown part {sorted(unknown)[0]!r}; use any of {', '.join(PARTS)}")
    try:
        results = bench(args.out.resolve(), args.mb, args.runs, args.workers, parts)
    except UserError as error:
        parser.error(str(error))
    (args.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    # Into a file or a pipe the table is as wide as it needs to be.
    Console(width=None if sys.stdout.isatty() else 140).print(table(results))
    console.print(f"written to {args.out / 'results.json'}")


def bench(folder: Path, megabytes: float, runs: int, workers: int, parts: list[str]) -> dict[str, Any]:
    """Measure, and return the content of ``results.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    with console.status("preparing the input"):
        corpus, small = build(folder, megabytes), build(folder, SMALL_MB)
        if "rss" in parts:
            for factor in RSS_SIZES:
                build(folder, megabytes * factor)
        prepared = models.prepare(folder) if {"datatrove", "dolma"} & set(parts) else None
    results: dict[str, Any] = dict.fromkeys(GOALS) | {"peak_rss_mb": None}
    details: dict[str, Any] = {}
    if {"datatrove", "dolma"} & set(parts):
        details["end_to_end"] = found = end_to_end(folder, corpus, small, prepared, runs, workers, parts)
        for peer in ("datatrove", "dolma"):
            if peer in found["seconds"]:
                results[f"end_to_end_vs_{peer}"] = found["seconds"][peer] / found["seconds"]["wellmix"]
    if "minhash" in parts:
        with console.status("MinHash signatures"):
            details["minhash"] = found = _measured("signatures", folder, megabytes, runs)
        results["minhash_vs_datatrove"] = found["vs_datatrove"]
    if "kernels" in parts:
        with console.status("overhead over kernels"):
            details["kernels"] = found = _measured("kernels", folder, megabytes, SMALL_MB, runs)
        results["overhead_over_kernels"] = found["ratio"]
    if "scores" in parts:
        with console.status("the score stage, by effort"):
            details["scores"] = _measured("scores", folder, megabytes, BEST_MB, runs)
    if "rss" in parts:
        details["memory"] = found = memory(folder, megabytes, workers)
        results["peak_rss_mb"] = {size: peaks["tree_rss"] for size, peaks in found.items()}
    return {
        **results,
        "machine": machine(),
        "input": {
            "bytes": corpus.bytes,
            "documents": corpus.documents,
            "files": corpus.files,
            "compressed_bytes": sum(path.stat().st_size for path in corpus.paths),
        },
        "runs": runs,
        "workers": workers,
        "details": details,
    }


def _measured(module: str, *arguments: object) -> dict[str, Any]:
    """What a module of this package prints, run in a process of its own with one thread a library."""
    return json.loads(run(python("-m", f"tests.benchmarks.{module}", *arguments), ONE_THREAD).stdout)


def end_to_end(
    folder: Path, corpus: Corpus, small: Corpus, prepared: Path | None, runs: int, workers: int, parts: list[str]
) -> dict[str, Any]:
    """Whole processes, alternating: median seconds of each side, all runs, and what each says of its steps."""
    steps: dict[str, Any] = {}

    def wellmix(which: Corpus) -> Run:
        finished, summary = ours.mix(folder / "ours", which, workers)
        steps["wellmix"] = summary
        return finished

    def datatrove(which: Corpus) -> Run:
        work = folder / "datatrove"
        shutil.rmtree(work, ignore_errors=True)
        command = ["-m", "tests.benchmarks.datatrove_pipeline", which.folder, work, "--workers", workers]
        finished = run(python(*command, "--models", prepared, "--lid", LID))
        steps["datatrove"] = json.loads(finished.stdout.splitlines()[-1])
        return finished

    sides: dict[str, Callable[[Corpus], Run]] = {"wellmix": wellmix}
    if "datatrove" in parts:
        sides["datatrove"] = datatrove
    if "dolma" in parts:
        with console.status("installing dolma (first time only)"):
            interpreter, problem = dolma_peer.environment(folder)
        if interpreter is None:
            console.print(f"[yellow]dolma is left out: it cannot be installed here[/] ({problem})", highlight=False)
            steps["dolma"] = {"skipped": problem}
        else:

            def dolma(which: Corpus) -> Run:
                documents = dolma_peer.prepare(folder, which)
                finished, told = dolma_peer.mix(
                    interpreter, documents, folder / "dolma" / "work", prepared, LID, workers
                )
                steps["dolma"] = told
                return finished

            sides["dolma"] = dolma

    with console.status("a first run, nothing compiled"), tempfile.TemporaryDirectory(dir=folder) as cache:
        cold = ours.mix(folder / "ours", corpus, workers, cache=Path(cache))[0].seconds
    for name, side in list(sides.items()):
        with console.status(f"warming up {name}"):
            try:
                side(small)
            except ProgramError as error:
                if name != "dolma":
                    raise
                console.print(f"[yellow]dolma is left out: it fails here[/]\n{error}", highlight=False, markup=False)
                steps["dolma"] = {"skipped": str(error)}
                del sides[name]
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(runs):
        for name, side in sides.items():
            with console.status(f"run {number + 1} of {runs}: {name}"):
                times[name].append(side(corpus).seconds)
    one = [ours.mix(folder / "ours", corpus, 1)[0].seconds for _ in range(runs)] if workers > 1 else times["wellmix"]
    return {
        "seconds": {name: median(values) for name, values in times.items()},
        "all_runs": times,
        "wellmix_first_run_s": cold,
        "wellmix_one_worker_s": median(one),
        "steps": steps,
    }


def memory(folder: Path, megabytes: float, workers: int) -> dict[str, dict[str, float]]:
    """Peaks of ``wellmix mix`` by size of the input."""
    found: dict[str, dict[str, float]] = {}
    for factor in RSS_SIZES:
        size = megabytes * factor
        with console.status(f"memory at {size:g} MB"):
            started = perf_counter()
            finished, summary = ours.mix(folder / "ours", build(folder, size), workers, memory=True)
            found[f"{size:g}"] = {
                **{name: round(value, 1) for name, value in asdict(finished.memory).items()},
                "documents": summary["documents"],
                "seconds": round(perf_counter() - started, 1),
            }
    return found


def machine() -> dict[str, Any]:
    """Where this ran."""
    model = platform.processor()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {**versions, "dolma": dolma_peer.VERSION},
    }


def table(results: dict[str, Any]) -> Table:
    """The results as a table."""
    facts, details = results["input"], results["details"]
    title = (
        f"{facts['bytes'] / 1e6:.1f} MB, {facts['documents']:,} documents; {results['workers']} workers on"
        f" {results['machine']['cores']} cores of {results['machine']['cpu']}; median of {results['runs']}"
    )
    out = Table(title=title, title_justify="left", title_style="")
    for name in ("what", "peer", "wellmix", "ratio", "goal"):
        out.add_column(name, justify="left" if name == "what" else "right")
    if found := details.get("end_to_end"):
        own = found["seconds"]["wellmix"]
        for peer in ("datatrove", "dolma"):
            if seconds := found["seconds"].get(peer):
                goal = GOALS[f"end_to_end_vs_{peer}"]
                out.add_row(
                    f"end to end, {peer} {results['machine']['versions'].get(peer, '')}",
                    f"{seconds:.1f} s",
                    f"{own:.1f} s",
                    f"{seconds / own:.1f}x",
                    f">= {goal}x",
                )
        out.add_row("  MB/s", "", f"{facts['bytes'] / 1e6 / own:.2f}", "", "")
        out.add_row("  one worker", "", f"{found['wellmix_one_worker_s']:.1f} s", "", "")
        out.add_row("  first run, nothing compiled", "", f"{found['wellmix_first_run_s']:.1f} s", "", "")
    if found := details.get("minhash"):
        micros = found["us_per_document"]
        for peer, ratio in (("datatrove", found["vs_datatrove"]), ("rensa", micros["rensa"] / micros["wellmix"])):
            out.add_row(
                f"MinHash signature, {peer}{' + polars' if peer == 'rensa' else ''}",
                f"{micros[peer]:,.0f} us",
                f"{micros['wellmix']:,.0f} us",
                f"{ratio:.1f}x",
                ">= 50x" if peer == "datatrove" else "",
            )
        told = {
            name: f"{judged['bias']:+.4f} / {judged['spread']:.2f} / {judged['recall']:.3f}"
            for name, judged in found["estimators"].items()
        }
        out.add_row("  Jaccard: bias / spread over ideal / recall from .8", told["datatrove"], told["wellmix"], "", "")
    if found := details.get("kernels"):
        out.add_row(
            "over bare kernels (one process, one thread)",
            f"{found['kernels_s']:.1f} s",
            f"{found['ours_s']:.1f} s",
            f"{found['ratio']:.2f}",
            "<= 1.5",
        )
    if found := details.get("scores"):
        speed, ratio = found["mb_a_second"], found["times_the_fasttext_call"]
        out.add_row("fastText alone, fasttext's predict", f"{speed['fasttext']:.1f} MB/s", f"{speed['kernel']:.1f} MB/s",
                    f"{speed['kernel'] / speed['fasttext']:.1f}x", "")  # fmt: skip
        for effort in EFFORTS:
            goal = ">= 20 MB/s" if effort == "fast" else ">= 10x best" if effort == "balanced" else ""
            times = (
                f"{speed[effort] / speed['best']:.1f}x best"
                if effort == "balanced"
                else f"kernel x {ratio[effort]:.1f}"
            )
            out.add_row(f"score stage, effort {effort} (one thread)", "", f"{speed[effort]:.2f} MB/s", times, goal)
    for size, peaks in details.get("memory", {}).items():
        out.add_row(
            f"peak memory at {size} MB: all processes (largest)",
            "",
            f"{peaks['tree_rss']:,.0f} MB ({peaks['largest_process']:,.0f})",
            "",
            "flat",
        )
    return out


if __name__ == "__main__":
    main()
