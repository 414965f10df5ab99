"""Draws: everything any mix of an ablation can be made of, in the order in which it would be drawn.

A mix takes copies of an entry's documents in order of their rate until the entry's tokens are met (:mod:`pipeline.plan`). So the
mixes of an ablation differ only in where they stop: one table of copies, sorted by entry and rate, holds all of them, and a mix is one
position an entry. Nothing is copied per mix; a trainer reads texts through it. What a mix draws here is what ``wellmix mix`` draws
with the same weights.

A proxy run sees fewer tokens than the run it stands for, but must repeat its data as often (repetition mismatch, arXiv 2606.07597). So
it draws from a *pool*: documents, chosen by a hash, with the share of each domain's tokens that its own are of the target run's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.database import connect, text
from pipeline.plan import POOL, Thresholds, amounts_of, judge, make_events, place_sql, plan_key, unit_sql
from pipeline.recipe import Amount, Recipe
from pipeline.store import Store, make_key
from pipeline.tables import read
from sources.card import Card

DRAWS_VERSION = 1

#: What is known of a copy.
COLUMNS = ("entry", "shard", "row", "uid", "epoch", "tokens", "rate", "multiplier", "pool", "place")


def same_for_all(recipe: Recipe) -> Recipe:
    """The recipe without what the mixes of an ablation differ in: its budget, and how much of each entry."""
    level = {"weight": 1.0, "tokens": None, "epochs": None}
    return recipe.model_copy(
        update={
            "budget": 1,
            "weight_basis": None,
            "temperature": 1.0,
            "sources": {
                name: Amount(weight=1.0, max_epochs=amount.max_epochs) for name, amount in recipe.sources.items()
            },
            "groups": [group.model_copy(update=level) for group in recipe.groups],
        }
    )


def run_draws(
    store: Store,
    recipe: Recipe,
    cards: dict[str, Card],
    limits: Thresholds,
    shards: list[tuple[str, str]],
    clusters: str,
    *,
    workers: int,
) -> str:
    """Judge the documents of a recipe and list every copy that any of its mixes can hold.

    :param recipe: its weights and budget do not matter.
    :param shards: (source, catalog key) of each shard, in order.
    :returns: key of the artifact: ``events.parquet`` (a row a copy: entry, document, epoch, tokens, rate, multiplier, pool, place) and
        ``held_out.parquet`` (a row a document of the validation split).
    :raises UserError: a condition of the recipe cannot be computed.
    """
    recipe = same_for_all(recipe)
    key = make_key(
        "draws", DRAWS_VERSION, plan=plan_key(recipe, cards, limits, [catalog for _, catalog in shards], clusters)
    )
    if store.has("draws", key):
        return key
    with (
        store.write("draws", key, [*(catalog for _, catalog in shards), clusters]) as (folder, meta),
        store.scratch("draws") as scratch,
        connect(scratch, recipe.memory, workers, reach=[store.root]) as con,
    ):
        judge(con, store, recipe, cards, limits, shards, clusters)
        make_events(con, recipe)
        entries = list(amounts_of(recipe))
        con.execute("CREATE TABLE entries (entry VARCHAR, number SMALLINT)")
        con.executemany("INSERT INTO entries VALUES (?, ?)", [[name, i] for i, name in enumerate(entries)])
        con.execute(f"""
            COPY (SELECT number AS entry, shard, row, uid, epoch::SMALLINT AS epoch, tokens, rate, multiplier,
                         {unit_sql(recipe, "uid", POOL)} AS pool, {place_sql(recipe)} AS place
                  FROM events JOIN entries USING (entry) ORDER BY number, rate, uid, epoch)
            TO {text(str(folder / "events.parquet"))} (FORMAT parquet, COMPRESSION zstd)
        """)
        con.execute(f"""
            COPY (SELECT shard, row, source, bytes, tokens, u, COLUMNS('facet_.*') FROM judged
                  WHERE reason IS NULL AND split = 'validation' AND multiplier > 0 ORDER BY shard, row)
            TO {text(str(folder / "held_out.parquet"))} (FORMAT parquet, COMPRESSION zstd)
        """)
        meta.update(entries=entries)
    return key


def load_draws(store: Store, key: str) -> Draws:
    """The copies any mix can be made of."""
    table = read(store.path("draws", key) / "events.parquet")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return Draws(store.meta("draws", key)["entries"], **columns)


def save_draws(draws: Draws, folder: Path) -> None:
    """Write some copies where workers find them; a worker maps them instead of reading the whole list."""
    (folder / "entries.json").write_text(json.dumps(draws.entries), "utf-8")
    for name in COLUMNS:
        np.save(folder / f"{name}.npy", getattr(draws, name))


def saved_draws(folder: Path) -> Draws:
    """What :func:`save_draws` wrote, mapped."""
    entries = json.loads((folder / "entries.json").read_text("utf-8"))
    return Draws(
        entries, **{name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in COLUMNS}
    )


def load_held_out(store: Store, key: str) -> pa.Table:
    """The documents of the validation split: shard, row, source, bytes, u and facets."""
    return read(store.path("draws", key) / "held_out.parquet")


@dataclass(frozen=True)
class Draws:
    """Copies, sorted by entry, rate, uid and epoch; all arrays have shape (copies,).

    :param entries: names; ``entry`` numbers them.
    :param shard, row: of the document.
    :param rate: at which the copy is drawn.
    :param multiplier: of the recipe's upweight rules: copies of the document at rate 1.
    :param pool: in [0, 1); pools take documents in its order.
    :param place: copies of a mix stand in its order.
    """

    entries: list[str]
    entry: np.ndarray
    shard: np.ndarray
    row: np.ndarray
    uid: np.ndarray
    epoch: np.ndarray
    tokens: np.ndarray
    rate: np.ndarray
    multiplier: np.ndarray
    pool: np.ndarray
    place: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each entry begins; shape (entries + 1,)."""
        return np.searchsorted(self.entry, np.arange(len(self.entries) + 1))

    @cached_property
    def _middles(self) -> np.ndarray:
        """Tokens of an entry up to the middle of each copy; ascending within an entry."""
        through = np.cumsum(self.tokens, dtype=np.int64)
        before = np.concatenate([[0], through])[self.starts[:-1]]
        return through - before[self.entry] - self.tokens / 2

    @cached_property
    def capacity(self) -> np.ndarray:
        """Tokens each entry can give at its epoch cap; shape (entries,), int64."""
        return self._sum(self.tokens)

    @cached_property
    def supply(self) -> np.ndarray:
        """Tokens of each entry's documents, once each; shape (entries,), int64."""
        return self._sum(np.where(self.epoch == 0, self.tokens, 0))

    def _sum(self, tokens: np.ndarray) -> np.ndarray:
        through = np.concatenate([[0], np.cumsum(tokens, dtype=np.int64)])
        return np.diff(through[self.starts])

    def pooled(self, share: float, members: list[np.ndarray]) -> Draws:
        """Only the copies of a pool's documents: of each domain so many that their tokens are ``share`` of its own, to half a document.

        An entry's documents are taken in order of a hash. What it takes too much or too little, as documents are whole, the next entry
        of the domain makes up for: a domain of a few long texts would otherwise repeat quite another number of times than in the whole.

        :param share: of the tokens; 1 or more are all.
        :param members: of each domain, the numbers of its entries.
        """
        if share >= 1:
            return self
        first = np.flatnonzero(self.epoch == 0)
        first = first[np.lexsort((self.uid[first], self.pool[first], self.entry[first]))]
        bounds = np.searchsorted(self.entry[first], np.arange(len(self.entries) + 1))
        parts = []
        for member in members:
            owed = 0.0
            for entry in member:
                some = first[bounds[entry] : bounds[entry + 1]]
                tokens = self.tokens[some]
                owed += share * float(tokens.sum())
                through = np.cumsum(tokens, dtype=np.int64)
                n = int(np.searchsorted(through - tokens / 2, owed, side="right"))
                owed -= float(through[n - 1]) if n else 0.0
                parts.append(self.uid[some[:n]])
        inside = np.isin(self.uid, np.concatenate(parts))
        return replace(self, **{name: getattr(self, name)[inside] for name in COLUMNS})

    def take(self, targets: np.ndarray) -> np.ndarray:
        """The copies of a mix, in the order of its plan: positions in these arrays.

        :param targets: tokens of each entry, shape (entries,), at most :attr:`capacity`.
        """
        parts = []
        for low, high, target in zip(self.starts[:-1], self.starts[1:], targets, strict=True):
            # a copy is taken while its middle lies before the target, as in pipeline.plan
            parts.append(np.arange(low, low + np.searchsorted(self._middles[low:high], target, side="right")))
        taken = np.concatenate(parts)
        return taken[np.lexsort((self.epoch[taken], self.uid[taken], self.place[taken]))]

    def drawn(self, taken: np.ndarray) -> np.ndarray:
        """Tokens of each entry among some copies; shape (entries,)."""
        return np.bincount(self.entry[taken], weights=self.tokens[taken], minlength=len(self.entries))


def fill(total: float, shares: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Tokens of each member: ``total`` in proportion to ``shares``; what a full member cannot give goes to the others (water filling).

    :param shares: non-negative; once those that are not full add up to 0, the others share by their capacity.
    :param capacity: most a member can give.
    :returns: same shape; sums to ``total``, or to all capacity where that is less.
    """
    capacity = np.asarray(capacity, dtype=float)
    total = min(total, float(capacity.sum()))
    full = capacity <= 0
    while True:
        got = np.where(full, capacity, 0.0)
        left = total - got.sum()
        if full.all() or left <= 0:
            return got
        weights = np.where(full, 0.0, shares)
        if not weights.any():
            weights = np.where(full, 0.0, capacity)
        step = left * weights / weights.sum()
        over = ~full & (step >= capacity)
        if not over.any():
            return got + step
        full |= over


def facets(held_out: pa.Table) -> dict[str, np.ndarray]:
    """Facet -> whether each held-out document has it, shape (documents,)."""
    prefix = "facet_"
    names = [name for name in held_out.column_names if name.startswith(prefix)]
    return {name.removeprefix(prefix): held_out[name].to_numpy() for name in names}
