"""A few kilobytes that unpack to gigabytes: refused by what they unpack to, in memory that does not depend on it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.sources.test_epub import GOOD, epub

LINE = b'{"t": "the library opens at nine"}\n'


#: Packers whose outputs may follow each other in a file.
PACKERS = {"zst": zstandard.compress, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def bomb(name: str, megabytes: int, head: bytes = LINE, filling: bytes = b"\0") -> bytes:
    """``head``, then the same byte over and over."""
    pack = PACKERS[name.rsplit(".", 1)[-1]]
    return pack(head) + pack(filling * ((4 << 20) // len(filling))) * (megabytes // 4)


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz", "a.jsonl.bz2", "a.jsonl.xz"])
def test_two_gigabytes_of_nothing_are_refused(load, name):
    data = bomb(name, 2048)
    assert len(data) < 3 << 20
    record, bad = load("jsonl", {name: data}, text="t")
    # What stands before the bomb was read.
    assert (record.text, bad.reason, "max_ratio" in bad.detail) == ("the library opens at nine", "too_large", True)


def test_memory_does_not_depend_on_what_a_frame_unpacks_to(measured):
    # One frame: a few bytes of it stand for megabytes, and its window may be as large as it says.
    data = zstandard.compress(LINE) + zstandard.ZstdCompressor(level=19).compress(b"\0" * (512 << 20))
    assert len(data) < 32 << 10
    reasons, grown = measured("jsonl", {"a.jsonl.zst": data}, text="t")
    assert reasons == ["record", "too_large"]
    assert grown < 400, f"{grown} MB"


def test_the_ratio_is_an_option_and_small_files_are_free(load):
    data = {"a.jsonl.zst": bomb("zst", 68)}
    assert [x.reason for x in load("jsonl", data, text="t")[1:]] == ["too_large"]
    assert [x.reason for x in load("jsonl", data, text="t", max_ratio=10**6)[1:]] == ["line_too_long"]
    small = zstandard.compress(LINE * 30_000)
    assert len(LINE * 30_000) / len(small) > 200
    assert len(load("jsonl", {"a.jsonl.zst": small}, text="t")) == 30_000


@pytest.mark.parametrize(
    "reader",
    ["csv", "json", "reddit", "mediawiki", "jats", "stackexchange", "warc", "lines", "comparisons", "esconv_tsv"],
)
def test_every_streaming_reader_refuses_a_bomb(load, reader):
    options = {"csv": {"text": "t"}, "json": {"text": "t"}}.get(reader, {})
    head = {
        "csv": b"t\n",
        "json": b'[{"t": "a"},',
        "mediawiki": b"<a>",
        "jats": b"<a>",
        "stackexchange": b"<posts>\n",
        "warc": b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n",
    }.get(reader, b"")
    data = bomb("zst", 68, head + b"\n", b"\0" if reader == "warc" else b" " * 4095 + b"\n")
    found = load(reader, {"a.x.zst": data}, **options)
    # libxml2 has limits of its own, which such a file meets first; and a line of a WARC header has an end.
    expected = {"mediawiki": "invalid_xml", "jats": "invalid_xml", "warc": "invalid_warc"}
    assert found[-1].reason == expected.get(reader, "too_large")


@pytest.mark.parametrize(
    "reader", ["text", "html", "markdown", "gutenberg", "subtitles", "cnxml", "dialogue_text", "epub"]
)
def test_readers_of_whole_files_stop_at_their_limit(load, reader):
    options = {"turn_lines": {"roles": {"a": "user"}}} if reader == "dialogue_text" else {}
    data = zstandard.compress(b" " * (70 << 20))
    assert [x.reason for x in load(reader, {"a.zst": data}, **options)] == ["too_large"]


# -- zip -------------------------------------------------------------------------------------------------------------------------------


def overlapping(count: int) -> bytes:
    """A "better zip bomb": many entries of the directory name the same packed bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(b"\0" * (1 << 20)) + packer.flush()
    crc = zlib.crc32(b"\0" * (1 << 20))
    local = struct.pack("<4sHHHHHLLLHH", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(body), 1 << 20, 1, 0) + b"a" + body
    directory = b""
    for i in range(count):
        name = f"{i}.txt".encode()
        directory += struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(body), 1 << 20, len(name), 0, 0, 0, 0, 0, 0) + name  # fmt: skip
    return (
        local + directory + struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(local), 0)
    )


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("reader", ["archive", "epub", "xlsx"])
def test_members_that_lie_over_each_other_are_refused(load, reader):
    options = {} if reader == "epub" else {"text": "text"}
    (bad,) = load(reader, {"a.zip" if reader == "archive" else f"a.{reader}": overlapping(2000)}, **options)
    assert bad.reason == "too_large"
    assert "over each other" in bad.detail


def test_members_that_unpack_to_too_much_are_refused(load):
    (bad,) = load("archive", {"a.zip": zipped({"a.txt": b"a" * (70 << 20)})})
    assert bad.reason == "too_large"
    # bzip2 and LZMA inside of a zip pack a thousand times better than deflate.
    (bad,) = load("archive", {"b.zip": zipped({f"{i}.txt": b"a" * (34 << 20) for i in range(2)}, zipfile.ZIP_BZIP2)})
    assert bad.reason == "too_large"


def test_a_zip_in_a_zip_is_not_unpacked(load):
    (bad,) = load("archive", {"a.zip": zipped({"inner.zip": zipped({"a.txt": b"a" * 100_000})}, zipfile.ZIP_STORED)})
    assert bad.reason == "not_text"


def test_a_directory_larger_than_memory_is_refused(load):
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 65535, 65535, 0xFFFFFFF0, 0, 0)
    (bad,) = load("archive", {"a.zip": b"PK\x03\x04" + b"\0" * 100 + end})
    assert bad.reason == "too_large"


def test_a_book_that_lists_a_chapter_a_thousand_times_has_it_once(load):
    opf = GOOD["OPS/book.opf"].replace("</spine>", '<itemref idref="a"/>' * 1000 + "</spine>")
    found = load("epub", {"a.epub": epub({**GOOD, "OPS/book.opf": opf})})
    assert len(found) == 2


def test_a_workbook_is_refused_by_what_it_unpacks_to_and_as_wide_as_its_header(load):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["t"])
    book.active.append(["hello there"])
    out = io.BytesIO()
    book.save(out)
    (record,) = load("xlsx", {"a.xlsx": out.getvalue()}, text="t")
    assert record.text == "hello there"
    (bad,) = load("xlsx", {"a.xlsx": out.getvalue()}, text="t", max_bytes=2000)
    assert bad.reason == "too_large"

    def changed(old: str, new: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(out.getvalue())) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        sheet = parts["xl/worksheets/sheet1.xml"].decode()
        assert old in sheet
        return zipped(parts | {"xl/worksheets/sheet1.xml": sheet.replace(old, new).encode()})

    wide = load("xlsx", {"a.xlsx": changed('ref="A1:A2"', 'ref="A1:XFD1048576"')}, text="t")
    assert [x.text for x in wide] == ["hello there"]
    (bad,) = load("xlsx", {"a.xlsx": changed('<row r="2"', '<row r="99999999999"')}, text="t")
    assert bad.reason == "invalid_xlsx"
    (bad,) = load("xlsx", {"a.xlsx": changed("<worksheet", '<!DOCTYPE a [<!ENTITY b "c">]><worksheet')}, text="t")
    assert (bad.reason, "entities" in bad.detail) == ("invalid_xlsx", True)


# -- parquet ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_footers_that_lie_are_quarantined(measured):
    out = io.BytesIO()
    pq.write_table(pa.table({"t": ["some text"] * 100}), out, compression="none", use_dictionary=False)
    data = out.getvalue()
    (length,) = struct.unpack("<L", data[-8:-4])
    files = {
        "long.parquet": data[:-8] + struct.pack("<L", 0xFFFFFF00) + b"PAR1",
        "cut.parquet": data[: len(data) // 2] + data[-8:],
    }
    for i in range(0, length, 7):
        # The thrift of the footer with a byte that says something enormous.
        at = len(data) - 8 - length + i
        files[f"{i}.parquet"] = data[:at] + b"\xff" + data[at + 1 :]
    reasons, grown = measured("parquet", files, text="t")
    assert set(reasons) <= {"record", "invalid_parquet", "invalid_utf8"}
    assert reasons.count("invalid_parquet") >= 3
    assert grown < 400, f"{grown} MB"


def test_offsets_that_lead_out_of_an_arrow_file_are_quarantined_by_row(measured):
    out = io.BytesIO()
    table = pa.table({"t": ["some text"] * 100})
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    data = out.getvalue()
    good = struct.pack("<3i", 9 * 50, 9 * 51, 9 * 52)
    assert data.count(good) == 1
    damaged = data.replace(good, struct.pack("<3i", 9 * 50, 2**31 - 1, 9 * 52))
    # In a process of its own: Arrow believed them, and ended it.
    reasons, _ = measured("parquet", {"a.arrow": damaged}, text="t")
    assert (reasons.count("record"), reasons.count("invalid_parquet")) == (58, 2)
    reasons, _ = measured("parquet", {"a.arrow": data.replace(good, struct.pack("<3i", 2**31 - 1, -5, 7))}, text="t")
    assert set(reasons) <= {"record", "invalid_parquet"}
