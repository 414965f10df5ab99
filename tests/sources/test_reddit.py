"""Fixtures follow the fields of Pushshift and Arctic Shift dumps; all words and names in them are made up."""

import random

import orjson
import pytest
import zstandard

from sources.document import Bad, Record
from sources.readers.base import FileRef
from sources.readers.reddit import RedditReader, is_bot, tidy


def submission(native: str, **fields) -> dict:
    return {
        "id": native, "name": f"t3_{native}", "author": "op", "created_utc": 1_700_000_000, "title": f"Title {native}",
        "selftext": "I do not know where to start.", "subreddit": "quietcorner", "score": 5, "over_18": False, "is_self": True,
        "distinguished": None, "stickied": False, "link_flair_text": None, "removed_by_category": None, "num_comments": 2,
    } | fields  # fmt: skip


def comment(native: str, thread: str, parent: str | None = None, **fields) -> dict:
    return {
        "id": native, "link_id": f"t3_{thread}", "parent_id": f"t1_{parent}" if parent else f"t3_{thread}",
        "author": f"u_{native}",
        "created_utc": 1_700_000_100, "body": f"Words of {native}.", "score": 1, "subreddit": "quietcorner",
        "distinguished": None, "stickied": False, "controversiality": 0,
    } | fields  # fmt: skip


def dump(*rows: dict | bytes) -> bytes:
    """As the dumps are written: JSON lines, zstd with a window of 2^31 (the frame's header says so even for few bytes)."""
    lines = b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows)
    parameters = zstandard.ZstdCompressionParameters(window_log=31, compression_level=3, enable_ldm=True)
    out = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return out.compress(lines) + out.flush()


def files(rows: list[dict], replies: list[dict]) -> dict[str, bytes]:
    return {"d/RC_2024-01.zst": dump(*replies), "d/RS_2024-01.zst": dump(*rows)}


def test_a_thread(load):
    replies = [
        comment("c4", "s1", "c2", body="A reply &amp; more."),
        comment("c1", "s1", score=2),
        comment("c2", "s1", score=9, created_utc="1700000050"),
        comment("c3", "s1", "c2", author="op", body="Thank [you](https://example.org/x)."),
        comment("c5", "s1", "gone", score=0),
    ]
    (record,) = load("reddit", files([submission("s1", link_flair_text="Advice")], replies))
    assert record.key == "t3_s1"
    assert record.origin == "d/RS_2024-01.zst#t3_s1"
    assert record.created.year == 2023
    assert record.author == "op"
    assert record.extra == {
        "subreddit": "quietcorner",
        "comments": 5,
        "title": "Title s1",
        "score": 5,
        "flair": "Advice",
    }
    assert [(t.role, t.text, t.author, t.labels) for t in record.turns] == [
        ("poster", "Title s1\n\nI do not know where to start.", "op", {"score": 5}),
        ("commenter", "Words of c2.", "u_c2", {"score": 9, "depth": 0, "parent": 0}),
        ("poster", "Thank you.", "op", {"score": 1, "depth": 1, "parent": 1}),
        ("commenter", "A reply & more.", "u_c4", {"score": 1, "depth": 1, "parent": 1}),
        ("commenter", "Words of c1.", "u_c1", {"score": 2, "depth": 0, "parent": 0}),
        ("commenter", "Words of c5.", "u_c5", {"score": 0, "depth": 0}),
    ]


def test_what_is_left_out(load):
    rows = [
        submission("s1"),
        submission("s2", over_18=True),
        submission("s3", title="[deleted]"),
        submission("s4", author="AutoModerator"),
    ]
    replies = [
        comment("c1", "s1", body="[removed]"),
        comment("c2", "s1", author="AutoModerator"),
        comment("c3", "s1", author="helpful_bot"),
        comment("c4", "s1", author="[deleted]"),
        comment("c5", "s1", distinguished="moderator", stickied=True),
        comment("c6", "s1", body=None),
        comment("c7", "s2"),
        comment("c8", "s3"),
        comment("c9", "s4"),
    ]
    (record,) = load("reddit", files(rows, replies))
    assert [t.text for t in record.turns[1:]] == ["Words of c4."]
    assert record.turns[1].author is None
    assert len(load("reddit", files(rows, replies), over_18=True)) == 2


def test_a_removed_text_leaves_the_question_when_it_was_answered(load):
    rows = [submission("s1", selftext="[removed]", author="[deleted]"), submission("s2", selftext="[deleted]")]
    (record,) = load("reddit", files(rows, [comment("c1", "s1")]))
    assert record.turns[0].text == "Title s1"
    assert record.turns[0].author is None


def test_submissions_only_and_comments_only(load):
    (alone,) = load("reddit", {"RS.zst": dump(submission("s1"))})
    assert (alone.text, alone.turns, alone.author) == ("Title s1\n\nI do not know where to start.", None, "op")
    (orphans,) = load("reddit", {"RC.zst": dump(comment("c1", "s1"), comment("c2", "s1", "c1"))})
    assert [t.role for t in orphans.turns] == ["commenter", "commenter"]
    assert orphans.author is None
    assert load("reddit", {"RC.zst": dump(comment("c1", "s1"))}, orphans=False) == []


def test_without_threads_every_post_is_a_record(load):
    rows = files([submission("s1")], [comment("c1", "s1"), comment("c2", "s1", body="[deleted]")])
    found = load("reddit", rows, threads=False)
    assert [(r.key, r.extra["thread"]) for r in found] == [("t1_c1", "s1"), ("t3_s1", "s1")]


def test_limits(load):
    replies = [comment(f"c{i}", "s1", score=i) for i in range(30)] + [
        comment("d1", "s1", "c29"),
        comment("d2", "s1", "d1"),
    ]
    (record,) = load("reddit", files([submission("s1")], replies), max_comments=3, max_depth=1)
    assert [t.text for t in record.turns[1:]] == ["Words of c29.", "Words of d1.", "Words of c28."]
    assert load("reddit", files([submission("s1")], replies), min_score=6) == []
    assert load("reddit", files([submission("s1")], replies), min_comments=33) == []
    (few,) = load("reddit", files([submission("s1")], replies), min_comment_score=28)
    assert len(few.turns) == 3
    assert load("reddit", files([submission("s1")], replies), subreddits=["elsewhere"]) == []
    assert len(load("reddit", files([submission("s1")], replies), subreddits=["quietcorner"])) == 1


def test_a_ring_of_replies_ends(load):
    replies = [comment("c1", "s1", "c2"), comment("c2", "s1", "c1"), comment("c3", "s1", "c3"), comment("c4", "s1")]
    (record,) = load("reddit", files([submission("s1")], replies))
    assert {t.text for t in record.turns[1:]} >= {"Words of c3.", "Words of c4."}


def test_partitions_give_the_same_threads_in_any_order_of_lines(load):
    rows = [submission(f"s{i}") for i in range(40)]
    replies = [comment(f"c{i}", f"s{i % 40}", score=i % 7) for i in range(200)]
    whole = load("reddit", files(rows, replies))
    random.Random(1).shuffle(replies)
    # A post that is in two overlapping dumps is one post.
    parted = load(
        "reddit", {**files(rows, replies), "d/RC_2024-01_again.zst": dump(*replies[:50])}, partitions=3, pile_bytes=64
    )
    assert len(whole) == 40
    made = {r.key: ([(t.text, t.labels) for t in r.turns]) for r in whole}
    assert made == {r.key: ([(t.text, t.labels) for t in r.turns]) for r in parted}
    reader = RedditReader(RedditReader.Options(partitions=3))
    refs = [FileRef("/x/RC.zst", "RC.zst", 1, "x"), FileRef("/x/RS.zst", "RS.zst", 1, "x")]
    assert [(len(s.files), s.start, s.stop) for s in reader.splits(refs, 1)] == [(2, 0, 1), (2, 1, 2), (2, 2, 3)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_bad_lines_and_files_are_reported_once(load, partitions):
    good = dump(*(submission(f"s{i}", selftext=random.Random(i).randbytes(200).hex()) for i in range(500)))
    data = {
        "a.zst": dump(
            submission("a1"), b'{"id": "x", "tit', b"\xff\xfe", b"[1]", b'{"id": 7}', b"", comment("c1", "a1")
        ),
        "b.zst": good[: len(good) // 2],
        "c.zst": b"",
        "d.zst": b"not zstd at all",
    }
    found = load("reddit", data, partitions=partitions)
    bad = [(b.origin.partition("#")[0], b.reason) for b in found if isinstance(b, Bad)]
    assert sorted(bad)[:4] == [("a.zst", "invalid_json")] * 2 + [("a.zst", "missing_field")] * 2
    assert ("b.zst", "truncated") in bad
    assert ("d.zst", "truncated") in bad
    assert len([b for b in bad if b[0] == "c.zst"]) == 1
    assert any(isinstance(r, Record) and r.key == "t3_a1" for r in found)
    assert sum(isinstance(r, Record) for r in found) > 1, "what was readable of a truncated file is kept"


def test_fields_of_odd_types(load):
    rows = [
        submission("s1", title=7),
        submission("s2", author=None, score="3", created_utc=1e30, subreddit=None, link_flair_text=""),
        comment("c1", "s2", body=["x"]),
        comment("c2", "s2", score=None, created_utc="soon", parent_id=None),
        comment("c3", "s2", author=12, score="nan"),
    ]
    found = load("reddit", {"x.zst": dump(*rows)})
    assert [b.origin for b in found if isinstance(b, Bad)] == ["x.zst#line=1", "x.zst#line=3"]
    (record,) = [r for r in found if isinstance(r, Record)]
    assert record.created is None
    assert [t.text for t in record.turns[1:]] == ["Words of c2.", "Words of c3."]


def test_helpers():
    assert is_bot("remind_bot", frozenset())
    assert is_bot("WeatherBot", frozenset())
    assert not is_bot("abbot", frozenset())
    assert not is_bot("Talbot", frozenset())
    assert tidy("a &gt; b\r\n\r\n\r\n\r\n[x](/r/y) \u200b") == "a > b\n\nx"
