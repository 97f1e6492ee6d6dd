"""Tests of tools that are bound and sent again and again, as agents do: nothing is converted twice, nothing is lost."""

import datetime as dt
import enum
import json
import warnings
from copy import deepcopy
from typing import Annotated, Any, Literal

import pytest
from compiled_schemas import record_compiled
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, Tool, tool
from langchain_core.tools.retriever import create_retriever_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from outgoing import GOOGLE, PLACES, SURFACES, endpoint
from pydantic import BaseModel, ConfigDict, Field
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import Field as FieldV1
from wire import Wire, completion

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._request import tools as tools_module
from langchain_gemini_compat._request.tools import encode_tools, format_tool
from langchain_gemini_compat._schema.cache import BoundedCache
from langchain_gemini_compat._transport.body import encode_body
from langchain_gemini_compat._wire.shared_array import SharedArray
from langchain_gemini_compat.errors import GeminiCompatWarning, UnsupportedParameterError


class Unit(enum.Enum):
    """A unit."""

    KM = "km"
    MILE = "mi"


class Place(BaseModel):
    """A place."""

    title: str = Field(description="Its name.", title="A title")
    parts: list["Place"] = Field(default_factory=list)
    options: dict[str, Any] = Field(default={"title": "kept", "more": ["title"]})


class Search(BaseModel):
    """What the class says."""

    model_config = ConfigDict(title="Searching", json_schema_extra={"examples": [{"title": "x"}]})

    query: str
    unit: Unit = Unit.KM
    place: Place | None = None
    mode: Literal["fast", "slow"] = "fast"


class Aliased(BaseModel):
    query: str = Field(alias="theQuery")


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)

    query: str = Field(alias="theQuery")


class OldSearch(BaseModelV1):
    """A class of pydantic 1."""

    query: str = FieldV1(description="Words.", title="A title")
    count: int = 3


class Retriever(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return []


class OwnTool(BaseTool):
    name: str = "own"
    description: str = "A tool with its own class."
    args_schema: type[BaseModel] = Search

    def _run(self, **given: Any) -> str:
        return ""


class BareTool(BaseTool):
    name: str = "bare"
    description: str = "A tool whose arguments are those of its method."

    def _run(self, query: str, count: int = 1) -> str:
        return query


class SchemaTool(OwnTool):
    """A tool that defines its JSON schema for the model itself."""

    @property
    def tool_call_schema(self) -> Any:
        return {"title": "Own", "type": "object", "properties": {"q": {"type": "string", "title": "Q"}}}


def search(query: str, unit: Unit = Unit.KM, *, user: Annotated[str, InjectedToolArg] = "") -> str:
    """Search for something.

    Args:
        query: Words.
        unit: Of lengths.
        user: Who asks.
    """
    return query


def look(query: str, call_id: Annotated[str, InjectedToolCallId]) -> str:
    """Look."""
    return query


async def search_later(query: str, count: int | None = None) -> str:
    """Search later."""
    return query


def built(schema: Any, **more: Any) -> StructuredTool:
    return StructuredTool(**{"name": "t", "description": "What it does.", "args_schema": schema, "func": print, **more})


MCP = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "title": "searchArguments",
    "description": "What the schema says.",
    "properties": {
        "title": {"type": "string", "title": "Title"},
        "place": {"$ref": "#/$defs/Place"},
        "kind": {"enum": ["a", {"title": "kept"}], "default": {"title": "kept"}, "title": "Kind"},
        "both": {"anyOf": [{"type": "string", "title": "x"}, {"type": "null"}]},
    },
    "required": ["title"],
    "$defs": {"Place": {"type": "object", "title": "Place", "properties": {"name": {"type": "string"}}}},
}
KINDS: dict[str, BaseTool] = {
    "decorated": tool(search),
    "decorated, parsed docstring": tool(search, parse_docstring=True),
    "decorated, async": tool(search_later),
    "decorated, injected id": tool(look),
    "decorated, artifact": tool("with_artifact", response_format="content_and_artifact")(search),
    "decorated, extras": tool("with_extras", extras={"defer_loading": True})(search),
    "decorated, returns directly": tool("direct", return_direct=True)(search),
    "from a function": StructuredTool.from_function(search),
    "from a function, class of arguments": StructuredTool.from_function(
        print, name="t", description="d", args_schema=Search
    ),
    "pydantic 2": built(Search),
    "pydantic 2, aliases": built(Aliased),
    "pydantic 2, names instead of aliases": built(ByName),
    "pydantic 2, recursive": built(Place),
    "pydantic 2, no description": built(Search, description=""),
    "pydantic 1": built(OldSearch),
    "pydantic 1, no description": built(OldSearch, description=""),
    "dict": built(MCP),
    "dict, no description": built(MCP, description=""),
    "dict, neither": built({"type": "object", "properties": {}}, description=""),
    "dict, empty": built({}, description=""),
    "dict, no name": built(MCP, name=""),
    "dict, reference at the top": built({"$ref": "#/$defs/P", "$defs": {"P": MCP["$defs"]["Place"]}}, description=""),
    "dict, strict": built({**MCP, "additionalProperties": False}),
    "one text": Tool("simple", print, "A tool of one text."),
    "one text, class of arguments": Tool("simple", print, "A tool of one text.", args_schema=Search),
    "custom": Tool("custom", print, "Free text.", metadata={"type": "custom_tool", "format": {"type": "text"}}),
    "custom, class of arguments": Tool("c", print, "d", args_schema=Search, metadata={"type": "custom_tool"}),
    "retriever": create_retriever_tool(Retriever(), "find", "Find documents."),
    "own class": OwnTool(),
    "own class, no schema": BareTool(),
    "own class, own schema of calls": SchemaTool(),
}
try:
    convert_to_openai_tool(KINDS["pydantic 2, recursive"])
except PydanticUserError:
    # langchain-core 1.6 cannot declare a tool whose class contains itself.
    del KINDS["pydantic 2, recursive"]


def without_titles(value, names=False):
    """Return the schema without titles. A value such as a default may contain the key `title`, which is kept."""
    if isinstance(value, list):
        return [without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: inner for key, inner in value.items() if names or key != "title" or not isinstance(inner, str)}
    data = {"default", "const", "enum", "examples", "example"}
    return {key: inner if key in data else without_titles(inner, key == "properties") for key, inner in kept.items()}


def declare_twice(bound):
    """Return the expected declaration of the tool `bound`: as LangChain converts it, but with the tool's own schema."""
    made = convert_to_openai_tool(bound)
    if "function" not in made or (isinstance(bound, Tool) and not bound.args_schema):
        return made
    found = bound.tool_call_schema
    if not isinstance(found, dict):
        by_name = getattr(found, "model_config", {}).get("validate_by_alias") is False
        found = found.schema() if issubclass(found, BaseModelV1) else found.model_json_schema(by_alias=not by_name)
    parameters = without_titles(tools_module._open_top(found))
    parameters.pop("description", None)
    return {"type": "function", "function": {**made["function"], "parameters": parameters}}


@pytest.mark.parametrize("bound", KINDS.values(), ids=KINDS.keys())
def test_tool_is_declared_as_langchain_names_and_describes_it(bound):
    expected = declare_twice(bound)
    assert format_tool(bound) == expected
    assert format_tool(bound) == expected
    assert str(format_tool(bound)) == str(expected)


def test_binding_a_tool_does_not_convert_its_schema_twice(monkeypatch):
    """LangChain's agents bind their tools again at each step."""

    def refuse(bound):
        raise AssertionError(f"{bound.name} was converted")

    monkeypatch.setattr(tools_module, "convert_to_openai_tool", refuse)
    for name, bound in KINDS.items():
        if not name.startswith(("one text", "custom")):
            format_tool(bound)


def test_schema_that_pydantic_cannot_write_raises_langchains_error():
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        given: Wire

    bound = built(Odd)
    with pytest.raises((TypeError, PydanticInvalidForJsonSchema)) as expected:
        convert_to_openai_tool(bound)
    with pytest.raises(type(expected.value)) as raised:
        format_tool(bound)
    assert str(raised.value) == str(expected.value)


@pytest.mark.parametrize("kind", ["dict", "pydantic 2", "pydantic 1"])
def test_change_of_a_bound_tool_does_not_reach_the_tool(kind):
    """LangChain returns the same schema object of a tool each time, so `format_tool` must return a copy."""

    def change(value):
        if isinstance(value, dict):
            for inner in [*value.values()]:
                change(inner)
            value["changed"] = True
        elif isinstance(value, list):
            for inner in value:
                change(inner)
            value.append("changed")

    made = format_tool(KINDS[kind])
    before = deepcopy(made)
    change(made)
    assert format_tool(KINDS[kind]) == before


def declared(name, **properties):
    parameters = {"type": "object", "properties": properties or {"a": {"type": "string", "pattern": "^a"}}}
    return {"type": "function", "function": {"name": name, "description": "d", "parameters": parameters}}


#: Tools that cause notes: a name that Gemini refuses, two tools with one name, and keywords that are not sent.
TOOLS = [declared("get time"), declared("f"), declared("f", b={"type": "integer"}), declared("g", c={"format": "x"})]


def talk(surface="ai_studio", **given):
    wire = Wire(*[completion()] * 9)
    return ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **PLACES[surface], **wire.clients, **given), wire


@pytest.fixture
def compiled(monkeypatch):
    """Return the list of the schemas that are compiled from now on."""
    return record_compiled(monkeypatch)


@pytest.mark.parametrize("surface", SURFACES)
def test_each_call_sends_the_same_and_reports_the_same(surface, compiled):
    """Later calls use the compiled schemas of the first call, and have the same notes about the request."""
    chat, wire = talk(surface)
    bound = chat.bind_tools(TOOLS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeminiCompatWarning)
        replies = [bound.invoke("hi")]
        compiled.clear()
        replies += [bound.invoke("hi"), chat.bind_tools(deepcopy(TOOLS)).invoke("hi")]
    assert compiled == []
    assert wire.bodies[0] == wire.bodies[1] == wire.bodies[2]
    repairs = [reply.response_metadata.get("repairs") for reply in replies]
    assert repairs[0] == repairs[1] == repairs[2]
    assert bool(repairs[0]) == (surface in GOOGLE)


@pytest.mark.parametrize("again", [False, True])
def test_each_model_warns_of_what_it_leaves_out(again):
    """Each model warns of what it leaves out, even if another model has already warned about the same tools."""
    if again:
        with pytest.warns(GeminiCompatWarning):
            talk()[0].bind_tools(TOOLS).invoke("hi")
    chat, _ = talk()
    with pytest.warns(GeminiCompatWarning) as caught:
        chat.bind_tools(TOOLS).invoke("hi")
    assert sum("second of two tools" in str(one.message) for one in caught) == 1


def test_strict_refuses_each_call():
    chat, wire = talk(strict=True)
    bound = chat.bind_tools(TOOLS)
    for _ in range(3):
        with pytest.raises(UnsupportedParameterError, match="get time"):
            bound.invoke("hi")
    assert wire.bodies == []


def test_change_of_a_preview_does_not_change_what_is_sent():
    chat, wire = talk()
    bound = chat.bind_tools(TOOLS[1:2])
    body, _ = chat.preview("hi", **bound.kwargs)
    before = deepcopy(body)
    body["tools"][0]["function"]["parameters"]["properties"].clear()
    bound.invoke("hi")
    assert wire.bodies[0]["tools"] == before["tools"]
    assert chat.preview("hi", **bound.kwargs)[0] == before


def test_change_of_the_tools_changes_what_is_sent():
    """A caller may change the dict of a bound tool between two calls. The second request has the change."""
    chat, wire = talk()
    bound = chat.bind_tools(deepcopy(TOOLS[1:2]))
    bound.invoke("hi")
    bound.kwargs["tools"][0]["function"]["parameters"]["properties"]["z"] = {"type": "number"}
    bound.invoke("hi")
    sent = [body["tools"][0]["function"]["parameters"]["properties"].keys() for body in wire.bodies]
    assert [sorted(names) for names in sent] == [["a"], ["a", "z"]]


def test_answer_schema_is_compiled_once(compiled):
    wire = Wire(*[completion('{"query": "x"}')] * 3)
    chat = ChatGeminiCompat(model="gemini-3.8-flash", max_retries=0, **PLACES["ai_studio"], **wire.clients)
    chain = chat.with_structured_output(Search)
    chain.invoke("hi")
    compiled.clear()
    chain.invoke("hi")
    chat.with_structured_output(Search).invoke("hi")
    assert compiled == []


@pytest.fixture
def fresh(monkeypatch):
    """Return a function that empties the cache of declared functions."""

    def empty(size=100):
        cache = BoundedCache(size, 2**20)
        monkeypatch.setattr(tools_module, "_declared", cache)
        return cache

    empty()
    return empty


def encoded(tools, choice=None, surface="ai_studio", names=None):
    """Return the result of `encode_tools` and its notes as text.

    The text shows whether a number is an int or a float.
    """
    found = []
    made = encode_tools(tools, choice, endpoint(surface), found, names)
    return repr([made.functions, made.google, made.choice, made.schemas, found])


def number(value):
    return declared("f", a={"type": "number", "default": value, "minimum": value})


#: Different lists of tools. Some differ only in a detail, such as the type of a number.
LISTS = {
    "four": TOOLS,
    "other order": TOOLS[::-1],
    "1": [number(1)],
    "1.0": [number(1.0)],
    "True": [number(value=True)],
    "0.0": [number(0.0)],
    "-0.0": [number(-0.0)],
    "strict": [{"type": "function", "function": {**TOOLS[1]["function"], "strict": True}}],
    "no description": [{"type": "function", "function": {"name": "f"}}],
    "description of another type": [{"type": "function", "function": {"name": "f", "description": ["d"]}}],
    "flat": [{"type": "function", **TOOLS[1]["function"]}],
    "google": [{"google_search": {}}, TOOLS[1]],
    "other provider": [{"type": "web_search"}, TOOLS[1]],
    "nothing": [],
    "date": [declared("f", a={"type": "string", "default": dt.date(2026, 1, 1)})],
    "surrogate": [declared("f", a={"type": "string", "description": "\ud800"})],
    "tiny number": [number(1e-9)],
    "same wire name": [declared("get_time"), declared("get time")],
}


def test_declared_functions_are_those_of_an_empty_cache(fresh):
    """Each list of tools gives the same result with an empty cache and with a cache full of other lists."""
    for choice in (None, "any"):
        expected = {}
        for name, tools in LISTS.items():
            fresh(0)
            expected[name] = encoded(deepcopy(tools), choice)
        fresh()
        for _ in range(2):
            for name, tools in LISTS.items():
                assert encoded(deepcopy(tools), choice) == expected[name], name


def test_functions_of_a_choice_are_declared_with_the_names_of_all_tools(fresh):
    """The wire name of a tool depends on the other tools, so the cache key contains the wire name."""
    odd = [declared("get time")]
    beside = [declared("get time"), declared("get_time")]
    for _ in range(2):
        for tools, sent in ((odd, "get_time"), (beside, "get_time_")):
            made = encode_tools(tools, "get time", endpoint("ai_studio"), [])
            (name,) = [item["function"]["name"] for item in made.functions]
            assert name.startswith(sent)
            assert (name == "get_time") == (tools is odd)


def test_change_of_a_description_does_not_reach_the_cache(fresh):
    """A description that is a dict may be changed by the caller after the call, so the cache has a copy."""
    tools = [{"type": "function", "function": {"name": "f", "description": {"a": ["b"]}}}]
    same = deepcopy(tools)
    before = encoded(tools)
    tools[0]["function"]["description"]["a"].append("c")
    assert encoded(same) == before


def test_tools_are_encoded_once_and_as_all_other_bodies(fresh):
    """The tools are encoded once. Each body has the bytes that the standard library's encoder would write."""
    functions = encode_tools(TOOLS, None, endpoint("ai_studio"), []).functions
    assert type(functions) is SharedArray
    for payload in (
        {"model": "m", "messages": [], "tools": functions, "stream": True},
        {"tools": functions},
        {"tools": functions, "n": 1},
        {"n": 1, "tools": functions},
    ):
        assert encode_body(payload) == encode_body({**payload, "tools": [*functions]})
    assert functions.encoded == json.dumps([*functions], separators=(",", ":")).encode()
    encoded_once = functions.encoded
    encode_body({"tools": functions})
    assert functions.encoded is encoded_once
    again = encode_tools(deepcopy(TOOLS), None, endpoint("ai_studio"), []).functions
    assert again is functions
    copied = deepcopy(functions)
    assert (type(copied), copied) == (list, functions)
    copied[0]["when"] = dt.date(2026, 1, 1)
    with pytest.raises(UnsupportedParameterError):
        encode_body({"tools": copied})


def test_lone_surrogate_in_cached_functions_is_sent_as_question_mark(fresh):
    """A lone surrogate in a description is sent as `?`, even if the declaration comes from the cache."""
    chat, wire = talk()
    for _ in range(2):
        chat.bind_tools(LISTS["surrogate"]).invoke("hi")
    sent = [body["tools"][0]["function"]["parameters"]["properties"]["a"]["description"] for body in wire.bodies]
    assert sent == ["?", "?"]


def test_extra_body_replaces_cached_functions():
    chat, wire = talk()
    bound = chat.bind_tools(TOOLS[1:2])
    bound.invoke("hi")
    bound.invoke("hi", extra_body={"tools": []})
    bound.invoke("hi")
    assert [len(body["tools"]) for body in wire.bodies] == [1, 0, 1]


def test_functions_are_kept_within_the_bounds(fresh):
    cache = fresh(3)
    for count in range(9):
        encode_tools([declared(f"f{count}")], None, endpoint("ai_studio"), [])
    assert len(cache) == 3
