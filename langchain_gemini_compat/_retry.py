"""Failures of one call to further tries: the only retry layer, shared by sync and async.

Its one rule: a call is tried again only where that may help and the caller has been given nothing yet.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from copy import copy
from typing import TYPE_CHECKING

from langchain_gemini_compat._api_errors import APIStatusError, RateLimitError, UnusableReplyError

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

    from langchain_gemini_compat._base_errors import GeminiCompatError
    from langchain_gemini_compat._gate import Gate
    from langchain_gemini_compat._timeouts import TimeLimits

#: Forked workers would share the seed of an ordinary generator, and their jitter with it.
_random = random.SystemRandom()
_log = logging.getLogger("langchain_gemini_compat")
#: Seconds of the first wait where the server names none, and of the longest; each wait is twice the one before.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0


class Tries:
    """The tries of one call.

    `wait` (or `await_turn`), try, then `hand_out` what came, or `may_try_again` with the error; raise it when that
    says no.
    """

    def __init__(self, max_retries: int, limits: TimeLimits, gate: Gate) -> None:
        self._left = max(0, max_retries)
        # Who wants no retries wants no waiting either.
        self._patient = max_retries > 0
        self._budget = limits.retry_wait
        self._gate = gate
        self._closings = gate.closings
        self._resume_at = 0.0
        self._first_byte = math.inf if limits.first_byte is None else limits.first_byte
        self._token_renewed = False
        #: When the first chunk, or the whole reply, of the request that was sent last is due.
        self.first_by = math.inf
        #: When the call has to be over. Both by the monotonic clock.
        self.deadline = None if limits.total is None else time.monotonic() + limits.total
        self._handed_out = False
        self.retries = 0
        self.waited = 0.0
        #: Tokens of replies that were thrown away.
        self.discarded: UsageMetadata | None = None

    def wait(self) -> None:
        """Sleep until the next try may go."""
        while seconds := self._delay():
            time.sleep(seconds)

    async def await_turn(self) -> None:
        """`wait`, async."""
        while True:
            seconds = self._delay()
            if not seconds:
                return
            await asyncio.sleep(seconds)

    def note_sending(self) -> None:
        """A request goes out now."""
        self.first_by = time.monotonic() + self._first_byte

    def may_renew_token(self) -> bool:
        """Whether a refused token may be replaced, which is no try: once in a call."""
        may, self._token_renewed = not self._token_renewed, True
        return may

    def hand_out(self) -> None:
        """The caller is given something: the server took the request, and it is not sent again."""
        if not self._handed_out:
            self._handed_out = True
            self._gate.open(self._closings)

    def may_try_again(self, error: GeminiCompatError) -> bool:
        """Whether to try again after `error`; what it cost is counted either way."""
        seconds = self._back_off(error)
        self._inform_gate(error, seconds)
        if isinstance(error, UnusableReplyError) and error.reply is not None:
            # It counts what was thrown away before it, as every reply does.
            self.discarded = error.reply.usage_metadata
        error.tries = self.retries + 1
        if self._handed_out or not error.is_retryable or not self._left or not self._fits(seconds):
            return False
        self._left -= 1
        self.retries += 1
        self._resume_at = time.monotonic() + seconds
        _log.info("Try %d failed (%s). Next one in %.1f s.", self.retries, type(error).__name__, seconds)
        return True

    def _delay(self) -> float:
        """Seconds to sleep before asking again whether to go."""
        seconds = self._resume_at - time.monotonic()
        if seconds <= 0:
            seconds = self._gate.delay() if self._patient else 0.0
            # A closed gate costs no try.
            seconds = _add_jitter(seconds) if seconds and self._can_wait(seconds) else 0.0
        if seconds:
            self.waited += seconds
        else:
            self._closings = self._gate.closings
        return seconds

    def _can_wait(self, seconds: float) -> bool:
        """Who cannot wait that long asks the server; most get the refusal of the one who asked just now."""
        if self._fits(seconds):
            return True
        refusal = self._gate.refusal
        if refusal is None or self._gate.may_probe():
            return False
        again = copy(refusal)
        again.tries, again.retry_after = self.retries, seconds
        raise again

    def _fits(self, seconds: float) -> bool:
        in_time = self.deadline is None or time.monotonic() + seconds < self.deadline
        return in_time and self.waited + seconds <= self._budget

    def _inform_gate(self, error: GeminiCompatError, seconds: float) -> None:
        """A spent daily quota says nothing about the next minute."""
        if isinstance(error, RateLimitError):
            if error.is_retryable:
                self._gate.close(seconds, error)
        elif isinstance(error, (APIStatusError, UnusableReplyError)):
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
