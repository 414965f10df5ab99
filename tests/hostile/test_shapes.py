"""Records of impossible size and shape: long, deep, circular, wrong in their numbers and characters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sources.document import Bad, Record

DEEP = "[" * 100_000 + "]" * 100_000


def reasons(found: list[Record | Bad]) -> list[str]:
    return [item.reason if isinstance(item, Bad) else "record" for item in found]


@pytest.mark.slow
def test_a_line_of_a_hundred_megabytes_is_refused_in_the_memory_of_the_limit(measured):
    data = b'{"t": "' + b"a" * (100 << 20) + b'"}\n{"t": "b"}\n'
    found, grown = measured("jsonl", {"a.jsonl": data}, text="t", max_line_bytes=1 << 20)
    assert found == ["line_too_long", "record"]
    assert grown < 350, f"{grown} MB"  # of which 200 hold the file in the test itself


def test_brackets_in_texts_are_not_nesting(load):
    words = ["[" * 3000, '\\"[{' * 900, "\\\\", '"', "]" * 50, "\\"]
    rows = [{"t": f"{a} {b}"} for a in words for b in words]
    data = json.dumps(rows).encode()
    assert [item.text for item in load("json", {"a.json": data}, text="t")] == [row["t"].strip() for row in rows]


@pytest.mark.parametrize("value", [DEEP, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_a_hundred_thousand_levels(load, value):
    line = f'{{"t": "words", "x": {value}}}'
    assert reasons(load("jsonl", {"a.jsonl": f'{line}\n{{"t": "b"}}'.encode()}, text="t", extra=["x"])) == [
        "invalid_json",
        "record",
    ]
    assert reasons(load("json", {"a.json": f'[{line}, {{"t": "b"}}]'.encode()}, text="t", extra=["x"])) == [
        "invalid_json"
    ]
    assert reasons(
        load(
            "csv",
            {"a.csv": f't,x\nwords,"{value.replace(chr(34), chr(34) * 2)}"\n'.encode()},
            text="t",
            extra=["x"],
            decode={"x": "json"},
        )
    ) == ["invalid_value"]
    assert reasons(
        load(
            "csv",
            {"a.csv": f't,x\nwords,"{value.replace(chr(34), chr(34) * 2)}"\n'.encode()},
            text="t",
            extra=["x"],
            decode={"x": "literal"},
        )
    ) == ["invalid_value"]


def test_what_is_nested_as_deep_as_the_parser_allows_is_refused_before_others_walk_it(load):
    nested: Any = "x"
    for _ in range(400):
        nested = [nested]
    line = json.dumps({"t": "words", "x": nested}).encode()
    (bad,) = load("jsonl", {"a.jsonl": line}, text="t", extra=["x"])
    assert (bad.reason, "levels deep" in bad.detail) == ("wrong_type", True)


def test_a_tree_of_replies_deeper_than_any_talk(load):
    node: dict[str, Any] = {"text": "hi", "who": "a"}
    for _ in range(400):
        node = {"text": "hi", "who": "a", "replies": [node]}
    spec = {"turn_tree": {"text": "text", "role": "who", "rank": "rank", "siblings": "b"}}
    assert load("json", {"a.json": json.dumps([node]).encode()}, **spec) == []
    deep = '{"text":"hi","who":"a","replies":[' * 3000 + '{"text":"hi","who":"a"}' + "]}" * 3000
    assert reasons(load("json", {"a.json": f"[{deep}]".encode()}, **spec)) == ["invalid_json"]


@pytest.mark.parametrize(
    "line,expected",
    [
        (b'{"t": NaN}', "invalid_json"),
        (b'{"t": "\\ud800"}', "invalid_json"),
        (b'{"t": "\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"t": "a", "t": "b"}', "record"),
        (b'{"t": 1e400}', "invalid_json"),
        (b'{"t": "a\\u0000b"}', "record"),
        (b"\x00\x00\x00", "invalid_json"),
        (b'{"t": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b"{" + b",".join(b'"k%d": 1' % i for i in range(100_000)) + b', "t": "a"}', "record"),
    ],
)
def test_odd_values(load, line, expected):
    (item,) = load("jsonl", {"a.jsonl": line}, text="t", extra={"x": "x"})
    assert reasons([item])[0] == expected
    if isinstance(item, Record):
        item.text.encode()


# -- threads ---------------------------------------------------------------------------------------------------------------------------


def comment(native: str, parent: str, **more: Any) -> bytes:
    return json.dumps(
        {"id": native, "link_id": "t3_a", "parent_id": parent, "body": "yes", "author": "x", **more}
    ).encode()


OPENING = json.dumps({"id": "a", "title": "A question", "selftext": "words", "author": "y", "subreddit": "s"}).encode()


def test_comments_that_answer_each_other_in_a_circle(load):
    lines = [OPENING, comment("b", "t1_c"), comment("c", "t1_b"), comment("d", "t1_d"), comment("e", "t3_a")]
    (thread,) = load("reddit", {"RC.jsonl": b"\n".join(lines)})
    # One that answers itself stands at the top, as one whose parent is gone; a circle hangs on nothing.
    assert len(thread.turns) == 3


def test_a_chain_of_fifteen_thousand_replies(load):
    chain = [comment(f"c{i}", f"t1_c{i - 1}" if i else "t3_a") for i in range(15_000)]
    (thread,) = load("reddit", {"RC.jsonl": b"\n".join([OPENING, *chain])})
    assert len(thread.turns) == 12  # the question, and as deep as max_depth follows


def test_a_thread_of_very_many_comments_is_held_in_bounded_memory(tmp_path):
    from sources.readers._threads import Post, ThreadJoin

    with ThreadJoin(1, longest=100) as join:
        for i in range(20_000):
            native = str((i * 7919) % 20_000)
            join.add(Post("a", 1, float(native), native, {"n": native}))
        ((_, posts),) = join.threads()
    # The first by time, whatever order they came in: as if all had been sorted.
    assert [post["n"] for post in posts] == [str(i) for i in range(100)]
