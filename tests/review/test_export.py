"""What leaves for reviewers: blinded, complete, the same each time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from classifiers.taxonomy import BEHAVIOURS, SUPPORT
from pipeline.review import export_review, load_decisions, text_sha256
from pipeline.review.decisions import Decision, write_file
from pipeline.review.export import Form
from pipeline.review.questions import DECISIONS, instructions
from sources.errors import UserError
from tests.review.conftest import SECRETS, MakeSet, assistant, hex_id, pair, row, single, unpaired, user
from tests.review.filling import ids, read


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("form", ["csv", "argilla", "html"])
def test_nothing_that_leads_the_judgement_is_in_the_files(mixed_set: Path, tmp_path: Path, form: Form) -> None:
    out = tmp_path / "out"
    found = export_review(mixed_set, out / "review.csv", n=80, form=form, reviewers=2)
    assert found.examples == {"single": 40, "pair": 20, "unpaired": 20}
    content = everything(out)
    # a pair's id is made of halves of its replies' ids, in the order of the set's choice
    names = [hex_id(f"{kind}{i}")[half : half + 16] for kind in found.examples for i in range(40) for half in (0, 16)]
    assert [secret for secret in [*SECRETS, *names, mixed_set.name] if secret.encode() in content] == []
    assert b"What worries you about 7?" in content and b"How is town 7 for you?" in content


def test_the_chosen_reply_is_a_as_often_as_b_and_the_file_does_not_say_which(make_set: MakeSet, tmp_path: Path) -> None:
    folder = make_set(preference=[pair(i) for i in range(400)])
    export_review(folder, tmp_path / "one.csv", n=400, seed=4)
    export_review(folder, tmp_path / "two.csv", n=400, seed=4)
    export_review(folder, tmp_path / "three.csv", n=400, seed=5)
    rows = read(tmp_path / "one.csv")
    chosen_first = {one["conversation"]: one["reply_a"].startswith("That hurts") for one in rows}
    # standard deviation .025
    assert 0.4 < sum(chosen_first.values()) / 400 < 0.6
    assert all(("Plant another" in row["reply_b"]) == chosen_first[row["conversation"]] for row in rows)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    others = read(tmp_path / "three.csv")
    assert (
        0.4
        < sum(row["reply_a"].startswith("That hurts") == chosen_first[row["conversation"]] for row in others) / 400
        < 0.6
    )
    # the mark is of the texts as shown; it would tell the order if it were of the set's
    for one in rows[:20]:
        shown = [
            user(one["conversation"].removeprefix("User:\n")),
            assistant(one["reply_a"]),
            assistant(one["reply_b"]),
        ]
        assert one["check"] == f"t{text_sha256(shown)[:16]}"
    # rows stand in an order that has nothing to do with the set's
    order = [int(re.findall(r"\d+", row["conversation"])[0]) for row in rows]
    assert order != sorted(order) and order != [int(re.findall(r"\d+", row["conversation"])[0]) for row in others]


def test_each_stratum_is_seen_and_no_example_twice(mixed_set: Path, tmp_path: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r.csv", n=8)
    assert found.strata == (5, 5)
    all_ids = [one["id"] for path in found.files for one in read(path)]
    assert len(all_ids) == len(set(all_ids)) == 8
    singles = read(tmp_path / "r-single.csv")
    assert ids(singles, "single20"), "the only example of a rare principle"
    assert ids(singles, *(f"single{i}" for i in range(4))), "a small source"


def test_one_example_in_several_formats_is_shown_once(make_set: MakeSet, tmp_path: Path) -> None:
    turns = [
        {**single(i), "prompt": single(i)["messages"][:1], "completion": single(i)["messages"][1:]} for i in range(5)
    ]
    folder = make_set(messages=turns, prompt_completion=turns)
    assert export_review(folder, tmp_path / "r.csv", n=50).examples == {"single": 5}


def test_without_principles_it_is_stratified_by_facets(make_set: MakeSet, tmp_path: Path) -> None:
    rows = [single(i, principles=[], facets=["meaning"] if i == 5 else ["adversity"]) for i in range(30)]
    found = export_review(make_set(principles=False, messages=rows), tmp_path / "r.csv", n=2)
    assert ids(read(tmp_path / "r.csv"), "single5") and found.strata == (2, 2)
    assert "principles" not in read(tmp_path / "r.csv")[0]


def test_a_column_to_stratify_by_can_be_named(make_set: MakeSet, tmp_path: Path) -> None:
    rows = [single(i, situation="grief" if i == 9 else "exam") for i in range(30)]
    export_review(make_set(messages=rows), tmp_path / "r.csv", n=2, by=["situation"])
    assert ids(read(tmp_path / "r.csv"), "single9")


def test_several_reviewers_share_the_work(mixed_set: Path, tmp_path: Path) -> None:
    found = export_review(mixed_set, tmp_path / "r.csv", n=80, reviewers=2, overlap=0.5)
    assert [path.name for path in found.files] == [
        f"r-{k}-{i}.csv" for k in ("single", "pair", "unpaired") for i in (1, 2)
    ]
    assert [path.name for path in found.instructions] == [
        f"r-{k}.instructions.md" for k in ("single", "pair", "unpaired")
    ]
    one, two = ({row["id"] for row in read(tmp_path / f"r-pair-{i}.csv")} for i in (1, 2))
    assert len(one & two) == 10 and len(one | two) == 20 and found.shared == 40
    assert {row["reviewer"] for row in read(tmp_path / "r-pair-2.csv")} == {"reviewer-2"}


def test_texts_arrive_whole_and_no_cell_is_a_formula(make_set: MakeSet, tmp_path: Path) -> None:
    hostile = '=HYPERLINK("https://example.org";"x")\n\n- one\n"two", three\t'
    folder = make_set(
        messages=[row("x", messages=[{"role": "system", "content": "Be kind."}, user("@me +1"), assistant(hostile)])]
    )
    export_review(folder, tmp_path / "r.csv")
    (found,) = read(tmp_path / "r.csv")
    assert found["conversation"] == "System:\nBe kind.\n\nUser:\n@me +1"
    assert found["reply"] == f"'{hostile}"
    assert not any(re.match(r"\s*[=+\-@]", cell) for cell in found.values())
    assert found["decision"] == found["note"] == found["support"] == ""


def test_texts_too_long_for_a_cell_are_left_out_and_said(make_set: MakeSet, tmp_path: Path) -> None:
    rows = [single(1), row("long", messages=[user("hm " * 20_000), assistant("Yes.")])]
    found = export_review(make_set(messages=rows), tmp_path / "r.csv")
    assert found.examples == {"single": 1} and "too long" in found.notes[0]


def test_reviewed_examples_can_be_left_out(make_set: MakeSet, tmp_path: Path) -> None:
    folder = make_set(messages=[single(i) for i in range(6)])

    def decided(i: int, text: str) -> Decision:
        votes = {"ann": "unsure"}
        return Decision(
            id=hex_id(f"single{i}"), kind="single", decision="unsure", text=text, reviewers=["ann"], votes=votes
        )

    known = [decided(1, text_sha256(single(1)["messages"])), decided(2, "0" * 64)]
    write_file(tmp_path / "d.jsonl", known)
    export_review(folder, tmp_path / "r.csv", reviewed=load_decisions([tmp_path / "d.jsonl"]))
    left = ids(read(tmp_path / "r.csv"), *(f"single{i}" for i in range(6)))
    assert left == {f"single{i}" for i in (0, 2, 3, 4, 5)}, "the text of 2 has changed since it was reviewed"


def test_the_page_for_reviewers_says_what_every_word_means(mixed_set: Path, tmp_path: Path) -> None:
    export_review(mixed_set, tmp_path / "r.csv", n=80)
    text = (tmp_path / "r-single.instructions.md").read_text()
    for name, meaning in [*DECISIONS["single"].items(), *BEHAVIOURS.items(), *SUPPORT.items()]:
        assert f"- `{name}`: {meaning}" in text
    assert "- `own-choice`: Leave the choice to the person." in text
    for kind in ("single", "pair", "unpaired"):
        text = (tmp_path / f"r-{kind}.instructions.md").read_text()
        assert "## Crisis" in text and "your own wellbeing" in text and "crisis line" in text
    # Argilla's server takes no more
    assert len(instructions("single", {}, "argilla")) < 10_000


def test_the_html_page_needs_no_network_and_no_text_leaves_its_place(make_set: MakeSet, tmp_path: Path) -> None:
    hostile = "</script><img src=https://example.org/x onerror=alert(1)>"
    rows = [row("x", messages=[user(hostile), assistant("Yes.")]), *(single(i) for i in range(3))]
    export_review(make_set(messages=rows), tmp_path / "r.html", form="html")
    text = (tmp_path / "r.html").read_text()
    assert hostile not in text and text.count("</script>") == 2
    (inside,) = re.findall(r'(?s)<script type="application/json" id="data">(.*?)</script>', text)
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?https?:", text.replace(inside, ""))
    data = json.loads(inside)
    assert {one["conversation"] for one in data["rows"]} >= {f"User:\n{hostile}"}
    assert [word for word, *_ in data["decisions"]] == list(DECISIONS["single"])
    keys = [key for _, key, _ in data["decisions"]]
    assert len(set(keys)) == len(keys)


def test_what_may_hold_decisions_is_not_written_over(mixed_set: Path, tmp_path: Path) -> None:
    export_review(mixed_set, tmp_path / "r.csv")
    before = everything(tmp_path)
    with pytest.raises(UserError, match="there already"):
        export_review(mixed_set, tmp_path / "r.csv", seed=1)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"n": 0}, "cannot draw 0"),
        ({"form": "xlsx"}, "no form is called"),
        ({"by": ["source", "merit"]}, "cannot stratify by merit"),
        ({"reviewers": 0}, "0 reviewers"),
        ({"overlap": 1.5}, "no share"),
    ],
)
def test_wrong_options_are_told(mixed_set: Path, tmp_path: Path, options: dict, what: str) -> None:
    with pytest.raises(UserError, match=what):
        export_review(mixed_set, tmp_path / "r.csv", **options)


def test_what_is_no_set_is_told(make_set: MakeSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no set here"):
        export_review(tmp_path / "nowhere", tmp_path / "r.csv")
    folder = make_set(unpaired=[unpaired(1), unpaired(2)])
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"kind": "mix"}))
    with pytest.raises(UserError, match="not a set"):
        export_review(folder, tmp_path / "r.csv")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "unpaired/train/00000.parquet").unlink()
    with pytest.raises(UserError, match="missing"):
        export_review(folder, tmp_path / "r.csv")
    (folder / "unpaired/train/00000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="cannot be read"):
        export_review(folder, tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_a_set_of_json_lines_alone_is_read(make_set: MakeSet, tmp_path: Path) -> None:
    folder = make_set(messages=[single(1)])
    file = folder / "sharegpt/train/00000.jsonl"
    file.parent.mkdir(parents=True)
    talk = [{"from": "human", "value": "My exam is near."}, {"from": "gpt", "value": "What worries you?"}]
    lines = [row(f"s{i}", conversations=talk) for i in range(3)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [{"path": "sharegpt/train/00000.jsonl", "format": "sharegpt", "split": "train"}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert export_review(folder, tmp_path / "r.csv").examples == {"single": 3}
    assert {one["conversation"] for one in read(tmp_path / "r.csv")} == {"User:\nMy exam is near."}
