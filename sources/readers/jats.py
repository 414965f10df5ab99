"""Scientific articles: JATS (PubMed Central) full texts and Medline abstracts, one record an article."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lxml import etree
from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken, open_binary
from sources.readers._xml import iterparse, local, squeeze
from sources.readers.base import FileRef, Reader, Split, StreamOptions

_XLINK = "{http://www.w3.org/1999/xlink}href"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_CC = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)", re.IGNORECASE)
#: Citation marks leave brackets, commas and dashes behind.
_LEFTOVER = re.compile(r" ?[\[(](?:[\s,;–—-]|and|see|e\.g\.,?)*[\])]")
_BEFORE_STOP = re.compile(r"[ ,]*[–-]? +([,.;:])(?=\s|$)")
_DROPPED = frozenset(
    {
        *(
            "table-wrap",
            "table",
            "fig",
            "fig-group",
            "ref-list",
            "supplementary-material",
            "media",
            "graphic",
            "inline-graphic",
            "fn",
            "fn-group",
        ),
        *(
            "disp-formula",
            "tex-math",
            "table-wrap-foot",
            "ack",
            "notes",
            "label",
            "object-id",
            "alternatives",
            "table-wrap-group",
            "boxed-text-ref",
        ),
        *("funding-statement", "app-group", "index-term", "processing-meta"),
    }
)
_PARAGRAPHS = frozenset({"p", "disp-quote", "verse-group", "attrib", "statement", "speech"})


class JatsOptions(StreamOptions):
    """Options of the jats reader.

    :param body: keep the body; else title and abstract only.
    :param licenses: take only articles that state one of these licences (SPDX ids such as ``CC-BY-4.0``); the others are
        quarantined as ``license_not_listed``. None takes all, and ``extra.license`` tells which.
    :param skip_sections: sections to leave out, by their title in lower case.
    :param min_chars: an article with less text (a title alone) is quarantined as ``no_text``.
    """

    body: bool = True
    licenses: frozenset[str] | None = None
    skip_sections: frozenset[str] = frozenset(
        {
            *(
                "competing interests",
                "authors' contributions",
                "authors’ contributions",
                "author contributions",
                "funding",
                "acknowledgements",
            ),
            *(
                "acknowledgments",
                "supporting information",
                "pre-publication history",
                "supplementary material",
                "abbreviations",
                "references",
            ),
            *(
                "conflict of interest",
                "conflicts of interest",
                "disclosure",
                "disclosures",
                "author summary information",
                "supplementary data",
            ),
        }
    )
    min_chars: int = Field(200, ge=0)


class JatsReader(Reader):
    """Reads ``.nxml`` and ``.xml`` articles, single or many in a file, article by article."""

    name = "jats"
    Options = JatsOptions
    options: JatsOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._file(file)

    def _file(self, file: FileRef) -> Iterator[Record | Bad]:
        number = 0
        try:
            with open_binary(file, self.options.max_ratio) as stream:
                for _, element in iterparse(
                    stream, events=("end",), tag=("{*}article", "PubmedArticle", "PubmedBookArticle")
                ):
                    number += 1
                    yield self._record(file, element, number)
                    # Free the article and those before it, which the root would else hold.
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            yield Bad(
                file.name, "empty" if file.size == 0 else "invalid_xml", f"after article {number}, line {error.lineno}"
            )
            return
        except Broken as error:
            yield Bad(file.name, "too_large" if error.reason == "too_large" else "unreadable", error.detail)
            return
        if not number:
            yield Bad(file.name, "no_articles", "neither <article> nor <PubmedArticle>")

    def _record(self, file: FileRef, article: etree._Element, number: int) -> Record | Bad:
        medline = local(article) != "article"
        ids = _medline_ids(article) if medline else _jats_ids(article)
        native = next(
            (f"{kind}:{ids[kind]}" for kind in ("pmc", "pmid", "doi") if kind in ids), f"{file.name}#{number}"
        )
        origin = f"{file.name}#{native}" if native != f"{file.name}#{number}" else native
        extra: dict[str, Any] = dict(ids)
        blocks = _medline(article, extra) if medline else self._jats(article, extra)
        if self.options.licenses is not None and extra.get("license") not in self.options.licenses:
            return Bad(origin, "license_not_listed", str(extra.get("license") or "none stated"))
        text = "\n\n".join(block for block in blocks if block)
        if len(text) < self.options.min_chars:
            return Bad(origin, "no_text")
        return Record(native, origin, text, created=_date(article), extra={k: v for k, v in extra.items() if v})

    def _jats(self, article: etree._Element, extra: dict[str, Any]) -> list[str]:
        meta = next(article.iter("{*}article-meta"), None)
        extra["journal"] = _text(next(article.iter("{*}journal-title"), None))
        extra["article_type"] = article.get("article-type")
        blocks: list[str] = []
        if meta is not None:
            extra["title"] = _text(next(meta.iter("{*}article-title"), None))
            extra["keywords"] = [word for k in meta.iter("{*}kwd") if (word := _text(k))]
            extra |= _license(meta)
            blocks.append(extra["title"])
            for abstract in meta.findall("{*}abstract"):
                if abstract.get("abstract-type") in (None, "executive-summary", "section"):
                    blocks.append("Abstract")
                    self._walk(abstract, blocks)
        body = article.find("{*}body")
        if body is not None and self.options.body:
            self._walk(body, blocks)
        return blocks

    def _walk(self, element: etree._Element, blocks: list[str]) -> None:
        """Blocks of a section. Recursion follows nested sections, whose depth libxml2 limits to 256."""
        for child in element:
            tag = local(child)
            if tag in _DROPPED or not tag:
                continue
            if tag == "sec":
                title = _text(child.find("{*}title"))
                if title.lower().strip(" .:") in self.options.skip_sections:
                    continue
                self._walk(child, blocks)
            elif tag == "list":
                blocks.append("\n".join(f"- {item}" for li in child.iter("{*}list-item") if (item := _text(li))))
            elif tag in _PARAGRAPHS or tag == "title":
                blocks.append(_text(child))
                # Lists set inside a paragraph are blocks of their own.
                blocks += [
                    "\n".join(f"- {item}" for li in inner.iter("{*}list-item") if (item := _text(li)))
                    for inner in child.findall("{*}list")
                ]
            elif tag in ("boxed-text", "def-list", "def-item", "sec-meta", "disp-formula-group", "verse-line"):
                self._walk(child, blocks)


def _text(element: etree._Element | None) -> str:
    """Text of an inline element without citation marks, tables and figures."""
    if element is None:
        return ""
    text = squeeze("".join(_parts(element, top=True)))
    return _BEFORE_STOP.sub(r"\1", _LEFTOVER.sub("", text)).strip()


def _parts(element: etree._Element, top: bool = False) -> Iterator[str]:
    tag = local(element)
    skipped = (
        not tag
        or tag in _DROPPED
        or (tag == "xref" and element.get("ref-type") == "bibr")
        or (tag == "list" and not top)
    )
    if not skipped:
        yield element.text or ""
        for child in element:
            yield from _parts(child)
        if tag in ("p", "title", "break", "td"):
            yield " "
    if not top:
        yield element.tail or ""


def _jats_ids(article: etree._Element) -> dict[str, Any]:
    meta = next(article.iter("{*}article-meta"), article)
    found = {e.get("pub-id-type"): squeeze(e.text or "") for e in meta.findall("{*}article-id")}
    pmc = found.get("pmc") or found.get("pmcid") or ""
    return {
        k: v
        for k, v in {"pmid": found.get("pmid"), "pmc": pmc.upper().removeprefix("PMC"), "doi": found.get("doi")}.items()
        if v
    }


def _medline_ids(article: etree._Element) -> dict[str, Any]:
    ids = {e.get("IdType"): squeeze(e.text or "") for e in article.findall("PubmedData/ArticleIdList/ArticleId")}
    pmid = _text(next(article.iter("PMID"), None)) or ids.get("pubmed")
    return {
        k: v
        for k, v in {"pmid": pmid, "pmc": (ids.get("pmc") or "").removeprefix("PMC"), "doi": ids.get("doi")}.items()
        if v
    }


def _medline(article: etree._Element, extra: dict[str, Any]) -> list[str]:
    extra["title"] = _text(next(article.iter("ArticleTitle"), None))
    extra["journal"] = _text(article.find("MedlineCitation/Article/Journal/Title"))
    extra["keywords"] = [word for k in article.iter("DescriptorName", "Keyword") if (word := _text(k))]
    extra["copyright"] = _text(next(article.iter("CopyrightInformation"), None))
    blocks = [extra["title"]]
    for part in article.iterfind("MedlineCitation/Article/Abstract/AbstractText"):
        label = (part.get("Label") or "").capitalize()
        text = _text(part)
        blocks.append(f"{label}: {text}" if label and text else text)
    return blocks


def _license(meta: etree._Element) -> dict[str, Any]:
    """The article's own licence: an SPDX id where it links to Creative Commons, and its words."""
    found = next(meta.iter("{*}license"), None)
    if found is None:
        return {"license_text": _text(next(meta.iter("{*}copyright-statement"), None))}
    links = [found.get(_XLINK) or ""] + [
        e.get(_XLINK) or e.get(_RDF) or e.text or "" for e in found.iter("{*}ext-link", "{*}license", "{*}license_ref")
    ]
    return {
        "license": next((spdx for link in links if (spdx := spdx_id(link))), None),
        "license_text": squeeze("".join(found.itertext()))[:400],
    }


def spdx_id(url: str) -> str | None:
    """SPDX id of a Creative Commons URL, whole: ``by-nc`` never becomes ``by``."""
    if match := _CC.search(url):
        return f"CC-{match[1].upper()}-{match[2]}"
    if "creativecommons.org/publicdomain/zero/1.0" in url:
        return "CC0-1.0"
    return "CC-PDM-1.0" if "creativecommons.org/publicdomain/mark/1.0" in url else None


def _date(article: etree._Element) -> datetime | None:
    for element in article.iter("{*}pub-date", "PubDate", "ArticleDate"):
        year = _text(element.find("{*}year")) or _text(element.find("Year"))
        month = _text(element.find("{*}month")) or _text(element.find("Month"))
        if year.isdigit() and 1600 < int(year) < 2200:
            return datetime(int(year), int(month) if month.isdigit() and 1 <= int(month) <= 12 else 1, 1, tzinfo=UTC)
    return None
