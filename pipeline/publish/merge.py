"""Pages people edit: our sections stand between markers, and what a person wrote is never overwritten.

A section is ``<!-- wellmix:begin NAME sha256:0123456789ab -->`` ... ``<!-- wellmix:end NAME -->``; the hash is of the text as we wrote
it. If the text no longer has it, a person edited the section, and it stays as they left it. To have a section written anew, delete it with
its markers; to be rid of one, empty it and leave the markers. Words outside of markers are never touched, byte for byte.

The header (YAML) is merged key by key and only the lines of a key that changes are rewritten, so comments and order stay. A key that
a person changed is theirs, but for those that must be true of the files beside it: there a difference is an error.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from sources.errors import UserError
from sources.yaml_text import NotYaml, load_yaml

#: Keys of the header that must fit the files and licences.
TRUE_KEYS = ("license", "license_name", "license_link", "configs", "dataset_info")

_MARK = re.compile(r"<!-- wellmix:(?P<kind>begin|end) (?P<name>[\w-]+)(?: sha256:(?P<hash>[0-9a-f]{12}))? -->")
_FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.S | re.M)
_KEY = re.compile(r"^(?P<key>[A-Za-z_][\w-]*|'[^']+'|\"[^\"]+\")[ \t]*:(?=\s|$)", re.M)


@dataclass(frozen=True)
class Merged:
    """A page with our sections in it.

    :param kept: what a person edited and what therefore stays as it is.
    :param header: what we wanted in the header; the next merge compares with it.
    """

    text: str
    kept: tuple[str, ...] = ()
    header: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A marked section of a page.

    :param start, end: of the section with its markers, in the page's body.
    :param hash: of the text as we wrote it; None where its marker has none.
    """

    name: str
    start: int
    end: int
    content: str
    hash: str | None

    @property
    def edited(self) -> bool:
        """Whether a person changed what we wrote."""
        return self.hash not in (None, section_hash(self.content))


def merge_page(
    existing: str | None,
    sections: dict[str, str],
    *,
    header: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    page: str = "README.md",
) -> Merged:
    """Put our sections, and for a dataset card our header, into a page.

    :param existing: the page as it is; None: there is none yet.
    :param sections: name -> Markdown, in the order they stand in a new page. One called ``title`` is left out where the page has a heading
        of its own.
    :param header: keys of the YAML header.
    :param before: the header as the previous publication wanted it, from its provenance.
    :raises UserError: markers do not match, the YAML cannot be read, or a key that must be true says something else.
    """
    text = existing or ""
    newline = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
    front, front_yaml, body = split_page(text)
    kept: list[str] = []
    top = ""
    if header is not None:
        yaml_text, kept_keys = _merge_header(front_yaml, header, before, newline, page)
        kept += [f"{page}: {key}" for key in kept_keys]
        top = f"---{newline}{yaml_text}---{newline}{'' if body.strip() else newline}"
    elif front:
        top = front
    body, kept_sections = _merge_body(body, sections, newline, page)
    kept += [f"{page}: section {name}" for name in kept_sections]
    return Merged(top + body, tuple(kept), dict(header or {}))


def section_hash(content: str) -> str:
    """Of a section's text; white space at ends of lines does not count."""
    plain = "\n".join(line.rstrip() for line in content.strip().splitlines())
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def begin_mark(name: str, written: str) -> str:
    """The line that begins a section.

    :param written: hash of the text as we wrote it.
    """
    return f"<!-- wellmix:begin {name} sha256:{written} -->"


def split_page(text: str) -> tuple[str, str, str]:
    """A page's front with its lines of dashes, the YAML between them, and the body; the first two are empty where there is no front."""
    if match := _FRONT.match(text):
        return match[0], match["yaml"], text[match.end() :]
    return "", "", text.removeprefix("\ufeff")


@dataclass
class _Piece:
    """A stretch of the page: a section, or what stands between sections."""

    text: str
    section: str | None = None


def _merge_body(body: str, sections: dict[str, str], newline: str, page: str) -> tuple[str, list[str]]:
    pieces: list[_Piece] = []
    kept: list[str] = []
    at = 0
    outside = ""
    for section in marked_sections(body, page):
        between = body[at : section.start]
        outside += between
        at = section.end
        text = body[section.start : section.end]
        unsigned = section.hash is None and section.content.strip()
        if unsigned or section.edited:
            kept.append(section.name)
        elif section.name in sections:
            text = _render(section.name, sections[section.name], newline)
        else:
            # not made any more, and nobody wrote in it
            pieces.append(_Piece(between.rstrip("\r\n") + newline if between.strip() else between))
            continue
        pieces += [_Piece(between), _Piece(text, section.name)]
    pieces.append(_Piece(body[at:]))
    outside += body[at:]
    order = [name for name in sections if name != "title" or not re.search(r"(?m)^# \S", outside)]
    for position, name in enumerate(order):
        places = {piece.section: number for number, piece in enumerate(pieces) if piece.section}
        if name in places:
            continue
        rendered = _Piece(_render(name, sections[name], newline), name)
        # after the section of ours that stands before it, else before the one that follows, else at the end
        previous = next((places[other] for other in reversed(order[:position]) if other in places), None)
        following = next((places[other] for other in order[position + 1 :] if other in places), None)
        if previous is not None:
            pieces[previous + 1 : previous + 1] = [_Piece(newline * 2), rendered]
        elif following is not None:
            pieces[following:following] = [rendered, _Piece(newline * 2)]
        else:
            pieces += [_Piece(_gap("".join(piece.text for piece in pieces), newline)), rendered]
    text = "".join(piece.text for piece in pieces)
    return text if text.endswith("\n") else text + newline, kept


def marked_sections(body: str, page: str) -> list[Section]:
    """The marked sections in the order of the page.

    :raises UserError: a marker without its partner, or a section that is there twice.
    """
    fix = "each `wellmix:begin NAME` needs one `wellmix:end NAME` after it, once in the page; or delete both"
    found: list[Section] = []
    opened: re.Match[str] | None = None
    for mark in _MARK.finditer(body):
        where = f"{page}: {mark[0]}"
        if mark["kind"] == "begin":
            if opened is not None:
                raise UserError(f"section {opened['name']} is not ended before another begins", where=where, fix=fix)
            if mark["name"] in {section.name for section in found}:
                raise UserError(f"section {mark['name']} is there twice", where=where, fix=fix)
            opened = mark
        elif opened is None or opened["name"] != mark["name"]:
            raise UserError(f"section {mark['name']} ends and had not begun", where=where, fix=fix)
        else:
            content = body[opened.end() : mark.start()]
            found.append(Section(mark["name"], opened.start(), mark.end(), content, opened["hash"]))
            opened = None
    if opened is not None:
        raise UserError(f"section {opened['name']} has no end", where=f"{page}: {opened[0]}", fix=fix)
    return found


def _render(name: str, content: str, newline: str) -> str:
    content = content.strip()
    lines = [
        begin_mark(name, section_hash(content)),
        *content.splitlines(),
        f"<!-- wellmix:end {name} -->",
    ]
    return newline.join(lines)


def _gap(before: str, newline: str) -> str:
    """What makes a blank line after ``before``."""
    if not before.strip():
        return newline if before and not before.endswith("\n") else ""
    ends = len(before) - len(before.rstrip("\r\n"))
    return newline * max(0, 2 - ends // len(newline))


def _merge_header(
    existing: str, ours: dict[str, Any], before: dict[str, Any] | None, newline: str, page: str
) -> tuple[str, list[str]]:
    """The YAML with our keys in it, and the keys that a person keeps."""
    theirs = _read_yaml(existing, page)
    result = dict(theirs)
    kept: list[str] = []
    for key, wanted in ours.items():
        known = (before or {}).get(key)
        if key not in theirs:
            if before and key in before and key not in TRUE_KEYS:
                kept.append(f"{key} (taken out)")
            else:
                result[key] = wanted
        elif _same(key, theirs[key], wanted):
            continue
        elif before and key in before and _same(key, theirs[key], known):
            result[key] = wanted
        elif key in ("configs", "dataset_info"):
            result[key] = _merge_named(key, theirs[key], wanted, known, page)
        elif key in TRUE_KEYS:
            raise UserError(
                f"the card says `{key}: {_short(theirs[key])}`, and what is published is `{key}: {_short(wanted)}`",
                where=f"{page}: {key}",
                fix=f"take `{key}` out of the header, or publish what it says",
            )
        elif _texts(theirs[key]) and _texts(wanted):
            # both changed a list: what a person added or took out stands, and so does what is new with us
            old: list[str] = list(known) if _texts(known) and known else []
            result[key] = [*theirs[key], *(value for value in wanted if value not in theirs[key] and value not in old)]
            result[key] = [value for value in result[key] if value in wanted or value not in old]
            kept += [key] if result[key] != wanted else []
        else:
            kept.append(key)
    for key, known in (before or {}).items():
        if key not in ours and key in theirs and _same(key, theirs[key], known):
            del result[key]
    return _rewrite_yaml(existing, theirs, result, newline), kept


def _read_yaml(text: str, page: str) -> dict[str, Any]:
    try:
        value = load_yaml(text, unique=False)[0] if text.strip() else {}
    except NotYaml as error:
        raise UserError(
            f"the header is not valid YAML: {error.what}",
            where=f"{page}:{error.line + 1}",
            fix="mend it: the hub cannot read it either",
        ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(
            "the header is not a list of keys", where=page, fix="write `key: value` lines between the dashes"
        )
    keys = [match["key"].strip("'\"") for match in _KEY.finditer(text)]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UserError(f"the header has {twice} twice", where=f"{page}: {twice}", fix="take one of them out")
    return value


def _merge_named(key: str, theirs: Any, wanted: list[dict[str, Any]], known: Any, page: str) -> list[dict[str, Any]]:
    """Configs by name: ours as they must be, further ones of a person as they are.

    :raises UserError: a person changed one of ours.
    """
    listed = [theirs] if isinstance(theirs, dict) else theirs
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(
            f"`{key}` is not a list of configs", where=f"{page}: {key}", fix=f"take `{key}` out of the header"
        )
    old = {
        entry.get("config_name", "default"): entry for entry in ([known] if isinstance(known, dict) else known or [])
    }
    new = {entry["config_name"]: entry for entry in wanted}
    others = []
    for entry in listed:
        name = entry.get("config_name", "default")
        if name in new and entry != new[name] and entry != old.get(name):
            raise UserError(
                f"the card says something else of config {name!r} than what is published",
                where=f"{page}: {key}: {name}",
                fix=f"take this entry out of `{key}`, or give the config another name",
            )
        if name not in new and entry != old.get(name):
            others.append(entry)
    return [*wanted, *others]


def _rewrite_yaml(existing: str, theirs: dict[str, Any], result: dict[str, Any], newline: str) -> str:
    """The lines of keys that did not change as they are, the others anew, new ones at the end."""
    starts = [(match.start(), match["key"].strip("'\"")) for match in _KEY.finditer(existing)]
    bounds = [*(start for start, _ in starts), len(existing)]
    text = existing[: bounds[0]]
    for number, (start, key) in enumerate(starts):
        block = existing[start : bounds[number + 1]]
        if key in result and result[key] == theirs.get(key):
            text += block
        else:
            # a comment below stays: it is about the next key
            comment = re.search(r"(?:^[ \t]*(?:#[^\n]*)?\n)*\Z", block, re.M)
            text += (_dump({key: result[key]}, newline) if key in result else "") + (comment[0] if comment else "")
    have = {key for _, key in starts}
    text += "".join(_dump({key: value}, newline) for key, value in result.items() if key not in have)
    if _parsed(text) != result:  # a layout that cannot be cut by keys, such as one in braces
        text = _dump(result, newline)
    return text


def _parsed(text: str) -> Any:
    try:
        return load_yaml(text, unique=False)[0] if text.strip() else {}
    except NotYaml:
        return None


def _dump(value: dict[str, Any], newline: str) -> str:
    return (
        yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000).replace("\n", newline) if value else ""
    )


def _same(key: str, one: Any, other: Any) -> bool:
    if key == "license":
        one, other = (
            [str(item).lower() for item in (value if isinstance(value, list) else [value])] for value in (one, other)
        )
    return one == other


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
