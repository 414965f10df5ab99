"""Mends what a corpus' own preparation did to its texts and times: not cleaning, which comes later and is the same for all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any


def parse_time(value: Any) -> datetime | None:
    """Epoch seconds or milliseconds, or an ISO date, as UTC; None for what is neither."""
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, str):
            value = value.strip()
            if not value.replace(".", "", 1).isdigit():
                moment = datetime.fromisoformat(value.replace("/", "-"))
                return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def unmojibake(text: str, encoding: str) -> str:
    """Undo UTF-8 that was read as ``encoding`` once or several times."""

    def mend(found: re.Match[str]) -> str:
        run = found[0]
        for _ in range(3):
            try:
                run = run.encode(encoding).decode("utf-8")
            except UnicodeError:
                break
        return run

    return _FOREIGN.sub(mend, text)


_R_ESCAPE = re.compile(r"<U\+([0-9A-F]{4,8})>")


def unescape_r(text: str) -> str:
    """Characters that R wrote as ``<U+00E9>``."""
    return _R_ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return found[0]
    # R on Windows gives the letters of its code page, which lie between 0x80 and 0x9f, under their own numbers.
    return bytes([code]).decode("cp1252", "replace") if 0x80 <= code < 0xA0 else chr(code)


#: What a Penn Treebank tokenizer (and those that part at apostrophes only) set apart. Plain replacements: they are ten times as
#: fast as regular expressions.
_SUFFIXES = ("n't", "N'T", "'s", "'m", "'d", "'re", "'ve", "'ll", "'S", "'M", "'D", "'RE", "'VE", "'LL")
_TOKENS: tuple[tuple[str, str], ...] = (
    *((f" {suffix}{end}", f"{suffix}{end}") for suffix in _SUFFIXES for end in (" ", "\n")),
    *((f"n '{t}{end}", f"n'{t}{end}") for t in "tT" for end in (" ", "\n")),
    ("`` ", '"'),
    (" ''", '"'),
    *((f" {mark}", mark) for mark in ".,!?;:%)]}\u2026"),
    *((f"{mark} ", mark) for mark in "([{$#"),
)


def detokenize(text: str) -> str:
    """Words and punctuation as people write them, from text that a tokenizer set apart with spaces."""
    text = f"{text} "
    for old, new in _TOKENS:
        if old in text:
            text = text.replace(old, new)
    lines = []
    # Plain quote marks stand alone between spaces: the odd ones open, the even ones close.
    for line in map(str.rstrip, text.rstrip().split("\n")):
        parts = _LONE_QUOTE.split(line) if '"' in line else [line]
        lines.append(line if len(parts) % 2 == 0 else _quotes(parts))
    return "\n".join(lines)


_LONE_QUOTE = re.compile(r'[ \t]+"(?=[ \t]|[.,!?;:)]|$)|^"[ \t]+')


def _quotes(parts: list[str]) -> str:
    out = parts[0]
    for number, part in enumerate(parts[1:]):
        out += (' "' if out else '"') + part.lstrip() if number % 2 == 0 else '"' + part
    return out


_BREAKS = re.compile(r"\s*\n\s*\n\s*")


def html_to_text(text: str) -> str:
    """Plain paragraphs of an HTML fragment: blocks apart by an empty line, ``<br>`` a line break, entities resolved."""
    if "<" not in text and "&" not in text:
        return text
    from lxml import etree, html

    try:
        root = html.fragment_fromstring(text, create_parent="div")
    except (etree.ParserError, ValueError):
        return text
    for node in root.iter("br"):
        node.tail = "\n" + (node.tail or "")
    for node in root.iter("li"):
        node.text = "- " + (node.text or "").lstrip()
    for node in root.iter("p", "div", "ul", "ol", "li", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "pre"):
        end = "\n" if node.tag in ("li", "tr") else "\n\n"
        node.tail = end + (node.tail or "")
        if node.tag in ("ul", "ol", "blockquote", "pre"):
            node.text = "\n\n" + (node.text or "")
    return _BREAKS.sub("\n\n", root.text_content()).strip()


def unglue(whole: str, part: str, mine: list[bool]) -> list[str] | None:
    """Cut ``whole`` into its turns.

    The turns of one speaker, put together, must be ``part``. Of the cuts that fit, the one is taken that falls most often
    between the end of a sentence and a new one without a space.

    :param mine: for each turn, whether it is that speaker's.
    :returns: the turns, or None if no cut fits.
    """
    # best[i, j]: the best cuts so that the turns seen so far are whole[:i], with part[:j] in the speaker's own.
    best: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {(0, 0): (0, ())}
    for number, own in enumerate(mine):
        found: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        for (i, j), (score, cuts) in best.items():
            for at in _ends(whole, i, part, j, own, number == len(mine) - 1):
                state = (at, j + at - i if own else j)
                gain = score + (_seam(whole, at) if at < len(whole) else 0)
                if state not in found or gain > found[state][0]:
                    found[state] = (gain, (*cuts, at))
        best = found
    if (len(whole), len(part)) not in best:
        return None
    cuts = best[len(whole), len(part)][1]
    return [whole[start:end] for start, end in zip((0, *cuts), cuts, strict=False)]


def _ends(whole: str, i: int, part: str, j: int, own: bool, last: bool) -> Iterable[int]:
    """Where a turn that starts at ``i`` may end."""
    if own:
        same = _common(whole, i, part, j)
        if last:
            return [len(whole)] if i + same == len(whole) else []
        # Up to where the two texts part; a little before, as what follows may begin alike by chance.
        return range(max(i + 1, i + same - 3), i + same + 1)
    if last:
        return [len(whole)] if j == len(part) else []
    start = part[j : j + 5]
    return [at for at in range(i + 1, len(whole)) if whole.startswith(start, at)] if start else []


def _seam(text: str, at: int) -> int:
    """How much a place looks like the end of one turn and the start of the next."""
    before, after = text[at - 1], text[at]
    if before in ".!?)\"'":
        return 4 if after.isupper() else 3 if after.isalpha() else 1
    if before.isspace():
        return 2 if text[:at].rstrip()[-1:] in ".!?" and after.isupper() else 0
    if after.isspace() or after in ".!?,;:)'\"-":
        return -2
    return 2 if before.islower() and after.isupper() else 0


def _common(whole: str, i: int, part: str, j: int) -> int:
    length = 0
    while i + length < len(whole) and j + length < len(part) and whole[i + length] == part[j + length]:
        length += 1
    return length
