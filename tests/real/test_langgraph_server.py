"""`langgraph dev` serves agents, and `langgraph-sdk` uses them: streams, interrupts, forks and cancellation."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from agents import SCRIPT
from langgraph_sdk import get_client
from page_blocks import read_blocks
from real_software import free_port, running, tool

from langchain_gemini_compat.testing import FakeGemini, Fault

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "web-services.md"
AGENTS = """
import os
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_gemini_compat import ChatGeminiCompat

async def get_weather(city: str) -> str:
    "Weather of a city."
    return f"sunny in {city}"

async def get_time(city: str) -> str:
    "Local time of a city."
    return f"noon in {city}"

def connect(url):
    return ChatGeminiCompat(model="gemini-3.8-flash", surface="vertex", api_key="k", base_url=url, include_thoughts=True)

model = connect(os.environ["MODEL_URL"])
endless = create_agent(connect(os.environ["ENDLESS_URL"]), [])
graph = create_agent(model, [get_weather, get_time])
careful = create_agent(model, [get_weather, get_time], middleware=[HumanInTheLoopMiddleware({"get_weather": True})])
"""
ANSWER = SCRIPT[-1].text
#: The types of the messages: a question, two tool calls, each with its result, and the answer.
TYPES = "human ai tool ai tool tool ai"
QUESTION = {"messages": [{"role": "user", "content": "Weather?"}]}
#: The model's reply to the agent `endless`. Ten minutes pass between its pieces.
ENDLESS = Fault.slow(between=600.0, reply="words that come in several pieces, one in ten minutes")


def answer(request):
    """Return the reply in `SCRIPT` that fits the number of tool results since the last question."""
    last = max(index for index, message in enumerate(request.messages) if message["role"] == "user")
    results = sum(message["role"] == "tool" for message in request.messages[last:])
    return SCRIPT[{0: 0, 1: 1, 3: 2}[results]]


@dataclass
class Server:
    """A running LangGraph server, and the server of the endless model."""

    url: str
    process: psutil.Process
    endless: FakeGemini
    port: int

    def count_connections(self):
        """Return how many connections to the endless model are open."""
        processes = [self.process, *self.process.children(recursive=True)]
        found = [one for process in processes for one in process.net_connections("tcp")]
        return sum(bool(one.raddr) and one.raddr.port == self.port for one in found)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder, port, fake, endless = (
        tmp_path_factory.mktemp("server"),
        free_port(),
        FakeGemini(answer),
        FakeGemini(ENDLESS),
    )
    fake.surface = endless.surface = "vertex"
    (config,) = (
        json.loads(one.code) for one in read_blocks(PAGE.read_text(encoding="utf-8")) if one.language == "json"
    )
    config["graphs"] |= {"careful": "./agent.py:careful", "endless": "./agent.py:endless"}
    (folder / "langgraph.json").write_text(json.dumps(config))
    (folder / "agent.py").write_text(AGENTS)
    command = [tool("langgraph", "langgraph"), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    offline = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"}
    url, log = f"http://127.0.0.1:{port}", folder / "log"
    with fake.serve() as model_url, endless.serve() as endless_url:
        (folder / config["env"]).write_text(f"MODEL_URL={model_url}\nENDLESS_URL={endless_url}\n")
        with running(command, ready=f"{url}/ok", env=offline, cwd=folder, log=log) as process:
            yield Server(url, psutil.Process(process.pid), endless, urlsplit(endless_url).port)
    assert "Blocking call" not in log.read_text()
    assert fake.refusals == []
    assert fake.stand_ins == 0, "a signature was lost on the way"


@pytest.fixture
async def client(server):
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture
async def thread(client):
    return (await client.threads.create())["thread_id"]


def types(state):
    return " ".join(message["type"] for message in state["messages"])


async def test_stream_of_tokens_and_states_and_a_second_turn(client, thread):
    text, states = "", []
    async for part in client.runs.stream(thread, "agent", input=QUESTION, stream_mode=["messages-tuple", "values"]):
        assert part.event in {"metadata", "messages", "values"}, part
        if part.event == "messages" and part.data[0]["type"] == "AIMessageChunk":
            text += part.data[0]["content"]
        elif part.event == "values":
            states.append(part.data)
    assert text == ANSWER
    assert types(states[-1]) == TYPES
    assert states[-1]["messages"][1]["additional_kwargs"]["reasoning_content"] == "Paris first."
    state = await client.runs.wait(thread, "agent", input=QUESTION)
    assert types(state) == f"{TYPES} {TYPES}"


async def test_interrupted_run_resumes_with_edited_arguments(client, thread):
    state = await client.runs.wait(thread, "careful", input=QUESTION)
    assert types(state) == "human ai"
    edited = {"type": "edit", "edited_action": {"name": "get_weather", "args": {"city": "Lyon"}}}
    state = await client.runs.wait(thread, "careful", command={"resume": {"decisions": [edited]}})
    assert (await client.threads.get_state(thread))["interrupts"]
    state = await client.runs.wait(thread, "careful", command={"resume": {"decisions": [{"type": "approve"}]}})
    assert types(state) == TYPES
    assert "sunny in Lyon" in state["messages"][2]["content"]


async def test_thread_forks_from_a_checkpoint(client, thread):
    """A run from the checkpoint before the second step keeps the messages of the first step, and repeats the rest."""
    first = await client.runs.wait(thread, "agent", input=QUESTION)
    history = await client.threads.get_history(thread, limit=100)
    (before,) = (one for one in history if one["values"] and types(one["values"]) == "human ai tool")
    second = await client.runs.wait(thread, "agent", input=None, checkpoint=before["checkpoint"])
    assert types(first) == types(second) == TYPES
    same = [one["id"] == other["id"] for one, other in zip(first["messages"], second["messages"], strict=True)]
    assert same == [True] * 3 + [False] * 4


async def wait_until(condition, seconds=60.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancelled_run_ends_its_request(action, client, thread, server):
    run = await client.runs.create(thread, "endless", input=QUESTION, stream_mode="messages-tuple")
    await wait_until(lambda: server.count_connections() == 1)
    await client.runs.cancel(thread, run["run_id"], wait=True, action=action)
    await wait_until(lambda: server.count_connections() == 0)


async def test_run_of_a_client_that_leaves_ends_its_request(client, thread, server):
    begun = asyncio.Event()

    async def read():
        options = {"stream_mode": "messages-tuple", "on_disconnect": "cancel"}
        async for part in client.runs.stream(thread, "endless", input=QUESTION, **options):
            if part.event == "messages":
                begun.set()

    reading = asyncio.create_task(read())
    await begun.wait()
    assert server.count_connections() == 1
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    await wait_until(lambda: server.count_connections() == 0)
