"""Metrics from outside: every layout is read, nothing is guessed, and an error names the file, the line and the field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.ablate.results import better, read_results
from sources.errors import UserError

RUNS = ["prior", "0001", "0002"]


def harness(acc: Any, acc_norm: float = 0.4, **more: Any) -> dict[str, Any]:
    """A file as lm-evaluation-harness 0.4 writes it, of four tasks and a group."""
    return {
        "results": {
            "arc_easy": {
                "alias": " - arc_easy",
                "sample_len": 2376,
                "acc,none": acc,
                "acc_stderr,none": 0.01,
                "acc_norm,none": acc_norm,
                "acc_norm_stderr,none": "N/A",
            },
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.0,
                "exact_match_stderr,strict-match": 0.0,
                "exact_match,flexible-extract": 0.25,
                "exact_match_stderr,flexible-extract": 0.02,
            },
            "wikitext": {"alias": "wikitext", "bits_per_byte,none": 1.9, "bits_per_byte_stderr,none": "N/A"},
            "tasks": {" ": " ", "alias": "tasks"},
        },
        "groups": {
            "mmlu": {"alias": "mmlu", "acc,none": 0.26, "acc_stderr,none": 0.003, "sample_count": {"acc,none": 9}}
        },
        "higher_is_better": {
            "arc_easy": {"acc": True, "acc_norm": True},
            "gsm8k": {"exact_match": True},
            "wikitext": {"bits_per_byte": False},
        },
        "config": {"model": "hf", "model_args": "pretrained=runs/0001"},
        "date": 1790000000.0,
    } | more


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), "utf-8")
    return path


def folder(tmp_path: Path, *accs: float) -> Path:
    for run, acc in zip(RUNS, accs, strict=False):
        write(tmp_path / "out" / run / f"runs__{run}" / "results_2026-05-01T10-00-00.123456.json", harness(acc))
    return tmp_path / "out"


def test_a_folder_of_the_harness(tmp_path: Path) -> None:
    found = read_results(folder(tmp_path, 0.3, 0.4, 0.5), RUNS)
    assert found.runs == RUNS
    assert sorted(found.metrics) == [
        "lm_eval/arc_easy/acc",
        "lm_eval/arc_easy/acc_norm",
        "lm_eval/gsm8k/exact_match/flexible-extract",
        "lm_eval/gsm8k/exact_match/strict-match",
        "lm_eval/mmlu/acc",
        "lm_eval/wikitext/bits_per_byte",
    ]
    assert found.metrics["lm_eval/arc_easy/acc"].tolist() == [0.3, 0.4, 0.5]
    assert found.metrics["lm_eval/mmlu/acc"].tolist() == [0.26] * 3
    assert [name for name, lower in found.lower_is_better.items() if lower] == ["lm_eval/wikitext/bits_per_byte"]
    assert set(found.lower_is_better) == set(found.metrics)
    assert found.stderr["lm_eval/arc_easy/acc"].tolist() == [0.01] * 3
    assert "lm_eval/arc_easy/acc_norm" not in found.stderr
    assert found.stderr["lm_eval/gsm8k/exact_match/flexible-extract"].tolist() == [0.02] * 3
    assert found.notes == []


def test_files_by_run(tmp_path: Path) -> None:
    out = folder(tmp_path, 0.3, 0.4)
    file = next((out / "0001").rglob("*.json"))
    found = read_results({"0001": file, "prior": out / "prior"}, RUNS)
    assert found.metrics["lm_eval/arc_easy/acc"][:2].tolist() == [0.3, 0.4]
    assert np.isnan(found.metrics["lm_eval/arc_easy/acc"][2])
    assert found.notes == ["there are no results of 0002"]


def test_files_named_after_runs(tmp_path: Path) -> None:
    write(tmp_path / "0001.json", harness(0.3))
    write(tmp_path / "0002_2026-05-01T10-00-00.123456.json", harness(0.4))
    write(tmp_path / "settings.json", {"batch_size": 8})
    found = read_results(tmp_path, RUNS)
    assert found.metrics["lm_eval/arc_easy/acc"][1:].tolist() == [0.3, 0.4]


def test_the_old_layout_and_other_files_beside(tmp_path: Path) -> None:
    write(tmp_path / "0001" / "eval.json", {"results": {"lambada": {"ppl": 9.5, "ppl_stderr": 0.2, "acc": 0.4}}})
    write(tmp_path / "0001" / "config.json", {"hidden_size": 64})
    write(tmp_path / "0001" / "broken.json", "{")
    write(tmp_path / "notes" / "x.json", {"a": 1})
    write(tmp_path / ".cache" / "results_x.json", "not read")
    found = read_results(tmp_path, RUNS)
    assert found.lower_is_better == {"lm_eval/lambada/acc": False, "lm_eval/lambada/ppl": True}
    assert found.stderr["lm_eval/lambada/ppl"][1] == 0.2


def test_a_newer_file_counts(tmp_path: Path) -> None:
    run = tmp_path / "0001"
    write(run / "results_2026-05-01T10-00-00.json", harness(0.3, extra=1))
    # in a folder that sorts before, and of one task only
    newer = {"results": {"arc_easy": {"acc,none": 0.7, "acc_stderr,none": 0.05}}}
    write(run / "a" / "results_2026-05-02T09-00-00.000001.json", newer)
    found = read_results(tmp_path, RUNS)
    assert found.metrics["lm_eval/arc_easy/acc"][1] == 0.7
    assert found.stderr["lm_eval/arc_easy/acc"][1] == 0.05
    assert found.metrics["lm_eval/arc_easy/acc_norm"][1] == 0.4, "what the newer one does not have stays"
    assert found.notes[0] == (
        "run 0001: 1 value of results_2026-05-01T10-00-00.json is replaced by those of the newer "
        "results_2026-05-02T09-00-00.000001.json"
    )


def test_files_of_which_none_is_newer(tmp_path: Path) -> None:
    write(tmp_path / "0001" / "results_a.json", harness(0.3))
    write(tmp_path / "0001" / "results_b.json", harness(0.3))
    assert read_results(tmp_path, RUNS).metrics["lm_eval/arc_easy/acc"][1] == 0.3
    write(tmp_path / "0001" / "results_b.json", harness(0.4))
    with pytest.raises(UserError, match=r"0\.3 in one file and 0\.4 in another.*results_a.json, results_b.json"):
        read_results(tmp_path, RUNS)


def test_a_wide_table(tmp_path: Path) -> None:
    # as Olmix writes it: run, name, index, metrics
    path = write(
        tmp_path / "metrics.csv",
        "run,name,index,gsm8k_gold_bpb_5shot,arc/acc,arc/acc_stderr\n0002,swarm-0002,1,2.5,0.4,0.01\n\n0001,swarm-0001,0,,0.3,\n",
    )
    found = read_results(path, RUNS)
    assert sorted(found.metrics) == ["arc/acc", "gsm8k_gold_bpb_5shot"]
    assert found.metrics["arc/acc"][1:].tolist() == [0.3, 0.4]
    assert found.lower_is_better == {"arc/acc": False, "gsm8k_gold_bpb_5shot": True}
    assert found.stderr["arc/acc"][2] == 0.01
    assert np.isnan(found.stderr["arc/acc"][:2]).all()
    assert found.notes == ["there are no results of prior", "gsm8k_gold_bpb_5shot is missing for 0001"]


def test_a_long_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.tsv", "run\tmetric\tvalue\tstderr\n0001\tloss\t2.5\t0.1\n0002\tloss\t2.4\t\n0001\tf1\t0.3\t\n"
    )
    found = read_results(path, RUNS)
    assert found.metrics["loss"][1:].tolist() == [2.5, 2.4]
    assert found.lower_is_better == {"f1": False, "loss": True}
    assert found.stderr["loss"][1] == 0.1


def test_only_some_metrics(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "run,loss,strange,acc\n0001,2,hello,0.5\n")
    assert list(read_results(path, RUNS, metrics=["acc", "lo*"]).metrics) == ["acc", "loss"]
    found = read_results(folder(tmp_path, 0.3), RUNS, metrics=["lm_eval/arc_*/acc"])
    assert list(found.metrics) == ["lm_eval/arc_easy/acc"]
    with pytest.raises(UserError, match=r"no value of any run of lm_eval/piqa/acc"):
        read_results(folder(tmp_path, 0.3), RUNS, metrics=["lm_eval/piqa/acc"])


@pytest.mark.parametrize(
    ("name", "lower"),
    [
        ("bpb/family/forum", True),
        ("bpb/source/f1-forum", True),
        ("valid_loss", True),
        ("wikitext/word_perplexity", True),
        ("Eval/PPL", True),
        ("arc/acc_norm", False),
        ("lm_eval/gsm8k/exact_match/strict-match", False),
        ("summaries/rougeL", False),
        ("glue mcc", False),
        ("vaccine", None),
        ("score", None),
        ("glossy", None),
    ],
)
def test_which_way_is_better_by_name(name: str, lower: bool | None) -> None:
    assert better(name) is lower


def test_the_user_says_which_way_is_better(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", "run,score,acc\n0001,2,0.5\n")
    left = read_results(path, RUNS)
    assert list(left.metrics) == ["acc"] and any("left out" in note and "score" in note for note in left.notes)
    with pytest.raises(UserError) as caught:
        read_results(path, RUNS, targets=["score"])
    assert "not known of score" in str(caught.value)
    assert f"{path}:2 score" in str(caught.value)
    assert "lower_is_better: {score: false}" in str(caught.value)
    found = read_results(path, RUNS, lower_is_better={"score": True, "acc": True})
    assert found.lower_is_better == {"acc": True, "score": True}
    with pytest.raises(UserError, match=r"no metric 'scroe'[\s\S]*did you mean 'score'"):
        read_results(path, RUNS, lower_is_better={"scroe": True})


def test_the_harness_says_which_way_is_better(tmp_path: Path) -> None:
    odd = {
        "results": {"x": {"acc,none": 1.0, "score,none": 2.0}},
        "higher_is_better": {"x": {"acc": False, "score": True}},
    }
    write(tmp_path / "0001" / "results.json", odd)
    assert read_results(tmp_path, RUNS).lower_is_better == {"lm_eval/x/acc": True, "lm_eval/x/score": False}
    write(tmp_path / "0002" / "results.json", odd | {"higher_is_better": {"x": {"acc": True, "score": True}}})
    with pytest.raises(UserError, match=r"lm_eval/x/acc: here higher is better, in .*0001.* the other way"):
        read_results(tmp_path, RUNS)
    assert (
        read_results(tmp_path, RUNS, lower_is_better={"lm_eval/x/acc": False}).lower_is_better["lm_eval/x/acc"] is False
    )
    # nobody says
    write(tmp_path / "0001" / "results.json", odd | {"higher_is_better": {"x": {"acc": None}}})
    (tmp_path / "0002" / "results.json").unlink()
    with pytest.raises(UserError, match=r"not known of lm_eval/x/score"):
        read_results(tmp_path, RUNS, targets=["lm_eval/x/score"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["is empty", "m.csv"]),
        ("run,acc\n", ["no row"]),
        ("model,acc\n0001,1\n", ["no column `run`", "found: model, acc", "m.csv:1"]),
        ("run;acc\n0001;1\n", ["separate columns by commas"]),
        ("run,acc,acc\n0001,1,2\n", ["'acc' is there twice", "m.csv:1"]),
        ("run,acc\n0001,1\n0009,2\n", ["no run '0009'", "m.csv:3 run", "the runs are prior"]),
        ("run,acc\n1,1\n", ["no run '1'", "did you mean '0001'"]),
        ("run,acc\nprio,1\n", ["did you mean 'prior'"]),
        ("run,acc\n0001,1\n0002,1\n0001,2\n", ["run '0001' is there twice, first in line 2", "m.csv:4"]),
        ("run,acc\n0001,high\n", ["'high' is no number", "m.csv:2 acc"]),
        ("run,acc\n0001,NaN\n", ["NaN is no value", "m.csv:2 acc"]),
        ("run,acc\n0001,inf\n", ["inf is no value"]),
        ("run,acc\n0001,1,2\n", ["3 cells, the header 2", "m.csv:2"]),
        ('run,acc\n0001,"1\n', ["not a CSV table", "m.csv:2"]),
        ("run,acc\n0001,\n", ["no value of any run"]),
        ("run,acc,acc_stderr\n0001,1,x\n", ["'x' is no number", "m.csv:2 standard error of acc"]),
        ("run,metric,value\n0001,,1\n", ["names no metric", "m.csv:2 metric"]),
        ("run,metric,value\n0001,acc,1\n0001,acc,1\n", ["acc of run '0001' is there twice, first in line 2"]),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, text: str, expected: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read_results(write(tmp_path / "m.csv", text), RUNS)
    for part in expected:
        assert part in str(caught.value)
    assert caught.value.fix


NAN = json.dumps(harness(float("nan")), indent=2)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["is empty", "results.json"]),
        ('{\n"results": {\n', ["not JSON", "results.json:3"]),
        ("[" * 100_000, ["nested too deeply"]),
        ({"a": 1}, ["no results of lm-evaluation-harness"]),
        ({"results": []}, ["no results of lm-evaluation-harness"]),
        ({"results": {"arc_easy": 0.5}}, ["'arc_easy' are no mapping", "results.json:3 results.arc_easy"]),
        (harness("high"), ['"high" is no number', "results.json:6 results.arc_easy.acc,none"]),
        ({"results": {"x": {"acc,none": True}}}, ["true is no number"]),
        (NAN, ["nan is no value", "results.json:6 results.arc_easy.acc,none"]),
        (NAN.replace("NaN", "-Infinity"), ["-inf is no value"]),
        ({"results": {"x": {"alias": "x"}}}, ["no value of any run"]),
        ({"results": {"x": {"acc,none": "N/A"}}}, ["no value of any run"]),
    ],
)
def test_a_file_of_the_harness_that_is_wrong(tmp_path: Path, content: Any, expected: list[str]) -> None:
    write(tmp_path / "0001" / "results.json", content)
    with pytest.raises(UserError) as caught:
        read_results(tmp_path, RUNS)
    for part in expected:
        assert part in str(caught.value)
    assert caught.value.fix


def test_a_folder_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results of any run"):
        read_results(tmp_path, RUNS)
    file = write(tmp_path / "results_2026-05-01T10-00-00.json", harness(0.3))
    with pytest.raises(UserError, match=re.escape("not in a folder of a run")):
        read_results(tmp_path, RUNS)
    with pytest.raises(UserError, match="about one run"):
        read_results(file, RUNS)
    file.unlink()
    write(tmp_path / "0007" / "model" / "results.json", harness(0.3))
    with pytest.raises(UserError, match="no run '0007'"):
        read_results(tmp_path, RUNS)
    with pytest.raises(UserError, match="no run 'x'"):
        read_results({"x": tmp_path}, RUNS)
    with pytest.raises(UserError, match="no results of run 'prior' here"):
        read_results({"prior": tmp_path / "gone"}, RUNS)
    with pytest.raises(UserError, match="cannot read the results: No such file"):
        read_results(tmp_path / "gone.csv", RUNS)
    (tmp_path / "u.csv").write_bytes(b"run,acc\n\xff\xfe,1\n")
    with pytest.raises(UserError, match="not UTF-8"):
        read_results(tmp_path / "u.csv", RUNS)
