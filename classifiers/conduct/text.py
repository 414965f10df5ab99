"""Texts as the rules read them: lower case, without apostrophes, cut into sentences; all rows of a batch at once.

Polars' regular expressions (Rust's ``regex``) match in time linear in the text, whatever the pattern. They are used here
rather than RE2 through pyarrow, because on forum posts they are two to seven times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

#: Regular expressions, any of which may match; see :func:`words`.
Patterns = tuple[str, ...]
#: Raise it when the same patterns would find something else.
TEXT_VERSION = 1

#: Ends a sentence; no text of ours has it.
BREAK = "\x1e"
_LINK = r"(?i)\bhttps?://[^\s<>\"]+|\bwww\.[^\s<>\"]+"
#: Placeholders of :mod:`pipeline.deidentify` and of corpora; in a sentence they stand for somebody or something.
PLACEHOLDER = r"\[[A-Z][A-Z]{1,20}(?:[_ -][A-Z0-9]{1,20}){0,3}\]|<[A-Z]{2,20}(?:[_ -][A-Z0-9]{1,20}){0,2}>|(?i:<user>|<url>|<name>|@USER\b)"


def series(texts: pa.Array | pa.ChunkedArray) -> pl.Series:
    """Texts as a polars series; null stays null."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return pl.Series("text", texts.cast(pa.large_string()), dtype=pl.String)


def plain(texts: pl.Series) -> pl.Series:
    """Words in lower case with one space between, no apostrophes; :data:`BREAK` ends a sentence.

    ``I can't. "Really"?`` becomes ``i cant`` and ``really``. Placeholders become ``someone``, links ``weblink``.
    """
    return (
        texts.fill_null("")
        .str.replace_all(_LINK, " weblink ")
        .str.replace_all(PLACEHOLDER, "someone")
        .str.to_lowercase()
        .str.replace_all("['’‘´`ʼ*_~]+", "")
        .str.replace_all(r"[.!?…]+(?:[\s\"”)]+|$)|\n\s*(?:\n|[-•–]|\d{1,2}[.)])", BREAK)
        .str.replace_all(r"[\s,;:\"“”()\[\]<>{}|/—–-]+", " ")
        .str.replace_all(r"[^\x00-\x7f]+", "")
    )


class Sentences:
    """Sentences of a batch of texts, with the row each comes from."""

    def __init__(self, texts: pl.Series) -> None:
        self.rows = len(texts)
        lines = plain(texts).str.split(BREAK)
        self.row = np.repeat(np.arange(self.rows), lines.list.len().to_numpy())
        self.text = lines.explode(empty_as_null=False).str.strip_chars()

    def without(self, patterns: Patterns) -> Sentences:
        """The same sentences with what matches taken out."""
        rows = np.flatnonzero(self.has(patterns))  # few: to write a text again costs more than to read it
        changed = self.text.gather(rows)
        for pattern in patterns:
            changed = changed.str.replace_all(pattern, " xx ")
        return self._with(self.text.clone().scatter(rows, changed))  # scatter writes in place

    def where(self, mask: np.ndarray) -> Sentences:
        """The same sentences, those not in the mask emptied."""
        return self._with(self.text.set(pl.Series(~mask), ""))

    def _with(self, text: pl.Series) -> Sentences:
        other = object.__new__(Sentences)
        other.rows, other.row, other.text = self.rows, self.row, text
        return other

    def has(self, patterns: Patterns) -> np.ndarray:
        """Which sentences match one of the patterns, bool, one a sentence."""
        found = np.zeros(len(self.text), dtype=bool)
        for pattern in patterns:
            found |= self.text.str.contains(pattern).to_numpy()
        return found

    def any(self, mask: np.ndarray) -> np.ndarray:
        """Which texts have a sentence of the mask, bool, one a text."""
        found = np.zeros(self.rows, dtype=bool)
        found[self.row[mask]] = True
        return found

    def find(self, patterns: Patterns) -> np.ndarray:
        """Which texts have a sentence that matches one of the patterns, bool, one a text."""
        return self.any(self.has(patterns))


def words(alternatives: Sequence[str]) -> Patterns:
    """Patterns bounded by words. ``_N_`` in one stands for up to N words between, spaces included.

    Each stays a pattern of its own: joined into one they would be an automaton too large for its cache, and twenty times as slow.
    """
    patterns = []
    for pattern in alternatives:
        for gap in range(13):
            pattern = pattern.replace(f"_{gap}_", f"(?: [!-~]+){{0,{gap}}} " if gap else " ")
        # word bounds by ASCII letters: three times as fast, and apostrophes are gone
        patterns.append(rf"(?-u:\b)(?:{pattern})(?-u:\b)")
    return tuple(patterns)
