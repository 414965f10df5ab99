"""Shards that hold token ids: Megatron ``.bin``/``.idx``, mosaicml-streaming MDS and datatrove ``.ds``.

The layouts are written here with numpy, not with the consumers' own writers: those drag in torch and cloud SDKs, go
document by document, and (MDS) pin libraries this project needs newer. That they are the consumers' layouts is what
``tests/formats`` checks, with the consumers' own readers. All numbers in the files are little-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import humanize
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.formats.base import Written
from pipeline.tokens import Tokenizer

#: Documents encoded at once.
_BATCH = 2_000


class _TokenizedWriter:
    """Encodes a table's texts batch by batch; formats differ in what they make of the ids.

    :param tokenizer: gives the ids; its end-of-document token is put after each document.
    """

    #: A vocabulary of at most this size fits 16-bit ids.
    narrow: ClassVar[int] = 1 << 16

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._is_narrow = tokenizer.vocab_size <= self.narrow

    def finish(self, directory: Path, written: Sequence[Written]) -> list[Written]:
        """Nothing to add."""
        return []

    def _encoded(self, table: pa.Table, dtype: npt.DTypeLike) -> Iterator[tuple[pa.Table, np.ndarray, np.ndarray]]:
        """Batches of the table with their ids (flat, each document ended) and the number of ids of each document.

        :raises ValueError: the ``tokens`` column was counted by another tokenizer.
        """
        for start in range(0, len(table), _BATCH):
            rows = table.slice(start, _BATCH)
            ids, lengths = self._tokenizer.encode(rows["text"])
            if not np.array_equal(lengths, rows["tokens"].to_numpy()):
                raise ValueError(f"the table's tokens were not counted by {self._tokenizer.name}")
            ended = np.insert(ids, np.cumsum(lengths), self._tokenizer.eos_id)
            yield rows, ended.astype(dtype), lengths + 1

    def _write_flat(self, table: pa.Table, path: Path, dtype: npt.DTypeLike) -> np.ndarray:
        """Write all ids of a table into a file, one document after another; returns int64 (rows,), the ids of each."""
        lengths = [np.empty(0, dtype=np.int64)]
        with path.open("wb") as file:
            for _, ids, counts in self._encoded(table, dtype):
                file.write(ids.tobytes())
                lengths.append(counts)
        return np.concatenate(lengths)


class MegatronWriter(_TokenizedWriter):
    """``STEM.bin`` and ``STEM.idx``, as Megatron-LM's ``IndexedDataset`` (``MMapIndexedDataset``) maps them.

    Ids are uint16 for a vocabulary under 65,500 (Megatron's own limit), else int32. One sequence a document, ended by
    the end-of-document token. Layout: ``megatron/core/datasets/indexed_dataset.py`` in NVIDIA/Megatron-LM.
    """

    name = "megatron"
    narrow = 65_499

    _MAGIC = b"MMIDIDX\x00\x00"
    _CODES: ClassVar = {np.dtype("<i4"): 4, np.dtype("<u2"): 8}

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """See :class:`pipeline.formats.base.ShardWriter`."""
        data, index = directory / f"{stem}.bin", directory / f"{stem}.idx"
        dtype = np.dtype("<u2" if self._is_narrow else "<i4")
        lengths = self._write_flat(table, data, dtype)
        pointers = (np.cumsum(lengths) - lengths) * dtype.itemsize
        # Document i is sequence i alone; Megatron wants the end of the last one too.
        documents = np.arange(len(lengths) + 1, dtype="<i8")
        with index.open("wb") as file:
            file.write(self._MAGIC + struct.pack("<QBQQ", 1, self._CODES[dtype], len(lengths), len(documents)))
            for array in (lengths.astype("<i4"), pointers.astype("<i8"), documents):
                file.write(array.tobytes())
        return [Written(data.name, len(table), int((lengths - 1).sum())), Written(index.name, 0, 0)]


class DatatroveWriter(_TokenizedWriter):
    """``STEM.ds`` with ``.ds.index`` and ``.ds.metadata``, as datatrove's ``TokenizedFile`` writes and nanotron reads.

    Ids are uint16 for a vocabulary of at most 65,536, else uint32; the index holds each document's end in tokens, as
    uint64.
    """

    name = "datatrove"

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """See :class:`pipeline.formats.base.ShardWriter`."""
        data = directory / f"{stem}.ds"
        dtype = np.dtype("<u2" if self._is_narrow else "<u4")
        lengths = self._write_flat(table, data, dtype)
        index, metadata = directory / f"{data.name}.index", directory / f"{data.name}.metadata"
        index.write_bytes(np.cumsum(lengths).astype("<u8").tobytes())
        total = int(lengths.sum())
        # of a tokenizer in a file its name alone: where it lies on this machine is nobody's business
        name = self._tokenizer.name.rsplit("/", 1)[-1] if self._tokenizer.name.startswith("/") else self._tokenizer.name
        metadata.write_text(f"{name}|{dtype.itemsize}\n{total}\n{humanize.metric(total, unit='T')}", encoding="utf-8")
        return [
            Written(data.name, len(table), total - len(table)),
            Written(index.name, 0, 0),
            Written(metadata.name, 0, 0),
        ]


class MdsWriter(_TokenizedWriter):
    """``STEM.NN.mds`` files and, from :meth:`finish`, the folder's ``index.json``, as mosaicml-streaming reads them.

    A sample has ``id`` and ``source`` (str) and ``tokens`` (an array of uint16 or, for a vocabulary over 65,536, int32,
    ended by the end-of-document token). Layout: ``streaming/base/format/mds`` in mosaicml/streaming; the bytes equal
    those of its ``MDSWriter``.

    :param size_limit: most bytes of samples in one file of more than one sample; streaming's default.
    """

    name = "mds"

    def __init__(self, tokenizer: Tokenizer, size_limit: int = 1 << 26) -> None:
        super().__init__(tokenizer)
        self._dtype = np.dtype("<u2" if self._is_narrow else "<i4")
        self._size_limit = size_limit
        self._config: dict[str, Any] = {
            "version": 2,
            "format": "mds",
            "compression": None,
            "hashes": [],
            "size_limit": size_limit,
            "column_names": ["id", "source", "tokens"],
            "column_encodings": ["str", "str", f"ndarray:{self._dtype.name}"],
            "column_sizes": [None, None, None],
        }

    def write(self, table: pa.Table, directory: Path, stem: str) -> list[Written]:
        """See :class:`pipeline.formats.base.ShardWriter`."""
        written: list[Written] = []
        samples: list[bytes] = []
        size = len(self._config_bytes()) + 8
        held, tokens = size, 0
        for rows, ids, lengths in self._encoded(table, self._dtype):
            documents = zip(rows["id"].to_pylist(), rows["source"].to_pylist(), lengths.tolist(), strict=True)
            at = 0
            for name, source, length in documents:
                sample = self._sample(name, source, ids[at : at + length])
                if samples and held + len(sample) + 4 > self._size_limit:
                    written.append(self._flush(samples, tokens, directory, f"{stem}.{len(written):02d}.mds"))
                    samples, held, tokens = [], size, 0
                samples.append(sample)
                held += len(sample) + 4
                tokens += length - 1
                at += length
        if samples:
            written.append(self._flush(samples, tokens, directory, f"{stem}.{len(written):02d}.mds"))
        return written

    def finish(self, directory: Path, written: Sequence[Written]) -> list[Written]:
        """Write ``index.json``, which lists the folder's ``.mds`` files by name."""
        shards = [
            {
                "samples": file.documents,
                "raw_data": {"basename": file.path, "bytes": (directory / file.path).stat().st_size, "hashes": {}},
                "zip_data": None,
                **self._config,
            }
            for file in sorted(written)
            if file.path.endswith(".mds")
        ]
        index = directory / "index.json"
        index.write_text(json.dumps({"version": 2, "shards": shards}, sort_keys=True), encoding="utf-8")
        return [Written(index.name, 0, 0)]

    def _config_bytes(self) -> bytes:
        return json.dumps(self._config, sort_keys=True).encode()

    def _sample(self, name: str, source: str, ids: np.ndarray) -> bytes:
        """Sizes of the three values (uint32), then the values; an array is its shape's width, its shape, its items."""
        width = 0 if len(ids) < 1 << 8 else 1 if len(ids) < 1 << 16 else 2
        shape = len(ids).to_bytes(1 << width, "little")
        values = (name.encode(), source.encode(), bytes([1 << 2 | width]) + shape + ids.tobytes())
        return struct.pack("<3I", *map(len, values)) + b"".join(values)

    def _flush(self, samples: list[bytes], tokens: int, directory: Path, name: str) -> Written:
        """Number of samples, where each starts and the last ends (uint32), the configuration, the samples."""
        config = self._config_bytes()
        offsets = np.cumsum([0, *map(len, samples)]) + 4 + 4 * (len(samples) + 1) + len(config)
        head = struct.pack("<I", len(samples)) + offsets.astype("<u4").tobytes() + config
        (directory / name).write_bytes(head + b"".join(samples))
        return Written(name, len(samples), tokens)
