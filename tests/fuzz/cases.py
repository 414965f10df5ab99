"""One input of a fuzz target, and the corpus of those that once broke something."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """An input.

    :param target: name of the target, a key of :data:`tests.fuzz.targets.TARGETS`.
    :param files: name -> content.
    :param options: of the target: those of a reader, or what a parser is called with; JSON values.
    :param once: the error it once caused, as ``run.py`` saw it; empty for a new input.
    """

    target: str
    files: dict[str, bytes] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    once: str = ""

    def dump(self) -> str:
        """As JSON."""
        files = {name: base64.b64encode(data).decode() for name, data in self.files.items()}
        value = {"target": self.target, "once": self.once, "options": self.options, "files": files}
        return json.dumps(value, indent=1) + "\n"

    @staticmethod
    def load(text: str) -> Case:
        """Inverse of :meth:`dump`."""
        raw = json.loads(text)
        files = {name: base64.b64decode(data) for name, data in raw["files"].items()}
        return Case(raw["target"], files, raw["options"], raw["once"])

    def write(self, folder: Path) -> dict[str, Path]:
        """Put the files into ``folder``; names are kept."""
        paths = {}
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            paths[name] = path
        return paths


def corpus(target: str | None = None) -> list[tuple[str, Case]]:
    """Kept inputs with the names of their files, of one target or of all."""
    found = [(path.stem, Case.load(path.read_text("utf-8"))) for path in sorted(CORPUS.glob("*.json"))]
    return [(name, case) for name, case in found if target in (None, case.target)]


def keep(case: Case, folder: Path = CORPUS) -> Path:
    """Write a case to the corpus, under a name made of its target and what it caused."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.target}-{hashlib.blake2b(case.once.encode(), digest_size=4).hexdigest()}.json"
    path.write_text(case.dump(), "utf-8")
    return path
