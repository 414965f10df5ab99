"""How TRL is given a set: files are loaded with ``datasets``, a trainer prepares the rows as they are, and trains the tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset
from transformers import PreTrainedTokenizerFast, PrinterCallback, Trainer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

from tests.formats.tiny_model import make_judge, make_model

#: Sixteen bits and checkpoints are TRL's defaults, for GPUs.
_ON_CPU: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "logging_steps": 1,
    "lr_scheduler_type": "constant",
    "seed": 3,
}


def load(folder: Path, form: str, cache: Path, files: str = "parquet") -> DatasetDict:
    """The splits of one format of a set.

    :param files: ``parquet`` or ``jsonl``.
    """
    paths = {split.name: sorted(map(str, split.glob(f"*.{files}"))) for split in sorted((folder / form).iterdir())}
    loaded = load_dataset("json" if files == "jsonl" else files, data_files=paths, cache_dir=str(cache))
    assert isinstance(loaded, DatasetDict)
    return loaded


def sft(rows: Dataset, tokenizer: PreTrainedTokenizerFast, out: Path, steps: int = 20, **options: Any) -> SFTTrainer:
    """A trainer that has prepared the rows (its ``train_dataset``) for supervised fine-tuning.

    :param options: of :class:`trl.SFTConfig`.
    """
    given = {"max_length": None, "learning_rate": 5e-3, "per_device_train_batch_size": 8, **options}
    args = SFTConfig(output_dir=str(out), max_steps=steps, **_ON_CPU, **given)
    return SFTTrainer(model=make_model(tokenizer), args=args, train_dataset=rows, processing_class=tokenizer)


def dpo(rows: Dataset, tokenizer: PreTrainedTokenizerFast, out: Path, steps: int = 3, **options: Any) -> DPOTrainer:
    """The same for direct preference optimisation; the reference is the model before training."""
    given = {"max_length": None, "learning_rate": 1e-3, "per_device_train_batch_size": 4, **options}
    args = DPOConfig(output_dir=str(out), max_steps=steps, **_ON_CPU, **given)
    model, reference = make_model(tokenizer), make_model(tokenizer)
    return DPOTrainer(model=model, ref_model=reference, args=args, train_dataset=rows, processing_class=tokenizer)


def kto(rows: Dataset, tokenizer: PreTrainedTokenizerFast, out: Path, steps: int = 3, **options: Any) -> KTOTrainer:
    """The same for single replies with a label."""
    given = {"max_length": None, "learning_rate": 1e-3, "per_device_train_batch_size": 4, **options}
    args = KTOConfig(output_dir=str(out), max_steps=steps, **_ON_CPU, **given)
    model, reference = make_model(tokenizer), make_model(tokenizer)
    return KTOTrainer(model=model, ref_model=reference, args=args, train_dataset=rows, processing_class=tokenizer)


def reward(
    rows: Dataset, tokenizer: PreTrainedTokenizerFast, out: Path, steps: int = 3, **options: Any
) -> RewardTrainer:
    """The same for a model of what people prefer."""
    given = {"max_length": None, "learning_rate": 1e-3, "per_device_train_batch_size": 4, **options}
    args = RewardConfig(output_dir=str(out), max_steps=steps, **_ON_CPU, **given)
    return RewardTrainer(model=make_judge(tokenizer), args=args, train_dataset=rows, processing_class=tokenizer)


def losses(trainer: Trainer) -> list[float]:
    """Train, and tell the loss of every step."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
