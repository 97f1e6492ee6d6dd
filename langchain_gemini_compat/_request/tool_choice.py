"""Encodes `tool_choice`, which may have the form of LangChain, OpenAI or Google.

Google documents the modes `none`, `auto`, `required` and (Vertex) `validated`. It does not document the choice of a
function by name. So a choice by name declares only that function, with the mode `required`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_gemini_compat._request.tool_names import declared_name
from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Maps the caller's modes to wire modes.
_MODES = {"auto": "auto", "none": "none", "any": "required", "required": "required", "validated": "validated"}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """The functions to declare, and the wire value of `tool_choice`."""

    functions: list[JsonObject]
    choice: JsonValue


def encode_tool_choice(
    choice: JsonValue, functions: Sequence[JsonObject], endpoint: Endpoint, notes: list[Note]
) -> ToolChoice:
    """Return the functions to declare for the choice, and the choice in wire form.

    Raises:
        UnsupportedParameterError: The choice has an unknown form, or requires a function that is not bound.
    """
    names, mode = list(dict.fromkeys(_chosen_names(choice))), _mode_of(choice)
    if choice and not names and mode is None:
        raise UnsupportedParameterError(
            f"`tool_choice` {choice!r} is not a known form. Use 'auto', 'none', 'any', 'required', the name of a tool, "
            "a list of names, or OpenAI's or Google's object."
        )
    chosen, sent = [*functions], mode
    if names:
        chosen, sent = _select(functions, names), mode or "required"
        if not endpoint.speaks_gemini and len(names) == 1:
            # Declare all functions, because the choice already names the chosen one. With the same declarations in each
            # request, the server's prompt cache stays valid.
            return ToolChoice([*functions], {"type": "function", "function": {"name": names[0]}})
    if sent == "validated" and not endpoint.takes_validated_choice:
        notes.append(Note("adjusted", "`tool_choice` 'validated' became 'auto': only Vertex documents 'validated'."))
        sent = "auto"
    if not choice and choice is not None and choice is not False:
        notes.append(Note("dropped", f"`tool_choice` {choice!r} was left out: it is empty."))
    elif not chosen and sent not in (None, "auto", "none"):
        notes.append(Note("dropped", "`tool_choice` was left out: no function is bound that the model could call."))
    return ToolChoice(chosen, sent)


def _mode_of(choice: JsonValue) -> str | None:
    """Return the wire mode of a choice; `None` if it has no known mode."""
    if choice is True:
        return "required"
    if isinstance(choice, str):
        return _MODES.get(choice)
    if not isinstance(choice, dict):
        return None
    config = _open_google_config(choice)
    allowed = config.get("allowed_tools")
    mode = (allowed if isinstance(allowed, dict) else config).get("mode") or config.get("type")
    return _MODES.get(mode) if isinstance(mode, str) else None


def _open_google_config(choice: JsonObject) -> JsonObject:
    """Unwrap Google's `function_calling_config`, with the mode in lowercase. Return other choices unchanged."""
    config = choice.get("function_calling_config")
    if not isinstance(config, dict):
        return choice
    return {**config, "mode": str(config.get("mode")).lower()}


def _chosen_names(choice: JsonValue) -> list[str]:
    """Return the function names that a `tool_choice` contains; an empty list if it contains no names."""
    if isinstance(choice, str):
        return [] if choice in _MODES else [choice]
    if isinstance(choice, list):
        return [str(name) for name in choice]
    if not isinstance(choice, dict):
        return []
    config = _open_google_config(choice)
    function = config.get("function")
    name = function.get("name") if isinstance(function, dict) else config.get("name")
    if isinstance(name, str):
        return [name]
    allowed = object_at(config, "allowed_tools") or config
    listed = allowed.get("tools") or allowed.get("allowed_function_names")
    return [name for item in listed for name in _chosen_names(item)] if isinstance(listed, list) else []


def _select(functions: Sequence[JsonObject], names: Sequence[str]) -> list[JsonObject]:
    by_name = {declared_name(tool): tool for tool in functions}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise UnsupportedParameterError(
            f"`tool_choice` requires {missing[0]!r}, which is not bound. Bind this tool, or choose a bound one: "
            f"{', '.join(by_name) or 'none is bound'}."
        )
    return [by_name[name] for name in names]
