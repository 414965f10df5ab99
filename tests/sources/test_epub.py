import io
import zipfile

import pytest

from sources.document import Bad, Record

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
OPF = (
    '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>A Garden</dc:title><dc:creator>Nobody At All</dc:creator></metadata><manifest>"
    '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    '<item id="b" href="text/b%20side.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="nav"/><itemref idref="b"/><itemref idref="a"/></spine></package>'
)
TEXT = "The beans came up in June and were eaten by July, and nobody minded but the neighbour. " * 4


def page(text: str) -> str:
    return f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head><body><h1>Beans</h1><p>{text}</p></body></html>'


def epub(members: dict[str, str], **options) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression=options.pop("compression", zipfile.ZIP_DEFLATED)) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


GOOD = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": OPF,
    "OPS/nav.xhtml": page("contents"),
    "OPS/text/a.xhtml": page(TEXT),
    "OPS/text/b side.xhtml": page(TEXT).replace("</p>", "<br></p>"),
}


def test_chapters_in_spine_order_even_where_markup_is_broken(load):
    first, second = load("epub", {"x/garden.epub": epub(GOOD)})
    assert first.key == "x/garden.epub#OPS/text/b side.xhtml", "not well formed, read as HTML"
    assert second.key == "x/garden.epub#OPS/text/a.xhtml"
    assert second.text == f"Beans\n\n{TEXT.strip()}"
    assert second.extra["title"] == "A Garden"
    assert second.extra["author"] == ["Nobody At All"]


def test_a_bomb_is_refused_and_the_rest_read(load):
    bomb = {**GOOD, "OPS/text/a.xhtml": page("a" * 3_000_000)}
    record, bad = load("epub", {"x.epub": epub(bomb)})
    assert isinstance(record, Record)
    assert (bad.origin, bad.reason) == ("x.epub#OPS/text/a.xhtml", "too_large")
    record, bad = load(
        "epub", {"x.epub": epub(GOOD, compression=zipfile.ZIP_STORED)}, max_member=1000, max_bytes=10_000
    )[-2:]
    assert isinstance(record, Record)
    assert isinstance(bad, Record)
    found = load("epub", {"x.epub": epub({**GOOD, "OPS/text/a.xhtml": page(TEXT * 9)})}, max_member=2000)
    assert [getattr(x, "reason", "ok") for x in found] == ["ok", "too_large"]


def test_a_lying_directory_does_not_help_a_bomb(load):
    data = bytearray(epub({**GOOD, "OPS/text/a.xhtml": page(TEXT * 50)}))
    entry = data.rindex(b"OPS/text/a.xhtml") - 46
    assert data[entry : entry + 4] == b"PK\x01\x02"
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    found = load("epub", {"x.epub": bytes(data)}, max_member=4000)
    assert all(len(x.text) < 4000 for x in found if isinstance(x, Record))
    assert isinstance(found[-1], Bad)


@pytest.mark.parametrize(
    "data,reason",
    [
        (b"", "empty"),
        (b"PK not a zip", "invalid_zip"),
        (epub(GOOD)[:-200], "invalid_zip"),
        (epub({"mimetype": "x"}), "missing_member"),
        (epub({**GOOD, "META-INF/container.xml": "<container/>"}), "missing_field"),
        (epub({**GOOD, "OPS/book.opf": "<package"}), "invalid_xml"),
    ],
)
def test_bad_archives(load, data, reason):
    (bad,) = load("epub", {"x.epub": data})
    assert isinstance(bad, Bad)
    assert bad.reason == reason
