"""A tiny corpus of made-up texts, and the command line on it within this process: a run takes a fraction of a second."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from pipeline import cli

CARD = """\
name: tiny
title: A tiny corpus
family: general
where: {path: '*.jsonl'}
reader: {name: jsonl, key: id, text: text}
license: {id: CC0-1.0}
consent: {basis: synthetic}
sensitivity: low
origin: simulated
language: [en]
citation: none
takedown: none
"""
RECIPE = """\
name: tiny
purpose: research
budget: 20_000
validation: 0.1
effort: fast
ingest: {shard_bytes: 65536}
shards: {formats: [parquet, jsonl]}
filters: {contamination: false, quality: false}
cards: [cards]
sources:
  tiny: {weight: 1}
"""
_WORDS = """\
we walked slowly because rain had stopped and my sister told the old story about her first winter near a lake while bread was
baking people laughed when someone found lost gloves under table later everyone felt calm grateful tired but glad to have come
together again after so many months of distance worry and small quiet hopes"""


class Tiny:
    """The corpus: three raw files, each a shard of its own.

    :param folder: of everything. ``WELLMIX_DATA`` has to name its ``raw``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.raw, self.recipe = folder, folder / "raw", folder / "tiny.yaml"
        self.store, self.out = folder / "store", folder / "out"
        (folder / "cards").mkdir(parents=True)
        self.raw.mkdir()
        (folder / "cards/tiny.yaml").write_text(CARD)
        self.recipe.write_text(RECIPE)
        for number in range(3):
            lines = (json.dumps({"id": f"{number}-{i}", "text": _prose(number * 1_000 + i)}) for i in range(150))
            (self.raw / f"{number}.jsonl").write_text("\n".join(lines) + "\n")

    def run(self, **places: Path) -> int:
        """``wellmix mix``; its exit code.

        :param places: another ``store`` or ``out``.
        """
        store, out = places.get("store", self.store), places.get("out", self.out)
        return invoke("mix", self.recipe, "--store", store, "--out", out, "--workers", 1)


def invoke(*arguments: object) -> int:
    """The exit code of ``wellmix ARGUMENTS``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wellmix", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as left:
            return int(left.code or 0)
    return 0


def _prose(number: int) -> str:
    draw, words = random.Random(number), _WORDS.split()
    return " ".join(" ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(4))
