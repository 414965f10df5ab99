"""Emit: the plan becomes shards. Two steps, neither of which holds more than one shard in memory.

*Scatter*: a task a shard of documents picks its planned rows and writes them, sorted by output shard, as one Arrow file with a batch
an output shard (an artifact of stage ``work/scatter``, so tasks may run on different machines). *Gather*: a task an output shard takes
its batch from each of those files, sorts by position and writes the formats. The order is the plan's, so bytes do not depend on how
many workers there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.taxonomy import FACETS, STANCE
from pipeline.attributes import SHARD_FIELDS, read_documents
from pipeline.console import Progress
from pipeline.execute import Step, run_step
from pipeline.formats import FORMATS_VERSION, Written, shard_writer
from pipeline.store import Store, make_key
from pipeline.tables import opened, read, read_between
from pipeline.tokens import load_tokenizer
from sources.digests import sha256

EMIT_VERSION = 2

#: Stage of what goes from scatter to gather.
SCATTER = "work/scatter"

SCORE_FIELDS = ["relevance", "support", *(f"facet_{name}" for name in FACETS), "safety_disclosure"]

#: Columns of a Parquet or JSON-lines shard. Scores are probabilities (``relevance`` 0-5, ``support`` 0-3), null where the
#: classifiers abstained; ``epoch`` counts a document's copies from 0; ``cluster_size`` its near-duplicates, itself included.
SHARD_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in SHARD_FIELDS),
        ("tokens", pa.int32()),
        ("epoch", pa.int32()),
        ("cluster_size", pa.int32()),
        ("quality", pa.float32()),
        ("stance", pa.string()),
        *((name, pa.float32()) for name in SCORE_FIELDS),
    ]
)

_PLACES = pa.schema([("split", pa.string()), ("out", pa.int32()), ("position", pa.int64())])


def emit_key(plan: str, formats: list[str]) -> str:
    """Key of the shards of a plan; which tokenizer counted and encodes is in the plan's own key."""
    return make_key("emit", EMIT_VERSION, plan=plan, formats=formats, formats_version=FORMATS_VERSION)


class ScatterStep(Step):
    """Picks the planned rows of some shards of documents, one shard after another."""

    name = "scatter"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        for shard in task["shards"]:
            # there, where a job that was lost runs again
            if not store.has(SCATTER, shard["key"]):
                self._scatter(store, task["plan"], task["outputs"], **shard)

    @staticmethod
    def _scatter(
        store: Store, plan_name: str, outputs: list[list[Any]], shard: int, documents: str, catalog: str, key: str
    ) -> None:
        places = read_between(store.path("plan", plan_name) / "plan.parquet", "shard", shard, shard)
        places = _of_outputs(places, outputs).sort_by([("row", "ascending"), ("epoch", "ascending")])
        facts = read(store.path("catalog", catalog) / "catalog.parquet")
        rows = np.asarray(places["row"])
        at = 0
        picked: list[pa.Table] = []
        for batch in read_documents(store, documents, SHARD_FIELDS):
            low, high = np.searchsorted(rows, [at, at + batch.num_rows])
            if high > low:
                texts = pa.Table.from_batches([batch]).take(pa.array(rows[low:high] - at))
                picked.append(_columns(texts, places.slice(low, high - low), facts.take(pa.array(rows[low:high]))))
            at += batch.num_rows
        table = (
            pa.concat_tables(picked)
            .sort_by([("split", "ascending"), ("out", "ascending"), ("position", "ascending")])
            .combine_chunks()
        )
        outs = list(zip(table["split"].to_pylist(), table["out"].to_pylist(), strict=True))
        starts = [i for i in range(len(outs)) if i == 0 or outs[i] != outs[i - 1]]
        index = {f"{outs[i][0]}-{outs[i][1]}": str(n) for n, i in enumerate(starts)}
        schema = table.schema.with_metadata(index)
        with (
            store.write(SCATTER, key) as (folder, _),
            pa.OSFile(str(folder / "rows.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            for start, stop in zip(starts, [*starts[1:], len(outs)], strict=True):
                writer.write_table(table.slice(start, stop - start), max_chunksize=stop - start)


def _columns(texts: pa.Table, places: pa.Table, catalog: pa.Table) -> pa.Table:
    stances = np.stack([catalog[f"stance_{name}"].to_numpy() for name in STANCE], axis=1)
    abstained = np.isnan(stances).any(axis=1)
    names = np.array(list(STANCE))[np.where(np.isnan(stances), -1.0, stances).argmax(axis=1)]
    columns: dict[str, Any] = {name: texts[name] for name in SHARD_FIELDS}
    columns |= {name: places[name] for name in ("tokens", "epoch", "cluster_size")}
    columns["quality"] = catalog["quality"]
    columns["stance"] = pa.array(names, pa.string(), mask=abstained)
    columns |= {name: catalog[name] for name in SCORE_FIELDS}
    columns |= {name: places[name] for name in _PLACES.names}
    # 64-bit offsets while rows are sorted: a large shard, repeated four times, may pass 2 GB of text
    wide = [field.with_type(pa.large_string()) if field.name == "text" else field for field in SHARD_SCHEMA]
    return pa.table(columns).cast(pa.schema([*wide, *_PLACES]))


def _of_outputs(places: pa.Table, outputs: list[list[Any]]) -> pa.Table:
    """The rows that go to the given output shards, as (split, number)."""
    splits, numbers = places["split"].to_numpy(zero_copy_only=False), places["out"].to_numpy()
    wanted = np.zeros(len(places), bool)
    for split in {split for split, _ in outputs}:
        wanted |= (splits == split) & np.isin(numbers, [number for name, number in outputs if name == split])
    return places.filter(pa.array(wanted))


def _shards_of(plan: Path, outputs: list[list[Any]]) -> list[int]:
    """The shards of documents that have rows in the given output shards."""
    found: set[int] = set()
    with opened(plan) as file:
        for group in range(file.num_row_groups):
            places = file.read_row_group(group, columns=["shard", "split", "out"], use_threads=False)
            found.update(pc.unique(_of_outputs(places, outputs)["shard"]).to_pylist())
    return sorted(found)


class GatherStep(Step):
    """Writes one output shard in every format asked for."""

    name = "gather"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        if store.has("shard", task["key"]):
            return
        label = f"{task['split']}-{task['out']}".encode()
        parts: list[pa.Table] = []
        for folder in store.paths(SCATTER, task["parts"]):
            with pa.memory_map(str(folder / "rows.arrow")) as source:
                reader = pa.ipc.open_file(source)
                if (number := (reader.schema.metadata or {}).get(label)) is not None:
                    parts.append(pa.Table.from_batches([reader.get_batch(int(number))]).replace_schema_metadata())
        table = pa.concat_tables(parts).sort_by("position").select(SHARD_SCHEMA.names).cast(SHARD_SCHEMA)
        with store.write("shard", task["key"], task["inputs"]) as (folder, meta):
            files = []
            for name in task["formats"]:
                writer = shard_writer(name, load_tokenizer(task["tokenizer"]))
                (folder / name / task["split"]).mkdir(parents=True)
                for written in writer.write(table, folder / name / task["split"], f"{task['out']:05d}"):
                    files.append(file_entry(folder, name, task["split"], written) | {"rows": task["rows"]})
            meta.update(files=files)


def file_entry(folder: Path, name: str, split: str, written: Written) -> dict[str, Any]:
    """What the manifest says of a file.

    :param folder: holds ``<format>/<split>/``, where the writer put it.
    """
    path = folder / name / split / written.path
    return {
        "path": f"{name}/{split}/{written.path}",
        "format": name,
        "split": split,
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "documents": written.documents,
        "tokens": written.tokens,
    }


def run_emit(
    store: Store,
    plan: str,
    outputs: list[dict[str, Any]],
    shards: list[tuple[str, str]],
    *,
    formats: list[str],
    tokenizer: str,
    workers: int,
    progress: Progress,
) -> list[str]:
    """Write shards of a plan into the store.

    :param outputs: those to write, as the plan's meta lists them.
    :param shards: (documents key, catalog key) of each shard of documents, in the plan's order.
    :returns: keys of the ``shard`` artifacts, in the order of ``outputs``.
    """
    emit = emit_key(plan, formats)
    keys = [make_key("shard", EMIT_VERSION, emit=emit, split=o["split"], out=o["out"]) for o in outputs]
    todo = [(o, key) for o, key in zip(outputs, keys, strict=True) if not store.has("shard", key)]
    if not todo:
        return keys
    numbers = [[o["split"], o["out"]] for o, _ in todo]
    used = _shards_of(store.path("plan", plan) / "plan.parquet", numbers)
    # what is picked depends on which shards are to be written, and so does its key
    parts = [make_key("scatter", EMIT_VERSION, plan=plan, outputs=numbers, shard=shard) for shard in used]
    parts_of = [
        {"shard": shard, "documents": shards[shard][0], "catalog": shards[shard][1], "key": part}
        for shard, part in zip(used, parts, strict=True)
        if not store.has(SCATTER, part)
    ]
    # Many shards are small: a few tasks for each worker cost less than a task for each shard.
    size = max(1, -(-len(parts_of) // (workers * 4)))
    scatter = [
        {"plan": plan, "outputs": numbers, "shards": parts_of[i : i + size]} for i in range(0, len(parts_of), size)
    ]
    run_step(ScatterStep, store, scatter, workers=workers, progress=progress, label="pick documents")
    gather = [
        {
            "split": output["split"],
            "out": output["out"],
            "rows": output["rows"],
            "key": key,
            "inputs": [plan],
            "parts": parts,
            "formats": formats,
            "tokenizer": tokenizer,
        }
        for output, key in todo
    ]
    run_step(GatherStep, store, gather, workers=workers, progress=progress, label="write shards")
    return keys
