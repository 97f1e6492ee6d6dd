"""Check `tools`, `tool_choice` and `response_format`. Only what Google documents is accepted.

Sources: Google's pages on OpenAI compatibility,
https://ai.google.dev/gemini-api/docs/openai and
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/migrate/openai/overview
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_objects, as_text, read_path
from langchain_gemini_compat.testing._rules.schemas import check_function_name, check_parameters, find_recursion
from langchain_gemini_compat.testing._rules.violations import INVALID_ARGUMENT, Violation, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue, Surface

_FUNCTION_KEYS = frozenset({"name", "description", "parameters"})
_CHOICES = ("none", "auto", "required")


def check_tools(body: JsonObject, surface: Surface) -> Iterator[Violation]:
    """Yield all violations in the declared tools, the tool choice and the response format."""
    tools = body.get("tools")
    if tools is not None:
        if not isinstance(tools, list) or not tools:
            yield Violation("empty-tools", INVALID_ARGUMENT, "`tools` is empty or not a list. Leave `tools` out.")
        names: set[str] = set()
        for number, tool in enumerate(as_list(tools)):
            yield from _check_tool(as_object(tool), number, surface)
            name = as_text(read_path(tool, "function", "name"))
            if name in names:
                yield Violation("function-twice", f"Duplicate function declaration found: {name}")
            names.add(name)
    yield from _check_choice(body, surface)
    yield from _check_response_format(body.get("response_format"))


def ignored_function_keys(body: JsonObject) -> list[str]:
    """Return the paths of keys in function declarations that Vertex AI ignores, such as `strict`."""
    found: list[str] = []
    for number, tool in enumerate(as_objects(body.get("tools"))):
        extra = as_object(tool.get("function")).keys() - _FUNCTION_KEYS
        found.extend(f"tools[{number}].function.{key}" for key in sorted(extra))
    return found


def _check_tool(tool: JsonObject, number: int, surface: Surface) -> Iterator[Violation]:
    for key in sorted(tool.keys() - {"type", "function"}):
        hint = "`tools` accepts functions only. Send Google's own tools in `extra_body.google.tools`."
        yield unknown_field(key, f"tools[{number}]", hint)
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        yield Violation(
            "tool-type", INVALID_ARGUMENT, 'Each entry of `tools` has to be `{"type": "function", "function": {…}}`.'
        )
        return
    if surface == "ai_studio":
        for key in sorted(function.keys() - _FUNCTION_KEYS):
            yield unknown_field(
                key,
                f"tools[{number}].function",
                "AI Studio refuses unknown keys in function declarations. Leave this key out.",
            )
    place = f"tools[0].function_declarations[{number}]"
    yield from check_function_name(as_text(function.get("name")), place)
    if "parameters" in function:
        yield from check_parameters(function["parameters"], f"{place}.parameters")


def _check_choice(body: JsonObject, surface: Surface) -> Iterator[Violation]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    choices = (*_CHOICES, "validated") if surface == "vertex" else _CHOICES
    if choice not in choices:
        hint = (
            f"`tool_choice` is one of {', '.join(choices)}. To force one function, declare only this function and send "
            "`required`."
        )
        yield Violation("tool-choice", INVALID_ARGUMENT, hint)
    elif choice in ("required", "validated") and not body.get("tools"):
        message = "Function calling config is set without function_declarations."
        yield Violation("tool-choice", message, "Declare a tool, or leave `tool_choice` out.")


def _check_response_format(response_format: JsonValue) -> Iterator[Violation]:
    if response_format is None:
        return
    kind = as_text(read_path(response_format, "type"))
    if not kind:
        yield Violation("response-format", INVALID_ARGUMENT, "`response_format` has to be an object with a `type`.")
    if kind == "json_schema":
        schema = read_path(response_format, "json_schema", "schema")
        if not isinstance(schema, dict):
            yield Violation("response-format", INVALID_ARGUMENT, "`json_schema.schema` is missing. Add the schema.")
        recursion = find_recursion(schema)
        if recursion:
            hint = f"{recursion} contains itself. Vertex AI does not accept such a schema."
            yield Violation("response-format", INVALID_ARGUMENT, hint)
