"""Time limits while a reply is read: who is late has his socket shut, whatever thread or loop waits on it.

The HTTP library's read timeout is one number and starts anew with each byte. Here the first chunk, the silence
between chunks and the whole call have limits of their own, keep-alive comments do not count as chunks, and the
time that the consumer of a stream takes is not the server's. One daemon thread serves all replies of the process.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from langchain_gemini_compat._transport.process_lock import making

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket
    from collections.abc import Callable

    import httpx2

    Socket: TypeAlias = socket.socket | TransportSocket
    FindSocket: TypeAlias = Callable[[], Socket | None]

#: Seconds until the next look where nothing is due before that, and how many looks without a reply to watch are the
#: last ones. Who begins to wait meanwhile has nobody to wake, which costs a tenth of a call.
_LOOK, _IDLE_LOOKS = 1.0, 10
#: Seconds until the next check for the socket of a late request that has none yet.
_SECOND_LOOK = 0.05

Limit: TypeAlias = Literal["first_byte", "between_chunks", "total"]


class LateError(Exception):
    """A time limit passed before the response began."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.limit: Limit = limit


class Watch:
    """The limits of one request and its reply. Call `begin_wait` before a wait for bytes and `end_wait` after it.

    The limits start when the request is sent. `find_socket` returns the socket of the request at that time. `interrupt`
    wakes the caller if another thread or task reads the socket.
    """

    def __init__(
        self,
        request: httpx2.Request,
        *,
        first: float,
        between: float | None,
        end: float | None,
        find_socket: FindSocket | None = None,
    ) -> None:
        self._socket: Socket | None = None
        self._find_socket = find_socket
        self.interrupt: Callable[[], object] | None = None
        self._request = request
        self._between = math.inf if between is None else between
        self._end = math.inf if end is None else end
        self._lock = threading.Lock()
        #: The limit that waiting would break now.
        self.limit: Limit = "first_byte"
        #: When patience ends, by the monotonic clock, if nothing but waiting happens.
        self._patience = first
        #: When to shut the socket; infinity while nobody waits for the server.
        self.due = math.inf
        self._is_watched = False
        #: The limit that was broken.
        self.broken: Limit | None = None
        #: Whether the watchdog ended the wait, and not the HTTP library's own timeouts.
        self.has_ended_wait = False

    def begin_sending(self) -> None:
        """Start the limits of the request. Transports without connections keep their own read timeout."""
        if self._find_socket is not None:
            self.begin_wait()

    def end_sending(self, response: httpx2.Response) -> None:
        """End the wait for the headers. From here on the socket is known."""
        with self._lock:
            if self._find_socket is not None:
                self.due = math.inf
            if self.interrupt is None:
                self._socket = _socket_of(response)
        if self._socket is not None:
            # From here on the limits are kept here. httpx documents the extension, httpcore reads it per body.
            self._limit_reading(None)

    def note_chunk(self) -> None:
        """A chunk came and was consumed: the silence starts anew."""
        self.limit = "between_chunks"
        self._patience = time.monotonic() + self._between

    def begin_wait(self) -> None:
        """Bytes are awaited from now on."""
        self.due = min(self._patience, self._end)
        if self._is_watched:
            if self.due < _watchdog.looks_at:
                _watchdog.wake()
        elif self._is_in_reach():
            self._is_watched = True
            _watchdog.watch(self)
        else:
            # A transport without a socket may keep the limit itself, as `FakeGemini` does in process.
            self._limit_reading(None if self.due == math.inf else max(0.0, self.due - time.monotonic()))

    def _is_in_reach(self) -> bool:
        """Whether the watchdog can end the wait."""
        return self._socket is not None or self._find_socket is not None or self.interrupt is not None

    @property
    def nearest(self) -> Limit:
        """The limit that is broken first if nothing comes."""
        return "total" if self._end <= self._patience else self.limit

    def _limit_reading(self, seconds: float | None) -> None:
        extensions = self._request.extensions
        extensions["timeout"] = {**extensions.get("timeout", {}), "read": seconds}

    def end_wait(self) -> None:
        """Bytes came; a transport that has no socket is only found late here."""
        late = not self._is_watched and time.monotonic() > self.due
        if late:
            self.bark()
        self.due = math.inf

    def bark(self) -> None:
        """The time is up: shut the socket, so that whoever reads wakes up."""
        with self._lock:
            if self.due == math.inf:
                return
            self.broken = self.broken or self.nearest
            self.due = math.inf
            below = self._socket or (self._find_socket() if self._find_socket is not None else None)
            self.has_ended_wait = below is not None or self.interrupt is not None
            if self.interrupt is not None:
                self.interrupt()
            elif below is not None:
                shut(below)
            elif self._find_socket is not None:
                # The request is connecting (the HTTP library limits that) or waits for a connection: check again.
                self.due = time.monotonic() + _SECOND_LOOK

    def close(self) -> None:
        """The reply is read, or given up; after this the socket is not touched."""
        with self._lock:
            self.due = math.inf
        _watchdog.forget(self)


class _Watchdog:
    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        #: When the next look is due, by the monotonic clock.
        self.looks_at = math.inf

    def watch(self, watch: Watch) -> None:
        if self._pid != os.getpid():
            with making():
                self._start()
        self._watches.add(watch)
        if watch.due < self.looks_at:
            self.wake()

    def wake(self) -> None:
        """Look now: something is due earlier than the next look."""
        self._wake.set()

    def forget(self, watch: Watch) -> None:
        self._watches.discard(watch)

    def _start(self) -> None:
        """Once in each process: a thread does not survive a fork, and the parent's sockets are not ours to shut."""
        if self._pid == os.getpid():
            return
        self._watches, self._wake = set(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="langchain-gemini-compat-watchdog", daemon=True)
        self._thread.start()
        self._pid = os.getpid()

    def _run(self) -> None:
        idle = 0
        while True:
            # Whoever adds a watch from here on wakes us, or is seen below.
            self.looks_at = math.inf
            self._wake.clear()
            watches = list(self._watches)
            now = time.monotonic()
            for watch in watches:
                if watch.due <= now:
                    watch.bark()
            idle = 0 if watches else idle + 1
            next_look = now + _LOOK if idle < _IDLE_LOOKS else math.inf
            self.looks_at = min(next_look, min((watch.due for watch in watches), default=math.inf))
            self._wake.wait(None if self.looks_at == math.inf else max(0.0, self.looks_at - time.monotonic()))


_watchdog = _Watchdog()


def _socket_of(response: httpx2.Response) -> Socket | None:
    """The socket below `response`; mock transports have none."""
    stream = response.extensions.get("network_stream")
    return cast("Socket | None", stream.get_extra_info("socket")) if stream is not None else None


def shut(below: Socket) -> None:
    """End the connection without touching the object: TLS sockets and those of asyncio are busy elsewhere."""
    try:
        with socket.fromfd(below.fileno(), below.family, below.type) as copy:
            copy.shutdown(socket.SHUT_RDWR)
    except OSError:
        # No file descriptor is left for a copy, or it is closed already.
        with suppress(OSError):
            _plain_shutdown(below)


def _plain_shutdown(below: Socket) -> None:
    """Not what TLS sockets make of it, which changes their state."""
    if isinstance(below, socket.socket):
        socket.socket.shutdown(below, socket.SHUT_RDWR)
    else:
        below.shutdown(socket.SHUT_RDWR)
