"""The shipped scorer: what it promises whatever its weights, and a few plain judgements."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from classifiers.scorer import (
    EFFORTS,
    FASTTEXT_FILE,
    MANIFEST_FILE,
    MOST_WINDOWS,
    SUMS_FILE,
    TIERS,
    WEIGHTS,
    Scorer,
    _spread,
)
from classifiers.taxonomy import ABSTAIN, BEHAVIOURS, FACETS, REGISTER, SAFETY, STANCE
from sources.digests import write_sums
from sources.errors import UserError

LIVED = [
    "I have been so depressed since my mother died that some days I think about not being here any more.",
    "When I was nineteen I hurt myself because I felt worthless. I am in therapy now and it helps me.",
    "My ex used to shout at me and lock me in. I still feel afraid and ashamed and can't tell my family.",
]
SUPPORT = [
    "I'm so sorry you are going through this. It makes sense that you feel exhausted. What would help most tonight?",
    "I hated myself for years too. Please talk to a doctor or call a crisis line; you deserve help, you're not alone.",
]
INSULTS = [
    "You are a pathetic stupid idiot and everyone hates you.",
    "Shut up you dumb loser, nobody wants trash like you here.",
]
NOTHING = [
    "Shares of the chip maker fell 3 percent in early trading on Tuesday after the company cut its forecast.",
    "The function returns a list of tuples; pass an integer to set the size of the buffer.",
]


@pytest.fixture(scope="module", params=EFFORTS)
def scorer(request) -> Scorer:
    return Scorer.load(effort=request.param)


def _english(count: int) -> pa.Array:
    return pa.array(["en"] * count)


def test_schema_names_the_taxonomy_and_rows_stay_in_order(scorer):
    batch = scorer.score(pa.array(LIVED + NOTHING), _english(5))
    assert batch.schema == scorer.schema and batch.num_rows == 5
    names = set(scorer.schema.names)
    assert {
        "relevance",
        "relevance_sd",
        "support",
        "responds",
        "tier",
        "abstain",
        "safety_harm",
        "safety_disclosure",
    } <= names
    assert {f"facet_{name}" for name in FACETS} <= names
    assert {f"stance_{name}" for name in STANCE} <= names
    assert {f"register_{name}" for name in REGISTER} <= names
    assert {f"behaviour_{name}" for name in BEHAVIOURS} <= names
    for name in names:
        family, _, label = name.partition("_")
        known = {"facet": FACETS, "stance": STANCE, "register": REGISTER, "safety": SAFETY, "behaviour": BEHAVIOURS}
        assert family not in known or name == "safety_harm" or label in known[family], name
    for field in scorer.schema:
        if field.name not in ("tier", "abstain"):
            assert field.type == pa.float32()
            values = batch.column(field.name).to_numpy()
            top = {"relevance": 5.0, "relevance_sd": 2.5, "support": 3.0}.get(field.name, 1.0)
            assert np.all((values >= 0) & (values <= top)), field.name


def test_same_bytes_whatever_the_batch(scorer, messy_texts):
    texts = [*messy_texts[:120], *LIVED, *INSULTS, " ".join(LIVED * 40), " ".join(NOTHING * 80)]
    whole = scorer.score(pa.array(texts), _english(len(texts)))
    for size in (1, 7, 64):
        parts = [
            scorer.score(pa.array(texts[at : at + size]), _english(len(texts[at : at + size])))
            for at in range(0, len(texts), size)
        ]
        again = pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
        assert again.equals(whole)
        for name in scorer.schema.names[:-2]:
            left, right = whole.column(name).drop_null(), again.column(name).drop_null()
            assert left.to_numpy().tobytes() == right.to_numpy().tobytes()


def test_abstains_on_other_languages_and_on_too_little(scorer):
    texts = pa.array(
        [LIVED[0], "Je me sens très seul depuis que ma mère est partie, et personne ne m'écoute.", "!", "", None]
    )
    batch = scorer.score(texts)
    assert batch.column("abstain").to_pylist()[0] is None
    assert batch.column("abstain").to_pylist()[1] == "language"
    assert all(reason in ABSTAIN for reason in batch.column("abstain").to_pylist()[2:])
    for name in scorer.schema.names[:-1]:
        assert batch.column(name).is_null().to_pylist() == [False, True, True, True, True]
    assert scorer.score(pa.array(["word", None]), _english(2)).column("abstain").to_pylist() == ["too_short"] * 2
    assert scorer.score(pa.array([LIVED[0]]), pa.array([None], pa.string())).column("abstain").to_pylist() == [
        "language"
    ]
    assert scorer.score(pa.array([], pa.string())).num_rows == 0
    with pytest.raises(ValueError, match="1 languages"):
        scorer.score(pa.array(LIVED), _english(1))


def test_relevance_tells_lives_from_news_and_code(scorer):
    high = scorer.score(pa.array(LIVED + SUPPORT), _english(5)).column("relevance").to_numpy()
    low = scorer.score(pa.array(NOTHING), _english(2)).column("relevance").to_numpy()
    assert high.min() > low.max() + 0.5


def test_telling_of_pain_and_helping_are_not_harm(scorer):
    cut = scorer.thresholds["safety_harm"]
    kept = scorer.score(pa.array(LIVED + SUPPORT), _english(5)).column("safety_harm").to_numpy()
    dropped = scorer.score(pa.array(INSULTS), _english(2)).column("safety_harm").to_numpy()
    assert kept.max() < cut <= dropped.min()
    disclosure = scorer.score(pa.array(LIVED + NOTHING), _english(5)).column("safety_disclosure").to_numpy()
    assert disclosure[:2].min() > disclosure[3:].max()


def test_a_harmful_page_shows_in_a_long_text(scorer):
    quiet = " ".join(NOTHING * 40)
    loud = quiet[:4000] + " " + " ".join(INSULTS * 12) + " " + quiet[4000:]
    harm = scorer.score(pa.array([quiet, loud]), _english(2)).column("safety_harm").to_numpy()
    assert harm[1] > 3 * harm[0]


def test_tampered_and_missing_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match="no classifier weights"):
        Scorer.load(tmp_path)
    for name in [path.name for path in WEIGHTS.iterdir()]:
        shutil.copy(WEIGHTS / name, tmp_path / name)
    assert Scorer.load(tmp_path).version == Scorer.load().version
    weights = bytearray((tmp_path / FASTTEXT_FILE).read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / FASTTEXT_FILE).write_bytes(weights)
    with pytest.raises(UserError, match="sha256 differs"):
        Scorer.load(tmp_path)
    (tmp_path / FASTTEXT_FILE).unlink()
    with pytest.raises(UserError, match="missing"):
        Scorer.load(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(UserError, match="sha256 differs"):
        Scorer.load(tmp_path)
    write_sums(tmp_path / SUMS_FILE, [tmp_path / MANIFEST_FILE])
    with pytest.raises(UserError, match="format 99"):
        Scorer.load(tmp_path)
    (tmp_path / MANIFEST_FILE).write_text("{")
    write_sums(tmp_path / SUMS_FILE, [tmp_path / MANIFEST_FILE])
    with pytest.raises(UserError, match="could not be read"):
        Scorer.load(tmp_path)


def test_version_follows_the_calibration(tmp_path):
    for name in [path.name for path in WEIGHTS.iterdir()]:
        shutil.copy(WEIGHTS / name, tmp_path / name)
    manifest = json.loads((tmp_path / MANIFEST_FILE).read_text())
    manifest["stacks"]["fasttext"]["offset"][0] += 0.5
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(manifest))
    write_sums(tmp_path / SUMS_FILE, [tmp_path / MANIFEST_FILE])
    assert Scorer.load(tmp_path).version != Scorer.load().version


def test_weights_stay_small_and_scoring_needs_no_torch():
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 40e6
    code = "import sys, classifiers.scorer; sys.exit('torch' in sys.modules or 'sentence_transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=WEIGHTS.parent.parent, check=False).returncode == 0


def test_efforts_name_the_tier_that_decided_and_are_versions_of_their_own():
    texts = pa.array([*LIVED, *SUPPORT, *INSULTS, *NOTHING])
    tiers = {
        effort: set(Scorer.load(effort=effort).score(texts, _english(len(texts))).column("tier").to_pylist())
        for effort in EFFORTS
    }
    assert tiers["fast"] == {"fasttext"} and tiers["best"] == {"encoder"} and tiers["balanced"] <= set(TIERS)
    assert len({Scorer.load(effort=effort).version for effort in EFFORTS}) == 3
    about_safety = Scorer.load(effort="balanced", fields=("safety",))
    assert about_safety.version != Scorer.load(effort="balanced").version
    with pytest.raises(UserError, match="no effort 'utmost'"):
        Scorer.load(effort="utmost")


def test_the_encoder_reads_the_likeliest_and_evenly_spread_windows_of_a_long_text():
    harm = np.zeros(200)
    harm[[17, 130, 131]] = 0.9
    chosen = _spread(10, 150, harm)
    assert len(chosen) == len(set(chosen.tolist())) == MOST_WINDOWS and {17, 130, 131} <= set(chosen.tolist())
    assert _spread(3, 7, harm).tolist() == [3, 4, 5, 6]
