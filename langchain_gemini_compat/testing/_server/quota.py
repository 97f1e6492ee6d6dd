"""The quota of requests per minute of the fake endpoint."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE = 60.0


class MinuteQuota:
    """Counts the requests of the last 60 seconds for each model. Refused requests do not count.

    Google does not document how it measures a minute. The fake uses the strictest interpretation: any 60 seconds.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accepted: defaultdict[str, deque[float]] = defaultdict(deque)

    def take(self, model: str, limit: int) -> Fault | None:
        """Count a request for `model`. If the last 60 seconds have `limit` requests, return a 429 instead."""
        with self._lock:
            now, accepted = self._clock(), self._accepted[model]
            while accepted and accepted[0] <= now - _MINUTE:
                accepted.popleft()
            if len(accepted) < limit:
                accepted.append(now)
                return None
            return Fault.rate_limit(f"{accepted[0] + _MINUTE - now:.3f}s", limit=limit)
