"""Duplicates across all sources: which documents say the same, verified.

Four steps over the signature tables; none holds the corpus in memory.

1. *Exact*: documents whose normalised words are the same, by hash and length; one of each goes on.
2. *Candidates*: documents that share an LSH band key. One band at a time, in DuckDB, which spills; a document is paired with the
   first of its bucket and the few before it, never all with all, so a bucket of 100,000 costs 100,000 times a constant.
3. *Verification*: exact Jaccard of the full shingle sets. Tasks write the sets of candidate documents, shard by shard; pairs are
   compared through memory maps. About half of all candidates are false; merged unverified, they grow giant clusters.
4. *Clusters*: connected components of verified pairs. Which member stays is not decided here but when a mix is planned, because
   it depends on the recipe (licence, then quality, then length, then id), so a changed threshold does not come back to this stage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.attributes import read_documents
from pipeline.console import Progress
from pipeline.database import connect, files, number_files
from pipeline.execute import Step, run_step
from pipeline.minhash import BANDS, jaccard, shingle_sets
from pipeline.store import Store, make_key

DEDUP_VERSION = 1

#: A bucket member is paired with this many members before it, besides the first.
NEIGHBOURS = 3

CLUSTERS_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),
        ("row", pa.int32()),
        ("cluster", pa.uint64()),
        ("exact_group", pa.uint64()),
        ("cluster_size", pa.int32()),
    ]
)


def dedup_key(signatures: list[str], threshold: float | None) -> str:
    """Key of the clusters over the given signature tables, in order."""
    return make_key("clusters", DEDUP_VERSION, signatures=signatures, threshold=threshold)


def run_dedup(
    store: Store,
    documents: list[str],
    signatures: list[str],
    threshold: float | None,
    *,
    memory: str,
    workers: int,
    progress: Progress,
) -> str:
    """Find duplicates among shards of documents.

    :param documents, signatures: keys of the shards' documents and signature tables, in the same order.
    :param threshold: Jaccard similarity of a near-duplicate; None finds exact ones only.
    :returns: key of the artifact: ``clusters.parquet`` (:data:`CLUSTERS_SCHEMA`) with a row for each document that has a
        duplicate. ``cluster`` is the smallest ``shard << 32 | row`` of its members, ``exact_group`` that of its exact copies.
    """
    key = dedup_key(signatures, threshold)
    with (
        store.write("clusters", key, [*documents, *signatures]) as (folder, meta),
        store.scratch("dedup") as scratch,
        connect(scratch, memory, workers) as con,
    ):
        paths = [store.path("signature", name) / "data.parquet" for name in signatures]
        _load(con, paths)
        pairs = np.empty((0, 2), np.int64)
        n_candidates = 0
        if threshold is not None:
            _candidates(con)
            n_candidates = _count(con, "candidates")
            if n_candidates:
                _write_sets(store, con, documents, scratch, workers, progress)
                pairs = _verify(con, scratch, threshold)
        meta.update(
            documents=_count(con, "signatures"),
            exact_copies=_count(con, "signatures WHERE doc <> exact_group"),
            candidate_pairs=n_candidates,
            verified_pairs=len(pairs),
            threshold=threshold,
        )
        meta["clusters"] = _write_clusters(con, pairs, folder / "clusters.parquet")
    return key


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]


def _load(con: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
    number_files(con, "shards", paths)
    # A document without words (symbols only) has nothing to compare: it is its own group.
    con.execute(f"""
        CREATE TABLE signatures AS
        SELECT doc, CASE WHEN words = 0 THEN doc ELSE min(doc) OVER (PARTITION BY exact, words) END AS exact_group
        FROM (SELECT (s.shard::BIGINT << 32) | f.file_row_number AS doc, f.exact, f.words
              FROM read_parquet({files(paths)}, file_row_number = true, filename = true) f JOIN shards s ON s.path = f.filename)
    """)


def _candidates(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE representatives AS SELECT doc FROM signatures WHERE doc = exact_group")
    con.execute("CREATE TABLE found (a BIGINT, b BIGINT)")
    paths = [Path(row[0]) for row in con.execute("SELECT path FROM shards ORDER BY shard").fetchall()]
    before = ", ".join(f"lag(doc, {n}) OVER w AS before{n}" for n in range(1, NEIGHBOURS + 1))
    for band in range(1, BANDS + 1):
        lags = " UNION ALL ".join(
            f"SELECT doc AS b, {other} AS a FROM bucket"
            for other in ("first", *(f"before{n}" for n in range(1, NEIGHBOURS + 1)))
        )
        con.execute(f"""
            INSERT INTO found
            WITH keyed AS (
                SELECT (s.shard::BIGINT << 32) | f.file_row_number AS doc, f.bands[{band}] AS key
                FROM read_parquet({files(paths)}, file_row_number = true, filename = true) f JOIN shards s ON s.path = f.filename
                WHERE f.words > 0
            ), kept AS (
                SELECT keyed.* FROM keyed SEMI JOIN representatives USING (doc)
            ), shared AS (
                SELECT kept.* FROM kept SEMI JOIN (SELECT key FROM kept GROUP BY key HAVING count(*) > 1) USING (key)
            ), bucket AS (
                SELECT doc, first_value(doc) OVER w AS first, {before}
                FROM shared WINDOW w AS (PARTITION BY key ORDER BY doc)
            )
            SELECT DISTINCT a, b FROM ({lags}) WHERE a IS NOT NULL AND a <> b
        """)
    con.execute("CREATE TABLE candidates AS SELECT DISTINCT a, b FROM found")
    con.execute("DROP TABLE found")


class ShingleStep(Step):
    """Writes the shingle sets of one shard's candidate documents as an Arrow file that can be memory-mapped."""

    name = "shingles"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        rows = np.asarray(task["rows"], dtype=np.int64)
        schema = pa.schema([("row", pa.int32()), ("shingles", pa.large_list(pa.uint64()))])
        at = 0
        with pa.OSFile(task["out"], "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            tables = []
            for batch in read_documents(store, task["documents"], ["text"]):
                here = rows[(rows >= at) & (rows < at + batch.num_rows)]
                if len(here):
                    flat, offsets = shingle_sets(batch["text"].take(pa.array(here - at)))
                    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat))
                    tables.append(pa.RecordBatch.from_arrays([pa.array(here, pa.int32()), lists], schema=schema))
                at += batch.num_rows
            # one batch, so that a reader sees flat arrays without joining
            for batch in pa.Table.from_batches(tables, schema=schema).combine_chunks().to_batches():
                writer.write_batch(batch)


def _write_sets(
    store: Store, con: duckdb.DuckDBPyConnection, documents: list[str], scratch: Path, workers: int, progress: Progress
) -> None:
    rows = con.execute("""
        SELECT doc >> 32 AS shard, list(doc & 4294967295 ORDER BY doc) AS rows
        FROM (SELECT a AS doc FROM candidates UNION SELECT b FROM candidates) GROUP BY shard ORDER BY shard
    """).fetchall()
    tasks = [
        {"documents": documents[shard], "rows": list(map(int, members)), "out": str(scratch / f"{shard}.arrow")}
        for shard, members in rows
    ]
    run_step(
        ShingleStep,
        store,
        tasks,
        workers=workers,
        progress=progress,
        label="verify duplicates",
        weight=lambda task: len(task["rows"]),
    )


def _sets(path: Path) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
    lists = batch["shingles"]
    return np.asarray(batch["row"]), (np.asarray(lists.values), np.asarray(lists.offsets))


def _verify(con: duckdb.DuckDBPyConnection, scratch: Path, threshold: float) -> np.ndarray:
    """Pairs at least ``threshold`` similar: int64 (m, 2)."""
    kept: list[np.ndarray] = []
    shards = con.execute("SELECT DISTINCT a >> 32, b >> 32 FROM candidates ORDER BY 1, 2").fetchall()
    for left, right in shards:
        table = con.sql(
            f"SELECT a, b FROM candidates WHERE a >> 32 = {left} AND b >> 32 = {right} ORDER BY a, b"
        ).to_arrow_table()
        a, b = (np.asarray(table[name].combine_chunks()) for name in ("a", "b"))
        left_rows, left_sets = _sets(scratch / f"{left}.arrow")
        right_rows, right_sets = _sets(scratch / f"{right}.arrow")
        similarity = jaccard(
            left_sets,
            right_sets,
            np.searchsorted(left_rows, a & 0xFFFFFFFF),
            np.searchsorted(right_rows, b & 0xFFFFFFFF),
        )
        good = similarity >= threshold
        kept.append(np.stack([a[good], b[good]], axis=1))
    return np.concatenate(kept) if kept else np.empty((0, 2), np.int64)


def _write_clusters(con: duckdb.DuckDBPyConnection, pairs: np.ndarray, path: Path) -> int:
    """Join verified pairs and exact groups into clusters; returns how many have more than one member."""
    nodes = np.unique(pairs)
    if len(nodes):
        # here, because it takes a while to import and most runs find their clusters in the store
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        graph = coo_array(
            (np.ones(len(pairs), np.int8), (np.searchsorted(nodes, pairs[:, 0]), np.searchsorted(nodes, pairs[:, 1]))),
            shape=(len(nodes), len(nodes)),
        )
        _, component = connected_components(graph, directed=False)
        smallest = np.full(component.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(smallest, component, nodes)
        near = pa.table({"exact_group": nodes, "cluster": smallest[component]})
    else:
        near = pa.table({"exact_group": pa.array([], pa.int64()), "cluster": pa.array([], pa.int64())})
    con.register("near", near)
    table = con.sql("""
        SELECT doc >> 32 AS shard, doc & 4294967295 AS row, cluster, exact_group, cluster_size
        FROM (SELECT doc, exact_group, coalesce(cluster, exact_group) AS cluster,
                     count(*) OVER (PARTITION BY coalesce(cluster, exact_group)) AS cluster_size
              FROM signatures LEFT JOIN near USING (exact_group))
        WHERE cluster_size > 1 ORDER BY doc
    """).to_arrow_table()
    table = table.cast(CLUSTERS_SCHEMA)
    pq.write_table(table, path, compression="zstd")
    return pc.count_distinct(table["cluster"]).as_py() if len(table) else 0
