"""Sets as ``curate`` makes them, of the synthetic sample, published: every format loads, and pages say what manifest and rows hold."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import yaml

from pipeline.curate.recipe import load_set_recipe
from pipeline.publish.folder import open_output
from pipeline.publish.hub import validate_card
from pipeline.publish.stage import Staged, stage
from sources.errors import UserError
from tests.publish.test_card import row, section

CARDS = Path(__file__).parents[2] / "sources" / "cards"
SETS = {
    "sample-set": ["messages", "prompt_completion", "sharegpt"],
    "sample-preferences": ["preference", "unpaired"],
}

Curate = Callable[..., Path]


@pytest.fixture(scope="module", params=SETS)
def published(
    request: pytest.FixtureRequest, curate: Curate, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Staged]:
    """A set and its publication."""
    made = curate(request.param)
    return made, stage(made, tmp_path_factory.mktemp("hub") / request.param, contact="mailto:data@example.org")


def manifest_of(made: Path) -> dict[str, Any]:
    return json.loads((made / "manifest.json").read_text("utf-8"))


def table(staged: Staged, config: str) -> pa.Table:
    return ds.dataset(staged.folder / "data" / config).to_table()


# -- what loads ----------------------------------------------------------------------------------------------------------------------


def test_every_config_loads_whole_and_streamed(published: tuple[Path, Staged], tmp_path: Path) -> None:
    from datasets import get_dataset_config_names, load_dataset

    made, staged = published
    formats = manifest_of(made)["formats"]
    place = str(staged.folder)
    assert list(staged.rows) == SETS[made.name] and set(get_dataset_config_names(place)) == set(formats)
    default = load_dataset(place, cache_dir=str(tmp_path))
    assert default["train"].config_name == SETS[made.name][0]
    for config, splits in formats.items():
        data = load_dataset(place, config, cache_dir=str(tmp_path))
        assert {name: len(split) for name, split in data.items()} == splits
        for name, split in data.items():
            stream = load_dataset(place, config, split=name, streaming=True)
            assert stream.features == split.features
            assert list(stream) == list(split)


def test_the_rows_are_those_of_the_set(published: tuple[Path, Staged]) -> None:
    made, staged = published
    for config, splits in open_output(made).configs.items():
        rows: list[dict[str, Any]] = []
        for path in (path for paths in splits.values() for path in paths):
            if path.suffix == ".jsonl":
                rows += map(json.loads, path.read_text("utf-8").split("\n")[:-1])
            else:
                rows += ds.dataset(path).to_table().to_pylist()
        assert table(staged, config).to_pylist() == rows


def test_croissant_is_valid_and_gives_every_record(
    published: tuple[Path, Staged], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlcroissant

    monkeypatch.setattr(logging.getLogger("absl"), "disabled", True)
    _, staged = published
    found = mlcroissant.Dataset(str(staged.folder / "croissant.json"))
    assert found.metadata.ctx.issues.errors == set()
    for config, splits in staged.rows.items():
        records = list(found.records(config))
        assert Counter(record[f"{config}/split"].decode() for record in records) == splits
        ids = {record[f"{config}/id"].decode() for record in records}
        assert ids == set(table(staged, config)["id"].to_pylist())


def test_sums_and_attribution_are_complete(published: tuple[Path, Staged]) -> None:
    _, staged = published
    done = subprocess.run(
        ["sha256sum", "-c", "checksums.sha256"], cwd=staged.folder, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == len(staged.files) - 5  # four pages, and the list itself
    real: Counter[tuple[str, str, str]] = Counter()
    for config in staged.rows:
        for found in table(staged, config).select(["source", "origin", "license"]).to_pylist():
            real[found["source"], found["origin"].split("#")[0], found["license"]] += 1
    with (staged.folder / "ATTRIBUTION.csv").open(newline="", encoding="utf-8") as file:
        listed = {(one["source"], one["work"], one["license"]): int(one["rows"]) for one in csv.DictReader(file)}
    assert listed == dict(real)


# -- what the card says --------------------------------------------------------------------------------------------------------------


def test_the_card_has_the_numbers_of_the_manifest(published: tuple[Path, Staged]) -> None:
    made, staged = published
    manifest = manifest_of(made)
    text = section(staged, "composition")
    validate_card((staged.folder / "README.md").read_text("utf-8"), staged.folder)
    tokens = sum(split["tokens"] for split in manifest["splits"].values())
    assert f"{tokens:,} tokens" in section(staged, "summary") and f"{tokens:,} tokens" in section(
        staged, "texts", "DATA_STATEMENT.md"
    )
    for principle in manifest["principles"]:
        assert row(text, f"`{principle['id']}`")[-1] == f"{principle['examples']:,}"
    names = {"sft": "replies to imitate", "pair": "pairs", "single": "single replies"}
    for form, facts in manifest["forms"].items():
        wanted = [f"{facts[name]:,}" for name in ("wanted", "fit", "looked_at", "different_prompts", "chosen")]
        assert row(text, f"{names[form]} | {wanted[0]}")[1:6] == wanted
    for baseline in (manifest["baselines"] or {}).get("all", []):
        shown = row(text, f"{baseline['name'].replace('_', ' ')} | {baseline['pairs']}")
        assert shown[2] == f"{baseline['accuracy']:.1%}"
    assert (
        "100.0%" in text and "written by a model or invented by an author" in text
    )  # the sample is all of it simulated


def test_the_card_counts_what_the_rows_hold(published: tuple[Path, Staged]) -> None:
    made, staged = published
    default = SETS[made.name][0]
    rows = table(staged, default).to_pylist()
    text = section(staged, "composition")
    for source, number in Counter(one["source"] for one in rows).items():
        assert row(text, f"`{source}`")[4:6] == [f"{number:,}", f"{number / len(rows):.1%}"]
    first = {"messages": "messages", "preference": "prompt"}[default]
    begun = [one[first][0]["content"] for one in rows if one[first][0]["role"] == "system"]
    assert f"{len(begun):,} of {len(rows)} rows begin with a system prompt." in text
    prompt = yaml.safe_load((CARDS.parents[1] / "recipes" / f"{made.name}.yaml").read_text("utf-8")).get("system")
    if prompt:
        assert row(text, prompt)[1] == str(begun.count(prompt))
    if none := sum(one["why"] is None for one in rows):
        assert f"none {none:,}: for these speak the scores and rules alone." in text
    assert f"**{sum(one['risk'] for one in rows)} of {len(rows)} rows** of `{default}`" in section(staged, "crisis")


def test_a_preference_set_counts_its_pairs_and_its_single_replies(curate: Curate, tmp_path: Path) -> None:
    staged = stage(curate("sample-preferences"), tmp_path / "out")
    pairs, singles = (sum(staged.rows[name].values()) for name in ("preference", "unpaired"))
    assert f"{pairs} pairs and {singles} single replies, " in section(staged, "summary")
    assert "preference training" in section(staged, "summary")
    counted = Counter(table(staged, "unpaired")["source"].to_pylist())
    text = section(staged, "composition")
    for source, number in counted.items():
        assert row(text, f"`{source}`")[6] == str(number)
    assert "Of a pair only the chosen reply is shown." in section(staged, "examples")


# -- what may not leave --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of two sources that no one licence covers."""
    folder = tmp_path_factory.mktemp("clash")
    (folder / "cards").mkdir()
    for name, like, license_id in (
        ("shared", "sample-critiques", "CC-BY-SA-4.0"),
        ("unsold", "sample-counsel", "CC-BY-NC-4.0"),
    ):
        card = yaml.safe_load((CARDS / f"{like}.yaml").read_text("utf-8"))
        card |= {"name": name, "license": {"id": license_id}}
        (folder / "cards" / f"{name}.yaml").write_text(yaml.safe_dump(card))
    recipe = {
        "purpose": "publish", "task": "sft", "formats": ["messages"], "size": 10, "simulated": 1.0, "cards": ["cards"],
        "sources": {"shared": {"at_least": 0.2}, "unsold": {"at_least": 0.2}}, "order": {"support": 1.0},
    }  # fmt: skip
    (folder / "clash.yaml").write_text(yaml.safe_dump(recipe))
    return folder / "clash.yaml"


def test_licences_that_clash_stop_a_set_unless_rows_keep_their_own(clash: Path, curate: Curate, tmp_path: Path) -> None:
    made = curate(clash)
    with pytest.raises(UserError, match=r"CC-BY-NC-4.0 \(unsold\) forbids commercial use") as caught:
        stage(made, tmp_path / "out")
    assert caught.value.fix and "shared under CC-BY-SA; unsold under CC-BY-NC-4.0" in caught.value.fix
    assert not (tmp_path / "out").exists()
    staged = stage(made, tmp_path / "out", by_row=True)
    rows = table(staged, "messages")
    assert dict(zip(rows["source"].to_pylist(), rows["license"].to_pylist(), strict=True)) == {
        "shared": "CC-BY-SA-4.0",
        "unsold": "CC-BY-NC-4.0",
    }
    assert "there is no licence for the whole" in section(staged, "licence")
    with pytest.raises(UserError, match="unsold"):  # what may not be used commercially does not come so far
        load_set_recipe(clash, ["purpose=commercial"])


def test_a_set_for_research_stays(curate: Curate, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sample-set was made for research, so it may not be published") as caught:
        stage(curate("sample-set", "purpose=research"), tmp_path / "out")
    assert caught.value.fix and "wellmix sources --purpose publish" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_the_same_set_gives_the_same_publication(published: tuple[Path, Staged], tmp_path: Path) -> None:
    made, staged = published
    again = stage(made, tmp_path / "again", contact="mailto:data@example.org")
    for name in staged.files:
        one, other = ((done.folder / name).read_bytes() for done in (staged, again))
        assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest(), name
        assert str(made.parent).encode() not in one and str(tmp_path).encode() not in one, name
