"""A small server that speaks enough of OpenAI's chat completions to be annotated by, and that can fail on command."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from classifiers.annotation import AnnotateReport, annotate

KEY = "right-key"

#: A fault: given the request's body, the answer's content, or (status, headers, body), or None for a dropped connection.
Reply = str | tuple[int, dict[str, str], dict[str, Any]] | None
Fault = Callable[[dict[str, Any]], Reply]


def error(status: int, code: str | None = None, param: str | None = None, message: str = "no", **headers: str) -> Fault:
    """An error in the form OpenAI's API gives it; headers with ``_`` for ``-``. It is to be repeated soon, if at all."""
    named = {"retry-after-ms": "10"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body: (status, named, {"error": {"message": message, "code": code, "param": param, "type": "test"}})


def sends(body: dict[str, Any], **headers: str) -> Fault:
    """Something else than a completion, with status 200."""
    return lambda _: (200, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def says(content: str) -> Fault:
    """An answer of the model, whatever the text."""
    return lambda body: content


def drops(body: dict[str, Any]) -> Reply:
    """The connection is closed without an answer."""
    return None


def finishes(reason: str, content: str = "", **message: Any) -> Fault:
    """A completion that ended for this reason."""
    return lambda body: (200, {}, completion(content, reason, **message))


def slow(seconds: float) -> Fault:
    """The right answer, late."""

    def late(body: dict[str, Any]) -> Reply:
        time.sleep(seconds)
        return answer(body)

    return late


def text_of(body: dict[str, Any]) -> str:
    """The text to judge: what stands between the two marks."""
    found = re.search(r"\A<text-(\w+)>\n(.*)\n</text-\1>\n", body["messages"][1]["content"], re.DOTALL)
    assert found, "the text does not stand between its marks"
    return found[2]


def is_second(body: dict[str, Any]) -> bool:
    """Whether the rubric comes in the order of second opinions."""
    system = body["messages"][0]["content"]
    return system.index("## confidence") < system.index("## relevance")


def labels(text: str, second: bool = False) -> dict[str, Any]:
    """A reader of simple rules, who changes their mind about texts with ``maybe``."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    doubt = second and "maybe" in words
    alone, answered = bool(words & {"alone", "lonely"}), "supporter" in words
    return {
        "relevance": (4 if answered else 3 if alone else 0) + doubt,
        "facets": ({"relationships": 2} if alone else {}) | ({"adversity": 1} if doubt else {}),
        "stance": "struggling" if alone else "neutral",
        "support": 2 if answered else None,
        "behaviours": ["validates", "asks"] if answered else [],
        "safety": ["disclosure"] if "pills" in words else [],
        "register": "dialogue" if answered else "first_person" if "i" in words else "other",
        "confidence": 0.8,
    }


def answer(body: dict[str, Any]) -> str:
    """The model's usual answer."""
    return json.dumps(labels(text_of(body), is_second(body)))


def completion(content: str, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    """A whole answer of the API."""
    choice = {"index": 0, "finish_reason": finish_reason, "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "fake",
        "choices": [choice | {"message": {"role": "assistant", "content": content, "refusal": None} | message}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100},
    }


@dataclass
class FakeLLM:
    """The server, while the ``with`` block lasts.

    :ivar faults: each request takes the next of them, as long as there are any; None is the usual answer.
    :ivar reply: how the model answers otherwise.
    :ivar bodies: all requests, in order.
    :ivar times: when each came.
    :ivar keys: the keys they came with.
    :ivar most: most requests that were being answered at one time.
    """

    faults: deque[Fault | None] = field(default_factory=deque)
    reply: Fault = answer
    needs_key: bool = False
    takes_response_format: bool = True
    takes_temperature: bool = True
    bodies: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most: int = 0
    _now: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeLLM:
        handler = type("Handler", (_Handler,), {"llm": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def asked(self) -> list[str]:
        """The texts of all requests, in order."""
        return [text_of(body) for body in self.bodies]

    def respond(self, body: dict[str, Any], key: str | None) -> Reply:
        """What to answer a request."""
        self.bodies.append(body)
        self.times.append(time.monotonic())
        self.keys.append(key)
        if self.needs_key and key != f"Bearer {KEY}":
            return error(401, "invalid_api_key")(body)
        for option, taken in (("response_format", self.takes_response_format), ("temperature", self.takes_temperature)):
            if option in body and not taken:
                return error(400, "unsupported_value", option)(body)
        with self._lock:
            fault = self.faults.popleft() if self.faults else None
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return (fault or self.reply)(body)
        finally:
            with self._lock:
                self._now -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and content leave together: in two packets the second waits 40 ms for the first one's receipt.
    wbufsize = 1 << 16
    llm: FakeLLM

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.path == "/v1/chat/completions"
        reply = self.llm.respond(body, self.headers["Authorization"]) if known else error(404)(body)
        if reply is None:
            self.close_connection = True
            return
        status, headers, content = (200, {}, completion(reply)) if isinstance(reply, str) else reply
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


#: Fields of the annotations that training reads, in their order.
FIELDS = ["id", "relevance", "facets", "stance", "support", "behaviours", "safety", "register", "confidence", "corpus",
          "key", "text"]  # fmt: skip

GOOD = labels("Seeker: I am lonely. Supporter: What would help?")


def rows_of(path: Path | str) -> list[dict[str, Any]]:
    """The finished lines of a file, which somebody may be writing."""
    data = Path(path).read_bytes() if Path(path).exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def texts_of(folder: Path, n: int = 6, corpus: str = "letters") -> Path:
    """n different texts."""
    return write(
        folder / "texts.jsonl",
        [{"id": f"t{i}", "corpus": corpus, "text": f"I have been lonely for {i} weeks."} for i in range(n)],
    )


def run(llm: FakeLLM, texts: Path, out: Path, **options: Any) -> AnnotateReport:
    """Annotate with the fake model; nothing is asked twice unless said."""
    return annotate(texts, out, **{"endpoint": llm.endpoint, "model": "fake", "second": 0.0, **options})
