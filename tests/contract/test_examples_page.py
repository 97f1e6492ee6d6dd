"""Google's examples page for the OpenAI-compatible API: its requests are sent and its replies are read.

Each cassette has the request of the page. Replaying a cassette requires the same body, so an additional or missing
field is an error.
"""

import json
import os

import pytest
from cassette_files import EXAMPLES, PROJECT, cassette
from google.oauth2.credentials import Credentials
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._signatures import SIGNATURES_KEY

IMAGE = "gs://cloud-samples-data/generative-ai/image/scones.jpg"


@pytest.fixture
def play(record):
    """Return a function that replays the cassette of an example, or records it if `record` is set."""
    return lambda name: cassette(EXAMPLES[name], record=record)


@pytest.fixture
def vertex(record):
    """Return a model on Vertex AI."""

    def build(model, **kwargs):
        where = {"location": "us-central1", **kwargs}
        if record:
            return ChatGeminiCompat(model=model, project=os.environ["GOOGLE_CLOUD_PROJECT"], **where)
        return ChatGeminiCompat(model=model, project=PROJECT, credentials=Credentials("test"), max_retries=0, **where)

    return build


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Return a function that calls `invoke` or `ainvoke`. Both send the same request, so they share a cassette."""

    async def call(model, messages, **kwargs):
        if request.param == "sync":
            return model.invoke(messages, **kwargs)
        return await model.ainvoke(messages, **kwargs)

    return call


@pytest.fixture(params=["sync", "async"])
def stream(request):
    """Call `stream` or `astream`, and return the sum of the chunks."""

    async def call(model, messages):
        parts = list(model.stream(messages)) if request.param == "sync" else [p async for p in model.astream(messages)]
        total = parts[0]
        for part in parts[1:]:
            total += part
        return total

    return call


async def test_text(play, vertex, ask):
    """The first sample of the page uses a regional host and v1beta1."""
    with play("text"):
        answer = await ask(
            vertex("gemini-2.0-flash-001", api_version="v1beta1"), "Write a story about a magic backpack."
        )
    assert answer.text
    assert answer.response_metadata["finish_reason"] == "stop"


async def test_text_streamed(play, vertex, stream):
    """The last chunk of the stream has the token counts."""
    with play("text stream"):
        answer = await stream(vertex("google/gemini-2.0-flash-001"), "Why is the sky blue?")
    assert answer.text
    assert answer.usage_metadata["total_tokens"] == sum(
        answer.usage_metadata[f"{kind}_tokens"] for kind in ("input", "output")
    )


@pytest.mark.parametrize("form", ["plain string", "standard block"])
async def test_image_by_uri(play, vertex, ask, form, record):
    """A `gs://` URL is sent as a string in `image_url`. LangChain's own image block is sent as an object."""
    block = {"type": "image_url", "image_url": IMAGE}
    text = {"type": "text", "text": "Describe the following image:"}
    model = vertex("gemini-2.0-flash-001")
    if form == "plain string":
        with play("image"):
            assert (await ask(model, [HumanMessage([text, block])])).text
    elif not record:
        body, _ = model.preview([HumanMessage([text, {"type": "image", "url": IMAGE}])])
        assert body["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": IMAGE}}


async def test_self_deployed(play, vertex, ask, stream):
    """The requests have `endpoints/{id}` in their URL, and none of Google's own fields."""
    model = vertex("gemma-2-9b-it", endpoint_id="YOUR_ENDPOINT_ID")
    with play("self-deployed"):
        assert (await ask(model, "Why is the sky blue?")).text
    with play("self-deployed stream"):
        assert (await stream(model, "Why is the sky blue?")).text
    with play("self-deployed global"):
        everywhere = vertex(None, endpoint_id="ENDPOINT", location="global", api_version="v1beta1")
        assert (await ask(everywhere, "Write a story about a magic backpack.")).text


async def test_thought_tag_marker(play, vertex, ask):
    """The marker is sent in the key `extra_body`. With the marker `mind`, the text in `<mind>` tags is a thought."""
    model = vertex("gemini-2.5-flash-preview-04-17", include_thoughts=True, thought_tag_marker="mind")
    with play("marker"):
        answer = await ask(model, "Is 391 prime?")
    assert answer.additional_kwargs["reasoning_content"]
    assert "<mind>" not in answer.text


def test_extra_body_is_sent_where_the_page_has_it(vertex):
    """The SDK sample nests `extra_body` twice, because the SDK removes the outer level.

    `extra_body` with one level and with two levels gives the same body.
    """
    google = {"google": {"thought_tag_marker": "mind"}}
    for given in (google, {"extra_body": google}):
        body, _ = vertex("gemini-2.5-flash", extra_body=given).preview("hi")
        assert body["extra_body"] == google


async def test_extra_content_in_its_three_places(play, vertex, ask):
    """`extra_content` is sent unchanged on a message with string content, on a part, and on a tool call."""
    given = {"google": {"thought": True}}
    model = vertex("gemini-3.1-pro-preview", location="global")
    with play("extra_content on a message"):
        thought = AIMessage("Let me think.", additional_kwargs={"extra_content": given})
        assert (await ask(model, [HumanMessage("Hi"), thought, HumanMessage("Go on.")])).text
    with play("extra_content on a part"):
        assert (await ask(model, [HumanMessage([{"type": "text", "text": "Hi", "extra_content": given}])])).text
    with play("extra_content on a call"):
        call = {"id": "call-1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        signed = {**call, "extra_content": {"google": {"thought_signature": "c2ln"}}}
        history = [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "tool_calls": [signed]},
            {"role": "tool", "tool_call_id": "call-1", "content": "Nothing there."},
        ]
        assert (await ask(model, history)).text


async def test_thinking_config_streamed(play, vertex, stream):
    """The request asks for thoughts, with a budget and the marker of the page."""
    model = vertex(
        "gemini-2.5-flash-preview-04-17", include_thoughts=True, thinking_budget=10000, thought_tag_marker="think"
    )
    question = HumanMessage([{"type": "text", "text": "Are there any primes number of the form n*ceil(log(n))"}])
    with play("thinking"):
        answer = await stream(model, [question])
    assert answer.additional_kwargs["reasoning_content"]
    assert answer.text
    assert "think>" not in answer.text


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location", "unit"],
        },
    },
}


async def test_streamed_function_call_arguments(play, vertex, stream, record):
    """Two calls are read, although the stream on Google's page has wrong indices and repeats ids and names.

    The only signature belongs to the first call.
    """
    model = vertex("gemini-3.1-pro-preview", location="global", stream_function_call_arguments=True)
    with play("arguments"):
        answer = await stream(model.bind_tools([WEATHER]), "What is the weather like in Boston and New Delhi today?")
    assert [call["name"] for call in answer.tool_calls] == ["get_current_weather"] * 2
    if not record:
        assert [call["args"] for call in answer.tool_calls] == [
            {"location": "Boston, MA", "unit": "celsius"},
            {"location": "New Delhi, India", "unit": "celsius"},
        ]
        assert answer.usage_metadata["total_tokens"] == 576
    assert list(answer.additional_kwargs[SIGNATURES_KEY]) == [answer.tool_calls[0]["id"]]


async def test_image_generation_and_an_edit_after_it(play, vertex, ask):
    """The image arrives in `message.audio`. It is sent back as a part with the signature of the message."""
    model = vertex("gemini-3-pro-image-preview", location="global", modalities=["image"])
    with play("image generation"):
        cat = await ask(model, "Generate an image of a cat.")
        (image,) = cat.content_blocks
        assert (image["type"], image["mime_type"]) == ("image", "image/png")
        edited = await ask(model, [HumanMessage("Generate an image of a cat."), cat, HumanMessage("Make it black.")])
    assert [block["type"] for block in edited.content_blocks] == ["image"]


async def test_audio_by_uri(play, vertex, ask):
    """Audio is sent as `input_audio` with a URI and a MIME type."""
    audio = {"format": "audio/mp3", "data": "gs://cloud-samples-data/generative-ai/audio/pixel.mp3"}
    parts = [{"type": "text", "text": "Describe this: "}, {"type": "input_audio", "input_audio": audio}]
    with play("audio"):
        assert (await ask(vertex("gemini-2.0-flash-001"), [HumanMessage(parts)])).text


async def test_multimodal_tool_result(play, vertex, ask):
    """The result is sent in `extra_content.google.parts` with `$ref` and the name of the tool, as on the page."""
    call = {"name": "get_image", "args": {"item_name": "green shirt"}, "id": "function-call-a350228d"}
    part = {
        "mime_type": "image/jpg",
        "display_name": "dress.jpg",
        "file_uri": "gs://cloud-samples-data/generative-ai/image/dress.jpg",
    }
    signatures = {SIGNATURES_KEY: {"function-call-a350228d": "<THOUGHT_SIGNATURE>"}}
    history = [
        HumanMessage("Show me the green shirt I ordered last month."),
        AIMessage("", tool_calls=[call], additional_kwargs=signatures),
        ToolMessage(
            json.dumps({"image_ref": {"$ref": "dress.jpg"}}),
            tool_call_id="function-call-a350228d",
            additional_kwargs={"extra_content": {"google": {"parts": [{"file_data": part}]}}},
        ),
    ]
    with play("tool result"):
        answer = await ask(vertex("gemini-3.1-pro-preview", location="global"), history)
    assert answer.text == "Here is the image of the green shirt you ordered."
    assert answer.usage_metadata["total_tokens"] == 1155


class CalendarEvent(BaseModel):
    name: str
    date: str
    participants: list[str]


async def test_structured_output(play, vertex, ask):
    """The schema is the `CalendarEvent` of the page."""
    model = vertex("gemini-2.5-flash-preview-04-17").with_structured_output(CalendarEvent)
    messages = [
        SystemMessage("Extract the event information."),
        HumanMessage("Alice and Bob are going to a science fair on Friday."),
    ]
    with play("structured"):
        event = await ask(model, messages)
    assert event.participants == ["Alice", "Bob"]


async def test_global_endpoint(play, vertex, ask):
    """The URL of the global endpoint has a host without a region, and the API version v1beta1."""
    with play("global"):
        model = vertex("gemini-2.0-flash-001", location="global", api_version="v1beta1")
        assert (await ask(model, "Hello World")).text
