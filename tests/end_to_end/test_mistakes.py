"""Bad input, end to end: what the user is told, the exit code, and that everything else goes on.

Each case is a tiny synthetic corpus with a card and a recipe of its own, run through the command line's entry point.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

import pipeline.ingest
import pipeline.output
from pipeline import cli
from pipeline.store import Store

ROOT = Path(__file__).parents[2]
COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]

#: Stands in every text that must not be shown or listed.
SECRET = "quillfeather"

CARD = """\
name: {name}
title: A tiny corpus
family: general
where: {{url: '{url}'}}
reader: {reader}
license: {{id: CC0-1.0}}
consent: {{basis: synthetic}}
sensitivity: low
origin: simulated
language: [en]
citation: none
takedown: none
"""
RECIPE = """\
purpose: research
budget: 300
validation: 0
filters: {{contamination: false, quality: false}}
cards: [cards]
sources:
{sources}
"""
JSONL = "{name: jsonl, key: id, text: text}"
CSV = "{name: csv, key: id, text: text}"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 123\n"

WORDS = """\
we walked slowly because rain had stopped and my sister told the old story about her first winter near a lake while bread was
baking people laughed when someone found lost gloves under table later everyone felt calm grateful tired but glad to have come
together again after so many months of distance worry and small quiet hopes"""


def prose(number: int) -> str:
    draw, words = random.Random(number), WORDS.split()
    return " ".join(" ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(4))


def record(number: int, **fields: object) -> bytes:
    return json.dumps({"id": f"r{number}", "text": prose(number)} | fields).encode()


def lines(*records: bytes) -> bytes:
    return b"\n".join(records) + b"\n"


GOOD = lines(*map(record, range(12)))
GOOD_CSV = b"id,text\n" + b"".join(b'g%d,"%s"\n' % (n, prose(n).encode()) for n in range(12))


@dataclass
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    def tells(self, *parts: str) -> None:
        """A user's mistake: exit 2, each part of the message, and nothing a user cannot read."""
        assert self.code == 2, self.err
        for part in parts:
            assert part in self.err, self.err
        assert self.out == ""
        self.clean()

    def clean(self) -> None:
        assert "Traceback" not in self.err
        assert SECRET not in self.err + self.out


Run = Callable[..., Said]


def invoke(*arguments: object) -> int:
    """The exit code of ``wellmix ARGUMENTS``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wellmix", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as left:
            return int(left.code or 0)
    return 0


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> Said:
        capsys.readouterr()
        code = invoke(*arguments)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return command


class Corpus:
    """A folder with raw files, cards and a recipe.

    :param sources: by name: its files and its reader.
    """

    def __init__(
        self, folder: Path, sources: dict[str, tuple[dict[str, bytes], str]], amount: str = "{weight: 1}"
    ) -> None:
        self.folder, self.out, self.store, self.recipe = folder, folder / "out", folder / "store", folder / "r.yaml"
        (folder / "cards").mkdir(parents=True)
        for name, (files, reader) in sources.items():
            (folder / name).mkdir()
            for file, content in files.items():
                (folder / name / file).write_bytes(content)
            self.card(name).write_text(CARD.format(name=name, url=f"file://{folder}/{name}/*", reader=reader))
        entries = "\n".join(f"  {name}: {amount}" for name in sources)
        self.recipe.write_text(RECIPE.format(sources=entries))

    def card(self, name: str = "tiny") -> Path:
        return self.folder / f"cards/{name}.yaml"

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def command(self, *more: object) -> list[object]:
        return ["mix", self.recipe, "--out", self.out, "--store", self.store, "--workers", 1, *more]

    def artifacts(self) -> list[Path]:
        return [path for path in self.store.rglob("meta.json") if "tmp" not in path.relative_to(self.store).parts]


@pytest.fixture
def tiny(tmp_path: Path) -> Corpus:
    """A corpus without a fault."""
    return Corpus(tmp_path / "tiny", {"tiny": ({"a.jsonl": GOOD}, JSONL)})


# Records that cannot be read: quarantined, and the rest is in the mix.


@dataclass
class Wounded:
    """A run over a corpus with everything wrong that can be wrong with a record or a file."""

    corpus: Corpus
    code: int
    said: str
    quarantine: list[dict[str, str]]


@pytest.fixture(scope="module")
def wounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wounded]:
    secret = SECRET.encode()
    # Random letters do not compress: the frame has several blocks, and what stands in the first ones can be read.
    letters = random.Random(1)
    noise = [record(n, pad="".join(letters.choices("abcdefghijklmnop", k=3_000))) for n in range(500, 700)]
    whole = zstandard.ZstdCompressor().compress(lines(*noise))
    files = {
        "broken.jsonl": lines(record(20), b'{"id": "x", "text": "' + secret, record(21)),
        "bytes.jsonl": lines(record(22), b'{"id": "x", "text": "' + secret + b'\xff"}', record(23)),
        "cut.jsonl.zst": whole[: len(whole) // 2],
        "cut_at_once.jsonl.zst": whole[:40],
        "empty.jsonl": b"",
        "fields.jsonl": lines(
            b'{"id": "m1"}',
            b'{"id": "m2", "text": null}',
            b'{"id": "m3", "text": {"x": "%s"}}' % secret,
            b'["%s"]' % secret,
            b'{"text": "no key, %s"}' % secret,
            b'{"id": "m4", "text": "  "}',
            record(24),
        ),
        "good.jsonl": GOOD,
        "long.jsonl": lines(record(25), record(26, text=SECRET * 900), record(27)),
        "pointer.jsonl": LFS,
        "twice.jsonl": lines(record(28), record(28, text=SECRET)),
        "wrong.jsonl.gz": secret + b" was never compressed",
    }
    tables = {
        "bytes.csv": GOOD_CSV + b'a1,"%s \xff"\n' % secret,
        "empty.csv": b"",
        "open.csv": b"id,text\n" + b'b1,"%s"\n' % prose(40).encode() + b'b2,"%s %s' % (secret, b"x" * 5_000),
        "ragged.csv": b"id,text\n" + b"c1,%s,more\nc2\n" % secret + b'c3,"%s"\n' % prose(41).encode(),
    }
    corpus = Corpus(
        tmp_path_factory.mktemp("wounded") / "c",
        {
            "posts": (files, "{name: jsonl, key: id, text: text, max_line_bytes: 8192}"),
            "rows": (tables, "{name: csv, key: id, text: text, max_field_bytes: 4096}"),
        },
        amount="{epochs: 1}",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *map(str, corpus.command())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = [json.loads(line) for line in (corpus.out / "quarantine.jsonl").read_text().splitlines()]
    yield Wounded(corpus, done.returncode, done.stderr, listed)


@pytest.mark.parametrize(
    ("origin", "reason", "detail"),
    [
        ("broken.jsonl#byte=", "invalid_json", "of the line"),
        ("bytes.jsonl#byte=", "invalid_utf8", "of the line"),
        ("cut.jsonl.zst#byte=", "truncated", "ends in the middle of a frame"),
        ("cut_at_once.jsonl.zst#byte=0", "truncated", "ends in the middle of a frame"),
        ("fields.jsonl#byte=0", "missing_field", "'text' is missing"),
        ("fields.jsonl#byte=13", "missing_field", "'text' is missing"),
        ("fields.jsonl#byte=40", "wrong_type", "dict, not text"),
        ("fields.jsonl#byte=", "invalid_json", "not an object"),
        ("fields.jsonl#byte=", "missing_field", "key: field 'id' is missing"),
        ("fields.jsonl#byte=", "empty", "'text' is empty"),
        ("long.jsonl#byte=", "line_too_long", "max_line_bytes=8192"),
        ("pointer.jsonl#byte=0", "lfs_pointer", "git lfs pull"),
        ("twice.jsonl#byte=", "repeated_key", "the same native key"),
        ("wrong.jsonl.gz#byte=0", "truncated", "Not a gzipped file"),
        ("bytes.csv#row=13", "invalid_utf8", "column 'text'"),
        ("open.csv#row=2", "invalid_csv", "field larger than field limit (4096); the rest of the file is not read"),
        ("ragged.csv#row=1", "wrong_columns", "3 columns instead of 2"),
        ("ragged.csv#row=2", "wrong_columns", "1 columns instead of 2"),
    ],
)
def test_bad_record_is_listed_with_place_and_reason(wounded: Wounded, origin: str, reason: str, detail: str) -> None:
    found = [row for row in wounded.quarantine if row["origin"].startswith(origin) and row["reason"] == reason]
    assert any(detail in row["detail"] for row in found), wounded.quarantine


def test_bad_records_do_not_stop_the_rest(wounded: Wounded) -> None:
    assert wounded.code == 0, wounded.said
    assert len(wounded.quarantine) == 18
    assert f"18 records could not be read; where and why: {wounded.corpus.out / 'quarantine.jsonl'}" in wounded.said
    rows = [
        row for path in (wounded.corpus.out / "parquet").rglob("*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    taken = {row["text"] for row in rows}
    assert taken >= {prose(n) for n in (*range(12), *range(20, 26), 27, 28, 40, 41)}
    assert 20 < len(taken & {prose(n) for n in range(500, 700)}) < 180, "what stands before the cut"
    ledger = json.loads((wounded.corpus.out / "ledger.json").read_text())
    assert ledger["totals"]["quarantined"] == 18


def test_bad_records_leave_no_text_behind(wounded: Wounded) -> None:
    assert SECRET not in wounded.said
    for root in (wounded.corpus.out, wounded.corpus.store):
        for path in root.rglob("*"):
            if path.suffix == ".parquet":
                assert SECRET not in str(pq.read_table(path).to_pydict()), path
            elif path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.jsonl": b""}, "its files hold no records"),
        (
            {"a.jsonl.zst": zstandard.compress(GOOD)[:30]},
            "1 truncated); the first: a.jsonl.zst#byte=0: the compressed stream breaks",
        ),
        ({"a.jsonl": LFS}, "a.jsonl#byte=0: a Git LFS pointer, not the file: fetch it with `git lfs pull`"),
    ],
)
def test_source_without_any_document(tmp_path: Path, run: Run, files: dict[str, bytes], expected: str) -> None:
    corpus = Corpus(tmp_path / "c", {"tiny": (files, JSONL)})
    run(*corpus.command()).tells("source 'tiny' gave no documents", expected, "r.yaml:7 sources.tiny", "mend the files")
    assert not corpus.out.exists()


def test_csv_without_the_mapped_column(tmp_path: Path, run: Run) -> None:
    corpus = Corpus(tmp_path / "c", {"tiny": ({"a.csv": GOOD_CSV}, CSV.replace("text: text", "text: body"))})
    run(*corpus.command()).tells("a column the file does not have: body", "tiny/a.csv", "the file has: id, text")


# Recipes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  tiny:", "  tinny:", ["unknown source 'tinny'", "r.yaml:7 sources.tinny", "did you mean 'tiny'?"]),
        (
            "{weight: 1}",
            "{weight: 1, tokens: 9}",
            ["exactly one of weight, tokens and epochs", "r.yaml:7 sources.tiny"],
        ),
        ("{weight: 1}", "{wieght: 1}", ["unknown field 'wieght'", "r.yaml:7", "did you mean 'weight'?"]),
        ("{weight: 1}", "{weight: .inf}", ["finite number", "r.yaml:7 sources.tiny.weight"]),
        (
            "{weight: 1}",
            "{tokens: 99999}",
            ["asked for 99,999 tokens but can give", "at most 4 epochs", "r.yaml:7 sources.tiny.tokens"],
        ),
        ("{weight: 1}", "{epochs: 9}", ["at most 4 epochs", "r.yaml:7 sources.tiny.epochs", "raise max_epochs"]),
        ("budget: 300", "budget: 1_000_000", ["cannot be filled", "r.yaml:2 budget", "lower the budget to"]),
        ("budget: 300", "budget: {{tokens}}", ["not valid YAML", "r.yaml:2", "in quotes"]),
        ("budget: 300", "budget: many", ["valid integer", "r.yaml:2 budget", "recipes/README.md"]),
        ("budget: 300", "budget: 300\n3: 4", ["r.yaml:3 3", "Keys should be strings"]),
        ("budget: 300", "budget: 300\ngroups: 5", ["valid list", "r.yaml:3 groups"]),
        (
            "budget: 300",
            "budget: 300\ngroups: [{name: tiny, weight: 1}]",
            ["'tiny' names more than one", "r.yaml:3 groups"],
        ),
        ("budget: 300", "budget: 300\nmemory: 1MB", ["memory limit of the joins is too small: 1MB", "raise `memory`"]),
        ("budget: 300", "budget: 300\ntokenizer: other", ["no tokenizer called 'other'", "o200k_base"]),
        (
            "quality: false",
            "safety: {joy: 0.5}",
            ["do not score the harm 'joy'", "r.yaml:4 filters.safety.joy", "harm_short"],
        ),
        (
            "quality: false",
            "quality: {general: {shine: 1}}",
            ["unknown quality threshold 'shine'", "quality.shine", "min_words"],
        ),
        (
            "quality: false",
            "drop: [{where: \"tokens > 'many'\", reason: x}]",
            ["does not hold as SQL", "r.yaml:4", "wellmix columns"],
        ),
        ("contamination: false", "contamination: [mine.npz]", ["cannot read the hash list", "mine.npz"]),
        ("cards: [cards]", "cards: [elsewhere]", ["no folder of cards at 'elsewhere'", "r.yaml:5 cards"]),
    ],
)
def test_mistake_in_a_recipe(tiny: Corpus, run: Run, old: str, new: str, expected: list[str]) -> None:
    tiny.edit(tiny.recipe, old, new)
    run(*tiny.command()).tells(*expected)
    assert not tiny.out.exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ["cannot read the recipe: No such file", "recipes/sample.yaml"]),
        (b"\x00\xff\xfe", ["cannot read the recipe: not UTF-8 text"]),
        (b"sources:\n\t- a\n", ["not valid YAML", "n.yaml:2", "indent with spaces"]),
        (b"", ["a recipe is a mapping"]),
    ],
)
def test_recipe_that_cannot_be_read(tmp_path: Path, run: Run, content: bytes | None, expected: list[str]) -> None:
    path = tmp_path / "n.yaml"
    if content is not None:
        path.write_bytes(content)
    for command in ("mix", "check"):
        run(command, path).tells(*expected, str(path))


def test_recipe_that_is_a_folder(tmp_path: Path, run: Run) -> None:
    run("mix", tmp_path).tells("cannot read the recipe: Is a directory", str(tmp_path))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("budget", ["cannot read --set 'budget'", "--set path.to.field=value"]),
        ("budgte=5", ["unknown field 'budgte'", "did you mean 'budget'?"]),
        ("budget=[", ["'budget=[' is not valid YAML"]),
        ("sources.tinny.weight=1", ["unknown source 'tinny'", "did you mean 'tiny'?"]),
        ("sources.tiny.weight.x=1", ["'weight' is a value, it has no field 'x'"]),
        ("cards.3=x", ["the list has 1 entries"]),
    ],
)
def test_mistake_in_an_override(tiny: Corpus, run: Run, override: str, expected: list[str]) -> None:
    run(*tiny.command("--set", override)).tells(*expected)


# Cards and places


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: CC0-1.0", "id: Mine-1.0", ["unknown licence 'Mine-1.0'", "use an SPDX id", "tiny.yaml: license"]),
        ("text: text}", "txet: text}", ["unknown field 'txet'", "card tiny: reader.txet", "sources/README.md"]),
        ("name: jsonl", "name: jsonlines", ["no reader is called 'jsonlines'", "card tiny: reader.name", "use one of"]),
        ("sensitivity: low", "sensitivity: none", ["'low', 'medium' or 'high'", "tiny.yaml: sensitivity"]),
        ("takedown: none\n", "", ["field 'takedown' is missing", "tiny.yaml: takedown"]),
        ("title: A", "title: [A", ["not valid YAML", "tiny.yaml:"]),
        (
            "citation: none",
            "citation: none\nrefuse: {pretraining: the authors asked}",
            ["its card refuses pretraining: the authors asked"],
        ),
        ("id: CC0-1.0", "id: none-stated", []),
        ("where: {", "where: {path: ../secret.jsonl, ", ["exactly one of path, url and hub", "tiny.yaml: where"]),
    ],
)
def test_mistake_in_a_card(tiny: Corpus, run: Run, old: str, new: str, expected: list[str]) -> None:
    tiny.edit(tiny.card(), old, new)
    if not expected:
        tiny.edit(tiny.recipe, "research", "publish")
        expected = [
            "may not serve purpose 'publish'",
            "without a stated licence does not allow publishing",
            "r.yaml:7 sources.tiny",
        ]
    run(*tiny.command()).tells(*expected)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{path: ../secret.jsonl}", ["must stay below the data root", "tiny.yaml: where"]),
        ("{path: /etc/secret.jsonl}", ["must stay below the data root"]),
        ("{path: tiny/*.tsv}", ["no file matches tiny/*.tsv", "WELLMIX_DATA"]),
        (
            "{url: 'file:///nowhere/a.jsonl'}",
            ["cannot list file:///nowhere/a.jsonl: No such file", "card tiny: where.url"],
        ),
        ("{url: 'file:///nowhere/*.jsonl'}", ["no file matches file:///nowhere/*.jsonl", "card tiny: where.url"]),
        ("{url: 's9://bucket/*.jsonl'}", ["url 's9://bucket/*.jsonl'", "does not read 's9'"]),
    ],
)
def test_place_that_cannot_be_read(
    tiny: Corpus, run: Run, monkeypatch: pytest.MonkeyPatch, where: str, expected: list[str]
) -> None:
    monkeypatch.setenv("WELLMIX_DATA", str(tiny.folder))
    tiny.edit(tiny.card(), f"{{url: 'file://{tiny.folder}/tiny/*'}}", where)
    run(*tiny.command()).tells(*expected)
    run("check", tiny.recipe).tells(*expected)


def test_hub_out_of_reach(tiny: Corpus, run: Run) -> None:
    tiny.edit(tiny.card(), f"{{url: 'file://{tiny.folder}/tiny/*'}}", "{hub: owner/dataset}")
    tiny.edit(tiny.card(), "name: jsonl, key: id", "name: huggingface")
    run(*tiny.command()).tells("cannot load the dataset", "owner/dataset/default/train@main", "check the network")


def test_data_folder_unset_or_elsewhere(tiny: Corpus, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.edit(tiny.card(), f"{{url: 'file://{tiny.folder}/tiny/*'}}", "{path: 'tiny/*'}")
    monkeypatch.chdir(tiny.folder)
    monkeypatch.delenv("WELLMIX_DATA", raising=False)
    run(*tiny.command()).tells("needs the real corpora", "WELLMIX_DATA=not set", "export WELLMIX_DATA=")
    run("train", "--out", tiny.folder / "w").tells("needs the real corpora", "WELLMIX_DATA is not set")
    monkeypatch.setenv("WELLMIX_DATA", str(tiny.folder / "nowhere"))
    run(*tiny.command()).tells("needs the real corpora", f"WELLMIX_DATA={tiny.folder / 'nowhere'}")


@pytest.mark.parametrize(
    ("forbidden", "expected"),
    [
        ("tiny/a.jsonl", "a file cannot be read"),
        ("store/tmp", "cannot write to the store"),
        (".", "cannot write the output folder"),
    ],
)
def test_no_permission(tiny: Corpus, run: Run, monkeypatch: pytest.MonkeyPatch, forbidden: str, expected: str) -> None:
    tiny.edit(tiny.card(), f"{{url: 'file://{tiny.folder}/tiny/*'}}", "{path: 'tiny/*'}")
    monkeypatch.setenv("WELLMIX_DATA", str(tiny.folder))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tiny.folder / forbidden)
    run(*tiny.command()).tells(expected, "fix:")


def test_output_that_is_not_ours(tiny: Corpus, run: Run) -> None:
    file = tiny.folder / "file"
    file.write_text("mine")
    run(*tiny.command("--out", file)).tells("the output is a file", str(file))
    run(*tiny.command("--out", file / "below")).tells("cannot write the output folder", str(file / "below"))
    for name, content in (("notes.txt", "mine"), ("manifest.json", '{"manifest_version": 3}'), ("manifest.json", "[]")):
        foreign = tiny.folder / f"foreign{len(content)}"
        foreign.mkdir()
        (foreign / name).write_text(content)
        run(*tiny.command("--out", foreign)).tells("something that wellmix did not write", str(foreign))
        assert (foreign / name).read_text() == content
    assert file.read_text() == "mine"


def test_store_that_cannot_be_used(tiny: Corpus, run: Run) -> None:
    file = tiny.folder / "file"
    file.write_text("mine")
    for store in (file, file / "below"):
        run(*tiny.command("--store", store)).tells("cannot use the store: Not a directory", str(store), "--store")
    (tiny.folder / "odd/lock").mkdir(parents=True)
    run(*tiny.command("--store", tiny.folder / "odd")).tells("cannot use the store: Is a directory", "odd/lock")


def test_two_runs_on_one_store(tiny: Corpus, run: Run) -> None:
    release = Store(tiny.store).lock()
    run(*tiny.command()).tells("another run is using this store", str(tiny.store), "wait for it")
    release()
    assert run(*tiny.command()).code == 0


def test_paths_with_odd_characters(tmp_path: Path, run: Run) -> None:
    corpus = Corpus(tmp_path / "it's [1] *odd* %20 ü", {"tiny": ({"a.jsonl": GOOD}, JSONL)})
    corpus.edit(corpus.card(), f"{{url: 'file://{corpus.folder}/tiny/*'}}", "{path: 'tiny/*'}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WELLMIX_DATA", str(corpus.folder))
        said = run(*corpus.command())
    assert said.code == 0, said.err


# The command line itself


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mix", "r.yaml", "--workers", "0"], "--workers"),
        (["mix", "r.yaml", "--workres", "2"], "No such option"),
        (["mix"], "Missing argument"),
        (["mxi"], "Did you mean"),
        (["sources", "--purpose", "nonsense"], "no purpose is called 'nonsense'"),
    ],
)
def test_mistake_on_the_command_line(run: Run, arguments: list[str], expected: str) -> None:
    run(*arguments).tells(expected)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(run: Run, command: str) -> None:
    said = run(command, "--help")
    assert said.code == 0
    assert f"Example: wellmix {command}" in " ".join(said.out.split())


def test_json_is_one_object_and_nothing_else(tiny: Corpus, run: Run) -> None:
    texts = tiny.folder / "texts.jsonl"
    texts.write_bytes(GOOD)
    said = run(*tiny.command("--json"))
    assert json.loads(said.out)["out"] == str(tiny.out)
    assert json.loads(run(*tiny.command("--json")).out)["stages_run"] == 0
    (shard,) = (tiny.out / "parquet").rglob("*.parquet")
    document = pq.read_table(shard, columns=["id"])["id"][0].as_py()
    for arguments in (
        ["check", tiny.recipe],
        ["sources", "--purpose", "publish"],
        ["explain", tiny.out, document, "--store", tiny.store],
        ["score", texts, "-o", tiny.folder / "scores.parquet"],
        ["hashlist", texts, "-o", tiny.folder / "list.npz"],
        ["columns"],
    ):
        said = run(*arguments, "--json")
        assert said.code == 0, said.err
        assert isinstance(json.loads(said.out), dict)
    assert pq.read_table(tiny.folder / "scores.parquet").num_rows == 12


def test_explain_mistakes(tiny: Corpus, run: Run) -> None:
    assert run(*tiny.command()).code == 0
    broken = tiny.folder / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{{{")
    for folder in (tiny.folder / "none", tiny.recipe, broken):
        run("explain", folder, "0" * 8).tells("no mix and no set", str(folder), "shards/sample")
    given = ["--store", tiny.store]
    run("explain", tiny.out, "xyz", *given).tells("'xyz' is not a document id", "the first 8 of its 32 hex digits")
    run("explain", tiny.out, "0" * 32, *given).tells("never saw a document", "quarantine.jsonl")
    nowhere = tiny.folder / "nowhere"
    run("explain", tiny.out, "0" * 8, "--store", nowhere).tells(
        "the store this mix was made with is not here", "--store"
    )
    assert not nowhere.exists()


def test_score_goes_on_past_bad_lines(tmp_path: Path, run: Run) -> None:
    texts = tmp_path / "t.jsonl"
    bad = [b'{"text": "%s' % SECRET.encode(), b'{"text": 3}', b"[1]", b'{"text": "%s\xff"}' % SECRET.encode()]
    texts.write_bytes(lines(record(1), *bad, record(2)))
    said = run("score", texts, "-o", tmp_path / "s.parquet", "--json")
    said.clean()
    assert said.code == 1
    assert f"4 lines could not be read; the first: {texts}:2 is not JSON" in said.err
    assert json.loads(said.out)["rows"] == 2
    assert pq.read_table(tmp_path / "s.parquet", columns=["id"])["id"].to_pylist() == ["r1", "r2"]


def test_score_mistakes(tmp_path: Path, run: Run) -> None:
    out, good = tmp_path / "s.parquet", tmp_path / "good.jsonl"
    good.write_bytes(GOOD)
    run("score", tmp_path / "none.jsonl", "-o", out).tells("cannot read a file: No such file", "none.jsonl")
    run("score", tmp_path, "-o", out).tells("cannot read a file: Is a directory")
    for name in ("t.jsonl.gz", "t.jsonl.zst", "t.jsonl.xz"):
        (tmp_path / name).write_bytes(b"plain")
        run("score", tmp_path / name, "-o", out).tells("the compressed file is broken", name)
    run("score", good, "-o", tmp_path).tells("the output is a folder", str(tmp_path))
    run("score", good, "-o", good / "s.parquet").tells("cannot write", "good.jsonl/s.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.jsonl", "t.jsonl.gz", "t.jsonl.xz", "t.jsonl.zst"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("e.jsonl", record(1) + b'\n{"q": quillfeather}\n', ["not JSON", "e.jsonl:2"]),
        ("e.json", b"5", ["neither a list nor an object", "e.json"]),
        ("e.json", b"[5]", ["neither an object nor a text"]),
        ("e.csv", b"q\n\xff\n", ["not UTF-8 text: byte 2 of the file"]),
        ("e.txt", b"short\n", ["no item is long enough", "--field"]),
    ],
)
def test_hashlist_of_bad_items(tmp_path: Path, run: Run, name: str, content: bytes, expected: list[str]) -> None:
    (tmp_path / name).write_bytes(content)
    run("hashlist", tmp_path / name, "-o", tmp_path / "l.npz").tells(*expected)
    assert not (tmp_path / "l.npz").exists()


def test_hashlist_mistakes(tmp_path: Path, run: Run) -> None:
    good = tmp_path / "good.jsonl"
    good.write_bytes(GOOD)
    run("hashlist", tmp_path / "none.jsonl", "-o", tmp_path / "l.npz").tells("cannot read: No such file", "none.jsonl")
    run("hashlist", good, "-o", tmp_path / "l.txt").tells("a hash list is an .npz file", "write l.npz")
    run("hashlist", good, "-o", tmp_path / "l.npz", "--field", "q").tells("no field 'q'", "it has: id, text")
    run("hashlist", good, "-o", good / "l.npz").tells("cannot write", "good.jsonl/l.npz")


# What goes wrong in the middle


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/full/disk")


@pytest.mark.parametrize(
    ("module", "name"),
    [(pipeline.ingest.pq, "write_table"), (pipeline.output, "write_json"), (pipeline.output.os, "link")],
)
def test_full_disk_leaves_nothing_half(tiny: Corpus, run: Run, module: object, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, full_disk)
        said = run(*tiny.command("--json"))
    assert (said.code, said.out) == (1, "")
    said.clean()
    for part in ("error: No space left on device", "/full/disk", "free some space"):
        assert part in said.err
    assert list((tiny.store / "tmp").iterdir()) == []
    assert not tiny.out.exists()
    assert [path.name for path in tiny.folder.iterdir() if path.name.startswith(".")] == []
    assert run(*tiny.command()).code == 0


def test_defect_shows_no_text(tiny: Corpus) -> None:
    (tiny.folder / "tiny/a.jsonl").write_bytes(lines(record(1, text=f"{SECRET} {prose(1)}")))
    script = """
import pipeline.ingest
from pipeline.cli import main

def clean(texts, family):
    secret = texts.to_pylist()
    raise RuntimeError("a defect")

pipeline.ingest.clean = clean
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, tiny.command())], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError at " in done.stderr and "(clean)" in done.stderr
    assert SECRET not in done.stderr + done.stdout


@dataclass
class Large:
    """A corpus of several shards, and the hashes of what comes of it."""

    corpus: Corpus
    hashes: list[str]


def hashes(out: Path) -> list[str]:
    return [file["sha256"] for file in json.loads((out / "manifest.json").read_text())["files"]]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    files = {f"{n}.jsonl": lines(*(record(n * 1_000 + i) for i in range(320))) for n in range(5)}
    corpus = Corpus(tmp_path_factory.mktemp("large") / "c", {"tiny": (files, JSONL)})
    corpus.edit(corpus.recipe, "budget: 300", "budget: 9_000\ningest: {shard_bytes: 65536}")
    assert invoke(*corpus.command()) == 0
    return Large(corpus, hashes(corpus.out))


def anew(large: Large, folder: Path, workers: int) -> list[object]:
    """The command with another store and output folder."""
    return ["mix", large.corpus.recipe, "--out", folder / "out", "--store", folder / "store", "--workers", workers]


def start(large: Large, folder: Path, workers: int) -> subprocess.Popen[str]:
    """Run in a process group of its own, until the store holds the first shard."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *map(str, anew(large, folder, workers))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not any((folder / "store/documents").glob("*/*/meta.json")):
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


@pytest.mark.slow
def test_killed_run_goes_on(large: Large, run: Run, tmp_path: Path) -> None:
    """Neither a lock nor a helper process outlives it. (``tests/faults`` kills with workers, anywhere.)"""
    process = start(large, tmp_path, 1)
    process.kill()
    _, err = process.communicate(timeout=120)  # ends when the last helper has closed its end
    assert SECRET not in err
    assert not (tmp_path / "out").exists()
    said = run(*anew(large, tmp_path, 1), "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["stages"]["ingest"] < 10, "what was done is not done again"
    assert hashes(tmp_path / "out") == large.hashes


@pytest.mark.slow
def test_interrupted_run_says_how_to_go_on(large: Large, run: Run, tmp_path: Path) -> None:
    process = start(large, tmp_path, 2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.strip()) == (1, "", "stopped; the same command goes on from here")
    assert run(*anew(large, tmp_path, 1)).code == 0
    assert hashes(tmp_path / "out") == large.hashes
