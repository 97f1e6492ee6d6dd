"""Sends requests for files and batches.

The responses are not replies of a model, so their bodies are passed on as bytes. Errors of the server, time limits,
proxies and credentials are handled as in a call of a model. Failed requests are not sent again.
"""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from langchain_gemini_compat._transport.decompression import ACCEPTED
from langchain_gemini_compat._transport.errors import translate_errors
from langchain_gemini_compat._transport.http_library import http_library
from langchain_gemini_compat._transport.reader import ErrorReader, ReplyReader
from langchain_gemini_compat._transport.sending import send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import httpx2

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._transport.sending import Exchange
    from langchain_gemini_compat._transport.timeouts import TimeLimits
    from langchain_gemini_compat._transport.tokens import TokenSource
    from langchain_gemini_compat._wire.json_types import WireChunk


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """A request for a file or a batch.

    Args:
        method: The HTTP method.
        url: The whole URL.
        content: The body.
        headers: Further headers.
        credential: How the request is authenticated. `"bearer"` sends a bearer token. `"native"` sends an API key in
            the header of Google's native API, or else a bearer token. `"none"` sends no credential. Use `"none"` for
            the parts of an upload, whose URL is itself a credential.
    """

    method: str
    url: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    credential: Literal["bearer", "native", "none"] = "native"


class _SinkReader(ReplyReader):
    """Passes the decompressed pieces of a body to `sink`."""

    def __init__(
        self, exchange: Exchange, surface: Surface, limits: TimeLimits, sink: Callable[[bytes], object]
    ) -> None:
        super().__init__(exchange, surface, limits)
        self._sink = sink
        self._room = math.inf

    def await_more(self) -> None:
        """Restart the idle timeout after a piece of the body, and arm the deadline again.

        The download of a large file may therefore take longer than the idle timeout.
        """
        self._deadline.note_chunk()
        self._deadline.arm()

    def _take(self, data: bytes) -> Iterable[WireChunk]:
        if self._deadline.exceeded:
            self._stop()
        self._sink(data)
        return ()

    def _finish(self) -> Iterator[WireChunk]:
        return iter(())


def add_query(url: str, query: Mapping[str, str]) -> str:
    """Add to `url` the parameters of `query` that `url` does not have yet. Return the new URL.

    >>> add_query("https://a.example/b?alt=media", {"alt": "json", "team": "moon"})
    'https://a.example/b?alt=media&team=moon'
    """
    parts = urlsplit(url)
    own = parse_qs(parts.query, keep_blank_values=True)
    added = urlencode({name: value for name, value in query.items() if name not in own})
    return parts._replace(query="&".join(filter(None, (parts.query, added)))).geturl()


def fetch(
    request: ResourceRequest,
    sink: Callable[[bytes], object],
    client: httpx2.Client,
    tokens: TokenSource,
    surface: Surface,
    limits: TimeLimits,
) -> Mapping[str, str]:
    """Send `request`, pass the body of the response to `sink`, and return the headers of the response.

    Raises:
        GeminiCompatError: The server refused the request, or did not answer in time. `sink` may have received a part of
            the body before the error.
    """
    token = "" if request.credential == "none" else tokens.token()
    headers = {"accept-encoding": ACCEPTED, "user-agent": "langchain-gemini-compat", **request.headers}
    headers.update(_build_credential(request, tokens, token))
    with translate_errors(limits, None):
        sent = client.build_request(
            request.method, request.url, content=request.content, headers=headers, timeout=_build_timeout(limits)
        )
        exchange = send(
            client,
            sent,
            first_by=time.monotonic() + (math.inf if limits.first_byte is None else limits.first_byte),
            between_chunks=limits.between_chunks,
            end_by=None,
        )
    with closing(exchange):
        is_success = exchange.response.is_success
        reader = _SinkReader(exchange, surface, limits, sink) if is_success else ErrorReader(exchange, surface, limits)
        with reader:
            for data in exchange.pieces():
                _exhaust(reader.feed(data))
                reader.await_more()
            _exhaust(reader.finish())
        return exchange.response.headers


def _exhaust(chunks: Iterable[WireChunk]) -> None:
    for _ in chunks:
        pass


def _build_credential(request: ResourceRequest, tokens: TokenSource, token: str) -> Mapping[str, str]:
    if request.credential == "none":
        return {}
    if request.credential == "native" and tokens.info.kind in {"api_key", "callable"}:
        return {**tokens.headers(), "x-goog-api-key": token}
    return tokens.apply(token)


def _build_timeout(limits: TimeLimits) -> httpx2.Timeout:
    return http_library().Timeout(connect=limits.connect, read=limits.first_byte, write=limits.write, pool=limits.pool)
