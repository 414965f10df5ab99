"""The mixes of an ablation are those `wellmix mix` makes, and differ only where weights differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.ablate.draws import fill
from pipeline.ablate.recipe import load_ablation
from pipeline.ablate.swarm import Bench
from pipeline.ablate.texts import codes, documents_of
from pipeline.console import Progress
from pipeline.mix import run_mix
from pipeline.store import Store
from pipeline.tables import read

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench(sample_mix, tmp_path_factory):
    """The sample ablation, its documents taken from the sample mix's store."""
    _, store = sample_mix
    return Bench.open(load_ablation(ROOT / "recipes/ablation/sample.yaml"), Store(store), 1, Progress(False))


def test_fill_gives_what_full_members_cannot():
    assert fill(10, np.array([1.0, 1.0]), np.array([3.0, 100.0])).tolist() == [3.0, 7.0]
    assert fill(10, np.array([1.0, 3.0]), np.array([100.0, 100.0])).tolist() == [2.5, 7.5]
    assert fill(10, np.array([1.0, 1.0]), np.array([3.0, 4.0])).tolist() == [3.0, 4.0]
    # nobody with a share is left: those without one stand in
    assert fill(10, np.array([1.0, 0.0]), np.array([4.0, 20.0])).tolist() == [4.0, 6.0]
    assert fill(0, np.array([1.0, 0.0]), np.array([4.0, 20.0])).tolist() == [0.0, 0.0]


def test_the_prior_is_the_base_mix(bench):
    assert bench.mixes.prior.sum() == pytest.approx(1)
    drawn = bench.mixes.draws.drawn(bench.mixes.draws.take(bench.mixes.base))
    assert np.abs(drawn - bench.mixes.base).max() == 0


def test_a_point_is_the_mix_that_its_recipe_makes(bench, sample_mix, tmp_path):
    """Byte for byte the same copies in the same order as `wellmix mix` takes from the recipe an ablation writes."""
    weights = np.array([0.45, 0.05, 0.1, 0.3, 0.1])
    recipe = tmp_path / "made-by-a-test.yaml"
    recipe.write_text(bench.mixes.recipe(weights, "made-by-a-test", "A test's.", tmp_path))
    result = run_mix(recipe, out=tmp_path / "out", store_root=sample_mix[1], workers=1, show_progress=False)
    plan = read(Store(sample_mix[1]).path("plan", result.manifest["lineage"]["plan"]) / "plan.parquet")
    train = plan.filter(np.array(plan["split"].to_pylist()) == "train").sort_by("position")
    draws = bench.mixes.draws
    taken = draws.take(bench.mixes.tokens(weights))
    assert (
        codes(draws.shard[taken], draws.row[taken]).tolist()
        == codes(train["shard"].to_numpy(), train["row"].to_numpy()).tolist()
    )
    assert draws.epoch[taken].tolist() == train["epoch"].to_pylist()


def test_mixes_differ_only_where_weights_differ(bench):
    draws, mixes = bench.mixes.draws, bench.mixes
    a = draws.take(mixes.tokens(np.array([0.40, 0.2, 0.1, 0.2, 0.1])))
    b = draws.take(mixes.tokens(np.array([0.45, 0.2, 0.1, 0.2, 0.05])))
    changed = np.concatenate([mixes.members[0], mixes.members[4]])
    for entry in range(len(draws.entries)):
        of_a, of_b = set(a[draws.entry[a] == entry]), set(b[draws.entry[b] == entry])
        if entry not in changed:
            assert of_a == of_b
        else:
            assert of_a <= of_b or of_b <= of_a
    # what both have stands in the same order
    both = set(a) & set(b)
    assert [i for i in a if i in both] == [i for i in b if i in both]


def test_a_pool_repeats_as_the_whole_does(bench):
    """Epochs of a family in a pool of half its tokens are those in the whole, to half a document."""
    weights = np.array([0.3, 0.1, 0.2, 0.3, 0.1])
    pooled = bench.mixes.pooled(0.5)
    assert set(documents_of(pooled.draws)) < set(documents_of(bench.mixes.pooled(1.0).draws))
    whole = bench.mixes.tokens(weights)
    part = pooled.targets(weights)
    assert part.sum() == pytest.approx(whole.sum() / 2, rel=0.02)
    longest = bench.mixes.draws.tokens.max()
    for member in bench.mixes.members:
        supply = bench.mixes.draws.supply[member].sum()
        assert pooled.draws.supply[member].sum() == pytest.approx(supply / 2, abs=longest / 2)
        big, small = whole[member].sum() / supply, part[member].sum() / pooled.draws.supply[member].sum()
        assert small == pytest.approx(big, rel=longest / supply)
    assert np.abs(pooled.missing(weights)).max() < 0.02


def test_fingerprints_change_with_the_documents(bench):
    prints = bench.mixes.fingerprints()
    assert len(set(prints)) == len(prints)
    fewer = bench.mixes.pooled(0.9).mixes  # the same mixes: fingerprints are of all documents
    assert fewer.fingerprints() == prints


@pytest.mark.parametrize(
    ("over", "some"),
    [
        ("source", "sample-talks"),
        ("family", "forum"),
        ("facet", "relationships"),
        ("stance", "struggling"),
        ("quality", "high-quality"),
    ],
)
def test_domains_of_every_kind_divide_the_corpus(sample_mix, tmp_path, over, some):
    """Every eligible document is in one domain, and weights are met."""
    raw = yaml.safe_load((ROOT / "recipes/ablation/sample.yaml").read_text())
    raw |= {
        "base": str(ROOT / "recipes/sample.yaml"),
        "over": over,
        "constraints": {},
        "targets": ["bpb/all"],
        "objectives": {},
    }
    raw["design"] = {"one_at_a_time": {"multiply": [0.5, 1.5]}}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(raw))
    bench = Bench.open(load_ablation(tmp_path / "a.yaml"), Store(sample_mix[1]), 1, Progress(False))
    mixes = bench.mixes
    assert some in mixes.domains
    assert sorted(np.concatenate(mixes.members).tolist()) == list(range(len(mixes.draws.entries)))
    assert mixes.prior.sum() == pytest.approx(1)
    points = bench.points(None)
    assert {point.kind for point in points} == {"prior", "uniform", "proportional", "swarm"}
    longest = mixes.draws.tokens.max()
    for point in points:
        got = mixes._by_domain(mixes.draws.drawn(mixes.draws.take(mixes.tokens(point.weights))))
        # a copy more or less of each entry of a domain
        room = longest * np.array([len(member) for member in mixes.members])
        assert (np.abs(got - point.weights * mixes.resolved.budget) <= room).all(), point.name
