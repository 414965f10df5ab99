"""Recall and precision of de-identification on the planted set: ``python -m tests.hygiene.report``."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from pipeline.deidentify import TYPES, Deidentifier, name_patterns, scan
from tests.hygiene.planted import Planted, negatives, planted


@dataclass
class Score:
    """Counts of one kind.

    :param planted: values in the set.
    :param found: of them, those replaced as their kind with every character covered.
    :param wrong: replacements of this kind where nothing was planted.
    """

    planted: int = 0
    found: int = 0
    wrong: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0


def measure(texts: list[Planted]) -> tuple[dict[str, Score], list[tuple[str, str]]]:
    """Score a set.

    :returns: counts by type, and ``(what went wrong, text)`` of every error.
    """
    scores = {kind: Score() for kind in TYPES}
    errors = []
    finder = Deidentifier()
    flags = scan(pa.array([item.text for item in texts]))
    for item, flag in zip(texts, flags.tolist(), strict=True):
        known = [pattern for name in item.known for pattern in name_patterns(name)]
        found = finder.find(item.text, flag, known)
        for start, end, kind in item.spans:
            scores[kind].planted += 1
            # An ID may be recognised as another kind of number: what counts is that it is gone.
            if any(span.start <= start and span.end >= end and span.type == kind for span in found):
                scores[kind].found += 1
            else:
                errors.append((f"missed {kind}", item.text))
        for span in found:
            if not any(span.start < end and span.end > start for start, end, _ in item.spans):
                scores[span.type].wrong += 1
                errors.append((f"wrong {span.type} {item.text[span.start : span.end]!r}", item.text))
    return scores, errors


def main() -> None:
    """Print the table and every error."""
    scores, errors = measure(planted() + negatives())
    print(f"{len(planted())} planted texts, {len(negatives())} hard negatives")
    print(f"{'type':<8} {'planted':>7} {'recall':>7} {'precision':>9}")
    for kind, score in scores.items():
        print(f"{kind:<8} {score.planted:>7} {score.recall:>7.3f} {score.precision:>9.3f}")
    for what, text in errors:
        print(f"- {what}: {text!r}")


if __name__ == "__main__":
    main()
