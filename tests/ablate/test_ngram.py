"""The n-gram proxy: held against its formula in plain Python, and against the same model counted on the documents of a mix."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from pipeline.ablate.ngram import NgramProxy, TokenPool, direct_bits, draw
from pipeline.ablate.ngram_counts import BINS, cuts

EOS = 0


def pool(documents: list[list[int]]) -> TokenPool:
    """Documents given without their end tokens."""
    tokens = [token for document in documents for token in [*document, EOS]]
    starts = np.cumsum([0, *(len(document) + 1 for document in documents)])
    return TokenPool(np.array(tokens, np.uint16), starts.astype(np.int64))


def documents_of(some: TokenPool) -> list[list[int]]:
    return [some.tokens[a:b].tolist() for a, b in zip(some.starts[:-1], some.starts[1:], strict=True)]


def chain(seed: int, documents: int, vocab: int, length: int = 30) -> TokenPool:
    """Documents of a Markov chain of its own for each seed: domains that differ."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(vocab - 1, 0.15), size=vocab).cumsum(axis=1)
    made = []
    for _ in range(documents):
        state, text = 0, []
        for draw_ in rng.random(rng.integers(1, 2 * length)):
            state = 1 + min(int(np.searchsorted(table[state], draw_)), vocab - 2)
            text.append(state)
        made.append(text)
    return pool(made)


def naive(
    pools: list[TokenPool], held_out: TokenPool, epochs: list[float], order: int, vocab: int, repeats: float
) -> list[float]:
    """Bits of each held-out document by the formula at the head of the module, with dictionaries."""
    c: dict[tuple, float] = defaultdict(float)
    u: dict[tuple, float] = defaultdict(float)
    context_c: dict[tuple, float] = defaultdict(float)
    context_u: dict[tuple, float] = defaultdict(float)
    followers: dict[tuple, set[int]] = defaultdict(set)

    def worth(copies: int) -> float:
        if copies <= 1 or math.isinf(repeats):
            return copies
        return 1 + (repeats * (1 - math.exp(-(copies - 1) / repeats)) if repeats else 0)

    for some, amount in zip(pools, epochs, strict=True):
        asked, seen = (amount - int(amount)) * len(some.tokens), 0
        for document in documents_of(some):
            copies = int(amount) + (seen + len(document) / 2 < asked)
            seen += len(document)
            if not copies:
                continue
            text = [EOS, *document]
            for i in range(1, len(text)):
                for n in range(1, min(order, i + 1) + 1):
                    h, w = tuple(text[i - n + 1 : i]), text[i]
                    c[(*h, w)] += copies
                    u[(*h, w)] += worth(copies)
                    context_c[h] += copies
                    context_u[h] += worth(copies)
                    followers[h].add(w)

    def p(h: tuple, w: int, n: int) -> float:
        shorter = p(h[1:], w, n - 1) if n > 1 else 1 / vocab
        if not context_c[h]:
            return shorter
        mass = min(8, 2 ** (n - 1)) * len(followers[h])
        share = mass / (context_u[h] + mass)
        return (1 - share) * c[(*h, w)] / context_c[h] + share * shorter

    bits = []
    for document in documents_of(held_out):
        text, total = [EOS, *document], 0.0
        for i in range(1, len(text)):
            h = tuple(text[max(0, i - order + 1) : i])
            total -= math.log2(p(h, text[i], len(h) + 1))
        bits.append(total)
    return bits


texts = st.lists(st.lists(st.integers(1, 5), max_size=8), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    pools=st.lists(texts, min_size=1, max_size=3),
    held_out=st.lists(st.lists(st.integers(1, 6), max_size=8), min_size=1, max_size=4),
    epochs=st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0, 1.7, 4.0]), min_size=3, max_size=3),
    order=st.integers(1, 5),
    repeats=st.sampled_from([0.0, 2.5, math.inf]),
)
def test_bits_are_those_of_the_formula(pools, held_out, epochs, order, repeats):
    made, held, amounts = [pool(some) for some in pools], pool(held_out), epochs[: len(pools)]
    proxy = NgramProxy.train(made, held, order=order, vocab_size=8, eos=EOS)
    # So few documents each have a cut of their own: the prefix is the one asked for.
    found = proxy.bits([amounts], repeats=repeats)[0]
    np.testing.assert_allclose(found, naive(made, held, amounts, order, 8, repeats), rtol=1e-5)


def test_tables_that_have_to_grow_lose_nothing():
    rng = np.random.default_rng(3)
    made = [pool([rng.integers(1, 900, 400).tolist() for _ in range(200)]) for _ in range(2)]
    held = pool([rng.integers(1, 1000, 300).tolist() for _ in range(3)])
    found = NgramProxy.train(made, held, order=2, vocab_size=1000, eos=EOS).bits([[1.0, 1.0]])[0]
    np.testing.assert_allclose(found, naive(made, held, [1.0, 1.0], 2, 1000, 0.0), rtol=1e-5)


def test_hundreds_of_domains():
    made = [chain(seed % 5, 2, 9, 6) for seed in range(400)]
    held = chain(1, 4, 9)
    epochs = np.random.default_rng(0).choice([0.0, 1.0, 2.0], 400)
    found = NgramProxy.train(made, held, order=3, vocab_size=9, eos=EOS).bits([epochs])[0]
    np.testing.assert_allclose(found, naive(made, held, epochs.tolist(), 3, 9, 0.0), rtol=1e-5)


@pytest.fixture(scope="module")
def domains() -> list[TokenPool]:
    return [chain(seed, documents, 40) for seed, documents in ((1, 300), (2, 200), (3, 60))]


@pytest.fixture(scope="module")
def held_out() -> TokenPool:
    rest = [documents_of(chain(seed, 310, 40))[-10:] for seed in (1, 2, 3)]
    return pool([document[:-1] for part in rest for document in part])


@pytest.fixture(scope="module")
def proxy(domains, held_out) -> NgramProxy:
    return NgramProxy.train(domains, held_out, vocab_size=40, eos=EOS)


def test_one_epoch_of_all_is_the_model_counted_on_all(domains, held_out, proxy):
    everything = pool([document[:-1] for some in domains for document in documents_of(some)])
    direct = direct_bits(everything, held_out, vocab_size=40, eos=EOS)
    np.testing.assert_allclose(proxy.bits(np.ones((1, 3)))[0], direct, rtol=1e-6)


def test_a_prefix_at_a_cut_and_copies_are_the_model_counted_on_the_mix(domains, held_out, proxy):
    prefixes = [some.starts[cuts(some.starts)] / some.starts[-1] for some in domains]
    for bins in ((150, 180, 170), (100, 191, 0)):
        epochs = np.array([share[b] for share, b in zip(prefixes, bins, strict=True)]) + np.array([0.0, 2.0, 1.0])
        direct = direct_bits(draw(domains, epochs), held_out, vocab_size=40, eos=EOS)
        np.testing.assert_allclose(proxy.bits([epochs], repeats=math.inf)[0], direct, rtol=1e-6)


def test_any_prefix_is_near_the_model_counted_on_the_mix(domains, held_out, proxy):
    rng = np.random.default_rng(0)
    epochs = rng.dirichlet(np.ones(3), 20) * 9_000 / [len(some.tokens) for some in domains]
    fast = proxy.bits(epochs, np.ones((proxy.documents, 1)), repeats=math.inf)[:, 0]
    direct = [direct_bits(draw(domains, one), held_out, vocab_size=40, eos=EOS).sum() for one in epochs]
    assert np.abs(fast / direct - 1).max() < 0.01
    # The mixes that others draw, of the same amounts but other documents, are ranked almost alike.
    others = [some.shuffled(7) for some in domains]
    direct = [direct_bits(draw(others, one), held_out, vocab_size=40, eos=EOS).sum() for one in epochs]
    assert stats.spearmanr(fast, direct)[0] > 0.9


def test_draw_takes_whole_copies_and_the_nearest_prefix():
    some = pool([[1, 1, 1], [2, 2, 2], [3]])  # 4, 4 and 2 tokens
    sizes = {amount: documents_of(draw([some], np.array([amount]))) for amount in (0.0, 0.19, 0.25, 0.61, 1.0, 2.4)}
    a, b, c = documents_of(some)
    assert sizes == {0.0: [], 0.19: [], 0.25: [a], 0.61: [a, b], 1.0: [a, b, c], 2.4: [a, b, c, a, b, c, a]}


def test_cuts_are_ascending_and_close():
    starts = np.arange(0, 1_000_001, 10)
    found = cuts(starts)
    assert len(found) == BINS + 1
    assert (found[0], found[-1]) == (0, 100_000)
    assert (np.diff(found) >= 0).all()
    assert (found[60:] / found[59:-1]).max() < 1.05


def test_probabilities_sum_to_one(domains):
    vocab, rng = 40, np.random.default_rng(5)
    epochs = np.concatenate([rng.dirichlet(np.ones(3), 6) * 3, [[0, 0, 0], [1, 1, 1], [0, 5, 0.01]]])
    for _ in range(4):
        # a context of the first pool, and every token after it
        start = int(domains[0].starts[rng.integers(0, 300)])
        context = [int(t) for t in domains[0].tokens[start : start + 3] if t != EOS]
        ends = [[*context, w] for w in range(1, vocab)] + [context]
        held = pool(ends)
        last = np.zeros(len(held.tokens), dtype=bool)
        last[held.starts[1:-1] - 2] = True
        last[held.starts[-1] - 1] = True  # after the context alone comes the end token
        proxy = NgramProxy.train(domains, held, vocab_size=vocab, eos=EOS, counted=last)
        for repeats in (0.0, 15.4, math.inf):
            sums = (2.0 ** -proxy.bits(epochs, repeats=repeats).astype(float)).sum(axis=1)
            np.testing.assert_allclose(sums, 1.0, rtol=2e-5)


def test_only_counted_tokens_count(domains, held_out, proxy):
    rng = np.random.default_rng(2)
    half = rng.random(len(held_out.tokens)) < 0.5
    parts = [
        NgramProxy.train(domains, held_out, vocab_size=40, eos=EOS, counted=mask).bits([[0.3, 0.2, 1.0]])
        for mask in (half, ~half)
    ]
    assert (parts[0] > 0).any()
    np.testing.assert_allclose(parts[0] + parts[1], proxy.bits([[0.3, 0.2, 1.0]]), rtol=1e-5)


def test_a_domain_without_weight_has_no_influence(domains, held_out, proxy):
    other = NgramProxy.train([domains[0], chain(9, 50, 40), domains[2]], held_out, vocab_size=40, eos=EOS)
    epochs = np.array([[0.4, 0.0, 1.5], [1.0, 0.0, 0.0]])
    assert np.array_equal(proxy.bits(epochs), other.bits(epochs))
    assert not np.array_equal(proxy.bits(epochs + 0.5), other.bits(epochs + 0.5))


def test_more_of_its_own_domain_lowers_a_documents_bits(domains, proxy):
    sizes = np.array([len(some.tokens) for some in domains])
    first = np.arange(proxy.documents) < 10
    groups = np.stack([first, ~first], axis=1).astype(float)
    shares = np.linspace(0.05, 0.95, 7)
    epochs = np.stack([shares, (1 - shares) / 2, (1 - shares) / 2], axis=1) * 6_000 / sizes
    own, others = proxy.bits(epochs, groups).T
    assert (np.diff(own) < 0).all()
    assert others[-1] > others[0]


def test_copies_alone_teach_nothing_unless_asked_to(proxy):
    once, often = proxy.bits([[1.0, 0, 0], [3.0, 0, 0]])
    np.testing.assert_allclose(once, often, rtol=1e-6)
    trusted = proxy.bits([[3.0, 0, 0]], repeats=math.inf)[0]
    assert (trusted != often).any()
    between = proxy.bits([[3.0, 0, 0]], repeats=2.0)[0].sum()
    assert min(often.sum(), trusted.sum()) < between < max(often.sum(), trusted.sum())
    # beside other domains they shift the model towards their own
    groups = (np.arange(proxy.documents) < 10).astype(float)[:, None]
    assert proxy.bits([[3.0, 1, 1]], groups)[0, 0] < proxy.bits([[1.0, 1, 1]], groups)[0, 0]


def test_a_mix_is_scored_alike_alone_and_among_others(proxy):
    epochs = np.random.default_rng(1).dirichlet(np.ones(3), 150) * [0.5, 1, 6]
    together = proxy.bits(epochs)
    assert np.array_equal(together, proxy.bits(epochs))
    for i in (0, 63, 64, 149):
        assert np.array_equal(together[i : i + 1], proxy.bits(epochs[i]))
        assert np.array_equal(together[i : i + 3], proxy.bits(epochs[i : i + 3]))


def test_training_is_deterministic(domains, held_out, proxy):
    again = NgramProxy.train(domains, held_out, vocab_size=40, eos=EOS)
    for name, value in vars(proxy).items():
        assert np.array_equal(value, getattr(again, name)), name


def test_groups_are_sums_over_documents(proxy):
    epochs = np.random.default_rng(4).random((5, 3))
    groups = np.random.default_rng(5).random((proxy.documents, 4)) * (np.arange(4) % 2)
    expected = proxy.bits(epochs).astype(float) @ groups
    for form in (groups, sparse.csr_array(groups), sparse.csr_matrix(groups)):
        found = proxy.bits(epochs, form)
        assert found.shape == (5, 4)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_saved_and_loaded_it_scores_alike(proxy, tmp_path: Path):
    proxy.save(tmp_path / "model")
    loaded = NgramProxy.load(tmp_path / "model")
    epochs = np.random.default_rng(6).random((3, 3)) * 2
    assert np.array_equal(loaded.bits(epochs), proxy.bits(epochs))
    assert type(loaded.vocab_size) is int
    (file,) = (tmp_path / "model").iterdir()
    with np.load(file) as arrays:
        changed = {**arrays, "version": np.array(-1)}
    np.savez(file, **changed)
    with pytest.raises(ValueError, match="version"):
        NgramProxy.load(tmp_path / "model")


def test_nothing_is_as_good_as_a_uniform_model(held_out):
    lengths = np.diff(held_out.starts)
    for pools in ([pool([])], [pool([]), pool([[1, 2, 3]])]):
        proxy = NgramProxy.train(pools, held_out, vocab_size=64, eos=EOS)
        np.testing.assert_allclose(proxy.bits(np.zeros((1, len(pools))))[0], 6.0 * lengths, rtol=1e-6)
    empty = NgramProxy.train([pool([])], held_out, vocab_size=64, eos=EOS)
    np.testing.assert_allclose(empty.bits([[5.0]])[0], 6.0 * lengths, rtol=1e-6)


def test_an_empty_pool_changes_nothing(domains, held_out, proxy):
    more = NgramProxy.train([*domains, pool([])], held_out, vocab_size=40, eos=EOS)
    assert np.array_equal(more.bits([[0.5, 1.0, 2.0, 3.0]]), proxy.bits([[0.5, 1.0, 2.0]]))


def test_a_token_no_pool_has_costs_much_but_not_infinitely(domains):
    held = pool([[1, 41, 2], [1, 2, 2]])
    unseen, seen = NgramProxy.train(domains, held, vocab_size=50, eos=EOS).bits(np.ones((1, 3)))[0]
    assert np.isfinite(unseen)
    assert unseen > seen


def test_no_held_out_text():
    proxy = NgramProxy.train([pool([[1, 2]])], pool([]), vocab_size=5, eos=EOS)
    assert proxy.bits(np.ones((2, 1))).shape == (2, 0)


def test_shuffling_keeps_documents(domains):
    shuffled = domains[0].shuffled(3)
    assert documents_of(shuffled) != documents_of(domains[0])
    assert Counter(map(tuple, documents_of(shuffled))) == Counter(map(tuple, documents_of(domains[0])))
    assert np.array_equal(shuffled.tokens, domains[0].shuffled(3).tokens)


def test_names_of_tokens_do_not_matter(domains, held_out, proxy):
    names = np.concatenate([[EOS], 1 + np.random.default_rng(8).permutation(39)]).astype(np.uint16)
    other = NgramProxy.train(
        [replace(some, tokens=names[some.tokens]) for some in domains],
        replace(held_out, tokens=names[held_out.tokens]),
        vocab_size=40,
        eos=EOS,
    )
    epochs = np.array([[0.3, 1.2, 0.7]])
    np.testing.assert_allclose(other.bits(epochs), proxy.bits(epochs), rtol=1e-5)


GOOD = pool([[1, 2], [3]])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (replace(GOOD, tokens=GOOD.tokens.astype(np.int64)), "uint16"),
        (replace(GOOD, tokens=np.array([1, 2, 3, 3, EOS], np.uint16)), "end token"),
        (replace(GOOD, tokens=np.array([EOS, 2, EOS, 3, EOS], np.uint16)), "end token"),
        (replace(GOOD, tokens=np.array([1, 9, EOS, 3, EOS], np.uint16)), "vocabulary"),
        (replace(GOOD, starts=np.array([0, 3, 4])), "starts"),
        (replace(GOOD, starts=np.array([0, 3, 3, 5])), "starts"),
    ],
)
def test_pools_that_are_none_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        NgramProxy.train([bad], GOOD, vocab_size=9, eos=EOS)
    with pytest.raises(ValueError, match=message):
        NgramProxy.train([GOOD], bad, vocab_size=9, eos=EOS)


def test_other_mistakes_are_refused(proxy):
    for order in (0, 17):
        with pytest.raises(ValueError, match="order"):
            NgramProxy.train([GOOD], GOOD, order=order, vocab_size=9, eos=EOS)
    with pytest.raises(ValueError, match="pools"):
        NgramProxy.train([], GOOD, vocab_size=9, eos=EOS)
    with pytest.raises(ValueError, match="counted"):
        NgramProxy.train([GOOD], GOOD, vocab_size=9, eos=EOS, counted=np.ones(2, dtype=bool))
    for epochs in ([[1.0, 1.0]], [[-0.1, 1, 1]], [[np.nan, 1, 1]]):
        with pytest.raises(ValueError, match="epochs"):
            proxy.bits(epochs)
    with pytest.raises(ValueError, match="repeats"):
        proxy.bits([[1, 1, 1]], repeats=-1.0)
