"""Tests that a chunk that is built without validation equals a chunk of LangChain's constructors in every attribute."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.load import dumps
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_gemini_compat._response import chunk_builder
from langchain_gemini_compat._response.chunk_builder import build_chunk

PIECES = st.sampled_from(
    [
        "",
        "{",
        "{}",
        '{"a": 1}',
        '{"a": [1, {"b',
        '"b": 2}',
        " ",
        "]",
        "null",
        "3",
        '  {"a"',
        '{"a": "\\',
        "}",
        "[1]",
        "{{",
    ]
)
calls = st.builds(
    tool_call_chunk,
    name=st.none() | st.sampled_from(["", "f"]),
    args=st.none() | PIECES | st.text(max_size=8),
    id=st.none() | st.sampled_from(["", "1"]),
    index=st.integers(0, 3),
)
chunks = st.tuples(
    st.text(max_size=8),
    st.dictionaries(st.sampled_from(["reasoning_content", "refusal"]), st.text(max_size=4)),
    st.dictionaries(st.sampled_from(["model_provider"]), st.just("gemini_compat")),
    st.lists(calls, max_size=3),
)


def construct(text, additional_kwargs, response_metadata, tool_call_chunks):
    """Return a chunk that is built with LangChain's constructors."""
    given = {"tool_call_chunks": tool_call_chunks} if tool_call_chunks else {}
    message = AIMessageChunk(
        content=text, additional_kwargs=additional_kwargs, response_metadata=response_metadata, **given
    )
    return ChatGenerationChunk(message=message)


def state(model):
    """Return all the state that pydantic keeps of a model."""
    return (
        model.__dict__ if not isinstance(model, ChatGenerationChunk) else {**model.__dict__, "message": None},
        model.model_fields_set,
        model.__pydantic_extra__,
        model.__pydantic_private__,
    )


@settings(max_examples=200)
@given(given_chunk=chunks)
def test_filled_chunk_equals_the_constructed_one(given_chunk):
    filled, constructed = build_chunk(*given_chunk), construct(*given_chunk)
    assert state(filled) == state(constructed)
    assert state(filled.message) == state(constructed.message)
    assert filled == constructed
    assert list(filled.message.__dict__) == list(constructed.message.__dict__)
    assert filled.message.model_dump() == constructed.message.model_dump()
    assert dumps(filled) == dumps(constructed)
    assert pickle.loads(pickle.dumps(filled)) == constructed
    assert filled.message.text == constructed.message.text
    assert repr(filled) == repr(constructed)


def test_filled_chunk_keeps_its_arguments():
    """`build_chunk` does not copy the objects that it gets. LangChain's constructors would copy them."""
    kwargs, metadata, calls = {"refusal": "no"}, {}, [tool_call_chunk(name="f", args="{}", id="1", index=0)]
    message = build_chunk("a", kwargs, metadata, calls).message
    assert message.additional_kwargs is kwargs
    assert message.response_metadata is metadata
    assert message.tool_call_chunks is calls


@given(first=chunks, second=chunks)
def test_sum_of_filled_chunks_equals_the_sum_of_constructed_ones(first, second):
    assert build_chunk(*first) + build_chunk(*second) == construct(*first) + construct(*second)
    assert construct(*first) + build_chunk(*second) == build_chunk(*first) + construct(*second)


def test_chunks_share_nothing():
    one, other = build_chunk("a", {}, {}, []), build_chunk("b", {}, {}, [])
    one.message.additional_kwargs["x"] = one.message.tool_calls = 1
    one.message.id = "run"
    assert other == build_chunk("b", {}, {}, [])
    assert "id" not in other.message.model_fields_set
    for mine, theirs in ((one, other), (one.message, other.message)):
        kept = {name: value for name, value in mine.__dict__.items() if isinstance(value, (list, dict, set))}
        assert not [name for name, value in kept.items() if theirs.__dict__[name] is value]


@pytest.mark.parametrize("piece", ['{"a":' + "z" * 100_000, "z" * 1_000_000, "{" * 100_000])
def test_long_invalid_arguments_are_not_parsed(piece):
    """langchain-core takes minutes to parse each of these arguments."""
    call = tool_call_chunk(name="f", args=piece, id="1", index=0)
    assert build_chunk("", {}, {}, [call]).message.tool_call_chunks == [call]


def test_setters_are_missing_for_other_slots():
    class Other:
        __slots__ = ("__pydantic_fields__",)

    assert chunk_builder._find_setters(Other) is None


def test_chunk_is_filled_by_the_setters(monkeypatch):
    """`build_chunk` avoids `object.__setattr__`, which would take 3 % of the instructions for a text chunk."""
    setters, used = chunk_builder._SETTERS, []

    def counting(setter):
        return lambda target, value: (used.append(setter), setter(target, value))

    monkeypatch.setattr(chunk_builder, "_SETTERS", [*map(counting, setters)])
    build_chunk("a", {}, {}, [])
    assert used == [*setters, *setters]


@pytest.mark.parametrize("calls", [[], [tool_call_chunk(name="f", args='{"a": 1}', id="1", index=0)]])
def test_chunk_comes_from_the_constructors_without_setters(monkeypatch, calls):
    filled = build_chunk("a", {"refusal": "no"}, {}, calls)
    monkeypatch.setattr(chunk_builder, "_SETTERS", None)
    assert build_chunk("a", {"refusal": "no"}, {}, calls) == filled
