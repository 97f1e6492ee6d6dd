"""Tests the assembler: deviations seen in streams of servers, whole replies that equal streams, and invalid JSON."""

import json
from random import Random

import pytest
from call_dialects import Call, Dialect, cut, group, write_calls
from captures import capture_paths
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_gemini_compat._response.assembler import StreamAssembler
from langchain_gemini_compat._response.events import (
    CallExtras,
    Finished,
    MediaSeen,
    RefusalDelta,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
)
from langchain_gemini_compat._response.usage import Usage
from langchain_gemini_compat._transport.sse import SseDecoder
from langchain_gemini_compat._wire.json_types import DONE, as_chunk, list_at, object_at, text_at, text_of_parts
from langchain_gemini_compat._wire.media import sniff_mime_type

SIGNED = {"google": {"thought_signature": "c2ln"}}
FLAG = {"google": {"thought": True}}


def chunk(delta=None, *, finish_reason=None, **more):
    """Return a chunk with one choice, without the keys that are `None`."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "r1", "choices": [{key: value for key, value in choice.items() if value is not None}], **more}


def call(args='{"a":1}', **more):
    """Return an entry of `tool_calls`."""
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": args}, **more}


def assemble(*chunks, **options):
    """Return the reply in `chunks` as a dict, with joined texts, calls by index, and the `Finished` event as `end`."""
    assembler = StreamAssembler(**options)
    events = [event for wire in chunks for event in assembler.feed(wire)]
    events += assembler.finish()
    assert isinstance(events[-1], Finished)
    assert sum(isinstance(event, Finished) for event in events) == 1
    reply = {"text": "", "thoughts": "", "refusal": "", "media": [], "calls": {}, "extras": {}, "end": events.pop()}
    keys = {TextDelta: "text", ThoughtDelta: "thoughts", RefusalDelta: "refusal"}
    for event in events:
        if isinstance(event, ToolCallDelta):
            known = reply["calls"].get(event.index, Call("", "", ""))
            reply["calls"][event.index] = Call(known.name or event.name, known.args + event.args, known.id or event.id)
        elif isinstance(event, CallExtras):
            reply["extras"][event.id] = event.fields
        elif isinstance(event, MediaSeen):
            reply["media"].append((event.data, event.mime_type))
        else:
            reply[keys[type(event)]] += event.text
    return reply


def end_of(*chunks, **options):
    """Feed `chunks` to an assembler, and return its `Finished` event."""
    return assemble(*chunks, **options)["end"]


# Tests of finish reasons.


@pytest.mark.parametrize(
    ("reasons", "called", "expected"),
    [
        (["stop"], False, ("stop", "stop")),
        (["stop"], True, ("tool_calls", "stop")),
        (["tool_calls"], True, ("tool_calls", "tool_calls")),
        (["tool_calls"], False, ("stop", "tool_calls")),
        (["function_call"], True, ("tool_calls", "function_call")),
        (["STOP"], True, ("tool_calls", "STOP")),
        (["stop", "stop", "stop"], False, ("stop", "stop")),
        (["stop", "stop", "length"], True, ("length", "length")),
        (["content_filter: RECITATION", "stop"], False, ("content_filter", "content_filter: RECITATION")),
        (["content_filter: PROHIBITED_CONTENT"], False, ("content_filter", "content_filter: PROHIBITED_CONTENT")),
        (
            ["function_call_filter: MALFORMED_FUNCTION_CALL"],
            False,
            ("function_call_filter", "function_call_filter: MALFORMED_FUNCTION_CALL"),
        ),
        (["length"], False, ("length", "length")),
        (["MAX_TOKENS"], False, ("length", "MAX_TOKENS")),
        (["SAFETY"], False, ("content_filter", "SAFETY")),
        (["MALFORMED_FUNCTION_CALL"], False, ("function_call_filter", "MALFORMED_FUNCTION_CALL")),
        (["error"], False, (None, "error")),
        ([None, None], True, (None, None)),
        ([], False, (None, None)),
    ],
)
def test_finish_reasons_are_translated_and_kept(reasons, called, expected):
    """A reply with calls ends in `tool_calls`, even if the server sends `stop`."""
    deltas = [{"content": "x"} if not called else {"tool_calls": [call()]}, {}, {}, {}]
    end = end_of(*(chunk(delta, finish_reason=reason) for delta, reason in zip(deltas, reasons, strict=False)))
    assert (end.reason, end.native_reason) == expected


@pytest.mark.parametrize("where", ["finish_reason", "finishReason"])
def test_the_finish_reason_is_read_under_both_names(where):
    """Google's endpoint wrote `finishReason` in 2024. Chunks after the finish reason are still read."""
    first = {"choices": [{"index": 0, "delta": {"content": "a"}, where: "length"}]}
    reply = assemble(first, chunk({"content": "b"}))
    assert (reply["text"], reply["end"].reason) == ("ab", "length")


def test_done_replaces_a_missing_finish_reason():
    """A stream with `[DONE]` is complete. A stream that has neither `[DONE]` nor a finish reason broke off."""
    chunks = [chunk({"tool_calls": [call()]})]
    assert end_of(*chunks).reason is None
    assert end_of(*chunks, DONE).reason == "tool_calls"
    assert end_of(chunk({"content": "x"}), DONE).reason == "stop"


# Tests of chunks without choices, of replies with several choices, and of token usage.


@pytest.mark.parametrize(
    "trailer", [{"choices": []}, {"choices": None}, {}, {"choices": [{}]}, {"choices": [{"delta": None}]}]
)
def test_chunks_without_content_carry_usage(trailer):
    """Some servers send usage in a separate last chunk."""
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    reply = assemble(chunk({"content": "x"}, finish_reason="stop"), {**trailer, "usage": usage})
    assert (reply["text"], reply["end"].usage, reply["end"].reason) == ("x", Usage(1, 2), "stop")


def test_last_usage_is_valid():
    """AI Studio sends cumulative counts with every chunk. Null, empty and invalid ones are ignored."""
    usages = [{"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count} for count in (1, 2, 7)]
    chunks = [chunk({"content": "x"}, usage=usage) for usage in [*usages, None, {}, [1]]]
    assert end_of(*chunks, chunk(finish_reason="stop")).usage == Usage(5, 7)
    assert end_of(chunk(finish_reason="stop")).usage is None


def test_choices_are_separated_by_index_or_position():
    wire = {"choices": [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]}
    assert [assemble(wire, choice=number)["text"] for number in (0, 1, 2)] == ["a", "b", ""]
    for index in ({}, {"index": None}, {"index": "0"}):
        wire = {"choices": [{**index, "delta": {"content": "a"}}, {**index, "delta": {"content": "b"}}]}
        assert [assemble(wire, choice=number)["text"] for number in (0, 1, 2)] == ["a", "b", ""]


def test_facts_come_from_the_first_chunk_that_has_them():
    """Some servers send the id, the model or the service tier only after the first chunk."""
    assembler = StreamAssembler()
    facts = {"id": "r", "model": "m", "system_fingerprint": "f", "service_tier": "t"}
    for key, value in facts.items():
        assert [*assembler.feed({key: value})] == []
    assert [*assembler.feed(dict.fromkeys(facts, "later"))] == []
    found = (assembler.reply_id, assembler.model, assembler.system_fingerprint, assembler.service_tier)
    assert found == ("r", "m", "f", "t")


def test_log_probabilities_are_joined():
    """If no chunk has log probabilities, `logprobs` is `None`."""
    wires = [
        {"choices": [{"delta": {}, "logprobs": logprobs}]} for logprobs in ({"content": [1]}, None, {"content": [2]}, 3)
    ]
    assert end_of(*wires).logprobs == [1, 2]
    assert end_of(*wires[1:2]).logprobs is None


# Tests of the forms in which servers send content.


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("", ""),
        ("x", "x"),
        ([{"text": "\n"}], ""),
        ([{"text": "\n"}, "x"], "\nx"),
        ([{"type": "text", "text": "a"}, "b", {"type": "image"}, None, {"text": None}], "ab"),
        ([], ""),
        ({"text": "x"}, ""),
        (5, ""),
    ],
)
def test_content_is_read_in_every_form(content, text):
    """Content is null, a string, or a list of parts (Vertex sent lists with calls in 2024)."""
    reply = assemble(chunk({"content": content}, finish_reason="stop"))
    assert (reply["text"], reply["end"].empty) == (text, not text)


@pytest.mark.parametrize(
    ("delta", "is_empty"),
    [
        ({}, True),
        ({"role": "assistant"}, True),
        ({"reasoning": "hm"}, True),
        ({"content": "<thought>hm</thought>"}, True),
        ({"content": "hm", "extra_content": FLAG}, True),
        ({"content": "<tho"}, False),
        ({"refusal": "no"}, False),
        ({"audio": {"data": "AAAA"}}, False),
        ({"tool_calls": [call()]}, False),
        ({"tool_calls": [{"extra_content": SIGNED}]}, True),
    ],
)
def test_a_reply_of_thoughts_only_is_empty(delta, is_empty):
    """With text, a refusal, media or a call, it is not empty."""
    assert end_of(chunk(delta, finish_reason="stop")).empty is is_empty


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_thoughts_are_read_from_their_own_field(key):
    """If thoughts come in a field of their own, a tag at the start of the answer does not begin a thought."""
    reply = assemble(
        chunk({key: "h"}), chunk({key: "m", "content": ""}), chunk({"content": "<think>x"}, finish_reason="stop")
    )
    assert (reply["thoughts"], reply["text"]) == ("hm", "<think>x")
    assert reply["end"].fields == {"reasoning_field": key}


def test_thoughts_in_both_fields_count_once():
    """Gateways send thoughts in two fields, for old and new clients."""
    assert assemble(chunk({"reasoning": "hm", "reasoning_content": "hm"}))["thoughts"] == "hm"


def test_the_closing_tag_and_a_call_may_come_in_one_delta():
    """Gemma on AI Studio sent a closing tag and a call in one delta."""
    reply = assemble(
        chunk({"content": "<thought>a", "extra_content": FLAG}),
        chunk({"content": "</thought>", "tool_calls": [call(extra_content=SIGNED)]}, finish_reason="stop"),
    )
    assert (reply["thoughts"], reply["text"], reply["calls"][0].meaning) == ("a", "", ("f", {"a": 1}))
    assert reply["extras"] == {"c1": {"extra_content": SIGNED}}


def test_text_passes_through_while_a_call_is_pending():
    assembler = StreamAssembler()
    assert len([*assembler.feed(chunk({"tool_calls": [call("")]}))]) == 1
    assert [*assembler.feed(chunk({"content": "one moment"}))] == [TextDelta("one moment")]


@pytest.mark.parametrize(
    ("audio", "media"),
    [
        ({"data": "AAAA", "extra_content": {"google": {"mime_type": "image/png"}}}, ("AAAA", "image/png")),
        ({"data": "iVBORw0KGgoAAAAN"}, ("iVBORw0KGgoAAAAN", "image/png")),
        ({"data": "AAAA", "extra_content": None}, ("AAAA", "audio/wav")),
    ],
)
def test_media_come_in_the_audio_field(audio, media):
    """Google sends images in the field `audio`. Without a MIME type, the first bytes of the data decide the type."""
    assert assemble(chunk({"content": None, "audio": audio}))["media"] == [media]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("/9j/4AAQSkZJRg", "image/jpeg"),
        ("R0lGODlhAQABAAAAACw=", "image/gif"),
        ("UklGRiQAAABXRUJQVlA4", "image/webp"),
        ("UklGRiQAAABXQVZFZm10", "audio/wav"),
        ("UklGRiQAAABBVkkgTElT", "x/y"),
        ("SUQzBAAAAAAA", "audio/mpeg"),
        ("JVBERi0xLjQK", "application/pdf"),
        ("", "x/y"),
        ("é", "x/y"),
        ("<BASE64_BYTES>", "x/y"),
        ("A", "x/y"),
    ],
)
def test_media_types_are_sniffed_from_base64(data, expected):
    """Unknown types and invalid base64 get the default type."""
    assert sniff_mime_type(data, "x/y") == expected


# Tests of the fields of a message.


@pytest.mark.parametrize(
    ("deltas", "fields"),
    [
        ([{"content": "x", "extra_content": SIGNED}], {"extra_content": SIGNED}),
        ([{"content": None, "extra_content": SIGNED}], {"extra_content": SIGNED}),
        ([{"extra_content": SIGNED}], {"extra_content": SIGNED}),
        ([{"content": "x", "extra_content": None}], {}),
        ([{"content": "x", "extra_content": FLAG}], {}),
        (
            [{"content": "x", "extra_content": {"google": {**FLAG["google"], **SIGNED["google"]}}}],
            {"extra_content": SIGNED},
        ),
        ([{"extra_content": {**FLAG, "vertex": {"a": 1}}}], {"extra_content": {"vertex": {"a": 1}}}),
        (
            [{"extra_content": {"google": {"thought_signature": "old"}}}, {"extra_content": SIGNED}],
            {"extra_content": SIGNED},
        ),
        ([{"extra_content": {"vertex": SIGNED["google"]}}], {"extra_content": {"vertex": SIGNED["google"]}}),
        ([{"tool_calls": [{"extra_content": SIGNED}]}], {"extra_content": SIGNED}),
        ([{"tool_calls": [call()], "extra_content": SIGNED}], {"extra_content": SIGNED}),
        (
            [{"provider_specific_fields": {"a": 1}}, {"provider_specific_fields": {"b": 2}}],
            {"provider_specific_fields": {"a": 1, "b": 2}},
        ),
        ([{"reasoning_details": [1]}, {"reasoning_details": [2]}], {"reasoning_details": [1, 2]}),
    ],
)
def test_fields_of_the_message_are_kept(deltas, fields):
    """Signatures are kept wherever the server sends them. The flag `thought` is not kept."""
    assert end_of(*map(chunk, deltas)).fields == fields


# Tests of whole replies, which are decoded as a stream of one chunk.


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}, "stop"),
        ({"choices": [{"message": {"content": "x"}, "finish_reason": None}]}, "stop"),
        ({"choices": [{"message": {"content": "x"}, "finishReason": "length"}]}, "length"),
        ({"choices": [{"finish_reason": "content_filter: PROHIBITED_CONTENT"}]}, "content_filter"),
        ({"choices": [{"message": None}]}, "stop"),
        ({"choices": []}, "stop"),
        ({"choices": None}, "stop"),
        ({}, "stop"),
    ],
)
def test_whole_reply_is_never_truncated(completion, reason):
    """A reply that is not streamed counts as complete, even without a finish reason, a message or choices."""
    reply = assemble(as_chunk(completion))
    assert reply["end"].reason == reason
    assert reply["end"].empty is (reply["text"] == "")


def test_thought_flag_of_a_whole_reply_does_not_hide_the_answer():
    """AI Studio sets the flag `thought` on a message that also has an answer. Tags separate thoughts and answer."""
    message = {
        "content": "<thought>hm</thought>hi",
        "extra_content": {"google": {"thought": True, "thought_signature": "c2ln"}},
    }
    completion = {"choices": [{"message": message, "finish_reason": "stop"}]}
    reply = assemble(as_chunk(completion))
    assert (reply["thoughts"], reply["text"], reply["end"].fields) == ("hm", "hi", {"extra_content": SIGNED})
    assert completion["choices"][0]["message"] is message
    assert message["extra_content"]["google"]["thought"] is True


arguments = st.dictionaries(
    st.text(max_size=4), st.text(max_size=6) | st.integers() | st.just({"é": ["}{"]}), max_size=2
)
words = st.text(alphabet="ab \n.é<>/", max_size=12)


@settings(max_examples=400, deadline=None)
@given(
    thoughts=st.text(alphabet="ab \n.", max_size=12),
    text=words,
    calls=st.lists(st.tuples(st.sampled_from("fg"), arguments), max_size=3),
    style=st.sampled_from(["flagged", "tagged", "reasoning_content"]),
    arguments_style=st.sampled_from(["whole", "cut", "head"]),
    signature=st.sampled_from([None, "call", "text"]),
    usage=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_stream_equals_the_whole_reply(thoughts, text, calls, style, arguments_style, signature, usage, seed):
    chance = Random(seed).randrange
    calls = [Call(name, json.dumps(args), f"id_{number}") for number, (name, args) in enumerate(calls)]
    message, deltas = {"role": "assistant"}, []
    if thoughts and style == "reasoning_content":
        message[style] = thoughts
        deltas += [{style: piece} for piece in cut(thoughts, chance)]
    tagged = f"<thought>{thoughts}" if thoughts and style != "reasoning_content" else ""
    answer = f"</thought>{text}" if tagged else text
    message["content"] = tagged + answer
    flag = {"extra_content": FLAG} if style == "flagged" else {}
    deltas += [{"content": piece, **flag} for piece in cut(tagged, chance)] if tagged else []
    deltas += [{"content": piece} for piece in cut(answer, chance)]
    if tagged and style == "flagged":
        message["extra_content"] = {"google": dict(FLAG["google"])}
    entries = write_calls(calls, Dialect("lying", "every", "every", arguments_style), chance)
    whole = [{"id": made.id, "function": {"name": made.name, "arguments": made.args}} for made in calls]
    if signature == "call" and calls:
        whole[0]["extra_content"] = entries[0][0]["extra_content"] = SIGNED
    deltas += [{"tool_calls": delta} for delta in group([item for items in entries for item in items], chance) if delta]
    if signature == "text":
        message.setdefault("extra_content", {}).setdefault("google", {}).update(SIGNED["google"])
        deltas.append({"content": None, "extra_content": SIGNED})
    if whole:
        message["tool_calls"] = whole
    counts = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9}} if usage else {}
    streamed = assemble(*(chunk(delta) for delta in deltas), chunk({}, finish_reason="stop", **counts), DONE)
    completion = {"id": "r1", "object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}]}
    assert streamed == assemble(as_chunk({**completion, **counts}))
    assert streamed["thoughts"] == thoughts
    assert [made.meaning for made in streamed["calls"].values()] == [made.meaning for made in calls]


def test_ids_come_from_the_reply_or_from_the_seed():
    """A call without an id gets an id that is derived from the reply's id, or from `seed` if the reply has no id."""
    wire = chunk({"tool_calls": [call(id="")]})
    ids = [
        assemble({**wire, "id": reply}, seed=seed)["calls"][0].id
        for reply, seed in (("a", "1"), ("a", "2"), ("b", "1"))
    ]
    assert ids[0] == ids[1] != ids[2]
    ids = [assemble({**wire, "id": None}, seed=seed)["calls"][0].id for seed in ("1", "1", "2")]
    assert ids[0] == ids[1] != ids[2]


def test_calls_beyond_the_limit_are_dropped():
    """The finish reason is still `tool_calls`. A dropped call raises no error, even if it is invalid."""
    calls = [call(), {**call("{"), "id": "c2"}]
    reply = assemble(chunk({"tool_calls": calls}, finish_reason="stop"), call_limit=1)
    assert [made.id for made in reply["calls"].values()] == ["c1"]
    assert (reply["end"].reason, reply["end"].invalid) == ("tool_calls", ())


# Tests of JSON whose values have other types than in the API.

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "stop", "{}", '{"a":']),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "google", "text"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def objects(*plain, **nested):
    """Draw objects in which any key is missing or has any type."""
    keys = dict.fromkeys(plain, anything) | {key: shape | anything for key, shape in nested.items()}
    return st.fixed_dictionaries({}, optional=keys)


extra_contents = objects(google=objects("thought", "thought_signature", "mime_type"))
entries = objects(
    "id", "index", "provider_specific_fields", function=objects("name", "arguments"), extra_content=extra_contents
)
messages = objects(
    *("role", "content", "reasoning", "reasoning_content", "refusal", "provider_specific_fields", "reasoning_details"),
    tool_calls=st.lists(entries | anything, max_size=3),
    audio=objects("data", extra_content=extra_contents),
    extra_content=extra_contents,
)
choices = objects(
    "index", "finish_reason", "finishReason", delta=messages, message=messages, logprobs=objects("content")
)
usages = objects(
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    prompt_tokens_details=objects("cached_tokens"),
    completion_tokens_details=objects("reasoning_tokens"),
    extra_properties=objects(google=objects("traffic_type")),
)
wires = objects(
    *("id", "model", "object", "service_tier", "system_fingerprint"),
    choices=st.lists(choices | anything, max_size=2),
    usage=usages,
)


@settings(max_examples=500, deadline=None)
@given(st.lists(wires, min_size=1, max_size=4))
def test_value_of_another_type_is_read_as_absent(hostile):
    """Even after invalid chunks, each value of the reply has its declared type, and a valid chunk is still read."""
    reply = assemble(*hostile, *map(as_chunk, hostile))
    end = reply["end"]
    strings = [reply["text"], reply["thoughts"], reply["refusal"], *(call.name for call in end.invalid)]
    for made in reply["calls"].values():
        strings += [made.name, made.args, made.id]
    strings += [text for media in reply["media"] for text in media]
    assert all(isinstance(text, str) for text in strings)
    assert isinstance(end.reason, str | None)
    assert isinstance(end.native_reason, str | None)
    assert isinstance(end.usage, Usage | None)
    if not end.invalid:
        assert all(isinstance(json.loads(made.args), dict) for made in reply["calls"].values())
    # The valid text is in choice 0. Without `choice=0`, the first choice with text would be read, which may be in an
    # invalid chunk.
    mixed = assemble(*hostile, chunk({"content": "answer"}), choice=0)
    assert "answer" in mixed["text"] + mixed["thoughts"]


@given(anything)
def test_keys_are_read_by_type(value):
    """A value of another type is read as an empty string, object or list."""
    for read, kind in ((text_at, str), (object_at, dict), (list_at, list)):
        assert read({"key": value}, "key") == (value if isinstance(value, kind) else kind())
        assert read({}, "key") == kind()
    assert isinstance(text_of_parts([value]), str)


# Tests with recordings of real streams, if these are available.


def _bodies():
    for path in capture_paths():
        response = json.loads(path.read_text(encoding="utf-8")).get("response", {})
        bodies = response.get("streams") or [response.get("body")]
        for number, body in enumerate(bodies):
            if isinstance(body, str) and body.startswith("data:"):
                yield pytest.param(body.encode(), id=f"{path.stem[:40]}-{number}")


@pytest.mark.parametrize(
    "body", [*_bodies()] or [pytest.param(b"", marks=pytest.mark.skip(reason="no recordings here"))]
)
def test_recorded_streams_are_the_same_at_any_cut(body):
    """A recorded stream has only valid calls. If its bytes arrive one by one, the reply is the same."""
    decoder = SseDecoder()
    chunks = [*decoder.feed(body), *decoder.finish()]
    assert "error" not in chunks[-1]
    reply = assemble(*chunks)
    assert reply["end"].invalid == ()
    assert "<thought>" not in reply["text"]
    decoder = SseDecoder()
    bytewise = [value for place in range(len(body)) for value in decoder.feed(body[place : place + 1])]
    assert assemble(*bytewise, *decoder.finish()) == reply


VERTEX = [
    ("c-a", 1, ""),
    ("c-a", 0, '{"location":"Boston, MA'),
    ("c-a", 0, '"'),
    ("c-a", 0, ',"unit":"celsius'),
    ("c-a", 0, '"'),
    ("c-a", 0, "}"),
    ("c-b", 0, ""),
    ("c-b", 1, '{"location":"New Delhi'),
    ("c-b", 1, '"}'),
]


def test_streamed_arguments_of_vertex_are_two_calls():
    """In a stream on Google's examples page, the name and the arguments of one call have different indices."""
    deltas = []
    for number, (wire_id, index, args) in enumerate(VERTEX):
        entry = {
            "id": wire_id,
            "index": index,
            "type": "function",
            "function": {"name": "get_weather", "arguments": args},
        }
        deltas.append({"role": "assistant", "tool_calls": [{**entry, **({} if number else {"extra_content": SIGNED})}]})
    reply = assemble(*map(chunk, deltas[:-1]), chunk(deltas[-1], finish_reason="tool_calls"), DONE)
    assert {made.id: made.meaning for made in reply["calls"].values()} == {
        "c-a": ("get_weather", {"location": "Boston, MA", "unit": "celsius"}),
        "c-b": ("get_weather", {"location": "New Delhi"}),
    }
    assert reply["extras"] == {"c-a": {"extra_content": SIGNED}}
    assert (reply["end"].invalid, reply["end"].reason) == ((), "tool_calls")


def test_leading_white_space_waits_for_the_next_content():
    """White space alone is not an answer. It is held back, because a stream can be retried until it emits content."""
    assembler = StreamAssembler(expects_thoughts=False)
    assert [event for text in ("\n", " ") for event in assembler.feed(chunk({"content": text}))] == []
    assert [*assembler.feed(chunk({"content": "x"}))] == [TextDelta("\n x")]
    assert [*assembler.feed(chunk({"content": " "}))] == [TextDelta(" ")]
    assert assemble(chunk({"content": "\n"}), chunk({"tool_calls": [call()]}, finish_reason="stop"))["text"] == "\n"
    assert end_of(chunk({"content": "\n"}, finish_reason="stop")).empty


def test_a_refused_prompt_in_googles_own_form_is_a_filter():
    """In the form of Google's own API, a reply to a blocked prompt has `promptFeedback` and no choices."""
    end = end_of({"promptFeedback": {"blockReason": "SAFETY"}})
    assert (end.reason, end.native_reason) == ("content_filter", "content_filter: SAFETY")
    assert end_of({"promptFeedback": None}).reason is None
