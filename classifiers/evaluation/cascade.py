"""Section 6: how far texts go on through the tiers, and what that costs in time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa

from classifiers import teacher
from classifiers.evaluate import HEADLINES
from classifiers.evaluation.findings import EvaluationReport, Speed
from classifiers.evaluation.markdown import number, table
from classifiers.evaluation.measures import MEASURES
from classifiers.evaluation.shipped import Reader, Shipped
from classifiers.evaluation.study import MODELS, Study
from classifiers.excerpts import rank
from classifiers.features import score_windows
from classifiers.scorer import TIERS
from classifiers.windows import windows_of

#: Most texts the speed is measured on; the slowest models read fewer.
SPEED_TEXTS = 2000
SLOW_TEXTS = 200
TEACHER_TEXTS = 32


def cascade_section(
    study: Study, report: EvaluationReport, readers: dict[str, Reader], cache: Path | None
) -> list[str]:
    """Section 6; speed is measured when a cache is given, for the teacher's encoder is there."""
    report.asked["annotated texts"] = study.judgement.asked
    sample = speed_sample(study)
    shipped = {effort: reader for effort, reader in readers.items() if isinstance(reader, Shipped)}
    if shipped and sample:
        report.asked[f"{len(sample):,} excerpts of all corpora"] = _tiers_asked(shipped["balanced"], sample)
    if cache is not None and shipped and sample:
        report.speeds = speeds(shipped, sample)
        report.speeds |= _teacher_speed(sample[:TEACHER_TEXTS], cache, report)
    elif cache is not None:
        report.missing.append("speed: needs the shipped weights and unlabelled texts")
    alarms = ", ".join(f"{doubt.alarm:g} or more after {tier}" for tier, doubt in study.judgement.doubts.items())
    lines = [
        "## 6. Cascade and speed",
        "",
        f"A text goes on to the next tier where its doubt, fitted on held-out corpora, is large enough, and in any case where the "
        f"probability of harm is {alarms}: harm is rare, so it weighs little in doubt, but it is what a text is dropped for.",
        "",
        "Share of texts the balanced cascade asks each tier about (annotated texts were chosen for being hard, so more of them "
        "go on):",
        "",
        *table(("", *TIERS), ((name, *(f"{100 * shares.get(tier, 0):.1f} %" for tier in TIERS)) for name, shares in report.asked.items())),
        "Quality against speed. Quality: all annotated texts, held out. "
        + (
            f"Speed: one process, {len(sample):,} excerpts of all corpora (best: {min(len(sample), SLOW_TEXTS)}, teacher: "
            f"{TEACHER_TEXTS}), the fastest of three runs; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} when "
            "measured. *Kernel* is the bare fastText call on windows already cut; *times the kernel* is time for a text."
            if report.speeds
            else "Speed was not measured."
        ),
        "",
    ]  # fmt: skip
    return lines + _pareto(report)


def _pareto(report: EvaluationReport) -> list[str]:
    names = {"fast": "fasttext", "balanced": "balanced", "best": "encoder", "teacher": "teacher"}
    quality = {
        effort: [figure.value for figure in report.headlines["all"][MODELS[key][0]].values() if figure]
        for effort, key in names.items()
    }
    rows = []
    for effort in ("kernel", *names):
        speed = report.speeds.get(effort)
        shown = [f"{speed.texts:,.0f}", f"{speed.megabytes:.3g}", f"{speed.ratio:,.1f}"] if speed else ["–"] * 3
        values = [number(value) for value in quality[effort]] if effort in quality else ["–"] * len(MEASURES)
        rows.append((effort, *shown, *values))
    return table(("", "texts/s", "MB/s", "times the kernel", *(HEADLINES[name] for name in MEASURES)), rows)


def speed_sample(study: Study) -> list[str]:
    """Up to :data:`SPEED_TEXTS` unlabelled excerpts, chosen by hash."""
    texts = [example.text for example in study.material.examples[study.material.labelled :]]
    return sorted(texts, key=lambda text: rank(study.seed, "speed", text))[:SPEED_TEXTS]


def _tiers_asked(reader: Shipped, texts: list[str]) -> dict[str, float]:
    """Share of texts each tier is asked about by the shipped scorer: a text the last tier decided was seen by all."""
    languages = pa.array(["en"] * len(texts))
    decided = reader.scorer.score(pa.array(texts), languages).column("tier").drop_null().to_pylist()
    place = {tier: i for i, tier in enumerate(TIERS)}
    return {tier: sum(place[name] >= i for name in decided) / max(1, len(decided)) for i, tier in enumerate(TIERS)}


def _fastest(call: Callable[[], object], runs: int = 3) -> float:
    """Seconds of the fastest of some runs: the one others on the machine disturbed least."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _speed(texts: list[str], seconds: float, kernel: float) -> Speed:
    """Speed of reading these texts, ``kernel`` being the seconds its bare kernel takes for a text."""
    megabytes = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6
    return Speed(len(texts) / seconds, megabytes / seconds, seconds / len(texts) / kernel)


def speeds(shipped: dict[str, Shipped], texts: list[str]) -> dict[str, Speed]:
    """Speed of the bare kernel and of each effort, texts given as English (ingest has found the language out)."""
    scorer = next(iter(shipped.values())).scorer
    scorer.warm_up()
    windows = windows_of(pa.array(texts))
    kernel = _fastest(lambda: score_windows(windows, scorer._tables, scorer._output, scorer._bias)) / len(texts)
    found = {"kernel": _speed(texts, kernel * len(texts), kernel)}
    for effort, reader in shipped.items():
        part = texts[:SLOW_TEXTS] if effort == "best" else texts
        column, languages = pa.array(part), pa.array(["en"] * len(part))
        reader.scorer.score(column[:8], languages[:8])
        seconds = _fastest(partial(reader.scorer.score, column, languages))
        found[effort] = _speed(part, seconds, kernel)
    return found


def _teacher_speed(texts: list[str], cache: Path, report: EvaluationReport) -> dict[str, Speed]:
    """Speed of the teacher's encoder, on one thread; its heads cost nothing beside it."""
    if not teacher.available():
        report.missing.append("the teacher's speed: its encoder is not installed (the `train` extra)")
        return {}
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        encode = teacher._encoder(cache)
        encode(texts[:2])
        seconds = _fastest(lambda: encode(texts), runs=1)
    finally:
        torch.set_num_threads(threads)
    return {"teacher": _speed(texts, seconds, 1 / report.speeds["kernel"].texts)}
