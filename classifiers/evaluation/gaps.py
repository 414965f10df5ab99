"""Section 5: slices of the texts against the rest, and the gaps that are larger than their interval."""

from __future__ import annotations

import math

import numpy as np

from classifiers.evaluate import expected
from classifiers.evaluation.cases import by_kind, hatecheck_cases
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import number, percent, table
from classifiers.evaluation.measures import measure_of
from classifiers.evaluation.rates import difference, mean_difference, rate, real
from classifiers.evaluation.shipped import Reader, read_all
from classifiers.evaluation.slices import FEWEST, Group, dialect, residuals_of_writers, slices_of, targets, writers
from classifiers.evaluation.study import Model, Study


def slice_section(study: Study, report: EvaluationReport, readers: dict[str, Reader]) -> list[str]:
    """Section 5."""
    body = _annotated_slices(study, report)
    reader = readers.get("balanced")
    if reader is not None:
        body += _target_table(study, report, reader)
        body += _group_table(
            report,
            "HappyDB",
            "Writers of happy moments (HappyDB), by what they said of themselves; shipped scorer, balanced, moments not "
            "trained on. People tell of different things, so a gap in relevance is no proof of bias; the next table is nearer",
            writers(study.data, reader, study.known, study.seed),
        )
    errors = residuals_of_writers(
        study.data, study.texts, study.truth, study.judgement.scores["balanced"], study.removed("balanced")
    )
    body += _group_table(
        report,
        "HappyDB, annotated",
        "The same writers, annotated moments, held out: mean of score *less label*",
        errors,
        signed=True,
    )
    if reader is not None:
        body += _group_table(
            report,
            "tweets",
            "Tweets that their corpora's annotators called harmless, with and without markers of African American English "
            "(`slices.AAE_MARKERS`, a proxy that marks texts, not people); shipped scorer, balanced, tweets not trained on. "
            "Those corpora's own labels lean against such tweets (Sap et al. 2019), so what they call harmless is a picked lot",
            dialect(study.data, reader, study.known, study.seed),
        )
    of_form = [line for line in report.gaps if line.startswith(("register,", "length,"))]
    of_people = [line for line in report.gaps if line not in of_form]
    return [
        "## 5. Slices",
        "",
        f"**Gaps larger than their interval**: {len(report.gaps)} of {report.compared} comparisons of a slice with the rest; by "
        f"chance alone about {0.05 * report.compared:.0f} would be. Slices overlap in corpus, register and length, and intervals "
        "take texts for independent: a gap says where to look, not why.",
        "",
        "Between groups of people and varieties of English:",
        "",
        *([f"- {line}" for line in of_people] or ["- none"]),
        "",
        f"<details><summary>Between registers and lengths ({len(of_form)})</summary>",
        "",
        *(f"- {line}" for line in of_form),
        "",
        "</details>",
        "",
        *body,
    ]


def _note(
    report: EvaluationReport, what: str, gap: tuple[float, float, float], unit: str, mirrored: bool = False
) -> bool:
    """Whether a gap's interval leaves out zero; if so it is kept in words, and counted in any case.

    :param mirrored: the same comparison seen from its other side: neither counted nor kept.
    """
    if mirrored or any(map(math.isnan, gap)):
        return real(gap)
    report.compared += 1
    if not real(gap):
        return False
    factor = 100 if unit == "points" else 1
    digits = 1 if unit == "points" else 2
    value, low, high = (f"{factor * part:+.{digits}f}" for part in gap)
    report.gaps.append(f"{what}: {value} {unit} ({low} to {high})")
    return True


def _annotated_slices(study: Study, report: EvaluationReport) -> list[str]:
    lines = [
        "Annotated texts, held out, balanced cascade. An asterisk marks a gap to the rest larger than its interval. Scores lie "
        "nearer the middle than labels, so slices whose labels are high seem scored low, and the reverse.",
        "",
    ]
    scores, removed = study.judgement.scores["balanced"], study.removed("balanced")
    error = expected(scores).astype(np.float64) - expected(study.truth)
    model = Model.of_tier(study, "balanced")
    corpora_of = [example.corpus for example in study.examples]
    for column, parts in slices_of(study.texts, study.truth, corpora_of).items():
        union = np.any(list(parts.values()), axis=0) if parts else np.zeros(len(error), dtype=bool)
        rows = []
        for place, (name, here) in enumerate(parts.items()):
            others, mirrored = union & ~here, len(parts) == 2 and place == 1
            cells = [f"{int(here.sum()):,}"]
            for measure in ("relevance_spearman", "relevance_f1", "harm_auroc"):
                value = measure_of(model, study.truth, measure)
                cells.append(number(value(np.flatnonzero(here))) if value else "–")
            what = f"{column}, {name}"
            gap = mean_difference(error[here], error[others])
            star = _note(report, f"{what}: relevance over its label", gap, "of 5", mirrored)
            cells.append(f"{error[here].mean():+.2f}" + "*" * star)
            for title, taken, of in (
                ("benign removed", removed, ~study.harmful),
                ("lived experience removed", removed, study.lived),
                ("harmful missed", ~removed, study.harmful),
            ):
                one, other = rate(taken, here & of), rate(taken, others & of)
                star = one.total >= FEWEST <= other.total and _note(
                    report, f"{what}: {title}", difference(one, other), "points", mirrored
                )
                cells.append(percent(one) + "*" * star)
            rows.append((name, *cells))
        lines += table(
            (
                column, "texts", "relevance, Spearman", "F1 at 3", "harm, AUROC", "relevance less label", "benign removed, %",
                "lived experience removed, %", "harmful missed, %",
            ),
            rows,
        )  # fmt: skip
    return lines


def _target_table(study: Study, report: EvaluationReport, reader: Reader) -> list[str]:
    cases = hatecheck_cases(study.data)
    if not cases:
        return []
    reading = read_all(reader, [case.text for case in cases])
    rows = []
    for found in targets(cases, reading):
        stars = [_note(report, f"HateCheck, {found.name}, {what}", gap, "points") for what, gap in found.gaps.items()]
        rows.append((found.name + "*" * any(stars), number(found.area), percent(found.taken), percent(found.caught)))
    functions = by_kind([case.detail for case in cases], reading.removed)
    return [
        "Groups of people spoken of (HateCheck; shipped scorer, balanced, per cent):",
        "",
        *table(("", "AUROC, hateful against not", "not hateful, removed", "hateful, removed"), rows),
        "<details><summary>Each of HateCheck's functionalities (balanced; *_h* is hateful, *_nh* not)</summary>",
        "",
        *table(
            ("", "texts", "removed, %"), ((f"`{n}`", share.total, percent(share)) for n, share in functions.items())
        ),
        "</details>",
        "",
    ]


def _group_table(
    report: EvaluationReport, name: str, title: str, groups: list[Group], signed: bool = False
) -> list[str]:
    """A table of groups; ``name`` is what a gap of theirs is filed under, ``signed`` says that means may be negative."""
    rows = []
    columns = [group.column for group in groups]
    for place, group in enumerate(groups):
        mean, half = group.relevance
        mirrored = columns.count(group.column) == 2 and group.column in columns[:place]
        what = f"{name}, {group.column} {group.name}"
        more = _note(report, f"{what}: relevance" + (" over its label" if signed else ""), group.gap, "of 5", mirrored)
        taken = _note(report, f"{what}: removed as harm", group.removed_gap, "points", mirrored)
        shown = f"{mean:{'+' if signed else ''}.2f} ± {half:.2f}" + "*" * more
        removed = percent(group.removed) + "*" * taken
        rows.append((f"{group.column}: {group.name}", f"{group.count:,}", shown, removed))
    second = "relevance less label" if signed else "relevance"
    return [f"{title}:", "", *table(("", "texts", second, "removed as harm, %"), rows)] if rows else []
