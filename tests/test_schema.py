"""JSON Schemas compiled to Gemini's subset: what stays, what is said instead, and that nothing else gets out."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from langchain_gemini_compat._schema import compile_parameters, compile_response_schema

CORPUS = Path(__file__).parents[2] / "shared" / "mcp-schemas"
KEYS = {
    "object": {"properties", "required"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "format", "minLength", "maxLength"},
    "integer": {"format", "minimum", "maximum"},
    "number": {"format", "minimum", "maximum"},
    "boolean": set(),
}
FORMATS = {"string": {"enum", "date-time"}}
NUMBER_FORMATS = {"int32", "int64", "float", "double"}


def refuse(schema: Any, *, response: bool = False, depth: int = 1) -> str:
    """Why Gemini would refuse a compiled schema; empty when it would not."""
    if not isinstance(schema, dict) or depth > 32:
        return f"no schema, or too deep: {schema!r:.80}"
    extra = {"additionalProperties"} if response else set()
    kind = schema.get("type")
    allowed = {"anyOf"} if "anyOf" in schema else KEYS[kind] | {"type"} | (extra if kind == "object" else set())
    if set(schema) - allowed - {"description", "nullable"}:
        return f"keys {sorted(schema)}"
    if not isinstance(schema.get("description", "x"), str) or schema.get("nullable", True) is not True:
        return f"annotations of {schema!r:.80}"
    reason = refuse_values(schema)
    inner = [*schema.get("anyOf", []), *schema.get("properties", {}).values()]
    inner += [schema["items"]] if kind == "array" else []
    inner += [schema["additionalProperties"]] if isinstance(schema.get("additionalProperties"), dict) else []
    reasons = [reason, *(refuse(part, response=response, depth=depth + 1) for part in inner)]
    return next((text for text in reasons if text), "")


def refuse_values(schema: dict[str, Any]) -> str:
    """Why the values of a place are refused."""
    texts = schema.get("enum", ["x"])
    counts = [value for key, value in schema.items() if key.startswith(("minItems", "maxI", "minL", "maxL"))]
    bounds = [schema[key] for key in ("minimum", "maximum") if key in schema]
    checks = {
        "anyOf": len(schema.get("anyOf", [1, 2])) > 1,
        "properties": schema.get("properties", True),
        "required": set(schema.get("required", [])) <= set(schema.get("properties", {})),
        "enum": texts and all(isinstance(text, str) and text for text in texts) and len(set(texts)) == len(texts),
        "count": all(type(count) is int and count >= 0 for count in counts),
        "bound": all(type(bound) in (int, float) and abs(bound) != float("inf") for bound in bounds),
        "format": schema.get("format", "int32" if schema.get("type") != "string" else "enum")
        in FORMATS.get(schema.get("type", ""), NUMBER_FORMATS),
    }
    return ", ".join(name for name, holds in checks.items() if not holds)


def compile_property(schema: Any, **root: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """One property compiled, and its losses as pairs of path and keyword."""
    compiled, losses = compile_parameters({"type": "object", "properties": {"p": schema}, **root})
    assert compiled is not None
    assert refuse(compiled) == ""
    return compiled["properties"]["p"], [(loss.path, loss.keyword) for loss in losses]


SILENT = {
    "const": ({"const": "x"}, {"type": "string", "enum": ["x"]}),
    "integer const": ({"const": 3}, {"type": "integer", "minimum": 3, "maximum": 3}),
    "integers without a gap": ({"type": "integer", "enum": [3, 1, 2]}, {"type": "integer", "minimum": 1, "maximum": 3}),
    "both booleans": ({"enum": [True, False]}, {"type": "boolean"}),
    "type list with null": ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    "null in a list": ({"enum": ["a", None]}, {"type": "string", "nullable": True, "enum": ["a"]}),
    "type list": ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    "optional": (
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "P", "description": "d"},
        {"type": "string", "description": "d", "nullable": True},
    ),
    "optional union": (
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        {"nullable": True, "anyOf": [{"type": "string"}, {"type": "integer"}]},
    ),
    "constants in a union": (
        {"anyOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]},
        {"type": "string", "enum": ["a", "b"]},
    ),
    "default": (
        {"type": "integer", "default": 5, "description": "Count"},
        {"type": "integer", "description": "Count. Default: 5."},
    ),
    "default told already": (
        {"type": "integer", "default": 5, "description": "Count (default 5)"},
        {"type": "integer", "description": "Count (default 5)"},
    ),
    "examples": ({"type": "string", "examples": ["a"]}, {"type": "string", "description": 'Examples: "a".'}),
    "exclusive bounds of an integer": (
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2.5},
        {"type": "integer", "minimum": 1, "maximum": 2},
    ),
    "exclusive bound as a flag": (
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {"type": "integer", "minimum": 1},
    ),
    "mixed list": (
        {"enum": ["auto", 1, 2]},
        {"anyOf": [{"type": "string", "enum": ["auto"]}, {"type": "integer", "minimum": 1, "maximum": 2}]},
    ),
    "tuple of one type": (
        {"type": "array", "prefixItems": [{"type": "number"}] * 2, "minItems": 2, "items": False},
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    ),
    "listed names": (
        {"type": "object", "propertyNames": {"enum": ["u"]}, "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"u": {"type": "integer"}}},
    ),
    "inferred type": ({"minLength": 2}, {"type": "string", "minLength": 2}),
    "accepted formats": ({"type": "integer", "format": "int64"}, {"type": "integer", "format": "int64"}),
    "upper case": ({"type": "STRING"}, {"type": "string"}),
    "allOf": (
        {
            "allOf": [
                {"properties": {"a": {"minimum": 1}}, "required": ["a"]},
                {"properties": {"a": {"type": "integer"}}},
            ]
        },
        {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]},
    ),
    "disjoint oneOf": (
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    ),
    "oneOf told apart by a member": (
        {"oneOf": [{"properties": {"k": {"const": c}}, "required": ["k"]} for c in "ab"]},
        {
            "anyOf": [
                {"type": "object", "properties": {"k": {"type": "string", "enum": [c]}}, "required": ["k"]}
                for c in "ab"
            ]
        },
    ),
    "siblings of a union": (
        {"type": "string", "minLength": 1, "anyOf": [{"maxLength": 3}, {"enum": ["long one"]}], "description": "d"},
        {
            "description": "d",
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 3},
                {"type": "string", "enum": ["long one"]},
            ],
        },
    ),
}


@pytest.mark.parametrize(("schema", "expected"), SILENT.values(), ids=SILENT)
def test_a_rewrite_that_means_the_same_is_no_loss(schema, expected):
    """Exact rewrites give the expected form, with keys in a fixed order, and record nothing."""
    compiled, losses = compile_property(schema)
    assert json.dumps(compiled) == json.dumps(expected)
    assert losses == []


LOSSY = {
    "format": ({"type": "string", "format": "email"}, {"type": "string", "description": "Format: email."}),
    "pattern": ({"type": "string", "pattern": "^a+$"}, {"type": "string", "description": "Must match ^a+$."}),
    "exclusiveMinimum": (
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "description": "Must be greater than 0.", "minimum": 0},
    ),
    "multipleOf": (
        {"type": "integer", "multipleOf": 5},
        {"type": "integer", "description": "Must be a multiple of 5."},
    ),
    "uniqueItems": (
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"type": "array", "description": "Items must be unique.", "items": {"type": "string"}},
    ),
    "enum": ({"type": "integer", "enum": [1, 5]}, {"type": "string", "enum": ["1", "5"]}),
    "const": ({"const": True}, {"type": "boolean", "description": "The only boolean is true."}),
    "not": ({"type": "string", "not": {"const": "x"}}, {"type": "string"}),
    "if": ({"type": "string", "if": {"maxLength": 1}, "then": {"pattern": "a"}}, {"type": "string"}),
    "additionalProperties": (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "description": "Maps any name to integer."},
    ),
    "minProperties": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1},
        {"type": "object", "description": "At least 1 members.", "properties": {"a": {"type": "string"}}},
    ),
    "oneOf": (
        {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        {"anyOf": [{"type": "integer"}, {"type": "number"}]},
    ),
    "anyOf": (
        {"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"type": "object", "description": "Give a or b.", "properties": {"a": {"type": "string"}}},
    ),
    "$ref": ({"$ref": "https://example.com/a.json", "type": "string"}, {"type": "string"}),
}


@pytest.mark.parametrize("keyword", LOSSY)
def test_a_loss_names_the_place_in_the_original_and_the_description_tells_the_model(keyword):
    """Weaker rewrites give the expected form and exactly one loss, at the keyword."""
    schema, expected = LOSSY[keyword]
    compiled, losses = compile_property(schema)
    assert json.dumps(compiled) == json.dumps(expected)
    assert losses == [(f"/properties/p/{keyword}", keyword)]


def test_a_tuple_of_several_types_becomes_an_array_with_its_order_in_words():
    """Gemini has one `items`; the order of types is only told."""
    compiled, losses = compile_property({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]})
    assert compiled["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert compiled["description"] == "Items in order: integer, string."
    assert losses == [("/properties/p/prefixItems/0", "prefixItems")]


@pytest.mark.parametrize("schema", [True, {}, {"description": "x"}])
def test_a_place_for_any_value_gets_a_legal_union(schema):
    """`true` and `{}` have no equal; scalars and objects are offered, and the gap is said."""
    compiled, losses = compile_property(schema)
    assert [branch["type"] for branch in compiled["anyOf"]] == ["string", "number", "boolean", "object"]
    assert losses == [("/properties/p", "type")]


def test_a_property_that_may_not_be_given_is_not_offered():
    """`false` as a property schema forbids the property."""
    compiled, losses = compile_parameters({"properties": {"a": False, "b": {"type": "string"}}})
    assert compiled == {"type": "object", "properties": {"b": {"type": "string"}}}
    assert losses == []


def test_required_names_only_properties_that_exist():
    """A required name without a property is a 400, so it goes, and is recorded."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b", "a"]}
    compiled, losses = compile_parameters(schema)
    assert compiled is not None
    assert compiled["required"] == ["a"]
    assert [loss.path for loss in losses] == ["/required"]


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": {}, "$schema": "x"}])
def test_a_tool_without_arguments_has_no_parameters(schema):
    """Gemini refuses an object with empty `properties`."""
    assert compile_parameters(schema) == (None, [])


def test_a_tool_that_takes_anything_has_no_parameters_and_says_so():
    """A free-form top is a loss, not silence."""
    compiled, losses = compile_parameters({"type": "object", "additionalProperties": True})
    assert compiled is None
    assert losses


def test_alternatives_at_the_top_become_one_object():
    """Function arguments are one object: all members, and only those required that all alternatives require."""
    one = {"type": "object", "properties": {"k": {"const": "a"}, "n": {"type": "integer"}}, "required": ["k", "n"]}
    two = {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]}
    compiled, losses = compile_parameters({"anyOf": [one, two], "description": "d"})
    assert compiled == {
        "type": "object",
        "description": "d",
        "properties": {"k": {"type": "string", "enum": ["a", "b"]}, "n": {"type": "integer"}},
        "required": ["k"],
    }
    assert [loss.keyword for loss in losses] == ["anyOf"]


@pytest.mark.parametrize(
    "reference",
    ["#/$defs/a~1b%20~0", "#/definitions/D", "#/properties/q", "#/x/1", "#/$defs/chain"],
)
def test_a_reference_is_replaced_by_what_it_points_to(reference):
    """All spellings of a pointer into the same document lead somewhere, and siblings stay."""
    target = {"type": "string", "description": "inner"}
    root = {
        "$defs": {"a/b ~": target, "chain": {"$ref": "#/definitions/D"}},
        "definitions": {"D": target},
        "x": [0, target],
    }
    schema = {"properties": {"q": target, "p": {"$ref": reference, "description": "outer", "maxLength": 3}}, **root}
    compiled, losses = compile_parameters(schema)
    assert compiled is not None
    assert compiled["properties"]["p"] == {"type": "string", "description": "outer. inner", "maxLength": 3}
    assert losses == []


@pytest.mark.parametrize("reference", ["#/$defs/none", "other.json", "#anchor", 7, "#/x/9"])
def test_a_reference_that_leads_nowhere_takes_any_value(reference):
    """It is a loss, not an exception."""
    _, losses = compile_property({"$ref": reference}, x=[1])
    assert ("/properties/p/$ref", "$ref") in losses


def test_recursion_opens_twice_and_ends_in_an_object_in_words():
    """A tree keeps one level of children; below it any object is let through."""
    node = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/N"}}}}
    compiled, losses = compile_property({"$ref": "#/$defs/N"}, **{"$defs": {"N": node}})
    end = {"type": "object", "description": "Same form as the levels above."}
    kids = compiled["properties"]["kids"]["items"]["properties"]["kids"]
    assert kids == {"type": "array", "items": end}
    assert ("/$defs/N/properties/kids/items/$ref", "$ref") in losses


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a"},
        {"properties": {"p": {"$ref": "#"}}},
        {"properties": {"p": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/properties/p"}]}}},
    ],
)
def test_references_in_a_circle_end(schema):
    """Definitions that say nothing but each other neither hang nor raise."""
    circle = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    compiled, _ = compile_parameters({**schema, **circle})
    assert compiled is None or refuse(compiled) == ""
    assert refuse(compile_response_schema({**schema, **circle})[0], response=True) == ""


def test_definitions_that_multiply_stay_within_bounds():
    """Ten references on each of twelve levels would be a million million places."""
    defs = {
        f"L{level}": {"properties": {f"p{n}": {"$ref": f"#/$defs/L{level + 1}"} for n in range(10)}}
        for level in range(12)
    }
    schema = {"$ref": "#/$defs/L0", "$defs": {**defs, "L12": {"type": "string"}}}
    compiled, losses = compile_parameters(schema)
    assert compiled is not None
    assert refuse(compiled) == ""
    assert len(json.dumps(compiled)) < 400_000
    assert losses
    assert compile_parameters(compiled)[0] == compiled


@pytest.mark.parametrize("keyword", ["properties", "items", "allOf", "anyOf", "not", "additionalProperties", "default"])
def test_deep_nesting_ends_in_words_and_never_in_a_recursion_error(keyword):
    """Five thousand levels of one keyword compile."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        wrapped = {"properties": {"p": schema}, "allOf": [schema], "anyOf": [schema, {"type": "integer"}]}
        schema = {keyword: wrapped.get(keyword, schema)}
    compiled, _ = compile_parameters({"properties": {"p": schema}})
    assert refuse(compiled) == ""


def test_a_union_beside_a_union_keeps_both():
    """Branches of both are combined, as nothing may stand beside `anyOf`."""
    schema = {
        "type": "object",
        "anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}],
        "oneOf": [{"properties": {"c": {"const": "x"}}}, {"properties": {"d": {"const": "y"}}}],
    }
    compiled, _ = compile_property(schema)
    assert [sorted(branch["properties"]) for branch in compiled["anyOf"]] == [
        ["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"]
    ]  # fmt: skip


def test_a_response_schema_keeps_free_form_maps_and_empty_objects():
    """Vertex documents `additionalProperties` for response schemas."""
    schema = {
        "type": "object",
        "properties": {
            "m": {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "e": {"type": "object", "properties": {}},
        },
        "additionalProperties": False,
    }
    compiled, losses = compile_response_schema(schema)
    assert compiled == {
        "type": "object",
        "properties": {
            "m": {"type": "object", "additionalProperties": {"type": "integer", "nullable": True}},
            "e": {"type": "object"},
        },
        "additionalProperties": False,
    }
    assert losses == []


@pytest.mark.parametrize("schema", [{"type": "array", "items": {"type": "string"}}, {"enum": ["a", "b"]}, {}])
def test_a_response_may_have_any_type_at_the_top(schema):
    """Unlike arguments, an answer may be a list or one of some words; without a type it is an object."""
    compiled, _ = compile_response_schema(schema)
    assert refuse(compiled, response=True) == ""
    assert compiled["type"] == schema.get("type", "string" if schema else "object")


class Colour(enum.Enum):
    """Names of colours."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A point."""

    x: float
    y: float = 0


class Cat(BaseModel):
    """Told apart by `kind`."""

    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    """Told apart by `kind`."""

    kind: Literal["dog"] = "dog"


class Tree(BaseModel):
    """Recursive."""

    value: int
    kids: list[Tree] = []


class Everything(BaseModel):
    """One field for each thing that pydantic writes its own way."""

    maybe: int | None = None
    word: Literal["a", "b"]
    colour: Colour = Colour.RED
    point: Point | None = Field(None, description="Where")
    either: int | str
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pair: tuple[int, str]
    mapping: dict[str, Point]
    by_colour: dict[Colour, int]
    day: dt.date
    moment: dt.datetime
    tree: Tree
    count: Annotated[int, Field(gt=0, lt=10)]


EVERYTHING = {
    "maybe": {"type": "integer", "nullable": True},
    "word": {"type": "string", "enum": ["a", "b"]},
    "colour": {"type": "string", "description": 'Names of colours. Default: "red".', "enum": ["red", "blue"]},
    "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "by_colour": {"type": "object", "properties": {"red": {"type": "integer"}, "blue": {"type": "integer"}}},
    "day": {"type": "string", "description": "Format: date."},
    "moment": {"type": "string", "format": "date-time"},
    "count": {"type": "integer", "minimum": 1, "maximum": 9},
}


def test_a_pydantic_model_compiles_field_by_field():
    """Every idiom of pydantic's JSON schema, with the exact result where it is short."""
    compiled, losses = compile_parameters(Everything.model_json_schema())
    assert compiled is not None
    assert refuse(compiled) == ""
    properties = compiled["properties"]
    assert {name: properties[name] for name in EVERYTHING} == EVERYTHING
    assert properties["point"]["description"] == "Where. A point."
    assert properties["point"]["nullable"] is True
    assert properties["mapping"]["description"].startswith('Maps any name to {"type":"object"')
    assert len(properties["pet"]["anyOf"]) == 2
    assert list(properties) == list(Everything.model_fields)
    assert {loss.keyword for loss in losses} == {
        "additionalProperties", "prefixItems", "format", "$ref", "properties"
    }  # fmt: skip


class Query(TypedDict, total=False):
    """A search."""

    text: str
    limit: int | None


@dataclass
class Box:
    """A dataclass."""

    width: int
    tags: list[str] | None = None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (TypeAdapter(Box).json_schema(), {"width": "integer", "tags": "array"}),
        (convert_to_openai_tool(Query)["function"]["parameters"], {"text": "string", "limit": "integer"}),
        (TypeAdapter(list[Box]).json_schema()["$defs"]["Box"], {"width": "integer", "tags": "array"}),
    ],
)
def test_typed_dicts_and_dataclasses_compile_without_loss(schema, expected):
    """What LangChain and pydantic make of them is plain."""
    compiled, losses = compile_parameters(schema)
    assert compiled is not None
    assert refuse(compiled) == ""
    assert {name: value["type"] for name, value in compiled["properties"].items()} == expected
    assert losses == []


SERVERS = {
    "a rename with a strict object": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"from": {"type": "string", "minLength": 1}, "dry": {"type": "boolean", "default": False}},
        "required": ["from"],
        "additionalProperties": False,
    },
    "an index with a record of unions": {
        "type": "object",
        "properties": {
            "definition": {
                "type": "array",
                "items": {
                    "oneOf": [
                        {
                            "type": "object",
                            "properties": {
                                "type": {"type": "string", "const": "classic"},
                                "keys": {
                                    "type": "object",
                                    "propertyNames": {"type": "string"},
                                    "additionalProperties": {"anyOf": [{"type": "number", "const": 1}, {"const": -1}]},
                                },
                            },
                            "required": ["type", "keys"],
                        },
                        {"type": "object", "properties": {"type": {"const": "search"}}, "required": ["type"]},
                    ]
                },
            }
        },
    },
    "a template or an image": {
        "type": "object",
        "properties": {"template": {"type": "string"}, "image": {"type": "string"}},
        "if": {"not": {"required": ["template"]}},
        "then": {"required": ["image"]},
    },
    "filters that hold filters": {
        "type": "object",
        "properties": {"filter": {"$ref": "#/$defs/Filter"}},
        "$defs": {
            "Filter": {
                "anyOf": [
                    {"type": "object", "properties": {"and": {"type": "array", "items": {"$ref": "#/$defs/Filter"}}}},
                    {"type": "object", "properties": {"equals": {"type": ["string", "number", "boolean", "null"]}}},
                ]
            }
        },
    },
    "cells": {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "array", "items": {}}}}},
}


@pytest.mark.parametrize("schema", SERVERS.values(), ids=SERVERS)
def test_schemas_in_the_manner_of_mcp_servers_compile(schema):
    """Shapes that are common among published servers."""
    before = copy.deepcopy(schema)
    compiled, _ = compile_parameters(schema)
    assert compiled is not None
    assert refuse(compiled) == ""
    assert schema == before


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of published schemas is not beside the repository")
def test_every_tool_of_the_corpus_compiles_to_what_the_checker_passes():
    """Published MCP servers, judged by the checker that lies beside them."""
    spec = importlib.util.spec_from_file_location("check_subset", CORPUS / "check_subset.py")
    assert spec is not None
    assert spec.loader is not None
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    servers = [json.loads(path.read_text("utf-8")) for path in sorted(CORPUS.glob("*.json"))]
    tools = [tool for server in servers for tool in server["tools"]]
    assert len(tools) > 2_000
    for tool in tools:
        before = copy.deepcopy(tool["inputSchema"])
        compiled, _ = compile_parameters(tool["inputSchema"])
        assert tool["inputSchema"] == before
        assert checker.check(compiled) == [], tool["name"]
        assert compiled is None or refuse(compiled) == "", tool["name"]
        assert compiled is None or json.dumps(compile_parameters(compiled)[0]) == json.dumps(compiled)


SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["", "a", "b", 0.5, float("nan"), 10**400])
KINDS = ["object", "array", "string", "integer", "number", "boolean", "null", "any"]
REFERENCES = ["#", "#/$defs/A", "#/$defs/B", "#/properties/p", "#/none", "http://x/y", 3]
NAMES = st.sampled_from(["p", "q", "a/b", "type"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(NAMES, SCALARS, max_size=2))
ODD = [True, False, None, 3, "x", [], {}]


def build_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas with every keyword that the compiler knows, right and wrong."""
    many, some = st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)
    kinds = st.sampled_from(KINDS) | st.lists(st.sampled_from(KINDS), max_size=3)
    texts = st.sampled_from(["x", "Default is 3", " d. ", "", 3])
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": kinds, "enum": st.lists(VALUES, max_size=4), "const": VALUES, "nullable": st.booleans(),
        "title": texts, "description": texts, "default": VALUES, "examples": st.lists(VALUES, max_size=2),
        "properties": some, "required": st.lists(NAMES, max_size=3), "additionalProperties": inner,
        "propertyNames": inner, "patternProperties": some, "items": inner | many, "prefixItems": many,
        "additionalItems": inner, "anyOf": many, "oneOf": many, "allOf": many, "not": inner, "if": inner,
        "$ref": st.sampled_from(REFERENCES), "format": st.sampled_from(["date-time", "email", "int32", 3]),
        "discriminator": st.just({"propertyName": "p"}), "pattern": st.sampled_from(["^a$", "x" * 400]),
        **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minProperties"], SCALARS),
        **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"], SCALARS),
        **dict.fromkeys(["uniqueItems", "contains", "dependentRequired", "deprecated"], VALUES),
    }  # fmt: skip
    wrong = st.dictionaries(st.sampled_from(sorted(keywords)), st.sampled_from(ODD), max_size=1)
    # A few keywords each time: with all of them at once no two would ever meet.
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    right = chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))
    return st.builds(lambda first, second: {**first, **second}, right, wrong)


SCHEMAS = st.recursive(st.sampled_from([{}, True, False, 3, {"type": "string"}]), build_schemas, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(schema=SCHEMAS, first=SCHEMAS, second=SCHEMAS)
def test_whatever_is_given_what_comes_out_is_accepted_and_stays_as_it_is(schema, first, second):
    """No schema raises; the result is in the subset, compiles to itself, and the input is untouched."""
    whole = {"properties": {"p": schema}, "$defs": {"A": first, "B": second}}
    top = {**schema, **whole} if isinstance(schema, dict) else whole
    before = repr(top)
    for response, build in ((False, compile_parameters), (True, compile_response_schema)):
        compiled, losses = build(top)
        assert repr(top) == before
        assert build(top) == (compiled, losses)
        if compiled is not None:
            assert refuse(compiled, response=response) == ""
            assert json.dumps(build(compiled)[0]) == json.dumps(compiled)
        assert len(set(losses)) == len(losses)
        assert all(loss.keyword and loss.reason for loss in losses)
