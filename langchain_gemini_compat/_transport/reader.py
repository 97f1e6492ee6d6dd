"""Defines readers for whole replies, streams and errors. They turn the bytes of a response into chunks or exceptions.

A reader limits the size of the body and the time to receive it. The deadline is armed only while the reader waits for
the server, not while the caller works on a chunk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import CancelledError
from functools import partial
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat import errors
from langchain_gemini_compat._errors.pending import make_error
from langchain_gemini_compat._lazy import LazyModule
from langchain_gemini_compat._transport.decompression import (
    ACCEPTED,
    BrokenEncodingError,
    UnsupportedEncodingError,
    build_decompressor,
)
from langchain_gemini_compat._transport.error_detection import is_bare_detail, is_error_body
from langchain_gemini_compat._transport.errors import make_timeout
from langchain_gemini_compat._transport.library_errors import is_http_error, is_timeout, replace_aiohttp_error
from langchain_gemini_compat._transport.redaction import forget_secrets, hide_secret
from langchain_gemini_compat._transport.sse import MAX_REPLY_BYTES, OBJECT_BYTES, SseDecoder
from langchain_gemini_compat._wire.json_types import as_chunk, list_at
from langchain_gemini_compat._wire.surrogates import parse_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._errors.base import GeminiCompatError
    from langchain_gemini_compat._transport import server_errors
    from langchain_gemini_compat._transport.decompression import Decompressor
    from langchain_gemini_compat._transport.sending import AsyncExchange, Exchange
    from langchain_gemini_compat._transport.timeouts import TimeLimits
    from langchain_gemini_compat._wire.json_types import JsonValue, WireChunk
else:
    # `server_errors` imports openai, which is slow. So `server_errors` is imported when it is first used.
    server_errors = LazyModule("langchain_gemini_compat._transport.server_errors")

#: Maximum size of an error body in bytes. Bytes after this limit are not read.
MAX_ERROR_BYTES = 2**20
#: Only a JSON object with at least one of these keys counts as a reply. `promptFeedback` is in objects that Google
#: sends instead of a reply.
_REPLY_KEYS = ("choices", "data", "id", "model", "usage", "promptFeedback")


def build_reader(
    exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits, *, stream: bool
) -> ReplyReader:
    """Return the reader for the response of `exchange`, which is an error, a stream or a whole reply."""
    if not exchange.response.is_success:
        return ErrorReader(exchange, surface, limits)
    return (StreamReader if stream else WholeReader)(exchange, surface, limits)


class ReplyReader(ABC):
    """Base class of the readers. A reader reads one response.

    Read inside the reader's `with` block, which translates errors of the HTTP library. Call `feed` with each piece of
    the body, and `await_more` after the caller has consumed the chunks. Call `finish` at the end of the body.
    """

    def __init__(self, exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits) -> None:
        self._response = exchange.response
        self._is_raw = exchange.is_raw
        self._deadline = exchange.deadline
        self._surface: Surface = surface
        self._limits = limits
        self._decompressor: Decompressor | None = None
        #: Number of bytes that may still arrive before the size limit is exceeded.
        self._room: float = MAX_REPLY_BYTES

    def __enter__(self) -> Self:
        encoding = self._response.headers.get("content-encoding")
        # If a hook of the caller's client has read the body, `_is_raw` is false: httpx has already decompressed the
        # body.
        if encoding and self._is_raw:
            try:
                self._decompressor = build_decompressor(encoding)
            except UnsupportedEncodingError:
                sent = repr(encoding[:40])
                text = f"The server compressed the reply as {sent}. The request allows only one of these: {ACCEPTED}."
                raise self._build_unreadable(f"{text} Check `base_url` and the gateways in between.") from None
        self._deadline.arm()
        return self

    def __exit__(self, kind: object, err: BaseException | None, traceback: object) -> None:
        """Raise `RequestTimeoutError` if a deadline has passed, or `TruncatedStreamError` if the connection broke.

        At a deadline, the socket is shut down. This can look like the end of the body, so `err` may be `None`.
        """
        self._deadline.close()
        is_cancelled = self._deadline.take_back_cancellation() and isinstance(err, CancelledError)
        if err is not None and not isinstance(err, Exception) and not is_cancelled:
            return
        err = err and replace_aiohttp_error(err, self._response.request)
        limit = self._deadline.exceeded or (self._deadline.next_limit if is_timeout(err) else None)
        if limit:
            raise make_timeout(limit, self._limits) from None
        if is_http_error(err):
            forget_secrets(err)
            text = f"The connection broke while the reply was being read ({str(err) or type(err).__name__}). Ask again."
            raise make_error(lambda: errors.TruncatedStreamError(text)) from err

    def feed(self, data: bytes) -> Iterable[WireChunk]:
        """Return the chunks that `data` completes. `data` is the next piece of the body, which may be compressed."""
        self._deadline.disarm()
        if self._decompressor is None:
            return self._take(data)
        return self._decompress(self._decompressor, data)

    def await_more(self) -> None:
        """Arm the deadline again after the caller has consumed the chunks of `feed`."""
        self._deadline.arm()

    def finish(self) -> Iterator[WireChunk]:
        """Yield the chunks that the end of the body completes. If the body is an error, raise the exception for it."""
        # Stop the deadline, so that it cannot shut the connection down: the connection is back in the pool, and may
        # serve another call.
        self._deadline.close()
        if self._deadline.exceeded:
            self._stop()
        yield from self._finish()

    @abstractmethod
    def _take(self, data: bytes) -> Iterable[WireChunk]:
        """Return the chunks that end in `data`, which is decompressed. Raise an error if a limit is exceeded."""

    @abstractmethod
    def _finish(self) -> Iterator[WireChunk]:
        """Yield the last chunks, or raise the error that the body contains."""

    def _build_unreadable(self, text: str) -> Exception:
        """Return the error for a body that cannot be decompressed."""
        return make_error(lambda: errors.InvalidReplyError(text))

    def _build_too_long(self) -> Exception:
        """Return the error for a body that exceeds the size limit."""
        text = f"The reply is longer than {MAX_REPLY_BYTES} bytes and was discarded."
        return make_error(lambda: errors.InvalidReplyError(text))

    def _stop(self) -> None:
        """Raise the error for the exceeded limit, which is a time limit or the size limit."""
        if self._deadline.exceeded:
            raise make_timeout(self._deadline.exceeded, self._limits)
        raise self._build_too_long()

    def _decompress(self, decompressor: Decompressor, data: bytes) -> Iterator[WireChunk]:
        # Each received piece counts towards the size limit, even if it decompresses to nothing. Otherwise, a gzip body
        # could contain empty members without end.
        self._room -= OBJECT_BYTES
        if self._room < 0:
            self._stop()
        try:
            for piece in decompressor.feed(data):
                yield from self._take(piece)
        except BrokenEncodingError as err:
            text = f"The reply cannot be decompressed ({err}). Ask again."
            raise self._build_unreadable(text) from None

    def _check(self, value: JsonValue) -> WireChunk:
        """Return `value` if it is a chunk. If it is an error, raise the exception for that error."""
        if is_error_body(value):
            raise make_error(partial(self._translate, value))
        if not isinstance(value, dict):
            text = f"The server sent a {type(value).__name__} instead of a chunk. Ask again."
            raise make_error(lambda: errors.InvalidReplyError(text))
        return cast("WireChunk", value)

    def _translate(self, value: JsonValue) -> GeminiCompatError:
        """Return the exception for an error that the server sent with a 2xx status."""
        return server_errors.translate_value(value, self._response, self._surface)


class StreamReader(ReplyReader):
    """Reads the chunks of a stream."""

    def __init__(self, exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits) -> None:
        super().__init__(exchange, surface, limits)
        self._decoder = SseDecoder()
        #: Whether a chunk, and not only a keep-alive comment, has arrived since the deadline was armed.
        self._has_chunks = False

    def await_more(self) -> None:
        """Arm the deadline again. Chunks restart the idle timeout; keep-alive comments do not."""
        if self._has_chunks:
            self._deadline.note_chunk()
            self._has_chunks = False
        self._deadline.arm()

    def _take(self, data: bytes) -> Iterable[WireChunk]:
        self._room -= len(data)
        if self._room < 0 or self._deadline.exceeded:
            self._stop()
        decoder = self._decoder
        try:
            value = decoder.read_event(data)
        except ValueError as err:
            raise _build_not_json(err) from None
        if value is None or decoder.joiner.began:
            return self._read_all(decoder.feed(data) if value is None else (value,))
        # Here, `data` is one whole event, which is the usual case. A tuple takes less time than a generator.
        return (self._read(value),)

    def _finish(self) -> Iterator[WireChunk]:
        # The end of the compressed data is not checked, because `[DONE]` or a finish reason shows that the stream is
        # complete.
        yield from self._read_all(self._decoder.finish())
        try:
            yield from map(self._read, self._decoder.joiner.finish())
        except ValueError as err:
            raise _build_not_json(err) from None

    def _read_all(self, values: Iterable[JsonValue]) -> Iterator[WireChunk]:
        joiner = self._decoder.joiner
        try:
            for value in values:
                if joiner.began:
                    yield from map(self._read, joiner.join(value))
                else:
                    yield self._read(value)
        except ValueError as err:
            raise _build_not_json(err) from None

    def _read(self, value: JsonValue) -> WireChunk:
        wire = self._check(value)
        self._has_chunks = True
        # If a server cannot stream, it sends a whole reply instead.
        return as_chunk(wire) if _is_whole(wire) else wire


class _BodyReader(ReplyReader):
    """Base class of the readers that collect the whole body."""

    def __init__(self, exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits) -> None:
        super().__init__(exchange, surface, limits)
        self._pieces: list[bytes] = []

    def __exit__(self, kind: object, err: BaseException | None, traceback: object) -> None:
        # Free the body now, because the traceback of an error keeps this reader alive.
        self._pieces = []
        super().__exit__(kind, err, traceback)

    def _take(self, data: bytes) -> Iterable[WireChunk]:
        self._pieces.append(data)
        self._room -= len(data) + OBJECT_BYTES
        if self._room < 0 or self._deadline.exceeded:
            self._stop()
        return ()


class WholeReader(_BodyReader):
    """Reads a whole reply as one chunk."""

    def _finish(self) -> Iterator[WireChunk]:
        if self._decompressor is not None:
            try:
                self._decompressor.finish()
            except BrokenEncodingError as err:
                text = f"The reply was cut ({err}). Ask again."
                raise make_error(lambda: errors.TruncatedStreamError(text)) from None
        yield self._read(b"".join(self._pieces))

    def _read(self, content: bytes) -> WireChunk:
        try:
            value = parse_whole(content)
        except ValueError:
            if content.lstrip().startswith(b"{"):
                text = f"The reply is not complete JSON: {self._quote(content)}. Ask again."
            else:
                text = f"The server answered with something that is not JSON: {self._quote(content)}. Check `base_url`."
            raise make_error(lambda: errors.InvalidReplyError(text)) from None
        if is_bare_detail(value):
            raise make_error(partial(self._translate_detail, value, content))
        wire = self._check(value)
        if wire.keys().isdisjoint(_REPLY_KEYS):
            raise make_error(partial(self._build_no_reply, content))
        return as_chunk(wire)

    def _translate_detail(self, value: JsonValue, content: bytes) -> GeminiCompatError:
        """Return the exception for `{"detail": "…"}`.

        If the text does not show what is wrong, the exception says that the answer is not a reply of this API.
        """
        error = self._translate(value)
        return self._build_no_reply(content) if isinstance(error, errors.ServerError) else error

    def _build_no_reply(self, content: bytes) -> errors.InvalidReplyError:
        text = f"The server's answer is not a reply of this API: {self._quote(content)}. Check `base_url`."
        return errors.InvalidReplyError(text)

    def _quote(self, content: bytes) -> str:
        """Return the first 200 bytes of `content` for a message, without the secrets of the request."""
        return repr(hide_secret(self._response.request, content)[:200].decode(errors="replace"))


class ErrorReader(_BodyReader):
    """Reads the body of a response with an error status, and raises the exception for it."""

    def __init__(self, exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits) -> None:
        super().__init__(exchange, surface, limits)
        self._room = MAX_ERROR_BYTES

    def _finish(self) -> Iterator[WireChunk]:
        raise self._build_error()

    def _build_too_long(self) -> Exception:
        return self._build_error()

    def _build_unreadable(self, text: str) -> Exception:
        if self._decompressor is None:
            # The error would quote the body, but the encoding of this body is not supported. So quote `text` instead.
            self._pieces = [text.encode()]
        return self._build_error()

    def _build_error(self) -> Exception:
        response, content, surface = self._response, b"".join(self._pieces), self._surface
        return make_error(lambda: server_errors.translate_response(response, content, surface))


def _build_not_json(err: ValueError) -> GeminiCompatError:
    text = f"The stream contains an event that is not JSON ({err}). Ask again."
    return make_error(lambda: errors.InvalidReplyError(text))


def _is_whole(wire: WireChunk) -> bool:
    """Return whether `wire` is a whole reply and not a chunk of a stream."""
    if wire.get("object") == "chat.completion.chunk":
        return False
    if wire.get("object") == "chat.completion":
        return True
    return any(isinstance(choice, dict) and "message" in choice for choice in list_at(wire, "choices"))
