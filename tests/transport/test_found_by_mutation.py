"""Regression tests for lines that mutation testing could change without a test failure."""

import asyncio
import gzip
import pickle
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from langchain_core.rate_limiters import InMemoryRateLimiter
from wire import Wire, completion, http, reply

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import loop_clients
from langchain_gemini_compat._transport import retry as _retry
from langchain_gemini_compat._transport.client import Transport, TransportConfig
from langchain_gemini_compat._transport.http_clients import Clients
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.sse import SseDecoder
from langchain_gemini_compat._transport.timeouts import TimeLimits

GATEWAY = "http://gateway.test/v1"
UNAUTHENTICATED = {"error": {"code": 401, "message": "Who are you?", "status": "UNAUTHENTICATED"}}


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize("waiting", [b'data: {"a": 1}\n', b'data: {"a": ', b'data: {"a": 1}', b"da"])
def test_whole_event_is_not_read_before_the_buffered_data(waiting):
    """`read_event` returns `None` while a part of a line or the data of an event is buffered."""
    decoder = SseDecoder()
    assert list(decoder.feed(waiting)) == []
    assert decoder.read_event(b'data: {"b": 2}\n\n') is None
    assert SseDecoder().read_event(b'data: {"b": 2}\n\n') == {"b": 2}


def test_events_keep_their_order_however_they_are_cut():
    """An event that arrives in two pieces is returned before the next event, which arrives in one piece."""
    decoder = SseDecoder()
    pieces = [b'data: {"a": 1}\n', b'data: {"b": 2}\n\n', b'data: {"c": 3}\n\n']
    found = []
    for piece in pieces:
        value = decoder.read_event(piece)
        found += [value] if value is not None else decoder.feed(piece)
    assert found == [{"a": 1}, {"b": 2}, {"c": 3}]


async def test_cancelled_first_call_leaves_the_client_to_other_calls(monkeypatch):
    """All calls of an event loop wait for the same task that makes the client. A cancelled call does not stop it."""
    begun, go = threading.Event(), threading.Event()
    build = loop_clients.open_async_client

    def build_slowly():
        begun.set()
        assert go.wait(60)
        return build()

    monkeypatch.setattr(loop_clients, "open_async_client", build_slowly)
    clients = Clients(None, None, "a place")
    first, second = (asyncio.create_task(clients.async_client()) for _ in range(2))
    await asyncio.to_thread(begun.wait, 60)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    client = await second
    assert not client.is_closed
    assert await clients.async_client() is client


class Tokens:
    """A source of tokens that records the deadlines."""

    info = SimpleNamespace(kind="callable", source="test")
    account = "test"

    def __init__(self):
        self.deadlines = []

    def token(self, deadline=None):
        self.deadlines.append(deadline)
        return f"token-{len(self.deadlines)}"

    async def atoken(self, deadline=None):
        return self.token(deadline)

    def project(self, deadline=None):
        self.deadlines.append(deadline)
        return "p"

    async def aproject(self, deadline=None):
        return self.project(deadline)

    def reject(self, token):
        return True

    def apply(self, token):
        return {"authorization": f"Bearer {token}"}

    def headers(self):
        return {}


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_each_token_and_project_has_the_deadline_of_the_call(way):
    """The first token, the project and the token after a 401 are all fetched with the deadline of the call."""
    wire, tokens = Wire(reply(UNAUTHENTICATED, 401), completion()), Tokens()
    config = TransportConfig("vertex", "https://x.test/{project}", tokens, TimeLimits(total=50.0), **wire.clients)
    transport = Transport(config)
    tries = transport.begin("m")
    if way == "sync":
        transport.complete({}, tries)
    else:
        await transport.acomplete({}, tries)
    assert len(wire.requests) == 2
    assert tokens.deadlines == [tries.deadline] * 3
    assert tries.deadline is not None


def build_tries(gate, *, retries=2, **limits):
    return Tries(retries, TimeLimits(**limits), gate)


def status_error(kind, status):
    response = http.Response(status, request=http.Request("POST", GATEWAY))
    error = kind("No.", response=response, body=None)
    error.is_retryable = True
    return error


def test_server_error_opens_the_gate_after_a_rate_limit():
    """A 503 shows that the quota is no longer exceeded."""
    clock = Clock()
    gate = Gate(clock)
    gate.block(5.0)
    assert gate.try_enter() > 0
    clock.now += 6.0
    tries = build_tries(gate)
    assert tries._try_start() == 0.0
    assert gate.try_enter() > 0
    assert tries.record_failure(status_error(errors.ServerError, 503)) is not None
    assert gate.try_enter() == 0.0
    assert not gate.is_half_open()


def test_gate_allows_one_probe_per_second():
    """One probe per second passes, both with `try_enter` and with `try_probe`."""
    clock = Clock()
    gate = Gate(clock)
    gate.block(5.0)
    clock.now += 5.0
    assert gate.try_enter() == 0.0
    for seconds, goes in ((0.5, False), (0.49, False), (0.02, True), (0.5, False)):
        clock.now += seconds
        assert (gate.try_enter() == 0.0) is goes
    gate.block(500.0)
    assert gate.try_probe()
    for seconds, goes in ((0.5, False), (0.49, False), (0.02, True), (0.5, False)):
        clock.now += seconds
        assert gate.try_probe() is goes


@pytest.mark.parametrize("limits", [{"retry_wait": 0.5}, {"total": 0.5}])
def test_gate_is_half_open_after_the_longest_wait_of_the_call(limits):
    """A server may ask for a wait of hours by mistake.

    The gate then blocks calls no longer than the longest wait that the caller accepts.
    """
    clock = Clock()
    gate = Gate(clock)
    tries = build_tries(gate, **limits)
    error = status_error(errors.RateLimitError, 429)
    error.retry_after = 39_043.0
    assert tries.record_failure(error) is None
    clock.now += 0.4
    assert not gate.is_half_open()
    clock.now += 0.2
    assert gate.is_half_open()


def test_backoff_is_at_least_half_of_its_step(monkeypatch):
    """The steps are 0.5, 1 and 2 seconds. The wait is between half of the step and the step."""
    asked = []
    monkeypatch.setattr(_retry, "_random", SimpleNamespace(uniform=lambda low, high: asked.append((low, high)) or low))
    tries = build_tries(Gate(), retries=3)
    waits = [tries.record_failure(status_error(errors.ServerError, 503)) for _ in range(3)]
    assert waits == [0.25, 0.5, 1.0]
    assert set(asked) == {(0.5, 1.0)}


async def ask(chat, way):
    """Call the model with the method `way`: `invoke`, `ainvoke`, `stream` or `astream`."""
    if way == "invoke":
        chat.invoke("hi")
    elif way == "ainvoke":
        await chat.ainvoke("hi")
    elif way == "stream":
        list(chat.stream("hi"))
    else:
        _ = [part async for part in chat.astream("hi")]


@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("status", [200, 500])
async def test_reply_that_is_compressed_twice_is_refused(way, status):
    """Each layer of compression may shrink data to a thousandth, so the package accepts only one layer."""
    body = gzip.compress(gzip.compress(b'{"error": {"message": "x"}}'))
    stream = http.ByteStream(body)
    answer = http.Response(status, headers={"content-encoding": "gzip, gzip"}, stream=stream)
    chat = ChatGeminiCompat(model="m", base_url=GATEWAY, max_retries=0, **Wire(answer).clients)
    with pytest.raises(errors.GeminiCompatError) as caught:
        await ask(chat, way)
    assert "gzip, gzip" in str(caught.value) or "Content-Encoding" in str(caught.value)


def test_unpickled_model_keeps_the_source_of_its_key(monkeypatch):
    """The environment variable may not exist where the model is restored."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "environment-key")
    data = pickle.dumps(ChatGeminiCompat(model="gemini-3.8-flash"))
    monkeypatch.delenv("GOOGLE_API_KEY")
    restored = pickle.loads(data)
    assert restored.endpoint_info()["auth"] == {"kind": "api_key", "source": "environment GOOGLE_API_KEY"}
    assert restored.api_key.get_secret_value() == "environment-key"


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=9)), None])
def test_retry_after_in_the_past_is_a_wait_of_zero(zone):
    """Clocks differ, and a negative wait is invalid."""
    then = datetime.now(timezone.utc) - timedelta(hours=1)
    header = format_datetime(then.astimezone(zone) if zone else then.replace(tzinfo=None))
    wire = Wire(reply({"error": {"message": "Busy."}}, 503, {"retry-after": header}))
    chat = ChatGeminiCompat(model="m", base_url=GATEWAY, max_retries=0, **wire.clients)
    with pytest.raises(errors.ServerError) as caught:
        chat.invoke("hi")
    assert caught.value.retry_after == 0.0


@pytest.fixture
def clock(monkeypatch):
    """The clock of `Tries`, which the test moves."""
    moved = Clock()
    monkeypatch.setattr(_retry, "time", SimpleNamespace(monotonic=moved, sleep=moved.sleep))
    return moved


def test_calls_wait_for_a_token_no_longer_than_for_the_first_byte(clock):
    tries = build_tries(Gate(), first_byte=30.0)
    with tries.waiting_for_token() as end:
        assert end == pytest.approx(clock.now + 30)
    for waited, left in ((12, 18), (100, 0), (1, 0)):
        # The limit counts only the waits for a token. These 1,000 seconds pass between two waits, so they must not
        # count.
        clock.now += 1000
        with suppress(errors.CredentialsError), tries.waiting_for_token():
            clock.now += waited
            raise errors.CredentialsError("no token")
        with tries.waiting_for_token() as end:
            assert end == pytest.approx(clock.now + left)


@pytest.mark.parametrize("limits", [{}, {"first_byte": None}, {"first_byte": 900.0}])
def test_wait_for_a_token_has_no_limit_of_its_own_by_default(clock, limits):
    with build_tries(Gate(), **limits).waiting_for_token() as end:
        assert end is None
    with build_tries(Gate(), total=50.0, **limits).waiting_for_token() as end:
        assert end == pytest.approx(clock.now + 50)


def test_changed_request_is_sent_at_once_within_the_limits_of_the_call(clock):
    assert build_tries(Gate(), retries=1).try_at_once()
    assert not build_tries(Gate(), retries=0).try_at_once()
    delivered = build_tries(Gate())
    delivered.mark_delivered()
    assert not delivered.try_at_once()
    late = build_tries(Gate(), total=50.0)
    clock.now += 51
    assert not late.try_at_once()


def test_waits_double_up_to_eight_seconds(monkeypatch):
    """Each wait is random, from half of the maximum to the maximum, so that callers do not retry together."""
    drawn = []
    monkeypatch.setattr(_retry._random, "uniform", lambda least, most: drawn.append((least, most)) or most)
    tries = build_tries(Gate(), retries=7)
    waits = [tries.record_failure(status_error(errors.ServerError, 503)) for _ in range(7)]
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]
    assert drawn == [(0.5, 1.0)] * 7


def test_unusable_reply_is_asked_for_again_at_once():
    """The server is not overloaded, so the next try starts without a wait."""
    error = errors.EmptyReplyError("Nothing.")
    error.is_retryable = True
    tries = build_tries(Gate(), retries=1)
    assert tries.record_failure(error) == 0.0
    assert tries.waited == 0.0


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_wait_for_the_rate_limiter_before_a_retry_does_not_count(clock, way):
    class Limiter(InMemoryRateLimiter):
        def acquire(self, *, blocking=True):
            clock.now += 40
            return blocking

        async def aacquire(self, *, blocking=True):
            return self.acquire(blocking=blocking)

    tries = Tries(2, TimeLimits(total=50.0), Gate(clock), rate_limiter=Limiter())
    for retries in (0, 1):
        tries.retries = retries
        if way == "sync":
            tries.wait()
        else:
            await tries.await_turn()
        assert tries.deadline == pytest.approx(150 + 40 * retries)
