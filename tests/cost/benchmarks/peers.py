"""The measured packages. Each is imported only when it is measured.

A peer is built with the server's URL and the name of the reply that the server sends. Its verbs are methods for the
operations to measure, such as `stream`. A verb takes the arguments of a case. It returns a function or coroutine
function, which runs the case once. This function may return its own measurement. If it returns none, its CPU time is
measured.
"""

import asyncio
import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import count as count_from
from types import SimpleNamespace
from typing import ClassVar
from urllib.parse import urlsplit

import replies
from stalls import watch_stalls
from tool_schemas import build_tools

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LANGSMITH_TRACING"] = "false"
KEY = "test-key"
_BURSTS = ("stream", "astream", "call", "acall", "batch", "abatch", "construct")
_LIVE = ("live", "live_sync", "first_token")
#: A counter that gives each run of a case a new number.
_fresh = count_from(1)


class Peer:
    """A measured package."""

    module = package = name = ""
    #: Whether long cases take minutes with this peer.
    is_slow = False
    #: Whether the peer streams the arguments of a tool call in pieces.
    streams_arguments = True
    #: Names of the operations that are measured for this peer; `None` for all operations.
    verbs: ClassVar = None

    def __init__(self, root, reply):
        self.root, self.reply = root, reply

    @classmethod
    def load(cls):
        return import_module(cls.module)

    @classmethod
    def is_installed(cls):
        return version_of(cls.package) is not None

    def first_token(self):
        def run():
            begin = time.process_time()
            chunks = self.open_stream()
            next(chunks)
            spent = time.process_time() - begin
            for _ in chunks:
                pass
            return spent

        return run

    def live_sync(self):
        def run():
            chunks = self.open_stream()
            next(chunks)
            begin = time.process_time()
            number = sum(1 for _ in chunks)
            return (time.process_time() - begin) / number

        return run

    def live(self, streams):
        """Return a function that measures the CPU time per chunk of concurrent streams after all streams have begun."""

        async def run():
            begun = number = begin = 0

            async def read():
                nonlocal begun, number, begin
                is_first = True
                async for _ in await self.aopen_stream():
                    if is_first:
                        is_first, begun = False, begun + 1
                        begin = time.process_time() if begun == streams else 0
                    elif begin:
                        number += 1

            await asyncio.gather(*[read() for _ in range(streams)])
            return (time.process_time() - begin) / number

        return run


class LangChainPeer(Peer):
    @cached_property
    def model(self):
        return self.build(self.root, self.reply)

    @cached_property
    def async_model(self):
        return self.model

    def open_stream(self):
        return self.model.stream("hi")

    async def aopen_stream(self):
        return self.async_model.astream("hi")

    def stream(self, messages):
        def run():
            for _ in self.model.stream(messages):
                pass

        return run

    def astream(self, messages):
        async def run():
            async for _ in self.async_model.astream(messages):
                pass

        return run

    def add(self, messages):
        """Add the chunks of a stream, like a caller who needs the whole message."""

        def run():
            chunks = self.model.stream(messages)
            total = next(chunks)
            for chunk in chunks:
                total = total + chunk

        return run

    def events(self, messages):
        """Read LangChain's v3 events."""

        def run():
            for _ in self.model.stream_events(messages, version="v3"):
                pass

        return run

    def aevents(self, messages):
        async def run():
            stream = await self.async_model.astream_events(messages, version="v3")
            async for _ in stream:
                pass
            await stream.output
            # `sleep(0)` runs the event loop once more, so that LangChain's task that produces the events can end.
            await asyncio.sleep(0)

        return run

    def call(self, messages):
        return partial(self.model.invoke, messages)

    def acall(self, messages):
        return partial(self.async_model.ainvoke, messages)

    def batch(self, messages, count):
        return partial(self.model.batch, [messages] * count, config={"max_concurrency": count})

    def abatch(self, messages, count):
        return partial(self.async_model.abatch, [messages] * count)

    def construct(self):
        return partial(self.build, "http://127.0.0.1:1", "plain")

    def request(self):
        """Construct a model for one call, as web services do for each request."""
        return lambda: self.build(self.root, self.reply).invoke("hi")

    def connections(self, count):
        """Return the number of connections that `count` equal models open."""

        def run():
            label = str(next(_fresh))
            models = [self.build(self.root, f"count-{label}") for _ in range(count)]
            for model in models:
                model.invoke("hi")
            connection = http.client.HTTPConnection(urlsplit(self.root).netloc)
            connection.request("POST", f"/total-{label}/x", body=b"", headers={"content-length": "0"})
            return int(connection.getresponse().read())

        return run

    def agent(self, tools):
        return partial(
            _build_agent(self.model, tools).invoke, {"messages": [("user", "hi")]}, {"recursion_limit": 1000}
        )

    def stall(self, tools):
        """Measure the longest time for which one callback holds the event loop, after the first step of an agent."""
        agent = _build_agent(self.async_model, tools)

        async def run():
            with watch_stalls() as stalls:
                async for _ in agent.astream(
                    {"messages": [("user", "hi")]}, {"recursion_limit": 1000}, stream_mode="updates"
                ):
                    if not stalls.steps:
                        stalls.longest = 0
                    stalls.steps += 1
            return stalls.longest

        return run

    def tools(self, count):
        """Call with tools that were bound and sent before."""
        bound = self.model.bind_tools(build_tools(count))
        return partial(bound.invoke, "hi")

    def new_tools(self, count):
        """Return a function that measures the first use of tools: binding them, and sending them in a request."""

        def run():
            tools = build_tools(count, seed=f"new {next(_fresh)}")
            begin = time.process_time()
            self.model.bind_tools(tools).invoke("hi")
            return time.process_time() - begin

        return run

    def structured(self):
        chain = self.model.with_structured_output(_build_schema(), method="json_schema")
        return partial(chain.invoke, "hi")

    def embed(self, count):
        texts = [f"text number {number}, as long as a short sentence" for number in range(count)]
        return partial(self.build_embeddings(self.root, self.reply).embed_documents, texts)


class Constructors(LangChainPeer):
    """A chat model without a network. It shows the cost of LangChain's constructors of messages and chunks."""

    name = "constructors"
    package = "langchain-core"
    module = "langchain_core.language_models.chat_models"
    verbs: ClassVar = (*_BURSTS, "add", "events", "aevents", "import", "memory")

    def build(self, root, reply):
        return import_module("floor").FloorChat(reply=reply)


class Bound(LangChainPeer):
    """A lower bound of the cost: creates correct chunks with as little work as langchain-core, httpx2 and jiter allow.

    It has no error handling, retries or deadlines.
    """

    name = "bound"
    package = "langchain-core"
    module = "langchain_core.language_models.chat_models"
    verbs: ClassVar = ("stream", "astream", "add", "call", "acall", "abatch", *_LIVE, "embed")

    def build(self, root, reply):
        return import_module("floor").BoundChat(url=f"{root}/{reply}/v1/chat/completions")

    def build_embeddings(self, root, reply):
        return import_module("floor").BoundEmbeddings(f"{root}/{reply}/v1/embeddings")


class Ours(LangChainPeer):
    name = "ChatGeminiCompat"
    package = "langchain-gemini-compat"
    # The package loads its classes lazily, so import the class from its own module.
    module = "langchain_gemini_compat.chat_models"

    def build(self, root, reply, **more):
        url = f"{root}/{reply}/v1beta/openai"
        return self.load().ChatGeminiCompat(model=replies.MODEL, api_key=KEY, base_url=url, surface="ai_studio", **more)

    @cached_property
    def async_model(self):
        """The default async model without the extra `aiohttp`."""
        if not version_of("aiohttp"):
            return self.model
        client = import_module("openai").DefaultAsyncHttpxClient()
        return self.build(self.root, self.reply, http_async_client=client)

    def build_embeddings(self, root, reply):
        return import_module("langchain_gemini_compat").GeminiCompatEmbeddings(
            model="gemini-embedding-001", api_key=KEY, base_url=f"{root}/{reply}/v1beta/openai", surface="ai_studio"
        )


class OursBridged(Ours):
    """This package without its own v3 events, so that LangChain makes the v3 events from message chunks."""

    name = "ChatGeminiCompat, bridged"
    verbs: ClassVar = ("events", "aevents")

    @classmethod
    def load(cls):
        bridged = type("Bridged", (super().load().ChatGeminiCompat,), {})
        bridged._stream_chat_model_events = bridged._astream_chat_model_events = None
        return SimpleNamespace(ChatGeminiCompat=bridged)


class OursAiohttp(Ours):
    """This package with its extra `aiohttp`."""

    name = "ChatGeminiCompat, aiohttp"
    verbs: ClassVar = ("astream", "acall", "abatch", "live")

    @classmethod
    def is_installed(cls):
        return version_of("aiohttp") is not None

    @cached_property
    def async_model(self):
        client = import_module("openai").DefaultAioHttpClient()
        return self.build(self.root, self.reply, http_async_client=client)


class OpenAIChat(LangChainPeer):
    name = "ChatOpenAI"
    package = "langchain-openai"
    module = "langchain_openai"

    def build(self, root, reply):
        return self.load().ChatOpenAI(model=replies.MODEL, api_key=KEY, base_url=f"{root}/{reply}/v1")

    def build_embeddings(self, root, reply):
        return self.load().OpenAIEmbeddings(
            model="gemini-embedding-001",
            api_key=KEY,
            base_url=f"{root}/{reply}/v1",
            check_embedding_ctx_length=False,
            chunk_size=100,
        )


class GoogleChat(LangChainPeer):
    """`ChatGoogleGenerativeAI`, with Google's native API. It yields the arguments of a tool call in one piece."""

    name = "ChatGoogleGenerativeAI"
    package = "langchain-google-genai"
    module = "langchain_google_genai"
    is_slow = True
    streams_arguments = False

    def build(self, root, reply):
        return self.load().ChatGoogleGenerativeAI(model=replies.MODEL, api_key=KEY, base_url=f"{root}/{reply}")

    embed = None


class LiteLLMChat(LangChainPeer):
    name = "ChatLiteLLM"
    package = "langchain-litellm"
    module = "langchain_litellm"
    is_slow = True

    def build(self, root, reply):
        return self.load().ChatLiteLLM(model=f"openai/{replies.MODEL}", api_key=KEY, api_base=f"{root}/{reply}/v1")

    embed = None


class TypedSdk(Peer):
    """The openai SDK as its documentation shows it."""

    name = "openai SDK, typed"
    package = "openai"
    module = "openai"
    verbs: ClassVar = (*_BURSTS, *_LIVE, "import", "cold", "memory")

    @property
    def options(self):
        return {"api_key": KEY, "base_url": f"{self.root}/{self.reply}/v1"}

    @cached_property
    def client(self):
        return self.load().OpenAI(**self.options)

    @cached_property
    def async_client(self):
        return self.load().AsyncOpenAI(**self.options)

    def send(self, client, messages, *, stream):
        if not isinstance(messages, str):
            messages = import_module("langchain_core.messages").convert_to_openai_messages(messages)
        else:
            messages = [{"role": "user", "content": messages}]
        return self.create(client, messages, stream=stream)

    def create(self, client, messages, *, stream):
        return client.chat.completions.create(model=replies.MODEL, messages=messages, stream=stream)

    def open_stream(self):
        return iter(self.send(self.client, "hi", stream=True))

    async def aopen_stream(self):
        return await self.send(self.async_client, "hi", stream=True)

    def stream(self, messages):
        def run():
            for _ in self.send(self.client, messages, stream=True):
                pass

        return run

    def astream(self, messages):
        async def run():
            async for _ in await self.send(self.async_client, messages, stream=True):
                pass

        return run

    def call(self, messages):
        return partial(self.send, self.client, messages, stream=False)

    def acall(self, messages):
        async def run():
            await self.send(self.async_client, messages, stream=False)

        return run

    def batch(self, messages, count):
        def run():
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda _: self.send(self.client, messages, stream=False), range(count)))

        return run

    def abatch(self, messages, count):
        async def run():
            calls = [self.send(self.async_client, messages, stream=False) for _ in range(count)]
            await asyncio.gather(*calls)

        return run

    def construct(self):
        return lambda: self.load().OpenAI(**self.options)


class RawSdk(TypedSdk):
    """The openai SDK with plain objects: no typed model of a request, of a chunk or of a reply."""

    name = "openai SDK, dicts"

    def create(self, client, messages, *, stream):
        body = {"model": replies.MODEL, "messages": messages, "stream": stream}
        openai = self.load()
        kind = openai.Stream if isinstance(client, openai.OpenAI) else openai.AsyncStream
        return client.post("/chat/completions", cast_to=object, body=body, stream=stream, stream_cls=kind[object])


PEERS = (Constructors, Bound, Ours, OursAiohttp, OursBridged, RawSdk, TypedSdk, OpenAIChat, GoogleChat, LiteLLMChat)


def _build_agent(model, tools):
    return import_module("langchain.agents").create_agent(model, build_tools(tools))


def _build_schema():
    pydantic = import_module("pydantic")
    fields = {"name": (str, ...), "born": (int, ...), "places": (list[str], ...), "is_alive": (bool, False)}
    return pydantic.create_model("Person", __doc__="A person of history.", **fields)


def installed():
    """Return the peers that are installed in this environment."""
    return [peer for peer in PEERS if peer.is_installed()]


def version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
