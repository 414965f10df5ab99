"""``croissant.json`` is valid for MLCommons' own library, which also reads the rows through it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.publish.folder import sha256
from pipeline.publish.stage import Staged, stage

mlc = pytest.importorskip("mlcroissant", reason="in the dev extra")


def described(staged: Staged) -> dict[str, Any]:
    return json.loads((staged.folder / "croissant.json").read_text("utf-8"))


def test_it_is_valid_without_errors(staged_mix: Staged, staged_set: Staged, mix_output: Path, tmp_path: Path) -> None:
    dated = stage(mix_output, tmp_path / "dated", date="2026-11-22", creator="Team", repo="team/calm-days")
    for staged, warnings in ((staged_mix, 1), (staged_set, 1), (dated, 0)):
        dataset = mlc.Dataset(jsonld=staged.folder / "croissant.json")
        issues = dataset.metadata.ctx.issues
        assert issues.errors == set()
        assert len(issues.warnings) == warnings  # no date was given, so none is stated
        assert dataset.metadata.ctx.is_v1_1()


def test_every_file_of_rows_is_there_with_its_sha256(staged_set: Staged) -> None:
    files = {
        entry["@id"]: entry for entry in described(staged_set)["distribution"] if entry["@type"] == "cr:FileObject"
    }
    assert sorted(files) == [name for name in staged_set.files if name.endswith(".parquet")]
    for name, entry in files.items():
        path = staged_set.folder / name
        assert entry["sha256"] == sha256(path) and entry["contentSize"] == f"{path.stat().st_size} B"


def test_rows_can_be_read_through_it(staged_mix: Staged, staged_set: Staged) -> None:
    rows = list(mlc.Dataset(jsonld=staged_mix.folder / "croissant.json").records("default"))
    assert len(rows) == 65
    assert sorted({row["default/split"] for row in rows}) == [b"train", b"validation"]
    assert {row["default/tokens"] for row in rows} == {24}
    talks = mlc.Dataset(jsonld=staged_set.folder / "croissant.json")
    for config, column in (("messages", "messages"), ("preference", "rejected"), ("sharegpt", "conversations")):
        row = next(iter(itertools.islice(talks.records(config), 1)))
        turns = row[f"{config}/{column}"]
        assert turns and all(len(turn) == 2 for turn in turns)
        assert row[f"{config}/behaviours"] == [b"asks", b"suggests"]
    assert row["sharegpt/conversations"][0]["sharegpt/conversations/from"] == b"human"


def test_messages_are_nested_fields(staged_set: Staged) -> None:
    records = {entry["@id"]: entry for entry in described(staged_set)["recordSet"]}
    fields = {field["name"]: field for field in records["messages"]["field"]}
    assert fields["messages"]["isArray"] and fields["messages"]["arrayShape"] == "-1"
    assert [field["@id"] for field in fields["messages"]["subField"]] == [
        "messages/messages/role",
        "messages/messages/content",
    ]
    assert (
        fields["risk"]["dataType"] == "sc:Boolean"
        and fields["tokens"]["dataType"] == "sc:Integer"
        and fields["support"]["dataType"] == "sc:Float"
    )
    assert records["messages"]["key"] == [{"@id": "messages/id"}]


def test_responsible_ai_fields_hold_facts(staged_mix: Staged) -> None:
    metadata = mlc.Dataset(jsonld=staged_mix.folder / "croissant.json").metadata
    assert any("HateCheck" in bias for bias in metadata.data_biases)
    assert any("email 3" in line for line in metadata.personal_sensitive_information)
    assert any("1 rows hold a disclosure" in line for line in metadata.personal_sensitive_information)
    assert "data@example.org" in metadata.data_release_maintenance_plan
    assert "A forum | of people (forum)" in metadata.data_collection
    assert metadata.license == ["https://creativecommons.org/licenses/by/4.0/"]
    assert metadata.version == "1.0.0" and metadata.url == "https://huggingface.co/datasets/team/calm-days"
