"""Chat models that show what LangChain and the HTTP library cost by themselves."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import jiter
import replies
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

#: The HTTP library that the installed openai uses. Since openai 3, it is httpx2.
http = import_module("httpx2" if find_spec("httpx2") else "httpx")
_set = object.__setattr__
_MESSAGE = AIMessageChunk(content="", response_metadata={})
_MESSAGE_STATE, _MESSAGE_FIELDS = _MESSAGE.__dict__, set(_MESSAGE.model_fields_set)
_CHUNK_STATE = ChatGenerationChunk(message=_MESSAGE).__dict__


class FloorChat(BaseChatModel):
    """Builds the objects of a reply with LangChain's constructors, without a network."""

    reply: str
    pieces: Any = ()

    def model_post_init(self, context):
        super().model_post_init(context)
        kind, *sizes = self.reply.split("-")
        numbers = [int(size) for size in sizes]
        if kind == "text":
            self.pieces = [(text, []) for text in replies.words(*numbers)]
        elif kind == "tools":
            self.pieces = [("", [delta]) for delta in replies.deltas(*numbers)]

    @property
    def _llm_type(self):
        return "floor"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        message = AIMessage(content=" ".join(replies.words(20)))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return self._generate(messages)

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        for text, entries in self.pieces:
            yield _construct(text, entries)

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        for text, entries in self.pieces:
            yield _construct(text, entries)


class BoundChat(BaseChatModel):
    """Reads a reply with httpx2 and jiter, and sets the attributes of the chunks without LangChain's constructors.

    It has no errors, retries, deadlines or tools.
    """

    url: str
    client: Any = None
    async_client: Any = None

    def model_post_init(self, context):
        super().model_post_init(context)
        limits = http.Limits(max_connections=1000, max_keepalive_connections=100)
        self.client = http.Client(limits=limits)
        self.async_client = http.AsyncClient(limits=limits)

    @property
    def _llm_type(self):
        return "bound"

    def _body(self, messages, *, stream):
        said = [{"role": "user", "content": message.content} for message in messages]
        return {"model": replies.MODEL, "messages": said, "stream": stream}

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        return _result(self.client.post(self.url, json=self._body(messages, stream=False)))

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return _result(await self.async_client.post(self.url, json=self._body(messages, stream=False)))

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        rest = b""
        with self.client.stream("POST", self.url, json=self._body(messages, stream=True)) as response:
            for data in response.iter_raw():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        yield _fill(event)

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        rest = b""
        async with self.async_client.stream("POST", self.url, json=self._body(messages, stream=True)) as response:
            async for data in response.aiter_raw():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        yield _fill(event)


class BoundEmbeddings:
    """Reads vectors with httpx2 and jiter, and checks nothing."""

    def __init__(self, url):
        self._url, self._client = url, http.Client()

    def embed_documents(self, texts):
        vectors = []
        for first in range(0, len(texts), 100):
            body = {"model": replies.MODEL, "input": texts[first : first + 100]}
            reply = jiter.from_json(self._client.post(self._url, json=body).content)
            vectors += [item["embedding"] for item in reply["data"]]
        return vectors


def _result(response):
    text = jiter.from_json(response.content)["choices"][0]["message"]["content"]
    return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])


def _fill(event):
    """Return the chunk of an event. It is equal to the chunk that LangChain's constructors would build.

    The function sets the attributes directly, because this is faster than the constructors.
    """
    text = jiter.from_json(event[6:])["choices"][0]["delta"].get("content") or ""
    state = _MESSAGE_STATE.copy()
    state["content"] = text
    state["additional_kwargs"] = {}
    state["response_metadata"] = {}
    state["tool_calls"] = []
    state["invalid_tool_calls"] = []
    state["tool_call_chunks"] = []
    message = AIMessageChunk.__new__(AIMessageChunk)
    _set(message, "__dict__", state)
    _set(message, "__pydantic_fields_set__", _MESSAGE_FIELDS.copy())
    _set(message, "__pydantic_extra__", {})
    _set(message, "__pydantic_private__", None)
    state = _CHUNK_STATE.copy()
    state["text"] = text
    state["message"] = message
    chunk = ChatGenerationChunk.__new__(ChatGenerationChunk)
    _set(chunk, "__dict__", state)
    _set(chunk, "__pydantic_fields_set__", {"message"})
    _set(chunk, "__pydantic_extra__", None)
    _set(chunk, "__pydantic_private__", None)
    return chunk


def _construct(text, entries):
    if not entries:
        return ChatGenerationChunk(message=AIMessageChunk(content=text))
    calls = [
        tool_call_chunk(
            name=entry["function"].get("name"),
            args=entry["function"]["arguments"],
            id=entry.get("id"),
            index=entry["index"],
        )
        for entry in entries
    ]
    return ChatGenerationChunk(message=AIMessageChunk(content=text, tool_call_chunks=calls))
