"""The main path of curation, from a recipe to a set. Read it top to bottom:

recipe, cards and constitution are checked -> files are found -> each shard of each source is ingested, its threads become candidates, and
these are examined -> the set is selected from all of them -> the folder is put in place.

Every step asks the store first, as in a mix (:mod:`pipeline.mix`); documents are shared with mixes.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.attributes import Attribute
from pipeline.console import Progress
from pipeline.curate.constitution import Constitution
from pipeline.curate.examine import Overlap, examinations, pool_keys, run_examine
from pipeline.curate.recipe import SetRecipe, load_set_recipe
from pipeline.curate.select import run_select, select_key
from pipeline.curate.shape import candidates_key, run_shape, shaped_by
from pipeline.curate.write import SetLineage, set_key, write_set
from pipeline.execute import Step
from pipeline.ingest import documents_key, ingest_key
from pipeline.output import is_current
from pipeline.review import Decisions, load_decisions
from pipeline.run import RunResult, find_files, ingest_missing, ingest_task, inputs, opened, run_shards
from pipeline.store import Store
from sources.card import Card
from sources.errors import UserError


class SetResult(RunResult):
    """What a run did."""

    def summary(self) -> dict[str, Any]:
        """The object ``wellmix curate --json`` prints."""
        return self.told(
            examples=self.manifest["examples"],
            tokens=self.manifest["tokens"],
            formats=self.manifest["formats"],
            sources={name: entry["examples"] for name, entry in self.manifest["sources"].items()},
            quotas=self.manifest["quotas"],
            baselines=self.manifest["baselines"],
        )


class CandidateStep(Step):
    """Ingests one split, makes its candidates and examines them, in one task."""

    name = "candidates"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        card = Card(**task["card"])
        documents = ingest_missing(store, card, task)
        candidates = candidates_key(documents, card)
        if not store.has("candidates", candidates):
            run_shape(store, documents, shaped_by(card), candidates)
        run_examine(store, candidates, examinations(task["tokenizer"], task["contamination"], task["effort"]))


def run_curate(
    recipe_path: Path,
    *,
    out: Path | str | None = None,
    store_root: Path | str = Path(".wellmix/store"),
    workers: int | None = None,
    executor: str | None = None,
    overrides: list[str] | None = None,
    show_progress: bool = True,
) -> SetResult:
    """Make the set of a recipe, doing only what is not done yet.

    :param out: output folder, or fsspec URL; default ``shards/<name of the recipe>``.
    :param store_root: folder or fsspec URL of the store.
    :param workers: processes, or jobs of a cluster, at once; default one a core.
    :param executor: where steps run: ``local``, ``ray``, ``slurm`` or a YAML file (:mod:`pipeline.cluster`).
    :param overrides: ``path=value`` texts.
    :raises UserError: anything the user can mend.
    """
    started = monotonic()
    workers = workers or os.cpu_count() or 1
    recipe, cards, constitution = load_set_recipe(recipe_path, overrides)
    decisions = _decisions(recipe, recipe_path)
    with opened(recipe.name, out, store_root, show_progress, executor) as (place, store, progress):
        return _run(
            recipe, recipe_path.parent, cards, constitution, decisions, store, place, workers, progress, started
        )


def _run(
    recipe: SetRecipe,
    folder: Path,
    cards: dict[str, Card],
    constitution: Constitution,
    decisions: Decisions,
    store: Store,
    out: Path | str,
    workers: int,
    progress: Progress,
    started: float,
) -> SetResult:
    ran: Counter[str] = Counter()
    tokenizer, contamination = inputs(recipe.tokenizer, recipe.filters.contamination, recipe.ingest, folder)
    stages = examinations(tokenizer, contamination, recipe.effort)
    benchmarks = next((list(stage.benchmarks) for stage in stages if isinstance(stage, Overlap)), [])
    files = find_files(cards, store)

    shards: list[dict[str, str]] = []
    todo: list[tuple[int, Card, str]] = []
    tasks: list[dict[str, Any]] = []
    for source, card in cards.items():
        for split in card.make_reader.splits(files[source], recipe.ingest.shard_bytes):
            base = ingest_key(card, split, recipe.ingest)
            shard, keys = _found(store, card, base, stages)
            shards.append(shard)
            # later steps read all three, and somebody may have deleted a folder, as we advise where one is damaged
            if all(store.has(stage, shard[stage]) for stage in ("documents", "candidates", "pool")):
                continue
            ran["ingest"] += not store.has("documents", shard["documents"])
            ran["candidates"] += not store.has("candidates", shard["candidates"])
            for stage, key in keys.items():
                ran[stage] += not store.has(stage, key)
            ran["pool"] += not store.has("pool", shard["pool"])
            todo.append((len(shards) - 1, card, base))
            tasks.append(
                ingest_task(store, card, split, recipe.ingest, base)
                | {"tokenizer": tokenizer, "contamination": contamination, "effort": recipe.effort}
            )
    run_shards(
        CandidateStep,
        store,
        tasks,
        tokenizer=tokenizer,
        workers=workers,
        progress=progress,
        label="ingest and examine",
    )
    for number, card, base in todo:
        # what is forgotten of a split is known once it is ingested
        shards[number], _ = _found(store, card, base, stages)
    _check_sources(store, recipe, shards)

    pools = [shard["pool"] for shard in shards]
    selection = select_key(recipe, constitution, pools, benchmarks, decisions.facts())
    if not store.has("selection", selection):
        ran["select"] += 1
        run_select(
            store,
            recipe,
            constitution,
            [shard["candidates"] for shard in shards],
            pools,
            benchmarks,
            tokenizer,
            decisions,
            selection,
            workers=workers,
            progress=progress,
        )

    lineage = SetLineage(selection, shards)
    if not is_current(out, set_key(recipe, cards, constitution, lineage)):
        ran["write"] += 1
        versions = {stage.name: stage.version for stage in stages}
        write_set(store, out, recipe, cards, constitution, files, lineage, versions)
    return SetResult.read(out, monotonic() - started, ran, progress.seconds)


def _found(store: Store, card: Card, base: str, stages: tuple[Attribute, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Keys of a shard as the lineage names them, and of what its candidates are examined for.

    :param base: key of its documents if nothing of them is forgotten.
    """
    documents = documents_key(store, base)
    candidates = candidates_key(documents, card)
    keys, pool = pool_keys(stages, candidates)
    return {"source": card.name, "documents": documents, "candidates": candidates, "pool": pool}, keys


def _decisions(recipe: SetRecipe, path: Path) -> Decisions:
    """Reviewers' decisions: the files the recipe names, and ``reviews/<name>.jsonl`` beside it, where imports go."""
    named = [path.parent / name for name in recipe.reviews]
    for i, file in enumerate(named):
        if not file.is_file():
            raise UserError("no such file of decisions", where=recipe.place("reviews", i), fix=f"look for {file}")
    beside = review_file(path, recipe.name)
    return load_decisions([*named, *([beside] if beside.is_file() and beside not in named else [])])


def review_file(recipe: Path, name: str) -> Path:
    """Where decisions about a recipe's set are kept: beside the recipe, because they are its owner's work and no cache."""
    return recipe.parent / "reviews" / f"{name}.jsonl"


def _check_sources(store: Store, recipe: SetRecipe, shards: list[dict[str, str]]) -> None:
    """A source that gave no candidate would silently turn the recipe into another one."""
    found: Counter[str] = Counter(dict.fromkeys(recipe.sources, 0))
    without: dict[str, Counter[str]] = {name: Counter() for name in recipe.sources}
    for shard in shards:
        meta = store.meta("candidates", shard["candidates"])
        found[shard["source"]] += meta["candidates"]
        without[shard["source"]].update(meta["without"])
    for source, n in found.items():
        if n == 0:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in without[source].most_common())
            raise UserError(
                f"source {source!r} gave no reply to learn from ({reasons or 'its files hold no records'})",
                where=recipe.place("sources", source),
                fix="see `skill` in its card, or take the source out of the recipe",
            )
