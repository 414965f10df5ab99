"""What is published: an output folder of ``wellmix mix`` or ``wellmix curate``, read and checked before anything is written."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.output import read_manifest
from sources.errors import UserError

#: Formats of a set in the order the hub shows them; the first one a set has is the default.
SET_FORMATS = ("messages", "prompt_completion", "preference", "unpaired", "sharegpt")

#: Manifests from this layout on say all that a publication must carry.
OLDEST = 2

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Output:
    """An output folder.

    :param kind: ``mix`` or ``set``.
    :param configs: config name -> split -> its files, in order; a config is what ``load_dataset(..., name)`` loads.
    """

    folder: Path
    kind: str
    name: str
    manifest: dict[str, Any]
    ledger: dict[str, Any]
    configs: dict[str, dict[str, list[Path]]]


def open_output(folder: Path) -> Output:
    """Read an output folder.

    :raises UserError: it is none, is of an earlier layout, holds nothing that can be published, or its files are not those of the
        manifest.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(
            "this is no output of wellmix: it has no manifest.json",
            where=folder,
            fix="name a folder that `wellmix mix` or `wellmix curate` made, such as shards/sample",
        )
    kind = manifest.get("kind")
    if manifest["schema_version"] < OLDEST or kind not in ("mix", "set"):
        raise UserError(
            "the output was made by an earlier version, whose manifest does not say all a publication must carry",
            where=folder / "manifest.json",
            fix="make it again from its recipe",
        )
    try:
        ledger = json.loads((folder / "ledger.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read the ledger: {error}", where=folder / "ledger.json", fix="make the output again"
        ) from None
    configs = _mix_configs(manifest) if kind == "mix" else _set_configs(manifest)
    if not configs:
        raise UserError("the output has no rows", where=folder, fix="a larger budget, or sources that have rows")
    name = manifest.get("name") or manifest["recipe"]["name"]
    return Output(
        folder,
        kind,
        name,
        manifest,
        ledger,
        {
            config: {split: [folder / path for path in paths] for split, paths in splits.items()}
            for config, splits in configs.items()
        },
    )


def _mix_configs(manifest: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    formats = {entry["format"] for entry in manifest["files"]}
    if formats and "parquet" not in formats:
        raise UserError(
            f"the mix was made without parquet (it has {', '.join(sorted(formats))}), and that is what the hub shows "
            "and streams",
            where="manifest.json: files",
            fix="add parquet to shards.formats in the recipe and run it again; nothing is scored again",
        )
    splits = _by_split([entry for entry in manifest["files"] if entry["format"] == "parquet"], "documents")
    return {"default": splits} if splits else {}


def _set_configs(manifest: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    by_format: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in manifest["files"]:
        by_format[entry["format"]].append(entry)
    order = [*(name for name in SET_FORMATS if name in by_format), *sorted(set(by_format) - set(SET_FORMATS))]
    configs = {}
    for name in order:
        # A set may be written as Parquet and as JSON lines; they hold the same rows.
        parquet = [entry for entry in by_format[name] if entry["path"].endswith(".parquet")]
        if splits := _by_split(parquet or by_format[name], "examples"):
            configs[name] = splits
    return configs


def _by_split(entries: list[dict[str, Any]], counted: str) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry["path"]):
        if entry[counted]:
            splits[entry["split"]].append(entry["path"])
    order = {"train": 0, "validation": 1}
    return dict(sorted(splits.items(), key=lambda item: (order.get(item[0], 2), item[0])))


def verify(output: Output) -> None:
    """Whether the files to publish are those the manifest describes, to the byte.

    :raises UserError: a file is missing, or was changed after it was made.
    """
    known = {entry["path"]: entry["sha256"] for entry in output.manifest["files"]}
    for splits in output.configs.values():
        for path in (path for paths in splits.values() for path in paths):
            try:
                found = sha256(path)
            except OSError as error:
                raise UserError(
                    f"a file of the output cannot be read: {error.strerror}", where=path, fix="make it again"
                ) from None
            if found != known[path.relative_to(output.folder).as_posix()]:
                raise UserError(
                    "a file of the output was changed after it was made: its sha256 is not the manifest's",
                    where=path,
                    fix="make the output again; a publication must be what its manifest says",
                )


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


#: Paths of a machine: ``file:`` URLs, absolute ones, those of a home, a drive or a share, and relative ones that begin with dots.
_PATHS = re.compile(
    r"""file:/{1,3}[^\s'",;)\]]+
    | (?:^|(?<=[\s'"=([,;]))(?:(?!/[ru]/)(?:/[\w.@+%=~-]+){2,}/? | (?:~[\w-]*|\.{1,2}(?:/\.\.)*)(?:/[\w.@+%=~-]+)+/?)
    | (?<!\w)[A-Za-z]:[\\/][^\s'",;)\]]+
    | \\\\[\w.-]+\\[^\s'",;)\]]+""",
    re.X,
)


def scrub(value: Any) -> Any:
    """A JSON value without paths of this machine: of each only the last part is left, which says which file it was."""
    if isinstance(value, dict):
        return {key: scrub(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, str):
        return _PATHS.sub(lambda match: re.split(r"[/\\]", match[0].rstrip("/\\"))[-1], value)
    return value
