"""Token files of ours read back, document by document: who looks through what was written must see text.

The layouts are those of :mod:`pipeline.formats.tokenized`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def is_token_file(path: Path) -> bool:
    """Whether a file holds token ids of documents, and what says where each begins is there."""
    beside = {
        ".bin": [path.with_suffix(".idx")],
        ".mds": [],
        ".ds": [path.with_name(f"{path.name}.{of}") for of in ("index", "metadata")],
    }
    return path.suffix in beside and all(one.is_file() for one in beside[path.suffix])


def tokenizer_of(path: Path) -> str | None:
    """The tokenizer that the manifest nearest above a token file names; None if there is none."""
    for folder in path.absolute().parents[:4]:
        try:
            return json.loads((folder / "manifest.json").read_text("utf-8"))["recipe"]["tokenizer"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


@dataclass(frozen=True)
class TokenBatch:
    """Some documents of a token file.

    :param ids: int64, of all of them one after another, without the token that ends each.
    :param lengths: int64, of each document.
    :param labels, sources: id and source of each; empty where the format has none.
    """

    ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    labels: list[str]
    sources: list[str]


class TokenFile:
    """A Megatron, datatrove or MDS file, memory-mapped.

    :param path: see :func:`is_token_file`.
    :raises ValueError: it is not what its name says.
    :raises OSError: it, or the file that says where documents begin, cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._is_mds = path.suffix == ".mds"
        try:
            bounds, self._dtype = {".bin": _megatron, ".ds": _datatrove, ".mds": _mds}[path.suffix](path)
        except (ValueError, struct.error, LookupError, TypeError, ZeroDivisionError) as error:
            raise ValueError(f"not a file of token ids as we write them: {path.name}") from error
        self._bounds = bounds.astype(np.int64)
        kind = np.dtype(np.uint8) if self._is_mds else self._dtype
        size = path.stat().st_size
        if (np.diff(self._bounds) < 0).any() or (len(bounds) and size != self._bounds[-1] * kind.itemsize):
            raise ValueError(f"cut short, or not a file of token ids as we write them: {path.name}")
        self._data: npt.NDArray[Any] = np.memmap(path, kind, "r") if size else np.empty(0, kind)

    def __len__(self) -> int:
        """Documents."""
        return len(self._bounds) - 1

    def read(self, rows: npt.NDArray[np.int64]) -> TokenBatch:
        """Documents by number.

        :raises ValueError: the file is not what its name says.
        """
        ids: list[npt.NDArray[Any]] = []
        labels: list[str] = []
        sources: list[str] = []
        for start, stop in zip(self._bounds[rows].tolist(), self._bounds[rows + 1].tolist(), strict=True):
            document = self._data[start:stop]
            if self._is_mds:
                try:
                    label, source, document = _mds_sample(bytes(document), self._dtype)
                except (LookupError, struct.error) as error:
                    raise ValueError("not a sample of token ids as we write them") from error
                labels.append(label)
                sources.append(source)
            ids.append(document[:-1])
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        flat = np.concatenate(ids).astype(np.int64) if ids else np.empty(0, np.int64)
        return TokenBatch(flat, lengths, labels, sources)


def _megatron(path: Path) -> tuple[npt.NDArray[Any], np.dtype]:
    raw = path.with_suffix(".idx").read_bytes()
    code, count = struct.unpack_from("<BQ", raw, 17)
    lengths = np.frombuffer(raw, "<i4", count, 34)
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), np.dtype("<u2" if code == 8 else "<i4")


def _datatrove(path: Path) -> tuple[npt.NDArray[Any], np.dtype]:
    ends = np.frombuffer(path.with_name(f"{path.name}.index").read_bytes(), "<u8")
    told = path.with_name(f"{path.name}.metadata").read_text("utf-8").partition("\n")[0].rpartition("|")[2]
    return np.concatenate([[0], ends]), np.dtype({"2": "<u2", "4": "<u4"}[told])


def _mds(path: Path) -> tuple[npt.NDArray[Any], np.dtype]:
    with path.open("rb") as file:
        (count,) = struct.unpack("<I", file.read(4))
        offsets = np.frombuffer(file.read(4 * (count + 1)), "<u4")
        config = json.loads(file.read(int(offsets[0]) - file.tell()))
    return offsets, np.dtype(config["column_encodings"][2].partition(":")[2]).newbyteorder("<")


def _mds_sample(data: bytes, dtype: np.dtype) -> tuple[str, str, npt.NDArray[Any]]:
    """Id, source and ids."""
    label, source, size = struct.unpack_from("<3I", data)
    at = 12 + label + source
    # one byte says how wide the number of ids is that follows it
    ids = np.frombuffer(data[at + 1 + (1 << (data[at] & 3)) : at + size], dtype)
    return data[12 : 12 + label].decode(), data[12 + label : at].decode(), ids
