"""Sends a request and reads the bytes of its response, with a deadline for both.

What happens at the deadline depends on the connection:

- HTTP/1.1: the caller reads the socket itself, and the connection is shut down.
- HTTP/2: the connection stays open, because other calls may use it. A thread or a task reads, and the caller stops
  waiting.
- Async clients that hide their sockets, such as those of aiohttp: the wait is cancelled.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing, contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, cast

from langchain_gemini_compat._transport.deadlines import (
    COUNTS_CANCELLATIONS,
    Deadline,
    DeadlineExceededError,
    TaskDeadline,
    shut_down,
)
from langchain_gemini_compat._transport.library_errors import replace_aiohttp_error
from langchain_gemini_compat._transport.network_errors import LARGE_BODY, UploadError, UploadTrace
from langchain_gemini_compat._transport.pool_sockets import (
    AbandonedError,
    SharedTimeouts,
    await_data,
    find_own_socket,
    find_socket,
    forbid_reuse,
    may_multiplex,
    pool_of,
)
from langchain_gemini_compat._transport.tape import note_pieces, note_pieces_async, start_take

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator

    import httpx2

    from langchain_gemini_compat._transport.tape import Take

_T = TypeVar("_T")
#: Maximum length of the queue between the reading thread and the caller.
_QUEUE_SIZE = 16
#: Longest wait at the queue between the reading thread and the caller, in seconds. After this time, the thread checks
#: whether the caller still waits, and the caller checks its deadline.
_CHECK_SECONDS = 1.0


class Exchange:
    """A request that was sent, with its response."""

    response: httpx2.Response
    #: Whether `pieces` yields the bytes as sent. `False` if a hook of the caller's client has already read and
    #: decompressed the body.
    is_raw: bool
    #: The record of this exchange; `None` if exchanges are not recorded.
    take: Take | None = None

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline

    def open(self, client: httpx2.Client, request: httpx2.Request) -> None:
        """Send `request`. Raise `DeadlineExceededError`, or an error of the HTTP library."""
        self.deadline.begin_sending()
        response = client.send(request, stream=True, follow_redirects=False)
        self.is_raw = not response.is_stream_consumed
        self._receive(response)

    def pieces(self) -> Iterator[bytes]:
        """Yield the pieces of the body as they arrive."""
        pieces = self._receive_pieces()
        return pieces if self.take is None else note_pieces(self.take, pieces)

    def close(self) -> None:
        """Close the response, even if its body is not read to the end."""
        self._close()
        if self.take is not None:
            self.take.save(self.deadline.exceeded)

    def _receive_pieces(self) -> Iterator[bytes]:
        return self.response.iter_raw() if self.is_raw else self.response.iter_bytes()

    def _close(self) -> None:
        self.deadline.close()
        self.response.close()

    def _receive(self, response: httpx2.Response) -> None:
        self.response = response
        self.deadline.end_sending(response)


class _SharedExchange(Exchange):
    """An exchange on a connection that may serve other requests at the same time, as HTTP/2 does.

    A thread reads the response, so that the caller can stop waiting at its deadline.
    """

    def __init__(self, deadline: Deadline, pool: object) -> None:
        super().__init__(deadline)
        self._pool = pool
        self._queue: Queue[object] = Queue(_QUEUE_SIZE)
        deadline.interrupt = self._interrupt

    def open(self, client: httpx2.Client, request: httpx2.Request) -> None:
        self._request = request
        self._timeouts = _remove_read_timeout(request, partial(await_data, self._pool, request))
        self.deadline.begin_sending()
        Thread(target=copy_context().run, args=(self._run, client), name="gemini-compat-http2", daemon=True).start()
        try:
            self._receive(cast("httpx2.Response", self._take()))
        except BaseException:
            self._abandon()
            raise

    def _receive_pieces(self) -> Iterator[bytes]:
        while data := self._take():
            yield cast("bytes", data)

    def _close(self) -> None:
        self.deadline.close()
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
        """Pass `item` from the thread to the caller. Raise `AbandonedError` if the caller no longer waits."""
        while not self._timeouts.is_abandoned:
            with suppress(Full):
                self._queue.put(item, timeout=_CHECK_SECONDS)
                return
        raise AbandonedError

    def _take(self) -> object:
        """Return the next item from the thread: the response, then the pieces of the body, then `None`."""
        while not self.deadline.exceeded:
            with suppress(Empty):
                item = self._queue.get(timeout=_CHECK_SECONDS)
                if not isinstance(item, BaseException):
                    return item
                try:
                    raise item
                finally:
                    # The traceback of the error `item` refers to this frame, and this frame refers to `item`. Delete
                    # `item` to break the reference cycle.
                    del item
        raise DeadlineExceededError(self.deadline.exceeded)

    def _interrupt(self) -> None:
        self._abandon()
        with suppress(Full):
            self._queue.put_nowait(None)

    def _abandon(self) -> None:
        """End the request. Shut the connection down if no other request uses it."""
        self._timeouts.is_abandoned = True
        below = find_own_socket(self._pool, self._request)
        if below is not None:
            forbid_reuse(self._pool, self._request)
            shut_down(below)
        # Forbid reads only now: when the thread ends, httpcore must know that the connection cannot be used again.
        self._timeouts.may_read = False


class AsyncExchange:
    """Async version of `Exchange`."""

    response: httpx2.Response
    is_raw: bool
    take: Take | None = None

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline

    async def open(self, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
        """Send `request`. Raise `DeadlineExceededError`, or an error of the HTTP library."""
        self.deadline.begin_sending()
        try:
            response = await self._await_in_time(client.send(request, stream=True, follow_redirects=False))
        except Exception as err:
            error = replace_aiohttp_error(err, request)
            if error is err:
                raise
        else:
            return self._receive(response)
        # The error is raised outside of the `except` block. Inside, the exception of aiohttp would become its
        # `__context__`.
        raise error

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the body as they arrive."""
        pieces = self._receive_pieces()
        return pieces if self.take is None else note_pieces_async(self.take, pieces)

    async def aclose(self) -> None:
        """Close the response, even if its body is not read to the end."""
        self.deadline.close()
        await self.response.aclose()
        if self.take is not None:
            await asyncio.to_thread(self.take.save, self.deadline.exceeded)

    def _receive_pieces(self) -> AsyncIterator[bytes]:
        return self.response.aiter_raw() if self.is_raw else self.response.aiter_bytes()

    async def _await_in_time(self, call: Awaitable[_T]) -> _T:
        """Return the result of `call`. A subclass overrides this method to stop waiting at the deadline."""
        return await call

    def _receive(self, response: httpx2.Response) -> None:
        self.response, self.is_raw = response, not response.is_stream_consumed
        self.deadline.end_sending(response)


class _AsyncSharedExchange(AsyncExchange):
    """An async exchange on a connection that other requests may use at the same time.

    On Python 3.10, it is also used for clients that have no socket or hide it. Each wait for the server is a task,
    which is cancelled at the deadline.
    """

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(deadline)
        loop = asyncio.get_running_loop()
        self._expired: asyncio.Future[None] = loop.create_future()
        deadline.interrupt = partial(_set_from_thread, loop, self._expired)

    async def open(self, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
        _remove_read_timeout(request)
        await super().open(client, request)

    async def _receive_pieces(self) -> AsyncIterator[bytes]:
        async with aclosing(cast("AsyncGenerator[bytes]", super()._receive_pieces())) as pieces:
            while data := await self._await_in_time(anext(pieces, None)):
                yield data

    async def _await_in_time(self, call: Awaitable[_T]) -> _T:
        """Await `call`. Cancel it and raise `DeadlineExceededError` when the deadline expires."""
        step = asyncio.ensure_future(call)
        try:
            await asyncio.wait((step, self._expired), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not step.done():
                step.cancel()
                await asyncio.wait((step,))
        if self.deadline.exceeded:
            with suppress(BaseException):
                step.result()
            raise DeadlineExceededError(self.deadline.exceeded)
        return step.result()


def send(
    client: httpx2.Client,
    request: httpx2.Request,
    *,
    first_by: float,
    between_chunks: float | None,
    end_by: float | None,
) -> Exchange:
    """Send `request` and return the exchange with its response.

    Args:
        client: The HTTP client.
        request: The request. Its `timeout` extension may be changed.
        first_by: When the first chunk or the whole reply is due, by the monotonic clock.
        between_chunks: Maximum silence between two chunks in seconds, or `None`.
        end_by: When the call must end, by the monotonic clock, or `None`.

    Raises:
        DeadlineExceededError: A limit passed before the response began.
        UploadError: The server closed a new connection during a large upload.
    """
    pool = pool_of(client, request)
    deadline = _build_deadline(pool, request, first_by, between_chunks, end_by)
    exchange = _SharedExchange(deadline, pool) if may_multiplex(pool) else Exchange(deadline)
    take = start_take(request)
    try:
        _open(exchange, client, request)
    except BaseException as err:
        if take is not None:
            take.note_failure(err)
            take.save()
        raise
    if take is not None:
        take.note_response(exchange.response, is_raw=exchange.is_raw)
        exchange.take = take
    return exchange


async def asend(
    client: httpx2.AsyncClient,
    request: httpx2.Request,
    *,
    first_by: float,
    between_chunks: float | None,
    end_by: float | None,
) -> AsyncExchange:
    """Async version of `send`."""
    pool = pool_of(client, request)
    deadline: Deadline
    if pool is None and COUNTS_CANCELLATIONS:
        deadline = TaskDeadline(request, first_by=first_by, between_chunks=between_chunks, end_by=end_by)
    else:
        deadline = _build_deadline(pool, request, first_by, between_chunks, end_by)
    waits_in_tasks = may_multiplex(pool) or (pool is None and not COUNTS_CANCELLATIONS)
    exchange = _AsyncSharedExchange(deadline) if waits_in_tasks else AsyncExchange(deadline)
    take = start_take(request)
    try:
        await _aopen(exchange, client, request)
    except BaseException as err:
        if take is not None:
            take.note_failure(err)
            await asyncio.to_thread(take.save)
        raise
    if take is not None:
        take.note_response(exchange.response, is_raw=exchange.is_raw)
        exchange.take = take
    return exchange


def _open(exchange: Exchange, client: httpx2.Client, request: httpx2.Request) -> None:
    """Open `exchange`. Raise `DeadlineExceededError` if a limit passed before the response began."""
    upload = _trace_upload(request)
    if upload is not None:
        request.extensions["trace"] = upload.note
    with _raising_deadline(exchange.deadline), _raising_upload_error(request, upload):
        exchange.open(client, request)
    if exchange.deadline.exceeded:
        exchange.close()
        raise DeadlineExceededError(exchange.deadline.exceeded)


async def _aopen(exchange: AsyncExchange, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
    """Async version of `_open`."""
    upload = _trace_upload(request)
    if upload is not None:
        request.extensions["trace"] = upload.anote
    with _raising_deadline(exchange.deadline), _raising_upload_error(request, upload):
        await exchange.open(client, request)
    if exchange.deadline.exceeded:
        # The client returned a response although the deadline had cancelled its wait. Undo the cancellation.
        exchange.deadline.take_back_cancellation()
        await exchange.aclose()
        raise DeadlineExceededError(exchange.deadline.exceeded)


def _build_deadline(
    pool: object | None, request: httpx2.Request, first_by: float, between_chunks: float | None, end_by: float | None
) -> Deadline:
    find = None if pool is None else partial(find_socket, pool, request)
    return Deadline(request, first_by=first_by, between_chunks=between_chunks, end_by=end_by, find_socket=find)


@contextmanager
def _raising_deadline(deadline: Deadline) -> Generator[None]:
    """Raise `DeadlineExceededError` in place of an error that the shutdown of the connection caused."""
    try:
        yield
    except BaseException as err:
        deadline.close()
        is_cancelled = deadline.take_back_cancellation() and isinstance(err, asyncio.CancelledError)
        if deadline.exceeded and (is_cancelled or (deadline.has_ended_wait and isinstance(err, Exception))):
            raise DeadlineExceededError(deadline.exceeded) from err
        raise


def _trace_upload(request: httpx2.Request) -> UploadTrace | None:
    """Return a trace if the body is large, else `None`.

    A small body needs no trace: it is completely in the network's buffers before the server can close the connection.
    """
    return UploadTrace() if len(request.content) >= LARGE_BODY else None


@contextmanager
def _raising_upload_error(request: httpx2.Request, upload: UploadTrace | None) -> Generator[None]:
    """If the server refuses a large upload, raise `UploadError` in place of the HTTP library's error."""
    try:
        yield
    except Exception as err:
        if upload is not None and upload.is_refused:
            raise UploadError(len(request.content)) from err
        raise
    finally:
        # If `trace` stayed in the extensions of the request, the body would stay in memory as long as the request.
        request.extensions.pop("trace", None)


def _remove_read_timeout(request: httpx2.Request, await_data: Callable[[float], bool] | None = None) -> SharedTimeouts:
    timeouts = SharedTimeouts(request.extensions.get("timeout", {}), await_data)
    request.extensions["timeout"] = timeouts
    return timeouts


def _set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Future[None]) -> None:
    # `call_soon_threadsafe` of a closed event loop raises `RuntimeError`.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if event.done() else event.set_result(None))
