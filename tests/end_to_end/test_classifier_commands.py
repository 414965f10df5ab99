"""The commands about classifiers, as a user types them: `score`, `annotate`, `train`, `evaluate`."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from classifiers import teacher
from classifiers.scorer import EFFORTS, Scorer
from tests.classifiers.annotation.fake_llm import KEY, FakeLLM

ROOT = Path(__file__).parents[2]
TEXTS = [
    {
        "id": "p1",
        "text": "I have been so low since my mother died that I can't get out of bed, and I feel ashamed of it.",
    },
    {"text": "Shares of the chip maker fell 3 percent in early trading after the company cut its forecast."},
    {"id": "fr", "text": "Je me sens très seul depuis que ma mère est partie, et personne ne m'écoute."},
    {"id": "one", "text": "word"},
]


def wellmix(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, where the repository is not the working folder."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(env or {})}, check=False,
    )  # fmt: skip


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, TEXTS)).encode()))
    return path


@pytest.mark.parametrize("effort", EFFORTS)
def test_score_writes_one_row_a_text(texts: Path, tmp_path: Path, effort: str) -> None:
    out = tmp_path / "scores.parquet"
    done = wellmix("score", texts, "-o", out, "--effort", effort, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    scorer = Scorer.load(effort=effort)
    assert summary["rows"] == 4 and summary["effort"] == effort and summary["scorer"] == scorer.version
    table = pq.read_table(out)
    assert table.schema.names == ["id", "language", *scorer.schema.names]
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["p1", "2", "fr", "one"]
    assert [row["abstain"] for row in rows] == [None, None, "language", "too_short"]
    assert (
        rows[0]["relevance"] > rows[1]["relevance"] + 1
        and rows[0]["facet_adversity"] > 0.5 > rows[1]["facet_adversity"]
    )
    assert all(value is None for key, value in rows[2].items() if key not in ("id", "language", "abstain"))
    assert rows[2]["language"] == "fr"


def test_score_says_which_lines_it_could_not_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "One good line of text."}\n{"txt": 1}\nnot json\n')
    done = wellmix("score", path, "-o", tmp_path / "out.parquet", "--effort", "fast")
    assert done.returncode == 1 and "2 lines could not be read" in done.stderr and "texts.jsonl:2" in done.stderr
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 1


def test_training_and_evaluating_say_what_they_need(tmp_path: Path) -> None:
    for command in ("train", "evaluate"):
        done = wellmix(
            command, "--out", tmp_path / "x", "--cache", tmp_path / "c", env={"WELLMIX_DATA": str(tmp_path / "none")}
        )
        assert done.returncode == 2, done.stderr
        # what is missing first: the packages, where they are not installed, else the corpora
        assert ("WELLMIX_DATA" if teacher.available() else "classifiers/teacher.txt") in done.stderr
        assert "Traceback" not in done.stderr


def test_annotate_labels_texts_and_tells_what_came_of_it(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    with FakeLLM() as llm:
        asked = ("annotate", texts, "-o", out, "--endpoint", llm.endpoint, "--model", "small", "--random")
        done = wellmix(*asked, "--key-env", "LLM_KEY", "--second", "1", "--json", env={"LLM_KEY": KEY})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["annotated"] == 4 and "4 annotated" in done.stderr and "agreement" in done.stderr
        missing = wellmix(*asked, "--key-env", "NO_SUCH_KEY")
        assert missing.returncode == 2 and "no key in NO_SUCH_KEY" in missing.stderr
    labels = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["text"] for row in labels} == {row["text"] for row in TEXTS}
