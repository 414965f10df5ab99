"""Requests to an OpenAI-compatible endpoint, and what its errors mean for a run."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from sources.errors import UserError

#: What is asked for where the endpoint takes it.
OPTIONS: dict[str, Any] = {"temperature": 0, "response_format": {"type": "json_object"}}
#: What no repetition mends: HTTP status -> what is wrong and how to mend it.
_STOPS = {
    401: ("the endpoint does not take the key", "check the API key"),
    402: ("the account has no credit left", "add credit; the same command goes on from here"),
    403: ("the key may not use this endpoint or model", "check the key's rights, and the model"),
    404: ("the endpoint does not know the model, or is not at this address", "check both"),
}
#: How endpoints say that they will not have a text, in an error of status 400, 403 or 422.
_FILTERED = re.compile(r"content[ _](filter|policy|management)|moderation|flagged", re.IGNORECASE)


class Refused(Exception):  # noqa: N818 - no error of the program
    """The model or the endpoint will not judge this text."""


class Unanswered(Exception):  # noqa: N818
    """No answer, though the request was repeated. Perhaps the next run gets one."""


class Endpoint:
    """One endpoint, and the tokens it has counted.

    The client repeats what fails in passing (limits, errors of the server, lost connections) and waits as long as it is
    told to.

    :raises UserError: the package ``openai`` is missing, or address or key cannot be right.
    """

    def __init__(self, address: str, api_key: str | None, max_retries: int, timeout: float) -> None:
        try:
            import openai
        except ImportError:
            raise UserError("annotating needs the package `openai`", fix='pip install "wellmix[annotate]"') from None
        parts, key = urlsplit(address), (api_key or "").strip()
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            # A password may be in it, so it is not repeated.
            fix = "such as http://localhost:8000/v1, without user or key"
            raise UserError("this is not the plain address of an endpoint", where=parts.hostname, fix=fix)
        if not key.isascii():
            raise UserError("the API key holds characters that no key has", fix="copy the key again")
        self.address = address.rstrip("/").removesuffix("/chat/completions")
        # A stand-in keeps the client from sending the environment's key to an endpoint that was not meant to have it.
        self._client = openai.AsyncOpenAI(
            base_url=self.address, api_key=key or "none", max_retries=max_retries, timeout=timeout
        )
        self._openai: Any = openai
        self._options: dict[str, dict[str, Any]] = {}
        self._works: set[str] = set()
        self.prompt_tokens = self.completion_tokens = 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def complete(self, model: str, messages: list[dict[str, str]]) -> str:
        """A model's answer.

        :raises Refused: the model or the endpoint will not judge this text.
        :raises Unanswered: there was no answer.
        :raises UserError: no request can succeed.
        """
        options = self._options.setdefault(model, dict(OPTIONS))
        create: Any = self._client.chat.completions.create
        try:
            completion = await create(model=model, messages=messages, **options)
        except self._openai.APIStatusError as error:
            # An option that an answer came to before is not at fault, even if the message has its name.
            if model not in self._works and (named := [name for name in options if name in str(error.body)]):
                self._options[model] = {name: value for name, value in options.items() if name not in named}
                return await self.complete(model, messages)
            raise self._failure(error, model) from None
        except (self._openai.APIError, ValueError):
            raise Unanswered("the connection fails, or is too slow") from None
        # Proxies answer errors, or pages, with status 200.
        if not isinstance(completion, self._openai.types.chat.ChatCompletion) or not completion.choices:
            raise Unanswered("what comes back is no chat completion")
        self._works.add(model)
        if completion.usage:
            self.prompt_tokens += completion.usage.prompt_tokens
            self.completion_tokens += completion.usage.completion_tokens
        choice = completion.choices[0]
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            raise Refused("the model would not answer")
        return choice.message.content or ""

    def _failure(self, error: Any, model: str) -> Exception:
        """What an error status means. Its message is left out: it may quote the text."""
        status, said = error.status_code, f"HTTP {error.status_code}"
        if re.fullmatch(r"[a-z_]{1,40}", str(error.code or "")):
            said += f", {error.code}"
        if status in (400, 403, 422) and _FILTERED.search(str(error.body)):
            return Refused(said)
        if error.code == "insufficient_quota":
            status = 402
        if status in _STOPS:
            what, fix = _STOPS[status]
            return UserError(f"{what} ({said})", where=f"{self.address}, model {model}", fix=fix)
        return Unanswered(said)
