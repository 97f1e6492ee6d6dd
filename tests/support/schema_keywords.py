"""Examples of every keyword of JSON Schema, and the page that shows their compiled schemas and losses.

Run `python tests/support/schema_keywords.py` to write `docs/reference/schema-keywords.md`. A test compiles every
example, so the page shows what the compiler does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema_specifications import REGISTRY

from langchain_gemini_compat._schema.functions import compile_parameters

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "schema-keywords.md"
COMMAND = "python tests/support/schema_keywords.py"
DEFINITIONS = {"D": {"type": "string"}}
DRAFTS = ("4", "6", "7", "2019-09", "2020-12")
_HEAD = f"""# Schema keywords

Gemini accepts a subset of JSON Schema. This page shows what the package does with each keyword of JSON Schema (drafts 4 to
2020-12) and of OpenAPI 3 in the arguments of a tool:

| result | meaning |
|---|---|
| kept | The keyword is sent unchanged. |
| rewritten | Other keywords, or a sentence in the description, are sent instead, with the same meaning. |
| left out | The keyword is not sent, and nothing is lost. The keyword allows every value that the sent schema allows. |
| dropped | The keyword, or a part of its meaning, is not sent, so the server does not check this part. `preview()` lists this part as a loss. If this helps the model, a sentence in the description tells the model about this part. |

`response_metadata["repairs"]` of the reply also lists the losses. A keyword that is not on this page is dropped.

The column "loss" has the reason of each loss. In a reason, "the original schema" is the schema that you pass, and "the
schema that is sent" is the one that Gemini gets. If a loss is recorded for a keyword other than that of the row, the
reason starts with the name of this keyword.

- Each example is the schema of one argument. `#/$defs/D` is `{{"type": "string"}}`. The test suite compiles all examples,
  and `{COMMAND}` writes this page.
- In the schema of an answer (`response_format`), `additionalProperties` is kept, and objects without properties are accepted. All
  other keywords are treated as in the arguments of a tool.
- At the top of a tool's arguments, `anyOf` and `oneOf` become one object with the properties of all alternatives.
  `preview()` lists this change as a loss.
- A tool without arguments is sent without `parameters`.
"""


class Row:
    """An example schema for a keyword, the compiled schema, and the reason of each loss."""

    def __init__(self, keyword: str, probe: Any, compiled: Any, *says: str) -> None:
        self.keyword, self.probe, self.compiled, self.says = keyword, probe, compiled, says

    def fate(self) -> str:
        """Return `dropped` for a keyword with a loss, and otherwise `kept`, `rewritten` or `left out`."""
        if self.says:
            return "dropped"
        if self.compiled == self.probe:
            return "kept"
        rest = {key: value for key, value in self.probe.items() if key != self.keyword}
        return "left out" if self.compiled == rest else "rewritten"


ROWS = [
    Row("type", {"type": "string"}, {"type": "string"}),
    Row("type", {"type": ["string", "null"]}, {"type": "string", "nullable": True}),
    Row("type", {"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    Row("type", {"type": "null"}, {"type": "string", "description": "Always null.", "nullable": True}, "The original schema allows only null. The schema that is sent also allows a string."),
    Row("enum", {"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
    Row("enum", {"enum": [1, 2, 3]}, {"type": "integer", "minimum": 1, "maximum": 3}),
    Row("enum", {"enum": [1, 5]}, {"type": "integer", "description": "One of: 1, 5.", "minimum": 1, "maximum": 5}, "Numbers between the values of `enum` are accepted, too."),
    Row("enum", {"enum": ["a", None]}, {"type": "string", "nullable": True, "enum": ["a"]}),
    Row("enum", {"enum": ["", "a"]}, {"type": "string", "enum": ["a"]}, "The empty string in `enum` or `const` is not sent."),
    Row("const", {"const": "a"}, {"type": "string", "enum": ["a"]}),
    Row("const", {"const": 3}, {"type": "integer", "minimum": 3, "maximum": 3}),
    Row("const", {"const": True}, {"type": "boolean", "description": "Never false."}, "The original schema does not allow `false`. The schema that is sent also allows `false`."),
    Row("nullable", {"type": "string", "nullable": True}, {"type": "string", "nullable": True}),
    Row("minLength", {"type": "string", "minLength": 1}, {"type": "string", "minLength": 1}),
    Row("maxLength", {"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 9}),
    Row("pattern", {"type": "string", "pattern": "^a+$"}, {"type": "string", "description": "Must match ^a+$."}, "The pattern is not checked."),
    Row("format", {"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
    Row("format", {"type": "integer", "format": "int64"}, {"type": "integer", "format": "int64"}),
    Row("format", {"type": "string", "format": "email"}, {"type": "string", "description": "Format: email."}, "The format is not checked."),
    Row("contentEncoding", {"type": "string", "contentEncoding": "base64"}, {"type": "string", "description": "Encoding: base64."}, "The encoding is not checked."),
    Row("contentMediaType", {"type": "string", "contentMediaType": "image/png"}, {"type": "string", "description": "Media type: image/png."}, "The media type is not checked."),
    Row("contentSchema", {"type": "string", "contentSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}, {"type": "string"}, "Gemini does not accept this keyword, so it is not sent."),
    Row("minimum", {"type": "number", "minimum": 0}, {"type": "number", "minimum": 0}),
    Row("maximum", {"type": "number", "maximum": 9}, {"type": "number", "maximum": 9}),
    Row("exclusiveMinimum", {"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
    Row("exclusiveMinimum", {"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "integer", "minimum": 1}),
    Row("exclusiveMinimum", {"type": "number", "exclusiveMinimum": 0}, {"type": "number", "description": "Must be greater than 0.", "minimum": 0}, "`exclusiveMinimum` excludes 0, but the schema that is sent allows it."),
    Row("exclusiveMaximum", {"type": "integer", "exclusiveMaximum": 9}, {"type": "integer", "maximum": 8}),
    Row("exclusiveMaximum", {"type": "number", "exclusiveMaximum": 9}, {"type": "number", "description": "Must be less than 9.", "maximum": 9}, "`exclusiveMaximum` excludes 9, but the schema that is sent allows it."),
    Row("multipleOf", {"type": "integer", "multipleOf": 5}, {"type": "integer", "description": "Must be a multiple of 5."}, "`multipleOf` is not checked."),
    Row("items", {"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
    Row("items", {"type": "array"}, {"type": "array", "items": {"nullable": True, "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "object"}]}}, "`type` of `items`: The original schema allows any item, but the schema that is sent does not allow arrays as items."),
    Row("items", {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "additionalItems": False}, {"type": "array", "description": "Items in order: integer, string.", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "maxItems": 2}, "The types of the items are checked, but not their order."),
    Row("prefixItems", {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "items": False}, {"type": "array", "items": {"type": "number"}, "maxItems": 2}),
    Row("prefixItems", {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}, {"type": "array", "description": "Items in order: integer, string.", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}, "maxItems": 2}, "The types of the items are checked, but not their order."),
    Row("additionalItems", {"type": "array", "items": [{"type": "string"}], "additionalItems": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}),
    Row("additionalItems", {"type": "array", "items": [{"type": "string"}], "additionalItems": {"type": "integer"}}, {"type": "array", "description": "Items in order: string.", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}, "`items` and `additionalItems`: The types of the items are checked, but not their order."),
    Row("unevaluatedItems", {"type": "array", "items": {"type": "string"}, "unevaluatedItems": False}, {"type": "array", "items": {"type": "string"}}, "`unevaluatedItems` is not checked."),
    Row("minItems", {"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}),
    Row("maxItems", {"type": "array", "items": {"type": "string"}, "maxItems": 9}, {"type": "array", "items": {"type": "string"}, "maxItems": 9}),
    Row("maxItems", {"type": "array", "items": {"type": "string"}, "maxItems": 10000}, {"type": "array", "description": "At most 10000 items.", "items": {"type": "string"}}, "`maxItems` is not checked, because the array bounds of the request are too high for Gemini. The bound 10000 is in the description and not in the schema."),
    Row("uniqueItems", {"type": "array", "items": {"type": "string"}, "uniqueItems": True}, {"type": "array", "description": "Items must be unique.", "items": {"type": "string"}}, "`uniqueItems` is not checked, so items may repeat."),
    Row("contains", {"type": "array", "items": {"type": "string"}, "contains": {"const": "a"}}, {"type": "array", "items": {"type": "string"}}, "It is not checked whether the array has the items that `contains` requires."),
    Row("minContains", {"type": "array", "items": {"type": "string"}, "contains": {"const": "a"}, "minContains": 2}, {"type": "array", "items": {"type": "string"}}, "`contains`: It is not checked whether the array has the items that `contains` requires."),
    Row("maxContains", {"type": "array", "items": {"type": "string"}, "contains": {"const": "a"}, "maxContains": 2}, {"type": "array", "items": {"type": "string"}}, "`contains`: It is not checked whether the array has the items that `contains` requires."),
    Row("properties", {"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    Row("properties", {"type": "object", "properties": {}}, {"type": "object"}, "The schema that is sent describes no properties of this object, so it allows any."),
    Row("properties", {"type": "object", "properties": {"a": {"type": "string"}, "b": False}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    Row("required", {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
    Row("required", {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, {"type": "object", "properties": {"a": {"type": "string"}}}, "The original schema requires the property 'b', but the schema that is sent does not contain it."),
    Row("additionalProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    Row("additionalProperties", {"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "object", "description": "Maps any name to integer."}, "Properties that only `additionalProperties` describes are not checked. The description says which values they may have."),
    Row("additionalProperties", {"type": "object", "additionalProperties": False}, {"type": "object", "description": "Has no members."}, "The original schema allows no properties, but the schema that is sent allows any."),
    Row("unevaluatedProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "unevaluatedProperties": False}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    Row("unevaluatedProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "unevaluatedProperties": {"type": "integer"}}, {"type": "object", "description": "Other names may map to integer.", "properties": {"a": {"type": "string"}}}, "Properties that only `unevaluatedProperties` describes are not checked. The description says which values they may have."),
    Row("required", {"type": "object", "properties": {"a": {"type": "string", "required": True}}}, {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
    Row("properties", {"type": "object", "properties": {"a": {"type": "string"}, "": {"type": "string"}}}, {"type": "object", "properties": {"a": {"type": "string"}}}, "Google refuses properties with an empty name, so this property is not sent."),
    Row("patternProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^x-": {"type": "string"}}}, {"type": "object", "description": "Names that match ^x- map to string.", "properties": {"a": {"type": "string"}}}, "Properties whose names match a pattern in `patternProperties` are not checked. The description says which values they may have."),
    Row("propertyNames", {"type": "object", "propertyNames": {"enum": ["u", "v"]}, "additionalProperties": {"type": "integer"}}, {"type": "object", "properties": {"u": {"type": "integer"}, "v": {"type": "integer"}}}),
    Row("propertyNames", {"type": "object", "properties": {"a": {"type": "string"}}, "propertyNames": {"pattern": "^a"}}, {"type": "object", "description": "Names must match ^a.", "properties": {"a": {"type": "string"}}}, "`propertyNames` is not checked."),
    Row("minProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1}, {"type": "object", "description": "At least 1 members.", "properties": {"a": {"type": "string"}}}, "The number of properties is not checked."),
    Row("maxProperties", {"type": "object", "properties": {"a": {"type": "string"}}, "maxProperties": 2}, {"type": "object", "description": "At most 2 members.", "properties": {"a": {"type": "string"}}}, "The number of properties is not checked."),
    Row("dependentRequired", {"type": "object", "properties": {"a": {"type": "string"}}, "dependentRequired": {"a": ["b"]}}, {"type": "object", "properties": {"a": {"type": "string"}}}, "Rules that apply only if a certain property is present are not checked."),
    Row("dependentSchemas", {"type": "object", "properties": {"a": {"type": "string"}}, "dependentSchemas": {"a": {"required": ["b"]}}}, {"type": "object", "properties": {"a": {"type": "string"}}}, "Rules that apply only if a certain property is present are not checked."),
    Row("dependencies", {"type": "object", "properties": {"a": {"type": "string"}}, "dependencies": {"a": ["b"]}}, {"type": "object", "properties": {"a": {"type": "string"}}}, "Rules that apply only if a certain property is present are not checked."),
    Row("allOf", {"allOf": [{"type": "string"}, {"minLength": 1}]}, {"type": "string", "minLength": 1}),
    Row("allOf", {"allOf": [{"type": "string"}, {"type": "integer"}]}, {"type": "string"}, "`type` of `allOf/1`: The schema has two contradictory `type` keywords for this value. This one is ignored."),
    Row("anyOf", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    Row("anyOf", {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
    Row("anyOf", {"type": "string", "anyOf": [{"minLength": 3}, {"enum": ["a"]}]}, {"anyOf": [{"type": "string", "minLength": 3}, {"type": "string", "enum": ["a"]}]}),
    Row("anyOf", {"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"type": "object", "description": "Give a or b.", "properties": {"a": {"type": "string"}}}, "The combinations of properties that `anyOf` requires are not checked."),
    Row("oneOf", {"oneOf": [{"type": "string"}, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    Row("oneOf", {"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"anyOf": [{"type": "integer"}, {"type": "number"}]}, "A value that matches several alternatives of `oneOf` is accepted."),
    Row("discriminator", {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]}], "discriminator": {"propertyName": "k"}}, {"anyOf": [{"type": "object", "properties": {"k": {"type": "string", "enum": ["a"]}}, "required": ["k"]}, {"type": "object", "properties": {"k": {"type": "string", "enum": ["b"]}}, "required": ["k"]}]}),
    Row("discriminator", {"type": "object", "properties": {"k": {"type": "string"}}, "discriminator": {"propertyName": "k", "mapping": {"a": "A", "b": "B"}}}, {"type": "object", "description": "Values of k: a, b.", "properties": {"k": {"type": "string"}}}, "`mapping` of `discriminator`: It is not checked that a value matches the schema that `discriminator` selects."),
    Row("not", {"type": "string", "not": {"const": "x"}}, {"type": "string"}, "`not` is not checked."),
    Row("if", {"type": "string", "if": {"maxLength": 1}, "then": {"pattern": "a"}}, {"type": "string"}, "The condition (`if`, `then`, `else`) is not checked."),
    Row("then", {"type": "string", "if": {"maxLength": 1}, "then": {"pattern": "a"}}, {"type": "string"}, "`if`: The condition (`if`, `then`, `else`) is not checked."),
    Row("else", {"type": "string", "if": {"maxLength": 1}, "else": {"pattern": "a"}}, {"type": "string"}, "`if`: The condition (`if`, `then`, `else`) is not checked."),
    Row("$ref", {"$ref": "#/$defs/D"}, {"type": "string"}),
    Row("$ref", {"$ref": "https://example.com/a", "type": "string"}, {"type": "string"}, "The target 'https://example.com/a' was not found in the original schema, so `$ref` is ignored."),
    Row("$dynamicRef", {"$dynamicRef": "#/$defs/D"}, {"type": "string"}),
    Row("$recursiveRef", {"type": "object", "properties": {"a": {"$recursiveRef": "#/$defs/D"}}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
    Row("$defs", {"type": "string", "$defs": {"E": {"type": "integer"}}}, {"type": "string"}),
    Row("definitions", {"type": "string", "definitions": {"E": {"type": "integer"}}}, {"type": "string"}),
    Row("$schema", {"type": "string", "$schema": "https://json-schema.org/draft/2020-12/schema"}, {"type": "string"}),
    Row("$id", {"type": "string", "$id": "https://example.com/a"}, {"type": "string"}),
    Row("id", {"type": "string", "id": "https://example.com/a"}, {"type": "string"}),
    Row("$anchor", {"type": "string", "$anchor": "a"}, {"type": "string"}),
    Row("$dynamicAnchor", {"type": "string", "$dynamicAnchor": "a"}, {"type": "string"}),
    Row("$recursiveAnchor", {"type": "string", "$recursiveAnchor": True}, {"type": "string"}),
    Row("$vocabulary", {"type": "string", "$vocabulary": {}}, {"type": "string"}),
    Row("$comment", {"type": "string", "$comment": "c"}, {"type": "string"}),
    Row("description", {"type": "string", "description": "d"}, {"type": "string", "description": "d"}),
    Row("title", {"type": "string", "title": "T"}, {"type": "string"}),
    Row("default", {"type": "string", "default": "a"}, {"type": "string", "description": 'Default: "a".'}),
    Row("examples", {"type": "string", "examples": ["a", "b"]}, {"type": "string", "description": 'Examples: "a", "b".'}),
    Row("example", {"type": "string", "example": "a"}, {"type": "string", "description": 'Examples: "a".'}),
    Row("deprecated", {"type": "string", "deprecated": True}, {"type": "string", "description": "Deprecated."}),
    Row("readOnly", {"type": "string", "readOnly": True}, {"type": "string", "description": "Read-only."}, "Gemini does not accept this keyword, so it is not sent."),
    Row("writeOnly", {"type": "string", "writeOnly": True}, {"type": "string", "description": "Write-only."}, "Gemini does not accept this keyword, so it is not sent."),
    Row("xml", {"type": "string", "xml": {"name": "x"}}, {"type": "string"}, "Gemini does not accept this keyword, so it is not sent."),
    Row("externalDocs", {"type": "string", "externalDocs": {"url": "https://example.com"}}, {"type": "string"}, "Gemini does not accept this keyword, so it is not sent."),
]  # fmt: skip


def compile_row(row: Row) -> tuple[Any, tuple[str, ...]]:
    """Return the compiled example, and the reasons of its losses."""
    whole = {"type": "object", "properties": {"p": row.probe}, "$defs": DEFINITIONS}
    compiled, losses = compile_parameters(whole)
    assert compiled is not None
    labels: dict[str, list[str]] = {}
    for loss in losses:
        place = loss.path.removeprefix("/properties/p").removesuffix(f"/{loss.keyword}").strip("/")
        is_inside = place and loss.keyword != row.keyword
        label = f"`{loss.keyword}` of `{place}`" if is_inside else f"`{loss.keyword}`"
        found = labels.setdefault(loss.reason, [])
        found.extend([label] if label not in found else [])
    said = (
        reason if found == [f"`{row.keyword}`"] else f"{' and '.join(found)}: {reason}"
        for reason, found in labels.items()
    )
    return compiled["properties"]["p"], tuple(said)


def find_drafts() -> dict[str, list[str]]:
    """Return each keyword of the drafts' meta-schemas with the drafts that contain it."""
    found: dict[str, list[str]] = {}
    for uri in REGISTRY:
        draft = next((name for name in DRAFTS if f"draft/{name}/" in uri or f"draft-0{name}/" in uri), None)
        words = REGISTRY.contents(uri).get("properties", {}) if draft else {}
        for word in words:
            drafts = found.setdefault(word, [])
            drafts.extend([draft] if draft and draft not in drafts else [])
    return found


def print_drafts(drafts: list[str]) -> str:
    """Return a list of drafts as text."""
    if not drafts:
        return "OpenAPI"
    first, last = min(drafts, key=DRAFTS.index), max(drafts, key=DRAFTS.index)
    if first == last:
        return first
    return "all" if len(drafts) == len(DRAFTS) else f"from {first}" if last == DRAFTS[-1] else f"{first} to {last}"


def print_page() -> str:
    """Return the text of the page."""
    drafts = find_drafts()
    lines = ["", "| keyword | drafts | example | result | sent | loss |", "|---|---|---|---|---|---|"]
    for row in ROWS:
        cells = [
            f"`{row.keyword}`", print_drafts(drafts.get(row.keyword, [])), f"`{json.dumps(row.probe)}`", row.fate(),
            "the same" if row.compiled == row.probe else f"`{json.dumps(row.compiled)}`", " ".join(row.says),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(print_page(), encoding="utf-8")
