"""Bound tools and `tool_choice`, in all of LangChain's spellings, to the wire's `tools` and `tool_choice`.

Its one rule: portable on the wire. Google documents `none`, `auto`, `required` and (Vertex) `validated`, and no
choice of one function by name, so a named choice goes out as that function alone with `required`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_gemini_compat._notes import Note
from langchain_gemini_compat._schema import compile_parameters, compile_response_schema
from langchain_gemini_compat._tool_names import ToolNames
from langchain_gemini_compat._wire import object_at
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.tools import BaseTool

    from langchain_gemini_compat._surfaces import Endpoint
    from langchain_gemini_compat._wire import JsonObject, JsonValue

#: Google's native tools, by the one key each has; they go under `extra_body.google.tools`.
GOOGLE_TOOLS = frozenset(
    {
        "google_search", "google_search_retrieval", "google_maps", "code_execution", "url_context",
        "enterprise_web_search", "retrieval", "computer_use", "file_search",
    }
)  # fmt: skip
#: The same as the JSON of Google's native API spells them.
_CAMEL_TOOLS = {name.title().replace("_", ""): name for name in GOOGLE_TOOLS}
_OWN = '`{"google_search": {}}` among them'
#: A dict with one of these declares a function, whatever its `type` says.
_DECLARATION_KEYS = frozenset({"function", "parameters", "input_schema", "properties", "title", "toolSpec"})
_CHOICES = {"auto": "auto", "none": "none", "any": "required", "required": "required", "validated": "validated"}


@dataclass(frozen=True, slots=True)
class ToolSet:
    """What goes out: function declarations, Google's own tools, and the choice among them.

    `schemas` are the original parameters of the bound functions, by their names on the wire.
    """

    functions: list[JsonObject]
    google: list[JsonObject]
    choice: JsonValue
    schemas: dict[str, JsonObject] = field(default_factory=dict)


def format_tool(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> JsonObject:
    """A tool as `bind_tools` keeps it: OpenAI's form, or Google's own dict as it is.

    Dicts of another provider's built-in tools (`{"type": "web_search_…"}`) are kept too: what they are for is
    decided when the endpoint is known.
    """
    if isinstance(tool, dict):
        google = {_CAMEL_TOOLS.get(name[:1].upper() + name[1:], name): value for name, value in tool.items()}
        if is_google_tool(google):
            return google
        if isinstance(tool.get("type"), str) and not tool.keys() & _DECLARATION_KEYS:
            return cast("JsonObject", tool)
    return cast("JsonObject", convert_to_openai_tool(tool))


def is_google_tool(tool: dict[str, Any]) -> bool:
    """Whether a dict is one of Google's native tools."""
    return bool(tool) and set(tool) <= GOOGLE_TOOLS


def build_tool_names(tools: Sequence[JsonObject], endpoint: Endpoint, notes: list[Note]) -> ToolNames:
    """The names of bound tools as they go to `endpoint`."""
    functions = (_nest(tool) for tool in tools if not is_google_tool(tool))
    bound = [_name_of(tool) for tool in functions if isinstance(tool.get("function"), dict)]
    return ToolNames(bound, notes, restricted=endpoint.speaks_gemini)


def encode_tools(
    tools: Sequence[JsonObject],
    choice: JsonValue,
    endpoint: Endpoint,
    notes: list[Note],
    names_sent: ToolNames | None = None,
) -> ToolSet:
    """Bound tools for `endpoint`; raises `UnsupportedParameterError` for a choice of a tool that is not bound."""
    google = [tool for tool in tools if is_google_tool(tool)]
    functions = [_nest(tool) for tool in tools if not is_google_tool(tool)]
    names_sent = names_sent or build_tool_names(tools, endpoint, notes)
    schemas = _schemas_of(functions, names_sent)
    if endpoint.speaks_gemini:
        functions = _declarable(functions, notes)
    names, word = _chosen_names(choice), _choice_word(choice)
    if choice and not names and word is None:
        raise UnsupportedParameterError(
            f"`tool_choice` {choice!r} says nothing that is known. Use 'auto', 'none', 'any', 'required', the name of "
            "a tool, a list of names, or OpenAI's or Google's object."
        )
    chosen = functions
    sent: JsonValue = word
    if names:
        chosen = _choose(functions, names)
        sent = word or "required"
        if not endpoint.speaks_gemini and len(names) == 1:
            # OpenAI's own form leaves the other tools in sight, and with them the prompt's cache.
            chosen, sent = functions, _named(names[0])
    if endpoint.speaks_gemini:
        chosen = [_compile_tool(tool, names_sent, notes) for tool in chosen]
    if sent == "validated" and endpoint.surface == "ai_studio":
        notes.append(Note("adjusted", "`tool_choice` 'validated' became 'auto': only Vertex documents it."))
        sent = "auto"
    return ToolSet(chosen, google, sent if chosen else None, schemas)


def _schemas_of(functions: Sequence[JsonObject], names: ToolNames) -> dict[str, JsonObject]:
    schemas: dict[str, JsonObject] = {}
    for tool in functions:
        parameters = object_at(tool, "function").get("parameters")
        if isinstance(parameters, dict):
            schemas.setdefault(names.encode(_name_of(tool)), parameters)
    return schemas


def _nest(tool: JsonObject) -> JsonObject:
    """The flat declaration of OpenAI's Responses API as one of Chat Completions; others as they are."""
    if tool.get("type") != "function" or "function" in tool:
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _declarable(tools: Sequence[JsonObject], notes: list[Note]) -> list[JsonObject]:
    """Functions, each name once; built-in tools of other providers do not exist at Google."""
    kept: dict[str, JsonObject] = {}
    for tool in tools:
        name = _name_of(tool)
        if not isinstance(tool.get("function"), dict):
            kind = tool.get("type")
            notes.append(Note("dropped", f"The built-in tool {kind!r} was left out: Google has its own, {_OWN}."))
        elif name not in kept:
            kept[name] = tool
        elif kept[name] != tool:
            notes.append(Note("dropped", f"Of two tools named {name!r} the second was left out."))
    return list(kept.values())


def encode_response_format(response_format: object, endpoint: Endpoint, notes: list[Note]) -> JsonObject:
    """OpenAI's `response_format` for `endpoint`: a dict of that form, or a pydantic class or other schema."""
    form = format_response_schema(response_format)
    inner = form.get("json_schema")
    if not endpoint.speaks_gemini or not isinstance(inner, dict):
        return form
    schema = inner.get("schema")
    compiled, losses = compile_response_schema(schema if isinstance(schema, dict) else {})
    notes.extend(_lossy(f"response schema {inner.get('name')!r}", loss.path, loss.reason) for loss in losses)
    return {"type": "json_schema", "json_schema": {"name": inner.get("name") or "response", "schema": compiled}}


def format_response_schema(schema: object) -> JsonObject:
    """Any schema LangChain takes as a `response_format` of type `json_schema`; ready ones stay as they are."""
    if isinstance(schema, dict) and schema.get("type") in ("json_schema", "json_object", "text"):
        return cast("JsonObject", schema)
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict) and "name" in schema:
        return {"type": "json_schema", "json_schema": cast("JsonObject", schema)}
    if isinstance(schema, dict) and not schema.keys() & {"title", "name", "function", "toolSpec"}:
        schema = {"title": "response", **schema}
    function = cast("JsonObject", convert_to_openai_tool(cast("type", schema))["function"])
    inner: JsonObject = {"name": function["name"], "schema": function.get("parameters") or {}}
    if function.get("description"):
        # Google documents `name` and `schema`; a description is read as part of the schema.
        inner["schema"] = {"description": function["description"], **object_at(inner, "schema")}
    return {"type": "json_schema", "json_schema": inner}


def _compile_tool(tool: JsonObject, names: ToolNames, notes: list[Note]) -> JsonObject:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    parameters = function.get("parameters")
    compiled, losses = compile_parameters(parameters if isinstance(parameters, dict) else {})
    notes.extend(_lossy(f"tool {function.get('name')!r}", loss.path, loss.reason) for loss in losses)
    declaration: JsonObject = {"name": names.encode(_name_of(tool))}
    if function.get("description"):
        declaration["description"] = function["description"]
    if compiled is not None:
        declaration["parameters"] = compiled
    return {"type": "function", "function": declaration}


def _lossy(what: str, path: str, reason: str) -> Note:
    return Note("lossy_schema", f"{what} at {path or '/'}: {reason}")


def _choice_word(choice: JsonValue) -> str | None:
    if choice is True:
        return "required"
    if isinstance(choice, str):
        return _CHOICES.get(choice)
    if not isinstance(choice, dict):
        return None
    choice = _unwrap_choice(choice)
    allowed = choice.get("allowed_tools")
    kind = (allowed if isinstance(allowed, dict) else choice).get("mode") or choice.get("type")
    return _CHOICES.get(kind) if isinstance(kind, str) else None


def _unwrap_choice(choice: JsonObject) -> JsonObject:
    """Google's own spelling is one deeper, and in capitals."""
    config = choice.get("function_calling_config")
    if not isinstance(config, dict):
        return choice
    return {**config, "mode": str(config.get("mode")).lower()}


def _chosen_names(choice: JsonValue) -> list[str] | None:
    """The functions that a choice names; `None` where it names none."""
    if isinstance(choice, str) and choice not in _CHOICES:
        return [choice]
    if isinstance(choice, list):
        return [str(name) for name in choice]
    if not isinstance(choice, dict):
        return None
    choice = _unwrap_choice(choice)
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else choice.get("name")
    if isinstance(name, str):
        return [name]
    allowed = object_at(choice, "allowed_tools") or choice
    listed = allowed.get("tools") or allowed.get("allowed_function_names")
    return [name for item in listed for name in _chosen_names(item) or []] if isinstance(listed, list) else None


def _choose(functions: Sequence[JsonObject], names: Sequence[str]) -> list[JsonObject]:
    by_name = {_name_of(tool): tool for tool in functions}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise UnsupportedParameterError(
            f"`tool_choice` names {missing[0]!r}, which is not bound. Bound: {', '.join(by_name) or 'nothing'}."
        )
    return [by_name[name] for name in names]


def _name_of(tool: JsonObject) -> str:
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name"))


def _named(name: str) -> JsonObject:
    return {"type": "function", "function": {"name": name}}
