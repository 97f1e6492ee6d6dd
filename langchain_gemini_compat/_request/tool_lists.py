"""Reads a list of tools in any form, including objects of Google's SDK and Google's lists of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.runnables import Runnable
from pydantic import BaseModel

from langchain_gemini_compat._request.tools import GOOGLE_TOOLS, format_tool
from langchain_gemini_compat._wire.google_types import dump_typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_gemini_compat._wire.json_types import JsonObject

_LISTS_OF_FUNCTIONS = ("function_declarations", "functionDeclarations")


def format_tools(tools: Sequence[object]) -> list[JsonObject]:
    """Return tools in the form that `bind_tools` stores.

    A `Tool` of Google's SDK may contain several functions and several of Google's own tools.
    """
    return [format_tool(cast("type", part)) for tool in tools for part in _split_tool(tool)]


def _read_google_object(tool: BaseModel) -> JsonObject:
    """Convert a `Tool` or a `FunctionDeclaration` of Google's SDK to a dict.

    Raises `ValueError` for other objects, and for a `Tool` with a field that this API is not known to accept.
    """
    given = cast("JsonObject", dump_typed(tool))
    # JSON Schema spells its keywords in camel case, such as `anyOf`. Google's SDK spells them `any_of`.
    wire = cast("JsonObject", dump_typed(tool, camel_case=True))
    if "name" in given and hasattr(tool, "parameters") and hasattr(tool, "response"):
        # The tool is a `FunctionDeclaration`.
        return wire
    unknown = given.keys() - GOOGLE_TOOLS - {"function_declarations"}
    if unknown and hasattr(tool, "function_declarations"):
        names = ", ".join(f"`{name}`" for name in sorted(unknown))
        raise ValueError(
            f"This API is not known to accept tools with {names}. To try such a tool, send it under `google` in "
            "`extra_body`."
        )
    if unknown or not given:
        name = type(tool).__name__
        raise ValueError(f"An instance of `{name}` cannot be bound as a tool. Pass a class or a function instead.")
    functions = wire.get("functionDeclarations")
    return {**given, "function_declarations": functions} if functions else given


def is_formatted(tool: object) -> bool:
    """Return whether a tool is a function in the form that `bind_tools` stores."""
    return isinstance(tool, dict) and tool.get("type") == "function" and "function" in tool


def _split_tool(tool: object) -> list[object]:
    """Return a list with the functions in a `Tool` of Google's SDK or API.

    If the `Tool` also has Google's own tools, such as `google_search`, the last item is a dict with them. For any other
    kind of tool, return a list with only this tool.
    """
    # A pydantic model that is a `Runnable` is a tool of LangChain. Any other pydantic model is read as an object of
    # Google's SDK.
    given = _read_google_object(tool) if isinstance(tool, BaseModel) and not isinstance(tool, Runnable) else tool
    if not isinstance(given, dict):
        return [given]
    parts = cast("dict[str, object]", given)
    lists = [parts[key] for key in _LISTS_OF_FUNCTIONS if isinstance(parts.get(key), (list, tuple))]
    rest = {key: value for key, value in parts.items() if key not in _LISTS_OF_FUNCTIONS}
    functions = [part for one in lists for function in cast("list[object]", one) for part in _split_tool(function)]
    return [*functions, *([rest] if rest or not lists else [])]
