"""What is in the rows that are published, counted on the published files themselves."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipeline.database import connect, files
from pipeline.publish.rewrite import DataFile

_MEMORY = "1GB"


@dataclass(frozen=True)
class Work:
    """One distinct work: a source's file, with the licence of its rows.

    :param rows: in all configs and splits together.
    """

    source: str
    license: str
    work: str
    rows: int


@dataclass
class Tally:
    """Counts of a publication.

    :param rows: (config, split, source) -> rows.
    :param tokens: (config, split, source) -> tokens, copies counted.
    :param distinct: config -> rows with different ids.
    :param works: every distinct work.
    :param languages: language -> rows of the default config; empty where rows have none.
    :param flags: what the default config holds of sensitive text: ``disclosure``, ``risk``, ``simulated``; only what its columns tell.
    :param values: column -> value -> rows, of the default config: author_kind, why, behaviours, principles, situation; and the system
        prompts its conversations begin with, as ``system``.
    """

    rows: dict[tuple[str, str, str], int] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], int] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)
    works: list[Work] = field(default_factory=list)
    languages: dict[str, int] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    values: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, config: str, split: str | None = None) -> dict[str, int]:
        """Rows by source."""
        counts: dict[str, int] = defaultdict(int)
        for (name, part, source), rows in self.rows.items():
            if name == config and split in (None, part):
                counts[source] += rows
        return dict(counts)

    def tokens_of(self, config: str) -> dict[str, int]:
        """Tokens by source."""
        counts: dict[str, int] = defaultdict(int)
        for (name, _, source), tokens in self.tokens.items():
            if name == config:
                counts[source] += tokens
        return dict(counts)

    @property
    def sources(self) -> list[str]:
        """Every source that has a row."""
        return sorted({source for _, _, source in self.rows})

    @property
    def licenses(self) -> dict[str, set[str]]:
        """Source -> licences its rows name."""
        found: dict[str, set[str]] = defaultdict(set)
        for work in self.works:
            found[work.source].add(work.license)
        return dict(found)


#: What is counted where a config has the column: flag -> SQL condition.
_FLAGS = {"risk": "risk", "simulated": "simulated"}
#: column -> SQL of the values it counts in a row (a list).
_VALUES = {
    "author_kind": "[author_kind]", "why": "[why.kind]", "behaviours": "behaviours", "principles": "principles", "situation": "[situation]",
}  # fmt: skip

#: The system prompt of a conversation, by the column that begins with it.
_SYSTEM = {
    "messages": "if(messages[1].role = 'system', messages[1].content, NULL)",
    "prompt": "if(prompt[1].role = 'system', prompt[1].content, NULL)",
    "conversations": "if(conversations[1].\"from\" = 'system', conversations[1].value, NULL)",
}


def count(data: list[DataFile], root: Path, scratch: Path, disclosure: float) -> Tally:
    """Count the published rows.

    :param root: folder the paths of ``data`` are relative to.
    :param scratch: folder the database may spill to.
    :param disclosure: probability from which a text counts as a disclosure.
    """
    tally = Tally()
    configs: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in data:
        configs[file.config][file.split].append(root / file.path)
    with connect(scratch, _MEMORY, threads=1) as con:
        works: dict[tuple[str, str, str], int] = defaultdict(int)
        for position, (config, splits) in enumerate(configs.items()):
            for split, paths in splits.items():
                table = f"read_parquet({files(paths)})"
                for source, rows, tokens in con.sql(
                    f"SELECT source, count(*), sum(tokens)::BIGINT FROM {table} GROUP BY source ORDER BY source"
                ).fetchall():
                    tally.rows[config, split, source] = rows
                    tally.tokens[config, split, source] = tokens or 0
            everything = f"read_parquet({files([path for paths in splits.values() for path in paths])})"
            tally.distinct[config] = _number(con, f"SELECT count(DISTINCT id) FROM {everything}")
            for source, license_id, work, rows in con.sql(
                f"SELECT source, license, split_part(origin, '#', 1) AS work, count(*) FROM {everything} GROUP BY ALL"
            ).fetchall():
                works[source, license_id, work] += rows
            if position == 0:
                _describe(con, everything, tally, disclosure)
        tally.works = [Work(*key, rows) for key, rows in sorted(works.items())]
    return tally


def _describe(con: duckdb.DuckDBPyConnection, table: str, tally: Tally, disclosure: float) -> None:
    columns = {row[0] for row in con.sql(f"DESCRIBE SELECT * FROM {table}").fetchall()}
    if "language" in columns:
        tally.languages = dict(
            con.sql(f"SELECT language, count(*) FROM {table} GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
        )
    flags = {name: condition for name, condition in _FLAGS.items() if name in columns}
    if "safety_disclosure" in columns:
        flags["disclosure"] = f"safety_disclosure >= {disclosure}"
    for name, condition in flags.items():
        tally.flags[name] = _number(con, f"SELECT count(*) FROM {table} WHERE {condition}")
    listed = {name: values for name, values in _VALUES.items() if name in columns}
    if first := next((found for name, found in _SYSTEM.items() if name in columns), None):
        listed["system"] = f"[{first}]"
    for name, values in listed.items():
        tally.values[name] = dict(
            con.sql(
                f"SELECT value, count(*) FROM (SELECT unnest({values}) AS value FROM {table}) WHERE value IS NOT NULL "
                "GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
        )


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(con.sql(query).fetchall()[0][0])
