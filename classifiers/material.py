"""What training works on: the texts, their labels, and the features of them that do not depend on any label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from classifiers import corpora, encoder, teacher
from classifiers.cache import rows_of, save
from classifiers.corpora import HEADS, Example, group_of
from classifiers.distil import piece_vectors
from classifiers.evaluate import folds_of, tainted
from classifiers.features import normalise
from sources.digests import sha256

#: Most unlabelled texts of a corpus.
QUOTA = 450
FOLDS = 5


@dataclass
class Material:
    """Texts as columns; the first :attr:`labelled` of them are annotated.

    :param targets: float32, shape (labelled, heads), 0 or 1.
    :param teacher_rows: float32 features of the teacher's encoder, shape (texts, 2304).
    :param encoder_rows: float32 features of the shipped encoder, shape (texts, 1152).
    :param ids: word pieces of all texts, and their ``bounds``.
    :param lines: normal forms, for the fastText student.
    :param fold: the fold each text is held out in, -1 for texts of corpora without labels.
    :param shared: bool, shape (texts, folds): whether a text shares running words with a held-out text of that fold.
    """

    examples: list[Example]
    targets: np.ndarray
    teacher_rows: np.ndarray
    encoder_rows: np.ndarray
    ids: np.ndarray
    bounds: np.ndarray
    lines: list[str]
    fold: np.ndarray
    shared: np.ndarray
    pieces: np.ndarray
    tokens: encoder.Tokens
    features: Path

    @property
    def labelled(self) -> int:
        """How many texts are annotated."""
        return len(self.targets)

    @property
    def corpora(self) -> dict[str, int]:
        """Texts learnt from, by corpus."""
        return dict(sorted(Counter(example.corpus for example in self.examples).items()))


def read_material(
    data: Path, cache: Path, seed: int = 0, quota: int = QUOTA, log: Callable[[str], None] = lambda message: None
) -> Material:
    """Read texts and make their features; what the cache has is not made again.

    :param data: root of the corpora.
    :param cache: folder for features and unpacked encoders.
    :raises UserError: annotations are missing, or the ``train`` extra is not installed.
    """
    teacher.require()
    cache.mkdir(parents=True, exist_ok=True)
    labelled = corpora.only_english(list(corpora.annotated(data, log)))
    examples = labelled + corpora.only_english(corpora.unlabelled(data, labelled, quota, seed))
    log(f"{len(labelled):,} annotated and {len(examples) - len(labelled):,} unlabelled texts")
    texts = [example.text for example in examples]
    targets = np.array([[example.targets[name] for name in HEADS] for example in labelled], dtype=np.float32)

    features = cache / "features.onnx"
    if not features.is_file():
        encoder.make_features(features.with_suffix(".part"))
        features.with_suffix(".part").rename(features)
    tokens = encoder.Tokens(encoder.base() / "tokenizer.json")
    log("features of the shipped encoder")
    encoder_rows = _encoder_rows(texts, features, cache)
    log("features of the teacher")
    teacher_rows = teacher.embed(texts, cache, log)
    ids, bounds = tokens.flat(texts, special=False)
    lines = [normalise(text) for text in texts]
    groups = folds_of(labelled, FOLDS)
    fold = np.array([groups.get(group_of(example.corpus), -1) for example in examples])
    annotated = np.arange(len(examples)) < len(labelled)
    return Material(
        examples, targets, teacher_rows, encoder_rows, ids, bounds, lines, fold,
        tainted(lines, annotated, fold, FOLDS), _pieces(cache), tokens, features,
    )  # fmt: skip


def _pieces(cache: Path) -> np.ndarray:
    path = cache / f"pieces-{encoder.MODEL}.npz"
    if not path.is_file():
        save(path, pieces=piece_vectors(128))
    with np.load(path, allow_pickle=False) as saved:
        return saved["pieces"]


def _encoder_rows(texts: list[str], features: Path, cache: Path) -> np.ndarray:
    """Features of texts as the shipped graph gives them, so that heads are trained on what they will meet."""
    # Rows are those of one graph: heads trained on another's would be shipped in this one.
    graph = f"encoder-{sha256(features)[:12]}-{encoder.TOKENS}"

    def encode(new: list[str]) -> np.ndarray:
        parts = [new[at : at + 500] for at in range(0, len(new), 500)]
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            return np.concatenate(list(pool.map(_run, [str(features)] * len(parts), parts)))

    return rows_of(texts, cache, graph, lambda: encode, len(texts)).astype(np.float32)


_GRAPHS: dict[str, encoder.Graph] = {}


def _run(features: str, texts: list[str]) -> np.ndarray:
    if features not in _GRAPHS:
        tokens = encoder.Tokens(encoder.base() / "tokenizer.json")
        _GRAPHS[features] = encoder.Graph(Path(features), tokens)
    return _GRAPHS[features].run(texts)
