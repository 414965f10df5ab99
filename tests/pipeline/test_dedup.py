"""Near-duplicates: the estimator, planted pairs, false merges, clusters."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.attributes import SIGNATURE_SCHEMA, Signature
from pipeline.console import Progress
from pipeline.dedup import run_dedup
from pipeline.minhash import BANDS, PERMUTATIONS, ROWS, jaccard, shingle_sets, signatures
from pipeline.store import Store
from pipeline.words import hash_words, mix_ids
from sources.document import SCHEMA, document_id

VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "mo", "ly", "")]


def text(rng: random.Random, n: int) -> str:
    return " ".join(rng.choice(VOCABULARY) for _ in range(n))


def edit(rng: random.Random, original: str, share: float) -> str:
    words = original.split()
    for i in rng.sample(range(len(words)), max(1, int(len(words) * share))):
        words[i] = rng.choice(VOCABULARY) + "x"
    return " ".join(words)


def find_clusters(folder: Path, shards: list[list[str]], threshold: float | None = 0.75) -> dict[tuple[int, int], int]:
    """{(shard, row): cluster} of the documents that have a duplicate."""
    store = Store(folder)
    stage = Signature()
    for n, texts in enumerate(shards):
        rows = [
            {
                "id": document_id("t", f"{n}:{i}"),
                "text": t,
                "source": "t",
                "kind": "forum",
                "language": "en",
                "license": "MIT",
                "origin": "o",
            }
            for i, t in enumerate(texts)
        ]
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        with store.write("documents", f"{n:032d}") as (path, _):
            pq.write_table(table, path / "documents.parquet", row_group_size=100)
        with store.write("signature", f"{n:032d}") as (path, _):
            pq.write_table(
                pa.Table.from_batches([stage.compute(b) for b in table.to_batches()], schema=SIGNATURE_SCHEMA),
                path / "data.parquet",
            )
    keys = [f"{n:032d}" for n in range(len(shards))]
    key = run_dedup(store, keys, keys, threshold, memory="1GB", workers=1, progress=Progress(False))
    table = pq.read_table(store.path("clusters", key) / "clusters.parquet")
    return {(r["shard"], r["row"]): r["cluster"] for r in table.to_pylist()}


def test_words_ignore_case_punctuation_and_apostrophes() -> None:
    hashes, offsets = hash_words(
        pa.array(["Don't STOP — “Ärger”, naïve!", "dont stop ärger naïve", "你好，世界", "", "…!?"])
    )
    assert np.diff(offsets).tolist() == [4, 4, 4, 0, 0]
    assert hashes[:4].tolist() == hashes[4:8].tolist()


def test_words_do_not_depend_on_slicing() -> None:
    texts = pa.array(["one two", "three four five", None, "six"])
    whole, offsets = hash_words(texts)
    part, _ = hash_words(texts.slice(1, 3))
    assert whole[offsets[1] :].tolist() == part.tolist()


def test_mix_ids_is_uniform_and_salted() -> None:
    ids = np.arange(100_000, dtype=np.uint64)
    a, b = mix_ids(ids, 1) / 2.0**64, mix_ids(ids, 2) / 2.0**64
    for values in (a, b):
        counts, _ = np.histogram(values, bins=20, range=(0, 1))
        assert abs(counts - 5000).max() < 5 * 5000**0.5
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


def test_estimator_is_unbiased() -> None:
    """Signatures agree as often as the sets overlap (a fast hash that did not was found in a well-known library)."""
    rng = random.Random(1)
    for share in (0.02, 0.05, 0.1):
        originals = [text(rng, 200) for _ in range(400)]
        edited = [edit(rng, t, share) for t in originals]
        pairs = np.arange(400)
        exact = jaccard(shingle_sets(pa.array(originals)), shingle_sets(pa.array(edited)), pairs, pairs)
        a, b = signatures(pa.array(originals))[0], signatures(pa.array(edited))[0]
        # a band agrees if its 7 minima do: P = J^7
        observed = (a == b).mean()
        expected = (exact**ROWS).mean()
        sigma = np.sqrt((exact**ROWS * (1 - exact**ROWS)).mean() / (400 * BANDS))
        assert abs(observed - expected) < 6 * sigma + 0.01
    assert BANDS * ROWS == PERMUTATIONS


def test_jaccard_is_exact() -> None:
    sets = shingle_sets(pa.array(["a b c d e f", "a b c d e g", "x y", "x y", ""]))
    assert jaccard(sets, sets, np.array([0, 2, 0, 4]), np.array([1, 3, 2, 4])).tolist() == [1 / 3, 1.0, 0.0, 0.0]


def test_exact_copies_differ_only_in_form() -> None:
    _, exact, words = signatures(pa.array(["Hello, world again", "hello WORLD again!", "hello world again now"]))
    assert exact[0] == exact[1] != exact[2]
    assert words.tolist() == [3, 3, 4]


def test_planted_near_duplicates_are_found_and_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(2)
    originals = [text(rng, rng.randint(60, 300)) for _ in range(1000)]
    copies = [edit(rng, t, rng.uniform(0.005, 0.03)) for t in originals]
    pairs = np.arange(1000)
    similarity = jaccard(shingle_sets(pa.array(originals)), shingle_sets(pa.array(copies)), pairs, pairs)
    clusters = find_clusters(tmp_path, [originals, copies])
    found = np.array([clusters.get((0, i), -1) == clusters.get((1, i), -2) for i in range(1000)])
    close = similarity >= 0.8
    assert close.sum() > 300
    assert found[close].mean() >= 0.95
    # originals are unrelated to each other: no two of them share a cluster
    own = [clusters[0, i] for i in range(1000) if (0, i) in clusters]
    assert len(own) == len(set(own))


def test_chain_and_exact_copies_form_one_cluster(tmp_path: Path) -> None:
    rng = random.Random(3)
    base = text(rng, 200)
    near = edit(rng, base, 0.01)
    clusters = find_clusters(tmp_path, [[base, text(rng, 200), base.upper()], [near, near, text(rng, 50)]])
    assert len(set(clusters.values())) == 1
    assert set(clusters) == {(0, 0), (0, 2), (1, 0), (1, 1)}


def test_without_near_duplicates_only_exact_ones_count(tmp_path: Path) -> None:
    rng = random.Random(4)
    base = text(rng, 200)
    clusters = find_clusters(tmp_path, [[base, base], [edit(rng, base, 0.01)]], threshold=None)
    assert set(clusters) == {(0, 0), (0, 1)}


def test_a_large_cluster_stays_cheap(tmp_path: Path) -> None:
    rng = random.Random(5)
    base = text(rng, 100)
    clusters = find_clusters(tmp_path, [[f"{base} {rng.choice(VOCABULARY)}" for _ in range(3000)]])
    assert len(clusters) == 3000
    assert len(set(clusters.values())) == 1


def test_texts_without_words_are_no_duplicates(tmp_path: Path) -> None:
    assert find_clusters(tmp_path, [["…", "!!!", ""]]) == {}


@pytest.mark.real
@pytest.mark.slow
def test_planted_duplicates_of_real_texts(tmp_path: Path, real_data: Path) -> None:
    """5-20 % of the words of 1,000 real texts edited: recall at Jaccard >= .8, and no false merge in 1,000 unrelated texts."""
    from sources.card import CARDS_DIR, load_card
    from sources.files import resolve

    card = load_card(CARDS_DIR / "counsel-chat.yaml")
    texts = []
    for split in card.make_reader.splits(resolve(card), 1 << 30):
        for record in card.make_reader.read(split):
            texts += [turn.text for turn in getattr(record, "turns", None) or [] if len(turn.text.split()) > 40]
    texts = sorted(set(texts))
    rng = random.Random(6)
    rng.shuffle(texts)
    originals = texts[:1000]
    # edits in runs, as people edit: a run of changed words breaks few shingles
    copies = []
    for original in originals:
        words = original.split()
        n = int(len(words) * rng.uniform(0.05, 0.2))
        start = rng.randrange(0, len(words) - n + 1)
        words[start : start + n] = [rng.choice(VOCABULARY) + "x" for _ in range(n)]
        copies.append(" ".join(words))
    pairs = np.arange(1000)
    similarity = jaccard(shingle_sets(pa.array(originals)), shingle_sets(pa.array(copies)), pairs, pairs)
    clusters = find_clusters(tmp_path, [originals, copies])
    found = np.array([clusters.get((0, i), -1) == clusters.get((1, i), -2) for i in range(1000)])
    close = similarity >= 0.8
    print(f"{close.sum()} pairs at Jaccard >= .8, recall {found[close].mean():.3f}")
    assert close.sum() > 100
    assert found[close].mean() >= 0.95
    own = [clusters[0, i] for i in range(1000) if (0, i) in clusters]
    false = sum(
        jaccard(shingle_sets(pa.array(originals)), shingle_sets(pa.array(originals)), np.array([i]), np.array([j]))[0]
        < 0.75
        for i in range(1000)
        for j in range(i)
        if (0, i) in clusters and clusters[0, i] == clusters.get((0, j), -1)
    )
    assert false == 0, own
