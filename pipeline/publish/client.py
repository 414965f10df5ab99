"""The hub's client as a push needs it: with time-outs, with patience, and with errors that say what to do.

What may be asked twice goes through :meth:`Client.call`, which waits where waiting may help. A commit may not: whoever makes one tells
:class:`Conflict` and :class:`Lost` apart.
"""

from __future__ import annotations

import email.utils
import json
import logging
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import httpx2
import huggingface_hub
from huggingface_hub import HfApi, constants
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import (
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    _http,
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    parse_ratelimit_headers,
)
from rich.markup import escape

from pipeline.console import console
from sources.errors import UserError

#: Seconds. A commit of many files may take the hub minutes; a connection that is silent for longer is dead.
TIMEOUT = {"connect": 30.0, "read": 600.0, "write": 120.0}

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


class Conflict(Exception):  # noqa: N818
    """The head is not the one the commit was meant for."""


class Lost(Exception):  # noqa: N818
    """It is not known whether a request was acted on.

    :param reason: why, in a line.
    :param asked: seconds the hub asks to wait, or None.
    """

    def __init__(self, reason: str, asked: float | None) -> None:
        super().__init__(reason)
        self.reason, self.asked = reason, asked


@contextmanager
def quiet_client() -> Iterator[None]:
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


class Client:
    """Questions to one hub about one repository.

    :param url: of the repository, for messages.
    """

    def __init__(self, endpoint: str, token: str, url: str, retry: Retry) -> None:
        self.endpoint, self.token, self.url, self.retry = endpoint, token, url, retry
        self.api = HfApi(endpoint=endpoint, token=token, library_name="wellmix", library_version=version("wellmix"))

    def call(self, what: str, function: Callable[[], _T]) -> _T:
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
                    raise self.final(what, error) from None
                failed += 1
                reason = self.clean(error)
                if failed >= self.retry.attempts:
                    raise OSError(f"could not {what} in {failed} attempts: {reason}") from None
                self.pause(failed, asked, f"could not {what} ({reason})")

    def of_commit(self, error: Exception) -> Exception:
        """What an error says of the commit it is the answer to: refused for a moved head, perhaps made, or never to be made."""
        if _status(error) in (409, 412):
            return Conflict(self.clean(error))
        transient, asked = _is_transient(error)
        return Lost(self.clean(error), asked) if transient else self.final("commit", error)

    def pause(self, failed: int, asked: float | None, what: str) -> None:
        if asked is not None and asked > self.retry.patience:
            raise OSError(
                f"{what}: the hub asks to wait {asked:,.0f} s; run the same command then, it goes on from there"
            )
        seconds = self.retry.wait(failed, asked)
        self.say(f"{what}; trying again in {seconds:.0f} s")
        self.retry.sleep(seconds)

    def say(self, text: str) -> None:
        console.print(f"[yellow]note:[/] {escape(text)}", soft_wrap=True, highlight=False)

    def final(self, what: str, error: Exception) -> Exception:
        """What to tell the user of an error that does not pass by waiting."""
        if isinstance(error, OfflineModeIsEnabled):
            return UserError(f"could not {what}: offline mode is on", where="HF_HUB_OFFLINE", fix="unset it")
        if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
            return UserError(
                f"this is no address of a hub: {self.clean(error)}", where=self.endpoint, fix="check HF_ENDPOINT"
            )
        status = _status(error)
        reason = self.clean(error)
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

    def clean(self, error: BaseException) -> str:
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
