"""Converts messages to the form of `ChatGoogleGenerativeAI`, so that a conversation can continue with that class.

`ChatGoogleGenerativeAI` reads thoughts, and the signatures of texts and images, only from messages in its own form.
This module writes that form. `ChatGoogleGenerativeAI` reads the signatures of tool calls from all messages.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, BaseMessage

from langchain_gemini_compat._response.block_translator import decode_blocks
from langchain_gemini_compat._signatures import PLACEHOLDER_SIGNATURES, SIGNATURES_KEY, Extras, recover_extras
from langchain_gemini_compat._wire.provider import PROVIDER

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

_NATIVE_PROVIDER = "google_genai"
#: Types of blocks that are left out of the content of a converted message. `ChatGoogleGenerativeAI` stores tool calls
#: in another field of the message, and has no blocks for refusals.
_ELSEWHERE = ("tool_call", "refusal")


def to_google_genai(messages: Sequence[BaseMessage], *, vertexai: bool | None = None) -> list[BaseMessage]:
    """Return messages in the form of `ChatGoogleGenerativeAI`, so that a conversation can continue with that class.

    Thoughts become `thinking` blocks, and the signature of a text or image is stored in its block. The
    `model_provider` of each message becomes `google_genai`, because langchain-google-genai 4.4 sends back thoughts and
    signatures only from such messages. Signatures become standard base64, the only form that langchain-google-genai
    reads. Ids stay the same, so the new messages replace the old messages in a checkpoint. The given messages are not
    modified. Messages of other models are returned unchanged.

    Args:
        messages: A conversation.
        vertexai: The `vertexai` argument of the `ChatGoogleGenerativeAI` model. `True` keeps only signatures of Vertex
            AI, and `False` only signatures of AI Studio, because each surface refuses signatures of the other surface.
            Signatures of unknown origin are always kept. Default: `None`, which keeps all signatures.

    Returns:
        A new list of the same length.

    Examples:
        >>> from langchain_core.messages import AIMessage
        >>> ours = {"model_provider": "gemini_compat"}
        >>> thoughts = {"reasoning_content": "Easy."}
        >>> to_google_genai([AIMessage("4", additional_kwargs=thoughts, response_metadata=ours)])[0].content
        [{'type': 'thinking', 'thinking': 'Easy.'}, {'type': 'text', 'text': '4'}]
    """
    return [_rewrite(message, vertexai) if _is_ours(message) else message for message in messages]


def _is_ours(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and message.response_metadata.get("model_provider") == PROVIDER


def _rewrite(given: BaseMessage, vertexai: bool | None) -> BaseMessage:
    message = cast("AIMessage", given)
    extras = recover_extras(message, message.tool_calls)
    found = cast("JsonObject", message.additional_kwargs.get(SIGNATURES_KEY) or {})
    signatures: JsonObject = {}
    for call, beside in zip(message.tool_calls, extras.calls, strict=True):
        signature = _valid_signature(found.get(call["id"] or "") or beside.signature, beside, vertexai)
        if signature and call["id"]:
            signatures[call["id"]] = signature
    moved = (SIGNATURES_KEY, "reasoning_content")
    kwargs: JsonObject = {key: value for key, value in message.additional_kwargs.items() if key not in moved}
    if signatures:
        kwargs[SIGNATURES_KEY] = signatures
    metadata = {key: value for key, value in message.response_metadata.items() if key != "output_version"}
    return message.model_copy(
        update={
            "content": _native_content(message, _valid_signature(extras.own.signature, extras.own, vertexai)),
            "additional_kwargs": kwargs,
            "response_metadata": {**metadata, "model_provider": _NATIVE_PROVIDER},
        }
    )


def _native_content(message: AIMessage, signature: str | None) -> str | list[JsonObject]:
    """Return the message's content: a string if the message is text without a signature, else a list of blocks.

    The signature is stored in the first text or image block.
    """
    found = cast("list[JsonObject]", decode_blocks(message))
    blocks = [_native_block(block) for block in found if block.get("type") not in _ELSEWHERE]
    if not signature and all(block.get("type") == "text" for block in blocks):
        return "".join(str(block["text"]) for block in blocks)
    if signature:
        places = [place for place, block in enumerate(blocks) if block.get("type") in ("text", "image_url")]
        if not places:
            blocks.append({"type": "text", "text": ""})
        place = places[0] if places else len(blocks) - 1
        blocks[place] = {**blocks[place], "extras": {"signature": signature}}
    return blocks


def _native_block(block: JsonObject) -> JsonObject:
    kind = block.get("type")
    if kind == "reasoning":
        return {"type": "thinking", "thinking": block["reasoning"]}
    if kind == "text":
        return {"type": "text", "text": block["text"]}
    if kind == "image" and block.get("base64"):
        # Write an `image_url` block, because langchain-google-genai does not read the signature of an `image` block.
        url = f"data:{block.get('mime_type') or 'image/png'};base64,{block['base64']}"
        return {"type": "image_url", "image_url": {"url": url}}
    return block


def _valid_signature(signature: JsonValue, extras: Extras, vertexai: bool | None) -> str | None:
    """Return `signature` in padded standard base64, or `None` if it cannot be used.

    Placeholders cannot be used. If `vertexai` is set, signatures of the other surface cannot be used either.
    """
    surface = extras.origin.get("surface") if extras.origin else None
    elsewhere = vertexai is not None and surface not in (None, "vertex" if vertexai else "ai_studio")
    if not isinstance(signature, str) or signature in PLACEHOLDER_SIGNATURES or elsewhere:
        return None
    plain = signature.translate(str.maketrans("-_", "+/")).rstrip("=")
    padded = plain + "=" * (-len(plain) % 4)
    try:
        b64decode(padded, validate=True)
    except binascii.Error:
        return None
    return padded
