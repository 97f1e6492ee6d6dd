"""The measured packages, all with the same methods. Each is imported only when it is measured.

LangChain's floor is a chat model without a network: the cost of building messages and chunks alone.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace

import replies

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LANGSMITH_TRACING"] = "false"
KEY = "test-key"


class Peer:
    """A measured package, constructed with the server's URL and the name of the reply."""

    module = package = name = ""
    #: Whether long cases take minutes.
    is_slow = False
    #: Whether it streams arguments of calls in pieces.
    streams_arguments = True
    #: The names of its cases, if not all are measured.
    verbs = None

    @classmethod
    def load(cls):
        return import_module(cls.module)


class LangChainPeer(Peer):
    def __init__(self, url, reply):
        self.model = self.build(f"{url}/{reply}", reply)

    def prepare(self, messages):
        return messages

    def stream(self, messages):
        for _ in self.model.stream(messages):
            pass

    async def astream(self, messages):
        async for _ in self.model.astream(messages):
            pass

    def add(self, messages):
        """Add the chunks, as a caller does that needs the message."""
        chunks = self.model.stream(messages)
        total = next(chunks)
        for chunk in chunks:
            total = total + chunk

    def events(self, messages):
        """Read LangChain's v3 events."""
        for _ in self.model.stream_events(messages, version="v3"):
            pass

    async def aevents(self, messages):
        stream = await self.model.astream_events(messages, version="v3")
        async for _ in stream:
            pass
        await stream.output
        # LangChain's producer ends one turn of the event loop after its stream.
        await asyncio.sleep(0)

    def call(self, messages):
        self.model.invoke(messages)

    async def acall(self, messages):
        await self.model.ainvoke(messages)

    def batch(self, messages, count):
        self.model.batch([messages] * count, config={"max_concurrency": count})

    async def abatch(self, messages, count):
        await self.model.abatch([messages] * count)

    def construct(self):
        self.build("http://127.0.0.1:1/plain", "plain")


class Floor(LangChainPeer):
    name = "LangChain's floor"
    package = "langchain-core"
    module = "langchain_core.language_models.chat_models"

    def build(self, url, reply):
        return import_module("floor").FloorChat(model_name=replies.MODEL, api_key=KEY, reply=reply)


class Ours(LangChainPeer):
    name = "ChatGeminiCompat"
    package = "langchain-gemini-compat"
    module = "langchain_gemini_compat"

    def build(self, url, reply):
        url = f"{url}/v1beta/openai"
        return self.load().ChatGeminiCompat(model=replies.MODEL, api_key=KEY, base_url=url, surface="ai_studio")


class OursBridged(Ours):
    """This package without its hook for v3 events: LangChain's bridge makes them from chunks."""

    name = "ChatGeminiCompat, bridged"
    verbs = ("events", "aevents")

    @classmethod
    def load(cls):
        bridged = type("Bridged", (super().load().ChatGeminiCompat,), {})
        bridged._stream_chat_model_events = bridged._astream_chat_model_events = None
        return SimpleNamespace(ChatGeminiCompat=bridged)


class OpenAIChat(LangChainPeer):
    name = "ChatOpenAI"
    package = "langchain-openai"
    module = "langchain_openai"

    def build(self, url, reply):
        return self.load().ChatOpenAI(model=replies.MODEL, api_key=KEY, base_url=f"{url}/v1")


class GoogleChat(LangChainPeer):
    """`ChatGoogleGenerativeAI` over Google's own protocol, which has no pieces of arguments."""

    name = "ChatGoogleGenerativeAI"
    package = "langchain-google-genai"
    module = "langchain_google_genai"
    is_slow = True
    streams_arguments = False

    def build(self, url, reply):
        return self.load().ChatGoogleGenerativeAI(model=replies.MODEL, api_key=KEY, base_url=url)


class LiteLLMChat(LangChainPeer):
    name = "ChatLiteLLM"
    package = "langchain-litellm"
    module = "langchain_litellm"
    is_slow = True

    def build(self, url, reply):
        return self.load().ChatLiteLLM(model=f"openai/{replies.MODEL}", api_key=KEY, api_base=f"{url}/v1")


class TypedSdk(Peer):
    """The openai SDK as its documentation shows it."""

    name = "openai SDK, typed"
    package = "openai"
    module = "openai"
    add = events = aevents = None

    def __init__(self, url, reply):
        self.base_url = f"{url}/{reply}/v1"

    @cached_property
    def client(self):
        return self.load().OpenAI(api_key=KEY, base_url=self.base_url)

    @cached_property
    def async_client(self):
        return self.load().AsyncOpenAI(api_key=KEY, base_url=self.base_url)

    def prepare(self, messages):
        if isinstance(messages, str):
            return [{"role": "user", "content": messages}]
        return import_module("langchain_core.messages").convert_to_openai_messages(messages)

    def send(self, client, messages, *, stream):
        return client.chat.completions.create(model=replies.MODEL, messages=messages, stream=stream)

    def stream(self, messages):
        for _ in self.send(self.client, messages, stream=True):
            pass

    async def astream(self, messages):
        async for _ in await self.send(self.async_client, messages, stream=True):
            pass

    def call(self, messages):
        self.send(self.client, messages, stream=False)

    async def acall(self, messages):
        await self.send(self.async_client, messages, stream=False)

    def batch(self, messages, count):
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(self.call, [messages] * count))

    async def abatch(self, messages, count):
        await asyncio.gather(*[self.acall(messages) for _ in range(count)])

    def construct(self):
        self.load().OpenAI(api_key=KEY, base_url=self.base_url)


class RawSdk(TypedSdk):
    """The openai SDK with plain objects: no typed model of a request, of a chunk or of a reply."""

    name = "openai SDK, dicts"

    def send(self, client, messages, *, stream):
        body = {"model": replies.MODEL, "messages": messages, "stream": stream}
        openai = self.load()
        kind = openai.Stream if isinstance(client, openai.OpenAI) else openai.AsyncStream
        return client.post("/chat/completions", cast_to=object, body=body, stream=stream, stream_cls=kind[object])


PEERS = (Floor, Ours, OursBridged, RawSdk, TypedSdk, OpenAIChat, GoogleChat, LiteLLMChat)


def installed():
    """Return the peers that are installed in this environment."""
    return [peer for peer in PEERS if version_of(peer.package)]


def version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
