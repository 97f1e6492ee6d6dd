"""Time limits before the headers of a response, with servers and proxies that drip, hang or have no free connection."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from watchful_server import read_request
from wire import completion, http

from langchain_gemini_compat import ChatGeminiCompat, errors

MODES = ["invoke", "ainvoke", "stream", "astream"]
BODY = json.dumps(completion("Hello.")).encode()
#: A limit is kept if the call ends within this time; the servers would go on for minutes.
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
    """Header after header, byte by byte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    drip(connection, b"x-header: value\r\n" * 1000)


def send_1xx(connection):
    """Interim responses without end."""
    for _ in range(1000):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        time.sleep(0.1)


def read_slowly(connection):
    """Nothing at all."""
    time.sleep(100)


def drip_status(connection):
    drip(connection, b"HTTP/1.1 200 " + b"O" * 1000)


@contextmanager
def server(answer, *, good=0, read=True):
    """A server that answers `good` requests of each connection rightly, then as `answer` does; gives host and port."""

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
    """The limit that was broken."""
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeoutError) as caught:
        ask(model, mode)
    assert time.monotonic() - began < SOON
    return caught.value.limit


def build(url, **options):
    return ChatGeminiCompat(model="m", base_url=url, api_key="k", max_retries=0, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [drip_headers, send_1xx, drip_status, read_slowly])
@pytest.mark.parametrize(("timeout", "limit"), [({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")])
def test_headers_that_drip_break_a_limit(answer, mode, timeout, limit):
    """Field case E5: each byte would restart the HTTP library's own timeout."""
    with server(answer) as place:
        assert fail(build(f"http://{place}/v1", timeout=timeout), mode) == limit


@pytest.mark.parametrize("mode", ["invoke", "stream"])
def test_headers_that_drip_on_a_connection_from_the_pool_break_a_limit(mode):
    """Field case E5: the connection is not new to the client."""
    with server(drip_headers, good=1) as place:
        model = build(f"http://{place}/v1", timeout={"first_byte": 0.5})
        assert model.invoke("hi").text == "Hello."
        assert fail(model, mode) == "first_byte"


async def test_headers_that_drip_on_an_async_connection_from_the_pool_break_a_limit():
    """Field case E5: the same, async."""
    with server(drip_headers, good=1) as place:
        model = build(f"http://{place}/v1", timeout={"first_byte": 0.5})
        assert (await model.ainvoke("hi")).text == "Hello."
        with pytest.raises(errors.RequestTimeoutError):
            await asyncio.wait_for(model.ainvoke("hi"), SOON)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_proxy_that_drips_its_answer_breaks_a_limit(monkeypatch, mode, scheme):
    """Field case E5: the answer to CONNECT, and what a forwarding proxy says."""
    with server(drip_headers) as place:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{place}")
        model = build(f"{scheme}://server.example/v1", timeout={"first_byte": 0.5})
        assert fail(model, mode) == "first_byte"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("timeout", "limit"),
    [({"connect": 0.5}, "connect"), ({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")],
)
def test_tls_handshake_that_hangs_breaks_a_limit(mode, timeout, limit):
    """Field case E5: the server accepts and says nothing."""
    with server(read_slowly, read=False) as place:
        assert fail(build(f"https://{place}/v1", timeout=timeout), mode) == limit


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", [drip_headers, read_slowly])
def test_limits_hold_with_a_client_of_the_caller(answer, mode):
    """Field case E5: its own timeouts are not the model's."""
    clients = {"http_client": http.Client(timeout=None), "http_async_client": http.AsyncClient(timeout=None)}
    with server(answer) as place:
        assert fail(build(f"http://{place}/v1", timeout={"first_byte": 0.5}, **clients), mode) == "first_byte"


@pytest.mark.parametrize(("timeout", "limit"), [({"first_byte": 0.5}, "first_byte"), ({"total": 0.5}, "total")])
def test_wait_for_a_pooled_connection_breaks_a_limit(timeout, limit):
    """Field case E5: a client with one connection that another call holds."""
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
async def test_async_wait_for_a_pooled_connection_breaks_a_limit(timeout, limit):
    """Field case E5: the same, async."""
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


def test_late_server_is_told_by_closing_the_connection():
    """Field case E5: nothing of the call stays behind, neither here nor there."""
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
