"""Excel sheets (.xlsx), also inside a zip archive, row by row."""

from __future__ import annotations

import fnmatch
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from sources.document import Bad, Record
from sources.files import open_binary
from sources.readers.base import FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import check_columns, group_splits, read_rows
from sources.readers.streams import Broken, refuse_pointer, seekable


class XlsxOptions(Fields):
    """Options of the ``xlsx`` reader, beside the field mapping.

    :param sheet: name of the sheet; default: the first.
    :param member: glob of the workbook inside a ``.zip`` file.
    """

    sheet: str | None = None
    member: str = "*.xlsx"


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
                columns: list[str] | None = None
                wanted = self._mapper.columns()
                for cells in sheet.iter_rows(values_only=True):
                    if columns is None:
                        columns = [str(cell).strip() if cell is not None else "" for cell in cells]
                        check_columns(wanted, columns, file, self.options.optional)
                        continue
                    number += 1
                    row: dict[str, Any] = {
                        name: cell for name, cell in zip(columns, cells, strict=False) if name in wanted
                    }
                    if any(value is not None for value in row.values()):
                        yield f"{file.name}#row={number}", row
        except Broken as error:
            yield file.name, error.bad(file.name)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, EOFError, ParseError, ValueError) as error:
            origin = f"{file.name}#row={number + 1}"
            yield origin, Bad(origin, "invalid_xlsx", type(error).__name__)

    def _open(self, file: FileRef, stack: ExitStack) -> Any:
        stream: BinaryIO = stack.enter_context(seekable(open_binary(file)))
        refuse_pointer(stream.read(64))
        stream.seek(0)
        if file.name.lower().endswith(".zip"):
            archive = stack.enter_context(zipfile.ZipFile(stream))
            members = sorted(name for name in archive.namelist() if fnmatch.fnmatch(name, self.options.member))
            if not members:
                raise Broken("missing_field", f"the archive has no member {self.options.member!r}")
            stream = stack.enter_context(seekable(archive.open(members[0])))  # type: ignore[arg-type]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles, which are not read here
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        stack.callback(workbook.close)
        return workbook
