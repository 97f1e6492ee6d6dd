"""Finds the HTTP library of the openai SDK, and builds HTTP clients with the SDK's defaults.

Unused connections stay open for `KEEPALIVE_SECONDS`, which is longer than in the SDK's clients.

openai is not imported, since the import takes half a second. So openai's defaults are repeated in this module: those of
`DefaultHttpxClient` and `DefaultAsyncHttpxClient` (`openai/_base_client.py` and `openai/_constants.py` of openai 2.16
and 3.52). `tests/transport/test_http_library.py` compares the repeated defaults with those of the installed openai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from langchain_gemini_compat._lazy import library_name

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from http.cookiejar import CookieJar

    import httpx2
    from typing_extensions import TypedDict, Unpack

    class ClientOptions(TypedDict, total=False):
        """Options of a client that replace the defaults."""

        timeout: httpx2.Timeout
        limits: httpx2.Limits
        follow_redirects: bool
        trust_env: bool
        verify: ssl.SSLContext | bool
        cookies: CookieJar
        headers: Mapping[str, str]


#: Maximum number of connections in a pool.
_MAX_CONNECTIONS = 1000
#: Maximum number of unused connections that stay open in a pool.
_MAX_KEEPALIVE_CONNECTIONS = 100
#: Seconds that an unused connection stays open, and that an unused client stays open. The HTTP library's default for
#: connections is 5 seconds.
KEEPALIVE_SECONDS = 30.0
#: Default timeouts in seconds. Requests of this package do not use them, because each request sets its own timeouts.
_TIMEOUT, _CONNECT_TIMEOUT = 600.0, 5.0


class HttpLibrary(Protocol):
    """The parts of httpx2 and httpx that this package uses. These parts have the same names in both libraries."""

    Client: type[httpx2.Client]
    AsyncClient: type[httpx2.AsyncClient]
    Limits: type[httpx2.Limits]
    Request: type[httpx2.Request]
    Timeout: type[httpx2.Timeout]
    URL: type[httpx2.URL]

    def create_ssl_context(self) -> ssl.SSLContext:
        """Return an SSL context with the certificates that the HTTP library trusts."""
        ...


def http_library() -> HttpLibrary:
    """Import and return the HTTP library that the installed openai SDK uses."""
    return cast("HttpLibrary", import_module(library_name()))


def build_client(**options: Unpack[ClientOptions]) -> httpx2.Client:
    """Return a client for blocking calls. `options` replace openai's defaults."""
    return http_library().Client(**_add_defaults(options))


def build_async_client(
    transport: httpx2.AsyncBaseTransport | None = None, **options: Unpack[ClientOptions]
) -> httpx2.AsyncClient:
    """Return a client for async calls. `options` replace openai's defaults, and `transport` replaces the pool."""
    return http_library().AsyncClient(transport=transport, **_add_defaults(options))


def build_limits() -> httpx2.Limits:
    """Return the limits of a connection pool."""
    return http_library().Limits(
        max_connections=_MAX_CONNECTIONS,
        max_keepalive_connections=_MAX_KEEPALIVE_CONNECTIONS,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )


def _add_defaults(options: ClientOptions) -> ClientOptions:
    library = http_library()
    merged: ClientOptions = {
        "timeout": library.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT),
        "limits": build_limits(),
        "follow_redirects": True,
    }
    merged.update(options)
    return merged
