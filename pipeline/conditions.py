"""What an SQL condition in a recipe, a set, an ablation or a constitution may say: something about one row, and nothing else.

Recipes and constitutions are handed round, so a condition is taken for the word of a stranger. It is parsed, each part of it must be
one of those listed here, and it is tried on rows in a database that can reach no file and load no extension.
"""

from __future__ import annotations

import atexit
import difflib
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from pipeline.catalog import condition_columns
from pipeline.database import SEALED
from sources.errors import UserError

#: Longest condition, in characters, and how deep its expressions may be nested.
MAX_CHARS = 20_000
_MAX_DEPTH = 150

#: What a condition may call. A list of what is allowed and not of what is forbidden: DuckDB gains functions with every version (files,
#: settings, ``pg_sleep``), and several short words of it take any amount of memory (``repeat``, ``range``, ``lpad``, nested ``replace``).
#: None of these gives back much more than it was given, and all take time in proportion to their text: regular expressions are RE2.
FUNCTIONS = frozenset(
    """
    + - * / // % ** ^ & | ~ << >> || @ ~~ !~~ ~~* !~~* ~~~ ^@ && @> <@ -> ->> abs ceil ceiling floor round trunc sign sqrt
    cbrt exp ln log log2 log10 pow power mod fmod fdiv greatest least add subtract multiply divide isnan isinf isfinite nullif
    if xor even gcd lcm bit_count length len strlen char_length character_length octet_length lower upper lcase ucase trim
    ltrim rtrim left right substr substring reverse contains starts_with ends_with prefix suffix instr position strpos
    like_escape not_like_escape ilike_escape not_ilike_escape concat concat_ws regexp_matches regexp_full_match regexp_extract
    regexp_extract_all regexp_split_to_array str_split str_split_regex string_split string_split_regex string_to_array split
    split_part ascii unicode ord chr strip_accents nfc_normalize md5 sha256 list_value row struct_pack struct_extract
    array_extract list_extract list_element element_at array_slice list_slice array_length list_contains list_has
    array_contains array_has list_has_any list_has_all array_has_any array_has_all list_position list_indexof array_position
    array_indexof list_filter array_filter filter list_distinct array_distinct list_unique array_unique list_sort array_sort
    list_intersect array_intersect list_max list_min list_sum list_avg list_count list_first list_last list_bool_and
    list_bool_or array_to_string cardinality year month day quarter week weekday dayofweek dayofyear hour minute second epoch
    date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub date_add make_date strftime try_strptime
    strptime age to_days to_months to_years to_weeks to_hours to_minutes to_seconds json_extract json_extract_string
    json_extract_path json_extract_path_text json_value json_type json_valid json_array_length json_contains json_exists
    json_keys typeof
    """.split()  # noqa: SIM905
)
#: Kinds of expressions, as DuckDB's parser calls them.
_KINDS = frozenset(
    {
        "CONJUNCTION",
        "COMPARISON",
        "FUNCTION",
        "OPERATOR",
        "CONSTANT",
        "COLUMN_REF",
        "CAST",
        "TYPE",
        "CASE",
        "BETWEEN",
        "LAMBDA",
    }
)
_TYPES = frozenset(
    """
    boolean bool tinyint smallint integer int int1 int2 int4 int8 signed short bigint long hugeint utinyint usmallint uinteger
    ubigint real float float4 float8 double decimal numeric dec varchar text string char bpchar date time timestamp datetime
    timestamptz interval json list
    """.split()  # noqa: SIM905
)
#: ``nullif`` writes its first argument twice, so each further one around it doubles the work.
_NULLIFS = 3


def check_condition(condition: str, where: str, columns: dict[str, str] | None = None) -> None:
    """See that an SQL condition is one, over columns there are, and says nothing but something about a row.

    :param columns: name -> SQL type; default the attribute columns of documents.
    :raises UserError: it does not parse, names an unknown column, calls what it may not (:data:`FUNCTIONS`), or is no condition.
    """
    if len(condition) > MAX_CHARS:
        raise UserError(
            f"a condition of {len(condition):,} characters",
            where=where,
            fix=f"at most {MAX_CHARS:,}; several rules may follow each other",
        )
    con = _bench(tuple((condition_columns() if columns is None else columns).items())).cursor()
    try:
        statements = con.extract_statements(f"SELECT coalesce(({condition}\n), false) FROM documents")
        if len(statements) != 1:
            raise UserError("a condition is one SQL expression", where=where, fix="remove the semicolon")
        row = con.execute("SELECT json_serialize_sql(?)", [f"SELECT ({condition}\n)"]).fetchone()
        tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
        if tree.get("error"):
            raise UserError(
                f"the condition does not hold as SQL: {str(tree.get('error_message')).splitlines()[0]}",
                where=where,
                fix="`wellmix columns` lists what it can name",
            )
        _check_alone(list(tree["statements"]), where)
        # Only now: until here it was read, and not run.
        con.execute(f"SELECT * FROM documents WHERE ({condition}\n)")
    except (duckdb.Error, UnicodeError, TypeError) as error:  # duckdb says TypeError to a text that is not Unicode
        message = str(error).split("\n\n")[0].splitlines()[0] if isinstance(error, duckdb.Error) else "not Unicode text"
        raise UserError(
            f"the condition does not hold as SQL: {message}",
            where=where,
            fix="`wellmix columns` lists what it can name",
        ) from None
    finally:
        con.close()


@lru_cache(maxsize=2)
def _bench(columns: tuple[tuple[str, str], ...]) -> duckdb.DuckDBPyConnection:
    """A database with a table of these columns, to try conditions on. It can reach no file."""
    con = duckdb.connect(config={**SEALED, "threads": 1, "memory_limit": "256MB", "max_expression_depth": _MAX_DEPTH})
    con.execute(f"CREATE TABLE documents ({', '.join(f'{name} {kind}' for name, kind in columns)})")
    # Rows, so that a comparison that can never be made (tokens > 'many') is found now.
    values = ", ".join("'text'" if kind == "VARCHAR" else "300" for _, kind in columns)
    con.execute(f"INSERT INTO documents VALUES ({values})")
    con.execute("INSERT INTO documents DEFAULT VALUES")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


# A database that lives when Python ends makes DuckDB's bindings complain, on the user's terminal, of all they hold.
atexit.register(_bench.cache_clear)


def _check_alone(statements: list[dict[str, Any]], where: str) -> None:
    """A condition looks at one row: no query of its own, no name that is there only while it is checked, nothing that gives another
    answer at another time, and nothing whose cost has no bound.

    :param statements: the condition as DuckDB parses it.
    :raises UserError: it does.
    """
    select = statements[0]["node"]
    # Everything beside the one selected expression would be a query: FROM, GROUP BY, a CTE, UNION.
    for node, inside in _nodes(select["select_list"]):
        kind, names = node["class"], [str(name).lower() for name in node.get("column_names", ())]
        called = str(node.get("function_name", "")).lower()
        if kind == "SUBQUERY":
            raise UserError(
                "a condition looks at one row; this one holds a query", where=where, fix="use columns of the row only"
            )
        # none of those listed is unsteady, so DuckDB is asked of others only
        if called.startswith("current_") or (called and called not in FUNCTIONS and called in _unsteady_functions()):
            raise UserError(
                f"{called} gives another answer at another time: the same recipe would not make the same output",
                where=where,
                fix="use columns of the row only",
            )
        if kind == "FUNCTION" and called not in FUNCTIONS:
            close = difflib.get_close_matches(called, FUNCTIONS, n=1, cutoff=0.75)
            raise UserError(
                f"a condition may not call {called}",
                where=where,
                fix=f"{f'did you mean {close[0]}? ' if close else ''}recipes/README.md lists what it may call",
            )
        if kind not in _KINDS:
            raise UserError(
                f"a condition may not hold a {kind.lower().replace('_', ' ')}",
                where=where,
                fix="use columns of the row, comparisons and functions",
            )
        if kind == "TYPE" and str(node.get("type_name", "")).lower() not in _TYPES:
            raise UserError(
                f"a condition may not cast to {str(node.get('type_name', '')).lower()}",
                where=where,
                fix="cast to a number, a text, a date or a list of them",
            )
        if (kind == "LAMBDA" and "LAMBDA" in inside) or (called == "nullif" and inside.count("nullif") >= _NULLIFS):
            raise UserError(
                f"too much {'lambda' if kind == 'LAMBDA' else called} inside {'lambda' if kind == 'LAMBDA' else called}",
                where=where,
                fix="write a simpler condition",
            )
        if kind == "COLUMN_REF" and (names == ["rowid"] or names[0] == "documents" or names[0].startswith("current_")):
            raise UserError(
                f"no column is called {'.'.join(names)!r}",
                where=where,
                fix="name the column alone; `wellmix columns` lists what it can name",
            )


@lru_cache(maxsize=1)
def _unsteady_functions() -> frozenset[str]:
    with duckdb.connect() as con:
        found = con.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'")
        return frozenset(name for (name,) in found.fetchall())


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Each expression, and the lambdas and functions it stands inside of."""
    waiting: list[tuple[Any, tuple[str, ...]]] = [(tree, ())]
    while waiting:
        value, inside = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, inside) for item in reversed(value))
        elif isinstance(value, dict):
            if "class" in value:
                yield value, inside
                name = str(value.get("function_name", "")).lower()
                inside = (
                    (*inside, "LAMBDA")
                    if value["class"] == "LAMBDA"
                    else (*inside, name)
                    if name == "nullif"
                    else inside
                )
            waiting.extend((item, inside) for item in reversed(value.values()))
