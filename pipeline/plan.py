"""The plan: which documents are in the mix, how often, in which shard and where. One pass of DuckDB over the catalogs.

A document is *judged* (language, quality, safety, contamination, the recipe's own rules, duplicates), the eligible ones are
*allotted* (how many tokens each entry of the recipe gets, and what a capped one cannot fill goes to the others), *drawn* and
*placed* (a global shuffle).

Drawing is coupled. Each document has one number u in [0, 1), a hash of the recipe's seed and its id. At rate r it is in the mix
ceil(r - u) times (0, 1, 2 ... copies). An entry's rate is raised until its tokens are met. So a bigger budget gives a superset, an
entry's draw does not depend on any other entry, and tokens are met to within one document.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from classifiers.scorer import SHORT_WORDS
from classifiers.taxonomy import HARMFUL
from classifiers.windows import WHOLE
from pipeline.catalog import DERIVED_COLUMNS, OVERLAP_COLUMNS, facet_cuts
from pipeline.database import connect, files, number_files, of_file, text
from pipeline.quality import QualityThresholds, thresholds, verdict_sql
from pipeline.recipe import Amount, Recipe
from pipeline.store import Store, make_key
from sources.card import Card
from sources.errors import UserError

PLAN_VERSION = 2

#: Any harm has a threshold by length. In a sentence one word decides; a long text has many windows, of which the highest counts,
#: and so many chances of a false alarm (a chapter of an old book has ten).
_HARM_LENGTHS = {
    "harm": f" AND n_words >= {SHORT_WORDS} AND bytes <= {WHOLE}",
    "harm_short": f" AND n_words < {SHORT_WORDS}",
    "harm_long": f" AND bytes > {WHOLE}",
}

#: What the random numbers of a plan are for; each use hashes with its own salt. ``POOL`` is :mod:`pipeline.ablate.draws`'.
_DRAW, _PLACE, _HOLD_OUT, POOL = 0, 1, 2, 3

#: SQL of a hash of one copy in its place: what is in the document, which copy it is, where it stands, how many duplicates it has.
_COPY = (
    "mix(xor(mix(xor(uid, epoch::UBIGINT << 56), 16),"
    " mix(xor(content, xor(position::UBIGINT << 32, cluster_size::UBIGINT)), 17)), 18)"
)

#: 2^-53 turns the upper 53 bits of a hash into a double in [0, 1) exactly.
_UNIT = "9007199254740992.0"


@dataclass(frozen=True)
class Share:
    """What one entry of the recipe asked for and got.

    :param entry: source or group.
    :param asked: tokens its weight, tokens or epochs ask for.
    :param target: tokens after capping and redistribution.
    :param capacity: tokens it can give at its epoch cap.
    :param supply: tokens of its eligible documents, once each.
    :param rate: copies of a document with multiplier 1.
    :param tokens, documents: drawn; documents count copies.
    """

    entry: str
    asked: float
    target: float
    capacity: int
    supply: int
    rate: float
    tokens: int
    documents: int


@dataclass(frozen=True)
class Thresholds:
    """Every number a document was judged by; stored in the manifest."""

    quality: dict[str, dict[str, Any]]
    safety: dict[str, float]
    languages: dict[str, list[str]]
    near_duplicates: float | None
    contamination: list[str]
    facets: dict[str, float]

    @classmethod
    def of(
        cls, recipe: Recipe, cards: dict[str, Card], safety: dict[str, float], scored: list[str], benchmarks: list[str]
    ) -> Thresholds:
        """Resolve a recipe's filters.

        :param safety: the classifiers' shipped thresholds, by column.
        :param scored: columns the classifiers score.
        :raises UserError: a filter names something that does not exist.
        """
        filters = recipe.filters
        quality = {}
        if filters.quality is not False:
            for name, card in cards.items():
                overrides = {**filters.quality.get(card.family, {}), **card.quality}
                quality[name] = asdict(thresholds(card.family, overrides))
        chosen: dict[str, float] = {}
        if filters.safety is not False:
            # The pooled harm is the calibrated judgement; single labels are noisier and only judge where a recipe says so.
            chosen = {label: safety[f"safety_{label}"] for label in _HARM_LENGTHS} | filters.safety
            for label in filters.safety:
                if label not in _HARM_LENGTHS and f"safety_{label}" not in scored:
                    raise UserError(
                        f"the shipped classifiers do not score the harm {label!r}",
                        where=recipe.place("filters", "safety", label),
                        fix=f"use one of: {', '.join(_HARM_LENGTHS)}, {', '.join(name for name in HARMFUL if f'safety_{name}' in scored)}",
                    )
        return cls(
            quality=quality,
            safety=chosen,
            languages={name: card.language for name, card in cards.items()} if filters.language else {},
            near_duplicates=filters.near_duplicates or None,
            contamination=benchmarks,
            facets=facet_cuts(),
        )


def plan_key(recipe: Recipe, cards: dict[str, Card], limits: Thresholds, catalogs: list[str], clusters: str) -> str:
    """Key of the plan: the parts of the recipe that it depends on, the judged numbers, and the tables it reads."""
    used = recipe.model_dump(
        mode="json",
        include={
            "seed",
            "budget",
            "sources",
            "groups",
            "upweight",
            "weight_basis",
            "temperature",
            "max_epochs",
            "validation",
            "filters",
        },
    )
    return make_key(
        "plan",
        PLAN_VERSION,
        recipe=used,
        size=recipe.shards.size,
        limits=asdict(limits),
        openness={name: card.license.terms.openness for name, card in cards.items()},
        catalogs=catalogs,
        clusters=clusters,
    )


def run_plan(
    store: Store,
    recipe: Recipe,
    cards: dict[str, Card],
    limits: Thresholds,
    shards: list[tuple[str, str]],
    clusters: str,
    *,
    workers: int,
) -> str:
    """Make the plan of a recipe.

    :param shards: (source, catalog key) of each shard, in order.
    :returns: key of the artifact: ``decisions.parquet`` (one row a document, why it is in or out), ``plan.parquet`` (one row a
        copy: where it comes from and goes to) and, in its meta, the shares, the ledger and of each output shard a digest of its rows.
    :raises UserError: an entry, or all together, cannot give the tokens asked for.
    """
    key = plan_key(recipe, cards, limits, [catalog for _, catalog in shards], clusters)
    with (
        store.write("plan", key, [*(catalog for _, catalog in shards), clusters]) as (folder, meta),
        store.scratch("plan") as scratch,
        connect(scratch, recipe.memory, workers, reach=[store.root]) as con,
    ):
        judge(con, store, recipe, cards, limits, shards, clusters)
        shares, notes = _allot(con, recipe)
        _place(con, recipe)
        con.execute(f"""
            COPY (SELECT shard, row, uid, reason, entry, multiplier, u, split, cluster_size, keeper, coalesce(copies, 0) AS copies
                  FROM judged LEFT JOIN (SELECT shard, row, count(*)::INTEGER AS copies FROM placed GROUP BY ALL) USING (shard, row)
                  ORDER BY shard, row)
            TO {text(str(folder / "decisions.parquet"))} (FORMAT parquet, COMPRESSION zstd)
        """)
        con.execute(f"""
            COPY (SELECT * EXCLUDE (content) FROM placed ORDER BY shard, row, epoch)
            TO {text(str(folder / "plan.parquet"))} (FORMAT parquet, COMPRESSION zstd)
        """)
        meta.update(
            shares=[asdict(share) for share in shares],
            notes=notes,
            outputs=_rows(
                con,
                f"""
                SELECT split, out, count(*) AS documents, sum(tokens)::BIGINT AS tokens,
                       printf('%016x%016x', bit_xor(copy), (sum(copy) % {2**64})::UBIGINT) AS rows
                FROM (SELECT *, {_COPY} AS copy FROM placed) GROUP BY split, out ORDER BY split, out
                """,
            ),
            ledger=_ledger(con),
            sources=_rows(
                con,
                "SELECT source, count(*) AS documents, sum(p.tokens)::BIGINT AS tokens FROM placed p JOIN judged USING (shard, row)"
                " WHERE p.split = 'train' GROUP BY ALL ORDER BY ALL",
            ),
            facets=_facets(con),
        )
    return key


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = con.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def judge(
    con: duckdb.DuckDBPyConnection,
    store: Store,
    recipe: Recipe,
    cards: dict[str, Card],
    limits: Thresholds,
    shards: list[tuple[str, str]],
    clusters: str,
) -> None:
    """Table ``judged``: one row a document, ``reason`` null where it is eligible.

    :param shards: (source, catalog key) of each shard, in order.
    :raises UserError: a condition of the recipe cannot be computed.
    """
    paths = [folder / "catalog.parquet" for folder in store.paths("catalog", [catalog for _, catalog in shards])]
    number_files(con, "shards", paths)
    con.execute("CREATE TABLE cards (source VARCHAR, openness INTEGER)")
    con.executemany(
        "INSERT INTO cards VALUES (?, ?)", [[name, card.license.terms.openness] for name, card in cards.items()]
    )
    missing = [] if limits.contamination else [f"NULL AS {name}" for name in OVERLAP_COLUMNS.names]
    con.execute(f"""
        CREATE VIEW documents AS
        SELECT s.shard, c.* EXCLUDE (filename), {"".join(f"{column}, " for column in missing)}
               {", ".join(f"{sql} AS {name}" for name, (sql, _) in DERIVED_COLUMNS.items())},
               coalesce(k.cluster_size, 1) AS cluster_size,
               coalesce(k.cluster, (s.shard::BIGINT << 32) | c.row) AS cluster,
               coalesce(k.exact_group, (s.shard::BIGINT << 32) | c.row) AS exact_group
        FROM read_parquet({files(paths)}, filename = true) c
        JOIN shards s ON s.path = c.filename
        LEFT JOIN read_parquet({files([store.path("clusters", clusters) / "clusters.parquet"])}) k
            ON k.shard = s.shard AND k.row = c.row
    """)
    alone = f"""
        CREATE TABLE judged_alone AS
        SELECT shard, row, uid, record, content, id, source, tokens, bytes, quality, cluster, exact_group, cluster_size,
               {_reason(recipe, limits)} AS reason,
               {_entry(recipe)} AS entry,
               {_multiplier(recipe)} AS multiplier,
               {", ".join(f"coalesce(facet_{name} >= {cut}, false) AS facet_{name}" for name, cut in limits.facets.items())}
        FROM documents
    """
    try:
        con.execute(alone)
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
        raise of_file(error) or UserError(
            f"a condition cannot be computed for every document: {str(error).splitlines()[0]}",
            where=recipe.place("upweight"),
            fix="look at the `where` of groups, upweight and filters.drop; try_cast gives null instead of an error",
        ) from None
    # An id that occurs twice, in two files of a source: the first stays.
    con.execute("""
        UPDATE judged_alone SET reason = 'repeated_id'
        FROM (SELECT uid, min((shard::BIGINT << 32) | row) AS first FROM judged_alone GROUP BY uid HAVING count(*) > 1) again
        WHERE judged_alone.uid = again.uid AND ((shard::BIGINT << 32) | row) <> first
    """)
    con.execute(f"""
        CREATE TABLE judged AS
        WITH ranked AS (
            SELECT j.*, c.openness,
                   row_number() OVER keepers AS rank,
                   first_value(uid) OVER keepers AS keeper_uid,
                   first_value(exact_group) OVER keepers AS keeper_exact,
                   min(record) OVER (PARTITION BY cluster) AS held_by
            FROM judged_alone j JOIN cards c USING (source)
            WINDOW keepers AS (PARTITION BY cluster ORDER BY (reason IS NULL) DESC, openness DESC, quality DESC, bytes DESC, id)
        )
        SELECT shard, row, uid, content, source, tokens, bytes, entry, multiplier, cluster_size,
               CASE WHEN reason IS NULL AND rank > 1 THEN keeper_uid END AS keeper,
               CASE WHEN reason IS NOT NULL THEN reason
                    WHEN rank = 1 THEN NULL
                    WHEN exact_group = keeper_exact THEN 'duplicate_exact' ELSE 'duplicate_near' END AS reason,
               CASE WHEN {unit_sql(recipe, "held_by", _HOLD_OUT)} < {recipe.validation}
                    THEN 'validation' ELSE 'train' END AS split,
               {unit_sql(recipe, "uid", _DRAW)} AS u,
               COLUMNS('facet_.*')
        FROM ranked
    """)
    con.execute("DROP TABLE judged_alone")


def _salt(recipe: Recipe, use: int) -> int:
    return recipe.seed * 16 + use


def unit_sql(recipe: Recipe, column: str, use: int) -> str:
    """SQL of a number in [0, 1) that depends on the recipe's seed, a 64-bit id and what it is used for."""
    return f"(mix({column}, {_salt(recipe, use)}) >> 11)::DOUBLE / {_UNIT}"


def place_sql(recipe: Recipe, uid: str = "uid", epoch: str = "epoch") -> str:
    """SQL of the 64-bit number in whose order copies stand; ties go by uid and epoch."""
    return f"mix(xor({uid}, {epoch}::UBIGINT << 56), {_salt(recipe, _PLACE)})"


def _reason(recipe: Recipe, limits: Thresholds) -> str:
    cases = []
    for source, languages in limits.languages.items():
        cases.append(
            f"WHEN source = {text(source)} AND language NOT IN ({', '.join(map(text, languages))}) THEN 'language'"
        )
    for source, numbers in limits.quality.items():
        verdict = verdict_sql(QualityThresholds(**numbers))
        cases.append(f"WHEN source = {text(source)} AND ({verdict}) IS NOT NULL THEN 'quality_' || ({verdict})")
    for label, value in limits.safety.items():
        length = _HARM_LENGTHS.get(label, "")
        column = "safety_" + label.removesuffix("_short").removesuffix("_long")
        cases.append(f"WHEN {column} >= {value!r}{length} THEN '{column}'")
    if limits.contamination:
        for bit, name in enumerate(limits.contamination):
            cases.append(f"WHEN (contamination >> {bit}) & 1 = 1 THEN {text('contaminated_' + name)}")
    for rule in recipe.filters.drop:
        cases.append(f"WHEN ({rule.where}\n) THEN {text(rule.reason)}")
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS VARCHAR)"


def _entry(recipe: Recipe) -> str:
    if not recipe.groups:
        return "source"
    return (
        "CASE " + " ".join(f"WHEN {group.sql} THEN {text(group.name)}" for group in recipe.groups) + " ELSE source END"
    )


def _multiplier(recipe: Recipe) -> str:
    factors = [f"CASE WHEN {rule.sql} THEN {rule.multiply!r}::DOUBLE ELSE 1.0 END" for rule in recipe.upweight]
    return " * ".join(factors) or "1.0::DOUBLE"


def amounts_of(recipe: Recipe) -> dict[str, Amount]:
    """What each entry of a recipe asks for: groups first, as they take documents first."""
    return {**{group.name: group for group in recipe.groups}, **recipe.sources}


def make_events(con: duckdb.DuckDBPyConnection, recipe: Recipe) -> None:
    """Table ``events`` from ``judged``: each possible copy of an eligible document, and the rate from which it is drawn."""
    amounts = amounts_of(recipe)
    con.execute("CREATE TABLE caps (entry VARCHAR, cap DOUBLE)")
    con.executemany(
        "INSERT INTO caps VALUES (?, ?)",
        [[name, amount.max_epochs or recipe.max_epochs] for name, amount in amounts.items()],
    )
    con.execute("""
        CREATE TABLE events AS
        SELECT shard, row, uid, entry, tokens, multiplier, epoch::INTEGER AS epoch, (u + epoch) / multiplier AS rate
        FROM judged JOIN caps USING (entry), unnest(range(ceil(cap)::BIGINT)) AS e(epoch)
        WHERE reason IS NULL AND split = 'train' AND multiplier > 0 AND u + epoch < cap
    """)


def _allot(con: duckdb.DuckDBPyConnection, recipe: Recipe) -> tuple[list[Share], list[str]]:
    """Tables ``events``, ``drawn`` and ``rates``; shares by entry."""
    amounts = amounts_of(recipe)
    make_events(con, recipe)
    capacity = dict(con.execute("SELECT entry, sum(tokens)::BIGINT FROM events GROUP BY entry").fetchall())
    supply = dict(
        con.execute("SELECT entry, sum(tokens)::BIGINT FROM events WHERE epoch = 0 GROUP BY entry").fetchall()
    )
    asked, targets, notes = allot(
        recipe, {name: capacity.get(name, 0) for name in amounts}, {name: supply.get(name, 0) for name in amounts}
    )

    con.execute("CREATE TABLE targets (entry VARCHAR, target DOUBLE)")
    con.executemany("INSERT INTO targets VALUES (?, ?)", list(targets.items()))
    # A copy is taken while its middle lies before the target: the total ends nearest to it, and grows with it.
    con.execute("""
        CREATE TABLE drawn AS
        SELECT shard, row, uid, entry, tokens, epoch, rate
        FROM (SELECT *, sum(tokens) OVER (PARTITION BY entry ORDER BY rate, uid, epoch) AS through FROM events) JOIN targets USING (entry)
        WHERE through - tokens / 2 <= target
    """)
    con.execute("CREATE TABLE rates AS SELECT entry, max(rate) AS rate FROM drawn GROUP BY entry")
    got = {
        row[0]: row[1:]
        for row in con.execute(
            "SELECT entry, sum(tokens)::BIGINT, count(*), max(rate) FROM drawn GROUP BY entry"
        ).fetchall()
    }
    shares = []
    for name in amounts:
        tokens, documents, rate = got.get(name, (0, 0, 0.0))
        shares.append(
            Share(name, asked[name], targets[name], capacity.get(name, 0), supply.get(name, 0), rate, tokens, documents)
        )
    return shares, notes


def allot(
    recipe: Recipe, capacity: dict[str, int], supply: dict[str, int]
) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Divide the budget.

    Entries with ``tokens`` or ``epochs`` get what they say. Weights share what is asked for; an entry that reaches its capacity
    (its epoch cap) gives the rest to the others in proportion to their weights, until nothing is left over (water filling, as in
    UniMax, Chung et al. 2023, with weights).

    :param capacity, supply: tokens by entry at the epoch cap, and once each.
    :returns: tokens asked for and target by entry, and notes for the user.
    :raises UserError: tokens or epochs beyond an entry's capacity, or not enough in all entries together.
    """
    amounts = amounts_of(recipe)
    asked: dict[str, float] = {}
    targets: dict[str, float] = {}
    notes: list[str] = []
    weights = {name: amount.weight for name, amount in amounts.items() if amount.weight is not None}
    if recipe.temperature != 1.0 and (total := sum(weights.values())) > 0:
        flat = {name: (weight / total) ** (1 / recipe.temperature) for name, weight in weights.items()}
        weights = {name: value * total / sum(flat.values()) for name, value in flat.items()}
    for name, amount in amounts.items():
        if amount.weight is not None:
            continue
        asked[name] = float(amount.tokens) if amount.tokens is not None else float(amount.epochs or 0) * supply[name]
        cap = amount.max_epochs or recipe.max_epochs
        if amount.epochs is not None and amount.epochs <= cap:
            # a fraction of an epoch is drawn by hash: what it can give is near that fraction, not exactly it
            asked[name] = min(asked[name], float(capacity[name]))
        # half a token of slack: epochs times supply is not always a whole number
        if asked[name] > capacity[name] + 0.5:
            at = ("sources", name) if name in recipe.sources else ("groups", list(amounts).index(name))
            raise UserError(
                f"{name!r} is asked for {asked[name]:,.0f} tokens but can give {capacity[name]:,}"
                f" ({supply[name]:,} eligible, at most {cap:g} epochs)",
                where=recipe.place(*at, "tokens" if amount.tokens is not None else "epochs"),
                fix="ask for less, raise max_epochs, or loosen the filters",
            )
        targets[name] = asked[name]
    fixed = sum(targets.values())
    rest = recipe.budget - fixed
    if weights and rest < 0:
        raise UserError(
            f"entries with tokens or epochs take {fixed:,.0f} tokens, more than the budget of {recipe.budget:,}",
            where=recipe.place("budget"),
            fix="raise the budget",
        )
    basis = recipe.weight_basis or sum(weights.values()) or 1.0
    for name, weight in weights.items():
        asked[name] = targets[name] = weight / basis * rest
    # lists, not sets: float sums must not depend on the order strings hash in
    open_entries = [name for name, weight in weights.items() if weight > 0]
    while True:
        full = [name for name in open_entries if targets[name] > capacity[name]]
        if not full:
            break
        excess = sum(targets[name] - capacity[name] for name in full)
        for name in full:
            targets[name] = float(capacity[name])
        open_entries = [name for name in open_entries if name not in full]
        share = sum(weights[name] for name in open_entries)
        if not open_entries:
            if excess > 0.5:
                possible = sum(targets.values())
                raise UserError(
                    f"the budget of {recipe.budget:,} tokens cannot be filled: all sources together can give {possible:,.0f}"
                    f" at their epoch caps, {excess:,.0f} too few",
                    where=recipe.place("budget"),
                    fix=f"lower the budget to {int(possible):,}, raise max_epochs, add sources, or loosen the filters",
                )
            break
        for name in open_entries:
            targets[name] += excess * weights[name] / share
    for name in weights:
        if asked[name] - targets[name] > 0.5:
            cap = amounts[name].max_epochs or recipe.max_epochs
            notes.append(
                f"{name} can give {targets[name]:,.0f} of {asked[name]:,.0f} tokens (cap {cap:g} epochs);"
                " the rest goes to the other weighted entries"
            )
    total = sum(asked.values())
    if abs(total - recipe.budget) > 0.005 * recipe.budget:
        note = f"the entries ask for {total:,.0f} tokens, {total / recipe.budget:.1%} of the budget"
        notes.append(note + (f": weights add up to {sum(weights.values()):g} of {basis:g}" if weights else ""))
    return asked, targets, notes


def _place(con: duckdb.DuckDBPyConnection, recipe: Recipe) -> None:
    """Table ``placed``: every copy with its split, output shard and position.

    The order is that of a hash: a global shuffle. A shard is a range of it, so a document that comes or goes touches its own shard alone.
    """
    con.execute(f"""
        CREATE TABLE placed AS
        WITH chosen AS (
            SELECT shard, row, uid, tokens, epoch, 'train' AS split FROM drawn
            UNION ALL
            -- held-out documents are drawn at their entry's rate too, but once
            SELECT shard, row, uid, tokens, 0 AS epoch, 'validation' AS split FROM judged JOIN rates USING (entry)
            WHERE reason IS NULL AND split = 'validation' AND multiplier > 0 AND u / multiplier <= rate
        ), ordered AS (
            SELECT c.*, j.content, j.cluster_size, {place_sql(recipe, "c.uid", "c.epoch")} AS place,
                   ceil(sum(j.bytes) OVER (PARTITION BY c.split) / {recipe.shards.size})::HUGEINT AS outs
            FROM chosen c JOIN judged j USING (shard, row)
        ), ranged AS (
            SELECT *, (place::HUGEINT * outs // {2**64})::INTEGER AS out FROM ordered
        )
        SELECT shard, row, uid, epoch, tokens, cluster_size, split, content, out,
               row_number() OVER (PARTITION BY split, out ORDER BY place, uid, epoch) AS position
        FROM ranged
    """)


def _ledger(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Documents and bytes by source and outcome; ``selected`` and ``not_drawn`` are the eligible ones."""
    return _rows(
        con,
        """
        SELECT source, CASE WHEN reason IS NOT NULL THEN reason
                            WHEN p.shard IS NOT NULL AND j.split = 'validation' THEN 'held_out'
                            WHEN p.shard IS NOT NULL THEN 'selected' ELSE 'not_drawn' END AS outcome,
               reason IS NOT NULL AS dropped, count(*) AS documents, sum(j.bytes)::BIGINT AS bytes
        FROM judged j LEFT JOIN (SELECT DISTINCT shard, row FROM placed) p USING (shard, row)
        GROUP BY ALL ORDER BY ALL
        """,
    )


def _facets(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Share of tokens in which each facet is present: among eligible documents, and in the mix."""
    names = [row[0] for row in con.execute("DESCRIBE judged").fetchall() if row[0].startswith("facet_")]
    rows = []
    for name in names:
        available, mixed = con.execute(f"""
            SELECT (SELECT sum(tokens) FILTER ({name}) / sum(tokens) FROM judged WHERE reason IS NULL),
                   (SELECT sum(p.tokens) FILTER ({name}) / sum(p.tokens)
                    FROM placed p JOIN judged USING (shard, row) WHERE p.split = 'train')
        """).fetchall()[0]
        rows.append({"facet": name.removeprefix("facet_"), "eligible": available or 0.0, "mix": mixed or 0.0})
    return rows
