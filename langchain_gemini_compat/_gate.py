"""One gate for all callers of one model: closed by a 429, opened by the first caller that gets through again.

Its one rule: while it is not known whether the server takes requests again, one caller a second goes and asks.
Without locks, hence safe across threads, event loops and forks: a race lets a second caller ask, no more.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_gemini_compat._base_errors import GeminiCompatError

#: Seconds that the one who asks is given before the next one goes: refusals come fast, answers need not.
_PROBE_SECONDS = 1.0
#: Seconds after which the others look whether the one was answered.
_LOOK_SECONDS = 0.1


class Gate:
    """When the next request may go, in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens_at = 0.0
        self._proven = True
        self._asking = False
        self._probed_at = -_PROBE_SECONDS
        #: What the server said last when it refused.
        self.refusal: GeminiCompatError | None = None
        #: Counts the closings, so that an answer to an older request does not open what a newer one closed.
        self.closings = 0

    def delay(self) -> float:
        """Seconds to wait before asking again; with 0 the caller goes, and may be the one who asks for all."""
        if self._proven:
            return 0.0
        now = self._clock()
        if now < self._opens_at:
            left = self._opens_at - now
            return min(left, _LOOK_SECONDS) if self._asking else left
        self._opens_at, self._asking = now + _PROBE_SECONDS, True
        return 0.0

    def may_probe(self) -> bool:
        """Whether a caller who cannot wait may ask all the same: one a second, lest the whole crowd does."""
        now = self._clock()
        if now < self._probed_at + _PROBE_SECONDS:
            return False
        self._probed_at = now
        return True

    def close(self, seconds: float, refusal: GeminiCompatError | None = None) -> None:
        """The server refused for `seconds`."""
        self.refusal = refusal
        self._opens_at = max(self._opens_at, self._clock() + seconds)
        self._proven = self._asking = False
        self.closings += 1

    def open(self, closings: int) -> None:
        """A request sent after `closings` closings was answered."""
        if closings == self.closings:
            self._proven = True


@lru_cache(maxsize=256)
def gate_of(_base_url: str, _model: str, _account: str) -> Gate:
    """The gate of this process for those who share a quota."""
    return Gate()
