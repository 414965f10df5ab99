"""The command line: thin over :mod:`pipeline.mix` and its neighbours.

Messages, tables and progress go to stderr; ``--json`` prints one object on stdout. Exit codes: 0 all is well, 1 failure, 2 a mistake the
user can mend.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated, Any

# Workers are processes, one a core; libraries must not start a pool of threads in each of them.
for _variable in (
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TOKIE_NUM_THREADS",
):
    os.environ.setdefault(_variable, "1")

import orjson  # noqa: E402
import typer  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.table import Table  # noqa: E402

from pipeline.console import console  # noqa: E402
from sources.errors import UserError  # noqa: E402

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
    Path,
    typer.Option(
        "--store",
        envvar="WELLMIX_STORE",
        help="Folder of intermediate results; a second run reuses them.",
        show_default=True,
    ),
]
DEFAULT_STORE = Path(".wellmix/store")


def main() -> None:
    """Entry point: what the user can mend is printed without a traceback."""
    try:
        app(standalone_mode=True)
    except UserError as error:
        _print_error(error)
        sys.exit(2)
    except OSError as error:
        _print_error(UserError(error.strerror or str(error), where=error.filename, fix=_FIXES.get(error.errno or 0)))
        sys.exit(1)
    except SystemExit as left:
        if left.code != _INTERRUPTED:
            raise
        console.print("stopped; the same command goes on from here")
        sys.exit(1)


#: What typer exits with when it sees a KeyboardInterrupt.
_INTERRUPTED = 130

_FIXES = {
    errno.ENOSPC: "free some space, or name another disk with --store and --out; the same command goes on from here",
    errno.EACCES: "check its permissions",
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
    out: Annotated[
        Path | None, typer.Option("--out", help="Output folder [default: shards/NAME].", show_default=False)
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes [default: one a core].", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the recipe; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a data mix: ingest, score, deduplicate, plan and write shards. What is done already is not done again.

    Example: `wellmix mix recipes/sample.yaml --set sources.sample-forum.weight=0.3`
    """
    from pipeline.server import start_server

    if (workers or os.cpu_count() or 1) > 1 and not ((out or Path("shards") / recipe.stem) / "manifest.json").exists():
        # A first run has work for workers: what they load, they load while this process does.
        start_server()
    from pipeline.mix import run_mix
    from pipeline.report import print_mix

    result = run_mix(recipe, out=out, store_root=store, workers=workers, overrides=overrides or [])
    print_mix(result)
    if json:
        _print_json(result.summary())


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="Recipe file.", show_default=False)],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field of the recipe; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a recipe, its cards and its files without reading a corpus.

    Example: `wellmix check recipes/wellbeing.yaml`
    """
    from pipeline.mix import prepare
    from pipeline.recipe import load_recipe
    from sources.files import resolve

    loaded, cards = load_recipe(recipe, overrides or [])
    prepare(loaded, recipe.parent, cards)
    files = {name: resolve(card, lambda path: "") for name, card in cards.items()}
    if json:
        _print_json(
            {
                "recipe": loaded.model_dump(mode="json"),
                "files": {n: [f.name for f in refs] for n, refs in files.items()},
            }
        )
    n_files = sum(map(len, files.values()))
    console.print(
        f"[green]ok[/]: {len(cards)} sources, {n_files} files, purpose {loaded.purpose}, budget {loaded.budget:,} tokens"
    )


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
    out: Annotated[Path, typer.Argument(help="Output folder of a mix.", show_default=False)],
    document: Annotated[
        str, typer.Argument(metavar="ID", help="Document id, or its first digits.", show_default=False)
    ],
    store: StoreOption = DEFAULT_STORE,
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
    json: Json = False,
) -> None:
    """Score any texts with the shipped classifiers.

    Example: `wellmix score texts.jsonl -o scores.parquet`
    """
    from pipeline.score import score_file

    summary = score_file(texts, out)
    if json:
        _print_json(summary)
    console.print(f"scored {summary['rows']:,} texts -> {escape(str(out))}")
    if summary["skipped"]:
        console.print(
            f"[yellow]{summary['skipped']:,} lines could not be read[/]; the first: {escape(summary['first_skipped'])}"
        )
        raise typer.Exit(1)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for the weights; the model card goes beside it.")] = Path(
        "classifiers/weights"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same weights.")] = 0,
    teacher: Annotated[
        bool,
        typer.Option("--teacher/--no-teacher", help="Let the encoder of the `train` extra label unlabelled texts."),
    ] = True,
    cache: Annotated[Path, typer.Option("--cache", help="Keeps the encoder's embeddings between runs.")] = Path(
        ".wellmix/embeddings"
    ),
    json: Json = False,
) -> None:
    """Train the classifiers again from the annotated texts under WELLMIX_DATA.

    Example: `wellmix train --out /tmp/weights --seed 1`
    """
    from classifiers.train import train as run
    from sources.card import data_root

    root = data_root()
    if root is None:
        raise UserError(
            "training needs the real corpora",
            where="WELLMIX_DATA is not set",
            fix="export WELLMIX_DATA=/folder/of/the/corpora",
        )
    report = run(
        root, out, seed=seed, use_teacher=teacher, cache_dir=cache, log=lambda text: console.print(escape(text))
    )
    if json:
        _print_json(report.figures)
    console.print(f"weights written to {escape(str(out))}")


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
def columns(json: Json = False) -> None:
    """List the columns that conditions in a recipe can name (`where:`).

    Example: `wellmix columns`
    """
    from pipeline.catalog import condition_columns

    if json:
        _print_json(condition_columns())
        return
    table = Table("column", "type", box=None)
    for name, kind in condition_columns().items():
        table.add_row(name, kind)
    console.print(table)


if __name__ == "__main__":
    main()
