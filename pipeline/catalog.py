"""The columns a condition in a recipe can name: what a catalog holds, and what planning derives from it."""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from classifiers.scorer import Scorer
from classifiers.taxonomy import FACETS, STANCE
from pipeline.attributes import DOCUMENT_COLUMNS, TOKENS_SCHEMA
from pipeline.quality import MEASURES

#: Arrow type of a column -> its type in SQL.
SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.float32(): "FLOAT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint64(): "UBIGINT",
    pa.bool_(): "BOOLEAN",
}

#: How near a document comes to an evaluation item, hit or not; null where a recipe looks for none.
OVERLAP_COLUMNS = pa.schema([("contamination_ngrams", pa.int32()), ("contamination_cover", pa.float32())])

_STANCES = ", ".join(f"stance_{name}" for name in STANCE)

#: Derived column -> (SQL over the catalog, SQL type); null where the classifiers abstain.
DERIVED_COLUMNS: dict[str, tuple[str, str]] = {
    "stance": (
        "CASE " + " ".join(f"WHEN stance_{name} = greatest({_STANCES}) THEN '{name}'" for name in STANCE) + " END",
        "VARCHAR",
    ),
}


@lru_cache(maxsize=1)
def facet_cuts() -> dict[str, float]:
    """Facet -> probability from which it counts as present: the classifiers' own thresholds, whatever the effort."""
    cuts = Scorer.load().thresholds
    return {name: cuts.get(f"facet_{name}", 0.5) for name in FACETS}


@lru_cache(maxsize=1)
def condition_columns() -> dict[str, str]:
    """Column -> SQL type of everything a ``where`` can name."""
    fields = [*DOCUMENT_COLUMNS, *MEASURES, *Scorer.load().schema, *TOKENS_SCHEMA, *OVERLAP_COLUMNS]
    columns = {
        field.name: SQL_TYPES[field.type] for field in fields if field.name not in ("uid", "record", "content", "row")
    }
    return columns | {name: kind for name, (_, kind) in DERIVED_COLUMNS.items()} | {"cluster_size": "INTEGER"}
