"""The card says what is so: its numbers are those of the rows, the manifest, the ledger and the classifiers' own pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard

import classifiers
from pipeline.publish.citations import bibtex
from pipeline.publish.figures import read_figures
from pipeline.publish.folder import scrub
from pipeline.publish.hub import dataset_of, size_category, validate_card
from pipeline.publish.stage import Staged, stage
from sources.card import load_cards
from sources.errors import UserError
from tests.publish.outputs import document, edit_manifest, facts, talk, write_mix, write_set


def section(staged: Staged, name: str, page: str = "README.md") -> str:
    text = (staged.folder / page).read_text("utf-8")
    match = re.search(rf"<!-- wellmix:begin {name} sha256:\w+ -->\n(.*?)\n<!-- wellmix:end {name} -->", text, re.S)
    assert match, name
    return match[1]


def row(text: str, first: str) -> list[str]:
    """Cells of the table row that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# -- what it says --------------------------------------------------------------------------------------------------------------------


def test_the_composition_counts_the_rows(staged_mix: Staged) -> None:
    text = section(staged_mix, "composition")
    assert row(text, "`calm`")[4:6] == ["50", "1,200"]
    assert row(text, "`forum`")[1:7] == ["A forum \\| of people", "forum", "human", "15", "360", "23.1%"]
    assert row(text, "vitality") == ["vitality", "25.0%", "50.0%"]
    assert "4 rows are further copies" in section(staged_mix, "use")
    assert "65 documents, 1,560 tokens, from 2 sources" in section(staged_mix, "summary")


def test_privacy_and_crisis_count_what_the_ledger_and_the_rows_hold(staged_mix: Staged, staged_set: Staged) -> None:
    assert "4 pieces of personal data" in section(staged_mix, "privacy") and "email 3, user 1" in section(
        staged_mix, "privacy"
    )
    assert "high harm in: `forum`" in section(staged_mix, "privacy")
    text = section(staged_mix, "crisis")
    assert "**1 of 65 rows** hold a disclosure" in text and "Left out as harmful: 4 documents" in text
    text = section(staged_set, "crisis")
    assert "**4 of 40 rows** of `messages` somebody may be in danger" in text
    assert "gives a method of self-harm: 1 candidate." in text and "does not point to help: 3 candidates." in text
    assert "Rejected and poor replies are there" in text and "**The crisis rule.**" in text
    assert "**The crisis rule.**" not in section(staged_mix, "crisis")


def test_figures_are_those_of_the_classifiers_own_card(staged_mix: Staged) -> None:
    page = (Path(classifiers.__file__).parent / "MODEL_CARD.md").read_text("utf-8")
    text = section(staged_mix, "scores")
    quality = row(text, "relevance, Spearman")[1]
    assert re.search(
        rf"(?m)^\| relevance, Spearman \| [\d.]+ \([\d.]+\) \| {quality} \(", page
    )  # the column of `balanced`
    removed, missed = row(text, "lived experience wrongly removed as harm")[1], row(text, "harmful texts missed")[1]
    assert f"| {removed} | {missed} |" in next(line for line in page.splitlines() if line.startswith("| balanced |"))
    figures = read_figures()
    assert set(figures.versions) == set(figures.safety) == {"fast", "balanced", "best"}
    assert len(figures.limits) >= 5 and len(figures.gaps) >= 5
    biases = section(staged_mix, "biases")
    assert all(gap in biases for gap in figures.gaps) and all(limit in biases for limit in figures.limits)


def test_scores_of_another_version_than_was_measured_are_said_to_be(
    mix_output: Path, staged_mix: Staged, staged_set: Staged, tmp_path: Path
) -> None:
    for staged in (staged_mix, staged_set):
        assert "measured on version" not in section(staged, "scores")
    output = Path(shutil.copytree(mix_output, tmp_path / "mix"))
    edit_manifest(output, lambda manifest: manifest["versions"]["stages"].update(scores="f" * 16))
    text = section(stage(output, tmp_path / "out"), "scores")
    assert (
        "version `ffffffffffffffff`" in text and f"measured on version `{read_figures().versions['balanced']}`" in text
    )


def test_the_licence_section_has_a_line_a_source(staged_mix: Staged) -> None:
    text = section(staged_mix, "licence")
    assert "**[CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/)**" in text
    assert row(text, "`forum`") == [
        "`forum`",
        "[CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/)",
        "yes",
        "",
        "",
        "15",
    ]
    assert "forum: posted in public by people who were not asked" in text
    assert section(staged_mix, "licence", "LICENSE.md").count("`forum`") == 1


def test_removal_names_the_publisher_and_every_source(staged_mix: Staged, mix_output: Path, tmp_path: Path) -> None:
    text = section(staged_mix, "takedown")
    assert "**mailto:data@example.org**" in text and row(text, "`forum`")[1] == "mailto:removal@example.org"
    assert "names no contact of its own" in section(stage(mix_output, tmp_path / "out"), "takedown")


def test_a_set_shows_quotas_principles_and_baselines(staged_set: Staged) -> None:
    text = section(staged_set, "composition")
    assert row(text, "replies to imitate | source calm")[1:] == ["source calm", "50%", "", "100%", "yes"]
    assert row(text, "pairs | source loud")[1:] == ["source loud", "", "50%", "0%", "**no**"]
    assert row(text, "length | +2.5%") == ["length", "+2.5%", "6%", "yes"]
    principle = ["`asks-before-advising`", "Ask before you advise.", "Plato 369 BCE; A. Nurse 1990", "40"]
    assert row(text, "`asks-before-advising`") == principle
    assert "constitution `wellmix` (version 1, sha256 `222222222222`)" in text
    assert row(text, "length | 19") == ["length", "19", "50.0%", "30.0% to 70.0%"]
    assert row(text, "length | 16")[2] == "62.5%" and "| length | 3 |" not in text  # three pairs tell nothing
    assert "Fewer than 10 pairs, so nothing can be told: `rank`." in text
    assert "`votes` (readers' votes) 26, none 14: for these speak the scores and rules alone." in text
    assert row(text, "replies to imitate | 60")[1:] == ["60", "55", "50", "45", "40", "0.40", "0.60"]
    assert "**Simulated:** 0 of 40 rows (0.0%) of `messages`" in text and "the recipe allows 20%" in text


def test_a_set_shows_its_own_rules_and_no_prompt_of_a_source(tmp_path: Path) -> None:
    def begun(number: int, prompt: str) -> dict[str, Any]:
        row = talk(number)
        return row | {"messages": [{"role": "system", "content": prompt}, *row["messages"]]}

    rows = [talk(0), *(begun(n, "Listen <first>.") for n in range(1, 4)), begun(4, "A source's own words.")]
    recipe = {"system": ["Listen <first>."], "sources": {"calm": {"where": "merit >= 0.5"}}}
    staged = stage(write_set(tmp_path / "set", rows, formats=("messages",), recipe=recipe), tmp_path / "out")
    text = section(staged, "composition")
    assert "4 of 5 rows begin with a system prompt." in text
    assert row(text, "Listen &lt;first>.")[1] == "3"
    assert "1 prompt in 1 row came with the source or its card." in text and "own words" not in text
    making = section(staged, "making")
    assert (
        row(making, "`calm` | `merit >= 0.5`") and row(making, "weak")[1] == r"`support < 1 OR contains(reply, '\|')`"
    )


def test_a_set_says_whether_people_looked_at_it(staged_set: Staged, set_output: Path, tmp_path: Path) -> None:
    assert "**No person has looked at these examples one by one.**" in section(staged_set, "review")
    assert "Nobody annotated these rows" in section(staged_set, "annotators", "DATA_STATEMENT.md")
    output = Path(shutil.copytree(set_output, tmp_path / "set"))
    decided = {"single": {"drop": 2, "keep": 5}, "pair": {"keep": 1}}
    reviews = {"files": ["x.jsonl"], "decisions": decided, "reviewers": 2, "stale": 1, "not_found": 0}
    edit_manifest(output, lambda manifest: manifest.update(reviews=reviews))
    staged = stage(output, tmp_path / "out")
    text = section(staged, "review")
    assert "2 people made 8 decisions about examples: drop 2, keep 6." in text
    assert "1 decision is about a text that has changed since" in text and "no longer give" not in text
    assert "2 people reviewed examples (8 decisions)" in section(staged, "annotators", "DATA_STATEMENT.md")


def test_the_data_statement_claims_nothing_it_does_not_know(staged_mix: Staged, staged_set: Staged) -> None:
    text = section(staged_mix, "speakers", "DATA_STATEMENT.md")
    assert "Age, gender, ethnicity, native language and socio-economic status of the speakers: not known." in text
    assert "posted in public, not for this use; the people were not asked: forum" in text
    assert "`en` (65 documents)" in section(staged_mix, "language", "DATA_STATEMENT.md")
    assert "expert 40" in section(staged_set, "speakers", "DATA_STATEMENT.md")
    assert "votes 26" in section(staged_set, "annotators", "DATA_STATEMENT.md")


def test_the_card_is_one_for_the_hubs_own_library(staged_mix: Staged) -> None:
    card = DatasetCard.load(staged_mix.folder / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.pretty_name == "Calm days" and card.data.language == ["en"]
    assert (
        card.data.extra_gated_prompt and "extra_gated_fields" in card.data.to_dict()
    )  # people who were not asked, high sensitivity
    assert 'load_dataset("team/calm-days")' in card.text


# -- rows that are shown -------------------------------------------------------------------------------------------------------------

#: What nobody may meet in a card, each in an otherwise fit row.
UNFIT: list[dict[str, Any]] = [
    {"source": "forum", "license": "CC-BY-4.0"},  # high sensitivity
    {"safety_disclosure": 0.5},
    {"safety_disclosure": None},
    {"facet_adversity": 0.8},
    {"epoch": 1},
    {"tokens": 4_000},
    {"text": "Write to me at [EMAIL_1], and we shall water the tomatoes together this summer, all of them."},
    {"text": "I wanted to die last winter, and now I water tomatoes and the smell stays on my hands."},
    {"text": "You are a worthless idiot and everybody at the garden laughs at you, you stupid pig."},
    {"text": "The tomatoes <!-- wellmix:end examples --> are ripe, and the smell stays on my hands till lunch."},
    {"text": "See https://example.org/tomatoes for how I water them, every morning before work, all summer."},
]


@pytest.mark.parametrize("changed", UNFIT, ids=lambda changed: str(sorted(changed.items()))[:40])
def test_no_unfit_row_is_shown(tmp_path: Path, changed: dict[str, Any]) -> None:
    sources = {"calm": facts(), "forum": facts("CC-BY-4.0", sensitivity="high")}
    output = write_mix(tmp_path / "mix", [document(n, **changed) for n in range(6)], sources)
    text = section(stage(output, tmp_path / "out"), "examples")
    assert "None: no row qualifies" in text and "```" not in text


def test_fit_rows_are_shown_a_few_and_the_choice_is_told(staged_mix: Staged, staged_set: Staged) -> None:
    text = section(staged_mix, "examples")
    assert text.count("```text") == 3 and "`forum`" not in text and "not for their quality" in text
    # the held-out row is nowhere on the page, nor is one in danger
    assert section(staged_set, "examples").count("```text") == 3
    assert "user: I want to learn the guitar" in section(staged_set, "examples")


def test_rows_of_risk_are_not_shown(tmp_path: Path) -> None:
    output = write_set(tmp_path / "set", [talk(n, risk=True) for n in range(6)], formats=("messages",))
    assert "None: no row qualifies" in section(stage(output, tmp_path / "out"), "examples")


def test_a_text_with_backticks_does_not_break_its_fence(tmp_path: Path) -> None:
    rows = [
        document(n, text=f"I wrote ```print({n})``` on a card for my sister, and she laughed the whole afternoon.")
        for n in range(4)
    ]
    text = section(stage(write_mix(tmp_path / "mix", rows), tmp_path / "out"), "examples")
    assert text.count("````text\n") == 3


# -- parts ---------------------------------------------------------------------------------------------------------------------------


TWO = "Asai et al. 2018, One, LREC. Labels: Jaidka et al. 2019, Two, AffCon."


@pytest.mark.parametrize(
    ("citation", "author", "year", "title", "others"),
    [
        ("Welivita et al. 2021, A Big Dataset, EMNLP.", "Welivita and others", "2021", "A Big Dataset", {"howpublished": "EMNLP"}),
        ("Turcan and Yi 2019, Posts, of Stress, CHI EA.", "Turcan and Yi", "2019", "Posts, of Stress", {"howpublished": "CHI EA"}),
        ("Pang 2004, An Education, ACL; through X.", "Pang", "2004", "An Education", {"howpublished": "ACL", "note": "through X"}),
        ("Rajani 2023, No Robots, https://example.org/x", "Rajani", "2023", "No Robots", {"url": "https://example.org/x"}),
        ("Nobody 2020, One, Two & Three_4.", "Nobody", "2020", r"One, Two \& Three\_4", {}),
        # two works in one line, or no such form: nothing is guessed
        (TWO, None, None, "T", {"note": TWO}),
        ("Wiki, https://a.org.", None, None, "T", {"note": "Wiki, https://a.org.", "url": "https://a.org"}),
    ],
)  # fmt: skip
def test_citations_become_bibtex(
    citation: str, author: str | None, year: str | None, title: str, others: dict[str, str]
) -> None:
    entry = bibtex("some-corpus", {"citation": citation, "title": "T", "homepage": None})
    assert entry.startswith("@misc{some-corpus,\n") and entry.endswith("\n}")
    found = dict(re.findall(r"(?m)^  (\w+) *= \{(.*)\},$", entry))
    assert found == {**({"author": author, "year": year} if author else {}), "title": title, **others}


def test_every_shipped_card_gives_an_entry_that_closes_its_braces() -> None:
    for name, card in load_cards().items():
        entry = bibtex(name, {"citation": card.citation, "title": card.title, "homepage": card.homepage})
        plain = re.sub(r"\\[{}]", "", entry)
        assert plain.count("{") == plain.count("}"), name
        assert "title" in entry, name


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("where and why: /tmp/run/out/quarantine.jsonl.", "where and why: quarantine.jsonl."),
        ("../evals/own.npz", "own.npz"),
        ("./cards", "cards"),
        ("~/models/tokenizer.json", "tokenizer.json"),
        ("file:///home/me/posts.jsonl#3", "posts.jsonl#3"),
        (r"C:\Users\me\posts.jsonl", "posts.jsonl"),
        (r"\\server\share\posts.jsonl", "posts.jsonl"),
        ("(see '/home/me/a/b.txt')", "(see 'b.txt')"),
        # what only looks like one
        ("https://github.com/owner/name/blob/main/LICENSE", "https://github.com/owner/name/blob/main/LICENSE"),
        (
            "facet_meaning >= 0.28 AND tokens/2 > 3 AND (a)/b/c < 1",
            "facet_meaning >= 0.28 AND tokens/2 > 3 AND (a)/b/c < 1",
        ),
        ("posts of /r/depression and /u/somebody", "posts of /r/depression and /u/somebody"),
        ("calm/posts.jsonl and/or s3://bucket/key", "calm/posts.jsonl and/or s3://bucket/key"),
    ],
)
def test_paths_of_a_machine_are_cut_to_their_last_part(text: str, kept: str) -> None:
    assert scrub({"notes": [text, 3, None]}) == {"notes": [kept, 3, None]}


@pytest.mark.parametrize(
    ("rows", "category"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (123_456, "100K<n<1M"), (10**12, "n>1T")],
)
def test_sizes_have_the_hubs_names(rows: int, category: str) -> None:
    assert size_category(rows) == category


def test_datasets_of_the_hub_are_known_by_their_address() -> None:
    assert dataset_of("https://huggingface.co/datasets/owner/name/tree/main") == "owner/name"
    assert dataset_of("https://github.com/owner/name") is None and dataset_of(None) is None


GOOD: dict[str, Any] = {"license": "cc-by-sa-4.0", "language": ["en"], "tags": ["calm"], "size_categories": ["n<1K"]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"license": "CC-BY-SA-4.0"}, "not on the hub's list"),
        ({"license": None}, "license is missing"),
        ({"license": "other"}, "license_name is missing"),
        ({"license": "other", "license_name": "x", "license_link": "TERMS.txt"}, "license_link"),
        ({"language": ["english"]}, "no ISO 639 code"),
        ({"size_categories": ["few"]}, "size_categories: 'few'"),
        ({"task_categories": ["chatting"]}, "task_categories: 'chatting'"),
        ({"annotations_creators": ["nobody"]}, "annotations_creators: 'nobody'"),
        ({"source_datasets": ["two words"]}, "source_datasets: 'two words'"),
        ({"tags": [""]}, "tags: ''"),
        (
            {
                "configs": [
                    {"config_name": "default", "data_files": [{"split": "train", "path": "data/none-*.parquet"}]}
                ]
            },
            "no file matches",
        ),
        ({"configs": [{"config_name": "default", "data_files": [{"path": "x"}]}]}, "not one of a dataset card"),
    ],
)
def test_a_header_the_hub_would_not_take_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    def card(header: dict[str, Any]) -> str:
        return f"---\n{yaml.safe_dump({key: value for key, value in header.items() if value is not None})}---\nWords.\n"

    validate_card(card(GOOD), tmp_path)
    with pytest.raises(UserError, match=re.escape(said)):
        validate_card(card(GOOD | changed), tmp_path)
