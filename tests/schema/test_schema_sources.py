"""Tests schemas as pydantic, LangChain and published MCP servers write them."""

from __future__ import annotations

import copy
import datetime as dt
import enum
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field, TypeAdapter
from schema_subset import refuse
from typing_extensions import TypedDict

from langchain_gemini_compat._schema.functions import compile_parameters


class Colour(enum.Enum):
    """Names of colours."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A point."""

    x: float
    y: float = 0


class Cat(BaseModel):
    """The field `kind` says which animal it is."""

    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    """The field `kind` says which animal it is."""

    kind: Literal["dog"] = "dog"


class Tree(BaseModel):
    """Recursive."""

    value: int
    kids: list[Tree] = []


class Everything(BaseModel):
    """A model with one field for each construct that pydantic writes in its own way."""

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
    """Short compiled schemas of fields are compared exactly. Of long ones, the test checks a few keys."""
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
def test_schemas_of_mcp_servers_compile(schema):
    """The schemas have patterns that are common among published servers."""
    before = copy.deepcopy(schema)
    compiled, _ = compile_parameters(schema)
    assert compiled is not None
    assert refuse(compiled) == ""
    assert schema == before
