"""Canaries: synthetic records with unique personal data that are put into a raw corpus, to be looked for in all that a run wrote.

Each record has an author, two further values (classes and formats take turns), and a *control*: a harmless unique word. That a value is
nowhere means something only if its record's control arrived. Values are made up: documentation and benchmark ranges, test prefixes,
numbers that are never assigned, and words that are in no language.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import yaml
from stdnum import iban, luhn

from sources.errors import UserError

#: Raise it when the same seed could give other records.
CANARIES_VERSION = 1
RECORDS, KEY, CARD = "canaries.jsonl", "canaries.key.json", "canaries.yaml"


@dataclass(frozen=True)
class Secret:
    """A planted value.

    :param kind: class, e.g. ``EMAIL``.
    :param form: how it is written.
    :param promised: whether de-identification says that it masks this class.
    :param traces: what gives it away, in lower case: the value, or the part of it that is unique.
    """

    kind: str
    form: str
    promised: bool
    traces: tuple[str, ...]


@dataclass(frozen=True)
class Canary:
    """A record.

    :param control: the harmless word that must arrive.
    """

    id: str
    control: str
    secrets: tuple[Secret, ...]


_ONSETS = (
    "b", "br", "c", "cl", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "pr", "qu",
    "r", "s", "sk", "st", "t", "tr", "v", "w", "z",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "oo", "ou")
_CODAS = ("b", "ck", "d", "g", "l", "lk", "m", "n", "nd", "nt", "p", "r", "rk", "s", "sk", "t", "x", "z")


class _Maker:
    """Unique values from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"wellmix-canaries-{CANARIES_VERSION}-{seed}")
        self._words: set[str] = set()
        self._numbers: set[str] = set()

    def word(self) -> str:
        """A word of 9 to 14 letters that is in no language and no part of another one."""
        choose = self.random.choice
        while True:
            made = "".join(choose(_ONSETS) + choose(_VOWELS) + choose(_CODAS) for _ in range(3))
            if 9 <= len(made) <= 14 and not any(made in other or other in made for other in self._words):
                self._words.add(made)
                return made

    def name(self) -> str:
        """A word as a name."""
        return self.word().capitalize()

    def digits(self, form: str) -> str:
        """A form with digits for its ``#``, such as no call gave before."""
        for _ in range(10_000):
            made = re.sub("#", lambda _: self.random.choice("0123456789"), form)
            if made not in self._numbers:
                self._numbers.add(made)
                return made
        raise UserError("there are not so many made-up numbers", where="--n", fix="make fewer canaries")


#: A value as it is written, and its traces.
_Made = tuple[str, tuple[str, ...]]


def _by_word(form: str, case: Callable[[str], str] = str) -> Callable[[_Maker], _Made]:
    """A value around a unique word, which is its trace."""

    def make(maker: _Maker) -> _Made:
        word = maker.word()
        return case(form.format(word, n=maker.random.randint(10, 99))), (word,)

    return make


def _by_digits(form: str, *patterns: str) -> Callable[[_Maker], _Made]:
    """A number from a range that belongs to nobody, written as ``form``; its digits in any writing are its trace.

    :param form: with ``{}`` for each group of digits.
    :param patterns: of each group, ``#`` for any digit.
    """

    def make(maker: _Maker) -> _Made:
        groups = maker.digits(" ".join(patterns)).split()
        return form.format(*groups), _writings(groups)

    return make


def _writings(groups: list[str]) -> tuple[str, ...]:
    return tuple(sorted({separator.join(groups) for separator in ("", " ", "-", ".")}))


def _phone(form: str) -> Callable[[_Maker], _Made]:
    """A number kept for fiction: 555-01xx in the United States."""

    def make(maker: _Maker) -> _Made:
        area = maker.random.choice(
            ("212", "303", "415", "510", "646", "718", "206", "404", "503", "617", "702", "813", "919")
        )
        groups = maker.digits(f"{area} 555 01##").split()
        written = form.format(*groups)
        return written, (*_writings(groups), written.lower())

    return make


def _card(form: str) -> Callable[[_Maker], _Made]:
    """A number with right check digit behind the prefix of test cards."""

    def make(maker: _Maker) -> _Made:
        body = maker.digits("4000 00## #### ###").replace(" ", "")
        number = body + luhn.calc_check_digit(body)
        groups = [number[i : i + 4] for i in range(0, 16, 4)]
        return form.join(groups), _writings(groups)

    return make


def _iban(spaced: bool) -> Callable[[_Maker], _Made]:
    """Right check digits, and a bank that is none."""

    def make(maker: _Maker) -> _Made:
        body = maker.digits("##############")
        value = "GB" + iban.calc_check_digits(f"GB00WLMX{body}") + f"WLMX{body}"
        groups = [value[i : i + 4] for i in range(0, len(value), 4)]
        return (" " if spaced else "").join(groups), (value.lower(), " ".join(groups).lower(), body)

    return make


def _address(form: str) -> Callable[[_Maker], _Made]:
    def make(maker: _Maker) -> _Made:
        street = maker.name()
        return form.format(street, n=maker.random.randint(12, 4800)), (street.lower(),)

    return make


def _place(maker: _Maker) -> _Made:
    value = maker.digits("4#.######, -7#.######")
    return value, (value.split(",")[0],)


def _key(maker: _Maker) -> _Made:
    value = "sk-" + "".join(maker.random.choices("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789", k=40))
    return value, (value.lower(),)


def _v6(maker: _Maker) -> _Made:
    value = "2001:db8:" + ":".join("".join(maker.random.choices("123456789abcdef", k=4)) for _ in range(6))
    return value, (value,)


def _other(maker: _Maker) -> _Made:
    first, last = maker.name(), maker.name()
    return f"{first} {last}", (first.lower(), last.lower())


#: (class, form, promised, maker, sentence). Not promised: what de-identification leaves (see the head of ``pipeline/deidentify.py``).
_PLANTS: tuple[tuple[str, str, bool, Callable[[_Maker], _Made], str], ...] = (
    ("EMAIL", "plain", True, _by_word("{}@example.org"), "If you want to talk, write me at {} any evening."),
    (
        "EMAIL",
        "dotted",
        True,
        _by_word("mail.{}{n}@mail.example.co.uk"),
        "My address for this is {} and I read it daily.",
    ),
    ("EMAIL", "upper", True, _by_word("{}@EXAMPLE.NET", str.upper), "Contact: {}"),
    ("EMAIL", "tagged", True, _by_word("{}+group@example.com"), "I made ({}) so that he cannot find me."),
    ("EMAIL", "spelled", True, _by_word("{} [at] example [dot] org"), "Reach me under {} please."),
    ("EMAIL", "link", True, _by_word("[write me](mailto:{}@example.org)"), "For the worksheet {} today."),
    ("PHONE", "dashes", True, _phone("{}-{}-{}"), "My number is {} and you can text me."),
    ("PHONE", "brackets", True, _phone("({}) {}-{}"), "Call me on {} if it gets bad tonight."),
    ("PHONE", "international", True, _phone("+1 {} {} {}"), "From abroad it is {} at any hour."),
    ("PHONE", "dots", True, _phone("{}.{}.{}"), "Her cell is {} but she never picks up."),
    ("PHONE", "run", True, _phone("{}{}{}"), "Just text {} and I will answer."),
    ("PHONE", "uk", True, _by_digits("{} {} {}", "07700", "900", "###"), "Ring me on {} after six."),
    (
        "IP",
        "v4",
        True,
        _by_digits("{}.{}.{}", "198.18", "1##", "2#"),
        "The login came from {} at three in the morning.",
    ),
    ("IP", "v6", True, _v6, "It says that my address is {} now."),
    ("PROFILE", "reddit", True, _by_word("https://www.reddit.com/user/{}_{n}"), "You can see it on my page: {}"),
    ("PROFILE", "twitter", True, _by_word("https://twitter.com/{}"), "She posted everything at {} with photos."),
    ("PROFILE", "instagram", True, _by_word("www.instagram.com/{}.{n}/"), "This is him {} I think."),
    (
        "PROFILE",
        "any site",
        True,
        _by_word("https://forum.example.org/users/{}"),
        "My older story is at {} if you like.",
    ),
    ("USER", "at", True, _by_word("@{}_{n}"), "Thanks {} for what you said yesterday."),
    ("USER", "reddit", True, _by_word("u/{}_{n}"), "As {} wrote, one day at a time."),
    ("USER", "discord", True, _by_word("{}#10{n}"), "On discord I am {} most nights."),
    ("USER", "snapchat", True, _by_word("{}_{n}"), "My snapchat is {} by the way."),
    ("CARD", "spaces", True, _card(" "), "He memorised my card, {}, and spent it all."),
    ("CARD", "run", True, _card(""), "The receipt shows my card number {} in full."),
    ("CARD", "dashes", True, _card("-"), "And then I read out {} like a fool."),
    ("IBAN", "spaces", True, _iban(True), "He wanted the rent on {} by Monday."),
    ("IBAN", "run", True, _iban(False), "The account is {} and it is empty."),
    (
        "ID",
        "ssn",
        True,
        _by_digits("{}-{}-{}", "9##", "1#", "####"),
        "They printed my social security number {} on the letter.",
    ),
    ("ID", "passport", True, _by_digits("{}", "K########"), "It is passport number {} that I lost."),
    (
        "ADDRESS",
        "us",
        True,
        _address("{n} {} Avenue, Springfield, IL 62704"),
        "I live at {} and I am scared to go home.",
    ),
    ("ADDRESS", "uk", True, _address("Flat 3, {n} {} Road, London SW1A 1AA"), "Please send it to {} next week."),
    ("ADDRESS", "short", True, _address("{n} {} Lane"), "We used to live at {} above the bakery."),
    ("OTHER_NAME", "full", False, _other, "My neighbour {} told me to rest."),
    ("COORDINATES", "decimal", False, _place, "The cabin is at {} if you look it up."),
    ("SECRET", "key", True, _key, "The key that he stole was {} and it still works."),
)


_OPENINGS = (
    "I have been going for a walk every morning since the spring and it has done me a lot of good.",
    "Two weeks ago I started to write down three good things before I go to bed.",
    "My sister came over on Sunday and we cooked together for the first time in years.",
    "It took me a long time to ask for help, and I am glad that I did in the end.",
    "After the move I did not know anybody here, so I joined a choir down the road.",
    "Some days are still hard, but I have learned to be kinder to myself on those.",
    "My counsellor asked me what I would say to a friend who felt the way I do.",
    "I finally told my manager that I cannot work every weekend any more.",
    "We planted tomatoes on the balcony and the children look at them every single day.",
    "Last month I ran five kilometres without stopping and nearly cried at the end.",
)
_MIDDLES = (
    "The first few times felt strange, and then it slowly became a part of my week.",
    "Nobody laughed at me, which is what I had been afraid of all along.",
    "I sleep better now, and I am less short with the people I love.",
    "It is not a cure for anything, but it gives the day some shape.",
    "What helped most was that somebody listened without telling me what to do.",
    "I still have doubts, and I try to let them be there without a fight.",
    "There were tears and a lot of tea, and somehow we ended up laughing.",
    "I keep a small notebook for the moments when I forget how far I have come.",
    "She said that rest is not something one has to earn, and that stayed with me.",
    "Small steps were the only ones I could take, so I took those.",
)
_CONTROLS = (
    "Our new cat is called {} and she sleeps on the radio.",
    "The board game we play is named {} and I always lose.",
    "We laugh about the word {} which my son made up.",
    "The little boat in the harbour has {} painted on its side.",
)
_MENTIONS = ("Signed, {}", "{} here again, thank you all for reading.", "- {}", "They call me {} in this group.")


def canaries(count: int, seed: int = 0) -> Iterator[tuple[Canary, dict[str, str]]]:
    """Records with what was planted in each: ``id``, ``author`` and ``text``.

    The author is a handle or a name by turns, and stands in the text as well. Each record has two of the values of :data:`_PLANTS`.
    """
    maker = _Maker(seed)
    for number in range(count):
        control = maker.word()
        if number % 2:
            first, last = maker.name(), maker.name()
            author, author_secret = f"{first} {last}", Secret("AUTHOR", "name", True, (first.lower(), last.lower()))
        else:
            author = f"{maker.word()}_{maker.random.randint(10, 99)}"
            author_secret = Secret("AUTHOR", "handle", True, (author.rpartition("_")[0],))
        secrets, sentences = [author_secret], []
        for place in (2 * number, 2 * number + 1):
            kind, form, promised, make, sentence = _PLANTS[place % len(_PLANTS)]
            value, traces = make(maker)
            secrets.append(Secret(kind, form, promised, tuple(trace.lower() for trace in traces)))
            sentences.append(sentence.format(value))
        sentences.append(maker.random.choice(_CONTROLS).format(control))
        ordinary = [*maker.random.sample(_OPENINGS, 2), *maker.random.sample(_MIDDLES, 3)]
        body = [
            ordinary[0],
            sentences[0],
            ordinary[2],
            sentences[2],
            ordinary[3],
            sentences[1],
            ordinary[1],
            ordinary[4],
        ]
        text = "\n".join([" ".join(body), maker.random.choice(_MENTIONS).format(author)])
        identity = f"canary-{seed}-{number}"
        yield Canary(identity, control, tuple(secrets)), {"id": identity, "author": author, "text": text}


def make_canaries(
    folder: Path,
    count: int = 400,
    seed: int = 0,
    family: str = "forum",
    fields: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Write records to plant, the key to find them by, and a card with which a recipe can take them as a source of their own.

    ``canaries.jsonl`` may as well be appended to a raw corpus, or turned into its format. Keep ``canaries.key.json`` away from the corpus.

    :param folder: made if it is not there.
    :param fields: what the corpus calls ``id``, ``author`` and ``text``.
    :returns: what was written: ``records``, ``key``, ``card``, and the number of ``secrets`` by class.
    :raises UserError: the folder holds canaries already, or cannot be written.
    """
    if any((folder / name).exists() for name in (RECORDS, KEY, CARD)):
        raise UserError(
            "the folder holds canaries already", where=folder, fix="name a new folder: their key would be lost"
        )
    names = {name: name for name in ("id", "author", "text")} | (fields or {})
    made = list(canaries(count, seed))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({names[name]: value for name, value in record.items()}) for _, record in made)
        (folder / RECORDS).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        key = {"version": CANARIES_VERSION, "seed": seed, "canaries": [asdict(canary) for canary, _ in made]}
        (folder / KEY).write_text(json.dumps(key), "utf-8")
        (folder / CARD).write_text(yaml.safe_dump(_card_of(folder, family, names), sort_keys=False), "utf-8")
    except OSError as error:
        raise UserError(f"cannot write canaries: {error.strerror}", where=error.filename or folder) from None
    kinds: dict[str, int] = {}
    for canary, _ in made:
        for secret in canary.secrets:
            kinds[secret.kind] = kinds.get(secret.kind, 0) + 1
    return {"records": str(folder / RECORDS), "key": str(folder / KEY), "card": str(folder / CARD), "secrets": kinds}


def _card_of(folder: Path, family: str, names: dict[str, str]) -> dict[str, Any]:
    reason = "canaries are for audits"
    return {
        "name": CARD.removesuffix(".yaml"),
        "title": "Canaries: made-up records with unique personal data",
        "family": family,
        "where": {"url": (folder / RECORDS).resolve().as_uri()},
        "reader": {"name": "jsonl", "key": names["id"], "author": names["author"], "text": names["text"]},
        "license": {"id": "CC0-1.0"},
        "consent": {"basis": "synthetic"},
        "sensitivity": "low",
        "origin": "simulated",
        "language": ["en"],
        "citation": "none: made by wellmix canary",
        "takedown": "whoever runs the audit",
        "refuse": {"publishing": reason, "commercial": reason},
    }


def load_key(path: Path) -> list[Canary]:
    """What :func:`make_canaries` planted.

    :param path: ``canaries.key.json``, or the folder with it.
    :raises UserError: it is not there, or is no such key.
    """
    path = path / KEY if path.is_dir() else path
    try:
        raw = json.loads(path.read_text("utf-8"))
        return [
            Canary(
                one["id"],
                one["control"],
                tuple(Secret(**{**secret, "traces": tuple(secret["traces"])}) for secret in one["secrets"]),
            )
            for one in raw["canaries"]
        ]
    except OSError as error:
        raise UserError(
            f"cannot read the key: {error.strerror}", where=path, fix="name what `wellmix canary` wrote"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError("this is no key of canaries", where=path, fix="name what `wellmix canary` wrote") from None


class Search:
    """Looks for controls and traces in batches of texts.

    :param planted: what :func:`load_key` gives.
    """

    def __init__(self, planted: Sequence[Canary]) -> None:
        #: Trace -> (canary, secret); a control's secret is -1.
        self.meaning: dict[str, tuple[int, int]] = {}
        for number, canary in enumerate(planted):
            self.meaning[canary.control] = number, -1
            for place, secret in enumerate(canary.secrets):
                self.meaning.update(dict.fromkeys(secret.traces, (number, place)))
        self._needles = sorted(self.meaning)

    def find(self, texts: pa.Array | list[str]) -> list[tuple[int, int, int]]:
        """(row, canary, secret) of everything in a batch; a secret of -1 is the control."""
        series = pl.Series("text", texts)
        rows = np.flatnonzero(
            series.str.contains_any(self._needles, ascii_case_insensitive=True).fill_null(False).to_numpy()
        )
        found: list[tuple[int, int, int]] = []
        for row in rows.tolist():
            lower = series[row].lower()
            found += sorted({(row, *self.meaning[needle]) for needle in self._needles if needle in lower})
        return found
