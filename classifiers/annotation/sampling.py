"""Which texts to annotate: candidates from a file of JSON lines, all of them, some by chance, or those in doubt."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson
import pyarrow as pa

from classifiers.annotation.rubric import excerpt
from classifiers.excerpts import rank, text_key
from sources.files import open_named

#: Part of an active sample that is drawn at random: what the scorer is wrongly sure of is found nowhere else.
COVERAGE = 0.1

#: Corpus and id: what an annotation is known by. Ids alone may repeat from one corpus to another.
Identity = tuple[str, str]


class Scores(Protocol):
    """What active sampling needs of a scorer, see :class:`classifiers.scorer.Scorer`."""

    def score(self, texts: pa.Array) -> pa.RecordBatch: ...


class Candidate(NamedTuple):
    """A text that may be annotated, and the line it comes from."""

    number: int
    identity: Identity
    key: str
    text: str


def read(path: Path, bad: Callable[[str], None] = lambda reason: None) -> Iterator[Candidate]:
    """The different texts of a JSON-lines file, cut to excerpts.

    :param bad: told of each line that is passed over.
    :raises UserError: the file cannot be read.
    """
    seen: set[Identity] = set()
    with open_named(path) as file:
        for number, line in enumerate(file, 1):
            try:
                item = _candidate(path, number, orjson.loads(line)) if line.strip() else None
            except orjson.JSONDecodeError:
                bad(f"{path}:{number} is not JSON")
            except (KeyError, TypeError, AttributeError):
                bad(f"{path}:{number} has no string in field 'text'")
            else:
                if item and (item.identity in seen or not item.text):
                    bad(f"{path}:{number} has no text, or the id of an earlier line of its corpus")
                elif item:
                    seen.add(item.identity)
                    yield item


def _candidate(path: Path, number: int, record: Any) -> Candidate:
    text = excerpt(record["text"])
    # Named by its content, a text keeps its name when the file grows or is shuffled.
    own = text_key(text) if record.get("id") is None else str(record["id"])
    corpus = path.name.partition(".")[0] or path.name if record.get("corpus") is None else str(record["corpus"])
    return Candidate(number, (corpus, own), own if record.get("key") is None else str(record["key"]), text)


def uncertainty(scores: pa.RecordBatch) -> np.ndarray:
    """Entropies (bits) of facets, harm and disclosure, and relevance's spread; NaN where the scorer abstains."""
    columns = {name: scores.column(name).to_numpy(zero_copy_only=False) for name in scores.schema.names}
    total = np.zeros(scores.num_rows) + columns.get("relevance_sd", 0)
    for name, values in columns.items():
        if name.startswith("facet_") or name in ("safety_harm", "safety_disclosure"):
            p = np.clip(values.astype(np.float64), 1e-12, 1 - 1e-12)
            total -= p * np.log2(p) + (1 - p) * np.log2(1 - p)
    return total


def choose(texts: Iterator[Candidate], sample: int | None, seed: int, scorer: Scores | None) -> set[int]:
    """Line numbers of the texts to annotate.

    With a scorer: a tenth at random, then those it is least sure of, the same number from each corpus (the part of its
    name before a colon: the books of a collection share one quota). A corpus with too few leaves its places to others.
    """
    rows: list[tuple[int, int, str, float]] = []  # rank, line, collection, doubt
    while batch := list(itertools.islice(texts, 1_000)):
        doubts = np.zeros(len(batch))
        if scorer is not None and sample is not None:
            # What a scorer abstains from (another language, no known word) it is not unsure of: only chance takes it, or want.
            scores = scorer.score(pa.array([item.text for item in batch], pa.string()))
            doubts = np.nan_to_num(uncertainty(scores), nan=-np.inf)
        for item, doubt in zip(batch, doubts.tolist(), strict=True):
            rows.append((rank(seed, *item.identity), item.number, item.identity[0].partition(":")[0], doubt))
    if sample is None or sample >= len(rows):
        return {line for _, line, _, _ in rows}
    rows.sort()
    n_random = sample if scorer is None else round(sample * COVERAGE)
    # Each corpus's most uncertain text, then each one's second, and so on: equal quotas that fill up by themselves.
    turn: Counter[str] = Counter()
    turns: list[tuple[bool, int, float, int]] = []
    for _, line, collection, doubt in sorted(rows[n_random:], key=lambda row: -row[3]):
        turns.append((doubt == -np.inf, turn[collection], -doubt, line))
        turn[collection] += 1
    return {row[1] for row in rows[:n_random]} | {row[3] for row in sorted(turns)[: sample - n_random]}
