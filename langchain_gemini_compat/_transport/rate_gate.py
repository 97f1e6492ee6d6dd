"""Rate gate: a circuit breaker that all callers of one quota share.

After a 429, the gate blocks calls for as long as the server asked. Then it lets one probe request per second through.
When the server answers a probe with anything but a 429, the gate lets all calls pass again.

The gate does not use a lock, so it cannot block a thread, an event loop or a forked process. The worst result of a race
is a second probe.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._errors.api import Refusal

#: Seconds between two probes. If the server refuses a probe, its answer usually arrives within this time. The answer to
#: a probe that succeeds may take longer.
_PROBE_SECONDS = 1.0
#: While a probe is under way, a waiting caller checks at this interval, in seconds, whether the probe was answered.
_LOOK_SECONDS = 0.1


class Gate:
    """The state of one circuit breaker.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_blocking = False
        self._is_probing = False
        self._half_open_at = 0.0
        self._refused_until = 0.0
        self._probed_at = -_PROBE_SECONDS
        #: The last error with status 429, or `None` while the gate lets calls pass.
        self.refusal: Refusal | None = None
        #: How often `block` was called. `release` ignores the answer to a request that was sent before the last call of
        #: `block`.
        self.blocks = 0

    def try_enter(self) -> float:
        """Return 0 if the caller may send its request now, else the seconds until it should ask again.

        After the wait that the server asked for, only one caller per second gets 0. The request of this caller is the
        probe.
        """
        if not self._is_blocking:
            return 0.0
        now = self._clock()
        if now < self._half_open_at:
            left = self._half_open_at - now
            return min(left, _LOOK_SECONDS) if self._is_probing else left
        self._half_open_at, self._is_probing = now + _PROBE_SECONDS, True
        return 0.0

    def try_probe(self) -> bool:
        """Allow one probe per second for callers that cannot wait. Return whether this caller may send the probe."""
        now = self._clock()
        if now < self._probed_at + _PROBE_SECONDS:
            return False
        self._probed_at = now
        return True

    def is_half_open(self) -> bool:
        """Return whether the wait is over, but no probe is answered yet.

        In this state, the gate lets one probe per second through and blocks other calls.
        """
        return self._is_blocking and (self._is_probing or self._clock() >= self._half_open_at)

    def refused_for(self) -> float:
        """Return how many seconds are left of the wait that the server asked for; 0 while the gate does not block.

        The gate may block for a shorter time than the server asked for (see the argument `limit` of `block`).
        """
        return max(0.0, self._refused_until - self._clock()) if self._is_blocking else 0.0

    def block(self, seconds: float, refusal: Refusal | None = None, *, limit: float = float("inf")) -> None:
        """Block all calls as long as the server asked to wait.

        Args:
            seconds: The wait in seconds.
            refusal: The error with status 429. Callers that cannot wait raise a copy of this error.
            limit: Maximum number of seconds to block. Pass the longest wait that the refused caller accepts. Without a
                limit, a wrong number from the server could block all callers for hours.
        """
        now = self._clock()
        self.refusal = refusal
        self._half_open_at = max(self._half_open_at, now + min(seconds, limit))
        self._refused_until = now + seconds
        self._is_blocking, self._is_probing = True, False
        self.blocks += 1

    def release(self, blocks: int) -> None:
        """Let calls pass again after an answer.

        `blocks` is the value of the attribute `blocks` when the answered request was sent. If the attribute has changed
        since then, a 429 has come, and the gate continues to block.
        """
        if blocks == self.blocks:
            self._is_blocking = False
            self.refusal = None


@lru_cache(maxsize=256)
def gate_of(_base_url: str, _model: str, _account: str) -> Gate:
    """Return the gate that all callers of this process with the same endpoint, model and account share."""
    return Gate()
