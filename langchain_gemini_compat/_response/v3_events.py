"""Turns a reply into events of LangChain's content-block protocol, for `stream_events(version="v3")`.

The events are built from the same `Parts` as message chunks, and add up to the same message. The table says when each
block ends:

| block | ends |
|---|---|
| text | at the end of the message: all text is one block, since its signature can come in the last chunk |
| thoughts | when another block starts |
| tool call | when another block starts and the arguments of the call are complete, or at the end of the message |
| image, audio, refusal, invalid call | at once, since the block arrives complete |
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from langchain_core.version import VERSION

from langchain_gemini_compat._response.block_translator import (
    TEXT_INDEX,
    call_index,
    decode_chunk_blocks,
    reasoning_index,
)
from langchain_gemini_compat._response.message_chunks import Parts, ReplyDecoder
from langchain_gemini_compat._signatures import SIGNATURES_KEY
from langchain_gemini_compat._wire.provider import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.tool import ToolCallChunk
    from langchain_protocol.protocol import MessagesData

    from langchain_gemini_compat._response.options import ReplyOptions
    from langchain_gemini_compat._transport.retry import Tries
    from langchain_gemini_compat._wire.json_types import JsonObject, WireChunk

#: Whether langchain-core reads `tool-call-delta` events. Releases before 1.7 ignore them. With such a release,
#: `chat_models` lets langchain-core convert chunks to events (`_compat_bridge`). No public name shows the difference,
#: so the version is compared. If the comparison is wrong, `tests/response/test_protocol.py` fails.
CORE_TAKES_PIECES = tuple(int(part) for part in VERSION.split(".")[:2]) >= (1, 7)
#: The fields of a content block that only the last event of the block (`content-block-finish`) has.
_HEAVY = ("base64", "refusal", "extras")


@dataclass(slots=True)
class _Block:
    """A block that has started. `pieces` contains the pieces of its text, thoughts or arguments."""

    number: int
    content: dict[str, object]
    pieces: list[str] = field(default_factory=list)
    #: Whether the arguments of a call are a complete JSON object.
    is_complete: bool = False

    def build_finished(self, signatures: Mapping[str, object]) -> dict[str, object]:
        """Return the complete block for its `content-block-finish` event."""
        kind, whole = self.content["type"], "".join(self.pieces)
        if kind in ("text", "reasoning"):
            return {**self.content, str(kind): whole}
        if kind != "tool_call_chunk":
            return self.content
        call_id = self.content["id"]
        args = json.loads(whole.strip() or "{}")
        call = {"type": "tool_call", "id": call_id, "name": self.content["name"], "args": args}
        signature = signatures.get(str(call_id))
        return {**call, "extras": {"signature": signature}} if signature else call


class EventDecoder:
    """Decodes a streamed reply into protocol events. `message_id` is the id that LangChain gave to the message."""

    def __init__(self, request: ReplyOptions, tries: Tries, message_id: str) -> None:
        self._reply = ReplyDecoder(request, tries)
        self._message_id = message_id
        self._events: list[dict[str, object]] = []
        self._begun = 0
        self._thoughts_begun = 0
        self._text: _Block | None = None
        self._thoughts: _Block | None = None
        #: Maps the number of each unfinished call to its block.
        self._calls: dict[int, _Block] = {}
        #: The numbers of the calls whose blocks are finished.
        self._calls_finished: set[int] = set()
        #: The `additional_kwargs` of the message so far whose values are not strings. Strings are in `_texts`, in
        #: pieces.
        self._maps = Parts()
        self._texts: dict[str, list[str]] = {}

    def feed(self, wire: WireChunk) -> Sequence[MessagesData]:
        """Return the v3 events for the chunk `wire`. The sequence may be empty."""
        text = self._reply.read_text(wire)
        if text is not None:
            self._add_text(text)
        else:
            self._add(self._reply.read(wire))
        return self._take_events()

    def keeping_partial(self) -> AbstractContextManager[None]:
        """If an error ends the stream, set the error's attribute `partial` to the text so far."""
        return self._reply.keeping_partial()

    def finish(self) -> Iterator[MessagesData]:
        """Yield the remaining events of the message. This method raises the same errors as `ReplyDecoder.finish`."""
        parts, end = self._reply.read_end()
        self._add(parts)
        yield from self._take_events()
        last = self._reply.build_last(end)
        self._emit_finish(cast("AIMessageChunk", last.message), last.generation_info or {})
        yield from self._take_events()

    def _take_events(self) -> Sequence[MessagesData]:
        events, self._events = self._events, []
        return cast("Sequence[MessagesData]", events)

    def _add(self, parts: Parts) -> None:
        self._add_kwargs(parts.kwargs)
        thoughts = parts.kwargs.get("reasoning_content")
        if isinstance(thoughts, str):
            self._add_thoughts(thoughts)
        if parts.text:
            self._add_text("".join(parts.text))
        for medium in parts.media:
            self._finish(self._begin(medium))
        for index, call in parts.calls.items():
            self._add_call(index, call, is_complete=index in parts.complete_calls)
        for invalid in parts.invalid:
            self._finish(self._begin(cast("dict[str, object]", invalid)))

    def _add_text(self, text: str) -> None:
        if self._text is None:
            self._text = self._begin({"type": "text", "text": "", "index": TEXT_INDEX})
        self._text.pieces.append(text)
        self._emit_delta(self._text, {"type": "text-delta", "text": text})

    def _add_thoughts(self, thoughts: str) -> None:
        if self._thoughts is None:
            index = reasoning_index(self._thoughts_begun)
            block = self._begin({"type": "reasoning", "reasoning": "", "index": index})
            self._thoughts, self._thoughts_begun = block, self._thoughts_begun + 1
        self._thoughts.pieces.append(thoughts)
        self._emit_delta(self._thoughts, {"type": "reasoning-delta", "reasoning": thoughts})

    def _add_call(self, index: int, call: ToolCallChunk, *, is_complete: bool) -> None:
        if index in self._calls_finished:
            # The block of this call is finished. Only white space can follow its complete arguments, so it is ignored.
            return
        if index not in self._calls:
            start = {"type": "tool_call_chunk", "id": call["id"], "name": call["name"], "args": ""}
            self._calls[index] = self._begin({**start, "index": call_index(index)})
        self._calls[index].is_complete = is_complete
        if call["args"]:
            self._calls[index].pieces.append(call["args"])
            self._emit_delta(self._calls[index], {"type": "tool-call-delta", "args": call["args"]})

    def _add_kwargs(self, kwargs: JsonObject) -> None:
        texts = {key: value for key, value in kwargs.items() if isinstance(value, str)}
        for key, text in texts.items():
            self._texts.setdefault(key, []).append(text)
        self._maps.merge_kwargs({key: value for key, value in kwargs.items() if key not in texts})

    def _begin(self, content: dict[str, object]) -> _Block:
        """Start a content block and return it.

        First finish the open block of thoughts, and the blocks of tool calls whose arguments are complete.
        """
        if not self._begun:
            start = {"event": "message-start", "role": "ai", "id": self._message_id}
            self._events.append({**start, "metadata": {"provider": PROVIDER}})
        if self._thoughts is not None:
            self._finish(self._thoughts)
            self._thoughts = None
        self._finish_complete_calls()
        block = _Block(self._begun, content)
        self._begun += 1
        light = {key: value for key, value in content.items() if key not in _HEAVY}
        self._events.append({"event": "content-block-start", "index": block.number, "content": light})
        return block

    def _emit_delta(self, block: _Block, delta: dict[str, str]) -> None:
        self._events.append({"event": "content-block-delta", "index": block.number, "delta": delta})

    def _finish(self, block: _Block) -> None:
        signatures = cast("Mapping[str, object]", self._maps.kwargs.get(SIGNATURES_KEY) or {})
        content = block.build_finished(signatures)
        self._events.append({"event": "content-block-finish", "index": block.number, "content": content})

    def _finish_complete_calls(self) -> None:
        """Finish the blocks of tool calls in the order of the calls, up to the first call with incomplete arguments."""
        for index, call in [*self._calls.items()]:
            if not call.is_complete:
                return
            self._finish(call)
            self._calls_finished.add(index)
            del self._calls[index]

    def _emit_finish(self, last: AIMessageChunk, generation_info: Mapping[str, object]) -> None:
        self._add_kwargs(cast("JsonObject", last.additional_kwargs))
        kwargs = {**self._maps.kwargs, **{key: "".join(pieces) for key, pieces in self._texts.items()}}
        if "refusal" in kwargs:
            # If the refusal came in pieces, `last` has only the last piece. So set the whole text.
            last.additional_kwargs["refusal"] = kwargs["refusal"]
        for block in cast("list[dict[str, object]]", decode_chunk_blocks(last)):
            self._add_last(block)
        for open_block in filter(None, (self._thoughts, self._text, *self._calls.values())):
            self._finish(open_block)
        finish: dict[str, object] = {"event": "message-finish"}
        finish["metadata"] = {**generation_info, **last.response_metadata}
        if last.usage_metadata:
            finish["usage"] = last.usage_metadata
        if kwargs:
            finish["additional_kwargs"] = kwargs
        self._events.append(finish)

    def _add_last(self, block: dict[str, object]) -> None:
        """Add the events for a block of the last chunk: a refusal, or an empty text with the reply's signature."""
        if block["type"] != "text":
            self._finish(self._begin(block))
        elif self._text is None:
            self._text = self._begin(block)
        else:
            self._text.content = block


def read_text_delta(event: MessagesData) -> str:
    """Return the text of a `text-delta` event; an empty string for other events."""
    if event["event"] != "content-block-delta":
        return ""
    delta = event["delta"]
    return delta["text"] if delta["type"] == "text-delta" else ""
