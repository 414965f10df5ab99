"""What a run leaves beside the rows holds no text: lists, ledgers, sidecars, logs, messages. Marker words in every kind of record that
is dropped, refused or masked are looked for in every file and in all that is printed; also when a worker fails with a text in its error.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.audit.read import batches, blocks, parts, raw_lines
from pipeline.console import Progress
from pipeline.execute import Step, run_step
from pipeline.store import Store
from sources.document import Bad
from sources.errors import DefectError, UserError
from sources.readers import get_reader
from sources.readers.base import FileRef

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sources/sample/forum"

#: Marker -> where it may be: ``rows`` (documents of the store that are kept), or nowhere at all.
MARKERS = {
    "zorharm": "rows", "zorcopy": "rows", "zorpoor": "rows", "zorkept": "rows",
    "zorjson": "", "zorlist": "", "zorutf": "", "zorfield": "", "zorkind": "", "zorlong": "", "zortwice": "", "zorcell": "", "zoritem": "",
    "zorhandle_41": "", "zormail": "",
}  # fmt: skip


def _unsafe() -> list[dict[str, Any]]:
    """Records of the sample that even the first tier drops as harmful."""
    records = []
    for path in sorted(SAMPLE.iterdir()):
        for line in raw_lines(path):
            if any(key in line for key in (b'"f051"', b'"f052"', b'"f053"')):
                records.append(json.loads(line))
    return records


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with three sources of marked records."""
    folder = tmp_path_factory.mktemp("marked")
    story = (
        "Last year I moved to a town where I knew nobody, and for months I was lonely. Then I joined a choir, and the {} was the first"
        " thing we sang together. I sleep better now, I laugh more, and when it gets hard I call a friend and we talk until it is better."
    )
    lines: list[bytes] = []

    def add(**record: Any) -> None:
        lines.append(json.dumps(record).encode())

    for record in _unsafe():
        add(id=f"u{record['id']}", author="someone_else", text=f"{record['title']} {record['selftext']} zorharm")
    add(
        id="k1",
        author="zorhandle_41",
        text=story.format("zorkept") + " Signed, zorhandle_41. Write to zormail@example.org please.",
    )
    for number in range(3):
        add(id=f"c{number}", author="a_b_1", text=story.format("song of zorcopy we loved"))
    add(id="p1", author="a_b_1", text="zorpoor " * 80)
    lines.append(b'{"id": "x1", "text": "zorjson is "broken"}')
    lines.append(b'["zorlist"]')
    lines.append(b'{"id": "x2", "text": "zorutf \xff\xfe"}')
    add(id="x3", author="zorfield", other="zorfield")
    add(id="x4", text={"zorkind": ["zorkind"]})
    add(id="x5", text="zorlong " * 40_000)
    add(id="k1", author="a", text=story.format("zortwice"))
    (folder / "posts.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [["id", "text"], ["1", story.format("harbour")], ["2", "zorcell", "zorcell", "zorcell"], ["3", ""]]
        )
    items = json.dumps([{"id": "1", "text": story.format("market")}, ["zoritem"]])
    (folder / "items.json").write_text(items[:-1] + ', {"id": "2", "text": "zoritem\n}')
    for name, file, reader in (
        ("posts", "posts.jsonl", {"name": "jsonl", "max_line_bytes": 100_000, "author": "author"}),
        ("table", "table.csv", {"name": "csv"}),
        ("items", "items.json", {"name": "json"}),
    ):
        card = {
            "name": name, "title": name, "family": "forum", "where": {"url": (folder / file).as_uri()},
            "reader": {"key": "id", "text": "text", **reader}, "license": {"id": "CC0-1.0"}, "consent": {"basis": "public_post"},
            "sensitivity": "high", "language": ["en"], "citation": "made up", "takedown": "an issue",
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(card))
    (folder / "recipes").mkdir()
    recipe = {
        "name": "marked", "purpose": "research", "budget": 1_000, "effort": "fast", "cards": [".."], "seed": 1, "max_epochs": 50,
        "sources": {"posts": {"weight": 1}, "table": {"weight": 0.1}, "items": {"weight": 0.1}},
        "filters": {"contamination": False},
    }  # fmt: skip
    (folder / "recipes/marked.yaml").write_text(yaml.safe_dump(recipe))
    return folder


def traces(root: Path) -> set[tuple[str, str]]:
    """(surface, marker) of every marker below a folder, whatever file it is in."""
    found: set[tuple[str, str]] = set()
    for part in parts(root, "o200k_base"):
        texts = [text for _, text in blocks(part)]
        texts += [
            text or "" for batch in batches(part) for column in batch.columns for text in column.texts.to_pylist()
        ]
        found |= {(part.surface, marker) for marker in MARKERS for text in texts if marker in text.lower()}
    return found


def run(corpus: Path, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """``wellmix mix`` with one worker, in a process of its own, after some lines of Python."""
    arguments = [
        "mix",
        str(corpus / "recipes/marked.yaml"),
        "--store",
        str(folder / "store"),
        "--out",
        str(folder / "out"),
        "--workers",
        "1",
    ]
    code = f"{before}\nimport sys; sys.argv = ['wellmix', *{arguments!r}]\nfrom pipeline.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_no_marker_is_where_it_should_not_be(corpus: Path, tmp_path: Path) -> None:
    ran = run(corpus, tmp_path)
    assert ran.returncode == 0, ran.stderr
    store, out = traces(tmp_path / "store"), traces(tmp_path / "out")
    assert {marker for _, marker in store | out} == {marker for marker, where in MARKERS.items() if where}
    assert {surface for surface, _ in store} == {"documents"}
    assert {surface for surface, _ in out} == {"parquet/train"}
    assert not {marker for _, marker in out} & {"zorharm", "zorpoor"}
    ledger = json.loads((tmp_path / "out/ledger.json").read_text())["stages"]
    dropped = ledger["plan"]["posts"]["dropped"]
    assert any(reason.startswith("safety") for reason in dropped) and any(
        reason.startswith("quality") for reason in dropped
    )
    assert any(reason.startswith("duplicate") for reason in dropped)
    reasons = {name for line in ledger["ingest"].values() for name in line["quarantined"]}
    assert reasons >= {
        "invalid_json",
        "invalid_utf8",
        "missing_field",
        "line_too_long",
        "repeated_key",
        "wrong_columns",
        "wrong_type",
        "empty",
    }
    assert [marker for marker in MARKERS if marker in (ran.stdout + ran.stderr).lower()] == []


FAILS = """
import pipeline.ingest
def fail(self, texts):
    raise ValueError(f"cannot tell the language of {texts.to_pylist()!r}")
pipeline.ingest._Writer._languages = fail
"""


def test_an_error_that_quotes_a_text_is_told_without_it(corpus: Path, tmp_path: Path) -> None:
    ran = run(corpus, tmp_path, FAILS)
    assert ran.returncode == 1
    assert "ValueError at" in ran.stderr and "ingest.py" in ran.stderr and "WELLMIX_TRACEBACK" in ran.stderr
    assert "Traceback" not in ran.stderr
    printed = (ran.stdout + ran.stderr).lower()
    assert [words for words in (*MARKERS, "until it is better") if words in printed] == []
    assert traces(tmp_path / "store") == set()


class Failing(Step):
    """Raises an error that quotes a text."""

    name = "failing"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        raise ValueError(f"cannot read {task['text']}")


class Mistaken(Step):
    """Raises an error that speaks to the user."""

    name = "mistaken"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        raise UserError("the column is missing", where="a.csv")


def test_workers_hand_over_errors_without_texts(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [{"text": "zorkept"}, {"text": "zorkept"}]
    with pytest.raises(DefectError, match="step failing: ValueError at") as caught:
        run_step(Failing, Store(tmp_path), tasks, workers=2, progress=Progress(False), label="x")
    errors = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert "zorkept" not in "".join(map(str, errors)) + "".join(capfd.readouterr())
    with pytest.raises(UserError, match="the column is missing"):
        run_step(Mistaken, Store(tmp_path), tasks, workers=1, progress=Progress(False), label="x")
    # the whole error is there for who asks for it; so the checks above would see a leak
    monkeypatch.setenv("WELLMIX_TRACEBACK", "1")
    with pytest.raises(ValueError, match="zorkept"):
        run_step(Failing, Store(tmp_path), tasks, workers=1, progress=Progress(False), label="x")


#: Reader, file name, content that it must refuse.
REFUSED = (
    ("comparisons", "a.md", b"# T\n\n~~~xml\n<zorjson>\nzorjson\n</zorjson>\n<comparison>\n</comparison>\n~~~\n"),
    ("comparisons", "b.md", b"# T\n\n~~~xml\n<user>\nzorjson\n~~~\n"),
    ("cnxml", "a.cnxml", b"<zorjson>zorjson</zorjson>"),
    ("cnxml", "b.cnxml", b"<document>zorjson <zorjson></document>"),
    ("jats", "a.xml", b"<zorjson>zorjson</zorjson>"),
    ("jats", "b.xml", b"<article>zorjson <zorjson></article>"),
    ("stackexchange", "Posts.xml", b'<posts><row Body="zorjson" zorjson="1"/></posts>'),
    ("mediawiki", "a.xml", b"<mediawiki><page><title>zorjson</title><zorjson></page></mediawiki>"),
    ("subtitles", "a.vtt", b"zorjson\n\nzorjson --> zorjson\n"),
    ("epub", "a.epub", b"zorjson"),
    (
        "warc",
        "a.warc",
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://zorjson.org/a b\r\nContent-Type: application/http; msgtype=response"
        b"\r\nContent-Length: 900\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>zorjson</p>",
    ),
    ("reddit", "a.jsonl", b'{"id": "zorjson", "body": zorjson}\n{"zorjson": 1}\n'),
    ("markdown", "a.md", b"zorjson " + bytes(range(256)) * 40),
    ("parquet", "a.parquet", b"PAR1 zorjson PAR1"),
)


@pytest.mark.parametrize(
    ("reader", "name", "content"), REFUSED, ids=[f"{reader}-{name}" for reader, name, _ in REFUSED]
)
def test_readers_refuse_without_quoting(
    reader: str, name: str, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    cls = get_reader(reader)
    options = {"text": "text"} if "text" in cls.Options.model_fields and reader == "parquet" else {}
    made = cls(cls.Options(**options))
    ref = FileRef(path.as_uri(), name, len(content), "x")
    told: list[Bad] = []
    try:
        for split in made.splits([ref], 1 << 20):
            told += [item for item in made.read(split) if isinstance(item, Bad)]
    except UserError as error:
        told.append(Bad(name, "user_error", str(error)))
    assert told, "nothing was refused, so this tests nothing"
    assert "zorjson" not in str(told).lower() + "".join(capfd.readouterr()).lower()
