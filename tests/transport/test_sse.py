"""Event streams are decoded to the same JSON values, wherever the network cuts the bytes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._transport.sse import SseDecoder
from langchain_gemini_compat._wire.json_types import DONE


def decode(*pieces):
    """Return the values of `pieces`. Assert that `read_event` and `feed` give the same values."""
    quick, plain = ([*_decode(pieces, quick=quick)] for quick in (True, False))
    assert quick == plain
    return plain


def _decode(pieces, *, quick):
    decoder = SseDecoder()
    for piece in pieces:
        value = decoder.read_event(piece) if quick else None
        yield from decoder.feed(piece) if value is None else [value]
    yield from decoder.finish()


ERROR = {"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}}
PRETTY = b'[{\n  "error": {\n    "code": 499,\n    "message": "The operation was cancelled.",\n'
PRETTY += b'    "status": "CANCELLED"\n  }\n}\n]\n'


@pytest.mark.parametrize(
    ("body", "values"),
    [
        pytest.param(b'data: {"a": 1}\n\ndata: [DONE]\n\n', [{"a": 1}, DONE], id="LF"),
        pytest.param(b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', [{"a": 1}, DONE], id="CRLF"),
        pytest.param(b'data:{"a": 1}\n\ndata:[DONE]\n\n', [{"a": 1}, DONE], id="no space"),
        pytest.param(b'data: {"a": 1}\n\ndata: [DONE]', [{"a": 1}, DONE], id="no end of the last line"),
        pytest.param(b'data: {"a": 1}\n\ndata: [DONE]\n', [{"a": 1}, DONE], id="no last blank line"),
        pytest.param(b': keep-alive\n\n: OK\ndata: {"a": 1}\n\n:\n\n', [{"a": 1}], id="comments"),
        pytest.param(b'event: x\nid: 7\nretry: 10\ndata: {"a": 1}\n\n', [{"a": 1}], id="other fields"),
        pytest.param(b'data: {"a":\ndata: 1}\n\n', [{"a": 1}], id="one event in several lines"),
        pytest.param(
            b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n\n', [{"a": 1}, {"b": 2}, DONE], id="no blank lines"
        ),
        pytest.param(b'data:\n\ndata: \r\n\r\ndata: {"a": 1}\n\n', [{"a": 1}], id="events without data"),
        pytest.param(b'\n\n\ndata: {"a": 1}\n\n\n\n', [{"a": 1}], id="blank lines"),
        pytest.param(b'data: {"a": 1}\n\n' + PRETTY, [{"a": 1}, [ERROR]], id="an error outside of events"),
        pytest.param(
            b'data: {"a": 1}\n' + PRETTY.replace(b"\n", b"\r\n"), [{"a": 1}, [ERROR]], id="the same, no blank line"
        ),
        pytest.param(json.dumps(ERROR).encode(), [ERROR], id="nothing but an error"),
        pytest.param(b'data: ["\\n", "\xc3\xa9", "data: x"]\n\n', [["\n", "é", "data: x"]], id="any JSON"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_events_are_read(body, values):
    """The events arrive as one piece, byte by byte, or in pieces of three bytes."""
    assert decode(body) == values
    assert decode(*(body[place : place + 1] for place in range(len(body)))) == values
    assert decode(*(body[place : place + 3] for place in range(0, len(body), 3))) == values


def test_done_is_the_constant():
    """The decoder returns the object `DONE` itself, because callers check for it with `is`."""
    assert decode(b"data: [DONE]\n\n")[0] is DONE


@pytest.mark.parametrize(
    "body", [b"data: nonsense\n\n", b'data: {"a": 1\n\n', b"<html>busy</html>", b'data: {"a": 1}\n\n{"error": \n']
)
def test_invalid_json_raises(body):
    """Nothing that a server wrote is dropped silently."""
    with pytest.raises(ValueError, match=r"expected|EOF"):
        decode(body)


def test_event_is_complete_at_its_blank_line():
    """The decoder does not wait for the next event."""
    decoder = SseDecoder()
    assert [*decoder.feed(b'data: {"a": 1}\n')] == []
    assert [*decoder.feed(b"\n")] == [{"a": 1}]
    assert [*decoder.finish()] == []


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
events = st.dictionaries(st.text(max_size=4), values, min_size=1, max_size=3)


@st.composite
def streams(draw):
    """Return the bytes of a random event stream, and the values that the decoder must return for it."""
    newline = draw(st.sampled_from([b"\n", b"\r\n"]))
    field = draw(st.sampled_from([b"data:", b"data: "]))
    lines, expected = [], []
    for event in draw(st.lists(events, max_size=4)):
        lines += draw(st.sampled_from([[], [b": keep-alive", b""], [b"event: message"], [b""]]))
        text = json.dumps(event, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 1])))
        lines += [field + line.encode() for line in text.split("\n")] + [b""]
        expected.append(event)
    end = draw(st.sampled_from(["done", "error", "cut", "nothing"]))
    if end == "done":
        lines += [field + b"[DONE]", b""]
        expected.append(DONE)
    elif end == "error":
        lines += json.dumps([ERROR], indent=2).encode().split(b"\n")
        expected.append([ERROR])
    elif end == "cut" and lines:
        lines.pop()
    return newline.join(lines) + (newline if lines and end != "cut" else b""), expected


@settings(max_examples=400, deadline=None)
@given(stream=streams(), places=st.lists(st.integers(0, 400), max_size=8))
def test_pieces_of_any_size_give_the_same_values(stream, places):
    """The bytes may be cut anywhere, even inside a character or between CR and LF."""
    body, expected = stream
    ends = [*sorted(places), len(body)]
    assert decode(*(body[start:end] for start, end in zip([0, *ends], ends, strict=False))) == expected
    assert decode(body) == expected


def test_long_line_in_many_pieces_is_joined_once():
    """An image is one line of several megabytes, so earlier pieces must not be scanned again."""
    decoder = SseDecoder()
    pieces = [b"data: [" + b'"' + b"x" * 100, *([b"x" * 100] * 1000), b'"]']
    for piece in pieces:
        assert [*decoder.feed(piece)] == []
    assert len(decoder._tail) == len(pieces)
    ((value,),) = decoder.feed(b"\n\n")
    assert len(value) == 100 * 1001
