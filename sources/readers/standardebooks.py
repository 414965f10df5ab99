"""Standard Ebooks source repositories: ``content.opf`` and XHTML chapters, one record a chapter in reading order."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from lxml import etree

from sources.document import Bad, Record
from sources.readers._book import BookOptions, Package, part_title, read_package, sections
from sources.readers._io import folder, group_splits, slurp
from sources.readers._xml import parse_xml
from sources.readers.base import FileRef, Reader, Split


class StandardEbooksReader(Reader):
    """Reads books as their Standard Ebooks git repositories hold them."""

    name = "standardebooks"
    Options = BookOptions
    options: BookOptions

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        """A book is never parted: its order is in its ``content.opf``."""
        return group_splits(files, _book, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        books: dict[str, list[FileRef]] = {}
        for file in split.files:
            books.setdefault(_book(file), []).append(file)
        for book, files in books.items():
            yield from self._book(book, files)

    def _book(self, book: str, files: list[FileRef]) -> Iterator[Record | Bad]:
        package = Package()
        chapters = {posixpath.basename(f.name): f for f in files if f.name.endswith((".xhtml", ".html"))}
        for opf in (f for f in files if f.name.endswith(".opf")):
            data = slurp(opf, self.options.max_bytes)
            found = data if isinstance(data, Bad) else read_package(data, opf.name)
            if isinstance(found, Bad):
                yield found
            else:
                package = found
        order = [posixpath.basename(href) for href in package.spine] or sorted(chapters)
        part: str | None = None
        for position, stem in enumerate(order, 1):
            # A card's glob may leave files out on purpose, so a missing one is no error.
            file = chapters.get(stem)
            if file is None or stem.rpartition(".")[0] in self.options.skip:
                continue
            content = slurp(file, self.options.max_bytes)
            if isinstance(content, Bad):
                yield content
                continue
            try:
                root = parse_xml(content)
            except etree.XMLSyntaxError as error:
                yield Bad(file.name, "invalid_xml", f"line {error.lineno}")
                continue
            yield from sections(file.name, root, self.options, {**package.extra, "position": position}, part)
            if (title := part_title(root)) is not None:
                part = title


def _book(ref: FileRef) -> str:
    """Folder of the book: repositories keep chapters in ``src/epub/text``, beside or below the package file."""
    return re.sub(r"(?:/src)?(?:/epub)?(?:/text)?$", "", folder(ref))
