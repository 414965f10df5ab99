"""Input of the benchmarks: real English text, written at bench time into ``.bench/``, which git ignores.

The texts are what our own cards and readers find under WELLMIX_DATA: forum posts, lives, textbooks, transcripts and
general prose, cut to pieces of about 2 KB, put in an order that depends on a hash and written as plain ``{"id",
"text"}`` lines into zstd files of about 5 MB of text, so that every worker has work. The corpora overlap (a life that
exists as two editions, a post that is in two data sets), so near duplicates occur as they do in the world.

An input larger than the corpora repeats them with a third of the words replaced by other words of the corpora: such a
copy shares fewer than a tenth of its 5-word shingles with the text it was made from and is not a duplicate of
anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson
import zstandard

from pipeline.ingest import cut
from sources.card import data_root, load_cards
from sources.document import Bad, Record
from sources.errors import UserError
from sources.files import resolve

#: Raise when the same corpora would give other input.
CORPUS_VERSION = 1

PIECE_CHARS = 2_000
#: Shorter pieces (a greeting, a headline) would measure how fast each pipeline drops them.
MIN_CHARS = 200
FILE_BYTES = 5_000_000
REPLACED = 0.34

#: Slow to parse for the little text they hold; leaving them out keeps the preparation short.
SKIP = frozenset({"warc-samples", "mediawiki-biographies", "epub-sample", "srt-samples", "webvtt-samples"})


@dataclass(frozen=True)
class Corpus:
    """A folder of ``*.jsonl.zst`` files.

    :param bytes: of text, in UTF-8.
    """

    folder: str
    bytes: int
    documents: int
    files: int
    perturbed_documents: int

    @property
    def paths(self) -> list[Path]:
        """The files, sorted."""
        return sorted(Path(self.folder).glob("*.jsonl.zst"))

    def texts(self) -> Iterator[str]:
        """Every text, in order."""
        for path in self.paths:
            with path.open("rb") as raw:
                for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw), 1 << 20):
                    yield orjson.loads(line)["text"]


def build(root: Path, megabytes: float) -> Corpus:
    """Write the input of a given size, or find the one that an earlier run wrote.

    :param root: the benchmarks' folder.
    :raises UserError: the real corpora are not there.
    """
    folder = root / f"corpus-{megabytes:g}mb-v{CORPUS_VERSION}"
    done = folder / "corpus.json"
    if done.is_file():
        return Corpus(**orjson.loads(done.read_bytes()))
    folder.mkdir(parents=True, exist_ok=True)
    target = int(megabytes * 1_000_000)
    # At least four files: with fewer, a worker that is done first would wait for the other.
    writer = _Writer(folder, min(FILE_BYTES, target // 4))
    real = [text for _, text in real_pieces(root)]
    for number, text in enumerate(real):
        if writer.total >= target:
            break
        writer.add(f"r{number}", text)
    perturbed = 0
    if writer.total < target:
        for text in _perturbed(real):
            if writer.total >= target:
                break
            writer.add(f"p{perturbed}", text)
            perturbed += 1
    writer.close()
    corpus = Corpus(str(folder), writer.total, writer.documents, writer.files, perturbed)
    done.write_bytes(orjson.dumps(asdict(corpus)))
    return corpus


class _Writer:
    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder, self._file_bytes = folder, file_bytes
        self._stack = contextlib.ExitStack()
        self._held = 0
        self.total = self.documents = self.files = 0

    def add(self, name: str, text: str) -> None:
        if self._held == 0:
            raw = self._stack.enter_context((self._folder / f"{self.files:03d}.jsonl.zst").open("wb"))
            self._out = self._stack.enter_context(zstandard.ZstdCompressor(level=3).stream_writer(raw))
            self.files += 1
        self._out.write(orjson.dumps({"id": name, "text": text}, option=orjson.OPT_APPEND_NEWLINE))
        size = len(text.encode())
        self._held += size
        self.total += size
        self.documents += 1
        if self._held >= self._file_bytes:
            self.close()

    def close(self) -> None:
        self._stack.close()
        self._held = 0


def real_pieces(root: Path) -> list[tuple[str, str]]:
    """Family and text of all pieces of the corpora, in hash order.

    They are read once and kept beside the inputs, for reading the raw corpora takes a minute.
    """
    kept = root / f"pieces-v{CORPUS_VERSION}.jsonl.zst"
    if kept.is_file():
        with kept.open("rb") as raw:
            stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw), 1 << 20)
            return [tuple(orjson.loads(line)) for line in stream]
    if data_root() is None:
        raise UserError(
            "the benchmarks need the real corpora",
            where="WELLMIX_DATA is not set",
            fix="export WELLMIX_DATA=/folder/of/the/corpora",
        )
    logging.getLogger("warcio").setLevel(logging.ERROR)
    pieces: list[tuple[str, str]] = []
    for name, card in load_cards().items():
        if name in SKIP or card.language != ["en"] or card.where.path is None:
            continue
        with contextlib.suppress(UserError):  # a corpus that is not there; the others make up for it
            for split in card.make_reader.splits(resolve(card, lambda path: ""), 32 << 20):
                for record in card.make_reader.read(split):
                    if not isinstance(record, Bad):
                        # A lone surrogate, which some raw corpora hold, is not UTF-8 and would stop a peer.
                        text = _text(record).encode("utf-8", "replace").decode()
                        pieces += ((card.family, p) for p in cut(text, PIECE_CHARS) if len(p) >= MIN_CHARS)
    pieces.sort(key=lambda piece: hashlib.blake2b(piece[1].encode(), digest_size=8).digest())
    aside = kept.with_suffix(f".{os.getpid()}")
    with aside.open("wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as out:
        for piece in pieces:
            out.write(orjson.dumps(piece, option=orjson.OPT_APPEND_NEWLINE))
    aside.replace(kept)
    return pieces


def _text(record: Record) -> str:
    if record.turns:
        return "\n\n".join(turn.text for turn in record.turns)
    return record.text


def _perturbed(pieces: list[str], seed: int = 0) -> Iterator[str]:
    """The pieces again and again, each time with other words replaced, without end."""
    rng = np.random.default_rng(seed)
    step = max(1, len(pieces) // 2_000)
    words = np.array([word for piece in pieces[::step] for word in piece.split()], dtype=object)
    while True:
        for piece in pieces:
            # Replacing between single spaces only keeps lines and paragraphs as they are.
            parts = np.array(piece.split(" "), dtype=object)
            chosen = np.flatnonzero(rng.random(len(parts)) < REPLACED)
            parts[chosen] = words[rng.integers(len(words), size=len(chosen))]
            yield " ".join(parts)
