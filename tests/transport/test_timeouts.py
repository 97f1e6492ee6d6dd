"""Time limits for the connection, the first byte, the silence between chunks and the whole call."""

import asyncio
import errno
import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from langchain_core.messages import HumanMessage
from transports import modes, stream_modes, whole_modes
from watchful_server import read_request
from wire import Wire, http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport import deadlines
from langchain_gemini_compat._transport.timeouts import TimeLimits, resolve_timeouts
from langchain_gemini_compat.testing import FakeGemini, Fault, Reply


def ask(model, mode, *, pause=0.0):
    """Return the chunks. `pause` is the time in seconds that the reader takes for each chunk."""
    if mode == "invoke":
        return [model.invoke("hi")]
    if mode == "ainvoke":
        return [asyncio.run(model.ainvoke("hi"))]
    chunks = []
    if mode == "stream":
        for chunk in model.stream("hi"):
            chunks.append(chunk)
            time.sleep(pause)
        return chunks

    async def read():
        async for chunk in model.astream("hi"):
            chunks.append(chunk)
            await asyncio.sleep(pause)

    asyncio.run(read())
    return chunks


def fail(model, mode):
    """Call the model, which must time out. Return the name of the expired limit, the elapsed seconds and the error."""
    began = time.monotonic()
    with pytest.raises(errors.RequestTimeoutError) as caught:
        ask(model, mode)
    return caught.value.limit, time.monotonic() - began, caught.value


@pytest.fixture(scope="module", params=["http", "in process"])
def slow(request):
    """Return a model whose server waits before the first byte or between chunks, over HTTP or in process."""

    def rule(sent):
        first, between = (float(word) for word in sent.prompt.split())
        return Fault.slow(first, between, Reply("one two three four five six"))

    fake = FakeGemini(rule)

    def build(first, between, **timeout):
        options = fake.connection(url) if url else fake.connection()
        model = ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, timeout=timeout, **options)
        return Prompting(model, f"{first} {between}")

    if request.param == "http":
        with fake.serve() as url:
            yield build
    else:
        url = None
        yield build


class Prompting:
    """A wrapper around a model. It ignores the input of a call and sends a fixed prompt."""

    def __init__(self, model, prompt):
        self.model, self.prompt = model, prompt

    def __getattr__(self, name):
        return lambda _: getattr(self.model, name)(self.prompt)


@modes
def test_silent_server_exceeds_the_first_byte_limit(slow, mode):
    limit, seconds, error = fail(slow(60, 0, first_byte=0.4, between_chunks=9), mode)
    assert limit == "first_byte"
    assert 0.36 <= seconds < 30
    assert "No answer within 0.4 seconds" in str(error)
    assert "'first_byte'" in str(error)


@stream_modes
def test_silent_stream_exceeds_the_limit_between_chunks(slow, mode):
    """The limit between chunks does not apply to the first chunk."""
    limit, seconds, error = fail(slow(0.6, 60, first_byte=45, between_chunks=0.4), mode)
    assert limit == "between_chunks"
    assert 0.9 <= seconds < 60
    assert error.is_retryable


@stream_modes
def test_long_stream_exceeds_the_total_limit(slow, mode):
    """Every chunk arrives in time, but the whole reply takes too long."""
    limit, seconds, _ = fail(slow(0, 0.3, total=0.8), mode)
    assert limit == "total"
    assert 0.72 <= seconds < 30


@modes
def test_total_limit_applies_before_the_first_byte(slow, mode):
    """The limit applies to whole replies and to streams."""
    limit, seconds, _ = fail(slow(60, 0, total=0.5), mode)
    assert limit == "total"
    assert 0.45 <= seconds < 30


@stream_modes
def test_slow_reader_does_not_exceed_a_limit(slow, mode):
    """The limit `between_chunks` does not count the time that the caller takes for a chunk."""
    chunks = ask(slow(0, 0.01, between_chunks=0.3), mode, pause=0.4)
    assert "".join(chunk.text for chunk in chunks) == "one two three four five six"


@modes
def test_call_within_its_limits_succeeds(slow, mode):
    chunks = ask(slow(0.1, 0.02, connect=2, first_byte=2, between_chunks=2, total=5), mode)
    assert "".join(chunk.text for chunk in chunks) == "one two three four five six"


def test_timeout_has_the_partial_text(slow):
    _, _, error = fail(slow(0, 1, between_chunks=0.5), "stream")
    assert error.partial
    assert "one two three four five six".startswith(error.partial)


def test_retries_stay_within_the_total_limit():
    """Five tries with a silent server together take at most the total limit."""
    fake = FakeGemini(lambda request: Fault.slow(5, 0))
    with fake.serve() as url:
        options = {"max_retries": 5, "timeout": {"first_byte": 1, "total": 4}, **fake.connection(url)}
        _, seconds, error = fail(ChatGeminiCompat(model="gemini-3.8-flash", **options), "invoke")
    assert seconds < 30
    assert error.tries > 1


@contextmanager
def keep_alive_server():
    """Yield a server that sends comments without end, as gateways do to keep a connection open."""

    def answer(listener):
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        try:
            while True:
                connection.sendall(b": keep-alive\n\n")
                time.sleep(0.05)
        except OSError:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join(60)


CHUNK = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
EVENT = b"data: %b" % json.dumps({"id": "r", "model": "m", "choices": [CHUNK]}).encode()
WHOLE = json.dumps(
    {"id": "r", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
).encode()


@contextmanager
def abrupt_server(body, wait):
    """Yield the URL of a server that answers two requests with `body`. It waits before the second answer."""

    def answer(listener):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            for number in range(2):
                if not read_request(file):
                    return
                time.sleep(wait * number)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@stream_modes
@pytest.mark.parametrize("body", [EVENT, WHOLE], ids=["no end of the last event", "a whole reply"])
def test_slow_reader_of_the_last_chunk_exceeds_no_limit(mode, body):
    """After the server has sent the whole reply, a pause of the caller does not count as silence of the server."""
    with abrupt_server(body, 0) as url:
        model = ChatGeminiCompat(
            model="m", base_url=url, max_retries=0, timeout={"between_chunks": 0.2, "first_byte": 0.2}
        )
        assert "".join(chunk.text for chunk in ask(model, mode, pause=0.4)) == "hi"


def test_deadline_of_a_finished_reply_leaves_the_next_one_alone():
    """The next call gets the finished reply's connection from the pool. The old deadline must not end this call."""
    with abrupt_server(WHOLE, 0.4) as url:
        model = ChatGeminiCompat(
            model="m", base_url=url, max_retries=0, timeout={"between_chunks": 0.6, "first_byte": 0.6}
        )
        first = model._stream([HumanMessage("hi")])
        assert next(first).text == "hi"
        time.sleep(0.45)
        assert model.invoke("again").text == "hi"


@stream_modes
def test_keep_alive_comments_are_silence(mode):
    """A stream that consists only of comments ends with a timeout."""
    with keep_alive_server() as url:
        model = ChatGeminiCompat(model="m", base_url=url, api_key="k", max_retries=0, timeout={"first_byte": 0.5})
        limit, seconds, _ = fail(model, mode)
    assert limit == "first_byte"
    assert 0.45 <= seconds < 30


@modes
def test_connect_timeout_exceeds_the_connect_limit(mode):
    """If no connection opens in time, the HTTP library's exception becomes an error that names the limit `connect`."""
    model = ChatGeminiCompat(
        model="m", api_key="k", max_retries=0, timeout={"connect": 3}, **Wire(http.ConnectTimeout("late")).clients
    )
    limit, _, error = fail(model, mode)
    assert limit == "connect"
    assert "No connection within 3 seconds" in str(error)


@pytest.mark.parametrize(
    ("timeout", "limits"),
    [
        (None, TimeLimits()),
        (60, TimeLimits(30, 60, 60, write=60, pool=60)),
        (2.5, TimeLimits(2.5, 2.5, 2.5, write=2.5, pool=2.5)),
        ({}, TimeLimits()),
        ({"total": 60}, TimeLimits(total=60)),
        ({"first_byte": None, "retry_wait": 0}, TimeLimits(first_byte=None, retry_wait=0)),
        (http.Timeout(7, connect=1), TimeLimits(1, 7, 7, write=7, pool=7)),
    ],
)
def test_timeout_is_accepted_in_three_forms(timeout, limits):
    """The forms are a number, a dict of limits, and the HTTP library's own object."""
    assert resolve_timeouts(timeout) == limits


@pytest.mark.parametrize("timeout", [-1, "60", True, {"read": 3}, {"total": "x"}, {"retry_wait": None}, float("nan")])
def test_invalid_timeout_is_refused_at_construction(timeout):
    """The error message names the limits."""
    with pytest.raises(ValueError, match=r"number of seconds|contains unknown keys"):
        ChatGeminiCompat(model="m", api_key="k", timeout=timeout)


def test_limits_as_a_dict_are_serialized_with_the_model():
    model = ChatGeminiCompat(model="m", api_key="k", timeout={"total": 60})
    assert json.loads(json.dumps(model.timeout)) == {"total": 60}


@contextmanager
def trickling(pieces, pause):
    """Yield the URL of a server that sends a whole reply in small pieces."""
    body = json.dumps({"id": "r", "object": "chat.completion", "choices": []}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (pieces * len(body))

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(head)
            for _ in range(pieces):
                time.sleep(pause)
                try:
                    connection.sendall(body)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join()


@whole_modes
def test_slow_whole_reply_exceeds_the_first_byte_limit(mode):
    """A reply that is not streamed has to arrive completely within the limit `first_byte`."""
    with trickling(300, 0.2) as url:
        timeout = {"first_byte": 0.5, "between_chunks": 9}
        model = ChatGeminiCompat(model="m", base_url=url, api_key="k", max_retries=0, timeout=timeout)
        limit, seconds, error = fail(model, mode)
    assert limit == "first_byte"
    assert "No answer within 0.5 seconds" in str(error)
    assert seconds < 30


def test_socket_is_shut_down_without_a_free_file_descriptor(monkeypatch):
    """A deadline shuts down a copy of the socket. Without a descriptor for the copy, the socket itself is shut down."""
    ours, theirs = socket.socketpair()

    def refuse(*args):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "fromfd", refuse)
    with ours, theirs:
        deadlines.shut_down(ours)
        assert theirs.recv(1) == b""
        # Shutting down the same socket a second time must not raise an error.
        deadlines.shut_down(ours)
