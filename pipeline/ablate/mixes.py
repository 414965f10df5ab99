"""Mixes of an ablation: from weights of domains to tokens of entries, to the copies that are drawn, to a recipe."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.ablate.draws import Draws, fill
from pipeline.ablate.recipe import Resolved
from pipeline.ablate.texts import codes
from pipeline.plan import amounts_of
from pipeline.store import Store
from pipeline.tables import read


@dataclass(frozen=True)
class Mixes:
    """What the mixes of an ablation are made of, and how.

    :param draws: every copy there can be.
    :param members: of each domain, the numbers of its entries.
    :param base: tokens of each entry in the base mix, shape (entries,).
    :param sources: tokens of each source in the base mix.
    """

    resolved: Resolved
    draws: Draws
    members: list[np.ndarray]
    base: np.ndarray
    sources: dict[str, int]

    @property
    def domains(self) -> list[str]:
        """Names, in order."""
        return list(self.resolved.domains)

    def _by_domain(self, by_entry: np.ndarray) -> np.ndarray:
        return np.array([by_entry[member].sum() for member in self.members], dtype=float)

    @cached_property
    def prior(self) -> np.ndarray:
        """Share of each domain in the base mix, as it came out."""
        tokens = self._by_domain(self.base)
        return tokens / tokens.sum()

    @cached_property
    def supply(self) -> np.ndarray:
        """Eligible tokens of each domain, once each."""
        return self._by_domain(self.draws.supply)

    @cached_property
    def caps(self) -> np.ndarray:
        """Largest weight of each domain at the budget and its entries' epoch caps."""
        return self._by_domain(self.draws.capacity) / self.resolved.budget

    def tokens(self, weights: np.ndarray) -> np.ndarray:
        """Tokens of each entry at the ablation's budget: within a domain as in the base mix, as far as entries have them.

        :param weights: of the domains.
        """
        out = np.zeros(len(self.draws.entries))
        for weight, member in zip(weights, self.members, strict=True):
            out[member] = fill(weight * self.resolved.budget, self.base[member], self.draws.capacity[member])
        return out

    def epochs(self, weights: np.ndarray) -> np.ndarray:
        """How often each domain is read on average at the budget."""
        return np.asarray(weights) * self.resolved.budget / np.maximum(self.supply, 1)

    def pooled(self, share: float) -> PooledMixes:
        """The same mixes, made of a pool of the documents."""
        return PooledMixes(self, self.draws.pooled(share, self.members), share)

    def fingerprints(self) -> list[str]:
        """A digest of what each domain is: its eligible documents, how they are drawn, and its entries' shares. Tells later whether it
        changed."""
        first = self.draws.epoch == 0
        found = []
        for member in self.members:
            inside = first & np.isin(self.draws.entry, member)
            order = np.argsort(self.draws.uid[inside], kind="stable")
            made = hashlib.blake2b(digest_size=16)
            made.update(self.draws.uid[inside][order].tobytes())
            made.update(self.draws.tokens[inside][order].astype(np.int64).tobytes())
            made.update(self.draws.multiplier[inside][order].tobytes())
            # what share an entry has within the domain, and how much it could give
            shares = np.round(self.base[member] / max(self.base[member].sum(), 1), 4)
            made.update(shares.tobytes() + self.draws.capacity[member].tobytes())
            found.append(made.hexdigest())
        return found

    def recipe(self, weights: np.ndarray, name: str, description: str, folder: Path | None) -> str:
        """A recipe of the mix of some weights, ready for ``wellmix mix``, as YAML.

        :param folder: it will lie in; files it names are relative to it. None where that is no local one: their paths are absolute.
        """
        varied, ablation = self.resolved.varied, self.resolved.ablation
        tokens = self.tokens(weights)
        shares = dict(zip(self.draws.entries, tokens / tokens.sum(), strict=True))
        amounts = amounts_of(varied)

        def amount(entry: str) -> dict[str, Any]:
            cap = amounts[entry].max_epochs
            return {"weight": round(float(shares[entry]), 6)} | ({"max_epochs": cap} if cap is not None else {})

        plain = varied.model_dump(mode="json", exclude_defaults=True)
        plain |= {
            "name": name,
            "description": description,
            "budget": self.resolved.budget,
            "weight_basis": 1.0,
            "sources": {source: amount(source) for source in varied.sources},
        }
        plain.pop("temperature", None)

        def moved(file: str) -> str:
            place = (self.resolved.base_folder / file).resolve()
            return str(place) if folder is None else os.path.relpath(place, folder.resolve())

        if "cards" in plain:
            plain["cards"] = [moved(cards) for cards in plain["cards"]]
        if plain.get("tokenizer", "").endswith(".json"):
            plain["tokenizer"] = moved(plain["tokenizer"])
        lists = plain.get("filters", {}).get("contamination")
        if isinstance(lists, list):
            plain["filters"]["contamination"] = [moved(one) if one.endswith(".npz") else one for one in lists]
        if varied.groups:
            plain["groups"] = [
                {k: v for k, v in group.items() if k not in ("weight", "tokens", "epochs", "max_epochs")}
                | amount(group["name"])
                for group in plain["groups"]
            ]
        head = ["name", "description", "purpose", "budget", "seed", "weight_basis", "sources"]
        plain = {key: plain[key] for key in head if key in plain} | plain
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=120)
        listed = ", ".join(f"{domain} {weight:.4f}" for domain, weight in zip(self.domains, weights, strict=True))
        return f"# Made by the ablation {ablation.name!r} from {ablation.base}: {listed}\n{text}"


@dataclass(frozen=True)
class PooledMixes:
    """Mixes as a proxy sees them: fewer tokens, of a pool as much smaller, so that its data repeats as often as the target run's.

    :param draws: the pool's copies.
    :param share: of each domain's tokens that are in the pool.
    """

    mixes: Mixes
    draws: Draws
    share: float

    def targets(self, weights: np.ndarray) -> np.ndarray:
        """Tokens of each entry in the pool's mix."""
        whole = self.mixes.tokens(weights)
        out = np.zeros(len(whole))
        for member in self.mixes.members:
            total = whole[member].sum() * min(self.share, 1.0)
            out[member] = fill(total, whole[member], self.draws.capacity[member])
        return out

    def missing(self, weights: np.ndarray) -> np.ndarray:
        """Share of each domain's tokens that the pool cannot give, shape (D,): documents are whole, and some caps bind earlier."""
        asked, given = self.mixes.tokens(weights) * min(self.share, 1.0), self.targets(weights)
        by_domain = [(asked[member].sum(), given[member].sum()) for member in self.mixes.members]
        return np.array([1 - got / want if want > 0 else 0.0 for want, got in by_domain])


def load_mixes(resolved: Resolved, store: Store, draws: Draws, plan: str) -> Mixes:
    """Bring the domains, the copies and the base mix together.

    :param plan: key of the base recipe's plan.
    """
    number = {entry: i for i, entry in enumerate(draws.entries)}
    members = [np.array([number[entry] for entry in entries]) for _, entries in resolved.domains.values()]
    table = read(store.path("plan", plan) / "plan.parquet", ["shard", "row", "tokens", "split"])
    train = table["split"].to_numpy(zero_copy_only=False) == "train"
    mixed = codes(table["shard"].to_numpy()[train], table["row"].to_numpy()[train])
    first = draws.epoch == 0
    known = codes(draws.shard[first], draws.row[first])
    order = np.argsort(known, kind="stable")
    entry = draws.entry[first][order][np.searchsorted(known[order], mixed)]
    base = np.bincount(entry, weights=table["tokens"].to_numpy()[train], minlength=len(draws.entries))
    sources = {row["source"]: int(row["tokens"]) for row in store.meta("plan", plan)["sources"]}
    return Mixes(resolved, draws, members, base, sources)
