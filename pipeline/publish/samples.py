"""Rows that are safe to show on a card: a few, and rather none than a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from classifiers.scorer import Scorer
from pipeline.database import connect, files
from sources.document import spoken

#: How many rows are shown, each of another source as far as there are others.
SHOWN = 3
#: What a shown row must stay below as a whole, far under the thresholds of the filters; and each of its turns, whose scores lie higher
#: because they are short.
DISCLOSURE, HARM, ADVERSITY = 0.15, 0.05, 0.35
TURN_DISCLOSURE, TURN_HARM = 0.3, 0.15
TOKENS = (15, 250)
#: Rows looked at in turn, in the order of their ids, which are hashes.
_PAGE, _PAGES = 60, 4

#: What nobody should meet as an example: words of crisis and harm, placeholders of removed personal data, addresses, and marks of
#: comments that would break the page.
_UNFIT = re.compile(
    r"""suicid|kill|self.?harm|\bcut(?:ting)?\s+my|overdos|\bdie[ds]?\b|dead|death|abus|rape|assault|violen|trauma|anorex|bulimi|starv|addict|relapse
    |drunk|drug|\bsex|naked|porn|hate|weapon|gun\b|blood|wrists?\b
    |\[[A-Z]+(?:_\d+)?\]|@\w|https?://|www\.|<!--|-->|\d{5,}""",
    re.I | re.X,
)


@dataclass(frozen=True)
class Sample:
    """A row that is shown.

    :param turns: (who, what): one without a name for prose, several for conversations.
    """

    id: str
    source: str
    license: str
    turns: tuple[tuple[str, str], ...]


#: How the rows shown are chosen, in words.
CHOICE = (
    "taken in the order of their ids, which are hashes, so not for their quality; each must be short, from a source "
    "of low or medium sensitivity, without a disclosure, a placeholder of removed personal data, a link or a word of "
    "crisis, and our classifiers must find next to no harm in it"
)


def choose(config: str, schema: pa.Schema, paths: list[Path], sources: Iterable[str], scratch: Path) -> list[Sample]:
    """Rows of a config that may be shown; fewer than :data:`SHOWN`, or none, where none qualifies.

    :param config: name of the format: ``default`` of a mix, or one of a set.
    :param paths: its training files.
    :param sources: those whose texts may be shown.
    """
    allowed = sorted(sources)
    columns = set(schema.names)
    body = _body(columns)
    if not allowed or not body:
        return []
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in allowed)
    conditions = [f"source IN ({names})", f"tokens BETWEEN {TOKENS[0]} AND {TOKENS[1]}"]
    conditions += ["NOT risk"] if "risk" in columns else []
    conditions += ["epoch = 0"] if "epoch" in columns else []
    if "safety_disclosure" in columns:
        conditions += [f"safety_disclosure < {DISCLOSURE}", f"facet_adversity < {ADVERSITY}"]
    chosen: list[Sample] = []
    scorer: Scorer | None = None
    with connect(scratch, "1GB", threads=1) as con:
        table = f"read_parquet({files(paths)})"
        for page in range(_PAGES):
            ids = con.sql(
                f"SELECT id FROM {table} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT {_PAGE} OFFSET "
                f"{page * _PAGE}"
            ).fetchall()
            if not ids:
                break
            listed = ", ".join(f"'{row[0]}'" for row in ids)
            rows = con.sql(
                f"SELECT DISTINCT ON (id) id, source, license, {', '.join(body)} FROM {table} WHERE id IN ({listed}) "
                "ORDER BY id"
            ).fetchall()
            found = [Sample(row[0], row[1], row[2], _turns(dict(zip(body, row[3:], strict=True)))) for row in rows]
            found = [sample for sample in found if _fit(sample)]
            if found:
                scorer = scorer or Scorer.load()
                found = _harmless(found, scorer)
            chosen += found
            if len({sample.source for sample in chosen}) >= min(SHOWN, len(allowed)):
                break
    return _spread(chosen)


def _body(columns: set[str]) -> list[str]:
    for names in (["text"], ["messages"], ["conversations"], ["prompt", "chosen"], ["prompt", "completion"]):
        if columns.issuperset(names):
            return names
    return []


def _turns(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    if "text" in row:
        return (("", row["text"]),)
    return tuple(
        (message.get("role") or message["from"], message.get("content") or message.get("value") or "")
        for part in row.values()
        for message in part
    )


def _fit(sample: Sample) -> bool:
    return bool(sample.turns) and not any(_UNFIT.search(text) or not text.strip() for _, text in sample.turns)


def _harmless(samples: list[Sample], scorer: Scorer) -> list[Sample]:
    """Those in which the classifiers find neither harm nor disclosure, as a whole and turn by turn. What they cannot score is not shown."""
    texts: list[tuple[int, str, float, float]] = []
    for number, sample in enumerate(samples):
        whole = "\n\n".join(spoken(role, text) if role else text for role, text in sample.turns)
        texts.append((number, whole, HARM, DISCLOSURE))
        if len(sample.turns) > 1:
            texts += [(number, text, TURN_HARM, TURN_DISCLOSURE) for _, text in sample.turns]
    scores = scorer.score(pa.array([text for _, text, _, _ in texts]))
    columns = [scores.column(name).to_pylist() for name in ("safety_harm", "safety_disclosure", "abstain")]
    bad = set()
    for (number, _, most_harm, most_disclosure), harm, disclosure, abstain in zip(texts, *columns, strict=True):
        # a turn of a word or two has no scores, and no harm that the list of words would not have met
        if abstain != "too_short" and (harm is None or harm >= most_harm or disclosure >= most_disclosure):
            bad.add(number)
    return [sample for number, sample in enumerate(samples) if number not in bad]


def _spread(samples: list[Sample]) -> list[Sample]:
    """One of each source first, then further ones, in the order of ids."""
    seen: set[str] = set()
    first: list[Sample] = []
    rest: list[Sample] = []
    for sample in samples:
        (rest if sample.source in seen else first).append(sample)
        seen.add(sample.source)
    return (first + rest)[:SHOWN]
