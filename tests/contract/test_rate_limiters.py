"""`RedisRateLimiter` without Redis, and rate limiters of any kind together with the retries of the package."""

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import quote

import pytest
from langchain_core.rate_limiters import BaseRateLimiter
from pyrate_limiter import InMemoryStateStore

from langchain_gemini_compat import errors, rate_limiters
from langchain_gemini_compat._transport import retry as _retry
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.timeouts import TimeLimits
from langchain_gemini_compat.errors import GeminiCompatWarning
from langchain_gemini_compat.rate_limiters import RedisRateLimiter
from langchain_gemini_compat.testing import FakeGemini, Fault, record, replay

MODES = ["invoke", "ainvoke", "stream", "astream", "v3", "av3"]


def build_limiter(requests_per_minute, *, url="redis://127.0.0.1:1/0", clock=None, **arguments):
    """Return a limiter that counts its turns in this process and not in Redis.

    `clock` is a function that returns the time in seconds.
    """
    limiter = RedisRateLimiter(url, requests_per_minute=requests_per_minute, **arguments)
    now = clock or time.monotonic
    limiter._bucket = rate_limiters._SharedBucket(
        limiter._settings, InMemoryStateStore(), lambda: int(now() * 1000) + 10**12
    )
    return limiter


def take_all(limiter, clock, until):
    """Take each turn as soon as it is free. Return their times."""
    taken = []
    while clock.now < until:
        seconds = limiter._bucket.take()
        if not seconds:
            taken.append(clock.now)
        clock.now += seconds
    return taken


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("burst", [None, 1, 7])
@pytest.mark.parametrize("quota", [7, 60, 300, 700])
def test_no_minute_has_more_turns_than_the_quota(quota, burst):
    clock = Clock()
    taken = take_all(build_limiter(quota, clock=clock, burst=burst), clock, 200)
    for index, first in enumerate(taken[:-quota]):
        assert taken[index + quota] - first >= 60.9, "one more turn than the quota within a minute"
    if burst is None:
        # From the second minute on, at least 95 % of the quota is used.
        assert sum(60 <= at < 180 for at in taken) >= 2 * 0.95 * quota - 1


def test_unused_turns_add_up_to_the_burst():
    clock = Clock()
    limiter = build_limiter(300, clock=clock)
    take_all(limiter, clock, 10)
    clock.now += 3600
    assert [limiter.acquire(blocking=False) for _ in range(6)] == [True] * 5 + [False]


async def test_waiting_call_gets_its_turn():
    limiter = build_limiter(3000, burst=1)  # one call every 20 ms
    start = time.monotonic()
    assert all(limiter.acquire() for _ in range(5))
    assert all([await limiter.aacquire() for _ in range(5)])
    assert time.monotonic() - start >= 9 * 0.02


async def test_wait_longer_than_the_timeout_raises_an_error():
    """LangChain ignores the value that the limiter returns. So only an error stops the call."""
    fake = FakeGemini("never asked")
    limiter = build_limiter(1, timeout=0.05)
    assert limiter.acquire(blocking=False)
    model = fake.chat_model(rate_limiter=limiter)
    with pytest.raises(errors.RateLimiterError, match=r"within 0.05 s at the shared limit of 1 requests per minute"):
        model.invoke("Hi")
    with pytest.raises(errors.RateLimiterError, match="Use fewer workers"):
        await model.ainvoke("Hi")
    assert not fake.requests


def test_pauses_of_waiting_calls_differ_and_keep_the_credit():
    """Calls that wait for the same turn pause for different times, so that they do not all ask at once.

    No pause is so long that a turn would be lost.
    """
    limiter = build_limiter(300)
    pauses = rate_limiters._Pauses(limiter._settings)
    drawn = {pauses.next(0.2) for _ in range(50)}
    assert len(drawn) == 50
    assert min(drawn) >= 0.2
    assert max(drawn) <= 0.2 + 2 * 61 / 296


def test_limiter_can_be_pickled():
    limiter = RedisRateLimiter("redis://user:hidden@127.0.0.1:1/0", requests_per_minute=30, name="n", timeout=None)
    model = FakeGemini().chat_model(rate_limiter=limiter)
    copy = pickle.loads(pickle.dumps(model)).rate_limiter
    assert copy._settings == limiter._settings
    assert copy._bucket is not limiter._bucket
    shown = "RedisRateLimiter('redis://127.0.0.1:1/0', requests_per_minute=30, name='n', burst=1, timeout=None)"
    assert repr(copy) == shown
    assert "hidden" not in repr(model)
    assert "hidden" not in repr(copy._settings)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"requests_per_minute": 0}, "`requests_per_minute` has to be 1 or more, not 0"),
        ({"requests_per_minute": 5, "burst": 6}, "`burst` has to be from 1 to `requests_per_minute`, not 6"),
        ({"requests_per_minute": 5, "burst": 0}, "`burst` has to be from 1"),
        ({"requests_per_minute": 5, "timeout": -1}, "`timeout` has to be 0 or more"),
        ({"requests_per_minute": 5, "url": "http://127.0.0.1"}, "redis://"),
    ],
)
def test_wrong_arguments_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        RedisRateLimiter(**{"url": "redis://127.0.0.1:1", **arguments})


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3c/ret@127.0.0.1:6379/0",
        "redis://:s3c?ret@127.0.0.1:6379/0",
        "redis://:s3c#ret@127.0.0.1:6379/0",
        "redis://s3c:12/ret@127.0.0.1:6379/0",
        "redis://s3c:12?a=ret@127.0.0.1:6379/0",
        "redis://127.0.0.1/0?password=s3c#ret",
        "redis://[:s3cret@127.0.0.1/0",
        "redis://:s3cret\u2100@127.0.0.1/0",
        "redis://127.0.0.1:s3cret/0",
        "s3cret://:s3cret@127.0.0.1",
        "s3cret",
    ],
)
def test_wrong_url_is_not_in_the_error(url):
    with pytest.raises(ValueError, match=r"percent-encoded: `urllib.parse.quote\(password, safe=\"\"\)`") as caught:
        RedisRateLimiter(url, requests_per_minute=1)
    assert caught.value.__context__ is None
    assert not [part for part in ("s3c", "ret@", "#ret") if part in str(caught.value)]


def test_percent_encoded_password_is_sent_and_not_shown():
    secret = "a/b?c#d@e"
    limiter = RedisRateLimiter(f"redis://:{quote(secret, safe='')}@127.0.0.1:1/0", requests_per_minute=1)
    assert limiter._bucket._client.connection_pool.connection_kwargs["password"] == secret
    assert "RedisRateLimiter('redis://127.0.0.1:1/0'," in repr(limiter)


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"langchain-gemini-compat\[redis\]"):
        RedisRateLimiter("redis://127.0.0.1:1", requests_per_minute=1)


def test_import_loads_no_client():
    script = (
        "import sys, langchain_gemini_compat.rate_limiters; print({'redis', 'pyrate_limiter'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


async def test_unreachable_redis_is_an_error():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        limiter = RedisRateLimiter(f"redis://:hidden@127.0.0.1:{port}/0", requests_per_minute=10)
        fake = FakeGemini("never asked")
        model = fake.chat_model(rate_limiter=limiter)
        with pytest.raises(errors.RateLimiterError, match=rf"redis://127.0.0.1:{port}/0 \(ConnectionError") as caught:
            model.invoke("Hi")
        assert "hidden" not in str(caught.value)
        with pytest.raises(errors.GeminiCompatError, match="No request was sent"):
            await model.ainvoke("Hi")
    assert not fake.requests


def test_silent_redis_is_an_error(monkeypatch):
    """If Redis accepts the connection and never answers, the call fails after two tries."""
    monkeypatch.setattr(rate_limiters, "_REDIS_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        limiter = RedisRateLimiter(f"redis://127.0.0.1:{server.getsockname()[1]}", requests_per_minute=10)
        with pytest.raises(errors.RateLimiterError, match="TimeoutError"):
            limiter.acquire()


class GatedBucket:
    """A bucket that waits until `gate` is open, and then returns `answer`, or raises `answer` if it is an exception."""

    def __init__(self, answer=0.0):
        self.gate, self.answer, self.lock, self.asked = threading.Event(), answer, threading.Lock(), 0

    def take(self):
        with self.lock:
            self.asked += 1
        assert self.gate.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_hanging_redis_blocks_no_other_work_and_waiting_calls_fail_together():
    """The limiter asks Redis in threads of its own, so the threads of the event loop stay free.

    After an error, the calls that already wait for a thread get the same error and do not ask Redis.
    """
    limiter = build_limiter(60)
    bucket = limiter._bucket = GatedBucket(errors.RateLimiterError("Redis hangs."))
    calls = [asyncio.create_task(limiter.aacquire()) for _ in range(100)]
    try:
        await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 30) == "free"
    finally:
        bucket.gate.set()
    failed = await asyncio.gather(*calls, return_exceptions=True)
    assert {(type(error), str(error)) for error in failed} == {(errors.RateLimiterError, "Redis hangs.")}
    assert bucket.asked <= rate_limiters._THREADS
    # Redis works again now. The limiter must ask it again instead of repeating the earlier error.
    bucket.answer = 0.0
    assert await limiter.aacquire()


async def test_cancelled_calls_that_wait_for_a_thread_take_no_turn():
    limiter = build_limiter(60)
    bucket = limiter._bucket = GatedBucket()
    calls = [asyncio.create_task(limiter.aacquire()) for _ in range(20)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    bucket.gate.set()
    assert await limiter.aacquire()
    assert bucket.asked <= rate_limiters._THREADS + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="No fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_async_calls_of_a_forked_process_have_threads():
    limiter = build_limiter(600, burst=3)
    assert asyncio.run(limiter.aacquire())
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        status = 1
        try:
            status = 0 if asyncio.run(limiter.aacquire()) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class CountingLimiter(BaseRateLimiter):
    """A rate limiter that counts the turns. Each turn takes `seconds`."""

    def __init__(self, seconds=0.0):
        self.taken, self.seconds, self.lock = 0, seconds, threading.Lock()

    def acquire(self, *, blocking=True):
        time.sleep(self.seconds)
        with self.lock:
            self.taken += 1
        return True

    async def aacquire(self, *, blocking=True):
        return self.acquire()


async def ask(model, mode):
    """Return the text of the answer, in one of the call modes."""
    if mode == "invoke":
        return model.invoke("Hi").text
    if mode == "ainvoke":
        return (await model.ainvoke("Hi")).text
    if mode == "stream":
        return "".join(chunk.text for chunk in model.stream("Hi"))
    if mode == "astream":
        return "".join([chunk.text async for chunk in model.astream("Hi")])
    if mode == "v3":
        return str(model.stream_events("Hi", version="v3").text)
    stream = await model.astream_events("Hi", version="v3")
    return "".join([piece async for piece in stream.text])


@pytest.mark.parametrize("mode", MODES)
async def test_each_request_takes_a_turn(mode, monkeypatch):
    """LangChain takes the turn for the first request of a call. This package takes a turn for each further request."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.005)
    fake = FakeGemini([Fault.overloaded(), Fault.empty_reply(), "Hello!"])
    limiter = CountingLimiter()
    assert await ask(fake.chat_model(rate_limiter=limiter), mode) == "Hello!"
    assert limiter.taken == len(fake.requests) == 3


def test_changed_request_takes_a_turn():
    """If the server refuses an optional part of a request, the second request without it takes a turn, too."""
    fake, limiter = FakeGemini("Hello!"), CountingLimiter()
    model = fake.chat_model(rate_limiter=limiter, extra_body={"presence_penalty": 0.5})
    with pytest.warns(GeminiCompatWarning):
        assert model.invoke("Hi").text == "Hello!"
    assert limiter.taken == len(fake.requests) == 2


async def test_wait_for_a_turn_is_not_part_of_the_time_limit():
    """The time limit starts after the wait for the first turn of the rate limiter. Later waits for a turn extend it."""
    tries = Tries(4, TimeLimits(total=30), Gate(), rate_limiter=CountingLimiter(0.05))
    tries.wait()
    deadline = tries.deadline
    assert tries.try_at_once()
    tries.wait()
    assert tries.deadline >= deadline + 0.05
    deadline = tries.deadline
    assert tries.try_at_once()
    await tries.await_turn()
    assert tries.deadline >= deadline + 0.05
    assert tries.waited == 0


def test_replay_takes_no_turn_for_retries(tmp_path):
    """The recorded answers come at once, so their retries do not wait for the limiter."""
    fake = FakeGemini([Fault.overloaded(), "Hello!"])
    with record(tmp_path / "tape.json"):
        assert fake.chat_model().invoke("Hi").text == "Hello!"
    limiter = CountingLimiter()
    with replay(tmp_path / "tape.json"):
        assert fake.chat_model(rate_limiter=limiter).invoke("Hi").text == "Hello!"
    assert limiter.taken == 1
