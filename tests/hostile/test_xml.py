"""Entities are never expanded, nothing is fetched, no DTD is loaded, and a page that tries is quarantined or read without them."""

from __future__ import annotations

import http.server
import threading

import pytest

from sources.document import Record
from tests.hostile.test_bombs import zipped
from tests.sources import test_epub, test_jats, test_mediawiki, test_stackexchange

LAUGHS = (
    "<!DOCTYPE r [<!ENTITY l0 'ha'>" + "".join(f"<!ENTITY l{i} '{f'&l{i - 1};' * 10}'>" for i in range(1, 10)) + "]>"
)
QUADRATIC = f"<!DOCTYPE r [<!ENTITY l9 '{'a' * 100_000}'>]>"
FILE = '<!DOCTYPE r [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'
PARAMETER = '<!DOCTYPE r [<!ENTITY % x SYSTEM "@URL@/x.dtd"> %x;]>'
NETWORK = '<!DOCTYPE r SYSTEM "@URL@/x.dtd" [<!ENTITY l9 SYSTEM "@URL@/secret">]>'
ATTACKS = {"laughs": LAUGHS, "quadratic": QUADRATIC, "file": FILE, "parameter": PARAMETER, "network": NETWORK}
INCLUDE = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'


@pytest.fixture(scope="module")
def server():
    """A web server that only notes that somebody asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"fetched-from-the-network")

        def log_message(self, *_: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", asked
    made.shutdown()


def documents(dtd: str, words: str) -> dict[str, tuple[str, bytes, dict]]:
    """A document of each format with the DTD before and ``words`` in its text."""
    article = test_jats.article(7, body=f"<sec><p>{words * 20} {test_jats.PROSE}</p></sec>")
    page = (
        test_mediawiki.dump(test_mediawiki.page(1, "@HERE@ " + test_mediawiki.PERSON))
        .decode()
        .replace("@HERE@", words * 20)
    )
    row = test_stackexchange.row(3, 1, "@HERE@", Title="T").replace(
        "@HERE@", words.replace("<", "&lt;").replace('"', "&quot;")
    )
    chapter = test_epub.page(f"{words * 20} {test_epub.TEXT}")
    module = f'<document xmlns="http://cnx.rice.edu/cnxml"><title>T</title><content><para>{words * 20} {test_epub.TEXT}</para></content></document>'
    return {
        "jats": ("a.nxml", (dtd + article).encode(), {}),
        "mediawiki": ("a.xml", (dtd + page).encode(), {}),
        "stackexchange": ("Posts.xml", f"<posts>\n{dtd}{row}\n</posts>".encode(), {}),
        "cnxml": ("m1/index.cnxml", (dtd + module).encode(), {}),
        "standardebooks": ("b/src/epub/text/a.xhtml", (dtd + chapter).encode(), {}),
        "epub": (
            "a.epub",
            zipped({n: t.encode() for n, t in {**test_epub.GOOD, "OPS/text/a.xhtml": dtd + chapter}.items()}),
            {},
        ),
        "html": ("a.html", (dtd + chapter).encode(), {"extract": "all"}),
    }


@pytest.mark.parametrize("reader", list(documents("", "")))
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_no_entity_is_expanded_and_nothing_is_fetched(load, server, reader, attack):
    url, asked = server
    name, data, options = documents(ATTACKS[attack].replace("@URL@", url), "&l9;")[reader]
    found = load(reader, {name: data}, **options)
    assert found, "neither a record nor a bad one"
    told = repr(found)
    assert "root:" not in told
    assert "fetched" not in told
    assert len(told) < 60_000, "an entity was expanded"
    assert asked == []


@pytest.mark.parametrize("reader", list(documents("", "")))
def test_nothing_is_included(load, reader):
    name, data, options = documents("", INCLUDE)[reader]
    found = load(reader, {name: data}, **options)
    assert any(isinstance(item, Record) for item in found) or [item.reason for item in found] == ["invalid_xml"]
    assert "root:" not in repr(found)
