"""Datasets of the Hugging Face hub (or a local folder laid out like one), streamed; code of a dataset is never run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sources.document import Bad, Record
from sources.errors import UserError
from sources.readers.base import FileRef, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper, Row
from sources.readers.rows import check_columns, read_rows


class HuggingFaceOptions(Fields):
    """Options of the ``huggingface`` reader: the field mapping. What to load stands in the card's ``where`` (hub, config, split,
    revision, streaming).

    :param data_files: globs of files inside the repository, where its default layout is not what you want.
    """

    data_files: list[str] = []


class HuggingFaceReader(Reader):
    """One row a record; every shard (data file) of the dataset is a task of its own.

    The cursor is ours: a killed task reads its shard again from the start, because the streaming state of ``datasets`` is known
    to lose rows when it is resumed. The locator is shard and row, ``owner/name/config/split@revision#shard=2&row=17``.
    """

    name = "huggingface"
    Options = HuggingFaceOptions

    def __init__(self, options: HuggingFaceOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def splits(self, files: Sequence[FileRef], target_bytes: int) -> list[Split]:
        if self.options.group:
            return [Split((file,)) for file in files]
        return [Split((file,), i, i + 1) for file in files for i in range(self._load(file).num_shards)]

    def read(self, split: Split) -> Iterator[Record | Bad]:
        yield from read_rows(self._mapper, split.files, lambda file: self._rows(file, split.start, split.stop))

    def _rows(self, file: FileRef, start: int, stop: int | None) -> Iterator[tuple[str, Row | Bad]]:
        dataset = self._load(file)
        wanted = sorted({name.partition(".")[0] for name in self._mapper.columns()})
        # Files without a schema (JSON) have no columns before their first row.
        columns = dataset.column_names or list(next(iter(dataset), {}))
        check_columns(wanted, columns, file, self.options.optional)
        dataset = dataset.select_columns([name for name in columns if name in wanted])
        count = dataset.num_shards
        for shard in range(start, count if stop is None else stop):
            for number, row in enumerate(dataset.shard(count, shard), 1):
                yield f"{file.name}#shard={shard}&row={number}", row

    def _load(self, file: FileRef) -> Any:
        """The dataset as an IterableDataset.

        :raises UserError: the hub cannot be reached, or has no such dataset, configuration, split or revision.
        """
        from datasets import load_dataset

        hub, config, split, revision, streaming = parse_hub(file)
        local = Path(hub).is_dir()
        try:
            dataset = load_dataset(
                hub,
                None if config == "default" else config,
                split=split,
                revision=None if local or revision == "main" else revision,
                data_files=self.options.data_files or None,
                streaming=streaming,
            )
        except (OSError, ValueError, RuntimeError) as error:
            # datasets and huggingface_hub raise subclasses of these for every way a dataset can be out of reach
            raise UserError(
                f"cannot load the dataset: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                where=file.name,
                fix="check the network, the name, config, split and revision, and whether it wants a login (`hf auth login`)",
            ) from None
        return dataset if streaming else dataset.to_iterable_dataset()


def parse_hub(file: FileRef) -> tuple[str, str, str, str, bool]:
    """Name, config, split, revision and streaming of the reference that :func:`sources.files.resolve` made."""
    path, _, query = file.url.removeprefix("hub://").partition("?")
    path, _, revision = path.rpartition("@")
    hub, config, split = path.rsplit("/", 2)
    return hub, config, split, revision, parse_qs(query).get("streaming") != ["0"]
