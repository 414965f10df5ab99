"""Scoring texts outside a mix: any JSON-lines file in, one row a text out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from classifiers.language import LanguageId
from classifiers.scorer import Scorer
from classifiers.taxonomy import Effort
from sources.errors import UserError
from sources.files import open_named

#: Texts are scored together until they reach one of these.
BATCH_ROWS = 2_000
BATCH_CHARS = 4_000_000


def score_file(texts: Path, out: Path, effort: Effort = "balanced") -> dict[str, Any]:
    """Score a JSON-lines file (plain, .gz or .zst).

    :param texts: each line an object with ``text``; ``id`` is kept as it is, else the line's number is used.
    :param out: Parquet file: ``id``, ``language``, then :attr:`classifiers.scorer.Scorer.schema`.
    :param effort: how far the cascade goes, see :mod:`classifiers.scorer`.
    :returns: ``rows``, ``skipped`` lines, and what was wrong with the first of them.
    :raises UserError: the file cannot be read, or ``out`` cannot be written.
    """
    scorer, language = Scorer.load(effort=effort), LanguageId()
    schema = pa.schema([("id", pa.string()), ("language", pa.string()), *scorer.schema])
    skipped: list[str] = []
    n_skipped = rows = 0
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    if out.is_dir():
        raise UserError("the output is a folder", where=out, fix="name a Parquet file with --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror}", where=out, fix="name a file in a folder with --out"
        ) from None
    try:
        with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
            for ids, batch, bad in _batches(texts):
                n_skipped += len(bad)
                skipped += bad[:1]
                if not ids:
                    continue
                array = pa.array(batch, pa.string())
                codes = pa.array(language.detect(array)[0], pa.string())
                scores = scorer.score(array, codes)
                writer.write_batch(
                    pa.RecordBatch.from_arrays([pa.array(ids, pa.string()), codes, *scores.columns], schema=schema)
                )
                rows += len(ids)
        os.replace(aside, out)
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror or error}", where=out, fix="check its permissions") from None
    finally:
        aside.unlink(missing_ok=True)
    return {
        "out": str(out),
        "rows": rows,
        "skipped": n_skipped,
        "first_skipped": skipped[0] if skipped else None,
        "effort": effort,
        "scorer": scorer.version,
    }


def _batches(path: Path) -> Iterator[tuple[list[str], list[str], list[str]]]:
    ids: list[str] = []
    texts: list[str] = []
    bad: list[str] = []
    chars = 0
    with open_named(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
                text = record["text"]
                if not isinstance(text, str):
                    raise TypeError
            except orjson.JSONDecodeError:
                bad.append(f"{path}:{number} is not JSON")
            except (KeyError, TypeError):
                bad.append(f"{path}:{number} has no string in field 'text'")
            else:
                given = record.get("id")
                ids.append(str(number if given is None else given))
                texts.append(text)
                chars += len(text)
            if len(texts) + len(bad) >= BATCH_ROWS or chars >= BATCH_CHARS:
                yield ids, texts, bad
                ids, texts, bad, chars = [], [], [], 0
    yield ids, texts, bad
