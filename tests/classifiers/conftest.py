"""Small synthetic texts and a toy fastText model; no corpus text."""

from __future__ import annotations

import random
from pathlib import Path

import fasttext
import pytest

from classifiers.features import normalise

WORDS = [
    "the",
    "a",
    "I",
    "You",
    "don't",
    "don’t",
    "café",
    "naïve",
    "日本",
    "hello!",
    "world?",
    "f**k",
    "it’s",
    "—",
    "…",
    "“quoted”",
    "\xa0",
    "\t",
    "\n",
    "pain",
    "love",
    "12",
    "3.4",
    "e-mail",
    "__label__x",
    "</s>",
    "ÉCOLE",
    "straße",
    "🙂",
    "a\u200bb",
    "‘tis",
    "under_score",
    "100%",
    "it's",
]


@pytest.fixture(scope="session")
def messy_texts() -> list[str]:
    """Texts with unicode, tabs, newlines, odd spaces, and nothing at all."""
    rng = random.Random(7)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(0, 60))) for _ in range(400)]
    return [*texts, "", " ", "\n\n", "!", "\ufeffstart", "one"]


@pytest.fixture(scope="session")
def toy_model(messy_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> fasttext.FastText._FastText:
    """A fastText model trained on the messy texts. Its matrix is large, as fastText leaves small ones uninitialised."""
    path: Path = tmp_path_factory.mktemp("toy") / "train.txt"
    lines = [f"__label__{'abc'[i % 3]} __label__{'de'[i % 2]} {normalise(text)}" for i, text in enumerate(messy_texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return fasttext.train_supervised(
        str(path), dim=8, wordNgrams=2, bucket=300_000, loss="ova", epoch=5, lr=0.3, thread=10, minCount=2, verbose=0
    )
