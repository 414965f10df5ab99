"""Pushing to a hub that answers over HTTP as the real one does (:mod:`tests.publish.hub_server`), and fails in the ways networks do."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http

from pipeline.publish import client as client_module
from pipeline.publish import push as module
from pipeline.publish.client import Retry
from pipeline.publish.merge import merge_page
from pipeline.publish.push import Pushed, push
from pipeline.publish.stage import CHECKSUMS, PAGES, PROVENANCE
from sources.errors import UserError
from tests.publish.hub_server import OWNER, PULL_TOKEN, READ_TOKEN, TOKEN, Answer, File, Hub

ROOT = Path(__file__).parent.parent.parent
REPO = f"{OWNER}/lives"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The hub may be asked (the one here); nobody is logged in; the client's own waits are counted, not waited for."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    waited: list[float] = []
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running
        assert running.leaks == []  # no token went to the storage
    huggingface_hub.close_session()


HEADER = {
    "license": "cc-by-4.0",
    "configs": [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/default/train-*.parquet"},
                {"split": "validation", "path": "data/default/validation-*.parquet"},
            ],
        }
    ],
}


def rows(n: int, salt: str = "") -> pa.Table:
    texts = [hashlib.sha256(f"{salt}{i}".encode()).hexdigest() * 3 for i in range(n)]
    return pa.table({"id": [f"{i:032x}" for i in range(n)], "text": texts})


def stage(
    folder: Path,
    *,
    trains: int = 1,
    salt: str = "",
    about: str = "What it is.",
    header: dict | None = None,
    name: str = "lives",
    version: str = "1.0.0",
    parent: dict | None = None,
    citations: bool = False,
) -> Path:
    """A small publication as it is staged: rows, what describes them, their digests, and pages with our sections."""
    (folder / "data/default").mkdir(parents=True)
    for i in range(trains):
        pq.write_table(rows(200, f"{salt}{i}"), folder / f"data/default/train-{i:05d}-of-{trains:05d}.parquet")
    pq.write_table(rows(20, "held"), folder / "data/default/validation-00000-of-00001.parquet")
    (folder / "croissant.json").write_text(json.dumps({"name": "lives", "rows": 200 * trains}))
    if citations:
        (folder / "ATTRIBUTION.csv").write_text("source,work\nlives,one\n")
    ident = hashlib.sha256(f"{trains} {salt}".encode()).hexdigest()
    about_itself = {"name": name, "kind": "mix", "id": ident, "version": version}
    provenance = {"schema_version": 1, "publication": about_itself, "parent": parent, "header": header or HEADER}
    (folder / PROVENANCE).write_text(json.dumps(provenance))
    write_checksums(folder)
    (folder / "README.md").write_text(
        merge_page(None, {"title": "# Lives", "about": about}, header=header or HEADER).text
    )
    (folder / "LICENSE.md").write_text(merge_page(None, {"terms": "Name whom you quote."}, page="LICENSE.md").text)
    return folder


def write_checksums(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (CHECKSUMS, *PAGES))
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in paths
    ]
    (folder / CHECKSUMS).write_text("".join(lines))


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    return stage(tmp_path / "staged")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def send(hub: Hub, folder: Path, waited: list[float] | None = None, *, attempts: int = 6, **options) -> Pushed:
    retry = Retry(attempts=attempts, sleep=(waited if waited is not None else []).append, random=lambda: 0.5)
    return push(folder, REPO, endpoint=hub.endpoint, **{"token": TOKEN, "retry": retry, **options})


def commits(hub: Hub, branch: str = "main") -> int:
    """Commits after the one that made the repository."""
    return len(hub.repos[REPO].history(branch)) - 1


def held(hub: Hub, revision: str = "main") -> dict[str, bytes]:
    repo = hub.repos[REPO]
    return {path: repo.read(path, revision) for path in repo.find(revision).files if path != ".gitattributes"}


# -- when all goes well


def test_first_push_is_one_commit(hub: Hub, staged: Path) -> None:
    pushed = send(hub, staged, message="First publication")
    assert pushed.changed and pushed.private
    assert commits(hub) == 1
    assert held(hub) == contents(staged)
    head = hub.repos[REPO].history()[0]
    assert (head.oid, head.title) == (pushed.commit, "First publication")
    assert hub.repos[REPO].find("main").files["data/default/train-00000-of-00001.parquet"].lfs is not None
    assert hub.repos[REPO].find("main").files["croissant.json"].lfs is None
    assert sorted(pushed.files) == sorted(contents(staged))
    assert pushed.bytes == sum(map(len, contents(staged).values()))
    assert pushed.url == f"{hub.endpoint}/datasets/{REPO}"
    assert json.loads(json.dumps(pushed.summary()))["commit"] == pushed.commit


def test_second_push_does_nothing(hub: Hub, staged: Path) -> None:
    first = send(hub, staged)
    puts = hub.count("PUT")
    second = send(hub, staged)
    assert not second.changed
    assert (second.files, second.bytes, second.unchanged) == ([], 0, len(contents(staged)))
    assert second.commit == first.commit
    assert commits(hub) == 1
    assert hub.count("PUT") == puts
    assert hub.count("POST", "/commit/") == 1


def test_it_reads_back_to_the_byte(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    folder = huggingface_hub.snapshot_download(
        REPO, repo_type="dataset", endpoint=hub.endpoint, token=TOKEN, local_dir=tmp_path / "back"
    )
    got = {
        name: data
        for name, data in contents(Path(folder)).items()
        if not name.startswith(".cache") and name != ".gitattributes"
    }
    assert got == contents(staged)


@pytest.mark.slow
def test_datasets_loads_it(hub: Hub, staged: Path, tmp_path: Path) -> None:
    """In a process of its own, because ``datasets`` reads HF_ENDPOINT once."""
    send(hub, staged)
    code = f"""
import json, datasets
loaded = datasets.load_dataset({REPO!r}, token={TOKEN!r})
streamed = datasets.load_dataset({REPO!r}, token={TOKEN!r}, split="validation", streaming=True)
print(json.dumps([{{split: rows["text"][:] for split, rows in loaded.items()}}, [row["text"] for row in streamed]]))
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded, streamed = json.loads(done.stdout)
    assert loaded == {"train": rows(200, "0")["text"].to_pylist(), "validation": rows(20, "held")["text"].to_pylist()}
    assert streamed == loaded["validation"]


def largest(folder: Path) -> int:
    return max(map(len, contents(folder).values()))


def test_multipart(tmp_path: Path) -> None:
    folder = stage(tmp_path / "staged")
    with Hub(part_size=5_000) as hub:
        send(hub, folder)
        assert hub.count("PUT", "/storage/") == 1 + -(-largest(folder) // 5_000)
        assert hub.count("POST", "/api/complete_multipart") == 1
        assert held(hub) == contents(folder)
        assert hub.leaks == []


def test_pages_of_the_tree(tmp_path: Path) -> None:
    folder = stage(tmp_path / "staged", trains=12)
    with Hub(page=5) as hub:
        send(hub, folder)
        assert not send(hub, folder).changed
        assert held(hub) == contents(folder)


def test_only_what_changed_is_sent(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    puts = hub.count("PUT")
    pushed = send(hub, stage(tmp_path / "next", salt="new"))
    assert sorted(pushed.files) == [CHECKSUMS, "data/default/train-00000-of-00001.parquet", PROVENANCE]
    assert hub.count("PUT") - puts == 1
    assert pushed.unchanged == 4
    assert held(hub) == contents(tmp_path / "next")


def test_other_bytes_of_the_same_size(hub: Hub, staged: Path) -> None:
    send(hub, staged)
    for name in ("data/default/train-00000-of-00001.parquet", "croissant.json"):
        data = bytearray((staged / name).read_bytes())
        data[len(data) // 2] ^= 1
        (staged / name).write_bytes(data)
    write_checksums(staged)
    pushed = send(hub, staged)
    assert sorted(pushed.files) == [CHECKSUMS, "croissant.json", "data/default/train-00000-of-00001.parquet"]
    assert held(hub) == contents(staged)


def test_bounded_batches(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 4)
    bars: list[tuple[str, int, int]] = []
    folder = stage(tmp_path / "staged", trains=9)
    send(hub, folder, progress=SimpleNamespace(count=lambda *args: bars.append(args)))
    files = len(contents(folder))
    assert hub.count("POST", "/preupload/") == -(-files // 4)
    assert commits(hub) == 1
    total = sum(map(len, contents(folder).values()))
    assert bars[-1] == ("upload", total, total)
    assert [done for _, done, _ in bars] == sorted(done for _, done, _ in bars)


def test_a_branch(hub: Hub, staged: Path) -> None:
    pushed = send(hub, staged, revision="draft/one")
    assert pushed.revision == "draft/one"
    assert (commits(hub), commits(hub, "draft/one")) == (0, 1)
    assert held(hub, "draft/one") == contents(staged)
    assert not send(hub, staged, revision="draft/one").changed


def test_public(hub: Hub, staged: Path) -> None:
    pushed = send(hub, staged, private=False)
    assert not pushed.private and not hub.repos[REPO].private


def test_token_of_the_environment(hub: Hub, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert send(hub, staged, token=None).changed


# -- what people did on the hub


def test_words_of_people_stay(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    card = hub.repos[REPO].read("README.md").decode()
    card = card.replace("license: cc-by-4.0\n", "license: cc-by-4.0\npretty_name: Lives, told\n")
    hub.edit(REPO, "README.md", f"{card}\n## How we use it\n\nWith care.\n".encode())
    hub.edit(REPO, "notes.md", b"minutes of a meeting")
    pushed = send(hub, stage(tmp_path / "next", about="What it is now."))
    after = hub.repos[REPO].read("README.md").decode()
    assert pushed.files == ["README.md"]
    assert "## How we use it\n\nWith care.\n" in after
    assert "pretty_name: Lives, told\n" in after
    assert "What it is now." in after and "What it is.\n" not in after
    assert hub.repos[REPO].read("notes.md") == b"minutes of a meeting"
    assert not send(hub, tmp_path / "next").changed


def test_a_section_people_rewrote_is_theirs(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    card = hub.repos[REPO].read("README.md").decode().replace("What it is.", "What it really is.")
    hub.edit(REPO, "README.md", card.encode())
    pushed = send(hub, stage(tmp_path / "next", about="What it is now.", salt="x"))
    after = hub.repos[REPO].read("README.md").decode()
    assert "What it really is." in after and "What it is now." not in after
    assert any("about" in kept for kept in pushed.kept)


def test_words_in_other_pages(hub: Hub, staged: Path) -> None:
    send(hub, staged)
    page = hub.repos[REPO].read("LICENSE.md").decode()
    hub.edit(REPO, "LICENSE.md", f"Ask us before you cite.\n\n{page}".encode())
    hub.edit(REPO, "DATA_STATEMENT.md", b"# Ours alone\n")
    assert not send(hub, staged).changed
    assert hub.repos[REPO].read("LICENSE.md").decode().startswith("Ask us before you cite.\n\n")
    assert hub.repos[REPO].read("DATA_STATEMENT.md") == b"# Ours alone\n"


def test_words_written_here(hub: Hub, staged: Path, tmp_path: Path) -> None:
    """A person adds to the page in the folder, another to the one on the hub in a section: both stay."""
    send(hub, staged)
    there = hub.repos[REPO].read("README.md").decode()
    hub.edit(REPO, "README.md", there.replace("What it is.", "What it really is.").encode())
    page = (staged / "README.md").read_text()
    (staged / "README.md").write_text(f"{page}\n## Thanks\n\nTo all.\n")
    pushed = send(hub, staged)
    after = hub.repos[REPO].read("README.md").decode()
    assert "\n## Thanks\n\nTo all.\n" in after and "What it really is." in after and after.count("# Lives") == 1
    assert pushed.changed and not send(hub, staged).changed


def test_a_section_edited_here_is_a_persons_there(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    text = (staged / "README.md").read_text().replace("What it is.", "What I say it is.")
    (staged / "README.md").write_text(text)
    assert send(hub, staged).changed
    send(hub, stage(tmp_path / "next", about="What it is now.", salt="x"))
    assert "What I say it is." in hub.repos[REPO].read("README.md").decode()


def test_other_words_here_and_there(hub: Hub, staged: Path) -> None:
    send(hub, staged)
    page = (staged / "README.md").read_text()
    hub.edit(REPO, "README.md", f"{page}\nWritten there.\n".encode())
    (staged / "README.md").write_text(f"{page}\nWritten here.\n")
    with pytest.raises(UserError, match="words here that are not on the hub"):
        send(hub, staged)
    assert "Written there." in hub.repos[REPO].read("README.md").decode()


def test_a_card_that_was_there_before(hub: Hub, staged: Path) -> None:
    """Somebody made the repository and wrote a card, before anything was published."""
    huggingface_hub.HfApi(endpoint=hub.endpoint, token=TOKEN).create_repo(REPO, repo_type="dataset", private=True)
    hub.edit(REPO, "README.md", b"---\npretty_name: Lives\n---\n# Lives\n\nComing soon.\n")
    send(hub, staged)
    after = hub.repos[REPO].read("README.md").decode()
    assert "Coming soon." in after and "What it is." in after and "pretty_name: Lives\nlicense: cc-by-4.0\n" in after


def test_lines_end_as_they_did(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    card = hub.repos[REPO].read("README.md").decode()
    hub.edit(REPO, "README.md", f"{card}\nMine.\n".replace("\n", "\r\n").encode())
    send(hub, stage(tmp_path / "next", about="What it is now."))
    after = hub.repos[REPO].read("README.md").decode()
    assert "What it is now." in after and "Mine.\r\n" in after
    assert after.count("\n") == after.count("\r\n")


def test_a_header_people_changed_into_something_untrue(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    card = hub.repos[REPO].read("README.md").decode()
    hub.edit(REPO, "README.md", card.replace("license: cc-by-4.0", "license: mit").encode())
    with pytest.raises(UserError, match="license: mit"):
        send(hub, stage(tmp_path / "next", salt="x"))
    assert hub.count("POST", "/commit/") == 1


def test_our_header_may_change(hub: Hub, staged: Path, tmp_path: Path) -> None:
    """A new licence of ours replaces the old one of ours: what we wanted before is in the provenance on the hub."""
    send(hub, staged)
    send(hub, stage(tmp_path / "next", header=HEADER | {"license": "cc-by-nc-4.0"}))
    assert "license: cc-by-nc-4.0\n" in hub.repos[REPO].read("README.md").decode()


def test_another_publication(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    with pytest.raises(UserError, match="holds a publication of 'lives', not of 'deaths'"):
        send(hub, stage(tmp_path / "other", name="deaths"))


def test_versions_that_do_not_follow(hub: Hub, staged: Path, tmp_path: Path) -> None:
    send(hub, staged)
    ident = json.loads((staged / PROVENANCE).read_text())["publication"]["id"]
    follows = send(hub, stage(tmp_path / "two", salt="two", version="2.0.0", parent={"id": ident}))
    assert follows.notes == []
    stray = send(hub, stage(tmp_path / "three", salt="three"))
    assert any("does not follow version 2.0.0" in note for note in stray.notes)


def test_other_files_in_the_folder_stay_here(hub: Hub, staged: Path) -> None:
    (staged / "diary.txt").write_text("not for the world")
    (staged / "data/default/draft.parquet").write_bytes(b"not for the world")
    (staged / ".git").mkdir()
    (staged / ".git/config").write_text("not for the world")
    pushed = send(hub, staged)
    assert {"diary.txt", "data/default/draft.parquet", ".git/config"}.isdisjoint(hub.repos[REPO].find("main").files)
    assert any("not sent: data/default/draft.parquet, diary.txt" in note for note in pushed.notes)


def test_an_edit_while_we_push(hub: Hub, staged: Path, tmp_path: Path) -> None:
    """Somebody saves the card after we read it and before we commit."""
    send(hub, staged)
    card = hub.repos[REPO].read("README.md").decode()
    hub.fault("POST", "/commit/", lambda: hub.edit(REPO, "README.md", f"{card}\nSaved in between.\n".encode()))
    puts = hub.count("PUT")
    pushed = send(hub, stage(tmp_path / "next", about="What it is now.", salt="x"))
    after = hub.repos[REPO].read("README.md").decode()
    assert "Saved in between." in after and "What it is now." in after
    assert [commit.author for commit in hub.repos[REPO].history()] == [OWNER, "a-person", OWNER, OWNER]
    assert hub.repos[REPO].history()[0].oid == pushed.commit
    assert hub.count("PUT") - puts == 1  # large files are not sent again


def test_a_repository_that_never_rests(hub: Hub, staged: Path) -> None:
    send(hub, staged)
    number = iter(range(100))
    hub.fault("POST", "/commit/", lambda: hub.edit(REPO, "log.md", str(next(number)).encode()), times=100)
    before = commits(hub)
    with pytest.raises(OSError, match="changed 5 times while we pushed"):
        send(hub, stage(staged.parent / "next", salt="x"))
    assert commits(hub) == before + 5  # theirs


def test_what_is_no_longer_published_goes(hub: Hub, tmp_path: Path) -> None:
    send(hub, stage(tmp_path / "one", trains=3, citations=True))
    hub.edit(REPO, "data/default/extra.parquet", b"a person's rows")
    hub.edit(REPO, "data/readme.txt", b"a person's words")
    pushed = send(hub, stage(tmp_path / "two", trains=1))
    gone = [f"data/default/train-{i:05d}-of-00003.parquet" for i in range(3)]
    assert sorted(pushed.deleted) == sorted([*gone, "ATTRIBUTION.csv"])
    theirs = {"data/default/extra.parquet": b"a person's rows", "data/readme.txt": b"a person's words"}
    assert held(hub) == contents(tmp_path / "two") | theirs
    assert any("data/default/extra.parquet is not of wellmix" in note for note in pushed.notes)
    assert commits(hub) == 4  # two of ours, two of theirs
    assert not send(hub, tmp_path / "two").changed


def test_what_a_person_changed_is_not_removed(hub: Hub, tmp_path: Path) -> None:
    send(hub, stage(tmp_path / "one", citations=True))
    hub.edit(REPO, "ATTRIBUTION.csv", b"mended by a person")
    pushed = send(hub, stage(tmp_path / "two"))
    assert pushed.deleted == []
    assert hub.repos[REPO].read("ATTRIBUTION.csv") == b"mended by a person"
    assert any("ATTRIBUTION.csv" in note and "changed on the hub" in note for note in pushed.notes)


def test_the_repository_of_another_dataset(hub: Hub, staged: Path) -> None:
    huggingface_hub.HfApi(endpoint=hub.endpoint, token=TOKEN).create_repo(REPO, repo_type="dataset", private=True)
    hub.edit(REPO, "croissant.json", b'{"name": "something else"}')
    with pytest.raises(UserError, match=r"no publication of wellmix lists: croissant\.json"):
        send(hub, staged)
    assert hub.repos[REPO].read("croissant.json") == b'{"name": "something else"}'
    assert hub.count("PUT") == 0


def test_a_public_repository_is_not_pushed_to_as_a_private_one(hub: Hub, staged: Path) -> None:
    huggingface_hub.HfApi(endpoint=hub.endpoint, token=TOKEN).create_repo(REPO, repo_type="dataset", private=False)
    with pytest.raises(UserError, match="this repository is public"):
        send(hub, staged)
    assert hub.count("PUT") == hub.count("POST", "/commit/") == 0
    assert send(hub, staged, private=False).changed


def test_a_private_repository_stays_private(hub: Hub, staged: Path) -> None:
    send(hub, staged)
    pushed = send(hub, staged, private=False)
    assert pushed.private and hub.repos[REPO].private
    assert any("stays so" in note for note in pushed.notes)


def test_gitignore_on_the_hub(hub: Hub, staged: Path) -> None:
    huggingface_hub.HfApi(endpoint=hub.endpoint, token=TOKEN).create_repo(REPO, repo_type="dataset", private=True)
    hub.edit(REPO, ".gitignore", b"data/\n")
    with pytest.raises(UserError, match="gitignore leaves out data/"):
        send(hub, staged)
    assert hub.count("POST", "/commit/") == 0


# -- when the network or the hub fails


@pytest.mark.parametrize("path", ["/api/repos/create", "/revision/", "/tree/", "/validate-yaml"])
def test_too_many_requests(hub: Hub, staged: Path, path: str) -> None:
    """What the hub's client itself does not try again, and the hub says how long to wait."""
    method = "POST" if path in ("/api/repos/create", "/validate-yaml") else "GET"
    fault = hub.fault(method, path, Answer(429, {"error": "slow down"}, {"Retry-After": "7"}), times=2)
    waited: list[float] = []
    assert send(hub, staged, waited).changed
    assert fault.hits == 2
    assert held(hub) == contents(staged)
    if path != "/tree/":  # the client tries this one itself
        assert waited == [7.5, 7.5]


def test_the_client_waits_as_it_is_asked(hub: Hub, staged: Path, waits: list[float]) -> None:
    hub.fault("POST", "/preupload/", Answer(429, {}, {"Retry-After": "3"}))
    hub.fault("POST", "objects/batch", Answer(503, {}))
    hub.fault("PUT", "/storage/", Answer(500, {}))
    hub.fault("POST", "objects/verify", Answer(502, {}))
    assert send(hub, staged).changed
    assert sorted(waits) == [1, 1, 1, 4]
    assert held(hub) == contents(staged)


def test_a_commit_that_must_wait(hub: Hub, staged: Path) -> None:
    hub.fault("POST", "/commit/", Answer(429, {"error": "slow down"}, {"ratelimit": '"api";r=0;t=42'}))
    waited: list[float] = []
    assert send(hub, staged, waited).changed
    assert waited == [42.5]
    assert commits(hub) == 1
    assert held(hub) == contents(staged)


def test_a_wait_until_a_date(hub: Hub, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module.time, "time", lambda: 1_700_000_000.0)
    hub.fault("POST", "/api/repos/create", Answer(503, {}, {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}))
    waited: list[float] = []
    send(hub, staged, waited)
    assert waited == [30.5]


def test_a_wait_that_is_too_long(hub: Hub, staged: Path) -> None:
    hub.fault("POST", "/api/repos/create", Answer(429, {}, {"Retry-After": "7200"}), times=9)
    waited: list[float] = []
    with pytest.raises(OSError, match="asks to wait 7,200 s"):
        send(hub, staged, waited)
    assert waited == []


def test_waits_grow(hub: Hub, staged: Path) -> None:
    hub.fault("POST", "/api/repos/create", Answer(502, b"<html>Bad gateway</html>"), times=5)
    waited: list[float] = []
    assert send(hub, staged, waited).changed
    assert waited == [0.75, 1.5, 3.0, 6.0, 12.0]


def test_pages_of_html_for_answers(hub: Hub, staged: Path) -> None:
    """A gateway in between, with and without the status it should have; the client's own check of the card reads both as JSON."""
    hub.fault("POST", "/validate-yaml", Answer(200, b"<html>Please log in</html>"))
    hub.fault("POST", "/validate-yaml", Answer(502, b"<html>Bad gateway</html>"), skip=1)
    waited: list[float] = []
    assert send(hub, staged, waited).changed
    assert len(waited) == 2
    assert commits(hub) == 1


@pytest.mark.parametrize("action", ["refuse", "drop"])
def test_connection_lost_while_sending(hub: Hub, tmp_path: Path, waits: list[float], action: str) -> None:
    folder = stage(tmp_path / "staged", trains=4)
    fault = hub.fault("PUT", "/storage/", action, skip=1, times=3)
    assert send(hub, folder).changed
    assert fault.hits == 3
    assert commits(hub) == 1
    assert held(hub) == contents(folder)


def test_upload_that_fails_for_good_and_goes_on(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 2)
    folder = stage(tmp_path / "staged", trains=6)
    broken = hub.fault("PUT", "/storage/", "drop", skip=3, times=10_000)
    with pytest.raises(OSError, match=r"3 of 7 files of rows are uploaded .* the same command goes on from here"):
        send(hub, folder, attempts=2)
    assert commits(hub) == 0
    stored = len(hub.repos[REPO].objects)
    assert stored == 3
    broken.times = 0
    before = hub.count("PUT")
    assert send(hub, folder).changed
    assert hub.count("PUT") - before == 7 - stored  # what was there is not sent again
    assert held(hub) == contents(folder)


def test_commit_lost_on_the_way(hub: Hub, staged: Path) -> None:
    """The connection breaks while the commit is sent: it never arrived."""
    hub.fault("POST", "/commit/", "drop")
    waited: list[float] = []
    pushed = send(hub, staged, waited)
    assert pushed.changed and len(waited) == 1
    assert commits(hub) == 1
    assert held(hub) == contents(staged)


@pytest.mark.parametrize("answer", ["forget", "500", "html"])
def test_commit_that_arrived_and_was_not_answered(hub: Hub, staged: Path, answer: str) -> None:
    """The hub commits and the answer is lost: there must be no second commit."""
    if answer == "forget":
        hub.fault("POST", "/commit/", "forget")
    else:
        # it commits all the same, as the hub once did (huggingface/datasets, pull request 7708)
        body = {"error": "Internal"} if answer == "500" else b"<html>504</html>"
        hub.fault("POST", "/commit/", Answer(500 if answer == "500" else 504, body, after=True))
    pushed = send(hub, staged)
    assert commits(hub) == 1
    assert hub.count("POST", "/commit/") == 1
    assert pushed.changed
    assert pushed.commit == hub.repos[REPO].history()[0].oid
    assert sorted(pushed.files) == sorted(contents(staged))
    assert held(hub) == contents(staged)


def test_unanswered_commit_and_a_person_right_after(hub: Hub, staged: Path) -> None:
    """The answer is lost, and before we look somebody commits on top: ours is known again below it."""
    hub.fault("POST", "/commit/", "forget")
    hub.fault("GET", "/revision/", lambda: hub.edit(REPO, "notes.md", b"mine"), skip=2)
    pushed = send(hub, staged)
    history = hub.repos[REPO].history()
    assert [commit.author for commit in history] == ["a-person", OWNER, OWNER]
    assert pushed.commit == history[1].oid and pushed.changed


def test_commit_never_answered(hub: Hub, staged: Path) -> None:
    hub.fault("POST", "/commit/", "refuse", times=100)
    waited: list[float] = []
    with pytest.raises(
        OSError, match=r"did not answer the commit 4 times.*2 of 2 files of rows are uploaded.*same command goes on"
    ):
        send(hub, staged, waited, attempts=4)
    assert len(waited) == 3
    assert hub.count("POST", "/commit/") == 4
    puts = hub.count("PUT")
    hub._faults.clear()
    assert send(hub, staged).changed
    assert hub.count("PUT") == puts
    assert held(hub) == contents(staged)


def test_silence(hub: Hub, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that takes the request and never says a word."""
    monkeypatch.setattr(client_module, "TIMEOUT", {"connect": 5.0, "read": 0.2, "write": 5.0})
    silent = [hub.fault(method, path, "hang") for method, path in SILENT]
    waited: list[float] = []
    assert send(hub, staged, waited).changed
    assert all(fault.hits == 1 for fault in silent)
    assert commits(hub) == 1
    assert held(hub) == contents(staged)


SILENT = [
    ("GET", "/revision/"),
    ("POST", "/api/repos/create"),
    ("GET", "/tree/"),
    ("POST", "/validate-yaml"),
    ("POST", "/preupload/"),
    ("POST", "objects/batch"),
    ("PUT", "/storage/"),
    ("POST", "objects/verify"),
    ("POST", "/commit/"),
]


def test_nobody_there(staged: Path) -> None:
    with Hub() as hub:
        pass  # its port is closed now
    waited: list[float] = []
    with pytest.raises(OSError, match="could not look at the repository in 3 attempts"):
        send(hub, staged, waited, attempts=3)
    assert len(waited) == 2


def test_a_hub_that_loses_a_file(hub: Hub, staged: Path) -> None:
    """What the commit holds is read back, and not taken on trust."""
    real = hub.repos

    def lose() -> None:
        repo = real[REPO]
        original = repo.commit

        def commit(branch: str, files: dict[str, File], *args, **options):
            files.pop("croissant.json", None)
            return original(branch, files, *args, **options)

        repo.commit = commit

    hub.fault("POST", "/commit/", lose)
    with pytest.raises(OSError, match=r"does not hold: croissant\.json"):
        send(hub, staged)


# -- mistakes


def test_no_token(hub: Hub, staged: Path) -> None:
    with pytest.raises(UserError, match="no token") as error:
        send(hub, staged, token=None)
    assert "HF_TOKEN" in error.value.fix
    assert hub.seen == []


@pytest.mark.parametrize(
    ("token", "message", "fix"),
    [
        ("hf_" + "x" * 34, "does not know the token", "HF_TOKEN"),
        (READ_TOKEN, "no write permission", "may write"),
        (PULL_TOKEN, "nobody else committed", "right to write"),
    ],
)
def test_tokens_that_may_not(hub: Hub, staged: Path, token: str, message: str, fix: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        send(hub, staged, token=token)
    assert fix in error.value.fix
    assert token not in str(error.value)
    assert REPO not in hub.repos or commits(hub) == 0


def test_somebody_elses_name(hub: Hub, staged: Path) -> None:
    with pytest.raises(UserError, match="namespace"):
        push(staged, "somebody/lives", endpoint=hub.endpoint, token=TOKEN)


@pytest.mark.parametrize(
    "name", ["lives", "a/b/c", "/lives", "amity/", "amity/li ves", "amity/a--b", "amity/x.git", "datasets/amity/lives"]
)
def test_names(hub: Hub, staged: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        push(staged, name, endpoint=hub.endpoint, token=TOKEN)
    assert "owner/name" in error.value.fix
    assert hub.seen == []


def test_metadata_the_hub_refuses(hub: Hub, tmp_path: Path) -> None:
    folder = stage(tmp_path / "staged", header=HEADER | {"license": "my-own-terms"})
    with pytest.raises(UserError, match=r"refuses the card.*license"):
        send(hub, folder)
    assert hub.count("PUT") == hub.count("POST", "/commit/") == 0  # said before anything large is sent


def test_offline(hub: Hub, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="offline"):
        send(hub, staged)


def test_an_address_that_is_none(staged: Path) -> None:
    with pytest.raises(UserError, match="no address of a hub"):
        push(staged, REPO, endpoint="hub.example", token=TOKEN)


def _no_card(folder: Path) -> None:
    (folder / "README.md").unlink()


def _no_rows(folder: Path) -> None:
    for path in folder.rglob("*.parquet"):
        path.unlink()
    write_checksums(folder)


def _changed(folder: Path) -> None:
    (folder / "croissant.json").write_text("{}")


def _missing(folder: Path) -> None:
    (folder / "croissant.json").unlink()


def _link(folder: Path) -> None:
    path = folder / "croissant.json"
    path.rename(folder.parent / "elsewhere.json")
    path.symlink_to(folder.parent / "elsewhere.json")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_card, "not a staged publication"),
        (_no_rows, "no rows"),
        (_changed, "changed since it was staged"),
        (_missing, "is missing"),
        (_link, "leads out of its folder"),
    ],
)
def test_folders(hub: Hub, staged: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(staged)
    with pytest.raises(UserError, match=message):
        send(hub, staged)
    assert hub.seen == []


def test_no_folder(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        send(hub, tmp_path / "nowhere")


def test_an_edited_card_goes_out_as_it_is(hub: Hub, staged: Path) -> None:
    text = (staged / "README.md").read_text() + "\nWritten by hand before the push.\n"
    (staged / "README.md").write_text(text)
    send(hub, staged)
    assert hub.repos[REPO].read("README.md").decode() == text
    assert not send(hub, staged).changed


# -- what is never shown, and what is put back


def test_the_token_is_not_shown(
    hub: Hub, staged: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    hub.fault("POST", "/api/repos/create", Answer(503, {"error": f"who is {TOKEN}?"}))
    hub.fault("POST", "/commit/", Answer(418, {"error": f"I am no teapot for {TOKEN}"}))
    hub.fault("PUT", "/storage/", Answer(500, {}))
    with pytest.raises(UserError, match=r"418 I am no teapot for \*\*\*") as error:
        send(hub, staged)
    out, err = capfd.readouterr()
    shown = out + err + caplog.text + str(error.value)
    assert TOKEN not in shown
    assert "X-Signature" not in shown
    assert "who is ***?" in err


def test_the_client_is_as_it_was(hub: Hub, staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    factory = _http._GLOBAL_CLIENT_FACTORY
    bars, level = huggingface_hub.utils.are_progress_bars_disabled(), huggingface_hub.logging.get_verbosity()
    send(hub, staged)
    with pytest.raises(UserError):
        send(hub, staged, token=READ_TOKEN, private=False, revision="other")
    assert constants.HF_HUB_DISABLE_XET is False
    assert _http._GLOBAL_CLIENT_FACTORY is factory
    assert (huggingface_hub.utils.are_progress_bars_disabled(), huggingface_hub.logging.get_verbosity()) == (
        bars,
        level,
    )


# -- the real thing


def test_a_staged_mix(hub: Hub, sample_mix, tmp_path: Path) -> None:
    """From a mix to the hub and, after a person wrote there, with other rows again."""
    from pipeline.mix import run_mix
    from pipeline.publish.stage import stage as stage_mix

    result, store = sample_mix
    stage_mix(result.out, tmp_path / "staged", contact="https://example.org/contact")
    first = send(hub, tmp_path / "staged")
    assert held(hub) == contents(tmp_path / "staged")
    assert first.notes == []
    assert not send(hub, tmp_path / "staged").changed
    card = hub.repos[REPO].read("README.md").decode()
    hub.edit(REPO, "README.md", f"{card}\n## Our thanks\n\nTo those who wrote.\n".encode())
    out = tmp_path / "out"
    overrides = ["sources.sample-forum.weight=0.3"]
    run_mix(
        ROOT / "recipes/sample.yaml", out=out, store_root=store, workers=1, overrides=overrides, show_progress=False
    )
    stage_mix(out, tmp_path / "staged", contact="https://example.org/contact")
    second = send(hub, tmp_path / "staged")
    assert second.changed and second.notes == []
    after = hub.repos[REPO].read("README.md").decode()
    assert after.endswith("\n## Our thanks\n\nTo those who wrote.\n")
    assert {name: data for name, data in held(hub).items() if name != "README.md"} == {
        name: data for name, data in contents(tmp_path / "staged").items() if name != "README.md"
    }
    assert not send(hub, tmp_path / "staged").changed
    assert commits(hub) == 3


@pytest.mark.parametrize(("recipe", "size"), [("sample-set", 60), ("sample-preferences", 20)])
def test_a_curated_set(hub: Hub, curate: Callable[..., Path], tmp_path: Path, recipe: str, size: int) -> None:
    """A set goes to the hub; a person writes there; the recipe asks for less; what the person wrote is still there."""
    from datasets import load_dataset

    from pipeline.diff import diff_outputs
    from pipeline.publish.stage import stage as stage_set

    place = tmp_path / "staged"
    first = stage_set(curate(recipe), place, contact="https://example.org/contact", repo=REPO)
    sent = send(hub, place)
    assert sent.changed and set(sent.files) == set(first.files) and held(hub) == contents(place)
    old = contents(place)
    assert not send(hub, place).changed

    card = hub.repos[REPO].read("README.md").decode()
    card = card.replace("tags:\n- wellbeing", "tags:\n- our-lab\n- wellbeing")
    card = card.replace("## Known biases\n", "## Known biases\n\nWe know of more.\n")
    hub.edit(REPO, "README.md", f"{card}\n## Our notes\n\nWe read fifty.\n".encode())
    hub.edit(REPO, "notes.txt", b"of a person\n")

    made = curate(recipe, f"size={size}")
    second = stage_set(made, place, contact="https://example.org/contact", repo=REPO)
    assert (second.version, second.parent) == ("2.0.0", {"id": first.identity, "version": "1.0.0"})
    sent = send(hub, place)
    assert sent.changed and "README.md: section biases" in sent.kept and sent.notes == []
    there = held(hub)
    after = there["README.md"].decode()
    assert "- our-lab\n" in after and "We know of more." in after and after.endswith("## Our notes\n\nWe read fifty.\n")
    assert there.pop("notes.txt") == b"of a person\n"
    pages = {"README.md"}
    assert {n: d for n, d in there.items() if n not in pages} == {
        n: d for n, d in contents(place).items() if n not in pages
    }
    assert not send(hub, place).changed and commits(hub) == 4

    copy = tmp_path / "copy"
    for name, data in there.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(data)
    for config, splits in second.rows.items():
        data = load_dataset(str(copy), config, cache_dir=str(tmp_path / "cache"))
        assert {name: len(split) for name, split in data.items()} == splits

    before = tmp_path / "before"
    for name, data in old.items():
        (before / name).parent.mkdir(parents=True, exist_ok=True)
        (before / name).write_bytes(data)
    found = diff_outputs(before, copy)
    config = next(iter(first.rows))
    counted = {
        fate: sum(r.rows for r in found.rows if (r.format, r.fate) == (config, fate)) for fate in ("added", "removed")
    }
    assert counted["added"] - counted["removed"] == sum(second.rows[config].values()) - sum(first.rows[config].values())
    assert counted["removed"] > 0
    assert [(change.path, change.old, change.new) for change in found.recipe if change.path == "size"] == [
        ("size", sum(first.rows[config].values()) if recipe == "sample-set" else 60, size)
    ]
    assert diff_outputs(made, copy).same  # an output and what was read back from the hub
