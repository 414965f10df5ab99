"""A hub on this machine: enough of the Hugging Face hub's HTTP API for the unmodified ``huggingface_hub`` and ``datasets``.

Spoken: creating repositories, who-am-I, information about a dataset, its commits, branches and tree (in pages), paths-info, preupload,
the LFS batch (basic and multipart) with verification, commits as lines of JSON with ``parentCommit``, validation of a card's metadata,
branches, and reading files back (resolve, with ranges; large files by redirect to a storage that knows no tokens).
Not spoken: Xet, pull requests and discussions, tags, gated repositories, copies between repositories, moves, likes, the dataset viewer,
models and spaces, quotas and scans.

Faults are planned with :meth:`Hub.fault`: an answer of one's choice, a connection dropped before, in the middle of, or after the request
was acted on, or any function called just before it is.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKEN = "hf_" + "a" * 34
#: May read, not write.
READ_TOKEN = "hf_" + "r" * 34
#: May only open pull requests: the hub answers such a token's commits as it answers a conflict.
PULL_TOKEN = "hf_" + "p" * 34

OWNER = "amity"

GITATTRIBUTES = b"""\
*.parquet filter=lfs diff=lfs merge=lfs -text
*.zst filter=lfs diff=lfs merge=lfs -text
*.bin filter=lfs diff=lfs merge=lfs -text
"""

#: Above this a file is kept as LFS whatever it is called.
REGULAR_LIMIT = 10 * 1024 * 1024

LICENSES = {
    "apache-2.0", "mit", "openrail", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause", "cc", "cc0-1.0",
    "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0",
    "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2",
    "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "isc", "mpl-2.0", "ms-pl", "odbl", "odc-by",
    "osl-3.0", "pddl", "unlicense", "zlib", "unknown", "other",
}  # fmt: skip
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "n>1T"}
SIZES |= {"10B<n<100B", "100B<n<1T"}


@dataclass(frozen=True)
class File:
    """A file at a commit: its bytes in git, or the digest of an LFS object."""

    data: bytes
    lfs: str | None = None
    size: int = 0

    @property
    def oid(self) -> str:
        """Git's own id of the blob; of an LFS file that of its pointer."""
        return git_oid(self.data if self.lfs is None else pointer(self.lfs, self.size))

    @property
    def etag(self) -> str:
        return self.lfs or self.oid

    @property
    def length(self) -> int:
        return len(self.data) if self.lfs is None else self.size


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    files: dict[str, File]
    date: str


@dataclass
class Repo:
    id: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, File], title: str, message: str = "", author: str = OWNER) -> Commit:
        parent = self.branches.get(branch)
        number = len(self.commits)
        tree = "".join(f"{path}:{file.oid}\n" for path, file in sorted(files.items()))
        oid = hashlib.sha1(f"{parent} {number} {title} {tree}".encode()).hexdigest()
        date = (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        made = Commit(oid, parent, title, message, author, dict(files), date)
        self.commits[oid] = made
        self.branches[branch] = oid
        return made

    def find(self, revision: str) -> Commit:
        oid = self.branches.get(revision, revision)
        if oid not in self.commits:
            raise Answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        return self.commits[oid]

    def history(self, revision: str = "main") -> list[Commit]:
        """Newest first."""
        found: list[Commit] = []
        at: str | None = self.find(revision).oid
        while at is not None:
            found.append(self.commits[at])
            at = self.commits[at].parent
        return found

    def read(self, path: str, revision: str = "main") -> bytes:
        file = self.find(revision).files[path]
        return file.data if file.lfs is None else self.objects[file.lfs]


class Answer(Exception):  # noqa: N818 - an answer is no error
    """What to send.

    :param body: a value as JSON, or bytes.
    :param after: as a fault: the request is acted on first.
    """

    def __init__(
        self, status: int, body: Any = None, headers: dict[str, str] | None = None, *, after: bool = False
    ) -> None:
        self.status, self.body, self.headers, self.after = status, body, headers or {}, after
        super().__init__(status)


@dataclass
class Fault:
    """Something that goes wrong.

    :param method, path: which requests: method, and a regular expression found in the path.
    :param action: see :meth:`Hub.fault`.
    :param skip: how many such requests pass before.
    :param times: how many are hit.
    """

    method: str
    path: str
    action: str | Answer | Callable[[], None]
    skip: int = 0
    times: int = 1
    hits: int = 0


@dataclass(frozen=True)
class Seen:
    """A request as the hub saw it."""

    method: str
    path: str
    status: int | str
    body: int


class Hub:
    """The hub: what it holds, what it saw, and what shall go wrong."""

    def __init__(self, *, part_size: int | None = None, page: int = 1000) -> None:
        """
        :param part_size: objects above it are sent in parts of it; None: all in one.
        :param page: entries a page of a tree.
        """
        self.repos: dict[str, Repo] = {}
        self.part_size, self.page = part_size, page
        self.seen: list[Seen] = []
        self.leaks: list[str] = []
        self._faults: list[Fault] = []
        self._parts: dict[tuple[str, int], bytes] = {}
        self.lock = threading.RLock()
        hub = self

        class Bound(_Handler):
            pass

        Bound.hub = hub
        # The storage is another origin, as in life: what follows a redirect there must leave the token behind.
        self._servers = [_Server(("127.0.0.1", 0), Bound) for _ in range(2)]
        self.endpoint, self.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            for server in self._servers
        ]

    def __enter__(self) -> Hub:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    # -- for tests

    def fault(
        self, method: str, path: str, action: str | Answer | Callable[[], None], *, skip: int = 0, times: int = 1
    ) -> Fault:
        """Plan a fault.

        :param action: ``refuse`` (closed before the request is read), ``drop`` (closed in the middle of its body), ``forget`` (acted on,
            closed before the answer), ``hang`` (never answered), an :class:`Answer` to give instead, or a function to call first.
        """
        planned = Fault(method, path, action, skip, times)
        with self.lock:
            self._faults.append(planned)
        return planned

    def edit(
        self, repo: str, path: str, data: bytes | None, *, branch: str = "main", author: str = "a-person"
    ) -> Commit:
        """A person changes a file in the browser; None removes it."""
        with self.lock:
            files = dict(self.repos[repo].find(branch).files)
            if data is None:
                del files[path]
            else:
                files[path] = File(data)
            return self.repos[repo].commit(branch, files, f"Update {path}", author=author)

    def count(self, method: str = "", path: str = "") -> int:
        """Requests seen."""
        return sum(seen.method.startswith(method) and re.search(path, seen.path) is not None for seen in self.seen)

    # -- for the handler

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self._faults:
                if fault.method == method and re.search(fault.path, path):
                    if fault.skip > 0:
                        fault.skip -= 1
                    elif fault.hits < fault.times:
                        fault.hits += 1
                        return fault
            return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that we or the client dropped are no news."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # as it was sent, quoted
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    token: str | None

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise Answer(400, {"error": "the body is not JSON"}) from None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, or each answer waits for an acknowledgement
    hub: Hub

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        fault = hub.next_fault(self.command, unquote(url.path))
        action = fault.action if fault else None
        length = int(self.headers.get("Content-Length") or 0)
        if action == "refuse":
            return self._cut(0)
        if action == "drop":
            self.rfile.read(length // 2)
            return self._cut(length // 2)
        if self.headers.get("Transfer-Encoding"):
            # a storage that gives out signed addresses wants to know the length beforehand
            self.close_connection = True
            return self._send(Answer(411, {"error": "a length is required"}), 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return self._cut(len(body))
        if action == "hang":
            hub.seen.append(Seen(self.command, unquote(url.path), "hang", length))
            self.rfile.read(1)  # until the client gives up
            return None
        if isinstance(action, Answer) and not action.after:
            return self._send(action, length)
        if callable(action):
            action()
        token = re.fullmatch(r"Bearer (\S+)", self.headers.get("Authorization") or "")
        request = Request(
            self.command,
            url.path,
            parse_qs(url.query),
            self.headers,
            body,
            token[1] if token else None,
        )
        try:
            with hub.lock:
                answer = _route(hub, request)
        except Answer as given:
            answer = given
        if action == "forget":
            return self._cut(length)
        if isinstance(action, Answer):
            return self._send(action, length)
        return self._send(answer, length)

    def _cut(self, read: int) -> None:
        """Close at once, with a reset, as a failing network would."""
        self.hub.seen.append(Seen(self.command, unquote(urlsplit(self.path).path), "cut", read))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, answer: Answer, length: int) -> None:
        self.hub.seen.append(Seen(self.command, unquote(urlsplit(self.path).path), answer.status, length))
        headers = dict(answer.headers)
        if isinstance(answer.body, bytes):
            data = answer.body
        else:
            data = json.dumps(answer.body if answer.body is not None else {}).encode()
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        if "error" in (answer.body if isinstance(answer.body, dict) else {}):
            headers.setdefault("X-Error-Message", str(answer.body["error"]))
        headers.setdefault("Content-Length", str(len(data)))
        headers.setdefault("X-Request-Id", f"Root=1-{len(self.hub.seen):08x}")
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


# -- the API -------------------------------------------------------------------------------------------------------------------------

_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = []


def route(method: str, pattern: str) -> Callable:
    """Register a handler: ``{repo}`` is owner/name, ``{rev}`` one segment, ``{path}`` the rest."""
    regex = (
        pattern.replace("{repo}", r"(?P<repo>[^/]+/[^/]+?)")
        .replace("{rev}", r"(?P<rev>[^/]+)")
        .replace("{path}", r"(?P<path>.+)")
    )

    def add(function: Callable[..., Answer]) -> Callable[..., Answer]:
        _ROUTES.append((method, re.compile(regex), function))
        return function

    return add


def _route(hub: Hub, request: Request) -> Answer:
    for method, pattern, function in _ROUTES:
        match = pattern.fullmatch(request.path)
        if match and request.method in (method, "HEAD" if method == "GET" else method):
            return function(
                hub, request, **{name: value and unquote(value) for name, value in match.groupdict().items()}
            )
    return Answer(404, {"error": f"no such page: {request.method} {request.path}"})


def _user(request: Request) -> None:
    if request.token is None:
        raise Answer(401, {"error": "Invalid username or password."})
    if request.token not in (TOKEN, READ_TOKEN, PULL_TOKEN):
        raise Answer(401, {"error": "Invalid credentials in Authorization header"})


def _writer(request: Request) -> None:
    _user(request)
    if request.token == READ_TOKEN:
        raise Answer(403, {"error": "This token has no write permission"})


def _repo(hub: Hub, request: Request, name: str) -> Repo:
    repo = hub.repos.get(name)
    if repo is None or (repo.private and request.token is None):
        if request.token is None:  # what is not there and what one may not see look alike
            raise Answer(401, {"error": "Invalid username or password."})
        _user(request)
        raise Answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
    if request.token is not None:
        _user(request)
    return repo


@route("GET", "/api/whoami-v2")
def whoami(hub: Hub, request: Request) -> Answer:
    _user(request)
    role = "read" if request.token == READ_TOKEN else "write"
    return Answer(
        200,
        {"type": "user", "name": OWNER, "orgs": [], "auth": {"type": "access_token", "accessToken": {"role": role}}},
    )


@route("POST", "/api/repos/create")
def create(hub: Hub, request: Request) -> Answer:
    _writer(request)
    asked = request.json
    if asked.get("type") != "dataset":
        return Answer(400, {"error": "this hub has datasets only"})
    if (asked.get("organization") or OWNER) != OWNER:
        return Answer(
            403,
            {"error": f'You don\'t have the rights to create a dataset under the namespace "{asked["organization"]}"'},
        )
    name = f"{OWNER}/{asked['name']}"
    if not re.fullmatch(r"[\w.-]+/[\w.-]{1,96}", name):
        return Answer(400, {"error": f"Invalid repo name: {name}"})
    url = f"{hub.endpoint}/datasets/{name}"
    if name in hub.repos:
        return Answer(409, {"error": "You already created this dataset repo", "url": url})
    repo = hub.repos[name] = Repo(name, private=asked.get("visibility") == "private")
    repo.commit("main", {".gitattributes": File(GITATTRIBUTES)}, "initial commit")
    return Answer(200, {"url": url, "name": name, "id": name})


@route("GET", "/api/datasets/{repo}")
def info(hub: Hub, request: Request, repo: str) -> Answer:
    return revision_info(hub, request, repo, "main")


@route("GET", "/api/datasets/{repo}/revision/{rev}")
def revision_info(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    held = _repo(hub, request, repo)
    commit = held.find(rev)
    readme = commit.files.get("README.md")
    metadata, _, _ = check_card(readme.data.decode("utf-8", "replace")) if readme else ({}, [], [])
    return Answer(
        200,
        {
            "_id": hashlib.sha1(repo.encode()).hexdigest()[:24],
            "id": repo,
            "author": repo.split("/", 1)[0],
            "sha": commit.oid,
            "lastModified": commit.date,
            "createdAt": held.history("main")[-1].date,
            "private": held.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "cardData": metadata,
            "siblings": [{"rfilename": path} for path in sorted(commit.files)],
        },
    )


def _entry(path: str, file: File) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.length, "path": path}
    if file.lfs is not None:
        entry["lfs"] = {"oid": file.lfs, "size": file.size, "pointerSize": len(pointer(file.lfs, file.size))}
    return entry


def _listing(commit: Commit, below: str, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{below}/" if below else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, file in sorted(commit.files.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            if recursive or depth == 1:
                folder = prefix + "/".join(parts[:depth])
                entries[folder] = {
                    "type": "directory",
                    "oid": hashlib.sha1(folder.encode()).hexdigest(),
                    "size": 0,
                    "path": folder,
                }
        if recursive or len(parts) == 1:
            entries[path] = _entry(path, file)
    return list(entries.values())


@route("GET", "/api/datasets/{repo}/tree/{rev}(?:/{path})?")
def tree(hub: Hub, request: Request, repo: str, rev: str, path: str | None) -> Answer:
    commit = _repo(hub, request, repo).find(rev)
    recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
    entries = _listing(commit, path or "", recursive)
    if path and not entries:
        return Answer(404, {"error": f'{path} does not exist on "{rev}"'}, {"X-Error-Code": "EntryNotFound"})
    start = int(request.query.get("cursor", ["0"])[0])
    headers = {}
    if start + hub.page < len(entries):
        query = f"recursive={recursive}&cursor={start + hub.page}"
        headers["Link"] = f'<{hub.endpoint}{request.path}?{query}>; rel="next"'
    return Answer(200, entries[start : start + hub.page], headers)


@route("POST", "/api/datasets/{repo}/paths-info/{rev}")
def paths_info(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    commit = _repo(hub, request, repo).find(rev)
    if (request.headers.get("Content-Type") or "").startswith("application/json"):
        paths = request.json["paths"]
    else:
        paths = parse_qs(request.body.decode()).get("paths", [])
    found = []
    for path in paths:
        path = path.strip("/")
        if path in commit.files:
            found.append(_entry(path, commit.files[path]))
        elif any(name.startswith(f"{path}/") for name in commit.files):
            found.append({"type": "directory", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0, "path": path})
    return Answer(200, found)


@route("GET", "/api/datasets/{repo}/refs")
def refs(hub: Hub, request: Request, repo: str) -> Answer:
    held = _repo(hub, request, repo)
    branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in held.branches.items()]
    return Answer(200, {"branches": branches, "tags": [], "converts": [], "pullRequests": []})


@route("GET", "/api/datasets/{repo}/commits/{rev}")
def commits(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    held = _repo(hub, request, repo)
    return Answer(
        200,
        [
            {
                "id": commit.oid,
                "title": commit.title,
                "message": commit.message,
                "date": commit.date,
                "authors": [{"user": commit.author, "avatar": ""}],
            }
            for commit in held.history(rev)
        ],
    )


@route("POST", "/api/datasets/{repo}/branch/{rev}")
def branch(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    _writer(request)
    held, name = _repo(hub, request, repo), rev
    if name.startswith("refs/") or re.fullmatch(r"[0-9a-f]{40}", name):
        return Answer(400, {"error": f"Invalid reference for a branch: {name}"})
    if name in held.branches:
        return Answer(409, {"error": f"Reference already exists: {name}"})
    held.branches[name] = held.find(request.json.get("startingPoint") or "main").oid
    return Answer(200, {})


@route("POST", "/api/validate-yaml")
def validate_yaml(hub: Hub, request: Request) -> Answer:
    asked = request.json
    _, errors, warnings = check_card(asked["content"])
    problems = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        return Answer(400, {"error": "Invalid metadata", **problems})
    return Answer(200, problems)


def check_card(text: str) -> tuple[dict[str, Any], list[str], list[str]]:
    """A card's metadata, what is wrong with it, and what is missing."""
    match = re.match(r"---[ \t]*\r?\n(.*?)\r?\n?---[ \t]*(\r?\n|$)", text, re.DOTALL)
    if match is None:
        return {}, [], ["empty or missing yaml metadata in repo card"]
    try:
        data = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        return {}, [f"Invalid YAML: {error}"], []
    if not isinstance(data, dict):
        return {}, ["the metadata must be a mapping"], []
    errors = list(_card_errors(data))
    return data, errors, [] if data else ["empty or missing yaml metadata in repo card"]


def _card_errors(data: dict[str, Any]) -> Iterable[str]:
    licenses = data.get("license", [])
    for name in licenses if isinstance(licenses, list) else [licenses]:
        if name not in LICENSES:
            yield f'"license" must be one of {", ".join(sorted(LICENSES))}, not {name!r}'
    languages = data.get("language", [])
    for code in languages if isinstance(languages, list) else [languages]:
        if not isinstance(code, str) or not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual", code):
            yield f'"language" must only contain lowercase ISO 639 codes, not {code!r}'
    for key in ("tags", "task_categories", "task_ids", "annotations_creators", "size_categories", "source_datasets"):
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            yield f'"{key}" must be a list of strings'
    for size in data.get("size_categories") or []:
        if size not in SIZES:
            yield f'"size_categories" must be one of {", ".join(sorted(SIZES))}, not {size!r}'
    for key in ("pretty_name", "license_name", "license_link"):
        if not isinstance(data.get(key, ""), str):
            yield f'"{key}" must be a string'
    configs = data.get("configs", [])
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        yield '"configs" must be a list of mappings'
        return
    names = [config.get("config_name") for config in configs]
    for name, times in Counter(map(str, names)).items():
        if times > 1:
            yield f'"configs" has {name!r} {times} times'
    for config, name in zip(configs, names, strict=True):
        if not isinstance(name, str) or re.search(r"[<>:/\\|?*]", name):
            yield f'"configs" has a config_name that is no name: {name!r}'
        files = config.get("data_files")
        if isinstance(files, list) and all(isinstance(item, dict) for item in files):
            for item in files:
                if not re.fullmatch(r"\w+(\.\w+)*", str(item.get("split"))) or not item.get("path"):
                    yield f'"configs" needs a split and a path in each of the data_files of {name!r}'
        elif (
            files is not None
            and not isinstance(files, str)
            and not (isinstance(files, list) and all(isinstance(f, str) for f in files))
        ):
            yield f'"configs" has data_files of {name!r} that are neither paths nor splits'


def _patterns(text: bytes) -> list[str]:
    lines = (line.strip() for line in text.decode("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _matches(path: str, pattern: str) -> bool:
    pattern = pattern.strip("/")
    return any(fnmatch.fnmatch(name, pattern) for name in (path, path.rsplit("/", 1)[-1], *(p for p in _parents(path))))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


@route("POST", "/api/datasets/{repo}/preupload/{rev}")
def preupload(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    _writer(request)
    commit = _repo(hub, request, repo).find(rev)
    asked = request.json
    if len(asked["files"]) > 256:
        return Answer(413, {"error": "too many files"})
    attributes = commit.files.get(".gitattributes", File(b"")).data
    large = [line.split()[0] for line in _patterns(attributes) if "filter=lfs" in line]
    ignore = asked["gitIgnore"].encode() if "gitIgnore" in asked else commit.files.get(".gitignore", File(b"")).data
    answers = []
    for file in asked["files"]:
        path = file["path"]
        base64.b64decode(file["sample"], validate=True)
        lfs = file["size"] > REGULAR_LIMIT or any(_matches(path, pattern) for pattern in large)
        answer = {
            "path": path,
            "uploadMode": "lfs" if lfs else "regular",
            "shouldIgnore": any(_matches(path, pattern) for pattern in _patterns(ignore)),
        }
        if path in commit.files:
            answer["oid"] = commit.files[path].etag
        answers.append(answer)
    return Answer(200, {"files": answers})


@route("POST", r"/datasets/{repo}\.git/info/lfs/objects/batch")
def lfs_batch(hub: Hub, request: Request, repo: str) -> Answer:
    _writer(request)
    held, asked = _repo(hub, request, repo), request.json
    if asked["operation"] != "upload" or asked["hash_algo"] != "sha256" or "basic" not in asked["transfers"]:
        return Answer(422, {"error": "this hub takes uploads by basic and multipart"})
    objects, transfer = [], "basic"
    for wanted in asked["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        if not re.fullmatch(r"[0-9a-f]{64}", oid) or size <= 0:
            objects.append({"oid": oid, "size": size, "error": {"code": 422, "message": "no such object can be"}})
            continue
        if oid in held.objects:
            objects.append({"oid": oid, "size": size})  # there already: nothing to do
            continue
        store = f"{hub.storage}/storage/{repo}/{oid}?X-Signature=5161"
        upload: dict[str, Any] = {"href": store}
        if hub.part_size is not None and size > hub.part_size and "multipart" in asked["transfers"]:
            transfer = "multipart"
            header = {"chunk_size": str(hub.part_size)}
            header |= {
                f"{part + 1:05d}": f"{store}&partNumber={part + 1}" for part in range(ceil(size / hub.part_size))
            }
            upload = {
                "href": f"{hub.storage}/api/complete_multipart/{repo}?X-Signature=5161&size={size}",
                "header": header,
            }
        verify = {"href": f"{hub.endpoint}/datasets/{repo}.git/info/lfs/objects/verify"}
        objects.append({"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}})
    return Answer(200, {"transfer": transfer, "objects": objects}, {"Content-Type": "application/vnd.git-lfs+json"})


def _signed(hub: Hub, request: Request) -> None:
    if request.query.get("X-Signature") != ["5161"]:
        raise Answer(403, {"error": "the signature does not match"})
    if request.headers.get("Authorization"):
        hub.leaks.append(request.path)


@route("PUT", "/storage/{repo}/(?P<oid>[0-9a-f]{64})")
def put_object(hub: Hub, request: Request, repo: str, oid: str) -> Answer:
    _signed(hub, request)
    if "partNumber" in request.query:
        number = int(request.query["partNumber"][0])
        hub._parts[oid, number] = request.body
        return Answer(200, b"", {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
    if hashlib.sha256(request.body).hexdigest() != oid:
        return Answer(400, {"error": "the digest does not match"})
    hub.repos[repo].objects[oid] = request.body
    return Answer(200, b"")


@route("POST", "/api/complete_multipart/{repo}")
def complete(hub: Hub, request: Request, repo: str) -> Answer:
    _signed(hub, request)
    asked = request.json
    data = b""
    for part in sorted(asked["parts"], key=lambda part: part["partNumber"]):
        held = hub._parts.get((asked["oid"], part["partNumber"]))
        if held is None or f'"{hashlib.md5(held).hexdigest()}"' != part["etag"]:
            return Answer(400, {"error": f"part {part['partNumber']} is missing"})
        data += held
    if hashlib.sha256(data).hexdigest() != asked["oid"] or len(data) != int(request.query["size"][0]):
        return Answer(400, {"error": "the digest does not match"})
    hub.repos[repo].objects[asked["oid"]] = data
    return Answer(200, {"success": True})


@route("POST", r"/datasets/{repo}\.git/info/lfs/objects/verify")
def verify(hub: Hub, request: Request, repo: str) -> Answer:
    _writer(request)
    held, asked = _repo(hub, request, repo), request.json
    if len(held.objects.get(asked["oid"], b"")) != asked["size"]:
        return Answer(404, {"error": "there is no such object"})
    return Answer(200, {})


@route("POST", "/api/datasets/{repo}/commit/{rev}")
def commit(hub: Hub, request: Request, repo: str, rev: str) -> Answer:
    _writer(request)
    held, target = _repo(hub, request, repo), rev
    if not (request.headers.get("Content-Type") or "").startswith("application/x-ndjson"):
        return Answer(415, {"error": "lines of JSON are wanted"})
    if target not in held.branches:
        raise Answer(404, {"error": f"Invalid rev id: {target}"}, {"X-Error-Code": "RevisionNotFound"})
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    if not lines or lines[0]["key"] != "header" or not lines[0]["value"].get("summary"):
        return Answer(400, {"error": "the first line is no header"})
    header = lines[0]["value"]
    moved = "parentCommit" in header and header["parentCommit"] != held.branches[target]
    if moved or request.token == PULL_TOKEN:
        return Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
    files = dict(held.find(target).files)
    for line in lines[1:]:
        _apply(held, files, line["key"], line["value"])
    readme = files.get("README.md")
    if readme is not None and (errors := check_card(readme.data.decode("utf-8", "replace"))[1]):
        return Answer(400, {"error": f"Invalid metadata in README.md: {errors[0]}"})
    made = held.commit(target, files, header["summary"], header.get("description", ""))
    return Answer(
        200,
        {
            "success": True,
            "commitOid": made.oid,
            "commitUrl": f"{hub.endpoint}/datasets/{repo}/commit/{made.oid}",
            "hookOutput": "",
        },
    )


def _apply(repo: Repo, files: dict[str, File], key: str, value: dict[str, Any]) -> None:
    path = value["path"].rstrip("/")
    if key == "file":
        data = base64.b64decode(value["content"], validate=True)
        if len(data) > REGULAR_LIMIT:
            raise Answer(413, {"error": f"{path} is too large for git"})
        files[path] = File(data)
    elif key == "lfsFile":
        if len(repo.objects.get(value["oid"], b"")) != value["size"]:
            raise Answer(400, {"error": f"LFS pointer of {path} points to an object that is not there"})
        files[path] = File(b"", value["oid"], value["size"])
    elif key == "deletedFile":
        if path not in files:
            raise Answer(404, {"error": "A file with this name doesn't exist"}, {"X-Error-Code": "EntryNotFound"})
        del files[path]
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(f"{path}/")]:
            del files[name]
    else:
        raise Answer(400, {"error": f"no operation is called {key}"})


@route("GET", "/datasets/{repo}/(?:resolve|raw)/{rev}/{path}")
def resolve(hub: Hub, request: Request, repo: str, rev: str, path: str) -> Answer:
    held = _repo(hub, request, repo)
    at = held.find(rev)
    headers = {"X-Repo-Commit": at.oid, "Accept-Ranges": "bytes"}
    file = at.files.get(path)
    if file is None:
        return Answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", **headers})
    if file.lfs is not None:
        headers |= {"X-Linked-Etag": f'"{file.lfs}"', "X-Linked-Size": str(file.size)}
        headers["Location"] = f"{hub.storage}/storage/{repo}/{file.lfs}?X-Signature=5161"
        return Answer(302, b"", headers)
    return _ranged(
        request, file.data, {**headers, "ETag": f'"{file.oid}"', "Content-Type": "text/plain; charset=utf-8"}
    )


@route("GET", "/storage/{repo}/(?P<oid>[0-9a-f]{64})")
def get_object(hub: Hub, request: Request, repo: str, oid: str) -> Answer:
    _signed(hub, request)
    data = hub.repos[repo].objects[oid]
    return _ranged(
        request, data, {"ETag": f'"{oid}"', "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    )


def _ranged(request: Request, data: bytes, headers: dict[str, str]) -> Answer:
    if request.method == "HEAD":
        return Answer(200, b"", {**headers, "Content-Length": str(len(data))})
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range") or "")
    if match is None or not any(match.groups()):
        return Answer(200, data, headers)
    if match[1]:
        start, stop = int(match[1]), min(int(match[2]) + 1, len(data)) if match[2] else len(data)
    else:
        start, stop = max(0, len(data) - int(match[2])), len(data)
    if start >= len(data):
        return Answer(416, {"error": "no such range"}, {"Content-Range": f"bytes */{len(data)}"})
    return Answer(206, data[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"})
