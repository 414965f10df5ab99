"""What a reader is: a format's options, how its files split into shards, and the stream of records in one shard."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sources.document import Bad, Record

#: How many times its size a compressed file may unpack to. Text packs to a fifth, monotonous dumps to a fiftieth.
MAX_RATIO = 200


class Options(BaseModel):
    """Options of a reader, checked when its card is loaded; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _encoding(value: str) -> str:
    try:
        "".encode(value)
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(f"no text encoding is called {value!r}") from None
    return value


#: The name of a text encoding that Python knows (and none of its other codecs: ``zip`` unpacks, ``hex`` and ``rot13`` are no texts).
Encoding = Annotated[str, AfterValidator(_encoding)]


class StreamOptions(Options):
    """Options of every reader that streams files of any size.

    :param max_ratio: a compressed file that unpacks to more than 64 MB and to more than this many times its size is refused as
        ``too_large``.
    """

    max_ratio: int = Field(MAX_RATIO, gt=0)


@dataclass(frozen=True, slots=True)
class FileRef:
    """A raw file.

    :param url: absolute path or fsspec URL.
    :param name: path relative to the card's root; used in locators and keys, so the same corpus elsewhere has the same ids.
    :param size: bytes.
    :param fingerprint: changes when the content changes.
    :param stamp: :func:`sources.files.stamp` of a local file from before it was fingerprinted.
    """

    url: str
    name: str
    size: int
    fingerprint: str
    stamp: tuple[int, int, int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of a source that one task reads: whole small files together, or a byte or row-group range of one file.

    :param start: first byte or row group of the single file (0 for whole files).
    :param stop: end of the range, exclusive; None means to the end.
    """

    files: tuple[FileRef, ...]
    start: int = 0
    stop: int | None = None


class Reader(ABC):
    """Streams one raw format.

    Memory does not grow with the file. ``read`` never raises for a bad record: it yields :class:`~sources.document.Bad`
    and goes on where the format lets it, or ends the file after one ``Bad`` where it does not (a truncated stream).
    """

    name: ClassVar[str]
    #: Raised when the same bytes would read differently; part of the key of everything made from this reader.
    version: ClassVar[int] = 1
    Options: ClassVar[type[Options]]

    def __init__(self, options: Any) -> None:
        self.options = options

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        """Cut ``files`` (sorted by name) into shards of about ``target_bytes``; depends on the files only."""
        return pack(files, target_bytes)

    @abstractmethod
    def read(self, split: Split) -> Iterator[Record | Bad]:
        """Stream the records of one shard, always in the same order."""


#: How much text a byte of a compressed file stands for, about; packing goes by what a task will read.
EXPANSION = {"gz": 3, "zst": 4, "bz2": 4, "xz": 5, "zip": 3, "epub": 2, "parquet": 2}


def weight(file: FileRef) -> int:
    """Bytes of text a file holds, about."""
    return file.size * EXPANSION.get(file.name.rsplit(".", 1)[-1].lower(), 1)


def pack(files: Sequence[FileRef], target_bytes: int) -> list[Split]:
    """Put neighbouring files together until they hold about ``target_bytes`` of text; a larger file stands alone."""
    splits: list[Split] = []
    held: list[FileRef] = []
    size = 0
    for file in files:
        if held and size + weight(file) > target_bytes:
            splits.append(Split(tuple(held)))
            held, size = [], 0
        held.append(file)
        size += weight(file)
    if held:
        splits.append(Split(tuple(held)))
    return splits
