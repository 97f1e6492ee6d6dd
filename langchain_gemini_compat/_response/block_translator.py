"""Converts messages and chunks of this package to LangChain's standard content blocks (`message.content_blocks`).

`register` adds `decode_blocks` and `decode_chunk_blocks` to langchain-core's registry, which is global to the process.

This module also defines the `index` of each block, for message chunks and for v3 events. LangChain merges pieces with
the same index into one block. Each index is a string that starts with `lc_`, as in langchain-core. If indexes were
integers, `output_version="v1"` would merge a text block into tool call 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.messages.block_translators import register_translator

from langchain_gemini_compat._signatures import RECORDS_KEY, SIGNATURES_KEY, read_signature
from langchain_gemini_compat._wire.provider import PROVIDER

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue


#: The index of the text block. All text of a reply is one block.
TEXT_INDEX = "lc_txt_0"
REFUSAL_INDEX = "lc_refusal_0"
#: Types of blocks that `_content` does not copy from `content`, because this module builds these blocks itself.
_ELSEWHERE = ("text", "reasoning", "tool_call", "tool_call_chunk")


def reasoning_index(number: int) -> str:
    """Return the index of a block of thoughts.

    `number` distinguishes the blocks of thoughts in v3 events. In message chunks, it is always 0.
    """
    return f"lc_rs_{number}"


def call_index(number: int | str | None) -> str:
    """Return the index of tool call `number`."""
    return f"lc_tc_{number}"


def media_index(kind: str, number: int) -> str:
    """Return the index of media block `number` of the reply. LangChain merges blocks that have the same index."""
    return f"lc_{kind}_{number}"


def decode_blocks(message: AIMessage) -> list[ContentBlock]:
    """Return the blocks of a complete message, in this order: reasoning, text and media, tool calls, refusal."""
    blocks = _reasoning(message)
    blocks += _content(message, indexed=False)
    signatures = _object(message.additional_kwargs.get(SIGNATURES_KEY))
    for call in message.tool_calls:
        block: JsonObject = {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        blocks.append(_signed(block, signatures.get(call["id"] or "")))
    blocks += _refusal(message)
    return cast("list[ContentBlock]", blocks)


def decode_chunk_blocks(chunk: AIMessageChunk) -> list[ContentBlock]:
    """Return the blocks of a chunk. Blocks with the same `index` in several chunks are pieces of one block."""
    if chunk.chunk_position == "last" and (chunk.content or chunk.tool_call_chunks or _reasoning(chunk)):
        # The last chunk of a stream has no content, tool calls or thoughts. This chunk is marked as last and has some,
        # so it is the sum of all chunks of the stream.
        return decode_blocks(chunk)
    blocks: list[JsonObject] = [{**block, "index": reasoning_index(0)} for block in _reasoning(chunk)]
    blocks += _content(chunk, indexed=True)
    signatures = _object(chunk.additional_kwargs.get(SIGNATURES_KEY))
    for call in chunk.tool_call_chunks:
        block: JsonObject = {
            "type": "tool_call_chunk",
            "id": call["id"],
            "name": call["name"],
            "args": call["args"],
            "index": call_index(call["index"]),
        }
        blocks.append(_signed(block, signatures.get(call["id"] or "")))
    blocks += [{**block, "index": REFUSAL_INDEX} for block in _refusal(chunk)]
    return cast("list[ContentBlock]", blocks)


def register() -> None:
    """Register the translators for messages with the `model_provider` of this package. Call this once per process."""
    register_translator(PROVIDER, decode_blocks, decode_chunk_blocks)


def _reasoning(message: AIMessage) -> list[JsonObject]:
    thoughts = message.additional_kwargs.get("reasoning_content")
    return [{"type": "reasoning", "reasoning": thoughts}] if isinstance(thoughts, str) and thoughts else []


def _content(message: AIMessage, *, indexed: bool) -> list[JsonObject]:
    """Return one block with all text of `message` and the signature, followed by the media blocks."""
    raw = cast("str | list[JsonValue]", message.content)
    parts = [raw] if isinstance(raw, str) else raw
    text = "".join(map(_read_text_part, parts))
    signature = _message_signature(message)
    blocks: list[JsonObject] = []
    if text or (signature and indexed):
        block: JsonObject = {"type": "text", "text": text}
        blocks.append(_signed({**block, "index": TEXT_INDEX} if indexed else block, signature))
    media = (part for part in parts if isinstance(part, dict) and part.get("type") not in _ELSEWHERE)
    blocks.extend(part if indexed else {key: value for key, value in part.items() if key != "index"} for part in media)
    return blocks


def _read_text_part(part: JsonValue) -> str:
    if isinstance(part, dict):
        return str(part.get("text", "")) if part.get("type") == "text" else ""
    return str(part)


def _message_signature(message: AIMessage) -> str | None:
    records = map(_object, _object(message.additional_kwargs.get(RECORDS_KEY)).values())
    fields = (_object(record.get("fields")) for record in records if record.get("reply"))
    signatures = [read_signature(own.get("extra_content")) for own in fields]
    return next((signature for signature in reversed(signatures) if signature), None)


def describe_refusal(message: AIMessage) -> str:
    """Return the text of a refusal, or an empty string without a refusal.

    The text is what the model said, or a sentence that says which filter stopped the reply.
    """
    text = message.additional_kwargs.get("refusal")
    if isinstance(text, str) and text:
        return text
    if message.response_metadata.get("finish_reason") != "content_filter":
        return ""
    reason = str(message.response_metadata.get("native_finish_reason") or "")
    reason = reason.rpartition(":")[2].strip().removeprefix("content_filter")
    return f"A filter stopped the reply ({reason})." if reason else "A filter stopped the reply."


def _refusal(message: AIMessage) -> list[JsonObject]:
    """Return LangChain's refusal block if the model refused in OpenAI's form, or if a filter stopped the reply."""
    text = describe_refusal(message)
    if message.response_metadata.get("finish_reason") == "content_filter":
        reason = message.response_metadata.get("native_finish_reason")
        return [{"type": "refusal", "refusal": text, "extras": {"finish_reason": reason}}]
    return [{"type": "refusal", "refusal": text}] if text else []


def _signed(block: JsonObject, signature: JsonValue) -> JsonObject:
    return {**block, "extras": {"signature": signature}} if signature else block


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}
