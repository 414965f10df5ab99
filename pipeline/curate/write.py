"""Writing a set: the chosen rows as the formats trainers read, and the folder with its manifest and ledger.

``messages``, ``prompt_completion``, ``preference`` and ``unpaired`` are TRL's conversational formats; ``sharegpt`` is what older trainers
take.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from classifiers.conduct import CONDUCT_VERSION
from pipeline.curate.constitution import Constitution
from pipeline.curate.examine import read_candidates
from pipeline.curate.recipe import Format, SetRecipe
from pipeline.curate.shape import MESSAGE
from pipeline.formats.text import ParquetWriter
from pipeline.output import (
    LIBRARIES,
    SCHEMA_VERSION,
    card_facts,
    ingest_ledger,
    reconcile,
    replacing,
    write_json,
    write_quarantine,
)
from pipeline.store import Store, make_key
from pipeline.tables import read
from pipeline.words import mix_ids
from sources.card import Card
from sources.digests import sha256
from sources.readers.base import FileRef

WRITE_VERSION = 1
SPLITS = ("train", "validation")

_MESSAGES = pa.list_(MESSAGE)

#: What stands beside a format's own columns.
FACTS = pa.schema(
    [
        ("source", pa.string()),
        ("license", pa.string()),
        ("origin", pa.string()),
        ("author_kind", pa.string()),
        ("simulated", pa.bool_()),
        ("why", pa.struct([("kind", pa.string()), ("detail", pa.string())])),
        ("principles", pa.list_(pa.string())),
        ("situation", pa.string()),
        ("facets", pa.list_(pa.string())),
        ("behaviours", pa.list_(pa.string())),
        ("risk", pa.bool_()),
        ("tokens", pa.int32()),
        ("support", pa.float32()),
    ]
)

#: Format -> its own columns.
FORMS: dict[Format, pa.Schema] = {
    "messages": pa.schema([("messages", _MESSAGES)]),
    "prompt_completion": pa.schema([("prompt", _MESSAGES), ("completion", _MESSAGES)]),
    "sharegpt": pa.schema([("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())])))]),
    "preference": pa.schema([("prompt", _MESSAGES), ("chosen", _MESSAGES), ("rejected", _MESSAGES)]),
    "unpaired": pa.schema([("prompt", _MESSAGES), ("completion", _MESSAGES), ("label", pa.bool_())]),
}
_FORM_OF: dict[Format, str] = {
    "messages": "sft", "prompt_completion": "sft", "sharegpt": "sft", "preference": "pair", "unpaired": "single",
}  # fmt: skip

#: Rows turned into Python objects at once.
_ROWS = 2_000


@dataclass(frozen=True)
class SetLineage:
    """Keys of the artifacts a set was made from.

    :param shards: source, documents, candidates and pool key of each shard, in the selection's order.
    """

    selection: str
    shards: list[dict[str, str]]


def set_key(
    recipe: SetRecipe,
    cards: dict[str, Card],
    constitution: Constitution,
    lineage: SetLineage,
) -> str:
    """Changes whenever the output folder would."""
    return make_key(
        "set",
        f"{SCHEMA_VERSION}-{WRITE_VERSION}",
        recipe=recipe.model_dump(mode="json"),
        cards={name: card_facts(card) for name, card in cards.items()},
        constitution=constitution.sha256,
        lineage=asdict(lineage),
    )


def write_set(
    store: Store,
    out: Path | str,
    recipe: SetRecipe,
    cards: dict[str, Card],
    constitution: Constitution,
    files: dict[str, list[FileRef]],
    lineage: SetLineage,
    versions: dict[str, str],
) -> None:
    """Write the folder of a set beside its place and swap it in.

    :param versions: of the stages.
    :raises LedgerError: the counts do not add up.
    """
    selection = store.meta("selection", lineage.selection)
    ledger = _ledger(store, lineage, selection)
    chosen = read(store.path("selection", lineage.selection) / "chosen.parquet")
    bodies = read_bodies(
        store,
        [shard["candidates"] for shard in lineage.shards],
        [
            (shard, row)
            for name in ("row", "other")
            for shard, row in zip(chosen["shard"].to_pylist(), chosen[name].to_pylist(), strict=True)
            if row is not None
        ],
    )
    entries: list[dict[str, Any]] = []
    with replacing(out, store) as aside:
        for name in recipe.formats:
            for split in SPLITS:
                rows = [row for row in chosen.to_pylist() if row["form"] == _FORM_OF[name] and row["split"] == split]
                order = np.argsort(mix_ids(np.array([int(row["id"][:16], 16) for row in rows], np.uint64), recipe.seed))
                examples = (example(name, rows[i], bodies) for i in order.tolist())
                entries += _write(aside, name, split, examples, recipe)
        train = _by_source(chosen, bodies)
        write_json(
            aside / "manifest.json",
            {
                "schema_version": SCHEMA_VERSION,
                "kind": "set",
                "key": set_key(recipe, cards, constitution, lineage),
                "name": recipe.name,
                "recipe": recipe.model_dump(mode="json"),
                "sources": {
                    name: card_facts(card) | {"files": len(files[name])} | train.get(name, {"examples": 0, "tokens": 0})
                    for name, card in cards.items()
                },
                "splits": _sums(chosen, "split"),
                "formats": _formats(entries),
                "forms": selection["forms"],
                "quotas": [
                    quota | {"form": form} for form, facts in selection["forms"].items() for quota in facts["quotas"]
                ],
                "principles": selection["principles"],
                "constitution": {
                    "name": constitution.name,
                    "version": constitution.version,
                    "sha256": constitution.sha256,
                },
                "baselines": selection.get("baselines"),
                "reviews": selection["reviews"],
                "notes": selection["notes"],
                "thresholds": {
                    "harm": recipe.filters.harm,
                    "prompt_harm": recipe.filters.prompt_harm,
                    "prompt_similarity": recipe.duplicates.similarity,
                    "tokens": recipe.lengths.tokens,
                },
                "versions": {
                    "wellmix": version("wellmix"),
                    **{name: version(name) for name in (*LIBRARIES, "pyversity")},
                    "stages": versions | {"conduct": CONDUCT_VERSION},
                },
                "examples": len(chosen),
                "tokens": int(sum(chosen["tokens"].to_pylist())),
                "files": entries,
                "lineage": asdict(lineage),
            },
        )
        write_json(aside / "ledger.json", ledger)
        write_quarantine(store, [(s["source"], s["documents"]) for s in lineage.shards], aside / "quarantine.jsonl")


#: Candidates by shard and row.
Bodies = dict[tuple[int, int], dict[str, Any]]


def read_bodies(store: Store, candidates: list[str], wanted: list[tuple[int, int]]) -> Bodies:
    """Candidates with their contexts.

    :param candidates: key of each shard's candidates.
    :param wanted: (shard, row) of each.
    """
    rows_of: dict[int, set[int]] = defaultdict(set)
    for shard, row in wanted:
        rows_of[shard].add(row)
    found: Bodies = {}
    for shard, rows in rows_of.items():
        numbers = np.array(sorted(rows))
        at = 0
        for batch in read_candidates(store, candidates[shard]):
            here = numbers[(numbers >= at) & (numbers < at + batch.num_rows)]
            if len(here):
                picked = batch.take(pa.array(here - at)).to_pylist()
                found |= {(shard, int(n)): body for n, body in zip(here, picked, strict=True)}
            at += batch.num_rows
    return found


def messages_of(
    body: dict[str, Any], system: str | None, skip: int = 0
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The prompt of a candidate and its reply, as messages.

    :param system: system prompt that goes first.
    :param skip: messages left out at the beginning of its context.
    """
    first = [{"role": "system", "content": system}] if system else []
    return [*first, *body["context"][skip:]], [{"role": "assistant", "content": body["reply"]}]


def example(form: Format, row: dict[str, Any], bodies: Bodies) -> dict[str, Any]:
    """One example in one format: its own columns and :data:`FACTS`."""
    body = bodies[row["shard"], row["row"]]
    other = bodies[row["shard"], row["other"]] if row["other"] is not None else None
    prompt, reply = messages_of(body, row["system"], row["skip"])
    if form == "messages":
        own: dict[str, Any] = {"messages": prompt + reply}
    elif form == "sharegpt":
        own = {"conversations": [{"from": _SHAREGPT[m["role"]], "value": m["content"]} for m in prompt + reply]}
    elif form == "preference":
        assert other is not None
        own = {"prompt": prompt, "chosen": reply, "rejected": messages_of(other, None)[1]}
    else:
        own = {"prompt": prompt, "completion": reply} | ({"label": row["label"]} if form == "unpaired" else {})
    simulated = "simulated" in (body["author_kind"], other and other["author_kind"])
    return {
        "id": row["id"],
        **own,
        **{name: body[name] for name in ("source", "license", "origin", "author_kind", "situation")},
        "simulated": simulated,
        "why": {"kind": row["why"], "detail": _detail(row, body, other)} if row["why"] else None,
        **{name: row[name] for name in ("principles", "facets", "behaviours", "risk", "tokens", "support")},
    }


_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}


def _detail(row: dict[str, Any], body: dict[str, Any], other: dict[str, Any] | None) -> str:
    """The evidence: its number in the corpus's own units, its merit where the scale is absolute, and the labels it was read from."""
    if other is None:
        return _json(_evidence(body))
    return _json({"chosen": _evidence(body), "rejected": _evidence(other), "margins": round(row["gap"], 3)})


def _evidence(body: dict[str, Any]) -> dict[str, Any]:
    facts = {name: round(body[name], 3) for name in ("raw", "merit") if body[name] is not None}
    return facts | ({"labels": json.loads(body["detail"])} if body["detail"] else {})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _write(
    folder: Path, form: Format, split: str, examples: Iterator[dict[str, Any]], recipe: SetRecipe
) -> Iterator[dict[str, Any]]:
    schema = pa.schema([("id", pa.string()), *FORMS[form], *FACTS])
    place = folder / form / split
    number, rows = 0, list(_take(examples, recipe.shards.rows))
    while rows:
        place.mkdir(parents=True, exist_ok=True)
        stem = f"{number:05d}"
        tokens = sum(row["tokens"] for row in rows)
        if "parquet" in recipe.shards.files:
            parts = [pa.Table.from_pylist(rows[i : i + _ROWS], schema=schema) for i in range(0, len(rows), _ROWS)]
            ParquetWriter().write(pa.concat_tables(parts), place, stem)
            yield _entry(folder, form, split, place / f"{stem}.parquet", len(rows), tokens)
        # who reads sharegpt reads JSON lines
        if form == "sharegpt" or "jsonl" in recipe.shards.files:
            with (place / f"{stem}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            yield _entry(folder, form, split, place / f"{stem}.jsonl", len(rows), tokens)
        number, rows = number + 1, list(_take(examples, recipe.shards.rows))


def _take(examples: Iterator[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    for _, example_ in zip(range(count), examples, strict=False):
        yield example_


def _entry(folder: Path, form: str, split: str, path: Path, examples: int, tokens: int) -> dict[str, Any]:
    return {
        "path": path.relative_to(folder).as_posix(),
        "format": form,
        "split": split,
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "examples": examples,
        "tokens": tokens,
    }


def _by_source(chosen: pa.Table, bodies: Bodies) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in chosen.select(["shard", "row", "tokens"]).to_pylist():
        source = bodies[row["shard"], row["row"]]["source"]
        counts[source]["examples"] += 1
        counts[source]["tokens"] += row["tokens"]
    return {name: dict(n) for name, n in counts.items()}


def _sums(chosen: pa.Table, column: str) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for name, tokens in zip(chosen[column].to_pylist(), chosen["tokens"].to_pylist(), strict=True):
        sums[name]["examples"] += 1
        sums[name]["tokens"] += tokens
    return {name: dict(sums[name]) for name in SPLITS if name in sums}


def _formats(entries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    formats: dict[str, dict[str, int]] = {}
    for entry in entries:
        splits = formats.setdefault(entry["format"], {})
        same = [e for e in entries if (e["format"], e["split"]) == (entry["format"], entry["split"])]
        # a format may be there as Parquet and as JSON lines: the same examples
        splits[entry["split"]] = sum(e["examples"] for e in same if e["path"].endswith(Path(entry["path"]).suffix))
    return formats


def _ledger(store: Store, lineage: SetLineage, selection: dict[str, Any]) -> dict[str, Any]:
    """What came in and where it went, for each source. *ingest* as in a mix; *shape*: ``documents = with candidates + without``; *select*:
    ``candidates`` = the outcomes, summed.

    :raises LedgerError: a line does not add up.
    """
    stages: dict[str, dict[str, Any]] = {
        "ingest": ingest_ledger(store, [(s["source"], s["documents"]) for s in lineage.shards])
    }
    shape: dict[str, dict[str, Any]] = {}
    for shard in lineage.shards:
        meta = store.meta("candidates", shard["candidates"])
        line = shape.setdefault(shard["source"], {"documents_in": 0, "candidates": 0, "without": Counter()})
        line["documents_in"] += meta["documents"]
        line["candidates"] += meta["candidates"]
        line["without"].update(meta["without"])
    stages["shape"] = {name: line | {"without": dict(line["without"])} for name, line in shape.items()}
    stages["select"] = {}
    for source, line in shape.items():
        reconcile("shape", source, stages["ingest"][source]["documents"], line["documents_in"])
        rows = [row for row in selection["ledger"] if row["source"] == source]
        entry: dict[str, Any] = {"candidates_in": line["candidates"], "never": {}, "unfit": {}}
        for row in rows:
            if row["outcome"] in ("never", "unfit"):
                entry[row["outcome"]][row["reason"]] = row["candidates"]
            else:
                entry[row["outcome"]] = row["candidates"]
        reconcile("select", source, line["candidates"], sum(row["candidates"] for row in rows))
        stages["select"][source] = entry
    outcomes: Counter[str] = Counter()
    for row in selection["ledger"]:
        outcomes[row["outcome"]] += row["candidates"]
    totals = {
        "records_in": sum(line["records_in"] for line in stages["ingest"].values()),
        "documents": sum(line["documents"] for line in stages["ingest"].values()),
        "quarantined": sum(sum(line["quarantined"].values()) for line in stages["ingest"].values()),
        "candidates": sum(line["candidates"] for line in shape.values()),
        **dict(outcomes),
    }
    return {"totals": totals, "stages": stages}
