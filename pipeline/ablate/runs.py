"""Runs: a proxy trained on the mix of a point and measured. Each is two artifacts under keys made of what it read, so a point that
comes again, in another design or after a source was added that it does not use, costs nothing.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.ablate.draws import Draws, save_draws, saved_draws
from pipeline.ablate.held_out import HeldOut
from pipeline.ablate.mixes import PooledMixes
from pipeline.ablate.recipe import Transformer
from pipeline.ablate.texts import Texts, documents_of, load_texts
from pipeline.console import Progress
from pipeline.execute import Step, run_step
from pipeline.store import Store, make_key

RUNS_VERSION = 1
MEASURE_VERSION = 2

#: Stage of the copies of a pool, for workers.
POOL = "work/pool"


@dataclass(frozen=True)
class Pool:
    """The texts proxies of one length are trained on, and how workers find them.

    :param eos: id that ends a document.
    :param keys: shard -> key of its tokens.
    :param key: of the pool's copies, once workers need them (:func:`run_all`).
    """

    mixes: PooledMixes
    texts: Texts
    eos: int
    keys: dict[int, str]
    key: str

    def place(self) -> dict[str, Any]:
        """What a worker needs to open the same texts."""
        return {"key": self.key, "texts": {str(n): key for n, key in self.keys.items()}, "eos": self.eos}


@dataclass(frozen=True)
class Run:
    """One training, to do or done.

    :param name: of the point, and ``-sN`` for further seeds.
    :param targets: tokens of each entry in the pool's mix.
    :param model: key of the trained model.
    :param bits: key of its measurements.
    :param passes: how often the run reads its mix (the mix is about as long as the run, in tokens of another vocabulary).
    """

    name: str
    weights: np.ndarray
    seed: int
    targets: np.ndarray
    model: str
    bits: str
    passes: float


def stream(draws: Draws, texts: Texts, targets: np.ndarray, tokens: int) -> tuple[np.ndarray, float]:
    """The first ``tokens`` + 1 tokens of a mix, read again from its beginning where it is shorter.

    :returns: ids, and how often the mix is read.
    """
    taken = draws.take(targets)
    ids, starts = texts.gather(draws.shard[taken], draws.row[taken])
    return np.resize(ids, tokens + 1), tokens / starts[-1]


def make_run(name: str, weights: np.ndarray, seed: int, pool: Pool, settings: Transformer, held_out: HeldOut) -> Run:
    """A run and the keys it lies under: a digest of the very tokens it reads, the settings and the seed."""
    from pipeline.ablate.transformer import training_key

    targets = pool.mixes.targets(weights)
    ids, passes = stream(pool.mixes.draws, pool.texts, targets, settings.tokens)
    read = hashlib.blake2b(ids.tobytes(), digest_size=16).hexdigest()
    model = make_key("proxy-model", RUNS_VERSION, settings=training_key(settings), read=read, seed=seed)
    bits = make_key("proxy-bits", MEASURE_VERSION, model=model, held_out=held_out.digest)
    return Run(name, weights, seed, targets, model, bits, passes)


class RunStep(Step):
    """Trains and measures one run, as far as that is not done."""

    name = "proxy-run"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        from pipeline.ablate.transformer import measure, train

        settings = Transformer(**task["settings"])
        started = time.monotonic()
        if not store.has("proxy-model", task["model"]):
            pool = task["pool"]
            draws, texts = _opened(store, pool["key"], tuple(sorted(pool["texts"].items())), pool["eos"])
            ids, _ = stream(draws, texts, np.array(task["targets"]), settings.tokens)
            with store.write("proxy-model", task["model"], task["pool"]["texts"].values()) as (folder, meta):
                facts = train(ids, settings, task["seed"], folder)
                meta.update(facts, seconds=round(time.monotonic() - started, 2))
        if not store.has("proxy-bits", task["bits"]):
            held_out = HeldOut.load(store.path("held-out", task["held_out"]))
            with store.write("proxy-bits", task["bits"], [task["model"], task["held_out"]]) as (folder, meta):
                np.save(
                    folder / "bits.npy",
                    measure(store.path("proxy-model", task["model"]), settings, held_out, task["pool"]["eos"]),
                )
                meta.update(model=task["model"])


@lru_cache(maxsize=1)
def _opened(store: Store, key: str, texts: tuple[tuple[str, str], ...], eos: int) -> tuple[Draws, Texts]:
    # a worker does several runs of one pool
    draws = saved_draws(store.path(POOL, key))
    keys = {int(shard): key for shard, key in texts}
    return draws, load_texts(store, keys, documents_of(draws), eos)


def run_all(
    store: Store,
    runs: list[Run],
    pool: Pool,
    settings: Transformer,
    held_out: str,
    *,
    workers: int,
    progress: Progress,
    label: str,
) -> set[str]:
    """Do the runs that are not done.

    :param held_out: key of what they are measured on.
    :returns: names of those whose model was there already.
    """
    there = {run.name for run in runs if store.has("proxy-model", run.model)}
    todo: dict[str, dict[str, Any]] = {}
    for run in runs:
        if not store.has("proxy-bits", run.bits):
            todo.setdefault(
                run.bits,
                {
                    "settings": settings.model_dump(mode="json"),
                    "model": run.model,
                    "bits": run.bits,
                    "targets": run.targets.tolist(),
                    "seed": run.seed,
                    "pool": pool.place(),
                    "held_out": held_out,
                },
            )
    if todo and not store.has(POOL, pool.key):
        with store.write(POOL, pool.key) as (folder, _):
            save_draws(pool.mixes.draws, folder)
    run_step(RunStep, store, list(todo.values()), workers=workers, progress=progress, label=label)
    return there


def read_bits(store: Store, runs: list[Run]) -> np.ndarray:
    """Bits of each held-out document under each run, shape (runs, documents)."""
    return np.stack([np.load(store.path("proxy-bits", run.bits) / "bits.npy", allow_pickle=False) for run in runs])
