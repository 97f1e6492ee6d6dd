"""Rate gate: a circuit breaker that all callers of one quota share.

A 429 closes the gate. After the wait that the server named, the gate is half open: one probe request per second is
sent, and the first one that the server accepts opens the gate. The gate has no lock that a thread, an event loop or a
fork could block on. The worst result of a race is a second probe.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._errors.api import Refusal

#: Seconds between two probes. A server refuses a request within that time; its answer may take longer.
_PROBE_SECONDS = 1.0
#: Seconds after which waiting callers check whether the probe was answered.
_LOOK_SECONDS = 0.1


class Gate:
    """The state of one circuit breaker.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_open = True
        self._is_probing = False
        self._half_open_at = 0.0
        self._refused_until = 0.0
        self._probed_at = -_PROBE_SECONDS
        #: The server's last refusal, while the gate is not open.
        self.refusal: Refusal | None = None
        #: Counts the closings, so that the answer to an older request does not reopen the gate.
        self.closings = 0

    def try_enter(self) -> float:
        """Return 0 if the caller may send now, else the seconds to wait before the next attempt to enter.

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
        """Claim the probe of this second for a caller that cannot wait. Return whether it was still free."""
        now = self._clock()
        if now < self._probed_at + _PROBE_SECONDS:
            return False
        self._probed_at = now
        return True

    def is_half_open(self) -> bool:
        """Return whether the gate is half open: its time has passed, and no answer has opened it."""
        return not self._is_open and (self._is_probing or self._clock() >= self._half_open_at)

    def refused_for(self) -> float:
        """Return the rest of the wait that the server named, in seconds. The gate may open earlier."""
        return 0.0 if self._is_open else max(0.0, self._refused_until - self._clock())

    def close(self, seconds: float, refusal: Refusal | None = None, *, limit: float = float("inf")) -> None:
        """Close the gate for the wait that the server named.

        Args:
            seconds: The wait.
            refusal: The 429, which other callers raise if they cannot wait.
            limit: The longest wait of this caller in seconds, which bounds `seconds`. Without it, a wrong number or
                the wait of a daily quota would stop every caller.
        """
        now = self._clock()
        self.refusal = refusal
        self._half_open_at = max(self._half_open_at, now + min(seconds, limit))
        self._refused_until = now + seconds
        self._is_open = self._is_probing = False
        self.closings += 1

    def open(self, closings: int) -> None:
        """Open the gate after an answer, unless it was closed again since `closings` was read."""
        if closings == self.closings:
            self._is_open = True
            self.refusal = None


@lru_cache(maxsize=256)
def gate_of(_base_url: str, _model: str, _account: str) -> Gate:
    """Return the process-wide gate of all callers that share a quota."""
    return Gate()
