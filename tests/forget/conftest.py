# ruff: noqa: SIM905 (word lists read better as text)
"""A small world to forget in: posts, threads, long stories and a mirror that names nobody; made up, every word of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.mix import MixResult, run_mix

HANDLE = "quiet_heron_31"
FORMATS = "[parquet, jsonl, megatron, mds, datatrove]"

_WORDS = (
    "garden river lantern pocket morning kettle window sparrow ladder blanket harbour orchard pencil marble candle meadow "
    "thunder button saddle copper velvet pepper cottage willow anchor basket feather gravel hammer island jacket lemon mirror "
    "needle oyster paddle quarry ribbon shadow timber umbrella valley whisper yellow zipper bridge circle dancer engine forest"
).split()

_CARD = """\
name: {name}
title: Made up
family: {family}
where: {{path: "{name}/*.jsonl"}}
reader: {{name: jsonl, key: id, {reader}}}
license: {{id: CC0-1.0}}
consent: {{basis: synthetic}}
citation: nobody
takedown: nobody
sensitivity: low
language: [en]
skill: {{}}
"""

_RECIPE = """\
name: world
purpose: publish
budget: 12_000
effort: fast
cards: [cards]
sources:
  circle: {weight: 0.3}
  threads: {weight: 0.3}
  stories: {weight: 0.3}
  mirror: {weight: 0.1}
filters: {contamination: false, quality: false, language: false, safety: false}
ingest: {max_chars: 1_000}
"""

_SET = """\
name: world-set
purpose: publish
size: 8
effort: fast
cards: [cards]
sources: {threads: {}}
formats: [messages]
simulated: 1.0
filters: {contamination: false}
"""


def prose(seed: int, words: int) -> str:
    """Sentences that nobody else writes."""
    rng = random.Random(seed)
    said = [rng.choice(_WORDS) for _ in range(words)]
    lines = [" ".join(said[i : i + 9]).capitalize() + "." for i in range(0, words, 9)]
    return "I think that it was good. ".join(lines)


#: What the person wrote in ``circle``; the mirror has it twice, and somebody quotes a part of it in a thread.
OWN = prose(31, 60)
#: What they said in a thread of others.
SAID = prose(32, 30)


def write(folder: Path, name: str, rows: list[dict]) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of corpora, cards and recipes."""
    folder = tmp_path_factory.mktemp("world")
    circle = [{"id": f"c{i}", "user": f"writer_{i % 9}", "text": prose(100 + i, 50)} for i in range(40)]
    circle[7] = {"id": "c7", "user": HANDLE, "text": OWN}
    circle[8] = {"id": "c8", "user": HANDLE, "text": "I feel sad today, that is all."}
    write(folder, "circle/a.jsonl", circle[:20])
    write(folder, "circle/b.jsonl", circle[20:])
    threads = [
        {
            "id": f"t{i}",
            "posts": [
                {"by": "seeker", "user": f"asker_{i}", "text": prose(300 + i, 30)},
                {"by": "supporter", "user": f"writer_{i % 9}", "text": prose(400 + i, 30)},
            ],
        }
        for i in range(30)
    ]
    threads[5]["posts"].append({"by": "supporter", "user": HANDLE, "text": SAID})  # type: ignore[attr-defined]
    quoting = {"by": "supporter", "user": "writer_1", "text": " ".join(OWN.split()[10:50])}
    threads[9]["posts"].append(quoting)  # type: ignore[attr-defined]
    write(folder, "threads/a.jsonl", threads)
    stories = [
        {"id": f"s{i}", "user": f"teller_{i}", "text": "\n\n".join(prose(600 + 9 * i + k, 80) for k in range(4))}
        for i in range(12)
    ]
    write(folder, "stories/a.jsonl", stories)
    mirror = [{"id": f"m{i}", "text": prose(900 + i, 45)} for i in range(12)]
    mirror[3]["text"] = OWN
    mirror[4]["text"] = f"Somebody wrote this somewhere. {OWN} {prose(77, 40)}"
    mirror[5]["text"] = "I feel sad today, that is all."
    write(folder, "mirror/a.jsonl", mirror)
    threaded = "turn_list: {path: posts, role: by, roles: {seeker: seeker, supporter: supporter}, author: user}"
    readers = {
        "circle": "text: text, author: user",
        "threads": threaded,
        "stories": "text: text, author: user",
        "mirror": "text: text",
    }
    (folder / "cards").mkdir()
    for name, reader in readers.items():
        family = "transcript" if name == "threads" else "forum"
        (folder / "cards" / f"{name}.yaml").write_text(_CARD.format(name=name, family=family, reader=reader))
    (folder / "world.yaml").write_text(_RECIPE)
    (folder / "world-set.yaml").write_text(_SET)
    return folder


@pytest.fixture(autouse=True)
def _here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLMIX_DATA", str(world))
    monkeypatch.setenv("WELLMIX_TOMBSTONES", str(tmp_path / "tombstones.jsonl"))


Mix = Callable[..., MixResult]


@pytest.fixture
def mix(world: Path) -> Mix:
    """Runs the recipe: ``mix(store, out, *overrides)``."""

    def run(store: Path, out: Path, *overrides: str) -> MixResult:
        return run_mix(
            world / "world.yaml", out=out, store_root=store, workers=1, overrides=list(overrides), show_progress=False
        )

    return run


@pytest.fixture(scope="session")
def mixed(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store and an output, ``store`` and ``out``, of a world in which nothing is forgotten yet: to copy."""
    folder = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WELLMIX_DATA", str(world))
        patch.setenv("WELLMIX_TOMBSTONES", str(folder / "none.jsonl"))
        run_mix(
            world / "world.yaml", out=folder / "out", store_root=folder / "store", workers=1,
            overrides=[f"shards.formats={FORMATS}"], show_progress=False,
        )  # fmt: skip
    return folder
