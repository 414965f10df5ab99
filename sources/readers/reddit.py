"""Reddit dumps as Pushshift and Arctic Shift write them: submissions (RS) and comments (RC), joined into threads.

Comments lie in other files than their submission, so a thread is joined out of core over all files of the source. That makes
bytes a useless measure to cut by; the reader cuts by a hash of the thread's id instead, and every part reads all files and
keeps its threads. A few parts are worth that, many are not: see ``partitions``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import Field

from sources.document import Bad, Record, Turn
from sources.files import Broken, open_binary
from sources.readers._threads import Post, ThreadJoin, partition, piles_for
from sources.readers.base import FileRef, Reader, Split, StreamOptions

_GONE = frozenset({"[deleted]", "[removed]", "[ removed by reddit ]", "[deleted by user]", "[unavailable]", ""})
_BOT = re.compile(r"(?:^|[_-])[Bb][Oo][Tt]$|[a-z]Bot$|^[Bb]ot[_-]")
_LINK = re.compile(r"!?\[([^\[\]]+)\]\((?:https?://|/)[^\s)]*\)")
_BLANKS = re.compile(r"\n{3,}")
_LINE = 64 << 20


class RedditOptions(StreamOptions):
    """Options of the reddit reader.

    :param threads: join comments to their submission; else every submission and comment is a record of its own.
    :param over_18: keep submissions (and their comments) marked as adult.
    :param min_score: submissions with a lower score are left out; None keeps all.
    :param min_comment_score: the same for comments.
    :param max_comments: comments kept of a thread, best scored first at each level.
    :param max_depth: how deep replies to replies are followed.
    :param min_comments: threads with fewer kept comments are left out.
    :param subreddits: take only these (lower case, without ``r/``); None takes all.
    :param bots: handles whose posts are left out, beside those that name themselves bot.
    :param orphans: keep comments whose submission is not in the dump, as threads without an opening post.
    :param partitions: parts the source is cut into; each reads all files.
    :param pile_bytes: text held in memory at once while comments are joined to submissions.
    """

    threads: bool = True
    over_18: bool = False
    min_score: int | None = None
    min_comment_score: int | None = None
    max_comments: int = Field(50, ge=0)
    max_depth: int = Field(10, ge=0)
    min_comments: int = Field(0, ge=0)
    subreddits: frozenset[str] | None = None
    bots: frozenset[str] = frozenset(
        {"AutoModerator", "RemindMeBot", "sneakpeekbot", "WikiTextBot", "gifv-bot", "haikusbot", "reddit"}
    )
    orphans: bool = True
    partitions: int = Field(1, ge=1, le=64)
    pile_bytes: int = Field(64 << 20, gt=0)


class RedditReader(Reader):
    """Reads ``RS_*`` and ``RC_*`` (or any mix of submissions and comments) as ``.zst``, ``.gz`` or plain JSON lines."""

    name = "reddit"
    Options = RedditOptions
    options: RedditOptions

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        """Parts by thread: ``start`` is the number of the part and ``stop`` the next, of ``partitions`` in all."""
        if not self.options.threads:
            return [Split((file,)) for file in files]
        return [Split(tuple(files), number, number + 1) for number in range(self.options.partitions)]

    def read(self, split: Split) -> Iterator[Record | Bad]:
        if not self.options.threads:
            for item in self._posts(split):
                yield item if isinstance(item, Bad) else _single(item)
            return
        piles = piles_for(split.files, self.options.pile_bytes, self.options.partitions)
        with ThreadJoin(piles) as join:
            for item in self._posts(split):
                if isinstance(item, Post):
                    join.add(item)
                elif split.start == 0:
                    # Every part meets every bad line; the first reports them.
                    yield item
            for thread, fields in join.threads():
                if (record := self._thread(thread, fields)) is not None:
                    yield record

    def _posts(self, split: Split) -> Iterator[Post | Bad]:
        """Wanted posts of all files, and what cannot be read."""
        for file in split.files:
            number = 0
            try:
                with open_binary(file, self.options.max_ratio) as stream:
                    while line := stream.readline(_LINE):
                        number += 1
                        if not line.strip():
                            continue
                        origin = f"{file.name}#line={number}"
                        try:
                            row = orjson.loads(line)
                        except orjson.JSONDecodeError:
                            yield Bad(origin, "invalid_json")
                            continue
                        post = self._post(row, origin) if isinstance(row, dict) else None
                        if post is None:
                            yield Bad(origin, "missing_field", "id, and title or body and link_id")
                        elif self._wanted(post) and self._mine(post, split):
                            yield post
            except Broken as error:
                yield error.bad(f"{file.name}#line={number + 1}")
                continue
            if not number:
                yield Bad(file.name, "empty")

    def _mine(self, post: Post, split: Split) -> bool:
        count = self.options.partitions
        return count == 1 or not self.options.threads or partition(post.thread, count) == split.start

    def _post(self, row: dict[str, Any], origin: str) -> Post | None:
        """A dump's row as a post; None if it is neither a submission nor a comment."""
        native = row.get("id")
        words = [row[name] for name in ("title", "selftext", "body") if row.get(name) is not None]
        if not isinstance(native, str) or not native or not all(isinstance(text, str) for text in words):
            return None
        native = native.rpartition("_")[2]
        created = _int(row.get("created_utc"))
        fields: dict[str, Any] = {
            "origin": origin,
            "id": native,
            "author": row.get("author"),
            "score": _int(row.get("score")),
            "subreddit": row.get("subreddit"),
            "created": created,
            "distinguished": row.get("distinguished"),
            "stickied": row.get("stickied"),
        }
        if "body" in row and row.get("link_id"):
            fields |= {"kind": "comment", "text": row["body"] or "", "parent": _base36(row.get("parent_id"))}
            return Post(_base36(row["link_id"]), 1, created, native, fields)
        if "title" in row:
            fields |= {
                "kind": "submission",
                "title": row["title"] or "",
                "text": row.get("selftext") or "",
                "over_18": bool(row.get("over_18")),
            }
            fields |= {
                "flair": row.get("link_flair_text"),
                "url": row.get("url"),
                "removed": row.get("removed_by_category"),
            }
            return Post(native, 0, created, native, fields)
        return None

    def _wanted(self, post: Post) -> bool:
        """Whether a post passes by itself; submissions that do not are kept by id, so that their comments go too."""
        fields = post.fields
        if self.options.subreddits is not None and str(fields["subreddit"]).lower() not in self.options.subreddits:
            return False
        if fields["kind"] == "submission":
            return self.options.threads or not self._refused(fields)
        if is_bot(fields["author"], self.options.bots) or fields["text"].strip().lower() in _GONE:
            return False
        if fields["distinguished"] == "moderator" and fields["stickied"]:
            return False
        return self.options.min_comment_score is None or fields["score"] >= self.options.min_comment_score

    def _refused(self, fields: dict[str, Any]) -> bool:
        """Whether a submission, and with it its thread, is not wanted."""
        if fields["over_18"] and not self.options.over_18:
            return True
        if self.options.min_score is not None and fields["score"] < self.options.min_score:
            return True
        if is_bot(fields["author"], self.options.bots):
            return True
        return fields["title"].strip().lower() in _GONE

    def _thread(self, thread: str, posts: list[dict[str, Any]]) -> Record | None:
        opening = posts[0] if posts[0]["kind"] == "submission" else None
        if (opening is None and not self.options.orphans) or (opening is not None and self._refused(opening)):
            return None
        comments = self._ordered(thread, [post for post in posts if post["kind"] == "comment"])
        if len(comments) < self.options.min_comments:
            return None
        head = opening or comments[0][0]
        extra: dict[str, Any] = {"subreddit": head["subreddit"], "comments": len(comments)}
        asker = opening["author"] if opening and not _is_gone(opening["author"]) else None
        turns: list[Turn] = []
        if opening:
            extra |= {"title": tidy(opening["title"]), "score": opening["score"]} | (
                {"flair": opening["flair"]} if opening["flair"] else {}
            )
            # A link or a removed text leaves the title, which with comments is still a question asked.
            text = "" if _is_gone(opening["text"]) else tidy(opening["text"])
            turns.append(
                Turn("poster", f"{tidy(opening['title'])}\n\n{text}".strip(), asker, {"score": opening["score"]})
            )
            if not comments and not text:
                return None
        place = {thread: 0} if opening else {}
        for comment, depth in comments:
            place[comment["id"]] = len(turns)
            labels: dict[str, Any] = {"score": comment["score"], "depth": depth}
            if comment["parent"] in place:
                labels["parent"] = place[comment["parent"]]
            author = None if _is_gone(comment["author"]) else comment["author"]
            role = "poster" if author and author == asker else "commenter"
            turns.append(Turn(role, tidy(comment["text"]), author, labels))
        created = _when(head["created"])
        origin = f"{head['origin'].partition('#')[0]}#t3_{thread}"
        if len(turns) == 1:
            return Record(f"t3_{thread}", origin, turns[0].text, turns[0].author, created, extra=extra)
        return Record(f"t3_{thread}", origin, author=asker, created=created, turns=turns, extra=extra)

    def _ordered(self, thread: str, comments: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
        """Comments as a reader sees them: replies below what they answer, better scored first, then older."""
        known = {comment["id"] for comment in comments}
        below: dict[str, list[dict[str, Any]]] = {}
        for comment in comments:
            # A reply whose parent was removed stands at the top.
            parent = comment["parent"] if comment["parent"] in known and comment["parent"] != comment["id"] else thread
            below.setdefault(parent, []).append(comment)
        for replies in below.values():
            # The best lies last, where the stack gives it first.
            replies.sort(key=lambda c: (-c["score"], c["created"], c["id"]), reverse=True)
        out: list[tuple[dict[str, Any], int]] = []
        stack = [(comment, 0) for comment in below.get(thread, [])]
        while stack and len(out) < self.options.max_comments:
            comment, depth = stack.pop()
            out.append((comment, depth))
            if depth < self.options.max_depth:
                stack += [(reply, depth + 1) for reply in below.pop(comment["id"], [])]
        return out


def _single(post: Post) -> Record:
    fields = post.fields
    text = tidy(f"{fields.get('title', '')}\n\n{fields['text']}")
    extra = {"subreddit": fields["subreddit"], "score": fields["score"], "thread": post.thread}
    created = _when(fields["created"])
    kind = "t1" if fields["kind"] == "comment" else "t3"
    author = None if _is_gone(fields["author"]) else fields["author"]
    return Record(f"{kind}_{fields['id']}", fields["origin"], text, author, created, extra=extra)


def _is_gone(value: Any) -> bool:
    return not isinstance(value, str) or value.strip().lower() in _GONE


def is_bot(author: Any, named: frozenset[str]) -> bool:
    """Whether a handle is a known bot or calls itself one."""
    return isinstance(author, str) and (author in named or _BOT.search(author) is not None)


def tidy(text: str) -> str:
    """A post's text: HTML entities as characters, links as their words, invisible characters and blank runs gone."""
    text = html.unescape(text).replace("\r\n", "\n").replace("\u200b", "").replace("\ufeff", "")
    return _BLANKS.sub("\n\n", _LINK.sub(r"\1", text)).strip()


def _base36(value: Any) -> str:
    """Id without its type: ``t3_abc`` and ``abc`` are one; some dumps write it as a number."""
    if isinstance(value, int):
        digits = ""
        while value:
            value, digit = divmod(value, 36)
            digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        return digits
    return value.rpartition("_")[2] if isinstance(value, str) else ""


def _when(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def _int(value: Any) -> int:
    """Whole number of a field that old dumps wrote as text or float; within what JSON can write again."""
    try:
        return max(-(2**62), min(2**62, int(float(value)))) if value is not None else 0
    except (TypeError, ValueError, OverflowError):
        return 0
