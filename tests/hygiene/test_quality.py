# ruff: noqa: SIM905
"""Quality measures against datatrove's filters, and verdicts in numpy against those in SQL."""

from __future__ import annotations

import random
import re

import datatrove.pipeline.filters.gopher_quality_filter as gopher_quality
import datatrove.pipeline.filters.gopher_repetition_filter as gopher_repetition
import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipeline import quality as q
from sources.document import FAMILIES
from sources.errors import UserError

WORDS = (
    "the be to of and that have with sleep calm river stone garden letter morning friend quiet walk bread lamp".split()
)


SAID = [
    f"{verb} the {thing}."
    for verb in ("I lost", "You found", "Tell me of", "We like")
    for thing in ("cat", "bus", "night", "book", "tea")
]


def _texts(seed: int, count: int = 300) -> list[str]:
    """Documents of random words, with lines, paragraphs and phrases that come back more or less often."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        vocabulary = rng.sample(WORDS, rng.randint(3, len(WORDS)))
        lines = [
            " ".join(rng.choices(vocabulary, k=rng.randint(1, 14))) + rng.choice([".", "", "...", "!"])
            for _ in range(rng.randint(1, 12))
        ]
        lines = [rng.choice(lines) if rng.random() < 0.2 else line for line in lines]
        lines = [("- " if rng.random() < 0.1 else "") + line for line in lines]
        text = lines[0]
        for line in lines[1:]:
            text += rng.choice(["\n", "\n", "\n\n"]) + line
        texts.append(text)
    return texts


def test_repetition_is_counted_like_datatrove() -> None:
    texts = _texts(1)
    m = q.measure(pa.array(texts)).to_pydict()
    for row, text in enumerate(texts):
        words = text.split()
        paragraphs = re.split(r"\n{2,}", text.strip())
        repeated, chars = gopher_repetition.find_duplicates(paragraphs)
        assert m["dup_paragraph_fraction"][row] == pytest.approx(repeated / len(paragraphs), abs=1e-6)
        assert m["dup_paragraph_char_fraction"][row] == pytest.approx(chars / len(text), abs=1e-6)
        lines = re.split(r"\n+", text)
        repeated, chars = gopher_repetition.find_duplicates(lines)
        assert m["dup_line_fraction"][row] == pytest.approx(repeated / len(lines), abs=1e-6)
        assert m["dup_line_char_fraction"][row] == pytest.approx(chars / len(text), abs=1e-6)
        for n in (2, 3, 4):
            grams = gopher_repetition.get_n_grams(words, n)
            # ours: once is no repetition
            repeats = len(set(grams)) < len(grams)
            expected = gopher_repetition.find_top_duplicate(grams) / len(text) if repeats else 0.0
            assert m[f"top_{n}_gram_char_fraction"][row] == pytest.approx(expected, abs=1e-6)
        for n in range(5, 11):
            expected = gopher_repetition.find_all_duplicate(words, n) / len(text)
            assert m[f"dup_{n}_gram_char_fraction"][row] == pytest.approx(expected, abs=1e-6)


def test_a_readers_labels_are_no_words_without_letters() -> None:
    talk = "Speaker 1: Raise it.\n\nSpeaker 2: Higher.\n\nSpeaker 10: 7 of 9!"
    assert q.measure(pa.array([talk, "It was 5: too late.", "5: too late"]))["alpha_word_fraction"].to_pylist() == [
        pytest.approx(7 / 9),
        pytest.approx(4 / 5),
        pytest.approx(2 / 3),
    ]


def test_verdicts_agree_with_datatroves_filters(monkeypatch) -> None:
    """Same words, same thresholds, documents of one paragraph a line: same decision."""
    from datatrove.data import Document

    monkeypatch.setattr(gopher_quality, "split_into_words", lambda text, language: text.split())
    monkeypatch.setattr(gopher_repetition, "split_into_words", lambda text, language: text.split())
    quality = gopher_quality.GopherQualityFilter(min_doc_words=20)
    repetition = gopher_repetition.GopherRepetitionFilter()
    texts = [
        text.replace("\n\n", "\n").replace("...", " ...").replace(".", " .").replace(" . . .", "...")
        for text in _texts(2, 900)
    ]
    # Where a document is short datatrove calls an n-gram that occurs once a repetition; we do not.
    # Below 50 words (counted as we do) most rules are not asked.
    words = q.measure(pa.array(texts))["n_words"].to_pylist()
    texts = [text for text, n in zip(texts, words, strict=True) if n >= 50]
    limits = q.thresholds(
        "general",
        {
            "min_words": 20,
            "max_uppercase": None,
            "max_curly_brackets": None,
            "min_terminal_lines": None,
            "max_ellipsis_lines": 0.3,
        },
    )
    ours = q.verdict(q.measure(pa.array(texts)), limits).to_pylist()
    differing = []
    for text, reason in zip(texts, ours, strict=True):
        answers = [step.filter(Document(text=text, id="")) for step in (quality, repetition)]
        if all(answer is True for answer in answers) != (reason is None):
            differing.append((reason, answers, text))
    # The ellipsis and bullet rules ask for four lines here, which is all they may differ by.
    assert all(reason is None and len(text.splitlines()) < 4 for reason, _, text in differing), differing[:3]
    assert 20 < sum(reason is None for reason in ours) < len(texts) - 20


@pytest.mark.parametrize("family", FAMILIES)
def test_numpy_and_sql_give_the_same_reason(family: str) -> None:
    texts = [
        *_texts(3, 400),
        "",
        "{" * 30,
        "lorem ipsum " * 40,
        "javascript is on\n" * 3,
        "A B C D " * 30,
        "\u4f60\u597d\uff0c" * 40,
    ]
    limits = q.thresholds(family)
    batch = q.measure(pa.array(texts))
    measures = pa.Table.from_batches([batch])  # noqa: F841 (read by DuckDB)
    rows = duckdb.sql(f"SELECT {q.verdict_sql(limits)} AS reason FROM measures").fetchall()
    assert [row[0] for row in rows] == q.verdict(batch, limits).to_pylist()


def test_a_value_on_the_threshold_passes_in_both() -> None:
    text = "one two three\n" * 3 + "\n".join(f"line {n} here and there" for n in range(7))
    batch = q.measure(pa.array([text]))
    limits = q.thresholds("general", {"max_dup_lines": 0.2, "min_words": 1})
    measures = pa.Table.from_batches([batch])  # noqa: F841
    assert batch["dup_line_fraction"][0].as_py() == np.float32(0.2)
    reason = duckdb.sql(f"SELECT {q.verdict_sql(limits)} FROM measures").fetchall()[0][0]
    assert reason == q.verdict(batch, limits)[0].as_py() and reason != "gopher_dup_lines"


def test_families_differ_where_their_texts_do() -> None:
    talk = "\n".join(
        f"{who}: {line}"
        for who, line in zip(["A", "B"] * 12, ["I see.", "Yes.", *SAID[:10], "I see.", "Yes.", *SAID[10:]], strict=True)
    )
    moment = "My daughter smiled at me when I came home today."
    posts = q.measure(
        pa.array(
            [
                talk,
                moment,
                "\u6211\u4eca\u5929\u89c9\u5f97\u5f88\u96be\u8fc7\uff0c\u4e0d\u77e5\u9053\u8be5\u600e\u4e48\u529e\u3002"
                * 1,
            ]
        )
    )
    assert q.verdict(posts, q.thresholds("transcript"))[0].as_py() is None
    assert q.verdict(posts, q.thresholds("general", {"min_mean_word_length": 3.5}))[0].as_py() is not None
    assert q.verdict(posts, q.thresholds("biography"))[1].as_py() == "too_short"
    assert q.verdict(posts, q.thresholds("biography", {"min_words": 5}))[1].as_py() is None
    assert posts["n_words"][2].as_py() == 15 and posts["unspaced_fraction"][2].as_py() > 0.8
    assert q.verdict(posts, q.thresholds("transcript", {"min_words": 5}))[2].as_py() is None


def test_single_measures() -> None:
    m = q.measure(
        pa.array(
            [
                "# # hello world ...",
                "HELLO World {x}",
                "JavaScript here\nplain",
                "Lorem IPSUM dolor",
                None,
                "a\u0301 \u00e9",
            ]
        )
    )
    assert m["symbol_word_ratio"][0].as_py() == pytest.approx(2 / 5)
    assert m["uppercase_ratio"][1].as_py() == pytest.approx(6 / 11)
    assert m["curly_bracket_count"][1].as_py() == 1
    assert m["javascript_line_fraction"][2].as_py() == 0.5
    assert m["lorem_ipsum"].to_pylist() == [0, 0, 0, 1, 0, 0]
    assert m["n_words"].to_pylist()[4:] == [0, 2]
    assert m["n_chars"].to_pylist()[4:] == [0, 4]
    assert m.schema.equals(q.MEASURES)


def test_quality_orders_what_anyone_would() -> None:
    good = "I slept well that night, and the morning was calm. We walked to the river with bread and a letter for my friend. "
    values = q.measure(pa.array([good * 1, "buy buy buy buy buy buy buy buy buy buy", "### ... ### ... ###", ""]))[
        "quality"
    ].to_pylist()
    assert values == sorted(values, reverse=True) and values[-1] == 0.0 and values[0] <= 1.0


def test_wrong_thresholds_are_explained() -> None:
    with pytest.raises(UserError, match="min_wrods"):
        q.thresholds("forum", {"min_wrods": 3})
    with pytest.raises(UserError, match="novel"):
        q.thresholds("novel")
    with pytest.raises(UserError, match="min_words"):
        q.thresholds("forum", {"min_words": "many"})
