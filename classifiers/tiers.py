"""The tiers and how they are made: the teacher, and the three students that learn from it.

==========  =============================================  =======================================
tier        what it reads                                  module
==========  =============================================  =======================================
fasttext    words and word pairs                           :mod:`classifiers.student`, ``features``
static      word pieces, their mean and their extremes     :mod:`classifiers.static`
encoder     the text: MiniLM's middle and last layers      :mod:`classifiers.encoder`
teacher     the text: MPNet's, in training only            :mod:`classifiers.teacher`
==========  =============================================  =======================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from classifiers import distil
from classifiers.encoder import Perceptron
from classifiers.material import FOLDS, Material
from classifiers.static import Static
from classifiers.student import Settings as FastTextSettings
from classifiers.student import Student, train_student, vocabulary_of
from classifiers.teacher import KernelRidge

#: The students, cheapest first.
STUDENTS = ("fasttext", "static", "encoder")
#: How much of a target is the label itself, the rest being what the teacher says: annotators err, and the teacher has
#: seen what the others said of such texts.
LABEL_SHARE = 0.6


@dataclass(frozen=True)
class Settings:
    """How all tiers are trained."""

    fasttext: FastTextSettings = field(default_factory=FastTextSettings)
    students: distil.Settings = field(default_factory=distil.Settings)


@dataclass
class Students:
    """The trained students."""

    fasttext: Student
    static: Static
    encoder: Perceptron

    def logits(self, material: Material, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Each tier's logits of the given texts, float32, shape (rows, heads)."""
        starts, ends = material.bounds[rows], material.bounds[rows + 1]
        ids = np.concatenate([material.ids[a:b] for a, b in zip(starts, ends, strict=True)])
        bounds = np.concatenate([[0], np.cumsum(ends - starts)])
        return {
            "fasttext": self.fasttext.logits([material.lines[row] for row in rows]),
            "static": self.static.logits(ids, bounds),
            "encoder": self.encoder.logits(material.encoder_rows[rows]),
        }


def train_teacher(material: Material, chosen: np.ndarray) -> KernelRidge:
    """The teacher's heads, from the chosen texts (numbers of annotated ones)."""
    return KernelRidge(material.teacher_rows[chosen], material.targets[chosen])


def train_students(
    material: Material, chosen: np.ndarray, teacher: KernelRidge, settings: Settings, seed: int
) -> Students:
    """Students of a teacher, from the chosen texts, labelled or not."""
    taught = np.clip(teacher.predict(material.teacher_rows[chosen]), 0.003, 0.997)
    labelled = chosen < material.labelled
    targets = taught.copy()
    targets[labelled] = LABEL_SHARE * material.targets[chosen[labelled]] + (1 - LABEL_SHARE) * taught[labelled]
    weights = np.where(labelled, 2.0, 1.0).astype(np.float32)
    starts, ends = material.bounds[chosen], material.bounds[chosen + 1]
    ids = np.concatenate([material.ids[a:b] for a, b in zip(starts, ends, strict=True)])
    bounds = np.concatenate([[0], np.cumsum(ends - starts)])
    lines = [material.lines[row] for row in chosen]
    words = vocabulary_of(lines, settings.fasttext)
    vectors = _word_vectors(words, lines, material, settings)
    with ThreadPoolExecutor(1) as pool:  # its kernel leaves the interpreter to the others
        fasttext = pool.submit(train_student, lines, targets, weights, settings.fasttext, seed, words, vectors)
        pieces = material.pieces[:, : settings.students.dim]
        static = distil.train_static(ids, bounds, pieces, targets, weights, settings.students, seed)
        heads = distil.train_heads(material.encoder_rows[chosen], targets, weights, settings.students, seed)
        return Students(fasttext.result(), static, heads)


def _word_vectors(words: list[str], lines: list[str], material: Material, settings: Settings) -> np.ndarray:
    """Where the rows of words start: the mean of their pieces' vectors, so that a word few texts hold starts near its
    neighbours in meaning. Commoner words start shorter (smooth inverse frequency, Arora et al. 2017), as they say less."""
    ids, bounds = material.tokens.flat(words, special=False)
    vectors = material.pieces[:, : settings.fasttext.dim]
    sums = np.add.reduceat(vectors[ids], np.minimum(bounds[:-1], len(ids) - 1), axis=0)
    rows = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    counts = Counter(word for line in lines for word in line.split(" "))
    frequency = np.array([counts[word] for word in words]) / sum(counts.values())
    return (rows * (1e-3 / (1e-3 + frequency))[:, None]).astype(np.float32)


def held_out(
    material: Material, settings: Settings, seed: int, log: Callable[[str], None] = lambda message: None
) -> dict[str, np.ndarray]:
    """Logits of all texts by tiers that saw nothing of their group of corpora.

    For each fold the teacher and all students are trained again without the fold's corpora, labelled or not, and without
    texts that share ten running words with them. Texts of corpora without labels are in no fold: the first fold's tiers
    score them.

    :return: for the teacher and each student, float32, shape (texts, heads); the teacher's are logits of its clipped
        regression values.
    """
    shape = (len(material.examples), material.targets.shape[1])
    found = {name: np.zeros(shape, dtype=np.float32) for name in (*STUDENTS, "teacher")}
    everything = np.arange(len(material.examples))
    for fold in range(FOLDS):
        chosen = everything[(material.fold != fold) & ~material.shared[:, fold]]
        held = everything[(material.fold == fold) | ((fold == 0) & (material.fold < 0))]
        teacher = train_teacher(material, chosen[chosen < material.labelled])
        value = np.clip(teacher.predict(material.teacher_rows[held]), 0.003, 0.997)
        found["teacher"][held] = np.log(value / (1 - value))
        students = train_students(material, chosen, teacher, settings, seed)
        for name, logits in students.logits(material, held).items():
            found[name][held] = logits
        log(f"fold {fold + 1} of {FOLDS}: {len(chosen):,} texts learnt from, {len(held):,} held out")
    return found
