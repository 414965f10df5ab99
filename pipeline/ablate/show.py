"""An ablation told on a terminal."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from pipeline.ablate.make import AblationResult
from pipeline.ablate.verify import differences
from pipeline.console import console


def print_ablation(result: AblationResult) -> None:
    """Proposals and what they move, what training them showed, how well the fits predict, and where the report is."""
    report = result.report
    domains = [domain["name"] for domain in report["domains"]]
    table = Table(title=f"{report['name']}: proposed weights", title_justify="left", box=None, pad_edge=False)
    table.add_column("domain")
    for name in ("prior", "most", *(one["name"] for one in report["proposals"])):
        table.add_column(escape(name), justify="right")
    for i, domain in enumerate(report["domains"]):
        shares = (f"{one['weights'][i]:.3f} ({one['epochs'][i]:.1f} ep)" for one in report["proposals"])
        table.add_row(escape(domains[i]), f"{domain['prior']:.3f}", f"{domain['max_weight']:.3f}", *shares)
    console.print(table)
    for one in report["proposals"]:
        console.print(f"[bold]{escape(one['name'])}[/]: {escape(one['statement'])}", soft_wrap=True)
        for told in one["trades"]:
            console.print(f"  {escape(told)}", soft_wrap=True)
    if report["fits"]:
        _print_fits(report["fits"])
    if report["trained"]:
        _print_trained(report)
    for other in report["proxies"]:
        ranks = ", ".join(f"{escape(row['metric'])} {row['spearman']:.2f}" for row in other["rows"][:8])
        console.print(f"{escape(other['title'])}, Spearman: {ranks}", soft_wrap=True)
    if report["reuse"]:
        console.print(escape(report["reuse"]["statement"]), soft_wrap=True)
    for note in report["notes"]:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    stages = ", ".join(f"{name} {n}" for name, n in result.stages.items()) or "nothing had to run"
    console.print(
        f"\n[bold]{len(report['points'])} runs[/] in {escape(f'{result.out}/report.html')}"
        f" ({result.seconds:.1f} s; ran: {stages})",
        soft_wrap=True,
    )


def _print_fits(fits: dict[str, Any]) -> None:
    table = Table(title="\nfits, cross-validated", title_justify="left", box=None, pad_edge=False)
    table.add_column("target")
    table.add_column("model")
    for name in ("Spearman", "95 % interval", "MSE", "R2"):
        table.add_column(name, justify="right")
    for target, fit in fits.items():
        for one in fit["models"]:
            mark = "[bold]" if one["model"] == fit["chosen"] else ""
            table.add_row(
                escape(target),
                f"{mark}{one['model']}",
                f"{one['spearman']:.3f}",
                f"{one['spearman_low']:.3f} to {one['spearman_high']:.3f}",
                f"{one['mse']:.2e}",
                f"{one['r2']:.3f}",
            )
    console.print(table)


def _print_trained(report: dict[str, Any]) -> None:
    table = Table(
        title="\nthe proposal, trained: gain over other mixes, paired by seed",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("target")
    table.add_column("over")
    table.add_column("gain", justify="right")
    table.add_column("95 % interval", justify="right")
    for metric in report["metrics"]:
        if metric["target"]:
            for mix, mean, low, high in differences(report, metric["name"]):
                table.add_row(escape(metric["name"]), escape(mix), f"{mean:+.4f}", f"{low:+.4f} to {high:+.4f}")
    console.print(table)


def print_tried(shown: dict[str, Any]) -> None:
    """One mix beside the prior."""
    table = Table(title="weights", title_justify="left", box=None, pad_edge=False)
    for name in ("domain", "prior", "tried", "epochs"):
        table.add_column(name, justify="left" if name == "domain" else "right")
    for name, prior, weight, epochs in zip(
        shown["domains"], shown["prior"], shown["weights"], shown["epochs"], strict=True
    ):
        table.add_row(escape(name), f"{prior:.3f}", f"{weight:.3f}", f"{epochs:.2f}")
    console.print(table)
    table = Table(title="\nbits per byte, n-gram proxy", title_justify="left", box=None, pad_edge=False)
    for name in ("metric", "prior", "tried", "difference"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for name, values in shown["metrics"].items():
        if not name.startswith("bpb/source/"):
            difference = values["tried"] - values["prior"]
            table.add_row(escape(name), f"{values['prior']:.4f}", f"{values['tried']:.4f}", f"{difference:+.4f}")
    console.print(table)
    for note in shown["notes"]:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
