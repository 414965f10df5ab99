"""The main path, from a recipe to shards. Read it top to bottom:

recipe and cards are checked -> files are found -> each shard of each source is ingested and its attributes computed -> duplicates are
found across all of them -> the mix is planned -> shards are written -> the output folder is put in place.

Every step asks the store first: what is there under its key is not made again.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

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
from pipeline.dedup import dedup_key, run_dedup
from pipeline.emit import emit_key, run_emit
from pipeline.execute import Step
from pipeline.ingest import documents_key, ingest_key, quarantined
from pipeline.output import Lineage, emission_key, is_current, kept_shards, output_key, write_output
from pipeline.plan import Thresholds, plan_key, run_plan
from pipeline.recipe import Recipe, load_recipe
from pipeline.run import RunResult, find_files, ingest_missing, ingest_task, inputs, opened, run_shards
from pipeline.store import Store
from sources.card import Card
from sources.errors import UserError
from sources.readers.base import FileRef


class MixResult(RunResult):
    """What a run did."""

    def summary(self) -> dict[str, Any]:
        """The object ``wellmix mix --json`` prints."""
        return self.told(
            documents=self.manifest["documents"],
            tokens=self.manifest["tokens"],
            achieved={name: entry["achieved"] for name, entry in self.manifest["sources"].items()},
        )


@dataclass
class Shard:
    """One split of one source, and the keys of what is made from it.

    :param base: key of its documents if nothing of them is forgotten.
    """

    source: str
    split: Any
    base: str
    documents: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    catalog: str = ""

    def find(self, store: Store, stages: tuple[Attribute, ...]) -> None:
        """Find the keys; what is forgotten of a split is known once it is ingested."""
        self.documents = documents_key(store, self.base)
        self.attributes = attribute_keys(stages, self.documents)
        self.catalog = catalog_key(self.documents, self.attributes)


class ShardStep(Step):
    """Ingests one split and computes its attributes: from raw bytes to a catalog, in one task."""

    name = "documents"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        card = Card(**task["card"])
        stages = attributes(task["tokenizer"], task["contamination"], task["effort"], task["effort_about"])
        run_attributes(store, ingest_missing(store, card, task), stages)


def run_mix(
    recipe_path: Path,
    *,
    out: Path | str | None = None,
    store_root: Path | str = Path(".wellmix/store"),
    workers: int | None = None,
    executor: str | None = None,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> MixResult:
    """Make the mix of a recipe, doing only what is not done yet.

    :param out: output folder, or fsspec URL; default ``shards/<name of the recipe>``.
    :param store_root: folder or fsspec URL of the store.
    :param workers: processes, or jobs of a cluster, at once; default one a core.
    :param executor: where steps run: ``local``, ``ray``, ``slurm`` or a YAML file (:mod:`pipeline.cluster`).
    :param overrides: ``path=value`` texts, see :func:`pipeline.recipe.load_recipe`.
    :raises UserError: anything the user can mend.
    """
    started = monotonic()
    workers = workers or os.cpu_count() or 1
    recipe, cards = load_recipe(recipe_path, overrides)
    with opened(recipe.name, out, store_root, show_progress, executor) as (place, store, progress):
        return _run(recipe, recipe_path.parent, cards, store, place, workers, progress, started)


def _run(
    recipe: Recipe,
    folder: Path,
    cards: dict[str, Card],
    store: Store,
    out: Path | str,
    workers: int,
    progress: Progress,
    started: float,
) -> MixResult:
    ran: Counter[str] = Counter()
    corpus = scored(recipe, folder, cards, store, workers=workers, progress=progress, ran=ran)
    with progress.timed("plan"):
        plan = planned(recipe, cards, corpus, store, workers=workers, ran=ran)

    emit = emit_key(plan, list(recipe.shards.formats))
    lineage = Lineage(
        emit=emit,
        plan=plan,
        clusters=corpus.clusters,
        shards=[{"source": s.source, "documents": s.documents, "catalog": s.catalog} for s in corpus.shards],
    )
    if not is_current(out, output_key(recipe, cards, lineage)):
        ran["emit"] += 1
        formats: list[str] = list(recipe.shards.formats)
        versions = {stage.name: stage.version for stage in corpus.judges.stages}
        outputs = store.meta("plan", plan)["outputs"]
        kept = kept_shards(out, emission_key(versions), outputs, formats)
        with progress.timed("emit"):
            written = run_emit(
                store,
                plan,
                [output for output in outputs if (output["split"], output["out"]) not in kept],
                [(shard.documents, shard.catalog) for shard in corpus.shards],
                formats=formats,
                tokenizer=corpus.judges.tokenizer,
                workers=workers,
                progress=progress,
            )
        with progress.timed("output"):
            write_output(
                store,
                out,
                recipe,
                cards,
                corpus.files,
                asdict(corpus.judges.limits),
                lineage,
                written,
                kept,
                versions,
                corpus.judges.tokenizer,
            )
    return MixResult.read(out, monotonic() - started, ran, progress.seconds)


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


@dataclass(frozen=True)
class Corpus:
    """What a recipe's sources are once they are ingested, scored and compared: all that planning needs.

    :param files: raw files by source.
    :param shards: in the plan's order.
    :param clusters: key of the duplicate clusters.
    """

    files: dict[str, list[FileRef]]
    shards: list[Shard]
    clusters: str
    judges: Judges

    @property
    def catalogs(self) -> list[str]:
        """Key of each shard's catalog."""
        return [shard.catalog for shard in self.shards]


def scored(
    recipe: Recipe,
    folder: Path,
    cards: dict[str, Card],
    store: Store,
    *,
    workers: int,
    progress: Progress,
    ran: Counter[str],
) -> Corpus:
    """Ingest and score what is not there yet, and find duplicates across all of it.

    :param folder: the recipe's, to which the files it names are relative.
    :param ran: counts the stages that had to run.
    :raises UserError: a source that yields nothing, or files that are not there.
    """
    with progress.timed("prepare"):
        judges = prepare(recipe, folder, cards)
        files = find_files(cards, store)
    stages, limits = judges.stages, judges.limits

    shards: list[Shard] = []
    for name, card in cards.items():
        for split in card.make_reader.splits(files[name], recipe.ingest.shard_bytes):
            shard = Shard(name, split, ingest_key(card, split, recipe.ingest))
            shard.find(store, stages)
            shards.append(shard)
    todo = [shard for shard in shards if not _complete(store, shard)]
    for shard in todo:
        ran["ingest"] += not store.has("documents", shard.documents)
        for stage, key in shard.attributes.items():
            ran[stage] += not store.has(stage, key)
        ran["catalog"] += not store.has("catalog", shard.catalog)
    run_shards(
        ShardStep,
        store,
        [_task(store, shard, cards[shard.source], recipe, judges) for shard in todo],
        tokenizer=judges.tokenizer,
        workers=workers,
        progress=progress,
        label="ingest and score",
    )
    for shard in todo:
        shard.find(store, stages)
    _check_sources(store, recipe, shards)

    signatures = [shard.attributes["signature"] for shard in shards]
    clusters = dedup_key(signatures, limits.near_duplicates)
    if not store.has("clusters", clusters):
        ran["dedup"] += 1
        with progress.timed("dedup"):
            run_dedup(
                store,
                [shard.documents for shard in shards],
                signatures,
                limits.near_duplicates,
                memory=recipe.memory,
                workers=workers,
                progress=progress,
            )
    return Corpus(files, shards, clusters, judges)


def _complete(store: Store, shard: Shard) -> bool:
    """Whether all that later steps read of a shard is there; somebody may have deleted a folder, as we advise where one is damaged."""
    later = {"documents": shard.documents, "signature": shard.attributes["signature"], "catalog": shard.catalog}
    return all(store.has(stage, key) for stage, key in later.items())


def planned(
    recipe: Recipe, cards: dict[str, Card], corpus: Corpus, store: Store, *, workers: int, ran: Counter[str]
) -> str:
    """Key of the plan of a recipe, made unless it is there."""
    limits = corpus.judges.limits
    plan = plan_key(recipe, cards, limits, corpus.catalogs, corpus.clusters)
    if not store.has("plan", plan):
        ran["plan"] += 1
        shards = [(shard.source, shard.catalog) for shard in corpus.shards]
        run_plan(store, recipe, cards, limits, shards, corpus.clusters, workers=workers)
    return plan


def prepare(recipe: Recipe, folder: Path, cards: dict[str, Card]) -> Judges:
    """Load what judges the documents of a recipe.

    :param folder: the recipe's, to which the files it names are relative.
    :raises UserError: a tokenizer, hash list, label or threshold that does not exist.
    """
    tokenizer, contamination = inputs(recipe.tokenizer, recipe.filters.contamination, recipe.ingest, folder)
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


def _task(store: Store, shard: Shard, card: Card, recipe: Recipe, judges: Judges) -> dict[str, Any]:
    return ingest_task(store, card, shard.split, recipe.ingest, shard.base) | {
        "tokenizer": judges.tokenizer,
        "contamination": judges.contamination,
        "effort": recipe.effort,
        "effort_about": _about(recipe),
    }


def _check_sources(store: Store, recipe: Recipe, shards: list[Shard]) -> None:
    """A source that gave no document would silently turn the recipe into another one."""
    documents: Counter[str] = Counter(dict.fromkeys(recipe.sources, 0))
    reasons: dict[str, Counter[str]] = {name: Counter() for name in recipe.sources}
    metas = store.metas("documents", [shard.documents for shard in shards])
    for shard, meta in zip(shards, metas, strict=True):
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
