"""Threads become conversations: documents in, candidates out. A candidate is what came before, and one reply to it.

What a turn is (user, assistant, system), whether neighbouring replies go on from each other or answer the same prompt, and what
the corpus's own labels say of a reply is written in the source's card (:class:`sources.skill.Skill`). Chat roles alternate here
already: neighbours of one role are joined, and a conversation begins with the user.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.attributes import read_documents
from pipeline.store import Store, make_key
from sources.card import Card
from sources.skill import Skill

SHAPE_VERSION = 1

MESSAGE = pa.struct([pa.field("role", pa.string(), nullable=False), pa.field("content", pa.string(), nullable=False)])

#: One row a candidate. ``context`` ends with the user's turn; ``prompt_id`` is shared by replies to the same
#: context, ``thread`` by the replies of one conversation (an alternative answer is a thread of its own). ``coded``: behaviours the
#: corpus codes; ``moves``: those the coder saw. ``raw`` and ``margin``: native evidence in its own units, ``higher`` which way is
#: better; ``merit`` 0-1 where the scale is absolute. ``detail``: the labels, JSON. ``last``: the conversation's last reply.
CANDIDATES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("thread", pa.string(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("last", pa.bool_(), nullable=False),
        pa.field("context", pa.list_(MESSAGE), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("reply", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("author_kind", pa.string(), nullable=False),
        pa.field("situation", pa.string()),
        pa.field("turns", pa.int32(), nullable=False),
        pa.field("coded", pa.list_(pa.string()), nullable=False),
        pa.field("moves", pa.list_(pa.string()), nullable=False),
        pa.field("why", pa.string()),
        pa.field("raw", pa.float32()),
        pa.field("merit", pa.float32()),
        pa.field("margin", pa.float32()),
        pa.field("higher", pa.bool_()),
        pa.field("detail", pa.string()),
        pa.field("system", pa.string()),
    ]
)


def candidates_key(documents: str, card: Card) -> str:
    """Key of the candidates of one shard of documents."""
    return shaped_key(documents, **shaped_by(card))


def shaped_by(card: Card) -> dict[str, Any]:
    """What of a card candidates depend on."""
    assert card.skill is not None
    return {"skill": card.skill.model_dump(mode="json"), "origin": card.origin}


def shaped_key(documents: str, skill: dict[str, Any], origin: str) -> str:
    """The same as :func:`candidates_key`, from :func:`shaped_by`, which the meta of candidates keeps."""
    return make_key("candidates", SHAPE_VERSION, documents=documents, skill=skill, origin=origin)


def run_shape(store: Store, documents: str, by: dict[str, Any], key: str) -> None:
    """Make the candidates of one shard and commit them: ``candidates.parquet``, and in its meta what became of the documents.

    :param by: :func:`shaped_by` of the card.
    """
    skill = Skill(**by["skill"])
    counts: Counter[str] = Counter()
    with store.write("candidates", key, [documents]) as (folder, meta):
        with pq.ParquetWriter(
            folder / "candidates.parquet", CANDIDATES, compression="zstd", write_statistics=False
        ) as file:
            for batch in read_documents(store, documents):
                rows = [row for document in batch.to_pylist() for row in shape(document, skill, by["origin"], counts)]
                if rows:
                    file.write_table(pa.Table.from_pylist(rows, schema=CANDIDATES))
        meta.update(
            by,
            documents=counts["documents"],
            candidates=counts["candidates"],
            without={reason: n for reason, n in sorted(counts.items()) if reason not in ("documents", "candidates")},
        )


def shape(document: dict[str, Any], skill: Skill, origin: str, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """The candidates of one document (a row of :data:`sources.document.SCHEMA`).

    :param skill, origin: of the source's card.
    :param counts: ``documents``, ``candidates``, and why documents gave none.
    """
    counts["documents"] += 1
    if not document["turns"]:
        counts["no_turns"] += 1
        return
    extra = json.loads(document["extra"]) if document["extra"] else {}
    messages = _messages(document["turns"], skill)
    if messages is None:
        counts["third_party"] += 1
        return
    system = next((m.text for m in messages if m.role == "system"), None) or skill.system
    talk = [m for m in messages if m.role != "system"]
    first = next((i for i, m in enumerate(talk) if m.role == "user"), len(talk))
    replies = list(_replies(talk[first:], skill))
    if not replies:
        counts["no_reply"] += 1
        return
    made = 0
    for number, (before, reply) in enumerate(replies):
        context = [{"role": m.role, "content": m.text} for m in before]
        place = f"{document['id']}\x1f{len(before)}"
        judged = skill.judged(reply.labels, extra)
        evidence, raw, merit = judged or (None, None, None)
        made += 1
        yield {
            "id": (own := _hash(f"{place}\x1f{reply.number}")),
            "document": document["id"],
            "prompt_id": _hash(place),
            "thread": own if skill.answers == "alternatives" else document["id"],
            "turn": number,
            "last": number == len(replies) - 1,
            "context": context,
            "prompt": context[-1]["content"],
            "reply": reply.text,
            **{name: document[name] for name in ("source", "kind", "language", "license", "origin")},
            "author_kind": "simulated" if reply.labels.get("synthetic") else origin,
            "situation": skill.situated(extra),
            "turns": len(context),
            "coded": sorted(skill.behaviours.coded) if skill.behaviours and reply.moves is not None else [],
            "moves": sorted(reply.moves or ()),
            "why": evidence.kind if evidence else None,
            "raw": raw,
            "merit": merit,
            "margin": evidence.margin if evidence else None,
            "higher": evidence.higher if evidence else None,
            "detail": json.dumps(reply.labels, ensure_ascii=False, sort_keys=True) if reply.labels else None,
            "system": system,
        }
    counts["candidates"] += made


def _hash(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class _Message:
    role: str
    text: str
    number: int = 0
    labels: dict[str, Any] = field(default_factory=dict)
    moves: set[str] | None = None


def _messages(turns: list[dict[str, Any]], skill: Skill) -> list[_Message] | None:
    """Turns with chat roles, one message a turn; None where the card refuses the conversation."""
    messages = []
    for number, turn in enumerate(turns):
        role = skill.role(turn["role"])
        if role == "refuse":
            return None
        if role == "drop" or not turn["text"].strip():
            continue
        labels = json.loads(turn["labels"]) if turn["labels"] else {}
        moves = skill.behaviours.read(labels) if skill.behaviours else None
        messages.append(_Message(role, turn["text"], number, labels, None if moves is None else set(moves)))
    return messages


def _replies(talk: list[_Message], skill: Skill) -> Iterator[tuple[list[_Message], _Message]]:
    """Each reply with the messages before it, roles alternating.

    Where answers are alternatives, every reply of a run answers what came before the run; the first of them is the one the conversation
    goes on from.
    """
    before: list[_Message] = []
    at = 0
    while at < len(talk):
        end = at + 1
        while end < len(talk) and talk[end].role == talk[at].role:
            end += 1
        run = talk[at:end]
        if run[0].role == "user" or skill.answers == "conversation":
            joined = _joined(run)
            if joined.role == "assistant":
                yield list(before), joined
            before.append(joined)
        else:
            for reply in run:
                yield list(before), reply
            before.append(run[0])
        at = end


def _joined(run: list[_Message]) -> _Message:
    """Neighbours of one role as one message: the labels of all, later ones over earlier; the moves of any."""
    if len(run) == 1:
        return run[0]
    labels: dict[str, Any] = {}
    for message in run:
        labels |= message.labels
    moves = [message.moves for message in run if message.moves is not None]
    return _Message(
        run[0].role, "\n\n".join(m.text for m in run), run[0].number, labels, set().union(*moves) if moves else None
    )
