"""Which way of a metric is better, by its name."""

from __future__ import annotations

import re

#: Words of a metric's name that say which way is better, where the results do not.
LOWER = (
    *(
        "bpb",
        "bits_per_byte",
        "bits_per_token",
        "loss",
        "nll",
        "ppl",
        "perplexity",
        "byte_perplexity",
        "word_perplexity",
    ),
    *("brier", "brier_score", "ece", "mse", "rmse", "mae", "wer", "cer", "ter", "error"),
)
HIGHER = (
    *("acc", "acc_norm", "acc_bytes", "accuracy", "f1", "exact_match", "em", "mcc", "bleu", "chrf", "auroc", "auc"),
    *("rouge", "rouge1", "rouge2", "rougel", "rougelsum", "mc1", "mc2", "likelihood_diff", "pass_at_1", "pass_at_k"),
)

_WAYS = {**dict.fromkeys(LOWER, True), **dict.fromkeys(HIGHER, False)}
_WORD = re.compile(
    r"(?<![^\W_])(" + "|".join(sorted(map(re.escape, _WAYS), key=len, reverse=True)) + r")(?![^\W_])", re.IGNORECASE
)


def better(metric: str) -> bool | None:
    """Whether a lower value is better, by the words of a metric's name; None: they do not say.

    A part of the name that is such a word decides, the last one (``bpb/family/forum``, ``arc_easy/acc``); else the last such word in
    the name's last part (``gsm8k_gold_bpb_5shot``).
    """
    parts = metric.split("/")
    words = [part for part in parts if part.lower() in _WAYS] or _WORD.findall(parts[-1])
    return _WAYS[words[-1].lower()] if words else None
