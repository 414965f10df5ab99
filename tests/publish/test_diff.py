"""Comparing two outputs: counted against what the files themselves say, and against changes made by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.console import console
from pipeline.diff import Change, compare, diff_outputs, print_diff
from sources.errors import UserError

ROOT = Path(__file__).parent.parent.parent
TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@pytest.fixture(scope="module")
def mixes(sample_mix, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample, and the sample with another weight for one source."""
    from pipeline.mix import run_mix

    result, store = sample_mix
    out = tmp_path_factory.mktemp("diff") / "b"
    run_mix(
        ROOT / "recipes/sample.yaml",
        out=out,
        store_root=store,
        workers=1,
        overrides=["sources.sample-forum.weight=0.3"],
        show_progress=False,
    )
    return result.out, out


def copies(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows by id and epoch, read with another library than the comparison's."""
    rows = {}
    for path in sorted((out / "parquet").glob("*/*.parquet")):
        for row in pq.read_table(path, columns=["id", "epoch", "source", "tokens"]).to_pylist():
            rows[row["id"], row["epoch"]] = row | {"split": path.parent.name}
    return rows


def test_two_weights(mixes: tuple[Path, Path]) -> None:
    a, b = mixes
    diff = diff_outputs(a, b)
    one, two = copies(a), copies(b)
    assert one.keys() - two.keys()  # the smaller weight took something away
    assert diff.count("added") == len(two.keys() - one.keys())
    assert diff.count("removed") == len(one.keys() - two.keys())
    assert diff.count("kept") == len(one.keys() & two.keys())
    assert diff.count("changed", "relabelled") == 0
    for fate, mine, other in (("added", two, one), ("removed", one, two)):
        for source in {row["source"] for row in mine.values()}:
            gone = [row for key, row in mine.items() if key not in other and row["source"] == source]
            rows = [rows for rows in diff.rows if rows.fate == fate and rows.source == source]
            assert sum(r.rows for r in rows) == len(gone)
            assert sum(r.tokens for r in rows) == sum(row["tokens"] for row in gone)
            assert {id_ for r in rows for id_ in r.ids} <= {id_ for id_, _ in mine.keys() - other.keys()}
    assert diff.recipe == [Change("sources.sample-forum.weight", 0.35, 0.3)]
    manifests = [json.loads((out / "manifest.json").read_text()) for out in (a, b)]
    assert Change("tokens", manifests[0]["tokens"], manifests[1]["tokens"]) in diff.totals
    assert not (diff.sources or diff.sources_added or diff.sources_removed or diff.versions or diff.thresholds)
    assert not diff.same
    assert json.loads(json.dumps(diff.summary()))["rows"]["removed"] == diff.count("removed")


def test_the_other_way_round(mixes: tuple[Path, Path]) -> None:
    there, back = diff_outputs(*mixes), diff_outputs(*reversed(mixes))
    assert (there.count("added"), there.count("removed")) == (back.count("removed"), back.count("added"))


def test_with_itself(mixes: tuple[Path, Path]) -> None:
    diff = diff_outputs(mixes[0], mixes[0])
    assert diff.same
    assert diff.count("kept") == len(copies(mixes[0]))
    assert diff.warnings == diff.notes == []


def test_what_people_see(mixes: tuple[Path, Path]) -> None:
    with console.capture() as shown:
        print_diff(diff_outputs(*mixes))
    lines = {line.split()[0]: line.split()[1:] for line in shown.get().splitlines() if line.strip()}
    assert lines["sources.sample-forum.weight"] == ["0.35", "0.3"]
    gone = sum(source == "sample-forum" for source in _gone(*mixes))
    assert lines["sample-forum"][:2] == ["-", str(gone)]


def _gone(a: Path, b: Path) -> list[str]:
    one, two = copies(a), copies(b)
    return [one[key]["source"] for key in one.keys() - two.keys()]


# -- changes made by hand


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = change(pq.read_table(path))
    path.unlink()  # a link into another folder
    pq.write_table(table, path)


def with_value(table: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(column), column, pa.array(values, table.schema.field(column).type))


@pytest.fixture
def pair(mixes: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    for name in "ab":
        shutil.copytree(mixes[0], tmp_path / name)
    return tmp_path / "a", tmp_path / "b"


def train(out: Path) -> Path:
    return out / "parquet/train/00000.parquet"


def edit(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    change(manifest)
    (out / "manifest.json").write_text(json.dumps(manifest))


def test_changed_relabelled_relicensed(pair: tuple[Path, Path]) -> None:
    a, b = pair
    ids = pq.read_table(train(a))["id"].to_pylist()

    def change(table: pa.Table) -> pa.Table:
        table = with_value(table, "text", 0, "another text")
        table = with_value(table, "quality", 1, 0.123)
        return with_value(table, "license", 2, "CC-BY-4.0")

    rewrite(train(b), change)
    diff = diff_outputs(a, b)
    assert {fate: diff.count(fate) for fate in ("added", "removed", "changed", "relabelled")} == {
        "added": 0,
        "removed": 0,
        "changed": 1,
        "relabelled": 2,
    }
    assert [rows.ids for rows in diff.rows if rows.fate == "changed"] == [(ids[0],)]
    assert {id_ for rows in diff.rows if rows.fate == "relabelled" for id_ in rows.ids} == {ids[1], ids[2]}
    assert sum(rows.relicensed for rows in diff.rows) == 1
    assert diff.warnings == ["1 rows carry another licence than before"]


def test_moved_between_splits(pair: tuple[Path, Path]) -> None:
    a, b = pair
    held = b / "parquet/validation/00000.parquet"
    moving = pq.read_table(train(b)).slice(3, 2)
    rewrite(held, lambda table: pa.concat_tables([table, moving]))
    rewrite(train(b), lambda table: pa.concat_tables([table.slice(0, 3), table.slice(5)]))
    diff = diff_outputs(a, b)
    assert diff.moves() == {("train", "validation"): 2}
    assert diff.count("added", "removed", "changed", "relabelled") == 0
    assert not diff.same
    assert len(diff.warnings) == 1
    assert "2 rows went from train to validation" in diff.warnings[0]
    assert any(id_ in diff.warnings[0] for id_ in moving["id"].to_pylist())
    assert "B's validation" in diff.warnings[0]
    assert diff_outputs(b, a).moves() == {("validation", "train"): 2}


def test_another_copy_of_a_document(pair: tuple[Path, Path]) -> None:
    a, b = pair
    first = pq.read_table(train(b)).slice(0, 1)
    rewrite(train(b), lambda table: pa.concat_tables([table, with_value(first, "epoch", 0, 1)]))
    diff = diff_outputs(a, b)
    assert (diff.count("added"), diff.count("removed"), diff.count("changed")) == (1, 0, 0)


def test_ids_that_stand_twice(pair: tuple[Path, Path]) -> None:
    a, b = pair
    first = pq.read_table(train(a)).slice(0, 1)
    rewrite(train(a), lambda table: pa.concat_tables([table, first]))
    rewrite(train(b), lambda table: pa.concat_tables([table, first, first]))
    diff = diff_outputs(a, b)
    assert (diff.count("added"), diff.count("removed"), diff.count("changed")) == (1, 0, 0)
    assert diff.count("kept") == len(copies(a)) + 1


def test_terms_of_sources(pair: tuple[Path, Path]) -> None:
    a, b = pair

    def change(manifest: dict[str, Any]) -> None:
        manifest["sources"]["sample-forum"] |= {"license": "CC-BY-NC-4.0", "allows": ["pretraining"]}
        manifest["sources"]["sample-talks"]["documents"] += 1  # a count, no term
        manifest["sources"]["new-one"] = manifest["sources"].pop("sample-moments")
        manifest["versions"]["stages"]["scores"] = "another"
        manifest["recipe"]["tokenizer"] = "cl100k_base"

    edit(b, change)
    diff = diff_outputs(a, b)
    assert (diff.sources_added, diff.sources_removed) == (["new-one"], ["sample-moments"])
    assert list(diff.sources) == ["sample-forum"]
    assert diff.summary()["licences"] == [{"source": "sample-forum", "old": "CC0-1.0", "new": "CC-BY-NC-4.0"}]
    assert "the licence of sample-forum changed: CC0-1.0 is now CC-BY-NC-4.0" in diff.warnings
    assert "sample-forum no longer allows commercial, finetuning, publishing" in diff.warnings
    assert [change.path for change in diff.versions] == ["stages.scores"]
    assert diff.notes == ["tokens of A are counted by o200k_base, of B by cl100k_base: they are not comparable"]


def test_columns_that_came(pair: tuple[Path, Path]) -> None:
    a, b = pair
    for path in (b / "parquet").glob("*/*.parquet"):
        rewrite(path, lambda table: table.append_column("mood", pa.array([0.5] * len(table))))
    diff = diff_outputs(a, b)
    assert diff.count("kept") == len(copies(a))
    assert diff.notes == ["parquet: only B has the column mood, not compared"]


def test_columns_of_another_type(pair: tuple[Path, Path]) -> None:
    a, b = pair
    for path in (b / "parquet").glob("*/*.parquet"):
        rewrite(
            path, lambda table: table.cast(retyped(table.schema, {"cluster_size": pa.float64(), "tokens": pa.int64()}))
        )
    diff = diff_outputs(a, b)
    assert diff.count("kept") == len(copies(a)) and diff.same


def retyped(schema: pa.Schema, types: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema([field.with_type(types.get(field.name, field.type)) for field in schema])


def test_values_by_path() -> None:
    old = {
        "a": {"b": 1, "c": None},
        "groups": [{"name": "x", "tokens": 5}, {"name": "y", "tokens": 6}],
        "formats": ["parquet"],
    }
    new = {
        "a": {"b": 1.5, "d": True},
        "groups": [{"name": "w", "tokens": 1}, {"name": "x", "tokens": 5}, {"name": "y", "tokens": 7}],
        "formats": ["parquet", "jsonl"],
        "drop": [],
    }
    assert {(change.path, str(change.old), str(change.new)) for change in compare(old, new)} == {
        ("a.b", "1", "1.5"),
        ("a.d", "None", "True"),
        ("groups.w.name", "None", "w"),
        ("groups.w.tokens", "None", "1"),
        ("groups.y.tokens", "6", "7"),
        ("formats", "['parquet']", "['parquet', 'jsonl']"),
    }
    assert compare({"a": 1}, {"a": True}) == [Change("a", 1, True)]


# -- sets


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def write_set(out: Path, formats: dict[str, dict[str, list[dict[str, Any]]]]) -> Path:
    entries, splits = [], {}
    for name, by_split in formats.items():
        for split, rows in by_split.items():
            rows = [{"source": "s", "license": "CC0-1.0", "tokens": 10, "support": 1.0} | row for row in rows]
            suffix = "jsonl" if name == "sharegpt" else "parquet"
            path = out / name / split / f"00000.{suffix}"
            path.parent.mkdir(parents=True)
            if suffix == "jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            else:
                kinds = {"messages": TURNS, "prompt": TURNS, "chosen": TURNS, "rejected": TURNS, "completion": TURNS}
                columns = {key: pa.array([row[key] for row in rows], kinds.get(key)) for key in rows[0]}
                pq.write_table(pa.table(columns), path)
            entries.append(
                {"path": path.relative_to(out).as_posix(), "format": name, "split": split, "examples": len(rows)}
            )
            splits.setdefault(split, {"examples": 0, "tokens": 0})["examples"] += len(rows)
    manifest = {
        "schema_version": 2,
        "kind": "set",
        "key": "k",
        "name": "s",
        "recipe": {"name": "s"},
        "sources": {"s": {"license": "CC0-1.0"}},
        "splits": splits,
        "thresholds": {},
        "versions": {},
        "files": entries,
        "lineage": {},
    }
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


def number(i: int) -> str:
    return f"{i:032x}"


def test_sets(tmp_path: Path) -> None:
    def rows(reply: str, moved: bool) -> dict[str, dict[str, list[dict[str, Any]]]]:
        messages = [{"id": number(i), "messages": turns("how?", f"so {i}")} for i in range(6)]
        lines = [
            {"id": number(i), "conversations": [{"from": "human", "value": "how?"}, {"from": "gpt", "value": reply}]}
            for i in range(4)
        ]
        pairs = [
            {"id": number(i), "prompt": turns("how?"), "chosen": turns(reply), "rejected": turns("no")}
            for i in range(5)
        ]
        cut = 4 if moved else 5
        return {
            "messages": {"train": messages[:cut], "validation": messages[cut:]},
            "preference": {"train": pairs},
            "sharegpt": {"train": lines},
        }

    a = write_set(tmp_path / "a", rows("so", moved=False))
    new = rows("thus", moved=True)
    new["sharegpt"]["train"][0]["conversations"][1]["value"] = "so"
    new["unpaired"] = {"train": [{"id": number(9), "prompt": turns("how?"), "completion": turns("so"), "label": True}]}
    b = write_set(tmp_path / "b", new)
    diff = diff_outputs(a, b)
    found = {(rows.format, rows.fate, rows.moved): rows.rows for rows in diff.rows}
    assert found == {
        ("messages", "kept", None): 5,
        ("messages", "kept", ("train", "validation")): 1,
        ("preference", "changed", None): 5,
        ("sharegpt", "kept", None): 1,
        ("sharegpt", "changed", None): 3,
        ("unpaired", "added", None): 1,
    }
    assert diff.notes == ["only B has the format unpaired"]
    assert diff.kind == "set"
    assert diff.summary()["by_format_and_source"]["unpaired"] == {"s": {"added": {"rows": 1, "tokens": 10}}}
    assert diff_outputs(a, a).same


def test_formats_of_the_same_examples_are_one_table(tmp_path: Path) -> None:
    def rows(count: int) -> dict[str, dict[str, list[dict[str, Any]]]]:
        return {
            "messages": {"train": [{"id": number(i), "messages": turns("how?", "so")} for i in range(count)]},
            "prompt_completion": {
                "train": [{"id": number(i), "prompt": turns("how?"), "completion": turns("so")} for i in range(count)]
            },
            "unpaired": {
                "train": [{"id": number(9), "prompt": turns("how?"), "completion": turns("so"), "label": True}]
            },
        }

    a, b = write_set(tmp_path / "a", rows(6)), write_set(tmp_path / "b", rows(4))
    with console.capture() as shown:
        print_diff(diff_outputs(a, b))
    titles = [line.strip() for line in shown.get().splitlines() if line.strip().endswith(": examples")]
    assert titles == ["messages, prompt_completion: examples", "unpaired: examples"]


def test_a_label_turned(tmp_path: Path) -> None:
    row = {"id": number(1), "prompt": turns("how?"), "completion": turns("so")}
    a = write_set(tmp_path / "a", {"unpaired": {"train": [row | {"label": True}]}})
    b = write_set(tmp_path / "b", {"unpaired": {"train": [row | {"label": False}]}})
    assert diff_outputs(a, b).count("changed") == 1


def test_lines_labelled_anew(tmp_path: Path) -> None:
    row = {"id": number(1), "conversations": [{"from": "human", "value": "how?"}]}
    a = write_set(tmp_path / "a", {"sharegpt": {"train": [row]}})
    b = write_set(tmp_path / "b", {"sharegpt": {"train": [row | {"support": 2.0}]}})
    diff = diff_outputs(a, b)
    assert (diff.count("relabelled"), diff.count("changed"), diff.count("kept")) == (1, 0, 0)


def test_ids_of_any_form(tmp_path: Path) -> None:
    rows = [{"id": f"thread/{i}", "messages": turns("how?", "so")} for i in range(5)]
    a = write_set(tmp_path / "a", {"messages": {"train": rows[:4]}})
    b = write_set(tmp_path / "b", {"messages": {"train": rows[1:]}})
    diff = diff_outputs(a, b)
    assert (diff.count("added"), diff.count("removed"), diff.count("kept")) == (1, 1, 3)


def test_little_memory(tmp_path: Path) -> None:
    """300,000 rows a side under a limit that the joined rows do not fit in."""
    con = duckdb.connect(config={"threads": 1})
    for name, shift in (("a", 0), ("b", 1000)):
        out = write_set(tmp_path / name, {"messages": {"train": [{"id": number(1), "messages": turns("how?", "so")}]}})
        con.execute(
            f"COPY (SELECT md5((i + {shift})::VARCHAR) AS id, [{{role: 'user', content: 'text ' || (i + {shift})}}] AS messages, "
            f"'s' || i % 7 AS source, 'CC0-1.0' AS license, 3 AS tokens, 1.0 AS support FROM range(300000) t(i)) "
            f"TO '{out}/messages/train/00000.parquet'"
        )
    diff = diff_outputs(tmp_path / "a", tmp_path / "b", memory="90MB")
    assert (diff.count("added"), diff.count("removed"), diff.count("changed")) == (1000, 1000, 0)


# -- publications


@pytest.fixture(scope="module")
def published(mixes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    from pipeline.publish.stage import stage

    folder = tmp_path_factory.mktemp("published")
    for out, name in zip(mixes, "ab", strict=True):
        stage(out, folder / name)
    return folder / "a", folder / "b"


def test_publications(mixes: tuple[Path, Path], published: tuple[Path, Path]) -> None:
    outputs, publications = diff_outputs(*mixes).summary(), diff_outputs(*published).summary()
    assert {**publications, "a": "", "b": ""} == {**outputs, "a": "", "b": ""}


def test_an_output_and_its_publication(mixes: tuple[Path, Path], published: tuple[Path, Path]) -> None:
    diff = diff_outputs(mixes[0], published[0])
    assert diff.same, diff.summary()
    assert diff.count("kept") == len(copies(mixes[0]))


# -- mistakes


def test_no_output(mixes: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        diff_outputs(mixes[0], tmp_path / "nowhere")
    with pytest.raises(UserError, match="not the output") as error:
        diff_outputs(tmp_path, mixes[0])
    assert error.value.fix


def test_a_file_is_missing(pair: tuple[Path, Path]) -> None:
    train(pair[1]).unlink()
    with pytest.raises(UserError, match="missing") as error:
        diff_outputs(*pair)
    assert error.value.where == str(train(pair[1]))


def test_a_file_is_broken(pair: tuple[Path, Path]) -> None:
    train(pair[1]).unlink()
    train(pair[1]).write_bytes(b"no Parquet at all")
    with pytest.raises(UserError, match="cannot be read"):
        diff_outputs(*pair)


def test_a_mix_and_a_set(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_set(tmp_path / "set", {"messages": {"train": [{"id": number(1), "messages": turns("how?", "so")}]}})
    with pytest.raises(UserError, match="a mix and a set cannot be compared"):
        diff_outputs(pair[0], other)


def test_an_incomplete_manifest(pair: tuple[Path, Path]) -> None:
    edit(pair[1], lambda manifest: manifest.pop("splits"))
    with pytest.raises(UserError, match="incomplete"):
        diff_outputs(*pair)


def test_formats_without_rows(pair: tuple[Path, Path]) -> None:
    def change(manifest: dict[str, Any]) -> None:
        for entry in manifest["files"]:
            entry["format"] = "megatron"
            (pair[1] / "megatron" / entry["split"]).mkdir(parents=True)
            (pair[1] / entry["path"]).rename(pair[1] / "megatron" / entry["split"] / "00000.bin")
            entry["path"] = f"megatron/{entry['split']}/00000.bin"

    edit(pair[1], change)
    diff = diff_outputs(*pair)
    assert diff.rows == []
    assert diff.notes == ["rows are not compared: that needs parquet or jsonl in the `shards.formats` of both mixes"]


def test_jsonl_mixes(sample_mix, tmp_path: Path) -> None:
    """Compressed lines, as the format ``jsonl`` of a mix writes them."""
    from pipeline.mix import run_mix

    _, store = sample_mix
    for name, weight in (("a", 0.35), ("b", 0.3)):
        overrides = ["shards.formats=[jsonl]", f"sources.sample-forum.weight={weight}"]
        run_mix(
            ROOT / "recipes/sample.yaml",
            out=tmp_path / name,
            store_root=store,
            workers=1,
            overrides=overrides,
            show_progress=False,
        )
    diff = diff_outputs(tmp_path / "a", tmp_path / "b")
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in "ab"]
    assert diff.count("kept", "removed") == manifests[0]["documents"]
    assert diff.count("kept", "added") == manifests[1]["documents"]
    assert diff.count("removed") and not diff.count("changed", "relabelled")
