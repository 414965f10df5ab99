"""Tables for people: what a mix did, the source cards, a document's story."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from pipeline.console import console
from pipeline.forget.tombstones import forgotten_source
from pipeline.publish.terms import clash
from sources.card import load_cards
from sources.errors import UserError
from sources.files import resolve
from sources.licenses import NEEDS

if TYPE_CHECKING:
    from pipeline.curate.make import SetResult
    from pipeline.mix import MixResult
    from pipeline.run import RunResult


def print_mix(result: MixResult) -> None:
    """Composition, what was dropped and why, target against observed, and notes."""
    manifest, ledger = result.manifest, result.ledger
    table = Table(
        title=f"{manifest['recipe']['name']}: where documents went", title_justify="left", box=None, pad_edge=False
    )
    table.add_column("source")
    for name in ("records", "quarantined", "documents", "dropped", "not drawn", "held out", "in the mix"):
        table.add_column(name, justify="right")
    table.add_column("most frequent reasons", overflow="fold")
    for source, ingest in ledger["stages"]["ingest"].items():
        plan = ledger["stages"]["plan"][source]
        dropped = Counter(plan["dropped"]) + Counter(ingest["dropped"])
        reasons = ", ".join(f"{escape(reason)} {n:,}" for reason, n in dropped.most_common(3))
        table.add_row(
            escape(source),
            f"{ingest['records_in']:,}",
            f"{sum(ingest['quarantined'].values()):,}",
            f"{ingest['documents']:,}",
            f"{dropped.total():,}",
            f"{plan['not_drawn']:,}",
            f"{plan['held_out']:,}",
            f"{plan['selected']:,}",
            reasons,
        )
    console.print(table)
    table = Table(title="\ntarget and observed", title_justify="left", box=None, pad_edge=False)
    table.add_column("entry")
    for name in ("target tokens", "observed", "share", "epochs", "eligible"):
        table.add_column(name, justify="right")
    total = sum(entry["tokens"] for entry in manifest["entries"]) or 1
    for entry in manifest["entries"]:
        epochs = entry["tokens"] / entry["supply"] if entry["supply"] else 0.0
        table.add_row(
            escape(entry["entry"]),
            f"{entry['target']:,.0f}",
            f"{entry['tokens']:,}",
            f"{entry['tokens'] / total:.1%}",
            f"{epochs:.2f}",
            f"{entry['supply']:,}",
        )
    console.print(table)
    table = Table(title="\nfacets (share of tokens)", title_justify="left", box=None, pad_edge=False)
    table.add_column("facet")
    table.add_column("eligible", justify="right")
    table.add_column("mix", justify="right")
    for row in manifest["facets"]:
        table.add_row(row["facet"], f"{row['eligible']:.1%}", f"{row['mix']:.1%}")
    console.print(table)
    _print_notes(result, "documents")
    _print_end(result, f"[bold]{manifest['documents']:,} documents, {manifest['tokens']:,} tokens[/]")


def _print_notes(result: RunResult, counted: str) -> None:
    """What the run had to say, whether what it made could be published under one licence, and what could not be read."""
    manifest = result.manifest
    with_rows = {name: facts for name, facts in manifest["sources"].items() if facts.get(counted)}
    problem = clash(manifest["recipe"]["purpose"], with_rows)
    for note in [*manifest["notes"], *([problem] if problem else [])]:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if quarantined := result.ledger["totals"]["quarantined"]:
        console.print(
            f"[yellow]note:[/] {quarantined:,} records could not be read; where and why: {escape(f'{result.out}/quarantine.jsonl')}",
            soft_wrap=True,
        )


def _print_end(result: RunResult, made: str) -> None:
    """The last line: what was made, where, in what time, and what had to run for it."""
    stages = ", ".join(f"{name} {n}" for name, n in result.stages.items()) or "nothing had to run"
    console.print(
        f"\n{made} in {escape(str(result.out))} ({result.seconds:.1f} s; ran: {stages})",
        soft_wrap=True,
    )


def print_set(result: SetResult) -> None:
    """Ledger by source, quotas, baselines and notes of a set, on stderr."""
    manifest, ledger = result.manifest, result.ledger
    table = Table(title="candidates", title_justify="left", box=None, pad_edge=False)
    table.add_column("source")
    outcomes = [name for name in _OUTCOMES if any(name in line for line in ledger["stages"]["select"].values())]
    for name in ("documents", "candidates", "never", "unfit", *outcomes):
        table.add_column(name.replace("_", " "), justify="right")
    table.add_column("most frequent reasons")
    for source, line in ledger["stages"]["select"].items():
        reasons = Counter(line["never"]) + Counter(line["unfit"])
        shown = ", ".join(f"{reason} {n:,}" for reason, n in reasons.most_common(4))
        table.add_row(
            escape(source),
            f"{ledger['stages']['shape'][source]['documents_in']:,}",
            f"{line['candidates_in']:,}",
            f"{sum(line['never'].values()):,}",
            f"{sum(line['unfit'].values()):,}",
            *(f"{line.get(name, 0):,}" for name in outcomes),
            escape(shown),
        )
    console.print(table)
    if manifest["quotas"]:
        table = Table(title="\nquotas (share of examples)", title_justify="left", box=None, pad_edge=False)
        table.add_column("quota")
        for name in ("at least", "at most", "there were", "chosen", "share"):
            table.add_column(name, justify="right")
        for quota in manifest["quotas"]:
            table.add_row(
                escape(quota["name"]),
                f"{quota['at_least']:.1%}" if quota["at_least"] > 0 else "",
                f"{quota['at_most']:.1%}" if quota["at_most"] < 1 else "",
                f"{quota['available']:,}",
                f"{quota['chosen']:,}",
                f"{quota['share']:.1%}" if quota["met"] else f"[yellow]{quota['share']:.1%}[/]",
            )
        console.print(table)
    table = Table(title="\nprinciples exercised", title_justify="left", box=None, pad_edge=False)
    table.add_column("principle")
    table.add_column("examples", justify="right")
    for principle in manifest["principles"]:
        table.add_row(escape(principle["id"]), f"{principle['examples']:,}")
    console.print(table)
    if manifest["baselines"]:
        table = Table(title="\nwhat predicts the chosen reply", title_justify="left", box=None, pad_edge=False)
        table.add_column("by")
        for reason in ("all", *manifest["baselines"]["by_reason"]):
            table.add_column(reason, justify="right")
        columns = [manifest["baselines"]["all"], *manifest["baselines"]["by_reason"].values()]
        for row in zip(*columns, strict=True):
            table.add_row(
                row[0]["name"], *(f"{one['accuracy']:.1%} ({one['low']:.0%}-{one['high']:.0%})" for one in row)
            )
        table.add_row("pairs", *(f"{column[0]['pairs']:,}" for column in columns))
        console.print(table)
    _print_notes(result, "examples")
    made = ", ".join(f"{name} {sum(splits.values()):,}" for name, splits in manifest["formats"].items())
    _print_end(result, f"[bold]{manifest['examples']:,} examples[/] ({made})")


_OUTCOMES = ("selected", "chosen", "rejected", "good", "poor", "not_chosen")


def source_rows(purpose: str | None = None) -> list[dict[str, Any]]:
    """One row a shipped card.

    :param purpose: only cards that a recipe of this purpose may take.
    :raises UserError: no such purpose.
    """
    if purpose is not None and purpose not in NEEDS:
        raise UserError(f"no purpose is called {purpose!r}", where="--purpose", fix=f"use one of: {', '.join(NEEDS)}")
    rows = []
    for name, card in load_cards().items():
        gone = forgotten_source(name)
        refused = {p: f"forgotten on {gone.date}" if gone else card.refusal(p) for p in NEEDS}  # type: ignore[arg-type]
        refused = {p: reason for p, reason in refused.items() if reason}
        if purpose in refused:
            continue
        size: int | None = None
        if card.where.path is not None:
            try:
                size = sum(file.size for file in resolve(card, lambda path: ""))
            except UserError:
                size = None
        rows.append(
            {
                "name": name,
                "title": card.title,
                "family": card.family,
                "license": card.license.id,
                "consent": card.consent.basis,
                "sensitivity": card.sensitivity,
                "origin": card.origin,
                "language": card.language,
                "bytes": size,
                "allowed": sorted(card.allowed),
                "purposes": [p for p in NEEDS if p not in refused],
                "refused": refused,
            }
        )
    return rows


def print_sources(rows: list[dict[str, Any]]) -> None:
    """The cards as a table."""
    table = Table(box=None, pad_edge=False)
    for name in ("source", "family", "licence", "consent", "sensitivity", "languages"):
        table.add_column(name)
    table.add_column("MB", justify="right")
    table.add_column("recipes for")
    for row in rows:
        size = "elsewhere" if row["bytes"] is None else f"{row['bytes'] / 1e6:.2f}"
        table.add_row(
            escape(row["name"]),
            row["family"],
            escape(row["license"]),
            row["consent"],
            row["sensitivity"],
            " ".join(row["language"]),
            size,
            " ".join(row["purposes"]),
        )
    console.print(table)


def print_story(story: dict[str, Any]) -> None:
    """What :func:`pipeline.explain.explain` found, section by section."""
    for section in ("document", "source", "decision", "evidence", "conduct", "duplicates", "quality"):
        if story.get(section):
            _section(section, story[section])
    scores = {name: value for name, value in story["scores"].items() if value is not None}
    loud = {
        n: v
        for n, v in scores.items()
        if n in ("relevance", "support", "abstain") or (isinstance(v, float) and v >= 0.3)
    }
    _section("scores (of 0.3 and more; --json has all)", loud)
    for place in story["places"]:
        if "form" in place:
            console.print(
                escape(
                    f"  example {place['example']}: {place['form']}, {place['split']}; {', '.join(place['principles'])}"
                )
            )
            continue
        console.print(
            f"  copy {place['epoch']}: {place['split']}/{place['shard']:05d}, document {place['position']} of the split"
        )
    console.print("\n[bold]text[/]")
    console.print(story["text"], markup=False, highlight=False)


def _section(title: str, values: dict[str, Any]) -> None:
    console.print(f"\n[bold]{escape(title)}[/]")
    for name, value in values.items():
        if value is not None:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            console.print(f"  {name:<20} {escape(shown)}", highlight=False)
