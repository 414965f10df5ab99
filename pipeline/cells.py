"""Cells of a table that people open in a spreadsheet: a text is never taken for a formula, and reads back as it was."""

from __future__ import annotations

import re

#: What a spreadsheet takes for a formula (also in its full-width forms), with what it may skip before; and the quotes we put before it.
_FORMULA = re.compile(r"'*[\s\x00]*[=+\-@＝＋－＠]|'*[\t\r\n]")


def escape(text: str) -> str:
    """A cell that no spreadsheet runs: an apostrophe before what could be a formula. :func:`unescape` is its inverse."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """The text of a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
