"""Who is to be named: ``ATTRIBUTION.csv`` and ``.md`` with every source and every distinct work, and ``LICENSE.md`` with the terms."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

from pipeline.cells import escape
from pipeline.publish.facts import Publication
from pipeline.publish.tally import Work
from pipeline.publish.terms import license_url
from pipeline.publish.words import cell, linked, many

#: Works of a source that the page lists; all of them are in the CSV.
LISTED = 25

COLUMNS = (
    "source", "title", "work", "rows", "license", "license_url", "homepage", "citation", "changes", "takedown",
)  # fmt: skip


def changes(pub: Publication) -> str:
    """What was done to every text, as the licences ask to be told."""
    done = "cleaned (encoding, markup, white space), personal data replaced by placeholders, long texts cut, parts left out"
    if pub.kind == "set":
        done += "; turns given chat roles, neighbours of one role joined, replies chosen, system prompts added where a row has one"
    return done


def attribution_csv(pub: Publication) -> str:
    """One line a work: a source's file, as the rows' ``origin`` names it up to ``#``."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for work in pub.tally.works:
        facts = pub.sources[work.source]
        writer.writerow(
            [
                escape(str(value))
                for value in (
                    work.source, facts["title"], work.work, work.rows, work.license,
                    facts.get("license_url") or license_url(work.license) or "", facts.get("homepage") or "",
                    " ".join(facts["citation"].split()), changes(pub), facts["takedown"],
                )
            ]
        )  # fmt: skip
    return out.getvalue()


def attribution_sections(pub: Publication) -> dict[str, str]:
    """``ATTRIBUTION.md``."""
    works: dict[str, list[Work]] = defaultdict(list)
    for work in pub.tally.works:
        works[work.source].append(work)
    lines = [
        f"# Attribution of {pub.title}",
        "",
        "Every source and the works of it that are in this dataset. All works, with the number of rows made from "
        "each, are in `ATTRIBUTION.csv`; the column `origin` of a row leads to its place in the work.",
        "",
        f"**Changes made to all texts:** {changes(pub)}.",
    ]
    for name, facts in sorted(pub.sources.items()):
        found = sorted(works[name], key=lambda work: (-work.rows, work.work))
        url = facts.get("license_url") or license_url(facts["license"])
        lines += ["", f"## {facts['title']}", ""]
        lines += [
            f"- Source: `{name}`, {sum(work.rows for work in found):,} rows of {many(len(found), 'work')}",
            f"- Citation: {' '.join(facts['citation'].split())}",
            f"- Licence: {linked(facts['license'], url)}",
        ]
        lines += [f"- Homepage: <{facts['homepage']}>"] if facts.get("homepage") else []
        lines += [f"- Removal: {facts['takedown']}", "", "| work | rows |", "|---|---:|"]
        lines += [f"| `{cell(work.work)}` | {work.rows:,} |" for work in found[:LISTED]]
        if len(found) > LISTED:
            lines += ["", f"and {len(found) - LISTED:,} more, in `ATTRIBUTION.csv`."]
    return {"attribution": "\n".join(lines)}


def license_sections(pub: Publication) -> dict[str, str]:
    """``LICENSE.md``."""
    terms = pub.terms
    if terms.by_row:
        whole = (
            "This dataset is a collection. It has no licence of its own as a whole: **each row stands under the "
            "licence in its column `license`**, and whoever uses a row keeps to that."
        )
    else:
        whole = (
            f"As a whole this dataset is published under **{linked(terms.license_id, terms.url)}**: whoever keeps to "
            "it keeps to the terms of every row. What is in the rows stays under its own licence, named in the "
            "column `license`."
        )
    asks = [
        "name the sources as `ATTRIBUTION.md` does" if terms.attribution else None,
        "use nothing commercially" if terms.noncommercial else None,
        "share what is made from the texts under the same terms" if terms.share_alike else None,
    ]
    listed = [ask for ask in asks if ask]
    parts = ["# Licence", "", whole, ""]
    parts += [f"In short: {', '.join(listed)}.", ""] if listed else []
    parts += [
        "| source | licence of its texts | attribution | share-alike | non-commercial | as stated |",
        "|---|---|---|---|---|---|",
    ]
    for row in terms.rows:
        flags = " | ".join("yes" if flag else "" for flag in (row.attribution, row.share_alike, row.noncommercial))
        parts.append(f"| `{row.source}` | {linked(row.license, row.url)} | {flags} | {cell(row.note or '')} |")
    if terms.notes:
        parts += ["", *(f"- {note}" for note in terms.notes)]
    parts += ["", "This page says what the sources state; it is no legal advice."]
    return {"licence": "\n".join(parts)}
