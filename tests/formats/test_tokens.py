"""Ids are those of the reference, whatever path a text takes."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.tokens import FileTokenizer, Tokenizer, load_tokenizer
from sources.errors import UserError

CASES = [
    "", " ", "\n", "a", "I'm, YOU'RE, don'T, we'll", "  two before", "two after  ", "a\n\n\n  b\t\tc \r\n d", "\n \n",
    "\t.d", "\u00a0'll", "😀👩‍👩‍👧‍👦🏳️‍🌈❤️", "你好，世界。我今天很难过", "naïve café ǅ ʰ ß", "1234567 89 3.14",
    "https://a.example/b?c=d//e", "<|endoftext|> is text", "e\u0301\u0301 a\u0300", "हिन्दी में", "العربية",
    "日本語カタカナ", "x" * 500, " " * 300, "\n" * 50, "'S 'LL it'Ve ſ's K's", "\u2028\u2029\x85 x",
    "!!!???///\n\n//", "\ufeffmark", "zero\u200bwidth", "\x00\x01", "🅘'a", " ꛯ",
]  # fmt: skip


def reference(name: str) -> list[list[int]]:
    from bpe_openai import _bindings

    encoder = _bindings.tokenizer_for_encoding(name)
    return [encoder.encode(text) for text in [*CASES, *fuzz()]]


def fuzz(rounds: int = 6_000) -> list[str]:
    """Random texts over alphabets that hit the split pattern's branches, and over all of Unicode."""
    rng = random.Random(7)
    points = [chr(c) for c in range(0x30000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    alphabets = [
        "abc ABC'strevmld012 \n\t\r.,!?/éßǅ你好😀\u0301\u00a0한ſ",
        "ab \n\r\t.A1'\u00a0",
        "he'll re S D't \n  .,/",
    ]
    texts = []
    for i in range(rounds):
        alphabet = alphabets[i % 4] if i % 4 < 3 else "".join(rng.sample(points, 6)) + " \n\ta.'s1"
        texts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 50))))
    return texts


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_ids_equal_the_reference(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(name, cache=tmp_path)
    texts = pa.array([*CASES, *fuzz()])
    ids, lengths = tokenizer.encode(texts)
    assert ids.dtype == np.uint32 and lengths.dtype == np.int64
    found = [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])]
    wrong = [texts[i].as_py() for i, (a, b) in enumerate(zip(found, reference(name), strict=True)) if a != b]
    assert not wrong
    counts = tokenizer.count(texts)
    assert counts.dtype == np.int32
    np.testing.assert_array_equal(counts, lengths)


def test_ids_equal_tiktoken(tokenizer: Tokenizer) -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="pip install tiktoken to compare with it")
    from bpe_openai import registry

    o200k = registry.o200k_base()
    encoder = tiktoken.Encoding(**o200k)
    assert (encoder.n_vocab, encoder.eot_token) == (tokenizer.vocab_size, tokenizer.eos_id)
    texts = [*CASES, *fuzz(2_000)]
    ids, lengths = tokenizer.encode(pa.array(texts))
    assert [p.tolist() for p in np.split(ids, np.cumsum(lengths)[:-1])] == [encoder.encode_ordinary(t) for t in texts]


def test_a_text_counts_the_same_in_any_batch(tokenizer: Tokenizer) -> None:
    texts = pa.array([*CASES, *fuzz(300)])
    alone = np.concatenate([tokenizer.count(texts.slice(i, 1)) for i in range(len(texts))])
    np.testing.assert_array_equal(tokenizer.count(texts), alone)
    chunked = pa.chunked_array([texts.slice(0, 7), texts.slice(7)])
    np.testing.assert_array_equal(tokenizer.count(chunked), alone)
    np.testing.assert_array_equal(tokenizer.count(texts.cast(pa.large_string())), alone)
    assert len(tokenizer.count(texts.slice(0, 0))) == 0
    ids, lengths = tokenizer.encode(texts.slice(0, 0))
    assert len(ids) == len(lengths) == 0


def test_the_compiled_vocabulary_is_reused(tmp_path: Path) -> None:
    first = load_tokenizer("cl100k_base", cache=tmp_path)
    assert first.count(pa.array(["one two"])).tolist() == [2]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sorted(path.suffix for path in made) == [".sha256", ".tkz"]
    again = load_tokenizer("cl100k_base", cache=tmp_path)
    assert again.version == first.version
    assert again.count(pa.array(["one two"])).tolist() == [2]
    assert made == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


def test_a_file_tokenizer(small_tokenizer: Tokenizer) -> None:
    assert isinstance(small_tokenizer, FileTokenizer)
    texts = pa.array(["we walked home", "", "<|endoftext|>", "你好 🙂"])
    ids, lengths = small_tokenizer.encode(texts)
    assert lengths.tolist() == small_tokenizer.count(texts).tolist()
    assert lengths[1] == 0
    # Written out in a text, the token that ends a document is only text.
    assert small_tokenizer.eos_id not in ids
    assert small_tokenizer.vocab_size > ids.max()


def test_errors_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tokenizer called 'gpt9'"):
        load_tokenizer("gpt9")
    with pytest.raises(UserError, match="No such file"):
        load_tokenizer(str(tmp_path / "tokenizer.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match=r"not a tokenizer\.json"):
        load_tokenizer(str(tmp_path / "broken.json"))


def test_a_file_without_an_end_token_is_refused(small_tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="no token '<end>'"):
        load_tokenizer(small_tokenizer.name, eos="<end>")
