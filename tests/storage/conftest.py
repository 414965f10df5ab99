"""A real S3 server on loopback (moto's), a bucket for each test, and the environment a command needs to find them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.flaky import FlakyProxy, Plan

#: Timeouts and patience of a test: what stalls for two seconds has stalled.
TIMEOUTS = {
    "FSSPEC_S3": json.dumps({"config_kwargs": {"connect_timeout": 2, "read_timeout": 1.5}}),
    "WELLMIX_PATIENCE": "60",
}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """URL of a server that keeps objects in memory."""
    pytest.importorskip("s3fs", reason="needs the `s3` extra")
    pytest.importorskip("moto.server", reason="needs moto[server]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait()


class Bucket:
    """A bucket, and a proxy before it that does no harm until a test says so."""

    def __init__(self, server: str, name: str) -> None:
        import s3fs

        self.name, self.server = name, server
        self.proxy = FlakyProxy(server)
        self.fs = s3fs.S3FileSystem(
            endpoint_url=server, key="test", secret="test", use_listings_cache=False, skip_instance_cache=True
        )
        self.fs.call_s3("create_bucket", Bucket=name)

    def url(self, path: str) -> str:
        """The URL of a path in the bucket."""
        return f"s3://{self.name}/{path}"

    def flaky(self, **plan: object) -> None:
        """What the proxy does from now on."""
        self.proxy.plan = Plan(**plan)  # type: ignore[arg-type]

    def names(self, below: str = "") -> list[str]:
        """Names of all objects."""
        return [path.removeprefix(f"{self.name}/") for path in self.fs.find(f"{self.name}/{below}")]

    def uploads(self) -> list[str]:
        """Keys of multi-part uploads that were begun and not finished."""
        page = self.fs.call_s3("list_multipart_uploads", Bucket=self.name)
        return [upload["Key"] for upload in page.get("Uploads") or []]


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """An empty bucket. This process and those it starts reach it through its proxy."""
    import fsspec

    made = Bucket(s3_server, f"test-{uuid.uuid4().hex[:12]}")
    environment = TIMEOUTS | {
        "AWS_ENDPOINT_URL": made.proxy.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "WELLMIX_CACHE": str(tmp_path / "cache"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(fsspec.config.conf, "s3", json.loads(environment["FSSPEC_S3"]))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    from pipeline.remote import remote_store

    remote_store.cache_clear()
    yield made
    made.proxy.close()


@pytest.fixture
def command(tmp_path: Path):
    """Run ``wellmix`` in a process of its own."""
    root = Path(__file__).parents[2]

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *map(str, words)],
            cwd=root,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
