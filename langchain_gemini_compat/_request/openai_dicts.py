"""Converts OpenAI-style dict messages. Keys that langchain-core would drop are kept in `additional_kwargs`.

langchain-core keeps only the keys that it knows. It drops `extra_content` with its signatures, and keys of gateways. It
also raises errors for messages that servers do send:

- A call whose arguments are not a JSON object.
- A call with empty arguments, which servers write for functions without parameters.
- An assistant message with calls but without `content`.

This module also converts such messages. The caller's dicts are not changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.messages.utils import convert_to_messages

from langchain_gemini_compat._signatures import RECORDS_KEY
from langchain_gemini_compat._wire.unknown_fields import (
    CALL_KEYS,
    FUNCTION_KEYS,
    MESSAGE_KEYS,
    REASONING_KEYS,
    pick_unknown,
)
from langchain_gemini_compat.errors import InvalidHistoryError

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import InvalidToolCall

    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Keys of a wire tool call that LangChain's `ToolCall` does not have.
_CALL_FIELDS = ("extra_content", "provider_specific_fields")
#: A dict with one of these keys is LangChain's own form of a message, and not a server's. So its unknown keys are not
#: recorded.
_LANGCHAIN_KEYS = frozenset(("type", "additional_kwargs", "response_metadata", "usage_metadata", "invalid_tool_calls"))


def adopt_wire_fields(model_input: LanguageModelInput) -> LanguageModelInput:
    """Return `model_input` with dict messages converted, and their wire keys in `additional_kwargs`.

    Raises:
        InvalidHistoryError: A tool message has no `tool_call_id`.
    """
    if isinstance(model_input, str) or not isinstance(model_input, Sequence):
        return model_input
    others = [(place, item) for place, item in enumerate(model_input) if not isinstance(item, BaseMessage)]
    for place, item in others:
        if _lacks_id(item):
            text = "a tool's message has no `tool_call_id`. Add the id of the tool call that this message answers."
            raise InvalidHistoryError(f"Message {place}: {text}")
    if not any(_needs_adoption(item) for _, item in others):
        return model_input
    return [_adopt(item) if _needs_adoption(item) else item for item in model_input]


def _needs_adoption(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    # On the wire, an assistant message with calls may lack `content`. langchain-core requires it.
    calls = _calls(item)
    bare = bool(calls) and "content" not in item
    return bare or bool(item.get("extra_content")) or any(map(_is_special, calls)) or bool(_read_records(item))


def _read_records(item: Mapping[str, object]) -> JsonObject:
    """Return the unknown keys of an assistant message and its calls, in the form that is stored under `RECORDS_KEY`."""
    if item.get("role") != "assistant" or not _LANGCHAIN_KEYS.isdisjoint(item):
        return {}
    fields = pick_unknown(item, MESSAGE_KEYS | {"extra_content"})
    names = [key for key in REASONING_KEYS if isinstance(item.get(key), str)]
    if names:
        fields["reasoning_field"] = names[0]
    records: JsonObject = {"dict": {"reply": True, "fields": fields}} if fields else {}
    for call in _calls(item):
        function = call.get("function")
        beside = pick_unknown(call, CALL_KEYS) if isinstance(function, Mapping) else {}
        inside = pick_unknown(function, FUNCTION_KEYS) if isinstance(function, Mapping) else {}
        if inside or not beside.keys() <= set(_CALL_FIELDS):
            records[str(call.get("id"))] = {"fields": {**beside, **({"function": inside} if inside else {})}}
    return records


def _lacks_id(item: object) -> bool:
    if isinstance(item, Mapping):
        return "tool" in (item.get("role"), item.get("type")) and item.get("tool_call_id") is None
    # A tool message in the form `("tool", content)` has no field for the id of the tool call.
    return isinstance(item, (tuple, list)) and tuple(item[:1]) == ("tool",)


def _is_special(call: Mapping[str, object]) -> bool:
    return any(call.get(key) for key in _CALL_FIELDS) or _lacks_arguments(call) or _is_broken(call)


def _is_broken(call: Mapping[str, object]) -> bool:
    """Return whether the call has arguments that are not a JSON object."""
    function = call.get("function")
    if not isinstance(function, Mapping) or _lacks_arguments(call):
        return False
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        return not isinstance(arguments, dict)
    try:
        return not isinstance(json.loads(arguments, strict=False), dict)
    except (ValueError, RecursionError):
        return True


def _lacks_arguments(call: Mapping[str, object]) -> bool:
    function = call.get("function")
    return isinstance(function, Mapping) and not str(function.get("arguments") or "").strip()


def _calls(item: Mapping[str, object]) -> list[Mapping[str, object]]:
    calls = item.get("tool_calls")
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []


def _adopt(item: object) -> BaseMessage:
    wire = cast("JsonObject", item)
    known: dict[str, object] = {key: value for key, value in wire.items() if key != "extra_content"}
    calls = _calls(wire)
    if calls:
        known.setdefault("content", "")
        sound = [call for call in calls if not _is_broken(call)]
        known["tool_calls"] = [_with_arguments(call) if _lacks_arguments(call) else call for call in sound]
    message = convert_to_messages([known])[0]
    kwargs: dict[str, JsonValue] = dict(message.additional_kwargs)
    records = _read_records(wire)
    if records:
        kwargs[RECORDS_KEY] = records
        thoughts = [value for key in REASONING_KEYS if isinstance(value := wire.get(key), str)]
        kwargs.update({"reasoning_content": thoughts[0]} if thoughts else {})
    if wire.get("extra_content"):
        kwargs["extra_content"] = wire["extra_content"]
    if isinstance(message, AIMessage) and calls:
        kwargs["tool_calls"] = wire["tool_calls"]
        broken = [_as_invalid(call) for call in calls if _is_broken(call)]
        return message.model_copy(update={"additional_kwargs": kwargs, "invalid_tool_calls": broken})
    return message.model_copy(update={"additional_kwargs": kwargs})


def _as_invalid(call: Mapping[str, object]) -> InvalidToolCall:
    function = cast("Mapping[str, object]", call["function"])
    return invalid_tool_call(name=str(function.get("name")), args=str(function["arguments"]), id=str(call.get("id")))


def _with_arguments(call: Mapping[str, object]) -> dict[str, object]:
    function = cast("Mapping[str, object]", call["function"])
    return {**call, "function": {**function, "arguments": "{}"}}
