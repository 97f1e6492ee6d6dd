"""A `ToolMessage` to the wire: text and JSON as the result's content, media where the endpoint takes them.

Its one rule: nothing a tool returned is lost. Gemini 3 on Vertex takes media beside the result (Google's examples
page, multimodal function responses); elsewhere they follow in a user message after all results of the step.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat._content import block_kind, encode_part, own_extra
from langchain_gemini_compat._read_blocks import read_media, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import ToolMessage

    from langchain_gemini_compat._families import ModelFamily
    from langchain_gemini_compat._read_blocks import Media
    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: The content of a result that consists of media which follow in another message.
_FOLLOWS = '{"output":"The next user message holds the output."}'


def encode_tool_result(
    message: ToolMessage, endpoint: Endpoint, family: ModelFamily, *, call_id: str, name: str | None
) -> tuple[JsonObject, list[JsonObject]]:
    """The wire message, and the parts that have to follow it in a user message."""
    encoded: JsonObject = {"role": "tool", "tool_call_id": call_id}
    if name:
        # AI Studio answers 400 without it; it has to be the function's name, not the id.
        encoded["name"] = name
    content = cast("str | list[JsonValue] | None", message.content) or ""
    if isinstance(content, str):
        text: str | list[JsonValue] = content
        found: list[tuple[Media, JsonValue]] = []
    else:
        found = [(media, block) for block in content if (media := _media_in(block))]
        text = _result_content([block for block in content if not _media_in(block)])
    following: list[JsonObject] = []
    if not found:
        encoded["content"] = text or "{}"
    elif _takes_media_beside(endpoint, family) and isinstance(text, str) and _are_plain(found):
        encoded["content"] = _content_with_references(text, len(found))
        parts: list[JsonValue] = [_result_part(media, number) for number, (media, _) in enumerate(found, 1)]
        encoded["extra_content"] = {"google": {"parts": parts}}
    else:
        encoded["content"] = text or _FOLLOWS
        following = [part for _, block in found if (part := encode_part(block, endpoint))]
        following.insert(0, {"type": "text", "text": f"Output of {name or 'the tool'} (call {call_id}):"})
    own = message.additional_kwargs.get("extra_content")
    return ({**encoded, "extra_content": own} if own else encoded), following


def _takes_media_beside(endpoint: Endpoint, family: ModelFamily) -> bool:
    return endpoint.speaks_gemini and endpoint.surface == "vertex" and family.generation == "gemini-3"


def _are_plain(found: Sequence[tuple[Media, JsonValue]]) -> bool:
    """Of known types, and without `extra_content` of their own, for which there is no place beside a result."""
    return all(media.known_mime_type and not own_extra(block) for media, block in found)


def _media_in(block: JsonValue) -> Media | None:
    """Media with a place to be had from; a tool's own JSON may have a `type` of `file` too."""
    inner = block.get("value") if isinstance(block, dict) and block.get("type") == "non_standard" else block
    media = read_media(inner) if isinstance(inner, dict) else None
    return media if media and (media.data or media.location) else None


def _result_content(blocks: Sequence[JsonValue]) -> str | list[JsonValue]:
    """One text, or parts where a text has `extra_content` of its own."""
    extras = [own_extra(block) if _is_text(block) else None for block in blocks]
    if not any(extras):
        return "\n".join(map(_result_text, blocks))
    parts: list[JsonValue] = []
    for block, extra in zip(blocks, extras, strict=True):
        text = _result_text(block)
        if text:
            parts.append({"type": "text", "text": text, **({"extra_content": extra} if extra else {})})
    return parts


def _is_text(block: JsonValue) -> bool:
    return isinstance(block, dict) and ("type" in block or block.keys() == {"text"}) and block_kind(block) == "text"


def _result_text(block: JsonValue) -> str:
    """Text as it is; blocks that are neither text nor media (a tool's own JSON) as JSON."""
    if isinstance(block, str):
        return block
    if isinstance(block, dict) and _is_text(block):
        return read_text(block) or ""
    return json.dumps(block, ensure_ascii=False)


def _result_part(media: Media, number: int) -> JsonObject:
    """`file_data` or `inline_data`, as Google's examples page shows for multimodal function responses."""
    head: JsonObject = {"mime_type": media.known_mime_type, "display_name": _reference(number)}
    if media.location.startswith("data:"):
        mime_type, _, data = media.location[5:].partition(";base64,")
        return {"inline_data": {**head, "mime_type": mime_type, "data": data}}
    if media.data:
        return {"inline_data": {**head, "data": media.data}}
    return {"file_data": {**head, "file_uri": media.location}}


def _content_with_references(text: str, count: int) -> str:
    """JSON that refers to each part by its name, the tool's own text with it."""
    content: JsonObject = {"output": text} if text else {}
    references: JsonObject = {name: {"$ref": name} for name in map(_reference, range(1, count + 1))}
    return json.dumps({**content, **references}, ensure_ascii=False)


def _reference(number: int) -> str:
    return f"media_{number}"
