"""The field mapping that all tabular readers share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from sources.document import Bad, Record, Turn
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, stem
from sources.readers.mending import detokenize, html_to_text, parse_time, unescape_r, unglue, unmojibake


def make(row: dict, **options) -> Record | Bad | None:
    return Mapper(Fields(**options)).record(row, "a/posts.csv.gz", "a/posts.csv.gz#row=1")


def test_plain_column_and_everything_beside_it():
    row = {"t": "  Good news. ", "id": 7, "who": "kim", "when": "1500000000", "meta": {"votes": 3, "tags": []}}
    made = make(
        row,
        text="t",
        key=["_file", "id"],
        author="who",
        created="when",
        extra={"votes": "meta.votes", "tags": "meta.tags"},
    )
    assert made == Record(
        "posts/7",
        "a/posts.csv.gz#row=1",
        "  Good news. ",
        "kim",
        datetime(2017, 7, 14, 2, 40, tzinfo=UTC),
        None,
        {"votes": 3},
    )


def test_key_defaults_to_the_locator():
    assert make({"t": "x"}, text="t").key == "a/posts.csv.gz#row=1"


@pytest.mark.parametrize(
    ("row", "text"),
    [({"a": "Title", "b": "Body"}, "Title\n\nBody"), ({"a": "", "b": "Body"}, "Body"), ({"a": "Title"}, "Title")],
)
def test_template_leaves_no_trace_of_missing_parts(row, text):
    assert make(row, text="{a}\n\n{b}").text == text


@pytest.mark.parametrize(
    ("row", "options", "reason", "named"),
    [
        ({"x": "1"}, {"text": "t"}, "missing_field", "'t'"),
        ({"t": None}, {"text": "t"}, "missing_field", "'t'"),
        ({"t": " \n"}, {"text": "t"}, "empty", "'t'"),
        ({"t": {"a": 1}}, {"text": "t"}, "wrong_type", "'t'"),
        ({"t": "x"}, {"text": "t", "key": "id"}, "missing_field", "'id'"),
        ({"t": "x", "l": "{"}, {"text": "t", "decode": {"l": "json"}}, "invalid_value", "'l'"),
        ({"d": "no list"}, {"turn_list": {"path": "d"}}, "missing_field", "'d'"),
        ({"d": [3]}, {"turn_list": {"path": "d", "alternate": ["user"]}}, "wrong_type", "item 0"),
        (
            {"d": [{"text": "secret", "r": "odd"}]},
            {"turn_list": {"path": "d", "role": "r", "roles": {"a": "user"}}},
            "unknown_role",
            "item 0",
        ),
        ({"d": "hello"}, {"turn_lines": {"column": "d", "roles": {"A": "user"}}}, "unknown_role", "first line"),
    ],
)
def test_bad_records_name_the_field_and_never_the_text(row, options, reason, named):
    made = make(row, **options)
    assert isinstance(made, Bad)
    assert made.reason == reason
    assert named in made.detail
    assert "secret" not in made.detail


def test_keep_takes_rows_by_glob():
    options = {"text": "t", "keep": {"s": ["reddit *"]}}
    assert make({"t": "x", "s": "reddit sleep"}, **options) is not None
    assert make({"t": "x", "s": "other"}, **options) is None


def test_decode_values_numbers_and_derive():
    made = make(
        {"t": "x", "l": "2, 5", "p": "['calm', 'hope']", "n": "0.5", "bad": "n/a", "id": "doc9_12_40"},
        text="t",
        decode={"l": ",", "p": "literal"},
        values={"l": {"2": "joy"}},
        numbers=["n", "bad"],
        derive={
            "doc": {"column": "id", "match": r"^(.+)_\d+_\d+$"},
            "start": {"column": "id", "match": r"_(\d+)_", "type": "number"},
        },
        extra=["l", "p", "n", "bad", "doc", "start"],
    )
    assert made.extra == {"l": ["joy", "5"], "p": ["calm", "hope"], "n": 0.5, "doc": "doc9", "start": 12}


def test_deleted_author_is_nobody():
    assert make({"t": "x", "a": "[deleted]"}, text="t", author="a").author is None


def test_turns_from_columns():
    made = make(
        {"q": "How?", "a": "So.", "who": "Dr K", "votes": 4, "none": ""},
        turns=[
            {"role": "seeker", "text": "q"},
            {"role": "supporter", "text": "none"},
            {"role": "supporter", "text": "a", "author": "who", "labels": ["votes"]},
        ],
    )
    assert made.turns == [Turn("seeker", "How?"), Turn("supporter", "So.", "Dr K", {"votes": 4})]
    assert made.text == ""


def test_turn_list_of_objects_with_roles_and_labels():
    row = {
        "d": {
            "talk": [
                {"c": " Hi ", "s": "usr"},
                {"c": "Hello", "s": "sys", "note": {"kind": "ask"}},
                {"c": "", "s": "usr"},
            ]
        }
    }
    made = make(
        row,
        turn_list={
            "path": "d.talk",
            "text": "c",
            "role": "s",
            "roles": {"usr": "seeker", "sys": "supporter"},
            "labels": {"kind": "note.kind"},
        },
    )
    assert made.turns == [Turn("seeker", "Hi"), Turn("supporter", "Hello", None, {"kind": "ask"})]


def test_turn_list_of_texts_with_parallel_speakers_numbers_them():
    made = make({"d": ["a", "b", "c"], "w": ["Ann", "Bo", "Ann"]}, turn_list={"path": "d", "speakers": "w"})
    assert [turn.role for turn in made.turns] == ["speaker_1", "speaker_2", "speaker_1"]


def test_turn_tree_follows_the_best_ranked_reply():
    def leaf(text, rank):
        return {"text": text, "role": "bot", "rank": rank, "replies": []}

    tree = {"text": "Q", "role": "me", "replies": [leaf("worse", 1), leaf("unranked", None), leaf("best", 0)]}
    made = make(
        {"p": tree},
        turn_tree={
            "path": "p",
            "role": "role",
            "roles": {"me": "user", "bot": "assistant"},
            "rank": "rank",
            "labels": ["rank"],
        },
    )
    assert made.turns == [Turn("user", "Q"), Turn("assistant", "best", None, {"rank": 0})]


def test_turn_lines_go_on_with_the_turn_before():
    text = '"Doctor: How are you?\r\nPATIENT：Tired.\nVery.\n\nDoctor: I see.'
    made = make({"d": text}, turn_lines={"column": "d", "roles": {"Doctor": "supporter", "Patient": "seeker"}})
    assert made.turns == [
        Turn("supporter", "How are you?"),
        Turn("seeker", "Tired.\nVery."),
        Turn("supporter", "I see."),
    ]


def test_turn_lines_without_speakers_alternate():
    made = make(
        {"d": "- - One .\n- Two ."},
        turn_lines={"column": "d", "alternate": ["speaker_1", "speaker_2"], "strip": "- "},
        detokenize=True,
    )
    assert made.turns == [Turn("speaker_1", "One."), Turn("speaker_2", "Two.")]


def test_glued_turns_are_parted():
    row = {
        "all": "I lost my keys todayoh no, where?In the park. It rained! Did you find them?No",
        "mine": "I lost my keys todayIn the park. It rained! No",
        "who": [0, 1, 0, 1, 0],
    }
    made = make(row, turn_glued={"text": "all", "part": "mine", "speakers": "who"})
    assert [turn.text for turn in made.turns] == [
        "I lost my keys today",
        "oh no, where?",
        "In the park. It rained!",
        "Did you find them?",
        "No",
    ]
    assert [turn.role for turn in made.turns] == ["seeker", "supporter"] * 2 + ["seeker"]


def test_unglue_tells_when_no_cut_fits():
    assert unglue("aaabbb", "ccc", [True, False]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "where the text is"),
        ({"turns": [{"role": "a", "text": "b"}], "turn_list": {"path": "c"}}, "only one of"),
        ({"turn_lines": {"column": "d"}}, "either roles"),
        ({"text": "a", "colour": 1}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Fields(**options)


def test_columns_are_the_fields_that_must_be_read():
    fields = Fields(
        text="{title} {body}",
        key=["_file", "id"],
        author="who",
        extra={"doc": "doc", "mood": "meta.mood"},
        keep={"lang": ["en"]},
        decode={"meta": "json"},
        derive={"doc": {"column": "path", "match": "x"}},
        group={"by": "thread", "order": ["n"], "collect": ["score"]},
    )
    assert Mapper(fields).columns() == {"title", "body", "id", "who", "meta", "lang", "path", "thread", "n", "score"}


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1500000000, datetime(2017, 7, 14, 2, 40, tzinfo=UTC)),
        (1500000000000, datetime(2017, 7, 14, 2, 40, tzinfo=UTC)),
        ("1500000000.0", datetime(2017, 7, 14, 2, 40, tzinfo=UTC)),
        ("2019/05/26", datetime(2019, 5, 26, tzinfo=UTC)),
        ("2019-05-26T12:00:00+02:00", datetime(2019, 5, 26, 10, tzinfo=UTC)),
        ("2019-05-26T12:00:00Z", datetime(2019, 5, 26, 12, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (True, None),
        (1e300, None),
    ],
)
def test_parse_time(value, moment):
    assert parse_time(value) == moment


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("I do n't know ; it 's mine .", "I don't know; it's mine."),
        ("You 're right , I can 't stop !", "You're right, I can't stop!"),
        ("`` no proof '' that ( any ) came", '"no proof" that (any) came'),
        ('he said " hello there " and left .', 'he said "hello there" and left.'),
        ('a " lone mark', 'a " lone mark'),
        ("one . \ntwo .", "one.\ntwo."),
    ],
)
def test_detokenize(raw, text):
    assert detokenize(raw) == text


def test_html_becomes_paragraphs():
    assert (
        html_to_text("<p>One &#34;two&#34;.<br>Three</p><ul><li>a</li><li>b</li></ul><p>End</p>")
        == 'One "two".\nThree\n\n- a\n- b\n\nEnd'
    )
    assert html_to_text("a < b and plain") == "a < b and plain"


def test_characters_that_others_broke_are_restored():
    assert unescape_r("I<U+0092>m <U+00E9> <U+0001F600> <U+D800>") == "I’m é 😀 <U+D800>"
    broken = "it’s fine".encode().decode("mac_roman").encode().decode("mac_roman")
    assert unmojibake(broken, "mac_roman") == "it’s fine"
    assert unmojibake("café", "mac_roman") == "café"


def test_stem():
    assert stem("a/b/posts.jsonl.gz") == "posts"
