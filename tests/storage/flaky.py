"""An HTTP proxy that does to requests what networks and busy servers do, seeded. It stands on loopback before a server of a test.

Whether and how the n-th request of a method and path fails depends on the seed alone, not on which thread asks when.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: Before anything was done; after it was done, unanswered; within the answer; an answer that is too short and says it is whole.
FAULTS = ("before", "after", "within", "truncated", "slow_down", "error", "stall")

_XML = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}, says the proxy</Message></Error>'
)


@dataclass
class Plan:
    """What the proxy does.

    :param rate: share of requests that fail.
    :param faults: how.
    :param latency: seconds before each answer.
    :param stall: seconds that a stalled answer takes.
    :param parts: of multi-part uploads, the share of parts that fail (first time).
    :param denied: every request is refused.
    """

    seed: int = 0
    rate: float = 0.0
    faults: tuple[str, ...] = FAULTS
    latency: float = 0.0
    stall: float = 2.0
    parts: float = 0.0
    denied: bool = False


@dataclass
class Seen:
    """What passed through."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    upload: threading.Event = field(default_factory=threading.Event)


class FlakyProxy:
    """A proxy before ``target``.

    :param target: URL of the server, on loopback.
    """

    def __init__(self, target: str) -> None:
        place = urlsplit(target)
        assert place.hostname == "127.0.0.1"
        self.plan, self.seen = Plan(), Seen()
        self._target = (place.hostname, place.port)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._guard = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def handle_all(self) -> None:
                proxy._handle(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_all  # noqa: N815 - the library's names

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                pass  # clients that went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _fault(self, method: str, path: str) -> str | None:
        with self._guard:
            number = self._counts[method, path]
            self._counts[method, path] += 1
        # buckets and uploads have other names each time
        same = re.sub(r"^/[^/?]*|uploadId=[^&]*", "", path)
        draw = random.Random(f"{self.plan.seed}:{method}:{same}:{number}")
        if "partNumber=" in path and method == "PUT" and number == 0 and draw.random() < self.plan.parts:
            return "error"
        return draw.choice(self.plan.faults) if draw.random() < self.plan.rate else None

    def _handle(self, client: BaseHTTPRequestHandler) -> None:
        body = self._body(client)
        with self._guard:
            self.seen.requests[_name(client.command, client.path)] += 1
        if client.command == "PUT" and len(body) > 1000:
            self.seen.upload.set()
        time.sleep(self.plan.latency)
        if self.plan.denied:
            self._answer(client, 403, _XML.format(code="AccessDenied").encode(), {})
            return
        fault = self._fault(client.command, client.path)
        with self._guard:
            self.seen.faults[fault or "none"] += 1
        if fault == "before":
            _reset(client)
            return
        if fault in ("slow_down", "error"):
            code = "SlowDown" if fault == "slow_down" else "InternalError"
            self._answer(client, 503 if fault == "slow_down" else 500, _XML.format(code=code).encode(), {})
            return
        status, headers, answer = self._forward(client, body)
        if fault == "after":
            _reset(client)
            return
        if fault == "stall":
            time.sleep(self.plan.stall)
        if fault == "within":
            self._answer(client, status, answer, headers, send=len(answer) // 2)
            _reset(client)
            return
        if fault == "truncated" and client.command == "GET" and status < 300:
            answer = answer[: len(answer) // 2]
        self._answer(client, status, answer, headers)

    @staticmethod
    def _body(client: BaseHTTPRequestHandler) -> bytes:
        if client.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(client.rfile.readline().split(b";")[0], 16):
                body += client.rfile.read(size)
                client.rfile.readline()
            client.rfile.readline()
            return body
        return client.rfile.read(int(client.headers.get("Content-Length") or 0))

    def _forward(self, client: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(*self._target, timeout=60)
        skipped = ("transfer-encoding", "content-length", "expect", "connection")
        headers = {name: value for name, value in client.headers.items() if name.lower() not in skipped}
        upstream.request(
            client.command, client.path, body=body or None, headers=headers | {"Content-Length": str(len(body))}
        )
        response = upstream.getresponse()
        answer = response.read()
        kept = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in ("transfer-encoding", "connection")
        }
        upstream.close()
        return response.status, kept, answer

    def _answer(
        self,
        client: BaseHTTPRequestHandler,
        status: int,
        answer: bytes,
        headers: dict[str, str],
        send: int | None = None,
    ) -> None:
        client.send_response_only(status)
        for name, value in headers.items():
            if client.command == "HEAD" or name.lower() != "content-length":
                client.send_header(name, value)
        if client.command != "HEAD":
            client.send_header("Content-Length", str(len(answer)))
        client.end_headers()
        if client.command != "HEAD":
            client.wfile.write(answer if send is None else answer[:send])
            client.wfile.flush()


def _reset(client: BaseHTTPRequestHandler) -> None:
    """Drop the connection as a router does that was switched off."""
    client.close_connection = True
    with contextlib.suppress(OSError):
        client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connection.shutdown(socket.SHUT_RDWR)


def _name(method: str, path: str) -> str:
    if method == "GET" and "list-type=2" in path:
        return "LIST"
    return f"{method} part" if "partNumber=" in path else method
