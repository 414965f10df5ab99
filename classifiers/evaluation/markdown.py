"""Numbers, rates and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from classifiers.evaluate import Rate


def number(value: float, digits: int = 3) -> str:
    """A figure with so many digits; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def percent(share: Rate) -> str:
    """A rate and its Wilson interval in per cent, without the counts."""
    if not share.total:
        return "–"
    low, high = share.interval
    return f"{100 * share.value:.1f} ({100 * low:.1f}-{100 * high:.1f})"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table; first column to the left, the others to the right. Empty when there are no rows."""
    lines = ["| " + " | ".join("–" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return []
    return ["| " + " | ".join(header) + " |", "|" + "---|" + "---:|" * (len(header) - 1), *lines, ""]
