"""The kernel against fastText itself, and its rules for long texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from classifiers.features import Tables, line_rows, normalise, pool, score_windows
from classifiers.windows import windows_of


def _fasttext_sigmoid(logits: np.ndarray) -> np.ndarray:
    """fastText reads the logistic function off a table of 512 steps over [-8, 8]."""
    table = 1.0 / (1.0 + np.exp(-(np.arange(513) * 16.0 / 512.0 - 8.0)))
    steps = ((np.clip(logits, -8, 8) + 8.0) * 512.0 / 16.0).astype(np.int64)
    return table[steps]


def test_logits_and_probabilities_equal_fasttext(toy_model, messy_texts):
    tables = Tables.from_fasttext(toy_model)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    windows = windows_of(pa.array(messy_texts))
    logits, _ = score_windows(windows, tables, output, np.zeros(output.shape[1], np.float32))
    lines = [normalise(text) for text in messy_texts]
    assert windows.firsts.tolist() == list(range(len(messy_texts) + 1))

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
    whole, _ = score_windows(windows_of(pa.array(messy_texts)), tables, output, bias)
    sliced = windows_of(pa.array(messy_texts, type=pa.large_string())[100:150])
    part, _ = score_windows(sliced, tables, output, bias)
    assert part.tobytes() == whole[100:150].tobytes()
    with_null, _ = score_windows(windows_of(pa.array(["", None])), tables, output, bias)
    assert with_null[0].tobytes() == with_null[1].tobytes()
    none, known = score_windows(windows_of(pa.array([], type=pa.string())), tables, output, bias)
    assert none.shape == (0, output.shape[1]) and len(known) == 0


def test_words_met_are_counted_in_each_window(toy_model):
    tables = Tables.from_fasttext(toy_model)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    windows = windows_of(pa.array(["pain love " * 2000, "pain"]))
    _, known = score_windows(windows, tables, output, np.zeros(output.shape[1], np.float32))
    assert known[:-1].sum() == 4000 and known[-1] == 1


def test_pooling_takes_the_highest_for_safety_and_the_upper_half_otherwise():
    probabilities = np.array([[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]], dtype=np.float32)
    pooled = pool(probabilities, np.array([0, 3], dtype=np.int64), np.array([True, False]))
    np.testing.assert_allclose(pooled, [[0.9, 0.7]], rtol=1e-6)


def test_a_prior_draws_short_texts_to_the_middle(toy_model):
    plain = Tables.from_fasttext(toy_model)
    drawn = Tables(plain.words, plain.offsets, plain.matrix, plain.bucket, plain.ngrams, prior=6.0)
    output = np.ascontiguousarray(toy_model.get_output_matrix().T, dtype=np.float32)
    bias = np.zeros(output.shape[1], np.float32)
    texts = windows_of(pa.array(["love pain"]))  # two words, the end of the line, two pairs: five rows
    before, _ = score_windows(texts, plain, output, bias)
    after, _ = score_windows(texts, drawn, output, bias)
    np.testing.assert_allclose(after * 11, before * 5, rtol=1e-4)
