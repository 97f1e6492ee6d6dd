"""HTTP/2 clients of the caller: an expired or abandoned stream ends alone, and the other streams go on."""

import asyncio
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import raw_server
from wire import http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import reader as _reply_reader
from langchain_gemini_compat._transport.pool_sockets import AbandonedError, SharedTimeouts, await_data

pytest.importorskip("h2", reason="the package h2 is not installed")
pytest.importorskip("trustme", reason="the package trustme is not installed")
http2_server = pytest.importorskip("http2_server")


@pytest.fixture
def place():
    with http2_server.start() as place:
        yield place


def build(place, way, **options):
    url, *_ = place
    return ChatGeminiCompat(model="m", base_url=f"{url}/{way}/v1", api_key="k", max_retries=0, **options)


def read(model):
    return "".join(chunk.text for chunk in model.stream("hi"))


async def aread(model):
    return "".join([chunk.text async for chunk in model.astream("hi")])


#: Each case has a path of the server, the time limit of the call, and the expected error.
BREAKS = [
    ("silence", {"first_byte": 1}, errors.RequestTimeoutError),
    ("silence", {"total": 1}, errors.RequestTimeoutError),
    ("mute", {"between_chunks": 1}, errors.RequestTimeoutError),
    ("flood", {}, errors.InvalidReplyError),
]


@pytest.mark.parametrize(("way", "timeout", "kind"), BREAKS)
def test_stream_that_exceeds_a_limit_ends_alone(place, monkeypatch, way, timeout, kind):
    """Streams that other threads read from the same connection go on. Field case E8."""
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**20)
    with http.Client(http2=True, verify=place[1]) as client, ThreadPoolExecutor(4) as pool, _finishing(place):
        assert build(place, "answer", http_client=client).invoke("hi").text == "Hello."
        good = [_submit(pool, build(place, "slowly", http_client=client)) for _ in range(2)]
        with pytest.raises(kind):
            read(build(place, way, http_client=client, timeout=timeout))
        assert not any(future.done() for future in good)
        place[3].set()
        assert all(_is_complete(future.result(60)) for future in good)
        assert build(place, "answer", http_client=client).invoke("hi").text == "Hello."
        assert place[2]["connections"] == 1


@pytest.mark.parametrize(("way", "timeout", "kind"), BREAKS)
async def test_async_stream_that_exceeds_a_limit_ends_alone(place, monkeypatch, way, timeout, kind):
    """Other streams of the same connection and the same event loop go on. Field case E8."""
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**20)
    async with http.AsyncClient(http2=True, verify=place[1]) as client:
        assert (await build(place, "answer", http_async_client=client).ainvoke("hi")).text == "Hello."
        good = [asyncio.create_task(aread(build(place, "slowly", http_async_client=client))) for _ in range(2)]
        await asyncio.sleep(0.2)
        with pytest.raises(kind):
            await aread(build(place, way, http_async_client=client, timeout=timeout))
        assert not any(task.done() for task in good)
        place[3].set()
        assert all(_is_complete(text) for text in await asyncio.gather(*good))
        assert (await build(place, "answer", http_async_client=client).ainvoke("hi")).text == "Hello."
        assert place[2]["connections"] == 1


@pytest.mark.parametrize("way", ["silence", "mute"])
def test_expired_stream_alone_on_its_connection_leaves_no_thread(place, way):
    """The connection of the expired stream has no other request, so it is shut down. Field case E8."""
    with http.Client(http2=True, verify=place[1]) as client:
        with pytest.raises(errors.RequestTimeoutError):
            read(build(place, way, http_client=client, timeout={"first_byte": 1, "between_chunks": 1}))
        assert _readers_end()
        assert build(place, "answer", http_client=client).invoke("hi").text == "Hello."


def test_abandoned_stream_ends_alone(place):
    """The other streams go on, and the thread of the abandoned stream ends. Field case E8."""
    with http.Client(http2=True, verify=place[1]) as client, ThreadPoolExecutor(2) as pool, _finishing(place):
        good = _submit(pool, build(place, "slowly", http_client=client))
        stream = build(place, "mute", http_client=client).stream("hi")
        assert next(stream).text == "word "
        stream.close()
        assert not good.done()
        place[3].set()
        assert _is_complete(good.result(60))
        assert _readers_end()


def test_abandoned_stream_stops_no_other_stream(place):
    """When the first stream is abandoned, the thread of the second stream must begin to read.

    In httpcore, the thread of the first stream reads for both streams, and the thread of the second often waits for it.
    """
    with http.Client(http2=True, verify=place[1]) as client, ThreadPoolExecutor(1) as pool:
        model = build(place, "mute", http_client=client, timeout={"total": 30})
        first, second = model.stream("hi"), model.stream("hi")
        assert next(first).text == "word "
        chunk = pool.submit(next, second)
        while place[2]["requests"] < 2:
            time.sleep(0.01)
        first.close()
        assert chunk.result(60).text == "word "
        assert place[2]["connections"] == 1
        second.close()
        assert _readers_end()


@pytest.mark.parametrize("taken", [1, 30])
def test_connection_of_an_abandoned_stream_is_not_used_again(place, taken):
    """The stream was alone on its connection, so the connection was shut down, and has left the pool.

    The thread that reads the stream was waiting for its caller, and not for data.
    """
    limits = http.Limits(max_connections=1, keepalive_expiry=None)
    with http.Client(http2=True, verify=place[1], limits=limits) as client:
        stream = build(place, "many", http_client=client).stream("hi")
        for _ in range(taken):
            next(stream)
        stream.close()
        assert build(place, "answer", http_client=client).invoke("hi").text == "Hello."


def test_attributes_of_an_http2_connection(place):
    """The package uses these private attributes of httpcore. Without one, an abandoned stream may stop other streams."""
    with http.Client(http2=True, verify=place[1]) as client:
        assert build(place, "answer", http_client=client).invoke("hi").text == "Hello."
        connection = client._transport_for_url(http.URL(place[0]))._pool.connections[0]._connection
        for name in ("_h2_state", "_used_all_stream_ids", "_network_stream"):
            assert hasattr(connection, name)


@pytest.mark.parametrize("streamed", [False, True])
def test_client_with_http2_reads_http1(streamed):
    """The server speaks only HTTP/1.1, and sends headers and body in one piece."""
    body = http2_server.EVENT + http2_server.LAST if streamed else http2_server.BODY
    kind = "text/event-stream" if streamed else "application/json"
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"

    def answer(connection):
        with connection.makefile("rb") as request:
            while line := request.readline():
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
                if line == b"\r\n":
                    request.read(size)
                    connection.sendall(head.encode() + body)

    with raw_server.start(answer, read=False) as (address, _), http.Client(http2=True) as client:
        model = ChatGeminiCompat(
            model="m", base_url=f"http://{address}/v1", api_key="k", http_client=client, timeout=20, max_retries=0
        )
        for _ in range(2):
            assert (read(model) if streamed else model.invoke("hi").text) == ("word " if streamed else "Hello.")


async def test_cancelled_async_stream_ends_alone(place):
    """The stream is cancelled while it waits for the headers. Field case E8."""
    async with http.AsyncClient(http2=True, verify=place[1]) as client:
        good = asyncio.create_task(aread(build(place, "slowly", http_async_client=client)))
        await asyncio.sleep(0.2)
        bad = asyncio.create_task(aread(build(place, "silence", http_async_client=client)))
        await asyncio.sleep(0.2)
        bad.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bad
        assert not good.done()
        place[3].set()
        assert _is_complete(await good)


def test_limits_of_a_shared_connection_end_only_an_abandoned_request():
    """`SharedTimeouts` has no limits for reads and writes.

    If such a limit expired, httpcore would close the shared connection with all its requests. httpcore asks for the
    read limit before each read. If the request was abandoned, `SharedTimeouts` then raises an error.
    """
    limits = SharedTimeouts({"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 4.0})
    assert [limits.get(key) for key in ("connect", "read", "write", "pool")] == [1.0, None, None, 4.0]
    assert limits.get("other", 5.0) == 5.0
    limits.may_read = False
    with pytest.raises(AbandonedError):
        limits.get("read")
    assert [limits.get(key) for key in ("connect", "write", "pool")] == [1.0, None, 4.0]


def test_read_of_a_shared_connection_waits_for_data(monkeypatch):
    """The wait ends when data arrive, or when the request may no longer read. A write lets other threads run."""
    answers, pauses = [False, True, False], []
    limits = SharedTimeouts({}, lambda _seconds: answers.pop(0))
    assert limits.get("read") is None
    assert answers == [False]

    def abandon(_seconds):
        limits.may_read = False
        return False

    limits = SharedTimeouts({}, abandon)
    with pytest.raises(AbandonedError):
        limits.get("read")
    monkeypatch.setattr(time, "sleep", pauses.append)
    assert limits.get("write") is None
    assert SharedTimeouts({}).get("write") is None
    assert pauses == [0]


@pytest.mark.parametrize("state", ["waits", "sent", "closed", "decrypted", "hidden buffer", "no socket"])
def test_await_data(state):
    """`await_data` returns `False` only if a read would wait."""
    ours, theirs = socket.socketpair()
    hidden = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="h")
    info = {
        "socket": None if state == "no socket" else ours,
        "ssl_object": hidden if state == "hidden buffer" else None,
    }
    if state == "decrypted":
        info["socket"] = Mock(spec=ssl.SSLSocket, **{"pending.return_value": 5, "fileno.return_value": ours.fileno()})
    request = http.Request("POST", "https://h")
    connection = SimpleNamespace(_h2_state=None, _network_stream=SimpleNamespace(get_extra_info=info.get))
    pool = SimpleNamespace(_requests=[SimpleNamespace(request=request, connection=connection)])
    with theirs:
        if state == "sent":
            theirs.send(b"x")
        if state == "closed":
            ours.close()
        assert await_data(pool, request, 0.01) is (state != "waits")
        ours.close()


def _submit(pool, model):
    """Start a stream in a thread of `pool`, and wait for its first chunk.

    Without this wait, threads would send requests at the same moment, which can break the HTTP/2 connection of a sync
    client. See https://github.com/pydantic/httpx2/pull/1153.
    """
    begun = threading.Event()

    def read_and_tell():
        text = ""
        for chunk in model.stream("hi"):
            begun.set()
            text += chunk.text
        return text

    future = pool.submit(read_and_tell)
    assert begun.wait(60)
    return future


@contextmanager
def _finishing(place):
    """End the streams of `/slowly`, so that a failed test does not wait for them."""
    try:
        yield
    finally:
        place[3].set()


def _is_complete(text):
    return text == "word " * text.count("word ") != ""


def _readers_end():
    """Return whether all reading threads end within 30 s."""
    until = time.monotonic() + 30
    while _readers():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _readers():
    return [thread for thread in threading.enumerate() if thread.name == "gemini-compat-http2"]
