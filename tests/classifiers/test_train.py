"""Training end to end on a synthetic folder of corpora, what it reads, and the measures it reports."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from classifiers import corpora, distil, student, teacher
from classifiers.corpora import (
    HEAD_INDEX,
    HEADS,
    Example,
    annotated,
    candidates,
    group_of,
    own_labels,
    unlabelled,
    vary_roles,
    without_codes,
)
from classifiers.evaluate import (
    Rate,
    auroc,
    average_precision,
    folds_of,
    headlines,
    interval,
    lived_experience,
    spearman,
    tainted,
)
from classifiers.excerpts import text_key
from classifiers.scorer import EFFORTS, Scorer
from classifiers.tiers import Settings
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


SMALL = Settings(
    student.Settings(dim=8, bucket=512, epochs=15, min_count=1, dropout=0.1, prior=2.0),
    distil.Settings(hidden=16, static_hidden=16, dim=16, epochs=20, static_epochs=10),
)


@pytest.mark.slow
def test_training_makes_weights_that_score_and_can_be_made_again(data_dir, tmp_path, monkeypatch):
    if not teacher.available():
        pytest.skip("needs the `train` extra and classifiers/teacher.txt")
    pytest.importorskip("onnx")
    monkeypatch.setenv("WELLMIX_DATA", str(data_dir))
    monkeypatch.setattr(corpora, "LABELS", tmp_path)
    cache = tmp_path / "cache"
    report = train(data_dir, tmp_path / "weights", seed=1, cache=cache, settings=SMALL)
    assert report.texts == {"annotated": 480, "unlabelled": 0}
    truth, scores = report.material.targets, report.judgement.scores
    for name in (*EFFORTS, "teacher"):
        found = headlines(truth, scores[name], 2.0)
        assert found["relevance_spearman"] > 0.8 and found["harm_auroc"] > 0.9, name
    for effort in EFFORTS:
        scorer = Scorer.load(tmp_path / "weights", effort)
        rows = scorer.score(pa.array([" ".join(BAD), " ".join(RUDE * 2)]), pa.array(["en"] * 2))
        assert rows.column("relevance")[0].as_py() > rows.column("relevance")[1].as_py()
        assert rows.column("safety_harm")[1].as_py() > rows.column("safety_harm")[0].as_py()
        assert {"safety_harm", "safety_harm_short", "safety_harm_long"} <= scorer.thresholds.keys()
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert report.version in card and "English only" in card and "lived experience wrongly removed" in card

    # The same seed gives the same bytes, from features of the cache or made anew; another seed gives others.
    for path in cache.glob("held-out-*"):
        path.unlink()
    again = train(data_dir, tmp_path / "again", seed=1, cache=cache, settings=SMALL)
    other = train(data_dir, tmp_path / "other", seed=2, cache=cache, settings=replace(SMALL))
    assert again.version == report.version != other.version
    for path in (tmp_path / "weights").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_shipped_labels_hold_no_text_and_name_what_they_label():
    labels = own_labels()
    assert len(labels) > 10_000
    assert {"text_key", "corpus", "relevance", "annotator"} <= next(iter(labels.values())).keys()
    assert all("text" not in row and len(key) == 16 for key, row in labels.items())
    assert not any(row["corpus"].startswith(("hatecheck", "humanebench", "mmlu")) for row in labels.values())


@pytest.mark.real
@pytest.mark.slow
def test_every_shipped_label_finds_its_text(real_data, monkeypatch):
    monkeypatch.setenv("WELLMIX_DATA", str(real_data))
    said: list[str] = []
    examples = list(annotated(real_data, said.append))
    assert not [line for line in said if "found no text" in line]
    assert len(examples) > 13_000 and all(set(example.targets) == set(HEADS) for example in examples)
    more = unlabelled(real_data, examples, 200)
    labelled = {text_key(example.text) for example in examples}
    assert len(more) > 100 and not any(text_key(example.text) in labelled for example in more)
    assert [example.text for example in unlabelled(real_data, examples, 200)] == [example.text for example in more]


def test_annotations_that_are_missing_or_broken(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("WELLMIX_DATA", str(tmp_path))
    with pytest.raises(UserError, match="no annotated texts"):
        list(annotated(tmp_path))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "annotations.jsonl").write_text('{"corpus": "x"}\n')
    with pytest.raises(UserError) as error:
        list(annotated(tmp_path))
    assert error.value.where.endswith("annotations.jsonl:1")


def test_hatecheck_is_never_trained_on(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "LABELS", tmp_path)
    assert not any(name.startswith("hatecheck") for name in corpora.SAFETY_CORPORA)
    (tmp_path / "annotations").mkdir()
    line = (data_dir / "annotations" / "annotations.jsonl").read_text().splitlines()[0]
    row = json.loads(line) | {"corpus": "hatecheck"}
    (tmp_path / "annotations" / "annotations.jsonl").write_text(json.dumps(row) + "\n")
    assert list(annotated(tmp_path)) == []


def test_corpora_that_share_texts_are_held_out_together():
    assert group_of("dreaddit") == group_of("sdcnl") == group_of("rmhd")
    assert group_of("gutenberg:Up-from-Slavery--An-Autobiogra") != group_of("standardebooks:walden")
    assert group_of("tweeteval-hate") == group_of("tweeteval-emotion")
    assert (
        group_of("epitome") == group_of("epitome-reddit") and group_of("openstax:psychology") == "openstax-psychology"
    )
    examples = [Example("x", f"c{i % 4}") for i in range(20)]
    assert sorted(folds_of(examples, 2).values()) == [0, 0, 1, 1]
    shared = " ".join(f"w{i}" for i in range(10))
    lines = [shared + " tail", "head " + shared, "quite another line"]
    found = tainted(lines, np.array([True, False, False]), np.array([1, -1, -1]), 2)
    assert found.tolist() == [[False, True], [False, True], [False, False]]


def test_strategy_codes_are_dropped_and_roles_are_varied():
    assert without_codes("Q: How?\nA: So.\n0.0 1 6 [Questions] Why?") == "Q: How?\nA: So.\nWhy?"
    texts = [f"Seeker: I feel {n}.\nSupporter: Tell me." for n in range(300)]
    varied = [vary_roles(text) for text in texts]
    assert varied == [vary_roles(text) for text in texts]
    kept = sum(new == old for new, old in zip(varied, texts, strict=True))
    bare = sum(":" not in new for new in varied)
    assert 80 < kept < 160 and 60 < bare < 130 and any(new.startswith("Client: ") for new in varied)
    assert all(f"I feel {n}." in new and "Tell me." in new for n, new in enumerate(varied))
    assert vary_roles("Note: nobody speaks here.") == "Note: nobody speaks here."


def test_candidates_of_a_corpus_that_is_not_there_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("WELLMIX_DATA", str(tmp_path))
    said: list[str] = []
    assert candidates(tmp_path, log=said.append) == []
    assert any("davidson" in line for line in said) and any("counsel-chat" in line for line in said)


def test_measures():
    assert auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == 0.875
    assert np.isnan(auroc(np.array([1, 1]), np.array([0.1, 0.2])))
    assert spearman(np.array([1, 2, 3]), np.array([10, 20, 90])) == pytest.approx(1.0)
    low, high = Rate(10, 100).interval
    assert low == pytest.approx(0.0552, abs=1e-3) and high == pytest.approx(0.1744, abs=1e-3)  # Wilson 1927
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert average_precision(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5  # a tie counts against
    low, high = interval(lambda rows: float(np.mean(rows % 2)), [f"g{i // 10}" for i in range(200)])
    assert low == high == 0.5
    targets = np.zeros((3, len(HEADS)))
    targets[:2, HEAD_INDEX["safety_disclosure"]] = 1
    targets[1, HEAD_INDEX["safety_harm"]] = 1
    assert lived_experience(targets).tolist() == [True, False, False]
