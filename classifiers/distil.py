"""Distillation: small models that learn a teacher's probabilities (Hinton et al. 2015). Needs the ``train`` extra.

Targets are probabilities, so a text nobody has labelled teaches as much as an annotated one; where there is a label, the
target lies between it and what the teacher says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifiers.encoder import Perceptron, base
from classifiers.static import Static, quantised


@dataclass(frozen=True)
class Settings:
    """How students learn.

    :param hidden: size of the hidden layer of the encoder's and the static model's heads.
    :param dim: length of a static vector.
    :param epochs: passes over the texts, of the encoder's heads and of the static model.
    """

    hidden: int = 384
    static_hidden: int = 256
    dim: int = 128
    epochs: int = 30
    static_epochs: int = 14


def train_heads(
    rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, settings: Settings, seed: int
) -> Perceptron:
    """Heads on fixed features.

    :param rows: float32, shape (texts, width).
    :param targets: float32 probabilities, shape (texts, heads).
    :param weights: float32, shape (texts,).
    """
    import torch

    torch.manual_seed(seed)
    centre, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-4
    x = torch.from_numpy(((rows - centre) / spread).astype(np.float32))
    model = _Heads(rows.shape[1], settings.hidden, targets.shape[1], targets.mean(axis=0))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    _fit(model, lambda part: model(torch.nn.functional.dropout(x[part], 0.2)), optimiser, targets, weights,
         settings.epochs, 256, seed)  # fmt: skip
    return _unstandardised(model, centre, spread)


def piece_vectors(dim: int) -> np.ndarray:
    """MiniLM's vector of each word piece alone, reduced to ``dim`` (model2vec's start), float32, shape (pieces, dim)."""
    import torch
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(base(), trust_remote_code=False).eval()
    pieces = encoder.config.vocab_size
    rows = np.empty((pieces, encoder.config.hidden_size), dtype=np.float32)
    with torch.no_grad():
        for at in range(0, pieces, 1024):
            part = torch.arange(at, min(at + 1024, pieces))
            ids = torch.stack([torch.full_like(part, 101), part, torch.full_like(part, 102)], 1)
            rows[at : at + 1024] = encoder(input_ids=ids).last_hidden_state.mean(1).numpy()
    rows -= rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows.T @ rows)
    rows = rows @ axes[:dim].T
    return (rows / rows.std()).astype(np.float32)


def train_static(
    ids: np.ndarray,
    bounds: np.ndarray,
    start: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    settings: Settings,
    seed: int,
) -> Static:
    """A static model.

    :param ids: word pieces of all texts, without special ones; ``bounds`` int64, shape (texts + 1,).
    :param start: initial table, :func:`piece_vectors`.
    """
    import torch

    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    pieces = torch.from_numpy(ids.astype(np.int64))
    edges = torch.from_numpy(bounds)
    # Commoner pieces start shorter (smooth inverse frequency, Arora et al. 2017), as they say less.
    counts = np.bincount(ids.astype(np.int64), minlength=len(start)) + 1
    frequency = counts / counts.sum()
    table = torch.nn.Parameter(torch.from_numpy(start * (1e-3 / (1e-3 + frequency))[:, None].astype(np.float32)))
    model = _Heads(2 * settings.dim + 1, settings.static_hidden, targets.shape[1], targets.mean(axis=0))
    optimiser = torch.optim.AdamW(
        [{"params": [table], "lr": 2e-3, "weight_decay": 0.0}, {"params": model.parameters(), "lr": 1e-3}],
        weight_decay=0.05,
    )

    def forward(part: torch.Tensor) -> torch.Tensor:
        spans = [pieces[edges[i] : edges[i + 1]] for i in part.tolist()]
        if model.training:  # the student must not lean on single words
            spans = [span[torch.from_numpy(generator.random(len(span)) > 0.25)] for span in spans]
        lengths = torch.tensor([len(span) for span in spans])
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
        flat = torch.cat(spans)
        mean = torch.nn.functional.embedding_bag(flat, table, offsets, mode="mean")
        highest = torch.nn.functional.embedding_bag(flat, table, offsets, mode="max")
        return model(torch.cat([mean, highest, torch.log1p(lengths.float())[:, None] / 6.0], 1))

    _fit(model, forward, optimiser, targets, weights, settings.static_epochs, 128, seed)
    rows, scale = quantised(table.detach().numpy())
    width = 2 * settings.dim + 1
    return Static(rows, scale, _unstandardised(model, np.zeros(width, np.float32), np.ones(width, np.float32)))


def _fit(model, forward, optimiser, targets, weights, epochs: int, size: int, seed: int) -> None:
    import torch

    torch.set_num_threads(1)  # small matrices: more threads cost more than they bring, and sums keep their order
    order = np.random.default_rng(seed)
    goal, weight = torch.from_numpy(targets), torch.from_numpy(weights)
    steps = epochs * -(-len(goal) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=steps, pct_start=0.1
    )
    model.train()
    for _ in range(epochs):
        shuffled = torch.from_numpy(order.permutation(len(goal)))
        for at in range(0, len(goal), size):
            part = shuffled[at : at + size]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(forward(part), goal[part], reduction="none")
            (loss.sum(1) * weight[part]).mean().backward()
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
    model.eval()


def _Heads(width: int, hidden: int, heads: int, means: np.ndarray):  # noqa: N802 - torch is imported late
    import torch

    class Heads(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.direct = torch.nn.Linear(width, heads, bias=False)
            self.inner = torch.nn.Linear(width, hidden)
            self.outer = torch.nn.Linear(hidden, heads)
            torch.nn.init.zeros_(self.direct.weight)
            chance = np.clip(means, 0.005, 0.995)
            self.outer.bias.data = torch.from_numpy(np.log(chance / (1 - chance)).astype(np.float32))

        def forward(self, x):
            active = torch.nn.functional.dropout(torch.relu(self.inner(x)), 0.3, self.training)
            return self.direct(x) + self.outer(active)

    return Heads()


def _unstandardised(model, centre: np.ndarray, spread: np.ndarray) -> Perceptron:
    """A trained model's arrays, with standardising of the features folded in."""
    direct = model.direct.weight.detach().numpy().T / spread[:, None]
    hidden = model.inner.weight.detach().numpy().T / spread[:, None]
    return Perceptron(
        np.ascontiguousarray(direct, dtype=np.float32),
        np.ascontiguousarray(hidden, dtype=np.float32),
        (model.inner.bias.detach().numpy() - centre @ hidden).astype(np.float32),
        np.ascontiguousarray(model.outer.weight.detach().numpy().T),
        (model.outer.bias.detach().numpy() - centre @ direct).astype(np.float32),
    )
