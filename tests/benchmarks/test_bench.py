"""The benchmarks run and write what scripts read; no figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sources.card import data_root

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(data_root() is None, reason="the benchmarks read the real corpora (WELLMIX_DATA)")
def test_bench_writes_its_contract(tmp_path: Path) -> None:
    for peer in ("datatrove", "spacy", "rensa", "psutil", "fasteners"):
        pytest.importorskip(peer)
    command = [sys.executable, "-m", "tests.benchmarks.run", "--mb", "0.3", "--runs", "1", "--workers", "2"]
    # dolma wants an environment of its own and the network
    command += ["--only", "datatrove,minhash,kernels,rss", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads((tmp_path / "results.json").read_text())
    for key in ("end_to_end_vs_datatrove", "minhash_vs_datatrove", "overhead_over_kernels"):
        assert results[key] > 0
    assert results["end_to_end_vs_dolma"] is None
    assert list(results["peak_rss_mb"]) == ["0.3", "1.5", "6"]
    assert min(results["peak_rss_mb"].values()) > 0
    assert results["machine"]["cores"] and results["machine"]["versions"]["datatrove"]
    assert results["input"]["documents"] > 100 and results["input"]["bytes"] >= 300_000
    estimators = results["details"]["minhash"]["estimators"]
    assert abs(estimators["wellmix"]["bias"]) < 0.02
    assert "MinHash" in done.stdout
