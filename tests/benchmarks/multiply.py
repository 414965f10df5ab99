"""Many documents from few: real texts taken apart and put together as corpora of any size, with planned duplicates.

The texts are those of :func:`tests.benchmarks.corpus.real_pieces`: what our cards and readers find under WELLMIX_DATA. Of each kind of
source a bank of sentences is kept. Document ``i`` of a corpus is one of

- *new* (80 %): sentences drawn from its source's bank until it has the length of a real text, with :data:`REPLACED` of the words replaced
  by words drawn as often as they occur. Two of them share sentences, as quotations do, and are no duplicates;
- *near-duplicate* (15 %): an earlier new document with 2 to 10 % of its words replaced;
- *exact copy* (5 %): an earlier new document;
- *block*: from :data:`BLOCK_FROM` documents on, :data:`BLOCK` documents everywhere in the corpus have one and the same text.

What a document is depends on seed and number alone, so files are made in any order, by any number of processes, and a smaller corpus holds
the first documents of a larger one, but for the division among sources and the block. Files are JSON lines in zstd.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import yaml
import zstandard
from numba import njit

from tests.benchmarks.corpus import real_pieces
from tests.benchmarks.ours import CARD, RECIPE

#: Raise it when the same corpora would give other documents.
MULTIPLY_VERSION = 1

#: Source -> the families whose texts it is made of, and its share of the documents.
SOURCES: dict[str, tuple[tuple[str, ...], float]] = {
    "scale-forum": (("forum", "transcript"), 0.5),
    "scale-lives": (("biography", "psychology"), 0.3),
    "scale-general": (("general",), 0.2),
}
EXACT, NEAR, NEAR_EDITS, REPLACED = 0.05, 0.15, (0.02, 0.10), 0.15
BLOCK, BLOCK_FROM = 100_000, 1_000_000
#: Documents of a file: about 40 MB of text, 16 MB compressed.
FILE_DOCUMENTS = 50_000
#: Longest document, bytes of escaped text; the buffer of a file holds so much for each.
LONGEST = 4_000
#: Sentences between two blank lines.
PARAGRAPH = 5
#: Documents of an author, on average.
AUTHORED = 20


@dataclass(frozen=True)
class Multiplied:
    """A corpus on disk.

    :param text_bytes: of all files, uncompressed.
    :param file_bytes: as they lie on disk.
    """

    folder: str
    documents: int
    files: int
    text_bytes: int
    file_bytes: int
    seconds: float
    version: int = MULTIPLY_VERSION

    @property
    def recipe(self) -> Path:
        """The recipe that mixes it."""
        return Path(self.folder) / "scale.yaml"


def bank(root: Path) -> Path:
    """Sentences, words and lengths of the real texts as arrays, made once below ``root``."""
    kept = root / f"bank-v{MULTIPLY_VERSION}.npz"
    if kept.is_file():
        return kept
    root.mkdir(parents=True, exist_ok=True)
    families = {family: number for number, (names, _) in enumerate(SOURCES.values()) for family in names}
    pieces = [(families[family], text) for family, text in real_pieces(root) if family in families]
    table = pl.DataFrame(pieces, schema={"source": pl.Int8, "text": pl.String}, orient="row").with_columns(
        pl.col("text").str.replace_all(r"\s+", " ").str.strip_chars()
    )
    lengths = table["text"].str.count_matches(" ", literal=True).to_numpy() + 1
    sentences = (
        table.with_columns(pl.col("text").str.replace_all(r"([.!?])['\"”’)]* ", "$0\n").str.split("\n"))
        .explode("text")
        .with_columns(words=pl.col("text").str.strip_chars().str.split(" "))
        .filter(pl.col("words").list.len().is_between(3, 60))
        .sort("source", maintain_order=True)
    )
    words = sentences["words"].explode()
    ranked = words.value_counts(sort=True, name="n").sort(["n", words.name], descending=[True, False])
    vocabulary = ranked[words.name].to_list()
    place = pl.DataFrame({"word": vocabulary, "at": np.arange(len(vocabulary), dtype=np.int32)})
    ids = pl.DataFrame({"word": words}).join(place, on="word", maintain_order="left")["at"].to_numpy()
    spelled = [orjson.dumps(word)[1:-1] for word in vocabulary]
    aside = kept.with_suffix(f".{os.getpid()}.npz")
    np.savez(
        aside,
        ids=ids,
        bounds=np.concatenate([[0], np.cumsum(sentences["words"].list.len().to_numpy(), dtype=np.int64)]),
        # sentences of source s: first[s] to first[s + 1]
        first=np.searchsorted(sentences["source"].to_numpy(), np.arange(len(SOURCES) + 1)),
        letters=np.frombuffer(b"".join(spelled), np.uint8),
        letter_bounds=np.concatenate([[0], np.cumsum([len(word) for word in spelled], dtype=np.int64)]),
        lengths=lengths.astype(np.int32),
    )
    aside.replace(kept)
    return kept


@cache
def _load(path: str) -> tuple[np.ndarray, ...]:
    with np.load(path, allow_pickle=False) as saved:
        return tuple(saved[name] for name in ("ids", "bounds", "first", "letters", "letter_bounds", "lengths"))


@njit(cache=True)
def _mix(x):
    """splitmix64's finalizer (Steele et al. 2014): a 64-bit hash of a 64-bit number."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def _hash(seed, i, use):
    return _mix(_mix(np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(use)) + np.uint64(i))


@njit(cache=True)
def _unit(bits):
    return np.float64(bits >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)
def _is_new(seed, i, exact, near):
    return i == 0 or _unit(_hash(seed, i, 1)) >= exact + near


@njit(cache=True)
def _number(out, at, value, width):
    for k in range(width):
        out[at + width - 1 - k] = np.uint8(48 + value % 10)
        value //= 10
    return at + width


@njit(cache=True)
def _text(
    seed, i, source, replaced, edits, editor, ids, bounds, first, letters, letter_bounds, lengths, paragraph, out, at, longest
):  # fmt: skip
    """Write one text. ``edits`` of its words are replaced once more, with random numbers of document ``editor``."""
    target = lengths[_hash(seed, i, 2) % np.uint64(len(lengths))]
    state, other = _hash(seed, i, 3), _hash(seed, editor, 4)
    start, written, sentence = at, 0, 0
    while written < target:
        state = _mix(state + np.uint64(0x9E3779B97F4A7C15))
        chosen = first[source] + np.int64(state % np.uint64(first[source + 1] - first[source]))
        if sentence:
            if sentence % paragraph == 0:
                for letter in (92, 110, 92, 110):  # a blank line, escaped
                    out[at] = letter
                    at += 1
            else:
                out[at] = 32
                at += 1
        for w in range(bounds[chosen], bounds[chosen + 1]):
            word = ids[w]
            state = _mix(state + np.uint64(0x9E3779B97F4A7C15))
            if _unit(state) < replaced:
                word = ids[_mix(state) % np.uint64(len(ids))]
            if edits > 0:
                other = _mix(other + np.uint64(0x9E3779B97F4A7C15))
                if _unit(other) < edits:
                    word = ids[_mix(other) % np.uint64(len(ids))]
            size = letter_bounds[word + 1] - letter_bounds[word]
            if at - start + size + 6 > longest:
                return at
            if w > bounds[chosen]:
                out[at] = 32
                at += 1
            for k in range(size):
                out[at + k] = letters[letter_bounds[word] + k]
            at += size
            written += 1
        sentence += 1
    return at


@njit(cache=True)
def _write(
    seed, begin, end, documents, edges, block_step, exact, near, low, high, replaced, paragraph, authors, parts, ids, bounds,
    first, letters, letter_bounds, lengths, longest, out,
):  # fmt: skip
    """Write documents ``begin`` to ``end`` as JSON lines; the number of bytes.

    :param edges: where each source's documents end.
    :param parts: the fixed parts of a line, one after another, with their bounds.
    """
    fixed, fixed_bounds = parts
    at = 0
    for i in range(begin, end):
        origin, edits = i, 0.0
        if block_step and i % block_step == 0:
            origin = 0
        elif not _is_new(seed, i, exact, near):
            origin = np.int64(_hash(seed, i, 5) % np.uint64(i))
            while not _is_new(seed, origin, exact, near) or (block_step and origin % block_step == 0):
                origin = origin - 1 if origin > 0 else 0
                if origin == 0:
                    break
            if _unit(_hash(seed, i, 1)) >= exact:
                edits = low + (high - low) * _unit(_hash(seed, i, 6))
        source = 0
        while origin >= edges[source]:
            source += 1
        for part in range(4):
            for k in range(fixed_bounds[part], fixed_bounds[part + 1]):
                out[at] = fixed[k]
                at += 1
            if part == 0:
                at = _number(out, at, i, 11)
            elif part == 1:
                # few write much: the square of a uniform number
                u = _unit(_hash(seed, i, 7))
                at = _number(out, at, np.int64(u * u * authors), 9)
            elif part == 2:
                # seconds of 2010 to 2024
                at = _number(out, at, 1262304000 + np.int64(_hash(seed, i, 8) % np.uint64(473000000)), 10)
            else:
                at = _text(
                    seed, origin, source, replaced, edits, i, ids, bounds, first, letters, letter_bounds, lengths, paragraph,
                    out, at, longest,
                )  # fmt: skip
        for k in range(fixed_bounds[4], fixed_bounds[5]):
            out[at] = fixed[k]
            at += 1
    return at


_PARTS = [b'{"key":"d', b'","author":"writer', b'","created":', b',"text":"', b'"}\n']


@dataclass(frozen=True)
class _File:
    path: str
    bank: str
    seed: int
    begin: int
    end: int
    documents: int


def _edges(documents: int) -> np.ndarray:
    """Where each source's documents end, int64 (sources,)."""
    edges = np.round(np.cumsum([share for _, share in SOURCES.values()]) * documents).astype(np.int64)
    edges[-1] = documents
    return edges


def _make(file: _File) -> tuple[int, int]:
    """Write one file; its text's bytes and its own."""
    size = (file.end - file.begin) * (LONGEST + 100)
    out = np.empty(size, np.uint8)
    fixed = np.frombuffer(b"".join(_PARTS), np.uint8)
    fixed_bounds = np.concatenate([[0], np.cumsum([len(part) for part in _PARTS])])
    step = file.documents // BLOCK if file.documents >= BLOCK_FROM else 0
    written = _write(
        file.seed, file.begin, file.end, file.documents, _edges(file.documents), step, EXACT, NEAR, *NEAR_EDITS, REPLACED,
        PARAGRAPH, max(1, file.documents // AUTHORED), (fixed, fixed_bounds), *_load(file.bank), LONGEST, out,
    )  # fmt: skip
    packed = zstandard.ZstdCompressor(level=1).compress(memoryview(out)[:written])
    aside = Path(f"{file.path}.part")
    aside.write_bytes(packed)
    aside.replace(file.path)
    return written, len(packed)


def multiply(root: Path, documents: int, *, seed: int = 0, workers: int = 2, effort: str = "fast") -> Multiplied:
    """Write a corpus with its cards and a recipe, or find the one that is there.

    :param root: the folder of corpora is ``root/<documents>``.
    :param workers: processes; 1 does it in this one.
    :param effort: of the recipe.
    :raises UserError: the real corpora are not there.
    """
    import time

    folder = root / str(documents)
    done = folder / "corpus.json"
    if done.is_file() and (found := Multiplied(**orjson.loads(done.read_bytes()))).version == MULTIPLY_VERSION:
        _recipe(folder, found, seed, effort)
        return found
    began = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    kept = bank(root)
    files: list[_File] = []
    begin = 0
    for name, end in zip(SOURCES, _edges(documents).tolist(), strict=True):
        (folder / name).mkdir(parents=True)
        # two files at least, so that a small corpus is work for two, too
        size = min(FILE_DOCUMENTS, -(-(end - begin) // 2))
        for number, at in enumerate(range(begin, end, size)):
            path = folder / name / f"{number:05d}.jsonl.zst"
            files.append(_File(str(path), str(kept), seed, at, min(at + size, end), documents))
        begin = end
    if workers == 1:
        sizes = np.array(list(map(_make, files)))
    else:
        with multiprocessing.get_context("forkserver").Pool(workers) as pool:
            sizes = np.array(pool.map(_make, files, chunksize=1))
    made = Multiplied(
        str(folder),
        documents,
        len(files),
        int(sizes[:, 0].sum()),
        int(sizes[:, 1].sum()),
        round(time.perf_counter() - began, 2),
    )
    _recipe(folder, made, seed, effort)
    done.write_bytes(orjson.dumps(asdict(made)))
    return made


def _recipe(folder: Path, made: Multiplied, seed: int, effort: str) -> None:
    """A mix of about half the tokens, with weights that are not the sources' shares."""
    (folder / "cards").mkdir(exist_ok=True)
    for name in SOURCES:
        card: dict[str, Any] = CARD | {
            "name": name,
            "title": "Real texts taken apart and put together again",
            "reader": {"name": "jsonl", "text": "text", "key": "key", "author": "author", "created": "created"},
            "where": {"url": f"file://{folder.resolve()}/{name}/*.jsonl.zst"},
        }
        (folder / "cards" / f"{name}.yaml").write_text(yaml.safe_dump(card), "utf-8")
    recipe: dict[str, Any] = RECIPE | {
        "seed": seed,
        "budget": max(1000, made.text_bytes // 10),
        "sources": {"scale-forum": {"weight": 0.4}, "scale-lives": {"weight": 0.4}, "scale-general": {"weight": 0.2}},
        "validation": 0.005,
        "effort": effort,
        "shards": {"formats": ["parquet"]},
        # as many tasks a worker at every size, up to the default
        "ingest": {"shard_bytes": max(1 << 16, min(32 << 20, made.file_bytes // 8))},
    }
    del recipe["filters"]
    made.recipe.write_text(yaml.safe_dump(recipe), "utf-8")
