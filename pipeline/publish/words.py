"""Small pieces of Markdown and English that several pages are made of."""

from __future__ import annotations

import re
from typing import Any

#: Where a browser would see a tag, a comment or a declaration.
_TAG = re.compile(r"<(?!(?:https?://|mailto:)[^\s<>]*>)(?=[A-Za-z/!?])")
_PAGE = re.compile(r"(?:https?://|mailto:)[^\s<>\"']+")


def cell(text: str) -> str:
    """Text that can stand in a cell of a Markdown table: no tag of it is one, but an address in pointed brackets is."""
    return " ".join(_TAG.sub("&lt;", text.replace("|", "\\|")).split())


def linked(name: str, url: str | None) -> str:
    """A licence with its address, where that leads to a page."""
    return f"[{name}]({url.replace('(', '%28').replace(')', '%29')})" if url and _PAGE.fullmatch(url) else name


def many(number: int, noun: str, plural: str | None = None) -> str:
    """``1 row``, ``1,234 rows``."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def percent(value: Any) -> str:
    """A share; empty where there is none."""
    return f"{value:.0%}" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
