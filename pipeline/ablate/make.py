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

from pipeline.ablate.analysis import ANALYSIS_VERSION, Found, Space, check_targets, covered, space_of
from pipeline.ablate.design import Design, Point, describe, make_points
from pipeline.ablate.output import write_ablation
from pipeline.ablate.proxies import Measured, by_ngram, compare, measure, ordered
from pipeline.ablate.recipe import PROPOSED, External, Ngram, load_ablation
from pipeline.ablate.report import (
    domain_entries,
    fit_entries,
    metric_entry,
    point_notes,
    proposal_entry,
    rounded,
    run_entry,
    values_at,
    versions,
    whole_front,
)
from pipeline.ablate.reuse import Reuse, read_reuse
from pipeline.ablate.swarm import Bench
from pipeline.ablate.verify import Trained, rounds, verdict
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

    out: Path | str
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


def run_ablate(
    path: Path,
    *,
    out: Path | str | None = None,
    store_root: Path | str = Path(".wellmix/store"),
    workers: int = 1,
    executor: str | None = None,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> AblationResult:
    """Run an ablation, doing only what is not done yet.

    :param out: output folder, or fsspec URL; default ``shards/<name of the ablation>``.
    :param executor: where steps run: ``local``, ``ray``, ``slurm`` or a YAML file (:mod:`pipeline.cluster`).
    :param overrides: ``path=value`` changes to the ablation.
    :raises UserError: anything the user can mend.
    """
    started = monotonic()
    resolved = load_ablation(path, overrides)
    with opened(resolved.ablation.name, out, store_root, show_progress, executor) as (place, store, progress):
        bench = Bench.open(resolved, store, workers, progress)
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
        measured = measure(bench, points)
        folder = None if isinstance(place, str) else place
        report, waiting = _conclude(bench, points, searched, measured, space, reuse, fingerprints, folder)
        write_ablation(store, place, report, bench.mixes, points)
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


def _conclude(
    bench: Bench,
    points: list[Point],
    searched: list[int],
    measured: Measured,
    space: Space,
    reuse: Reuse | None,
    fingerprints: list[str],
    out: Path | None,
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
            values_at(measured.metrics, i),
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
        found, trained, runs = rounds(bench, points, searched, measured, space)
        for i, (one, slug) in enumerate(zip(found.proposals, _slugs(ablation.name, found.proposals), strict=True)):
            said, stands = (
                verdict(one, PROPOSED if i == 0 else one.name, trained, measured.lower) if trained else ("", True)
            )
            one = replace(
                one, statement=f"{one.statement} {said}".strip(), distinguishable=one.distinguishable and stands
            )
            proposals.append(proposal_entry(one, space, mixes, slug, out))
        notes += design["notes"]
        entries += trained.entries if trained else []
    proxies = compare(bench, points, measured)
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
            metric_entry(name, measured.lower[name], name in ablation.targets) for name in ordered(measured.metrics)
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


def try_weights(
    path: Path,
    changes: dict[str, float],
    *,
    store_root: Path | str = Path(".wellmix/store"),
    workers: int = 1,
    executor: str | None = None,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> dict[str, Any]:
    """The n-gram proxy's losses of one mix beside the prior's: the shortest way from a changed weight to what it does.

    :param changes: weight by domain; the others share the rest in proportion to the prior.
    :param executor: where steps run: ``local``, ``ray``, ``slurm`` or a YAML file (:mod:`pipeline.cluster`).
    :raises UserError: a domain is unknown, or the supply does not allow it.
    """
    resolved = load_ablation(path, overrides)
    proxy = next(
        (one for one in (resolved.ablation.proxy, *resolved.ablation.compare) if isinstance(one, Ngram)), Ngram()
    )
    with opened(resolved.ablation.name, None, store_root, show_progress, executor) as (_, store, progress):
        bench = Bench.open(resolved, store, workers, progress)
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
        measured = by_ngram(bench, proxy, tried)
    return {
        "domains": mixes.domains,
        "prior": tried[0].weights.tolist(),
        "weights": tried[-1].weights.tolist(),
        "epochs": mixes.epochs(tried[-1].weights).tolist(),
        "metrics": {
            name: {"prior": float(measured.metrics[name][0]), "tried": float(measured.metrics[name][-1])}
            for name in ordered(measured.metrics)
        },
        "notes": point_notes(tried),
    }
