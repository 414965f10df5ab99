"""Text files that each hold one dialogue, a line a turn: ``Therapist: ...``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

from sources.document import Bad, Record
from sources.readers._io import decode, slurp
from sources.readers.base import Encoding, Reader, Split
from sources.readers.fields import Fields
from sources.readers.mapper import Mapper


class DialogueTextOptions(Fields):
    """Options of the ``dialogue_text`` reader: ``turn_lines`` (its column is filled in) and the other field options that make
    sense for a file, such as ``extra`` with ``_file``.

    :param encoding: tried when a file is not UTF-8.
    :param max_bytes: a larger file is refused (``too_large``).
    """

    encoding: Encoding | None = None
    max_bytes: int = Field(default=16 << 20, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _column(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("turn_lines"), dict):
            values = {**values, "turn_lines": {"column": "text", **values["turn_lines"]}}
        return values


class DialogueTextReader(Reader):
    """One file a dialogue; lines that name no speaker go on with the turn before."""

    name = "dialogue_text"
    Options = DialogueTextOptions

    def __init__(self, options: DialogueTextOptions) -> None:
        super().__init__(options)
        self._mapper = Mapper(options)

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            data = slurp(file, self.options.max_bytes)
            if isinstance(data, Bad):
                yield data
                continue
            text = decode(data, self.options.encoding)
            if text is None:
                yield Bad(file.name, "not_text", "binary content")
                continue
            made = self._mapper.record({"text": text}, file.name, file.name)
            if made is not None:
                yield made
