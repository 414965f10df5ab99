"""Section 8: the largest disagreements between label and score, to be read by hand; never with their texts."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.corpora import HEAD_INDEX, HEADS
from classifiers.evaluate import expected
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import table
from classifiers.evaluation.study import Study
from classifiers.excerpts import text_key
from classifiers.taxonomy import FACETS

WORST = 50


def worst_errors(study: Study, count: int = WORST) -> list[dict[str, Any]]:
    """The largest disagreements between label and balanced score over relevance, harm and facets, taken in turn.

    :return: corpus, key (the corpus's own), text_key, annotator, field, label and score of each; never the text.
    """
    scores = study.judgement.scores["balanced"]
    families = [
        _largest(expected(study.truth), expected(scores), ["relevance"], 5.0, count),
        *(
            _largest(study.truth[:, columns], scores[:, columns], [HEADS[i] for i in columns], 1.0, count)
            for columns in ([HEAD_INDEX["safety_harm"]], [HEAD_INDEX[f"facet_{name}"] for name in FACETS])
        ),
    ]
    found = [item for item in chain.from_iterable(zip_longest(*families)) if item][:count]
    return [
        {
            "corpus": study.examples[row].corpus,
            "key": study.examples[row].key,
            "text_key": text_key(study.texts[row]),
            "annotator": study.examples[row].annotator,
            "field": name,
            "label": label,
            "score": score,
        }
        for row, name, label, score in found
    ]


def _largest(
    truth: np.ndarray, scores: np.ndarray, names: list[str], scale: float, count: int
) -> list[tuple[int, str, float, float]]:
    """(row, field, label, score) of the texts with the largest error, one field a text."""
    truth, scores = truth.reshape(len(truth), -1), scores.reshape(len(scores), -1)
    gaps = np.abs(truth - scores) / scale
    which = gaps.argmax(axis=1)
    rows = np.argsort(-gaps.max(axis=1), kind="stable")[:count]
    return [(int(r), names[which[r]], float(truth[r, which[r]]), round(float(scores[r, which[r]]), 3)) for r in rows]


def worst_section(study: Study, report: EvaluationReport, path: Path | None) -> list[str]:
    """Section 8; the errors are written to ``path`` if there is one."""
    report.worst = worst_errors(study)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in report.worst), encoding="utf-8")
    kinds = Counter(
        (row["field"], "scored below its label" if row["label"] > row["score"] else "scored above its label")
        for row in report.worst
    )
    places = Counter(row["corpus"].split(":")[0] for row in report.worst)
    return [
        "## 8. Worst errors",
        "",
        f"The {len(report.worst)} largest disagreements between label and balanced score, taken in turn from relevance, harm and "
        "facets. `wellmix evaluate --worst FILE` writes their keys, to be read by hand: some are the model's errors, some the "
        "annotator's.",
        "",
        *table(("field", "how", "texts"), ((field, how, count) for (field, how), count in kinds.most_common())),
        "By corpus: " + ", ".join(f"{name} {count}" for name, count in places.most_common()) + ".",
        "",
    ]
