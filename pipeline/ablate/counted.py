"""The n-gram proxy on an ablation's own texts: which documents make a pool, and how often a mix reads it."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from pipeline.ablate.draws import Draws
from pipeline.ablate.held_out import HeldOut
from pipeline.ablate.mixes import PooledMixes
from pipeline.ablate.ngram import NGRAM_VERSION, NgramProxy, TokenPool
from pipeline.ablate.recipe import Ngram
from pipeline.ablate.runs import Pool
from pipeline.store import Store, make_key

#: Documents of a domain are sorted into so many classes by how often the base mix reads them (weights of entries, upweight rules).
_CLASSES = 4


class CountedMixes:
    """The documents of a pool, in classes that every mix reads alike.

    An n-gram pool is read as whole copies and a prefix. Documents of one domain are read at different rates (their source's share, the
    recipe's upweight rules), so each domain is several pools, of documents the base mix reads about equally often, in order of their hash:
    the order in which mixes draw them.
    """

    def __init__(self, mixes: PooledMixes) -> None:
        self._mixes = mixes
        draws = mixes.draws
        first = np.flatnonzero(draws.epoch == 0)
        self._entry = draws.entry[first]
        self._multiplier = draws.multiplier[first]
        self._tokens = draws.tokens[first].astype(float)
        self.shard, self.row = draws.shard[first], draws.row[first]
        self._most = _largest_copies(draws, first)
        # tokens one unit of rate gives, by entry
        self._per_rate = np.bincount(self._entry, weights=self._tokens * self._multiplier, minlength=len(draws.entries))
        domain = np.zeros(len(draws.entries), dtype=int)
        for number, member in enumerate(mixes.mixes.members):
            domain[member] = number
        rate = self._copies(mixes.mixes.prior)
        self.group, self.groups = _classes(domain[self._entry], rate, self._tokens)
        u = draws.rate[first] * self._multiplier
        self.order = np.lexsort((u, self.group))
        self._sizes = np.bincount(self.group, weights=self._tokens, minlength=self.groups)

    def _copies(self, weights: np.ndarray) -> np.ndarray:
        """Expected copies of each document."""
        rate = self._mixes.targets(weights) / np.maximum(self._per_rate, 1e-9)
        return np.minimum(rate[self._entry] * self._multiplier, self._most)

    def epochs(self, weights: np.ndarray) -> np.ndarray:
        """Copies of each class, its documents' mean by tokens; shape (classes,)."""
        read = np.bincount(self.group, weights=self._copies(weights) * self._tokens, minlength=self.groups)
        return read / np.maximum(self._sizes, 1e-9)

    def pools(self, pool: Pool) -> list[TokenPool]:
        """The texts of each class."""
        bounds = np.searchsorted(self.group[self.order], np.arange(self.groups + 1))
        made = []
        for low, high in pairwise(bounds):
            some = self.order[low:high]
            made.append(TokenPool(*pool.texts.gather(self.shard[some], self.row[some])))
        return made


def _largest_copies(draws: Draws, first: np.ndarray) -> np.ndarray:
    """The most copies each entry allows of a document, for each of ``first``."""
    most = np.zeros(len(draws.entries))
    np.maximum.at(most, draws.entry, draws.rate * draws.multiplier)
    return np.maximum(most, 1.0)[draws.entry[first]]


def _classes(domain: np.ndarray, rate: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of each document's class: within a domain, bands of ``rate`` that hold about as many tokens each."""
    group = np.zeros(len(domain), dtype=int)
    made = 0
    for number in range(int(domain.max()) + 1 if len(domain) else 0):
        some = np.flatnonzero(domain == number)
        order = some[np.argsort(rate[some], kind="stable")]
        through = np.cumsum(tokens[order])
        band = np.minimum((through - tokens[order] / 2) / max(through[-1:].sum(), 1e-9) * _CLASSES, _CLASSES - 1)
        # documents of one rate stay together
        values, at = np.unique(rate[order], return_inverse=True)
        band_of_value = np.zeros(len(values), dtype=int)
        np.maximum.at(band_of_value, at, band.astype(int))
        own, numbered = np.unique(band_of_value[at], return_inverse=True)
        group[order] = made + numbered
        made += len(own)
    return group, made


def open_ngram(
    store: Store, pool: Pool, held_out: HeldOut, settings: Ngram, counted: CountedMixes
) -> tuple[NgramProxy, bool]:
    """The counted model, from the store or made; and whether it was there."""
    digest = hashlib.blake2b(digest_size=16)
    pools = counted.pools(pool)
    for part in pools:
        digest.update(part.tokens.tobytes())
    key = make_key(
        "ngram",
        NGRAM_VERSION,
        read=digest.hexdigest(),
        classes=[len(part.tokens) for part in pools],
        held_out=held_out.digest,
        order=settings.order,
    )
    there = store.has("ngram", key)
    if not there:
        model = NgramProxy.train(
            pools,
            TokenPool(held_out.ids, held_out.starts),
            order=settings.order,
            vocab_size=settings.vocabulary,
            eos=pool.eos,
            counted=held_out.counted,
        )
        with store.write("ngram", key, [*pool.keys.values(), *held_out.inputs]) as (folder, meta):
            model.save(folder)
            meta.update(pools=len(pools), tokens=sum(len(part.tokens) for part in pools))
    return NgramProxy.load(store.path("ngram", key)), there


def ngram_metrics(
    model: NgramProxy, counted: CountedMixes, weights: np.ndarray, held_out: HeldOut
) -> dict[str, np.ndarray]:
    """Metrics of mixes by the n-gram proxy.

    :param weights: of the domains, shape (mixes, D).
    """
    epochs = np.stack([counted.epochs(one) for one in weights])
    names = list(held_out.weights)
    values = model.bits(epochs, np.stack([held_out.weights[name] for name in names], axis=1))
    return {name: values[:, i].astype(float) for i, name in enumerate(names)}
