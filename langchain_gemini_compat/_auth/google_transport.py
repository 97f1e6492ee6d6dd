"""Transport for google-auth on top of the HTTP library of the openai SDK.

google-auth's own transports need `requests` or `urllib3`. They can also leak secrets: they log secrets at debug level,
and follow a redirect even if the body contains a subject token. This transport does not follow redirects. It limits the
time of a request and the size of an answer.
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
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from urllib.parse import urlsplit

from google.auth.exceptions import TransportError
from google.auth.transport import Request, Response

from langchain_gemini_compat._auth.failures import AbandonedRefreshError, build_error
from langchain_gemini_compat._auth.keys import clean_header
from langchain_gemini_compat._transport.client_factory import ssl_context
from langchain_gemini_compat._transport.errors import open_client
from langchain_gemini_compat._transport.http_library import build_client, http_library
from langchain_gemini_compat._transport.library_errors import is_http_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import httpx2
    from typing_extensions import Self

    Certificate: TypeAlias = str | tuple[str, str]

#: Default timeout of one request in seconds.
_SECONDS = 120.0
#: Maximum size of an answer in bytes. An answer with a token has a few thousand bytes.
_LARGEST_ANSWER = 1 << 20
_HTTP_ERRORS = 400
#: Google's documented names of the metadata server. Requests to it use no proxy, because its address is link-local.
_METADATA_HOSTS = ("metadata.google.internal", "metadata", "169.254.169.254", "fd20:ce::254")
_METADATA_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")


class _Adapter(Protocol):
    """The part of google-auth's `MdsMtlsAdapter` that this module uses."""

    ssl_context: ssl.SSLContext


class Mounts:
    """A replacement for `requests.Session`, on which google-auth mounts the certificates for metadata servers.

    google-auth 2.45 to 2.49 always mounts certificates. Later versions mount them if GCE_METADATA_MTLS_MODE is set.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}

    def __bool__(self) -> bool:
        """Return `True`, because google-auth replaces a session whose truth value is false."""
        return True

    def mount(self, prefix: str, adapter: _Adapter) -> None:
        """Use the certificates of `adapter` for URLs that begin with `prefix`."""
        self._contexts[prefix] = adapter.ssl_context

    def find(self, url: str) -> ssl.SSLContext | None:
        """Return the certificates that were mounted for `url`."""
        # google-auth mounts the certificates for a root URL with a slash at its end, but requests the URL without the
        # slash. So add the slash.
        found = (context for prefix, context in self._contexts.items() if f"{url}/".startswith(prefix))
        return next(found, None)

    def close(self) -> None:
        """Do nothing, since connections are closed after each request."""


class TokenRequest(Request):
    """The callable that google-auth uses for its requests.

    Attributes:
        answer: The last answer of a server. It is kept because google-auth's errors do not always contain it.
        session: The certificates for metadata servers.
        client: The caller's HTTP client. If it is set, its proxy and certificates are used.
        latest_deadline: Returns the time of the monotonic clock at which the last waiting caller stops waiting.
    """

    def __init__(self) -> None:
        self.answer: TokenResponse | None = None
        self.session = Mounts()
        self.client: httpx2.Client | None = None
        self.latest_deadline: Callable[[], float] = lambda: math.inf

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
        """Send a request to `url` and return the answer. Redirects are not followed, since they could leak a secret.

        `timeout` is in seconds. `cert` is a client certificate, and `verify` is a file of certificate authorities.
        Raise google-auth's `TransportError` if the server does not answer.
        """
        self.answer = None
        sent = {name: clean_header(value, "token request") for name, value in (headers or {}).items()}
        end = time.monotonic() + (timeout if isinstance(timeout, (int, float)) else _SECONDS)
        message = _Message(method, url, {**sent, "accept-encoding": "identity"}, body, end, self.latest_deadline)
        context = self.session.find(url)
        if context is None:
            self.answer = self._route(message, cert, verify)
        else:
            self.answer = _send_to_metadata_server(message, context)
        return self.answer

    def _route(self, message: _Message, cert: Certificate | None, verify: str | None) -> TokenResponse:
        if _is_metadata(message.url):
            return _send(message, trust_env=False)
        if cert is not None or verify is not None:
            return _send(message, verify=_load_certificates(cert, verify))
        return _send(message) if self.client is None else _send_with_client(self.client, message)


@dataclass(frozen=True, slots=True)
class _Message:
    """The contents and the deadline of one HTTP request.

    The deadline is the earlier of two times: `end`, and the time at which the last waiting caller stops waiting.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    end: float
    latest_deadline: Callable[[], float]

    def limit(self) -> float:
        return min(self.end, self.latest_deadline())

    def timeout(self) -> httpx2.Timeout:
        """Return timeouts for the remaining time of the request. Raise an error if no time is left.

        If all callers have stopped waiting, the error is an `AbandonedRefreshError`.
        """
        now = time.monotonic()
        if now >= self.latest_deadline():
            raise AbandonedRefreshError
        if now >= self.end:
            raise TransportError("The token server did not answer in time.")
        return http_library().Timeout(self.limit() - now)


class TokenResponse(Response):
    """An HTTP response with the properties that google-auth reads: `status`, `headers` and `data`."""

    def __init__(self, response: httpx2.Response, body: bytes) -> None:
        self._response = response
        self._body = body

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers. Their names are case-insensitive."""
        return cast("Mapping[str, str]", self._response.headers)

    @property
    def data(self) -> bytes:
        """The body."""
        return self._body


def use_with_gdch(request: TokenRequest) -> TokenRequest:
    """Copy `request` to an instance of `requests.Request`. Google Distributed Cloud's credentials need that class."""
    from google.auth.transport import requests

    adapted = type("GdchTokenRequest", (TokenRequest, requests.Request), {"__init__": TokenRequest.__init__})()
    adapted.client, adapted.latest_deadline = request.client, request.latest_deadline
    return cast("TokenRequest", adapted)


def _send_to_metadata_server(message: _Message, context: ssl.SSLContext) -> TokenResponse:
    """Send the request over mutual TLS. If that fails, send it over plain HTTP, as google-auth does.

    If GCE_METADATA_MTLS_MODE is `strict`, plain HTTP is not used.
    """
    if os.environ.get("GCE_METADATA_MTLS_MODE", "").lower() == "strict":
        return _send(message, trust_env=False, verify=context)
    with suppress(TransportError):
        answer = _send(message, trust_env=False, verify=context)
        if answer.status < _HTTP_ERRORS:
            return answer
    plain = urlsplit(message.url)._replace(scheme="http").geturl()
    return _send(replace(message, url=plain), trust_env=False)


def _send(message: _Message, *, trust_env: bool = True, verify: ssl.SSLContext | None = None) -> TokenResponse:
    """Send the request with a new client. Without `verify`, the client uses the SSL context that all clients share."""
    timeout = message.timeout()

    def build() -> httpx2.Client:
        context = verify or ssl_context()
        return build_client(timeout=timeout, follow_redirects=False, trust_env=trust_env, verify=context)

    with open_client(build) as client, _SocketDeadline(message.limit) as deadline, _convert_errors(message):
        request = client.build_request(
            message.method,
            message.url,
            content=message.body,
            headers=message.headers,
            extensions={"trace": deadline.record_socket, "timeout": timeout.as_dict()},
        )
        with closing(client.send(request, stream=True)) as response:
            return TokenResponse(response, _read(response, message))


def _send_with_client(client: httpx2.Client, message: _Message) -> TokenResponse:
    """Send the request over the connections of the caller's client, without its event hooks, headers and cookies."""
    bare_client = copy(client)
    bare_client.event_hooks = {}
    with _convert_errors(message):
        request = http_library().Request(
            message.method,
            message.url,
            headers=message.headers,
            content=message.body,
            extensions={"timeout": message.timeout().as_dict()},
        )
        response = bare_client.send(request, stream=True, follow_redirects=False, auth=None)
        with closing(response):
            return TokenResponse(response, _read(response, message))


@contextmanager
def _convert_errors(message: _Message) -> Generator[None]:
    try:
        yield
    except Exception as err:
        if not is_http_error(err):
            raise
        reason = f"{type(err).__name__}: {err}"
    else:
        return
    # If the request has no time left, this call raises an error about the time limit instead of the HTTP error below.
    message.timeout()
    raise TransportError(reason)


def _read(response: httpx2.Response, message: _Message) -> bytes:
    if response.is_stream_consumed:
        return response.content
    if response.headers.get("content-encoding", "identity") != "identity":
        raise TransportError(
            "The token server sent a compressed answer, which the request does not accept. Check the proxy."
        )
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
    context = http_library().create_ssl_context() if verify is None else ssl.create_default_context(cafile=verify)
    if cert is not None:
        certificate, key = (cert, None) if isinstance(cert, str) else cert
        try:
            # Without the argument `password`, OpenSSL asks for a password at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ssl.SSLError) as err:
            reason = f"{type(err).__name__}: {err}"
        else:
            return context
        raise build_error(f"The client certificate of the credentials cannot be loaded ({reason}). Check its files.")
    return context


def _is_metadata(url: str) -> bool:
    """Return whether `url` is an address of the metadata server."""
    here = urlsplit(url)
    named = {os.environ.get(name) for name in _METADATA_VARIABLES}
    return here.hostname in _METADATA_HOSTS or here.hostname in named or here.netloc in named


class _SocketDeadline:
    """Shuts down the sockets of a request at its deadline, since the HTTP library's timeouts restart with each byte."""

    def __init__(self, limit: Callable[[], float]) -> None:
        self._limit = limit
        self._sockets: list[socket.socket] = []
        self._is_finished = Event()
        self._has_expired = False

    def __enter__(self) -> Self:
        # Python may refuse to start a thread, for example at exit. Then only the timeouts of the HTTP library apply.
        with suppress(RuntimeError):
            Thread(target=self._wait, name="gemini-compat-token-limit", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_finished.set()
        while self._sockets:
            self._sockets.pop().close()

    def record_socket(self, event: str, info: Mapping[str, object]) -> None:
        """Record the socket of a new connection. This is a callback of httpcore's documented `trace` extension."""
        stream = info.get("return_value")
        read = getattr(stream, "get_extra_info", None)
        if event.endswith("connect_tcp.complete") and callable(read):
            below = cast("socket.socket", read("socket"))
            # Keep a duplicate of the socket, because the original object loses its descriptor when TLS wraps it.
            self._sockets.append(socket.fromfd(below.fileno(), below.family, below.type))
            if self._has_expired:
                self._shut_down()

    def _wait(self) -> None:
        while (left := self._limit() - time.monotonic()) > 0:
            if self._is_finished.wait(left):
                return
        self._has_expired = True
        self._shut_down()

    def _shut_down(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
