"""Tables through a spreadsheet and back: no formula runs, no text changes unseen."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells import escape, unescape
from pipeline.review.tables import read_csv, write_csv

RISKY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠a",
    "'=1",
    "''=1",
    "'\t",
]


@pytest.mark.parametrize("text", RISKY)
def test_what_could_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert escape(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "I can't", "'tis", "a=b", "(-1)", "3 - 2"])
def test_other_texts_stay(text: str) -> None:
    assert escape(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n a＝")))
def test_unescape_gives_back_every_text(text: str) -> None:
    assert unescape(escape(text)) == text


def test_a_table_opens_in_a_spreadsheet() -> None:
    content = write_csv(["id", "reply"], [{"id": "1", "reply": '=HYPERLINK("x")\nsecond; "line", one'}])
    assert content.startswith(b"\xef\xbb\xbf") and b"\r\n" in content
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert row["reply"] == '\'=HYPERLINK("x")\nsecond; "line", one'


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", ";")]
)
def test_tables_are_read_as_spreadsheets_save_them(tmp_path: Path, encoding: str, delimiter: str) -> None:
    file = tmp_path / "back.csv"
    text = "Décision;, “quoted”\nsecond line"
    file.write_bytes(f'id{delimiter}Note \r\nx{delimiter}"{text}"\r\n\r\n'.encode(encoding))
    table = read_csv(file)
    ((line, row),) = table.rows
    assert (line, row["id"], row["note"]) == (2, "x", text)
    assert table.narrow == (encoding == "cp1252")


def test_lines_are_counted_through_cells_with_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "back.csv"
    file.write_text('id,note\n1,"a\nb\nc"\n2,x\n3,x,too,many\n4\n')
    table = read_csv(file)
    assert [(line, row["id"]) for line, row in table.rows] == [(2, "1"), (5, "2"), (7, "4")]
    assert table.broken == [6] and table.rows[2][1]["note"] == ""


def test_a_character_the_code_page_lost_is_no_edit(tmp_path: Path) -> None:
    file = tmp_path / "back.csv"
    file.write_bytes("id,reply\n1,“I ? you”\n".encode("cp1252"))
    table = read_csv(file)
    cell = table.rows[0][1]["reply"]
    assert table.same(cell, "“I ♥ you”") and not table.same(cell, "“I ♥ them”")
