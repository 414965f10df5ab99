"""What is known of the classifiers' errors, read from the pages that their training and evaluation wrote.

Nothing here is a number of our own: ``classifiers/MODEL_CARD.md`` and ``classifiers/EVALUATION.md`` are generated from measurements
(``wellmix train``, ``wellmix evaluate``), and a card that repeats them must not drift from them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import classifiers

_HOME = Path(classifiers.__file__).parent
_ROW = re.compile(r"(?m)^\|(.+)\|\s*$")


@dataclass(frozen=True)
class Figures:
    """Measured errors of the shipped classifiers.

    :param versions: effort -> version of the scores that were measured.
    :param quality: measure -> effort -> value, held out by corpus.
    :param safety: effort -> (benign lived experience removed, harmful texts missed), with intervals.
    :param limits: what the model card warns of.
    :param gaps: gaps between groups of people larger than their interval.
    :param thresholds: effort -> column -> recommended cut.
    """

    versions: dict[str, str]
    quality: dict[str, dict[str, str]]
    safety: dict[str, tuple[str, str]]
    limits: tuple[str, ...]
    gaps: tuple[str, ...]
    thresholds: dict[str, dict[str, float]]


def read_figures(home: Path = _HOME) -> Figures:
    """Figures of the classifiers shipped with this version.

    :param home: folder with MODEL_CARD.md, EVALUATION.md and weights/manifest.json.
    """
    card, evaluation = ((home / name).read_text("utf-8") for name in ("MODEL_CARD.md", "EVALUATION.md"))
    thresholds = json.loads((home / "weights" / "manifest.json").read_text("utf-8"))["thresholds"]
    figures = _section(card, "Figures")
    quality: dict[str, dict[str, str]] = {}
    safety: dict[str, tuple[str, str]] = {}
    for table in _tables(figures):
        head, *rows = table
        if head[0] == "measure":
            for row in rows:
                # in brackets stands the pool that an earlier model's doubt chose: not what a reader wants first
                quality[row[0]] = {
                    effort: value.split(" (")[0]
                    for effort, value in zip(head[1:], row[1:], strict=True)
                    if effort != "teacher"
                }
        elif head[0] == "effort":
            removed, missed = head.index("lived experience wrongly removed"), head.index("harmful texts missed")
            safety = {row[0]: (row[removed], row[missed]) for row in rows}
    return Figures(
        versions={
            effort: found for found, effort in re.findall(r"`([0-9a-f]{16})` \((fast|balanced|best)\)", evaluation)
        },
        quality=quality,
        safety=safety,
        limits=tuple(_items(_section(card, "Limits"))),
        gaps=tuple(_items(_between(evaluation, "Between groups of people", "<details>"))),
        thresholds=thresholds,
    )


def _section(page: str, title: str) -> str:
    match = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page)
    return match[1] if match else ""


def _between(page: str, start: str, end: str) -> str:
    _, _, rest = page.partition(start)
    return rest.partition(end)[0]


def _tables(text: str) -> list[list[list[str]]]:
    """Markdown tables as lists of rows of cells, without the line of dashes."""
    tables: list[list[list[str]]] = []
    for block in re.split(r"\n\s*\n", text):
        rows = [[cell.strip().strip("`") for cell in line.split("|")] for line in _ROW.findall(block)]
        if len(rows) > 2:
            tables.append([rows[0], *rows[2:]])
    return tables


def _items(text: str) -> list[str]:
    """The points of a list, each on one line."""
    items: list[str] = []
    for line in text.splitlines():
        if line.startswith("- "):
            items.append(line[2:].strip())
        elif line.startswith("  ") and items:
            items[-1] += " " + line.strip()
        elif items and line.strip():
            break
    return items
