"""What counts as a copy of a text, and what does not."""

from __future__ import annotations

import base64

import pyarrow as pa
import pytest

from pipeline.authors import AuthorKey
from pipeline.forget.texts import SKETCH, Sketch, TextIndex, _siphash, sketches
from pipeline.minhash import shingle_sets
from tests.forget.conftest import prose

KEY = AuthorKey(bytes(range(32)), "test")


def index(*texts: str, key: AuthorKey = KEY) -> TextIndex:
    kept = [one for one in sketches(pa.array(texts), key) if one is not None]
    # through the form that is stored
    return TextIndex(key, [Sketch.decoded(one.words, one.shingles, one.encoded()) for one in kept])


def is_copy(text: str, *forgotten: str) -> bool:
    return bool(index(*forgotten).match(pa.array([text])))


POST = prose(1, 70)
STORY = prose(2, 1_500)


@pytest.mark.parametrize(
    ("text", "forgotten", "copy"),
    [
        (POST, POST, True),
        (POST.upper().replace(".", " !"), POST, True),
        (f"{prose(3, 300)} {POST} {prose(4, 300)}", POST, True),
        (" ".join(POST.split()[20:70]), POST, True),
        (" ".join(STORY.split()[300:800]), STORY, True),
        (f"{prose(3, 20)} {STORY}", STORY, True),
        (prose(5, 70), POST, False),
        (f"{prose(3, 300)} {' '.join(POST.split()[:25])}", POST, False),
        (" ".join(POST.split()[:12]), POST, False),
        # many words, few that differ: nobody's
        ("ha " * 30 + prose(6, 40), "ha " * 60, False),
        ("ha " * 60, "Ha! " * 60, True),
        ("I feel sad today and I do not know why.", "I feel sad today and I do not know why", True),
        ("I feel sad today and I do not know why. Really.", "I feel sad today and I do not know why", False),
        ("I feel sad", "I feel sad", False),
    ],
    ids=[
        "same", "spelling", "quoted", "excerpt", "excerpt of a long one", "long one", "other", "a little of it", "a sentence of it",
        "repetition inside", "repetition", "short", "short and more", "too short",
    ],
)  # fmt: skip
def test_copies(text: str, forgotten: str, copy: bool) -> None:
    assert is_copy(text, forgotten) is copy


def test_each_copy_is_found_among_many() -> None:
    texts = [prose(i, 20 + 7 * i) for i in range(60)]
    assert index(*texts).match(pa.array(texts)) == [(i, i) for i in range(60)]


def test_a_sketch_gives_nothing_away_without_the_key() -> None:
    (one,) = sketches(pa.array([POST]), KEY)
    (other,) = sketches(pa.array([POST]), AuthorKey(bytes(32), "other"))
    assert one is not None and other is not None
    plain = set(shingle_sets(pa.array([POST]))[0].tolist())
    kept = set(one.values.tolist())
    assert len(kept) == one.shingles and not kept & plain and not kept & set(other.values.tolist())
    assert not index(POST, key=AuthorKey(bytes(32), "other")).match(pa.array([prose(5, 70)]))
    (long,) = sketches(pa.array([STORY]), KEY)
    assert long is not None and len(base64.b64decode(long.encoded())) == 8 * SKETCH < 8 * long.shingles


def test_siphash_is_siphash() -> None:
    # SipHash-1-3 of the eight bytes 0..7 under the key 0..15, as CPython hashes bytes: digest of the reference implementation
    import numpy as np

    k0, k1, value = (np.uint64(int.from_bytes(bytes(range(a, a + 8)), "little")) for a in (0, 8, 0))
    assert int(_siphash(value, k0, k1)) == reference(int(k0), int(k1), int(value))


def reference(k0: int, k1: int, value: int) -> int:
    """SipHash-1-3 of eight bytes, written after the paper with Python's integers."""
    full = (1 << 64) - 1

    def turn(x: int, n: int) -> int:
        return ((x << n) | (x >> (64 - n))) & full

    def mixed(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
        a = (a + b) & full
        b = turn(b, 13) ^ a
        a = turn(a, 32)
        c = (c + d) & full
        d = turn(d, 16) ^ c
        a = (a + d) & full
        d = turn(d, 21) ^ a
        c = (c + b) & full
        b = turn(b, 17) ^ c
        return a, b, turn(c, 32), d

    v = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    for block in (value, 8 << 56):
        v = mixed(v[0], v[1], v[2], v[3] ^ block)
        v = (v[0] ^ block, v[1], v[2], v[3])
    v = (v[0], v[1], v[2] ^ 0xFF, v[3])
    for _ in range(3):
        v = mixed(*v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
