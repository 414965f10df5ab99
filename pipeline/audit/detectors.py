"""What may be left: detectors of structured personal data, several and independent, each hit with a kind and a grade.

A scan with the very code that masked a text finds nothing by construction. So each kind is looked for by others as well:

========================  =================================================================================================
``datatrove``             the expressions of its ``PIIFormatter`` (e-mail, public IP), taken from the installed library
``dolma``                 the expressions and context rules of its tagger ``pii_regex_v2`` (e-mail, phone, IP)
``commonregex``           street addresses
``phonenumbers``          valid numbers among loose candidates, by libphonenumber's rules
``stdnum``                check digits (cards, IBAN, national numbers) of loose candidates, by python-stdnum
``detect-secrets``        the key formats of its plugins, where it is installed (extra ``audit``)
``patterns``              what none of them has: handles, profiles, mailboxes spelled out, births, coordinates, keys
``wellmix``               :mod:`pipeline.deidentify` itself, for texts that never went through it
========================  =================================================================================================

A *gate* (a linear-time expression or a set of literals, run by polars on a whole batch) says which texts an expression could match at
all; only these reach Python. Grades come from reading hits on real corpora: ``certain`` if nearly all were true, else ``possible``.
Placeholders, crisis lines, free-phone numbers and mailboxes of help organisations are no hits: they are there on purpose.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import phonenumbers
import polars as pl
import pyarrow as pa
from datatrove.pipeline.formatters.pii import PIIFormatter
from phonenumbers import Leniency, PhoneNumberMatcher, PhoneNumberType
from stdnum import iban, luhn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.es import dni, nie
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.us import ssn

from pipeline.deidentify import HELP_DOMAINS, HELPLINES, TYPES, Deidentifier
from pipeline.deidentify import scan as deidentify_scan

Grade = Literal["certain", "possible"]

#: Kinds of structured personal data, as reports order them.
KINDS = (
    "EMAIL", "PHONE", "IP", "CARD", "IBAN", "ID", "ADDRESS", "PROFILE", "USER", "BIRTH", "COORDINATES", "SECRET", "NAME",
)  # fmt: skip

#: What stands for something that was replaced, by us or by whoever made the corpus.
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(TYPES)})(?:_\d+)?\]")


class Found(NamedTuple):
    """A hit in a text.

    :param start: first character.
    :param end: behind the last.
    """

    start: int
    end: int
    grade: Grade


Finder = Callable[[str], Iterator[Found]]


class Detector(NamedTuple):
    """One way to find one kind.

    :param gate: a key of :data:`GATES`.
    """

    name: str
    kind: str
    gate: str
    find: Finder


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit in a batch.

    :param row: of the text in the batch.
    """

    row: int
    start: int
    end: int
    kind: str
    detector: str
    grade: Grade


# --- gates -----------------------------------------------------------------------------------------------------------

_SITES = [
    "reddit.com/u", "linkedin.com/in", "twitter.com/", "x.com/", "instagram.com/", "facebook.com/", "tiktok.com/@", "medium.com/@",
    "youtube.com/@", "youtube.com/user", "youtube.com/c", "snapchat.com/add", "t.me/", "github.com/", "twitch.tv/", "tumblr.com",
    "bsky.app/profile", "vk.com/", "pinterest.com/", "soundcloud.com/", "patreon.com/", "/~", "/users/", "/user/", "/profile/",
]  # fmt: skip
_MAILERS = "gmail|googlemail|hotmail|yahoo|ymail|outlook|icloud|aol|protonmail|gmx|live|msn"
_STREETS = "street|st|avenue|ave|road|rd|highway|hwy|square|sq|trail|trl|drive|dr|court|ct|parkway|pkwy|circle|cir|lane|ln|boulevard|blvd"

#: Name -> expression in polars' (linear-time) syntax, or literals in any case. ASCII classes: several times as fast.
GATES: dict[str, str | list[str]] = {
    "at": "@",
    "digits": r"[0-9](?:[ ./()–‐+-]{0,3}[0-9]){6,}",
    "quad": r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}",
    "hextets": r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]*[0-9A-Fa-f]",
    "iban": r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}",
    "letters_and_digits": r"[A-Z0-9]{6}[0-9A-Z]{2}|[0-9]{3}[.-][0-9]{2,3}[.-]",
    "street": rf"(?i)[0-9]{{1,5}} [a-z0-9.' ]{{1,30}}\b(?-u:\b)(?:{_STREETS})(?-u:\b)",
    "site": _SITES,
    "handle": r"u/[A-Za-z0-9_-]{3}|[A-Za-z0-9_]#[0-9]{4}|(?i:snap|insta|kik|skype|discord|telegram|wechat)",
    "mailer": rf"(?i)(?:{_MAILERS}) ?[(\[{{]? ?(?:dot|\.)|[(\[{{] ?(?:at|dot) ?[)\]}}]",
    "birth": ["born", "birth", "d.o.b", "dob"],
    "decimal": r"[0-9]{1,3}\.[0-9]{4,}|°",
    "key": r"[A-Za-z0-9_+/=-]{20,}|(?i:password|passwd|passcode|pwd|private key|secret|token|api.?key)",
}  # fmt: skip


def _passes(texts: pl.Series, gate: str) -> pl.Series:
    wanted = GATES[gate]
    if isinstance(wanted, list):
        return texts.str.contains_any(wanted, ascii_case_insensitive=True)
    return texts.str.contains(wanted, literal=wanted.isalnum() or len(wanted) == 1)


# --- finders ---------------------------------------------------------------------------------------------------------


def _by(
    pattern: str | re.Pattern[str], grade: Grade | Callable[[re.Match[str]], Grade | None], group: int = 0
) -> Finder:
    """Matches of an expression.

    :param grade: fixed, or told by the match; None is no hit.
    :param group: the part that is the value.
    """
    compiled = re.compile(pattern)

    def find(text: str) -> Iterator[Found]:
        for match in compiled.finditer(text):
            if found := grade if isinstance(grade, str) else grade(match):
                yield Found(*match.span(group), found)

    return find


def _around(match: re.Match[str], before: int = 60, after: int = 30) -> str:
    return match.string[max(0, match.start() - before) : match.end() + after]


def _help(address: str) -> bool:
    return address.rpartition("@")[2].lower().removeprefix("www.") in HELP_DOMAINS


_DOMAIN = re.compile(r"@(?:[\w-]+\.)+[a-z]{2,24}\.?$", re.I)


def _email_grade(value: str) -> Grade | None:
    if _help(value):
        return None
    return "certain" if _DOMAIN.search(value) else "possible"


def _datatrove() -> Iterator[Detector]:
    formatter = PIIFormatter()
    emails, addresses = formatter.emails_replacer, formatter.ip_replacer
    valid = addresses.validator or (lambda value: True)
    yield Detector("datatrove", "EMAIL", "at", _by(emails.regex, lambda match: _email_grade(match[0])))
    yield Detector(
        "datatrove", "IP", "quad", _by(addresses.regex, lambda match: _ip_grade(match) if valid(match[0]) else None)
    )


_IP_WORDS = re.compile(
    r"\b(?:ip|host|server|ping|login|logged|address|proxy|vpn|router|network|subnet|blocked|traffic)\b", re.I
)
_VERSION_WORDS = re.compile(
    r"(?:version|ver\.?|\bv\.?|release|build|firmware|section|§|chapter|figure|table|fig\.)\s*$", re.I
)


def _ip_grade(match: re.Match[str]) -> Grade | None:
    """Four numbers with dots are an address if somebody speaks of one, or if a part is too large for a version or a section."""
    text, start, end = match.string, match.start(), match.end()
    if re.match(r"[\w]|\.\d", text[end : end + 2]) or (start and re.match(r"[\w.]", text[start - 1])):
        return "possible"
    if _VERSION_WORDS.search(text[max(0, start - 14) : start]):
        return "possible"
    large = sum(int(part) >= 30 for part in match[0].split("."))
    return "certain" if large >= 2 or _IP_WORDS.search(_around(match)) else "possible"


# dolma 1.2.1, python/dolma/taggers/pii.py (Apache-2.0): the expressions and the rules of its postprocessing.
_DOLMA_EMAIL = r"[.\s@,?!;:)(]*([^\s@]+@[^\s@,?!;:)(]+?)[.\s@,?!;:)(]?[\s\n\r]"
_DOLMA_PHONE = r"\s+(\(?\d{3}\)?[-\. ]*\d{3}[-. ]?\d{4})"
_DOLMA_IP = r"((?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?))"


def _dolma() -> Iterator[Detector]:
    def email(match: re.Match[str]) -> Grade | None:
        local, _, domain = match[1].partition("@")
        if "(" in local or "." not in domain or _help(match[1]):
            return None
        return _email_grade(match[1])

    def other(match: re.Match[str]) -> Grade | None:
        context = _around(match, 100, 100)
        return None if "isbn" in context or "doi" in context or "#" in context else "possible"

    def phone(match: re.Match[str]) -> Grade | None:
        return None if _public(re.sub(r"\D", "", match[1])) else other(match)

    yield Detector("dolma", "EMAIL", "at", _by(_DOLMA_EMAIL, email, 1))
    yield Detector("dolma", "PHONE", "digits", _by(_DOLMA_PHONE, phone, 1))
    yield Detector("dolma", "IP", "quad", _by(_DOLMA_IP, other, 1))


# --- numbers ---------------------------------------------------------------------------------------------------------

_CANDIDATE = re.compile(r"(?<![\w.,$€£#=/])[+(]{0,2}\d[\d ().–‐/-]{5,22}\d(?![\w%])")
_PHONE_WORDS = re.compile(
    r"\b(?:call|calls|calling|text|txt|phone|telephone|tel|cell|mobile|mob|whats ?app|number|ring|sms|dial|fax|contact|reach)\b",
    re.I,
)
_GROUPED = re.compile(r"\(?\d{3}\)?[-. ]{1,2}\d{3}[-.]\d{4}|0\d{2,4} \d{3,4} \d{3,4}")
_IN_LINK = re.compile(r"(?:https?:|www\.|\w/)\S*$")
_OTHER_NUMBER = re.compile(
    r"\b(?:isbn|issn|doi|pmid|pmc|arxiv|ncbi|order|invoice|tracking|serial|vol|pp|pages?|article)\b", re.I
)
_ORGANISATION = (
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
)


def _public(digits: str) -> bool:
    """Whether a number is one that helps, or free to call; such are kept."""
    short = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    free = len(short) == 10 and short[:3] in ("800", "888", "877", "866", "855", "844", "833", "822")
    return free or not HELPLINES.isdisjoint({digits, short, f"0{digits}", f"1{short}"})


def _phones(text: str) -> Iterator[Found]:
    for candidate in _CANDIDATE.finditer(text):
        digits = re.sub(r"\D", "", candidate[0])
        if not 7 <= len(digits) <= 15 or _public(digits):
            continue
        context = _around(candidate)
        international = "+" in candidate[0]
        for region in (None,) if international else ("US", "GB"):
            found = next(iter(PhoneNumberMatcher(candidate[0], region, leniency=Leniency.VALID)), None)
            if found is None:
                continue
            national = phonenumbers.national_significant_number(found.number)
            if phonenumbers.number_type(found.number) in _ORGANISATION or _public(national) or _public(f"0{national}"):
                break
            start, end = candidate.start() + found.start, candidate.start() + found.end
            other = _OTHER_NUMBER.search(context) or _IN_LINK.search(text[max(0, start - 80) : start])
            sure = international or _PHONE_WORDS.search(context) or _GROUPED.fullmatch(text[start:end])
            yield Found(start, end, "certain" if sure and not other else "possible")
            break


_CARD = re.compile(r"(?<![\w./#=-])(?:\d[ -]?){12,18}\d(?![\w-]|\.\d)")
_CARD_START = re.compile(r"4|5[1-5]|2[2-7]|3[47]|6(?:011|5|4)|3[068]|35")
_CARD_WORDS = re.compile(
    r"\b(?:card|visa|master ?card|amex|american express|discover|credit|debit|paid|cvv|expir\w+)\b", re.I
)


def _card(match: re.Match[str]) -> Grade | None:
    digits = re.sub(r"\D", "", match[0])
    if not _CARD_START.match(digits) or not luhn.is_valid(digits) or len(set(digits)) < 2:
        return None
    grouped = re.fullmatch(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5}", match[0])
    return "certain" if grouped or _CARD_WORDS.search(_around(match)) else "possible"


_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,8}(?![A-Za-z0-9])")


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        value = match[0]
        while len(value) >= 15 and not iban.is_valid(value):
            value = value.rpartition(" ")[0]  # a capitalised word may follow
        if len(value) >= 15:
            yield Found(match.start(), match.start() + len(value), "certain")


def _checked(
    pattern: str, valid: Callable[[str], bool] | None, words: str | None = None, alone: Grade | None = "possible"
) -> Finder:
    """A national number: of this form, with these check digits, and certain where somebody speaks of one.

    :param alone: the grade without such words; None is no hit.
    """
    context = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.I) if words else None

    def grade(match: re.Match[str]) -> Grade | None:
        if (valid is not None and not valid(match[0])) or _public(re.sub(r"\D", "", match[0])):
            return None
        return "certain" if context is not None and context.search(_around(match)) else alone

    return _by(pattern, grade)


def _stdnum() -> Iterator[Detector]:
    yield Detector("stdnum", "CARD", "digits", _by(_CARD, _card))
    yield Detector("stdnum", "IBAN", "iban", _ibans)
    for gate, find in (
        ("digits", _checked(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", ssn.is_valid, "ssn|social security", "certain")),
        ("digits", _checked(r"(?<![\w-])\d{3}[ -]?\d{2}[ -]?\d{4}(?![\w-])", None, "ssn|social security", None)),
        ("digits", _checked(r"(?<![\w-])\d{3}[ -]\d{3}[ -]\d{4}(?![\w-])", nhs.is_valid, "nhs number|nhs no")),
        ("digits", _checked(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)", cpf.is_valid, alone="certain")),
        ("digits", _checked(r"(?<![\w-])[2-9]\d{3}[ -]\d{4}[ -]\d{4}(?![\w-])", aadhaar.is_valid, "aadhaa?r|uidai")),
        ("digits", _checked(r"(?<![\w-])[1-9]\d{16}[\dXx](?![\w-])", ric.is_valid, alone="certain")),
        ("digits", _checked(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)", nir.is_valid)),
        ("letters_and_digits", _checked(r"(?<!\w)\d{8}-?[A-Z](?!\w)", dni.is_valid, "dni|nif")),
        ("letters_and_digits", _checked(r"(?<!\w)[XYZ]-?\d{7}-?[A-Z](?!\w)", nie.is_valid, "nie")),
        (
            "letters_and_digits",
            _checked(
                r"(?<!\w)[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?!\w)", codicefiscale.is_valid, alone="certain"
            ),
        ),
    ):
        yield Detector("stdnum", "ID", gate, find)


# --- patterns --------------------------------------------------------------------------------------------------------

# CommonRegex 1.5 (MIT), with a word's end for its look-ahead.
_STREET = re.compile(rf"(?<![\w$])\d{{1,4}} [\w ]{{1,20}} (?:{_STREETS})\b", re.I)
_ADDRESS_WORDS = re.compile(
    r"\b(?:live|lives|lived|living|address|reside|resides|mail|send|ship|deliver|moved|house)\b", re.I
)
_ZIP = re.compile(r"^[^\n]{0,40}\b(?:[A-Z]{2} \d{5}|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b")


def _street(match: re.Match[str]) -> Grade | None:
    words = match[0].split()
    if any(word.islower() for word in words[1:-1]) or not words[-1][0].isupper():
        return "possible" if _ADDRESS_WORDS.search(_around(match, 40, 0)) else None
    zipped = _ZIP.match(match.string[match.end() : match.end() + 60])
    return "certain" if zipped or _ADDRESS_WORDS.search(_around(match, 40, 0)) else "possible"


_PROFILE = re.compile(
    r"(?:https?://|www\.|(?<![\w.@/-]))(?!(?:pic|clips|docs)\.)(?:[\w-]+\.)?(?:reddit\.com/u(?:ser)?/|linkedin\.com/in/|"
    r"(?:twitter|(?<![\w-])x|instagram|facebook|tumblr|pinterest|soundcloud|patreon|github|gitlab|vk)\.com/|twitch\.tv/|t\.me/|"
    r"(?:tiktok|medium|youtube)\.com/@|youtube\.com/(?:user/|c/)|snapchat\.com/add/|bsky\.app/profile/|"
    r"[\w-]+\.[a-z]{2,6}/(?:~|users?/|profile/(?:view/)?))([\w.%-]{2,40})(/?[\w/.-]*)",
    re.I,
)
_NOT_PEOPLE = frozenset(
    (
        "about", "account", "ads", "api", "app", "apps", "article", "blog", "channel", "channels", "collections",
        "community", "contact", "docs", "edit", "en", "events", "explore", "features", "groups", "hashtag", "help",
        "home", "i", "in", "index", "intent", "issues", "jobs", "login", "media", "messages", "news", "notifications",
        "orgs", "p", "pages", "photo", "photos", "pin", "places", "playlist", "policies", "policy", "post", "posts",
        "privacy", "profile", "profile.php", "pulls", "r", "reel", "reels", "search", "settings", "share", "sharer",
        "sharer.php", "shop", "signup", "sign_in", "sites", "status", "stories", "story", "story.php", "support", "tag",
        "tags", "team", "terms", "topics", "tos", "tv", "ufi", "user", "users", "video", "videos", "watch", "web", "wiki",
    )
)  # fmt: skip


def _profile(match: re.Match[str]) -> Grade | None:
    handle = match[1].lower().rstrip(".")
    if handle in _NOT_PEOPLE or handle.endswith((".html", ".htm", ".php")) or PLACEHOLDER.search(match[0]):
        return None
    # github.com/organisation/project is a piece of software
    software = re.search(r"git(?:hub|lab)\.com/", match[0], re.I) and len(match[2].strip("/.")) > 1
    return "possible" if software else "certain"


_HANDLE = re.compile(r"(?<![\w@/`&=+.<-])@([A-Za-z_][A-Za-z0-9_]{2,24})(?![\w@(]|\.\w)")
_REDDITOR = re.compile(r"(?<![\w./+=&-])/?u/([A-Za-z0-9_-]{3,20})(?![\w/+=])")
_DISCORD = re.compile(r"(?<![\w#&/])([A-Za-z_.]{2,32}#\d{4})(?!\w)")
_NETWORK = re.compile(
    r"\b(?:snap(?:chat)?|insta(?:gram)?|kik|skype|discord|telegram|wechat)(?: (?:username|user|handle|name|id))?(?: is|:| -| =) ?"
    r"@?([A-Za-z][\w.-]*[\d_][\w.-]*)(?!\w)",
    re.I,
)
_NOT_HANDLES = frozenset(
    (
        "user", "users", "username", "everyone", "here", "home", "work", "gmail", "hotmail", "yahoo", "mention",
        "channel", "all", "name", "handle", "property", "override", "media", "import", "param", "font", "page",
        "keyframes", "charset", "supports", "return", "returns", "throws", "author", "deprecated", "see", "since",
        "version", "the",
    )
)  # fmt: skip


def _redditor(match: re.Match[str]) -> Grade | None:
    return None if match[1].lower() in ("automoderator", "user", "username", "deleted") else "certain"


def _handle(match: re.Match[str]) -> Grade | None:
    name = match[1].lower()
    if name in _NOT_HANDLES:
        return None
    cited = re.fullmatch(r"[a-z]+(?:19|20)\d\d[a-z]?", name)  # [@maple2019]
    return "certain" if not cited and (len(name) > 4 or any(c.isdigit() or c == "_" for c in name)) else "possible"


_SPELLED = re.compile(
    rf"(?<![\w.+-])(\w[\w.+-]{{1,40}} ?(?:@|[(\[{{<] ?(?:at|@) ?[)\]}}>]|\bat\b) ?(?:(?:{_MAILERS})\b|[\w-]{{2,30}}(?= ?[(\[{{<]))"
    r" ?(?:[(\[{<] ?(?:dot|\.) ?[)\]}>]|\bdot\b|\.) ?(?:com|net|org|edu|co|uk|de|fr|ca|io))(?!\w)",
    re.I,
)
_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?"
    "|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_BIRTH = re.compile(
    r"\b(?:born(?: on)?|date of birth|birth ?date|birthday|d\.?o\.?b\.?)\W{1,4}(?:is |was |on |: ?|the ){0,2}"
    rf"((?:\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})|(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?),? \d{{4}}"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d|(?:19|20)\d\d-\d\d-\d\d)",
    re.I,
)
_COORDINATES = re.compile(
    r"(?<![\d.])(-?\d{1,2}\.\d{4,}°?,? ?[NS]?[,;]? ?-?\d{1,3}\.\d{4,}°? ?[EW]?)(?![\d.])"
    r"|(\d{1,2}°\d{1,2}['′](?:\d{1,2}(?:\.\d+)?[\"″])? ?[NS],? ?\d{1,3}°\d{1,2}['′](?:\d{1,2}(?:\.\d+)?[\"″])? ?[EW])"
)


#: Formats of keys that are long and marked enough to be nothing else.
_KEYS = re.compile(
    r"(?<![\w-])((?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9_]{36}|xox[abposr]-(?:\d+-)+[A-Za-z0-9]+|[rs]k_live_[0-9A-Za-z]{24}"
    r"|AIza[0-9A-Za-z_-]{35}|glpat-[\w-]{20}|SG\.[\w-]{22}\.[\w-]{43}|sk-[A-Za-z0-9_-]{32,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY)"
)
_PASSWORD = re.compile(
    r"\b(?:password|passwd|pwd|passcode|api[ _-]?key|secret key|access token)(?: is|:|=| -) ?[\"']?([^\s\"',.]{6,40})",
    re.I,
)


def _password(match: re.Match[str]) -> Grade | None:
    value = match[1]
    mixed = sum(any(map(test, value)) for test in (str.isdigit, str.isalpha, lambda c: not c.isalnum()))
    return "possible" if mixed >= 2 and any(c.isdigit() for c in value) else None


def _patterns() -> Iterator[Detector]:
    yield Detector("commonregex", "ADDRESS", "street", _by(_STREET, _street))
    yield Detector("patterns", "EMAIL", "mailer", _by(_SPELLED, "certain", 1))
    yield Detector("patterns", "IP", "hextets", _hextets)
    yield Detector("patterns", "PROFILE", "site", _by(_PROFILE, _profile))
    yield Detector("patterns", "USER", "at", _by(_HANDLE, _handle))
    yield Detector("patterns", "USER", "handle", _by(_REDDITOR, _redditor))
    yield Detector("patterns", "USER", "handle", _by(_DISCORD, "certain"))
    yield Detector("patterns", "USER", "handle", _by(_NETWORK, "certain", 1))
    yield Detector("patterns", "BIRTH", "birth", _by(_BIRTH, "possible", 1))
    yield Detector("patterns", "COORDINATES", "decimal", _by(_COORDINATES, "possible"))
    yield Detector("patterns", "SECRET", "key", _by(_KEYS, "certain", 1))
    yield Detector("patterns", "SECRET", "key", _by(_PASSWORD, _password, 1))


_HEXTETS = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,38}(?![\w:])")


def _hextets(text: str) -> Iterator[Found]:
    for match in _HEXTETS.finditer(text):
        try:
            ipaddress.IPv6Address(match[0])
        except ValueError:
            continue
        # Times and verses (12:30:45) are no valid addresses; a::b in code is, but has no long part.
        if sum(len(part) >= 2 for part in match[0].split(":")) >= 3:
            yield Found(*match.span(), "certain")


def _detect_secrets() -> Iterator[Detector]:
    """The key formats of detect-secrets; none where it is not installed. (Its keyword and entropy plugins are made for source code.)"""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.plugins.base import RegexBasedDetector
    except ImportError:
        return
    plugins: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    patterns = [
        pattern
        for plugin in plugins
        if issubclass(plugin, RegexBasedDetector) and plugin.__name__ not in ("KeywordDetector", "IPPublicDetector")
        for pattern in plugin().denylist
    ]

    def find(text: str) -> Iterator[Found]:
        # Some of them backtrack for long: they see only what stands around a run that is long enough for a key.
        for run in _LONG.finditer(text):
            start = max(0, run.start() - 30)
            window = text[start : run.end() + 30]
            for pattern in patterns:
                for match in pattern.finditer(window):
                    yield Found(start + match.start(), start + match.end(), "possible")

    yield Detector("detect-secrets", "SECRET", "key", find)


_LONG = re.compile(r"[A-Za-z0-9_+/=.:@-]{20,400}")


@cache
def detectors() -> tuple[Detector, ...]:
    """All detectors there are here, but :mod:`pipeline.deidentify`, which wants a batch (see :func:`find`)."""
    stdnum = [*_stdnum(), Detector("phonenumbers", "PHONE", "digits", _phones)]
    return (*_datatrove(), *_dolma(), *stdnum, *_patterns(), *_detect_secrets())


@cache
def _deidentifier() -> Deidentifier:
    return Deidentifier()


def find(texts: pa.Array) -> list[Hit]:
    """Everything the detectors see in a batch, in order of row, kind, detector and place.

    :param texts: string array; null is empty.
    """
    texts = texts.fill_null("")
    series = pl.Series("text", texts)
    passed = {gate: _passes(series, gate) for gate in GATES}
    hits: set[Hit] = set()
    for gate, mask in passed.items():
        rows = mask.arg_true()
        if not len(rows):
            continue
        wanted = [detector for detector in detectors() if detector.gate == gate]
        for row, text in zip(rows.to_list(), series.gather(rows).to_list(), strict=True):
            replaced = [match.span() for match in PLACEHOLDER.finditer(text)] if "[" in text else []
            for detector in wanted:
                for found in detector.find(text):
                    if any(found.start < end and found.end > start for start, end in replaced):
                        continue
                    hits.add(Hit(row, found.start, found.end, detector.kind, detector.name, found.grade))
    hits.update(_own(texts))
    return sorted(hits, key=lambda hit: (hit.row, KINDS.index(hit.kind), hit.detector, hit.start, hit.end))


def _own(texts: pa.Array) -> Iterator[Hit]:
    """What the de-identifier would mask."""
    finder = _deidentifier()
    flags = deidentify_scan(texts)
    rows = flags.nonzero()[0]
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        for span in finder.find(text, int(flags[row])):
            yield Hit(row, span.start, span.end, span.type, "wellmix", "certain")
