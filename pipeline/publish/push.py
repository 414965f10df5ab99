"""To the hub, in one commit: what is there already is not sent again, and what people wrote there stays.

A push is a loop that may be broken off anywhere. It reads the branch's head, merges our card into the one that is there, compares every
file by digest, uploads what is missing (large files in batches; the hub remembers those it has), and commits on the condition that the
head is still the one it read. If it is not, somebody committed meanwhile: read, merge and compare again. If the answer to a commit is
lost, the next round finds nothing left to do, so nothing is committed twice.

Large files go over plain HTTP (the hub's Git LFS interface), not over Xet: one path for huggingface.co, for a hub of one's own and for the
tests. The hub moves them into Xet storage by itself.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, RepoFile, constants, hf_hub_url
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status, validate_repo_id

from pipeline.publish.client import Client, Conflict, Lost, Retry, quiet_client
from pipeline.publish.outgoing import Local, Outgoing, is_data, read_checksums
from pipeline.publish.pages import merge_pages
from pipeline.publish.stage import CARD, CHECKSUMS, PAGES, PROVENANCE
from sources.errors import UserError

if TYPE_CHECKING:
    from pipeline.console import Progress

#: A batch of large files: so much is lost when one fails for good, and so often the bar moves.
BATCH_FILES, BATCH_BYTES = 50, 1 << 30

#: Files sent at once.
THREADS = 4

#: Rounds of a head that moved while we were at it.
CONFLICTS = 5

#: What a commit was made of; ours is known again by it when the answer to it was lost.
_DIGEST = "wellmix-digest: "

#: Files beside ``data/`` that are ours alone; one that is no longer made is removed.
_OURS = ("ATTRIBUTION.csv", "croissant.json", PROVENANCE)


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
    with quiet_client():
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


# -- the loop


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


class _Hub:
    """One repository on one hub."""

    def __init__(
        self, repo: str, endpoint: str, token: str, revision: str, retry: Retry, progress: Progress | None
    ) -> None:
        self.repo, self.revision, self.progress = repo, revision, progress
        self.client = Client(endpoint, token, f"{endpoint}/datasets/{repo}", retry)
        self.sent: set[str] = set()  # large files that are on the hub, committed or not
        self.notes: list[str] = []

    # .. the loop

    def push(self, outgoing: Outgoing, private: bool, message: str) -> Pushed:
        info = self._open(private)
        is_private = bool(info.private)
        if private and not is_private:
            raise UserError(
                "this repository is public, and the push is to be private",
                where=self.client.url,
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
            except Conflict as error:
                committed.pop()
                conflicts += 1
                if self._head() == plan.head:
                    raise UserError(
                        "the hub does not take a commit on this branch, although nobody else committed to it",
                        where=self.client.url,
                        fix="give the token the right to write to this repository; one that may only open pull requests gets this answer",
                    ) from None
                if conflicts >= CONFLICTS:
                    raise OSError(
                        f"{self.repo} was changed {conflicts} times while we pushed: {error}; {self._so_far(plan)}"
                    ) from None
                self.client.say("somebody committed meanwhile; merging again")
            except Lost as error:
                lost += 1
                if lost >= self.client.retry.attempts:
                    raise OSError(
                        f"the hub did not answer the commit {lost} times: {error}; {self._so_far(plan)}"
                    ) from None
                self.client.pause(
                    lost, error.asked, f"the commit was not answered ({error}); looking whether it arrived"
                )
            else:
                return self._verify(outgoing, plan, oid, is_private)

    def _done(self, plan: Plan, committed: list[Plan], private: bool) -> Pushed:
        """Nothing is left to do: because there never was, or because a commit arrived whose answer did not."""
        if committed:
            history = self.client.call(
                "list the commits",
                lambda: self.client.api.list_repo_commits(self.repo, repo_type="dataset", revision=self.revision),
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
            url=self.client.url,
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
        rows = [file for file in plan.add if is_data(file.path)]
        done = [file for file in rows if file.path in self.sent]
        sizes = [f"{sum(file.size for file in files) / 1e6:,.1f}" for files in (done, rows)]
        return f"{len(done)} of {len(rows)} files of rows are uploaded ({sizes[0]} of {sizes[1]} MB); the same command goes on from here"

    # .. reading

    def _open(self, private: bool) -> Any:
        """The repository, made if it is not there. Asked for first: a token may have the right to write to it and none to make any."""
        try:
            return self._info()
        except RepositoryNotFoundError:
            self.client.call(
                "make the repository",
                lambda: self.client.api.create_repo(self.repo, repo_type="dataset", private=private, exist_ok=True),
            )
            return self._info()

    def _info(self) -> Any:
        def ask() -> Any:
            return self.client.api.dataset_info(self.repo, revision=self.revision)

        try:
            return self.client.call("look at the repository", ask)
        except RevisionNotFoundError:
            self.client.call(
                f"make the branch {self.revision}",
                lambda: self.client.api.create_branch(
                    self.repo, branch=self.revision, repo_type="dataset", exist_ok=True
                ),
            )
            return self.client.call("look at the repository", ask)

    def _head(self) -> str:
        return str(self._info().sha)

    def _tree(self, commit: str) -> dict[str, RepoFile]:
        entries = self.client.call(
            "list the files",
            lambda: list(
                self.client.api.list_repo_tree(self.repo, repo_type="dataset", revision=commit, recursive=True)
            ),
        )
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _read(self, path: str, commit: str) -> bytes:
        def ask() -> bytes:
            address = hf_hub_url(self.repo, path, repo_type="dataset", revision=commit, endpoint=self.client.endpoint)
            response = get_session().get(address, headers=build_hf_headers(token=self.client.token))
            hf_raise_for_status(response)
            return response.content

        return self.client.call(f"read {path}", ask)

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
                        f"{name} on the hub is not UTF-8, so it cannot be merged",
                        where=self.client.url,
                        fix="mend it there",
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
                where=self.client.url,
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
                where=self.client.url,
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
        return read_checksums(self._same_or_read(outgoing, CHECKSUMS, head, tree) or b"")

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
            elif is_data(name):
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
                f"{self.client.endpoint}/api/validate-yaml",
                json=asked,
                headers=build_hf_headers(token=self.client.token),
            )
            if response.status_code != 400:
                hf_raise_for_status(response)
            return response.json()

        answer = self.client.call("check the card", ask)
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
                self.client.call(
                    f"upload {batch[0].path}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""),
                    partial(
                        self.client.api.preupload_lfs_files,
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
                        where=self.client.url,
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
        :raises Conflict: the head has moved.
        :raises Lost: no answer, or one that leaves open whether the commit was made.
        """
        operations: list[Any] = [*additions, *(CommitOperationDelete(name) for name in plan.delete)]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of the card: they are in the notes
                made = self.client.api.create_commit(
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
            raise self.client.of_commit(error) from None
        return made.oid


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
