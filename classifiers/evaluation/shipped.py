"""The shipped scorer, which reads the texts that nobody annotated: one that no tier was trained on is the only honest use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from classifiers.scorer import EFFORTS, SHORT_WORDS, Effort, Scorer
from classifiers.windows import WHOLE
from sources.errors import UserError


@dataclass(frozen=True)
class Reading:
    """What a scorer makes of texts; arrays of shape (texts,).

    :param harm: probability of any harm, 0 where it abstains.
    :param removed: whether the shipped threshold for the text's length takes it.
    :param relevance: 0 to 5, NaN where it abstains or has none.
    """

    harm: np.ndarray
    removed: np.ndarray
    relevance: np.ndarray


class Reader(Protocol):
    """Reads texts nobody annotated."""

    def __call__(self, texts: list[str]) -> Reading:
        """Read texts."""


class Shipped:
    """The shipped scorer at its recommended thresholds. Every text is taken for English.

    :raises UserError: the weights are missing or not readable.
    """

    def __init__(self, effort: Effort, weights: Path | None = None) -> None:
        self.scorer = Scorer.load(weights, effort)

    def __call__(self, texts: list[str]) -> Reading:
        """Score texts and say which would be removed."""
        batch = self.scorer.score(pa.array(texts, pa.string()), pa.array(["en"] * len(texts), pa.string()))
        harm = np.nan_to_num(batch.column("safety_harm").to_numpy(zero_copy_only=False).astype(np.float64))
        relevance = batch.column("relevance").to_numpy(zero_copy_only=False).astype(np.float64)
        return Reading(harm, harm >= cuts_of(texts, self.scorer.thresholds), relevance)


def cuts_of(texts: Sequence[str], thresholds: dict[str, float]) -> np.ndarray:
    """The harm threshold that counts for each text by its length, float64, shape (texts,)."""
    short, usual = thresholds["safety_harm_short"], thresholds["safety_harm"]
    long = thresholds.get("safety_harm_long", max(short, usual))
    return np.array(
        [
            short
            if len(text.split()) < SHORT_WORDS
            else long
            if len(text.encode("utf-8", "replace")) > WHOLE
            else usual
            for text in texts
        ]
    )


def read_all(reader: Reader, texts: list[str]) -> Reading:
    """Read many texts in parts, so that memory stays bounded."""
    parts = [reader(texts[at : at + 512]) for at in range(0, len(texts), 512)]
    if not parts:
        return Reading(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0))
    return Reading(
        np.concatenate([part.harm for part in parts]),
        np.concatenate([part.removed for part in parts]),
        np.concatenate([part.relevance for part in parts]),
    )


def readers_of(weights: Path, missing: list[str]) -> dict[str, Reader]:
    """The shipped scorer at each effort; none, and a line, where it cannot be loaded."""
    try:
        return {effort: Shipped(effort, weights) for effort in EFFORTS}
    except UserError as error:
        missing.append(f"the shipped scorer could not be loaded, and what it alone can tell is left out: {error}")
        return {}
