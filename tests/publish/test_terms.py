"""Under which terms a whole may be published: what goes together, what does not, and who is named when it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.output import card_facts
from pipeline.publish.terms import HUB_LICENSES, Effective, check_gates, clash, effective_terms, license_url
from sources.card import load_cards
from sources.errors import UserError
from sources.licenses import SPDX
from tests.publish.outputs import facts

PUBLISHABLE = sorted(name for name, licence in SPDX.items() if "publishing" in licence.allows)
FREE = ("CC0-1.0", "PDDL-1.0", "Unlicense", "0BSD", "CC-PDM-1.0", "LicenseRef-public-domain-US")


def terms(*licenses: str, by_row: bool = False) -> Effective:
    """Of sources called a, b, c, ... under these licences."""
    return effective_terms({chr(97 + n): facts(name) for n, name in enumerate(licenses)}, by_row=by_row)


def custom(**changed: Any) -> dict[str, Any]:
    return facts("LicenseRef-house-terms", allows=["pretraining", "publishing", "commercial"]) | changed


@pytest.mark.parametrize(
    ("licenses", "header"),
    [
        (["CC0-1.0"], "CC0-1.0"),
        (["CC0-1.0", "PDDL-1.0"], "CC0-1.0"),
        (["CC0-1.0", "LicenseRef-public-domain-US"], "LicenseRef-public-domain-US"),
        (["CC0-1.0", "MIT"], "MIT"),
        (["MIT", "CC-BY-4.0"], "CC-BY-4.0"),
        (["MIT", "Apache-2.0", "ODC-By-1.0"], "CC-BY-4.0"),
        (["CC-BY-3.0"], "CC-BY-3.0"),
        (["CC-BY-SA-3.0"], "CC-BY-SA-3.0"),
        (["CC-BY-SA-3.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-3.0", "CC-BY-4.0"], "CC-BY-SA-4.0"),
        (["CC-BY-SA-2.0", "CC-BY-SA-3.0"], "CC-BY-SA-3.0"),
        (["CC-BY-SA-4.0", "MIT", "CC0-1.0", "ODC-By-1.0"], "CC-BY-SA-4.0"),
        (["CC-BY-NC-4.0", "MIT"], "CC-BY-NC-4.0"),
        (["CC-BY-NC-2.0", "CC0-1.0"], "CC-BY-NC-2.0"),
        (["CC-BY-NC-3.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0"),
        (["CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-4.0"], "CC-BY-NC-SA-4.0"),
        (["CC-BY-NC-SA-3.0"], "CC-BY-NC-SA-3.0"),
        (["ODbL-1.0", "CC0-1.0", "ODC-By-1.0"], "ODbL-1.0"),
        (["GFDL-1.3-or-later", "LicenseRef-public-domain-US"], "GFDL-1.3-or-later"),
    ],
)
def test_what_goes_together(licenses: list[str], header: str) -> None:
    found = terms(*licenses)
    assert found.license_id == header
    assert terms(*reversed(licenses)).license_id == header
    assert not found.by_row


@pytest.mark.parametrize(
    ("licenses", "named"),
    [
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], ["a", "b"]),
        (["CC-BY-SA-4.0", "MIT", "CC-BY-NC-4.0"], ["a", "c"]),
        (["CC-BY-SA-4.0", "ODbL-1.0"], ["a", "b"]),
        (["ODbL-1.0", "CC-BY-4.0"], ["a", "b"]),
        (["GFDL-1.3-or-later", "CC-BY-SA-4.0"], ["a", "b"]),
        (["GFDL-1.3-or-later", "MIT"], ["a", "b"]),
    ],
)
def test_what_excludes_each_other_stops_and_names_the_sources(licenses: list[str], named: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        terms(*licenses)
    for source in named:
        assert f"({source})" in caught.value.what
    assert caught.value.fix and "publish them apart" in caught.value.fix


@pytest.mark.parametrize(
    ("licenses", "said"),
    [
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0 (b) forbids commercial use, which CC-BY-SA allows everybody"),
        (["CC-BY-SA-4.0", "GFDL-1.3-or-later"], "GFDL-1.3-or-later (b) is share-alike as well, under its own terms"),
        (["GFDL-1.3-or-later", "CC-BY-4.0"], "CC-BY-4.0 (b) has conditions that GFDL does not keep"),
    ],
)
def test_the_error_says_why_they_do_not_go_together(licenses: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        terms(*licenses)
    assert said in caught.value.what


def test_the_error_tells_which_sources_could_be_published_together() -> None:
    with pytest.raises(UserError) as caught:
        terms("CC-BY-SA-4.0", "MIT", "CC-BY-NC-4.0")
    assert caught.value.fix
    assert "a, b under CC-BY-SA; b, c under CC-BY-NC-4.0" in caught.value.fix


def test_by_row_publishes_a_collection_without_a_licence_for_the_whole() -> None:
    found = terms("CC-BY-SA-4.0", "CC-BY-NC-4.0", by_row=True)
    assert (found.hub_id, found.by_row, found.license_id) == ("other", True, "LicenseRef-by-row")
    assert found.noncommercial and found.share_alike and found.attribution
    assert "share-alike" in found.notes[0]
    # where one licence does, by_row changes nothing
    assert terms("CC-BY-SA-4.0", "MIT", by_row=True).license_id == "CC-BY-SA-4.0"


def test_a_card_that_refuses_commercial_use_makes_the_whole_noncommercial() -> None:
    refused = facts("CC-BY-4.0", allows=["finetuning", "pretraining", "publishing"])
    found = effective_terms({"a": facts("MIT"), "b": refused})
    assert found.license_id == "CC-BY-NC-4.0" and found.noncommercial
    assert any(note.startswith("b: the licence would allow commercial use") for note in found.notes)
    # and over a share-alike licence it cannot be added
    refused = facts("CC-BY-SA-4.0", allows=["finetuning", "pretraining", "publishing"])
    with pytest.raises(UserError, match="forbids added restrictions"):
        effective_terms({"a": refused})


def test_custom_terms_stand_beside_free_ones_and_not_beside_share_alike() -> None:
    assert effective_terms({"a": custom()}).license_id == "LicenseRef-house-terms"
    assert effective_terms({"a": custom(), "b": facts("CC0-1.0")}).license_id == "LicenseRef-house-terms"
    mixed = effective_terms({"a": custom(), "b": facts("CC-BY-4.0")})
    assert (mixed.license_id, mixed.hub_id, mixed.by_row) == ("LicenseRef-mixed", "other", True)
    with pytest.raises(UserError, match=r"LicenseRef-house-terms \(a\)"):
        effective_terms({"a": custom(), "b": facts("CC-BY-SA-4.0")})
    with pytest.raises(UserError, match="share-alike"):
        effective_terms({"a": custom(share_alike=True), "b": facts("CC-BY-4.0")})


@pytest.mark.parametrize("license_id", PUBLISHABLE)
def test_a_source_alone_keeps_its_licence(license_id: str) -> None:
    found = terms(license_id)
    assert found.license_id == license_id
    assert found.hub_id == HUB_LICENSES.get(license_id, "other")
    assert found.noncommercial == SPDX[license_id].noncommercial
    assert license_url(license_id) or license_id == "LicenseRef-public-domain-US"


@given(st.lists(st.sampled_from(PUBLISHABLE), min_size=1, max_size=6))
def test_no_term_of_a_row_is_lost_in_the_whole(licenses: list[str]) -> None:
    try:
        found = terms(*licenses)
    except UserError:
        # only share-alike makes licences exclude each other
        assert any(SPDX[name].share_alike for name in licenses) and len(set(licenses)) > 1
        return
    header = SPDX[found.license_id]
    rows = [SPDX[name] for name in licenses]
    assert header.noncommercial >= any(row.noncommercial for row in rows)
    assert header.attribution >= any(row.attribution for row in rows)
    assert header.share_alike == any(row.share_alike for row in rows)
    assert "publishing" in header.allows
    shared = [name for name in licenses if SPDX[name].share_alike]
    for name in shared:  # the same licence, or a later version of it
        assert found.license_id >= name and found.license_id.rsplit("-", 1)[0] == name.rsplit("-", 1)[0]
    if any(name not in FREE for name in licenses):
        assert terms(*licenses, "CC0-1.0").license_id == found.license_id


def test_notes_tell_what_a_header_cannot() -> None:
    sources = {
        "dump": facts("ODC-By-1.0", consent="public_post"),
        "old-books": facts("LicenseRef-public-domain-US"),
        "code": facts("MIT"),
    }
    notes = "\n".join(effective_terms(sources).notes)
    assert "dump: the licence is of the database" in notes
    assert "old-books: out of copyright in the United States" in notes
    assert "code: the licence asks that its copyright notice" in notes
    assert "dump: posted in public by people who were not asked" in notes


def gate(purpose: str = "publish", **sources: dict[str, Any]) -> None:
    check_gates({"recipe": {"name": "x", "purpose": purpose}}, sources)


def test_what_was_made_for_research_does_not_leave() -> None:
    with pytest.raises(UserError, match="made for research"):
        gate("research", a=facts())
    gate("publish", a=facts())
    gate("commercial", a=facts())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (facts("CC-BY-ND-4.0"), "no adaptation"),
        (facts("CC-BY-NC-ND-3.0"), "no adaptation"),
        (facts("none-stated"), "no licence is stated"),
        (facts("LicenseRef-internal"), "LicenseRef-internal does not allow publishing"),
        (facts("CC-BY-4.0", allows=["commercial", "pretraining"]), "its card refuses publishing"),
        (facts("CC-BY-4.0", consent="unknown"), "unknown"),
    ],
)
def test_sources_that_may_not_be_published_stop_it(changed: dict[str, Any], said: str) -> None:
    # a recipe for commercial use admits sources that may be used, but not passed on
    for purpose in ("publish", "commercial"):
        with pytest.raises(UserError, match=said) as caught:
            gate(purpose, good=facts(), bad=changed)
        assert "bad (" in caught.value.what and "good (" not in caught.value.what


def test_a_manifest_that_does_not_say_what_sources_allow_is_too_old() -> None:
    old = facts()
    del old["allows"]
    with pytest.raises(UserError, match="earlier version"):
        gate(a=old)


def test_the_shipped_open_recipe_is_share_alike_and_commercial() -> None:
    root = Path(__file__).parents[2]
    recipe = yaml.safe_load((root / "recipes/wellbeing-open.yaml").read_text("utf-8"))
    cards = load_cards()
    found = effective_terms({name: card_facts(cards[name]) for name in recipe["sources"]})
    assert (found.license_id, found.hub_id) == ("CC-BY-SA-4.0", "cc-by-sa-4.0")
    assert found.attribution and not found.noncommercial
    assert len(found.rows) == len(recipe["sources"])


def test_a_clash_is_told_when_the_recipe_is_checked_not_only_when_it_is_published():
    clashing = {"lic-sa": facts("CC-BY-SA-4.0"), "lic-nc": facts("CC-BY-NC-4.0")}
    assert clash("research", clashing) is None
    told = clash("publish", clashing)
    assert told and "lic-sa" in told and "lic-nc" in told
    assert clash("publish", {"lic-sa": facts("CC-BY-SA-4.0"), "lic-by": facts("CC-BY-4.0")}) is None
    assert clash("publish", {}) is None
