"""Probes of schemas: keywords in the parameters of a tool, one by one, and the schema of an answer."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from langchain_gemini_compat._wire.json_types import text_at
from langchain_gemini_compat.cli._verify.checks import expect, expect_answer, expect_refusal, say
from langchain_gemini_compat.cli._verify.probe import REFUSED, Observation, Probe, Sources, Spend
from langchain_gemini_compat.cli._verify.sources import OPENAI, STUDIO, UNTRIED, VERTEX_OVERVIEW, observed
from langchain_gemini_compat.cli._verify.tool_calls import TOOLS

if TYPE_CHECKING:
    from langchain_gemini_compat._catalog.models import ModelFamily
    from langchain_gemini_compat._wire.json_types import JsonObject, JsonValue
    from langchain_gemini_compat.cli._verify.lab import Lab

_OPENAPI: Sources = {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED}
_NO_SOURCE: Sources = {"vertex": UNTRIED, "ai_studio": UNTRIED}


def _report(place: str) -> Sources:
    return {"vertex": observed(place), "ai_studio": observed(place)}


_UNKNOWN_NAMES = _report("https://github.com/zed-industries/zed/issues/44875")
_CONST = _report("https://github.com/openswarm-ai/openswarm/issues/24")
_CODE = _report("public code that avoids the keyword")
#: Each row is the probe of one schema keyword, with these columns:
#:
#: - the id of the probe
#: - the keyword, as the claim names it
#: - a schema with the keyword
#: - whether the claim says that the server accepts the schema
#: - the sources of the claim
KEYWORDS: tuple[tuple[str, str, JsonObject, bool, Sources], ...] = (
    ("enum", "`enum` of strings", {"type": "string", "enum": ["a", "b"]}, True, _OPENAPI),
    ("enum-of-numbers", "`enum` of numbers", {"type": "integer", "enum": [1, 2]}, False, _CODE),
    ("nullable", "`nullable`", {"type": "string", "nullable": True}, True, _OPENAPI),
    ("any-of", "`anyOf`", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, True, _OPENAPI),
    ("one-of", "`oneOf`", {"oneOf": [{"type": "string"}, {"type": "integer"}]}, False, _UNKNOWN_NAMES),
    ("minimum", "`minimum` with `maximum`", {"type": "integer", "minimum": 1, "maximum": 9}, True, _OPENAPI),
    ("exclusive-minimum", "`exclusiveMinimum`", {"type": "integer", "exclusiveMinimum": 0}, False, _UNKNOWN_NAMES),
    ("pattern", "`pattern`", {"type": "string", "pattern": "^[a-z]+$"}, True, _NO_SOURCE),
    ("date-time", "`format` `date-time`", {"type": "string", "format": "date-time"}, True, _OPENAPI),
    ("uuid", "`format` `uuid`", {"type": "string", "format": "uuid"}, False, _CODE),
    ("max-items", "`maxItems`", {"type": "array", "items": {"type": "string"}, "maxItems": 3}, True, _OPENAPI),
    ("default", "`default`", {"type": "string", "default": "a"}, True, _NO_SOURCE),
    ("title", "`title`", {"type": "string", "title": "Word"}, True, _NO_SOURCE),
    ("const", "`const`", {"type": "string", "const": "a"}, False, _CONST),
    ("list-of-types", "`type` with a list of types", {"type": ["string", "null"]}, False, _UNKNOWN_NAMES),
)
_CITY: JsonObject = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_LIST: JsonObject = {
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    "$ref": "#/$defs/Node",
}
_LARGE = Spend(input_tokens=6_000)


def _declare(lab: Lab, parameters: JsonObject) -> JsonObject:
    function: JsonObject = {"name": "look", "description": "Look something up.", "parameters": parameters}
    return lab.body(tools=[{"type": "function", "function": function}])


def _check_keyword(lab: Lab, schema: JsonObject, *, accepted: bool) -> Observation:
    return expect(lab, _declare(lab, {"type": "object", "properties": {"word": schema}}), accepted=accepted)


def _check_reference(lab: Lab) -> Observation:
    parameters: JsonObject = {
        "type": "object",
        "properties": {"word": {"$ref": "#/$defs/Word"}},
        "$defs": {"Word": {"type": "string"}},
    }
    return expect_refusal(lab, _declare(lab, parameters), "$")


def _check_additional(lab: Lab) -> Observation:
    return expect_refusal(lab, _declare(lab, {**_CITY, "additionalProperties": False}), "additionalProperties")


def _check_empty(lab: Lab) -> Observation:
    return expect_refusal(lab, _declare(lab, {"type": "object", "properties": {}}), "non-empty")


def _named(name: str) -> JsonValue:
    return {"type": "function", "function": {"name": name, "description": "Do something.", "parameters": _CITY}}


def _check_names(lab: Lab, *, names: tuple[str, ...], accepted: bool) -> Observation:
    return expect(lab, lab.body(tools=[_named(name) for name in names]), accepted=accepted)


def _format(schema: JsonObject) -> JsonObject:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _check_json_schema(lab: Lab) -> Observation:
    reply = lab.send(lab.body("Name a city.", response_format=_format(_CITY)))
    text = text_at(reply.message, "content")
    return Observation(_has_city(text), reply.describe(say(text)))


def _has_city(text: str) -> bool:
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("city"), str)


def _check_recursion(lab: Lab) -> Observation:
    return expect_refusal(lab, lab.body("Write a list.", response_format=_format(_LIST)))


def _check_json_beside_tools(lab: Lab) -> Observation:
    return expect_answer(lab, lab.body("Name a city.", response_format=_format(_CITY), tools=TOOLS))


def _answers_in_json_beside_tools(family: ModelFamily) -> bool:
    return family.is_gemini and family.takes_json_beside_functions and family.structured_output


PROBES = (
    *(
        Probe(
            f"schema-{name}",
            f"In the parameters of a tool, {words} is {'accepted' if accepted else 'refused'}.",
            "an answer" if accepted else "400",
            "_schema/compiler.py",
            sources,
            partial(_check_keyword, schema=schema, accepted=accepted),
            spend=Spend(input_tokens=90) if accepted else REFUSED,
        )
        for name, words, schema, accepted, sources in KEYWORDS
    ),
    Probe(
        "schema-reference",
        "In the parameters of a tool, `$ref` and `$defs` are refused.",
        "400 with the keyword",
        "_schema/references.py",
        _UNKNOWN_NAMES,
        _check_reference,
        spend=REFUSED,
    ),
    Probe(
        "schema-additional-properties",
        "In the parameters of a tool, `additionalProperties` is refused.",
        "400 with the keyword",
        "_schema/compiler.py",
        _CONST,
        _check_additional,
        spend=REFUSED,
    ),
    Probe(
        "schema-without-properties",
        "Parameters without properties are refused.",
        "400 with 'non-empty'",
        "_schema/functions.py",
        _CODE,
        _check_empty,
        spend=REFUSED,
    ),
    Probe(
        "long-tool-name",
        "The name of a tool may have 63 characters.",
        "an answer",
        "_request/tool_names.py",
        _NO_SOURCE,
        partial(_check_names, names=("a" * 63,), accepted=True),
    ),
    Probe(
        "tool-name-with-digit",
        "The name of a tool that begins with a digit is refused.",
        "400",
        "_request/tool_names.py",
        _report("public reports of 'Invalid function name'"),
        partial(_check_names, names=("1st",), accepted=False),
        spend=REFUSED,
    ),
    Probe(
        "128-tools",
        "A request may have 128 tools.",
        "an answer",
        "_request/tools.py",
        _NO_SOURCE,
        partial(_check_names, names=tuple(f"tool_{number}" for number in range(128)), accepted=True),
        spend=_LARGE,
    ),
    Probe(
        "json-schema",
        "With a schema in `response_format`, the answer is JSON that fits the schema.",
        "an object with a city",
        "_model/structured_output.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": STUDIO, "openai_compatible": OPENAI},
        _check_json_schema,
    ),
    Probe(
        "recursive-json-schema",
        "`response_format` with a recursive schema is refused.",
        "400",
        "_model/structured_output.py",
        {"vertex": VERTEX_OVERVIEW, "ai_studio": UNTRIED},
        _check_recursion,
        needs=("json-schema",),
        spend=REFUSED,
    ),
    Probe(
        "json-schema-beside-tools",
        "`response_format` with a schema is accepted together with tools.",
        "an answer",
        "`takes_json_beside_functions` of the family in _catalog",
        _report("https://github.com/googleapis/python-genai/issues/867"),
        _check_json_beside_tools,
        needs=("json-schema",),
        fits=_answers_in_json_beside_tools,
    ),
)
