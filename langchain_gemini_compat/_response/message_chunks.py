"""Turns the events of a reply into LangChain chunks and messages, and raises an error for an unusable reply.

LangChain adds chunks: it concatenates strings and sums numbers. If two chunks had the same name, signature or token
count, the sum would contain that value twice. So each of these values is set in one chunk only. Usage and metadata are
set in the last chunk.

- `ReplyDecoder` decodes one choice: `feed` and `finish` for a stream, `decode_whole` for a whole reply.
- `Parts` collects the events of one wire chunk. `v3_events` also uses `Parts`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import add_usage
from langchain_core.messages.tool import invalid_tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from typing_extensions import TypedDict

from langchain_gemini_compat import errors
from langchain_gemini_compat._catalog.models import bare_model_name
from langchain_gemini_compat._errors.pending import make_error
from langchain_gemini_compat._response.assembler import StreamAssembler
from langchain_gemini_compat._response.block_translator import media_index
from langchain_gemini_compat._response.chunk_builder import build_chunk, read_calls
from langchain_gemini_compat._response.events import (
    CallExtras,
    Finished,
    MediaSeen,
    RefusalDelta,
    TextDelta,
    ThoughtDelta,
    ToolCallDelta,
)
from langchain_gemini_compat._response.finish_reasons import to_core_reason
from langchain_gemini_compat._response.usage_metadata import build_token_usage, build_usage_metadata
from langchain_gemini_compat._schema.arguments import describe_changes, repair_arguments_text
from langchain_gemini_compat._signatures import attach_call_extras, attach_reply_extras, build_origin
from langchain_gemini_compat._wire.json_types import list_at
from langchain_gemini_compat._wire.provider import PROVIDER
from langchain_gemini_compat._wire.unknown_fields import MAX_KEPT, MAX_KEYS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from langchain_core.messages import InvalidToolCall, ToolCall
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.messages.tool import ToolCallChunk

    from langchain_gemini_compat._response.events import Event
    from langchain_gemini_compat._response.options import ReplyOptions
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import JsonObject, WireChunk


#: Prefix of the arguments of an invalid call in a chunk. Without this prefix, langchain-core would complete partial
#: JSON and build a valid call from it. A no-break space is not JSON, and `str.strip` removes it.
_NO_JSON = "\u00a0"
#: Maximum number of entries in the list `repairs` of a message's metadata. Without a limit, the list could be long,
#: since each keyword that is removed from a schema adds an entry. Every message of a history keeps its own list.
_MOST_REPAIRS = 20
#: Maximum number of invalid calls whose names an error message lists.
_MOST_NAMES = 5


class _MessageFields(TypedDict):
    """The fields of a finished message, as arguments of LangChain's constructors."""

    content: str | list[str | dict[str, object]]
    additional_kwargs: JsonObject
    response_metadata: dict[str, object]
    tool_calls: list[ToolCall]
    invalid_tool_calls: list[InvalidToolCall]
    usage_metadata: UsageMetadata | None


@dataclass(slots=True)
class Parts:
    """The content of one wire chunk. `first_medium` is the number of images and sounds in earlier chunks."""

    first_medium: int = 0
    text: list[str] = field(default_factory=list)
    media: list[dict[str, object]] = field(default_factory=list)
    kwargs: JsonObject = field(default_factory=dict)
    calls: dict[int, ToolCallChunk] = field(default_factory=dict)
    #: The numbers of the calls whose arguments are complete after this chunk.
    complete_calls: frozenset[int] = frozenset()
    #: The invalid tool calls, if `invalid_tool_calls` is `"keep"`.
    invalid: list[InvalidToolCall] = field(default_factory=list)

    def add(self, event: TextDelta | ThoughtDelta | RefusalDelta | ToolCallDelta | MediaSeen) -> None:
        """Add the content of `event`."""
        match event:
            case TextDelta():
                self.text.append(event.text)
            case ThoughtDelta():
                self.kwargs["reasoning_content"] = f"{self.kwargs.get('reasoning_content', '')}{event.text}"
            case RefusalDelta():
                self.kwargs["refusal"] = f"{self.kwargs.get('refusal', '')}{event.text}"
            case ToolCallDelta():
                self._add_call(event)
            case MediaSeen():
                self.media.append(_media_block(event, self.first_medium + len(self.media)))

    def _add_call(self, delta: ToolCallDelta) -> None:
        """Add `delta` to its call. If `calls` already has a piece of this call, append the arguments to that piece."""
        if delta.is_complete:
            self.complete_calls |= {delta.index}
        elif self.complete_calls:
            self.complete_calls -= {delta.index}
        known = self.calls.get(delta.index)
        if known is not None:
            known["args"] = f"{known['args']}{delta.args}"
        else:
            self.calls[delta.index] = tool_call_chunk(name=delta.name, args=delta.args, id=delta.id, index=delta.index)

    def merge_kwargs(self, kept: JsonObject) -> None:
        """Merge `kept` into `kwargs`. If both have a dict under the same key, merge the two dicts."""
        for key, value in kept.items():
            old = self.kwargs.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                old.update(value)
            else:
                self.kwargs[key] = value

    def has_content(self) -> bool:
        """Return whether these parts have any content."""
        return bool(self.text or self.media or self.kwargs or self.calls or self.invalid)

    def list_call_chunks(self) -> list[ToolCallChunk]:
        """Return the chunks of all calls. Invalid calls are marked with `_NO_JSON`."""
        return [
            *self.calls.values(),
            *(
                tool_call_chunk(name=call["name"], args=f"{_NO_JSON}{call['args']}", id=call["id"], index=None)
                for call in self.invalid
            ),
        ]

    def read_calls(self, end: Finished) -> tuple[list[ToolCall], list[InvalidToolCall]]:
        """Return the valid and the invalid calls of a whole message.

        If an invalid call makes the whole reply unusable, all calls are returned as invalid, and no arguments are
        parsed.
        """
        calls = [*self.calls.values()]
        if end.invalid and not self.invalid:
            return [], [invalid_tool_call(name=c["name"], args=c["args"], id=c["id"], error=None) for c in calls]
        valid, invalid = read_calls(calls)
        return valid, self.invalid or invalid

    def content(self) -> str | list[str | dict[str, object]]:
        """Return the content of the chunk: a string, or a list of blocks if there are media."""
        text = "".join(self.text)
        if not self.media:
            return text
        blocks: list[str | dict[str, object]] = [{"type": "text", "text": text}] if text else []
        return [*blocks, *self.media]


class ReplyDecoder:
    """Decodes one choice of a reply into LangChain chunks, or into one message."""

    def __init__(self, request: ReplyOptions, tries: Tries | None = None, *, choice: int | None = None) -> None:
        self._request = request
        self._tries = tries
        asked = request.payload.get("n")
        self._assembler = StreamAssembler(
            choice=0 if choice is None and isinstance(asked, int) and asked > 1 else choice,
            tags=request.tags,
            expects_thoughts=request.expects_thoughts,
            seed=request.seed,
            call_limit=request.call_limit,
            tool_names=request.tool_names,
            schemas=request.schemas,
        )
        self._texts: list[str] = []
        self._has_thoughts = self._has_calls = False
        self._media_count = 0
        #: Maps the number of each call that has no arguments yet to the wire name of its tool.
        self._pending_args: dict[int, str] = {}
        #: Pieces of tool calls. With `invalid_tool_calls="keep"`, they are held back until the end of the reply.
        #: Only the end shows whether a call is valid, and emitted pieces cannot be marked as invalid.
        self._held_calls: list[ToolCallDelta] = []
        self._argument_repairs: list[str] = []

    def feed(self, wire: WireChunk) -> Sequence[ChatGenerationChunk]:
        """Return the LangChain chunk for `wire`; an empty sequence if `wire` adds no content yet."""
        text = self.read_text(wire)
        if text is not None:
            return (build_chunk(text, {}, {"model_provider": PROVIDER}, []),)
        parts = self.read(wire)
        return (_build_chunk(parts),) if parts.has_content() else ()

    def finish(self) -> Iterator[ChatGenerationChunk]:
        """Yield the content that was held back, and the last chunk with usage and metadata.

        Raises:
            TruncatedStreamError: The stream broke off.
            UnusableReplyError: The reply is empty, blocked, or has an invalid tool call.
        """
        parts, end = self.read_end()
        if parts.has_content():
            yield _build_chunk(parts)
        yield self.build_last(end)

    def decode_whole(self, wire: WireChunk) -> ChatGeneration:
        """Return the message of a whole reply. This method raises the same errors as `finish`."""
        parts, end = self._read((*self._assembler.feed(wire), *self._assembler.finish()))
        return ChatGeneration(message=AIMessage(**self._finish_reply(parts, cast("Finished", end))))

    def read_text(self, wire: WireChunk) -> str | None:
        """Return the text of `wire` if `wire` contains only text; `None` if `read` has to decode `wire`."""
        text = self._assembler.read_text(wire)
        if text is not None:
            self._texts.append(text)
        return text

    def read(self, wire: WireChunk) -> Parts:
        """Return the content of `wire`; empty parts if `wire` adds no content yet."""
        parts, _ = self._read(self._assembler.feed(wire))
        return parts

    def read_end(self) -> tuple[Parts, Finished]:
        """Return the content that was held back, and the event `Finished`."""
        parts, end = self._read(self._assembler.finish())
        return parts, cast("Finished", end)

    def build_last(self, end: Finished) -> ChatGenerationChunk:
        """Return the last chunk. This method raises the same errors as `finish`."""
        message = AIMessageChunk(**self._finish_reply(Parts(), end), chunk_position="last")
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": end.reason})

    def _finish_reply(self, parts: Parts, end: Finished) -> _MessageFields:
        """Return the fields of the message, or of the last chunk. This method raises the same errors as `finish`."""
        if end.fields:
            parts.merge_kwargs(attach_reply_extras(self._reply_key(), end.fields, self._origin()))
        usage = self._usage_metadata(end)
        valid, invalid = parts.read_calls(end)
        fields: _MessageFields = {
            "content": parts.content(),
            "additional_kwargs": parts.kwargs,
            "response_metadata": {"model_provider": PROVIDER, **self._metadata(end, usage)},
            "tool_calls": valid,
            "invalid_tool_calls": invalid,
            "usage_metadata": usage,
        }
        self._raise_for_unusable_reply(end, fields)
        return fields

    @contextmanager
    def keeping_partial(self) -> Generator[None]:
        """If an error ends the stream, set the error's attribute `partial` to the text so far."""
        try:
            yield
        except errors.GeminiCompatError as err:
            err.partial = err.partial or "".join(self._texts)
            raise

    def _read(self, events: Iterable[Event]) -> tuple[Parts, Finished | None]:
        parts = Parts(self._media_count)
        end: Finished | None = None
        for event in events:
            if isinstance(event, Finished):
                end = event
                self._release_calls(parts, end)
            elif isinstance(event, ToolCallDelta) and self._request.keeps_invalid_calls:
                self._held_calls.append(event)
            elif isinstance(event, CallExtras):
                origin = {} if event.is_more else self._origin()
                parts.merge_kwargs(attach_call_extras(event.id, event.fields, origin))
            else:
                parts.add(event)
        for index, call in parts.calls.items():
            self._finalize_call(index, call, is_complete=index in parts.complete_calls)
        self._has_calls = self._has_calls or bool(parts.calls or parts.invalid)
        self._media_count += len(parts.media)
        self._has_thoughts = self._has_thoughts or "reasoning_content" in parts.kwargs
        self._texts.extend(parts.text)
        return parts, end

    def _release_calls(self, parts: Parts, end: Finished) -> None:
        """Add the calls that were held back to `parts.calls` or, if they are invalid, to `parts.invalid`."""
        if not self._request.keeps_invalid_calls:
            return
        invalid = {call.index for call in end.invalid}
        for delta in self._held_calls:
            if delta.index not in invalid:
                parts.add(delta)
        for call in end.invalid:
            name = self._original_name(call.name)
            parts.invalid.append(invalid_tool_call(name=name, args=call.args, id=call.id, error=call.error))

    def _finalize_call(self, index: int, call: ToolCallChunk, *, is_complete: bool) -> None:
        """Set the original tool name in `call`. Repair the arguments of `call` if they came in one piece."""
        name, args = call["name"], call["args"]
        if name is not None:
            self._pending_args[index] = name
            call["name"] = self._original_name(name)
        if index not in self._pending_args or not args or args.isspace():
            return
        name = self._pending_args.pop(index)
        schema = self._request.schemas.get(name)
        if schema is not None and is_complete:
            call["args"], changes = repair_arguments_text(schema, args)
            if changes:
                self._argument_repairs.append(describe_changes(self._original_name(name), changes))

    def _original_name(self, name: str) -> str:
        return self._request.names.get(name, name)

    def _origin(self) -> JsonObject:
        return build_origin(self._request.endpoint, self._assembler.model)

    def _reply_key(self) -> str:
        return self._assembler.reply_id or f"reply_{self._request.seed}"

    def _usage_metadata(self, end: Finished) -> UsageMetadata | None:
        """Return the token counts of this reply, plus the token counts of earlier replies that were discarded."""
        usage = build_usage_metadata(end.usage) if end.usage else None
        discarded = self._tries.discarded if self._tries else None
        return add_usage(usage, discarded) if discarded else usage

    def _metadata(self, end: Finished, usage: UsageMetadata | None) -> dict[str, object]:
        reply, endpoint = self._assembler, self._request.endpoint
        name = bare_model_name(reply.model) if endpoint.speaks_gemini else reply.model
        placeholders = sum(note.kind == "stand_in" for note in self._request.notes)
        repairs = [note.message for note in self._request.notes if note.kind not in ("stand_in", "unsent", "header")]
        if len(repairs) > _MOST_REPAIRS:
            repairs = [*repairs[:_MOST_REPAIRS], f"{len(repairs) - _MOST_REPAIRS} more: see `preview()`."]
        metadata = {
            "model_name": name or bare_model_name(endpoint.name),
            "token_usage": build_token_usage(usage) if usage else None,
            "finish_reason": end.reason,
            "native_finish_reason": end.native_reason,
            "normalized_finish_reason": to_core_reason(end.reason, refused=end.is_refusal),
            "id": reply.reply_id,
            "system_fingerprint": reply.system_fingerprint,
            "service_tier": reply.service_tier,
            "traffic_type": end.usage.traffic_type if end.usage else None,
            "provider": end.provider,
            "cost": end.cost,
            "cost_details": end.cost_details,
            "logprobs": {"content": end.logprobs} if end.logprobs else None,
            "invalid_tool_calls": self._list_invalid_call_errors(end),
            "retries": self._tries.retries if self._tries else 0,
            "waited": round(self._tries.waited, 3) if self._tries else 0.0,
            "headers": self._tries.headers if self._tries else None,
            "signature_stand_ins": placeholders,
            "repairs": [*repairs, *self._argument_repairs, *_describe_dropped(end.dropped_fields), *end.losses],
        }
        # Empty values are left out, except a cost of 0.
        return {key: value for key, value in metadata.items() if value or (key == "cost" and value is not None)}

    def _list_invalid_call_errors(self, end: Finished) -> dict[str, str]:
        """Return a dict from the id of each invalid call to its error; an empty dict if no invalid calls are kept.

        The dict is needed because LangChain's chunks have no field for these errors.
        """
        return {call.id: call.error for call in end.invalid} if self._request.keeps_invalid_calls else {}

    def _raise_for_unusable_reply(self, end: Finished, fields: _MessageFields) -> None:
        if end.reason is None:
            reason = f" (finish reason {end.native_reason[:200]!r})" if end.native_reason else ""
            text = f"The stream broke off before its end{reason}, so the reply is incomplete. Ask again."
            raise make_error(partial(_build_truncated, text, "".join(self._texts)))
        spent = f"{end.usage.output_tokens} output tokens spent" if end.usage else "usage unknown"
        reason = f"finish reason {end.native_reason[:200]!r}" if end.native_reason else "no finish reason"
        ending = f"{reason}, {spent}"
        is_refused = bool(end.invalid) and not self._request.keeps_invalid_calls
        if is_refused or end.reason == "function_call_filter" or end.is_call_missing:
            text = self._describe_invalid_call(end, ending)
            raise make_error(lambda: _build_error(errors.MalformedToolCallError, text, fields, end))
        if self._has_calls and end.reason == "content_filter":
            text = (
                "The model refused, or a filter stopped the reply. The reply also has a tool call, which must not run "
                f"({ending}). Rephrase the request."
            )
            raise make_error(lambda: _build_error(errors.BlockedError, text, fields, end))
        if end.empty and end.reason != "content_filter":
            more = "Raise `max_tokens`: thinking used it up." if end.reason == "length" else "Ask again."
            if end.reason == "stop" and self._follows_results():
                more += (
                    " Gemini also sends such a reply if tool results do not match their calls. `preview()` shows the "
                    "calls and results."
                )
            what = "has only thoughts" if self._has_thoughts else "is empty"
            text = f"The reply {what} ({ending}). {more}"
            raise make_error(lambda: _build_error(errors.EmptyReplyError, text, fields, end))

    def _follows_results(self) -> bool:
        """Return whether the last message of the request is the result of a tool."""
        last = list_at(self._request.payload, "messages")[-1:]
        return any(isinstance(message, dict) and message.get("role") == "tool" for message in last)

    def _describe_invalid_call(self, end: Finished, ending: str) -> str:
        more = "Increase `max_tokens`." if end.reason == "length" else "Ask again, or simplify the tool's schema."
        if end.is_call_missing:
            return f"The model announced a tool call but did not send it ({ending}). {more}"
        named = [self._original_name(call.name) or "(nameless)" for call in end.invalid[:_MOST_NAMES]]
        names = f" of {', '.join(named)[:200]}" if named else ""
        why = f" {end.invalid[0].error}" if end.invalid else ""
        return f"The model returned an invalid tool call{names} ({ending}).{why} {more}"


def _describe_dropped(keys: Sequence[str]) -> list[str]:
    if not keys:
        return []
    names = ", ".join(f"`{key}`" for key in keys[:_MOST_REPAIRS])
    return [
        f"Unknown keys of the reply were left out: {names}. At most {MAX_KEPT} characters and {MAX_KEYS} keys are kept."
    ]


def _build_truncated(text: str, partial_text: str) -> errors.TruncatedStreamError:
    error = errors.TruncatedStreamError(text)
    error.partial = partial_text
    return error


def _build_error(
    kind: type[errors.UnusableReplyError], text: str, fields: _MessageFields, end: Finished
) -> errors.UnusableReplyError:
    error = kind(text)
    # If the token limit ended the reply (`length`), a retry would reach the same limit.
    error.is_retryable = kind.is_retryable and end.reason != "length"
    error.reply = AIMessage(**fields)
    return error


def _build_chunk(parts: Parts) -> ChatGenerationChunk:
    metadata: dict[str, object] = {"model_provider": PROVIDER}
    calls = parts.list_call_chunks()
    if not parts.media:
        return build_chunk("".join(parts.text), parts.kwargs, metadata, calls)
    message = AIMessageChunk(
        content=parts.content(), additional_kwargs=parts.kwargs, response_metadata=metadata, tool_call_chunks=calls
    )
    return ChatGenerationChunk(message=message)


def _media_block(media: MediaSeen, number: int) -> dict[str, object]:
    kind = media.mime_type.partition("/")[0]
    kind = "image" if media.url else kind if kind in ("image", "audio", "video") else "file"
    index = media_index(kind, number)
    if media.url:
        typed = {"mime_type": media.mime_type} if media.mime_type else {}
        return {"type": kind, "url": media.url, **typed, "index": index}
    return {"type": kind, "base64": media.data, "mime_type": media.mime_type, "index": index}
