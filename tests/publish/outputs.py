"""Outputs made up for the tests of publishing: a mix and a set laid out as the commands do, without running them.

Every text is invented here. Columns are those of the real writers (``SHARD_SCHEMA``, ``FORMS``, ``FACTS``), so a change there is met here.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.curate.write import FACTS, FORMS
from pipeline.emit import SHARD_SCHEMA
from pipeline.output import SCHEMA_VERSION
from pipeline.publish.figures import read_figures
from sources.licenses import SPDX

CALM = (
    "I watered the tomatoes before work and the smell of the leaves stayed on my hands until lunch.",
    "My sister taught me three chords, and by the evening we could play one whole song, slowly.",
    "The new neighbour brought soup over, and we talked about gardens until the street lamps came on.",
    "After a month of practice I swam the whole length without stopping, and nobody saw it but me.",
)


def facts(license_id: str = "CC0-1.0", **changed: Any) -> dict[str, Any]:
    """What a manifest says of a source."""
    known = SPDX.get(license_id)
    return {
        "title": "An invented source",
        "family": "forum",
        "language": ["en"],
        "license": license_id,
        "license_url": None,
        "license_note": None,
        "attribution": bool(known and known.attribution),
        "share_alike": bool(known and known.share_alike),
        "allows": sorted(known.allows) if known else ["pretraining"],
        "consent": "published",
        "consent_note": None,
        "origin": "human",
        "sensitivity": "low",
        "citation": "Nobody and Someone 2021, An Invented Corpus, EMNLP.",
        "homepage": "https://example.org/corpus",
        "takedown": "mailto:removal@example.org",
    } | changed


def document(number: int, **changed: Any) -> dict[str, Any]:
    """A row of a mix."""
    row: dict[str, Any] = {field.name: None for field in SHARD_SCHEMA}
    row |= {
        "id": hashlib.sha256(f"document {number}".encode()).hexdigest()[:32],
        "text": f"{CALM[number % len(CALM)]} Day {number % 97}.",
        "source": "calm",
        "kind": "forum",
        "language": "en",
        "license": "CC0-1.0",
        "origin": f"calm/posts-{number % 3}.jsonl#line={number}",
        "tokens": 24,
        "epoch": 0,
        "cluster_size": 1,
        "quality": 0.9,
        "stance": "flourishing",
        "relevance": 2.5,
        "support": 0.0,
        "safety_disclosure": 0.01,
    }
    row |= {name: 0.1 for name in row if name.startswith("facet_")}
    return row | changed


def talk(number: int, **changed: Any) -> dict[str, Any]:
    """A row of a set, with the columns of every format."""
    prompt = [
        {"role": "user", "content": f"I want to learn the guitar at last, number {number}. Where would you begin?"}
    ]
    reply = [
        {
            "role": "assistant",
            "content": f"With one song you love, and {number % 5 + 2} chords of it. Which song is it?",
        }
    ]
    worse = [{"role": "assistant", "content": "Just buy one and see."}]
    return {
        "id": hashlib.sha256(f"talk {number}".encode()).hexdigest()[:32],
        "messages": prompt + reply,
        "prompt": prompt,
        "completion": reply,
        "chosen": reply,
        "rejected": worse,
        "label": number % 2 == 0,
        "conversations": [
            {"from": {"user": "human", "assistant": "gpt"}[m["role"]], "value": m["content"]} for m in prompt + reply
        ],
        "source": "calm",
        "license": "CC0-1.0",
        "origin": f"calm/talks.jsonl#line={number}",
        "author_kind": "expert",
        "simulated": False,
        "why": {"kind": "votes", "detail": '{"upvotes": 3}'} if number % 3 else None,
        "principles": ["asks-before-advising"],
        "situation": "learning something",
        "facets": ["accomplishment"],
        "behaviours": ["asks", "suggests"],
        "risk": number % 10 == 9,
        "tokens": 40,
        "support": 1.5,
    } | changed


def write_mix(
    folder: Path,
    rows: list[dict[str, Any]],
    sources: dict[str, dict[str, Any]] | None = None,
    *,
    validation: list[dict[str, Any]] | None = None,
    recipe: dict[str, Any] | None = None,
    formats: tuple[str, ...] = ("parquet",),
    shards: int = 1,
) -> Path:
    """A mix in ``folder``."""
    sources = sources or {"calm": facts()}
    files: list[dict[str, Any]] = []
    for split, part in (("train", rows), ("validation", validation or [])):
        for number in range(shards):
            mine = part[number::shards]
            if mine and "parquet" in formats:
                table = pa.Table.from_pylist(mine, schema=SHARD_SCHEMA)
                files.append(
                    _file(folder, f"parquet/{split}/{number:05d}.parquet", "parquet", split, table, "documents")
                )
    for name in formats:
        if name != "parquet":
            path = folder / name / "train" / "00000.jsonl.zst"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"")
            files.append(
                {
                    "path": f"{name}/train/00000.jsonl.zst",
                    "format": name,
                    "split": "train",
                    "sha256": "",
                    "bytes": 0,
                    "documents": 1,
                }
            )
    counts: dict[str, int] = defaultdict(int)
    for row in [*rows, *(validation or [])]:
        counts[row["source"]] += 1
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "mix",
        "key": "0" * 32,
        "recipe": {
            "name": "calm-days", "description": "Quiet days, for the tests.", "purpose": "publish", "budget": 1000, "seed": 7,
            "sources": {name: {"weight": 1 / len(sources), "tokens": None, "epochs": None} for name in sources},
            "groups": [], "upweight": [], "max_epochs": 4.0, "tokenizer": "o200k_base", "effort": "balanced",
            "ingest": {"names": False},
        } | (recipe or {}),
        "sources": {name: found | {"documents": counts[name], "tokens": 24 * counts[name]} for name, found in sources.items()},
        "entries": [{"entry": name, "tokens": 24 * counts[name], "supply": 48 * counts[name]} for name in sources],
        "facets": [{"facet": "vitality", "eligible": 0.25, "mix": 0.5}],
        "notes": [],
        "thresholds": {"quality": {}, "safety": {"harm": 0.134}, "languages": {name: ["en"] for name in sources}, "near_duplicates": 0.75},
        "versions": {"wellmix": "0.1.0", "stages": {"scores": read_figures().versions["balanced"]}},
        "files": files,
        "lineage": {"emit": "1" * 32},
    }  # fmt: skip
    ledger = {
        "totals": {},
        "stages": {
            "ingest": {"calm": {"records_in": 9, "documents": 9, "dropped": {}, "quarantined": {}, "redactions": {"email": 3, "user": 1}}},
            "plan": {"calm": {"documents_in": 9, "selected": 5, "dropped": {"safety_harm": 4}}},
        },
    }  # fmt: skip
    return _finish(folder, manifest, ledger)


def write_set(
    folder: Path,
    rows: list[dict[str, Any]],
    sources: dict[str, dict[str, Any]] | None = None,
    *,
    formats: tuple[str, ...] = ("messages", "prompt_completion", "preference", "unpaired", "sharegpt"),
    recipe: dict[str, Any] | None = None,
    json_lines: tuple[str, ...] = ("sharegpt",),
) -> Path:
    """A set in ``folder``, its last row held out for validation."""
    sources = sources or {"calm": facts()}
    files: list[dict[str, Any]] = []
    for name in formats:
        schema = pa.schema([("id", pa.string()), *FORMS[name], *FACTS])  # type: ignore[index]
        for split, part in (("train", rows[:-1]), ("validation", rows[-1:])):
            table = pa.Table.from_pylist([{field: row[field] for field in schema.names} for row in part], schema=schema)
            suffix = "jsonl" if name in json_lines else "parquet"
            files.append(_file(folder, f"{name}/{split}/00000.{suffix}", name, split, table, "examples"))
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["source"]] += 1
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "set",
        "key": "0" * 32,
        "name": "calm-talks",
        "recipe": {
            "name": "calm-talks", "description": "Friendly answers, for the tests.", "purpose": "publish", "task": "sft",
            "sources": {name: {} for name in sources}, "order": {"support": 1.0},
            "filters": {"languages": ["en"], "drop": [{"where": "support < 1 OR contains(reply, '|')", "reason": "weak"}]},
            "simulated": 0.2, "effort": "best", "ingest": {"names": False}, "tokenizer": "o200k_base",
        } | (recipe or {}),
        "sources": {name: found | {"examples": counts[name], "tokens": 40 * counts[name]} for name, found in sources.items()},
        "splits": {},
        "forms": {
            "sft": {
                "wanted": 60, "fit": 55, "looked_at": 50, "different_prompts": 45, "chosen": len(rows),
                "nearest_prompt": 0.4, "nearest_prompt_by_quality": 0.6,
            }
        },
        "quotas": [
            {
                "name": "source calm", "at_least": 0.5, "at_most": 1.0, "available": 9, "chosen": 9, "share": 1.0,
                "met": True, "form": "sft",
            },
            {
                "name": "source loud", "at_least": 0.0, "at_most": 0.5, "available": 9, "chosen": 9, "share": 0.0,
                "met": False, "form": "pair",
            },
            *(
                {
                    "name": f"chosen has {more}: length", "at_least": -1.0, "at_most": 0.06, "available": 9, "chosen": 9, "share": share,
                    "met": True, "form": "pair",
                }
                for more, share in (("more", 0.025), ("less", -0.025))
            ),
        ],
        "principles": [
            {
                "id": "asks-before-advising", "text": "Ask before you advise.", "examples": len(rows),
                "sources": [{"by": "Plato", "year": -369, "title": "A Talk"}, {"by": "A. Nurse", "year": 1990, "title": "Another"}],
            }
        ],
        "constitution": {"name": "wellmix", "version": "1", "sha256": "2" * 64},
        "baselines": {
            "all": [{"name": "length", "pairs": 19, "accuracy": 0.5, "low": 0.3, "high": 0.7}],
            "by_reason": {
                "votes": [{"name": "length", "pairs": 16, "accuracy": 0.625, "low": 0.4, "high": 0.8}],
                "rank": [{"name": "length", "pairs": 3, "accuracy": 1.0, "low": 0.4, "high": 1.0}],
            },
        },
        "reviews": {"files": [], "decisions": {}, "reviewers": 0, "stale": 0, "not_found": 0},
        "notes": [],
        "thresholds": {"harm": 0.15},
        "versions": {"wellmix": "0.1.0", "stages": {"candidate-scores": read_figures().versions["best"] + "-2"}},
        "files": files,
        "lineage": {"selection": "1" * 32},
    }  # fmt: skip
    ledger = {
        "totals": {},
        "stages": {
            "ingest": {"calm": {"records_in": 9, "documents": 9, "dropped": {}, "quarantined": {}, "redactions": {"phone": 2}}},
            "select": {"calm": {"candidates_in": 20, "never": {"gives_method": 1, "harm_in_reply": 2}, "unfit": {"crisis_no_help": 3}}},
        },
    }  # fmt: skip
    return _finish(folder, manifest, ledger)


def edit_manifest(folder: Path, change: Any) -> None:
    """Change the manifest in place: ``change`` is a function of it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def _file(folder: Path, name: str, format_: str, split: str, table: pa.Table, counted: str) -> dict[str, Any]:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist()), "utf-8")
    else:
        pq.write_table(table, path, row_group_size=500)
    content = path.read_bytes()
    return {
        "path": name,
        "format": format_,
        "split": split,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        counted: len(table),
        "tokens": sum(table["tokens"].to_pylist()),
    }


def _finish(folder: Path, manifest: dict[str, Any], ledger: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "ledger.json").write_text(json.dumps(ledger), "utf-8")
    (folder / "quarantine.jsonl").write_text("", "utf-8")
    return folder
