"""Scores of texts against the taxonomy: a cascade of three tiers, each asked only where the one before is in doubt.

1. **fasttext** reads every text (tens of MB a second).
2. **static** reads the windows of texts that are still in doubt.
3. **encoder** reads those of texts the first two do not settle, at most :data:`MOST_WINDOWS` of a long one.

A later tier's probabilities combine its own logits with those before (:class:`classifiers.calibrate.Stack`). How far to go
is the ``effort``; what counts as doubt was fitted on corpora the tiers never saw (:class:`Doubt`). Needs numpy, numba,
pyarrow, fasttext, onnxruntime and tokie; no torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa

from classifiers import features
from classifiers.calibrate import Stack
from classifiers.encoder import TOKENS, Graph, Perceptron, Tokens
from classifiers.features import Tables
from classifiers.language import LanguageId
from classifiers.static import Static
from classifiers.taxonomy import Effort, Field
from classifiers.windows import VERSION as WINDOWS_VERSION
from classifiers.windows import Windows, windows_of
from sources import digests
from sources.errors import UserError

WEIGHTS = Path(__file__).parent / "weights"
FASTTEXT_FILE, STATIC_FILE, ENCODER_FILE = "fasttext.npz", "static.npz", "encoder.onnx"
TOKENIZER_FILE, MANIFEST_FILE, SUMS_FILE = "tokenizer.json", "manifest.json", "manifest.sha256"
FORMAT = 2
#: Raise it when the same weights would give other scores.
CODE_VERSION = 1

EFFORTS: tuple[Effort, ...] = get_args(Effort)
TIERS = ("fasttext", "static", "encoder")

#: Groups of columns a doubt can be about; a recipe that uses only some pays for those only.
FIELDS: tuple[Field, ...] = get_args(Field)

#: Fewest vocabulary words a text needs to be scored.
MIN_KNOWN_WORDS = 2
#: A text of fewer words is short: its harm is judged by ``safety_harm_short``, as one word decides a sentence.
SHORT_WORDS = 30
#: Most windows of one text the encoder reads: those likeliest to hold harm, and others spread over the text.
MOST_WINDOWS = 8


def field_of(head: str) -> str:
    """The group of :data:`FIELDS` a head belongs to."""
    first = head.split("_", maxsplit=1)[0]
    return {"facet": "facets", "responds": "support", "behaviour": "support"}.get(first, first)


@dataclass(frozen=True)
class Doubt:
    """When the next tier is asked, if the effort is ``balanced``.

    :param weights: field -> expected fall of the squared error for a unit of the field's variance, fitted on held-out corpora.
    :param cut: doubt, the weighted sum of variances, from which it is asked.
    :param alarm: probability of harm from which it is asked in any case: harm is rare, so its variance weighs little in a
        sum, but it is what a text is dropped for.
    """

    weights: dict[str, float]
    cut: float
    alarm: float = 1.0

    @staticmethod
    def variances(probabilities: np.ndarray, heads: list[str]) -> np.ndarray:
        """Variance of each field, float64, shape (texts, fields): the sum over its heads of p (1 - p)."""
        spread = probabilities.astype(np.float64) * (1.0 - probabilities)
        result = np.zeros((len(probabilities), len(FIELDS)))
        for column, head in enumerate(heads):  # a fixed order: sums must not depend on the batch
            result[:, FIELDS.index(field_of(head))] += spread[:, column]
        return result

    def of(self, probabilities: np.ndarray, heads: list[str], fields: tuple[str, ...]) -> np.ndarray:
        """Doubt about each text, float64, shape (texts,)."""
        variances = self.variances(probabilities, heads)
        total = np.zeros(len(probabilities))
        for field in fields:
            total += self.weights[field] * variances[:, FIELDS.index(field)]
        return total

    def asks(self, probabilities: np.ndarray, heads: list[str], fields: tuple[str, ...]) -> np.ndarray:
        """Which texts go on to the next tier, bool, shape (texts,)."""
        alarmed = probabilities[:, heads.index("safety_harm")] >= self.alarm
        return (self.of(probabilities, heads, fields) >= self.cut) | (alarmed & ("safety" in fields))


class Scorer:
    """Scores English texts; make one with :meth:`load`.

    :ivar version: changes whenever a score could; part of every cache key made from scores.
    :ivar schema: columns of :meth:`score`. ``relevance`` (0-5) and ``support`` (0-3, 0 where nobody responds) are
        expected values, ``relevance_sd`` the standard deviation of the first; ``facet_*``, ``stance_*``, ``register_*``,
        ``responds``, ``behaviour_*`` and ``safety_*`` are calibrated probabilities; ``safety_harm`` is any harm at all.
        ``tier`` names the tier that decided. ``abstain`` tells why a row has no scores, see
        :data:`classifiers.taxonomy.ABSTAIN`.
    :ivar thresholds: recommended cuts at this effort, column name to value, with the errors they make in the model card.
    """

    def __init__(
        self,
        tables: Tables,
        output: np.ndarray,
        bias: np.ndarray,
        static: Static,
        tokens: Tokens,
        encoder: Graph,
        manifest: dict,
        effort: Effort,
        fields: tuple[str, ...],
    ) -> None:
        self._tables, self._output, self._bias = tables, output, bias
        self._static, self._tokens, self._encoder = static, tokens, encoder
        self._language: LanguageId | None = None
        self.effort, self._fields = effort, tuple(name for name in FIELDS if name in fields)
        self._heads: list[str] = manifest["heads"]
        self._stacks = {
            tier: Stack(np.array(stack["weights"]), np.array(stack["offset"]))
            for tier, stack in manifest["stacks"].items()
        }
        self._doubts = {tier: Doubt(**doubt) for tier, doubt in manifest["doubts"].items()}
        self._take_max = np.array([name.startswith("safety_") for name in self._heads])
        self._harm = self._heads.index("safety_harm")
        self._relevance = [i for i, name in enumerate(self._heads) if name.startswith("relevance_")]
        self._support = [i for i, name in enumerate(self._heads) if name.startswith("support_")]
        summed = {*self._relevance, *self._support}
        self._plain = [i for i in range(len(self._heads)) if i not in summed]
        self.thresholds: dict[str, float] = manifest["thresholds"][effort]
        scored_by = [manifest[name] for name in ("files", "prior", "heads", "stacks", "doubts")]
        code = [FORMAT, CODE_VERSION, features.VERSION, WINDOWS_VERSION, MIN_KNOWN_WORDS, MOST_WINDOWS, TOKENS]
        code += [version(name) for name in ("onnxruntime", "tokie")] if effort != "fast" else []
        identity = json.dumps([scored_by, code, effort, self._fields], sort_keys=True)
        self.version: str = hashlib.sha256(identity.encode()).hexdigest()[:16]
        columns = ["relevance", "relevance_sd", *(self._heads[i] for i in self._plain)]
        columns.insert(columns.index("responds") + 1, "support")
        self._columns = columns
        self.schema: pa.Schema = pa.schema(
            [pa.field(name, pa.float32()) for name in columns]
            + [pa.field("tier", pa.string()), pa.field("abstain", pa.string())]
        )

    @classmethod
    def load(
        cls, directory: Path | None = None, effort: Effort = "balanced", fields: tuple[str, ...] = FIELDS
    ) -> Scorer:
        """Read the weights ``wellmix train`` wrote.

        :param directory: folder with manifest.json and the weights; the shipped one by default.
        :param effort: ``fast``: fastText alone; ``balanced``: later tiers where there is doubt; ``best``: every tier on
            every text (of a long one, the encoder reads :data:`MOST_WINDOWS` windows).
        :param fields: what doubt is about, of :data:`FIELDS`.
        :raises UserError: when a file is missing, of another format, or not the one that was written: the manifest has the digest
            of each file, ``manifest.sha256`` its own.
        """
        directory = WEIGHTS if directory is None else Path(directory)
        if effort not in EFFORTS or not set(fields) <= set(FIELDS):
            raise UserError(
                f"there is no effort {effort!r} about {', '.join(fields)}",
                fix=f"effort is one of {', '.join(EFFORTS)}; fields are {', '.join(FIELDS)}",
            )
        retrain = "Run `wellmix train`, or restore the folder from the repository."
        manifest_path = directory / MANIFEST_FILE
        if not manifest_path.is_file():
            raise UserError("There are no classifier weights here.", where=manifest_path, fix=retrain)
        sums = digests.read_sums(directory / SUMS_FILE, retrain)
        digests.require(manifest_path, sums.get(MANIFEST_FILE), retrain)
        try:
            manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
            files, found_format = manifest["files"], manifest["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"The manifest could not be read: {error!r}.", where=manifest_path, fix=retrain) from error
        if found_format != FORMAT:
            raise UserError(
                f"The weights have format {found_format}; this version reads format {FORMAT}.",
                where=manifest_path,
                fix=retrain,
            )
        for name, sha256 in files.items():
            digests.require(directory / name, sha256, retrain)
        with np.load(directory / FASTTEXT_FILE, allow_pickle=False) as saved:
            matrix = saved["table"].astype(np.float32) * saved["scale"][:, None]
            words = len(saved["offsets"]) - 1
            tables = Tables(
                saved["words"], saved["offsets"].astype(np.int64), matrix, len(matrix) - words, 2, manifest["prior"]
            )
            output, bias = saved["output"].astype(np.float32), saved["bias"].astype(np.float32)
        with np.load(directory / STATIC_FILE, allow_pickle=False) as saved:
            heads = [
                np.ascontiguousarray(saved[name], dtype=np.float32)
                for name in ("direct", "hidden", "hidden_bias", "output", "bias")
            ]
            static = Static(saved["table"], saved["scale"], Perceptron(*heads))
        tokens = Tokens(directory / TOKENIZER_FILE)
        encoder = Graph(directory / ENCODER_FILE, tokens)
        return cls(tables, output, bias, static, tokens, encoder, manifest, effort, fields)

    def warm_up(self) -> None:
        """Call up the compiled kernels, without starting a thread: a process about to fork may do it."""
        windows = windows_of(pa.array(["Two words, to call up the kernels."]))
        logits, _ = features.score_windows(windows, self._tables, self._output, self._bias)
        self._static.logits(np.zeros(1, dtype=np.uint32), np.array([0, 1]))
        features.pool(self._stacks["fasttext"].probabilities([logits]), windows.firsts, self._take_max)

    def score(self, texts: pa.Array, languages: pa.Array | None = None) -> pa.RecordBatch:
        """Score a batch of texts.

        A row depends on its own text and language alone: the same bytes come out whatever the batch. Long texts are read
        in windows (:mod:`classifiers.windows`): safety takes the highest window, the rest the mean of the upper half.

        :param texts: strings, any length; null counts as empty.
        :param languages: code of each text, as :class:`~classifiers.language.LanguageId` gives; detected when None.
        :return: one row a text, in order, with :attr:`schema`.
        """
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        foreign = self._foreign(texts, languages)
        windows = windows_of(texts, skip=foreign)
        fast, known_in_window = features.score_windows(windows, self._tables, self._output, self._bias)
        known = np.add.reduceat(known_in_window, windows.firsts[:-1]) if len(texts) else np.zeros(0, dtype=np.int64)
        short = ~foreign & (known < MIN_KNOWN_WORDS)
        unscored = foreign | short
        probabilities, tier = self._cascade(windows, fast, ~unscored)
        pooled = features.pool(probabilities, windows.firsts, self._take_max)
        return self._batch(pooled, tier, unscored, foreign)

    def embed(self, texts: list[str]) -> np.ndarray:
        """Sentence embeddings by the encoder tier, whatever the effort: see :meth:`classifiers.encoder.Graph.embed`."""
        return self._encoder.embed(texts)

    def _foreign(self, texts: pa.Array, languages: pa.Array | None) -> np.ndarray:
        """Which texts are not English, bool, shape (texts,)."""
        if languages is None:
            self._language = self._language or LanguageId()
            codes = self._language.detect(texts)[0]
        else:
            codes = languages.to_pylist()
            if len(codes) != len(texts):
                raise ValueError(f"{len(texts)} texts but {len(codes)} languages")
        return np.array([code != "en" for code in codes], dtype=bool)

    def _cascade(self, windows: Windows, fast: np.ndarray, scored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of windows after all tiers that are asked, and the last tier asked for each text."""
        probabilities = self._stacks["fasttext"].probabilities([fast])
        tier = np.zeros(len(scored), dtype=np.int8)
        if self.effort == "fast":
            return probabilities, tier
        asked = np.flatnonzero(scored & self._doubtful("fasttext", probabilities, windows))
        chosen = _windows_of_texts(asked, windows.firsts)
        strings = windows.strings(chosen)
        static = np.zeros_like(fast)
        static[chosen] = self._static.logits(*self._tokens.flat(strings, special=False))
        probabilities[chosen] = self._stacks["static"].probabilities([fast[chosen], static[chosen]])
        tier[asked] = 1

        doubtful = np.zeros(len(scored), dtype=bool)
        doubtful[asked] = True
        asked = np.flatnonzero(doubtful & self._doubtful("static", probabilities, windows))
        chosen = np.concatenate(
            [np.zeros(0, dtype=np.int64)]
            + [_spread(windows.firsts[i], windows.firsts[i + 1], probabilities[:, self._harm]) for i in asked]
        )
        if len(chosen):
            deep = self._encoder.run(windows.strings(chosen))
            probabilities[chosen] = self._stacks["encoder"].probabilities([fast[chosen], static[chosen], deep])
            tier[asked] = 2
        return probabilities, tier

    def _doubtful(self, tier: str, probabilities: np.ndarray, windows: Windows) -> np.ndarray:
        if self.effort == "best":
            return np.ones(len(windows.firsts) - 1, dtype=bool)
        pooled = features.pool(probabilities, windows.firsts, self._take_max)
        return self._doubts[tier].asks(pooled, self._heads, self._fields)

    def _batch(self, scores: np.ndarray, tier: np.ndarray, unscored: np.ndarray, foreign: np.ndarray) -> pa.RecordBatch:
        named = {self._heads[i]: scores[:, i] for i in self._plain}
        named["relevance"] = _sum_columns(scores, self._relevance)
        named["relevance_sd"] = _deviation(scores, self._relevance, named["relevance"])
        named["support"] = _sum_columns(scores, self._support)
        arrays = [pa.array(named[name], type=pa.float32(), mask=unscored) for name in self._columns]
        arrays.append(pa.array(np.array(TIERS, dtype=object)[tier], type=pa.string(), mask=unscored))
        reasons = np.where(foreign, "language", "too_short")
        arrays.append(pa.array(reasons, type=pa.string(), mask=~unscored))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _windows_of_texts(texts: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Numbers of all windows of the given texts."""
    counts = firsts[texts + 1] - firsts[texts]
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts) + np.repeat(firsts[texts], counts)


def _spread(first: int, last: int, harm: np.ndarray) -> np.ndarray:
    """Windows of a text the encoder reads: all, or a long text's three likeliest to harm and others evenly spread."""
    count = last - first
    if count <= MOST_WINDOWS:
        return np.arange(first, last)
    worst = first + np.argsort(-harm[first:last], kind="stable")[:3]
    even = first + np.arange(MOST_WINDOWS) * count // MOST_WINDOWS
    rest = even[~np.isin(even, worst)][: MOST_WINDOWS - 3]
    return np.sort(np.concatenate([worst, rest]))


def _sum_columns(scores: np.ndarray, columns: list[int]) -> np.ndarray:
    """Expected value of a scale from the probabilities of reaching each step, added in a fixed order."""
    total = np.zeros(len(scores), dtype=np.float32)
    for column in columns:
        total += scores[:, column]
    return total


def _deviation(scores: np.ndarray, columns: list[int], mean: np.ndarray) -> np.ndarray:
    """Standard deviation of a scale: E[k^2] is the sum of (2k - 1) P(at least k)."""
    square = np.zeros(len(scores), dtype=np.float64)
    for step, column in enumerate(columns, 1):
        square += (2 * step - 1) * scores[:, column].astype(np.float64)
    return np.sqrt(np.maximum(square - mean.astype(np.float64) ** 2, 0)).astype(np.float32)
