"""From held-out logits to judgement: calibration of each tier, what counts as doubt, and recommended thresholds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from classifiers.calibrate import Stack
from classifiers.corpora import HEAD_INDEX, HEADS
from classifiers.evaluate import best_f1, expected, f1, lived_experience
from classifiers.scorer import EFFORTS, FIELDS, SHORT_WORDS, TIERS, Doubt, field_of

#: Share of all texts that go on for doubt from fastText to the static tier, and from there to the encoder, when balanced.
GO_ON = {"fasttext": 0.65, "static": 0.08}
#: Probability of harm from which a text goes on in any case.
ALARM = 0.1

#: Share of benign lived experience that the recommended harm threshold may remove.
LIVED_REMOVED = 0.01
#: The same of short texts: their scores overlap so much that 1 % would leave most of the harm, and a lost sentence costs
#: less than a lost story.
LIVED_REMOVED_SHORT = 0.03
#: Share of all benign short texts that it may remove, a third of which here are from corpora of abuse. Texts that were picked
#: because a model was unsure of them do not count.
BENIGN_SHORT_REMOVED = 0.1

#: The teacher's own calibration, for comparison; not shipped.
TEACHER = "teacher"


@dataclass
class Judgement:
    """What held-out scores teach.

    :param stacks: tier -> its calibration over its own and the earlier tiers' logits.
    :param doubts: tier -> when to go on from it.
    :param scores: tier, ``teacher`` or effort -> calibrated held-out probabilities, shape (labelled, heads).
    :param asked: tier -> share of the labelled texts that a balanced cascade asks it about.
    :param thresholds: effort -> recommended cuts.
    """

    stacks: dict[str, Stack]
    doubts: dict[str, Doubt]
    scores: dict[str, np.ndarray]
    asked: dict[str, float]
    thresholds: dict[str, dict[str, float]] = field(default_factory=dict)


def fit(
    logits: dict[str, np.ndarray],
    truth: np.ndarray,
    words: np.ndarray,
    plain: np.ndarray,
    reference: dict[str, np.ndarray],
) -> Judgement:
    """Fit everything that needs held-out scores.

    :param logits: tier -> held-out logits, shape (labelled, heads).
    :param truth: 0 or 1, same shape.
    :param words: number of words of each labelled text.
    :param plain: bool, whether a text was picked without regard to what a model made of it.
    :param reference: tier -> logits of a mixture of all corpora, by which the shares of :data:`GO_ON` are met.
    """
    stacks = {tier: Stack.fit(_up_to(tier, logits), truth) for tier in TIERS}
    stacks[TEACHER] = Stack.fit([logits[TEACHER]], truth)
    scores = {tier: stacks[tier].probabilities(_up_to(tier, logits)) for tier in TIERS}
    scores[TEACHER] = stacks[TEACHER].probabilities([logits[TEACHER]])
    general = {tier: stacks[tier].probabilities(_up_to(tier, reference)) for tier in TIERS}
    doubts = _doubts(scores, truth, general)
    scores["balanced"], asked = cascade(scores, doubts)
    scores["fast"], scores["best"] = scores["fasttext"], scores["encoder"]
    judgement = Judgement(stacks, doubts, scores, asked)
    judgement.thresholds = {
        effort: thresholds(truth, scores[effort], words < SHORT_WORDS, plain) for effort in (*EFFORTS, TEACHER)
    }
    for found in judgement.thresholds.values():
        # a label means the same whatever the effort
        found |= {
            name: cut
            for name, cut in judgement.thresholds["balanced"].items()
            if not name.startswith(("relevance", "safety_harm"))
        }
    return judgement


def _up_to(tier: str, logits: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [logits[name] for name in TIERS[: TIERS.index(tier) + 1]]


def _doubts(scores: dict[str, np.ndarray], truth: np.ndarray, general: dict[str, np.ndarray]) -> dict[str, Doubt]:
    """What each tier's variances say about how much the next one mends; each field counts by its own error."""
    doubts: dict[str, Doubt] = {}
    reached = np.ones(len(general["fasttext"]), dtype=bool)
    for tier, after in itertools.pairwise(TIERS):
        variances = Doubt.variances(scores[tier], list(HEADS))
        weights: dict[str, float] = {}
        for number, name in enumerate(FIELDS):
            columns = [i for i, head in enumerate(HEADS) if field_of(head) == name]
            before = ((scores[tier][:, columns] - truth[:, columns]) ** 2).sum(axis=1)
            gain = before - ((scores[after][:, columns] - truth[:, columns]) ** 2).sum(axis=1)
            weights[name] = max(0.0, float(gain.mean() / variances[:, number].mean() / before.mean()))
        doubt = Doubt(weights, 0.0).of(general[tier], list(HEADS), FIELDS)
        share = min(1.0, GO_ON[tier] * len(doubt) / max(1, int(reached.sum())))
        cut = float(np.quantile(doubt[reached], 1 - share)) if reached.any() else 0.0
        doubts[tier] = Doubt({name: round(value, 6) for name, value in weights.items()}, round(cut, 6), ALARM)
        reached &= doubts[tier].asks(general[tier], list(HEADS), FIELDS)
    return doubts


def cascade(scores: dict[str, np.ndarray], doubts: dict[str, Doubt]) -> tuple[np.ndarray, dict[str, float]]:
    """What a balanced cascade says of texts of one window, and the share of them each tier is asked about."""
    result = scores["fasttext"].copy()
    reached = np.ones(len(result), dtype=bool)
    asked = {"fasttext": 1.0}
    for tier, after in itertools.pairwise(TIERS):
        reached &= doubts[tier].asks(scores[tier], list(HEADS), FIELDS)
        result[reached] = scores[after][reached]
        asked[after] = float(reached.mean())
    return result, asked


def thresholds(truth: np.ndarray, scores: np.ndarray, short: np.ndarray, plain: np.ndarray) -> dict[str, float]:
    """Recommended cuts: relevance by F1 at 3; harm by what it may cost in benign texts; labels by F1.

    Harm has two: in a sentence a single word decides, so short texts have a distribution, and a cut, of their own.
    """
    relevance, guessed = expected(truth) >= 3, expected(scores)
    cuts = np.round(np.arange(1.0, 4.0, 0.05), 2)
    found = {"relevance": float(max(cuts, key=lambda cut: f1(relevance, guessed >= cut)))}
    harm = scores[:, HEAD_INDEX["safety_harm"]].astype(np.float64)
    lived, benign = lived_experience(truth), truth[:, HEAD_INDEX["safety_harm"]] < 0.5
    found["safety_harm"] = lowest_cut(harm[lived & ~short], LIVED_REMOVED)
    found["safety_harm_short"] = max(
        lowest_cut(harm[lived & short], LIVED_REMOVED_SHORT),
        lowest_cut(harm[benign & short & plain], BENIGN_SHORT_REMOVED),
    )
    for name, head in HEAD_INDEX.items():
        if name.startswith(("facet_", "behaviour_", "safety_", "responds")) and name not in found:
            wanted = truth[:, head] > 0.5
            if wanted.sum() >= 10:
                found[name] = best_f1(wanted, scores[:, head])[1]
    return found


def lowest_cut(kept: np.ndarray, budget: float) -> float:
    """The lowest cut, in thousandths, that removes no more than a share of the scores; an even chance without any."""
    if not len(kept):
        return 0.5
    first_kept = np.sort(kept)[::-1][min(int(budget * len(kept)), len(kept) - 1)]
    return float(np.round(np.floor(1000 * first_kept) / 1000 + 0.001, 3))
