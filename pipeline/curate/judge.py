"""Judging candidates: what may never be used, what may not be imitated, and how the rest ranks.

Two questions are kept apart. *Never*: harm, methods, another language, items of evaluation sets; such a candidate appears nowhere,
not even as a rejected reply. *Unfit*: a reply that must not be imitated or chosen (the crisis rule, conduct, the recipe's own rules)
but may stand on the rejected side. A reviewer's decision wins over *unfit* and over every score, never over *never*.

A conversation is judged at each of its ends: behaviours and conduct of any of its replies count, and the mean of their support.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import duckdb
import pyarrow as pa

from classifiers.conduct import SCHEMA as CONDUCT
from classifiers.scorer import SHORT_WORDS, Scorer
from classifiers.taxonomy import BEHAVIOURS, FACETS, Effort
from classifiers.windows import WHOLE
from pipeline.curate.constitution import Constitution
from pipeline.curate.recipe import Conduct, SetRecipe
from pipeline.database import files
from pipeline.tokens import Tokenizer

#: Conduct of any reply of a conversation is conduct of the conversation.
_FLAGS = [field.name for field in CONDUCT if str(field.type) == "bool" and field.name not in ("risk", "points_to_help")]


#: A prompt whose context was left out stands alone from this many words on.
_TELLING_WORDS = 25

#: Who drops a conversation drops all of it, not this end of it.
_DECISION = "CASE WHEN bool_or(d.decision = 'drop') OVER (PARTITION BY units.thread) THEN 'drop' ELSE d.decision END"


def text(value: str) -> str:
    """A SQL text."""
    return "'" + value.replace("'", "''") + "'"


def gather(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, pools: list[Path], tokenizer: Tokenizer) -> None:
    """Table ``units``: what is judged, a row a candidate. ``system`` is its system prompt, which ``tokens`` include, and ``skip`` how many
    messages at the beginning of its context are left out.
    """
    con.execute("CREATE TABLE shards (shard INTEGER, path VARCHAR)")
    con.executemany("INSERT INTO shards VALUES (?, ?)", [[i, str(path)] for i, path in enumerate(pools)])
    con.execute(f"""
        CREATE VIEW candidates AS
        SELECT s.shard, p.* EXCLUDE (filename) REPLACE ({_systems(recipe)} AS system) FROM read_parquet({files(pools)}, filename = true) p
        JOIN shards s ON s.path = p.filename
    """)
    con.execute(f"CREATE TABLE units AS {_units(recipe)}")
    _count_systems(con, tokenizer)


def _systems(recipe: SetRecipe) -> str:
    """The system prompt of an example. The recipe's word on a source goes before what the conversation or its card says, and that
    before the recipe's default, of which the prompt's hash chooses one: replies to one prompt have one system prompt.
    """
    cases = [
        f"WHEN source = {text(name)} THEN {text(take.system)}" for name, take in recipe.sources.items() if take.system
    ]
    default = "NULL"
    if recipe.system:
        prompts = [recipe.system] if isinstance(recipe.system, str) else recipe.system
        chosen = f"('0x' || left(prompt_id, 8))::UBIGINT % {len(prompts)}"
        default = f"list_extract([{', '.join(map(text, prompts))}], ({chosen})::INTEGER + 1)"
    return f"CASE {' '.join(cases)} ELSE coalesce(system, {default}) END" if cases else f"coalesce(system, {default})"


def _count_systems(con: duckdb.DuckDBPyConnection, tokenizer: Tokenizer) -> None:
    """System prompts count, too: few different ones, each counted once."""
    prompts = con.sql("SELECT DISTINCT system FROM units WHERE system IS NOT NULL").to_arrow_table()
    counts = pa.table(
        {"system": prompts["system"], "n": tokenizer.count(prompts["system"].combine_chunks()).astype("int32")}
    )
    con.register("system_tokens", counts)
    con.execute("UPDATE units SET tokens = tokens + n FROM system_tokens WHERE units.system = system_tokens.system")
    con.unregister("system_tokens")


def judge(
    con: duckdb.DuckDBPyConnection,
    recipe: SetRecipe,
    constitution: Constitution,
    benchmarks: list[str],
    decisions: dict[str, str],
) -> None:
    """Tables ``judged``: the units with ``never``, ``unfit`` and ``principles``; and ``ranked``: the ``quality`` of those that are fit.

    :param benchmarks: names behind the bits of the column ``contamination``.
    :param decisions: candidate id -> keep or drop, as reviewers decided.
    """
    con.execute("CREATE TABLE decided (id VARCHAR, decision VARCHAR)")
    if decisions:
        con.executemany("INSERT INTO decided VALUES (?, ?)", [list(item) for item in decisions.items()])
    con.execute(f"""
        CREATE TABLE judged AS
        WITH tagged AS (
            SELECT units.*, {_DECISION if recipe.unit == "conversation" else "d.decision"} AS decision,
                   {_never(recipe, benchmarks)} AS never, {constitution.sql()} AS principles
            FROM units LEFT JOIN decided d USING (id)
        )
        SELECT *, CASE WHEN decision = 'keep' THEN NULL WHEN decision = 'drop' THEN 'review' ELSE {_unfit(recipe)} END AS unfit
        FROM tagged
    """)
    con.execute(f"""
        CREATE TABLE ranked AS
        SELECT shard, row, id, {_quality(recipe)} AS quality FROM judged WHERE never IS NULL AND unfit IS NULL
    """)


def _units(recipe: SetRecipe) -> str:
    """What is judged: replies, or conversations up to each of their replies.

    A trainer learns from every assistant's turn of ``messages``. So where a reply is the unit, the context of an example to imitate
    begins after the last earlier reply that must not be imitated; what was said before that is left out.
    """
    if recipe.task == "preference":
        return "SELECT *, 0 AS skip FROM candidates"
    if recipe.unit == "conversation":
        columns = ["avg(support) OVER so_far AS support"]
        columns += [f"bool_or({name}) OVER so_far AS {name}" for name in _FLAGS]
        most = ["harm", "reply_safety_harm", "prompt_safety_harm"]
        most += [f"behaviour_{name}" for name in BEHAVIOURS] + [f"facet_{name}" for name in FACETS]
        columns += [f"max({name}) OVER so_far AS {name}" for name in most]
        window = "WINDOW so_far AS (PARTITION BY thread ORDER BY turn)"
        return f"SELECT * REPLACE ({', '.join(columns)}), 0 AS skip FROM candidates {window}"
    bad = "coalesce(gives_method, false)"
    bad += "".join(f" OR (coalesce({name}, false) AND {_asked(recipe, name)})" for name in get_args(Conduct))
    bad += f" OR coalesce({_harmful(recipe.filters.harm, recipe.effort)}, false)"
    return f"""
        WITH told AS (
            SELECT *, max(CASE WHEN {bad} THEN turn END) OVER before AS bad_turn,
                   last_value(CASE WHEN {bad} THEN tokens END IGNORE NULLS) OVER before AS bad_tokens
            FROM candidates
            WINDOW before AS (PARTITION BY thread ORDER BY turn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )
        -- roles alternate from the user's first turn on: reply number n is message 2n + 1
        SELECT * EXCLUDE (bad_turn, bad_tokens) REPLACE (
                   tokens - coalesce(bad_tokens, 0) AS tokens,
                   turns - coalesce(2 * (bad_turn + 1), 0) AS turns,
                   -- who was pointed to help in what is left out was, for a reader, not pointed there
                   helped_before AND bad_turn IS NULL AS helped_before),
               coalesce(2 * (bad_turn + 1), 0) AS skip
        FROM told
    """


def _never(recipe: SetRecipe, benchmarks: list[str]) -> str:
    filters = recipe.filters
    languages = ", ".join(map(text, filters.languages))
    cases = [
        f"WHEN language NOT IN ({languages}) THEN 'language'",
        # asked of both sides: nothing that gives a method appears anywhere
        "WHEN gives_method THEN 'gives_method'",
        f"WHEN {_harmful(filters.harm, recipe.effort)} THEN 'harm_in_reply'",
        f"WHEN prompt_safety_harm >= {filters.prompt_harm!r} THEN 'harm_in_prompt'",
        "WHEN reply_safety_harm IS NULL OR prompt_safety_harm IS NULL THEN 'unscored'",
    ]
    cases += [
        f"WHEN (contamination >> {bit}) & 1 = 1 THEN {text('contaminated_' + name)}"
        for bit, name in enumerate(benchmarks)
    ]
    cases += [
        f"WHEN source = {text(name)} AND NOT coalesce(({take.where}\n), false) THEN 'not_wanted'"
        for name, take in recipe.sources.items()
        if take.where
    ]
    cases.append(f"WHEN tokens > {recipe.lengths.tokens} THEN 'too_long'")
    cases.append(f"WHEN turns >= {recipe.lengths.turns} THEN 'too_many_turns'")
    return f"CASE {' '.join(cases)} END"


def _asked(recipe: SetRecipe, conduct: str) -> str:
    """SQL: whether a source's replies must not show this conduct."""
    default = conduct in recipe.filters.conduct
    other = [
        text(name)
        for name, take in recipe.sources.items()
        if take.conduct is not None and (conduct in take.conduct) != default
    ]
    if not other:
        return str(default).lower()
    return f"source {'NOT ' if default else ''}IN ({', '.join(other)})"


def _harmful(cut: float | None, effort: Effort) -> str:
    if cut is not None:
        return f"reply_safety_harm >= {cut!r}"
    cuts = Scorer.load(effort=effort).thresholds
    return (
        f"reply_safety_harm >= CASE WHEN reply_words < {SHORT_WORDS} THEN {cuts['safety_harm_short']!r}"
        f" WHEN strlen(reply) > {WHOLE} THEN {cuts['safety_harm_long']!r} ELSE {cuts['safety_harm']!r} END"
    )


def _unfit(recipe: SetRecipe) -> str:
    filters, lengths = recipe.filters, recipe.lengths
    cases = [
        # The crisis rule: who may be at acute risk is pointed to help, and not sent away.
        "WHEN risk AND NOT (points_to_help OR helped_before) THEN 'crisis_no_help'",
        "WHEN risk AND abandons THEN 'crisis_abandons'",
        f"WHEN reply_words < {lengths.reply_words[0]} THEN 'reply_short'",
        f"WHEN reply_words > {lengths.reply_words[1]} THEN 'reply_long'",
        f"WHEN prompt_words < {lengths.prompt_words[0]} THEN 'prompt_short'",
        f"WHEN prompt_words > {lengths.prompt_words[1]} THEN 'prompt_long'",
        f"WHEN placeholders > {filters.placeholders} THEN 'placeholders'",
        # what is left of the conversation must still tell what it is about
        f"WHEN skip > 0 AND turns < 3 AND prompt_words < {_TELLING_WORDS} THEN 'context_cut'",
    ]
    cases += [f"WHEN {name} AND {_asked(recipe, name)} THEN '{name}'" for name in get_args(Conduct)]
    cases += [f"WHEN ({rule.where}\n) THEN {text(rule.reason)}" for rule in filters.drop]
    return f"CASE {' '.join(cases)} END"


def _quality(recipe: SetRecipe) -> str:
    """Weighted mean of percentiles, 0-1; one a reviewer kept comes first."""
    parts = []
    for measure, weight in recipe.order.items():
        value = f"({measure}\n)"
        share = f"CASE WHEN {value} IS NULL THEN 0.5 ELSE percent_rank() OVER (PARTITION BY {value} IS NULL ORDER BY {value}) END"
        parts.append(f"{weight!r} * ({share})")
    total = sum(recipe.order.values())
    return f"CASE WHEN decision = 'keep' THEN 2.0 ELSE ({' + '.join(parts)}) / {total!r} END"
