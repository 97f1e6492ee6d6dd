"""HTTP clients as the openai SDK makes them: one for all threads, one for each event loop.

Its one rule: a client ends with what it belongs to, the model or the event loop, and its sockets with it. After a fork
the child makes its own: sockets of the parent are not ours to use, nor to close.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, finalize

import openai

from langchain_gemini_compat._transport.errors import open_client
from langchain_gemini_compat._transport.process_lock import making

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx2


class Clients:
    """The clients of one model; those that the caller brought are the caller's to close."""

    def __init__(self, client: httpx2.Client | None, async_client: httpx2.AsyncClient | None) -> None:
        self._given, self._given_async = client, async_client
        self._own: httpx2.Client | None = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[_LoopClient]] = WeakKeyDictionary()
        self._pid = os.getpid()

    def of_threads(self) -> httpx2.Client:
        """The client for blocking calls."""
        if self._given is not None:
            return self._given
        if self._own is None or self._pid != os.getpid():
            with making():
                self._forget_parent()
                if self._own is None:
                    self._own = open_client(openai.DefaultHttpxClient)
                    finalize(self, self._own.close)
        return self._own

    async def of_loop(self) -> httpx2.AsyncClient:
        """The client of the running event loop; making one reads certificates, so a thread does it."""
        if self._given_async is not None:
            return self._given_async
        loop = asyncio.get_running_loop()
        self._forget_parent()
        making_one = self._by_loop.get(loop)
        if making_one is None or (making_one.done() and (making_one.cancelled() or making_one.exception())):
            self._forget_closed_loops()
            making_one = self._by_loop[loop] = loop.create_task(self._make(loop))
        # Whoever gives up leaves it to the others.
        return (await asyncio.shield(making_one)).client

    async def _make(self, loop: asyncio.AbstractEventLoop) -> _LoopClient:
        made = _LoopClient(self, await asyncio.to_thread(open_client, openai.DefaultAsyncHttpxClient), loop)
        await made.hold_open()
        return made

    def _forget_closed_loops(self) -> None:
        """Threads with loops of their own do so at the same time: each step is one that they cannot share."""
        for reference in self._by_loop.keyrefs():
            loop = reference()
            if loop is not None and loop.is_closed():
                self._by_loop.pop(loop, None)

    def _forget_parent(self) -> None:
        if self._pid != os.getpid():
            self._own, self._by_loop, self._pid = None, WeakKeyDictionary(), os.getpid()


class _LoopClient:
    """A client that is closed when its event loop shuts down, or before that when it is released."""

    def __init__(self, owner: Clients, client: httpx2.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self._release = finalize(owner, self._release_from_owner)
        self._loop = loop
        self._until_end = self._wait_for_end()
        self._closing: asyncio.Task[None] | None = None

    async def hold_open(self) -> None:
        """Begin: `asyncio.run`, like every loop that ends in order, closes the generators that are still open."""
        for other in _held.copy():
            if other.is_over():
                other.let_go()
        _held.add(self)
        await anext(self._until_end)

    def is_over(self) -> bool:
        """Whether its event loop was closed without a shutdown."""
        return self._loop.is_closed()

    def let_go(self) -> None:
        """Nobody will use it again."""
        self._release.detach()
        _held.discard(self)

    def _release_from_owner(self) -> None:
        """The model is gone, in whatever thread."""
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:
            # The loop is closed.
            self.let_go()

    def _close(self) -> asyncio.Task[None]:
        if self._closing is None or self._closing.cancelled():
            self._closing = self._loop.create_task(self._close_client())
        return self._closing

    async def _close_client(self) -> None:
        await self.client.aclose()
        self.let_go()

    async def _wait_for_end(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._close()


#: What keeps clients open; an event loop alone would let go of them too soon.
_held: set[_LoopClient] = set()
