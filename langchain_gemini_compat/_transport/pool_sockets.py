"""Finds the socket of a request. Only this module reads private attributes of httpx and httpcore.

httpx exposes the connection of a request only when the response's headers are complete. Without the socket, the
deadline could not end a request whose headers arrive byte by byte.

The attributes are those of httpx 0.28 with httpcore 1.0 and of httpx2 2.16 with httpcore2 2.16. If a release renames
one, the functions here return `None` or `False`, and the HTTP library's own timeouts apply. Each comment below names
the test that fails then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import socket
    from asyncio.trsock import TransportSocket
    from collections.abc import Iterable, Mapping

    import httpx2


class PoolRequest(Protocol):
    """A request in httpcore's pool. `connection` is `None` while the request waits for one.

    Both attributes are private to httpcore. Without them, `test_slow_headers_exceed_a_limit` fails.
    """

    request: httpx2.Request
    connection: object


def pool_of(client: httpx2.Client | httpx2.AsyncClient, request: httpx2.Request) -> object | None:
    """Return httpcore's pool that `client` uses for `request`, or `None` for other transports, such as test doubles."""
    # `_transport_for_url` and `_pool` lead to the pool, and `_requests` lists its requests. Without them,
    # `test_slow_headers_exceed_a_limit` fails.
    find = getattr(client, "_transport_for_url", None)
    pool: object = getattr(find(request.url), "_pool", None) if callable(find) else None
    return pool if hasattr(pool, "_requests") else None


def may_multiplex(pool: object | None) -> bool:
    """Return whether a connection of `pool` may serve several requests at once, as HTTP/2 does."""
    # Without `_http2`, `test_stream_that_exceeds_a_limit_ends_alone` fails.
    return bool(getattr(pool, "_http2", False))


def find_socket(pool: object, request: httpx2.Request) -> socket.socket | TransportSocket | None:
    """Return the socket that serves `request`, or `None` while it waits for a connection."""
    held = _find(pool, request)
    connection = None if held is None else held.connection
    # `_connection`: proxies and the choice of the HTTP version are layers around the connection. `_network_stream`:
    # the stream of the innermost layer. Without them, `test_slow_headers_exceed_a_limit` fails.
    while (inner := cast("object", getattr(connection, "_connection", None))) is not None:
        connection = inner
    stream = getattr(connection, "_network_stream", None)
    found = None if stream is None else stream.get_extra_info("socket")
    return cast("socket.socket | TransportSocket | None", found)


def find_own_socket(pool: object, request: httpx2.Request) -> socket.socket | TransportSocket | None:
    """Return the socket that serves `request`, or `None` if other requests share its connection."""
    held = _find(pool, request)
    if held is None or held.connection is None:
        return None
    others = [other for other in _requests_of(pool) if other is not held and other.connection is held.connection]
    return find_socket(pool, request) if all(_is_abandoned(other.request) for other in others) else None


class AbandonedError(BaseException):
    """Ends a request whose caller has left. httpcore closes the whole connection for an `Exception`, so it is none."""


class SharedTimeouts:
    """The extension `timeout` of a request on a shared connection.

    httpcore's HTTP/2 closes the whole connection if one read or write times out, so both have no limit here. httpcore
    calls `get("read")` before each read. There an abandoned request ends, and the other requests go on.
    """

    def __init__(self, timeouts: Mapping[str, float | None]) -> None:
        self._timeouts = timeouts
        self.is_abandoned = False

    def get(self, key: str, default: float | None = None) -> float | None:
        """Return the seconds for `key`."""
        if key not in ("read", "write"):
            return self._timeouts.get(key, default)
        if key == "read" and self.is_abandoned:
            raise AbandonedError
        return None


def _is_abandoned(request: httpx2.Request) -> bool:
    timeouts = request.extensions.get("timeout")
    return isinstance(timeouts, SharedTimeouts) and timeouts.is_abandoned


def _requests_of(pool: object) -> list[PoolRequest]:
    return list(cast("Iterable[PoolRequest]", getattr(pool, "_requests", ())))


def _find(pool: object, request: httpx2.Request) -> PoolRequest | None:
    """Return the pool's entry for `request`, found by `extensions`, which httpx passes on unchanged."""
    return next((held for held in _requests_of(pool) if held.request.extensions is request.extensions), None)
