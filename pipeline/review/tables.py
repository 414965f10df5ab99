"""CSV that people open in a spreadsheet: written so that no text is taken for a formula, read as spreadsheets save it."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from pipeline.cells import escape, unescape

#: Characters a cell of Excel can hold are 32,767; a longer text would spill into the next row.
CELL_LIMIT = 32_000


def canonical(text: str) -> str:
    """A text as it compares after a spreadsheet had it: ends of lines and white space around it do not count."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def write_csv(columns: list[str], rows: list[dict[str, str]]) -> bytes:
    """A table. With a byte order mark, since Excel takes the file for another encoding without one; every cell in quotes."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: escape(value) for name, value in row.items()} for row in rows)
    return codecs.BOM_UTF8 + out.getvalue().encode("utf-8")


@dataclass(frozen=True)
class Table:
    """A table as it came back.

    :param columns: names in small letters.
    :param rows: with the line each begins on; every row has every column.
    :param broken: lines with more cells than columns, which no column can be trusted of.
    :param narrow: the file's encoding cannot hold every character, so that some may have become question marks.
    """

    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]
    broken: list[int]
    narrow: bool

    def same(self, cell: str, text: str) -> bool:
        """Whether a cell still holds a text."""
        cell, text = canonical(unescape(cell)), canonical(text)
        return cell == (text.encode("cp1252", "replace").decode("cp1252") if self.narrow else text) or cell == text


def read_csv(path: Path) -> Table:
    """Read a table that a spreadsheet may have saved: commas, semicolons or tabs; UTF-8, UTF-16 or the Western Windows code page.
    What is no table at all has none of the columns one looks for."""
    content = path.read_bytes()
    text, narrow = _decode(content)
    header = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        columns: list[str] = []
        rows: list[tuple[int, dict[str, str]]] = []
        broken: list[int] = []
        line = 1
        for cells in reader:
            began, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip().lower() for cell in cells]
            elif any(cell.strip() for cell in cells[len(columns) :]):
                broken.append(began)
            else:
                padded = [*cells, *[""] * len(columns)]
                rows.append((began, {name: cell for name, cell in zip(columns, padded, strict=False) if name}))
    finally:
        csv.field_size_limit(limit)
    return Table(columns, rows, broken, narrow)


def _decode(content: bytes) -> tuple[str, bool]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), False
    try:
        return content.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), True
