"""The sample mix, end to end: what was planted is found, and the promises hold."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import datasets
import orjson
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.explain import explain
from pipeline.mix import MixResult, run_mix
from pipeline.store import Store
from sources.card import SAMPLE_DIR
from sources.document import document_id
from sources.errors import UserError

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes/sample.yaml"
PLANTED = json.loads((SAMPLE_DIR / "planted.json").read_text())


def rerun(sample_mix: tuple[MixResult, Path], out: Path, *overrides: str, workers: int = 1) -> MixResult:
    return run_mix(
        RECIPE, out=out, store_root=sample_mix[1], workers=workers, overrides=list(overrides), show_progress=False
    )


def shards(result: MixResult) -> list[dict]:
    files = [file["path"] for file in result.manifest["files"] if file["format"] == "parquet"]
    return [row for file in files for row in pq.read_table(result.out / file).to_pylist()]


@pytest.fixture(scope="module")
def decisions(sample_mix) -> dict[str, dict]:
    """Decision by document id, with its text."""
    result, store_root = sample_mix
    lineage = result.manifest["lineage"]
    store = Store(store_root)
    found = {}
    tables = [
        pq.read_table(store.path("documents", s["documents"]) / "documents.parquet").to_pylist()
        for s in lineage["shards"]
    ]
    for row in pq.read_table(store.path("plan", lineage["plan"]) / "decisions.parquet").to_pylist():
        document = tables[row["shard"]][row["row"]]
        found[document["id"]] = row | {"text": document["text"], "language": document["language"]}
    return found


def of(decisions: dict[str, dict], planted: dict) -> dict | None:
    return decisions.get(document_id(planted["source"], planted["key"]))


def test_contract_of_manifest_and_shards(sample_mix) -> None:
    result, _ = sample_mix
    manifest = json.loads((result.out / "manifest.json").read_text())
    for name in ("schema_version", "recipe", "sources", "thresholds", "versions", "documents", "tokens", "files"):
        assert name in manifest
    rows = shards(result)
    assert len(rows) == manifest["documents"] == sum(f["documents"] for f in manifest["files"])
    assert sum(row["tokens"] for row in rows) == manifest["tokens"] == sum(f["tokens"] for f in manifest["files"])
    assert {"id", "text", "source", "license", "tokens", "epoch"} <= set(rows[0])
    assert all(source["license"] == "CC0-1.0" for source in manifest["sources"].values())
    for file in manifest["files"]:
        assert hashlib.sha256((result.out / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    summary = result.summary()
    assert {"out", "seconds", "stages_run", "documents", "tokens", "achieved"} <= set(summary)
    timed = summary["seconds_by_stage"]
    assert {"documents", "dedup", "plan", "emit", "emit/gather", "output"} <= set(timed)
    assert sum(took for name, took in timed.items() if "/" not in name) <= summary["seconds"]
    assert sum(summary["achieved"].values()) == pytest.approx(1)


def test_budget_is_met_and_the_capped_source_redistributed(sample_mix) -> None:
    result, _ = sample_mix
    train = result.manifest["splits"]["train"]["tokens"]
    assert abs(train - result.manifest["recipe"]["budget"]) < 0.02 * train
    entry = next(e for e in result.manifest["entries"] if e["entry"] == "sample-talks")
    assert entry["tokens"] == entry["capacity"] < entry["asked"]
    assert any("sample-talks" in note for note in result.manifest["notes"])
    for entry in result.manifest["entries"]:
        assert abs(entry["tokens"] - entry["target"]) <= 1200, "to within one document"


def test_ledger_reconciles(sample_mix) -> None:
    ledger = json.loads((sample_mix[0].out / "ledger.json").read_text())
    for line in ledger["stages"]["ingest"].values():
        assert line["records_in"] + line["split_off"] == line["documents"] + sum(line["dropped"].values()) + sum(
            line["quarantined"].values()
        )
    for line in ledger["stages"]["plan"].values():
        assert line["documents_in"] == line["selected"] + line["held_out"] + line["not_drawn"] + sum(
            line["dropped"].values()
        )
    assert ledger["totals"]["quarantined"] == len(PLANTED["bad_records"])


def test_bad_records_are_quarantined_with_their_place_and_without_their_text(sample_mix) -> None:
    lines = [json.loads(line) for line in (sample_mix[0].out / "quarantine.jsonl").read_text().splitlines()]
    assert sorted((r["source"], r["origin"], r["reason"]) for r in lines) == sorted(
        (r["source"], r["origin"], r["reason"]) for r in PLANTED["bad_records"]
    )
    assert all(len(line["detail"]) < 200 for line in lines)


def test_no_planted_personal_data_is_stored_anywhere(sample_mix) -> None:
    result, store_root = sample_mix
    stored = []
    for root in (result.out, store_root):
        for path in root.rglob("*"):
            if path.suffix == ".parquet":
                stored.append(str(pq.read_table(path).to_pylist()))
            elif path.is_file():
                stored.append(path.read_text("utf-8", "replace"))
    everything = "\n".join(stored)
    leaked = [planted["value"] for planted in PLANTED["pii"] if planted["value"] in everything]
    assert leaked == []
    handles = [
        h
        for names in PLANTED["author_handles"].values()
        for h in names
        if re.search(rf"(?<!\w){re.escape(h)}(?!\w)", everything)
    ]
    assert handles == []


def test_what_only_looks_personal_stays(decisions) -> None:
    for planted in PLANTED["not_pii"]:
        assert planted["value"] in of(decisions, planted)["text"]


@pytest.mark.parametrize("kind", ["exact_duplicates", "near_duplicates"])
def test_planted_duplicates_leave_one(decisions, kind: str) -> None:
    for group in PLANTED[kind]:
        kept = [member for member in group if of(decisions, member)["reason"] is None]
        assert len(kept) <= 1, group
        assert of(decisions, group[0])["cluster_size"] >= len(group)


def test_similar_texts_are_no_duplicates(decisions) -> None:
    for pair in PLANTED["similar_not_duplicates"]:
        for member in pair:
            assert not (of(decisions, member)["reason"] or "").startswith("duplicate")


def test_people_who_tell_of_their_pain_are_kept(decisions) -> None:
    for kind in ("disclosure", "support", "recovery"):
        for planted in PLANTED[kind]:
            reason = of(decisions, planted)["reason"]
            assert reason is None or reason.startswith("duplicate"), (planted, reason)


def test_unsafe_low_quality_foreign_and_contaminated_texts_go(decisions) -> None:
    unsafe = [of(decisions, p)["reason"] for p in PLANTED["unsafe"]]
    # The shipped classifier misses mild and indirect harm (see its model card); it must not get worse.
    assert sum((reason or "").startswith("safety_") for reason in unsafe) >= 3
    for planted in PLANTED["low_quality"]:
        decision = of(decisions, planted)
        assert decision is None or decision["reason"], planted
    for planted in PLANTED["other_language"]:
        assert of(decisions, planted)["reason"] in ("language", "duplicate_exact")
    for planted in PLANTED["contaminated"]:
        assert of(decisions, planted)["reason"] == "contaminated_demo-questions"


def test_a_cluster_is_on_one_side_of_the_split(sample_mix) -> None:
    train = {r["id"] for r in shards(sample_mix[0]) if r["epoch"] >= 0}
    files = sample_mix[0].manifest["files"]
    sides = {
        split: {
            r["id"]
            for f in files
            if f["split"] == split
            for r in pq.read_table(sample_mix[0].out / f["path"]).to_pylist()
        }
        for split in ("train", "validation")
    }
    assert sides["validation"]
    assert sides["train"].isdisjoint(sides["validation"])
    assert sides["train"] | sides["validation"] == train


def test_pieces_of_one_record_are_on_one_side_of_the_split(sample_mix, tmp_path: Path) -> None:
    """Chapters cut into pieces: a held-out half of a chapter would be half known."""
    result = rerun(sample_mix, tmp_path / "out", "ingest.max_chars=1000", "validation=0.3", "budget=20000")
    lineage = result.manifest["lineage"]
    store = Store(sample_mix[1])
    sides: dict[str, set[str]] = {}
    for row in pq.read_table(store.path("plan", lineage["plan"]) / "decisions.parquet").to_pylist():
        if row["cluster_size"] == 1:
            shard = lineage["shards"][row["shard"]]
            origin = pq.read_table(store.path("documents", shard["documents"]) / "documents.parquet")["origin"][
                row["row"]
            ].as_py()
            sides.setdefault(f"{shard['source']} {origin.split('&part=')[0]}", set()).add(row["split"])
    assert sum("part" in r["origin"] for r in shards(result)) > 20
    assert all(len(side) == 1 for side in sides.values())
    assert {side for (side,) in sides.values()} == {"train", "validation"}


def test_a_source_of_several_urls_keeps_every_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jsonl").write_text(
            json.dumps({"text": f"A text of folder {name} that has enough words. " * 5}) + "\n"
        )
    (tmp_path / "cards").mkdir()
    card = (ROOT / "sources/cards/sample-general.yaml").read_text()
    card = re.sub(
        r"where:.*?license:",
        f"""where:
  url: ["file://{tmp_path}/a/x.jsonl", "file://{tmp_path}/b/x.jsonl", "file://{tmp_path}/a/*.jsonl"]
reader: {{name: jsonl, text: text}}
license:""",
        card,
        flags=re.S,
    ).replace("name: sample-general", "name: two")
    (tmp_path / "cards/two.yaml").write_text(card)
    (tmp_path / "r.yaml").write_text(
        "purpose: research\nbudget: 1\ncards: [cards]\nsources: {two: {epochs: 1}}\nvalidation: 0\n"
    )
    result = run_mix(
        tmp_path / "r.yaml", out=tmp_path / "out", store_root=tmp_path / "store", workers=1, show_progress=False
    )
    assert result.ledger["totals"]["documents"] == 2
    assert result.ledger["totals"]["quarantined"] == 0


def test_second_run_does_nothing(sample_mix) -> None:
    again = rerun(sample_mix, sample_mix[0].out)
    assert again.summary()["stages_run"] == 0
    assert again.manifest == sample_mix[0].manifest


def test_another_weight_reruns_only_the_plan_and_leaves_others_alone(sample_mix, tmp_path: Path) -> None:
    changed = rerun(sample_mix, tmp_path / "out", "sources.sample-moments.weight=0.05")
    assert set(changed.stages) == {"plan", "emit"}
    before, after = ({(r["source"], r["id"], r["epoch"]) for r in shards(m)} for m in (sample_mix[0], changed))
    assert {k for k in before if k[0] != "sample-moments"} == {k for k in after if k[0] != "sample-moments"}
    assert {k for k in before if k[0] == "sample-moments"} < {k for k in after if k[0] == "sample-moments"}


def test_a_threshold_reruns_only_the_plan(sample_mix, tmp_path: Path) -> None:
    changed = rerun(sample_mix, tmp_path / "out", "filters.quality.forum.min_words=60", "budget=20000")
    assert set(changed.stages) == {"plan", "emit"}


def test_a_new_source_touches_only_itself(sample_mix, tmp_path: Path) -> None:
    text = RECIPE.read_text().replace("../sources", str(ROOT / "sources"))
    (tmp_path / "s.yaml").write_text(
        re.sub(r"  sample-general.*\n", "", text).replace("budget: 40_000", "budget: 38_000")
    )
    smaller = run_mix(
        tmp_path / "s.yaml", out=tmp_path / "a", store_root=tmp_path / "store", workers=1, show_progress=False
    )
    assert smaller.stages["ingest"] == 7
    (tmp_path / "s.yaml").write_text(text)
    whole = run_mix(
        tmp_path / "s.yaml", out=tmp_path / "b", store_root=tmp_path / "store", workers=1, show_progress=False
    )
    assert whole.stages["ingest"] == 1
    assert [f["sha256"] for f in whole.manifest["files"]] == [f["sha256"] for f in sample_mix[0].manifest["files"]]


@pytest.mark.slow
def test_same_bytes_with_two_workers(sample_mix, tmp_path: Path) -> None:
    overrides = ["shards.size=65536", "ingest.shard_bytes=65536", "shards.formats=[parquet, jsonl]"]
    one, two = (
        run_cli(
            "mix",
            RECIPE,
            "--out",
            tmp_path / f"out{n}",
            "--store",
            tmp_path / f"store{n}",
            "--workers",
            n,
            *(part for override in overrides for part in ("--set", override)),
        )
        for n in (1, 2)
    )
    assert one.returncode == two.returncode == 0, two.stderr
    manifests = [json.loads((tmp_path / f"out{n}" / "manifest.json").read_text()) for n in (1, 2)]
    assert manifests[0] == manifests[1]
    assert len(manifests[0]["files"]) > 4


def test_a_document_that_goes_touches_its_own_shards_alone(sample_mix, tmp_path: Path) -> None:
    """And what is kept of the old folder is what an empty folder would get."""
    small = ["budget=100000", "shards.size=65536", "shards.formats=[parquet, jsonl, megatron]"]
    before = rerun(sample_mix, tmp_path / "out", *small)
    inodes = {file["path"]: (before.out / file["path"]).stat().st_ino for file in before.manifest["files"]}
    gone = next(row for row in shards(rerun(sample_mix, tmp_path / "whole")) if row["source"] == "sample-moments")
    without = [*small, f"filters.drop=[{{where: \"id = '{gone['id']}'\", reason: gone}}]"]
    after = rerun(sample_mix, tmp_path / "out", *without)
    fresh = rerun(sample_mix, tmp_path / "fresh", *without)
    assert after.manifest == fresh.manifest
    files = [file["path"] for file in after.manifest["files"]]
    assert all((after.out / path).read_bytes() == (fresh.out / path).read_bytes() for path in files)
    kept = [path for path in files if inodes.get(path) == (after.out / path).stat().st_ino]
    # the shards that had a copy of it, or get one of what its source gives instead, are other ones
    assert {file["format"] for file in after.manifest["files"] if file["path"] in kept} == {
        "parquet",
        "jsonl",
        "megatron",
    }
    assert len(kept) < len(files)
    assert gone["id"] not in {row["id"] for row in shards(after)}
    # a file that somebody changed is written again, not taken over
    (after.out / kept[0]).write_bytes(b"x" * (after.out / kept[0]).stat().st_size)
    assert rerun(sample_mix, tmp_path / "out", *small).manifest == before.manifest
    assert hashlib.sha256((after.out / kept[0]).read_bytes()).hexdigest() in {
        f["sha256"] for f in before.manifest["files"]
    }


def run_cli(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=600,
    )


def test_nothing_but_messages_on_the_terminal(sample_mix, tmp_path: Path) -> None:
    # DuckDB's bindings complain of a database that lives when Python ends, as the one did that conditions were tried on.
    weighed = "upweight=[{where: relevance >= 3, multiply: 2}]"
    where = ["--store", sample_mix[1], "--out", tmp_path / "out"]
    ran = run_cli("mix", ROOT / "recipes/sample.yaml", *where, "--set", weighed)
    assert ran.returncode == 0 and "nanobind" not in ran.stderr
    assert re.match(r"[\d,]+ documents, [\d,]+ tokens in ", ran.stderr.strip().splitlines()[-1])


def test_every_format_reads_back(sample_mix, tmp_path: Path) -> None:
    result = rerun(sample_mix, tmp_path / "out", "shards.formats=[parquet, jsonl, megatron, mds, datatrove]")
    loaded = datasets.load_dataset(str(result.out / "parquet"), cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split].num_rows for split in loaded} == {
        split: counts["documents"] for split, counts in result.manifest["splits"].items()
    }
    with (result.out / "jsonl/train/00000.jsonl.zst").open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file).read().splitlines()
    assert [orjson.loads(line)["id"] for line in lines] == loaded["train"]["id"][:]
    for name in ("jsonl", "megatron", "mds", "datatrove"):
        tokens = sum(f["tokens"] for f in result.manifest["files"] if f["format"] == name)
        assert tokens == result.manifest["tokens"]


def test_explain(sample_mix) -> None:
    result, store = sample_mix
    row = next(r for r in shards(result) if r["epoch"] == 0)
    story = explain(result.out, row["id"][:12], store)
    assert story["document"]["id"] == row["id"]
    assert story["document"]["license"] == "CC0-1.0"
    assert story["decision"]["outcome"] in ("in the mix", "held out")
    assert story["places"]
    assert story["text"] == row["text"]
    copy = next(m for group in PLANTED["exact_duplicates"] for m in group[1:])
    stories = [explain(result.out, document_id(m["source"], m["key"]), store) for m in (copy,)]
    assert stories[0]["decision"]["why"].startswith("duplicate") or stories[0]["decision"]["outcome"] != "dropped"
    with pytest.raises(UserError, match="never saw"):
        explain(result.out, "0" * 32, store)
    with pytest.raises(UserError, match="not a document id"):
        explain(result.out, "xyz", store)
    with pytest.raises(UserError, match=r"no manifest\.json"):
        explain(result.out.parent, row["id"], store)


def test_positions_are_a_global_shuffle(sample_mix) -> None:
    """Sources are spread over the whole split, not one after another."""
    result, _ = sample_mix
    rows = [
        r["source"]
        for f in result.manifest["files"]
        if f["split"] == "train"
        for r in pq.read_table(result.out / f["path"]).to_pylist()
    ]
    half = len(rows) // 2
    for source in ("sample-forum", "sample-moments"):
        first = rows[:half].count(source) / rows.count(source)
        assert 0.25 < first < 0.75


def test_store_holds_no_half_artifacts(sample_mix) -> None:
    assert list((sample_mix[1] / "tmp").iterdir()) == []
    assert ds.dataset(sample_mix[0].out / "parquet/train", format="parquet").count_rows() > 100
