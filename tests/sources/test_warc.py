import gzip
import io

import pytest
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from sources.document import Bad, Record

PROSE = "The library opens at nine, and by ten the tables by the window are taken by people who read for a living. "
PAGE = (
    "<html><head><title>Library</title>{head}</head>"
    f"<body><article><h1>Library</h1><p>{PROSE * 3}</p></article></body></html>"
)


def archive(*records: dict, compress: bool = False) -> bytes:
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=compress)
    for spec in records:
        headers = [("Content-Type", spec.get("type", "text/html; charset=utf-8")), *spec.get("headers", [])]
        kind = spec.get("kind", "response")
        http = (
            StatusAndHeaders(spec.get("status", "200 OK"), headers, protocol="HTTP/1.1") if kind == "response" else None
        )
        body = spec.get("body", PAGE.format(head=spec.get("head", "")))
        record = writer.create_warc_record(
            spec.get("url", "https://example.org/library"),
            kind,
            payload=io.BytesIO(body.encode() if isinstance(body, str) else body),
            http_headers=http,
            warc_headers_dict={"WARC-Date": "2024-01-02T03:04:05Z"},
            warc_content_type="text/plain" if kind == "conversion" else None,
        )
        writer.write_record(record)
    return out.getvalue()


@pytest.mark.parametrize(
    "name,pack",
    [
        ("a.warc", lambda records: archive(*records)),
        ("a.warc.gz", lambda records: archive(*records, compress=True)),
        ("whole.warc.gz", lambda records: gzip.compress(archive(*records))),
        ("a.warc.zst", lambda records: zstandard.compress(archive(*records))),
    ],
)
def test_pages_of_an_archive(load, name, pack):
    records = [
        {},
        {"type": "image/png", "body": b"\x89PNG"},
        {"status": "404 Not Found"},
        {"url": "https://example.org/robots.txt", "type": "text/plain", "body": PROSE},
        {"url": "https://example.org/b"},
    ]
    first, second = load("warc", {name: pack(records)})
    assert (first.key, second.key) == (f"{name}#record=1", f"{name}#record=5")
    assert PROSE.strip() in first.text
    assert first.extra == {"title": "Library", "url": "https://example.org/library"}
    assert first.created.isoformat() == "2024-01-02T03:04:05+00:00"


def test_wet_conversions(load):
    (record,) = load("warc", {"a.warc.wet": archive({"kind": "conversion", "body": PROSE})})
    assert record.text == PROSE.strip()


def test_pages_that_opt_out_are_quarantined(load):
    records = [
        {"headers": [("X-Robots-Tag", "noai, nofollow")]},
        {"headers": [("tdm-reservation", "1")]},
        {"head": '<meta name="robots" content="NOINDEX">'},
        {"head": '<meta name="robots" content="index, follow">'},
    ]
    found = load("warc", {"a.warc": archive(*records)})
    assert [x.reason if isinstance(x, Bad) else "" for x in found] == ["opted_out"] * 3 + [""]
    assert all(isinstance(x, Record) for x in load("warc", {"a.warc": archive(*records)}, opt_out=False))


def test_arc(load):
    page = PAGE.format(head="")
    body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}"
    version = "1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    arc = (
        f"filedesc://a.arc 0.0.0.0 20240102030405 text/plain {len(version)}\n{version}\n"
        f"https://example.org/x 0.0.0.0 20240102030405 text/html {len(body)}\n{body}\n"
    )
    (record,) = load("warc", {"a.arc": arc})
    assert PROSE.strip() in record.text


@pytest.mark.parametrize(
    "data,reasons",
    [
        (b"", ["empty"]),
        (b"no archive\r\n\r\n", ["invalid_warc"]),
        (archive({}, {}) + b"garbage that is no record\r\nand goes on", ["", "", "invalid_warc"]),
        (archive({}, {})[:-60], ["", "truncated"]),
        (archive({"body": "<html><body></body></html>"}), ["no_text"]),
    ],
)
def test_broken_archives(load, data, reasons):
    assert [x.reason if isinstance(x, Bad) else "" for x in load("warc", {"a.warc": data})] == reasons


def test_truncated_gzip(load):
    data = archive({}, {}, {}, compress=True)
    found = load("warc", {"a.warc.gz": data[: len(data) - 40]})
    assert [x.reason if isinstance(x, Bad) else "" for x in found] == ["", "", "truncated"]


def test_large_pages(load):
    (bad,) = load("warc", {"a.warc": archive({"body": PAGE.format(head=" " * 5000)})}, max_bytes=2000)
    assert bad.reason == "too_large"
