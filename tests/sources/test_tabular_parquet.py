"""The parquet reader: row groups, columns and damage, and its Arrow sister formats."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc
from pyarrow import parquet as pq

from sources.errors import UserError
from sources.readers.parquet import ParquetReader
from tests.sources.tabular import read, reader, reasons, ref

ROOT = Path(__file__).parents[2]


def table(rows: int = 1000) -> pa.Table:
    return pa.table(
        {
            "id": [f"k{i}" for i in range(rows)],
            "text": [f"row {i} " + "word " * 30 for i in range(rows)],
            "heavy": [b"x" * 500] * rows,
            "talk": [
                [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "a"}] for i in range(rows)
            ],
            "when": pa.array([1_500_000_000_000] * rows, pa.timestamp("ms", tz="UTC")),
        }
    )


@pytest.mark.parametrize("target", [1, 3000, 1 << 30])
def test_row_groups_give_each_row_once(tmp_path, target):
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path, row_group_size=100)
    records, bad = read("parquet", path, target=target, text="text", created="when")
    assert not bad
    assert [r.origin for r in records] == [f"a.parquet#row={i + 1}" for i in range(1000)]
    assert records[500].text.startswith("row 500 ")
    assert records[0].created.year == 2017


def test_large_files_are_cut_by_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path, row_group_size=100)
    splits = reader("parquet", text="text").splits([ref(path)], path.stat().st_size // 5)
    assert 5 <= len(splits) <= 10
    assert [s.start for s in splits[1:]] == [s.stop for s in splits[:-1]]
    assert (splits[0].start, splits[-1].stop) == (0, None)


def test_only_mapped_columns_are_read(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(table(10), path)
    seen = []
    monkeypatch.setattr(
        ParquetReader, "_batch", lambda self, file, before, batch: seen.append(batch.schema.names) or iter(())
    )
    read("parquet", path, key="id", turn_list={"path": "talk", "text": "content", "role": "role"})
    assert seen == [["id", "talk"]]


def test_nested_turns(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(3), path)
    records, _ = read(
        "parquet",
        path,
        turn_list={
            "path": "talk",
            "text": "content",
            "role": "role",
            "roles": {"user": "user", "assistant": "assistant"},
        },
    )
    assert [(t.role, t.text) for t in records[2].turns] == [("user", "q2"), ("assistant", "a")]


def test_missing_column_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(3), path)
    with pytest.raises(UserError, match="does not have: body"):
        read("parquet", path, text="body")


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_files(tmp_path, kind):
    path = tmp_path / "a.arrow"
    data = table(10)
    with (ipc.new_file if kind == "file" else ipc.new_stream)(str(path), data.schema) as writer:
        writer.write_table(data, max_chunksize=4)
    records, bad = read("parquet", path, text="text", key="id", batch_rows=3)
    assert not bad
    assert [r.key for r in records] == [f"k{i}" for i in range(10)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_arrow_files_of_polars_that_are_no_streams_inside(tmp_path, monkeypatch, compression, suffix):
    pl.DataFrame({"text": [f"row {i}" for i in range(3000)]}).write_ipc(tmp_path / "a.arrow", compression=compression)
    if suffix:
        (tmp_path / "a.arrow.gz").write_bytes(gzip.compress((tmp_path / "a.arrow").read_bytes()))
    opened, open_file = [], ipc.open_file
    monkeypatch.setattr(
        ipc, "open_file", lambda source, **options: opened.append(source) or open_file(source, **options)
    )
    records, bad = read("parquet", tmp_path / f"a.arrow{suffix}", text="text")
    assert (len(records), bad) == (3000, [])
    # a thread reads the end of such a file: nothing of Python's may be in its hands
    assert [type(source) for source in opened] == [pa.OSFile]


def test_an_arrow_file_that_is_cut_off_keeps_its_rows(tmp_path):
    path = tmp_path / "a.arrow"
    data = table(10)
    with ipc.new_file(str(path), data.schema) as writer:
        writer.write_table(data, max_chunksize=4)
    path.write_bytes(path.read_bytes()[:-50])
    records, bad = read("parquet", path, text="text", key="id")
    assert [r.key for r in records] == [f"k{i}" for i in range(10)]
    assert [(b.origin, b.reason) for b in bad] == [("a.arrow", "invalid_parquet")]


_THREADS = """
import os, sys
from pathlib import Path
from tests.hostile.conftest import read
import numpy, pyarrow.parquet
files = {p.name: p.read_bytes() for p in Path(sys.argv[1]).iterdir()}
before = len(os.listdir("/proc/self/task"))
found = read(Path(sys.argv[1]) / "out", "parquet", files, text="text")
print(len(found), len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux shows them")
def test_no_thread_of_arrow_reads_what_python_opened(tmp_path):
    # Such a thread may let go of Python's buffers when Python ends already: "terminate called without an active exception", SIGABRT.
    pq.write_table(table(10), tmp_path / "a.parquet")
    done = subprocess.run(
        [sys.executable, "-c", _THREADS, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == ["10", "0"]


def test_damaged_files_are_quarantined(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path, row_group_size=100)
    path.write_bytes(path.read_bytes()[:-100])
    assert reasons(read("parquet", path, target=10, text="text")[1]) == ["invalid_parquet"]
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert reasons(read("parquet", path, text="text")[1]) == ["lfs_pointer"]


def test_invalid_utf8_spoils_one_row_only(tmp_path):
    path = tmp_path / "a.parquet"
    raw = pa.array([b"one", b"caf\xe9", b"two"], pa.binary())
    pq.write_table(pa.table({"text": pa.StringArray.from_buffers(3, *raw.buffers()[1:])}), path)
    records, bad = read("parquet", path, text="text")
    assert [r.text for r in records] == ["one", "two"]
    assert [(b.origin, b.reason) for b in bad] == [("a.parquet#row=2", "invalid_utf8")]


def test_grouped_rows_keep_a_file_whole(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"d": [1, 2, 1], "n": [1, 0, 0], "t": ["b", "x", "a"]}), path, row_group_size=1)
    records, _ = read("parquet", path, target=1, text="t", group={"by": "d", "order": ["n"]})
    assert [(r.key, r.text) for r in records] == [("1", "a\nb"), ("2", "x")]
