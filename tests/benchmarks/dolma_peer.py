"""dolma 1.2.1 on the same input, in an environment of its own: ``dolma tag``, ``dolma dedupe`` (twice) and ``dolma mix``.

What it does that compares: language (fastText), Gopher (``gopher_v2``, which measures repetition too), C4
(``c4_v2``), PII by regular expressions (``pii_regex_with_counts_fast_v2``), two fastText classifiers, tokens of the
same vocabulary; a Bloom filter over whole texts and one over paragraphs; and a mix that drops by tags and writes.
What it does not: cleaning, and near duplicates (a Bloom filter finds repeated texts and paragraphs only), so ours
does more here.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
import yaml

from tests.benchmarks.corpus import Corpus
from tests.benchmarks.measure import Run, run

VERSION = "1.2.1"
#: boto3 is pinned to the one that goes with dolma's s3fs 2023.6.0; left free, pip tries hundreds of versions before it finds it.
PACKAGES = [f"dolma=={VERSION}", "numpy<2", "boto3==1.28.17", "regex"]
TAGGERS = [
    "bench_language",
    "gopher_v2",
    "c4_v2",
    "pii_regex_with_counts_fast_v2",
    "bench_forum",
    "bench_narrative",
    "bench_tokens",
]


def environment(root: Path) -> tuple[Path | None, str]:
    """dolma's Python, made if it is not there; or None and the reason."""
    folder = root / "dolma-venv"
    python = folder / "bin" / "python"
    if not (folder / "ready").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
            # A recent pip resolves this in seconds; the one that Python brings along may not.
            for what in (["pip>=25"], PACKAGES):
                command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
                subprocess.run(command, check=True, capture_output=True, timeout=900)
        except subprocess.CalledProcessError as error:
            return None, (error.stderr or b"").decode(errors="replace").strip()[-300:]
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, str(error)
        (folder / "ready").touch()
    return python, ""


def prepare(root: Path, corpus: Corpus) -> Path:
    """The input in the layout and the compression dolma wants (``documents/*.json.gz``); not timed."""
    folder = root / "dolma" / f"{Path(corpus.folder).name}" / "documents"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        per_file = -(-corpus.documents // corpus.files)
        texts = corpus.texts()
        for number in range(corpus.files):
            with gzip.open(folder / f"{number:03d}.json.gz", "wb", compresslevel=3) as out:
                for i in range(per_file):
                    if (text := next(texts, None)) is None:
                        break
                    line = {"id": f"{number}-{i}", "text": text, "source": "bench", "created": "", "added": ""}
                    out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    return folder


def mix(python: Path, documents: Path, work: Path, models: Path, lid: Path, workers: int) -> tuple[Run, dict[str, Any]]:
    """Run the four commands one after another, as dolma's guide has it, from a clean state.

    :returns: the whole as one run, and seconds by command and documents written.
    """
    base = documents.parent
    for made in (base / "attributes", work):
        shutil.rmtree(made, ignore_errors=True)
    work.mkdir(parents=True)
    pattern = str(documents / "*.gz")
    env = {
        "BENCH_MODELS": str(models.resolve()),
        "BENCH_LID": str(lid.resolve()),
        "PYTHONPATH": str(Path(__file__).parent),
        "NLTK_DATA": str(_punkt(work.parent)),
    }
    dirs = {"input": str(work / "in"), "output": str(work / "out")}
    bloom = {"read_only": False, "estimated_doc_count": 10_000_000, "desired_false_positive_rate": 1e-6}
    steps: dict[str, tuple[str, dict[str, Any]]] = {
        "tag": (
            "tag",
            {
                "documents": [pattern],
                "taggers": TAGGERS,
                "tagger_modules": [str(Path(__file__).with_name("dolma_taggers.py"))],
                "experiment": "bench",
                "processes": workers,
            },
        ),
        "dedupe documents": (
            "dedupe",
            {
                "documents": [pattern],
                "work_dir": dirs,
                "dedupe": {"name": "doc", "documents": {"attribute_name": "duplicate", "key": "$.text"}},
                "bloom_filter": {"file": str(work / "doc.bloom"), **bloom},
                "processes": workers,
            },
        ),
        "dedupe paragraphs": (
            "dedupe",
            {
                "documents": [pattern],
                "work_dir": dirs,
                "dedupe": {"name": "par", "paragraphs": {"attribute_name": "duplicate_paragraphs"}, "skip_empty": True},
                "bloom_filter": {"file": str(work / "par.bloom"), **bloom},
                "processes": workers,
            },
        ),
        "mix": (
            "mix",
            {
                "streams": [
                    {
                        "name": "bench",
                        "documents": [pattern],
                        "attributes": ["bench", "doc", "par"],
                        "output": {"path": str(work / "mixed"), "max_size_in_bytes": 1 << 28},
                        "filter": {
                            "include": ["$.attributes[?(@.bench__bench_language__en[0][2] > 0.65)]"],
                            "exclude": ["$@.attributes[?(@.duplicate && @.duplicate[0] && @.duplicate[0][2] >= 1.0)]"],
                        },
                        "span_replacement": [
                            {
                                "span": f"$.attributes.bench__pii_regex_with_counts_fast_v2__{kind}",
                                "min_score": 0.5,
                                "replacement": f"[{kind}]",
                            }
                            for kind in ("EMAIL_ADDRESS", "PHONE_NUMBER", "IP_ADDRESS")
                        ],
                    }
                ],
                "work_dir": dirs,
                "processes": workers,
            },
        ),
    }
    seconds: dict[str, float] = {}
    started = perf_counter()
    for name, (command, config) in steps.items():
        file = work / f"{name.replace(' ', '-')}.yaml"
        file.write_text(yaml.safe_dump(config))
        finished = run([str(python), "-m", "dolma.cli.__main__", "-c", str(file), command], env)
        seconds[name] = finished.seconds
    total = perf_counter() - started
    return Run(total, ""), {"commands": seconds, "documents": _count(work / "mixed")}


def _count(folder: Path) -> int:
    n = 0
    for path in folder.glob("*.gz"):
        with gzip.open(path, "rb") as lines:
            n += sum(1 for _ in lines)
    return n


def _punkt(folder: Path) -> Path:
    """An empty folder for ``tokenizers/punkt``, so that dolma does not ask the network; none of the taggers needs it."""
    (folder / "nltk" / "tokenizers" / "punkt").mkdir(parents=True, exist_ok=True)
    return folder / "nltk"
