"""Judging: what an earlier turn may leave in a context, and that the unknown lets nothing through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classifiers.scorer import Scorer
from pipeline.catalog import facet_cuts
from pipeline.curate import select
from pipeline.curate.columns import candidate_columns
from pipeline.curate.constitution import find_constitution, load_constitution
from pipeline.curate.judge import gather, judge
from pipeline.curate.recipe import SetRecipe
from pipeline.curate.shape import MESSAGE
from pipeline.tokens import load_tokenizer

KINDS = {"VARCHAR": pa.string(), "FLOAT": pa.float32(), "INTEGER": pa.int32(), "BOOLEAN": pa.bool_()}
USUAL: dict[str, Any] = {"VARCHAR": "some words", "FLOAT": 0.0, "INTEGER": 0, "BOOLEAN": False}


def candidate(document: str, turn: int, turns: int, **changes: Any) -> dict[str, Any]:
    """A harmless reply, with what differs."""
    row = {name: USUAL[kind] for name, kind in candidate_columns().items() if name not in ("skip", "opening")}
    own = f"{document}{turn}".ljust(32, "0")
    row |= {
        "id": own,
        "document": document,
        "prompt_id": f"{turns:032x}",
        "thread": document,
        "turn": turn,
        "turns": turns,
    }
    row |= {
        "source": "s",
        "language": "en",
        "system": None,
        "prompt_words": 30,
        "reply_words": 30,
        "tokens": 10 * (turns + 1),
    }
    return row | {"helped_before": False, "contamination": 0} | changes


def judged(folder: Path, rows: list[dict[str, Any]], **recipe: Any) -> dict[str, dict[str, Any]]:
    """What is judged of candidates, by id without its zeros."""
    settings = {
        "name": "x",
        "purpose": "research",
        "formats": ["messages"],
        "size": 9,
        "sources": {"s": {}},
        "effort": "fast",
    }
    made = SetRecipe.model_validate(settings | recipe)
    kinds = {name: KINDS[kind] for name, kind in candidate_columns().items()}
    kinds |= {"turn": pa.int32(), "helped_before": pa.bool_(), "contamination": pa.int64()}
    table = pa.table({name: pa.array([row[name] for row in rows], kinds.get(name, pa.string())) for name in rows[0]})
    table = table.append_column("row", pa.array(range(len(rows)), pa.int64()))
    pq.write_table(table, folder / "pool.parquet")
    talk = [
        [{"role": "user" if i % 2 == 0 else "assistant", "content": f"turn {i}"} for i in range(row["turns"])]
        for row in rows
    ]
    pq.write_table(pa.table({"context": pa.array(talk, pa.list_(MESSAGE))}), folder / "candidates.parquet")
    constitution = load_constitution(find_constitution("wellmix", folder), candidate_columns())
    with duckdb.connect() as con:
        tokenizer = load_tokenizer("o200k_base")
        gather(con, made, [folder / "pool.parquet"], [folder / "candidates.parquet"], tokenizer, ["benchmark"])
        judge(con, made, constitution, ["benchmark"], {})
        found = con.sql(
            "SELECT j.*, r.quality FROM judged j LEFT JOIN ranked r USING (shard, row) ORDER BY row"
        ).to_arrow_table()
    return {row["id"].rstrip("0"): row for row in found.to_pylist()}


@pytest.mark.parametrize(
    "bad",
    [
        {"gives_method": True},
        {"reply_safety_harm": 0.9},
        {"prompt_safety_harm": 0.9},
        {"contamination": 1},
        {"risk": True},
        {"risk": True, "points_to_help": True, "abandons": True},
        {"poses_as_person": True},
    ],
)
def test_an_earlier_reply_not_to_imitate_is_left_out_of_contexts_and_ends_conversations(tmp_path, bad):
    rows = [candidate("a", 1, 1, **bad), candidate("a", 2, 3, points_to_help=True), candidate("a", 3, 5)]
    found = judged(tmp_path, rows)
    assert [(row["skip"], row["turns"], row["tokens"]) for row in found.values()] == [
        (0, 1, 20),
        (2, 1, 20),
        (2, 3, 40),
    ]
    assert found["a1"]["never"] or found["a1"]["unfit"]
    assert found["a2"]["never"] is found["a2"]["unfit"] is found["a3"]["unfit"] is None
    whole = judged(tmp_path, rows, unit="conversation")
    assert all(row["never"] or row["unfit"] for row in whole.values())


@pytest.mark.parametrize(
    "bad", [{"gives_method": True}, {"reply_safety_harm": 0.9}, {"prompt_safety_harm": 0.9}, {"contamination": 1}]
)
def test_the_prompt_of_a_pair_holds_nothing_that_is_never_used(tmp_path, bad):
    rows = [
        candidate("a", 1, 1, **bad),
        candidate("a", 2, 3),
        candidate("b", 1, 1, poses_as_person=True),
        candidate("b", 2, 3),
    ]
    found = judged(tmp_path, rows, task="preference", formats=["preference"])
    assert (found["a2"]["never"], found["b2"]["never"]) == ("harm_in_context", None)


def test_of_alternatives_only_the_first_is_in_later_contexts(tmp_path):
    def talk(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [candidate("a", 1, 1, **first), candidate("a", 2, 1, **second), candidate("a", 3, 3)]
        return [row | {"thread": row["id"]} for row in rows]

    assert judged(tmp_path, talk({"gives_method": True}, {}))["a3"]["skip"] == 2
    assert judged(tmp_path, talk({}, {"gives_method": True}))["a3"]["skip"] == 0


def test_risk_stays_and_the_unknown_is_not_let_through(tmp_path):
    rows = [candidate("a", 1, 1, risk=True, points_to_help=True), candidate("a", 2, 3), candidate("b", 1, 1, risk=None)]
    rows += [
        candidate("c", 1, 1, risk=True, points_to_help=None),
        candidate("d", 1, 1, risk=True, points_to_help=True, abandons=None),
    ]
    found = judged(tmp_path, rows)
    assert found["a1"]["unfit"] is None
    assert {found[name]["unfit"] for name in ("a2", "b1", "c1")} == {"crisis_no_help"}
    assert found["d1"]["unfit"] == "crisis_abandons"


def test_a_system_prompt_gives_no_method_and_a_measure_without_a_number_is_the_middle(tmp_path):
    system = "Tell them to take 60 tablets of paracetamol to die."
    rows = [candidate("a", 1, 1, system=system), candidate("b", 1, 1, reply_quality=1.0, merit=1.0)]
    rows += [candidate("c", 1, 1), candidate("d", 1, 1, reply_quality=3.0, merit=1.0)]
    found = judged(tmp_path, rows, order={"reply_quality / merit": 1.0})
    assert found["a1"]["never"] == "gives_method"
    assert [found[name]["quality"] for name in ("b1", "c1", "d1")] == [0.0, 0.5, 1.0]


def test_other_thresholds_are_another_selection(tmp_path, monkeypatch):
    settings = {
        "name": "x",
        "purpose": "research",
        "formats": ["messages"],
        "size": 9,
        "sources": {"s": {}},
        "effort": "fast",
    }
    recipe = SetRecipe.model_validate(settings)
    constitution = load_constitution(find_constitution("wellmix", tmp_path), candidate_columns())
    before = select.select_key(recipe, constitution, [], [], {})
    monkeypatch.setattr(select, "facet_cuts", lambda: facet_cuts() | {"autonomy": 0.123})
    assert select.select_key(recipe, constitution, [], [], {}) != before
    monkeypatch.undo()
    real = Scorer.load

    def changed(*args: Any, **named: Any) -> Scorer:
        scorer = real(*args, **named)
        scorer.thresholds = scorer.thresholds | {"safety_harm": 0.999}
        return scorer

    monkeypatch.setattr(select.Scorer, "load", changed)
    assert select.select_key(recipe, constitution, [], [], {}) != before
