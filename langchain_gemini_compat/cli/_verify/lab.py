"""Sends the requests of the probes: through the chat model, or as raw bodies.

Raw bodies do not pass through the code of the chat model, because a probe must not share a mistake with the code that
it checks. Raw bodies are sent with the same credentials and the same HTTP client.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat._catalog.surfaces import PROJECT_PLACEHOLDER
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport.redaction import hide_secret
from langchain_gemini_compat._transport.tape import start_take
from langchain_gemini_compat._wire.json_types import list_at, object_at, text_at
from langchain_gemini_compat.cli._verify.probe import NotCheckedError

if TYPE_CHECKING:
    import httpx2

    from langchain_gemini_compat import ChatGeminiCompat
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._transport.tokens import TokenSource
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._options import Target

WORD = "Reply with the single word: ok"
#: An invented key. It begins like a key of AI Studio, and the fake endpoint recognises its last four characters.
WRONG_KEY = "AIzaSyWrongKeyOfVerify0000"
_SECONDS = 120.0
#: Seconds to wait before the first and the second retry, for example if the server is overloaded.
WAITS = (2.0, 8.0)
_CHAT = "/chat/completions"
#: Statuses that are caused by credentials, permissions, time limits or quotas, and not by the content of a request.
_NOT_ABOUT_THE_REQUEST = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class RawReply:
    """An answer of the server, as received.

    Attributes:
        status: The HTTP status.
        body: The JSON of a body that is not a stream.
        events: The JSON of the events of a stream, without `[DONE]`.
        text: The beginning of the body.
    """

    status: int
    body: JsonValue
    events: Sequence[JsonObject]
    text: str

    @property
    def ok(self) -> bool:
        """Whether the server accepted the request."""
        return self.status == HTTPStatus.OK

    @property
    def choice(self) -> JsonObject:
        """The first choice of a reply that is not a stream; `{}` if there is none."""
        choices = list_at(self.body, "choices") if isinstance(self.body, dict) else []
        return choices[0] if choices and isinstance(choices[0], dict) else {}

    @property
    def message(self) -> JsonObject:
        """The message of the first choice."""
        return object_at(self.choice, "message")

    @property
    def calls(self) -> list[JsonObject]:
        """The tool calls of the message."""
        return [call for call in list_at(self.message, "tool_calls") if isinstance(call, dict)]

    @property
    def usage(self) -> JsonObject:
        """The token counts of the reply. For a stream, these are the counts of the last event that has counts."""
        if isinstance(self.body, dict):
            return object_at(self.body, "usage")
        found = [usage for event in self.events if (usage := object_at(event, "usage"))]
        return found[-1] if found else {}

    @property
    def deltas(self) -> list[JsonObject]:
        """The deltas of a stream."""
        choices = (choice for event in self.events for choice in list_at(event, "choices"))
        return [object_at(choice, "delta") for choice in choices if isinstance(choice, dict)]

    @property
    def streamed_calls(self) -> list[JsonObject]:
        """The entries of `tool_calls` of all deltas."""
        return [call for delta in self.deltas for call in list_at(delta, "tool_calls") if isinstance(call, dict)]

    @property
    def finish_reasons(self) -> list[str]:
        """The finish reasons of a stream."""
        choices = (choice for event in self.events for choice in list_at(event, "choices"))
        return [
            reason for choice in choices if isinstance(choice, dict) and (reason := text_at(choice, "finish_reason"))
        ]

    @property
    def error(self) -> str:
        """The error message in the body; empty if the body has none."""
        body = self.body[0] if isinstance(self.body, list) and self.body else self.body
        return text_at(object_at(body, "error"), "message") if isinstance(body, dict) else ""

    def describe(self, seen: str = "an answer") -> str:
        """Return `seen` if the server accepted the request, else the status and the beginning of the error message."""
        if self.ok:
            return seen
        return f"{self.status} {' '.join((self.error or self.text).split())[:_LONGEST]}".rstrip()


class Lab:
    """Sends the requests of the probes to one endpoint and model.

    Args:
        target: The endpoint, the model and the credential.
        client: Sends all requests.
        keeps_replies: Whether the probes share the replies of `send_once`. With `False`, each probe sends its own
            requests.
        sleep: Waits before a request is sent again.
    """

    def __init__(
        self,
        target: Target,
        client: httpx2.Client,
        *,
        keeps_replies: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target = target
        self._client = client
        self._keeps_replies = keeps_replies
        self.sleep = sleep
        self._cached: dict[str, RawReply] = {}
        #: The chat model, without retries. With retries, the model would correct a refused request and send the
        #: corrected one. This would hide the mistake that a probe has to find.
        self.chat: ChatGeminiCompat = target.build_model(http_client=client, max_retries=0)
        info = self.chat.endpoint_info()
        self.surface: Surface = info["surface"]
        self.base_url: str = info["base_url"]
        #: The name of the model as the surface spells it.
        self.model: str = info["model"]

    def for_model(self, model: str) -> Lab:
        """Return a lab with the same endpoint and another model."""
        if not model:
            return self
        target = replace(self._target, model=model)
        return Lab(target, self._client, keeps_replies=self._keeps_replies, sleep=self.sleep)

    @property
    def family(self) -> ModelFamily:
        """The catalog's entry for the family of the model."""
        return family_of(self.model)

    @property
    def is_vertex(self) -> bool:
        """Whether the surface is Vertex AI."""
        return self.surface == "vertex"

    def body(self, content: JsonValue = WORD, **keys: JsonValue) -> JsonObject:
        """Return a request with one user message and the given `keys`."""
        return {"model": self.model, "messages": [{"role": "user", "content": content}], **keys}

    def google(self, **keys: JsonValue) -> JsonObject:
        """Return a request with `keys` in `extra_body.google`, where Vertex AI and AI Studio read Google's own keys."""
        return self.body(extra_body={"google": keys})

    def send(self, body: JsonObject, path: str = _CHAT, *, verdicts: Sequence[int] = ()) -> RawReply:
        """Send `body` and return the answer. Raise `NotCheckedError` if the answer says nothing about `body`.

        Args:
            body: The request.
            path: The path below the base URL.
            verdicts: Statuses to return even though they usually say nothing about `body`. For example, the cause of a
                403 is usually the credentials, but it can also be a name in `body` that does not exist.
        """
        waits = iter(WAITS)
        while True:
            reply = self._post(body, path, self._headers)
            if reply.status in verdicts or not _is_outside(reply.status):
                return reply
            wait = next(waits, None)
            if wait is None or reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise NotCheckedError(reply.describe())
            self.sleep(wait)

    def stream(self, body: JsonObject) -> RawReply:
        """Send `body` as a streaming request. The stream contains the token counts at its end."""
        options: JsonObject = {} if self.is_vertex else {"stream_options": {"include_usage": True}}
        return self.send({**body, "stream": True, **options})

    def send_with_wrong_key(self, body: JsonObject) -> RawReply:
        """Send `body` with a key that does not exist."""
        return self._post(body, _CHAT, {"authorization": f"Bearer {WRONG_KEY}"})

    def send_once(self, name: str, body: JsonObject) -> RawReply:
        """Send `body` and keep the answer. With `keeps_replies`, later calls with the same `name` return it."""
        if name not in self._cached or not self._keeps_replies:
            self._cached[name] = self.send(body)
        return self._cached[name]

    def upload(self, content: bytes) -> RawReply:
        """Upload a file of JSON lines with the native Files API, and return the answer, which describes the file.

        https://ai.google.dev/gemini-api/docs/files. The requests are not recorded, because no cassette can replay them.
        Raise `NotCheckedError` if an answer says nothing about the upload.
        """
        origin, _, version = self._url.removesuffix("/openai").rpartition("/")
        kind = {"x-goog-upload-header-content-type": "jsonl"}
        size = {"x-goog-upload-header-content-length": str(len(content))}
        command = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
        key = {"x-goog-api-key": self._tokens.token(time.monotonic() + _SECONDS)}
        description = b'{"file": {"display_name": "verify"}}'
        reply, url = self._exchange(f"{origin}/upload/{version}/files", description, {**key, **command, **kind, **size})
        if not url:
            return reply
        finish = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        return self._exchange(url, content, finish)[0]

    def _post(self, body: JsonObject, path: str, headers: Mapping[str, str]) -> RawReply:
        request = self._build_request(self._url + path, json.dumps(body).encode(), headers)
        take = start_take(request)
        response = self._send(request)
        if take is not None:
            take.note_response(response, is_raw=False)
            take.note_piece(response.content)
            take.note_end()
            take.save()
        return _read(response)

    def _exchange(self, url: str, content: bytes, headers: Mapping[str, str]) -> tuple[RawReply, str]:
        """Send one request of an upload. Return the answer, and the URL for the content (empty if there is none)."""
        response = self._send(self._build_request(url, content, headers))
        reply = _read(response)
        if _is_outside(reply.status):
            raise NotCheckedError(reply.describe())
        return reply, response.headers.get("x-goog-upload-url", "")

    def _build_request(self, url: str, content: bytes, headers: Mapping[str, str]) -> httpx2.Request:
        fixed = {"content-type": "application/json", "user-agent": "langchain-gemini-compat"}
        return self._client.build_request("POST", url, content=content, headers={**fixed, **headers}, timeout=_SECONDS)

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._client.send(request)
        except cast("type[Exception]", import_module(library_name()).HTTPError) as err:
            raise NotCheckedError(f"no answer ({type(err).__name__})") from None

    @property
    def _headers(self) -> Mapping[str, str]:
        return self._tokens.apply(self._tokens.token(time.monotonic() + _SECONDS))

    @cached_property
    def _tokens(self) -> TokenSource:
        return self._target.build_tokens()

    @cached_property
    def _url(self) -> str:
        if PROJECT_PLACEHOLDER not in self.base_url:
            return self.base_url
        project = self._tokens.project(time.monotonic() + _SECONDS)
        if not project:
            raise NotCheckedError("the credentials have no project: use `--project`")
        return self.base_url.replace(PROJECT_PLACEHOLDER, project)


def _is_outside(status: int) -> bool:
    """Return whether `status` comes from something other than the content of the request, such as a quota."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_ABOUT_THE_REQUEST


def _read(response: httpx2.Response) -> RawReply:
    """Return the answer without the credentials of the request, which a server may repeat in its answer."""
    text = hide_secret(response.request, response.content).decode(errors="replace")
    if "event-stream" in response.headers.get("content-type", ""):
        lines = (line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:"))
        events = [found for line in lines if isinstance(found := _parse(line), dict)]
        return RawReply(response.status_code, None, events, text[:_LONGEST])
    return RawReply(response.status_code, _parse(text), (), text[:_LONGEST])


def _parse(text: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        return None
    return found
