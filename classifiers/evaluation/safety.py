"""Section 4: what a harm threshold costs and misses, at which cut, in which kinds of text."""

from __future__ import annotations

import math

import numpy as np

from classifiers import fitting
from classifiers.corpora import HEAD_INDEX, LEARNED_HARM
from classifiers.evaluate import Rate, auroc, safety_errors
from classifiers.evaluation.cases import GUARD, Case, by_kind, contrast_cases, guard_cases, hatecheck_cases
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import number, percent, table
from classifiers.evaluation.rates import rate
from classifiers.evaluation.shipped import Reader, cuts_of, read_all
from classifiers.evaluation.study import Study
from classifiers.scorer import EFFORTS, SHORT_WORDS

#: Shares for the trade-off between the two errors of safety.
REMOVED = (0.005, 0.01, 0.02, 0.05)
MISSED = (0.1, 0.2)


def safety_section(study: Study, report: EvaluationReport, readers: dict[str, Reader]) -> list[str]:
    """Section 4."""
    return [
        "## 4. Safety, both errors",
        "",
        f"*Lived experience*: benign texts with a disclosure, or with adversity as a theme ({int(study.lived.sum()):,} of the "
        f"annotated texts, {int((study.lived & study.short).sum()):,} of fewer than {SHORT_WORDS} words). *Harmful*: "
        f"{int(study.harmful.sum()):,}, {int((study.harmful & study.short).sum()):,} of them short. Short texts have a "
        "threshold of their own, as one word decides a sentence. Intervals are Wilson's, of texts; corpora differ more than "
        "they say.",
        "",
        *_errors(study, report),
        *_unseen_cuts(study, report),
        *_trade_off(study),
        *_held_out_kinds(study, report),
        *_shipped_kinds(study, report, readers),
    ]


def _errors(study: Study, report: EvaluationReport) -> list[str]:
    rows = []
    for name in (*EFFORTS, "teacher", *study.filtered):
        removed = study.removed(name)
        found: dict[str, Rate] = {}
        for length, part in (("", np.ones_like(study.short)), ("_usual", ~study.short), ("_short", study.short)):
            found[f"lived_removed{length}"] = rate(removed, study.lived & part)
            found[f"harm_missed{length}"] = rate(~removed, study.harmful & part)
            found[f"benign_removed{length}"] = rate(removed, ~study.harmful & part)
            title = {"": "all", "_usual": f"{SHORT_WORDS} words and more", "_short": "short"}[length]
            shown = (found[f"{kind}{length}"] for kind in ("lived_removed", "harm_missed", "benign_removed"))
            rows.append((name, title, *shown))
        report.safety[name] = found
    return [
        "At the shipped thresholds; filters as their documentation says (alt-profanity-check at 0.5):",
        "",
        *table(("", "texts", "lived experience wrongly removed", "harmful missed", "any benign removed"), rows),
    ]


def _unseen_cuts(study: Study, report: EvaluationReport) -> list[str]:
    """The two errors at thresholds set on the other folds: what new corpora would meet."""
    rows = []
    for effort in EFFORTS:
        scores = study.judgement.scores[effort]
        cuts = np.full(len(scores), 0.5)
        for fold in np.unique(study.fold):
            here = study.fold == fold
            if here.all():
                continue
            found = fitting.thresholds(study.truth[~here], scores[~here], study.short[~here], study.plain[~here])
            cuts[here] = cuts_of([study.texts[i] for i in np.flatnonzero(here)], found)
        lived, missed = safety_errors(study.truth, scores, cuts)
        report.unseen_cuts[effort] = {"lived_removed": lived, "harm_missed": missed}
        rows.append((effort, lived, missed))
    return [
        "The thresholds above were set on these very texts. At thresholds set on the other folds alone, as a new corpus "
        "would meet them:",
        "",
        *table(("", "lived experience wrongly removed", "harmful missed"), rows),
    ]


def _trade_off(study: Study) -> list[str]:
    rows = []
    graded = [item.name for item in study.filters if len(np.unique(study.filtered[item.name])) > 2]
    for name in (*EFFORTS, "teacher", *graded):
        for title, part in (("all", None), (f"{SHORT_WORDS} words and more", ~study.short), ("short", study.short)):
            chosen = np.ones_like(study.short) if part is None else part
            harm = study.harm(name)
            lived, harmful = harm[study.lived & chosen], harm[study.harmful & chosen]
            if not len(lived) or not len(harmful):
                continue
            cuts = [cut_for_removed(lived, share) for share in REMOVED]
            missed = [f"{100 * (harmful < cut).mean():.1f}" for cut in cuts]
            benign = f"{100 * (harm[~study.harmful & chosen] >= cuts[1]).mean():.1f}"
            removed = [f"{100 * (lived >= cut_for_missed(harmful, share)).mean():.1f}" for share in MISSED]
            rows.append((name, title, *missed, *removed, benign))
    return [
        "What one threshold could do (per cent): harmful missed when so much lived experience is removed, the reverse, and what it "
        f"takes of all benign texts when it takes {100 * REMOVED[1]:g} % of lived experience.",
        "",
        *table(
            (
                "", "texts", *(f"missed at {100 * share:g} % removed" for share in REMOVED),
                *(f"removed at {100 * share:g} % missed" for share in MISSED),
                f"any benign removed at {100 * REMOVED[1]:g} %",
            ),
            rows,
        ),
    ]  # fmt: skip


def cut_for_removed(lived: np.ndarray, share: float) -> float:
    """The lowest cut that removes at most this share of the texts with these scores."""
    ordered = np.sort(lived)[::-1]
    allowed = int(share * len(ordered))
    return float(np.nextafter(ordered[allowed], np.inf)) if allowed < len(ordered) else -math.inf


def cut_for_missed(harmful: np.ndarray, share: float) -> float:
    """The highest cut that misses at most this share of the texts with these scores."""
    ordered = np.sort(harmful)
    allowed = int(share * len(ordered))
    return float(ordered[allowed]) if allowed < len(ordered) else math.inf


def _held_out_kinds(study: Study, report: EvaluationReport) -> list[str]:
    lines: list[str] = []
    for title, kinds in (
        ("Benign texts removed, by kind (held out; a text can be of several kinds)", benign_kinds(study.truth)),
        ("Harmful texts caught, by class (held out)", harmful_kinds(study.truth)),
    ):
        removed = {name: study.removed(name) for name in study.removers}
        rows = []
        for kind, chosen in kinds.items():
            found = {name: rate(taken, chosen) for name, taken in removed.items()}
            report.kinds[kind] = found
            rows.append((kind, f"{int(chosen.sum()):,}", *map(percent, found.values())))
        lines += [f"{title}, per cent:", "", *table(("", "texts", *removed), rows)]
    return lines


def benign_kinds(truth: np.ndarray) -> dict[str, np.ndarray]:
    """Annotated texts without harm that ordinary filters stumble over, by kind: bool, shape (texts,)."""
    column = {name: truth[:, i] > 0.5 for name, i in HEAD_INDEX.items()}
    benign = ~column["safety_harm"]
    better = column["stance_flourishing"] | column["stance_mixed"]
    return {
        "disclosure of own pain": benign & column["safety_disclosure"],
        "adversity as a theme, no disclosure": benign
        & column["relevance_3"]
        & column["facet_adversity"]
        & ~column["safety_disclosure"],
        "recovery, coping (adversity, stance flourishing or mixed)": benign & better & column["facet_adversity"],
        "support given (2 or more)": benign & column["support_2"],
        "harm quoted, reported or condemned": benign & column["safety_discusses_harm"],
        "all other benign texts": benign
        & ~column["safety_disclosure"]
        & ~column["facet_adversity"]
        & ~column["support_2"]
        & ~column["safety_discusses_harm"],
    }


def harmful_kinds(truth: np.ndarray) -> dict[str, np.ndarray]:
    """Annotated harmful texts by class: bool, shape (texts,)."""
    kinds = {name: truth[:, HEAD_INDEX[f"safety_{name}"]] > 0.5 for name in LEARNED_HARM}
    rest = (truth[:, HEAD_INDEX["safety_harm"]] > 0.5) & ~np.any(list(kinds.values()), axis=0)
    return kinds | {"another class": rest}


def _shipped_kinds(study: Study, report: EvaluationReport, readers: dict[str, Reader]) -> list[str]:
    if not readers:
        return ["The shipped scorer is not available: HateCheck, CoCoNot and guard texts are left out.", ""]
    contrast = contrast_cases(study.data, study.known)
    lines: list[str] = []
    for name, title, cases in (
        (
            "HateCheck",
            "HateCheck (Röttger et al. 2021), never trained on; shipped scorer. Its *not hateful* abuse of people who are no "
            "protected group is harassment in our rubric, so removing it is no error",
            hatecheck_cases(study.data),
        ),
        (
            "CoCoNot's contrast set",
            "CoCoNot's contrast set (Brahman et al. 2024): harmless requests; shipped scorer. Those that training saw, labelled or "
            "not, are left out",
            contrast,
        ),
        ("guard.jsonl", "Synthetic benign texts (`guard.jsonl`); shipped scorer", guard_cases(GUARD)),
    ):
        if cases:
            lines += _case_table(study, report, readers, title, cases)
        else:
            report.missing.append(f"{name} is not there")
    return lines


def _case_table(
    study: Study, report: EvaluationReport, readers: dict[str, Reader], title: str, cases: list[Case]
) -> list[str]:
    """Share removed of each kind of case, by effort and filter; and the AUROC of HateCheck's own labels."""
    texts = [case.text for case in cases]
    readings = {effort: read_all(reader, texts) for effort, reader in readers.items()}
    harm = {name: reading.harm for name, reading in readings.items()}
    removed = {name: reading.removed for name, reading in readings.items()}
    for item in study.filters:
        harm[item.name] = item.score(texts)
        removed[item.name] = harm[item.name] >= item.cut
    kinds = [case.kind for case in cases]
    found = {name: by_kind(kinds, taken) for name, taken in removed.items()}
    wanted = {case.kind: case.harmful for case in cases}
    rows = []
    for kind, harmful in sorted(wanted.items(), key=lambda pair: pair[1]):  # what is to be kept first
        report.kinds[kind] = {name: shares[kind] for name, shares in found.items()}
        rows.append(
            (kind, "remove" if harmful else "keep", kinds.count(kind), *map(percent, report.kinds[kind].values()))
        )
    lines = [f"{title}. Share removed, per cent:", "", *table(("", "should", "texts", *found), rows)]
    hateful = np.array([case.detail.endswith("_h") for case in cases])
    if hateful.any():
        report.hatecheck = {name: auroc(hateful, scores) for name, scores in harm.items()}
        areas = ", ".join(f"{name} {number(area)}" for name, area in report.hatecheck.items())
        lines += [f"AUROC of HateCheck's own labels, hateful or not: {areas}.", ""]
    return lines
