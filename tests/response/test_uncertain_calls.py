"""Tests truncated, repeated, fragmented or only announced tool calls. Each call runs correctly or not at all."""

import asyncio
import json
from functools import reduce
from operator import add

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from outgoing import PLACES, SURFACES
from pydantic import BaseModel, ValidationError
from wire import Wire, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._response.finish_reasons import classify_ending, is_at_least_as_severe, to_core_reason
from langchain_gemini_compat._response.tool_calls import ToolCallTracker
from langchain_gemini_compat._response.v3_events import CORE_TAKES_PIECES

DONE = "[DONE]"
MALFORMED, TRUNCATED = errors.MalformedToolCallError, errors.TruncatedStreamError
RAN = []


@tool
def delete(number: int = 0) -> str:
    """Delete a record."""
    RAN.append(("delete", {"number": number}))
    return "done"


@tool
def delete_draft(number: int = 0) -> str:
    """Delete a draft."""
    RAN.append(("delete_draft", {"number": number}))
    return "done"


@tool
def pay(amount: int) -> str:
    """Pay."""
    RAN.append(("pay", {"amount": amount}))
    return "done"


TOOLS = [delete, delete_draft, pay]
PAY = ("pay", {"amount": 1})


class Payment(BaseModel):
    """A payment."""

    amount: int


def entry(name=None, call_id=None, args=None, index=None):
    """Return an entry of `tool_calls` without the keys that are `None`."""
    function = {key: value for key, value in (("name", name), ("arguments", args)) if value is not None}
    fields = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in fields.items() if value is not None}


def calls(*entries, finish=None):
    """Return a chunk with these entries."""
    return chunk(finish, tool_calls=[*entries])


def build(*answers, surface="vertex", **options):
    """Return a model whose server sends `answers`."""
    wire = Wire(*answers)
    return ChatGeminiCompat(
        model="gemini-3.8-flash", **{"max_retries": 0, **PLACES[surface], **wire.clients, **options}
    ), wire


def whole(events):
    """Return the whole reply for `events`, with only the entries whose arguments are complete."""
    deltas = [choice["delta"] for event in events if event != DONE for choice in event["choices"]]
    finish = [choice.get("finish_reason") for event in events if event != DONE for choice in event["choices"]]
    text = "".join(delta.get("content") or "" for delta in deltas)
    entries = [item for delta in deltas for item in delta.get("tool_calls", ())]
    more = {"tool_calls": entries} if entries else {}
    return completion(text, finish=next((word for word in finish if word), None), **more)


def _invoke(model):
    return model.invoke("hi")


def _stream(model):
    return reduce(add, model.stream("hi"))


def _ainvoke(model):
    return asyncio.run(model.ainvoke("hi"))


async def _gather(model):
    return reduce(add, [piece async for piece in model.astream("hi")])


def _astream(model):
    return asyncio.run(_gather(model))


def _v3(model):
    return model.stream_events("hi", version="v3").output


STREAMED = {"stream": _stream, "astream": _astream, "v3": _v3}
WHOLE = {"invoke": _invoke, "ainvoke": _ainvoke}


def read(entry_point, answer, **options):
    """Return the message for `answer`, or the error."""
    model, _ = build(answer, **options)
    try:
        return {**STREAMED, **WHOLE}[entry_point](model.bind_tools(TOOLS))
    except errors.GeminiCompatError as err:
        return err


def made(message):
    """Return the calls of a message, or the error."""
    if isinstance(message, Exception):
        return type(message)
    return [(call["name"], call["args"]) for call in message.tool_calls]


def run_agent(*answers, stream=False, **options):
    """Return the calls that an agent ran, and the error that ended it."""
    RAN.clear()
    model, _ = build(*answers, **options)
    agent = create_agent(model, TOOLS)
    try:
        if stream:
            for _ in agent.stream({"messages": [("user", "hi")]}, stream_mode="messages"):
                pass
        else:
            agent.invoke({"messages": [("user", "hi")]})
    except errors.GeminiCompatError as err:
        return [*RAN], type(err)
    return [*RAN], None


HEAD = entry("delete", "f1", "", 1)
BEGUN = entry("pay", "c1", '{"amount":1}', 0)

#: Each case has the events of a stream, and the expected calls or the expected error.
CASES = {
    "A1: a head, then length": ([calls(HEAD), chunk("length"), DONE], MALFORMED),
    "A1: a head without the key, then length": ([calls(entry("delete", "f1")), chunk("length"), DONE], MALFORMED),
    "A1: {} may be a placeholder, then length": ([calls(entry("delete", "f1", "{}")), chunk("length"), DONE], MALFORMED),
    "A1: MAX_TOKENS": ([calls(HEAD), chunk("MAX_TOKENS"), DONE], MALFORMED),
    "A1: only [DONE]": ([calls(HEAD), DONE], MALFORMED),
    "A1: an unknown finish reason": ([calls(HEAD), chunk("bored"), DONE], MALFORMED),
    "A1: an unknown finish reason, whole arguments": ([calls(BEGUN), chunk("bored"), DONE], MALFORMED),
    "A1: a whole call, then a head, then length": ([calls(BEGUN, entry("delete", "c2", "", 1)), chunk("length")], MALFORMED),
    "A1: a filter": ([calls(HEAD), chunk("SAFETY"), DONE], MALFORMED),
    "A1: stop": ([calls(HEAD), chunk("stop"), DONE], [("delete", {})]),
    "A1: tool_calls, no [DONE]": ([calls(HEAD), chunk("tool_calls")], [("delete", {})]),
    "A1: TGI's eos_token": ([calls(HEAD), chunk("eos_token"), DONE], [("delete", {})]),
    "A1: Anthropic's tool_use": ([calls(HEAD), chunk("tool_use"), DONE], [("delete", {})]),
    "A1: whole arguments, then length": ([calls(BEGUN), chunk("length"), DONE], [PAY]),
    "A2: again, index 0": ([calls(BEGUN), calls(BEGUN, finish="tool_calls"), DONE], [PAY]),
    "A2: again, index 1": ([calls(BEGUN), calls(entry("pay", "c1", '{"amount":1}', 1), finish="tool_calls")], [PAY]),
    "A2: again, no index": ([calls(BEGUN), calls(entry("pay", "c1", '{"amount":1}'), finish="tool_calls")], [PAY]),
    "A2: again, other white space": ([calls(BEGUN), calls(entry("pay", "c1", ' { "amount" : 1.0 }'), finish="stop")], [PAY]),
    "A2: again, after the finish": ([calls(BEGUN, finish="tool_calls"), calls(BEGUN), DONE], [PAY]),
    "A2: again, the head alone": ([calls(BEGUN), calls(entry("pay", "c1", "")), chunk("tool_calls")], [PAY]),
    "A2: again, without arguments": (
        [calls(entry("delete", "c1", "{}")), calls(entry("delete", "c1", "{}"), finish="tool_calls")],
        [("delete", {})],
    ),
    "A2: again, in pieces": (
        [calls(BEGUN), calls(entry("pay", "c1", '{"amo')), calls(entry(None, None, 'unt":1}'), finish="tool_calls")],
        [PAY],
    ),
    "A2: again, in pieces behind a head": (
        [calls(BEGUN), calls(entry("pay", "c1", "")), calls(entry(None, None, '{"amount":1}'), finish="stop")],
        [PAY],
    ),
    "A2: again, cut": ([calls(BEGUN), calls(entry("pay", "c1", '{"amo')), chunk("tool_calls")], MALFORMED),
    "A2: again, then {}": ([calls(BEGUN), calls(entry("pay", "c1", "{}"), finish="tool_calls")], MALFORMED),
    "A2: both of two": (
        [
            calls(BEGUN, entry("delete", "c2", '{"number":2}', 1)),
            calls(BEGUN, entry("delete", "c2", '{"number":2}', 0), finish="tool_calls"),
        ],
        [PAY, ("delete", {"number": 2})],
    ),
    "A2: between the pieces of another": (
        [
            calls(BEGUN, entry("delete", "c2", '{"num', 1)),
            calls(BEGUN),
            calls(entry(None, "c2", 'ber":2}', 1), finish="tool_calls"),
        ],
        [PAY, ("delete", {"number": 2})],
    ),
    "A2: again, the id is a number": ([calls(entry("pay", 5, '{"amount":1}', 0))] * 2 + [chunk("tool_calls")], [PAY]),
    "A2: again, the id is 0": ([calls(entry("pay", 0, '{"amount":1}', 0))] * 2 + [chunk("tool_calls")], [PAY]),
    "A2: another number as id": (
        [calls(entry("pay", 5, '{"amount":1}')), calls(entry("pay", 6, '{"amount":1}'), finish="stop")],
        [PAY, PAY],
    ),
    "A2: its id is the tool's name": (
        [calls(entry("pay", "pay", '{"amount":1}')), calls(entry("pay", "pay", '{"amount":1}'), finish="stop")],
        [PAY, PAY],
    ),
    "A2: no id": (
        [calls(entry("pay", None, '{"amount":1}')), calls(entry("pay", None, '{"amount":1}'), finish="stop")],
        [PAY, PAY],
    ),
    "A2: an id of its own": ([calls(BEGUN), calls(entry("pay", "c2", '{"amount":1}'), finish="stop")], [PAY, PAY]),
    "A2: without the id that the first had": (
        [calls(BEGUN), calls(entry("pay", None, '{"amount":1}'), finish="stop")],
        MALFORMED,
    ),
    "A2: true is not 1": (
        [calls(BEGUN), calls(entry("pay", "c1", '{"amount":true}'), finish="stop")],
        [PAY, ("pay", {"amount": True})],
    ),
    "A3: two pieces": (
        [calls(entry("delete", "c1", "")), calls(entry("_draft")), calls(entry(None, None, '{"number":7}')), chunk("stop")],
        [("delete_draft", {"number": 7})],
    ),
    "A3: two pieces, the second with the arguments": (
        [calls(entry("delete", "c1", "")), calls(entry("_draft", None, '{"number":7}'), finish="stop")],
        [("delete_draft", {"number": 7})],
    ),
    "A3: two pieces, each with the id": (
        [calls(entry("delete", "c1", "")), calls(entry("_draft", "c1", '{"number":7}'), finish="stop")],
        [("delete_draft", {"number": 7})],
    ),
    "A3: letters": (
        [*(calls(entry(piece, "c1")) for piece in ("p", "a", "y")), calls(entry(None, "c1", '{"amount":1}'), finish="stop")],
        [PAY],
    ),
    "A3: no arguments": ([calls(entry("delete", "c1")), calls(entry("_draft")), chunk("stop")], [("delete_draft", {})]),
    "A3: the name so far, which is a tool's": (
        [calls(entry("delete", "c1")), calls(entry("delete_draft", None, '{"number":7}'), finish="stop")],
        MALFORMED,
    ),
    "A3: the name so far, which is none": (
        [calls(entry("delete_dr", "c1")), calls(entry("delete_draft", None, '{"number":7}'), finish="stop")],
        [("delete_draft", {"number": 7})],
    ),
    "A3: the name again": (
        [calls(entry("delete", "c1")), calls(entry("delete", "c1", '{"number":7}'), finish="stop")],
        [("delete", {"number": 7})],
    ),
    "A3: a piece under another id": ([calls(entry("delete", "c1")), calls(entry("_draft", "c2"), finish="stop")], MALFORMED),
    "A3: a piece after the arguments": (
        [calls(entry("delete", "c1", '{"number":7}')), calls(entry("_draft"), finish="stop")],
        MALFORMED,
    ),
    "A3: a piece after another call began": (
        [calls(entry("delete", "c1")), calls(BEGUN), calls(entry("_draft"), finish="stop")],
        MALFORMED,
    ),
    "A3: pieces that are no tool": ([calls(entry("delete", "c1")), calls(entry("_dr"), finish="stop")], MALFORMED),
    "A3: a piece that makes no tool's name": (
        [calls(entry("delete", "c1", "")), calls(entry("_foo", None, '{"number":7}'), finish="stop")],
        MALFORMED,
    ),
    "A3: a piece under the same id that makes no tool's name": (
        [calls(entry("delete", "c1", "")), calls(entry("_foo", "c1", '{"number":7}'), finish="stop")],
        MALFORMED,
    ),
    "A3: another tool": (
        [calls(entry("delete", "c1")), calls(entry("pay", "c2", '{"amount":1}'), finish="stop")],
        [("delete", {}), PAY],
    ),
    "A5: abort after a call": ([calls(BEGUN), chunk("abort"), DONE], TRUNCATED),
    "A5: abort after text": ([chunk(content="par"), chunk("abort"), DONE], TRUNCATED),
    "A5: stop after abort": ([calls(BEGUN), chunk("abort"), chunk("stop"), DONE], TRUNCATED),
    "A5: insufficient_system_resource": ([calls(BEGUN), chunk("insufficient_system_resource"), DONE], TRUNCATED),
    "A5: cancelled": ([calls(BEGUN), chunk("cancelled"), DONE], TRUNCATED),
    "A7: announced and not sent": ([chunk(content="Let me see."), chunk("tool_calls"), DONE], MALFORMED),
    "A7: announced, an empty list": ([chunk("tool_calls", content="Let me see.", tool_calls=[]), DONE], MALFORMED),
    "A7: announced in the old form": ([chunk(content="I see."), chunk("function_call"), DONE], MALFORMED),
    "A7: an id and nothing else": ([chunk(content="I see.", tool_calls=[{"id": "c1"}]), chunk("stop"), DONE], MALFORMED),
    "A8: encoded twice": ([calls(entry("pay", "c1", json.dumps('{"amount": 1}')), finish="stop")], [PAY]),
    "A8: encoded twice, empty": ([calls(entry("delete", "c1", json.dumps("{}")), finish="stop")], [("delete", {})]),
    "A8: encoded twice, cut": ([calls(entry("pay", "c1", '"{\\"amount\\": 1'), finish="length")], MALFORMED),
    "A8: encoded twice, not what the schema asks": (
        [calls(entry("pay", "c1", json.dumps('{"sum": 1}')), finish="stop")],
        MALFORMED,
    ),
    "A8: encoded three times": ([calls(entry("pay", "c1", json.dumps(json.dumps('{"amount":1}'))), finish="stop")], MALFORMED),
    "A8: null for no arguments": ([calls(entry("delete", "c1", "null"), finish="stop")], [("delete", {})]),
    "A8: null, then length": ([calls(entry("delete", "c1", "null"), finish="length")], MALFORMED),
    "A8: null where arguments are needed": ([calls(entry("pay", "c1", "null"), finish="stop")], MALFORMED),
    "A8: null for an unknown tool": ([calls(entry("unknown", "c1", "null"), finish="stop")], MALFORMED),
    "A9: arguments again": ([calls(BEGUN), calls(entry(None, None, '{"amount":1}'), finish="tool_calls")], [PAY]),
    "A9: arguments again, with the index": ([calls(BEGUN), calls(entry(None, None, '{"amount":1}', 0), finish="stop")], [PAY]),
    "A9: arguments again, with the id": ([calls(BEGUN), calls(entry(None, "c1", '{"amount":1}'), finish="stop")], [PAY]),
    "A9: arguments again, in pieces": (
        [calls(BEGUN), calls(entry(None, None, '{"amo')), calls(entry(None, None, 'unt":1}'), finish="stop")],
        [PAY],
    ),
    "A9: other arguments": ([calls(BEGUN), calls(entry(None, None, '{"amount":2}'), finish="stop")], MALFORMED),
    "A9: other arguments, in pieces": (
        [calls(BEGUN), calls(entry(None, None, '{"amo')), calls(entry(None, None, 'unt":2}'), finish="stop")],
        MALFORMED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("entry_point", ["stream", "v3"])
def test_an_uncertain_call_of_a_stream_is_an_error(name, entry_point):
    """Field cases A1, A2, A3, A5, A7, A8 and A9: the result has exactly the calls of the model, or is an error."""
    events, expected = CASES[name]
    assert made(read(entry_point, events)) == expected


@pytest.mark.parametrize("name", CASES)
def test_an_uncertain_call_of_a_whole_reply_is_an_error(name):
    """Field cases A1, A2, A3, A5, A7, A8 and A9: a whole reply gives the same calls, or the same error, as a stream."""
    events, expected = CASES[name]
    assert made(read("invoke", whole(events))) == expected


@pytest.mark.parametrize("name", [name for name in CASES if name[:2] in ("A1", "A3", "A5", "A7")][::3])
@pytest.mark.parametrize("surface", SURFACES)
def test_uncertain_call_is_an_error_on_each_surface(name, surface):
    """Field cases A1, A3, A5 and A7: async calls raise the error on each surface."""
    events, expected = CASES[name]
    assert made(read("astream", events, surface=surface)) == expected
    assert made(read("ainvoke", whole(events), surface=surface)) == expected


@pytest.mark.parametrize("name", [name for name, (_, expected) in CASES.items() if isinstance(expected, type)])
def test_an_agent_runs_no_tool_of_an_uncertain_reply(name):
    """Field cases A1 to A9: neither `invoke` nor `stream` of an agent runs anything."""
    events, expected = CASES[name]
    assert run_agent(events, stream=True) == ([], expected)
    assert run_agent(whole(events)) == ([], expected)


def test_repeated_payment_runs_once():
    """Field case A2: an agent runs the call once, whatever index the repetition has."""
    for index in (0, 1, None):
        events = [calls(BEGUN), calls(entry("pay", "c1", '{"amount":1}', index), finish="tool_calls"), DONE]
        assert run_agent(events, [chunk("stop", content="Paid."), DONE], stream=True) == ([PAY], None)


def test_structured_output_refuses_an_uncertain_call():
    """Field cases A1 and A3: the call that returns structured output follows the same rules as other tool calls."""
    for events in (
        [calls(entry("Payment", "c1", "{}")), chunk("length"), DONE],
        [calls(entry("Pay", "c1"), finish="stop"), DONE],
    ):
        model, _ = build(events)
        with pytest.raises((errors.MalformedToolCallError, ValueError)):
            list(model.with_structured_output(Payment, method="function_calling").stream("hi"))
    twice = json.dumps('{"amount": 3}')
    model, _ = build(completion(None, tool_calls=[entry("Payment", "c1", twice)]))
    assert model.with_structured_output(Payment, method="function_calling").invoke("hi") == Payment(amount=3)


def test_partial_name_is_not_emitted():
    """Field case A3: the stream never contains the name `delete` if the call is `delete_draft`."""
    tracker = ToolCallTracker("seed", names={"delete", "delete_draft", "pay"})
    assert list(tracker.feed([entry("delete", "c1", "")])) == []
    assert next(iter(tracker.feed([entry("_draft")]))).name == "delete_draft"
    assert next(iter(tracker.feed([entry("pay", "c2", "")]))).name == "pay"


def test_names_are_not_joined_without_bound_tools():
    """Field case A3: if no tools are bound, `_draft` may continue the name `delete` or begin a second call.

    So both calls are invalid.
    """
    tracker = ToolCallTracker("seed")
    list(tracker.feed([entry("delete", "c1", ""), entry("_draft", None, "{}")]))
    list(tracker.finish())
    assert [call.name for call in tracker.list_invalid()] == ["delete", "_draft"]


# Tests of replies with several choices.


def choice(number, finish=None, **fields):
    """Return a choice of a whole reply or of a chunk; without an index if `number` is `None`."""
    held = {"finish_reason": finish, **fields}
    return held if number is None else {"index": number, **held}


def several(*choices, key):
    """Return a whole reply or a chunk with these choices."""
    kind = "chat.completion" if key == "message" else "chat.completion.chunk"
    return {
        "id": "r",
        "object": kind,
        "model": "m",
        "choices": [choice(*head, **{key: fields}) for head, fields in choices],
    }


PAYS = {"role": "assistant", "tool_calls": [entry("pay", "c1", '{"amount":1}')]}
SAYS = {"role": "assistant", "content": "Let me pay."}
CHOICES = {
    "text, then calls": ([((0, "stop"), SAYS), ((1, "tool_calls"), PAYS)], ("Let me pay.", [PAY])),
    "text, then calls, both 0": ([((0, "stop"), SAYS), ((0, "tool_calls"), PAYS)], ("Let me pay.", [PAY])),
    "text, then calls, no index": ([((None, "stop"), SAYS), ((None, "tool_calls"), PAYS)], ("Let me pay.", [PAY])),
    "calls, then text": ([((0, "tool_calls"), PAYS), ((1, "stop"), SAYS)], ("Let me pay.", [PAY])),
    "calls twice": ([((0, "tool_calls"), PAYS), ((1, "tool_calls"), {**PAYS, "tool_calls": [entry("pay", "c2", '{"amount":2}')]})], MALFORMED),
    "two answers, one with calls": ([((0, "stop"), SAYS), ((1, "tool_calls"), {**PAYS, "content": "Or so."})], MALFORMED),
    "two answers": ([((0, "stop"), SAYS), ((1, "length"), {"content": "Or so."})], ("Let me pay.", [])),
    "calls that are announced only": ([((0, "stop"), SAYS), ((1, "tool_calls"), {"role": "assistant"})], MALFORMED),
    "calls that are cut": ([((0, "stop"), SAYS), ((1, "length"), {"tool_calls": [entry("delete", "c1")]})], MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_unrequested_choices_are_one_message(name):
    """Field case A4: the server puts the text into one choice and the tool calls into another choice."""
    choices, expected = CHOICES[name]
    replies = {
        "invoke": several(*choices, key="message"),
        "stream": [several(*choices, key="delta"), DONE],
        "v3": [*(several(one, key="delta") for one in choices), DONE],
    }
    for entry_point, reply in replies.items():
        message = read(entry_point, reply)
        found = type(message) if isinstance(message, Exception) else (message.text, made(message))
        assert found == expected, entry_point


def test_requested_choices_are_separate_messages():
    """Field case A4: with `n=2` there are two messages, each with its own calls."""
    reply = several(((0, "stop"), SAYS), ((1, "tool_calls"), PAYS), key="message")
    model, _ = build(reply, surface="openai_compatible", n=2)
    first, second = model.generate([[HumanMessage("hi")]]).generations[0]
    assert (first.message.text, first.message.tool_calls) == ("Let me pay.", [])
    assert (second.message.text, made(second.message)) == ("", [PAY])


# Tests of streams whose last chunk has the complete reply.


@pytest.mark.parametrize("delta", [None, {}, {"content": ""}, {"role": "assistant"}])
@pytest.mark.parametrize("kind", ["chat.completion.chunk", "chat.completion", None])
@pytest.mark.parametrize("entry_point", ["stream", "v3"])
def test_last_chunk_with_the_complete_message_adds_nothing(delta, kind, entry_point):
    """Field case A9: a complete message in the last chunk does not repeat the text and the calls of the deltas."""
    last = chunk("tool_calls")
    last["choices"][0]["message"] = {**SAYS, **PAYS}
    del last["choices"][0]["delta"], last["object"]
    if delta is not None:
        last["choices"][0]["delta"] = delta
    if kind:
        last["object"] = kind
    message = read(entry_point, [chunk(content="Let me "), chunk(content="pay."), calls(BEGUN), last, DONE])
    assert (message.text, made(message)) == ("Let me pay.", [PAY])


@pytest.mark.parametrize("delta", [{}, {"role": "assistant"}, {"role": "assistant", "content": ""}])
@pytest.mark.parametrize("entry_point", ["stream", "v3"])
def test_complete_message_beside_a_delta_without_content_is_read(delta, entry_point):
    """Field case A9: the only chunk of the stream has a `delta` without content, and the whole reply in `message`."""
    only = chunk("tool_calls")
    only["choices"][0] |= {"delta": delta, "message": {**SAYS, **PAYS}}
    message = read(entry_point, [only, DONE])
    assert (message.text, made(message)) == ("Let me pay.", [PAY])


def test_last_chunk_adds_what_no_delta_had():
    """Field case A9: the last chunk has the complete message.

    A call that no delta had is added. A call that contradicts a delta is an error.
    """
    last = chunk("tool_calls")
    last["choices"][0]["message"] = {**SAYS, **PAYS}
    assert made(read("stream", [chunk(content="Let me pay."), last, DONE])) == [PAY]
    other = calls(entry("delete", "c9", '{"number":1}'))
    assert made(read("stream", [other, last, DONE])) == [("delete", {"number": 1}), PAY]
    last["choices"][0]["message"] = {"tool_calls": [entry(None, None, '{"number":2}')]}
    assert made(read("stream", [other, last, DONE])) == MALFORMED


def with_message(*entries, **fields):
    """Return a chunk with these entries, whose delta has the key `message`."""
    event = chunk(**fields)
    event["choices"][0]["message"] = {"role": "assistant", "tool_calls": [*entries]}
    del event["choices"][0]["delta"]
    return event


NAMED = entry("pay", None, '{"amount":1}')


@pytest.mark.parametrize("kind", ["chat.completion.chunk", "chat.completion", None])
def test_repeated_message_adds_no_call(kind):
    """Field cases A2 and A9: a `message` repeats all or part of the reply, with or without ids."""
    other = entry("pay", "c2", '{"amount":2}', 1)
    cases = (
        ([calls(BEGUN), calls(other), with_message(NAMED)], [PAY, ("pay", {"amount": 2})]),
        ([calls(BEGUN), calls(other), with_message(entry("pay", "c9", '{"amount":2}'))], [PAY, ("pay", {"amount": 2})]),
        ([with_message(NAMED), with_message(NAMED)], [PAY]),
        ([with_message(NAMED), with_message(NAMED, entry("pay", None, '{"amount":3}'))], [PAY, ("pay", {"amount": 3})]),
        ([with_message(NAMED), with_message(NAMED, NAMED)], [PAY, PAY]),
    )
    for events, expected in cases:
        for event in events:
            if kind:
                event["object"] = kind
            else:
                event.pop("object", None)
        assert made(read("stream", [*events, chunk("tool_calls"), DONE])) == expected


# Tests of errors, refusals and late calls.


@pytest.mark.parametrize(
    "late", [entry("delete", "c2", "", 1), entry("delete", "c2", '{"number":1}', 1), entry("delete")]
)
def test_call_after_the_end_is_an_error(late):
    """Field case A1: a new call after `[DONE]` is an error, even without arguments. A repeated call is ignored."""
    end = chunk("tool_calls")
    assert run_agent([calls(BEGUN), end, DONE, calls(late)], stream=True) == ([], MALFORMED)
    assert run_agent([chunk("stop", content="Hm."), DONE, calls(late)], stream=True) == ([], MALFORMED)
    assert made(read("stream", [calls(BEGUN), end, DONE, calls(BEGUN), DONE])) == [PAY]


@pytest.mark.parametrize("key", ["message", "delta"])
@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_call_with_a_refusal_does_not_run(key, numbers):
    """Field case A4: the refusal is in the same choice as the call or in another one."""
    refused, called = {"refusal": "I will not."}, {"tool_calls": [entry("pay", "c1", '{"amount":1}')]}
    two = several(((numbers[0], "stop"), refused), ((numbers[1], "tool_calls"), called), key=key)
    one = several(((0, "tool_calls"), {**refused, **called}), key=key)
    for reply in (two, one):
        answer, stream = (reply, False) if key == "message" else ([reply, DONE], True)
        assert run_agent(answer, stream=stream) == ([], errors.BlockedError)
        assert run_agent(answer, stream=stream, **KEEP) == ([], errors.BlockedError)


@pytest.mark.parametrize("key", ["message", "delta"])
@pytest.mark.parametrize("error", ["boom", {"code": 500, "message": "boom"}, {"message": "boom"}])
def test_an_error_in_a_message_is_an_error(key, error):
    """Field case G11: the key `error` of a message raises an error, even if the reply has a call or a text."""
    for fields in ({"tool_calls": [entry("pay", "c1", '{"amount":1}')]}, {"content": "Hm."}):
        for choices in (
            [((0, "stop"), {**fields, "error": error})],
            [((0, "stop"), fields), ((1, "stop"), {"error": error})],
        ):
            reply = several(*choices, key=key)
            message = read("invoke", reply) if key == "message" else read("stream", [reply, DONE])
            assert isinstance(message, errors.GeminiCompatError)
            assert "boom" in str(message)
    none = several(((0, "stop"), {"content": "Hm.", "error": None}), key=key)
    assert (read("invoke", none) if key == "message" else read("stream", [none, DONE])).text == "Hm."


# Tests of the model's own finish reason.


@pytest.mark.parametrize("place", ["choice", "provider_specific_fields"])
@pytest.mark.parametrize("word", ["stop", "content_filter", "error"])
@pytest.mark.parametrize("native", ["SAFETY", "PROHIBITED_CONTENT"])
def test_a_native_reason_for_a_block_is_a_refusal_after_one_request(place, word, native):
    """Field case G3: a native finish reason such as `SAFETY` gives a refusal, whatever the `finish_reason` is."""
    extra = {"native_finish_reason": native}
    extra = extra if place == "choice" else {place: extra}
    reply, event = completion(None, finish=word), chunk(word)
    reply["choices"][0].update(extra)
    event["choices"][0].update(extra)
    for answer, ask in ((reply, _invoke), ([event, DONE], _stream)):
        model, wire = build(answer, max_retries=2)
        message = ask(model)
        assert [block["type"] for block in message.content_blocks] == ["refusal"]
        assert message.response_metadata["native_finish_reason"] == native
        assert len(wire.requests) == 1


@pytest.mark.parametrize("word", ["stop", "content_filter", "error"])
def test_a_native_reason_for_a_malformed_call_is_its_error(word):
    """Field case G3: the finish reason of a malformed call is `error` from OpenRouter and `stop` from LiteLLM.

    The native finish reason shows that the call is malformed.
    """
    reply, event = completion("Hm.", finish=word), chunk(word, content="Hm.")
    for one in (reply, event):
        one["choices"][0]["native_finish_reason"] = "MALFORMED_FUNCTION_CALL"
    assert made(read("invoke", reply)) == made(read("stream", [event, DONE])) == MALFORMED


@pytest.mark.parametrize("native", ["STOP", "tool_use", "completed", "bored", None, 5])
def test_unknown_native_reason_changes_nothing(native):
    """Field case G3: with the finish reason `tool_calls`, an unknown native finish reason invalidates no call."""
    event = calls(BEGUN, finish="tool_calls")
    event["choices"][0]["native_finish_reason"] = native
    assert made(read("stream", [event, DONE])) == [PAY]


def with_native(native, finish, place="choice", **fields):
    """Return the last chunk of a stream, with `native` as its `native_finish_reason`.

    This key is in the choice, or in the object `place` of the choice.
    """
    event = chunk(finish, **fields)
    extra = {"native_finish_reason": native}
    event["choices"][0].update(extra if place == "choice" else {place: extra})
    return event


@pytest.mark.parametrize("place", ["choice", "provider_specific_fields"])
@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
@pytest.mark.parametrize("native", ["abort", "error", "network_error", "timeout", "FinishReason.SAFETY"])
def test_a_native_word_for_a_failure_is_the_same_failure(native, finish, place):
    """Field cases G3 and A5: after a native finish reason such as `abort`, no tool call runs.

    Text with such a finish reason counts as truncated, which is an error.
    """
    expected = errors.BlockedError if "SAFETY" in native else TRUNCATED
    for first in (calls(BEGUN), chunk(content="par")):
        events = [first, with_native(native, finish, place)]
        answer = whole(events)
        answer["choices"][0].update(
            {key: value for key, value in events[1]["choices"][0].items() if key in (place, "native_finish_reason")}
        )
        for message in (read("stream", [*events, DONE]), read("invoke", answer)):
            if expected is not TRUNCATED and first != calls(BEGUN):
                assert message.response_metadata["finish_reason"] == "content_filter"
            else:
                assert made(message) == expected


def test_unknown_native_reason_invalidates_a_call_without_arguments():
    """Field cases G3 and A1: a call without arguments is invalid if its native finish reason is unknown."""
    for native, expected in (("FINISH_REASON_NEW", MALFORMED), ("FinishReason.STOP", [("delete", {})])):
        assert made(read("stream", [calls(HEAD), with_native(native, "tool_calls"), DONE])) == expected


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("stop STOP end_turn eos eos_token stop_sequence COMPLETE completed", "clean"),
        ("tool_calls function_call tool_use TOOL_CALL", "calls"),
        ("length max_tokens MAX_TOKENS model_length token_limit CONTINUATION", "cut"),
        (
            "error abort cancelled canceled timeout insufficient_system_resource server_error ERROR USER_CANCEL",
            "broken",
        ),
        ("content_filter safety SPII refusal ERROR_TOXIC IMAGE_SAFETY ESCALATION PUP_LIMITED_DISABLED", "filtered"),
        ("MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL", "malformed"),
        ("OTHER bored FINISH_REASON_UNSPECIFIED MALFORMED_RESPONSE", "unknown"),
    ],
)
def test_finish_reasons_have_their_kind(words, kind):
    """Field case A5: the test covers every finish reason that a public source lists, for any server."""
    assert {classify_ending(word) for word in words.split()} == {kind}


def test_of_several_finish_reasons_the_most_severe_one_counts():
    kinds = ("clean", "calls", "unknown", "cut", "broken", "filtered", "malformed")
    for place, kind in enumerate(kinds):
        assert [earlier for earlier in kinds if is_at_least_as_severe(kind, earlier)] == [*kinds[: place + 1]]


@pytest.mark.parametrize(
    ("reason", "refused", "word"),
    [
        ("stop", False, "stop"),
        ("tool_calls", False, "tool_call"),
        ("content_filter", False, "refusal"),
        ("stop", True, "refusal"),
        ("length", False, None),
        (None, False, None),
    ],
)
def test_finish_reasons_have_the_words_of_langchain(reason, refused, word):
    assert to_core_reason(reason, refused=refused) == word


def test_text_with_an_unknown_finish_reason_is_kept():
    """Field case A5: an unknown finish reason is an error only if the reply has tool calls. The metadata show the reason."""
    for message in (
        read("stream", [chunk("bored", content="Hm."), DONE]),
        read("invoke", completion("Hm.", finish="bored")),
    ):
        assert (message.text, message.response_metadata["finish_reason"]) == ("Hm.", "bored")


# Tests of invalid calls that are kept.

KEEP = {"invalid_tool_calls": "keep"}
CUT_CALL = entry("delete", "c2", '{"number": 1', 1)


@pytest.mark.parametrize("entry_point", [*STREAMED, *WHOLE])
def test_a_malformed_call_is_kept_beside_a_valid_one(entry_point):
    """Field case H6: with `invalid_tool_calls="keep"` nothing raises, and only the valid call runs."""
    events = [calls(BEGUN, CUT_CALL, finish="tool_calls"), DONE]
    message = read(entry_point, events if entry_point in STREAMED else whole(events), **KEEP)
    assert made(message) == [PAY]
    (broken,) = message.invalid_tool_calls
    assert (broken["name"], broken["id"], broken["args"].strip()) == ("delete", "c2", '{"number": 1')
    # With langchain-core before 1.7, LangChain itself builds the v3 events. An invalid call then has LangChain's error
    # text.
    why = message.response_metadata.get("invalid_tool_calls", {}).get("c2") or broken["error"]
    assert (
        entry_point == "v3" and not CORE_TAKES_PIECES
    ) or why == "The reply ended before the arguments of the call were complete."
    if entry_point in WHOLE or (entry_point == "v3" and CORE_TAKES_PIECES):
        assert (broken["args"], broken["error"]) == ('{"number": 1', why)


@pytest.mark.parametrize("entry_point", WHOLE)
def test_kept_calls_of_a_blocked_reply_have_their_text_and_their_error(entry_point):
    error = read(entry_point, whole([calls(BEGUN, CUT_CALL, finish="content_filter"), DONE]), **KEEP)
    assert type(error) is errors.BlockedError
    broken = next(call for call in error.reply.invalid_tool_calls if call["id"] == "c2")
    assert (broken["args"], bool(broken["error"])) == ('{"number": 1', True)


@pytest.mark.parametrize(
    "name",
    [name for name, (_, expected) in CASES.items() if expected is MALFORMED and not name.startswith("A7")],
)
def test_kept_uncertain_call_does_not_run(name):
    """Field case H6: each uncertain call is invalid, and an agent runs none of them."""
    events, _ = CASES[name]
    for entry_point, answer in (("stream", events), ("v3", events), ("invoke", whole(events))):
        message = read(entry_point, answer, **KEEP)
        if not isinstance(message, errors.BlockedError):
            assert message.invalid_tool_calls, entry_point
            assert made(message) in ([], [PAY]), entry_point
    end = [chunk("stop", content="Done."), DONE]
    ran, _ = run_agent(events, end, stream=True, **KEEP)
    assert ran in ([], [PAY])


def test_invalid_tool_calls_can_be_set_for_one_request():
    """Field case H6: `invalid_tool_calls` is an option of a call and is not sent. Other values are refused."""
    reply = completion(None, tool_calls=[CUT_CALL])
    model, wire = build(reply)
    assert model.invoke("hi", **KEEP).invalid_tool_calls[0]["id"] == "c2"
    assert "invalid_tool_calls" not in wire.bodies[0]
    with pytest.raises(errors.MalformedToolCallError):
        model.invoke("hi")
    with pytest.raises(errors.UnsupportedParameterError, match="'raise' or 'keep'"):
        model.invoke("hi", invalid_tool_calls="drop")
    with pytest.raises(ValidationError):
        build(reply, invalid_tool_calls="drop")
