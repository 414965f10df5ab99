import bz2

import pytest

from sources.document import Record
from sources.readers.mediawiki import is_biography, plain_text

LIFE = "She taught at the village school for thirty years, and wrote three books about bees that nobody printed. " * 6
PERSON = f"""{{{{Infobox person
| name = Nobody At All
| birth_date = {{{{birth date|1901|2|3}}}}
}}}}
[[File:Nobody.jpg|thumb|A [[portrait]]]]
'''Nobody At All''' ({{{{IPA|x}}}}; born {{{{birth date|1901|2|3}}}}) was a \
[[teacher|school teacher]] in [[Nowhere]].<ref>A source</ref>
{LIFE}{{{{citation needed}}}}

== Life ==
{LIFE}<!-- hidden -->
* one hive
* two hives
{{| class="wikitable"
| a || b
|}}
=== Bees ===
It was {{{{convert|5|km}}}} to {{{{lang|fr|la ruche}}}}.&nbsp;Then she said{{{{ndash}}}}nothing.

== References ==
{{{{reflist}}}}
* A book

=== Notes on notes ===
Not kept either.

== Legacy ==
A street. [https://example.org A page] [[Category:1901 births]]
[[de:Niemand]]
"""


def page(number: int, text: str, ns: int = 0, extra: str = "") -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<page><title>Page {number}</title><ns>{ns}</ns><id>{number}</id>{extra}<revision><id>9{number}</id>"
        f"<timestamp>2016-05-01T00:00:00Z</timestamp><text>{text}</text></revision></page>"
    )


def dump(*pages: str, encoding: str = "utf-8") -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding != "utf-8" else ""
    body = "".join(pages)
    text = (
        f'{head}<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/"><siteinfo><dbname>tinywiki</dbname></siteinfo>'
        f"{body}</mediawiki>"
    )
    return text.encode(encoding)


def test_people_only_by_default(load):
    pages = [
        page(1, PERSON),
        page(2, f"A '''stone''' is hard. {LIFE}"),
        page(3, PERSON, ns=1),
        page(4, "#REDIRECT [[Page 1]]", extra='<redirect title="Page 1"/>'),
    ]
    (record,) = load("mediawiki", {"w/tiny.xml.bz2": bz2.compress(dump(*pages))})
    assert record.key == "tinywiki:1"
    assert record.origin == "w/tiny.xml.bz2#page=1"
    assert record.extra == {"title": "Page 1", "wiki": "tinywiki", "revision": "91"}
    assert record.created.year == 2016
    assert len(load("mediawiki", {"w/tiny.xml": dump(*pages)}, biographies=False)) == 2


def test_plain_text():
    skip = frozenset({"references"})
    assert plain_text(PERSON, skip).split("\n\n") == [
        "Nobody At All (born February 3, 1901) was a school teacher in Nowhere.",
        LIFE.strip(),
        "Life",
        LIFE.strip(),
        "- one hive\n- two hives",
        "Bees",
        "It was 5 km to la ruche. Then she said–nothing.",
        "Legacy",
        "A street. A page",
    ]


@pytest.mark.parametrize(
    "text,person",
    [
        ("[[Category:Living people]]", True),
        ("[[category: 1850 deaths|x]]", True),
        ("{{Infobox tennis biography\n|name=x}}", True),
        ("{{Infobox_scientist|name=x}}", True),
        ("born {{birth date and age|1980|1|1}}", True),
        ("{{Infobox settlement|name=x}} [[Category:Births in fiction studies]]", True),
        ("{{Infobox settlement|name=x}} [[Category:Rivers]]", False),
        ("He was born in a town.", False),
    ],
)
def test_who_is_a_person(text, person):
    assert is_biography(text) is person


def test_utf16_dump(load):
    (record,) = load("mediawiki", {"w/bg.xml": dump(page(1, PERSON.replace("village", "селското")), encoding="utf-16")})
    assert "селското" in record.text


def test_last_revision_of_a_history_dump(load):
    older = "<revision><id>1</id><text>nothing yet</text></revision>"
    (record,) = load("mediawiki", {"w.xml": dump(page(1, PERSON, extra=older))})
    assert record.extra["revision"] == "91"


@pytest.mark.parametrize(
    "data,reason",
    [
        (b"", "empty"),
        (dump(page(1, PERSON), page(2, PERSON))[:-2000], "invalid_xml"),
        (b"\xff\xff not xml", "invalid_xml"),
    ],
)
def test_bad_dumps(load, data, reason):
    found = load("mediawiki", {"w.xml": data})
    assert found[-1].reason == reason
    assert all(isinstance(x, Record) for x in found[:-1])


def test_truncated_bz2(load):
    data = bz2.compress(dump(*(page(i, PERSON) for i in range(200))), 1)
    found = load("mediawiki", {"w.xml.bz2": data[: len(data) // 2]})
    assert found[-1].reason in ("truncated", "invalid_xml")


def test_entity_bomb(load):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE m [<!ENTITY e0 "boom">{levels}]>'.encode() + dump(page(1, PERSON)).replace(b"thirty", b"&e9;")
    assert all("boom" not in getattr(x, "text", "") for x in load("mediawiki", {"w.xml": bomb}))
