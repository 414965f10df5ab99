"""Training: annotated and unlabelled texts in, weights of all tiers with a manifest and a model card out.

1. Read the texts and make their features (:mod:`classifiers.material`).
2. Hold out groups of corpora in turn: teacher, then its students, without them; score what was held out
   (:mod:`classifiers.tiers`).
3. From those scores: calibration, what counts as doubt, thresholds (:mod:`classifiers.fitting`).
4. Teacher and students on everything; write weights, manifest and card.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from classifiers import encoder, teacher
from classifiers.cache import save
from classifiers.corpora import HEADS
from classifiers.excerpts import local_cards
from classifiers.fitting import Judgement, fit, lowest_cut
from classifiers.material import QUOTA, Material, read_material
from classifiers.scorer import (
    EFFORTS,
    ENCODER_FILE,
    FASTTEXT_FILE,
    FORMAT,
    MANIFEST_FILE,
    STATIC_FILE,
    SUMS_FILE,
    TOKENIZER_FILE,
    WEIGHTS,
    Scorer,
)
from classifiers.static import quantised
from classifiers.tiers import Settings, Students, held_out, train_students, train_teacher
from sources import digests
from sources.document import Bad
from sources.errors import UserError
from sources.files import resolve

#: Share of long published works (books, textbooks) that the harm threshold for long texts may remove.
LONG_REMOVED = 0.01
#: Most long texts it is set by.
LONG_TEXTS = 400


@dataclass
class TrainReport:
    """What a training run did.

    :param seconds: wall time in all.
    :param texts: annotated and unlabelled texts used.
    :param corpora: texts learnt from, by corpus.
    :param version: version of the Scorer made, at the default effort.
    :param judgement: held-out scores and what was fitted to them.
    :param material: the texts.
    :param files: what was written.
    """

    seconds: float
    texts: dict[str, int]
    corpora: dict[str, int]
    version: str
    judgement: Judgement
    material: Material
    files: list[str] = field(default_factory=list)


def judge(
    data: Path,
    cache: Path,
    seed: int = 0,
    *,
    settings: Settings | None = None,
    quota: int = QUOTA,
    log: Callable[[str], None] = lambda message: None,
) -> tuple[Material, Judgement]:
    """Read the texts, and judge all tiers on corpora they never saw; what the cache has is not computed again.

    :raises UserError: annotations are missing, or the ``train`` extra is not installed.
    """
    settings = settings or Settings()
    material = read_material(data, cache, seed, quota, log)
    path = cache / f"held-out-{_key(material, settings, seed)}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as saved:
            logits = {name: saved[name] for name in saved.files}
    else:
        logits = held_out(material, settings, seed, log)
        save(path, **logits)
    labelled = material.labelled
    held = {name: rows[:labelled] for name, rows in logits.items()}
    reference = {name: rows[labelled:] for name, rows in logits.items()}
    if not len(reference["fasttext"]):
        reference = held
    words = np.array([len(example.text.split()) for example in material.examples[:labelled]])
    plain = np.array([example.picked == "" for example in material.examples[:labelled]])
    return material, fit(held, material.targets, words, plain, reference)


def _key(material: Material, settings: Settings, seed: int) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps([asdict(settings), seed, TIERS_VERSION, teacher.MODEL, encoder.MODEL]).encode())
    digest.update("\x1f".join(example.text for example in material.examples).encode("utf-8", "replace"))
    digest.update(material.targets.tobytes())
    for part in (material.fold, material.shared, material.encoder_rows, material.teacher_rows, material.pieces):
        digest.update(part.tobytes())
    return digest.hexdigest()


#: Raise it when the same texts and settings would give other held-out scores.
TIERS_VERSION = 3


def train(
    data: Path,
    out: Path = WEIGHTS,
    seed: int = 0,
    *,
    cache: Path,
    settings: Settings | None = None,
    quota: int = QUOTA,
    card: Path | None = None,
    log: Callable[[str], None] = lambda message: None,
) -> TrainReport:
    """Train all tiers.

    :param data: root of the corpora (``WELLMIX_DATA``), with ``annotations/annotations.jsonl``.
    :param out: where weights and manifest go.
    :param seed: same seed, same data, same settings, same kind of processor: same weights.
    :param cache: keeps the encoders' features and held-out scores between runs.
    :param quota: most unlabelled texts of a corpus.
    :param card: where the model card goes; ``MODEL_CARD.md`` beside ``out`` by default.
    :param log: told what is going on.
    :raises UserError: annotations are missing, or the ``train`` extra is not installed.
    """
    from classifiers.card import write_card

    began = time.monotonic()
    settings = settings or Settings()
    material, judgement = judge(data, cache, seed, settings=settings, quota=quota, log=log)
    log("training on everything")
    everything = np.arange(len(material.examples))
    students = train_students(
        material, everything, train_teacher(material, everything[: material.labelled]), settings, seed
    )
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as scratch:  # the old weights stay whole until the new ones are
        aside = Path(scratch)
        _write(aside, students, material)
        _write_manifest(aside, judgement, material, settings, seed)
        _long_thresholds(aside, judgement, log)
        _write_manifest(aside, judgement, material, settings, seed)
        for path in sorted(aside.iterdir()):
            path.replace(out / path.name)
    card = card or out.parent / "MODEL_CARD.md"
    report = TrainReport(
        seconds=round(time.monotonic() - began, 1),
        texts={"annotated": material.labelled, "unlabelled": len(material.examples) - material.labelled},
        corpora=material.corpora,
        version=Scorer.load(out).version,
        judgement=judgement,
        material=material,
        files=[str(path) for path in (*sorted(path for path in out.iterdir() if path.is_file()), card)],
    )
    write_card(card, report, settings)
    return report


def _write(out: Path, students: Students, material: Material) -> None:
    tables = students.fasttext.tables
    table, scale = quantised(tables.matrix)
    np.savez(
        out / FASTTEXT_FILE,
        words=tables.words,
        offsets=tables.offsets.astype(np.int32),
        table=table,
        scale=scale,
        output=students.fasttext.output,
        bias=students.fasttext.bias,
    )
    static, heads = students.static, students.static.heads
    np.savez(
        out / STATIC_FILE,
        table=static.table,
        scale=static.scale,
        direct=heads.direct,
        hidden=heads.hidden,
        hidden_bias=heads.hidden_bias,
        output=heads.output,
        bias=heads.bias,
    )
    encoder.with_heads(material.features, students.encoder, out / ENCODER_FILE)
    shutil.copyfile(encoder.base() / "tokenizer.json", out / TOKENIZER_FILE)


def _write_manifest(out: Path, judgement: Judgement, material: Material, settings: Settings, seed: int) -> None:
    files = {name: digests.sha256(out / name) for name in (FASTTEXT_FILE, STATIC_FILE, ENCODER_FILE, TOKENIZER_FILE)}
    manifest = {
        "format": FORMAT,
        "prior": settings.fasttext.prior,
        "files": files,
        "heads": list(HEADS),
        "stacks": {
            tier: {
                "weights": [[round(float(v), 6) for v in row] for row in stack.weights],
                "offset": [round(float(v), 6) for v in stack.offset],
            }
            for tier, stack in judgement.stacks.items()
            if tier != "teacher"
        },
        "doubts": {tier: asdict(doubt) for tier, doubt in judgement.doubts.items()},
        "thresholds": {effort: judgement.thresholds[effort] for effort in EFFORTS},
        "languages": ["en"],
        "seed": seed,
        "settings": asdict(settings),
        "taught_by": teacher.MODEL,
        "encoder": encoder.MODEL,
        "corpora": material.corpora,
    }
    path = out / MANIFEST_FILE
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    digests.write_sums(out / SUMS_FILE, [path])


def _long_thresholds(out: Path, judgement: Judgement, log: Callable[[str], None]) -> None:
    """A long text's harm is that of its worst window, and the more windows the worse by chance. Its cut is set on long
    published works, which as a whole encourage no harm."""
    texts = _long_texts()
    log(f"thresholds for long texts, from {len(texts)} of them")
    for effort in EFFORTS:
        found = judgement.thresholds[effort]
        cut = max(found["safety_harm"], found["safety_harm_short"])
        if texts:
            scores = Scorer.load(out, effort).score(pa.array(texts), pa.array(["en"] * len(texts)))
            harm = scores.column("safety_harm").drop_null().to_numpy()
            cut = max(cut, lowest_cut(harm, LONG_REMOVED))
        found["safety_harm_long"] = round(cut, 4)


def _long_texts() -> list[str]:
    """Whole chapters and modules of published books, of the length ingest cuts documents to."""
    found: list[str] = []
    for card in local_cards():
        if card.family not in ("psychology", "biography") or card.consent.basis not in ("published", "public_domain"):
            continue
        texts: list[str] = []
        try:
            for split in card.make_reader.splits(resolve(card, lambda path: ""), 64 << 20):
                for item in card.make_reader.read(split):
                    if not isinstance(item, Bad) and len(item.text) > 6000:
                        texts += [item.text[at : at + 20_000] for at in range(0, len(item.text) - 3000, 20_000)]
        except UserError:
            continue
        found += texts
    return found[:: max(1, len(found) // LONG_TEXTS)]
