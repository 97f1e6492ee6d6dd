"""Retries of one call, shared by sync and async.

A call is tried again only where that may help and the caller has been given nothing yet.
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

#: Forked workers would share the seed of an ordinary generator, and their jitter with it.
_random = random.SystemRandom()
_log = logging.getLogger("langchain_gemini_compat")
#: Seconds of the first wait where the server names none, and of the longest; each wait is twice the one before.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
#: The longest single sleep in seconds, since the system's clocks overflow at large numbers. Longer waits are split.
_LONGEST_SLEEP = 3600.0


class Tries:
    """The tries of one call.

    Call `wait` (or `await_turn`) and send the request. Then call `mark_delivered`, or call `record_failure` with the
    error and raise it if that returns `None`.
    """

    def __init__(self, max_retries: int, limits: TimeLimits, gate: Gate) -> None:
        self._left = max(0, max_retries)
        # With `max_retries=0` the rate gate is skipped.
        self._uses_gate = max_retries > 0
        self._budget = limits.retry_wait
        #: The longest wait of a call with these limits.
        self._patience = min(limits.retry_wait, math.inf if limits.total is None else limits.total)
        self._gate = gate
        self._closings = gate.closings
        self._resume_at = 0.0
        self._first_byte = math.inf if limits.first_byte is None else limits.first_byte
        self._token_renewed = False
        #: Seconds that all tries together wait for tokens. By default unlimited: a limit costs a thread for callables.
        self._token_budget = math.inf if self._first_byte >= (TimeLimits().first_byte or 0.0) else self._first_byte
        #: When the first chunk, or the whole reply, of the request that was sent last is due.
        self.first_by = math.inf
        #: When the call has to be over. Both by the monotonic clock.
        self.deadline = None if limits.total is None else time.monotonic() + limits.total
        self._delivered = False
        self.retries = 0
        self.waited = 0.0
        #: Tokens of replies that were thrown away.
        self.discarded: UsageMetadata | None = None

    def wait(self) -> None:
        """Sleep until the next try may go."""
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
        """A request goes out now."""
        self.first_by = time.monotonic() + self._first_byte

    @contextmanager
    def waiting_for_token(self) -> Generator[float | None]:
        """Yield the deadline for a token. A failed wait counts for all tries, since the token server may hang."""
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
        """Record that the caller was given a part of the reply. From here on the request is not sent again."""
        if not self._delivered:
            self._delivered = True
            self._gate.open(self._closings)

    def record_failure(self, error: GeminiCompatError) -> float | None:
        """Count a failed try. Return the seconds until the next one, or `None` if `error` must be raised."""
        seconds = self._back_off(error)
        self._inform_gate(error, seconds)
        if isinstance(error, UnusableReplyError) and error.reply is not None:
            # It counts what was thrown away before it, as every reply does.
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
        """Return 0 if the next try may start now, else the seconds to sleep before asking again.

        Raises the last refusal if that wait is too long for this call. Waiting at a closed gate costs no try.
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
        gate, refusal = self._gate, self._gate.refusal
        named = gate.refused_for()
        # If the call cannot wait as long as the server named, waiting for the gate alone is of no use.
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
        """Close the gate after a 429. A spent daily quota says nothing about the next minute."""
        if isinstance(error, RateLimitError):
            if error.is_retryable:
                # An error that the caller's own client rebuilt from its arguments has no response.
                refusal = Refusal.of(error) if hasattr(error, "response") else None
                self._gate.close(seconds, refusal, limit=self._patience)
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
    """Later by up to a tenth, and never earlier: the server has named a minimum."""
    return seconds + _random.uniform(0.0, 0.1) * min(seconds, 10.0)
