# ruff: noqa: SIM905 (word lists read better as text)
"""De-identification: personal data becomes typed, numbered placeholders before anything is written.

``write me at jo@example.org or @jo_w`` becomes ``write me at [EMAIL_1] or [USER_1]``. The same value has the same
number everywhere in a document, so who says what to whom can still be followed.

Three nets, from cheap to dear:

1. a numba pass over the UTF-8 bytes of the batch says which texts could hold what (an ``@``, seven digits in a row,
...);
2. Rust regexes look closer at the kinds that a byte scan cannot tell well (street addresses, known names);
3. only the remaining texts reach Python, where `phonenumbers <https://github.com/daviddrysdale/python-phonenumbers>`_
   and `python-stdnum <https://arthurdejong.org/python-stdnum/>`_ validate each candidate.

What helps people stays: crisis lines (:data:`HELPLINES`), free-phone numbers, ordinary links, addresses of help
organisations. So do placeholders a corpus already has (``[NAME]``, ``@USER``, ``<user>``).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numba
import numpy as np
import phonenumbers
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import Leniency, PhoneNumberMatcher, PhoneNumberType
from stdnum import iban, luhn
from stdnum.au import tfn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.ie import pps
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from pipeline.clean import utf8_buffers
from pipeline.names import NameFinder
from sources.errors import UserError

#: Part of the key of every ingested artifact: raise it whenever the same input could give another output.
DEIDENTIFY_VERSION = "5"

#: Kinds of placeholder, and the columns of the counts.
TYPES = ("EMAIL", "PHONE", "IP", "PROFILE", "CARD", "ID", "USER", "ADDRESS", "NAME", "SECRET")

#: Public numbers for people in distress: help, not personal data. Digits as dialled in their country and with its code.
HELPLINES = frozenset(
    re.sub(r"\D", "", number)
    for number in (
        # United States and Canada
        "988", "911", "211", "311", "741741", "838255", "678678", "686868", "45645", "62640", "1-800-273-8255",
        "1-800-799-4889", "1-800-784-2433", "1-866-488-7386", "1-877-565-8860", "1-877-330-6366", "1-800-799-7233",
        "1-800-656-4673", "1-800-662-4357", "1-800-950-6264", "1-800-422-4453", "1-888-373-7888", "1-800-931-2237",
        "1-866-662-1235", "1-800-222-1222", "1-800-985-5990", "1-833-456-4566", "1-800-668-6868", "1-855-242-3310",
        "1-866-331-9474", "1-888-843-4564", "1-800-843-4564", "1-800-366-8288", "1-847-448-3000", "1-630-577-1330",
        "1-514-723-4000", "1-866-277-3553", "1-206-461-3222", "1-703-752-5263", "1-713-468-5463", "1-212-673-3000",
        # United Kingdom and Ireland
        "999", "111", "112", "116 123", "116 111", "116 117", "85258", "50808", "08457 90 90 90", "0845 790 9090",
        "0800 1111", "0808 2000 247", "0300 123 3393", "0300 304 7000", "0800 58 58 58", "0800 068 41 41",
        "0808 808 4994", "0808 801 0677", "0300 330 0630", "0808 802 5544", "0800 138 7777", "0330 094 5717",
        "020 7734 2800", "1850 60 90 90", "1800 247 247", "1800 66 66 66",
        # Australia and New Zealand
        "000", "13 11 14", "1300 22 4636", "1800 55 1800", "1300 659 467", "1800 650 890", "1800 737 732", "1300 789 978",
        "1737", "0800 543 354", "0508 828 865", "0800 726 666", "0800 376 633",
        # Elsewhere
        "9152987821", "1860 2662 345", "9820466726", "022 2754 6669", "9999666555", "044 2464 0050", "14416",
        "0800 111 0 111", "0800 111 0 222", "3114", "024", "717 003 717", "800 86 00 86", "02 2327 2327", "0900 0113",
        "113", "143", "142", "1925", "1995", "1221", "15", "0570 064 556", "03 5286 9090", "1393", "1767", "6389 2222",
        "2382 0000", "2896 0000", "400 161 9995", "010 8295 1332", "12320", "12355", "188", "141", "135",
    )
)  # fmt: skip

#: Mailboxes that answer people in distress.
HELP_DOMAINS = (
    "samaritans.org", "papyrus-uk.org", "befrienders.org", "crisistextline.org", "thehotline.org", "rainn.org", "nami.org",
    "thetrevorproject.org", "mind.org.uk", "sane.org.uk", "beateatingdisorders.org.uk", "aa.org", "al-anon.org",
    "childline.org.uk", "lifeline.org.au", "beyondblue.org.au", "save.org", "afsp.org", "nedc.com.au", "b-eat.co.uk",
)  # fmt: skip


class Span(NamedTuple):
    """A piece of personal data in a text.

    :param start: first character.
    :param end: behind the last.
    :param type: one of :data:`TYPES`.
    :param key: the value in a normal form; equal keys of a type share a number.
    """

    start: int
    end: int
    type: str
    key: str


class KnownName(NamedTuple):
    """A name from a raw record, as it is looked for in texts.

    :param pattern: finds it as a whole word.
    :param type: ``NAME`` or ``USER``.
    :param key: shared by all forms of the name, so that "Jo Maple" and "Jo" become the same placeholder.
    :param needle: a plain string every match contains, in any case.
    """

    pattern: re.Pattern[str]
    type: str
    key: str
    needle: str


class Deidentifier:
    """Replaces personal data in batches of texts.

    :param countries: ISO codes whose national phone formats are recognised; international ones always are.
    :param keep_names: leave names and author handles in place (published books, articles: their authors stay).
    :param ner: finder of further names, for texts of private persons; None uses known names only.
    :param skip: types of :data:`TYPES` to leave alone, e.g. ``{"ADDRESS"}`` for old books.
    :raises UserError: for an unknown type or country.
    """

    def __init__(
        self,
        countries: Sequence[str] = ("US", "GB"),
        keep_names: bool = False,
        ner: NameFinder | None = None,
        skip: frozenset[str] = frozenset(),
    ) -> None:
        for country in countries:
            if country not in phonenumbers.SUPPORTED_REGIONS:
                raise UserError(
                    f"unknown country {country!r}", where="countries", fix="use ISO 3166 codes such as US, GB"
                )
        if unknown := set(skip) - set(TYPES):
            raise UserError(f"unknown type {sorted(unknown)[0]!r}", where="skip", fix=f"use {', '.join(TYPES)}")
        self.countries = tuple(countries)
        self.keep_names = keep_names
        self.ner = None if keep_names else ner
        self.skip = skip

    def deidentify(
        self,
        texts: Sequence[str | None] | pa.Array,
        groups: Sequence[int] | np.ndarray | None = None,
        known_names: Sequence[Sequence[str]] | Mapping[int, Sequence[str]] | None = None,
    ) -> tuple[pa.Array, pa.RecordBatch]:
        """Replace personal data by placeholders.

        :param texts: the batch; null stays null.
        :param groups: for each text the number of its document; texts of a document share their numbering. None: each
            text is a document.
        :param known_names: for each group the names its raw record gives away (author handles, a therapist's name),
            as a list indexed by group or a mapping. They are replaced wherever they stand as words in the group's
            texts.
        :returns: ``pa.string()`` array of the same length, and a batch with an int32 column for each of :data:`TYPES`
            (lower case) counting the replacements in each text.
        """
        array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
        array = array if array.type == pa.string() else array.cast(pa.string())
        keys = np.arange(len(array)) if groups is None else np.asarray(groups, np.int64)
        counts = np.zeros((len(TYPES), len(array)), np.int32)
        flags = scan(array)
        known = self._known(array, flags, keys, known_names)
        found_names = self._entities(array)

        rows = np.flatnonzero(flags & _DETAILS)
        if len(found_names):
            rows = np.union1d(rows, np.fromiter(found_names, np.int64))
        numbers: dict[int, dict[tuple[str, str], int]] = {}
        taken = self._taken(array, flags, keys, keys[rows])
        changed_rows, changed = [], []
        for row, text in zip(rows.tolist(), array.take(pa.array(rows)).to_pylist(), strict=True):
            spans = self.find(text, int(flags[row]), known.get(int(keys[row]), ()), found_names.get(row, ()))
            if not spans:
                continue
            numbering = numbers.setdefault(int(keys[row]), {})
            parts: list[str] = []
            position = 0
            for span in spans:
                number = numbering.get((span.type, span.key))
                if number is None:
                    number = 1 + taken.get((int(keys[row]), span.type), 0)
                    taken[int(keys[row]), span.type] = numbering[span.type, span.key] = number
                parts += text[position : span.start], f"[{span.type}_{number}]"
                position = span.end
                counts[TYPES.index(span.type), row] += 1
            changed_rows.append(row)
            changed.append("".join([*parts, text[position:]]))
        if changed_rows:
            mask = np.zeros(len(array), bool)
            mask[changed_rows] = True
            array = pc.replace_with_mask(array, pa.array(mask), pa.array(changed, pa.string()))
        return array, pa.RecordBatch.from_arrays([pa.array(c) for c in counts], names=[t.lower() for t in TYPES])

    def find(
        self,
        text: str,
        flags: int,
        known: Sequence[KnownName] = (),
        entities: Sequence[tuple[int, int]] = (),
    ) -> list[Span]:
        """Personal data in one text, in order and without overlaps.

        :param flags: what :func:`scan` says of the text; kinds it rules out are not looked for.
        :param known: patterns of known names with their type (see :meth:`deidentify`).
        :param entities: name spans of the NER.
        """
        links = [match.span() for match in _URL.finditer(text)] if flags & _LINK else []
        candidates: list[Span] = []
        for wanted, finder in _FINDERS:
            if flags & wanted:
                candidates += finder(text, links, self.countries)
        for name in known:
            candidates += (Span(*match.span(), name.type, name.key) for match in name.pattern.finditer(text))
        candidates += (Span(start, end, "NAME", _name_key(text[start:end])) for start, end in entities)
        kept: list[Span] = []
        for span in candidates:  # the finders come in order of trust
            if span.type not in self.skip and all(span.end <= other.start or span.start >= other.end for other in kept):
                kept.append(span)
        return sorted(kept)

    def _known(
        self,
        array: pa.Array,
        flags: np.ndarray,
        groups: np.ndarray,
        known_names: Sequence[Sequence[str]] | Mapping[int, Sequence[str]] | None,
    ) -> dict[int, list[KnownName]]:
        """Patterns by group; marks the texts that hold one of their group's names in ``flags``."""
        if self.keep_names or not known_names:
            return {}
        patterns: dict[int, list[KnownName]] = {}
        for group in np.unique(groups).tolist():
            if isinstance(known_names, Mapping):
                names = known_names.get(group, ())
            else:
                names = known_names[group] if group < len(known_names) else ()
            if made := [pattern for name in names for pattern in name_patterns(name)]:
                patterns[group] = made
        needles = sorted({name.needle for made in patterns.values() for name in made})
        if needles:
            hit = pl.Series("text", array).str.contains_any(needles, ascii_case_insensitive=True).fill_null(False)
            flags[hit.to_numpy() & np.isin(groups, list(patterns))] |= _KNOWN
        return patterns

    def _entities(self, array: pa.Array) -> dict[int, list[tuple[int, int]]]:
        if self.ner is None:
            return {}
        found = self.ner.find([text or "" for text in array.to_pylist()])
        return {row: spans for row, spans in enumerate(found) if spans}

    @staticmethod
    def _taken(
        array: pa.Array, flags: np.ndarray, groups: np.ndarray, active: np.ndarray
    ) -> dict[tuple[int, str], int]:
        """Highest number by group and type that the texts already carry, so that new ones start above."""
        taken: dict[tuple[int, str], int] = {}
        rows = np.flatnonzero((flags & _PLACEHOLDER != 0) & np.isin(groups, active))
        for row, text in zip(rows.tolist(), array.take(pa.array(rows)).to_pylist(), strict=True):
            for kind, number in _NUMBERED.findall(text):
                key = (int(groups[row]), kind)
                taken[key] = max(taken.get(key, 0), int(number))
        return taken


@lru_cache(maxsize=65_536)
def name_patterns(name: str) -> tuple[KnownName, ...]:
    """What to look for in texts when a record says who wrote it.

    A handle (digits, underscores, one lower-case word) is a USER; a name of capitalised words is a NAME, also by
    each of its parts. One plain word must have the given case: "Hope" the therapist does not erase hope.

    :param name: a handle or a person's name, possibly with titles and degrees ("Jo Maple, LCSW").
    :returns: patterns, longest first; empty for what is no name (``[deleted]``, one letter).
    """
    name = name.strip().removeprefix("/").removeprefix("u/").removeprefix("@").strip()
    if len(name) < 2 or name.lower() in _NO_NAMES or not any(c.isalpha() for c in name):
        return ()

    def known(words: list[str], kind: str, any_case: bool) -> KnownName:
        pattern = r"[ \t]+".join(map(re.escape, words))
        return KnownName(re.compile(rf"(?<!\w){pattern}(?!\w)", re.I if any_case else 0), kind, key, words[0])

    person = [word.strip(".,'\"") for word in re.sub(r"\(.*?\)|,.*$", "", name).split()]
    person = [word for word in person if word and word.lower().replace(".", "") not in _TITLES]
    capitalised = bool(person) and all(
        _NAME_WORD.fullmatch(word) and (word[0].isupper() or word in _PARTICLES) for word in person
    )
    if 2 <= len(person) <= 4 and capitalised:
        key = " ".join(person).lower()
        parts = [word for word in person if len(word) >= 3 and word.lower() not in _ORDINARY | _PARTICLES]
        return known(person, "NAME", True), *(known([part], "NAME", False) for part in parts)
    key = name.lower()
    if len(name) >= 4 and not name.isalpha():
        return (known(name.split(), "USER", True),)
    if len(name) < 3 or key in _ORDINARY:
        return ()
    return (known([name], "NAME" if capitalised else "USER", False),)


_NAME_WORD = re.compile(r"[^\W\d_]+(?:[-'’.][^\W\d_]+)*\.?")
_PARTICLES = frozenset("de da di do dos du del della la le van von der den ten ter bin ibn al el y".split())
_NO_NAMES = frozenset(
    "[deleted] [removed] deleted removed none null nan n/a na anonymous anon unknown user username guest admin moderator"
    " automoderator author op poster seeker supporter therapist client patient counselor counsellor doctor interviewer"
    " assistant system speaker host".split()
)
_TITLES = frozenset(
    "dr mr mrs ms miss prof rev sir phd psyd md lcsw lpc lmft lmhc mft msw ma ms med bs ba edd jd rn np lpcc lcpc"
    " lcmhc ccht"
    " nbcc cht ncc mac cadc esq jr sr ii iii".split()
)
# First or last names and handles that are everyday words; alone they are not replaced.
_ORDINARY = frozenset(
    "the and may will hope grace joy faith love life mark bill rose dawn summer april june august drew chance rich"
    " grant"
    " young long small short good best true wise strong white black brown green gray grey king queen day week night"
    " moon sun"
    " sky star river lake stone wood field hill house home center centre counseling counselling therapy wellness"
    " health mind"
    " coach group associates clinic llc inc services family christian art angel heaven destiny happy sad angry lost"
    " lonely"
    " broken hurt help helper friend friends mom dad mother father sister brother baby girl boy man woman men women"
    " wolf bear"
    " cat dog bird fish tree flower rain snow storm fire water earth dark light dream hero ghost human person people"
    " nobody"
    " someone anyone everyone everybody throwaway depression depressed anxiety anxious bipolar suicidal suicide"
    " autism autistic"
    " adhd ptsd ocd bpd health reddit today tomorrow forever always never maybe really just like this that with have"
    " from your"
    " what when where which there their they them then than some time year years back been more about would could"
    " should"
    " feel feeling feelings think know want need work school college story truth peace pain fear hate trust change"
    " music game"
    " books book paper money power nice cool great sweet bless lucky brave crazy weird alone tired empty numb".split()
)

_NUMBERED = re.compile(rf"\[({'|'.join(TYPES)})_(\d{{1,6}})\]")
_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'\]]+|(?<![\w@.])(?:[\w-]+\.)+(?:com|org|net|me|tv|gg|ee|app|io|social)/[^\s<>\"'\])]+",
    re.I,
)


def _handle_key(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip("@").lower()


def _name_key(text: str) -> str:
    return _handle_key(re.sub(r"['’]s$", "", text))


# Digits no more than three characters apart: where numbers of any kind can be.
_NUMBERS = re.compile(r"\d(?:[^\n]{0,3}\d){3,}")


def _regions(text: str) -> list[tuple[int, int]]:
    """Stretches around numbers, wide enough for the words that tell what a number is."""
    regions: list[tuple[int, int]] = []
    for match in _NUMBERS.finditer(text):
        start, end = max(0, match.start() - 70), min(len(text), match.end() + 30)
        if regions and start <= regions[-1][1]:
            regions[-1] = regions[-1][0], end
        else:
            regions.append((start, end))
    return regions


def _matches(pattern: re.Pattern[str], text: str, regions: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    for start, end in regions:
        yield from pattern.finditer(text, start, end)


def _within(start: int, spans: list[tuple[int, int]]) -> bool:
    return any(low <= start < high for low, high in spans)


# --- e-mail ----------------------------------------------------------------------------------------------------------

_EMAIL = re.compile(
    r"(?<![\w.+%@/-])(?:mailto:)?([\w][\w.%+'’-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24})(?![\w@])(?!-\w)"
)
_MAILBOX = "gmail|googlemail|hotmail|yahoo|ymail|outlook|icloud|aol|protonmail|proton|gmx|live|msn"
# No top-level domain: a mailbox on a machine, or a provider everyone knows. "sh@t" is neither.
_EMAIL_HOST = re.compile(
    rf"(?<![\w.+%@/-])\w[\w.%+-]{{1,40}}@(?:localhost|\w*host\w*|\w*server\w*|mail|{_MAILBOX}|\w+-\w[\w-]*"
    r"|\d{1,3}(?:\.\d{1,3}){3})(?![\w@.]\w|\w)",
    re.I,
)
_EMAIL_SPELLED = re.compile(
    r"(?<![\w.+-])([\w][\w.+-]{1,40}(?:(?: ?[(\[] ?dot ?[)\]] ?| dot )[\w+-]{1,20})?)"
    r"(?: ?[(\[{<] ?(?:at|@) ?[)\]}>] ?| at | @ ?| AT )([\w-]{2,40})(?: ?[(\[{<] ?(?:dot|\.) ?[)\]}>] ?| dot | DOT |\.)"
    r"((?:com|net|org|edu|gov|co\.uk|co|io|me|info|us|ca|de|fr|uk|au|in))(?!\w)",
    re.I,
)
_NOT_LOCAL = frozenset(
    "me us him her them it look looking over here there only available found and or was is are am be meet".split()
)


def _emails(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        value = match.group(1).lower()
        if value.rsplit("@", 1)[1].removeprefix("www.") not in HELP_DOMAINS:
            yield Span(match.start(1), match.end(1), "EMAIL", value)
    for match in _EMAIL_HOST.finditer(text):
        yield Span(*match.span(), "EMAIL", match.group().lower())
    for match in _EMAIL_SPELLED.finditer(text):
        local, domain, top = (part.lower() for part in match.groups())
        # "look at example.com" is a link; "at" between a name and a mail provider, or with "dot", is not.
        plain = (
            re.search(r" (?:at|@) ?$", text[match.start() : match.start(2)], re.I) and text[match.start(3) - 1] == "."
        )
        if local in _NOT_LOCAL or (plain and not re.fullmatch(_MAILBOX, domain)):
            continue
        yield Span(*match.span(), "EMAIL", f"{local}@{domain}.{top}")


# --- profiles --------------------------------------------------------------------------------------------------------

_PROFILE = re.compile(
    r"""(?<![\w@-])(?:
    (?P<a>reddit\.com/(?:u|user)/[\w-]+
      |(?:linkedin\.com/(?:in|pub)|youtube\.com/(?:user|c|channel)|steamcommunity\.com/(?:id|profiles)|snapchat\.com/add
        |facebook\.com/(?:people|profile\.php\?id=)|venmo\.com/u|last\.fm/user|goodreads\.com/user/show
        |quora\.com/profile|stackoverflow\.com/users|stackexchange\.com/users|xing\.com/profile|bsky\.app/profile
        |weibo\.com/u|douban\.com/people|zhihu\.com/people|vk\.com/id|okcupid\.com/profile|myspace\.com)/?[\w%.=-]+
      |(?:tiktok|medium|youtube|threads|flickr)\.(?:com|net)/(?:photos/)?@[\w.%-]+
      |(?:social|online|mastodon\.\w+)/@[\w.]+
      |(?:wa|paypal)\.me/[\w+.-]+|cash\.app/\$[\w-]+|linktr\.ee/[\w.-]+|t\.me/\w{4,}|keybase\.io/\w+)
    |(?P<b>(?:twitter|x|instagram|facebook|fb|github|gitlab|twitch|pinterest|soundcloud|patreon|ko-fi|onlyfans|deviantart
      |tumblr|about)\.(?:com|tv|me)/@?(?P<handle>[\w.-]{2,40}))
    )(?P<rest>/?[^\s<>"'\])]*)""",
    re.I | re.X,
)
# On any site: /user/name, /profile/view/name, /~name, and who reviewed a place on a map. A page (users.html) is nobody.
_PROFILE_PATH = re.compile(
    r"(?:https?://|www\.)(?!(?:docs?|developers?|support|help)\.)[\w.-]{1,253}\.[a-z]{2,12}/(?:[a-z]{2}(?:-[a-z]{2})?/)?"
    r"(?:~|(?:users?|u|profiles?|members?)/(?:view/)?|maps/contrib/)(?![\w.%~-]*\.(?:html?|php|md|pdf))"
    r"(?P<handle>\w[\w.%~-]{1,60})[^\s<>\"'\])]*",
    re.I,
)
_URL_START = re.compile(r"(?:https?://)?(?:[\w-]{1,20}\.){0,2}$", re.I)
_TUMBLR = re.compile(
    r"(?:https?://|(?<![\w./@-]))(?!www\.|assets|static|media|api|staff\.)"
    r"([\w-]{3,40})\.(?:tumblr|livejournal|deviantart)\.com\b[^\s<>\"'\])]*",
    re.I,
)
# First path components that name a part of the site, not a person.
_SITE_PARTS = frozenset(
    "about account accounts ads api app apps blog business careers collections community contact cookies copyright"
    " creators dashboard data developer developers directory discover docs download downloads en enterprise events explore"
    " features feed games gaming group groups hashtag hashtags help home i index intent invite jobs join legal lists live"
    " login logout marketplace media messages mobile music news notifications orgs p page pages photo photos pin places"
    " plugins policies policy popular pricing privacy product pub reel reels register rss safety search security sessions"
    " settings share sharer sharer.php shop sign_in sign_up signin signup sites sponsors stories story store support tag tags team terms"
    " guide manual me new edit"
    " topics tos tour trending tv upload user users video videos watch web wiki index.html r subreddits tagged".split()
)


def _profiles(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    for match in _PROFILE.finditer(text):
        end = match.end()
        while text[end - 1] in ".,;:!?)*_":
            end -= 1
        if handle := match["handle"]:
            # pic.twitter.com/x is a picture
            if handle.lower().rstrip(".") in _SITE_PARTS or text[: match.start()].endswith("pic."):
                continue
            # github.com/organisation/project is a piece of software, as are its issues; github.com/somebody is a person
            if match["b"].lower().startswith(("github", "gitlab")) and len(match["rest"].strip("/.,;:!?)*_")) > 1:
                continue
            key = re.sub(r"^(?:m|mobile|www)\.", "", match["b"]).lower().replace("/@", "/").rstrip("./")
        else:
            key = match["a"].lower().replace("reddit.com/user/", "reddit.com/u/")
        start = _URL_START.search(text, max(0, match.start() - 60), match.start())
        yield Span(start.start() if start else match.start(), end, "PROFILE", key)
    for match in _PROFILE_PATH.finditer(text):
        handle = match["handle"].lower().rstrip(".")
        if handle not in _SITE_PARTS:
            end = match.start() + len(match.group().rstrip(".,;:!?)*_"))
            yield Span(match.start(), end, "PROFILE", text[match.start() : match.end("handle")].lower().rstrip("."))
    for match in _TUMBLR.finditer(text):
        yield Span(
            match.start(), len(match.group().rstrip(".,;:!?)")) + match.start(), "PROFILE", match.group(1).lower()
        )


# --- numbers ---------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"(?<![\w.,$€£¥#/=-])[+(]{0,2}\d[\d  .()\-–‐‑/]{5,24}\d(?![\w%°])")
_PHONE_MARKS = re.compile(r"^[+(0]|[-.()]|\d[ ]\+|[ ]0")
_DATES = re.compile(
    r"(?:1[5-9]|20)\d\d ?[-–/. ] ?(?:1[5-9]|20)\d\d(?!\d)|\((?:1[5-9]|20)\d\d\)"
    r"|(?:1[5-9]|20)\d\d[-/.]\d\d?[-/.]\d\d?(?!\d)|\d\d?[-/.]\d\d?[-/.](?:\d{4}|\d\d)(?!\d)"
)
_OBVIOUS_PHONE = re.compile(
    r"(?<![\w.,$€£#/=-])(?:\+44 ?\(?0?\)?|0)7\d{3} ?\d{3} ?\d{3}(?![\w-]|\.\d)"
    r"|(?<!\w)\+\d{1,3}[ .-]?\(?\d(?:[ .()-]{0,2}\d){6,12}(?![\w-]|\.\d)"
    r"|(?<![\w.,$€£#/=-])(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-]|\.\d)"
)
_LOCAL_PHONE = re.compile(r"(?<![\w.,$€£#/=-])\d{3}[-. ]\d{4}(?![\w-]|\.\d)")
# A number that stands alone on its line, as people sign.
_SIGNED = re.compile(r"^[ \t]*(\d{10})[ \t]*$", re.M)
_CHINESE_MOBILE = re.compile(
    r"(?<![\w.-])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?![\d.-])|(?<=[一-鿿：:])1[3-9]\d{9}(?!\d)"
)
_CHINESE_ACCOUNT = re.compile(r"(?:QQ|微信|威信)(?:群|号|：|:| ){0,3}([A-Za-z]?[\w-]{5,19})(?![\w-])", re.I | re.A)
_PHONE_CONTEXT = re.compile(
    r"\b(?:call|called|calling|text|txt|texted|phone|telephone|tel|cell|cellphone|mobile|mob|whats ?app|number|ring|sms|"
    r"dial|fax|viber|signal|telegram|reach|contact|voicemail|landline|hmu|ph)\b|电话|手机|微信|联系",
    re.I,
)
_NOT_PHONE = re.compile(
    r"(?:(?<!\w)(?:isbn|issn|doi|pmid|pmc|arxiv|order|invoice|tracking|serial|model|version|case|docket|patent|ticket|"
    r"score|scores|isbn-1[03]|lat|lon|gps|coordinates|statute|usc|u\.s\.c\.|cfr|article|section|sections|page|pages|"
    r"pp\.?|vol\.?)|§)[ :#.]*(?:no\.?|number|num)?[ :#.]*$",
    re.I,
)
_ORGANISATION = (
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
)


def _phones(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    regions = _regions(text)
    for match in _matches(_DIGITS, text, regions):
        start, end = match.span()
        digits = re.sub(r"\D", "", match.group())
        # Without a phone's marks or a word that speaks of one no finding below would stand; the matcher is slow.
        if not _PHONE_MARKS.search(match.group()) and not _phone_context(text, start, end):
            continue
        if (
            len(digits) < 7
            or _DATES.match(match.group())
            or _within(start, links)
            or _NOT_PHONE.search(text[max(0, start - 24) : start])
        ):
            continue
        yield from _phone_numbers(text, start, end, countries)
    for match in _matches(_OBVIOUS_PHONE, text, regions):
        digits = re.sub(r"\D", "", match.group())[-10:]
        separated = re.search(r"^0|[-.()+]", match.group())
        if _within(match.start(), links) or _NOT_PHONE.search(text[max(0, match.start() - 24) : match.start()]):
            continue
        if (separated or _phone_context(text, *match.span())) and not _is_public(digits):
            yield Span(*match.span(), "PHONE", digits)
    for match in _SIGNED.finditer(text):
        if not _is_public(match[1]) and phonenumbers.is_valid_number(phonenumbers.parse(match[1], "US")):
            yield Span(*match.span(1), "PHONE", match[1])
    for match in _matches(_LOCAL_PHONE, text, regions):
        digits = re.sub(r"\D", "", match.group())
        years = re.fullmatch(r"(?:1[5-9]|20)\d\d.(?:1[5-9]|20)\d\d", match.group())
        near = re.search(
            r"\b(?:call|ring|text|phone|tel|cell|mobile|number is|dial|reach me)\b[^\d\n]{0,25}$",
            text[: match.start()][-40:],
            re.I,
        )
        if near and not years and not _within(match.start(), links) and not _is_public(digits):
            yield Span(*match.span(), "PHONE", digits)
    if re.search(r"[一-鿿]", text) or "CN" in countries:
        for match in _CHINESE_ACCOUNT.finditer(text):
            if any(c.isdigit() for c in match.group(1)):
                yield Span(*match.span(1), "USER", match.group(1).lower())
        for match in _matches(_CHINESE_MOBILE, text, regions):
            digits = re.sub(r"\D", "", match.group())[-11:]
            if not _within(match.start(), links) and not _is_public(digits):
                yield Span(*match.span(), "PHONE", digits)


def _phone_numbers(text: str, start: int, end: int, countries: Sequence[str]) -> Iterator[Span]:
    """Valid numbers within a run of digits, by phonenumbers' own matcher on that run and its neighbours."""
    low = max(0, start - 2)
    window = text[low : end + 2]
    for country in (None,) if "+" in text[low:end] else countries:
        for found in PhoneNumberMatcher(window, country, leniency=Leniency.VALID):
            raw = found.raw_string
            digits = re.sub(r"\D", "", raw)
            international = raw.startswith("+")
            # A bare run of digits, or groups that only spaces part, may be anything: somebody must speak of a phone. So
            # must it where the number lacks the 0 or 1 that is dialled first in its country.
            trunk = digits[0] == "0" or found.number.country_code == 1
            marked = international or (trunk and (re.search(r"[-.()]", raw) or (digits[0] == "0" and " " in raw)))
            if not marked and not _phone_context(text, low + found.start, low + found.end):
                continue
            national = phonenumbers.national_significant_number(found.number)
            if phonenumbers.number_type(found.number) in _ORGANISATION or _is_public(digits) or _is_public(national):
                continue
            if _is_public(f"0{national}"):
                continue
            yield Span(low + found.start, low + found.end, "PHONE", national)


def _phone_context(text: str, start: int, end: int) -> bool:
    return bool(_PHONE_CONTEXT.search(text[max(0, start - 45) : start]) or _PHONE_CONTEXT.search(text[end : end + 20]))


def _is_public(digits: str) -> bool:
    """A helpline, or a free-phone number of the North American plan, which no private person has."""
    short = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if digits in HELPLINES or short in HELPLINES or f"1{short}" in HELPLINES:
        return True
    return len(short) == 10 and short[:3] in ("800", "888", "877", "866", "855", "844", "833", "822")


_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,}:[0-9A-Fa-f:]*(?:\.\d{1,3}){0,3}[0-9A-Fa-f:]*(?![\w:])")
_VERSION = re.compile(
    r"(?:\bversion|\bver\.?|\bv\.?|\brelease|\bbuild|\bfirmware|\bsection|\bchapter|§|[<>=~^])\s*$", re.I
)


def _ips(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match.group().rstrip(".") if pattern is _IPV4 else match.group())
            except ValueError:
                continue
            if address.version == 4:
                # Loopback, masks and "any" are on every machine; four small numbers after "version" are a version.
                if address.is_loopback or address.is_unspecified or match.group().startswith(("255.", "0.")):
                    continue
                if _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
                    continue
            elif sum(map(bool, match.group().split(":"))) < 3 or not re.search(r"\d", match.group()):
                continue
            yield Span(*match.span(), "IP", str(address))


_CARD = re.compile(r"(?<![\w./#=-])(?:\d[ -]?){12,18}\d(?![\w-]|\.\d)")
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|65\d\d|64[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")


def _cards(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    regions = _regions(text)
    for match in _matches(_CARD, text, regions):
        digits = re.sub(r"\D", "", match.group())
        if _ISSUERS.fullmatch(digits) and luhn.is_valid(digits) and not _within(match.start(), links):
            yield Span(*match.span(), "CARD", digits)


def _ibans(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    regions = _regions(text)
    for match in _matches(_IBAN, text, regions):
        # A capitalised word may follow the number and look like its last group: give up groups until it is valid.
        value = match.group()
        while len(value) >= 15 and not iban.is_valid(value):
            value = value.rpartition(" ")[0]
        if len(value) >= 15:
            yield Span(match.start(), match.start() + len(value), "ID", value.replace(" ", ""))


class _Id(NamedTuple):
    """A kind of identity number.

    :param pattern: its form; group 1, if any, is the number.
    :param valid: check digits, or None where there are none.
    :param context: what must stand near it, or None where form and check digits are proof enough.
    :param words: lower-case strings one of which a text must hold for this kind to be looked for at all.
    """

    pattern: re.Pattern[str]
    valid: Callable[[str], bool] | None
    context: re.Pattern[str] | None = None
    words: tuple[str, ...] = ("",)


def _beside(pattern: str, valid: Callable[[str], bool] | None, *words: str) -> _Id:
    """A kind of number that is only known by a word next to it."""
    context = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.I)
    return _Id(re.compile(pattern), valid, context, words)


_DOCUMENTS = (
    "passport", "license", "licence", "national id", "id card", "medical record", "mrn", "patient id", "member id",
    "policy", "account", "acct", "routing", "sort code", "student id", "employee id", "case id",
)  # fmt: skip
_IDS = (
    _Id(re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), ssn.is_valid),
    _beside(r"(?<![\w-])\d{3}[ .-]?\d{2}[ .-]?\d{4}(?![\w-])", None, "ssn", "ss#", "social security", "social is"),
    _Id(re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)"), None),
    _beside(r"(?<![\w-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-])", nhs.is_valid, "nhs"),
    _beside(r"(?<![\w-])\d{3}[ -]?\d{3}[ -]?\d{3}(?![\w-])", sin.is_valid, "sin", "social insurance"),
    _beside(r"(?<![\w-])\d{3}[ -]?\d{3}[ -]?\d{2,3}(?![\w-])", tfn.is_valid, "tfn", "tax file"),
    _Id(re.compile(r"(?<![\w-])[2-9]\d{3}[ -]\d{4}[ -]\d{4}(?![\w-])"), aadhaar.is_valid),
    _beside(r"(?<![\w-])[2-9]\d{11}(?![\w-])", aadhaar.is_valid, "aadhaar", "aadhar", "uidai"),
    _beside(r"(?<!\w)[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z](?!\w)", pan.is_valid, "pan", "permanent account"),
    _Id(re.compile(r"(?<!\w)\d{8}-?[A-Z](?!\w)"), dni.is_valid),
    _Id(re.compile(r"(?<!\w)[XYZ]-?\d{7}-?[A-Z](?!\w)"), nie.is_valid),
    _Id(re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?!\w)"), codicefiscale.is_valid),
    _Id(re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)"), nir.is_valid),
    _Id(re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"), cpf.is_valid),
    _beside(r"(?<![\w-])\d{2} ?\d{3} ?\d{3} ?\d{3}(?![\w-])", idnr.is_valid, "steuer-id", "steuerid", "idnr",
            "steueridentifikationsnummer", "steuernummer"),
    _Id(re.compile(r"(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z])"), ric.is_valid),
    _beside(r"(?<!\w)\d{11}(?!\w)", pesel.is_valid, "pesel"),
    _beside(r"(?<!\w)\d{9}(?!\w)", bsn.is_valid, "bsn", "burgerservicenummer"),
    _Id(re.compile(r"(?<!\w)(?:19|20)?\d{6}[-+]\d{4}(?!\w)"), personnummer.is_valid),
    _beside(r"(?<!\w)\d{7}[A-W][ABWTXZ]?(?!\w)", pps.is_valid, "pps", "ppsn"),
    # No check digits that everybody uses: the words before the number are the proof.
    _Id(
        re.compile(
            r"(?<!\w)(?:passport|driver['’]?s? licen[cs]e|driving licen[cs]e|licen[cs]e|national id(?:entity)?|id card|"
            r"medical record|mrn|patient id|member id|policy|account|acct|routing|sort code|student id|employee id|case id)"
            r"(?: (?:no|num|number|id)\b\.?| #)?(?: is| was)?[ :#]{1,3}"
            r"((?=[A-Z0-9-]*\d[A-Z0-9-]*\d)[A-Z0-9][A-Z0-9-]{4,17}[A-Z0-9])(?!\w)",
            re.I,
        ),
        None,
        None,
        _DOCUMENTS,
    ),
)  # fmt: skip


def _ids(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    regions = _regions(text)
    lower = text.lower()
    for kind in _IDS:
        if not any(word in lower for word in kind.words):
            continue
        for match in _matches(kind.pattern, text, regions):
            start, end = match.span(match.lastindex or 0)
            value = text[start:end]
            if _within(start, links) or (kind.context and not kind.context.search(text[max(0, start - 60) : end + 25])):
                continue
            if sum(c.isdigit() for c in value) < 4 or (kind.valid and not kind.valid(value)):
                continue
            yield Span(start, end, "ID", re.sub(r"\W", "", value).upper())


# --- keys ------------------------------------------------------------------------------------------------------------

# Keys of services say what they are by how they begin. Many have no digit, so the scan of bytes cannot tell where one may be.
_SECRET_LIKE = (
    r"(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{36}|github_pat_\w{22,}|glpat-[\w.-]{20,}|xox[a-z]-[\w-]{10,}"
    r"|[rsp]k_(?:live|test)_\w{24,}|sk-(?:\w+-){0,3}\w{32,}|sk-(?:proj|svcacct|admin|ant-[a-z0-9]+)-[\w-]{40,}"
    r"|AIza[\w-]{35}|SG\.[\w-]{22}\.[\w-]{43}|(?:npm|hf)_[A-Za-z0-9]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"
)
_SECRET = re.compile(rf"(?<![\w-])(?:{_SECRET_LIKE})(?!\w)", re.A)


def _secrets(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    for match in _SECRET.finditer(text):
        value = match.group()
        is_line = sum(map(str.isalnum, value)) < 16
        is_love = value.startswith(("xoxo-", "xoxs-")) and not any(map(str.isdigit, value))
        if not (is_line or is_love):
            yield Span(*match.span(), "SECRET", value)


# --- users -----------------------------------------------------------------------------------------------------------

_HANDLE = re.compile(
    r"(?:(?:(?<![A-Za-z0-9_@/`&=+-])|(?<=\\n))@|@(?=[㐀-鿿]))(\w(?:[\w.-]*\w)?)(?:@((?:[\w-]+\.)+[a-z]{2,}))?", re.I
)
_NUMERIC_HANDLE = re.compile(r"\d{6,}")
# "eggs @3each, meet @5pm": what a bare @ counts
_AMOUNT = re.compile(r"\d[\d.:,%]*(?:am|pm|k|m|mg|ml|kg|lb|lbs|h|hrs?|x|usd|cents?|each|percent|th|st|nd|rd)?", re.I)
_REDDITOR = re.compile(r"(?<![\w./+=&-])/?u/([A-Za-z0-9_-]{3,20})(?![\w/+=])", re.I)
_DISCORD = re.compile(r"(?<![\w#&/])[\w.]{2,32}#\d{4}(?!\w)")
_CONTACT_HANDLE = re.compile(
    r"\b(?:snap(?:chat)?|insta(?:gram)?|ig|kik|skype|discord|telegram|twitter|tiktok|wechat|psn|gamertag|tumblr)"
    r"(?: (?:username|user|handle|name|account|id))?(?: is|:| - | = )+ ?"
    r"@?([A-Za-z][\w.-]*[\d_.-][\w.-]*\w|[\w.-]*\d[\w.-]*[A-Za-z_]\w*)(?!\w)",
    re.I,
)
_NETWORK_WORDS = (
    "snap", "insta", "ig", "kik", "skype", "discord", "telegram", "twitter", "tiktok", "wechat", "psn", "gamertag", "tumblr",
)  # fmt: skip
# Words people write behind @ for "at", and what stands there in source code and style sheets.
_NOT_HANDLES = frozenset(
    "home work school night least all the me my this that first last noon midnight church gym uni college everyone here"
    " channel user users username mention you your them someone op him her it his their a an gmail hotmail yahoo outlook"
    " icloud aol dawn lunch dinner breakfast night party today bedtime url handle name names"
    " property staticmethod classmethod dataclass override overload abstractmethod contextmanager functools wraps lru_cache"
    " cached_property cache pytest fixture app bp click njit jit numba celery login_required param params return returns"
    " throws deprecated see since author version link code inheritdoc media import font-face keyframes charset supports page"
    " layer namespace include mixin extend use forward each if else for while override autowired bean test before after"
    " beforeeach aftereach entity table column id getter setter nonnull nullable suppresswarnings component injectable input"
    " output typing unittest mock patch asyncio types angular babel emotion mui vue".split()
)
_CODE_LINE = re.compile(r"^[ \t>]*@[\w.]+(?:\(.*)?[ \t]*$")
_CODE_NEXT = re.compile(
    r"\s*(?:@[\w.]+(?:\(.*)?[ \t]*(?:\n|$)|(?:async )?def |class |public |private |protected |static |export |function |"
    r"final |void )"
)


def _users(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    lower = text.lower()
    for match in _HANDLE.finditer(text) if "@" in text else ():
        handle = match.group(1)
        first = re.split(r"[.-]", handle)[0].lower()
        if (
            len(handle) < 2
            or first in _NOT_HANDLES
            or handle.lower() in _NOT_HANDLES
            or not (any(c.isalpha() for c in handle) or _NUMERIC_HANDLE.fullmatch(handle))
            # Weibo's names are short; a sentence behind an @ is none
            or (len(handle) > 10 and re.fullmatch(r"[㐀-鿿]+", handle))
            # Pandoc's citations: [@maple2019]
            or ("[@" in text and re.fullmatch(r"[a-z]\w*?(?:1[89]|20)\d\d[a-z]?", handle))
            or (_AMOUNT.fullmatch(handle) and not _NUMERIC_HANDLE.fullmatch(handle))
            or _within(match.start(), links)
            or _is_decorator(text, match.start())
        ):
            continue
        end = match.end()
        yield Span(match.start(), end, "USER", text[match.start() + 1 : end].lower())
    for match in _REDDITOR.finditer(text) if "u/" in lower else ():
        name = match.group(1).lower()
        if name not in _NO_NAMES and name not in _SITE_PARTS and not _within(match.start(), links):
            yield Span(*match.span(), "USER", name)
    stretches = [(at, at + 60) for word in _NETWORK_WORDS for at in _occurrences(lower, word)]
    for match in _matches(_CONTACT_HANDLE, text, stretches):
        if not _within(match.start(1), links):
            yield Span(*match.span(1), "USER", match.group(1).lower())
    for match in _DISCORD.finditer(text) if "#" in text else ():
        if not match.group().split("#")[0].isdigit() and re.search(r"[^\W\d_]{2}", match.group()):
            yield Span(*match.span(), "USER", match.group().lower())


def _occurrences(lower: str, word: str) -> Iterator[int]:
    at = lower.find(word)
    while at >= 0:
        yield at
        at = lower.find(word, at + len(word))


def _is_decorator(text: str, at: int) -> bool:
    """``@name`` alone on its line with a definition or another decorator below, or called like a function."""
    low, high = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[low:] if high < 0 else text[low:high]
    if re.match(r"@\w+(?:\.\w+)*\(", text[at : at + 80]):
        return True
    return bool(_CODE_LINE.match(line) and high >= 0 and _CODE_NEXT.match(text, high + 1))


# --- addresses -------------------------------------------------------------------------------------------------------

_STRONG = "Street|St|Avenue|Ave|Boulevard|Blvd|Road|Rd|Lane|Ln|Drive|Parkway|Pkwy|Crescent|Cres"
_WEAK = (
    "Dr|Court|Ct|Circle|Cir|Terrace|Ter|Highway|Hwy|Close|Gardens|Grove|Square|Sq|Plaza|Trail|Trl|Place|Pl|Way|Mews|Row|"
    "Loop|Walk|Pike"
)
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DC|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|NSW|VIC|QLD|TAS|ACT|ON|QC|BC|AB|MB|SK|NS|NB|"
    "California|Texas|Florida|Ohio|Oregon|Washington|Illinois|Michigan|Georgia|Virginia|Pennsylvania|New York|New Jersey"
)
_POSTCODE = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
_CITY = r"(?:,? [A-Z][\w.'’-]+(?: [A-Z][\w.'’-]+){0,2})"
_TAIL = (
    r"\.?(?:,? (?:N|S|E|W|NE|NW|SE|SW)\b\.?)?"
    r"(?:,? (?:Apt|Apartment|Unit|Suite|Ste|Flat|Room|Rm|Floor|#)\.? ?#?[\w-]{1,5})?"
    rf"(?:,?(?:\n| )?{_CITY}?,? "
    rf"(?:(?:{_STATES})\b\.?(?: \d{{5}}(?:-\d{{4}})?| \d{{4}})?|{_POSTCODE}|\d{{5}}(?:-\d{{4}})?)(?!\w))?"
)
_NUMBER = (
    r"(?<![\w$€£.,#:/%-])(?:(?:Flat|Apt|Apartment|Unit|Suite)\.? ?\w{1,4},? )?(\d{1,6}(?:[A-Za-z]\b|[-–/]\d{1,4})?),? "
)
_STREET_NAME = r"((?:[NSEW]{1,2}\.? )?(?:(?:[A-Z][\w.'’-]*|\d{1,3}(?:st|nd|rd|th)) ){1,4}?)"
_ADDRESS = re.compile(rf"{_NUMBER}{_STREET_NAME}({_STRONG}|{_WEAK})(?![\w-]){_TAIL}")
_ADDRESS_CASUAL = re.compile(
    rf"{_NUMBER}((?:[\w.'’-]+ ){{1,3}}?)({_STRONG}|{_WEAK})(?![\w-])"
    r"(?:,? (?:apt|apartment|unit|suite|flat|#)\.? ?#?[\w-]{1,5})?"
    rf"(?:,? (?:[a-z]+ ){{0,2}}?[a-z]+,? (?:{_STATES}) \d{{5}}(?!\w))?",
    re.I,
)
_BOX = re.compile(
    r"(?<!\w)(?:P\.? ?O\.?|Post Office|Postal) ?Box #?\d{1,6}(?!\w)"
    rf"(?:,?{_CITY}?,? (?:(?:{_STATES})\b)?(?: \d{{5}}(?:-\d{{4}})?)(?!\w))?",
    re.I,
)
# A number, names and a postcode are an address whatever the street's last word is (Brow, Rise, Chase ...).
_ADDRESS_UK = re.compile(rf"{_NUMBER}(?:[A-Z][\w.'’-]*,? ){{1,6}}{_POSTCODE}(?!\w)")
_UK_POSTCODE = re.compile(rf"(?<!\w){_POSTCODE}(?!\w)")
_ADDRESS_CONTEXT = re.compile(
    r"\b(?:live|lives|lived|living|address|located|resides?|residing|house|home|stays?|staying|moved|ship|send|mail|deliver|"
    r"come to|meet(?: me)? at|apartment|flat|postcode|post code|zip|office|clinic|at)\b[^\n]{0,28}$",
    re.I,
)
_NOT_STREETS = frozenset(
    "the a an of my our his her their this that some any every each one two three hours hour minutes minute mins miles mile"
    " blocks block years year months month days day weeks week times time km feet ft yards steps people cars way down up on"
    " in to from and or per more different best simple easy great percent for with by than is was at as if just only no"
    " not".split()
)
# Addresses everyone knows; they say nothing of a private person.
_PUBLIC_PLACES = re.compile(
    r"^(?:(?:10|11) Downing St|221 ?B Baker St|1600 Penn?sylvania Ave|1 Infinite Loop|1600 Amphitheatre|4 Privet Dr|"
    r"124 Conch|742 Evergreen|12 Grimmauld|42 Wallaby|350 (?:5th|Fifth) Ave|77 Sunset|21 Jump St|\d+ Wall St)",
    re.I,
)


def _addresses(text: str, links: list[tuple[int, int]], countries: Sequence[str]) -> Iterator[Span]:
    ends: list[int] = []
    for match in _ADDRESS_UK.finditer(text):
        ends.append(match.end())
        yield Span(*match.span(), "ADDRESS", re.sub(r"\W+", " ", match.group()).lower())
    for pattern in (_ADDRESS, _ADDRESS_CASUAL):
        for match in pattern.finditer(text):
            number, name, kind = match.group(1), match.group(2), match.group(3)
            words = [w.strip(".,'").lower() for w in name.split()]
            before = text[max(0, match.start() - 40) : match.start()]
            context = _ADDRESS_CONTEXT.search(before) or match.end() - match.end(3) > 3
            bare = len(number) < 2 or len(words) > 3 or re.search(r"\bNo\. ?$", before)
            weak = not re.fullmatch(_STRONG, kind, re.I)
            if _NOT_STREETS.intersection(words) or _PUBLIC_PLACES.match(match.group()) or _within(match.start(), links):
                continue
            # "3 Wall Street fears", "No. 19 Ohio St. wins": headlines need more than a number and a street's word
            if (weak or bare or pattern is _ADDRESS_CASUAL) and not context:
                continue
            if weak and (pattern is _ADDRESS_CASUAL or (len(number) < 2 and match.end() - match.end(3) <= 3)):
                continue
            # "in 1999 Main Street ...": years stand in front of streets too
            if re.fullmatch(r"(?:1[6-9]|20)\d\d", number) and re.search(
                r"\b(?:in|since|by|of|until|during)\s$", before, re.I
            ):
                continue
            ends.append(match.end())
            yield Span(*match.span(), "ADDRESS", re.sub(r"\W+", " ", f"{number} {name}{kind[:2]}").lower())
    for match in _BOX.finditer(text):
        yield Span(*match.span(), "ADDRESS", re.sub(r"\W+", " ", match.group()).lower())
    for match in _UK_POSTCODE.finditer(text):
        near_address = any(0 <= match.start() - end <= 40 for end in ends)
        context = re.search(
            r"\b(?:post ?code|address|live|lives|living)\b[^\n]{0,50}$",
            text[max(0, match.start() - 70) : match.start()],
            re.I,
        )
        if near_address or context:
            yield Span(*match.span(), "ADDRESS", match.group().replace(" ", "").lower())


# --- prefilters ------------------------------------------------------------------------------------------------------

(
    _AT,
    _NUM,
    _DOTTED,
    _COLON,
    _USER,
    _LINK,
    _CODE,
    _HOUSE,
    _SPELLED,
    _PLACEHOLDER,
    _KNOWN,
    _ADDRESSED,
    _PROFILED,
    _KEY,
) = (1 << n for n in range(14))
#: Flags that send a text to Python. HOUSE and LINK must first be confirmed by a regex, PLACEHOLDER only informs.
_DETAILS = _AT | _NUM | _DOTTED | _COLON | _USER | _CODE | _SPELLED | _KNOWN | _ADDRESSED | _PROFILED | _KEY

#: Finders in order of trust with the flags that call for them.
_FINDERS: tuple[tuple[int, Callable[[str, list[tuple[int, int]], Sequence[str]], Iterator[Span]]], ...] = (
    (_KEY, _secrets),
    (_PROFILED, _profiles),
    (_AT | _SPELLED, _emails),
    (_CODE | _NUM, _ibans),
    (_NUM, _cards),
    (_CODE | _NUM, _ids),
    (_DOTTED | _COLON, _ips),
    (_NUM, _phones),
    (_ADDRESSED, _addresses),
    (_AT | _USER, _users),
)

_ADDRESS_LIKE = (
    r"\d{1,6}[A-Za-z]?(?:[-–/]\d{1,4})?,? (?:[NSEW]{1,2}\.? )?"
    rf"(?:[A-Z0-9][\w.'’-]* ){{1,4}}(?:{_STRONG}|{_WEAK})(?-u:\b)"
    r"|(?i:(?:liv|address|locat|resid|house|home|stay|moved|ship|send|mail|deliver|meet|apartment|flat)"
    rf"[^\n]{{0,30}}\d{{1,6}}[a-z]? (?:[\w.'’-]+ ){{1,3}}(?:{_STRONG})(?-u:\b))"
    rf"|(?i:box #?\d)|(?-u:\b){_POSTCODE}(?-u:\b)"
)


def scan_bytes(texts: pa.Array) -> np.ndarray:
    """The compiled part of :func:`scan`."""
    return _scan(*utf8_buffers(texts), _byte_classes(), *_word_table())


def scan(texts: pa.Array) -> np.ndarray:
    """What each text could hold, as bits; a text without bits holds nothing this module finds without known names or
    NER.

    :param texts: string array.
    :returns: int64 array of the same length.
    """
    flags = scan_bytes(texts)
    links = np.flatnonzero(flags & _LINK)
    if len(links):
        hit = pl.Series("text", texts.take(pa.array(links))).str.contains_any(
            _PROFILE_SITES, ascii_case_insensitive=True
        )
        flags[links[hit.to_numpy().astype(bool)]] |= _PROFILED
    houses = np.flatnonzero(flags & _HOUSE)
    if len(houses):
        like = pl.Series("text", texts.take(pa.array(houses))).str.contains(_ADDRESS_LIKE)
        flags[houses[like.to_numpy().astype(bool)]] |= _ADDRESSED
    keys = pl.Series("text", texts).str.contains(f"(?-u:{_SECRET_LIKE})").fill_null(False)
    flags[keys.to_numpy()] |= _KEY
    return flags


_B_DIGIT, _B_LETTER, _B_UPPER, _B_HEX, _B_GAP, _B_WORD = 1, 2, 4, 8, 16, 32


@cache
def _byte_classes() -> np.ndarray:
    classes = np.zeros(256, np.uint8)
    for byte in range(256):
        char = chr(byte)
        if byte < 128 and char.isdigit():
            classes[byte] |= _B_DIGIT | _B_HEX | _B_WORD
        elif byte < 128 and char.isalpha():
            classes[byte] |= (
                _B_LETTER | _B_WORD | (_B_UPPER if char.isupper() else 0) | (_B_HEX if char in "abcdefABCDEF" else 0)
            )
        elif byte >= 128:
            classes[byte] |= _B_WORD
        if char in " .-()+":
            classes[byte] |= _B_GAP
    classes.flags.writeable = False
    return classes


_PROFILE_SITES = [
    "reddit.com/u", "linkedin.com/", "twitter.com/", "//x.com/", ".x.com/", " x.com/", "instagram.com/",
    "facebook.com/", "fb.com/", "fb.me/", "github.com/", "gitlab.com/", "tiktok.com/", "medium.com/", "youtube.com/",
    "snapchat.com/", "twitch.tv/", "pinterest.com/", "soundcloud.com/", "patreon.com/", "ko-fi.com/",
    "onlyfans.com/", "deviantart.com", "tumblr.com", "livejournal.com", "about.me/", "steamcommunity.com/",
    "venmo.com/", "last.fm/", "goodreads.com/", "quora.com/", "stackoverflow.com/", "stackexchange.com/",
    "xing.com/", "bsky.app/", "weibo.com/", "douban.com/", "zhihu.com/", "vk.com/", "okcupid.com/", "myspace.com/",
    "threads.net/", "flickr.com/", "/user/", "/users/", "/profile/", "/profiles/", "/member/", "/members/", ".com/u/",
    ".org/u/", "/~", "maps/contrib/", "/@", "wa.me/", "paypal.me/", "cash.app/", "linktr.ee/", "t.me/", "keybase.io/",
]  # fmt: skip

# Whole words the scan looks for, with the flag each gives: where one tells a handle, how e-mail addresses are spelled
# out, and what streets and postcodes go with. STREET and LEAD only count behind or before a number and become HOUSE.
_STREET, _LEAD = 1 << 14, 1 << 15
_WORDS: dict[str, int] = {
    **dict.fromkeys([*_NETWORK_WORDS, "snapchat", "instagram"], _USER),
    **dict.fromkeys("dot gmail googlemail hotmail yahoo ymail icloud aol protonmail".split(), _SPELLED),
    **dict.fromkeys(f"{_STRONG}|{_WEAK}".lower().split("|"), _STREET),
    **dict.fromkeys(("box", "postcode", "address"), _LEAD),
}  # fmt: skip
_HASH = np.uint64(0x9E3779B97F4A7C15)


@cache
def _word_table() -> tuple[np.ndarray, np.ndarray]:
    """Hashes and flags of :data:`_WORDS` under the upper 16 bits of the hash; a test checks that no two collide."""
    hashes, values = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
    for word, flag in _WORDS.items():
        code = 0
        for byte in word.encode():
            code = (code + byte) * int(_HASH) & 0xFFFFFFFFFFFFFFFF
        if values[code >> 48]:
            raise AssertionError(f"two words share a slot: {word}")
        hashes[code >> 48], values[code >> 48] = code, flag
    hashes.flags.writeable = values.flags.writeable = False
    return hashes, values


@numba.njit(cache=True, nogil=True)
def _scan(data, offsets, classes, word_hashes, word_flags):
    """One pass over the bytes; everything it decides it decides generously."""
    flags = np.zeros(len(offsets) - 1, np.int64)
    for doc in range(len(offsets) - 1):
        start, end = offsets[doc], offsets[doc + 1]
        found = np.int64(0)
        digits = gap = groups = np.int64(0)  # a number with separators
        length = token_digits = uppers = np.int64(0)  # a run of ASCII letters and digits
        code = np.uint64(0)
        numbered = lead = start - 1000  # where a bare number, and a word that introduces an address, ended last
        previous = np.uint8(32)
        for i in range(start, end + 1):
            b = data[i] if i < end else np.uint8(32)
            k = classes[b]
            if k & _B_LETTER:
                length += 1
                code = (code + np.uint64(b | 0x20)) * _HASH
                uppers += (k & _B_UPPER) != 0
                digits = gap = groups = 0
                previous = b
                continue
            if k & _B_DIGIT:
                length += 1
                token_digits += 1
                groups += gap > 0 or digits == 0
                digits += 1
                gap = 0
                if digits >= 7 or (digits == 6 and groups >= 3):
                    found |= _NUM
                previous = b
                continue
            if length:
                if token_digits == 0:
                    slot = np.int64(code >> np.uint64(48))
                    if word_hashes[slot] == code:
                        if word_flags[slot] == _STREET:
                            if i - numbered < 60:
                                found |= _HOUSE
                        elif word_flags[slot] == _LEAD:
                            lead = i
                        else:
                            found |= word_flags[slot]
                else:
                    if token_digits >= 6 or (token_digits >= 4 and length >= 8 and uppers):
                        found |= _CODE
                    if token_digits >= length - 1 and (b == 32 or b == 44 or b == 45):
                        numbered = i
                    # the second half of a UK postcode (9ZZ) some words behind a number
                    postcode = length == 3 and token_digits == 1 and uppers == 2
                    if i - lead < 60 or (postcode and i - numbered < 80):
                        found |= _HOUSE
                    token_digits = 0
                length = uppers = 0
                code = np.uint64(0)
            if b == 32:
                if digits:
                    gap += 1
                    if gap > 4:
                        digits = gap = groups = 0
                previous = b
                continue
            if digits:
                gap += 1
                if gap > 4 or not (k & _B_GAP or b >= 128):
                    digits = gap = groups = 0
            # single characters
            if b == 64:  # @
                after = data[i + 1] if i + 1 < end else np.uint8(32)
                if classes[after] & _B_WORD or classes[previous] & _B_WORD or after == 95:
                    found |= _AT
                elif after == 32:
                    found |= _SPELLED
            elif b == 47:  # /
                if classes[previous] & _B_LETTER:
                    j = i - 1
                    while j > start and i - j <= 9 and classes[data[j]] & _B_LETTER:
                        j -= 1
                    if data[j] == 46 and i - j <= 9:
                        found |= _LINK
                    u = i - 1 if previous | 0x20 == 117 else i
                    if u < i and (u == start or not classes[data[u - 1]] & _B_WORD):
                        found |= _USER
            elif b == 35:  # name#1234
                if (
                    classes[previous] & _B_WORD
                    and i + 4 < end
                    and (
                        classes[data[i + 1]]
                        & classes[data[i + 2]]
                        & classes[data[i + 3]]
                        & classes[data[i + 4]]
                        & _B_DIGIT
                    )
                ):
                    found |= _USER
            elif b == 40 or b == 91:  # (at) or [AT], and placeholders
                bracketed = i + 3 < end and data[i + 1] | 0x20 == 97 and data[i + 2] | 0x20 == 116
                if bracketed and (data[i + 3] == 41 or data[i + 3] == 93):
                    found |= _SPELLED
                if b == 91 and i + 1 < end and classes[data[i + 1]] & _B_UPPER:
                    found |= _PLACEHOLDER
            elif b == 46 and classes[previous] & _B_DIGIT:  # 1.2.3.4
                j, dots = i, 0
                while j < end and i - j > -16 and (data[j] == 46 or classes[data[j]] & _B_DIGIT):
                    dots += data[j] == 46
                    j += 1
                if dots >= 3:
                    found |= _DOTTED
            elif b == 58:  # fe80::1
                j, colons, double = i, 0, False
                while j > start and i - j < 40 and (data[j - 1] == 58 or classes[data[j - 1]] & _B_HEX):
                    j -= 1
                first = j
                while j < end and j - first < 48 and (data[j] == 58 or classes[data[j]] & _B_HEX):
                    double = double or (data[j] == 58 and j > first and data[j - 1] == 58)
                    colons += data[j] == 58
                    j += 1
                if (double and colons >= 2 and j - first >= 6) or colons >= 7:
                    found |= _COLON
            previous = b
        flags[doc] = found
    return flags
