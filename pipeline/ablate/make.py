"""The main path of an ablation. Read it top to bottom:

the ablation and its base recipe are checked -> corpora are ingested and scored, as for a mix -> every copy that any mix can hold is listed
once -> points are designed -> a proxy is trained on each (or read from outside) -> targets are fitted -> mixes are proposed -> proposals
are trained beside the prior, the proportional and the uniform mix -> the report is written.

Runs lie in the store under keys made of what they read: an interrupted swarm goes on, and a point that comes again costs nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from pipeline.ablate.analysis import (
    ANALYSIS_VERSION,
    Found,
    Space,
    agreement,
    analyse,
    check_targets,
    covered,
    paired,
    space_of,
)
from pipeline.ablate.counted import CountedMixes, ngram_metrics, open_ngram
from pipeline.ablate.design import Point, describe
from pipeline.ablate.output import write_ablation
from pipeline.ablate.recipe import ANCHORS, PROPOSED, External, Ngram, Transformer, load_ablation
from pipeline.ablate.report import (
    domain_entries,
    fit_entries,
    metric_entry,
    point_notes,
    proposal_entry,
    rounded,
    run_entry,
    versions,
    whole_front,
)
from pipeline.ablate.results import Results, read_results
from pipeline.ablate.reuse import Reuse, read_reuse
from pipeline.ablate.swarm import Bench
from pipeline.fit.optimum import Proposal
from pipeline.fit.validate import LEAST_POINTS
from pipeline.run import opened
from sources.errors import UserError


@dataclass
class AblationResult:
    """What an ablation did.

    :param out: the output folder.
    :param seconds: wall time.
    :param stages: how often each stage ran.
    :param report: as ``report.json`` has it.
    :param waiting: points an external trainer has no results for yet.
    """

    out: Path
    seconds: float
    stages: Counter[str]
    report: dict[str, Any]
    waiting: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The object ``--json`` prints."""
        return {
            "out": str(self.out),
            "seconds": round(self.seconds, 3),
            "stages_run": self.stages.total(),
            "stages": dict(self.stages),
            "points": len(self.report["points"]),
            "waiting": self.waiting,
            "proposals": [
                {key: one[key] for key in ("name", "weights", "distinguishable", "statement", "file")}
                for one in self.report["proposals"]
            ],
            "notes": self.report["notes"],
        }


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


def run_ablate(
    path: Path,
    *,
    out: Path | None = None,
    store_root: Path = Path(".wellmix/store"),
    workers: int = 1,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> AblationResult:
    """Run an ablation, doing only what is not done yet.

    :param out: output folder; default ``shards/<name of the ablation>``.
    :param overrides: ``path=value`` changes to the ablation.
    :raises UserError: anything the user can mend.
    """
    started = monotonic()
    resolved = load_ablation(path, overrides)
    with opened(resolved.ablation.name, out, store_root, show_progress) as (place, store, progress):  # noqa: SIM117
        with store.scratch("ablation") as folder:
            bench = Bench.open(resolved, store, folder, workers, progress)
            fingerprints = bench.mixes.fingerprints()
            reuse = read_reuse(bench.mixes, fingerprints)
            space = space_of(bench.mixes, reuse.collapsed if reuse else None)
            points = bench.points(space.collapsed)
            if reuse and not reuse.changed:
                points = [point for point in points if point.kind != "swarm"]
            if isinstance(resolved.ablation.proxy, External):
                points = [named_by_weights(point) for point in points]
            searched = [i for i, point in enumerate(points) if not space.collapsed or point.kind == "swarm"]
            space = covered(space, np.stack([points[i].weights for i in searched]))
            _check_constraints(bench, space)
            measured = _measure(bench, points)
            report, waiting = _conclude(bench, points, searched, measured, space, reuse, fingerprints, place)
            write_ablation(place, report, bench.mixes, points)
    return AblationResult(place, monotonic() - started, +bench.ran, report, waiting)


def named_by_weights(point: Point) -> Point:
    """The point with its weights in its name: results of another design must not be taken for its own."""
    digest = hashlib.blake2b(np.rint(point.weights * 1e6).astype(np.int64).tobytes(), digest_size=2).hexdigest()
    return replace(point, name=f"{point.name}-{digest}")


def _check_constraints(bench: Bench, space: Space) -> None:
    """Some mix holds to the constraints; told before anything is trained.

    :raises UserError: none does.
    """
    try:
        space.constraints.allowed(space.names, space.prior)
    except UserError as error:
        raise UserError(
            f"no mix that the points cover holds to the constraints: {error.what}",
            where=bench.resolved.ablation.place("constraints"),
            fix="loosen them, or let the design reach further",
        ) from None


def _measure(bench: Bench, points: list[Point]) -> Measured:
    """Metrics of all points by the ablation's proxy, and those from outside."""
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
        measured = _by_ngram(bench, proxy, points, outside)
    else:
        measured = _by_transformer(bench, proxy, points, outside)
    _add(measured, outside)
    return measured


def _by_ngram(bench: Bench, proxy: Ngram, points: list[Point], outside: Results | None = None) -> Measured:
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


def _conclude(
    bench: Bench,
    points: list[Point],
    searched: list[int],
    measured: Measured,
    space: Space,
    reuse: Reuse | None,
    fingerprints: list[str],
    out: Path,
) -> tuple[dict[str, Any], list[str]]:
    """Fit, propose, train the proposals, and tell it all."""
    ablation, mixes = bench.resolved.ablation, bench.mixes
    waiting = _waiting(ablation.targets, points, measured)
    notes = [*point_notes(points), *measured.notes, *(reuse.notes if reuse else ())]
    entries = [
        run_entry(
            point.name,
            point.kind,
            point.weights,
            mixes,
            facts.get("seed", ablation.seed),
            _at(measured.metrics, i),
            **{key: value for key, value in facts.items() if key != "seed"},
        )
        for i, (point, facts) in enumerate(zip(points, measured.facts, strict=True))
    ]
    design = describe(points, mixes.domains)
    found: Found | None = None
    proposals: list[dict[str, Any]] = []
    trained: Trained | None = None
    runs: list[str] = []
    distinct = len({point.weights.tobytes() for point in points if point.name not in waiting})
    if measured.metrics:
        check_targets(mixes, measured.metrics)
    if reuse and not reuse.changed:
        pass
    elif isinstance(ablation.proxy, External) and waiting and distinct < LEAST_POINTS:
        notes.append(
            f"{len(waiting)} of {len(points)} points wait for results of the external trainer: train each of `points/*.yaml`, and put"
            f" metrics by run into {ablation.proxy.results}"
        )
    elif distinct < LEAST_POINTS:
        notes.append(f"{distinct} different mixes are too few to fit a model ({LEAST_POINTS} are needed): losses only")
    else:
        found, trained, runs = _rounds(bench, points, searched, measured, space)
        for i, (one, slug) in enumerate(zip(found.proposals, _slugs(ablation.name, found.proposals), strict=True)):
            said, stands = (
                _verdict(one, PROPOSED if i == 0 else one.name, trained, measured.lower) if trained else ("", True)
            )
            one = replace(
                one, statement=f"{one.statement} {said}".strip(), distinguishable=one.distinguishable and stands
            )
            proposals.append(proposal_entry(one, space, mixes, slug, out))
        notes += design["notes"]
        entries += trained.entries if trained else []
    proxies = _compare(bench, points, measured)
    report = {
        "name": ablation.name,
        "description": ablation.description,
        "seed": ablation.seed,
        "versions": versions() | {"analysis": str(ANALYSIS_VERSION)},
        "base": bench.resolved.recipe.name,
        "budget": bench.resolved.budget,
        "proxy": {"kind": ablation.proxy.kind, "facts": measured.about},
        "domains": domain_entries(mixes, fingerprints),
        "metrics": [
            metric_entry(name, measured.lower[name], name in ablation.targets) for name in _ordered(measured.metrics)
        ],
        "design": design,
        "points": entries,
        "fits": fit_entries(found, _fitted_runs(runs, entries, ablation.targets), trained.noise if trained else {})
        if found
        else {},
        "pareto": whole_front(found.front, space) if found else None,
        "proposals": proposals,
        "trained": trained.rows if trained else [],
        "proxies": proxies,
        "reuse": _reuse_entry(reuse, points, measured),
        "notes": notes,
    }
    return rounded(report), waiting


def _waiting(targets: list[str], points: list[Point], measured: Measured) -> list[str]:
    """Points without a value of some target."""
    there = np.ones(len(points), dtype=bool)
    for target in targets:
        there &= np.isfinite(measured.metrics.get(target, np.full(len(points), np.nan)))
    return [point.name for point, ok in zip(points, there, strict=True) if not ok]


def _at(metrics: dict[str, np.ndarray], i: int) -> dict[str, float | None]:
    return {name: float(values[i]) if np.isfinite(values[i]) else None for name, values in metrics.items()}


def _fitted_runs(runs: list[str], entries: list[dict[str, Any]], targets: list[str]) -> dict[str, list[str]]:
    """Runs each target was fitted on: those of ``runs`` that have a value of it."""
    values = {entry["run"]: entry["metrics"] for entry in entries}
    return {target: [run for run in runs if values[run].get(target) is not None] for target in targets}


def _slugs(ablation: str, proposals: list[Proposal]) -> list[str]:
    """A name of a recipe for each proposal; no two alike."""
    made: list[str] = []
    for proposal in proposals:
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{ablation}-{proposal.name}").strip("-")
        made.append(slug if slug not in made else f"{slug}-{len(made) + 1}")
    return made


def _ordered(metrics: dict[str, np.ndarray]) -> list[str]:
    """The whole first, then families, facets, question sets, what comes from outside, and sources."""
    groups = ("bpb/all", "bpb/family/", "bpb/facet/", "bpb/set/")

    def rank(name: str) -> int:
        place = next((i for i, start in enumerate(groups) if name.startswith(start)), len(groups))
        return len(groups) + 1 if name.startswith("bpb/source/") else place

    return sorted(metrics, key=rank)


@dataclass
class Trained:
    """Proposals and anchors trained with several seeds.

    :param rows: metrics by mix and seed, as the report has them.
    :param entries: of the runs that are no points of the swarm.
    :param weights: of those runs over the domains, shape (runs, D).
    :param metrics: of those runs, by name, shape (runs,).
    :param noise: standard deviation between seeds of one mix, by metric.
    """

    rows: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    weights: np.ndarray
    metrics: dict[str, np.ndarray]
    noise: dict[str, float]

    def values(self, mix: str, metric: str) -> dict[int, float]:
        """One metric of one mix by seed."""
        found = {row["seed"]: row["metrics"].get(metric) for row in self.rows if row["mix"] == mix}
        return {seed: value for seed, value in found.items() if value is not None}


def _rounds(
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
    weights = np.stack([points[i].weights for i in searched])
    metrics = {name: values[searched] for name, values in measured.metrics.items()}
    runs = [points[i].name for i in searched]
    higher = frozenset(name for name, lower in measured.lower.items() if not lower)
    trained: Trained | None = None
    rounds = ablation.rounds if isinstance(ablation.proxy, Transformer) and ablation.verify else 1
    for number in range(rounds):
        found = analyse(bench.mixes, space, weights, metrics, higher, bench.progress)
        if not (isinstance(ablation.proxy, Transformer) and ablation.verify):
            break
        earlier = [] if trained is None else [row for row in trained.rows if row["mix"] not in ANCHORS]
        told = [] if trained is None else [entry for entry in trained.entries if entry["kind"] == PROPOSED]
        trained = _verify(bench, ablation.proxy, points, found, space, number + 1)
        if number + 1 < rounds:
            # anchors come with every round, and lie elsewhere than a search that keeps ratios
            anchors = number == 0 and not space.collapsed
            inside = [i for i, entry in enumerate(trained.entries) if anchors or entry["kind"] == PROPOSED]
            weights = np.concatenate([weights, trained.weights[inside]])
            metrics = {
                name: np.concatenate([values, trained.metrics.get(name, np.full(len(trained.entries), np.nan))[inside]])
                for name, values in metrics.items()
            }
            runs += [trained.entries[i]["run"] for i in inside]
            for row in trained.rows:
                if row["mix"] not in ANCHORS:
                    row["mix"] = f"{row['mix']}, round {number + 1}"
        trained.rows += earlier
        trained.entries += told
    return found, trained, runs


def _verify(bench: Bench, proxy: Transformer, points: list[Point], found: Found, space: Space, round_: int) -> Trained:
    """Train the first proposals, all that claim to be better than the prior, and the anchors, with several seeds."""
    ablation, mixes = bench.resolved.ablation, bench.mixes
    first = max(1, len(ablation.objectives))
    verified = [one for i, one in enumerate(found.proposals) if i < first or one.distinguishable]
    named = {point.name: point.weights for point in points if point.kind in ANCHORS}
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
        made.rows.append({"mix": name, "seed": seed, "metrics": _at(metrics, i)})
        # what the swarm has is not told twice
        if seed == ablation.seed and name in swarm:
            continue
        own.append(i)
        kind = name if name in ANCHORS else PROPOSED
        title = f"{name}-s{seed}" if kind != PROPOSED else f"{name}-r{round_}-s{seed}"
        meta = bench.store.meta("proxy-model", runs[i].model)
        facts = {"key": runs[i].model, "seconds": meta["seconds"], "reused": runs[i].name in there}
        made.entries.append(run_entry(title, kind, runs[i].weights, mixes, seed, _at(metrics, i), **facts))
    made.weights = np.stack([runs[i].weights for i in own])
    made.metrics = {name: values[own] for name, values in metrics.items()}
    if len(seeds) > 1:
        for metric, values in metrics.items():
            by_mix = values.reshape(len(named), len(seeds))
            made.noise[metric] = float(np.sqrt(by_mix.var(axis=1, ddof=1).mean()))
    return made


def _verdict(proposal: Proposal, mix: str, trained: Trained, lower: dict[str, bool]) -> tuple[str, bool]:
    """What training says of a proposal, and whether it leaves it standing."""
    gains: list[np.ndarray] = []
    for metric, weight in proposal.objective.items():
        ours, prior = trained.values(mix, metric), trained.values("prior", metric)
        seeds = sorted(set(ours) & set(prior))
        if not seeds:
            return "", True
        sign = 1.0 if lower[metric] else -1.0
        gains.append(np.array([weight * sign * (prior[seed] - ours[seed]) for seed in seeds]))
    gain = np.sum(gains, axis=0)
    mean, low, high = paired(np.zeros(len(gain)), gain)
    shown = f"by {abs(mean):.4f}" + (f" (95 % interval {low:.4f} to {high:.4f})" if len(gain) > 1 else "")
    seeds_told = f"Trained with {len(gain)} seed{'s' if len(gain) > 1 else ''}, it is"
    if mean <= 0:
        return f"{seeds_told} worse than the prior {shown}: keep the prior.", False
    sure = len(gain) > 1 and low > 0
    end = "which bears it out." if sure else "which does not tell them apart."
    return f"{seeds_told} better than the prior {shown}, {end}", sure or len(gain) == 1


def _compare(bench: Bench, points: list[Point], measured: Measured) -> list[dict[str, Any]]:
    """How other proxies rank the same points."""
    ablation = bench.resolved.ablation
    shown = [name for name in _ordered(measured.metrics) if not name.startswith("bpb/source/")]
    told = []
    for other in ablation.compare:
        some = points[: other.points] if other.points else points
        if isinstance(other, External):
            found = _results(bench, other.results, other.lower_is_better, "compare", [point.name for point in points])
            theirs = {name: values[: len(some)] for name, values in found.metrics.items()} if found else {}
            title = "external"
        elif isinstance(other, Ngram):
            theirs, title = _by_ngram(bench, other, some).metrics, f"{other.order}-gram"
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


def _reuse_entry(reuse: Reuse | None, points: list[Point], measured: Measured) -> dict[str, Any] | None:
    if reuse is None:
        return None
    reused = sum(bool(facts.get("reused")) for facts in measured.facts)
    saving = reuse.saving(sum(point.kind == "swarm" for point in points))
    return saving | {
        "changed": reuse.changed,
        "runs": len(points),
        "runs_reused": reused,
        "statement": f"{saving['statement']} {reused} of {len(points)} runs were there already.",
    }


def differences(report: dict[str, Any], metric: str) -> list[tuple[str, float, float, float]]:
    """How much lower (or higher, where that is better) the trained proposal's metric is than that of the other mixes.

    :returns: mix, mean of differences paired by seed, and its 95 % interval.
    """
    lower = next(one["lower_is_better"] for one in report["metrics"] if one["name"] == metric)
    by_mix: dict[str, dict[int, float]] = {}
    for row in report["trained"]:
        if row["metrics"].get(metric) is not None:
            by_mix.setdefault(row["mix"], {})[row["seed"]] = row["metrics"][metric]
    ours = by_mix.get(PROPOSED, {})
    told = []
    for mix, values in by_mix.items():
        seeds = sorted(set(values) & set(ours))
        if mix != PROPOSED and seeds:
            a, b = np.array([ours[s] for s in seeds]), np.array([values[s] for s in seeds])
            told.append((mix, *(paired(a, b) if lower else paired(b, a))))
    return told


def try_weights(
    path: Path,
    changes: dict[str, float],
    *,
    store_root: Path = Path(".wellmix/store"),
    workers: int = 1,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> dict[str, Any]:
    """The n-gram proxy's losses of one mix beside the prior's: the shortest way from a changed weight to what it does.

    :param changes: weight by domain; the others share the rest in proportion to the prior.
    :raises UserError: a domain is unknown, or the supply does not allow it.
    """
    from pipeline.ablate.design import Design, make_points

    resolved = load_ablation(path, overrides)
    proxy = next(
        (one for one in (resolved.ablation.proxy, *resolved.ablation.compare) if isinstance(one, Ngram)), Ngram()
    )
    with opened(resolved.ablation.name, None, store_root, show_progress) as (_, store, progress):  # noqa: SIM117
        with store.scratch("ablation") as folder:
            bench = Bench.open(resolved, store, folder, workers, progress)
            mixes = bench.mixes
            tried = make_points(
                Design(points=[changes], always=["prior"]),
                mixes.domains,
                mixes.prior,
                mixes.supply / mixes.supply.sum(),
                mixes.caps,
                0,
                place=lambda *loc: "--try",
            )
            measured = _by_ngram(bench, proxy, tried)
    return {
        "domains": mixes.domains,
        "prior": tried[0].weights.tolist(),
        "weights": tried[-1].weights.tolist(),
        "epochs": mixes.epochs(tried[-1].weights).tolist(),
        "metrics": {
            name: {"prior": float(measured.metrics[name][0]), "tried": float(measured.metrics[name][-1])}
            for name in _ordered(measured.metrics)
        },
        "notes": point_notes(tried),
    }
