"""What in a store was made of what: every artifact names its inputs, so what hangs on a document can be found, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.store import Store


@dataclass(frozen=True)
class Artifact:
    """One artifact.

    :param inputs: keys of what it was made from; None where it does not say.
    """

    stage: str
    key: str
    meta: dict[str, Any]

    @property
    def inputs(self) -> list[str] | None:
        return self.meta.get("inputs")


class Graph:
    """All artifacts of a store.

    :param artifacts: by key; a key is of one stage.
    """

    def __init__(self, store: Store) -> None:
        self.artifacts = {
            key: Artifact(stage, key, meta) for stage, key, meta in store.artifacts() if stage != "forgotten"
        }
        self._made_of: dict[str, list[Artifact]] = defaultdict(list)
        for one in self.artifacts.values():
            for key in one.inputs or ():
                self._made_of[key].append(one)

    def of_stage(self, stage: str) -> list[Artifact]:
        """Artifacts of a stage, in order of key."""
        return [one for one in self.artifacts.values() if one.stage == stage]

    def made_of(self, key: str) -> list[Artifact]:
        """What was made directly of an artifact."""
        return self._made_of[key]

    def dependents(self, keys: Iterable[str], spared: Callable[[Artifact], bool]) -> list[Artifact]:
        """Everything that was made of some artifacts, and these; and everything that does not say what it was made of.

        :param spared: whether what was made of an artifact is not touched although the artifact itself is.
        :returns: what was made of others before these, so that a removal in this order can be stopped anywhere and found again.
        """
        depth: dict[str, int] = {}
        waiting = [(key, 0) for key in keys]
        waiting += [(one.key, 1) for one in self.artifacts.values() if one.inputs is None]
        while waiting:
            key, level = waiting.pop()
            if depth.get(key, -1) >= level:
                continue
            depth[key] = level
            if key in self.artifacts and not spared(self.artifacts[key]):
                waiting += [(one.key, level + 1) for one in self.made_of(key)]
        ordered = sorted(depth, key=lambda key: (-depth[key], key))
        return [self.artifacts[key] for key in ordered if key in self.artifacts]
