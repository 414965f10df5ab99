"""Pages people edit: what they wrote stays to the byte, what we wrote is written anew, and what must be true is not left false."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publish.merge import Merged, merge_page, section_hash
from sources.errors import UserError

SECTIONS = {"title": "# Calm days", "summary": "Two sentences. Of ours.", "licence": "## Licence\n\nCC0."}
HEADER: dict[str, Any] = {
    "license": "cc0-1.0",
    "pretty_name": "Calm days",
    "tags": ["wellbeing", "wellmix"],
    "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/default/train-*.parquet"}]}],
}


def merge(
    existing: str | None, sections: dict[str, str] | None = None, header: dict[str, Any] | None = None, **options: Any
) -> Merged:
    return merge_page(existing, SECTIONS if sections is None else sections, header=header or HEADER, **options)


def yaml_of(text: str) -> dict[str, Any]:
    match = re.match(r"---\r?\n(.*?)^---\r?\n", text, re.S | re.M)
    assert match
    return yaml.safe_load(match[1])


def test_a_new_page_holds_header_and_sections_in_order() -> None:
    page = merge(None)
    assert yaml_of(page.text) == HEADER
    assert page.kept == ()
    places = [page.text.index(text) for text in SECTIONS.values()]
    assert places == sorted(places)
    for name, text in SECTIONS.items():
        begin = f"<!-- wellmix:begin {name} sha256:{section_hash(text)} -->"
        assert f"{begin}\n{text}\n<!-- wellmix:end {name} -->" in page.text


def test_merging_again_changes_nothing() -> None:
    page = merge(None)
    assert merge(page.text).text == page.text
    assert merge(page.text, before=page.header).text == page.text


def test_an_unedited_section_is_written_anew_and_words_around_it_stay() -> None:
    page = merge(None).text.replace(
        "<!-- wellmix:end title -->", "<!-- wellmix:end title -->\n\nHello from a person.  \n\t* odd  bytes\n"
    )
    page += "\nA last word, without a newline"
    after = merge(page, SECTIONS | {"summary": "Three other sentences."})
    assert "Three other sentences." in after.text and "Of ours." not in after.text
    assert "\n\nHello from a person.  \n\t* odd  bytes\n" in after.text
    assert after.text.rstrip("\n").endswith("\nA last word, without a newline")
    assert after.kept == ()


def test_an_edited_section_stays_and_is_named() -> None:
    page = merge(None).text.replace("Of ours.", "Of mine.")
    after = merge(page, SECTIONS | {"summary": "New.", "licence": "## Licence\n\nMIT."})
    assert "Of mine." in after.text and "New." not in after.text and "MIT." in after.text
    assert after.kept == ("README.md: section summary",)
    # and once more: the hash of what we wrote is kept, so it is still known as edited
    assert merge(after.text).kept == ("README.md: section summary",)


def test_white_space_at_ends_of_lines_is_no_edit() -> None:
    page = merge(None).text.replace("Of ours.", "Of ours.   ")
    assert merge(page, SECTIONS | {"summary": "New."}).kept == ()


def test_a_deleted_section_is_written_again_in_its_place_and_an_emptied_one_stays_away() -> None:
    page = merge(None).text
    block = re.search(r"<!-- wellmix:begin summary.*?end summary -->\n", page, re.S)
    assert block
    after = merge(page.replace(block[0], "")).text
    assert after.index("Calm days") < after.index("Of ours.") < after.index("## Licence")
    emptied = merge(page.replace("Two sentences. Of ours.\n", ""))
    assert "Of ours." not in emptied.text and emptied.kept == ("README.md: section summary",)


def test_a_section_no_longer_made_goes_unless_somebody_wrote_in_it() -> None:
    page = merge(None).text
    fewer = {name: text for name, text in SECTIONS.items() if name != "licence"}
    assert "## Licence" not in merge(page, fewer).text
    assert "## Licence\n\nMine." in merge(page.replace("CC0.", "Mine."), fewer).text


def test_markers_a_person_sets_say_where_a_section_goes() -> None:
    page = "# Mine\n\n<!-- wellmix:begin licence -->\n<!-- wellmix:end licence -->\n\nBelow the licence.\n"
    after = merge(page).text
    assert after.index("CC0.") < after.index("Below the licence.")
    # text in markers without our hash is a person's
    page = page.replace("licence -->\n<!--", "licence -->\nMine.\n<!--")
    assert "Mine." in merge(page).text


def test_a_page_without_markers_keeps_its_words_and_heading() -> None:
    page = "# A person's title\n\nWords.\n"
    after = merge(page).text
    assert "# A person's title\n\nWords.\n\n<!-- wellmix:begin summary" in after
    assert "# Calm days" not in after
    assert merge(after).text == after


@pytest.mark.parametrize(
    "page",
    [
        "<!-- wellmix:begin summary -->\nwords\n",
        "<!-- wellmix:end summary -->\n",
        "<!-- wellmix:begin summary -->\n<!-- wellmix:begin licence -->\n<!-- wellmix:end licence -->\n",
        "<!-- wellmix:begin summary -->\n<!-- wellmix:end summary -->\n" * 2,
    ],
)
def test_markers_that_do_not_match_are_an_error_that_names_the_section(page: str) -> None:
    with pytest.raises(UserError, match="summary"):
        merge(page)


def test_windows_line_ends_stay() -> None:
    page = merge("---\r\nlicense: cc0-1.0\r\n---\r\n# Mine\r\n\r\nWords.\r\n").text
    assert "\n" not in page.replace("\r\n", "")
    assert merge(page).text == page
    assert merge(page.replace("Of ours.", "Mine.")).kept == ("README.md: section summary",)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=200), st.integers(0, 3))
def test_whatever_a_person_writes_between_sections_stays(words: str, position: int) -> None:
    page = merge(None).text
    cut = [match.end() for match in re.finditer(r"<!-- wellmix:end \w+ -->\n", page)]
    at = [page.index("<!-- wellmix:begin title"), *cut][position]
    edited = page[:at] + words + page[at:]
    after = merge(edited, SECTIONS | {"summary": "New."})
    assert words in after.text
    assert "New." in after.text


# -- the header ----------------------------------------------------------------------------------------------------------------------


def test_keys_of_a_person_stay_and_so_do_their_lines() -> None:
    page = "---\n# hand-made\npretty_name:   'My days'   # as I call it\nthumbnail: a.png\n# about tags\ntags: [calm]\n---\nWords.\n"
    after = merge(page)
    assert "# hand-made\npretty_name:   'My days'   # as I call it\nthumbnail: a.png\n# about tags\n" in after.text
    header = yaml_of(after.text)
    assert header["pretty_name"] == "My days" and header["thumbnail"] == "a.png"
    assert header["tags"] == ["calm", "wellbeing", "wellmix"]
    assert header["license"] == "cc0-1.0" and header["configs"] == HEADER["configs"]
    assert set(after.kept) == {"README.md: pretty_name", "README.md: tags"}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("license: mit", "license"),
        ("license: [cc0-1.0, mit]", "license"),
        ("configs:\n- config_name: default\n  data_files: other.csv", "configs"),
    ],
)
def test_a_key_that_must_be_true_and_is_not_is_an_error_that_names_it(line: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        merge(f"---\n{line}\n---\n")
    assert key in (caught.value.where or "")


def test_the_same_licence_written_otherwise_is_no_conflict() -> None:
    assert "license: CC0-1.0" in merge("---\nlicense: CC0-1.0\n---\n").text
    assert "license:\n- cc0-1.0\n" in merge("---\nlicense:\n- cc0-1.0\n---\n").text


def test_what_the_last_publication_wrote_is_brought_up_to_date_and_a_persons_change_is_not() -> None:
    first = merge(None)
    newer = HEADER | {"license": "mit", "pretty_name": "Calmer days", "tags": ["wellbeing", "forum"]}
    after = merge(first.text, header=newer, before=first.header)
    assert yaml_of(after.text) == newer and after.kept == ()
    edited = first.text.replace("pretty_name: Calm days", "pretty_name: My days").replace(
        "- wellmix", "- wellmix\n- calm"
    )
    after = merge(edited, header=newer, before=first.header)
    header = yaml_of(after.text)
    assert header["pretty_name"] == "My days"
    # three ways: calm was added by a person, forum by us, wellmix was taken out by us
    assert header["tags"] == ["wellbeing", "calm", "forum"]
    assert header["license"] == "mit"
    edited = first.text.replace("license: cc0-1.0", "license: apache-2.0")
    with pytest.raises(UserError, match=r"apache-2\.0"):
        merge(edited, header=newer, before=first.header)


def test_a_key_a_person_took_out_stays_out_and_one_we_no_longer_want_goes() -> None:
    first = merge(None)
    after = merge(first.text.replace("pretty_name: Calm days\n", ""), before=first.header)
    assert "pretty_name" not in yaml_of(after.text)
    without = {key: value for key, value in HEADER.items() if key != "tags"}
    assert "tags" not in yaml_of(merge(first.text, header=without, before=first.header).text)
    # the licence is never left out
    assert (
        yaml_of(merge(first.text.replace("license: cc0-1.0\n", ""), before=first.header).text)["license"] == "cc0-1.0"
    )


def test_further_configs_of_a_person_stay() -> None:
    first = merge(None)
    mine = "- config_name: stats\n  data_files: stats.csv\n"
    page = first.text.replace("configs:\n", f"configs:\n{mine}")
    configs = yaml_of(merge(page, before=first.header).text)["configs"]
    assert [config["config_name"] for config in configs] == ["default", "stats"]


def test_a_comment_above_the_next_key_survives_a_rewritten_one() -> None:
    first = merge(None)
    page = first.text.replace("pretty_name", "# about the name\npretty_name", 1)
    after = merge(page, header=HEADER | {"license": "mit"}, before=first.header)
    assert "license: mit\n# about the name\npretty_name: Calm days\n" in after.text


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("a: [1", "not valid YAML"),
        ("- a\n- b", "not a list of keys"),
        ("license: cc0-1.0\nlicense: mit", "license twice"),
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(front: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        merge(f"---\n{front}\n---\n")


def test_a_header_in_braces_is_understood() -> None:
    header = yaml_of(merge("---\n{license: cc0-1.0, thumbnail: a.png}\n---\n").text)
    assert header["thumbnail"] == "a.png" and header["pretty_name"] == "Calm days"


def test_a_page_without_a_header_of_ours_keeps_its_own() -> None:
    page = "---\nlayout: page\n---\n# Mine\n"
    after = merge_page(page, {"attribution": "Names."}, page="ATTRIBUTION.md")
    assert after.text.startswith(page) and "Names." in after.text
