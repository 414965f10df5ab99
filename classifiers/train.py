"""Training: annotated and distantly labelled texts in, weights with a manifest and a model card out.

1. Read the texts (:mod:`classifiers.corpora`).
2. With a teacher, label what is unlabelled: logistic heads on a frozen sentence encoder, learnt from annotated texts.
3. Hold out groups of corpora in turn, train teacher heads and student on the rest, score what was held out.
4. From those held-out scores: calibration, thresholds, figures.
5. Train the student on everything; write weights, manifest and card.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from classifiers import corpora, teacher
from classifiers.card import write_card
from classifiers.corpora import HEAD_INDEX, HEADS, Example
from classifiers.evaluate import (
    Rate,
    annotated_relevance,
    auroc,
    f1,
    figures,
    folds_of,
    lived_experience,
    platt,
    safety_errors,
    tainted,
)
from classifiers.features import normalise
from classifiers.scorer import FORMAT, MANIFEST_FILE, SHORT_WORDS, WEIGHTS, WEIGHTS_FILE, Scorer
from classifiers.student import Settings, Student, train_student, vocabulary_of

#: Share of benign lived experience that the recommended harm threshold may remove.
LIVED_REMOVED = 0.01
#: The same of short texts: their scores overlap so much that 1 % would leave most of the harm, and a lost sentence costs less
#: than a lost story.
LIVED_REMOVED_SHORT = 0.03


@dataclass
class TrainReport:
    """What a training run did.

    :param seconds: wall time in all.
    :param texts: annotated, distant and held-out texts used.
    :param corpora: texts learnt from, by corpus.
    :param missing: corpora whose folder is not there.
    :param taught: whether a teacher labelled the unlabelled.
    :param figures: held-out figures (:func:`classifiers.evaluate.figures`).
    :param thresholds: recommended cuts.
    :param lived_removed: benign lived experience removed at them.
    :param harm_missed: harmful texts missed at them.
    :param by_length: both errors for texts of 30 words or more and for shorter ones, each at its threshold.
    :param tradeoff: threshold of ``safety_harm``, lived experience removed and harmful texts missed at it.
    :param version: version of the Scorer made.
    :param files: what was written.
    """

    seconds: float
    texts: dict[str, int]
    corpora: dict[str, int]
    missing: list[str]
    taught: bool
    figures: dict[str, float]
    thresholds: dict[str, float]
    lived_removed: Rate
    harm_missed: Rate
    tradeoff: list[tuple[float, Rate, Rate]]
    by_length: dict[str, tuple[Rate, Rate]]
    version: str
    files: list[str] = field(default_factory=list)


@dataclass
class _Texts:
    """Training texts as columns."""

    examples: list[Example]
    lines: list[str]
    targets: np.ndarray
    annotated: np.ndarray
    embeddings: np.ndarray | None
    vectors: dict[str, np.ndarray]


def train(
    data_dir: Path,
    out_dir: Path = WEIGHTS,
    seed: int = 0,
    *,
    use_teacher: bool | None = None,
    cache_dir: Path | None = None,
    share: float = 1.0,
    folds: int = 5,
    settings: Settings | None = None,
    card: Path | None = None,
    log: Callable[[str], None] = lambda message: None,
) -> TrainReport:
    """Train the classifiers.

    :param data_dir: root of the corpora (``WELLMIX_DATA``), with ``annotations/annotations.jsonl``.
    :param out_dir: where weights and manifest go.
    :param seed: same seed, same data, same settings: same weights.
    :param use_teacher: label unlabelled texts with the encoder of the ``train`` extra; None: if it is installed.
    :param cache_dir: keeps the encoder's embeddings between runs.
    :param share: part of the distant texts to use, 0 to 1.
    :param folds: groups of corpora held out in turn.
    :param card: where the model card goes; ``MODEL_CARD.md`` beside ``out_dir`` by default.
    :param log: told what is going on.
    :raises UserError: when annotations are missing or a teacher is asked for that is not installed.
    """
    began = time.monotonic()
    settings = settings or Settings()
    data_dir, out_dir = Path(data_dir), Path(out_dir)
    taught = teacher.available() if use_teacher is None else use_teacher
    texts, missing = _read(data_dir, share, seed)
    log(f"{int(texts.annotated.sum())} annotated and {int((~texts.annotated).sum())} distant texts")
    if not taught:
        log("no teacher (the `train` extra is not installed or not wanted): expect weaker weights")
    if taught:
        log("embedding texts for the teacher")
        texts.embeddings = teacher.embed([example.text for example in texts.examples], cache_dir)
        words = vocabulary_of(texts.lines, settings)
        log(f"embedding {len(words)} words")
        texts.vectors = dict(zip(words, _word_vectors(words, texts, settings, cache_dir), strict=True))

    every = np.ones(len(texts.examples), dtype=bool)
    logits = _held_out_logits(texts, settings, seed, folds, log)
    truth = texts.targets[texts.annotated]
    calibration = [_calibrate(logits[:, head], truth[:, head]) for head in range(len(HEADS))]
    scale, offset = (np.array(part) for part in zip(*calibration, strict=True))
    scores = 1.0 / (1.0 + np.exp(-(scale * logits + offset)))
    lengths = np.array([len(example.text.split()) for example in texts.examples])[texts.annotated]
    short = lengths < SHORT_WORDS
    thresholds = _thresholds(truth, scores, short)
    measured = figures(truth, scores, thresholds)
    cuts = np.where(short, thresholds["safety_harm_short"], thresholds["safety_harm"])
    lived_removed, harm_missed = safety_errors(truth, scores, cuts)
    parts = {
        "30 words or more": (~short, thresholds["safety_harm"]),
        "shorter": (short, thresholds["safety_harm_short"]),
    }
    by_length = {name: safety_errors(truth[part], scores[part], cut) for name, (part, cut) in parts.items()}
    tradeoff = [(cut, *safety_errors(truth, scores, cut)) for cut in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)]

    log("training on everything")
    student = _fit(texts, every, settings, seed)
    report = TrainReport(
        seconds=0.0,
        texts={"annotated": int(texts.annotated.sum()), "distant": int((~texts.annotated).sum())},
        corpora=dict(sorted(Counter(example.corpus for example in texts.examples).items())),
        missing=missing,
        taught=taught,
        figures=measured,
        thresholds=thresholds,
        lived_removed=lived_removed,
        harm_missed=harm_missed,
        tradeoff=tradeoff,
        by_length=by_length,
        version="",
    )
    report.files = _write(out_dir, student, scale, offset, seed, settings, report)
    scorer = Scorer.load(out_dir)
    report.version = scorer.version
    cases, hateful = corpora.hatecheck(data_dir)
    if cases:
        harm = scorer.score(pa.array(cases), pa.array(["en"] * len(cases))).column("safety_harm")
        report.figures["hatecheck_auroc"] = round(auroc(np.array(hateful), harm.fill_null(0.0).to_numpy()), 4)
    card = card or out_dir.parent / "MODEL_CARD.md"
    write_card(card, report, settings)
    report.files.append(str(card))
    report.seconds = round(time.monotonic() - began, 1)
    return report


def _read(data_dir: Path, share: float, seed: int) -> tuple[_Texts, list[str]]:
    examples = list(corpora.annotated(data_dir))
    distant, missing = corpora.distant(data_dir, share, seed)
    examples += distant
    targets = np.full((len(examples), len(HEADS)), np.nan, dtype=np.float32)
    for row, example in enumerate(examples):
        for name, value in example.targets.items():
            targets[row, HEAD_INDEX[name]] = value
    labelled = np.array([example.annotated for example in examples])
    return _Texts(examples, [normalise(example.text) for example in examples], targets, labelled, None, {}), missing


def _word_vectors(words: list[str], texts: _Texts, settings: Settings, cache_dir: Path | None) -> np.ndarray:
    """Starting rows of words: the encoder's vectors of the words alone, reduced to the student's size.

    A word that few labelled texts hold thus starts near its neighbours in meaning. Commoner words start shorter
    (smooth inverse frequency, Arora et al. 2017), as they say less.
    """
    rows = teacher.embed(words, cache_dir)
    rows -= rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows.T @ rows)
    rows = rows @ axes[: settings.dim].T
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    counts = Counter(word for line in texts.lines for word in line.split(" "))
    frequency = np.array([counts[word] for word in words]) / sum(counts.values())
    return (rows * (1e-3 / (1e-3 + frequency))[:, None]).astype(np.float32)


def _fit(texts: _Texts, chosen: np.ndarray, settings: Settings, seed: int) -> Student:
    """Train a student on the chosen texts, with the teacher's word for what is unknown."""
    rows = np.flatnonzero(chosen)
    targets = texts.targets[rows]
    if texts.embeddings is not None:
        targets = _taught(texts, rows)
    weights = np.where(texts.annotated[rows], 2.0, 1.0).astype(np.float32)
    lines = [texts.lines[row] for row in rows]
    words = vocabulary_of(lines, settings)
    start = np.stack([texts.vectors[word] for word in words]) if texts.vectors else None
    return train_student(lines, targets, weights, settings, seed, words, start)


def _taught(texts: _Texts, rows: np.ndarray) -> np.ndarray:
    """Targets of the given texts with unknown ones filled in by heads that learnt from the known ones among them."""
    assert texts.embeddings is not None
    targets = texts.targets[rows].copy()
    embeddings = texts.embeddings[rows]
    labelled = texts.annotated[rows]
    # Harm is rare among annotated texts, so its heads also learn from the corpora that label it.
    wide = np.array([name.startswith("safety_") and name != "safety_discusses_harm" for name in HEADS])
    guesses = np.empty_like(targets)
    guesses[:, ~wide] = teacher.predict(embeddings, teacher.heads(embeddings[labelled], targets[labelled][:, ~wide]))
    part = labelled | (np.arange(len(rows)) % 3 == 0)
    guesses[:, wide] = teacher.predict(
        embeddings, teacher.heads(embeddings[part], targets[part][:, wide], penalty=3e-3)
    )
    return np.where(np.isnan(targets), guesses, targets)


def _held_out_logits(
    texts: _Texts, settings: Settings, seed: int, folds: int, log: Callable[[str], None]
) -> np.ndarray:
    """Scores of annotated texts by models that saw nothing of their group of corpora; (annotated texts, heads)."""
    chosen = folds_of(texts.examples, folds)
    fold = np.array([chosen.get(corpora.group_of(example.corpus), -1) for example in texts.examples])
    shared = tainted(texts.lines, texts.annotated, fold, folds)
    logits = np.empty((int(texts.annotated.sum()), len(HEADS)), dtype=np.float64)
    position = np.cumsum(texts.annotated) - 1
    for held in range(folds):
        student = _fit(texts, (fold != held) & ~shared[:, held], settings, seed)
        rows = np.flatnonzero((fold == held) & texts.annotated)
        logits[position[rows]] = student.logits([texts.lines[row] for row in rows])
        log(f"fold {held + 1} of {folds} held out: {len(rows)} texts")
    return logits


def _calibrate(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    known = ~np.isnan(truth)
    return platt(logits[known], truth[known])


def _thresholds(truth: np.ndarray, scores: np.ndarray, short: np.ndarray) -> dict[str, float]:
    """Recommended cuts: relevance by F1 at 3; harm by the share of lived experience it may cost; labels by F1.

    Harm has two: in a sentence a single word decides, so short texts have a distribution, and a cut, of their own.
    """
    relevance, expected = annotated_relevance(truth) >= 3, annotated_relevance(scores)
    cuts = np.round(np.arange(1.0, 4.0, 0.05), 2)
    thresholds = {"relevance": float(max(cuts, key=lambda cut: f1(relevance, expected >= cut)))}
    lived, harm = lived_experience(truth), scores[:, HEAD_INDEX["safety_harm"]]
    for name, part, budget in (
        ("safety_harm", ~short, LIVED_REMOVED),
        ("safety_harm_short", short, LIVED_REMOVED_SHORT),
    ):
        kept = harm[lived & part]
        # without texts to set it by, the cut is an even chance
        thresholds[name] = float(np.ceil(1000 * np.quantile(kept, 1 - budget)) / 1000) if len(kept) else 0.5
    for name, head in HEAD_INDEX.items():
        if name.startswith(("facet_", "safety_")) and name not in thresholds:
            wanted = truth[:, head] > 0.5
            cuts = np.round(np.arange(0.05, 0.95, 0.05), 2)
            if wanted.sum() >= 10:
                thresholds[name] = float(max(cuts, key=lambda cut: f1(wanted, scores[:, head] >= cut)))
    return thresholds


def _write(
    out_dir: Path,
    student: Student,
    scale: np.ndarray,
    offset: np.ndarray,
    seed: int,
    settings: Settings,
    report: TrainReport,
) -> list[str]:
    out_dir.mkdir(parents=True, exist_ok=True)
    weights = out_dir / WEIGHTS_FILE
    np.savez(
        weights,
        words=student.tables.words,
        offsets=student.tables.offsets.astype(np.int32),
        matrix=student.tables.matrix.astype(np.float16),
        output=student.output,
        bias=student.bias,
    )
    manifest = {
        "format": FORMAT,
        "prior": settings.prior,
        "files": {WEIGHTS_FILE: hashlib.sha256(weights.read_bytes()).hexdigest()},
        "heads": list(HEADS),
        "scale": [round(float(value), 6) for value in scale],
        "offset": [round(float(value), 6) for value in offset],
        "thresholds": report.thresholds,
        "languages": ["en"],
        "seed": seed,
        "settings": asdict(settings),
        "taught_by": teacher.MODEL if report.taught else None,
        "corpora": report.corpora,
        "figures": report.figures
        | {"lived_experience_removed": report.lived_removed.value, "harm_missed": report.harm_missed.value},
    }
    path = out_dir / MANIFEST_FILE
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return [str(weights), str(path)]
