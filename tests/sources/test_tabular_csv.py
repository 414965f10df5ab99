"""The csv reader: encodings, quoting, columns, groups and joins."""

from __future__ import annotations

import csv
import gzip
import random

import pytest
from pydantic import ValidationError

from sources.document import Turn
from sources.errors import UserError
from tests.sources.tabular import read, reader, reasons, ref


def write(path, text: str | bytes):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_embedded_newlines_and_quotes(tmp_path):
    path = write(tmp_path / "a.csv", 'id,text\r\n1,"two\r\nlines, ""quoted"""\r\n\r\n2,plain\u2028still\r\n')
    records, bad = read("csv", path, text="text", key="id")
    assert not bad
    assert [(r.key, r.text, r.origin) for r in records] == [
        ("1", 'two\r\nlines, "quoted"', "a.csv#row=1"),
        ("2", "plain\u2028still", "a.csv#row=2"),
    ]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_may_end_anywhere(tmp_path, monkeypatch, size):
    text = 'text,n\r\n"a\r\nb",1\r\ncafé “x”,2\r\n'
    path = write(tmp_path / "a.csv", text)
    monkeypatch.setattr("sources.readers.streams.BLOCK", size)
    assert [r.text for r in read("csv", path, text="text")[0]] == ["a\r\nb", "café “x”"]


def test_old_mac_line_ends(tmp_path):
    path = write(tmp_path / "a.csv", "text\rone\rtwo")
    assert [r.text for r in read("csv", path, text="text")[0]] == ["one", "two"]


def test_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    path = write(tmp_path / "a.csv", b"\xef\xbb\xbftext,n\nhello,1\n")
    assert read("csv", path, text="text")[0][0].text == "hello"


def test_tsv_without_header_and_without_quoting(tmp_path):
    path = write(tmp_path / "a.tsv", 'say "hi\t3,5\tk1\n"well\t5\tk2\n')
    records, bad = read(
        "csv",
        path,
        text="text",
        key="id",
        quoting="none",
        columns=["text", "label", "id"],
        decode={"label": ","},
        extra=["label"],
    )
    assert not bad
    assert [(r.key, r.text, r.extra) for r in records] == [
        ("k1", 'say "hi', {"label": ["3", "5"]}),
        ("k2", '"well', {"label": ["5"]}),
    ]


def test_fields_in_another_encoding(tmp_path):
    path = write(tmp_path / "a.csv", "text\nfine é\n".encode() + b"caf\xe9 \x93x\x94\n")
    records, bad = read("csv", path, text="text")
    assert ([r.text for r in records], reasons(bad)) == (["fine é"], ["invalid_utf8"])
    assert "'text'" in bad[0].detail
    records, bad = read("csv", path, text="text", fallback_encoding="cp1252")
    assert ([r.text for r in records], bad) == (["fine é", "café “x”"], [])


def test_utf16(tmp_path):
    path = write(tmp_path / "a.csv", "text,n\r\nžluť,1\r\nněha,2\r\n".encode("utf-16"))
    assert [r.text for r in read("csv", path, text="text", encoding="utf-16")[0]] == ["žluť", "něha"]


def test_missing_column_names_file_column_and_what_there_is(tmp_path):
    path = write(tmp_path / "a.csv", "id,body\n1,x\n")
    with pytest.raises(UserError) as caught:
        read("csv", path, text="text", key="id")
    message = str(caught.value)
    assert "a.csv" in message
    assert "does not have: text" in message
    assert "id, body" in message


def test_optional_column_may_be_missing(tmp_path):
    a, b = write(tmp_path / "a.csv", "text,mood\nx,calm\n"), write(tmp_path / "b.csv", "text\ny\n")
    records, _ = read("csv", a, b, text="text", extra=["mood"], optional=["mood"])
    assert [r.extra for r in records] == [{"mood": "calm"}, {}]


def test_rows_of_another_width_are_bad_and_the_rest_is_kept(tmp_path):
    path = write(tmp_path / "a.csv", "id,text\n1,one\n2\n3,three,more\n4,four\n")
    records, bad = read("csv", path, text="text")
    assert [r.text for r in records] == ["one", "four"]
    assert [(b.origin, b.reason) for b in bad] == [("a.csv#row=2", "wrong_columns"), ("a.csv#row=3", "wrong_columns")]


def test_quote_that_is_never_closed_ends_the_file(tmp_path):
    before = csv.field_size_limit()
    path = write(tmp_path / "a.csv", 'text\none\n"open\n' + "more and more\n" * 1000)
    records, bad = read("csv", path, text="text", max_field_bytes=1024)
    assert [r.text for r in records] == ["one"]
    assert reasons(bad) == ["invalid_csv"]
    assert csv.field_size_limit() == before


def test_truncated_stream_keeps_whole_rows(tmp_path):
    rng = random.Random(2)
    rows = ["".join(rng.choices("abcdefg ", k=300)) for _ in range(20_000)]
    data = gzip.compress(("text\n" + "".join(f'"{row}\n."\n' for row in rows)).encode())
    path = write(tmp_path / "a.csv.gz", data[: len(data) // 2])
    records, bad = read("csv", path, text="text")
    assert reasons(bad) == ["truncated"]
    assert len(records) > 5000
    assert [r.text for r in records] == [f"{row}\n." for row in rows[: len(records)]]


def test_empty_file_and_lfs_pointer(tmp_path):
    assert read("csv", write(tmp_path / "a.csv", ""), text="text") == ([], [])
    pointer = write(tmp_path / "b.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert reasons(read("csv", pointer, text="text")[1]) == ["lfs_pointer"]


ANSWERS = """qid,title,body,who,answer,votes
q1,How to rest?,I cannot sleep.,Dr A,<p>Try <b>tea</b>.</p>,2
q2,Alone,,Dr B,Call a friend.,0
q1,How to rest?,I cannot sleep.,Dr B,Walk in the evening.,5
q3,,,Dr A,No question.,1
"""


def test_answers_to_a_question_become_one_record(tmp_path):
    records, bad = read(
        "csv",
        write(tmp_path / "a.csv", ANSWERS),
        html=True,
        group={"by": "qid"},
        numbers=["votes"],
        turns=[
            {"role": "seeker", "text": "{title}\n\n{body}", "once": True},
            {"role": "supporter", "text": "answer", "author": "who", "labels": ["votes"]},
        ],
    )
    assert [(r.key, r.origin) for r in records] == [("q1", "a.csv#row=1"), ("q2", "a.csv#row=2")]
    assert records[0].turns == [
        Turn("seeker", "How to rest?\n\nI cannot sleep."),
        Turn("supporter", "Try tea.", "Dr A", {"votes": 2}),
        Turn("supporter", "Walk in the evening.", "Dr B", {"votes": 5}),
    ]
    assert [(b.origin, b.reason) for b in bad] == [("a.csv#row=4", "missing_field")]


def test_rows_of_a_group_are_ordered_by_number_and_joined(tmp_path):
    path = write(tmp_path / "a.csv", "doc,n,text,v\nb,10,last,.3\na,1,alone,1\nb,9,middle,.2\nb,1,first,.1\n")
    records, _ = read(
        "csv",
        path,
        text="text",
        numbers=["v"],
        group={"by": "doc", "order": ["n"], "join": " ", "collect": {"value": "v"}},
    )
    assert [(r.key, r.text, r.extra) for r in records] == [
        ("b", "first middle last", {"value": [0.1, 0.2, 0.3]}),
        ("a", "alone", {"value": [1]}),
    ]


def test_roles_are_taken_in_turn_over_a_group(tmp_path):
    path = write(tmp_path / "a.csv", "c,n,u\nx,2,two\nx,1,one_comma_ really\nx,3,three\n")
    records, _ = read(
        "csv",
        path,
        replace={"_comma_": ","},
        group={"by": "c", "order": ["n"]},
        turns=[{"role": ["seeker", "supporter"], "text": "u"}],
    )
    assert [(t.role, t.text) for t in records[0].turns] == [
        ("seeker", "one, really"),
        ("supporter", "two"),
        ("seeker", "three"),
    ]


def test_groups_larger_than_memory_allows_come_back_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("sources.readers.rows._BATCH_BYTES", 1 << 16)
    rng = random.Random(3)
    rows = [(f"g{i % 500}", i, "word " * rng.randint(10, 60)) for i in range(20_000)]
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["g", "n", "text"])
        writer.writerows(rows)
    records, bad = read("csv", path, text="text", group={"by": "g"})
    assert not bad
    assert [r.key for r in records] == [f"g{i}" for i in range(500)]
    wanted = "\n".join(text.strip() for group, _, text in rows if group == "g7")
    assert records[7].text == wanted


def test_groups_across_files_are_one_split(tmp_path):
    a, b = write(tmp_path / "a.csv", "g,text\nx,1\ny,2\n"), write(tmp_path / "b.csv", "g,text\nx,3\n")
    options = {"text": "text", "group": {"by": "g", "across_files": True}}
    assert len(reader("csv", **options).splits([ref(a), ref(b)], 1)) == 1
    assert [(r.key, r.text) for r in read("csv", a, b, **options)[0]] == [("x", "1\n3"), ("y", "2")]
    apart = {"text": "text", "key": ["_file", "g"], "group": {"by": "g"}}
    assert [(r.key, r.text) for r in read("csv", a, b, target=1, **apart)[0]] == [
        ("a/x", "1"),
        ("a/y", "2"),
        ("b/x", "3"),
    ]


def test_files_that_rate_the_same_items_are_joined(tmp_path):
    a = write(tmp_path / "warm.csv", "p,r,post,reply,level\n1,a,Sad,Sorry!,2\n1,b,Sad,So?,0\n")
    b = write(tmp_path / "asks.csv", "p,r,post,reply,level\n1,b,Sad,So?,1\n1,a,Sad,Sorry!,0\n2,z,Only,Here,0\n")
    records, bad = read(
        "csv",
        a,
        b,
        join={"by": ["p", "r"], "files": {"warm": "warm.csv", "asks": "asks.csv"}},
        key=["p", "r"],
        numbers=["warm.level", "asks.level"],
        turns=[
            {"role": "seeker", "text": "post"},
            {"role": "supporter", "text": "reply", "labels": {"warm": "warm.level", "asks": "asks.level"}},
        ],
    )
    assert [(r.key, r.turns[1].labels) for r in records] == [
        ("1/a", {"warm": 2, "asks": 0}),
        ("1/b", {"warm": 0, "asks": 1}),
    ]
    assert [(x.origin, x.reason) for x in bad] == [("asks.csv#row=3", "not_joined")]


def test_group_and_join_exclude_each_other():
    with pytest.raises(ValidationError, match="join or group"):
        reader("csv", text="t", group={"by": "a"}, join={"by": ["a"], "files": {"x": "*"}})
