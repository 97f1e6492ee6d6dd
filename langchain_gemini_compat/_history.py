"""Histories given as OpenAI-style dicts: what langchain-core would drop from them is moved to where it survives.

langchain-core builds messages of dicts from the keys it knows, so `extra_content` with its signatures is lost
unless it is put into `additional_kwargs` first; and it fails on a call whose arguments are empty, as servers write
them for functions without any, and on a turn of calls without `content`. The caller's dicts are not touched.
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
    if not any(map(_needs_adoption, model_input)):
        return model_input
    return [_adopt(item) if _needs_adoption(item) else item for item in model_input]


def _needs_adoption(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    # An assistant's turn of calls has no `content` on the wire, and langchain-core demands one.
    calls = _calls(item)
    bare = bool(calls) and "content" not in item
    return bare or bool(item.get("extra_content")) or any(map(_is_special, calls))


def _is_special(call: Mapping[str, object]) -> bool:
    return any(call.get(key) for key in _CALL_FIELDS) or _lacks_arguments(call)


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
        known["tool_calls"] = [_with_arguments(call) if _lacks_arguments(call) else call for call in calls]
    message = convert_to_messages([known])[0]
    kwargs: dict[str, JsonValue] = dict(message.additional_kwargs)
    if wire.get("extra_content"):
        kwargs["extra_content"] = wire["extra_content"]
    if isinstance(message, AIMessage) and calls:
        kwargs["tool_calls"] = wire["tool_calls"]
    return message.model_copy(update={"additional_kwargs": kwargs})


def _with_arguments(call: Mapping[str, object]) -> dict[str, object]:
    function = cast("Mapping[str, object]", call["function"])
    return {**call, "function": {**function, "arguments": "{}"}}
