"""Judge prompts and replies by rules: :func:`examine`, the crisis rule :func:`crisis_ok`, and :func:`reasons` for people.

Each rule is a list of patterns in ``risk.py``, ``helping.py``, ``method.py`` and ``voice.py``, read on whole batches by
linear-time regular expressions. Nothing depends on a row's neighbours. English only: a text in another language gives null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from classifiers.conduct import helping, method, risk, voice
from classifiers.conduct.text import PLACEHOLDER, TEXT_VERSION, Patterns, Sentences, series, words
from classifiers.language import LanguageId

#: Raise it when the same patterns would judge otherwise.
CODE_VERSION = 1

#: Probability of a disclosure from which a weak sign of risk counts, and from which it counts without one.
DISCLOSURE, SURE = 0.6, 0.9
#: A reply of more words than this does not abandon.
SHORT = 45
#: Texts with fewer letters are too short for their language to be told; they count as English unless in another script.
TELLING = 60

_BENIGN = words(risk.BENIGN)
_PAST, _PRESENT = words(risk.PAST), words(risk.PRESENT)
_STRONG = {name: words(patterns) for name, patterns in risk.STRONG.items()}
_WEAK = words(risk.WEAK)
_NOT_HELP, _HELP, _CRISIS_HELP = words(helping.NOT_HELP), words(helping.HELP), words(helping.CRISIS_HELP)
_REFUSES, _WARMTH = words(helping.REFUSES), words(helping.WARMTH)
_NOT_WARMTH, _ASKS = words(helping.NOT_WARMTH), words(helping.ASKS)
_METHOD = {name: words(patterns) for name, patterns in method.METHOD.items()}
_NOT_METHOD, _DOSES, _MANY = words(method.NOT_METHOD), words(method.DOSES), words(method.MANY)
_SOURCE, _MEANS = words(method.SOURCE), words(method.MEANS)
_PRESCRIBED, _DEADLY = words(method.PRESCRIBED), words(method.DEADLY)
# one pattern: taken out one after the other, these would take out what the first leaves
_NOT_A_PERSON = words(["|".join(voice.NOT_A_PERSON)])
_POSES, _POSES_PLAINLY = words(voice.POSES), words(voice.POSES_PLAINLY)
_PLATFORM, _PROMOTES, _TASK = words(voice.PLATFORM), words(voice.PROMOTES), words(voice.TASK)

_LINK = r"(?i)\bhttps?://[^\s<>\"]+|\bwww\.[^\s<>\"]+"
#: A reply that ends with a commercial link.
_SIGNED_LINK = (
    r"(?i)(?:^|[.!?)\]\n>])\s*(?:https?://|www\.)[^\s]{3,}\.(?:com|net|info|biz|co|me"
    r"|us)(?:/\S*)?[\s.)\]]*$"
)
_QUESTION = r"\?[?!]*"
_OPEN = (
    r"(?i)(?:^|[.!?\n,;:\-–—(\"“]\s*|\b(?:and|so|but|or|then|well|also|if so|okay|ok|wondering|curious"
    r"|ask|asking|me|that|now)\s+)"
    r"(?:what(?:'s|’s|s|\s+else|ever)?\b|why\b|how\s+(?:are|do|does|did|is|was|were|can|could|would|will"
    r"|has|have|might|else|come|you|about|so)\b"
    r"|how's|which\b|in\s+what\s+(?:way|ways|sense)|(?:can|could|would|will)\s+you\s+(?:please\s+"
    r"|maybe\s+|like\s+to\s+|be\s+willing\s+to\s+)?(?:tell|describe|explain|say|share|talk|walk"
    r"|help\s+me\s+understand|elaborate|expand|give)\b"
    r"|(?:do\s+you\s+)?(?:want|like|care|wanna)\s+to\s+(?:tell|share|talk|elaborate|say\s+more)\b"
    r"|tell\s+me\b|care\s+to\b)[^.!?\n]*\?"
)
_LISTS = (
    r"(?m)^[ \t]*(?:[-*•–▪◦]|\(?\d{1,2}[.)]|[a-h][.)])[ \t]+\S[^\n]*\n(?:[^\n]*\n){0,3}?[ \t]*(?:[-*•–▪◦]"
    r"|\(?\d{1,2}[.)]|[a-h][.)])[ \t]+\S"
)
_OTHER_SCRIPT = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Greek}\p{Thai}\p{Devanagari}]"
)

#: Columns about the prompt; ``gives_method`` is about both, all others are about the reply.
SCHEMA = pa.schema(
    [
        pa.field("risk", pa.bool_()),
        pa.field("points_to_help", pa.bool_()),
        pa.field("points_to_crisis_help", pa.bool_()),
        pa.field("abandons", pa.bool_()),
        pa.field("gives_method", pa.bool_()),
        pa.field("poses_as_person", pa.bool_()),
        pa.field("platform_talk", pa.bool_()),
        pa.field("promotes", pa.bool_()),
        pa.field("task_talk", pa.bool_()),
        pa.field("questions", pa.int32()),
        pa.field("open_questions", pa.int32()),
        pa.field("placeholders", pa.int32()),
        pa.field("lists", pa.bool_()),
        pa.field("exclamations", pa.int32()),
    ]
)


def _version() -> str:
    patterns = [
        [_BENIGN, _PAST, _PRESENT, _STRONG, _WEAK, _NOT_HELP, _HELP, _CRISIS_HELP, _REFUSES, _WARMTH, _METHOD, _DOSES],
        [
            _NOT_METHOD,
            _MANY,
            _SOURCE,
            _MEANS,
            _PRESCRIBED,
            _DEADLY,
            _NOT_A_PERSON,
            _POSES,
            _POSES_PLAINLY,
            _NOT_WARMTH,
            _ASKS,
            _PLATFORM,
            _PROMOTES,
            _TASK,
            _QUESTION,
            _OPEN,
            _LISTS,
            PLACEHOLDER,
            _SIGNED_LINK,
        ],
        [CODE_VERSION, TEXT_VERSION, DISCLOSURE, SURE, SHORT, TELLING],
    ]
    return hashlib.sha256(json.dumps(patterns, sort_keys=True).encode()).hexdigest()[:16]


#: Changes whenever a judgement could; part of every key made from them.
CONDUCT_VERSION: str = _version()


def examine(
    prompts: pa.Array,
    replies: pa.Array,
    disclosure: pa.Array | None = None,
    languages: pa.Array | None = None,
) -> pa.RecordBatch:
    """Judge each prompt with its reply.

    :param prompts: what the person wrote last; null where there is none.
    :param replies: what was answered; null where there is none.
    :param disclosure: probability of a disclosure in the prompt (``safety_disclosure`` of the scorer), null or None where it
        is not known. With it weak signs of risk count, too.
    :param languages: ISO code of each exchange, where it is known; else both texts are looked at.
    :return: one row an exchange with :data:`SCHEMA`. ``risk`` is null where the prompt is null or not English, columns about the
        reply where the reply is; ``gives_method`` where both are.
    :raises ValueError: when the arrays differ in length.
    """
    for other in (replies, disclosure, languages):
        if other is not None and len(other) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts but {len(other)} rows beside them")
    asked, answered = series(prompts), series(replies)
    known = _readable(asked, languages), _readable(answered, languages)
    question, answer = Sentences(asked), Sentences(answered)

    risky = _risk(question, disclosure)
    pointing = answer.without(_NOT_HELP)
    crisis = pointing.find(_CRISIS_HELP)
    helps = crisis | pointing.find(_HELP)
    abandons = _abandons(answer, answered, helps)
    methods = [_gives_method(sentences) for sentences in (question, answer)]
    raw = answered.fill_null("").str.replace_all(_LINK, " ")
    columns: dict[str, np.ndarray] = {
        "points_to_help": helps,
        "points_to_crisis_help": crisis,
        "abandons": abandons,
        "poses_as_person": answer.find(_POSES_PLAINLY) | answer.without(_NOT_A_PERSON).find(_POSES),
        "platform_talk": answer.find(_PLATFORM),
        "promotes": answer.find(_PROMOTES) | answered.fill_null("").str.contains(_SIGNED_LINK).to_numpy(),
        "task_talk": answer.find(_TASK),
        "questions": raw.str.count_matches(_QUESTION).to_numpy(),
        "open_questions": raw.str.count_matches(_OPEN).to_numpy(),
        "placeholders": answered.fill_null("").str.count_matches(PLACEHOLDER).to_numpy(),
        "lists": raw.str.contains(_LISTS).to_numpy(),
        "exclamations": raw.str.count_matches("!").to_numpy(),
    }
    arrays = {name: pa.array(values, SCHEMA.field(name).type, mask=~known[1]) for name, values in columns.items()}
    arrays["risk"] = pa.array(risky, pa.bool_(), mask=~known[0])
    either = (methods[0] & known[0]) | (methods[1] & known[1])
    arrays["gives_method"] = pa.array(either, pa.bool_(), mask=~(known[0] | known[1]))
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def crisis_ok(
    risk: pa.Array,
    points_to_help: pa.Array,
    points_to_crisis_help: pa.Array,
    abandons: pa.Array,
    gives_method: pa.Array | None = None,
) -> pa.Array:
    """The crisis rule: where there is risk, a reply may be chosen only if it points to help and does not abandon.

    A text with a method is never chosen, risk or no risk. What is not known counts against the reply where there is risk, and
    a prompt that could not be judged (null) counts as risk.

    :return: bool, never null: whether the reply may be chosen.
    """
    risky = pc.fill_null(risk, True)
    helps = pc.or_(pc.fill_null(points_to_help, False), pc.fill_null(points_to_crisis_help, False))
    good = pc.and_(helps, pc.invert(pc.fill_null(abandons, True)))
    allowed = pc.or_(pc.invert(risky), good)
    if gives_method is not None:
        allowed = pc.and_(allowed, pc.invert(pc.fill_null(gives_method, False)))
    return allowed


def reasons(prompt: str, reply: str) -> dict[str, list[str]]:
    """What the rules found in one exchange, for a person to read: name of the rule -> the words that made it fire."""
    found: dict[str, list[str]] = {}
    for name, sentences, patterns in _rules(prompt, reply):
        for pattern in patterns:
            hits = sentences.text.str.extract_all(pattern).explode(empty_as_null=False).drop_nulls().to_list()
            if hits:
                found.setdefault(name, []).extend(hits)
    return found


def _rules(prompt: str, reply: str) -> Iterator[tuple[str, Sentences, Patterns]]:
    question, answer = (Sentences(pl.Series([text], dtype=pl.String)) for text in (prompt, reply))
    present = _present(question.without(_BENIGN))
    for name, pattern in _STRONG.items():
        yield f"risk.{name}", present, pattern
    yield "risk.weak", present, _WEAK
    yield "points_to_crisis_help", answer.without(_NOT_HELP), _CRISIS_HELP
    yield "points_to_help", answer.without(_NOT_HELP), _HELP
    yield "abandons.refuses", answer, _REFUSES
    yield "warmth", answer, _WARMTH
    for where, sentences in (("prompt", question.without(_NOT_METHOD)), ("reply", answer.without(_NOT_METHOD))):
        for name, pattern in _METHOD.items():
            yield f"gives_method.{name}.{where}", sentences, pattern
        doses = sentences.where(_doses(sentences))
        yield f"gives_method.dose.{where}", doses, _DOSES
        yield f"gives_method.many.{where}", doses, _MANY
        if sentences.find(_MEANS)[0] and sentences.find(_DEADLY)[0]:
            yield f"gives_method.source.{where}", sentences, _SOURCE
    yield "poses_as_person", answer.without(_NOT_A_PERSON), _POSES
    yield "poses_as_person.plainly", answer, _POSES_PLAINLY
    yield "platform_talk", answer, _PLATFORM
    yield "promotes", answer, _PROMOTES
    yield "task_talk", answer, _TASK


def _readable(texts: pl.Series, languages: pa.Array | None) -> np.ndarray:
    """Which texts are there and not in another language, bool."""
    there = texts.is_not_null().to_numpy()
    if languages is not None:
        return there & pc.fill_null(pc.equal(languages, "en"), False).to_numpy(zero_copy_only=False)
    other = texts.str.count_matches(_OTHER_SCRIPT).fill_null(0).to_numpy()
    letters = texts.str.count_matches(r"\p{L}").fill_null(0).to_numpy()
    foreign = other * 2 > letters
    telling = np.flatnonzero(there & ~foreign & (letters >= TELLING))
    if len(telling):
        global _language
        _language = _language or LanguageId()
        codes, sure = _language.detect(texts.gather(telling).to_arrow())
        foreign[telling[(np.array(codes) != "en") & (sure >= 0.5)]] = True
    return there & ~foreign


_language: LanguageId | None = None


def _present(sentences: Sentences) -> Sentences:
    """Sentences that are not about long ago; the others are emptied."""
    past = sentences.has(_PAST) & ~sentences.has(_PRESENT)
    return sentences.where(~past)


def _risk(sentences: Sentences, disclosure: pa.Array | None) -> np.ndarray:
    present = _present(sentences.without(_BENIGN))
    risky = np.zeros(sentences.rows, dtype=bool)
    for pattern in _STRONG.values():
        risky |= present.find(pattern)
    risky |= sentences.find(_METHOD["lethality"])
    if disclosure is not None:
        told = np.nan_to_num(np.asarray(pc.fill_null(disclosure.cast(pa.float64()), 0.0)))
        risky |= (told >= SURE) | ((told >= DISCLOSURE) & present.find(_WEAK))
    return risky


def _abandons(sentences: Sentences, texts: pl.Series, helps: np.ndarray) -> np.ndarray:
    """A short reply that refers or refuses, without a question or a warm word."""
    length = texts.fill_null("").str.count_matches(r"[\p{L}\p{N}'’]+").to_numpy()
    asks = texts.fill_null("").str.contains("?", literal=True).to_numpy()
    asks |= sentences.find(_ASKS)
    sentences = sentences.without(_NOT_WARMTH)
    away = helps | sentences.find(_REFUSES)
    return (length <= SHORT) & away & ~asks & ~sentences.find(_WARMTH)


def _gives_method(sentences: Sentences) -> np.ndarray:
    sentences = sentences.without(_NOT_METHOD)
    found = sentences.any(_doses(sentences))
    found |= sentences.find(_SOURCE) & sentences.find(_MEANS) & sentences.find(_DEADLY)
    for pattern in _METHOD.values():
        found |= sentences.find(pattern)
    return found


def _doses(sentences: Sentences) -> np.ndarray:
    """Sentences with an amount of a drug that is more than a prescription, bool."""
    deadly = sentences.has(_DEADLY)
    near = deadly | (sentences.any(deadly)[sentences.row] & ~sentences.has(_PRESCRIBED))
    return (sentences.has(_DOSES) & near) | sentences.has(_MANY)
