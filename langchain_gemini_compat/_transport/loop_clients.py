"""Manages the open HTTP clients for async calls.

In an event loop, models with the same server, account and network settings share one client.

When a client has had no users for `shared_clients.IDLE_SECONDS`, a timer of its event loop closes it. If the loop ends
earlier, the client is closed with the loop.
"""

from __future__ import annotations

import asyncio
import os
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, ref

from langchain_gemini_compat._transport import shared_clients
from langchain_gemini_compat._transport.client_factory import open_async_client
from langchain_gemini_compat._transport.shared_clients import Pool, Share, surplus_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable

    import httpx2

    _Share: TypeAlias = Share[httpx2.AsyncClient]

_Value = TypeVar("_Value")


def drop_closed_loops(by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Value]) -> None:
    """Remove the entries of closed event loops from `by_loop`.

    A `WeakKeyDictionary` does not remove an entry itself if the value of the entry refers to the event loop.
    """
    # Several threads, each with its own event loop, may run this function at the same time. So iterate over a copy
    # (`keyrefs()`), and let `pop` ignore entries that are gone.
    for reference in by_loop.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            by_loop.pop(loop, None)


class LoopClients:
    """The clients for async calls, by event loop and key. A key is a server, an account and network settings."""

    def __init__(self) -> None:
        #: In a forked child: the pools of the parent process. They are kept, since deleting them would close sockets.
        self._inherited: list[object] = []
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _OfLoop] = WeakKeyDictionary()
        #: Keeps pools alive until they are closed, since an event loop has only weak references to its generators.
        self._open: set[_LoopPool] = set()

    async def take(self, key: Hashable) -> _Share:
        """Return a share of the running loop's client for `key`. A missing client is built in a thread.

        If several callers need the same missing client, one task builds it for all of them. If this task fails, only
        the caller that started it gets the exception. Another caller starts a new task, so that no two callers get the
        same exception object.
        """
        loop = asyncio.get_running_loop()
        while True:
            of_loop = self._by_loop.setdefault(loop, _OfLoop())
            pool, task = of_loop.pools.get(key), of_loop.opening.get(key)
            if pool is not None:
                return pool.share()
            is_first = task is None
            if task is None:
                self.forget_closed_loops()
                task = of_loop.start_opening(key, self._open_pool(key, loop))
            try:
                await _wait_for(task)
                if is_first or not _has_failed(task):
                    return task.result()
            finally:
                # The traceback of an exception keeps all local variables in memory. Without `del`, it would keep the
                # task, and with it the task's exception or share.
                del task

    async def _open_pool(self, key: Hashable, loop: asyncio.AbstractEventLoop) -> _Share:
        pool = _LoopPool(key, await asyncio.to_thread(open_async_client), loop, self)
        self._open.add(pool)
        await pool.hold_open()
        self._by_loop.setdefault(loop, _OfLoop()).pools[key] = pool
        # If all callers were cancelled, nobody takes this share. Python then deletes it, and the idle time of the
        # client starts.
        return pool.share()

    def withhold(self, pool: _LoopPool) -> None:
        """Remove `pool` from the pools that give out shares, because its client is being closed."""
        of_loop = self._by_loop.get(pool.loop)
        if of_loop is not None and of_loop.pools.get(pool.key) is pool:
            del of_loop.pools[pool.key]

    def close_surplus(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the unused clients of `loop` that exceed `MOST_UNUSED`. Call this on the event loop."""
        of_loop = self._by_loop.get(loop)
        for pool in surplus_of(of_loop.pools.values()) if of_loop is not None else ():
            pool.close()

    def forget(self, pool: _LoopPool) -> None:
        """Drop the reference to a closed pool."""
        self._open.discard(pool)

    def forget_closed_loops(self) -> None:
        """Drop the references to clients of closed event loops. This closes their sockets."""
        drop_closed_loops(self._by_loop)
        for pool in self._open.copy():
            if pool.loop.is_closed():
                self._open.discard(pool)

    def start_anew(self) -> None:
        """Forget the clients of the parent process without closing them. A forked child calls this."""
        self._inherited.append((self._by_loop, self._open))
        self._by_loop, self._open = WeakKeyDictionary(), set()


class _OfLoop:
    """The clients of one event loop by key, and the tasks that build missing clients."""

    def __init__(self) -> None:
        self.pools: dict[Hashable, _LoopPool] = {}
        self.opening: dict[Hashable, asyncio.Task[_Share]] = {}

    def start_opening(self, key: Hashable, opening: Coroutine[object, object, _Share]) -> asyncio.Task[_Share]:
        """Start a task that runs the coroutine `opening`, and return it. It is in `self.opening` until it is done."""
        task = self.opening[key] = _start_task(asyncio.get_running_loop(), opening)
        task.add_done_callback(partial(self._end_opening, key))
        return task

    def _end_opening(self, key: Hashable, task: asyncio.Task[_Share]) -> None:
        del self.opening[key]
        # Python logs the exception of a task if no code reads it. Read it here, because all callers may have been
        # cancelled.
        _has_failed(task)


class _LoopPool(Pool["httpx2.AsyncClient"]):
    """The client of an event loop. It is closed with the loop, or when it is unused for `IDLE_SECONDS`.

    An event loop has no hook that runs at its end. But `asyncio.run` closes all unfinished async generators
    (`loop.shutdown_asyncgens`). So each pool starts an async generator, whose `finally` block closes the client.
    """

    def __init__(
        self,
        key: Hashable,
        client: httpx2.AsyncClient,
        loop: asyncio.AbstractEventLoop,
        owner: LoopClients,
    ) -> None:
        super().__init__(key, client)
        self.loop = loop
        self._owner = owner
        self._pid = os.getpid()
        self._until_shutdown = self._close_at_shutdown()
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def hold_open(self) -> None:
        """Start the generator that closes the client at the loop's shutdown."""
        await anext(self._until_shutdown)

    def close(self) -> asyncio.Task[None]:
        """Close the client. Call this on the event loop."""
        self._owner.withhold(self)
        if self._closing is None or self._closing.cancelled():
            self._closing = _start_task(self.loop, self._close_client())
        return self._closing

    def call_on_loop(self, call: Callable[[], object]) -> None:
        """Run `call` on the event loop. The garbage collector may run this method in any thread or forked child."""
        if self._pid == os.getpid():
            try:
                self.loop.call_soon_threadsafe(call, context=Context())
            except RuntimeError:
                # The event loop is closed and can no longer run `call`.
                self._owner.forget(self)

    def _refer(self, share: _Share) -> ref[_Share]:
        return ref(share, lambda _: self.call_on_loop(self._start_idle_time))

    def _start_idle_time(self) -> None:
        if self.is_unused():
            self.unused_since = self.loop.time()
            if self._timer is None:
                self._set_timer()
            self._owner.close_surplus(self.loop)

    def _set_timer(self) -> None:
        # A new use of the client does not cancel this timer. Cancelling it would take more time than the check in
        # `_end_idle_time`.
        self._timer = self.loop.call_at(
            self.unused_since + shared_clients.IDLE_SECONDS, self._end_idle_time, context=Context()
        )

    def _end_idle_time(self) -> None:
        self._timer = None
        if not self.is_unused():
            return
        if self.loop.time() < self.unused_since + shared_clients.IDLE_SECONDS:
            self._set_timer()
        else:
            self.close()

    async def _close_client(self) -> None:
        try:
            await self.client.aclose()
        finally:
            self._owner.forget(self)

    async def _close_at_shutdown(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.close()


def _start_task(loop: asyncio.AbstractEventLoop, work: Coroutine[object, object, _Value]) -> asyncio.Task[_Value]:
    """Start a task in an empty context. A copy of the caller's context would stay in memory as long as the client."""
    # In Python 3.10, `create_task` has no argument `context`, so `Context.run` sets the context of the task.
    return Context().run(loop.create_task, work)


async def _wait_for(task: asyncio.Task[_Share]) -> None:
    """Wait until `task` is done. If the caller is cancelled, the task goes on, since other callers wait for it.

    `asyncio.wait` is not used: with it, the traceback of a cancelled caller would keep the task and its share in
    memory.
    """
    is_done = asyncio.Event()
    task.add_done_callback(lambda _: is_done.set())
    del task
    await is_done.wait()


def _has_failed(task: asyncio.Task[_Share]) -> bool:
    return task.cancelled() or task.exception() is not None


_clients = LoopClients()
take_loop_client = _clients.take

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clients.start_anew)
