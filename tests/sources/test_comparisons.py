"""The comparisons reader on made-up pages of worked examples."""

from __future__ import annotations

from sources.document import Bad, Record, Turn

PAGE = """# How to answer

## Stay with people {#stay authority=user tags=care}

Some prose that is not read.

**Example**: a person who has lost a dog

~~~xml
<system>
<settings>
calm: true
</settings>
</system>
<developer>
Be brief.
</developer>
<user>
My dog died &amp; I can't stop crying.
# not a heading
</user>
<comparison>
<assistant> <!-- GOOD: names the loss,
and asks -->
I'm so sorry. What was he like?

You don't have to hurry.
</assistant>
<assistant> <!-- OK -->
I'm sorry. [...]
</assistant>
<assistant> <!-- BAD[#be_kind]: waves it away -->
It was only a dog.
</assistant>
</comparison>
~~~

```xml-like
<user>
not an example
</user>
```

# Other things

~~~xml
<user>
First question
</user>
<comparison>
<assistant> <!-- BAD -->
No.
</assistant>
<assistant> <!-- GOOD, given the mood -->
Yes.
</assistant>
</comparison>
<user>
Second question
</user>
<comparison>
<assistant> <!-- GOOD -->
[says nothing]
</assistant>
</comparison>
~~~
"""


def example(body: str) -> str:
    return f"# A {{#a}}\n\n~~~xml\n{body}\n~~~\n"


def test_context_answers_verdicts_and_remarks(load):
    record = load("comparisons", {"spec.md": PAGE})[0]
    assert isinstance(record, Record)
    assert (record.key, record.origin) == ("spec.md#stay/1", "spec.md#line=10")
    assert record.extra == {
        "section": "Stay with people",
        "section_id": "stay",
        "authority": "user",
        "tags": "care",
        "example": "a person who has lost a dog",
    }
    assert record.turns == [
        Turn("system", "<settings>\ncalm: true\n</settings>"),
        Turn("system", "Be brief."),
        Turn("user", "My dog died & I can't stop crying.\n# not a heading"),
        Turn(
            "assistant",
            "I'm so sorry. What was he like?\n\nYou don't have to hurry.",
            None,
            {"verdict": "good", "remark": "names the loss,\nand asks"},
        ),
        Turn("assistant", "I'm sorry. [...]", None, {"verdict": "ok", "elided": True}),
        Turn(
            "assistant", "It was only a dog.", None, {"verdict": "bad", "remark": "waves it away", "section": "be_kind"}
        ),
    ]


def test_a_block_that_goes_on_after_a_comparison(load):
    _, first, second = load("comparisons", {"spec.md": PAGE})
    assert (first.key, second.key) == ("spec.md#other-things/1", "spec.md#other-things/1.2")
    assert [(t.text, t.labels.get("verdict")) for t in first.turns] == [
        ("First question", None),
        ("No.", "bad"),
        ("Yes.", "good"),
    ]
    assert first.turns[2].labels["remark"] == "given the mood"
    assert [(t.role, t.text) for t in second.turns[:3]] == [
        ("user", "First question"),
        ("assistant", "Yes."),
        ("user", "Second question"),
    ]
    # A whole line in brackets says what happens; it is not the answer.
    assert second.turns[3].labels == {"verdict": "good", "elided": True}


def test_keys_stay_when_an_example_is_written_elsewhere(load):
    more = PAGE.replace(
        "# How to answer",
        example("<user>\nx\n</user>\n<comparison>\n<assistant> <!-- GOOD -->\ny\n</assistant>\n</comparison>"),
    )
    keys = {item.key for item in load("comparisons", {"spec.md": PAGE})}
    assert keys < {item.key for item in load("comparisons", {"spec.md": more})}


def test_text_left_out_between_messages_is_told(load):
    body = "[...]\n<user>\nq\n</user>\n<comparison>\n<assistant> <!-- GOOD -->\na\n</assistant>\n</comparison>"
    (record,) = load("comparisons", {"spec.md": example(body)})
    assert record.extra["elided"] is True


ANSWER = "<comparison>\n<assistant> <!-- GOOD -->\na\n</assistant>\n</comparison>"
REFUSED = {
    "tool_call": [
        f'<assistant recipient="browser">\nopen()\n</assistant>\n<user>\nq\n</user>\n{ANSWER}',
        f'<user>\nq\n</user>\n<tool name="x">\nr\n</tool>\n{ANSWER}',
    ],
    "no_comparison": ["<user>\nq\n</user>", "<user>\nq\n</user>\n<comparison>\n</comparison>"],
    "no_verdict": [
        "<comparison>\n<assistant>\na\n</assistant>\n</comparison>",
        "<comparison>\n<assistant> <!-- hm -->\na\n</assistant>\n</comparison>",
    ],
    "unknown_role": [f"<narrator>\nonce\n</narrator>\n{ANSWER}"],
    "stray_text": [f"hello\n{ANSWER}"],
    "truncated": ["<user>\nq", "<comparison>\n<assistant> <!-- GOOD -->\na\n</assistant>"],
    "invalid_markup": [f"</user>\n{ANSWER}"],
}


def test_what_cannot_be_read_is_quarantined_with_its_reason(load):
    for reason, bodies in REFUSED.items():
        for body in bodies:
            (bad,) = load("comparisons", {"spec.md": example(body)})
            assert isinstance(bad, Bad), body
            assert (bad.reason, bad.origin) == (reason, "spec.md#line=4"), body


def test_one_bad_block_does_not_lose_the_others(load):
    items = load("comparisons", {"spec.md": example("<user>\nq\n</user>") + PAGE})
    assert [isinstance(item, Bad) for item in items] == [True, False, False, False]


def test_a_block_without_end_and_one_too_long(load):
    assert [b.reason for b in load("comparisons", {"a.md": "~~~xml\n<user>\n"})] == ["truncated"]
    long = example(f"<user>\n{'x' * 2000}\n</user>\n{ANSWER}") + PAGE
    items = load("comparisons", {"a.md": long}, max_block_bytes=1024)
    assert [item.reason if isinstance(item, Bad) else "" for item in items] == ["too_large", "", "", ""]


def test_options(load):
    page = "````examples\n<client>\nq\n</client>\n<comparison>\n<assistant> <!-- fine -->\na\n</assistant>\n</comparison>\n````\n"
    options = {
        "fence": "examples",
        "roles": {"client": "seeker", "assistant": "supporter"},
        "verdicts": {"FINE": "good"},
    }
    (record,) = load("comparisons", {"a.md": page}, **options)
    assert record.turns == [Turn("seeker", "q"), Turn("supporter", "a", None, {"verdict": "good"})]
