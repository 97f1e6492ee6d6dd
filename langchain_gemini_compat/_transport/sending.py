"""Send a request and read the bytes of its response, so that a deadline can end the wait for either.

With HTTP/1.1 the caller reads the socket itself, and a late connection is shut down. An HTTP/2 connection also serves
other calls, so a blocking caller waits for a thread, and an async one for a task, and the connection stays open.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing, contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, cast

from langchain_gemini_compat._transport.deadlines import LateError, Watch, shut
from langchain_gemini_compat._transport.network_errors import LARGE_BODY, UploadError, UploadWatch
from langchain_gemini_compat._transport.pool_sockets import (
    AbandonedError,
    SharedTimeouts,
    find_own_socket,
    find_socket,
    may_multiplex,
    pool_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterator

    import httpx2

_T = TypeVar("_T")
#: Most pieces that wait for the caller, and seconds after which each side checks whether the other one has left.
_PIECES, _LOOK = 16, 1.0


class Exchange:
    """A request that was sent, with its response."""

    response: httpx2.Response
    #: Whether `pieces` are the bytes of the wire. Hooks of the caller's client may have decoded them already.
    is_raw: bool

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def open(self, client: httpx2.Client, request: httpx2.Request) -> None:
        """Send `request`. Raises `LateError`, or an error of the HTTP library."""
        self.watch.begin_sending()
        response = client.send(request, stream=True, follow_redirects=False)
        self.is_raw = not response.is_stream_consumed
        self._receive(response)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        return self.response.iter_raw() if self.is_raw else self.response.iter_bytes()

    def close(self) -> None:
        """End the response, read or not."""
        self.watch.close()
        self.response.close()

    def _receive(self, response: httpx2.Response) -> None:
        self.response = response
        self.watch.end_sending(response)


class _SharedExchange(Exchange):
    """Sends over a shared connection: a thread reads, so that the caller can leave at its deadline."""

    def __init__(self, watch: Watch, pool: object) -> None:
        super().__init__(watch)
        self._pool = pool
        self._queue: Queue[object] = Queue(_PIECES)
        watch.interrupt = self._interrupt

    def open(self, client: httpx2.Client, request: httpx2.Request) -> None:
        self._request, self._timeouts = request, _share(request)
        self.watch.begin_sending()
        Thread(target=copy_context().run, args=(self._run, client), name="gemini-compat-http2", daemon=True).start()
        try:
            self._receive(cast("httpx2.Response", self._take()))
        except BaseException:
            self._abandon()
            raise

    def pieces(self) -> Iterator[bytes]:
        while data := self._take():
            yield cast("bytes", data)

    def close(self) -> None:
        self.watch.close()
        self._abandon()

    def _run(self, client: httpx2.Client) -> None:
        try:
            with closing(client.send(self._request, stream=True, follow_redirects=False)) as response:
                self.is_raw = not response.is_stream_consumed
                self._put(response)
                for data in response.iter_raw() if self.is_raw else response.iter_bytes():
                    self._put(data)
            self._put(None)
        except AbandonedError:
            pass
        except BaseException as err:
            with suppress(AbandonedError):
                self._put(err)

    def _put(self, item: object) -> None:
        while not self._timeouts.is_abandoned:
            with suppress(Full):
                self._queue.put(item, timeout=_LOOK)
                return
        raise AbandonedError

    def _take(self) -> object:
        """Return the next item of the thread: the response, a piece, or `None` at the end."""
        while not self.watch.broken:
            with suppress(Empty):
                item = self._queue.get(timeout=_LOOK)
                if not isinstance(item, BaseException):
                    return item
                try:
                    raise item
                finally:
                    # The error's traceback refers to this frame: break the cycle.
                    del item
        raise LateError(self.watch.broken)

    def _interrupt(self) -> None:
        self._abandon()
        with suppress(Full):
            self._queue.put_nowait(None)

    def _abandon(self) -> None:
        self._timeouts.is_abandoned = True
        below = find_own_socket(self._pool, self._request)
        if below is not None:
            shut(below)


class AsyncExchange:
    """`Exchange`, async."""

    response: httpx2.Response
    is_raw: bool

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    async def open(self, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
        """Send `request`. Raises `LateError`, or an error of the HTTP library."""
        self.watch.begin_sending()
        self._receive(await client.send(request, stream=True, follow_redirects=False))

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        return self.response.aiter_raw() if self.is_raw else self.response.aiter_bytes()

    async def aclose(self) -> None:
        """End the response, read or not."""
        self.watch.close()
        await self.response.aclose()

    def _receive(self, response: httpx2.Response) -> None:
        self.response, self.is_raw = response, not response.is_stream_consumed
        self.watch.end_sending(response)


class _AsyncSharedExchange(AsyncExchange):
    """Sends over a shared connection: each wait is a task that can be cancelled."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        loop = asyncio.get_running_loop()
        self._late: asyncio.Future[None] = loop.create_future()
        watch.interrupt = partial(_tell, loop, self._late)

    async def open(self, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
        _share(request)
        self.watch.begin_sending()
        self._receive(await self._until_late(client.send(request, stream=True, follow_redirects=False)))

    async def pieces(self) -> AsyncIterator[bytes]:
        async with aclosing(cast("AsyncGenerator[bytes]", super().pieces())) as pieces:
            while data := await self._until_late(anext(pieces, None)):
                yield data

    async def _until_late(self, call: Awaitable[_T]) -> _T:
        step = asyncio.ensure_future(call)
        try:
            await asyncio.wait((step, self._late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not step.done():
                step.cancel()
                await asyncio.wait((step,))
        if self.watch.broken:
            with suppress(BaseException):
                step.result()
            raise LateError(self.watch.broken)
        return step.result()


def send(
    client: httpx2.Client, request: httpx2.Request, *, first: float, between: float | None, end: float | None
) -> Exchange:
    """Send `request` within the limits of `Watch`."""
    pool = pool_of(client, request)
    watch = _build_watch(pool, request, first, between, end)
    exchange = _SharedExchange(watch, pool) if may_multiplex(pool) else Exchange(watch)
    upload = _watch_upload(request)
    if upload is not None:
        request.extensions["trace"] = upload.note
    with _raising_late(watch), _raising_refused(request, upload):
        exchange.open(client, request)
    if watch.broken:
        exchange.close()
        raise LateError(watch.broken)
    return exchange


async def asend(
    client: httpx2.AsyncClient, request: httpx2.Request, *, first: float, between: float | None, end: float | None
) -> AsyncExchange:
    """`send`, async."""
    pool = pool_of(client, request)
    watch = _build_watch(pool, request, first, between, end)
    exchange = _AsyncSharedExchange(watch) if may_multiplex(pool) else AsyncExchange(watch)
    upload = _watch_upload(request)
    if upload is not None:
        request.extensions["trace"] = upload.anote
    with _raising_late(watch), _raising_refused(request, upload):
        await exchange.open(client, request)
    if watch.broken:
        await exchange.aclose()
        raise LateError(watch.broken)
    return exchange


def _build_watch(
    pool: object | None, request: httpx2.Request, first: float, between: float | None, end: float | None
) -> Watch:
    find = None if pool is None else partial(find_socket, pool, request)
    return Watch(request, first=first, between=between, end=end, find_socket=find)


@contextmanager
def _raising_late(watch: Watch) -> Generator[None]:
    """Raise `LateError` for errors that the shutdown of the connection caused."""
    try:
        yield
    except Exception as err:
        watch.close()
        if watch.broken and watch.has_ended_wait:
            raise LateError(watch.broken) from err
        raise
    except BaseException:
        watch.close()
        raise


def _watch_upload(request: httpx2.Request) -> UploadWatch | None:
    """Small bodies are in the buffers of the network before a server can close."""
    return UploadWatch() if len(request.content) >= LARGE_BODY else None


@contextmanager
def _raising_refused(request: httpx2.Request, upload: UploadWatch | None) -> Generator[None]:
    try:
        yield
    except Exception as err:
        if upload is not None and upload.is_refused:
            raise UploadError(len(request.content)) from err
        raise
    finally:
        # The exception would keep the request alive.
        request.extensions.pop("trace", None)


def _share(request: httpx2.Request) -> SharedTimeouts:
    timeouts = SharedTimeouts(request.extensions.get("timeout", {}))
    request.extensions["timeout"] = timeouts
    return timeouts


def _tell(loop: asyncio.AbstractEventLoop, late: asyncio.Future[None]) -> None:
    # The event loop may be closed.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if late.done() else late.set_result(None))
