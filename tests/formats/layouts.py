"""What trainers ask of a row, written after their documentation: TRL's conversational formats, axolotl's ``chat_template`` and
LLaMA-Factory's ``sharegpt``. axolotl and LLaMA-Factory themselves are not installed.

A row that a trainer would refuse, skip or misread raises :class:`MisreadError` here, or is told of in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Message = dict[str, str]
Row = Mapping[str, Any]

#: The columns of a format.
COLUMNS = {
    "messages": ("messages",),
    "prompt_completion": ("prompt", "completion"),
    "sharegpt": ("conversations",),
    "preference": ("prompt", "chosen", "rejected"),
    "unpaired": ("prompt", "completion", "label"),
}

#: Columns that trainers read if they are there, whatever the format: TRL (SFT, DPO, KTO, reward), axolotl, LLaMA-Factory. A column of facts
#: must have none of these names.
RESERVED = frozenset(
    {
        *("messages", "prompt", "completion", "chosen", "rejected", "label", "labels", "conversations", "text"),
        *(
            "tools",
            "chat_template_kwargs",
            "images",
            "image",
            "videos",
            "audios",
            "margin",
            "input_ids",
            "attention_mask",
        ),
        *("completion_mask", "assistant_masks", "seq_lengths", "position_ids", "prompt_ids", "completion_ids"),
        *("chosen_ids", "rejected_ids", "ref_logps", "ref_chosen_logps", "ref_rejected_logps", "chosen_input_ids"),
        *(
            "rejected_input_ids",
            "KL_completion_ids",
            "system",
            "train",
            "train_detail",
            "instruction",
            "input",
            "output",
        ),
        *("history", "kto_tag", "score"),
    }
)


class MisreadError(ValueError):
    """A row that a trainer would refuse, skip or take for something else."""


def conversations(form: str, row: Row) -> dict[str, list[Message]]:
    """The whole conversations of a row, each from its beginning to a reply."""
    if form == "messages":
        return {"messages": row["messages"]}
    if form == "sharegpt":
        return {"conversations": llama_factory(row)}
    sides = ("chosen", "rejected") if form == "preference" else ("completion",)
    return {side: row["prompt"] + row[side] for side in sides}


def prompt_of(form: str, row: Row) -> tuple[tuple[str, str], ...]:
    """All messages before the reply but the system prompt, as something to compare."""
    whole = next(iter(conversations(form, row).values()))
    return tuple((m["role"], m["content"]) for m in whole[:-1] if m["role"] != "system")


def texts(form: str, rows: Iterable[Row]) -> Iterable[str]:
    """The contents of all messages."""
    for row in rows:
        for conversation in conversations(form, row).values():
            yield from (message["content"] for message in conversation)


def faults(form: str, row: Row) -> list[str]:
    """What is wrong with a row, in words; nothing where it is as it should be."""
    found: list[str] = []
    try:
        whole = conversations(form, row)
    except (MisreadError, KeyError, TypeError) as error:
        return [f"{type(error).__name__}: {error}"]
    for side, messages in whole.items():
        if any(set(message) != {"role", "content"} for message in messages):
            found.append(f"{side}: a message is not a role and a content")
            continue
        if any(not isinstance(m["content"], str) or not m["content"].strip() for m in messages):
            found.append(f"{side}: a message is empty")
        roles = [message["role"] for message in messages]
        talk = roles[1:] if roles[:1] == ["system"] else roles
        if talk != [("user", "assistant")[i % 2] for i in range(len(talk))]:
            found.append(f"{side}: roles do not alternate from the user on")
        if len(talk) < 2 or talk[-1] != "assistant":
            found.append(f"{side}: does not end with a reply")
    for side in set(COLUMNS[form]) & {"completion", "chosen", "rejected"}:
        if len(row[side]) != 1:
            found.append(f"{side}: is not one reply")
    if form == "preference" and row["chosen"] == row["rejected"]:
        found.append("chosen and rejected are one")
    if form == "unpaired" and not isinstance(row["label"], bool):
        found.append("label: is neither true nor false")
    return found


def llama_factory(row: Row) -> list[Message]:
    """A row of ``formatting: sharegpt`` with the default tags, as LLaMA-Factory aligns it (data/README.md there).

    :raises MisreadError: LLaMA-Factory would skip it, with a warning only: human not in odd places or gpt not in even ones after the
        system prompt, or an odd number of turns.
    """
    turns = row["conversations"]
    system = [turns[0]] if turns and turns[0]["from"] == "system" else []
    talk = turns[len(system) :]
    for number, turn in enumerate(talk):
        if turn["from"] != ("human", "gpt")[number % 2]:
            raise MisreadError(f"turn {number + 1} is from {turn['from']!r}")
    if not talk or len(talk) % 2:
        raise MisreadError(f"{len(talk)} turns")
    roles = {"system": "system", "human": "user", "gpt": "assistant"}
    return [{"role": roles[turn["from"]], "content": turn["value"]} for turn in [*system, *talk]]


#: axolotl's names of roles (``roles``), where a configuration does not give others.
_AXOLOTL_ROLES = {
    "human": "user", "user": "user", "assistant": "assistant", "gpt": "assistant", "system": "system", "tool": "tool",
}  # fmt: skip


def axolotl_sft(
    row: Row,
    field_messages: str = "messages",
    message_property_mappings: Mapping[str, str] | None = None,
    field_system: str = "system",
) -> list[Message]:
    """A row of ``type: chat_template`` as axolotl hands it to the chat template (docs/dataset-formats/conversation).

    :raises MisreadError: a message has another role, or the row has a column that axolotl would put before the conversation.
    """
    names = message_property_mappings or {"role": "role", "content": "content"}
    turns = [{to: message[name] for to, name in names.items()} for message in row[field_messages]]
    for turn in turns:
        if turn["role"] not in _AXOLOTL_ROLES:
            raise MisreadError(f"role {turn['role']!r}")
        turn["role"] = _AXOLOTL_ROLES[turn["role"]]
    if turns[0]["role"] != "system" and row.get(field_system) is not None:
        raise MisreadError(f"column {field_system!r} would become a system prompt")
    return turns


def trained(
    turns: list[Message], render: Callable[[list[Message]], list[int]], roles_to_train: Iterable[str] = ("assistant",)
) -> list[int]:
    """Tokens axolotl computes the loss on: of each turn of these roles, where its rendering differs from that of another content."""
    found: list[int] = []
    for number, turn in enumerate(turns):
        if turn["role"] not in roles_to_train:
            continue
        full = render(turns[: number + 1])
        dummy = render([*turns[:number], {"role": turn["role"], "content": "[[dummy_message]]"}])
        same = [a == b for a, b in zip(full, dummy, strict=False)]
        start = same.index(False)
        back = [a == b for a, b in zip(full[::-1], dummy[::-1], strict=False)].index(False)
        found += full[start : len(full) - back]
    return found


def axolotl_dpo(
    row: Row,
    field_messages: str = "messages",
    field_chosen: str = "chosen",
    field_rejected: str = "rejected",
    roles: Mapping[str, list[str]] | None = None,
) -> dict[str, list[Message]]:
    """A row of ``rl: dpo`` with ``type: chat_template.default`` (docs/rlhf): the prompt, and each reply after a stand-in for it.

    Its documentation shows a reply as one message. Of a list it takes the last, as later versions do; the first ones refused lists.

    :raises MisreadError: a message has another role, or a list holds more than the reply, of which axolotl would lose the rest.
    """
    names = {
        source: to
        for to, sources in (roles or {r: [r] for r in ("user", "assistant", "system")}).items()
        for source in sources
    }
    stand_in = {"role": "user", "content": "[[dummy_message]]"}
    made: dict[str, list[Message]] = {"prompt": list(row[field_messages])}
    for side in (field_chosen, field_rejected):
        reply = row[side]
        if isinstance(reply, list):
            if len(reply) != 1:
                raise MisreadError(f"{side} holds {len(reply)} messages")
            reply = reply[0]
        made[side] = [stand_in, reply]
    for messages in made.values():
        for message in messages:
            if message["role"] not in names:
                raise MisreadError(f"role {message['role']!r}")
    return {side: [{**m, "role": names[m["role"]]} for m in messages] for side, messages in made.items()}
