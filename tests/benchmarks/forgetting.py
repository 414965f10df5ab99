"""How long it takes to forget one author among a million documents, and how much is written again.

``python -m tests.benchmarks.forgetting --folder /tmp/forgetting --documents 1000000`` makes a corpus of posts out of sentences of the
sample (a hundred of them by one author, anywhere among them, and a copy of ten of those in another source that names no author), mixes it,
forgets the author, mixes again and looks for traces; every step is a process of its own, timed whole. A second call with the same folder
goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sources.card import SAMPLE_DIR

HANDLE = "quiet_heron_of_the_benchmark"
FILES = 24

CARD = """\
name: {name}
title: Made up
family: forum
where: {{path: "{name}/*.jsonl"}}
reader: {{name: jsonl, key: id, text: text, author: author}}
license: {{id: CC0-1.0}}
consent: {{basis: synthetic}}
citation: nobody
takedown: nobody
sensitivity: low
language: [en]
"""

RECIPE = """\
name: forgetting
purpose: publish
budget: {budget}
effort: fast
cards: [cards]
sources:
  million: {{weight: 0.95}}
  mirror: {{weight: 0.05}}
filters: {{contamination: false}}
shards: {{formats: [parquet, jsonl]}}
"""


def sentences() -> list[str]:
    """Sentences of the sample."""
    found = set()
    for path in sorted(SAMPLE_DIR.rglob("*.jsonl")):
        for line in path.read_text("utf-8", "replace").splitlines():
            found.update(re.findall(r"[A-Z][^.!?\"\\]{30,200}[.!?]", line))
    return sorted(found)


def make_corpus(folder: Path, documents: int) -> None:
    """Posts of 4 to 12 sentences, in each some words replaced, so that no two are near-duplicates."""
    if (folder / "forgetting.yaml").exists():
        return
    rng = random.Random(7)
    known = sentences()
    words = sorted({word for one in known for word in one.split() if word.isalpha()})
    own = set(rng.sample(range(documents), max(1, documents // 10_000)))
    for name in ("million", "mirror", "cards"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    mirrored: list[str] = []
    per_file = -(-documents // FILES)
    for number in range(FILES):
        with (folder / "million" / f"{number:02d}.jsonl").open("w") as file:
            for i in range(number * per_file, min((number + 1) * per_file, documents)):
                text = " ".join(rng.choices(known, k=rng.randint(4, 12))).split()
                for _ in range(len(text) // 8):
                    text[rng.randrange(len(text))] = rng.choice(words)
                author = HANDLE if i in own else f"writer_{rng.randrange(documents // 5)}"
                if i in own and len(mirrored) < 10:
                    mirrored.append(" ".join(text))
                file.write(json.dumps({"id": f"p{i}", "author": author, "text": " ".join(text)}) + "\n")
    with (folder / "mirror" / "0.jsonl").open("w") as file:
        for i in range(max(1_000, documents // 20)):
            text = " ".join(rng.choices(known, k=6) + rng.choices(words, k=20))
            if i < len(mirrored):
                text = f"Somebody posted this: {mirrored[i]} I thought it should be seen."
            file.write(json.dumps({"id": f"m{i}", "text": text}) + "\n")
    for name in ("million", "mirror"):
        (folder / "cards" / f"{name}.yaml").write_text(CARD.format(name=name))
    (folder / "forgetting.yaml").write_text(RECIPE.format(budget=documents * 40))


def step(folder: Path, name: str, *command: str) -> dict[str, Any]:
    """Run a command once; returns what it printed and its seconds."""
    done = folder / f"{name}.json"
    if not done.exists():
        environment = os.environ | {
            "WELLMIX_DATA": str(folder),
            "WELLMIX_TOMBSTONES": str(folder / "tombstones.jsonl"),
            "WELLMIX_AUTHOR_KEY": "only-of-this-benchmark-and-of-no-use",
        }
        started, cpu = time.monotonic(), os.times()
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *command, "--store", str(folder / "store"), "--json"],
            env=environment, stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        used = os.times()
        seconds = {
            "seconds": round(time.monotonic() - started, 1),
            "cpu": round(used.children_user + used.children_system - cpu.children_user - cpu.children_system, 1),
        }
        if not ran.stdout:
            raise SystemExit(f"{name} failed with exit code {ran.returncode}")
        done.write_text(json.dumps(json.loads(ran.stdout) | {"process": seconds, "exit": ran.returncode}))
    return json.loads(done.read_text())


def size(folder: Path) -> int:
    """Bytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Run the steps and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1_000_000)
    args = parser.parse_args()
    folder: Path = args.folder.resolve()
    make_corpus(folder, args.documents)
    recipe, out = str(folder / "forgetting.yaml"), str(folder / "out")
    first = step(folder, "first", "mix", recipe, "--out", out)
    print("store", f"{size(folder / 'store'):,}", "output", f"{size(folder / 'out'):,}", "bytes", flush=True)
    print("mix", first["process"], first["documents"], "documents in it", flush=True)
    print("nothing new", step(folder, "idle", "mix", recipe, "--out", out)["process"], flush=True)
    gone = step(folder, "forget", "forget", "--author", HANDLE, "--reason", "the benchmark")
    print("forget", gone["process"], {name: value for name, value in gone.items() if name != "outputs"}, flush=True)
    again = step(folder, "again", "mix", recipe, "--out", out)
    print("next mix", again["process"], again["stages"], flush=True)
    proof = step(folder, "prove", "forget", "--prove", "--handle", HANDLE)
    print("prove", proof["process"], {name: value for name, value in proof.items() if name != "places"}, flush=True)


if __name__ == "__main__":
    main()
