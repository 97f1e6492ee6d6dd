"""Histories given as OpenAI-style dicts: what langchain-core would drop from them is moved to where it survives.

langchain-core builds messages of dicts from the keys it knows, so `extra_content` with its signatures is lost
unless it is put into `additional_kwargs` first. The caller's dicts are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import convert_to_messages

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput

    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: What a tool call of the wire may carry that LangChain's own call has no place for.
_CALL_FIELDS = ("extra_content", "provider_specific_fields")


def adopt_wire_fields(model_input: LanguageModelInput) -> LanguageModelInput:
    """`model_input` with `extra_content` of dict messages, and of the calls in them, kept."""
    if isinstance(model_input, str) or not isinstance(model_input, Sequence):
        return model_input
    if not any(map(_has_wire_fields, model_input)):
        return model_input
    return [_adopt(item) if _has_wire_fields(item) else item for item in model_input]


def _has_wire_fields(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    calls = item.get("tool_calls")
    return bool(item.get("extra_content")) or any(
        isinstance(call, Mapping) and any(call.get(key) for key in _CALL_FIELDS) for call in calls or ()
    )


def _adopt(item: object) -> BaseMessage:
    wire = cast("JsonObject", item)
    known = {key: value for key, value in wire.items() if key != "extra_content"}
    message = convert_to_messages([cast("dict[str, object]", known)])[0]
    kwargs: dict[str, JsonValue] = dict(message.additional_kwargs)
    if wire.get("extra_content"):
        kwargs["extra_content"] = wire["extra_content"]
    if isinstance(message, AIMessage) and wire.get("tool_calls"):
        kwargs["tool_calls"] = wire["tool_calls"]
    return message.model_copy(update={"additional_kwargs": kwargs})
