"""A chat model without a network: it builds only the objects that LangChain requires of every chat model."""

from typing import Any

import replies
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class FloorChat(BaseChatModel):
    model_name: str
    api_key: str
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
            yield _chunk(text, entries)

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        for text, entries in self.pieces:
            yield _chunk(text, entries)


def _chunk(text, entries):
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
