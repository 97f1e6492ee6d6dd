"""Decides whether and when to retry a call, for blocking and async callers.

A call is retried only if its error may pass, and only before the caller has received a part of the reply.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_gemini_compat._errors.api import APIStatusError, RateLimitError, Refusal, UnusableReplyError
from langchain_gemini_compat._transport.timeouts import TimeLimits

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_core.messages.ai import UsageMetadata

    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._transport.rate_gate import Gate

#: Reads the system's entropy, since forked workers would share the seed of another generator.
_random = random.SystemRandom()
_log = logging.getLogger("langchain_gemini_compat")
#: Exponential backoff in seconds: the first wait and the longest one. It applies if the server names no wait.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
#: The longest single sleep in seconds, since longer ones may overflow the system's clock. Longer waits are split.
_LONGEST_SLEEP = 3600.0


class Tries:
    """The retry state of one call.

    Call `wait` or `await_turn` and send the request. On success call `mark_delivered`. On an error call
    `record_failure`, and raise the error if that returns `None`.

    Args:
        max_retries: Maximum number of retries after the first try. With 0 the rate gate is skipped.
        limits: The time limits of the call.
        gate: The rate gate of the quota.
    """

    def __init__(self, max_retries: int, limits: TimeLimits, gate: Gate) -> None:
        self._left = max(0, max_retries)
        self._uses_gate = max_retries > 0
        self._budget = limits.retry_wait
        #: The longest wait that such a call accepts, in seconds.
        self._longest_wait = min(limits.retry_wait, math.inf if limits.total is None else limits.total)
        self._gate = gate
        self._closings = gate.closings
        self._resume_at = 0.0
        self._first_byte = math.inf if limits.first_byte is None else limits.first_byte
        self._token_renewed = False
        #: Seconds that all tries together may wait for tokens. Infinite by default, since a limit costs a thread.
        self._token_budget = math.inf if self._first_byte >= (TimeLimits().first_byte or 0.0) else self._first_byte
        #: When the first chunk or the whole reply of the current try is due, by the monotonic clock.
        self.first_by = math.inf
        #: When the call must be over, by the monotonic clock, or `None`.
        self.deadline = None if limits.total is None else time.monotonic() + limits.total
        self._delivered = False
        self.retries = 0
        self.waited = 0.0
        #: Usage of replies that were discarded.
        self.discarded: UsageMetadata | None = None

    def wait(self) -> None:
        """Sleep until the next try may start. Raise the last 429 if that wait is too long for this call."""
        while seconds := self._try_start():
            time.sleep(min(seconds, _LONGEST_SLEEP))

    async def await_turn(self) -> None:
        """`wait`, async."""
        while True:
            seconds = self._try_start()
            if not seconds:
                return
            await asyncio.sleep(min(seconds, _LONGEST_SLEEP))

    def note_sending(self) -> None:
        """Start the clock of the first chunk: a request is sent now."""
        self.first_by = time.monotonic() + self._first_byte

    @contextmanager
    def waiting_for_token(self) -> Generator[float | None]:
        """Yield the deadline for a token, or `None`.

        A failed wait shortens the deadlines of later tries, since the token server may hang.
        """
        start = time.monotonic()
        end = min(start + self._token_budget, math.inf if self.deadline is None else self.deadline)
        try:
            yield None if end == math.inf else end
        except BaseException:
            self._token_budget = max(0.0, self._token_budget - (time.monotonic() - start))
            raise

    def try_renew_token(self) -> bool:
        """Return whether a refused token may be replaced: once in a call. It does not count as a retry."""
        is_first, self._token_renewed = not self._token_renewed, True
        return is_first

    def mark_delivered(self) -> None:
        """Record that the caller received a part of the reply. The request is not sent again after this."""
        if not self._delivered:
            self._delivered = True
            self._gate.open(self._closings)

    def record_failure(self, error: GeminiCompatError) -> float | None:
        """Count a failed try. Return the seconds until the next one, or `None` if `error` must be raised."""
        seconds = self._back_off(error)
        self._inform_gate(error, seconds)
        if isinstance(error, UnusableReplyError) and error.reply is not None:
            # The usage of a reply includes that of the replies that were discarded before it.
            self.discarded = error.reply.usage_metadata
        error.tries = self.retries + 1
        if self._delivered or not error.is_retryable or not self._left or not self._fits(seconds):
            return None
        self._left -= 1
        self.retries += 1
        self._resume_at = time.monotonic() + seconds
        _log.info("Try %d failed (%s). Next one in %.1f s.", self.retries, type(error).__name__, seconds)
        return seconds

    def _try_start(self) -> float:
        """Return 0 if the next try may start now, else the seconds to sleep before the next attempt to start it.

        Raise the last 429 if that wait is too long for this call. Waiting at the rate gate does not count as a try.
        """
        seconds = self._resume_at - time.monotonic()
        if seconds <= 0:
            seconds = self._try_gate() if self._uses_gate else 0.0
        if seconds:
            self.waited += min(seconds, _LONGEST_SLEEP)
        else:
            self._closings = self._gate.closings
        return seconds

    def _try_gate(self) -> float:
        """Return 0 if the rate gate lets the try pass, else the seconds to wait.

        If the wait is too long for this call, one call per second is sent as a probe. The others raise the last 429.
        """
        gate, refusal = self._gate, self._gate.refusal
        named = gate.refused_for()
        # A call that cannot wait as long as the server named does not wait for the gate either.
        seconds = gate.try_enter() if gate.is_half_open() or self._fits(named) else named
        if seconds <= 0:
            return 0.0
        if self._fits(seconds):
            return _add_jitter(seconds)
        if refusal is None or gate.try_probe():
            return 0.0
        raise refusal.build_error(max(seconds, named), self.retries)

    def _fits(self, seconds: float) -> bool:
        in_time = self.deadline is None or time.monotonic() + seconds < self.deadline
        return in_time and self.waited + seconds <= self._budget

    def _inform_gate(self, error: GeminiCompatError, seconds: float) -> None:
        """Close the gate after a 429, or open it after another status. A spent daily quota does neither."""
        if isinstance(error, RateLimitError):
            if error.is_retryable:
                # An error that the caller's own client rebuilt from its arguments has no response.
                refusal = Refusal.of(error) if hasattr(error, "response") else None
                self._gate.close(seconds, refusal, limit=self._longest_wait)
        elif isinstance(error, (APIStatusError, UnusableReplyError)):
            # Any other status, even 503, shows that the quota no longer blocks requests.
            self._gate.open(self._closings)

    def _back_off(self, error: GeminiCompatError) -> float:
        if error.retry_after is not None:
            return _add_jitter(error.retry_after)
        if isinstance(error, UnusableReplyError):
            return 0.0
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**self.retries) * _random.uniform(0.5, 1.0)


def _add_jitter(seconds: float) -> float:
    """Return `seconds` and up to a tenth more. Never less, since the server named a minimum."""
    return seconds + _random.uniform(0.0, 0.1) * min(seconds, 10.0)
