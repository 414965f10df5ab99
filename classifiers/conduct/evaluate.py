"""The rules against what a reader said of real texts: :func:`evaluate`.

``classifiers/labels/conduct.jsonl`` holds the labels without the texts: source, document id and turn (null: the whole document),
``asked`` (the rules the reader judged), ``labels`` (those that apply), ``part`` (dev, heldout) and ``round``. The texts are looked up in
documents an ingest wrote (``documents.parquet`` in a store).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from classifiers.conduct.judge import examine
from classifiers.evaluate import Rate
from classifiers.scorer import Scorer
from sources.errors import UserError

LABELS = Path(__file__).parents[1] / "labels" / "conduct.jsonl"
#: The rule ``risk`` with the classifier's probability of a disclosure beside it.
WITH_DISCLOSURE = "risk_with_disclosure"


@dataclass(frozen=True)
class Figures:
    """How a rule did on labelled texts.

    :param recall: of the texts the reader gave the label, those the rule found.
    :param precision: of the texts the rule found, those the reader gave the label.
    """

    recall: Rate
    precision: Rate


def evaluate(
    documents: Iterable[Path],
    part: str = "heldout",
    rounds: Iterable[int] | None = None,
    scorer: Scorer | None = None,
    labels: Path = LABELS,
) -> dict[str, Figures]:
    """Compare the rules with the labels.

    :param documents: ``documents.parquet`` files; sources without labels are passed over.
    :param part: ``dev`` or ``heldout``.
    :param rounds: rounds of labelling to take; all by default.
    :param scorer: adds :data:`WITH_DISCLOSURE`.
    :param labels: the label file.
    :return: name of a rule -> its figures on the labelled texts that were found.
    :raises UserError: when no labelled text is among the documents.
    """
    rows = [json.loads(line) for line in labels.read_text(encoding="utf-8").splitlines()]
    wanted = None if rounds is None else set(rounds)
    rows = [row for row in rows if row["part"] == part and (wanted is None or row["round"] in wanted)]
    texts = _texts(documents, {row["id"] for row in rows})
    rows = [row for row in rows if (row["id"], row["turn"]) in texts]
    if not rows:
        raise UserError(
            "None of the labelled documents is here.",
            where=labels,
            fix="Ingest the sources it names, and pass their documents.parquet files.",
        )
    found: dict[str, list[tuple[bool, bool]]] = {}
    for side in ("prompt", "reply"):
        chosen = [row for row in rows if row["side"] == side]
        array = pa.array([texts[row["id"], row["turn"]] for row in chosen], pa.string())
        nothing, english = pa.nulls(len(array), pa.string()), pa.array(["en"] * len(array))
        told = None
        if scorer is not None and side == "prompt" and len(array):
            told = scorer.score(array, english).column("safety_disclosure")
        pair = (array, nothing) if side == "prompt" else (nothing, array)
        plainly, helped = examine(*pair, languages=english), examine(*pair, disclosure=told, languages=english)
        for number, row in enumerate(chosen):
            for name in row["asked"]:
                said = name in row["labels"]
                found.setdefault(name, []).append((said, bool(plainly[name][number].as_py())))
                if name == "risk" and told is not None:
                    found.setdefault(WITH_DISCLOSURE, []).append((said, bool(helped[name][number].as_py())))
    return {name: _figures(pairs) for name, pairs in found.items()}


def _figures(pairs: list[tuple[bool, bool]]) -> Figures:
    said, fired = np.array(pairs).T
    both = int((said & fired).sum())
    return Figures(Rate(both, int(said.sum())), Rate(both, int(fired.sum())))


def _texts(documents: Iterable[Path], ids: set[str]) -> dict[tuple[str, int | None], str]:
    """Texts by document id and turn; turn None is the document."""
    texts: dict[tuple[str, int | None], str] = {}
    for path in documents:
        table = pl.read_parquet(path, columns=["id", "text", "turns"]).filter(pl.col("id").is_in(list(ids)))
        for key, text, turns in table.iter_rows():
            texts[key, None] = text
            texts.update({(key, number): turn["text"] for number, turn in enumerate(turns or [])})
    return texts
