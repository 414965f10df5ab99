"""What a run writes: annotations, and beside them second opinions and the rejected.

What is finished is appended at once, so a run can be stopped anywhere and started again.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from classifiers.annotation.sampling import Candidate, Identity
from sources.errors import UserError


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other runs from writing ``out``; a kill lets go of it too.

    :raises UserError: another run writes it, or it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise UserError("another run is writing this file", where=out, fix="wait for it, or stop it") from None
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=out, fix="name another file with --out") from None


class Files:
    """The files of a run, with what earlier runs left in them.

    :param annotators: who signs first and second opinions; a file holds those of one annotator.
    :param twice: whether a text is to have a second opinion.
    :raises UserError: a line is by another annotator, or cannot be read.
    """

    def __init__(self, out: Path, annotators: Mapping[int, str], twice: Callable[[Identity], bool]) -> None:
        self._opinions = {1: out, 2: Path(f"{out}.second.jsonl")}
        self._rejected = Path(f"{out}.rejected.jsonl")
        self._annotators, self._twice = annotators, twice
        #: Texts and opinions on them that are had, or not to be had.
        self._done: set[tuple[Identity, int]] = set()
        for number, path in [*self._opinions.items(), (0, self._rejected)]:
            for row in _rows(path):
                opinion = number or row["opinion"]
                if row["annotator"] != annotators[opinion]:
                    what = f"the file was begun by another annotator: {row['annotator']}, now {annotators[opinion]}"
                    fix = "name another file with --out: annotations of one file must mean the same"
                    raise UserError(what, where=path, fix=fix)
                self._done |= {(_identity(row), opinion)} if number else {(_identity(row), n) for n in (opinion, 2)}

    def wants(self, text: Candidate, opinion: int) -> bool:
        """Whether this opinion on a text is still to be asked."""
        return (text.identity, opinion) not in self._done and (opinion == 1 or self._twice(text.identity))

    def add(self, opinion: int, text: Candidate, labels: Mapping[str, Any]) -> None:
        """Keep an annotation."""
        corpus, own = text.identity
        row = {"id": own, **labels, "corpus": corpus, "key": text.key, "text": text.text}
        self._append(self._opinions[opinion], opinion, row)
        self._done.add((text.identity, opinion))

    def reject(self, opinion: int, text: Candidate, reason: str) -> None:
        """Keep which text has no annotation and why, without the text."""
        corpus, own = text.identity
        self._append(self._rejected, opinion, {"id": own, "corpus": corpus, "opinion": opinion, "reason": reason})
        self._done |= {(text.identity, opinion), (text.identity, 2)}

    def _append(self, path: Path, opinion: int, row: dict[str, Any]) -> None:
        with path.open("ab") as file:
            file.write(orjson.dumps(row | {"annotator": self._annotators[opinion]}) + b"\n")

    def pairs(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """The two annotations of every text that has two."""
        second = {_identity(row): row for row in _rows(self._opinions[2])}
        return [(row, second[_identity(row)]) for row in _rows(self._opinions[1]) if _identity(row) in second]


def _identity(row: Mapping[str, Any]) -> Identity:
    return row["corpus"], row["id"]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of ours; what a kill left of a last line is cut off.

    :raises UserError: another line cannot be read.
    """
    if not path.is_file():
        return
    whole = 0
    with path.open("rb+") as file:
        for number, line in enumerate(file, 1):
            row: Any = None
            with contextlib.suppress(orjson.JSONDecodeError):
                row = orjson.loads(line)
            if isinstance(row, dict) and row.keys() >= {"id", "corpus", "annotator"}:
                whole += len(line)
                yield row
                file.write(b"" if line.endswith(b"\n") else b"\n")
            elif row is None and line.startswith(b'{"id":'[: len(line)]) and not line.endswith(b"\n"):
                file.truncate(whole)
            else:
                fix = "delete it, or name another file with --out"
                raise UserError("this line was not written by this command", where=f"{path}:{number}", fix=fix)
