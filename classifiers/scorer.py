"""Scores of texts against the taxonomy, from the shipped weights. Needs numpy, numba, pyarrow, fasttext; no torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from classifiers import features
from classifiers.features import Tables
from classifiers.language import LanguageId
from sources.errors import UserError

WEIGHTS = Path(__file__).parent / "weights"
WEIGHTS_FILE = "wellbeing.npz"
MANIFEST_FILE = "manifest.json"
FORMAT = 1

#: Fewest vocabulary words a text needs to be scored.
MIN_KNOWN_WORDS = 2


#: A text of fewer words is short: its harm is judged by ``safety_harm_short``, as one word decides a sentence.
SHORT_WORDS = 30


class Scorer:
    """Scores English texts; make one with :meth:`load`.

    :ivar version: changes whenever a score could; part of every cache key made from scores.
    :ivar schema: columns of :meth:`score`. ``relevance`` (0-5) and ``support`` (0-3, 0 where nobody responds) are
        expected values; ``facet_*``, ``stance_*``, ``register_*``, ``responds`` and ``safety_*`` are calibrated
        probabilities; ``safety_harm`` is any harm at all. ``abstain`` tells why a row has no scores, see
        :data:`classifiers.taxonomy.ABSTAIN`.
    :ivar thresholds: recommended cuts, column name to value, with the errors they make in the model card.
    """

    def __init__(self, tables: Tables, output: np.ndarray, bias: np.ndarray, manifest: dict) -> None:
        self._tables, self._output, self._bias = tables, output, bias
        self._language: LanguageId | None = None
        self._heads: list[str] = manifest["heads"]
        self._scale = np.asarray(manifest["scale"], dtype=np.float64)
        self._offset = np.asarray(manifest["offset"], dtype=np.float64)
        self._take_max = np.array([name.startswith("safety_") for name in self._heads])
        self._relevance = [i for i, name in enumerate(self._heads) if name.startswith("relevance_")]
        self._support = [i for i, name in enumerate(self._heads) if name.startswith("support_")]
        summed = {*self._relevance, *self._support}
        self._plain = [i for i in range(len(self._heads)) if i not in summed]
        self.thresholds: dict[str, float] = manifest["thresholds"]
        identity = json.dumps(
            [manifest["files"], manifest["prior"], self._heads, manifest["scale"], manifest["offset"]], sort_keys=True
        )
        code = f"{FORMAT}:{features.VERSION}:{features.WHOLE}:{features.WINDOW}:{MIN_KNOWN_WORDS}"
        self.version: str = hashlib.sha256(f"{identity}\x1f{code}".encode()).hexdigest()[:16]
        columns = ["relevance", *(self._heads[i] for i in self._plain)]
        columns.insert(columns.index("responds") + 1, "support")
        self._columns = columns
        self.schema: pa.Schema = pa.schema(
            [pa.field(name, pa.float32()) for name in columns] + [pa.field("abstain", pa.string())]
        )

    @classmethod
    def load(cls, directory: Path | None = None) -> Scorer:
        """Read the weights ``wellmix train`` wrote.

        :param directory: folder with manifest.json and the weights; the shipped one by default.
        :raises UserError: when a file is missing, of another format, or not the one the manifest was written for.
        """
        directory = WEIGHTS if directory is None else Path(directory)
        retrain = "Run `wellmix train`, or restore the folder from the repository."
        manifest_path = directory / MANIFEST_FILE
        if not manifest_path.is_file():
            raise UserError("There are no classifier weights here.", where=manifest_path, fix=retrain)
        try:
            manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
            files, found_format = manifest["files"], manifest["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError("The weights' manifest could not be read.", where=manifest_path, fix=retrain) from error
        if found_format != FORMAT:
            raise UserError(
                f"These weights have format {found_format}, this wellmix reads format {FORMAT}.",
                where=manifest_path,
                fix=retrain,
            )
        for name, sha256 in files.items():
            path = directory / name
            if not path.is_file():
                raise UserError("A weights file is missing.", where=path, fix=retrain)
            if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                raise UserError(
                    "The weights are not the ones the manifest was written for (sha256 differs).",
                    where=path,
                    fix=retrain,
                )
        with np.load(directory / WEIGHTS_FILE, allow_pickle=False) as saved:
            matrix = np.ascontiguousarray(saved["matrix"], dtype=np.float32)
            words = len(saved["offsets"]) - 1
            tables = Tables(
                saved["words"], saved["offsets"].astype(np.int64), matrix, len(matrix) - words, 2, manifest["prior"]
            )
            return cls(tables, saved["output"].astype(np.float32), saved["bias"].astype(np.float32), manifest)

    def score(self, texts: pa.Array, languages: pa.Array | None = None) -> pa.RecordBatch:
        """Score a batch of texts.

        A row depends on its own text and language alone: the same bytes come out whatever the batch. Texts of up to
        3,000 bytes are read whole, longer ones in windows of about 1,500: safety takes the highest window, the rest the
        mean of the upper half.

        :param texts: strings, any length; null counts as empty.
        :param languages: code of each text, as :class:`~classifiers.language.LanguageId` gives; detected when None.
        :return: one row a text, in order, with :attr:`schema`.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        if languages is None:
            self._language = self._language or LanguageId()
            codes = np.array(self._language.detect(texts)[0], dtype=object)
        else:
            if len(languages) != len(texts):
                raise ValueError(f"{len(texts)} texts but {len(languages)} languages")
            codes = np.array(languages.to_pylist(), dtype=object)
        foreign = codes != "en"
        logits, firsts, known = features.score_windows(texts, self._tables, self._output, self._bias, skip=foreign)
        scores = features.pool(logits, firsts, self._scale, self._offset, self._take_max)
        short = ~foreign & (known < MIN_KNOWN_WORDS)
        unscored = foreign | short

        named = {self._heads[i]: scores[:, i] for i in self._plain}
        named["relevance"] = _sum_columns(scores, self._relevance)
        named["support"] = _sum_columns(scores, self._support)
        arrays = [pa.array(named[name], type=pa.float32(), mask=unscored) for name in self._columns]
        reasons = np.where(foreign, "language", "too_short")
        arrays.append(pa.array(reasons, type=pa.string(), mask=~unscored))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _sum_columns(scores: np.ndarray, columns: list[int]) -> np.ndarray:
    """Expected value of a scale from the probabilities of reaching each step, added in a fixed order."""
    total = np.zeros(len(scores), dtype=np.float32)
    for column in columns:
        total += scores[:, column]
    return total
