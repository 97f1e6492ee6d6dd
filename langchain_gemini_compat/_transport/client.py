"""Sends payloads to the endpoint and returns wire chunks.

The HTTP clients have the limits and proxies of the openai SDK's clients. The SDK itself is not used, since its typed
objects take 120 µs per chunk. Credentials go only to the base URL, so redirects are not followed. `OPENAI_*` variables
are not read.
"""

from __future__ import annotations

import math
import time
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.surfaces import PROJECT_PLACEHOLDER
from langchain_gemini_compat._errors.pending import make_error
from langchain_gemini_compat._transport.body import encode_body
from langchain_gemini_compat._transport.client_factory import FIXED_HEADERS, has_fixed_headers
from langchain_gemini_compat._transport.errors import translate_errors
from langchain_gemini_compat._transport.http_clients import Clients
from langchain_gemini_compat._transport.http_library import http_library
from langchain_gemini_compat._transport.rate_gate import gate_of
from langchain_gemini_compat._transport.reader import build_reader
from langchain_gemini_compat._transport.resources import add_query, fetch
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.sending import asend, send
from langchain_gemini_compat._transport.tape import current_player, is_playing_here, record_from_environment
from langchain_gemini_compat._transport.timeouts import TimeLimits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping

    import httpx2
    from langchain_core.rate_limiters import BaseRateLimiter
    from typing_extensions import NotRequired

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._transport.resources import ResourceRequest
    from langchain_gemini_compat._transport.sending import AsyncExchange, Exchange
    from langchain_gemini_compat._transport.tokens import TokenSource
    from langchain_gemini_compat._wire.json_types import JsonObject, WireChunk

_UNAUTHENTICATED = 401
_NO_PROJECT = (
    "No project is set, and the credentials do not name one. Pass `project=…`, set GOOGLE_CLOUD_PROJECT, or run "
    "`gcloud config set project PROJECT_ID`."
)


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """How to reach an endpoint.

    Args:
        surface: The kind of endpoint, which selects the advice in error messages.
        base_url: The URL without `path`. The URL may contain the placeholder for the project.
        tokens: The source of bearer tokens.
        limits: The time limits of a call.
        max_retries: Maximum number of retries after the first try of a call. With 0 the rate gate is skipped.
        account: A digest of the key. Transports with different values do not share a rate gate.
        headers: Further headers. They replace headers of the same name, except `authorization`.
        query: Further query parameters.
        http_client: The caller's client for blocking calls.
        http_async_client: The caller's client for async calls.
        path: The path below `base_url`.
    """

    surface: Surface
    base_url: str
    tokens: TokenSource
    limits: TimeLimits = field(default_factory=TimeLimits)
    max_retries: int = 2
    account: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    http_client: httpx2.Client | None = None
    http_async_client: httpx2.AsyncClient | None = None
    path: str = "/chat/completions"


class TransportOptions(TypedDict):
    """The arguments of `TransportConfig` except the endpoint, the tokens and the account."""

    limits: TimeLimits
    max_retries: int
    headers: Mapping[str, str]
    query: Mapping[str, str]
    http_client: httpx2.Client | None
    http_async_client: httpx2.AsyncClient | None
    path: NotRequired[str]


class Transport:
    """Sends payloads. A reply is whole or streamed, and a call is blocking or async.

    Transports share an HTTP client if they have the same server, account and network settings (see `Clients`). The
    first call opens the client.
    """

    def __init__(self, config: TransportConfig) -> None:
        self._config = config
        place = (_digest_origin(config.base_url), config.tokens.account)
        self._clients = Clients(config.http_client, config.http_async_client, place)
        record_from_environment()

    @property
    def tokens(self) -> TokenSource:
        """The source of bearer tokens."""
        return self._config.tokens

    def begin(
        self,
        model: str,
        *,
        keeps_headers: bool = False,
        request_headers: Mapping[str, str] | None = None,
        rate_limiter: BaseRateLimiter | None = None,
    ) -> Tries:
        """Return the retry state of a new call. Calls with the same endpoint, model and account share a rate gate."""
        config = self._config
        gate = gate_of(config.base_url, model, config.account)
        # If a player (see `tape`) answers the requests, there is no server, so no wait between tries is necessary.
        sleeps = current_player() is None
        return Tries(
            0 if is_playing_here() else config.max_retries,
            config.limits,
            gate,
            keeps_headers=keeps_headers,
            request_headers=request_headers,
            sleeps=sleeps,
            rate_limiter=rate_limiter,
        )

    def complete(self, payload: JsonObject, tries: Tries) -> WireChunk:
        """Send `payload`. Return the whole reply as one chunk."""
        with closing(self._exchange(payload, tries, stream=False)) as wires:
            return next(wires)

    def stream(self, payload: JsonObject, tries: Tries) -> Generator[WireChunk]:
        """Send `payload`. Yield the chunks as they arrive. Closing the generator closes the connection."""
        return self._exchange(payload, tries, stream=True)

    async def acomplete(self, payload: JsonObject, tries: Tries) -> WireChunk:
        """Async version of `complete`."""
        async with aclosing(self._aexchange(payload, tries, stream=False)) as wires:
            return await anext(wires)

    def astream(self, payload: JsonObject, tries: Tries) -> AsyncGenerator[WireChunk]:
        """Async version of `stream`."""
        return self._aexchange(payload, tries, stream=True)

    def fetch(self, request: ResourceRequest, sink: Callable[[bytes], object]) -> Mapping[str, str]:
        """Send a request for a file or a batch. Pass the response body to `sink` and return the response headers."""
        config = self._config
        if request.credential != "none":
            given = {name.lower(): value for name, value in config.headers.items()}
            url = add_query(request.url, config.query)
            request = replace(request, url=url, headers={**given, **request.headers})
        return fetch(request, sink, self._clients.sync_client(), self._current_tokens(), config.surface, config.limits)

    def _exchange(self, payload: JsonObject, tries: Tries, *, stream: bool) -> Generator[WireChunk]:
        config = self._config
        with (
            closing(self._send(payload, tries)) as exchange,
            build_reader(exchange, config.surface, config.limits, stream=stream) as reader,
        ):
            tries.note_response(exchange.response)
            for data in exchange.pieces():
                yield from reader.feed(data)
                reader.await_more()
            yield from reader.finish()

    async def _aexchange(self, payload: JsonObject, tries: Tries, *, stream: bool) -> AsyncGenerator[WireChunk]:
        config = self._config
        async with aclosing(await self._asend(payload, tries)) as exchange:
            with build_reader(exchange, config.surface, config.limits, stream=stream) as reader:
                tries.note_response(exchange.response)
                async for data in exchange.pieces():
                    for wire in reader.feed(data):
                        yield wire
                    reader.await_more()
                for wire in reader.finish():
                    yield wire

    def _send(self, payload: JsonObject, tries: Tries) -> Exchange:
        """Send `payload` and return the response without reading its body.

        If the server rejects the token, replace the token and send `payload` once more.
        """
        body, tokens, limits = encode_body(payload), self._current_tokens(), self._config.limits
        with tries.waiting_for_token() as by:
            token = tokens.token(by)
            url = _fill_project(self._config.base_url, lambda: tokens.project(by)) + self._config.path
        client = self._clients.sync_client()
        while True:
            with translate_errors(limits, tries.deadline):
                request = self._build_request(client, url, body, tokens.apply(token), tries)
                exchange = send(
                    client,
                    request,
                    first_by=tries.first_by,
                    between_chunks=limits.between_chunks,
                    end_by=tries.deadline,
                )
            refused = exchange.response.status_code == _UNAUTHENTICATED
            if not refused or not tries.try_renew_token() or not tokens.reject(token):
                return exchange
            exchange.close()
            with tries.waiting_for_token() as by:
                token = tokens.token(by)

    async def _asend(self, payload: JsonObject, tries: Tries) -> AsyncExchange:
        """Async version of `_send`."""
        body, tokens, limits = encode_body(payload), self._current_tokens(), self._config.limits
        with tries.waiting_for_token() as by:
            token = await tokens.atoken(by)
            project = await tokens.aproject(by) if PROJECT_PLACEHOLDER in self._config.base_url else None
        client = await self._clients.async_client()
        url = _fill_project(self._config.base_url, lambda: project) + self._config.path
        while True:
            with translate_errors(limits, tries.deadline):
                request = self._build_request(client, url, body, tokens.apply(token), tries)
                exchange = await asend(
                    client,
                    request,
                    first_by=tries.first_by,
                    between_chunks=limits.between_chunks,
                    end_by=tries.deadline,
                )
            refused = exchange.response.status_code == _UNAUTHENTICATED
            if not refused or not tries.try_renew_token() or not tokens.reject(token):
                return exchange
            await exchange.aclose()
            with tries.waiting_for_token() as by:
                token = await tokens.atoken(by)

    def _current_tokens(self) -> TokenSource:
        """Return the source of bearer tokens.

        If a player (see `tape`) answers the requests, return the player's source, so that no credentials are needed.
        """
        player = current_player()
        return self._config.tokens if player is None else player.tokens

    def _build_request(
        self,
        client: httpx2.Client | httpx2.AsyncClient,
        url: str,
        body: bytes,
        credential: Mapping[str, str],
        tries: Tries,
    ) -> httpx2.Request:
        config = self._config
        # Several models may share a client, so the headers of a call are set on its requests and not on the client.
        of_call = {name.lower(): value for name, value in tries.request_headers.items()}
        given = {name.lower(): value for name, value in config.headers.items()}
        # A client that this package builds adds the fixed headers itself. Setting them here would take 3 % of a call's
        # time, so this is done only for other clients.
        fixed = {} if has_fixed_headers(client) else FIXED_HEADERS
        headers = {**fixed, **of_call, **credential, **given}
        if "authorization" in credential:
            headers["authorization"] = credential["authorization"]
        extensions = {"timeout": _build_timeout(config.limits, tries.deadline)}
        tries.note_sending()
        query = dict(config.query) or None
        return client.build_request(
            "POST", _parse_url(url), content=body, headers=headers, params=query, extensions=extensions
        )


def _digest_origin(base_url: str) -> str:
    """Return a digest of the URL's scheme, host, port, user name and password."""
    parts = urlsplit(base_url)
    return sha256(f"{parts.scheme}://{parts.netloc.lower()}".encode(errors="replace")).hexdigest()


@lru_cache(maxsize=64)
def _parse_url(url: str) -> httpx2.URL:
    """Return `url` as an object of the HTTP library. The cache saves the parsing, which takes 2 % of a call's time."""
    return http_library().URL(url)


def _build_timeout(limits: TimeLimits, deadline: float | None) -> dict[str, float | None]:
    """Return the timeouts of one request, in the form of the HTTP library's extension `timeout`.

    No timeout exceeds the remaining time of the call.
    """
    left = math.inf if deadline is None else max(0.001, deadline - time.monotonic())
    first = math.inf if limits.first_byte is None else limits.first_byte
    connect, read, write, pool = (
        None if (least := min(left, bound, math.inf if limit is None else limit)) == math.inf else least
        for limit, bound in (
            (limits.connect, first),
            (limits.first_byte, first),
            (limits.write, math.inf),
            (limits.pool, first),
        )
    )
    return {"connect": connect, "read": read, "write": write, "pool": pool}


def _fill_project(base_url: str, find_project: Callable[[], str | None]) -> str:
    if PROJECT_PLACEHOLDER not in base_url:
        return base_url
    project = find_project()
    if not project:
        raise make_error(lambda: errors.CredentialsError(_NO_PROJECT))
    return base_url.replace(PROJECT_PLACEHOLDER, project)
