"""The main path of finding duplicates. Every step is tasks that pass rows on through the store; none holds the corpus.

1. *Exact* (``exact.py``): documents whose normalised words are the same, by hash and length; one of each goes on.
2. *Candidates* (``join.py``): documents that share an LSH band key, by band and range of keys.
3. *Verification* (``verify.py``): exact Jaccard of the full shingle sets, by group of shards.
4. *Clusters* (``components.py``): connected components of verified pairs. Which member stays is not decided here but when a mix is
   planned, because it depends on the recipe (licence, then quality, then length, then id), so a changed threshold does not come
   back to this stage.

``division.py`` says into how many tasks; ``exchange.py`` is how they pass rows on. At the end the main process joins the exact groups
and the clusters into one table, in DuckDB, which spills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.console import Progress
from pipeline.database import connect, files, memory_bytes
from pipeline.dedup.components import edges_key, run_components
from pipeline.dedup.division import Division, Shard
from pipeline.dedup.exact import CopiesStep, HashStep, copies, copies_key, hashes
from pipeline.dedup.exchange import Exchange
from pipeline.dedup.join import CandidateStep, KeyStep, band_keys, candidates
from pipeline.dedup.verify import ShingleStep, VerifyStep, shingles
from pipeline.execute import Step, run_step
from pipeline.store import Store, make_key

DEDUP_VERSION = 1

CLUSTERS_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),
        ("row", pa.int32()),
        ("cluster", pa.uint64()),
        ("exact_group", pa.uint64()),
        ("cluster_size", pa.int32()),
    ]
)

#: Rows of a row group, and of what is held while the table is written.
ROW_GROUP = 1 << 20


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
    division: Division | None = None,
) -> str:
    """Find duplicates among shards of documents.

    :param documents, signatures: keys of the shards' documents and signature tables, in the same order.
    :param threshold: Jaccard similarity of a near-duplicate; None finds exact ones only.
    :param memory: what all workers hold together besides the program itself, e.g. ``2GB``.
    :param division: of the work, by default from the number of documents and the memory; results do not depend on it.
    :returns: key of the artifact: ``clusters.parquet`` (:data:`CLUSTERS_SCHEMA`) with a row for each document that has a
        duplicate. ``cluster`` is the smallest ``shard << 32 | row`` of its members, ``exact_group`` that of its exact copies.
    """
    key = dedup_key(signatures, threshold)
    rows = [store.meta("documents", name)["documents"] for name in documents]
    shards = [Shard(n, *facts) for n, facts in enumerate(zip(rows, documents, signatures, strict=True))]
    division = division or Division.of(rows, memory_bytes(memory) // workers)
    run = division.key(key)
    shared = {"run": run, "division": division.to_json(), "threshold": threshold}
    by_group = [
        shared | {"part": group, "shards": [astuple(shard) for shard in division.members(shards, group)]}
        for group in range(division.groups)
    ]
    by_range = [shared | {"part": part} for part in range(division.hashes)]
    by_join = [shared | {"part": part} for part in range(division.joins)]

    def do(step: type[Step], tasks: list[dict[str, Any]], done: Callable[[int], bool], label: str) -> None:
        todo = [task for task in tasks if not done(task["part"])]
        run_step(step, store, todo, workers=workers, progress=progress, label=label, weight=_documents)

    def sent(exchange: Exchange) -> Callable[[int], bool]:
        return lambda part: exchange.sent(store, part)

    do(HashStep, by_group, sent(hashes(run, division)), "send hashes")
    do(CopiesStep, by_range, sent(copies(run, division)), "find exact copies")
    edges: list[str] = []
    labels: list[str] = []
    if threshold is not None:
        do(KeyStep, by_group, sent(band_keys(run, division)), "send band keys")
        pairs = candidates(run, division)
        do(CandidateStep, by_join, sent(pairs), "find candidates")
        if any(pairs.told(store, part)["chunks"] for part in range(division.joins)):
            do(ShingleStep, by_group, sent(shingles(run, division)), "send shingles")
            edges = [edges_key(run, group) for group in range(division.groups)]
            do(VerifyStep, by_group, lambda group: store.has("work/dedup-edges", edges[group]), "verify duplicates")
            labels = run_components(store, run, division, workers=workers, progress=progress)

    exact = [copies_key(run, part) for part in range(division.hashes)]
    verified = [store.meta("work/dedup-edges", name) for name in edges]
    with (
        store.write("clusters", key, [*documents, *signatures]) as (folder, meta),
        store.scratch("dedup") as scratch,
        connect(scratch, memory, workers) as con,
    ):
        meta.update(
            documents=sum(rows),
            exact_copies=sum(store.meta("work/dedup-exact", name)["copies"] for name in exact),
            candidate_pairs=sum(facts["candidates"] for facts in verified),
            verified_pairs=sum(facts["verified"] for facts in verified),
            threshold=threshold,
        )
        meta["clusters"] = _write_clusters(
            con,
            [store.path("work/dedup-exact", name) / "copies.parquet" for name in exact],
            [store.path("work/dedup-labels", name) / "labels.parquet" for name in labels],
            folder / "clusters.parquet",
        )
    return key


def _documents(task: dict[str, Any]) -> int:
    """What a task is worth on the progress bar."""
    return sum(rows for _, rows, *_ in task.get("shards", ())) or 1


def _write_clusters(con: duckdb.DuckDBPyConnection, exact: list[Path], labels: list[Path], path: Path) -> int:
    """Join exact groups and near-duplicates, and count; returns how many clusters there are.

    Every document in these tables has a duplicate, so nothing here grows with those that have none.
    """
    con.execute(f"CREATE VIEW copies AS SELECT * FROM read_parquet({files(exact)})")
    if labels:
        con.execute(f"CREATE VIEW near AS SELECT * FROM read_parquet({files(labels)})")
    else:
        con.execute("CREATE TABLE near (node BIGINT, cluster BIGINT)")
    con.execute("""
        CREATE TABLE members AS
        WITH representatives AS (
            SELECT exact_group AS doc FROM copies UNION SELECT node FROM near UNION SELECT cluster FROM near
        )
        SELECT doc, exact_group, coalesce(cluster, exact_group) AS cluster
        FROM (SELECT * FROM copies UNION ALL SELECT doc, doc FROM representatives) LEFT JOIN near ON node = exact_group
    """)
    # grouped and joined, not a window: that would hold the largest cluster at once
    con.execute("CREATE TABLE sizes AS SELECT cluster, count(*) AS cluster_size FROM members GROUP BY cluster")
    rows = con.sql("""
        SELECT doc >> 32 AS shard, doc & 4294967295 AS row, cluster, exact_group, cluster_size
        FROM members JOIN sizes USING (cluster) ORDER BY doc
    """).to_arrow_reader(ROW_GROUP)
    with pq.ParquetWriter(path, CLUSTERS_SCHEMA, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        for batch in rows:
            while sum(map(len, held)) + len(batch) > ROW_GROUP:
                fits = ROW_GROUP - sum(map(len, held))
                writer.write_table(pa.Table.from_batches([*held, batch.slice(0, fits)]).cast(CLUSTERS_SCHEMA))
                held, batch = [], batch.slice(fits)
            held.append(batch)
        writer.write_table(pa.Table.from_batches(held, rows.schema).cast(CLUSTERS_SCHEMA))
    return con.execute("SELECT count(*) FROM sizes").fetchall()[0][0]
