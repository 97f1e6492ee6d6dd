"""Field case C12: a refused structured answer is LangChain's `ModelRefusalError`, with a readable message."""

import pickle

import pytest
from langchain_core import exceptions
from langchain_core.exceptions import ModelError, OutputParserException
from langchain_core.messages import AIMessageChunk
from pydantic import BaseModel
from wire import Wire, call, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.errors import GeminiCompatError, ModelRefusalError

METHODS = ["json_schema", "function_calling", "json_mode"]
#: The base class of the refusal error. `ModelRefusalError` exists only in langchain-core 1.7.5 and later.
CORE = getattr(exceptions, "ModelRefusalError", ModelError)


class Event(BaseModel):
    """An event."""

    name: str


#: Each case has the message of the reply, its finish reason, and the expected text of the refusal.
CASES = {
    "words of the model": ({"content": None, "refusal": "I cannot help."}, "stop", "I cannot help."),
    "words beside text": ({"content": "", "refusal": "I cannot help."}, "content_filter", "I cannot help."),
    "filter": ({"content": None}, "content_filter: SAFETY", "A filter stopped the reply (SAFETY)."),
    "filter after text": (
        {"content": '{"na'},
        "content_filter: RECITATION",
        "A filter stopped the reply (RECITATION).",
    ),
    "filter after a whole object": ({"content": '{"name": "a"}'}, "content_filter", "A filter stopped the reply."),
}


def build_chain(case, method, *, streamed=False, **kwargs):
    """Return a chain whose model refuses."""
    message, finish, _ = CASES[case]
    answer = [chunk(**message), chunk(finish=finish), "[DONE]"] if streamed else completion(finish=finish, **message)
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients)
    return model.with_structured_output(Event, method=method, **kwargs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
async def test_c12_a_refused_answer_is_a_refusal_error(case, method):
    """With `include_raw`, the refusal error is not raised. The result has it under `parsing_error`."""
    told = CASES[case][2]
    with pytest.raises(ModelRefusalError) as caught:
        build_chain(case, method).invoke("hi")
    assert isinstance(caught.value, CORE)
    assert isinstance(caught.value, OutputParserException)
    assert told in str(caught.value)
    assert "content_filter" not in str(caught.value)
    assert "troubleshooting" not in str(caught.value)
    assert caught.value.is_retryable is False
    assert caught.value.raw_message.response_metadata["finish_reason"]
    with pytest.raises(CORE):
        await build_chain(case, method).ainvoke("hi")
    with pytest.raises(CORE):
        list(build_chain(case, method, streamed=True).stream("hi"))
    with pytest.raises(CORE):
        _ = [part async for part in build_chain(case, method, streamed=True).astream("hi")]
    result = build_chain(case, method, include_raw=True).invoke("hi")
    assert (result["parsed"], type(result["parsing_error"])) == (None, ModelRefusalError)
    last = list(build_chain(case, method, streamed=True, include_raw=True).stream("hi"))[-1]
    assert (last["parsed"], type(last["parsing_error"])) == (None, ModelRefusalError)


@pytest.mark.parametrize("case", CASES)
def test_c12_refusal_block_has_a_readable_text(case):
    message, finish, told = CASES[case]
    answer = completion(finish=finish, **message)
    reply = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients).invoke("hi")
    (block,) = [block for block in reply.content_blocks if block["type"] == "refusal"]
    assert block["refusal"] == told


def test_c12_refusal_error_can_be_pickled():
    """The error contains the reply."""
    error = pickle.loads(pickle.dumps(ModelRefusalError("No.", raw_message=None)))
    assert (str(error), error.raw_message, error.llm_output) == ("No.", None, None)
    assert isinstance(error, GeminiCompatError)


@pytest.mark.parametrize(
    ("message", "finish", "word"),
    [
        ({"content": "Hello."}, "stop", "stop"),
        ({"content": None, "refusal": "I cannot help."}, "stop", "refusal"),
        ({"content": None}, "content_filter: SAFETY", "refusal"),
        ({"content": None, "tool_calls": [call("f", "{}", "1")]}, "stop", "tool_call"),
        ({"content": "Once upon"}, "length", None),
    ],
)
def test_finish_reason_has_the_word_that_langchain_core_reads(message, finish, word):
    """langchain-core 1.8 reads `normalized_finish_reason`, and knows three words: `stop`, `refusal` and `tool_call`."""
    answer = completion(**message, finish=finish)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients)
    whole = chat.bind_tools([Event]).invoke("hi")
    assert whole.response_metadata.get("normalized_finish_reason") == word
    delta = {**message, "content": message["content"] or ""}
    chat = ChatGeminiCompat(
        model="gemini-3.8-flash", api_key="k", **Wire([chunk(**delta), chunk(finish=finish), "[DONE]"]).clients
    )
    streamed = sum(chat.stream("hi"), AIMessageChunk(""))
    assert streamed.response_metadata.get("normalized_finish_reason") == word
