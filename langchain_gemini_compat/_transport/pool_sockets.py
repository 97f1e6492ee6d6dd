"""Finds and controls the connection of a request. Only this module uses private attributes of httpx and httpcore.

httpx exposes the connection of a request only after the response's headers are complete. Without the socket, the
deadline could not end a request whose headers arrive byte by byte.

The attributes are those of httpx 0.28 with httpcore 1.0 and of httpx2 2.16 with httpcore2 2.16. If a release renames an
attribute, the functions here have no effect, and the HTTP library's own timeouts apply. A comment at each attribute
names the test that fails in this case.
"""

from __future__ import annotations

import selectors
import ssl
import time
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import socket
    from asyncio.trsock import TransportSocket
    from collections.abc import Callable, Iterable, Mapping

    import httpx2


#: A private attribute of httpcore's HTTP/2 connections. If it is true, httpcore sends no further request over the
#: connection, and closes it after the last response. If it is missing, `test_attributes_of_an_http2_connection` fails.
_NO_REUSE = "_used_all_stream_ids"
#: While a thread waits for data, it checks at this interval, in seconds, whether its request may still read.
_CHECK_SECONDS = 0.1


class _NetworkStream(Protocol):
    """A connection of httpcore, below HTTP."""

    def get_extra_info(self, info: str) -> object: ...


class PoolRequest(Protocol):
    """A request in httpcore's pool. While it waits for a connection, `connection` is `None`.

    Both attributes are private to httpcore. If they are missing, `test_slow_headers_exceed_a_limit` fails.
    """

    request: httpx2.Request
    connection: object


def pool_of(client: httpx2.Client | httpx2.AsyncClient, request: httpx2.Request) -> object | None:
    """Return the httpcore pool that `client` uses for `request`, or `None` for a transport without such a pool."""
    # `_transport_for_url` and `_pool` are private attributes of httpx, and `_requests` is a private attribute of
    # httpcore's pool. If one of them is missing, `test_slow_headers_exceed_a_limit` fails.
    find = getattr(client, "_transport_for_url", None)
    pool: object = getattr(find(request.url), "_pool", None) if callable(find) else None
    return pool if hasattr(pool, "_requests") else None


def may_multiplex(pool: object | None) -> bool:
    """Return whether a connection of `pool` may serve several requests at once, as HTTP/2 does."""
    # `_http2` is a private attribute of httpcore. If it is missing, `test_stream_that_exceeds_a_limit_ends_alone`
    # fails.
    return bool(getattr(pool, "_http2", False))


def find_socket(pool: object, request: httpx2.Request) -> socket.socket | TransportSocket | None:
    """Return the socket that serves `request`, or `None` while `request` waits for a connection."""
    stream = _stream_of(_find_connection(pool, request))
    found = None if stream is None else stream.get_extra_info("socket")
    return cast("socket.socket | TransportSocket | None", found)


def await_data(pool: object, request: httpx2.Request, seconds: float) -> bool:
    """Wait until the HTTP/2 connection of `request` has data to read. Return `False` if it has none after `seconds`.

    Return `True` at once if data may be in a buffer that cannot be inspected. This includes every HTTP/1.1 connection.
    """
    connection = _find_connection(pool, request)
    stream = _stream_of(connection)
    below = None if stream is None else cast("socket.socket | None", stream.get_extra_info("socket"))
    # Only HTTP/2 connections have the private attribute `_h2_state`. If it is missing there,
    # `test_attributes_of_an_http2_connection` fails.
    if stream is None or below is None or not hasattr(connection, "_h2_state"):
        return True
    # An `SSLObject` means TLS inside the TLS of a proxy. It may have buffered data that cannot be seen here.
    if isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject):
        return True
    try:
        if isinstance(below, ssl.SSLSocket) and below.pending():
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(below, selectors.EVENT_READ)
            return bool(selector.select(seconds))
    except (AttributeError, OSError, ValueError):
        # The socket is closed. Return `True`: httpcore then reads from the socket and raises its usual error.
        return True


def forbid_reuse(pool: object, request: httpx2.Request) -> None:
    """Let httpcore send no further request over the HTTP/2 connection of `request`."""
    # For HTTP/2, httpcore does not look at the socket before it reuses a connection.
    connection = _find_connection(pool, request)
    if hasattr(connection, _NO_REUSE):
        setattr(connection, _NO_REUSE, True)


def _find_connection(pool: object, request: httpx2.Request) -> object:
    """Return httpcore's innermost connection for `request`, or `None`."""
    held = _find(pool, request)
    connection = None if held is None else held.connection
    # httpcore wraps a connection in other connection objects, for a proxy and for the choice of the HTTP version.
    # `_connection` leads to the next inner object. The innermost object has `_network_stream`. If one of these two
    # attributes is missing, `test_slow_headers_exceed_a_limit` fails.
    while (inner := cast("object", getattr(connection, "_connection", None))) is not None:
        connection = inner
    return connection


def _stream_of(connection: object) -> _NetworkStream | None:
    return cast("_NetworkStream | None", getattr(connection, "_network_stream", None))


def find_own_socket(pool: object, request: httpx2.Request) -> socket.socket | TransportSocket | None:
    """Return the socket that serves `request`, or `None` if other active requests use the same connection."""
    held = _find(pool, request)
    if held is None or held.connection is None:
        return None
    others = [other for other in _requests_of(pool) if other is not held and other.connection is held.connection]
    return find_socket(pool, request) if all(_is_abandoned(other.request) for other in others) else None


class AbandonedError(BaseException):
    """Ends a request whose caller no longer waits for the response.

    This class is a `BaseException`, because httpcore closes the whole connection if an `Exception` is raised.
    """


class SharedTimeouts:
    """The extension `timeout` of a request on a shared connection.

    If one read or write times out, httpcore's HTTP/2 closes the whole connection. So this object sets no limit
    for reads and writes. httpcore calls `get("read")` before each read of an HTTP/2 connection. If `may_read` is
    `False`, this call raises `AbandonedError`, which ends only that request.

    In a sync client, the thread that reads holds a lock, and the threads of the other requests wait for this lock. A
    thread that waits inside httpcore's read cannot be stopped. After its request is abandoned, it would keep the lock
    until the server sends something. So `get("read")` waits for data before httpcore reads.

    httpcore calls `get("write")` after each read, when the thread does not hold the lock.
    """

    #: Whether the caller no longer waits for the response.
    is_abandoned = False
    #: Whether the thread of the request may read from the connection.
    may_read = True

    def __init__(self, timeouts: Mapping[str, float | None], await_data: Callable[[float], bool] | None = None) -> None:
        """Create the limits.

        Args:
            timeouts: The limits of the caller.
            await_data: Waits at most the given seconds, and returns whether the connection has data to read. `None` for
                async clients, whose reads can be cancelled.
        """
        self._timeouts = timeouts
        self._await_data = await_data

    def get(self, key: str, default: float | None = None) -> float | None:
        """Return the limit for `key` in seconds, or `None` for no limit."""
        if key not in ("read", "write"):
            return self._timeouts.get(key, default)
        if key == "read":
            self._prepare_read()
        elif self._await_data is not None:
            # Let another thread take the lock. Without this pause, this thread often takes the lock again, while the
            # data of the other thread have arrived. Streams then waited for seconds.
            time.sleep(0)
        return None

    def _prepare_read(self) -> None:
        """Wait until the connection has data. Raise `AbandonedError` if the request may no longer read."""
        while self.may_read and self._await_data is not None:
            if self._await_data(_CHECK_SECONDS):
                break
        if not self.may_read:
            raise AbandonedError


def _is_abandoned(request: httpx2.Request) -> bool:
    timeouts = request.extensions.get("timeout")
    return isinstance(timeouts, SharedTimeouts) and timeouts.is_abandoned


def _requests_of(pool: object) -> list[PoolRequest]:
    return list(cast("Iterable[PoolRequest]", getattr(pool, "_requests", ())))


def _find(pool: object, request: httpx2.Request) -> PoolRequest | None:
    """Return the entry of `pool` for `request`, or `None`.

    The entry has httpcore's own request object. Its `extensions` are the same object as those of `request`.
    """
    return next((held for held in _requests_of(pool) if held.request.extensions is request.extensions), None)
