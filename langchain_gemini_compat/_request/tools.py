"""Converts bound tools and response schemas from any form that LangChain accepts to wire form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from langchain_gemini_compat._request.data_classes import declare_dataclass, find_dataclass
from langchain_gemini_compat._request.tool_choice import encode_tool_choice
from langchain_gemini_compat._request.tool_names import ToolNames, declared_name
from langchain_gemini_compat._request.typed_dicts import declare_typed_dict, find_typed_dict
from langchain_gemini_compat._schema.cache import BoundedCache, build_key
from langchain_gemini_compat._schema.functions import compile_all_parameters, compile_response_schema
from langchain_gemini_compat._schema.references import resolve_pointer
from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat._wire.shared_array import SharedArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.tools import BaseTool

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

#: Google's own tools. Each is a dict with one of these keys, and goes under `extra_body.google.tools`.
GOOGLE_TOOLS = frozenset(
    {
        "google_search", "google_search_retrieval", "google_maps", "code_execution", "url_context",
        "enterprise_web_search", "retrieval", "computer_use", "file_search",
    }
)  # fmt: skip
#: Maps the names of Google's tools in camel case, the spelling of Google's JSON API, to the names in snake case.
_CAMEL_TOOLS = {name.title().replace("_", ""): name for name in GOOGLE_TOOLS}
#: A dict with one of these keys declares a function, whatever its `type` is.
_DECLARATION_KEYS = frozenset(
    {"function", "parameters", "input_schema", "inputSchema", "properties", "title", "toolSpec"}
)
#: Keys under which a declaration is nested: OpenAI's function, OpenAI's response format, and Bedrock's tool.
_NESTED = ("function", "json_schema", "toolSpec")
#: A declaration has its JSON schema under one of these keys. They belong to OpenAI, Anthropic, MCP (also Bedrock),
#: OpenAI's response format, and Google (the last two).
_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema", "schema", "parameters_json_schema", "parametersJsonSchema")
#: The only keys that pydantic writes beside a `$ref` at the top of a schema.
_BESIDE_TOP = frozenset({"$ref", "$defs", "definitions", "$schema", "title", "description"})
#: Keywords that contain values and not schemas, so a `title` inside such a value is data.
_VALUES = frozenset({"default", "const", "enum", "examples", "example"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_NO_STRICT = "`strict` was left out: Gemini has no such option."


@dataclass(frozen=True, slots=True)
class ToolSet:
    """Tools in wire form."""

    #: Function declarations.
    functions: list[JsonObject]
    #: Google's own tools.
    google: list[JsonObject]
    #: The wire value of `tool_choice`.
    choice: JsonValue
    #: Maps the wire names of the bound functions to their original parameters.
    schemas: dict[str, JsonObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Declared:
    """The functions of a request in Gemini's form, and the notes on these functions."""

    functions: list[JsonObject]
    notes: tuple[Note, ...]


#: Caches the compiled functions of the latest requests. Each entry has all functions of one request. The package
#: `_schema` also caches each schema, but with that cache alone, a call with 500 tools would take twice as long.
_declared: BoundedCache[_Declared] = BoundedCache(max_entries=256, max_bytes=32 * 2**20)


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """A JSON schema with its name and description as separate fields."""

    name: str
    description: str
    schema: JsonObject


def read_schema(schema: object) -> NamedSchema:
    """Return the name, description and JSON schema of a class, a JSON schema, or an OpenAI wrapper of a schema."""
    if isinstance(schema, dict):
        function = _read_declaration(cast("JsonObject", schema))
    else:
        function = object_at(format_tool(cast("type", schema)), "function")
    name, description = function.get("name") or "response", function.get("description") or ""
    return NamedSchema(str(name), str(description), object_at(function, "parameters"))


def format_tool(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> JsonObject:
    """Return a tool in the form that `bind_tools` stores: OpenAI's declaration, or the dict of a Google tool.

    A dict for another provider's built-in tool, such as `{"type": "web_search_…"}`, is not changed. `encode_tools`
    decides later whether to send it.

    Raises:
        ValueError: `tool` is not a tool.
    """
    if not isinstance(tool, dict):
        return _declare(tool)
    google = {_CAMEL_TOOLS.get(name[:1].upper() + name[1:], name): value for name, value in tool.items()}
    if is_google_tool(google):
        return google
    given = cast("JsonObject", tool)
    if tool.get("type") == "function" or (isinstance(tool.get("type"), str) and not tool.keys() & _DECLARATION_KEYS):
        return given
    function = _read_declaration(given)
    if not function.get("name"):
        return cast("JsonObject", convert_to_openai_tool(tool))
    return {"type": "function", "function": function}


def _read_declaration(given: JsonObject) -> JsonObject:
    """Convert a declaration in the form of any API, or a JSON schema, to OpenAI's function object."""
    inner = _first_object(given, _NESTED) or given
    schema = _first_object(inner, _SCHEMA_KEYS)
    if schema is not None and "toolSpec" in given:
        schema = object_at(schema, "json")
    if schema is None and ("name" not in inner or "properties" in inner):
        inner = _open_top(inner)
        schema = {key: value for key, value in inner.items() if key not in ("title", "name", "description")}
        inner = {**inner, "name": inner.get("title") or inner.get("name")}
    function: JsonObject = {key: inner[key] for key in ("name", "description", "strict") if inner.get(key) is not None}
    return {**function, "parameters": _open_top(schema)} if schema else function


def _first_object(given: JsonObject, keys: Sequence[str]) -> JsonObject | None:
    for key in keys:
        value = given.get(key)
        if isinstance(value, dict):
            return value
    return None


def _declare(tool: type | Callable[..., Any] | BaseTool) -> JsonObject:
    """Return OpenAI's declaration of a class, a function or a LangChain tool.

    The name and description are the same as in LangChain's own declaration.
    """
    # Imported here so that importing the package stays fast.
    from langchain_core.tools import BaseTool

    if find_dataclass(tool) is not None:
        declared = declare_dataclass(tool)
        return _build_declaration(declared, object_at(declared, "parameters"))
    if find_typed_dict(tool) is not None:
        declared = declare_typed_dict(tool)
        return _build_declaration(declared, object_at(declared, "parameters"))
    if isinstance(tool, BaseTool):
        found = _read_tool_schema(tool)
        if found is not None:
            # `convert_to_openai_tool` is not called here, because it converts the schema and takes longer. This time
            # matters, because agents bind their tools at each step.
            found = _open_top(found)
            description = tool.description or found.get("description") or ""
            return _build_declaration(
                {"name": tool.name or found.get("title") or "", "description": description}, found
            )
        return cast("JsonObject", convert_to_openai_tool(tool))
    made = cast("JsonObject", convert_to_openai_tool(tool))
    found = _read_parameters(tool)
    return made if found is None else _build_declaration(object_at(made, "function"), found)


def _build_declaration(function: JsonObject, parameters: JsonObject) -> JsonObject:
    """Return the declaration of a function. Titles and the description at the top of `parameters` are left out."""
    schema = _drop_titles(_open_top(parameters))
    schema.pop("description", None)
    return {"type": "function", "function": {**function, "parameters": schema}}


def _read_tool_schema(tool: BaseTool) -> JsonObject | None:
    """Return the JSON schema of a LangChain tool's arguments; `None` if only LangChain can declare the tool."""
    from langchain_core.tools import Tool

    if isinstance(tool, Tool) and (not tool.args_schema or (tool.metadata or {}).get("type") == "custom_tool"):
        return None
    arguments = tool.tool_call_schema
    if isinstance(arguments, dict):
        return cast("JsonObject", arguments)
    try:
        return _schema_of(arguments)
    except PydanticInvalidForJsonSchema:
        # Pydantic cannot describe the arguments as a JSON schema. The caller then passes the tool to LangChain's own
        # conversion, whose error explains the problem.
        return None


def _read_parameters(tool: type | Callable[..., Any]) -> JsonObject | None:
    """Return the JSON schema of a pydantic class, or of a function's arguments; `None` for other classes.

    LangChain's own schema is not used, because it has `{}` in place of a class that contains itself.
    """
    from langchain_core.tools import create_schema_from_function

    if isinstance(tool, type):
        return _schema_of(tool) if is_basemodel_subclass(tool) else None
    name = str(getattr(tool, "__name__", ""))
    # These are the arguments that `convert_to_openai_function` of langchain-core passes to this function.
    read = create_schema_from_function(
        name, tool, filter_args=(), parse_docstring=True, error_on_invalid_docstring=False, include_injected=False
    )
    return _schema_of(read)


def _schema_of(model: type) -> JsonObject:
    """Return the JSON schema of a pydantic 1 or pydantic 2 class."""
    if not issubclass(model, BaseModel):
        return cast("JsonObject", cast("Any", model).schema())
    # If a class accepts its fields only by name, the schema must have the names instead of the aliases.
    if model.model_config.get("validate_by_alias", True) is False:
        return model.model_json_schema(by_alias=False)
    # Pass no arguments: LangChain's tool classes cache their schema only for calls without arguments.
    return model.model_json_schema()


def _open_top(schema: JsonObject) -> JsonObject:
    """Return the schema with a `$ref` at the top replaced by its target.

    Pydantic writes such a `$ref` for a class that contains itself.
    """
    found = resolve_pointer(schema, schema["$ref"]) if schema.keys() <= _BESIDE_TOP and "$ref" in schema else None
    if found is None or not isinstance(found[1], dict) or "$ref" in found[1]:
        return schema
    return {**found[1], **{key: value for key, value in schema.items() if key != "$ref"}}


def _drop_titles(schema: JsonObject) -> JsonObject:
    """Return a copy of `schema` without titles, at any depth. A property that is named `title` stays."""
    kept: JsonObject = {}
    for key, value in schema.items():
        if isinstance(value, str):
            if key != "title":
                kept[key] = value
        elif key in _VALUES:
            kept[key] = _copy(value)
        elif isinstance(value, dict):
            kept[key] = _drop_titles(value)
        else:
            kept[key] = _drop_titles_below(value) if isinstance(value, list) else value
    return kept


def _drop_titles_below(items: list[JsonValue]) -> list[JsonValue]:
    return [
        _drop_titles(item) if isinstance(item, dict) else _drop_titles_below(item) if isinstance(item, list) else item
        for item in items
    ]


def _copy(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def is_google_tool(tool: dict[str, Any]) -> bool:
    """Return whether a dict is one of Google's own tools."""
    return bool(tool) and tool.keys() <= GOOGLE_TOOLS


def build_tool_names(tools: Sequence[JsonObject], endpoint: Endpoint, notes: list[Note]) -> ToolNames:
    """Return the wire names of the bound tools for `endpoint`. Each changed name adds a note."""
    functions = (_nest(tool) for tool in tools if not is_google_tool(tool))
    bound = [declared_name(tool) for tool in functions if isinstance(tool.get("function"), dict)]
    return ToolNames(bound, notes, restricted=endpoint.speaks_gemini)


def encode_tools(
    tools: Sequence[JsonObject],
    choice: JsonValue,
    endpoint: Endpoint,
    notes: list[Note],
    names: ToolNames | None = None,
) -> ToolSet:
    """Return the bound tools in the form that `endpoint` accepts.

    Args:
        tools: Tools in the form that `format_tool` returns.
        choice: The caller's `tool_choice`.
        endpoint: The surface, host and model.
        notes: The list that gets a note for each change.
        names: The wire names, if they are already known.

    Raises:
        UnsupportedParameterError: The choice has an unknown form, or requires a function that is not bound.
    """
    google = [tool for tool in tools if is_google_tool(tool)]
    functions = [_nest(tool) for tool in tools if not is_google_tool(tool)]
    names = names or build_tool_names(tools, endpoint, notes)
    schemas = _schemas_of(functions, names)
    if endpoint.speaks_gemini:
        functions = _keep_declarable(functions, notes)
    chosen = encode_tool_choice(choice, functions, endpoint, notes)
    if endpoint.speaks_gemini:
        declared = _compile_tools(chosen.functions, names, notes)
    else:
        declared = [_with_description(tool) for tool in chosen.functions]
    return ToolSet(declared, google, chosen.choice if declared else None, schemas)


def _schemas_of(functions: Sequence[JsonObject], names: ToolNames) -> dict[str, JsonObject]:
    schemas: dict[str, JsonObject] = {}
    for tool in functions:
        parameters = object_at(tool, "function").get("parameters")
        if isinstance(parameters, dict):
            schemas.setdefault(names.encode(declared_name(tool)), parameters)
    return schemas


def _nest(tool: JsonObject) -> JsonObject:
    """Convert a declaration from the flat form of OpenAI's Responses API to the nested form of Chat Completions."""
    if tool.get("type") != "function" or "function" in tool:
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _keep_declarable(tools: Sequence[JsonObject], notes: list[Note]) -> list[JsonObject]:
    """Return the functions without duplicate names, and without the built-in tools of other providers."""
    kept: dict[str, JsonObject] = {}
    for tool in tools:
        name = declared_name(tool)
        if not isinstance(tool.get("function"), dict):
            kind = tool.get("type")
            own = 'Google has its own, such as `{"google_search": {}}`'
            notes.append(Note("dropped", f"The built-in tool {kind!r} was left out: {own}."))
        elif name not in kept:
            kept[name] = tool
        elif kept[name] != tool:
            notes.append(Note("dropped", f"The second of two tools named {name!r} was left out."))
    return list(kept.values())


def encode_response_format(response_format: object, endpoint: Endpoint, notes: list[Note]) -> JsonObject:
    """Convert any schema, or any `response_format` dict, to the `response_format` field for `endpoint`."""
    form = format_response_schema(response_format)
    inner = form.get("json_schema")
    if not endpoint.speaks_gemini:
        return form
    if not isinstance(inner, dict):
        return form
    if inner.get("strict"):
        notes.append(Note("lossy_schema", f"response schema {inner.get('name')!r}: {_NO_STRICT}"))
    schema = inner.get("schema")
    compiled, losses = compile_response_schema(schema if isinstance(schema, dict) else {})
    notes.extend(_lossy(f"response schema {inner.get('name')!r}", loss.path, loss.reason) for loss in losses)
    return {"type": "json_schema", "json_schema": {"name": inner.get("name") or "response", "schema": compiled}}


def format_response_schema(schema: object) -> JsonObject:
    """Convert any schema to a `response_format` of type `json_schema`. A `response_format` dict is not changed."""
    if isinstance(schema, dict) and schema.get("type") in ("json_schema", "json_object", "text"):
        return cast("JsonObject", schema)
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict) and "name" in schema:
        return {"type": "json_schema", "json_schema": cast("JsonObject", schema)}
    named = read_schema(schema)
    # The description goes into the schema, because Google documents only the keys `name` and `schema`.
    described = {"description": named.description, **named.schema} if named.description else named.schema
    return {"type": "json_schema", "json_schema": {"name": named.name, "schema": described}}


def _compile_tools(tools: Sequence[JsonObject], names: ToolNames, notes: list[Note]) -> list[JsonObject]:
    """Return functions in Gemini's form. The list is cached for further requests with equal functions."""
    wire_names = tuple(names.encode(declared_name(tool)) for tool in tools)
    exact = build_key([*tools])
    key = exact, wire_names
    found = None if exact is None else _declared.get(key)
    if found is None:
        found = _declare_all(tools, wire_names)
        if exact is not None:
            _declared.add(key, found, 5 * len(exact) + sum(200 + len(note.message) for note in found.notes))
    notes.extend(found.notes)
    return found.functions


def _declare_all(tools: Sequence[JsonObject], wire_names: Sequence[str]) -> _Declared:
    given = [object_at(tool, "function") for tool in tools]
    compiled = compile_all_parameters([object_at(function, "parameters") for function in given])
    strict = [repr(declared_name(tool)) for tool in tools if object_at(tool, "function").get("strict")]
    notes = [Note("lossy_schema", f"tool {', '.join(strict)}: {_NO_STRICT}")] if strict else []
    functions: list[JsonObject] = []
    for function, name, (parameters, losses) in zip(given, wire_names, compiled, strict=True):
        notes.extend(_lossy(f"tool {function.get('name')!r}", loss.path, loss.reason) for loss in losses)
        declaration: JsonObject = {"name": name}
        if function.get("description"):
            declaration["description"] = _copy(function["description"])
        if parameters is not None:
            declaration["parameters"] = parameters
        functions.append({"type": "function", "function": declaration})
    return _Declared(cast("list[JsonObject]", SharedArray(functions)), tuple(notes))


def set_strict(declared: JsonObject, strict: JsonValue) -> JsonObject:
    """Return a copy of a function or `response_format` with OpenAI's key `strict`. Return other tools unchanged.

    With `strict=True`, each object of the schema also gets `additionalProperties: false`, as OpenAI requires.
    """
    nested = _nest(declared)
    for key, place in (("function", "parameters"), ("json_schema", "schema")):
        inner = nested.get(key)
        if strict is None or not isinstance(inner, dict):
            continue
        schema = inner.get(place)
        closed: JsonObject = {place: _close_objects(schema)} if strict is True and isinstance(schema, dict) else {}
        return {**nested, key: {**inner, **closed, "strict": strict}}
    return declared


def _close_objects(schema: JsonObject) -> JsonObject:
    closed: JsonObject = {
        key: value if key in _VALUES else _close_below(value, names=key in _MAPS_OF_SCHEMAS)
        for key, value in schema.items()
    }
    return closed if "properties" not in schema else {**closed, "additionalProperties": False}


def _close_below(value: JsonValue, *, names: bool) -> JsonValue:
    if isinstance(value, list):
        return [_close_below(item, names=False) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _close_below(inner, names=False) for key, inner in value.items()} if names else _close_objects(value)


def _with_description(tool: JsonObject) -> JsonObject:
    """Return the function with a `description`, which may be empty. MLflow answers 500 if the key is missing."""
    function = tool.get("function")
    if not isinstance(function, dict) or "description" in function or "name" not in function:
        return tool
    described: JsonObject = {"name": function["name"], "description": ""}
    return {**tool, "function": {**described, **function}}


def _lossy(what: str, path: str, reason: str) -> Note:
    return Note("lossy_schema", f"{what} at {path or '/'}: {reason}")
