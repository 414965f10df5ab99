"""What ``wellmix forget`` and ``wellmix author-key`` print."""

from __future__ import annotations

from typing import Any

import humanize
from rich.markup import escape
from rich.table import Table

from pipeline.console import console
from pipeline.forget.command import Forgotten
from pipeline.forget.prove import Proof
from pipeline.forget.shared import MANY

#: Places of traces that are printed; ``--json`` lists more.
_PLACES = 40


def _say(line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False)


def print_forgotten(done: Forgotten) -> None:
    """What a request did, and what is left to do."""
    applied = done.applied
    if done.tombstones:
        _say(f"{len(done.tombstones):,} tombstones added to {escape(str(done.file))}: commit it")
    else:
        _say(f"this was forgotten before ({escape(str(done.file))})")
    _say(
        f"[bold]{applied.documents:,} documents[/] left the store; {applied.shards:,} shards written again"
        f" ({humanize.naturalsize(applied.bytes_written)}), {sum(applied.removed.values()):,} artifacts removed"
        f" ({humanize.naturalsize(applied.bytes_removed)}), {done.seconds:.1f} s"
    )
    if done.tombstones and not done.known and not applied.documents:
        _say(
            "[yellow]note:[/] this store holds nothing of it, so no copies can be recognised: it is refused from now on by what was given"
            " alone (is a handle spelled as the corpus has it?); --matching takes texts"
        )
    if done.shared:
        _say(
            f"[yellow]note:[/] {done.shared:,} of its texts stay where others posted them, who are more than {MANY} authors: they are"
            " nobody's own (--matching takes a text from everyone)"
        )
    if applied.again:
        _say(
            f"[yellow]note:[/] {applied.again:,} shards are gone; what may stay of them is ingested again by the next run"
        )
    for one in done.outputs:
        _say(f"[yellow]still holds it, perhaps:[/] {escape(str(one.folder))} ({one.what}): {escape(one.fix)}")
    _say(
        "the raw corpora are as they were: take it out of them, too, or keep the tombstones for as long as you keep them"
    )


def print_status(told: dict[str, Any]) -> None:
    """Requests, and outputs that have to be made again."""
    table = Table(box=None, pad_edge=False)
    for name in ("tombstone", "what", "date", "dropped here", "by its ids and texts", "in this store", "reason"):
        table.add_column(name, justify="right" if "dropped" in name or "by" in name else "left", overflow="fold")
    for row in told["tombstones"]:
        what = row["kind"] + (f" ({row['source']})" if row["source"] else "")
        table.add_row(
            row["id"], what, row["date"], f"{row['dropped']:,}", f"{row['dropped_by_tied']:,}",
            "applied" if row["applied"] else "with the next run", escape(row["reason"]),
        )  # fmt: skip
    console.print(table)
    _say(f"{len(told['tombstones']):,} requests in {escape(told['file'])}")
    if told["keys_missing"]:
        _say(
            f"[yellow]author keys that are not here:[/] {', '.join(told['keys_missing'])}: runs are refused (`wellmix author-key`)"
        )
    for one in told["outputs"]:
        _say(f"[yellow]made before:[/] {escape(one['folder'])} ({one['what']}): {escape(one['fix'])}")


def print_proof(proof: Proof) -> None:
    """Traces by place; and how much was looked at."""
    for trace in proof.traces[:_PLACES]:
        _say(
            f"[red]{trace.what}[/] of {trace.tombstone}: {escape(trace.file)}, {escape(trace.place)} ({trace.times:,})"
        )
    if len(proof.traces) > _PLACES:
        _say("... more places with --json")
    for path in proof.unread:
        _say(f"[yellow]note:[/] not readable as what its name says, looked at as bytes only: {escape(path)}")
    looked = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in proof.needles.items() if n)
    _say(
        f"[bold]{proof.found:,} traces[/] in {proof.files:,} files, {proof.rows:,} documents and records"
        f" ({humanize.naturalsize(proof.bytes)}), {proof.seconds:.1f} s; looked for {looked}"
    )


def print_keys(told: dict[str, Any]) -> None:
    """Which keys there are, where they live, and what hangs on them."""
    table = Table(box=None, pad_edge=False)
    for name in ("key", "", "tombstones", "where"):
        table.add_column(name, justify="right" if name == "tombstones" else "left", overflow="fold")
    for kind, key in [("current", told["current"]), *(("retired", key) for key in told["retired"])]:
        table.add_row(key["id"], kind, f"{key['tombstones']:,}", escape(key["where"]))
    for key, n in told["missing"].items():
        table.add_row(key, "[red]missing[/]", f"{n:,}", "restore it, or runs are refused")
    console.print(table)
    _say(
        "keep a backup: without its key nobody can be found again by handle. All machines and workers need the same one."
    )
