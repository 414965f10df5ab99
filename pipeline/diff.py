"""What came, went and changed between two outputs: rows by id, and what made them so (recipe, licences, thresholds, versions).

Rows are compared in DuckDB: each side is hashed as it is read, the two are joined by id, and only counts and a few ids come back, so
memory is bounded however many rows there are. Outputs are mixes or sets; a staged publication folder serves as well.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
from rich.markup import escape
from rich.table import Table

from pipeline.console import console
from pipeline.database import connect, files
from pipeline.output import read_manifest
from pipeline.store import DamagedError
from sources.errors import UserError, wants_messages

#: What a row says; its other columns say things about it. A row has those of its format.
CONTENT = ("text", "messages", "prompt", "completion", "chosen", "rejected", "label", "conversations")

#: Files whose rows can be read back by id. A mix's other formats hold the same documents as token ids or in a library's own container.
_READABLE = (".parquet", ".jsonl", ".jsonl.zst", ".jsonl.gz")

#: Facts of a source that say what may be done with it; a change of one is worth a line of its own.
TERMS = (
    "license",
    "license_note",
    "attribution",
    "share_alike",
    "allows",
    "consent",
    "consent_note",
    "sensitivity",
    "takedown",
)

#: Facts of a source that follow from the rows, which are compared themselves.
_COUNTS = ("files", "documents", "examples", "tokens", "target", "achieved")

#: What a publication's manifest has without the folders of the machine it was made on.
_SCRUBBED = ("recipe", "sources", "thresholds", "versions")

#: Ids shown of each kind of change.
EXAMPLES = 3


@dataclass(frozen=True)
class Change:
    """A value that differs; None where one side has none.

    :param path: dotted path of it.
    """

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Rows:
    """Rows of one format and source with one fate.

    :param fate: ``added``, ``removed``, ``changed`` (other content under the same id), ``relabelled`` (same content, another value in
        some other column) or ``kept``.
    :param moved: splits the rows went from and to, where those differ.
    :param relicensed: how many of them carry another licence than before.
    :param tokens: of B's rows; of A's where B has none.
    :param ids: a few of them, none for what was kept.
    """

    format: str
    source: str
    fate: str
    moved: tuple[str, str] | None
    rows: int
    tokens: int
    relicensed: int
    ids: tuple[str, ...]


FATES = ("added", "removed", "changed", "relabelled", "kept")


@dataclass(frozen=True)
class Diff:
    """What differs between output A and output B.

    :param kind: ``mix`` or ``set``.
    :param rows: what became of the rows; of mixes one row a copy of a document.
    :param totals: rows and tokens, as the manifests count them.
    :param sources: facts of sources on both sides that differ, counts left out, by source.
    :param warnings: what a person should look at before the two are used together.
    :param notes: what could not be compared, and why.
    """

    a: Path
    b: Path
    kind: str
    rows: list[Rows]
    totals: list[Change]
    recipe: list[Change]
    sources_added: list[str]
    sources_removed: list[str]
    sources: dict[str, list[Change]]
    thresholds: list[Change]
    versions: list[Change]
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether the two hold the same rows in the same splits, for the same reasons."""
        moved = any(rows.fate != "kept" or rows.moved for rows in self.rows)
        facts = (self.recipe, self.sources_added, self.sources_removed, self.sources, self.thresholds, self.versions)
        return not moved and not self.totals and not any(facts)

    def count(self, *fates: str) -> int:
        """Rows with one of these fates."""
        return sum(rows.rows for rows in self.rows if rows.fate in fates)

    def moves(self) -> dict[tuple[str, str], int]:
        """Rows by the splits they went from and to."""
        found: dict[tuple[str, str], int] = {}
        for rows in self.rows:
            if rows.moved:
                found[rows.moved] = found.get(rows.moved, 0) + rows.rows
        return found

    def summary(self) -> dict[str, Any]:
        """All of it as plain values, for ``--json``."""
        by_source: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        examples: dict[str, list[str]] = {}
        for rows in self.rows:
            line = by_source.setdefault(rows.format, {}).setdefault(rows.source, {})
            cell = line.setdefault(rows.fate, {"rows": 0, "tokens": 0})
            cell["rows"] += rows.rows
            cell["tokens"] += rows.tokens
            if rows.ids:
                name = rows.fate if rows.fate != "kept" else "moved"
                examples[name] = sorted({*examples.get(name, []), *rows.ids})[:EXAMPLES]
        return {
            "a": str(self.a),
            "b": str(self.b),
            "kind": self.kind,
            "same": self.same,
            "rows": {fate: self.count(fate) for fate in FATES},
            "by_format_and_source": by_source,
            "moved": [{"from": old, "to": new, "rows": n} for (old, new), n in sorted(self.moves().items())],
            "relicensed": sum(rows.relicensed for rows in self.rows),
            "examples": examples,
            "totals": _plain(self.totals),
            "recipe": _plain(self.recipe),
            "sources_added": self.sources_added,
            "sources_removed": self.sources_removed,
            "sources": {name: _plain(changes) for name, changes in self.sources.items()},
            "licences": [
                {"source": name, "old": change.old, "new": change.new}
                for name, changes in self.sources.items()
                for change in changes
                if change.path == "license"
            ],
            "thresholds": _plain(self.thresholds),
            "versions": _plain(self.versions),
            "warnings": self.warnings,
            "notes": self.notes,
        }


def _plain(changes: list[Change]) -> list[dict[str, Any]]:
    return [{"path": change.path, "old": change.old, "new": change.new} for change in changes]


def diff_outputs(a: Path, b: Path, *, memory: str = "2GB") -> Diff:
    """Compare two outputs.

    :param a: the earlier one, a folder that ``wellmix mix``, ``curate`` or ``publish`` made.
    :param b: the later one, of the same kind.
    :param memory: limit of the joins; they spill to disk.
    :raises UserError: a folder is no output, one of its files is missing or cannot be read, or the kinds differ.
    :raises OSError: the disk is full.
    """
    one, two = _open(a), _open(b)
    if one.kind != two.kind:
        raise UserError(
            f"a {one.kind} and a {two.kind} cannot be compared", where=f"{a}, {b}", fix="name two outputs of one kind"
        )
    notes: list[str] = []
    rows = _compare_rows(one, two, memory, notes)
    try:
        return _compared(a, b, one, two, rows, notes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if wants_messages():
            raise
        raise UserError(
            f"a manifest holds what none should: {type(error).__name__}",
            where=f"{a}, {b}",
            fix="make the outputs again",
        ) from None


def _compared(a: Path, b: Path, one: _Output, two: _Output, rows: list[Rows], notes: list[str]) -> Diff:
    """Everything but the rows, and what follows from both."""
    if one.published != two.published:
        # A publication names no folders; with them taken out of the other, too, they are no difference.
        from pipeline.publish.folder import scrub

        one, two = (replace(side, **{name: scrub(getattr(side, name)) for name in _SCRUBBED}) for side in (one, two))
    cards = {
        name: changes
        for name in sorted(one.sources.keys() & two.sources.keys())
        if (
            changes := compare(
                *({k: v for k, v in side.sources[name].items() if k not in _COUNTS} for side in (one, two))
            )
        )
    }
    diff = Diff(
        a=a,
        b=b,
        kind=one.kind,
        rows=rows,
        totals=compare(one.totals, two.totals),
        recipe=compare(one.recipe, two.recipe),
        sources_added=sorted(two.sources.keys() - one.sources.keys()),
        sources_removed=sorted(one.sources.keys() - two.sources.keys()),
        sources=cards,
        thresholds=compare(one.thresholds, two.thresholds),
        versions=compare(one.versions, two.versions),
        notes=notes,
    )
    _warn(diff)
    return diff


def _warn(diff: Diff) -> None:
    for (old, new), n in sorted(diff.moves().items()):
        ids = next(rows.ids for rows in diff.rows if rows.moved == (old, new))
        meaning = {
            (
                "train",
                "validation",
            ): "what was trained on A has seen them, and will look better on B's validation than it is",
            ("validation", "train"): "results on A's validation do not hold for what is trained on B",
        }.get((old, new), "they are now in another split")
        diff.warnings.append(f"{n:,} rows went from {old} to {new} (such as {ids[0]}): {meaning}")
    for name, changes in diff.sources.items():
        for change in changes:
            if change.path in ("license", "consent", "sensitivity"):
                label = "licence" if change.path == "license" else change.path
                diff.warnings.append(f"the {label} of {name} changed: {_show(change.old)} is now {_show(change.new)}")
            elif change.path == "allows":
                lost = sorted(set(change.old or []) - set(change.new or []))
                if lost:
                    diff.warnings.append(f"{name} no longer allows {', '.join(lost)}")
    relicensed = sum(rows.relicensed for rows in diff.rows)
    if relicensed:
        diff.warnings.append(f"{relicensed:,} rows carry another licence than before")
    for change in diff.recipe:
        if change.path == "tokenizer":
            diff.notes.append(f"tokens of A are counted by {change.old}, of B by {change.new}: they are not comparable")


# -- values --------------------------------------------------------------------------------------------------------------------------


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Values that differ between two nested mappings, by dotted path, in the order of the paths' first appearance.

    Lists of mappings that all have a ``name`` or an ``id`` are compared by it, so that one more group is one change and not a change of
    every group after it; other lists are compared whole. A value of None is the same as none.
    """
    one, two = dict(_leaves(old)), dict(_leaves(new))
    return [
        Change(path, one.get(path), two.get(path))
        for path in dict.fromkeys([*one, *two])
        # True is 1 to Python, not to a person
        if one.get(path) != two.get(path) or isinstance(one.get(path), bool) != isinstance(two.get(path), bool)
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for key in ("name", "id"):
            names = [item.get(key) for item in value]
            if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
                value = dict(zip(names, value, strict=True))
                break
        else:
            value = {str(i): item for i, item in enumerate(value)}
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif value not in ({}, []):
        yield path, value


# -- outputs -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """Files of one format and split: Parquet, or lines of JSON."""

    format: str
    split: str
    paths: list[Path]

    @property
    def lines(self) -> bool:
        return self.paths[0].suffix != ".parquet"


@dataclass(frozen=True)
class _Output:
    folder: Path
    kind: str
    published: bool
    parts: list[_Part]
    totals: dict[str, Any]
    recipe: dict[str, Any]
    sources: dict[str, dict[str, Any]]
    thresholds: dict[str, Any]
    versions: dict[str, Any]


def _open(folder: Path) -> _Output:
    if not folder.is_dir():
        raise UserError(
            "there is no such folder",
            where=folder,
            fix="name the output folder of a mix or a set, such as shards/sample",
        )
    manifest, published = read_manifest(folder), None
    if manifest is None:
        published = _provenance(folder)
        if published is None:
            raise UserError(
                "this is not the output of a mix or a set, nor a publication of one: it has no manifest.json and no provenance.json",
                where=folder,
                fix="name a folder such as shards/sample",
            )
        manifest = published["manifest"]
    try:
        kind = manifest.get("kind", "mix")
        if published is None:
            entries = [(entry["format"], entry["split"], folder / entry["path"]) for entry in manifest["files"]]
        else:
            entries = [
                ("parquet" if kind == "mix" else entry["config"], entry["split"], folder / entry["path"])
                for entry in published["files"]
            ]
        output = _Output(
            folder=folder,
            kind=kind,
            published=published is not None,
            parts=_parts(entries),
            totals={
                "splits": manifest["splits"],
                **{k: manifest[k] for k in ("documents", "examples", "tokens", "formats") if k in manifest},
            },
            recipe=manifest["recipe"],
            sources=manifest["sources"],
            thresholds=manifest.get("thresholds") or {},
            versions=manifest["versions"] | {k: manifest[k] for k in ("constitution",) if manifest.get(k)},
        )
    except (KeyError, TypeError, AttributeError) as error:
        name = "manifest.json" if published is None else "provenance.json"
        raise UserError(
            f"its manifest is incomplete: {error}", where=folder / name, fix="make the output again"
        ) from None
    return output


def _provenance(folder: Path) -> dict[str, Any] | None:
    """What a publication says of itself; the manifest of the output it was made of is in it."""
    try:
        found = json.loads((folder / "provenance.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("manifest"), dict) and "files" in found else None


def _parts(entries: list[tuple[str, str, Path]]) -> list[_Part]:
    """Files by format and split, those that are there to be read: where the same rows are in Parquet and in lines, Parquet."""
    parts = []
    for (name, split), group in groupby(sorted(entries), key=lambda entry: entry[:2]):
        paths = [path for _, _, path in group]
        if missing := next((path for path in paths if not path.is_file()), None):
            raise UserError("a file of the output is missing", where=missing, fix="make the output again")
        readable = [path for path in paths if path.name.endswith(_READABLE)]
        parquet = [path for path in readable if path.suffix == ".parquet"]
        if readable:
            parts.append(_Part(name, split, parquet or readable))
    return parts


# -- rows ----------------------------------------------------------------------------------------------------------------------------


def _compare_rows(one: _Output, two: _Output, memory: str, notes: list[str]) -> list[Rows]:
    names = _formats(one, two, notes)
    found: list[Rows] = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix="wellmix-diff-") as scratch,
            connect(Path(scratch), memory, os.cpu_count() or 1) as con,
        ):
            for name in names:
                sides = [[part for part in output.parts if part.format == name] for output in (one, two)]
                found += _compare_format(con, name, sides[0], sides[1], notes)
    except duckdb.Error as error:
        raise UserError(
            f"the rows cannot be read: {str(error).splitlines()[0]}",
            where=f"{one.folder}, {two.folder}",
            fix="make the outputs again",
        ) from None
    except DamagedError as error:
        raise UserError("a file cannot be read", where=error.where, fix="make the output again") from None
    except UserError as error:
        if error.where != "memory":
            raise
        raise UserError(f"{memory} of memory is too little for this comparison", fix="give it more") from None
    return found


def _formats(one: _Output, two: _Output, notes: list[str]) -> list[str]:
    """Formats whose rows are compared: of a mix, whose formats all hold the same documents, one; of a set all."""
    have = [{part.format for part in output.parts} for output in (one, two)]
    if one.kind == "mix":
        for name in ("parquet", "jsonl"):
            if name in have[0] and name in have[1]:
                return [name]
        notes.append("rows are not compared: that needs parquet or jsonl in the `shards.formats` of both mixes")
        return []
    for letter, mine, other in (("A", have[0], have[1]), ("B", have[1], have[0])):
        if only := sorted(mine - other):
            notes.append(f"only {letter} has the format{'s' if len(only) > 1 else ''} {', '.join(only)}")
    return sorted(have[0] | have[1])


def _compare_format(
    con: duckdb.DuckDBPyConnection, name: str, one: list[_Part], two: list[_Part], notes: list[str]
) -> list[Rows]:
    if one and two and one[0].lines != two[0].lines:
        notes.append(f"{name}: rows are not compared, Parquet on one side and lines of JSON on the other")
        return []
    types = [_types(con, parts) for parts in (one, two)]
    # What both have, and the type to compare it in where theirs differ: B's.
    columns: dict[str, str | None] = dict.fromkeys(types[0] if one else types[1])
    if one and two:
        columns = {column: types[1][column] for column in types[0] if column in types[1]}
        columns = {column: kind if kind != types[0][column] else None for column, kind in columns.items()}
        for letter, mine, other in (("A", types[0], types[1]), ("B", types[1], types[0])):
            if only := sorted(mine.keys() - other.keys()):
                notes.append(
                    f"{name}: only {letter} has the column{'s' if len(only) > 1 else ''} {', '.join(only)}, not compared"
                )
    for place, (table, parts) in enumerate((("a", one), ("b", two))):
        if parts and "id" not in types[place]:
            raise UserError("its rows have no id", where=parts[0].paths[0], fix="compare outputs that wellmix made")
        con.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {_side(parts, columns)}")
    totals = [con.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in "ab"]
    found = _join(con, name, "a", "b")
    joined = [sum(rows.rows for rows in found if rows.fate != other) for other in ("added", "removed")]
    if joined != totals:
        # An id that stands twice on one side would be paired with each of the other's: number them.
        for table in "ab":
            con.execute(
                f"CREATE OR REPLACE TEMP VIEW {table}_numbered AS SELECT * REPLACE "
                f"(copy + row_number() OVER (PARTITION BY id, copy ORDER BY split, content, other) * 65536 AS copy) FROM {table}"
            )
        found = _join(con, name, "a_numbered", "b_numbered")
    return found


def _types(con: duckdb.DuckDBPyConnection, parts: list[_Part]) -> dict[str, str]:
    if not parts:
        return {}
    if parts[0].lines:
        return dict.fromkeys(("id", "epoch", "source", "license", "tokens", *_content(parts[0]), "line"), "JSON")
    paths = [path for part in parts for path in part.paths]
    described = con.sql(f"DESCRIBE SELECT * FROM read_parquet({files(paths)}, union_by_name = true)").fetchall()
    return {row[0]: row[1] for row in described}


def _side(parts: list[_Part], columns: dict[str, str | None]) -> str:
    """A query for one side's rows: what they are called, and hashes of what they say.

    :param columns: to compare, and the types to bring them to.
    """
    if not parts:
        return (
            "SELECT NULL::UUID AS id, 0::BIGINT AS copy, '' AS split, '' AS source, '' AS license, 0::BIGINT AS tokens, "
            "0::UBIGINT AS content, 0::UBIGINT AS other WHERE false"
        )

    def value(column: str) -> str:
        quoted = '"' + column.replace('"', '""') + '"'
        return f"TRY_CAST({quoted} AS {columns[column]})" if columns[column] else quoted

    def hashed(names: list[str]) -> str:
        return f"hash({', '.join(value(name) for name in names)})" if names else "0::UBIGINT"

    content = [name for name in columns if name in CONTENT]
    other = [name for name in columns if name not in (*CONTENT, "id", "epoch")]
    selects = []
    for part in parts:
        split = "'" + part.split.replace("'", "''") + "'"
        selects.append(
            # 16 bytes an id, however it is written; an id that is no number is known by its digest
            "SELECT coalesce(TRY_CAST(id AS UUID), md5(id::VARCHAR)::UUID) AS id, "
            f"{'coalesce(epoch::BIGINT, 0)' if 'epoch' in columns else '0::BIGINT'} AS copy, {split} AS split, "
            f"{_text('source', columns)} AS source, {_text('license', columns)} AS license, "
            f"{'coalesce(tokens::BIGINT, 0)' if 'tokens' in columns else '0::BIGINT'} AS tokens, "
            f"{hashed(content)} AS content, {hashed(other)} AS other FROM {_read(part)}"
        )
    return " UNION ALL ".join(selects)


def _text(column: str, columns: dict[str, str | None]) -> str:
    return f"coalesce({column}::VARCHAR, '')" if column in columns else "''"


def _read(part: _Part) -> str:
    if not part.lines:
        return f"read_parquet({files(part.paths)}, union_by_name = true)"
    # Whole lines, picked apart here: types inferred from the first lines of one side need not be those of the other.
    picked = ", ".join(
        f"json->>'$.{name}' AS {name}" for name in ("id", "epoch", "source", "license", "tokens", *_content(part))
    )
    return f"(SELECT {picked}, json::VARCHAR AS line FROM read_ndjson_objects({files(part.paths)}))"


def _content(part: _Part) -> tuple[str, ...]:
    return ("text",) if part.format == "jsonl" else CONTENT


def _join(con: duckdb.DuckDBPyConnection, name: str, one: str, two: str) -> list[Rows]:
    rows = con.execute(
        f"""
        SELECT
            coalesce(b.source, a.source) AS source,
            CASE WHEN a.id IS NULL THEN 'added' WHEN b.id IS NULL THEN 'removed' WHEN a.content <> b.content THEN 'changed'
                WHEN a.other <> b.other THEN 'relabelled' ELSE 'kept' END AS fate,
            CASE WHEN a.split <> b.split THEN a.split END AS moved_from,
            CASE WHEN a.split <> b.split THEN b.split END AS moved_to,
            count(*),
            sum(coalesce(b.tokens, a.tokens))::BIGINT,
            count(*) FILTER (WHERE a.license <> b.license),
            min(coalesce(a.id, b.id), {EXAMPLES})
        FROM {one} a FULL OUTER JOIN {two} b ON a.id = b.id AND a.copy = b.copy
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    return [
        Rows(
            format=name,
            source=source,
            fate=fate,
            moved=(old, new) if old is not None else None,
            rows=n,
            tokens=tokens,
            relicensed=relicensed,
            ids=() if fate == "kept" and old is None else tuple(id_.hex for id_ in ids),
        )
        for source, fate, old, new, n, tokens, relicensed, ids in rows
    ]


# -- for people ----------------------------------------------------------------------------------------------------------------------


def print_diff(diff: Diff) -> None:
    """The differences as tables, what matters most last."""
    console.print(
        f"[bold]A[/] {escape(str(diff.a))}\n[bold]B[/] {escape(str(diff.b))}", highlight=False, soft_wrap=True
    )
    if diff.same:
        console.print(f"\nthe two hold the same {diff.count('kept'):,} rows, made in the same way")
    else:
        _print_rows(diff)
    _print_changes("totals", diff.totals)
    _print_changes("recipe", diff.recipe)
    for title, names in (("sources that came", diff.sources_added), ("sources that went", diff.sources_removed)):
        if names:
            console.print(f"\n{title}: {escape(', '.join(names))}", soft_wrap=True)
    _print_changes(
        "sources", [Change(f"{name}.{c.path}", c.old, c.new) for name, changes in diff.sources.items() for c in changes]
    )
    _print_changes("thresholds", diff.thresholds)
    _print_changes("versions", diff.versions)
    for note in diff.notes:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True, highlight=False)
    for warning in diff.warnings:
        console.print(f"[bold yellow]warning:[/] {escape(warning)}", soft_wrap=True, highlight=False)


def _print_rows(diff: Diff) -> None:
    if not diff.rows:
        return
    # formats of a set often hold the same examples, laid out in another way: those are one table
    tables: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    ordered = sorted(diff.rows, key=lambda rows: (rows.format, rows.source))
    for name, group in groupby(ordered, key=lambda rows: rows.format):
        lines = tuple(_cells(source, list(found)) for source, found in groupby(group, key=lambda rows: rows.source))
        tables.setdefault(lines, []).append(name)
    unit = "copies of documents" if diff.kind == "mix" else "examples"
    for lines, names in tables.items():
        table = Table(title=f"\n{escape(', '.join(names))}: {unit}", title_justify="left", box=None, pad_edge=False)
        table.add_column("source")
        for heading in (*FATES, "moved", "tokens + / -"):
            table.add_column(heading, justify="right")
        for cells in lines:
            table.add_row(*map(escape, cells))
        console.print(table)


def _cells(source: str, lines: list[Rows]) -> tuple[str, ...]:
    """A source's line of the table."""
    counts = [sum(rows.rows for rows in lines if rows.fate == fate) for fate in FATES]
    counts.append(sum(rows.rows for rows in lines if rows.moved))
    came, went = (sum(rows.tokens for rows in lines if rows.fate == fate) for fate in ("added", "removed"))
    tokens = f"+{came:,} / -{went:,}" if came or went else "-"
    return (source or "-", *(f"{count:,}" if count else "-" for count in counts), tokens)


def _print_changes(title: str, changes: list[Change]) -> None:
    if not changes:
        return
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("A", overflow="fold")
    table.add_column("B", overflow="fold")
    for change in changes:
        table.add_row(escape(change.path), escape(_show(change.old)), escape(_show(change.new)))
    console.print(table)


def _show(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
