"""The json reader: where records can be in a file, and files that break off."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from sources.document import Turn
from tests.sources.tabular import read, reader, reasons, ref


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode())
    return path


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ([{"t": "a"}, {"t": "b"}], {}),
        ({"meta": {"n": 2}, "list": {"all": [{"t": "a"}, {"t": "b"}]}}, {"path": "list.all"}),
        ({"x": {"t": "a"}, "y": {"t": "b"}}, {"records": "object"}),
    ],
)
def test_records_in_arrays_and_objects(tmp_path, data, options):
    records, bad = read("json", write(tmp_path / "a.json", data), text="t", **options)
    assert not bad
    assert [(r.text, r.origin) for r in records] == [("a", "a.json#item=1"), ("b", "a.json#item=2")]


def test_names_of_an_object_are_a_field(tmp_path):
    records, _ = read("json", write(tmp_path / "a.json", {"x": {"t": "a"}}), text="t", key="_name", records="object")
    assert records[0].key == "x"


def test_file_that_is_one_conversation(tmp_path):
    path = write(tmp_path / "7.json", [{"role": "client", "content": "你好"}, {"role": "counselor", "content": "请说"}])
    options = {
        "records": "file",
        "turn_list": {"text": "content", "role": "role", "roles": {"client": "seeker", "counselor": "supporter"}},
    }
    records, bad = read("json", path, **options)
    assert not bad
    assert (records[0].key, records[0].turns) == ("7.json", [Turn("seeker", "你好"), Turn("supporter", "请说")])


def test_json_inside_json(tmp_path):
    inner = json.dumps({"dialog": [{"text": "hi", "speaker": "usr", "strategy": None}], "mood": "sad"})
    records, _ = read(
        "json",
        write(tmp_path / "a.json", [{"text": inner}]),
        decode={"text": "json"},
        turn_list={"path": "text.dialog", "role": "speaker", "roles": {"usr": "seeker"}, "labels": ["strategy"]},
        extra={"mood": "text.mood"},
    )
    assert (records[0].turns, records[0].extra) == ([Turn("seeker", "hi")], {"mood": "sad"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'[{"t":"a"},{"t":"b', "truncated"),
        (b'[{"t":"a"},{"t":"b"}', "truncated"),
        (b'[{"t":"a"},private]', "invalid_json"),
        (b'[{"t":"a"},{"t":"\xff"}]', "invalid_utf8"),
        (b'[{"t":"a"},"private"]', "wrong_type"),
        (b'[{"t":"a"},{"x":1}]', "missing_field"),
    ],
)
def test_what_comes_before_the_damage_is_kept(tmp_path, data, reason):
    records, bad = read("json", write(tmp_path / "a.json", data), text="t")
    assert "a" in [r.text for r in records]
    assert reasons(bad) == [reason]
    assert bad[0].origin == "a.json#item=" + ("3" if data.endswith(b'"b"}') else "2")
    assert "private" not in bad[0].detail


def test_no_records_where_the_card_looks_is_said(tmp_path):
    records, bad = read("json", write(tmp_path / "a.json", {"items": [{"t": "a"}]}), text="t")
    assert not records
    assert reasons(bad) == ["missing_field"]
    assert "array" in bad[0].detail


def test_empty_file_byte_order_mark_and_pointer(tmp_path):
    assert read("json", write(tmp_path / "a.json", b""), text="t") == ([], [])
    assert read("json", write(tmp_path / "b.json", b'\xef\xbb\xbf[{"t":"a"}]'), text="t")[0][0].text == "a"
    pointer = write(tmp_path / "c.json", b"version https://git-lfs.github.com/spec/v1\n")
    assert reasons(read("json", pointer, text="t")[1]) == ["lfs_pointer"]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write("[" + ",".join(json.dumps({"t": f"{i} " + "word " * 100}) for i in range(20_000)) + "]")
    split = reader("json", text="t").splits([ref(path)], 1 << 40)[0]
    tracemalloc.start()
    count = sum(1 for _ in reader("json", text="t").read(split))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 6 << 20 < path.stat().st_size
