"""Trainers read the sets that ``wellmix curate`` makes: TRL prepares every row, learns exactly the replies, and learns.

The sets are made here from the synthetic samples, with filters so wide that many examples are left. What needs TRL or a tokenizer with
a chat template is skipped where these are not installed; axolotl and LLaMA-Factory are represented by what they document (``layouts.py``).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.curate import run_curate
from pipeline.curate.write import FACTS
from pipeline.tokens import load_tokenizer
from tests.formats import layouts

FORMS = {
    "sft": ("messages", "prompt_completion", "sharegpt"),
    "preference": ("preference", "unpaired"),
}
TASK_OF = {form: task for task, forms in FORMS.items() for form in forms}
SPLITS = ("train", "validation")
#: Low enough that it keeps some of the sample's conversations out.
TOKENS = 220

RECIPE: dict[str, Any] = {
    "purpose": "publish",
    "size": 150,
    "seed": 5,
    "simulated": 1.0,
    "effort": "fast",
    "validation": 0.2,
    "lengths": {"tokens": TOKENS, "prompt_words": [1, 800], "reply_words": [2, 600]},
    "filters": {"contamination": False},
    "duplicates": {"similarity": 0.98},
    # only as many are embedded as are wanted: that is most of the time this takes
    "diversity": {"pool": 1.0},
    # several files a split, as a large set has
    "shards": {"files": ["parquet", "jsonl"], "rows": 64},
}
OF_TASK: dict[str, dict[str, Any]] = {
    "sft": {
        "sources": {f"sample-{name}": {} for name in ("counsel", "transcripts", "critiques", "mi", "autonomy")},
        "system": ["You listen first.", "You help a person find their own next step."],
    },
    "preference": {
        "sources": {f"sample-{name}": {} for name in ("counsel", "transcripts", "critiques", "mi", "alternatives")},
        # the sample's better replies are mostly the longer ones
        "pairs": {"unpaired": 60, "balance": [], "max_length_ratio": 20},
    },
}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of the set of each task."""
    home = tmp_path_factory.mktemp("sets")
    made = {}
    for task, forms in FORMS.items():
        recipe = home / f"sample-{task}.yaml"
        text = yaml.safe_dump(RECIPE | {"task": task, "formats": list(forms)} | OF_TASK[task])
        recipe.write_text(text, encoding="utf-8")
        run_curate(recipe, out=home / task, store_root=home / "store", workers=1, show_progress=False)
        made[task] = home / task
    return made


@pytest.fixture(scope="module")
def rows_of(sets: dict[str, Path]) -> Callable[..., Rows]:
    """A function from a format, a split and a kind of file to rows, read without any trainer's library."""

    def read(form: str, split: str, files: str | None = None) -> Rows:
        files = files or ("jsonl" if form == "sharegpt" else "parquet")
        paths = sorted((sets[TASK_OF[form]] / form / split).glob(f"*.{files}"))
        if files == "parquet":
            return [row for path in paths for row in pq.read_table(path).to_pylist()]
        return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]

    return read


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``datasets`` keeps what it read, never the user's own place."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def chat(rows_of: Callable[..., Rows]) -> Any:
    """A tokenizer with a chat template, trained on both sets."""
    pytest.importorskip("transformers", reason="needs transformers (pip install trl)")
    pytest.importorskip("torch", reason="needs torch (pip install trl)")
    from tests.formats.tiny_model import make_tokenizer

    texts = [text for form in ("messages", "preference") for text in layouts.texts(form, rows_of(form, "train"))]
    return make_tokenizer(texts)


@pytest.fixture(scope="module")
def trl() -> ModuleType:
    """The library; tests without it are skipped."""
    library: ModuleType = pytest.importorskip("trl", reason="needs TRL (pip install trl)")
    import torch

    # Two cores at most are ours, and sums over one thread are the same in every run.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return library


# What holds for every row


@pytest.mark.parametrize("form", TASK_OF)
def test_every_row_is_a_conversation_that_ends_with_a_reply(form: str, rows_of: Callable[..., Rows]) -> None:
    for split in SPLITS:
        rows = rows_of(form, split)
        assert len(rows) >= 3
        assert [layouts.faults(form, row) for row in rows] == [[]] * len(rows)


@pytest.mark.parametrize("form", TASK_OF)
def test_ids_are_unique(form: str, rows_of: Callable[..., Rows]) -> None:
    ids = Counter(row["id"] for split in SPLITS for row in rows_of(form, split))
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in ids)
    assert max(ids.values()) == 1


@pytest.mark.parametrize("form", TASK_OF)
def test_nothing_a_user_said_is_in_two_splits(form: str, rows_of: Callable[..., Rows]) -> None:
    prompts, told = [], []
    for split in SPLITS:
        whole = [layouts.prompt_of(form, row) for row in rows_of(form, split)]
        prompts.append(set(whole))
        # short ones ("Yes, I know.") are anybody's
        told.append({text for prompt in whole for role, text in prompt if role == "user" and len(text.split()) >= 8})
        assert told[-1]
    assert not prompts[0] & prompts[1]
    assert not told[0] & told[1]


def test_no_prompt_is_in_two_splits_of_two_formats(rows_of: Callable[..., Rows]) -> None:
    """Who trains on pairs and judges on single replies of the same set judges on what was not trained on."""
    train, held_out = (
        {layouts.prompt_of(form, row) for form in FORMS["preference"] for row in rows_of(form, split)}
        for split in SPLITS
    )
    assert not train & held_out


def test_the_formats_of_a_task_hold_the_same_examples(rows_of: Callable[..., Rows]) -> None:
    for split in SPLITS:
        told = [
            {row["id"]: next(iter(layouts.conversations(form, row).values())) for row in rows_of(form, split)}
            for form in FORMS["sft"]
        ]
        assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("form", TASK_OF)
def test_tokens_are_counted_and_within_the_limit(
    form: str, sets: dict[str, Path], rows_of: Callable[..., Rows]
) -> None:
    tokenizer = load_tokenizer()
    for split in SPLITS:
        rows = rows_of(form, split)
        for row in rows:
            for side, messages in layouts.conversations(form, row).items():
                contents = [message["content"] for message in messages]
                tokens = int(tokenizer.count(pa.array(contents)).sum())
                assert tokens <= TOKENS
                assert side == "rejected" or tokens == row["tokens"]
    ledger = json.loads((sets[TASK_OF[form]] / "ledger.json").read_bytes())
    assert sum(line["never"].get("too_long", 0) for line in ledger["stages"]["select"].values()) > 0


def _row(form: str, **changes: Any) -> dict[str, Any]:
    user, reply = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Tell me."}
    rows: dict[str, dict[str, Any]] = {
        "messages": {"messages": [user, reply]},
        "sharegpt": {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Tell me."}]},
        "preference": {"prompt": [user], "chosen": [reply], "rejected": [{**reply, "content": "No."}]},
        "unpaired": {"prompt": [user], "completion": [reply], "label": True},
    }
    assert layouts.faults(form, rows[form]) == []
    return rows[form] | changes


@pytest.mark.parametrize(
    ("form", "changes", "fault"),
    [
        ("messages", {"messages": [{"role": "user", "content": "Why?"}]}, "does not end with a reply"),
        (
            "messages",
            {"messages": [{"role": r, "content": "a"} for r in ("assistant", "user", "assistant")]},
            "do not alternate",
        ),
        (
            "messages",
            {"messages": [{"role": r, "content": "a"} for r in ("user", "system", "assistant")]},
            "do not alternate",
        ),
        ("messages", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]}, "empty"),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": "a"}]}, "turn 1 is from 'gpt'"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "a"}]}, "1 turns"),
        ("preference", {"rejected": [{"role": "assistant", "content": "Tell me."}]}, "are one"),
        ("preference", {"chosen": [{"role": "assistant", "content": "a"}] * 2}, "not one reply"),
        ("unpaired", {"label": None}, "neither true nor false"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_told(form: str, changes: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in layouts.faults(form, _row(form, **changes)))


# datasets


@pytest.mark.parametrize("form", TASK_OF)
def test_datasets_reads_the_same_typed_rows_from_either_file(
    form: str, sets: dict[str, Path], rows_of: Callable[..., Rows], cache: Path
) -> None:
    from datasets import List, Value, load_dataset

    text = Value("string")
    message = {"from": text, "value": text} if form == "sharegpt" else {"role": text, "content": text}
    folder = sets[TASK_OF[form]] / form
    manifest = json.loads((folder.parent / "manifest.json").read_bytes())
    kinds = ("json",) if form == "sharegpt" else ("parquet", "json")
    for kind in kinds:
        files = "jsonl" if kind == "json" else kind
        paths = {split: sorted(map(str, (folder / split).glob(f"*.{files}"))) for split in SPLITS}
        loaded = load_dataset(kind, data_files=paths, cache_dir=str(cache))
        assert {split: len(rows) for split, rows in loaded.items()} == manifest["formats"][form]
        for split, rows in loaded.items():
            assert rows.to_list() == rows_of(form, split, files)
            assert rows.to_list() == rows_of(form, split)
            features = rows.features
            for name in layouts.COLUMNS[form]:
                assert features[name] == (Value("bool") if name == "label" else List(message))
            assert set(features) == {"id", *layouts.COLUMNS[form], *FACTS.names}
            assert features["why"] == {"kind": text, "detail": text}
            assert features["principles"] == features["facets"] == features["behaviours"] == List(text)
            assert features["simulated"] == features["risk"] == Value("bool")
            if kind == "parquet":
                assert features["tokens"] == Value("int32") and features["support"] == Value("float32")
    # the folder alone says which files are which split
    alone = load_dataset(str(folder), cache_dir=str(cache))
    assert {split: len(rows) for split, rows in alone.items()} == manifest["formats"][form]


def test_no_fact_has_a_name_that_trainers_read() -> None:
    assert not {"id", *FACTS.names} & layouts.RESERVED


# axolotl and LLaMA-Factory


def test_axolotl_learns_the_replies_of_messages(rows_of: Callable[..., Rows], chat: Any) -> None:
    """``type: chat_template``, ``field_messages: messages``, ``roles_to_train: [assistant]``."""
    for row in rows_of("messages", "train", "jsonl"):
        turns = layouts.axolotl_sft(row)
        replies = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        assert chat.decode(layouts.trained(turns, lambda t: _ids(chat, t))) == "".join(replies)


def test_axolotl_reads_sharegpt_with_its_mapping(rows_of: Callable[..., Rows], chat: Any) -> None:
    """``field_messages: conversations``, ``message_property_mappings: {role: from, content: value}``."""
    names = {"role": "from", "content": "value"}
    for split in SPLITS:
        rows = {row["id"]: row["messages"] for row in rows_of("messages", split, "jsonl")}
        for row in rows_of("sharegpt", split):
            turns = layouts.axolotl_sft(row, "conversations", names)
            assert turns == rows[row["id"]]
            assert _text(chat, turns).count("<|im_start|>") == len(turns)


def test_axolotl_prefers_by_the_pairs(rows_of: Callable[..., Rows], chat: Any, cache: Path) -> None:
    """``rl: dpo``, ``type: chat_template.default``, ``field_messages: prompt``: prompt and reply joined are the rendered conversation."""
    from datasets import Dataset

    def transform(row: dict[str, Any]) -> dict[str, str]:
        made = layouts.axolotl_dpo(row, field_messages="prompt")
        told = {"prompt": _text(chat, made["prompt"], add_generation_prompt=True)}
        for side in ("chosen", "rejected"):
            whole = _text(chat, made[side])
            told[side] = whole[whole.index(made[side][1]["content"]) :].rstrip()
        return told

    rows = rows_of("preference", "train", "jsonl")
    # as axolotl maps it: the column of the messages is taken away, and the rendered prompt has its name
    rendered = Dataset.from_list(rows).map(transform, remove_columns=["prompt"])
    for row, text in zip(rows, rendered, strict=True):
        for side in ("chosen", "rejected"):
            assert text["prompt"] + text[side] == _text(chat, row["prompt"] + row[side]).rstrip()


def test_what_axolotl_would_misread_is_refused() -> None:
    with pytest.raises(layouts.MisreadError, match="role 'helper'"):
        layouts.axolotl_sft({"messages": [{"role": "helper", "content": "a"}]})
    with pytest.raises(layouts.MisreadError, match="would become a system prompt"):
        layouts.axolotl_sft(_row("messages", system="Be kind."))
    with pytest.raises(layouts.MisreadError, match="holds 2 messages"):
        layouts.axolotl_dpo(_row("preference", chosen=[{"role": "assistant", "content": "a"}] * 2), "prompt")


def test_llama_factory_skips_no_row_of_sharegpt(rows_of: Callable[..., Rows], chat: Any) -> None:
    for split in SPLITS:
        same = {row["id"]: row["messages"] for row in rows_of("messages", split)}
        for row in rows_of("sharegpt", split):
            turns = layouts.llama_factory(row)
            assert turns == same[row["id"]]
            assert _text(chat, turns) == _text(chat, same[row["id"]])


def _text(chat: Any, messages: list[dict[str, str]], **options: Any) -> str:
    return str(chat.apply_chat_template(messages, tokenize=False, **options))


def _ids(chat: Any, messages: list[dict[str, str]]) -> list[int]:
    return list(chat.apply_chat_template(messages, tokenize=True, return_dict=False))


# TRL


def test_trls_own_checks_take_the_rows_as_they_are(trl: ModuleType, rows_of: Callable[..., Rows], chat: Any) -> None:
    from trl import data_utils

    for form in TASK_OF:
        for row in rows_of(form, "train"):
            if form == "sharegpt":
                assert data_utils.is_conversational_from_value(row)
                continue
            assert trl.is_conversational(row)
            # the prompt is there already: nothing is taken out of the replies
            assert data_utils.maybe_extract_prompt(dict(row)) == row
            rendered = trl.apply_chat_template(dict(row), chat)
            for side, messages in layouts.conversations(form, row).items():
                text = rendered["text"] if form == "messages" else rendered["prompt"] + rendered[side]
                assert text == _text(chat, messages)


def test_trl_takes_pairs_apart(
    trl: ModuleType, sets: dict[str, Path], rows_of: Callable[..., Rows], cache: Path
) -> None:
    from tests.formats.trainers import load

    pairs = load(sets["preference"], "preference", cache)["train"]
    singles = trl.unpair_preference_dataset(pairs)
    assert len(singles) == 2 * len(pairs)
    told = {(row["id"], row["label"]): row["prompt"] + row["completion"] for row in singles}
    for row in rows_of("preference", "train"):
        whole = layouts.conversations("preference", row)
        assert told[row["id"], True] == whole["chosen"] and told[row["id"], False] == whole["rejected"]
    # and finds the prompt where it is written out in both replies
    for row in rows_of("preference", "train"):
        found = trl.extract_prompt(layouts.conversations("preference", row))
        assert found == {name: row[name] for name in ("prompt", "chosen", "rejected")}


PREPARED = {
    "messages": ("sft", {"assistant_only_loss": True}, ("input_ids", "labels")),
    "prompt_completion": ("sft", {"completion_only_loss": True}, ("input_ids", "labels")),
    "preference": ("dpo", {}, ("prompt_ids", "chosen_ids", "rejected_ids")),
    "unpaired": ("kto", {}, ("prompt_ids", "completion_ids", "label")),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", PREPARED)
def test_trl_learns_exactly_the_replies(
    form: str, trl: ModuleType, sets: dict[str, Path], chat: Any, cache: Path, tmp_path: Path
) -> None:
    """No row is dropped, none cut; columns of facts change nothing; what the loss is computed on decodes to the replies."""
    from tests.formats import trainers

    name, options, columns = PREPARED[form]
    rows = trainers.load(sets[TASK_OF[form]], form, cache)["train"]
    prepare = getattr(trainers, name)
    prepared = prepare(rows, chat, tmp_path, **options).train_dataset
    bare = prepare(rows.select_columns(list(layouts.COLUMNS[form])), chat, tmp_path, **options).train_dataset
    assert len(prepared) == len(rows)
    assert [[row[c] for c in columns] for row in prepared] == [[row[c] for c in columns] for row in bare]
    for row, made in zip(rows, prepared, strict=True):
        if form == "messages":
            told = "".join(m["content"] + "<|im_end|>" for m in row["messages"] if m["role"] == "assistant")
            assert chat.decode([token for token in made["labels"] if token != -100]) == told
            assert chat.decode(made["input_ids"]) == _text(chat, row["messages"])
        elif form == "prompt_completion":
            told = row["completion"][0]["content"] + "<|im_end|>\n"
            assert chat.decode([token for token in made["labels"] if token != -100]) == told
        else:
            assert chat.decode(made["prompt_ids"]) == _text(chat, row["prompt"], add_generation_prompt=True)
            for side in {"chosen", "rejected", "completion"} & set(row):
                assert chat.decode(made[f"{side}_ids"]) == row[side][0]["content"] + "<|im_end|>\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("messages", {}),
        ("messages", {"assistant_only_loss": True}),
        ("prompt_completion", {"completion_only_loss": True}),
    ],
)
def test_fine_tuning_lowers_the_loss(
    form: str,
    options: dict[str, Any],
    trl: ModuleType,
    sets: dict[str, Path],
    chat: Any,
    cache: Path,
    tmp_path: Path,
) -> None:
    from tests.formats.trainers import load, losses, sft

    rows = load(sets["sft"], form, cache)["train"]
    told = losses(sft(rows, chat, tmp_path, steps=20, per_device_train_batch_size=4, **options))
    assert len(told) == 20
    # a model that knows nothing gives each of the 1,500 tokens the same chance: ln 1500 = 7.3
    assert 7.0 < told[0] < 7.6
    assert sum(told[-5:]) < 0.92 * sum(told[:5])


@pytest.mark.slow
@pytest.mark.parametrize(("form", "name"), [("preference", "dpo"), ("preference", "reward"), ("unpaired", "kto")])
def test_preference_trainers_run(
    form: str, name: str, trl: ModuleType, sets: dict[str, Path], chat: Any, cache: Path, tmp_path: Path
) -> None:
    from tests.formats import trainers

    rows = trainers.load(sets["preference"], form, cache)["train"]
    trainer = getattr(trainers, name)(rows, chat, tmp_path, steps=3)
    assert len(trainer.train_dataset) == len(rows)
    told = trainers.losses(trainer)
    assert len(told) == 3 and all(0 < loss < 2 for loss in told)
    if name == "dpo":
        # before the first step the model is its own reference: ln 2
        assert told[0] == pytest.approx(0.6931, abs=1e-3) and told[-1] < told[0]
