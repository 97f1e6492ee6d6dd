"""Check function declarations and schemas.

Google reads `parameters` as an OpenAPI schema. Such a schema does not know keywords such as `$ref`, `const` and
`additionalProperties`, and its `type` is a single word. The check accepts a keyword only if all reports agree that
Google accepts it. Sources: https://github.com/zed-industries/zed/issues/44875,
https://github.com/openswarm-ai/openswarm/issues/24
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_gemini_compat.testing._model.json_values import as_list, as_object, as_text, dump
from langchain_gemini_compat.testing._rules.violations import Violation, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_KEYS = frozenset(
    {
        "type", "description", "properties", "required", "items", "enum", "nullable", "anyOf", "minimum", "maximum",
        "pattern", "format", "title", "default", *_COUNTS,
    }
)  # fmt: skip
_BESIDE_ANY_OF = frozenset({"anyOf", "description", "nullable"})
_FORMATS = {
    "string": ("enum", "date-time"),
    "integer": ("int32", "int64", "float", "double"),
    "number": ("int32", "int64", "float", "double"),
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_MAX_DEPTH = 32
_MAX_BYTES = 100 * 1024


def check_function_name(name: str, place: str) -> Iterator[Violation]:
    """Yield a violation if `name` is invalid.

    A valid name begins with a letter or `_`, and has at most 63 letters, digits, `_` or `-`.
    """
    if not _NAME.fullmatch(name):
        message = (
            f"* GenerateContentRequest.{place}.name: Invalid function name. Must start with a letter or an "
            "underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), "
            "with a maximum length of 64."
        )
        hint = f"{name!r} is not accepted by both surfaces: use at most 63 letters, digits, `_` or `-`."
        yield Violation("function-name", message, hint)


def check_parameters(parameters: JsonValue, place: str) -> Iterator[Violation]:
    """Yield all violations in the `parameters` of a function. `place` is the path of `parameters` in error texts."""
    schema = as_object(parameters)
    if _type_of(schema) != "object":
        yield _schema_violation(place, "schema should be of type OBJECT.", "`parameters` has to be an object schema.")
    if not as_object(schema.get("properties")):
        message = f"* GenerateContentRequest.{place}.properties: should be non-empty for OBJECT type"
        yield Violation("schema-empty", message, "If the function has no arguments, leave `parameters` out.")
    yield from _check_schema(parameters, place, 1)
    if len(dump(parameters).encode("utf-8", "surrogatepass")) > _MAX_BYTES:
        yield _schema_violation(place, "schema is too large.", f"More than {_MAX_BYTES} bytes.")


def find_recursion(schema: JsonValue) -> str:
    """Return the `$ref` through which a response schema contains itself, or an empty string.

    >>> find_recursion({"$defs": {"Node": {"properties": {"next": {"$ref": "#/$defs/Node"}}}}})
    '#/$defs/Node'
    """
    root = as_object(schema)
    definitions = {**as_object(root.get("definitions")), **as_object(root.get("$defs"))}
    links = {name: _references(body) for name, body in definitions.items()}
    for name in definitions:
        seen: set[str] = set()
        waiting = list(links[name])
        while waiting:
            target = waiting.pop()
            if target == name:
                return f"#/$defs/{name}"
            if target not in seen:
                seen.add(target)
                waiting.extend(links.get(target, ()))
    return ""


def _references(schema: JsonValue) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in _references(item)}
    found = {name for value in as_object(schema).values() for name in _references(value)}
    reference = as_text(as_object(schema).get("$ref"))
    return found | ({reference.rpartition("/")[2]} if reference else set())


def _check_schema(value: JsonValue, place: str, depth: int) -> Iterator[Violation]:
    if depth > _MAX_DEPTH:
        yield _schema_violation(place, "schema is nested too deeply.", f"More than {_MAX_DEPTH} levels.")
        return
    if not isinstance(value, dict):
        yield _schema_violation(place, "schema is not an object.", f"Found {dump(value)[:40]}.")
        return
    for key in sorted(value.keys() - _KEYS):
        yield unknown_field(key, place, "Gemini does not support this keyword in `parameters`.")
    for check in (_check_type, _check_any_of, _check_object, _check_array, _check_enum, _check_limits):
        yield from check(value, place)
    for child, child_place in _children(value, place):
        yield from _check_schema(child, child_place, depth + 1)


def _children(schema: JsonObject, place: str) -> Iterator[tuple[JsonValue, str]]:
    for number, branch in enumerate(as_list(schema.get("anyOf"))):
        yield branch, f"{place}.any_of[{number}]"
    for number, inner in enumerate(as_object(schema.get("properties")).values()):
        yield inner, f"{place}.properties[{number}].value"
    if "items" in schema:
        yield schema["items"], f"{place}.items"


def _check_type(schema: JsonObject, place: str) -> Iterator[Violation]:
    if "type" in schema and not _type_of(schema):
        kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.Type"
        message = f"Invalid value at '{place}.type' ({kind}), {dump(schema['type'])}"
        yield Violation("schema-type", message, "`type` has to be one word. Write `null` as `nullable: true`.")
    elif not schema.keys() & {"type", "anyOf", "$ref", "oneOf", "allOf"}:
        yield _schema_violation(place, "schema didn't specify the schema type field.", "Add `type` or `anyOf`.")
    if not isinstance(schema.get("description", ""), str) or not isinstance(schema.get("nullable", False), bool):
        yield _schema_violation(
            place, "schema has an invalid value.", "`description` has to be a string, `nullable` a boolean."
        )


def _check_any_of(schema: JsonObject, place: str) -> Iterator[Violation]:
    if "anyOf" not in schema:
        return
    if schema.keys() - _BESIDE_ANY_OF:
        text = "schema specified other fields alongside any_of. When using any_of, it must be the only field set."
        yield _schema_violation(
            place, text, f"Found beside `anyOf`: {', '.join(sorted(schema.keys() - _BESIDE_ANY_OF))}."
        )
    if not as_list(schema["anyOf"]):
        yield _schema_violation(place, "schema has an empty any_of.", "`anyOf` has to be a list of schemas.")


def _check_object(schema: JsonObject, place: str) -> Iterator[Violation]:
    kind = _type_of(schema)
    for key in ("properties", "required"):
        if key in schema and kind not in ("", "object"):
            yield _schema_violation(place, f"schema has {key} but is no OBJECT.", f"`{key}` on a {kind}.")
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        yield _schema_violation(place, "schema has invalid properties.", "`properties` has to be an object.")
        return
    required = schema.get("required", [])
    if not isinstance(required, list):
        yield _schema_violation(place, "schema has an invalid required.", "`required` has to be a list of names.")
        return
    for number, name in enumerate(required):
        if not isinstance(name, str) or name not in properties:
            message = f"* GenerateContentRequest.{place}.required[{number}]: property is not defined"
            yield Violation("schema-required", message, f"{name!r} is not in `properties`.")


def _check_array(schema: JsonObject, place: str) -> Iterator[Violation]:
    kind = _type_of(schema)
    if kind == "array" and "items" not in schema:
        message = f"* GenerateContentRequest.{place}.items: missing field."
        yield Violation("schema-items", message, "An array needs `items`.")
    if "items" in schema and kind not in ("", "array"):
        yield _schema_violation(place, "schema has items but is no ARRAY.", f"`items` on a {kind}.")


def _check_enum(schema: JsonObject, place: str) -> Iterator[Violation]:
    if "enum" not in schema:
        return
    values = as_list(schema["enum"])
    for number, value in enumerate(values):
        if not isinstance(value, str):
            message = f"Invalid value at '{place}.enum[{number}]' (TYPE_STRING), {dump(value)}"
            yield Violation("schema-enum", message, "Send strings, because other enum values are not accepted.")
    if not values or _type_of(schema) != "string":
        message = f"* GenerateContentRequest.{place}.enum: only allowed for STRING type"
        yield Violation("schema-enum", message, "`enum` has to be a non-empty list on a schema of type string.")


def _check_limits(schema: JsonObject, place: str) -> Iterator[Violation]:
    wrong = [key for key in _COUNTS if key in schema and not _is_count(schema[key])]
    wrong += [key for key in ("minimum", "maximum") if key in schema and not _is_number(schema[key])]
    if not isinstance(schema.get("pattern", ""), str):
        wrong.append("pattern")
    for key in wrong:
        message = f"Invalid value at '{place}.{key}', {dump(schema[key])}"
        yield Violation("schema-value", message, f"The value of `{key}` has the wrong type.")
    if "format" in schema:
        kind = _type_of(schema)
        if schema["format"] not in _FORMATS.get(kind, ()):
            message = (
                f"* GenerateContentRequest.{place}.format: only 'enum' and 'date-time' are supported for STRING type"
            )
            yield Violation("schema-format", message, f"`format` {dump(schema['format'])} on {kind or 'no type'}.")


def _type_of(schema: JsonObject) -> str:
    """Return the type in lowercase, or an empty string if it is missing or unknown."""
    word = schema.get("type")
    known = isinstance(word, str) and (word in _TYPES or (word.isupper() and word.lower() in _TYPES))
    return word.lower() if known and isinstance(word, str) else ""


def _is_count(value: JsonValue) -> bool:
    if isinstance(value, str):
        return value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")


def _schema_violation(place: str, message: str, hint: str) -> Violation:
    return Violation("schema", f"Unable to submit request because `{place}` {message}", hint)
