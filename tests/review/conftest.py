"""A made-up set as curate writes it: two sources, two principles, single replies, pairs and unpaired replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

#: Beside the texts. The values of some are words that occur nowhere else, so that a leak is found.
COMMON = [
    ("source", pa.string()), ("license", pa.string()), ("origin", pa.string()), ("author_kind", pa.string()), ("simulated", pa.bool_()),
    ("why", pa.struct([("kind", pa.string()), ("detail", pa.string())])), ("principles", pa.list_(pa.string())),
    ("situation", pa.string()), ("facets", pa.list_(pa.string())), ("behaviours", pa.list_(pa.string())), ("risk", pa.bool_()),
    ("tokens", pa.int32()), ("support", pa.float32()),
]  # fmt: skip

TEXTS = {
    "messages": ["messages"],
    "prompt_completion": ["prompt", "completion"],
    "preference": ["prompt", "chosen", "rejected"],
    "unpaired": ["prompt", "completion"],
}

#: What must not be in a file for reviewers.
SECRETS = [
    "quillforum",
    "marrowtalk",
    "LicenseRef-Quill",
    "rankwhy",
    "quill/7.jsonl",
    "train",
    "validation",
    "1.2345",
    "crowd",
]


def hex_id(name: str) -> str:
    """An id as curate makes them."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def row(name: str, **changes: Any) -> dict[str, Any]:
    """What an example carries beside its texts."""
    return {
        "id": hex_id(name),
        "source": "quillforum",
        "license": "LicenseRef-Quill",
        "origin": "quill/7.jsonl#line=1",
        "author_kind": "crowd",
        "simulated": False,
        "why": {"kind": "rankwhy", "detail": "7"},
        "principles": ["listen-first"],
        "situation": "exam",
        "facets": ["adversity"],
        "behaviours": ["asks", "validates"],
        "risk": False,
        "tokens": 20,
        "support": 1.2345,
    } | changes


def single(i: int, **changes: Any) -> dict[str, Any]:
    texts = {"messages": [user(f"Exam number {i} is near."), assistant(f"What worries you about {i}?")]}
    return row(f"single{i}", **texts | changes)


def pair(i: int, **changes: Any) -> dict[str, Any]:
    texts = {
        "prompt": [user(f"My garden {i} died.")],
        "chosen": [assistant(f"That hurts. What did garden {i} mean to you?")],
        "rejected": [assistant(f"Plant another one, {i}.")],
    }
    return row(f"pair{i}", **texts | changes)


def unpaired(i: int, **changes: Any) -> dict[str, Any]:
    texts = {"prompt": [user(f"I moved to town {i}.")], "completion": [assistant(f"How is town {i} for you?")]}
    return row(f"unpaired{i}", label=i % 2 == 0, **texts | changes)


MakeSet = Callable[..., Path]


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    """Write a set: ``make_set(messages=[...], preference=[...])``; every fourth row is in the validation split."""

    def write(name: str = "kind-replies", principles: bool = True, **formats: list[dict[str, Any]]) -> Path:
        folder = tmp_path / name
        files = []
        for format_, rows in formats.items():
            columns = [("id", pa.string()), *((text, MESSAGES) for text in TEXTS[format_]), *COMMON]
            if format_ == "unpaired":
                columns.append(("label", pa.bool_()))
            for split, part in (("train", [r for i, r in enumerate(rows) if i % 4]), ("validation", rows[::4])):
                path = f"{format_}/{split}/00000.parquet"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(pa.Table.from_pylist(part, pa.schema(columns)), folder / path, row_group_size=16)
                files.append({"path": path, "format": format_, "split": split, "examples": len(part)})
        told = [
            {"id": "listen-first", "text": "Listen before advising.", "source": "a book", "examples": 9},
            {"id": "own-choice", "text": "Leave the choice to the person.", "source": "a meeting", "examples": 1},
        ]
        manifest = {"schema_version": 1, "kind": "set", "key": "k", "name": name, "files": files}
        (folder / "manifest.json").write_text(json.dumps(manifest | {"principles": told if principles else []}))
        return folder

    return write


@pytest.fixture
def mixed_set(make_set: MakeSet) -> Path:
    """40 single replies of two sources (one rare principle), 20 pairs, 20 unpaired replies."""
    singles = [single(i, source="marrowtalk" if i < 4 else "quillforum") for i in range(40)]
    singles[20]["principles"] = ["listen-first", "own-choice"]
    return make_set(
        messages=singles, preference=[pair(i) for i in range(20)], unpaired=[unpaired(i) for i in range(20)]
    )
