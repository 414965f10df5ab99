"""What a preference set can be predicted by without understanding it: length, style, shuffled evidence; and by our support score.

A pair set that length predicts is a bad set (Singhal et al. 2023, A Long Way to Go: Investigating Length Correlations in RLHF). An accuracy
is the share of pairs whose chosen reply scores higher; ties count a half. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Style features: name -> what is counted in a reply (a pattern of RE2, for Arrow and DuckDB alike).
STYLE = {
    "length": r"\S+",
    "questions": r"\?",
    "exclamations": r"!",
    "lists": r"(?m)^\s*(?:[-*•]|\d+[.)])\s",
    "paragraphs": r"\n\s*\n",
    "first_person": r"\bI\b",
}


@dataclass(frozen=True)
class Accuracy:
    """How often a score points to the chosen reply.

    :param low, high: 95 % interval.
    """

    name: str
    pairs: int
    accuracy: float
    low: float
    high: float

    @classmethod
    def of(cls, name: str, differences: np.ndarray) -> Accuracy:
        """From the score of the chosen reply less that of the rejected one, shape (pairs,)."""
        n = len(differences)
        share = float((differences > 0).mean() + 0.5 * (differences == 0).mean()) if n else 0.5
        low, high = wilson(share, n)
        return cls(name, n, round(share, 4), round(low, 4), round(high, 4))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of ``n``."""
    if n == 0:
        return 0.0, 1.0
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Baselines:
    """Accuracies on all pairs, and of each reason alone."""

    all: list[Accuracy]
    by_reason: dict[str, list[Accuracy]]

    def summary(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "all": [vars(one) for one in self.all],
            "by_reason": {reason: [vars(one) for one in ones] for reason, ones in self.by_reason.items()},
        }


def baselines(pairs: pa.Table, votes: pa.Table, seed: int) -> Baselines:
    """Measure them.

    :param pairs: ``why``, ``chosen_reply``, ``rejected_reply``, ``chosen_support``, ``rejected_support``, and ``chosen``, ``rejected``,
        the ids of the replies.
    :param votes: ``id``, ``prompt_id``, ``score`` (native evidence, more is better) of every reply to these prompts.
    """
    scores = {name: _more(pairs, pattern) for name, pattern in STYLE.items()}
    scores["evidence shuffled"] = _shuffled(pairs, votes, seed)
    scores["support score"] = pairs["chosen_support"].to_numpy() - pairs["rejected_support"].to_numpy()
    why = np.array(pairs["why"].to_pylist(), dtype=object)
    everything = [Accuracy.of(name, values) for name, values in scores.items()]
    reasons = {
        reason: [Accuracy.of(name, values[why == reason]) for name, values in scores.items()]
        for reason in sorted(set(why.tolist()))
    }
    return Baselines(everything, reasons)


def _more(pairs: pa.Table, pattern: str) -> np.ndarray:
    counts = [pc.count_substring_regex(pairs[side], pattern).to_numpy() for side in ("chosen_reply", "rejected_reply")]
    return counts[0] - counts[1]


def _shuffled(pairs: pa.Table, votes: pa.Table, seed: int) -> np.ndarray:
    """The difference a pair would have if the evidence were dealt out anew among the replies to its prompt."""
    ids = np.array(votes["id"].to_pylist(), dtype=object)
    prompt = np.array(votes["prompt_id"].to_pylist(), dtype=object)
    score = votes["score"].to_numpy().astype(np.float64)
    rng = np.random.default_rng(seed)
    home = np.lexsort((ids, prompt))
    away = home[np.lexsort((rng.random(len(ids)), prompt[home]))]
    dealt = dict(zip(ids[home].tolist(), score[away].tolist(), strict=True))
    return np.array(
        [dealt[a] - dealt[b] for a, b in zip(pairs["chosen"].to_pylist(), pairs["rejected"].to_pylist(), strict=True)]
    )
