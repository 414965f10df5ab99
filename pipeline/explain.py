"""One document's whole story: where it came from, under what terms, what we think of it, and every decision about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.attributes import read_documents
from pipeline.output import read_manifest
from pipeline.store import Store, open_store, there_is_a_store
from pipeline.tables import read, read_between
from sources.errors import UserError, wants_messages


def explain(out: Path | str, document: str, store_root: Path | str) -> dict[str, Any]:
    """Everything known about a document that a mix considered, whether it is in the mix or not; of a set, about a candidate.

    :param out: output folder of a mix or set, or its URL.
    :param document: its id, or the first 8 or more digits of it.
    :returns: ``document`` (source, licence, locator, ...), ``scores``, ``quality``, ``duplicates``, ``decision``, ``places`` (split, shard
        number and position of each copy) and ``text``.
    :raises UserError: no such folder, no such document, or the store it was made with is not there.
    """
    manifest = read_manifest(out)
    if manifest is None:
        raise UserError(
            "this is no mix and no set: it has no manifest.json of one",
            where=out,
            fix="name a folder such as shards/sample",
        )
    try:
        return _explained(out, manifest, document, store_root)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # UserError is none of these: the manifest is not what wellmix wrote.
        if wants_messages():
            raise
        raise UserError(
            f"its manifest does not fit its store: {type(error).__name__}",
            where=f"{out}/manifest.json",
            fix="make the output again",
        ) from None


def _explained(out: Path | str, manifest: dict[str, Any], document: str, store_root: Path | str) -> dict[str, Any]:
    document = document.lower()
    if not (8 <= len(document) <= 32) or any(c not in "0123456789abcdef" for c in document):
        raise UserError(f"{document!r} is not a document id", fix="give at least the first 8 of its 32 hex digits")
    if manifest.get("kind") == "set":
        from pipeline.curate.explain import explain_set

        return explain_set(out, manifest, document, store_root)
    lineage = manifest["lineage"]
    if not there_is_a_store(store_root) or not (store := open_store(store_root)).has("plan", lineage["plan"]):
        raise UserError("the store this mix was made with is not here", where=store_root, fix="name it with --store")

    low, high = int(document.ljust(16, "0")[:16], 16), int(document.ljust(16, "f")[:16], 16)
    folder = store.path("plan", lineage["plan"])
    decisions = folder / "decisions.parquet"
    found = read_between(decisions, "uid", low, high).to_pylist()
    rows = [(row, _row(store, lineage["shards"][row["shard"]]["documents"], row["row"])) for row in found]
    rows = [(decision, body) for decision, body in rows if body["id"].startswith(document)]
    if not rows:
        raise UserError(
            f"the mix never saw a document with id {document}",
            where=out,
            fix="check the id; quarantined records are listed in quarantine.jsonl",
        )
    if len({body["id"] for _, body in rows}) > 1:
        raise UserError(f"{len(rows)} documents begin with {document}", fix="give more digits")
    decision, body = rows[0]
    shard = lineage["shards"][decision["shard"]]
    catalog = read(store.path("catalog", shard["catalog"]) / "catalog.parquet").slice(decision["row"], 1).to_pylist()[0]
    plan = read_between(folder / "plan.parquet", "uid", decision["uid"], decision["uid"])
    return {
        "document": {name: body[name] for name in ("id", "source", "kind", "language", "license", "origin", "created")}
        | {
            "author": body["author"],
            "extra": json.loads(body["extra"]) if body["extra"] else None,
            "tokens": catalog["tokens"],
        },
        "source": {
            name: manifest["sources"][body["source"]][name] for name in ("title", "consent", "sensitivity", "takedown")
        },
        "scores": {
            n: v
            for n, v in catalog.items()
            if n in ("relevance", "responds", "support", "abstain")
            or n.startswith(("facet_", "stance_", "safety_", "behaviour_", "register_"))
        },
        "quality": manifest["thresholds"]["quality"].get(body["source"], {})
        and {
            n: catalog[n]
            for n in (
                "quality",
                "n_words",
                "mean_word_length",
                "alpha_word_fraction",
                "dup_line_fraction",
                "top_2_gram_char_fraction",
            )
        },
        "duplicates": {
            "cluster_size": decision["cluster_size"],
            "kept_instead": _keeper_id(store, lineage, decisions, decision["keeper"]),
        },
        "decision": _decision(decision, manifest),
        "places": [
            {"split": p["split"], "shard": p["out"], "position": p["position"], "epoch": p["epoch"]}
            for p in plan.to_pylist()
        ],
        "text": body["text"],
    }


def _row(store: Store, documents: str, row: int) -> dict[str, Any]:
    at = 0
    for batch in read_documents(store, documents):
        if row < at + batch.num_rows:
            return batch.slice(row - at, 1).to_pylist()[0]
        at += batch.num_rows
    raise IndexError(row)


def _keeper_id(store: Store, lineage: dict[str, Any], decisions: Path, keeper: int | None) -> str | None:
    if keeper is None:
        return None
    row = read_between(decisions, "uid", keeper, keeper).to_pylist()[0]
    return _row(store, lineage["shards"][row["shard"]]["documents"], row["row"])["id"]


def _decision(row: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    rates = {entry["entry"]: entry["rate"] for entry in manifest["entries"]}
    drawing = (
        f"the rate {rates.get(row['entry'], 0.0):.6f} of {row['entry']} times its multiplier {row['multiplier']:g}"
    )
    if row["reason"] is not None:
        outcome, why = "dropped", row["reason"]
    elif row["copies"] and row["split"] == "validation":
        outcome, why = "held out", "its cluster's hash lies in the validation share"
    elif row["copies"]:
        outcome, why = "in the mix", f"its number u = {row['u']:.6f} lies below {drawing}"
    else:
        outcome, why = "not drawn", f"its number u = {row['u']:.6f} lies above {drawing}"
    kept = ("entry", "copies", "u", "multiplier", "split")
    return {"outcome": outcome, "why": why} | {name: row[name] for name in kept}
