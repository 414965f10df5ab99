"""Calibration, stacking and doubt, on numbers whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.calibrate import Stack, ece, reliability
from classifiers.corpora import HEAD_INDEX, HEADS
from classifiers.fitting import ALARM, cascade, fit, thresholds
from classifiers.scorer import FIELDS, TIERS, Doubt, field_of


def _truth(logits: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)


def test_a_stack_finds_scale_and_offset_and_never_turns_an_order_round():
    random = np.random.default_rng(1)
    logits = random.normal(size=(6000, 2)) * 2
    truth = _truth(logits * [2.0, 0.5] - 1)
    stack = Stack.fit([logits.astype(np.float32), -logits.astype(np.float32)], truth)
    assert (stack.weights >= 0).all() and stack.weights.shape == (2, 2)
    probabilities = stack.probabilities([logits, -logits])
    assert ece(truth[:, 0], probabilities[:, 0]) < 0.02 and ece(truth[:, 1], probabilities[:, 1]) < 0.02
    assert stack.weights[0] - stack.weights[1] == pytest.approx([2.0, 0.5], abs=0.15)
    rows = stack.probabilities([logits[3:4], -logits[3:4]])
    assert rows.tobytes() == probabilities[3:4].tobytes()


def test_a_head_with_few_positives_keeps_the_average_of_its_tiers():
    stack = Stack.fit([np.ones((50, 1)), np.ones((50, 1))], np.zeros((50, 1)))
    assert stack.weights.ravel().tolist() == [0.5, 0.5] and stack.offset.tolist() == [0.0]


def test_calibration_error_and_reliability():
    truth = np.array([0, 0, 0, 1] * 250)
    assert ece(truth, np.full(1000, 0.25)) == pytest.approx(0, abs=0.02)
    assert ece(truth, np.full(1000, 0.75)) == pytest.approx(0.5, abs=0.02)
    assert reliability(truth, np.full(1000, 0.25)) == [(0.25, 0.25, 1000)]


def _logits(quality: dict[str, float], rows: int, seed: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    real = random.normal(size=(rows, len(HEADS))) * 2 - 1
    truth = _truth(real, seed)
    noisy = {
        name: (share * real + (1 - share) * random.normal(size=real.shape) * 2).astype(np.float32)
        for name, share in quality.items()
    }
    return noisy, truth


def test_a_cascade_is_between_its_tiers_and_asks_the_shares_it_is_given():
    logits, truth = _logits({"fasttext": 0.3, "static": 0.5, "encoder": 0.9, "teacher": 0.95}, 3000)
    judged = fit(logits, truth, np.full(3000, 50), np.ones(3000, bool), logits)
    error = {name: float(((scores - truth) ** 2).mean()) for name, scores in judged.scores.items()}
    assert error["best"] < error["balanced"] < error["fast"]
    assert judged.asked["fasttext"] == 1.0
    # the shares that doubt alone sends on, and texts whose harm alarms
    assert judged.asked["static"] >= 0.65 and 0.08 <= judged.asked["encoder"] < judged.asked["static"]
    harm = HEAD_INDEX["safety_harm"]
    alarmed = (judged.scores["fasttext"][:, harm] >= ALARM) & (judged.scores["static"][:, harm] >= ALARM)
    assert (judged.scores["balanced"][alarmed] == judged.scores["best"][alarmed]).all()
    assert set(judged.thresholds) == {"fast", "balanced", "best", "teacher"}
    again, asked = cascade(judged.scores, judged.doubts)
    assert asked == judged.asked and again.tobytes() == judged.scores["balanced"].tobytes()


def test_doubt_counts_the_fields_it_is_asked_about():
    scores = np.full((2, len(HEADS)), 0.001, dtype=np.float32)
    scores[1, HEAD_INDEX["safety_harm"]] = 0.5
    doubt = Doubt(dict.fromkeys(FIELDS, 1.0), 0.0)
    about_safety = doubt.of(scores, list(HEADS), ("safety",))
    assert about_safety[1] > about_safety[0] + 0.2
    about_facets = doubt.of(scores, list(HEADS), ("facets",))
    assert about_facets[0] == about_facets[1]
    assert {field_of(head) for head in HEADS} == set(FIELDS) and TIERS[0] == "fasttext"


def test_harm_thresholds_keep_the_budget_of_lived_experience():
    random = np.random.default_rng(3)
    truth = np.zeros((1000, len(HEADS)), dtype=np.float32)
    truth[:800, HEAD_INDEX["safety_disclosure"]] = 1
    truth[800:, HEAD_INDEX["safety_harm"]] = 1
    scores = random.random(truth.shape).astype(np.float32)
    short = np.arange(1000) % 2 == 0
    cuts = thresholds(truth, scores, short, np.ones(1000, bool))
    harm = scores[:, HEAD_INDEX["safety_harm"]]
    lived = np.arange(1000) < 800
    assert (harm[lived & ~short] >= cuts["safety_harm"]).mean() <= 0.01
    assert (harm[lived & short] >= cuts["safety_harm_short"]).mean() <= 0.03
