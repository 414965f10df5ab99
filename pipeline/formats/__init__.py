"""Shard writers: one shard's rows, in their final order, as files a trainer or a viewer reads.

``shard_writer(name)`` gives the writer of a format. All are byte-deterministic: the same table makes the same bytes,
whatever the machine, the time or the number of workers. Each is proven by reading back with the library that consumes
the format (``tests/formats``).
"""

from __future__ import annotations

from pipeline.formats.base import FORMATS_VERSION, ShardWriter, Written
from pipeline.formats.text import JsonlWriter, ParquetWriter
from pipeline.formats.tokenized import DatatroveWriter, MdsWriter, MegatronWriter
from pipeline.tokens import Tokenizer

FORMATS = ("parquet", "jsonl", "megatron", "mds", "datatrove")


def shard_writer(name: str, tokenizer: Tokenizer | None = None) -> ShardWriter:
    """The writer of a format.

    :param name: one of :data:`FORMATS`.
    :param tokenizer: needed by ``megatron``, ``mds`` and ``datatrove``, which hold token ids in place of text.
    :raises ValueError: unknown format, or no tokenizer for one that needs it.
    """
    if name == "parquet":
        return ParquetWriter()
    if name == "jsonl":
        return JsonlWriter()
    tokenized = {"megatron": MegatronWriter, "mds": MdsWriter, "datatrove": DatatroveWriter}
    if name not in tokenized:
        raise ValueError(f"unknown shard format {name!r}; known are {', '.join(FORMATS)}")
    if tokenizer is None:
        raise ValueError(f"the shard format {name!r} needs a tokenizer")
    return tokenized[name](tokenizer)


__all__ = [
    "FORMATS",
    "FORMATS_VERSION",
    "DatatroveWriter",
    "JsonlWriter",
    "MdsWriter",
    "MegatronWriter",
    "ParquetWriter",
    "ShardWriter",
    "Written",
    "shard_writer",
]
