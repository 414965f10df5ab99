"""The output folder: shards, manifest, ledger and quarantine list, put in place by one rename.

It may lie at an fsspec URL, too. There is no rename there, so the manifest goes first and comes back last: whoever reads one finds the
files it names. What a folder holds while its manifest is away is marked as ours by :data:`UNFINISHED`.
"""

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

from pipeline.emit import EMIT_VERSION, file_entry
from pipeline.formats import FORMATS_VERSION, Written, shard_writer
from pipeline.ingest import quarantined
from pipeline.recipe import Recipe
from pipeline.remote import RemoteFolder, cache_folder
from pipeline.store import Store, flush, lock, make_key, writing
from pipeline.tokens import load_tokenizer
from pipeline.whole import link_or_copy
from sources.card import Card
from sources.digests import sha256
from sources.errors import DefectError, UserError
from sources.readers.base import FileRef
from sources.remote import is_url

SCHEMA_VERSION = 3

#: An object that says that an output at a URL is being written.
UNFINISHED = "unfinished.txt"

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


def _libraries() -> dict[str, str]:
    return {name: version(name) for name in LIBRARIES}


class LedgerError(DefectError):
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
        "names": card.names,
        "origin": card.origin,
        "sensitivity": card.sensitivity,
        "citation": card.citation,
        "homepage": card.homepage,
        "takedown": card.takedown,
    }


def read_manifest(out: Path | str) -> dict[str, Any] | None:
    """The manifest of an output folder; None if there is none, or another program's.

    :param out: folder or URL.
    :raises OSError: the URL is out of reach.
    """
    try:
        manifest = json.loads(read_file(out, "manifest.json"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        if is_url(out):
            raise
        return None
    return manifest if isinstance(manifest, dict) and {"schema_version", "key", "lineage"} <= manifest.keys() else None


def read_file(out: Path | str, name: str) -> bytes:
    """A small file of an output folder.

    :param out: folder or URL.
    """
    return RemoteFolder(str(out)).read(name) if is_url(out) else (Path(out) / name).read_bytes()


def is_current(out: Path | str, key: str) -> bool:
    """Whether the folder already holds just the output of this key, with every file at its size."""
    manifest = read_manifest(out)
    if isinstance(out, str):
        return manifest is not None and manifest["key"] == key and _all_there(RemoteFolder(out), manifest)
    try:
        return (
            manifest is not None
            and manifest["key"] == key
            and all((out / name).is_file() for name in ("ledger.json", "quarantine.jsonl"))
            and all((out / file["path"]).stat().st_size == file["bytes"] for file in manifest["files"])
        )
    except (OSError, KeyError, TypeError):
        return False


def emission_key(versions: dict[str, str]) -> str:
    """Of all that a shard's bytes depend on besides its rows.

    :param versions: of the attribute stages; that of the tokens covers the vocabulary, wherever its file lies.
    """
    return make_key("emission", EMIT_VERSION, formats=FORMATS_VERSION, stages=versions, libraries=_libraries())


def kept_shards(
    out: Path | str, emission: str, outputs: list[dict[str, Any]], formats: list[str]
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """The shards of an output folder that a new plan would write again, byte for byte; none of one at a URL, which is uploaded whole.

    :param outputs: as the plan's meta lists them.
    :returns: by split and number, their files as the manifest has them.
    """
    if isinstance(out, str) or (manifest := read_manifest(out)) is None or manifest.get("emission") != emission:
        return {}
    known: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for file in manifest["files"]:
        if "rows" in file and file["format"] in formats:
            known[file["split"], file["rows"]].append(file)
    kept = {}
    for output in outputs:
        files = known.get((output["split"], output["rows"]), [])
        if {file["format"] for file in files} == set(formats) and all(_is_whole(out, file) for file in files):
            kept[output["split"], output["out"]] = files
    return kept


def _is_whole(out: Path, file: dict[str, Any]) -> bool:
    try:
        return sha256(out / file["path"]) == file["sha256"]
    except OSError:
        return False


def write_output(
    store: Store,
    out: Path | str,
    recipe: Recipe,
    cards: dict[str, Card],
    files: dict[str, list[FileRef]],
    limits: dict[str, Any],
    lineage: Lineage,
    written: list[str],
    kept: dict[tuple[str, int], list[dict[str, Any]]],
    versions: dict[str, str],
    tokenizer: str,
) -> None:
    """Assemble the folder beside its place and swap it in.

    :param out: folder or URL.
    :param written: keys of the ``shard`` artifacts; their files are moved out of the store.
    :param kept: files of the present folder that stay as they are, see :func:`kept_shards`.
    :raises LedgerError: the counts do not add up.
    """
    plan = store.meta("plan", lineage.plan)
    ledger = make_ledger(store, lineage, plan)
    with replacing(out, store) as aside:
        entries: list[dict[str, Any]] = []
        fresh = iter(written)
        for output in plan["outputs"]:
            if (files_kept := kept.get((output["split"], output["out"]))) is not None:
                place, files_here = Path(out), files_kept
            else:
                key = next(fresh)
                place, files_here = store.path("shard", key), store.meta("shard", key)["files"]
            for file in files_here:
                link_or_copy(place / file["path"], aside / file["path"])
                entries.append(file)
        entries += _finish(aside, entries, tokenizer)
        write_json(
            aside / "manifest.json",
            _manifest(recipe, cards, files, limits, lineage, plan, entries, versions),
        )
        write_json(aside / "ledger.json", ledger)
        write_quarantine(store, [(s["source"], s["documents"]) for s in lineage.shards], aside / "quarantine.jsonl")
    # The folder has them now; the store keeps what is dear to compute, and these are not.
    store.discard("shard", written)


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


def refuse_foreign(out: Path) -> None:
    """Whether a folder may be replaced: it is not there, empty, or ours.

    :raises UserError: it may not.
    """
    if out.is_symlink():
        raise UserError("the output became a link", where=out, fix="remove it, or name another folder with --out")
    if out.exists() and not out.is_dir():
        raise UserError("the output is a file", where=out, fix="name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and read_manifest(out) is None:
        raise UserError(
            "the output folder holds something that wellmix did not write",
            where=out,
            fix="empty it, or name another with --out",
        )


@contextmanager
def held(out: Path | str) -> Iterator[None]:
    """Keep an output for one run: two would sweep each other's folders away. (At a URL nothing is kept: let one run at a time write there.)

    :raises UserError: another run has it.
    """
    if isinstance(out, str):
        yield
        return
    path = out.parent / f".{out.name}.lock"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        release = lock(path, "another run is writing this output", out, "wait for it, or name another folder")
    except OSError as error:
        raise UserError(
            f"cannot write beside the output: {error.strerror}", where=error.filename, fix="name another folder"
        ) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        release()


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
def replacing(out: Path | str, store: Store) -> Iterator[Path]:
    """A folder that takes the place of ``out`` when the block ends without an error.

    Beside it, and by a rename; of a URL, in the store's scratch, and uploaded (this machine needs room for the whole output).

    :raises UserError: what is in the place by then is not ours to replace.
    """
    if isinstance(out, str):
        with store.scratch("output") as aside:
            yield aside
            store.check_held()
            upload(aside, RemoteFolder(out))
        return
    with replaced(out) as aside:
        yield aside


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place by a rename when the block ends without an error.

    :raises UserError: what is in the place by then is not ours to replace.
    """
    aside = beside(out)
    try:
        with writing(aside):
            yield aside
            flush(aside)
        refuse_foreign(out)
        if out.exists():
            old = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.old"
            os.rename(out, old)
            os.rename(aside, out)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.rename(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def upload(local: Path, folder: RemoteFolder) -> None:
    """Put an output where another may lie, so that who reads a manifest finds the files it names.

    :data:`UNFINISHED` comes, the old manifest goes, files come, what has no place in the new output goes, the new manifest comes,
    :data:`UNFINISHED` goes. Whatever moment this ends at, the next run of the recipe starts over.

    :raises OSError: what arrived is not what was written.
    """
    sizes = {p.relative_to(local).as_posix(): p.stat().st_size for p in sorted(local.rglob("*")) if p.is_file()}
    folder.write(UNFINISHED, b"wellmix is writing here, or was stopped while it did; run it again\n")
    folder.remove(["manifest.json"])
    folder.abort_uploads(re.compile(""))
    for name in sizes:
        if name != "manifest.json":
            folder.put(name, local / name)
    there = {name: facts["size"] for name, facts in folder.find().items()}
    for name, size in sizes.items():
        if name != "manifest.json" and there.get(name) != size:
            raise OSError(errno.EIO, f"{there.get(name, 0):,} of {size:,} bytes arrived", folder.place(name))
    folder.remove(name for name in there if name not in sizes and name != UNFINISHED)
    folder.put("manifest.json", local / "manifest.json")
    folder.remove([UNFINISHED])


def local_copy(out: Path | str) -> Path:
    """An output folder on this machine: itself, or what lies at a URL, fetched below the user's cache and compared with its manifest.

    :raises UserError: there is no output at the URL.
    :raises OSError: what came is not what the manifest says.
    """
    if not is_url(out):
        return Path(out)
    folder = RemoteFolder(str(out))
    manifest = read_manifest(folder.url)
    if manifest is None:
        raise UserError(
            "there is no output here: it has no manifest.json of one", where=folder.url, fix="check the URL"
        )
    place = cache_folder(folder.url) / "output"
    if is_current(place, manifest["key"]):
        return place
    wanted = {file["path"]: file["sha256"] for file in manifest.get("files", [])}
    with replaced(place) as aside:
        for name, facts in folder.find().items():
            folder.get(name, aside / name, facts["size"])
            if name in wanted and sha256(aside / name) != wanted[name]:
                raise OSError(errno.EIO, "the content is not what the manifest says", folder.place(name))
    return place


def _all_there(folder: RemoteFolder, manifest: dict[str, Any]) -> bool:
    there = {name: facts["size"] for name, facts in folder.find().items()}
    try:
        wanted = {file["path"]: file["bytes"] for file in manifest["files"]}
    except (KeyError, TypeError):
        return False
    return (
        {"ledger.json", "quarantine.jsonl"} <= there.keys()
        and UNFINISHED not in there
        and all(there.get(name) == size for name, size in wanted.items())
    )


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
        "versions": {"wellmix": version("wellmix"), **_libraries(), "stages": versions},
        "emission": emission_key(versions),
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
    metas = store.metas("documents", [key for _, key in shards])
    for (source, _), meta in zip(shards, metas, strict=True):
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
            # most shards have none, and their documents need not come to this machine
            for row in quarantined(store, key) if sum(store.meta("documents", key)["quarantined"].values()) else ():
                file.write(json.dumps({"source": source, **row}, ensure_ascii=False) + "\n")
