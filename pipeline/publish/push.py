"""To the hub, in one commit: what is there already is not sent again, and what people wrote there stays.

A push is a loop that may be broken off anywhere. It reads the branch's head, merges our card into the one that is there, compares every
file by digest, uploads what is missing (large files in batches; the hub remembers those it has), and commits on the condition that the
head is still the one it read. If it is not, somebody committed meanwhile: read, merge and compare again. If the answer to a commit is
lost, the next round finds nothing left to do, so nothing is committed twice.

Large files go over plain HTTP (the hub's Git LFS interface), not over Xet: one path for huggingface.co, for a hub of one's own and for the
tests. The hub moves them into Xet storage by itself.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import logging
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
import huggingface_hub
import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoFile, constants, hf_hub_url
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    _http,
    are_progress_bars_disabled,
    build_hf_headers,
    disable_progress_bars,
    enable_progress_bars,
    get_session,
    hf_raise_for_status,
    parse_ratelimit_headers,
    validate_repo_id,
)
from rich.markup import escape

from pipeline.console import console
from pipeline.publish.merge import _FRONT, Merged, _sections, merge_page, section_hash
from pipeline.publish.stage import CHECKSUMS, PAGES, PROVENANCE
from sources.errors import UserError

if TYPE_CHECKING:
    from pipeline.console import Progress

CARD = "README.md"

#: A batch of large files: so much is lost when one fails for good, and so often the bar moves.
BATCH_FILES, BATCH_BYTES = 50, 1 << 30

#: Files sent at once.
THREADS = 4

#: Seconds. A commit of many files may take the hub minutes; a connection that is silent for longer is dead.
TIMEOUT = {"connect": 30.0, "read": 600.0, "write": 120.0}

#: Rounds of a head that moved while we were at it.
CONFLICTS = 5

#: What a commit was made of; ours is known again by it when the answer to it was lost.
_DIGEST = "wellmix-digest: "

#: Files beside ``data/`` that are ours alone; one that is no longer made is removed.
_OURS = ("ATTRIBUTION.csv", "croissant.json", PROVENANCE)

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})

_T = TypeVar("_T")


@dataclass(frozen=True)
class Retry:
    """How patient a push is.

    :param attempts: of one request.
    :param first, longest: seconds before the second attempt, and at most; each wait is twice the one before, less a random part.
    :param patience: longest ``Retry-After`` that is waited for.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0
    patience: float = 900.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def wait(self, failed: int, asked: float | None) -> float:
        """Seconds before the next attempt.

        :param failed: attempts so far.
        :param asked: what the hub asked for.
        """
        if asked is not None:
            return asked + self.random()
        return min(self.longest, self.first * 2 ** (failed - 1)) * (0.5 + self.random() / 2)


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    :param commit: the branch's head that holds the publication.
    :param changed: whether this push made it; if not, there was nothing to do.
    :param files, bytes: sent; what the hub had already is not counted.
    :param kept: what people wrote into the card, and was kept.
    """

    repo: str
    url: str
    revision: str
    commit: str
    changed: bool
    private: bool
    files: list[str] = field(default_factory=list)
    bytes: int = 0
    unchanged: int = 0
    deleted: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def push(
    folder: Path,
    repo: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    private: bool = True,
    message: str | None = None,
    revision: str | None = None,
    progress: Progress | None = None,
    retry: Retry | None = None,
) -> Pushed:
    """Publish a staged folder as a dataset repository, in one commit.

    :param folder: what ``wellmix publish`` staged: a card, ``data/`` and what belongs to them.
    :param repo: ``owner/name``; made if it is not there.
    :param endpoint: of another hub than the one HF_ENDPOINT names.
    :param token: else HF_TOKEN, or what ``hf auth login`` stored.
    :param private: make a new repository private, and refuse to push into one that is public. False makes a new one public, and leaves
        one that is there as it is.
    :param message: of the commit.
    :param revision: a branch; made from main if it is not there. Default main.
    :raises UserError: something the user can mend: the folder, the name, the token and its rights, or metadata that the hub refuses.
    :raises OSError: the hub cannot be reached, or did not answer in time; the same call goes on from there.
    """
    _check_name(repo)
    token = token or huggingface_hub.get_token()
    if not token:
        raise UserError(
            "there is no token to push with",
            where=f"{(endpoint or constants.ENDPOINT).rstrip('/')}/settings/tokens",
            fix="make one there that may write, then set HF_TOKEN or run `hf auth login`",
        )
    outgoing = Outgoing.read(folder)
    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    with _quiet_client():
        hub = _Hub(repo, endpoint, token, revision or "main", retry or Retry(), progress)
        return hub.push(outgoing, private, message or _message(outgoing))


def _message(outgoing: Outgoing) -> str:
    facts = outgoing.provenance.get("publication") or {}
    what = " ".join(str(facts[name]) for name in ("name", "version") if facts.get(name))
    return f"Publish {what or outgoing.folder.resolve().name} (wellmix {version('wellmix')})"


def _check_name(repo: str) -> None:
    fix = "give it as owner/name, such as my-name/my-dataset"
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UserError(f"{repo!r} is not the name of a repository", fix=fix)
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(str(error), where=repo, fix=fix) from None


@contextmanager
def _quiet_client() -> Iterator[None]:
    """The hub's client as we need it, for a while.

    With time-outs, of which it has none. Without Xet; without telemetry, for which it asks huggingface.co whatever hub it talks to;
    without bars and log lines, which show signed addresses.
    """
    factory = getattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
    xet, telemetry = constants.HF_HUB_DISABLE_XET, constants.HF_HUB_DISABLE_TELEMETRY
    bars, level, requests = are_progress_bars_disabled(), hub_logging.get_verbosity(), logging.getLogger("httpx2")
    requests_level = requests.level

    def bound(request: httpx2.Request) -> None:
        # here and not as the client's own time-out, because some calls say None for themselves
        asked = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {**asked, **{name: asked.get(name) or limit for name, limit in TIMEOUT.items()}}

    def with_timeout() -> httpx2.Client:
        client = factory()
        client.event_hooks = {**client.event_hooks, "request": [*client.event_hooks["request"], bound]}
        return client

    huggingface_hub.set_client_factory(with_timeout)
    constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_TELEMETRY = True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cannot (enable|disable) progress bars")
        disable_progress_bars()
        hub_logging.set_verbosity(hub_logging.CRITICAL)
        requests.setLevel(logging.WARNING)
        try:
            yield
        finally:
            hub_logging.set_verbosity(level)
            requests.setLevel(requests_level)
            if not bars:
                enable_progress_bars()
            constants.HF_HUB_DISABLE_XET, constants.HF_HUB_DISABLE_TELEMETRY = xet, telemetry
            huggingface_hub.set_client_factory(factory)


# -- what is ours --------------------------------------------------------------------------------------------------------------------


@dataclass
class Local:
    """A file to publish: on disk, or (the merged card) in memory."""

    path: str
    source: Path | bytes

    @cached_property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    @cached_property
    def sha256(self) -> str:
        return self._digest("sha256", b"")

    @cached_property
    def git_oid(self) -> str:
        return self._digest("sha1", b"blob %d\0" % self.size)

    def _digest(self, name: str, head: bytes) -> str:
        digest = hashlib.new(name, head)
        if isinstance(self.source, bytes):
            digest.update(self.source)
        else:
            with self.source.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def is_at(self, remote: RepoFile | None) -> bool:
        """Whether the hub has just this; hashed only where the size is the same."""
        if remote is None:
            return False
        if remote.lfs is not None:
            return remote.lfs.size == self.size and remote.lfs.sha256 == self.sha256
        return remote.size == self.size and remote.blob_id == self.git_oid

    def operation(self) -> CommitOperationAdd:
        """A new one each round: the hub's client keeps in it what it learned of an earlier head."""
        source = self.source if isinstance(self.source, bytes) else str(self.source)
        operation = CommitOperationAdd(path_in_repo=self.path, path_or_fileobj=source)
        if "sha256" in self.__dict__:  # known already: not to be read again
            operation.upload_info.sha256 = bytes.fromhex(self.sha256)
        return operation


@dataclass(frozen=True)
class Outgoing:
    """A staged publication: the files that are ours alone, and the pages, which people may have written in.

    :param provenance: what it says of itself; its ``header`` is what we wanted in the card.
    :param left: files in the folder that are not of the publication, and stay there.
    """

    folder: Path
    files: dict[str, Local]
    pages: dict[str, str]
    provenance: dict[str, Any]
    left: list[str]

    @classmethod
    def read(cls, folder: Path) -> Outgoing:
        """
        :raises UserError: it is no staged publication, or was changed since it was made. Pages may be.
        """
        fix = "stage it with `wellmix publish`"
        if not folder.is_dir():
            raise UserError("there is no such folder", where=folder, fix=fix)
        if missing := next((name for name in (CARD, CHECKSUMS, PROVENANCE) if not (folder / name).is_file()), None):
            raise UserError(f"this is not a staged publication: it has no {missing}", where=folder, fix=fix)
        listed = {name: sha for name, sha in _checksums((folder / CHECKSUMS).read_bytes()).items() if name not in PAGES}
        files = {name: Local(name, folder / name) for name in [*listed, CHECKSUMS]}
        pages = {name: folder / name for name in PAGES if (folder / name).is_file()}
        for path in [*(folder / name for name in files), *pages.values()]:
            if not path.is_file():
                raise UserError("a file of the publication is missing", where=path, fix="stage it again")
            if not path.resolve().is_relative_to(folder.resolve()):
                raise UserError("a file of the publication leads out of its folder", where=path, fix="stage it again")
        for name, digest in listed.items():
            if files[name].sha256 != digest:
                raise UserError("a file was changed since it was staged", where=folder / name, fix="stage it again")
        if not any(_is_data(name) for name in files):
            raise UserError("the publication has no rows: nothing in data/", where=folder, fix=fix)
        left = [
            name
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            and (name := path.relative_to(folder).as_posix()) not in files
            and name not in pages
            and not any(part.startswith(".") for part in name.split("/"))
        ]
        try:
            texts = {name: path.read_bytes().decode("utf-8") for name, path in pages.items()}
            provenance = dict(json.loads((folder / PROVENANCE).read_bytes()))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"a page or the provenance cannot be read: {error}", where=folder, fix="stage it again"
            ) from None
        return cls(folder, files, texts, provenance, left)


def _is_data(name: str) -> bool:
    return PurePosixPath(name).parts[0] == "data" and name.endswith(".parquet")


def _checksums(text: bytes) -> dict[str, str]:
    """Lines of ``sha256sum``: path -> digest. What else somebody may have written there is passed over."""
    found = re.findall(r"^([0-9a-f]{64}) [ *](.+?)\r?$", text.decode("utf-8", "replace"), re.MULTILINE)
    return {name: digest for digest, name in found if ".." not in name.split("/") and not name.startswith("/")}


# -- pages ---------------------------------------------------------------------------------------------------------------------------


def merge_pages(there: str, here: str, *, before: dict[str, Any] | None = None, page: str = CARD) -> Merged:
    """Put a staged page into the one on the hub. What people wrote stays, be it there or here.

    Sections and header are merged by :func:`pipeline.publish.merge.merge_page`. A section that was edited here keeps its old hash, so
    that it is known as a person's there, too. Words between the sections are those of the page that has the other's as well.

    :param before: the header that the publication on the hub wanted.
    :raises UserError: both pages have words between the sections that the other has not; or the header cannot be merged.
    """
    ours = _sections(here, page)
    front = _FRONT.match(here)
    header = yaml.safe_load(front["yaml"]) if front and page == CARD else None
    merged = merge_page(
        there, {section.name: section.content.strip() for section in ours}, header=header, before=before, page=page
    )
    text = merged.text
    for section in ours:
        if section.hash not in (None, section_hash(section.content)):
            mark = "<!-- wellmix:begin {} sha256:{} -->"
            text = text.replace(
                mark.format(section.name, section_hash(section.content)), mark.format(section.name, section.hash)
            )
    words_there, words_here = _between(there, page), _between(here, page)
    if words_here - words_there:
        if words_there - words_here:
            raise UserError(
                "the page has words here that are not on the hub, and words there that are not here",
                where=page,
                fix="put those of the hub into the page here, or stage into a clone of the repository",
            )
        text = _around(here, text, page)
    return Merged(text, merged.kept, merged.header)


def _body(text: str) -> str:
    front = _FRONT.match(text)
    return text[front.end() :] if front else text


def _between(text: str, page: str) -> set[str]:
    """Lines that stand in no section."""
    body, at, lines = _body(text), 0, []
    for section in _sections(body, page):
        lines += body[at : section.start].splitlines()
        at = section.end
    return {stripped for line in [*lines, *body[at:].splitlines()] if (stripped := line.strip())}


def _around(skeleton: str, text: str, page: str) -> str:
    """The header and sections of ``text`` with the words between the sections of ``skeleton``."""
    body, place = _body(text), _body(skeleton)
    sections = {section.name: body[section.start : section.end] for section in _sections(body, page)}
    made, at = text[: len(text) - len(body)], 0
    for section in _sections(place, page):
        made += place[at : section.start] + sections.pop(section.name, "")
        at = section.end
    made += place[at:]
    return "\n\n".join([made.rstrip("\n"), *sections.values()]) + "\n"


# -- the push ------------------------------------------------------------------------------------------------------------------------


@dataclass
class Plan:
    """What is left to do at a head."""

    head: str
    add: list[Local]
    delete: list[str]
    unchanged: int
    kept: list[str]
    notes: list[str]

    @property
    def nothing(self) -> bool:
        return not self.add and not self.delete

    @property
    def digest(self) -> str:
        lines = [f"{file.path} {file.sha256}" for file in self.add] + [f"{name} -" for name in self.delete]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


class _Lost(Exception):  # noqa: N818
    """It is not known whether a request was acted on."""


class _Hub:
    """One repository on one hub."""

    def __init__(
        self, repo: str, endpoint: str, token: str, revision: str, retry: Retry, progress: Progress | None
    ) -> None:
        self.repo, self.endpoint, self.token, self.revision = repo, endpoint, token, revision
        self.retry, self.progress = retry, progress
        self.api = HfApi(endpoint=endpoint, token=token, library_name="wellmix", library_version=version("wellmix"))
        self.sent: set[str] = set()  # large files that are on the hub, committed or not
        self.notes: list[str] = []

    # .. the loop

    def push(self, outgoing: Outgoing, private: bool, message: str) -> Pushed:
        info = self._open(private)
        is_private = bool(info.private)
        if private and not is_private:
            raise UserError(
                "this repository is public, and the push is to be private",
                where=self.url,
                fix="make it private in its settings, or push with --public",
            )
        if not private and is_private:
            self.notes.append("the repository is private and stays so; its settings make it public")
        committed: list[Plan] = []  # commits sent, whether answered or not
        conflicts = lost = 0
        head: str | None = str(info.sha)
        while True:
            plan = self._plan(outgoing, head or self._head())
            head = None
            if plan.nothing:
                return self._done(plan, committed, is_private)
            self._check_card(plan)
            operations = self._upload(plan)
            committed.append(plan)
            try:
                oid = self._commit(plan, operations, message)
            except _Conflict as error:
                committed.pop()
                conflicts += 1
                if self._head() == plan.head:
                    raise UserError(
                        "the hub does not take a commit on this branch, although nobody else committed to it",
                        where=self.url,
                        fix="give the token the right to write to this repository; one that may only open pull requests gets this answer",
                    ) from None
                if conflicts >= CONFLICTS:
                    raise OSError(
                        f"{self.repo} was changed {conflicts} times while we pushed: {error}; {self._so_far(plan)}"
                    ) from None
                self._say("somebody committed meanwhile; merging again")
            except _Lost as error:
                lost += 1
                reason, asked = error.args
                if lost >= self.retry.attempts:
                    raise OSError(
                        f"the hub did not answer the commit {lost} times: {reason}; {self._so_far(plan)}"
                    ) from None
                self._pause(lost, asked, f"the commit was not answered ({reason}); looking whether it arrived")
            else:
                return self._verify(outgoing, plan, oid, is_private)

    def _done(self, plan: Plan, committed: list[Plan], private: bool) -> Pushed:
        """Nothing is left to do: because there never was, or because a commit arrived whose answer did not."""
        if committed:
            history = self._call(
                "list the commits",
                lambda: self.api.list_repo_commits(self.repo, repo_type="dataset", revision=self.revision),
            )
            for sent in reversed(committed):
                for commit in history:
                    if _DIGEST + sent.digest in commit.message:
                        return self._pushed(plan, sent, commit.commit_id, private)
        return self._pushed(plan, None, plan.head, private)

    def _verify(self, outgoing: Outgoing, plan: Plan, oid: str, private: bool) -> Pushed:
        """Read back what the commit holds: every file of ours, by its digest."""
        try:
            tree = self._tree(oid)
        except OSError as error:
            self.notes.append(f"the commit is made, but could not be read back: {error}")
        else:
            missing = {
                file.path for file in (*outgoing.files.values(), *plan.add) if not file.is_at(tree.get(file.path))
            }
            if missing:
                raise OSError(f"the hub made the commit {oid}, but it does not hold: {', '.join(sorted(missing)[:5])}")
        return self._pushed(plan, plan, oid, private)

    def _pushed(self, plan: Plan, sent: Plan | None, commit: str, private: bool) -> Pushed:
        return Pushed(
            repo=self.repo,
            url=self.url,
            revision=self.revision,
            commit=commit,
            changed=sent is not None,
            private=private,
            files=[file.path for file in sent.add] if sent else [],
            bytes=sum(file.size for file in sent.add) if sent else 0,
            unchanged=sent.unchanged if sent else plan.unchanged,
            deleted=sent.delete if sent else [],
            kept=plan.kept,
            notes=list(dict.fromkeys([*self.notes, *plan.notes])),
        )

    def _so_far(self, plan: Plan) -> str:
        rows = [file for file in plan.add if _is_data(file.path)]
        done = [file for file in rows if file.path in self.sent]
        sizes = [f"{sum(file.size for file in files) / 1e6:,.1f}" for files in (done, rows)]
        return f"{len(done)} of {len(rows)} files of rows are uploaded ({sizes[0]} of {sizes[1]} MB); the same command goes on from here"

    # .. reading

    @property
    def url(self) -> str:
        return f"{self.endpoint}/datasets/{self.repo}"

    def _open(self, private: bool) -> Any:
        """The repository, made if it is not there. Asked for first: a token may have the right to write to it and none to make any."""
        try:
            return self._info()
        except RepositoryNotFoundError:
            self._call(
                "make the repository",
                lambda: self.api.create_repo(self.repo, repo_type="dataset", private=private, exist_ok=True),
            )
            return self._info()

    def _info(self) -> Any:
        def ask() -> Any:
            return self.api.dataset_info(self.repo, revision=self.revision)

        try:
            return self._call("look at the repository", ask)
        except RevisionNotFoundError:
            self._call(
                f"make the branch {self.revision}",
                lambda: self.api.create_branch(self.repo, branch=self.revision, repo_type="dataset", exist_ok=True),
            )
            return self._call("look at the repository", ask)

    def _head(self) -> str:
        return str(self._info().sha)

    def _tree(self, commit: str) -> dict[str, RepoFile]:
        entries = self._call(
            "list the files",
            lambda: list(self.api.list_repo_tree(self.repo, repo_type="dataset", revision=commit, recursive=True)),
        )
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _read(self, path: str, commit: str) -> bytes:
        def ask() -> bytes:
            address = hf_hub_url(self.repo, path, repo_type="dataset", revision=commit, endpoint=self.endpoint)
            response = get_session().get(address, headers=build_hf_headers(token=self.token))
            hf_raise_for_status(response)
            return response.content

        return self._call(f"read {path}", ask)

    def _plan(self, outgoing: Outgoing, head: str) -> Plan:
        tree = self._tree(head)
        before = self._before(outgoing, head, tree)
        pages: list[Local] = []
        kept: list[str] = []
        for name, text in outgoing.pages.items():
            page = Local(name, text.encode())
            if name in tree and not page.is_at(tree[name]):
                try:
                    there = self._read(name, head).decode("utf-8")
                except UnicodeDecodeError:
                    raise UserError(
                        f"{name} on the hub is not UTF-8, so it cannot be merged", where=self.url, fix="mend it there"
                    ) from None
                merged = merge_pages(there, text, before=before.get("header"), page=name)
                page = Local(name, merged.text.encode())
                kept += merged.kept
            pages.append(page)
        files = [*outgoing.files.values(), *pages]
        add = [file for file in files if not file.is_at(tree.get(file.path))]
        earlier = self._earlier(outgoing, head, tree)
        foreign = [file.path for file in add if file.path in tree and file.path not in (CHECKSUMS, *PAGES)]
        if foreign and not earlier:
            raise UserError(
                f"the repository holds files of these names that no publication of wellmix lists: {', '.join(foreign[:3])}",
                where=self.url,
                fix="push to another repository, or remove them there first",
            )
        delete, notes = self._stale(outgoing, head, tree, earlier)
        if outgoing.left:
            notes.append(f"not of the publication, and not sent: {', '.join(outgoing.left[:5])}")
        return Plan(head, add, delete, len(files) - len(add), kept, notes)

    def _same_or_read(self, outgoing: Outgoing, name: str, head: str, tree: dict[str, RepoFile]) -> bytes | None:
        """A file of the publication on the hub; ours if it is the same, None if there is none."""
        if name not in tree:
            return None
        local = outgoing.files.get(name)
        if local is not None and local.is_at(tree[name]):
            return (outgoing.folder / name).read_bytes()
        return self._read(name, head)

    def _before(self, outgoing: Outgoing, head: str, tree: dict[str, RepoFile]) -> dict[str, Any]:
        """What the publication on the hub says of itself.

        :raises UserError: it is a publication of something else.
        """
        text = self._same_or_read(outgoing, PROVENANCE, head, tree)
        try:
            before = json.loads(text) if text is not None else {}
            there, here = before.get("publication") or {}, outgoing.provenance.get("publication") or {}
        except (ValueError, AttributeError):
            return {}
        if there and there.get("name") != here.get("name"):
            raise UserError(
                f"the repository holds a publication of {there.get('name')!r}, not of {here.get('name')!r}",
                where=self.url,
                fix="push to another repository",
            )
        follows = (outgoing.provenance.get("parent") or {}).get("id")
        if there and there.get("id") not in (here.get("id"), follows):
            self.notes.append(
                f"this is version {here.get('version')}, and does not follow version {there.get('version')}, which was on the hub; "
                "stage into a clone of the repository to go on from it"
            )
        return before

    def _earlier(self, outgoing: Outgoing, head: str, tree: dict[str, RepoFile]) -> dict[str, str]:
        """Digests of the files that the publication on the hub is made of."""
        return _checksums(self._same_or_read(outgoing, CHECKSUMS, head, tree) or b"")

    def _stale(
        self, outgoing: Outgoing, head: str, tree: dict[str, RepoFile], earlier: dict[str, str]
    ) -> tuple[list[str], list[str]]:
        """What the publication on the hub left that this one has not: only what it lists itself, and only as it left it."""
        delete, notes = [], []
        for name, remote in tree.items():
            if name in outgoing.files or not (name.startswith("data/") or name in _OURS):
                continue
            if name in earlier:
                ours = (
                    remote.lfs.sha256 if remote.lfs is not None else hashlib.sha256(self._read(name, head)).hexdigest()
                )
                if ours == earlier[name]:
                    delete.append(name)
                    continue
                notes.append(f"{name} is of an earlier publication, but was changed on the hub since: it is left there")
            elif _is_data(name):
                notes.append(f"{name} is not of wellmix and is left there; check that no split of the card loads it")
        return delete, notes

    # .. writing

    def _check_card(self, plan: Plan) -> None:
        """Ask the hub before anything large is sent whether it takes the card; a commit would ask only afterwards."""
        card = next((file for file in plan.add if file.path == CARD), None)
        if card is None:
            return
        assert isinstance(card.source, bytes)
        asked = {"content": card.source.decode(), "repoType": "dataset"}

        def ask() -> Any:
            response = get_session().post(
                f"{self.endpoint}/api/validate-yaml", json=asked, headers=build_hf_headers(token=self.token)
            )
            if response.status_code != 400:
                hf_raise_for_status(response)
            return response.json()

        answer = self._call("check the card", ask)
        if errors := [str(error.get("message")) for error in answer.get("errors") or []]:
            raise UserError(
                f"the hub refuses the card: {'; '.join(errors)}",
                where=CARD,
                fix="mend its metadata; what a person wrote into the card on the hub is merged into ours",
            )
        self.notes += [
            f"the hub says of the card: {warning.get('message')}" for warning in answer.get("warnings") or []
        ]

    def _upload(self, plan: Plan) -> list[CommitOperationAdd]:
        """Send the large files, batch by batch; small ones go with the commit."""
        total = sum(file.size for file in plan.add)
        done = 0
        all_operations: list[CommitOperationAdd] = []
        for batch in _batches(plan.add):
            operations = [file.operation() for file in batch]
            all_operations += operations
            try:
                self._call(
                    f"upload {batch[0].path}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""),
                    partial(
                        self.api.preupload_lfs_files,
                        self.repo,
                        operations,
                        repo_type="dataset",
                        revision=self.revision,
                        num_threads=THREADS,
                        free_memory=False,
                    ),
                )
            except OSError as error:
                raise OSError(f"{error}; {self._so_far(plan)}") from None
            for file, operation in zip(batch, operations, strict=True):
                if getattr(operation, "_should_ignore", False):
                    raise UserError(
                        f"the repository's .gitignore leaves out {file.path}",
                        where=self.url,
                        fix="change its .gitignore",
                    )
                if getattr(operation, "_upload_mode", None) == "lfs":
                    self.sent.add(file.path)
            done += sum(file.size for file in batch)
            if self.progress is not None:
                self.progress.count("upload", done, total)
        return all_operations

    def _commit(self, plan: Plan, additions: list[CommitOperationAdd], message: str) -> str:
        """
        :raises _Conflict: the head has moved.
        :raises _Lost: no answer, or one that leaves open whether the commit was made.
        """
        operations: list[Any] = [*additions, *(CommitOperationDelete(name) for name in plan.delete)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of the card: they are in the notes
                made = self.api.create_commit(
                    self.repo,
                    operations,
                    commit_message=message,
                    commit_description=_DIGEST + plan.digest,
                    repo_type="dataset",
                    revision=self.revision,
                    parent_commit=plan.head,
                    num_threads=THREADS,
                )
        except Exception as error:
            status = _status(error)
            if status in (409, 412):
                raise _Conflict(self._clean(error)) from None
            transient, asked = _is_transient(error)
            if transient:
                raise _Lost(self._clean(error), asked) from None
            raise self._final("commit", error) from None
        return made.oid

    # .. patience

    def _call(self, what: str, function: Callable[[], _T]) -> _T:
        """Ask the hub something that may be asked twice.

        :raises RepositoryNotFoundError: there is no such repository, or the token may not see it.
        :raises RevisionNotFoundError: there is no such branch.
        """
        failed = 0
        while True:
            try:
                return function()
            except (RepositoryNotFoundError, RevisionNotFoundError):
                raise
            except Exception as error:
                transient, asked = _is_transient(error)
                if not transient:
                    raise self._final(what, error) from None
                failed += 1
                reason = self._clean(error)
                if failed >= self.retry.attempts:
                    raise OSError(f"could not {what} in {failed} attempts: {reason}") from None
                self._pause(failed, asked, f"could not {what} ({reason})")

    def _pause(self, failed: int, asked: float | None, what: str) -> None:
        if asked is not None and asked > self.retry.patience:
            raise OSError(
                f"{what}: the hub asks to wait {asked:,.0f} s; run the same command then, it goes on from there"
            )
        seconds = self.retry.wait(failed, asked)
        self._say(f"{what}; trying again in {seconds:.0f} s")
        self.retry.sleep(seconds)

    def _say(self, text: str) -> None:
        console.print(f"[yellow]note:[/] {escape(text)}", soft_wrap=True, highlight=False)

    def _final(self, what: str, error: Exception) -> Exception:
        """What to tell the user of an error that does not pass by waiting."""
        if isinstance(error, OfflineModeIsEnabled):
            return UserError(f"could not {what}: offline mode is on", where="HF_HUB_OFFLINE", fix="unset it")
        if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
            return UserError(
                f"this is no address of a hub: {self._clean(error)}", where=self.endpoint, fix="check HF_ENDPOINT"
            )
        status = _status(error)
        reason = self._clean(error)
        if status == 401:
            return UserError(
                "the hub does not know the token", where=self.endpoint, fix="set HF_TOKEN to one that is valid"
            )
        if status == 403:
            return UserError(
                f"could not {what}: {reason}",
                where=self.url,
                fix="use a token that may write to it, or a name that is yours",
            )
        if status is not None:
            return UserError(f"could not {what}: {reason}", where=self.url)
        cause = _cause(error)
        if isinstance(cause, (ValueError, RuntimeError, httpx2.HTTPError)):
            return OSError(f"could not {what}: {reason}")
        return cause if isinstance(cause, Exception) else error

    def _clean(self, error: BaseException) -> str:
        """What an error says, in a line, without the token and without signed addresses."""
        cause = _cause(error)
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            text = f"{status} {cause.server_message or cause.response.headers.get('X-Error-Message') or cause.response.reason_phrase}"
        elif isinstance(cause, json.JSONDecodeError):
            text = "an answer that is not JSON"
        else:
            text = str(cause) or type(cause).__name__
        text = re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", text).replace(self.token, "***")
        return " ".join(text.split())


class _Conflict(Exception):  # noqa: N818
    """The head is not the one the commit was meant for."""


def _batches(files: list[Local]) -> Iterator[list[Local]]:
    batch: list[Local] = []
    size = 0
    for file in files:
        if batch and (len(batch) == BATCH_FILES or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _cause(error: BaseException) -> BaseException:
    """The client wraps what went wrong with an upload."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException) -> int | None:
    error = _cause(error)
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def _is_transient(error: BaseException) -> tuple[bool, float | None]:
    """Whether waiting may help, and how many seconds the hub asks for."""
    error = _cause(error)
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _TRANSIENT, _retry_after(error.response.headers)
    if isinstance(error, httpx2.TransportError):
        return not isinstance(error, httpx2.UnsupportedProtocol), None
    # a gateway's page of HTML where the client expected JSON
    return isinstance(error, json.JSONDecodeError), None


def _retry_after(headers: Any) -> float | None:
    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    value = (headers.get("Retry-After") or "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None
