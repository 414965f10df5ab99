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
from classifiers.conduct import examine
from classifiers.scorer import SHORT_WORDS, Scorer
from classifiers.taxonomy import BEHAVIOURS, FACETS, Effort
from classifiers.windows import WHOLE
from pipeline.curate.constitution import Constitution
from pipeline.curate.recipe import Conduct, SetRecipe
from pipeline.database import files, number_files, text
from pipeline.tokens import Tokenizer

#: Conduct of any reply of a conversation is conduct of the conversation.
_FLAGS = [field.name for field in CONDUCT if str(field.type) == "bool" and field.name not in ("risk", "points_to_help")]


#: A conversation that opens like this answers what is not there.
_ANSWERS = (
    r"^\s*(yes|yeah|yep|yup|no|nope|not really|thanks|thank you|true|exactly|absolutely|i agree|me too|ok|okay|sure)\b"
    r"\s*([,.!;]|$|i\b|it\b|that\b|for\b|so\b)"
)

#: A prompt whose context was left out stands alone from this many words on.
_TELLING_WORDS = 25

#: Who drops a conversation drops all of it, not this end of it.
_DECISION = "CASE WHEN bool_or(d.decision = 'drop') OVER (PARTITION BY units.thread) THEN 'drop' ELSE d.decision END"


def gather(
    con: duckdb.DuckDBPyConnection,
    recipe: SetRecipe,
    pools: list[Path],
    contexts: list[Path],
    tokenizer: Tokenizer,
    benchmarks: list[str],
) -> None:
    """View ``contexts``: what the user ``said`` in each candidate's context. Table ``units``: what is judged, a row a candidate. ``system``
    is its system prompt, which ``tokens`` include, ``skip`` how many messages at the beginning of its context are left out, and
    ``opening`` the first that is left.

    :param pools, contexts: files of each shard: its pool, and its candidates.
    :param benchmarks: names behind the bits of the column ``contamination``.
    """
    number_files(con, "sheets", contexts)
    con.execute(f"""
        CREATE VIEW contexts AS
        SELECT s.shard, f.file_row_number AS row,
               list_transform(list_filter(f.context, lambda m: m.role = 'user'), lambda m: m.content) AS said
        FROM read_parquet({files(contexts)}, file_row_number = true, filename = true) f JOIN sheets s ON s.path = f.filename
    """)
    number_files(con, "shards", pools)
    con.execute(f"""
        CREATE VIEW candidates AS
        SELECT s.shard, p.* EXCLUDE (filename) REPLACE ({_systems(recipe)} AS system) FROM read_parquet({files(pools)}, filename = true) p
        JOIN shards s ON s.path = p.filename
    """)
    con.execute(f"""
        CREATE TABLE units AS
        SELECT u.*, c.said[u.skip // 2 + 1] AS opening
        FROM ({_units(recipe, benchmarks)}) u JOIN contexts c USING (shard, row)
    """)
    _read_systems(con, tokenizer)


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


def _read_systems(con: duckdb.DuckDBPyConnection, tokenizer: Tokenizer) -> None:
    """System prompts count, and must give no method, too: few different ones, each read once."""
    prompts = con.sql("SELECT DISTINCT system FROM units WHERE system IS NOT NULL").to_arrow_table()["system"]
    prompts = prompts.combine_chunks()
    found = examine(
        prompts, pa.nulls(len(prompts), pa.string()), languages=pa.array(["en"] * len(prompts), pa.string())
    )
    counts = tokenizer.count(prompts).astype("int32")
    con.register("systems", pa.table({"system": prompts, "n": counts, "method": found["gives_method"]}))
    con.execute("""
        UPDATE units SET tokens = tokens + n, gives_method = gives_method OR method FROM systems WHERE units.system = systems.system
    """)
    con.unregister("systems")


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


def _units(recipe: SetRecipe, benchmarks: list[str]) -> str:
    """What is judged: replies, or conversations up to each of their replies.

    A trainer learns from every assistant's turn of ``messages``. So where a reply is the unit, the context of an example to imitate
    begins after the last earlier reply that must not be imitated; what was said before that is left out. A conversation has no
    such reply before its end (``spoilt``), and what is never used is in no context either (``tainted``).
    """
    past = _past(recipe, benchmarks)
    joined = "FROM candidates c JOIN past p ON p.shard = c.shard AND p.row = c.row"
    if recipe.task == "preference":
        return f"""
            {past} SELECT c.* REPLACE (p.at_risk AS risk), p.harmful, p.tainted, false AS spoilt, 0 AS skip {joined}
        """
    if recipe.unit == "conversation":
        columns = ["p.at_risk AS risk", "avg(support) OVER so_far AS support"]
        columns += [f"bool_or({name}) OVER so_far AS {name}" for name in _FLAGS]
        most = ["harm", "reply_safety_harm", "prompt_safety_harm"]
        most += [f"behaviour_{name}" for name in BEHAVIOURS] + [f"facet_{name}" for name in FACETS]
        columns += [f"max({name}) OVER so_far AS {name}" for name in most]
        return f"""
            {past} SELECT c.* REPLACE ({", ".join(columns)}), p.harmful, p.tainted, p.bad_turns IS NOT NULL AS spoilt, 0 AS skip
            {joined} WINDOW so_far AS (PARTITION BY thread ORDER BY turn)
        """
    return f"""
        {past}
        -- a reply stands at the place its context is long; the next message is the user's again
        SELECT c.* REPLACE (
                   p.at_risk AS risk,
                   c.tokens - coalesce(p.bad_tokens, 0) AS tokens,
                   c.turns - coalesce(p.bad_turns + 1, 0) AS turns,
                   -- who was pointed to help in what is left out was, for a reader, not pointed there
                   CASE WHEN p.bad_turns IS NULL THEN c.helped_before ELSE coalesce(p.help_turns > p.bad_turns, false) END
                       AS helped_before),
               p.harmful, false AS tainted, false AS spoilt, coalesce(p.bad_turns + 1, 0) AS skip
        {joined}
    """


def _past(recipe: SetRecipe, benchmarks: list[str]) -> str:
    """``WITH`` a table ``past``: what was said before each candidate. Of alternatives the conversation goes on from the first, and the
    others are in no context.

    ``at_risk``: now or before. ``bad_turns`` and ``bad_tokens``: messages and tokens before the last earlier reply that must not be
    imitated, and up to it; ``help_turns``: of the last that points to help. ``tainted``: an earlier prompt or reply may be used nowhere.
    """
    never = "coalesce(gives_method, false) OR coalesce(harmful, false)"
    never += f" OR coalesce(prompt_safety_harm >= {recipe.filters.prompt_harm!r}, false)"
    if benchmarks:
        never += " OR coalesce(contamination <> 0, false)"
    bad = "taints OR coalesce(at_risk, true) AND (NOT coalesce(points_to_help OR helped_before, false) OR coalesce(abandons, false))"
    bad += "".join(f" OR (coalesce({name}, false) AND {_asked(recipe, name)})" for name in get_args(Conduct))
    earlier = "PARTITION BY shard, document ORDER BY turns RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    return f"""
        WITH said AS (
            SELECT shard, row, source, document, turns, tokens, risk, points_to_help, helped_before, abandons,
                   {", ".join(get_args(Conduct))},
                   {_harmful(recipe.filters.harm, recipe.effort)} AS harmful, {never} AS taints,
                   turn = min(turn) OVER (PARTITION BY shard, document, turns) AS goes_on
            FROM candidates
        ), told AS (
            SELECT *, risk OR coalesce(bool_or(risk AND goes_on) OVER earlier, false) AS at_risk FROM said WINDOW earlier AS ({earlier})
        ), seen AS (
            SELECT *, goes_on AND ({bad}) AS bad FROM told
        ), past AS (
            SELECT shard, row, harmful, at_risk,
                   max(CASE WHEN bad THEN turns END) OVER earlier AS bad_turns,
                   max(CASE WHEN bad THEN tokens END) OVER earlier AS bad_tokens,
                   max(CASE WHEN goes_on AND points_to_help THEN turns END) OVER earlier AS help_turns,
                   coalesce(bool_or(goes_on AND taints) OVER earlier, false) AS tainted
            FROM seen WINDOW earlier AS ({earlier})
        )
    """


def _never(recipe: SetRecipe, benchmarks: list[str]) -> str:
    filters = recipe.filters
    languages = ", ".join(map(text, filters.languages))
    cases = [
        f"WHEN language NOT IN ({languages}) THEN 'language'",
        # asked of both sides: nothing that gives a method appears anywhere
        "WHEN gives_method THEN 'gives_method'",
        "WHEN harmful THEN 'harm_in_reply'",
        f"WHEN prompt_safety_harm >= {filters.prompt_harm!r} THEN 'harm_in_prompt'",
        "WHEN tainted THEN 'harm_in_context'",
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
    cases.append(f"WHEN turns > {recipe.lengths.turns} THEN 'too_many_turns'")
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


def only_reviewed(recipe: SetRecipe, column: str = "source") -> str:
    """SQL: the row's source is one of which only what a reviewer decided on is taken."""
    names = ", ".join(text(name) for name, take in recipe.sources.items() if take.reviewed)
    return f"{column} IN ({names})" if names else "false"


def _unfit(recipe: SetRecipe) -> str:
    filters, lengths = recipe.filters, recipe.lengths
    cases = [
        # The crisis rule: who may be at acute risk is pointed to help, and not sent away. What is not known counts against the reply.
        "WHEN coalesce(risk, true) AND NOT coalesce(points_to_help OR helped_before, false) THEN 'crisis_no_help'",
        "WHEN coalesce(risk, true) AND coalesce(abandons, true) THEN 'crisis_abandons'",
        f"WHEN reply_words < {lengths.reply_words[0]} THEN 'reply_short'",
        f"WHEN reply_words > {lengths.reply_words[1]} THEN 'reply_long'",
        f"WHEN prompt_words < {lengths.prompt_words[0]} THEN 'prompt_short'",
        f"WHEN prompt_words > {lengths.prompt_words[1]} THEN 'prompt_long'",
        f"WHEN placeholders > {filters.placeholders} THEN 'placeholders'",
        # what is left of the conversation must still tell what it is about
        f"WHEN skip > 0 AND turns < 3 AND prompt_words < {_TELLING_WORDS} THEN 'context_cut'",
        f"WHEN regexp_matches(lower(opening), {text(_ANSWERS)}) THEN 'opens_with_an_answer'",
    ]
    cases += [f"WHEN {name} AND {_asked(recipe, name)} THEN '{name}'" for name in get_args(Conduct)]
    cases.append("WHEN spoilt THEN 'earlier_reply'")
    if recipe.task == "sft":
        cases.append(f"WHEN {only_reviewed(recipe)} AND decision IS DISTINCT FROM 'keep' THEN 'not_reviewed'")
    cases += [f"WHEN ({rule.where}\n) THEN {text(rule.reason)}" for rule in filters.drop]
    return f"CASE {' '.join(cases)} END"


def _quality(recipe: SetRecipe) -> str:
    """Weighted mean of percentiles, 0-1; one a reviewer kept comes first, but where all of its source were kept by reviewers."""
    parts = []
    for measure, weight in recipe.order.items():
        # 0 / 0 is no number, and would come first
        value = f"nullif(({measure}\n)::DOUBLE, 'nan'::DOUBLE)"
        share = f"CASE WHEN {value} IS NULL THEN 0.5 ELSE percent_rank() OVER (PARTITION BY {value} IS NULL ORDER BY {value}) END"
        parts.append(f"{weight!r} * ({share})")
    total = sum(recipe.order.values())
    return f"CASE WHEN decision = 'keep' AND NOT {only_reviewed(recipe)} THEN 2.0 ELSE ({' + '.join(parts)}) / {total!r} END"
