"""A tiny Llama trained from scratch on one mix, on one CPU thread, and measured on held-out texts.

Same stream, settings, seed and library versions give the same numbers: one thread, deterministic kernels, no dropout.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ablate.held_out import HeldOut
from pipeline.ablate.recipe import SIZES, Transformer
from sources.errors import UserError

TRANSFORMER_VERSION = 1

#: Sequences measured at once.
_BATCH = 16


def library_versions() -> dict[str, str]:
    """Versions of what trains.

    :raises UserError: it is not installed.
    """
    try:
        return {name: version(name) for name in ("torch", "transformers")}
    except Exception:
        raise UserError(
            "a transformer proxy needs torch and transformers",
            fix="pip install 'wellmix[ablate]' (make ablate does it), or use the n-gram proxy: --set 'proxy={kind: ngram}'",
        ) from None


def training_key(settings: Transformer) -> dict[str, Any]:
    """What of the settings a trained model depends on, beside its stream and seed."""
    return settings.model_dump(mode="json", exclude={"points"}) | {
        "version": TRANSFORMER_VERSION,
        "libraries": library_versions(),
    }


def _model(settings: Transformer, seed: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    hidden, layers, heads, inner = SIZES[settings.size]
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=settings.vocabulary,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=settings.sequence,
            tie_word_embeddings=True,
            use_cache=False,
        )
    )


def parameters(settings: Transformer) -> int:
    """Number of parameters of the model."""
    return sum(part.numel() for part in _model(settings, 0).parameters())


def train(stream: np.ndarray, settings: Transformer, seed: int, folder: Path) -> dict[str, Any]:
    """Train on a stream, once through, and write ``model.safetensors`` into ``folder``.

    :param stream: uint16 ids, at least ``settings.tokens`` + 1 of them.
    :param seed: of the first weights and of the order of sequences.
    :returns: ``steps``, ``parameters`` and ``loss``, the training loss in bits per token at every twentieth of the way.
    """
    import torch
    from safetensors.torch import save_file

    model = _model(settings, seed)
    model.train()
    decay = [part for part in model.parameters() if part.dim() > 1]
    other = [part for part in model.parameters() if part.dim() <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        betas=(0.9, 0.95),
        foreach=True,
    )
    length, batch = settings.sequence, settings.batch
    sequences = settings.tokens // length
    steps = max(1, sequences // batch)
    order = np.random.default_rng(seed).permutation(sequences)
    warm = max(1, steps // 10)
    losses: list[float] = []
    for step in range(steps):
        part = step / warm if step < warm else 0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm)))
        rate = part if step < warm else 0.1 + 0.9 * part
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate
        starts = order[step * batch : (step + 1) * batch] * length
        ids = torch.from_numpy(stream[starts[:, None] + np.arange(length + 1)].astype(np.int64))
        logits = model(input_ids=ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item() / np.log(2))
    # tied weights are one tensor with two names; the file holds it once
    state = {name: part.contiguous() for name, part in model.state_dict().items() if name != "lm_head.weight"}
    save_file(state, folder / "model.safetensors")
    if not np.isfinite(losses[-1]):
        raise UserError(
            f"training diverged: the loss is {losses[-1]}", where="proxy.learning_rate", fix="lower the learning rate"
        )
    marks = np.linspace(0, steps, min(20, steps) + 1).astype(int)
    curve = [round(float(np.mean(losses[a:b])), 4) for a, b in pairwise(marks)]
    return {
        "steps": steps,
        "parameters": sum(part.numel() for part in model.parameters()),
        "loss": curve,
    }


def measure(folder: Path, settings: Transformer, held_out: HeldOut, eos: int) -> np.ndarray:
    """Bits of each held-out document's counted tokens under a trained model; float64, shape (documents,).

    Documents are read one after another, in windows of ``settings.sequence`` tokens, as in training; the first token of a window is
    predicted from an end-of-document token. A question has a window of its own; of a prompt that is too long the beginning is left out.

    :raises UserError: an answer is longer than a window.
    """
    import torch
    from safetensors.torch import load_file

    model = _model(settings, 0)
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    model.eval()
    places = windows(held_out, settings.sequence)
    targets = np.where(places >= 0, held_out.ids[places].astype(np.int64), eos)
    inputs = np.concatenate([np.full((len(targets), 1), eos, dtype=np.int64), targets[:, :-1]], axis=1)
    bits = np.zeros(len(held_out.ids))
    with torch.inference_mode():
        for at in range(0, len(targets), _BATCH):
            logits = model(input_ids=torch.from_numpy(inputs[at : at + _BATCH])).logits
            wanted = torch.from_numpy(targets[at : at + _BATCH]).flatten()
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="none").numpy()
            some = places[at : at + _BATCH].reshape(-1)
            bits[some[some >= 0]] = loss[some >= 0] / np.log(2)
    return np.add.reduceat(np.where(held_out.counted, bits, 0.0), held_out.starts[:-1])


def windows(held_out: HeldOut, length: int) -> np.ndarray:
    """Positions of the tokens each window holds, -1 where it holds none; int64, shape (windows, length).

    :raises UserError: an answer is longer than a window.
    """
    rows: list[np.ndarray] = []
    running: list[np.ndarray] = []
    for low, high, alone in zip(held_out.starts[:-1], held_out.starts[1:], held_out.alone, strict=True):
        if not alone:
            running.append(np.arange(low, high))
            continue
        if held_out.counted[low:high].sum() + 1 > length:
            raise UserError(
                f"an answer has {held_out.counted[low:high].sum():,} tokens, more than a window of {length}",
                where="proxy.sequence",
                fix="raise it, or leave the question out",
            )
        row = np.full(length, -1)
        part = np.arange(max(low, high - length), high)
        row[: len(part)] = part
        rows.append(row)
    text = np.concatenate(running) if running else np.empty(0, dtype=np.int64)
    padded = np.full(-(-len(text) // length) * length, -1)
    padded[: len(text)] = text
    return np.concatenate([padded.reshape(-1, length), np.array(rows, dtype=np.int64).reshape(-1, length)])
