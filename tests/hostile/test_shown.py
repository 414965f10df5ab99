"""What documents, file names and labels hold is shown and never obeyed: by terminals, spreadsheets, browsers and Markdown."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.markup import escape
from rich.table import Table

from pipeline import cells
from pipeline.console import _Console, harmless
from pipeline.fit.tables import Swarm, read_swarm, write_swarm
from tests.ablate import browser as chromium

STEERING = {
    "colour": "\x1b[31mred\x1b[0m", "title": "\x1b]0;owned\x07", "link": "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "clear": "\x1b[2J", "c1": "\x9b2J\x9d0;x\x9c", "return": "fine\rEVIL", "backspace": "a\x08\x08b", "bell": "\x07", "null": "\x00", "direction": "\u202egnp.exe\u2066",
}  # fmt: skip
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "＝1",
    "'=1",
    "''=1",
    '=HYPERLINK("http://evil")',
    "'quoted",
    "plain",
]
SCRIPTS = [
    "<script>document.title = 'owned'</script>", "</script><script>document.title = 'owned'</script>", "<img src=x onerror=\"document.title='owned'\">",
    "<svg onload=\"document.title='owned'\">", "\u2028document.title='owned'//", "<!--<script>", "${document.title='owned'}", "javascript:document.title='owned'",
    "\" onmouseover=\"document.title='owned'\" x=\"", "&lt;script&gt;", "]]><script>document.title='owned'</script>",
]  # fmt: skip


def shown(*objects: object, **options: object) -> str:
    out = io.StringIO()
    _Console(file=out, force_terminal=True, color_system="truecolor", emoji=False, width=200).print(*objects, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _without_styles(text: str) -> str:
    """The output without the codes rich itself writes: colours and weights."""
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("name", list(STEERING))
def test_a_terminal_is_never_steered(name):
    text = STEERING[name]
    table = Table(title=escape(text))
    table.add_column(escape(text))
    table.add_row(escape(text))
    outputs = [
        shown(escape(text)),
        shown(text, markup=False, highlight=False),
        shown(table),
        shown(f"[bold]{escape(text)}[/]", soft_wrap=True),
    ]
    for output in outputs:
        for one in "\x1b\x07\x08\x00\r\x9b\x9c\x9d\u202e\u2066":
            assert one not in _without_styles(output), (name, output)
        assert "\x1b[31m" not in output
        assert "\x1b[2J" not in output


def test_markup_and_emoji_codes_of_others_are_text():
    assert "[link=http://evil]x[/link] :boom:" in _without_styles(shown(escape("[link=http://evil]x[/link] :boom:")))
    assert harmless("tab\there\nünï 日本 \u0301") == "tab\there\nünï 日本 \u0301"


def test_an_error_about_a_file_with_a_steering_name(tmp_path, capsys):
    from pipeline.cli import _print_error
    from sources.errors import UserError

    _print_error(UserError("cannot read \x1b[2J", where=tmp_path / "a\x1b]0;x\x07.yaml", fix="[red]rename[/] it\x9b"))
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\\x1b[2J" in said
    assert "[red]rename[/] it\\x9b" in said


def test_a_documents_text_does_not_steer_explain(capsys):
    from pipeline.report import print_story

    text = "I am \x1b[31mfine\x1b[0m\x1b]0;x\x07 [bold]really[/]"
    print_story(
        {
            "document": {"id": text, "origin": text},
            "scores": {},
            "places": [{"example": text, "form": "x", "split": "y", "principles": [text]}],
            "text": text,
        }
    )
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "[bold]really[/]" in said


# -- spreadsheets ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", FORMULAS)
def test_cells_are_text_to_a_spreadsheet_and_read_back(text):
    cell = cells.escape(text)
    assert cell.lstrip(" \t\r\n\x00")[:1] not in tuple("=+-@＝＋－＠") and cell[:1] not in "\t\r\n"
    assert cells.unescape(cell) == text


def test_tables_of_runs_hold_no_formula_and_read_back(tmp_path):
    domains = ["=cmd|x", "@b", "plain"]
    ratios = np.array([[0.2, 0.3, 0.5], [0.5, 0.25, 0.25]])
    write_swarm(tmp_path, Swarm(domains, ["=1+1", "-run"], ratios, {"+loss": np.array([-1.5, 2.0])}))
    for name in ("ratios.csv", "metrics.csv"):
        for row in csv.reader(io.StringIO((tmp_path / name).read_text())):
            for cell in row:
                # A negative number is one.
                assert cell[:1] not in "=+@" or not cell
                assert not cell.startswith("-") or float(cell) < 0
    again = read_swarm(tmp_path / "ratios.csv", tmp_path / "metrics.csv")
    assert (again.domains, again.runs, again.metrics["+loss"].tolist()) == (domains, ["=1+1", "-run"], [-1.5, 2.0])
    assert np.allclose(again.ratios, ratios)


def test_the_list_of_works_holds_no_formula():
    from pipeline.publish import attribution

    facts = {"title": "=1", "citation": "@x", "takedown": "+1", "homepage": "-1"}
    of = SimpleNamespace
    pub = of(
        kind="mix", sources={"a": facts}, tally=of(works=[of(source="a", work="=cmd.txt", rows=3, license="CC0-1.0")])
    )
    _, row = csv.reader(io.StringIO(attribution.attribution_csv(pub)))
    assert [cells.unescape(cell) for cell in row[:4]] == ["a", "=1", "=cmd.txt", "3"]
    assert not [cell for cell in row if cell[:1] in tuple("=+-@")]


# -- pages -----------------------------------------------------------------------------------------------------------------------------


def test_the_data_of_the_review_page_cannot_leave_its_element():
    from pipeline.review.page import page

    made = page(
        "single",
        {"p": SCRIPTS[0]},
        SCRIPTS[2],
        [{"id": "1", "check": "c", "reviewer": "r", "prompt": text, "reply": text} for text in SCRIPTS],
    ).decode()
    body = made.split('id="data">')[1]
    assert body.index("</script>") == body.index("</script>\n<script>")
    assert "<" not in body[: body.index("</script>")]
    assert "<img" not in made
    assert "default-src 'none'" in made


@pytest.mark.skipif(chromium.find() is None, reason="no Chromium")
def test_no_text_runs_in_the_review_page(tmp_path):
    from pipeline.review.page import page

    rows = [
        {"id": str(i), "check": "c", "reviewer": text, "prompt": text, "reply": text, "context": text}
        for i, text in enumerate(SCRIPTS)
    ]
    path = tmp_path / "review.html"
    path.write_bytes(page("single", {"p": SCRIPTS[0]}, "\n".join(SCRIPTS), rows))
    made = chromium.Browser(tmp_path)
    try:
        made.open(path)
        for _ in rows:
            made.run("document.getElementById('next').click()")
            assert made.run("document.title") == "Review"
            assert made.run("document.querySelectorAll('main script, main img, main svg').length") == 0
        assert SCRIPTS[-1] in made.run("document.querySelector('main').textContent")
        assert not [url for url in made.requested if not url.startswith(("file:", "about:"))]
    finally:
        made.close()


@pytest.mark.parametrize("text", SCRIPTS)
def test_samples_on_a_dataset_card_are_code_or_escaped(text):
    from markdown_it import MarkdownIt

    from pipeline.publish.card import _examples
    from pipeline.publish.samples import Sample
    from pipeline.publish.words import cell, linked

    sample = Sample("0" * 32, "a", "CC0-1.0", (("user", f"```\n{text}\n````"), ("assistant", text)))
    examples = _examples(SimpleNamespace(samples=[sample], default="messages"))  # type: ignore[arg-type]
    for written in (f"| a |\n|---|\n| {cell(text)} |\n", linked("a", text), examples):
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(written)
        found = [
            t
            for token in tokens
            for t in [token, *(token.children or [])]
            if t.type in ("html_block", "html_inline", "link_open")
        ]
        assert found == [], written
