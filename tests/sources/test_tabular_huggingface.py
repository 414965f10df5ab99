"""The huggingface reader on local folders laid out like a hub repository; the hub itself is not needed."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from sources.card import Card
from sources.document import Bad, Record
from sources.errors import UserError
from sources.files import resolve
from sources.readers.base import FileRef
from sources.readers.huggingface import parse_hub


def card(hub, reader: dict, **where) -> Card:
    return Card(
        name="hub-test",
        title="test",
        family="general",
        where={"hub": str(hub), **where},
        reader={"name": "huggingface", **reader},
        license={"id": "MIT"},
        consent={"basis": "synthetic"},
        sensitivity="low",
        language=["en"],
        citation="none",
        takedown="none",
    )


def read(made: Card) -> list[list[Record | Bad]]:
    reader = made.make_reader
    return [list(reader.read(split)) for split in reader.splits(resolve(made), 1 << 20)]


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "owner" / "set"
    (folder / "data").mkdir(parents=True)
    for shard in range(3):
        rows = {
            "id": [f"{shard}-{i}" for i in range(4)],
            "text": [f"text {shard} {i}" for i in range(4)],
            "thread": [i % 2 for i in range(4)],
            "url": ["u"] * 4,
        }
        pq.write_table(pa.table(rows), folder / "data" / f"train-0000{shard}-of-00003.parquet")
    return folder


@pytest.mark.parametrize("streaming", [True, False])
def test_shards_are_splits(hub, streaming):
    shards = read(card(hub, {"text": "text", "key": "id"}, streaming=streaming))
    assert [r.key for shard in shards for r in shard] == [f"{s}-{i}" for s in range(3) for i in range(4)]
    if streaming:
        assert [len(shard) for shard in shards] == [4, 4, 4]
        assert shards[2][1].origin.endswith("/owner/set/default/train@main#shard=2&row=2")


def test_groups_go_over_all_shards(hub):
    (records,) = read(card(hub, {"turns": [{"role": "user", "text": "text"}], "group": {"by": "thread"}}))
    assert [(r.key, len(r.turns)) for r in records] == [("0", 6), ("1", 6)]


def test_configurations_and_json_rows(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    rows = [
        {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "a"}]} for i in range(3)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: talks\n  data_files:\n  - split: train\n    path: train.jsonl\n---\n"
    )
    options = {
        "turn_list": {
            "path": "messages",
            "text": "content",
            "role": "role",
            "roles": {"user": "user", "assistant": "assistant"},
        }
    }
    (records,) = read(card(folder, options, config="talks"))
    assert [r.turns[0].text for r in records] == ["q0", "q1", "q2"]


def test_missing_column_is_named(hub):
    with pytest.raises(UserError, match="does not have: body"):
        read(card(hub, {"text": "body"}))


@pytest.mark.parametrize("where", [{"split": "validation"}, {"config": "nope"}])
def test_what_is_not_there_is_the_users_mistake(hub, where):
    with pytest.raises(UserError, match="cannot load the dataset") as caught:
        read(card(hub, {"text": "text"}, **where))
    assert "revision" in str(caught.value)


def test_a_scripts_code_is_never_run(tmp_path):
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="cannot load the dataset"):
        read(card(folder, {"text": "text"}))
    assert not (tmp_path / "ran").exists()


def test_reference_says_what_to_load():
    made = card("owner/set", {"text": "t"}, config="c", split="test", revision="refs/convert/parquet", streaming=False)
    assert parse_hub(resolve(made)[0]) == ("owner/set", "c", "test", "refs/convert/parquet", False)
    assert parse_hub(FileRef("hub://o/s/default/train@main", "", 0, "")) == ("o/s", "default", "train", "main", True)
