"""Tests schema rules that Gemini does not accept: each is listed as a loss, and described to the model if useful."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, Field
from schema_draws import LEAVES
from schema_subset import compile_property

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._schema.functions import compile_parameters, compile_response_schema

#: Keywords that restrict an enum. The enum is sent without the values that these keywords exclude.
BOUNDS = {
    "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format", "type",
}  # fmt: skip


class Line(BaseModel):
    """A line of an order."""

    product: str = Field(description="What is ordered, by the name that the catalogue of the shop gives it")
    amount: int = Field(ge=1, description="How many pieces are ordered, at least one and of the same kind")
    notes: list[str] = Field(description="What the customer wrote beside this line of the order, in his own words")


class Order(BaseModel):
    """A map of lines."""

    lines: dict[str, Line]
    anything: dict[str, Any]
    texts: dict[str, str]
    lists: dict[str, list[int]]


def read_loss(losses, path):
    """Return the reasons of the losses at `path` in the list `losses`."""
    return [loss.reason for loss in losses if loss.path == path]


def test_the_description_of_a_map_has_the_schema_of_its_values():
    """The description has the schema even if it is long. Field case C5."""
    compiled, losses = compile_parameters(Order.model_json_schema())
    assert compiled is not None
    found = compiled["properties"]
    told = found["lines"]["description"]
    assert told.startswith("Maps any name to {")
    assert len(told) > 300
    form = json.loads(told.removeprefix("Maps any name to ").removesuffix("."))
    assert form["required"] == ["product", "amount", "notes"]
    assert form["properties"]["amount"]["minimum"] == 1
    assert found["texts"]["description"] == "Maps any name to string."
    assert found["lists"]["description"] == 'Maps any name to {"type":"array","items":{"type":"integer"}}.'
    assert found["anything"]["description"] == "Maps any name to any value."
    reasons = read_loss(losses, "/properties/lines/additionalProperties")
    told = "The description says which values they may have."
    assert reasons == [f"Properties that only `additionalProperties` describes are not checked. {told}"]


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
def test_a_response_schema_keeps_the_schema_of_a_map_s_values(surface):
    """A response schema keeps the schema of a map's values.

    In a tool's schema, the values are only described as text, and a note says so. Field case C5.
    """
    where: dict[str, Any] = {"project": "p", "location": "global"} if surface == "vertex" else {"api_key": "k"}
    model = ChatGeminiCompat(model="gemini-3.8-flash", **where)
    form = model.with_structured_output(Order).first.kwargs["response_format"]
    body, _ = model.preview("hi", response_format=form)
    sent = body["response_format"]["json_schema"]["schema"]["properties"]["lines"]
    assert sent["additionalProperties"]["properties"]["product"]["type"] == "string"
    _, notes = model.preview("hi", tools=model.bind_tools([Order]).kwargs["tools"])
    told = [note.message for note in notes if "/lines/" in note.message]
    whole = (
        "tool 'Order' at /properties/lines/additionalProperties: Properties that only `additionalProperties` describes "
        "are not checked. The description says which values they may have."
    )
    assert told == [whole]


@pytest.mark.parametrize(
    ("fields", "length", "told"),
    [
        (12, 20, "which values they may have."),
        (20, 200, "but not what the parts of a value mean."),
        (60, 200, "only names and types of their properties"),
        (400, 20, "too long for the description."),
    ],
)
def test_a_long_schema_of_a_map_s_values_is_shortened(fields, length, told):
    """First, the descriptions in the schema of the values are left out.

    If the schema is still too long, only the names and types of its properties stay. The recorded loss says what is
    left out. Field case C5.
    """
    inner = {"type": "string", "minLength": 1, "description": "d" * length}
    value = {"type": "object", "properties": {f"field{index}": inner for index in range(fields)}}
    compiled, losses = compile_parameters(
        {"type": "object", "properties": {"p": {"type": "object", "additionalProperties": value}}}
    )
    assert compiled is not None
    description = compiled["properties"]["p"]["description"]
    assert description.startswith("Maps any name to ")
    assert len(description) <= 2_000
    assert told in read_loss(losses, "/properties/p/additionalProperties")[0]
    assert ("field0" in description) == (fields < 400)


def test_pattern_properties_are_described():
    """In a response schema, a single pattern becomes `additionalProperties`. Field case C5."""
    schema = {"type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}
    built, losses = compile_property(schema)
    assert built == {"type": "object", "description": "Names that match ^x- map to integer."}
    assert ("/properties/p/patternProperties", "patternProperties") in losses
    answer, listed = compile_response_schema(schema)
    assert answer["additionalProperties"] == {"type": "integer"}
    assert listed
    assert compile_response_schema({**schema, "additionalProperties": True})[0]["additionalProperties"] is True


def strings(**counts):
    """Return the schema of an array of strings."""
    return {"type": "array", "items": {"type": "string"}, **counts}


def add_up(schema: Any, factor: int = 1) -> int:
    """Return the sum of the array bounds of a compiled schema.

    The bound of an array inside another array is multiplied by the bound of the outer array.
    """
    if not isinstance(schema, dict):
        return 0
    bound = max(schema.get("maxItems", 0), schema.get("minItems", 0))
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below = sum(add_up(part, factor) for part in inner)
    return factor * bound + below + add_up(schema.get("items"), factor * max(bound, 1))


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": strings(maxItems=10_000)},
        {"a": strings(maxItems=972)},
        {name: strings(maxItems=120) for name in "abcdefgh"},
        {f"f{index}": strings(maxItems=20) for index in range(50)},
        {"a": strings(minItems=5_000, maxItems=5_000)},
        {"a": strings(maxItems=500), "b": {"type": "object", "properties": {"c": strings(maxItems=500)}}},
        {"a": {"type": "array", "maxItems": 40, "items": strings(maxItems=40)}},
        {"a": {"anyOf": [strings(maxItems=900), {"type": "object", "properties": {"c": strings(maxItems=100)}}]}},
    ],
    ids=["high", "just too high", "eight", "fifty", "both bounds", "nested object", "nested array", "union"],
)
def test_high_array_bounds_are_described_and_not_sent(arrays):
    """Each high bound is listed as lost, and a sentence in the description states it. Field case C6."""
    schema = {"type": "object", "properties": arrays}
    for build in (compile_parameters, compile_response_schema):
        compiled, losses = build(schema)
        assert add_up(schema) > 950
        assert add_up(compiled) <= 952
        dropped = [loss for loss in losses if loss.keyword == "maxItems"]
        text = json.dumps(compiled)
        assert dropped
        for loss in dropped:
            assert "is in the description and not in the schema" in loss.reason
        assert text.count("At most ") == len(dropped)
        if "both" in json.dumps(arrays) or "minItems" in json.dumps(arrays):
            assert "At least 5000 items." in text


def test_array_bounds_are_sent_as_long_as_their_sum_is_low():
    """If the sum is too high, the highest bounds are left out. Field case C6."""
    kept, losses = compile_parameters({"type": "object", "properties": {"a": strings(minItems=1, maxItems=850)}})
    assert kept is not None
    assert (kept["properties"]["a"]["maxItems"], kept["properties"]["a"]["minItems"], losses) == (850, 1, [])
    compiled, _ = compile_parameters(
        {"type": "object", "properties": {"a": strings(minItems=2, maxItems=5_000), "b": strings(maxItems=100)}}
    )
    assert compiled is not None
    assert compiled["properties"]["a"]["description"] == "At most 5000 items."
    assert compiled["properties"]["a"]["minItems"] == 2
    assert compiled["properties"]["b"]["maxItems"] == 100


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
def test_array_bounds_of_all_tools_of_a_request_are_added(surface):
    """The limit on array bounds applies to all tools of a request together, not to each tool. Field case C6."""
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"p": strings(maxItems=500)}}}}
        for name in ("a", "b")
    ]  # fmt: skip
    where: dict[str, Any] = {"project": "p", "location": "global"} if surface == "vertex" else {"api_key": "k"}
    body, notes = ChatGeminiCompat(model="gemini-3.8-flash", **where).preview("hi", tools=tools)
    sent = [tool["function"]["parameters"]["properties"]["p"] for tool in body["tools"]]
    assert [part.get("description") for part in sent] == ["At most 500 items."] * 2
    assert len([note for note in notes if "The bound 500 is in the description and not in" in note.message]) == 2


def test_a_compatible_server_gets_all_array_bounds():
    """Only Gemini has the limit. Field case C6."""
    tool = {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {"p": strings(maxItems=5000)}}}}  # fmt: skip
    model = ChatGeminiCompat(model="m", base_url="http://127.0.0.1:1/v1", api_key="k")
    body, notes = model.preview("hi", tools=[tool])
    assert body["tools"][0]["function"]["parameters"] == tool["function"]["parameters"]
    assert not notes


CAT = {"type": "object", "properties": {"k": {"type": "string"}, "a": {"type": "string"}}}
DOG = {"type": "object", "properties": {"k": {"type": "string"}, "b": {"type": "string"}}}
ANIMALS = {"Cat": CAT, "Dog": DOG}
BRANCHES = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
@pytest.mark.parametrize(
    ("mapping", "values"),
    [
        ({"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}, [["cat"], ["dog"]]),
        ({"cat": "Cat", "kitten": "Cat", "dog": "Dog"}, [["cat", "kitten"], ["dog"]]),
        (None, [["Cat"], ["Dog"]]),
    ],
)
def test_the_mapping_of_a_discriminator_gives_the_values(mapping, values, keyword):
    """The values of a discriminator are the keys of its mapping or, without a mapping, the names of the schemas.

    The mapping refers to a schema by a JSON pointer or by the schema's name. Field case C7.
    """
    discriminator = {"propertyName": "k", **({"mapping": mapping} if mapping else {})}
    built, losses = compile_property(
        {keyword: BRANCHES, "discriminator": discriminator}, components={"schemas": ANIMALS}
    )
    assert [branch["properties"]["k"]["enum"] for branch in built["anyOf"]] == values
    assert all(branch["required"] == ["k"] for branch in built["anyOf"])
    assert losses == []


def test_discriminator_values_without_a_branch_are_listed_as_lost():
    """Field case C7."""
    mapping = {"cat": "Cat", "dog": "Dog", "cow": "Cow"}
    discriminator = {"propertyName": "k", "mapping": mapping}
    built, losses = compile_property(
        {"oneOf": BRANCHES, "discriminator": discriminator}, components={"schemas": ANIMALS}
    )
    assert "Values of k: cow." in built["description"]
    assert ("/properties/p/discriminator/mapping", "mapping") in losses
    alone, listed = compile_property({**CAT, "discriminator": {"propertyName": "k"}})
    assert ("Form depends on k." in alone["description"], listed) == (
        True,
        [("/properties/p/discriminator", "discriminator")],
    )


def test_a_discriminator_of_a_single_branch_keeps_its_value():
    """Field case C7."""
    schema = {
        "oneOf": [BRANCHES[0], {"type": "null"}],
        "discriminator": {"propertyName": "k", "mapping": {"cat": "Cat"}},
    }
    built, _ = compile_property(schema, components={"schemas": ANIMALS})
    assert built["properties"]["k"]["enum"] == ["cat"]


def test_a_const_overrides_the_mapping_of_a_discriminator():
    """Field case C7."""
    cat = {"type": "object", "properties": {"k": {"const": "cat"}}, "required": ["k"]}
    schema = {
        "oneOf": [BRANCHES[0], {"type": "integer"}],
        "discriminator": {"propertyName": "k", "mapping": {"c": "Cat"}},
    }
    built, _ = compile_property(schema, components={"schemas": {"Cat": cat}})
    assert built["anyOf"][0]["properties"]["k"]["enum"] == ["cat"]


def test_a_property_with_an_empty_name_is_listed_as_lost():
    """Google refuses a property with an empty name, so it and its entry in `required` are lost. Field case C7."""
    built, losses = compile_property(
        {"type": "object", "properties": {"": {"type": "string"}, "a": {"type": "string"}}, "required": ["", "a"]}
    )
    assert (list(built["properties"]), built["required"]) == (["a"], ["a"])
    assert losses == [("/properties/p/properties/", "properties"), ("/properties/p/required", "required")]
    compiled, listed = compile_parameters({"type": "object", "properties": {"": {"type": "string"}}})
    assert (compiled, [loss.path for loss in listed]) == (None, ["/properties/"])


def test_required_of_draft_3_is_kept_or_listed():
    """The boolean `required` of draft 3 is kept in a property, and listed as lost elsewhere. Field case C7."""
    built, losses = compile_property(
        {"type": "object", "properties": {"a": {"type": "string", "required": True}, "b": {"type": "string", "required": False}}}
    )  # fmt: skip
    assert (built["required"], losses) == (["a"], [])
    _, losses = compile_property({"type": "array", "items": {"type": "string", "required": True}})
    assert losses == [("/properties/p/items/required", "required")]
    _, losses = compile_property({"type": "object", "properties": {"a": {"type": "string"}}, "required": "a"})
    assert losses == [("/properties/p/required", "required")]


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "integer", "divisibleBy": 3}, "divisibleBy"),
        ({"extends": {"type": "string"}, "type": "string"}, "extends"),
        ({"type": "string", "disallow": "x"}, "disallow"),
        ({"type": "string", "readOnly": True}, "readOnly"),
        ({"type": "string", "x-unit": "metre"}, "x-unit"),
        ({"type": "string", "enum": ["a"], "enumNames": ["A"]}, "enumNames"),
        ({"type": "integer", "minLength": 2}, "minLength"),
        ({"type": "string", "exclusiveMinimum": True}, "exclusiveMinimum"),
        ({"type": "string", "default": "x" * 300}, "default"),
        ({"type": "string", "examples": ["a", "b", "c", "d"]}, "examples"),
        ({"type": "string", "examples": {"a": {"value": 1}}}, "examples"),
        ({"type": "string", "example": "x" * 300}, "example"),
        ({"type": "string", "description": 5}, "description"),
        ({"type": "string", "enum": []}, "enum"),
        ({"type": "string", "contentSchema": {"type": "integer"}}, "contentSchema"),
    ],
    ids=str,
)
def test_a_keyword_that_is_not_kept_is_listed(schema, keyword):
    """The keywords are from older drafts or other tools, or do not apply. Field case C7."""
    _, losses = compile_property(schema)
    assert (f"/properties/p/{keyword}", keyword) in losses


def is_told(keyword: str, leaf: dict[str, Any], built: dict[str, Any], losses: list[tuple[str, str]]) -> bool:
    """Return whether `keyword` is sent, listed as lost, or described.

    A bound beside an enum counts as sent, because the enum is sent without the values that the bound excludes.
    """
    text = json.dumps(built)
    exact = {
        "exclusiveMinimum": '"minimum"',
        "exclusiveMaximum": '"maximum"',
        "const": '"enum"',
        "default": "Default: ",
    }
    listed = dict(losses)
    return (
        keyword in listed.values()
        or "/properties/p" in listed
        or f'"{keyword}"' in text
        or (keyword in exact and exact[keyword] in text)
        or (keyword == "default" and leaf["default"] is None)
        or (keyword in ("enum", "const") and '"minimum"' in text)
        or (bool({"enum", "const"} & set(leaf)) and keyword in BOUNDS)
    )


@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(leaf=LEAVES.filter(lambda leaf: isinstance(leaf, dict) and "not" not in leaf))
def test_every_keyword_is_sent_or_listed_or_described(leaf):
    """The schemas are strings, numbers and enums with contradictory keywords. Field case C7."""
    built, losses = compile_property(leaf)
    assert [keyword for keyword in leaf if not is_told(keyword, leaf, built, losses)] == []


@pytest.mark.parametrize("keyword", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
@pytest.mark.parametrize(("value", "is_loss"), [("3", True), (None, True), ([3], True), (3, False)])
def test_bound_that_is_not_a_number_is_a_loss(keyword, value, is_loss):
    sent, losses = compile_property({"type": "integer", keyword: value})
    assert [lost for _, lost in losses] == ([keyword] if is_loss else [])
    assert not is_loss or sent == {"type": "integer"}


@pytest.mark.parametrize("keyword", ["exclusiveMinimum", "exclusiveMaximum"])
def test_false_as_an_exclusive_bound_excludes_nothing(keyword):
    """JSON Schema draft 4 has booleans here. `false` is the default."""
    assert compile_property({"type": "integer", keyword: False}) == ({"type": "integer"}, [])


def test_forbidden_names_of_properties_are_a_loss():
    """A pattern of forbidden property names is only described to the model. The server does not check it."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^x-": False}}
    sent, losses = compile_property(schema)
    assert "No name may match ^x-." in sent["description"]
    assert losses == [("/properties/p/patternProperties", "patternProperties")]
    closed, losses = compile_property({**schema, "additionalProperties": False})
    assert "description" not in closed
    assert losses == []
