"""Builds HTTP clients that models can share, and describes the environment settings that a new client uses.

The clients have no credentials and no cookies, and their headers are the same for all models.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from functools import cache
from hashlib import sha256
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.request import getproxies
from weakref import WeakSet

from langchain_gemini_compat._transport.decompression import ACCEPTED
from langchain_gemini_compat._transport.errors import open_client
from langchain_gemini_compat._transport.http_library import build_async_client, build_client, build_limits, http_library
from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    import ssl

    import httpx2

#: The environment variables with the path of a file or directory of certificates.
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
#: The keys of `getproxies()` under which an HTTP client finds its proxies. The key `no` is not among them, because it
#: lists hosts that are reached without a proxy.
_PROXIES = frozenset({"http", "https", "all"})
#: The environment variable with the path of a file to which TLS keys are logged.
_KEY_LOG = "SSLKEYLOGFILE"
#: The headers of every request.
FIXED_HEADERS = {
    "accept": "application/json",
    "accept-encoding": ACCEPTED,
    "content-type": "application/json",
    "user-agent": "langchain-gemini-compat",
}
_MOST_CONTEXTS = 8
#: Platforms on which `getproxies` reads proxies not only from environment variables, but also from system settings.
_SYSTEM_PROXIES = ("darwin", "win32", "cygwin")


def digest_environment() -> str:
    """Return a digest of the settings that an HTTP client reads from the environment.

    The settings are SSLKEYLOGFILE, SSL_CERT_FILE, SSL_CERT_DIR and the variables for proxies. The digest also covers
    the metadata of the certificate file and of the directory, such as the modification time, but not the files in the
    directory. The settings themselves are not kept, because a proxy's URL may contain a password.
    """
    return _digest((_read_proxies(), _describe_certificates()))


def open_sync_client() -> httpx2.Client:
    """Return a client for blocking calls.

    Raises:
        APIConnectionError: The proxy settings are invalid.
    """
    client = open_client(lambda: build_client(verify=ssl_context(), cookies=_refuse_cookies(), headers=FIXED_HEADERS))
    _built.add(client)
    return client


def open_async_client() -> httpx2.AsyncClient:
    """Return a client for async calls: over aiohttp if it is installed, else over the HTTP library's own transport.

    This function may read files and import modules, so call it in a thread.

    Raises:
        APIConnectionError: The proxy settings are invalid.
    """
    client = open_client(_build_async_client)
    _built.add(client)
    return client


#: The clients that this module has built. A client that is no longer in use disappears from the set.
_built: WeakSet[httpx2.Client | httpx2.AsyncClient] = WeakSet()


def has_fixed_headers(client: httpx2.Client | httpx2.AsyncClient) -> bool:
    """Return whether `client` adds `FIXED_HEADERS` to all requests. A client of the caller does not add them."""
    return client in _built


def _build_async_client() -> httpx2.AsyncClient:
    context = ssl_context()
    # With a proxy, the HTTP library's own transport is used, because aiohttp does not support SOCKS proxies. Also,
    # aiohttp checks the certificate of a proxy with other settings than the HTTP library.
    module = None if _PROXIES & getproxies().keys() else find_aiohttp_client()
    transport = None if module is None else module.build_transport(context, build_limits())
    return build_async_client(verify=context, cookies=_refuse_cookies(), headers=FIXED_HEADERS, transport=transport)


class _AiohttpClient(Protocol):
    """Describes the module `aiohttp_client` for type checkers, because the module is imported by name."""

    def build_transport(self, context: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.AsyncBaseTransport:
        """Return the transport of a new async client."""
        ...


@cache
def find_aiohttp_client() -> _AiohttpClient | None:
    """Return the module `aiohttp_client`, or `None` if the packages of the extra `aiohttp` are missing or too old."""
    try:
        return cast("_AiohttpClient", import_module("langchain_gemini_compat._transport.aiohttp_client"))
    except (ImportError, AttributeError):
        return None


def ssl_context() -> ssl.SSLContext:
    """Return the SSL context that all clients with the same certificates share, since building one takes 20 ms.

    A new context is built if the file in SSL_CERT_FILE changes, or if a file is added to or removed from SSL_CERT_DIR.
    If a file in SSL_CERT_DIR is rewritten, or the system's certificates change, restart the process to use the change.
    """
    key = _digest(_describe_certificates())
    with singleton_lock():
        if key not in _contexts:
            _contexts[key] = http_library().create_ssl_context()
        _contexts.move_to_end(key)
        while len(_contexts) > _MOST_CONTEXTS:
            _contexts.popitem(last=False)
        return _contexts[key]


_contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()


def _refuse_cookies() -> CookieJar:
    """Return a cookie jar that stays empty, so that cookies of one caller are not sent for other callers."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def _read_proxies() -> tuple[object, ...]:
    """Return the values that determine the result of `urllib.request.getproxies`, which the HTTP library calls.

    On platforms where only environment variables count, read them without `getproxies`, which would take a tenth of a
    call's time. This function runs for each new model.
    """
    found = [(name, os.environ[name]) for name in os.environ if name.lower().endswith("_proxy")]
    # `getproxies` ignores HTTP_PROXY if REQUEST_METHOD is set, as in a CGI script.
    return sorted(found), os.environ.get("REQUEST_METHOD"), getproxies() if sys.platform in _SYSTEM_PROXIES else None


def _describe_certificates() -> tuple[object, ...]:
    named = [os.environ.get(name) for name in _CERTIFICATE_VARIABLES]
    return (*map(_describe_file, named), os.environ.get(_KEY_LOG))


def _describe_file(path: str | None) -> tuple[object, ...]:
    if not path:
        return ()
    try:
        state = Path(path).stat()
    except (OSError, ValueError):
        return (path,)
    return path, state.st_mtime_ns, state.st_size, state.st_ino


def _digest(value: object) -> str:
    return sha256(repr(value).encode(errors="replace")).hexdigest()
