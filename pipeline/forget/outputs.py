"""The folders that runs wrote: outputs of mixes and sets, reports of ablations, publications. What is forgotten must leave them, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.output import read_file
from pipeline.store import Store
from sources.remote import is_url

_NAME = "outputs"


def register(store: Store, folder: Path | str) -> None:
    """Remember a folder that was written from this store."""
    known = (store.note(_NAME) or {}).get("folders", [])
    place = str(folder if is_url(folder) else Path(folder).absolute())
    if place not in known:
        # also those that are not there now: a disk may be mounted again
        store.write_note(_NAME, {"folders": sorted([*known, place])})


def registered(store: Store) -> list[Path | str]:
    """Folders, and URLs, that runs of a store wrote; those of folders that are still there."""
    known = (store.note(_NAME) or {}).get("folders", [])
    places = [name if is_url(name) else Path(name) for name in known]
    return [place for place in places if isinstance(place, str) or place.is_dir()]


@dataclass(frozen=True)
class Known:
    """An output that was made from shards of documents in which something was forgotten since.

    :param what: mix, set or publication.
    :param name: of its recipe.
    """

    folder: Path | str
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


def outdated(folders: list[Path | str], gone: set[str]) -> list[Known]:
    """Those of some folders whose lineage names documents that are no longer as they were.

    :param gone: keys of documents that were rewritten or removed.
    """
    found = []
    for folder in folders:
        for name in ("manifest.json", "provenance.json"):
            try:
                told = json.loads(read_file(folder, name))
            except (OSError, ValueError):
                continue
            published = name == "provenance.json"
            manifest = told.get("manifest", {}) if published else told
            shards = manifest.get("lineage", {}).get("shards", [])
            if any(shard.get("documents") in gone for shard in shards):
                what = "publication" if published else manifest.get("kind", "mix")
                recipe = manifest.get("name") or manifest.get("recipe", {}).get("name", str(folder).rsplit("/", 1)[-1])
                found.append(Known(folder, what, recipe))
    return found
