"""Swarms that are made up: a known truth, with noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.fit.tables import Swarm, write_swarm

Truth = Callable[[np.ndarray], np.ndarray]


def power(ratios: np.ndarray) -> np.ndarray:
    """A loss that falls with the effective tokens of five domains, shape (R,)."""
    return 1.2 + 0.8 * (ratios @ np.array([3.0, 1.0, 0.3, 0.1, 0.02])) ** -0.15


def mixes(n: int, domains: int = 5, seed: int = 0) -> np.ndarray:
    """Random mixes, shape (n, domains)."""
    return np.random.default_rng(seed).dirichlet(np.ones(domains), n)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Ratios and metrics of 36 runs: a loss, another that asks for the opposite, an accuracy."""
    ratios = mixes(36)
    loss = power(ratios) + np.random.default_rng(1).normal(0, 0.003, 36)
    other = power(ratios[:, ::-1]) + np.random.default_rng(2).normal(0, 0.003, 36)
    swarm = Swarm(
        list("abcde"), [f"r{i}" for i in range(36)], ratios, {"bpb/all": loss, "bpb/other": other, "acc": 3 - loss}
    )
    write_swarm(tmp_path, swarm)
    return tmp_path / "ratios.csv", tmp_path / "metrics.csv"
