"""Near-duplicates: the estimator, planted pairs, false merges, clusters."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.attributes import SIGNATURE_SCHEMA, Signature, read_documents
from pipeline.console import Progress
from pipeline.dedup import CLUSTERS_SCHEMA, run_dedup
from pipeline.dedup.components import LabelStep, SpreadStep, StarStep
from pipeline.dedup.division import MAX_GROUPS, MOST_PAIRS, PAIR_BYTES, SORT_BYTES, Division, Shard, windows
from pipeline.dedup.exact import CopiesStep, HashStep
from pipeline.dedup.join import CandidateStep, KeyStep, bucket_pairs
from pipeline.dedup.verify import ShingleStep, VerifyStep
from pipeline.execute import Step
from pipeline.minhash import BANDS, PERMUTATIONS, ROWS, jaccard, shingle_sets, signatures
from pipeline.mix import MixResult
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


def write_shards(store: Store, shards: list[list[str]]) -> list[str]:
    """Write documents and signatures; returns the shards' keys, the same for both."""
    stage = Signature()
    keys = [f"{n:032d}" for n in range(len(shards))]
    for key, texts in zip(keys, shards, strict=True):
        rows = [
            {
                "id": document_id("t", f"{key}:{i}"),
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
        with store.write("documents", key) as (path, meta):
            pq.write_table(table, path / "documents.parquet", row_group_size=100)
            meta.update(documents=len(texts))
        with store.write("signature", key) as (path, _):
            pq.write_table(
                pa.Table.from_batches([stage.compute(b) for b in table.to_batches()], schema=SIGNATURE_SCHEMA),
                path / "data.parquet",
            )
    return keys


def run(
    store: Store, keys: list[str], threshold: float | None = 0.75, workers: int = 1, division: Division | None = None
) -> Path:
    """Find duplicates; returns the artifact's folder."""
    key = run_dedup(
        store,
        keys,
        keys,
        threshold,
        memory="1GB",
        workers=workers,
        progress=Progress(False),
        division=division,
    )
    return store.path("clusters", key)


def find_clusters(folder: Path, shards: list[list[str]], threshold: float | None = 0.75) -> dict[tuple[int, int], int]:
    """{(shard, row): cluster} of the documents that have a duplicate."""
    store = Store(folder)
    table = pq.read_table(run(store, write_shards(store, shards), threshold) / "clusters.parquet")
    return {(r["shard"], r["row"]): r["cluster"] for r in table.to_pylist()}


def by_definition(shards: list[list[str]], threshold: float | None, path: Path) -> dict[str, int]:
    """Write the table of clusters and return its counts, from plain loops over all documents in memory."""
    docs = [(n << 32) + i for n, texts in enumerate(shards) for i in range(len(texts))]
    texts = pa.array([t for texts in shards for t in texts], pa.string())
    bands, exact, words = signatures(texts)
    sets = shingle_sets(texts)
    group: dict[int, int] = {}
    smallest: dict[tuple[int, int], int] = {}
    for doc, value, n in zip(docs, exact.tolist(), words.tolist(), strict=True):
        group[doc] = smallest.setdefault((value, n), doc) if n else doc
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS if threshold is not None else 0):
        buckets: dict[int, list[int]] = defaultdict(list)
        for at, doc in enumerate(docs):
            if words[at] and group[doc] == doc:
                buckets[int(bands[at, band])].append(at)
        for bucket in buckets.values():
            for place, at in enumerate(bucket):
                pairs |= {(other, at) for other in {bucket[0], *bucket[max(0, place - 3) : place]} - {at}}
    a, b = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    good = jaccard(sets, sets, a, b) >= (threshold or 0)
    cluster = dict(zip(docs, docs, strict=True))
    for i, j in zip(a[good].tolist(), b[good].tolist(), strict=True):
        low, high = sorted((cluster[docs[i]], cluster[docs[j]]))
        if low != high:
            cluster |= {doc: low for doc, old in cluster.items() if old == high}
    sizes = Counter(cluster[group[doc]] for doc in docs)
    rows = [(doc, cluster[group[doc]], group[doc]) for doc in docs if sizes[cluster[group[doc]]] > 1]
    columns = [
        [doc >> 32 for doc, *_ in rows],
        [doc & 0xFFFFFFFF for doc, *_ in rows],
        [c for _, c, _ in rows],
        [g for *_, g in rows],
        [sizes[c] for _, c, _ in rows],
    ]
    pq.write_table(pa.table(columns, schema=CLUSTERS_SCHEMA), path, compression="zstd")
    return {
        "documents": len(docs),
        "exact_copies": sum(doc != of for doc, of in group.items()),
        "candidate_pairs": len(a),
        "verified_pairs": int(good.sum()),
        "clusters": len({c for _, c, _ in rows}),
    }


def planted(rng: random.Random) -> list[list[str]]:
    """Shards with copies, pairs near the threshold, a chain, a bucket of one template, a star, and texts without words."""
    texts = [text(rng, rng.randint(3, 120)) for _ in range(150)]
    texts += [edit(rng, t, rng.uniform(0.01, 0.08)) for t in texts for _ in range(2)]
    texts += rng.sample(texts, 40) + [texts[0].upper()] * 30 + ["", "…", "!!!"]
    link = text(rng, 150)
    for _ in range(25):
        link = edit(rng, link, 0.02)
        texts.append(link)
    base = text(rng, 90)
    texts += [f"{base} {rng.choice(VOCABULARY)} {rng.choice(VOCABULARY)}" for _ in range(120)]
    texts += [edit(rng, base, 0.02) for _ in range(30)]
    rng.shuffle(texts)
    cuts = sorted(rng.sample(range(len(texts)), 18))
    return [texts[i:j] for i, j in zip([0, *cuts], [*cuts, len(texts)], strict=True)] + [[]]


Corpus = tuple[Path, list[str], dict[float | None, dict[str, int]]]

#: Everything in one task; a few parts; many, and so little memory that every run, chunk and block is cut.
DIVISIONS = {
    1: Division([0], 1, 1, 10**8, 1),
    3: Division([0, 7, 12], 3, 3, 10**8, 3),
    17: Division(list(range(17)), 17, 32, 60_000, 5),
}


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


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Folder of a store, keys of planted shards in it, and what is to be found by threshold; clusters are in ``<threshold>.parquet``."""
    folder = tmp_path_factory.mktemp("planted")
    shards = planted(random.Random(7))
    keys = write_shards(Store(folder), shards)
    return folder, keys, {t: by_definition(shards, t, folder / f"{t}.parquet") for t in (0.75, None)}


@pytest.mark.parametrize(("parts", "workers", "threshold"), [(1, 1, 0.75), (17, 1, 0.75), (3, 2, 0.75), (3, 1, None)])
def test_clusters_do_not_depend_on_the_division(
    corpus: Corpus, parts: int, workers: int, threshold: float | None, tmp_path: Path
) -> None:
    folder, keys, expected = corpus
    store = Store(tmp_path)
    for stage in ("documents", "signature"):
        (tmp_path / stage).symlink_to(folder / stage)
    if threshold is not None:
        # there is something to verify, and something to join
        assert expected[threshold]["candidate_pairs"] - expected[threshold]["verified_pairs"] > 20
        assert expected[threshold]["exact_copies"] > 60
    made = run(store, keys, threshold, workers, DIVISIONS[parts])
    assert (made / "clusters.parquet").read_bytes() == (folder / f"{threshold}.parquet").read_bytes()
    told = json.loads((made / "meta.json").read_text())
    assert told.pop("inputs") == sorted(keys)
    assert told == expected[threshold] | {"threshold": threshold}


def test_the_sample_has_the_clusters_of_the_definition(sample_mix: tuple[MixResult, Path], tmp_path: Path) -> None:
    result, root = sample_mix
    store = Store(root)
    lineage = result.manifest["lineage"]
    texts = [
        [t for batch in read_documents(store, shard["documents"], ["text"]) for t in batch["text"].to_pylist()]
        for shard in lineage["shards"]
    ]
    by_definition(texts, 0.75, tmp_path / "expected.parquet")
    made = store.path("clusters", lineage["clusters"]) / "clusters.parquet"
    assert made.read_bytes() == (tmp_path / "expected.parquet").read_bytes()


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tasks whose results are not there are done again, in any step."""
    store = Store(tmp_path)
    keys = write_shards(store, planted(random.Random(8)))
    done: Counter[str] = Counter()
    lost = {"dedup-candidates": 2, "dedup-verify": 1, "dedup-star": 4}
    steps = [HashStep, CopiesStep, KeyStep, CandidateStep, ShingleStep, VerifyStep, SpreadStep, StarStep, LabelStep]
    for step in steps:

        def counted(self: Step, store: Store, task: dict, do: Any = step.run_task) -> None:
            done[self.name] += 1
            if lost.get(self.name) == done[self.name]:
                raise KeyboardInterrupt
            do(self, store, task)

        monkeypatch.setattr(step, "run_task", counted)
    for _ in lost:
        with pytest.raises(KeyboardInterrupt):
            run(store, keys, division=DIVISIONS[3])
    made = run(store, keys, division=DIVISIONS[3])
    again = {name: done[name] for name in ("dedup-hashes", "dedup-copies", "dedup-keys", "dedup-shingles")}
    assert again == dict.fromkeys(again, 3)
    assert (done["dedup-candidates"], done["dedup-verify"], done["dedup-labels"]) == (4, 4, 3)
    assert done["dedup-star"] % 3 == 1  # the one that was lost
    before = (made / "clusters.parquet").read_bytes()
    shutil.rmtree(made)
    store.sweep_work()
    assert not (tmp_path / "work").exists()
    assert (run(store, keys) / "clusters.parquet").read_bytes() == before


def test_division_follows_documents_and_memory() -> None:
    small = Division.of([100, 0, 300], 10**9)
    assert (small.groups, small.hashes, small.joins) == (1, 1, 1)
    large = Division.of([20_000] * 50_000, 10**9)
    assert large.groups <= MAX_GROUPS and large.joins % BANDS == 0
    for budget in (10**8, 10**9, 10**10):
        division = Division.of([20_000] * 50_000, budget)
        # what meets in one band of a part of the join, and in one range of hashes
        assert 10**9 / (division.joins // BANDS) * SORT_BYTES <= budget / 2
        assert 10**9 / division.hashes * SORT_BYTES <= budget / 2
    assert Division.of([0], 10**9).groups == 1


@pytest.mark.parametrize("parts", [1, 3, 16, 48])
def test_a_key_has_one_place_to_meet(parts: int) -> None:
    division = Division([0], 1, parts, 1)
    keys = mix_ids(np.arange(BANDS * 500, dtype=np.uint64), 1)
    bands = np.arange(len(keys)) % BANDS
    joins = division.join_of(bands, keys)
    assert sorted(set(joins.tolist())) == list(range(parts))
    assert all(band in division.bands_of(join) for band, join in zip(bands.tolist(), joins.tolist(), strict=True))


def test_windows_cover_a_group_within_the_budget() -> None:
    shards = [Shard(3, 250, "", ""), Shard(4, 0, "", ""), Shard(5, 40, "", ""), Shard(6, 30, "", "")]
    held = 100 * PAIR_BYTES * MOST_PAIRS
    assert list(windows(shards, 100 * MOST_PAIRS, held)) == [(3 << 32, 7 << 32)]
    cut = list(windows(shards, 100 * MOST_PAIRS + 1, held))
    assert cut[0][0] == 3 << 32 and cut[-1][1] == 7 << 32
    assert all(a[1] == b[0] for a, b in pairwise(cut))
    docs = np.concatenate([(shard.number << 32) + np.arange(shard.rows) for shard in shards])
    within = [int(((docs >= low) & (docs < high)).sum()) for low, high in cut]
    assert sum(within) == 320 and max(within) <= 100 and min(within) > 0


def test_a_bucket_costs_its_size_times_a_constant() -> None:
    docs = np.arange(100_000)
    parts = list(bucket_pairs(np.full(len(docs), 7, np.uint64), docs, 30_000))
    a, b = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    assert len(parts) == 4
    assert len(a) == 4 * len(docs) - 10 and len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(a)
    assert np.bincount(b).max() == 4  # by the later document no part grows with the bucket


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
