"""The columns a condition about candidates can name: in a recipe of a set, and in a constitution."""

from __future__ import annotations

from functools import lru_cache

from classifiers.conduct import SCHEMA as CONDUCT
from classifiers.scorer import Scorer
from classifiers.taxonomy import BEHAVIOURS, FACETS, STANCE
from pipeline.catalog import SQL_TYPES

#: What is scored of a candidate, each with all of the classifiers' columns.
ASPECTS = ("prompt", "reply", "exchange")

#: Columns of a candidate itself.
OWN = {
    "prompt": "VARCHAR", "reply": "VARCHAR", "system": "VARCHAR", "source": "VARCHAR", "kind": "VARCHAR", "language": "VARCHAR",
    "license": "VARCHAR", "author_kind": "VARCHAR", "situation": "VARCHAR", "turns": "INTEGER", "last": "BOOLEAN", "skip": "INTEGER",
    "opening": "VARCHAR", "prompt_words": "INTEGER",
    "reply_words": "INTEGER", "reply_tokens": "INTEGER", "tokens": "INTEGER", "why": "VARCHAR", "raw": "FLOAT", "merit": "FLOAT",
    "reply_quality": "FLOAT",
}  # fmt: skip


@lru_cache(maxsize=1)
def score_columns() -> dict[str, str]:
    """The classifiers' numbers -> SQL type."""
    return {field.name: SQL_TYPES[field.type] for field in Scorer.load().schema if field.name != "tier"}


#: The threshold that is best for a rare behaviour (.02 for dismisses) makes its name mean little on a single reply.
_LOWEST = 0.2


@lru_cache(maxsize=1)
def behaviour_cuts() -> dict[str, float]:
    """Behaviour -> probability from which a reply shows it: the classifiers' own thresholds, but none below :data:`_LOWEST`."""
    cuts = Scorer.load().thresholds
    return {name: max(cuts.get(f"behaviour_{name}", 0.5), _LOWEST) for name in BEHAVIOURS}


def present(behaviour: str) -> str:
    """SQL: the reply shows this behaviour."""
    return f"behaviour_{behaviour} >= {behaviour_cuts()[behaviour]}"


def derived_columns() -> dict[str, tuple[str, str]]:
    """Merged columns -> (SQL over a candidate's tables, SQL type).

    A behaviour is what the corpus codes where it codes it, else what the classifiers see in the reply. Facets are those of the
    exchange, stance and disclosure those of the person who asks. Null where the classifiers abstain.
    """
    columns = {"support": ("exchange_support", "FLOAT")}
    for name in BEHAVIOURS:
        coded = f"CASE WHEN list_contains(coded, '{name}') THEN list_contains(moves, '{name}')::FLOAT ELSE reply_behaviour_{name} END"
        columns[f"behaviour_{name}"] = (coded, "FLOAT")
    columns |= {f"facet_{name}": (f"exchange_facet_{name}", "FLOAT") for name in FACETS}
    columns |= {f"stance_{name}": (f"prompt_stance_{name}", "FLOAT") for name in STANCE}
    columns["disclosure"] = ("prompt_safety_disclosure", "FLOAT")
    columns["harm"] = ("greatest(prompt_safety_harm, reply_safety_harm)", "FLOAT")
    return columns


@lru_cache(maxsize=1)
def candidate_columns() -> dict[str, str]:
    """Column -> SQL type of everything a condition about candidates can name."""
    scores = {f"{aspect}_{name}": kind for aspect in ASPECTS for name, kind in score_columns().items()}
    conduct = {field.name: SQL_TYPES[field.type] for field in CONDUCT}
    return OWN | scores | conduct | {name: kind for name, (_, kind) in derived_columns().items()}
