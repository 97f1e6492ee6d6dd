"""Tests references, recursion and size: every schema compiles within limits, and the result compiles to itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_subset import compile_property, refuse

from langchain_gemini_compat._schema.functions import compile_parameters, compile_response_schema
from langchain_gemini_compat._schema.node import Source
from langchain_gemini_compat._schema.references import Reader


@pytest.mark.parametrize(
    "reference",
    ["#/$defs/a~1b%20~0", "#/definitions/D", "#/properties/q", "#/x/1", "#/$defs/chain"],
)
def test_a_reference_is_replaced_by_its_target(reference):
    """All spellings of a pointer are resolved, and the keywords beside the reference are kept."""
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
def test_a_reference_without_a_target_is_a_loss(reference):
    _, losses = compile_property({"$ref": reference}, x=[1])
    assert ("/properties/p/$ref", "$ref") in losses


def test_a_recursive_definition_is_expanded_twice():
    """In the schema of a tree, the children of the root are described. Below them, any object is accepted."""
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
def test_circular_references_compile(schema):
    """Definitions that only refer to each other neither hang nor raise."""
    circle = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    compiled, _ = compile_parameters({**schema, **circle})
    assert compiled is None or refuse(compiled) == ""
    assert refuse(compile_response_schema({**schema, **circle})[0], response=True) == ""


def test_definitions_that_multiply_stay_within_the_limits():
    """Twelve levels with ten references each would expand to 10**12 subschemas."""
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


@pytest.mark.parametrize(
    "keyword", ["properties", "items", "allOf", "anyOf", "not", "additionalProperties", "default", "prefixItems"]
)
def test_deep_nesting_is_cut_short_without_a_recursion_error(keyword):
    """Five thousand levels of one keyword compile."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(5_000):
        wrapped = {"properties": {"p": schema}, "allOf": [schema], "anyOf": [schema, {"type": "integer"}]}
        wrapped["prefixItems"] = wrapped["anyOf"]
        schema = {keyword: wrapped.get(keyword, schema)}
    compiled, _ = compile_parameters({"properties": {"p": schema, "q": {"properties": {"p": schema}}}})
    assert refuse(compiled) == ""


MEMBERS = {f"m{n}": {"type": "object", "properties": {"x": {"type": "string"}}} for n in range(9)}


@pytest.mark.parametrize(("schema", "count"), [({"properties": MEMBERS}, 1_200), ({}, 3_000)], ids=["objects", "any"])
def test_a_schema_with_too_many_places_is_cut_short(schema, count):
    """If a schema has too many subschemas, some are left out. Compiling the result again does not change it."""
    compiled, losses = compile_parameters({"properties": {f"p{n}": schema for n in range(3_000)}})
    assert refuse(compiled) == ""
    assert "The original schema is too deep or too large, so the part that describes this value is not checked." in {
        loss.reason for loss in losses
    }
    assert compile_parameters(compiled)[0] == compiled


def test_a_definition_is_read_once_for_a_place():
    """Each of 30 definitions refers twice to the next one.

    If each reference were read, the last definition would be read 2**30 times.
    """
    defs = {f"D{n}": {"allOf": [{"$ref": f"#/$defs/D{n + 1}"}] * 2} for n in range(30)}
    reader = Reader({"$defs": {**defs, "D30": {"type": "string"}}}, 1, 10_000, [])
    assert reader.read("", [Source({"$ref": "#/$defs/D0"}, "")]).types == ["string"]
    assert reader.visited < 200


def test_a_reader_expands_nothing_after_its_budget_is_used_up():
    """Each of ten schemas has a long `allOf`. Only the first `allOf` is read, because it uses up the budget."""
    reader = Reader({}, 1, 5, [])
    for _ in range(10):
        reader.read("", [Source({"allOf": [{}] * 100}, "")])
    assert reader.visited < 120


def test_a_loss_in_a_definition_is_listed_once():
    """Two properties refer to one definition. Its lost rule is listed once, with the path in the definition."""
    defs = {"D": {"type": "string", "pattern": "a"}}
    schema = {"properties": {"p": {"$ref": "#/$defs/D"}, "q": {"$ref": "#/$defs/D"}}, "$defs": defs}
    assert [loss.path for loss in compile_parameters(schema)[1]] == ["/$defs/D/pattern"]


SCALARS = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["", "a", "b", 0.5, float("nan"), 10**400])
KINDS = ["object", "array", "string", "integer", "number", "boolean", "null", "any"]
REFERENCES = ["#", "#/$defs/A", "#/$defs/B", "#/properties/p", "#/none", "http://x/y", 3]
NAMES = st.sampled_from(["p", "q", "a/b", "type"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(NAMES, SCALARS, max_size=2))
ODD = [True, False, None, 3, "x", [], {}]


def build_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build schemas with every keyword that the compiler knows, valid and invalid."""
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
    # Each schema has only a few keywords, so that each pair of keywords is tried often.
    chosen = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    right = chosen.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))
    return st.builds(lambda first, second: {**first, **second}, right, wrong)


SCHEMAS = st.recursive(st.sampled_from([{}, True, False, 3, {"type": "string"}]), build_schemas, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(schema=SCHEMAS, first=SCHEMAS, second=SCHEMAS)
def test_any_schema_compiles_into_the_subset_and_then_stays_unchanged(schema, first, second):
    """Compiling raises no error and does not modify the input. Compiling the result again does not change it."""
    both = {"allOf": [schema, first, {"$ref": "#/$defs/B"}]}
    spread = {**(first if isinstance(first, dict) else {}), "anyOf": [schema, second]}
    whole = {"properties": {"p": schema, "q": both, "r": spread}, "$defs": {"A": first, "B": second}}
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
