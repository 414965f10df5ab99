import pytest

from sources.document import Bad, Record

LONG = "She kept the shop open through the winter, and in spring the whole street came to thank her for it. " * 4
OPF = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="uid">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="uid">https://example.org/books/a-shop</dc:identifier>
    <dc:title id="title">A Shop</dc:title>
    <dc:creator id="author">Nobody At All</dc:creator>
    <dc:contributor id="trl">Some Translator</dc:contributor>
    <meta property="role" refines="#trl" scheme="marc:relators">trl</meta>
    <dc:subject>Shopkeepers -- Biography</dc:subject>
    <meta property="se:subject">Memoir</meta>
    <dc:language>en-GB</dc:language>
  </metadata>
  <manifest>{items}</manifest>
  <spine>{spine}</spine>
</package>"""


def opf(*stems: str) -> str:
    items = "".join(f'<item href="text/{s}.xhtml" id="{s}" media-type="application/xhtml+xml"/>' for s in stems)
    return OPF.format(items=items, spine="".join(f'<itemref idref="{s}"/>' for s in stems))


def page(body: str, types: str = "chapter", title: str = "T") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title></head><body epub:type="bodymatter">'
        f'<section epub:type="{types}">{body}</section></body></html>'
    )


FILES = {
    "shop/content.opf": opf("titlepage", "part-1", "chapter-2", "chapter-10", "endnotes", "colophon"),
    "shop/titlepage.xhtml": page("<h1>A Shop</h1>" + f"<p>{LONG}</p>", "titlepage"),
    "shop/part-1.xhtml": page(
        '<hgroup><h2 epub:type="ordinal">I</h2><p epub:type="title">The Street</p></hgroup>', "part"
    ),
    "shop/chapter-2.xhtml": page(
        '<h2 epub:type="ordinal z3998:roman">I</h2>'
        f'<p>{LONG}<a epub:type="noteref" href="endnotes.xhtml#n1">1</a></p><blockquote epub:type="z3998:verse">'
        "<p><span>A line of song</span><br/><span>and one more line</span></p></blockquote>",
        title="I",
    ),
    "shop/chapter-10.xhtml": page(
        f"<hgroup><h2>II</h2><p>Closing</p></hgroup><p>{LONG}</p><p>Dr.\u2060 Who said\u00a0so.</p>"
    ),
    "shop/endnotes.xhtml": page(f"<p>{LONG}</p>", "endnotes"),
    "shop/colophon.xhtml": page(f"<p>{LONG}</p>", "colophon"),
    "shop/LICENSE.md": "not read",
}


def test_chapters_in_reading_order_with_the_book_said(load):
    first, second = load("standardebooks", FILES)
    assert (first.key, second.key) == ("shop/chapter-2.xhtml", "shop/chapter-10.xhtml")
    assert first.text == f"{LONG.strip()}\n\nA line of song\nand one more line"
    assert second.text.startswith("Closing\n\nShe kept")
    assert second.text.endswith("Dr. Who said so.")
    assert first.author is None
    assert first.extra == {
        "title": "A Shop",
        "author": ["Nobody At All"],
        "translator": ["Some Translator"],
        "subjects": ["Shopkeepers -- Biography", "Memoir"],
        "language": "en-GB",
        "book": "https://example.org/books/a-shop",
        "position": 3,
        "chapter": "I",
        "part": "I: The Street",
    }


def test_a_book_is_not_parted_and_repository_layout_is_known(load):
    deep = {
        name.replace("shop/", "shop/src/epub/" + ("" if name.endswith("opf") else "text/")): body
        for name, body in FILES.items()
    }
    found = load("standardebooks", deep, target_bytes=1)
    assert [r.extra["position"] for r in found] == [3, 4]


def test_long_sections_are_records_and_short_ones_are_not(load):
    nested = "".join(f'<section id="essay-{i}"><h3>Essay {i}</h3><p>{LONG * 5}</p></section>' for i in (1, 2))
    thoughts = "".join(f"<section><h3>{n}</h3><p>{LONG}</p></section>" for n in ("I", "II", "III"))
    files = {"b/content.opf": opf("one", "two"), "b/one.xhtml": page(nested), "b/two.xhtml": page(thoughts)}
    found = load("standardebooks", files)
    assert [r.key for r in found] == ["b/one.xhtml#essay-1", "b/one.xhtml#essay-2", "b/two.xhtml"]
    assert "III" not in found[2].text
    assert len(load("standardebooks", files, split_sections=0)) == 2


@pytest.mark.parametrize(
    "body,reason",
    [(b"<html><body><p>never closed", "invalid_xml"), (b"", "empty"), (b"\xff\xfe\x00", "invalid_xml")],
)
def test_a_broken_chapter_costs_a_chapter(load, body, reason):
    found = load("standardebooks", {**FILES, "shop/chapter-2.xhtml": body})
    assert [(type(x).__name__, getattr(x, "reason", "")) for x in found] == [("Bad", reason), ("Record", "")]


def test_entities_are_not_expanded(load):
    secret = page(f"<p>{LONG} &leak;&bomb;</p>").replace(
        "<html", '<!DOCTYPE html [<!ENTITY leak SYSTEM "file:///etc/hostname"><!ENTITY bomb "boom boom">]><html'
    )
    found = load("standardebooks", {**FILES, "shop/chapter-2.xhtml": secret})
    assert found[0].text == LONG.strip()


def test_a_broken_package_is_reported_and_the_chapters_still_read(load):
    found = load("standardebooks", {**FILES, "shop/content.opf": "<package"})
    assert isinstance(found[0], Bad)
    assert [r.key for r in found if isinstance(r, Record)] == ["shop/chapter-10.xhtml", "shop/chapter-2.xhtml"]
