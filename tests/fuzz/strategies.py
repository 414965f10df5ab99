"""What is fed in: files that are right in their format, filled with awkward values, and then damaged.

A purely random file is refused by its first bytes; one that is nearly right gets deep into a reader.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from html import escape
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
import zstandard
from hypothesis import strategies as st
from openpyxl.utils.exceptions import IllegalCharacterError
from pyarrow import ipc

from tests.fuzz.cases import Case

#: A word that stands in many texts, and that no message may repeat.
CANARY = "zqxcanary"

AWKWARD = [
    "", " ", "\x00", "\ufeff", "\u2028", "\u202e", "\x85", "\x1b[31mred\x1b[0m", "[bold]", "=1+1", "@SUM(1)", "-2", "\t", "\r", "\r\n", "\n\n\n",
    "../../etc/passwd", "C:\\x", "<script>alert(1)</script>", "&lol;", "&#xD800;", "&#0;", "]]>", "-->", "<!--", "{{", "}}", "{{{1|", "[[", "]]", "{|",
    "'''", "==", "<ref>", "NaN", "Infinity", "-0", "1e999", "9" * 400, "0x10", "null", "'", '"', '""', "\\", "\\ud800", "<U+110000>", "<U+D800>",
    "2019-01-01", "9999-12-31T23:59:59Z", "0000-00-00", "253402300800", "-1", "1e300", "%s%n", "t3_", "[deleted]", "user: hi", "a" * 3000,
    "(" * 300, "💥", "é" * 40, "Ã©", "\u0301" * 20, "[1, 2", "{'a': 1}", "(1,)*99", "```", "---", "***", "# ", "| a | b |", "Chapter I", "CHAPTER 1.",
    CANARY,
]  # fmt: skip
PROSE = f"The library opens at nine and {CANARY} reads by the window until the lamps are lit. "

texts = st.one_of(
    st.sampled_from(AWKWARD),
    st.just(PROSE * 4),
    st.text(max_size=40),
    st.lists(st.sampled_from([*AWKWARD, PROSE]), max_size=6).map(" ".join),
    st.lists(st.sampled_from([*AWKWARD, PROSE]), max_size=6).map("\n".join),
)
numbers = st.one_of(
    st.integers(-5, 50), st.sampled_from([0.5, -1e308, 1e308, float("inf"), float("nan"), 2**53, 2**63, 2**64, -(2**70), 10**300])
)  # fmt: skip
scalars = st.one_of(texts, numbers, st.none(), st.booleans())
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)

# -- damage ----------------------------------------------------------------------------------------------------------------------------

_TOKENS = [b"", b"\x00", b"\xff", b"\n", b"\r", b'"', b"'", b",", b"\t", b"{", b"}", b"[", b"]", b"<", b">", b"&", b"/", b"\\", b":", b"=", b"-",
           b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"\xc3", b"\xed\xa0\x80", b"0", b"-1", b"99999999999", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;",
           b"<!--", b"]]>", b"PK\x03\x04", b"PK\x05\x06", b"PAR1", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"null", b"NaN", b"*a", b"&a ", b"!!x"]  # fmt: skip
_damages = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "drop", "repeat", "insert", "byte", "swap"]),
        st.floats(0, 1),
        st.integers(0, 64),
        st.sampled_from(_TOKENS),
    ),
    max_size=4,
)


def damage(data: bytes, how: list[tuple[str, float, int, bytes]]) -> bytes:
    """``data`` with bits flipped, ends cut off, pieces dropped, repeated, inserted or moved."""
    for kind, place, size, token in how:
        at = int(place * len(data))
        if kind == "flip" and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << size % 8)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + size :]
        elif kind == "repeat":
            data = data[:at] + data[at : at + size] * 3 + data[at + size :]
        elif kind == "insert":
            data = data[:at] + token + data[at:]
        elif kind == "byte":
            data = data[:at] + bytes([size * 4 % 256]) + data[at + 1 :]
        elif kind == "swap":
            data = data[at:] + data[:at]
    return data


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}

# -- rows ------------------------------------------------------------------------------------------------------------------------------

_FIELDS: list[dict[str, Any]] = [
    {"text": "body", "key": "id", "author": "user", "created": "t", "extra": ["x", "_file"]},
    {"text": "{title}\n\n{body}", "extra": {"y": "meta.x"}, "keep": {"x": ["*a*", "1"]}},
    {"text": "body", "key": ["_file", "id"], "decode": {"x": "json"}, "extra": ["x"]},
    {"text": "body", "decode": {"x": "literal"}, "numbers": ["t"], "extra": ["x", "t"], "values": {"user": {"1": "one"}}},
    {"text": "body", "decode": {"x": "|"}, "derive": {"z": {"column": "body", "match": r"(\d+)", "type": "number"}}, "extra": ["z"]},
    {"text": "body", "derive": {"z": {"column": "body", "match": r"\{.*\}", "type": "json"}}, "extra": ["z"]},
    {"text": "body", "mojibake": "mac_roman", "unescape": "r", "detokenize": True, "html": True, "replace": {"a": "b"}},
    {"turns": [{"role": "user", "text": "title"}, {"role": "assistant", "text": "body", "labels": ["x"], "author": "user"}]},
    {"turns": [{"role": "user", "roles": {"1": "user", "a": "assistant"}, "text": "body"}], "group": {"by": "id", "order": ["t"], "collect": ["x"]}},
    {"text": "body", "group": {"by": ["id", "user"], "once": ["x"], "across_files": True, "join": "\n\n"}},
    {"turn_lines": {"column": "body", "roles": {"user": "user", "helper": "assistant"}}},
    {"turn_lines": {"column": "body", "alternate": ["user", "assistant"], "strip": "- "}},
]  # fmt: skip
_NESTED: list[dict[str, Any]] = [
    {"turn_list": {"path": "turns", "text": "text", "role": "who", "author": "who", "labels": ["x"]}, "key": "id"},
    {"turn_list": {"path": "turns", "roles": {"user": "user", "bot": "assistant"}, "role": "who", "looks_back": {"x": "user"}}},
    {"turn_list": {"path": "turns", "alternate": ["user", "assistant"]}, "then": [{"role": "assistant", "text": "body"}], "last": ["x"]},
    {"turn_list": {"path": "turns", "speakers": "x"}, "key": "id"},
    {"turn_tree": {"path": "tree", "text": "text", "role": "who", "rank": "rank", "siblings": "bot"}, "key": "id"},
    {"turn_tree": {"path": "tree", "text": "{text} {who}", "role": "who"}},
    {"turn_glued": {"text": "body", "part": "title", "speakers": "x"}},
]  # fmt: skip
_COLUMNS = ("id", "title", "body", "user", "t", "x")

_turns = st.lists(
    st.one_of(
        texts,
        st.fixed_dictionaries(
            {}, optional={"text": values, "who": st.sampled_from(["user", "bot", None, 3]), "x": values}
        ),
    ),
    max_size=4,
)
_tree = st.recursive(
    st.fixed_dictionaries({"text": scalars, "who": st.sampled_from(["user", "bot"])}, optional={"rank": scalars}),
    lambda inner: st.fixed_dictionaries(
        {
            "text": scalars,
            "who": st.sampled_from(["user", "bot"]),
            "replies": st.one_of(st.lists(inner, max_size=3), scalars),
        },
        optional={"rank": st.integers(0, 3)},
    ),
    max_leaves=6,
)
_plain = {"id": st.one_of(st.integers(0, 9), values), "body": st.one_of(texts, values)}
rows = st.fixed_dictionaries(
    _plain,
    optional={"title": values, "user": values, "t": values, "x": values, "meta": values, "turns": st.one_of(_turns, values), "tree": st.one_of(_tree, values)},
)  # fmt: skip


@st.composite
def _options(draw: st.DrawFn, nested: bool) -> dict[str, Any]:
    options = dict(draw(st.sampled_from([*_FIELDS, *_NESTED] if nested else _FIELDS)))
    options["optional"] = [*_COLUMNS, "meta", "turns", "tree"]
    return options


def _json(value: Any) -> bytes:
    # As a careless program writes it: NaN, and escapes that are half of a character.
    return json.dumps(value).replace("\\\\ud800", "\\ud800").encode()


@st.composite
def _jsonl(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    lines = [_json(row) for row in draw(st.lists(st.one_of(rows, values), max_size=6))]
    return (
        "a.jsonl",
        draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(lines),
        draw(_options(True)) | {"max_line_bytes": 4096},
    )


@st.composite
def _json_file(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    how = draw(st.sampled_from(["array", "object", "file"]))
    items = draw(st.lists(rows, max_size=5))
    body: Any = items if how == "array" else dict(enumerate(items)) if how == "object" else (items[0] if items else {})
    path = draw(st.sampled_from(["", "a", "a.b"]))
    for part in reversed(path.split(".")) if path else ():
        body = {part: body, "other": 1}
    return (
        "a.json",
        _json(draw(st.one_of(st.just(body), values))),
        draw(_options(True)) | {"records": how, "path": path},
    )


@st.composite
def _csv(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=draw(st.sampled_from([",", "\t", ";"])))
    writer.writerow(_COLUMNS)
    for row in draw(st.lists(rows, max_size=6)):
        writer.writerow([row.get(name, "") for name in _COLUMNS])
    extra = draw(st.sampled_from([{}, {"fallback_encoding": "cp1252"}, {"quoting": "none"}, {"encoding": "utf-16"}, {"columns": list(_COLUMNS)}, {"encoding": "latin-1"}]))  # fmt: skip
    options = draw(_options(False)) | extra | {"max_field_bytes": 2048}
    if draw(st.integers(0, 5)) == 0:
        options = {
            "text": "body",
            "join": {"by": ["id"], "files": {"a": "a*", "b": "b*"}},
            "extra": {"z": "b.x"},
            "optional": options["optional"],
        }
    encoding = options.get("encoding", "utf-8")
    return draw(st.sampled_from(["a.csv", "a.tsv"])), out.getvalue().encode(encoding, "replace"), options


@st.composite
def _parquet(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    columns: dict[str, pa.Array] = {}
    n = draw(st.integers(0, 6))
    kinds = {"id": pa.int64(), "t": pa.timestamp("ns"), "x": pa.list_(pa.string()), "title": pa.binary()}
    for name in _COLUMNS:
        kind = draw(
            st.sampled_from(
                [
                    pa.string(),
                    pa.large_string(),
                    pa.float64(),
                    pa.date32(),
                    pa.decimal128(9, 2),
                    kinds.get(name, pa.string()),
                ]
            )
        )
        raw = draw(st.lists(st.one_of(texts, st.integers(-5, 9), st.none()), min_size=n, max_size=n))
        try:
            columns[name] = pa.array(raw, kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            columns[name] = pa.array([str(value) for value in raw], pa.string())
    table = pa.table(columns)
    out = io.BytesIO()
    name = draw(st.sampled_from(["a.parquet", "a.arrow"]))
    if name == "a.arrow":
        opened = (ipc.new_file if draw(st.booleans()) else ipc.new_stream)(out, table.schema)
        with opened as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, out, row_group_size=2, compression=draw(st.sampled_from(["zstd", "snappy", "none"])))
    return name, out.getvalue(), draw(_options(False))


@st.composite
def _lines(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    body = "\n".join(draw(st.lists(texts, max_size=8)))
    extra = draw(
        st.sampled_from(
            [{}, {"labels": {"a.txt": "b.txt"}}, {"fallback_encoding": "cp1252"}, {"text": "{text} {label}"}]
        )
    )
    return "a.txt", body.encode("utf-8", "surrogatepass"), {"max_line_bytes": 4096, "optional": ["label"]} | extra


@st.composite
def _dialogue(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    body = "\n".join(
        f"{who}: {text}"
        for who, text in draw(st.lists(st.tuples(st.sampled_from(["User", "Helper", "Nobody", ""]), texts), max_size=6))
    )
    options = {"turn_lines": {"roles": {"user": "user", "helper": "assistant"}}, "extra": ["_file"]}
    return "a.txt", body.encode("utf-8", "surrogatepass"), options


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


_names = st.sampled_from(
    ["a.txt", "b/c.txt", "../up.txt", "/abs.txt", "C:\\w.txt", "dir/", "é.txt", "a\nb.txt", "x.bin"]
)


@st.composite
def _archive(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    members = draw(st.dictionaries(_names, texts.map(lambda t: t.encode("utf-8", "surrogatepass")), max_size=5))
    extra = draw(
        st.sampled_from(
            [{}, {"records": "line"}, {"records": "block", "block_start": "a|#"}, {"substitute": [["a+", "b"]]}]
        )
    )
    return "a.zip", _zip(members), {"members": ["*"], "max_member_bytes": 8192} | extra


@st.composite
def _xlsx(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(_COLUMNS))
    for row in draw(st.lists(rows, max_size=4)):
        try:
            sheet.append([str(row.get(name, ""))[:100] for name in _COLUMNS])
        except (ValueError, IllegalCharacterError):
            continue
    out = io.BytesIO()
    book.save(out)
    if draw(st.booleans()):
        return "a.xlsx", out.getvalue(), draw(_options(False))
    return "a.zip", _zip({"book.xlsx": out.getvalue()}), draw(_options(False))


# -- marked-up documents ---------------------------------------------------------------------------------------------------------------

_DTDS = [
    "",
    '<!DOCTYPE r [<!ENTITY b "boo"><!ENTITY c "&b;&b;">]>',
    '<!DOCTYPE r SYSTEM "file:///etc/passwd">',
    '<?xml version="1.0" encoding="utf-16"?>',
]
_tags = st.sampled_from(
    ["p", "div", "b", "br", "ul", "li", "table", "tr", "td", "pre", "code", "h1", "h3", "script", "math", "section", "para", "title", "list", "item",
     "note", "exercise", "problem", "solution", "figure", "caption", "definition", "term", "meaning", "sec", "xref", "blockquote", "hgroup", "span"]
)  # fmt: skip
_markup = st.recursive(
    st.one_of(
        texts.map(escape),
        st.sampled_from(["&b;", "&nbsp;", "&#xD800;", "<!-- x -->", "<?pi x?>", "<br/>", "<![CDATA[x]]>"]),
    ),
    lambda inner: st.tuples(_tags, st.lists(inner, max_size=3)).map(lambda t: f"<{t[0]}>{''.join(t[1])}</{t[0]}>"),
    max_leaves=10,
)


def _document(before: str, after: str) -> st.SearchStrategy[bytes]:
    made = st.tuples(st.sampled_from(_DTDS), st.lists(_markup, max_size=4))
    return made.map(
        lambda t: f"{t[0]}{before}{''.join(t[1])}<p>{PROSE * 4}</p>{after}".encode("utf-8", "surrogatepass")
    )


_html = _document(
    '<html lang="en"><head><title>T</title><meta name="robots" content="noai"></head><body><article>',
    "</article></body></html>",
)
_xhtml = _document('<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><section epub:type="chapter">', "</section></body></html>")  # fmt: skip
_CONTAINER = b'<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
_OPF = (
    b'<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A</dc:title></metadata><manifest>'
    b'<item id="a" href="a.xhtml"/><item id="b" href="text/b%20side.xhtml"/><item id="u" href="../../../etc/passwd"/></manifest>'
    b'<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="u"/><itemref idref="none"/></spine></package>'
)  # fmt: skip


@st.composite
def _epub(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    opf = damage(_OPF, draw(_damages)) if draw(st.integers(0, 2)) == 0 else _OPF
    members = {
        "META-INF/container.xml": _CONTAINER,
        "OPS/book.opf": opf,
        "OPS/a.xhtml": draw(_xhtml),
        "OPS/text/b side.xhtml": draw(_xhtml),
    }
    return "a.epub", _zip(members), {"min_chars": 0}


@st.composite
def _mediawiki(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    pages = "".join(
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>{number}</id><revision><id>1</id><timestamp>{escape(when)}</timestamp>"
        f"<text>{escape(text)}</text></revision></page>"
        for title, ns, number, when, text in draw(
            st.lists(
                st.tuples(texts, st.sampled_from(["0", "1", "x", ""]), st.sampled_from(["7", "", "x"]), texts, texts),
                max_size=4,
            )
        )
    )
    body = f"{draw(st.sampled_from(_DTDS))}<mediawiki><siteinfo><dbname>w</dbname></siteinfo>{pages}</mediawiki>"
    return "a.xml", body.encode("utf-8", "surrogatepass"), {"biographies": draw(st.booleans()), "min_chars": 0}


@st.composite
def _jats(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    body = "".join(draw(st.lists(_markup, max_size=4)))
    year = escape(draw(texts))
    article = (
        f'<article><front><article-meta><article-id pub-id-type="pmid">{year}</article-id><title-group><article-title>A</article-title></title-group>'
        f"<pub-date><month>{year}</month><year>{year}</year></pub-date></article-meta></front><body><sec>{body}<p>{PROSE * 3}</p></sec></body></article>"
    )
    medline = (
        f"<PubmedArticle><MedlineCitation><PMID>12</PMID><Article><Journal><JournalIssue><PubDate><Year>{year}</Year><Month>{year}</Month></PubDate>"
        f"</JournalIssue></Journal><Abstract><AbstractText>{body}{PROSE * 3}</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
    )
    made = draw(st.sampled_from([article, medline, f"<set>{article}{medline}</set>"]))
    return "a.nxml", (draw(st.sampled_from(_DTDS)) + made).encode("utf-8", "surrogatepass"), {"min_chars": 0}


@st.composite
def _stackexchange(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    posts = []
    for _ in range(draw(st.integers(0, 5))):
        fields = {"Id": draw(st.sampled_from(["1", "2", "3", "\u0663", "x"])), "PostTypeId": draw(st.sampled_from(["1", "2", "5"])),
                  "ParentId": draw(st.sampled_from(["1", "2", "²", ""])), "CreationDate": draw(texts), "Score": draw(texts), "Body": draw(_markup),
                  "Title": draw(texts), "Tags": draw(texts), "AcceptedAnswerId": draw(st.sampled_from(["2", "x"])), "OwnerUserId": draw(texts)}  # fmt: skip
        posts.append(
            "  <row " + " ".join(f'{k}="{escape(v).replace(chr(10), "&#xA;")}"' for k, v in fields.items()) + " />"
        )
    return "Posts.xml", ("<posts>\n" + "\n".join(posts) + "\n</posts>\n").encode("utf-8", "surrogatepass"), {}


@st.composite
def _reddit(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    ids = st.sampled_from(["a", "b", "c", "d", "t1_a", "", 7])
    post = st.fixed_dictionaries(
        {"id": st.one_of(ids, values)},
        optional={"title": values, "selftext": values, "body": values, "link_id": st.one_of(ids, values), "parent_id": st.one_of(ids, values), "author": values,
                  "created_utc": values, "score": values, "subreddit": values, "distinguished": values, "stickied": values, "link_flair_text": values,
                  "over_18": values, "url": values},
    )  # fmt: skip
    good = st.fixed_dictionaries(
        {"id": ids, "link_id": st.just("t3_a"), "parent_id": ids, "body": texts, "author": texts, "score": values}
    )
    opening = st.fixed_dictionaries(
        {"id": st.just("a"), "title": texts, "selftext": texts, "author": texts, "subreddit": texts}
    )
    lines = [_json(row) for row in draw(st.lists(st.one_of(post, good, opening), max_size=8))]
    return "RC.jsonl", b"\n".join(lines), {"threads": draw(st.booleans()), "partitions": draw(st.integers(1, 2))}


@st.composite
def _warc(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    records = []
    for _ in range(draw(st.integers(0, 3))):
        page = draw(_html)
        kind = draw(st.sampled_from(["response", "conversion", "resource", "request"]))
        http = f"HTTP/1.1 {draw(st.sampled_from(['200 OK', '404 No', 'x']))}\r\nContent-Type: {draw(st.sampled_from(['text/html', 'text/plain', 'x']))}\r\n\r\n"
        body = (http.encode() if kind == "response" else b"") + page
        length = draw(st.sampled_from([len(body), len(body) + 9, 0, -1, 10**12]))
        head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://x.org/\r\nWARC-Date: {draw(st.sampled_from(['2024-01-02T03:04:05Z', 'x', '']))}\r\nContent-Length: {length}\r\n\r\n"  # fmt: skip
        records.append(head.encode() + body + b"\r\n\r\n")
    return draw(st.sampled_from(["a.warc", "a.arc", "a.warc.wet"])), b"".join(records), {"min_chars": 0}


@st.composite
def _subtitles(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    kind = draw(st.sampled_from(["vtt", "srt", "sbv"]))
    stamps = st.sampled_from(["00:00:01.000", "00:00:02,500", "99:99:99.999", "x", "1:2", "00:01.000", "0:00:03.000"])
    cues = draw(st.lists(st.tuples(stamps, stamps, texts), max_size=5))
    arrow = "," if kind == "sbv" else " --> "
    body = "\n\n".join(f"{n}\n{a}{arrow}{b}\n{t}" for n, (a, b, t) in enumerate(cues, 1))
    return f"a.{kind}", (("WEBVTT\n\n" if kind == "vtt" else "") + body).encode("utf-8", "surrogatepass"), {}


@st.composite
def _esconv(draw: st.DrawFn) -> tuple[str, bytes, dict[str, Any]]:
    turn = st.tuples(st.sampled_from(["0", "1", "2"]), st.sampled_from(["0", "1", "2", "3", "9" * 30]), texts).map(
        lambda t: f"1.0 {t[0]} {t[1]} [Ask] {t[2]}"
    )
    body = "\n".join(" EOS ".join(window) for window in draw(st.lists(st.lists(turn, max_size=3), max_size=5)))
    return "a.tsv", body.encode("utf-8", "surrogatepass"), {}


def _of(
    name: str, strategy: st.SearchStrategy[bytes], **options: Any
) -> st.SearchStrategy[tuple[str, bytes, dict[str, Any]]]:
    return strategy.map(lambda data: (name, data, options))


_words = st.lists(texts, max_size=10).map("\n\n".join)
_markdown = st.tuples(
    st.sampled_from(["", "---\ntitle: a\n---\n", "---\na: &a [*a]\n---\n", "---\n{\n---\n"]),
    _words,
    st.sampled_from(["", "```{r}\nx\n", "~~~"]),
)
_comparison = st.lists(
    st.sampled_from(["<user>", "</user>", "<assistant>", "</assistant>", "<comparison>", "</comparison>", "<tool>", "<!-- GOOD: it is -->",
                     "<assistant> <!-- GOOD: why -->", "<assistant> <!-- BAD -->", "[...]", "hello"]), max_size=12,
).map(lambda lines: f"# A {{#a x=y}}\n\n```xml\n{chr(10).join(lines)}\n```\n<!-- -->")  # fmt: skip
_book = _words.map(
    lambda body: (
        f"Title: A\n\n*** START OF THE PROJECT GUTENBERG EBOOK ***\n\nCHAPTER I\n\n{PROSE * 30}\n\n{body}\n\nCHAPTER II\n\n{PROSE * 30}\n*** END OF THE PROJECT GUTENBERG"
    )
)
_cnxml = _document('<document xmlns="http://cnx.rice.edu/cnxml"><title>A</title><content>', "</content></document>")

#: Reader -> files that it should be able to read: name, content, options.
FILES: dict[str, st.SearchStrategy[tuple[str, bytes, dict[str, Any]]]] = {
    "archive": _archive(),
    "cnxml": _of("a/index.cnxml", _cnxml, min_chars=0),
    "comparisons": _of("a.md", _comparison.map(str.encode)),
    "csv": _csv(),
    "dialogue_text": _dialogue(),
    "epub": _epub(),
    "esconv_tsv": _esconv(),
    "gutenberg": st.one_of(_of("202.txt", _book.map(lambda t: t.encode("utf-8", "surrogatepass"))), _of("202-h.htm", _html)),
    "html": st.one_of(_of("a.html", _html, min_chars=0), _of("a.html", _html, min_chars=0, extract="all")),
    "jats": _jats(),
    "json": _json_file(),
    "jsonl": _jsonl(),
    "lines": _lines(),
    "markdown": st.one_of(
        _of("a.md", _markdown.map(lambda t: "".join(t).encode("utf-8", "surrogatepass")), min_chars=0),
        _of("a.md", _markdown.map(lambda t: "".join(t).encode("utf-8", "surrogatepass")), min_chars=0, wrapped=True),
    ),
    "mediawiki": _mediawiki(),
    "parquet": _parquet(),
    "reddit": _reddit(),
    "stackexchange": _stackexchange(),
    "standardebooks": _of("b/src/epub/text/a.xhtml", _xhtml, min_chars=0),
    "subtitles": _subtitles(),
    "text": st.one_of(*(_of("a.rst", _words.map(lambda t: t.encode("utf-8", "surrogatepass")), markup=m) for m in ("plain", "wrapped", "rst"))),
    "warc": _warc(),
    "xlsx": _xlsx(),
}  # fmt: skip

#: Readers that take any compression; the others look at what the name ends with.
_PACKED = frozenset(
    {"csv", "jsonl", "json", "lines", "mediawiki", "jats", "reddit", "stackexchange", "warc", "text", "html"}
)


@st.composite
def reader_cases(draw: st.DrawFn, reader: str) -> Case:
    """A case of one reader: one or two files, right or damaged, as they are or compressed."""
    name, data, options = draw(FILES[reader])
    files = {}
    for copy in range(draw(st.sampled_from([1, 1, 1, 2]))):
        body = damage(data, draw(_damages))
        given = name if copy == 0 else name.replace("a.", "b.", 1)
        if reader in _PACKED and draw(st.integers(0, 3)) == 0:
            suffix = draw(st.sampled_from(sorted(_PACKERS)))
            given, body = given + suffix, damage(_PACKERS[suffix](body), draw(_damages))
        files[given] = body
    return Case(reader, files, options)


# -- what people write -----------------------------------------------------------------------------------------------------------------


def _places(node: Any, path: tuple = ()) -> list[tuple]:
    found = [path]
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        found += _places(value, (*path, key))
    return found


def _changed(tree: Any, path: tuple, how: str, value: Any) -> Any:
    if not path:
        return value
    tree = dict(tree) if isinstance(tree, dict) else list(tree) if isinstance(tree, list) else tree
    if (
        not isinstance(tree, dict | list)
        or (isinstance(tree, list) and path[0] >= len(tree))
        or (isinstance(tree, dict) and path[0] not in tree)
    ):
        return tree
    if len(path) == 1 and how == "remove":
        del tree[path[0]]
    elif len(path) == 1 and how == "rename" and isinstance(tree, dict):
        tree[str(value)] = tree.pop(path[0])
    else:
        tree[path[0]] = _changed(tree[path[0]], path[1:], how, value)
    return tree


_YAML_TOKENS = [b"&a ", b"*a", b"!!python/object/apply:os.system [true]", b"!!binary x", b"<<: ", b"? ", b"- ", b": ", b"[", b"{", b"%YAML 1.1\n", b"---\n", b"\t",
                b"!x ", b"2001-01-01", b"0x", b".inf", b"1:30", b"~", b"'", b'"', b"|", b">"]  # fmt: skip


@st.composite
def yaml_cases(draw: st.DrawFn, target: str, samples: list[bytes]) -> Case:
    """A shipped file with some values changed, fields renamed or taken away, and sometimes its bytes damaged."""
    data = draw(st.sampled_from(samples))
    if draw(st.booleans()):
        tree = yaml.safe_load(data)
        for _ in range(draw(st.integers(1, 3))):
            path = draw(st.sampled_from(_places(tree)))
            tree = _changed(tree, path, draw(st.sampled_from(["set", "set", "remove", "rename"])), draw(values))
        data = yaml.safe_dump(tree, allow_unicode=draw(st.booleans())).encode("utf-8", "surrogatepass")
    else:
        data = damage(data, draw(_damages))
        for place, token in draw(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(_YAML_TOKENS)), max_size=3)):
            data = damage(data, [("insert", place, 0, token)])
    return Case(target, {"x.yaml": data})


_fields = st.sampled_from(
    ["sources", "sample-forum", "weight", "tokens", "epochs", "budget", "filters", "drop", "0", "where", "upweight", "groups", "name", "seed", "", "-1", "a b",
     "ingest", "shards", "formats", "quality", "forum", "min_words"]
)  # fmt: skip
overrides = st.one_of(
    st.tuples(st.lists(_fields, max_size=4).map(".".join), st.one_of(texts, values.map(str))).map("=".join),
    texts,
)

_columns = st.sampled_from(
    [
        "relevance",
        "support",
        "source",
        "tokens",
        "stance",
        "facet_meaning",
        "quality",
        "language",
        "nothing",
        "rowid",
        "documents",
    ]
)
_literals = st.sampled_from(
    [
        "0",
        "1.5",
        "'a'",
        "''",
        "NULL",
        "true",
        "1e400",
        "9" * 60,
        "DATE '2020-01-01'",
        "INTERVAL 1 DAY",
        "[1, 2]",
        "{'a': 1}",
        "'\\'",
        '"a"',
        "?",
        "$1",
    ]
)
_functions = st.sampled_from(
    ["length", "upper", "repeat", "regexp_matches", "range", "list_transform", "getenv", "read_text", "random", "now", "coalesce", "try_cast", "strftime",
     "json_extract", "array_agg", "sum", "row_number", "unnest", "current_setting", "query", "lpad", "bar", "sha256", "hash", "typeof", "list_reduce", "format"]
)  # fmt: skip
conditions = st.one_of(
    st.recursive(
        st.one_of(_columns, _literals),
        lambda inner: st.one_of(
            st.tuples(
                inner,
                st.sampled_from(["=", "<", ">=", "AND", "OR", "LIKE", "IN", "+", "||", "SIMILAR TO", "~", "::", "->>"]),
                inner,
            ).map(" ".join),
            st.tuples(_functions, st.lists(inner, max_size=3).map(", ".join)).map(lambda t: f"{t[0]}({t[1]})"),
            inner.map(lambda x: f"({x})"),
            inner.map(lambda x: f"NOT {x}"),
            inner.map(lambda x: f"CASE WHEN {x} THEN 1 END"),
            inner.map(lambda x: f"EXISTS (SELECT {x})"),
            inner.map(lambda x: f"{x} /* c"),
            inner.map(lambda x: f"{x} -- c"),
            inner.map(lambda x: f"{x}; SELECT 1"),
        ),
        max_leaves=6,
    ),
    texts,
)


@st.composite
def table_cases(draw: st.DrawFn) -> Case:
    """Two tables of runs, of which the cells are awkward."""
    files = {}
    for name, columns in (("ratios.csv", ["run", "a", "b"]), ("metrics.csv", ["run", "loss"])):
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(draw(st.sampled_from([columns, columns, ["index", *columns[1:]], []])))
        for i in range(draw(st.integers(0, 5))):
            cells = [str(i), *(draw(st.one_of(st.sampled_from(["0.5", "1", "0"]), texts)) for _ in columns[1:])]
            writer.writerow(cells)
        files[name] = damage(out.getvalue().encode("utf-8", "surrogatepass"), draw(_damages))
    return Case("swarm_tables", files)


@st.composite
def review_cases(draw: st.DrawFn, sheet: bytes) -> Case:
    """A filled-in review with awkward answers."""
    rows_ = list(csv.reader(io.StringIO(sheet.decode("utf-8-sig"), newline="")))
    for row in rows_[1:]:
        for at in range(len(row)):
            if draw(st.integers(0, 6)) == 0:
                row[at] = draw(
                    st.one_of(texts, st.sampled_from(["keep", "drop", "a", "b", "tie", "good", "none", "asks", "3"]))
                )
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=draw(st.sampled_from([",", ";", "\t"]))).writerows(rows_)
    data = out.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])), "replace")
    return Case("review_import", {"review.csv": damage(data, draw(_damages))})


@st.composite
def decision_cases(draw: st.DrawFn, sheet: bytes) -> Case:
    """A file of decisions with damaged lines."""
    return Case("decisions", {"decisions.jsonl": damage(sheet, draw(_damages))})


@st.composite
def output_cases(draw: st.DrawFn, target: str, files: dict[str, bytes]) -> Case:
    """Files of an output folder, one of them changed: values of its JSON, or its bytes."""
    name = draw(st.sampled_from(sorted(files)))
    data = files[name]
    if name.endswith(".json") and draw(st.booleans()):
        tree = json.loads(data)
        for _ in range(draw(st.integers(1, 2))):
            path = draw(st.sampled_from(_places(tree)[:200]))
            tree = _changed(tree, path, draw(st.sampled_from(["set", "remove", "rename"])), draw(values))
        data = _json(tree)
    else:
        data = damage(data, draw(_damages))
    return Case(target, {name: data}, {"id": draw(st.sampled_from(["0" * 8, "", "f" * 33, "zz" * 8, "*"]))})
