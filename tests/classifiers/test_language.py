"""Language identification: batch-wise, independent of neighbours, verified."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from classifiers.language import WEIGHTS, LanguageId
from sources.errors import UserError

TEXTS = [
    "She sat by the river and thought about her brother.",
    "Elle s'est assise au bord de la rivière\net a pensé à son frère.",
    "Sie saß am Fluss und dachte an ihren Bruder.",
    "她坐在河边,想着她的哥哥。",
    "",
    None,
]


def test_languages_and_probabilities():
    languages, probabilities = LanguageId().detect(pa.array(TEXTS))
    assert languages == ["en", "fr", "de", "zh", "und", "und"]
    assert probabilities.dtype == np.float32 and probabilities.shape == (6,)
    assert np.all(probabilities[:4] > 0.5) and np.all(probabilities <= 1) and np.all(probabilities[4:] == 0)


def test_a_text_is_judged_alone():
    detector = LanguageId()
    together = detector.detect(pa.array(TEXTS))
    for row, text in enumerate(TEXTS):
        alone = detector.detect(pa.array([text], pa.string()))
        assert alone[0][0] == together[0][row] and alone[1][0] == together[1][row]
    assert detector.detect(pa.array([], pa.string()))[0] == []


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match="missing"):
        LanguageId(tmp_path / "lid.176.ftz")
    (tmp_path / "lid.176.ftz").write_bytes(WEIGHTS.read_bytes()[:-1])
    with pytest.raises(UserError, match="sha256 differs"):
        LanguageId(tmp_path / "lid.176.ftz")


def test_capitals_and_one_liners_are_english_and_unsure_lines_of_others_are_not():
    english = [
        "I AM SO SCARED AND ALONE AND I DO NOT KNOW WHAT TO DO",
        "No one deserves to die.",
        "THE HAPPIEST MOMENT",
    ]
    others = ["Estoy muy triste y sola en esta casa.", "ICH BIN SO MÜDE UND ALLEIN", "Je ne sais pas."]
    codes, _ = LanguageId().detect(pa.array([*english, *others]))
    assert codes[:3] == ["en"] * 3 and codes[3:] == ["es", "de", "fr"]
