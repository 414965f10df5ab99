"""What the user sees while it runs: one live view on stderr, quiet when that is not a terminal."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.segment import Segment

#: Characters that steer a terminal, or turn the order of what is read: control characters but tab and line end, marks of direction.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """A text of unknown origin for a terminal: what would steer it is spelled, ``\\x1b`` for the escape character."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class _Console(Console):
    """Shows what ids, names of files and texts hold, and never does what they say.

    Colours and links of our own are styles, which rich turns to escape codes after this.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or _STEERING.search(segment.text) is None:
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)


#: Messages and tables; stdout is left to ``--json`` and to data.
console = _Console(stderr=True, emoji=False)
if not console.is_terminal:
    # a log file has no width of its own; 80 columns would fold every table
    console.width = 160


class Progress:
    """A bar a stage, and under it a bar for each source that is under way.

    :param enabled: off for tests and scripts.
    :ivar seconds: wall time of each stage that ran; a step inside another is named after it (``dedup/shingles``).
    """

    def __init__(self, enabled: bool = True) -> None:
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not enabled or not console.is_terminal,
        )
        self._stages: dict[str, _Stage] = {}
        self._counts: dict[str, TaskID] = {}
        self.seconds: dict[str, float] = {}
        self._inside: list[str] = []

    def __enter__(self) -> Progress:
        self._rich.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._rich.stop()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time until the block ends to a stage's :attr:`seconds`."""
        self._inside.append(stage)
        name, began = "/".join(self._inside), monotonic()
        try:
            yield
        finally:
            self._inside.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + monotonic() - began

    def start(self, label: str, weights: list[int], groups: list[str | None]) -> None:
        """Show a stage of ``len(weights)`` tasks."""
        self._stages[label] = _Stage(self._rich, label, weights, groups)

    def update(self, label: str, done: list[int]) -> None:
        """Say which tasks of a stage are done."""
        self._stages[label].update(set(done))

    def count(self, label: str, done: int, total: int) -> None:
        """Show a stage that only counts: ``done`` of ``total``."""
        if label not in self._counts:
            self._counts[label] = self._rich.add_task(f"[bold]{label}", total=total)
        self._rich.update(self._counts[label], completed=done, total=total)

    def finish(self, label: str, failed: bool = False) -> None:
        """Close a stage; its source bars go, its own bar stays."""
        self._stages.pop(label).close(failed)


class _Stage:
    def __init__(self, rich: RichProgress, label: str, weights: list[int], groups: list[str | None]) -> None:
        self._rich, self._label, self._weights, self._groups = rich, label, weights, groups
        self._bar = rich.add_task(f"[bold]{label}", total=sum(weights))
        self._members: dict[str, list[int]] = defaultdict(list)
        for i, group in enumerate(groups):
            if group is not None:
                self._members[group].append(i)
        self._bars: dict[str, TaskID] = {}

    def update(self, done: set[int]) -> None:
        self._rich.update(self._bar, completed=sum(self._weights[i] for i in done))
        for group, members in self._members.items():
            finished = [i for i in members if i in done]
            under_way = 0 < len(finished) < len(members)
            if under_way and group not in self._bars:
                self._bars[group] = self._rich.add_task(f"  {group}", total=sum(self._weights[i] for i in members))
            if group in self._bars:
                done_weight = sum(self._weights[i] for i in finished)
                self._rich.update(self._bars[group], completed=done_weight, visible=under_way)

    def close(self, failed: bool) -> None:
        for bar in self._bars.values():
            self._rich.remove_task(bar)
        if failed:
            self._rich.update(self._bar, description=f"[red]{self._label} stopped")
