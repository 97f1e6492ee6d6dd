"""Tests the compilation of JSON schemas to Gemini's subset: keywords that are kept, rewritten or lost."""

from __future__ import annotations

import json

import pytest
from schema_subset import compile_property, refuse

from langchain_gemini_compat._schema.functions import compile_parameters, compile_response_schema

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
    "lists in allOf": (
        {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]},
        {"type": "string", "enum": ["b"]},
    ),
    "list beside bounds": (
        {"enum": [1, 2, 3], "exclusiveMaximum": 3, "minimum": 2},
        {"type": "integer", "minimum": 2, "maximum": 2},
    ),
    "list beside a length": ({"enum": ["a", "long"], "maxLength": 2}, {"type": "string", "enum": ["a"]}),
    "types in allOf": ({"type": "number", "allOf": [{"type": ["integer", "null"]}]}, {"type": "integer"}),
    "null that a sibling forbids": (
        {"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}]},
        {"type": "string", "minLength": 1},
    ),
    "lengths in allOf": (
        {"type": "string", "minLength": 1, "allOf": [{"minLength": 3}]},
        {"type": "string", "minLength": 3},
    ),
    "closed tuple with a larger bound": (
        {"type": "array", "prefixItems": [{"type": "number"}] * 2, "maxItems": 5, "items": False},
        {"type": "array", "items": {"type": "number"}, "maxItems": 2},
    ),
    "old spelling of a tuple": (
        {"type": "array", "items": [{"type": "number"}], "additionalItems": {"type": "number"}},
        {"type": "array", "items": {"type": "number"}},
    ),
    "null inside a branch": (
        {"anyOf": [{"type": ["string", "null"]}, {"type": "integer"}]},
        {"nullable": True, "anyOf": [{"type": "string"}, {"type": "integer"}]},
    ),
    "union in a union": (
        {"anyOf": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "boolean"}]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]},
    ),
    "described union in a union": (
        {"anyOf": [{"description": "d", "anyOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "boolean"}]},
        {
            "anyOf": [
                {"description": "d", "anyOf": [{"type": "string"}, {"type": "integer"}]},
                {"type": "boolean"},
            ]
        },
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
def test_an_exact_rewrite_records_no_loss(schema, expected):
    """The test compares JSON texts, because the order of the keys must also be equal."""
    compiled, losses = compile_property(schema)
    assert json.dumps(compiled) == json.dumps(expected)
    assert losses == []


LOSSY = {
    "items": (
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"type": "array", "items": {"type": "string"}},
    ),
    "format": ({"type": "string", "format": "email"}, {"type": "string", "description": "Format: email."}),
    "contentEncoding": (
        {"type": "string", "contentEncoding": "base64", "description": "A file. Encoding: base64."},
        {"type": "string", "description": "A file. Encoding: base64."},
    ),
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
    "enum": (
        {"type": "integer", "enum": [1, 5]},
        {"type": "integer", "description": "One of: 1, 5.", "minimum": 1, "maximum": 5},
    ),
    "const": ({"const": True}, {"type": "boolean", "description": "Never false."}),
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
def test_a_weaker_rewrite_records_one_loss_at_the_keyword(keyword):
    schema, expected = LOSSY[keyword]
    compiled, losses = compile_property(schema)
    assert json.dumps(compiled) == json.dumps(expected)
    assert losses == [(f"/properties/p/{keyword}", keyword)]


CONFUSED = {
    "two types": ({"type": "string", "allOf": [{"type": "integer"}]}, {"type": "string"}, "type"),
    "an unknown type": ({"type": "text"}, None, "type"),
    "only null": ({"type": "null"}, {"type": "string", "description": "Always null.", "nullable": True}, "type"),
    "two lists": ({"enum": ["a"], "const": "b"}, {"type": "string", "enum": ["b"]}, "enum"),
    "values of another type": ({"type": "integer", "enum": ["1"]}, {"type": "string", "enum": ["1"]}, "enum"),
    "numbers as texts": ({"type": "string", "enum": [1, 2]}, {"type": "string", "enum": ["1", "2"]}, "enum"),
    "an empty text": ({"enum": ["", "a"]}, {"type": "string", "enum": ["a"]}, "enum"),
    "only an empty text": ({"enum": [""]}, {"type": "string"}, "enum"),
    "an empty list": ({"type": "string", "enum": []}, {"type": "string"}, "enum"),
    "objects in a list": ({"type": "object", "enum": [{"a": 1}]}, {"type": "object"}, "enum"),
    "a count that is none": ({"type": "string", "minLength": "x"}, {"type": "string"}, "minLength"),
    "a bound that is none": ({"type": "number", "minimum": "x"}, {"type": "number"}, "minimum"),
    "members that are no object": ({"type": "object", "properties": 3}, {"type": "object"}, "properties"),
    "an empty union": ({"type": "string", "anyOf": []}, {"type": "string"}, "anyOf"),
    "a schema that is none": ("string", None, "schema"),
    "names with a pattern": (
        {"type": "object", "properties": {"a": {"type": "string"}}, "propertyNames": {"pattern": "^a"}},
        {"type": "object", "description": "Names must match ^a.", "properties": {"a": {"type": "string"}}},
        "propertyNames",
    ),
}


@pytest.mark.parametrize("case", CONFUSED)
def test_a_contradictory_schema_compiles_and_records_the_contradiction(case):
    schema, expected, keyword = CONFUSED[case]
    compiled, losses = compile_property(schema)
    assert expected is None or json.dumps(compiled) == json.dumps(expected)
    assert keyword in [found for _, found in losses]


def test_too_many_combinations_of_unions_keep_the_first_union():
    """Two unions of six branches would become 36 branches."""
    unions = {key: [{"properties": {f"{key}{n}": {"const": str(n)}}} for n in range(6)] for key in ("anyOf", "oneOf")}
    compiled, losses = compile_property({"type": "object", **unions})
    assert len(compiled["anyOf"]) == 6
    assert ("/properties/p/oneOf", "oneOf") in losses


def test_a_tuple_becomes_an_array_with_the_order_in_its_description():
    """Gemini accepts only one schema in `items`."""
    compiled, losses = compile_property(
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}
    )
    assert compiled["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert compiled["description"] == "Items in order: integer, string."
    assert losses == [("/properties/p/prefixItems", "prefixItems")]


@pytest.mark.parametrize("schema", [True, {}, {"description": "x"}])
def test_a_schema_for_any_value_becomes_a_union_of_types(schema):
    """Gemini has no equivalent of `true` and `{}`. The union has no arrays, which is recorded as a loss."""
    compiled, losses = compile_property(schema)
    assert [branch["type"] for branch in compiled["anyOf"]] == ["string", "number", "boolean", "object"]
    assert losses == [("/properties/p", "type")]


def test_a_forbidden_property_is_not_offered():
    """`false` as the schema of a property forbids it."""
    compiled, losses = compile_parameters({"properties": {"a": False, "b": {"type": "string"}}})
    assert compiled == {"type": "object", "properties": {"b": {"type": "string"}}}
    assert losses == []


def test_required_names_without_a_property_are_dropped():
    """Gemini answers 400 to required names without a property."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b", "a"]}
    compiled, losses = compile_parameters(schema)
    assert compiled is not None
    assert compiled["required"] == ["a"]
    assert [loss.path for loss in losses] == ["/required"]


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": {}, "$schema": "x"}])
def test_a_tool_without_arguments_has_no_parameters(schema):
    """Gemini refuses an object with empty `properties`."""
    assert compile_parameters(schema) == (None, [])


def test_a_tool_that_takes_any_arguments_has_no_parameters_and_a_loss():
    compiled, losses = compile_parameters({"type": "object", "additionalProperties": True})
    assert compiled is None
    assert losses


def test_alternatives_at_the_top_become_one_object():
    """The arguments of a function are one object. This object requires only what all alternatives require."""
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


def test_two_unions_at_one_place_are_combined():
    """Gemini accepts `anyOf` but no second union beside it, so `anyOf` and `oneOf` are combined."""
    schema = {
        "type": "object",
        "anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}],
        "oneOf": [{"properties": {"c": {"const": "x"}}}, {"properties": {"d": {"const": "y"}}}],
    }
    compiled, _ = compile_property(schema)
    assert [sorted(branch["properties"]) for branch in compiled["anyOf"]] == [
        ["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"]
    ]  # fmt: skip


def test_a_response_schema_keeps_maps_and_empty_objects():
    """Vertex AI documents `additionalProperties` for response schemas."""
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
def test_a_response_schema_may_have_any_type_at_the_top(schema):
    """A response schema without a type is an object."""
    compiled, _ = compile_response_schema(schema)
    assert refuse(compiled, response=True) == ""
    assert compiled["type"] == schema.get("type", "string" if schema else "object")
