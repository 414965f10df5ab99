"""What a set is chosen from: fit candidates as examples, two replies to one prompt as pairs, single replies with a label.

Each form is one query over what :mod:`pipeline.curate.judge` left, with a flag for each quota beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from classifiers.taxonomy import BEHAVIOURS, FACETS
from pipeline.catalog import facet_cuts
from pipeline.curate.baselines import STYLE
from pipeline.curate.choose import Limit
from pipeline.curate.columns import present
from pipeline.curate.judge import only_reviewed
from pipeline.curate.recipe import SetRecipe
from pipeline.curate.reviewed import Reviewed
from pipeline.database import text

#: What a user said is known by this much of its end: cosine and split compare it.
_SUBJECT_CHARS = 1_500


@dataclass
class Judged:
    """What can be chosen of one form.

    :param rows: columns of :data:`pipeline.curate.select.CHOSEN`, and ``document`` and ``prompt_id``.
    :param limits: quotas as numbers.
    """

    rows: pa.Table
    limits: list[Limit]

    def __len__(self) -> int:
        return self.rows.num_rows


#: Columns of what can be chosen, from ``judged`` as ``j`` and ``ranked`` as ``r``.
def _lists(alias: str) -> str:
    cuts = facet_cuts()
    facets = ", ".join(f"CASE WHEN {alias}.facet_{name} >= {cuts[name]} THEN '{name}' END" for name in FACETS)
    moves = ", ".join(f"CASE WHEN {alias}.{present(name)} THEN '{name}' END" for name in BEHAVIOURS)
    return (
        f"list_filter([{facets}], lambda x: x IS NOT NULL) AS facets, list_filter([{moves}], lambda x: x IS NOT NULL) AS behaviours,"
        f" {alias}.principles, coalesce({alias}.risk, false) AS risk, {alias}.support::FLOAT AS support, {alias}.tokens"
    )


def material(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, form: str, decisions: Reviewed) -> Judged:
    """Table ``material_<form>``, and what of it is needed to choose.

    :param form: ``sft``, ``pair`` or ``single``.
    """
    if form == "sft":
        ends = (
            "QUALIFY row_number() OVER (PARTITION BY thread ORDER BY coalesce(decision = 'keep', false) DESC, turn DESC) = 1"
            if recipe.unit == "conversation"
            else ""
        )
        query = f"""
            SELECT j.shard, j.row, j.id, j.id AS item, NULL::BIGINT AS other, NULL::BOOLEAN AS label, j.document, j.prompt_id, r.quality,
                   j.why, NULL::FLOAT AS gap, {_lists("j")}, j.* EXCLUDE ({_TWICE})
            FROM judged j JOIN ranked r USING (shard, row) {ends}
        """
    elif form == "pair":
        query = _pairs(con, recipe, decisions.pair)
    else:
        query = _singles(con, recipe, decisions.unpaired)
    con.execute(f"CREATE TABLE material_{form} AS SELECT * FROM ({query}) ORDER BY item")
    quotas = [*recipe.all_quotas()]
    flags = [f"{quota.sql} AS quota_{i}" for i, quota in enumerate(quotas)]
    rows = con.sql(f"""
        SELECT m.shard, m.row, m.id, m.item, m.other, m.skip, m.label, m.document, m.thread, m.prompt_id, m.quality, m.why, m.gap,
               m.facets, m.behaviours, m.principles, m.risk, m.support, m.tokens, m.system{"".join(", " + flag for flag in flags)}
               {"".join(f", more_{name}" for name in recipe.pairs.balance) if form == "pair" else ""}
        FROM material_{form} m ORDER BY item
    """).to_arrow_table()
    limits = [
        Limit(quota.label, rows[f"quota_{i}"].to_numpy().astype(bool), quota.at_least, quota.at_most)
        for i, quota in enumerate(quotas)
    ]
    for name in recipe.pairs.balance if form == "pair" else ():
        # the accuracy of a feature is a half and half the mean of more, equal and less
        more = rows[f"more_{name}"].to_numpy().astype(np.int64)
        limits += [
            Limit(f"chosen has more: {name}", more, -1.0, 2 * recipe.pairs.tolerance),
            Limit(f"chosen has less: {name}", -more, -1.0, 2 * recipe.pairs.tolerance),
        ]
    if form == "single":
        good = np.array([bool(v) for v in rows["label"].to_pylist()])
        limits += [Limit("good", good, 0.5, 1.0), Limit("poor", ~good, 0.5, 1.0)]
    return Judged(rows, limits)


def with_said(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    """Rows with the column ``said``: what the user says in the context as it stands in the example."""
    con.register("looked", rows.select(["item", "shard", "row", "skip"]))
    said = con.sql("""
        SELECT list_slice(c.said, l.skip // 2 + 1, len(c.said)) AS said FROM looked l JOIN contexts c USING (shard, row) ORDER BY l.item
    """).to_arrow_table()
    con.unregister("looked")
    return rows.append_column("said", said["said"])


def subjects(rows: pa.Table) -> list[str]:
    """What the user said, its end, for an embedding."""
    return ["\n".join(said)[-_SUBJECT_CHARS:] for said in rows["said"].to_pylist()]


_TWICE = "shard, row, id, document, prompt_id, why, principles, risk, support, tokens"


def _pairs(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, decisions: dict[str, str]) -> str:
    """Two replies to one prompt of which native evidence, by at least its margin, says which is better.

    Less than the margin is a tie, and no pair. The better one must be fit to choose; the worse one may be unfit, but never harmful.
    """
    _decided(con, "pair_decisions", decisions)
    reasons = ", ".join(map(text, recipe.pairs.reasons))
    ratio = recipe.pairs.max_length_ratio
    first = _first(recipe)
    con.execute(f"""
        CREATE TABLE comparisons AS
        WITH usable AS (SELECT * FROM judged WHERE never IS NULL AND raw IS NOT NULL AND why IN ({reasons})),
        compared AS (
            SELECT a.shard, a.row AS better, b.row AS worse, left(a.id, 16) || left(b.id, 16) AS item,
                   abs(a.raw - b.raw) / a.margin AS gap, a.prompt_id,
                   CASE WHEN a.higher THEN a.raw - b.raw ELSE b.raw - a.raw END >= a.margin - 1e-6 AS decided
            FROM usable a JOIN usable b ON a.shard = b.shard AND a.prompt_id = b.prompt_id AND a.row <> b.row AND a.why = b.why
            WHERE CASE WHEN a.higher THEN a.raw >= b.raw ELSE a.raw <= b.raw END
        )
        SELECT * EXCLUDE (better, worse), CASE WHEN decision = 'swap' THEN worse ELSE better END AS better,
               CASE WHEN decision = 'swap' THEN better ELSE worse END AS worse
        FROM compared LEFT JOIN pair_decisions USING (item)
        WHERE decided AND coalesce(decision, '') NOT IN ('tie', 'drop')
    """)
    return f"""
        SELECT p.shard, p.better AS row, p.item AS id, p.item, p.worse AS other, NULL::BOOLEAN AS label, j.document, j.prompt_id,
               CASE WHEN {first.format("p.decision")} THEN 2.0 ELSE coalesce(r.quality, 0.5) END AS quality,
               j.why, p.gap::FLOAT AS gap, {_lists("j")},
               {_more(recipe)} j.reply AS chosen_reply, w.reply AS rejected_reply,
               w.support AS rejected_support, j.support AS chosen_support, j.id AS chosen_id, w.id AS rejected_id,
               -- a pair is simulated if either reply is
               CASE 'simulated' WHEN w.author_kind THEN w.author_kind ELSE j.author_kind END AS author_kind,
               j.* EXCLUDE (author_kind, {_TWICE})
        FROM comparisons p
        JOIN judged j ON j.shard = p.shard AND j.row = p.better JOIN judged w ON w.shard = p.shard AND w.row = p.worse
        LEFT JOIN ranked r ON r.shard = p.shard AND r.row = p.better
        WHERE j.unfit IS NULL AND coalesce(w.unfit, '') <> 'review' AND j.reply <> w.reply
          AND (p.decision IS NOT NULL OR NOT {only_reviewed(recipe, "j.source")})
          AND greatest(j.reply_words, w.reply_words) <= {ratio} * greatest(1, least(j.reply_words, w.reply_words))
        QUALIFY row_number() OVER (PARTITION BY p.shard, p.prompt_id ORDER BY p.decision IS NOT NULL DESC, p.gap DESC, p.item)
                <= {recipe.pairs.per_prompt}
    """


def _first(recipe: SetRecipe) -> str:
    """SQL with a place for the decision: what reviewers settled is taken first, but where all of its source was settled by reviewers."""
    return "{} IS NOT NULL AND NOT " + only_reviewed(recipe, "j.source")


def _more(recipe: SetRecipe) -> str:
    """Columns ``more_<feature>``: 1 where the chosen reply has more of it, 0 where both have as much, -1 where it has less."""

    def count(side: str, pattern: str) -> str:
        return f"len(regexp_extract_all({side}.reply, {text(pattern)}))"

    return "".join(
        f"sign({count('j', STYLE[name])} - {count('w', STYLE[name])})::INTEGER AS more_{name}, "
        for name in recipe.pairs.balance
    )


def _decided(con: duckdb.DuckDBPyConnection, name: str, decisions: dict[str, str]) -> None:
    con.execute(f"CREATE TABLE {name} (item VARCHAR, decision VARCHAR)")
    if decisions:
        con.executemany(f"INSERT INTO {name} VALUES (?, ?)", [list(pair) for pair in decisions.items()])


def _singles(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, decisions: dict[str, str]) -> str:
    """Replies that their own corpus, or a reviewer, calls good or poor; a good one must be fit."""
    _decided(con, "single_decisions", decisions)
    reasons = ", ".join(map(text, recipe.pairs.reasons))
    first = _first(recipe)
    return f"""
        WITH labelled AS (
            SELECT j.*, r.quality AS rank, d.decision AS said,
                   CASE d.decision WHEN 'good' THEN true WHEN 'bad' THEN false
                   ELSE CASE WHEN merit >= {recipe.pairs.good} THEN true WHEN merit <= {recipe.pairs.poor} THEN false END END AS label
            FROM judged j LEFT JOIN ranked r USING (shard, row) LEFT JOIN single_decisions d ON d.item = j.id
            WHERE never IS NULL AND coalesce(d.decision, '') <> 'drop' AND (d.decision IS NOT NULL OR why IN ({reasons}))
        )
        SELECT j.shard, j.row, j.id, j.id AS item, NULL::BIGINT AS other, j.label, j.document, j.prompt_id,
               -- by how sure the evidence is, the good and the poor alike
               CASE WHEN {first.format("said")} THEN 2.0
                    ELSE coalesce(abs(j.merit - 0.5), 0.5) + coalesce(j.rank, 0.5) / 100 END AS quality,
               j.why, NULL::FLOAT AS gap, {_lists("j")}, j.* EXCLUDE (label, rank, said, {_TWICE})
        FROM labelled j
        WHERE label IS NOT NULL AND (said IS NOT NULL OR NOT {only_reviewed(recipe, "j.source")})
          AND (unfit IS NULL OR (NOT label AND unfit <> 'review'))
          AND reply_words >= {recipe.lengths.reply_words[0]} AND prompt_words >= {recipe.lengths.prompt_words[0]}
    """
