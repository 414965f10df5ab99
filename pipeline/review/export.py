"""Writing files for reviewers: a blinded sample of a set, and a page that says how to judge.

A file carries what must be read and nothing that could lead the judgement: no source, score, label, licence, split or reason, rows
in an order drawn by lot, and the two replies of a pair as A and B in an order drawn by seed and id. Which of them the set chose is
not in the file, nor is the example's id; the import works both out again. Only who has the set could do the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pipeline.review import argilla
from pipeline.review.decisions import OUTCOMES, Decisions, Kind
from pipeline.review.examples import STRATA, Entry, Example, ReviewedSet
from pipeline.review.page import page
from pipeline.review.questions import check, columns, instructions, order_of, shown
from pipeline.review.sample import deal, draw, of_kind, row_id
from pipeline.review.tables import CELL_LIMIT, write_csv
from pipeline.whole import write_whole
from sources.errors import UserError

Form = Literal["csv", "argilla", "html"]


@dataclass(frozen=True)
class Exported:
    """What was written.

    :param files: for reviewers: one for each kind and reviewer (for Argilla folders).
    :param instructions: the page that goes with them, one for each kind.
    :param examples: kind -> number of examples drawn.
    :param shared: of these, how many every reviewer sees.
    :param strata: how many there are, and of how many something was drawn.
    :param notes: what the user should know.
    """

    files: list[Path]
    instructions: list[Path]
    examples: dict[str, int]
    shared: int
    strata: tuple[int, int]
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "files": [str(path) for path in self.files],
            "instructions": [str(path) for path in self.instructions],
            "examples": self.examples,
            "shared": self.shared,
            "strata": {"all": self.strata[0], "seen": self.strata[1]},
            "notes": self.notes,
        }


def export_review(
    folder: Path,
    out: Path,
    *,
    n: int = 100,
    seed: int = 0,
    form: Form = "csv",
    by: list[str] | None = None,
    reviewers: int = 1,
    overlap: float = 0.2,
    reviewed: Decisions | None = None,
) -> Exported:
    """Draw a sample of a set and write it for reviewers.

    :param folder: of the set.
    :param out: file to write (for Argilla a folder); with several kinds or reviewers their names and numbers are put in.
    :param n: examples to draw, of all kinds together.
    :param seed: of the draw, the order of rows, and of A and B.
    :param by: columns to stratify by; by default source and principles, or facets where the set tags no principle.
    :param reviewers: how many share the work.
    :param overlap: share of the examples that each of them sees.
    :param reviewed: decisions there are: what they are about, as it stands, is left out.
    :raises UserError: no set, a wrong option, nothing to draw, or files that are there already and may hold decisions.
    """
    _check_options(n, form, by, reviewers, overlap)
    source = ReviewedSet(folder)
    entries = source.index(by if by is not None else ["source", "principles"])
    if by is None and not any(entry.values[1] for entry in entries):
        entries = source.index(["source", "facets"])
    notes: list[str] = []
    if reviewed is not None:
        entries = _without(source, entries, reviewed, notes)
    if not entries:
        raise UserError(
            "there is nothing left to review",
            where=folder,
            fix="give --again to have reviewed examples reviewed once more",
        )
    sample = draw(entries, n, seed)
    texts = source.examples([entry.id for entry in sample.entries])
    drawn = [entry for entry in sample.entries if form == "argilla" or _fits(texts[entry.kind, entry.id], seed)]
    if long := len(sample.entries) - len(drawn):
        notes.append(
            f"{long:,} examples are too long for a cell of a spreadsheet and were left out; use the form argilla for them"
        )
    if len(drawn) < n and not long:
        notes.append(f"the set has {len(drawn):,} examples to review, less than the {n:,} asked for")

    contents: dict[Path, bytes] = {}
    files: list[Path] = []
    pages: list[Path] = []
    counts: dict[str, int] = {}
    all_shared = 0
    kinds: list[Kind] = [kind for kind in OUTCOMES if of_kind(drawn, kind)]
    for kind in kinds:
        hands, shared = deal(of_kind(drawn, kind), reviewers, overlap, seed)
        counts[kind], all_shared = len(of_kind(drawn, kind)), all_shared + shared
        guide = instructions(kind, source.principles, form)
        base = _named(out, kind if len(kinds) > 1 else None)
        pages.append(base.with_name(f"{base.stem}.instructions.md"))
        contents[pages[-1]] = guide.encode("utf-8")
        for i, hand in enumerate(hands, 1):
            if not hand:
                continue
            file = _named(base, str(i) if reviewers > 1 else None)
            rows = [_row(texts[kind, entry.id], seed, f"reviewer-{i}") for entry in hand]
            files.append(file)
            if form == "argilla":
                parts = argilla.files(file.name, kind, source.principles, guide, rows)
                contents |= {file / path: content for path, content in parts.items()}
            elif form == "html":
                contents[file] = page(kind, source.principles, guide, rows)
            else:
                contents[file] = write_csv(
                    columns(kind, source.principles), [_blank(row, kind, source.principles) for row in rows]
                )
    for path in (*files, *pages):
        if path.exists():
            raise UserError(
                "this is there already, and may hold decisions",
                where=path,
                fix="name another file with --out, or move it away",
            )
    for path, content in contents.items():
        write_whole(path, content)
    return Exported(files, pages, counts, all_shared, sample.strata, notes)


def _check_options(n: int, form: str, by: list[str] | None, reviewers: int, overlap: float) -> None:
    for what, wrong, fix in (
        (f"cannot draw {n:,} examples", n < 1, "give --n a number from 1"),
        (f"no form is called {form!r}", form not in get_args(Form), f"use one of {', '.join(get_args(Form))}"),
        (f"{reviewers} reviewers cannot share the work", reviewers < 1, "give --reviewers a number from 1"),
        (f"the overlap {overlap} is no share", not 0 <= overlap <= 1, "give --overlap a number from 0 to 1"),
    ):
        if wrong:
            raise UserError(what, fix=fix)
    if unknown := [column for column in by or () if column not in STRATA]:
        raise UserError(
            f"cannot stratify by {', '.join(unknown)}", where="--by", fix=f"use some of {', '.join(STRATA)}"
        )


def _without(source: ReviewedSet, entries: list[Entry], reviewed: Decisions, notes: list[str]) -> list[Entry]:
    """Leave out examples that somebody reviewed as they stand."""
    known = [entry.id for entry in entries if entry.id in reviewed.ids(entry.kind)]
    done = {at for at, one in source.examples(known).items() if reviewed.reviewed(one.kind, one.id, one.text())}
    if done:
        notes.append(f"{len(done):,} examples were reviewed before and are left out")
    return [entry for entry in entries if (entry.kind, entry.id) not in done]


def _fits(example: Example, seed: int) -> bool:
    return all(len(text) <= CELL_LIMIT for text in shown(example, order_of(example, seed)).values())


def _named(path: Path, part: str | None) -> Path:
    return path if part is None else path.with_name(f"{path.stem}-{part}{path.suffix}")


def _row(example: Example, seed: int, reviewer: str) -> dict[str, str]:
    """All that leaves of an example."""
    order = order_of(example, seed)
    return {
        "id": row_id(seed, example.kind, example.id),
        "seed": str(seed),
        "check": check(example, order),
        "kind": example.kind,
        **shown(example, order),
        "reviewer": reviewer,
    }


def _blank(row: dict[str, str], kind: Kind, principles: dict[str, str]) -> dict[str, str]:
    return {name: row.get(name, "") for name in columns(kind, principles)}
