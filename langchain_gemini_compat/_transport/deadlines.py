"""Enforces the first-byte, idle and total timeouts of a reply by shutting down its socket, or by cancelling its task.

The read timeout of an HTTP library restarts with each byte. This module instead limits the time to the first chunk, the
silence between chunks, and the whole call. Keep-alive comments do not count as chunks. Time that the consumer of a
stream spends between chunks does not count. One daemon thread checks the deadlines of all replies of the process. Some
async clients, such as those over aiohttp, hide their sockets. For their replies, a timer of the event loop checks the
deadline.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

from langchain_gemini_compat._transport.process_lock import singleton_lock

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket
    from collections.abc import Callable

    import httpx2

    Socket: TypeAlias = socket.socket | TransportSocket
    FindSocket: TypeAlias = Callable[[], Socket | None]

#: Seconds between two checks if no deadline is due earlier.
_CHECK_SECONDS = 1.0
#: After this number of checks without any deadline, the thread sleeps until it is woken. With a lower number, it would
#: be woken more often, and waking it takes a tenth of the time of a call.
_IDLE_CHECKS = 10
#: If a deadline expires before its request has a socket, it is checked again after this number of seconds.
_SOCKET_CHECK_SECONDS = 0.05

Limit: TypeAlias = Literal["first_byte", "between_chunks", "total"]


class DeadlineExceededError(Exception):
    """A time limit passed before the response began."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.limit: Limit = limit


class Deadline:
    """The time limits of one request and its reply.

    Call `arm` before each wait for bytes and `disarm` after the wait. If an armed deadline passes, the deadline thread
    calls `expire`.

    Args:
        request: The request. Its `timeout` extension is changed if the HTTP library has to enforce the limit.
        first_by: When the first chunk or the whole reply is due, by the monotonic clock.
        between_chunks: Maximum silence between two chunks in seconds, or `None`.
        end_by: When the call must end, by the monotonic clock, or `None`.
        find_socket: Returns the socket of the request while it is being sent.
    """

    def __init__(
        self,
        request: httpx2.Request,
        *,
        first_by: float,
        between_chunks: float | None,
        end_by: float | None,
        find_socket: FindSocket | None = None,
    ) -> None:
        self._socket: Socket | None = None
        self._find_socket = find_socket
        #: Function that `expire` calls to end the caller's wait, if a thread or a task reads the socket for the caller.
        #: Otherwise it is `None`, and `expire` shuts down the socket.
        self.interrupt: Callable[[], object] | None = None
        self._request = request
        self._between_chunks = math.inf if between_chunks is None else between_chunks
        self._end_by = math.inf if end_by is None else end_by
        self._lock = threading.Lock()
        #: `_limit` is the kind of the limit that applies to the next chunk. `_limit_by` is the time at which this limit
        #: passes, in seconds of the monotonic clock.
        self._limit: Limit = "first_byte"
        self._limit_by = first_by
        #: The time at which this deadline expires, in seconds of the monotonic clock. Infinity while the caller does
        #: not wait for the server.
        self.due = math.inf
        self._is_monitored = False
        #: The limit that has passed; `None` while no limit has passed.
        self.exceeded: Limit | None = None
        #: Whether `expire` has ended the caller's wait for the server. If `expire` cannot end the wait, a timeout of
        #: the HTTP library ends it.
        self.has_ended_wait = False

    def begin_sending(self) -> None:
        """Start this deadline before the wait for the response's headers.

        Do nothing if this object cannot end the wait. Then the timeouts of the HTTP library apply.
        """
        if self._can_end_wait():
            self.arm()

    def end_sending(self, response: httpx2.Response) -> None:
        """Stop this deadline after the response's headers came, and record the socket of `response`."""
        with self._lock:
            if self._can_end_wait():
                self.due = math.inf
            if self.interrupt is None:
                self._socket = _socket_of(response)
        if self._socket is not None:
            # From now on, this deadline can shut down the socket. So switch off the HTTP library's read timeout for the
            # body. This works because httpcore reads the extension `timeout` (documented by httpx) again before it
            # reads the body.
            self._limit_reading(None)

    def note_chunk(self) -> None:
        """Restart the idle timeout, after a chunk came and the caller consumed it."""
        self._limit = "between_chunks"
        self._limit_by = time.monotonic() + self._between_chunks

    def arm(self) -> None:
        """Start this deadline. Call this before each wait for bytes of the response."""
        self.due = min(self._limit_by, self._end_by)
        if self._is_monitored:
            if self.due < _monitor.next_check:
                _monitor.wake()
        elif self._can_end_wait():
            self._is_monitored = True
            _monitor.add(self)
        else:
            # This deadline has no socket to shut down. But the transport may enforce a read timeout, as the in-process
            # `FakeGemini` does.
            self._limit_reading(None if self.due == math.inf else max(0.0, self.due - time.monotonic()))

    def _can_end_wait(self) -> bool:
        return self._socket is not None or self._find_socket is not None or self.interrupt is not None

    @property
    def next_limit(self) -> Limit:
        """The name of the limit that passes first if the server sends nothing more."""
        return "total" if self._end_by <= self._limit_by else self._limit

    def _limit_reading(self, seconds: float | None) -> None:
        extensions = self._request.extensions
        extensions["timeout"] = {**extensions.get("timeout", {}), "read": seconds}

    def disarm(self) -> None:
        """Stop this deadline. Call this after bytes of the response have arrived.

        If the deadline thread does not check this deadline, and the bytes came too late, this method calls `expire`.
        """
        if not self._is_monitored and time.monotonic() > self.due:
            self.expire()
        self.due = math.inf

    def expire(self) -> None:
        """Record the limit that has passed, and shut down the socket, so that the reader wakes up."""
        with self._lock:
            if self.due == math.inf:
                return
            self.exceeded = self.exceeded or self.next_limit
            self.due = math.inf
            below = self._socket or (self._find_socket() if self._find_socket is not None else None)
            self.has_ended_wait = below is not None or self.interrupt is not None
            if self.interrupt is not None:
                self.interrupt()
            elif below is not None:
                shut_down(below)
            elif self._find_socket is not None:
                # The request has no socket yet, because it waits for a connection or is connecting. (The HTTP library
                # limits the time to connect.) Check again soon.
                self.due = time.monotonic() + _SOCKET_CHECK_SECONDS

    def close(self) -> None:
        """Stop the checks of this deadline.

        After this, the socket is no longer shut down, because another call may then use the connection.
        """
        with self._lock:
            self.due = math.inf
        _monitor.remove(self)

    def take_back_cancellation(self) -> bool:
        """Return `False`, since only the subclass `TaskDeadline` cancels tasks."""
        return False


#: Whether tasks count their cancellations. Without the count (Python 3.10), a cancellation by the caller could be lost
#: if a deadline also cancels the task.
COUNTS_CANCELLATIONS = sys.version_info >= (3, 11)


class _Task(Protocol):
    """The methods of `asyncio.Task` that `TaskDeadline` calls. Two of them are new in Python 3.11."""

    def cancel(self) -> bool: ...
    def cancelling(self) -> int: ...
    def uncancel(self) -> int: ...


class TaskDeadline(Deadline):
    """A deadline that cancels the waiting task, for async clients that hide their sockets, such as aiohttp's.

    `TaskDeadline` works like `asyncio.timeout`, but sets one timer for a whole reply. A new timer for each chunk would
    take longer than the decoding of the chunk. All methods run in the thread of the event loop.
    """

    def __init__(
        self, request: httpx2.Request, *, first_by: float, between_chunks: float | None, end_by: float | None
    ) -> None:
        super().__init__(request, first_by=first_by, between_chunks=between_chunks, end_by=end_by)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        #: The time at which the timer fires, in seconds of the monotonic clock.
        self._timer_at = math.inf
        self._task: _Task | None = None
        #: The number of pending cancellations of the task (`Task.cancelling()`) when its wait began.
        self._earlier = 0
        self._has_cancelled = False

    def begin_sending(self) -> None:
        """Switch off the HTTP library's read timeout. Start this deadline before waiting for the response's headers."""
        self._limit_reading(None)
        self.arm()

    def end_sending(self, response: httpx2.Response) -> None:
        """Stop this deadline after the response's headers came."""
        del response
        self.due = math.inf

    def arm(self) -> None:
        """Start this deadline before the running task waits for bytes."""
        self._task = task = cast("_Task", asyncio.current_task())
        self._earlier = task.cancelling()
        self.due = due = min(self._limit_by, self._end_by)
        if due < self._timer_at:
            self._set_timer()

    def disarm(self) -> None:
        """Stop this deadline after bytes came."""
        self.due = math.inf

    def expire(self) -> None:
        """Record which time limit has passed, and cancel the task that waits for bytes."""
        self.exceeded = self.exceeded or self.next_limit
        self.due = math.inf
        if self._task is not None:
            self.has_ended_wait = self._has_cancelled = True
            self._task.cancel()

    def close(self) -> None:
        """End the deadline. After this, no task is cancelled."""
        self.due = math.inf
        self._stop_timer()

    def take_back_cancellation(self) -> bool:
        """Undo the cancellation by `expire` after the wait. Return `True` if nothing else cancelled the task."""
        if not self._has_cancelled or self._task is None:
            return False
        self._has_cancelled = False
        return self._task.uncancel() <= self._earlier

    def _set_timer(self) -> None:
        self._stop_timer()
        self._timer_at = self.due
        # asyncio keeps a cancelled timer and its context for a while, so the timer gets an empty context.
        self._timer = self._loop.call_later(max(0.0, self.due - time.monotonic()), self._check, context=Context())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _check(self) -> None:
        """Call `expire` if the deadline has passed. If the deadline was moved to a later time, set a new timer."""
        self._stop_timer()
        if self.due <= time.monotonic():
            self.expire()
        elif self.due != math.inf:
            self._set_timer()


class _Monitor:
    """The daemon thread that checks all deadlines of this process."""

    def __init__(self) -> None:
        self._deadlines: set[Deadline] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        #: Functions that this thread calls whenever it checks the deadlines. Each function gets the time, and returns
        #: when its next call is due.
        self.checks: list[Callable[[float], float]] = []
        #: The time of the next check, in seconds of the monotonic clock.
        self.next_check = math.inf

    def runs_here(self) -> bool:
        """Return whether the thread runs in this process. Threads do not survive a fork."""
        return self._pid == os.getpid()

    def add(self, deadline: Deadline) -> None:
        if not self.runs_here():
            with singleton_lock():
                self._start()
        self._deadlines.add(deadline)
        if deadline.due < self.next_check:
            self.wake()

    def wake(self) -> None:
        """Make the thread check the deadlines now."""
        self._wake.set()

    def remove(self, deadline: Deadline) -> None:
        self._deadlines.discard(deadline)

    def _start(self) -> None:
        """Start the thread, once in each process, since threads do not survive a fork.

        A child process drops the deadlines of its parent, since the child must not shut down the parent's sockets.
        """
        if self.runs_here():
            return
        self._deadlines, self._wake = set(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="langchain-gemini-compat-deadlines", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self) -> None:
        idle = 0
        while True:
            # Set this before the deadlines are copied. Then a thread that adds a deadline after the copy wakes this
            # thread, because every deadline is earlier than infinity.
            self.next_check = math.inf
            self._wake.clear()
            deadlines = list(self._deadlines)
            now = time.monotonic()
            for deadline in deadlines:
                if deadline.due <= now:
                    deadline.expire()
            idle = 0 if deadlines else idle + 1
            next_round = now + _CHECK_SECONDS if idle < _IDLE_CHECKS else math.inf
            next_round = min([next_round, *(check(now) for check in self.checks)])
            self.next_check = min(next_round, min((deadline.due for deadline in deadlines), default=math.inf))
            self._wake.wait(None if self.next_check == math.inf else max(0.0, self.next_check - time.monotonic()))


_monitor = _Monitor()


def check_regularly(check: Callable[[float], float]) -> None:
    """Register `check`, which the deadline thread calls whenever it checks the deadlines.

    The thread starts with the first request.

    Args:
        check: A function that gets the current time of the monotonic clock, and returns the time by which it must be
            called again. The function must not block, since deadlines would then be enforced late.
    """
    _monitor.checks.append(check)


def wake_checks() -> None:
    """Make the deadline thread call the registered checks now, if the thread runs.

    Without open requests, the thread sleeps after a while, so it may have to be woken.
    """
    # In a forked child without its own thread, `_wake` is the parent's event. Setting it could block forever, because a
    # thread of the parent may have held its lock during the fork.
    if _monitor.runs_here():
        _monitor.wake()


def _socket_of(response: httpx2.Response) -> Socket | None:
    """Return the socket of `response`, or `None` for mock transports."""
    stream = response.extensions.get("network_stream")
    return cast("Socket | None", stream.get_extra_info("socket")) if stream is not None else None


def shut_down(below: Socket) -> None:
    """Shut down the connection through a copy of its descriptor.

    The socket object itself is not used, because TLS or asyncio may use it in another thread at the same time.
    """
    try:
        with socket.fromfd(below.fileno(), below.family, below.type) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The process may have no free file descriptor for a copy. So shut down the socket itself, if it is not closed
        # already.
        with suppress(OSError):
            _shut_down_in_place(below)


def _shut_down_in_place(below: Socket) -> None:
    if isinstance(below, socket.socket):
        # Call the method of the plain socket. The method `shutdown` of a TLS socket also removes the TLS object, which
        # another thread may be using.
        socket.socket.shutdown(below, socket.SHUT_RDWR)
    else:
        below.shutdown(socket.SHUT_RDWR)
