"""Time limits before the headers of a response: slow or silent servers and proxies, and a full pool."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from transports import both_transports, modes
from watchful_server import read_request
from wire import completion, http

from langchain_gemini_compat import ChatGeminiCompat, errors

BODY = json.dumps(completion("Hello.")).encode()
#: If the time limit of a call works, the call ends within this number of seconds. Otherwise, it takes minutes.
SOON = 30


def ask(model, mode):
    if mode == "invoke":
        return model.invoke("hi")
    if mode == "stream":
        return list(model.stream("hi"))
    if mode == "ainvoke":
        return asyncio.run(model.ainvoke("hi"))

    async def read():
        return [chunk async for chunk in model.astream("hi")]

    return asyncio.run(read())


def drip(connection, data, pause=0.1):
    for place in range(len(data)):
        connection.sendall(data[place : place + 1])
        time.sleep(pause)


def drip_headers(connection):
    """Send one header after another, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(connection, b"x-header: value\r\n" * 1000)


def send_1xx(connection):
    """Send interim responses without end."""
    for _ in range(1000):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        time.sleep(0.1)


def read_slowly(connection):
    """Read nothing and send nothing, like a server that is slow to read the request."""
    time.sleep(100)


def drip_status(connection):
    drip(connection, b"HTTP/1.1 200 " + b"O" * 1000)


@contextmanager
def server(answer, *, good=0, read=True):
    """Run a server, and yield its host and port.

    On each connection, the server answers `good` requests, and then calls `answer`.
    """

    def serve(connection):
        with connection, suppress(OSError), connection.makefile("rb") as file:
            for _ in range(good):
                if not read_request(file):
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY))
            if read:
                file.readline()
            answer(connection)

    def accept(listener):
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def fail(model, mode):
    """Call the model and return the name of the limit that expired."""
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeoutError) as caught:
        ask(model, mode)
    assert time.monotonic() - began < SOON
    return caught.value.limit


def build(url, **options):
    return ChatGeminiCompat(model="m", base_url=url, api_key="k", max_retries=0, **options)


@modes
@pytest.mark.parametrize("answer", [drip_headers, send_1xx, drip_status, read_slowly])
@pytest.mark.parametrize(("timeout", "limit"), [({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")])
def test_slow_headers_exceed_a_limit(answer, mode, timeout, limit):
    """The HTTP library's own timeout would not expire, since each byte restarts it. Field case E5."""
    with server(answer) as place:
        assert fail(build(f"http://{place}/v1", timeout=timeout), mode) == limit


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_slow_headers_on_a_pooled_connection_exceed_a_limit(mode):
    """Field case E5."""
    with server(drip_headers, good=1) as place:
        model = build(f"http://{place}/v1", timeout={"first_byte": 0.5})
        assert model.invoke("hi").text == "Hello."
        assert fail(model, mode) == "first_byte"


@both_transports
async def test_slow_headers_on_a_pooled_async_connection_exceed_a_limit():
    """Field case E5."""
    with server(drip_headers, good=1) as place:
        model = build(f"http://{place}/v1", timeout={"first_byte": 0.5})
        assert (await model.ainvoke("hi")).text == "Hello."
        with pytest.raises(errors.RequestTimeoutError):
            await asyncio.wait_for(model.ainvoke("hi"), SOON)


@modes
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_slow_proxy_exceeds_a_limit(monkeypatch, mode, scheme):
    """The proxy is slow in its answer to CONNECT, or in the response that it forwards. Field case E5."""
    with server(drip_headers) as place:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{place}")
        model = build(f"{scheme}://server.example/v1", timeout={"first_byte": 0.5})
        assert fail(model, mode) == "first_byte"


@modes
@pytest.mark.parametrize(
    ("timeout", "limit"),
    [({"connect": 0.5}, "connect"), ({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")],
)
def test_silent_tls_handshake_exceeds_a_limit(mode, timeout, limit):
    """Field case E5."""
    with server(read_slowly, read=False) as place:
        assert fail(build(f"https://{place}/v1", timeout=timeout), mode) == limit


@modes
@pytest.mark.parametrize("answer", [drip_headers, read_slowly])
def test_limits_apply_to_the_callers_client(answer, mode):
    """The limits of the model apply, and not the timeouts of the client. Field case E5."""
    clients = {"http_client": http.Client(timeout=None), "http_async_client": http.AsyncClient(timeout=None)}
    with server(answer) as place:
        assert fail(build(f"http://{place}/v1", timeout={"first_byte": 0.5}, **clients), mode) == "first_byte"


@pytest.mark.parametrize(("timeout", "limit"), [({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")])
def test_wait_for_a_pooled_connection_exceeds_a_limit(timeout, limit):
    """Another call holds the only connection of the client. Field case E5."""
    with server(read_slowly) as place, http.Client(limits=http.Limits(max_connections=1)) as client:
        url = f"http://{place}/v1"
        holder = threading.Thread(target=_hold, args=(client, url), daemon=True)
        holder.start()
        while not client._transport._pool.connections:
            time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(errors.RequestTimeoutError) as caught:
            build(url, timeout=timeout, http_client=client).invoke("hi")
        assert caught.value.limit == limit
        assert limit == "total" or "max_connections" in str(caught.value)
        assert time.monotonic() - began < SOON
        holder.join()


def _hold(client, url):
    with suppress(Exception):
        client.post(url, content=b"x", timeout=3)


@pytest.mark.parametrize(("timeout", "limit"), [({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")])
async def test_async_wait_for_a_pooled_connection_exceeds_a_limit(timeout, limit):
    """Field case E5."""
    with server(read_slowly) as place:
        async with http.AsyncClient(limits=http.Limits(max_connections=1)) as client:
            url = f"http://{place}/v1"
            holder = asyncio.create_task(client.post(url, content=b"x", timeout=60))
            await asyncio.sleep(0.2)
            assert client._transport._pool.connections
            with pytest.raises(errors.RequestTimeoutError) as caught:
                await asyncio.wait_for(build(url, timeout=timeout, http_async_client=client).ainvoke("hi"), SOON)
            assert caught.value.limit == limit
            holder.cancel()
            await asyncio.wait([holder])


def test_expired_deadline_closes_the_connection():
    """Field case E5."""
    closed = threading.Event()

    def answer(connection):
        try:
            drip_headers(connection)
        except OSError:
            closed.set()
            raise

    with server(answer) as place:
        fail(build(f"http://{place}/v1", timeout={"first_byte": 0.5}), "invoke")
        assert closed.wait(SOON)
