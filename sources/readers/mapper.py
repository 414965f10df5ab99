"""Makes records of rows, as the :class:`~sources.readers.fields.Fields` of a card say."""

from __future__ import annotations

import ast
import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from sources.document import Bad, Record, Turn
from sources.readers.fields import ColumnTurn, Fields, GluedTurns, ListTurns, TreeTurns
from sources.readers.mending import detokenize, html_to_text, parse_time, unescape_r, unglue, unmojibake
from sources.readers.patterns import compiled

Row = dict[str, Any]
Getter = Callable[[Row], Any]

#: How deep values of labels may be nested, and how long a way from the root of a tree to a reply may be.
_DEPTH = 50
_WAY = 1000
_ROOM = 1 << 16
_PLACE = re.compile(r"\{([^{}]+)\}")
#: What Reddit and others write in place of an account that is gone.
_NOBODY = frozenset({"", "[deleted]", "[removed]"})


class Missing(Exception):  # noqa: N818 - it is caught inside the mapper and becomes a Bad
    """A record lacks something the card maps."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail


class Mapper:
    """Makes records of rows as a card's :class:`Fields` say.

    :param fields: the options of the reader.
    """

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._text = _template(fields.text) if fields.text else None
        keys = [fields.key] if isinstance(fields.key, str) else fields.key or []
        self._keys = [(name, _path(name)) for name in keys]
        self._author = _path(fields.author) if fields.author else None
        self._created = _path(fields.created) if fields.created else None
        self._extra = _named(fields.extra)
        self._keep = [(_path(name), globs) for name, globs in fields.keep.items()]
        self._derive = [(name, d.column, compiled(d.match), d.type) for name, d in fields.derive.items()]
        by = fields.group.by if fields.group else []
        self._by = [(name, _path(name)) for name in ([by] if isinstance(by, str) else by)]
        self._once = [_path(name) for name in fields.group.once] if fields.group else []
        self._collect = _named(fields.group.collect) if fields.group else []
        self._turns = [_ColumnTurn(turn) for turn in fields.turns]
        self._then = [_ColumnTurn(turn) for turn in fields.then]
        self._last = _named(fields.last)
        self._prepared = bool(fields.decode or fields.values or fields.numbers or fields.derive)
        self._plain = not (fields.replace or fields.mojibake or fields.html or fields.unescape or fields.detokenize)
        self._prose_only = not any(
            getattr(fields, name) for name in type(fields).model_fields if name.startswith("turn")
        )
        # A single plain column is by far the commonest text; it skips the template.
        self._column = fields.text if fields.text and "{" not in fields.text and "." not in fields.text else None
        if tl := fields.turn_list or fields.turn_tree:
            self._items = _path(tl.path) if tl.path else None
            self._item_text = _template(tl.text)
            self._item_role = _path(tl.role) if tl.role else None
            self._speakers = _path(tl.speakers) if tl.speakers else None
            self._item_author = _path(tl.author) if tl.author else None
            self._item_labels = _named(tl.labels)
        if by_line := fields.turn_lines:
            self._lines = _path(by_line.column)
            words = "|".join(re.escape(word) for word in sorted(by_line.roles, key=len, reverse=True))
            self._speaker_line = re.compile(rf"[\s\"\u201c]*({words})\s*[:\uff1a]\s*", re.IGNORECASE) if words else None
            self._line_roles = {word.lower(): role for word, role in by_line.roles.items()}

    def columns(self) -> set[str]:
        """Every field the card names, as written; a row reader fetches only these. ``_file`` is not one."""
        f = self.fields
        named: set[str] = set()
        for template in [f.text, *(t.text for t in (*f.turns, *f.then))]:
            if template:
                named.update(_PLACE.findall(template) or [template])
        named.update(name for name, _ in self._keys)
        named.update(name for name in (f.author, f.created) if name)
        named.update(f.extra.values() if isinstance(f.extra, dict) else f.extra)
        named.update(f.keep)
        named.update(f.last.values() if isinstance(f.last, dict) else f.last)
        for turn in (*f.turns, *f.then):
            named.update(turn.labels.values() if isinstance(turn.labels, dict) else turn.labels)
            if turn.author:
                named.add(turn.author)
            if turn.roles:
                named.add(str(turn.role))
        if listed := f.turn_list or f.turn_tree:
            named.update(name for name in (listed.path, listed.speakers) if name)
        if f.turn_lines:
            named.add(f.turn_lines.column)
        if f.turn_glued:
            named |= {f.turn_glued.text, f.turn_glued.part, f.turn_glued.speakers}
        if f.group:
            named.update([f.group.by] if isinstance(f.group.by, str) else f.group.by)
            named.update(f.group.order)
            named.update(f.group.once)
            named.update(f.group.collect.values() if isinstance(f.group.collect, dict) else f.group.collect)
        named |= {d.column for d in f.derive.values()}
        named -= {"_file"}
        named = {name for name in named if name not in f.derive and name.partition(".")[0] not in f.derive}
        # ``meta.user`` of a decoded column ``meta`` is fetched as ``meta``.
        return {name.partition(".")[0] if name.partition(".")[0] in f.decode else name for name in named}

    def record(self, row: Row, file: str, origin: str) -> Record | Bad | None:
        """The record of one row; None if ``keep`` leaves the row out.

        :param file: name of the file.
        :param origin: locator of the row, and its key where the card maps none.
        """
        try:
            if self._prepared:
                row = self.prepare(row)
            if self._keep and not self.kept(row):
                return None
            if self._prose_only:
                return Record(
                    self.key(row, file, origin),
                    origin,
                    self.text(row),
                    *self.who_when(row),
                    None,
                    self.extra(row, file),
                )
            turns = self.turns(row)
            if not turns:
                raise Missing("empty", "no turn has text")
            text = self.text(row) if self._text else ""
            return Record(self.key(row, file, origin), origin, text, *self.who_when(row), turns, self.extra(row, file))
        except Missing as missing:
            return Bad(origin, missing.reason, missing.detail)

    def records(self, row: Row, file: str, origin: str) -> Iterator[Record | Bad]:
        """The records of one row: one or none, or one a set of ranked siblings where the card wants those of a tree."""
        spec = self.fields.turn_tree
        if spec is None or spec.siblings is None:
            made = self.record(row, file, origin)
            if made is not None:
                yield made
            return
        try:
            if self._prepared:
                row = self.prepare(row)
            if self._keep and not self.kept(row):
                return
            key, who_when, extra = self.key(row, file, origin), self.who_when(row), self.extra(row, file)
            root = self._items(row) if self._items else row
        except Missing as missing:
            yield Bad(origin, missing.reason, missing.detail)
            return
        try:
            for place, items in _siblings(root, spec):
                try:
                    turns = self._from_items(items, row, spec)
                    if any(not turn.text for turn in turns):
                        raise Missing("empty", "a message on the way to the alternatives has no text")
                    yield Record(f"{key}/{place}", f"{origin}&reply={place}", "", *who_when, turns, dict(extra))
                except Missing as missing:
                    yield Bad(f"{origin}&reply={place}", missing.reason, missing.detail)
        except Missing as missing:
            yield Bad(origin, missing.reason, missing.detail)

    def group_key(self, row: Row, file: str) -> str:
        """The values of ``group.by``, joined."""
        parts = []
        for name, get in self._by:
            value = stem(file) if name == "_file" else get(row)
            if value is None or value == "":
                raise Missing("missing_field", f"group.by: field {name!r} is missing or empty")
            parts.append(str(value))
        return "/".join(parts)

    def grouped(self, key: str, rows: list[Row], file: str, origin: str) -> Record | Bad:
        """The record of a group of rows that :meth:`prepare` has seen."""
        group = self.fields.group
        assert group is not None
        first = rows[0]
        if self._once:
            # Kept by the values themselves; a dict holds the first of each and the order.
            rows = list({orjson.dumps([get(row) for get in self._once]): row for row in reversed(rows)}.values())[::-1]
        try:
            turns, text = None, ""
            if self._prose_only:
                texts = [self._clean(self._text(row)) for row in rows]  # type: ignore[misc]
                text = group.join.join(part for part in texts if part)
            else:
                turns = [turn for position, row in enumerate(rows) for turn in self.turns(row, position)]
                text = self.text(first) if self._text else ""
            if not text and not turns:
                raise Missing("empty", "no row of the group has text")
            extra = self.extra(first, file)
            for name, get in self._collect:
                extra[name] = [get(row) for row in rows]
            return Record(self.key(first, file, key), origin, text, *self.who_when(first), turns, extra)
        except Missing as missing:
            return Bad(origin, missing.reason, missing.detail)

    def prepare(self, row: Row) -> Row:
        """The row with its columns decoded, split, translated and derived."""
        f = self.fields
        row = dict(row)
        for name, how in f.decode.items():
            if isinstance(value := row.get(name), str):
                row[name] = _decode(name, value, how)
        for name, column, pattern, kind in self._derive:
            found = pattern.search(str(row.get(column) or ""))
            value = found and (found[1] if pattern.groups else found[0])
            if kind == "json" and value:
                value = _decode(name, value, "json")
            row[name] = _number(value) if kind == "number" else value
        for name, meanings in f.values.items():
            value = row.get(name)
            if isinstance(value, list):
                row[name] = [meanings.get(str(item), item) for item in value]
            elif value is not None:
                row[name] = meanings.get(str(value), value)
        for name in f.numbers:
            row[name] = _number(row.get(name))
        return row

    def kept(self, row: Row) -> bool:
        """Whether the row belongs to this source."""
        for get, globs in self._keep:
            value = get(row)
            if not any(fnmatch.fnmatchcase("" if value is None else str(value), glob) for glob in globs):
                return False
        return True

    def key(self, row: Row, file: str, origin: str) -> str:
        """The native key, or the locator."""
        if not self._keys:
            return origin
        parts = []
        for name, get in self._keys:
            value = stem(file) if name == "_file" else get(row)
            if value is None or value == "":
                raise Missing("missing_field", f"key: field {name!r} is missing or empty")
            parts.append(value if type(value) is str else str(value))
        return parts[0] if len(parts) == 1 else "/".join(parts)

    def text(self, row: Row) -> str:
        """The prose of a row."""
        if self._column is not None:
            value = row.get(self._column)
            if type(value) is str:
                if self._plain and value and not value.isspace():
                    return value
            elif value is None:
                raise Missing("missing_field", f"text: field {self._column!r} is missing")
        text = self._clean(self._text(row))  # type: ignore[misc]
        if not text:
            raise Missing("empty", f"text: {self.fields.text!r} is empty")
        return text

    def who_when(self, row: Row) -> tuple[str | None, datetime | None]:
        """Raw author and time."""
        return (
            _handle(self._author(row)) if self._author else None,
            parse_time(self._created(row)) if self._created else None,
        )

    def extra(self, row: Row, file: str) -> dict[str, Any]:
        """Native labels of the whole record; empty ones are left out."""
        if not self._extra:
            return {}
        return _labels(self._extra, row, file)

    def turns(self, row: Row, position: int = 0) -> list[Turn]:
        """The turns of a row; ``position`` is that of the row in its group."""
        if self._turns:
            return self._from_columns(self._turns, row, position)
        if self.fields.turn_lines:
            made = self._lined(row)
        elif self.fields.turn_glued:
            made = self._unglued(row, self.fields.turn_glued)
        else:
            made = self._listed(row)
        if self._last and made:
            made[-1].labels |= _labels(self._last, row)
        return made + self._from_columns(self._then, row, position) if self._then else made

    def _from_columns(self, columns: list[_ColumnTurn], row: Row, position: int) -> list[Turn]:
        made = []
        for column in columns:
            turn = column.spec
            if turn.once and position:
                continue
            text = self._clean(column.text(row))
            if turn.once and not text:
                raise Missing("missing_field", f"turns: the {turn.role}'s {turn.text!r} is empty")
            if text:
                author = _handle(column.author(row)) if column.author else None
                made.append(Turn(column.role(row, position), text, author, _labels(column.labels, row) | turn.set))
        return made

    def _listed(self, row: Row) -> list[Turn]:
        spec = self.fields.turn_list or self.fields.turn_tree
        assert spec is not None
        items = self._items(row) if self._items else row
        if isinstance(spec, TreeTurns):
            items = _best_path(items, spec)
        if not _is_list(items):
            raise Missing("missing_field", f"turn_list: {spec.path or 'the record'!r} is not a list")
        made = [turn for turn in self._from_items(items, row, spec) if turn.text]
        for label, role in spec.looks_back.items():
            _look_back(made, label, role)
        return made

    def _from_items(self, items: Iterable[Any], row: Row, spec: ListTurns) -> list[Turn]:
        """A turn an item, also where it has no text."""
        speakers = _list(self._speakers(row), "turn_list: what says who speaks") if self._speakers else None
        numbers: dict[str, str] = {}
        made: list[Turn] = []
        for position, item in enumerate(items):
            plain = isinstance(item, str)
            if not plain and not isinstance(item, dict):
                raise Missing("wrong_type", f"turn_list: item {position} is neither a text nor an object")
            text = self._clean(item if plain else self._item_text(item))
            if speakers is not None:
                who = speakers[position] if position < len(speakers) else None
            else:
                who = self._item_role(item) if self._item_role and not plain else None
            if spec.alternate:
                role = spec.alternate[position % len(spec.alternate)]
            elif who is None:
                raise Missing("missing_field", f"turn_list: nothing says who speaks item {position}")
            elif spec.roles:
                if str(who) not in spec.roles:
                    raise Missing("unknown_role", f"turn_list: the role of item {position} is not in roles")
                role = spec.roles[str(who)]
            else:
                role = numbers.setdefault(str(who), f"speaker_{len(numbers) + 1}")
            author = _handle(self._item_author(item)) if self._item_author and not plain else None
            made.append(Turn(role, text, author, {} if plain else _labels(self._item_labels, item)))
        return made

    def _lined(self, row: Row) -> list[Turn]:
        spec = self.fields.turn_lines
        assert spec is not None
        value = self._lines(row)
        if not isinstance(value, str):
            raise Missing("missing_field", f"turn_lines: field {spec.column!r} is missing")
        made: list[Turn] = []
        for line in value.splitlines():
            line = line.strip()
            while spec.strip and line.startswith(spec.strip.rstrip()):
                line = line[len(spec.strip.rstrip()) :].lstrip()
            line = self._clean(line)
            if not line:
                continue
            if self._speaker_line is None:
                made.append(Turn(spec.alternate[len(made) % len(spec.alternate)], line))
            elif found := self._speaker_line.match(line):
                made.append(Turn(self._line_roles[found[1].lower()], line[found.end() :]))
            elif made:
                made[-1].text = f"{made[-1].text}\n{line}".lstrip()
            else:
                raise Missing("unknown_role", "turn_lines: the first line names none of the speakers in roles")
        return [turn for turn in made if turn.text]

    def _unglued(self, row: Row, spec: GluedTurns) -> list[Turn]:
        speakers = row.get(spec.speakers)
        if not isinstance(speakers, list) or not speakers:
            raise Missing("missing_field", f"turn_glued: field {spec.speakers!r} is not a list")
        texts = unglue(
            str(row.get(spec.text) or ""), str(row.get(spec.part) or ""), [str(who) == spec.who for who in speakers]
        )
        if texts is None:
            raise Missing("not_parted", "turn_glued: where one turn ends and the next begins cannot be told")
        turns = [
            Turn(spec.roles[str(who) != spec.who], self._clean(text)) for who, text in zip(speakers, texts, strict=True)
        ]
        return [turn for turn in turns if turn.text]

    def _clean(self, text: str) -> str:
        if not self._plain:
            longest = 10 * len(text) + _ROOM
            for old, new in self.fields.replace.items():
                text = text.replace(old, new)
                if len(text) > longest:
                    raise Missing("too_large", "the card's `replace` makes the text ten times as long")
            if self.fields.mojibake and not text.isascii():
                text = unmojibake(text, self.fields.mojibake)
            if self.fields.unescape:
                text = unescape_r(text)
            if self.fields.html:
                text = html_to_text(text)
            if self.fields.detokenize:
                text = detokenize(text)
        return text.strip()


class _ColumnTurn:
    """A :class:`ColumnTurn` with the getters of its fields."""

    def __init__(self, spec: ColumnTurn) -> None:
        self.spec = spec
        self.text = _template(spec.text)
        self.author = _path(spec.author) if spec.author else None
        self.labels = _named(spec.labels)
        self._who = _path(spec.role) if spec.roles and isinstance(spec.role, str) else None

    def role(self, row: Row, position: int) -> str:
        """The role of the turn in a row that is at ``position`` of its group."""
        named = self.spec.role
        if self._who is None:
            return named if isinstance(named, str) else named[position % len(named)]
        role = self.spec.roles.get(str(self._who(row)))
        if role is None:
            raise Missing("unknown_role", f"turns: the value of {named!r} is not in roles")
        return role


def stem(name: str) -> str:
    """``a/b/posts.jsonl.gz`` -> ``posts``."""
    return name.rsplit("/", 1)[-1].split(".", 1)[0]


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | dict)


def _list(value: Any, what: str) -> list[Any]:
    """A list of the record; empty where there is none.

    :raises Missing: it is something else.
    """
    if isinstance(value, str | dict) or (value and not _is_list(value)):
        raise Missing("wrong_type", f"{what} is not a list")
    return list(value or [])


def _replies(node: dict[str, Any], spec: TreeTurns) -> list[Any]:
    return _list(node.get(spec.children), "turn_tree: what answers a message")


def _order(rank: Any) -> tuple[int, Any]:
    """Numbers before words, and what is neither last."""
    return (0, rank) if isinstance(rank, int | float) else (1, rank) if isinstance(rank, str) else (2, 0)


def _best_path(root: Any, spec: TreeTurns) -> list[Any]:
    path: list[Any] = []
    node = root
    while isinstance(node, dict):
        path.append(node)
        replies = _replies(node, spec)
        ranks = [reply.get(spec.rank) if spec.rank and isinstance(reply, dict) else None for reply in replies]
        best = min(range(len(replies)), key=lambda i: (*_order(ranks[i]), i), default=None)
        node = None if best is None else replies[best]
    return path


def _siblings(root: Any, spec: TreeTurns) -> Iterator[tuple[str, list[Any]]]:
    """Ranked replies of the wanted role, two or more to one message: where that is in the tree, and the way there with them.

    One way is held at a time, so memory does not grow with the number of replies; nor does the stack with their depth.
    """
    role, rank = _path(spec.role or ""), _path(spec.rank or "")
    held: list[tuple[str, list[Any]]] = [("0", [root])] if isinstance(root, dict) else []
    while held:
        place, way = held.pop()
        if len(way) > _WAY:
            raise Missing("too_large", f"a reply is more than {_WAY:,} levels deep")
        replies = [reply for reply in _replies(way[-1], spec) if isinstance(reply, dict)]
        ranked = [
            reply
            for reply in replies
            if rank(reply) is not None and spec.roles.get(str(role(reply)), role(reply)) == spec.siblings
        ]
        if len(ranked) >= 2:
            yield place, [*way, *ranked]
        held.extend((f"{place}.{n}", [*way, reply]) for n, reply in reversed(list(enumerate(replies))))


def _look_back(turns: list[Turn], label: str, role: str) -> None:
    """Give the turns of ``role`` the label of the turn of somebody else that judged them next."""
    judged: list[Turn] = []
    for turn in turns:
        if turn.role == role:
            judged.append(turn)
        elif label in turn.labels:
            for before in judged:
                before.labels.setdefault(label, turn.labels[label])
            judged = []


def _path(name: str) -> Getter:
    """A getter for a column or a dotted path; a column with dots in its own name is found first."""
    if "." not in name:
        # A row may be a list, where its items are the turns; it has no fields.
        return lambda row: row.get(name) if type(row) is dict else None
    parts = name.split(".")

    def get(row: Row) -> Any:
        if name in row:
            return row[name]
        value: Any = row
        for part in parts:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.lstrip("-").isdigit() and -len(value) <= int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    return get


def _template(text: str) -> Callable[[Row], str]:
    """A getter for the text of a field or template. Parts that are missing leave no trace."""
    names = _PLACE.findall(text)
    if not names:
        get = _path(text)

        def field(row: Row) -> str:
            return _as_text(get(row), text)

        return field
    # Literal text between two parts is written only if both sides have something, so a lone body has no empty title above it.
    pieces = _PLACE.split(text)
    getters = [_path(name) for name in names]
    literals = pieces[::2]

    def fill(row: Row) -> str:
        out = ""
        for literal, get, name in zip(literals, getters, names, strict=False):
            value = _as_text(get(row), name).strip()
            if value:
                out += (literal if out or literal.strip() else "") + value
        return out + (literals[-1] if out else "")

    return fill


def _as_text(value: Any, name: str) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n\n".join(value)
    if isinstance(value, int | float):
        return str(value)
    raise Missing("wrong_type", f"field {name!r} is {type(value).__name__}, not text")


def _named(fields: list[str] | dict[str, str]) -> list[tuple[str, Getter]]:
    pairs = fields.items() if isinstance(fields, dict) else ((name, name) for name in fields)
    return [(name, (lambda row: None) if path == "_file" else _path(path)) for name, path in pairs]


def _labels(getters: list[tuple[str, Getter]], row: Row, file: str = "") -> dict[str, Any]:
    found = {}
    for name, get in getters:
        value = stem(file) if name == "_file" else get(row)
        if isinstance(value, str):
            value = value.strip()
        if isinstance(value, dict | list) and _deep(value):
            raise Missing("wrong_type", f"field {name!r} is nested more than {_DEPTH} levels deep")
        if value is not None and value not in ("", []):
            found[name] = value
    return found


def _deep(value: Any) -> bool:
    """Whether lists and objects stand inside each other deeper than what comes after can walk."""
    level = [value]
    for _ in range(_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _plain(value: Any) -> Any:
    """A Python literal as JSON has it.

    :raises ValueError: it holds bytes, or half of a character.
    """
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [_plain(item) for item in sorted(value, key=repr)]
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        value.encode("utf-8")
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError(f"a {type(value).__name__} is no JSON")


def _handle(value: Any) -> str | None:
    if value is None:
        return None
    name = str(value).strip()
    return None if name in _NOBODY else name


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float):
        return None if math.isnan(value) else value
    try:
        number = float(str(value))
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and "." not in str(value) else number


def _decode(name: str, value: str, how: str) -> Any:
    if not value.strip():
        return None
    try:
        if how == "json":
            return orjson.loads(value)
        if how == "literal":
            return _plain(ast.literal_eval(value.strip()))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise Missing("invalid_value", f"column {name!r} does not hold what the card's decode says ({how})") from None
    return [part.strip() for part in value.split(how) if part.strip()]
