"""Reuse: when domains were added or changed since an earlier ablation, the others keep the proportions it found, and only what changed is
searched (Olmix, arXiv 2602.12237). A swarm needs runs in proportion to the domains it searches, so that saves most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.ablate.design import Collapsed, collapse
from pipeline.ablate.mixes import Mixes
from sources.errors import UserError


@dataclass(frozen=True)
class Reuse:
    """What is kept of an earlier ablation.

    :param collapsed: the domains that are searched; None where nothing changed.
    :param changed: domains that are new or hold other documents.
    """

    collapsed: Collapsed | None
    changed: list[str]
    notes: list[str]

    def saving(self, runs: int) -> dict[str, Any]:
        """What :meth:`Collapsed.saving` says of a swarm of so many runs: how many as dense a one over all domains would need."""
        if self.collapsed is None:
            return {"runs_needed": 0, "statement": "No domain changed since the earlier ablation: its proposal stands."}
        return self.collapsed.saving(runs / len(self.collapsed.parts))


def read_reuse(mixes: Mixes, fingerprints: list[str]) -> Reuse | None:
    """Compare with the ablation that ``reuse`` names; None where it names none.

    :param fingerprints: of the domains as they are.
    :raises UserError: there is no such ablation, it proposed nothing, or no two of its domains are left as they were.
    """
    ablation = mixes.resolved.ablation
    if ablation.reuse is None:
        return None
    place = ablation.place("reuse")
    path = next(
        (
            root / ablation.reuse / "report.json"
            for root in (mixes.resolved.folder, Path())
            if (root / ablation.reuse / "report.json").is_file()
        ),
        None,
    )
    if path is None:
        raise UserError(
            f"there is no ablation in {ablation.reuse!r}",
            where=place,
            fix="name the output folder of an ablation, relative to this file or to where you are",
        )
    try:
        earlier = orjson.loads(path.read_bytes())
        known = {domain["name"]: domain["fingerprint"] for domain in earlier["domains"]}
        proposal = earlier["proposals"][0]
        # a proposal that was no better than the prior is no reason to leave the prior
        better = proposal["distinguishable"]
        kept = proposal["weights"] if better else [domain["prior"] for domain in earlier["domains"]]
        weights = dict(zip(known, kept, strict=True))
        differs = [
            what
            for what, then, now in (
                ("budget", earlier["budget"], mixes.resolved.budget),
                ("proxy", earlier["proxy"]["kind"], ablation.proxy.kind),
                ("objective", proposal["objective"], _first(mixes)),
            )
            if then != now
        ]
    except (ValueError, KeyError, IndexError, TypeError):
        raise UserError(
            "that ablation made no proposal to keep", where=path, fix="let it finish, or leave `reuse` out"
        ) from None
    changed = [name for name, print_ in zip(mixes.domains, fingerprints, strict=True) if known.get(name) != print_]
    if not changed:
        return Reuse(
            None, changed, [f"the earlier ablation had another {' and another '.join(differs)}"] if differs else []
        )
    ratios = np.array([weights.get(name, 0.0) for name in mixes.domains])
    collapsed = collapse(mixes.domains, ratios, changed, place=lambda *loc: ablation.place("reuse"))
    notes = [
        "Domains that did not change keep the ratios of "
        + (
            f"the earlier proposal for {proposal['name']}"
            if better
            else "the earlier prior, which its proposal did not beat"
        )
        + "; gains are over those ratios at the prior's sizes, and what was trained stands beside the prior itself."
    ]
    if differs:
        notes.append(
            f"the earlier ablation had another {' and another '.join(differs)}: its ratios may be no longer right"
        )
    return Reuse(collapsed, changed, notes)


def _first(mixes: Mixes) -> dict[str, float]:
    """The objective of the first proposal."""
    ablation = mixes.resolved.ablation
    return next(iter(ablation.objectives.values()), {ablation.targets[0]: 1.0})
