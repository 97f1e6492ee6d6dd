"""The hooks by which LangChain calls a chat model, each one call of `_run`; sync and async, whole and in pieces."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import aclosing, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.language_models._compat_bridge import achunks_to_events, chunks_to_events
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_gemini_compat import _run
from langchain_gemini_compat._decode import ReplyDecoder
from langchain_gemini_compat._protocol import CORE_TAKES_PIECES, EventDecoder, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_protocol.protocol import MessagesData

    from langchain_gemini_compat._payload import Request
    from langchain_gemini_compat._transport import Transport


class ModelCalls(BaseChatModel):
    """A chat model that builds requests and opens a transport; what it is called with is the rest."""

    @abstractmethod
    def _build(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any], *, stream: bool
    ) -> Request: ...

    @abstractmethod
    def _open_transport(self) -> Transport: ...

    @abstractmethod
    async def _aopen_transport(self) -> Transport: ...

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _run.complete(self._build(messages, stop, kwargs, stream=False), self._open_transport())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._build(messages, stop, kwargs, stream=False)
        return await _run.acomplete(request, await self._aopen_transport())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        # No generator of its own: each one costs as much as decoding a piece of text.
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _run.stream(request, self._open_transport(), ReplyDecoder)
        return _tell_tokens(chunks, run_manager) if run_manager else chunks

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = self._build(messages, stop, kwargs, stream=True)
        chunks = _run.astream(request, self._aopen_transport, ReplyDecoder)
        return _atell_tokens(chunks, run_manager) if run_manager else chunks

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[MessagesData]:
        """For `stream_events(version="v3")`; langchain-core looks it up by its name."""
        if not CORE_TAKES_PIECES:
            chunks = self._stream(messages, stop=stop, run_manager=run_manager, **kwargs)
            yield from chunks_to_events(chunks, message_id=_message_id(run_manager))
            return
        request = self._build(messages, stop, kwargs, stream=True)
        open_decoder = partial(EventDecoder, message_id=_message_id(run_manager))
        with closing(_run.stream(request, self._open_transport(), open_decoder)) as events:
            for event in events:
                token = text_of(event)
                if token and run_manager:
                    run_manager.on_llm_new_token(token)
                yield event

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[MessagesData]:
        if not CORE_TAKES_PIECES:
            chunks = self._astream(messages, stop=stop, run_manager=run_manager, **kwargs)
            async for event in achunks_to_events(chunks, message_id=_message_id(run_manager)):
                yield event
            return
        request = self._build(messages, stop, kwargs, stream=True)
        open_decoder = partial(EventDecoder, message_id=_message_id(run_manager))
        async with aclosing(_run.astream(request, self._aopen_transport, open_decoder)) as events:
            async for event in events:
                token = text_of(event)
                if token and run_manager:
                    await run_manager.on_llm_new_token(token)
                yield event


def _tell_tokens(
    chunks: Generator[ChatGenerationChunk], run_manager: CallbackManagerForLLMRun
) -> Generator[ChatGenerationChunk]:
    # Leaving the loop closes the connection at once, and does not wait for the garbage collector.
    with closing(chunks):
        for chunk in chunks:
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def _atell_tokens(
    chunks: AsyncGenerator[ChatGenerationChunk], run_manager: AsyncCallbackManagerForLLMRun
) -> AsyncGenerator[ChatGenerationChunk]:
    async with aclosing(chunks):
        async for chunk in chunks:
            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _message_id(run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None) -> str:
    """The id that langchain-core gives a message that brings none."""
    return f"{LC_ID_PREFIX}-{run_manager.run_id}" if run_manager else ""
