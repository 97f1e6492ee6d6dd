"""Soak test: looks for leaks after many calls that fail, are cancelled, or are refused with large requests.

Run by hand: `uv run python tests/cost/soak/soak.py` (25,000 calls, a storm of 2,000 cancelled streams, 200 refused calls with
4 MB each). It prints sockets, threads, tasks and resident memory before and after each part, and exits with 1 if any grew.
"""

import argparse
import asyncio
import base64
import ctypes
import gc
import resource
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from langchain_core.messages import HumanMessage
from load_server import MODEL, right_answer, start

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import shared_clients

AT_ONCE = 50
SPARE_MEGABYTES = 10
#: The number of open files may grow by this number, because a client keeps some connections open in its pool.
SPARE_FILES = 8
STORMS = 2
#: Maps a path of the refusing server to the options of the model that calls it.
REFUSALS = {
    "429": {},
    "400": {},
    "500": {},
    "malformed": {},
    "silence": {"timeout": {"first_byte": 0.5}},
    "nobody": {},
}


def held():
    """Return open files, threads, tasks and resident megabytes after a garbage collection and an idle time."""
    gc.collect()
    for seconds in (0, shared_clients.IDLE_SECONDS + 1):
        shared_clients._clients.close_unused(time.monotonic() + seconds)
    # A server of this process has a thread for each connection. Such a thread ends some time after the client has
    # closed the connection. So wait until the number of threads stays the same for a second.
    threads = None
    while threads != threading.active_count():
        threads = threading.active_count()
        time.sleep(1)
    with suppress(AttributeError, OSError):
        # glibc keeps memory that threads have freed. To count only memory in use, return the free memory to the system.
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    with suppress(RuntimeError):
        tasks = len(asyncio.all_tasks())
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), tasks, _megabytes(pages)
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), 0, _megabytes(pages)


def _megabytes(pages):
    return round(pages * resource.getpagesize() / 2**20, 1)


def report(part, before, after, began):
    """Print the measurements `before` and `after` a part. Return whether nothing grew by more than its limit."""
    names = ("files", "threads", "tasks", "MB")
    told = ", ".join(f"{name} {old} -> {new}" for name, old, new in zip(names, before, after, strict=True))
    print(f"{part}: {told} ({time.monotonic() - began:.0f} s)", flush=True)
    files, threads, tasks, megabytes = (new - old for old, new in zip(before, after, strict=True))
    return files <= SPARE_FILES and threads <= 2 and tasks <= 0 and megabytes <= SPARE_MEGABYTES


def build(url, **options):
    return ChatGeminiCompat(model=MODEL, surface="ai_studio", base_url=url, api_key="soak", **options)


def settle():
    """Wait until connections that were shut down are closed."""
    time.sleep(1)


def ask(chat, number, outcomes):
    try:
        text = (
            chat.invoke(f"call {number}").text if number % 2 else "".join(c.text for c in chat.stream(f"call {number}"))
        )
        outcomes["right" if text == right_answer(number) else "refusal"] += 1
    except errors.GeminiCompatError as err:
        outcomes[type(err).__name__] += 1


async def aask(chat, number, outcomes, room):
    async with room:
        try:
            if number % 2:
                text = (await chat.ainvoke(f"call {number}")).text
            else:
                text = "".join([c.text async for c in chat.astream(f"call {number}")])
            outcomes["right" if text == right_answer(number) else "refusal"] += 1
        except errors.GeminiCompatError as err:
            outcomes[type(err).__name__] += 1


def soak_faults(count):
    """Run half of the calls from threads and half on one event loop. A fifth of all requests meets a fault."""
    outcomes = Counter()

    async def all_async(first, last):
        chat, room = build(server.url, max_retries=1), asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(aask(chat, number, outcomes, room) for number in range(first, last)))

    with start("fake") as server:
        chat = build(server.url, max_retries=1)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda number: ask(chat, number, outcomes), range(300)))
        asyncio.run(all_async(300, 600))
        settle()
        before, began = held(), time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda number: ask(chat, number, outcomes), range(600, 600 + count // 2)))
        asyncio.run(all_async(600 + count // 2, 600 + count))
        settle()
        files, *rest = held()
        # Up to `AT_ONCE` more open files are not a leak, because the pool of `chat` may keep a connection for each
        # thread.
        after = (min(files, before[0] + SPARE_FILES) if files <= before[0] + AT_ONCE else files, *rest)
    print(dict(outcomes))
    return report(f"{count} calls under faults", before, after, began)


async def storm(url, count):
    # The connect timeout is long, because a busy machine needs time to open 2,000 connections at once.
    chat = build(url, max_retries=0, timeout={"connect": 300})

    async def read(number):
        async with aclosing(chat.astream(f"call {number} together with {10**9}")) as chunks:
            async for _ in chunks:
                begun.release()

    begun = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(read(number)) for number in range(count)]
    for _ in range(count // 2):
        await begun.acquire()
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results), Counter(map(type, results))


def soak_cancelling(count):
    """Cancel `count` streams at once, until a round in which nothing grows. Return whether there was such a round.

    There are at most `STORMS` rounds. Half of the streams are cancelled after their first chunk. A leak grows in each
    round. The allocator's heap grows by 4 to 12 MB in one of the first rounds, which is not a leak.
    """

    async def run():
        flat = []
        await storm(server.url, count)
        while len(flat) < STORMS and not any(flat):
            await asyncio.sleep(1)
            before, began = held(), time.monotonic()
            await storm(server.url, count)
            await asyncio.sleep(1)
            flat.append(report(f"{count} cancelled streams", before, held(), began))
        return any(flat)

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with start("canned") as server:
        return asyncio.run(run())


class Refusing(BaseHTTPRequestHandler):
    """Refuses each request in the way that the path of its URL names: a status, `malformed` JSON or `silence`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, 2**16)))
        way = self.path.split("/")[1]
        if way == "silence":
            self.close_connection = True
            time.sleep(2)
            return
        body = b'{"choices": [{"mess' if way == "malformed" else b'{"error": {"message": "no"}}'
        self.send_response(200 if way == "malformed" else int(way))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def refusing_server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def refuse(port, ways, count, first):
    """Make `count` calls that the server refuses. Each call has another API key and a picture of 4 MB."""
    picture = base64.b64encode(bytes(4_000_000)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    for number in range(first, first + count):
        way = ways[number % len(ways)]
        url = "http://127.0.0.1:9/v1" if way == "nobody" else f"http://127.0.0.1:{port}/{way}/v1"
        chat = ChatGeminiCompat(model="m", base_url=url, api_key=f"key-{number}", max_retries=0, **REFUSALS[way])
        message = HumanMessage([{"type": "text", "text": "hi"}, part])
        try:
            chat.invoke([message]) if number % 2 else asyncio.run(chat.ainvoke([message]))
        except errors.GeminiCompatError:
            continue
        raise AssertionError(way)


def soak_refusals(count):
    """Make calls that the server refuses in several ways. Return whether nothing grew."""
    is_flat = True
    with refusing_server() as port:
        refuse(port, [*REFUSALS], 12, 0)
        for ways in (["429"], [*REFUSALS]):
            before, began = held(), time.monotonic()
            refuse(port, ways, count, 1000)
            time.sleep(3)
            is_flat &= report(f"{count} refused calls with 4 MB ({', '.join(ways)})", before, held(), began)
    return is_flat


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=25_000)
    parser.add_argument("--storm", type=int, default=2_000)
    parser.add_argument("--refused", type=int, default=200)
    options = parser.parse_args()
    parts = [soak_refusals(options.refused), soak_cancelling(options.storm), soak_faults(options.calls)]
    sys.exit(0 if all(parts) else 1)
