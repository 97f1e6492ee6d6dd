"""Tests of tools, `tool_choice` and response formats: each form that LangChain accepts has one wire form."""

from contextlib import nullcontext
from typing import Annotated

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import InjectedToolArg, StructuredTool, tool
from outgoing import GOOGLE, PLACES, SURFACES, broken_rules, build, endpoint, notes, send
from pydantic import BaseModel, Field
from typing_extensions import TypedDict
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._request.tools import encode_tools, format_response_schema, format_tool
from langchain_gemini_compat.errors import GeminiCompatWarning, UnsupportedParameterError


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("surface", SURFACES)
def test_googles_form_of_a_choice_is_read(surface):
    """The form is `tool_config` of Google's own API."""
    tools = [format_tool(add), format_tool(now)]
    for config, sent in (
        ({"mode": "ANY", "allowed_function_names": ["add"]}, ["add"]),
        ({"mode": "NONE"}, "none"),
        ({"mode": "auto"}, "auto"),
        ({"mode": "ANY"}, "required"),
    ):
        made = encode_tools(tools, {"function_calling_config": config}, endpoint(surface), [])
        if isinstance(sent, list):
            names = [item["function"]["name"] for item in made.functions]
            assert made.choice in ("required", {"type": "function", "function": {"name": "add"}})
            assert names == sent or surface == "openai_compatible"
        else:
            assert made.choice == sent


@pytest.mark.parametrize("choice", [5, {"foo": 1}, {"function_calling_config": {"mode": "maybe"}}])
def test_unknown_choice_raises(choice):
    """If an unknown choice were ignored, the model could call any tool."""
    with pytest.raises(UnsupportedParameterError, match="tool_choice"):
        encode_tools([format_tool(add)], choice, endpoint("ai_studio"), [])


@tool
def now() -> str:
    """Tell the time."""
    return "noon"


class Weather(BaseModel):
    """Look up the weather."""

    city: str = Field(description="Its name.")


TOOLS = [format_tool(item) for item in (add, now, Weather)]


def names(payload):
    return [item["function"]["name"] for item in payload.get("tools", [])]


def request(surface="vertex", tools=TOOLS, **options):
    """Return a request with tools, after a check against the fake endpoint's rules for Google."""
    made = build([HumanMessage("Hi.")], surface, tools=tools, **options)
    if surface != "openai_compatible":
        assert broken_rules(made.payload, surface) == []
    return made


ALL = ["add", "now", "Weather"]
#: Each value has five items: the caller's `tool_choice`, then the tools and the `tool_choice` of a request to Google,
#: and then those of a request to another server.
CHOICES = {
    "none given": (None, ALL, None, ALL, None),
    "auto": ("auto", ALL, "auto", ALL, "auto"),
    "none": ("none", ALL, "none", ALL, "none"),
    "any": ("any", ALL, "required", ALL, "required"),
    "required": ("required", ALL, "required", ALL, "required"),
    "True": (True, ALL, "required", ALL, "required"),
    "False": (False, ALL, None, ALL, None),
    "no names": ([], ALL, None, ALL, None),
    "name": ("now", ["now"], "required", ALL, {"type": "function", "function": {"name": "now"}}),
    "list of one": (["now"], ["now"], "required", ALL, {"type": "function", "function": {"name": "now"}}),
    "list of two": (["Weather", "add"], ["Weather", "add"], "required", ["Weather", "add"], "required"),
    "OpenAI's object": (
        {"type": "function", "function": {"name": "now"}},
        ["now"], "required", ALL, {"type": "function", "function": {"name": "now"}},
    ),
    "OpenAI's flat object": (
        {"type": "function", "name": "now"},
        ["now"], "required", ALL, {"type": "function", "function": {"name": "now"}},
    ),
    "Anthropic's any": ({"type": "any"}, ALL, "required", ALL, "required"),
    "Anthropic's auto": ({"type": "auto", "disable_parallel_tool_use": True}, ALL, "auto", ALL, "auto"),
    "Anthropic's tool": (
        {"type": "tool", "name": "now"}, ["now"], "required", ALL, {"type": "function", "function": {"name": "now"}},
    ),
    "allowed tools, one of them": (
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "add"}}, {"type": "function", "function": {"name": "now"}}]}},
        ["add", "now"], "required", ["add", "now"], "required",
    ),
    "allowed tools, at will": (
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"},
                                                            {"type": "function", "name": "now"}]},
        ["add", "now"], "auto", ["add", "now"], "auto",
    ),
}  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("case", CHOICES)
def test_each_form_of_a_choice_has_one_form_on_the_wire(case, surface):
    """Google documents no way to choose a tool by its name.

    So a request to Google declares only the chosen tool, with `tool_choice="required"`.
    """
    choice, at_google, word, elsewhere, form = CHOICES[case]
    payload = request(surface, tool_choice=choice).payload
    expected = (elsewhere, form) if surface == "openai_compatible" else (at_google, word)
    assert (names(payload), payload.get("tool_choice")) == expected


@pytest.mark.parametrize("case", CHOICES)
def test_bind_tools_takes_each_form_of_a_choice(case):
    """A request with `bind_tools` has the tools and the `tool_choice` that the table `CHOICES` lists."""
    choice, at_google, word, *_ = CHOICES[case]
    wire = Wire(completion())
    chat = ChatGeminiCompat(model="gemini-3.8-flash", **PLACES["vertex"], **wire.clients)
    bound = chat.bind_tools([add, now, Weather], tool_choice=choice, strict=True)
    with pytest.warns(GeminiCompatWarning, match="it is empty") if choice == [] else nullcontext():
        bound.invoke("Hi.")
    (body,) = wire.bodies
    assert (names(body), body.get("tool_choice")) == (at_google, word)


def test_validated_is_sent_to_vertex_only():
    """Google documents `validated` only for Vertex. AI Studio gets `auto`."""
    assert request("vertex", tool_choice="validated").payload["tool_choice"] == "validated"
    studio = request("ai_studio", tool_choice="validated")
    assert studio.payload["tool_choice"] == "auto"
    assert len(notes(studio, "adjusted")) == 1


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("choice", ["nothing", ["add", "nothing"], {"type": "tool", "name": "nothing"}])
def test_choice_of_an_unbound_tool_raises(choice, surface):
    """The error names the bound tools, and nothing is sent."""
    with pytest.raises(
        UnsupportedParameterError,
        match=r"requires 'nothing', which is not bound\. Bind this tool, or choose a bound one: add, now, Weather",
    ):
        request(surface, tool_choice=choice)


@pytest.mark.parametrize("surface", SURFACES)
def test_empty_tools_are_not_sent(surface):
    """Google refuses `tools: []`, so this key is left out. Without tools, `tool_choice` is left out as well."""
    made = request(surface, tools=[], tool_choice="any")
    assert made.payload.keys() & {"tools", "tool_choice"} == set()
    assert notes(made, "dropped") == ["`tool_choice` was left out: no tool is bound."]
    assert request(surface, tools=[], tool_choice="auto").notes == ()


@pytest.mark.parametrize("surface", GOOGLE)
def test_declarations_have_only_keys_that_google_knows(surface):
    """`strict`, keywords of JSON Schema that Google refuses, and empty `parameters` are left out."""
    strict = {"type": "function", "function": {**TOOLS[0]["function"], "strict": True}, "cache_control": {}}
    payload = request(surface, tools=[strict, TOOLS[1]]).payload
    assert payload["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "add",
                "description": "Add two numbers.",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                    "required": ["a", "b"],
                },
            },
        },
        {"type": "function", "function": {"name": "now", "description": "Tell the time."}},
    ]


def test_lossy_schema_is_noted_with_the_name_of_the_tool():
    """`preview()` shows which parts of the schema the server does not check."""
    schema = {"type": "object", "properties": {"x": {"type": "string", "not": {"const": "a"}}}}
    made = request(tools=[{"type": "function", "function": {"name": "f", "parameters": schema}}])
    assert made.payload["tools"][0]["function"]["name"] == "f"
    assert all(note.startswith("tool 'f' at /") for note in notes(made, "lossy_schema"))
    assert notes(made, "lossy_schema")


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("spelling", [{"google_search": {}}, {"googleSearch": {}}])
def test_googles_own_tools_go_under_extra_body(spelling, surface):
    """Names may be in snake case (Google's Python packages) or camel case (Google's JSON)."""
    made = request(surface, tools=[*TOOLS, format_tool(spelling), format_tool({"url_context": {}})])
    assert made.payload["extra_body"] == {"google": {"tools": [{"google_search": {}}, {"url_context": {}}]}}
    assert names(made.payload) == ALL
    alone = request(surface, tools=[format_tool(spelling)], tool_choice="any").payload
    assert alone.keys() & {"tools", "tool_choice"} == set()


FOREIGN = [
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    {"type": "web_search_preview"},
    {"type": "code_interpreter", "container": {"type": "auto"}},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_other_built_in_tools_are_left_out_at_google_with_a_note(foreign):
    """A fallback from another provider may have built-in tools of that provider (langchain issue 36599)."""
    made = request(tools=[format_tool(foreign), *TOOLS])
    assert names(made.payload) == ALL
    (note,) = notes(made, "dropped")
    assert foreign["type"] in note
    with pytest.raises(UnsupportedParameterError, match="strict=True"):
        request(tools=[format_tool(foreign)], strict=True)


def test_built_in_tools_are_sent_to_compatible_servers():
    """A compatible server may support them."""
    assert request("openai_compatible", tools=[format_tool(FOREIGN[1])]).payload["tools"] == [FOREIGN[1]]


ANTHROPIC = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"x": {"type": "string"}}},
             "cache_control": {"type": "ephemeral"}}  # fmt: skip
FLAT = {"type": "function", "name": "f", "description": "d", "strict": True,
        "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}  # fmt: skip


@pytest.mark.parametrize("spelling", [ANTHROPIC, FLAT])
@pytest.mark.parametrize("surface", GOOGLE)
def test_declarations_of_other_apis_are_converted(surface, spelling):
    """The declarations have the form of Anthropic, or the flat form of OpenAI's Responses API."""
    parameters = {"type": "object", "properties": {"x": {"type": "string"}}}
    assert request(surface, tools=[format_tool(spelling)]).payload["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters}}
    ]


def test_tool_bound_twice_is_declared_once():
    """Google would answer 400 to two tools of the same name. If they differ, a note says that one was left out."""
    made = request(tools=[TOOLS[1], TOOLS[1]])
    assert (names(made.payload), made.notes) == (["now"], ())
    other = {"type": "function", "function": {"name": "now"}}
    made = request(tools=[TOOLS[1], other])
    assert notes(made, "dropped") == ["The second of two tools named 'now' was left out."]


@pytest.mark.parametrize("surface", SURFACES)
def test_parallel_tool_calls_is_sent_to_compatible_servers_only(surface):
    """Vertex ignores the option and AI Studio refused it. On both, replies are cut to one call."""
    made = request(surface, parallel_tool_calls=False)
    assert made.call_limit == 1
    assert made.payload.get("parallel_tool_calls") == (False if surface == "openai_compatible" else None)
    assert request(surface, parallel_tool_calls=True).call_limit is None


class Joke(BaseModel):
    """A joke."""

    setup: str
    rating: int | None = None


class JokeDict(TypedDict):
    """A joke."""

    setup: str


SCHEMA = {"title": "Joke", "description": "A joke.", "type": "object", "properties": {"setup": {"type": "string"}}}
READY = {"type": "json_schema", "json_schema": {"name": "Joke", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize("surface", GOOGLE)
@pytest.mark.parametrize("form", [Joke, JokeDict, SCHEMA, READY, READY["json_schema"]], ids=str)
def test_each_form_of_a_response_schema_becomes_a_response_format(form, surface):
    """The schema is a class, a TypedDict, a JSON schema, OpenAI's `response_format`, or its `json_schema` object."""
    sent = request(surface, tools=[], response_format=form).payload["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"].keys() == {"name", "schema"}
    assert sent["json_schema"]["name"] in ("Joke", "JokeDict")
    assert sent["json_schema"]["schema"]["properties"]["setup"] == {"type": "string"}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "text"}])
def test_response_formats_without_a_schema_are_unchanged(form, surface):
    """JSON mode and plain text have no schema."""
    assert request(surface, tools=[], response_format=form).payload["response_format"] == form


def test_schema_without_a_title_gets_a_name():
    """The API requires a name, and langchain-core would refuse a schema without a title."""
    form = format_response_schema({"type": "object", "properties": {"x": {"type": "string"}}})
    assert form["json_schema"]["name"] == "response"


def test_complete_response_format_is_sent_unchanged_to_compatible_servers():
    """OpenAI's key `strict` is kept."""
    assert request("openai_compatible", tools=[], response_format=READY).payload["response_format"] == READY


@pytest.mark.parametrize("surface", SURFACES)
def test_tools_and_response_format_are_sent_together(surface):
    """An agent of `create_agent` sends both if it uses the provider's structured output (`ProviderStrategy`)."""
    body = send("Hi.", surface, call={"tools": TOOLS, "response_format": Joke})
    assert body.keys() >= {"tools", "response_format"}


def test_tool_set_has_functions_google_tools_and_choice():
    """`encode_tools` works without a whole request."""
    found = encode_tools([*TOOLS, {"code_execution": {}}], "any", endpoint(), [])
    assert ([item["function"]["name"] for item in found.functions], found.google, found.choice) == (
        ALL, [{"code_execution": {}}], "required",
    )  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_original_schemas_are_kept(surface):
    """`schemas` has the caller's schemas. If two tools have the same name, it has the schema of the first one."""
    closed = {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False}
    same_name = [{"type": "function", "function": {"name": "f", "parameters": schema}} for schema in (closed, {})]
    made = encode_tools([*same_name, {"google_search": {}}, {"type": "web_search"}], None, endpoint(surface), [])
    assert made.schemas == {"f": closed}
    assert made.schemas["f"] is closed


@pytest.mark.parametrize("choice", ["get time", {"allowed_tools": {"mode": "auto", "tools": [{"name": "get time"}]}}])
def test_tool_with_an_invalid_name_can_be_chosen(choice):
    """Each form of a choice accepts the original name."""
    odd = {"type": "function", "function": {"name": "get time", "description": "Tell the time."}}
    made = request(tools=[*TOOLS, odd], tool_choice=choice)
    assert names(made.payload) == ["get_time"]
    assert notes(made, "adjusted") != []


class Node(BaseModel):
    """A node."""

    name: str
    kids: list["Node"] = Field(default_factory=list)


@tool
def plant(root: Node) -> str:
    """Plant a tree."""
    return root.name


def plant_it(root: Node, owner: Annotated[str, InjectedToolArg]) -> str:
    """Plant a tree."""
    return root.name + owner


TREE = {
    "type": "object",
    "title": "Tree",
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "$defs": {
        "Node": {
            "type": "object",
            "title": "Node",
            "properties": {
                "title": {"type": "string", "title": "Title"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
        }
    },
}
PLANTERS = {
    "class": Node,
    "tool": plant,
    "tool with an injected argument": tool(plant_it),
    "function": plant_it,
    "schema of an MCP server": StructuredTool(name="p", description="d", args_schema=TREE, func=print),
    "JSON schema": {"title": "Node", **Node.model_json_schema()},
}


@pytest.mark.parametrize("planter", PLANTERS.values(), ids=PLANTERS.keys())
def test_recursive_class_is_declared_with_its_members(planter):
    """LangChain's own declaration has `{}` in place of the recursive member."""
    made = format_tool(planter)["function"]
    assert "description" in made
    assert "'title': '" not in str(made) or isinstance(planter, dict)
    (sent,) = request(tools=[{"type": "function", "function": made}]).payload["tools"]
    properties = sent["function"]["parameters"]["properties"]
    assert "owner" not in properties
    node = properties.get("root", {"properties": properties})
    inner = node["properties"]["kids"]["items"]["properties"]
    assert inner.keys() == node["properties"].keys()
    assert inner["kids"]["type"] == "array"


def test_recursive_class_is_an_object_at_the_top():
    """For a recursive class, pydantic writes only a `$ref` at the top of the schema. OpenAI's servers refuse this."""
    parameters = format_tool(Node)["function"]["parameters"]
    assert (parameters["type"], "$ref" in parameters) == ("object", False)


@pytest.mark.parametrize(
    "schema",
    [
        {"title": "L", "type": "array", "items": {"type": "string"}},
        {"title": "L", "anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"title": "L", "type": "object", "additionalProperties": {"type": "integer"}},
    ],
)
def test_schema_without_properties_is_kept(schema):
    """LangChain's conversion keeps only schemas with `properties`."""
    rest = {key: value for key, value in schema.items() if key != "title"}
    assert format_response_schema(schema)["json_schema"] == {"name": "L", "schema": rest}
    assert format_tool(schema)["function"] == {"name": "L", "parameters": rest}
    assert request(tools=[], response_format=schema).payload["response_format"]["json_schema"]["schema"] == rest


def test_recursive_class_as_response_schema_has_its_members():
    sent = request(tools=[], response_format=Node).payload["response_format"]["json_schema"]["schema"]
    assert sent["description"] == "A node."
    assert sent["properties"]["kids"]["items"]["properties"].keys() == {"name", "kids"}


@pytest.mark.parametrize("surface", SURFACES)
def test_tool_chosen_twice_is_declared_once(surface):
    """Google answers 400 to a duplicate."""
    assert names(request(surface, tool_choice=["now", "add", "now"]).payload) == ["now", "add"]
    assert request(surface, tool_choice=["now", "now"]).payload == request(surface, tool_choice=["now"]).payload


def test_dropped_choice_is_noted():
    """`tool_choice` is left out if it is empty, or if it requires a call and only Google's own tools are bound."""
    google = [{"google_search": {}}]
    for tools, choice, word in ((google, "any", "no function"), (TOOLS, [], "it is empty"), (TOOLS, {}, "it is empty")):
        made = request(tools=tools, tool_choice=choice)
        assert "tool_choice" not in made.payload
        (note,) = notes(made, "dropped")
        assert word in note
    for choice in ("auto", "none", None, False):
        assert request(tools=google, tool_choice=choice).notes == ()


def test_mcp_declaration_keeps_its_schema():
    """The declaration has the form of MCP's `tools/list`, or the form of Bedrock."""
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    expected = {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}
    assert format_tool({"name": "f", "title": "F", "description": "d", "inputSchema": schema}) == expected
    bedrock = {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": schema}}}
    assert format_tool(bedrock) == expected


def test_typed_dict_without_a_docstring_has_no_description():
    """The class inherits the docstring of `dict`, which must not be sent."""

    class Inner(TypedDict):
        x: int

    class Outer(TypedDict):
        inner: Inner
        others: list[Inner]

    made = format_tool(Outer)["function"]
    assert made["parameters"]["properties"]["inner"]["properties"] == {"x": {"type": "integer"}}
    assert "description" not in str(made)
    assert format_tool(JokeDict)["function"]["description"] == "A joke."
