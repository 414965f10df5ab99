"""The swarm: the points of an ablation, the texts they read, and their runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from pipeline.ablate.design import Collapsed, Design, Point, make_points
from pipeline.ablate.draws import load_draws, load_held_out, run_draws
from pipeline.ablate.held_out import HeldOut, choose, keep, measured
from pipeline.ablate.mixes import Mixes, load_mixes
from pipeline.ablate.recipe import Ngram, Resolved, Transformer
from pipeline.ablate.runs import Pool, Run, make_run, read_bits, run_all
from pipeline.ablate.texts import Texts, codes, documents_of, load_texts, run_texts
from pipeline.console import Progress
from pipeline.mix import Corpus, planned, scored
from pipeline.store import Store, make_key
from pipeline.tokens import Tokenizer, load_tokenizer
from sources.errors import UserError


def vocabulary(size: int) -> str:
    """Name of the tokenizer with so many tokens, the one that ends a document included."""
    return f"cl100k_base:{size - 1}"


@dataclass
class Bench:
    """What every proxy of an ablation works on.

    :param mixes: what mixes are made of.
    :param draws_key: of the draws.
    :param ran: counts the stages that had to run.
    :param pools: made so far, by vocabulary and tokens.
    """

    resolved: Resolved
    store: Store
    corpus: Corpus
    mixes: Mixes
    draws_key: str
    workers: int
    progress: Progress
    ran: Counter[str] = field(default_factory=Counter)
    pools: dict[tuple[int, int], tuple[Pool, HeldOut]] = field(default_factory=dict)

    @classmethod
    def open(cls, resolved: Resolved, store: Store, workers: int, progress: Progress) -> Bench:
        """Bring the corpora of the base recipe to where its mixes can be drawn, and draw."""
        ran: Counter[str] = Counter()
        recipe, cards = resolved.recipe, resolved.cards
        corpus = scored(recipe, resolved.base_folder, cards, store, workers=workers, progress=progress, ran=ran)
        plan = planned(recipe, cards, corpus, store, workers=workers, ran=ran)
        shards = [(shard.source, shard.catalog) for shard in corpus.shards]
        key = run_draws(store, resolved.varied, cards, corpus.judges.limits, shards, corpus.clusters, workers=workers)
        mixes = load_mixes(resolved, store, load_draws(store, key), plan)
        return cls(resolved, store, corpus, mixes, key, workers, progress, ran)

    def points(self, collapsed: Collapsed | None) -> list[Point]:
        """The design's points.

        :param collapsed: the domains that are searched, where others keep their proportions.
        """
        ablation, mixes = self.resolved.ablation, self.mixes

        def place(*loc: str | int) -> str:
            return ablation.place("design", *loc)

        proportional = mixes.supply / mixes.supply.sum()
        if collapsed is None:
            return make_points(
                ablation.design, mixes.domains, mixes.prior, proportional, mixes.caps, ablation.seed, place=place
            )
        # anchors are what they are called; the swarm lies where the kept ratios hold, and so does the mix its gains are over
        anchors = make_points(
            Design(points=[{}], always=ablation.design.always),
            mixes.domains,
            mixes.prior,
            proportional,
            mixes.caps,
            ablation.seed,
            place=place,
        )
        swarm = make_points(
            ablation.design.model_copy(update={"always": ["prior"]}),
            collapsed.parts,
            collapsed.reduce(mixes.prior),
            collapsed.reduce(proportional),
            collapsed.caps(mixes.caps),
            ablation.seed,
            place=place,
        )
        swarm[0] = replace(swarm[0], name="0000", kind="swarm")
        return [*(one for one in anchors if one.kind != "swarm"), *collapsed.expand_points(swarm)]

    def pool(self, proxy: Transformer | Ngram) -> tuple[Pool, HeldOut]:
        """The texts a proxy reads, and what it is measured on; proxies that read alike share one.

        The pool's share of each domain's tokens is that of the proxy's tokens in the target run's. How many tokens of the small vocabulary
        a token of the recipe's makes is measured on the held-out documents, weighted as the base mix is.

        :raises UserError: nothing is held out, the pool has no document, or a question set cannot be read.
        """
        key = (proxy.vocabulary, proxy.tokens)
        if key not in self.pools:
            self.pools[key] = self._pool(*key)
        return self.pools[key]

    def _pool(self, vocabulary_size: int, tokens: int) -> tuple[Pool, HeldOut]:
        tokenizer = load_tokenizer(vocabulary(vocabulary_size))
        kept = load_held_out(self.store, self.draws_key)
        if not kept.num_rows:
            raise UserError(
                "the base recipe holds out no document to measure on",
                where=self.resolved.ablation.place("base"),
                fix="set: [validation=0.03]",
            )
        chosen = choose(kept, self.resolved.ablation.evaluation.tokens)
        held = np.sort(codes(chosen["shard"].to_numpy(), chosen["row"].to_numpy()))
        held_texts, held_keys = self._texts(held, tokenizer)
        shares = {name: float(tokens) for name, tokens in self.mixes.sources.items()}
        total = sum(shares.values())
        shares = {name: tokens / total for name, tokens in shares.items()}
        held_out = replace(
            measured(self.resolved, chosen, held_texts, shares, tokenizer), inputs=tuple(held_keys.values())
        )

        # two digits: with more, another held-out document would be another pool, and no run could be used again
        ratio = float(f"{self._ratio(chosen, held_texts, shares):.2g}")
        share = tokens / ratio / self.resolved.budget
        mixes = self.mixes.pooled(share)
        wanted = documents_of(mixes.draws)
        if not len(wanted):
            raise UserError(
                f"a proxy of {tokens:,} tokens stands for {self.resolved.budget:,}, and its part of the documents is none",
                where=self.resolved.ablation.place("proxy"),
                fix="give it more tokens",
            )
        texts, keys = self._texts(wanted, tokenizer)
        key = make_key(
            "pool", 1, draws=self.draws_key, members=[list(map(int, m)) for m in self.mixes.members], share=share
        )
        return Pool(mixes, texts, tokenizer.eos_id, keys, key), held_out

    def _texts(self, wanted: np.ndarray, tokenizer: Tokenizer) -> tuple[Texts, dict[int, str]]:
        """Some documents tokenised, and the keys they lie under."""
        documents = [shard.documents for shard in self.corpus.shards]
        keys = run_texts(self.store, documents, wanted, tokenizer.name, workers=self.workers, progress=self.progress)
        return load_texts(self.store, keys, wanted, tokenizer.eos_id), keys

    @staticmethod
    def _ratio(chosen: pa.Table, texts: Texts, shares: dict[str, float]) -> float:
        """Tokens of the small vocabulary that a token of the recipe's makes in the base mix."""
        at = np.searchsorted(texts.codes, codes(chosen["shard"].to_numpy(), chosen["row"].to_numpy()))
        small = texts.starts[at + 1] - texts.starts[at]
        large = chosen["tokens"].to_numpy().astype(float)
        source = chosen["source"].to_numpy(zero_copy_only=False)
        names, number = np.unique(source, return_inverse=True)
        share = np.array([shares.get(name, 0.0) for name in names])
        by_source = np.bincount(number, weights=small) / np.bincount(number, weights=large)
        return float(share @ by_source / share.sum())

    def train(
        self,
        points: list[tuple[str, np.ndarray, int]],
        proxy: Transformer,
        pool: Pool,
        held_out: HeldOut,
        label: str,
    ) -> tuple[list[Run], dict[str, np.ndarray], set[str]]:
        """Train and measure a transformer on each of some mixes.

        :param points: name, weights and seed of each.
        :returns: the runs, their metrics (each of shape (runs,)), and the names of those that were there already.
        """
        key = keep(self.store, held_out)
        runs = [make_run(name, weights, seed, pool, proxy, held_out) for name, weights, seed in points]
        there = run_all(self.store, runs, pool, proxy, key, workers=self.workers, progress=self.progress, label=label)
        self.ran["proxy-run"] += len({run.model for run in runs if run.name not in there})
        return runs, held_out.metrics(read_bits(self.store, runs)), there
