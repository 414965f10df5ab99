"""The texts classifiers learn from: annotated texts, natively labelled corpora as distant labels, and unlabelled pages.

Nothing here is shipped: texts are read where they lie, under ``WELLMIX_DATA``. A folder that is not there is passed
over, and the training report says which corpora were used. ``evals/`` and ``safety/hatecheck`` are never trained on.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from classifiers.taxonomy import FACETS, HARMFUL, REGISTER, STANCE
from sources.errors import UserError

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

#: Harm classes with enough labels to learn. The taxonomy has others that no data here shows, on purpose.
LEARNED_HARM = ("hate", "harassment", "threat")
#: All that a model says of a text. ``relevance_k`` is "relevance is at least k"; ``responds`` is "somebody in it
#: responds to somebody's situation"; ``support_k`` is "somebody does, with support of at least k". Behaviours of a
#: responder are not learned: on held-out corpora a bag of words told them apart no better than chance (AUROC .53).
HEADS: tuple[str, ...] = (
    *(f"relevance_{k}" for k in range(1, 6)),
    *(f"facet_{name}" for name in FACETS),
    *(f"stance_{name}" for name in STANCE),
    *(f"register_{name}" for name in REGISTER if name != "promotional"),
    "responds",
    *(f"support_{k}" for k in range(1, 4)),
    "safety_disclosure",
    "safety_discusses_harm",
    *(f"safety_{name}" for name in LEARNED_HARM),
    "safety_harm",
)
HEAD_INDEX = {name: i for i, name in enumerate(HEADS)}

NO_HARM = {"safety_harm": 0.0} | {f"safety_{name}": 0.0 for name in LEARNED_HARM}
NOTHING = (
    {name: 0.0 for name in HEADS if name.startswith(("relevance", "facet", "safety", "responds", "support"))}
    | {"stance_neutral": 1.0, "stance_struggling": 0.0, "stance_flourishing": 0.0, "stance_mixed": 0.0}
)  # fmt: skip

#: Longest excerpt, characters: as long as an annotated text.
EXCERPT = 1100


@dataclass(slots=True)
class Example:
    """A text to learn from.

    :param corpus: corpus it came from; evaluation never has one corpus on both sides.
    :param targets: probability (0 to 1) of each head that is known; heads not named are unknown, not false.
    :param annotated: labelled by a reader with the rubric, as opposed to distantly.
    """

    text: str
    corpus: str
    targets: dict[str, float] = field(default_factory=dict)
    annotated: bool = False


#: Corpora that share texts or a style so close that one teaches the other: never on both sides of an evaluation.
_GROUPS = {
    "sdcnl": "reddit-posts",
    "dreaddit": "reddit-posts",
    "multiwd": "reddit-posts",
    "rmhd": "reddit-posts",
    "wellnessdimensions": "reddit-posts",
    "counseling-feedback": "esconv",
    "crumplab-cognition": "crump-cognition",
}


def group_of(corpus: str) -> str:
    """Name of the evaluation group a corpus belongs to."""
    head, _, title = corpus.partition(":")
    if head.startswith("tweeteval"):
        return "tweeteval"
    if head in ("standardebooks", "gutenberg"):  # the same books exist in both, under different names
        words = re.findall(r"[a-z]{4,}", title.lower())
        return "book:" + (words[0] if words else corpus)
    return _GROUPS.get(head, head)


def _below(probability: float, *key: object) -> bool:
    """A coin that always falls the same way for the same key."""
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < probability * 2**64


_ROLE = re.compile(
    r"^(?:[\d.]+ \d \d+ )?(?:\[[A-Z][^\]\n]{2,40}\] )?"
    r"(?:(?:Q|A|Poster|Reply|Client|Counselor|Speaker|Doctor|Patient): )?",
    re.MULTILINE,
)


def without_roles(text: str) -> str:
    """Drop the marks by which a corpus prefixes its turns: a model would learn the corpus from them, not the text."""
    return _ROLE.sub("", text)


def annotated(data: Path) -> Iterator[Example]:
    """Texts labelled with the rubric (``annotations/annotations.jsonl``); hatecheck is left to evaluation.

    :raises UserError: when the file is missing, or a line has no known shape.
    """
    path = data / "annotations" / "annotations.jsonl"
    if not path.is_file():
        raise UserError(
            "There are no annotated texts to train on.",
            where=path,
            fix="Set WELLMIX_DATA to the folder of corpora that holds annotations/annotations.jsonl.",
        )
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if row["corpus"] == "hatecheck":
                    continue
                yield Example(without_roles(row["text"]), row["corpus"], _rubric_targets(row), annotated=True)
            except (KeyError, ValueError, TypeError) as error:
                raise UserError(
                    f"An annotation could not be read: {error!r}.", where=f"{path}:{number}", fix="Mend the line."
                ) from error


def hatecheck(data: Path) -> tuple[list[str], list[bool]]:
    """HateCheck's cases and whether each is hateful (Röttger et al. 2021). For evaluation only; empty if not there."""
    path = data / "safety/hatecheck/test_suite_cases.csv"
    rows = list(_rows(path)) if path.is_file() else []
    return [row["test_case"] for row in rows], [row["label_gold"] == "hateful" for row in rows]


def _rubric_targets(row: dict) -> dict[str, float]:
    targets = {f"relevance_{k}": float(row["relevance"] >= k) for k in range(1, 6)}
    targets |= {f"facet_{name}": float(name in row["facets"]) for name in FACETS}
    targets |= {f"stance_{name}": float(row["stance"] == name) for name in STANCE}
    targets |= {f"register_{name}": float(row["register"] == name) for name in REGISTER}
    targets["responds"] = float(row["support"] is not None)
    targets |= {f"support_{k}": float((row["support"] or 0) >= k) for k in range(1, 4)}
    for name in ("disclosure", "discusses_harm", *LEARNED_HARM):
        targets[f"safety_{name}"] = float(name in row["safety"])
    targets["safety_harm"] = float(any(name in HARMFUL for name in row["safety"]))
    return {name: value for name, value in targets.items() if name in HEAD_INDEX}


def _rows(path: Path, delimiter: str = ",", names: list[str] | None = None, quote: bool = True) -> Iterator[dict]:
    opener = gzip.open if path.suffix == ".gz" else open
    opened = opener(path, "rt", encoding="utf-8", errors="replace", newline="")
    with opened as lines:
        quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        clean = (line.replace("\0", "") for line in lines)
        # csv's own stubs know its quoting constants as plain integers only
        yield from csv.DictReader(clean, fieldnames=names, delimiter=delimiter, quoting=quoting)  # type: ignore[call-overload]


def _happydb(data: Path) -> Iterator[Example]:
    base = NO_HARM | {"facet_positive_emotion": 1.0, "stance_flourishing": 1.0, "stance_struggling": 0.0,
                      "safety_disclosure": 0.0, "register_first_person": 1.0, "responds": 0.0,
                      "relevance_1": 1.0, "relevance_5": 0.0}  # fmt: skip
    for row in _rows(data / "biographies/happydb/labeled_10k.csv"):
        social = {"facet_relationships": 1.0} if re.search("family|romance", row["concepts"] or "") else {}
        yield Example(row["moment"], "happydb", base | social)


def _goemotions(data: Path) -> Iterator[Example]:
    names = (data / "wellbeing/goemotions/labels.txt").read_text().split()
    good = {"joy", "gratitude", "love", "optimism", "pride", "relief", "excitement", "admiration", "amusement"}
    for row in _rows(data / "wellbeing/goemotions/train.tsv", "\t", ["text", "labels", "id"], quote=False):
        labels = {names[int(i)] for i in row["labels"].split(",")}
        targets: dict[str, float] = {"relevance_4": 0.0, "relevance_5": 0.0}
        if labels & {"joy", "gratitude", "love", "optimism", "relief"}:
            targets |= {"facet_positive_emotion": 1.0}
        if labels <= good:
            targets |= NO_HARM
        if labels & {"grief", "sadness", "remorse", "nervousness", "fear"}:
            targets |= {"facet_adversity": 1.0, "stance_flourishing": 0.0}
        if labels == {"caring"}:
            targets |= NO_HARM | {"responds": 1.0}
        yield Example(row["text"], "goemotions", targets)


def _dreaddit(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/dreaddit/dreaddit-train.csv"):
        stressed = row["label"] == "1"
        targets = NO_HARM | {"relevance_1": 1.0, "register_first_person": 1.0}
        yield Example(
            row["text"], "dreaddit", targets | ({"facet_adversity": 1.0, "stance_flourishing": 0.0} if stressed else {})
        )


def _sdcnl(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/sdcnl/training-set.csv"):
        targets = NO_HARM | {"facet_adversity": 1.0, "stance_flourishing": 0.0, "relevance_1": 1.0}
        yield Example(f"{row['title']}\n{row['selftext']}"[:EXCERPT], "sdcnl", targets)


def _rmhd(data: Path) -> Iterator[Example]:
    troubled = {"EDAnonymous", "addiction", "alcoholism", "bpd", "depression", "ptsd", "suicidewatch", "lonely",
                "socialanxiety", "anxiety", "healthanxiety", "bipolarreddit", "mentalhealth",
                "schizophrenia"}  # fmt: skip
    telling = {"EDAnonymous", "addiction", "alcoholism", "suicidewatch", "SuicideWatch"}
    for row in _rows(data / "forum/rmhd/rmhd_27subreddits_260posts_test.csv.gz"):
        targets = dict(NO_HARM)
        if row["subreddit"] in troubled:
            targets |= {"facet_adversity": 1.0, "relevance_1": 1.0, "relevance_2": 1.0, "register_first_person": 1.0}
        if row["subreddit"] in telling:
            targets |= {"safety_disclosure": 0.8}
        if row["post"]:
            yield Example(row["post"][:EXCERPT], "rmhd", targets)


def _multiwd(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/multiwd/train_data.csv"):
        targets = NO_HARM | {"facet_adversity": 1.0}
        if row["Social"] == "1":
            targets["facet_relationships"] = 1.0
        if row["Physical"] == "1":
            targets["facet_vitality"] = 1.0
        yield Example(row["text"][:EXCERPT], "multiwd", targets)


def _offmychest(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/offmychest/labeled_training_set.csv"):
        targets = dict.fromkeys(("relevance_5",), 0.0)
        if row["Support"] == "1":
            targets |= {"responds": 1.0} | NO_HARM
        yield Example(row["full_text"], "offmychest", targets)


def _counsel_chat(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/counsel-chat/counselchat-data.csv"):
        question = f"{row['questionTitle']}\n{row['questionText']}"[:500]
        answer = re.sub(r"<[^>]+>", " ", row["answerText"] or "")
        yield Example(
            f"{question}\n{answer}"[:EXCERPT], "counsel-chat", NO_HARM | {"responds": 1.0, "relevance_2": 1.0}
        )


def _epitome(data: Path) -> Iterator[Example]:
    for row in _rows(data / "transcripts/epitome/emotional-reactions-reddit.csv"):
        targets = {"responds": 1.0, "facet_adversity": 1.0}
        yield Example(f"{row['seeker_post']}\n{row['response_post']}"[:EXCERPT], "epitome-reddit", targets)


def _esconv(data: Path) -> Iterator[Example]:
    for name in ("esc-valid.txt", "esc-test.txt"):
        for line in (data / "transcripts/esconv" / name).read_text(encoding="utf-8").splitlines():
            turns = [turn["text"] for turn in json.loads(line)["dialog"]]
            for at in range(0, len(turns), 8):
                yield Example("\n".join(turns[at : at + 8])[:EXCERPT], "esconv", NO_HARM | {"register_dialogue": 1.0})


def _empathetic(data: Path) -> Iterator[Example]:
    for row in _rows(data / "transcripts/empatheticdialogues/valid.csv"):
        yield Example((row["utterance_data"] or "")[:EXCERPT], "empatheticdialogues", {"responds": 1.0, **NO_HARM})


def _edos(data: Path) -> Iterator[Example]:
    for row in _rows(data / "transcripts/edos/1. MTurk_groundtruth_labels_9K.csv"):
        yield Example(row["Dialog"] or "", "edos", {"register_dialogue": 1.0, "relevance_5": 0.0})


def _mts(data: Path) -> Iterator[Example]:
    for row in _rows(data / "transcripts/mts-dialog/MTS-Dialog-TrainingSet.csv"):
        targets = NO_HARM | {"register_dialogue": 1.0, "facet_vitality": 1.0}
        yield Example(without_roles(row["dialogue"] or "")[:EXCERPT], "mts-dialog", targets)


def _positive_frames(data: Path) -> Iterator[Example]:
    for row in _rows(data / "wellbeing/positive-frames/wholetrain.csv"):
        yield Example(row["original_text"], "positive-frames", NO_HARM | {"stance_flourishing": 0.0})
        yield Example(row["reframed_text"], "positive-frames", NO_HARM)


def _empathic_reactions(data: Path) -> Iterator[Example]:
    for row in _rows(data / "wellbeing/empathic-reactions/messages.csv"):
        yield Example(row["essay"][:EXCERPT], "empathic-reactions", {"relevance_1": 1.0, "facet_adversity": 1.0})


def _emobank(data: Path) -> Iterator[Example]:
    for row in _rows(data / "wellbeing/emobank/emobank.csv"):
        yield Example(row["text"], "emobank", {"relevance_5": 0.0})


def _ag_news(data: Path) -> Iterator[Example]:
    base = NO_HARM | {"safety_disclosure": 0.0, "responds": 0.0, "relevance_4": 0.0, "relevance_5": 0.0,
                      "register_expository": 1.0, "register_dialogue": 0.0, "register_first_person": 0.0}  # fmt: skip
    for row in _rows(data / "general/ag-news/test.csv", names=["class", "title", "text"]):
        poor = {f"relevance_{k}": 0.0 for k in (3, 4, 5)} if row["class"] != "1" else {}
        yield Example(f"{row['title']}. {row['text']}", "ag-news", base | poor)


def _flask(data: Path) -> Iterator[Example]:
    for path in sorted((data / "general/flask-docs").rglob("*")):
        if path.suffix in (".rst", ".py", ".md"):
            for text in _pages(path.read_text(encoding="utf-8", errors="replace")):
                yield Example(text, "code-docs", dict(NOTHING))


def _dolly(data: Path) -> Iterator[Example]:
    for row in _rows(data / "general/dolly/databricks_dolly_15k.csv"):
        yield Example(f"{row['instruction']}\n{row['response']}"[:EXCERPT], "dolly", dict(NO_HARM))


def _openassistant(data: Path) -> Iterator[Example]:
    for line in (data / "preference/openassistant/en_100_message.jsonl").read_text(encoding="utf-8").splitlines():
        yield Example(json.loads(line)["text"][:EXCERPT], "openassistant", {})


def _sad_stress(data: Path) -> Iterator[Example]:
    for row in _rows(data / "forum/wellnessdimensions/dataset_wellnessdimensions.csv"):
        yield Example(row["Text"], "wellnessdimensions", NO_HARM | {"facet_adversity": 1.0})


def _nltk(data: Path) -> Iterator[Example]:
    with zipfile.ZipFile(data / "general/nltk/brown.zip") as archive:
        for name in sorted(archive.namelist()):
            if re.search(r"/c[a-r]\d\d$", name):
                text = re.sub(r"/[^\s]+", "", archive.read(name).decode("latin-1"))
                for page in _pages(re.sub(r"[ \t]+", " ", text)):
                    yield Example(page, "nltk-brown", {})
    with zipfile.ZipFile(data / "general/nltk/movie_reviews.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".txt"):
                for page in _pages(archive.read(name).decode("latin-1")):
                    yield Example(page, "nltk-movie_reviews", {})


_TAG = re.compile(r"<[^>]+>")


def _pages(text: str) -> Iterator[str]:
    """Excerpts of up to :data:`EXCERPT` characters, cut at paragraphs where that is possible."""
    page: list[str] = []
    size = 0
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = " ".join(paragraph.split())
        if size and size + len(paragraph) > EXCERPT:
            yield "\n".join(page)[:EXCERPT]
            page, size = [], 0
        if paragraph:
            page.append(paragraph)
            size += len(paragraph)
    if size > 100:
        yield "\n".join(page)[:EXCERPT]


def _books(data: Path) -> Iterator[Example]:
    for family in ("biographies", "psychology"):
        for path in sorted((data / family / "standardebooks").rglob("*.xhtml")):
            if path.name.startswith(
                ("toc", "colophon", "imprint", "uncopyright", "titlepage", "halftitle", "endnotes")
            ):
                continue
            book = next(part for part in path.parts[path.parts.index("standardebooks") + 1 :]).split("_")[1]
            body = re.sub(r"</p>", "\n\n", path.read_text(encoding="utf-8", errors="replace").split("<body", 1)[-1])
            for page in _pages(_TAG.sub(" ", body.split(">", 1)[-1])):
                yield Example(page, f"standardebooks:{book}", dict(NO_HARM))
        for path in sorted((data / family / "gutenberg").rglob("*.txt")):
            for page in _pages(path.read_text(encoding="latin-1").replace("\r", "")):
                yield Example(page, f"gutenberg:{path.parent.name}", dict(NO_HARM))
    for path in sorted((data / "general/gutenberg").glob("*.txt")):
        for page in _pages(path.read_text(encoding="latin-1").replace("\r", "")):
            yield Example(page, "gutenberg-general:" + path.stem, {})


def _textbooks(data: Path) -> Iterator[Example]:
    for book in sorted((data / "psychology").glob("openstax-*")):
        for path in sorted(book.rglob("*.cnxml")):
            body = path.read_text(encoding="utf-8", errors="replace").split("<content", 1)[-1].split(">", 1)[-1]
            for page in _pages(_TAG.sub(" ", re.sub(r"</para>", "\n\n", body))):
                yield Example(page, "openstax:" + book.name, NO_HARM | {"register_expository": 1.0})
    for folder, corpus in (("crump-cognition", "crump-cognition"), ("brief-cbt", "brief-cbt")):
        for path in sorted((data / "psychology" / folder).rglob("*")):
            if path.suffix in (".qmd", ".md"):
                for page in _pages(_TAG.sub(" ", path.read_text(encoding="utf-8", errors="replace"))):
                    yield Example(page, corpus, NO_HARM | {"register_expository": 1.0})


def _surge(data: Path) -> Iterator[Example]:
    for row in _rows(data / "safety/surge-toxicity/toxicity_en.csv"):
        yield Example(
            row["text"], "surge-toxicity", {"safety_harm": 0.9} if row["is_toxic"] == "Toxic" else dict(NO_HARM)
        )


def _tweet(text: str) -> str:
    return re.sub(r"@\w+|https?://\S+|^[!\s\"]*RT\b|&\w+;|&#\d+;", " ", text)


def _davidson(data: Path) -> Iterator[Example]:
    known = {
        "0": {"safety_hate": 0.9, "safety_harm": 1.0, "relevance_3": 0.0},
        # Three quarters of these are slang among friends: neither harm nor its absence.
        "1": {"safety_hate": 0.15, "relevance_3": 0.0},
        "2": NO_HARM | {"relevance_4": 0.0},
    }
    for row in _rows(data / "safety/davidson/labeled_data.csv"):
        yield Example(_tweet(row["tweet"]), "davidson", dict(known[row["class"]]))


def _tweeteval(data: Path) -> Iterator[Example]:
    for name in ("hate", "offensive"):
        folder = data / "safety/tweeteval/datasets" / name
        texts = (folder / "train_text.txt").read_text(encoding="utf-8").splitlines()
        labels = (folder / "train_labels.txt").read_text(encoding="utf-8").split()
        for text, label in zip(texts, labels, strict=True):
            if name == "hate":
                targets = {"safety_hate": 0.85, "safety_harm": 0.9} if label == "1" else {"safety_hate": 0.0}
            else:
                targets = {"safety_harm": 0.6} if label == "1" else dict(NO_HARM)
            yield Example(_tweet(text), f"tweeteval-{name}", targets)
    texts = (data / "wellbeing/tweeteval-emotion/train_text.txt").read_text(encoding="utf-8").splitlines()
    labels = (data / "wellbeing/tweeteval-emotion/train_labels.txt").read_text(encoding="utf-8").split()
    names = {"1": {"facet_positive_emotion": 1.0, **NO_HARM}, "3": {"facet_adversity": 0.8}}
    for text, label in zip(texts, labels, strict=True):
        yield Example(_tweet(text), "tweeteval-emotion", dict(names.get(label, {})))


def _diasafety(data: Path) -> Iterator[Example]:
    for row in json.loads((data / "safety/diasafety/train.json").read_text(encoding="utf-8")):
        unsafe, category = row["label"] == "Unsafe", row["category"]
        if category == "Offending User":
            targets = {"safety_harassment": 0.9, "safety_harm": 0.9} if unsafe else {"safety_harassment": 0.0}
            yield Example(row["response"], "diasafety", targets)
        elif category == "Biased Opinion":
            targets = {"safety_hate": 0.6, "safety_harm": 0.7} if unsafe else {"safety_hate": 0.0}
            yield Example(row["response"], "diasafety", targets)


#: reader -> how many of its texts to keep; chosen by hash, so the choice does not move when a corpus grows.
DISTANT: dict[Callable[[Path], Iterator[Example]], int] = {
    _happydb: 900, _goemotions: 2200, _dreaddit: 700, _sdcnl: 600, _rmhd: 1800, _multiwd: 400, _offmychest: 900,
    _counsel_chat: 900, _epitome: 700, _esconv: 900, _empathetic: 500, _edos: 600, _mts: 300, _positive_frames: 500,
    _empathic_reactions: 400, _emobank: 700, _ag_news: 1000, _flask: 400, _dolly: 1200, _openassistant: 250,
    _sad_stress: 400, _nltk: 1200, _books: 2400, _textbooks: 1800, _surge: 900, _davidson: 2200, _tweeteval: 3000,
    _diasafety: 800,
}  # fmt: skip


def distant(data: Path, share: float = 1.0, seed: int = 0) -> tuple[list[Example], list[str]]:
    """Distantly labelled and unlabelled texts from the corpora under ``data``.

    :param share: part of each corpus's quota to take, 0 to 1.
    :return: the examples, and the readers whose folder is not there.
    """
    found: list[Example] = []
    missing: list[str] = []
    for reader, quota in DISTANT.items():
        try:
            every = [example for example in reader(data) if len(example.text) >= 12]
        except FileNotFoundError:
            every = []
        if not every:
            missing.append(reader.__name__.removeprefix("_"))
            continue
        rate = min(1.0, share * quota / len(every))
        found += [example for example in every if _below(rate, seed, example.corpus, example.text)]
    return found, missing
