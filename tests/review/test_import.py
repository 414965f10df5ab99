"""What comes back: good rows become decisions, bad rows are named, and the same file again changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.review import Imported, export_review, import_review, load_decisions, text_sha256
from sources.errors import UserError
from tests.review.conftest import MakeSet, hex_id, pair, single
from tests.review.filling import fill, read, write


def lines(path: Path) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in map(json.loads, path.read_text().splitlines())}


def prefers(start: str):
    """Picks the reply that begins so."""
    return lambda row: {"decision": "A" if row["reply_a"].startswith(start) else "b"}


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "reviews/kind-replies.jsonl"


def test_the_round_trip(mixed_set: Path, tmp_path: Path, to: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r.csv", n=80, seed=11)
    # reviewers do not know what the set chose; they drop what speaks of an odd number, and always prefer to plant another one
    fill(tmp_path / "r-single.csv", lambda row: {"decision": "drop" if int(row["reply"][-2]) % 2 else "keep"})
    fill(tmp_path / "r-pair.csv", prefers("Plant"))
    fill(tmp_path / "r-unpaired.csv", lambda row: {"decision": "good"})
    result = import_review(mixed_set, found.files, to)
    assert result.problems == [] and (result.votes, result.new, result.blank) == (80, 80, 0)
    assert result.decisions == {"pair": {"swap": 20}, "single": {"drop": 20, "keep": 20}, "unpaired": {"good": 20}}
    assert result.by_source["marrowtalk"] == {"drop": 2, "keep": 2}
    assert result.picks["a"] + result.picks["b"] == 20 and 3 < result.picks["a"] < 17

    decisions = load_decisions([to])
    assert len(decisions) == 80 and decisions.ids("pair") == {hex_id(f"pair{i}") for i in range(20)}
    text = text_sha256(single(7)["messages"])
    verdict = decisions.find("single", hex_id("single7"), text)
    assert verdict is not None and (verdict.decision, verdict.reviewers) == ("drop", ("reviewer-1",))
    stale = decisions.find("single", hex_id("single7"), text_sha256(single(8)["messages"]))
    assert stale is not None and stale.decision == "stale"
    assert decisions.find("single", hex_id("nobody"), text) is None

    one = pair(3)
    as_it_stands = text_sha256([*one["prompt"], *one["chosen"], *one["rejected"]])
    turned_round = text_sha256([*one["prompt"], *one["rejected"], *one["chosen"]])
    assert [decisions.find("pair", one["id"], t).decision for t in (as_it_stands, turned_round)] == ["swap", "confirm"]  # type: ignore[union-attr]
    assert decisions.facts()["decisions"]["single"] == {"drop": 20, "keep": 20} and decisions.facts()["reviewers"] == 1


def test_no_word_of_the_texts_is_kept(mixed_set: Path, tmp_path: Path, to: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r.csv", n=80)
    for path in found.files:
        fill(path, lambda row: {"decision": "drop", "note": f"bad: {row['conversation']}"})
    result = import_review(mixed_set, found.files, to)
    assert result.votes == 80
    content = to.read_text()
    assert not any(word in content for word in ("exam", "garden", "town", "Plant", "quillforum"))
    (tmp_path / "r-single.csv").unlink()
    assert "exam" not in json.dumps(result.summary())


def test_notes_in_own_words_are_kept_and_quoting_ones_are_not(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(2)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    long = single(
        0, messages=[{"role": "user", "content": "one two three four five six seven"}, single(0)["messages"][1]]
    )
    folder = make_set(messages=[long, single(1)])
    file.unlink()
    (tmp_path / "r.instructions.md").unlink()
    export_review(folder, tmp_path / "r.csv")
    fill(
        file,
        lambda row: {
            "decision": "drop",
            "note": "- says Two, three four five six SEVEN" if "seven" in row["conversation"] else "=fine",
        },
    )
    result = import_review(folder, [file], to)
    assert len(result.notes) == 1 and "quotes the text" in result.notes[0]
    assert (
        lines(to)[hex_id("single1")]["note"] == {"reviewer-1": "=fine"} and "note" not in lines(to)[hex_id("single0")]
    )


def test_importing_again_changes_nothing(mixed_set: Path, tmp_path: Path, to: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r.csv", n=80)
    fill(tmp_path / "r-pair.csv", prefers("That"))
    fill(tmp_path / "r-single.csv", lambda row: {"decision": "keep", "support": "2", "note": "warm"})
    fill(tmp_path / "r-unpaired.csv", lambda row: {"decision": ""})
    import_review(mixed_set, found.files, to)
    before, stamp = to.read_bytes(), to.stat().st_mtime_ns
    result = import_review(mixed_set, found.files, to)
    assert (result.votes, result.new, result.blank) == (60, 0, 20) and result.problems == []
    assert to.read_bytes() == before and to.stat().st_mtime_ns == stamp


def test_importing_again_after_decisions_took_effect(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    """A set made anew has lost what was dropped and turned round what was swapped; the old file is still no news."""
    folder = make_set(messages=[single(i) for i in range(8)], preference=[pair(i) for i in range(8)])
    found = export_review(folder, tmp_path / "r.csv")
    fill(tmp_path / "r-single.csv", lambda row: {"decision": "drop"})
    fill(tmp_path / "r-pair.csv", lambda row: {"decision": "a"})
    import_review(folder, found.files, to)
    before = to.read_bytes()
    shutil.rmtree(folder)
    folder = make_set(messages=[single(99)], preference=[pair(99)])
    result = import_review(folder, found.files, to)
    assert (result.problems, result.new, result.votes) == ([], 0, 16) and to.read_bytes() == before
    # a vote that is new cannot be checked any more
    fill(tmp_path / "r-pair.csv", lambda row: {"decision": "b"})
    problems = import_review(folder, found.files, to).problems
    assert len(problems) == 8 and all("has no such example" in one.what for one in problems)


def test_a_swap_is_still_a_swap_when_the_set_has_followed_it(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(preference=[pair(i) for i in range(8)])
    export_review(folder, tmp_path / "one.csv", seed=1)
    import_review(folder, [fill(tmp_path / "one.csv", prefers("Plant"))], to)
    followed = [{**pair(i), "chosen": pair(i)["rejected"], "rejected": pair(i)["chosen"]} for i in range(8)]
    folder = make_set(preference=followed)
    export_review(folder, tmp_path / "two.csv", seed=2)
    result = import_review(folder, [fill(tmp_path / "two.csv", prefers("Plant"))], to, reviewer="bea")
    assert result.problems == [] and result.decisions == {"pair": {"swap": 8}}
    assert lines(to)[hex_id("pair1")]["votes"] == {"bea": "swap", "reviewer-1": "swap"}
    assert result.agreement["pair"].observed == 1
    # the first file shows the pairs as the set was then: once more it is no news, and another reviewer of it is understood
    before = to.read_bytes()
    assert import_review(folder, [tmp_path / "one.csv"], to).problems == [] and to.read_bytes() == before
    late = import_review(folder, [fill(tmp_path / "one.csv", prefers("That"))], to, reviewer="cid")
    assert late.problems == [] and lines(to)[hex_id("pair1")]["votes"] == {
        "bea": "swap",
        "cid": "confirm",
        "reviewer-1": "swap",
    }


def edit(column: str, value: str):
    return lambda row: row | {column: value}


@pytest.mark.parametrize(
    ("mistake", "what"),
    [
        (edit("id", "0" * 32), "no such example"),
        (edit("decision", "maybe"), "no decision is called 'maybe'"),
        (edit("decision", "good"), "no decision is called 'good'; use one of keep, drop, unsure"),
        (edit("reply", "Something else."), "the text in column reply was edited"),
        (edit("conversation", ""), "the text in column conversation was edited"),
        (edit("check", "t0000000000000000"), "has changed since the file was exported"),
        (edit("seed", "8"), "the seed is not 7"),
        (edit("seed", "x"), "the seed is not 7"),
        (edit("kind", "double"), "no kind of example is called 'double'"),
        (edit("support", "4"), "support is a whole number from 0 to 3"),
        (edit("behaviours", "asks, hugs"), "no behaviour is called 'hugs'"),
        (edit("principles", "own-choice be-nice"), "no principle is called 'be-nice'"),
        (edit("reviewer", ""), "nobody says who reviewed"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_taken(
    make_set: MakeSet, tmp_path: Path, to: Path, mistake, what: str
) -> None:
    folder = make_set(messages=[single(i) for i in range(5)])
    file = export_review(folder, tmp_path / "r.csv", seed=7).files[0]
    rows = [row | {"decision": "keep"} for row in read(file)]
    rows[2] = mistake(rows[2])
    result = import_review(folder, [write(file, rows)], to)
    (problem,) = result.problems
    assert what in problem.what
    # three lines a row: the conversation holds one line end
    assert problem.where == f"{file}:{2 + 2 * 2}" and problem.id == rows[2]["id"]
    assert result.votes == 4 and len(lines(to)) == 4


def test_answers_without_a_decision_are_a_problem_and_a_note_alone_is_none(
    make_set: MakeSet, tmp_path: Path, to: Path
) -> None:
    folder = make_set(messages=[single(i) for i in range(3)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    rows = read(file)
    rows[0]["support"], rows[1]["note"] = "2", "too much for today"
    result = import_review(folder, [write(file, rows)], to)
    assert [one.what for one in result.problems] == ["there are answers, but no decision"]
    assert (result.blank, result.votes) == (2, 0) and not to.exists()


def test_a_changed_seed_is_seen(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(preference=[pair(i) for i in range(30)])
    file = export_review(folder, tmp_path / "r.csv", seed=1).files[0]
    result = import_review(folder, [fill(file, lambda row: {"decision": "a", "seed": "2"})], to)
    assert len(result.problems) == 30 and "or the seed was changed" in result.problems[0].what


def test_a_reviewer_who_contradicts_himself_counts_for_neither(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(3)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    rows = [row | {"decision": "keep"} for row in read(file)]
    again = write(tmp_path / "again.csv", [rows[0] | {"decision": "drop"}, rows[1]])
    result = import_review(folder, [write(file, rows), again], to)
    assert sorted(one.where for one in result.problems) == sorted([f"{file}:2", f"{again}:2"])
    assert all("differently" in one.what for one in result.problems) and len(lines(to)) == 2


def test_a_later_change_of_mind_must_be_asked_for(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(preference=[pair(i) for i in range(3)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    import_review(folder, [fill(file, prefers("That"))], to)
    before = to.read_bytes()
    fill(file, prefers("Plant"))
    result = import_review(folder, [file], to)
    assert len(result.problems) == 3 and "decided confirm before, and now swap" in result.problems[0].what
    assert to.read_bytes() == before and result.votes == 0
    assert import_review(folder, [file], to, replace=True).decisions == {"pair": {"swap": 3}}
    # somebody else's opinion stands beside it
    fill(file, prefers("That"))
    assert import_review(folder, [file], to, reviewer="bea").decisions == {"pair": {"unsure": 3}}


def vote_all(folder: Path, file: Path, to: Path, votes: dict[str, str]) -> Imported:
    for name, word in votes.items():
        result = import_review(folder, [fill(file, lambda row, word=word: {"decision": word})], to, reviewer=name)
    return result


@pytest.mark.parametrize(
    ("votes", "decision"),
    [
        ("keep keep drop", "keep"),
        ("keep drop", "unsure"),
        ("keep unsure", "unsure"),
        ("keep keep unsure", "keep"),
        ("unsure unsure", "unsure"),
    ],
)
def test_the_majority_of_all_votes_decides(
    make_set: MakeSet, tmp_path: Path, to: Path, votes: str, decision: str
) -> None:
    folder = make_set(messages=[single(0)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    result = vote_all(folder, file, to, {f"r{i}": word for i, word in enumerate(votes.split())})
    assert result.decisions == {"single": {decision: 1}}
    found = load_decisions([to]).find("single", hex_id("single0"), text_sha256(single(0)["messages"]))
    assert (found.decision if found else "unsure") == decision


def test_agreement_is_told_over_files_that_came_one_by_one(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(50)])
    export_review(folder, tmp_path / "r.csv", n=50, reviewers=2, overlap=1.0)
    # the table of test_agreement: kappa .4
    order = sorted(row["id"] for row in read(tmp_path / "r-1.csv"))
    words = {1: ["keep"] * 25 + ["drop"] * 25, 2: ["keep"] * 20 + ["drop"] * 5 + ["keep"] * 10 + ["drop"] * 15}
    for i in (1, 2):
        file = fill(tmp_path / f"r-{i}.csv", lambda row, i=i: {"decision": words[i][order.index(row["id"])]})
        result = import_review(folder, [file], to)
    found = result.agreement["single"]
    assert (found.examples, found.reviewers, found.measure) == (50, 2, "cohen_kappa")
    assert found.value == pytest.approx(0.4) and found.observed == pytest.approx(0.7)
    assert result.decisions == {"single": {"drop": 15, "keep": 20, "unsure": 15}}


def test_agreement_about_pairs_is_not_lost_where_the_set_is_mostly_right(
    make_set: MakeSet, tmp_path: Path, to: Path
) -> None:
    """Both mostly confirm: measured as confirm and swap, chance would explain all of it (kappa 0)."""
    folder = make_set(preference=[pair(i) for i in range(40)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    import_review(folder, [fill(file, prefers("That"))], to, reviewer="ann")
    other = ("My garden 3 died.", "My garden 7 died.")
    fill(file, lambda row: prefers("Plant" if row["conversation"].endswith(other) else "That")(row))
    result = import_review(folder, [file], to, reviewer="bea")
    assert result.decisions == {"pair": {"confirm": 38, "unsure": 2}}
    found = result.agreement["pair"]
    assert found.observed == pytest.approx(0.95) and found.value is not None and 0.85 < found.value < 0.95


def test_ratings_and_tags_are_compared_with_the_set(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(i, support=[0.5, 2.5][i]) for i in range(2)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    answers = {
        "What worries you about 0?": {"support": "1", "behaviours": "Asks; reflects", "principles": "none"},
        "What worries you about 1?": {"support": "2.0", "behaviours": ""},
    }
    result = import_review(folder, [fill(file, lambda row: {"decision": "keep"} | answers[row["reply"]])], to)
    assert result.support == {"replies": 2, "people": 1.5, "set": 1.5, "apart": 0.5}
    assert result.tags["behaviours"].summary() == {
        "replies": 1,
        "labels": {
            "asks": {"both": 1, "people": 0, "set": 0},
            "reflects": {"both": 0, "people": 1, "set": 0},
            "validates": {"both": 0, "people": 0, "set": 1},
        },
    }
    assert result.tags["principles"].counts == {"listen-first": [0, 0, 1]}
    assert lines(to)[hex_id("single0")]["answers"] == {
        "reviewer-1": {"support": 1, "behaviours": ["asks", "reflects"], "principles": []}
    }


def test_decisions_about_a_text_that_changed_make_way(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(0)])
    import_review(
        folder, [fill(export_review(folder, tmp_path / "a.csv").files[0], lambda row: {"decision": "drop"})], to
    )
    changed = single(0, messages=[*single(0)["messages"][:1], {"role": "assistant", "content": "Better now."}])
    folder = make_set(messages=[changed])
    result = import_review(
        folder, [fill(export_review(folder, tmp_path / "b.csv").files[0], lambda row: {"decision": "keep"})], to
    )
    assert result.replaced == 1 and result.problems == []
    assert lines(to)[hex_id("single0")]["decision"] == "keep" and len(to.read_text().splitlines()) == 1


@pytest.mark.parametrize(("encoding", "delimiter"), [("cp1252", ";"), ("utf-16", "\t"), ("utf-8", ",")])
def test_files_come_back_as_spreadsheets_save_them(
    make_set: MakeSet, tmp_path: Path, to: Path, encoding: str, delimiter: str
) -> None:
    talk = [{"role": "user", "content": "“Ça va?”\n\nNo ♥"}, {"role": "assistant", "content": "=I hear “no”.\n-- "}]
    folder = make_set(messages=[single(0, messages=talk)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    rows = [
        row | {"decision": " KEEP ", "conversation": row["conversation"].replace("\n", "\r\n")} for row in read(file)
    ]
    result = import_review(folder, [write(file, rows, encoding, delimiter)], to)
    assert result.problems == [] and result.decisions == {"single": {"keep": 1}}


def test_what_the_html_page_saves_is_read(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    """It has no columns of text."""
    folder = make_set(messages=[single(0)])
    file = export_review(folder, tmp_path / "r.csv").files[0]
    rows = [
        {k: v for k, v in row.items() if k not in ("conversation", "reply")} | {"decision": "keep"}
        for row in read(file)
    ]
    assert import_review(folder, [write(file, rows)], to).votes == 1


def test_files_that_cannot_be_read_are_told(make_set: MakeSet, tmp_path: Path, to: Path) -> None:
    folder = make_set(messages=[single(0)])
    (tmp_path / "other.csv").write_text("id,decision\n1,keep\n")
    with pytest.raises(UserError, match="no column seed, check, kind"):
        import_review(folder, [tmp_path / "other.csv"], to)
    with pytest.raises(UserError, match="no such file"):
        import_review(folder, [tmp_path / "gone.csv"], to)
    with pytest.raises(UserError, match="no name of a reviewer"):
        import_review(folder, [tmp_path / "other.csv"], to, reviewer=" ")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UserError, match="no column"):
        import_review(folder, [tmp_path / "empty.csv"], to)
    assert not to.exists()
