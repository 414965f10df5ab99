"""The output folder: shards, manifest, ledger and quarantine list, put in place by one rename."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.emit import file_entry
from pipeline.formats import Written, shard_writer
from pipeline.ingest import quarantined
from pipeline.recipe import Recipe
from pipeline.store import Store, make_key
from pipeline.tokens import load_tokenizer
from sources.card import Card
from sources.readers.base import FileRef

SCHEMA_VERSION = 2

#: Libraries whose version may show in the bytes.
LIBRARIES = ("pyarrow", "duckdb", "datatrove", "ftfy", "zstandard", "numpy")


@dataclass(frozen=True)
class Lineage:
    """Keys of the artifacts an output was made from; ``wellmix explain`` follows them.

    :param shards: source, documents key and catalog key of each shard of documents, in the plan's order.
    """

    emit: str
    plan: str
    clusters: str
    shards: list[dict[str, str]]


class LedgerError(RuntimeError):
    """Documents were lost or counted twice: a defect of wellmix, never of the data."""


def output_key(recipe: Recipe, cards: dict[str, Card], lineage: Lineage) -> str:
    """Changes whenever the output folder would."""
    return make_key(
        "output",
        SCHEMA_VERSION,
        recipe=recipe.model_dump(mode="json"),
        cards={name: card_facts(card) for name, card in cards.items()},
        lineage=asdict(lineage),
    )


def card_facts(card: Card) -> dict[str, Any]:
    """What the manifest says of a source: all that a publication must carry, so that it needs no card."""
    return {
        "title": card.title,
        "family": card.family,
        "language": card.language,
        "license": card.license.id,
        "license_url": card.license.url,
        "license_note": card.license.note,
        "attribution": card.license.terms.attribution,
        "share_alike": card.license.terms.share_alike,
        "allows": sorted(card.allowed),
        "consent": card.consent.basis,
        "consent_note": card.consent.note,
        "origin": card.origin,
        "sensitivity": card.sensitivity,
        "citation": card.citation,
        "homepage": card.homepage,
        "takedown": card.takedown,
    }


def read_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of an output folder; None if there is none, or another program's."""
    try:
        manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and {"schema_version", "key", "lineage"} <= manifest.keys() else None


def is_current(out: Path, key: str) -> bool:
    """Whether the folder already holds just the output of this key, with every file at its size."""
    manifest = read_manifest(out)
    try:
        return (
            manifest is not None
            and manifest["key"] == key
            and all((out / name).is_file() for name in ("ledger.json", "quarantine.jsonl"))
            and all((out / file["path"]).stat().st_size == file["bytes"] for file in manifest["files"])
        )
    except (OSError, KeyError, TypeError):
        return False


def write_output(
    store: Store,
    out: Path,
    recipe: Recipe,
    cards: dict[str, Card],
    files: dict[str, list[FileRef]],
    limits: dict[str, Any],
    lineage: Lineage,
    written: list[str],
    versions: dict[str, str],
    tokenizer: str,
) -> None:
    """Assemble the folder beside its place and swap it in.

    :param written: keys of the ``shard`` artifacts; their files are moved out of the store.
    :raises LedgerError: the counts do not add up.
    """
    plan = store.meta("plan", lineage.plan)
    ledger = make_ledger(store, lineage, plan)
    with replacing(out) as aside:
        entries: list[dict[str, Any]] = []
        for key in written:
            place = store.path("shard", key)
            for file in store.meta("shard", key)["files"]:
                target = aside / file["path"]
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(place / file["path"], target)
                except OSError as error:
                    if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                        raise
                    # another device, or a file system without links
                    shutil.copyfile(place / file["path"], target)
                entries.append(file)
        entries += _finish(aside, entries, tokenizer)
        write_json(aside / "manifest.json", _manifest(recipe, cards, files, limits, lineage, plan, entries, versions))
        write_json(aside / "ledger.json", ledger)
        write_quarantine(store, [(s["source"], s["documents"]) for s in lineage.shards], aside / "quarantine.jsonl")
    # The folder has them now; the store keeps what is dear to compute, and these are not.
    for key in written:
        shutil.rmtree(store.path("shard", key), ignore_errors=True)


def _finish(folder: Path, entries: list[dict[str, Any]], tokenizer: str) -> list[dict[str, Any]]:
    """Files that describe all shards of a format and split, which some formats need."""
    added = []
    groups: dict[tuple[str, str], list[Written]] = defaultdict(list)
    for entry in entries:
        groups[entry["format"], entry["split"]].append(
            Written(entry["path"].rsplit("/", 1)[-1], entry["documents"], entry["tokens"])
        )
    for (name, split), files in groups.items():
        writer = shard_writer(name, load_tokenizer(tokenizer))
        added += [file_entry(folder, name, split, written) for written in writer.finish(folder / name / split, files)]
    return added


def beside(place: Path) -> Path:
    """A new folder beside a place; what runs that were killed left there is removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.glob(f".{place.name}.*"):
        if re.fullmatch(r"[0-9a-f]{8}(\.old)?", left.name.removeprefix(f".{place.name}.")):
            shutil.rmtree(left, ignore_errors=True)
    aside = place.parent / f".{place.name}.{uuid.uuid4().hex[:8]}"
    aside.mkdir()
    return aside


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place by a rename when the block ends without an error."""
    aside = beside(out)
    try:
        yield aside
        if out.exists():
            old = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.old"
            os.rename(out, old)
            os.rename(aside, out)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as people read it."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _manifest(
    recipe: Recipe,
    cards: dict[str, Card],
    files: dict[str, list[FileRef]],
    limits: dict[str, Any],
    lineage: Lineage,
    plan: dict[str, Any],
    entries: list[dict[str, Any]],
    versions: dict[str, str],
) -> dict[str, Any]:
    train = {row["source"]: row for row in plan["sources"]}
    tokens = sum(row["tokens"] for row in plan["sources"])
    shares = {share["entry"]: share for share in plan["shares"]}
    sources = {}
    for name, card in cards.items():
        row = train.get(name, {"documents": 0, "tokens": 0})
        sources[name] = card_facts(card) | {
            "files": len(files[name]),
            "documents": row["documents"],
            "tokens": row["tokens"],
            "target": round(shares[name]["target"]),
            "achieved": row["tokens"] / tokens if tokens else 0.0,
        }
    splits: dict[str, dict[str, int]] = {}
    for output in plan["outputs"]:
        split = splits.setdefault(output["split"], {"documents": 0, "tokens": 0})
        split["documents"] += output["documents"]
        split["tokens"] += output["tokens"]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "mix",
        "key": output_key(recipe, cards, lineage),
        "recipe": recipe.model_dump(mode="json"),
        "sources": sources,
        "entries": plan["shares"],
        "facets": plan["facets"],
        "notes": plan["notes"],
        "thresholds": limits,
        "versions": {"wellmix": version("wellmix"), **{name: version(name) for name in LIBRARIES}, "stages": versions},
        "documents": sum(split["documents"] for split in splits.values()),
        "tokens": sum(split["tokens"] for split in splits.values()),
        "splits": splits,
        "files": entries,
        "lineage": asdict(lineage),
    }


def make_ledger(store: Store, lineage: Lineage, plan: dict[str, Any]) -> dict[str, Any]:
    """What came in, went out, was dropped and quarantined, for each stage and source.

    *ingest*: ``records_in + split_off = documents + dropped + quarantined`` (a long record is split into several documents).
    *plan*: ``documents_in = selected + held_out + not_drawn + dropped``.

    :raises LedgerError: a line does not add up.
    """
    stages: dict[str, dict[str, Any]] = {
        "ingest": ingest_ledger(store, [(shard["source"], shard["documents"]) for shard in lineage.shards]),
        "plan": {},
    }
    outcomes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in plan["ledger"]:
        outcomes[row["source"]].append(row)
    for source, ingested in stages["ingest"].items():
        rows = outcomes[source]
        line: dict[str, Any] = {
            "documents_in": ingested["documents"],
            "bytes_in": sum(row["bytes"] for row in rows),
            "dropped": {},
        }
        for name in ("selected", "held_out", "not_drawn"):
            line[name] = sum(row["documents"] for row in rows if row["outcome"] == name and not row["dropped"])
        line["dropped"] = {row["outcome"]: row["documents"] for row in rows if row["dropped"]}
        line["bytes_dropped"] = sum(row["bytes"] for row in rows if row["dropped"])
        reconcile(
            "plan",
            source,
            line["documents_in"],
            line["selected"] + line["held_out"] + line["not_drawn"] + sum(line["dropped"].values()),
        )
        stages["plan"][source] = line
    totals = {
        "records_in": sum(line["records_in"] for line in stages["ingest"].values()),
        "documents": sum(line["documents"] for line in stages["ingest"].values()),
        "quarantined": sum(sum(line["quarantined"].values()) for line in stages["ingest"].values()),
        "dropped": sum(sum(line["dropped"].values()) for stage in stages.values() for line in stage.values()),
        "selected": sum(line["selected"] for line in stages["plan"].values()),
        "held_out": sum(line["held_out"] for line in stages["plan"].values()),
        "not_drawn": sum(line["not_drawn"] for line in stages["plan"].values()),
    }
    dedup = {name: value for name, value in store.meta("clusters", lineage.clusters).items() if name != "inputs"}
    return {"totals": totals, "stages": stages, "dedup": dedup}


def ingest_ledger(store: Store, shards: list[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """What ingest did, by source.

    :param shards: (source, documents key) of each shard.
    :raises LedgerError: a line does not add up.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    details: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for source, key in shards:
        meta = store.meta("documents", key)
        for name in ("records_in", "chars_in", "split_off", "documents", "chars_out", "cleaned", "deidentified"):
            counts[source][name] += meta[name]
        for name in ("dropped", "quarantined", "redactions"):
            details[source][name].update(meta[name])
    lines: dict[str, dict[str, Any]] = {}
    for source, n in counts.items():
        lost = details[source]["dropped"].total() + details[source]["quarantined"].total()
        reconcile("ingest", source, n["records_in"] + n["split_off"], n["documents"] + lost)
        lines[source] = dict(n) | {
            name: dict(details[source][name]) for name in ("dropped", "quarantined", "redactions")
        }
    return lines


def reconcile(stage: str, source: str, into: int, out: int) -> None:
    """Check a line of a ledger.

    :raises LedgerError: it does not add up.
    """
    if into != out:
        raise LedgerError(
            f"the ledger of stage {stage} does not reconcile for source {source}: {into} in, {out} accounted for"
        )


def write_quarantine(store: Store, shards: list[tuple[str, str]], path: Path) -> None:
    """List the records that could not be read: place and reason, never their text.

    :param shards: (source, documents key) of each shard.
    """
    with path.open("w", encoding="utf-8") as file:
        for source, key in shards:
            for row in quarantined(store, key):
                file.write(json.dumps({"source": source, **row}, ensure_ascii=False) + "\n")
