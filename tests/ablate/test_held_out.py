"""What proxies are measured on, and how bits become metrics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipeline.ablate.counted import CountedMixes, ngram_metrics, open_ngram
from pipeline.ablate.held_out import HeldOut, choose
from pipeline.ablate.ngram import TokenPool, direct_bits
from pipeline.ablate.recipe import Ngram, load_ablation
from pipeline.ablate.swarm import Bench, vocabulary
from pipeline.console import Progress
from pipeline.store import Store
from pipeline.tokens import load_tokenizer
from sources.errors import UserError

ROOT = Path(__file__).parents[2]
PROXY = Ngram(tokens=40_000, order=3)


def _bench(sample_mix, folder: Path, **changes) -> Bench:
    raw = yaml.safe_load((ROOT / "recipes/ablation/sample.yaml").read_text()) | changes
    raw["base"] = str(ROOT / "recipes/sample.yaml")
    (folder / "ablation.yaml").write_text(yaml.safe_dump(raw))
    return Bench.open(load_ablation(folder / "ablation.yaml"), Store(sample_mix[1]), 1, Progress(False))


@pytest.fixture(scope="module")
def bench(sample_mix, tmp_path_factory):
    return _bench(sample_mix, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def pooled(bench):
    return bench.pool(PROXY)


def test_held_out_documents_are_shared_out_evenly():
    source = ["large"] * 100 + ["small"] * 5
    table = pa.table(
        {
            "source": source,
            "tokens": pa.array([10] * 105, pa.int32()),
            "u": np.random.default_rng(0).random(105),
            "row": np.arange(105),
        }
    )
    chosen = choose(table, 300)
    names = chosen["source"].to_pylist()
    assert names.count("small") == 5  # all it has
    assert names.count("large") == 25  # and the rest
    large = [u for u, name in zip(table["u"].to_pylist(), source, strict=True) if name == "large"]
    kept = [u for u, name in zip(chosen["u"].to_pylist(), names, strict=True) if name == "large"]
    assert sorted(kept) == sorted(large)[:25]
    assert set(choose(table, 100)["row"].to_pylist()) < set(chosen["row"].to_pylist())


def test_a_source_without_room_still_has_a_document():
    table = pa.table({"source": ["a", "b"], "tokens": pa.array([900, 10], pa.int32()), "u": [0.1, 0.2], "row": [0, 1]})
    assert choose(table, 20)["source"].to_pylist() == ["a", "b"]


def test_metrics_weigh_documents_by_what_they_stand_for(bench, pooled):
    """One bit a byte everywhere is one bit per byte in every metric; and a source's own metric is bits over bytes."""
    _, held_out = pooled
    n = len(held_out.starts) - 1
    plain = held_out.weights["bpb/source/sample-forum"]
    some = np.flatnonzero(plain)
    assert len(some) > 1 and np.ptp(plain[some]) == 0
    documents = sum(np.count_nonzero(w) for name, w in held_out.weights.items() if name.startswith("bpb/source/"))
    assert documents == n
    sizes = np.zeros(n)
    for name, weights in held_out.weights.items():
        if name.startswith("bpb/source/"):
            inside = weights > 0
            # bytes of a source's documents together; how they divide does not matter to the sums below
            sizes[inside] = 1 / weights[inside] / inside.sum()
    for name, weights in held_out.weights.items():
        if name == "bpb/all" or name.startswith("bpb/source/"):
            assert held_out.metrics(sizes[None])[name][0] == pytest.approx(1), name
            assert (weights >= 0).all()


def test_questions_count_their_answers_only(sample_mix, tmp_path):
    rows = [
        {"ask": "What helps when I am alone?", "best": "A walk with somebody you trust."},
        {"ask": "And now?", "best": "Rest."},
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    sets = {"tiny": {"file": "questions.jsonl", "prompt": "Q: {ask}\nA:", "answer": "{best}"}}
    bench = _bench(sample_mix, tmp_path, evaluation={"tokens": 2_000, "sets": sets})
    pool, held_out = bench.pool(PROXY)
    weights = held_out.weights["bpb/set/tiny"]
    assert np.count_nonzero(weights) == 2
    tokenizer = load_tokenizer(vocabulary(PROXY.vocabulary))
    for at, row in zip(np.flatnonzero(weights), rows, strict=True):
        low, high = held_out.starts[at : at + 2]
        answer, _ = tokenizer.encode(pa.array([" " + row["best"]]))
        assert held_out.ids[low:high][held_out.counted[low:high]].tolist() == answer.tolist()
        assert held_out.ids[high - 1] == pool.eos and not held_out.counted[high - 1]
        assert weights[at] == pytest.approx(1 / (2 * (len(row["best"]) + 1)))
    # documents come first and all of them counts
    assert held_out.counted[: held_out.starts[-3]].all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"ask": "a"}', "no field 'best'"),
        ('{"ask": "a", "best": " "}', "no answer"),
    ],
)
def test_a_bad_question_is_named_by_its_line(sample_mix, tmp_path, line, message):
    (tmp_path / "questions.jsonl").write_text('{"ask": "a", "best": "b"}\n' + line)
    sets = {"tiny": {"file": "questions.jsonl", "prompt": "{ask}", "answer": "{best}"}}
    bench = _bench(sample_mix, tmp_path, evaluation={"tokens": 2_000, "sets": sets})
    with pytest.raises(UserError, match=message) as caught:
        bench.pool(PROXY)
    assert "questions.jsonl:2" in str(caught.value)


def test_the_ngram_proxy_says_what_counting_the_mix_says(bench, pooled):
    """Counted by class and mixed by weight, against the same model counted on the very texts that the mix draws."""
    pool, held_out = pooled
    counted = CountedMixes(pool.mixes)
    model, _ = open_ngram(bench.store, pool, held_out, PROXY, counted)
    mixes = np.array(
        [bench.mixes.prior, [0.3, 0.3, 0.05, 0.2, 0.15], [0.6, 0.05, 0.05, 0.25, 0.05], [0.2, 0.1, 0.05, 0.15, 0.5]]
    )
    ours = ngram_metrics(model, counted, mixes, held_out)["bpb/all"]
    truth = []
    draws = pool.mixes.draws
    for weights in mixes:
        taken = draws.take(pool.mixes.targets(weights))
        stream = TokenPool(*pool.texts.gather(draws.shard[taken], draws.row[taken]))
        bits = direct_bits(
            stream, TokenPool(held_out.ids, held_out.starts), order=3, vocab_size=PROXY.vocabulary, eos=pool.eos
        )
        truth.append(float(bits @ held_out.weights["bpb/all"]))
    # the sample is a few hundred documents: one more or less of them moves a loss by a hundredth
    assert ours == pytest.approx(truth, abs=0.03)
    # the first and third are nearly as good; the others are apart
    assert np.argsort(ours)[2:].tolist() == np.argsort(truth)[2:].tolist() == [1, 3]


def test_what_is_kept_is_what_was_there(pooled, tmp_path):
    _, held_out = pooled
    held_out.save(tmp_path)
    again = HeldOut.load(tmp_path)
    assert again.digest == held_out.digest
    assert (again.ids == held_out.ids).all()
