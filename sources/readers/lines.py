"""Plain text with a record a line, and labels in a second file of the same length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from pydantic import Field

from sources.document import Bad, Record
from sources.readers.base import Encoding, FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.jsonl import lines
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import read_rows

_LIMIT = 64 << 20


class LinesOptions(Fields):
    """Options of the ``lines`` reader, beside the field mapping; the line is in field ``text``, its label in ``label``.

    :param text: default: the line as it is.
    :param labels: ``{text suffix: label suffix}``: ``train_text.txt`` has its labels in ``train_labels.txt``, line by line.
    :param fallback_encoding: for lines that are not UTF-8; without it they are ``invalid_utf8``.
    :param max_line_bytes: longer lines are refused (``line_too_long``).
    """

    text: str | None = "text"
    labels: dict[str, str] = {}
    fallback_encoding: Encoding | None = None
    max_line_bytes: int = Field(default=_LIMIT, ge=1 << 10)


class LinesReader(Reader):
    """One line a record. The locator is the line's number, ``train_text.txt#line=17``; empty lines are skipped."""

    name = "lines"
    Options = LinesOptions

    def __init__(self, options: LinesOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        if not self.options.labels:
            return super().splits(files, target_bytes)
        # A text and its labels are read side by side, so they stay together.
        by_name = {file.name: file for file in files}
        pairs = ((file, by_name.get(self._label_name(file))) for file in files if self._label_name(file))
        return [Split((file, labels) if labels else (file,)) for file, labels in pairs]

    def _label_name(self, file: FileRef) -> str:
        for text, label in self.options.labels.items():
            if file.name.endswith(text):
                return file.name.removesuffix(text) + label
        return ""

    def read(self, split: Split) -> Iterator[Record | Bad]:
        if not self.options.labels:
            yield from read_rows(self._mapper, split.files, self._rows)
            return
        text, *labels = split.files
        if not labels:
            yield Bad(text.name, "missing_field", "the file with its labels is not there")
            return
        yield from read_rows(self._mapper, (text,), lambda file: self._labelled(file, labels[0]))

    def _labelled(self, text: FileRef, labels: FileRef) -> Iterator[tuple[str, Row | Bad]]:
        marks = self._lines(labels)
        for (origin, line), (_, mark) in itertools.zip_longest(self._lines(text), marks, fillvalue=("", None)):
            if line is None or mark is None:
                yield (
                    text.name,
                    Bad(origin or text.name, "missing_field", "text and labels have not the same number of lines"),
                )
                return
            if isinstance(line, Bad):
                yield origin, line
            elif str(line).strip():
                yield origin, {"text": line, "label": str(mark).strip()}

    def _rows(self, file: FileRef) -> Iterator[tuple[str, Row | Bad]]:
        for origin, line in self._lines(file):
            if isinstance(line, Bad):
                yield origin, line
            elif str(line).strip():
                yield origin, {"text": line}

    def _lines(self, file: FileRef) -> Iterator[tuple[str, str | Bad]]:
        for number, (_, line) in enumerate(
            lines(file, 0, None, self.options.max_line_bytes, self.options.max_ratio), 1
        ):
            origin = f"{file.name}#line={number}"
            if isinstance(line, Bad):
                yield origin, Bad(origin, line.reason, line.detail)
                continue
            try:
                yield origin, line.decode("utf-8")
            except UnicodeDecodeError as error:
                if self.options.fallback_encoding:
                    yield origin, line.decode(self.options.fallback_encoding, "replace")
                else:
                    yield origin, Bad(origin, "invalid_utf8", error.reason)
