"""The encoder's and the static model's arithmetic, and their word pieces, without the weights they were trained with."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from classifiers.encoder import TOKENS, Graph, Perceptron, Tokens
from classifiers.scorer import ENCODER_FILE, TOKENIZER_FILE, WEIGHTS
from classifiers.static import Static, quantised


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(WEIGHTS / TOKENIZER_FILE)


def test_word_pieces_are_those_of_the_tokenizers_library(tokens, messy_texts):
    tokenizers = pytest.importorskip("tokenizers")
    reference = tokenizers.Tokenizer.from_file(str(WEIGHTS / TOKENIZER_FILE))
    reference.no_truncation()
    reference.no_padding()
    texts = [*messy_texts[:200], "", "naïve café 日本語 \u200b e-mail😀", "a" * 300]
    ids, bounds = tokens.flat(texts)
    for row, text in enumerate(texts):
        assert ids[bounds[row] : bounds[row + 1]].tolist() == reference.encode(text).ids, repr(text)
    bare, edges = tokens.flat(texts, special=False)
    assert len(bare) == len(ids) - 2 * len(texts) and edges[-1] == len(bare)
    assert tokens.flat([])[1].tolist() == [0]


def test_a_window_is_encoded_alike_whatever_its_neighbours_and_cut_when_too_long(tokens):
    graph = Graph(WEIGHTS / ENCODER_FILE, tokens)
    texts = ["I was listened to.", "lonely " * 600, "", "price of bolts"]
    rows = graph.run(texts)
    for row, text in enumerate(texts):
        assert graph.run([text]).tobytes() == rows[row : row + 1].tobytes()
    assert graph.run(["lonely " * (TOKENS - 2)]).tobytes() == rows[1:2].tobytes()
    assert graph.run([]).shape == (0, rows.shape[1])


def test_the_static_kernel_is_its_definition():
    random = np.random.default_rng(0)
    table, scale = quantised(random.normal(size=(50, 6)))
    heads = Perceptron(*(random.normal(size=s).astype(np.float32) for s in ((13, 4), (13, 5), (5,), (5, 4), (4,))))
    static = Static(table, scale, heads)
    ids = random.integers(0, 50, 40).astype(np.uint32)
    bounds = np.array([0, 7, 7, 40])
    rows = table.astype(np.float32) * scale[:, None]
    expected = []
    for start, stop in itertools.pairwise(bounds):
        part = rows[ids[start:stop]]
        mean = part.mean(axis=0) if len(part) else np.zeros(6)
        top = part.max(axis=0) if len(part) else np.zeros(6)
        expected.append(np.concatenate([mean, top, [np.log1p(len(part)) / 6]]))
    np.testing.assert_allclose(static.logits(ids, bounds), heads.logits(np.array(expected)), atol=2e-4)


def test_eight_bits_keep_a_row_to_a_hundredth_of_its_largest_value():
    table = np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32)
    rows, scale = quantised(table)
    assert rows.dtype == np.int8
    assert (np.abs(rows * scale[:, None] - table).max(axis=1) <= np.abs(table).max(axis=1) / 200).all()
