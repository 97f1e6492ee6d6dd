"""Thousands of calls and a thousand concurrent streams: memory and sockets stay flat, with and without faults."""

import asyncio
import gc
import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from load_server import MODEL, expect, right_answer, start
from transports import both_transports

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import client_factory

pytestmark = pytest.mark.load

CALLS = 2_500
WARM_UP = 1_000
ROUND = 500
AT_ONCE = 20
STREAMS = 1_000
FAULTY_CALLS = 500
MAX_RETRIES = 1
#: How many memory blocks may be added during the 1,500 measured calls. A leak of one object per call would add 1,500.
SPARE_BLOCKS = 1_200
#: How many megabytes may be added during the 1,500 measured calls. A leak of two kilobytes per call would add three.
SPARE_MEGABYTES = 3


def build(url, **kwargs):
    # A surface of Google needs the most work in the package. The API key is used in no other test, so no other test
    # shares the rate gate.
    return ChatGeminiCompat(model=MODEL, surface="ai_studio", base_url=url, api_key="load", **kwargs)


def held():
    """Collect garbage. Return the numbers of Python's memory blocks, resident megabytes and open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return sys.getallocatedblocks(), pages * resource.getpagesize() / 2**20, len(list(Path("/dev/fd").iterdir()))


def prompts(first):
    return [f"call {number}" for number in range(first, first + ROUND)]


def check_round(first, messages):
    assert [message.content for message in messages] == [right_answer(first + place) for place in range(ROUND)]


def check_flat(before, after):
    blocks, megabytes, files = (late - early for early, late in zip(before, after, strict=True))
    print(f"after {CALLS - WARM_UP} calls: {blocks:+} blocks, {megabytes:+.1f} MB, {files:+} files")
    assert blocks < SPARE_BLOCKS
    assert megabytes < SPARE_MEGABYTES
    # Each of the `AT_ONCE` threads or tasks may keep one connection open, and each open connection counts as a file.
    assert files <= AT_ONCE


def check_answers(server):
    counts = server.count()
    assert counts.pop("connections") <= AT_ONCE
    assert counts == Counter(map(str, range(CALLS)))


def check_sync_calls():
    with start("canned") as server:
        chat = build(server.url)
        for first in range(0, CALLS, ROUND):
            if first == WARM_UP:
                before = held()
            check_round(first, chat.batch(prompts(first), {"max_concurrency": AT_ONCE}))
        check_flat(before, held())
        check_answers(server)


async def check_async_calls():
    with start("canned") as server:
        chat = build(server.url)
        for first in range(0, CALLS, ROUND):
            if first == WARM_UP:
                before = held()
            check_round(first, await chat.abatch(prompts(first), {"max_concurrency": AT_ONCE}))
        check_flat(before, held())
        check_answers(server)


def run_async_calls(transport):
    """Run `check_async_calls` over the transport of this name."""
    if transport == "httpx":
        client_factory.find_aiohttp_client = lambda: None
    asyncio.run(check_async_calls())


def run_in_new_process(check, *args):
    """Run `check` in a new process, because it measures memory.

    In the process of pytest, the allocator may at any time return memory that earlier tests have freed.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(check, *args).result()


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@needs_proc
def test_thousands_of_sync_calls_keep_memory_and_sockets_flat():
    """The calls come from many threads. Each request is sent once, and each caller gets its own answer."""
    run_in_new_process(check_sync_calls)


@needs_proc
@both_transports
def test_thousands_of_async_calls_keep_memory_and_sockets_flat(async_transport):
    """All calls run on one event loop."""
    run_in_new_process(run_async_calls, async_transport)


@pytest.fixture
def many_files():
    """Raise the limit of open files, because each stream has a socket.

    The server is a child process and inherits the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = STREAMS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_thousand_concurrent_streams_complete(many_files):
    """The server continues the streams only after all streams have begun.

    At the end, each socket is in the connection pool or closed.
    """
    with start("canned") as server:
        chat = build(server.url, timeout={"connect": 60})

        async def read(number):
            async with aclosing(chat.astream(f"call {number} together with {STREAMS}")) as chunks:
                return "".join([chunk.text async for chunk in chunks])

        texts = await asyncio.gather(*map(read, range(STREAMS)))
        assert texts == [right_answer(number) for number in range(STREAMS)]
        await asyncio.sleep(0.1)
        # The connection pool keeps at most 100 idle connections, like the pool of the openai SDK.
        assert server.count()["connections"] <= 100


def classify(number, ask):
    """Make the call `number`. Return its outcome and its number of tries, in the form that `expect` returns."""
    try:
        return read_outcome(number, ask(f"call {number}"))
    except errors.GeminiCompatError as err:
        return type(err).__name__, err.tries


async def aclassify(number, ask):
    try:
        return read_outcome(number, await ask(f"call {number}"))
    except errors.GeminiCompatError as err:
        return type(err).__name__, err.tries


def read_outcome(number, message):
    """Return whether the reply is `right` or a `refusal`, and its number of tries. Fail the test for a wrong text."""
    about = message.response_metadata
    refused = about["finish_reason"] == "content_filter" and message.content_blocks[-1]["type"] == "refusal"
    if not refused:
        assert message.content == right_answer(number)
    return "refusal" if refused else "right", about.get("retries", 0) + 1


def read_stream(chat, prompt):
    return sum_up(list(chat.stream(prompt)))


async def aread_stream(chat, prompt):
    return sum_up([chunk async for chunk in chat.astream(prompt)])


def sum_up(chunks):
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


def check_outcomes(seen, server):
    """Assert that each call ended as its faults require, and had as many tries as the server counted for this call."""
    expected = {number: expect(number, MAX_RETRIES, stream=number % 2 == 1) for number in range(FAULTY_CALLS)}
    assert {number: outcome for number, outcome in seen.items() if outcome != expected[number]} == {}
    counts = server.count()
    assert counts.pop("requests") == sum(tries for _, tries in seen.values())
    assert counts == {str(number): tries for number, (_, tries) in seen.items()}
    words = Counter(word for word, _ in seen.values())
    print(words)
    assert words.total() == FAULTY_CALLS
    assert words["right"] > 0.8 * FAULTY_CALLS
    assert len(words) > 5


def test_faults_under_load_end_in_an_answer_or_a_typed_error():
    """The calls come from many threads, and half of them are streams. The server fails for a fifth of all requests."""
    with start("fake") as server, ThreadPoolExecutor(100) as pool:
        chat = build(server.url, max_retries=MAX_RETRIES)
        ways = (chat.invoke, partial(read_stream, chat))
        numbers = range(FAULTY_CALLS)
        outcomes = pool.map(lambda number: classify(number, ways[number % 2]), numbers)
        check_outcomes(dict(zip(numbers, outcomes, strict=True)), server)


async def test_async_faults_under_load_end_in_an_answer_or_a_typed_error():
    """All calls run at the same time on one event loop."""
    with start("fake") as server:
        chat = build(server.url, max_retries=MAX_RETRIES)
        ways = (chat.ainvoke, partial(aread_stream, chat))
        numbers = range(FAULTY_CALLS)
        outcomes = await asyncio.gather(*(aclassify(number, ways[number % 2]) for number in numbers))
        check_outcomes(dict(zip(numbers, outcomes, strict=True)), server)


@needs_proc
@pytest.mark.timeout(600)
def test_failed_and_cancelled_calls_leave_nothing_behind():
    """Sockets, threads, tasks and memory return to the level before the calls.

    The test runs `tests/cost/soak/soak.py` with fewer calls than its default. Field case E7.
    """
    program = str(Path(__file__).parent / "soak" / "soak.py")
    command = [sys.executable, program, "--calls", "600", "--storm", "500", "--refused", "30"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
