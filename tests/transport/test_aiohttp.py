"""Async calls over aiohttp: the same time limits and the same errors as over httpx.

aiohttp hides its sockets, so a deadline cancels the task that waits.
"""

import asyncio
import gzip
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress

import openai
import pytest
import raw_server
from raw_server import STREAM, answer_with, chunk
from transports import both_transports, over_aiohttp
from watchful_server import read_request
from wire import completion, http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport.library_errors import AIOHTTP_KINDS, causes_of

aiohttp = pytest.importorskip("aiohttp")

SECRET = "secret-key-of-this-test"
#: Maximum seconds for a call whose time limit works. If the time limit failed, the call would take minutes.
SOON = 30


def drip_headers(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for letter in b"x-header: value\r\n" * 1000:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def stay_silent(connection):
    time.sleep(100)


def stop_in_mid_stream(connection):
    connection.sendall(STREAM + chunk())
    time.sleep(100)


def send_comments(connection):
    connection.sendall(STREAM + chunk())
    while True:
        connection.sendall(chunk(b": keep-alive\n\n"))
        time.sleep(0.05)


def close_in_mid_stream(connection):
    connection.sendall(STREAM + chunk())
    time.sleep(0.2)


def reset_in_mid_stream(connection):
    close_in_mid_stream(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def break_chunks(connection):
    close_in_mid_stream(connection)
    connection.sendall(b"no chunk\r\n")


def build(url, client, **options):
    options = {"max_retries": 0, **options}
    return ChatGeminiCompat(model="m", base_url=url, api_key=SECRET, http_async_client=client, **options)


async def read(model, prompt="hi"):
    return [part async for part in model.astream(prompt)]


async def fail(place, scheme="http", *, prompt="hi", client=None, **options):
    """Return the error of a stream over aiohttp.

    Assert that no exception in the chain of causes contains the secret or is a class of aiohttp.
    """
    async with client or openai.DefaultAioHttpClient() as over:
        with pytest.raises(errors.GeminiCompatError) as caught:
            await asyncio.wait_for(read(build(f"{scheme}://{place}/v1", over, **options), prompt), SOON)
    for one in causes_of(caught.value):
        assert SECRET not in f"{one!r} {one} {one.args}"
        assert type(one).__module__.partition(".")[0] != "aiohttp"
    return caught.value


@pytest.mark.parametrize(
    ("answer", "timeout", "limit"),
    [
        (drip_headers, {"first_byte": 0.4}, "first_byte"),
        (drip_headers, {"total": 0.4}, "total"),
        (stay_silent, {"first_byte": 0.4}, "first_byte"),
        (stop_in_mid_stream, {"between_chunks": 0.4}, "between_chunks"),
        (stop_in_mid_stream, {"first_byte": 20, "between_chunks": 60, "total": 0.6}, "total"),
        (send_comments, {"between_chunks": 0.4}, "between_chunks"),
    ],
)
async def test_slow_server_exceeds_a_limit(answer, timeout, limit):
    with raw_server.start(answer) as (place, _):
        error = await fail(place, timeout=timeout)
    assert isinstance(error, errors.RequestTimeoutError)
    assert error.limit == limit


@pytest.mark.parametrize("limit", ["connect", "first_byte", "total"])
async def test_silent_tls_handshake_exceeds_a_limit(limit):
    with raw_server.start(stay_silent, read=False) as (place, _):
        assert (await fail(place, "https", timeout={limit: 0.4})).limit == limit


async def test_first_byte_limit_does_not_limit_the_silence_between_chunks():
    """The read timeout of aiohttp cannot be changed after the request is sent, so it would also limit the silence."""

    def answer(connection):
        connection.sendall(STREAM + chunk())
        time.sleep(1.5)
        connection.sendall(chunk() + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    with raw_server.start(answer) as (place, _):
        async with openai.DefaultAioHttpClient() as client:
            assert len(await read(build(f"http://{place}/v1", client, timeout={"first_byte": 1}))) > 1


async def test_stream_that_exceeds_a_limit_ends_alone_and_closes_its_connection():
    begun, closed = threading.Event(), threading.Event()

    def answer(connection):
        connection.sendall(STREAM + chunk())
        begun.set()
        if len(seen) == 1:
            if not connection.recv(1):
                closed.set()
            return
        for _ in range(20):
            time.sleep(0.05)
            connection.sendall(chunk())
        connection.sendall(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    with raw_server.start(answer) as (place, seen):
        async with openai.DefaultAioHttpClient() as client:
            late = asyncio.create_task(read(build(f"http://{place}/v1", client, timeout={"between_chunks": 0.6})))
            assert await asyncio.to_thread(begun.wait, SOON)
            good = asyncio.create_task(read(build(f"http://{place}/v1", client)))
            with pytest.raises(errors.RequestTimeoutError):
                await late
            assert not good.done()
            assert await asyncio.to_thread(closed.wait, SOON)
            assert "".join(part.text for part in await good) == "hi" * 21


@pytest.mark.parametrize("cancelled_at", [0.3, 0.5], ids=["before the limit", "after the limit"])
@pytest.mark.parametrize("answer", [stay_silent, stop_in_mid_stream])
async def test_cancellation_by_the_caller_is_not_swallowed(answer, cancelled_at):
    """The caller cancels in the same iteration of the event loop in which the limit passes."""
    with raw_server.start(answer) as (place, _):
        async with openai.DefaultAioHttpClient() as client:
            timeout = {"first_byte": 0.4, "between_chunks": 0.4}
            model = build(f"http://{place}/v1", client, timeout=timeout)
            begun = asyncio.Event()

            async def ask():
                begun.set()
                async for _ in model.astream("hi"):
                    arrange()

            def arrange():
                loop.call_later(cancelled_at, task.cancel)
                loop.call_later(0.2, time.sleep, 0.6)

            loop, task = asyncio.get_running_loop(), asyncio.create_task(ask())
            await begun.wait()
            if answer is stay_silent:
                arrange()
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Tasks count their cancellations since Python 3.11")
async def test_expired_limit_leaves_the_task_as_it_was():
    """After a call has timed out, its task is not marked as cancelled, and `asyncio.timeout` works in this task."""
    with raw_server.start(stop_in_mid_stream) as (place, _):
        async with openai.DefaultAioHttpClient() as client:
            with pytest.raises(errors.RequestTimeoutError):
                await read(build(f"http://{place}/v1", client, timeout={"between_chunks": 0.3}))
            assert asyncio.current_task().cancelling() == 0
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0.3):
                    await read(build(f"http://{place}/v1", client))
            await asyncio.sleep(0)


async def test_limits_apply_to_any_transport_without_a_socket():
    class Silent(http.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.sleep(100)

    client = http.AsyncClient(transport=Silent())
    assert (await fail("server.example", client=client, timeout={"first_byte": 0.3})).limit == "first_byte"


async def test_transport_that_ignores_the_cancellation_leaves_the_task_as_it_was():
    class Stubborn(http.AsyncBaseTransport):
        async def handle_async_request(self, request):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(100)
            return http.Response(200, json={"choices": []})

    client = http.AsyncClient(transport=Stubborn())
    assert (await fail("server.example", client=client, timeout={"first_byte": 0.3})).limit == "first_byte"
    assert sys.version_info < (3, 11) or asyncio.current_task().cancelling() == 0


#: Ignores deprecation warnings of aiohttp 3.14: openai 3.52 passes the login of a proxy in a deprecated way.
old_login = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated", "ignore:The 'proxy_auth' parameter")


@old_login
@pytest.mark.parametrize("proxy", [False, True])
async def test_refused_connection_is_no_timeout(proxy):
    """The package raises a connection error, although the transport raises `ConnectTimeout`. Field case E17."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    client = openai.DefaultAioHttpClient(proxy=f"http://user:{SECRET}@{place}") if proxy else None
    error = await fail(place, client=client)
    assert type(error) is errors.APIConnectionError
    assert error.is_retryable
    assert "Could not reach the server ([Errno 111]" in str(error)
    assert "nothing listens at this address" in str(error)


async def test_host_without_an_address_is_named():
    error = await fail("no-such-host.invalid", "https")
    assert type(error) is errors.APIConnectionError
    assert "host name has no address" in str(error)


async def test_untrusted_certificate_is_named():
    trustme = pytest.importorskip("trustme")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with raw_server.start(answer_with(b""), tls=context) as (place, _):
        error = await fail(place, "https")
    assert not error.is_retryable
    assert "certificate is not trusted" in str(error)


@old_login
@pytest.mark.parametrize(
    ("status", "text", "is_retryable"),
    [
        ("407 Proxy Authentication Required", "requires a login", False),
        ("403 Forbidden", "The proxy refused the connection (403 Forbidden)", False),
        ("502 Bad Gateway", "The proxy could not reach the server (502 Bad Gateway)", True),
    ],
)
async def test_proxy_that_refuses_or_fails_is_named(status, text, is_retryable):
    answer = f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
    with raw_server.start(answer_with(answer)) as (place, _):
        client = openai.DefaultAioHttpClient(proxy=f"http://user:{SECRET}@{place}")
        error = await fail("server.example", "https", client=client)
    assert text in str(error)
    assert error.is_retryable is is_retryable


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000,
    ],
    ids=["nothing", "another protocol", "a broken header", "a long header"],
)
async def test_connection_without_an_http_answer_is_named(answer):
    with raw_server.start(answer_with(answer)) as (place, _):
        error = await fail(place)
    assert type(error) is errors.APIConnectionError
    assert error.is_retryable
    assert "closed the connection without an answer" in str(error)
    assert "400" not in str(error)


@pytest.mark.parametrize("answer", [close_in_mid_stream, reset_in_mid_stream])
async def test_stream_that_breaks_is_truncated(answer):
    with raw_server.start(answer) as (place, _):
        error = await fail(place)
    assert isinstance(error, errors.TruncatedStreamError)
    assert error.partial == "hi"


async def test_broken_chunk_in_mid_stream_is_silence():
    """After a broken chunk, aiohttp 3.14 closes the connection, but does not wake the task that reads from it."""
    with raw_server.start(break_chunks) as (place, _):
        error = await fail(place, timeout={"between_chunks": 0.5})
    assert isinstance(error, (errors.RequestTimeoutError, errors.TruncatedStreamError))
    assert error.partial == "hi"


def test_exceptions_of_aiohttp_are_in_the_table():
    for name in AIOHTTP_KINDS:
        assert issubclass(getattr(aiohttp, name, None) or getattr(aiohttp.client_exceptions, name), Exception)


REPLY = json.dumps(completion("Hello.")).encode()


def default(place, **options):
    """Return a model with the clients that the package builds."""
    return ChatGeminiCompat(model="m", base_url=f"http://{place}/v1", api_key=SECRET, max_retries=0, **options)


def reply(body=REPLY, *headers, version="1.1"):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/{version} 200 OK", f"content-length: {len(body)}", *headers))
    return f"{head}\r\n".encode() + body


async def transport_of(model):
    client = await (await model._aopen_transport())._clients.async_client()
    return type(client._transport).__module__.partition(".")[0]


@over_aiohttp
async def test_async_calls_go_over_aiohttp_where_it_is_installed():
    with raw_server.start(answer_with(reply())) as (place, seen):
        model = default(place)
        assert (await model.ainvoke("hi")).text == "Hello."
        assert await transport_of(model) == "httpx_aiohttp"
        own = http.AsyncClient()
        async with own:
            model = default(place, http_async_client=own)
            assert (await model.ainvoke("hi")).text == "Hello."
            assert await transport_of(model) != "httpx_aiohttp"
        assert len(seen) == 2


@over_aiohttp
async def test_proxies_of_the_environment_are_left_to_httpx(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert await transport_of(default("server.example")) != "httpx_aiohttp"


@both_transports
@pytest.mark.parametrize(
    "answer",
    [
        reply(),
        reply(REPLY, "connection: close"),
        reply(REPLY, version="1.0"),
        reply(gzip.compress(REPLY), "content-encoding: gzip"),
        reply(REPLY, "x-long: " + "a" * 16_000),
    ],
    ids=["plain", "close", "1.0", "gzip", "a long header"],
)
async def test_answer_is_read_as_over_httpx(answer):
    with raw_server.start(answer_with(answer)) as (place, _):
        assert (await default(place).ainvoke("hi")).text == "Hello."


@both_transports
async def test_connection_serves_one_call_after_another_without_cookies_of_the_server():
    heads = []

    def serve(connection):
        with connection.makefile("rb") as file:
            while True:
                # Read the head of the request, up to the empty line.
                head = b"".join(iter(file.readline, b"\r\n"))
                if not head:
                    return
                heads.append(head.lower())
                file.read(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
                connection.sendall(reply(REPLY, "set-cookie: a=b; Path=/"))

    with raw_server.start(serve, read=False) as (place, seen):
        model = default(place.replace("127.0.0.1", "localhost"))
        for _ in range(3):
            assert (await model.ainvoke("hi")).text == "Hello."
        assert len(seen) == 1
    assert len(heads) == 3
    assert not any(b"cookie" in head for head in heads)


@both_transports
async def test_stream_left_early_closes_its_connection():
    closed = threading.Event()

    def answer(connection):
        connection.sendall(STREAM + chunk())
        with suppress(ConnectionResetError):
            connection.recv(1)
        closed.set()

    with raw_server.start(answer) as (place, _):
        async for _ in default(place).astream("hi"):
            break
        assert await asyncio.to_thread(closed.wait, SOON)


@both_transports
async def test_large_request_is_sent_without_a_warning():
    def answer(connection):
        with connection.makefile("rb") as file:
            read_request(file)
        connection.sendall(reply())

    with raw_server.start(answer, read=False) as (place, _):
        assert (await default(place).ainvoke("x" * 3_000_000)).text == "Hello."


#: A program whose second argument selects how it ends its event loop.
PROGRAM = """
import asyncio, sys
from langchain_gemini_compat import ChatGeminiCompat

async def main():
    model = ChatGeminiCompat(model="m", base_url=sys.argv[1], api_key="k")
    print((await model.ainvoke("hi")).text, "aiohttp" in sys.modules, "openai" in sys.modules)

if sys.argv[2] == "run":
    asyncio.run(main())
else:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    if sys.argv[2] == "close":
        loop.close()
"""


@over_aiohttp
@pytest.mark.parametrize("end", ["run", "close", "leave open"])
async def test_end_of_a_program_is_silent(end):
    """The library aiohttp does not log "Unclosed client session". Calls without an error do not import openai."""

    def serve(connection):
        with connection.makefile("rb") as file:
            while read_request(file):
                connection.sendall(reply())

    with raw_server.start(serve, read=False) as (place, _):
        arguments = [sys.executable, "-c", PROGRAM, f"http://{place}/v1", end]
        done = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, timeout=120)
    assert done.stdout == "Hello. True False\n"
    assert done.stderr == ""
