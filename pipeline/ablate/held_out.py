"""What proxies are measured on: held-out documents and question sets, and how their bits become metrics.

Held-out documents are the base recipe's validation split, shared out over the sources as evenly as they allow, so that a small source is
measured too. A document then counts in a metric by what it stands for: its source's share of the base mix over the tokens held out of it.
So ``bpb/all`` is the loss on a text drawn from the base mix, ``bpb/family/forum`` and ``bpb/facet/autonomy`` on the forum's and on the
autonomy part of it; and ``bpb/source/NAME`` is plain.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from pipeline.ablate.draws import facets, fill
from pipeline.ablate.recipe import QuestionSet, Resolved
from pipeline.ablate.texts import Texts
from pipeline.store import Store
from pipeline.tokens import Tokenizer
from sources.card import data_root
from sources.errors import UserError

#: A facet or family with less held-out text than this has no metric of its own.
LEAST_BYTES = 2_000

_ARRAYS = ("ids", "starts", "counted", "alone")


@dataclass(frozen=True)
class HeldOut:
    """Documents and questions, tokenised, with what they count for.

    :param ids: uint16, each document ended by the end-of-document token; shape (tokens,).
    :param starts: int64, shape (documents + 1,).
    :param counted: whether a token's bits count (of a question only its answer's), shape (tokens,).
    :param alone: whether a document is read by itself, as a question is, and not after the one before it; shape (documents,).
    :param weights: metric -> what a bit of each document adds to it, shape (documents,).
    :param inputs: keys of the tokens it is made of.
    """

    ids: np.ndarray
    starts: np.ndarray
    counted: np.ndarray
    alone: np.ndarray
    weights: dict[str, np.ndarray]
    inputs: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Changes with any token or what counts."""
        made = hashlib.blake2b(digest_size=16)
        for part in (self.ids, self.starts, self.counted, self.alone):
            made.update(np.ascontiguousarray(part).tobytes())
        return made.hexdigest()

    def metrics(self, bits: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of some runs, bits per byte.

        :param bits: of each document's counted tokens, shape (..., documents).
        """
        return {name: bits @ weights for name, weights in self.weights.items()}

    def save(self, folder: Path) -> None:
        """What a worker needs to measure a model."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> HeldOut:
        """What :meth:`save` wrote; without weights."""
        ids, starts, counted, alone = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS)
        return cls(ids, starts, counted, alone, {})


def choose(held_out: pa.Table, tokens: int) -> pa.Table:
    """The documents that are measured: of each source in order of their hash, until its part of ``tokens`` is met; one at least."""
    source = held_out["source"].to_numpy(zero_copy_only=False)
    names, number = np.unique(source, return_inverse=True)
    count = held_out["tokens"].to_numpy().astype(np.int64)
    order = np.lexsort((held_out["u"].to_numpy(), number))
    capacity = np.bincount(number, weights=count, minlength=len(names))
    targets = fill(tokens, np.ones(len(names)), capacity)
    through = np.cumsum(count[order])
    firsts = np.searchsorted(number[order], np.arange(len(names)))
    before = (through - count[order])[firsts]
    middle = through - before[number[order]] - count[order] / 2
    first = np.zeros(len(order), dtype=bool)
    first[firsts] = True
    kept = np.sort(order[(middle <= targets[number[order]]) | first])
    return held_out.take(pa.array(kept))


def measured(
    resolved: Resolved, chosen: pa.Table, texts: Texts, shares: dict[str, float], tokenizer: Tokenizer
) -> HeldOut:
    """Put held-out documents and question sets together.

    :param chosen: of :func:`choose`.
    :param shares: of the base mix by source.
    :raises UserError: a question set that cannot be read.
    """
    ids, starts = texts.gather(chosen["shard"].to_numpy(), chosen["row"].to_numpy())
    source = chosen["source"].to_numpy(zero_copy_only=False)
    sizes = chosen["bytes"].to_numpy().astype(float)
    names, number = np.unique(source, return_inverse=True)
    held = np.bincount(number, weights=sizes)
    tokens = np.bincount(number, weights=chosen["tokens"].to_numpy())
    stands_for = np.array([shares.get(name, 0.0) for name in names])[number] / tokens[number]
    family = np.array([resolved.cards[name].family for name in names])[number]

    members: dict[str, np.ndarray] = {"bpb/all": np.ones(len(source), dtype=bool)}
    members |= {f"bpb/family/{name}": family == name for name in dict.fromkeys(family)}
    members |= {f"bpb/facet/{name}": has for name, has in facets(chosen).items()}
    weights: dict[str, np.ndarray] = {}
    for name, member in members.items():
        value = np.where(member, stands_for, 0.0)
        if sizes[member].sum() >= LEAST_BYTES and value.any():
            weights[name] = value / (value @ sizes)
    for i, name in enumerate(names):
        weights[f"bpb/source/{name}"] = np.where(number == i, 1.0 / held[i], 0.0)

    counted, alone = np.ones(len(ids), dtype=bool), np.zeros(len(starts) - 1, dtype=bool)
    for name, questions in resolved.ablation.evaluation.sets.items():
        own, own_starts, own_counted, answer_bytes = _questions(resolved, name, questions, tokenizer)
        n = len(own_starts) - 1
        weights = {metric: np.concatenate([value, np.zeros(n)]) for metric, value in weights.items()}
        # the mean over questions of the bits per byte of each answer
        weights[f"bpb/set/{name}"] = np.concatenate([np.zeros(len(starts) - 1), 1.0 / (n * answer_bytes)])
        ids, counted = np.concatenate([ids, own]), np.concatenate([counted, own_counted])
        alone = np.concatenate([alone, np.ones(n, dtype=bool)])
        starts = np.concatenate([starts, starts[-1] + own_starts[1:]])
    return HeldOut(ids, starts, counted, alone, weights)


def _questions(
    resolved: Resolved, name: str, questions: QuestionSet, tokenizer: Tokenizer
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, starts, which count, and bytes of the answers."""
    place = resolved.ablation.place("evaluation", "sets", name)
    path = resolved.folder / questions.file
    root = data_root()
    if not path.is_file() and root is not None:
        path = root / questions.file
    if not path.is_file():
        raise UserError(
            f"no question set at {questions.file!r}",
            where=place,
            fix="give a path relative to the recipe or to WELLMIX_DATA",
        )
    prompts: list[str] = []
    answers: list[str] = []
    for line, row in _rows(path):
        if len(prompts) == questions.limit:
            break
        row = {key: value for key, value in row.items() if key is not None and value is not None}
        try:
            prompt, answer = questions.prompt.format_map(row), questions.answer.format_map(row)
        except (KeyError, IndexError, AttributeError, ValueError) as error:
            raise UserError(
                f"a question has no field {error}", where=f"{path}:{line}", fix=f"its fields: {', '.join(row)}"
            ) from None
        if not answer.strip():
            raise UserError("a question has no answer", where=f"{path}:{line}", fix=f"mend it, or change {place}")
        prompts.append(prompt)
        answers.append(" " + answer.strip())
    if not prompts:
        raise UserError("a question set without questions", where=path)
    p, p_lengths = tokenizer.encode(pa.array(prompts))
    a, a_lengths = tokenizer.encode(pa.array(answers))
    starts = np.concatenate([[0], np.cumsum(p_lengths + a_lengths + 1)])
    ids = np.full(starts[-1], tokenizer.eos_id, dtype=np.uint16)
    counted = np.zeros(starts[-1], dtype=bool)
    p_at = np.arange(len(p)) + np.repeat(starts[:-1] - (np.cumsum(p_lengths) - p_lengths), p_lengths)
    a_at = np.arange(len(a)) + np.repeat(starts[:-1] + p_lengths - (np.cumsum(a_lengths) - a_lengths), a_lengths)
    ids[p_at], ids[a_at], counted[a_at] = p, a, True
    return ids, starts, counted, np.array([len(answer.encode()) for answer in answers], dtype=float)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and fields of each record of a JSON-lines or CSV file."""
    if path.suffix.lower() == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield reader.line_num, row
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row = orjson.loads(line)
                except ValueError:
                    raise UserError("not JSON", where=f"{path}:{number}", fix="one JSON object a line") from None
                if not isinstance(row, dict):
                    raise UserError("not a JSON object", where=f"{path}:{number}", fix="one JSON object a line")
                yield number, row


def keep(store: Store, held_out: HeldOut) -> str:
    """Put what is measured where workers find it; returns its key."""
    key = held_out.digest
    if not store.has("held-out", key):
        with store.write("held-out", key, held_out.inputs) as (folder, meta):
            held_out.save(folder)
            meta.update(tokens=len(held_out.ids), documents=len(held_out.starts) - 1)
    return key
