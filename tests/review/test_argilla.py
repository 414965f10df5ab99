"""Argilla: what it loads, and what its client writes out again.

With Argilla's client installed (``pip install argilla``, not a dependency), it reads the folder itself; else the layout is checked
against what the client of version 2.8 writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from pipeline.review import export_review, import_review, load_decisions, text_sha256
from pipeline.review.questions import DECISIONS
from sources.errors import UserError
from tests.review.conftest import MakeSet, hex_id, pair, single

ANN, BEA = "3fa85f64-5717-4562-b3fc-2c963f66afa6", "9b2e0c1d-0000-4000-8000-2c963f66afa6"


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


def records(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "records.json").read_text())


def answer(folder: Path, answers: dict[str, dict[str, Any]]) -> None:
    """Answer every record, as ``Dataset.to_disk`` writes it: user -> question -> value."""
    told = records(folder)
    for record in told:
        for user, values in answers.items():
            for question, value in values.items():
                record["responses"].setdefault(question, []).append({"value": value, "user_id": user})
    (folder / "records.json").write_text(json.dumps(told))


def flat(record: dict[str, Any], answers: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """A record as ``records.to_list(flatten=True)`` writes it: user, status, values."""
    row = {"id": record["id"], "status": "completed", "_server_id": "x", **record["fields"], **record["metadata"]}
    for question in {question for _, _, values in answers for question in values}:
        mine = [(user, status, values[question]) for user, status, values in answers if question in values]
        row[f"{question}.responses"] = [value for _, _, value in mine]
        row[f"{question}.responses.users"] = [user for user, _, _ in mine]
        row[f"{question}.responses.status"] = [status for _, status, _ in mine]
    return row


def test_the_folder_is_a_dataset(mixed_set: Path, tmp_path: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r", n=80, seed=3, form="argilla")
    assert [path.name for path in found.files] == ["r-single", "r-pair", "r-unpaired"]
    settings = json.loads((tmp_path / "r-single/.argilla/settings.json").read_text())
    assert [field["name"] for field in settings["fields"]] == ["conversation", "reply"]
    questions = {question["name"]: question for question in settings["questions"]}
    assert list(questions) == ["decision", "support", "behaviours", "principles", "note"]
    assert [name for name, question in questions.items() if question["required"]] == ["decision"]
    assert [option["value"] for option in questions["decision"]["settings"]["options"]] == list(DECISIONS["single"])
    assert [option["value"] for option in questions["principles"]["settings"]["options"]] == [
        "listen-first",
        "own-choice",
        "none",
    ]
    record = records(tmp_path / "r-single")[0]
    assert set(record) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
    assert set(record["metadata"]) == {"seed", "check", "kind"} == {one["name"] for one in settings["metadata"]}
    assert not any(one["visible_for_annotators"] for one in settings["metadata"])
    assert not any(field["settings"]["use_markdown"] for field in settings["fields"])
    pairs = json.loads((tmp_path / "r-pair/.argilla/settings.json").read_text())
    assert [field["name"] for field in pairs["fields"]] == ["conversation", "reply_a", "reply_b"]


def test_what_the_server_would_refuse_as_too_long_is_shortened(make_set: MakeSet, tmp_path: Path) -> None:
    folder = make_set(messages=[single(0)])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["principles"] = [{"id": f"p{i}", "text": "very " * 150} for i in range(20)]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    export_review(folder, tmp_path / "r", form="argilla")
    settings = json.loads((tmp_path / "r/.argilla/settings.json").read_text())
    assert len(settings["guidelines"]) <= 10_000 and settings["guidelines"].rstrip().endswith("must not be.")
    options = next(one for one in settings["questions"] if one["name"] == "principles")["settings"]["options"]
    assert len(options) == 21 and max(len(option["text"]) for option in options) == 500


def test_argillas_client_reads_the_folder(mixed_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rg = pytest.importorskip("argilla", reason="Argilla's client is not installed (pip install argilla)")
    from argilla._models import DatasetModel

    # the client asks a server for nothing while it reads
    monkeypatch.setattr(rg.Argilla, "_get_default", classmethod(lambda cls: MagicMock()))
    export_review(mixed_set, tmp_path / "r", n=80, form="argilla")
    for kind in ("single", "pair", "unpaired"):
        folder = tmp_path / f"r-{kind}"
        assert DatasetModel(**json.loads((folder / ".argilla/dataset.json").read_text())).name == f"r-{kind}"
        settings = rg.Settings.from_json(folder / ".argilla/settings.json")
        settings.validate()
        names = [question["name"] for question in settings.serialize()["questions"]]
        assert names == (
            ["decision", "note"] if kind == "pair" else ["decision", "support", "behaviours", "principles", "note"]
        )
        for told in records(folder):
            record = rg.Record.from_dict(told)
            assert record.to_dict()["fields"] == told["fields"] and record.to_dict()["metadata"] == told["metadata"]
            record.api_model()


def test_the_round_trip_through_a_folder(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(4)])
    export_review(folder, tmp_path / "r", form="argilla")
    answer(
        tmp_path / "r",
        {
            ANN: {
                "decision": "drop",
                "support": 1,
                "behaviours": ["asks", "judges"],
                "principles": ["none"],
                "note": "cold",
            },
            BEA: {"decision": "drop"},
        },
    )
    result = import_review(folder, [tmp_path / "r"], to)
    assert result.problems == [] and result.votes == 8 and result.decisions == {"single": {"drop": 4}}
    assert len(result.notes) == 1 and "drafts or discarded" in result.notes[0]
    one = json.loads(to.read_text().splitlines()[0])
    (ann,) = one["note"]
    assert one["answers"][ann] == {"support": 1, "behaviours": ["asks", "judges"], "principles": []}
    assert ANN not in to.read_text() and len(one["reviewers"]) == 2
    before = to.read_bytes()
    assert import_review(folder, [tmp_path / "r"], to).new == 0 and to.read_bytes() == before


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_the_round_trip_through_a_list_knows_drafts_and_what_was_discarded(
    make_set: MakeSet, tmp_path: Path, to: Path, suffix: str
) -> None:
    folder = make_set(preference=[pair(i) for i in range(6)])
    export_review(folder, tmp_path / "r", form="argilla", seed=5)
    rows = []
    for i, record in enumerate(records(tmp_path / "r")):
        word = "a" if record["fields"]["reply_a"].startswith("Plant") else "b"
        status = ["submitted", "draft", "discarded"][i % 3]
        rows.append(flat(record, [(ANN, status, {"decision": word}), (BEA, "submitted", {"decision": word})]))
    file = tmp_path / f"back.{suffix}"
    file.write_text(json.dumps(rows) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    result = import_review(folder, [file], to)
    assert (result.votes, result.passed_over, result.notes, result.problems) == (8, 4, [], [])
    assert result.decisions == {"pair": {"swap": 6}}
    one = pair(2)
    text = text_sha256([*one["prompt"], *one["chosen"], *one["rejected"]])
    found = load_decisions([to]).find("pair", hex_id("pair2"), text)
    assert found is not None and found.decision == "swap"


def test_an_edited_record_is_named(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(3)])
    export_review(folder, tmp_path / "r", form="argilla")
    answer(tmp_path / "r", {ANN: {"decision": "keep"}})
    told = records(tmp_path / "r")
    told[1]["fields"]["reply"] = "Something else."
    told[2]["responses"]["decision"][0]["value"] = "perhaps"
    (tmp_path / "r/records.json").write_text(json.dumps(told))
    result = import_review(folder, [tmp_path / "r"], to)
    assert [one.where.rsplit(":", 1)[1] for one in result.problems] == ["record 2", "record 3"]
    assert "edited" in result.problems[0].what and "'perhaps'" in result.problems[1].what and result.votes == 1


def test_one_name_for_several_people_is_refused(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(0)])
    export_review(folder, tmp_path / "r", form="argilla")
    answer(tmp_path / "r", {ANN: {"decision": "keep"}})
    assert import_review(folder, [tmp_path / "r"], to, reviewer="ann").votes == 1
    assert json.loads(to.read_text())["reviewers"] == ["ann"]
    answer(tmp_path / "r", {BEA: {"decision": "keep"}})
    with pytest.raises(UserError, match="several people"):
        import_review(folder, [tmp_path / "r"], to, reviewer="ann")


@pytest.mark.parametrize("content", ["{", '{"id": 1}', "[1]", "\xff"])
def test_what_is_not_argillas_is_told(make_set: MakeSet, tmp_path: Path, to: Path, content: str) -> None:
    (tmp_path / "x.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"records|JSON"):
        import_review(make_set(messages=[single(0)]), [tmp_path / "x.json"], to)
