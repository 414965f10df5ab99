"""How texts are cut into windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from classifiers.windows import WHOLE, WINDOW, windows_of


def test_windows_cover_a_text_once_and_end_at_spaces():
    long = "pain love " * 2000
    windows = windows_of(pa.array([long, "pain", None, ""]))
    assert windows.firsts.tolist() == [0, 16, 17, 18, 19]
    strings = windows.strings(np.arange(len(windows)))
    assert "".join(strings[:16]) == long and strings[16:] == ["pain", "", ""]
    assert all(text.endswith(" ") for text in strings[:16])
    assert windows.longest <= WINDOW + 200 < WHOLE + 200


def test_without_spaces_no_character_is_cut():
    unbroken = "é" * 20_000
    windows = windows_of(pa.array([unbroken]))
    assert "".join(windows.strings(np.arange(len(windows)))) == unbroken


def test_a_text_is_cut_alike_whatever_its_neighbours():
    texts = ["a b c " * n for n in (1, 700, 40, 3000)]
    together = windows_of(pa.array(texts))
    for row, text in enumerate(texts):
        alone = windows_of(pa.array([text], pa.large_string()))
        ours = np.arange(together.firsts[row], together.firsts[row + 1])
        assert alone.strings(np.arange(len(alone))) == together.strings(ours)
    sliced = windows_of(pa.array(texts)[1:3])
    assert sliced.strings(np.arange(len(sliced)))[0] == together.strings(together.firsts[1:2])[0]


def test_skipped_texts_have_one_empty_window():
    windows = windows_of(pa.array(["one two " * 900, "three"]), skip=np.array([True, False]))
    assert windows.firsts.tolist() == [0, 1, 2] and windows.strings(np.arange(2)) == ["", "three"]


def test_no_texts():
    windows = windows_of(pa.array([], pa.string()))
    assert len(windows) == 0 and windows.firsts.tolist() == [0] and windows.longest == 0
