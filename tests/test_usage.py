"""Token counts of both surfaces, and of others, to counts that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_gemini_compat._usage import Usage, decode_usage


def counts(prompt=None, completion=None, total=None, *, cached=None, reasoning=None, **more):
    """A `usage` of the wire without what is `None`."""
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
    """Thoughts are output in every mode; cached tokens are input."""
    assert decode_usage(usage) == expected


numbers = st.none() | st.integers(-5, 500)


@given(numbers, numbers, numbers, numbers, numbers)
def test_parts_never_exceed_what_they_are_parts_of(prompt, completion, total, cached, reasoning):
    """Input and output make the total; a total of the server that is larger than its parts is kept."""
    usage = decode_usage(counts(prompt, completion, total, cached=cached, reasoning=reasoning))
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert 0 <= (usage.cached_tokens or 0) <= usage.input_tokens
    assert 0 <= (usage.reasoning_tokens or 0) <= usage.output_tokens
    if min(prompt or 0, completion or 0) >= 0 and total is not None and total >= (prompt or 0) + (completion or 0):
        assert usage.total_tokens == total
