"""``python -m tests.benchmarks.ablations``: how long the loop of an ablation takes, and what coupled sampling is worth, on real corpora.

- *planning*: one mix over a million scored documents (the catalogs of the base recipe, repeated under new ids): the whole plan in DuckDB,
  as ``wellmix mix`` makes it, against a mix taken from an ablation's draws.
- *n-gram*: 1,000 mixes by the n-gram proxy, and a changed weight until its losses as a whole process.
- *coupling*: standard deviation, over draws, of the measured difference between two close mixes: drawn together, and drawn apart.

It needs WELLMIX_DATA, and makes the base mix of the ablation first where the store does not have it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipeline.ablate.counted import CountedMixes, ngram_metrics, open_ngram
from pipeline.ablate.draws import Draws, load_draws, run_draws
from pipeline.ablate.held_out import HeldOut
from pipeline.ablate.ngram import TokenPool, direct_bits
from pipeline.ablate.recipe import Ngram, load_ablation
from pipeline.ablate.runs import Pool
from pipeline.ablate.swarm import Bench
from pipeline.console import Progress
from pipeline.plan import run_plan
from pipeline.store import Store
from pipeline.tables import read
from pipeline.words import mix_ids

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ablations", description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/ablation/families.yaml")
    parser.add_argument("--store", type=Path, default=ROOT / ".wellmix/store")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--draws", type=int, default=20, help="draws over which the difference of two mixes varies")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / ".bench")
    args = parser.parse_args()
    store = Store(args.store)
    with Progress() as progress:
        bench = Bench.open(load_ablation(args.recipe), store, 2, progress)
        results = planning(bench, args.documents, args.runs)
        pool, held_out = bench.pool(Ngram())
        results |= ngram(bench, pool, held_out) | coupling(bench, pool, held_out, args.draws)
    results["changed_weight_seconds"] = changed_weight(args.recipe, args.store, args.runs)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "ablations.json").write_text(json.dumps(results, indent=1) + "\n")
    table = Table("what", "figure", box=None)
    for name, value in results.items():
        table.add_row(name, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
    Console().print(table)


def planning(bench: Bench, documents: int, runs: int) -> dict[str, float]:
    """Seconds to plan mixes over many documents."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        shards = [(shard.source, shard.catalog) for shard in bench.corpus.shards]
        tables = [read(bench.store.path("catalog", key) / "catalog.parquet") for _, key in shards]
        each = sum(table.num_rows for table in tables)
        times = -(-documents // each)
        repeated = []
        for copy in range(times):
            for (source, key), table in zip(shards, tables, strict=True):
                name = f"{copy:04x}{key[4:]}"
                if copy:
                    uid = mix_ids(table["uid"].to_numpy(), copy)
                    table = table.set_column(table.schema.get_field_index("uid"), "uid", pa.array(uid))
                    table = table.set_column(table.schema.get_field_index("record"), "record", pa.array(uid))
                place = store.path("catalog", name)
                place.mkdir(parents=True)
                pq.write_table(table, place / "catalog.parquet")
                repeated.append((source, name))
        place = store.path("clusters", bench.corpus.clusters)
        place.parent.mkdir(parents=True)
        place.symlink_to(bench.store.path("clusters", bench.corpus.clusters).absolute())
        recipe = bench.resolved.recipe.model_copy(update={"budget": bench.resolved.recipe.budget * times})
        limits, cards = bench.corpus.judges.limits, bench.resolved.cards
        started = perf_counter()
        key = run_draws(store, bench.resolved.varied, cards, limits, repeated, bench.corpus.clusters, workers=2)
        listed = perf_counter() - started
        started = perf_counter()
        draws = load_draws(store, key)
        draws.take(bench.mixes.tokens(bench.mixes.prior))
        loaded = perf_counter() - started
        plan, taken = [], []
        for n in range(runs):
            changed = recipe.model_copy(update={"seed": recipe.seed + n})
            started = perf_counter()
            run_plan(store, changed, cards, limits, repeated, bench.corpus.clusters, workers=2)
            plan.append(perf_counter() - started)
        weights = np.random.default_rng(0).dirichlet(np.full(len(bench.mixes.domains), 8.0), runs)
        for one in weights:
            started = perf_counter()
            draws.take(np.minimum(bench.mixes.tokens(one) * times, draws.capacity))
            taken.append(perf_counter() - started)
    return {
        "documents": each * times,
        "plan_seconds": median(plan),
        "list_all_copies_seconds": listed,
        "open_draws_and_first_mix_seconds": loaded,
        "next_mix_seconds": median(taken),
        "next_mix_vs_plan": median(plan) / median(taken),
    }


def ngram(bench: Bench, pool: Pool, held_out: HeldOut) -> dict[str, float]:
    """Seconds for 1,000 mixes."""
    counted = CountedMixes(pool.mixes)
    started = perf_counter()
    model, _ = open_ngram(bench.store, pool, held_out, Ngram(), counted)
    opened = perf_counter() - started
    weights = np.random.default_rng(1).dirichlet(np.full(len(bench.mixes.domains), 4.0), 1_000)
    ngram_metrics(model, counted, weights[:2], held_out)
    started = perf_counter()
    ngram_metrics(model, counted, weights, held_out)
    return {"ngram_open_or_train_seconds": opened, "ngram_1000_mixes_seconds": perf_counter() - started}


def changed_weight(recipe: Path, store: Path, runs: int) -> float:
    """Seconds from a changed weight to its losses, as a whole process; the n-gram model is there."""
    seconds = []
    for n in range(runs + 1):
        command = [sys.executable, "-m", "pipeline.cli", "ablate", str(recipe), "--store", str(store)]
        started = perf_counter()
        subprocess.run([*command, "--try", f"forum={0.3 + n / 100}"], cwd=ROOT, check=True, capture_output=True)
        seconds.append(perf_counter() - started)
    return median(seconds[1:])


def coupling(bench: Bench, pool: Pool, held_out: HeldOut, draws: int) -> dict[str, float]:
    """Differences between the prior and a mix with one domain up by .02, each measured by the n-gram model counted on the texts drawn.

    Draws take 40 % of the pool, so that there is something to choose.
    """
    prior = bench.mixes.prior
    other = prior.copy()
    other[0] += 0.02
    other[1:] *= (1 - other[0]) / (1 - prior[0])
    targets = [pool.mixes.targets(weights) * 0.4 for weights in (prior, other)]

    def loss(some: Draws, target: np.ndarray) -> float:
        taken = some.take(target)
        stream = TokenPool(*pool.texts.gather(some.shard[taken], some.row[taken]))
        held = TokenPool(held_out.ids, held_out.starts)
        bits = direct_bits(stream, held, order=3, vocab_size=Ngram().vocabulary, eos=pool.eos)
        return float(bits @ held_out.weights["bpb/all"])

    losses = []
    for seed in range(draws):
        together, apart = drawn_again(pool.mixes.draws, seed), drawn_again(pool.mixes.draws, draws + seed)
        losses.append([loss(together, targets[0]), loss(together, targets[1]), loss(apart, targets[1])])
    a, b, c = np.array(losses).T
    return {
        "difference": float((b - a).mean()),
        "sd_coupled": float((b - a).std(ddof=1)),
        "sd_independent": float((c - a).std(ddof=1)),
        "variance_ratio": float((c - a).var(ddof=1) / (b - a).var(ddof=1)),
    }


def drawn_again(draws: Draws, seed: int) -> Draws:
    """The same copies under other random numbers."""
    u = (mix_ids(draws.uid, 1_000 + seed) >> np.uint64(11)) / 2.0**53
    rate = (u + draws.epoch) / draws.multiplier
    order = np.lexsort((draws.epoch, draws.uid, rate, draws.entry))
    columns = ("entry", "shard", "row", "uid", "epoch", "tokens", "multiplier", "pool", "place")
    return replace(draws, rate=rate[order], **{name: getattr(draws, name)[order] for name in columns})


if __name__ == "__main__":
    main()
