"""Hard-wrapped plain text back into paragraphs."""

from __future__ import annotations

import re

_JOIN_TIGHT = re.compile(r"(?:--|—|(?<=[a-z])-)$")
#: A line of prose wrapped at the margin is rarely shorter than this; verse and tables mostly are.
_WRAPPED = 45


def paragraphs(text: str) -> list[list[str]]:
    """Runs of non-blank lines, right-stripped."""
    blocks: list[list[str]] = []
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line.rstrip())
        elif block:
            blocks.append(block)
            block = []
    if block:
        blocks.append(block)
    return blocks


def unwrap(lines: list[str]) -> str:
    """One paragraph: wrapped prose joined to a line, verse, lists and tables kept line by line."""
    if len(lines) == 1:
        return " ".join(lines[0].split())
    if not is_prose(lines):
        margin = min(len(line) - len(line.lstrip()) for line in lines)
        return "\n".join(line[margin:].rstrip() for line in lines)
    out = ""
    for line in lines:
        line = " ".join(line.split())
        tight = not out or (_JOIN_TIGHT.search(out) is not None and line[:1].isalnum())
        out += line if tight else f" {line}"
    return out


def is_prose(lines: list[str]) -> bool:
    """Whether the lines but the last reach a margin, as wrapped sentences do."""
    lengths = [len(line.strip()) for line in lines[:-1]]
    full = sum(length >= _WRAPPED for length in lengths)
    if full / len(lengths) < 0.8:
        return False
    # A table reaches the margin too: its lines have gaps inside.
    gaps = sum(re.search(r"\S {3,}\S|\.{4,}|\t", line) is not None for line in lines)
    return gaps / len(lines) < 0.5
