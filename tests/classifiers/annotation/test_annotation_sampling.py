"""Which texts are read and chosen."""

from __future__ import annotations

import gzip
import re
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from classifiers.annotation.sampling import Candidate, choose, uncertainty
from sources.errors import UserError
from tests.classifiers.annotation.fake_llm import FakeLLM, rows_of, run, write


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_input_and_lines_that_cannot_be_read(llm: FakeLLM, tmp_path: Path, suffix: str):
    lines = [
        '{"id": 1, "text": "alone"}',
        "",
        "{",
        '{"id": 2}',
        '{"id": 3, "text": " "}',
        '{"id": 1, "text": "again"}',
        "[]",
    ]
    data = "\n".join(lines).encode()
    texts = tmp_path / f"texts.jsonl{suffix}"
    texts.write_bytes(gzip.compress(data) if suffix == ".gz" else zstandard.compress(data))
    report = run(llm, texts, tmp_path / "out.jsonl")
    assert (report.annotated, report.skipped) == (1, 5)
    assert report.first_skipped == f"{texts}:3 is not JSON"
    texts.write_bytes(texts.read_bytes()[:-9])
    with pytest.raises(UserError, match="broken"):
        run(llm, texts, tmp_path / "out2.jsonl")


def test_the_same_id_in_two_corpora_is_two_texts(llm: FakeLLM, tmp_path: Path):
    texts = write(tmp_path / "t.jsonl", [{"id": 1, "corpus": c, "text": f"alone {c}"} for c in ("a", "b")])
    assert run(llm, texts, tmp_path / "out.jsonl").annotated == 2
    assert run(llm, texts, tmp_path / "out.jsonl").resumed == 2


class StubScorer:
    """Sure of everything, but for texts that say how unsure to be; abstains from texts in a foreign language."""

    def score(self, texts: pa.Array) -> pa.RecordBatch:
        found = [re.search(r"p=([\d.]+)", text) for text in texts.to_pylist()]
        p = [None if "foreign" in text else float(match[1]) if match else 0.0
             for text, match in zip(texts.to_pylist(), found, strict=True)]  # fmt: skip
        sure = [None if value is None else 0.001 for value in p]
        return pa.RecordBatch.from_pydict(
            {
                "relevance": pa.array(p, pa.float32()),
                "facet_meaning": pa.array(p, pa.float32()),
                "safety_harm": pa.array(sure, pa.float32()),
                "abstain": pa.array(["language" if value is None else None for value in p], pa.string()),
            }
        )


def test_active_sampling_takes_the_uncertain_and_spreads(llm: FakeLLM, tmp_path: Path):
    records = [
        {"id": f"{corpus}{i}", "corpus": corpus, "text": f"{corpus} {i} p={p}"}
        for corpus, size, unsure in (("big:one", 300, 100), ("big:two", 300, 100), ("small", 40, 12), ("tiny", 3, 1))
        for i in range(size)
        for p in [0.5 if i < unsure else 0.01]
    ]
    records += [{"id": f"f{i}", "corpus": "foreign", "text": f"foreign {i}"} for i in range(300)]
    texts, out = write(tmp_path / "t.jsonl", records), tmp_path / "out.jsonl"
    report = run(llm, texts, out, sample=30, scorer=StubScorer())
    rows = rows_of(out)
    assert report.chosen == len(rows) == 30
    unsure = [row for row in rows if "p=0.5" in row["text"]]
    by_corpus = Counter(row["corpus"].split(":")[0] for row in unsure)
    # 27 by doubt: three from `tiny` (all it has), twelve from each other; three by chance.
    assert by_corpus["big"] >= 12 and by_corpus["small"] >= 10
    assert sum(row["corpus"] == "tiny" for row in rows) == 3
    assert sum(row["corpus"] == "foreign" for row in rows) <= 3
    # The same again, and asked of nobody.
    assert run(llm, texts, out, sample=30, scorer=StubScorer()).asked == 0


def test_the_shipped_scorer_is_asked_by_default(llm: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shipped = SimpleNamespace(Scorer=SimpleNamespace(load=StubScorer))
    monkeypatch.setitem(sys.modules, "classifiers.scorer", shipped)
    texts = write(tmp_path / "t.jsonl", [{"id": i, "text": f"{i} p={0.5 if i in (3, 8) else 0.01}"} for i in range(20)])
    run(llm, texts, tmp_path / "out.jsonl", sample=3)
    assert {"3", "8"} <= {row["id"] for row in rows_of(tmp_path / "out.jsonl")}
    monkeypatch.setitem(sys.modules, "classifiers.scorer", None)
    assert run(llm, texts, tmp_path / "random.jsonl", sample=3, active=False).annotated == 3


def test_what_a_scorer_abstains_from_fills_up_last():
    texts = iter([Candidate(i, ("c", str(i)), "", "foreign" if i < 50 else "p=0.4") for i in range(60)])
    chosen = choose(texts, 20, 0, StubScorer())
    assert set(range(50, 60)) <= chosen and len(chosen) == 20


def test_random_sampling_is_nested_and_moves_with_the_seed():
    def chosen(sample: int, seed: int = 0) -> set[int]:
        return choose((Candidate(i, ("c", str(i)), "", "x") for i in range(200)), sample, seed, None)

    assert chosen(20) == chosen(20) and len(chosen(20)) == 20
    assert chosen(20) < chosen(50) and chosen(20) != chosen(20, seed=1)
    assert chosen(500) == set(range(200))


def test_uncertainty():
    batch = pa.RecordBatch.from_pydict(
        {
            "relevance": [1.0, 2.0, None, 3.0],
            "facet_meaning": [0.5, 0.0, None, 1.0],
            "safety_harm": [0.5, 0.5, None, 0.0],
            "safety_hate": [0.5, 0.5, None, 0.5],
            "relevance_sd": [0.25, 0.0, None, 0.0],
        }
    )
    assert uncertainty(batch) == pytest.approx(np.array([2.25, 1.0, np.nan, 0.0]), abs=1e-6, nan_ok=True)
