"""Encodes an assistant message: its content, its tool calls and their signatures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from langchain_core.messages.tool import tool_call

from langchain_gemini_compat._request.content import encode_part, join_text, read_own_extra, read_refusal
from langchain_gemini_compat._request.content_blocks import Block, Media, Text, Unknown
from langchain_gemini_compat._request.encoding_context import SentCall
from langchain_gemini_compat._signatures import (
    LITELLM_MARK,
    block_signature,
    recover_extras,
    select_extras,
    split_litellm_id,
)
from langchain_gemini_compat._wire.unknown_fields import MESSAGE_KEYS, REASONING_KEYS
from langchain_gemini_compat.errors import InvalidHistoryError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from langchain_core.messages import AIMessage, ToolCall

    from langchain_gemini_compat._request.content_blocks import Content
    from langchain_gemini_compat._request.encoding_context import EncodingContext
    from langchain_gemini_compat._signatures import Extras
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

# These two encoders are built once, because `json.dumps` with non-default options builds a new encoder each time.
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_STRICT_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


def encode_assistant(message: AIMessage, content: Content, name: JsonObject, context: EncodingContext) -> JsonObject:
    """Return an assistant message in wire form.

    A key without a value is left out, because servers refuse `null`.

    Args:
        message: The caller's message.
        content: The parsed content of the message.
        name: An object with the wire key `name`; empty if no name is sent.
        context: The endpoint, the notes and the earlier calls. This message adds its own calls to the earlier calls.
    """
    tool_calls = _sendable_calls(message)
    extras = recover_extras(message, tool_calls)
    own = select_extras(extras.own, context.endpoint)
    fields: JsonObject = {key: value for key, value in own.fields.items() if key not in MESSAGE_KEYS}
    _leave_out_invalid_calls(message, context)
    calls = _encode_calls(tool_calls, extras.calls, context)
    signature = fields.pop("extra_content", None)
    sent, signature = _encode_answer(_with_refusal(message, content, context), signature, context)
    if calls and sent and not context.endpoint.takes_text_beside_calls(context.family):
        context.note("Text beside tool calls was left out: this model on Vertex does not accept both.")
        sent, signature = "", None
    encoded: JsonObject = {"role": "assistant", **name, **_reasoning_fields(message, own.reasoning_fields, context)}
    if sent:
        encoded["content"] = sent
    if calls:
        encoded["tool_calls"] = calls
    if signature is not None:
        encoded["extra_content"] = signature
    return {**encoded, **fields}


def _reasoning_fields(message: AIMessage, names: Sequence[str], context: EncodingContext) -> JsonObject:
    """Return the thoughts under the keys in which the server sent them; an empty object for Google's surfaces."""
    thoughts = message.additional_kwargs.get("reasoning_content")
    takes_thoughts = not context.endpoint.speaks_gemini
    return {name: thoughts or "" for name in names if name in REASONING_KEYS and takes_thoughts}


def _with_refusal(message: AIMessage, content: Content, context: EncodingContext) -> Content:
    """Return the content. If the model refused to answer, the refusal is added to the content as a text block."""
    given = message.additional_kwargs.get("refusal")
    if isinstance(content, str) and not given:
        return content
    blocks = [Block(Text(content), content)] if isinstance(content, str) else content
    refusals = [read_refusal(block) for block in blocks]
    if any(refusals):
        pairs = zip(blocks, refusals, strict=True)
        said = [_text_block(refusal) if refusal else block for block, refusal in pairs]
    elif isinstance(given, str) and given and given not in join_text(content):
        said = [*blocks, _text_block(given)]
    else:
        return content
    context.note_once(
        "refusal", "A refusal in an assistant message was sent as text: the refusal was the model's answer."
    )
    return said


def _text_block(text: str) -> Block:
    return Block(Text(text), {"type": "text", "text": text})


def _encode_answer(content: Content, signature: JsonValue, context: EncodingContext) -> tuple[JsonValue, JsonValue]:
    """Return the encoded content, and the signature for the message itself.

    Content with media, or with a text block that has its own `extra_content`, becomes a list of parts. Other content
    becomes one string.

    If a part of the list gets the signature, the message itself gets `None`.
    """
    if isinstance(content, str):
        return content, signature
    blocks = [block for block in content if _is_answer(block, context)]
    if any(isinstance(block.content, Media) for block in blocks):
        return _sign_media([(block, encode_part(block, context.endpoint)) for block in blocks], signature, context)
    if not any(read_own_extra(block.raw) for block in blocks):
        return join_text(blocks), signature
    parts: list[JsonValue] = [part for block in blocks if (part := encode_part(block, context.endpoint))]
    last = parts[-1] if parts else None
    if signature is not None and isinstance(last, dict) and "extra_content" not in last:
        last["extra_content"], signature = signature, None
    return parts, signature


def _is_answer(block: Block, context: EncodingContext) -> bool:
    """Return whether a block is text or media. Add a note for a block of an unknown form."""
    if isinstance(block.content, Unknown):
        raw = block.raw
        name = raw.get("type") if isinstance(raw, dict) else type(raw).__name__
        context.note(f"A block of type {name!r} in an assistant message was left out: the API has no form for it.")
    return isinstance(block.content, (Text, Media))


def _sign_media(
    pairs: Sequence[tuple[Block, JsonObject | None]], signature: JsonValue, context: EncodingContext
) -> tuple[list[JsonValue], JsonValue]:
    """Return the parts with their signatures.

    The first media part without `extra_content` gets the signature of the message. Each later media part gets the
    signature of its own block.
    """
    parts: list[JsonValue] = []
    for block, part in pairs:
        if part is None:
            continue
        if isinstance(block.content, Media) and "extra_content" not in part:
            own = block_signature(block.raw) if isinstance(block.raw, dict) else None
            if signature:
                part["extra_content"] = signature
            elif own and context.endpoint.speaks_gemini:
                part["extra_content"] = {"google": {"thought_signature": own}}
            signature = None
        parts.append(part)
    return parts, None


def _leave_out_invalid_calls(message: AIMessage, context: EncodingContext) -> None:
    for call in message.invalid_tool_calls:
        if (call["args"] or "").strip():
            context.calls.leave_out(call["id"])
            context.note(f"Tool call {call['name']!r} was left out: its arguments are not a JSON object.")


def _encode_calls(
    tool_calls: Sequence[ToolCall], extras: Sequence[Extras], context: EncodingContext
) -> list[JsonValue]:
    encoded: list[JsonValue] = []
    wire_ids: set[str] = set()
    sent: dict[str, list[SentCall]] = {}
    for call, kept in zip(tool_calls, extras, strict=True):
        if not call["name"]:
            context.note("A tool call without a name was left out: no server accepts it.")
            context.calls.leave_out(call["id"])
            continue
        beside = select_extras(kept, context.endpoint)
        wire_id = _wire_id(call, beside, wire_ids, context)
        wire_ids.add(wire_id)
        sent.setdefault(call["id"] or "", []).append(SentCall(wire_id, call["name"]))
        fields: JsonObject = {key: value for key, value in beside.fields.items() if key != "function"}
        inside = beside.fields.get("function")
        function: JsonObject = {
            **(inside if isinstance(inside, dict) else {}),
            "name": context.names.encode(call["name"], context.index),
            "arguments": _encode_arguments(call, context),
        }
        encoded.append({"id": wire_id, "type": "function", "function": function, **fields})
    context.calls.add(sent)
    return encoded


def _wire_id(call: ToolCall, beside: Extras, taken: Collection[str], context: EncodingContext) -> str:
    """Return a call id that is unique in the message. For LiteLLM's gateway, the id ends with the signature."""
    number = context.calls.number_call()
    wire_id = beside.server_id or split_litellm_id(call["id"] or "")[0] or f"call_{number}"
    wire_id = _distinct(wire_id, taken)
    return f"{wire_id}{LITELLM_MARK}{beside.litellm_signature}" if beside.litellm_signature else wire_id


def _distinct(call_id: str, taken: Collection[str]) -> str:
    """Return `call_id`. If another call of the message has the same id, append a number to make `call_id` unique."""
    number, found = 1, call_id
    while found in taken:
        number += 1
        found = f"{call_id}_{number}"
    return found


def _encode_arguments(call: ToolCall, context: EncodingContext) -> str:
    """Encode the arguments as JSON. NaN and infinity become `null`; other values unknown to JSON become strings."""
    try:
        try:
            return _STRICT_JSON.encode(call["args"])
        except ValueError:
            text = _JSON.encode(json.loads(_JSON.encode(call["args"]), parse_constant=_to_null))
    except (TypeError, ValueError, RecursionError) as error:
        place = f"Message {context.index}: the arguments of tool call {call['name']!r}"
        raise InvalidHistoryError(f"{place} cannot be written as JSON ({error}).") from error
    context.note(
        f"NaN or infinity in the arguments of tool call {call['name']!r} was sent as null: JSON has no such number."
    )
    return text


def _to_null(_: str) -> None:
    """Return `None` for `NaN` and `Infinity`. The JSON parser calls this function for such constants."""


def _sendable_calls(message: AIMessage) -> list[ToolCall]:
    """Return the tool calls of a message that can be sent.

    A `function_call` of OpenAI's older function-calling API counts as a tool call. So does a call with empty arguments,
    which langchain-core stores in `invalid_tool_calls`.
    """
    function = message.additional_kwargs.get("function_call")
    if isinstance(function, dict) and not message.tool_calls and not _is_google_copy(message):
        name, arguments = str(function.get("name")), _arguments_of(function)
        return [tool_call(name=name, args=arguments, id=f"function_{name}")]
    if not message.invalid_tool_calls:
        return message.tool_calls
    blank = (call for call in message.invalid_tool_calls if call["name"] and not (call["args"] or "").strip())
    return [*message.tool_calls, *(tool_call(name=str(call["name"]), args={}, id=call["id"]) for call in blank)]


def _is_google_copy(message: AIMessage) -> bool:
    """Return whether the message comes from Google's LangChain packages.

    These packages copy a tool call to `function_call`. The copy must not be sent, because it remains on the message
    even if a person removes the tool call.
    """
    return str(message.response_metadata.get("model_provider") or "").startswith("google")


def _arguments_of(function: JsonObject) -> dict[str, object]:
    try:
        arguments: object = json.loads(str(function.get("arguments")))
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
