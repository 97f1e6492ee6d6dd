"""Tests of the package's cost, in counts instead of time: modules, dependencies, function calls, copies, bytes."""

import base64
import gc
import json
import random
import subprocess
import sys
import tracemalloc
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import load_server
import pytest
from distributions import dependencies
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from packaging.requirements import Requirement
from wire import call, chunk, completion, http

import langchain_gemini_compat
from langchain_gemini_compat import ChatGeminiCompat

PACKAGE = str(Path(langchain_gemini_compat.__file__).parent)
#: Heavy packages that a call must not load.
HEAVY = {
    "aiohttp",
    "boto3",
    "google",
    "grpc",
    "numpy",
    "openai",
    "pandas",
    "requests",
    "tiktoken",
    "tokenizers",
    "urllib3",
}
#: Code of each stage. One process runs the stages in order, and prints the modules that each stage loads.
STAGES = {
    "base": "import asyncio, langchain_core.language_models.chat_models",
    "import": "from langchain_gemini_compat import ChatGeminiCompat",
    "key": "model = ChatGeminiCompat(model='gemini-3.8-flash', api_key='k', base_url='{url}')",
    "project": "ChatGeminiCompat(model='gemini-3.8-flash', project='p')",
    "calls": "model.invoke('call 1'); list(model.stream('call 2')); asyncio.run(model.ainvoke('call 3'))",
}
TELL = "print(*sorted(set(sys.modules) - before)); before = set(sys.modules)"


@pytest.fixture(scope="module")
def loaded():
    """Return the modules that each stage loads."""
    with load_server.start("canned") as server:
        lines = [line for code in STAGES.values() for line in (code.format(url=server.url), TELL)]
        script = "\n".join(["import sys; before = set(sys.modules)", *lines])
        output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return {stage: set(line.split()) for stage, line in zip(STAGES, output.splitlines(), strict=True)}


def foreign(modules):
    """Return the modules that belong neither to Python nor to this package."""
    own = {*sys.stdlib_module_names, "langchain_gemini_compat"}
    return {name for name in modules if name.partition(".")[0] not in own}


def test_import_loads_only_langchain_and_a_json_parser(loaded):
    """Clients, google-auth, the command line and the server are loaded when they are needed."""
    modules = loaded["import"]
    assert {name.partition(".")[0] for name in foreign(modules)} <= {"jiter", "langchain_core"}
    assert len(foreign(modules)) <= 10
    late = (
        "_transport.client",
        "_transport.http_clients",
        "_transport.errors",
        "_model.structured_output",
        "_auth",
        "cli",
        "testing",
    )
    assert modules.isdisjoint({f"langchain_gemini_compat.{name}" for name in late})
    # `modules` includes the modules of this package. If one of them is split, the limit may rise.
    assert len(modules) <= 85


def test_import_builds_only_the_validators_of_the_chat_model():
    """The three base classes get no validators, which would take a tenth of the import's time."""
    code = (
        "from langchain_gemini_compat import ChatGeminiCompat\n"
        "from pydantic import BaseModel\n"
        "ours = [c for c in ChatGeminiCompat.__mro__ if c.__module__.startswith('langchain_gemini_compat')]\n"
        "bases = [c for c in ours if issubclass(c, BaseModel)]\n"
        "print({c.__name__: c.__pydantic_complete__ for c in bases})"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    bases = ("ConnectedModel", "ConnectionFields", "RequestFields")
    assert output.strip() == str({"ChatGeminiCompat": True, **dict.fromkeys(bases, False)})


@pytest.mark.parametrize("stage", ["key", "project"])
def test_construction_loads_nothing(loaded, stage):
    """A program may construct thousands of models and call none."""
    assert loaded[stage] == set()


def test_first_call_with_a_key_does_not_load_google_auth(loaded):
    modules = loaded["calls"]
    assert "langchain_gemini_compat._transport.client" in modules
    assert {name.partition(".")[0] for name in foreign(modules)}.isdisjoint(HEAVY)
    # At the first call, the HTTP library and LangChain load many modules of their own, so this limit is high.
    assert len(foreign(modules)) <= 120
    assert len(modules - foreign(modules)) <= 60


def test_installation_adds_four_packages_and_their_dependencies():
    """The heavy dependencies of other integrations, such as grpcio and numpy, are not installed."""
    own = [Requirement(text) for text in distribution("langchain-gemini-compat").requires]
    direct = {one.name for one in own if one.marker is None or one.marker.evaluate({"extra": ""})}
    four = {"google-auth", "langchain-core", "openai", "pydantic"}
    brought = {name for one in four for name in dependencies(one, set())}
    # The other direct dependencies are also dependencies of the four packages, so they install nothing more.
    assert direct - four <= brought
    assert four <= direct
    # Eight packages: the four in `four`, and also jiter, pydantic-core, PyYAML (for cassettes) and typing-extensions.
    assert len(direct) <= 8
    found = dependencies("langchain-gemini-compat", set())
    assert len(found) <= 50
    assert found.isdisjoint({"aiohttp", "grpcio", "numpy", "protobuf", "tiktoken", "google-api-core", "proto-plus"})


class Events(http.SyncByteStream):
    """The response body of a stream. Its bytes are created only when they are read, so it needs little memory."""

    def __init__(self, events):
        self.events = events

    def __iter__(self):
        for event in self.events:
            yield b"data: %b\n\n" % json.dumps(event).encode()
        yield b"data: [DONE]\n\n"


def model_of(reply):
    """Return a model whose server, in process, sends the result of `reply`."""

    def answer(request):
        body = reply()
        if isinstance(body, dict):
            return http.Response(200, json=body)
        return http.Response(200, headers={"content-type": "text/event-stream"}, stream=Events(body))

    client = http.Client(transport=http.MockTransport(answer))
    return ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", http_client=client)


def text_events(count):
    yield from (chunk(content=f" word{number}") for number in range(1000, 1000 + count))
    yield chunk(finish="stop", usage=(3, 2, 5), content="")


def tool_events(calls, count):
    """Yield the pieces of each call's arguments, one call after another."""
    for index in range(calls):
        pieces = ['{"text": "', *(f" word{number}" for number in range(1000, 998 + count)), '"}']
        yield chunk(tool_calls=[call(args="", call_id=f"call-{index}", index=index)])
        yield from (chunk(tool_calls=[{"index": index, "function": {"arguments": piece}}]) for piece in pieces)
    yield chunk(finish="tool_calls")


def count_calls(function, *, within=""):
    """Count the calls of Python and C functions from files below `within`, including resumed generators."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(within):
            count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def drain(iterator):
    for _ in iterator:
        pass


@cache
def warm():
    """Make the first calls, so that later counts do not include work that is done once per process."""
    drain(model_of(lambda: text_events(3)).stream("hi"))
    drain(model_of(lambda: tool_events(1, 3)).stream("hi"))
    model_of(completion).invoke("hi")


def cost_of_more(make, small, large, *, within=""):
    """Return how many function calls each additional unit costs, from the size `small` to the size `large`.

    `make` returns the function to run for a size.
    """
    warm()
    few, many = (count_calls(make(size), within=within) for size in (small, large))
    return (many - few) / (large - small)


def streaming(events):
    """Return a function that streams the given number of `events`."""

    def make(size):
        model = model_of(lambda: events(size))
        return lambda: drain(model.stream("hi"))

    return make


def adding(size):
    """Return a function that streams a text of `size` chunks and adds the chunks up to one message."""
    model = model_of(lambda: text_events(size))
    return lambda: sum(model.stream("hi"), AIMessageChunk(content=""))


@pytest.mark.parametrize("make", [streaming(text_events), adding], ids=["streamed", "added"])
def test_cost_of_a_text_chunk_is_constant(make):
    """A long stream costs as many function calls per chunk as a short one.

    The calls in all libraries are counted, not only those in this package.
    """
    assert cost_of_more(make, 500, 2000) == pytest.approx(cost_of_more(make, 100, 200), rel=0.01)


def test_text_chunk_costs_few_calls_of_this_package():
    """The function calls from the received bytes to LangChain's message chunk are counted."""
    assert cost_of_more(streaming(text_events), 100, 300, within=PACKAGE) <= 62


def test_plain_call_costs_few_calls_of_this_package():
    """The function calls of the second `invoke` are counted."""
    model = model_of(completion)
    model.invoke("hi")
    assert count_calls(lambda: model.invoke("hi"), within=PACKAGE) <= 880


def test_second_call_parses_no_url():
    """The HTTP library would parse the URL of each request, which takes 3 % of a call."""
    model, parser = model_of(completion), str(Path(http.__file__).with_name("_urlparse.py"))
    model.invoke("hi")
    assert count_calls(lambda: model.invoke("hi"), within=parser) <= 10


@pytest.mark.parametrize("calls", [1, 2, 8])
def test_cost_of_an_argument_chunk_is_constant(calls):
    """A new piece of the arguments does not cause earlier pieces to be parsed again."""
    make = streaming(lambda size: tool_events(calls, size))
    assert cost_of_more(make, 50, 200) == pytest.approx(cost_of_more(make, 10, 50), rel=0.01)


def test_argument_chunk_costs_few_calls_of_this_package():
    """The function calls from the received bytes to LangChain's message chunk are counted."""
    make = streaming(lambda size: tool_events(1, size))
    assert cost_of_more(make, 50, 150, within=PACKAGE) <= 165


def build_history(length):
    """Return a user message, and four messages for each of `length` steps of an agent."""
    messages = [HumanMessage("Find out.")]
    for number in range(length):
        request = {"name": "search", "args": {"text": f"question {number}"}, "id": f"call-{number}"}
        messages += [AIMessage("", tool_calls=[request]), ToolMessage("What was found.", tool_call_id=request["id"])]
        messages += [AIMessage("That is it."), HumanMessage("And what else?")]
    return messages


def encoding(length):
    """Return a function that encodes an agent's history of `length` steps, with four messages for each step."""
    model, messages = model_of(completion), build_history(length)
    return lambda: model._build(messages, None, {}, stream=False)


def test_cost_of_a_history_message_is_constant():
    """The number of function calls for each message is the same in a short and in a long history."""
    assert cost_of_more(encoding, 100, 400) == pytest.approx(cost_of_more(encoding, 10, 50), rel=0.01)


def test_history_message_costs_few_calls_of_this_package():
    """An agent encodes its whole history at each step, so the cost of a single message matters."""
    assert cost_of_more(encoding, 50, 100, within=PACKAGE) / 4 <= 60


def peak(function):
    """Return the peak of Python's allocations in bytes while `function` runs."""
    warm()
    gc.collect()
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("kind", "copies"), [("image_url", 3), ("image", 4)])
def test_image_is_copied_few_times(kind, copies):
    """Each copy of ten megabytes costs time and memory."""
    size = 8 * 2**20
    data = "iVBORw0KGgo" + base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    block = url if kind == "image_url" else {"type": "image", "base64": data, "mime_type": "image/png"}
    model, messages = model_of(completion), [HumanMessage([{"type": "text", "text": "What is this?"}, block])]
    assert peak(lambda: model.invoke(messages)) / size <= copies + 0.5


def test_long_stream_keeps_only_its_text():
    """The package keeps the text of a stream for its errors, but does not keep the chunks.

    The test calls `_stream`, because LangChain's `stream` itself keeps every chunk.
    """

    def cost(size):
        model = model_of(lambda: text_events(size))
        return peak(lambda: drain(model._stream([HumanMessage("hi")])))

    assert (cost(6000) - cost(1000)) / 5000 <= 100
