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

    from langchain_gemini_compat._errors.api import Refusal

#: Seconds between two probes. A refusal comes fast; an answer may take longer.
_PROBE_SECONDS = 1.0
#: Seconds after which waiting callers check whether the probe was answered.
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
        #: The server's last refusal, while the gate is not open.
        self.refusal: Refusal | None = None
        #: Counts the closings, so that an answer to an older request does not open what a newer one closed.
        self.closings = 0

    def try_enter(self) -> float:
        """Return 0 if the caller may send now, else the seconds after which to ask again.

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
        """Return whether a caller that cannot wait may send a probe; one probe a second is allowed."""
        now = self._clock()
        if now < self._probed_at + _PROBE_SECONDS:
            return False
        self._probed_at = now
        return True

    def is_half_open(self) -> bool:
        """Return whether the gate is half open: its time has passed, and no answer has opened it."""
        return not self._is_open and (self._is_probing or self._clock() >= self._half_open_at)

    def refused_for(self) -> float:
        """Return the rest of the server's wait in seconds. It may be longer than the gate stays closed."""
        return 0.0 if self._is_open else max(0.0, self._refused_until - self._clock())

    def close(self, seconds: float, refusal: Refusal | None = None, *, limit: float = float("inf")) -> None:
        """Close for the `seconds` that the server named, and no longer than `limit`, the most that the caller waits.

        Otherwise a wrong number, or that of a daily quota, would stop every caller.
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
    """Return the process-wide gate of all callers that share a quota."""
    return Gate()
