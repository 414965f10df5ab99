"""What figures are to be compared with: simpler tools.

Word lists (the PERMA lexicon of the World Well-Being Project, Empath, the words of our own definitions), a sentence encoder
that was never shown a label, and the two profanity filters most pipelines reach for. None is trained here. What a tool has
no answer to is left empty; a tool that is not here is left out, and said.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.encoder import Graph
from classifiers.material import Material
from classifiers.taxonomy import BEHAVIOURS, FACETS, HARMFUL, RELEVANCE, SAFETY
from sources.errors import UserError

#: Tokens added to the length of a text: one hit in three words is less sure than thirty in three hundred. Of 0 to 400 the one
#: best for the word lists on the founders' annotations, which flatters them.
_PRIOR = 50
_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[^\w\s]+")
#: Columns of :attr:`Material.encoder_rows` that hold MiniLM's last layer, which is its sentence embedding.
_SENTENCE = slice(768, 1152)


@dataclass(frozen=True)
class Baseline:
    """A tool's answers about the annotated texts; only their order means anything.

    :param name: short name.
    :param about: what was done, in a sentence.
    :param relevance: float64, shape (texts,), or None where the tool has no answer.
    :param heads: head -> the same.
    """

    name: str
    about: str
    relevance: np.ndarray | None = None
    heads: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Filter:
    """An ordinary filter, used as its documentation says.

    :param cut: what it removes scores at least this.
    :param score: texts -> float64, shape (texts,).
    """

    name: str
    cut: float
    score: Callable[[list[str]], np.ndarray]


def filters() -> tuple[list[Filter], list[str]]:
    """The profanity filters that are installed, and a line on each that is not."""
    found: list[Filter] = []
    missing: list[str] = []
    for name, cut, make in (("alt-profanity-check", 0.5, _alt_profanity), ("better-profanity", 1.0, _better_profanity)):
        try:
            found.append(Filter(name, cut, make()))
        except ImportError:
            missing.append(f"{name} is not installed and left out (`pip install {name}`)")
    return found, missing


def _alt_profanity() -> Callable[[list[str]], np.ndarray]:
    import profanity_check  # type: ignore[import-not-found]

    return lambda texts: np.asarray(profanity_check.predict_prob(texts), dtype=np.float64) if texts else np.zeros(0)


def _better_profanity() -> Callable[[list[str]], np.ndarray]:
    from better_profanity import profanity  # type: ignore[import-not-found]

    profanity.load_censor_words()
    profanity.CENSOR_WORDSET = _Indexed(profanity.CENSOR_WORDSET, profanity.CHARS_MAPPING)
    return lambda texts: np.array([float(profanity.contains_profanity(text)) for text in texts])


class _Indexed(list):  # type: ignore[type-arg]
    """better-profanity's word list with the same answers, found by length and first letter: a text takes 1 ms, not 90."""

    def __init__(self, words: list[Any], mapping: dict[str, tuple[str, ...]]) -> None:
        super().__init__(words)
        self._places: dict[tuple[int, str], list[Any]] = {}
        for word in words:
            plain = str(word)
            for first in mapping.get(plain[0], (plain[0],)):
                self._places.setdefault((len(plain), first), []).append(word)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self._places.get((len(word), word[:1]), ())


def baselines(material: Material, data: Path, filtered: dict[str, np.ndarray]) -> tuple[list[Baseline], list[str]]:
    """All baselines that can be made here, and a line on each that cannot.

    :param data: root of the corpora, with ``wellbeing/perma-lexicon`` and ``wellbeing/empath-lexicon``.
    :param filtered: name of a filter -> its scores of the annotated texts.
    """
    texts = [example.text for example in material.examples[: material.labelled]]
    found = [length(texts), keywords(texts)]
    missing: list[str] = []
    makers: dict[str, Callable[[], Baseline]] = {
        "PERMA lexicon": lambda: perma(texts, data),
        "Empath": lambda: empath(texts, data),
        "MiniLM, zero-shot": lambda: zero_shot(material),
    }
    for name, make in makers.items():
        try:
            found.append(make())
        except (FileNotFoundError, UserError) as error:
            missing.append(f"{name} is left out: {error}")
    found += [
        Baseline(name, "as its package gives it", None, {"safety_harm": scores}) for name, scores in filtered.items()
    ]
    return found, missing


def length(texts: list[str]) -> Baseline:
    """The number of words: what a figure owes to short texts being insults and long ones stories."""
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    return Baseline("text length", "number of words; for harm, the fewer the worse", words, {"safety_harm": -words})


class Lexicon:
    """Weighted terms of one or several words, under categories.

    :param terms: term in lower case -> category -> weight.
    """

    def __init__(self, terms: dict[str, dict[str, float]]) -> None:
        self.categories = sorted({name for weights in terms.values() for name in weights})
        place = {name: i for i, name in enumerate(self.categories)}
        self._terms = {
            " ".join(_TOKEN.findall(term)): [(place[name], weight) for name, weight in weights.items()]
            for term, weights in terms.items()
        }
        self._longest = max((term.count(" ") + 1 for term in self._terms), default=1)

    def rates(self, texts: list[str]) -> np.ndarray:
        """Summed weights of each category for a token of text, float64, shape (texts, categories)."""
        result = np.zeros((len(texts), len(self.categories)))
        for row, text in enumerate(texts):
            tokens = _TOKEN.findall(text.lower().replace("’", "'"))
            for length in range(1, self._longest + 1):
                for at in range(len(tokens) - length + 1):
                    for place, weight in self._terms.get(" ".join(tokens[at : at + length]), ()):
                        result[row, place] += weight
            result[row] /= len(tokens) + _PRIOR
        return result


#: PERMA's letters as our facets.
_PERMA = {"P": "positive_emotion", "E": "engagement", "R": "relationships", "M": "meaning", "A": "accomplishment"}


def perma(texts: list[str], data: Path) -> Baseline:
    """The PERMA lexicon (Schwartz et al. 2016): a facet is the summed absolute weights of its two poles, since a facet counts
    whether somebody has it or lacks it; relevance is the sum of all.

    :raises FileNotFoundError: the lexicon is not there.
    """
    terms: dict[str, dict[str, float]] = {}
    with (data / "wellbeing/perma-lexicon/permaV3_dd.csv").open(
        encoding="utf-8", errors="replace", newline=""
    ) as lines:
        for row in csv.DictReader(lines):
            if row["category"] and row["weight"]:
                terms.setdefault(row["term"].strip().lower(), {})[row["category"]] = abs(float(row["weight"]))
    lexicon = Lexicon(terms)
    rates = lexicon.rates(texts)
    heads = {
        f"facet_{facet}": rates[:, [i for i, name in enumerate(lexicon.categories) if name.endswith("_" + letter)]].sum(
            1
        )
        for letter, facet in _PERMA.items()
    }
    about = "summed absolute weights of its terms for a word of text; no terms for four facets, behaviours and harm"
    return Baseline("PERMA lexicon", about, rates.sum(axis=1), heads)


#: Empath's categories that fit a head.
_EMPATH: dict[str, tuple[str, ...]] = {
    "facet_positive_emotion": (
        "positive_emotion", "joy", "cheerfulness", "optimism", "contentment", "love", "affection", "zest",
    ),
    "facet_engagement": ("fun", "play", "leisure", "music", "art", "reading", "sports", "surprise"),
    "facet_relationships": ("family", "friends", "love", "affection", "children", "wedding", "sympathy"),
    "facet_meaning": ("religion", "worship", "divine", "philosophy", "giving", "trust"),
    "facet_accomplishment": ("achievement", "work", "school", "college", "competing", "pride", "occupation"),
    "facet_autonomy": ("independence", "power", "dominant_personality", "order", "prison"),
    "facet_vitality": ("health", "exercise", "sleep", "body", "healing", "medical_emergency", "eating"),
    "facet_adversity": (
        "suffering", "sadness", "pain", "nervousness", "shame", "torment", "fear", "negative_emotion", "neglect", "death",
    ),
    "facet_society": ("government", "law", "politics", "economics", "poor", "money", "occupation", "war"),
    "safety_harm": ("hate", "swearing_terms", "ridicule"),
    "safety_disclosure": ("suffering", "pain", "alcohol", "torment", "death", "injury"),
}  # fmt: skip


def empath(texts: list[str], data: Path) -> Baseline:
    """Empath's word categories (Fast et al. 2016), those that fit; relevance is the sum of the facets on feeling, people and body.

    :raises FileNotFoundError: the lexicon is not there.
    """
    terms: dict[str, dict[str, float]] = {}
    for line in (data / "wellbeing/empath-lexicon/categories.tsv").read_text(encoding="utf-8").splitlines():
        category, *words = line.split("\t")
        for word in words:
            terms.setdefault(word.replace("_", " ").lower(), {})[category] = 1.0
    lexicon = Lexicon(terms)
    rates = lexicon.rates(texts)
    heads = {
        head: rates[:, [i for i, name in enumerate(lexicon.categories) if name in wanted]].sum(axis=1)
        for head, wanted in _EMPATH.items()
    }
    about = "share of words in the categories that fit; none fit behaviours"
    themes = ("positive_emotion", "adversity", "relationships", "vitality")  # all nine do worse
    relevance = np.sum([heads[f"facet_{name}"] for name in themes], axis=0)
    return Baseline("Empath", about, relevance, heads)


#: Words of the definitions that say nothing about a subject.
_EMPTY_WORDS = (
    "their them they someone something somebody about from with that this what when where have does done gives give "
    "made make makes take takes over into people person text other others another being somewhere tells tell than "
    "without aimed concrete open away says sense content explicit accurate conditions points encourages promotes helps"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def _stems(words: str) -> set[str]:
    return {word[:6] for word in re.findall(r"[a-z]{4,}", words.lower()) if word not in _EMPTY}


def keywords(texts: list[str]) -> Baseline:
    """The words of the taxonomy's own definitions, to six letters; a score is the share of a text's words among them."""
    lists = {f"facet_{name}": _stems(f"{name} {words}".replace("_", " ")) for name, words in FACETS.items()}
    lists |= {f"behaviour_{name}": _stems(f"{name} {words}") for name, words in BEHAVIOURS.items()}
    lists |= {f"safety_{name}": _stems(f"{name} {words}".replace("_", " ")) for name, words in SAFETY.items()}
    lists["safety_harm"] = set().union(*(lists[f"safety_{name}"] for name in HARMFUL))
    found = {name: np.zeros(len(texts)) for name in lists}
    for row, text in enumerate(texts):
        words = re.findall(r"[a-z]{4,}", text.lower())
        stems = [word[:6] for word in words]
        for name, wanted in lists.items():
            found[name][row] = sum(stem in wanted for stem in stems) / (len(stems) + _PRIOR)
    relevance = np.sum([found[f"facet_{name}"] for name in FACETS], axis=0)
    return Baseline("keywords", "share of words among those of the taxonomy's definitions", relevance, found)


def zero_shot(material: Material) -> Baseline:
    """all-MiniLM-L6-v2 without training: cosine between a text and a label's definition.

    :raises FileNotFoundError: the encoder's graph has not been made.
    """
    if not material.features.is_file():
        raise FileNotFoundError(f"there is no graph of the encoder at {material.features}")
    lines = {f"relevance_{k}": line for k, line in RELEVANCE.items()}
    lines |= {f"facet_{name}": f"{name.replace('_', ' ')}: {line}" for name, line in FACETS.items()}
    lines |= {f"behaviour_{name}": f"{name.replace('_', ' ')}: {line}" for name, line in BEHAVIOURS.items()}
    lines |= {f"safety_{name}": f"{name.replace('_', ' ')}: {line}" for name, line in SAFETY.items()}
    meanings = Graph(material.features, material.tokens).run(list(lines.values()))[:, _SENTENCE]
    cosine = material.encoder_rows[: material.labelled, _SENTENCE] @ meanings.T
    found = {name: cosine[:, i].astype(np.float64) for i, name in enumerate(lines)}
    found["safety_harm"] = np.max([found[f"safety_{name}"] for name in HARMFUL], axis=0)
    relevance = np.mean([found[f"facet_{name}"] for name in FACETS], axis=0)
    heads = {name: scores for name, scores in found.items() if not name.startswith("relevance")}
    about = "cosine between its embeddings of the text and of the definition; relevance: mean over the facets"
    return Baseline("MiniLM, zero-shot", about, relevance, heads)
