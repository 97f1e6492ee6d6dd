"""Manages the open HTTP clients of this process for blocking calls.

Models with the same server, account and network settings share one client and its connection pool. Each object that
uses a client refers to the client's `Share`. When the last of these objects is gone, the client stays open for
`IDLE_SECONDS`. So a program that builds a new model for each request reuses open connections.

After `IDLE_SECONDS`, the deadline thread closes the client. A finalizer cannot close it, because a finalizer may run in
any thread at any time, and must not take a lock or start a thread.
"""

from __future__ import annotations

import atexit
import math
import os
import time
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import ref

from langchain_gemini_compat._transport.client_factory import open_sync_client
from langchain_gemini_compat._transport.deadlines import check_regularly, wake_checks
from langchain_gemini_compat._transport.http_library import KEEPALIVE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import httpx2

_Client = TypeVar("_Client")
_AnyPool = TypeVar("_AnyPool", bound="Pool[httpx2.Client] | Pool[httpx2.AsyncClient]")

#: Seconds that a client stays open after its last user is gone.
IDLE_SECONDS = KEEPALIVE_SECONDS
#: Maximum number of open clients without users. Without this limit, a server with a key for each tenant could run out
#: of sockets.
MOST_UNUSED = 64


class Share(Generic[_Client]):
    """A reference that keeps a client open. The client stays open while any object refers to its share."""

    __slots__ = ("__weakref__", "client", "pid")

    def __init__(self, client: _Client) -> None:
        self.client = client
        #: The id of the process that built the client. A forked child must not use its parent's sockets.
        self.pid = os.getpid()


class Pool(Generic[_Client]):
    """An open client, and the share that its users refer to."""

    def __init__(self, key: Hashable, client: _Client) -> None:
        self.key = key
        self.client = client
        self._share: ref[Share[_Client]] | None = None
        #: The time at which the client was first seen without users. Infinity while the client is in use.
        self.unused_since = math.inf

    def share(self) -> Share[_Client]:
        """Return the `Share` object of this client, which is the same for all users of the client."""
        share = None if self._share is None else self._share()
        if share is None:
            share = Share(self.client)
            self._share = self._refer(share)
        self.unused_since = math.inf
        return share

    def is_unused(self) -> bool:
        """Return whether the client has had users and none of them is left."""
        return self._share is not None and self._share() is None

    def _refer(self, share: Share[_Client]) -> ref[Share[_Client]]:
        return ref(share)


def surplus_of(pools: Iterable[_AnyPool]) -> list[_AnyPool]:
    """Return the unused pools beyond the limit `MOST_UNUSED`, starting with the pool that has been unused longest."""
    unused = sorted((pool for pool in pools if pool.is_unused()), key=lambda pool: pool.unused_since)
    return unused[: max(0, len(unused) - MOST_UNUSED)]


class _SyncClients:
    """The clients for blocking calls, by key. A key is a server, an account and network settings."""

    def __init__(self) -> None:
        #: In a forked child, the clients of the parent process. They stay referenced, because deleting a client would
        #: close its sockets.
        self._inherited: list[object] = []
        self._pools: dict[Hashable, Pool[httpx2.Client]] = {}
        # The lock is reentrant: while this thread holds it, a finalizer of the caller may run and call a model.
        self._lock = RLock()

    def take(self, key: Hashable) -> Share[httpx2.Client]:
        """Return a share of the client for `key`. Build the client if it does not exist."""
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                self._close_surplus(time.monotonic())
                pool = self._pools[key] = Pool(key, open_sync_client())
                # Wake the deadline thread, which closes unused clients.
                wake_checks()
            return pool.share()

    def close_unused(self, now: float) -> float:
        """Close the clients that are unused for `IDLE_SECONDS` or exceed `MOST_UNUSED`. Return when to check again."""
        # The deadline thread runs this method. So do not wait here while another thread builds a client under the lock.
        if not self._lock.acquire(blocking=False):
            return now + 1.0
        try:
            self._close_surplus(now)
            for pool in list(self._pools.values()):
                if pool.unused_since <= now - IDLE_SECONDS:
                    self._close(pool)
            since = min((pool.unused_since for pool in self._pools.values()), default=math.inf)
            return min(since, now) + IDLE_SECONDS if self._pools else math.inf
        finally:
            self._lock.release()

    def close_all(self) -> None:
        """Close all clients of this process."""
        with self._lock:
            for pool in list(self._pools.values()):
                self._close(pool)

    def start_anew(self) -> None:
        """Forget the clients of the parent process without closing them. A forked child calls this."""
        self._inherited.append(self._pools)
        self._pools, self._lock = {}, RLock()

    def _close_surplus(self, now: float) -> None:
        """Set `unused_since` of clients that became unused, and close the unused clients that exceed `MOST_UNUSED`."""
        for pool in self._pools.values():
            if pool.unused_since == math.inf and pool.is_unused():
                pool.unused_since = now
        for pool in surplus_of(self._pools.values()):
            self._close(pool)

    def _close(self, pool: Pool[httpx2.Client]) -> None:
        del self._pools[pool.key]
        # A socket that the server has reset can raise an error.
        with suppress(Exception):
            pool.client.close()


_clients = _SyncClients()
take_client = _clients.take
check_regularly(_clients.close_unused)
atexit.register(_clients.close_all)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clients.start_anew)
