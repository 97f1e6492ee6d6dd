"""Tests that v3 events are valid, and give the same message as LangChain's bridge from chunks."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models._compat_bridge import chunks_to_events
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import HumanMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from outgoing import build
from wire import Wire, call, chunk

from langchain_gemini_compat import ChatGeminiCompat, chat_models
from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._response.v3_events import CORE_TAKES_PIECES, EventDecoder
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat._transport.rate_gate import Gate
from langchain_gemini_compat._transport.retry import Tries
from langchain_gemini_compat._transport.timeouts import TimeLimits
from langchain_gemini_compat.errors import GeminiCompatError, TruncatedStreamError

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
REQUEST = build([HumanMessage("hi")], "ai_studio", stream=True)
SIGNED = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
THOUGHT = {"extra_content": {"google": {"thought": True}}}
PNG, JPEG = {"data": "iVBORw0KGgo="}, {"data": "/9j/4AAQSk"}
STREAM = [
    chunk(content="<thought>H", **THOUGHT),
    chunk(content="m.", **THOUGHT),
    chunk(content="</thought>Let me "),
    chunk(content="look."),
    chunk(tool_calls=[call("f", '{"x"', "call-1", **SIGNED)]),
    chunk(tool_calls=[{"function": {"arguments": ": 1}"}}]),
    chunk(tool_calls=[call("g", "{}", "call-2")]),
    chunk(content="", **SIGNED),
    chunk(finish="tool_calls", usage=(10, 7, 42)),
]


def tries():
    return Tries(0, TimeLimits(), Gate())


def read_events(wires):
    """Return the events of this package for a stream."""
    decoder = EventDecoder(REQUEST, tries(), "lc_run--1")
    return [event for wire in wires for event in decoder.feed(wire)] + [*decoder.finish()]


def read_bridged(wires):
    """Return the events that LangChain's bridge builds from chunks."""
    decoder = ReplyDecoder(REQUEST, tries())
    chunks = chain((piece for wire in wires for piece in decoder.feed(wire)), decoder.finish())
    return [*chunks_to_events(chunks, message_id="lc_run--1")]


def assemble(events):
    """Return the message that LangChain builds from events. All thoughts are joined in the first thought block."""
    stream = ChatModelStream()
    for event in events:
        stream.dispatch(event)
    message = stream.output_message
    thoughts = [block for block in message.content if block["type"] == "reasoning"]
    for block in thoughts[1:]:
        thoughts[0]["reasoning"] += block["reasoning"]
        message.content.remove(block)
    return message


def attempt(read, wires):
    """Return the result of `read`, or the text of its error."""
    try:
        return read(wires)
    except GeminiCompatError as err:
        return f"{type(err).__name__}: {err}"


def check(wires):
    """Assert that this package's v3 events and LangChain's bridge give the same message, or the same error."""
    events, expected = attempt(read_events, wires), attempt(read_bridged, wires)
    if isinstance(expected, str):
        assert events == expected
    else:
        assert_valid_event_stream(events)
        message, bridged = assemble(events), assemble(expected)
        signatures = message.additional_kwargs.get(SIGNATURES_KEY, {})
        for block in [block for block in (*message.content, *bridged.content) if block["type"] == "tool_call"]:
            # A signature can arrive too late for the content block of its call: after the block has ended or, with
            # LangChain's bridge, after the first piece of the call. Then only `additional_kwargs` has the signature.
            assert block.pop("extras", {}).get("signature") in (None, signatures.get(block["id"]))
        assert message == bridged


def finishes(events):
    """Return the type of each finished block, with the index of its `content-block-finish` event."""
    return [
        (event["content"]["type"], place)
        for place, event in enumerate(events)
        if event["event"] == "content-block-finish"
    ]


@pytest.mark.parametrize(
    "wires",
    [
        STREAM,
        [chunk(content="a"), chunk(content=" b"), chunk(finish="stop", usage=(1, 2, 3))],
        [chunk(content="a"), chunk(audio=PNG), chunk(content="b"), chunk(audio=JPEG), chunk(finish="stop")],
        [chunk(refusal="I "), chunk(refusal="won't."), chunk(finish="stop")],
        [chunk(content="a"), chunk(finish="content_filter: SAFETY")],
        [chunk(finish="content_filter: SAFETY")],
        [chunk(content="a", **SIGNED), chunk(finish="stop")],
        [chunk(audio=PNG, **SIGNED), chunk(finish="stop")],
        [chunk(content="", **SIGNED), chunk(content="a"), chunk(finish="length")],
        [chunk(reasoning_content="Hm."), chunk(content="a"), chunk(finish="stop")],
        [chunk(tool_calls=[call(args="")]), chunk(finish="stop")],
        [chunk(tool_calls=[call("f", "{}", "c1"), call("g", "{}", "c2", **SIGNED)], content="a"), chunk(finish="stop")],
        [chunk(content="a")],
        [chunk(finish="stop")],
        [chunk(tool_calls=[call(args='{"x":')]), chunk(finish="length")],
    ],
    ids=range(15),
)
def test_events_give_the_same_message_as_chunks(wires):
    check(wires)


TEXTS = st.sampled_from(["a", " b", "<thought>", "</thought>", "<", "\n"]).map(lambda text: chunk(content=text))
THOUGHTS = st.sampled_from(["<thought>h", "m", "</thought>"]).map(lambda text: chunk(content=text, **THOUGHT))
HEADS = st.builds(
    lambda name, args, extra: chunk(tool_calls=[call(name, args, f"id-{name}", **extra)]),
    st.sampled_from("fgh"),
    st.sampled_from(["", "{}", '{"x": 1}', '{"x":']),
    st.sampled_from([{}, SIGNED]),
)
TAILS = st.sampled_from([" 1}", '"y"', " ", "}"]).map(
    lambda args: chunk(tool_calls=[{"function": {"arguments": args}}])
)
OTHERS = st.sampled_from([chunk(audio=PNG), chunk(audio=JPEG), chunk(refusal="no"), chunk(content="", **SIGNED)])
ENDS = st.sampled_from(["stop", "tool_calls", "length", "content_filter: SAFETY", None])


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXTS | THOUGHTS | HEADS | TAILS | OTHERS, max_size=8), ENDS)
def test_events_equal_chunks_in_any_order(wires, end):
    check([*wires, chunk(finish=end)])


def test_block_ends_when_the_next_one_starts():
    """LangChain's bridge, unlike this package, ends all blocks at the end of the message."""
    events = read_events(STREAM)
    assert finishes(events) == [("reasoning", 4), ("tool_call", 11), ("text", 14), ("tool_call", 15)]
    assert [event["event"] for event in events[4:7]] == [
        "content-block-finish",
        "content-block-start",
        "content-block-delta",
    ]


def test_late_signature_is_on_its_block():
    """The signature of the reply comes after its calls."""
    text = next(block for block in assemble(read_events(STREAM)).content if block["type"] == "text")
    assert text["extras"] == {"signature": "c2ln"}


@pytest.mark.parametrize(("between", "extras"), [([], {"signature": "c2ln"}), ([chunk(content="a")], None)])
def test_signature_after_the_arguments_is_on_an_open_block(between, extras):
    """The message has the call's signature in `additional_kwargs`, whenever the signature comes.

    The call's content block has the signature only if it comes before the next block begins.
    """
    signature = chunk(tool_calls=[call("f", "", "c1", **SIGNED)])
    wires = [chunk(tool_calls=[call("f", '{"x": 1}', "c1")]), *between, signature, chunk(finish="stop")]
    message = assemble(read_events(wires))
    assert message.content[0].get("extras") == extras
    assert message.additional_kwargs[SIGNATURES_KEY] == {"c1": "c2ln"}


def test_image_data_goes_out_once():
    """Only the `content-block-finish` event of an image contains the data of the image."""
    events = read_events([chunk(audio=PNG), chunk(finish="stop")])
    assert sum(PNG["data"] in str(event) for event in events) == 1


def test_interleaved_calls_end_when_complete():
    """A call is finished when its arguments are complete, and not before."""
    pieces = [
        chunk(tool_calls=[call("f", '{"x"', "c1", index=0)]),
        chunk(tool_calls=[call("g", '{"y": 2}', "c2", index=1)]),
        chunk(tool_calls=[{"index": 0, "function": {"arguments": ": {}}"}}]),
        chunk(finish="tool_calls"),
    ]
    check(pieces)
    assert [call["args"] for call in assemble(read_events(pieces)).tool_calls] == [{"x": {}}, {"y": 2}]


def model(*answers):
    return ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", max_retries=0, **Wire(*answers).clients)


class Tokens(BaseCallbackHandler):
    """A handler that keeps the tokens of `on_llm_new_token`."""

    def __init__(self):
        self.tokens = []

    def on_llm_new_token(self, token, **kwargs):
        self.tokens.append(token)


async def both(chat, **config):
    """Return the events of the sync and the async stream."""
    stream = chat.stream_events("hi", version="v3", **config)
    events = [*stream]
    astream = await chat.astream_events("hi", version="v3", **config)
    return (events, stream.output), ([event async for event in astream], await astream.output)


@pytest.mark.skipif(not CORE_TAKES_PIECES, reason="before langchain-core 1.7 a model streams over its bridge")
async def test_the_model_streams_its_own_events(monkeypatch):
    """Callback handlers get the tokens of the answer."""
    monkeypatch.delattr(chat_models.ChatGeminiCompat, "_stream")
    monkeypatch.delattr(chat_models.ChatGeminiCompat, "_astream")
    tokens = Tokens()
    (events, message), (aevents, amessage) = await both(model([*STREAM, "[DONE]"]), config={"callbacks": [tokens]})
    assert finishes(events) == finishes(aevents) == finishes(read_events(STREAM))
    assert message.content == amessage.content == assemble(read_events(STREAM)).content
    assert message.id != amessage.id
    assert message.id.startswith("lc_run-")
    assert tokens.tokens == ["Let me ", "look."] * 2


async def test_older_langchain_core_uses_its_bridge_from_chunks(monkeypatch):
    """langchain-core before 1.7 ignores `tool-call-delta` events."""
    monkeypatch.setattr(chat_models, "CORE_TAKES_PIECES", False)
    for events, message in await both(model([*STREAM, "[DONE]"])):
        assert_valid_event_stream(events)
        assert message.tool_calls == assemble(read_events(STREAM)).tool_calls


async def test_broken_stream_raises_with_the_partial_text():
    chat = model([chunk(content="Half a sen"), chunk(content="tence")])
    with pytest.raises(TruncatedStreamError) as caught:
        list(chat.stream_events("hi", version="v3"))
    assert caught.value.partial == "Half a sentence"
    with pytest.raises(TruncatedStreamError) as caught:
        async for _ in await chat.astream_events("hi", version="v3"):
            pass
    assert caught.value.partial == "Half a sentence"
