"""A hash list of a user's own evaluation set: files in, one ``.npz`` without text out."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.contamination import build_hash_list
from sources.errors import UserError


def hash_files(files: list[Path], out: Path, fields: list[str] | None = None) -> dict[str, Any]:
    """Make a hash list of the items in files.

    :param files: ``.jsonl``, ``.json`` (a list, or an object of items), ``.csv`` and ``.tsv`` with a header, or text with an item a
        line.
    :param out: the ``.npz``; its name is the benchmark's.
    :param fields: each is a text of its own of an item; default all fields that hold text of eight words or more.
    :returns: number of items and of n-grams.
    :raises UserError: a file cannot be read, or holds no item.
    """
    if out.suffix != ".npz":
        raise UserError("a hash list is an .npz file", where=out, fix=f"write {out.with_suffix('.npz').name}")
    items: list[list[str]] = []
    for path in files:
        try:
            for record in _records(path):
                if isinstance(record, str):
                    texts = [record]
                elif fields:
                    missing = [name for name in fields if name not in record]
                    if missing:
                        raise UserError(
                            f"an item has no field {missing[0]!r}",
                            where=path,
                            fix=f"it has: {', '.join(map(str, record))}",
                        )
                    texts = [str(record[name]) for name in fields]
                else:
                    texts = [v for v in record.values() if isinstance(v, str) and len(v.split()) >= 8]
                items += ([text] for text in texts)
        except OSError as error:
            raise UserError(
                f"cannot read: {error.strerror}", where=path, fix="name a file of evaluation items"
            ) from None
        except UnicodeDecodeError as error:
            raise UserError(f"not UTF-8 text: byte {error.start} of the file", where=path) from None
        except csv.Error as error:
            raise UserError(f"cannot parse: {error}", where=path) from None
    hashed = build_hash_list(out.stem, items)
    if not hashed.indexed:
        raise UserError(
            "no item is long enough to be told apart",
            where=", ".join(map(str, files)),
            fix="name the text fields with --field",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        hashed.save(out)
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror}", where=out, fix="name a file in a folder with --out"
        ) from None
    return {"out": str(out), "items": hashed.items, "indexed": hashed.indexed, "ngrams": len(hashed.hashes)}


def _records(path: Path) -> Iterator[dict[str, Any] | str]:
    text = path.read_text("utf-8")
    match path.suffix:
        case ".jsonl":
            records = [_parse(line, f"{path}:{n}") for n, line in enumerate(text.split("\n"), 1) if line.strip()]
        case ".json":
            whole = _parse(text, str(path))
            if not isinstance(whole, dict | list):
                raise UserError("neither a list nor an object of items", where=path)
            records = list(whole.values()) if isinstance(whole, dict) else whole
        case ".csv" | ".tsv":
            delimiter = "\t" if path.suffix == ".tsv" else ","
            records = list(csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter))
        case _:
            records = [line for line in text.splitlines() if line.strip()]
    for record in records:
        if not isinstance(record, dict | str):
            raise UserError("an item is neither an object nor a text", where=path)
        yield record


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=where) from None
