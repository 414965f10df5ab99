"""Hard-wrapped plain text back into paragraphs."""

from __future__ import annotations

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
    out: list[str] = []
    for line in lines:
        words = " ".join(line.split())
        if out and not (_tight(out[-1]) and words[:1].isalnum()):
            out.append(" ")
        out.append(words)
    return "".join(out)


def _tight(line: str) -> bool:
    """Whether the next line goes on without a space: after a dash, or a hyphen inside a word."""
    return line.endswith(("--", "—")) or (line.endswith("-") and line[-2:-1].islower())


def is_prose(lines: list[str]) -> bool:
    """Whether the lines but the last reach a margin, as wrapped sentences do."""
    lengths = [len(line.strip()) for line in lines[:-1]]
    full = sum(length >= _WRAPPED for length in lengths)
    if full / len(lengths) < 0.8:
        return False
    # A table reaches the margin too: its lines have gaps inside.
    gaps = sum("   " in line.strip() or "...." in line or "\t" in line for line in lines)
    return gaps / len(lines) < 0.5
