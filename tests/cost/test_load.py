"""Thousands of calls and a thousand streams at once: memory and sockets stay flat, and with faults the counts add up."""

import asyncio
import gc
import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from load_server import MODEL, expect, right_answer, start

from langchain_gemini_compat import ChatGeminiCompat, errors

pytestmark = pytest.mark.load

CALLS = 4_000
WARM_UP = 1_000
ROUND = 500
AT_ONCE = 20
STREAMS = 1_000
FAULTY_CALLS = 1_000
MAX_RETRIES = 1
#: One object that stays behind with each call would be 3,000 blocks.
SPARE_BLOCKS = 2_000
#: A kilobyte that stays behind with each call would be three.
SPARE_MEGABYTES = 3


def build(url, **kwargs):
    # A surface of Google's, so that all of its work is done; the retries of other tests shut no gate of ours.
    return ChatGeminiCompat(model=MODEL, surface="ai_studio", base_url=url, api_key="load", **kwargs)


def held():
    """Memory blocks of Python, resident megabytes and open files of this process, after the collector."""
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
    # Each thread or task may have opened one connection by now.
    assert files <= AT_ONCE


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@needs_proc
def test_thousands_of_calls_from_threads_hold_memory_and_sockets_flat():
    """As batches of many threads; each request is sent once, and each answer reaches its own caller."""
    with start("canned") as server:
        chat = build(server.url)
        for first in range(0, CALLS, ROUND):
            if first == WARM_UP:
                before = held()
            check_round(first, chat.batch(prompts(first), {"max_concurrency": AT_ONCE}))
        check_flat(before, held())
        counts = server.count()
        assert counts.pop("connections") <= AT_ONCE
        assert counts == Counter(map(str, range(CALLS)))


@needs_proc
async def test_thousands_of_async_calls_hold_memory_and_sockets_flat():
    """As batches on one event loop."""
    with start("canned") as server:
        chat = build(server.url)
        for first in range(0, CALLS, ROUND):
            if first == WARM_UP:
                before = held()
            check_round(first, await chat.abatch(prompts(first), {"max_concurrency": AT_ONCE}))
        check_flat(before, held())
        counts = server.count()
        assert counts.pop("connections") <= AT_ONCE
        assert counts == Counter(map(str, range(CALLS)))


@pytest.fixture
def many_files():
    """Leave to open a socket for each stream; here and in the server, which inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = STREAMS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_thousand_streams_at_once_complete(many_files):
    """The server goes on with none of them before all have begun; their sockets are kept for the next ones, or closed."""
    with start("canned") as server:
        chat = build(server.url, timeout={"connect": 60})

        async def read(number):
            async with aclosing(chat.astream(f"call {number} together with {STREAMS}")) as chunks:
                return "".join([chunk.text async for chunk in chunks])

        texts = await asyncio.gather(*map(read, range(STREAMS)))
        assert texts == [right_answer(number) for number in range(STREAMS)]
        await asyncio.sleep(0.1)
        # As many as the SDK's pool keeps alive.
        assert server.count()["connections"] <= 100


def classify(number, ask):
    """What came of call `number` and after how many tries, in the words of `expect`."""
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
    """Anything but a right answer and a refusal fails the test, and so does an error without a type of ours."""
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
    """Each call ended as its faults say, none was lost, and the server saw the tries that the client told of."""
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
    """From many threads, half of them streams; a fifth of all requests meets a fault."""
    with start("fake") as server, ThreadPoolExecutor(100) as pool:
        chat = build(server.url, max_retries=MAX_RETRIES)
        ways = (chat.invoke, partial(read_stream, chat))
        numbers = range(FAULTY_CALLS)
        outcomes = pool.map(lambda number: classify(number, ways[number % 2]), numbers)
        check_outcomes(dict(zip(numbers, outcomes, strict=True)), server)


async def test_faults_under_load_end_in_an_answer_or_a_typed_error_async_too():
    """On one event loop, all at once."""
    with start("fake") as server:
        chat = build(server.url, max_retries=MAX_RETRIES)
        ways = (chat.ainvoke, partial(aread_stream, chat))
        numbers = range(FAULTY_CALLS)
        outcomes = await asyncio.gather(*(aclassify(number, ways[number % 2]) for number in numbers))
        check_outcomes(dict(zip(numbers, outcomes, strict=True)), server)


@needs_proc
@pytest.mark.timeout(600)
def test_failed_and_cancelled_calls_leave_nothing_behind():
    """Field case E7: sockets, threads, tasks and memory are as before; `tests/cost/soak/soak.py` has the full figures."""
    program = str(Path(__file__).parent / "soak" / "soak.py")
    command = [sys.executable, program, "--calls", "600", "--storm", "500", "--refused", "30"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
