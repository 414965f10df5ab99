"""A staged page and the same page on the hub become one: what people wrote stays, be it there or here."""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.publish.merge import Merged, begin_mark, marked_sections, merge_page, section_hash, split_page
from pipeline.publish.stage import CARD
from sources.errors import UserError


def merge_pages(there: str, here: str, *, before: dict[str, Any] | None = None, page: str = CARD) -> Merged:
    """Put a staged page into the one on the hub. What people wrote stays, be it there or here.

    Sections and header are merged by :func:`pipeline.publish.merge.merge_page`. A section that was edited here keeps its old hash, so
    that it is known as a person's there, too. Words between the sections are those of the page that has the other's as well.

    :param before: the header that the publication on the hub wanted.
    :raises UserError: both pages have words between the sections that the other has not; or the header cannot be merged.
    """
    _, front, _ = split_page(here)
    ours = marked_sections(here, page)
    header = yaml.safe_load(front) if front and page == CARD else None
    merged = merge_page(
        there, {section.name: section.content.strip() for section in ours}, header=header, before=before, page=page
    )
    text = merged.text
    for section in ours:
        if section.hash is not None and section.edited:
            new = begin_mark(section.name, section_hash(section.content))
            text = text.replace(new, begin_mark(section.name, section.hash))
    words_there, words_here = _between(there, page), _between(here, page)
    if words_here - words_there:
        if words_there - words_here:
            raise UserError(
                "the page has words here that are not on the hub, and words there that are not here",
                where=page,
                fix="put those of the hub into the page here, or stage into a clone of the repository",
            )
        text = _around(here, text, page)
    return Merged(text, merged.kept, merged.header)


def _between(text: str, page: str) -> set[str]:
    """Lines that stand in no section."""
    _, _, body = split_page(text)
    at, lines = 0, []
    for section in marked_sections(body, page):
        lines += body[at : section.start].splitlines()
        at = section.end
    return {stripped for line in [*lines, *body[at:].splitlines()] if (stripped := line.strip())}


def _around(skeleton: str, text: str, page: str) -> str:
    """The header and sections of ``text`` with the words between the sections of ``skeleton``."""
    body, place = split_page(text)[2], split_page(skeleton)[2]
    sections = {section.name: body[section.start : section.end] for section in marked_sections(body, page)}
    made, at = text[: len(text) - len(body)], 0
    for section in marked_sections(place, page):
        made += place[at : section.start] + sections.pop(section.name, "")
        at = section.end
    made += place[at:]
    return "\n\n".join([made.rstrip("\n"), *sections.values()]) + "\n"
