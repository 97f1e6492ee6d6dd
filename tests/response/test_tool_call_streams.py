"""Tests random streams of tool calls with any ending: an error, or exactly the complete calls."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from uncertain_streams import RAN, TOOLS, draw_stream, judge_stream, read_calls, read_message
from wire import Wire, chunk

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._wire.json_types import DONE
from langchain_gemini_compat.errors import GeminiCompatError

seeds = st.integers(0, 2**48)


@settings(max_examples=2000, deadline=None)
@given(seed=seeds)
@example(seed=36289)
@example(seed=49903)
def test_random_stream_gives_an_error_or_its_complete_calls(seed):
    """`tests/fuzz/fuzz_tool_calls.py` checks more random streams in the same way."""
    drawn = draw_stream(seed)
    judge_stream(drawn, read_calls(drawn.events))


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_sum_of_chunks_has_the_same_calls(seed):
    """LangChain adds up the message chunks of a stream, and an agent reads the calls of the sum."""
    drawn = draw_stream(seed)
    message, found = read_message(drawn.events), read_calls(drawn.events)
    if isinstance(found, Exception):
        assert type(message) is type(found)
    else:
        assert [(call["name"], call["args"]) for call in message.tool_calls] == found
        assert message.invalid_tool_calls == []


@settings(max_examples=40, deadline=None)
@given(seed=seeds, kept=st.booleans())
def test_agent_runs_only_calls_that_the_model_wrote(seed, kept):
    """The model of an agent returns a random stream of tool calls, with and without `invalid_tool_calls="keep"`."""
    drawn = draw_stream(seed)
    events = ["[DONE]" if event is DONE else event for event in drawn.events]
    wire = Wire(events, [chunk("stop", content="Done."), "[DONE]"])
    options = {"invalid_tool_calls": "keep"} if kept else {}
    model = ChatGeminiCompat(
        model="gemini-3.8-flash", project="p", api_key="k", max_retries=0, **wire.clients, **options
    )
    RAN.clear()
    try:
        for _ in create_agent(model, TOOLS).stream({"messages": [("user", "hi")]}, stream_mode="messages"):
            pass
    except GeminiCompatError:
        assert RAN == []
        return
    meant = [
        (call.name, {"number": 0, "text": "", **call.args})
        for call in drawn.calls
        if call.is_complete or drawn.is_clean
    ]
    ran = [*RAN]
    for one in ran:
        assert one in meant
        meant.remove(one)
