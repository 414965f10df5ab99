"""A small table as the gather step hands it to the writers, and the tokenizers the tests share. Texts are made up."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.tokens import Tokenizer, load_tokenizer
from sources.document import TURN

WORDS = [
    "today",
    "we",
    "walked",
    "slowly",
    "home",
    "and",
    "it's",
    "been",
    "a",
    "longer",
    "week",
    "for",
    "all",
    "你好",
    "🙂",
]


def make_text(rng: random.Random, words: int) -> str:
    """Words of no meaning, with line breaks."""
    return "".join(rng.choice(WORDS) + rng.choice([" ", " ", ", ", ".\n"]) for _ in range(words))


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The default tokenizer, compiled into a cache of its own."""
    return load_tokenizer(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def small_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A ``tokenizer.json`` of a small vocabulary, trained on the spot."""
    tokenizers = pytest.importorskip("tokenizers")
    rng = random.Random(1)
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator([make_text(rng, 200) for _ in range(20)], trainer)
    path: Path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    model.save(str(path))
    return load_tokenizer(str(path))


@pytest.fixture(params=["tokenizer", "small_tokenizer"])
def any_tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Both, one after the other: 32-bit ids and 16-bit ids."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def make_table() -> Callable[[Tokenizer], pa.Table]:
    """A function from a tokenizer to a shard of 257 rows counted by it."""
    return _make_table


def _make_table(tokenizer: Tokenizer, rows: int = 257) -> pa.Table:
    """Short and long rows, one with a single character, in two chunks."""
    rng = random.Random(rows)
    texts = [make_text(rng, rng.choice([1, 5, 50, 400])) for _ in range(rows)]
    texts[rows // 2] = "a"
    table = pa.table(
        {
            "id": [f"{rng.getrandbits(128):032x}" for _ in texts],
            "text": texts,
            "source": [f"source_{i % 3}" for i in range(rows)],
            "kind": ["forum"] * rows,
            "language": ["en"] * rows,
            "license": ["CC0-1.0"] * rows,
            "tokens": pa.array(tokenizer.count(pa.array(texts))),
            "epoch": pa.array([i % 2 for i in range(rows)], pa.int32()),
            "created": pa.array([datetime(2020, 1, 1, tzinfo=UTC), *[None] * (rows - 1)], pa.timestamp("ms", tz="UTC")),
            "turns": pa.array(
                [[{"role": "seeker", "text": "a", "author": None, "labels": None}], *[None] * (rows - 1)],
                pa.list_(TURN),
            ),
        }
    )
    return pa.concat_tables([table.slice(0, rows // 3), table.slice(rows // 3)])
