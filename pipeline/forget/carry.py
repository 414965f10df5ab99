"""Carrying over: the documents of a shard that stay, and all that was computed about each of them, go under new keys by passing over the
rows that are forgotten. Nothing is scored again, and the files are those that a fresh ingest would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.attributes import BATCH_ROWS as DOCUMENT_ROWS
from pipeline.attributes import catalog_key, write_catalog
from pipeline.curate.examine import BATCH_ROWS as CANDIDATE_ROWS
from pipeline.curate.examine import TABLES, pool_key, table_key, write_pool
from pipeline.curate.shape import run_shape, shaped_key
from pipeline.forget.lineage import Artifact, Graph
from pipeline.forget.match import Dropped, forgotten_key
from pipeline.ingest import documents_writer, forgotten_facts
from pipeline.store import Store, make_key
from pipeline.tables import opened, read
from pipeline.whole import link_or_copy

#: Tables beside documents, row by row.
BESIDE = ("quality", "scores", "signature", "tokens", "contamination")

Mask = npt.NDArray[np.bool_]


def carry(store: Store, graph: Graph, old: Artifact, dropped: Dropped, gone: Mask) -> str:
    """Write the documents of a shard that stay, and what was computed about them.

    :param old: the documents.
    :param dropped: all that is forgotten of the shard, also what was dropped earlier.
    :param gone: rows of ``old`` that are forgotten now.
    :returns: key of the new documents.
    """
    base = old.meta.get("base", old.key)
    new = forgotten_key(base, dropped)
    if not store.has("documents", new):
        _documents(store, old, base, dropped, gone, new)
    with opened(store.path("documents", new) / "documents.parquet") as file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    tables: dict[str, str] = {}
    for one in graph.made_of(old.key):
        if one.stage in BESIDE and one.key == make_key(one.stage, one.meta["version"], documents=old.key):
            key = tables[one.key] = make_key(one.stage, one.meta["version"], documents=new)
            meta = {"documents": new, "version": one.meta["version"], "rows": sum(groups)}
            _rows(store, one, ~gone, key, meta, [new], _slices(groups, DOCUMENT_ROWS), plain=True)
    for one in graph.made_of(old.key):
        if one.stage == "catalog":
            _catalog(store, one, old.key, new, tables, ~gone)
        elif one.stage == "candidates":
            _candidates(store, graph, one, old, new, gone)
    return new


def _documents(store: Store, old: Artifact, base: str, dropped: Dropped, gone: Mask, new: str) -> None:
    folder = store.path("documents", old.key)
    chars, at = 0, 0
    with store.scratch(f"documents-{new[:8]}") as aside:
        with (
            opened(folder / "documents.parquet") as file,
            documents_writer(aside / "documents.parquet") as writer,
        ):
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, use_threads=False)
                table = table.filter(pa.array(~gone[at : at + len(table)]))
                at += file.metadata.row_group(group).num_rows
                if len(table):
                    chars += pc.sum(pc.utf8_length(table["text"])).as_py()
                    writer.write_table(table)
        link_or_copy(folder / "quarantine.parquet", aside / "quarantine.parquet")
        lost = old.meta["dropped"] | {"forgotten": dropped.rows}
        counts = {"documents": int((~gone).sum()), "chars_out": chars, "dropped": lost}
        store.commit(aside, "documents", new, old.meta | counts | forgotten_facts(base, dropped))


def _slices(groups: list[int], rows: int) -> Iterator[int]:
    """Rows of each row group of a table that was computed batch by batch."""
    for n in groups:
        yield from (min(rows, n - start) for start in range(0, n, rows))


def _rows(
    store: Store,
    old: Artifact,
    kept: Mask,
    key: str,
    meta: dict[str, Any],
    inputs: list[str],
    groups: Iterator[int],
    plain: bool,
) -> None:
    """Some rows of a table, under another key.

    :param groups: rows of each row group.
    :param plain: without dictionaries and statistics, as tables beside documents are written.
    """
    if store.has(old.stage, key):
        return
    table = read(store.path(old.stage, old.key) / "data.parquet").filter(pa.array(kept))
    options: dict[str, Any] = {"use_dictionary": False, "write_statistics": False} if plain else {}
    with store.write(old.stage, key, inputs) as (folder, made):
        made.update(meta)
        with pq.ParquetWriter(folder / "data.parquet", table.schema, compression="zstd", **options) as writer:
            at = 0
            for n in groups:
                writer.write_table(table.slice(at, n), row_group_size=n)
                at += n


def _catalog(store: Store, old: Artifact, documents: str, new: str, tables: dict[str, str], kept: Mask) -> None:
    known: dict[str, str] = old.meta["attributes"]
    if old.key != catalog_key(documents, known) or not set(known.values()) <= tables.keys():
        return
    keys = {stage: tables[key] for stage, key in known.items()}
    key = catalog_key(new, keys)
    if store.has("catalog", key):
        return
    table = read(store.path("catalog", old.key) / "catalog.parquet").filter(pa.array(kept))
    at = table.schema.get_field_index("row")
    table = table.set_column(at, table.schema.field(at), pa.array(np.arange(len(table), dtype=np.int32)))
    with store.write("catalog", key, [new, *keys.values()]) as (folder, meta):
        write_catalog(table, folder / "catalog.parquet")
        meta.update(documents=new, attributes=keys, rows=len(table))


def _candidates(store: Store, graph: Graph, old: Artifact, documents: Artifact, new: str, gone: Mask) -> None:
    by = {name: old.meta[name] for name in ("skill", "origin")}
    if old.key != shaped_key(documents.key, **by):
        return
    key = shaped_key(new, **by)
    if not store.has("candidates", key):
        run_shape(store, new, by, key)
    ids = read(store.path("documents", documents.key) / "documents.parquet", ["id"])["id"].filter(pa.array(gone))
    of = read(store.path("candidates", old.key) / "candidates.parquet", ["document"])["document"]
    kept = ~np.asarray(pc.is_in(of, ids.combine_chunks()))
    with opened(store.path("candidates", key) / "candidates.parquet") as file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    for pool in graph.made_of(old.key):
        if pool.stage != "pool":
            continue
        tables: dict[str, str] = pool.meta["tables"]
        if pool.key != pool_key(old.key, tables) or not all(name in graph.artifacts for name in tables.values()):
            continue
        keys: dict[str, str] = {}
        for stage in sorted(tables, key=TABLES.index):
            one = graph.artifacts[tables[stage]]
            keys[stage] = table_key(stage, one.meta["version"], key, keys)
            meta = {"candidates": key, "version": one.meta["version"]}
            _rows(store, one, kept, keys[stage], meta, [key], _slices(groups, CANDIDATE_ROWS), plain=False)
        write_pool(store, key, keys)
