"""Rate gate: a circuit breaker that all callers of one quota share.

A 429 closes the gate. When its time has passed the gate is half open: one probe request a second is sent, and the
first one that the server takes opens the gate. There is no lock, so the gate is safe across threads, event loops and
forks: a race lets a second probe through, no more.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._api_errors import Refusal

#: Seconds between two probes: refusals come fast, answers need not.
_PROBE_SECONDS = 1.0
#: Seconds after which the others look whether the probe was answered.
_LOOK_SECONDS = 0.1


class Gate:
    """When the next request may go, in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_open = True
        self._is_probing = False
        self._half_open_at = 0.0
        self._refused_until = 0.0
        self._probed_at = -_PROBE_SECONDS
        #: What the server said last, while the gate is not open.
        self.refusal: Refusal | None = None
        #: Counts the closings, so that an answer to an older request does not open what a newer one closed.
        self.closings = 0

    def try_enter(self) -> float:
        """Return 0 where the caller may send now, else the seconds after which to try again.

        While the gate is half open, the caller that gets 0 sends the probe.
        """
        if self._is_open:
            return 0.0
        now = self._clock()
        if now < self._half_open_at:
            left = self._half_open_at - now
            return min(left, _LOOK_SECONDS) if self._is_probing else left
        self._half_open_at, self._is_probing = now + _PROBE_SECONDS, True
        return 0.0

    def try_probe(self) -> bool:
        """Let a caller that cannot wait send a probe: one a second, lest all of them do."""
        now = self._clock()
        if now < self._probed_at + _PROBE_SECONDS:
            return False
        self._probed_at = now
        return True

    def is_half_open(self) -> bool:
        """Return whether probes go out: the gate's time has passed, and no answer has opened it."""
        return not self._is_open and (self._is_probing or self._clock() >= self._half_open_at)

    def refused_for(self) -> float:
        """Return what is left of the wait that the server named, in seconds; it may be longer than the gate's."""
        return 0.0 if self._is_open else max(0.0, self._refused_until - self._clock())

    def close(self, seconds: float, refusal: Refusal | None = None, *, limit: float = float("inf")) -> None:
        """Close for the `seconds` that the server named, and no longer than `limit`, the most that the caller waits.

        A number that is wrong, or meant for a daily quota, would stop every caller otherwise.
        """
        now = self._clock()
        self.refusal = refusal
        self._half_open_at = max(self._half_open_at, now + min(seconds, limit))
        self._refused_until = now + seconds
        self._is_open = self._is_probing = False
        self.closings += 1

    def open(self, closings: int) -> None:
        """Open after an answer to a request that was sent after `closings` closings."""
        if closings == self.closings:
            self._is_open = True
            self.refusal = None


@lru_cache(maxsize=256)
def gate_of(_base_url: str, _model: str, _account: str) -> Gate:
    """Return the gate of this process for those who share a quota."""
    return Gate()
