"""The output folder of an ablation: page, report, Olmix-style tables, and recipes ready for ``wellmix mix``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ablate.design import Point
from pipeline.ablate.mixes import Mixes
from pipeline.ablate.page import page
from pipeline.fit.tables import Swarm, write_swarm
from pipeline.output import SCHEMA_VERSION, replacing, write_json
from pipeline.store import Store, make_key


def write_ablation(store: Store, out: Path | str, report: dict[str, Any], mixes: Mixes, points: list[Point]) -> None:
    """Assemble the folder beside its place and swap it in.

    ``report.html``, ``report.json``, ``ratios.csv`` and ``metrics.csv`` (a row a run), a recipe for each proposal, and, for an external
    trainer, one for each point under ``points/``. Recipes name files relative to where they lie.
    """
    with replacing(out, store) as aside:
        (aside / "report.html").write_bytes(page(report))
        write_json(aside / "report.json", report)
        runs = report["points"]
        names = [metric["name"] for metric in report["metrics"]]
        values = {
            name: np.array(
                [np.nan if run["metrics"].get(name) is None else run["metrics"][name] for run in runs], dtype=float
            )
            for name in names
        }
        ratios = np.array([run["weights"] for run in runs], dtype=float)
        swarm = Swarm([domain["name"] for domain in report["domains"]], [run["run"] for run in runs], ratios, values)
        write_swarm(aside, swarm)
        for proposal in report["proposals"]:
            (aside / proposal["file"]).write_text(proposal["recipe"], "utf-8")
        if report["proxy"]["kind"] == "external":
            (aside / "points").mkdir()
            folder = None if isinstance(out, str) else out / "points"
            for point in points:
                name = f"{report['name']}-{point.name}"
                text = mixes.recipe(
                    point.weights, name, f"Point {point.name} of the ablation {report['name']}.", folder
                )
                (aside / "points" / f"{point.name}.yaml").write_text(text, "utf-8")
        # what tells a later run that the folder is ours
        write_json(
            aside / "manifest.json",
            {
                "schema_version": SCHEMA_VERSION,
                "key": make_key("ablation", 1, report=report),
                "lineage": {},
                "kind": "ablation",
            },
        )
