"""Leaving a stream or a call closes its connection at once; the server measures the delay."""

import asyncio
import gc
import statistics
import sys
import time
import warnings
from contextlib import aclosing, closing

import pytest
from langchain.agents import create_agent
from langchain_core._api import LangChainBetaWarning
from langchain_core.tools import tool
from transports import both_transports
from watchful_server import start

from langchain_gemini_compat import ChatGeminiCompat

LIMIT = 0.05
#: A check takes at most `ROUNDS` medians of `MEASUREMENTS` measurements, because some measurements are slow on a busy
#: machine. If a connection stays open, all of them are slow.
ROUNDS, MEASUREMENTS = 4, 5
PATIENCE = 0.5
SECONDS_FOR_A_REQUEST = 10


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def build(server, **kwargs):
    return ChatGeminiCompat(model="m", base_url=server.url, api_key="k", **{"max_retries": 0, **kwargs})


def delay_of(server, left_at):
    """Return the seconds from `left_at` until the client closed the connection of the newest request."""
    ended_at = server.requests.get(timeout=SECONDS_FOR_A_REQUEST).hung_up_at(PATIENCE)
    assert server.requests.empty()
    return PATIENCE if ended_at is None else ended_at - left_at


def check(measure):
    """Take medians of measurements until one is below `LIMIT`. Fail if none of `ROUNDS` medians is."""
    medians = []
    while len(medians) < ROUNDS and min(medians, default=PATIENCE) >= LIMIT:
        medians.append(statistics.median(measure() for _ in range(MEASUREMENTS)))
    print("medians, in milliseconds:", [round(1000 * median, 1) for median in medians])
    assert min(medians) < LIMIT


async def acheck(measure):
    medians = []
    while len(medians) < ROUNDS and min(medians, default=PATIENCE) >= LIMIT:
        medians.append(statistics.median([await measure() for _ in range(MEASUREMENTS)]))
    print("medians, in milliseconds:", [round(1000 * median, 1) for median in medians])
    assert min(medians) < LIMIT


async def adelay_of(server, left_at):
    """Async version of `delay_of`. The event loop goes on running while it waits."""
    return await asyncio.to_thread(delay_of, server, left_at)


async def cancel(task):
    """Cancel the task, wait for its end, and return the time of the cancellation."""
    left_at = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return left_at


@pytest.mark.parametrize("behaviour", ["stream", "flood"])
def test_closed_stream_closes_its_connection(behaviour):
    """The stream is closed by `close()` or by `with closing(...)`, while the server is silent or sends."""
    with start(behaviour) as server:
        chat = build(server)

        def measure():
            with closing(chat.stream("hi")) as chunks:
                next(chunks)
                left_at = time.monotonic()
            return delay_of(server, left_at)

        check(measure)


@pytest.mark.parametrize("behaviour", ["stream", "flood"])
def test_stream_left_by_break_closes_its_connection(behaviour):
    """CPython closes the generator when the loop drops its last reference."""
    with start(behaviour) as server:
        chat = build(server)

        def measure():
            for _ in chat.stream("hi"):
                left_at = time.monotonic()
                break
            return delay_of(server, left_at)

        check(measure)


@both_transports
@pytest.mark.parametrize("behaviour", ["stream", "flood"])
async def test_async_stream_left_by_break_closes_its_connection(behaviour):
    """The loop is inside `async with aclosing(...)`, as Python's documentation recommends."""
    with start(behaviour) as server:
        chat = build(server)

        async def measure():
            async with aclosing(chat.astream("hi")) as chunks:
                async for _ in chunks:
                    left_at = time.monotonic()
                    break
            return await adelay_of(server, left_at)

        await acheck(measure)


@both_transports
async def test_async_stream_left_by_break_without_aclosing_closes_its_connection():
    """The event loop closes the generator that CPython has dropped."""
    with start("stream") as server:
        chat = build(server)

        async def measure():
            async for _ in chat.astream("hi"):
                left_at = time.monotonic()
                break
            return await adelay_of(server, left_at)

        await acheck(measure)


@both_transports
@pytest.mark.parametrize("behaviour", ["stream", "flood"])
async def test_cancelled_task_closes_its_connection_in_mid_stream(behaviour):
    """The task is cancelled while it waits for a chunk, or while it processes a chunk."""
    with start(behaviour) as server:
        chat = build(server)

        async def measure():
            begun = asyncio.Event()

            async def read():
                async for _ in chat.astream("hi"):
                    begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            await asyncio.sleep(0.02)
            return await adelay_of(server, await cancel(task))

        await acheck(measure)


@both_transports
@pytest.mark.parametrize("way", ["ainvoke", "astream"])
async def test_cancelled_task_closes_its_connection_before_the_first_byte(way):
    with start("silence") as server:
        chat = build(server)

        async def measure():
            ask = chat.ainvoke("hi") if way == "ainvoke" else anext(aiter(chat.astream("hi")))
            task = asyncio.ensure_future(ask) if way == "ainvoke" else asyncio.create_task(as_coroutine(ask))
            await wait_for_request(server)
            return await adelay_of(server, await cancel(task))

        await acheck(measure)


async def as_coroutine(awaitable):
    return await awaitable


async def wait_for_request(server):
    """Wait until the server has received a request. Leave the request in `server.requests`."""
    server.requests.put(await asyncio.to_thread(server.requests.get, timeout=SECONDS_FOR_A_REQUEST))


@both_transports
async def test_wait_for_around_a_call_closes_its_connection():
    with start("silence") as server:
        chat = build(server)
        # Build the HTTP client first. On a busy machine, this takes longer than the limit below.
        await (await chat._aopen_transport())._clients.async_client()

        async def measure():
            started = time.monotonic()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(chat.ainvoke("hi"), 0.2)
            return await adelay_of(server, started + 0.2)

        await acheck(measure)


@both_transports
async def test_cancelled_wait_between_tries_ends_at_once_without_another_request():
    """The connection is back in the pool during the wait, so it stays open for the next call."""
    with start("busy") as server:
        chat = build(server, max_retries=2)

        async def measure():
            task = asyncio.create_task(chat.ainvoke("hi"))
            await wait_for_request(server)
            connections.add(server.requests.get())
            await asyncio.sleep(0.1)
            assert not task.done()
            left_at = await cancel(task)
            return time.monotonic() - left_at

        connections = set()
        await acheck(measure)
        # The backoff before the first retry is at most half a second, so a retry would be sent within this time.
        await asyncio.sleep(0.7)
        assert server.requests.empty()
        # All calls used the same connection.
        assert len(connections) == 1


@pytest.fixture
def no_beta_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        yield


@pytest.fixture
def quick_collector():
    """Make the garbage collector fast by limiting it to the objects of the test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_events_left_early_close_their_connection(no_beta_warning, quick_collector):
    """The stream of `stream_events(version="v3")` has no `close` and refers to itself.

    So only the garbage collector can end the stream.
    """
    with start("stream") as server:
        chat = build(server)

        def measure():
            events = chat.stream_events("hi", version="v3")
            for event in events:
                if event["event"] == "content-block-delta":
                    break
            left_at = time.monotonic()
            del events, event
            gc.collect()
            return delay_of(server, left_at)

        check(measure)


@both_transports
async def test_async_events_left_early_close_their_connection(no_beta_warning):
    """The end of the `async with` block closes the stream that `astream_events(version="v3")` returned."""
    with start("stream") as server:
        chat = build(server)

        async def measure():
            async with await chat.astream_events("hi", version="v3") as events:
                async for event in events:
                    if event["event"] == "content-block-delta":
                        break
                left_at = time.monotonic()
            return await adelay_of(server, left_at)

        await acheck(measure)


#: On Python 3.10, LangGraph does not stream tokens of a model that an async node calls.
needs_contexts = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="LangGraph streams no tokens of async nodes here"
)


@both_transports
@needs_contexts
async def test_agent_stream_left_early_closes_its_connection():
    """LangGraph cancels the running node."""
    with start("stream") as server:
        agent = create_agent(build(server), [add])

        async def measure():
            question = {"messages": [("user", "hi")]}
            async with aclosing(agent.astream(question, stream_mode="messages")) as chunks:
                async for _ in chunks:
                    left_at = time.monotonic()
                    break
            return await adelay_of(server, left_at)

        await acheck(measure)


@both_transports
@needs_contexts
async def test_cancelled_agent_closes_its_connection():
    with start("stream") as server:
        agent = create_agent(build(server), [add])

        async def measure():
            begun = asyncio.Event()

            async def read():
                async for _ in agent.astream({"messages": [("user", "hi")]}, stream_mode="messages"):
                    begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            return await adelay_of(server, await cancel(task))

        await acheck(measure)
