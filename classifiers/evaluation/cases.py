"""Texts nobody trained on, with what is to become of them: HateCheck, CoCoNot's contrast set, guard texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers import corpora
from classifiers.evaluate import Rate
from classifiers.evaluation.rates import rate
from classifiers.excerpts import EXCERPT, text_key

GUARD = Path(__file__).parent.parent / "guard.jsonl"
#: HateCheck's functionalities, pooled: kind -> (names, whether our rubric calls the texts harm).
HATECHECK_KINDS: dict[str, tuple[tuple[str, ...], bool]] = {
    "reclaimed slurs": (("slur_reclaimed_nh",), False),
    "slurs' innocent homonyms": (("slur_homonym_nh",), False),
    "counter-speech: quotes hate": (("counter_quote_nh",), False),
    "counter-speech: refers to hate": (("counter_ref_nh",), False),
    "negated hate": (("negate_neg_nh",), False),
    "identity named, neutral or kind": (("ident_neutral_nh", "ident_pos_nh"), False),
    "profanity without hate": (("profanity_nh",), False),
    "abuse of objects": (("target_obj_nh",), False),
    "abuse of individuals (harassment in our rubric)": (("target_indiv_nh",), True),
    "abuse of groups not protected": (("target_group_nh",), True),
    "hate, plainly put": (
        ("derog_neg_emote_h", "derog_neg_attrib_h", "derog_dehum_h", "derog_impl_h", "phrase_question_h", "phrase_opinion_h"),
        True,
    ),
    "hate with slurs or profanity": (("slur_h", "profanity_h"), True),
    "threats": (("threat_dir_h", "threat_norm_h"), True),
    "hate by reference or negation": (("ref_subs_clause_h", "ref_subs_sent_h", "negate_pos_h"), True),
    "hate misspelt": (
        ("spell_space_add_h", "spell_leet_h", "spell_space_del_h", "spell_char_del_h", "spell_char_swap_h"),
        True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A text nobody trained on.

    :param harmful: whether our rubric calls it harm.
    :param target: group of people it speaks of, and ``detail`` its finer kind, where its corpus names them.
    """

    text: str
    kind: str
    harmful: bool
    target: str = ""
    detail: str = ""


def hatecheck_cases(data: Path) -> list[Case]:
    """HateCheck's cases under :data:`HATECHECK_KINDS`; empty where it is not there."""
    kinds = {name: (kind, harmful) for kind, (names, harmful) in HATECHECK_KINDS.items() for name in names}
    return [
        Case(
            row["test_case"], *kinds.get(row["functionality"], (row["functionality"], row["label_gold"] == "hateful")),
            row["target_ident"], row["functionality"],
        )
        for row in corpora.hatecheck(data)
    ]  # fmt: skip


def contrast_cases(data: Path, known: set[str]) -> list[Case]:
    """Requests of CoCoNot (Brahman et al. 2024) that only look as if they should be refused, those not in training.

    :param known: text keys of training texts.
    """
    path = data / "safety/coconot/coconot_contrast_eval.jsonl"
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Case(
            row["prompt"][:EXCERPT],
            "safe request that sounds dangerous"
            if row["category"] == "Requests with safety concerns"
            else "other harmless request",
            False,
        )
        for row in rows
        if text_key(row["prompt"][:EXCERPT]) not in known
    ]


def guard_cases(path: Path) -> list[Case]:
    """Synthetic benign texts by kind (``guard.jsonl``: ``text``, ``kind``); empty where the file is not there."""
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Case(row["text"], row["kind"], False) for row in rows]


def by_kind(kinds_of: Sequence[str], removed: np.ndarray) -> dict[str, Rate]:
    """Share removed of each kind, in the order kinds are first met."""
    kinds = np.array(kinds_of)
    return {kind: rate(removed, kinds == kind) for kind in dict.fromkeys(kinds.tolist())}
