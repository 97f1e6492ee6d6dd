"""Bound tools and `tool_choice`, in all of LangChain's spellings, to the wire's `tools` and `tool_choice`.

Its one rule: portable on the wire. Google documents `none`, `auto`, `required` and (Vertex) `validated`, and no
choice of one function by name, so a named choice goes out as that function alone with `required`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from langchain_gemini_compat._request.tool_names import ToolNames
from langchain_gemini_compat._request.typed_dicts import declare_typed_dict, find_typed_dict
from langchain_gemini_compat._schema.functions import compile_parameters, compile_response_schema, find_most_items
from langchain_gemini_compat._schema.references import resolve_pointer
from langchain_gemini_compat._wire.json_types import object_at
from langchain_gemini_compat._wire.notes import Note
from langchain_gemini_compat.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.tools import BaseTool

    from langchain_gemini_compat._catalog.surfaces import Endpoint
    from langchain_gemini_compat._schema.functions import Loss
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue

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
_DECLARATION_KEYS = frozenset(
    {"function", "parameters", "input_schema", "inputSchema", "properties", "title", "toolSpec"}
)
#: Where a declaration stands one deeper: OpenAI's two, and Bedrock's.
_NESTED = ("function", "json_schema", "toolSpec")
#: Where a declaration has its schema: OpenAI, Anthropic, MCP and Bedrock, OpenAI's response format, Google.
_SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema", "schema", "parameters_json_schema", "parametersJsonSchema")
_LISTS_OF_FUNCTIONS = ("function_declarations", "functionDeclarations")
#: What pydantic writes beside a reference at the top.
_BESIDE_TOP = frozenset({"$ref", "$defs", "definitions", "$schema", "title", "description"})
#: Values and no schemas: a `title` in them is the caller's.
_VALUES = frozenset({"default", "const", "enum", "examples", "example"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_NO_STRICT = "`strict` was left out, as Gemini has no such switch."
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


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """A JSON schema, less the name and the description that it is declared with."""

    name: str
    description: str
    schema: JsonObject


def read_schema(schema: object) -> NamedSchema:
    """Any schema LangChain takes, OpenAI's forms around one, and JSON schemas of any type, with a title or without."""
    if isinstance(schema, dict):
        function = _read_declaration(cast("JsonObject", schema))
    else:
        function = object_at(format_tool(cast("type", schema)), "function")
    name, description = function.get("name") or "response", function.get("description") or ""
    return NamedSchema(str(name), str(description), object_at(function, "parameters"))


def format_tool(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> JsonObject:
    """A tool as `bind_tools` keeps it: OpenAI's form, or Google's own dict as it is.

    Dicts of another provider's built-in tools (`{"type": "web_search_…"}`) are kept too: what they are for is
    decided when the endpoint is known. Raises `ValueError` for what is no tool, and for a list of them.
    """
    if not isinstance(tool, dict):
        return _declare(tool)
    google = {_CAMEL_TOOLS.get(name[:1].upper() + name[1:], name): value for name, value in tool.items()}
    if is_google_tool(google):
        return google
    for key in _LISTS_OF_FUNCTIONS:
        if key in tool:
            raise ValueError(
                f"`{key}` is Google's list of functions, and no tool by itself. Pass what is in the list: "
                f"`bind_tools([*tool[{key!r}]])`, and Google's own tools, such as `{{'google_search': {{}}}}`, "
                "as dicts of their own."
            )
    given = cast("JsonObject", tool)
    if tool.get("type") == "function" or (isinstance(tool.get("type"), str) and not tool.keys() & _DECLARATION_KEYS):
        return given
    function = _read_declaration(given)
    if not function.get("name"):
        return cast("JsonObject", convert_to_openai_tool(tool))
    return {"type": "function", "function": function}


def _read_declaration(given: JsonObject) -> JsonObject:
    """A declaration of any API, or a JSON schema, as OpenAI's `name`, `description`, `parameters` and `strict`."""
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
    """A class, a function or a LangChain tool; name and description are LangChain's."""
    if find_typed_dict(tool) is not None:
        declared = declare_typed_dict(tool)
        schema = _drop_texts(_open_top(object_at(declared, "parameters")), "title", "")
        schema.pop("description", None)
        return {"type": "function", "function": {**declared, "parameters": schema}}
    made = cast("JsonObject", convert_to_openai_tool(tool))
    function: JsonObject = {**object_at(made, "function")}
    if not function:
        return made
    found = _read_parameters(tool)
    if found is not None:
        schema = _drop_texts(_open_top(found), "title", "")
        schema.pop("description", None)
        function["parameters"] = schema
    return {"type": "function", "function": function}


def _read_parameters(tool: type | Callable[..., Any] | BaseTool) -> JsonObject | None:
    """The JSON schema of the arguments that a model writes; LangChain's own puts `{}` where a class holds itself.

    `None` where LangChain's has to do.
    """
    # Who binds no tools need not load them.
    from langchain_core.tools import BaseTool, Tool, create_schema_from_function

    if isinstance(tool, BaseTool):
        if isinstance(tool, Tool) and not tool.args_schema:
            return None
        arguments = tool.tool_call_schema
        return cast("JsonObject", arguments) if isinstance(arguments, dict) else _schema_of(arguments)
    if isinstance(tool, type):
        return _schema_of(tool) if is_basemodel_subclass(tool) else None
    name = str(getattr(tool, "__name__", ""))
    # As LangChain itself reads a function.
    read = create_schema_from_function(
        name, tool, filter_args=(), parse_docstring=True, error_on_invalid_docstring=False, include_injected=False
    )
    return _schema_of(read)


def _schema_of(model: type) -> JsonObject:
    """Pydantic 1 has another word for it."""
    if not issubclass(model, BaseModel):
        return cast("JsonObject", cast("Any", model).schema())
    # If a class accepts fields by name only, the model must get the names and not the aliases.
    by_alias = model.model_config.get("validate_by_alias", True) is not False
    return model.model_json_schema(by_alias=by_alias)


def _open_top(schema: JsonObject) -> JsonObject:
    """A reference at the top is opened: pydantic writes one for a class that holds itself."""
    found = resolve_pointer(schema, schema["$ref"]) if schema.keys() <= _BESIDE_TOP and "$ref" in schema else None
    if found is None or not isinstance(found[1], dict) or "$ref" in found[1]:
        return schema
    return {**found[1], **{key: value for key, value in schema.items() if key != "$ref"}}


def _drop_texts(schema: JsonObject, keyword: str, start: str) -> JsonObject:
    """`schema` without the texts of `keyword` that begin with `start`, at any depth."""
    return {
        key: value if key in _VALUES else _drop_texts_below(value, keyword, start)
        for key, value in schema.items()
        if not (key == keyword and isinstance(value, str) and value.startswith(start))
    }


def _drop_texts_below(value: JsonValue, keyword: str, start: str) -> JsonValue:
    if isinstance(value, list):
        return [_drop_texts_below(item, keyword, start) for item in value]
    return _drop_texts(value, keyword, start) if isinstance(value, dict) else value


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
    names = list(dict.fromkeys(names or ()))
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
        chosen = _compile_tools(chosen, names_sent, notes)
    else:
        chosen = [_with_description(tool) for tool in chosen]
    if sent == "validated" and not endpoint.takes_validated_choice:
        notes.append(Note("adjusted", "`tool_choice` 'validated' became 'auto': only Vertex documents it."))
        sent = "auto"
    _note_unsent(choice, sent, chosen, notes)
    return ToolSet(chosen, google, sent if chosen else None, schemas)


def _note_unsent(choice: JsonValue, sent: JsonValue, chosen: Sequence[JsonObject], notes: list[Note]) -> None:
    """A choice that does not go out, where that changes what the model may do."""
    if not choice and choice is not None and choice is not False:
        notes.append(Note("dropped", f"`tool_choice` {choice!r} was left out: it names no tool."))
    elif not chosen and sent not in (None, "auto", "none"):
        notes.append(Note("dropped", "`tool_choice` was left out: no function is bound that it could force."))


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
    """Any schema LangChain takes as a `response_format` of type `json_schema`; ready ones stay as they are."""
    if isinstance(schema, dict) and schema.get("type") in ("json_schema", "json_object", "text"):
        return cast("JsonObject", schema)
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict) and "name" in schema:
        return {"type": "json_schema", "json_schema": cast("JsonObject", schema)}
    named = read_schema(schema)
    # Google documents `name` and `schema`; a description is read as part of the schema.
    described = {"description": named.description, **named.schema} if named.description else named.schema
    return {"type": "json_schema", "json_schema": {"name": named.name, "schema": described}}


def _compile_tools(tools: Sequence[JsonObject], names: ToolNames, notes: list[Note]) -> list[JsonObject]:
    """Return functions in Gemini's form. Their array bounds count together over the request."""
    given = [object_at(object_at(tool, "function"), "parameters") for tool in tools]
    compiled = [compile_parameters(parameters) for parameters in given]
    most = find_most_items(parameters for parameters, _ in compiled if parameters is not None)
    if most is not None:
        compiled = [compile_parameters(parameters, most) for parameters in given]
    strict = [repr(_name_of(tool)) for tool in tools if object_at(tool, "function").get("strict")]
    if strict:
        notes.append(Note("lossy_schema", f"tool {', '.join(strict)}: {_NO_STRICT}"))
    return [
        _declare_compiled(tool, parameters, losses, names, notes)
        for tool, (parameters, losses) in zip(tools, compiled, strict=True)
    ]


def _declare_compiled(
    tool: JsonObject, parameters: JsonObject | None, losses: Sequence[Loss], names: ToolNames, notes: list[Note]
) -> JsonObject:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    notes.extend(_lossy(f"tool {function.get('name')!r}", loss.path, loss.reason) for loss in losses)
    declaration: JsonObject = {"name": names.encode(_name_of(tool))}
    if function.get("description"):
        declaration["description"] = function["description"]
    if parameters is not None:
        declaration["parameters"] = parameters
    return {"type": "function", "function": declaration}


def set_strict(declared: JsonObject, strict: JsonValue) -> JsonObject:
    """Return a tool or a `response_format` with OpenAI's `strict`, if its form has that key.

    OpenAI demands that the objects of a strict schema allow no other members.
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
    """Return the function with a description, empty if it has none: MLflow answers 500 without the key."""
    function = tool.get("function")
    if not isinstance(function, dict) or "description" in function or "name" not in function:
        return tool
    described: JsonObject = {"name": function["name"], "description": ""}
    return {**tool, "function": {**described, **function}}


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
