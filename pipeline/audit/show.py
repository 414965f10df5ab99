"""An audit for people: tables of rates, leaks and where to look; never a text."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from pipeline.audit.make import Audit
from pipeline.audit.read import BY_PRODUCTS
from pipeline.console import console


def _rate(row: dict[str, Any]) -> str:
    return f"{row['per_million']:,.0f} ({row['low']:,.0f}-{row['high']:,.0f})"


def print_audit(found: Audit, shapes: bool = False) -> None:
    """What was looked at, what was found, where the first certain hits stand, and the verdict.

    :param shapes: also print masked shapes.
    """
    table = Table(title="looked at", title_justify="left", box=None, pad_edge=False)
    table.add_column("surface")
    for name in ("rows", "looked at", "MB", "rows with certain hits", "in a million (95 %)"):
        table.add_column(name, justify="right")
    for row in found.surfaces():
        if not row["bytes"] and row["surface"] != BY_PRODUCTS:
            continue  # numbers only
        table.add_row(
            escape(row["surface"]),
            f"{row['rows']:,}",
            f"{row['looked_at']:,}",
            f"{row['bytes'] / 1e6:,.1f}",
            f"{row['documents']:,}",
            _rate(row),
        )
    console.print(table)
    rates = found.rates()
    if rates:
        table = Table(title="\nhits by kind and detector", title_justify="left", box=None, pad_edge=False)
        for name in ("surface", "kind", "grade", "detector"):
            table.add_column(name)
        for name in ("rows", "in a million (95 %)", "hits", "hits a million rows", "hits a GB"):
            table.add_column(name, justify="right")
        for row in rates:
            table.add_row(
                escape(row["surface"]), row["kind"], row["grade"], row["detector"], f"{row['documents']:,}", _rate(row), f"{row['hits']:,}",
                f"{row['hits_per_million']:,.0f}", f"{row['hits_per_gb']:,.0f}", style="" if row["grade"] == "certain" else "dim",
            )  # fmt: skip
        console.print(table)
        for row in rates:
            for place in row["places"][: 3 if row["grade"] == "certain" else 0]:
                console.print(
                    f"  {row['kind']} {row['detector']}: {_where(place, shapes)}", soft_wrap=True, highlight=False
                )
    if found.planted:
        _print_canaries(found)
    for problem in found.problems():
        console.print(f"[bold red]failed:[/] {escape(problem)}", soft_wrap=True)
    summary = found.summary()
    verdict = "[green]passed[/]" if summary["passed"] else "[red]failed[/]"
    console.print(
        f"\n{verdict}: {found.files:,} files, {sum(found.seen.size.values()) / 1e6:,.1f} MB in {found.seconds:,.1f} s "
        f"({summary['mb_per_second']:,.1f} MB/s)"
    )


def _where(place: dict[str, Any], shapes: bool) -> str:
    at = place.get("id") or place.get("at") or ""
    shape = f"  {place['shape']}" if shapes and "shape" in place else ""
    where = (
        f"{place['file']} row {place['row']} {place['column']}"
        if "row" in place
        else f"{place['file']} byte {place['byte']}"
    )
    return escape(f"{where} {at}{shape}")


def _print_canaries(found: Audit) -> None:
    table = Table(title="\ncanaries", title_justify="left", box=None, pad_edge=False)
    table.add_column("class")
    for name in ("planted", "arrived", "leaked", "of these in by-products", "share leaked (95 %)"):
        table.add_column(name, justify="right")
    rows = found.canaries()
    for row in rows:
        table.add_row(
            row["kind"] + ("" if row["promised"] else " (not promised)"), f"{row['planted']:,}", f"{row['arrived']:,}",
            f"{row['leaked']:,}", f"{row['in_by_products']:,}", f"{row['share']:.1%} ({row['low']:.1%}-{row['high']:.1%})",
            style="" if row["promised"] else "dim",
        )  # fmt: skip
    console.print(table)
    for surface, numbers in sorted(found.seen.arrived.items()):
        console.print(f"  controls in {escape(surface)}: {len(numbers):,} of {len(found.planted):,}")
    for row in rows:
        for place in row["places"][: 5 if row["promised"] else 0]:
            console.print(f"  {row['kind']} ({place['form']}): {_where(place, False)}", soft_wrap=True, highlight=False)
