"""Under which terms the whole may be published: gates first, then one licence that all sources' licences can live with.

**Collection or adaptation?** Both. Every text was cleaned, de-identified and cut, so each row is an *adaptation* of one work of one
source, and that work's licence stays on it: attribution and non-commercial terms are carried, share-alike holds for the row, and an
ND text cannot be shared at all. No row mixes two works, so the dataset is a *collection* of such rows, and a licence for a collection
does not change the licence of what is in it (Creative Commons FAQ, "If I create a collection that includes a work offered under a CC
license"). Column ``license`` therefore says what each row is under.

**The header.** Tools and most people read one field, the licence of the whole, and train on everything together. So the header names a
licence whose terms, kept, keep the terms of *every* row. It is found as for one adapted work, by the rules below; where there is none,
publication stops and names the sources. A publisher who has thought about it may choose ``by_row``: then the header is ``other``,
and each row stands under its own licence and nothing else.

**Which licence may go into which** (CC's adapter's licence chart and its page on compatible licences; Open Data Commons' texts):

- public domain (CC0, PDDL, PDM, Unlicense, 0BSD, out of copyright): into anything;
- attribution (CC-BY of any version, MIT, BSD, ISC, Apache, PSF, ODC-By): into CC-BY, CC-BY-SA, CC-BY-NC, CC-BY-NC-SA. Into ODbL only
  ODC-By, into GFDL none of them: neither can be shown to keep the other's conditions;
- CC-BY-NC: into CC-BY-NC and CC-BY-NC-SA, never into CC-BY-SA (it forbids added restrictions);
- CC-BY-SA: into CC-BY-SA of the same or a later version only; 4.0 does not go back to 3.0, and CC-BY-SA and CC-BY-NC-SA exclude each
  other. CC-BY-NC-SA likewise. ODbL and GFDL: into themselves only;
- CC-BY-ND, CC-BY-NC-ND: no adaptation may be shared; none-stated: nothing may be;
- a custom term (LicenseRef) that allows publishing: stands beside licences that are not share-alike; the header is then ``other``.

A source whose licence would allow commercial use but whose card refuses it counts as non-commercial; over a share-alike licence that is
a conflict, as no restriction may be added. ODC-By and ODbL license a database, not its contents (ODC-By 1.0, section 2.4): they are
taken at their word and a note says so. None of this is legal advice; it is what a careful reader of the licences would do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.publish.words import many
from sources.errors import UserError
from sources.licenses import SPDX

#: SPDX -> identifier of the hub's list (huggingface.co/docs/hub/repositories-licenses). What is missing is ``other`` there.
HUB_LICENSES: dict[str, str] = {
    "Apache-2.0": "apache-2.0", "MIT": "mit", "ISC": "isc", "BSD-2-Clause": "bsd-2-clause", "BSD-3-Clause": "bsd-3-clause",
    "Unlicense": "unlicense", "CC0-1.0": "cc0-1.0", "PDDL-1.0": "pddl", "ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl",
    "GFDL-1.3-or-later": "gfdl",
    "CC-BY-2.0": "cc-by-2.0", "CC-BY-2.5": "cc-by-2.5", "CC-BY-3.0": "cc-by-3.0", "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-3.0": "cc-by-sa-3.0", "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-NC-2.0": "cc-by-nc-2.0", "CC-BY-NC-3.0": "cc-by-nc-3.0", "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-SA-2.0": "cc-by-nc-sa-2.0", "CC-BY-NC-SA-3.0": "cc-by-nc-sa-3.0", "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
}  # fmt: skip

#: Licences that ask for their own notice to stay with copies.
_NOTICE = frozenset({"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0"})
_US_DOMAIN = "LicenseRef-public-domain-US"

#: Share-alike families -> what may become part of a whole under them, beside themselves.
_INTO: dict[str, frozenset[str]] = {
    "CC-BY-SA": frozenset({"free", "attribution"}),
    "CC-BY-NC-SA": frozenset({"free", "attribution", "noncommercial"}),
    "ODbL": frozenset({"free"}),
    "GFDL": frozenset({"free"}),
}

_URLS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-PDM-1.0": "https://creativecommons.org/publicdomain/mark/1.0/",
    "PDDL-1.0": "https://opendatacommons.org/licenses/pddl/1-0/",
    "ODC-By-1.0": "https://opendatacommons.org/licenses/by/1-0/",
    "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
}


@dataclass(frozen=True)
class SourceTerms:
    """One source in the licence table.

    :param license: as its card states it; its rows keep it.
    :param noncommercial: by its licence, or because its card refuses commercial use.
    """

    source: str
    license: str
    url: str | None
    attribution: bool
    share_alike: bool
    noncommercial: bool
    note: str | None = None


@dataclass(frozen=True)
class Effective:
    """The licence of the whole.

    :param license_id: SPDX identifier or ``LicenseRef-...``.
    :param hub_id: what the hub's metadata calls it; ``other`` where its list has none.
    :param name: for people, and the hub's ``license_name`` where ``hub_id`` is ``other``.
    :param url: where its text stands, if it has one.
    :param by_row: no licence for the whole; each row has its own.
    :param rows: the sources' own terms.
    :param notes: what a reader must know beside it.
    """

    license_id: str
    hub_id: str
    name: str
    url: str | None
    attribution: bool
    share_alike: bool
    noncommercial: bool
    by_row: bool
    rows: tuple[SourceTerms, ...]
    notes: tuple[str, ...]


def license_url(license_id: str) -> str | None:
    """Where the text of a licence stands; None for custom terms."""
    if license_id in _URLS:
        return _URLS[license_id]
    if match := re.fullmatch(r"CC-([A-Z-]+?)-(\d\.\d)", license_id):
        return f"https://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/"
    return f"https://spdx.org/licenses/{license_id}.html" if license_id in SPDX and license_id != _US_DOMAIN else None


def check_gates(manifest: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> None:
    """What must hold before a licence is even looked for: purpose, permission to publish, known consent.

    :param sources: card facts of the sources that have rows.
    :raises UserError: something does not; all sources that stand in the way are named.
    """
    recipe = manifest.get("recipe", {})
    if recipe.get("purpose") not in ("publish", "commercial"):
        raise UserError(
            f"{recipe.get('name', 'this output')} was made for {recipe.get('purpose', 'no stated purpose')}, so it may "
            "not be published: a source in it may allow no more than that",
            where="manifest.json: recipe.purpose",
            fix="set `purpose: publish` in the recipe, take out the sources it then refuses (`wellmix sources "
            "--purpose publish` lists the others), and make it again",
        )
    refused = []
    for name, facts in sources.items():
        if "allows" not in facts:
            raise UserError(
                "the manifest does not say what its sources allow: an earlier version of wellmix made it",
                where="manifest.json: sources",
                fix="make the output again, then publish it",
            )
        if "publishing" not in facts["allows"]:
            refused.append(f"{name} ({_refusal(facts)})")
        elif facts.get("consent") == "unknown":
            refused.append(f"{name} (on what ground people's words are in it is unknown: consent.basis)")
    if refused:
        raise UserError(
            f"{many(len(refused), 'source')} may not be published: {'; '.join(refused)}",
            where="manifest.json: sources",
            fix="take them out of the recipe and make it again; `purpose: publish` refuses such sources at once",
        )


def _refusal(facts: Mapping[str, Any]) -> str:
    license_id = facts["license"]
    if license_id == "none-stated":
        return "no licence is stated"
    if "-ND-" in license_id:
        return f"{license_id} allows no adaptation to be shared, and every text here is cleaned and de-identified"
    licensed = SPDX.get(license_id)
    if licensed is not None and "publishing" in licensed.allows:
        return f"{license_id} would allow it, its card refuses publishing"
    return f"{license_id} does not allow publishing"


def clash(purpose: str, sources: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Why sources that a recipe takes could not be published together, or None if they could or are not meant to be.

    :param sources: as for :func:`effective_terms`.
    """
    if purpose == "research" or not sources:
        return None
    try:
        effective_terms(sources)
    except UserError as error:
        return f"this cannot be published under one licence: {error.what}; {error.fix}"
    return None


def effective_terms(sources: Mapping[str, Mapping[str, Any]], *, by_row: bool = False) -> Effective:
    """The licence the whole may be published under; see the module's docstring for the rules.

    :param sources: name -> card facts of a manifest (``license``, ``license_url``, ``license_note``, ``allows``, and for custom
        terms ``attribution`` and ``share_alike``); only sources that have rows.
    :param by_row: publish as a collection without a licence of its own where no single one would do.
    :raises UserError: the licences exclude each other; the sources are named, and which could be published together.
    """
    if not sources:
        raise UserError("there is nothing to publish: no source has a row")
    table = tuple(_terms(name, facts) for name, facts in sorted(sources.items()))
    notes = _notes(table, sources)
    chosen, problem = _combine(table)
    if problem:
        if not by_row:
            raise UserError(
                problem,
                where="manifest.json: sources",
                fix=f"make a recipe for each group and publish them apart: {_together(table)}. Or pass --by-row: a collection "
                "without a licence of its own, `license: other` in the header, each row under its own licence",
            )
        notes = (problem, *notes)
        chosen = "LicenseRef-by-row"
    assert chosen is not None
    hub_id = HUB_LICENSES.get(chosen, "other")
    mixed = chosen in ("LicenseRef-by-row", "LicenseRef-mixed")
    return Effective(
        license_id=chosen,
        hub_id=hub_id,
        name="each row under its own licence" if mixed else chosen.removeprefix("LicenseRef-"),
        url=license_url(chosen) or next((row.url for row in table if row.license == chosen), None),
        attribution=any(row.attribution for row in table),
        share_alike=any(row.share_alike for row in table),
        noncommercial=any(row.noncommercial for row in table),
        by_row=mixed,
        rows=table,
        notes=notes,
    )


def _terms(name: str, facts: Mapping[str, Any]) -> SourceTerms:
    license_id = facts["license"]
    known = SPDX.get(license_id)
    commercial = "commercial" in facts["allows"]
    note = facts.get("license_note")
    if known is not None and not known.noncommercial and not commercial:
        note = f"{license_id} would allow commercial use, its card refuses it" + (f"; {note}" if note else "")
    return SourceTerms(
        source=name,
        license=license_id,
        url=facts.get("license_url") or license_url(license_id),
        attribution=known.attribution if known else bool(facts.get("attribution")),
        share_alike=known.share_alike if known else bool(facts.get("share_alike")),
        noncommercial=not commercial,
        note=note,
    )


def _kind(row: SourceTerms) -> str:
    if row.share_alike:
        return "share_alike"
    if row.license not in SPDX:
        return "custom"
    if row.noncommercial:
        return "noncommercial"
    return "attribution" if row.attribution else "free"


def _family(license_id: str) -> str:
    """``CC-BY-SA-4.0`` -> ``CC-BY-SA``; custom terms are a family each."""
    return license_id if license_id.startswith("LicenseRef-") else re.sub(r"-\d+(\.\d+)*(-or-later)?$", "", license_id)


def _version(license_id: str) -> tuple[int, ...]:
    match = re.search(r"-(\d+(?:\.\d+)*)", license_id)
    return tuple(map(int, match[1].split("."))) if match else (0,)


def _fits(row: SourceTerms, family: str) -> bool:
    """Whether the text of ``row`` may be part of a whole under a share-alike licence."""
    if row.share_alike:
        return _family(row.license) == family and row.noncommercial == (family == "CC-BY-NC-SA")
    return _kind(row) in _INTO.get(family, frozenset({"free"})) or (family == "ODbL" and row.license == "ODC-By-1.0")


def _combine(table: tuple[SourceTerms, ...]) -> tuple[str | None, str | None]:
    """The licence of the whole, or what is in its way."""
    for row in table:
        if row.share_alike and row.license in SPDX and row.noncommercial != SPDX[row.license].noncommercial:
            return None, (
                f"{row.license} ({row.source}) lets everybody use the texts commercially and forbids added "
                "restrictions, but its card refuses commercial use"
            )
    families = sorted({_family(row.license) for row in table if row.share_alike})
    for family in families:
        if strangers := [row for row in table if not _fits(row, family)]:
            same = [row for row in table if row.share_alike and _family(row.license) == family]
            return None, (
                f"no one licence covers all rows: {_list(same)} is share-alike, so the whole would have to be under it, but "
                + "; ".join(_obstacle(row, family) for row in strangers)
            )
    own = {row.license for row in table if _kind(row) != "free"}
    # A whole under one of these may be under any later version; texts under version 4.0 are best not put under an earlier one.
    later = max((_version(name) for name in own if name.startswith("CC-")), default=(4, 0))
    if families:
        family = families[0]
        mine = {row.license for row in table if row.share_alike}
        if family.startswith("CC-"):
            return f"{family}-{later[0]}.{later[1]}", None
        return max(mine, key=_version), None
    if any(_kind(row) == "custom" for row in table):
        return (next(iter(own)) if len(own) == 1 else "LicenseRef-mixed"), None
    if any(row.noncommercial for row in table):
        alone = len(own) == 1 and _family(next(iter(own))) == "CC-BY-NC"
        return (next(iter(own)) if alone else "CC-BY-NC-4.0"), None
    if own:
        return (next(iter(own)) if len(own) == 1 else "CC-BY-4.0"), None
    free = {row.license for row in table}
    if _US_DOMAIN in free:
        return _US_DOMAIN, None
    return (next(iter(free)) if len(free) == 1 else "CC0-1.0"), None


def _together(table: tuple[SourceTerms, ...]) -> str:
    """Which sources could be published as one, for the message."""
    groups = []
    for family in sorted({_family(row.license) for row in table if row.share_alike}):
        members = [row.source for row in table if _fits(row, family)]
        if members:
            groups.append(f"{', '.join(members)} under {family}")
    if rest := [row for row in table if not row.share_alike]:
        licence, _ = _combine(tuple(rest))
        groups.append(f"{', '.join(row.source for row in rest)} under {licence}")
    return "; ".join(groups)


def _obstacle(row: SourceTerms, family: str) -> str:
    """Why a source's text cannot be part of a whole under a share-alike licence."""
    if row.noncommercial and "NC" not in family.split("-"):
        why = f"forbids commercial use, which {family} allows everybody"
    elif row.share_alike:
        why = "is share-alike as well, under its own terms"
    elif row.license not in SPDX:
        why = "has terms of its own, which cannot be put under another licence"
    else:
        why = f"has conditions that {family} does not keep"
    return f"{_list([row])} {why}"


def _list(rows: list[SourceTerms]) -> str:
    by_license: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_license[row.license + (" without commercial use" if _refused(row) else "")].append(row.source)
    return ", ".join(f"{name} ({', '.join(sources)})" for name, sources in sorted(by_license.items()))


def _refused(row: SourceTerms) -> bool:
    return row.noncommercial and row.license in SPDX and not SPDX[row.license].noncommercial


def _notes(table: tuple[SourceTerms, ...], sources: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    def named(rows: list[SourceTerms]) -> str:
        return ", ".join(row.source for row in rows)

    notes = []
    if rows := [row for row in table if row.license in ("ODC-By-1.0", "ODbL-1.0")]:
        notes.append(
            f"{named(rows)}: the licence is of the database, not of the texts in it; rights of the texts' authors "
            "stay as they are."
        )
    if rows := [row for row in table if row.license == _US_DOMAIN]:
        notes.append(
            f"{named(rows)}: out of copyright in the United States; in other countries copyright may still run."
        )
    if rows := [row for row in table if row.license in _NOTICE]:
        notes.append(
            f"{named(rows)}: the licence asks that its copyright notice and text stay with copies: `LICENSE.md` links to "
            "them, and whoever passes the rows on should pass them on, too."
        )
    if rows := [row for row in table if _refused(row)]:
        notes.append(
            f"{named(rows)}: the licence would allow commercial use; the terms the texts were given under do not."
        )
    if rows := [row for row in table if row.license.startswith("LicenseRef-") and row.license != _US_DOMAIN]:
        notes.append(f"{named(rows)}: custom terms, in LICENSE.md.")
    if rows := [row for row in table if sources[row.source].get("consent") == "public_post"]:
        notes.append(
            f"{named(rows)}: posted in public by people who were not asked about this use; a licence does not stand "
            "for their consent."
        )
    return tuple(notes)
