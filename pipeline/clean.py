"""Cleaning: mended encodings, NFC, no invisible characters, normal line breaks, no web boilerplate.

:func:`clean` takes an Arrow batch of texts and returns one of the same length. Four steps, each on whole batches:

1. `ftfy <https://ftfy.readthedocs.io>`_ (Speer 2019), only on texts a Rust regex says it could change: everything ftfy
   can do starts from an HTML entity, a control character, a ligature, a sequence its own ``badness`` heuristic
   flags, or a character that NFC may change. A test runs ftfy on everything and compares.
2. :func:`tidy`, one numba pass over the UTF-8 bytes: control and zero-width characters, line breaks, trailing and
   blank space.
3. Boilerplate lines (cookie banners, "enable JavaScript", share bars, Reddit's ``[deleted]``), only where a keyword
   occurs.
4. :func:`tidy` again where lines were taken out.

Curly quotes, full-width CJK punctuation and the joiners inside emoji and Arabic or Indic words are content and stay.
"""

from __future__ import annotations

import re
from functools import cache

import ftfy
import numba
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from ftfy import badness

#: Part of the key of every cleaned artifact: raise it whenever the same input could give another output.
CLEAN_VERSION = "2"

#: ``uncurl_quotes`` and ``fix_character_width`` are off: “ ” ‘ ’ are good typography and ，！ are how Chinese is written.
FTFY = ftfy.TextFixerConfig(uncurl_quotes=False, fix_character_width=False, explain=False)

#: Forum and chat dumps carry escaped HTML (``&gt;`` quotes) beside literal ``<3``, so there entities are always
#: unescaped; elsewhere ftfy's "auto" leaves a text alone that has ``<`` in it, as that is likely source code or markup.
_ALWAYS_UNESCAPE = frozenset({"forum", "transcript"})

# What NFC may change or what may combine with its neighbour: a superset of "NFC_Quick_Check is not Yes" (UAX #15), less
# the variation selectors of emoji. Ranges are widened to stay readable; a test holds them against unicodedata.
_NFC_UNSURE = (
    r"[\p{M}--[\x{FE00}-\x{FE0F}]]|[\x{0374}\x{037E}\x{0387}\x{0958}-\x{0F69}\x{1100}-\x{11FF}\x{1F71}-\x{1FFD}"
    r"\x{2000}\x{2001}\x{2126}\x{212A}\x{212B}\x{2329}\x{232A}\x{2ADC}\x{F900}-\x{FAD9}\x{FB1D}-\x{FB4E}"
    r"\x{1D15E}-\x{1D1C0}\x{2F800}-\x{2FA1D}]"
)
# Entities, the control characters ftfy removes (ESC opens terminal escapes) and the ligatures it spells out.
_ASCII_TRIGGER = r"&#?[0-9A-Za-z]{1,24};|[\x00-\x08\x0B\x0E-\x1F\x7F]"
_BEYOND_ENTITY = r"[\x00-\x08\x0B\x0E-\x1F\x7F]"
_ENTITIES = {
    "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&#39;": "'", "&#x27;": "'", "&#34;": '"',
    "&nbsp;": "\xa0", "&#160;": "\xa0", "&#x200B;": "\u200b", "&#8203;": "\u200b", "&rsquo;": "’", "&lsquo;": "‘",
    "&rdquo;": "”", "&ldquo;": "“", "&#8217;": "’", "&hellip;": "…", "&mdash;": "—", "&ndash;": "–",
}  # fmt: skip
_OTHER_TRIGGER = (
    r"[\x{80}-\x{84}\x{86}-\x{9F}\x{206A}-\x{206F}\x{FEFF}\x{FFF9}-\x{FFFC}"
    r"\x{0132}\x{0133}\x{0149}\x{01C4}-\x{01CC}\x{01F1}-\x{01F3}\x{FB00}-\x{FB06}]"
)

_SPACE, _TAB, _NEWLINE = 0x20, 0x09, 0x0A
#: Blank lines in a row that are kept; books part chapters with two.
MAX_BLANK_LINES = 2

_NETWORK = (
    r"(?:facebook|twitter|x|pinterest|linked ?in|whatsapp|reddit|e-?mail|tumblr|google\+?|print|instagram|youtube|tiktok|"
    r"telegram|copy link|pocket|messenger|skype|rss)"
)
# A line must consist of such a phrase from its start: a sentence of prose that merely mentions cookies stays.
_TECHNICAL_LINES = (
    r"(?:this|our|the) (?:web ?)?site uses cookies[^\n]{0,200}",
    r"we (?:and our (?:\d+ )?partners )?use (?:our own and third[- ]party )?cookies (?:to|on|and|for)\b[^\n]{0,200}",
    r"by (?:continuing|using|clicking|browsing)[^\n]{0,80}\bcookies?\b[^\n]{0,100}",
    r"(?:accept|reject|manage|allow)(?: all)? cookies\.?",
    r"(?:please |you (?:need|have) to |you must |to [^\n]{1,60}(?:, )?(?:please )?)?(?:enable|turn on|activate) java ?script"
    r"[^\n]{0,120}",
    r"(?:it (?:looks|seems) like |sorry, |we're sorry,? (?:but )?|your browser[^\n]{0,40} )?java ?script "
    r"(?:is|must be|seems to be|appears to be) (?:currently |not )?(?:disabled|enabled|required|turned off|available)"
    r"[^\n]{0,120}",
    r"this (?:site|page|app|website)[^\n]{0,20} (?:requires|needs) java ?script[^\n]{0,120}",
)
_WEB_LINES = (
    r"(?:please )?(?:click|tap) here to (?:subscribe|sign up|unsubscribe|join|register|share|log ?in)[^\n]{0,80}",
    r"(?:subscribe|sign up)(?: here| now| today| below)?(?: to| for)? (?:our|the|my|this)\b[^\n]{0,30}"
    r"\b(?:newsletter|mailing list|channel|updates|blog|feed)\b[^\n]{0,60}",
    r"(?:share|tweet|pin) (?:this(?: (?:post|article|page|story))? )?(?:on|via|to|by):? ?"
    + _NETWORK
    + r"(?:[ ,|:/•·&]+(?:and |on |via |share |tweet |pin )*"
    + _NETWORK
    + r")*[.!]?",
    r"share this(?: (?:post|article|page|story|entry))?[:.!]?",
    r"(?:follow|find|like) us on " + _NETWORK + r"[^\n]{0,80}",
    r"(?:cookie|privacy) (?:policy|settings|preferences|notice)(?: ?[|•·/-] ?(?:terms|contact|about)[^\n]{0,80})?\.?",
    r"skip to (?:main )?(?:content|navigation|search)",
    r"(?:©|\(c\)|copyright)[^\n]{0,100}all rights reserved\.?",
    r"all rights reserved\.?",
    r"(?:advertisement|sponsored content|continue reading below|story continues below(?: advertisement)?)",
    r"(?:back to top|load more comments|view all \d* ?comments|log in or sign up to[^\n]{0,80})",
    r"\*{0,2}\^?\(?i am a bot, and this action was performed automatically\b[^\n]{0,300}",
)
_STUB_LINES = (r"\[ ?(?:deleted|removed)(?: by (?:user|reddit|moderators?|author))? ?\]",)

_LINES: dict[str, tuple[str, ...]] = {
    "forum": (*_TECHNICAL_LINES, *_WEB_LINES, *_STUB_LINES),
    "transcript": (*_TECHNICAL_LINES, *_WEB_LINES, *_STUB_LINES),
    "psychology": (*_TECHNICAL_LINES, *_WEB_LINES),
    "general": (*_TECHNICAL_LINES, *_WEB_LINES),
    # Old books head their prefaces "Advertisement" and print "All rights reserved" as part of the work.
    "biography": _TECHNICAL_LINES,
}
# Every line pattern above contains one of these words; a test checks it.
_KEYWORDS = [
    "cookie", "javascript", "java script", "here to ", "subscribe", "sign up", "share on", "share via",
    "share to", "share by", "share this", "tweet this", "tweet on", "tweet via", "tweet to", "tweet by", "pin this", "pin on",
    "pin via", "pin to", "pin by", " us on ", "privacy policy", "privacy settings", "privacy preferences", "privacy notice",
    "skip to", "rights reserved", "advertisement", "sponsored content", "reading below", "back to top", "more comments",
    "view all", "log in or", "i am a bot", "[deleted", "[removed", "[ deleted", "[ removed",
]  # fmt: skip


def clean(texts: pa.Array, family: str) -> pa.Array:
    """Clean a batch of texts.

    :param texts: strings; null stays null and an empty text stays empty. A few thousand a call is a good size.
    :param family: forum, biography, psychology, transcript or general; chooses boilerplate lines and entity handling.
    :returns: ``pa.string()`` array of the same length. ``clean`` of its result gives it again.
    :raises KeyError: for an unknown family.
    """
    lines = _line_pattern(family)
    series = pl.Series("text", texts, dtype=pl.String)
    if len(series) == 0:
        return pa.array([], pa.string())
    series = series.str.strip_chars_start()  # ftfy looks at how a line starts: what it sees must be what is kept
    rows = may_change(series).arg_true()
    if len(rows):
        series = series.scatter(rows, _fix(series.gather(rows), family in _ALWAYS_UNESCAPE))
    out = tidy(series.to_arrow())

    series = pl.Series("text", out)
    suspects = series.str.contains_any(_KEYWORDS, ascii_case_insensitive=True)
    if suspects.any():
        rows = suspects.arg_true()
        without = tidy(series.gather(rows).str.replace_all(lines, "").to_arrow())
        out = series.scatter(rows, pl.Series("text", without)).to_arrow().cast(pa.string())
    return out


def _fix(texts: pl.Series, always_unescape: bool) -> pl.Series:
    """``ftfy.fix_text`` of texts without null.

    Most texts that come here only hold ``&amp;`` or ``&gt;``. Where replacing the common entities until nothing changes
    leaves a text that ftfy would not touch, that text is what ftfy gives too; the others go through ftfy itself.
    """
    quick = texts.str.contains(_BEYOND_ENTITY).not_() & _unicode_may_change(texts).not_()
    if not always_unescape:
        quick &= texts.str.contains("<", literal=True).not_()
    unescaped = texts
    for _ in range(3):  # "&amp;amp;gt;" is as deep as dumps of dumps go; what is deeper stays may_change and is ftfy's
        unescaped = unescaped.str.replace_many(list(_ENTITIES), list(_ENTITIES.values()))
    quick &= may_change(unescaped).not_()
    slow = quick.not_().arg_true()
    if len(slow):
        config = FTFY._replace(unescape_html=True) if always_unescape else FTFY
        fixed = pl.Series("text", [ftfy.fix_text(text, config) for text in texts.gather(slow)], dtype=pl.String)
        unescaped = unescaped.scatter(slow, fixed)
    return unescaped


def may_change(texts: pl.Series) -> pl.Series:
    """Mask of the texts that ftfy (as configured in :data:`FTFY`) or NFC could change other than in their line breaks.

    It errs on the side of True: a False is a promise, a True a guess.

    :param texts: string series.
    :returns: boolean series, null where the text is.
    """
    return texts.str.contains(_ASCII_TRIGGER) | _unicode_may_change(texts)


def _unicode_may_change(texts: pl.Series) -> pl.Series:
    """:func:`may_change` less its ASCII reasons. The big regex only runs on the texts that are not ASCII."""
    rows = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    mask = pl.repeat(False, len(texts), dtype=pl.Boolean, eager=True)
    return mask.scatter(rows, texts.gather(rows).str.contains(_unicode_trigger())) if len(rows) else mask


def tidy(texts: pa.Array) -> pa.Array:
    """Remove control and zero-width characters, normalise line breaks, trailing space and runs of blank lines.

    ``\\r\\n``, ``\\r``, form feed, NEL and the Unicode separators become ``\\n``; no-break spaces become spaces; ZWJ
    and ZWNJ stay between letters of scripts that shape with them and inside emoji; tag characters stay inside flag
    emoji only.

    :param texts: string or large_string array, nulls allowed.
    :returns: ``pa.string()`` array of the same length and validity.
    :raises OverflowError: if the batch holds 2 GiB of text or more (call with fewer texts).
    """
    data, offsets = utf8_buffers(texts)
    out, out_offsets = _tidy(data, offsets, MAX_BLANK_LINES)
    if out_offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError("a batch of texts must be smaller than 2 GiB")
    validity = None
    if texts.null_count:
        validity = pa.array(np.asarray(pc.is_valid(texts).to_numpy(zero_copy_only=False))).buffers()[1]
    out_offsets = out_offsets.astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(texts), [validity, pa.py_buffer(out_offsets), pa.py_buffer(out[: out_offsets[-1]].copy())]
    )


def utf8_buffers(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of a string array without copying them.

    :param texts: string or large_string array, possibly a slice; nulls read as empty.
    :returns: ``(data, offsets)``: uint8 bytes and ``len(texts) + 1`` int64 offsets into them.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    large = pa.types.is_large_string(texts.type)
    if not large and texts.type != pa.string():
        texts = texts.cast(pa.string())
    _, offset_buffer, data_buffer = texts.buffers()
    if len(texts) == 0 or offset_buffer is None:
        return np.frombuffer(b"", np.uint8), np.zeros(len(texts) + 1, np.int64)
    dtype = np.int64 if large else np.int32
    offsets = np.frombuffer(offset_buffer, dtype)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    data = np.zeros(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    data.flags.writeable = False  # one signature, so one compilation, for buffers of every origin
    return data, offsets


@cache
def _line_pattern(family: str) -> str:
    return r"(?mi)^[ \t>*_]{0,8}(?:" + "|".join(_LINES[family]) + r")[ \t*_]*$"


@cache
def _unicode_trigger() -> str:
    """ftfy's ``BADNESS_RE`` as a Rust regex, with the other non-ASCII reasons to call ftfy."""
    return "|".join((_OTHER_TRIGGER, _NFC_UNSURE, _unverbose(badness.BADNESS_RE.pattern)))


def _unverbose(pattern: str) -> str:
    """Spell out a Python ``re.VERBOSE`` pattern, because Rust's ``(?x)`` also skips spaces inside character classes."""
    out = []
    for part in re.findall(r"\[(?:\\.|[^\]])+\]|\\.|#[^\n]*|\s+|.", pattern):
        if (part.isspace() and part != "\xa0") or part.startswith("#"):
            continue
        # Rust gives meaning to [ && -- ~~ inside a class; a leading '-' is literal in both.
        out.append(re.sub(r"[\[&~]", r"\\\g<0>", part[1:-1]).join("[]") if part[0] == "[" else part)
    return "".join(out)


@numba.njit(cache=True, nogil=True, inline="always")
def _joins(cp: int) -> bool:
    """Whether a joiner next to this code point shapes something: Arabic to Myanmar, Khmer, Mongolian, emoji."""
    return (
        0x0600 <= cp <= 0x109F
        or 0x1780 <= cp <= 0x18AF
        or 0xA800 <= cp <= 0xABFF
        or 0xFB50 <= cp <= 0xFDFF
        or 0xFE70 <= cp <= 0xFEFC
        or 0x2190 <= cp <= 0x2BFF
        or cp == 0x20E3
        or cp == 0xFE0F
        or 0x1F000 <= cp <= 0x1FBFF
        or 0x11000 <= cp <= 0x11FFF
    )


@numba.njit(cache=True, nogil=True)
def _decode(data: np.ndarray, i: int, end: int) -> tuple[int, int]:
    """Code point at ``i`` and its length in bytes; the bytes are valid UTF-8, as Arrow guarantees."""
    b = np.int64(data[i])
    if b < 0x80:
        return b, 1
    if b < 0xE0:
        return ((b & 0x1F) << 6) | (np.int64(data[i + 1]) & 0x3F), 2
    if b < 0xF0:
        return ((b & 0x0F) << 12) | ((np.int64(data[i + 1]) & 0x3F) << 6) | (np.int64(data[i + 2]) & 0x3F), 3
    return (
        ((b & 0x07) << 18)
        | ((np.int64(data[i + 1]) & 0x3F) << 12)
        | ((np.int64(data[i + 2]) & 0x3F) << 6)
        | (np.int64(data[i + 3]) & 0x3F)
    ), 4


@numba.njit(cache=True, nogil=True)
def _tidy(data: np.ndarray, offsets: np.ndarray, max_blank: int) -> tuple[np.ndarray, np.ndarray]:
    """Nothing it writes is longer than what it read, so one buffer of the input's size is enough."""
    n = len(offsets) - 1
    out = np.empty(max(offsets[n] - offsets[0], 1), np.uint8)
    out_offsets = np.zeros(n + 1, np.int64)
    o = 0
    for doc in range(n):
        i, end = offsets[doc], offsets[doc + 1]
        first = o
        newlines = max_blank + 1  # as if after many line breaks: leading blank lines are not written
        previous = np.int64(0)
        while i < end:
            b = data[i]
            if b < 0x80 and b >= _SPACE and b != 0x7F:
                i += 1
                if b == _SPACE and o == first:
                    continue
                out[o] = b
                o += 1
                previous = np.int64(b)
                if b != _SPACE:
                    newlines = 0
                continue
            cp, size = _decode(data, i, end)
            i += size
            if cp == 0x0D and i < end and data[i] == _NEWLINE:
                continue
            if cp == _NEWLINE or cp == 0x0D or cp == 0x0C or cp == 0x85 or cp == 0x2028 or cp == 0x2029:
                while o > first and (out[o - 1] == _SPACE or out[o - 1] == _TAB):
                    o -= 1
                if newlines <= max_blank:
                    out[o] = _NEWLINE
                    o += 1
                newlines += 1
                previous = _NEWLINE
                continue
            if cp == 0xA0 or cp == 0x202F or cp == 0x2007 or cp == _TAB:
                if o > first:
                    out[o] = _TAB if cp == _TAB else _SPACE
                    o += 1
                    previous = _SPACE
                continue
            if cp < 0xA0 or cp == 0xAD or cp == 0xFEFF or cp == 0x180E or 0xFFF9 <= cp <= 0xFFFC:
                continue
            if 0x200B <= cp <= 0x206F:
                if cp == 0x200C or cp == 0x200D:
                    if i >= end or not _joins(previous) or not _joins(_decode(data, i, end)[0]):
                        continue
                elif cp <= 0x200F or 0x202A <= cp <= 0x202E or cp >= 0x2060:
                    continue
            elif 0xE0000 <= cp <= 0xE007F and not (previous == 0x1F3F4 or 0xE0020 <= previous <= 0xE007E):
                continue
            for k in range(size):
                out[o + k] = data[i - size + k]
            o += size
            previous = cp
            newlines = 0
        while o > first and (out[o - 1] == _SPACE or out[o - 1] == _TAB or out[o - 1] == _NEWLINE):
            o -= 1
        out_offsets[doc + 1] = o
    return out, out_offsets
