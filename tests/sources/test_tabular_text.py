"""Readers of text that holds rows: lines, archives, sheets, dialogues, and ESConv's windows."""

from __future__ import annotations

import zipfile

import openpyxl
import pytest

from sources.document import Turn
from sources.errors import UserError
from tests.sources.tabular import read, reader, reasons, ref

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def write(path, data: str | bytes):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def zipped(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_lines_with_labels_in_another_file(tmp_path):
    text = write(tmp_path / "train_text.txt", "first\n\nthird\ncaf\u00e9\n")
    labels = write(tmp_path / "train_labels.txt", "0\n1\n1\n0\n")
    other = write(tmp_path / "mapping.txt", "0 no\n")
    options = {
        "labels": {"_text.txt": "_labels.txt"},
        "values": {"label": {"0": "no", "1": "yes"}},
        "extra": {"mood": "label"},
    }
    records, bad = read("lines", other, labels, text, **options)
    assert not bad
    assert [(r.text, r.extra["mood"], r.origin) for r in records] == [
        ("first", "no", "train_text.txt#line=1"),
        ("third", "yes", "train_text.txt#line=3"),
        ("café", "no", "train_text.txt#line=4"),
    ]


def test_lines_and_labels_must_be_as_many(tmp_path):
    text, labels = write(tmp_path / "a_text.txt", "one\ntwo\nthree\n"), write(tmp_path / "a_labels.txt", "0\n1\n")
    records, bad = read("lines", text, labels, labels={"_text.txt": "_labels.txt"})
    assert [r.text for r in records] == ["one", "two"]
    assert reasons(bad) == ["missing_field"]
    assert reasons(read("lines", text, labels={"_text.txt": "_labels.txt"})[1]) == ["missing_field"]


def test_lines_in_other_encodings(tmp_path):
    path = write(tmp_path / "a.txt", b"plain\ncaf\xe9\n")
    records, bad = read("lines", path)
    assert ([r.text for r in records], reasons(bad)) == (["plain"], ["invalid_utf8"])
    assert [r.text for r in read("lines", path, fallback_encoding="latin-1")[0]] == ["plain", "café"]
    assert reasons(read("lines", write(tmp_path / "b.txt", POINTER))[1]) == ["lfs_pointer"]
    assert read("lines", write(tmp_path / "c.txt", b"")) == ([], [])


def test_archive_members(tmp_path):
    path = zipped(
        tmp_path / "c.zip",
        {
            "c/neg/2.txt": b"bad film .\r\nreally .",
            "c/pos/1.txt": b"caf\xe9 !",
            "c/README": b"about",
            "c/pos/0.bin": b"\x00\x01\x81",
        },
    )
    records, bad = read(
        "archive",
        path,
        encoding="cp1252",
        members=["c/pos/*", "c/neg/*"],
        detokenize=True,
        derive={"side": {"column": "member", "match": "/(pos|neg)/"}},
        extra=["side"],
    )
    assert [(r.text, r.extra["side"], r.origin) for r in records] == [
        ("bad film.\nreally.", "neg", "c.zip#c/neg/2.txt"),
        ("café!", "pos", "c.zip#c/pos/1.txt"),
    ]
    assert [(b.origin, b.reason) for b in bad] == [("c.zip#c/pos/0.bin", "not_text")]


def test_archive_lines_blocks_and_tags(tmp_path):
    path = zipped(
        tmp_path / "c.zip",
        {"a.txt": b"note\n[t]one\nx[+1]##good\n\n[t]two\n##poor\n", "b.txt": b"The/at dog/nn ran/vbd ./.\n"},
    )
    blocks = read(
        "archive",
        path,
        members=["a.txt"],
        records="block",
        block_start=r"\[t\]",
        substitute=[[r"^\[t\]", ""], [r"^[^\n]*?##", ""]],
    )
    assert [(r.text, r.origin) for r in blocks[0]] == [
        ("one\ngood", "c.zip#a.txt&line=2"),
        ("two\npoor", "c.zip#a.txt&line=5"),
    ]
    lines = read(
        "archive", path, members=["b.txt"], records="line", detokenize=True, substitute=[[r"/[^\s/]+(\s|$)", r"\1"]]
    )
    assert [(r.text, r.origin) for r in lines[0]] == [("The dog ran.", "c.zip#b.txt&line=1")]


def test_archives_that_are_none(tmp_path):
    path = zipped(tmp_path / "c.zip", {"a.txt": b"word " * 10_000})
    assert reasons(read("archive", path, max_member_bytes=100)[1]) == ["too_large"]
    path.write_bytes(path.read_bytes()[:60])
    assert reasons(read("archive", path)[1]) == ["truncated"]
    assert reasons(read("archive", write(tmp_path / "p.zip", POINTER))[1]) == ["lfs_pointer"]


def sheet(path):
    book = openpyxl.Workbook()
    book.active.append(["id", "said", "level", None])
    for row in ([1, "tired of work", 4.5, "x"], [None, None, None, None], [2, None, 1, ""], [3, "all good", 0, ""]):
        book.active.append(row)
    book.create_sheet("other").append(["said"])
    book.save(path)
    return path


def test_sheet_in_a_zip(tmp_path):
    plain = sheet(tmp_path / "a.xlsx")
    packed = zipped(tmp_path / "b.zip", {"b/a.xlsx": plain.read_bytes(), "b/readme.txt": b"hi"})
    for path in (plain, packed):
        records, bad = read("xlsx", path, text="said", key="id", extra=["level"])
        assert [(r.key, r.text, r.extra) for r in records] == [
            ("1", "tired of work", {"level": 4.5}),
            ("3", "all good", {"level": 0}),
        ]
        assert [(b.origin, b.reason) for b in bad] == [(f"{path.name}#row=3", "missing_field")]


def test_sheets_that_are_none(tmp_path):
    with pytest.raises(UserError, match="does not have: body"):
        read("xlsx", sheet(tmp_path / "a.xlsx"), text="body")
    assert reasons(read("xlsx", write(tmp_path / "b.xlsx", b"PK not a sheet"), text="said")[1]) == ["invalid_xlsx"]
    assert reasons(read("xlsx", zipped(tmp_path / "c.zip", {"a.txt": b"x"}), text="said")[1]) == ["missing_field"]
    assert reasons(read("xlsx", write(tmp_path / "d.xlsx", POINTER), text="said")[1]) == ["lfs_pointer"]


def test_dialogue_files(tmp_path):
    a = write(tmp_path / "case_1.txt", "来访者：你好\n\n心理咨询师：请说\n多说一点\n")
    b = write(tmp_path / "case_2.txt", "no speaker here\n")
    c = write(tmp_path / "case_3.txt", b"\x00\x01\x02\xff")
    d = write(tmp_path / "case_4.txt", POINTER)
    records, bad = read(
        "dialogue_text", a, b, c, d, turn_lines={"roles": {"来访者": "seeker", "心理咨询师": "supporter"}}
    )
    assert [(r.key, r.turns) for r in records] == [
        ("case_1.txt", [Turn("seeker", "你好"), Turn("supporter", "请说\n多说一点")])
    ]
    assert reasons(bad) == ["unknown_role", "not_text", "lfs_pointer"]


def window(*turns: tuple[int, int, str | None, str]) -> str:
    return (
        " EOS ".join(f"1.0 {who} {n} {f'[{strategy}] ' if strategy else ''}{text}" for who, n, strategy, text in turns)
        + "\n"
    )


def test_windows_are_put_together(tmp_path):
    hello, ask, tell, comfort = (
        (0, 0, None, "Hello"),
        (1, 1, "Questions", "How are you?"),
        (0, 2, None, "Sad"),
        (1, 3, "Other", "Oh"),
    )
    lines = (
        window(hello, ask)
        + window(ask, tell, comfort)
        # five turns of the seeker later nothing of the window before is left
        + window((0, 4, None, "So"), (1, 5, "Information", "Well"))
        # the next conversation
        + window((0, 0, None, "Hi"), (1, 1, "Other", "Yes"))
        + "nonsense\n"
        + window((1, 1, "Other", "Yes"), (0, 2, None, "Thanks"))
    )
    records, bad = read("esconv_tsv", write(tmp_path / "dev.tsv", lines))
    assert [(r.origin, [t.text for t in r.turns]) for r in records] == [
        ("dev.tsv#line=1", ["Hello", "How are you?", "Sad", "Oh", "So", "Well"]),
        ("dev.tsv#line=4", ["Hi", "Yes", "Thanks"]),
    ]
    assert records[0].turns[1] == Turn("supporter", "How are you?", None, {"strategy": "Questions"})
    assert [(b.origin, b.reason) for b in bad] == [("dev.tsv#line=5", "invalid_turn")]


def test_windows_that_are_no_text(tmp_path):
    records, bad = read("esconv_tsv", write(tmp_path / "a.tsv", b"0.0 0 0 caf\xe9\n"))
    assert (records, reasons(bad)) == ([], ["invalid_utf8"])
    assert read("esconv_tsv", write(tmp_path / "b.tsv", b"")) == ([], [])


def test_labels_belong_to_their_text_in_the_splits(tmp_path):
    files = [
        ref(write(tmp_path / name, "x\n")) for name in ("a_labels.txt", "a_text.txt", "b_labels.txt", "b_text.txt")
    ]
    splits = reader("lines", labels={"_text.txt": "_labels.txt"}).splits(files, 1)
    assert [[f.name for f in s.files] for s in splits] == [
        ["a_text.txt", "a_labels.txt"],
        ["b_text.txt", "b_labels.txt"],
    ]
