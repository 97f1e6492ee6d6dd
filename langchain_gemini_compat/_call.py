"""One call, from the request to LangChain's result: send, decode, and try again where that helps.

The functions differ in their loops alone; whatever is decided is decided by `Tries` and `ReplyDecoder`.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from langchain_core.outputs import ChatResult

from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from langchain_core.messages import AIMessage

    from langchain_gemini_compat._request.build import Request
    from langchain_gemini_compat._transport.client import Transport
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import JsonObject, WireChunk

    Decode: TypeAlias = Callable[[WireChunk, Tries], "_Whole"]


_Whole = TypeVar("_Whole")
_Piece = TypeVar("_Piece")
_Piece_co = TypeVar("_Piece_co", covariant=True)


class Decoder(Protocol[_Piece_co]):
    """What makes pieces of a stream for LangChain: chunks of a message, or events."""

    def feed(self, wire: WireChunk) -> Iterable[_Piece_co]:
        """The pieces that `wire` gives."""
        ...

    def finish(self) -> Iterable[_Piece_co]:
        """The last pieces; raises where the reply is none."""
        ...

    def keeping_partial(self) -> AbstractContextManager[None]:
        """Around reading: an error leaves what had come by then in `partial`."""
        ...


def ask(
    model: str,
    payload: JsonObject,
    transport: Transport,
    decode: Decode[_Whole],
    *,
    deadline: float | None = None,
) -> _Whole:
    """What `decode` makes of the whole reply to `payload`.

    A request that is a part of a larger call has the `deadline` of that, by the monotonic clock.
    """
    tries = transport.begin(model)
    tries.deadline = tries.deadline if deadline is None else deadline
    while True:
        tries.wait()
        try:
            return decode(transport.complete(payload, tries), tries)
        except GeminiCompatError as err:
            if tries.record_failure(err) is None:
                raise


async def aask(
    model: str,
    payload: JsonObject,
    transport: Transport,
    decode: Decode[_Whole],
    *,
    deadline: float | None = None,
) -> _Whole:
    """`ask`, async."""
    tries = transport.begin(model)
    tries.deadline = tries.deadline if deadline is None else deadline
    while True:
        await tries.await_turn()
        try:
            return decode(await transport.acomplete(payload, tries), tries)
        except GeminiCompatError as err:
            if tries.record_failure(err) is None:
                raise


def complete(request: Request, transport: Transport) -> ChatResult:
    """The whole reply to `request`."""
    return ask(request.endpoint.model, request.payload, transport, partial(_decode_reply, request))


async def acomplete(request: Request, transport: Transport) -> ChatResult:
    """`complete`, async."""
    return await aask(request.endpoint.model, request.payload, transport, partial(_decode_reply, request))


def stream(
    request: Request, transport: Transport, open_decoder: Callable[[Request, Tries], Decoder[_Piece]]
) -> Generator[_Piece]:
    """The pieces of the reply to `request`. Closing the generator closes the connection."""
    tries = transport.begin(request.endpoint.model)
    while True:
        tries.wait()
        decoder = open_decoder(request, tries)
        try:
            with decoder.keeping_partial(), closing(transport.stream(request.payload, tries)) as wires:
                for wire in wires:
                    for piece in decoder.feed(wire):
                        tries.mark_delivered()
                        yield piece
                for piece in decoder.finish():
                    tries.mark_delivered()
                    yield piece
        except GeminiCompatError as err:
            if tries.record_failure(err) is None:
                raise
        else:
            return


async def astream(
    request: Request,
    open_transport: Callable[[], Awaitable[Transport]],
    open_decoder: Callable[[Request, Tries], Decoder[_Piece]],
) -> AsyncGenerator[_Piece]:
    """`stream`, async; the transport is opened at the first step, since what returns this cannot wait."""
    transport = await open_transport()
    tries = transport.begin(request.endpoint.model)
    while True:
        await tries.await_turn()
        decoder = open_decoder(request, tries)
        try:
            with decoder.keeping_partial():
                async with aclosing(transport.astream(request.payload, tries)) as wires:
                    async for wire in wires:
                        for piece in decoder.feed(wire):
                            tries.mark_delivered()
                            yield piece
                for piece in decoder.finish():
                    tries.mark_delivered()
                    yield piece
        except GeminiCompatError as err:
            if tries.record_failure(err) is None:
                raise
        else:
            return


def _decode_reply(request: Request, wire: WireChunk, tries: Tries) -> ChatResult:
    """Every choice that was asked for; a reply without any is decoded too, so that it raises by name."""
    asked = request.payload.get("n")
    count = max(1, min(len(wire.get("choices") or ()), asked if isinstance(asked, int) else 1))
    # One message was requested, so several choices are parts of it.
    choices = range(count) if isinstance(asked, int) and asked > 1 else (None,)
    generations = [ReplyDecoder(request, tries, choice=choice).decode_whole(wire) for choice in choices]
    tries.mark_delivered()
    # Tokens are counted for the reply, not for each choice of it.
    for generation in generations[1:]:
        cast("AIMessage", generation.message).usage_metadata = None
    return ChatResult(generations=generations)
