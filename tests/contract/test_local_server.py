"""`ChatGeminiCompat` with the surface `openai_compatible` and a local server of llama.cpp."""

import socket
from functools import reduce
from operator import add
from typing import Literal

import openai
import pytest
from langchain_core import exceptions as core
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat, errors

pytest_plugins = ["local_server"]
pytestmark = [pytest.mark.local_server, pytest.mark.timeout(300)]

PROMPT = "Count to three."
TOO_LONG = "word " * 3000


class Weather(BaseModel):
    """The weather."""

    sunny: bool


@tool
def weather(city: Literal["Paris", "Rome"], days: Literal[1, 2]) -> str:
    """Return the weather."""
    return f"{city}: sunny for {days}"


@pytest.fixture
async def async_client():
    """Return an async client that is closed before its event loop.

    An open connection would cause a warning in a later test.
    """
    async with openai.DefaultAsyncHttpxClient() as client:
        yield client


@pytest.fixture
def build(local_server):
    """Return a function that builds a model for the local server.

    The model asks the server not to use its prompt cache, so that the same request has the same reply. Retries stay on,
    because llama.cpp closes a keep-alive connection after a long stream.
    """

    def build_model(**changes):
        options = {
            "base_url": local_server,
            "api_key": "x",
            "temperature": 0,
            "seed": 1,
            "max_tokens": 6,
            "extra_body": {"cache_prompt": False},
        }
        return ChatGeminiCompat(model="gemma-3-270m", **{**options, **changes})

    return build_model


@pytest.fixture
def model(build):
    return build()


@pytest.fixture
def dead_url():
    """Return a URL with a port on which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"


def add_up(chunks):
    return reduce(add, chunks)


def counts(message):
    usage = message.usage_metadata
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    return usage["input_tokens"], usage["output_tokens"]


def assert_caught_by_all_classes(error, kind):
    """Assert that the error is caught by the classes of this package, of openai and of langchain_core."""
    assert isinstance(error, errors.GeminiCompatError)
    assert isinstance(error, openai.OpenAIError)
    assert isinstance(error, core.ModelError)
    assert isinstance(error, kind)


def test_server_is_recognised_as_compatible(model):
    """Requests have no fields of Google's, and the model's name is sent unchanged."""
    assert model.endpoint_info()["surface"] == "openai_compatible"
    body, notes = model.preview(PROMPT)
    assert body["model"] == "gemma-3-270m"
    assert "google" not in str(body)
    assert notes == []


def test_streamed_and_whole_reply_are_equal(model):
    """At temperature 0, text, tokens and finish reason are the same."""
    whole = model.invoke(PROMPT)
    chunks = list(model.stream(PROMPT))
    streamed = add_up(chunks)
    assert whole.text
    assert sum(bool(chunk.text) for chunk in chunks) > 1
    assert streamed.text == whole.text
    assert counts(streamed) == counts(whole)
    assert counts(whole)[1] == 6
    for message in (whole, streamed):
        assert message.response_metadata["finish_reason"] == "length"
        assert message.response_metadata["model_provider"]


async def test_async_and_sync_reply_are_equal(build, model, async_client):
    """`ainvoke` and `astream` give the same reply as `invoke`."""
    whole = model.invoke(PROMPT)
    on_loop = build(http_async_client=async_client)
    awaited = await on_loop.ainvoke(PROMPT)
    streamed = add_up([chunk async for chunk in on_loop.astream(PROMPT)])
    assert awaited.text == streamed.text == whole.text
    assert counts(awaited) == counts(streamed) == counts(whole)


def test_seed_makes_a_reply_repeatable(build):
    """The same seed gives the same text. At least one of several other seeds gives a different text."""
    texts = [build(temperature=1.5, seed=seed).invoke(PROMPT).text for seed in (7, 7, 8, 9, 10)]
    assert texts[0] == texts[1]
    assert len(set(texts)) > 1


def test_extra_body_reaches_the_server(build):
    """A field of llama.cpp turns its prompt cache on and off, which the token counts show."""
    read = {}
    for wanted in (True, False):
        model = build(extra_body={"cache_prompt": wanted})
        model.invoke(PROMPT)
        usage = model.invoke(PROMPT).usage_metadata
        read[wanted] = usage["input_token_details"]["cache_read"]
    assert 0 < read[True] < usage["input_tokens"]
    assert read[False] == 0


def test_batch_keeps_the_order(model):
    """The prompts have different lengths, so the token counts show the order."""
    prompts = ["a " * length for length in (30, 1, 15)]
    lengths = [counts(answer)[0] for answer in model.batch(prompts)]
    assert lengths[1] < lengths[2] < lengths[0]


def test_text_ends_before_a_stop_sequence(model):
    """The reply is the text before the stop sequence, streamed or not."""
    text = model.invoke(PROMPT).text
    word = text.split()[1]
    before = text.partition(word)[0]
    whole = model.invoke(PROMPT, stop=[word])
    streamed = add_up(model.stream(PROMPT, stop=[word]))
    assert whole.text == streamed.text == before
    assert whole.response_metadata["finish_reason"] == streamed.response_metadata["finish_reason"] == "stop"


def test_json_schema_gives_a_pydantic_object(model):
    """The server's grammar enforces the schema. Without the grammar, the small model would not follow the schema."""
    structured = model.with_structured_output(Weather, method="json_schema", max_tokens=100)
    assert isinstance(structured.invoke("Is it sunny?"), Weather)


def test_incomplete_json_raises_an_error(model):
    """The reply ends after eight tokens, so its JSON is incomplete or missing."""
    with pytest.raises((core.OutputParserException, errors.EmptyReplyError), match="length"):
        model.with_structured_output(Weather, max_tokens=8).invoke("Is it sunny?")


def test_forced_tool_call_is_read_and_its_result_is_accepted(build):
    """Name and arguments are the same in a stream. The server accepts the history with the result."""
    model = build(max_tokens=60)
    # These options end the reply after one call. Without them, the small model would never stop calling tools.
    one = {"parallel_tool_calls": False, "stop": ["</tool_call>"]}
    forced = model.bind_tools([weather], tool_choice="any", **one)
    question = HumanMessage("Is it sunny in Paris?")
    whole = forced.invoke([question])
    streamed = add_up(forced.stream([question]))
    for message in (whole, streamed):
        (call,) = message.tool_calls
        assert call["name"] == "weather"
        assert call["id"]
        assert weather.invoke(call["args"]).endswith(("sunny for 1", "sunny for 2"))
        assert message.invalid_tool_calls == []
        assert message.response_metadata["finish_reason"] == "tool_calls"
    assert whole.tool_calls[0]["args"] == streamed.tool_calls[0]["args"]
    result = ToolMessage("sunny", tool_call_id=whole.tool_calls[0]["id"])
    after = model.bind_tools([weather], tool_choice="none").invoke([question, whole, result], max_tokens=4)
    assert counts(after)[0] > counts(whole)[0]


def test_too_long_prompt_is_a_context_overflow(model):
    """LangChain's middleware shortens the history on this error. A stream raises it before the first chunk."""
    for call in (model.invoke, lambda prompt: list(model.stream(prompt))):
        with pytest.raises(core.ContextOverflowError, match="exceeds the available context size") as caught:
            call(TOO_LONG)
        assert_caught_by_all_classes(caught.value, openai.BadRequestError)
        assert isinstance(caught.value, errors.ContextOverflowError)
        assert caught.value.status == "exceed_context_size_error"


def test_refused_field_is_an_invalid_request_with_the_server_s_text(build):
    """The error is not retried."""
    with pytest.raises(core.ModelInvalidRequestError, match=r"Field 'min_p'.* must be number") as caught:
        build(extra_body={"min_p": "little"}).invoke(PROMPT)
    assert_caught_by_all_classes(caught.value, openai.BadRequestError)
    assert not caught.value.is_retryable


async def test_wrong_path_is_not_found(build, local_server, async_client):
    """The server's 404 raises the error for a missing path, sync and async."""
    model = build(base_url=f"{local_server}/nowhere", http_async_client=async_client)
    with pytest.raises(core.ModelNotFoundError, match="File Not Found") as caught:
        model.invoke("hi")
    assert_caught_by_all_classes(caught.value, openai.NotFoundError)
    with pytest.raises(errors.ModelNotFoundError, match="File Not Found"):
        await model.ainvoke("hi")


async def test_dead_port_is_a_connection_error(dead_url, async_client):
    """A dead port raises a connection error, sync and async. The error can be retried."""
    model = ChatGeminiCompat(model="m", base_url=dead_url, max_retries=0, http_async_client=async_client)
    with pytest.raises(core.ModelConnectionError) as caught:
        model.invoke("hi")
    assert_caught_by_all_classes(caught.value, openai.APIConnectionError)
    assert caught.value.is_retryable
    with pytest.raises(errors.APIConnectionError):
        await model.ainvoke("hi")
