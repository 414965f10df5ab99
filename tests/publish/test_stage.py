"""An output becomes a folder the hub can show: what loads, what is checked, what stays when it is done again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.publish.hub import validate_card
from pipeline.publish.stage import Staged, stage
from sources.errors import UserError
from tests.publish.outputs import document, edit_manifest, facts, talk, write_mix, write_set


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def header(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "README.md").read_text("utf-8").split("---\n")[1])


def provenance(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "provenance.json").read_text("utf-8"))


@pytest.fixture
def mix(mix_output: Path, tmp_path: Path) -> Path:
    """A mix that the test may change."""
    return Path(shutil.copytree(mix_output, tmp_path / "calm-days"))


# -- what there is -------------------------------------------------------------------------------------------------------------------


def test_a_mix_loads_with_typed_features(staged_mix: Staged, tmp_path: Path) -> None:
    from datasets import Value, load_dataset

    data = load_dataset(str(staged_mix.folder), cache_dir=str(tmp_path))
    assert (
        {name: len(split) for name, split in data.items()}
        == {"train": 60, "validation": 5}
        == staged_mix.rows["default"]
    )
    features = data["train"].features
    assert (
        features["text"] == Value("string")
        and features["tokens"] == Value("int32")
        and features["relevance"] == Value("float32")
    )
    stream = load_dataset(str(staged_mix.folder), streaming=True)["train"]
    assert stream.features == features
    assert [row["id"] for row in stream] == list(data["train"]["id"])


def test_a_set_loads_config_by_config(staged_set: Staged, tmp_path: Path) -> None:
    from datasets import List, Value, get_dataset_config_names, load_dataset

    place = str(staged_set.folder)
    message = List({"role": Value("string"), "content": Value("string")})
    assert get_dataset_config_names(place)[0] == "messages"
    assert set(get_dataset_config_names(place)) == {
        "messages",
        "prompt_completion",
        "preference",
        "unpaired",
        "sharegpt",
    }
    data = load_dataset(place, cache_dir=str(tmp_path))  # the default one
    assert {name: len(split) for name, split in data.items()} == {"train": 39, "validation": 1}
    assert data["train"].features["messages"] == message
    assert data["train"].features["why"] == {"kind": Value("string"), "detail": Value("string")}
    pairs = load_dataset(place, "preference", streaming=True)["train"]
    assert pairs.features["chosen"] == message == pairs.features["rejected"]
    assert next(iter(pairs))["rejected"] == [{"role": "assistant", "content": "Just buy one and see."}]
    shared = load_dataset(place, "sharegpt", split="train", cache_dir=str(tmp_path))
    assert shared.features["conversations"] == List({"from": Value("string"), "value": Value("string")})
    assert shared["id"] == data["train"]["id"]
    assert load_dataset(place, "unpaired", split="train", cache_dir=str(tmp_path)).features["label"] == Value("bool")


def test_the_header_names_files_features_and_sizes(staged_set: Staged) -> None:
    wanted = header(staged_set.folder)
    assert [config["config_name"] for config in wanted["configs"]] == list(staged_set.rows)
    assert [config.get("default") for config in wanted["configs"]] == [True, None, None, None, None]
    info = wanted["dataset_info"][0]
    assert info["features"][1] == {
        "name": "messages", "list": [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}],
    }  # fmt: skip
    files = [staged_set.folder / name for name in staged_set.files if name.startswith("data/messages/")]
    assert info["download_size"] == sum(path.stat().st_size for path in files)
    assert [(split["name"], split["num_examples"]) for split in info["splits"]] == [("train", 39), ("validation", 1)]
    assert wanted["size_categories"] == ["n<1K"] and wanted["license"] == "cc0-1.0" and wanted["language"] == ["en"]
    validate_card((staged_set.folder / "README.md").read_text("utf-8"), staged_set.folder)


def test_the_sums_are_those_of_the_files(staged_mix: Staged) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "checksums.sha256"], cwd=staged_mix.folder, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert all(line.endswith(": OK") for line in lines)
    named = {line.removesuffix(": OK") for line in lines}
    pages = {"README.md", "LICENSE.md", "ATTRIBUTION.md", "DATA_STATEMENT.md", "checksums.sha256"}
    assert named == set(staged_mix.files) - pages


def test_attribution_names_every_work_with_its_rows(staged_mix: Staged) -> None:
    with (staged_mix.folder / "ATTRIBUTION.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {(row["source"], row["work"]): (int(row["rows"]), row["license"]) for row in rows}
    table = [
        row
        for path in sorted(staged_mix.folder.glob("data/default/*.parquet"))
        for row in pq.read_table(path, columns=["source", "origin", "license"]).to_pylist()
    ]
    for row in table:
        assert (row["source"], row["origin"].split("#")[0]) in found
    assert sum(rows for rows, _ in found.values()) == len(table) == 65
    assert found["forum", "forum/2021.jsonl"] == (15, "CC-BY-4.0")
    page = (staged_mix.folder / "ATTRIBUTION.md").read_text("utf-8")
    assert (
        "## A forum | of people" in page and "Nobody and Someone 2021" in page and "mailto:removal@example.org" in page
    )
    assert "https://creativecommons.org/licenses/by/4.0/" in page


def test_provenance_holds_manifest_and_ledger_without_paths(mix: Path, tmp_path: Path) -> None:
    secret = str(tmp_path / "corpora" / "posts.jsonl")

    def leak(manifest: dict[str, Any]) -> None:
        manifest["recipe"]["cards"] = [str(tmp_path / "my cards"), "../cards"]
        manifest["recipe"]["tokenizer"] = f"{Path.home()}/models/tokenizer.json"
        manifest["recipe"]["filters"] = {"contamination": ["all", "../evals/own.npz"]}
        manifest["notes"] = [f"3 records could not be read: {secret}"]
        manifest["sources"]["forum"]["license_note"] = f"as {secret} says"

    edit_manifest(mix, leak)
    done = stage(mix, tmp_path / "out")
    kept = provenance(done.folder)
    assert kept["manifest"]["recipe"]["tokenizer"] == "tokenizer.json"
    assert kept["manifest"]["recipe"]["filters"]["contamination"] == ["all", "own.npz"]
    assert kept["ledger"]["stages"]["plan"]["calm"]["dropped"] == {"safety_harm": 4}
    assert kept["manifest"]["key"] == "0" * 32
    for name, content in contents(done.folder).items():
        assert str(tmp_path).encode() not in content, name
        assert str(Path.home() / "models").encode() not in content, name
    assert "3 records could not be read: posts.jsonl" in (done.folder / "README.md").read_text("utf-8")


def test_a_path_that_slips_through_stops_it(mix: Path, tmp_path: Path) -> None:
    place = tmp_path / "here"
    # glued to a letter, so that no rule takes it for a path
    edit_manifest(mix, lambda manifest: manifest["notes"].append(f"x{place.resolve()}"))
    with pytest.raises(UserError, match="would name a folder of this machine"):
        stage(mix, place)
    assert not place.exists()


# -- again ---------------------------------------------------------------------------------------------------------------------------


def test_the_same_output_gives_the_same_bytes_anywhere(mix_output: Path, staged_mix: Staged, tmp_path: Path) -> None:
    again = stage(mix_output, tmp_path / "elsewhere", contact="mailto:data@example.org", repo="team/calm-days")
    assert contents(again.folder) == contents(staged_mix.folder)
    assert again.identity == staged_mix.identity


def test_staging_again_writes_nothing(mix: Path, tmp_path: Path) -> None:
    first = stage(mix, tmp_path / "out")
    assert first.changed == first.files and len(first.files) == 10
    before = contents(first.folder)
    second = stage(mix, tmp_path / "out")
    assert second.changed == [] and contents(second.folder) == before
    assert (second.version, second.parent) == ("1.0.0", None)


def test_new_rows_are_a_new_version_that_names_its_parent(mix: Path, tmp_path: Path) -> None:
    first = stage(mix, tmp_path / "out")
    write_mix(mix, [document(n) for n in range(10)])
    second = stage(mix, tmp_path / "out")
    assert second.version == "2.0.0"
    assert second.parent == {"id": first.identity, "version": "1.0.0"} == provenance(second.folder)["parent"]
    third = stage(mix, tmp_path / "out")  # nothing new: not its own parent
    assert (third.version, third.parent, third.changed) == ("2.0.0", second.parent, [])
    text = (second.folder / "README.md").read_text("utf-8")
    assert "It follows version 1.0.0" in text and "Version **2.0.0**" in text
    assert header(second.folder)["dataset_info"][0]["splits"][0]["num_examples"] == 10


def test_a_parent_can_be_named(mix: Path, tmp_path: Path) -> None:
    named = {"repo": "team/calm-days", "revision": "v1"}
    assert stage(mix, tmp_path / "out", parent="team/calm-days@v1").parent == named
    assert stage(mix, tmp_path / "out").parent == named  # remembered
    assert "`team/calm-days@v1`" in (tmp_path / "out/README.md").read_text("utf-8")
    for wrong in ("v1", "team/calm-days", "a/b/c@v1"):
        with pytest.raises(UserError, match="does not name a publication"):
            stage(mix, tmp_path / "other", parent=wrong)


def test_files_of_rows_that_are_no_more_go_and_others_stay(
    mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.publish.rewrite as rewriting

    monkeypatch.setattr(rewriting, "GROUP_ROWS", 20)
    monkeypatch.setattr(rewriting, "SHARD_BYTES", 6_000)
    first = stage(mix, tmp_path / "out")
    assert len([name for name in first.files if "train-" in name]) > 1
    (first.folder / "figures").mkdir()
    (first.folder / "figures/plot.png").write_bytes(b"png")
    (first.folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (first.folder / "data/default/train-00007-of-00009.parquet").write_bytes(b"left by a run that was killed")
    monkeypatch.setattr(rewriting, "SHARD_BYTES", 500 << 20)
    stage(mix, tmp_path / "out")
    names = set(contents(first.folder))
    assert {name for name in names if "train-" in name} == {"data/default/train-00000-of-00001.parquet"}
    assert {"figures/plot.png", ".gitattributes"} <= names


def test_what_people_wrote_stays(mix: Path, tmp_path: Path) -> None:
    done = stage(mix, tmp_path / "out")
    card = done.folder / "README.md"
    text = card.read_text("utf-8").replace("pretty_name: Calm days", "pretty_name: Days of calm")
    text = text.replace("## Limitations\n", "## Limitations\n\n- We know of one more.\n").replace(
        "# Calm days", "# Calm days\n\n", 1
    )
    card.write_text(text + "\n## Thanks\n\nTo all who wrote.\n", "utf-8")
    statement = done.folder / "DATA_STATEMENT.md"
    statement.write_text(
        statement.read_text("utf-8").replace("not known: the sources do not say", "mostly British: two of us read 200"),
        "utf-8",
    )
    write_mix(mix, [document(n) for n in range(10)])
    again = stage(mix, tmp_path / "out")
    text = card.read_text("utf-8")
    assert (
        "pretty_name: Days of calm" in text
        and "- We know of one more." in text
        and text.endswith("## Thanks\n\nTo all who wrote.\n")
    )
    assert "10 documents, 240 tokens" in text
    assert "mostly British" in statement.read_text("utf-8")
    assert again.kept == [
        "README.md: pretty_name",
        "README.md: section limitations",
        "DATA_STATEMENT.md: section language",
    ]


def test_a_clone_of_a_repository_is_merged_into(mix: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "README.md").write_text(
        "---\npretty_name: Ours\nthumbnail: a.png\n---\n# Dataset card\n\nBy hand.\n", "utf-8"
    )
    (clone / ".gitattributes").write_text("x")
    done = stage(mix, clone)
    text = (clone / "README.md").read_text("utf-8")
    assert text.index("By hand.") < text.index("## Composition")
    assert header(clone)["pretty_name"] == "Ours" and header(clone)["license"] == "cc-by-4.0"
    assert done.kept == ["README.md: pretty_name"]
    validate_card(text, clone)


def test_a_card_that_says_another_licence_is_an_error_and_nothing_changes(mix: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "README.md").write_text("---\nlicense: mit\n---\nBy hand.\n", "utf-8")
    with pytest.raises(UserError) as caught:
        stage(mix, clone)
    assert caught.value.where == "README.md: license" and "mit" in caught.value.what
    assert contents(clone) == {"README.md": b"---\nlicense: mit\n---\nBy hand.\n"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".clone")] == []


def test_killed_at_any_rename_the_next_run_makes_it_whole(
    mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(mix, tmp_path / "out")
    write_mix(mix, [document(n) for n in range(10)])
    whole = contents(stage(mix, tmp_path / "whole").folder)
    real = os.replace
    left = 0

    def killed(source: Any, target: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", killed)
    for renames in (1, 2, 4):
        left = renames
        with pytest.raises(KeyboardInterrupt):
            stage(mix, tmp_path / "out")
        assert provenance(tmp_path / "out")["publication"]["version"] == "1.0.0"  # not yet
    done = stage(mix, tmp_path / "out")
    assert done.version == "2.0.0" and done.parent and done.parent["version"] == "1.0.0"
    after = contents(done.folder)
    assert {name for name in after if name.startswith("data/")} == {name for name in whole if name.startswith("data/")}
    assert all(after[name] == whole[name] for name in after if name.startswith("data/"))
    validate_card(after["README.md"].decode(), done.folder)


def test_what_a_killed_run_left_beside_is_swept(mix: Path, tmp_path: Path) -> None:
    left = tmp_path / ".out.0123abcd"
    (left / "data").mkdir(parents=True)
    other = tmp_path / ".out.notes"
    other.mkdir()
    stage(mix, tmp_path / "out")
    assert not left.exists() and other.exists()


def test_a_config_of_a_person_and_its_file_stay(mix: Path, tmp_path: Path) -> None:
    done = stage(mix, tmp_path / "out")
    (done.folder / "stats.csv").write_text("a,b\n1,2\n")
    card = done.folder / "README.md"
    text = card.read_text("utf-8").replace("configs:\n", "configs:\n- config_name: stats\n  data_files: stats.csv\n")
    card.write_text(text.replace("dataset_info:\n", "dataset_info:\n- config_name: stats\n"), "utf-8")
    stage(mix, tmp_path / "out")
    assert [config["config_name"] for config in header(done.folder)["configs"]] == ["default", "stats"]
    (done.folder / "stats.csv").unlink()
    with pytest.raises(UserError, match=r"no file matches stats\.csv"):
        stage(mix, tmp_path / "out")


def test_a_relative_folder_and_a_link_to_one_are_written_into(
    mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert stage(mix, tmp_path / "link").folder == tmp_path / "link"
    assert (tmp_path / "real/README.md").is_file() and (tmp_path / "link").is_symlink()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    stage(mix, Path())
    assert contents(tmp_path / "here") == contents(tmp_path / "real")


def test_a_full_disk_is_an_error_for_people(mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out"))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(UserError, match="No space left on device"):
        stage(mix, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["calm-days"]


# -- what is refused -----------------------------------------------------------------------------------------------------------------


def refuse(output: Path, to: Path, said: str, **options: Any) -> UserError:
    with pytest.raises(UserError, match=said) as caught:
        stage(output, to, **options)
    assert not to.exists()
    return caught.value


def test_outputs_that_may_not_be_published_are_refused(mix: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    edit_manifest(mix, lambda manifest: manifest["recipe"].update(purpose="research"))
    assert "purpose: publish" in (refuse(mix, out, "made for research").fix or "")
    edit_manifest(mix, lambda manifest: manifest["recipe"].update(purpose="commercial"))
    edit_manifest(mix, lambda manifest: manifest["sources"]["forum"].update(allows=["commercial", "pretraining"]))
    refuse(mix, out, r"forum \(CC-BY-4.0 would allow it, its card refuses publishing\)")


def test_licences_that_exclude_each_other_stop_it_unless_rows_keep_their_own(tmp_path: Path) -> None:
    rows = [document(n, source="a", license="CC-BY-SA-4.0") for n in range(5)]
    rows += [document(9 + n, source="b", license="CC-BY-NC-4.0") for n in range(5)]
    output = write_mix(tmp_path / "mix", rows, {"a": facts("CC-BY-SA-4.0"), "b": facts("CC-BY-NC-4.0")})
    error = refuse(
        output, tmp_path / "out", r"CC-BY-SA-4.0 \(a\) is share-alike.*CC-BY-NC-4.0 \(b\) forbids commercial"
    )
    assert error.fix and "--by-row" in error.fix
    done = stage(output, tmp_path / "out", by_row=True)
    found = header(done.folder)
    assert (found["license"], found["license_link"]) == ("other", "LICENSE.md")
    assert re.fullmatch(r"[a-z-]+", found["license_name"])
    assert "each row stands under the licence in its column" in (done.folder / "LICENSE.md").read_text("utf-8")
    assert any("no one licence covers all rows" in note for note in done.notes)


def test_by_row_where_one_licence_does_is_told_to_be_idle(mix_output: Path, tmp_path: Path) -> None:
    done = stage(mix_output, tmp_path / "out", by_row=True)
    assert header(done.folder)["license"] == "cc-by-4.0"
    assert "--by-row was not needed: CC-BY-4.0 covers all rows, and stands in the header" in done.notes


def test_a_source_without_rows_has_no_say(tmp_path: Path) -> None:
    sources = {"calm": facts(), "empty": facts("CC-BY-ND-4.0")}
    done = stage(write_mix(tmp_path / "mix", [document(n) for n in range(5)], sources), tmp_path / "out")
    assert done.terms.license_id == "CC0-1.0"
    assert "empty" not in (done.folder / "LICENSE.md").read_text("utf-8")


def test_a_mix_without_parquet_says_how_to_have_it(tmp_path: Path) -> None:
    output = write_mix(tmp_path / "mix", [document(1)], formats=("jsonl",))
    assert "shards.formats" in (refuse(output, tmp_path / "out", "made without parquet").fix or "")


def test_an_output_that_is_not_what_its_manifest_says_is_refused(mix: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = mix / "parquet/train/00000.parquet"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"x")
    refuse(mix, out, "changed after it was made")
    path.unlink()
    refuse(mix, out, "cannot be read")
    path.write_bytes(good)
    edit_manifest(mix, lambda manifest: manifest["files"][0].update(documents=7))
    refuse(mix, out, "the manifest counts")


def test_rows_under_another_licence_than_their_source_are_refused(tmp_path: Path) -> None:
    output = write_mix(tmp_path / "mix", [document(1), document(2, license="CC-BY-ND-4.0")])
    refuse(output, tmp_path / "out", "rows of calm are under CC-BY-ND-4.0, CC0-1.0")


def test_what_is_no_output_is_refused(mix: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refuse(tmp_path / "nothing", out, "no output of wellmix")
    edit_manifest(mix, lambda manifest: manifest.update(schema_version=1))
    refuse(mix, out, "earlier version")
    empty = write_mix(tmp_path / "empty", [])
    refuse(empty, out, "no rows")


def test_places_that_would_harm_are_refused(mix: Path, tmp_path: Path) -> None:
    for place in (mix, mix / "hub", mix.parent):
        with pytest.raises(UserError, match="cannot be in the output"):
            stage(mix, place)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="this is a file"):
        stage(mix, tmp_path / "file")
    (tmp_path / "theirs/data/default").mkdir(parents=True)
    with pytest.raises(UserError, match="which wellmix did not write"):
        stage(mix, tmp_path / "theirs")
    other = write_mix(tmp_path / "other", [document(1)], recipe={"name": "other-days"})
    stage(other, tmp_path / "out")
    with pytest.raises(UserError, match="holds a publication of 'other-days'"):
        stage(mix, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "said"), [({"repo": "only-a-name"}, "no dataset of the hub"), ({"date": "yesterday"}, "no date")]
)
def test_options_of_the_wrong_form_are_refused(
    mix_output: Path, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    refuse(mix_output, tmp_path / "out", said, **options)


def test_a_date_and_a_creator_are_stated_where_given(mix_output: Path, tmp_path: Path) -> None:
    done = stage(mix_output, tmp_path / "out", date="2026-11-22", creator="The Calm Team")
    text = (done.folder / "README.md").read_text("utf-8")
    assert "2026-11-22" in text and "author       = {The Calm Team}" in text
    found = json.loads((done.folder / "croissant.json").read_text("utf-8"))
    assert found["datePublished"] == "2026-11-22" and found["creator"]["name"] == "The Calm Team"


def test_the_notes_tell_the_publisher_what_is_missing(staged_mix: Staged, mix_output: Path, tmp_path: Path) -> None:
    assert any("consider gating" in note for note in staged_mix.notes)
    assert not any("contact" in note for note in staged_mix.notes)
    assert any("--contact" in note for note in stage(mix_output, tmp_path / "out").notes)


def test_a_preference_set_alone_has_its_pairs_as_default(tmp_path: Path) -> None:
    from datasets import load_dataset

    output = write_set(
        tmp_path / "set", [talk(n) for n in range(8)], formats=("preference", "unpaired"), json_lines=("unpaired",)
    )
    done = stage(output, tmp_path / "out")
    assert list(done.rows) == ["preference", "unpaired"]
    assert "chosen" in load_dataset(str(done.folder), cache_dir=str(tmp_path / "cache"))["train"].features
    assert header(done.folder)["tags"][-2:] == ["preference", "kto"]


def test_the_hub_is_asked_only_where_an_endpoint_is_given(
    mix_output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.utils

    asked: list[dict[str, Any]] = []

    class Answer:
        status_code = 400
        text = "license is wrong"

    class Session:
        def post(self, url: str, **request: Any) -> Answer:
            asked.append({"url": url, **request["json"]})
            return Answer()

    monkeypatch.setattr(huggingface_hub.utils, "get_session", Session)
    stage(mix_output, tmp_path / "out")
    assert asked == []
    with pytest.raises(UserError, match="license is wrong"):
        stage(mix_output, tmp_path / "asked", endpoint="https://hub.example.org/")
    assert asked[0]["url"] == "https://hub.example.org/api/validate-yaml" and asked[0]["repoType"] == "dataset"
    assert not (tmp_path / "asked").exists()


def test_the_sample_mix_is_published_as_it_comes(sample_mix: tuple[Any, Path], tmp_path: Path) -> None:
    from datasets import load_dataset

    result, _ = sample_mix
    done = stage(result.out, tmp_path / "hub")
    assert done.rows["default"] == {name: split["documents"] for name, split in result.manifest["splits"].items()}
    data = load_dataset(str(done.folder), cache_dir=str(tmp_path / "cache"))
    assert sorted(data["train"]["id"]) == sorted(
        pq.read_table(result.out / "parquet/train", columns=["id"])["id"].to_pylist()
    )
    assert done.terms.license_id == "CC0-1.0"
    for name, content in contents(done.folder).items():
        assert str(tmp_path.parent).encode() not in content and str(result.out.parent).encode() not in content, name
    digest = hashlib.sha256((done.folder / "data/default/train-00000-of-00001.parquet").read_bytes()).hexdigest()
    assert digest in (done.folder / "checksums.sha256").read_text()
