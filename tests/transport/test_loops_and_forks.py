"""A model works across event loops, threads and processes over real sockets, and never blocks a loop."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from google.auth.credentials import Credentials
from langchain_core._api import LangChainBetaWarning
from open_files import open_files, wait_for_files

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import client_factory
from langchain_gemini_compat._transport.loop_clients import LoopClients
from langchain_gemini_compat.testing import FakeGemini, Fault

THREADS = 16


class BlockingCredentials(Credentials):
    """Credentials whose refresh blocks for a moment. Each token is valid for `life`."""

    def __init__(self, life=timedelta(hours=1)):
        super().__init__()
        self.life, self.refreshes = life, 0

    def refresh(self, request):
        self.refreshes += 1
        time.sleep(0.05)
        self.token = f"token-{self.refreshes}"
        self.expiry = datetime.now(timezone.utc).replace(tzinfo=None) + self.life


@pytest.fixture
def fake():
    return FakeGemini()


@pytest.fixture
def url(fake):
    with fake.serve() as url:
        yield url


@pytest.fixture
def chat(fake, url):
    return build(fake, url)


def build(fake, url, **kwargs):
    options = {**fake.connection(url), "max_retries": 0, **kwargs}
    return ChatGeminiCompat(model="gemini-3.8-flash", **options)


async def ask_each_way(chat):
    """Return the texts of `ainvoke`, `astream` and `abatch`."""
    async with aclosing(chat.astream("two")) as chunks:
        streamed = "".join([chunk.text async for chunk in chunks])
    return [(await chat.ainvoke("one")).text, streamed, *(m.text for m in await chat.abatch(["three", "four"]))]


TEXTS = ["one", "two", "three", "four"]


def test_model_serves_one_event_loop_after_another(chat):
    """The loops run one after the other in one thread, with blocking calls between them."""
    for _ in range(3):
        assert asyncio.run(ask_each_way(chat)) == TEXTS
        assert chat.invoke("five").text == "five"


def test_model_made_in_a_loop_works_outside_of_it(fake, url):

    async def make():
        return build(fake, url)

    chat = asyncio.run(make())
    assert chat.invoke("one").text == "one"
    assert asyncio.run(ask_each_way(chat)) == TEXTS


def test_model_and_loop_that_end_together_leave_no_socket(fake, url):
    """Most programs call `asyncio.run` with a function that makes its own model."""

    async def main():
        return await ask_each_way(build(fake, url))

    assert asyncio.run(main()) == TEXTS
    before = open_files()
    for _ in range(5):
        assert asyncio.run(main()) == TEXTS
    assert wait_for_files(before) <= before


async def test_model_that_ends_before_its_loop_leaves_no_socket(fake, url):
    """A server may make a new model for each request, while its event loop runs on."""
    await ask_each_way(build(fake, url))
    await asyncio.sleep(0.5)
    before = open_files()
    for _ in range(5):
        await ask_each_way(build(fake, url))
        gc.collect()
    for _ in range(600):
        if open_files() <= before:
            return
        await asyncio.sleep(0.05)
    assert open_files() <= before


async def test_sync_call_in_a_running_loop_works(chat):
    """Notebooks do this. The call blocks the loop until it returns."""
    assert chat.invoke("one").text == "one"
    assert await asyncio.to_thread(lambda: "".join(chunk.text for chunk in chat.stream("two"))) == "two"
    assert await ask_each_way(chat) == TEXTS


def test_threads_with_and_without_event_loops_share_a_model(chat):
    """The threads call the model at the same time."""

    def work(number):
        if number % 2:
            return asyncio.run(ask_each_way(chat))
        return [chat.invoke("one").text, "".join(chunk.text for chunk in chat.stream("two")), "three", "four"]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(4 * THREADS))) == [TEXTS] * 4 * THREADS


def test_threads_forget_the_same_closed_loops_at_the_same_time():
    """Each thread that starts an event loop removes the closed loops from the shared `LoopClients`."""
    loops = [asyncio.new_event_loop() for _ in range(50)]
    for loop in loops:
        loop.close()
    barrier = threading.Barrier(THREADS)

    def forget(clients):
        barrier.wait()
        clients.forget_closed_loops()

    with switching_often(), ThreadPoolExecutor(THREADS) as pool:
        for _ in range(100):
            clients = LoopClients()
            clients._by_loop.update(dict.fromkeys(loops))
            list(pool.map(forget, [clients] * THREADS))
            assert len(clients._by_loop) == 0


def test_simultaneous_first_calls_of_threads_share_one_client_and_one_token(fake, url, monkeypatch):
    made = []
    build_client = client_factory.build_client

    def make(**kwargs):
        made.append(build_client(**kwargs))
        return made[-1]

    monkeypatch.setattr(client_factory, "build_client", make)
    for number in range(1, 6):
        credentials = BlockingCredentials()
        chat = build(fake, url, api_key=None, credentials=credentials)
        barrier = threading.Barrier(THREADS)

        def work(_, chat=chat, barrier=barrier):
            barrier.wait()
            return chat.invoke("one").text

        with switching_often(), ThreadPoolExecutor(THREADS) as pool:
            assert set(pool.map(work, range(THREADS))) == {"one"}
        assert credentials.refreshes == 1
        assert len(made) == number


def test_fields_are_readable_while_another_thread_caches(chat):
    """langchain-core reads the fields for tracing."""
    done = threading.Event()

    def cache():
        for number in range(100_000):
            chat.__dict__[f"_cached_{number}"] = number
            if done.is_set():
                return

    with switching_often(), ThreadPoolExecutor(1) as pool:
        caching = pool.submit(cache)
        try:
            fields = {frozenset(dict(chat)) for _ in range(200)}
        finally:
            done.set()
        caching.result()
    assert fields == {frozenset(type(chat).model_fields)}


async def test_simultaneous_first_calls_of_tasks_share_one_client_and_one_token(fake, url, monkeypatch):
    made = []
    build_client = client_factory.build_async_client

    def make(**kwargs):
        made.append(build_client(**kwargs))
        return made[-1]

    monkeypatch.setattr(client_factory, "build_async_client", make)
    credentials = BlockingCredentials()
    chat = build(fake, url, api_key=None, credentials=credentials)
    messages = await asyncio.gather(*(chat.ainvoke("one") for _ in range(THREADS)))
    assert {message.text for message in messages} == {"one"}
    assert (len(made), credentials.refreshes) == (1, 1)


@contextmanager
def switching_often():
    """Make Python switch threads a thousand times as often as by default."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


FORK = """
import asyncio, os, signal, sys, threading, warnings
from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat.testing import FakeGemini, Fault

def ask(chat, text):
    if sys.argv[2] == "sync":
        return chat.invoke(text).text + "".join(chunk.text for chunk in chat.stream(text))
    async def main():
        return (await chat.ainvoke(text)).text + "".join([chunk.text async for chunk in chat.astream(text)])
    return asyncio.run(main())

def expect_timeout():
    try:
        ask(impatient, "slow")
    except errors.RequestTimeoutError as err:
        return err.limit
    return "no timeout"

def fork_and_ask(chat, name):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        try:
            said = f"{name} {ask(chat, name)} {expect_timeout()}\\n"
        except BaseException as err:
            said = f"{name} {err!r}\\n"
        # One write, since all processes write to one pipe.
        os.write(1, said.encode())
        os._exit(0)
    return pid

def build(timeout):
    return ChatGeminiCompat(
        model="gemini-3.8-flash", surface="ai_studio", api_key="k", base_url=sys.argv[1], max_retries=0, timeout=timeout
    )

chat, impatient = build(20), build({"between_chunks": 0.3, "first_byte": 0.3})
# The parent has an open stream, whose deadline runs, and an idle connection in the pool.
stream = chat.stream("before")
next(stream)
print("parent", ask(chat, "before"), flush=True)
pids = [fork_and_ask(chat, f"child-{number}") for number in range(3)]
print("parent", ask(chat, "meanwhile"), flush=True)
for pid in pids:
    os.waitpid(pid, 0)
print("parent", "".join(chunk.text for chunk in stream) or "nothing more", ask(chat, "after"), expect_timeout(), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_forked_children_and_their_parent_go_on_calling(mode):
    """The parent has made calls and has an open stream. Time limits hold in all processes."""

    def answer(request):
        return Fault.slow(between=1.0) if request.prompt == "slow" else request.prompt

    with FakeGemini(answer).serve() as url:
        command = [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", FORK, url, mode]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    lines = run.stdout.splitlines()
    children = sorted(line for line in lines if line.startswith("child"))
    assert children == [f"child-{number} child-{number}child-{number} first_byte" for number in range(3)], run.stderr
    parents = [line for line in lines if line.startswith("parent")]
    assert parents[:2] == ["parent beforebefore", "parent meanwhilemeanwhile"]
    assert parents[2].endswith("afterafter first_byte"), run.stderr
    assert run.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_fork_in_a_running_loop_leaves_the_parents_calls_alone(chat):
    """The child process calls with a loop of its own. The open call of the parent completes."""
    await chat.ainvoke("one")
    async with aclosing(chat.astream("a few words that come in more than one piece")) as chunks:
        first = await anext(chunks)
        pid = os.fork()
        if pid == 0:
            _ask_in_child(chat)
        rest = "".join([chunk.text async for chunk in chunks])
    status = await asyncio.to_thread(lambda: os.waitpid(pid, 0)[1])
    assert os.waitstatus_to_exitcode(status) == 0
    assert first.text + rest == "a few words that come in more than one piece"
    assert await ask_each_way(chat) == TEXTS


def _ask_in_child(chat):
    """Call the model in the forked child, and exit. Only the parent runs the other tests."""
    code = 2
    try:
        code = 0 if chat.invoke("one").text == "one" else 1
    finally:
        os._exit(code)


@pytest.fixture
def detector():
    # Build a model first, because the first model of a process reads the version of the package from the disk.
    ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    with blockbuster_ctx() as detector:
        yield detector


async def test_detector_finds_blocking_calls(detector):
    """The detector reports a sleep, a refresh and a file access on the loop, but not in another thread."""
    for block in (partial(time.sleep, 0.001), partial(BlockingCredentials().refresh, None), Path(__file__).read_text):
        with pytest.raises(BlockingError):
            block()
        await asyncio.to_thread(block)


async def test_async_call_does_not_block_its_loop(fake, url, detector):
    """The test covers first and later calls, token refreshes, streams, events, errors, retries and cancellation."""
    credentials = BlockingCredentials(life=timedelta(seconds=30))
    chat = build(fake, url, api_key=None, credentials=credentials, max_retries=1)
    assert await ask_each_way(chat) == TEXTS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        async with await chat.astream_events("hi", version="v3") as events:
            assert [event async for event in events][-1]["event"] == "message-finish"
    assert credentials.refreshes >= 1
    fake.answer_with([Fault.overloaded(), "well"])
    assert (await chat.ainvoke("hi")).text == "well"
    fake.answer_with([Fault.expired_token(), "well"])
    assert (await chat.ainvoke("hi")).text == "well"
    assert credentials.refreshes >= 2
    fake.answer_with(Fault.cut_stream())
    with pytest.raises(errors.TruncatedStreamError):
        await ask_each_way(chat)
    fake.answer_with(Fault.slow(first_byte=5))
    task = asyncio.create_task(chat.ainvoke("hi"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_callable_key_does_not_block_the_loop(fake, url, detector):
    """The callable runs in a thread."""

    def read_key():
        time.sleep(0.01)
        return "k"

    assert await ask_each_way(build(fake, url, api_key=read_key)) == TEXTS


FIRST_CALL = """
import asyncio, sys, time
from blockbuster import blockbuster_ctx
from langchain_gemini_compat import ChatGeminiCompat

async def main():
    gaps, last = [], time.thread_time()
    async def tick():
        nonlocal last
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            gaps.append(now - last)
            last = now
    chat = ChatGeminiCompat(model="gemini-3.8-flash", surface="ai_studio", api_key="k", base_url=sys.argv[1])
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    gaps.clear()
    with blockbuster_ctx():
        text = (await chat.ainvoke("one")).text
    await asyncio.sleep(0.01)
    print(text, max(gaps))

asyncio.run(main())
"""


def test_first_call_of_a_process_does_not_block_the_loop(url):
    """Importing the HTTP library and reading certificates take time, so they run in another thread than the event loop.

    The test measures the CPU time of the loop's thread, because other processes do not change it.
    """
    command = [sys.executable, "-c", FIRST_CALL, url]
    gaps = []
    for _ in range(3):
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
        assert run.stdout.startswith("one "), run.stderr
        gaps.append(float(run.stdout.split()[1]))
    print("longest turn of the loop, in seconds of CPU:", gaps)
    assert min(gaps) < 0.3
