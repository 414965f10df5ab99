"""The command line: thin over :mod:`pipeline.mix` and its neighbours.

Messages, tables and progress go to stderr; ``--json`` prints one object on stdout. Exit codes: 0 all is well, 1 failure, 2 a mistake the
user can mend.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pipeline.threads import one_thread

# before any library that looks
os.environ.update(one_thread())

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from classifiers.taxonomy import Effort
from pipeline import interrupt
from pipeline.console import console
from sources.errors import DefectError, UserError, told, wants_messages

if TYPE_CHECKING:
    from pipeline.publish.stage import Staged

app = typer.Typer(
    name="wellmix",
    help="Turn raw corpora about people's lives into weighted training shards.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="WELLMIX_STORE",
        help="Folder, or fsspec URL such as s3://bucket/prefix, of intermediate results; a second run reuses them.",
        show_default=True,
    ),
]
DEFAULT_STORE = ".wellmix/store"


def _for_all_processes(name: str) -> Any:
    """Callback of an option that workers, too, read from the environment."""

    def keep(value: str | None) -> str | None:
        if value is not None:
            os.environ[name] = str(value)
        return value

    return keep


StoreCache = Annotated[
    str | None,
    typer.Option(
        "--cache",
        envvar="WELLMIX_CACHE",
        callback=_for_all_processes("WELLMIX_CACHE"),
        help="Folder on this machine for what is fetched from a store at a URL [default: ~/.cache/wellmix].",
        show_default=False,
    ),
]
CacheSize = Annotated[
    str | None,
    typer.Option(
        "--cache-size",
        envvar="WELLMIX_CACHE_SIZE",
        metavar="SIZE",
        callback=_for_all_processes("WELLMIX_CACHE_SIZE"),
        help="Room for it, such as 500GB; what was not used for longest goes first [default: no limit].",
        show_default=False,
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", help="Output folder, or fsspec URL [default: shards/NAME].", show_default=False)
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes [default: one a core].", show_default=False)
]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor", metavar="local|ray|slurm|FILE.yaml", help="Where steps run; a file gives a cluster's options."
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the recipe; repeatable.")
]


def main() -> None:
    """Entry point: what the user can mend is printed without a traceback."""
    with interrupt.stoppable():
        try:
            app(standalone_mode=True)
        except BaseException as error:
            if interrupt.requested():
                console.print(interrupt.last_words(), highlight=False, markup=False, soft_wrap=True)
                sys.exit(1)
            if isinstance(error, UserError):
                _print_error(error)
                sys.exit(2)
            if isinstance(error, OSError):
                from sources.remote import is_url

                remote = is_url(error.filename)
                fix = _FIXES.get(error.errno or 0)
                if remote and not fix and not isinstance(error, FileNotFoundError):
                    fix = "run the same command again when it answers"
                # Arrow's own words are long, and the number says it all; of a URL, the server's words say more
                short = error.errno in _FIXES and not remote
                what = os.strerror(error.errno or 0) if short else error.strerror
                _print_error(UserError(what or str(error), where=error.filename, fix=fix))
                sys.exit(1)
            if not isinstance(error, Exception) or wants_messages():
                raise
            what = str(error) if isinstance(error, DefectError) else told(error)
            fix = "report these lines; WELLMIX_TRACEBACK=1 shows the whole error, which may quote texts"
            _print_error(UserError(f"a defect of wellmix: {what}", fix=fix))
            sys.exit(1)


_ROOM = "free some space, or name another disk with --store and --out; the same command goes on from here"
_FIXES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: "check its permissions",
    errno.EROFS: "it is mounted read-only: mount it anew, or name another place with --store and --out",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or use fewer --workers",
}


def _print_error(error: UserError) -> None:
    console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str) + b"\n"
    )
    sys.stdout.buffer.flush()


@app.command()
def mix(
    recipe: Annotated[Path, typer.Argument(help="Recipe file.", show_default=False)],
    out: Out = None,
    store: StoreOption = DEFAULT_STORE,
    cache: StoreCache = None,
    cache_size: CacheSize = None,
    workers: Workers = None,
    executor: ExecutorOption = "local",
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Make a data mix: ingest, score, deduplicate, plan and write shards. What is done already is not done again.

    Example: `wellmix mix recipes/sample.yaml --set sources.sample-forum.weight=0.3`
    """
    from pipeline.server import start_server

    parallel = executor == "local" and (workers or os.cpu_count() or 1) > 1
    if parallel and not Path(out or f"shards/{recipe.stem}", "manifest.json").exists():
        # A first run has work for workers: what they load, they load while this process does.
        start_server()
    from pipeline.mix import run_mix
    from pipeline.report import print_mix

    result = run_mix(recipe, out=out, store_root=store, workers=workers, executor=executor, overrides=overrides or [])
    print_mix(result)
    if json:
        _print_json(result.summary())


@app.command()
def curate(
    recipe: Annotated[Path, typer.Argument(help="Recipe of a set.", show_default=False)],
    out: Out = None,
    store: StoreOption = DEFAULT_STORE,
    cache: StoreCache = None,
    cache_size: CacheSize = None,
    workers: Workers = None,
    executor: ExecutorOption = "local",
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Make a fine-tuning or preference set: threads become conversations, the best and most various are chosen.

    Example: `wellmix curate recipes/sample-set.yaml --set size=40`
    """
    from pipeline.curate import run_curate
    from pipeline.report import print_set

    result = run_curate(
        recipe, out=out, store_root=store, workers=workers, executor=executor, overrides=overrides or []
    )
    print_set(result)
    if json:
        _print_json(result.summary())


@app.command()
def review(
    folder: Annotated[str, typer.Argument(help="Output folder, or URL, of a set.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a blinded sample here, for reviewers.", show_default=False)
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option("--import", help="Take in what reviewers filled in; repeatable.", show_default=False),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="File of decisions [default: recipes/reviews/NAME.jsonl, where curate looks].",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many examples.")] = 100,
    form: Annotated[
        Literal["csv", "argilla", "html"],
        typer.Option("--form", help="A table, records for Argilla, or a page that works offline."),
    ] = "csv",
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="What the sample is spread over; repeatable.", show_default=False),
    ] = None,
    reviewers: Annotated[int, typer.Option("--reviewers", min=1, help="One file for each of so many people.")] = 1,
    overlap: Annotated[
        float, typer.Option("--overlap", min=0, max=1, help="Share of the examples that all of them see.")
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample and of which reply is A.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Also draw what was reviewed already.")] = False,
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", help="Who reviewed, where the files do not say.", show_default=False)
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let an import change a reviewer's earlier votes.")
    ] = False,
    json: Json = False,
) -> None:
    """Send a blinded sample of a set out to people, and take their decisions in. They win over every score.

    Example: `wellmix review shards/emotional-support --out review.csv --n 50`
    """
    from pipeline.output import local_copy
    from pipeline.review import export_review, import_review, load_decisions

    if (out is None) == (not decisions):
        raise UserError("say what to do", where="review", fix="give either --out FILE or --import FILE")
    place = to or Path("recipes") / "reviews" / f"{Path(folder).resolve().name}.jsonl"
    here = local_copy(folder)
    if out is not None:
        known = load_decisions([place]) if place.is_file() and not again else None
        exported = export_review(
            here, out, n=n, seed=seed, form=form, by=by, reviewers=reviewers, overlap=overlap, reviewed=known
        )
        if json:
            _print_json(exported.summary())
        written = ", ".join(map(str, [*exported.files, *exported.instructions]))
        console.print(f"{sum(exported.examples.values()):,} examples -> {escape(written)}", soft_wrap=True)
        _print_notes(exported.notes)
        return
    imported = import_review(here, decisions or [], place, reviewer=reviewer, replace=replace)
    if json:
        _print_json(imported.summary())
    made = ", ".join(f"{what} {count:,}" for kinds in imported.decisions.values() for what, count in kinds.items())
    console.print(f"{imported.votes:,} votes, {imported.new:,} of them new ({made or 'none'}) -> {escape(str(place))}")
    for name, agreement in imported.agreement.items():
        console.print(f"agreement on {name}: {escape(str(agreement.summary()))}", soft_wrap=True)
    _print_notes(imported.notes)
    for problem in imported.problems:
        console.print(f"[yellow]not taken:[/] {escape(f'{problem.where}: {problem.what}')}", soft_wrap=True)
    if imported.problems:
        raise typer.Exit(1)


def _plain(staged: Staged) -> dict[str, Any]:
    """A publication as plain values."""
    facts = {
        name: getattr(staged, name)
        for name in ("files", "rows", "identity", "version", "parent", "changed", "kept", "notes")
    }
    return {"folder": str(staged.folder), "license": staged.terms.license_id} | facts


def _print_notes(notes: list[str]) -> None:
    for note in notes:
        console.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)


@app.command()
def publish(
    output: Annotated[str, typer.Argument(help="Output folder of a mix or set, or its URL.", show_default=False)],
    to: Annotated[
        Path,
        typer.Option(
            "--to", help="Folder of the publication; a clone of the hub's repository will do.", show_default=False
        ),
    ],
    push: Annotated[
        str | None, typer.Option("--push", metavar="OWNER/NAME", help="Upload it in one commit.", show_default=False)
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Whom to write to for removals.", show_default=False)
    ] = None,
    creator: Annotated[str | None, typer.Option("--creator", help="Who publishes.", show_default=False)] = None,
    parent: Annotated[
        str | None,
        typer.Option("--parent", metavar="OWNER/NAME@REVISION", help="What this follows.", show_default=False),
    ] = None,
    date: Annotated[str | None, typer.Option("--date", help="ISO date to state.", show_default=False)] = None,
    by_row: Annotated[
        bool,
        typer.Option("--by-row", help="Publish although no one licence can cover the whole: each row under its own."),
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", envvar="HF_ENDPOINT", help="Address of another hub.", show_default=False)
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch to push to.", show_default=False)] = None,
    message: Annotated[str | None, typer.Option("--message", help="Of the commit.", show_default=False)] = None,
    store: StoreOption = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Make a dataset repository of a mix or set: Parquet for the viewer, card, licences, Croissant; and push it to the hub.

    Example: `wellmix publish shards/sample --to /tmp/sample-dataset --contact data@example.org`
    """
    from pipeline.forget.outputs import register
    from pipeline.output import local_copy
    from pipeline.publish.push import push as send
    from pipeline.publish.stage import stage
    from pipeline.store import open_store, there_is_a_store

    staged = stage(
        local_copy(output), to, contact=contact, creator=creator, repo=push, parent=parent, date=date, by_row=by_row,
        endpoint=endpoint if push else None,
    )  # fmt: skip
    if there_is_a_store(store):
        # so that `wellmix forget` knows where its documents went
        register(open_store(store), to)
    rows = ", ".join(f"{name} {sum(splits.values()):,}" for name, splits in staged.rows.items())
    console.print(
        f"[bold]{escape(str(staged.folder))}[/]: {rows} rows, version {staged.version}, {staged.terms.name},"
        f" {len(staged.changed):,} files written",
        soft_wrap=True,
    )
    for kept in staged.kept:
        console.print(f"kept as people wrote it: {escape(kept)}", soft_wrap=True)
    _print_notes(staged.notes)
    pushed = None
    if push:
        from pipeline.console import Progress

        with Progress() as progress:
            pushed = send(
                to, push, endpoint=endpoint, private=not public, message=message, revision=revision, progress=progress
            )
        done = f"{len(pushed.files):,} files sent" if pushed.changed else "nothing to do"
        console.print(f"{escape(pushed.url)}: {done} ({pushed.commit[:8]})", soft_wrap=True)
        for kept in pushed.kept:
            console.print(f"kept as people wrote it on the hub: {escape(kept)}", soft_wrap=True)
        _print_notes(pushed.notes)
    if json:
        _print_json(_plain(staged) | {"push": pushed.summary() if pushed else None})


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="Output or publication, or an output's URL.", show_default=False)],
    b: Annotated[str, typer.Argument(help="Another of the same kind.", show_default=False)],
    json: Json = False,
) -> None:
    """Tell what came, went and changed between two outputs. Exit code 0 whether they differ or not.

    Example: `wellmix diff shards/sample shards/sample-2`
    """
    from pipeline.diff import diff_outputs, print_diff
    from pipeline.output import local_copy

    found = diff_outputs(local_copy(a), local_copy(b))
    if json:
        _print_json(found.summary())
    print_diff(found)


@app.command()
def audit(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR...", help="Outputs, publications, reports, stores, logs; URLs of outputs.", show_default=False
        ),
    ],
    canaries: Annotated[
        Path | None,
        typer.Option("--canaries", help="Key of what `wellmix canary` planted.", show_default=False),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="Rows drawn from each kind of file [default: all].", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the sample.")] = 0,
    max_rate: Annotated[
        float,
        typer.Option("--max-rate", min=0, help="Rows with a certain hit, in a million, above which the audit fails."),
    ] = 0.0,
    show_shapes: Annotated[
        bool, typer.Option("--show-shapes", help="Print what hits look like, masked: a*@a*.org.")
    ] = False,
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", help="Of token ids that lie without their manifest.", show_default=False),
    ] = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Look for personal data that is left, and for planted canaries, in anything wellmix wrote. Exit code 1 when there is too much.

    Example: `wellmix audit shards/sample .wellmix/store --canaries canaries`
    """
    from pipeline.audit import audit as run
    from pipeline.audit.show import print_audit
    from pipeline.console import Progress
    from pipeline.output import local_copy

    with Progress() as shown:
        found = run(
            [local_copy(folder) for folder in folders], canaries=canaries, sample=sample, seed=seed, max_rate=max_rate, tokenizer=tokenizer,
            shapes=show_shapes, workers=workers, progress=lambda done, total: shown.count("audit", done, total),
        )  # fmt: skip
    if json:
        _print_json(found.summary())
    print_audit(found, show_shapes)
    if found.problems():
        raise typer.Exit(1)


@app.command()
def canary(
    folder: Annotated[Path, typer.Argument(help="New folder for records, key and card.", show_default=False)],
    n: Annotated[int, typer.Option("--n", min=1, help="How many records.")] = 400,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same records.")] = 0,
    family: Annotated[
        Literal["forum", "biography", "psychology", "transcript", "general"],
        typer.Option("--family", help="Of the card."),
    ] = "forum",
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=FIELD", help="What the corpus calls id, author and text; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Make synthetic records with unique personal data to put into a raw corpus; `wellmix audit` finds what leaked.

    Example: `wellmix canary canaries --n 400 --field text=selftext`
    """
    from pipeline.audit import make_canaries

    named = dict(pair.partition("=")[::2] for pair in fields or [])
    if unknown := sorted(set(named) - {"id", "author", "text"}) or [name for name, value in named.items() if not value]:
        raise UserError(
            f"{unknown[0]!r} names no field", where="--field", fix="use id=, author= or text= with a field's name"
        )
    made = make_canaries(folder, n, seed, family, named)
    if json:
        _print_json(made)
    values = sum(made["secrets"].values())
    console.print(
        f"{n:,} records with {values:,} values -> {escape(made['records'])}, key {escape(made['key'])}", soft_wrap=True
    )


@app.command()
def forget(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="With --prove: further folders to look through.", show_default=False)
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(
            "--author", metavar="HANDLE", help="A person, by raw handle; - reads it from stdin.", show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="A whole source; with --author, that person there only.", show_default=False),
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="A document; repeatable.", show_default=False)] = None,
    matching: Annotated[
        list[Path] | None,
        typer.Option(
            "--matching", help="Texts and their copies: a file each, or JSON lines; repeatable.", show_default=False
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="For the record; name nobody.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--status", help="List what is forgotten.")] = False,
    proof: Annotated[bool, typer.Option("--prove", help="Look for traces in the store and all known outputs.")] = False,
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            "--text", help="With --prove: also look for the texts of this file; repeatable.", show_default=False
        ),
    ] = None,
    handles: Annotated[
        list[str] | None,
        typer.Option(
            "--handle", help="With --prove: also look for this handle as it is written; repeatable.", show_default=False
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Forget an author, documents, a source or texts: out of the store now, and never in again; or prove that it is so.

    Example: `wellmix forget --author some_handle --reason "request 17"`
    """
    from pipeline.forget import command
    from pipeline.forget.report import print_forgotten, print_proof, print_status

    asked = author is not None or source is not None or bool(ids) or bool(matching)
    if show + proof + asked != 1:
        raise UserError(
            "say what to do",
            where="forget",
            fix="give one of --author, --id, --source, --matching (with --reason), or --status, or --prove",
        )
    if not proof and (folders or texts or handles):
        raise UserError("folders, --text and --handle belong to --prove", where="forget", fix="add --prove")
    if show:
        told = command.status(store)
        if json:
            _print_json(told)
        else:
            print_status(told)
        return
    if proof:
        found = command.prove_all(
            store, folders or [], texts=texts or [], handles=[_piped(one) for one in handles or []]
        )
        if json:
            _print_json(found.summary())
        print_proof(found)
        raise typer.Exit(1 if found.found else 0)
    if reason is None:
        raise UserError("a tombstone needs a reason", where="--reason", fix="say who asked, or why; name nobody")
    done = command.forget(
        store, author=_piped(author) if author is not None else None, source=source, ids=ids or [],
        matching=matching or [], reason=reason,
    )  # fmt: skip
    if json:
        _print_json(done.summary())
    print_forgotten(done)


def _piped(value: str) -> str:
    """A value, or the first line of stdin where it is ``-``: what is typed as an option stays in the shell's history."""
    return sys.stdin.readline().strip() if value == "-" else value


@app.command("author-key")
def author_key(
    new: Annotated[bool, typer.Option("--rotate", help="Make a new key and keep the old one as retired.")] = False,
    json: Json = False,
) -> None:
    """Tell which key author pseudonyms are made with, and where it lives. Keep a backup of it: takedowns hang on it.

    Example: `wellmix author-key`
    """
    from pipeline.authors import rotate
    from pipeline.forget.command import key_facts
    from pipeline.forget.report import print_keys

    if new:
        rotate()
    told = key_facts()
    if json:
        _print_json(told)
    else:
        print_keys(told)


@app.command()
def fit(
    ratios: Annotated[
        Path, typer.Option("--ratios", help="CSV: a row a run, shares of its domains.", show_default=False)
    ],
    metrics: Annotated[
        Path, typer.Option("--metrics", help="CSV: a row a run, what was measured.", show_default=False)
    ],
    targets: Annotated[
        list[str],
        typer.Option("--target", metavar="COLUMN", help="Metric to optimise; repeatable.", show_default=False),
    ],
    test_ratios: Annotated[
        list[Path] | None, typer.Option("--test-ratios", help="Runs to test on; repeatable.", show_default=False)
    ] = None,
    test_metrics: Annotated[
        list[Path] | None, typer.Option("--test-metrics", help="One for each --test-ratios.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="linear, log_linear, power_law, lightgbm, gp or ensemble [default: the best by cross-validation].",
            show_default=False,
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            "--prior",
            metavar="RUN|uniform|mean|FILE.csv|DOMAIN=SHARE",
            help="Mix to compare with; repeatable [default: the mean of the runs].",
            show_default=False,
        ),
    ] = None,
    higher: Annotated[
        list[str] | None,
        typer.Option(
            "--higher-is-better",
            metavar="COLUMN",
            help="Targets to raise, over what their names say (acc: higher; all unknown: lower); repeatable.",
            show_default=False,
        ),
    ] = None,
    lower: Annotated[
        list[str] | None,
        typer.Option("--lower-is-better", metavar="COLUMN", help="Targets to lower; repeatable.", show_default=False),
    ] = None,
    min_share: Annotated[
        list[str] | None,
        typer.Option("--min-share", metavar="DOMAIN=SHARE", help="At least; repeatable.", show_default=False),
    ] = None,
    max_share: Annotated[
        list[str] | None,
        typer.Option("--max-share", metavar="DOMAIN=SHARE", help="At most; repeatable.", show_default=False),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fix-share", metavar="DOMAIN=SHARE", help="Exactly; repeatable.", show_default=False),
    ] = None,
    supply: Annotated[
        list[str] | None,
        typer.Option("--supply", metavar="DOMAIN=TOKENS", help="Tokens there are; repeatable.", show_default=False),
    ] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", help="Tokens of the run it is for.", show_default=False)
    ] = None,
    max_epochs: Annotated[float, typer.Option("--max-epochs", help="How often a token may be repeated.")] = 4.0,
    max_distance: Annotated[
        float | None,
        typer.Option("--max-distance", help="Share of the mix that may move from the prior.", show_default=False),
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Also propose shares that no run had.")] = False,
    folds: Annotated[
        int | None, typer.Option("--folds", min=2, help="[default: 10 for up to 100 runs, else 5]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds, resamples and search.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for fit.json, proposal.csv and the tables.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Fit metrics of a swarm of runs on the shares of their mixes, and propose a mix. Reads the tables of Olmix and RegMix.

    Example: `wellmix fit --ratios ratios.csv --metrics metrics.csv --target loss --prior uniform --max-distance 0.3`
    """
    from pipeline.fit.command import pairs, print_fit, run_fit
    from pipeline.fit.constraints import Constraints

    if len(test_ratios or []) != len(test_metrics or []):
        raise UserError("test tables come in pairs", where="--test-ratios", fix="one --test-metrics for each")
    result = run_fit(
        ratios,
        metrics,
        targets,
        tests=list(zip(test_ratios or [], test_metrics or [], strict=True)),
        model=model,
        prior=prior or [],
        constraints=Constraints(
            supply=pairs(supply, "--supply") if supply else None,
            budget=budget,
            max_epochs=max_epochs,
            minimum=pairs(min_share or [], "--min-share"),
            maximum=pairs(max_share or [], "--max-share"),
            max_distance=max_distance,
            fixed=pairs(fixed or [], "--fix-share"),
        ),
        higher_is_better=higher or [],
        lower_is_better=lower or [],
        anywhere=anywhere,
        folds=folds,
        seed=seed,
        out=out,
    )
    print_fit(result)
    if json:
        _print_json(result.summary())


@app.command()
def ablate(
    recipe: Annotated[Path, typer.Argument(help="Ablation file.", show_default=False)],
    out: Out = None,
    store: StoreOption = DEFAULT_STORE,
    cache: StoreCache = None,
    cache_size: CacheSize = None,
    workers: Workers = None,
    executor: ExecutorOption = "local",
    overrides: Overrides = None,
    tried: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="DOMAIN=WEIGHT",
            help="Only show what this weight does, by the n-gram proxy; repeatable.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Find the right weights: train a small proxy on many mixes of the same corpora, fit, propose, verify, report.

    Example: `wellmix ablate recipes/ablation/sample.yaml`
    """
    from pipeline.ablate.show import print_ablation, print_tried

    if tried:
        from pipeline.ablate.make import try_weights
        from pipeline.fit.command import pairs

        shown = try_weights(
            recipe,
            pairs(tried, "--try"),
            store_root=store,
            workers=workers or os.cpu_count() or 1,
            executor=executor,
            overrides=overrides,
        )
        print_tried(shown)
        if json:
            _print_json(shown)
        return
    from pipeline.ablate.make import run_ablate

    result = run_ablate(
        recipe,
        out=out,
        store_root=store,
        workers=workers or os.cpu_count() or 1,
        executor=executor,
        overrides=overrides,
    )
    print_ablation(result)
    if json:
        _print_json(result.summary())


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="Recipe file.", show_default=False)],
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Check a recipe of a mix or set, or an ablation, its cards and its files without reading a corpus.

    Example: `wellmix check recipes/wellbeing.yaml`
    """
    from pipeline.output import card_facts
    from pipeline.publish.terms import clash
    from pipeline.recipe import is_ablation, is_set, read_yaml
    from sources.files import resolve

    loaded: Any
    raw = read_yaml(recipe)[0]
    if is_ablation(raw):
        from pipeline.ablate.recipe import load_ablation
        from pipeline.mix import prepare

        resolved = load_ablation(recipe, overrides or [])
        loaded, cards = resolved.ablation, resolved.cards
        prepare(resolved.recipe, resolved.base_folder, cards)
        wanted = f"{len(resolved.domains)} domains of {resolved.recipe.name}, {len(loaded.targets)} targets"
    elif is_set(raw):
        from pipeline.curate.recipe import load_set_recipe

        loaded, cards, constitution = load_set_recipe(recipe, overrides or [])
        wanted = f"{loaded.size:,} examples, {len(constitution.principles)} principles of {constitution.name}"
    else:
        from pipeline.mix import prepare
        from pipeline.recipe import load_recipe

        loaded, cards = load_recipe(recipe, overrides or [])
        prepare(loaded, recipe.parent, cards)
        wanted = f"budget {loaded.budget:,} tokens"
    files = {name: resolve(card, lambda path: "") for name, card in cards.items()}
    if json:
        _print_json(
            {
                "recipe": loaded.model_dump(mode="json"),
                "files": {n: [f.name for f in refs] for n, refs in files.items()},
            }
        )
    n_files = sum(map(len, files.values()))
    purpose = resolved.recipe.purpose if is_ablation(raw) else loaded.purpose
    if problem := clash(purpose, {name: card_facts(card) for name, card in cards.items()}):
        _print_notes([problem])
    console.print(f"[green]ok[/]: {len(cards)} sources, {n_files} files, purpose {purpose}, {wanted}")


@app.command()
def sources(
    purpose: Annotated[
        str | None,
        typer.Option(
            "--purpose", help="Only sources a recipe of this purpose may take: research, publish, commercial."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the source cards: family, licence, consent, size, and what a recipe may use them for.

    Example: `wellmix sources --purpose publish`
    """
    from pipeline.report import print_sources, source_rows

    rows = source_rows(purpose)
    if json:
        _print_json({"sources": rows})
    else:
        print_sources(rows)


@app.command()
def explain(
    out: Annotated[str, typer.Argument(help="Output folder of a mix, or its URL.", show_default=False)],
    document: Annotated[
        str, typer.Argument(metavar="ID", help="Document id, or its first digits.", show_default=False)
    ],
    store: StoreOption = DEFAULT_STORE,
    cache: StoreCache = None,
    cache_size: CacheSize = None,
    json: Json = False,
) -> None:
    """Tell one document's whole story: source, licence, locator, scores, duplicates, every decision.

    Example: `wellmix explain shards/sample 0a1b2c3d`
    """
    from pipeline.explain import explain as tell
    from pipeline.report import print_story

    story = tell(out, document, store)
    if json:
        _print_json(story)
    else:
        print_story(story)


@app.command()
def score(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl", help="JSON lines with a field `text` and, optionally, `id`.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Parquet file to write, one row a text.", show_default=False)
    ],
    effort: Annotated[
        Effort,
        typer.Option("--effort", help="fast: fastText alone; balanced: an encoder where there is doubt; best: on all."),
    ] = "best",
    json: Json = False,
) -> None:
    """Score any texts with the shipped classifiers.

    Example: `wellmix score texts.jsonl -o scores.parquet --effort balanced`
    """
    from pipeline.score import score_file

    summary = score_file(texts, out, effort)
    if json:
        _print_json(summary)
    console.print(f"scored {summary['rows']:,} texts -> {escape(str(out))}")
    if summary["skipped"]:
        console.print(
            f"[yellow]{summary['skipped']:,} lines could not be read[/]; the first: {escape(summary['first_skipped'])}"
        )
        raise typer.Exit(1)


Cache = Annotated[
    Path, typer.Option("--cache", help="Keeps features of texts and held-out scores between runs (about 1 GB).")
]
DEFAULT_CACHE = Path(".wellmix/training")


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for the weights; the model card goes beside it.")] = Path(
        "classifiers/weights"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same weights.")] = 0,
    cache: Cache = DEFAULT_CACHE,
    json: Json = False,
) -> None:
    """Train all classifiers again from the texts under WELLMIX_DATA and the shipped labels. Needs the `train` extra.

    Example: `wellmix train --out /tmp/weights --seed 1`
    """
    from classifiers.train import train as run

    report = run(_corpora(), out, seed=seed, cache=cache, log=lambda text: console.print(escape(text)))
    if json:
        _print_json(
            {"version": report.version, "seconds": report.seconds, "texts": report.texts, "files": report.files}
        )
    console.print(f"weights written to {escape(str(out))} in {report.seconds:,.0f} s")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option("--out", help="Markdown file to write; reliability.svg goes beside it.")] = Path(
        "classifiers/EVALUATION.md"
    ),
    seed: Annotated[int, typer.Option("--seed", help="The seed the classifiers were trained with.")] = 0,
    cache: Cache = DEFAULT_CACHE,
    throughput: Annotated[
        bool, typer.Option("--throughput/--no-throughput", help="Measure how fast each tier is.")
    ] = True,
    worst: Annotated[
        Path | None,
        typer.Option("--worst", help="Also list the worst errors here, by record, without texts.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Judge the classifiers on corpora they never saw, field by field, against baselines. Needs the `train` extra.

    Example: `wellmix evaluate --out /tmp/evaluation.md`
    """
    from classifiers.evaluation import evaluate as run

    report = run(
        _corpora(),
        cache,
        out,
        seed=seed,
        throughput=throughput,
        worst=worst,
        log=lambda text: console.print(escape(text)),
    )
    if json:
        _print_json(report.summary())
    console.print(f"written to {escape(str(out))}")


@app.command()
def annotate(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl", help="JSON lines with `text` and, optionally, `id` and `corpus`.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="File to append annotations to; a rerun goes on.", show_default=False)
    ],
    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint", help="Address of an OpenAI-compatible API. The texts are sent there.", show_default=False
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="Model behind the endpoint.", show_default=False)],
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="Environment variable that holds the API key.", show_default=False)
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="How many texts [default: all].", show_default=False)
    ] = None,
    active: Annotated[
        bool,
        typer.Option(
            "--active/--random", help="Take the texts the classifiers are least sure of, spread over corpora."
        ),
    ] = True,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sample.")] = 0,
    second: Annotated[float, typer.Option("--second", min=0, max=1, help="Share of texts asked twice.")] = 0.05,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Texts asked at the same time.")] = 8,
    price_in: Annotated[
        float | None, typer.Option("--price-in", min=0, help="Price of a million tokens read.", show_default=False)
    ] = None,
    price_out: Annotated[
        float | None, typer.Option("--price-out", min=0, help="Price of a million tokens written.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Have a language model label texts with the rubric, to train on. The texts leave this machine for the endpoint, and
    no licence or consent is checked: that is yours to do. Needs the `annotate` extra.

    Example: `wellmix annotate texts.jsonl -o labels.jsonl --endpoint http://localhost:8000/v1 --model NAME --sample 500`
    """
    from classifiers.annotation import annotate as run
    from pipeline.console import Progress

    key = os.environ.get(key_env) if key_env else None
    if key_env and not key:
        raise UserError(f"there is no key in {key_env}", where="--key-env", fix=f"export {key_env}=...")
    with Progress() as shown:
        report = run(
            texts, out, endpoint=endpoint, model=model, api_key=key, sample=sample, active=active, seed=seed, second=second,
            concurrency=concurrency, price_in=price_in, price_out=price_out,
            progress=lambda finished, chosen: shown.count("annotate", finished, chosen),
        )  # fmt: skip
    if json:
        _print_json(report.summary())
    console.print(
        f"{report.annotated:,} annotated, {report.resumed:,} there before, {report.invalid:,} invalid, {report.refused:,} refused, "
        f"{report.failed:,} failed"
    )
    if report.agreement:
        found = ", ".join(f"{name} {value:.2f}" for name, value in report.agreement.items() if value is not None)
        console.print(f"agreement of the {report.second:,} texts asked twice: {found}")
    if report.failed or report.skipped:
        raise typer.Exit(1)


def _corpora() -> Path:
    from sources.card import data_root

    root = data_root()
    if root is None:
        raise UserError(
            "this needs the real corpora",
            where="WELLMIX_DATA is not set",
            fix="export WELLMIX_DATA=/folder/of/the/corpora",
        )
    return root


@app.command()
def hashlist(
    files: Annotated[
        list[Path],
        typer.Argument(help="JSON, JSON lines, CSV, TSV or text files of evaluation items.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Hash list to write (.npz); it holds no text.", show_default=False)
    ],
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="Field of an item's text; repeatable. Default: all text fields.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a hash list of an evaluation set, to keep its items out of mixes (`filters.contamination`).

    Example: `wellmix hashlist eval.jsonl -o eval.npz --field question`
    """
    from pipeline.evals.own import hash_files

    summary = hash_files(files, out, fields=fields or None)
    if json:
        _print_json(summary)
    console.print(f"{summary['items']:,} items, {summary['ngrams']:,} n-grams -> {escape(str(out))}")


@app.command()
def columns(
    candidates: Annotated[
        bool, typer.Option("--candidates", help="Of candidates: for recipes of sets and constitutions.")
    ] = False,
    json: Json = False,
) -> None:
    """List the columns that conditions in a recipe can name (`where:`).

    Example: `wellmix columns`
    """
    from pipeline.catalog import condition_columns
    from pipeline.curate.columns import candidate_columns

    found = candidate_columns() if candidates else condition_columns()
    if json:
        _print_json(found)
        return
    table = Table("column", "type", box=None)
    for name, kind in found.items():
        table.add_row(name, kind)
    console.print(table)


if __name__ == "__main__":
    main()
