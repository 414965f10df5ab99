"""Language identification: fastText's lid.176, batch-wise.

Model: Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016), and the compressed ``lid.176.ftz`` from
https://fasttext.cc/docs/en/language-identification.html, CC BY-SA 3.0.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.errors import UserError

WEIGHTS = Path(__file__).parent / "weights" / "lid.176.ftz"
SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"

#: Characters looked at; more costs time and changes almost no answer.
HEAD_CHARS = 200


class LanguageId:
    """Names the language of texts.

    :param weights: the lid.176.ftz file; the shipped one by default.
    :raises UserError: when the file is missing or is not the one shipped.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not weights.is_file():
            raise UserError("The language identification weights are missing.", where=weights, fix="Reinstall wellmix.")
        if hashlib.sha256(weights.read_bytes()).hexdigest() != SHA256:
            raise UserError(
                "The language identification weights are not the ones wellmix ships.",
                where=weights,
                fix="Restore the file from the repository.",
            )
        self._model = fasttext.load_model(str(weights))
        self.version = f"lid.176.ftz:{SHA256[:12]}:{HEAD_CHARS}"

    def detect(self, texts: pa.Array) -> tuple[list[str], np.ndarray]:
        """The most likely language of each text.

        :param texts: strings; null counts as empty.
        :return: ISO 639-1 codes (639-3 where 639-1 has none; ``und`` for a text without a letter to judge by), and
            float32 probabilities of shape ``(len(texts),)``. Both depend on the text alone, never on its neighbours.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        head = pc.utf8_slice_codeunits(pc.fill_null(texts, ""), 0, HEAD_CHARS)
        # fastText reads a line: a newline inside a text would end it.
        lines = pc.replace_substring(head, "\n", " ").to_pylist()
        labels, scores = self._model.predict(lines, k=1)
        known = [bool(found) and bool(line.strip()) for found, line in zip(labels, lines, strict=True)]
        languages = [
            found[0].removeprefix("__label__") if ok else "und" for found, ok in zip(labels, known, strict=True)
        ]
        probabilities = np.array(
            [min(float(found[0]), 1.0) if ok else 0.0 for found, ok in zip(scores, known, strict=True)],
            dtype=np.float32,
        )
        return languages, probabilities
