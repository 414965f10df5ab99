"""OpenStax textbooks: CNXML modules and the collection that orders them, one record a module."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree
from pydantic import Field

from sources.document import Bad, Record
from sources.readers._io import slurp
from sources.readers._xml import local, parse_xml, squeeze
from sources.readers.base import FileRef, Options, Reader, Split, pack

_EMPTY_BRACKETS = re.compile(r" ?[(\[][\s,;.]*[)\]]")
_BEFORE_STOP = re.compile(r" +([,.;:!?])")
#: Who took a picture says nothing to who cannot see it.
_CREDIT = re.compile(r"\s*\((?:image )?(?:credits?|source|attribution)\b(?:[^()]|\([^()]*\))*\)\.?", re.IGNORECASE)
_CHROME = re.compile(r"Estimated completion time:.{0,40}", re.IGNORECASE)


class CnxmlOptions(Options):
    """Options of the cnxml reader.

    :param exercises: keep review questions and answers, marked ``Question:`` and ``Answer:``.
    :param glossary: keep the key terms with their definitions.
    :param skip: classes of sections to leave out.
    :param min_chars: shorter modules (stubs that only hold embedded exercises) are not records.
    :param max_bytes: larger files are refused as ``too_large``.
    """

    exercises: bool = True
    glossary: bool = True
    skip: frozenset[str] = frozenset({"references", "further-research", "further-reading", "learning-objectives"})
    min_chars: int = Field(200, ge=0)
    max_bytes: int = Field(32 << 20, gt=0)


class CnxmlReader(Reader):
    """Reads ``modules/<id>/index.cnxml``; ``collections/*.collection.xml`` among the files tell book and chapter."""

    name = "cnxml"
    Options = CnxmlOptions
    options: CnxmlOptions

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        """Every split gets the (small) collection files beside its modules."""
        collections = tuple(f for f in files if f.name.endswith(".collection.xml"))
        modules = [f for f in files if not f.name.endswith(".collection.xml")]
        return [Split(collections + split.files) for split in pack(modules, target_bytes)]

    def read(self, split: Split) -> Iterator[Record | Bad]:
        places: dict[str, list[dict[str, Any]]] = {}
        for file in split.files:
            if file.name.endswith(".collection.xml") and isinstance(bad := self._collection(file, places), Bad):
                yield bad
        for file in split.files:
            if not file.name.endswith(".collection.xml"):
                yield from self._module(file, places)

    def _parse(self, file: FileRef) -> etree._Element | Bad:
        data = slurp(file, self.options.max_bytes)
        if isinstance(data, Bad):
            return data
        try:
            return parse_xml(data)
        except etree.XMLSyntaxError as error:
            return Bad(file.name, "invalid_xml", f"line {error.lineno}")

    def _collection(self, file: FileRef, places: dict[str, list[dict[str, Any]]]) -> Bad | None:
        """Note for each module in which book and chapter it stands."""
        root = self._parse(file)
        if isinstance(root, Bad):
            return root
        book = _title(root.find("{*}metadata"))
        for position, module in enumerate(root.iter("{*}module"), 1):
            chapters = [_title(above) for above in module.iterancestors("{*}subcollection")]
            place = {"book": book, "chapter": " / ".join(reversed([c for c in chapters if c])), "position": position}
            places.setdefault(module.get("document", ""), []).append(
                {key: value for key, value in place.items() if value}
            )
        return None

    def _module(self, file: FileRef, places: dict[str, list[dict[str, Any]]]) -> Iterator[Record | Bad]:
        root = self._parse(file)
        if isinstance(root, Bad):
            yield root
            return
        if local(root) != "document":
            yield Bad(file.name, "not_cnxml", "the root element is not <document>")
            return
        title = _title(root)
        metadata = root.find("{*}metadata")
        module_id = (
            next((squeeze(e.text or "") for e in root.iter("{*}content-id")), "") or file.name.rsplit("/", 2)[-2:][0]
        )
        text = _Module(root, self.options).render()
        if len(text) < self.options.min_chars:
            return
        extra: dict[str, Any] = {"title": title, "module": module_id}
        if metadata is not None and (license_url := next((e.get("url") for e in metadata.iter("{*}license")), None)):
            extra["license_url"] = license_url
        if found := places.get(module_id):
            extra |= found[0] | ({"also_in": found[1:]} if len(found) > 1 else {})
        yield Record(file.name, file.name, f"{title}\n\n{text}" if title else text, extra=extra)


def _title(element: etree._Element | None) -> str:
    if element is None:
        return ""
    found = next((child for child in element if local(child) == "title"), None)
    return squeeze("".join(found.itertext())) if found is not None else ""


class _Module:
    """Turns the tree of one module into blocks of text."""

    def __init__(self, root: etree._Element, options: CnxmlOptions) -> None:
        self.root, self.options = root, options
        self.blocks: list[str] = []
        # Links inside a module say "Figure 2" once its figures and tables are numbered.
        self.labels: dict[str, str] = {}
        for kind in ("figure", "table"):
            for number, element in enumerate(root.iter("{*}" + kind), 1):
                self.labels[element.get("id") or ""] = f"{kind.capitalize()} {number}"

    def render(self) -> str:
        for child in self.root:
            if local(child) == "content" or (local(child) == "glossary" and self.options.glossary):
                self.walk(child)
        return "\n\n".join(block for block in self.blocks if block and not _CHROME.fullmatch(block))

    def walk(self, element: etree._Element) -> None:
        """Append the blocks of an element. Recursion is as deep as the document's nesting, which libxml2 limits to 256."""
        tag = local(element)
        if self.skipped(element, tag):
            return
        if tag == "glossary":
            entries = [self.definition(child) for child in element if local(child) == "definition"]
            if any(entries):
                self.blocks += ["Key terms", "\n".join(entry for entry in entries if entry)]
        elif tag in ("para", "title", "caption", "quote", "equation", "code") and not self.has_blocks(element):
            self.blocks.append(self.inline(element))
        elif tag == "list":
            self.blocks.append(self.listing(element))
        elif tag == "table":
            self.table(element)
        elif tag == "figure":
            caption = _CREDIT.sub("", next((self.inline(c) for c in element.iter("{*}caption")), ""))
            if caption:
                self.blocks.append(f"{self.labels.get(element.get('id') or '', 'Figure')}: {caption}")
        elif tag == "exercise":
            self.exercise(element)
        elif tag == "definition":
            self.blocks.append(self.definition(element))
        else:
            self.mixed(element)

    def mixed(self, element: etree._Element) -> None:
        """A container: its own words up to each block inside it, then the block."""
        run = [element.text or ""] if local(element) in ("para", "quote", "problem", "solution", "item") else []
        for child in element:
            if local(child) in _BLOCK_TAGS:
                self.blocks.append(_clean("".join(run)))
                run = []
                self.walk(child)
            else:
                run.append(self.inline_of(child))
            run.append(child.tail or "")
        self.blocks.append(_clean("".join(run)))

    def skipped(self, element: etree._Element, tag: str) -> bool:
        if tag == "exercise" and not self.options.exercises:
            return True
        classes = {*(element.get("class") or "").split(), element.get("type")}
        return tag in ("section", "note") and bool(classes & self.options.skip)

    def has_blocks(self, element: etree._Element) -> bool:
        return any(local(child) in _BLOCK_TAGS for child in element)

    def inline(self, element: etree._Element) -> str:
        return _clean(self.inline_run(element))

    def inline_run(self, element: etree._Element) -> str:
        parts = [element.text or ""]
        for child in element:
            parts += [self.inline_of(child), child.tail or ""]
        return "".join(parts)

    def inline_of(self, element: etree._Element) -> str:
        tag = local(element)
        if tag in ("footnote", "media", "iframe", "figure", "image", "metadata"):
            return ""
        if tag in ("newline", "space"):
            return " "
        if tag == "link" and not squeeze("".join(element.itertext())):
            return self.labels.get(element.get("target-id") or "", "")
        return self.inline_run(element)

    def listing(self, element: etree._Element) -> str:
        numbered = element.get("list-type") == "enumerated"
        style = element.get("number-style") or "arabic"
        lines = [title] if (title := _title(element)) else []
        for number, item in enumerate((c for c in element if local(c) == "item"), 1):
            mark = _number(number, style) if numbered else "-"
            if self.has_blocks(item):
                inner = _Module(self.root, self.options)
                inner.labels = self.labels
                inner.mixed(item)
                text = "\n  ".join("\n".join(b for b in inner.blocks if b).split("\n"))
            else:
                text = self.inline(item)
            if text:
                lines.append(f"{mark} {text}")
        return "\n".join(lines)

    def table(self, element: etree._Element) -> None:
        label = self.labels.get(element.get("id") or "", "Table")
        head = next((self.inline(c) for c in element if local(c) in ("title", "caption")), "")
        rows = [[self.cell(entry) for entry in row if local(entry) == "entry"] for row in element.iter("{*}row")]
        lines = [" | ".join(cell for cell in row if cell) for row in rows]
        body = "\n".join(line for line in lines if line)
        if body:
            self.blocks.append(f"{label}: {head}\n{body}" if head else body)

    def cell(self, entry: etree._Element) -> str:
        items = list(entry.iter("{*}item"))
        return "; ".join(filter(None, map(self.inline, items))) if items else self.inline(entry)

    def exercise(self, element: etree._Element) -> None:
        for child in element:
            mark = {"problem": "Question", "solution": "Answer"}.get(local(child))
            if mark is None:
                continue
            inner = _Module(self.root, self.options)
            inner.labels = self.labels
            inner.mixed(child)
            text = "\n".join(b for b in inner.blocks if b)
            if text:
                self.blocks.append(f"{mark}: {text}")

    def definition(self, element: etree._Element) -> str:
        parts = {local(child): self.inline(child) for child in element}
        return f"{parts.get('term', '')}: {parts['meaning']}" if parts.get("meaning") else ""


_BLOCK_TAGS = frozenset(
    {
        "para",
        "list",
        "table",
        "figure",
        "exercise",
        "section",
        "note",
        "quote",
        "equation",
        "example",
        "definition",
        "glossary",
        "title",
        "rule",
    }
)


def _clean(text: str) -> str:
    text = squeeze(text)
    if "(" in text or "[" in text:
        text = _EMPTY_BRACKETS.sub("", text)
    return _BEFORE_STOP.sub(r"\1", text)


def _number(number: int, style: str) -> str:
    if style in ("lower-alpha", "upper-alpha") and number <= 26:
        letter = chr(ord("a") + number - 1)
        return f"{letter.upper() if style == 'upper-alpha' else letter}."
    return f"{number}."
