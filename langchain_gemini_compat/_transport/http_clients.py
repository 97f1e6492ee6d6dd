"""HTTP clients with the defaults of the openai SDK: one for all threads, and one for each event loop.

The client for threads is closed with the model, and an async client with its event loop or the model. After a fork, the
child process makes its own clients, since it must neither use nor close the sockets of its parent.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, finalize

from langchain_gemini_compat._transport.errors import open_client
from langchain_gemini_compat._transport.http_library import build_async_client, build_client
from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx2


class Clients:
    """The HTTP clients of one model.

    Args:
        client: The caller's client for blocking calls, or `None`. The caller closes it.
        async_client: The caller's client for async calls, or `None`. The caller closes it.
    """

    def __init__(self, client: httpx2.Client | None, async_client: httpx2.AsyncClient | None) -> None:
        self._given, self._given_async = client, async_client
        self._own: httpx2.Client | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[_LoopClient]] = WeakKeyDictionary()
        self._pid = os.getpid()

    def sync_client(self) -> httpx2.Client:
        """Return the client for blocking calls. The first call builds this client."""
        if self._given is not None:
            return self._given
        if self._own is None or self._pid != os.getpid():
            with singleton_lock():
                self._forget_parent()
                if self._own is None:
                    self._own = open_client(build_client)
                    finalize(self, self._own.close)
        return self._own

    async def async_client(self) -> httpx2.AsyncClient:
        """Return the client of the running event loop.

        The first call on a loop builds the client in a thread, because reading certificates blocks.
        """
        if self._given_async is not None:
            return self._given_async
        loop = asyncio.get_running_loop()
        self._forget_parent()
        task = self._by_loop.get(loop)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            self._forget_closed_loops()
            task = self._by_loop[loop] = loop.create_task(self._make(loop))
        # A cancelled caller must not cancel the task, since other callers wait for it.
        return (await asyncio.shield(task)).client

    async def _make(self, loop: asyncio.AbstractEventLoop) -> _LoopClient:
        made = _LoopClient(self, await asyncio.to_thread(open_client, build_async_client), loop)
        await made.hold_open()
        return made

    def _forget_closed_loops(self) -> None:
        # Threads with event loops of their own may run this at the same time, so each step must be atomic.
        for reference in self._by_loop.keyrefs():
            loop = reference()
            if loop is not None and loop.is_closed():
                self._by_loop.pop(loop, None)

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():
            self._own, self._by_loop, self._pid = None, WeakKeyDictionary(), os.getpid()


class _LoopClient:
    """An async client that is closed with its event loop, or earlier when its owner is garbage collected.

    An event loop does not call a hook when it ends. But `asyncio.run` closes all unfinished async generators
    (`loop.shutdown_asyncgens`). So each client starts a generator whose `finally` closes the client.
    """

    def __init__(self, owner: Clients, client: httpx2.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self._finalizer = finalize(owner, self._close_soon)
        self._loop = loop
        self._until_shutdown = self._close_at_shutdown()
        self._closing: asyncio.Task[None] | None = None

    async def hold_open(self) -> None:
        """Start the generator that closes the client. Drop clients whose event loops were closed without a shutdown."""
        for other in _open_clients.copy():
            if other.is_over():
                other.forget()
        _open_clients.add(self)
        await anext(self._until_shutdown)

    def is_over(self) -> bool:
        """Return whether the event loop is closed."""
        return self._loop.is_closed()

    def forget(self) -> None:
        """Drop the references that keep this object alive."""
        self._finalizer.detach()
        _open_clients.discard(self)

    def _close_soon(self) -> None:
        """Close the client on its event loop. The garbage collector may call this in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:
            # The event loop is closed.
            self.forget()

    def _close(self) -> asyncio.Task[None]:
        if self._closing is None or self._closing.cancelled():
            self._closing = self._loop.create_task(self._close_client())
        return self._closing

    async def _close_client(self) -> None:
        await self.client.aclose()
        self.forget()

    async def _close_at_shutdown(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._close()


#: Keeps clients alive until they are closed, since an event loop has only weak references to its async generators.
_open_clients: set[_LoopClient] = set()
