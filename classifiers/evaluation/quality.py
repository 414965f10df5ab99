"""Sections 1 to 3: headlines with baselines, every label, every corpus."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from classifiers.calibrate import ece
from classifiers.corpora import HEAD_INDEX
from classifiers.evaluate import HEADLINES, auroc, average_precision, best_f1, headlines
from classifiers.evaluation.baselines import baselines
from classifiers.evaluation.ceiling import ceiling_section
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import number, percent, table
from classifiers.evaluation.measures import MEASURES, figures, measure_of
from classifiers.evaluation.rates import rate
from classifiers.evaluation.study import MODELS, Model, Study


def headline_section(study: Study, report: EvaluationReport) -> list[str]:
    """Section 1; fills in headlines, further measures and the ceiling."""
    tools, missing = baselines(study.material, study.data, study.filtered)
    report.missing += missing
    models = [Model.of_tier(study, key) for key in MODELS] + [Model.of_baseline(study, tool) for tool in tools]
    lines = [
        "## 1. Headlines",
        "",
        "In brackets: 95 % intervals from drawing whole groups of corpora again (200 times), so they say what another choice "
        "of corpora might have given. F1 is at the cut that suits each model best on all annotated texts.",
        "",
    ]
    subsets = {"founders": study.founders, "all": np.ones(len(study.truth), dtype=bool)}
    subsets = {key: chosen for key, chosen in subsets.items() if chosen.any()}
    titles = {
        "founders": "The founders' annotations, those earlier figures are on",
        "all": "All annotated texts. Those of later rounds were chosen for the models' doubt about them, so they are harder",
    }
    for key, chosen in subsets.items():
        report.headlines[key] = {m.name: figures(m, study.truth, chosen, study.clusters, study.seed) for m in models}
        lines += [f"**{titles[key]}** ({int(chosen.sum()):,} texts).", ""]
        lines += table(
            ("", *(HEADLINES[name] for name in MEASURES)),
            ((name, *found.values()) for name, found in report.headlines[key].items()),
        )
    lines += _further(study, report, subsets)
    lines += [
        "**The baselines.** None was trained here, but settings of the word lists (*keywords*, *PERMA lexicon*, *Empath*: how "
        "lengths are smoothed, which of Empath's themes make relevance) were picked on the founders' texts, which flatters them.",
        "",
    ]
    lines += [f"- *{tool.name}*: {tool.about}." for tool in tools] + [""]
    return lines + ceiling_section(study, report)


def _further(study: Study, report: EvaluationReport, subsets: dict[str, np.ndarray]) -> list[str]:
    names = [name for name in HEADLINES if name not in MEASURES]
    rows = []
    for key, chosen in subsets.items():
        for tier in MODELS:
            model = Model.of_tier(study, tier)
            found = headlines(study.truth[chosen], study.judgement.scores[tier][chosen], model.cut)
            report.further.setdefault(key, {})[model.name] = found
            rows.append((model.name, key, *(number(found[name]) for name in names)))
    return ["Other measures:", "", *table(("", "texts", *(HEADLINES[name] for name in names)), rows)]


def field_section(study: Study, report: EvaluationReport) -> list[str]:
    """Section 2."""
    rows = []
    for head, i in HEAD_INDEX.items():
        truth, scores = study.truth[:, i], study.judgement.scores["balanced"][:, i]
        found = {f"auroc_{key}": auroc(truth, study.judgement.scores[key][:, i]) for key in MODELS}
        best, cut = best_f1(truth, scores) if truth.any() else (math.nan, math.nan)
        found |= {"ap": average_precision(truth, scores), "f1": best, "cut": cut, "ece": ece(truth, scores)}
        report.heads[head] = {"positives": float(truth.sum())} | found
        areas = [number(found[f"auroc_{key}"]) for key in MODELS]
        shown = [number(found["ap"]), number(best), number(cut, 2), number(found["ece"])]
        rows.append((f"`{head}`", f"{int(truth.sum()):,}", *areas, *shown))
    return [
        "## 2. Every label",
        "",
        "AUROC of each tier; average precision, best F1 with its cut, and calibration error of the balanced cascade. All "
        "annotated texts. With fewer than about 50 positives a figure says little.",
        "",
        *table(("label", "positives", *(f"AUROC {key}" for key in MODELS), "AP", "best F1", "at", "ECE"), rows),
    ]


def corpus_section(study: Study, report: EvaluationReport) -> list[str]:
    """Section 3."""
    both = [Model.of_tier(study, key) for key in ("encoder", "balanced")]
    removed = study.removed("balanced")
    rows = []
    for group, count in Counter(study.groups.tolist()).most_common():
        here = study.groups == group
        chosen = np.flatnonzero(here)
        cells = []
        for name in ("relevance_spearman", "relevance_f1", "facets_auroc", "harm_auroc"):
            measures = [measure_of(model, study.truth, name) for model in both]
            cells.append(" / ".join(number(measure(chosen), 2) if measure else "–" for measure in measures))
        rows.append(
            (
                group, f"{count:,}", *cells, int((study.harmful & here).sum()),
                percent(rate(removed, here & ~study.harmful)), percent(rate(~removed, here & study.harmful)),
            )
        )  # fmt: skip
    return [
        "## 3. Every corpus",
        "",
        "Each group of corpora was held out whole. Figures: encoder / balanced. Books are held out one by one and pooled here. "
        "Removed and missed: balanced, per cent with Wilson intervals.",
        "",
        *table(
            (
                "group", "texts", "relevance, Spearman", "F1 at 3", "facets, AUROC", "harm, AUROC", "harmful",
                "benign removed", "harmful missed",
            ),
            rows,
        ),
    ]  # fmt: skip
