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

    :param collapsed: the domains that are searched; None where nothing changed, or everything did.
    :param saving: what :meth:`Collapsed.saving` says.
    :param changed: domains that are new or hold other documents.
    """

    collapsed: Collapsed | None
    saving: dict[str, Any]
    changed: list[str]


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
        weights = dict(zip(known, proposal["weights"], strict=True))
    except (ValueError, KeyError, IndexError, TypeError):
        raise UserError(
            "that ablation made no proposal to keep", where=path, fix="let it finish, or leave `reuse` out"
        ) from None
    changed = [name for name, print_ in zip(mixes.domains, fingerprints, strict=True) if known.get(name) != print_]
    if not changed:
        return Reuse(
            None,
            {"runs_needed": 0, "statement": "No domain changed since the earlier ablation: its proposal stands."},
            changed,
        )
    kept = np.array([weights.get(name, 0.0) for name in mixes.domains])
    collapsed = collapse(mixes.domains, kept, changed, place=lambda *loc: ablation.place("reuse"))
    return Reuse(collapsed, collapsed.saving(), changed)
