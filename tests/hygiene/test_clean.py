# ruff: noqa: E501 (tables of examples read better unbroken)
"""Cleaning: the prefilter promises what it says, and content is not lost."""

from __future__ import annotations

import unicodedata

import ftfy
import polars as pl
import pyarrow as pa
import pytest

from pipeline import clean as c

MESSY = [
    "plain ascii text", "caf\u00c3\u00a9 and na\u00c3\u00afve", "It\u00e2\u20ac\u2122s broken", "it\u2019s \u201cfine\u201d \u2026 \u2014 really",
    "a &amp; b &lt;3 &gt; c", "&amp;gt; quoted twice", "&#x200B; hidden", "P&eacute;rez &copy; &notanentity;", "\x1b[31mred\x1b[0m",
    "bell\x07 and null\x00", "\ufb01sh and \ufb02ag", "e\u0301 decomposed", "\u212b and \u2126", "\uff1a\uff0c\u4f60\u597d\uff01", "Â£5 and Â°C",
    "line\r\nbreak\rand\u2028more", "tab\tand  spaces", "na\u00efve fa\u00e7ade \u00a310 \u00bd", "\u00e0\u00b2\u00b2", "\ud55c\uae00 \u1112\u1161\u11ab",
    "smile \U0001f600 and \u2764\ufe0f", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u00c3 la carte", "\u0153uvre \u0153 x", "<b>x &amp; y</b>", "\u2011 \u00ad soft", "",
]  # fmt: skip


@pytest.mark.parametrize("family", ["forum", "general"])
def test_ftfy_is_only_skipped_where_it_would_change_nothing(family: str) -> None:
    config = c.FTFY._replace(unescape_html=True) if family == "forum" else c.FTFY
    texts = [*MESSY, *(f"{a} {b}" for a in MESSY for b in MESSY)]
    expected = c.clean(c.tidy(pa.array([ftfy.fix_text(text.lstrip(), config) for text in texts])), family)
    assert c.clean(pa.array(texts), family).to_pylist() == expected.to_pylist()


def test_every_character_that_nfc_may_change_is_suspected() -> None:
    changing = [
        chr(cp)
        for cp in range(0x80, 0x110000)
        if not 0xD800 <= cp < 0xE000
        and (unicodedata.combining(chr(cp)) or unicodedata.normalize("NFC", chr(cp)) != chr(cp))
    ]
    suspected = c.may_change(pl.Series(changing))
    assert suspected.all(), [hex(ord(ch)) for ch, yes in zip(changing, suspected, strict=True) if not yes][:20]


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a\r\nb\rc\x0cd\u2029e", "a\nb\nc\nd\ne"),
        ("\n\n  a  \t\n\n\n\n\n\nb\u00a0 \n\n", "a\n\n\nb"),
        ("zero\u200bwidth\ufeff and\u00ad soft\u2060", "zerowidth and soft"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 and \u2764\ufe0f\u200d\U0001f525", "\U0001f468\u200d\U0001f469\u200d\U0001f467 and \u2764\ufe0f\u200d\U0001f525"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("la\u200dtin", "latin"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f hid\U000e0041den", "\U0001f3f4\U000e0067\U000e0062\U000e007f hidden"),
        ("\u201cI don\u2019t know\u201d", "\u201cI don\u2019t know\u201d"),
        ("\u4f60\u597d\uff0c\u5417\uff1f", "\u4f60\u597d\uff0c\u5417\uff1f"),
        ("    indented\n    twice", "indented\n    twice"),
    ],
)  # fmt: skip
def test_invisible_characters_go_and_visible_ones_stay(raw: str, cleaned: str) -> None:
    assert c.clean(pa.array([raw]), "general").to_pylist() == [cleaned]


BOILERPLATE = [
    "This website uses cookies to improve your experience.", "Accept all cookies", "Please enable JavaScript to view this page.",
    "JavaScript is disabled in your browser.", "Click here to subscribe", "Sign up for our weekly newsletter!", "Share on Facebook",
    "Share this post", "Follow us on Twitter for more", "Skip to main content", "© 2014 Example Media. All rights reserved.",
    "Advertisement", "Privacy policy", "We use cookies to personalise content.", "Back to top", "Tweet this on Twitter",
    "I am a bot, and this action was performed automatically. Contact the moderators.", "[deleted]", "[removed]",
    "this site requires javascript to work", "Log in or sign up to leave a comment", "Continue reading below",
    "Sponsored content", "View all 12 comments", "By using this site you agree to our cookies.", "Manage cookies",
]  # fmt: skip
CONTENT = [
    "My grandmother baked cookies and we use cookies to bribe the dog.", "Edit: thanks for the gold!", "I learned JavaScript to feel less alone.",
    "If JavaScript is disabled the widget falls back to HTML.", "Please share this feeling with someone.", "I had to sign up for a class.",
    "He said [deleted] was a funny word.", "Privacy matters to me.", "Pin it on me, why not.", "I like to share.",
]  # fmt: skip


@pytest.mark.parametrize("line", BOILERPLATE)
def test_boilerplate_lines_go(line: str) -> None:
    assert c.clean(pa.array([f"Before.\n{line}\nAfter."]), "forum").to_pylist() in (
        ["Before.\nAfter."],
        ["Before.\n\nAfter."],
    )


@pytest.mark.parametrize("line", CONTENT)
def test_sentences_that_mention_such_things_stay(line: str) -> None:
    assert c.clean(pa.array([line]), "forum").to_pylist() == [line]


def test_nulls_slices_and_repeats() -> None:
    texts = pa.array(["x", None, "", " a\u200b &amp; b ", "[deleted]", None])
    out = c.clean(texts, "forum")
    assert out.type == pa.string()
    assert out.to_pylist() == ["x", None, "", "a & b", "", None]
    assert c.clean(texts.slice(2, 2), "forum").to_pylist() == ["", "a & b"]
    assert c.clean(pa.array([], pa.string()), "forum").to_pylist() == []
    assert c.clean(pa.array([None, None], pa.string()), "forum").to_pylist() == [None, None]
    again = pa.array(MESSY + BOILERPLATE)
    for family in ("forum", "general"):
        assert c.clean(c.clean(again, family), family).equals(c.clean(again, family))
