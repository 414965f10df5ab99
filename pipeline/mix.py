"""The main path, from a recipe to shards. Read it top to bottom:

recipe and cards are checked -> files are found -> each shard of each source is ingested and its attributes computed -> duplicates are
found across all of them -> the mix is planned -> shards are written -> the output folder is put in place.

Every step asks the store first: what is there under its key is not made again.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import orjson
import pyarrow as pa

from classifiers.scorer import FIELDS
from pipeline.attributes import (
    Attribute,
    Contamination,
    Scores,
    attribute_keys,
    attributes,
    catalog_key,
    run_attributes,
)
from pipeline.console import Progress
from pipeline.contamination import shipped
from pipeline.dedup import dedup_key, run_dedup
from pipeline.emit import emit_key, run_emit
from pipeline.execute import Step, run_step
from pipeline.ingest import ingest_key, quarantined, run_ingest, split_from_json, split_to_json
from pipeline.names import NameFinder
from pipeline.output import Lineage, is_current, read_manifest, write_output
from pipeline.plan import Thresholds, plan_key, run_plan
from pipeline.recipe import Ingest, Recipe, load_recipe
from pipeline.store import Store
from pipeline.tokens import load_tokenizer
from sources.card import Card
from sources.errors import UserError
from sources.files import resolve
from sources.readers.base import FileRef


@dataclass
class MixResult:
    """What a run did.

    :param out: the output folder.
    :param seconds: wall time.
    :param stages: how many times each stage ran; empty if everything was there.
    :param manifest: content of ``manifest.json``.
    :param ledger: content of ``ledger.json``.
    """

    out: Path
    seconds: float
    stages: Counter[str]
    manifest: dict[str, Any]
    ledger: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """The object ``wellmix mix --json`` prints."""
        return {
            "out": str(self.out),
            "seconds": round(self.seconds, 3),
            "stages_run": self.stages.total(),
            "stages": dict(self.stages),
            "documents": self.manifest["documents"],
            "tokens": self.manifest["tokens"],
            "achieved": {name: entry["achieved"] for name, entry in self.manifest["sources"].items()},
            "quarantined": self.ledger["totals"]["quarantined"],
            "notes": self.manifest["notes"],
        }


@dataclass
class _Shard:
    """One split of one source, and the keys of what is made from it."""

    source: str
    split: Any
    documents: str
    attributes: dict[str, str] = field(default_factory=dict)
    catalog: str = ""


class ShardStep(Step):
    """Ingests one split and computes its attributes: from raw bytes to a catalog, in one task."""

    name = "documents"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        card = Card(**task["card"])
        stages = attributes(task["tokenizer"], task["contamination"], task["effort"], task["effort_about"])
        # Readers that join records put them into temporary files; in the store these are swept even after a kill.
        with store.scratch("ingest") as folder, temporary_files(folder):
            self._do(store, card, stages, task)

    @staticmethod
    def _do(store: Store, card: Card, stages: tuple[Attribute, ...], task: dict[str, Any]) -> None:
        if not store.has("documents", task["key"]):
            run_ingest(store, card, split_from_json(task["split"]), Ingest(**task["ingest"]), task["key"])
        run_attributes(store, task["key"], stages)


@contextmanager
def temporary_files(folder: Path) -> Iterator[None]:
    """Let what asks for temporary files have them in ``folder``."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def run_mix(
    recipe_path: Path,
    *,
    out: Path | None = None,
    store_root: Path = Path(".wellmix/store"),
    workers: int | None = None,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> MixResult:
    """Make the mix of a recipe, doing only what is not done yet.

    :param out: output folder; default ``shards/<name of the recipe>``.
    :param workers: processes; default one a core.
    :param overrides: ``path=value`` texts, see :func:`pipeline.recipe.load_recipe`.
    :raises UserError: anything the user can mend.
    """
    started = monotonic()
    workers = workers or os.cpu_count() or 1
    recipe, cards = load_recipe(recipe_path, overrides)
    out = out or Path("shards") / recipe.name
    if out.is_symlink() or not out.name:
        out = out.resolve()
    check_output(out)
    store = Store(store_root)
    release = store.lock()
    try:
        with Progress(show_progress) as progress:
            return _run(recipe, recipe_path.parent, cards, store, out, workers, progress, started)
    finally:
        release()


def _run(
    recipe: Recipe,
    folder: Path,
    cards: dict[str, Card],
    store: Store,
    out: Path,
    workers: int,
    progress: Progress,
    started: float,
) -> MixResult:
    ran: Counter[str] = Counter()
    judges = prepare(recipe, folder, cards)
    stages, limits = judges.stages, judges.limits
    files = find_files(cards, store)

    shards: list[_Shard] = []
    for name, card in cards.items():
        for split in card.make_reader.splits(files[name], recipe.ingest.shard_bytes):
            shard = _Shard(name, split, ingest_key(card, split, recipe.ingest))
            shard.attributes = attribute_keys(stages, shard.documents)
            shard.catalog = catalog_key(shard.documents, shard.attributes)
            shards.append(shard)
    todo = [shard for shard in shards if not store.has("catalog", shard.catalog)]
    for shard in todo:
        ran["ingest"] += not store.has("documents", shard.documents)
        for stage, key in shard.attributes.items():
            ran[stage] += not store.has(stage, key)
        ran["catalog"] += 1
    if todo:
        # compiles the vocabulary on its very first use, once and not in every worker
        load_tokenizer(judges.tokenizer).count(pa.array(["x"]))
    run_step(
        ShardStep,
        store,
        [_task(shard, cards[shard.source], recipe, judges) for shard in todo],
        workers=workers,
        progress=progress,
        label="ingest and score",
        weight=task_bytes,
        group=lambda task: task["card"]["name"],
    )
    _check_sources(store, recipe, shards)

    signatures = [shard.attributes["signature"] for shard in shards]
    clusters = dedup_key(signatures, limits.near_duplicates)
    if not store.has("clusters", clusters):
        ran["dedup"] += 1
        run_dedup(
            store,
            [shard.documents for shard in shards],
            signatures,
            limits.near_duplicates,
            memory=recipe.memory,
            workers=workers,
            progress=progress,
        )

    catalogs = [shard.catalog for shard in shards]
    plan = plan_key(recipe, cards, limits, catalogs, clusters)
    if not store.has("plan", plan):
        ran["plan"] += 1
        run_plan(
            store, recipe, cards, limits, [(shard.source, shard.catalog) for shard in shards], clusters, workers=workers
        )

    emit = emit_key(plan, list(recipe.shards.formats))
    lineage = Lineage(
        emit=emit,
        plan=plan,
        clusters=clusters,
        shards=[{"source": s.source, "documents": s.documents, "catalog": s.catalog} for s in shards],
    )
    if not is_current(out, recipe, cards, lineage):
        ran["emit"] += 1
        written = run_emit(
            store,
            plan,
            [(shard.documents, shard.catalog) for shard in shards],
            formats=list(recipe.shards.formats),
            tokenizer=judges.tokenizer,
            workers=workers,
            progress=progress,
        )
        versions = {stage.name: stage.version for stage in stages}
        write_output(store, out, recipe, cards, files, asdict(limits), lineage, written, versions, judges.tokenizer)
    manifest, ledger = (_read_json(out / name) for name in ("manifest.json", "ledger.json"))
    return MixResult(out, monotonic() - started, +ran, manifest, ledger)


def _read_json(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


@dataclass(frozen=True)
class Judges:
    """What a recipe's documents are judged with, loaded and checked before a corpus is touched.

    :param tokenizer: name, or absolute path.
    :param contamination: names and absolute paths of hash lists.
    """

    stages: tuple[Attribute, ...]
    limits: Thresholds
    tokenizer: str
    contamination: list[str]


def prepare(recipe: Recipe, folder: Path, cards: dict[str, Card]) -> Judges:
    """Load what judges the documents of a recipe.

    :param folder: the recipe's, to which the files it names are relative.
    :raises UserError: a tokenizer, hash list, label or threshold that does not exist.
    """
    if recipe.ingest.names:
        NameFinder()  # says so now if its model is not installed
    contamination = hash_lists(recipe.filters.contamination, folder)
    name = recipe.tokenizer
    tokenizer = str((folder / name).resolve()) if name.endswith(".json") else name
    stages = attributes(tokenizer, contamination, recipe.effort, _about(recipe))
    benchmarks = next((stage.benchmarks for stage in stages if isinstance(stage, Contamination)), [])
    scores = next(stage for stage in stages if isinstance(stage, Scores))
    return Judges(
        stages,
        Thresholds.of(recipe, cards, scores.thresholds, scores.schema.names, benchmarks),
        tokenizer,
        contamination,
    )


def _about(recipe: Recipe) -> list[str]:
    return list(recipe.effort_about or FIELDS)


def hash_lists(wanted: Literal["all", False] | list[str], folder: Path) -> list[str]:
    """The hash lists a recipe wants: names of shipped ones, and files of its own, which lie relative to the recipe."""
    if wanted is False:
        return []
    names: list[str] = []
    for name in [wanted] if isinstance(wanted, str) else wanted:
        if name == "all":
            names += shipped()
        else:
            names.append(str((folder / name).resolve()) if name.endswith(".npz") else name)
    return names


def find_files(cards: dict[str, Card], store: Store) -> dict[str, list[FileRef]]:
    """The raw files of each source, with their fingerprints."""
    fingerprints = store.fingerprints()
    files = {name: resolve(card, fingerprints) for name, card in cards.items()}
    fingerprints.save()
    return files


def task_bytes(task: dict[str, Any]) -> int:
    """Raw bytes a task reads."""
    split = task["split"]
    return (split["stop"] - split["start"]) if split["stop"] else sum(file["size"] for file in split["files"])


def _task(shard: _Shard, card: Card, recipe: Recipe, judges: Judges) -> dict[str, Any]:
    return {
        "card": card.model_dump(mode="json"),
        "split": split_to_json(shard.split),
        "key": shard.documents,
        "ingest": recipe.ingest.model_dump(),
        "tokenizer": judges.tokenizer,
        "contamination": judges.contamination,
        "effort": recipe.effort,
        "effort_about": _about(recipe),
    }


def check_output(out: Path) -> None:
    """Refuse to replace a folder that is not ours, before any work is done."""
    if out.exists() and not out.is_dir():
        raise UserError("the output is a file", where=out, fix="name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and read_manifest(out) is None:
        raise UserError(
            "the output folder holds something that wellmix did not write",
            where=out,
            fix="empty it, or name another with --out",
        )
    parent = next(p for p in [out, *out.absolute().parents] if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError("cannot write the output folder", where=out, fix="choose a writable place with --out")


def _check_sources(store: Store, recipe: Recipe, shards: list[_Shard]) -> None:
    """A source that gave no document would silently turn the recipe into another one."""
    documents: Counter[str] = Counter(dict.fromkeys(recipe.sources, 0))
    reasons: dict[str, Counter[str]] = {name: Counter() for name in recipe.sources}
    for shard in shards:
        meta = store.meta("documents", shard.documents)
        documents[shard.source] += meta["documents"]
        reasons[shard.source].update(meta["quarantined"] | meta["dropped"])
    for source, n in documents.items():
        if n == 0:
            found = ", ".join(f"{count:,} {reason}" for reason, count in reasons[source].most_common())
            keys = [shard.documents for shard in shards if shard.source == source]
            first = next((row for key in keys for row in quarantined(store, key)), None)
            raise UserError(
                f"source {source!r} gave no documents ({found or 'its files hold no records'})"
                + (f"; the first: {first['origin']}: {first['detail'] or first['reason']}" if first else ""),
                where=recipe.place("sources", source),
                fix="mend the files, or take the source out of the recipe",
            )
