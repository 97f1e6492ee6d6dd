"""The open HTTP clients of this process for blocking calls. Equal connections share one client, and so its pool.

Whoever uses a client holds a `Share` of it. When the last share is gone, the client stays open for `IDLE_SECONDS`, so
that a program that builds a model for each request goes on with the open connections. The deadline thread closes it
then. A finalizer could not: it may run in any thread at any time, so it must not take a lock or start a thread.
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

#: Seconds from the end of the last share to the end of the client.
IDLE_SECONDS = KEEPALIVE_SECONDS
#: Maximum number of open clients without a share. A server with a key for each tenant would else run out of sockets.
MOST_UNUSED = 64


class Share(Generic[_Client]):
    """The right to use an open client. The client stays open while an object refers to the share."""

    __slots__ = ("__weakref__", "client", "pid")

    def __init__(self, client: _Client) -> None:
        self.client = client
        #: The process that built the client. A forked child must not use its parent's sockets.
        self.pid = os.getpid()


class Pool(Generic[_Client]):
    """An open client, and the share of it that its users hold."""

    def __init__(self, key: Hashable, client: _Client) -> None:
        self.key = key
        self.client = client
        self._share: ref[Share[_Client]] | None = None
        #: When the missing share was noticed, or infinity while the client is in use.
        self.unused_since = math.inf

    def share(self) -> Share[_Client]:
        """Return the share of this client. There is one for all users."""
        share = None if self._share is None else self._share()
        if share is None:
            share = Share(self.client)
            self._share = self._refer(share)
        self.unused_since = math.inf
        return share

    def is_unused(self) -> bool:
        """Return whether the client had users, and the last one is gone."""
        return self._share is not None and self._share() is None

    def _refer(self, share: Share[_Client]) -> ref[Share[_Client]]:
        return ref(share)


def surplus_of(pools: Iterable[_AnyPool]) -> list[_AnyPool]:
    """Return the unused pools that exceed `MOST_UNUSED`, those that are unused for the longest time first."""
    unused = sorted((pool for pool in pools if pool.is_unused()), key=lambda pool: pool.unused_since)
    return unused[: max(0, len(unused) - MOST_UNUSED)]


class _SyncClients:
    """The clients for blocking calls, by key."""

    def __init__(self) -> None:
        #: Clients of the parent process. They are kept, since their end would close sockets.
        self._inherited: list[object] = []
        self._pools: dict[Hashable, Pool[httpx2.Client]] = {}
        # A finalizer of the caller may make a call while this thread holds the lock.
        self._lock = RLock()

    def take(self, key: Hashable) -> Share[httpx2.Client]:
        """Return a share of the client for `key`. Build a missing client."""
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                self._close_surplus(time.monotonic())
                pool = self._pools[key] = Pool(key, open_sync_client())
                # The thread that closes unused clients may sleep.
                wake_checks()
            return pool.share()

    def close_unused(self, now: float) -> float:
        """Close the clients that are unused for `IDLE_SECONDS` or exceed `MOST_UNUSED`. Return when to check again."""
        # The deadline thread must not wait for a thread that builds a client.
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
        """Forget the clients of the parent process, without closing them."""
        self._inherited.append(self._pools)
        self._pools, self._lock = {}, RLock()

    def _close_surplus(self, now: float) -> None:
        """Note which clients are unused, and close those that exceed `MOST_UNUSED`."""
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
