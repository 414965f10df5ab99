"""The jsonl reader: ranges, compression, and everything that can be wrong with a line."""

from __future__ import annotations

import gzip
import random
import tracemalloc

import orjson
import pytest
import zstandard

from sources.document import Bad
from tests.sources.tabular import read, reader, reasons, ref


def lines_of(count: int, seed: int = 0) -> list[dict]:
    rng = random.Random(seed)
    return [{"id": i, "text": f"entry {i} " + "word " * rng.randint(0, 40) + "é" * (i % 3)} for i in range(count)]


def write(path, rows) -> bytes:
    data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    path.write_bytes(data)
    return data


@pytest.mark.parametrize("target", [1, 37, 500, 4096, 1 << 20])
def test_ranges_give_each_line_once_with_the_same_locator(tmp_path, target):
    rows = lines_of(300)
    write(tmp_path / "a.jsonl", rows)
    whole, _ = read("jsonl", tmp_path / "a.jsonl", text="text")
    parts, bad = read("jsonl", tmp_path / "a.jsonl", target=target, text="text")
    assert not bad
    assert parts == whole
    assert len({record.key for record in parts}) == 300


def test_locator_is_the_byte_where_the_line_starts(tmp_path):
    path = tmp_path / "a.jsonl"
    data = write(path, lines_of(50))
    for record in read("jsonl", path, target=100, text="text")[0]:
        start = int(record.origin.removeprefix("a.jsonl#byte="))
        assert orjson.loads(data[start:].split(b"\n")[0])["text"] == record.text


def test_last_line_needs_no_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":"one"}\n\n{"text":"two"}')
    for target in (1, 1000):
        assert [r.text for r in read("jsonl", path, target=target, text="text")[0]] == ["one", "two"]


def compress(kind: str, data: bytes) -> bytes:
    # several frames, as the tools that append to dumps write them
    half = data.index(b"\n", len(data) // 2) + 1
    pack = gzip.compress if kind == "gz" else zstandard.compress
    return pack(data[:half]) + pack(data[half:])


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_files_read_like_plain_ones(tmp_path, kind):
    data = write(tmp_path / "a.jsonl", lines_of(200))
    (tmp_path / f"a.jsonl.{kind}").write_bytes(compress(kind, data))
    plain, _ = read("jsonl", tmp_path / "a.jsonl", text="text")
    packed, bad = read("jsonl", tmp_path / f"a.jsonl.{kind}", target=10, text="text")
    assert not bad
    assert [(r.text, r.origin.split("#")[1]) for r in packed] == [(r.text, r.origin.split("#")[1]) for r in plain]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_truncated_stream_keeps_what_came_before(tmp_path, kind):
    rng = random.Random(1)
    rows = [{"text": "".join(rng.choices("abcdefgh ", k=500))} for _ in range(20_000)]
    data = compress(kind, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(data[: len(data) * 3 // 4])
    records, bad = read("jsonl", path, text="text")
    assert reasons(bad) == ["truncated"]
    assert 0.5 < len(records) / 20_000 < 0.8
    assert [r.text for r in records] == [row["text"] for row in rows[: len(records)]]


def test_broken_lines_are_told_apart_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"text":"one"}\n{"text": broken}\n{"text":"caf\xe9"}\n[1]\n{"other":"x"}\n'
        b'{"text":""}\n{"text":{"a":1}}\n{"text":"two"}\n'
    )
    records, bad = read("jsonl", path, text="text")
    assert [r.text for r in records] == ["one", "two"]
    assert reasons(bad) == ["invalid_json", "invalid_utf8", "invalid_json", "missing_field", "empty", "wrong_type"]
    assert bad[0].origin == "a.jsonl#byte=15"
    assert "broken" not in bad[0].detail
    assert "'text'" in bad[3].detail


def test_long_lines_are_refused_wherever_they_fall(tmp_path):
    path = tmp_path / "a.jsonl"
    long = b'{"text":"' + b"x" * 3_000_000 + b'"}\n'
    short = b'{"text":"short"}\n'
    path.write_bytes(short + long + short + long + short)
    records, bad = read("jsonl", path, text="text", max_line_bytes=2048)
    assert len(records) == 3
    assert reasons(bad) == ["line_too_long"] * 2
    assert [b.origin for b in bad] == [f"a.jsonl#byte={len(short)}", f"a.jsonl#byte={2 * len(short) + len(long)}"]
    records, bad = read("jsonl", path, target=1_000_000, text="text", max_line_bytes=2048)
    assert (len(records), len(bad)) == (3, 2)


def test_empty_file_is_no_error(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert read("jsonl", tmp_path / "a.jsonl", text="text") == ([], [])


def test_lfs_pointer_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    records, bad = read("jsonl", path, text="text")
    assert not records
    assert reasons(bad) == ["lfs_pointer"]
    assert "git lfs pull" in bad[0].detail


def test_rows_are_grouped_across_ranges_of_a_file(tmp_path):
    path = tmp_path / "a.jsonl"
    write(path, [{"d": i % 3, "n": -i, "q": f"q{i}"} for i in range(9)])
    made, bad = read("jsonl", path, target=10, turns=[{"role": "user", "text": "q"}], group={"by": "d"})
    assert not bad
    assert [[t.text for t in r.turns] for r in made] == [["q0", "q3", "q6"], ["q1", "q4", "q7"], ["q2", "q5", "q8"]]


def test_splits_depend_on_the_files_only(tmp_path):
    for name, size in (("a", 10), ("b", 5000), ("c", 10), ("d", 10)):
        (tmp_path / f"{name}.jsonl").write_bytes(b"x" * size)
    files = [ref(tmp_path / f"{name}.jsonl") for name in "abcd"]
    splits = reader("jsonl", text="t").splits(files, 1000)
    assert [(tuple(f.name[0] for f in s.files), s.start, s.stop) for s in splits] == [
        (("a",), 0, None),
        *((("b",), i * 1000, (i + 1) * 1000 if i < 4 else None) for i in range(5)),
        (("c", "d"), 0, None),
    ]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for i in range(40_000):
            file.write(b'{"text":"%d %s"}\n' % (i, b"word " * 200))
    made = reader("jsonl", text="text")
    (split,) = made.splits([ref(path)], 1 << 40)
    tracemalloc.start()
    count = sum(1 for item in made.read(split) if not isinstance(item, Bad))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 10 << 20 < path.stat().st_size
