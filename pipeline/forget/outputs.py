"""The folders that runs wrote: outputs of mixes and sets, reports of ablations, publications. What is forgotten must leave them, too."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.store import Store

_NAME = "outputs.json"


def register(store: Store, folder: Path) -> None:
    """Remember a folder that was written from this store."""
    known = registered(store.root)
    if (place := folder.absolute()) not in known:
        write(store.root / _NAME, {"folders": sorted(map(str, [*known, place]))})


def registered(root: Path) -> list[Path]:
    """Folders that runs of a store wrote and that are still there."""
    try:
        known = json.loads((root / _NAME).read_text("utf-8"))["folders"]
    except (OSError, ValueError, KeyError):
        return []
    return [path for path in map(Path, known) if path.is_dir()]


def write(path: Path, value: Any) -> None:
    """Write a small file of the store, whole or not at all."""
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    aside.write_text(json.dumps(value, indent=1, sort_keys=True), "utf-8")
    os.replace(aside, path)


@dataclass(frozen=True)
class Known:
    """An output that was made from shards of documents in which something was forgotten since.

    :param what: mix, set or publication.
    :param name: of its recipe.
    """

    folder: Path
    what: str
    name: str

    @property
    def fix(self) -> str:
        """What takes the forgotten documents out of it."""
        if self.what == "publication":
            return (
                "make its output again, `wellmix publish` it again and push it; what was pushed stays in the hub's history until that is"
                " squashed (huggingface_hub: HfApi().super_squash_history), and in copies people made: tell them"
            )
        command = "curate" if self.what == "set" else "mix"
        return f"run `wellmix {command}` of recipe {self.name!r} again, or delete the folder"


def outdated(folders: list[Path], gone: set[str]) -> list[Known]:
    """Those of some folders whose lineage names documents that are no longer as they were.

    :param gone: keys of documents that were rewritten or removed.
    """
    found = []
    for folder in folders:
        for name in ("manifest.json", "provenance.json"):
            try:
                told = json.loads((folder / name).read_text("utf-8"))
            except (OSError, ValueError):
                continue
            published = name == "provenance.json"
            manifest = told.get("manifest", {}) if published else told
            shards = manifest.get("lineage", {}).get("shards", [])
            if any(shard.get("documents") in gone for shard in shards):
                what = "publication" if published else manifest.get("kind", "mix")
                recipe = manifest.get("name") or manifest.get("recipe", {}).get("name", folder.name)
                found.append(Known(folder, what, recipe))
    return found
