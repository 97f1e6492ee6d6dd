"""Tests decoding of replies with random bytes, random JSON and random cuts, without a server.

`fuzz/fuzz_reply.py` runs longer and is guided by coverage. Its findings become tests here or in
`test_hostile_replies`.
"""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from judge_reply import judge, outcome_key, read_refusal, read_stream, read_whole
from wire import call, chunk, completion, google_error

from langchain_gemini_compat import errors

SIGNED = {"google": {"thought_signature": "c2ln"}}
FLAG = {"google": {"thought": True}}
HALVES = [
    chunk(content="<thought>hm", extra_content=FLAG),
    chunk(content="</thought>Two calls."),
    chunk(tool_calls=[call("f", '{"text": "a', "c1", index=0, extra_content=SIGNED)]),
    chunk(tool_calls=[call("f", 'b", "n": [1, ', "c1", index=0)]),
    chunk(tool_calls=[call("f", "2]}", "c1", index=0)]),
    chunk("tool_calls", (3, 2, 9), tool_calls=[call("g", "{}", "c2", index=1)]),
]
MEANT = [("f", {"text": "ab", "n": [1, 2]}), ("g", {})]


def events(*values, end="data: [DONE]\n\n"):
    """Return the bytes of a stream."""
    return ("".join(f"data: {json.dumps(value)}\n\n" for value in values) + end).encode()


GOOD = [
    events(*HALVES),
    events(*HALVES, end=""),
    events(chunk(audio={"data": "iVBORw0KGgo="}), google_error(499, "CANCELLED", "The operation was cancelled.")),
    json.dumps(completion(tool_calls=[call(), call("g", "{}", "c2")], extra_content=SIGNED)).encode(),
    json.dumps(google_error(429, "RESOURCE_EXHAUSTED", "Please retry in 1m26.66s.", [{"retryDelay": "26s"}])).encode(),
]
ENDS = [b"", b"\n", b"\n\n", b'"', b"}", b"\xff", b"\x00", b"\\ud800", b"NaN", b"data:", b"[" * 300, b"9" * 5000]


@st.composite
def damaged(draw):
    """Draw a valid reply with some bytes removed, doubled or replaced."""
    body = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 12)))
        middle = draw(st.sampled_from([b"", body[start:end] * 2, *ENDS]) | st.binary(max_size=6))
        body = body[:start] + middle + body[end:]
    return body


def pieces(body, places):
    """Return `body` cut at `places`."""
    ends = [*sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@settings(max_examples=250, deadline=None)
@given(body=damaged() | st.binary(max_size=200), places=st.lists(st.integers(0, 2000), max_size=4))
def test_any_bytes_give_a_message_or_a_typed_error(body, places):
    """Damaged replies and random bytes are read as a stream, as a whole reply and as an error.

    A stream gives the same result wherever it is cut into pieces.
    """
    outcome = judge(read_stream([body]))
    assert outcome_key(read_stream(pieces(body, places))) == outcome_key(outcome)
    judge(read_whole(body))
    for status in (302, 400, 429, 500):
        assert isinstance(judge(read_refusal(status, body)), errors.APIStatusError)


# Tests with random JSON that has the keys of the API.

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        [
            *("", "f", "c1", "{}", '{"a":', "1}", "stop", "</thought>", "\x00", "chat.completion", "[DONE]"),
            10**400,
            2**63,
        ]
    )
)
KEYS = [
    *("id", "object", "model", "usage", "error", "code", "message", "status", "details", "violations", "quotaId"),
    *("index", "finish_reason", "logprobs", "content", "delta", "reasoning", "refusal", "audio", "data", "name"),
    *("extra_content", "google", "thought", "thought_signature", "mime_type", "reasoning_details", "arguments"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "text", "type"),
]
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)


def objects(*plain, **nested):
    """Draw objects in which any key is missing or has any value."""
    keys = dict.fromkeys(plain, anything) | {key: shape | anything for key, shape in nested.items()}
    return st.fixed_dictionaries({}, optional=keys)


entries = objects("id", "index", "extra_content", function=objects("name", "arguments"))
deltas = objects(
    *("content", "reasoning", "refusal", "audio", "extra_content", "reasoning_details"),
    tool_calls=st.lists(entries | anything, max_size=3),
)
choices = objects("index", "finish_reason", "logprobs", delta=deltas, message=deltas)
replies = objects("id", "object", "model", "usage", "error", choices=st.lists(choices | anything, max_size=3))
refusals = st.lists(objects(error=objects("code", "message", "status", "details")), max_size=2) | anything


@settings(max_examples=200, deadline=None)
@given(values=st.lists(replies | anything, min_size=1, max_size=4), places=st.lists(st.integers(0, 2000), max_size=3))
def test_any_json_gives_a_message_or_a_typed_error(values, places):
    body = events(*values)
    outcome = judge(read_stream([body]))
    assert outcome_key(read_stream(pieces(body, places))) == outcome_key(outcome)
    for value in values:
        judge(read_whole(json.dumps(value).encode()))


@settings(max_examples=150, deadline=None)
@given(value=refusals, status=st.integers(300, 599))
def test_any_json_in_an_error_response_gives_a_typed_error(value, status):
    """Some values have the form of a known error, others are arbitrary JSON."""
    error = judge(read_refusal(status, json.dumps(value).encode()))
    assert isinstance(error, errors.APIStatusError)


# Tests that every reply either has the right calls or raises an error.


@pytest.mark.parametrize("end", ENDS[:6])
def test_truncated_stream_gives_complete_calls_or_an_error(end):
    """The stream is cut anywhere and ends in any way. Either its calls are right, or reading it raises."""
    body = GOOD[0]
    boundaries = [place for place in range(len(body)) if body[place : place + 1] in b'\n"{}[]']
    for place in boundaries:
        outcome = judge(read_stream([body[:place] + end]))
        if not isinstance(outcome, errors.GeminiCompatError):
            assert [(made["name"], made["args"]) for made in outcome.tool_calls] == MEANT


def _no_twice(pairs):
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _refuse(word):
    raise ValueError(word)


def meaning(text):
    """Return the JSON object in `text`, which may contain raw control characters; `None` for other texts."""
    try:
        made = json.loads(text, strict=False, parse_constant=_refuse, object_pairs_hook=_no_twice)
        json.dumps(made, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, AssertionError):
        return None
    return made if isinstance(made, dict) else None


words = st.sampled_from(
    [
        *("{", "}", "[", "]", '"', '"a"', '"b"', ":", ",", "1", "-", "e9", "e999", "true", "null", "NaN", "Infinity"),
        *(" ", "\n", "\t", "\\", '\\"', "\\n", "\\ud83d", "\\ude00", "\\u0000", "\x00", "é", "\u00a0", "\ufeff", "{}"),
        *(
            '{"a":1,',
            '"a":2}',
            '{"b":{"a":"\\ud83d',
            '\\ude00"}}',
            '{"a":[',
            "NaN]}",
            "1e999]}",
            "-1.5]}",
            "9" * 4301 + "]}",
        ),
        *('{"a":1}', '{"a":{"b":[1,"x"]}}', '"a":1', '"b":2', '"a":"', '{"a":"x', '"}'),
    ]
)


@settings(max_examples=250, deadline=None)
@given(parts=st.lists(words, min_size=1, max_size=8))
@example(parts=['{"a":1,', '"a":2}'])
@example(parts=['{"b":{"a":"\\ud83d', '"}}'])
@example(parts=['{"b":{"a":"\\ud83d', '\\ude00"}}'])
@example(parts=['{"a":[', "NaN]}"])
@example(parts=['{"a":[', "1e999]}"])
@example(parts=['{"a":[', "9" * 4301, "]}"])
def test_arguments_are_read_exactly_or_raise(parts):
    """`NaN`, duplicate keys, lone surrogates and text after the end are not JSON objects."""
    text = "".join(parts)
    bodies = [chunk(tool_calls=[{"id": "c1", "index": 0, "function": {"arguments": part}}]) for part in parts]
    outcome = judge(
        read_stream([events(chunk(tool_calls=[call("f", "", "c1", index=0)]), *bodies, chunk("tool_calls"))])
    )
    whole = judge(read_whole(json.dumps(completion(None, tool_calls=[call("f", text, "c1")])).encode()))
    if text.strip(" \t\n"):
        _assert_call(whole, meaning(text))
    parts = [*parts]
    while parts and parts[0].strip(" \t\n") in ("", "{}"):
        # A `{}` at the start is a placeholder, and not a part of the arguments.
        del parts[0]
    meant = meaning("".join(parts)) if parts else {}
    if meant is None and not isinstance(outcome, errors.GeminiCompatError):
        # The call is valid. So any text after its complete arguments must be the same object again.
        said = [part for part in parts if part.strip(" \t\n")]
        size = next(number for number in range(1, len(said) + 1) if meaning("".join(said[:number])) is not None)
        meant = meaning("".join(said[:size]))
        assert _repeats("".join(said[size:]), meant)
    _assert_call(outcome, meant)


def _repeats(text, meant):
    """Return whether `text` consists only of JSON objects that are equal to `meant`."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        if value != meant:
            return False
        position += len(text[position:]) - len(text[position:].lstrip())
    return True


def _assert_call(outcome, meant):
    """Assert that `outcome` is one call with the expected arguments, or an error if no arguments are expected."""
    if meant is None:
        assert isinstance(outcome, errors.MalformedToolCallError)
    else:
        assert [made["args"] for made in outcome.tool_calls] == [meant]


@pytest.mark.parametrize("args", ['{"a":"x"}', '{"a":[1,{"b":null}],"c":"\\ud83d\\ude00"}', "{ }", '{"a":1e300}'])
def test_valid_arguments_are_valid_in_any_two_pieces(args):
    """Valid arguments form a valid call, wherever they are cut into two pieces."""
    for place in range(1, len(args)):
        heads = [chunk(tool_calls=[call("f", part, "c1", index=0)]) for part in (args[:place], args[place:])]
        (made,) = judge(read_stream([events(*heads, chunk("tool_calls"))])).tool_calls
        assert made["args"] == json.loads(args)
