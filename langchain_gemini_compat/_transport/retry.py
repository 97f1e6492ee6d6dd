"""Decides whether and when to retry a call, for blocking and async callers.

A call is retried only if another try may succeed, and only before the caller has received a part of the reply.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_gemini_compat._errors.pending import are_classes_imported, import_seconds
from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._transport.reply_headers import read_headers
from langchain_gemini_compat._transport.timeouts import TimeLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import httpx2
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.rate_limiters import BaseRateLimiter

    from langchain_gemini_compat._errors import api as errors
    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._transport.rate_gate import Gate
else:
    # `_errors.api` imports openai, which is slow. So `_errors.api` is imported when it is first used.
    errors = LazyModule("langchain_gemini_compat._errors.api")

#: The generator of random waits. It uses the system's entropy, because forked workers would share the seed of an
#: ordinary generator, and would all wait equally long.
_random = random.SystemRandom()
_log = logging.getLogger("langchain_gemini_compat")
#: First and maximum wait of the exponential backoff in seconds. The backoff applies if the server asks for no wait.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
#: Maximum seconds of one sleep, since a longer sleep may overflow the system's clock. Longer waits are split.
_LONGEST_SLEEP = 3600.0


class Tries:
    """The retry state of one call.

    Call `wait` or `await_turn`, then send the request. On success, call `mark_delivered`. On an error, call
    `record_failure`. If `record_failure` returns `None`, raise the error.

    Args:
        max_retries: Maximum number of retries after the first try. With 0 the rate gate is skipped.
        limits: The time limits of the call.
        gate: The rate gate of the quota.
        keeps_headers: Whether to keep the headers of the last response in `headers`.
        request_headers: Headers of the requests of this call only.
        sleeps: Whether to wait before a retry. With `False` the waits are only counted, and the rate gate and the rate
            limiter are skipped.
        rate_limiter: The rate limiter of the model. LangChain asks the rate limiter before the first try. This class
            asks the rate limiter before each retry.
    """

    def __init__(
        self,
        max_retries: int,
        limits: TimeLimits,
        gate: Gate,
        *,
        keeps_headers: bool = False,
        request_headers: Mapping[str, str] | None = None,
        sleeps: bool = True,
        rate_limiter: BaseRateLimiter | None = None,
    ) -> None:
        self.request_headers = request_headers or {}
        self._left = max(0, max_retries)
        self._uses_gate = max_retries > 0 and sleeps
        self._sleeps = sleeps
        self._rate_limiter = rate_limiter if sleeps else None
        self._budget = limits.retry_wait
        #: The longest wait before a retry that the limits of this call allow, in seconds.
        self._longest_wait = min(limits.retry_wait, math.inf if limits.total is None else limits.total)
        self._gate = gate
        self._blocks = gate.blocks
        self._resume_at = 0.0
        self._first_byte = math.inf if limits.first_byte is None else limits.first_byte
        self._token_renewed = False
        #: Maximum seconds that all tries together wait for bearer tokens: `first_byte`, if it is below its default.
        #: Otherwise, there is no maximum, because a token source needs a thread to enforce a maximum.
        self._token_budget = math.inf if self._first_byte >= (TimeLimits().first_byte or 0.0) else self._first_byte
        #: Time by which the first chunk or the whole reply of this try must arrive, in seconds of the monotonic clock.
        self.first_by = math.inf
        #: Time by which the call must end, in seconds of the monotonic clock; `None` for no limit.
        self.deadline = None if limits.total is None else time.monotonic() + limits.total
        self._import_seconds = import_seconds()
        self._delivered = False
        #: Called once, when the caller receives the first part of the reply.
        self.on_delivered: Callable[[], None] | None = None
        self.retries = 0
        self.waited = 0.0
        #: Token usage of the replies that were discarded.
        self.discarded: UsageMetadata | None = None
        self._keeps_headers = keeps_headers
        #: Headers of the last response, without cookies and credentials.
        self.headers: dict[str, str] = {}

    def wait(self) -> None:
        """Sleep until the next try may start. Raise the last 429 if the wait exceeds the limits of this call."""
        while seconds := self._delay_left():
            time.sleep(min(seconds, _LONGEST_SLEEP))
        if self._rate_limiter and self.retries:
            with self._extending_deadline():
                self._rate_limiter.acquire(blocking=True)
        while seconds := self._try_start():
            time.sleep(min(seconds, _LONGEST_SLEEP))

    async def await_turn(self) -> None:
        """Async version of `wait`."""
        await _sleep_while(self._delay_left)
        if self._rate_limiter and self.retries:
            with self._extending_deadline():
                await self._rate_limiter.aacquire(blocking=True)
        await _sleep_while(self._try_start)

    def note_sending(self) -> None:
        """Start the time limit for the first chunk. Call this when a request is sent."""
        self.first_by = time.monotonic() + self._first_byte

    @contextmanager
    def waiting_for_token(self) -> Generator[float | None]:
        """Yield the time at which the wait for a bearer token must end, by the monotonic clock; `None` for no limit.

        The time of a failed wait is subtracted from the time that later tries may wait for a token.
        """
        start = time.monotonic()
        imported = import_seconds()
        end = min(start + self._token_budget, math.inf if self.deadline is None else self.deadline)
        try:
            yield None if end == math.inf else end
        except BaseException:
            spent = time.monotonic() - start - (import_seconds() - imported)
            self._token_budget = max(0.0, self._token_budget - spent)
            raise

    def note_response(self, response: httpx2.Response) -> None:
        """Record the headers of the response to a try, if this call keeps headers."""
        if self._keeps_headers:
            self.headers = read_headers(response)

    def try_renew_token(self) -> bool:
        """Return whether a refused token may be replaced.

        Each call may replace its token once. The replacement does not count as a retry.
        """
        is_first, self._token_renewed = not self._token_renewed, True
        return is_first

    def mark_delivered(self) -> None:
        """Record that the caller received a part of the reply. After this, the request is not sent again."""
        if not self._delivered:
            self._delivered = True
            self._gate.release(self._blocks)
            if self.on_delivered:
                self.on_delivered()

    def record_failure(self, error: GeminiCompatError) -> float | None:
        """Count a failed try. Return the seconds until the next try, or `None` if the caller must raise `error`."""
        if self.deadline is not None:
            self.deadline += self._seconds_of_import()
        seconds = self._back_off(error)
        # If the classes for errors of servers are not imported yet, no server has caused `error`. Then skip these
        # steps, because they would import the classes.
        if are_classes_imported():
            if self._sleeps:
                self._inform_gate(error, seconds)
            if isinstance(error, errors.UnusableReplyError) and error.reply is not None:
                # The usage of this reply contains the tokens of all replies that were discarded before. So it replaces
                # the old value instead of being added to it.
                self.discarded = error.reply.usage_metadata
        error.tries = self.retries + 1
        if self._delivered or not error.is_retryable or not self._left or not self._fits(seconds):
            return None
        self._left -= 1
        self.retries += 1
        if self._sleeps:
            self._resume_at = time.monotonic() + seconds
        else:
            self.waited += seconds
        _log.info("Try %d failed (%s). Next one in %.1f s.", self.retries, type(error).__name__, seconds)
        return seconds

    def try_at_once(self) -> bool:
        """Count another try that starts without a wait. Return `False` if the call's limits do not allow this try."""
        if self._delivered or not self._left or not self._fits(0.0):
            return False
        self._left -= 1
        self.retries += 1
        _log.info("Try %d was refused. The next one starts at once, with a changed request.", self.retries)
        return True

    def _seconds_of_import(self) -> float:
        """Return the time that the import of openai took since the last call of this method, in seconds."""
        seconds, self._import_seconds = import_seconds() - self._import_seconds, import_seconds()
        return seconds

    @contextmanager
    def _extending_deadline(self) -> Generator[None]:
        """Extend the time limit of the call by the time that the `with` block waits for the rate limiter.

        No wait for the rate limiter counts toward the time limit. For the first try, LangChain waits before the limit
        starts.
        """
        start = time.monotonic()
        yield
        if self.deadline is not None:
            self.deadline += time.monotonic() - start

    def _delay_left(self) -> float:
        """Return the remaining seconds of the delay before a retry, and count the next sleep in `waited`."""
        seconds = max(0.0, self._resume_at - time.monotonic())
        self.waited += min(seconds, _LONGEST_SLEEP)
        return seconds

    def _try_start(self) -> float:
        """Return 0 if the next try may start now, else the seconds to sleep before calling this again.

        Raise the last 429 if the wait exceeds the limits of this call.
        """
        seconds = self._try_gate() if self._uses_gate else 0.0
        if seconds:
            self.waited += min(seconds, _LONGEST_SLEEP)
        else:
            self._blocks = self._gate.blocks
        return seconds

    def _try_gate(self) -> float:
        """Return 0 if the rate gate lets the try pass, else the seconds to wait.

        If the limits of this call do not allow the wait, ask the gate to let the try pass as a probe. If the gate
        refuses, raise the last 429.
        """
        gate, refusal = self._gate, self._gate.refusal
        named = gate.refused_for()
        # `named` is the rest of the wait that the server asked for. The gate may open earlier, but a call that cannot
        # wait `named` seconds does not wait for the gate: it is sent as a probe, or raises the 429.
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
        """Tell the gate to block calls after a 429, and to let calls pass after any other answer of the server.

        A spent daily quota does not change the gate.
        """
        if isinstance(error, errors.RateLimitError):
            if error.is_retryable:
                # If the caller's own HTTP client has rebuilt the error from its arguments, it has no attribute
                # `response`.
                refusal = errors.Refusal.of(error) if hasattr(error, "response") else None
                self._gate.block(seconds, refusal, limit=self._longest_wait)
        elif isinstance(error, (errors.APIStatusError, errors.UnusableReplyError)):
            # An answer with any status but 429, even 503, shows that the quota is no longer exceeded.
            self._gate.release(self._blocks)

    def _back_off(self, error: GeminiCompatError) -> float:
        if error.retry_after is not None:
            return _add_jitter(error.retry_after)
        if are_classes_imported() and isinstance(error, errors.UnusableReplyError):
            return 0.0
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**self.retries) * _random.uniform(0.5, 1.0)


async def _sleep_while(seconds_left: Callable[[], float]) -> None:
    while True:
        seconds = seconds_left()
        if not seconds:
            return
        await asyncio.sleep(min(seconds, _LONGEST_SLEEP))


def _add_jitter(seconds: float) -> float:
    """Return `seconds` plus a random time: up to a tenth of `seconds`, at most one second.

    Nothing is subtracted, because the server asked for a wait of at least `seconds`.
    """
    return seconds + _random.uniform(0.0, 0.1) * min(seconds, 10.0)
