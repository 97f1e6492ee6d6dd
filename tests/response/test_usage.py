"""Tests that the token counts of all servers add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from wire import Wire, chunk, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._response.usage import Usage, decode_usage


def counts(prompt=None, completion=None, total=None, *, cached=None, reasoning=None, **more):
    """Return a wire `usage` without the keys that are `None`."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    if reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return {key: value for key, value in usage.items() if value is not None}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(counts(16, 9, 25), Usage(16, 9), id="no thoughts"),
        pytest.param(counts(27, 45, 576, reasoning=504), Usage(27, 549, None, 504), id="Vertex: excluded, itemised"),
        pytest.param(counts(1139, 16, 1155), Usage(1139, 16), id="Vertex: no thoughts, no details"),
        pytest.param(counts(11, 25, 727), Usage(11, 716, None, 691), id="AI Studio: only in the total"),
        pytest.param(counts(4634, 10, 4700, cached=4088), Usage(4634, 66, 4088, 56), id="AI Studio: cached"),
        pytest.param(counts(10, 100, 110, reasoning=60), Usage(10, 100, None, 60), id="OpenAI: included"),
        pytest.param(counts(10, 100, reasoning=60), Usage(10, 100, None, 60), id="OpenAI, no total"),
        pytest.param(counts(10, 40, reasoning=60), Usage(10, 100, None, 60), id="excluded, no total"),
        pytest.param(counts(10, 0, 70, reasoning=60), Usage(10, 60, None, 60), id="nothing but thoughts"),
        pytest.param(counts(5051, 0, 5051), Usage(5051, 0), id="an empty reply"),
        pytest.param(counts(6, None, 286), Usage(6, 280), id="no completion count: thoughts unknown"),
        pytest.param(counts(10, 20, 5), Usage(10, 20), id="a total too small"),
        pytest.param(counts(10, 20, 30, reasoning=0), Usage(10, 20, None, 0), id="no thoughts, said so"),
        pytest.param(counts(10, 20, 30, reasoning=25), Usage(10, 20, None, 20), id="more thoughts than output"),
        pytest.param(counts(10, 20, 30, cached=40), Usage(10, 20, 10), id="more cached than input"),
        pytest.param(counts(151, 1089, 20689, reasoning=1120), Usage(18480, 2209, None, 1120), id="C8: tools' tokens"),
        pytest.param(counts(80, 173, 550, reasoning=60), Usage(317, 233, None, 60), id="C8: any-llm's capture"),
        pytest.param(counts(151, 1089, 2360, reasoning=1120), Usage(151, 2209, None, 1120), id="C8: no tools"),
        pytest.param(counts(10, 40, 60, reasoning=30), Usage(10, 50, None, 30), id="C8: thoughts in part included"),
        pytest.param(counts(10, 20, 50, reasoning=0), Usage(10, 40, None, 0), id="C8: thoughts that a gateway denies"),
        pytest.param(counts(21, 0, 81, reasoning=60), Usage(21, 60, None, 60), id="C8: thoughts alone"),
        pytest.param(counts(None, 5, 20), Usage(15, 5), id="C8: input in the total alone"),
        pytest.param(counts(None, 5, 20, reasoning=10), Usage(5, 15, None, 10), id="C8: input and thoughts there"),
        pytest.param(counts(10, 20, 0), Usage(10, 20), id="C8: a total of nothing"),
        pytest.param(counts(10, 20, 0, reasoning=30), Usage(10, 20, None, 20), id="C8: and thoughts"),
        pytest.param(counts(151, 10, 20689, reasoning=5, cached=200), Usage(20674, 15, 200, 5), id="C8: cached tools"),
        pytest.param(counts(10.0, 5.0, 15.0), Usage(10, 5), id="H4: floats"),
        pytest.param(counts(10.0, 5.0, 25.0, reasoning=10.0, cached=3.0), Usage(10, 15, 3, 10), id="H4: all floats"),
        pytest.param({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}, Usage(10, 5), id="H4: Responses"),
        pytest.param(
            {
                "input_tokens": 10.0,
                "output_tokens": 5,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(10, 5, 4, 2),
            id="H4: their details, no total",
        ),
        pytest.param(
            {"prompt_tokens": None, "input_tokens": 10, "completion_tokens": None, "output_tokens": 5},
            Usage(10, 5),
            id="H4: null beside the other name",
        ),
        pytest.param(counts(10, 5, 15) | {"input_tokens": 0, "output_tokens": 0}, Usage(10, 5), id="H4: both names"),
        pytest.param(
            {
                "promptTokenCount": 80,
                "candidatesTokenCount": 173,
                "thoughtsTokenCount": 60,
                "toolUsePromptTokenCount": 237,
                "totalTokenCount": 550,
                "cachedContentTokenCount": 8,
                "trafficType": "ON_DEMAND",
            },
            Usage(317, 233, 8, 60, "ON_DEMAND"),
            id="H4: Google's own names",
        ),
        pytest.param(
            {"prompt_token_count": 8, "candidates_token_count": 17, "thoughts_token_count": 6},
            Usage(8, 23, None, 6),
            id="H4: those of Google's SDK, no total",
        ),
        pytest.param(
            {"promptTokenCount": 21, "thoughtsTokenCount": 60, "totalTokenCount": 81},
            Usage(21, 60, None, 60),
            id="H4: no candidates",
        ),
        pytest.param(
            {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cachedInputTokens": 3, "reasoningTokens": 2},
            Usage(10, 5, 3, 2),
            id="H4: camel case",
        ),
        pytest.param({"promptTokens": 10, "completionTokens": 5}, Usage(10, 5), id="H4: camel case of older gateways"),
        pytest.param(counts(float("nan"), float("inf"), -1.0), Usage(0, 0), id="H4: floats that are no counts"),
        pytest.param(
            counts(prompt_tokens_details=None, completion_tokens_details=[1]), Usage(0, 0), id="H4: no details"
        ),
        pytest.param({}, Usage(0, 0), id="nothing"),
        pytest.param(
            {"prompt_tokens": -1, "completion_tokens": True, "total_tokens": 2.5}, Usage(0, 0), id="no counts"
        ),
        pytest.param(counts("1", [2], {}, prompt_tokens_details=3), Usage(0, 0), id="no numbers"),
        pytest.param(
            counts(1, 2, 3, extra_properties={"google": {"traffic_type": "ON_DEMAND"}}),
            Usage(1, 2, traffic_type="ON_DEMAND"),
            id="traffic type",
        ),
        pytest.param(counts(1, 2, 3, extra_properties={"google": None}), Usage(1, 2), id="no traffic type"),
    ],
)
def test_counts_are_reconciled(usage, expected):
    """Tokens of thoughts count as output, however the server reports them. Cached tokens count as input."""
    assert decode_usage(usage) == expected


numbers = st.none() | st.integers(-5, 500) | st.integers(0, 500).map(float)


@given(numbers, numbers, numbers, numbers, numbers)
def test_detail_counts_never_exceed_their_sum(prompt, completion, total, cached, reasoning):
    """Input and output tokens add up to the total.

    If the server sends a total that is larger than the sum of its other counts, this total is kept.
    """
    usage = decode_usage(counts(prompt, completion, total, cached=cached, reasoning=reasoning))
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert 0 <= (usage.cached_tokens or 0) <= usage.input_tokens
    assert 0 <= (usage.reasoning_tokens or 0) <= usage.output_tokens
    if min(prompt or 0, completion or 0) >= 0 and total is not None and total >= (prompt or 0) + (completion or 0):
        assert usage.total_tokens == total


NAMES = [
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "promptTokenCount",
    "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount", "totalTokenCount",
    "cachedContentTokenCount", "reasoning_tokens", "cached_tokens",
]  # fmt: skip
DETAILS = ["prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"]
odd = numbers | st.floats() | st.text(max_size=2) | st.booleans() | st.lists(st.integers(), max_size=1)


@given(
    st.dictionaries(st.sampled_from(NAMES), odd),
    st.dictionaries(
        st.sampled_from(DETAILS), odd | st.dictionaries(st.sampled_from(["reasoning_tokens", "cached_tokens"]), odd)
    ),
)
def test_any_usage_gives_counts_that_add_up(usage, details):
    """No count is negative. Cached tokens are part of the input, and reasoning tokens are part of the output."""
    found = decode_usage({**usage, **details})
    assert found.total_tokens == found.input_tokens + found.output_tokens
    assert 0 <= (found.cached_tokens or 0) <= found.input_tokens
    assert 0 <= (found.reasoning_tokens or 0) <= found.output_tokens


@given(*[st.integers(0, 10**6)] * 4)
def test_google_counts_are_separated_on_both_surfaces(prompt, answer, thoughts, tools):
    """The prompt and tool results are input. The answer and thoughts are output."""
    total = prompt + answer + thoughts + tools
    native = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "thoughtsTokenCount": thoughts,
              "toolUsePromptTokenCount": tools, "totalTokenCount": total}  # fmt: skip
    assert decode_usage(native) == Usage(prompt + tools, answer + thoughts, None, thoughts)
    if thoughts:
        compatible = counts(prompt, answer, total, reasoning=thoughts)
        assert decode_usage(compatible) == Usage(prompt + tools, answer + thoughts, None, thoughts)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["usage", "usageMetadata"])
def test_h4_usage_of_a_gateway_reaches_the_message(name, stream):
    """Field case H4: counts come as floats, and under the names of other APIs."""
    usage = {"input_tokens": 10.0, "output_tokens": 5.0, "total_tokens": 15.0}
    if name == "usageMetadata":
        usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    whole = {key: value for key, value in completion().items() if key != "usage"} | {name: usage}
    wire = Wire([chunk(content="Hel"), {**chunk("stop", content="lo"), name: usage}, "[DONE]"] if stream else whole)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", base_url="http://gateway.test/v1", **wire.clients)
    reply = sum(chat.stream("Hi."), AIMessageChunk("")) if stream else chat.invoke("Hi.")
    assert {key: reply.usage_metadata[key] for key in ("input_tokens", "output_tokens", "total_tokens")} == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
    }
