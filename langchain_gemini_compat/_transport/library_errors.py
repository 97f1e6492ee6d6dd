"""Recognizes the exceptions of the HTTP library by module and name.

openai 3 uses httpx2 on httpcore2, and openai 2 uses httpx on httpcore. An import here would load a library that openai
does not use, so this module compares names of classes. The names are those of httpx 0.28, httpcore 1.0, httpx2 2.16 and
httpcore2 2.16. `tests/transport/test_library_errors.py` fails if a release renames or adds a class, or changes a text.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
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
    ILLEGAL_HEADER = "a header that HTTP cannot carry"
    OTHER = "another error"


#: Exceptions without an entry are `OTHER`. Error messages quote their texts.
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
_TIMEOUTS = (HttpErrorKind.CONNECT_TIMEOUT, HttpErrorKind.POOL_TIMEOUT, HttpErrorKind.TIMEOUT)


def is_http_error(err: BaseException | None) -> bool:
    """Return whether the HTTP library raised `err`."""
    return type(err).__module__.partition(".")[0] in _LIBRARIES


def kind_of(err: BaseException | None) -> HttpErrorKind:
    """Return the kind of `err`. An exception of another library has the kind `OTHER`."""
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
    """Return the members of an exception group, or a list with only `err` for another error.

    On Python 3.10, anyio has an exception group of its own.
    """
    members = getattr(err, "exceptions", None)
    if not isinstance(members, tuple) or "ExceptionGroup" not in type(err).__name__:
        return [err]
    return [inner for member in members for inner in members_of(member)]
