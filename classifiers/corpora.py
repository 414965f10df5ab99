"""The texts classifiers learn from: annotated texts, and unlabelled ones that a teacher labels.

Nothing here is shipped: texts are read where they lie, under ``WELLMIX_DATA``. Labels of our own annotation rounds are
shipped without their texts (``labels/*.jsonl``) and find them by :func:`classifiers.excerpts.text_key`. A corpus that is
not there is passed over, and the training report says so. ``evals/`` and ``safety/hatecheck`` are never trained on.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from classifiers.excerpts import EXCERPT, every_excerpt, rank, text_key
from classifiers.language import LanguageId
from classifiers.taxonomy import BEHAVIOURS, FACETS, HARMFUL, REGISTER, STANCE
from sources.errors import UserError

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

LABELS = Path(__file__).parent / "labels"

#: Benign texts that filters of hate remove, written for training (synthetic): the other side of what abuse corpora hold.
CONTRAST = "contrast.jsonl"

#: Probability of another language from which a text of thirty characters or more is not learnt from.
FOREIGN = 0.8

#: Harm classes with enough labels to learn. The taxonomy has others that no data here shows, on purpose.
LEARNED_HARM = ("hate", "harassment", "threat", "sexual", "selfharm_harm", "bad_advice")
#: All that a model says of a text. ``relevance_k`` is "relevance is at least k"; ``responds`` is "somebody in it
#: responds to somebody's situation"; ``support_k`` is "somebody does, with support of at least k".
HEADS: tuple[str, ...] = (
    *(f"relevance_{k}" for k in range(1, 6)),
    *(f"facet_{name}" for name in FACETS),
    *(f"stance_{name}" for name in STANCE),
    *(f"register_{name}" for name in REGISTER),
    "responds",
    *(f"support_{k}" for k in range(1, 4)),
    *(f"behaviour_{name}" for name in BEHAVIOURS),
    "safety_disclosure",
    "safety_discusses_harm",
    *(f"safety_{name}" for name in LEARNED_HARM),
    "safety_harm",
)
HEAD_INDEX = {name: i for i, name in enumerate(HEADS)}


@dataclass(slots=True)
class Example:
    """A text to learn from.

    :param corpus: corpus it came from; evaluation never has one corpus on both sides.
    :param targets: 0 or 1 for each head, by name; empty when nobody has labelled the text.
    :param annotator: who labelled it; empty for nobody.
    :param picked: why it was picked for labelling, when that was an earlier model's doubt; empty for by chance.
    :param key: the corpus's own record id, where the annotation names it, else its text's key.
    """

    text: str
    corpus: str
    targets: dict[str, float] = field(default_factory=dict)
    annotator: str = ""
    picked: str = ""
    key: str = ""


#: Corpora that share texts, authors or a style so close that one teaches the other: never on both sides of an evaluation.
_GROUPS = {
    "epitome-reddit": "epitome",
    "sdcnl": "reddit-posts",
    "dreaddit": "reddit-posts",
    "multiwd": "reddit-posts",
    "rmhd": "reddit-posts",
    "rmhd-labeled": "reddit-posts",
    "rmhd-rallypoint": "reddit-posts",
    "wellnessdimensions": "reddit-posts",
    "counseling-feedback": "esconv",
    "esconv-failed": "esconv",
    "esconv-strategies": "esconv",
    "crumplab-cognition": "crump-cognition",
    "code-docs": "code",
    "flask-docs": "code",
    "edos-self": "edos",
    "edos-similar": "edos",
    "cais-stories": "cais",
    "cais-chapters": "cais",
    "cais-experiences": "cais",
    "nltk-movie_reviews": "nltk-movie-reviews",
    "openstax:psychology": "openstax-psychology",
    "openstax:introduction-sociology": "openstax-sociology",
    "openstax:introduction-philosophy": "openstax-philosophy",
    "openstax:college-success-bundle": "openstax-college-success",
}


def group_of(corpus: str) -> str:
    """Name of the evaluation group a corpus belongs to."""
    head, _, title = corpus.partition(":")
    if head.startswith("tweeteval"):
        return "tweeteval"
    if head in ("standardebooks", "gutenberg"):  # the same books exist in both, under different names
        words = re.findall(r"[a-z]{4,}", title.lower())
        return "book:" + (words[0] if words else corpus)
    return _GROUPS.get(corpus, _GROUPS.get(head, head))


_STRATEGY = re.compile(r"^(?:[\d.]+ \d \d+ )?(?:\[[A-Z][^\]\n]{2,40}\] )?", re.MULTILINE)

_MASK = re.compile(r"@user\b ?", re.IGNORECASE)

#: Pairs of names that corpora give to those who speak.
_VOICES = (
    ("Seeker", "Supporter"), ("Poster", "Commenter"), ("Poster", "Reply"), ("Q", "A"), ("Client", "Counselor"),
    ("User", "Assistant"), ("Patient", "Clinician"), ("Patient", "Doctor"), ("Speaker 1", "Speaker 2"),
)  # fmt: skip
_ROLE = re.compile(
    "^(" + "|".join(sorted({name for pair in _VOICES for name in pair}, key=len, reverse=True)) + "): ", re.MULTILINE
)


def without_codes(text: str) -> str:
    """Drop the strategy codes some lines of ESConv begin with: a model would learn the code, not the text."""
    return _STRATEGY.sub("", text)


def vary_roles(text: str) -> str:
    """Name the speakers of a dialogue otherwise, or not at all, for some texts (always the same for one text).

    A model that saw one corpus's names only would read the corpus off them, and support off ``Supporter:``.
    """
    found = dict.fromkeys(match[1] for match in _ROLE.finditer(text))
    if not found:
        return text
    choice = rank("roles", text)
    way, pick = choice % 10, choice // 10
    if way < 4:
        return text
    if way < 7 or len(found) > 2:
        return _ROLE.sub("", text)
    asks = {first for first, _ in _VOICES}
    voices = _VOICES[pick % len(_VOICES)]
    named = {name: voices[0] if name in asks and name != "Speaker 2" else voices[1] for name in found}
    return _ROLE.sub(lambda match: named[match[1]] + ": ", text)


def learning_text(text: str) -> str:
    """A text as models see it in training. Masked handles go: ingest masks them otherwise, and a tweet of nothing else
    would teach that masks are harm."""
    return vary_roles(_MASK.sub("", without_codes(text))).strip()


def annotated(data: Path, log: Callable[[str], None] = lambda message: None) -> Iterator[Example]:
    """Texts labelled with the rubric: ``annotations/annotations.jsonl``, then those of our own rounds whose corpus is here, then
    synthetic ones that ordinary filters take for hate.

    HateCheck is left to evaluation.

    :raises UserError: when the annotations are missing, or a line has no known shape.
    """
    path = data / "annotations" / "annotations.jsonl"
    if not path.is_file():
        raise UserError(
            "There are no annotated texts to train on.",
            where=path,
            fix="Set WELLMIX_DATA to the folder of corpora that holds annotations/annotations.jsonl.",
        )
    for row in _json_lines(path):
        if row["corpus"] != "hatecheck":
            yield _example(row["text"], row, "founders")
    own = own_labels()
    texts = {text_key(text): (corpus, text) for corpus, text in candidates(data, log=log)} if own else {}
    missing = 0
    for key, row in own.items():
        if key in texts:
            corpus, text = texts[key]
            yield _example(text, row | {"corpus": corpus}, row["annotator"])
        else:
            missing += 1
    for row in _json_lines(LABELS / CONTRAST) if (LABELS / CONTRAST).is_file() else ():
        yield _example(row["text"], row | {"corpus": "synthetic-contrast", "picked": "contrast"}, row["annotator"])
    if missing:
        log(f"{missing:,} of {len(own):,} labels of our own rounds found no text here")


def own_labels() -> dict[str, dict]:
    """Labels of our annotation rounds by :func:`~classifiers.excerpts.text_key`; of a text labelled twice, the first."""
    found: dict[str, dict] = {}
    for path in sorted(LABELS.glob("round*.jsonl")):
        for row in _json_lines(path):
            found.setdefault(row["text_key"], row)
    return found


def _json_lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                rubric_targets(row)
                row["text" if "synthetic" in row else "corpus"]
            except (KeyError, ValueError, TypeError) as error:
                raise UserError(
                    f"An annotation could not be read: {error!r}.", where=f"{path}:{number}", fix="Mend the line."
                ) from error
            yield row


def _example(text: str, row: dict, annotator: str) -> Example:
    key = row.get("key") or row.get("text_key", "")
    return Example(learning_text(text), row["corpus"], rubric_targets(row), annotator, row.get("picked", ""), key)


def rubric_targets(row: dict) -> dict[str, float]:
    """Targets of all heads from an annotation (see ``annotation/RUBRIC.md``)."""
    targets = {f"relevance_{k}": float(row["relevance"] >= k) for k in range(1, 6)}
    targets |= {f"facet_{name}": float(name in row["facets"]) for name in FACETS}
    targets |= {f"stance_{name}": float(row["stance"] == name) for name in STANCE}
    targets |= {f"register_{name}": float(row["register"] == name) for name in REGISTER}
    targets["responds"] = float(row["support"] is not None)
    targets |= {f"support_{k}": float((row["support"] or 0) >= k) for k in range(1, 4)}
    targets |= {f"behaviour_{name}": float(name in row["behaviours"]) for name in BEHAVIOURS}
    for name in ("disclosure", "discusses_harm", *LEARNED_HARM):
        targets[f"safety_{name}"] = float(name in row["safety"])
    targets["safety_harm"] = float(any(name in HARMFUL for name in row["safety"]))
    return targets


def hatecheck(data: Path) -> list[dict[str, str]]:
    """HateCheck's cases (Röttger et al. 2021): test_case, label_gold, functionality, target_ident. For evaluation only;
    empty if not there."""
    path = data / "safety/hatecheck/test_suite_cases.csv"
    return list(_rows(path)) if path.is_file() else []


def candidates(
    data: Path, quota: int = 10**9, seed: int = 0, log: Callable[[str], None] = lambda message: None
) -> list[tuple[str, str]]:
    """(corpus, text): excerpts of every local English corpus with a card, and texts of the safety corpora.

    :param quota: most texts of a corpus, chosen by hash.
    """
    found = every_excerpt(quota, seed, log)
    for name, reader in SAFETY_CORPORA.items():
        try:
            texts = {text_key(text): text for text in reader(data) if len(text) >= 12}
        except FileNotFoundError as error:
            log(f"{name}: {error}")
            continue
        found += [(name, text) for _, text in sorted((rank(seed, name, text), text) for text in texts.values())[:quota]]
    return found


def only_english(examples: list[Example]) -> list[Example]:
    """Without texts that are surely in another language: corpora of subtitles and pages hold some."""
    codes, sure = LanguageId().detect(pa.array([example.text for example in examples], pa.string()))
    return [
        example
        for example, code, probability in zip(examples, codes, sure, strict=True)
        if code == "en" or probability < FOREIGN or len(example.text) < 30
    ]


def unlabelled(
    data: Path, labelled: list[Example], quota: int, seed: int = 0, log: Callable[[str], None] = lambda message: None
) -> list[Example]:
    """Texts for the teacher to label: up to ``quota`` of each corpus, none of them among ``labelled``."""
    known = {text_key(example.text) for example in labelled}
    found = (Example(learning_text(text), corpus) for corpus, text in candidates(data, quota, seed, log))
    return [example for example in found if text_key(example.text) not in known]


def _rows(path: Path) -> Iterator[dict]:
    with path.open("rt", encoding="utf-8", errors="replace", newline="") as lines:
        yield from csv.DictReader(line.replace("\0", "") for line in lines)


def without_handles(text: str) -> str:
    """A tweet without handles, links, marks of retweeting and entities of HTML."""
    return re.sub(r"@\w+|https?://\S+|^[!\s\"]*RT\b|&\w+;|&#\d+;", " ", text)


def _davidson(data: Path) -> Iterator[str]:
    for row in _rows(data / "safety/davidson/labeled_data.csv"):
        yield without_handles(row["tweet"])


def _tweeteval(name: str) -> Callable[[Path], Iterator[str]]:
    def read(data: Path) -> Iterator[str]:
        path = data / "safety/tweeteval/datasets" / name / "train_text.txt"
        yield from map(without_handles, path.read_text(encoding="utf-8").splitlines())

    return read


def _surge(data: Path) -> Iterator[str]:
    for row in _rows(data / "safety/surge-toxicity/toxicity_en.csv"):
        yield row["text"]


def _exchange(asked: str, answered: str) -> str:
    return f"User: {asked}\nAssistant: {answered}"[:EXCERPT]


def _diasafety(data: Path) -> Iterator[str]:
    for row in json.loads((data / "safety/diasafety/train.json").read_text(encoding="utf-8")):
        yield _exchange(row["context"], row["response"])


def _coconot(data: Path) -> Iterator[str]:
    folder = data / "safety/coconot"
    for line in (folder / "coconot_pref.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield _exchange(row["prompt"], row["chosen"])
        yield _exchange(row["prompt"], row["rejected"])
    for name in ("coconot_eval.jsonl", "coconot_contrast_eval.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["prompt"][:EXCERPT]


#: Corpora of the safety folder: no mix takes them, so they have no cards.
SAFETY_CORPORA: dict[str, Callable[[Path], Iterator[str]]] = {
    "davidson": _davidson,
    "tweeteval-hate": _tweeteval("hate"),
    "tweeteval-offensive": _tweeteval("offensive"),
    "surge-toxicity": _surge,
    "diasafety": _diasafety,
    "coconot": _coconot,
}
