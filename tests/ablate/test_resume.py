"""A swarm of transformers that is killed goes on where it was, and comes to the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch", reason="the transformer proxy needs the extra `ablate`")
pytest.importorskip("transformers", reason="the transformer proxy needs the extra `ablate`")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def _recipe(folder: Path, **changes) -> Path:
    raw = yaml.safe_load((ROOT / "recipes/ablation/sample.yaml").read_text())
    raw |= {
        "base": str(ROOT / "recipes/sample.yaml"),
        "design": {"sobol": {"runs": 7}},
        "proxy": {
            "kind": "transformer",
            "size": "0.25M",
            "tokens": 10_000,
            "vocabulary": 512,
            "sequence": 32,
            "batch": 4,
        },
        "evaluation": {"tokens": 3_000},
        "targets": ["bpb/all"],
        "objectives": {},
        "verify": 2,
        "rounds": 2,
    }
    path = folder / "ablation.yaml"
    path.write_text(yaml.safe_dump(raw | changes))
    return path


def _command(recipe: Path, store: Path, out: Path) -> list[str]:
    options = ["--store", str(store), "--out", str(out), "--workers", "2", "--json"]
    return [sys.executable, "-m", "pipeline.cli", "ablate", str(recipe), *options]


def _run(recipe: Path, store: Path, out: Path) -> dict:
    done = subprocess.run(_command(recipe, store, out), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _told(out: Path) -> dict:
    """A report without what tells of the run rather than of the mixes."""
    report = json.loads((out / "report.json").read_text())
    for point in report["points"]:
        del point["seconds"], point["reused"]
    for proposal in report["proposals"]:
        del proposal["recipe"]
    return report


def test_killed_and_run_again(sample_mix, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(sample_mix[1], store)
    recipe = _recipe(tmp_path)
    models = store / "proxy-model"
    process = subprocess.Popen(
        _command(recipe, store, tmp_path / "a"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while len(list(models.glob("*/*/meta.json"))) < 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = {path.parent.name for path in models.glob("*/*/meta.json")}
    assert 3 <= len(there) < 10
    stamps = {name: (models / name[:2] / name / "meta.json").stat().st_mtime_ns for name in there}
    first = _run(recipe, store, tmp_path / "a")
    assert {name: (models / name[:2] / name / "meta.json").stat().st_mtime_ns for name in there} == stamps
    # 10 points, three of them with another seed, and a proposal with two seeds in each of two rounds; in so small a sample it may draw the
    # very texts of another mix
    assert 10 + 3 <= first["stages"]["proxy-run"] + len(there) <= 10 + 3 + 4
    report = json.loads((tmp_path / "a/report.json").read_text())
    mixes = ["prior", "uniform", "proportional", "proposed", "proposed, round 1"]
    assert sorted({row["mix"] for row in report["trained"]}) == sorted(mixes)
    assert {"prior", "prior-s1", "proposed-r1-s0", "proposed-r1-s1", "0007"} <= set(report["fits"]["bpb/all"]["runs"])
    runs = [point["run"] for point in report["points"]]
    assert len(set(runs)) == len(runs) == 10 + 3 + 4
    assert len(report["fits"]["bpb/all"]["runs"]) == len(report["fits"]["bpb/all"]["predicted"]) == 10 + 3 + 2
    assert "Trained with 2 seeds, it is" in report["proposals"][0]["statement"]
    assert _run(recipe, store, tmp_path / "a")["stages_run"] == 0

    other = tmp_path / "other"
    shutil.copytree(sample_mix[1], other)
    _run(recipe, other, tmp_path / "b")
    assert _told(tmp_path / "a") == _told(tmp_path / "b")

    # a target from outside, of which mixes that are trained to verify have no value
    values = "".join(
        f"{point['run']},{0.5 + point['weights'][0]}\n" for point in report["points"] if "-s" not in point["run"]
    )
    (tmp_path / "results.csv").write_text("run,empathy_acc\n" + values)
    outside = {"tokens": 3_000, "results": "results.csv"}
    _run(_recipe(tmp_path, evaluation=outside, targets=["empathy_acc", "bpb/all"]), store, tmp_path / "e")
    told = json.loads((tmp_path / "e/report.json").read_text())
    by_name = {one["name"]: one for one in told["proposals"]}
    assert "Trained" not in by_name["empathy_acc"]["statement"]
    assert "proposed-r1-s0" not in told["fits"]["empathy_acc"]["runs"]

    # more runs: those there were cost nothing; another question of the same models trains nothing
    more = _run(_recipe(tmp_path, design={"sobol": {"runs": 9}}, verify=0), store, tmp_path / "c")
    assert more["stages"]["proxy-run"] == 2
    asked = _run(_recipe(tmp_path, evaluation={"tokens": 2_000}, verify=0), store, tmp_path / "d")
    assert "proxy-run" not in asked["stages"]
