"""A rate limiter whose quota is shared by all processes that use the same Redis server.

This module needs the extra `redis`: the packages pyrate-limiter and redis.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import urlsplit

from langchain_core.rate_limiters import BaseRateLimiter

from langchain_gemini_compat.errors import RateLimiterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrate_limiter import Decision, StateStore

__all__ = ["RedisRateLimiter"]

#: Milliseconds that the limiter counts as a minute. They include a reserve of one second, because requests that are
#: sent over 60 seconds can arrive at the server within 59 seconds.
_MINUTE_MS = 61_000
#: Maximum seconds for connecting to Redis, and for each response of Redis. A failed command is tried once more.
_REDIS_SECONDS = 5.0
#: Maximum number of async calls that send a command to Redis at the same time.
_THREADS = 8
#: Maximum random time that a waiting call adds to its sleep if `burst` is 1. It is a fraction of the interval between
#: two turns, and small: with a `burst` of 1, a turn that is not used at once is lost.
_LATE_SHARE = 0.1
_SCHEMES = frozenset({"redis", "rediss", "unix"})
#: The message repeats no part of the URL, because any part may belong to the password.
_WRONG_URL = (
    "`url` is not a URL of Redis. It has to start with `redis://`, `rediss://` or `unix://`, and its port has to be a "
    'number. Special characters of the password have to be percent-encoded: `urllib.parse.quote(password, safe="")`.'
)
#: Random numbers come from the operating system. Forked workers would inherit the state of an ordinary generator, and
#: would all sleep for the same times.
_random = random.SystemRandom()


class _Bucket(Protocol):
    """Counts the turns. A turn is the permission to send one request."""

    def take(self) -> float:
        """Take a turn and return 0. If no turn is free, return the seconds until the next turn."""
        ...


@dataclass(frozen=True)
class _Settings:
    """The arguments of a limiter."""

    #: The URL may contain a password, so `repr` omits it.
    url: str = field(repr=False)
    requests_per_minute: int
    name: str
    burst: int
    timeout: float | None


class RedisRateLimiter(BaseRateLimiter):
    """Rate limiter for LangChain models that shares one quota among processes and machines, through Redis.

    All limiters with the same Redis server and `name` share a quota. Pass the limiter as `rate_limiter` to the models.
    LangChain asks the limiter before each call, and the model asks before each retry. A turn is the permission to send
    one request. Turns are spread evenly over the minute.

    In any 60 seconds, at most `requests_per_minute` requests start. To ensure this, the limiter counts 61 seconds as a
    minute and reserves `burst` - 1 requests per minute for a burst. So with 300 requests per minute and the default
    burst, 291 requests per minute start.

    Waiting calls do not get turns in the order of arrival. A waiting call asks Redis a few times a second. The limiter
    uses the clock of Redis, so the clocks of the machines may differ. The limiter can be pickled and used after `fork`.

    Args:
        url: URL of the Redis server, such as `redis://localhost:6379/0`, or `rediss://` for TLS.
        requests_per_minute: The quota, 1 or more. Use the same value in all processes.
        name: Name of the quota, and the key in Redis. Use one name for each project and model. Default:
            `gemini_compat:rate_limit`.
        burst: Maximum number of requests that start at once after a pause. Default: `None`, which means the requests of
            one second, at least 1.
        timeout: Maximum seconds that a call waits for its turn. `None` means no limit. Default: 600.

    Raises:
        ImportError: If the extra `redis` is not installed.
        ValueError: If `url` is not a URL of Redis, or a number is out of range. In a URL, special characters of the
            password are percent-encoded: `urllib.parse.quote(password, safe="")`.

    Examples:
        ```python
        limiter = RedisRateLimiter("redis://localhost:6379/0", requests_per_minute=300)
        model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="...", rate_limiter=limiter)
        ```
    """

    def __init__(
        self,
        url: str,
        *,
        requests_per_minute: int,
        name: str = "gemini_compat:rate_limit",
        burst: int | None = None,
        timeout: float | None = 600.0,
    ) -> None:
        if requests_per_minute < 1:
            raise ValueError(f"`requests_per_minute` has to be 1 or more, not {requests_per_minute}.")
        burst = max(1, requests_per_minute // 60) if burst is None else burst
        if not 1 <= burst <= requests_per_minute:
            raise ValueError(f"`burst` has to be from 1 to `requests_per_minute`, not {burst}.")
        if timeout is not None and timeout < 0:
            raise ValueError(f"`timeout` has to be 0 or more seconds, or None, not {timeout}.")
        if not _is_redis_url(url):
            raise ValueError(_WRONG_URL)
        self._settings = _Settings(url, requests_per_minute, name, burst, timeout)
        self._bucket: _Bucket = _RedisBucket(self._settings)
        self._threads = _Threads()

    def acquire(self, *, blocking: bool = True) -> bool:
        """Wait for a turn and take it.

        Args:
            blocking: Whether to wait. With `False`, the method takes a turn only if one is free now.

        Returns:
            Whether a turn was taken. With `blocking=True` always `True`.

        Raises:
            RateLimiterError: If Redis does not answer, or no turn is free within `timeout`.
        """
        pauses = _Pauses(self._settings)
        while seconds := self._bucket.take():
            if not blocking:
                return False
            time.sleep(pauses.next(seconds))
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Async version of `acquire`. It works in any event loop, because threads of the limiter ask Redis.

        Args:
            blocking: Whether to wait. With `False`, the method takes a turn only if one is free now.

        Returns:
            Whether a turn was taken. With `blocking=True` always `True`.

        Raises:
            RateLimiterError: If Redis does not answer, or no turn is free within `timeout`.
        """
        pauses = _Pauses(self._settings)
        while seconds := await self._threads.ask(self._bucket):
            if not blocking:
                return False
            await asyncio.sleep(pauses.next(seconds))
        return True

    def __repr__(self) -> str:
        """Return the arguments, without user name, password and options of the URL."""
        given = self._settings
        return (
            f"{type(self).__name__}({_show_place(given.url)!r}, requests_per_minute={given.requests_per_minute}, "
            f"name={given.name!r}, burst={given.burst}, timeout={given.timeout})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle only the arguments. The copy has its own connections and the same quota."""
        return partial(type(self), **asdict(self._settings)), ()


class _Threads:
    """Calls `take` of a bucket in threads that are used for nothing else.

    If Redis hangs, the event loop's own threads stay free for other work, such as looking up host names. If a call
    fails, the calls that were already waiting for a thread fail with the same error, without waiting for Redis.
    """

    def __init__(self) -> None:
        self._failed_at, self._failure = -math.inf, ""
        self._pid = 0
        self._executor: ThreadPoolExecutor | None = None

    async def ask(self, bucket: _Bucket) -> float:
        """Call `bucket.take` in a thread, and return its result."""
        context, now = copy_context(), time.monotonic()
        return await asyncio.wrap_future(self._start().submit(lambda: context.run(self._take, bucket, now)))

    def _start(self) -> ThreadPoolExecutor:
        """Return the executor of this process. Create a new one after a fork, because a fork does not copy threads."""
        if self._executor is None or self._pid != os.getpid():
            self._pid, self._executor = os.getpid(), ThreadPoolExecutor(_THREADS, "redis-rate-limiter")
        return self._executor

    def _take(self, bucket: _Bucket, asked_at: float) -> float:
        if self._failed_at > asked_at:
            raise RateLimiterError(self._failure)
        try:
            return bucket.take()
        except RateLimiterError as err:
            self._failure, self._failed_at = str(err), time.monotonic()
            raise


class _Pauses:
    """Computes how long a waiting call sleeps between two attempts to get a turn from the limiter."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings
        self._end = math.inf if settings.timeout is None else time.monotonic() + settings.timeout

    def next(self, seconds: float) -> float:
        """Return how long to sleep if the next turn is free in `seconds`. Raise an error after the limiter's `timeout`.

        Redis names the same time to all waiting calls. So that they do not all ask Redis at once, each call adds a
        random time to its sleep.

        If a call sleeps too long, a turn may be lost. But the limiter keeps up to `burst` unused turns, so a call may
        be late by the time in which `burst` - 1 turns become free. The random time is at most half of this time,
        because a slow machine may delay the call further. For a `burst` of 1, see `_LATE_SHARE`.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            given = self._settings
            raise RateLimiterError(
                f"No turn was free within {given.timeout:g} s at the shared limit of {given.requests_per_minute} "
                f"requests per minute (`{given.name}`). Too many calls wait for a turn. Use fewer workers, a longer "
                "`timeout` of the limiter, or a higher quota."
            )
        turns = max(_LATE_SHARE, (self._settings.burst - 1) / 2)
        spread = turns * _seconds_per_turn(self._settings)
        return min(seconds + _random.uniform(0.0, spread), left)


class _SharedBucket:
    """Counts the turns in a store of pyrate-limiter, by the generic cell rate algorithm.

    The store contains one number, and checks and changes it in one atomic step.

    Args:
        settings: The arguments of the limiter.
        store: The store that contains the number.
        now_ms: Returns the time in milliseconds.
    """

    def __init__(self, settings: _Settings, store: StateStore, now_ms: Callable[[], int]) -> None:
        from pyrate_limiter import GCRA, Rate

        self._algorithm = GCRA()
        self._rates = [Rate(_turns_per_minute(settings), _MINUTE_MS, settings.burst)]
        self._store, self._now_ms = store, now_ms

    def take(self) -> float:
        decision = cast("Decision", self._store.check(self._algorithm, self._rates, self._now_ms(), 1))
        return 0.0 if decision.allowed else (decision.retry_after_ms or 1) / 1000


class _RedisBucket:
    """Counts the turns of the limiter in Redis, by the clock of Redis.

    It can be used after a fork, because the Redis client then opens new connections.
    """

    def __init__(self, settings: _Settings) -> None:
        try:
            import redis
            from pyrate_limiter import RedisStateStore
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ModuleNotFoundError as err:
            raise ImportError(
                "`RedisRateLimiter` needs the packages pyrate-limiter and redis. At least one is missing. Run `pip "
                "install 'langchain-gemini-compat[redis]'`."
            ) from err
        self._place = _show_place(settings.url)
        self._error = redis.RedisError
        self._client = redis.Redis.from_url(
            settings.url,
            socket_connect_timeout=_REDIS_SECONDS,
            socket_timeout=_REDIS_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self._bucket = _SharedBucket(settings, RedisStateStore(self._client, settings.name), self._now_ms)

    def take(self) -> float:
        try:
            return self._bucket.take()
        except self._error as err:
            raise RateLimiterError(
                f"The rate limiter got no turn from Redis at {self._place} ({type(err).__name__}: {err}). No request "
                "was sent. Check that Redis runs and is reachable. Without Redis, the quota cannot be shared."
            ) from err

    def _now_ms(self) -> int:
        seconds, microseconds = self._client.time()
        return seconds * 1000 + microseconds // 1000


def _turns_per_minute(settings: _Settings) -> int:
    """Return how many turns become free per minute.

    In the minute after a pause, `burst` - 1 more requests can start. They are subtracted here, so that no minute has
    more than `requests_per_minute` requests.
    """
    return settings.requests_per_minute - settings.burst + 1


def _seconds_per_turn(settings: _Settings) -> float:
    return _MINUTE_MS / 1000 / _turns_per_minute(settings)


def _is_redis_url(url: str) -> bool:
    """Return whether `url` is a URL of Redis whose parts are unambiguous.

    If a password contains `/`, `?` or `#` unescaped, a URL parser reads the rest of the password as a path, query or
    fragment.

    >>> [_is_redis_url(f"redis://:{password}@example.com:6379/0") for password in ("a%2Fb", "a/b")]
    [True, False]
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and not parts.fragment and "@" not in parts.path + parts.query


def _show_place(url: str) -> str:
    """Return the URL without user name, password and options.

    >>> _show_place("rediss://user:secret@example.com:6379/0?password=secret")
    'rediss://example.com:6379/0'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
