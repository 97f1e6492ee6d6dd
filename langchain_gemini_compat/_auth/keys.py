"""Gets bearer tokens from API keys and from functions of the caller, and ends the wait for a token at a deadline.

A wait that reaches its deadline raises `RequestTimeoutError`. A sync function of the caller cannot be stopped, so it
continues to run in its thread.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from concurrent.futures import Future, wait
from contextvars import copy_context
from hashlib import sha256
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from langchain_gemini_compat._auth.failures import (
    build_async_callable_error,
    build_error,
    build_timeout_error,
    convert_callable_error,
)
from langchain_gemini_compat._auth.shared_tokens import identify_function
from langchain_gemini_compat._errors.pending import deferring_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from pydantic import SecretStr

    from langchain_gemini_compat._transport.tokens import AuthInfo

_T = TypeVar("_T")


class _KeySource:
    """Base class of the token sources for keys. `project` is `None`, since a key does not name a project."""

    def __init__(self, info: AuthInfo, headers: Mapping[str, str], account: Hashable) -> None:
        self.info = info
        self.account = account
        self._headers = headers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.info.kind}, {self.info.source})"

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def apply(self, token: str) -> Mapping[str, str]:
        return {**self._headers, "authorization": f"Bearer {token}"} if token else self._headers

    def project(self, deadline: float | None = None) -> str | None:
        del deadline
        return None

    async def aproject(self, deadline: float | None = None) -> str | None:
        return self.project(deadline)


class StaticToken(_KeySource):
    """A token source with one fixed key, or without a key."""

    def __init__(self, key: SecretStr | None, info: AuthInfo, headers: Mapping[str, str]) -> None:
        digest = "" if key is None else sha256(key.get_secret_value().encode(errors="replace")).hexdigest()
        super().__init__(info, headers, digest)
        self._key = key

    def token(self, deadline: float | None = None) -> str:
        del deadline
        return "" if self._key is None else _check(self._key.get_secret_value(), self.info.source)

    async def atoken(self, deadline: float | None = None) -> str:
        return self.token(deadline)

    def reject(self, token: str) -> bool:
        del token
        return False


class CallableToken(_KeySource):
    """A token source that calls a sync or async function of the caller for each request."""

    def __init__(
        self, function: Callable[[], str | Awaitable[str]], info: AuthInfo, headers: Mapping[str, str]
    ) -> None:
        super().__init__(info, headers, identify_function(function))
        self._function = function

    def token(self, deadline: float | None = None) -> str:
        answer = run_until(self._call_function, deadline, self.info.source)
        if not inspect.isawaitable(answer):
            return self._check(answer)
        if inspect.iscoroutine(answer):
            answer.close()
        # The caller's async function is not run in a new event loop, because the function may use objects of the
        # caller's loop, such as HTTP sessions.
        raise build_async_callable_error()

    async def atoken(self, deadline: float | None = None) -> str:
        if inspect.iscoroutinefunction(self._function):
            # Calling an async function only builds a coroutine, so the call cannot block the event loop.
            answer = self._call_function()
        else:
            answer = await arun_until(self._call_function, deadline, self.info.source)
        return self._check(await self._await_result(answer, deadline) if inspect.isawaitable(answer) else answer)

    def reject(self, token: str) -> bool:
        del token
        return True

    def _call_function(self) -> str | Awaitable[str]:
        try:
            return self._function()
        except Exception as err:
            error = convert_callable_error(err, self.info.source)
            raise error from error.__cause__

    async def _await_result(self, answer: Awaitable[str], deadline: float | None) -> str:
        try:
            if deadline is None:
                return await answer
            return await await_until(asyncio.ensure_future(answer), deadline, self.info.source)
        except Exception as err:
            error = convert_callable_error(err, self.info.source)
            raise error from error.__cause__

    def _check(self, answer: object) -> str:
        if isinstance(answer, str) and answer.strip():
            return _check(answer, self.info.source)
        got = "an empty string" if isinstance(answer, str) else type(answer).__name__
        raise build_error(f"The callable in {self.info.source} returned {got}. Return the token as a `str`.")


def run_until(call: Callable[[], _T], deadline: float | None, source: str) -> _T:
    """Return the result of `call`. If `deadline` is set, run `call` in a thread, and end the wait at the deadline."""
    return call() if deadline is None else wait_until(start_thread(call, source), deadline, source)


async def arun_until(call: Callable[[], _T], deadline: float | None, source: str) -> _T:
    """Async version of `run_until`. `call` always runs in a thread."""
    if deadline is None:
        return await asyncio.to_thread(call)
    # asyncio's own thread pool is not used, because `asyncio.run` would wait for the thread before it returns.
    return await await_until(asyncio.wrap_future(start_thread(call, source)), deadline, source)


def wait_until(future: Future[_T], deadline: float | None, source: str) -> _T:
    """Return the result of `future` when it is done. Raise `RequestTimeoutError` at the `deadline`."""
    wait([future], _remaining(deadline))
    if not future.done():
        raise build_timeout_error(source)
    return future.result()


async def await_until(future: asyncio.Future[_T], deadline: float | None, source: str) -> _T:
    """Async version of `wait_until`. At the `deadline`, `future` is cancelled."""
    try:
        done, _ = await asyncio.wait([future], timeout=_remaining(deadline))
    finally:
        future.cancel()
    if not done:
        raise build_timeout_error(source)
    return future.result()


def start_thread(call: Callable[[], _T], source: str) -> Future[_T]:
    """Start `call` in a daemon thread and return its future. `source` names the credential in errors."""
    future: Future[_T] = Future()
    # Mark the future as running, so that it cannot be cancelled. Setting the result of a cancelled future would fail.
    future.set_running_or_notify_cancel()
    try:
        Thread(
            target=copy_context().run, args=(_set_outcome, future, call), name="gemini-compat-key", daemon=True
        ).start()
    except RuntimeError as err:
        reason = str(err)
    else:
        return future
    raise build_error(
        f"No token for {source}: {reason}. Likely cause: too many threads are running.", is_retryable=True
    )


def _set_outcome(future: Future[_T], call: Callable[[], _T]) -> None:
    try:
        # Defer errors that need openai. Importing openai takes half a second, and the waiting caller may reach its
        # deadline in this time.
        with deferring_errors():
            future.set_result(call())
    except BaseException as err:  # if the future got no result, the waiting caller would hang
        future.set_exception(err)


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def clean_header(value: object, what: str) -> str:
    """Return `value` without surrounding white space, such as the line break at the end of a file.

    Raise `CredentialsError` for characters that are not allowed in HTTP headers. `what` is the name of the value in the
    message. HTTP libraries also refuse such a value, but their errors quote the secret.
    """
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if isinstance(text, str):
        text = text.strip()
        if text.isascii() and text.isprintable():
            return text
    raise build_error(f"The {what} has characters that are not allowed in HTTP headers. Copy it again.")


def _check(key: str, source: str) -> str:
    return clean_header(key, f"key of {source}")
