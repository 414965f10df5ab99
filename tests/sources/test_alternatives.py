"""Options of the field mapping for replies that are judged: siblings of a tree, ratings, constant labels, better answers."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from pydantic import ValidationError

from sources.document import Bad, Turn
from sources.readers.fields import Fields
from tests.sources.tabular import read, reader, reasons, ref

TREE = {"path": "prompt", "rank": "rank", "role": "role", "roles": {"prompter": "user", "assistant": "assistant"}}


def message(text: str, role: str = "assistant", rank: int | None = None, *replies: dict) -> dict:
    return {"text": text, "role": role, "rank": rank, "replies": list(replies)}


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def tree(tmp_path):
    inner = message("and then?", "prompter", None, message("this", rank=1), message("that", rank=0))
    root = message(
        "q",
        "prompter",
        None,
        message("best", rank=0) | {"replies": [inner]},
        message("unranked"),
        message("worse", rank=1) | {"replies": [message("lone?", "prompter", None, message("only", rank=0))]},
    )
    return lines(tmp_path / "trees.jsonl", {"id": "t1", "prompt": root, "lang": "en"})


def test_each_set_of_ranked_siblings_is_a_record(tree):
    spec = TREE | {"siblings": "assistant", "labels": ["rank"]}
    records, bad = read("jsonl", tree, key="id", turn_tree=spec, extra=["lang"])
    assert not bad
    assert [(r.key, r.origin, r.extra) for r in records] == [
        ("t1/0", "trees.jsonl#byte=0&reply=0", {"lang": "en"}),
        ("t1/0.0.0", "trees.jsonl#byte=0&reply=0.0.0", {"lang": "en"}),
    ]
    assert [(t.role, t.text, t.labels.get("rank")) for t in records[0].turns] == [
        ("user", "q", None),
        ("assistant", "best", 0),
        ("assistant", "worse", 1),
    ]
    assert [(t.role, t.text, t.labels.get("rank")) for t in records[1].turns] == [
        ("user", "q", None),
        ("assistant", "best", 0),
        ("user", "and then?", None),
        ("assistant", "this", 1),
        ("assistant", "that", 0),
    ]


def test_without_siblings_the_best_way_is_read_as_before(tree):
    records, _ = read("jsonl", tree, key="id", turn_tree=TREE)
    assert [[t.text for t in r.turns] for r in records] == [["q", "best", "and then?", "that"]]


def test_an_empty_message_on_the_way_is_bad_and_the_rest_is_read(tmp_path):
    empty = message("", "prompter", None, message("a", rank=0), message("b", rank=1))
    root = message("q", "prompter", None, message("x", rank=0), message("y", rank=1) | {"replies": [empty]})
    path = lines(tmp_path / "a.jsonl", {"prompt": root})
    records, bad = read("jsonl", path, turn_tree=TREE | {"siblings": "assistant"})
    assert [r.key for r in records] == ["a.jsonl#byte=0/0"]
    assert [(b.reason, b.origin) for b in bad] == [("empty", "a.jsonl#byte=0&reply=0.1.0")]


def test_a_tree_that_is_none_makes_nothing(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"prompt": None}, {"prompt": message("q", "prompter")})
    assert read("jsonl", path, turn_tree=TREE | {"siblings": "assistant"}) == ([], [])


def test_memory_of_siblings_is_that_of_one_record(tmp_path):
    """900 pairs at the ends of ways of some 6 KB: all records at once would be above 5 MB."""
    words = "word " * 20
    deep = message(words, "prompter")
    for _ in range(60):
        ends = [message(words, "prompter", None, message(words, rank=0), message(words, rank=1)) for _ in range(15)]
        deep = message(words, "prompter", None, message(words) | {"replies": [deep, *ends]})
    path = lines(tmp_path / "a.jsonl", {"prompt": deep})
    made = reader("jsonl", turn_tree=TREE | {"siblings": "assistant"})
    (split,) = made.splits([ref(path)], 1 << 30)
    count = 0
    tracemalloc.start()
    for item in made.read(split):
        assert not isinstance(item, Bad)
        if count == 0:
            tracemalloc.reset_peak()
            base = tracemalloc.get_traced_memory()[0]
        count += 1
    peak = tracemalloc.get_traced_memory()[1] - base
    tracemalloc.stop()
    assert count == 900
    assert peak < 2 << 20


def test_constant_labels_say_what_a_column_means(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"p": "q", "yes": "good one", "no": "bad one", "why": "kind"})
    turns = [
        {"role": "user", "text": "p"},
        {"role": "assistant", "text": "yes", "set": {"verdict": "good"}, "labels": ["why"]},
        {"role": "assistant", "text": "no", "set": {"verdict": "bad", "made": True}},
    ]
    records, _ = read("jsonl", path, turns=turns)
    assert [t.labels for t in records[0].turns] == [
        {},
        {"why": "kind", "verdict": "good"},
        {"verdict": "bad", "made": True},
    ]


def test_who_speaks_in_a_column_and_lines_labelled_twice(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "session,line,who,text,code,coder\n"
        "s,10,therapist,ten,q,1\ns,2,client,two,n/a,1\ns,2,client,two,n/a,2\ns,10,therapist,ten,r,2\nt,1,driver,hm,q,1\n",
        "utf-8",
    )
    options = {
        "group": {"by": "session", "order": ["line"], "once": ["line"]},
        "turns": [
            {
                "role": "who",
                "roles": {"therapist": "supporter", "client": "seeker"},
                "text": "text",
                "labels": ["code"],
            }
        ],
        "values": {"code": {"n/a": None}},
    }
    records, bad = read("csv", path, **options)
    assert records[0].turns == [Turn("seeker", "two"), Turn("supporter", "ten", None, {"code": "q"})]
    assert reasons(bad) == ["unknown_role"]


def test_a_rating_is_given_to_the_replies_it_rates(tmp_path):
    talk = [
        ("s", 1, None),
        ("h", 2, None),
        ("h", 3, None),
        ("s", 4, "5"),
        ("s", 5, None),
        ("h", 6, None),
        ("s", 7, "1"),
    ]
    talk += [("s", 8, "2"), ("h", 9, None)]
    row = {"d": [{"who": who, "text": str(text), "stars": stars} for who, text, stars in talk]}
    spec = {
        "path": "d",
        "role": "who",
        "roles": {"s": "seeker", "h": "supporter"},
        "labels": ["stars"],
        "looks_back": {"stars": "supporter"},
    }
    records, _ = read("jsonl", lines(tmp_path / "a.jsonl", row), turn_list=spec)
    assert [(t.text, t.labels.get("stars")) for t in records[0].turns] == [
        *(("1", None), ("2", "5"), ("3", "5"), ("4", "5"), ("5", None)),
        *(("6", "1"), ("7", "1"), ("8", "2"), ("9", None)),
    ]


PROMPT = (
    "Give feedback.\n\n### Input:\nSeeker: I am low\nHelper: Cheer up\n\n### Response:\n"
    '{"perfect": false, "alternative": "What is it like?", "areas": ["Empathy"]}'
)
CRITIQUE = {
    "derive": {
        "talk": {"column": "text", "match": r"(?s)### Input:\s*(.*?)\s*### Response:"},
        "judged": {"column": "text", "match": r"(?s)### Response:\s*(\{.*\})", "type": "json"},
    },
    "turn_lines": {"column": "talk", "roles": {"Seeker": "seeker", "Helper": "supporter"}},
    "last": {"perfect": "judged.perfect", "areas": "judged.areas"},
    "then": [{"role": "supporter", "text": "judged.alternative", "set": {"perfect": True}}],
}


def test_a_judged_reply_and_the_better_one(tmp_path):
    perfect = PROMPT.replace("false", "true").replace('"alternative": "What is it like?", ', "")
    broken = PROMPT.replace("]}", "}")
    path = lines(tmp_path / "a.jsonl", {"text": PROMPT}, {"text": perfect}, {"text": broken}, {"text": "nothing"})
    records, bad = read("jsonl", path, **CRITIQUE)
    assert [r.turns for r in records] == [
        [
            Turn("seeker", "I am low"),
            Turn("supporter", "Cheer up", None, {"perfect": False, "areas": ["Empathy"]}),
            Turn("supporter", "What is it like?", None, {"perfect": True}),
        ],
        [Turn("seeker", "I am low"), Turn("supporter", "Cheer up", None, {"perfect": True, "areas": ["Empathy"]})],
    ]
    assert reasons(bad) == ["invalid_value", "missing_field"]


def test_row_readers_fetch_the_columns_of_what_was_derived(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('n,text,other\n1,"' + PROMPT.replace('"', '""') + '",x\n', "utf-8")
    records, bad = read("csv", path, key="n", **CRITIQUE)
    assert not bad
    assert [t.text for t in records[0].turns] == ["I am low", "Cheer up", "What is it like?"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"turn_tree": {"role": "r", "siblings": "assistant"}}, "give both"),
        ({"turn_tree": {"siblings": "a", "rank": "k", "role": "r"}, "group": {"by": "x"}}, "do not go with group"),
        ({"turn_tree": {"siblings": "a", "rank": "k", "role": "r"}, "last": ["x"]}, "do not go with siblings"),
        ({"text": "a", "last": ["x"]}, "then and last go with"),
        ({"turns": [{"role": "user", "text": "a"}], "then": [{"role": "user", "text": "b"}]}, "then and last go with"),
        ({"turns": [{"role": ["a", "b"], "roles": {"x": "y"}, "text": "t"}]}, "the one field that tells"),
    ],
)
def test_options_that_make_no_sense(options, says):
    with pytest.raises(ValidationError) as error:
        Fields.model_validate(options)
    assert says in str(error.value)
