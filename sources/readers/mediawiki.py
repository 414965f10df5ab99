"""MediaWiki XML dumps (Wikipedia): articles as plain text, biographies only if asked, one record a page.

The dump is streamed by lxml, which knows its encoding from its declaration (UTF-16 dumps exist); mwxml reads UTF-8 only. The
wikitext is parsed by mwparserfromhell.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import mwparserfromhell
from lxml import etree
from mwparserfromhell.nodes import Comment, ExternalLink, Heading, HTMLEntity, Tag, Template, Text, Wikilink
from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken, open_binary
from sources.readers._xml import iterparse, local
from sources.readers.base import FileRef, Reader, Split, StreamOptions

_CATEGORY_PERSON = re.compile(
    r"\[\[\s*Category\s*:[^\]|]*(?:\b(?:births|deaths)\b|Living people|Possibly living people|Year of (?:birth|death) missing)",
    re.IGNORECASE,
)
_INFOBOX = re.compile(r"\{\{\s*Infobox[ _]+([^|}\n]+)", re.IGNORECASE)
_PERSON_BOXES = re.compile(
    r"^(?:person|biography|officeholder|politician|scientist|writer|artist|musical artist|philosopher|royalty|saint|"
    r"sportsperson|athlete|military person|academic|actor|president|prime minister|judge|medical person|clergy|"
    r"religious biography|christian leader|economist|engineer|architect|astronaut|criminal|dancer|chef|comedian|model|"
    r"pirate|egyptologist|theologian|psychologist|(?:\w+ )*(?:biography|player|cyclist|boxer))\b",
    re.IGNORECASE,
)
_BIRTH = re.compile(r"\{\{\s*(?:birth[ -]date|death[ -]date|birth[ -]year|bda|dda)\b", re.IGNORECASE)
_DATE = re.compile(r"(?:birth|death)[ -](?:date|year)|(?:start|end) date|bda$|dda$|birth-date|dob")
_NAMESPACE = re.compile(
    r"^\s*:?\s*(?:file|image|media|category|template|wikipedia|wp|portal|special|user|help|[a-z]{2,3}(?:-[a-z]+)*|simple|wikt|wiktionary|s|commons)\s*:",
    re.IGNORECASE,
)
_DROPPED_TAGS = frozenset(
    {
        "ref",
        "references",
        "table",
        "gallery",
        "math",
        "timeline",
        "score",
        "imagemap",
        "syntaxhighlight",
        "source",
        "hr",
        "chem",
        "graph",
        "mapframe",
        "templatestyles",
        "section",
    }
)
#: Templates that stand for words, and which of their arguments those are; all others (boxes, notes) are dropped.
_WORDS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("lang", "transl", "transliteration"), (2,)),
    **dict.fromkeys(("convert", "cvt", "ship"), (1, 2)),
    **dict.fromkeys(
        ("nowrap", "small", "quote", "blockquote", "cquote", "quotation", "poem", "abbr", "angbr", "sic"), (1,)
    ),
    **dict.fromkeys(("nihongo", "circa", "ill", "interlanguage link", "interlanguage link multi", "uss", "year"), (1,)),
}
_SIGNS = {
    "'": "'",
    "ndash": "–",
    "mdash": "—",
    "snd": " – ",
    "spaced ndash": " – ",
    "nbsp": " ",
    "spaces": " ",
    "circa": "c. ",
    "c.": "c. ",
    "'s": "'s",
}
_EMPTY = re.compile(r" ?[(\[（](?:[\s,;:]|or|and|born)*[)\]）]")
_OPEN = re.compile(r"\(\s*(?:[;,]\s*)+")
_STOP = re.compile(r"[ \u00a0]+([,.;:!?)])")


class MediaWikiOptions(StreamOptions):
    """Options of the mediawiki reader.

    :param biographies: take only articles about people, by category (births, deaths, living people), infobox, or date of birth.
    :param namespaces: of pages to take; 0 holds the articles.
    :param skip_sections: sections to leave out, by heading in lower case, with what stands below them.
    :param min_chars: shorter articles (stubs) are not records.
    """

    biographies: bool = True
    namespaces: frozenset[int] = frozenset({0})
    skip_sections: frozenset[str] = frozenset(
        {
            *(
                "see also",
                "references",
                "selected filmography",
                "partial filmography",
                "film and tv credits",
                "external links",
                "further reading",
                "notes",
                "bibliography",
                "sources",
                "footnotes",
                "citations",
            ),
            *(
                "notes and references",
                "works cited",
                "gallery",
                "filmography",
                "discography",
                "selected works",
                "selected bibliography",
            ),
            *(
                "primary sources",
                "secondary sources",
                "works",
                "publications",
                "references and further reading",
                "notes and citations",
            ),
            *("career statistics", "awards and nominations", "list of works"),
        }
    )
    min_chars: int = Field(500, ge=0)


class MediaWikiReader(Reader):
    """Reads ``pages-articles`` dumps, ``.xml`` or ``.xml.bz2``, page by page."""

    name = "mediawiki"
    Options = MediaWikiOptions
    options: MediaWikiOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._file(file)

    def _file(self, file: FileRef) -> Iterator[Record | Bad]:
        wiki, pages = "", 0
        try:
            with open_binary(file, self.options.max_ratio) as stream:
                for _, element in iterparse(stream, events=("end",), tag=("{*}siteinfo", "{*}page")):
                    if local(element) == "siteinfo":
                        wiki = element.findtext("{*}dbname") or element.findtext("{*}sitename") or ""
                    else:
                        pages += 1
                        if (found := self._page(file, wiki, element)) is not None:
                            yield found
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            yield Bad(
                file.name, "empty" if file.size == 0 else "invalid_xml", f"after page {pages}, line {error.lineno}"
            )
        except Broken as error:
            yield Bad(file.name, error.reason, f"after page {pages}: {error.detail}")

    def _page(self, file: FileRef, wiki: str, page: etree._Element) -> Record | Bad | None:
        native = page.findtext("{*}id") or ""
        namespace = (page.findtext("{*}ns") or "0").strip()
        if not re.fullmatch(r"-?[0-9]{1,9}", namespace):
            return Bad(f"{file.name}#page={native}", "wrong_type", "ns is not a number")
        if int(namespace) not in self.options.namespaces or page.find("{*}redirect") is not None:
            return None
        # A full-history dump holds many revisions; the last is the article.
        revisions = page.findall("{*}revision")
        body = revisions[-1].find("{*}text") if revisions else None
        if body is not None and len(body):
            # MediaWiki writes text and nothing else there; what is behind an entity would be lost unseen.
            return Bad(f"{file.name}#page={native}", "invalid_xml", "an element or entity inside of the text")
        source = (body.text or "") if body is not None else ""
        if source[:20].lstrip().lower().startswith("#redirect") or (
            self.options.biographies and not is_biography(source)
        ):
            return None
        origin = f"{file.name}#page={native}"
        if not native:
            return Bad(origin, "missing_field", "id")
        try:
            text = plain_text(source, self.options.skip_sections)
        except (mwparserfromhell.parser.ParserError, RecursionError):
            return Bad(origin, "invalid_wikitext")
        title = page.findtext("{*}title") or ""
        if len(text) < self.options.min_chars:
            return None
        extra: dict[str, Any] = {"title": title, "wiki": wiki, "revision": revisions[-1].findtext("{*}id")}
        created = revisions[-1].findtext("{*}timestamp")
        return Record(f"{wiki}:{native}", origin, f"{title}\n\n{text}", created=_date(created), extra=extra)


def is_biography(source: str) -> bool:
    """Whether wikitext is about a person."""
    if _CATEGORY_PERSON.search(source):
        return True
    head = source[:20_000]
    return any(_PERSON_BOXES.match(name.strip()) for name in _INFOBOX.findall(head)) or _BIRTH.search(head) is not None


def plain_text(source: str, skip_sections: frozenset[str] = frozenset()) -> str:
    """Readable text of wikitext: no templates, tables, references, files or categories; headings stand alone."""
    out: list[str] = []
    skipped: int | None = None
    for node in mwparserfromhell.parse(source, skip_style_tags=True).nodes:
        if isinstance(node, Heading):
            if skipped is not None and node.level > skipped:
                continue
            title = "".join(_words(node.title)).strip()
            skipped = node.level if title.lower() in skip_sections else None
            if skipped is None:
                out.append(f"\n\n\x00{title}\n\n")
        elif skipped is None:
            out += _render(node)
    return _tidy("".join(out))


def _words(code: Any) -> Iterator[str]:
    for node in code.nodes if code is not None else ():
        yield from _render(node)


def _render(node: Any) -> Iterator[str]:
    if isinstance(node, Text):
        yield str(node.value)
    elif isinstance(node, Wikilink):
        target = str(node.title)
        if not _NAMESPACE.match(target):
            if node.text is not None:
                yield from _words(node.text)
            else:
                yield target.partition("#")[0].strip() or target.lstrip("#")
    elif isinstance(node, ExternalLink):
        yield from _words(node.title)
    elif isinstance(node, HTMLEntity):
        yield node.normalize()
    elif isinstance(node, Template):
        yield from _template(node)
    elif isinstance(node, Tag):
        name = str(node.tag).strip().lower()
        if name in ("li", "dd", "dt") and node.wiki_markup:
            yield "- " if name == "li" else ""
        elif name == "br":
            yield "\n"
        elif name not in _DROPPED_TAGS:
            yield from _words(node.contents)
    elif not isinstance(node, Comment | Heading):
        yield ""


def _template(node: Template) -> Iterator[str]:
    name = str(node.name).strip().lower().replace("_", " ")
    if name.startswith("lang-") and node.has(1):
        yield from _words(node.get(1).value)
        return
    if _DATE.match(name):
        yield _spelled_date(node)
        return
    yield _SIGNS.get(name, "")
    for index, position in enumerate(_WORDS.get(name, ())):
        if node.has(position):
            yield (" " if index else "") + "".join(_words(node.get(position).value)).strip()


def _spelled_date(node: Template) -> str:
    """``{{birth date|1905|2|2}}`` as words."""
    numbers = [str(p.value).strip() for p in node.params if not p.showkey]
    numbers = [n for n in numbers if re.fullmatch("[0-9]{1,9}", n)][:3]
    if len(numbers) == 3 and 1 <= int(numbers[1]) <= 12:
        return f"{calendar.month_name[int(numbers[1])]} {int(numbers[2])}, {numbers[0]}"
    return numbers[0] if numbers else ""


def _tidy(text: str) -> str:
    """Paragraphs from lines (wikitext has one to a line), leftovers of dropped templates gone, empty sections dropped."""
    text = text.replace("'''", "").replace("''", "")
    text = _STOP.sub(r"\1", _OPEN.sub("(", _EMPTY.sub("", text)))
    blocks: list[tuple[str, bool]] = []
    for line in text.split("\n"):
        line = " ".join(line.split())
        if not line or line in ("-", "*", ":", ";") or re.fullmatch(r"__[A-Z]+__", line):
            continue
        item = line.startswith("- ")
        if item and blocks and blocks[-1][1]:
            blocks[-1] = (f"{blocks[-1][0]}\n{line}", True)
        else:
            blocks.append((line, item))
    # A heading over nothing at the end: its section was a table or a gallery.
    while blocks and blocks[-1][0].startswith("\x00"):
        blocks.pop()
    return "\n\n".join(block.lstrip("\x00") for block, _ in blocks)


def _date(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
