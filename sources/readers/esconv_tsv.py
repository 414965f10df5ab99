"""ESConv's training files: each line is the last few turns of a conversation, so conversations are put together again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field

from sources.document import Bad, Record, Turn
from sources.readers.base import FileRef, Reader, Split, StreamOptions
from sources.readers.jsonl import lines

#: ``0.0 1 5 [Questions] text``: a weight, who speaks (0 seeker, 1 supporter), the number of the turn, the supporter's strategy.
_TURN = re.compile(r"\s*(?:[\d.]+)\s+([01])\s+([0-9]{1,9})\s?(?:\[([^\]]*)\]\s?)?(.*)", re.DOTALL)


class EsconvTsvOptions(StreamOptions):
    """Options of the ``esconv_tsv`` reader.

    :param separator: what stands between turns.
    :param max_line_bytes: longer lines are refused (``line_too_long``).
    """

    separator: str = " EOS "
    max_line_bytes: int = Field(default=1 << 20, ge=1 << 10)


class EsconvTsvReader(Reader):
    """Puts the overlapping windows of ``*WithStrategy*.tsv`` together: one record a conversation, each turn once.

    A line goes on with a conversation while the turns it repeats are the same; otherwise the next one starts. The locator is
    the first line of the conversation, ``dev.tsv#line=1``.
    """

    name = "esconv_tsv"
    Options = EsconvTsvOptions

    def read(self, split: Split) -> Iterator[Record | Bad]:
        for file in split.files:
            yield from self._read(file)

    def _read(self, file: FileRef) -> Iterator[Record | Bad]:
        held: dict[int, Turn] = {}
        first = 0
        for number, (_, line) in enumerate(
            lines(file, 0, None, self.options.max_line_bytes, self.options.max_ratio), 1
        ):
            origin = f"{file.name}#line={number}"
            if isinstance(line, Bad):
                yield Bad(origin, line.reason, line.detail)
                continue
            if not line.strip():
                continue
            try:
                window = self._window(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield Bad(origin, "invalid_utf8", error.reason)
                continue
            if window is None:
                yield Bad(origin, "invalid_turn", "a turn is not: weight, speaker, number, [strategy], text")
                continue
            if not _goes_on(held, window):
                if held:
                    yield _record(file, first, held)
                held, first = {}, number
            held.update(window)
        if held:
            yield _record(file, first, held)

    def _window(self, line: str) -> dict[int, Turn] | None:
        """Turns of one line by their number."""
        window: dict[int, Turn] = {}
        for piece in line.rstrip("\r\n").split(self.options.separator):
            found = _TURN.fullmatch(piece)
            if found is None:
                return None
            who, number, strategy, text = found.groups()
            role = "supporter" if who == "1" else "seeker"
            window[int(number)] = Turn(role, text.strip(), None, {"strategy": strategy} if strategy else {})
        return window


def _goes_on(held: dict[int, Turn], window: dict[int, Turn]) -> bool:
    if not held:
        return False
    # After many turns of the seeker the window has moved past all it held before.
    shared = held.keys() & window.keys()
    follows = max(window) > max(held) if shared else min(window) == max(held) + 1
    return follows and all(held[n].text == window[n].text for n in shared)


def _record(file: FileRef, line: int, turns: dict[int, Turn]) -> Record:
    origin = f"{file.name}#line={line}"
    return Record(origin, origin, turns=[turns[n] for n in sorted(turns) if turns[n].text])
