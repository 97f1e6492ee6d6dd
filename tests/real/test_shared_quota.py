"""Tests of four processes that share one quota: with `RedisRateLimiter` and a real Redis, and without a limiter."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import redis
from quota_worker import work
from real_software import debian_program, free_port, running

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.rate_limiters import RedisRateLimiter
from langchain_gemini_compat.testing import FakeGemini

QUOTA, PROCESSES = 300, 4
#: Seconds in which the processes send calls before the measured minute begins.
BEFORE = 5


@contextmanager
def redis_server(folder, port):
    program = debian_program("redis-server")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with running([program, *options], ready=port) as process:
        yield process


@pytest.fixture
def redis_url(tmp_path):
    port = free_port()
    with redis_server(tmp_path, port):
        yield f"redis://127.0.0.1:{port}/0"


class Load:
    """Lets several processes call a fake that has a quota.

    It counts the requests, and the good answers within one minute.
    """

    def __init__(self):
        self.fake = FakeGemini("Hello!", requests_per_minute=QUOTA)
        self.statuses = Counter()
        self.answers_of_minute = 0
        self.begin = self.end = 0.0
        self._respond, self.fake.respond = self.fake.respond, self._count

    def _count(self, *request):
        answer = self._respond(*request)
        self.statuses[answer.status] += 1
        self.answers_of_minute += answer.status == 200 and self.begin <= time.monotonic() < self.end
        return answer

    def run(self, **options):
        context = multiprocessing.get_context("spawn")
        start, results = context.Barrier(PROCESSES + 1), context.SimpleQueue()
        with self.fake.serve() as url:
            model = ChatGeminiCompat(model="gemini-3.8-flash", **self.fake.connection(url), **options)
            arguments = (model, start, BEFORE + 60, results)
            processes = [context.Process(target=work, args=arguments) for _ in range(PROCESSES)]
            for process in processes:
                process.start()
            start.wait(timeout=200)
            self.begin = time.monotonic() + BEFORE
            self.end = self.begin + 60
            counts = [results.get() for _ in processes]
            for process in processes:
                process.join()
        failures = sum(failed for _, failed in counts)
        refused, requests = self.statuses[429], sum(self.statuses.values())
        print(f"{self.answers_of_minute} answers in one minute")
        print(f"in the whole run: {refused} of {requests} requests refused, {failures} calls failed")
        assert self.statuses[200] + refused == requests
        return self.answers_of_minute, refused / requests, failures


@pytest.mark.timeout(400)
def test_four_processes_use_one_quota(redis_url):
    limiter = RedisRateLimiter(redis_url, requests_per_minute=QUOTA)
    answered, refused_share, failures = Load().run(rate_limiter=limiter)
    assert answered >= 0.95 * QUOTA
    assert refused_share <= 0.01
    assert failures == 0


@pytest.mark.timeout(400)
def test_four_processes_without_the_limiter_waste_requests():
    """Without the limiter, each process has to get 429s of its own. The page *Rate limits* shows the comparison."""
    _, refused_share, _ = Load().run()
    assert refused_share > 0.01


def test_names_separate_quotas(redis_url):
    first, second = (RedisRateLimiter(redis_url, requests_per_minute=1, name=name) for name in ("a", "b"))
    assert first.acquire(blocking=False)
    assert not first.acquire(blocking=False)
    assert second.acquire(blocking=False)
    assert not RedisRateLimiter(redis_url, requests_per_minute=1, name="b").acquire(blocking=False)


def test_forked_process_takes_turns_of_the_same_quota(redis_url):
    limiter = RedisRateLimiter(redis_url, requests_per_minute=10, burst=4)
    assert limiter.acquire(blocking=False)
    pid = os.fork()
    if pid == 0:
        taken = [limiter.acquire(blocking=False) for _ in range(2)]
        os._exit(0 if taken == [True, True] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert limiter.acquire(blocking=False)
    assert not limiter.acquire(blocking=False)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_async_calls_of_a_forked_process_take_turns(redis_url):
    """The limiter asks Redis in threads. A fork does not copy threads, so the child process has to start new ones."""
    limiter = RedisRateLimiter(redis_url, requests_per_minute=10, burst=2)
    assert asyncio.run(limiter.aacquire(blocking=False))
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        status = 1
        try:
            taken = [asyncio.run(limiter.aacquire(blocking=False)) for _ in range(2)]
            status = 0 if taken == [True, False] else 1
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


async def test_async_calls_take_turns(redis_url):
    limiter = RedisRateLimiter(redis_url, requests_per_minute=1200, burst=1)
    model = FakeGemini("Hello!").chat_model(rate_limiter=limiter)
    begin = time.monotonic()
    assert [reply.text for reply in await model.abatch(["Hi"] * 10)] == ["Hello!"] * 10
    assert time.monotonic() - begin >= 9 * 61 / 1200 - 0.01


def test_limiter_survives_a_restart_of_redis(tmp_path):
    """While Redis is stopped, calls fail with a typed error.

    After the restart, the limiter loads its script into Redis again.
    """
    port = free_port()
    limiter = RedisRateLimiter(f"redis://127.0.0.1:{port}/0", requests_per_minute=600)
    with redis_server(tmp_path, port):
        assert limiter.acquire()
    with pytest.raises(errors.RateLimiterError, match="Check that Redis runs"):
        limiter.acquire()
    with redis_server(tmp_path, port):
        assert limiter.acquire()


def test_waiting_call_fails_when_redis_goes_away(tmp_path):
    port = free_port()
    limiter = RedisRateLimiter(f"redis://127.0.0.1:{port}/0", requests_per_minute=30)
    with ThreadPoolExecutor(1) as pool:
        with redis_server(tmp_path, port):
            assert limiter.acquire()
            waiting = pool.submit(limiter.acquire)
            time.sleep(0.5)
        with pytest.raises(errors.RateLimiterError):
            waiting.result(timeout=120)


def test_clock_is_that_of_redis(redis_url, monkeypatch):
    """A machine whose clock is an hour ahead gets no turn sooner."""
    limiter = RedisRateLimiter(redis_url, requests_per_minute=1)
    assert limiter.acquire(blocking=False)
    ahead = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: ahead)
    assert not limiter.acquire(blocking=False)


def test_state_in_redis_is_one_number_that_expires(redis_url):
    limiter = RedisRateLimiter(redis_url, requests_per_minute=300, name="state")
    limiter.acquire()
    client = redis.Redis.from_url(redis_url)
    assert client.hlen("state") == 1
    assert 0 < client.pttl("state") <= 2 * 61_000
    client.close()
