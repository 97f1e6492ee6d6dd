"""Runs one call: sends the request, decodes the reply, and retries after retryable errors.

`Tries` decides whether to retry. `ReplyDecoder` decides whether a reply is usable.

Errors are handled after the `except` block, and not inside it. Inside, Python would set a `PendingError` as the
`__context__` of the error that replaces it. So the block only appends the error to the list `caught`. `caught.pop()`
removes it again, because otherwise the list and the error's traceback would refer to each other.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from langchain_core.outputs import ChatResult

from langchain_gemini_compat._errors.base import GeminiCompatError
from langchain_gemini_compat._errors.pending import acomplete_error, complete_error
from langchain_gemini_compat._request.repair import Repair
from langchain_gemini_compat._response.message_chunks import ReplyDecoder
from langchain_gemini_compat._response.usage_metadata import build_llm_output

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
    from contextlib import AbstractContextManager

    from langchain_core.messages import AIMessage
    from langchain_core.rate_limiters import BaseRateLimiter

    from langchain_gemini_compat._request.build import Request
    from langchain_gemini_compat._transport.client import Transport
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import WireChunk

    Decode: TypeAlias = Callable[[WireChunk, Tries], "_Reply"]


_Reply = TypeVar("_Reply")
_Piece = TypeVar("_Piece")
_Piece_co = TypeVar("_Piece_co", covariant=True)


class Decoder(Protocol[_Piece_co]):
    """Decodes a streamed reply to pieces for LangChain: message chunks or v3 events."""

    def feed(self, wire: WireChunk) -> Iterable[_Piece_co]:
        """Return the message chunks or v3 events for one chunk from the server."""
        ...

    def finish(self) -> Iterable[_Piece_co]:
        """Return the last message chunks or v3 events of the reply. Raise an error if the reply is not usable."""
        ...

    def keeping_partial(self) -> AbstractContextManager[None]:
        """Return a context manager that sets `partial` of a raised error to the text received so far."""
        ...


def ask(
    model: str,
    repair: Repair,
    transport: Transport,
    decode: Decode[_Reply],
    *,
    deadline: float | None = None,
    keeps_headers: bool = False,
    request_headers: Mapping[str, str] | None = None,
    rate_limiter: BaseRateLimiter | None = None,
) -> _Reply:
    """Send the payload of `repair` and return the whole reply, decoded by `decode`.

    Args:
        model: Name of the model, for its rate gate.
        repair: Contains the body of the request, and changes the body if the server refuses an optional part.
        transport: Sends the request.
        decode: Function that decodes the reply. If the function raises a retryable error, the request is sent again.
        deadline: Time at which the call ends, in seconds of the monotonic clock. Set it if the request is part of a
            larger call. Default: the `total` limit of the transport.
        keeps_headers: Whether the headers of the response are kept for `decode`.
        request_headers: Headers of this call's requests, besides those of the transport.
        rate_limiter: The rate limiter to ask before each retry. LangChain asks it before the first try.

    Returns:
        The decoded reply.

    Raises:
        GeminiCompatError: If the last try fails.
    """
    tries = transport.begin(
        model, keeps_headers=keeps_headers, request_headers=request_headers, rate_limiter=rate_limiter
    )
    tries.deadline = tries.deadline if deadline is None else deadline
    tries.on_delivered = repair.confirm
    caught: list[GeminiCompatError] = []
    while True:
        tries.wait()
        try:
            return decode(transport.complete(repair.payload, tries), tries)
        except GeminiCompatError as err:
            caught.append(err)
        _prepare_next(repair, tries, complete_error(caught.pop()))


async def aask(
    model: str,
    repair: Repair,
    transport: Transport,
    decode: Decode[_Reply],
    *,
    deadline: float | None = None,
    keeps_headers: bool = False,
    request_headers: Mapping[str, str] | None = None,
    rate_limiter: BaseRateLimiter | None = None,
) -> _Reply:
    """Async version of `ask`."""
    tries = transport.begin(
        model, keeps_headers=keeps_headers, request_headers=request_headers, rate_limiter=rate_limiter
    )
    tries.deadline = tries.deadline if deadline is None else deadline
    tries.on_delivered = repair.confirm
    caught: list[GeminiCompatError] = []
    while True:
        await tries.await_turn()
        try:
            return decode(await transport.acomplete(repair.payload, tries), tries)
        except GeminiCompatError as err:
            caught.append(err)
        _prepare_next(repair, tries, await acomplete_error(caught.pop()))


def complete(request: Request, transport: Transport, rate_limiter: BaseRateLimiter | None) -> ChatResult:
    """Send `request` and return the whole reply."""
    repair = _build_repair(request)
    decode = partial(_decode_reply, request, repair)
    return ask(
        request.endpoint.name,
        repair,
        transport,
        decode,
        keeps_headers=request.includes_headers,
        request_headers=request.headers,
        rate_limiter=rate_limiter,
    )


async def acomplete(request: Request, transport: Transport, rate_limiter: BaseRateLimiter | None) -> ChatResult:
    """Async version of `complete`."""
    repair = _build_repair(request)
    decode = partial(_decode_reply, request, repair)
    return await aask(
        request.endpoint.name,
        repair,
        transport,
        decode,
        keeps_headers=request.includes_headers,
        request_headers=request.headers,
        rate_limiter=rate_limiter,
    )


def stream(
    request: Request,
    transport: Transport,
    open_decoder: Callable[[Request, Tries], Decoder[_Piece]],
    rate_limiter: BaseRateLimiter | None,
) -> Generator[_Piece]:
    """Send `request` and yield the pieces of the streamed reply. Closing the generator closes the connection."""
    tries = transport.begin(
        request.endpoint.name,
        keeps_headers=request.includes_headers,
        request_headers=request.headers,
        rate_limiter=rate_limiter,
    )
    repair = _build_repair(request)
    tries.on_delivered = repair.confirm
    caught: list[GeminiCompatError] = []
    while True:
        tries.wait()
        decoder = open_decoder(_repaired(request, repair), tries)
        try:
            with decoder.keeping_partial(), closing(transport.stream(repair.payload, tries)) as wires:
                for wire in wires:
                    for piece in decoder.feed(wire):
                        tries.mark_delivered()
                        yield piece
                for piece in decoder.finish():
                    tries.mark_delivered()
                    yield piece
        except GeminiCompatError as err:
            caught.append(err)
        else:
            return
        _prepare_next(repair, tries, complete_error(caught.pop()))


async def astream(
    request: Request,
    open_transport: Callable[[], Awaitable[Transport]],
    open_decoder: Callable[[Request, Tries], Decoder[_Piece]],
    rate_limiter: BaseRateLimiter | None,
) -> AsyncGenerator[_Piece]:
    """Async version of `stream`. `open_transport` is awaited here, because the calling function is not async."""
    transport = await open_transport()
    tries = transport.begin(
        request.endpoint.name,
        keeps_headers=request.includes_headers,
        request_headers=request.headers,
        rate_limiter=rate_limiter,
    )
    repair = _build_repair(request)
    tries.on_delivered = repair.confirm
    caught: list[GeminiCompatError] = []
    while True:
        await tries.await_turn()
        decoder = open_decoder(_repaired(request, repair), tries)
        try:
            with decoder.keeping_partial():
                async with aclosing(transport.astream(repair.payload, tries)) as wires:
                    async for wire in wires:
                        for piece in decoder.feed(wire):
                            tries.mark_delivered()
                            yield piece
                for piece in decoder.finish():
                    tries.mark_delivered()
                    yield piece
        except GeminiCompatError as err:
            caught.append(err)
        else:
            return
        _prepare_next(repair, tries, await acomplete_error(caught.pop()))


def _build_repair(request: Request) -> Repair:
    return Repair(request.payload, request.endpoint, strict=request.is_strict, headers=request.headers)


def _repaired(request: Request, repair: Repair) -> Request:
    """Return `request`, or a copy of it with the changes of `repair` if there are any."""
    return request.with_changes(repair.payload, repair.headers, repair.notes) if repair.notes else request


def _prepare_next(repair: Repair, tries: Tries, error: GeminiCompatError) -> None:
    """Count the failed try. Return if the request is to be sent again; otherwise raise `error`.

    If the server refused an optional part of the request, `repair` can remove or adjust this part for the next request.
    """
    try:
        if tries.record_failure(error) is None and not repair.try_change(error, tries):
            repair.add_context(error)
            raise error
    finally:
        # The error's traceback refers to this frame. Deleting `error` breaks the reference cycle.
        del error


def _decode_reply(request: Request, repair: Repair, wire: WireChunk, tries: Tries) -> ChatResult:
    """Return the messages of a whole reply, at most as many as requested. A reply without choices raises an error."""
    request = _repaired(request, repair)
    asked = request.payload.get("n")
    count = max(1, min(len(wire.get("choices") or ()), asked if isinstance(asked, int) else 1))
    # If the request asked for one message, all choices are read as one message. `None` means all choices.
    choices = range(count) if isinstance(asked, int) and asked > 1 else (None,)
    generations = [ReplyDecoder(request, tries, choice=choice).decode_whole(wire) for choice in choices]
    tries.mark_delivered()
    # The server reports the tokens of all messages together. Only the first message keeps them, so that they are
    # counted once.
    for message in (cast("AIMessage", generation.message) for generation in generations[1:]):
        message.usage_metadata = None
        message.response_metadata.pop("token_usage", None)
    llm_output = build_llm_output(generations[0].message.response_metadata)
    return ChatResult(generations=generations, llm_output=llm_output)
