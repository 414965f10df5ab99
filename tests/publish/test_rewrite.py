"""Rows as the hub likes them: the same rows, in small row groups, with a page index, in files of a bounded size and bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.publish import rewrite as module
from pipeline.publish.folder import sha256
from pipeline.publish.rewrite import published_schema, rewrite
from sources.errors import UserError
from tests.publish.outputs import document, talk


def written(folder: Path, files: list) -> pa.Table:
    return pa.concat_tables([pq.read_table(folder / file.path) for file in files])


def source(path: Path, table: pa.Table, rows: int = 700) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows)
    return path


def documents(count: int, **changed: object) -> pa.Table:
    return pa.Table.from_pylist([document(number, **changed) for number in range(count)])


def test_the_rows_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    table = documents(2_500)
    paths = [source(tmp_path / f"{n}.parquet", table.slice(n * 1_000, 1_000)) for n in range(3)]
    schema = published_schema(paths)
    files = rewrite("default", "train", paths, schema, tmp_path / "out")
    assert [file.path for file in files] == ["data/default/train-00000-of-00001.parquet"]
    assert files[0].rows == 2_500 and files[0].bytes == (tmp_path / "out" / files[0].path).stat().st_size
    assert files[0].sha256 == sha256(tmp_path / "out" / files[0].path)
    assert written(tmp_path / "out", files).to_pylist() == table.to_pylist()


def test_row_groups_are_small_and_pages_indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_BYTES", 400_000)
    path = source(tmp_path / "a.parquet", pa.concat_tables([documents(6_000), documents(100, text="x" * 50_000)]))
    files = rewrite("default", "train", [path], published_schema([path]), tmp_path / "out")
    with pq.ParquetFile(tmp_path / "out" / files[0].path) as file:
        groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
        assert len(groups) > 10
        assert all(group.num_rows <= module.GROUP_ROWS for group in groups)
        # of several rows, a group holds what it may; a row larger than that is a group of its own
        assert all(group.total_byte_size <= 500_000 for group in groups if group.num_rows > 1)
        column = groups[0].column(0)
        assert column.has_offset_index and column.has_column_index
        assert column.compression == "ZSTD"


def test_a_split_becomes_several_files_numbered_of_their_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 300_000)
    monkeypatch.setattr(module, "GROUP_ROWS", 500)
    path = source(tmp_path / "a.parquet", documents(5_000))
    files = rewrite("default", "train", [path], published_schema([path]), tmp_path / "out")
    assert len(files) > 2
    assert [file.path for file in files] == [
        f"data/default/train-{n:05d}-of-{len(files):05d}.parquet" for n in range(len(files))
    ]
    assert all(file.memory <= 300_000 for file in files)
    assert sum(file.rows for file in files) == 5_000
    assert sorted(path.name for path in (tmp_path / "out/data/default").iterdir()) == [
        Path(file.path).name for file in files
    ]
    assert written(tmp_path / "out", files)["id"].to_pylist() == documents(5_000)["id"].to_pylist()


def test_bytes_depend_on_rows_and_not_on_how_they_lay(tmp_path: Path) -> None:
    table = documents(3_000)
    one = [source(tmp_path / "one.parquet", table, 3_000)]
    many = [source(tmp_path / f"{n}.parquet", table.slice(n * 300, 300), 77) for n in range(10)]
    schema = published_schema(one)
    first = rewrite("default", "train", one, schema, tmp_path / "a")
    second = rewrite("default", "train", many, schema, tmp_path / "b")
    assert [file.sha256 for file in first] == [file.sha256 for file in second]


def test_types_become_plain_and_nested_ones_stay(tmp_path: Path) -> None:
    message = pa.struct(
        [pa.field("role", pa.large_string(), nullable=False), pa.field("content", pa.string(), nullable=False)]
    )
    table = pa.table(
        {
            "id": pa.array(["a", "b"], pa.large_string()),
            "source": pa.array(["x", "y"]).dictionary_encode(),
            "license": pa.array(["CC0-1.0"] * 2),
            "origin": pa.array(["f#1", "f#2"]),
            "messages": pa.array([[{"role": "user", "content": "hi"}], []], pa.large_list(message)),
        }
    )
    path = source(tmp_path / "a.parquet", table)
    schema = published_schema([path])
    assert schema.field("id").type == pa.string() and schema.field("source").type == pa.string()
    assert schema.field("messages").type == pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    files = rewrite("messages", "train", [path], schema, tmp_path / "out")
    assert written(tmp_path / "out", files).to_pylist() == table.to_pylist()


def test_json_lines_become_typed_columns(tmp_path: Path) -> None:
    rows = [
        {
            name: value
            for name, value in talk(n).items()
            if name not in ("messages", "prompt", "completion", "chosen", "rejected", "label")
        }
        for n in range(30)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    schema = published_schema([path])
    assert schema.field("support").type == pa.float32() and schema.field("tokens").type == pa.int32()
    assert schema.field("conversations").type == pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))
    files = rewrite("sharegpt", "train", [path], schema, tmp_path / "out")
    assert written(tmp_path / "out", files).to_pylist() == rows
    path.write_text(path.read_text("utf-8") + '{"id": "x"}\n', "utf-8")
    with pytest.raises(UserError, match="other columns") as caught:
        rewrite("sharegpt", "train", [path], schema, tmp_path / "again")
    assert caught.value.where == f"{path}:31"
    path.write_text('{"id": "x", "surprise": 1}\n', "utf-8")
    with pytest.raises(UserError, match="surprise"):
        published_schema([path])


def test_files_of_one_format_with_other_columns_are_an_error(tmp_path: Path) -> None:
    a = source(tmp_path / "a.parquet", documents(1))
    b = source(tmp_path / "b.parquet", documents(1).drop_columns(["text"]))
    with pytest.raises(UserError, match="different columns"):
        published_schema([a, b])
    (tmp_path / "c.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="not a Parquet file"):
        published_schema([tmp_path / "c.parquet"])


@pytest.mark.parametrize(
    ("origin", "published"),
    [
        ("calm/posts.jsonl#line=3", "calm/posts.jsonl#line=3"),
        ("/home/somebody/corpora/posts.jsonl#byte=3", "posts.jsonl#byte=3"),
        ("file:///home/somebody/posts.jsonl#/a/b", "posts.jsonl#/a/b"),
        ("~/corpora/posts.jsonl", "posts.jsonl"),
        (r"C:\Users\somebody\posts.jsonl#row=1", "posts.jsonl#row=1"),
        ("s3://open-bucket/posts.jsonl#row=1", "s3://open-bucket/posts.jsonl#row=1"),
    ],
)  # fmt: skip
def test_locators_tell_of_no_folder_of_this_machine(tmp_path: Path, origin: str, published: str) -> None:
    path = source(tmp_path / "a.parquet", documents(2, origin=origin))
    files = rewrite("default", "train", [path], published_schema([path]), tmp_path / "out")
    assert set(written(tmp_path / "out", files)["origin"].to_pylist()) == {published}


_GROW = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from pipeline.publish.rewrite import published_schema, rewrite
paths = [Path(p) for p in sys.argv[2:]]
files = rewrite("default", "train", paths, published_schema(paths), Path(sys.argv[1]))
print(sum(f.memory for f in files) >> 20, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    import random

    random.seed(0)
    sea = random.randbytes(1 << 20).hex()  # no two rows alike, so that nothing is small for being the same
    paths = []
    for number in range(8):
        at = [random.randrange(len(sea) - 7_000) for _ in range(8_000)]
        table = pa.Table.from_pylist(
            [document(number * 10_000 + n, text=sea[start : start + 7_000]) for n, start in enumerate(at)]
        )
        paths.append(source(tmp_path / f"{number}.parquet", table, 2_000))
    peaks = []
    for count in (2, 8):
        out = subprocess.run(
            [sys.executable, "-c", _GROW, str(tmp_path / f"out{count}"), *map(str, paths[:count])],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        peaks.append([int(value) for value in out])
    (small, peak_small), (large, peak_large) = peaks
    assert large > 3.5 * small and large > 400
    assert peak_large < peak_small + 120
