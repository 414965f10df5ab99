"""Against a real S3 server, with and without a proxy before it that drops, stalls, truncates and refuses.

The sample lies in a bucket, and so do the store and the output; what comes out is what a run on one disk makes, byte for byte.
"""

from __future__ import annotations

import errno
import hashlib
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import yaml

from pipeline import remote
from pipeline.diff import diff_outputs
from pipeline.explain import explain
from pipeline.mix import MixResult, run_mix
from pipeline.output import is_current, local_copy
from pipeline.remote import RemoteFolder, RemoteStore
from pipeline.store import open_store
from sources.card import SAMPLE_DIR, load_card
from sources.errors import UserError
from sources.files import open_binary, resolve
from tests.storage.conftest import Bucket
from tests.storage.flaky import FAULTS, FlakyProxy, Plan

ROOT = Path(__file__).parents[2]
KEY = "ab" * 16
#: Of the sample: JSON lines, plain and compressed, whole JSON files, a table.
SOURCES = ("sample-forum", "sample-general", "sample-transcripts", "sample-moments")


def recipe_over(folder: Path, raw: str) -> Path:
    """The sample's recipe, its sources at a URL."""
    (folder / "cards").mkdir(parents=True)
    plain = yaml.safe_load((ROOT / "recipes/sample.yaml").read_text())
    plain["sources"] = {name: plain["sources"][name] for name in SOURCES}
    for name in SOURCES:
        card = yaml.safe_load((ROOT / f"sources/cards/{name}.yaml").read_text())
        paths = card["where"]["path"]
        urls = [f"{raw}/{path}" for path in ([paths] if isinstance(paths, str) else paths)]
        card["where"] = {"url": urls}
        (folder / f"cards/{name}.yaml").write_text(yaml.safe_dump(card))
    plain |= {"cards": ["cards"], "effort": "fast", "filters": {"contamination": False}, "budget": 15_000}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(plain))
    return folder / "recipe.yaml"


def digests(manifest: dict) -> dict[str, str]:
    return {file["path"]: file["sha256"] for file in manifest["files"]}


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory) -> MixResult:
    """The same files, store and output on a disk."""
    folder = tmp_path_factory.mktemp("disk")
    return run_mix(
        recipe_over(folder, f"file://{SAMPLE_DIR}"),
        out=folder / "out",
        store_root=folder / "store",
        workers=1,
        show_progress=False,
    )


@pytest.fixture
def recipe(bucket: Bucket, tmp_path: Path) -> Path:
    """The sample's recipe, its sources in the bucket."""
    for path in SAMPLE_DIR.rglob("*"):
        if path.is_file():
            bucket.fs.pipe_file(f"{bucket.name}/raw/{path.relative_to(SAMPLE_DIR)}", path.read_bytes())
    return recipe_over(tmp_path / "recipe", bucket.url("raw"))


def check(bucket: Bucket, on_disk: MixResult) -> None:
    """The output in the bucket is the one on the disk, and nothing is left that a run must not leave."""
    manifest = json.loads(bucket.fs.cat_file(f"{bucket.name}/mix/manifest.json"))
    assert digests(manifest) == digests(on_disk.manifest)
    for path, digest in digests(manifest).items():
        assert hashlib.sha256(bucket.fs.cat_file(f"{bucket.name}/mix/{path}")).hexdigest() == digest
    wanted = {"manifest.json", "ledger.json", "quarantine.jsonl", *digests(manifest)}
    assert {name.removeprefix("mix/") for name in bucket.names("mix")} == wanted
    assert bucket.uploads() == []
    store = bucket.names("store")
    assert not [name for name in store if name.startswith(("store/locks", "store/work", "store/shard"))]
    wanted = {"store/generation", "store/outputs.json"} & set(store)
    for name in store:
        if name.endswith("/meta.json"):
            stored = json.loads(bucket.fs.cat_file(f"{bucket.name}/{name}"))["stored"]
            folder = name.removesuffix("/meta.json")
            wanted |= {name, *(f"{folder}/{digest[:16]}/{file}" for file, (_, digest) in stored.items())}
    assert len(wanted) > 40 and set(store) == wanted, "each file is of an artifact that is whole"


@pytest.mark.slow
def test_the_sample_in_a_bucket_through_a_flaky_network(
    bucket: Bucket, recipe: Path, on_disk, command, tmp_path, monkeypatch
) -> None:
    words = ("mix", recipe, "--store", bucket.url("store"), "--out", bucket.url("mix"), "--workers", 2, "--json")
    bucket.flaky(seed=3, rate=0.06, stall=1.7)
    run = command(*words)
    assert run.returncode == 0, run.stderr
    assert set(bucket.proxy.seen.faults) >= {*FAULTS, "none"}
    check(bucket, on_disk)

    bucket.flaky()
    bucket.proxy.seen.requests.clear()
    again = run_mix(recipe, out=bucket.url("mix"), store_root=bucket.url("store"), workers=1, show_progress=False)
    assert not again.stages
    assert bucket.proxy.seen.requests["PUT"] == 1, "its announcement alone"

    # on a machine that has nothing in its cache
    monkeypatch.setenv("WELLMIX_CACHE", str(tmp_path / "another"))
    shard = next(path for path in digests(again.manifest) if path.endswith(".parquet"))
    import pyarrow.parquet as pq

    document = pq.read_table(local_copy(bucket.url("mix")) / shard)["id"][0].as_py()
    story = explain(bucket.url("mix"), document, bucket.url("store"))
    assert story["decision"]["outcome"] in ("in the mix", "held out")
    rows = diff_outputs(local_copy(bucket.url("mix")), on_disk.out).summary()["rows"]
    assert {fate for fate, number in rows.items() if number} == {"kept"}


@pytest.mark.slow
def test_killed_in_an_upload_and_run_again(bucket: Bucket, recipe: Path, on_disk, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "mix", recipe, "--workers", "1"]
    command += ["--store", bucket.url("store"), "--out", bucket.url("mix")]
    bucket.flaky(latency=0.3)
    run = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    assert bucket.proxy.seen.upload.wait(60)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert [name for name in bucket.names("store") if name.startswith("store/locks")], "it was killed holding the store"
    bucket.flaky()
    # as another killed process would leave them
    bucket.fs.call_s3(
        "create_multipart_upload", Bucket=bucket.name, Key=f"store/documents/ab/{KEY}/0/documents.parquet"
    )
    bucket.fs.call_s3("create_multipart_upload", Bucket=bucket.name, Key="mix/parquet/train/00000.parquet")
    bucket.fs.call_s3("create_multipart_upload", Bucket=bucket.name, Key="somebody/elses")
    result = run_mix(recipe, out=bucket.url("mix"), store_root=bucket.url("store"), workers=1, show_progress=False)
    assert bucket.uploads() == ["somebody/elses"]
    bucket.fs.clear_multipart_uploads(bucket.name)
    check(bucket, on_disk)
    assert result.stages


def test_a_large_file_goes_up_in_parts(bucket: Bucket, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(remote, "PART_BYTES", 5 << 20)
    content = random.Random(0).randbytes(13 << 20)
    (tmp_path / "file").write_bytes(content)
    bucket.flaky(seed=1, parts=0.7, rate=0.1, faults=("before", "within", "slow_down", "error"))
    RemoteFolder(bucket.url("x")).put("large", tmp_path / "file")
    assert bucket.proxy.seen.requests["PUT part"] > 3 and bucket.proxy.seen.faults["error"]
    assert bucket.fs.cat_file(f"{bucket.name}/x/large") == content
    assert bucket.uploads() == []
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    bucket.flaky(seed=2, rate=0.3, faults=("within", "truncated", "before"))
    RemoteFolder(bucket.url("x")).get("large", tmp_path / "back", len(content), digest)
    assert (tmp_path / "back").read_bytes() == content


def test_an_answer_that_was_lost_is_no_second_writer(bucket: Bucket, tmp_path: Path) -> None:
    """The commit went through and its answer did not come: asked again, S3 says that there is one already - ours."""
    bucket.flaky(seed=0, rate=0.5, faults=("after",))
    store = RemoteStore(bucket.url("store"), tmp_path / "one")
    for number in range(2):
        key = f"{number:02x}" * 16
        with store.write("stage", key) as (folder, meta):
            (folder / "file").write_text("content")
            meta["number"] = number
        assert (store.path("stage", key) / "file").is_file()
    assert bucket.proxy.seen.faults["after"] > 1
    bucket.flaky()
    assert len(bucket.names("store/stage")) == 4


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_source_is_read_whole_or_not_at_all(bucket: Bucket, tmp_path: Path, suffix: str) -> None:
    import gzip

    content = b"".join(b"%d %s\n" % (n, random.Random(n).randbytes(300).hex().encode()) for n in range(4000))
    stored = gzip.compress(content, 1) if suffix else content
    bucket.fs.pipe_file(f"{bucket.name}/raw/posts.jsonl{suffix}", stored)
    card = load_card(ROOT / "sources/cards/sample-forum.yaml")
    card = card.model_copy(update={"where": card.where.model_copy(update={"url": bucket.url("raw/*"), "path": None})})
    bucket.flaky(seed=5, rate=0.5, faults=("truncated", "within", "before", "error"))
    (ref,) = resolve(card)
    assert (ref.name, ref.size) == (f"posts.jsonl{suffix}", len(stored))
    with open_binary(ref) as file:
        assert file.read() == content
    if not suffix:
        with open_binary(ref) as file:
            file.seek(1_000_000)
            assert file.read(100) == content[1_000_000:1_000_100]
    assert bucket.proxy.seen.faults["truncated"] and bucket.proxy.seen.faults["within"]
    bucket.flaky()
    assert resolve(card)[0].fingerprint == ref.fingerprint
    bucket.fs.pipe_file(f"{bucket.name}/raw/posts.jsonl{suffix}", stored[:-1])
    assert resolve(card)[0].fingerprint != ref.fingerprint
    # what cannot be had is no end of the file
    with open_binary(ref) as file, pytest.raises(OSError, match=r"bytes came|no answer") as caught:
        bucket.flaky(rate=1, faults=("truncated",))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WELLMIX_PATIENCE", "0.5")
            file.read()
    assert caught.value.errno == errno.EHOSTUNREACH and caught.value.filename == ref.url


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_source_on_a_web_server_without_ranges(tmp_path: Path, monkeypatch, size: int) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("WELLMIX_PATIENCE", "30")
    (tmp_path / "www").mkdir()
    content = random.Random(size).randbytes(size)
    (tmp_path / "www/posts.bin").write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "www")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = FlakyProxy(f"http://127.0.0.1:{server.server_address[1]}")
        proxy.plan = Plan(seed=4, rate=0.5, faults=("before", "after", "within", "truncated", "slow_down", "error"))
        card = load_card(ROOT / "sources/cards/sample-forum.yaml")
        where = card.where.model_copy(update={"url": f"{proxy.url}/posts.bin", "path": None})
        for _ in range(4):
            (ref,) = resolve(card.model_copy(update={"where": where}))
            with open_binary(ref) as file:
                assert file.read() == content
        assert proxy.seen.faults.total() - proxy.seen.faults["none"] > 2
        proxy.close()
        server.shutdown()


def test_what_cannot_work_is_said_and_not_tried_for_ever(bucket: Bucket, tmp_path: Path, monkeypatch) -> None:
    started = time.monotonic()
    with pytest.raises(UserError, match="the store cannot be used") as told:
        RemoteStore("s3://no-such-bucket-anywhere/store", tmp_path / "a").lock()
    assert "make its bucket" in str(told.value)
    bucket.flaky(denied=True)
    with pytest.raises(UserError, match="the store may not be read"):
        open_store(bucket.url("store")).has("plan", KEY)
    with pytest.raises(UserError, match="the output may not be read"):
        run_mix(ROOT / "recipes/sample.yaml", out=bucket.url("mix"), store_root=tmp_path / "b", show_progress=False)
    with pytest.raises(UserError, match="lie in each other"):
        run_mix(ROOT / "recipes/sample.yaml", out=bucket.url("a/mix"), store_root=bucket.url("a"), show_progress=False)
    bucket.flaky()
    bucket.fs.pipe_file(f"{bucket.name}/theirs/file", b"x")
    with pytest.raises(UserError, match="did not write"):
        run_mix(ROOT / "recipes/sample.yaml", out=bucket.url("theirs"), store_root=tmp_path / "b", show_progress=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(UserError, match="may not be"):
        RemoteStore(bucket.url("nobody"), tmp_path / "c").lock()
    assert time.monotonic() - started < 20


@pytest.mark.slow
@pytest.mark.parametrize("how", ["gone", "denied"])
def test_a_server_that_fails_for_good_ends_the_command(bucket: Bucket, recipe: Path, how: str) -> None:
    """In the middle of a run, while workers upload: a message, no traceback, no half output."""
    command = [sys.executable, "-m", "pipeline.cli", "mix", str(recipe), "--workers", "2"]
    command += ["--store", bucket.url("store"), "--out", bucket.url("mix")]
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"WELLMIX_PATIENCE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert bucket.proxy.seen.upload.wait(60)
    bucket.flaky(rate=float(how == "gone"), faults=("before",), denied=how == "denied")
    out, err = run.communicate(timeout=100)
    assert run.returncode in (1, 2) and out == "" and "Traceback" not in err, err
    # whichever was asked last, the store or a source
    assert ("no answer after 1 s" if how == "gone" else "AccessDenied") in err and bucket.url("") in err
    assert "run the same command again" in err or how == "denied"
    assert bucket.names("mix") == []


def test_an_output_that_lost_a_file_is_not_current(bucket: Bucket, tmp_path: Path) -> None:
    from pipeline.output import upload
    from tests.storage.test_remote import output

    upload(output(tmp_path / "made", "k", a="1", b="2"), RemoteFolder(bucket.url("mix")))
    assert is_current(bucket.url("mix"), "k") and not is_current(bucket.url("mix"), "other")
    bucket.fs.rm_file(f"{bucket.name}/mix/a")
    assert not is_current(bucket.url("mix"), "k")


@pytest.mark.slow
def test_a_set_in_a_bucket_is_audited_reviewed_and_forgets(bucket: Bucket, command, tmp_path: Path) -> None:
    store, out = ["--store", bucket.url("store")], bucket.url("set")

    def run(*words: object) -> str:
        ran = command(*words, WELLMIX_TOMBSTONES=str(tmp_path / "tombstones.jsonl"))
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    curate = ["curate", "recipes/sample-set.yaml", "--workers", "2", *store, "--out", out]
    run(*curate)
    run("audit", out)
    run("review", out, "--out", tmp_path / "review.csv", "--n", 3)
    assert len((tmp_path / "review.csv").read_text().splitlines()) > 3
    run("forget", "--source", "sample-prosocial", "--reason", "request 1", *store)
    told = json.loads(run("forget", "--prove", "--json", *store))
    assert told["traces"] == 0 and told["files"] > 50 and told["unread"] == []
