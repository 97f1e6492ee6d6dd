"""An agent with tools of a real MCP server, streamed as v3 events by this package's hook and by LangChain's bridge."""

import json
import sys
from contextlib import asynccontextmanager
from operator import add
from pathlib import Path
from typing import Annotated

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from mcp_server import PNG

from langchain_gemini_compat import chat_models
from langchain_gemini_compat._response.v3_events import CORE_TAKES_PIECES
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat.testing import Call, FakeGemini, Reply, Style

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:The name of tool 'weather.alerts' was sent as"),
]
SERVER = {
    "transport": "stdio",
    "command": sys.executable,
    "args": [str(Path(__file__).parents[1] / "support" / "mcp_server.py")],
}
#: The methods that the test removes from the model to choose what makes the v3 events: this package (`native`) or
#: LangChain's bridge (`bridge`).
TAKEN_AWAY = {
    "native": ("_stream", "_astream"),
    "bridge": ("_stream_chat_model_events", "_astream_chat_model_events"),
}
PARIS, ROME = {"place": {"city": "Paris", "country": "FR"}, "unit": "C"}, {"place": {"city": "Rome"}}


def script(style):
    """Return the replies: thoughts, text and two parallel calls, then a call that fails, then an answer."""
    alerts = Call("weather_alerts", {"cities": ["Paris", "Rome"]})
    return [
        Reply(
            thoughts="Two places.",
            text="Let me look.",
            calls=[Call("get_weather", PARIS), Call("get_weather", ROME)],
            chunks=4,
            style=style,
        ),
        Reply(calls=[alerts], style=style),
        Reply(text="Sunny in both.", thoughts="Done.", chunks=3, style=style),
    ]


@asynccontextmanager
async def open_tools():
    """Return tools that share one running server, so that calls do not start new servers."""
    async with MultiServerMCPClient({"weather": SERVER}).session("weather") as session:
        yield await load_mcp_tools(session)


def build_agent(model, tools, checkpointer):
    """Return an agent of `create_agent`."""
    return create_agent(model, tools, system_prompt="Be brief.", checkpointer=checkpointer)


class Counted(MessagesState):
    """A graph state that has more keys than `messages`."""

    tokens: Annotated[int, add]
    said: Annotated[list[str], add]


def build_graph(model, tools, checkpointer):
    """Return a LangGraph graph with the same steps as the agent of `build_agent`. Its state is `Counted`."""
    bound = model.bind_tools(tools)

    # On Python 3.10, an async node gets the config only if it has this argument with the annotation `RunnableConfig`.
    async def ask(state, config: RunnableConfig):
        reply = await bound.ainvoke([SystemMessage("Be brief."), *state["messages"]], config)
        return {"messages": reply, "tokens": reply.usage_metadata["total_tokens"], "said": [reply.text]}

    graph = StateGraph(Counted)
    graph.add_node("ask", ask)
    graph.add_node("tools", ToolNode(tools, handle_tool_errors=True))
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", tools_condition)
    graph.add_edge("tools", "ask")
    return graph.compile(checkpointer=checkpointer)


async def run(tools, surface, style, taken_away, monkeypatch, build):
    """Run the agent, and return its events, its final state and the requests."""
    fake = FakeGemini(script(style), surface=surface)
    graph = build(fake.chat_model(include_thoughts=True), tools, InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    with monkeypatch.context() as patch:
        for name in taken_away:
            patch.delattr(chat_models.ChatGeminiCompat, name)
        stream = await graph.astream_events({"messages": "Weather in Paris and Rome?"}, config, version="v3")
        events = [event async for event in stream]
        state = await stream.output()
    assert fake.refusals == []
    kept = await graph.aget_state(config)
    assert (kept.values, kept.next) == (state, ())
    return events, state, [request.body for request in fake.requests]


def split_messages(events):
    """Return the events of each message of the model."""
    found = []
    for event in events:
        if event["method"] == "messages":
            piece = event["params"]["data"][0]
            if piece["event"] == "message-start":
                found.append([])
            found[-1].append(piece)
    return found


def assert_valid_messages(events):
    """Assert that there are three messages of the model, each from its start to its finish."""
    streams = split_messages(events)
    assert len(streams) == 3
    for stream in streams:
        assert_valid_event_stream(stream)
        assert stream[-1]["event"] == "message-finish"


def without_random_ids(state):
    """Return the state without the ids that LangChain generates for messages and for blocks of results."""
    messages = [message.model_dump(exclude={"id"}) for message in state["messages"]]
    for message in messages:
        if message["type"] == "tool":
            message["content"] = [{**block, "id": None} for block in message["content"]]
    return {**state, "messages": messages}


def strip_signatures(message):
    """Remove the signatures from the tool calls of `message`, and return how many there were.

    LangChain's bridge loses a signature that arrives after its call.
    """
    calls = [block for block in message.content if message.type == "ai" and block["type"] == "tool_call"]
    return sum(block.pop("extras", None) is not None for block in calls)


CASES = [
    ("ai_studio", Style()),
    ("vertex", Style(args="cut")),
    ("ai_studio", Style(index="lying", ids="repeated")),
    ("vertex", Style(signature="alone")),
]


unstreamed = pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="LangChain's async node hands the model no config, without which nothing is streamed",
)
builds = pytest.mark.parametrize("build", [pytest.param(build_agent, marks=unstreamed), build_graph])


@pytest.mark.skipif(not CORE_TAKES_PIECES, reason="before langchain-core 1.7 there is the bridge alone")
@builds
@pytest.mark.parametrize(("surface", "style"), CASES, ids=range(4))
async def test_final_state_equals_that_of_the_bridge(surface, style, build, monkeypatch):
    """Both event streams are valid. The final states are equal, and so are the requests."""
    async with open_tools() as tools:
        native, bridge = [await run(tools, surface, style, gone, monkeypatch, build) for gone in TAKEN_AWAY.values()]
    for events, _, _ in (native, bridge):
        assert_valid_messages(events)
    states = native[1], bridge[1]
    if style.signature == "alone":
        lost, kept = ([strip_signatures(message) for message in state["messages"]] for state in states)
        assert any(lost)
        assert not any(kept)
    ours, theirs = map(without_random_ids, states)
    assert ours == theirs
    assert len(ours["messages"]) == 7
    if build is build_graph:
        assert ours["tokens"] > 0
        assert ours["said"] == ["Let me look.", "", "Sunny in both."]
    assert native[2] == bridge[2]


@builds
async def test_tools_are_called_on_the_server(build, monkeypatch):
    """The MCP server runs each tool call. It returns two results and an error.

    Gemini refuses the tool name `weather.alerts`, so the request contains a different name. The message for the caller
    contains `weather.alerts`.
    """
    async with open_tools() as tools:
        events, state, bodies = await run(tools, "ai_studio", Style(), (), monkeypatch, build)
    assert_valid_messages(events)
    messages = state["messages"]
    results = [message for message in messages if isinstance(message, ToolMessage)]
    assert [result.text for result in results[:2]] == ["Sunny in Paris, 20 C.", "Sunny in Rome, 20 C."]
    assert results[2].status == "error"
    assert "No warnings are kept for Paris, Rome." in results[2].text
    assert [tool.name for tool in tools] == ["get_weather", "weather.alerts", "get_map"]
    replies = [message for message in messages if isinstance(message, AIMessage)]
    assert replies[1].tool_calls[0]["name"] == results[2].name == "weather.alerts"
    assert [len(reply.additional_kwargs.get(SIGNATURES_KEY, ())) for reply in replies] == [1, 1, 0]
    assert [tool["function"]["name"] for tool in bodies[0]["tools"]] == ["get_weather", "weather_alerts", "get_map"]


@pytest.mark.parametrize("surface", ["ai_studio", "vertex"])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-flash"])
async def test_image_of_the_server_reaches_the_model(surface, model):
    """The image is sent complete and once, in the format that the surface supports."""
    fake = FakeGemini([[Call("get_map", {"city": "Paris"})], "A map."], surface=surface)
    async with open_tools() as tools:
        state = await create_agent(fake.chat_model(model), tools).ainvoke({"messages": "Map of Paris?"})
    assert state["messages"][-1].text == "A map."
    assert fake.refusals == []
    assert json.dumps(fake.requests[-1].body["messages"]).count(PNG) == 1
