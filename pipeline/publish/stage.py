"""From an output folder to a folder that can be put on the Hugging Face hub as it is.

Read :func:`stage` top to bottom: gates, rows, counts, terms, pages, commit. Everything is written beside its place; a folder that is there
already is changed file by file at the end, by renames, provenance last. Nothing is sent anywhere.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from pipeline.output import beside, held
from pipeline.publish.attribution import attribution_csv, attribution_sections, license_sections
from pipeline.publish.card import sections
from pipeline.publish.croissant import croissant
from pipeline.publish.facts import Publication
from pipeline.publish.figures import read_figures
from pipeline.publish.folder import Output, open_output, scrub, sha256, verify
from pipeline.publish.header import header
from pipeline.publish.hub import validate_card
from pipeline.publish.merge import merge_page
from pipeline.publish.rewrite import DataFile, published_schema, rewrite
from pipeline.publish.samples import choose
from pipeline.publish.statement import statement_sections
from pipeline.publish.tally import Tally, count
from pipeline.publish.terms import Effective, check_gates, effective_terms
from pipeline.store import flush
from pipeline.whole import copy
from sources.errors import UserError

#: Layout of ``provenance.json``.
SCHEMA_VERSION = 1
CARD = "README.md"
PROVENANCE = "provenance.json"
CHECKSUMS = "checksums.sha256"
#: Pages that people may edit, and that are merged; everything else is ours.
PAGES = (CARD, "DATA_STATEMENT.md", "ATTRIBUTION.md", "LICENSE.md")
_SHARD = re.compile(r"[a-z]+-\d{5}-of-\d{5}\.parquet")


@dataclass(frozen=True)
class Staged:
    """A publication on disk.

    :param folder: where it is.
    :param files: everything to upload, relative to ``folder``, sorted; files of others in the folder are not listed.
    :param rows: config -> split -> rows.
    :param terms: the licence of the whole and how it came about.
    :param identity: hash of the rows' files.
    :param version: raised when rows change.
    :param parent: what it follows: any of ``repo``, ``revision``, ``id``, ``version``; None for a first publication.
    :param changed: files that this run wrote; empty if everything was there already.
    :param kept: what people edited in pages and what therefore was not written anew, as ``README.md: section privacy``.
    :param notes: what the publisher should know.
    """

    folder: Path
    files: list[str]
    rows: dict[str, dict[str, int]]
    terms: Effective
    identity: str
    version: str
    parent: dict[str, Any] | None
    changed: list[str]
    kept: list[str]
    notes: list[str]


def stage(
    output: Path,
    to: Path,
    *,
    contact: str | None = None,
    creator: str | None = None,
    repo: str | None = None,
    parent: str | None = None,
    date: str | None = None,
    by_row: bool = False,
    endpoint: str | None = None,
) -> Staged:
    """Make a publication of an output folder.

    Checked first: the output was made to be published, every source with rows allows it, and a licence for the whole exists (see
    :mod:`pipeline.publish.terms`). Then rows are rewritten for the hub, counted, and described: ``README.md`` (the dataset card),
    ``LICENSE.md``, ``ATTRIBUTION.md`` and ``.csv``, ``DATA_STATEMENT.md``, ``croissant.json``, ``provenance.json`` and
    ``checksums.sha256``. Pages that exist in ``to`` are merged, never overwritten (:mod:`pipeline.publish.merge`). The same output and
    options give the same bytes; nothing tells of this machine.

    :param output: folder that ``wellmix mix`` or ``wellmix curate`` made. Of a mix its Parquet is published, as config ``default``; of a
        set every format, a config each: the first it has of messages, prompt_completion, preference, unpaired and sharegpt is the default.
    :param to: folder of the publication; made, or brought up to date. It may be a clone of the repository on the hub.
    :param contact: whom to write to for removals, in the card: an address or a link.
    :param creator: who publishes, for citation and metadata.
    :param repo: ``owner/name`` on the hub, for links and examples.
    :param parent: ``owner/name@revision`` this one follows. Default: the publication that is in ``to``, or its own parent if the rows
        are the same.
    :param date: ISO date to state; none is stated otherwise.
    :param by_row: publish as a collection without a licence for the whole where the sources' licences exclude each other.
    :param endpoint: of a hub that is asked whether it takes the card; None: it is checked here only.
    :raises UserError: anything the user can mend, before ``to`` is touched.
    """
    made = open_output(output)
    place = to.resolve()
    _check_place(place, made)
    given = _options(repo, parent, date)
    try:
        with held(place):
            return _stage(made, place, to, contact, creator, repo, given, date, by_row, endpoint)
    except OSError as error:
        raise UserError(
            f"cannot read or write: {error.strerror or error}",
            where=error.filename or to,
            fix="check permissions and free space; what is there is as it was, or made whole by the next run",
        ) from None


def _stage(
    made: Output,
    to: Path,
    named: Path,
    contact: str | None,
    creator: str | None,
    repo: str | None,
    given: dict[str, Any] | None,
    date: str | None,
    by_row: bool,
    endpoint: str | None,
) -> Staged:
    """See :func:`stage`.

    :param to: the folder, resolved.
    :param named: the folder as it was named.
    :param given: the parent, in parts.
    """
    before = _previous(to, made)
    counted = "documents" if made.kind == "mix" else "examples"
    stated = {name: facts for name, facts in made.manifest["sources"].items() if facts.get(counted)}
    check_gates(made.manifest, stated)
    effective_terms(stated, by_row=by_row)
    verify(made)
    figures = read_figures()

    aside = beside(to)
    try:
        schemas = {config: published_schema(_paths(splits)) for config, splits in made.configs.items()}
        data = [
            file
            for config, splits in made.configs.items()
            for split, paths in splits.items()
            for file in rewrite(config, split, paths, schemas[config], aside)
        ]
        _check_counts(made, data, counted)
        scratch = aside / ".scratch"
        scratch.mkdir()
        effort = made.manifest["recipe"]["effort"]
        tally = count(data, aside, scratch, figures.thresholds[effort]["safety_disclosure"])
        manifest = scrub(made.manifest)
        facts = _facts(manifest, tally)
        check_gates(manifest, facts)
        terms = effective_terms(facts, by_row=by_row)
        default = next(iter(schemas))
        samples = choose(
            default,
            schemas[default],
            [aside / file.path for file in data if file.config == default and file.split == "train"],
            [name for name, fact in facts.items() if fact["sensitivity"] != "high"],
            scratch,
        )
        shutil.rmtree(scratch)
        identity = hashlib.sha256("".join(f"{file.sha256}  {file.path}\n" for file in data).encode()).hexdigest()
        version, follows = _lineage(before, identity, given)
        pub = Publication(
            kind=made.kind, name=made.name, manifest=manifest, ledger=scrub(made.ledger), sources=facts, schemas=schemas, data=data,
            tally=tally, terms=terms, figures=figures, samples=samples, identity=identity, version=version, parent=follows,
            contact=contact, creator=creator, repo=repo, date=date,
        )  # fmt: skip
        kept = _write(pub, aside, to, before, (made.folder, to))
        validate_card((aside / "README.md").read_text("utf-8"), aside, to, endpoint=endpoint)
        files = sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
        flush(aside)
        changed = _commit(aside, to, files, before)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Staged(
        folder=named,
        files=files,
        rows={config: {split: pub.rows(config, split) for split in pub.splits(config)} for config in schemas},
        terms=terms,
        identity=identity,
        version=version,
        parent=follows,
        changed=changed,
        kept=kept,
        notes=_notes(pub, by_row),
    )


def _options(repo: str | None, parent: str | None, date: str | None) -> dict[str, Any] | None:
    """Check the forms of options; the parent, in parts."""
    if repo is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"{repo!r} is no dataset of the hub", where="repo", fix="write it as owner/name")
    if date is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise UserError(f"{date!r} is no date", where="date", fix="write it as 2026-01-31")
    if parent is None:
        return None
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)@([\w./-]+)", parent)
    if not match:
        raise UserError(
            f"{parent!r} does not name a publication",
            where="parent",
            fix="write it as owner/name@revision, a tag or a commit",
        )
    return {"repo": match[1], "revision": match[2]}


def _check_place(to: Path, made: Output) -> None:
    here, there = made.folder.resolve(), to.resolve()
    if there == here or here in there.parents or there in here.parents:
        raise UserError(
            "the publication cannot be in the output, nor the output in it", where=to, fix="choose a folder of its own"
        )
    if to.exists() and not to.is_dir():
        raise UserError("this is a file", where=to, fix="choose a folder")


def _previous(to: Path, made: Output) -> dict[str, Any] | None:
    """Provenance of the publication that is in the folder.

    :raises UserError: it is of something else, or files we would write are somebody else's.
    """
    if not to.is_dir():
        return None
    try:
        before = json.loads((to / PROVENANCE).read_text("utf-8"))
        if before["schema_version"] != SCHEMA_VERSION or before["publication"]["name"] != made.name:
            raise UserError(
                f"the folder holds a publication of {before['publication']['name']!r}, not of {made.name!r}",
                where=to / PROVENANCE,
                fix="choose another folder, or delete the publication in it",
            )
        return before
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            "the provenance in the folder cannot be read",
            where=to / PROVENANCE,
            fix="restore it, or choose another folder",
        ) from None
    ours = ["ATTRIBUTION.csv", "croissant.json", CHECKSUMS]
    ours += [f"data/{config}" for config in made.configs]
    if taken := next((name for name in ours if (to / name).exists()), None):
        raise UserError(
            f"the folder holds {taken}, which wellmix did not write",
            where=to,
            fix="move it away, or choose another folder",
        )
    return None


def _paths(splits: dict[str, list[Path]]) -> Iterable[Path]:
    return (path for paths in splits.values() for path in paths)


def _check_counts(made: Output, data: list[DataFile], counted: str) -> None:
    """Whether as many rows were written as the manifest counts."""
    names = {
        (config, split): {path.relative_to(made.folder).as_posix() for path in paths}
        for config, splits in made.configs.items()
        for split, paths in splits.items()
    }
    for (config, split), paths in names.items():
        stated = sum(entry[counted] for entry in made.manifest["files"] if entry["path"] in paths)
        found = sum(file.rows for file in data if (file.config, file.split) == (config, split))
        if stated != found:
            raise UserError(
                f"{config}, {split}: the manifest counts {stated:,} rows, the files hold {found:,}",
                where=made.folder / "manifest.json",
                fix="make the output again",
            )


def _facts(manifest: dict[str, Any], tally: Tally) -> dict[str, dict[str, Any]]:
    """Card facts of the sources that have rows.

    :raises UserError: rows name a source or a licence that the manifest does not.
    """
    facts = {}
    for name, licenses in sorted(tally.licenses.items()):
        known = manifest["sources"].get(name)
        if known is None or licenses != {known["license"]}:
            told = "no such source" if known is None else known["license"]
            raise UserError(
                f"rows of {name} are under {', '.join(sorted(licenses))}; the manifest says {told}",
                where="manifest.json: sources",
                fix="make the output again",
            )
        facts[name] = known
    return facts


def _lineage(
    before: dict[str, Any] | None, identity: str, given: dict[str, Any] | None
) -> tuple[str, dict[str, Any] | None]:
    """Version and parent. The same rows are the same version and have the same parent as before."""
    if before is None:
        return "1.0.0", given
    last = before["publication"]
    if last["id"] == identity:
        return last["version"], {**(before["parent"] or {}), **given} if given else before["parent"]
    major = int(last["version"].split(".")[0])
    return f"{major + 1}.0.0", {"id": last["id"], "version": last["version"], **(given or {})}


def _write(
    pub: Publication, aside: Path, to: Path, before: dict[str, Any] | None, places: tuple[Path, Path]
) -> list[str]:
    """All pages and tables; what people keep of the pages."""
    kept: list[str] = []
    writers = (sections, statement_sections, attribution_sections, license_sections)
    bodies = {page: writer(pub) for page, writer in zip(PAGES, writers, strict=True)}
    wanted = header(pub)
    for page, body in bodies.items():
        card = page == "README.md"
        _check_silent(page, "\n".join(body.values()) + (str(wanted) if card else ""), places)
        merged = merge_page(
            _existing(to / page),
            body,
            header=wanted if card else None,
            before=before["header"] if card and before else None,
            page=page,
        )
        (aside / page).write_text(merged.text, "utf-8", newline="")
        kept += merged.kept
    tables = {
        "ATTRIBUTION.csv": attribution_csv(pub),
        "croissant.json": _json(croissant(pub)),
        PROVENANCE: _json(_provenance(pub, wanted)),
    }
    for name, text in tables.items():
        _check_silent(name, text, places)
        (aside / name).write_text(text, "utf-8", newline="")
    # Not the pages: people may edit those, and the sums of everything else must still agree then.
    summed = [*(file.path for file in pub.data), *tables]
    sums = "".join(f"{sha256(aside / name)}  {name}\n" for name in sorted(summed))
    (aside / CHECKSUMS).write_text(sums, "utf-8")
    return kept


def _existing(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UserError("the page is not UTF-8 text", where=path, fix="save it as UTF-8") from None


def _provenance(pub: Publication, wanted: dict[str, Any]) -> dict[str, Any]:
    """``provenance.json``: where it comes from, and what the next version needs to know of this one."""
    return {
        "schema_version": SCHEMA_VERSION,
        "publication": {
            "name": pub.name,
            "kind": pub.kind,
            "id": pub.identity,
            "version": pub.version,
            "license": pub.terms.license_id,
            "date": pub.date,
            "wellmix": installed("wellmix"),
        },
        "parent": pub.parent,
        "files": [
            {"path": file.path, "config": file.config, "split": file.split, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
            for file in pub.data
        ],
        "header": wanted,
        "manifest": pub.manifest,
        "ledger": pub.ledger,
    }  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _check_silent(name: str, text: str, places: Iterable[Path]) -> None:
    """Whether what we write names no folder of this machine.

    :raises UserError: it does.
    """
    secrets = {str(place.resolve()) for place in (*places, Path.cwd(), Path.home())}
    # a folder such as "/" or "/tmp" would be met by chance
    if found := next((secret for secret in sorted(secrets) if len(Path(secret).parts) > 2 and secret in text), None):
        raise UserError(
            f"{name} would name a folder of this machine: {found}",
            where=name,
            fix="take the path out of the recipe, or of the card of its source, and make the output again",
        )


def _commit(aside: Path, to: Path, files: list[str], before: dict[str, Any] | None) -> list[str]:
    """Put the files in their places: the whole folder by one rename where there is none, else file by file.

    Rows first, then what describes them, provenance last: until it is there, the folder is the previous publication being replaced, and
    the next run makes it whole.
    """
    if not to.exists():
        os.rename(aside, to)
        return files
    order = sorted(files, key=lambda name: (name == PROVENANCE, not name.startswith("data/"), name))
    rows = [name for name in order if name.startswith("data/")]
    changed = [name for name in order if not _equal(aside / name, to / name)]
    for name in (name for name in changed if name in rows):
        _place(aside / name, to / name)
    for name in _stale(to, rows, before):
        (to / name).unlink(missing_ok=True)
    for name in (name for name in changed if name not in rows):
        _place(aside / name, to / name)
    return sorted(changed)


def _equal(one: Path, other: Path) -> bool:
    return other.is_file() and one.stat().st_size == other.stat().st_size and sha256(one) == sha256(other)


def _stale(to: Path, rows: list[str], before: dict[str, Any] | None) -> list[str]:
    """Files of rows of an earlier version, or of one that was not finished; a pattern in the card would load them, too."""
    known = [entry["path"] for entry in (before or {}).get("files", [])]
    folders = {name.rsplit("/", 1)[0] for name in (*rows, *known)}
    found = {
        f"{folder}/{path.name}"
        for folder in folders
        if re.fullmatch(r"data/[\w-]+", folder) and (to / folder).is_dir()
        for path in (to / folder).iterdir()
        if _SHARD.fullmatch(path.name)
    }
    return sorted(found - set(rows))


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # the folder is the mount point of another device
        part = target.with_name(f".{target.name}.part")
        copy(source, part)
        os.replace(part, target)


def _notes(pub: Publication, by_row: bool) -> list[str]:
    notes = list(pub.terms.notes)
    if by_row and not pub.terms.by_row:
        notes.append(f"--by-row was not needed: {pub.terms.name} covers all rows, and stands in the header")
    if not pub.contact:
        notes.append("no contact for removals was given: the card names the sources' own only (--contact)")
    if pub.private:
        notes.append(
            f"people could be harmed if they were identified ({', '.join(pub.private)}): consider gating the repository"
        )
    if not pub.samples:
        notes.append("no row qualified to be shown in the card")
    return notes
