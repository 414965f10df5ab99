"""What a run of a mix and a run of a set have in common: where it writes, what it locks, which files it reads, how shards are ingested,
and what it tells at its end. The main paths are :mod:`pipeline.mix` and :mod:`pipeline.curate.make`.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import orjson
import pyarrow as pa

from pipeline.authors import CURRENT, current_key
from pipeline.cluster import load_cluster, running_on
from pipeline.console import Progress
from pipeline.contamination import shipped
from pipeline.execute import Step, run_step
from pipeline.forget.apply import begin, in_force
from pipeline.forget.outputs import register
from pipeline.ingest import documents_key, run_ingest, split_from_json, split_to_json
from pipeline.names import NameFinder
from pipeline.output import UNFINISHED, held, read_file, read_manifest, refuse_foreign
from pipeline.recipe import Ingest
from pipeline.remote import RemoteFolder, in_reach
from pipeline.store import Store, open_store
from pipeline.tokens import load_tokenizer
from sources.card import Card
from sources.errors import UserError
from sources.files import resolve
from sources.readers.base import FileRef, Split
from sources.remote import is_url


@dataclass
class RunResult:
    """What a run did.

    :param out: the output folder, or its URL.
    :param seconds: wall time.
    :param stages: how many times each stage ran; empty if everything was there.
    :param seconds_by_stage: wall time of each, :attr:`pipeline.console.Progress.seconds`.
    :param manifest: content of ``manifest.json``.
    :param ledger: content of ``ledger.json``.
    """

    out: Path | str
    seconds: float
    stages: Counter[str]
    seconds_by_stage: dict[str, float]
    manifest: dict[str, Any]
    ledger: dict[str, Any]

    @classmethod
    def read(cls, out: Path | str, seconds: float, stages: Counter[str], seconds_by_stage: dict[str, float]) -> Self:
        """The result of a run whose folder is in place."""
        manifest, ledger = (orjson.loads(read_file(out, name)) for name in ("manifest.json", "ledger.json"))
        return cls(out, seconds, +stages, seconds_by_stage, manifest, ledger)

    def told(self, **own: Any) -> dict[str, Any]:
        """The object ``--json`` prints.

        :param own: what a mix or a set says of itself.
        """
        return {
            "out": str(self.out),
            "seconds": round(self.seconds, 3),
            "stages_run": self.stages.total(),
            "stages": dict(self.stages),
            "seconds_by_stage": {name: round(took, 3) for name, took in self.seconds_by_stage.items()},
            **own,
            "quarantined": self.ledger["totals"]["quarantined"],
            "notes": self.manifest["notes"],
        }


@contextmanager
def opened(
    name: str,
    out: Path | str | None,
    store_root: Path | str,
    show_progress: bool,
    executor: str | None = None,
) -> Iterator[tuple[Path | str, Store, Progress]]:
    """Everything a run holds until its end: the place of its output, its store, locked and rid of what is forgotten, and its progress.

    :param name: of the recipe; names the folder below ``shards`` where ``out`` is None.
    :param out, store_root: folders, or fsspec URLs.
    :param executor: where steps run, see :func:`pipeline.cluster.load_cluster`.
    :raises UserError: the output cannot be written, or another run has the store.
    """
    cluster = load_cluster(executor)
    place: Path | str
    if is_url(out):
        place = str(out).rstrip("/")
        _check_remote_output(place, str(store_root))
    else:
        place = Path(out or Path("shards") / name)
        if place.is_symlink() or not place.name:
            place = place.resolve()
        check_output(place)
    store = open_store(store_root)
    release = store.lock()
    try:
        begin(store)
        with held(place), Progress(show_progress) as progress, running_on(cluster):
            yield place, store, progress
        register(store, place)
        store.sweep_work()
    finally:
        release()


def inputs(
    tokenizer: str, contamination: Literal["all", False] | list[str], ingest: Ingest, folder: Path
) -> tuple[str, list[str]]:
    """The tokenizer and the hash lists a recipe names.

    :param folder: the recipe's, to which the files it names are relative.
    :returns: name or absolute path of the tokenizer; names and absolute paths of hash lists.
    :raises UserError: names are to be replaced, and what finds them is not installed.
    """
    if ingest.names:
        NameFinder()  # says so now if its model is not installed
    place = str((folder / tokenizer).resolve()) if tokenizer.endswith(".json") else tokenizer
    return place, _hash_lists(contamination, folder)


def _hash_lists(wanted: Literal["all", False] | list[str], folder: Path) -> list[str]:
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


def ingest_task(store: Store, card: Card, split: Split, settings: Ingest, base: str) -> dict[str, Any]:
    """What of a task :func:`ingest_missing` reads.

    :param base: :func:`pipeline.ingest.ingest_key` of the split.
    """
    return {
        "card": card.model_dump(mode="json"),
        "split": split_to_json(split),
        "ingest": settings.model_dump(),
        "base": base,
        "author_key": current_key().id,
        "tombstones": store.tombstones,
    }


def ingest_missing(store: Store, card: Card, task: dict[str, Any]) -> str:
    """Ingest the split of a task unless its documents are there.

    :param task: of :func:`ingest_task`.
    :returns: key of the documents.
    :raises UserError: this process has another author key than the one that made the task.
    """
    if current_key().id != task["author_key"]:
        raise UserError(
            "a worker has another author key than the run it works for",
            where=current_key().where,
            fix=f"give all workers the same {CURRENT}, or a shared configuration folder",
        )
    key = documents_key(store, task["base"])
    if store.has("documents", key):
        return key
    # Readers that join records put them into temporary files; in the store these are swept even after a kill.
    with store.scratch("ingest") as folder, _temporary_files(folder):
        forgotten = in_force(store, task["tombstones"]) if task["tombstones"] else None
        return run_ingest(
            store, card, split_from_json(task["split"]), Ingest(**task["ingest"]), task["base"], forgotten
        )


@contextmanager
def _temporary_files(folder: Path) -> Iterator[None]:
    """Let what asks for temporary files have them in ``folder``."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def run_shards(
    step: type[Step],
    store: Store,
    tasks: list[dict[str, Any]],
    *,
    tokenizer: str,
    workers: int,
    progress: Progress,
    label: str,
) -> None:
    """Run the step that ingests and examines shards, a bar for each source.

    :param tasks: with ``card`` and ``split``, as JSON.
    """
    if tasks:
        # compiles the vocabulary on its very first use, once and not in every worker
        with progress.timed("prepare"):
            load_tokenizer(tokenizer).count(pa.array(["x"]))
    source: Callable[[dict[str, Any]], str] = lambda task: task["card"]["name"]  # noqa: E731
    run_step(step, store, tasks, workers=workers, progress=progress, label=label, weight=_task_bytes, group=source)


def _task_bytes(task: dict[str, Any]) -> int:
    """Raw bytes a task reads."""
    split = task["split"]
    return (split["stop"] - split["start"]) if split["stop"] else sum(file["size"] for file in split["files"])


def _check_remote_output(out: str, store: str) -> None:
    """Refuse to replace what is not ours at a URL, and to let output and store lie in each other.

    :raises UserError: so it is, or the URL cannot be read.
    """
    one, other = f"{out}/", f"{store.rstrip('/')}/"
    if one.startswith(other) or other.startswith(one):
        raise UserError(
            "the output and the store would lie in each other", where=out, fix="name another URL with --out"
        )
    folder = RemoteFolder(out)
    try:
        with in_reach("the output", out, may="read", exist="written"):
            foreign = read_manifest(out) is None and bool(there := folder.find()) and UNFINISHED not in there
    except ValueError:
        foreign = True
    if foreign:
        raise UserError(
            "the output's URL holds something that wellmix did not write",
            where=out,
            fix="empty it, or name another with --out",
        )


def check_output(out: Path) -> None:
    """Refuse to replace a folder that is not ours, or cannot be replaced, before any work is done."""
    refuse_foreign(out)
    if out.is_mount():
        raise UserError(
            "the output folder is where a disk is mounted, and a folder that takes its place cannot be moved there",
            where=out,
            fix="name a folder within it with --out",
        )
    # it is put in place by renames in its parent
    parent = next(p for p in out.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError("cannot write the output folder", where=out, fix="choose a writable place with --out")
