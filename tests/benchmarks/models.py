"""What the peers need and cannot download here: two fastText classifiers, and the vocabulary as a ``tokenizer.json``."""

from __future__ import annotations

import json
from pathlib import Path

import fasttext

from pipeline.tokens import _hugging_face
from tests.benchmarks.corpus import real_pieces

#: The two questions: is this a forum or a conversation; does this tell a life.
QUESTIONS = {"forum": {"forum", "transcript"}, "narrative": {"biography"}}
TRAINING_TEXTS = 8_000


def prepare(root: Path, vocabulary: str = "o200k_base") -> Path:
    """Train the classifiers and write the vocabulary, unless an earlier run did.

    The models are of the size that is usual for filters (64 dimensions, word bigrams); what they say does not matter here.

    :returns: the folder with ``forum.bin``, ``narrative.bin`` and ``tokenizer.json``.
    """
    folder = root / "models"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        content = _hugging_face(vocabulary)
        # The tokenizers release that dolma wants reads merges in their older spelling only; newer ones read both.
        content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
        _aside(tokenizer, lambda path: path.write_text(json.dumps(content), "utf-8"))
    missing = [name for name in QUESTIONS if not (folder / f"{name}.bin").is_file()]
    if missing:
        pieces = real_pieces(root)[:TRAINING_TEXTS]
        for name in missing:
            lines = folder / f"{name}.txt"
            lines.write_text(
                "\n".join(
                    f"__label__{'yes' if f in QUESTIONS[name] else 'no'} {' '.join(t.split())}" for f, t in pieces
                ),
                "utf-8",
            )
            # two threads: with one, fastText leaves most of its input matrix as it found the memory, and may meet a NaN there
            model = fasttext.train_supervised(
                str(lines), dim=64, wordNgrams=2, epoch=3, minCount=3, bucket=200_000, thread=2, verbose=0
            )
            _aside(folder / f"{name}.bin", lambda path, model=model: model.save_model(str(path)))
            lines.unlink()
    return folder


def _aside(path: Path, write) -> None:
    aside = path.with_name(f".{path.name}")
    write(aside)
    aside.replace(path)
