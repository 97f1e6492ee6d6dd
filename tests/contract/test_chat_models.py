"""The chat model through LangChain's entry points: `invoke`, `stream`, their async versions and v3 events."""

import json
import pickle
import subprocess
import sys

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    HumanMessage,
    message_chunk_to_message,
    messages_to_dict,
)
from pydantic import BaseModel
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._signatures import RECORDS_KEY, SIGNATURES_KEY
from langchain_gemini_compat.errors import (
    BlockedError,
    GeminiCompatWarning,
    InvalidReplyError,
    UnsupportedParameterError,
)

SIGNED = {"extra_content": {"google": {"thought_signature": "c2lnbmF0dXJl"}}}
WHOLE = completion(
    "<thought>Hm.</thought>Let me check.",
    finish="tool_calls",
    usage=(10, 7, 42),
    tool_calls=[call("f", '{"x": 1}', "call-1", **SIGNED), call("g", "{}", "call-2")],
    extra_content={"google": {"thought": True}},
)
STREAM = [
    chunk(content="<tho", extra_content={"google": {"thought": True}}),
    chunk(content="ught>Hm.", extra_content={"google": {"thought": True}}),
    chunk(content="</thou"),
    chunk(content="ght>Let me "),
    chunk(content="check."),
    chunk(tool_calls=[call("f", '{"x"', "call-1", **SIGNED)]),
    chunk(tool_calls=[{"function": {"arguments": ": 1}"}}]),
    chunk(tool_calls=[call("g", "{}", "call-2")]),
    chunk(finish="stop", usage=(10, 7, 42)),
    "[DONE]",
]


def model(*answers, **kwargs):
    options = {"model": "gemini-3.8-flash", "api_key": "k", **Wire(*answers).clients, **kwargs}
    return ChatGeminiCompat(**options)


async def ask(mode, chat, prompt="hi"):
    """Return the message that entry point `mode` gives."""
    if mode == "invoke":
        return chat.invoke(prompt)
    if mode == "ainvoke":
        return await chat.ainvoke(prompt)
    if mode == "stream":
        return message_chunk_to_message(total(chat.stream(prompt)))
    if mode == "astream":
        return message_chunk_to_message(total([part async for part in chat.astream(prompt)]))
    if mode == "events":
        return chat.stream_events(prompt, version="v3").output
    return await (await chat.astream_events(prompt, version="v3")).output


def total(chunks):
    result = None
    for part in chunks:
        result = part if result is None else result + part
    return result


MODES = ["invoke", "ainvoke", "stream", "astream", "events", "aevents"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_every_entry_point_gives_the_same_message(mode, output_version):
    """Thoughts, text, calls, signatures, usage and finish reason are the same, in both content versions."""
    answer = WHOLE if "invoke" in mode else STREAM
    message = await ask(mode, model(answer, output_version=output_version))
    assert message.text == "Let me check."
    assert message.additional_kwargs["reasoning_content"] == "Hm."
    assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [
        ("f", {"x": 1}, "call-1"),
        ("g", {}, "call-2"),
    ]
    assert message.additional_kwargs[SIGNATURES_KEY] == {"call-1": "c2lnbmF0dXJl"}
    assert message.additional_kwargs[RECORDS_KEY]["call-1"]["origin"]["surface"] == "ai_studio"
    assert message.usage_metadata == {
        "input_tokens": 10,
        "output_tokens": 32,
        "total_tokens": 42,
        "output_token_details": {"reasoning": 25},
    }
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.response_metadata["model_name"] == "gemini-3.8-flash"
    kinds = [(block["type"], block.get("extras")) for block in message.content_blocks]
    assert kinds == [
        ("reasoning", None),
        ("text", None),
        ("tool_call", {"signature": "c2lnbmF0dXJl"}),
        ("tool_call", None),
    ]


@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_chunks_have_consecutive_indices_and_one_name_per_call(output_version):
    """LangChain's merging and its v3 bridge rely on these indices and names."""
    chunks = list(model(STREAM, output_version=output_version).stream("hi"))
    pieces = [(c["index"], c["id"], c["name"], c["args"]) for part in chunks for c in part.tool_call_chunks]
    assert pieces == [
        (0, "call-1", "f", '{"x"'),
        (0, None, None, ": 1}"),
        (1, "call-2", "g", ""),
        (1, None, None, "{}"),
    ]
    assert [part.chunk_position for part in chunks].count("last") == 1
    assert chunks[-1].chunk_position == "last"
    assert sum(part.usage_metadata is not None for part in chunks) == 1


def test_content_is_a_string_with_and_without_thoughts():
    """The type of `content` does not depend on thoughts."""
    thinking = completion("<thought>Hm.</thought>Hi.")
    answers = [model(answer, include_thoughts=True).invoke("hi") for answer in (thinking, completion("Hi."))]
    assert [answer.content for answer in answers] == ["Hi.", "Hi."]


def test_image_becomes_an_image_block():
    """Google sends the image in `message.audio`, with one signature for the message."""
    audio = {"data": "iVBORw0KGgo=", "extra_content": {"google": {"mime_type": "image/png"}}}
    answer = completion(None, audio=audio, extra_content={"google": {"thought_signature": "c2ln"}})
    message = model(answer).invoke("a cat")
    assert message.content_blocks == [{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}]
    streamed = total(model([chunk(audio=audio), chunk(finish="stop"), "[DONE]"]).stream("a cat"))
    assert streamed.content_blocks == message.content_blocks


def test_two_images_are_two_blocks():
    """Each image block has an index of its own.

    If two blocks have the same index, LangChain joins their base64 texts, and its v3 events keep only the last block.
    """
    first, second = {"data": "iVBORw0KGgo="}, {"data": "/9j/4AAQSk"}
    events = [chunk(audio=first), chunk(content="and"), chunk(audio=second), chunk(finish="stop"), "[DONE]"]
    streamed = total(model(events).stream("two cats"))
    over_events = model(events).stream_events("two cats", version="v3").output
    for message in (streamed, over_events):
        images = [block["base64"] for block in message.content_blocks if block["type"] == "image"]
        assert images == [first["data"], second["data"]]


def test_image_follows_the_text():
    """`.text` contains only the text."""
    audio = {"data": "/9j/4AAQSk"}
    message = model(completion("A cat.", audio=audio)).invoke("a cat")
    assert [block["type"] for block in message.content_blocks] == ["text", "image"]
    assert message.text == "A cat."
    streamed = total(model([chunk(content="A cat."), chunk(audio=audio), chunk(finish="stop")]).stream("a cat"))
    assert [block["type"] for block in streamed.content_blocks] == ["text", "image"]


def test_usage_of_a_stream_is_that_of_the_last_chunk():
    """AI Studio's counts are cumulative."""
    events = [chunk(content="a", usage=(10, 1, 11)), chunk(content="b", finish="stop", usage=(10, 2, 12)), "[DONE]"]
    usage = total(model(events).stream("hi")).usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (10, 2, 12)


def test_each_candidate_is_a_generation():
    """Only the message of the first candidate has the token counts. So the tokens of the reply are counted once."""
    answer = completion("one")
    answer["choices"].append({"index": 1, "finish_reason": "stop", "message": {"content": "two"}})
    result = model(answer, n=2, base_url="http://gateway.example/v1").generate([[HumanMessage("hi")]])
    assert [generation.text for generation in result.generations[0]] == ["one", "two"]
    assert [generation.message.usage_metadata is None for generation in result.generations[0]] == [False, True]


def test_parallel_tool_calls_false_returns_one_call():
    """The server ignores the option, so the package drops the other calls and their signatures."""
    bound = model(WHOLE, STREAM).bind_tools([], parallel_tool_calls=False)
    assert [c["id"] for c in bound.invoke("hi").tool_calls] == ["call-1"]
    assert [c["id"] for c in total(bound.stream("hi")).tool_calls] == ["call-1"]


def test_dropped_parameter_warns_once_and_raises_with_strict():
    """AI Studio has no `seed`."""
    chat = model(completion(), seed=1)
    with pytest.warns(GeminiCompatWarning, match="seed"):
        chat.invoke("hi")
    chat.invoke("hi")
    with pytest.raises(UnsupportedParameterError, match="seed"):
        model(completion(), seed=1, strict=True).invoke("hi")


def test_preview_returns_the_request_and_notes():
    """`preview` does not send a request."""
    wire = Wire(completion())
    body, notes = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", seed=1, **wire.clients).preview("hi")
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert [note.kind for note in notes] == ["dropped"]
    assert wire.requests == []


def test_model_can_be_overridden_for_a_call():
    """The request has the new name with the prefix that the surface requires. Traces have the name without a prefix."""
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="gemini-3.8-flash", project="p", api_key="k", **wire.clients)
    chat.invoke("hi", model="gemini-3.1-pro-preview")
    assert wire.bodies[0]["model"] == "google/gemini-3.1-pro-preview"
    assert chat._get_ls_params(model="models/gemini-3.1-pro-preview")["ls_model_name"] == "gemini-3.1-pro-preview"


def test_invoke_streams_with_streaming_or_stream():
    """With `streaming=True` or `stream=True`, `invoke` reads a stream and returns one message.

    The message is the sum of the chunks.
    """
    wire = Wire(STREAM)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", streaming=True, **wire.clients)
    assert chat.invoke("hi").text == "Let me check."
    assert wire.bodies[0]["stream"] is True
    assert chat.invoke("hi", stream=True).text == "Let me check."


def test_callbacks_get_every_token():
    """Callbacks get the tokens in the order of the stream."""

    class Tokens(BaseCallbackHandler):
        def __init__(self):
            self.seen = []

        def on_llm_new_token(self, token, **kwargs):
            self.seen.append(token)

    handler = Tokens()
    list(model(STREAM).stream("hi", config={"callbacks": [handler]}))
    assert "".join(handler.seen) == "Let me check."


def test_batch_keeps_the_order():
    """Each prompt is one request."""
    chat = model(completion("one"), completion("two"))
    assert [answer.text for answer in chat.batch(["a", "b"], config={"max_concurrency": 1})] == ["one", "two"]


def test_known_model_has_a_profile():
    """Agents use the profile to choose the form of structured output and the time to summarize."""
    profile = ChatGeminiCompat(model="google/gemini-3.8-flash", project="p").profile
    assert profile["structured_output"]
    assert profile["max_input_tokens"] == 1_048_576
    assert ChatGeminiCompat(model="mystery", base_url="http://127.0.0.1/v1").profile is None


def test_stored_message_has_its_blocks_after_the_import_that_the_docs_name():
    """To get content blocks, a program that only reads stored messages has to import `chat_models`.

    The import of the package alone does not load `chat_models`, because this import must stay fast.
    """
    message = AIMessage("", additional_kwargs={"refusal": "No."}, response_metadata={"model_provider": "gemini_compat"})
    code = (
        "import json, sys\n"
        "import langchain_gemini_compat.chat_models\n"
        "from langchain_core.messages import messages_from_dict\n"
        "print([block['type'] for block in messages_from_dict(json.loads(sys.argv[1]))[0].content_blocks])"
    )
    stored = json.dumps(messages_to_dict([message]))
    output = subprocess.run([sys.executable, "-c", code, stored], capture_output=True, text=True, check=True).stdout
    assert output == "['refusal']\n"


def test_assigning_another_model_brings_its_profile():
    model = ChatGeminiCompat(model="gemini-3.8-flash", project="p")
    model.model = "gemini-3-pro-image"
    assert model.profile == ChatGeminiCompat(model="gemini-3-pro-image", project="p").profile
    model.model = "mystery"
    assert model.profile is None
    model.model = "gemini-3.8-flash"
    assert model.profile["max_input_tokens"] == 1_048_576
    assert (
        model.profile == model.model_copy(update={"model": "mystery"}).model_copy(update={"model": model.model}).profile
    )


def test_assigning_another_model_keeps_the_caller_s_profile():
    model = ChatGeminiCompat(model="gemini-3.8-flash", project="p", profile={"max_input_tokens": 5})
    model.model = "gemini-2.5-flash"
    assert model.profile == {"max_input_tokens": 5}
    changed = ChatGeminiCompat(model="gemini-3.8-flash", project="p")
    changed.profile["max_input_tokens"] = 7
    changed.model = "gemini-2.5-flash"
    assert changed.profile["max_input_tokens"] == 7


def test_token_estimate_counts_tools_and_no_signatures():
    """The estimate includes the tools and ignores the signatures. It sends no request."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    plain = [HumanMessage("Why is the sky blue?")]

    class Weather(BaseModel):
        """Weather of a city."""

        city: str

    assert chat.get_num_tokens("Why is the sky blue?") > 3
    assert chat.get_num_tokens_from_messages(plain, tools=[Weather]) > chat.get_num_tokens_from_messages(plain)
    signed = AIMessage("x", additional_kwargs={SIGNATURES_KEY: {"a": "A" * 9999}})
    assert chat.get_num_tokens_from_messages([signed]) == chat.get_num_tokens_from_messages([AIMessage("x")])


def test_message_survives_json_and_pickle():
    """Signatures are in fields that serializers keep."""
    message = model(WHOLE).invoke("hi")
    assert AIMessage(**json.loads(json.dumps(message.model_dump()))).additional_kwargs == message.additional_kwargs
    assert pickle.loads(pickle.dumps(message)) == message


def test_sum_of_chunks_can_be_pickled():
    """Worker processes exchange sums of chunks as pickles."""
    summed = total(model(STREAM).stream("hi"))
    assert isinstance(pickle.loads(pickle.dumps(summed)), AIMessageChunk)


def test_texts_of_the_model_contain_no_secret():
    """The repr, the dump and the identifying parameters do not contain the key."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="canary", default_headers={"X-Key": "canary"})
    texts = [repr(chat), str(chat), str(chat.model_dump()), str(chat._identifying_params), str(chat.endpoint_info())]
    assert "canary" not in "".join(texts)


def test_two_calls_without_arguments_stay_two_calls():
    """The arguments `{}` are held back to the end of the stream, and added to the right call."""
    message = model(completion(None, tool_calls=[call("f", "{}", "a"), call("g", "{}", "b")])).invoke("hi")
    assert [(c["name"], c["args"], c["id"]) for c in message.tool_calls] == [("f", {}, "a"), ("g", {}, "b")]


@pytest.mark.parametrize("mode", MODES)
async def test_tool_call_in_a_filtered_reply_raises(mode):
    """Without the error, an agent would run the calls, because LangChain only adds a refusal block to the message."""
    whole = completion(None, finish="content_filter: SAFETY", tool_calls=[call()])
    stream = [chunk(tool_calls=[call()]), chunk(finish="content_filter: SAFETY"), "[DONE]"]
    with pytest.raises(BlockedError, match="SAFETY") as caught:
        await ask(mode, model(stream if mode not in ("invoke", "ainvoke") else whole, max_retries=2))
    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"detail": "Not here."}, "not a reply of this API.*Not here.*base_url"),
        ({}, "not a reply of this API.*base_url"),
        ('{"id": "r", "choices": [{"mess', "not complete JSON.*Ask again"),
        ("Welcome!", "not JSON: 'Welcome!'.*base_url"),
        ("Welcome, 0123456789abcdef!", r"Welcome, \[hidden\]!"),
    ],
)
def test_invalid_reply_is_quoted_without_the_key(answer, words):
    """The error has the start of the body and says what to check."""
    with pytest.raises(InvalidReplyError, match=words):
        model(answer, api_key="0123456789abcdef", max_retries=0).invoke("hi")


def test_thinking_option_of_a_call_replaces_that_of_the_model():
    """The option of the call wins, even if the two options have different names."""
    body, _ = model(reasoning_effort="high").preview("hi", thinking_level="low")
    assert body["extra_body"]["google"]["thinking_config"] == {"thinking_level": "low"}
    assert "reasoning_effort" not in body


def test_model_kwargs_accept_aliases():
    """`model_kwargs` accept the same aliases as the constructor and calls."""
    body, notes = model(model_kwargs={"max_output_tokens": 50_000, "stop_sequences": ["x"]}).preview("hi")
    assert (body["max_tokens"], body["stop"], notes) == (50_000, ["x"], [])


def test_body_of_preview_is_a_copy():
    """A change to the returned body does not change the model."""
    extra = {"google": {"cached_content": "c"}}
    chat = model(extra_body=extra, stop=["x"])
    body, _ = chat.preview("hi")
    body["stop"].append("y")
    body["extra_body"]["google"]["cached_content"] = "d"
    assert (extra["google"]["cached_content"], chat.preview("hi")[0]["stop"]) == ("c", ["x"])


def test_reply_lists_losses_of_schemas():
    """The list is limited, since every message of a history keeps its metadata."""
    properties = {f"p{number}": {"type": "string", "pattern": "^a"} for number in range(30)}
    parameters = {"type": "object", "properties": properties}
    tool = {"type": "function", "function": {"name": "f", "description": "F.", "parameters": parameters}}
    repairs = model(completion()).bind_tools([tool]).invoke("hi").response_metadata["repairs"]
    assert len(repairs) == 21
    assert "pattern" in repairs[0]
    assert repairs[-1] == "10 more: see `preview()`."
