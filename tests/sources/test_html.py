import pytest

PROSE = "The library opens at nine, and by ten the tables by the window are taken by people who read for a living. "
PAGE = f"""<!doctype html><html lang="en-GB"><head><title>The  library</title><script>alert(1)</script></head><body>
<nav><a href="/">Home</a> <a href="/about">About</a></nav><article><h1>The library</h1><p>{PROSE * 3}</p><p>{PROSE * 2}</p>
<ul><li>bring a pencil</li><li>bring a friend</li></ul></article><footer>All rights reserved by somebody</footer></body></html>"""


def test_main_text(load):
    (record,) = load("html", {"a/page.html": PAGE})
    assert PROSE.strip() in record.text
    assert "alert" not in record.text
    assert "About" not in record.text
    assert "- bring a pencil\n- bring a friend" in record.text
    assert f"{PROSE.strip()}\n\n{PROSE.strip()}" in record.text
    assert record.extra == {"title": "The library", "language": "en"}


def test_all_text(load):
    (record,) = load("html", {"page.html": PAGE}, extract="all")
    assert record.text.startswith("The library\n\nThe library opens")
    assert "somebody" in record.text


def test_latin1_page(load):
    (record,) = load("html", {"page.html": PAGE.replace("library", "café").encode("latin-1")})
    assert "café" in record.text


@pytest.mark.parametrize(
    "data,reason", [("", "empty"), ("<html><body></body></html>", "no_text"), (b"\x00" * 50, "no_text")]
)
def test_pages_without_text(load, data, reason):
    (bad,) = load("html", {"page.html": data})
    assert bad.reason == reason


def test_deep_nesting_does_not_exhaust_the_stack(load):
    (record,) = load("html", {"page.html": "<div>" * 200 + f"<p>{PROSE * 3}</p>"}, extract="all")
    assert PROSE.strip() in record.text
    # Beyond libxml2's limit of depth the page is cut, and has no text left.
    (bad,) = load("html", {"page.html": "<div>" * 50_000 + f"<p>{PROSE * 3}</p>"}, extract="all")
    assert bad.reason == "no_text"
