"""Small pieces of Markdown and English that several pages are made of."""

from __future__ import annotations

from typing import Any


def cell(text: str) -> str:
    """Text that can stand in a cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").replace("<!--", "&lt;!--").split())


def linked(name: str, url: str | None) -> str:
    """A licence with its address."""
    return f"[{name}]({url})" if url else name


def many(number: int, noun: str, plural: str | None = None) -> str:
    """``1 row``, ``1,234 rows``."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def percent(value: Any) -> str:
    """A share; empty where there is none."""
    return f"{value:.0%}" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
