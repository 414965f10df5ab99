"""What ``wellmix fit`` does: tables in; how well each model predicts, a proposal for each target, the front between them out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from pipeline import cells
from pipeline.console import console
from pipeline.fit.constraints import Constraints
from pipeline.fit.direction import better
from pipeline.fit.models import MODELS
from pipeline.fit.optimum import Proposal
from pipeline.fit.pareto import Front, side_by_side
from pipeline.fit.tables import Swarm, find_column, read_swarm, write_swarm
from pipeline.fit.validate import Judged, Validation, fit_chosen, judge, judged, seed_noise
from sources.errors import UserError

#: Names of priors that are not in a file.
UNIFORM, MEAN = "uniform", "mean"


@dataclass(frozen=True)
class Target:
    """A metric, the models of it and what it asks for.

    :param tests: by test set, then by model: how well a model of all runs predicts others.
    :param noise: between runs of one mix; None where no mix has two.
    """

    name: str
    runs: list[str]
    y: np.ndarray
    judged: Judged
    tests: dict[str, dict[str, Validation]]
    noise: float | None
    proposal: Proposal | None = None


@dataclass(frozen=True)
class FitResult:
    """All of a call. :meth:`summary` is what ``--json`` prints."""

    swarm: Swarm
    prior: np.ndarray
    targets: list[Target]
    front: Front | None
    higher_is_better: frozenset[str]
    seed: int
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """As plain values: keys of the first target at the top, each target's own under ``targets``."""
        first = self._facts(self.targets[0])
        return first | {
            "targets": {target.name: self._facts(target) for target in self.targets},
            "domains": self.swarm.domains,
            "prior": self._shares(self.prior),
            "runs": len(self.swarm.runs),
            "pareto": self.front.summary() if self.front else None,
            "seed": self.seed,
            "versions": {name: version(name) for name in ("wellmix", "numpy", "scipy", "lightgbm")},
            "notes": [*self.swarm.notes, *self.notes],
        }

    def _facts(self, target: Target) -> dict[str, Any]:
        proposal = target.proposal
        assert proposal is not None, "run_fit proposes for every target"
        chosen = target.judged.chosen
        tested = {name: found[chosen.model] for name, found in target.tests.items()}
        told = proposal.summary()
        return {
            "target": target.name,
            "model": chosen.model,
            "spearman": {name: one.spearman for name, one in tested.items()} or chosen.spearman,
            "mse": {name: one.mse for name, one in tested.items()} or chosen.mse,
            "proposal": self._shares(proposal.weights),
            "statement": proposal.statement,
            "distinguishable": proposal.distinguishable,
            "lower_is_better": target.name not in self.higher_is_better,
            "cross_validation": [one.summary() for one in target.judged.validations],
            "tests": {
                name: {model: one.summary() for model, one in found.items()} for name, found in target.tests.items()
            },
            "noise": target.noise,
            "details": {name: value for name, value in told.items() if name not in ("statement", "distinguishable")},
        }

    def _shares(self, weights: np.ndarray) -> dict[str, float]:
        return dict(zip(self.swarm.domains, weights.tolist(), strict=True))


def run_fit(
    ratios: Path,
    metrics: Path,
    targets: Sequence[str],
    *,
    tests: Sequence[tuple[Path, Path]] = (),
    model: str | None = None,
    prior: Sequence[str] = (),
    constraints: Constraints | None = None,
    higher_is_better: Sequence[str] = (),
    lower_is_better: Sequence[str] = (),
    anywhere: bool = False,
    folds: int | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> FitResult:
    """Fit targets of a swarm and propose a mix for each.

    :param targets: columns of the metrics, or parts of their names that no other has.
    :param tests: tables of ratios and metrics of runs to test on; the set has the name of its ratios file.
    :param model: use this one [default: the best by cross-validation].
    :param prior: a run's id, ``uniform``, ``mean``, a CSV file with columns domain and share, or ``DOMAIN=SHARE`` entries [default: the
        mean of the runs].
    :param constraints: domains may be named by parts here, too.
    :param higher_is_better, lower_is_better: targets, over what their names say; where those say nothing, lower is better.
    :param anywhere: also propose shares no run had.
    :param out: folder for ``fit.json``, ``proposal.csv`` and the tables.
    :raises UserError: see :mod:`pipeline.fit.tables`, :mod:`pipeline.fit.constraints`.
    """
    swarm = read_swarm(ratios, metrics)
    if not targets:
        raise UserError("no target", where="--target", fix=f"such as {', '.join(list(swarm.metrics)[:6])}")
    if model is not None and model not in MODELS:
        raise UserError(f"there is no model {model!r}", where="--model", fix=f"one of {', '.join(MODELS)}")
    names = list(dict.fromkeys(find_column(one, list(swarm.metrics), "target") for one in targets))
    more_is_better = _higher(names, higher_is_better, lower_is_better)
    base = _prior(prior, swarm)
    limits = _named(constraints or Constraints(), swarm.domains)
    notes: list[str] = []
    # a conflict is told before minutes of fitting
    limits.allowed(swarm.domains, base)
    if not anywhere:
        limits = _covered(limits, swarm, base)
    sets = _test_sets(tests, swarm, names)
    found = [_fit(swarm, name, sets, model, folds, seed, notes) for name in names]
    proposals, front = side_by_side(
        {target.name: target.judged for target in found},
        {name: {name: 1.0} for name in names},
        base,
        limits,
        domains=swarm.domains,
        higher_is_better=more_is_better,
        seed=seed,
    )
    found = [replace(target, proposal=one) for target, one in zip(found, proposals, strict=True)]
    result = FitResult(swarm, base, found, front, more_is_better, seed, notes)
    if out is not None:
        _write(out, result)
    return result


def _higher(names: Sequence[str], higher: Sequence[str], lower: Sequence[str]) -> frozenset[str]:
    """Targets that are to be raised."""
    up = {find_column(one, list(names), "--higher-is-better") for one in higher}
    down = {find_column(one, list(names), "--lower-is-better") for one in lower}
    if both := sorted(up & down):
        raise UserError(f"{both[0]} cannot be better both ways", where="--lower-is-better", fix="name it once")
    return frozenset(name for name in names if name in up or (name not in down and better(name) is False))


def _fit(
    swarm: Swarm,
    name: str,
    sets: Mapping[str, Swarm],
    model: str | None,
    folds: int | None,
    seed: int,
    notes: list[str],
) -> Target:
    there = np.isfinite(swarm.metrics[name])
    if not there.all():
        notes.append(f"{name}: {int((~there).sum())} runs without a value are left out")
    x, y = swarm.ratios[there], swarm.metrics[name][there]
    found = judged(x, y, [model] if model else None, folds, seed)
    tests: dict[str, dict[str, Validation]] = {}
    for title, test in sets.items():
        both = np.isfinite(test.metrics[name])
        a, b = test.ratios[both], test.metrics[name][both]
        tests[title] = {
            one.model: judge(one.model, a, b, fit_chosen(one, x, y, seed, found.fitted).predict(a), seed)
            for one in found.validations
        }
    return Target(
        name=name,
        runs=[run for run, here in zip(swarm.runs, there, strict=True) if here],
        y=y,
        judged=found,
        tests=tests,
        noise=seed_noise(x, y),
    )


def _test_sets(tests: Sequence[tuple[Path, Path]], swarm: Swarm, targets: Sequence[str]) -> dict[str, Swarm]:
    sets: dict[str, Swarm] = {}
    for ratios, metrics in tests:
        test = read_swarm(ratios, metrics)
        if set(test.domains) != set(swarm.domains):
            odd = sorted(set(test.domains) ^ set(swarm.domains))
            raise UserError(
                f"the test set has other domains than the swarm: {', '.join(odd[:4])}",
                where=ratios,
                fix="both need the same columns",
            )
        if absent := [name for name in targets if name not in test.metrics]:
            raise UserError(f"the test set has no column {absent[0]!r}", where=metrics)
        if poor := [name for name in targets if np.isfinite(test.metrics[name]).sum() < 2]:
            raise UserError(f"fewer than two runs have a value of {poor[0]!r}", where=metrics)
        if ratios.stem in sets:
            raise UserError(f"two test sets are called {ratios.stem}", where=ratios, fix="rename one of the files")
        order = [test.domains.index(name) for name in swarm.domains]
        sets[ratios.stem] = replace(test, domains=swarm.domains, ratios=test.ratios[:, order])
    return sets


def _prior(given: Sequence[str], swarm: Swarm) -> np.ndarray:
    """The prior (D,) a user means."""
    count = len(swarm.domains)
    if not given or list(given) == [MEAN]:
        return swarm.ratios.mean(0)
    if list(given) == [UNIFORM]:
        return np.full(count, 1 / count)
    if len(given) == 1 and given[0] in swarm.runs:
        return swarm.ratios[swarm.runs.index(given[0])]
    if len(given) == 1 and Path(given[0]).is_file():
        path, pairs = Path(given[0]), []
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.reader(file):
                if len(row) != 2:
                    raise UserError("a prior has two columns, domain and share", where=path)
                pairs.append((row[0].strip(), row[1].strip()))
        if pairs and pairs[0] == ("domain", "share"):
            pairs = pairs[1:]
        where = str(path)
    else:
        where = "--prior"
        if wrong := [one for one in given if "=" not in one]:
            raise UserError(
                f"{wrong[0]!r} is no run, no file and no DOMAIN=SHARE",
                where=where,
                fix=f"{UNIFORM}, {MEAN}, a run such as {swarm.runs[0]}, a CSV file, or DOMAIN=SHARE for each domain",
            )
        pairs = [(name, share) for name, _, share in (one.rpartition("=") for one in given)]
    shares = np.zeros(count)
    for name, share in pairs:
        shares[swarm.domains.index(find_column(name, swarm.domains, where))] = number(share, f"{where}, {name}")
    if shares.min() < 0 or abs(shares.sum() - 1) > 0.02:
        raise UserError(f"the shares of the prior add up to {shares.sum():.4f}", where=where, fix="they must make 1")
    return shares / shares.sum()


def number(text: str, where: str) -> float:
    """A finite number a user wrote; ``1e9`` and ``1_000_000`` will do.

    :raises UserError: it is none.
    """
    try:
        value = float(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a number", where=where) from error
    if not np.isfinite(value):
        raise UserError(f"{text} is not a number to count with", where=where)
    return value


def pairs(entries: Sequence[str], where: str) -> dict[str, float]:
    """``NAME=NUMBER`` entries as a mapping.

    :raises UserError: one is not of that form.
    """
    found = {}
    for one in entries:
        name, sign, value = one.rpartition("=")
        if not sign or not name:
            raise UserError(f"{one!r} is not of the form DOMAIN=NUMBER", where=where)
        found[name] = number(value, f"{where} {name}")
    return found


def _named(constraints: Constraints, domains: list[str]) -> Constraints:
    """With whole names of domains."""

    def whole(what: str) -> dict[str, float]:
        given = getattr(constraints, what) or {}
        return {find_column(name, domains, what): value for name, value in given.items()}

    return replace(
        constraints,
        supply=None if constraints.supply is None else whole("supply"),
        minimum=whole("minimum"),
        maximum=whole("maximum"),
        fixed=whole("fixed"),
    )


def _covered(constraints: Constraints, swarm: Swarm, prior: np.ndarray) -> Constraints:
    """With shares as far as the runs (and the prior) have them.

    :raises UserError: that leaves nothing.
    """
    covered = constraints.covered(swarm.domains, np.vstack([swarm.ratios, prior]))
    try:
        covered.allowed(swarm.domains, prior)
    except UserError as error:
        raise UserError(
            f"the constraints leave only mixes with shares that no run had ({error.what})",
            where="constraints",
            fix="--anywhere proposes them, too; or loosen the constraints",
        ) from error
    return covered


def _write(out: Path, result: FitResult) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_swarm(out, result.swarm)
    (out / "fit.json").write_text(json.dumps(result.summary(), indent=2) + "\n", encoding="utf-8")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["domain", "prior", *(cells.escape(target.name) for target in result.targets)])
    columns = [result.prior, *(target.proposal.weights for target in result.targets if target.proposal)]
    for i, name in enumerate(result.swarm.domains):
        writer.writerow([cells.escape(name), *(repr(float(column[i])) for column in columns)])
    (out / "proposal.csv").write_text(table.getvalue(), encoding="utf-8")


def print_fit(result: FitResult) -> None:
    """How well each model predicts, and what is proposed."""
    for target in result.targets:
        _print_target(target, result)
    for note in [*result.swarm.notes, *result.notes]:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)


def _print_target(target: Target, result: FitResult) -> None:
    way = "higher" if target.name in result.higher_is_better else "lower"
    table = Table(
        title=f"{escape(target.name)} ({way} is better): {len(target.runs):,} runs, cross-validated",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("model")
    for name in ("Spearman", "95 % interval", "mse", "r2", *(f"Spearman on {escape(name)}" for name in target.tests)):
        table.add_column(name, justify="right")
    for one in target.judged.validations:
        mark = "[bold]" if one is target.judged.chosen else ""
        table.add_row(
            f"{mark}{one.model}",
            f"{one.spearman:.4f}",
            f"{one.spearman_low:.4f} to {one.spearman_high:.4f}",
            f"{one.mse:.4g}",
            f"{one.r2:.3f}",
            *(f"{found[one.model].spearman:.4f}" for found in target.tests.values()),
        )
    console.print(table)
    if target.noise is not None:
        console.print(f"noise between runs of one mix: {target.noise:.4g}")
    proposal = target.proposal
    assert proposal is not None, "run_fit proposes for every target"
    table = Table(title="\nproposal", title_justify="left", box=None, pad_edge=False)
    table.add_column("domain")
    for name in ("prior", "proposed", *(["epochs"] if proposal.epochs is not None else [])):
        table.add_column(name, justify="right")
    for i, name in enumerate(result.swarm.domains):
        row = [f"{result.prior[i]:.4f}", f"{proposal.weights[i]:.4f}"]
        table.add_row(escape(name), *row, *([] if proposal.epochs is None else [f"{proposal.epochs[i]:.2f}"]))
    console.print(table)
    console.print(escape(proposal.statement), soft_wrap=True)
    if proposal.binding:
        console.print(f"kept back by {escape('; '.join(proposal.binding))}", soft_wrap=True)
    for trade in proposal.trades:
        console.print(escape(trade), soft_wrap=True)
    console.print()
