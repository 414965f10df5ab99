"""Recipes, cards and constitutions of strangers: YAML that explodes, paths that climb, patterns without end, conditions that reach out."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest

from pipeline.conditions import FUNCTIONS, check_condition
from pipeline.database import connect
from pipeline.recipe import load_recipe
from sources.card import Where, load_card
from sources.errors import UserError
from sources.files import resolve
from sources.readers.archive import ArchiveOptions
from sources.readers.fields import Derive
from sources.yaml_text import NotYaml, load_yaml
from tests.hostile.conftest import ROOT

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


# -- YAML ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,said",
    [
        (LAUGHS, "aliases make more than"),
        ("a: &a {k: 1}\n" + "".join(f"b{i}: &b{i} {{<<: [{', '.join(['*a' if not i else f'*b{i - 1}'] * 9)}]}}\n" for i in range(8)), "aliases make more than"),
        ("a: &a [*a]", "stands in"),
        ("[" * 100_000, "levels deep"),
        ("".join(" " * i + "a:\n" for i in range(1000)), "levels deep"),
        ("a: !!python/object/apply:os.system [touch ran]", "constructor"),
        ("a: !!python/name:os.system", "constructor"),
        ("a: 1\na: 2", "given twice"),
        ("a: 2001-99-99", "month"),
        ("a: " + "1" * 5000, "digits"),
        ("a: !!binary x", "base64"),
        ("? [1]\n: 2", "not a text"),
        ("a: " + "x" * (1 << 20), "longer than"),
        ('a: "\\ud800"', "Unicode"),
    ],
)  # fmt: skip
def test_yaml_that_explodes_is_refused_at_once(tmp_path, text, said):
    start = time.process_time()
    with pytest.raises(NotYaml, match=said):
        load_yaml(text)
    path = tmp_path / "a.yaml"
    path.write_text(text)
    for load in (load_card, load_recipe):
        with pytest.raises(UserError) as raised:
            load(path)
        assert str(path) in (raised.value.where or "")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("value", ["[" * 1000, "!!python/name:os.system", "2001-99-99", "1" * 5000, "{a: 1, a: 2}"])
def test_values_of_set_are_yaml_of_strangers_too(value):
    with pytest.raises(UserError, match="not valid YAML"):
        load_recipe(ROOT / "recipes/sample.yaml", [f"description={value}"])


def test_aliases_that_save_some_typing_are_read():
    value, lines = load_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}\n")
    assert value == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}
    assert lines["c", "d"] == 2


# -- paths -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where",
    [{"path": "/etc/passwd"}, {"path": "../x"}, {"path": "a/../../x"}, {"path": ["ok", "/etc/*"]}, {"path": "**/**/**/a"}, {"url": "reference://x.json"},
     {"url": "simplecache::reference://x"}, {"url": "python://x"}, {"url": "git://x"}, {"hub": "sql"}],
)  # fmt: skip
def test_places_a_card_may_not_name(where):
    with pytest.raises(ValueError):
        Where(**where)


def test_a_link_inside_a_corpus_leads_nowhere_else(tmp_path, monkeypatch):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    data, disk = tmp_path / "data", tmp_path / "disk"
    for folder in (data / "mine", disk):
        folder.mkdir(parents=True)
    (data / "mine" / "a.txt").write_text("words")
    (data / "mine" / "b.txt").symlink_to(data / "mine" / "a.txt")
    (disk / "c.txt").write_text("words")
    (data / "linked").symlink_to(disk)
    monkeypatch.setenv("WELLMIX_DATA", str(data))
    card = load_card(ROOT / "sources/cards/happydb.yaml")

    def names(glob: str) -> list[str]:
        return [ref.name for ref in resolve(card.model_copy(update={"where": Where(path=glob)}))]

    assert names("mine/*.txt") == ["mine/a.txt", "mine/b.txt"]
    assert names("linked/*.txt") == ["linked/c.txt"]
    (data / "mine" / "z.txt").symlink_to(secret)
    with pytest.raises(UserError, match="leads out"):
        names("mine/*.txt")


def test_members_with_paths_that_climb_are_names_and_nothing_is_unpacked(load, tmp_path):
    import zipfile

    from tests.hostile.test_bombs import zipped

    names = ["../up.txt", "/abs.txt", "C:\\win.txt", "a/../../b.txt", "link.txt"]
    data = zipped(dict.fromkeys(names, b"some words"))
    archive = tmp_path / "in" / "x.zip"
    archive.parent.mkdir()
    archive.write_bytes(data)
    with zipfile.ZipFile(archive, "a") as file:  # a member that says it is a link
        info = zipfile.ZipInfo("evil-link")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/passwd")
    before = set(tmp_path.rglob("*"))
    found = load("archive", {"in/x.zip": archive.read_bytes()})
    assert {item.key.partition("#")[2] for item in found} == {
        *(name.replace("\\", "/") if "/" in name else name for name in names),
        "evil-link",
    }
    assert "root:" not in repr(found)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "..", "a\nb", "a\x1b[31m", "", "-x"])
def test_names_that_are_paths(tmp_path, name):
    import json

    recipe = (ROOT / "recipes/sample.yaml").read_text()
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {json.dumps(name)}\n{recipe}")
    with pytest.raises(UserError):
        load_recipe(path)
    card = (ROOT / "sources/cards/happydb.yaml").read_text().replace("name: happydb", f"name: {json.dumps(name)}")
    path.write_text(card)
    with pytest.raises(UserError):
        load_card(path)


# -- patterns --------------------------------------------------------------------------------------------------------------------------

BACKTRACKING = ["(a+)+$", "(a|a)*b", r"\s*(.*?)\s*x", "(a*)*(a*)*(a*)*b"]


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_patterns_that_would_backtrack_take_no_longer_than_their_text(load, pattern):
    import json

    start = time.process_time()
    line = json.dumps({"t": "a" * 50_000 + " " * 50_000 + "!"}).encode()
    (record,) = load("jsonl", {"a.jsonl": line}, text="t", derive={"x": {"column": "t", "match": pattern}}, extra=["x"])
    assert record.text
    assert time.process_time() - start < 5


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(?<!a)b", "(", "a{5000}", "(?P<n>a)(?P=n)"])
def test_patterns_that_need_backtracking_are_refused_when_the_card_is_read(pattern):
    for make in (
        lambda: Derive(column="a", match=pattern),
        lambda: ArchiveOptions(block_start=pattern),
        lambda: ArchiveOptions(substitute=[(pattern, "")]),
    ):
        with pytest.raises(ValueError, match="RE2"):
            make()


def test_replacements_that_double_are_stopped(load):
    from tests.hostile.test_bombs import zipped

    doubling = [["a", "bb"], ["b", "aa"]] * 20
    (bad,) = load("archive", {"a.zip": zipped({"a.txt": b"a"})}, substitute=doubling, max_member_bytes=1 << 16)
    assert bad.reason == "too_large"
    (bad,) = load(
        "jsonl", {"a.jsonl": b'{"t": "a"}'}, text="t", replace={chr(97 + i): chr(98 + i) * 4 for i in range(20)}
    )
    assert bad.reason == "too_large"


def test_codecs_that_are_no_encodings_are_refused():
    from sources.readers.csv import CsvOptions

    for name in ("zip", "hex", "rot13", "undefined", "nothing"):
        with pytest.raises(ValueError, match="text encoding"):
            CsvOptions(text="t", encoding=name)


# -- conditions ------------------------------------------------------------------------------------------------------------------------

REFUSED = [
    "source IN (SELECT content FROM read_text('/etc/passwd'))", "EXISTS (FROM 'secret.parquet')", "getenv('HOME') = 'x'", "current_setting('memory_limit') = 'x'",
    "getvariable('x') IS NULL", "pg_sleep(100) IS NULL", "write_log('x') IS NULL", "nextval('x') > 0", "txid_current() > 0", "version() = 'x'", "random() < 0.5",
    "query('SELECT 1')", "json_serialize_sql('SELECT 1') IS NULL", "length(repeat('x', 10000000000)) > 0", "len(range(1000000000000)) > 0",
    "len(generate_series(1, 1000000000)) > 0", "length(lpad('x', 2000000000, 'y')) > 0", "length(format('{:>2000000000}', 'x')) > 0", "length(printf('%2000000000d', 1)) > 0",
    "length(replace(replace(source, 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaa')) > 0", "list_reduce(['a', 'b'], lambda a, b: a || a) > 'a'",
    "len(list_transform([1], lambda a: a)) > 0", "len(list_filter([1, 2], lambda a: len(list_filter([1], lambda b: b > 0)) > 0)) > 0",
    "nullif(nullif(nullif(nullif(nullif(tokens, 1), 2), 3), 4), 5) > 0", "bitstring('1', 1000000000) IS NULL", "CAST([1] AS INTEGER[100000]) IS NULL", "COLUMNS(*) IS NULL",
    "sum(tokens) > 1", "row_number() OVER () = 1", "$1 = 1", "#1 = 1", "1 = 1; DROP TABLE documents", "true) FROM documents; ATTACH 'x.db' AS x; SELECT (true",
    "true UNION SELECT true", "(WITH x AS (SELECT 1) SELECT true)", "NOT " * 5000 + "true", "(" * 5000 + "true" + ")" * 5000, "tokens = " + "1" * 30_000,
    "install_extension('httpfs')", "load('httpfs')", "error('x') IS NULL", "source = \ud800", "damerau_levenshtein(source, source) > 0",
]  # fmt: skip
TAKEN = [
    "regexp_matches(lower(source), '(a|b)+') AND tokens BETWEEN 10 AND 1e6", "coalesce(relevance, 0) >= 2 OR source LIKE '%forum%'",
    "try_cast(language AS INTEGER) IS NULL", "CASE WHEN tokens > 10 THEN source ELSE language END = 'en'", "len(list_filter([1, 2], lambda x: x > 1)) = 1",
    "tokens / nullif(bytes, 0) > 0.1", "source IN ('a', 'b') AND NOT (language = 'de')", "substr(source, 1, 3) || 'x' = 'samx'", "source SIMILAR TO 'a.*'",
]  # fmt: skip


@pytest.mark.parametrize("condition", REFUSED)
def test_conditions_that_reach_out_or_never_end_are_refused_before_they_run(condition):
    start = time.process_time()
    with pytest.raises(UserError) as raised:
        check_condition(condition, "recipe.yaml:7 filters.drop.0.where")
    assert raised.value.where == "recipe.yaml:7 filters.drop.0.where"
    assert time.process_time() - start < 5


@pytest.mark.parametrize("condition", TAKEN)
def test_conditions_that_speak_of_a_row_are_taken(condition):
    check_condition(condition, "here")


def test_what_a_condition_may_call_is_there_and_steady():
    with duckdb.connect() as con:
        known = {
            name
            for (name,) in con.execute(
                "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'CONSISTENT' OR stability IS NULL"
            ).fetchall()
        }
    # Operators that the parser writes in other ways, and words that are syntax.
    assert sorted(name for name in FUNCTIONS - known if name[0].isalpha()) == []


def test_the_databases_that_run_them_are_sealed(tmp_path):
    (tmp_path / "store").mkdir()
    duckdb.sql(f"COPY (SELECT 1 AS a) TO '{tmp_path}/secret.parquet'")
    duckdb.sql(f"COPY (SELECT 1 AS a) TO '{tmp_path}/store/ours.parquet'")
    with connect(tmp_path / "store", "200MB", 1, reach=[tmp_path / "store"]) as con:
        assert con.execute(f"SELECT a FROM read_parquet('{tmp_path}/store/ours.parquet')").fetchall() == [(1,)]
        con.execute(f"COPY (SELECT 2 AS b) TO '{tmp_path}/store/new.parquet'")
        for query in (
            f"SELECT * FROM read_parquet('{tmp_path}/secret.parquet')", f"SELECT * FROM read_parquet('{tmp_path}/store/../secret.parquet')", "SELECT * FROM read_text('/etc/passwd')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.parquet'", f"ATTACH '{tmp_path}/x.db'", "INSTALL httpfs", "LOAD httpfs", "SET memory_limit = '10GB'",
            "SET enable_external_access = true", "SELECT * FROM 'https://example.org/a.parquet'", "CREATE PERSISTENT SECRET s (TYPE s3)",
        ):  # fmt: skip
            with pytest.raises(duckdb.Error):
                con.execute(query)
    with connect(tmp_path / "store", "200MB", 1) as con:
        for query in (
            "INSTALL spatial FROM community",
            "SET memory_limit = '10GB'",
            "SELECT * FROM 'https://example.org/a.parquet'",
        ):
            with pytest.raises((duckdb.Error, OSError)):
                con.execute(query)


def test_shipped_recipes_hold():
    from pipeline.curate.recipe import load_set_recipe

    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        (load_set_recipe if "formats:" in path.read_text().split("sources:")[0] else load_recipe)(Path(path))
