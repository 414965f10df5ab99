"""Files of decisions: what is about which text, what contradicts, what is no decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.review import load_decisions, text_sha256
from sources.errors import UserError

ID = "a" * 32
HERE, TURNED, OTHER = "1" * 64, "2" * 64, "3" * 64


def line(**changes: Any) -> dict[str, Any]:
    decision = changes.get("decision", "keep")
    votes = {"ann": decision}
    return {
        "id": ID,
        "kind": "single",
        "decision": decision,
        "text": HERE,
        "reviewers": ["ann"],
        "votes": votes,
    } | changes


def file(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_hash_is_of_role_and_content_in_order() -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    # worked out with sha256sum: [["user","a"],["assistant","b"]]
    assert text_sha256(talk) == "e9090a957d1421f5455c50af599a9df682e4848d7d884716d41756359ac698ae"
    assert text_sha256(talk[::-1]) != text_sha256(talk)
    assert text_sha256([{"role": "user", "content": 'a"],["assistant","b'}]) != text_sha256(talk)
    assert text_sha256([{**message, "name": "x"} for message in talk]) == text_sha256(talk)
    assert len(text_sha256([{"role": "user", "content": "\ud800"}])) == 64


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    one = file(tmp_path / "one.jsonl", line())
    two = file(tmp_path / "two.jsonl", line(id="b" * 32), line(decision="drop"))
    with pytest.raises(UserError, match="keep and drop") as error:
        load_decisions([one, two])
    assert f"{one}:1" in str(error.value) and f"{two}:2" in str(error.value)


def test_a_pair_seen_from_the_other_side_contradicts_too(tmp_path: Path) -> None:
    one = line(kind="pair", decision="confirm", swapped=TURNED)
    agreeing = line(kind="pair", decision="swap", text=TURNED, swapped=HERE)
    same = line(kind="pair", decision="confirm", text=TURNED, swapped=HERE)
    assert len(load_decisions([file(tmp_path / "a", one), file(tmp_path / "b", agreeing)])) == 2
    with pytest.raises(UserError, match="swap and confirm"):
        load_decisions([file(tmp_path / "a", one), file(tmp_path / "b", same)])


def test_what_does_not_contradict(tmp_path: Path) -> None:
    decisions = load_decisions(
        [
            file(tmp_path / "a", line()),
            file(tmp_path / "b", line(reviewers=["bea"], votes={"bea": "keep"})),
            file(tmp_path / "c", line(decision="drop", text=OTHER)),
            file(tmp_path / "d", line(kind="unpaired", decision="bad")),
            file(tmp_path / "e", line(decision="unsure")),
        ]
    )

    def find(kind: Any, text: str) -> str | None:
        found = decisions.find(kind, ID, text)
        return found and found.decision

    assert find("single", HERE) == "keep"
    assert find("single", OTHER) == "drop"
    assert find("single", TURNED) == "stale"
    assert find("unpaired", HERE) == "bad"
    assert find("pair", HERE) is None
    assert [one["decisions"] for one in decisions.facts()["files"]] == [1] * 5
    assert "ann" not in json.dumps(decisions.facts())


def test_unsure_has_no_effect_but_is_a_review(tmp_path: Path) -> None:
    decisions = load_decisions([file(tmp_path / "a", line(decision="unsure"))])
    assert decisions.find("single", ID, HERE) is None and decisions.find("single", ID, OTHER) is None
    assert decisions.reviewed("single", ID, HERE) and not decisions.reviewed("single", ID, OTHER)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (line(decision="swap"), "'swap' decides nothing about a single"),
        (line(votes={"ann": "drop"}), "the votes come to 'drop'"),
        (line(reviewers=["bea"]), "not those who voted"),
        (line(swapped=TURNED), "only a pair"),
        (line(note={"bea": "x"}), "bea did not vote"),
        (line(id="A" * 32), "id"),
        (line(text="12"), "text"),
        (line(votes={}, reviewers=[]), "votes"),
        (line(extra=1), "extra"),
        (line(answers={"ann": {"support": 7}}), "support"),
    ],
)
def test_what_is_no_decision_is_told_with_its_line(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    path = file(tmp_path / "d.jsonl", line(id="c" * 32), row)
    with pytest.raises(UserError, match=what) as error:
        load_decisions([path])
    assert f"{path}:2" in str(error.value)


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        load_decisions([tmp_path / "gone.jsonl"])
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    with pytest.raises(UserError, match="not a decision"):
        load_decisions([tmp_path / "broken.jsonl"])
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        load_decisions([tmp_path / "bytes.jsonl"])
