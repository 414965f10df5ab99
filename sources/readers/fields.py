"""The options every tabular reader takes: which fields of a row or JSON object become what in a record.

A *field* is a column name, a dotted path into nested objects (``meta.user.name``), or, where text is expected, a template
such as ``{title}\\n\\n{body}`` whose missing parts are left out. ``_file`` is the name of the file without its suffixes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from sources.readers.base import Encoding, Options, StreamOptions
from sources.readers.patterns import Pattern


class ColumnTurn(Options):
    """One turn made from columns of a row.

    :param role: its role, see :class:`sources.document.Turn`; a list is taken in turn over the rows of a group. With ``roles``
        it is the field that tells who speaks.
    :param roles: value of the field ``role`` -> role of the turn; other values are bad.
    :param text: field or template; the turn is left out where it is empty.
    :param author: field with the raw handle of who speaks.
    :param labels: native labels: a list of fields, or label -> field.
    :param set: labels that every such turn has: the column itself says something (``{verdict: bad}`` of a rejected answer).
    :param once: in a group of rows, take it from the first row only (the question before its answers).
    """

    role: str | list[str]
    roles: dict[str, str] = {}
    text: str
    author: str | None = None
    labels: list[str] | dict[str, str] = []
    set: dict[str, str | bool | int | float] = {}
    once: bool = False

    @model_validator(mode="after")
    def _one_field(self) -> ColumnTurn:
        if self.roles and not isinstance(self.role, str):
            raise ValueError("with roles, role is the one field that tells who speaks")
        return self


class ListTurns(Options):
    """Turns that the row holds as a list of strings or objects.

    :param path: field with the list; empty when the row itself is the list.
    :param text: field or template inside an item (not used when items are strings).
    :param role: field inside an item that tells who speaks.
    :param roles: value of ``role`` -> role of the turn; other values are bad. Without it, speakers are numbered
        ``speaker_1`` ... in order of appearance.
    :param speakers: field of the row with a parallel list of who speaks (instead of ``role``).
    :param alternate: roles taken in turn, where nothing tells who speaks.
    :param author: field inside an item with the raw handle of who speaks.
    :param labels: native labels of an item: a list of fields, or label -> field.
    :param looks_back: label -> role: the label is a judgement of what was said before it (a seeker's stars after every two
        replies), so the turns of that role since the last such judgement get it, too.
    """

    path: str = ""
    text: str = "text"
    role: str | None = None
    roles: dict[str, str] = {}
    speakers: str | None = None
    alternate: list[str] = []
    author: str | None = None
    labels: list[str] | dict[str, str] = []
    looks_back: dict[str, str] = {}


class TreeTurns(ListTurns):
    """Turns of a tree of messages: from its root always on to the best ranked reply (the first where none is ranked).

    :param path: field with the root message.
    :param children: field inside a message with the list of its replies.
    :param rank: field inside a message with its rank among its siblings; the lowest is the best.
    :param siblings: role whose ranked replies to one message are alternatives. Then each message that two or more of them answer
        makes a record of its own: the way from the root to it, and the ranked replies as neighbouring turns. A tree
        without one makes none.
    """

    children: str = "replies"
    rank: str | None = None
    siblings: str | None = None

    @model_validator(mode="after")
    def _ranked(self) -> TreeTurns:
        if self.siblings and not (self.rank and self.role):
            raise ValueError("siblings are told by their role and rank: give both fields")
        return self


class LineTurns(Options):
    """Turns written as lines of one text, ``Doctor: How are you?``; a line without a speaker continues the turn before it.

    :param column: field with the text.
    :param roles: word before the colon -> role of the turn (matched without case).
    :param alternate: roles taken in turn, one a line, where lines do not name the speaker.
    :param strip: prefix taken off each line first, e.g. ``"- "`` (as often as it repeats).
    """

    column: str
    roles: dict[str, str] = {}
    alternate: list[str] = []
    strip: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> LineTurns:
        if bool(self.roles) == bool(self.alternate):
            raise ValueError("give either roles (lines name the speaker) or alternate (they do not)")
        return self


class GluedTurns(Options):
    """Turns of two speakers that were written one after another with nothing between, beside the turns of one of them so written.

    :param text: field with all turns.
    :param part: field with the turns of one speaker.
    :param speakers: field with a list that tells for each turn who speaks.
    :param who: value in that list of the speaker whose turns are in ``part``.
    :param roles: role of that speaker, and of the other.
    """

    text: str
    part: str
    speakers: str
    who: str = "0"
    roles: tuple[str, str] = ("seeker", "supporter")


class Derive(Options):
    """A column cut out of another one: the first group of a regular expression, or the whole match where it has no group.

    :param type: ``text``, ``number``, or ``json`` for a JSON value inside a text.
    """

    column: str
    match: Pattern
    type: Literal["text", "number", "json"] = "text"


class Group(Options):
    """Rows that belong together become one record; they need not stand together, and may be more than memory holds.

    Groups come in the order of their first rows. The record's key is the values of ``by`` (or what ``key`` says), its author,
    time and ``extra`` are those of the first row; turns and texts of its rows follow each other.

    :param by: field(s) whose values tell which rows belong together.
    :param order: fields that order the rows of a group, numbers in them by value; then the order in the file.
    :param once: fields of which the same values must not come twice in a group; the first such row counts (one line that several
        annotators labelled).
    :param across_files: a group may have rows in several files; the source is then read by a single task.
    :param join: what stands between the texts of the rows.
    :param collect: native labels kept as a list with one value a row: a list of fields, or name -> field.
    """

    by: str | list[str]
    order: list[str] = []
    once: list[str] = []
    across_files: bool = False
    join: str = "\n"
    collect: list[str] | dict[str, str] = []


class Fields(StreamOptions):
    """Which fields of a row become what.

    :param text: field or template with the prose. Leave it out for dialogues.
    :param key: field(s) with the native key. Default: file and position, which stays as long as the file does.
    :param author: field with the author's raw handle.
    :param created: field with the time: epoch seconds or milliseconds, or ISO 8601 (``2019/05/26`` too). What cannot be read is
        left empty.
    :param turns: turns made from columns.
    :param turn_list: turns the row holds as a list.
    :param turn_tree: turns of a tree of messages.
    :param turn_lines: turns written as lines of one text.
    :param turn_glued: turns of two speakers written with nothing between them.
    :param then: turns made from columns that follow those of any of the four above, such as a better answer to the same.
    :param last: labels that the last turn before ``then`` gets from the row: a list of fields, or label -> field.
    :param optional: mapped columns that some of the files lack.
    :param extra: native labels and metadata to keep: a list of fields, or name -> field.
    :param keep: field -> globs; rows where it matches none are not part of this source.
    :param decode: columns that hold JSON (``json``), a Python literal (``literal``), or values divided by a character, e.g.
        ``{concepts: "|"}``; they are decoded before anything else.
    :param values: column -> {raw value: what it means}, applied to each item of a list.
    :param numbers: columns that hold numbers; what is not one becomes null.
    :param derive: new column -> ``{from: column, match: regular expression with one group}``.
    :param replace: literal replacements in texts, e.g. ``{"_comma_": ","}``.
    :param mojibake: encoding that UTF-8 was once taken for (e.g. ``mac_roman``), as often as it happened; each run of foreign
        letters that makes sense the other way is turned back.
    :param unescape: ``r`` where R wrote characters as ``<U+00E9>``.
    :param detokenize: texts are written word by word as a tokenizer left them (``you 're right .``); set them together again.
    :param html: texts are HTML; they are rendered as plain paragraphs.
    :param group: put the rows that belong together into one record.
    """

    text: str | None = None
    key: str | list[str] | None = None
    author: str | None = None
    created: str | None = None
    turns: list[ColumnTurn] = []
    turn_list: ListTurns | None = None
    turn_tree: TreeTurns | None = None
    turn_lines: LineTurns | None = None
    turn_glued: GluedTurns | None = None
    then: list[ColumnTurn] = []
    last: list[str] | dict[str, str] = []
    optional: list[str] = []
    extra: list[str] | dict[str, str] = []
    keep: dict[str, list[str]] = {}
    decode: dict[str, str] = {}
    values: dict[str, dict[str, Any]] = {}
    numbers: list[str] = []
    derive: dict[str, Derive] = {}
    replace: dict[str, str] = {}
    mojibake: Encoding | None = None
    unescape: Literal["r"] | None = None
    detokenize: bool = False
    html: bool = False
    group: Group | None = None

    @model_validator(mode="after")
    def _some_text(self) -> Fields:
        ways = [name for name in type(self).model_fields if name.startswith("turn") and getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(f"give only one of {', '.join(ways)}")
        if ways and self.text is not None:
            raise ValueError(f"give only one of text and {ways[0]}: a document is either prose or turns")
        if not ways and self.text is None:
            raise ValueError("say where the text is: text, turns, turn_list, turn_tree, turn_lines or turn_glued")
        if (self.then or self.last) and (not ways or ways == ["turns"]):
            raise ValueError("then and last go with turn_list, turn_tree, turn_lines or turn_glued")
        if (self.then or self.last) and self.turn_tree and self.turn_tree.siblings:
            raise ValueError("then and last do not go with siblings of a tree")
        if self.group and self.turn_tree and self.turn_tree.siblings:
            raise ValueError("siblings of a tree make several records of a row; they do not go with group")
        return self
