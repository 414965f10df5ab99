"""Proposals put to the test: they are trained beside the prior, the proportional and the uniform mix with several seeds, what came of it is
fitted with the rest, and what a proposal claims stands only if training bears it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipeline.ablate.analysis import Found, Space, analyse
from pipeline.ablate.design import Point
from pipeline.ablate.proxies import Measured
from pipeline.ablate.recipe import ANCHORS, PROPOSED, Transformer
from pipeline.ablate.report import run_entry, values_at
from pipeline.ablate.swarm import Bench
from pipeline.fit.optimum import Proposal


@dataclass
class Trained:
    """Proposals and anchors trained with several seeds.

    :param rows: metrics by mix and seed, as the report has them; of earlier rounds, too.
    :param entries: of the runs that are no points of the swarm; those of earlier rounds come after this one's.
    :param weights: of this round's over the domains, shape (runs, D).
    :param metrics: of this round's, by name, shape (runs,).
    :param noise: standard deviation between seeds of one mix, by metric.
    """

    rows: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    weights: np.ndarray
    metrics: dict[str, np.ndarray]
    noise: dict[str, float]


def rounds(
    bench: Bench,
    points: list[Point],
    searched: list[int],
    measured: Measured,
    space: Space,
) -> tuple[Found, Trained | None, list[str]]:
    """Fit and propose; train what is proposed, learn from it, and propose again, as often as asked.

    :returns: the last fits, what was trained, and the runs they were fitted on.
    """
    ablation = bench.resolved.ablation
    proxy = ablation.proxy
    weights = np.stack([points[i].weights for i in searched])
    metrics = {name: values[searched] for name, values in measured.metrics.items()}
    runs = [points[i].name for i in searched]
    higher = frozenset(name for name, lower in measured.lower.items() if not lower)
    found = analyse(bench.mixes, space, weights, metrics, higher, bench.progress)
    if not (isinstance(proxy, Transformer) and ablation.verify):
        return found, None, runs
    trained = _verify(bench, proxy, points, found, space, 1)
    for number in range(1, ablation.rounds):
        # anchors come with every round, and lie elsewhere than a search that keeps ratios
        anchors = number == 1 and not space.collapsed
        inside = [
            i for i, entry in enumerate(trained.entries[: len(trained.weights)]) if anchors or entry["kind"] == PROPOSED
        ]
        weights = np.concatenate([weights, trained.weights[inside]])
        unknown = np.full(len(trained.weights), np.nan)
        metrics = {
            name: np.concatenate([values, trained.metrics.get(name, unknown)[inside]])
            for name, values in metrics.items()
        }
        runs += [trained.entries[i]["run"] for i in inside]
        found = analyse(bench.mixes, space, weights, metrics, higher, bench.progress)
        earlier, trained = trained, _verify(bench, proxy, points, found, space, number + 1)
        trained.entries += [entry for entry in earlier.entries if entry["kind"] == PROPOSED]
        for row in earlier.rows:
            if row["mix"] not in ANCHORS:
                mix = row["mix"] if ", round " in row["mix"] else f"{row['mix']}, round {number}"
                trained.rows.append(row | {"mix": mix})
    return found, trained, runs


def _verify(bench: Bench, proxy: Transformer, points: list[Point], found: Found, space: Space, round_: int) -> Trained:
    """Train the first proposals, all that claim to be better than the prior, and the anchors, with several seeds."""
    ablation, mixes = bench.resolved.ablation, bench.mixes
    first = max(1, len(ablation.objectives))
    verified = [one for i, one in enumerate(found.proposals) if i < first or one.distinguishable]
    # the prior is what a proposal has to beat, whether it is a point of the design or not
    named = {"prior": mixes.prior} | {point.name: point.weights for point in points if point.kind in ANCHORS}
    # the first is called the proposal, whatever it is for
    named |= {PROPOSED if i == 0 else one.name: space.whole(one.weights) for i, one in enumerate(verified)}
    pool, held_out = bench.pool(proxy)
    seeds = range(ablation.seed, ablation.seed + ablation.verify)
    wanted = [(name, weights, seed) for name, weights in named.items() for seed in seeds]
    runs, metrics, there = bench.train(
        wanted, proxy, pool, held_out, f"train {len(named)} mixes with {ablation.verify} seeds"
    )
    made = Trained([], [], np.empty((0, len(mixes.domains))), {}, {})
    own: list[int] = []
    swarm = {point.name for point in points}
    for i, (name, _, seed) in enumerate(wanted):
        made.rows.append({"mix": name, "seed": seed, "metrics": values_at(metrics, i)})
        # what the swarm has is not told twice
        if seed == ablation.seed and name in swarm:
            continue
        own.append(i)
        kind = name if name in ANCHORS else PROPOSED
        title = f"{name}-s{seed}" if kind != PROPOSED else f"{name}-r{round_}-s{seed}"
        meta = bench.store.meta("proxy-model", runs[i].model)
        facts = {"key": runs[i].model, "seconds": meta["seconds"], "reused": runs[i].name in there}
        made.entries.append(run_entry(title, kind, runs[i].weights, mixes, seed, values_at(metrics, i), **facts))
    made.weights = np.stack([runs[i].weights for i in own])
    made.metrics = {name: values[own] for name, values in metrics.items()}
    if len(seeds) > 1:
        for metric, values in metrics.items():
            by_mix = values.reshape(len(named), len(seeds))
            made.noise[metric] = float(np.sqrt(by_mix.var(axis=1, ddof=1).mean()))
    return made


def verdict(proposal: Proposal, mix: str, trained: Trained, lower: dict[str, bool]) -> tuple[str, bool]:
    """What training says of a proposal, and whether it leaves it standing."""
    parts = [
        weight * gains(trained.rows, mix, "prior", metric, lower[metric])
        for metric, weight in proposal.objective.items()
    ]
    if not all(map(len, parts)):  # not trained, or a target that training does not measure
        return "", True
    gain = np.sum(parts, axis=0)
    mean, low, high = interval(gain)
    shown = f"by {abs(mean):.4f}" + (f" (95 % interval {low:.4f} to {high:.4f})" if len(gain) > 1 else "")
    seeds_told = f"Trained with {len(gain)} seed{'s' if len(gain) > 1 else ''}, it is"
    if mean <= 0:
        return f"{seeds_told} worse than the prior {shown}: keep the prior.", False
    sure = len(gain) > 1 and low > 0
    end = "which bears it out." if sure else "which does not tell them apart."
    return f"{seeds_told} better than the prior {shown}, {end}", sure or len(gain) == 1


def gains(rows: list[dict[str, Any]], mix: str, over: str, metric: str, lower_is_better: bool) -> np.ndarray:
    """How much better one trained mix is than another, paired by seed; shape (seeds,), empty where one of them has no value.

    :param rows: metrics by mix and seed.
    """
    ours, theirs = (
        {row["seed"]: value for row in rows if row["mix"] == one and (value := row["metrics"].get(metric)) is not None}
        for one in (mix, over)
    )
    sign = 1.0 if lower_is_better else -1.0
    return np.array([sign * (theirs[seed] - ours[seed]) for seed in sorted(ours.keys() & theirs.keys())])


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and its 95 % interval (Student's t); the interval is NaN for one value.

    :param values: shape (seeds,), at least one.
    """
    n, mean = len(values), float(values.mean())
    if n < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def differences(report: dict[str, Any], metric: str) -> list[tuple[str, float, float, float]]:
    """How much better the trained proposal is than each of the other mixes.

    :returns: mix, mean of differences paired by seed, and its 95 % interval.
    """
    lower = next(one["lower_is_better"] for one in report["metrics"] if one["name"] == metric)
    mixes = dict.fromkeys(row["mix"] for row in report["trained"])
    found = ((mix, gains(report["trained"], PROPOSED, mix, metric, lower)) for mix in mixes if mix != PROPOSED)
    return [(mix, *interval(values)) for mix, values in found if len(values)]
