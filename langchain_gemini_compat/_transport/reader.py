"""Bytes of a reply to wire chunks, within the limits of time and size; what is no chunk raises.

Its one rule: the clock runs while we wait for the server, and stands while the caller looks at a chunk.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._errors import api as errors
from langchain_gemini_compat._transport.decompression import (
    ACCEPTED,
    BrokenEncodingError,
    UnsupportedEncodingError,
    build_decompressor,
)
from langchain_gemini_compat._transport.error_bodies import is_error_body, is_text_alone
from langchain_gemini_compat._transport.errors import build_timeout, is_http_error, is_timeout, translate_response
from langchain_gemini_compat._transport.redaction import forget_secrets, hide_secret
from langchain_gemini_compat._transport.sse import SseDecoder
from langchain_gemini_compat._wire.json_types import as_chunk, list_at
from langchain_gemini_compat._wire.surrogates import parse_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from langchain_gemini_compat._catalog.surfaces import Surface
    from langchain_gemini_compat._transport.decompression import Decompressor
    from langchain_gemini_compat._transport.sending import AsyncExchange, Exchange
    from langchain_gemini_compat._transport.timeouts import TimeLimits
    from langchain_gemini_compat._wire.json_types import JsonValue, WireChunk

#: Nothing that a chat model says is that long; a server that does not end is cut off here.
MAX_REPLY_BYTES = 64 * 2**20
#: Some of these are in every reply, and in whatever Google answers instead of one.
_REPLY_KEYS = ("choices", "data", "id", "model", "usage", "promptFeedback")
#: What Python needs to keep a piece, beside its bytes.
_PIECE = 64
#: Of what a server says when it refuses, so much is read.
MAX_ERROR_BYTES = 2**20


class ReplyReader:
    """The reader of one reply, streamed, whole or refused.

    A context manager around reading: what the HTTP library raises inside comes out as ours.
    """

    def __init__(
        self, exchange: Exchange | AsyncExchange, surface: Surface, limits: TimeLimits, *, stream: bool
    ) -> None:
        response = exchange.response
        self._response = response
        self._is_raw = exchange.is_raw
        self._surface: Surface = surface
        self._limits = limits
        self._decoder = SseDecoder() if stream and response.is_success else None
        #: Whether chunks came since the server was waited for.
        self._came = False
        #: The body so far, where it is read as a whole.
        self._pieces: list[bytes] = []
        self._room = MAX_REPLY_BYTES if response.is_success else MAX_ERROR_BYTES
        self._decompressor: Decompressor | None = None
        self._watch = exchange.watch

    def __enter__(self) -> Self:
        encoding = self._response.headers.get("content-encoding")
        # Hooks of the caller's client may have read the body already: then it is decompressed.
        if encoding and self._is_raw:
            self._prepare_decompressor(encoding)
        self._watch.begin_wait()
        return self

    def _prepare_decompressor(self, encoding: str) -> None:
        try:
            self._decompressor = build_decompressor(encoding)
        except UnsupportedEncodingError:
            said = repr(encoding[:40])
            text = f"The server compressed the reply as {said}; the request allows {ACCEPTED}, once."
            self._pieces = [text.encode()]
            raise self._refuse_body(f"{text} Check `base_url` and the gateways on the way.") from None

    def _refuse_body(self, text: str) -> Exception:
        """Return the error for a body that cannot be read: the status of a refusal says enough."""
        return errors.InvalidReplyError(text) if self._response.is_success else self._refusal()

    def __exit__(self, kind: object, err: BaseException | None, traceback: object) -> None:
        """A socket that was shut ends the reply, with an error or without."""
        self._watch.close()
        # The traceback of an error holds this reader for as long as somebody holds the error.
        self._pieces = []
        if err is not None and not isinstance(err, Exception):
            return
        broken = self._watch.broken or (self._watch.nearest if is_timeout(err) else None)
        if broken:
            raise build_timeout(broken, self._limits) from None
        if is_http_error(err):
            forget_secrets(err)
            text = f"The connection broke while the reply was being read ({str(err) or type(err).__name__}). Ask again."
            raise errors.TruncatedStreamError(text) from err

    def feed(self, data: bytes) -> Iterable[WireChunk]:
        """The chunks that the next piece, as it was sent, makes whole."""
        self._watch.end_wait()
        if self._decompressor is not None:
            return self._decompress(self._decompressor, data)
        # As in `_take`, without another call for each piece.
        self._room -= len(data)
        if self._decoder is None or self._room < 0 or self._watch.broken:
            return self._keep(data)
        return self._read_piece(self._decoder, data)

    def _decompress(self, decompressor: Decompressor, data: bytes) -> Iterator[WireChunk]:
        # A gzip file may have any number of empty members.
        self._room -= _PIECE
        if self._room < 0:
            self._stop()
        try:
            for piece in decompressor.feed(data):
                yield from self._take(piece)
        except BrokenEncodingError as err:
            raise self._refuse_body(f"The server compressed the reply wrongly ({err}). Ask again.") from None

    def _take(self, data: bytes) -> Iterable[WireChunk]:
        self._room -= len(data)
        if self._decoder is None or self._room < 0 or self._watch.broken:
            return self._keep(data)
        return self._read_piece(self._decoder, data)

    def _keep(self, data: bytes) -> tuple[()]:
        """Keep a piece of a reply that is read as a whole; raises where a limit is broken."""
        if self._decoder is None:
            self._room -= _PIECE
            self._pieces.append(data)
        if self._watch.broken or self._room < 0:
            self._stop()
        return ()

    def await_more(self) -> None:
        """What `feed` gave is taken; the server's time runs again."""
        if self._came:
            self._watch.note_chunk()
            self._came = False
        self._watch.begin_wait()

    def finish(self) -> Iterator[WireChunk]:
        """The chunk that the end makes whole; raises what the server said where it refused."""
        # The connection is back in its pool: whoever has it next is not watched by us.
        self._watch.close()
        if self._watch.broken:
            self._stop()
        if not self._response.is_success:
            raise self._refusal()
        self._check_end()
        if self._decoder is None:
            yield self._read_whole(b"".join(self._pieces))
        else:
            yield from self._read_all(self._decoder, self._decoder.finish())
            yield from self._finish_joining(self._decoder)

    def _check_end(self) -> None:
        """Raise `TruncatedStreamError` if the compressed body of a whole reply was cut.

        A stream has its own end, `[DONE]` or a finish reason.
        """
        if self._decompressor is None or self._decoder is not None:
            return
        try:
            self._decompressor.finish()
        except BrokenEncodingError as err:
            raise errors.TruncatedStreamError(f"The reply was cut ({err}). Ask again.") from None

    def _stop(self) -> None:
        if self._watch.broken:
            raise build_timeout(self._watch.broken, self._limits)
        if not self._response.is_success:
            raise self._refusal()
        raise errors.InvalidReplyError(f"The reply is longer than {MAX_REPLY_BYTES} bytes. Nothing of it is kept.")

    def _refusal(self) -> Exception:
        return translate_response(self._response, b"".join(self._pieces), self._surface)

    def _read_whole(self, content: bytes) -> WireChunk:
        try:
            value = parse_whole(content)
        except ValueError:
            if content.lstrip().startswith(b"{"):
                text = f"The reply is not complete JSON: {self._quote(content)}. Ask again."
            else:
                text = f"The server answered with something that is not JSON: {self._quote(content)}. Check `base_url`."
            raise errors.InvalidReplyError(text) from None
        try:
            wire = self._check(value)
        except errors.ServerError:
            if not is_text_alone(value):
                raise
            # A text without a code, with status 200: most likely another server than the one that was meant.
            wire = cast("WireChunk", {})
        if wire.keys().isdisjoint(_REPLY_KEYS):
            text = f"The server's answer is no reply of this API: {self._quote(content)}. Check `base_url`."
            raise errors.InvalidReplyError(text)
        return as_chunk(wire)

    def _quote(self, content: bytes) -> str:
        """The beginning of what the server said, without the key, should it repeat it."""
        return repr(hide_secret(self._response.request, content)[:200].decode(errors="replace"))

    def _read_piece(self, decoder: SseDecoder, data: bytes) -> Iterable[WireChunk]:
        try:
            value = decoder.read_event(data)
        except ValueError as err:
            raise _not_json(err) from None
        if value is None or decoder.joiner.began:
            return self._read_all(decoder, decoder.feed(data) if value is None else (value,))
        # One event in one piece is what most servers send: no generator for that.
        return (self._read(value),)

    def _finish_joining(self, decoder: SseDecoder) -> Iterator[WireChunk]:
        try:
            yield from map(self._read, decoder.joiner.finish())
        except ValueError as err:
            raise _not_json(err) from None

    def _read_all(self, decoder: SseDecoder, values: Iterable[JsonValue]) -> Iterator[WireChunk]:
        try:
            for value in values:
                if decoder.joiner.began:
                    yield from map(self._read, decoder.joiner.join(value))
                else:
                    yield self._read(value)
        except ValueError as err:
            raise _not_json(err) from None

    def _read(self, value: JsonValue) -> WireChunk:
        wire = self._check(value)
        self._came = True
        # A server that does not stream answers a request for a stream with a whole reply.
        return as_chunk(wire) if _is_whole(wire) else wire

    def _check(self, value: JsonValue) -> WireChunk:
        if is_error_body(value):
            raise translate_response(self._response, json.dumps(value).encode(), self._surface)
        if not isinstance(value, dict):
            text = f"The server sent a {type(value).__name__} where a chunk belongs. Ask again."
            raise errors.InvalidReplyError(text)
        return cast("WireChunk", value)


def _not_json(err: ValueError) -> errors.InvalidReplyError:
    return errors.InvalidReplyError(f"The stream holds something that is not JSON ({err}). Ask again.")


def _is_whole(wire: WireChunk) -> bool:
    if wire.get("object") == "chat.completion.chunk":
        return False
    if wire.get("object") == "chat.completion":
        return True
    return any(isinstance(choice, dict) and "message" in choice for choice in list_at(wire, "choices"))
