"""What other sizes would take: ``python -m tests.benchmarks.sizing .bench/scale.json [--write pipeline/SIZING.md]``.

It reads the results of :mod:`tests.benchmarks.scale` and prints, in Markdown, the figures of ``pipeline/SIZING.md``; ``--write`` puts
them between the marks of that page, so that no figure in it is typed by hand. The rules, which the page explains:

- CPU of a stage grows by what the documents between the two largest sizes took, with the exponent seen between these sizes where it is
  above 1, at most :data:`STEEPEST`. Workers' CPU can be divided among machines, the main process's cannot;
- memory, disk and files grow by what a document more took between the two largest sizes;
- traffic is what each step reads and writes, by the bytes a document takes in each kind of artifact.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

from tests.benchmarks.scale import STAGES, slope, table

#: Sizes to tell, with the cores that such a job has.
TARGETS = {100_000_000: 64, 10_000_000_000: 4_096}
#: Exponents above it are noise of small sizes.
STEEPEST = 1.2
#: MB that DuckDB takes of the main process's memory, and no more (the recipe's ``memory``).
DUCKDB = 2_000
#: While workers ingest, the main process looks what is done: that goes by the clock, not by documents.
WATCHING = ("documents", "main")
#: Raw bytes of a task, the default of ``ingest.shard_bytes``.
TASK_BYTES = 32 << 20
#: Step -> kinds of artifacts it reads and writes; ``input``, ``passing`` (between steps) and ``output`` are not kept in the store.
FLOWS: dict[str, tuple[list[str], list[str]]] = {
    "ingest and score": (
        ["input"],
        ["documents", "quality", "scores", "signature", "tokens", "contamination", "catalog"],
    ),
    "find duplicates": (["signature", "passing"], ["passing", "clusters"]),
    "plan": (["catalog", "clusters"], ["plan"]),
    "pick documents, write shards": (["documents", "catalog", "plan", "output"], ["output", "output"]),
}
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


class Model:
    """Extrapolates rows of one kind of run.

    :param rows: in order of size, two at least.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.last, self.before = rows, rows[-1], rows[-2]

    def exponent(self, stage: str, who: str) -> float:
        """How a stage's CPU grows, within what is believed."""
        found = slope(self.rows, lambda row: row["stages"][stage][who])
        return 1.0 if math.isnan(found) else min(max(found, 1.0), STEEPEST)

    def cpu(self, stage: str, who: str, documents: int) -> float:
        """CPU seconds of a stage in the main process or in the others."""
        if (stage, who) == WATCHING:
            return 0.0
        used = lambda row: row["stages"][stage][who]  # noqa: E731
        grown = self.last["documents"] * ((documents / self.last["documents"]) ** self.exponent(stage, who) - 1)
        return used(self.last) + self.each(used) * grown

    def each(self, value: Any) -> float:
        """What one document more took."""
        return max(0.0, (value(self.last) - value(self.before)) / (self.last["documents"] - self.before["documents"]))

    def at(self, value: Any, documents: int) -> float:
        """A quantity that grows by the document."""
        return value(self.last) + self.each(value) * (documents - self.last["documents"])

    def artifact(self, kind: str) -> float:
        """Bytes a document takes in a kind of artifact at the largest size."""
        row = self.last
        outside = {
            "input": row["input"]["file_bytes"],
            "passing": row["peaks"]["passing"],
            "output": row["output"]["bytes"],
        }
        return outside.get(kind, row["store"].get(kind, {"bytes": 0})["bytes"]) / row["documents"]


def figures(results: dict[str, Any]) -> str:
    """The figures of the page.

    :raises SystemExit: fewer than two sizes were measured with the same arguments.
    """
    arguments = results["rows"][-1]["arguments"] if results["rows"] else {}
    rows = [row for row in results["rows"] if row["arguments"] == arguments]
    if len(rows) < 2:
        raise SystemExit("measure two sizes at least: python -m tests.benchmarks.scale --documents 100000,1000000")
    model, machine = Model(rows), results["machine"]
    largest = rows[-1]["documents"]
    parts = [
        f"Measured at `effort: {arguments['effort']}`, {arguments['workers']} workers, executor `{arguments['executor']}`, "
        f"on {machine['cores']} cores and {machine['memory_gb']:.0f} GB. Other work on the machine before each run (load): "
        + ", ".join(f"{row['load_before']:g}" for row in rows)
        + f". All that is said of more than {largest:,} documents is reckoned from it.",
        "### Measured",
        table(rows),
        "### Bytes of a document, and who reads and writes them",
        _flows(model),
        "### What larger corpora take",
        _targets(model),
        "### What binds",
        _binds(model),
    ]
    return "\n\n".join(parts)


def _flows(model: Model) -> str:
    kinds = sorted({*model.last["store"], "input", "passing", "output"}, key=model.artifact, reverse=True)
    lines = ["| kind | bytes a document | files at " + f"{model.last['documents']:,} |", "|---|---|---|"]
    for kind in kinds:
        files = model.last["store"].get(kind, {}).get("files", "")
        files = {"input": model.last["input"]["files"], "output": model.last["output"]["files"]}.get(kind, files)
        lines.append(f"| {kind} | {model.artifact(kind):,.1f} | {files} |")
    lines += ["", "| step | reads, bytes a document | writes |", "|---|---|---|"]
    for step, (reads, writes) in FLOWS.items():
        read, written = (sum(map(model.artifact, flow)) for flow in (reads, writes))
        lines.append(
            f"| {step} | {read:,.0f}: {', '.join(reads)} | {written:,.0f}: {', '.join(dict.fromkeys(writes))} |"
        )
    return "\n".join(lines)


def _traffic(model: Model) -> float:
    return sum(sum(map(model.artifact, [*reads, *writes])) for reads, writes in FLOWS.values())


def _targets(model: Model) -> str:
    lines = [
        "| | " + " | ".join(f"{documents:,} documents" for documents in TARGETS) + " |",
        "|---|" + "---|" * len(TARGETS),
    ]

    def line(label: str, value: Any) -> None:
        lines.append(
            f"| {label} | " + " | ".join(value(documents, cores) for documents, cores in TARGETS.items()) + " |"
        )

    passing, kept = (
        (lambda row: row["peaks"]["passing"]),
        (lambda row: sum(kind["bytes"] for kind in row["store"].values())),
    )
    line("text, TB", lambda n, _: f"{model.at(lambda row: row['input']['text_bytes'], n) / 1e12:,.2f}")
    line(
        "core-hours, all",
        lambda n, _: f"{sum(model.cpu(s, w, n) for s in STAGES for w in ('main', 'others')) / 3600:,.0f}",
    )
    for stage in STAGES:
        for who, told in (("main", "main process"), ("others", "workers")):
            if model.cpu(stage, who, model.last["documents"]) >= 0.5:
                label = f"- {stage}, {told} (exponent {model.exponent(stage, who):.2f})"
                line(label, lambda n, _, s=stage, w=who: f"{model.cpu(s, w, n) / 3600:,.1f}")
    line("memory of a worker, GB", lambda n, _: f"{model.last['peaks']['worker'] / 1e3:,.1f}")
    main = lambda row: row["peaks"]["main"]  # noqa: E731
    # what it takes to start, and DuckDB; only what is beyond may grow with documents
    bound = main(model.rows[0]) + DUCKDB
    beyond = (main(model.last) - bound) / model.last["documents"]
    line(
        "memory of the main process, GB",
        lambda n, _: "not told" if beyond < 0 else f"{(bound + beyond * n) / 1e3:,.1f}",
    )
    line("store when done, TB", lambda n, _: f"{model.at(kept, n) / 1e12:,.2f}")
    line("between steps, peak, TB", lambda n, _: f"{model.at(passing, n) / 1e12:,.2f}")
    line("output, TB", lambda n, _: f"{model.at(lambda row: row['output']['bytes'], n) / 1e12:,.2f}")
    line("read and written over the network, TB", lambda n, _: f"{_traffic(model) * n / 1e12:,.1f}")
    line("tasks of ingest", lambda n, _: f"{model.artifact('input') * n / TASK_BYTES:,.0f}")
    kinds = len(FLOWS["ingest and score"][1])
    line("artifacts they leave", lambda n, _: f"{model.artifact('input') * n / TASK_BYTES * kinds:,.0f}")
    return "\n".join(lines)


def _binds(model: Model) -> str:
    """Hours of each part if workers' CPU is divided by the cores and the main process has one, as measured."""
    lines = [
        "| hours by the clock | "
        + " | ".join(f"{documents:,} on {cores:,} cores" for documents, cores in TARGETS.items())
        + " |",
        "|---|" + "---|" * len(TARGETS),
    ]
    parts = []
    for stage in STAGES[1:]:
        for who, told in (("others", "workers"), ("main", "main process")):
            if model.cpu(stage, who, model.last["documents"]) >= 0.5:
                hours = [
                    model.cpu(stage, who, n) / 3600 / (cores if who == "others" else 1) for n, cores in TARGETS.items()
                ]
                parts.append((f"{stage}, {told}", hours))
    parts.sort(key=lambda part: -part[1][-1])
    lines += [f"| {label} | " + " | ".join(f"{value:,.2f}" for value in hours) + " |" for label, hours in parts]
    first = parts[0][0]
    return "\n".join(lines) + f"\n\nAt the last size **{first}** takes longest."


def main() -> None:
    """Print the figures, or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", type=Path, help="the page whose figures are replaced")
    given = parser.parse_args()
    text = figures(json.loads(given.results.read_text("utf-8")))
    if given.write is None:
        print(text)
        return
    page = given.write.read_text("utf-8")
    between = re.compile(rf"(?s)(?<={re.escape(BEGIN)}\n).*(?=\n{re.escape(END)})")
    given.write.write_text(between.sub(lambda _: text, page), "utf-8")


if __name__ == "__main__":
    main()
