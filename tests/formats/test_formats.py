"""Every format is read back with the library that consumes it. Those not in the test environment skip with a reason.

The consumers of tokenized shards need torch (``pip install torch mosaicml-streaming datatrove`` and
``pip install --no-deps megatron-core``); mosaicml-streaming pins older libraries, so give it an environment of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.formats import FORMATS, MdsWriter, ParquetWriter, shard_writer
from pipeline.formats.reading import TokenFile, is_token_file
from pipeline.tokens import Tokenizer, decoded

MakeTable = Callable[[Tokenizer], pa.Table]


def expected(table: pa.Table, tokenizer: Tokenizer) -> list[list[int]]:
    """Ids of each document with the token that ends it."""
    ids, lengths = tokenizer.encode(table["text"])
    return [[*part.tolist(), tokenizer.eos_id] for part in np.split(ids, np.cumsum(lengths)[:-1])]


@pytest.mark.parametrize("name", FORMATS)
def test_same_table_same_bytes_and_counts(
    name: str, tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable
) -> None:
    table = make_table(tokenizer)
    contents = []
    for folder, rows in (("a", table), ("b", table.combine_chunks())):
        directory = tmp_path / folder
        directory.mkdir()
        writer = shard_writer(name, tokenizer)
        files = writer.write(rows, directory, "train-00000")
        files += writer.finish(directory, files)
        assert sum(file.documents for file in files) == len(table)
        assert sum(file.tokens for file in files) == sum(table["tokens"].to_pylist())
        assert {file.path for file in files} == {path.name for path in directory.iterdir()}
        contents.append({file.path: (directory / file.path).read_bytes() for file in files})
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_shard(name: str, tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    writer = shard_writer(name, tokenizer)
    files = writer.write(make_table(tokenizer).slice(0, 0), tmp_path, "none")
    writer.finish(tmp_path, files)
    assert sum(file.documents for file in files) == 0


def test_unknown_formats_and_missing_tokenizers_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown shard format 'tar'"):
        shard_writer("tar")
    with pytest.raises(ValueError, match="needs a tokenizer"):
        shard_writer("mds")


def test_tokens_of_another_tokenizer_are_refused(
    tokenizer: Tokenizer, small_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable
) -> None:
    with pytest.raises(ValueError, match="not counted by"):
        shard_writer("megatron", small_tokenizer).write(make_table(tokenizer), tmp_path, "x")


@pytest.mark.parametrize("name", ["megatron", "datatrove", "mds"])
def test_token_files_read_back(name: str, any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    table = make_table(any_tokenizer)
    shard_writer(name, any_tokenizer).write(table, tmp_path, "x")
    (path,) = filter(is_token_file, tmp_path.iterdir())
    file = TokenFile(path)
    assert len(file) == len(table)
    rows = np.array([7, 2, len(table) - 1])
    read = file.read(rows)
    texts = decoded(read.ids, read.lengths, any_tokenizer.name)
    assert [text.decode() for text in texts.to_pylist()] == table["text"].take(rows).to_pylist()
    named = name == "mds"
    assert read.labels == (table["id"].take(rows).to_pylist() if named else [])
    assert read.sources == (table["source"].take(rows).to_pylist() if named else [])
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(ValueError, match="cut short"):
        TokenFile(path)
    path.write_bytes(whole)
    damaged = path.with_suffix(".idx") if name == "megatron" else path if named else path.with_name("x.ds.index")
    damaged.write_bytes(damaged.read_bytes()[:3])
    with pytest.raises(ValueError, match="not a file of token ids"):
        TokenFile(path)


def test_parquet(tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    table = make_table(tokenizer)
    ParquetWriter(rows=100, group_bytes=20_000).write(table, tmp_path, "train-00000")
    with pq.ParquetFile(tmp_path / "train-00000.parquet") as file:
        assert file.read().equals(table.combine_chunks())
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        assert len(groups) > 2 and max(group.num_rows for group in groups) <= 100
        columns = {groups[0].column(i).path_in_schema: groups[0].column(i) for i in range(groups[0].num_columns)}
        assert not columns["text"].is_stats_set and columns["tokens"].is_stats_set
        assert columns["source"].has_dictionary_page and not columns["text"].has_dictionary_page
        assert columns["tokens"].has_offset_index and columns["tokens"].has_column_index
        sizes = [sum(len(t.encode()) for t in file.read_row_group(i)["text"].to_pylist()) for i in range(len(groups))]
        assert all(size <= 20_000 or group.num_rows == 1 for size, group in zip(sizes, groups, strict=True))


def test_parquet_in_datasets(tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    datasets = pytest.importorskip("datasets")
    table = make_table(tokenizer)
    shard_writer("parquet").write(table, tmp_path, "train-00000")
    path = str(tmp_path / "train-00000.parquet")
    rows = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["text"][:] == table["text"].to_pylist()
    streamed = datasets.load_dataset("parquet", data_files=path, split="train", streaming=True)
    assert [row["id"] for row in streamed] == table["id"].to_pylist()


def test_jsonl(tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    table = make_table(tokenizer)
    shard_writer("jsonl").write(table, tmp_path, "train-00000")
    with zstandard.open(tmp_path / "train-00000.jsonl.zst", "rt", encoding="utf-8", newline="\n") as file:
        rows = [orjson.loads(line) for line in file]
    assert [row["text"] for row in rows] == table["text"].to_pylist()
    assert list(rows[0]) == table.column_names
    assert rows[0]["created"] == "2020-01-01T00:00:00+00:00"
    assert rows[0]["turns"] == table["turns"][0].as_py()


def test_jsonl_in_datasets(tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    datasets = pytest.importorskip("datasets")
    table = make_table(tokenizer)
    shard_writer("jsonl").write(table, tmp_path, "train-00000")
    path = str(tmp_path / "train-00000.jsonl.zst")
    rows = datasets.load_dataset("json", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["text"][:] == table["text"].to_pylist()


def test_jsonl_in_datatrove(tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    readers = pytest.importorskip("datatrove.pipeline.readers")
    table = make_table(tokenizer)
    shard_writer("jsonl").write(table, tmp_path, "train-00000")
    reader = readers.JsonlReader(str(tmp_path), glob_pattern="*.jsonl.zst")
    documents = list(reader.run())
    assert [document.text for document in documents] == table["text"].to_pylist()
    assert documents[5].metadata["source"] == table["source"][5].as_py()


def test_megatron_in_megatron_core(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    indexed = pytest.importorskip(
        "megatron.core.datasets.indexed_dataset", reason="needs torch and megatron-core", exc_type=ImportError
    )
    table = make_table(any_tokenizer)
    shard_writer("megatron", any_tokenizer).write(table, tmp_path, "train-00000")
    dataset = indexed.IndexedDataset(str(tmp_path / "train-00000"))
    want = expected(table, any_tokenizer)
    assert [dataset[i].tolist() for i in range(len(dataset))] == want
    assert dataset.document_indices.tolist() == list(range(len(want) + 1))
    assert dataset.sequence_lengths.tolist() == list(map(len, want))
    narrow = any_tokenizer.vocab_size < 65_500
    assert dataset[0].dtype == (np.uint16 if narrow else np.int32)
    assert indexed.DType.optimal_dtype(any_tokenizer.vocab_size) == dataset[0].dtype
    assert dataset.get(3, offset=0, length=2).tolist() == want[3][:2]


def test_megatron_equals_datatroves_writer(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    megatron = pytest.importorskip("datatrove.pipeline.tokens.megatron_tokenizer")
    table = make_table(any_tokenizer)
    shard_writer("megatron", any_tokenizer).write(table, tmp_path, "ours")
    narrow = any_tokenizer.vocab_size < 65_500
    theirs = megatron.MegatronTokenizedFile(str(tmp_path), "theirs", token_size=2 if narrow else 4)
    for ids in expected(table, any_tokenizer):
        theirs.write(ids)
    theirs.close()
    for suffix in ("bin", "idx"):
        assert (tmp_path / f"ours.{suffix}").read_bytes() == (tmp_path / f"theirs.{suffix}").read_bytes()


def test_datatrove_in_its_dataset(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    pytest.importorskip("torch", reason="datatrove's datasets need torch")
    reader = pytest.importorskip("datatrove.utils.dataset")
    table = make_table(any_tokenizer)
    writer = shard_writer("datatrove", any_tokenizer)
    for i in (0, 1):
        writer.write(table.slice(i * 100, 100), tmp_path, f"train-{i:05d}")
    size = 2 if any_tokenizer.vocab_size <= 1 << 16 else 4
    length = 32
    for i in (0, 1):
        documents = expected(table.slice(i * 100, 100), any_tokenizer)
        flat = [token for document in documents for token in document]
        ends = set(np.cumsum([len(document) for document in documents]).tolist())
        data = reader.DatatroveFileDataset(
            str(tmp_path / f"train-{i:05d}.ds"), seq_len=length, token_size=size, return_positions=True
        )
        assert len(data) == len(flat) // (length + 1)
        for n in range(len(data)):
            window = slice(n * (length + 1), (n + 1) * (length + 1))
            assert data[n]["input_ids"].tolist() == flat[window]
            # datatrove counts positions from the last document's end, or from the window's start.
            positions, at = [], 0
            for place in range(window.start, window.stop):
                at = 0 if place in ends else at
                positions.append(at)
                at += 1
            assert data[n]["positions"].tolist() == positions
    folder = reader.DatatroveFolderDataset(str(tmp_path), seq_len=length, filename_pattern="*.ds", token_size=size)
    first = [t for d in expected(table.slice(0, 100), any_tokenizer) for t in d]
    assert folder[0]["input_ids"].tolist() == first[: length + 1]


def test_datatrove_equals_its_writer(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    tokens = pytest.importorskip("datatrove.pipeline.tokens.tokenizer")
    table = make_table(any_tokenizer)
    shard_writer("datatrove", any_tokenizer).write(table, tmp_path, "ours")
    theirs = tokens.TokenizedFile(
        str(tmp_path),
        "theirs.ds",
        # of one in a file its name alone
        tokenizer_name_or_path=any_tokenizer.name.rsplit("/", 1)[-1],
        save_final_metadata=True,
        token_size=2 if any_tokenizer.vocab_size <= 1 << 16 else 4,
    )
    for ids in expected(table, any_tokenizer):
        theirs.write(ids, None)
    theirs.close()
    for suffix in ("ds", "ds.index", "ds.metadata"):
        assert (tmp_path / f"ours.{suffix}").read_bytes() == (tmp_path / f"theirs.{suffix}").read_bytes()


def test_mds_in_streaming(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    table = make_table(any_tokenizer)
    writer = MdsWriter(any_tokenizer, size_limit=20_000)
    files = [file for i in (0, 1) for file in writer.write(table.slice(i * 100, 100), tmp_path, f"train-{i:05d}")]
    assert len(files) > 2
    writer.finish(tmp_path, files)
    want = expected(table.slice(0, 200), any_tokenizer)
    local = streaming.LocalDataset(str(tmp_path))
    assert [local[i]["tokens"].tolist() for i in range(len(local))] == want
    assert [local[i]["id"] for i in range(len(local))] == table["id"].to_pylist()[:200]
    streaming.base.util.clean_stale_shared_memory()
    streamed = streaming.StreamingDataset(local=str(tmp_path), shuffle=False, batch_size=1)
    assert [row["tokens"].tolist() for row in streamed] == want


def test_mds_equals_its_writer(any_tokenizer: Tokenizer, tmp_path: Path, make_table: MakeTable) -> None:
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    table = make_table(any_tokenizer)
    writer = MdsWriter(any_tokenizer, size_limit=20_000)
    ours = tmp_path / "ours"
    ours.mkdir()
    files = writer.write(table, ours, "shard")
    writer.finish(ours, files)
    narrow = any_tokenizer.vocab_size <= 1 << 16
    columns = {"id": "str", "source": "str", "tokens": "ndarray:uint16" if narrow else "ndarray:int32"}
    dtype = np.uint16 if narrow else np.int32
    with streaming.MDSWriter(out=str(tmp_path / "theirs"), columns=columns, size_limit=20_000) as theirs:
        for name, source, ids in zip(
            table["id"].to_pylist(), table["source"].to_pylist(), expected(table, any_tokenizer), strict=True
        ):
            theirs.write({"id": name, "source": source, "tokens": np.array(ids, dtype)})
    shards = [json.loads((folder / "index.json").read_text())["shards"] for folder in (ours, tmp_path / "theirs")]
    assert len(shards[0]) == len(shards[1]) > 1
    for mine, other in zip(*shards, strict=True):
        a, b = ours / mine["raw_data"].pop("basename"), tmp_path / "theirs" / other["raw_data"].pop("basename")
        assert a.read_bytes() == b.read_bytes()
        assert mine == other
