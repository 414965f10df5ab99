"""The main path of an audit: list the files, choose rows if only a sample is wanted, look at each file, add up, judge."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit.canaries import Canary, Search, load_key
from pipeline.audit.detectors import KINDS, Hit, find
from pipeline.audit.read import BY_PRODUCTS, Batch, Column, Part, batches, blocks, count_rows, parts
from pipeline.curate.baselines import wilson
from sources.card import load_cards
from sources.errors import UserError

#: Hits whose place is kept, of each surface, kind, detector and grade in each file.
KEPT = 50
#: Bytes of files for which another process is worth its start.
_WORTH_A_PROCESS = 16 << 20
#: Columns that hold names of ours, hashes and codes; canaries are looked for in them all the same.
NOT_TEXT = frozenset({"id", "author", "kind", "language", "license", "stance", "author_kind"})
#: What a card says in public: contacts and links there are no leak.
_PUBLIC_FACTS = (
    "title", "license_url", "license_note", "consent_note", "citation", "homepage", "takedown", "contact", "repo", "url", "note",
)  # fmt: skip
#: Kinds that published works keep on purpose: letterheads, historic places, code (see ``pipeline/ingest.py``).
_KEPT_IN_PUBLISHED = frozenset({"ADDRESS", "USER"})

Key = tuple[str, str, str, str]  # surface, kind, detector, grade


@dataclass
class Seen:
    """What was seen in some files.

    :param hits: by surface, kind, detector and grade.
    :param documents: rows with such a hit.
    :param certain: by surface, rows with a certain hit of any kind.
    :param by_source: the same by surface and source.
    :param rows, size: looked at, by surface; bytes of text.
    :param places: of hits, the first of each key.
    :param arrived: canaries whose control is in a document, by surface.
    :param leaks: (canary, secret) -> places.
    """

    hits: Counter[Key] = field(default_factory=Counter)
    documents: Counter[Key] = field(default_factory=Counter)
    certain: Counter[str] = field(default_factory=Counter)
    by_source: Counter[tuple[str, str]] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    places: dict[Key, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    arrived: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    leaks: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, other: Seen) -> None:
        """Take in what was seen elsewhere."""
        for name in ("hits", "documents", "certain", "by_source", "rows", "size"):
            getattr(self, name).update(getattr(other, name))
        for key, places in other.places.items():
            self.places[key] += places[: KEPT - len(self.places[key])]
        for surface, numbers in other.arrived.items():
            self.arrived[surface] |= numbers
        for leak, places in other.leaks.items():
            self.leaks[leak] += places


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    :param totals: rows there are, by surface; more than were looked at if it was a sample.
    :param max_rate: documents with a certain hit, in a million, that are borne.
    :param planted: canaries that were looked for.
    """

    seen: Seen
    totals: dict[str, int]
    sample: int | None
    seed: int
    max_rate: float
    planted: list[Canary]
    files: int
    seconds: float

    def interval(self, surface: str, rows: int) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of a surface's rows.

        Of a sample it is about this very surface, so it shrinks as the sample nears the whole (finite population correction); of a whole
        surface it is about texts like these.
        """
        n, total = self.seen.rows[surface], self.totals[surface]
        share = rows / n if n else 0.0
        return wilson(share, n * (total - 1) / (total - n) if 0 < n < total else n)  # type: ignore[arg-type]

    def rates(self) -> list[dict[str, Any]]:
        """A row for each surface, kind, detector and grade with a hit."""
        made = []
        for key in sorted(self.seen.hits, key=lambda k: (k[0], KINDS.index(k[1]), k[3], k[2])):
            surface, kind, detector, grade = key
            made.append(
                {"surface": surface, "kind": kind, "detector": detector, "grade": grade}
                | self._rate(surface, self.seen.documents[key])
                | {
                    "hits": self.seen.hits[key],
                    "hits_per_million": round(self.seen.hits[key] / self.seen.rows[surface] * 1e6, 2),
                    "hits_per_gb": round(self.seen.hits[key] / max(1, self.seen.size[surface]) * 1e9, 2),
                    "places": self.seen.places[key],
                }
            )
        return made

    def surfaces(self) -> list[dict[str, Any]]:
        """A row for each surface: what was looked at, and documents with a certain hit of any kind."""
        return [
            {"surface": surface, "rows": self.totals[surface], "looked_at": n, "bytes": self.seen.size[surface]}
            | self._rate(surface, self.seen.certain[surface])
            | {
                "by_source": {
                    source: k for (where, source), k in sorted(self.seen.by_source.items()) if where == surface
                }
            }
            for surface, n in sorted(self.seen.rows.items())
        ]

    def _rate(self, surface: str, rows: int) -> dict[str, Any]:
        low, high = self.interval(surface, rows)
        share = rows / self.seen.rows[surface] if self.seen.rows[surface] else 0.0
        return {
            "documents": rows,
            "per_million": round(share * 1e6, 2),
            "low": round(low * 1e6, 2),
            "high": round(high * 1e6, 2),
        }

    def canaries(self) -> list[dict[str, Any]]:
        """A row for each class of planted values.

        ``arrived`` are those whose record's control is in some document; of these, and of any that leaked without it, the share ``leaked``.
        """
        arrived = set().union(*self.seen.arrived.values()) if self.seen.arrived else set()
        counts: dict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
        places: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
        for number, canary in enumerate(self.planted):
            for place, secret in enumerate(canary.secrets):
                count, found = counts[secret.kind, secret.promised], self.seen.leaks.get((number, place), [])
                count["planted"] += 1
                count["arrived"] += number in arrived
                count["judged"] += number in arrived or bool(found)
                count["leaked"] += bool(found)
                count["in_by_products"] += any(one["surface"] == BY_PRODUCTS for one in found)
                places[secret.kind, secret.promised] += [{"form": secret.form, **one} for one in found[:3]]
        made = []
        for (kind, promised), count in counts.items():
            share = count["leaked"] / count["judged"] if count["judged"] else 0.0
            low, high = wilson(share, count["judged"])
            names = ("planted", "arrived", "leaked", "in_by_products")
            made.append(
                {"kind": kind, "promised": promised}
                | {name: count[name] for name in names}
                | {
                    "share": round(share, 4),
                    "low": round(low, 4),
                    "high": round(high, 4),
                    "places": places[kind, promised][:KEPT],
                }
            )
        return made

    def problems(self) -> list[str]:
        """Why the audit fails; empty if it does not."""
        found = []
        for row in self.surfaces():
            if row["per_million"] > self.max_rate:
                found.append(
                    f"{row['surface']}: {row['documents']:,} of {row['looked_at']:,} rows have certain personal data, "
                    f"{row['per_million']:,.0f} in a million; {self.max_rate:,.0f} are borne"
                )
        for row in self.canaries():
            if row["promised"] and row["leaked"]:
                found.append(f"{row['leaked']:,} of {row['planted']:,} planted values of class {row['kind']} leaked")
        if self.planted and not any(self.seen.arrived.values()):
            found.append("no canary arrived: that none leaked means nothing")
        return found

    def summary(self) -> dict[str, Any]:
        """The object ``wellmix audit --json`` prints; no text of a document is in it."""
        size = sum(self.seen.size.values())
        return {
            "passed": not self.problems(),
            "problems": self.problems(),
            "files": self.files,
            "sample": self.sample,
            "seed": self.seed,
            "max_rate": self.max_rate,
            "seconds": round(self.seconds, 2),
            "mb_per_second": round(size / 1e6 / max(self.seconds, 1e-9), 2),
            "surfaces": self.surfaces(),
            "rates": self.rates(),
            "canaries": {
                "records": len(self.planted),
                "arrived": {surface: len(numbers) for surface, numbers in sorted(self.seen.arrived.items())},
                "classes": self.canaries(),
            }
            if self.planted
            else None,
        }


@dataclass(frozen=True)
class _Job:
    """What a process is to do with one file."""

    part: Part
    wanted: np.ndarray | None
    planted: list[Canary]
    published: frozenset[str]
    public: str
    shapes: bool


def audit(
    roots: Sequence[Path],
    *,
    canaries: Path | None = None,
    sample: int | None = None,
    seed: int = 0,
    max_rate: float = 0.0,
    tokenizer: str | None = None,
    shapes: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """Look for personal data and canaries in outputs, publications, reports, stores and logs.

    :param roots: folders or files.
    :param canaries: key of what was planted, see :func:`pipeline.audit.make_canaries`.
    :param sample: rows to draw from each surface, without replacement; by-products are always read whole. None: all rows.
    :param max_rate: documents with a certain hit, in a million of a surface, above which the audit fails.
    :param tokenizer: of token ids that lie without their manifest.
    :param shapes: keep the masked shape of each hit.
    :param workers: processes; default one a core.
    :param progress: is told files done and files in all.
    :raises UserError: nothing is there, or a file cannot be read.
    """
    started = monotonic()
    planted = load_key(canaries) if canaries else []
    found = [(root, part) for root in roots for part in parts(root, tokenizer)]
    if len(roots) > 1:
        found = [(root, _renamed(part, root)) for root, part in found]
    if canaries:  # the key lists every secret
        found = [(root, part) for root, part in found if part.path.resolve().parent != _folder(canaries)]
    facts = {root: _facts(root) for root in roots}
    totals: Counter[str] = Counter()
    drawn: dict[Path, np.ndarray] = {}
    if sample is not None:
        drawn, totals = _draw([part for _, part in found], sample, seed)
    jobs = [
        _Job(part, wanted, planted, *facts[root], shapes)
        for root, part in found
        for wanted in ([drawn[part.path]] if part.path in drawn else _pieces(part))
        if wanted is None or len(wanted)
    ]
    seen = Seen()
    for done, one in enumerate(_run(jobs, workers or os.cpu_count() or 1), 1):
        seen.add(one)
        progress(done, len(jobs))
    for surface, rows in seen.rows.items():
        totals[surface] = max(totals[surface], rows)
    return Audit(seen, dict(totals), sample, seed, max_rate, planted, len(found), monotonic() - started)


def _renamed(part: Part, root: Path) -> Part:
    surface = part.surface if part.surface == BY_PRODUCTS else f"{root.name}:{part.surface}"
    return Part(surface, part.path, f"{root.name}/{part.name}", part.layout, part.tokenizer)


def _folder(key: Path) -> Path:
    return (key if key.is_dir() else key.parent).resolve()


def _run(jobs: list[_Job], workers: int) -> Iterator[Seen]:
    """Results in the order of the jobs, which makes the kept places the same for any number of workers."""
    # a process has to load the detectors before it can look; little text is seen sooner without one
    workers = min(workers, len(jobs), 1 + sum(job.part.path.stat().st_size for job in jobs) // _WORTH_A_PROCESS)
    if workers <= 1:
        yield from map(_look, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver")) as pool:
        yield from pool.map(_look, jobs)


def _pieces(part: Part) -> Iterator[np.ndarray | None]:
    """Rows of a large Parquet file in pieces that processes can share; other files are read as one."""
    if part.layout != "parquet" or part.path.stat().st_size < _WORTH_A_PROCESS:
        yield None
        return
    rows = _rows(part)
    count = -(-part.path.stat().st_size // _WORTH_A_PROCESS)
    yield from np.array_split(np.arange(rows), count)


def _draw(found: list[Part], sample: int, seed: int) -> tuple[dict[Path, np.ndarray], Counter[str]]:
    """Rows to read of each file of documents, and how many rows a surface has."""
    surfaces: dict[str, list[Part]] = defaultdict(list)
    for part in found:
        if part.surface != BY_PRODUCTS:
            surfaces[part.surface].append(part)
    drawn: dict[Path, np.ndarray] = {}
    totals: Counter[str] = Counter()
    for surface, members in sorted(surfaces.items()):
        ends = np.cumsum([0, *map(_rows, members)])
        totals[surface] = int(ends[-1])
        random = np.random.default_rng([seed, *surface.encode()])
        rows = np.sort(random.choice(totals[surface], min(sample, totals[surface]), replace=False))
        for part, start, stop in zip(members, ends[:-1], ends[1:], strict=True):
            low, high = np.searchsorted(rows, [start, stop])
            drawn[part.path] = rows[low:high] - start
    return drawn, totals


def _facts(root: Path) -> tuple[frozenset[str], str]:
    """Sources whose texts are published works that keep their names, and what cards say in public, in lower case."""
    stated: dict[str, dict[str, Any]] = {}
    public: list[str] = []
    for name in ("manifest.json", "provenance.json"):
        try:
            raw = json.loads((root / name).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        sources = raw.get("sources") if isinstance(raw, dict) else None
        if isinstance(sources, dict):
            stated |= {name: facts for name, facts in sources.items() if isinstance(facts, dict)}
    for facts in stated.values():
        public += [str(facts[name]) for name in _PUBLIC_FACTS if facts.get(name)]
    # manifests did not always say `names`
    basis = {name: (facts.get("consent"), facts.get("names", "keep")) for name, facts in stated.items()}
    if not stated:  # a store has no manifest
        basis = {name: (card.consent.basis, card.names) for name, card in load_cards().items()}
    published = frozenset(
        name
        for name, (consent, names) in basis.items()
        if consent in ("published", "public_domain") and names == "keep"
    )
    return published, "\n".join(public).lower()


# --- one file --------------------------------------------------------------------------------------------------------


def _look(job: _Job) -> Seen:
    """Look at one file."""
    part, seen = job.part, Seen()
    search = Search(job.planted) if job.planted else None
    with _reading(part):
        if part.layout == "bytes":
            seen.size[part.surface] += part.path.stat().st_size
            if search is not None:
                for at, text in blocks(part):
                    for _, canary, secret in search.find([text]):
                        _note(seen, part, canary, secret, {"byte": at})
            return seen
        for batch in batches(part, job.wanted):
            _look_at_batch(job, batch, search, seen)
    return seen


def _rows(part: Part) -> int:
    with _reading(part):
        return count_rows(part)


@contextmanager
def _reading(part: Part) -> Iterator[None]:
    """Whatever a broken file makes its reader raise; the message may quote it.

    :raises UserError: without the message.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"cannot read the file ({type(error).__name__})",
            where=part.path,
            fix="make it again, or audit the folder without it",
        ) from None


def _look_at_batch(job: _Job, batch: Batch, search: Search | None, seen: Seen) -> None:
    surface = job.part.surface
    seen.rows[surface] += batch.count
    with_hit: dict[Key, set[int]] = defaultdict(set)
    certain: set[int] = set()
    for column in batch.columns:
        if search is not None:
            for at, canary, secret in search.find(column.texts):
                _note(seen, job.part, canary, secret, _place(job.part, batch, column, at))
        if column.name.rpartition(".")[2] in NOT_TEXT:
            continue
        seen.size[surface] += _bytes(column.texts)
        for hit in find(column.texts):
            row = int(column.rows[hit.row])
            text = column.texts[hit.row].as_py()
            if surface == BY_PRODUCTS and text[hit.start : hit.end].lower() in job.public:
                continue
            published = bool(batch.sources) and batch.sources[row] in job.published and hit.kind in _KEPT_IN_PUBLISHED
            key: Key = (surface, hit.kind, hit.detector, "possible" if published else hit.grade)
            seen.hits[key] += 1
            with_hit[key].add(row)
            if key[3] == "certain":
                certain.add(row)
            if len(seen.places[key]) < KEPT:
                place = _place(job.part, batch, column, hit.row) | {"start": hit.start, "length": hit.end - hit.start}
                seen.places[key].append(place | ({"shape": shape(text, hit)} if job.shapes else {}))
    for found, rows in with_hit.items():
        seen.documents[found] += len(rows)
    seen.certain[surface] += len(certain)
    if batch.sources:
        seen.by_source.update((surface, batch.sources[row]) for row in certain)


def _bytes(texts: pa.Array) -> int:
    return int(np.diff(np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]).sum())


def _place(part: Part, batch: Batch, column: Column, at: int) -> dict[str, Any]:
    """Where a text stands: file, row, column, and its id or JSON pointer."""
    row = int(column.rows[at])
    made: dict[str, Any] = {"file": part.name, "row": int(batch.numbers[row]), "column": column.name}
    if batch.labels and batch.labels[row]:
        made["at" if part.layout == "json" else "id"] = batch.labels[row]
    return made


def _note(seen: Seen, part: Part, canary: int, secret: int, place: dict[str, Any]) -> None:
    if secret >= 0:
        places = seen.leaks[canary, secret]
        if len(places) < KEPT:
            places.append({"surface": part.surface, "file": part.name, **place})
    elif part.surface != BY_PRODUCTS:
        seen.arrived[part.surface].add(canary)


def shape(text: str, hit: Hit) -> str:
    """What a hit looks like, with nothing of it left but marks, classes of characters and, of an e-mail address, its top-level domain.

    ``jo.maple@example.org`` is ``a*.a*@a*.org``, ``07700 900 123`` is ``99999 999 999``.
    """
    value = text[hit.start : hit.end][:60]
    domain = value.rpartition(".")[2] if hit.kind == "EMAIL" else ""
    made, previous = [], ""
    for char in value[: len(value) - len(domain)]:
        kind = "9" if char.isdigit() else "a" if char.isalpha() else ""
        if not kind:
            made.append(char)
        elif kind == "9":
            made.append("9")
        elif previous != "a":
            made.append("a*")
        previous = kind
    return "".join(made) + (domain if domain.isalpha() and len(domain) <= 4 else "a*" if domain else "")
