"""Output folders that are damaged, or that somebody else wrote: ``diff`` and ``explain`` say so."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.diff import diff_outputs
from pipeline.explain import explain
from sources.errors import UserError

DAMAGE: list[tuple[tuple[str, ...], Any]] = [
    (("sources",), 3), (("sources", "sample-forum"), []), (("sources", "sample-forum", "allows"), [[1], {}]), (("lineage",), None),
    (("lineage", "shards"), {}), (("lineage", "plan"), ["x"]), (("lineage", "plan"), "../../../etc"), (("files",), [{"path": "x"}]), (("files",), "x"),
    (("entries",), [[]]), (("thresholds",), 7), (("recipe",), None), (("versions",), 1), (("splits",), "x"), (("kind",), ["mix"]),
]  # fmt: skip


@pytest.mark.parametrize("place,value", DAMAGE)
def test_a_damaged_manifest_is_the_users_to_mend(sample_mix, tmp_path, place, value):
    result, store = sample_mix
    folder = tmp_path / "out"
    shutil.copytree(result.out, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    inner = manifest
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shard = next(path for path in sorted(folder.rglob("*.parquet")))
    document = pq.read_table(shard, columns=["id"])["id"][0].as_py()
    refused = 0
    for attempt in (lambda: diff_outputs(result.out, folder), lambda: explain(folder, document, store)):
        try:
            attempt()
        except UserError as error:
            assert error.where
            refused += 1
    assert refused or place[0] in ("sources", "entries", "thresholds", "recipe", "versions", "splits", "files", "kind")
