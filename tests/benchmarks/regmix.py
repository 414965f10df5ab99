"""RegMix's published runs (Liu et al. 2024, arXiv 2407.01492): how well models fitted on 512 runs of 1M parameters rank other runs of that
size, and models of 60M and 1B parameters, by the loss on each part of the Pile.

    WELLMIX_DATA=/folder/of/the/corpora python -m tests.benchmarks.regmix [pile_cc arxiv ...]

Needs ``evals/regmix`` under WELLMIX_DATA. Ours is what ``wellmix fit`` takes by default: the best model by cross-validation on the 512 runs
alone. Figures are Spearman's rank correlations; the paper's are those of its table 2, for Pile-CC. Plain LightGBM has RegMix's settings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from pipeline.fit.base import Regressor
from pipeline.fit.laws import Linear
from pipeline.fit.tables import Swarm, find_column, read_swarm
from pipeline.fit.trees import REGMIX, LightGBM
from pipeline.fit.validate import choose, cross_validate, fit_chosen, spearman
from sources.card import data_root

SIZES = ("1m", "60m", "1B")
#: The paper's, for Pile-CC.
PAPER = {"LightGBM": (0.9845, 0.9864, 0.9712), "linear": (0.9008, 0.8926, 0.8801)}
#: What ours is compared with.
PEERS: dict[str, Regressor] = {"LightGBM": LightGBM(settings=tuple(REGMIX.items())), "linear": Linear()}


def load(folder: Path) -> tuple[Swarm, dict[str, Swarm]]:
    """The 512 runs, and the test sets by size."""
    tests = {
        size: read_swarm(folder / f"test_mixture_{size}.csv", folder / f"test_pile_loss_{size}.csv") for size in SIZES
    }
    return read_swarm(folder / "train_mixture_1m.csv", folder / "train_pile_loss_1m.csv"), tests


def measure(swarm: Swarm, tests: dict[str, Swarm], target: str) -> dict[str, tuple[str, list[float], float]]:
    """By way: the model, its rank correlations on :data:`SIZES`, and the seconds to choose and fit it."""
    y = swarm.metrics[target]
    found = {}
    started = perf_counter()
    chosen = choose(cross_validate(swarm.ratios, y))
    model = fit_chosen(chosen, swarm.ratios, y)
    found["ours"] = (chosen.model, _ranks(model.predict, tests, target), perf_counter() - started)
    for name, peer in PEERS.items():
        started = perf_counter()
        model = peer.fit(swarm.ratios, y)
        found[name] = (name, _ranks(model.predict, tests, target), perf_counter() - started)
    return found


def _ranks(predict, tests: dict[str, Swarm], target: str) -> list[float]:
    return [spearman(predict(test.ratios), test.metrics[target]) for test in tests.values()]


def main(wanted: list[str]) -> None:
    """Print the table."""
    root = data_root()
    folder = root / "evals" / "regmix" if root else None
    if folder is None or not folder.is_dir():
        sys.exit("this needs evals/regmix under WELLMIX_DATA")
    swarm, tests = load(folder)
    targets = [find_column(one, list(swarm.metrics), "target") for one in wanted] or list(swarm.metrics)
    print(f"{'':18}" + "".join(f"{way:^30}" for way in ("ours", *PEERS)) + "chosen, seconds")
    print(f"{'':18}" + "   ".join("    1M     60M     1B     " for _ in range(1 + len(PEERS))))
    rows = []
    for target in targets:
        found = measure(swarm, tests, target)
        rows.append([found[way][1] for way in ("ours", *PEERS)])
        title = target.removeprefix("metric/the_pile_").removesuffix("_val_loss")
        print(f"{title:18}{_cells(rows[-1])}{found['ours'][0]}, {found['ours'][2]:.0f} s", flush=True)
    print(f"{'mean':18}{_cells(np.mean(rows, axis=0).tolist())}")
    print(f"{'paper, pile_cc':18}{'':30}{_cells([list(figures) for figures in PAPER.values()])}")


def _cells(rows: list[list[float]]) -> str:
    return "".join("  ".join(f"{figure:.4f}" for figure in figures).center(30) for figures in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
