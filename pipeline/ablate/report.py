"""The report of an ablation as one JSON-able dictionary: what the page draws and ``report.json`` keeps."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ablate.analysis import Found, Space
from pipeline.ablate.design import Point
from pipeline.ablate.mixes import Mixes
from pipeline.fit.optimum import Proposal

LIBRARIES = ("wellmix", "numpy", "scipy", "lightgbm", "torch", "transformers")

_GROUPS = {"all": "overall", "family": "family", "source": "source", "facet": "facet", "set": "question set"}


def rounded(value: Any) -> Any:
    """The same with numbers of nine significant digits: what lies beyond depends on how arrays lie in memory."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


def versions() -> dict[str, str]:
    """Versions of the libraries that have a part in the numbers."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except Exception:
            continue
    return found


def metric_entry(name: str, lower: bool, target: bool) -> dict[str, Any]:
    """What the page knows of a metric."""
    parts = name.split("/")
    own = parts[0] == "bpb"
    titles = {1: name, 2: "the base mix"} if own else {}
    return {
        "name": name,
        "title": titles.get(len(parts), parts[-1].replace("_", " ")) if own else name,
        "unit": "bits per byte" if own else "",
        "lower_is_better": lower,
        "group": _GROUPS.get(parts[1], "external") if own and len(parts) > 1 else "external",
        "target": target,
    }


def values_at(metrics: dict[str, np.ndarray], i: int) -> dict[str, float | None]:
    """Metrics of the ``i``-th run, None where it has none."""
    return {name: float(values[i]) if np.isfinite(values[i]) else None for name, values in metrics.items()}


def run_entry(
    name: str, kind: str, weights: np.ndarray, mixes: Mixes, seed: int, metrics: dict[str, float | None], **facts: Any
) -> dict[str, Any]:
    """One run."""
    return {
        "run": name,
        "kind": kind,
        "weights": np.round(weights, 6).tolist(),
        "epochs": np.round(mixes.epochs(weights), 4).tolist(),
        "seed": seed,
        "metrics": metrics,
        **facts,
    }


def domain_entries(mixes: Mixes, fingerprints: list[str]) -> list[dict[str, Any]]:
    """The domains."""
    proportional = mixes.supply / mixes.supply.sum()
    return [
        {
            "name": name,
            "title": title,
            "prior": round(float(mixes.prior[i]), 6),
            "proportional": round(float(proportional[i]), 6),
            "supply": int(mixes.supply[i]),
            "max_weight": round(float(min(mixes.caps[i], 1.0)), 6),
            "entries": entries,
            "fingerprint": fingerprints[i],
        }
        for i, (name, (title, entries)) in enumerate(mixes.resolved.domains.items())
    ]


def fit_entries(found: Found, runs: dict[str, list[str]], noise: dict[str, float]) -> dict[str, Any]:
    """How well each kind of model predicts each target.

    :param runs: of each target's fit, in order.
    :param noise: standard deviation between seeds of one mix, by metric, where known.
    """
    return {
        target: {
            "chosen": judged.chosen.model,
            "noise": noise.get(target),
            "models": [one.summary() for one in judged.validations],
            "predicted": judged.chosen.predicted.tolist(),
            "runs": runs[target],
        }
        for target, judged in found.judged.items()
    }


def proposal_entry(proposal: Proposal, space: Space, mixes: Mixes, slug: str, folder: Path | None) -> dict[str, Any]:
    """A proposal, with its recipe.

    :param slug: of the file its recipe lies in.
    :param folder: where that is, on this machine; else None.
    """
    weights = space.whole(proposal.weights)
    ablation = mixes.resolved.ablation
    description = f"Proposed for {proposal.name} by the ablation {ablation.name}. {proposal.statement}"
    return {
        "name": proposal.name,
        "objective": proposal.objective,
        "weights": np.round(weights, 6).tolist(),
        "predicted": proposal.predicted,
        "deviation": proposal.deviation,
        "prior_predicted": proposal.prior_predicted,
        "gain": proposal.gain,
        "gain_low": proposal.gain_low,
        "gain_high": proposal.gain_high,
        "distance": proposal.distance,
        "binding": proposal.binding,
        "distinguishable": proposal.distinguishable,
        "statement": proposal.statement,
        "trades": proposal.trades,
        "epochs": np.round(mixes.epochs(weights), 4).tolist(),
        "file": f"{slug}.yaml",
        "recipe": mixes.recipe(weights, slug, description, folder),
    }


def whole_front(front: dict[str, Any] | None, space: Space) -> dict[str, Any] | None:
    """The front, its weights over the domains."""
    if front is None:
        return None
    return front | {
        part: [one | {"weights": np.round(space.whole(np.array(one["weights"])), 6).tolist()} for one in front[part]]
        for part in ("front", "others")
    }


def point_notes(points: list[Point]) -> list[str]:
    """What the design has to say of its points."""
    return [f"{point.name}: {point.note}" for point in points if point.note]
