r"""Tests lone surrogates: `"\ud83d"` in one delta and `"\ude00"` in the next, or only one of them."""

import asyncio
import json
from functools import reduce
from operator import add

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from outgoing import PLACES
from wire import Wire, call, chunk, completion, reply

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport.sse import SseDecoder
from langchain_gemini_compat._wire.surrogates import parse_whole

DONE = "[DONE]"
FIRST, SECOND = "\ud83d", "\ude00"
LOST = "\ufffd"


@tool
def note(x: str, y: str = "") -> str:
    """Note it."""
    return x


async def _gather(model):
    return reduce(add, [piece async for piece in model.astream("hi")])


STREAMED = {
    "stream": lambda model: reduce(add, model.stream("hi")),
    "astream": lambda model: asyncio.run(_gather(model)),
    "v3": lambda model: model.stream_events("hi", version="v3").output,
}
WHOLE = {"invoke": lambda model: model.invoke("hi"), "ainvoke": lambda model: asyncio.run(model.ainvoke("hi"))}


def read(entry_point, *answers, tools=(note,), surface="vertex", **options):
    """Return the model's message if the server sends `answers`.

    Check that the message can be encoded as JSON. If it has text and no tool calls, also send it back to the model.
    """
    wire = Wire(*answers)
    options = {"max_retries": 0, **PLACES[surface], **wire.clients, **options}
    model = ChatGeminiCompat(model="gemini-3.8-flash", **options)
    message = {**STREAMED, **WHOLE}[entry_point](model.bind_tools([*tools]) if tools else model)
    # This call would raise an error if the message contained an unpaired surrogate.
    message.model_dump_json()
    if message.text and not message.tool_calls:
        wire.answers = [completion("Hm.")]
        model.invoke(
            [HumanMessage("hi"), AIMessage.model_validate({**message.model_dump(), "type": "ai"}), HumanMessage("?")]
        )
    return message


def stream(*deltas, finish="stop"):
    """Return the events of a stream: a chunk for each delta, a chunk with the finish reason, and `[DONE]`."""
    return [*(chunk(**delta) for delta in deltas), chunk(finish), DONE]


def made(message):
    """Return the calls of a message."""
    return [(made_call["name"], made_call["args"]) for made_call in message.tool_calls]


def piece(args, index=0, **more):
    """Return an entry of `tool_calls` that continues with arguments."""
    return {"index": index, "function": {"arguments": args}, **more}


TEXTS = {
    "a pair": (["a" + FIRST, SECOND + "b"], "a😀b"),
    "a pair and nothing else": ([FIRST, SECOND], "😀"),
    "an empty delta between": (["a" + FIRST, "", SECOND], "a😀"),
    "pairs in a row": (["a" + FIRST, SECOND + FIRST, SECOND + "b"], "a😀😀b"),
    "a first half alone": (["a" + FIRST, "b"], f"a{LOST}b"),
    "a first half at the end": (["a" + FIRST], f"a{LOST}"),
    "a first half before a line break": (["a" + FIRST + "\n", "b"], f"a{LOST}\nb"),
    "a second half alone": (["a", SECOND + "b"], f"a{LOST}b"),
    "two first halves": (["a" + FIRST, FIRST + "b"], f"a{LOST}{LOST}b"),
    "inside of one delta": (["a" + FIRST + "b"], f"a{LOST}b"),
    "halves the wrong way round": (["a" + SECOND, FIRST + "b"], f"a{LOST}{LOST}b"),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogates_of_a_text_are_joined_or_replaced(entry_point, name):
    """Field case A9: only complete characters are emitted and sent back."""
    pieces, text = TEXTS[name]
    assert read(entry_point, stream(*({"content": part} for part in pieces))).text == text


@pytest.mark.parametrize("surface", PLACES)
@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogates_of_a_thought_are_joined(entry_point, key, surface):
    """Field case A9: on each surface, surrogates of thoughts are joined separately from the text."""
    events = stream({key: "a" + FIRST}, {key: SECOND + "b"}, {"content": "Hi."})
    message = read(entry_point, events, surface=surface, tools=())
    assert [block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning"] == ["a😀b"]
    assert message.text == "Hi."


@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogate_of_a_thought_is_not_joined_with_the_text(entry_point):
    """Field case A9: thoughts come in a field of their own, or in a `content` that is flagged as a thought."""
    message = read(entry_point, stream({"reasoning_content": "a" + FIRST}, {"content": SECOND + "b"}), tools=())
    thoughts = [block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning"]
    assert (message.text, "".join(thoughts)) == (f"{LOST}b", f"a{LOST}")
    flagged = {"content": "<thought>a" + FIRST, "extra_content": {"google": {"thought": True}}}
    message = read(entry_point, stream(flagged, {"content": f"{SECOND}</thought>b"}), tools=())
    assert SECOND not in json.dumps(message.content, ensure_ascii=False)
    assert message.text.endswith("b")


CALLS = {
    "halves": ([[call("note", '{"x":"a' + FIRST, index=0)], [piece(SECOND + '"}')]], [("note", {"x": "a😀"})]),
    "escaped twice": ([[call("note", '{"x":"a\\ud83d', index=0)], [piece('\\ude00"}')]], [("note", {"x": "a😀"})]),
    "no index": ([[call("note", '{"x":"a' + FIRST)], [piece(SECOND + '"}', None)]], [("note", {"x": "a😀"})]),
    "the id again, another index": (
        [[call("note", '{"x":"a' + FIRST, index=0)], [piece(SECOND + '"}', 1, id="call-1")]],
        [("note", {"x": "a😀"})],
    ),
    "two calls by turns": (
        [
            [call("note", '{"x":"a' + FIRST, "c1", index=0), call("note", '{"x":"b' + FIRST, "c2", index=1)],
            [piece("\ude01" + '"}', 1), piece(SECOND + '"}', 0)],
        ],
        [("note", {"x": "a😀"}), ("note", {"x": "b😁"})],
    ),
    "of a name": (
        [[call("say" + FIRST, "", index=0)], [{"index": 0, "function": {"name": SECOND, "arguments": '{"x":"a"}'}}]],
        [("say😀", {"x": "a"})],
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogates_of_a_call_are_joined(entry_point, name):
    """Field case A9: surrogates are joined in the arguments and the name, separately for each call."""
    entries, expected = CALLS[name]
    message = read(
        entry_point,
        stream(*({"tool_calls": one} for one in entries), finish="tool_calls"),
        tools=() if name == "of a name" else [note],
    )
    assert made(message) == expected


@pytest.mark.parametrize(
    "entries",
    [
        [[call("note", '{"x":"a' + FIRST, index=0)], [piece('b"}')]],
        [[call("note", '{"x":"a' + FIRST + 'b"}', index=0)]],
        [[call("note", '{"x":"a' + SECOND + '"}', index=0)]],
        [[call("note" + FIRST, "{}", index=0)]],
        [[call("note", '{"x":"a"}' + FIRST, index=0)]],
    ],
)
@pytest.mark.parametrize("entry_point", STREAMED)
def test_lone_surrogate_in_a_call_is_an_error(entry_point, entries):
    """Field case A9: with a replacement character, the tool would run with other arguments than the model's."""
    events = stream(*({"tool_calls": one} for one in entries), finish="tool_calls")
    with pytest.raises((errors.InvalidReplyError, errors.MalformedToolCallError)):
        read(entry_point, events)


@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogate_is_not_joined_with_another_call(entry_point):
    """Field case A9: half a surrogate pair in truncated arguments is an error, and is not joined with the next call."""
    entries = [call("note", '{"x":"a' + FIRST, "c1", index=0)], [call("note", '{"x":"b"}', "c2", index=0)]
    events = stream(*({"tool_calls": one} for one in entries), finish="tool_calls")
    with pytest.raises((errors.InvalidReplyError, errors.MalformedToolCallError)):
        read(entry_point, events)


def test_surrogate_is_not_joined_with_another_choice():
    """Field case A9: with `n=2`, the two halves of a surrogate pair are joined only if they are in the same choice."""
    events = stream({"content": "a" + FIRST}, {"content": "b" + FIRST}, {"content": SECOND}, {"content": "c"})
    events[1]["choices"][0]["index"] = events[3]["choices"][0]["index"] = 1
    last = json.loads(json.dumps(events[4]))
    last["choices"][0]["index"] = 1
    events.insert(5, last)
    decoder = SseDecoder()
    body = "".join(f"data: {event if event == DONE else json.dumps(event)}\n\n" for event in events).encode()
    texts = {0: "", 1: ""}
    for value in decoder.feed(body):
        for joined in decoder.joiner.join(value):
            for choice in joined.get("choices", ()):
                texts[choice["index"]] += choice["delta"].get("content", "")
    assert texts == {0: "a😀", 1: f"b{LOST}c"}


@pytest.mark.parametrize("finish", ["every", "last"])
@pytest.mark.parametrize("entry_point", STREAMED)
def test_surrogates_are_joined_with_any_finish_reason(entry_point, finish):
    """The finish reason `stop` comes with every chunk, or with the second surrogate."""
    pieces = chunk("stop" if finish == "every" else None, content="a" + FIRST), chunk("stop", content=SECOND)
    assert read(entry_point, [*pieces, DONE]).text == "a😀"
    assert read(entry_point, [*pieces]).text == "a😀"
    assert read(entry_point, [pieces[0], chunk("stop")]).text == f"a{LOST}"


def test_surrogates_in_bytes_are_read_like_escaped_ones():
    """Some servers encode each half of a surrogate pair separately as UTF-8."""
    body = "".join(
        f"data: {event if event == DONE else json.dumps(event, ensure_ascii=False)}\n\n"
        for event in stream({"content": "a" + FIRST}, {"content": SECOND + "b"})
    ).encode(errors="surrogatepass")
    answer = reply(body, headers={"content-type": "text/event-stream"})
    assert read("stream", answer, tools=()).text == "a😀b"


@pytest.mark.parametrize("entry_point", [*WHOLE, *STREAMED])
def test_surrogates_in_a_whole_reply_are_an_error(entry_point):
    """A lone surrogate in a text or in arguments shows that the reply is damaged."""
    damaged = completion(None, finish="tool_calls", tool_calls=[call("note", '{"x":"a' + FIRST + '"}')])
    for answer in (completion("a" + FIRST), completion("Hm.", reasoning_content="b" + SECOND), damaged):
        with pytest.raises(errors.InvalidReplyError):
            read(entry_point, json.dumps(answer))


@pytest.mark.parametrize("entry_point", [*WHOLE, *STREAMED])
def test_error_with_a_surrogate_is_raised(entry_point):
    """The server sends the error with a status, or as an event of the stream."""
    error = {"error": {"code": 429, "message": f"Quota {FIRST}", "status": "RESOURCE_EXHAUSTED"}}
    answers = [reply(json.dumps(error), status=429)] + (
        [[chunk(content="a"), error]] if entry_point in STREAMED else []
    )
    for answer in answers:
        with pytest.raises(errors.RateLimitError, match=f"Quota {LOST}"):
            read(entry_point, answer)


@pytest.mark.parametrize(
    "body",
    [rb'{"a": "\ud83d', rb'{"a": "\ud83d"} x', b'{"a": "\\ud83d"' + b', "b": ' + b"[" * 10**5, b'{"a": "\xff\\ud83d"}'],
)
def test_invalid_json_with_surrogates_raises(body):
    with pytest.raises(ValueError, match=r"."):
        parse_whole(body)
    with pytest.raises(errors.InvalidReplyError):
        read("stream", reply(b"data: " + body + b"\n\n", headers={"content-type": "text/event-stream"}))


def test_memory_of_waiting_surrogates_is_bounded():
    """The first half of a surrogate pair waits for the second half. Of hundreds of first halves, at most 64 wait."""
    events = [chunk(content=FIRST) for _ in range(500)]
    for number, event in enumerate(events):
        event["choices"][0]["index"] = number
    joiner = SseDecoder().joiner
    joined = [value for event in events for value in joiner.join(event)]
    assert len(joined) == 500 + 500 - 64
    assert len([*joiner.finish()]) == 64
    calls = [chunk(tool_calls=[piece(FIRST, index)]) for index in range(500)]
    with pytest.raises(ValueError, match="unpaired surrogate"):
        [value for event in calls for value in joiner.join(event)]
