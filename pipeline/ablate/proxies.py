"""The proxies at the points: n-gram, transformer, or what a trainer elsewhere measured; and how well they agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np

from pipeline.ablate.analysis import agreement, check_targets
from pipeline.ablate.counted import CountedMixes, ngram_metrics, open_ngram
from pipeline.ablate.design import Point
from pipeline.ablate.recipe import External, Ngram, Transformer
from pipeline.ablate.results import Results, read_results
from pipeline.ablate.swarm import Bench
from sources.errors import UserError


@dataclass
class Measured:
    """The swarm's points with their metrics.

    :param metrics: by name, shape (points,), NaN where missing.
    :param lower: by metric, whether lower is better.
    :param facts: by point: seed, key, seconds and whether it was reused.
    :param about: what the report says of the proxy.
    """

    metrics: dict[str, np.ndarray]
    lower: dict[str, bool]
    facts: list[dict[str, Any]]
    about: list[list[str]]
    notes: list[str] = field(default_factory=list)


def measure(bench: Bench, points: list[Point]) -> Measured:
    """Metrics of all points by the ablation's proxy, and those from outside.

    :raises UserError: results that cannot be read, or a target that is no metric; before anything is trained.
    """
    ablation = bench.resolved.ablation
    proxy = ablation.proxy
    names = [point.name for point in points]
    evaluation = ablation.evaluation
    outside = None
    # read first: what is wrong with results is told before anything is trained
    if evaluation.results is not None:
        outside = _results(bench, evaluation.results, evaluation.lower_is_better, "evaluation", names)
    for other in ablation.compare:
        if isinstance(other, External):
            _results(bench, other.results, other.lower_is_better, "compare", names)
    if isinstance(proxy, External):
        measured = Measured({}, {}, [{} for _ in points], [["trainer", "external"], ["results", proxy.results]])
        _add(measured, _results(bench, proxy.results, proxy.lower_is_better, "proxy", names, missing_ok=True))
    elif isinstance(proxy, Ngram):
        measured = by_ngram(bench, proxy, points, outside)
    else:
        measured = _by_transformer(bench, proxy, points, outside)
    _add(measured, outside)
    return measured


def by_ngram(bench: Bench, proxy: Ngram, points: list[Point], outside: Results | None = None) -> Measured:
    """Metrics of points by the n-gram proxy.

    :param outside: metrics from outside, which can be targets.
    :raises UserError: a target is no metric.
    """
    pool, held_out = bench.pool(proxy)
    if proxy is bench.resolved.ablation.proxy:
        check_targets(bench.mixes, [*held_out.weights, *(outside.metrics if outside else ())])
    counted = CountedMixes(pool.mixes)
    model, there = open_ngram(bench.store, pool, held_out, proxy, counted)
    bench.ran["ngram"] += not there
    started = monotonic()
    metrics = ngram_metrics(model, counted, np.stack([point.weights for point in points]), held_out)
    seconds = (monotonic() - started) / len(points)
    about = [
        ["model", f"interpolated {proxy.order}-gram, vocabulary {proxy.vocabulary:,}"],
        ["tokens it stands for", f"{proxy.tokens:,}"],
        ["pool", f"{pool.mixes.share:.2%} of each domain's tokens"],
    ]
    facts = [{"seed": 0, "key": "", "seconds": round(seconds, 4), "reused": there} for _ in points]
    return Measured(metrics, dict.fromkeys(metrics, True), facts, about)


def _by_transformer(bench: Bench, proxy: Transformer, points: list[Point], outside: Results | None = None) -> Measured:
    from pipeline.ablate.transformer import library_versions

    library_versions()
    ablation = bench.resolved.ablation
    pool, held_out = bench.pool(proxy)
    if proxy is ablation.proxy:
        check_targets(bench.mixes, [*held_out.weights, *(outside.metrics if outside else ())])
    runs, metrics, there = bench.train(
        [(point.name, point.weights, ablation.seed) for point in points],
        proxy,
        pool,
        held_out,
        f"train {len(points)} proxies",
    )
    metas = [bench.store.meta("proxy-model", run.model) for run in runs]
    about = [
        ["model", f"Llama, {metas[0]['parameters']:,} parameters, vocabulary {proxy.vocabulary:,}"],
        ["tokens a run", f"{proxy.tokens:,} in {metas[0]['steps']:,} steps of {proxy.batch} x {proxy.sequence}"],
        ["pool", f"{pool.mixes.share:.2%} of each domain's tokens, so that data repeats as in the target run"],
        ["held out", f"{len(held_out.starts) - 1:,} texts, {len(held_out.ids):,} tokens"],
    ]
    facts = [
        {"seed": run.seed, "key": run.model, "seconds": meta["seconds"], "reused": run.name in there}
        for run, meta in zip(runs, metas, strict=True)
    ]
    notes = []
    far = [run for run in runs if abs(run.passes - 1) > 0.15]
    if far:
        notes.append(
            f"{len(far)} runs read more or less than 85-115 % of their mix, as its texts make more or fewer tokens of the small"
            f" vocabulary: {', '.join(f'{run.name} {1 / run.passes:.0%}' for run in far[:5])}"
        )
    for point in points:
        missing = pool.mixes.missing(point.weights)
        if (point.weights * missing).sum() > 0.01:
            worst = int(np.argmax(point.weights * missing))
            notes.append(
                f"{point.name}: the pool is {missing[worst]:.0%} short of {bench.mixes.domains[worst]}, as its texts are whole"
            )
    if pool.mixes.share >= 1:
        notes.append("the proxy reads as many tokens as the target run, or more: it is no smaller version of it")
    return Measured(metrics, dict.fromkeys(metrics, True), facts, about, notes)


def _results(
    bench: Bench,
    where: str,
    lower: dict[str, bool],
    field_: str,
    names: list[str],
    *,
    missing_ok: bool = False,
) -> Results | None:
    """Metrics from outside."""
    path = bench.resolved.folder / where
    if not path.exists():
        if missing_ok:
            return None
        raise UserError(
            f"no results at {where!r}",
            where=bench.resolved.ablation.place(field_, "results"),
            fix="give a CSV or a folder, relative to the ablation's file",
        )
    return read_results(path, names, lower_is_better=lower, targets=bench.resolved.ablation.targets)


def _add(measured: Measured, results: Results | None) -> None:
    if results is None:
        return
    measured.metrics |= results.metrics
    measured.lower |= results.lower_is_better
    measured.notes += results.notes


def compare(bench: Bench, points: list[Point], measured: Measured) -> list[dict[str, Any]]:
    """How other proxies rank the same points."""
    ablation = bench.resolved.ablation
    shown = [name for name in ordered(measured.metrics) if not name.startswith("bpb/source/")]
    told = []
    for other in ablation.compare:
        some = points[: other.points] if other.points else points
        if isinstance(other, External):
            found = _results(bench, other.results, other.lower_is_better, "compare", [point.name for point in points])
            theirs = {name: values[: len(some)] for name, values in found.metrics.items()} if found else {}
            title = "external"
        elif isinstance(other, Ngram):
            theirs, title = by_ngram(bench, other, some).metrics, f"{other.order}-gram"
        else:
            other_measured = _by_transformer(bench, other, some)
            theirs, title = other_measured.metrics, f"transformer of {other.size}, {other.tokens:,} tokens"
        ours = {name: values[: len(some)] for name, values in measured.metrics.items()}
        told.append(
            {"title": f"{title} against the {_own_title(ablation.proxy)}", "rows": agreement(ours, theirs, shown)}
        )
    return told


def _own_title(proxy: Transformer | Ngram | External) -> str:
    if isinstance(proxy, Transformer):
        return f"transformer of {proxy.size}, {proxy.tokens:,} tokens"
    return f"{proxy.order}-gram" if isinstance(proxy, Ngram) else "external results"


def ordered(metrics: dict[str, np.ndarray]) -> list[str]:
    """The whole first, then families, facets, question sets, what comes from outside, and sources."""
    groups = ("bpb/all", "bpb/family/", "bpb/facet/", "bpb/set/")

    def rank(name: str) -> int:
        place = next((i for i, start in enumerate(groups) if name.startswith(start)), len(groups))
        return len(groups) + 1 if name.startswith("bpb/source/") else place

    return sorted(metrics, key=rank)
