"""Transport for google-auth: all token requests use the HTTP client of the openai SDK.

google-auth's own transports need `requests` or `urllib3`, follow redirects with a subject token in the body, and log
the secrets that they send at debug level. This one follows no redirect and limits the time of a request and the size
of an answer.
"""

from __future__ import annotations

import math
import os
import socket
import ssl
import time
from contextlib import closing, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from urllib.parse import urlsplit

import openai
from google.auth.exceptions import TransportError
from google.auth.transport import Request, Response

from langchain_gemini_compat._auth.failures import build_error, build_timeout_error
from langchain_gemini_compat._auth.keys import clean_header
from langchain_gemini_compat._lazy import library_name
from langchain_gemini_compat._transport.errors import open_client
from langchain_gemini_compat._transport.library_errors import is_http_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import httpx2
    from typing_extensions import Self

    Certificate: TypeAlias = str | tuple[str, str]

#: Seconds for one request if google-auth names no timeout.
_SECONDS = 120.0
#: Bytes. An answer with a token has a few thousand.
_LARGEST_ANSWER = 1 << 20
_HTTP_ERRORS = 400
#: Google's documented names of the metadata server. It is link-local, so no proxy leads there.
_METADATA_HOSTS = ("metadata.google.internal", "metadata", "169.254.169.254", "fd20:ce::254")
_METADATA_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")


class _Adapter(Protocol):
    """google-auth's `MdsMtlsAdapter` of `requests`, as far as it is needed here."""

    ssl_context: ssl.SSLContext


class Mounts:
    """Replaces the `requests.Session` on which google-auth mounts its mutual TLS adapter for metadata servers.

    google-auth 2.45 to 2.49 insists on it, later versions ask for it with GCE_METADATA_MTLS_MODE.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    def __bool__(self) -> bool:
        """Return true: google-auth replaces a session that is false."""
        return True

    def mount(self, prefix: str, adapter: _Adapter) -> None:
        """Use the certificates of `adapter` for URLs that begin with `prefix`."""
        self._contexts[prefix] = adapter.ssl_context

    def find(self, url: str) -> ssl.SSLContext | None:
        """Return the adapter that was mounted for `url`."""
        # google-auth asks for the root of the server without a trailing slash.
        found = (context for prefix, context in self._contexts.items() if f"{url}/".startswith(prefix))
        return next(found, None)

    def close(self) -> None:
        """Do nothing: no connection is open between requests."""


class TokenRequest(Request):
    """Synchronous `Request` for google-auth. Raises google-auth's `TransportError` if no answer comes.

    `answer` is the last answer, since google-auth's errors do not always show it. `client` is the caller's own client;
    if it is given, its proxy and certificates are used. `until` returns the time on the monotonic clock at which the
    last caller gives up.
    """

    def __init__(self) -> None:
        self.answer: TokenResponse | None = None
        self.session = Mounts()
        self.client: httpx2.Client | None = None
        self.until: Callable[[], float] = lambda: math.inf

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = _SECONDS,
        *,
        cert: Certificate | None = None,
        verify: str | None = None,
        **_: object,
    ) -> Response:
        """Send a request to `url`. Redirects are not followed, so that a secret goes nowhere else.

        `cert` is the client's certificate. `verify` is a file of certificate authorities.
        """
        self.answer = None
        sent = {name: clean_header(value, "token request") for name, value in (headers or {}).items()}
        end = time.monotonic() + (timeout if isinstance(timeout, (int, float)) else _SECONDS)
        message = _Message(method, url, {**sent, "accept-encoding": "identity"}, body, end, self.until)
        context = self.session.find(url)
        if context is None:
            self.answer = self._choose(message, cert, verify)
        else:
            self.answer = _ask_metadata(message, context)
        return self.answer

    def _choose(self, message: _Message, cert: Certificate | None, verify: str | None) -> TokenResponse:
        if _is_metadata(message.url):
            return _ask(message, trust_env=False)
        if cert is not None or verify is not None:
            return _ask(message, verify=_load_certificates(cert, verify))
        return _ask(message) if self.client is None else _ask_over(self.client, message)


@dataclass(frozen=True, slots=True)
class _Message:
    """A request and its deadline: `end`, or the time at which the last caller gives up."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    end: float
    until: Callable[[], float]

    def limit(self) -> float:
        return min(self.end, self.until())

    def timeout(self) -> openai.Timeout:
        """Return the timeouts of the next step; raise if no time is left.

        If no caller waits any more, the error also ends google-auth's retries.
        """
        now = time.monotonic()
        if now >= self.until():
            raise build_timeout_error("the credentials")
        if now >= self.end:
            raise TransportError("The server did not answer in time.")
        return openai.Timeout(self.limit() - now)


class TokenResponse(Response):
    """What google-auth reads of an answer."""

    def __init__(self, response: httpx2.Response, body: bytes) -> None:
        self._response = response
        self._body = body

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by names in any case."""
        return cast("Mapping[str, str]", self._response.headers)

    @property
    def data(self) -> bytes:
        """The body."""
        return self._body


def use_with_gdch(request: TokenRequest) -> TokenRequest:
    """Return `request` in the class made for `requests`, which the credentials of Google Distributed Cloud demand."""
    from google.auth.transport import requests

    adapted = type("GdchTokenRequest", (TokenRequest, requests.Request), {"__init__": TokenRequest.__init__})()
    adapted.client, adapted.until = request.client, request.until
    return cast("TokenRequest", adapted)


def _ask_metadata(message: _Message, context: ssl.SSLContext) -> TokenResponse:
    """Use mutual TLS, then plain HTTP if that fails and GCE_METADATA_MTLS_MODE is not `strict`, as google-auth does."""
    if os.environ.get("GCE_METADATA_MTLS_MODE", "").lower() == "strict":
        return _ask(message, trust_env=False, verify=context)
    with suppress(TransportError):
        answer = _ask(message, trust_env=False, verify=context)
        if answer.status < _HTTP_ERRORS:
            return answer
    plain = urlsplit(message.url)._replace(scheme="http").geturl()
    return _ask(replace(message, url=plain), trust_env=False)


def _ask(message: _Message, *, trust_env: bool = True, verify: ssl.SSLContext | bool = True) -> TokenResponse:
    """Send the request over a client of its own."""
    timeout = message.timeout()

    def build() -> httpx2.Client:
        return openai.DefaultHttpxClient(timeout=timeout, follow_redirects=False, trust_env=trust_env, verify=verify)

    with open_client(build) as client, _Watch(message.limit) as watch, _translated(message):
        request = client.build_request(
            message.method,
            message.url,
            content=message.body,
            headers=message.headers,
            extensions={"trace": watch.note, "timeout": timeout.as_dict()},
        )
        with closing(client.send(request, stream=True)) as response:
            return TokenResponse(response, _read(response, message))


def _ask_over(client: httpx2.Client, message: _Message) -> TokenResponse:
    """Send the request over the connections of the caller's client, without its hooks, headers and cookies."""
    same_way = copy(client)
    same_way.event_hooks = {}
    build = cast("type[httpx2.Request]", import_module(library_name()).Request)
    with _translated(message):
        request = build(
            message.method,
            message.url,
            headers=message.headers,
            content=message.body,
            extensions={"timeout": message.timeout().as_dict()},
        )
        response = same_way.send(request, stream=True, follow_redirects=False, auth=None)
        with closing(response):
            return TokenResponse(response, _read(response, message))


@contextmanager
def _translated(message: _Message) -> Generator[None]:
    try:
        yield
    except Exception as err:
        if not is_http_error(err):
            raise
        reason = f"{type(err).__name__}: {err}"
    else:
        return
    # Raises if no caller waits any more.
    message.timeout()
    raise TransportError(reason)


def _read(response: httpx2.Response, message: _Message) -> bytes:
    if response.is_stream_consumed:
        return response.content
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TransportError("The token server sent a compressed answer, which was not requested. Check the proxy.")
    pieces, size = [], 0
    for piece in response.iter_raw():
        message.timeout()
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_ANSWER:
            raise TransportError(
                f"The token server sent more than {_LARGEST_ANSWER} bytes. Check its URL and the proxy."
            )
    return b"".join(pieces)


def _load_certificates(cert: Certificate | None, verify: str | None) -> ssl.SSLContext:
    if verify is None:
        context = cast("ssl.SSLContext", import_module(library_name()).create_ssl_context())
    else:
        context = ssl.create_default_context(cafile=verify)
    if cert is not None:
        certificate, key = (cert, None) if isinstance(cert, str) else cert
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError) as err:
            reason = f"{type(err).__name__}: {err}"
        else:
            return context
        raise build_error(f"The client certificate of the credentials cannot be loaded ({reason}). Check its files.")
    return context


def _is_metadata(url: str) -> bool:
    """Whether `url` leads to the metadata server."""
    here = urlsplit(url)
    named = {os.environ.get(name) for name in _METADATA_VARIABLES}
    return here.hostname in _METADATA_HOSTS or here.hostname in named or here.netloc in named


class _Watch:
    """Shuts down the socket at the deadline of a request. The HTTP library's timeouts restart with each byte."""

    def __init__(self, limit: Callable[[], float]) -> None:
        self._limit = limit
        self._sockets: list[socket.socket] = []
        self._over = Event()
        self._is_late = False

    def __enter__(self) -> Self:
        # If no thread can be started, the library's own timeouts hold.
        with suppress(RuntimeError):
            Thread(target=self._run, name="gemini-compat-token-limit", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        while self._sockets:
            self._sockets.pop().close()

    def note(self, event: str, info: Mapping[str, object]) -> None:
        """Callback of httpcore's documented `trace` extension, which shows the socket as soon as it is connected."""
        stream = info.get("return_value")
        read = getattr(stream, "get_extra_info", None)
        if event.endswith("connect_tcp.complete") and callable(read):
            below = cast("socket.socket", read("socket"))
            # Wrapping a socket in TLS detaches its descriptor.
            self._sockets.append(socket.fromfd(below.fileno(), below.family, below.type))
            if self._is_late:
                self._shut()

    def _run(self) -> None:
        while (left := self._limit() - time.monotonic()) > 0:
            if self._over.wait(left):
                return
        self._is_late = True
        self._shut()

    def _shut(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
