"""One candidate's whole story: what it was made of, what was thought of it, and what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from classifiers.conduct import reasons
from pipeline.curate.write import read_bodies
from pipeline.database import files, text
from pipeline.store import open_store, there_is_a_store
from sources.document import spoken
from sources.errors import UserError


def explain_set(out: Path | str, manifest: dict[str, Any], example: str, store_root: Path | str) -> dict[str, Any]:
    """Everything known about an example of a set, or a candidate that is not in it.

    :param out: output folder of the set.
    :param manifest: its manifest.
    :param example: id of an example (of a pair: half of each reply's id) or of a candidate, or the first 8 or more digits of it.
    :returns: ``document``, ``source``, ``decision``, ``evidence``, ``conduct`` (the words that made a rule fire), ``scores``,
        ``places`` and ``text``.
    :raises UserError: no such candidate, or the store it was made with is not there.
    """
    lineage = manifest["lineage"]
    if not there_is_a_store(store_root) or not (store := open_store(store_root)).has("selection", lineage["selection"]):
        raise UserError("the store this set was made with is not here", where=store_root, fix="name it with --store")
    folder = store.path("selection", lineage["selection"])
    con = duckdb.connect(config={"threads": 1})
    try:
        decisions = f"read_parquet({text(str(folder / 'decisions.parquet'))})"
        rows = (
            con.sql(f"""
            SELECT * FROM {decisions}
            WHERE starts_with(id, {text(example)}) OR len(list_filter(examples, lambda x: starts_with(x, {text(example)}))) > 0
            ORDER BY (outcome IN ('selected', 'chosen', 'good')) DESC, id LIMIT 3
        """)
            .to_arrow_table()
            .to_pylist()
        )
        if not rows:
            raise UserError(
                f"the set never saw an example or candidate with id {example}",
                where=out,
                fix="check the id; quarantined records are listed in quarantine.jsonl",
            )
        row = rows[0]
        shard = lineage["shards"][row["shard"]]
        pool = store.path("pool", shard["pool"]) / "pool.parquet"
        facts = (
            con.sql(f"SELECT * FROM read_parquet({files([pool])}) WHERE row = {row['row']}")
            .to_arrow_table()
            .to_pylist()[0]
        )
        places = (
            con.sql(f"""
            SELECT form, split, id AS example, principles, label FROM read_parquet({text(str(folder / "chosen.parquet"))})
            WHERE shard = {row["shard"]} AND (row = {row["row"]} OR other = {row["row"]})
        """)
            .to_arrow_table()
            .to_pylist()
        )
    finally:
        con.close()
    candidates = [entry["candidates"] for entry in lineage["shards"]]
    body = read_bodies(store, candidates, [(row["shard"], row["row"])])[row["shard"], row["row"]]
    source = manifest["sources"][row["source"]]
    dialogue = [*body["context"], {"role": "assistant", "content": body["reply"]}]
    return {
        "document": {name: body[name] for name in ("document", "source", "kind", "language", "license", "origin")}
        | {"id": row["id"], "author_kind": body["author_kind"], "situation": body["situation"], "turn": body["turn"]},
        "source": {name: source[name] for name in ("title", "consent", "sensitivity", "takedown")},
        "decision": {"outcome": row["outcome"], "why": _why(row), "quality": row["quality"]},
        "evidence": {"kind": body["why"], "raw": body["raw"], "merit": body["merit"], "margin": body["margin"]}
        | {"labels": json.loads(body["detail"]) if body["detail"] else None, "moves": ", ".join(body["moves"]) or None},
        "conduct": {name: ", ".join(words) for name, words in reasons(body["prompt"], body["reply"]).items()},
        "scores": {
            name: value
            for name, value in facts.items()
            if name in ("support", "risk", "points_to_help", "abandons", "tokens")
            or name.startswith(("facet_", "stance_", "behaviour_", "prompt_safety_", "reply_safety_"))
        },
        "places": places,
        "text": "\n\n".join(spoken(m["role"], m["content"]) for m in dialogue),
    }


def _why(row: dict[str, Any]) -> str:
    if row["reason"] and row["outcome"] in ("never", "unfit", "rejected", "poor"):
        return row["reason"]
    if row["outcome"] == "not_chosen":
        return "fit, but another asks the same, or quotas, size and spread chose others"
    return "fit, and chosen by quality, spread and quotas"
