"""What many people posted is nobody's own: forgetting one of them leaves it to the others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.authors import AuthorKey
from pipeline.forget.shared import MANY, own_sketches
from pipeline.forget.texts import TextIndex
from pipeline.store import Store
from tests.forget.conftest import prose

KEY = AuthorKey(bytes(range(32)), "test")
PLEDGE = prose(50, 60)
OWN = prose(51, 60)
ASKER = "a" * 32
TURN = pa.struct([("author", pa.string()), ("text", pa.string())])


def store(
    folder: Path, authors: int, *, named: bool = True, turns: bool = False, before: str = "", sources: int = 1
) -> Store:
    """So many posted the pledge, each with words of their own, over two shards."""
    made = Store(folder)
    for shard in range(2):
        rows = []
        for number in range(shard, authors, 2):
            text = f"{prose(100 + number, 8)}\n{before}{PLEDGE}"
            name = hashlib.md5(f"{number}".encode()).hexdigest() if named else None
            said = [{"author": name, "text": text}, {"author": ASKER, "text": prose(300 + number, 30)}]
            rows.append(
                {
                    "id": f"{number:032x}",
                    "author": ASKER if turns else name,
                    "text": "\n".join(turn["text"] for turn in said) if turns else text,
                    "turns": said if turns else None,
                }
            )
        with made.write("documents", f"{shard}" * 32, []) as (out, meta):
            meta["source"] = f"source-{shard % sources}"
            schema = pa.schema([(name, pa.string()) for name in ("id", "author", "text")] + [("turns", pa.list_(TURN))])
            pq.write_table(pa.Table.from_pylist(rows, schema), out / "documents.parquet", row_group_size=3)
    return made


@pytest.mark.parametrize("turns", [False, True])
def test_what_many_posted_stays_with_them(tmp_path: Path, turns: bool) -> None:
    mine = [PLEDGE, f"{PLEDGE} {OWN}", f"{PLEDGE} And so do I, for my son.", prose(52, 40), "I feel sad today."]
    own, shared = own_sketches(store(tmp_path, MANY + 1, turns=turns), mine, set(), KEY)
    assert shared == 1
    index = TextIndex(KEY, own)
    others = pa.array([PLEDGE, f"{prose(7, 30)} {PLEDGE}", f"{PLEDGE} {prose(8, 40)}"])
    assert index.match(others) == []
    copies = pa.array([f"{PLEDGE} {OWN}", OWN, f"{prose(9, 90)} {OWN}", mine[2], mine[3]])
    assert sorted({row for row, _ in index.match(copies)}) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("authors", "made"),
    [
        (MANY, {}),
        # a mirror that names nobody may hold a person's text a hundred times
        (3 * MANY, {"named": False}),
        # who quotes a post has not posted it
        (3 * MANY, {"before": "> "}),
        # the same people in two sources
        (2 * MANY, {"sources": 2}),
    ],
)
def test_what_few_posted_is_theirs(tmp_path: Path, authors: int, made: dict) -> None:
    own, shared = own_sketches(store(tmp_path, authors, **made), [PLEDGE], set(), KEY)
    assert shared == 0
    assert TextIndex(KEY, own).match(pa.array([PLEDGE, OWN])) == [(0, 0)]


def test_who_answers_in_the_thread_is_not_counted(tmp_path: Path) -> None:
    there = store(tmp_path, 3 * MANY)
    ids = {f"{number:032x}" for number in range(3 * MANY)}
    assert own_sketches(there, [PLEDGE], ids, KEY)[1] == 0 and own_sketches(there, [PLEDGE], set(), KEY)[1] == 1


def test_a_signature_is_in_few_sketches(tmp_path: Path) -> None:
    # else each of a thousand posts would be compared with a thousand sketches
    posts = [f"{prose(1_000 + number, 30)} {PLEDGE}" for number in range(4 * MANY)]
    own, shared = own_sketches(store(tmp_path, 2), posts, set(), KEY)
    index = TextIndex(KEY, own)
    assert (len(own), shared) == (len(posts), 0)
    assert {row for row, _ in index.match(pa.array(posts))} == set(range(len(posts)))
    assert len(index.match(pa.array([PLEDGE]))) <= MANY
