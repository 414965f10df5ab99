from html import escape

import pytest

from sources.document import Bad, Record


def row(number: int, kind: int, body: str = "<p>Some words.</p>", **fields) -> str:
    values = {
        "Id": number,
        "PostTypeId": kind,
        "CreationDate": f"2019-01-{number:02d}T00:00:00.000",
        "Score": 1,
        "Body": body,
    }
    values |= fields
    return (
        "  <row "
        + " ".join(f'{name}="{escape(str(value)).replace(chr(10), "&#xA;")}"' for name, value in values.items())
        + " />"
    )


def posts(*rows: str) -> str:
    return '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n' + "\n".join(rows) + "\n</posts>\n"


QUESTION = row(
    3, 1, "<p>I keep <b>forgetting</b>.</p>\n<pre><code>x = 1\ny = 2</code></pre><ul><li>keys</li><li>names</li></ul>",
    Title="How & why?", Tags="<memory><habits>", AcceptedAnswerId=9, OwnerUserId=5, Score=4, ViewCount=70,
)  # fmt: skip


def test_a_question_with_its_answers(load):
    text = posts(
        row(1, 2, "<p>Low.</p>", ParentId=3, Score=0, OwnerUserId=6),
        row(2, 2, "<p>High.</p>", ParentId=3, Score=8, OwnerDisplayName="someone"),
        QUESTION,
        row(4, 5, "<p>a tag's wiki</p>"),
        row(9, 2, "<p>Accepted.</p>", ParentId=3, Score=2, OwnerUserId=5),
        row(10, 2, ParentId=77),
    )
    (record,) = load("stackexchange", {"site/Posts.xml": text})
    assert record.key == "site/Posts.xml#3"
    assert record.origin == "site/Posts.xml#Id=3"
    assert record.text == ""
    assert record.extra == {"title": "How & why?", "tags": ["memory", "habits"], "score": 4, "views": 70}
    assert [(t.role, t.author) for t in record.turns] == [
        ("seeker", "user:5"),
        ("supporter", "user:5"),
        ("supporter", "someone"),
        ("supporter", "user:6"),
    ]
    assert record.turns[0].text == "How & why?\n\nI keep forgetting.\n\n```\nx = 1\ny = 2\n```\n\n- keys\n- names"
    assert [t.text for t in record.turns[1:]] == ["Accepted.", "High.", "Low."]
    assert record.turns[1].labels == {"votes": 2, "accepted": True}
    assert record.turns[2].labels == {"votes": 8}


def test_options(load):
    text = posts(
        QUESTION,
        *(row(n, 2, f"<p>Answer {n}.</p>", ParentId=3, Score=n) for n in range(10, 16)),
        row(20, 1, Title="Alone"),
    )
    answered, alone = load("stackexchange", {"Posts.xml": text}, max_answers=2)
    assert [t.text for t in answered.turns[1:]] == ["Answer 15.", "Answer 14."]
    assert (alone.text, alone.turns) == ("Alone\n\nSome words.", None)
    (kept,) = load("stackexchange", {"Posts.xml": text}, unanswered=False)
    assert kept.key == "Posts.xml#3"
    assert load("stackexchange", {"Posts.xml": text}, tags=["sleep"]) == []
    (best,) = load("stackexchange", {"Posts.xml": text}, min_score=4, max_answers=50)
    assert len(best.turns) == 1 + 6


def test_new_style_tags_and_licence(load):
    text = posts(row(1, 1, Title="T", Tags="|sleep|rest|", ContentLicense="CC BY-SA 4.0"))
    (record,) = load("stackexchange", {"Posts.xml": text})
    assert record.extra["tags"] == ["sleep", "rest"]
    assert record.extra["license"] == "CC BY-SA 4.0"


def test_broken_rows_cost_a_row(load):
    text = posts(
        '  <row Id="1" PostTypeId="1" Body="unfinished',
        QUESTION,
        '  <row Id="5" PostTypeId="2" ParentId="3" Body="&bomb;" />',
        '  <row Id="6" PostTypeId="2" Body="no parent" />',
        row(7, 2, "<p>Good.</p>", ParentId=3).replace(" Score", "\n Score"),
        '  <row Id="8" PostTypeId="2" ',
    )
    found = load("stackexchange", {"Posts.xml": text})
    assert sorted((b.origin, b.reason) for b in found if isinstance(b, Bad)) == [
        ("Posts.xml#line=3", "invalid_xml"),
        ("Posts.xml#line=5", "invalid_xml"),
        ("Posts.xml#line=6", "missing_field"),
        ("Posts.xml#line=9", "truncated"),
    ]
    (record,) = [r for r in found if isinstance(r, Record)]
    assert [t.text for t in record.turns[1:]] == ["Good."]


@pytest.mark.parametrize("data", [b"", b"<posts></posts>", b"\x00\x01"])
def test_files_without_rows(load, data):
    (bad,) = load("stackexchange", {"Posts.xml": data})
    assert bad.reason == "empty"


def test_every_site_is_its_own(load):
    found = load("stackexchange", {"a/Posts.xml": posts(QUESTION), "b/Posts.xml": posts(QUESTION)})
    assert [r.key for r in found] == ["a/Posts.xml#3", "b/Posts.xml#3"]
