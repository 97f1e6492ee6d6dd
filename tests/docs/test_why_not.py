"""Each row of the page `why-not-chatopenai.md` is shown with langchain-openai against the fake endpoint.

If a test fails, langchain-openai may have fixed the problem. In that case, update the page.
"""

import re
from importlib import import_module
from pathlib import Path

import pytest
from agents import get_time, get_weather

from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply, Style

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "why-not-chatopenai.md"
TOOLS = [get_weather, get_time]
PARIS, ROME = Call("get_weather", {"city": "Paris"}), Call("get_time", {"city": "Rome"})
THOUGHTS = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
ROWS = {}


def shows(row):
    """Return a decorator that registers a test for a row of the page's table. `row` is the first cell of this row."""

    def keep(test):
        ROWS[row] = test
        return test

    return keep


def build(fake, model="gemini-3.8-flash", **kwargs):
    """Return a `ChatOpenAI` that is connected to `fake`."""
    url = fake.connection()["base_url"]
    chat = import_module("langchain_openai").ChatOpenAI
    return chat(model=model, base_url=url, api_key="test-key", http_client=fake.http_client, max_retries=0, **kwargs)


def read_stream(fake, **kwargs):
    """Return the sum of the chunks of one stream."""
    chunks = list(build(fake, **kwargs).bind_tools(TOOLS).stream("Weather in Paris, and the time in Rome?"))
    return sum(chunks[1:], chunks[0])


@shows("`extra_content` with a thought signature")
def test_signature_is_dropped_and_the_second_tool_turn_is_refused():
    """The reply has a signature, but the message does not. Gemini 3 refuses a history without the signature."""
    fake = FakeGemini([PARIS, "Sunny."])
    model = build(fake).bind_tools(TOOLS)
    reply = model.invoke("Weather in Paris?")
    assert "signature" not in reply.model_dump_json()
    result = {"role": "tool", "content": "Sunny.", "tool_call_id": reply.tool_calls[0]["id"]}
    with pytest.raises(import_module("openai").BadRequestError):
        model.invoke([("user", "Weather in Paris?"), reply, result])
    assert "thought_signature" in str(fake.refusals)


@shows("streamed calls whose pieces have no index")
def test_pieces_without_an_index_are_not_joined():
    """The message has a call with empty arguments. The pieces of the arguments are separate calls without a name."""
    message = read_stream(FakeGemini([Reply(calls=[PARIS], style=Style(index="absent", args="cut", cut_every=6))]))
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    assert [call["args"] for call in calls if call["name"] == "get_weather"] == [{}]
    nameless = [call for call in calls if not call["name"]]
    assert any("Par" in str(call["args"]) for call in nameless)


@shows("streamed calls with the same index and empty ids")
def test_calls_that_share_an_index_are_joined():
    """The message has one call with the name `get_weatherget_time`, instead of two calls."""
    message = read_stream(FakeGemini([Reply(calls=[PARIS, ROME], style=Style(index="zero", ids="empty"))]))
    (call,) = [*message.tool_calls, *message.invalid_tool_calls]
    assert call["name"] == "get_weatherget_time"


@shows("a signature in a separate delta")
def test_signature_on_a_delta_of_its_own_raises_attribute_error():
    """The signature arrives in an entry of `tool_calls` that has no `function`."""
    with pytest.raises(AttributeError):
        read_stream(FakeGemini([Reply(calls=[PARIS], style=Style(signature="alone"))]))


@shows("thoughts in `<thought>` tags")
def test_thoughts_stay_in_the_text():
    """The text contains the thoughts and their tags."""
    fake = FakeGemini([Reply(thoughts="Easy.", text="Yes.")])
    text = build(fake, extra_body=THOUGHTS).invoke("Is it?").text
    assert text.startswith("<thought>")
    assert "Easy." in text


@shows("cumulative token counts on every chunk")
def test_cumulative_usage_is_summed():
    """Three chunks of one text count the prompt three times."""
    fake = FakeGemini(Reply(text="one two three", chunks=4, style=Style(usage="every_chunk")))
    prompt = fake.chat_model("gemini-3.8-flash").invoke("Count.").usage_metadata["input_tokens"]
    chunks = [*build(fake, stream_usage=True).stream("Count.")]
    assert sum(chunks[1:], chunks[0]).usage_metadata["input_tokens"] >= 3 * prompt


@shows("a stream that breaks off, or an error outside of `data:` lines in the middle of a stream")
@pytest.mark.parametrize("fault", [Fault.error_in_stream("bare_object"), Fault.cut_stream()], ids=["error", "cut"])
def test_broken_stream_is_treated_as_the_end(fault):
    """`ChatOpenAI` returns a part of the text as a complete answer."""
    message = read_stream(FakeGemini([fault]))
    assert message.text == fault.reply.text != ""
    assert "finish_reason" not in message.response_metadata


@shows("errors wrapped in a list")
def test_error_in_a_list_has_no_reason():
    """`ChatOpenAI`'s error message is the status, sometimes followed by the list as Python prints it."""
    openai = import_module("openai")
    with pytest.raises(openai.BadRequestError) as caught:
        build(FakeGemini([Fault.context_overflow()])).invoke("Hi")
    assert str(caught.value).partition(" - [")[0] == "Error code: 400"
    assert caught.value.code is None


@shows("images in `message.audio`")
def test_image_is_not_in_the_content():
    """The data of the image is only in `additional_kwargs`."""
    reply = build(FakeGemini([Reply(image=b"\x89PNG")]), "gemini-2.5-flash-image").invoke("A cat.")
    assert not reply.content
    assert reply.additional_kwargs["audio"]["data"]


@shows("requests without `seed` and penalties, on AI Studio")
@pytest.mark.parametrize("name", ["seed", "frequency_penalty", "presence_penalty"])
def test_refused_parameters_are_sent_unchanged(name):
    """AI Studio was seen to refuse `seed`, `frequency_penalty` and `presence_penalty`."""
    fake = FakeGemini(["Hi"])
    with pytest.raises(import_module("openai").BadRequestError):
        build(fake, **{name: 1}).invoke("Hi")
    assert fake.requests[0].body[name] == 1


def test_every_row_of_the_page_has_a_test():
    """Each row of the table has a registered test, in the same order."""
    table = PAGE.read_text(encoding="utf-8").partition("|---|---|---|\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.+?) \|", table, re.MULTILINE) == [*ROWS]
