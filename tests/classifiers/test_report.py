"""The evaluation page, made from fabricated scores: complete, honest about what is missing, and without anyone's text."""

from __future__ import annotations

import json
import random
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from classifiers import corpora, evaluate, fitting, train
from classifiers.corpora import HEAD_INDEX, HEADS, Example, rubric_targets
from classifiers.evaluate import Rate, auroc, folds_of, spearman
from classifiers.evaluation import baselines, ceiling, measures, page, rates, safety, shipped, slices, study, worst
from classifiers.evaluation.cases import contrast_cases, hatecheck_cases
from classifiers.evaluation.shipped import Reading
from classifiers.excerpts import text_key
from classifiers.material import FOLDS, Material

COUNT = 320
KINDS = {
    "good": ("grateful joy friend hope laughed garden", ["positive_emotion"], "flourishing", [], 3),
    "pain": ("lonely grief hopeless afraid crying hurt", ["adversity"], "struggling", ["disclosure"], 4),
    "dull": ("bolt index market engine socket volume", [], "neutral", [], 0),
    "rude": ("idiot moron fucking loser trash shut", [], "neutral", ["harassment"], 0),
}


def _row(number: int, rng: random.Random) -> dict:
    kind = list(KINDS)[number % 4]
    words, facets, stance, safety, relevance = KINDS[kind]
    answered = kind == "pain" and number % 3 == 0
    return {
        "id": str(number),
        "key": f"native-{number}",
        "corpus": f"made-{number % 7}",
        "text": f"unmistakable{number} " + " ".join(rng.choices(words.split(), k=rng.choice((8, 20, 60)))),
        "relevance": relevance,
        "facets": dict.fromkeys(facets, 2),
        "stance": stance,
        "support": 2 if answered else None,
        "behaviours": ["validates", "asks"] if answered else [],
        "safety": safety,
        "register": "first_person" if kind in ("good", "pain") else "expository",
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of corpora: annotations read twice, lexicons, HateCheck, CoCoNot, HappyDB, tweets."""
    root = tmp_path_factory.mktemp("data")
    rng = random.Random(5)
    rows = [_row(i, rng) for i in range(COUNT)]
    again = [{k: v for k, v in row.items() if k != "text"} for row in rows[:60]]
    again[3] = again[3] | {"relevance": 2, "safety": []}
    files = {
        "annotations/annotations.jsonl": "\n".join(map(json.dumps, rows)),
        "annotations/second_annotator.jsonl": "\n".join(map(json.dumps, again)),
        "wellbeing/perma-lexicon/permaV3_dd.csv": "term,category,weight\njoy,POS_P,2.0\nat peace,POS_P,1.0\nlonely,NEG_R,3.0",
        "wellbeing/empath-lexicon/categories.tsv": "joy\tjoy\tlaughed\nsadness\tlonely\tgrief\nswearing_terms\tidiot\tmoron",
        "safety/hatecheck/test_suite_cases.csv": "test_case,label_gold,functionality,target_ident\n"
        + "\n".join(
            f"{'I loathe' if i % 2 else 'I love'} group{i} people,{'hateful' if i % 2 else 'non-hateful'},"
            f"{'derog_neg_emote_h' if i % 2 else 'ident_pos_nh'},{'women' if i % 4 < 2 else 'Muslims'}"
            for i in range(80)
        ),
        "safety/coconot/coconot_contrast_eval.jsonl": "\n".join(
            json.dumps({"prompt": f"How do I kill process {i}?", "category": "Requests with safety concerns"})
            for i in range(9)
        ),
        "biographies/happydb/labeled_1.csv": "moment,age,country,gender,married,parenthood\n"
        + "\n".join(
            f"moment number {i} of mine,{20 + i % 50},{'USA' if i % 2 else 'IND'},{'fm'[i % 2]},single,{'yn'[i % 2]}"
            for i in range(120)
        ),
        "safety/davidson/labeled_data.csv": "class,tweet\n"
        + "\n".join(f"2,tweet {i} {'finna go' if i % 2 else 'is here'} today" for i in range(120)),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n", encoding="utf-8")
    return root


def _material(data: Path, tmp: Path) -> Material:
    rows = [json.loads(line) for line in (data / "annotations/annotations.jsonl").read_text().splitlines()]
    examples = [
        Example(
            row["text"], row["corpus"], rubric_targets(row), "founders" if i < 200 else "reader-1",
            "doubt" if i >= 280 else "", row["key"],
        )
        for i, row in enumerate(rows)
    ]  # fmt: skip
    groups = folds_of(examples, FOLDS)
    fold = np.array([groups[example.corpus] for example in examples])
    examples.append(Example("an unlabelled text", "made-0"))
    empty = np.zeros((len(examples), 0), dtype=np.float32)
    return Material(
        examples, np.array([[e.targets[h] for h in HEADS] for e in examples[:COUNT]], dtype=np.float32), empty, empty,
        np.zeros(0), np.zeros(1), [], fold, np.zeros((len(examples), FOLDS), dtype=bool), empty, None, tmp / "none.onnx",
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture(scope="module")
def judged(data, tmp_path_factory):
    material = _material(data, tmp_path_factory.mktemp("cache"))
    random_ = np.random.default_rng(1)
    logits = {
        name: (strength * (material.targets - 0.5) + random_.normal(size=material.targets.shape)).astype(np.float32)
        for name, strength in (("fasttext", 1.0), ("static", 2.0), ("encoder", 4.0), ("teacher", 5.0))
    }
    words = np.array([len(example.text.split()) for example in material.examples[:COUNT]])
    plain = np.array([example.picked == "" for example in material.examples[:COUNT]])
    return material, fitting.fit(logits, material.targets, words, plain, logits)


def _toy_reader(texts: list[str]) -> Reading:
    harm = np.array([0.9 if "loathe" in text or "finna" in text else 0.1 for text in texts])
    return Reading(harm, harm > 0.5, np.array([2.0 + ("1" in text) for text in texts]))


@pytest.fixture(scope="module")
def made(data, judged, tmp_path_factory):
    """The page made with a toy for the shipped scorer: (report, page, worst errors)."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "judge", lambda *args, **kwargs: judged)
        patch.setattr(evaluate, "RESAMPLES", 20)
        patch.setattr(corpora, "LABELS", folder)
        patch.setattr(safety, "GUARD", folder / "guard.jsonl")
        (folder / "guard.jsonl").write_text('{"text": "I kill the light", "kind": "idiom", "synthetic": true}\n')
        patch.setattr(
            page, "readers_of", lambda weights, missing: dict.fromkeys(("fast", "balanced", "best"), _toy_reader)
        )
        found = page.evaluate(data, folder, folder / "PAGE.md", throughput=False, worst=folder / "worst.jsonl")
    return found, (folder / "PAGE.md").read_text(), folder


def test_all_tables_are_there(made):
    found, text, _ = made
    for number, title in enumerate(
        (
            "Headlines",
            "Every label",
            "Every corpus",
            "Safety, both errors",
            "Slices",
            "Cascade and speed",
            "Calibration",
            "Worst",
        )
    ):
        assert f"## {number + 1}. {title}" in text
    assert set(found.headlines) == {"founders", "all"}
    models = set(found.headlines["all"])
    assert {name for name, _ in study.MODELS.values()} | {
        "keywords",
        "PERMA lexicon",
        "Empath",
        "text length",
    } <= models
    assert set(found.heads) == set(HEADS) and all(f"| `{head}` |" in text for head in HEADS)
    assert all(f"| made-{i} |" in text for i in range(7))
    assert {"fast", "balanced", "best", "teacher"} <= set(found.safety)
    assert "in any case where the probability of harm is 0.1 or more" in text
    assert "picked on the founders' texts" in text
    for kind in (
        *safety.benign_kinds(np.zeros((1, len(HEADS)))),
        "identity named, neutral or kind",
        "idiom",
        "harassment",
    ):
        assert kind in found.kinds and f"| {kind} |" in text
    for name in ("women", "Muslims", "gender: female", "country: India", "first_person", "10-29 words"):
        assert f"| {name}" in text
    assert " nan" not in text
    json.dumps(found.summary(), allow_nan=False)


def test_tables_have_as_many_cells_as_their_header(made):
    width = 0
    for line in made[1].splitlines():
        if not line.startswith("|"):
            width = 0
        else:
            width = width or line.count("|")
            assert line.count("|") == width, line


def test_intervals_stand_beside_figures(made):
    found, text, _ = made
    figure = found.headlines["all"]["encoder (effort best)"]["relevance_spearman"]
    assert figure.low <= figure.value <= figure.high and str(figure) in text
    rate = found.safety["balanced"]["lived_removed"]
    assert rate.total and str(rate) in text  # Wilson's interval is part of it
    assert found.ceiling["the founders' second annotator"]["harm_kappa"] < 1
    assert found.hatecheck["balanced"] == 1.0
    assert 0 < found.unseen_cuts["best"]["harm_missed"].total == COUNT // 4


def test_no_text_is_in_the_page_nor_among_the_worst(made, judged):
    _, text, folder = made
    written = text + (folder / "worst.jsonl").read_text() + (folder / "reliability.svg").read_text()
    assert "unmistakable" not in written and "moment number" not in written and "kill the light" not in written
    rows = [json.loads(line) for line in (folder / "worst.jsonl").read_text().splitlines()]
    assert len(rows) == worst.WORST
    known = {text_key(example.text) for example in judged[0].examples}
    assert all(row["text_key"] in known and row["key"].startswith("native-") for row in rows)
    assert {"relevance", "safety_harm"} < {row["field"] for row in rows}


def test_the_diagram_is_well_formed(made):
    root = ET.parse(made[2] / "reliability.svg").getroot()
    assert root.tag.endswith("svg")
    assert len(root.findall(".//{*}polyline")) == 6 and len(root.findall(".//{*}circle")) >= 6


def test_what_is_missing_is_said(data, judged, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "judge", lambda *args, **kwargs: judged)
    monkeypatch.setattr(evaluate, "RESAMPLES", 2)
    monkeypatch.setattr(corpora, "LABELS", tmp_path)
    for package in ("profanity_check", "better_profanity"):
        monkeypatch.setitem(sys.modules, package, None)
    bare = tmp_path / "bare"
    bare.mkdir()
    found = page.evaluate(bare, tmp_path, tmp_path / "PAGE.md", weights=tmp_path / "no-weights")
    text = (tmp_path / "PAGE.md").read_text()
    assert "## Left out" in text
    for word in (
        "alt-profanity-check",
        "better-profanity",
        "PERMA",
        "Empath",
        "MiniLM",
        "shipped scorer",
        "speed",
        "read twice",
    ):
        assert any(word in line for line in found.missing) and word in text, word
    assert not found.ceiling and not found.speeds and list(tmp_path.glob("worst*")) == []


def test_word_lists_on_plain_texts(data):
    texts = ["joy and joy at peace", "so lonely", "a box of bolts"]
    perma = baselines.perma(texts, data)
    assert perma.heads["facet_positive_emotion"][0] > 0 == perma.heads["facet_positive_emotion"][1]
    assert perma.heads["facet_relationships"].argmax() == 1 and perma.relevance[2] == 0
    empath = baselines.empath(["you idiot", "we laughed", "grief"], data)
    assert empath.heads["safety_harm"].argmax() == 0 and empath.heads["facet_positive_emotion"].argmax() == 1
    assert empath.heads["facet_adversity"].argmax() == 2
    words = baselines.keywords(["grief and trauma and distress", "gratitude, hope and joy", "insults and violence", ""])
    assert words.heads["facet_adversity"].argmax() == 0 and words.heads["facet_positive_emotion"].argmax() == 1
    assert words.heads["safety_harm"].argmax() == 2
    lexicon = baselines.Lexicon({"at peace": {"x": 1.0}, "peace": {"x": 1.0}})
    assert lexicon.rates(["at peace"])[0, 0] == pytest.approx(2 / (2 + baselines._PRIOR))


def test_filters_know_an_insult_from_a_recipe():
    found, missing = baselines.filters()
    assert len(found) + len(missing) == 2
    for item in found:
        insult, recipe = item.score(["You are a fucking idiot", "Boil the rice for ten minutes"])
        assert insult >= item.cut > recipe
        assert len(item.score([])) == 0


def test_quick_ranks_are_the_slow_ones():
    random_ = np.random.default_rng(0)
    scores, truth = random_.integers(0, 9, 200) / 9, random_.random(200) < 0.3
    assert measures.area(truth, measures.places_of(scores)) == pytest.approx(auroc(truth, scores))
    levels = random_.integers(0, 5, 200)
    quick = measures.correlation(
        measures.midranks(measures.places_of(levels)), measures.midranks(measures.places_of(scores))
    )
    assert quick == pytest.approx(spearman(levels, scores))


def test_cuts_keep_their_promise():
    random_ = np.random.default_rng(0)
    lived, harmful = random_.random(400).round(2), random_.random(150).round(2)
    for share in (0.005, 0.01, 0.05):
        assert (lived >= safety.cut_for_removed(lived, share)).mean() <= share
        assert (harmful < safety.cut_for_missed(harmful, share)).mean() <= share
    assert safety.cut_for_missed(np.array([0.2, 0.8]), 0.1) == pytest.approx(0.2)


def test_kappa():
    one = np.array([1, 1, 0, 0])
    assert ceiling.kappa(one, one) == 1 and ceiling.kappa(one, np.array([1, 0, 1, 0])) == 0
    assert np.isnan(ceiling.kappa(np.zeros(4), np.zeros(4)))


def test_gaps_and_their_intervals():
    gap, low, high = rates.difference(Rate(40, 100), Rate(20, 100))
    assert gap == pytest.approx(0.2) and 0 < low < gap < high  # Newcombe's method 10: 0.07 to 0.32
    assert (low, high) == pytest.approx((0.0726, 0.3173), abs=0.002)
    assert rates.real((gap, low, high)) and not rates.real(rates.difference(Rate(2, 10), Rate(1, 10)))
    assert rates.real(rates.mean_difference(np.arange(50.0) + 40, np.arange(50.0)))


def test_gaps_of_the_toy_are_found(made):
    found, text, _ = made
    assert any("tweets" in gap and "marked" in gap and "removed as harm" in gap for gap in found.gaps)
    assert not any("HateCheck" in gap for gap in found.gaps)
    assert len([gap for gap in found.gaps if gap.startswith("tweets")]) == 1  # not once more from the other side
    assert found.compared > len(found.gaps) and "Gaps larger than their interval" in text


def test_who_and_how():
    assert [slices.age_band(age) for age in ("17", "18", "44.0", "70", "233", "NA", "")] == [
        "", "18-24", "35-44", "55 and over", "", "", "",
    ]  # fmt: skip
    assert slices.variety("he finna leave") == slices.variety("they ain’t here") == "marked"
    assert slices.variety("the find and the dishes") == "unmarked"
    assert (
        slices.spelling("my favourite colours") == "British" and slices.spelling("his Mom recognized it") == "American"
    )
    assert slices.spelling("favourite color") == slices.spelling("the table") == ""
    assert slices.band(9) == "1-9 words" and slices.band(500) == "180 words and more"
    cuts = shipped.cuts_of(["few words", "word " * 40, "word " * 500], {"safety_harm": 0.4, "safety_harm_short": 0.7})
    assert cuts.tolist() == [0.7, 0.4, 0.7]


def test_kinds_part_benign_from_harmful():
    truth = np.zeros((3, len(HEADS)))
    truth[0, [HEAD_INDEX["safety_disclosure"], HEAD_INDEX["facet_adversity"], HEAD_INDEX["stance_mixed"]]] = 1
    truth[1, [HEAD_INDEX["safety_harm"], HEAD_INDEX["safety_threat"], HEAD_INDEX["safety_discusses_harm"]]] = 1
    benign, harmful = safety.benign_kinds(truth), safety.harmful_kinds(truth)
    assert benign["disclosure of own pain"].tolist() == [True, False, False]
    assert benign["recovery, coping (adversity, stance flourishing or mixed)"][0]
    assert not benign["harm quoted, reported or condemned"].any() and benign["all other benign texts"].tolist()[2]
    assert harmful["threat"].tolist() == [False, True, False] and not harmful["another class"].any()


def test_contrast_texts_of_training_are_left_out(data):
    known = {text_key("How do I kill process 3?")}
    assert len(contrast_cases(data, known)) == 8
    assert hatecheck_cases(data)[1].harmful and not hatecheck_cases(data)[0].harmful
