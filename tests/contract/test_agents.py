"""LangChain agents under the rules of the fake endpoint: signatures, order of turns, results of calls."""

import subprocess
import sys
from pathlib import Path

import pytest
from agents import SCRIPT, build, get_time, get_weather
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from langchain_gemini_compat.testing import FakeGemini

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
SURFACES = ["vertex", "ai_studio"]
ANSWER = "Paris is sunny, Rome is sunny at noon."
CONFIG = {"configurable": {"thread_id": "one"}}
QUESTION = {"messages": [("user", "Weather in Paris, then Rome?")]}


def check(fake, messages):
    """Assert that `fake` accepted all requests without placeholder signatures, and that the last text is `ANSWER`."""
    assert fake.refusals == []
    assert fake.stand_ins == 0
    assert messages[-1].text == ANSWER
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai", "tool", "tool", "ai"]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("mode", ["invoke", "ainvoke", "stream", "astream", "batch", "events"])
async def test_two_step_agent_keeps_its_signatures(surface, mode):
    """If the second step lost a signature, the fake would answer 400."""
    fake, agent = build(surface)
    if mode == "invoke":
        messages = agent.invoke(QUESTION)["messages"]
    elif mode == "ainvoke":
        messages = (await agent.ainvoke(QUESTION))["messages"]
    elif mode == "stream":
        messages = list(agent.stream(QUESTION, stream_mode="values"))[-1]["messages"]
    elif mode == "astream":
        messages = [state async for state in agent.astream(QUESTION, stream_mode="values")][-1]["messages"]
    elif mode == "batch":
        messages = agent.batch([QUESTION])[0]["messages"]
    else:
        events = [event async for event in agent.astream_events(QUESTION, version="v2")]
        messages = events[-1]["data"]["output"]["messages"]
    check(fake, messages)


@pytest.mark.parametrize("surface", SURFACES)
def test_agent_streams_tokens_and_keeps_signatures(surface):
    """`stream_mode="messages"` attaches a streaming handler, so the model streams inside the graph."""
    fake, agent = build(surface, include_thoughts=True)
    text, state = "", None
    for mode, data in agent.stream(QUESTION, stream_mode=["messages", "values"]):
        if mode == "messages":
            text += data[0].text if data[0].type == "AIMessageChunk" else ""
        else:
            state = data
    assert text == ANSWER
    assert all(request.body["stream"] for request in fake.requests)
    check(fake, state["messages"])


@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("surface", SURFACES)
def test_agent_state_of_either_content_version_is_sent_complete(surface, output_version):
    """Content in blocks (`v1`) is sent with the same fields as content in strings (`v0`)."""
    fake, agent = build(surface, output_version=output_version, include_thoughts=True)
    state = list(agent.stream(QUESTION, stream_mode=["messages", "values"]))[-1][1]
    check(fake, state["messages"])


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("saver", ["memory", "sqlite"])
def test_conversation_resumes_from_a_checkpoint_with_another_agent(surface, saver, tmp_path):
    """A conversation is saved between a call and its result. An agent with a new model and endpoint continues it."""
    if saver == "memory":
        _resume(surface, InMemorySaver())
    else:
        with SqliteSaver.from_conn_string(str(tmp_path / "state.db")) as sqlite:
            _resume(surface, sqlite)


def _resume(surface, saver):
    _, agent = build(surface, SCRIPT[:1], saver)
    list(agent.stream(QUESTION, CONFIG, interrupt_before=["tools"]))
    fake, other = build(surface, SCRIPT[1:], saver)
    check(fake, other.invoke(None, CONFIG)["messages"])


@pytest.mark.parametrize("surface", SURFACES)
def test_thread_of_a_killed_process_continues_in_another(surface, tmp_path):
    """The first process ends after a tool call. The second process continues the thread from the same database.

    It runs the tool, makes a second call and gets the answer.
    """
    script = Path(__file__).parents[1] / "support" / "resume_agent.py"
    arguments = [str(tmp_path / "state.db"), surface]
    started = subprocess.run([sys.executable, script, "start", *arguments], capture_output=True, text=True)
    assert started.returncode == 9, started.stderr
    resumed = subprocess.run([sys.executable, script, "resume", *arguments], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.strip() == ANSWER


def test_arguments_edited_by_a_human_keep_the_signature():
    """The signature is found by the id of the call, which does not change."""
    fake = FakeGemini(list(SCRIPT), surface="vertex")
    middleware = HumanInTheLoopMiddleware(interrupt_on={"get_weather": True})
    agent = create_agent(
        fake.chat_model("gemini-3.8-flash"),
        [get_weather, get_time],
        middleware=[middleware],
        checkpointer=InMemorySaver(),
    )
    agent.invoke(QUESTION, CONFIG)
    edited = {"type": "edit", "edited_action": {"name": "get_weather", "args": {"city": "Lyon"}}}
    agent.invoke(Command(resume={"decisions": [edited]}), CONFIG)
    messages = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), CONFIG)["messages"]
    assert fake.refusals == []
    assert fake.stand_ins == 0
    assert "sunny in Lyon" in messages[2].text
    assert messages[-1].text == ANSWER


def test_arguments_edited_in_the_state_keep_the_signature():
    """The arguments in the checkpoint change. The id of the call stays the same."""
    fake, agent = build("vertex", SCRIPT, InMemorySaver())
    state = agent.invoke(QUESTION, CONFIG, interrupt_before=["tools"])
    message = state["messages"][-1]
    edited = [{**message.tool_calls[0], "args": {"city": "Lyon"}}]
    agent.update_state(CONFIG, {"messages": [message.model_copy(update={"tool_calls": edited})]})
    messages = agent.invoke(None, CONFIG)["messages"]
    assert messages[2].text == "sunny in Lyon"
    check(fake, messages)


def test_history_of_another_provider_gets_a_placeholder_signature():
    """The placeholder is sent only for the first call of each step in the current turn.

    The number of placeholders is in the `response_metadata` of the reply.
    """
    fake = FakeGemini(["Sunny."], surface="vertex")
    calls = [{"name": "get_weather", "args": {"city": city}, "id": city} for city in ("Paris", "Rome")]
    history = [
        HumanMessage("Weather?"),
        AIMessage("", tool_calls=calls, response_metadata={"model_provider": "openai"}),
        ToolMessage("sunny", tool_call_id="Paris"),
        ToolMessage("rainy", tool_call_id="Rome"),
    ]
    model = fake.chat_model("gemini-3.8-flash").bind_tools([get_weather])
    answer = model.invoke(history)
    assert fake.refusals == []
    assert fake.stand_ins == 1
    assert answer.response_metadata["signature_stand_ins"] == 1


def test_signature_of_one_surface_is_not_sent_to_another():
    """The history has a signature of AI Studio. Vertex AI would refuse it, and gets the placeholder instead."""
    _, agent = build("ai_studio", SCRIPT[:1], InMemorySaver())
    messages = agent.invoke(QUESTION, CONFIG, interrupt_before=["tools"])["messages"]
    vertex = FakeGemini(["Sunny."], surface="vertex")
    result = ToolMessage("sunny", tool_call_id=messages[-1].tool_calls[0]["id"])
    vertex.chat_model("gemini-3.8-flash").bind_tools([get_weather]).invoke([*messages, result])
    assert vertex.refusals == []
    assert vertex.stand_ins == 1


def test_second_question_of_a_thread_is_accepted():
    fake, agent = build("vertex", [*SCRIPT, "You are welcome."], InMemorySaver())
    agent.invoke(QUESTION, CONFIG)
    assert agent.invoke({"messages": [("user", "Thanks.")]}, CONFIG)["messages"][-1].text == "You are welcome."
    assert fake.refusals == []
