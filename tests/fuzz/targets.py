"""What is fuzzed, and what must hold of every input.

A reader gives records and bad records of right types, the same ones twice, and raises nothing but a UserError. A parser gives its
model or a UserError that says where. Nothing hangs (:data:`SECONDS`), and nothing takes much memory (:data:`MEGABYTES`).
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from sources.document import Bad, Record
from sources.errors import UserError
from sources.readers import READERS, get_reader
from sources.readers.base import FileRef
from tests.fuzz import strategies as made
from tests.fuzz.cases import Case

ROOT = Path(__file__).parents[2]
#: Seconds of processor time one input may take, twice run.
SECONDS = 20
#: By how much the process may grow over one input.
MEGABYTES = 500


class Hang(BaseException):
    """An input took more than :data:`SECONDS` of processor time."""


class Broken(AssertionError):  # noqa: N818
    """A property does not hold."""


@dataclass(frozen=True)
class Target:
    """Something that takes what others wrote.

    :param cases: gives inputs.
    :param check: raises where a property does not hold.
    """

    cases: Callable[[], st.SearchStrategy[Case]]
    check: Callable[[Case], None]


@contextmanager
def watched() -> Iterator[None]:
    """Raise :class:`Hang` when the body takes too long, and :class:`Broken` when it takes too much memory."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of its own time: a busy machine makes nothing hang
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start = _peak()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    if (grown := _peak() - start) > MEGABYTES:
        raise Broken(f"took {grown} MB")


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def run(case: Case) -> None:
    """Run a case against its target's properties.

    :raises Exception: what it broke.
    """
    with watched():
        TARGETS[case.target].check(case)


# -- readers ---------------------------------------------------------------------------------------------------------------------------


def read_all(case: Case, folder: Path) -> list[Record | Bad] | str:
    """Everything a reader yields of a case, cut into small splits; what it says where it refuses the files."""
    cls = get_reader(case.target)
    reader = cls(cls.Options(**case.options))
    refs = [FileRef(str(path), name, path.stat().st_size, name) for name, path in sorted(case.write(folder).items())]
    try:
        return [item for split in reader.splits(refs, 2048) for item in reader.read(split)]
    except UserError as error:
        return str(error)


def check_reader(case: Case) -> None:
    """Run a reader twice over one case."""
    folder = Path(tempfile.mkdtemp(prefix="wellmix-fuzz-"))
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    said = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
            warnings.catch_warnings(record=True) as warned,
        ):
            first = read_all(case, folder)
            for item in first if isinstance(first, list) else ():
                check_item(item)
            if repr(read_all(case, folder)) != repr(first):
                raise Broken("another answer the second time")
        if made.CANARY in "\n".join([said.getvalue(), *heard.messages, *map(str, warned)]):
            raise Broken("a text is printed or logged")
    finally:
        logging.getLogger().removeHandler(heard)
        shutil.rmtree(folder)


class _Heard(logging.Handler):
    """Keeps what a library logs and would be shown."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def check_item(item: Any) -> None:
    """See that an item is what ingest can take."""
    if isinstance(item, Bad):
        if not item.reason or made.CANARY in f"{item.reason} {item.detail}":
            raise Broken("a bad record without reason, or with the text in it")
        f"{item.origin}{item.reason}{item.detail}".encode()
        return
    if not isinstance(item, Record):
        raise Broken(f"a {type(item).__name__} is no record")
    words = [item.key, item.origin, item.text, item.author or ""]
    for turn in item.turns or ():
        words += [turn.role, turn.text, turn.author or ""]
        words.append(json.dumps(turn.labels, ensure_ascii=False, sort_keys=True, default=str))
    if not all(type(word) is str for word in words) or not isinstance(item.created, datetime | None):
        raise Broken("a field of another type")
    words.append(json.dumps(item.extra, ensure_ascii=False, sort_keys=True, default=str))
    for word in words:
        word.encode("utf-8")


# -- what people write -----------------------------------------------------------------------------------------------------------------


def _parsed(parse: Callable[[Path], Any], case: Case, where: bool = True) -> Any:
    """What a parser makes of a case; None where it refuses it."""
    folder = Path(tempfile.mkdtemp(prefix="wellmix-fuzz-"))
    try:
        # What a recipe refers to, relative to itself.
        (folder / "recipes").symlink_to(ROOT / "recipes")
        case.write(folder)
        return parse(folder)
    except UserError as error:
        if where and not error.where:
            raise Broken(f"an error that does not say where: {error.what}") from None
        return None
    finally:
        shutil.rmtree(folder)


def _card(folder: Path) -> Any:
    from sources.card import load_card

    return load_card(folder / "x.yaml")


def _recipe(folder: Path) -> Any:
    from pipeline.recipe import load_recipe

    return load_recipe(folder / "x.yaml")


def _set(folder: Path) -> Any:
    from pipeline.curate.recipe import load_set_recipe

    return load_set_recipe(folder / "x.yaml")


def _ablation(folder: Path) -> Any:
    from pipeline.ablate.recipe import load_ablation

    return load_ablation(folder / "x.yaml")


def _constitution(folder: Path) -> Any:
    from pipeline.curate.columns import candidate_columns
    from pipeline.curate.constitution import load_constitution

    return load_constitution(folder / "x.yaml", candidate_columns())


def _swarm(folder: Path) -> Any:
    from pipeline.fit.tables import read_swarm

    return read_swarm(folder / "ratios.csv", folder / "metrics.csv")


def _override(case: Case) -> None:
    from pipeline.recipe import load_recipe

    with contextlib.suppress(UserError):
        load_recipe(ROOT / "recipes/sample.yaml", case.options["set"])


def _condition(case: Case) -> None:
    from pipeline.conditions import check_condition
    from pipeline.database import connect

    sql = case.options["sql"]
    try:
        check_condition(sql, "here")
    except UserError as error:
        if not error.where:
            raise Broken("an error that does not say where") from None
        return
    # What passed is run as a stage would.
    import duckdb

    folder = Path(tempfile.mkdtemp(prefix="wellmix-fuzz-"))
    try:
        with connect(folder, "500MB", 1) as con:
            con.execute(f"CREATE TABLE documents AS {_a_thousand_rows()}")
            con.execute(f"SELECT count(*) FROM documents WHERE coalesce(CAST(({sql}\n) AS BOOLEAN), false)")
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException, UserError):
        pass  # the plan says so of the recipe
    finally:
        shutil.rmtree(folder)


@lru_cache(maxsize=1)
def _a_thousand_rows() -> str:
    from pipeline.catalog import condition_columns

    cells = (
        f"CAST({'repeat(chr(97), (i % 50)::BIGINT)' if kind == 'VARCHAR' else 'i % 2'} AS {kind}) AS {name}"
        for name, kind in condition_columns().items()
    )
    return f"SELECT {', '.join(cells)} FROM range(1000) t(i)"


# -- outputs ---------------------------------------------------------------------------------------------------------------------------


#: Folders that last as long as the process.
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@lru_cache(maxsize=1)
def _set_folder() -> Path:
    """A small made-up set, and a review of it."""
    from pipeline.review.export import export_review
    from tests.review import conftest as sets

    _KEPT.append(kept := tempfile.TemporaryDirectory(prefix="wellmix-fuzz-set-"))
    folder = Path(kept.name)
    write = sets.make_set.__wrapped__ if hasattr(sets.make_set, "__wrapped__") else sets.make_set
    out = write(folder)(messages=[sets.single(i) for i in range(6)], preference=[sets.pair(i) for i in range(6)])
    export_review(out, folder / "review.csv", n=8)
    return folder


@lru_cache(maxsize=1)
def _sheet() -> bytes:
    return sorted(_set_folder().glob("review-*.csv"))[0].read_bytes()


@lru_cache(maxsize=1)
def _decisions() -> bytes:
    return (ROOT / "recipes/reviews/preferences.jsonl").read_bytes()[:20_000]


def _review(case: Case) -> None:
    from pipeline.review.importing import import_review

    out = next(path for path in _set_folder().iterdir() if path.is_dir())
    _parsed(lambda folder: import_review(out, [folder / "review.csv"], folder / "decisions.jsonl"), case, where=False)


def _read_decisions(case: Case) -> None:
    from pipeline.review.decisions import read_file

    _parsed(lambda folder: read_file(folder / "decisions.jsonl"), case)


#: A mix of the sample: its output and its store, made once by whoever runs the fuzzer.
OUTPUT: list[Path] = []


@lru_cache(maxsize=1)
def output() -> tuple[Path, Path]:
    """A mix of a small recipe, and the store it was made in."""
    if not OUTPUT:
        from pipeline.mix import run_mix

        folder = Path(tempfile.gettempdir()) / "wellmix-fuzz-mix"
        run_mix(ROOT / "recipes/sample.yaml", overrides=["effort=fast"], out=folder / "out", store_root=folder / "store", workers=1, show_progress=False)  # fmt: skip
        OUTPUT.extend([folder / "out", folder / "store"])
    return OUTPUT[0], OUTPUT[1]


@lru_cache(maxsize=1)
def _output_files() -> dict[str, bytes]:
    out, _ = output()
    shards = sorted(out.rglob("*.parquet"))[:1]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in [out / "manifest.json", *shards]}


def _damaged_output(case: Case, folder: Path) -> Path:
    shutil.copytree(output()[0], folder / "out")
    case.write(folder / "out")
    return folder / "out"


def _diff(case: Case) -> None:
    from pipeline.diff import diff_outputs, print_diff

    folder = Path(tempfile.mkdtemp(prefix="wellmix-fuzz-"))
    try:
        print_diff(diff_outputs(output()[0], _damaged_output(case, folder), memory="500MB"))
    except UserError:
        pass
    finally:
        shutil.rmtree(folder)


def _explain(case: Case) -> None:
    from pipeline.explain import explain
    from pipeline.report import print_story

    folder = Path(tempfile.mkdtemp(prefix="wellmix-fuzz-"))
    _, store = output()
    try:
        print_story(explain(_damaged_output(case, folder), case.options["id"] or _some_id(), store))
    except UserError:
        pass
    finally:
        shutil.rmtree(folder)


@lru_cache(maxsize=1)
def _some_id() -> str:
    import pyarrow.parquet as pq

    path = next(path for path in sorted(output()[0].rglob("*.parquet")))
    return pq.read_table(path, columns=["id"])["id"][0].as_py()


def _samples(*globs: str) -> list[bytes]:
    return [path.read_bytes() for glob in globs for path in sorted(ROOT.glob(glob))]


def _yaml(name: str, parse: Callable[[Path], Any], *globs: str) -> Target:
    def check(case: Case) -> None:
        _parsed(parse, case)

    return Target(lambda: made.yaml_cases(name, _samples(*globs)), check)


TARGETS: dict[str, Target] = {
    **{name: Target(partial(made.reader_cases, name), check_reader) for name in READERS if name in made.FILES},
    "card": _yaml("card", _card, "sources/cards/*.yaml"),
    "recipe": _yaml("recipe", _recipe, "recipes/sample.yaml", "recipes/wellbeing.yaml"),
    "set_recipe": _yaml("set_recipe", _set, "recipes/sample-set.yaml", "recipes/sample-preferences.yaml"),
    "ablation": _yaml("ablation", _ablation, "recipes/ablation/*.yaml"),
    "constitution": _yaml("constitution", _constitution, "recipes/constitutions/*.yaml"),
    "swarm_tables": Target(made.table_cases, lambda case: _parsed(_swarm, case)),
    "override": Target(
        lambda: st.lists(made.overrides, max_size=2).map(lambda s: Case("override", {}, {"set": s})), _override
    ),
    "condition": Target(lambda: made.conditions.map(lambda sql: Case("condition", {}, {"sql": sql})), _condition),
    "review_import": Target(lambda: made.review_cases(_sheet()), _review),
    "decisions": Target(lambda: made.decision_cases(_decisions()), _read_decisions),
    "diff": Target(lambda: made.output_cases("diff", _output_files()), _diff),
    "explain": Target(lambda: made.output_cases("explain", _output_files()), _explain),
}
