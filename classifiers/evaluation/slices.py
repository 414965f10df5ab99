"""Groups of texts to be compared: who wrote them, whom they speak of, how they are written.

A column of a corpus that tells of its writers is read for counting alone.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers import corpora
from classifiers.corpora import HEAD_INDEX
from classifiers.evaluate import Rate, auroc, expected
from classifiers.evaluation.cases import Case
from classifiers.evaluation.rates import difference, mean_difference, rate
from classifiers.evaluation.shipped import Reader, Reading, read_all
from classifiers.excerpts import rank, text_key

#: Most texts of a corpus that the shipped scorer reads for a slice.
MOST = 6000
#: Fewest texts of a slice that is shown.
FEWEST = 30


@dataclass(frozen=True)
class Group:
    """How a group of texts fares.

    :param relevance: mean relevance score, with half the width of its 95 % interval.
    :param removed: share removed as harm.
    :param gap: mean relevance of this group less that of all others, with interval.
    :param removed_gap: the same of the share removed.
    """

    column: str
    name: str
    count: int
    relevance: tuple[float, float]
    removed: Rate
    gap: tuple[float, float, float]
    removed_gap: tuple[float, float, float]


def compare(column: str, names: Sequence[str], relevance: np.ndarray, removed: np.ndarray) -> list[Group]:
    """Each value of a column with at least :data:`FEWEST` texts against all others; unnamed texts are left out.

    :param names: value of each text, empty where unknown.
    """
    values = np.array(names)
    known = (values != "") & ~np.isnan(relevance)
    found = []
    for name in sorted(set(values[known].tolist())):
        here, others = known & (values == name), known & (values != name)
        if here.sum() < FEWEST or not others.any():
            continue
        half = 1.96 * float(relevance[here].std(ddof=1)) / float(np.sqrt(here.sum()))
        found.append(
            Group(
                column, name, int(here.sum()), (float(relevance[here].mean()), half), rate(removed, here),
                mean_difference(relevance[here], relevance[others]),
                difference(rate(removed, here), rate(removed, others)),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class Target:
    """How texts about a group of people fare.

    :param area: AUROC of hateful against not hateful texts about the group.
    :param taken: of the not hateful ones, the share removed; ``caught``: the same of the hateful ones.
    :param gaps: how both differ from all other groups, with interval.
    """

    name: str
    area: float
    taken: Rate
    caught: Rate
    gaps: dict[str, tuple[float, float, float]]


def targets(cases: Sequence[Case], reading: Reading) -> list[Target]:
    """HateCheck by the group spoken of, each against all other groups."""
    names = np.array([case.target for case in cases])
    harmful = np.array([bool(case.harmful) for case in cases])
    found = []
    for name in sorted({case.target for case in cases} - {""}):
        here, others = names == name, (names != name) & (names != "")
        taken, caught = rate(reading.removed, here & ~harmful), rate(reading.removed, here & harmful)
        gaps = {
            "benign removed": difference(taken, rate(reading.removed, others & ~harmful)),
            "hate caught": difference(caught, rate(reading.removed, others & harmful)),
        }
        found.append(Target(name, auroc(harmful[here], reading.harm[here]), taken, caught, gaps))
    return found


_AGES = ((18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-54"), (55, "55 and over"))
_COUNTRIES = {"USA": "United States", "IND": "India", "CAN": "Canada", "GBR": "United Kingdom"}
_COLUMNS = ("age", "gender", "country", "parent", "marital status")
_GENDERS = {"f": "female", "m": "male", "o": "other"}


def age_band(age: str) -> str:
    """Band of an age in years, empty where there is none or it is absurd."""
    try:
        years = float(age)
    except ValueError:
        return ""
    return next((name for least, name in reversed(_AGES) if years >= least), "") if years < 100 else ""


def happydb(data: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Happy moments with what their writers said of themselves: text, column -> value (empty where unknown)."""
    for path in sorted((data / "biographies/happydb").glob("labeled_*.csv")):
        with path.open(encoding="cp1252", errors="replace", newline="") as lines:
            for row in csv.DictReader(lines):
                country = row["country"].strip()
                yield (
                    row["moment"],
                    {
                        "age": age_band(row["age"]),
                        "gender": _GENDERS.get(row["gender"].strip(), ""),
                        "country": "" if country in ("", "NA") else _COUNTRIES.get(country, "another country"),
                        "parent": {"y": "yes", "n": "no"}.get(row["parenthood"].strip(), ""),
                        "marital status": "" if row["married"].strip() in ("", "NA") else row["married"].strip(),
                    },
                )


def writers(data: Path, reader: Reader, known: set[str], seed: int = 0) -> list[Group]:
    """HappyDB by age, gender, country, parenthood and marital status of the writer, texts of training left out."""
    rows = {text_key(text): (text, columns) for text, columns in happydb(data)}
    chosen = _by_hash((key for key in rows if key not in known), seed)
    if not chosen:
        return []
    reading = read_all(reader, [rows[key][0] for key in chosen])
    return [
        group
        for column in _COLUMNS
        for group in compare(column, [rows[key][1][column] for key in chosen], reading.relevance, reading.removed)
    ]


def residuals_of_writers(
    data: Path, texts: Sequence[str], truth: np.ndarray, scores: np.ndarray, removed: np.ndarray
) -> list[Group]:
    """The same of annotated moments, of score less label: what a difference in what people tell of does not explain.

    :param removed: bool, shape (texts,).
    """
    columns_of = {text_key(text): columns for text, columns in happydb(data)}
    rows = [i for i, text in enumerate(texts) if text_key(text) in columns_of]
    if not rows:
        return []
    error = expected(scores[rows]).astype(np.float64) - expected(truth[rows])
    return [
        group
        for column in _COLUMNS
        for group in compare(column, [columns_of[text_key(texts[i])][column] for i in rows], error, removed[rows])
    ]


def _by_hash(keys: Iterable[str], seed: int) -> list[str]:
    return sorted(keys, key=lambda key: rank(seed, key))[:MOST]


#: Words and spellings of African American English in writing that other varieties of American English share least (Green 2002,
#: *African American English*; Jones 2015 on Twitter; Blodgett et al. 2016). A proxy: it marks texts, not people; many who speak
#: so write otherwise, and others borrow the words. Left out: slurs, reclaimed or not, and spellings that are other words.
AAE_MARKERS = (
    "finna", "tryna", "gon", "bouta", "boutta", "iont", "imma", "ima", "dat", "dis", "dem", "dey", "witcha", "ain't", "aint",
    "y'all", "yall", "bruh", "sumn", "nothin", "talmbout", "fasho", "deadass",
)  # fmt: skip
_AAE = re.compile(r"\b(?:" + "|".join(map(re.escape, AAE_MARKERS)) + r")\b", re.IGNORECASE)
#: Spellings of British and of American English; words that both write (*while*, *practice*, *learned*) speak for neither.
BRITISH = (
    "colour", "favourite", "behaviour", "honour", "neighbour", "humour", "labour", "flavour", "realise", "recognise",
    "organise", "apologise", "analyse", "centre", "grey", "travelling", "counsellor", "defence", "mum", "maths", "whilst",
    "learnt", "programme", "cheque", "practise",
)  # fmt: skip
AMERICAN = (
    "color", "favorite", "behavior", "honor", "neighbor", "humor", "labor", "flavor", "realize", "recognize", "organize",
    "apologize", "analyze", "center", "gray", "traveling", "counselor", "defense", "mom", "math",
)  # fmt: skip


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(words) + r")(?:s|d|ed|ing)?\b", re.IGNORECASE)


_BRITISH, _AMERICAN = _any_of(BRITISH), _any_of(AMERICAN)


def variety(text: str) -> str:
    """``marked`` for a text with a word of :data:`AAE_MARKERS`, else ``unmarked``."""
    return "marked" if _AAE.search(text.replace("’", "'")) else "unmarked"


def spelling(text: str) -> str:
    """``British`` or ``American`` by the text's spellings; empty where it has neither or both."""
    british, american = bool(_BRITISH.search(text)), bool(_AMERICAN.search(text))
    return "" if british == american else "British" if british else "American"


#: Corpora of tweets.
TWEETS = ("davidson", "tweeteval-hate", "tweeteval-offensive", "tweeteval-emotion")


def benign_tweets(data: Path) -> dict[str, list[str]]:
    """Tweets that their corpora's own annotators called neither hateful nor offensive, by corpus."""
    found: dict[str, list[str]] = {}
    path = data / "safety/davidson/labeled_data.csv"
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            rows = csv.DictReader(line.replace("\0", "") for line in lines)
            found["davidson, class neither"] = [
                corpora.without_handles(row["tweet"]) for row in rows if row["class"] == "2"
            ]
    for name in ("hate", "offensive"):
        folder = data / "safety/tweeteval/datasets" / name
        if (folder / "train_labels.txt").is_file():
            labels = (folder / "train_labels.txt").read_text(encoding="utf-8").splitlines()
            texts = (folder / "train_text.txt").read_text(encoding="utf-8").splitlines()
            found[f"tweeteval-{name}, class 0"] = [
                corpora.without_handles(text) for text, label in zip(texts, labels, strict=False) if label == "0"
            ]
    return found


def dialect(data: Path, reader: Reader, known: set[str], seed: int = 0) -> list[Group]:
    """Tweets called benign by their corpora, with and without markers of African American English."""
    found: list[Group] = []
    for corpus, tweets in benign_tweets(data).items():
        rows = {text_key(text): text for text in tweets if text_key(text) not in known and len(text) >= 12}
        marked = [key for key in rows if variety(rows[key]) == "marked"]
        plain = [key for key in rows if variety(rows[key]) == "unmarked"]
        chosen = [rows[key] for key in _by_hash(marked, seed)[: MOST // 4] + _by_hash(plain, seed)[: MOST // 4]]
        if chosen:
            reading = read_all(reader, chosen)
            found += compare(corpus, [variety(text) for text in chosen], reading.relevance, reading.removed)
    return found


#: Upper ends of bands of length, words.
_BANDS = ((10, "1-9 words"), (30, "10-29 words"), (100, "30-99 words"), (180, "100-179 words"))
_LONGEST = "180 words and more"


def band(words: int) -> str:
    """Band of a text's length."""
    return next((name for end, name in _BANDS if words < end), _LONGEST)


def _place(name: str) -> tuple[int, str]:
    """Bands by length, other names by the alphabet."""
    order = [*(band for _, band in _BANDS), _LONGEST]
    return (order.index(name) if name in order else 0, name)


def register(row: np.ndarray) -> str:
    """Register an annotated text is labelled with, from its row of targets."""
    names = [name for name, i in HEAD_INDEX.items() if name.startswith("register_") and row[i] > 0.5]
    return names[0].removeprefix("register_") if names else "other"


def slices_of(texts: Sequence[str], truth: np.ndarray, corpora_of: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Ways to cut the annotated texts: name of the cut -> name of the slice -> bool, shape (texts,)."""
    columns: dict[str, Callable[[int], str]] = {
        "register": lambda i: register(truth[i]),
        "length": lambda i: band(len(texts[i].split())),
        "spelling": lambda i: spelling(texts[i]),
        "tweets: African American English": lambda i: variety(texts[i]) if corpora_of[i] in TWEETS else "",
    }
    found: dict[str, dict[str, np.ndarray]] = {}
    for column, value in columns.items():
        members: dict[str, list[int]] = defaultdict(list)
        for row in range(len(texts)):
            members[value(row)].append(row)
        found[column] = {}
        for name in sorted(members, key=_place):
            if name and len(members[name]) >= FEWEST:
                mask = np.zeros(len(texts), dtype=bool)
                mask[members[name]] = True
                found[column][name] = mask
    return found
