"""Excel sheets (.xlsx), also inside a zip archive, row by row."""

from __future__ import annotations

import fnmatch
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import openpyxl
from lxml.etree import LxmlError
from openpyxl.utils.exceptions import InvalidFileException
from pydantic import Field

from sources.document import Bad, Record
from sources.files import Broken, of_content, open_binary
from sources.readers._zip import member, opened
from sources.readers.base import FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import check_columns, group_splits, read_rows
from sources.readers.streams import refuse_pointer, seekable

#: What openpyxl and the libraries under it raise on damaged workbooks.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    InvalidFileException,
    ParseError,
    LxmlError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)
_MAX_ROWS = 1_048_576
#: Excel writes no document type; one is there to define entities, which Python's parser would expand.
_ENTITIES = tuple(
    word.encode(code) for word in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")
)


class XlsxOptions(Fields):
    """Options of the ``xlsx`` reader, beside the field mapping.

    :param sheet: name of the sheet; default: the first.
    :param member: glob of the workbook inside a ``.zip`` file.
    :param max_bytes: a workbook that unpacks to more is refused (``too_large``): all its texts are held in memory.
    """

    sheet: str | None = None
    member: str = "*.xlsx"
    max_bytes: int = Field(256 << 20, gt=0)


class XlsxReader(Reader):
    """One row a record; the first row names the columns. The locator is the row's number without it, ``a.xlsx#row=17``."""

    name = "xlsx"
    Options = XlsxOptions

    def __init__(self, options: XlsxOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        return group_splits(self.options.group, files, target_bytes)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, self._rows)

    def _rows(self, file: FileRef) -> Iterator[tuple[str, Row | Bad]]:
        number = 0
        try:
            with ExitStack() as stack:
                workbook = self._open(file, stack)
                names = workbook.sheetnames
                sheet = workbook[self.options.sheet if self.options.sheet in names else names[0]]
                # What a sheet says of its size is not to be relied on: it may be 16,384 columns wide and hold one cell.
                sheet.reset_dimensions()
                wanted = self._mapper.columns()
                header = next(iter(sheet.iter_rows(max_row=1, values_only=True)), ())
                columns = [str(cell).strip() if cell is not None else "" for cell in header]
                check_columns(wanted, columns, file, self.options.optional)
                for cells in sheet.iter_rows(min_row=2, max_col=max(len(columns), 1), values_only=True):
                    number += 1
                    if number > _MAX_ROWS:
                        raise ValueError("a row beyond the last")
                    row: dict[str, Any] = {
                        name: cell for name, cell in zip(columns, cells, strict=False) if name in wanted
                    }
                    if any(value is not None for value in row.values()):
                        yield f"{file.name}#row={number}", row
        except Broken as error:
            reason = "invalid_xlsx" if error.reason == "truncated" else error.reason
            yield file.name, Bad(file.name, reason, error.detail)
        except OSError as error:
            if not of_content(error):
                raise
            yield file.name, Bad(file.name, "invalid_xlsx", "damaged")
        except _DAMAGE as error:
            origin = f"{file.name}#row={number + 1}"
            yield origin, Bad(origin, "invalid_xlsx", type(error).__name__)

    def _open(self, file: FileRef, stack: ExitStack) -> Any:
        stream: BinaryIO = stack.enter_context(seekable(open_binary(file, self.options.max_ratio)))
        refuse_pointer(stream.read(64))
        if file.name.lower().endswith(".zip"):
            with opened(stream, self.options.max_ratio) as archive:
                members = sorted(name for name in archive.namelist() if fnmatch.fnmatch(name, self.options.member))
                if not members:
                    raise Broken("missing_field", f"the archive has no member {self.options.member!r}")
                stream = io.BytesIO(member(archive, archive.getinfo(members[0]), self.options.max_bytes))
        with opened(stream, self.options.max_ratio) as archive:
            self._check(archive)
        stream.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles, which are not read here
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        stack.callback(workbook.close)
        return workbook

    def _check(self, archive: zipfile.ZipFile) -> None:
        """Refuse workbooks that are too large to hold, or define entities."""
        if sum(info.file_size for info in archive.infolist()) > self.options.max_bytes:
            raise Broken("too_large", f"the workbook unpacks to more than {self.options.max_bytes} bytes")
        for info in archive.infolist():
            if not info.is_dir() and info.filename.lower().endswith((".xml", ".rels")):
                data = member(archive, info, self.options.max_bytes)
                if any(word in data for word in _ENTITIES):
                    raise Broken("invalid_xlsx", "a part of the workbook defines entities")
