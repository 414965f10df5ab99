"""Section 7: whether a probability is one. Expected calibration error, and a reliability diagram as SVG."""

from __future__ import annotations

import math

import numpy as np

from classifiers import calibrate
from classifiers.calibrate import Stack, ece
from classifiers.corpora import HEAD_INDEX
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.markdown import number, table
from classifiers.evaluation.study import MODELS, Study
from classifiers.scorer import FIELDS, field_of


def calibration_section(study: Study, report: EvaluationReport) -> list[str]:
    """Section 7; the diagram itself is :func:`reliability_svg`."""
    columns = {MODELS[key][0]: study.judgement.scores[key] for key in MODELS}
    for key in ("balanced", "encoder"):
        columns[f"{key}, calibrated without the text's fold"] = calibrated_elsewhere(study, key)
    for name, scores in columns.items():
        report.calibration[name] = {
            part: float(np.mean([ece(study.truth[:, i], scores[:, i]) for i in _heads_of(part)])) for part in FIELDS
        }
    rows = [(name, *(number(found[part]) for part in FIELDS)) for name, found in report.calibration.items()]
    points = [
        (part, f"{100 * low:.0f}-{100 * low + 10:.0f} %", f"{count:,}", number(mean), number(seen))
        for part in FIELDS
        for mean, seen, count in _points(study, part)
        for low in [min(int(mean * 10), 9) / 10]
    ]
    return [
        "## 7. Calibration",
        "",
        "Expected calibration error (15 bins of equal mass), mean over a field's labels. The first rows are flattered, as "
        "calibration was fitted on these scores; the last two are not.",
        "",
        *table(("", *FIELDS), rows),
        "![Stated probability against rate found, for each field](reliability.svg)",
        "",
        "<details><summary>The diagram's points (balanced cascade, all labels of a field pooled)</summary>",
        "",
        *table(("field", "bin", "scores", "mean probability", "rate found"), points),
        "</details>",
        "",
    ]


def calibrated_elsewhere(study: Study, key: str) -> np.ndarray:
    """A model's probabilities calibrated once more, each fold by the others: what its probabilities are worth on corpora that
    calibration never saw."""
    scores = study.judgement.scores[key].astype(np.float64)
    logits = np.log(np.clip(scores, 1e-6, 1 - 1e-6) / np.clip(1 - scores, 1e-6, 1 - 1e-6))
    result = scores.copy()
    for fold in np.unique(study.fold):
        here = study.fold == fold
        if not here.all():
            result[here] = Stack.fit([logits[~here]], study.truth[~here]).probabilities([logits[here]])
    return result


def _heads_of(name: str) -> list[int]:
    return [i for head, i in HEAD_INDEX.items() if field_of(head) == name]


def _points(study: Study, part: str) -> list[tuple[float, float, int]]:
    heads = _heads_of(part)
    truth, scores = study.truth[:, heads].ravel(), study.judgement.scores["balanced"][:, heads].ravel()
    return calibrate.reliability(truth, scores)


_PANEL, _GAP, _TOP = 180, 46, 30


def reliability_svg(study: Study) -> str:
    """A reliability diagram for each field, as SVG text; points grow with the number of scores behind them."""
    wide, high = 3 * (_PANEL + _GAP) + _GAP, 2 * (_PANEL + _GAP + _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="11" role="img">',
        "<title>Reliability of the balanced cascade: stated probability against rate found</title>",
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>',
    ]
    for place, part in enumerate(FIELDS):
        left = _GAP + place % 3 * (_PANEL + _GAP)
        top = _TOP + place // 3 * (_PANEL + _GAP + _TOP)
        parts += _panel(part, left, top, _points(study, part))
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, left: int, top: int, points: list[tuple[float, float, int]]) -> list[str]:
    places = [(left + _PANEL * mean, top + _PANEL * (1 - seen), count) for mean, seen, count in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    ticks = "".join(
        f'<text x="{left + _PANEL * share:.0f}" y="{top + _PANEL + 14}" text-anchor="middle" fill="#666">{share:g}</text>'
        f'<text x="{left - 6}" y="{top + _PANEL * (1 - share) + 4:.0f}" text-anchor="end" fill="#666">{share:g}</text>'
        for share in (0, 0.5, 1)
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{1.5 + math.log10(count + 1):.1f}" fill="#1f5f8b"><title>{count:,} scores</title></circle>'
        for x, y, count in places
    )
    return [
        f'<text x="{left}" y="{top - 8}" font-weight="bold">{name}</text>',
        f'<rect x="{left}" y="{top}" width="{_PANEL}" height="{_PANEL}" fill="none" stroke="#999"/>',
        f'<line x1="{left}" y1="{top + _PANEL}" x2="{left + _PANEL}" y2="{top}" stroke="#bbb" stroke-dasharray="4 3"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f5f8b"/>',
        dots,
        ticks,
        f'<text x="{left + _PANEL / 2:.0f}" y="{top + _PANEL + 28}" text-anchor="middle" fill="#666">stated probability</text>',
    ]
