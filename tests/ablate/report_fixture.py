"""A report as ``wellmix ablate`` writes it. Its numbers are made up but hang together: laws of loss, noise, a fit that was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

TITLES = {
    "forum": "Peer-support forums",
    "transcript": "Supportive talk",
    "biography": "Biographies",
    "psychology": "Psychology texts",
    "general": "General text",
}
SOURCES = [
    "counsel-chat",
    "rmhd",
    "esconv",
    "gutenberg-biographies",
    "happydb",
    "openstax-psychology",
    "brief-cbt",
    "dolly",
]
FACETS = [
    "positive-emotion", "engagement", "relationships", "meaning", "accomplishment", "autonomy", "competence", "relatedness", "vitality",
]  # fmt: skip
EXTERNAL = ["lm_eval/arc_easy/acc", "lm_eval/hellaswag/acc_norm"]
TARGETS = ["bpb/all", "bpb/facet/autonomy", "lm_eval/arc_easy/acc"]
NOISE = 0.0025


def example(domains: int = 5, runs: int = 32, seed: int = 7, seeds: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
    """A whole report.

    :param domains: the first are families, more of them are sources.
    :param runs: mixes trained, the repeated ones and the proposal among them; at least 8.
    """
    rng = np.random.default_rng(seed)
    names = (list(TITLES) + [f"source-{i:02d}" for i in range(len(TITLES), domains)])[:domains]
    prior = rng.dirichlet(np.full(domains, 3.0))
    proportional = rng.dirichlet(np.full(domains, 1.5))
    uniform = np.full(domains, 1 / domains)
    budget = 12_000_000
    supply = np.maximum(20_000, proportional * 30_000_000).astype(int)
    most = np.minimum(1.0, 4 * supply / budget)
    metrics = _metrics()
    laws = {one["name"]: _law(one, prior, rng) for one in metrics}

    kinds = ["prior"] * 3 + ["uniform", "proportional"]
    swarm = rng.dirichlet(prior * 8 + 0.2, size=runs - len(kinds) - 1)
    scale = np.geomspace(0.4, 1, len(swarm))[:, None]
    swarm = scale * swarm + (1 - scale) * prior
    pool = rng.dirichlet(prior * 12 + 0.1, size=2000)
    pool = pool[np.argsort((pool - most).max(axis=1))][:400]  # what supply and epochs allow, or nearly
    proposed = pool[np.argmin(laws["bpb/all"](pool) + 0.4 * np.abs(pool - prior).sum(axis=1) * 0.05)]
    weights = np.vstack([np.tile(prior, (3, 1)), uniform, proportional, swarm, proposed])
    kinds += ["swarm"] * len(swarm) + ["proposed"]
    values = {name: law(weights) + rng.normal(0, NOISE, len(weights)) for name, law in laws.items()}
    ids = [f"{i:04d}" for i in range(len(weights))]
    points = [
        {
            "run": ids[i],
            "kind": kind,
            "weights": [round(float(one), 6) for one in weights[i]],
            "epochs": [round(float(one), 4) for one in weights[i] * budget / supply],
            "seed": i + 1 if kind == "prior" else 1,
            "key": f"{rng.integers(0, 2**63):016x}{rng.integers(0, 2**63):016x}",
            "seconds": round(float(rng.uniform(20, 40)), 2),
            "reused": bool(i % 4 == 0),
            "metrics": {name: round(float(column[i]), 6) for name, column in values.items()},
        }
        for i, kind in enumerate(kinds)
    ]
    points[-3]["metrics"]["lm_eval/arc_easy/acc"] = None

    predicted = {name: law(np.vstack([proposed, prior])) for name, law in laws.items()}
    front, others = _front(pool, laws)
    report = {
        "name": "five-families",
        "description": "Which weights of the five families serve lives told, skilled help and general language at once.",
        "seed": seed,
        "versions": {"wellmix": "0.1.0", "torch": "2.9.1", "numpy": "2.3.5", "scikit-learn": "1.8.0"},
        "base": "wellbeing",
        "budget": budget,
        "proxy": {"kind": "transformer", "facts": [["parameters", "1,183,104"], ["tokens a run", "1,000,000"]]},
        "domains": [
            {
                "name": name,
                "title": TITLES.get(name, name),
                "prior": round(float(prior[i]), 6),
                "proportional": round(float(proportional[i]), 6),
                "supply": int(supply[i]),
                "max_weight": round(float(most[i]), 6),
            }
            for i, name in enumerate(names)
        ],
        "metrics": metrics,
        "points": points,
        "fits": {name: _fit(name, weights, values[name], kinds, ids, rng) for name in values},
        "pareto": {"targets": TARGETS, "front": front, "others": others},
        "proposals": [
            _proposal("best-overall", {"bpb/all": 1.0}, proposed, names, predicted, budget, supply, prior),
            _proposal(
                "balanced",
                {"bpb/all": 0.5, "bpb/facet/autonomy": 0.5},
                (proposed + 2 * prior) / 3,
                names,
                predicted,
                budget,
                supply,
                prior,
            ),
        ],
        "trained": [
            {
                "mix": mix,
                "seed": one,
                "metrics": {
                    name: round(float(law(where[None])[0] + rng.normal(0, NOISE)), 6) for name, law in laws.items()
                },
            }
            for mix, where in [
                ("proposed", proposed),
                ("prior", prior),
                ("uniform", uniform),
                ("proportional", proportional),
            ]
            for one in seeds
        ],
        "proxies": [
            {
                "title": "n-gram against transformer",
                "rows": [
                    {"metric": name, "spearman": round(float(rng.uniform(0.5, 0.95)), 4), "n": 32} for name in TARGETS
                ],
            }
        ],
        "reuse": {
            "runs_needed": len(points),
            "runs_reused": sum(one["reused"] for one in points),
            "statement": "The mixes of swarm-of-june were trained with the same proxy and the same corpora.",
        },
        "notes": ["The proxy has seen 1 M tokens a run; ranks at the size of the target are assumed, not measured."],
    }
    return report


def _metrics() -> list[dict[str, Any]]:
    unit = "bits per byte"
    rows = [("bpb/all", "All held-out text", unit, True, "overall")]
    rows += [(f"bpb/family/{name}", title, unit, True, "family") for name, title in TITLES.items()]
    rows += [(f"bpb/source/{name}", name, unit, True, "source") for name in SOURCES]
    rows += [(f"bpb/facet/{name}", name.replace("-", " "), unit, True, "facet") for name in FACETS]
    rows += [(name, name.split("/")[1], "accuracy", False, "external") for name in EXTERNAL]
    return [
        {"name": name, "title": title, "unit": one, "lower_is_better": lower, "group": group, "target": name in TARGETS}
        for name, title, one, lower, group in rows
    ]


def _law(metric: dict[str, Any], prior: np.ndarray, rng: np.random.Generator) -> Any:
    """A mixing law: an exponential of the weights, which helps some domains more than others."""
    slopes = rng.gamma(1.0, 1.0, len(prior))
    floor = rng.uniform(1.0, 1.4)
    if metric["lower_is_better"]:
        return lambda weights: floor + 0.3 * np.exp(-weights @ slopes)
    return lambda weights: 0.45 - 0.15 * np.exp(-weights @ slopes)


def _fit(
    name: str, weights: np.ndarray, y: np.ndarray, kinds: list[str], ids: list[str], rng: np.random.Generator
) -> dict[str, Any]:
    """Leave-one-out predictions of a ridge regression; the other models are worse by a little."""
    rows = [i for i, kind in enumerate(kinds) if kind != "proposed"]
    x = weights[rows] - weights[rows].mean(axis=0)
    middle = y[rows].mean()
    hat = x @ np.linalg.solve(x.T @ x + 1e-4 * np.eye(x.shape[1]), x.T) + 1 / len(rows)
    residual = (y[rows] - middle - (hat - 1 / len(rows)) @ (y[rows] - middle)) / (1 - np.diag(hat))
    predicted = y[rows] - residual
    models = []
    for model, worse in [("linear", 0.0), ("log_linear", 0.3), ("lightgbm", 1.0), ("gp", 0.4)]:
        guess = predicted + rng.normal(0, 1, len(rows)) * worse * residual.std()
        rank = float(spearmanr(guess, y[rows]).statistic)
        low, high = np.tanh(np.arctanh(min(rank, 0.9999)) + np.array([-1, 1]) * 1.96 / np.sqrt(len(rows) - 3))
        mse = float(((guess - y[rows]) ** 2).mean())
        models.append(
            {
                "model": model,
                "spearman": round(rank, 4),
                "spearman_low": round(float(low), 4),
                "spearman_high": round(float(high), 4),
                "mse": mse,
                "r2": round(1 - mse / float(y[rows].var()), 4),
            }
        )
    repeated = [y[i] for i, kind in enumerate(kinds) if kind == "prior"]
    return {
        "chosen": "linear",
        "noise": float(np.std(repeated, ddof=1)) if not name.startswith("lm_eval") else None,
        "models": models,
        "predicted": [round(float(one), 6) for one in predicted],
        "runs": [ids[i] for i in rows],
    }


def _front(pool: np.ndarray, laws: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    values = np.stack([laws[name](pool) * (-1 if name in EXTERNAL else 1) for name in TARGETS], axis=1)
    beaten = np.array([bool(((values <= one).all(axis=1) & (values < one).any(axis=1)).any()) for one in values])
    rows = [
        {
            "weights": [round(float(one), 6) for one in weights],
            "predicted": {name: round(float(laws[name](weights[None])[0]), 6) for name in TARGETS},
            "deviation": dict.fromkeys(TARGETS, 0.004),
        }
        for weights in pool
    ]
    return [one for one, bad in zip(rows, beaten, strict=True) if not bad], [
        one for one, bad in zip(rows, beaten, strict=True) if bad
    ][:300]


def _proposal(
    name: str,
    objective: dict[str, float],
    weights: np.ndarray,
    domains: list[str],
    predicted: dict[str, np.ndarray],
    budget: int,
    supply: np.ndarray,
    prior: np.ndarray,
) -> dict[str, Any]:
    share = float(np.abs(weights - prior).sum() / max(1e-9, 2.0))
    lines = "".join(f"  {domain}: {weight:.4f}\n" for domain, weight in zip(domains, weights, strict=True))
    first = next(iter(objective))
    part = 1.0 if name == "best-overall" else 0.35
    return {
        "name": name,
        "objective": objective,
        "weights": [round(float(one), 6) for one in weights],
        "predicted": {
            metric: round(float(part * pair[0] + (1 - part) * pair[1]), 6) for metric, pair in predicted.items()
        },
        "deviation": dict.fromkeys(predicted, 0.0035),
        "prior_predicted": {metric: round(float(pair[1]), 6) for metric, pair in predicted.items()},
        "gain": round(0.8 * part * float(predicted[first][1] - predicted[first][0]), 6),
        "gain_low": round((0.6 * part - (part < 1)) * float(predicted[first][1] - predicted[first][0]), 6),
        "gain_high": round(1.1 * part * float(predicted[first][1] - predicted[first][0]), 6),
        "binding": ["epochs of General text"] if part == 1.0 else [],
        "distinguishable": part == 1.0,
        "statement": (
            f"The gain in {first} is {'more' if part == 1.0 else 'less'} than two standard deviations of its prediction "
            f"and of seed noise; {100 * share:.0f} % of the weight moves."
        ),
        "trades": ["Biographies: 0.004 bits per byte worse", "hellaswag: 0.003 worse, within noise"]
        if part == 1.0
        else [],
        "epochs": [round(float(one), 4) for one in weights * budget / supply],
        "recipe": f"name: wellbeing-{name}\nbudget: {budget}\nseed: 20261122\nfamilies:\n{lines}",
    }
