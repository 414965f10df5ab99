"""Safe XML and HTML parsing, and the one way a marked-up tree becomes readable plain text.

Corpora are untrusted input: entities are never expanded, nothing is fetched, and no DTD is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree, html

_SAFE: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_DROPPED = frozenset(
    {
        "head",
        "script",
        "style",
        "svg",
        "nav",
        "noscript",
        "template",
        "img",
        "image",
        "iframe",
        "object",
        "form",
        "button",
    }
)
_BLOCKS = frozenset(
    {
        *(
            "p",
            "div",
            "section",
            "article",
            "main",
            "header",
            "footer",
            "aside",
            "blockquote",
            "body",
            "figure",
            "figcaption",
            "hr",
        ),
        *(
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "dl",
            "dt",
            "dd",
            "ul",
            "ol",
            "li",
            "hgroup",
            "address",
            "details",
            "summary",
            "center",
        ),
    }
)
#: Word joiner, soft hyphen, zero-width space, byte order mark: seen by no reader.
_INVISIBLE = ("\u2060", "\u00ad", "\u200b", "\ufeff")
_TYPE = "{http://www.idpf.org/2007/ops}type"


def parse_xml(data: bytes) -> etree._Element:
    """Parse a small XML document.

    :raises etree.XMLSyntaxError: it is not well formed.
    """
    return etree.fromstring(data, etree.XMLParser(**_SAFE, remove_comments=True, remove_pis=True))


def iterparse(source: Any, **options: Any) -> etree.iterparse:
    """A streaming parser with the same safety. ``huge_tree`` lifts libxml2's limits, which a streamed dump exceeds honestly."""
    return etree.iterparse(source, **{**_SAFE, **options}, remove_comments=True, remove_pis=True)


def parse_html(text: str) -> etree._Element | None:
    """Parse an HTML document or fragment, however broken; None if there is nothing in it."""
    if not text.strip():
        return None
    try:
        # Bytes with a stated encoding: lxml refuses strings that carry an XML declaration.
        return html.document_fromstring(
            text.encode("utf-8", "replace"),
            parser=html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True),
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def local(element: etree._Element) -> str:
    """Tag name without its namespace; empty for comments and unresolved entities."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def epub_type(element: etree._Element) -> frozenset[str]:
    """The words of ``epub:type``, their ``z3998:`` and ``se:`` prefixes removed."""
    return frozenset(word.rpartition(":")[2] for word in (element.get(_TYPE) or "").split())


def squeeze(text: str) -> str:
    """One line: runs of white space become a space, invisible joiners go."""
    return " ".join(_seen(text).split())


def _seen(text: str) -> str:
    if not text.isascii():
        for mark in _INVISIBLE:
            text = text.replace(mark, "")
    return text


def _inline(text: str) -> str:
    """Like :func:`squeeze`, but a space at either end stays one: it parts this text from its neighbour's."""
    text = _seen(text)
    words = text.split()
    if not words:
        return " " if text else ""
    return f"{' ' if text[0].isspace() else ''}{' '.join(words)}{' ' if text[-1].isspace() else ''}"


class _Writer:
    """Collects inline text into blocks; consecutive list items stay together."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, bool]] = []
        self.inline: list[str] = []
        self.lists: list[list[Any]] = []
        self.bullet = ""

    def flush(self) -> None:
        # The only line breaks left are those of <br>.
        text = "\n".join(" ".join(line.split()) for line in "".join(self.inline).split("\n")).strip()
        self.inline.clear()
        if text:
            self.block(text)

    def block(self, text: str) -> None:
        item = bool(self.lists)
        if item:
            indent = "  " * (len(self.lists) - 1)
            text = f"{indent}{self.bullet or '  '}{text}"
            self.bullet = ""
        self.blocks.append((text, item))

    def render(self) -> str:
        self.flush()
        out = ""
        for index, (text, item) in enumerate(self.blocks):
            if index:
                out += "\n" if item and self.blocks[index - 1][1] else "\n\n"
            out += text
        return out


def to_text(root: etree._Element, skip: Callable[[etree._Element], bool] | None = None) -> str:
    """Readable text of an XHTML or HTML tree: paragraphs parted by blank lines, lists with marks, code fenced, tables by row.

    Walks without recursion, so a deeply nested page cannot exhaust the stack.

    :param skip: says of an element that it and its content are to be left out (its tail stays).
    """
    writer = _Writer()
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = local(element)
        if event == "start":
            if tag in _DROPPED or not tag or (skip is not None and skip(element)):
                walk.skip_subtree()
                continue
            if tag in ("pre", "table", "math", "hgroup"):
                _opaque(writer, element, tag, skip)
                walk.skip_subtree()
                continue
            if tag in _BLOCKS:
                writer.flush()
            if tag in ("ul", "ol"):
                writer.lists.append([tag, 0])
            elif tag == "li" and writer.lists:
                writer.lists[-1][1] += 1
                writer.bullet = "- " if writer.lists[-1][0] == "ul" else f"{writer.lists[-1][1]}. "
            elif tag == "br":
                writer.inline.append("\n")
            elif tag == "code":
                writer.inline.append("`")
            if element.text:
                writer.inline.append(_inline(element.text))
        else:
            if event == "end" and tag:
                if tag in _BLOCKS:
                    writer.flush()
                if tag in ("ul", "ol") and writer.lists:
                    writer.lists.pop()
                    writer.bullet = ""
                elif tag == "code" and not (skip is not None and skip(element)):
                    writer.inline.append("`")
            if element is not root and element.tail:
                writer.inline.append(_inline(element.tail))
    return writer.render()


def _opaque(writer: _Writer, element: etree._Element, tag: str, skip: Callable[[etree._Element], bool] | None) -> None:
    """Elements written as a whole, from their text."""
    if tag == "math":
        writer.inline.append(squeeze("".join(element.itertext())))
        return
    writer.flush()
    if tag == "pre":
        code = "".join(element.itertext()).strip("\n").expandtabs(4)
        if code.strip():
            writer.block(f"```\n{code.rstrip()}\n```")
    elif tag == "hgroup":
        lines = [squeeze(visible(child, skip)) for child in element]
        writer.block(": ".join(line for line in lines if line)) if any(lines) else None
    else:
        rows = [
            [squeeze(visible(cell, skip)) for cell in row if local(cell) in ("td", "th")]
            for row in element.iter("{*}tr", "tr")
        ]
        text = "\n".join(" | ".join(cell for cell in row if cell) for row in rows if any(row))
        if text:
            writer.block(text)


def visible(element: etree._Element, skip: Callable[[etree._Element], bool] | None = None) -> str:
    """The characters of an element without those of skipped descendants; none of an entity, which is never expanded."""
    if not local(element):
        return ""
    out: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, node in walk:
        if event == "start":
            if not local(node) or local(node) in _DROPPED or (skip is not None and skip(node)):
                walk.skip_subtree()
            else:
                out.append(node.text or "")
                if local(node) == "br":
                    out.append(" ")
        elif node is not element:
            out.append(node.tail or "")
    return "".join(out)
