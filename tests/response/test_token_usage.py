"""`token_usage` and `llm_output` in the form of `ChatOpenAI` (field case D7), and tokens by kind of content."""

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import BaseModel
from wire import Wire, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._response.usage import decode_usage
from langchain_gemini_compat.testing import FakeGemini, Fault, Reply, Usage

TOKEN_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
MODES = ["invoke", "ainvoke", "stream", "astream", "v3", "av3"]
HI = [HumanMessage("hi")]


def fake(surface="vertex", text='{"name": "a"}'):
    return FakeGemini(Reply(text, usage=Usage(10, 2, 5, 4)), surface=surface)


async def ask(mode, chat):
    match mode:
        case "invoke":
            return chat.invoke("hi")
        case "ainvoke":
            return await chat.ainvoke("hi")
        case "stream":
            return sum(chat.stream("hi"), AIMessageChunk(""))
        case "astream":
            return sum([part async for part in chat.astream("hi")], AIMessageChunk(""))
        case "v3":
            return chat.stream_events("hi", version="v3").output
    return await (await chat.astream_events("hi", version="v3")).output


class Results(BaseCallbackHandler):
    """Keeps each `LLMResult`."""

    def __init__(self):
        self.outputs = []

    def on_llm_end(self, response, **kwargs):
        self.outputs.append(response.llm_output)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
async def test_d7_message_has_token_usage_of_openai(mode, surface):
    """`token_usage` counts the tokens of thoughts as completion tokens on both surfaces, as OpenAI does."""
    message = await ask(mode, fake(surface).chat_model("gemini-3.8-flash"))
    assert message.response_metadata["token_usage"] == TOKEN_USAGE
    assert message.usage_metadata["total_tokens"] == 17


def test_d7_raw_message_of_structured_output_has_token_usage():
    class Name(BaseModel):
        """A name."""

        name: str

    chain = fake().chat_model("gemini-3.8-flash").with_structured_output(Name, include_raw=True)
    assert chain.invoke("hi")["raw"].response_metadata["token_usage"] == TOKEN_USAGE
    parts = [part["raw"] for part in chain.stream("hi") if "raw" in part]
    assert sum(parts, AIMessageChunk("")).response_metadata["token_usage"] == TOKEN_USAGE


def test_only_the_last_chunk_has_token_usage():
    """LangChain adds up the token counts of all chunks, so only one chunk may have them."""
    event = {"usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
    events = [{**chunk(content=text), **event} for text in ("a", "b", "c")]
    wire = Wire([*events, chunk(finish="stop", usage=(3, 2, 5)), "[DONE]"])
    chunks = list(ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **wire.clients).stream("hi"))
    assert ["token_usage" in one.response_metadata for one in chunks] == [*[False] * (len(chunks) - 1), True]
    assert sum(chunks, AIMessageChunk("")).response_metadata["token_usage"]["total_tokens"] == 5


async def test_d7_llm_output_names_model_and_tokens():
    results = Results()
    chat = fake().chat_model("gemini-3.8-flash", callbacks=[results])
    chat.invoke("hi")
    await chat.ainvoke("hi")
    for output in results.outputs:
        assert output["token_usage"] == TOKEN_USAGE
        assert output["model_name"] == "gemini-3.8-flash"
        assert output["id"]


def test_generate_adds_token_usage_of_all_prompts():
    chat = fake().chat_model("google/gemini-3.8-flash")
    output = chat.generate([HI, HI]).llm_output
    assert output["model_name"] == "gemini-3.8-flash"
    assert output["token_usage"] == {
        key: {name: 2 * count for name, count in value.items()} if isinstance(value, dict) else 2 * value
        for key, value in TOKEN_USAGE.items()
    }
    assert chat.generate([HI], stream=True).llm_output["token_usage"] == TOKEN_USAGE


async def test_llm_output_of_a_streaming_model_names_model_and_tokens():
    """LangChain and `ChatOpenAI` set no `llm_output` for a streaming model. This package sets it."""
    results = Results()
    chat = fake().chat_model("gemini-3.8-flash", streaming=True, callbacks=[results])
    chat.invoke("hi")
    await chat.ainvoke("hi")
    for output in results.outputs:
        assert (output["token_usage"], output["model_name"]) == (TOKEN_USAGE, "gemini-3.8-flash")


@pytest.mark.parametrize("streaming", [False, True])
def test_cached_answer_has_no_tokens_in_llm_output(streaming):
    chat = fake().chat_model("gemini-3.8-flash", cache=InMemoryCache(), streaming=streaming)
    used = [chat.generate([HI]).llm_output["token_usage"] for _ in range(2)]
    assert used == [TOKEN_USAGE, {}]


def test_several_candidates_count_once():
    """The server reports the tokens of all candidates together."""
    answer = completion(usage=(3, 4, 7))
    answer["choices"].append({**answer["choices"][0], "index": 1})
    clients = Wire(answer).clients
    chat = ChatGeminiCompat(model="m", api_key="k", base_url="http://gateway.test/v1", n=2, **clients)
    result = chat.generate([HI])
    metadata = [generation.message.response_metadata for generation in result.generations[0]]
    assert [one.get("token_usage", {}).get("total_tokens") for one in metadata] == [7, None]
    assert result.llm_output["token_usage"]["total_tokens"] == 7


def test_tokens_of_discarded_replies_are_included():
    fake = FakeGemini([Fault.empty_reply(), "Here."])
    message = fake.chat_model("gemini-3.8-flash").invoke("hi")
    usage = message.usage_metadata
    assert message.response_metadata["retries"] == 1
    assert message.response_metadata["token_usage"]["total_tokens"] == usage["total_tokens"]


def test_reply_without_usage_has_no_token_usage():
    answer = {key: value for key, value in completion().items() if key != "usage"}
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire(answer).clients)
    assert "token_usage" not in chat.invoke("hi").response_metadata


async def test_usage_callback_of_langchain_adds_all_calls():
    """The mode `astream_events`, the last of `MODES`, is left out.

    In this mode, langchain-core runs the callbacks only after the caller has the output.
    """
    chat = fake().chat_model("gemini-3.8-flash")
    with get_usage_metadata_callback() as callback:
        for mode in MODES[:-1]:
            await ask(mode, chat)
    assert {name: usage["total_tokens"] for name, usage in callback.usage_metadata.items()} == {
        "gemini-3.8-flash": 17 * len(MODES[:-1])
    }


COUNTS = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}


@pytest.mark.parametrize(
    ("details", "given", "written"),
    [
        pytest.param(
            {
                "prompt_tokens_details": {"text_tokens": 42, "image_tokens": 258, "audio_tokens": 0},
                "completion_tokens_details": {"text_tokens": 20},
            },
            {"text": 42, "image": 258},
            {"text": 20},
            id="OpenAI's names",
        ),
        pytest.param(
            {
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 42},
                    {"modality": "AUDIO", "tokenCount": 258},
                ],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 20}],
            },
            {"text": 42, "audio": 258},
            {"image": 20},
            id="Google's list",
        ),
        pytest.param(
            {"prompt_tokens_details": [{"modality": "DOCUMENT", "token_count": 258}, 3, {"modality": None}]},
            {"document": 258},
            {},
            id="snake case, and values of other types",
        ),
        pytest.param(
            {"prompt_tokens_details": {"text_tokens": 42, "image_tokens": 258, "cached_tokens": 100}},
            {"image": 258},
            {},
            id="text that overlaps with cached tokens is left out",
        ),
        pytest.param(
            {"prompt_tokens_details": {"audio_tokens": 400, "text_tokens": "x"}}, {"audio": 300}, {}, id="too many"
        ),
        pytest.param({"prompt_tokens_details": {"file_tokens": 4}}, {}, {}, id="another kind"),
    ],
)
def test_tokens_are_itemized_by_kind(details, given, written):
    usage = decode_usage({**COUNTS, **details})
    assert (usage.input_kinds, usage.output_kinds) == (given, written)


def test_kinds_reach_usage_metadata_beside_cache_and_thoughts():
    usage = {
        **COUNTS,
        "prompt_tokens_details": {"image_tokens": 258, "cached_tokens": 30},
        "completion_tokens_details": {"audio_tokens": 12, "reasoning_tokens": 8},
    }
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", **Wire({**completion(), "usage": usage}).clients)
    message = chat.invoke("hi")
    assert message.usage_metadata["input_token_details"] == {"image": 258, "cache_read": 30}
    assert message.usage_metadata["output_token_details"] == {"audio": 12, "reasoning": 8}
    assert message.response_metadata["token_usage"] == usage
