"""Olmix's and RegMix's tables are read; what is no such table is told with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.fit.tables import Swarm, find_column, read_swarm, write_swarm
from sources.errors import UserError

RATIOS = "run,name,index,a,b\nx,one,0,0.25,0.75\ny,two,1,0.5,0.5\nz,three,2,1,0\n"
METRICS = "run,name,index,loss,acc\nz,three,2,3.5,0.1\nx,one,0,1.5,\ny,two,1,2.5,0.3\n"


def read(folder: Path, ratios: str, metrics: str = METRICS) -> Swarm:
    (folder / "ratios.csv").write_text(ratios)
    (folder / "metrics.csv").write_text(metrics)
    return read_swarm(folder / "ratios.csv", folder / "metrics.csv")


def test_olmix_tables_are_joined_by_run(tmp_path: Path) -> None:
    swarm = read(tmp_path, RATIOS)
    assert swarm.domains == ["a", "b"]
    assert swarm.runs == ["x", "y", "z"]
    assert swarm.metrics["loss"].tolist() == [1.5, 2.5, 3.5]
    assert np.isnan(swarm.metrics["acc"][0]) and swarm.metrics["acc"][1:].tolist() == [0.3, 0.1]
    assert not swarm.notes


def test_regmix_tables_have_an_index_alone(tmp_path: Path) -> None:
    swarm = read(
        tmp_path,
        "index,train_the_pile_arxiv,train_the_pile_pile_cc\n1,0.1,0.89\n2,0.301,0.7\n",
        "index,metric/the_pile_pile_cc_val_loss\n2,5.0\n1,6.0\n",
    )
    assert swarm.domains == ["train_the_pile_arxiv", "train_the_pile_pile_cc"]
    assert swarm.runs == ["1", "2"]
    assert np.allclose(swarm.ratios.sum(1), 1, atol=1e-15)
    assert swarm.metrics["metric/the_pile_pile_cc_val_loss"].tolist() == [6.0, 5.0]


def test_ids_may_have_other_names_and_index_columns_no_name(tmp_path: Path) -> None:
    swarm = read(tmp_path, ",run_id,a,b\n0,x,0.5,0.5\n1,y,0.1,0.9\n", "Unnamed: 0,run,loss\n0,y,2\n1,x,1\n")
    assert swarm.domains == ["a", "b"] and list(swarm.metrics) == ["loss"]
    assert swarm.metrics["loss"].tolist() == [1.0, 2.0]


def test_what_is_written_is_read_again_to_the_last_digit(tmp_path: Path) -> None:
    ratios = np.random.default_rng(0).dirichlet(np.ones(3), 7)
    metrics = {"loss, all": np.random.default_rng(1).normal(size=7), "acc": np.full(7, np.nan)}
    write_swarm(tmp_path / "out", Swarm(["a", "b:x", 'c"q'], [f"r{i}" for i in range(7)], ratios, metrics))
    swarm = read_swarm(tmp_path / "out/ratios.csv", tmp_path / "out/metrics.csv")
    assert swarm.domains == ["a", "b:x", 'c"q'] and swarm.runs == [f"r{i}" for i in range(7)]
    assert np.abs(swarm.ratios - ratios).max() < 1e-15
    assert np.array_equal(swarm.metrics["loss, all"], metrics["loss, all"])
    assert np.isnan(swarm.metrics["acc"]).all()
    header = (tmp_path / "out/ratios.csv").read_text().splitlines()[0]
    assert header.startswith("run,name,index,a,")


def test_runs_in_one_table_only_are_left_out_with_a_note(tmp_path: Path) -> None:
    swarm = read(tmp_path, RATIOS + "w,four,3,0.2,0.8\n")
    assert swarm.runs == ["x", "y", "z"]
    assert "1 runs are only in ratios.csv" in swarm.notes[0] and "w" in swarm.notes[0]


@pytest.mark.parametrize(
    ("ratios", "metrics", "told"),
    [
        ("run,a,b\nx,0.5,0.5\ny,0.5,0.6\n", METRICS, ["1.1000", "ratios.csv, line 3"]),
        ("run,a,b\nx,0.5,0.5\nx,0.5,0.5\n", METRICS, ["twice", "first in line 2", "line 3"]),
        ("run,a,b\nx,0.5,half\n", METRICS, ["b is 'half'", "line 2"]),
        ("run,a,b\nx,0.5,nan\n", METRICS, ["b is empty", "line 2"]),
        ("run,a,b\nx,1.5,-0.5\n", METRICS, ["share -0.5", "line 2"]),
        ("run,a,b\nx,0.5\n", METRICS, ["3 columns, this row 2"]),
        ("run,a,a\nx,0.5,0.5\n", METRICS, ["'a' is there twice"]),
        ("a,b\n0.5,0.5\n", METRICS, ["no column tells the runs apart"]),
        ("run,a,b\n", METRICS, ["no rows"]),
        ("", METRICS, ["empty"]),
        ("run\nx\n", METRICS, ["no columns beside the id"]),
        ("run,a,b\nq,0.5,0.5\n", METRICS, ["no run is in both tables"]),
        (RATIOS, "run,loss\nx,low\n", ["loss is 'low'", "metrics.csv, line 2"]),
        (RATIOS, "run,loss\nx,inf\n", ["loss is inf"]),
        (RATIOS, "run,loss\n,1\n", ["the row has no run"]),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, ratios: str, metrics: str, told: list[str]) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, ratios, metrics)
    assert all(part in str(error.value) for part in told), str(error.value)


def test_a_part_of_a_name_is_enough() -> None:
    columns = ["metric/the_pile_pile_cc_val_loss", "metric/the_pile_pubmed_central_val_loss", "metric/pubmed_abstracts"]
    assert find_column("pile_cc", columns, "target") == columns[0]
    assert find_column(columns[1], columns, "target") == columns[1]
    assert find_column("pubmed_abstracts", columns, "target") == columns[2]
    with pytest.raises(UserError, match="may be any of 2"):
        find_column("pubmed", columns, "target")
    with pytest.raises(UserError, match="no column") as error:
        find_column("pubmed_abstract", columns, "target")
    assert "metric/pubmed_abstracts" in str(error.value)
