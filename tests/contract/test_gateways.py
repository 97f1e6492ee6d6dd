"""Fields that gateways add to messages and calls: how they are read, and what is sent back."""

import json
import re
from pathlib import Path

import pytest
from gateway_fakes import LiteLLMGemini, LiteLLMOpenAI, Portkey
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, message_chunk_to_message
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from outgoing import PLACES, SURFACES, build, endpoint, notes
from wire import Wire, call, chunk, completion, google_error, http, reply

from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._wire.unknown_fields import MAX_KEPT, KeptFields

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
USER = HumanMessage("Hi.")
PNG = "iVBORw0KGgo="
DATA_URL = f"data:image/png;base64,{PNG}"
SIGNATURE = "c2lnbmF0dXJl"


def chat_at(wire, place="openai_compatible", **kwargs):
    """Return a model whose requests `wire` answers."""
    return ChatGeminiCompat(**{"model": "smart", "max_retries": 0, **PLACES[place], **wire.clients, **kwargs})


def added(chat):
    total = None
    for piece in chat.stream([USER]):
        total = piece if total is None else total + piece
    return message_chunk_to_message(total)


def v3_output(chat):
    stream = chat.stream_events([USER], version="v3")
    for _ in stream:
        pass
    return stream.output


WAYS = {"invoke": lambda chat: chat.invoke([USER]), "stream": added, "v3": v3_output}


async def ainvoked(chat):
    return await chat.ainvoke([USER])


async def astreamed(chat):
    total = None
    async for piece in chat.astream([USER]):
        total = piece if total is None else total + piece
    return message_chunk_to_message(total)


AWAYS = {"ainvoke": ainvoked, "astream": astreamed}


def streamed(*events):
    return [*events, "[DONE]"]


def split(message, finish):
    """Return a stream of `message`: its text, its other keys, and each call in pieces.

    The first piece of a call has all its keys.
    """
    calls = message.get("tool_calls", ())
    events = [chunk(**{key: value for key, value in message.items() if key != "tool_calls"})]
    for index, made in enumerate(calls):
        function = made["function"]
        half = len(function["arguments"]) // 2
        events.append(
            chunk(
                tool_calls=[
                    {**made, "index": index, "function": {**function, "arguments": function["arguments"][:half]}}
                ]
            )
        )
        events.append(chunk(tool_calls=[{"index": index, "function": {"arguments": function["arguments"][half:]}}]))
    return streamed(*events, chunk(finish=finish))


def answer_of(way, message, finish="tool_calls"):
    whole = {"content": None, **message}
    return completion(whole.pop("content"), finish=finish, **whole) if "invoke" in way else split(message, finish)


def step(message):
    return [message, *(ToolMessage("done", tool_call_id=made["id"]) for made in message.tool_calls)]


def sent(history, at=None, surface="openai_compatible", model="smart"):
    """Return the messages of the next request."""
    return build([USER, *history], surface, model, at=at or endpoint(surface, model)).payload["messages"]


TRIPS = {
    "nothing": lambda message: message,
    "another message id": lambda message: message.model_copy(update={"id": "other"}),
    "dumps and loads": lambda message: loads(dumps(message), allowed_objects="messages"),
    "JSON": lambda message: AIMessage(**json.loads(json.dumps(message.model_dump()))),
    "checkpoint": lambda message: JsonPlusSerializer().loads_typed(JsonPlusSerializer().dumps_typed(message)),
}
#: Messages with keys that gateways add to messages, calls and functions. Each key has to be sent back at the same path.
GATEWAY_MESSAGES = {
    "Portkey": {"tool_calls": [{**call("f", '{"x":1}', "c1"),
                                "function": {"name": "f", "arguments": '{"x":1}', "thought_signature": SIGNATURE}},
                               call("g", "{}", "c2")]},
    "LiteLLM function": {"tool_calls": [{**call("f", '{"x":1}', "c1"), "function": {
        "name": "f", "arguments": '{"x":1}', "provider_specific_fields": {"thought_signature": SIGNATURE}}}]},
    "LiteLLM call": {"tool_calls": [call("f", '{"x":1}', "c1",
                                         provider_specific_fields={"thought_signature": SIGNATURE})]},
    "Copilot": {"reasoning_opaque": "b3BhcXVl", "reasoning_text": "Hm.", "tool_calls": [call("f", '{"x":1}', "c1")]},
    "thinking blocks": {"thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": SIGNATURE}],
                        "tool_calls": [call("f", '{"x":1}', "c1")]},
    "any names": {"x_secret": {"a": [1, {"b": None}], "n": 0.5}, "y": False,
                  "tool_calls": [{**call("f", '{"x":1}', "c1", cache_control={"type": "ephemeral"}, z="1"),
                                  "function": {"name": "f", "arguments": '{"x":1}', "w": [1, 2]}}]},
}  # fmt: skip


@pytest.mark.parametrize("trip", TRIPS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", GATEWAY_MESSAGES)
def test_unknown_keys_are_sent_back_in_their_place_to_the_same_host(name, way, trip):
    """Unknown keys of messages, calls and functions are sent back in the same place. Field cases B2, G1.

    Other hosts and Google's surfaces do not get these keys.
    """
    message = GATEWAY_MESSAGES[name]
    reply = TRIPS[trip](WAYS[way](chat_at(Wire(answer_of(way, message)))))
    expected = {"role": "assistant", **message}
    assert sent(step(reply))[1] == expected
    plain = {"role": "assistant", "tool_calls": [
        {**{key: made[key] for key in ("id", "type")},
         "function": {key: made["function"][key] for key in ("name", "arguments")}}
        for made in message["tool_calls"]
    ]}  # fmt: skip
    elsewhere = endpoint("openai_compatible", "smart", base_url="http://elsewhere.test/v1")
    assert sent(step(reply), at=elsewhere)[1] == plain
    for surface in ("vertex", "ai_studio"):
        assert sent(step(reply), surface=surface)[1] == plain


@pytest.mark.parametrize("way", AWAYS)
@pytest.mark.parametrize("name", GATEWAY_MESSAGES)
async def test_unknown_keys_are_sent_back_after_async_calls(name, way):
    """After async calls, unknown keys are sent back as well. Field cases B2, G1."""
    message = GATEWAY_MESSAGES[name]
    reply = await AWAYS[way](chat_at(Wire(answer_of(way, message))))
    assert sent(step(reply))[1] == {"role": "assistant", **message}


@pytest.mark.parametrize("name", [*(name for name in GATEWAY_MESSAGES if name != "LiteLLM call"), "empty reasoning"])
def test_unknown_keys_of_messages_given_as_dicts_go_to_compatible_servers(name):
    """A message that the caller passes as a dict reaches a compatible server unchanged. Google gets no unknown keys.

    Field case B2.
    """
    empty = {"reasoning_content": "", "tool_calls": [call("f", '{"x":1}', "c1")]}
    message = {"role": "assistant", **GATEWAY_MESSAGES.get(name, empty)}
    results = [{"role": "tool", "tool_call_id": made["id"], "content": "done"} for made in message["tool_calls"]]
    for surface in SURFACES:
        wire = Wire(completion())
        chat_at(wire, surface).invoke([{"role": "user", "content": "Hi."}, message, *results])
        (body,) = wire.bodies
        if surface == "openai_compatible":
            assert body["messages"][1] == message
        else:
            assert body["messages"][1].keys() == {"role", "tool_calls"}
            assert all(
                made.keys() <= {"id", "type", "function", "extra_content"} for made in body["messages"][1]["tool_calls"]
            )
            assert all(made["function"].keys() == {"name", "arguments"} for made in body["messages"][1]["tool_calls"])


def test_key_after_the_signature_is_kept_once():
    """Each value is emitted once, because LangChain would join the texts of two chunks. Field case B2."""
    head = call("f", "", "c1", index=0, extra_content={"google": {"thought_signature": SIGNATURE}}, a="one")
    late = {"index": 0, "id": "c1", "a": "one", "b": "two", "function": {"arguments": "{}", "c": "three"},
            "extra_content": {"google": {"thought_signature": SIGNATURE}}}  # fmt: skip
    wire = Wire(
        streamed(chunk(tool_calls=[head]), chunk(tool_calls=[late]), chunk(tool_calls=[late]), chunk(finish="stop"))
    )
    (made,) = sent(step(added(chat_at(wire))))[1]["tool_calls"]
    assert made == {
        "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}", "c": "three"},
        "extra_content": {"google": {"thought_signature": SIGNATURE}}, "a": "one", "b": "two",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["refusal", "annotations", "audio", "function_call", "logprobs"])
def test_openai_s_own_response_keys_are_not_sent_back(key):
    """Some servers refuse OpenAI's response keys in a request. Field case B2."""
    wire = Wire(completion("Hi.", **{key: None if key == "audio" else "x" if key == "refusal" else []}))
    assert key not in sent([chat_at(wire).invoke([USER]), USER])[1]


def test_reserved_and_standard_keys_are_not_taken_from_a_reply():
    """A server must not set keys that this package writes itself, or change a call. Field case B2.

    So keys with reserved or standard names are not kept.
    """
    strange = {"litellm_id": True, "litellm_signature": "x", "server_id": "y", "reasoning_field": "content"}
    entry = {**call("f", "{}", "c1", **strange), "function": {"name": "f", "arguments": "{}", **strange}}
    reply = chat_at(Wire(completion(None, finish="tool_calls", tool_calls=[entry], **strange))).invoke([USER])
    assert sent(step(reply))[1] == {"role": "assistant", "tool_calls": [call("f", "{}", "c1")]}


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_size_of_kept_keys_is_limited_and_reported(way):
    """Large unknown keys are not kept, so that a server cannot fill the history. Field case B2.

    `repairs` in the metadata names these keys.
    """
    message = {"small": "x", "huge": "x" * (MAX_KEPT + 1)}
    reply = WAYS[way](chat_at(Wire(answer_of(way, {"content": "Hi.", **message}, "stop"))))
    assert len(dumps(reply)) < 10_000
    assert sent([reply, USER])[1] == {"role": "assistant", "content": "Hi.", "small": "x"}
    assert any("`huge`" in text for text in reply.response_metadata["repairs"])


def test_repeated_or_growing_value_is_kept_once():
    """Servers may send the complete value of an unknown key again. No server is known to send it in pieces.

    Field case B2.
    """
    kept = KeptFields()
    for delta in ({"a": "x", "l": [1]}, {"a": "x", "l": [1]}, {"l": [1, 2], "o": {"p": "q"}}, {"l": [3], "a": ""},
                  {"l": [3], "o": {"p": "q", "r": 1}, "n": None}):  # fmt: skip
        kept.feed(delta, whole=False)
    assert kept.finish() == {"a": "x", "l": [1, 2, 3], "o": {"p": "q", "r": 1}}


def test_self_deployed_endpoints_on_one_host_do_not_share_keys():
    """Two endpoints on one host do not get each other's unknown keys. Field case B2."""
    chat = chat_at(Wire(completion(None, finish="tool_calls", tool_calls=[call("f", "{}", "c1", z=1)])), "vertex",
                   endpoint_id="12")  # fmt: skip
    reply = chat.invoke([USER])
    for endpoint_id, kept in (("12", True), ("34", False)):
        place = endpoint("vertex", "smart", endpoint_id=endpoint_id)
        assert ("z" in sent(step(reply), at=place)[1]["tool_calls"][0]) is kept


@pytest.mark.parametrize("made_on", ["ai_studio", "openai_compatible"])
def test_portkey_with_google_s_rules_gets_its_signature_back(made_on):
    """Portkey sends the signature in a key of its own. Field case G1.

    With `surface="ai_studio"`, this key is sent back. No placeholder signature is sent.
    """
    answer = completion(None, finish="tool_calls", tool_calls=GATEWAY_MESSAGES["Portkey"]["tool_calls"])
    base_url = "http://gateway.test/v1"
    at = endpoint("ai_studio", base_url=base_url)
    reply = chat_at(Wire(answer), made_on, base_url=base_url, model="gemini-3.8-flash").invoke([USER])
    assert sent(step(reply), at=at)[1]["tool_calls"] == GATEWAY_MESSAGES["Portkey"]["tool_calls"]
    (made, _) = sent(step(reply), at=endpoint("ai_studio"))[1]["tool_calls"]
    assert "thought_signature" not in made["function"]


FRAGMENTS = [
    {"type": "reasoning.text", "text": "Let", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": " me", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "signature": SIGNATURE, "format": "anthropic-claude-v1", "index": 0},
]
JOINED = {
    "type": "reasoning.text",
    "text": "Let me",
    "format": "anthropic-claude-v1",
    "index": 0,
    "signature": SIGNATURE,
}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "eHg=", "id": "c1", "index": 0}


def bare(items):
    return [{key: value for key, value in item.items() if key != "index"} for item in items]


DETAILS = {
    "fragments": (FRAGMENTS, [JOINED]),
    "null in the unused keys": ([{"signature": None, **FRAGMENTS[0]}, {"signature": None, **FRAGMENTS[1]},
                                 {"text": None, **FRAGMENTS[2]}], [JOINED]),
    "a summary of them all": ([*FRAGMENTS, JOINED], [JOINED]),
    "one piece said twice": ([{**FRAGMENTS[0], "text": "ha"}, {**FRAGMENTS[1], "text": "ha"}],
                             [{**FRAGMENTS[0], "text": "haha"}]),
    "two types of one index": ([FRAGMENTS[0], ENCRYPTED, FRAGMENTS[1], FRAGMENTS[2]], [JOINED, ENCRYPTED]),
    "two indices": ([FRAGMENTS[0], {**FRAGMENTS[0], "index": 1}, FRAGMENTS[1]],
                    [{**FRAGMENTS[0], "text": "Let me"}, {**FRAGMENTS[0], "index": 1}]),
    "two ids of one index": ([ENCRYPTED, {**ENCRYPTED, "id": "c2", "data": "eXk="}, ENCRYPTED],
                             [ENCRYPTED, {**ENCRYPTED, "id": "c2", "data": "eXk="}]),
    "two signatures": ([JOINED, {**JOINED, "text": "So", "signature": "b3RoZXI="}],
                       [JOINED, {**JOINED, "text": "So", "signature": "b3RoZXI="}]),
    "summaries": ([{"type": "reasoning.summary", "summary": "a", "index": 0},
                   {"type": "reasoning.summary", "summary": "b", "index": 0}],
                  [{"type": "reasoning.summary", "summary": "ab", "index": 0}]),
    "no index": (bare(FRAGMENTS), bare([JOINED])),
    "no index, encrypted twice": (bare([ENCRYPTED, ENCRYPTED]), bare([ENCRYPTED])),
    "no index, two blocks": (bare([*FRAGMENTS, *FRAGMENTS[:2], {**FRAGMENTS[2], "signature": "b3RoZXI="}]),
                             bare([JOINED, {**JOINED, "signature": "b3RoZXI="}])),
    "no object": (["x", 1, "x"], ["x", 1, "x"]),
}  # fmt: skip


@pytest.mark.parametrize("name", DETAILS)
@pytest.mark.parametrize("way", ["stream", "v3"])
def test_reasoning_details_in_pieces_are_sent_back_joined(name, way):
    """Pieces of `reasoning_details` with the same type, index and id are joined to one entry. Field case B1."""
    fragments, expected = DETAILS[name]
    events = [chunk(reasoning_details=[fragment]) for fragment in fragments]
    wire = Wire(streamed(*events, chunk(tool_calls=[call("f", "{}", "c1", index=0)]), chunk(finish="tool_calls")))
    message = sent(step(WAYS[way](chat_at(wire))))[1]
    assert message["reasoning_details"] == expected
    whole = completion(None, finish="tool_calls", tool_calls=[call("f", "{}", "c1")], reasoning_details=expected)
    assert sent(step(chat_at(Wire(whole)).invoke([USER])))[1] == message


def test_thinking_blocks_of_litellm_are_joined_until_their_signature():
    """Thinking blocks have no index. Only a signature shows where a block ends. Field case B1."""
    pieces = [("Let", None), (" me", None), ("", SIGNATURE), ("So", None), ("", "b3RoZXI=")]
    events = [
        chunk(thinking_blocks=[{"type": "thinking", "thinking": text, "signature": mark}]) for text, mark in pieces
    ]
    wire = Wire(streamed(*events, chunk(content="Hi."), chunk(finish="stop")))
    assert sent([added(chat_at(wire)), USER])[1]["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Let me", "signature": SIGNATURE},
        {"type": "thinking", "thinking": "So", "signature": "b3RoZXI="},
    ]


IMAGES = {
    "OpenRouter": {"images": [{"type": "image_url", "image_url": {"url": DATA_URL}, "index": 0}]},
    "plain URL": {"images": [{"type": "image_url", "image_url": DATA_URL}]},
    "LiteLLM": {"image": {"url": DATA_URL, "detail": "auto"}},
    "LiteLLM, both": {"image": {"url": DATA_URL}, "images": [{"type": "image_url", "image_url": {"url": DATA_URL}}]},
    "base64": {"images": [{"b64_json": PNG}]},
    "object under the plural": {"images": {"url": DATA_URL}},
    "list under the singular": {"image": [{"url": DATA_URL}]},
    "text under the singular": {"image": DATA_URL},
}
IMAGE = {"type": "image", "base64": PNG, "mime_type": "image/png"}


def media_of(message):
    return [{key: value for key, value in block.items() if key not in ("index", "id")}
            for block in message.content_blocks if block["type"] != "text"]  # fmt: skip


@pytest.mark.parametrize("text", [None, "A cat."])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", IMAGES)
def test_images_of_gateways_are_image_blocks(name, way, text):
    """An image becomes a block, alone and next to text.

    If the last chunk repeats the image, the message has only one block. Field case B3.
    """
    images = IMAGES[name]
    said = [chunk(content=text)] if text else []
    streams = streamed(*said, chunk(content="", **images), chunk(**images), chunk(finish="stop"))
    wire = Wire(completion(text, **images) if way == "invoke" else streams)
    message = WAYS[way](chat_at(wire))
    assert media_of(message) == [IMAGE]
    assert message.text == (text or "")
    assert "images" not in sent([message, USER])[1]
    assert "image" not in sent([message, USER])[1]


@pytest.mark.parametrize(("values", "is_said"), [(("OP", "QU"), True), (("OP", "OP"), False), (("OP", "OPQU"), False)])
def test_unknown_text_that_changes_in_a_stream_is_named_in_repairs(values, is_said):
    """If an unknown key has several texts in a stream, only its last text is sent back.

    The texts are not joined, because each of them may be a whole text.
    """
    events = streamed(chunk(content="A."), *(chunk(reasoning_opaque=value) for value in values), chunk(finish="stop"))
    message = WAYS["stream"](chat_at(Wire(events)))
    assert sent([message, USER])[1]["reasoning_opaque"] == values[-1]
    assert ("`reasoning_opaque`" in str(message.response_metadata.get("repairs"))) is is_said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("url", ["javascript:x", "%%", "data:image/png;base64,%%", "file:///etc/passwd", "no image!"])
def test_invalid_image_is_left_out_and_reported(url, way):
    """A value that is neither base64 nor a URL is dropped. The text stays, and `repairs` reports it. Field case B3."""
    images = {"image": {"url": url}}
    events = streamed(chunk(content="A cat."), chunk(**images), chunk(finish="stop"))
    message = WAYS[way](chat_at(Wire(completion("A cat.", **images) if way == "invoke" else events)))
    assert (message.text, media_of(message)) == ("A cat.", [])
    assert "An image of the reply was left out" in str(message.response_metadata["repairs"])


@pytest.mark.parametrize("way", WAYS)
def test_images_can_be_urls_and_several(way):
    """Each image has its own block. Field case B3."""
    url = "https://images.test/cat"
    images = {"images": [{"type": "image_url", "image_url": {"url": one}} for one in (url, DATA_URL)]}
    wire = Wire(completion("", **images) if way == "invoke" else streamed(chunk(**images), chunk(finish="stop")))
    assert media_of(WAYS[way](chat_at(wire))) == [{"type": "image", "url": url}, IMAGE]


def test_image_parts_of_a_content_list_are_kept():
    """Gateways with one format for requests and replies send images as parts of the content. Field case B3."""
    parts = [{"type": "text", "text": "A cat."}, {"type": "image_url", "image_url": {"url": DATA_URL}},
             {"type": "redacted_thinking", "data": "eA=="}]  # fmt: skip
    message = chat_at(Wire(completion(parts))).invoke([USER])
    assert (message.text, media_of(message)) == ("A cat.", [IMAGE])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "reasoning_text"])
@pytest.mark.parametrize("thoughts", ["", "Hm."])
def test_reasoning_is_sent_back_even_if_empty(thoughts, key, way):
    """DeepSeek answers 400 to a history in which a message with calls lacks the key for thoughts. Field case B4."""
    message = {key: thoughts, "tool_calls": [call("f", "{}", "c1")]}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message))))
    assert sent(step(reply))[1] == {"role": "assistant", **message}
    for surface in ("vertex", "ai_studio"):
        assert key not in sent(step(reply), surface=surface)[1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("thoughts", ["", "Hm."])
def test_reasoning_under_two_keys_is_sent_back_under_both(thoughts, way):
    """Some versions of vLLM send the same text as `reasoning` and as `reasoning_content`. Field case B4."""
    message = {"reasoning": thoughts, "reasoning_content": thoughts, "tool_calls": [call("f", "{}", "c1")]}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message))))
    assert reply.additional_kwargs.get("reasoning_content", "") == thoughts
    assert sent(step(reply))[1] == {"role": "assistant", **message}


def test_reply_without_reasoning_is_sent_back_without_the_key():
    """A reply without thoughts is sent back without the key `reasoning_content`. Field case B4."""
    reply = chat_at(Wire(completion(None, reasoning_content=None, tool_calls=[call()]))).invoke([USER])
    assert "reasoning_content" not in sent(step(reply))[1]


SIGNED = {"extra_content": {"google": {"thought_signature": SIGNATURE}}}


@pytest.mark.parametrize("way", WAYS)
def test_fields_that_litellm_wraps_are_sent_back_unwrapped(way):
    """The server behind LiteLLM's route `openai/` refuses `provider_specific_fields`. Field case G2."""
    wrapped = {"provider_specific_fields": {"refusal": None, **SIGNED}}
    message = {"content": "Hi.", **wrapped}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message, "stop"))))
    assert sent([reply, USER])[1] == {"role": "assistant", "content": "Hi.", **SIGNED}
    # LiteLLM 1.108.7 moves the fields that it does not know into `provider_specific_fields`.
    odd = {"x_odd": "y", "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}], **SIGNED}
    message = {"content": "Hi.", "provider_specific_fields": odd}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message, "stop"))))
    assert sent([reply, USER])[1] == {"role": "assistant", "content": "Hi.", **odd}
    calls = {"tool_calls": [call("f", '{"x":1}', "c1", **wrapped)]}
    reply = WAYS[way](chat_at(Wire(answer_of(way, calls))))
    assert sent(step(reply))[1]["tool_calls"] == [call("f", '{"x":1}', "c1", **SIGNED)]


def test_fields_that_litellm_reads_stay_wrapped():
    """LiteLLM's route `gemini/` looks for signatures in `provider_specific_fields`. Field case G2."""
    fields = {"provider_specific_fields": {"thought_signatures": [SIGNATURE], "refusal": None}}
    reply = chat_at(Wire(completion("Hi.", **fields))).invoke([USER])
    assert sent([reply, USER])[1]["provider_specific_fields"] == {"thought_signatures": [SIGNATURE]}


@pytest.mark.parametrize("way", WAYS)
def test_provider_and_cost_are_metadata(way):
    """OpenRouter and LiteLLM send provider and cost in the reply and in its usage. Field case G12."""
    priced = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cost": 0.00015,
              "cost_details": {"upstream_inference_cost": None, "upstream_inference_prompt_cost": 0.0001}}  # fmt: skip
    whole = {**completion("Hello there."), "provider": "Google AI Studio", "usage": priced}
    events = [{**chunk(content=text), "provider": "Google AI Studio"} for text in ("Hello", " there", ".")]
    last = {**chunk(finish="stop"), "choices": [], "usage": priced}
    wire = Wire(whole if way == "invoke" else streamed(*events, chunk(finish="stop"), last))
    metadata = WAYS[way](chat_at(wire)).response_metadata
    assert metadata["provider"] == "Google AI Studio"
    assert (metadata["cost"], metadata["cost_details"]) == (0.00015, priced["cost_details"])


@pytest.mark.parametrize(("cost", "expected"), [(0, 0), (0.0, 0.0), ("free", None), (True, None), (None, None)])
def test_cost_of_zero_is_kept(cost, expected):
    """Free models cost 0. A value that is not a number is ignored. Field case G12."""
    answer = completion()
    answer["usage"]["cost"] = cost
    assert chat_at(Wire(answer)).invoke([USER]).response_metadata.get("cost") == expected


BAD = {"name": "f", "args": '{"x": ', "id": "c1", "error": None}
GOOD = {"name": "g", "args": {}, "id": "c2"}


@pytest.mark.parametrize("surface", SURFACES)
def test_result_of_a_dropped_call_is_dropped(surface):
    """The PatchToolCalls middleware of deepagents adds results to invalid calls, which are not sent. Field case H1."""
    result = ToolMessage("Tool call f with id c1 could not be parsed.", tool_call_id="c1")
    request = build(
        [USER, AIMessage("", invalid_tool_calls=[BAD]), result, HumanMessage("Go on.")], surface, "gemini-3.8-flash"
    )
    assert [message["role"] for message in request.payload["messages"]] == ["user", "user"]
    assert any("'c1' was left out" in note for note in notes(request))
    if surface == "openai_compatible":
        assert not any("Gemini" in note for note in notes(request))


@pytest.mark.parametrize("surface", SURFACES)
def test_results_of_other_calls_are_kept_when_one_is_dropped(surface):
    """The result of a dropped call is dropped. A later call with the same id keeps its result. Field case H1."""
    first = AIMessage("", tool_calls=[GOOD], invalid_tool_calls=[BAD])
    again = AIMessage("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "c1"}])
    bad, good, late = ToolMessage("bad", tool_call_id="c1"), ToolMessage("good", tool_call_id="c2"), ToolMessage(
        "late", tool_call_id="c1")  # fmt: skip
    messages = build([USER, first, bad, good, again, late], surface, "gemini-3.8-flash").payload["messages"]
    made = [entry["id"] for message in messages for entry in message.get("tool_calls", ())]
    answered = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert made == answered == ["c2", "c1"]
    assert [message["content"] for message in messages if message["role"] == "tool"][1].strip('"') != "bad"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wire_id", ["functions.w:0", "call 1", "chatcmpl-tool-é", "x" * 300, "c\x7f1"])
def test_call_id_is_sent_back_unchanged_to_its_server(wire_id, way):
    """Kimi's server needs its own call ids back unchanged. Field case H2.

    If LangChain cannot use an id, the message has a generated id. The next request has the server's id again.
    """
    message = {"tool_calls": [call("w", "{}", wire_id), call("w", '{"x":1}', f"{wire_id}b")]}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message))))
    ids = [made["id"] for made in reply.tool_calls]
    assert len(set(ids)) == 2
    assert all(made.isprintable() and len(made) <= 256 for made in ids)
    messages = sent(step(reply))
    assert [made["id"] for made in messages[1]["tool_calls"]] == [wire_id, f"{wire_id}b"]
    assert [message["tool_call_id"] for message in messages[2:]] == [wire_id, f"{wire_id}b"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ids", [("", ""), (None, None), (" ", " "), ("c", "c")])
def test_missing_and_duplicate_call_ids_are_replaced(ids, way):
    """LangChain and the API both need unique ids. Field case H2."""
    message = {"tool_calls": [call("w", '{"x":1}', ids[0]), call("v", '{"x":2}', ids[1])]}
    reply = WAYS[way](chat_at(Wire(answer_of(way, message))))
    made = [entry["id"] for entry in sent(step(reply))[1]["tool_calls"]]
    assert made == [entry["id"] for entry in reply.tool_calls]
    assert len(set(made)) == 2
    assert made[0] == "c" or ids[0] != "c"


@pytest.fixture
def cache():
    """Set LangChain's cache for one test."""
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


ROUTES = {
    "header": ({"default_headers": {"x-portkey-provider": "google"}}, {"default_headers": {"x-portkey-provider": "openai"}}),
    "query": ({"default_query": {"tenant": "a"}}, {"default_query": {"tenant": "b"}}),
    "header against none": ({"default_headers": {"x-portkey-config": "pc-1"}}, {}),
    "base URL": ({"base_url": "http://one.test/v1"}, {"base_url": "http://two.test/v1"}),
    "extra body": ({"extra_body": {"models": ["a"]}}, {"extra_body": {"models": ["b"]}}),
    "model_kwargs": ({"model_kwargs": {"provider": {"only": ["a"]}}}, {"model_kwargs": {"provider": {"only": ["b"]}}}),
}  # fmt: skip


@pytest.mark.parametrize("name", ROUTES)
def test_models_with_different_headers_or_query_do_not_share_cached_replies(name, cache):
    """A gateway chooses the provider by headers and query, so the cache key has a digest of them. Field case G5."""
    for number, kwargs in enumerate([*ROUTES[name], *ROUTES[name]]):
        wire = Wire(completion(f"Answer {number}."))
        assert chat_at(wire, **kwargs).invoke([USER]).text == f"Answer {number % 2}."
        assert len(wire.requests) == (1 if number < 2 else 0)


@pytest.mark.parametrize("name", ["header", "query"])
async def test_async_models_with_different_headers_or_query_do_not_share_cached_replies(name, cache):
    """In async calls, too, a model gets only its own replies from the cache. Field case G5."""
    for number, kwargs in enumerate([*ROUTES[name], *ROUTES[name]]):
        wire = Wire(completion(f"Answer {number}."))
        assert (await chat_at(wire, **kwargs).ainvoke([USER])).text == f"Answer {number % 2}."


def test_cache_key_and_parameters_contain_no_header_value():
    """Headers contain keys, so only a digest is used. The case and the order of the names do not matter.

    Field case G5.
    """
    one = chat_at(
        Wire(completion()), default_headers={"x-api-key": "s3cr3t-v4lue", "A": "1"}, default_query={"k": "qu3ry"}
    )
    two = chat_at(
        Wire(completion()), default_headers={"a": "1", "X-Api-Key": "s3cr3t-v4lue"}, default_query={"k": "qu3ry"}
    )
    told = f"{one._get_llm_string()}{one._identifying_params}{one._get_invocation_params()}"
    assert "s3cr3t" not in told
    assert "qu3ry" not in told
    assert one._get_llm_string() == two._get_llm_string()
    assert one._identifying_params["routing_digest"] == two._identifying_params["routing_digest"]
    assert "routing_digest" not in chat_at(Wire(completion()))._identifying_params


THINKING = [{"type": "thinking", "thinking": "Let me", "signature": SIGNATURE}, {"type": "text", "text": "Hi."}]
PORTKEY_DELTAS = [
    {"content_blocks": [{"index": 0, "delta": {"thinking": "Let"}}]},
    {"content_blocks": [{"index": 0, "delta": {"thinking": " me"}}]},
    {"content_blocks": [{"index": 0, "delta": {"signature": SIGNATURE}}]},
    {"content": "H", "content_blocks": [{"index": 1, "delta": {"text": "H"}}]},
    {"content": "i.", "content_blocks": [{"index": 1, "delta": {"text": "i."}}]},
]


@pytest.mark.parametrize("way", WAYS)
def test_portkey_s_content_blocks_are_thoughts_and_are_sent_back_joined(way):
    """In a stream, Portkey sends pieces of content blocks. They are joined before they are sent back. Field case B2.

    If the blocks only repeat the text of the reply, they are dropped.
    """
    whole = completion("Hi.", content_blocks=THINKING)
    deltas = streamed(*(chunk(**delta) for delta in PORTKEY_DELTAS), chunk(finish="stop"))
    message = WAYS[way](chat_at(Wire(whole if way == "invoke" else deltas)))
    assert (message.text, message.additional_kwargs["reasoning_content"]) == ("Hi.", "Let me")
    assert sent([message, USER])[1] == {"role": "assistant", "content": "Hi.", "content_blocks": THINKING}
    copy = completion("Hi.", content_blocks=THINKING[1:])
    deltas = streamed(*(chunk(**delta) for delta in PORTKEY_DELTAS[3:]), chunk(finish="stop"))
    message = WAYS[way](chat_at(Wire(copy if way == "invoke" else deltas)))
    assert sent([message, USER])[1] == {"role": "assistant", "content": "Hi."}


@pytest.mark.parametrize("way", WAYS)
def test_portkey_s_images_are_image_blocks(way):
    """Portkey sends images only in `content_blocks`. Field case B3."""
    block = {"type": "image_url", "image_url": {"url": DATA_URL}}
    whole = completion(None, content_blocks=[block])
    deltas = streamed(chunk(content_blocks=[{"index": 0, "delta": block}]), chunk(finish="STOP"))
    message = WAYS[way](chat_at(Wire(whole if way == "invoke" else deltas)))
    assert media_of(message) == [IMAGE]
    assert "content_blocks" not in sent([message, USER])[1]


MISSING = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly."
)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "base_url", ["http://gateway.test:8080/v1", "https://generativelanguage.googleapis.com/v1beta/openai"]
)
def test_gateway_that_removes_signatures_is_warned_about_once(base_url, surface, streaming):
    """If a gateway removed the signature, the error names the gateway once. Field case G6.

    The error leaves out the usual advice to keep the message unchanged, because it would not help.
    """
    wire = Wire(reply(google_error(400, "INVALID_ARGUMENT", MISSING), 400))
    chat = chat_at(wire, surface, surface=surface, base_url=base_url, model="gemini-3.8-flash")
    with pytest.raises(errors.MissingSignatureError) as raised:
        list(chat.stream([USER])) if streaming else chat.invoke([USER])
    text = str(raised.value)
    if "googleapis" in base_url:
        assert "Keep the AIMessage as it came" in raised.value.remedy
    else:
        assert text.count("gateway.test:8080") == raised.value.remedy.count("gateway.test:8080") == 1
        assert "as it came" not in text


def test_each_test_that_the_table_of_gateways_names_exists():
    """The table names tests as evidence."""
    root = Path(__file__).parents[2]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "reference" / "gateways.md").read_text()))
    found = {
        name for path in (root / "tests").rglob("*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert named
    assert named <= found


def look(city: str) -> str:
    """Return the weather of a city."""
    return "sunny"


async def run_agent(gateway, mode, surface):
    """Ask an agent with a checkpoint two questions, and return the texts of its answers."""
    model = ChatGeminiCompat(
        model="smart" if surface == "openai_compatible" else "gemini-3.8-flash", base_url="http://gateway.test/v1",
        api_key="k", surface=surface, max_retries=0, streaming="stream" in mode, **gateway.settings, **gateway.clients,
    )  # fmt: skip
    agent = create_agent(model, [look], checkpointer=InMemorySaver())
    config, texts = {"configurable": {"thread_id": "1"}}, []
    for question in ("How is the weather?", "And now?"):
        asked = {"messages": [HumanMessage(question)]}
        state = await agent.ainvoke(asked, config) if mode.startswith("a") else agent.invoke(asked, config)
        texts.append(state["messages"][-1].text)
    return texts


@pytest.mark.parametrize("surface", ["openai_compatible", "ai_studio"])
@pytest.mark.parametrize("mode", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("kind", [Portkey, LiteLLMGemini, LiteLLMOpenAI])
async def test_agent_works_with_gateways_that_require_signatures(kind, mode, surface):
    """The agent answers two questions with a tool call each, through simulated gateways. Field cases G1, G2."""
    gateway = kind()
    assert await run_agent(gateway, mode, surface) == ["Sunny.", "Still."]
    assert len(gateway.bodies) == 4


@pytest.mark.parametrize(("max_retries", "gateway_tries", "upstream"), [(2, 3, 9), (2, 1, 3), (0, 3, 3)])
def test_retries_of_a_gateway_multiply_with_the_model_s(max_retries, gateway_tries, upstream):
    """The retries of the gateway multiply with the retries of the model. Field case G7.

    The how-to page about gateways explains this, and how to turn off the retries of the gateway or of the model.
    """
    sent = []

    def answer(request):
        sent.extend([request] * gateway_tries)
        return reply(google_error(503, "UNAVAILABLE", "Busy."), 503)

    client = http.Client(transport=http.MockTransport(answer))
    chat = ChatGeminiCompat(
        model="smart", base_url="http://busy.test/v1", api_key=f"k{upstream}{gateway_tries}", http_client=client,
        max_retries=max_retries,
    )  # fmt: skip
    with pytest.raises(errors.ServerError):
        chat.invoke([USER])
    assert len(sent) == upstream
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "gateways.md").read_text()
    assert all(words in page for words in ("nine requests", "num_retries: 0", "max_retries=0", "ai_studio"))
