import pytest

PROSE = "A habit is a path worn by walking it, and the first week is all brambles. " * 4

QUARTO = f"""---
title: "Habits"
author: {{name: Nobody}}
date: 2021-09-01
license: CC BY-SA
unlisted: not kept
---

```{{r, include=FALSE}}
library(nothing)
```

## Paths {{#sec-paths .unnumbered}}

{PROSE}As [@nobody1999, p. 3; @noone2001] say, and @somebody2000 denies[^1], see @fig-path. A **bold** [link](https://example.org).

[^1]: A note
    over two lines.

::: {{.callout-note}}
Inside a box.
:::

![A path](path.png){{width=50%}}

{{{{< video https://example.org/v >}}}}

<!-- a comment

```{{r}}
hidden()
```
-->

- one
- two

| a | b |
|---|---|
| 1 | 2 |

```python
print("shown")
```

`r 1 + 1`

## References

::: {{#refs}}
:::
"""


def test_quarto(load):
    (record,) = load("markdown", {"b/habits.qmd": QUARTO})
    assert record.text.split("\n\n") == [
        "Habits",
        "Paths",
        f"{PROSE}As say, and Somebody (2000) denies, see the figure. A bold link.",
        "Inside a box.",
        "- one\n- two",
        "a | b\n1 | 2",
        '```\nprint("shown")\n```',
    ]
    assert record.extra == {
        "title": "Habits",
        "author": {"name": "Nobody"},
        "date": "2021-09-01",
        "license": "CC BY-SA",
    }
    (bare,) = load("markdown", {"b/habits.qmd": QUARTO}, code=False)
    assert "print" not in bare.text


def test_text_from_a_pdf(load):
    page = (
        "# Module 3: Rest\n\n<!-- Page 9 -->\n10 \nModule 3: Rest \n \nWhy rest? \n \nA body that never rests will find \n"
        "its own way to stop, which is \n\n11 \nModule 3: Rest \n\nseldom a good one. \n"
        "• \nlie down \n\x02 \nbreathe out \nslowly \no \nand again \n\n"
        "- a real\n- list\n\n```\nkept   as\n\nit is\n```\n\nSee [[other-page|Module 4]].\n"
    )
    (record,) = load("markdown", {"m.md": page}, wrapped=True, min_chars=10)
    assert record.text.split("\n\n") == [
        "Module 3: Rest",
        "Why rest?",
        "A body that never rests will find its own way to stop, which is seldom a good one.",
        "- lie down\n- breathe out slowly\n- and again\n- a real\n- list",
        "```\nkept   as",
        "it is\n```",
        "See Module 4.",
    ]


def test_broken_front_matter_costs_the_metadata_only(load):
    (record,) = load("markdown", {"m.md": f"---\ntitle: [unclosed\n---\n\n{PROSE}"})
    assert record.text == PROSE.strip()
    assert record.extra == {"front_matter_error": True}


def test_front_matter_cannot_run_code(load):
    (record,) = load("markdown", {"m.md": f"---\ntitle: !!python/object/apply:os.getcwd []\n---\n\n{PROSE}"})
    assert record.extra == {"front_matter_error": True}


@pytest.mark.parametrize("data,reason", [("", "empty"), (b"\x00\x01\xff\xfe\x00" * 9, "not_text")])
def test_bad_files(load, data, reason):
    (bad,) = load("markdown", {"m.md": data})
    assert bad.reason == reason


def test_short_files_are_no_records(load):
    assert load("markdown", {"m.md": "# Title only\n"}) == []
