"""What is compared, on which texts: annotated texts with their held-out scores, and anything that ranks them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from classifiers import corpora
from classifiers.corpora import HEAD_INDEX, group_of
from classifiers.evaluate import expected, f1, lived_experience
from classifiers.evaluation.baselines import Baseline, Filter
from classifiers.evaluation.shipped import cuts_of
from classifiers.excerpts import text_key
from classifiers.fitting import Judgement
from classifiers.material import Material
from classifiers.scorer import EFFORTS, SHORT_WORDS

#: What is compared: key in :attr:`Judgement.scores` -> name, and where its relevance cut stands in the thresholds.
MODELS: dict[str, tuple[str, str]] = {
    "fasttext": ("fasttext (effort fast)", "fast"),
    "static": ("static", ""),
    "encoder": ("encoder (effort best)", "best"),
    "balanced": ("balanced cascade (default)", "balanced"),
    "teacher": ("teacher (not shipped)", "teacher"),
}


@dataclass
class Study:
    """The held-out scores with all that the tables ask of the annotated texts; arrays have one row a text.

    :ivar founders: bool: annotated by the founders, as earlier figures are.
    :ivar groups: evaluation group, books pooled.
    :ivar plain: bool: picked without regard to what a model made of the text.
    :ivar filtered: name of an ordinary filter -> its scores.
    """

    material: Material
    judgement: Judgement
    data: Path
    seed: int
    filters: list[Filter]

    def __post_init__(self) -> None:
        count = self.material.labelled
        self.examples = self.material.examples[:count]
        self.texts = [example.text for example in self.examples]
        self.truth = self.material.targets
        self.fold = self.material.fold[:count]
        self.clusters = [group_of(example.corpus) for example in self.examples]
        self.groups = np.array(["books" if name.startswith("book:") else name for name in self.clusters])
        self.founders = np.array([example.annotator == "founders" for example in self.examples])
        self.short = np.array([len(text.split()) < SHORT_WORDS for text in self.texts])
        self.plain = np.array([example.picked == "" for example in self.examples])
        self.lived = lived_experience(self.truth)
        self.harmful = self.column("safety_harm")
        self.filtered = {item.name: item.score(self.texts) for item in self.filters}

    def column(self, name: str) -> np.ndarray:
        """A label of all texts, bool."""
        return self.truth[:, HEAD_INDEX[name]] > 0.5

    def harm(self, model: str) -> np.ndarray:
        """Scores of any harm by a model or filter."""
        if model in self.filtered:
            return self.filtered[model]
        return self.judgement.scores[model][:, HEAD_INDEX["safety_harm"]]

    def removed(self, model: str) -> np.ndarray:
        """Which texts an effort, the teacher or a filter removes at its threshold, bool."""
        for item in self.filters:
            if item.name == model:
                return self.filtered[model] >= item.cut
        return self.harm(model) >= cuts_of(self.texts, self.judgement.thresholds[model])

    @cached_property
    def known(self) -> set[str]:
        """Text keys of all training texts, as they were before roles were varied where that is known."""
        return {text_key(example.text) for example in self.material.examples} | set(corpora.own_labels())

    @property
    def removers(self) -> list[str]:
        """All that remove texts: efforts and filters."""
        return [*EFFORTS, *self.filtered]


@dataclass
class Model:
    """Anything that ranks the annotated texts.

    :param relevance: or None where it has no answer; ``cut``: from where a text counts as 3 or more.
    :param heads: head -> scores.
    """

    name: str
    relevance: np.ndarray | None
    cut: float
    heads: dict[str, np.ndarray]

    @classmethod
    def of_tier(cls, study: Study, key: str) -> Model:
        """A tier, the cascade or the teacher."""
        name, effort = MODELS[key]
        scores = study.judgement.scores[key]
        relevance = expected(scores)
        thresholds = study.judgement.thresholds.get(effort)
        cut = thresholds["relevance"] if thresholds else best_cut(expected(study.truth) >= 3, relevance)
        return cls(name, relevance, cut, {head: scores[:, i] for head, i in HEAD_INDEX.items()})

    @classmethod
    def of_baseline(cls, study: Study, baseline: Baseline) -> Model:
        """A baseline, at the cut that suits it best."""
        scores = baseline.relevance
        cut = math.nan if scores is None else best_cut(expected(study.truth) >= 3, scores)
        return cls(baseline.name, scores, cut, baseline.heads)


def best_cut(wanted: np.ndarray, scores: np.ndarray) -> float:
    """The cut with the highest F1, of a hundred quantiles."""
    cuts = np.unique(np.quantile(scores, np.linspace(0, 0.99, 100)))
    return float(max(cuts, key=lambda cut: f1(wanted, scores >= cut)))
