"""Tests of `TypedDict` classes as schemas, including null, missing keys and recursion. The answer is a dict."""

import datetime as dt
import enum
import typing
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
import structured_chains
import typing_extensions as te
from langchain_core.exceptions import OutputParserException
from pydantic import Field

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._request.tools import format_tool
from langchain_gemini_compat._request.typed_dicts import read_docstring
from langchain_gemini_compat._schema.functions import compile_parameters

METHODS = ["json_schema", "function_calling", "json_mode"]
T = TypeVar("T")
#: `NotRequired` and similar qualifiers are in `typing` since Python 3.11. Before, they come from `typing_extensions`.
NOT_REQUIRED = getattr(typing, "NotRequired", te.NotRequired)
REQUIRED = getattr(typing, "Required", te.Required)


class Colour(enum.Enum):
    """Colours."""

    RED = "red"


class Place(typing.TypedDict):
    """A place."""

    city: str | None


class Event(typing.TypedDict):
    """An event of `typing`.

    Args:
        name: What it is
            called.
        when: Its day.
    """

    name: str
    note: str | None
    other: "str | None"
    when: NOT_REQUIRED[dt.date]
    place: Place | None
    kind: Literal["a", "b"]
    size: Annotated[int, Field(ge=1)]
    tags: Annotated[list[str], ..., "Some words"]
    level: Annotated[int, 5, "How high"]
    colour: Annotated[Colour, "The colour"]


class Partial(te.TypedDict, total=False):
    """Keys that may be missing."""

    name: te.Required[str]
    note: te.ReadOnly[str | None]
    places: dict[str, Place]


class Node(typing.TypedDict):
    """Refers to itself: `kids` contains objects of this class."""

    name: str
    kids: "list[Node]"


class Ping(te.TypedDict):
    """Refers to `Pong`, which refers to `Ping`."""

    pong: "Pong | None"


class Pong(te.TypedDict):
    """Refers to `Ping`, which refers to `Pong`."""

    ping: "te.NotRequired[Ping]"


class Box(te.TypedDict, Generic[T]):
    """A generic class."""

    item: T
    more: list[T]


class NumberBox(Box[int]):
    """A subclass of `Box` with `int` as its type."""

    name: str


EVENT: dict[str, Any] = {
    "name": "fair", "note": None, "other": None, "place": {"city": None}, "kind": "a", "size": 1, "tags": ["x"],
    "colour": "red",
}  # fmt: skip
#: For each test case: a class, a list of answers that fit the class, and an answer that does not fit.
CASES: dict[str, tuple[Any, list[Any], Any]] = {
    "typing": (Event, [EVENT, {**EVENT, "when": "2026-01-02", "place": None, "level": 1}], {**EVENT, "name": None}),
    "total": (Partial, [{"name": "a"}, {"name": "a", "note": None}, {"name": "a", "places": {"x": {"city": "y"}}}], {}),
    "recursive": (Node, [{"name": "a", "kids": [{"name": "b", "kids": []}]}], {"name": "a", "kids": [{"name": "b"}]}),
    "mutual": (Ping, [{"pong": None}, {"pong": {}}, {"pong": {"ping": {"pong": None}}}], {"pong": {"ping": 5}}),
    "generic": (Box[str], [{"item": "a", "more": []}], {"item": 5, "more": []}),
    "inherited": (NumberBox, [{"item": 1, "more": [2], "name": "a"}], {"item": "a", "more": [], "name": "a"}),
}


def build_chain(schema, value, method, **kwargs):
    """Return a chain whose model answers with `value`, and its server."""
    return structured_chains.build_chain(schema, getattr(schema, "__name__", "Box"), value, method, **kwargs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
async def test_answer_is_a_dict_of_the_class(case, method):
    """Answers are whole and streamed, sync and async, with and without the raw message. Field case C4."""
    schema, answers, wrong = CASES[case]
    for value in answers:
        assert build_chain(schema, value, method)[0].invoke("hi") == value
        assert await build_chain(schema, value, method)[0].ainvoke("hi") == value
        assert list(build_chain(schema, value, method, streamed=True)[0].stream("hi"))[-1] == value
        told = build_chain(schema, value, method, include_raw=True)[0].invoke("hi")
        assert (told["parsed"], told["parsing_error"]) == (value, None)
    with pytest.raises(OutputParserException, match="does not satisfy"):
        build_chain(schema, wrong, method)[0].invoke("hi")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_declaration_allows_null_and_missing_keys(method):
    """Descriptions come from the docstring and from `Annotated`. Field case C4."""
    chain, wire = build_chain(Event, EVENT, method)
    chain.invoke("hi")
    body = wire.bodies[0]
    sent = (
        body["response_format"]["json_schema"]["schema"]
        if method == "json_schema"
        else body["tools"][0]["function"]["parameters"]
    )
    found = sent["properties"]
    assert [name for name, part in found.items() if part.get("nullable")] == ["note", "other", "place"]
    assert sent["required"] == ["name", "note", "other", "place", "kind", "size", "tags", "colour"]
    assert found["place"]["properties"] == {"city": {"type": "string", "nullable": True}}
    told = {name: part["description"] for name, part in found.items() if "description" in part}
    assert told["name"] == "What it is called."
    assert told["when"].startswith("Its day.")
    assert (told["tags"], told["level"]) == ("Some words", "How high. Default: 5.")
    # Compare only the start, because pydantic before 2.8 appends the description of the enum class.
    assert told["colour"].startswith("The colour")
    assert (told["place"], found["size"]["minimum"]) == ("A place.", 1)
    assert "Args" not in str(body)


@pytest.mark.parametrize("case", CASES)
def test_tool_declaration_matches_the_class(case):
    """The declaration has the form of `bind_tools`. Its description is the docstring's first part. Field case C4."""
    schema, answers, _ = CASES[case]
    function = format_tool(schema)["function"]
    assert function["description"].endswith(".")
    compiled, _ = compile_parameters(function["parameters"])
    assert set(answers[-1]) <= set(compiled["properties"])
    model = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k").bind_tools([schema])
    assert model.kwargs["tools"] == [{"type": "function", "function": function}]


def test_recursive_class_is_declared():
    """LangChain's own conversion of a recursive class never ends. Field case C4."""
    compiled, losses = compile_parameters(format_tool(Node)["function"]["parameters"])
    assert compiled["properties"]["kids"]["items"]["properties"]["name"] == {"type": "string"}
    assert "$ref" in {loss.keyword for loss in losses}


def test_recursive_class_in_a_function_is_declared():
    """A class in a function is not in the namespace of its module, where quoted names are looked up. Field case C4."""

    class Inside(te.TypedDict):
        """Holds itself."""

        kids: "list[Inside]"

    assert build_chain(Inside, {"kids": [{"kids": []}]}, "json_schema")[0].invoke("hi") == {"kids": [{"kids": []}]}


def test_unresolved_annotation_and_invalid_description_raise():
    """An annotation that names an unknown class, or a description that is not text, is an error. Field case C4."""
    fields = {"kid": "NoSuchClass"}
    lost = te.TypedDict("Lost", fields)
    with pytest.raises(ValueError, match=r"'Lost' cannot be resolved.*top level of a module"):
        format_tool(lost)

    class Odd(te.TypedDict):
        """Describes by a number."""

        kid: Annotated[int, ..., 5]

    with pytest.raises(ValueError, match="'kid' is the description"):
        format_tool(Odd)


def test_sections_of_a_docstring_are_not_in_the_description():
    """The description of an argument may span several lines. Text after `Args` is left out. Field case C4."""
    read = read_docstring("A film.\n\nArgs:\n    name: What it is\n        called: x.\n    year (int): When.\n\nMore.")
    assert read == ("A film.", {"name": "What it is called: x.", "year": "When."})
    assert read_docstring(None) == ("", {})
    assert read_docstring("One.\nTwo.\n\nReturns:\n    x: Nothing.") == ("One.\nTwo.", {})
