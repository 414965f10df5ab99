"""What a review reads of a set: first what it is stratified by, for every example, then the texts of those that were drawn."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.review.decisions import Kind, text_sha256
from sources.errors import UserError

Message = dict[str, str]

#: Format -> what is judged of it, and the columns of its texts: those of the prompt, those of each reply. Where one example stands in
#: several formats of a kind, it is read from the first.
FORMATS: dict[str, tuple[Kind, list[str]]] = {
    "preference": ("pair", ["prompt", "chosen", "rejected"]),
    "unpaired": ("unpaired", ["prompt", "completion"]),
    "messages": ("single", ["messages"]),
    "prompt_completion": ("single", ["prompt", "completion"]),
    "sharegpt": ("single", ["conversations"]),
}

#: Columns a sample can be stratified by.
STRATA = ("source", "principles", "facets", "behaviours", "situation", "author_kind", "simulated", "risk", "license")

#: What the set says of an example that a review is compared with.
_SAID = ["source", "support", "behaviours", "principles"]

_ROLES = {"system": "system", "human": "user", "gpt": "assistant"}


@dataclass(frozen=True)
class Entry:
    """An example before its text is read.

    :param values: of each column it is stratified by; a list where the column is one.
    """

    id: str
    kind: Kind
    values: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Example:
    """An example with its text and what the set says of it.

    :param replies: the reply; of a pair chosen and rejected. Each is a list of messages.
    """

    id: str
    kind: Kind
    prompt: list[Message]
    replies: list[list[Message]]
    source: str
    support: float | None
    behaviours: list[str]
    principles: list[str]

    def text(self, *order: int) -> str:
        """:func:`text_sha256` of the prompt and the replies.

        :param order: of the replies; as they stand if not given.
        """
        shown = [self.replies[i] for i in order] if order else self.replies
        return text_sha256([*self.prompt, *(message for reply in shown for message in reply)])


class ReviewedSet:
    """A set, opened to be reviewed.

    :param folder: of the set (``shards/NAME``).
    :raises UserError: there is no set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not JSON"
            raise UserError(
                f"there is no set here: {reason}",
                where=folder / "manifest.json",
                fix="name a folder that `wellmix curate` made",
            ) from None
        if not isinstance(manifest, dict) or manifest.get("kind") != "set":
            raise UserError(
                "this is not a set of examples; mixes are not reviewed",
                where=folder,
                fix="name a folder that `wellmix curate` made",
            )
        self.name: str = manifest.get("name") or folder.name
        #: id -> text of the principles the set speaks of.
        self.principles: dict[str, str] = {one["id"]: one["text"] for one in manifest.get("principles") or []}
        self._files: list[tuple[str, Path]] = []
        for name in FORMATS:
            paths = [folder / file["path"] for file in manifest.get("files", ()) if file.get("format") == name]
            tables = [path for path in paths if path.suffix == ".parquet"]
            self._files += [(name, path) for path in tables or [p for p in paths if p.suffix == ".jsonl"]]
        if not self._files:
            raise UserError(
                "the set has no files of examples", where=folder / "manifest.json", fix="make the set again"
            )

    def index(self, by: list[str]) -> list[Entry]:
        """Every example of each kind once, without its text.

        :param by: columns of :data:`STRATA`.
        :raises UserError: a column is not there.
        """
        seen: dict[tuple[str, str], Entry] = {}
        for name, path in self._files:
            kind, _ = FORMATS[name]
            for batch in _batches(path, ["id", *by]):
                for row in batch.to_pylist():
                    if (kind, row["id"]) not in seen:
                        values = tuple(_listed(row[column]) for column in by)
                        seen[kind, row["id"]] = Entry(row["id"], kind, values)
        return list(seen.values())

    def examples(self, ids: Collection[str]) -> dict[tuple[str, str], Example]:
        """Examples with these ids, by kind and id."""
        wanted = pa.array(sorted(set(ids)), pa.string())
        found: dict[tuple[str, str], Example] = {}
        for name, path in self._files:
            kind, texts = FORMATS[name]
            for batch in _batches(path, ["id", *texts, *_SAID], wanted):
                for row in batch.to_pylist():
                    if (kind, row["id"]) not in found:
                        found[kind, row["id"]] = _example(name, kind, row)
        return found


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else () if value is None else (str(value),)


def _example(name: str, kind: Kind, row: dict[str, Any]) -> Example:
    if name == "sharegpt":
        messages = [
            {"role": _ROLES.get(turn["from"], turn["from"]), "content": turn["value"]} for turn in row["conversations"]
        ]
    elif name == "messages":
        messages = row["messages"]
    if name in ("sharegpt", "messages"):
        prompt, replies = messages[:-1], [messages[-1:]]
    elif name == "preference":
        prompt, replies = row["prompt"], [row["chosen"], row["rejected"]]
    else:
        prompt, replies = row["prompt"], [row["completion"]]
    return Example(
        row["id"], kind, prompt, replies, row["source"], row["support"], row["behaviours"] or [], row["principles"] or []
    )  # fmt: skip


def _batches(path: Path, columns: list[str], wanted: pa.Array | None = None) -> Iterator[pa.RecordBatch]:
    """Rows of a file of examples.

    :param wanted: only rows with these ids.
    :raises UserError: the file or a column is missing, or the file is damaged.
    """
    again = "make the set again with `wellmix curate`"
    try:
        if path.suffix == ".jsonl":
            yield from _json_batches(path, columns, set(wanted.to_pylist()) if wanted is not None else None)
            return
        with pq.ParquetFile(path) as file:
            missing = [column for column in columns if column not in file.schema_arrow.names]
            if missing:
                raise UserError(f"the set has no column {', '.join(missing)}", where=path, fix=again)
            for group in range(file.num_row_groups):
                if wanted is not None:
                    # texts are read of those row groups only that hold a row we want
                    ids = file.read_row_group(group, ["id"], use_threads=False)["id"]
                    if not pc.any(pc.is_in(ids, value_set=wanted)).as_py():
                        continue
                for batch in file.iter_batches(4096, [group], columns, use_threads=False):
                    yield batch if wanted is None else batch.filter(pc.is_in(batch["id"], value_set=wanted))
    except FileNotFoundError:
        raise UserError("a file of the set is missing", where=path, fix=again) from None
    except (pa.ArrowInvalid, orjson.JSONDecodeError, KeyError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise UserError(f"a file of the set cannot be read: {what}", where=path, fix=again) from None


def _json_batches(path: Path, columns: list[str], wanted: set[str] | None) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            row = orjson.loads(line)
            if wanted is None or row["id"] in wanted:
                rows.append({column: row[column] for column in columns})
            if len(rows) == 4096:
                yield pa.RecordBatch.from_pylist(rows)
                rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows)
