"""Argilla 2: a folder that ``rg.Dataset.from_disk`` loads, and the records as Argilla's Python client writes them out.

Texts are plain text fields and never rendered as Markdown: a text must not be able to hide a part of itself or load a picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.taxonomy import BEHAVIOURS, SUPPORT
from pipeline.review.decisions import Kind
from pipeline.review.questions import DECISIONS, SHOWN, TITLES, asked, instructions
from sources.errors import UserError

#: Lengths the server takes.
_TEXT, _GUIDELINES = 500, 10_000


def files(
    name: str, kind: Kind, principles: dict[str, str], guidelines: str, rows: list[dict[str, str]]
) -> dict[str, bytes]:
    """The files of a dataset: path in its folder -> content.

    :param name: of the dataset.
    :param rows: what :func:`pipeline.review.export.export_review` shows of each example.
    """
    questions = [_question(field, kind, principles) for field in asked(kind, principles)]
    settings = {
        # where it is too long, the principles' texts stand in their question alone
        "guidelines": guidelines if len(guidelines) <= _GUIDELINES else instructions(kind, {}, "argilla"),
        "fields": [
            {
                "name": field,
                "title": TITLES[field],
                "required": True,
                "settings": {"type": "text", "use_markdown": False},
            }
            for field in SHOWN[kind]
        ],
        "questions": [question for question in questions if question],
        "metadata": [
            {"name": field, "title": field, "visible_for_annotators": False, "settings": {"type": type_}}
            for field, type_ in (("seed", "integer"), ("check", "terms"), ("kind", "terms"))
        ],
        "vectors": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }
    records = [
        {
            "id": row["id"],
            "fields": {field: row[field] for field in SHOWN[kind]},
            "metadata": {"seed": int(row["seed"]), "check": row["check"], "kind": kind},
            "suggestions": {},
            "responses": {},
            "vectors": {},
        }
        for row in rows
    ]
    dataset = {"name": name, "guidelines": settings["guidelines"], "allow_extra_metadata": False}
    contents = {".argilla/dataset.json": dataset, ".argilla/settings.json": settings, "records.json": records}
    # ASCII: the client opens these files in whatever encoding the machine has
    return {path: json.dumps(value, indent=1).encode("ascii") for path, value in contents.items()}


def _question(field: str, kind: Kind, principles: dict[str, str]) -> dict[str, Any] | None:
    if field == "decision":
        settings: dict[str, Any] = {
            "type": "label_selection",
            "options": _options(DECISIONS[kind]),
            "visible_options": None,
        }
        about = "Leave out what you would rather not read: discard it."
    elif field == "support":
        settings = {"type": "rating", "options": [{"value": level} for level in SUPPORT]}
        about = "; ".join(f"{level} {meaning}" for level, meaning in SUPPORT.items())
    elif field == "note":
        settings = {"type": "text", "use_markdown": False}
        about = "In your own words. Do not quote the text."
    else:
        labels = BEHAVIOURS if field == "behaviours" else principles
        settings = {
            "type": "multi_label_selection",
            "options": [*_options(labels), {"value": "none", "text": "none of them"}],
            "visible_options": None,
            "options_order": "natural",
        }
        about = (
            "What the reply does."
            if field == "behaviours"
            else "Principles that the reply follows in a way one can see."
        )
    return {
        "name": field,
        "title": TITLES[field],
        "description": about,
        "required": field == "decision",
        "settings": settings,
    }


def _options(labels: dict[str, str]) -> list[dict[str, str]]:
    """Options, each with its meaning; cut to the length the server takes."""
    return [{"value": name, "text": f"{name}: {meaning}"[:_TEXT]} for name, meaning in labels.items()]


@dataclass(frozen=True)
class Response:
    """What one person answered about one record.

    :param place: of the record in the file, from 1.
    :param user: who, as a short hash of Argilla's user id.
    :param status: submitted, discarded or draft; None if the export does not say.
    :param answers: question -> value as Argilla has it.
    :param texts: the fields as the export has them.
    """

    place: int
    id: str
    metadata: dict[str, Any]
    user: str
    status: str | None
    answers: dict[str, Any]
    texts: dict[str, str]


def read(path: Path) -> Iterator[Response]:
    """Responses of a folder that ``Dataset.to_disk`` wrote, or of a JSON or JSON lines file of ``records.to_list()``, flat or not.

    :raises UserError: it is neither.
    """
    file = path / "records.json" if path.is_dir() else path
    fix = "write them with json.dump(dataset.records(with_responses=True).to_list(flatten=True), file)"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"cannot read Argilla's records: {reason}", where=file, fix=fix) from None
    try:
        lines = [line for line in text.split("\n") if line.strip()]
        records = [json.loads(line) for line in lines] if file.suffix == ".jsonl" else json.loads(text)
    except ValueError as error:
        raise UserError(f"not JSON: {error}", where=file, fix=fix) from None
    if not isinstance(records, list) or not all(isinstance(record, dict) and "id" in record for record in records):
        raise UserError("not a list of Argilla's records", where=file, fix=fix)
    for place, record in enumerate(records, 1):
        nested = isinstance(record.get("fields"), dict)
        by_user: dict[str, tuple[dict[str, Any], str | None]] = {}
        for question, value, user, status in _nested(record) if nested else _flat(record):
            answers, known = by_user.setdefault(str(user), ({}, status))
            answers[question] = value
            by_user[str(user)] = (answers, status or known)
        shown = record["fields"] if nested else record
        for user, (answers, status) in by_user.items():
            yield Response(
                place,
                str(record["id"]),
                (record.get("metadata") or {}) if nested else record,
                f"argilla-{hashlib.blake2b(user.encode(), digest_size=4).hexdigest()}",
                status,
                answers,
                {name: shown[name] for name in TITLES if isinstance(shown.get(name), str)},
            )


def _nested(record: dict[str, Any]) -> Iterator[tuple[str, Any, Any, str | None]]:
    for question, given in (record.get("responses") or {}).items():
        for one in given or ():
            yield question, one.get("value"), one.get("user_id"), one.get("status")


def _flat(record: dict[str, Any]) -> Iterator[tuple[str, Any, Any, str | None]]:
    for name, values in record.items():
        if name.endswith(".responses") and values:
            users = record.get(f"{name}.users") or [None] * len(values)
            statuses = record.get(f"{name}.status") or [None] * len(values)
            for value, user, status in zip(values, users, statuses, strict=False):
                yield name.removesuffix(".responses"), value, user, status
