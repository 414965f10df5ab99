"""What reviewers are shown and asked, and the page that tells them how."""

from __future__ import annotations

import re

from classifiers.taxonomy import BEHAVIOURS, SUPPORT
from pipeline.review.decisions import OUTCOMES, UNSURE, Kind
from pipeline.review.examples import Example, Message
from pipeline.review.sample import reply_order

#: What a reviewer can decide, by kind, and what it means.
DECISIONS: dict[Kind, dict[str, str]] = {
    "single": {
        "keep": "a model should learn to answer like this",
        "drop": "a model should not learn to answer like this, or the text should not be in the set at all",
        "unsure": "you have read it and cannot say",
    },
    "pair": {
        "a": "reply A is the better answer",
        "b": "reply B is the better answer",
        "tie": "neither is better than the other",
        "drop": "neither reply may be used, not even as a bad example, or the text should not be in the set at all",
        "unsure": "you have read it and cannot say",
    },
    "unpaired": {
        "good": "a model should be rewarded for this reply",
        "bad": "a model should be discouraged from this reply",
        "drop": "the reply may not be used, not even as a bad example, or the text should not be in the set at all",
        "unsure": "you have read it and cannot say",
    },
}

#: Columns of the text.
SHOWN: dict[Kind, tuple[str, ...]] = {
    "single": ("conversation", "reply"),
    "pair": ("conversation", "reply_a", "reply_b"),
    "unpaired": ("conversation", "reply"),
}

TITLES = {
    "conversation": "Conversation",
    "reply": "Reply",
    "reply_a": "Reply A",
    "reply_b": "Reply B",
    "decision": "Decision",
    "support": "Support, 0 to 3",
    "behaviours": "Behaviours",
    "principles": "Principles",
    "note": "Note",
}

#: Columns that say which example a row is about.
IDENTITY = ("id", "seed", "check", "kind")


def columns(kind: Kind, principles: dict[str, str]) -> list[str]:
    """Columns of a table of examples to review, in order."""
    return [*IDENTITY, *SHOWN[kind], *asked(kind, principles), "reviewer"]


def asked(kind: Kind, principles: dict[str, str]) -> list[str]:
    """What is asked about an example of this kind; only the decision must be answered."""
    about_reply = [] if kind == "pair" else ["support", "behaviours", *(["principles"] if principles else [])]
    return ["decision", *about_reply, "note"]


def order_of(example: Example, seed: int) -> tuple[int, ...]:
    """In which order the replies are shown; of a pair drawn by seed and id."""
    return reply_order(seed, example.id) if example.kind == "pair" else (0,)


def shown(example: Example, order: tuple[int, ...]) -> dict[str, str]:
    """The texts a reviewer sees of an example, replies in this order."""
    replies = [_reply(example.replies[i]) for i in order]
    return dict(zip(SHOWN[example.kind], [_talk(example.prompt), *replies], strict=True))


def check(example: Example, order: tuple[int, ...]) -> str:
    """Mark of the texts as they are shown, by which an import sees that the example has not changed since."""
    return mark(example.text(*order))


def mark(text: str) -> str:
    """A hash of a text, short, and never taken for a number by a spreadsheet."""
    return f"t{text[:16]}"


def unblind(vote: str, order: tuple[int, ...]) -> str:
    """The outcome a vote stands for: of a pair, whether the reviewer's A or B is the reply the set chose."""
    if vote not in ("a", "b"):
        return vote
    return "confirm" if order["ab".index(vote)] == 0 else "swap"


def _talk(messages: list[Message]) -> str:
    return "\n\n".join(f"{message['role'].capitalize()}:\n{message['content'] or ''}" for message in messages)


def _reply(messages: list[Message]) -> str:
    return messages[0]["content"] or "" if len(messages) == 1 else _talk(messages)


_SEEN = {
    "single": "Each row is a conversation and a reply to its last message.",
    "pair": (
        "Each row is a conversation and two replies, A and B, to its last message. Which of them is called A was drawn by lot; "
        "it tells nothing."
    ),
    "unpaired": "Each row is a conversation and a reply to its last message. Some of the replies are good and some are bad.",
}

_HOW_TO = {
    "csv": """\
The file opens in any spreadsheet. Where it asks, choose: encoding UTF-8, separated by commas. Change nothing but the columns
{columns} (and `reviewer`, if you want another name there). A cell that begins with `'` does so to keep the spreadsheet
from taking the text for a formula. Save it as CSV (in Excel: "CSV UTF-8") and send it back.""",
    "html": """\
Open the page in a browser; it works without a network and sends nothing anywhere. Each question shows its key. What you decide
stays in the browser until you press *Save*, which downloads a CSV file: send that back. Save now and then.""",
    "argilla": """\
Answer in Argilla and submit each record. *Discard* leaves a record without a decision; drafts do not count.""",
}


def instructions(kind: Kind, principles: dict[str, str], form: str) -> str:
    """The page for reviewers: rubric, crisis, and how to take care of oneself.

    :param principles: id -> text.
    :param form: csv, html or argilla.
    """
    fields = asked(kind, principles)
    parts = [
        "# How to review",
        f"{_SEEN[kind]} You are not told where a text comes from or what a program thinks of it, so that you judge what you read. "
        "If you recognise a text, judge it all the same by what stands there.",
        _HOW_TO[form].format(columns=", ".join(f"`{name}`" for name in fields)),
        "## Before you begin: your own wellbeing",
        "Many of these texts tell of real pain: suicidal thoughts, self-harm, abuse, loss. It is normal that they move you.\n\n"
        "- You may leave any row empty, without a reason. You may stop at any time, for today or for good.\n"
        "- Read in short sittings, 20 to 30 texts, with a break between them, and not late at night.\n"
        "- Do not do it alone: agree with somebody whom you can talk to afterwards, and say when it is too much.\n"
        "- If reading brings up thoughts of harming yourself, stop, and talk to somebody now: a person you trust, a crisis line "
        "(https://findahelpline.com lists them by country), or the emergency number where you are.\n\n"
        "The people who wrote these texts are real. Do not copy, pass on or search for a text, and do not try to find out who wrote it. "
        "If you see a name, an address or a number that should have been removed, decide `drop` and note `personal data`, without "
        "repeating it.",
        "## The decision",
        "\n".join(f"- `{word}`: {meaning}" for word, meaning in DECISIONS[kind].items()),
        "Your decision counts for more than every score. Leave the row empty if you have not read it.",
        "A good reply understands this person, takes the feeling seriously, and leaves choice and judgement with them. It is honest "
        "about what it does not know. Length, polish and agreement with your own views do not make a reply better. Warm words that "
        "could have been said to anyone are weak; so is advice that comes before listening. A reply that would make the person more "
        "dependent on whoever answers, or that flatters, is worse than a plain one.",
        _CRISIS[kind],
    ]
    if "support" in fields:
        parts += [
            "## Optional: support",
            "How well the reply responds to what the person is going through; a number, or nothing if it cannot be said.",
            "\n".join(f"- `{level}`: {meaning}" for level, meaning in SUPPORT.items()),
            "## Optional: behaviours",
            "What the reply does; several, separated by commas. `none` if you looked and saw none of them; nothing if you did not look.",
            "\n".join(f"- `{name}`: {meaning}" for name, meaning in BEHAVIOURS.items()),
        ]
    if "principles" in fields:
        parts += [
            "## Optional: principles",
            "The ids of the principles that the reply follows in a way one can see; several, separated by commas. `none` if you looked "
            "and saw none; nothing if you did not look. A principle it merely does not break is not named.",
            "\n".join(f"- `{id}`: {text}" for id, text in principles.items()),
        ]
    parts += [
        "## Note",
        "Anything you want to say, in your own words. Do not quote the text: notes are kept where texts must not be.",
    ]
    # a paragraph is a line, so that it wraps wherever the page is read
    return re.sub(r"(?<!\n)\n(?![\n-])", " ", "\n\n".join(part.strip() for part in parts)) + "\n"


_DANGER = """\
## Crisis

It is a crisis when the person says, or plainly means, that they think of suicide or of harming themselves, are being abused or
in danger, or cannot keep themselves or somebody else safe. Feeling low or hopeless is not yet one; take a doubt seriously.

Talking about it is no fault: people must be able to tell, and a model must be able to hear it. In a crisis a good reply

- says that it has heard it, stays calm and warm, and does not judge, bargain or argue;
- asks, or lets the person say more, instead of closing the talk;
- points to help that fits: people nearby, a crisis line, a professional, emergency services where life is in danger;
- does not leave it at a phone number, and does not promise what it cannot keep.
"""

_CRISIS: dict[Kind, str] = {
    "single": _DANGER
    + """
Decide `drop` when the reply passes over the danger, sends the person away, agrees that there is no hope, or gives advice that is
dangerous to follow. Always decide `drop`, whatever else is good about it, when any part of the text names a way to harm oneself or
others in a manner that could be followed, or urges somebody to do it.""",
    "pair": _DANGER
    + """
A reply that passes over the danger, sends the person away, agrees that there is no hope or advises what is dangerous is the worse
one, even where it is better written. If both do, decide `tie` or `drop`. Always decide `drop`, whatever else is good about it, when
any part of the text names a way to harm oneself or others in a manner that could be followed, or urges somebody to do it.""",
    "unpaired": _DANGER
    + """
Decide `bad` when the reply passes over the danger, sends the person away, agrees that there is no hope, or gives advice that is
dangerous to follow. Always decide `drop`, not `bad`, when any part of the text names a way to harm oneself or others in a manner
that could be followed, or urges somebody to do it.""",
}

#: Every vote has an outcome.
assert all({unblind(vote, (0, 1)) for vote in votes} == {*OUTCOMES[kind], UNSURE} for kind, votes in DECISIONS.items())
