"""Citations as BibTeX, made from the one line a source's card gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STATED = re.compile(
    r"^(?P<authors>[^,;:]{2,80}?) (?P<year>(?:19|20)\d\d), (?P<rest>[^;]+?)(?:; (?P<note>[^;]+?))?\.?$"
)
_SECOND = re.compile(r"et al|(?:19|20)\d\d, ")
_URL = re.compile(r"https?://[^\s,;()]+")
_ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: "\\" + character for character in "&%$#_{}"
}


def bibtex(name: str, facts: Mapping[str, Any]) -> str:
    """An ``@misc`` entry for a source.

    ``Somebody et al. 2021, A Title, VENUE.`` gives author, year, title and venue. A line of another form goes in whole, as ``note``, under
    the source's title: nothing is guessed.

    :param name: of the source, which becomes the key.
    """
    fields = _fields(facts)
    if url := facts.get("homepage"):
        fields["url"] = url
    width = max(map(len, fields))
    lines = [
        f"  {field:<{width}} = {{{value if field == 'url' else _escape(value)}}}," for field, value in fields.items()
    ]
    return "\n".join([f"@misc{{{name},", *lines, "}"])


def _fields(facts: Mapping[str, Any]) -> dict[str, str]:
    citation = " ".join(facts["citation"].split())
    match = _STATED.match(citation)
    if not match or _SECOND.search(match["rest"] + (match["note"] or "")):  # two works in one line
        fields = {"title": facts["title"], "note": citation}
        if found := _URL.search(citation):
            fields["url"] = found[0].rstrip(".")
        return fields
    authors = re.sub(r" et al\.?$", " and others", match["authors"])
    title, venue = _title_and_venue(match["rest"])
    fields = {"author": authors, "year": match["year"], "title": title}
    if venue.startswith("http"):
        fields["url"] = venue
    elif venue:
        fields["howpublished"] = venue
    if match["note"]:
        fields["note"] = match["note"]
    return fields


def _title_and_venue(rest: str) -> tuple[str, str]:
    """The last part after a comma is a venue if it is an address, or short and begins with an acronym: EMNLP, NeurIPS, CHI EA."""
    title, comma, venue = rest.rpartition(", ")
    short = len(venue.split()) <= 4 and re.match(r"\w*[A-Z]\w*[A-Z]", venue)
    return (title, venue) if comma and (short or venue.startswith("http")) else (rest, "")


def _escape(value: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in value)
