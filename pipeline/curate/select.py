"""Selection: from the pools of all sources to the rows of a set. The judging is SQL (:mod:`pipeline.curate.judge`), the choosing arrays
(:mod:`pipeline.curate.choose`); this is where they meet, with an embedding of what each user says between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from classifiers.scorer import Scorer
from classifiers.taxonomy import BEHAVIOURS, FACETS
from pipeline.catalog import facet_cuts
from pipeline.console import Progress
from pipeline.curate.baselines import Baselines, baselines
from pipeline.curate.choose import Limit, groups, near_pairs, pick, promising, spread, without_repeats
from pipeline.curate.columns import present
from pipeline.curate.constitution import Constitution
from pipeline.curate.judge import gather, judge, text
from pipeline.curate.recipe import SetRecipe
from pipeline.curate.reviewed import Reviewed, reviewed
from pipeline.database import connect, files
from pipeline.execute import Step, run_step
from pipeline.review import Decisions
from pipeline.store import Store, make_key
from pipeline.words import mix_ids
from sources.errors import UserError

SELECT_VERSION = 1

#: What a user said is known by this much of its end: cosine and split compare it.
_SUBJECT_CHARS = 1_500
#: A user's message of this many words is nobody else's: two documents that hold it are one conversation.
_OWN_WORDS = 8
#: Texts one task embeds.
_EMBED_ROWS = 400
#: What the random numbers of a set are for; each use hashes with its own salt.
_HOLD_OUT = 1

#: One row an example. ``row`` of ``shard`` is the (chosen) reply, ``other`` the rejected one; ``skip`` messages of the context are
#: left out; ``label`` of a single reply.
CHOSEN = pa.schema(
    [
        ("form", pa.string()),
        ("id", pa.string()),
        ("shard", pa.int32()),
        ("row", pa.int64()),
        ("other", pa.int64()),
        ("skip", pa.int32()),
        ("label", pa.bool_()),
        ("split", pa.string()),
        ("why", pa.string()),
        ("gap", pa.float32()),
        ("quality", pa.float32()),
        ("principles", pa.list_(pa.string())),
        ("facets", pa.list_(pa.string())),
        ("behaviours", pa.list_(pa.string())),
        ("risk", pa.bool_()),
        ("support", pa.float32()),
        ("tokens", pa.int32()),
        ("cluster", pa.string()),
    ]
)


@dataclass
class Judged:
    """What a selection is made of: candidates that are fit, or pairs, as columns, with the lists quotas speak of."""

    rows: pa.Table
    subjects: list[str]
    limits: list[Limit]

    def __len__(self) -> int:
        return self.rows.num_rows

    def column(self, name: str) -> np.ndarray:
        """A column as a numpy array."""
        return self.rows[name].to_numpy()


def select_key(
    recipe: SetRecipe, constitution: Constitution, pools: list[str], benchmarks: list[str], reviews: dict[str, Any]
) -> str:
    """Key of a selection."""
    used = recipe.model_dump(
        mode="json", exclude={"name", "description", "purpose", "shards", "cards", "memory", "formats"}
    )
    return make_key(
        "selection",
        SELECT_VERSION,
        recipe=used,
        forms=forms_of(recipe),
        constitution=constitution.sha256,
        pools=pools,
        benchmarks=benchmarks,
        reviews=reviews,
        encoder=Scorer.load().version,
    )


def forms_of(recipe: SetRecipe) -> list[str]:
    """What is selected: ``sft`` examples, ``pair``s or ``single`` replies with a label."""
    if recipe.task == "sft":
        return ["sft"]
    return [form for form, name in (("pair", "preference"), ("single", "unpaired")) if name in recipe.formats]


def run_select(
    store: Store,
    recipe: SetRecipe,
    constitution: Constitution,
    candidates: list[str],
    pools: list[str],
    benchmarks: list[str],
    decisions: Decisions,
    key: str,
    *,
    workers: int,
    progress: Progress,
) -> None:
    """Select the examples of a set and commit them: ``chosen.parquet`` (:data:`CHOSEN`), ``decisions.parquet`` (a row a candidate and
    what became of it) and, in its meta, quotas, baselines and the ledger.

    :param candidates, pools: keys of each shard, in order.
    :param decisions: of reviewers.
    :raises UserError: nothing is left to choose from.
    """
    places = [store.path("pool", pool) / "pool.parquet" for pool in pools]
    with (
        store.write("selection", key) as (folder, meta),
        store.scratch("select") as scratch,
        connect(scratch, recipe.memory, workers) as con,
    ):
        try:
            gather(con, recipe, places)
            people = reviewed(con, store, recipe, candidates, decisions)
            judge(con, recipe, constitution, benchmarks, people.single)
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException) as error:
            raise UserError(
                f"a condition cannot be computed for every candidate: {str(error).splitlines()[0]}",
                where=recipe.place("filters", "drop"),
                fix="look at the conditions and at `order`; try_cast gives null instead of an error",
            ) from None
        _contexts(con, [store.path("candidates", name) / "candidates.parquet" for name in candidates])
        chosen: list[pa.Table] = []
        report: dict[str, Any] = {"forms": {}, "notes": [], "reviews": people.facts}
        for form in forms_of(recipe):
            judged = _material(con, recipe, form, people)
            if not len(judged):
                raise UserError(
                    f"no {_NAMES[form]} is left to choose from: {_reasons(con)}",
                    where=recipe.place("filters"),
                    fix="loosen the filters, or add sources; ledger columns are explained in shards/README.md",
                )
            taken, facts = _choose(store, recipe, form, judged, workers, progress)
            if not len(taken):
                raise UserError(
                    f"no {_NAMES[form]} can be chosen: {len(judged):,} are fit, but the quotas let none of them in",
                    where=recipe.place("quotas"),
                    fix="raise at_most, or `simulated` where all sources are simulated",
                )
            report["forms"][form] = facts
            report["notes"] += facts.pop("notes")
            chosen.append(taken)
            con.register(f"chosen_{form}", taken)
        table = pa.concat_tables(chosen)
        pq.write_table(table, folder / "chosen.parquet", compression="zstd")
        report["principles"] = _count_principles(table, constitution)
        _outcomes(con, forms_of(recipe), str(folder / "decisions.parquet"))
        report["ledger"] = _ledger(con, str(folder / "decisions.parquet"))
        if "pair" in forms_of(recipe):
            report["baselines"] = _baselines(con, recipe).summary()
        meta.update(report)


_NAMES = {"sft": "example", "pair": "pair", "single": "single reply"}


def _reasons(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        "SELECT coalesce(never, unfit, 'fit, but nothing to compare with') AS why, count(*) FROM judged GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
    ).fetchall()
    return ", ".join(f"{n:,} {why}" for why, n in rows) or "there are no candidates"


def _contexts(con: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
    """Table ``contexts``: what the user said in each candidate's context."""
    con.execute("CREATE TABLE sheets (shard INTEGER, path VARCHAR)")
    con.executemany("INSERT INTO sheets VALUES (?, ?)", [[i, str(path)] for i, path in enumerate(paths)])
    con.execute(f"""
        CREATE VIEW contexts AS
        SELECT s.shard, f.file_row_number AS row,
               list_transform(list_filter(f.context, lambda m: m.role = 'user'), lambda m: m.content) AS said
        FROM read_parquet({files(paths)}, file_row_number = true, filename = true) f JOIN sheets s ON s.path = f.filename
    """)


#: Columns of what can be chosen, from ``judged`` as ``j`` and ``ranked`` as ``r``.
def _lists(alias: str) -> str:
    cuts = facet_cuts()
    facets = ", ".join(f"CASE WHEN {alias}.facet_{name} >= {cuts[name]} THEN '{name}' END" for name in FACETS)
    moves = ", ".join(f"CASE WHEN {alias}.{present(name)} THEN '{name}' END" for name in BEHAVIOURS)
    return (
        f"list_filter([{facets}], lambda x: x IS NOT NULL) AS facets, list_filter([{moves}], lambda x: x IS NOT NULL) AS behaviours,"
        f" {alias}.principles, coalesce({alias}.risk, false) AS risk, {alias}.support::FLOAT AS support, {alias}.tokens"
    )


def _material(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, form: str, decisions: Reviewed) -> Judged:
    if form == "sft":
        ends = (
            "QUALIFY row_number() OVER (PARTITION BY thread ORDER BY turn DESC) = 1"
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
        SELECT m.shard, m.row, m.id, m.item, m.other, m.skip, m.label, m.document, m.prompt_id, m.quality, m.why, m.gap,
               m.facets, m.behaviours, m.principles, m.risk, m.support, m.tokens, c.said{"".join(", " + flag for flag in flags)}
               {", chosen_longer" if form == "pair" else ""}
        FROM material_{form} m JOIN contexts c USING (shard, row) ORDER BY item
    """).to_arrow_table()
    limits = [
        Limit(quota.label, rows[f"quota_{i}"].to_numpy().astype(bool), quota.at_least, quota.at_most)
        for i, quota in enumerate(quotas)
    ]
    if form == "pair":
        longer = np.array([bool(v) for v in rows["chosen_longer"].to_pylist()])
        most = 0.5 + recipe.pairs.length_balance
        limits += [
            Limit("chosen reply is longer", longer, 0.0, most),
            Limit("chosen reply is shorter", ~longer, 0.0, most),
        ]
    if form == "single":
        good = np.array([bool(v) for v in rows["label"].to_pylist()])
        limits += [Limit("good", good, 0.5, 1.0), Limit("poor", ~good, 0.5, 1.0)]
    return Judged(rows, ["\n".join(said)[-_SUBJECT_CHARS:] for said in rows["said"].to_pylist()], limits)


_TWICE = "shard, row, id, document, prompt_id, why, principles, risk, support, tokens"


def _pairs(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, decisions: dict[str, str]) -> str:
    """Two replies to one prompt of which native evidence, by at least its margin, says which is better.

    Less than the margin is a tie, and no pair. The better one must be fit to choose; the worse one may be unfit, but never harmful.
    """
    _decided(con, "pair_decisions", decisions)
    reasons = ", ".join(map(text, recipe.pairs.reasons))
    ratio = recipe.pairs.max_length_ratio
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
               CASE WHEN p.decision IS NOT NULL THEN 2.0 ELSE coalesce(r.quality, 0.5) END AS quality,
               j.why, p.gap::FLOAT AS gap, {_lists("j")},
               j.reply_words > w.reply_words AS chosen_longer, j.reply AS chosen_reply, w.reply AS rejected_reply,
               w.support AS rejected_support, j.support AS chosen_support, j.id AS chosen_id, w.id AS rejected_id,
               j.* EXCLUDE ({_TWICE})
        FROM comparisons p
        JOIN judged j ON j.shard = p.shard AND j.row = p.better JOIN judged w ON w.shard = p.shard AND w.row = p.worse
        LEFT JOIN ranked r ON r.shard = p.shard AND r.row = p.better
        WHERE j.unfit IS NULL AND coalesce(w.unfit, '') <> 'review' AND j.reply <> w.reply AND j.reply_words <> w.reply_words
          AND greatest(j.reply_words, w.reply_words) <= {ratio} * greatest(1, least(j.reply_words, w.reply_words))
        QUALIFY row_number() OVER (PARTITION BY p.shard, p.prompt_id ORDER BY p.decision IS NOT NULL DESC, p.gap DESC, p.item)
                <= {recipe.pairs.per_prompt}
    """


def _decided(con: duckdb.DuckDBPyConnection, name: str, decisions: dict[str, str]) -> None:
    con.execute(f"CREATE TABLE {name} (item VARCHAR, decision VARCHAR)")
    if decisions:
        con.executemany(f"INSERT INTO {name} VALUES (?, ?)", [list(pair) for pair in decisions.items()])


def _singles(con: duckdb.DuckDBPyConnection, recipe: SetRecipe, decisions: dict[str, str]) -> str:
    """Replies that their own corpus, or a reviewer, calls good or poor; a good one must be fit."""
    _decided(con, "single_decisions", decisions)
    reasons = ", ".join(map(text, recipe.pairs.reasons))
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
               CASE WHEN said IS NOT NULL THEN 2.0 ELSE abs(j.merit - 0.5) + coalesce(j.rank, 0.5) / 100 END AS quality,
               j.why, NULL::FLOAT AS gap, {_lists("j")}, j.* EXCLUDE (label, rank, said, {_TWICE})
        FROM labelled j
        WHERE label IS NOT NULL AND (unfit IS NULL OR (NOT label AND unfit <> 'review'))
          AND reply_words >= {recipe.lengths.reply_words[0]} AND prompt_words >= {recipe.lengths.prompt_words[0]}
    """


def _choose(
    store: Store,
    recipe: SetRecipe,
    form: str,
    judged: Judged,
    workers: int,
    progress: Progress,
) -> tuple[pa.Table, dict[str, Any]]:
    size = recipe.pairs.unpaired if form == "single" else recipe.size
    quality = judged.column("quality").astype(np.float64)
    keep = promising(quality, judged.limits, size, recipe.diversity.pool)
    rows = judged.rows.take(pa.array(keep))
    quality = quality[keep]
    subjects = [judged.subjects[i] for i in keep]
    vectors = embeddings(store, subjects, workers, progress)
    pairs = near_pairs(vectors, recipe.duplicates.similarity)
    edges = np.concatenate([pairs, _same(rows), _same_prompt(rows)])
    cluster = groups(edges, len(rows))
    alone = without_repeats(np.concatenate([pairs, _same_prompt(rows)]), quality, recipe.duplicates.per_prompt)
    left = np.flatnonzero(alone)
    limits = [Limit(limit.name, limit.members[keep][left], limit.at_least, limit.at_most) for limit in judged.limits]
    ranking = spread(vectors[left], quality[left], recipe.diversity.strategy, recipe.diversity.weight, 2 * size)
    chosen = left[pick(ranking, limits, size, quality[left] > 1.5)]
    taken = rows.take(pa.array(chosen))
    names = [rows["item"][int(i)].as_py() for i in cluster[chosen]]
    draw = _unit([_cluster_name(name) for name in names], recipe.seed)
    split = np.where(draw < recipe.validation, "validation", "train")
    table = pa.table(
        {
            "form": pa.array([form] * len(chosen), pa.string()),
            **{name: taken[name] for name in ("id", "shard", "row", "other", "skip", "label")},
            "split": pa.array(split.tolist(), pa.string()),
            **{
                name: taken[name]
                for name in ("why", "gap", "quality", "principles", "facets", "behaviours", "risk", "support", "tokens")
            },
            "cluster": pa.array(names, pa.string()),
        }
    ).cast(CHOSEN)
    quotas = []
    inside = np.zeros(len(judged), dtype=bool)
    inside[keep[chosen]] = True
    for limit in judged.limits:
        met = float(limit.members[inside].mean()) if len(chosen) else 0.0
        quotas.append(
            {
                "name": limit.name,
                "at_least": limit.at_least,
                "at_most": limit.at_most,
                "available": int(limit.members.sum()),
                "chosen": int(limit.members[inside].sum()),
                "share": met,
                "met": limit.at_least - 0.5 / max(1, len(chosen)) <= met <= limit.at_most + 0.5 / max(1, len(chosen)),
            }
        )
    notes = []
    if len(chosen) < size:
        notes.append(
            f"{len(chosen):,} of {size:,} {_NAMES[form]}s wanted: {len(judged):,} were fit, "
            f"{len(left):,} of those looked at ask different things"
            + ("" if len(left) <= len(chosen) else ", and quotas held the others back")
        )
    notes += [
        f"quota {q['name']}: {q['share']:.1%} instead of {q['at_least']:.1%} to {q['at_most']:.1%} ({q['available']:,} there were)"
        for q in quotas
        if not q["met"]
    ]
    facts = {
        "fit": len(judged),
        "looked_at": len(keep),
        "different_prompts": len(left),
        "chosen": len(chosen),
        "wanted": size,
        "nearest_prompt": _nearest(vectors[chosen]),
        "nearest_prompt_by_quality": _nearest(vectors[left[np.argsort(-quality[left], kind="stable")[: len(chosen)]]]),
        "quotas": quotas,
        "notes": notes,
    }
    return table, facts


def _nearest(vectors: np.ndarray) -> float | None:
    """Mean cosine of an example to its nearest neighbour in the set: the less, the more it spreads."""
    if len(vectors) < 2:
        return None
    best = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(vectors), 2_048):
        block = vectors[start : start + 2_048] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1.0
        best[start : start + len(block)] = block.max(axis=1)
    return round(float(best.mean()), 4)


def _same(rows: pa.Table) -> np.ndarray:
    """Edges between rows of one document, and of documents that share a long message of the user's."""
    con = duckdb.connect()
    try:
        con.register(
            "rows", rows.select(["document", "said"]).append_column("n", pa.array(range(len(rows)), pa.int64()))
        )
        return _edges(
            con,
            f"""
            SELECT n, 'document ' || document AS name FROM rows UNION ALL
            SELECT n, md5(regexp_replace(lower(message), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g')) AS name
            FROM (SELECT n, unnest(said) AS message FROM rows)
            WHERE len(string_split(trim(message), ' ')) >= {_OWN_WORDS}
            """,
        )
    finally:
        con.close()


def _same_prompt(rows: pa.Table) -> np.ndarray:
    """Edges between rows that answer one context, or the same words of the user."""
    con = duckdb.connect()
    try:
        con.register(
            "rows", rows.select(["prompt_id", "said"]).append_column("n", pa.array(range(len(rows)), pa.int64()))
        )
        return _edges(
            con,
            """
            SELECT n, prompt_id AS name FROM rows UNION ALL
            SELECT n, md5(regexp_replace(lower(array_to_string(said, ' ')), '[^\\p{L}\\p{N}]+', ' ', 'g')) AS name FROM rows
            """,
        )
    finally:
        con.close()


def _edges(con: duckdb.DuckDBPyConnection, named: str) -> np.ndarray:
    """Edges from each row to the first of its name: int64, shape (edges, 2)."""
    table = con.sql(f"""
        SELECT DISTINCT first, n FROM (SELECT n, min(n) OVER (PARTITION BY name) AS first FROM ({named})) WHERE first <> n ORDER BY ALL
    """).to_arrow_table()
    return np.stack([table["first"].to_numpy(), table["n"].to_numpy()], axis=1).astype(np.int64)


def _cluster_name(item: str) -> int:
    return int(item[:16], 16)


def _unit(names: Sequence[int], seed: int) -> np.ndarray:
    """A number in [0, 1) for each name."""
    mixed = mix_ids(np.array(names, dtype=np.uint64), seed * 16 + _HOLD_OUT)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


class EmbedStep(Step):
    """Sentence embeddings of some texts."""

    name = "embed"

    def run_task(self, store: Store, task: dict[str, Any]) -> None:
        vectors = Scorer.load().embed(task["texts"])
        np.save(task["out"], vectors.astype(np.float32))


def embeddings(store: Store, texts: list[str], workers: int, progress: Progress) -> np.ndarray:
    """Unit vectors of texts, float32, shape (texts, 384), kept in the store."""
    key = make_key("vectors", 1, texts=texts, encoder=Scorer.load().version)
    if not store.has("vectors", key):
        with store.write("vectors", key) as (folder, meta), store.scratch("vectors") as scratch:
            parts = [texts[i : i + _EMBED_ROWS] for i in range(0, len(texts), _EMBED_ROWS)]
            tasks = [{"texts": part, "out": str(scratch / f"{i}.npy")} for i, part in enumerate(parts)]
            run_step(EmbedStep, store, tasks, workers=workers, progress=progress, label="embed prompts")
            np.save(
                folder / "vectors.npy",
                np.concatenate([np.load(str(task["out"])) for task in tasks])
                if tasks
                else np.zeros((0, 384), np.float32),
            )
            meta.update(texts=len(texts))
    return np.load(store.path("vectors", key) / "vectors.npy")


def _count_principles(table: pa.Table, constitution: Constitution) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for tags in table["principles"].to_pylist():
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + 1
    return [
        {
            "id": principle.id,
            "text": principle.text,
            "sources": [source.model_dump(exclude_none=True) for source in principle.sources],
            "examples": counts.get(principle.id, 0),
        }
        for principle in constitution.principles
    ]


def _outcomes(con: duckdb.DuckDBPyConnection, forms: list[str], out: str) -> None:
    """What became of each candidate: a row each, written to ``out``."""
    uses = []
    if "sft" in forms:
        uses.append("SELECT shard, row, 'selected' AS outcome, id AS example FROM chosen_sft")
    if "pair" in forms:
        uses.append("SELECT shard, row, 'chosen' AS outcome, id AS example FROM chosen_pair")
        uses.append("SELECT shard, other AS row, 'rejected' AS outcome, id AS example FROM chosen_pair")
    if "single" in forms:
        uses.append(
            "SELECT shard, row, CASE WHEN label THEN 'good' ELSE 'poor' END AS outcome, id AS example FROM chosen_single"
        )
    con.execute(f"""
        CREATE TABLE outcomes AS
        SELECT j.shard, j.row, j.id, j.source, j.document, j.never, j.unfit, r.quality,
               coalesce(u.outcome, CASE WHEN j.never IS NOT NULL THEN 'never' WHEN j.unfit IS NOT NULL THEN 'unfit'
                                   ELSE 'not_chosen' END) AS outcome,
               coalesce(j.never, j.unfit) AS reason, u.examples
        FROM judged j LEFT JOIN ranked r USING (shard, row)
        LEFT JOIN (SELECT shard, row, min(outcome) AS outcome, list(DISTINCT example ORDER BY example) AS examples
                   FROM ({" UNION ALL ".join(uses)}) GROUP BY shard, row) u USING (shard, row)
        ORDER BY j.shard, j.row
    """)
    con.execute(f"COPY outcomes TO {text(out)} (FORMAT parquet, COMPRESSION zstd)")


def _ledger(con: duckdb.DuckDBPyConnection, decisions: str) -> list[dict[str, Any]]:
    rows = con.execute(f"""
        SELECT source, outcome, CASE WHEN outcome IN ('never', 'unfit') THEN reason END AS reason, count(*)
        FROM read_parquet({text(decisions)}) GROUP BY ALL ORDER BY ALL
    """).fetchall()
    return [dict(zip(("source", "outcome", "reason", "candidates"), row, strict=True)) for row in rows]


def _baselines(con: duckdb.DuckDBPyConnection, recipe: SetRecipe) -> Baselines:
    pairs = con.sql("""
        SELECT m.item, m.why, m.chosen_reply, m.rejected_reply, m.chosen_support, m.rejected_support, m.chosen_id AS chosen,
               m.rejected_id AS rejected
        FROM material_pair m JOIN chosen_pair c ON c.id = m.item ORDER BY m.item
    """).to_arrow_table()
    votes = con.sql("""
        SELECT id, prompt_id, CASE WHEN higher THEN raw ELSE -raw END AS score FROM judged
        WHERE never IS NULL AND raw IS NOT NULL
          AND prompt_id IN (SELECT m.prompt_id FROM material_pair m JOIN chosen_pair c ON c.id = m.item) ORDER BY id
    """).to_arrow_table()
    return baselines(pairs, votes, recipe.seed)
