"""Recognizes the exceptions of the HTTP library by module and name.

openai 3 uses httpx2 on httpcore2, and openai 2 uses httpx on httpcore. An import here would load a library that openai
does not use, so this module compares names of classes. The names are those of httpx 0.28, httpcore 1.0, httpx2 2.16 and
httpcore2 2.16. `tests/transport/test_library_errors.py` fails if a release renames or adds a class, or changes a text.

The transport over aiohttp (openai's `DefaultAioHttpClient`) raises `ConnectTimeout` for most errors of a connection,
and passes some exceptions of aiohttp on unchanged. In both cases, this module looks at aiohttp's own exception. The
names of aiohttp's classes are those of release 3.14.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_AIOHTTP = "aiohttp"
#: The common part of h11's texts "Illegal header name" and "Illegal header value".
_ILLEGAL_HEADER = "Illegal header"


class HttpErrorKind(Enum):
    """What an exception of the HTTP library means."""

    CONNECT_TIMEOUT = "no connection in time"
    POOL_TIMEOUT = "no free connection in the pool in time"
    TIMEOUT = "another timeout"
    CLOSED = "the server closed the connection"
    PROXY = "the proxy refused or failed; the text begins with its HTTP status"
    SCHEME = "the URL has no `http://` or `https://`"
    ILLEGAL_HEADER = "a header with characters that HTTP does not allow"
    OTHER = "another error"


#: Maps the name of an exception to its kind. An exception without an entry has the kind `OTHER`, and the error message
#: quotes the text of the exception.
KINDS = {
    "ConnectTimeout": HttpErrorKind.CONNECT_TIMEOUT,
    "PoolTimeout": HttpErrorKind.POOL_TIMEOUT,
    "ReadTimeout": HttpErrorKind.TIMEOUT,
    "WriteTimeout": HttpErrorKind.TIMEOUT,
    "TimeoutException": HttpErrorKind.TIMEOUT,
    "ReadError": HttpErrorKind.CLOSED,
    "WriteError": HttpErrorKind.CLOSED,
    "CloseError": HttpErrorKind.CLOSED,
    "RemoteProtocolError": HttpErrorKind.CLOSED,
    "ProxyError": HttpErrorKind.PROXY,
    "UnsupportedProtocol": HttpErrorKind.SCHEME,
}
#: Maps the name of an exception of aiohttp to its kind. For a class without an entry, its first base class with an
#: entry counts.
AIOHTTP_KINDS = {
    "ConnectionTimeoutError": HttpErrorKind.CONNECT_TIMEOUT,
    "ServerTimeoutError": HttpErrorKind.TIMEOUT,
    "ClientConnectorError": HttpErrorKind.OTHER,
    "ClientConnectionError": HttpErrorKind.CLOSED,
    "ClientPayloadError": HttpErrorKind.CLOSED,
    "ClientHttpProxyError": HttpErrorKind.PROXY,
    "ClientResponseError": HttpErrorKind.CLOSED,
    "NonHttpUrlClientError": HttpErrorKind.SCHEME,
}
_TIMEOUTS = (HttpErrorKind.CONNECT_TIMEOUT, HttpErrorKind.POOL_TIMEOUT, HttpErrorKind.TIMEOUT)


class AiohttpError(Exception):
    """Replaces an exception of aiohttp, because that exception may contain the request's headers or a proxy's password.

    Args:
        text: What happened.
        kind: What the exception means.
        request: The request, if no other exception refers to it. `forget_secrets` removes secrets from the request.
    """

    def __init__(
        self, text: str, kind: HttpErrorKind = HttpErrorKind.OTHER, request: httpx2.Request | None = None
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self._request = request


def is_http_error(err: BaseException | None) -> bool:
    """Return whether the HTTP library raised `err`."""
    return isinstance(err, AiohttpError) or _library_of(err) in _LIBRARIES


def replace_aiohttp_error(err: BaseException, request: httpx2.Request) -> BaseException:
    """Replace an exception of aiohttp by an `AiohttpError`, and return the error to raise.

    The exception of aiohttp is `err` or the cause of `err`. Any other `err` is returned unchanged.
    """
    found = next((one for one in (err, err.__cause__) if one and _library_of(one) == _AIOHTTP), None)
    if found is None:
        return err
    kinds = (AIOHTTP_KINDS.get(base.__name__) for base in type(found).__mro__)
    kind = next(filter(None, kinds), HttpErrorKind.OTHER)
    error = AiohttpError(_text_of(found, kind), kind, request if found is err else None)
    causes = (one for one in causes_of(found) if isinstance(one, OSError) and _library_of(one) != _AIOHTTP)
    error.__cause__ = next(causes, None)
    if found is err:
        return error
    err.args = error.args
    err.__cause__ = err.__context__ = error
    return err


def _library_of(err: BaseException | None) -> str:
    return type(err).__module__.partition(".")[0]


def _text_of(err: BaseException, kind: HttpErrorKind) -> str:
    """Return the text of an exception of aiohttp without URLs, since these may contain secrets."""
    message = getattr(err, "message", None) or getattr(err, "os_error", None) or err
    # Use the status only if a proxy sent it: for an invalid response, aiohttp itself sets the status 400.
    text = f"{getattr(err, 'status', '')} {message}" if kind is HttpErrorKind.PROXY else str(message)
    return " ".join(text.split())


def kind_of(err: BaseException | None) -> HttpErrorKind:
    """Return the kind of `err`. An exception of another library has the kind `OTHER`."""
    below = err if isinstance(err, AiohttpError) else err and err.__cause__
    if isinstance(below, AiohttpError):
        return below.kind
    if not is_http_error(err):
        return HttpErrorKind.OTHER
    name = type(err).__name__
    if name == "LocalProtocolError" and _ILLEGAL_HEADER in str(err):
        return HttpErrorKind.ILLEGAL_HEADER
    return KINDS.get(name, HttpErrorKind.OTHER)


def is_timeout(err: BaseException | None) -> bool:
    """Return whether `err` is a timeout that the HTTP library raised."""
    return kind_of(err) in _TIMEOUTS


def causes_of(err: BaseException | None) -> Iterator[BaseException]:
    """Yield `err` and its causes, including the members of exception groups."""
    seen: set[int] = set()
    waiting = [err]
    while waiting:
        one = waiting.pop(0)
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*members_of(one), one.__cause__, one.__context__]


def members_of(err: BaseException) -> list[BaseException]:
    """Return the members of the exception group `err`. If `err` is not a group, return a list with only `err`.

    The group is recognized by its name, because anyio has its own class of exception groups on Python 3.10.
    """
    members = getattr(err, "exceptions", None)
    if not isinstance(members, tuple) or "ExceptionGroup" not in type(err).__name__:
        return [err]
    return [inner for member in members for inner in members_of(member)]
