"""Forgetting, end to end: what goes, what stays as it was, and that a store which forgot is one which never knew."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline import authors
from pipeline.authors import keyring
from pipeline.cli import main
from pipeline.curate import run_curate
from pipeline.forget.apply import _scan, begin
from pipeline.forget.command import forget, prove_all, status
from pipeline.forget.lineage import Artifact, Graph
from pipeline.forget.outputs import outdated, register, registered
from pipeline.forget.tombstones import add_tombstones, load_tombstones, tombstone, tombstones_file
from pipeline.run import ingest_missing
from pipeline.store import Store
from sources.card import load_card
from sources.document import document_id
from sources.errors import UserError
from tests.forget.conftest import FORMATS, HANDLE, OWN, SAID, Mix

ALL = f"shards.formats={FORMATS}"


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(store: Path) -> dict[str, dict]:
    """All documents of a store by id."""
    tables = [pq.read_table(path).to_pylist() for path in sorted(store.glob("documents/*/*/documents.parquet"))]
    return {row["id"]: row for table in tables for row in table}


def gone(world_rows: dict[str, dict], store: Path) -> set[str]:
    return set(world_rows) - set(rows(store))


@pytest.fixture
def there(mixed: Path, tmp_path: Path) -> Path:
    """A copy of ``mixed`` that may be changed; its output is known to the store."""
    shutil.copytree(mixed, tmp_path / "there")
    outputs = tmp_path / "there/store/outputs.json"
    outputs.write_text(json.dumps({"folders": [str(tmp_path / "there/out")]}))
    return tmp_path / "there"


def test_an_author_goes_with_all_copies_and_nothing_else_is_touched(there: Path, mix: Mix, tmp_path: Path) -> None:
    before = rows(there / "store")
    untouched = {name: (there / "store" / name).stat().st_ino for name in files(there / "store")}
    done = forget(there / "store", author=HANDLE, reason="request 1", date="2026-05-04")

    expected = {document_id("circle", "c7"), document_id("circle", "c8"), document_id("threads", "t5")}
    expected |= {document_id("mirror", "m3"), document_id("mirror", "m4"), document_id("mirror", "m4", 1)}
    expected.add(document_id("threads", "t9"))
    assert gone(before, there / "store") == expected
    assert document_id("mirror", "m5") in rows(there / "store"), "the same short sentence is somebody else's"
    assert (done.known, done.applied.documents, done.applied.shards) == (3, 7, 3)
    assert [one.folder for one in done.outputs] == [there / "out"]
    line = tombstones_file().read_text()
    assert HANDLE not in line and not any(
        word in line for word in set(OWN.split()) - {"I", "it", "was", "that", "think"}
    )

    # the stories, and the other posts, are as they were: not written again, let alone computed
    store = Store(there / "store")
    keys = {key for _, key, meta in store.artifacts() if meta.get("source") == "stories"}
    kept = [name for name in untouched if any(key in name for key in keys)]
    assert kept and all((there / "store" / name).stat().st_ino == untouched[name] for name in kept)

    found = prove_all(there / "store", [], texts=[], handles=[HANDLE])
    assert found.found and {Path(trace.file).is_relative_to(there / "out") for trace in found.traces} == {True}
    assert {Path(trace.file).suffix for trace in found.traces} >= {
        ".parquet",
        ".jsonl",
        ".zst",
        ".bin",
        ".mds",
        ".ds",
    } - {".jsonl"}
    assert not found.unread

    again = mix(there / "store", there / "out", ALL)
    assert not set(again.stages) & {"ingest", "quality", "scores", "signature", "tokens", "catalog"}
    proof = prove_all(there / "store", [], texts=[], handles=[HANDLE])
    assert (proof.found, proof.unread) == (0, []) and proof.rows > 100
    assert proof.needles["texts"] == 2 and proof.needles["ids"] == 3
    assert again.ledger["stages"]["ingest"]["circle"]["dropped"] == {"forgotten": 2}

    fresh = mix(tmp_path / "fresh/store", tmp_path / "fresh/out", ALL)
    assert fresh.stages["ingest"]
    assert files(there / "out") == files(tmp_path / "fresh/out")
    for stage in ("documents", "quality", "scores", "signature", "tokens", "catalog", "clusters", "plan"):
        mine, theirs = (
            {path.name: path for path in (root / "store" / stage).glob("*/*")} for root in (there, tmp_path / "fresh")
        )
        assert set(mine) == set(theirs), stage
        for name, path in mine.items():
            assert json.loads((path / "meta.json").read_text()) == json.loads((theirs[name] / "meta.json").read_text())
            for file in path.glob("*.parquet"):
                assert pq.read_table(file).equals(pq.read_table(theirs[name] / file.name)), file
                assert pq.ParquetFile(file).num_row_groups == pq.ParquetFile(theirs[name] / file.name).num_row_groups
    assert mix(there / "store", there / "out", ALL).stages.total() == 0


def test_a_document_goes_with_all_its_pieces_and_comes_back_with_its_line(
    there: Path, mix: Mix, capsys: pytest.CaptureFixture[str]
) -> None:
    before, out = rows(there / "store"), files(there / "out")
    piece = document_id("stories", "s4", 2)
    forget(there / "store", ids=[piece], reason="request 2")
    assert gone(before, there / "store") == {document_id("stories", "s4", n) for n in range(4)}
    begin(Store(there / "store"))
    assert gone(before, there / "store"), "nothing comes back by itself"
    mix(there / "store", there / "out", ALL)
    assert files(there / "out") != out

    tombstones_file().unlink()
    with pytest.raises(UserError, match="not there"):
        mix(there / "store", there / "out", ALL)
    tombstones_file().write_text("")
    mix(there / "store", there / "out", ALL)
    assert "no longer in" in capsys.readouterr().err
    assert rows(there / "store") == before and files(there / "out") == out


def test_an_id_alone_takes_all_pieces(there: Path) -> None:
    before = rows(there / "store")
    # as somebody recorded it whose store cuts at another length, or holds nothing
    add_tombstones([tombstone("id", "2026-05-04", "request 6", ids=[document_id("stories", "s4")])])
    begin(Store(there / "store"))
    assert gone(before, there / "store") == {document_id("stories", "s4", n) for n in range(4)}


def test_a_source_goes_whole_and_the_gate_says_so(there: Path, mix: Mix) -> None:
    before = rows(there / "store")
    forget(there / "store", source="mirror", reason="its licence was withdrawn", date="2026-05-04")
    assert gone(before, there / "store") == {name for name, row in before.items() if row["source"] == "mirror"}
    with pytest.raises(UserError, match="'mirror' was forgotten on 2026-05-04: its licence was withdrawn") as error:
        mix(there / "store", there / "out")
    assert str(error.value.where).startswith("world.yaml:") or "sources.mirror" in str(error.value.where)
    # only what was made with it is gone: the documents of other sources and their scores are there
    stages = {stage for stage, _, _ in Store(there / "store").artifacts()}
    assert "scores" in stages and not stages & {"clusters", "plan"}


def test_texts_go_with_their_copies(there: Path, tmp_path: Path) -> None:
    before = rows(there / "store")
    (tmp_path / "a.txt").write_text(SAID)
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": "I feel sad today, that is all; as I said."}) + "\n")
    (tmp_path / "c.txt").write_text("I feel sad.")
    with pytest.raises(UserError, match="fewer than 8 words"):
        forget(there / "store", matching=[tmp_path / "c.txt"], reason="request 3")
    assert not tombstones_file().exists()
    done = forget(there / "store", matching=[tmp_path / "a.txt", tmp_path / "b.jsonl"], reason="request 3")
    assert gone(before, there / "store") == {document_id("threads", "t5")} and len(done.tombstones) == 2


def test_in_steps_or_at_once_in_any_order(there: Path, mixed: Path, mix: Mix, tmp_path: Path) -> None:
    post = document_id("circle", "c7")
    forget(there / "store", ids=[post], reason="first the post")
    forget(there / "store", author=HANDLE, reason="then its author")
    lines = tombstones_file().read_text().splitlines()
    shutil.copytree(mixed / "store", tmp_path / "at-once")
    tombstones_file().write_text("\n".join(reversed(lines)))
    # as by a colleague's commit: nobody called forget here, the run applies what is new
    mix(tmp_path / "at-once", tmp_path / "out-2", ALL)
    mix(there / "store", there / "out", ALL)
    assert files(there / "out") == files(tmp_path / "out-2")
    assert status(tmp_path / "at-once")["tombstones"][0]["applied"]


@pytest.mark.parametrize("after", [0, 3, 11])
def test_killed_anywhere_it_goes_on(
    there: Path, mix: Mix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    before, left = rows(there / "store"), [after]
    removed = Store.remove

    def kill(self: Store, stage: str, key: str) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return removed(self, stage, key)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", kill)
        with pytest.raises(KeyboardInterrupt):
            forget(there / "store", author=HANDLE, reason="request 1")
    assert len(load_tombstones()) == 4, "the request is recorded before anything is touched"
    begin(Store(there / "store"))
    assert len(gone(before, there / "store")) == 7
    graph = Graph(Store(there / "store"))
    lost = {key for one in graph.artifacts.values() for key in one.inputs or () if key not in graph.artifacts}
    assert not lost, "nothing is left of what was made of what is gone"
    assert prove_all(there / "store", [], texts=[], handles=[HANDLE]).traces[0].file.startswith(str(there / "out"))


def test_a_rotated_key_forgets_nobody(world: Path, mix: Mix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(authors.CURRENT)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # nothing is known of them here: only the hash of the person, under the first key
    forget(tmp_path / "none", author=HANDLE, reason="request 1")
    assert len(load_tombstones()) == 1
    authors.rotate()
    store = tmp_path / "store"
    kept = tombstones_file().read_text()
    tombstones_file().unlink()
    mix(store, tmp_path / "out")
    everything = rows(store)
    # documents made with the second key cannot show the person: they are ingested again, with the handles at hand
    tombstones_file().write_text(kept)
    mix(store, tmp_path / "out")
    assert gone(everything, store) == {
        document_id("circle", "c7"),
        document_id("circle", "c8"),
        document_id("threads", "t5"),
    }
    assert mix(store, tmp_path / "out").stages.total() == 0

    shutil.rmtree(tmp_path / "config/wellmix/retired")
    with pytest.raises(UserError, match="not in the keyring"):
        mix(store, tmp_path / "out")


def test_a_worker_with_another_key_is_an_error(world: Path, tmp_path: Path) -> None:
    task = {"author_key": "0" * 16, "base": "ab" * 16, "tombstones": None}
    with pytest.raises(UserError, match="another author key"):
        ingest_missing(Store(tmp_path / "store"), load_card(world / "cards/circle.yaml"), task)


def test_a_damaged_line_stops_the_run(there: Path, mix: Mix) -> None:
    tombstones_file().write_text("{}\n")
    with pytest.raises(UserError, match="damaged"):
        mix(there / "store", there / "out")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"author": HANDLE, "reason": f"{HANDLE} asked"}, "names the author"),
        ({"author": HANDLE, "reason": " "}, "reason"),
        ({"author": "  ", "reason": "request"}, "handle"),
        ({"ids": ["abc"], "reason": "request"}, "not a document id"),
        ({"ids": ["ab" * 16], "source": "circle", "reason": "request"}, "say what"),
        ({"matching": [Path("/nowhere.txt")], "reason": "request"}, "cannot read"),
    ],
)
def test_mistakes_record_nothing(there: Path, asked: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        forget(there / "store", **asked)
    assert not tombstones_file().exists()


def test_an_author_of_one_source_stays_in_others(there: Path) -> None:
    before = rows(there / "store")
    forget(there / "store", author=HANDLE, source="threads", reason="request 5")
    assert gone(before, there / "store") == {document_id("threads", "t5")}


@pytest.mark.slow
def test_a_set_forgets_and_scores_nothing_again(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def curate(name: str):
        return run_curate(
            world / "world-set.yaml", out=tmp_path / name / "out", store_root=tmp_path / name / "store", workers=1,
            show_progress=False,
        )  # fmt: skip

    curate("a")
    before = rows(tmp_path / "a/store")
    forget(tmp_path / "a/store", author=HANDLE, reason="request 1")
    assert len(gone(before, tmp_path / "a/store")) == 1
    again = curate("a")
    assert set(again.stages) == {"select", "write"}
    curate("b")
    assert files(tmp_path / "a/out") == files(tmp_path / "b/out")
    for stage in ("candidates", "candidate-scores", "candidate-conduct", "candidate-lengths", "pool"):
        mine, theirs = ({p.name for p in (tmp_path / name / "store" / stage).glob("*/*")} for name in "ab")
        assert mine == theirs, stage
    assert prove_all(tmp_path / "a/store", [], texts=[], handles=[HANDLE]).found == 0


def test_every_artifact_says_what_it_was_made_from(sample_mix) -> None:
    told = {stage: "inputs" in meta for stage, _, meta in Store(sample_mix[1]).artifacts()}
    assert told and all(told.values()), told


def test_models_that_read_nothing_forgotten_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.write("documents", "d" * 32, []):
        pass
    for name, read in (("a", [0, 2]), ("b", [0, 1])):
        with store.write("proxy-tokens", name * 32, ["d" * 32]) as (folder, _):
            np.save(folder / "rows.npy", np.array(read))
        with store.write("proxy-model", f"{name}1" * 16, [name * 32]):
            pass
    with store.write("old", "e" * 32):
        pass
    graph = Graph(store)
    forgotten = np.array([False, True, False])
    order = graph.dependents(
        {"d" * 32},
        lambda one: (
            one.stage == "proxy-tokens" and not forgotten[np.load(store.path(one.stage, one.key) / "rows.npy")].any()
        ),
    )
    assert {one.key for one in order} == {"d" * 32, "a" * 32, "b" * 32, "b1" * 16, "e" * 32}
    places = {one.key: i for i, one in enumerate(order)}
    assert places["b1" * 16] < places["b" * 32] < places["d" * 32]


def test_a_shard_that_hides_a_person_goes_whole(tmp_path: Path) -> None:
    # Ids in its first rows, then authors under a key that says nothing of whom is forgotten.
    store = Store(tmp_path / "store")
    turns = pa.array([[]] * 4, pa.list_(pa.struct([("author", pa.string())])))
    table = pa.table({"id": list("abcd"), "author": pa.array([None, None, "x", "y"], pa.string()), "turns": turns})
    with store.write("documents", "k" * 32, []) as (folder, meta):
        pq.write_table(table, folder / "documents.parquet", row_group_size=2)
        meta.update(source="circle", documents=4, author_key="old")

    class Blind:
        columns = ("id", "author", "turns")
        sources: ClassVar[dict[str, str]] = {}

        def authors(self, source: str, key: str) -> dict:
            return {}

        def blind_to(self, key: str, source: str) -> bool:
            return True

        def match(self, rows: pa.Table, authors: dict) -> tuple[np.ndarray, Counter]:
            return np.array([True, False]), Counter(one=1)

    found = _scan(store, Artifact("documents", "k" * 32, store.meta("documents", "k" * 32)), Blind())  # type: ignore[arg-type]
    assert (found.again, found.ids, len(found.gone)) == (True, [], 0)


def test_an_output_that_is_away_stays_known(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    away, here = tmp_path / "away", tmp_path / "here"
    here.mkdir()
    register(store, away)
    register(store, here)
    assert registered(store) == [here]
    away.mkdir()
    assert registered(store) == [away, here]


def test_publications_made_before_are_told_of(tmp_path: Path) -> None:
    manifest = {"kind": "set", "name": "help", "lineage": {"shards": [{"documents": "aa"}, {"documents": "bb"}]}}
    for name, content in (("manifest.json", manifest), ("provenance.json", {"manifest": manifest})):
        (tmp_path / name.split(".")[0]).mkdir()
        (tmp_path / name.split(".")[0] / name).write_text(json.dumps(content))
    folders = sorted(tmp_path.iterdir())
    assert outdated(folders, {"cc"}) == []
    told = {one.what: one.fix for one in outdated(folders, {"bb"})}
    assert set(told) == {"set", "publication"}
    assert "squash" in told["publication"] and "wellmix curate" in told["set"]


def test_exit_codes(there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["wellmix", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    store = ["--store", str(there / "store")]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{HANDLE}\n"))
    assert call("forget", "--author", "-", "--reason", "request 1", "--json", *store) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 7
    assert call("forget", "--prove", "--json", *store) == 1, "the output was made before"
    assert json.loads(capsys.readouterr().out)["traces"] > 0
    assert call("forget", "--status", *store) == 0 and "request 1" in capsys.readouterr().err
    shutil.rmtree(there / "out")
    assert call("forget", "--prove", *store) == 0 and "0 traces in" in capsys.readouterr().err
    assert call("author-key") == 0 and keyring().current.id in capsys.readouterr().err
    for wrong in (["--status", "--prove"], [], ["--id", "ab" * 16], ["x", "--source", "circle", "--reason", "y"]):
        assert call("forget", *wrong, *store) == 2, wrong


def test_the_proof_looks_everywhere(there: Path, tmp_path: Path) -> None:
    forget(there / "store", author=HANDLE, reason="request 1")
    shutil.rmtree(there / "out")
    assert prove_all(there / "store", [], texts=[], handles=[]).found == 0
    one, places = document_id("circle", "c7"), tmp_path / "places"
    places.mkdir()
    author = keyring().current.author(HANDLE, "threads")
    (places / "page.html").write_text(f"<p>{OWN.replace('. ', '.</p><p>')}</p>")
    (places / "run.log").write_text(f"wrote {one[:16]}\n")
    (places / "table.csv").write_text(f'a,b\n1,"{OWN}"\n')
    (places / "deep.json").write_text(json.dumps({"a": [{"b": {"c": SAID}}], "uid": int(one[:16], 16)}))
    pq.write_table(pa.table({"x": [[{"by": author}]]}), places / "nested.parquet")
    np.save(places / "uids.npy", np.array([1, int(one[:16], 16)], np.uint64))
    (places / "broken.parquet").write_bytes(b"no parquet " + one.encode())
    (places / "cut.jsonl.zst").write_bytes(zstandard.compress(f"{json.dumps({'text': OWN})}\n".encode() * 9)[:-4])
    (places / "plain.csv.gz").write_text(f'1,"{OWN}"\n')
    (places / "00000.bin").write_bytes(np.arange(9, dtype="<u2").tobytes())
    (places / "00000.idx").write_bytes(b"no index " + one.encode())
    (places / "empty.npy").write_bytes(b"")
    (places / "rows.npz").write_bytes(b"PK\x03\x04" + one.encode())
    (places / "clean.txt").write_text("Nothing of it.")
    (tmp_path / "needle.txt").write_text("A sentence of nine words that nobody had forgotten.")
    (places / "notes.md").write_text("# A\nA sentence of nine words that nobody had forgotten.\n")
    found = prove_all(there / "store", [places], texts=[tmp_path / "needle.txt"], handles=[])
    what = {(Path(trace.file).name, trace.what) for trace in found.traces}
    assert what == {
        ("page.html", "text"), ("run.log", "id"), ("table.csv", "text"), ("deep.json", "text"), ("deep.json", "id"),
        ("nested.parquet", "author"), ("uids.npy", "id"), ("broken.parquet", "id"), ("notes.md", "text"),
        ("plain.csv.gz", "text"), ("00000.idx", "id"), ("rows.npz", "id"),
    }  # fmt: skip
    assert [Path(name).name for name in found.unread] == [
        "00000.bin",
        "broken.parquet",
        "cut.jsonl.zst",
        "empty.npy",
        "plain.csv.gz",
        "rows.npz",
    ]
    assert add_tombstones(load_tombstones().values()) == []
