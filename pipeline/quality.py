"""Quality heuristics of Gopher and C4, measured once and judged at planning time.

:func:`measure` computes every statistic the rules need in one numba pass over the UTF-8 bytes of an Arrow batch;
:func:`verdict` (or its SQL twin, :func:`verdict_sql`) compares them with a family's :class:`QualityThresholds`, so
that a changed threshold never re-reads a text.

Definitions follow Gopher (Rae et al. 2021, `arXiv:2112.11446 <https://arxiv.org/abs/2112.11446>`_, section A.1 and
table A1) as datatrove implements them, and C4 (Raffel et al. 2020). Where we differ, on purpose:

* words are separated by white space (Gopher), not by a tokenizer; in scripts written without spaces (Han, kana) each
  character is a word; a stop word is compared without its punctuation and case;
* lines and paragraphs are those that hold something: blank lines count neither way;
* an n-gram that occurs once is no repetition: ``top_*_gram_char_fraction`` is 0 for it (datatrove counts it, which
  fails every text of ten words);
* ``lines_terminal_fraction``, braces and JavaScript are measured over the document; C4 edits lines instead.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numba
import numpy as np
import pyarrow as pa

from pipeline.clean import _decode, utf8_buffers
from sources.errors import UserError

#: Part of the key of every quality sidecar: raise it whenever the same text could measure otherwise.
QUALITY_VERSION = "2"

#: Gopher: a document of English prose has at least two different ones of these.
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

_INT_COLUMNS = ("n_chars", "n_words", "n_lines", "stop_word_count", "curly_bracket_count", "lorem_ipsum")
_FLOAT_COLUMNS = (
    "mean_word_length", "symbol_word_ratio", "alpha_word_fraction", "bullet_line_fraction", "ellipsis_line_fraction",
    "lines_terminal_fraction", "javascript_line_fraction", "uppercase_ratio", "latin_fraction", "unspaced_fraction",
    "dup_line_fraction", "dup_line_char_fraction", "dup_paragraph_fraction", "dup_paragraph_char_fraction",
    "top_2_gram_char_fraction", "top_3_gram_char_fraction", "top_4_gram_char_fraction",
    "dup_5_gram_char_fraction", "dup_6_gram_char_fraction", "dup_7_gram_char_fraction",
    "dup_8_gram_char_fraction", "dup_9_gram_char_fraction", "dup_10_gram_char_fraction",
)  # fmt: skip

#: Columns of :func:`measure`. Counts are int32, fractions float32 within 0-1 (``mean_word_length`` in characters).
#:
#: ``n_chars`` code points; ``n_words`` words with something other than punctuation; ``n_lines`` non-blank lines;
#: ``symbol_word_ratio`` the larger of hash signs and ellipses by word; ``alpha_word_fraction`` words with a letter (of "Speaker 2:"
#: at the head of a line the number does not count: readers write it);
#: ``uppercase_ratio`` of cased Latin letters; ``latin_fraction`` Latin letters of all letters; ``unspaced_fraction``
#: words that are single characters of a script without spaces; ``quality`` see :func:`_quality`.
MEASURES = pa.schema(
    [pa.field(name, pa.int32(), nullable=False) for name in _INT_COLUMNS]
    + [pa.field(name, pa.float32(), nullable=False) for name in (*_FLOAT_COLUMNS, "quality")]
)


@dataclass(frozen=True)
class QualityThresholds:
    """What a text must satisfy. None switches a rule off.

    :param min_words: fewest words (``too_short``).
    :param max_words: most words (``too_long``).
    :param min_mean_word_length: shortest mean word in characters; not asked of scripts without spaces.
    :param max_mean_word_length: longest mean word in characters.
    :param max_symbol_word_ratio: most ``#`` or ellipses by word.
    :param max_bullet_lines: largest fraction of lines that start with a bullet.
    :param max_ellipsis_lines: largest fraction of lines that end with an ellipsis.
    :param min_alpha_words: smallest fraction of words with a letter in them.
    :param min_stop_words: fewest different English stop words; asked of texts in Latin script of 50 words or more. Set
        it to None for sources in other languages.
    :param max_dup_lines: largest fraction of lines that repeat an earlier one.
    :param max_dup_line_chars: largest fraction of characters in such lines.
    :param max_dup_paragraphs: largest fraction of repeated paragraphs.
    :param max_dup_paragraph_chars: largest fraction of characters in them.
    :param max_short_top_2_gram: the same for texts of fewer than 50 words.
    :param max_short_dup_5_gram: likewise, for texts of 20 to 49 words; no other n-gram rule is asked of short texts.
    :param max_top_2_gram: largest fraction of characters in the most frequent 2-gram; likewise 3 and 4.
    :param max_dup_5_gram: largest fraction of characters in repeated 5-grams; likewise up to 10.
    :param min_terminal_lines: smallest fraction of lines that end like a sentence.
    :param max_uppercase: largest fraction of capitals among letters.
    :param max_curly_brackets: most ``{`` in a document.
    :param max_javascript_lines: largest fraction of lines with "javascript".
    :param max_lorem_ipsum: 0 drops a text with "lorem ipsum".
    """

    min_words: int | None = 50
    max_words: int | None = 100_000
    min_mean_word_length: float | None = 3.0
    max_mean_word_length: float | None = 10.0
    max_symbol_word_ratio: float | None = 0.1
    max_bullet_lines: float | None = 0.9
    max_ellipsis_lines: float | None = 0.3
    min_alpha_words: float | None = 0.8
    min_stop_words: int | None = 2
    max_dup_lines: float | None = 0.3
    max_dup_line_chars: float | None = 0.2
    max_dup_paragraphs: float | None = 0.3
    max_dup_paragraph_chars: float | None = 0.2
    max_top_2_gram: float | None = 0.20
    max_top_3_gram: float | None = 0.18
    max_top_4_gram: float | None = 0.16
    max_short_top_2_gram: float | None = 0.6
    max_short_dup_5_gram: float | None = 0.2
    max_dup_5_gram: float | None = 0.15
    max_dup_6_gram: float | None = 0.14
    max_dup_7_gram: float | None = 0.13
    max_dup_8_gram: float | None = 0.12
    max_dup_9_gram: float | None = 0.11
    max_dup_10_gram: float | None = 0.10
    min_terminal_lines: float | None = None
    max_uppercase: float | None = 0.5
    max_curly_brackets: int | None = None
    max_javascript_lines: float | None = 0.3
    max_lorem_ipsum: int | None = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
                raise UserError(
                    f"quality threshold {item.name} is {value!r}",
                    where=item.name,
                    fix="give a number of 0 or more, or null to switch the rule off",
                )


# People write short posts, type dots and shout; a post must still say something.
_FORUM = QualityThresholds(min_words=20, min_stop_words=1, max_ellipsis_lines=0.6, max_uppercase=None)
# Turns are short lines, "Thank you." comes back, speakers are named at the start of lines: that is talk, not spam.
_TRANSCRIPT = QualityThresholds(
    min_words=20, min_stop_words=1, max_ellipsis_lines=0.7, max_bullet_lines=None, max_dup_lines=0.5,
    max_dup_line_chars=0.3, max_dup_paragraphs=0.5, max_dup_paragraph_chars=0.3, max_top_2_gram=0.25, max_top_3_gram=0.22,
    max_top_4_gram=0.20, max_uppercase=None,
)  # fmt: skip
_FAMILIES: dict[str, QualityThresholds] = {
    "forum": _FORUM,
    "transcript": _TRANSCRIPT,
    # Whole books are documents too, before they are cut; old ones set chapter heads and dialogue in short lines.
    "biography": QualityThresholds(max_words=2_000_000, max_uppercase=None),
    "psychology": QualityThresholds(max_words=2_000_000),
    # The open web and code: C4's braces, its sentences and full Gopher.
    "general": QualityThresholds(max_words=2_000_000, max_curly_brackets=0, min_terminal_lines=0.12, max_uppercase=0.4),
}


@dataclass(frozen=True)
class Rule:
    """One comparison; a text fails where it holds.

    :param reason: name given in the verdict and the ledger.
    :param column: measure it looks at.
    :param below: fails below the threshold rather than above it.
    :param threshold: field of :class:`QualityThresholds`.
    :param unless: ``(column, minimum)`` conditions that must all hold for the rule to be asked.
    :param only: like ``unless`` with a maximum.
    """

    reason: str
    column: str
    below: bool
    threshold: str
    at_least: tuple[tuple[str, float], ...] = ()
    at_most: tuple[tuple[str, float], ...] = ()


_SPACED = (("unspaced_fraction", 0.2),)
_LINES = (("n_lines", 4.0),)
# Gopher's rules are for pages. A sentence of ten words repeats two of them by chance, "I hurt my foot" has short words:
# texts below Gopher's own minimum of 50 words only have to be no chant.
_PAGE = (("n_words", 50.0),)
_SENTENCE = (("n_words", 49.0),)
RULES: tuple[Rule, ...] = (
    Rule("too_short", "n_words", True, "min_words"),
    Rule("too_long", "n_words", False, "max_words"),
    Rule("gopher_mean_word_length", "mean_word_length", True, "min_mean_word_length", _PAGE, _SPACED),
    Rule("gopher_mean_word_length", "mean_word_length", False, "max_mean_word_length"),
    Rule("gopher_symbol_word_ratio", "symbol_word_ratio", False, "max_symbol_word_ratio", _PAGE),
    Rule("gopher_bullet_lines", "bullet_line_fraction", False, "max_bullet_lines", _LINES),
    Rule("gopher_ellipsis_lines", "ellipsis_line_fraction", False, "max_ellipsis_lines", at_least=_LINES),
    Rule("gopher_alpha_words", "alpha_word_fraction", True, "min_alpha_words"),
    Rule("gopher_stop_words", "stop_word_count", True, "min_stop_words", (("latin_fraction", 0.5), *_PAGE)),
    Rule("gopher_dup_lines", "dup_line_fraction", False, "max_dup_lines"),
    Rule("gopher_dup_line_chars", "dup_line_char_fraction", False, "max_dup_line_chars"),
    Rule("gopher_dup_paragraphs", "dup_paragraph_fraction", False, "max_dup_paragraphs"),
    Rule("gopher_dup_paragraph_chars", "dup_paragraph_char_fraction", False, "max_dup_paragraph_chars"),
    *(
        Rule(f"gopher_top_{n}_gram", f"top_{n}_gram_char_fraction", False, f"max_top_{n}_gram", _PAGE)
        for n in (2, 3, 4)
    ),
    Rule("short_chant", "top_2_gram_char_fraction", False, "max_short_top_2_gram", at_most=_SENTENCE),
    Rule("short_chant", "dup_5_gram_char_fraction", False, "max_short_dup_5_gram", (("n_words", 20.0),), _SENTENCE),
    *(
        Rule(f"gopher_dup_{n}_gram", f"dup_{n}_gram_char_fraction", False, f"max_dup_{n}_gram", _PAGE)
        for n in range(5, 11)
    ),
    Rule("c4_terminal_lines", "lines_terminal_fraction", True, "min_terminal_lines"),
    Rule("c4_uppercase", "uppercase_ratio", False, "max_uppercase"),
    Rule("c4_curly_bracket", "curly_bracket_count", False, "max_curly_brackets"),
    Rule("c4_javascript", "javascript_line_fraction", False, "max_javascript_lines"),
    Rule("c4_lorem_ipsum", "lorem_ipsum", False, "max_lorem_ipsum"),
)


def thresholds(family: str, overrides: dict[str, Any] | None = None) -> QualityThresholds:
    """The thresholds of a family, some replaced.

    :param family: forum, biography, psychology, transcript or general.
    :param overrides: field names of :class:`QualityThresholds` to values; None as a value switches the rule off.
    :raises UserError: for an unknown family or field, or a value that is no number of 0 or more.
    """
    if family not in _FAMILIES:
        raise UserError(f"there are no quality thresholds for {family!r}", fix=f"use one of {', '.join(_FAMILIES)}")
    known = [item.name for item in fields(QualityThresholds)]
    for name in overrides or {}:
        if name not in known:
            raise UserError(
                f"unknown quality threshold {name!r}", where=f"quality.{name}", fix=f"use one of {', '.join(known)}"
            )
    return replace(_FAMILIES[family], **(overrides or {}))


def verdict(measures: pa.RecordBatch, limits: QualityThresholds) -> pa.Array:
    """Why each text fails, or null where it passes.

    :param measures: a batch (or table) with the columns of :data:`MEASURES`.
    :returns: ``pa.string()`` array: the reason of the first rule of :data:`RULES` that a text fails.
    """
    columns = {name: np.asarray(measures.column(name)) for name in {n for rule in RULES for n in _columns(rule)}}
    reasons = np.full(measures.num_rows, -1, np.int64)
    for index, rule in enumerate(RULES):
        limit = getattr(limits, rule.threshold)
        if limit is None:
            continue
        values = columns[rule.column]
        limit = values.dtype.type(min(limit, np.iinfo(np.int32).max))
        fails = values < limit if rule.below else values > limit
        for name, bound in rule.at_least:
            fails &= columns[name] >= columns[name].dtype.type(bound)
        for name, bound in rule.at_most:
            fails &= columns[name] <= columns[name].dtype.type(bound)
        reasons[fails & (reasons < 0)] = index
    return pa.array([rule.reason for rule in RULES]).take(pa.array(reasons, mask=reasons < 0))


def verdict_sql(limits: QualityThresholds) -> str:
    """:func:`verdict` as a DuckDB expression over the measure columns; null where a text passes.

    Comparisons are made in the columns' own 32-bit types, as numpy makes them, so both agree to the last bit.
    """

    def literal(column: str, value: float) -> str:
        if column in _INT_COLUMNS:
            return str(int(min(value, np.iinfo(np.int32).max)))
        return f"CAST({float(np.float32(value)):.17e} AS FLOAT)"

    cases = []
    for rule in RULES:
        limit = getattr(limits, rule.threshold)
        if limit is None:
            continue
        tests = [f"{rule.column} {'<' if rule.below else '>'} {literal(rule.column, limit)}"]
        tests += [f"{name} >= {literal(name, bound)}" for name, bound in rule.at_least]
        tests += [f"{name} <= {literal(name, bound)}" for name, bound in rule.at_most]
        cases.append(f"WHEN {' AND '.join(tests)} THEN '{rule.reason}'")
    return f"CASE {' '.join(cases)} ELSE NULL END" if cases else "CAST(NULL AS VARCHAR)"


def measure(texts: pa.Array) -> pa.RecordBatch:
    """Measure a batch of texts.

    :param texts: string or large_string array; null measures like an empty text.
    :returns: a batch of :data:`MEASURES`, one row a text.
    """
    data, offsets = utf8_buffers(texts)
    ints = np.zeros((len(_INT_COLUMNS), len(texts)), np.int32)
    floats = np.zeros((len(_FLOAT_COLUMNS), len(texts)), np.float32)
    _measure(data, offsets, _character_classes(), _stop_hashes(), ints, floats)
    columns: dict[str, np.ndarray] = dict(zip(_INT_COLUMNS, ints, strict=True))
    columns |= zip(_FLOAT_COLUMNS, floats, strict=True)
    columns["quality"] = _quality(columns)
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[name], type=MEASURES.field(name).type) for name in MEASURES.names], schema=MEASURES
    )


def _columns(rule: Rule) -> list[str]:
    return [rule.column, *(name for name, _ in rule.at_least + rule.at_most)]


def _quality(m: dict[str, np.ndarray]) -> np.ndarray:
    """One number of 0-1 to order otherwise equal texts by: which duplicate to keep, which band a recipe asks for.

    It is a plain product, not a model: length (0.25 for a word, 1 from 200 words on) x non-repetition x ordinary
    words x case x punctuation. Each factor runs from 1 down to a floor, so no single oddity zeroes a text.
    """

    def fall(values: np.ndarray, good: float, bad: float, floor: float) -> np.ndarray:
        return np.clip(1 - (values - good) / (bad - good), 0, 1) * (1 - floor) + floor

    words = m["n_words"].astype(np.float64)
    spaced = m["unspaced_fraction"] <= 0.2
    english = spaced & (m["latin_fraction"] >= 0.5)
    repeated = np.maximum.reduce(
        [m["dup_line_char_fraction"], m["dup_paragraph_char_fraction"], m["dup_5_gram_char_fraction"]]
    )
    score = 0.25 + 0.75 * np.clip(np.log1p(words) / np.log1p(200.0), 0, 1)
    score *= fall(repeated, 0.0, 0.3, 0.2)
    score *= fall(m["top_2_gram_char_fraction"], 0.08, 0.25, 0.5)
    score *= fall(-m["alpha_word_fraction"], -0.95, -0.6, 0.3)
    score *= np.where(spaced, fall(np.abs(m["mean_word_length"] - 4.7), 1.7, 4.0, 0.5), 1.0)
    score *= np.where(english, fall(-m["stop_word_count"] / np.clip(words / 20, 1, 5), -0.8, 0.0, 0.6), 1.0)
    score *= fall(m["uppercase_ratio"], 0.12, 0.6, 0.5)
    score *= fall(m["symbol_word_ratio"], 0.03, 0.15, 0.6)
    score *= fall(-m["lines_terminal_fraction"], -0.6, 0.0, 0.7)
    score *= fall(m["curly_bracket_count"] / np.maximum(words, 1), 0.0, 0.1, 0.6)
    return np.where(words > 0, score, 0.0).astype(np.float32)


# Bits of a character's class.
_WHITE, _LETTER, _LATIN, _UPPER, _CASED, _MARK, _UNSPACED, _TERMINAL = 1, 2, 4, 8, 16, 32, 64, 128


@cache
def _character_classes() -> np.ndarray:
    """Class bits of every code point below 0x20000; above it are only ideographs and tags."""
    classes = np.zeros(0x20000, np.uint8)
    for cp in range(0x20000):
        char = chr(cp)
        category = unicodedata.category(char)
        bits = 0
        if char.isspace():
            bits |= _WHITE
        elif category[0] == "L":
            bits |= _LETTER
            if cp <= 0x24F or 0x1E00 <= cp <= 0x1EFF:
                bits |= _LATIN
                if category == "Lu":
                    bits |= _UPPER | _CASED
                elif category == "Ll":
                    bits |= _CASED
        # Emoji (So) say something; other symbols and controls are datatrove's PUNCTUATION.
        elif category[0] in "PC" or category in ("Sm", "Sc", "Sk"):
            bits |= _MARK
        if 0x3041 <= cp <= 0x30FF or 0x3400 <= cp <= 0x4DBF or 0x4E00 <= cp <= 0x9FFF or 0xF900 <= cp <= 0xFAFF:
            bits |= _UNSPACED
        if char in ".!?\"'”’…。！？」』”؟।":
            bits |= _TERMINAL
        classes[cp] = bits
    classes.flags.writeable = False
    return classes


_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0xD6E8FEB86659FD93)


@cache
def _stop_hashes() -> np.ndarray:
    hashes = []
    for word in STOP_WORDS:
        value = 0
        for byte in word.encode():
            value = (value + byte + 1) * int(_MULTIPLIER) & 0xFFFFFFFFFFFFFFFF
        hashes.append(value)
    return np.array(hashes, np.uint64)


@numba.njit(cache=True, nogil=True, inline="always")
def _slot(key: np.uint64, shift: np.uint64) -> np.int64:
    key ^= key >> np.uint64(32)
    return np.int64((key * _MULTIPLIER) >> shift)


@numba.njit(cache=True, nogil=True)
def _find(key, keys, stamps, stamp, shift, mask):
    """Slot of ``key`` in an open-addressing table, and whether it was there; a slot of another stamp is empty."""
    slot = _slot(key, shift)
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return slot, True
        slot = (slot + 1) & mask
    keys[slot] = key
    stamps[slot] = stamp
    return slot, False


@numba.njit(cache=True, nogil=True)
def _follows(data, i, end, word):
    """Whether the lower-case ASCII ``word`` stands at ``i`` in any case."""
    if i + len(word) > end:
        return False
    for k in range(len(word)):  # noqa: SIM110 (numba has no generators)
        if (data[i + k] | 0x20) != word[k]:
            return False
    return True


_AVASCRIPT = np.frombuffer(b"avascript", np.uint8)
_OREM_IPSUM = np.frombuffer(b"orem ipsum", np.uint8)


@numba.njit(cache=True, nogil=True)
def _measure(data, offsets, classes, stop_hashes, ints, floats):
    """The kernel. Scratch grows to the longest document of the batch and is reused; tables are emptied by a stamp."""
    longest = np.int64(0)
    for doc in range(len(offsets) - 1):
        longest = max(longest, offsets[doc + 1] - offsets[doc])
    hashes = np.empty(longest + 1, np.uint64)
    lengths = np.empty(longest + 2, np.int64)  # running sum of word lengths, so any n-gram's length is a difference
    grams = np.empty(longest + 1, np.uint64)
    bits = np.uint64(4)
    while (np.int64(1) << np.int64(bits)) < 2 * (longest + 1):
        bits += np.uint64(1)
    keys = np.empty(np.int64(1) << np.int64(bits), np.uint64)
    counts = np.empty(len(keys), np.int32)
    stamps = np.zeros(len(keys), np.int64)
    stamp = np.int64(0)
    white, letter, latin, upper, cased = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8), np.uint8(16)
    mark, unspaced, terminal = np.uint8(32), np.uint8(64), np.uint8(128)

    for doc in range(len(offsets) - 1):
        i, end = offsets[doc], offsets[doc + 1]
        # A table of more slots than lines and paragraphs; small for small documents, so that it stays in the cache.
        bits = np.uint64(4)
        while (np.int64(1) << np.int64(bits)) < end - i + 4:
            bits += np.uint64(1)
        shift = np.uint64(64) - bits
        mask = (np.int64(1) << np.int64(bits)) - 1

        n_chars = n_words = n_tokens = n_lines = n_paragraphs = np.int64(0)
        word_chars = alpha_words = labels = line_words = hash_signs = ellipses = curly = lorem = np.int64(0)
        letters = latins = uppers = caseds = singles = np.int64(0)
        bullets = ellipsis_lines = terminal_lines = script_lines = np.int64(0)
        dup_lines = dup_line_chars = dup_paragraphs = dup_paragraph_chars = np.int64(0)
        stops_seen = np.int64(0)
        lengths[0] = 0

        word_hash = np.uint64(0)
        core_hash = np.uint64(0)  # the word in lower case without punctuation
        word_length = np.int64(0)
        word_bits = np.uint8(0)
        word_only_marks = True

        line_hash = np.uint64(0)
        line_start = np.int64(0)  # in characters
        line_last = np.int64(0)  # in characters: just behind its last visible one
        line_first = np.int64(0)  # first and last visible code points
        final = np.int64(0)
        final_dots = np.int64(0)
        line_script = False
        line_blank = True
        paragraph_hash = np.uint64(0)
        paragraph_chars = np.int64(0)
        stamp += 2  # lines under the even stamp, paragraphs salted below: they share one table
        dots = np.int64(0)

        while i <= end:
            if i < end:
                cp, size = _decode(data, i, end)
                if cp < 0x20000:
                    klass = classes[cp]
                elif cp < 0xE0000:
                    klass = letter | unspaced
                else:
                    klass = mark
            else:  # a last line break closes the last word, line and paragraph
                cp, size, klass = np.int64(10), 1, white
            in_text = i < end
            n_chars += in_text

            single = (klass & unspaced) != 0
            if (klass & white or single) and word_length > 0:
                hashes[n_tokens] = word_hash
                lengths[n_tokens + 1] = lengths[n_tokens] + word_length
                n_tokens += 1
                if not word_only_marks:
                    n_words += 1
                    word_chars += word_length
                line_words += 1
                if word_bits & letter:
                    alpha_words += 1
                elif line_words == 2 and final == 0x3A and not word_only_marks:
                    labels += 1
                for k in range(len(stop_hashes)):
                    if core_hash == stop_hashes[k]:
                        stops_seen |= np.int64(1) << k
                word_hash = core_hash = np.uint64(0)
                word_length = 0
                word_bits = np.uint8(0)
                word_only_marks = True

            if klass & white:
                dots = 0
                if cp == 10:
                    line_words = 0
                    if not line_blank:
                        n_lines += 1
                        chars = line_last - line_start
                        is_ellipsis = final == 0x2026 or final_dots >= 3
                        ellipsis_lines += is_ellipsis
                        bullets += line_first == 0x2022 or line_first == 0x2D
                        if final < 0x20000 and classes[final] & terminal and final_dots < 3:
                            terminal_lines += 1
                        script_lines += line_script
                        _, seen = _find(line_hash, keys, stamps, stamp, shift, mask)
                        if seen:
                            dup_lines += 1
                            dup_line_chars += chars
                        paragraph_hash = (paragraph_hash ^ line_hash) * _BASE + np.uint64(1)
                        paragraph_chars += chars + (1 if paragraph_chars else 0)
                    if (line_blank or not in_text) and paragraph_chars:
                        n_paragraphs += 1
                        _, seen = _find(paragraph_hash ^ _BASE, keys, stamps, stamp, shift, mask)
                        if seen:
                            dup_paragraphs += 1
                            dup_paragraph_chars += paragraph_chars
                        paragraph_hash = np.uint64(0)
                        paragraph_chars = 0
                    line_hash = np.uint64(0)
                    line_start = n_chars
                    line_script = False
                    line_blank = True
                elif not line_blank:
                    line_hash = (line_hash + np.uint64(33)) * _MULTIPLIER
                i += size
                continue

            if line_blank:
                line_blank = False
                line_first = cp
                line_start = n_chars - 1
            line_last = n_chars
            final = cp
            line_hash = (line_hash + np.uint64(cp + 1)) * _MULTIPLIER
            if cp == 0x2E:
                dots += 1
                if dots % 3 == 0:
                    ellipses += 1
            else:
                dots = 0
                if cp == 0x2026:
                    ellipses += 1
                elif cp == 0x23:
                    hash_signs += 1
                elif cp == 0x7B:
                    curly += 1
                elif (cp == 0x4A or cp == 0x6A) and _follows(data, i + 1, end, _AVASCRIPT):
                    line_script = True
                elif (cp == 0x4C or cp == 0x6C) and _follows(data, i + 1, end, _OREM_IPSUM):
                    lorem = 1
            final_dots = dots

            if klass & letter:
                letters += 1
                latins += (klass & latin) != 0
                uppers += (klass & upper) != 0
                caseds += (klass & cased) != 0
            if single:
                hashes[n_tokens] = np.uint64(cp) * _BASE
                lengths[n_tokens + 1] = lengths[n_tokens] + 1
                n_tokens += 1
                n_words += 1
                word_chars += 1
                alpha_words += 1
                singles += 1
            else:
                word_hash = (word_hash + np.uint64(cp + 1)) * _MULTIPLIER
                word_length += 1
                word_bits |= klass
                if klass & mark == 0:
                    word_only_marks = False
                    lower = cp | 0x20 if 0x41 <= cp <= 0x5A else cp
                    core_hash = (core_hash + np.uint64(lower + 1)) * _MULTIPLIER
            i += size

        ints[0, doc] = n_chars
        ints[1, doc] = n_words
        ints[2, doc] = n_lines
        seen_stops = 0
        for k in range(len(stop_hashes)):
            seen_stops += (stops_seen >> k) & 1
        ints[3, doc] = seen_stops
        ints[4, doc] = curly
        ints[5, doc] = lorem
        if n_tokens == 0:
            continue
        if n_words:
            floats[0, doc] = word_chars / n_words
        floats[1, doc] = max(hash_signs, ellipses) / n_tokens
        # a label is the second word of its line: never all of them
        floats[2, doc] = alpha_words / (n_tokens - labels)
        floats[3, doc] = bullets / n_lines
        floats[4, doc] = ellipsis_lines / n_lines
        floats[5, doc] = terminal_lines / n_lines
        floats[6, doc] = script_lines / n_lines
        if caseds:
            floats[7, doc] = uppers / caseds
        if letters:
            floats[8, doc] = latins / letters
        floats[9, doc] = singles / n_tokens
        floats[10, doc] = dup_lines / n_lines
        floats[11, doc] = dup_line_chars / n_chars
        floats[12, doc] = dup_paragraphs / n_paragraphs
        floats[13, doc] = dup_paragraph_chars / n_chars

        # Hashes of n-grams grow by one word each round: gram(i, n) = gram(i, n - 1) * BASE + word(i + n - 1).
        for k in range(n_tokens):
            grams[k] = hashes[k]
        bits = np.uint64(4)
        while (np.int64(1) << np.int64(bits)) < 2 * n_tokens:
            bits += np.uint64(1)
        shift = np.uint64(64) - bits
        mask = (np.int64(1) << np.int64(bits)) - 1
        repeats = True
        for n in range(2, 11):
            total = n_tokens - n + 1
            # No n-gram twice means no longer one twice either, which is how most documents end here.
            if not repeats or total < 1:
                break
            for k in range(total):
                grams[k] = grams[k] * _BASE + hashes[k + n - 1]
            stamp += 2
            repeats = False
            if n <= 4:
                best = np.int32(1)
                for k in range(total):
                    slot, seen = _find(grams[k], keys, stamps, stamp, shift, mask)
                    if seen:
                        counts[slot] += 1
                        repeats = True
                        best = max(best, counts[slot])
                    else:
                        counts[slot] = 1
                if repeats:
                    for k in range(total):  # the first of the most frequent, like Counter.most_common
                        slot, _ = _find(grams[k], keys, stamps, stamp, shift, mask)
                        if counts[slot] == best:
                            floats[14 + n - 2, doc] = (lengths[k + n] - lengths[k] + n - 1) * best / n_chars
                            break
            else:
                k = np.int64(0)
                repeated = np.int64(0)
                while k < total:
                    _, seen = _find(grams[k], keys, stamps, stamp, shift, mask)
                    if seen:
                        repeated += lengths[k + n] - lengths[k]
                        k += n
                    else:
                        k += 1
                repeats = repeated > 0
                floats[17 + n - 5, doc] = repeated / n_chars
