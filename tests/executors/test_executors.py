"""The same mix from every executor, with workers and tasks lost on the way. Real Ray workers, real Slurm daemons."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from pipeline.cluster import LostTasksError, load_cluster, running_on
from pipeline.console import Progress
from pipeline.execute import run_step
from pipeline.store import Store
from sources.errors import DefectError, UserError
from tests.executors.cluster import Slurm, missing
from tests.executors.steps import Misbehave
from tests.storage.conftest import Bucket, bucket, s3_server  # noqa: F401 (fixtures)

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "pipeline.cli", "mix", "recipes/sample.yaml", "--workers", "2"]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def start(tmp_path: Path, kind: str, environment: dict[str, str] | None = None) -> subprocess.Popen:
    """The sample mix; few jobs, for each starts Python."""
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text(f"{kind}: {{jobs_per_worker: 1}}\n")
    command = [*COMMAND, "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out"), "--executor", str(cluster)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(found: Callable[[], T], run: subprocess.Popen, seconds: float = 200) -> T:
    """What ``found`` gives, once it gives something, while the run goes on."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and run.poll() is None:
        if what := found():
            return what
        time.sleep(0.05)
    raise AssertionError(f"nothing was found while the run went on (exit code {run.poll()})")


def assert_same_as_local(run: subprocess.Popen, tmp_path: Path, sample_mix) -> None:
    _, told = run.communicate(timeout=400)
    assert run.returncode == 0, told
    assert digests(tmp_path / "out") == digests(sample_mix[0].out)
    left = [path.name for path in (tmp_path / "store/tmp").iterdir()]
    assert left == [] and not (tmp_path / "store/work").exists()


@pytest.mark.slow
def test_ray_makes_the_same_bytes_though_workers_are_killed(tmp_path: Path, sample_mix) -> None:
    pytest.importorskip("ray")
    run = start(tmp_path, "ray")
    main = psutil.Process(run.pid)

    def tasks() -> list[psutil.Process]:
        """Processes in which tasks run: children of Ray's workers."""
        try:
            workers = [p for p in main.children(recursive=True) if "RankWorker.run_for_rank" in " ".join(p.cmdline())]
            return [child for worker in workers for child in worker.children()]
        except psutil.Error:
            return []

    first = until(tasks, run)[0]
    first.kill()  # as the kernel does for want of memory
    worker = until(lambda: [p.parent() for p in tasks() if p != first], run)[0]
    assert worker is not None
    worker.kill()  # a whole worker
    assert_same_as_local(run, tmp_path, sample_mix)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if absent := missing():
        pytest.skip(f"needs a Slurm of its own; not installed: {', '.join(absent)}")
    if os.geteuid() != 0:
        pytest.skip("the daemons of the Slurm of these tests run as root")
    cluster = Slurm(tmp_path_factory.mktemp("slurm") / "cluster")
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.mark.slow
def test_slurm_makes_the_same_bytes_though_a_task_is_cancelled(tmp_path: Path, sample_mix, slurm: Slurm) -> None:
    run = start(tmp_path, "slurm", slurm.environment)
    running = until(lambda: slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split(), run)
    slurm.ask("scancel", running[0])
    assert_same_as_local(run, tmp_path, sample_mix)


@pytest.mark.slow
def test_jobs_share_nothing_but_a_bucket(tmp_path: Path, sample_mix, slurm: Slurm, bucket: Bucket) -> None:  # noqa: F811
    # As on nodes of their own: each has its cache to itself, and the store lies at a URL.
    setup = f"export PATH={Path(sys.executable).parent}:$PATH WELLMIX_CACHE=$(mktemp -d {tmp_path}/node-XXXX)"
    (tmp_path / "cluster.yaml").write_text(json.dumps({"slurm": {"jobs_per_worker": 1, "setup": setup}}))
    places = ["--store", bucket.url("store"), "--out", bucket.url("out"), "--executor", str(tmp_path / "cluster.yaml")]
    ran = subprocess.run(
        [*COMMAND, *places], cwd=ROOT, env=os.environ | slurm.environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    manifest = json.loads(bucket.fs.cat(f"{bucket.name}/out/manifest.json"))
    assert manifest["files"] == sample_mix[0].manifest["files"]
    assert len(list(tmp_path.glob("node-*"))) >= 3 and not (ROOT / "slurm_logs").exists()
    assert [name for name in bucket.names("store") if name.startswith(("store/work", "store/tmp"))] == []


@pytest.mark.slow
def test_a_stopped_run_leaves_no_jobs_in_the_queue(tmp_path: Path, slurm: Slurm) -> None:
    run = start(tmp_path, "slurm", slurm.environment)
    until(lambda: slurm.ask("squeue", "-h"), run)
    run.send_signal(2)
    _, told = run.communicate(timeout=10)
    assert run.returncode != 0
    assert "Traceback" not in told
    end = time.monotonic() + 20
    while slurm.ask("squeue", "-h") and time.monotonic() < end:
        time.sleep(0.5)
    assert slurm.ask("squeue", "-h") == ""


def misbehave(tmp_path: Path, *whats: str) -> None:
    tasks = [{"what": what, "mark": str(tmp_path / str(i))} for i, what in enumerate(whats)]
    with running_on(load_cluster("ray")):
        run_step(Misbehave, Store(tmp_path / "store"), tasks, workers=2, progress=Progress(False), label="misbehave")


@pytest.mark.slow
def test_what_a_task_on_ray_has_to_say_reaches_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    try:
        with pytest.raises(UserError, match="the third field is empty") as told:
            misbehave(tmp_path, "well", "user")
        assert told.value.where == "cards/x.yaml"
        with pytest.raises(DefectError, match=r"ValueError at .*steps.py") as defect:
            misbehave(tmp_path, "defect", "well")
        assert "Ada" not in str(defect.value)
        misbehave(tmp_path, "well", "die_once")
        assert (tmp_path / "1.done").exists()
        monkeypatch.setattr("pipeline.cluster.ATTEMPTS", 1)  # each starts a worker four times
        with pytest.raises(LostTasksError, match="1 of 2 jobs of 'misbehave' were lost"):
            misbehave(tmp_path, "well", "die")
    finally:
        ray.shutdown()


def test_executors_are_checked_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no executor is called 'kubernetes'"):
        load_cluster("kubernetes")
    file = tmp_path / "cluster.yaml"
    file.write_text("slurm: {partitoin: cpu}\n")
    with pytest.raises(UserError, match="unknown field 'partitoin'") as told:
        load_cluster(str(file))
    assert "cluster.yaml:1" in str(told.value.where) and "partition" in str(told.value.fix)
    file.write_text("ray:\nslurm:\n")
    with pytest.raises(UserError, match="exactly one"):
        load_cluster(str(file))
    file.write_text("local:\n")
    assert load_cluster(str(file)).kind == "local"
