import gzip

import pytest

from sources.document import Bad, Record
from sources.readers.jats import spdx_id

PROSE = "People who slept eight hours laughed more often on the following day than those who slept five. " * 3
BY = '<license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>Open access.</license-p></license>'


def article(number: int, license_tag: str = BY, body: str = "") -> str:
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article"><front><journal-meta>'
        "<journal-title>Journal of Rest</journal-title></journal-meta><article-meta>"
        f'<article-id pub-id-type="pmid">{number}</article-id><article-id pub-id-type="doi">10.0/x.{number}</article-id>'
        "<title-group><article-title>Sleep and <italic>laughter</italic></article-title></title-group>"
        "<pub-date><month>3</month><year>2019</year></pub-date>"
        f"<permissions>{license_tag}</permissions><abstract><sec><title>Aim</title><p>{PROSE}</p></sec></abstract>"
        "<kwd-group><kwd>sleep</kwd></kwd-group></article-meta></front>"
        f"<body>{body}</body><back><ref-list><ref>Nobody (1999)</ref></ref-list></back></article>"
    )


BODY = f"""<sec><title>Methods</title><p>{PROSE}As others found [<xref ref-type="bibr" rid="b1">1</xref>,
  <xref ref-type="bibr">2</xref>], see <xref ref-type="fig">Figure 1</xref>.<fig><caption><p>A picture</p></caption></fig></p>
  <table-wrap><table><tr><td>7</td></tr></table></table-wrap>
  <list><list-item><p>first</p></list-item><list-item><p>second</p></list-item></list></sec>
  <sec><title>Competing interests</title><p>None whatsoever.</p></sec>"""


def test_an_article(load):
    (record,) = load(
        "jats", {"a.nxml": '<!DOCTYPE article PUBLIC "-//NLM//DTD x//EN" "x.dtd">' + article(7, body=BODY)}
    )
    assert record.key == "pmid:7"
    assert record.origin == "a.nxml#pmid:7"
    assert record.created.isoformat() == "2019-03-01T00:00:00+00:00"
    assert record.text.split("\n\n") == [
        "Sleep and laughter",
        "Abstract",
        "Aim",
        PROSE.strip(),
        "Methods",
        f"{PROSE}As others found, see Figure 1.",
        "- first\n- second",
    ]
    assert record.extra["license"] == "CC-BY-4.0"
    assert record.extra["journal"] == "Journal of Rest"
    (short,) = load("jats", {"a.nxml": article(7, body=BODY)}, body=False)
    assert "Methods" not in short.text


def test_many_articles_in_a_compressed_file(load):
    data = f"<pmc-articleset>{article(1)}{article(2)}{article(3)}</pmc-articleset>".encode()
    found = load("jats", {"all.xml.gz": gzip.compress(data)})
    assert [r.key for r in found] == ["pmid:1", "pmid:2", "pmid:3"]


def test_medline_abstracts(load):
    text = f"""<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>12</PMID><Article><Journal><Title>Rest</Title>
      <JournalIssue><PubDate><Year>2020</Year><Month>Nov</Month></PubDate></JournalIssue></Journal>
      <ArticleTitle>Naps.</ArticleTitle><Abstract><AbstractText Label="METHODS">{PROSE}</AbstractText>
      <AbstractText Label="RESULTS">Good.</AbstractText></Abstract></Article></MedlineCitation><PubmedData><ArticleIdList>
      <ArticleId IdType="pubmed">12</ArticleId><ArticleId IdType="doi">10.0/n</ArticleId></ArticleIdList></PubmedData>
      </PubmedArticle></PubmedArticleSet>"""
    (record,) = load("jats", {"m.xml": text})
    assert record.text == f"Naps.\n\nMethods: {PROSE.strip()}\n\nResults: Good."
    assert record.extra["pmid"] == "12"
    assert record.created.year == 2020


def test_only_listed_licences_pass(load):
    nc = BY.replace("/by/", "/by-nc/")
    data = f"<set>{article(1)}{article(2, nc)}{article(3, '')}</set>"
    found = load("jats", {"a.xml": data}, licenses=["CC-BY-4.0"])
    assert [(x.key if isinstance(x, Record) else x.detail) for x in found] == ["pmid:1", "CC-BY-NC-4.0", "none stated"]


def test_licence_urls_are_compared_whole():
    assert spdx_id("http://creativecommons.org/licenses/by-nc-sa/3.0/us") == "CC-BY-NC-SA-3.0"
    assert spdx_id("https://creativecommons.org/publicdomain/zero/1.0/") == "CC0-1.0"
    assert spdx_id("https://example.org/licenses/by/4.0") is None


@pytest.mark.parametrize(
    "data,reasons",
    [
        ("", ["empty"]),
        (f"<set>{article(1)}<article><front>", ["", "invalid_xml"]),
        ("<html/>", ["no_articles"]),
        ("<article><body><p>Too short.</p></body></article>", ["no_text"]),
    ],
)
def test_bad_files(load, data, reasons):
    found = load("jats", {"a.xml": data})
    assert [x.reason if isinstance(x, Bad) else "" for x in found] == reasons


def test_truncated_gzip(load):
    data = gzip.compress(f"<set>{article(1) * 50}</set>".encode())
    found = load("jats", {"a.xml.gz": data[: len(data) // 2]})
    assert found[-1].reason == "unreadable"
