"""How far reviewers agree, and how far the set agrees with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from classifiers.annotation.agreement import kappa


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree about the examples that several of them saw.

    :param examples: with two votes or more.
    :param reviewers: who voted on them.
    :param observed: share of pairs of votes on one example that are the same.
    :param measure: ``cohen_kappa`` of two reviewers, ``krippendorff_alpha`` (nominal) of more.
    :param value: 1 is perfect, 0 what chance alone would give; None where all votes are the same and chance cannot be told.
    """

    examples: int
    reviewers: int
    observed: float
    measure: str
    value: float | None

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def agree(votes: Iterable[Mapping[str, str]]) -> Agreement | None:
    """Compare votes.

    :param votes: of each example reviewer -> vote.
    :returns: None if no example has two votes.
    """
    both = [one for one in votes if len(one) > 1]
    if not both:
        return None
    names = sorted({name for one in both for name in one})
    pairs = [first == second for one in both for first, second in combinations(one.values(), 2)]
    observed = sum(pairs) / len(pairs)
    if len(names) == 2:
        labels = sorted({vote for one in both for vote in one.values()})
        first, second = ([labels.index(one[name]) for one in both] for name in names)
        return Agreement(len(both), 2, observed, "cohen_kappa", kappa(first, second, len(labels)))
    return Agreement(len(both), len(names), observed, "krippendorff_alpha", alpha([list(one.values()) for one in both]))


def alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Krippendorff's alpha of nominal labels, any number of votes a unit; None where all labels are the same.

    Not Fleiss' kappa, which needs the same number of votes on each example.
    """
    units = [unit for unit in units if len(unit) > 1]
    totals = Counter(label for unit in units for label in unit)
    n = totals.total()
    by_chance = n * n - sum(count * count for count in totals.values())
    if not by_chance:
        return None
    apart = 0.0
    for unit in units:
        counts = Counter(unit)
        apart += (len(unit) ** 2 - sum(count * count for count in counts.values())) / (len(unit) - 1)
    return 1 - (n - 1) * apart / by_chance


@dataclass
class Tags:
    """How far people and the set name the same labels, over the replies for which people were asked and answered.

    :param replies: answered.
    :param counts: label -> [both name it, only people, only the set].
    """

    replies: int
    counts: dict[str, list[int]]

    def add(self, people: Iterable[str], ours: Iterable[str]) -> None:
        """Count one answer."""
        seen, said = set(people), set(ours)
        self.replies += 1
        for name in seen | said:
            both = self.counts.setdefault(name, [0, 0, 0])
            both[0 if name in seen & said else 1 if name in seen else 2] += 1

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        names = ("both", "people", "set")
        return {
            "replies": self.replies,
            "labels": {label: dict(zip(names, self.counts[label], strict=True)) for label in sorted(self.counts)},
        }
