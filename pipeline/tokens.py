"""Token counting and encoding: exact ids, tens of MB/s, one thread a worker process.

The default vocabularies (``o200k_base``, ``cl100k_base``) are those inside the ``bpe-openai`` wheel, so nothing is
downloaded. The fast path is ``tokie``, for which the ranks are converted once to a Hugging Face ``tokenizer.json`` with
merges and kept as a compiled ``.tkz`` in a cache folder. tokie 0.1.4 splits three rare kinds of text differently from
the reference pattern (see :data:`_UNSURE`); documents containing one go through ``bpe-openai``'s own exact encoder. The
result equals ``tiktoken`` id for id (``tests/formats/test_tokens.py``).

A path to any other Hugging Face ``tokenizer.json`` runs on the ``tokenizers`` library itself: slower, and exact.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import tempfile
import zlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from importlib.metadata import version as package_version
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources import digests
from sources.errors import UserError

DEFAULT = "o200k_base"

#: Split patterns as tiktoken publishes them, without possessive quantifiers, which not every reader of the JSON knows.
_PATTERNS = {
    "cl100k_base": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}
#: Of the vocabularies, as OpenAI publishes them and tiktoken expects them.
_SHA256 = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
_END_OF_TEXT = {"cl100k_base": 100_257, "o200k_base": 199_999}
_SIZE = {"cl100k_base": 100_277, "o200k_base": 200_019}

#: What tokie splits differently: blank-only lines, whitespace other than a space before punctuation, and combining
#: marks, letter numbers and enclosed letters. RE2 syntax; found by fuzzing against ``bpe-openai`` and ``tiktoken``.
_UNSURE = (
    r"[\r\n][\t\x{b}\x{c}\x{85}\p{Z}]+[\r\n]"
    r"|[\t\x{b}\x{c}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
    r"[^\t\n\x{b}\x{c}\r\x{85}\p{Z}\p{L}\p{N}]"
    r"|[\p{M}\p{Nl}\x{24b6}-\x{24e9}\x{1f130}-\x{1f189}]"
)

#: Names under which published tokenizers call the token that ends a document, in order of preference.
_END_NAMES = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[EOS]", "[SEP]")

Texts: TypeAlias = pa.Array | pa.ChunkedArray


class Tokenizer(Protocol):
    """What stages and shard writers need of a tokenizer. Get one from :func:`load_tokenizer`.

    :ivar name: as the user wrote it, for manifests.
    :ivar version: changes whenever the ids of any text might; goes into cache keys.
    :ivar vocab_size: one more than the largest id, special tokens included.
    :ivar eos_id: id of the token that ends a document.
    """

    name: str
    version: str
    vocab_size: int
    eos_id: int

    def count(self, texts: Texts) -> np.ndarray:
        """Tokens of each text, without an end-of-document token: int32, shape (texts,)."""
        ...

    def encode(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Ids of all texts one after another (uint32, flat) and the number of ids of each (int64, shape (texts,))."""
        ...


@lru_cache(maxsize=8)
def load_tokenizer(name: str = DEFAULT, *, cache: str | Path | None = None, eos: str | None = None) -> Tokenizer:
    """The tokenizer of that name or file.

    The vocabulary is loaded when first used, in 0.1 s; the very first use compiles it (some ten seconds), so let the
    parent process count something before workers start. Sets ``RAYON_NUM_THREADS=1`` unless it is set, because workers are processes.

    :param name: ``o200k_base``, ``cl100k_base``, one of these with a size (``cl100k_base:2047``, see :class:`SmallTokenizer`), or a
        path to a Hugging Face ``tokenizer.json``.
    :param cache: folder for compiled vocabularies; default ``$XDG_CACHE_HOME/wellmix`` or ``~/.cache/wellmix``.
    :param eos: text of the token that ends a document, for a ``tokenizer.json`` where it cannot be guessed.
    :raises UserError: unknown name, unreadable file, or no end-of-document token.
    """
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    root = Path(cache) if cache else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wellmix"
    if name in _PATTERNS:
        return RankTokenizer(name, root)
    vocabulary, _, size = name.partition(":")
    if vocabulary in _PATTERNS and size.isdecimal() and 256 <= int(size) < _END_OF_TEXT[vocabulary]:
        return SmallTokenizer(vocabulary, int(size), root)
    if name.endswith(".json"):
        return FileTokenizer(Path(name), eos)
    raise UserError(
        f"there is no tokenizer called {name!r}", fix=f"use one of {', '.join(_PATTERNS)} or a path to tokenizer.json"
    )


class RankTokenizer:
    """A tiktoken vocabulary: tokie for nearly all texts, ``bpe-openai`` for those tokie is known to split differently.

    :param name: a key of the vocabularies above.
    :param cache: folder for the compiled vocabulary; made if missing.
    """

    def __init__(self, name: str, cache: Path) -> None:
        self.name = name
        self.version = f"{name}-{_digest(name)}-tokie{package_version('tokie')}-bpe{package_version('bpe-openai')}-1"
        self.vocab_size, self.eos_id = _SIZE[name], _END_OF_TEXT[name]
        self._file = cache / f"{self.version}.tkz"

    # Loaded when first used: a run that finds everything in the store asks for the version only.
    @cached_property
    def _fast(self) -> Any:
        return _compiled(self.name, self._file)

    @cached_property
    def _exact(self) -> Any:
        # The wrapper around the bindings refuses texts over 1M characters or 200k tokens; the bindings have no limit.
        from bpe_openai import _bindings

        return _bindings.tokenizer_for_encoding(self.name)

    def count(self, texts: Texts) -> np.ndarray:
        """Tokens of each text: int32, shape (texts,)."""
        rows, unsure = texts.to_pylist(), _unsure(texts)
        if not len(unsure):
            return np.asarray(self._fast.count_tokens_batch(rows), dtype=np.int32)
        counts = np.zeros(len(rows), dtype=np.int32)
        sure = np.setdiff1d(np.arange(len(rows)), unsure, assume_unique=True)
        counts[sure] = self._fast.count_tokens_batch([rows[i] for i in sure])
        counts[unsure] = [self._exact.count(rows[i]) for i in unsure]
        return counts

    def encode(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Ids (uint32, flat) and the number of ids of each text (int64, shape (texts,))."""
        rows, unsure = texts.to_pylist(), _unsure(texts)
        exact = {int(i): np.asarray(self._exact.encode(rows[i]), dtype=np.uint32) for i in unsure}
        ids, lengths = self._fast.encode_batch_flat(["" if i in exact else row for i, row in enumerate(rows)], False)
        lengths = lengths.astype(np.int64)
        if exact:
            # An unsure text was encoded as "", so it has no ids yet: cut the flat array there and put its own in.
            starts = np.cumsum(lengths) - lengths
            parts, at = [], 0
            for i, own in exact.items():
                parts += [ids[at : starts[i]], own]
                at = starts[i]
                lengths[i] = len(own)
            ids = np.concatenate([*parts, ids[at:]])
        return ids, lengths


class SmallTokenizer:
    """The first ranks of a tiktoken vocabulary: a BPE of its own, because a merge only needs merges of lower rank.

    For small models, whose embeddings a full vocabulary would dwarf. It depends on no corpus, so that losses of models trained on
    different mixes, today and after a source was added, are of the same tokens. Any text can be encoded: all bytes are in it.

    :param vocabulary: a key of the vocabularies above.
    :param size: number of ranks, at least the 256 bytes; the end-of-document token is one more.
    :param cache: folder for the compiled vocabulary; made if missing.
    """

    def __init__(self, vocabulary: str, size: int, cache: Path) -> None:
        self.name, self._vocabulary, self._size = f"{vocabulary}:{size}", vocabulary, size
        self.version = f"{vocabulary}-{size}-{_digest(vocabulary)}-tokie{package_version('tokie')}-1"
        self.vocab_size, self.eos_id = size + 1, size
        self._file = cache / f"{self.version}.tkz"

    @cached_property
    def _fast(self) -> Any:
        return _compiled(self._vocabulary, self._file, self._size)

    def count(self, texts: Texts) -> np.ndarray:
        """Tokens of each text: int32, shape (texts,)."""
        return np.asarray(self._fast.count_tokens_batch(texts.to_pylist()), dtype=np.int32)

    def encode(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Ids (uint32, flat) and the number of ids of each text (int64, shape (texts,))."""
        ids, lengths = self._fast.encode_batch_flat(texts.to_pylist(), False)
        return ids, lengths.astype(np.int64)


class FileTokenizer:
    """A Hugging Face ``tokenizer.json``, run by the ``tokenizers`` library.

    Special tokens written out inside a text are encoded as ordinary text: a corpus must not be able to end a document.

    :param path: the file.
    :param eos: text of the end-of-document token; guessed from the usual names if None.
    :raises UserError: missing library, unreadable file, no such token.
    """

    def __init__(self, path: Path, eos: str | None = None) -> None:
        try:
            import tokenizers
        except ImportError:
            raise UserError(
                "reading a tokenizer.json needs the tokenizers library", fix="pip install tokenizers"
            ) from None
        try:
            content = path.read_bytes()
            self._tokenizer = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
        except OSError as error:
            raise UserError(f"cannot read the tokenizer: {error.strerror}", where=path) from None
        except Exception as error:  # tokenizers raises no narrower class for a file it cannot parse
            raise UserError(f"not a tokenizer.json: {error}", where=path) from None
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        ends = {name: self._tokenizer.token_to_id(name) for name in ([eos] if eos else _END_NAMES)}
        found = [(name, number) for name, number in ends.items() if number is not None]
        if not found:
            raise UserError(
                f"the tokenizer has no token {eos!r}" if eos else "the tokenizer has no token known to end a document",
                where=path,
                fix="name the token that ends a document",
            )
        self.name = str(path)
        end, self.eos_id = found[0]
        self.version = f"{hashlib.sha256(content).hexdigest()[:16]}-tokenizers{tokenizers.__version__}-{end}-1"
        self.vocab_size = max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def count(self, texts: Texts) -> np.ndarray:
        """Tokens of each text: int32, shape (texts,)."""
        return np.fromiter((len(e) for e in self._encodings(texts)), dtype=np.int32, count=len(texts))

    def encode(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Ids (uint32, flat) and the number of ids of each text (int64, shape (texts,))."""
        encodings = self._encodings(texts)
        parts = [np.asarray(e.ids, dtype=np.uint32) for e in encodings]
        lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
        return (np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)), lengths

    def vocabulary(self) -> dict[str, int]:
        """Ids by token, as the file spells them; without special tokens."""
        return self._tokenizer.get_vocab(with_added_tokens=False)

    def _encodings(self, texts: Texts) -> Sequence[Any]:
        return self._tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)


def token_bytes(name: str) -> list[bytes]:
    """The bytes each id of a tokenizer stands for, to read what a shard of ids says; special tokens stand for none.

    :param name: see :func:`load_tokenizer`.
    :raises UserError: unknown name, or an unreadable file.
    """
    tokenizer = load_tokenizer(name)
    words = [b""] * tokenizer.vocab_size
    vocabulary, _, size = name.partition(":")
    if vocabulary in _PATTERNS:
        for line in _rank_bytes(vocabulary).splitlines()[: int(size) if size else None]:
            token, rank = line.split()
            words[int(rank)] = base64.b64decode(token)
        return words
    own = tokenizer.vocabulary()  # type: ignore[attr-defined]
    letters = {letter: byte for byte, letter in _byte_letters().items()}
    byte_level = any("\u0120" in token for token in own)  # how GPT-2 and those after it spell a space
    for token, number in own.items():
        if byte_level:
            words[number] = bytes(letters[letter] for letter in token if letter in letters)
        elif re.fullmatch(r"<0x[0-9A-F]{2}>", token):
            words[number] = bytes([int(token[3:5], 16)])
        else:
            words[number] = token.replace("\u2581", " ").encode()  # SentencePiece's space
    return words


def decoded(ids: np.ndarray, lengths: np.ndarray, tokenizer: str) -> pa.Array:
    """Texts of token ids, as UTF-8 that nobody checked; special tokens, and ids that are none, stand for nothing.

    :param ids: of all texts one after another; ``lengths`` of each.
    :param tokenizer: see :func:`token_bytes`.
    :returns: ``large_binary``, one value for each length.
    """
    data, starts = _token_table(tokenizer)
    sizes = np.diff(starts)
    known = (ids >= 0) & (ids < len(sizes))
    ids = np.where(known, ids, 0)
    width = np.where(known, sizes[ids], 0)
    at = np.repeat(starts[ids] - (np.cumsum(width) - width), width) + np.arange(width.sum())
    through = np.concatenate([[0], np.cumsum(width)])
    offsets = through[np.concatenate([[0], np.cumsum(lengths)])].astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data[at]))]
    return pa.Array.from_buffers(pa.large_binary(), len(lengths), buffers)


@lru_cache(maxsize=4)
def _token_table(tokenizer: str) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of all tokens one after another, uint8, and where each begins and the last ends, int64."""
    tokens = token_bytes(tokenizer)
    starts = np.concatenate([[0], np.cumsum([len(token) for token in tokens])])
    return np.frombuffer(b"".join(tokens), np.uint8), starts.astype(np.int64)


def _unsure(texts: Texts) -> np.ndarray:
    """Positions of the texts that must take the exact path, ascending."""
    mask = pc.match_substring_regex(texts, _UNSURE)
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask.to_numpy())


def _digest(name: str) -> str:
    """What of a vocabulary's digest goes into versions, once its content is known to have it."""
    _rank_bytes(name)
    return _SHA256[name][:16]


@lru_cache(maxsize=2)
def _rank_bytes(name: str) -> bytes:
    """The vocabulary in tiktoken's text form (base64 token, space, rank), unzipped.

    :raises UserError: it is not the published one.
    """
    packed = files("bpe_openai.data").joinpath(f"{name}.tiktoken.gz")
    try:
        content = gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error):
        content = b""
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise UserError(
            f"the vocabulary {name} is not the published one (its sha256 differs)",
            where=str(packed),
            fix="reinstall the package bpe-openai",
        )
    return content


def _compiled(name: str, path: Path, size: int | None = None) -> Any:
    """tokie's tokenizer for a vocabulary, or for its first ``size`` ranks, from the cache or built into it (written aside, then
    renamed). Its digest lies beside it: what a disk or somebody changed is built again."""
    import tokie

    sums = path.with_suffix(".sha256")
    try:
        digests.require(path, digests.read_sums(sums, "").get(path.name), "")
    except UserError:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as aside:
            source, built = Path(aside) / "tokenizer.json", Path(aside) / "tokenizer.tkz"
            source.write_text(json.dumps(_hugging_face(name, size), ensure_ascii=False), encoding="utf-8")
            tokie.Tokenizer.from_json(str(source)).save(str(built))
            written = Path(aside) / sums.name
            written.write_text(f"{digests.sha256(built)}  {path.name}\n", "utf-8")
            # the same vocabulary compiles to the same bytes, so two processes that do it at once do no harm
            os.replace(built, path)
            os.replace(written, sums)
    return tokie.Tokenizer.from_file(str(path))


def _hugging_face(name: str, size: int | None = None) -> dict[str, Any]:
    """The vocabulary as the content of a Hugging Face ``tokenizer.json`` (byte-level BPE with merges)."""
    ranks = {
        base64.b64decode(token): int(rank) for token, rank in map(bytes.split, _rank_bytes(name).splitlines()[:size])
    }
    letters = _byte_letters()
    spelled = {token: "".join(map(letters.__getitem__, token)) for token in ranks}
    merges = []
    for token in sorted((t for t in ranks if len(t) > 1), key=ranks.__getitem__):
        split = _last_merge(token, ranks)
        if split:
            merges.append([spelled[token[:split]], spelled[token[split:]]])
    split_step = {"type": "Split", "pattern": {"Regex": _PATTERNS[name]}, "behavior": "Isolated", "invert": False}
    bytes_step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split_step, bytes_step]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,  # a whole piece that is in the vocabulary is that token, as in tiktoken
            "vocab": {spelled[token]: rank for token, rank in ranks.items()},
            "merges": merges,
        },
    }


def _last_merge(token: bytes, ranks: dict[bytes, int]) -> int:
    """Where BPE's last merge joins the two halves of a token; 0 if no merge makes it.

    Ranks alone do not say how a token was made: run BPE on its bytes with the earlier ranks until two parts are left
    (the trick minbpe and transformers' converters use). One possible split needs no run, which halves the time.
    """
    rank, never = ranks[token], len(ranks)
    splits = [i for i in range(1, len(token)) if ranks.get(token[:i], never) < rank > ranks.get(token[i:], never)]
    if len(splits) < 2:
        return splits[0] if splits else 0
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        best, at = min((ranks.get(parts[i] + parts[i + 1], never), i) for i in range(len(parts) - 1))
        if best >= rank:
            return 0
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return len(parts[0])


def _byte_letters() -> dict[int, str]:
    """GPT-2's printable letter for each byte (``encoder.py`` of openai/gpt-2), which vocabularies are spelled in."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
