"""How far two opinions on the same texts agree: labels nobody doubts are labels nobody checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from classifiers.taxonomy import FACETS, HARMFUL, SENSITIVE, STANCE


def kappa(first: Sequence[int], second: Sequence[int], levels: int, quadratic: bool = False) -> float | None:
    """Cohen's kappa of labels 0 to ``levels`` - 1; None where chance alone agrees wholly."""
    seen = np.zeros((levels, levels))
    np.add.at(seen, (np.asarray(first), np.asarray(second)), 1)
    apart = np.subtract.outer(np.arange(levels), np.arange(levels)) ** 2
    weights = apart if quadratic else np.minimum(apart, 1)
    by_chance = float((weights * np.outer(seen.sum(axis=1), seen.sum(axis=0))).sum() / max(1, len(first)))
    return 1 - float((weights * seen).sum()) / by_chance if by_chance else None


def agreement(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, float | None]:
    """Compare the two annotations of each text.

    A model mostly agrees with itself: of one model, these are upper bounds.

    :return: ``texts`` with two opinions; ``relevance_exact``, the share with the same relevance; and Cohen's kappa of
        relevance (quadratic weights), stance, each facet, disclosure, discussed harm and any harm. Empty for no texts.
    """

    def both(value: Callable[[Mapping[str, Any]], int], levels: int = 2, quadratic: bool = False) -> float | None:
        return kappa([value(one) for one, _ in pairs], [value(other) for _, other in pairs], levels, quadratic)

    def shows(field: str, name: str) -> float | None:
        return both(lambda row: int(name in row[field]))

    if not pairs:
        return {}
    stances = list(STANCE)
    found = {
        "texts": len(pairs),
        "relevance_exact": sum(one["relevance"] == other["relevance"] for one, other in pairs) / len(pairs),
        "relevance": both(lambda row: row["relevance"], 6, quadratic=True),
        "stance": both(lambda row: stances.index(row["stance"]), len(stances)),
        "safety_harm": both(lambda row: int(any(name in HARMFUL for name in row["safety"]))),
    }
    found |= {f"facet_{name}": shows("facets", name) for name in FACETS}
    return found | {f"safety_{name}": shows("safety", name) for name in SENSITIVE}
