"""Tests replies of broken and hostile servers: the model returns a right answer or raises a typed error.

There must be no other exception, no wrong call, and no time or memory out of proportion to the reply.
"""

import gzip
import json
import socket
import sys
import tracemalloc
from collections import deque
from itertools import chain, count, product, repeat
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from outgoing import PLACES, SURFACES, build
from wire import Wire, call, chunk, completion, http

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._response.assembler import StreamAssembler
from langchain_gemini_compat._response.events import CallExtras
from langchain_gemini_compat._response.thoughts import ThoughtSplitter
from langchain_gemini_compat._response.tool_calls import ToolCallTracker
from langchain_gemini_compat._response.usage import decode_usage
from langchain_gemini_compat._transport import reader as _reply_reader
from langchain_gemini_compat._transport.sse import SseDecoder

pytestmark = pytest.mark.timeout(60)

BIG = b"9" * 4300


def lazily(pieces, status=200, **headers):
    """Return a response whose body is generated while it is read; `taken` counts its pieces."""
    taken = [0]

    class Body(http.SyncByteStream):
        def __iter__(self):
            for piece in pieces:
                taken[0] += 1
                yield piece

    return http.Response(
        status, stream=Body(), headers={name.replace("_", "-"): it for name, it in headers.items()}
    ), taken


_keys = count()


def model(answer, **options):
    # Each model has its own key. With the same key, a 429 in one test would block the calls of other tests.
    settings = {
        "model": "gemini-3.8-flash",
        "api_key": f"k{next(_keys)}",
        "max_retries": 0,
        **Wire(answer).clients,
        **options,
    }
    return ChatGeminiCompat(**settings)


def add_up(chunks):
    first, *others = chunks
    for other in others:
        first += other
    return first


def outcome(run, *given):
    """Return the result of `run`, or the `GeminiCompatError` that it raises."""
    try:
        return run(*given)
    except errors.GeminiCompatError as err:
        return err


RUNS = (lambda chat: chat.invoke("hi"), lambda chat: add_up(list(chat.stream("hi"))))


def answers(body, status=200, headers=None):
    """Return the results of `invoke` and `stream` for the same bytes: messages or errors."""
    return [outcome(run, model(http.Response(status, content=body, headers=headers))) for run in RUNS]


def whole(**message):
    return json.dumps(completion(None, **message)).encode()


def with_args(args):
    """Return a whole reply with one call with these arguments."""
    return whole(tool_calls=[call(args=args)])


def events(*values):
    texts = (value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)
    return b"".join(b"data: " + text + b"\n\n" for text in texts)


# Tests of whole replies and error responses.


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"", errors.GeminiCompatError, id="nothing"),
        pytest.param(b"null", errors.InvalidReplyError, id="null"),
        pytest.param(b"[" * 100_000, errors.InvalidReplyError, id="deep lists"),
        pytest.param(b'{"choices":' * 100_000, errors.InvalidReplyError, id="deep objects"),
        pytest.param(b'{"choices": 5}', errors.EmptyReplyError, id="choices that are a number"),
        pytest.param(b'{"choices": [5, null, [], "message"]}', errors.EmptyReplyError, id="choices that are none"),
        pytest.param(b'{"choices": "message"}', errors.GeminiCompatError, id="choices that are a text"),
        pytest.param(b'{"choices": [{"message": 5, "finish_reason": {}}]}', errors.EmptyReplyError, id="no message"),
        pytest.param(b"[" + BIG + b"]", errors.InvalidReplyError, id="a list with a huge integer"),
        pytest.param(b'{"id": ' + b"9" * 100_000 + b"}", errors.InvalidReplyError, id="an integer of 100,000 digits"),
        pytest.param(b'{"error": ' + BIG + b"}", errors.APIStatusError, id="an error that is a huge integer"),
        pytest.param(b'{"error": {"code": ' + BIG + b"}}", errors.APIStatusError, id="an error with a huge code"),
        pytest.param(b'{"error": [[[{}]]]}', errors.APIStatusError, id="an error that is a list"),
        pytest.param(
            b'{"choices": [{"message": {"content": "\xff\xfe"}}]}', errors.InvalidReplyError, id="invalid UTF-8"
        ),
        pytest.param(
            b'{"choices": [{"message": {"content": "\\ud83d"}}]}', errors.InvalidReplyError, id="half a character"
        ),
        pytest.param(
            b'{"choices": [{"message": {"content": "\x00"}}]}', errors.InvalidReplyError, id="a raw null byte"
        ),
        pytest.param(with_args('{"x": NaN}'), errors.MalformedToolCallError, id="NaN in arguments"),
        pytest.param(with_args('{"x": -Infinity}'), errors.MalformedToolCallError, id="Infinity in arguments"),
        pytest.param(with_args('{"x": 1e999}'), errors.MalformedToolCallError, id="a number too large for a float"),
        pytest.param(
            with_args({"x": float("nan")}), errors.MalformedToolCallError, id="NaN in arguments that are no text"
        ),
        pytest.param(
            with_args('{"x": ' + "9" * 5000 + "}"), errors.MalformedToolCallError, id="a huge integer in arguments"
        ),
        pytest.param(with_args('{"x": 1, "x": 2}'), errors.MalformedToolCallError, id="a doubled key in arguments"),
        pytest.param(
            with_args('{"y": {"x": 1, "x": 2}}'), errors.MalformedToolCallError, id="a doubled key further in"
        ),
        pytest.param(with_args('{"x": "\\ud83d"}'), errors.MalformedToolCallError, id="half a character in arguments"),
        pytest.param(with_args('{"\\ude00": 1}'), errors.MalformedToolCallError, id="half a character in a key"),
        pytest.param(
            with_args('{"x": ' + "[" * 500 + "]" * 500 + "}"), errors.MalformedToolCallError, id="deep arguments"
        ),
        pytest.param(with_args("[" * 100_000), errors.MalformedToolCallError, id="brackets that are never closed"),
        pytest.param(with_args('{"x": 1} {"x": 2}'), errors.MalformedToolCallError, id="two objects as arguments"),
        pytest.param(with_args('\ufeff{"x": 1}'), errors.MalformedToolCallError, id="a byte order mark in arguments"),
        pytest.param(whole(tool_calls=[call(name=None)]), errors.MalformedToolCallError, id="a call without a name"),
        pytest.param(whole(tool_calls=[call(name=["f"])]), errors.MalformedToolCallError, id="a name that is a list"),
        pytest.param(whole(tool_calls={"function": 5}), errors.EmptyReplyError, id="calls that are an object"),
        pytest.param(whole(tool_calls=[5, None, [call()]]), errors.EmptyReplyError, id="calls that are none"),
    ],
)
def test_invalid_reply_is_a_typed_error(body, kind):
    """`invoke` and `stream` raise the error, and the error can be printed."""
    for made in answers(body):
        assert isinstance(made, kind | errors.TruncatedStreamError)
        assert len(str(made)) < 3000


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"[" * 100_000, errors.InvalidRequestError, id="deep lists"),
        pytest.param(b'{"error":' * 900 + b"1" + b"}" * 900, errors.InvalidRequestError, id="deep objects"),
        pytest.param(b'{"error": {"code": ' + b"9" * 5000 + b"}}", errors.APIStatusError, id="a huge code"),
        pytest.param(
            b'[{"error": {"details": [5, {"violations": 5}]}}]', errors.InvalidRequestError, id="wrong details"
        ),
        pytest.param(b"\xff\xfe\x00", errors.InvalidRequestError, id="no text"),
        pytest.param(b'[[[[{"error": {}}]]]]', errors.InvalidRequestError, id="lists in lists"),
        pytest.param(b"<html>" + b"<title>" * 30_000, errors.InvalidRequestError, id="titles that are never closed"),
    ],
)
def test_error_response_with_any_body_is_a_typed_error(body, kind):
    """If the body has no information, the status selects the error."""
    for made in answers(body, 400):
        assert isinstance(made, kind)


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("retry in " + "9" * 5000 + "h1s", None),
        ("retry in " + "9" * 5000 + "s", None),
        ("x", [(b"retry-after", b"\xb2")]),
        ("x", [(b"retry-after", b"9" * 400)]),
        ("x", [(b"retry-after", b"NaN")]),
        ("x", [(b"retry-after", b"-1")]),
    ],
)
def test_invalid_retry_delay_is_ignored(message, headers):
    """The error is still a 429. A delay that is not a finite number is left out."""
    for made in answers(json.dumps({"error": {"code": 429, "message": message}}).encode(), 429, headers):
        assert isinstance(made, errors.RateLimitError)
        assert made.retry_after is None or made.retry_after >= 0


@pytest.mark.parametrize("charset", ["hex", "base64", "zlib", "rot13", "idna", "undefined", "utf-7", "\x00", "é"])
def test_invalid_charset_of_an_error_response_is_ignored(charset):
    """A server can name a Python codec that is not a text encoding."""
    headers = [(b"content-type", b"text/html; charset=" + charset.encode())]
    for made in answers(b"<html>busy</html>", 503, headers):
        assert isinstance(made, errors.ServerError)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": 5}',
        b"[" * 100_000,
        b"data: {\n\n",
        with_args('{"x": NaN}'),
        b'data: {"choices": [5]}\n\n',
        b"\xff",
    ],
)
async def test_async_calls_raise_the_same_errors(body):
    kinds = [type(made) for made in answers(body)]
    with pytest.raises(kinds[0]):
        await model(http.Response(200, content=body)).ainvoke("hi")
    with pytest.raises(kinds[1]):
        [part async for part in model(http.Response(200, content=body)).astream("hi")]


# Tests of unusual replies that are valid.


def test_text_keeps_null_bytes_and_control_characters():
    text = "a\x00b\u2028\ufeff\U0001f600\uffff"
    for made in answers(json.dumps(completion(text)).encode()):
        assert made.text == text


def test_megabytes_in_one_delta_are_read():
    """The text, the thoughts and the arguments of a call each have two megabytes."""
    long = "x\n" * 1_000_000
    (_, said) = answers(events(chunk(content=long), chunk(reasoning=long), chunk("stop")))
    assert said.text == said.additional_kwargs["reasoning_content"] == long
    for made in answers(with_args(json.dumps({"x": long}))):
        assert made.tool_calls[0]["args"] == {"x": long}


def test_last_value_of_a_duplicate_key_outside_arguments_counts():
    """A duplicate key is an error only in the arguments of tool calls."""
    body = b'{"choices": 1, "choices": [{"message": {"content": "a", "content": "b"}}]}'
    assert [made.text for made in answers(body)] == ["b", "b"]


def test_thousands_of_calls_are_read():
    calls = [call("f", json.dumps({"x": number}), f"c{number}") for number in range(2000)]
    for made in answers(whole(tool_calls=calls)):
        assert [it["args"]["x"] for it in made.tool_calls] == [*range(2000)]
    (_, made) = answers(events(*(chunk(tool_calls=[it]) for it in calls[:300]), chunk("tool_calls")))
    assert [it["args"]["x"] for it in made.tool_calls] == [*range(300)]


def test_thousands_of_choices_are_one_answer():
    """The request asked for one choice, so the result is one message, even if the server sends thousands of choices."""
    choices = [{"index": number, "message": {"content": f"{number}"}} for number in range(1000)]
    assert [made.text for made in answers(json.dumps({"choices": choices}).encode())] == ["0", "0"]
    deltas = [{"index": number, "delta": {"content": f"{number}"}} for number in range(5000)]
    assert answers(events({"choices": deltas}, chunk("stop")))[1].text == "0"


@pytest.mark.parametrize("index", [b"true", b"1.0", b'"1"', b"null", b"[1]", b"NaN"])
def test_invalid_choice_index_is_replaced_by_the_position(index):
    """An index such as `true` is invalid, although Python treats `True` as 1."""
    assert [made.text for made in answers(b'{"choices": [{"index": %b, "message": {"content": "a"}}]}' % index)] == [
        "a",
        "a",
    ]


def test_infinite_numbers_outside_arguments_are_accepted():
    """Some servers send them as log probabilities."""
    body = b'{"choices": [{"message": {"content": "a"}, "logprobs": {"content": [NaN, -Infinity, 1e999]}}]}'
    for made in answers(body):
        assert made.text == "a"
        assert len(made.response_metadata["logprobs"]["content"]) == 3


@pytest.mark.parametrize("number", [b"9" * 4300, b"-1", b"NaN", b"1.5", b'"7"', b"true", b"[7]", b"null"])
def test_invalid_token_counts_are_ignored(number):
    """Wrong counts do not invalidate the answer."""
    usage = b'{"prompt_tokens": %b, "completion_tokens": %b, "total_tokens": %b}' % (number, number, number)
    for made in answers(b'{"choices": [{"message": {"content": "a"}}], "usage": ' + usage + b"}"):
        assert made.text == "a"
        assert made.usage_metadata["total_tokens"] == 0
    assert decode_usage({"prompt_tokens": 2**53, "completion_tokens": 2**53 + 1}).total_tokens == 2**53


# Tests of replies that do not end.


def test_endless_line_is_an_error():
    """The limit is 64 MiB."""
    answer, taken = lazily(repeat(b"x" * 2**20))
    with pytest.raises(errors.InvalidReplyError, match=r"no end within|longer than"):
        list(model(answer).stream("hi"))
    assert taken[0] <= 65


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"x", id="a line in tiny pieces"),
        pytest.param(b"x\n", id="short lines outside of events"),
        pytest.param(b"data: 1\n", id="an event of short lines"),
        pytest.param(b"x\n\n", id="lines outside of events, and blank ones"),
        pytest.param(b"\xff" * 100, id="no text"),
    ],
)
def test_memory_of_an_unfinished_event_is_bounded(piece):
    """Each received piece is a Python object. Its overhead counts towards the size limit."""
    decoder = SseDecoder(limit=2**20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="no end within 1048576 bytes"):
            deque(chain.from_iterable(map(decoder.feed, repeat(piece, 2**20))), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "piece", [b'data: "%b"\n\n' % (b"x" * 800), b": keep-alive\n\n", b": keep-alive\n", b"\n" * 2000, b"event: x\n"]
)
def test_size_limit_applies_to_one_event(piece):
    """Finished events and comments do not count towards the limit, because the decoder does not keep them."""
    decoder = SseDecoder(limit=1000)
    for _ in range(100):
        middle = len(piece) // 2
        values = [*decoder.feed(piece[:middle]), *decoder.feed(piece[middle:])]
        assert values == (["x" * 800] if piece.startswith(b"data") else [])
    assert [*decoder.finish()] == []


def test_endless_comments_hit_the_idle_timeout():
    """Comments keep the connection alive, but do not count as chunks."""
    answer, _ = lazily(repeat(b": keep-alive\n\n"))
    chat = model(answer, timeout={"first_byte": 0.3, "between_chunks": 0.3})
    with pytest.raises(errors.RequestTimeoutError):
        list(chat.stream("hi"))
    answer, _ = lazily(chain([events(chunk(content="a"))], repeat(b": keep-alive\n\n")))
    with pytest.raises(errors.RequestTimeoutError) as caught:
        list(model(answer, timeout={"between_chunks": 0.3}).stream("hi"))
    assert caught.value.partial == "a"


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(repeat(events(chunk(content="x" * 1000))), id="text"),
        pytest.param(repeat(b": keep-alive\n\n" * 100), id="comments"),
        pytest.param(repeat(b"\n" * 1000), id="blank lines"),
        pytest.param(repeat(events({})), id="chunks that say nothing"),
    ],
)
def test_endless_stream_is_an_error(monkeypatch, pieces):
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**20)
    answer, _ = lazily(pieces)
    with pytest.raises(errors.InvalidReplyError, match="longer than"):
        list(model(answer).stream("hi"))


def test_endless_whole_reply_is_an_error(monkeypatch):
    """The error is raised while the server is still sending."""
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**20)
    answer, taken = lazily(repeat(b" " * 2**16))
    with pytest.raises(errors.InvalidReplyError, match="longer than"):
        model(answer).invoke("hi")
    assert taken[0] <= 17


def test_size_limit_counts_decompressed_bytes(monkeypatch):
    """A kilobyte of gzip can expand to a megabyte."""
    monkeypatch.setattr(_reply_reader, "MAX_REPLY_BYTES", 2**20)
    bomb = gzip.compress(b" " * (8 * 2**20), mtime=0)
    for run in RUNS:
        answer, taken = lazily(
            [bomb[place : place + 512] for place in range(0, len(bomb), 512)], content_encoding="gzip"
        )
        with pytest.raises(errors.InvalidReplyError, match="longer than"):
            run(model(answer))
        assert taken[0] < len(bomb) // 512


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "data",
    [b"no gzip", gzip.compress(b"{}" * 1000)[:-9], gzip.compress(b"{}") + b"x", b""],
    ids=["no gzip", "cut", "more than the end", "nothing"],
)
def test_broken_compression_is_a_typed_error(status, data):
    """Broken data fails in the decompressor or in the JSON parser. In both cases, a `GeminiCompatError` is raised."""
    for run in RUNS:
        answer, _ = lazily([data], status, content_encoding="gzip")
        with pytest.raises(errors.GeminiCompatError):
            run(model(answer))


# Tests that time and memory are linear in the size of a reply.


@pytest.mark.parametrize("flagged", [False, True])
def test_endless_white_space_is_not_held_back_forever(flagged):
    """White space is held back, because a tag can follow it. Beyond a limit, each piece is emitted at once."""
    splitter = ThoughtSplitter()
    out = sum(len(event.text) for _ in range(10_000) for event in splitter.feed(" ", flagged=flagged))
    assert out == 10_000
    assert splitter._held == ""


def test_fields_of_a_message_are_merged_in_linear_time():
    """Earlier fields are not copied for each chunk, and the chunks are not changed."""
    assembler = StreamAssembler()
    detail = {"type": "reasoning.text", "text": "x"}
    wire = {
        "choices": [{"delta": {"reasoning_details": [detail], "extra_content": {"google": {"grounding": [detail]}}}}]
    }
    list(assembler.feed(wire))
    kept = assembler._fields["extra_content"]["google"]["grounding"]
    for _ in range(1000):
        list(assembler.feed(wire))
    assert assembler._fields["extra_content"]["google"]["grounding"] is kept
    assert len(kept) == 1001
    (*_, end) = assembler.finish()
    assert end.fields["reasoning_details"] == [{"type": "reasoning.text", "text": "x" * 1001}]
    assert wire["choices"][0]["delta"]["reasoning_details"] == [detail]
    assert wire["choices"][0]["delta"]["extra_content"] == {"google": {"grounding": [detail]}}


def test_emitted_extra_fields_do_not_change():
    """Later extra fields are emitted once, in a new event with only the new keys. Earlier events do not change."""
    tracker = ToolCallTracker("seed")
    sent = {"google": {"thought_signature": "one"}}
    first = list(tracker.feed([call(extra_content=sent)]))
    later = list(tracker.feed([call(args="", extra_content={"google": {"thought_signature": "two", "more": 1}})]))
    assert first[-1].fields == {"extra_content": {"google": {"thought_signature": "one"}}}
    assert later == []
    assert sent == {"google": {"thought_signature": "one"}}
    plain = {"google": {"one": 1}}
    calls = [call(call_id="c2", extra_content=plain), call(args="", call_id="c2", extra_content={"google": {"two": 2}})]
    assert not any(isinstance(event, CallExtras) for event in tracker.feed(calls))
    assert [*tracker.finish()] == [
        CallExtras("call-1", {"extra_content": {"google": {"more": 1}}}, is_more=True),
        CallExtras("c2", {"extra_content": {"google": {"one": 1, "two": 2}}}),
    ]
    assert plain == {"google": {"one": 1}}


# Tests that no URL in a message or a reply is fetched.

#: The path of an existing file, which must not be read.
SECRET = str(Path(__file__).parents[1] / "conftest.py")
URLS = [
    *(
        "http://127.0.0.1:9/cat.png",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost/x.pdf",
        "ftp://h/x.pdf",
    ),
    *(f"file://{SECRET}", SECRET, f"file://localhost{SECRET}", "gs://bucket/x.pdf", "\\\\host\\share\\x.pdf", "//h/x"),
]
_seen = []
_watching = []


def _audit(event, args):
    """Record each use of a socket, a process, and the file `SECRET`.

    An audit hook cannot be removed, so it records only while one of these tests runs.
    """
    if _watching and (
        event.startswith(("socket.", "urllib.", "http.", "subprocess.", "os.system", "ftplib."))
        or (event == "open" and str(args[0]).startswith(SECRET))
    ):
        _seen.append((event, args))


sys.addaudithook(_audit)


@pytest.fixture
def reached():
    """Return the list of accesses since the test began.

    The list records each use of a host name, a socket, a process, and the file `SECRET`.
    """
    _seen.clear()
    _watching.append(True)
    yield _seen
    _watching.clear()


def test_audit_hook_sees_each_access(reached):
    """Without the audit hook, the tests below would pass even if the package fetched a URL."""
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    assert Path(SECRET).read_bytes()
    assert {"socket.getaddrinfo", "socket.connect", "open"} <= {event for event, _ in reached}


def blocks(url):
    """Return `url` in every type of block that accepts a URL."""
    return [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": url},
        {"type": "image", "url": url},
        {"type": "image", "source_type": "url", "url": url, "mime_type": "image/png"},
        {"type": "image", "source": {"type": "url", "url": url}},
        {"type": "document", "source": {"type": "url", "url": url}},
        {"type": "input_image", "image_url": url},
        {"type": "input_file", "file_url": url},
        {"type": "file", "file": {"file_data": url, "filename": "x.pdf"}},
        {"type": "file", "url": url, "mime_type": "application/pdf"},
        {"type": "audio", "url": url, "mime_type": "audio/wav"},
        {"type": "input_audio", "input_audio": {"data": url, "format": "audio/wav"}},
        {"type": "video", "url": url, "mime_type": "video/mp4"},
        {"type": "video_url", "video_url": {"url": url}},
        {"type": "media", "file_uri": url, "mime_type": "application/pdf"},
        {"type": "text-plain", "url": url, "mime_type": "text/plain"},
        {"type": "non_standard", "value": {"type": "image_url", "image_url": {"url": url}}},
    ]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_no_url_of_a_message_is_fetched(reached, surface, url):
    """A URL from the user, a tool or an earlier answer is sent unchanged, or refused."""
    for block in blocks(url):
        histories = [
            [HumanMessage([block])],
            [HumanMessage("hi"), AIMessage("", tool_calls=[_made]), ToolMessage([block], tool_call_id="c1")],
            [HumanMessage("hi"), AIMessage([block]), HumanMessage("hi")],
        ]
        for history in histories:
            request = outcome(build, history, surface)
            if history is histories[0] and not isinstance(request, errors.GeminiCompatError):
                # A URL can be valid base64. It is then sent as data, with `+` and `/` instead of `-` and `_`.
                expected = {json.dumps(text)[1:-1] for text in (url, url.replace("-", "+").replace("_", "/"))}
                assert any(text in json.dumps(request.payload) for text in expected)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES[surface])
    assert chat.get_num_tokens_from_messages([HumanMessage(blocks(url))]) > 0
    assert reached == []


_made = {"name": "f", "args": {}, "id": "c1", "type": "tool_call"}


@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_no_url_of_a_server_is_fetched(reached, url):
    """No URL is fetched while the reply is read, converted to content blocks, or sent back."""
    parts = [{"type": "text", "text": "see"}, *blocks(url)]
    extra = {"google": {"thought_signature": url, "mime_type": url}}
    reply = completion(parts, audio={"data": url, "url": url, "extra_content": extra}, extra_content=extra)
    for made in answers(json.dumps(reply).encode()):
        assert made.text == "see"
        assert made.content_blocks
        for surface in SURFACES:
            outcome(build, [HumanMessage("hi"), made, HumanMessage("hi")], surface)
    error = [{"error": {"code": 429, "message": f"See {url}", "details": [{"links": [{"url": url}]}]}}]
    for made in answers(json.dumps(error).encode(), 429):
        assert url in str(made)
    assert reached == []


@pytest.mark.parametrize("url", URLS, ids=range(len(URLS)))
def test_no_redirect_is_followed(reached, url):
    """Streams and whole replies follow no redirect, even with a client that follows redirects."""
    for run, status in product(RUNS, (300, 301, 302, 303, 307, 308)):
        wire = Wire(http.Response(status, headers={"location": url}), completion())
        client = http.Client(transport=http.MockTransport(wire.answer), follow_redirects=True)
        chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", max_retries=0, http_client=client)
        with pytest.raises(errors.InvalidRequestError, match="redirect"):
            run(chat)
        assert len(wire.requests) == 1
    assert reached == []
