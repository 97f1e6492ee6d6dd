"""Payloads to wire chunks, over the openai SDK's client: its pool, timeouts and retries, none of its models.

The only file that holds a client. The body is serialised once and decoded once. Its one rule: a credential goes
to the base URL and nowhere else, so redirects are not followed and nothing is read from OPENAI_* variables.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import openai
from jiter import from_json
from typing_extensions import TypedDict

from langchain_gemini_compat import _api_errors as errors
from langchain_gemini_compat._auth import build_token_source
from langchain_gemini_compat._http import response_type
from langchain_gemini_compat._sse import SseDecoder
from langchain_gemini_compat._surfaces import PROJECT_PLACEHOLDER
from langchain_gemini_compat._translate import is_error_body, translate_body, translate_errors
from langchain_gemini_compat._wire import as_chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping

    import httpx2
    from google.auth.credentials import Credentials
    from openai._types import RequestOptions
    from typing_extensions import Unpack

    from langchain_gemini_compat._auth import TokenSource
    from langchain_gemini_compat._config import Connection
    from langchain_gemini_compat._wire import JsonObject, JsonValue, WireChunk

_PATH = "/chat/completions"
_USER_AGENT = "langchain-gemini-compat"
#: The SDK's own headers that are sent; telemetry and OpenAI's account headers are not.
_KEPT_HEADERS = frozenset({"accept", "content-type", "user-agent", "authorization"})


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """How to reach the endpoint; `timeout` in seconds or as the HTTP library's own object."""

    base_url: str
    tokens: TokenSource
    timeout: float | httpx2.Timeout | None = None
    max_retries: int = 2
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    http_client: httpx2.Client | None = None
    http_async_client: httpx2.AsyncClient | None = None


class TransportOptions(TypedDict):
    """What `TransportConfig` takes beside the base URL and the tokens."""

    timeout: float | httpx2.Timeout | None
    max_retries: int
    headers: Mapping[str, str]
    query: Mapping[str, str]
    http_client: httpx2.Client | None
    http_async_client: httpx2.AsyncClient | None


class Transport:
    """Four ways to send one payload: whole or streamed, sync or async.

    Clients are made at the first call, one for all threads and one for each event loop, anew after a fork.
    """

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        self._client: openai.OpenAI | None = None
        self._async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient] = WeakKeyDictionary()
        self._pid = os.getpid()

    @property
    def tokens(self) -> TokenSource:
        """Where bearer tokens come from."""
        return self._config.tokens

    def complete(self, payload: JsonObject) -> WireChunk:
        """Send `payload`; the whole reply as one chunk."""
        with translate_errors():
            response = self._send(payload, stream=False)
        return _read_completion(response.content, response)

    def stream(self, payload: JsonObject) -> Generator[WireChunk]:
        """Send `payload`; its chunks as they arrive. Closing the iterator closes the connection."""
        with translate_errors():
            response = self._send(payload, stream=True)
            reader = _StreamReader(response)
            try:
                for data in response.iter_bytes():
                    yield from reader.feed(data)
                yield from reader.finish()
            finally:
                response.close()

    async def acomplete(self, payload: JsonObject) -> WireChunk:
        """`complete`, async."""
        with translate_errors():
            response = await self._asend(payload, stream=False)
        return _read_completion(response.content, response)

    async def astream(self, payload: JsonObject) -> AsyncGenerator[WireChunk]:
        """`stream`, async."""
        with translate_errors():
            response = await self._asend(payload, stream=True)
            reader = _StreamReader(response)
            try:
                async for data in response.aiter_bytes():
                    for wire in reader.feed(data):
                        yield wire
                for wire in reader.finish():
                    yield wire
            finally:
                await response.aclose()

    def _send(self, payload: JsonObject, *, stream: bool) -> httpx2.Response:
        body, tokens = _serialise(payload), self._config.tokens
        token = tokens.token()
        client = self._sync_client()
        try:
            return client.post(
                _PATH, cast_to=response_type(), content=body, options=self._options(client, token), stream=stream
            )
        except openai.AuthenticationError:
            if not tokens.reject(token):
                raise
        options = self._options(client, tokens.token())
        return client.post(_PATH, cast_to=response_type(), content=body, options=options, stream=stream)

    async def _asend(self, payload: JsonObject, *, stream: bool) -> httpx2.Response:
        body, tokens = _serialise(payload), self._config.tokens
        token = await tokens.atoken()
        client = await self._async_client()
        try:
            return await client.post(
                _PATH, cast_to=response_type(), content=body, options=self._options(client, token), stream=stream
            )
        except openai.AuthenticationError:
            if not tokens.reject(token):
                raise
        options = self._options(client, await tokens.atoken())
        return await client.post(_PATH, cast_to=response_type(), content=body, options=options, stream=stream)

    def _options(self, client: openai.OpenAI | openai.AsyncOpenAI, token: str) -> RequestOptions:
        foreign = (name for name in client.default_headers if name.lower() not in _KEPT_HEADERS)
        headers: dict[str, str | openai.Omit] = dict.fromkeys(foreign, openai.Omit())
        headers |= {"User-Agent": _USER_AGENT, **self._config.tokens.headers(), **self._config.headers}
        headers["Authorization"] = f"Bearer {token}" if token else openai.Omit()
        return {"headers": headers, "follow_redirects": False}

    def _sync_client(self) -> openai.OpenAI:
        if self._client is None or self._pid != os.getpid():
            self._forget_after_fork()
            config = self._config
            self._client = openai.OpenAI(
                api_key=_USER_AGENT,
                base_url=_fill_project(config.base_url, config.tokens.project),
                timeout=_timeout(config.timeout),
                max_retries=config.max_retries,
                default_query=config.query,
                http_client=config.http_client,
            )
        return self._client

    async def _async_client(self) -> openai.AsyncOpenAI:
        loop = asyncio.get_running_loop()
        if self._pid != os.getpid():
            self._forget_after_fork()
        known = self._async_clients.get(loop)
        if known is None:
            known = await self._open_async_client()
            for other in [other for other in self._async_clients if other.is_closed()]:
                del self._async_clients[other]
            self._async_clients[loop] = known
        return known.client

    async def _open_async_client(self) -> _LoopClient:
        config = self._config
        base_url = config.base_url
        if PROJECT_PLACEHOLDER in base_url:
            project = await config.tokens.aproject()
            base_url = _fill_project(base_url, lambda: project)
        client = openai.AsyncOpenAI(
            api_key=_USER_AGENT,
            base_url=base_url,
            timeout=_timeout(config.timeout),
            max_retries=config.max_retries,
            default_query=config.query,
            # The SDK's own default closes itself in whatever loop runs when it is collected.
            http_client=config.http_async_client or openai.DefaultAsyncHttpxClient(),
        )
        if config.http_async_client is not None:
            return _LoopClient(client)
        until_end = _close_at_end(client)
        await anext(until_end)
        return _LoopClient(client, until_end)

    def _forget_after_fork(self) -> None:
        """Sockets of the parent are not ours to use, nor to close."""
        self._pid = os.getpid()
        self._client = None
        self._async_clients = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _LoopClient:
    """A client of one event loop, and what closes it."""

    client: openai.AsyncOpenAI
    until_end: AsyncGenerator[None] | None = None


async def _close_at_end(client: openai.AsyncOpenAI) -> AsyncGenerator[None]:
    """Hold `client` open until its event loop ends: `asyncio.run` closes all generators that are still open."""
    try:
        yield
    finally:
        await client.close()


def open_transport(
    connection: Connection,
    *,
    credentials: Credentials | None,
    quota_project_id: str | None,
    **options: Unpack[TransportOptions],
) -> Transport:
    """A transport for `connection`; asks nobody for a token yet."""
    tokens = build_token_source(
        api_key=connection.api_key,
        credentials=credentials,
        quota_project_id=quota_project_id,
        source=connection.key_source,
        anonymous=connection.endpoint.surface == "openai_compatible",
    )
    return Transport(TransportConfig(connection.endpoint.base_url, tokens, **options))


class _StreamReader:
    """Bytes of a streamed reply to wire chunks; what is no chunk raises."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._decoder = SseDecoder()

    def feed(self, data: bytes) -> Iterator[WireChunk]:
        return self._read(self._decoder.feed(data))

    def finish(self) -> Iterator[WireChunk]:
        return self._read(self._decoder.finish())

    def _read(self, values: Iterator[JsonValue]) -> Iterator[WireChunk]:
        try:
            for value in values:
                wire = _check(value, self._response)
                # A server that does not stream answers a request for a stream with a whole reply.
                yield as_chunk(wire) if _is_whole(wire) else wire
        except ValueError as err:
            raise errors.InvalidReplyError(f"The stream holds something that is not JSON ({err}). Ask again.") from None


def _read_completion(content: bytes, response: httpx2.Response) -> WireChunk:
    try:
        value = cast("JsonValue", from_json(content))
    except ValueError:
        start = content[:200].decode(errors="replace")
        text = f"The server answered {response.status_code} with something that is not JSON: {start!r}. "
        raise errors.InvalidReplyError(text + "Check `base_url`.") from None
    return as_chunk(_check(value, response))


def _is_whole(wire: WireChunk) -> bool:
    return wire.get("object") == "chat.completion" or any("message" in choice for choice in wire.get("choices") or ())


def _check(value: JsonValue, response: httpx2.Response) -> WireChunk:
    if is_error_body(value):
        raise translate_body(value, response)
    if not isinstance(value, dict):
        raise errors.InvalidReplyError(f"The server sent {str(value)[:200]!r} where a chunk belongs. Ask again.")
    return cast("WireChunk", value)


def _serialise(payload: JsonObject) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _timeout(timeout: float | httpx2.Timeout | None) -> float | httpx2.Timeout | openai.NotGiven:
    return openai.NOT_GIVEN if timeout is None else timeout


def _fill_project(base_url: str, find_project: Callable[[], str | None]) -> str:
    if PROJECT_PLACEHOLDER not in base_url:
        return base_url
    project = find_project()
    if not project:
        raise errors.CredentialsError(
            "No project: the credentials name none. Pass `project=…`, set GOOGLE_CLOUD_PROJECT, or run "
            "`gcloud config set project PROJECT_ID`."
        )
    return base_url.replace(PROJECT_PLACEHOLDER, project)
