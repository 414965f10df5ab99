"""What came back from reviewers: checked row by row, unblinded, merged into a file of decisions, and compared with the set.

A row that cannot be trusted is listed with file and line, and the others are taken. Nothing here shows a word of a text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifiers.taxonomy import BEHAVIOURS
from pipeline.cells import unescape
from pipeline.review import argilla
from pipeline.review.agreement import Agreement, Tags, agree
from pipeline.review.decisions import NAME_LENGTH, OUTCOMES, Answers, Decision, Vote, merge, read_file, write_file
from pipeline.review.examples import Example, ReviewedSet
from pipeline.review.questions import DECISIONS, IDENTITY, check, mark, order_of, shown, unblind
from pipeline.review.sample import row_id
from pipeline.review.tables import Table, canonical, read_csv
from sources.errors import UserError

#: A note that repeats so many words of the text in a row quotes it.
QUOTE_WORDS = 6


@dataclass(frozen=True)
class Problem:
    """A row that was not taken.

    :param where: file and line (of Argilla's file the record).
    :param id: of the row.
    """

    where: str
    id: str
    what: str


@dataclass
class Imported:
    """What came of an import.

    :param to: the file of decisions.
    :param votes: valid votes that were read.
    :param new: of these, how many added or changed something.
    :param blank: rows without a decision.
    :param passed_over: responses that are drafts or were discarded.
    :param replaced: earlier decisions about texts that have changed since; they made way.
    :param problems: rows that were not taken; not empty: exit code 1.
    :param decisions: kind -> decision -> number, of the decisions these votes are part of.
    :param by_source: source -> decision -> number, of the same.
    :param agreement: kind -> how far reviewers agree, over the whole file of decisions.
    :param picks: how often the reply shown as A, and as B, was picked: far from half and half is a habit, not a judgement.
    :param support: ratings of people against the set's ``support``: replies, mean of each, mean absolute difference.
    :param tags: ``behaviours`` and ``principles``: named by both, only by people, only by the set.
    :param notes: what the user should know.
    """

    to: Path
    votes: int = 0
    new: int = 0
    blank: int = 0
    passed_over: int = 0
    replaced: int = 0
    problems: list[Problem] = field(default_factory=list)
    decisions: dict[str, dict[str, int]] = field(default_factory=dict)
    by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    agreement: dict[str, Agreement] = field(default_factory=dict)
    picks: dict[str, int] = field(default_factory=dict)
    support: dict[str, float] | None = None
    tags: dict[str, Tags] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "to": str(self.to),
            "votes": self.votes,
            "new": self.new,
            "blank": self.blank,
            "passed_over": self.passed_over,
            "replaced": self.replaced,
            "problems": [{"where": one.where, "id": one.id, "what": one.what} for one in self.problems],
            "decisions": self.decisions,
            "by_source": self.by_source,
            "agreement": {kind: one.summary() for kind, one in self.agreement.items()},
            "picks": self.picks,
            "support": self.support,
            "tags": {name: one.summary() for name, one in self.tags.items()},
            "notes": self.notes,
        }


@dataclass(frozen=True)
class _Row:
    """A row as it came back, from whatever file. ``answers`` are words as people write them."""

    where: str
    id: str
    seed: str
    check: str
    kind: str
    answers: dict[str, str]
    reviewer: str
    texts: dict[str, str]
    table: Table | None = None


_NO_SUCH = "the set has no such example, or the seed was changed; import into the set the file was exported from"
_CHANGED = "the example has changed since the file was exported; export it again"


class _BadRowError(ValueError):
    """Says why a row is not taken."""


def import_review(
    folder: Path, decisions: list[Path], to: Path, *, reviewer: str | None = None, replace: bool = False
) -> Imported:
    """Take in reviews of a set and merge them into a file of decisions. The same file again changes nothing.

    Of several votes on an example the majority decides (:func:`pipeline.review.decisions.majority`).

    :param folder: of the set the reviews were exported from.
    :param decisions: filled-in CSV files (also those the HTML page saves), and what Argilla wrote (a folder, JSON or JSON lines).
    :param to: the file of decisions, JSON lines; made if it is not there.
    :param reviewer: who reviewed, instead of the name in the files.
    :param replace: where a reviewer says something else than before about the same text, take the new; else that is a problem.
    :raises UserError: no set, or a file that cannot be read at all.
    """
    source = ReviewedSet(folder)
    old = _known(to)
    result = Imported(to)
    rows = [row for path in decisions for row in _rows(path, reviewer, result)]
    seeds = _main_seeds(rows)
    names = _unmask({(entry.kind, entry.id) for entry in source.index([])} | old.keys(), set(seeds.values()))
    texts = source.examples({names[row.id][1] for row in rows if row.id in names})
    votes: list[Vote] = []
    picks: Counter[str] = Counter()
    known_already: set[tuple[str, str]] = set()
    for row in rows:
        try:
            if row.seed != (main := seeds.get(_file(row))):
                raise _BadRowError(
                    "the seed is no number" if main is None else f"the seed is not {main}, as in the rest of the file"
                )
            answered = _answers(row, source.principles)
            at = names.get(row.id)
            if at is None or at[0] != row.kind:
                raise _BadRowError(_NO_SUCH)
            example = texts.get(at)
            order = _order(row, example) if example else None
            if example is None or order is None:
                if _says_the_same(old.get(at), row):
                    # imported before the set lost or changed the example
                    result.votes += 1
                    known_already.add(at)
                    continue
                raise _BadRowError(_CHANGED if example else _NO_SUCH)
            _check_texts(row, example, order)
        except _BadRowError as error:
            result.problems.append(Problem(row.where, row.id, str(error)))
            continue
        word = row.answers["decision"]
        if example.kind == "pair" and word in ("a", "b"):
            picks[word] += 1
        note = row.answers.get("note", "")
        if note and _quotes(note, example):
            result.notes.append(f"{row.where}: the note quotes the text and is not kept")
            note = ""
        votes.append(
            Vote(
                example.kind,
                example.id,
                example.text(),
                example.text(1, 0) if example.kind == "pair" else None,
                row.reviewer,
                unblind(word, order),
                answered,
                note,
                row.where,
            )
        )
    row_ids = {row.where: row.id for row in rows}
    votes = _without_contradictions(votes, result, row_ids)
    merged = merge(old.values(), votes, replace=replace)
    for vote, said in merged.refused:
        what = (
            f"{vote.reviewer} decided {said} before, and now {vote.outcome}; "
            "give --replace if they changed their mind, or --reviewer if this is somebody else"
        )
        result.problems.append(Problem(vote.where, row_ids[vote.where], what))
    write_file(to, merged.decisions.values())
    refused = {id(vote) for vote, _ in merged.refused}
    votes = [vote for vote in votes if id(vote) not in refused]
    result.votes += len(votes)
    result.new, result.replaced, result.picks = merged.new, merged.replaced, dict(picks)
    _compare(result, merged.decisions, merged.touched | known_already, votes, texts)
    result.problems.sort(key=lambda one: (_file(one), int(re.findall(r"\d+", one.where)[-1])))
    return result


def _known(to: Path) -> dict[tuple[str, str], Decision]:
    """The decisions there are, by kind and id.

    :raises UserError: two lines are about one example.
    """
    known: dict[tuple[str, str], Decision] = {}
    for line, one in read_file(to) if to.exists() else ():
        if (one.kind, one.id) in known:
            raise UserError(
                f"two decisions about {one.kind} {one.id}",
                where=f"{to}:{line}",
                fix="put their votes into one line, or delete one",
            )
        known[one.kind, one.id] = one
    return known


def _unmask(known: set[tuple[str, str]], seeds: set[str]) -> dict[str, tuple[str, str]]:
    """What the files call an example -> kind and id."""
    return {row_id(int(seed), kind, id): (kind, id) for seed in seeds for kind, id in known}


def _rows(path: Path, reviewer: str | None, result: Imported) -> Iterator[_Row]:
    """Rows with a decision of one file.

    :raises UserError: it cannot be read, or nobody can tell who reviewed.
    """
    if reviewer is not None and not 0 < len(reviewer.strip()) <= NAME_LENGTH:
        raise UserError("this is no name of a reviewer", where="--reviewer", fix=f"give up to {NAME_LENGTH} characters")
    if not path.exists():
        raise UserError("there is no such file of decisions", where=path, fix="name the file that came back")
    if path.is_dir() or path.suffix in (".json", ".jsonl"):
        yield from _argilla_rows(path, reviewer, result)
        return
    table = read_csv(path)
    missing = [name for name in (*IDENTITY, "decision") if name not in table.columns]
    if missing:
        raise UserError(
            f"there is no column {', '.join(missing)}",
            where=path,
            fix="send back the file that was exported, with its first row",
        )
    result.problems += [Problem(f"{path}:{line}", "", "there are more cells than columns") for line in table.broken]
    for line, cells in table.rows:
        values = {name: unescape(cell).strip() for name, cell in cells.items()}
        answers = {name: values.get(name, "") for name in ("decision", "support", "behaviours", "principles", "note")}
        answers["decision"] = answers["decision"].lower()
        where = f"{path}:{line}"
        if not _answered(answers):
            result.blank += 1
            continue
        name = (reviewer or values.get("reviewer", "")).strip()
        if not 0 < len(name) <= NAME_LENGTH:
            what = f"nobody says who reviewed; fill in `reviewer` (up to {NAME_LENGTH} characters) or give --reviewer"
            result.problems.append(Problem(where, values["id"], what))
            continue
        shown_cells = {name: cell for name, cell in cells.items() if name.startswith(("conversation", "reply"))}
        yield _Row(
            where, values["id"], _whole(values["seed"]), values["check"], values["kind"].lower(), answers, name, shown_cells, table
        )  # fmt: skip


def _argilla_rows(path: Path, reviewer: str | None, result: Imported) -> Iterator[_Row]:
    responses = list(argilla.read(path))
    if reviewer and len({one.user for one in responses}) > 1:
        raise UserError(
            "several people answered in Argilla",
            where=path,
            fix="leave --reviewer out; each is told by a hash of the user id",
        )
    unsaid = 0
    for one in responses:
        if one.status in ("draft", "discarded"):
            result.passed_over += 1
            continue
        answers = {name: _word(value) for name, value in one.answers.items()}
        if not _answered(answers):
            result.blank += 1
            continue
        unsaid += one.status is None
        answers.setdefault("decision", "")
        seed, check_, kind = (str(one.metadata.get(name, "")) for name in ("seed", "check", "kind"))
        yield _Row(
            f"{path}:record {one.place}", one.id, _whole(seed), check_, kind, answers, reviewer or one.user, one.texts
        )  # fmt: skip
    if unsaid:
        result.notes.append(
            f"{path.name} does not say which of {unsaid:,} responses are drafts or discarded; all were taken. "
            "records(with_responses=True).to_list(flatten=True) says it"
        )


def _answered(answers: dict[str, str]) -> bool:
    """Whether a row says anything about the example; a remark alone is none."""
    return any(value for name, value in answers.items() if name != "note")


def _word(value: Any) -> str:
    """An answer of Argilla as people write it."""
    return ",".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value).strip()


def _whole(text: str) -> str:
    """A whole number as a spreadsheet may have written it: ``7.0`` is 7."""
    return re.sub(r"(?<=\d)[.,]0*$", "", text)


def _file(row: _Row | Problem) -> str:
    return row.where.rsplit(":", 1)[0]


def _main_seeds(rows: list[_Row]) -> dict[str, str]:
    """File -> the seed most of its rows have."""
    seeds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if re.fullmatch(r"-?\d+", row.seed):
            seeds[_file(row)][row.seed] += 1
    return {file: counted.most_common(1)[0][0] for file, counted in seeds.items()}


def _answers(row: _Row, principles: dict[str, str]) -> Answers:
    """What a row answers beside the decision.

    :raises _BadRowError: a decision, behaviour, principle or rating that does not exist.
    """
    if row.kind not in OUTCOMES:
        raise _BadRowError(f"no kind of example is called {row.kind!r}")
    words = DECISIONS[row.kind]  # type: ignore[index]
    decision = row.answers["decision"]
    if not decision:
        raise _BadRowError("there are answers, but no decision")
    if decision not in words:
        raise _BadRowError(f"no decision is called {_short(decision)}; use one of {', '.join(words)}")
    support = _whole(row.answers.get("support", ""))
    if support not in ("", "0", "1", "2", "3"):
        raise _BadRowError(f"support is a whole number from 0 to 3, not {_short(support)}")
    return Answers(
        support=int(support) if support else None,
        behaviours=_names(row.answers.get("behaviours", ""), "behaviour", BEHAVIOURS),
        principles=_names(row.answers.get("principles", ""), "principle", principles),
    )


def _names(text: str, what: str, known: dict[str, str]) -> list[str] | None:
    names = [name for name in re.split(r"[,;\s]+", text.lower()) if name]
    if not names:
        return None
    small = {name.lower(): name for name in known}
    if unknown := [name for name in names if name not in small and name != "none"]:
        raise _BadRowError(f"no {what} is called {_short(unknown[0])}")
    return sorted({small[name] for name in names if name != "none"})


def _short(word: str) -> str:
    """A word somebody typed, to show back; a long one may be a text that slipped into the wrong cell."""
    return repr(word) if len(word) <= 30 else "what stands there"


def _says_the_same(one: Decision | None, row: _Row) -> bool:
    """Whether a row about an example that has left the set was imported before, while it was there."""
    if one is None or row.check not in (mark(one.text), one.swapped and mark(one.swapped)):
        return False
    word = row.answers["decision"]
    if one.kind == "pair" and word in ("a", "b"):
        # the mark is of the order A, B
        word = "confirm" if (word == "a") == (row.check == mark(one.text)) else "swap"
    return one.votes.get(row.reviewer) == word


def _order(row: _Row, example: Example) -> tuple[int, ...] | None:
    """In which order the replies were shown; None if what was shown is not what the set holds.

    Of a pair not always the order that the seed draws: the set may have been turned round since, following a decision.
    """
    drawn = order_of(example, int(row.seed))
    return next((order for order in (drawn, drawn[::-1]) if row.check == check(example, order)), None)


def _check_texts(row: _Row, example: Example, order: tuple[int, ...]) -> None:
    """See that nobody edited what was judged.

    :raises _BadRowError: somebody did.
    """
    expected = shown(example, order)
    for name, text in row.texts.items():
        if name not in expected:
            continue
        same = row.table.same(text, expected[name]) if row.table else canonical(text) == canonical(expected[name])
        if not same:
            raise _BadRowError(
                f"the text in column {name} was edited, so what was decided about is not in the set"
                + (" (or the file was not saved as UTF-8)" if row.table and row.table.narrow else "")
            )


def _quotes(note: str, example: Example) -> bool:
    """Whether a note repeats :data:`QUOTE_WORDS` words of a message in a row, or the whole of a short one."""
    words = re.findall(r"\w+", note.lower())
    for message in (*example.prompt, *(message for reply in example.replies for message in reply)):
        said = re.findall(r"\w+", (message["content"] or "").lower())
        run = min(QUOTE_WORDS, len(said))
        # a text of one or two words is no quotation
        if run > 2 and _runs(words, run) & _runs(said, run):
            return True
    return False


def _runs(words: list[str], n: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def _without_contradictions(votes: list[Vote], result: Imported, row_ids: dict[str, str]) -> list[Vote]:
    """One vote of a reviewer on an example; where there are several that differ, none of them counts."""
    found: dict[tuple[str, str, str], list[Vote]] = defaultdict(list)
    for vote in votes:
        found[vote.kind, vote.id, vote.reviewer].append(vote)
    kept = []
    for same in found.values():
        if len({vote.outcome for vote in same}) == 1:
            # of two that decide the same the later has the last word on the rest
            kept.append(same[-1])
            continue
        for vote in same:
            others = ", ".join(other.where for other in same if other is not vote)
            result.problems.append(
                Problem(
                    vote.where,
                    row_ids[vote.where],
                    f"{vote.reviewer} decides this example differently in {others}; neither counts",
                )
            )
    return kept


def _compare(
    result: Imported,
    decisions: dict[tuple[str, str], Decision],
    touched: set[tuple[str, str]],
    votes: list[Vote],
    texts: dict[tuple[str, str], Example],
) -> None:
    """Fill in what people decided, how far they agree, and how far the set agrees with them."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    for at in sorted(touched):
        kinds[at[0]][decisions[at].decision] += 1
        if (example := texts.get(at)) is not None:
            sources[example.source][decisions[at].decision] += 1
    result.decisions = {kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())}
    result.by_source = {name: dict(sorted(counts.items())) for name, counts in sorted(sources.items())}
    for kind in OUTCOMES:
        mine = [_labels(one) for one in decisions.values() if one.kind == kind]
        if (found := agree(mine)) is not None:
            result.agreement[kind] = found
    rated: list[tuple[int, float]] = []
    tags = {"behaviours": Tags(0, {}), "principles": Tags(0, {})}
    for vote in votes:
        example, said = texts[vote.kind, vote.id], vote.answers
        if said.support is not None and example.support is not None:
            rated.append((said.support, example.support))
        if said.behaviours is not None:
            tags["behaviours"].add(said.behaviours, example.behaviours)
        if said.principles is not None:
            tags["principles"].add(said.principles, example.principles)
    if rated:
        n = len(rated)
        result.support = {
            "replies": n,
            "people": sum(people for people, _ in rated) / n,
            "set": sum(ours for _, ours in rated) / n,
            "apart": sum(abs(people - ours) for people, ours in rated) / n,
        }
    result.tags = {name: one for name, one in tags.items() if one.replies}


def _labels(one: Decision) -> dict[str, str]:
    """Votes to compare. Of a pair not whether they confirm the set, which most do by design and chance with them, but which of the two
    replies they prefer, in an order that has nothing to do with the set's choice."""
    if one.kind != "pair" or one.swapped is None:
        return one.votes
    first, second = ("confirm", "swap") if one.text < one.swapped else ("swap", "confirm")
    return {name: {first: "first", second: "second"}.get(vote, vote) for name, vote in one.votes.items()}
