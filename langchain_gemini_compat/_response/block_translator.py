"""Our messages and chunks to LangChain's standard content blocks, registered with langchain-core.

Its one rule: string indices that start with `lc_`. With integer indices langchain-core merges a text block into
tool call 0 when `output_version="v1"` is streamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.messages.block_translators import register_translator

from langchain_gemini_compat._response.block_indices import REFUSAL_INDEX, TEXT_INDEX, call_index, reasoning_index
from langchain_gemini_compat._signatures import RECORDS_KEY, SIGNATURES_KEY, read_signature
from langchain_gemini_compat._wire.provider import PROVIDER

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.messages.content import ContentBlock

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue


#: Blocks of `content` that are made from other fields of the message.
_ELSEWHERE = ("text", "reasoning", "tool_call", "tool_call_chunk")


def decode_blocks(message: AIMessage) -> list[ContentBlock]:
    """The blocks of a finished message, in the order: reasoning, text and media, tool calls, refusal."""
    blocks = _reasoning(message)
    blocks += _content(message, indexed=False)
    signatures = _object(message.additional_kwargs.get(SIGNATURES_KEY))
    for call in message.tool_calls:
        block: JsonObject = {"type": "tool_call", "id": call["id"], "name": call["name"], "args": call["args"]}
        blocks.append(_signed(block, signatures.get(call["id"] or "")))
    blocks += _refusal(message)
    return cast("list[ContentBlock]", blocks)


def decode_chunk_blocks(chunk: AIMessageChunk) -> list[ContentBlock]:
    """The blocks of a chunk, each a piece of the block its `index` names."""
    if chunk.chunk_position == "last" and (chunk.content or chunk.tool_call_chunks or _reasoning(chunk)):
        # Our last chunk says none of these, so this is a sum of chunks: a finished message.
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
    """Tell langchain-core how to read messages whose `model_provider` is ours; once per process."""
    register_translator(PROVIDER, decode_blocks, decode_chunk_blocks)


def _reasoning(message: AIMessage) -> list[JsonObject]:
    thoughts = message.additional_kwargs.get("reasoning_content")
    return [{"type": "reasoning", "reasoning": thoughts}] if isinstance(thoughts, str) and thoughts else []


def _content(message: AIMessage, *, indexed: bool) -> list[JsonObject]:
    """Text with its signature, media as they are; content that was a list of strings and blocks is one text."""
    raw = cast("str | list[JsonValue]", message.content)
    parts = [raw] if isinstance(raw, str) else raw
    text = "".join(map(_text_of, parts))
    signature = _message_signature(message)
    blocks: list[JsonObject] = []
    if text or (signature and indexed):
        block: JsonObject = {"type": "text", "text": text}
        blocks.append(_signed({**block, "index": TEXT_INDEX} if indexed else block, signature))
    media = (part for part in parts if isinstance(part, dict) and part.get("type") not in _ELSEWHERE)
    blocks.extend(part if indexed else {key: value for key, value in part.items() if key != "index"} for part in media)
    return blocks


def _text_of(part: JsonValue) -> str:
    if isinstance(part, dict):
        return str(part.get("text", "")) if part.get("type") == "text" else ""
    return str(part)


def _message_signature(message: AIMessage) -> str | None:
    records = map(_object, _object(message.additional_kwargs.get(RECORDS_KEY)).values())
    fields = (_object(record.get("fields")) for record in records if record.get("reply"))
    signatures = [read_signature(of_message.get("extra_content")) for of_message in fields]
    return next((signature for signature in reversed(signatures) if signature), None)


def describe_refusal(message: AIMessage) -> str:
    """Return the text of a refusal: the model's words, or which filter stopped the reply; empty without a refusal."""
    text = message.additional_kwargs.get("refusal")
    if isinstance(text, str) and text:
        return text
    if message.response_metadata.get("finish_reason") != "content_filter":
        return ""
    reason = str(message.response_metadata.get("native_finish_reason") or "")
    reason = reason.rpartition(":")[2].strip().removeprefix("content_filter")
    return f"A filter stopped the reply ({reason})." if reason else "A filter stopped the reply."


def _refusal(message: AIMessage) -> list[JsonObject]:
    """LangChain's refusal block, for an OpenAI-style refusal and for a reply that a filter stopped."""
    text = describe_refusal(message)
    if message.response_metadata.get("finish_reason") == "content_filter":
        reason = message.response_metadata.get("native_finish_reason")
        return [{"type": "refusal", "refusal": text, "extras": {"finish_reason": reason}}]
    return [{"type": "refusal", "refusal": text}] if text else []


def _signed(block: JsonObject, signature: JsonValue) -> JsonObject:
    return {**block, "extras": {"signature": signature}} if signature else block


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}
