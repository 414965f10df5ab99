"""`wellmix ablate` as its user runs it, on the sample."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/ablation/sample.yaml"


def wellmix(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, args)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def ablated(sample_mix, tmp_path_factory):
    """The sample ablation in the sample mix's store: (what --json printed, output folder, store)."""
    _, store = sample_mix
    out = tmp_path_factory.mktemp("ablation") / "out"
    done = wellmix("ablate", RECIPE, "--store", store, "--out", out, "--workers", 1, "--json")
    return json.loads(done.stdout), out, store


def test_what_is_written(ablated):
    told, out, _ = ablated
    report = json.loads((out / "report.json").read_text())
    assert told["points"] == len(report["points"]) == 19
    assert [point["run"] for point in report["points"]][:4] == ["prior", "uniform", "proportional", "0001"]
    for point in report["points"]:
        assert sum(point["weights"]) == pytest.approx(1, abs=1e-5)
        assert point["metrics"]["bpb/all"] > 1
    ratios = list(csv.DictReader((out / "ratios.csv").open()))
    metrics = list(csv.DictReader((out / "metrics.csv").open()))
    assert [row["run"] for row in ratios] == [row["run"] for row in metrics] == [p["run"] for p in report["points"]]
    assert float(metrics[3]["bpb/all"]) == report["points"][3]["metrics"]["bpb/all"]
    assert b"<script" in (out / "report.html").read_bytes()
    assert [one["name"] for one in report["proposals"]] == ["both", "bpb/all", "bpb/family/transcript"]
    assert report["pareto"]["front"]


def test_a_proposal_holds_to_the_constraints(ablated):
    _, out, _ = ablated
    report = json.loads((out / "report.json").read_text())
    prior = np.array([domain["prior"] for domain in report["domains"]])
    names = [domain["name"] for domain in report["domains"]]
    tried = np.array([point["weights"] for point in report["points"]])
    for one in report["proposals"]:
        weights = np.array(one["weights"])
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        assert weights[names.index("general")] >= 0.02 - 1e-6
        assert np.abs(weights - prior).sum() / 2 <= 0.4 + 1e-6
        assert (weights <= tried.max(0) + 1e-6).all()


def test_the_second_run_does_nothing_and_says_the_same(ablated, tmp_path):
    _, out, store = ablated
    done = wellmix("ablate", RECIPE, "--store", store, "--out", tmp_path / "out", "--workers", 1, "--json")
    assert json.loads(done.stdout)["stages_run"] == 0
    before, after = (json.loads((folder / "report.json").read_text()) for folder in (out, tmp_path / "out"))
    for report in (before, after):
        for point in report["points"]:
            del point["seconds"], point["reused"]  # those tell of the run, not of the mix
        for proposal in report["proposals"]:
            del proposal["recipe"]  # names files relative to its folder
    assert before == after


def test_the_proposed_recipe_makes_the_proposed_mix(ablated, tmp_path):
    told, out, store = ablated
    best = told["proposals"][0]
    done = wellmix("mix", out / best["file"], "--store", store, "--out", tmp_path / "mix", "--workers", 1, "--json")
    achieved = json.loads(done.stdout)["achieved"]
    recipe = yaml.safe_load((out / best["file"]).read_text())
    assert sum(amount["weight"] for amount in recipe["sources"].values()) == pytest.approx(1, abs=1e-4)
    for source, amount in recipe["sources"].items():
        assert achieved[source] == pytest.approx(amount["weight"], abs=0.03), source


def test_fit_reads_what_ablate_writes(ablated):
    _, out, _ = ablated
    done = wellmix(
        "fit", "--ratios", out / "ratios.csv", "--metrics", out / "metrics.csv", "--target", "bpb/all", "--json"
    )
    told = json.loads(done.stdout)
    report = json.loads((out / "report.json").read_text())
    assert told["model"] == report["fits"]["bpb/all"]["chosen"]
    assert sum(told["proposal"].values()) == pytest.approx(1)


def test_try_shows_one_weight(ablated):
    _, _, store = ablated
    done = wellmix("ablate", RECIPE, "--store", store, "--workers", 1, "--try", "general=0.4", "--json")
    told = json.loads(done.stdout)
    assert dict(zip(told["domains"], told["weights"], strict=True))["general"] == 0.4
    # more general text is better for general text
    assert told["metrics"]["bpb/family/general"]["tried"] < told["metrics"]["bpb/family/general"]["prior"]


def _copy(folder: Path, change) -> Path:
    raw = yaml.safe_load(RECIPE.read_text())
    raw["base"] = str(ROOT / "recipes/sample.yaml")
    change(raw)
    path = folder / "ablation.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def test_an_external_trainer(ablated, tmp_path):
    """Points go out as recipes and tables; results come back as a table, one of which is better when higher."""
    _, _, store = ablated

    def change(raw):
        raw["proxy"] = {"kind": "external", "results": "results.csv"}
        raw["targets"] = ["empathy_acc", "loss"]
        raw["objectives"] = {}

    path = _copy(tmp_path, change)
    args = ("ablate", path, "--store", store, "--out", tmp_path / "out", "--workers", 1, "--json")
    told = json.loads(wellmix(*args).stdout)
    assert len(told["waiting"]) == told["points"] == 19
    assert not told["proposals"]
    ratios = list(csv.DictReader((tmp_path / "out/ratios.csv").open()))
    first = next(row["run"] for row in ratios if row["run"].startswith("0001-"))
    wellmix("check", tmp_path / f"out/points/{first}.yaml")
    with (tmp_path / "results.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["run", "empathy_acc", "loss"])
        for row in ratios:
            forum, psychology = float(row["forum"]), float(row["psychology"])
            writer.writerow([row["run"], 0.5 + 0.3 * psychology, 3 - forum])
    told = json.loads(wellmix(*args).stdout)
    assert not told["waiting"]
    report = json.loads((tmp_path / "out/report.json").read_text())
    names = [domain["name"] for domain in report["domains"]]
    prior = dict(zip(names, (domain["prior"] for domain in report["domains"]), strict=True))
    # results of another design are not taken for this one's
    done = wellmix(*args[:-1], "--set", "seed=7", code=2)
    assert "0001-" in done.stderr
    by_name = {one["name"]: dict(zip(names, one["weights"], strict=True)) for one in report["proposals"]}
    assert by_name["empathy_acc"]["psychology"] > prior["psychology"] + 0.1
    assert by_name["loss"]["psychology"] < by_name["empathy_acc"]["psychology"]


def test_reuse_searches_only_what_changed(ablated, tmp_path):
    _, out, store = ablated

    def same(raw):
        raw["reuse"] = str(out)
        raw["domains"] = {
            name: {"family": name} for name in ("forum", "biography", "psychology", "transcript", "general")
        }
        del raw["over"]

    path = _copy(tmp_path, same)
    told = wellmix("ablate", path, "--store", store, "--out", tmp_path / "same", "--workers", 1, "--json")
    report = json.loads((tmp_path / "same/report.json").read_text())
    assert report["reuse"]["changed"] == []
    assert "its proposal stands" in report["reuse"]["statement"]
    assert not json.loads(told.stdout)["proposals"]

    def one_new(raw):
        same(raw)
        raw["domains"] = {
            "forum": {"family": "forum"},
            "biography": {"family": "biography"},
            "psychology": {"family": "psychology"},
            "transcript": {"entries": ["sample-transcripts"]},
            "talks": {"entries": ["sample-talks"]},
            "general": {"family": "general"},
        }
        raw["targets"], raw["objectives"] = ["bpb/all"], {}
        raw["constraints"] = {}

    path = _copy(tmp_path, one_new)
    wellmix("ablate", path, "--store", store, "--out", tmp_path / "new", "--workers", 1)
    report = json.loads((tmp_path / "new/report.json").read_text())
    assert set(report["reuse"]["changed"]) == {"transcript", "talks"}
    assert report["reuse"]["runs_needed"] < report["reuse"]["runs_full"]
    # what is called prior is the prior, and is no part of the fit
    prior = next(point for point in report["points"] if point["run"] == "prior")
    assert prior["weights"] == pytest.approx([domain["prior"] for domain in report["domains"]], abs=2e-6)
    assert "prior" not in report["fits"]["bpb/all"]["runs"] and "0000" in report["fits"]["bpb/all"]["runs"]
    names = [domain["name"] for domain in report["domains"]]
    earlier = json.loads((out / "report.json").read_text())
    proposal = earlier["proposals"][0]
    # a proposal that is not distinguishable from the prior is no reason to leave it
    known = proposal["weights"] if proposal["distinguishable"] else [domain["prior"] for domain in earlier["domains"]]
    kept = dict(zip(("forum", "biography", "psychology", "transcript", "general"), known, strict=True))
    for weights in [p["weights"] for p in report["points"] if p["kind"] == "swarm"] + [
        report["proposals"][0]["weights"]
    ]:
        now = dict(zip(names, weights, strict=True))
        assert now["biography"] * kept["forum"] == pytest.approx(now["forum"] * kept["biography"], abs=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"over": None, "domains": {"a": {"entries": ["sample-form"]}}}, "did you mean 'sample-forum'"),
        (
            {"over": None, "domains": {"a": {"family": "forum"}, "b": {"entries": ["sample-forum"]}}},
            "is in two domains",
        ),
        ({"over": None, "domains": {"a": {"where": "relevanc > 2"}}}, "does not hold as SQL"),
        ({"targets": ["bpb/fam/forum"], "objectives": {}}, "did you mean bpb/family/forum"),
        ({"design": {"sobol": {"runs": 8}, "grid": {"forum": [0.1]}}}, "give exactly one of points"),
        ({"design": {"points": [{"forums": 0.2}]}}, "forum"),
        ({"constraints": {"minimum": {"forums": 0.2}}}, "did you mean 'forum'"),
        ({"objectives": {"x": {"bpb/source/sample-forum": 1}}}, "which is no target"),
        ({"base": "nowhere.yaml"}, "no recipe at 'nowhere.yaml'"),
        ({"reuse": "nowhere"}, "there is no ablation in 'nowhere'"),
        ({"evaluation": {"sets": {"q": {"file": "no.jsonl", "prompt": "{a}", "answer": "{b}"}}}}, "no question set at"),
        ({"set": ["validation=0"]}, "holds out no document"),
        ({"constraints": {"minimum": {"forum": 0.7, "transcript": 0.7}}}, "minimum shares add up to 1.4"),
        ({"objectives": {"prior": {"bpb/all": 1}}}, "as something else is"),
        ({"budget": 900_000}, "do not have the tokens for any mix"),
    ],
)
def test_mistakes_are_told(ablated, tmp_path, change, message):
    _, _, store = ablated

    def apply(raw):
        raw.update(change)
        for key in [key for key, value in raw.items() if value is None]:
            del raw[key]

    done = wellmix("ablate", _copy(tmp_path, apply), "--store", store, "--out", tmp_path / "out", code=2)
    assert message in " ".join(done.stderr.split())
    assert "ablation.yaml" in done.stderr or "question set" in message


def test_few_points_have_losses_and_no_fit(ablated, tmp_path):
    _, _, store = ablated
    path = _copy(tmp_path, lambda raw: raw.update(design={"points": [{"forum": 0.3}, {"forum": 0.6}]}))
    told = json.loads(
        wellmix("ablate", path, "--store", store, "--out", tmp_path / "out", "--workers", 1, "--json").stdout
    )
    assert told["points"] == 5 and not told["proposals"]
    assert any("too few to fit" in note for note in told["notes"])


def test_check_reads_an_ablation():
    done = wellmix("check", RECIPE)
    assert "5 domains of sample, 2 targets" in done.stderr
    done = wellmix("mix", RECIPE, code=2)
    assert "wellmix ablate" in done.stderr


def test_a_recipe_of_a_mix_is_no_ablation():
    done = wellmix("ablate", "recipes/sample.yaml", code=2)
    assert "wellmix mix recipes/sample.yaml" in done.stderr
