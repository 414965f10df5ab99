"""What trainers make of sets: ``python -m tests.formats.trainers_report SET_FOLDER...`` (needs TRL).

For every format of every set: the rows ``datasets`` loads from each kind of file, faults of rows, the rows TRL's trainer has prepared, and
the loss of a tiny model, made on the spot, in the first and last of a few steps on the CPU. The losses say that the rows can be learnt
from; they say nothing about how good the set is. Ends with 1 if a row was lost, is faulty or has its prompt in two splits.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.formats import layouts

if TYPE_CHECKING:
    from datasets import DatasetDict
    from transformers import PreTrainedTokenizerFast, Trainer

#: Steps of supervised fine-tuning and of the preference trainers.
STEPS, FEW = 20, 3
#: What one step of the tiny model reads of an example, from its end; preparation cuts nothing.
READ = 512
#: TRL's trainers cut or drop what is longer, where nobody says otherwise.
DEFAULT_LENGTH = 1_024

#: Prompts by split.
Prompts = dict[str, set[tuple[tuple[str, str], ...]]]


def main(arguments: list[str] | None = None) -> int:
    """Print the report.

    :returns: exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET_FOLDER")
    folders: list[Path] = parser.parse_args(arguments).sets
    for folder in folders:
        if not (folder / "manifest.json").is_file():
            parser.error(f"{folder} has no manifest.json: give folders that `wellmix curate` made")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import datasets
    import transformers

    warnings.filterwarnings("ignore", category=FutureWarning)
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    print("  ".join(f"{name} {version(name)}" for name in ("trl", "transformers", "datasets", "torch")))
    wrong = 0
    for folder in folders:
        with tempfile.TemporaryDirectory() as place:
            wrong += report(folder, Path(place))
    return 1 if wrong else 0


def report(folder: Path, place: Path) -> int:
    """Print what there is to say about one set.

    :param place: a folder for what is made on the way.
    :returns: how many things are wrong.
    """
    from datasets.exceptions import DatasetGenerationError

    from tests.formats import trainers
    from tests.formats.tiny_model import make_tokenizer

    manifest = json.loads((folder / "manifest.json").read_bytes())
    limit = manifest["recipe"]["lengths"]["tokens"]
    print(f"\n{manifest['name']} ({manifest['recipe']['task']}, {manifest['examples']:,} examples)")
    tokenizer: PreTrainedTokenizerFast | None = None
    prompts: Prompts = {}
    wrong = 0
    for form, counts in manifest["formats"].items():
        print(f"  {form}")
        rows: DatasetDict | None = None
        for kind in ("jsonl", "parquet"):
            if not any((folder / form).glob(f"*/*.{kind}")):
                continue
            try:
                rows = trainers.load(folder, form, place / "cache", kind)
            except DatasetGenerationError as error:
                wrong += 1
                print(f"    {kind:8} cannot be loaded: {error.__cause__ or error}")
                continue
            loaded = {split: len(part) for split, part in rows.items()}
            wrong += loaded != counts
            print(f"    {kind:8} loaded {_counts(loaded)}; the manifest says {_counts(counts)}")
        if rows is None:
            continue
        wrong += _check(form, rows, limit)
        for split, part in rows.items():
            prompts.setdefault(split, set()).update(layouts.prompt_of(form, row) for row in part)
        if tokenizer is None:
            tokenizer = make_tokenizer(islice(layouts.texts(form, rows["train"]), 5_000), 4_000)
        wrong += _train(form, rows, tokenizer, place)
    both = _shared(prompts)
    print(f"  prompts of one format's train in another's validation: {both}")
    return wrong + both


def _check(form: str, rows: DatasetDict, limit: int) -> int:
    found: Counter[str] = Counter()
    long: Counter[str] = Counter()
    prompts: Prompts = {}
    ids: Counter[str] = Counter()
    for split, part in rows.items():
        prompts[split] = set()
        for row in part:
            found.update(layouts.faults(form, row))
            ids[row["id"]] += 1
            prompts[split].add(layouts.prompt_of(form, row))
            long["limit"] += row["tokens"] > limit
            long["default"] += row["tokens"] > DEFAULT_LENGTH
    twice = sum(n - 1 for n in ids.values())
    both = _shared(prompts)
    print(
        f"    faults {sum(found.values())}{' (' + _counts(found) + ')' if found else ''}, ids twice {twice}, prompts in two splits {both}, "
        f"over {limit:,} tokens {long['limit']}, over {DEFAULT_LENGTH:,} (TRL's default) {long['default']}"
    )
    return sum(found.values()) + twice + both + long["limit"]


def _train(form: str, rows: DatasetDict, tokenizer: PreTrainedTokenizerFast, place: Path) -> int:
    """Prepare all rows of ``train`` with each trainer of a format, and train on some."""
    from tests.formats import trainers

    train = rows["train"]
    wrong = 0

    def run(label: str, whole: Trainer, some: Trainer, step: int) -> None:
        nonlocal wrong
        prepared = len(whole.train_dataset)  # type: ignore[arg-type]
        wrong += prepared != len(train)
        told = trainers.losses(some)
        few = min(5, len(told))
        print(
            f"    {label:34} prepared {prepared:,} of {len(train):,}; loss {told[0]:.3f} at step 1, {told[-1]:.3f} at step {step}"
            + (f" (first five {_mean(told[:few])}, last five {_mean(told[-few:])})" if step >= 10 else "")
        )

    if form == "sharegpt":
        skipped = sum(1 for part in rows.values() for row in part if layouts.faults(form, row))
        print(f"    LLaMA-Factory would skip {skipped}; axolotl and it read {sum(map(len, rows.values())) - skipped:,}")
        return wrong
    if form in ("messages", "prompt_completion"):
        named: dict[str, dict[str, Any]] = {"SFT, completion_only_loss": {"completion_only_loss": True}}
        if form == "messages":
            named = {"SFT": {}, "SFT, assistant_only_loss": {"assistant_only_loss": True}}
        for label, options in named.items():
            whole = trainers.sft(train, tokenizer, place, **options)
            part = train.select(range(min(len(train), 8 * STEPS)))
            cut = options | {"max_length": READ, "truncation_mode": "keep_end"}
            run(label, whole, trainers.sft(part, tokenizer, place, STEPS, **cut), STEPS)
        return wrong
    names: dict[str, Callable[..., Trainer]] = {"KTO": trainers.kto}
    if form == "preference":
        names = {"DPO": trainers.dpo, "reward": trainers.reward}
    for label, prepare in names.items():
        # the shortest, because nothing is cut here
        part = train.sort("tokens").select(range(min(len(train), 4 * FEW * 4)))
        run(label, prepare(train, tokenizer, place), prepare(part, tokenizer, place, FEW), FEW)
    return wrong


def _shared(prompts: Prompts) -> int:
    return len(set.intersection(*prompts.values())) if len(prompts) > 1 else 0


def _counts(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.3f}"


if __name__ == "__main__":
    sys.exit(main())
