"""Runs an agent with the fake. In one conversation, the agent calls every tool of an MCP server at least three times.

The fake draws the arguments of a call from the schema that was sent to it.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.messages import AIMessage, ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.memory import InMemorySaver

from langchain_gemini_compat.testing import Call, FakeGemini

#: Surface and model of each run. Vertex AI has two models, because only Gemini 3 accepts media in tool results.
MODELS = [
    ("ai_studio", "gemini-3.8-flash"),
    ("vertex", "gemini-3.8-flash"),
    ("vertex", "gemini-2.5-flash"),
    ("openai_compatible", "some-model"),
]
WAYS = ["whole", "streamed", "v3"]
ORDER = re.compile(r"Call tool (\d+)\.")
TOGETHER = "Call all tools at once."


def draw(schema, name, words):
    """Return a value for argument `name`: its value in `words` if it has one, else a value that fits the schema."""
    if name in words:
        return words[name]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "object":
        return {key: draw(inner, key, words) for key, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [draw(schema.get("items", {}), name, words)]
    return {"string": "x", "integer": 1, "number": 1, "boolean": True}[kind]


def draw_sensibly(schema, words):
    """Return the required arguments of a tool and its arguments in `words`, each with a value."""
    required = schema.get("required", [])
    named = {name: inner for name, inner in schema.get("properties", {}).items() if name in words or name in required}
    return {name: draw(inner, name, words) for name, inner in named.items()}


@dataclass
class Caller:
    """The function of a fake that plays the model. It calls the tool that a user message asks for, or all tools."""

    #: The values of arguments. A key is an argument's name, or `tool.argument` for a value that only one tool gets.
    words: dict[str, object] = field(default_factory=dict)
    #: Further calls of each tool, by the tool's name. Each call is a dict of arguments.
    more: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def arguments(self, declared):
        """Return the arguments of each call of a tool. For the first call, ignore `words` and use sample values."""
        name, schema = declared["name"], declared.get("parameters", {"type": "object"})
        own = {key.partition(".")[2]: word for key, word in self.words.items() if key.startswith(f"{name}.")}
        return [draw(schema, "", {}), draw_sensibly(schema, {**self.words, **own}), *self.more.get(name, ())]

    def __call__(self, request):
        orders = [(place, found) for place, found in enumerate(map(read_order, request.messages)) if found]
        place, order = orders[-1]
        done = sum(len(message.get("tool_calls", ())) for message in request.messages[place:])
        declared = [tool["function"] for tool in request.tools]
        if order == TOGETHER:
            calls = [Call(tool["name"], self.arguments(tool)[1]) for tool in declared]
            return "Called all." if done else calls
        tool = declared[int(ORDER.fullmatch(order)[1])]
        drawn = self.arguments(tool)
        return Call(tool["name"], drawn[done]) if done < len(drawn) else f"Called {tool['name']}."


def read_order(message):
    """Return the text of a user message that asks for tool calls; `None` for others, such as media of a tool result."""
    text = message.get("content")
    is_order = message["role"] == "user" and isinstance(text, str) and (text == TOGETHER or ORDER.fullmatch(text))
    return text if is_order else None


@wrap_tool_call
async def keep_audio_errors(request, handler):
    """Send the adapter's error about audio to the model. If this error were raised, the agent would end."""
    try:
        return await handler(request)
    except NotImplementedError as error:
        return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


async def ask(agent, text, way):
    """Run the agent once. Return its final state."""
    config = {"configurable": {"thread_id": "one"}, "recursion_limit": 100}
    given = {"messages": text}
    if way == "whole":
        return await agent.ainvoke(given, config)
    if way == "streamed":
        async for _ in agent.astream(given, config, stream_mode="messages"):
            pass
        return (await agent.aget_state(config)).values
    stream = await agent.astream_events(given, config, version="v3")
    async for _ in stream:
        pass
    return await stream.output()


async def call_every_tool(server, caller, surface, model):
    """Run one conversation for each way of running the agent: whole, streamed, and with v3 events.

    Return the tool results of each conversation, and the messages of its last request as JSON.
    """
    threads = []
    async with MultiServerMCPClient({"it": {"transport": "stdio", **server}}).session("it") as session:
        tools = await load_mcp_tools(session)
        for way in WAYS:
            fake = FakeGemini(caller, surface=surface)
            middleware = [keep_audio_errors]
            agent = create_agent(fake.chat_model(model), tools, middleware=middleware, checkpointer=InMemorySaver())
            for number in range(len(tools)):
                state = await ask(agent, f"Call tool {number}.", way)
                assert state["messages"][-1].text.startswith("Called ")
            state = await ask(agent, TOGETHER, way)
            results = check_thread(fake, state["messages"], tools)
            threads.append((results, json.dumps(fake.requests[-1].messages)))
    return threads


def check_thread(fake, messages, tools):
    """Check that the fake refused nothing, that each tool was called, and that each result was sent to the model.

    Return the results by tool.
    """
    assert fake.refusals == []
    assert messages[-1].text == "Called all."
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    found = [message for message in messages if isinstance(message, ToolMessage)]
    assert [result.tool_call_id for result in found] == [call["id"] for call in calls]
    sent = [message["tool_call_id"] for message in fake.requests[-1].messages if message["role"] == "tool"]
    assert len(sent) == len(set(sent)) == len(calls)
    results = defaultdict(list)
    for call, result in zip(calls, found, strict=True):
        results[call["name"]].append(result)
    assert results.keys() == {tool.name for tool in tools}
    assert min(map(len, results.values())) >= 3
    return results
