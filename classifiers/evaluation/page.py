"""The page: every figure we hold the classifiers to, with what they are to be compared with.

Scores of annotated texts are held-out ones (:func:`classifiers.train.judge`): no tier saw a text's corpus. Where the page
speaks of the *shipped scorer* it runs the weights on texts that no tier was trained on. No text is ever written out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from classifiers import train
from classifiers.evaluation.baselines import filters
from classifiers.evaluation.calibration import calibration_section, reliability_svg
from classifiers.evaluation.cascade import cascade_section
from classifiers.evaluation.findings import EvaluationReport
from classifiers.evaluation.gaps import slice_section
from classifiers.evaluation.quality import corpus_section, field_section, headline_section
from classifiers.evaluation.safety import safety_section
from classifiers.evaluation.shipped import Reader, Shipped, readers_of
from classifiers.evaluation.study import Study
from classifiers.evaluation.worst import worst_section
from classifiers.material import FOLDS
from classifiers.scorer import WEIGHTS

OUT = Path(__file__).parent.parent / "EVALUATION.md"
Log = Callable[[str], None]


def evaluate(
    data: Path,
    cache: Path,
    out: Path = OUT,
    *,
    seed: int = 0,
    throughput: bool = True,
    worst: Path | None = None,
    weights: Path = WEIGHTS,
    log: Log = lambda message: None,
) -> EvaluationReport:
    """Judge all tiers on corpora they never saw, and write the page.

    :param data: root of the corpora (``WELLMIX_DATA``), with ``annotations/annotations.jsonl``.
    :param cache: features and held-out scores of training; what is there is not computed again.
    :param out: the Markdown page; ``reliability.svg`` goes beside it.
    :param throughput: measure speed too, for which the machine should be idle.
    :param worst: where the largest errors go, one JSON object a line, to be read by hand; nowhere when None.
    :param weights: the shipped weights.
    :param log: told what is going on.
    :raises UserError: annotations are missing, or the ``train`` extra is not installed.
    """
    began = time.monotonic()
    material, judgement = train.judge(data, cache, seed, log=log)
    found, missing = filters()
    log("filters and baselines")
    study = Study(material, judgement, data, seed, found)
    readers = readers_of(weights, missing)
    report = EvaluationReport(out, missing=missing)
    report.texts = {
        "annotated": material.labelled,
        "founders": int(study.founders.sum()),
        "groups": len(set(study.clusters)),
    }
    body: list[str] = []
    for name, section in (
        ("headlines", headline_section),
        ("fields", field_section),
        ("corpora", corpus_section),
    ):
        log(name)
        body += section(study, report)
    log("safety")
    body += safety_section(study, report, readers)
    log("slices")
    body += slice_section(study, report, readers)
    log("speed" if throughput else "cascade")
    body += cascade_section(study, report, readers, cache if throughput else None)
    log("calibration")
    body += calibration_section(study, report)
    body += worst_section(study, report, worst)
    out.parent.mkdir(parents=True, exist_ok=True)
    (out.parent / "reliability.svg").write_text(reliability_svg(study), encoding="utf-8")
    report.seconds = round(time.monotonic() - began, 1)
    page = "\n".join(_opening(study, report, readers) + body + _closing(report))
    out.write_text(page.rstrip() + "\n", encoding="utf-8")
    return report


def _opening(study: Study, report: EvaluationReport, readers: dict[str, Reader]) -> list[str]:
    versions = [
        f"`{reader.scorer.version}` ({effort})" for effort, reader in readers.items() if isinstance(reader, Shipped)
    ]
    return [
        "# How good the classifiers are",
        "",
        "Written by `wellmix evaluate`; do not edit. Labels and their meaning: `taxonomy.py` and `RUBRIC.md`.",
        "",
        f"{report.texts['annotated']:,} annotated texts of {report.texts['groups']} groups of corpora. Each was scored by tiers "
        f"that learnt from no corpus of its group: groups are held out in {FOLDS} folds, and training texts that share "
        f"ten running words with a held-out text are left out. Calibration and thresholds are fitted on the pooled held-out "
        "scores; sections 4 and 7 say what that flatters. Labels are a language model's readings: good, not truth; section 1 "
        "ends with how far two of its readings agree.",
        "",
        "*Shipped scorer*: the weights in `weights/`, trained on all annotated texts, on texts that were not among them. "
        + (f"Versions: {', '.join(versions)}." if versions else "Not available for this page."),
        "",
        "1. [Headlines](#1-headlines): tiers, baselines, ceiling",
        "2. [Every label](#2-every-label)",
        "3. [Every corpus](#3-every-corpus)",
        "4. [Safety, both errors](#4-safety-both-errors)",
        "5. [Slices](#5-slices): groups of people, ways of writing",
        "6. [Cascade and speed](#6-cascade-and-speed)",
        "7. [Calibration](#7-calibration)",
        "8. [Worst errors](#8-worst-errors)",
        "",
    ]


def _closing(report: EvaluationReport) -> list[str]:
    if not report.missing:
        return []
    return ["## Left out", "", *(f"- {line}" for line in report.missing), ""]
