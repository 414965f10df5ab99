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
from pipeline.console import Progress
from pipeline.contamination import shipped
from pipeline.execute import Step, run_step
from pipeline.forget.apply import begin, in_force
from pipeline.forget.outputs import register
from pipeline.ingest import documents_key, run_ingest, split_from_json, split_to_json
from pipeline.names import NameFinder
from pipeline.output import read_manifest
from pipeline.recipe import Ingest
from pipeline.store import Store
from pipeline.tokens import load_tokenizer
from sources.card import Card
from sources.errors import UserError
from sources.files import resolve
from sources.readers.base import FileRef, Split


@dataclass
class RunResult:
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

    @classmethod
    def read(cls, out: Path, seconds: float, stages: Counter[str]) -> Self:
        """The result of a run whose folder is in place."""
        manifest, ledger = (orjson.loads((out / name).read_bytes()) for name in ("manifest.json", "ledger.json"))
        return cls(out, seconds, +stages, manifest, ledger)

    def told(self, **own: Any) -> dict[str, Any]:
        """The object ``--json`` prints.

        :param own: what a mix or a set says of itself.
        """
        return {
            "out": str(self.out),
            "seconds": round(self.seconds, 3),
            "stages_run": self.stages.total(),
            "stages": dict(self.stages),
            **own,
            "quarantined": self.ledger["totals"]["quarantined"],
            "notes": self.manifest["notes"],
        }


@contextmanager
def opened(
    name: str, out: Path | None, store_root: Path, show_progress: bool
) -> Iterator[tuple[Path, Store, Progress]]:
    """Everything a run holds until its end: the place of its output, its store, locked and rid of what is forgotten, and its progress.

    :param name: of the recipe; names the folder below ``shards`` where ``out`` is None.
    :raises UserError: the output cannot be written, or another run has the store.
    """
    out = out or Path("shards") / name
    if out.is_symlink() or not out.name:
        out = out.resolve()
    check_output(out)
    store = Store(store_root)
    release = store.lock()
    try:
        begin(store)
        with Progress(show_progress) as progress:
            yield out, store, progress
        register(store, out)
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
        forgotten = in_force(store.root, task["tombstones"]) if task["tombstones"] else None
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
        load_tokenizer(tokenizer).count(pa.array(["x"]))
    source: Callable[[dict[str, Any]], str] = lambda task: task["card"]["name"]  # noqa: E731
    run_step(step, store, tasks, workers=workers, progress=progress, label=label, weight=_task_bytes, group=source)


def _task_bytes(task: dict[str, Any]) -> int:
    """Raw bytes a task reads."""
    split = task["split"]
    return (split["stop"] - split["start"]) if split["stop"] else sum(file["size"] for file in split["files"])


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
