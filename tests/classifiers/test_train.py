"""Training end to end on a synthetic folder of corpora, and the measures it reports."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from classifiers.corpora import HEAD_INDEX, HEADS, Example, annotated, distant, group_of, without_roles
from classifiers.evaluate import Rate, auroc, folds_of, lived_experience, platt, spearman, tainted
from classifiers.scorer import Scorer
from classifiers.student import Settings
from classifiers.train import train
from sources.errors import UserError

GOOD = ["grateful", "joy", "friend", "mother", "hope", "listened", "walk", "garden", "together", "laughed"]
BAD = ["lonely", "tired", "grief", "afraid", "cried", "lost", "worry", "ashamed", "empty", "hurt"]
DULL = ["bolt", "index", "market", "price", "engine", "table", "socket", "metal", "report", "volume"]
RUDE = ["idiot", "stupid", "trash", "loser", "moron"]


def _annotation(number: int, words: list[str], rng: random.Random) -> dict:
    lived = words is not DULL and words is not RUDE
    return {
        "id": str(number), "key": str(number), "corpus": f"made-{number % 6}",
        "text": " ".join(rng.choices(words, k=25)),
        "relevance": {id(GOOD): 3, id(BAD): 4}.get(id(words), 0),
        "facets": {"positive_emotion": 2} if words is GOOD else {"adversity": 2} if words is BAD else {},
        "stance": "flourishing" if words is GOOD else "struggling" if words is BAD else "neutral",
        "support": 2 if lived and number % 3 == 0 else None,
        "behaviours": ["validates"] if number % 3 == 0 else [],
        "safety": ["harassment"] if words is RUDE else ["disclosure"] if words is BAD else [],
        "register": "first_person" if lived else "expository",
    }  # fmt: skip


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    (root / "annotations").mkdir()
    rng = random.Random(3)
    rows = [_annotation(i, [GOOD, BAD, DULL, RUDE][i // 6 % 4], rng) for i in range(480)]
    (root / "annotations" / "annotations.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return root


SMALL = Settings(dim=8, bucket=512, epochs=15, min_count=1, dropout=0.1, prior=2.0)


def test_training_makes_weights_that_score_and_can_be_made_again(data_dir, tmp_path):
    report = train(data_dir, tmp_path / "weights", seed=1, use_teacher=False, folds=3, settings=SMALL)
    assert report.texts == {"annotated": 480, "distant": 0} and "happydb" in report.missing and not report.taught
    assert report.figures["relevance_spearman"] > 0.8 and report.figures["auroc_safety_harm"] > 0.9
    assert report.harm_missed.total == 120 and report.lived_removed.total == 120
    scorer = Scorer.load(tmp_path / "weights")
    assert scorer.version == report.version and scorer.thresholds == report.thresholds
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert report.version in card and "English only" in card and str(report.harm_missed) in card

    again = train(data_dir, tmp_path / "again", seed=1, use_teacher=False, folds=3, settings=SMALL)
    other = train(data_dir, tmp_path / "other", seed=2, use_teacher=False, folds=3, settings=SMALL)
    assert again.version == report.version != other.version
    assert (tmp_path / "again" / "wellbeing.npz").read_bytes() == (tmp_path / "weights" / "wellbeing.npz").read_bytes()


def test_annotations_that_are_missing_or_broken(data_dir, tmp_path):
    with pytest.raises(UserError, match="no annotated texts"):
        list(annotated(tmp_path))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "annotations.jsonl").write_text('{"corpus": "x"}\n')
    with pytest.raises(UserError) as error:
        list(annotated(tmp_path))
    assert error.value.where.endswith("annotations.jsonl:1")
    assert distant(tmp_path)[0] == []


def test_hatecheck_is_never_trained_on(data_dir, tmp_path):
    (tmp_path / "annotations").mkdir()
    line = (data_dir / "annotations" / "annotations.jsonl").read_text().splitlines()[0]
    row = json.loads(line) | {"corpus": "hatecheck"}
    (tmp_path / "annotations" / "annotations.jsonl").write_text(json.dumps(row) + "\n")
    assert list(annotated(tmp_path)) == []


def test_corpora_that_share_texts_are_held_out_together():
    assert group_of("dreaddit") == group_of("sdcnl") == group_of("rmhd")
    assert group_of("gutenberg:Up-from-Slavery--An-Autobiogra") != group_of("standardebooks:walden")
    assert group_of("tweeteval-hate") == group_of("tweeteval-emotion")
    examples = [Example("x", f"c{i % 4}", annotated=True) for i in range(20)]
    assert sorted(folds_of(examples, 2).values()) == [0, 0, 1, 1]
    shared = " ".join(f"w{i}" for i in range(10))
    lines = [shared + " tail", "head " + shared, "quite another line"]
    found = tainted(lines, np.array([True, False, False]), np.array([1, -1, -1]), 2)
    assert found.tolist() == [[False, True], [False, True], [False, False]]


def test_role_marks_are_dropped():
    assert without_roles("Q: How?\nA: So.\n0.0 1 6 [Questions] Why?") == "How?\nSo.\nWhy?"


def test_measures():
    assert auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == 0.875
    assert np.isnan(auroc(np.array([1, 1]), np.array([0.1, 0.2])))
    assert spearman(np.array([1, 2, 3]), np.array([10, 20, 90])) == pytest.approx(1.0)
    low, high = Rate(10, 100).interval
    assert low == pytest.approx(0.0552, abs=1e-3) and high == pytest.approx(0.1744, abs=1e-3)  # Wilson 1927
    assert Rate(0, 0).interval == (0.0, 1.0)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-(2 * logits - 1)))
    scale, offset = platt(logits, truth.astype(float))
    assert scale == pytest.approx(2, abs=0.2) and offset == pytest.approx(-1, abs=0.2)
    targets = np.zeros((3, len(HEADS)))
    targets[:2, HEAD_INDEX["safety_disclosure"]] = 1
    targets[1, HEAD_INDEX["safety_harm"]] = 1
    assert lived_experience(targets).tolist() == [True, False, False]
