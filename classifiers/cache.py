"""What training keeps between runs: arrays committed by rename, and rows of texts that are made once a text."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

Encode = Callable[[list[str]], np.ndarray]


def save(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays aside and commit them by rename: a run that was killed leaves no half file that a later one would read."""
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    with aside.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    aside.replace(path)


def rows_of(texts: list[str], folder: Path, kind: str, encoder: Callable[[], Encode], at_once: int) -> np.ndarray:
    """One row for each text; only texts the folder does not know are encoded.

    :param kind: names all that a row depends on besides its text; part of the files' names.
    :param encoder: called once, if any text is new.
    :param at_once: texts encoded before they are written.
    :return: float16, shape (texts, ...).
    """
    keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest() for text in texts]
    known: dict[str, np.ndarray] = {}
    for shard in sorted(folder.glob(f"{kind}-*.npz")):
        with np.load(shard, allow_pickle=False) as saved:
            known |= dict(zip(saved["keys"].tolist(), saved["rows"], strict=True))
    new = sorted(
        {key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items(), key=lambda p: len(p[1])
    )
    encode = encoder() if new else None
    for at in range(0, len(new), at_once):
        assert encode is not None
        part = new[at : at + at_once]
        # half precision is what is kept: a warm cache gives the same weights as a cold one
        rows = encode([text for _, text in part]).astype(np.float16)
        known |= {key: row for (key, _), row in zip(part, rows, strict=True)}
        name = hashlib.blake2b("".join(key for key, _ in part).encode(), digest_size=8).hexdigest()
        save(folder / f"{kind}-{name}.npz", keys=np.array([key for key, _ in part]), rows=rows)
    return np.stack([known[key] for key in keys])
