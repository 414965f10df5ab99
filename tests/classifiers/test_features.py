"""The kernel against fastText itself, and its rules for long texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from classifiers.features import WHOLE, Tables, line_rows, normalise, pool, score_windows


def _fasttext_sigmoid(logits: np.ndarray) -> np.ndarray:
    """fastText reads the logistic function off a table of 512 steps over [-8, 8]."""
    table = 1.0 / (1.0 + np.exp(-(np.arange(513) * 16.0 / 512.0 - 8.0)))
    steps = ((np.clip(logits, -8, 8) + 8.0) * 512.0 / 16.0).astype(np.int64)
    return table[steps]


def test_logits_and_probabilities_equal_fasttext(toy_model, messy_texts):
    tables = Tables.from_fasttext(toy_model)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    logits, firsts, _ = score_windows(pa.array(messy_texts), tables, output, np.zeros(output.shape[1], np.float32))
    lines = [normalise(text) for text in messy_texts]
    assert firsts.tolist() == list(range(len(messy_texts) + 1))

    hidden = np.array([toy_model.get_sentence_vector(line) for line in lines])
    np.testing.assert_allclose(logits, hidden @ output, atol=1e-4)

    names = toy_model.get_labels()
    expected = np.zeros_like(logits)
    for row, (labels, scores) in enumerate(zip(*toy_model.predict(lines, k=-1), strict=True)):
        for label, score in zip(labels, scores, strict=True):
            expected[row, names.index(label)] = score
    # A logit at the edge of two table steps may fall to either side; all else agrees to 1e-4 (fastText adds 1e-5).
    steps = (logits + 8.0) * 32.0
    inside = np.abs(steps - np.round(steps)) > 1e-3
    assert inside.mean() > 0.98
    np.testing.assert_allclose(_fasttext_sigmoid(logits)[inside], expected[inside], atol=1e-4)


def test_rows_of_lines_average_to_fasttexts_hidden_vector(toy_model, messy_texts):
    tables = Tables.from_fasttext(toy_model)
    lines = [normalise(text) for text in messy_texts]
    rows, bounds = line_rows(lines, tables)
    for at in (0, 17, len(lines) - 1):
        mean = tables.matrix[rows[bounds[at] : bounds[at + 1]]].mean(axis=0)
        np.testing.assert_allclose(mean, toy_model.get_sentence_vector(lines[at]), atol=1e-5)


def test_normal_form():
    assert normalise("Don’t PANIC!\nIt's 42\u00a0°C — “really”?") == "dont panic ! its 00 °c really ?"
    assert normalise("") == ""
    assert normalise("\t\r\n") == ""


def test_slices_and_nulls_of_arrow_arrays(toy_model, messy_texts):
    tables = Tables.from_fasttext(toy_model)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    bias = np.zeros(output.shape[1], np.float32)
    whole, _, _ = score_windows(pa.array(messy_texts), tables, output, bias)
    part, _, _ = score_windows(pa.array(messy_texts, type=pa.large_string())[100:150], tables, output, bias)
    assert part.tobytes() == whole[100:150].tobytes()
    with_null, _, _ = score_windows(pa.array(["", None]), tables, output, bias)
    assert with_null[0].tobytes() == with_null[1].tobytes()
    none, firsts, known = score_windows(pa.array([], type=pa.string()), tables, output, bias)
    assert none.shape == (0, output.shape[1]) and firsts.tolist() == [0] and len(known) == 0


def test_long_texts_are_read_in_windows_that_cover_them_once(toy_model):
    tables = Tables.from_fasttext(toy_model)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    bias = np.zeros(output.shape[1], np.float32)
    long = "pain love " * 2000
    _, firsts, known = score_windows(pa.array([long, "pain"]), tables, output, bias)
    assert len(long) > WHOLE
    assert firsts.tolist() == [0, 14, 15]
    assert known.tolist() == [4000, 1]
    unbroken = "é" * 20_000  # no space to cut at, and cuts inside a character
    _, firsts, _ = score_windows(pa.array([unbroken]), tables, output, bias)
    assert firsts.tolist() == [0, 27]


def test_pooling_takes_the_highest_for_safety_and_the_upper_half_otherwise():
    logits = np.array([[-2.0, -2.0], [0.0, 0.0], [3.0, 3.0]], dtype=np.float32)
    firsts = np.array([0, 3], dtype=np.int64)
    ones, zeros = np.ones(2), np.zeros(2)
    pooled = pool(logits, firsts, ones, zeros, np.array([True, False]))
    top, middle = 1 / (1 + np.exp(-3.0)), 0.5
    np.testing.assert_allclose(pooled, [[top, (top + middle) / 2]], rtol=1e-6)


def test_a_prior_draws_short_texts_to_the_middle(toy_model):
    plain = Tables.from_fasttext(toy_model)
    drawn = Tables(plain.words, plain.offsets, plain.matrix, plain.bucket, plain.ngrams, prior=6.0)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    bias = np.zeros(output.shape[1], np.float32)
    texts = pa.array(["love pain"])  # two words, the end of the line, two pairs: five rows
    before, _, _ = score_windows(texts, plain, output, bias)
    after, _, _ = score_windows(texts, drawn, output, bias)
    np.testing.assert_allclose(after * 11, before * 5, rtol=1e-4)
